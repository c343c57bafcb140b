package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(convolutions) }

var convolutions = []entry{
	{"Conv", 1, "auto_pad dilations group kernel_shape pads strides", checkWindow, planConv},
	{"ConvTranspose", 1, "auto_pad dilations group kernel_shape output_padding output_shape pads strides",
		checkWindow, planConvTranspose},
}

// fusedClamp reads the attributes by which the optimizer says that an activation
// follows: activation is "relu", or "clip" with min and max. They are in no
// entry's list, so that a file which has them is refused when it is loaded.
func fusedClamp(n *Node) (nn.Clamp, bool) {
	inf := float32(math.Inf(1))
	switch n.Str("activation", "") {
	case "":
		return nn.NoClamp, n.Attrs["min"] == nil && n.Attrs["max"] == nil
	case "relu":
		return nn.ReLU, true
	case "clip":
		return nn.Clamp{Lo: n.Float("min", -inf), Hi: n.Float("max", inf)}, true
	}
	return nn.NoClamp, false
}

// checkWindow is the check of the operators that slide a window over planes.
func checkWindow(n *Node) string {
	if k, ok := n.Ints("kernel_shape"); ok && len(k) > 2 {
		return "over more than 2 dimensions"
	}
	for _, v := range n.Inputs {
		if v != nil && (v.Known && len(v.Dims) > 4 || v.Const != nil && len(v.Const.Dims) > 4) {
			return "over more than 2 dimensions"
		}
	}
	if a := n.Attrs["auto_pad"]; a != nil {
		switch a.S {
		case "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "":
		default:
			return "auto_pad=" + a.S
		}
	}
	return ""
}

// windowLimit bounds strides, dilations and pads.
const windowLimit = 1 << 20

// windowAttr reads a list attribute of one number a spatial dimension, times
// per: a 1-D one is taken as the second of two, beside the number one.
func windowAttr(c *Call, name string, spatial, per int, one, least int) ([]int, error) {
	out := make([]int, 2*per)
	for i := range out {
		out[i] = one
	}
	list, given := c.Node.Ints(name)
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
		out[i/spatial*2+(2-spatial)+i%spatial] = int(v)
	}
	return out, nil
}

// windowOf reads the geometry of a window of kh×kw over the planes of x, whose
// first two dimensions are images and channels. pads are 0 where auto_pad asks
// for others.
func windowOf(c *Call, dims []int, kh, kw int) (win nn.Window, h, w int, err error) {
	spatial := len(dims) - 2
	h, w = 1, dims[len(dims)-1]
	if spatial == 2 {
		h = dims[2]
	}
	strides, err := windowAttr(c, "strides", spatial, 1, 1, 1)
	if err != nil {
		return win, 0, 0, err
	}
	dilations, err := windowAttr(c, "dilations", spatial, 1, 1, 1)
	if err != nil {
		return win, 0, 0, err
	}
	pads, err := windowAttr(c, "pads", spatial, 2, 0, 0)
	if err != nil {
		return win, 0, 0, err
	}
	win = nn.Window{KernelH: kh, KernelW: kw, StrideH: strides[0], StrideW: strides[1],
		DilationH: dilations[0], DilationW: dilations[1],
		PadTop: pads[0], PadLeft: pads[1], PadBottom: pads[2], PadRight: pads[3]}
	switch c.Node.Str("auto_pad", "NOTSET") {
	case "VALID":
		win.PadTop, win.PadLeft, win.PadBottom, win.PadRight = 0, 0, 0, 0
	case "SAME_UPPER":
		win = win.Same(h, w, true)
	case "SAME_LOWER":
		win = win.Same(h, w, false)
	}
	return win, h, w, nil
}

// tooSmall is the error of a window that has no place on a plane of h×w.
func tooSmall(c *Call, g nn.Window, h, w int) error {
	size := func(h, w int) string {
		if len(c.In(0).Dims) == 3 {
			return text.Join(w)
		}
		return text.Join(h, "×", w)
	}
	return c.Fail("x ", c.In(0).Dims, " has planes of ", size(h+g.PadTop+g.PadBottom, w+g.PadLeft+g.PadRight),
		" with their pads, smaller than the window of ",
		size((g.KernelH-1)*g.DilationH+1, (g.KernelW-1)*g.DilationW+1))
}

// checkPlanes fails for windows whose padded planes the kernels' 32-bit offsets
// cannot reach.
func checkPlanes(c *Call, win nn.Window, channels, h, w int) error {
	rows := float64(h) + float64(win.PadTop) + float64(win.PadBottom) + float64(win.KernelH)*float64(win.DilationH)
	cols := float64(w) + float64(win.PadLeft) + float64(win.PadRight) + float64(win.KernelW)*float64(win.DilationW) + float64(win.StrideW)
	if rows*cols*float64(max(channels, 1)) >= math.MaxInt32 {
		return c.Fail("the padded planes of ", channels, " channels of ", h, "×", w, " are too large")
	}
	return nil
}

// planeDims are the output dimensions of images of oh×ow.
func planeDims(dims []int, channels, oh, ow int) []int {
	if len(dims) == 3 {
		return []int{dims[0], channels, ow}
	}
	return []int{dims[0], channels, oh, ow}
}

// convOperands checks what convolutions and transposed ones have in common.
func convOperands(c *Call) (s nn.ConvShape, err error) {
	x, w := c.In(0).Dims, c.In(1).Dims
	if len(x) < 3 || len(x) != len(w) {
		return s, c.Fail("x has dimensions ", x, " and the weights ", w)
	}
	if len(x) > 4 {
		return s, unsupported(c, "over more than 2 dimensions")
	}
	if k, ok := c.Node.Ints("kernel_shape"); ok && !sameDims(intsOf(k), w[2:]) {
		return s, c.Fail("kernel_shape is ", intsOf(k), ", but the weights have dimensions ", w)
	}
	groups := c.Node.Int("group", 1)
	if groups < 1 || groups > dimLimit {
		return s, c.Fail("group is ", groups)
	}
	s.InChannels, s.Groups = x[1], int(groups)
	return s, nil
}

func checkBias(c *Call, channels int) error {
	if b := c.In(2); b != nil && (len(b.Dims) != 1 || b.Dims[0] != channels) {
		return c.Fail("the bias has dimensions ", b.Dims, ", want [", channels, "]")
	}
	return nil
}

// kernelSize gives the height and width of a window.
func kernelSize(k []int) (kh, kw int) {
	if len(k) == 1 {
		return 1, k[0]
	}
	return k[0], k[1]
}

func planConv(c *Call) error {
	s, err := convOperands(c)
	if err != nil {
		return err
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	s.OutChannels = w[0]
	if w[1]*s.Groups != x[1] || s.OutChannels%s.Groups != 0 {
		return c.Fail("weights ", w, " with group ", s.Groups, " do not fit x ", x)
	}
	if err := checkBias(c, s.OutChannels); err != nil {
		return err
	}
	kh, kw := kernelSize(w[2:])
	var height, width int
	if s.Window, height, width, err = windowOf(c, x, kh, kw); err != nil {
		return err
	}
	if err := checkPlanes(c, s.Window, x[1], height, width); err != nil {
		return err
	}
	oh, ow := s.OutSize(height, width)
	if oh == 0 || ow == 0 {
		return tooSmall(c, s.Window, height, width)
	}
	c.Out(0, Float32, planeDims(x, s.OutChannels, oh, ow)...)
	if c.err != nil || x[0]*s.OutChannels*oh*ow == 0 {
		c.Run(nothing)
		return nil
	}
	clamp, _ := fusedClamp(c.Node)
	if c.In(1).Len() == 0 || height*width == 0 { // a sum of nothing, or only of padding
		planes, plane := x[0], oh*ow
		c.Run(func(a *Args) { fillBias(a, planes, s.OutChannels, plane, clamp) })
		return nil
	}
	pack := func(weights, bias []float32) *nn.Conv { return nn.PackConv(s, weights, bias, clamp) }
	known, weights, bias := hostWeights(c)
	conv := c.Prepared(windowKey(s.Window, known), func() any { return pack(weights, bias) }).(*nn.Conv)
	c.Scratch(4 * conv.ScratchLen(height, width))
	c.Run(func(a *Args) {
		conv := conv
		if !known {
			conv = pack(a.In[1].Float32s(), optional(a, 2))
		}
		conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), x[0], height, width, slab.View[float32](a.Scratch))
	})
	return nil
}

// hostWeights gives the values of weights and bias, which most networks know
// before any run. Where they are computed, zeros stand for them, and each run
// has to lay them out anew.
func hostWeights(c *Call) (known bool, weights, bias []float32) {
	w, b := c.In(1), c.In(2)
	if w.Host == nil || b != nil && b.Host == nil {
		return false, slab.Float32s(w.Len()), nil
	}
	if b != nil {
		bias = b.Host.Float32s()
	}
	return true, w.Host.Float32s(), bias
}

// optional is input i's elements, nil where it is omitted.
func optional(a *Args, i int) []float32 {
	if i < len(a.In) && a.In[i] != nil {
		return a.In[i].Float32s()
	}
	return nil
}

// windowKey tells packed weights apart whose pads follow from the input's size.
func windowKey(w nn.Window, known bool) string {
	return text.Join("conv ", known, []int{w.PadTop, w.PadLeft, w.PadBottom, w.PadRight})
}

// fillBias is a convolution without products.
func fillBias(a *Args, images, channels, plane int, clamp nn.Clamp) {
	y, bias := a.Out[0].Float32s(), optional(a, 2)
	for i := range images * channels {
		v := float32(0)
		if bias != nil {
			v = bias[i%channels]
		}
		if clamp != nn.NoClamp {
			v = min(max(v, clamp.Lo), clamp.Hi)
		}
		for k := range y[i*plane : (i+1)*plane] {
			y[i*plane+k] = v
		}
	}
}

// planConvTranspose: y has (size−1)·stride + (kernel−1)·dilation + 1 +
// output_padding − pads places, or output_shape, from which pads then follow.
func planConvTranspose(c *Call) error {
	s, err := convOperands(c)
	if err != nil {
		return err
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	s.OutChannels = w[1] * s.Groups
	if w[0] != x[1] || x[1]%s.Groups != 0 {
		return c.Fail("weights ", w, " with group ", s.Groups, " do not fit x ", x)
	}
	if err := checkBias(c, s.OutChannels); err != nil {
		return err
	}
	kh, kw := kernelSize(w[2:])
	spatial := len(x) - 2
	auto := c.Node.Str("auto_pad", "NOTSET")
	var height, width int
	if s.Window, height, width, err = windowOf(c, x, kh, kw); err != nil {
		return err
	}
	if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
		s.PadTop, s.PadLeft, s.PadBottom, s.PadRight = 0, 0, 0, 0 // they follow from the output's size
	}
	extra, err := windowAttr(c, "output_padding", spatial, 1, 0, 0)
	if err != nil {
		return err
	}
	place := func(n, kernel, stride, dilation, extra, want int, before, after *int) (int, error) {
		full := (n-1)*stride + (kernel-1)*dilation + 1 + extra
		if want < 0 && (auto == "SAME_UPPER" || auto == "SAME_LOWER") {
			want = n * stride
		}
		if want >= 0 {
			total := max(full-want, 0)
			*before, *after = total-total/2, total/2
			if auto == "SAME_UPPER" {
				*before, *after = total/2, total-total/2
			}
			return want, nil
		}
		out := full - *before - *after
		if n == 0 || out < 0 {
			return 0, c.Fail("x ", x, " is too small for the pads")
		}
		return out, nil
	}
	want, err := windowAttr(c, "output_shape", spatial, 1, -1, 0)
	if err != nil {
		return err
	}
	if spatial == 1 && want[1] >= 0 {
		want[0] = 1
	}
	oh, err := place(height, kh, s.StrideH, s.DilationH, extra[0], want[0], &s.PadTop, &s.PadBottom)
	if err != nil {
		return err
	}
	ow, err := place(width, kw, s.StrideW, s.DilationW, extra[1], want[1], &s.PadLeft, &s.PadRight)
	if err != nil {
		return err
	}
	if err := checkPlanes(c, s.Window, x[1], height, width); err != nil {
		return err
	}
	c.Out(0, Float32, planeDims(x, s.OutChannels, oh, ow)...)
	if c.err != nil || x[0]*s.OutChannels*oh*ow == 0 {
		c.Run(nothing)
		return nil
	}
	clamp, _ := fusedClamp(c.Node)
	if c.In(1).Len() == 0 {
		c.Run(func(a *Args) { fillBias(a, x[0], s.OutChannels, oh*ow, clamp) })
		return nil
	}
	pack := func(weights, bias []float32) *nn.ConvTranspose { return nn.PackConvTranspose(s, weights, bias, clamp) }
	known, weights, bias := hostWeights(c)
	conv := c.Prepared(windowKey(s.Window, known), func() any { return pack(weights, bias) }).(*nn.ConvTranspose)
	c.Scratch(4 * conv.ScratchLen(height, width))
	c.Run(func(a *Args) {
		conv := conv
		if !known {
			conv = pack(a.In[1].Float32s(), optional(a, 2))
		}
		conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), x[0], height, width, oh, ow, slab.View[float32](a.Scratch))
	})
	return nil
}
