package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// What goes on in the blocked layout beside convolutions: planes of pixels of Lanes channels.

// Block writes planes x [n, channels, pixels] as blocks y [n, ChannelBlocks(channels), pixels, Lanes].
// Channels that are missing become zeros.
func Block(y, x []float32, n, channels, pixels int) {
	size := pixels * Lanes
	for range n {
		for from := 0; from < channels && pixels > 0; from += Lanes {
			k := min(Lanes, channels-from)
			if k < Lanes {
				clear(y[:size])
			}
			kernel.Transpose(kernel.Ptr(y), Lanes, kernel.Ptr(x), pixels, k, pixels)
			y, x = y[size:], x[k*pixels:]
		}
	}
}

// Unblock writes blocks x [n, ChannelBlocks(channels), pixels, Lanes] as planes y [n, channels, pixels].
func Unblock(y, x []float32, n, channels, pixels int) {
	size := pixels * Lanes
	for range n {
		for from := 0; from < channels && pixels > 0; from += Lanes {
			k := min(Lanes, channels-from)
			kernel.Transpose(kernel.Ptr(y), pixels, kernel.Ptr(x), Lanes, pixels, k)
			y, x = y[k*pixels:], x[size:]
		}
	}
}

// taps are the elements of a window that lie on a plane of h×w pixels when it is at one
// place: offsets of pixels from the plane's first one, in dst.
func (p *Pool) laneTaps(dst []int32, oy, ox, h, w int) []int32 {
	dst = dst[:0]
	for ky := range p.KernelH {
		y := oy*p.StrideH - p.PadTop + ky*p.DilationH
		if y < 0 || y >= h {
			continue
		}
		for kx := range p.KernelW {
			x := ox*p.StrideW - p.PadLeft + kx*p.DilationW
			if x >= 0 && x < w {
				dst = append(dst, int32((y*w+x)*Lanes))
			}
		}
	}
	return dst
}

// LaneScratch returns how many float32 of scratch MaxLanes and AverageLanes want.
func (p *Pool) LaneScratch() int { return p.KernelH * p.KernelW }

// MaxLanes is Max of blocks: y [blocks, oh, ow, Lanes] from x [blocks, h, w, Lanes].
func (p *Pool) MaxLanes(y, x []float32, blocks, h, w int, scratch []float32) {
	p.lanes(y, x, blocks, h, w, scratch, true)
}

// AverageLanes is Average of blocks.
func (p *Pool) AverageLanes(y, x []float32, blocks, h, w int, scratch []float32) {
	p.lanes(y, x, blocks, h, w, scratch, false)
}

func (p *Pool) lanes(y, x []float32, blocks, h, w int, scratch []float32, largest bool) {
	oh, ow := p.OutSize(h, w)
	if oh*ow == 0 || blocks == 0 {
		return
	}
	mem := arena(scratch)
	room := mem.takeInts(p.KernelH * p.KernelW)
	// The places from left on, up to right, have whole windows in their rows.
	left := min((p.PadLeft+p.StrideW-1)/p.StrideW, ow)
	right := min(max((w+p.PadLeft-p.extentW()+p.StrideW)/p.StrideW, left), ow)
	for oy := range oh {
		for ox := 0; ox < ow; {
			n := 1
			if ox == left && right > left {
				n = right - left
			}
			taps := p.laneTaps(room, oy, ox, h, w)
			count := float32(1)
			if !largest {
				count = float32(max(p.count(oy, p.StrideH, p.KernelH, p.DilationH, h, p.PadTop, p.PadBottom)*
					p.count(ox, p.StrideW, p.KernelW, p.DilationW, w, p.PadLeft, p.PadRight), 1))
			}
			for b := range blocks {
				to, from := y[((b*oh+oy)*ow+ox)*Lanes:][:n*Lanes], x[b*h*w*Lanes:][:h*w*Lanes]
				if largest {
					kernel.MaxLanes(kernel.Ptr(to), kernel.Ptr(from), p.StrideW*Lanes, kernel.Ptr(taps), len(taps), n)
				} else {
					kernel.MeanLanes(kernel.Ptr(to), kernel.Ptr(from), p.StrideW*Lanes, kernel.Ptr(taps), len(taps), n, count)
				}
			}
			ox += n
		}
	}
}

// GlobalAverageLanes is the mean of each channel: y [blocks, Lanes] from x [blocks, pixels, Lanes].
func GlobalAverageLanes(y, x []float32, blocks, pixels int) {
	kernel.LaneMeans(kernel.Ptr(y), kernel.Ptr(x), blocks, pixels)
}

// GlobalMaxLanes is the maximum of each channel.
func GlobalMaxLanes(y, x []float32, blocks, pixels int) {
	for b := range blocks {
		to, from := y[b*Lanes:][:Lanes], x[b*pixels*Lanes:][:pixels*Lanes]
		fillWith(to, float32(math.Inf(-1)))
		for ; len(from) > 0; from = from[Lanes:] {
			kernel.MaxRows(kernel.Ptr(to), kernel.Ptr(to), 0, 1, kernel.Ptr(from), 0, 1, 1, Lanes)
		}
	}
}

// ClearLanes sets the channels that are missing in the last of each image's blocks to zero:
// y is [n, ChannelBlocks(channels), pixels, Lanes].
func ClearLanes(y []float32, n, channels, pixels int) {
	first, size := channels%Lanes, ChannelBlocks(channels)*pixels*Lanes
	if first == 0 {
		return
	}
	for i := range n {
		last := y[(i+1)*size-pixels*Lanes : (i+1)*size]
		for ; len(last) > 0; last = last[Lanes:] {
			clear(last[first:Lanes])
		}
	}
}

// NearestLanes copies pixels: y [blocks, len(rows), len(cols), Lanes] from x [blocks, h, w, Lanes];
// rows and cols say from where.
func NearestLanes(y, x []float32, blocks, h, w int, rows, cols []int32) {
	row := len(cols) * Lanes
	for b := range blocks {
		for r, iy := range rows {
			to := y[(b*len(rows)+r)*row:][:row]
			if r > 0 && iy == rows[r-1] {
				copy(to, y[(b*len(rows)+r-1)*row:][:row])
				continue
			}
			from := x[(b*h+int(iy))*w*Lanes:][:w*Lanes]
			for c, ix := range cols {
				*(*[Lanes]float32)(to[c*Lanes:]) = *(*[Lanes]float32)(from[int(ix)*Lanes:])
			}
		}
	}
}
