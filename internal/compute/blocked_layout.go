package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/threads"
)

// What goes on in the blocked layout beside convolutions: planes of pixels of Lanes channels.

// Block writes planes x [n, channels, pixels] as blocks y [n, ChannelBlocks(channels), pixels, Lanes].
// Channels that are missing become zeros.
func Block(y, x []float32, n, channels, pixels int) {
	eachBlock(n, channels, pixels, func(block, plane, k int) {
		to := y[block*pixels*Lanes:][:pixels*Lanes]
		kernel.Transpose(kernel.Ptr(to), Lanes, kernel.Ptr(x[plane*pixels:]), pixels, k, pixels)
		blank(to[k%Lanes:], Lanes, pixels, (Lanes-k)%Lanes)
	})
}

// Unblock writes blocks x [n, ChannelBlocks(channels), pixels, Lanes] as planes y [n, channels, pixels].
func Unblock(y, x []float32, n, channels, pixels int) {
	eachBlock(n, channels, pixels, func(block, plane, k int) {
		kernel.Transpose(kernel.Ptr(y[plane*pixels:]), pixels, kernel.Ptr(x[block*pixels*Lanes:]), Lanes, pixels, k)
	})
}

// eachBlock calls f with all blocks of n images, their first planes and how many of these they have.
func eachBlock(n, channels, pixels int, f func(block, plane, k int)) {
	if pixels == 0 {
		return
	}
	blocks := ChannelBlocks(channels)
	parts := threads.Parts(n*blocks, n*blocks*pixels*Lanes)
	threads.For(parts, func(part int) {
		for i, to := threads.Range(n*blocks, parts, part); i < to; i++ {
			from := i % blocks * Lanes
			f(i, i/blocks*channels+from, min(Lanes, channels-from))
		}
	})
}

// seen are the elements of a window that lie on a line of n when it is at place o: so many, from
// one on, the first of which is at.
func seen(o, stride, before, kernel, dilation, n int) (count, at int) {
	at = o*stride - before
	first := 0
	if at < 0 {
		first = (dilation - 1 - at) / dilation
	}
	at += first * dilation
	if at >= n {
		return 0, 0
	}
	return max(min(kernel-first, (n-1-at)/dilation+1), 0), at
}

// LaneScratch returns how many float32 of scratch MaxLanes and AverageLanes want.
func (p *Pool) LaneScratch() int { return p.laneTable(p.KernelW + 1) }

// laneTable is where the taps of windows of so many columns begin, behind those of fewer; of a
// single row these are the beginning of all of them.
func (p *Pool) laneTable(cols int) int {
	if p.KernelH == 1 {
		return cols / (p.KernelW + 1) * p.KernelW
	}
	return p.KernelH * cols * max(cols-1, 0) / 2
}

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
	room := mem.takeInts(p.LaneScratch())
	// Tables of taps for windows of which 1, 2, … columns are on the plane, for all rows: fewer of
	// these take a table's beginning.
	for cols := 1; cols <= p.KernelW; cols++ {
		t := p.laneTable(cols)
		for ky := range p.KernelH {
			for kx := range cols {
				room[t] = int32((ky*p.DilationH*w + kx*p.DilationW) * Lanes)
				t++
			}
		}
	}
	// The places from left on, up to right, have whole windows in their rows.
	left := min((p.PadLeft+p.StrideW-1)/p.StrideW, ow)
	right := min(max((w+p.PadLeft-p.extentW()+p.StrideW)/p.StrideW, left), ow)
	parts := threads.Parts(blocks*oh, len(y)*p.KernelH*p.KernelW/8)
	threads.For(parts, func(part int) {
		for i, end := threads.Range(blocks*oh, parts, part); i < end; i++ {
			from, oy := x[i/oh*h*w*Lanes:][:h*w*Lanes], i%oh
			high, top := seen(oy, p.StrideH, p.PadTop, p.KernelH, p.DilationH, h)
			countH := p.count(oy, p.StrideH, p.KernelH, p.DilationH, h, p.PadTop, p.PadBottom)
			for ox := 0; ox < ow; {
				n := 1
				if ox == left && right > left {
					n = right - left
				}
				wide, at := seen(ox, p.StrideW, p.PadLeft, p.KernelW, p.DilationW, w)
				at = (top*w + at) * Lanes
				if high*wide == 0 {
					at = 0
				}
				taps := room[p.laneTable(wide):][:high*wide]
				to := y[(i*ow+ox)*Lanes:][:n*Lanes]
				if largest {
					kernel.MaxLanes(kernel.Ptr(to), kernel.Ptr(from[at:]), p.StrideW*Lanes, kernel.Ptr(taps), len(taps), n)
				} else {
					count := max(countH*p.count(ox, p.StrideW, p.KernelW, p.DilationW, w, p.PadLeft, p.PadRight), 1)
					kernel.MeanLanes(kernel.Ptr(to), kernel.Ptr(from[at:]), p.StrideW*Lanes, kernel.Ptr(taps), len(taps), n, float32(count))
				}
				ox += n
			}
		}
	})
}

// GlobalAverageLanes is the mean of each channel: y [blocks, Lanes] from x [blocks, pixels, Lanes].
func GlobalAverageLanes(y, x []float32, blocks, pixels int) {
	parts := threads.Parts(blocks, len(x)/4)
	threads.For(parts, func(part int) {
		from, to := threads.Range(blocks, parts, part)
		kernel.LaneMeans(kernel.Ptr(y[from*Lanes:]), kernel.Ptr(x[from*pixels*Lanes:]), to-from, pixels)
	})
}

// GlobalMaxLanes is the maximum of each channel.
func GlobalMaxLanes(y, x []float32, blocks, pixels int) {
	parts := threads.Parts(blocks, len(x))
	fillWith(y[:blocks*Lanes], float32(math.Inf(-1)))
	threads.For(parts, func(part int) {
		for b, end := threads.Range(blocks, parts, part); b < end; b++ {
			to, from := y[b*Lanes:][:Lanes], x[b*pixels*Lanes:][:pixels*Lanes]
			for ; len(from) > 0; from = from[Lanes:] {
				kernel.MaxRows(kernel.Ptr(to), kernel.Ptr(to), 0, 1, kernel.Ptr(from), 0, 1, 1, Lanes)
			}
		}
	})
}

// ClearLanes sets the channels that are missing in the last of each image's blocks to zero:
// y is [n, ChannelBlocks(channels), pixels, Lanes].
func ClearLanes(y []float32, n, channels, pixels int) {
	first, size := channels%Lanes, ChannelBlocks(channels)*pixels*Lanes
	if first == 0 {
		return
	}
	for i := range n {
		blank(y[(i+1)*size-pixels*Lanes+first:], Lanes, pixels, Lanes-first)
	}
}

// NearestLanes copies pixels: y [blocks, len(rows), len(cols), Lanes] from x [blocks, h, w, Lanes];
// rows and cols say from where.
func NearestLanes(y, x []float32, blocks, h, w int, rows, cols []int32) {
	row := len(cols) * Lanes
	high, wide := repeats(rows, h), repeats(cols, w)
	if high*wide == 0 {
		nearestLanes(y, x, blocks, h, w, rows, cols)
		return
	}
	parts := threads.Parts(blocks*h, len(y)/2)
	threads.For(parts, func(part int) {
		for i, end := threads.Range(blocks*h, parts, part); i < end; i++ {
			to := y[i*high*row:]
			for j := range wide {
				kernel.CopyPlane(kernel.Ptr(to[j*Lanes:]), wide*Lanes, kernel.Ptr(x[i*w*Lanes:]), Lanes, w, Lanes)
			}
			if high > 1 {
				kernel.CopyPlane(kernel.Ptr(to[row:]), row, kernel.Ptr(to), 0, high-1, row)
			}
		}
	})
}

// repeats is how many times each of n places is there, one after the other, or 0 where they are
// not.
func repeats(list []int32, n int) int {
	times := len(list) / max(n, 1)
	if times*n != len(list) {
		return 0
	}
	for i, at := range list {
		if int(at) != i/times {
			return 0
		}
	}
	return times
}

func nearestLanes(y, x []float32, blocks, h, w int, rows, cols []int32) {
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
