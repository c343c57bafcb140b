package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// Pool is a pooling window over planes.
type Pool struct {
	Window
	// Ceil rounds the number of places up, so that a last window may stick out;
	// one that would start beyond the plane and its leading pad is left out.
	Ceil bool
	// CountPad makes the average divide by the whole window where it overlaps
	// the pads (never by what sticks out beyond them).
	CountPad bool
	// Deep has the axes before the plane's: planes below are volumes then.
	Deep Deep
}

// OutSize returns how many places the window has on a plane of h×w elements.
func (p Pool) OutSize(h, w int) (oh, ow int) {
	oh, ow = p.Window.OutSize(h, w)
	if p.Ceil {
		oh = ceilPlaces(h, p.PadTop, p.PadBottom, p.extentH(), p.StrideH)
		ow = ceilPlaces(w, p.PadLeft, p.PadRight, p.extentW(), p.StrideW)
	}
	return oh, ow
}

func ceilPlaces(n, before, after, extent, stride int) int {
	room := n + before + after - extent
	if room <= -stride {
		return 0
	}
	out := (room+stride-1)/stride + 1
	if (out-1)*stride >= n+before {
		out--
	}
	return out
}

// ScratchLen returns how many float32 of scratch Max and Average want.
func (p Pool) ScratchLen(h, w int) int {
	oh, ow := p.OutSize(h, w)
	l := p.volume(p.Deep, h, w, oh, ow)
	return l.scratchLen(1) + 2*p.taps()
}

func (p *Pool) taps() int { return p.Deep.Kernel() * p.KernelH * p.KernelW }

// Max computes the maximum under each place of the window: y [planes, oh, ow]
// from x [planes, h, w]. Pads never win; NaN does. y may not overlap x.
func (p Pool) Max(y, x []float32, planes, h, w int, scratch []float32) {
	oh, ow := p.OutSize(h, w)
	if oh*ow == 0 {
		return
	}
	l := p.volume(p.Deep, h, w, oh, ow)
	in, places := p.Deep.Elements()*h*w, p.Deep.Places()
	mem := arena(scratch)
	taps := mem.takeInts(p.taps())
	l.taps(taps, 1)
	spread := mem.take(l.scratchLen(1))
	pad(spread, float32(math.Inf(-1)))
	for i := range planes {
		src := x[i*in:][:in]
		if !l.direct {
			l.spread(spread, src)
			src = spread
		}
		for p := range places {
			kernel.MaxTaps(kernel.Ptr(y[(i*places+p)*oh*ow:][:oh*ow]), ow, kernel.Ptr(src[l.planeAt(p):]), l.rowStep(), kernel.Ptr(taps), len(taps), oh, ow)
		}
	}
}

// Average computes the mean under each place of the window, leaving out the
// pads unless CountPad: y [planes, oh, ow] from x [planes, h, w]. y may not
// overlap x.
func (p Pool) Average(y, x []float32, planes, h, w int, scratch []float32) {
	oh, ow := p.OutSize(h, w)
	if oh*ow == 0 {
		return
	}
	l := p.volume(p.Deep, h, w, oh, ow)
	in, places := p.Deep.Elements()*h*w, p.Deep.Places()
	mem := arena(scratch)
	taps := mem.takeInts(p.taps())
	l.taps(taps, 1)
	ones := mem.take(len(taps))
	fillWith(ones, 1)
	spread := mem.take(l.scratchLen(1))
	pad(spread, 0)
	lo, hi := NoClamp.bounds()
	for i := range planes {
		src := x[i*in:][:in]
		if !l.direct {
			l.spread(spread, src)
			src = spread
		}
		for j := range places {
			out := y[(i*places+j)*oh*ow:][:oh*ow]
			kernel.Depthwise(kernel.Ptr(out), ow, kernel.Ptr(src[l.planeAt(j):]), l.rowStep(), kernel.Ptr(taps), kernel.Ptr(ones), len(taps), oh, ow, 0, lo, hi)
			p.divide(out, p.countDeep(j), h, w, oh, ow)
		}
	}
}

// countDeep is how many kernel elements along the axes of Deep count at a place of these.
func (p Pool) countDeep(place int) int {
	n := 1
	for i := len(p.Deep) - 1; i >= 0; i-- {
		a := &p.Deep[i]
		n *= p.count(place%a.Places, a.Stride, a.Kernel, a.Dilation, a.Size, a.Before, a.After)
		place /= a.Places
	}
	return n
}

// divide turns sums into means; deep is what countDeep gives for the plane.
func (p Pool) divide(y []float32, deep, h, w, oh, ow int) {
	// The places from left on, up to right, have whole windows in their row.
	left, right := 0, ow
	for left < ow && p.count(left, p.StrideW, p.KernelW, p.DilationW, w, p.PadLeft, p.PadRight) < p.KernelW {
		left++
	}
	for right > left && p.count(right-1, p.StrideW, p.KernelW, p.DilationW, w, p.PadLeft, p.PadRight) < p.KernelW {
		right--
	}
	for r := range oh {
		nh := deep * p.count(r, p.StrideH, p.KernelH, p.DilationH, h, p.PadTop, p.PadBottom)
		row := y[r*ow:][:ow]
		for _, side := range [2][2]int{{0, left}, {right, ow}} {
			for c := side[0]; c < side[1]; c++ {
				nw := p.count(c, p.StrideW, p.KernelW, p.DilationW, w, p.PadLeft, p.PadRight)
				row[c] /= float32(max(nh*nw, 1)) // a place that covers nothing stays 0
			}
		}
		n := float32(max(nh*p.KernelW, 1))
		if right > left {
			kernel.DivRows(kernel.Ptr(row[left:]), kernel.Ptr(row[left:]), 0, 1, &n, 0, 0, 1, right-left)
		}
	}
}

// count is how many of a window's elements on one axis count at place o.
//
//go:noinline
func (p Pool) count(o, stride, kernel, dilation, n, before, after int) int {
	i := o*stride - before
	low, high := 0, n
	if p.CountPad {
		low, high = -before, n+after
	}
	if i >= low && i+(kernel-1)*dilation < high {
		return kernel
	}
	count := 0
	for range kernel {
		if i >= low && i < high {
			count++
		}
		i += dilation
	}
	return count
}

// GlobalAverage computes the mean of each plane: y [planes] from x [planes, inner].
func GlobalAverage(y, x []float32, planes, inner int) {
	ReduceMean.Run(y, x, planes, inner, 1)
}

// GlobalMax computes the maximum of each plane: y [planes] from x [planes, inner].
func GlobalMax(y, x []float32, planes, inner int) {
	ReduceMax.Run(y, x, planes, inner, 1)
}
