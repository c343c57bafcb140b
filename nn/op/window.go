package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// The attributes of the operators that slide a window over planes.
var (
	autoPad     = Attr{Name: "auto_pad", Kind: ir.AttrString, S: "NOTSET", Words: padWords}
	padWords    = []string{"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""}
	dilations   = Attr{Name: "dilations", Kind: ir.AttrInts}
	group       = Attr{Name: "group", Kind: ir.AttrInt, I: 1}
	kernelShape = Attr{Name: "kernel_shape", Kind: ir.AttrInts}
	windowPads  = Attr{Name: "pads", Kind: ir.AttrInts}
	strides     = Attr{Name: "strides", Kind: ir.AttrInts}
)

// windowLimit bounds strides, dilations and pads.
const windowLimit = 1 << 20

// sliding is a window over lines, planes or volumes. The last two dimensions are in
// Window and h, w, where a line is a plane of one row, and those before them in deep.
type sliding struct {
	compute.Window
	deep compute.Deep
	h, w int
}

// windowAttr reads a list attribute of one number a spatial dimension, times
// per: a 1-D one is taken as the second of two, beside the number one.
func windowAttr(c *Call, name string, spatial, per int, one, least int) ([]int, error) {
	rank := max(spatial, 2)
	out := c.Dims(rank * per)
	for i := range out {
		out[i] = one
	}
	list, given := c.Ints(name)
	if !given {
		return out, nil
	}
	if len(list) != spatial*per {
		return nil, c.Fail(name, " is ", intsOf(list), ", want ", spatial*per, " numbers")
	}
	for i, v := range list {
		if v < int64(least) || v > windowLimit {
			return nil, c.Fail(name, " is ", intsOf(list), ", want numbers in [", least, ", ", windowLimit, "]")
		}
		out[i/spatial*rank+(rank-spatial)+i%spatial] = int(v)
	}
	return out, nil
}

// windowOf reads the geometry of a window over the planes of x, whose first two
// dimensions are images and channels. pads are 0 where auto_pad asks for others.
func windowOf(c *Call, dims, kernel []int) (s sliding, err error) {
	spatial := len(dims) - 2
	strides, err := windowAttr(c, "strides", spatial, 1, 1, 1)
	if err != nil {
		return s, err
	}
	dilations, err := windowAttr(c, "dilations", spatial, 1, 1, 1)
	if err != nil {
		return s, err
	}
	pads, err := windowAttr(c, "pads", spatial, 2, 0, 0)
	if err != nil {
		return s, err
	}
	size := dims[2:]
	if spatial == 1 {
		size, kernel = c.Clone([]int{1, dims[2]}), c.Clone([]int{1, kernel[0]})
	}
	auto := ""
	if c.Row.has("auto_pad") {
		auto = c.Str("auto_pad")
	}
	if auto == "VALID" {
		clear(pads)
	}
	same, upper := auto == "SAME_UPPER" || auto == "SAME_LOWER", auto == "SAME_UPPER"
	rank := len(size)
	y, x := rank-2, rank-1
	s.h, s.w = size[y], size[x]
	s.Window = compute.Window{KernelH: kernel[y], KernelW: kernel[x], StrideH: strides[y], StrideW: strides[x],
		DilationH: dilations[y], DilationW: dilations[x],
		PadTop: pads[y], PadLeft: pads[x], PadBottom: pads[rank+y], PadRight: pads[rank+x]}
	if same {
		s.Window = s.Same(s.h, s.w, upper)
	}
	for i := range y {
		a := compute.Axis{Size: size[i], Kernel: kernel[i], Stride: strides[i], Dilation: dilations[i], Before: pads[i], After: pads[rank+i]}
		if same {
			a.Same(upper)
		}
		a.Fit(false)
		s.deep = append(s.deep, a)
	}
	return s, nil
}

// times writes sizes as 3×4.
func times(sizes []int) string {
	s := ""
	for i, n := range sizes {
		if i > 0 {
			s += "×"
		}
		s += text.Join(n)
	}
	return s
}

// tooSmall is the error of a window that has no place on the planes of input 0.
func (s *sliding) tooSmall(c *Call) error {
	var padded, extent []int
	for _, a := range s.deep {
		padded, extent = append(padded, a.Size+a.Before+a.After), append(extent, (a.Kernel-1)*a.Dilation+1)
	}
	if len(c.In(0).Dims) > 3 {
		padded, extent = append(padded, s.h+s.PadTop+s.PadBottom), append(extent, (s.KernelH-1)*s.DilationH+1)
	}
	padded, extent = append(padded, s.w+s.PadLeft+s.PadRight), append(extent, (s.KernelW-1)*s.DilationW+1)
	return c.Fail("x ", c.In(0).Dims, " has planes of ", times(padded), " with their pads, smaller than the window of ", times(extent))
}

// check fails for windows whose padded planes the kernels' 32-bit offsets cannot reach.
func (s *sliding) check(c *Call, channels int) error {
	n := float64(max(channels, 1))
	for _, a := range s.deep {
		n *= float64(a.Size) + float64(a.Before) + float64(a.After) + float64(a.Kernel)*float64(a.Dilation) + float64(a.Stride)
	}
	n *= float64(s.h) + float64(s.PadTop) + float64(s.PadBottom) + float64(s.KernelH)*float64(s.DilationH)
	n *= float64(s.w) + float64(s.PadLeft) + float64(s.PadRight) + float64(s.KernelW)*float64(s.DilationW) + float64(s.StrideW)
	if n >= math.MaxInt32 {
		return c.Fail("the padded planes of ", channels, " channels of ", times(c.In(0).Dims[2:]), " are too large")
	}
	return nil
}

// dims are the output dimensions of images of oh×ow. The list lasts as long as the call.
func (s *sliding) dims(c *Call, images, channels, oh, ow int) []int {
	out := c.Dims(len(c.In(0).Dims))
	out[0], out[1], out[len(out)-1] = images, channels, ow
	for i, a := range s.deep {
		out[2+i] = a.Places
	}
	if len(out) > 3 {
		out[len(out)-2] = oh
	}
	return out
}
