package nn

import "github.com/normwasm/normwasm/internal/compute"

// Window is the geometry of a kernel sliding over a plane: of a convolution or a pool.
// One-dimensional ones have KernelH = 1, StrideH = 1, DilationH = 1 and planes of height 1.
// Kernels, strides and dilations are at least 1, pads at least 0.
type Window struct {
	KernelH, KernelW     int
	StrideH, StrideW     int
	DilationH, DilationW int
	PadTop, PadLeft      int
	PadBottom, PadRight  int
}

// mostWindow bounds what a window is made of, and planes, so that no sum of them overflows.
const mostWindow = 1 << 20

// Check returns a *ValueError for a window that there cannot be.
func (g Window) Check() error { return g.check("Window") }

func (g Window) check(op string) error {
	for _, v := range []struct {
		name         string
		value, least int
	}{
		{"KernelH", g.KernelH, 1}, {"KernelW", g.KernelW, 1}, {"StrideH", g.StrideH, 1}, {"StrideW", g.StrideW, 1},
		{"DilationH", g.DilationH, 1}, {"DilationW", g.DilationW, 1},
		{"PadTop", g.PadTop, 0}, {"PadLeft", g.PadLeft, 0}, {"PadBottom", g.PadBottom, 0}, {"PadRight", g.PadRight, 0},
	} {
		if v.value < v.least || v.value > mostWindow {
			return valueError(op, v.name, " is ", v.value, ", want ", v.least, " to ", mostWindow)
		}
	}
	return nil
}

// OutSize returns how many places the window has on a plane of h×w elements: (h + pads −
// extent)/stride + 1, rounded down; 0 where it does not fit, and where Check fails.
func (g Window) OutSize(h, w int) (oh, ow int) {
	if g.Check() != nil {
		return 0, 0
	}
	return compute.Window(g).OutSize(h, w)
}

// Same returns g with the pads that give ceil(h/stride) × ceil(w/stride) places: ONNX's
// SAME_UPPER (an odd pad goes below and right) or SAME_LOWER. A window whose Check fails
// stays as it is.
func (g Window) Same(h, w int, upper bool) Window {
	if g.Check() != nil {
		return g
	}
	return Window(compute.Window(g).Same(h, w, upper))
}

// plane checks the size of a plane.
func plane(op string, h, w int) error {
	if h < 0 || w < 0 || h > mostWindow || w > mostWindow {
		return shapeError(op, "a plane is ", h, "×", w, ", want sides of 0 to ", mostWindow)
	}
	return nil
}

// room checks the scratch of an operation on planes.
func room(op string, scratch []float32, want int) error {
	if want > most {
		return shapeError(op, "planes are too large: they need ", want, " elements of scratch, want less than 2³¹")
	}
	return check(op, arg{name: "scratch", have: len(scratch), want: want, why: "ScratchLen", atLeast: true})
}
