package compute

import "github.com/normwasm/normwasm/internal/kernel"

// Window is the geometry of a kernel sliding over a plane: of a convolution or
// a pool. One-dimensional ones have KernelH = 1, StrideH = 1, DilationH = 1 and
// planes of height 1. Strides and dilations are at least 1, pads at least 0.
type Window struct {
	KernelH, KernelW     int
	StrideH, StrideW     int
	DilationH, DilationW int
	PadTop, PadLeft      int
	PadBottom, PadRight  int
}

// OutSize returns how many places the window has on a plane of h×w elements:
// (h + pads − extent)/stride + 1, rounded down; 0 where it does not fit.
//
//go:noinline
func (g Window) OutSize(h, w int) (oh, ow int) {
	return places(h+g.PadTop+g.PadBottom, g.extentH(), g.StrideH),
		places(w+g.PadLeft+g.PadRight, g.extentW(), g.StrideW)
}

// Same returns g with the pads that give ceil(h/stride) × ceil(w/stride)
// places: ONNX's SAME_UPPER (an odd pad goes below and right) or SAME_LOWER.
func (g Window) Same(h, w int, upper bool) Window {
	g.PadTop, g.PadBottom = samePads(h, g.extentH(), g.StrideH, upper)
	g.PadLeft, g.PadRight = samePads(w, g.extentW(), g.StrideW, upper)
	return g
}

// Axis is a window's geometry along one of the dimensions before the last two.
type Axis struct {
	Size, Places             int // elements of x, and places of the window
	Kernel, Stride, Dilation int
	Before, After            int // pads
}

// Deep has the axes before the two of a Window; planes have none.
type Deep []Axis

// Fit sets how many places there are: as Window.OutSize, or with ceil as Pool.OutSize.
func (a *Axis) Fit(ceil bool) {
	a.Places = places(a.Size+a.Before+a.After, a.extent(), a.Stride)
	if ceil {
		a.Places = ceilPlaces(a.Size, a.Before, a.After, a.extent(), a.Stride)
	}
}

// Same sets the pads as Window.Same does.
func (a *Axis) Same(upper bool) { a.Before, a.After = samePads(a.Size, a.extent(), a.Stride, upper) }

//go:noinline
func (a *Axis) extent() int { return (a.Kernel-1)*a.Dilation + 1 }

// span is how far the window reaches at all its places.
//
//go:noinline
func (a *Axis) span() int { return max(a.Places-1, 0)*a.Stride + a.extent() }

// Elements, Places and Kernel are products over the axes. They are not in inner loops: inlined, they would be
// there a hundred times.
//
//go:noinline
func (d Deep) Elements() int { return d.product(func(a *Axis) int { return a.Size }) }

//go:noinline
func (d Deep) Places() int { return d.product(func(a *Axis) int { return a.Places }) }

//go:noinline
func (d Deep) Kernel() int { return d.product(func(a *Axis) int { return a.Kernel }) }

func (d Deep) product(f func(a *Axis) int) int {
	n := 1
	for i := range d {
		n *= f(&d[i])
	}
	return n
}

//go:noinline
func (g Window) extentH() int { return (g.KernelH-1)*g.DilationH + 1 }

//go:noinline
func (g Window) extentW() int { return (g.KernelW-1)*g.DilationW + 1 }

//go:noinline
func places(n, extent, stride int) int {
	if n < extent {
		return 0
	}
	return (n-extent)/stride + 1
}

func samePads(n, extent, stride int, upper bool) (before, after int) {
	pad := max(((n+stride-1)/stride-1)*stride+extent-n, 0)
	before = pad / 2
	if !upper {
		before = pad - before
	}
	return before, pad - before
}

// lattice is how a padded plane lies in memory for the tap kernels. Its columns
// are dealt to StrideW phases, so that the pixels that one tap meets in a row of
// outputs are neighbours whatever the stride: element (i, j) of the padded plane
// lies at ((j%phases)*rows + i)*pitch + j/phases. Where there are more dimensions,
// padded planes follow each other in their order.
type lattice struct {
	window             Window
	deep               Deep
	h, w               int // of the plane
	oh                 int // rows of outputs of a plane
	rows, cols         int // of the padded plane: no more than the taps reach
	phases, pitch, len int
	volume             int  // elements of all planes of a channel
	direct             bool // the planes themselves will do
}

func (g Window) lattice(h, w, oh, ow int) lattice { return g.volume(nil, h, w, oh, ow) }

func (g Window) volume(deep Deep, h, w, oh, ow int) lattice {
	l := lattice{window: g, deep: deep, h: h, w: w, oh: oh, phases: g.StrideW,
		rows: max(oh-1, 0)*g.StrideH + g.extentH(), cols: max(ow-1, 0)*g.StrideW + g.extentW()}
	l.direct = g.StrideW == 1 && g.PadTop == 0 && g.PadLeft == 0 && l.rows <= h && l.cols <= w
	for i := range deep {
		l.direct = l.direct && deep[i].Before == 0 && deep[i].span() <= deep[i].Size
	}
	if l.direct {
		l.rows, l.cols = h, w
	}
	l.pitch = (l.cols + l.phases - 1) / l.phases
	l.len = l.phases * l.rows * l.pitch
	l.volume = l.len
	for i := range deep {
		l.volume *= l.depth(i)
	}
	return l
}

// depth is the padded size of an axis of deep.
func (l *lattice) depth(axis int) int {
	if l.direct {
		return l.deep[axis].Size
	}
	return l.deep[axis].span()
}

// step is the distance between two neighbours along an axis of deep.
func (l *lattice) step(axis int) int {
	n := l.len
	for i := axis + 1; i < len(l.deep); i++ {
		n *= l.depth(i)
	}
	return n
}

// rowStep is the distance between the pixels of two rows of outputs.
func (l *lattice) rowStep() int { return l.window.StrideH * l.pitch }

// planeAt is where the first pixel of a plane of outputs lies.
func (l *lattice) planeAt(plane int) int {
	at := 0
	for i := len(l.deep) - 1; i >= 0; i-- {
		a := &l.deep[i]
		at += plane % a.Places * a.Stride * l.step(i)
		plane /= a.Places
	}
	return at
}

// rowAt is where the first pixel of a row of outputs lies.
func (l *lattice) rowAt(row int) int {
	if len(l.deep) == 0 {
		return row * l.rowStep()
	}
	return l.planeAt(row/l.oh) + row%l.oh*l.rowStep()
}

// scratchLen is the room that channels spread planes want.
func (l *lattice) scratchLen(channels int) int {
	if l.direct {
		return 0
	}
	return channels * l.volume
}

// taps writes the kernel's offsets for each channel, row by row.
func (l *lattice) taps(dst []int32, channels int) {
	for c := range channels {
		dst = l.axisTaps(dst, 0, c*l.volume)
	}
}

// axisTaps writes the offsets from an axis of deep on, and gives the rest of dst.
func (l *lattice) axisTaps(dst []int32, axis, at int) []int32 {
	if axis < len(l.deep) {
		a, step := &l.deep[axis], l.step(axis)
		for k := range a.Kernel {
			dst = l.axisTaps(dst, axis+1, at+k*a.Dilation*step)
		}
		return dst
	}
	g := l.window
	t := 0
	for ky := range g.KernelH {
		for kx := range g.KernelW {
			j := kx * g.DilationW
			dst[t] = int32(at + ((j%l.phases)*l.rows+ky*g.DilationH)*l.pitch + j/l.phases)
			t++
		}
	}
	return dst[t:]
}

// pixels writes the offsets of len(dst) outputs of ow a row, from output q on.
// Those past the last output repeat it.
func (l *lattice) pixels(dst []int32, q, count, ow int) {
	row, col := q/ow, q%ow
	at := l.rowAt(row)
	for i := range dst {
		dst[i] = int32(at + col)
		if i+1 >= count {
			continue
		}
		if col++; col == ow {
			row, col = row+1, 0
			at = l.rowAt(row)
		}
	}
}

// pad fills dst, a plane of the lattice, for spread: what spread leaves alone is
// the border, which is the same for all planes that pass through dst.
func pad(dst []float32, fill float32) {
	if fill == 0 {
		clear(dst)
		return
	}
	fillWith(dst, fill)
}

// spread copies the planes x of a channel into the middle of dst, dealt to phases.
func (l *lattice) spread(dst, x []float32) { l.spreadAxis(dst, x, 0) }

func (l *lattice) spreadAxis(dst, x []float32, axis int) {
	if axis == len(l.deep) {
		l.spreadPlane(dst, x)
		return
	}
	a, step := &l.deep[axis], l.step(axis)
	size := len(x) / max(a.Size, 1)
	for i := range min(a.Size, l.depth(axis)-a.Before) {
		l.spreadAxis(dst[(a.Before+i)*step:][:step], x[i*size:][:size], axis+1)
	}
}

func (l *lattice) spreadPlane(dst, x []float32) {
	top, left := l.window.PadTop, l.window.PadLeft
	n := min(l.w, l.cols-left)
	if n <= 0 {
		return
	}
	for i := range min(l.h, l.rows-top) {
		in := x[i*l.w:][:n]
		at := (top + i) * l.pitch
		switch l.phases {
		case 1:
			copy(dst[at+left:], in)
		case 2:
			l.unzipRow(dst[at:], in)
		default:
			for j, v := range in {
				j += left
				dst[at+j%l.phases*l.rows*l.pitch+j/l.phases] = v
			}
		}
	}
}

// unzipRow is the row step of spread for two phases; dst begins at the row of
// the first.
func (l *lattice) unzipRow(dst, in []float32) {
	left := l.window.PadLeft
	even, odd := left/2, l.rows*l.pitch+left/2
	if left%2 == 1 {
		even, odd = odd, left/2+1
	}
	pairs := len(in) / 2
	if pairs > 0 {
		kernel.Unzip(kernel.Ptr(dst[even:][:pairs]), kernel.Ptr(dst[odd:][:pairs]), kernel.Ptr(in), pairs)
	}
	if len(in)%2 == 1 {
		dst[even+pairs] = in[2*pairs]
	}
}

//go:noinline
func fillWith(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}
