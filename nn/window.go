package nn

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

// spread copies the plane x into dst, padded with fill and dealt to phases.
func (l *lattice) spread(dst, x []float32, fill float32) {
	g := l.window
	top := min(g.PadTop, l.rows)
	below := min(top+l.h, l.rows)
	for p := range l.phases {
		plane := dst[p*l.rows*l.pitch:][:l.rows*l.pitch]
		fillWith(plane[:top*l.pitch], fill)
		fillWith(plane[below*l.pitch:], fill)
	}
	left := g.PadLeft
	n := max(min(l.w, l.cols-left), 0)
	for i := top; i < below; i++ {
		in := x[(i-top)*l.w:][:n]
		switch l.phases {
		case 1:
			row := dst[i*l.pitch:][:l.pitch]
			fillWith(row[:min(left, len(row))], fill)
			if n > 0 {
				copy(row[left:], in)
			}
			fillWith(row[min(left+n, len(row)):], fill)
		case 2:
			l.unzipRow(dst, in, i, fill)
		default:
			for p := range l.phases {
				fillWith(dst[(p*l.rows+i)*l.pitch:][:l.pitch], fill)
			}
			for j, v := range in {
				j += left
				dst[((j%l.phases)*l.rows+i)*l.pitch+j/l.phases] = v
			}
		}
	}
}

// unzipRow is the row step of spread for two phases.
func (l *lattice) unzipRow(dst, in []float32, i int, fill float32) {
	left := l.window.PadLeft
	first := dst[i*l.pitch:][:l.pitch]
	second := dst[(l.rows+i)*l.pitch:][:l.pitch]
	// The plane's element 0 lies in phase left%2.
	even, odd := first, second
	evenAt, oddAt := left/2, left/2
	if left%2 == 1 {
		even, odd = second, first
		oddAt++
	}
	pairs := len(in) / 2
	evens := len(in) - pairs
	fillWith(even[:min(evenAt, len(even))], fill)
	fillWith(even[min(evenAt+evens, len(even)):], fill)
	fillWith(odd[:min(oddAt, len(odd))], fill)
	fillWith(odd[min(oddAt+pairs, len(odd)):], fill)
	if pairs > 0 {
		unzip(ptr(even[evenAt:]), ptr(odd[oddAt:]), ptr(in), pairs)
	}
	if evens > pairs {
		even[evenAt+pairs] = in[2*pairs]
	}
}

func fillWith(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}
