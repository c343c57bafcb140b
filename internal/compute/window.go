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

func (g Window) extentH() int { return (g.KernelH-1)*g.DilationH + 1 }
func (g Window) extentW() int { return (g.KernelW-1)*g.DilationW + 1 }

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
// lies at ((j%phases)*rows + i)*pitch + j/phases.
type lattice struct {
	window             Window
	h, w               int // of the plane
	rows, cols         int // of the padded plane: no more than the taps reach
	phases, pitch, len int
	direct             bool // the plane itself will do
}

func (g Window) lattice(h, w, oh, ow int) lattice {
	l := lattice{window: g, h: h, w: w, phases: g.StrideW,
		rows: max(oh-1, 0)*g.StrideH + g.extentH(), cols: max(ow-1, 0)*g.StrideW + g.extentW()}
	if g.StrideW == 1 && g.PadTop == 0 && g.PadLeft == 0 && l.rows <= h && l.cols <= w {
		l.direct, l.rows, l.cols = true, h, w
	}
	l.pitch = (l.cols + l.phases - 1) / l.phases
	l.len = l.phases * l.rows * l.pitch
	return l
}

// rowStep is the distance between the pixels of two rows of outputs.
func (l *lattice) rowStep() int { return l.window.StrideH * l.pitch }

// scratchLen is the room that channels spread planes want.
func (l *lattice) scratchLen(channels int) int {
	if l.direct {
		return 0
	}
	return channels * l.len
}

// taps writes the kernel's offsets for each channel, row by row.
func (l *lattice) taps(dst []int32, channels int) {
	g := l.window
	t := 0
	for c := range channels {
		for ky := range g.KernelH {
			for kx := range g.KernelW {
				j := kx * g.DilationW
				dst[t] = int32(c*l.len + ((j%l.phases)*l.rows+ky*g.DilationH)*l.pitch + j/l.phases)
				t++
			}
		}
	}
}

// pixels writes the offsets of len(dst) outputs of ow a row, from output q on.
// Those past the last output repeat it.
func (l *lattice) pixels(dst []int32, q, count, ow int) {
	step := l.rowStep()
	row, col := q/ow, q%ow
	for i := range dst {
		dst[i] = int32(row*step + col)
		if i+1 >= count {
			continue
		}
		if col++; col == ow {
			row, col = row+1, 0
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

// spread copies the plane x into the middle of dst, dealt to phases.
func (l *lattice) spread(dst, x []float32) {
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

func fillWith(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}
