package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
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

const windowLimits = "over 1 and 2 dimensions only"

var (
	convIn  = []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T', Opt: true}}
	convOut = []Out{{Name: "Y", Var: 'T'}}
)

func init() { Register(convRows) }

var convRows = []Row{{
	Name: "Conv", Since: 1, Changes: []int{11, 22},
	In: convIn, Out: convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, windowPads, strides},
	Rank:  secondRank, Fuses: FusesClamp, Check: checkWindow, Limits: windowLimits,
	Plan: planConv,
}, {
	Name: "ConvTranspose", Since: 1, Changes: []int{11, 22},
	In: convIn, Out: convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, {Name: "output_padding", Kind: ir.AttrInts},
		{Name: "output_shape", Kind: ir.AttrInts}, windowPads, strides},
	Rank: secondRank, Fuses: FusesClamp, Check: checkWindow, Limits: windowLimits,
	Plan: planConvTranspose,
}}

// clampOf is what the optimizer lets the node do to its result.
func clampOf(n *ir.Node) compute.Clamp {
	if n.Clamp == nil {
		return compute.NoClamp
	}
	return compute.Clamp{Lo: n.Clamp.Lo, Hi: n.Clamp.Hi}
}

// checkWindow is the check of the operators that slide a window over planes.
func checkWindow(n *ir.Node) string {
	if k, ok := n.Ints("kernel_shape"); ok && len(k) > 2 {
		return "over more than 2 dimensions"
	}
	for _, v := range n.Inputs {
		if v != nil && (v.Known && len(v.Dims) > 4 || v.Const != nil && len(v.Const.Dims) > 4) {
			return "over more than 2 dimensions"
		}
	}
	return ""
}

// windowLimit bounds strides, dilations and pads.
const windowLimit = 1 << 20

// windowAttr reads a list attribute of one number a spatial dimension, times
// per: a 1-D one is taken as the second of two, beside the number one.
func windowAttr(c *Call, name string, spatial, per int, one, least int) ([]int, error) {
	out := c.Dims(2 * per)
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
		out[i/spatial*2+(2-spatial)+i%spatial] = int(v)
	}
	return out, nil
}

// windowOf reads the geometry of a window of kh×kw over the planes of x, whose
// first two dimensions are images and channels. pads are 0 where auto_pad asks
// for others.
func windowOf(c *Call, dims []int, kh, kw int) (win compute.Window, h, w int, err error) {
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
	win = compute.Window{KernelH: kh, KernelW: kw, StrideH: strides[0], StrideW: strides[1],
		DilationH: dilations[0], DilationW: dilations[1],
		PadTop: pads[0], PadLeft: pads[1], PadBottom: pads[2], PadRight: pads[3]}
	switch c.Str("auto_pad") {
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
func tooSmall(c *Call, g compute.Window, h, w int) error {
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
func checkPlanes(c *Call, win compute.Window, channels, h, w int) error {
	rows := float64(h) + float64(win.PadTop) + float64(win.PadBottom) + float64(win.KernelH)*float64(win.DilationH)
	cols := float64(w) + float64(win.PadLeft) + float64(win.PadRight) + float64(win.KernelW)*float64(win.DilationW) + float64(win.StrideW)
	if rows*cols*float64(max(channels, 1)) >= math.MaxInt32 {
		return c.fail("the padded planes of % channels of %×% are too large", nil, channels, h, w)
	}
	return nil
}

// planeDims are the output dimensions of images of oh×ow. The list lasts as long as
// the call.
func planeDims(c *Call, dims []int, channels, oh, ow int) []int {
	out := c.Dims(len(dims))
	out[0], out[1], out[len(out)-1] = dims[0], channels, ow
	if len(out) == 4 {
		out[2] = oh
	}
	return out
}

// convOperands checks what convolutions and transposed ones have in common.
func convOperands(c *Call) (s compute.ConvShape, err error) {
	x, w := c.In(0).Dims, c.In(1).Dims
	if len(x) < 3 || len(x) != len(w) {
		return s, c.Fail("x has dimensions ", x, " and the weights ", w)
	}
	if len(x) > 4 {
		return s, unsupported(c, "over more than 2 dimensions")
	}
	if k, ok := c.Ints("kernel_shape"); ok && !isList(k, w[2:]) {
		return s, c.Fail("kernel_shape is ", intsOf(k), ", but the weights have dimensions ", w)
	}
	groups := c.Int("group")
	if groups < 1 || groups > dimLimit {
		return s, c.fail("group is %", nil, int(groups))
	}
	s.InChannels, s.Groups = x[1], int(groups)
	return s, nil
}

// isList says whether both are the same numbers.
func isList(list []int64, dims []int) bool {
	if len(list) != len(dims) {
		return false
	}
	for i, v := range list {
		if v != int64(dims[i]) {
			return false
		}
	}
	return true
}

func checkBias(c *Call, channels int) error {
	if b := c.In(2); b != nil && (len(b.Dims) != 1 || b.Dims[0] != channels) {
		return c.fail("the bias has dimensions @, want [%]", b.Dims, channels)
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
	shape, err := convOperands(c)
	if err != nil {
		return err
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	shape.OutChannels = w[0]
	if w[1]*shape.Groups != x[1] || shape.OutChannels%shape.Groups != 0 {
		return c.Fail("weights ", w, " with group ", shape.Groups, " do not fit x ", x)
	}
	if err := checkBias(c, shape.OutChannels); err != nil {
		return err
	}
	kh, kw := kernelSize(w[2:])
	var height, width int
	if shape.Window, height, width, err = windowOf(c, x, kh, kw); err != nil {
		return err
	}
	if err := checkPlanes(c, shape.Window, x[1], height, width); err != nil {
		return err
	}
	oh, ow := shape.OutSize(height, width)
	if oh == 0 || ow == 0 {
		return tooSmall(c, shape.Window, height, width)
	}
	c.Out(0, ir.Float32, planeDims(c, x, shape.OutChannels, oh, ow)...)
	if c.Err != nil || x[0]*shape.OutChannels*oh*ow == 0 {
		c.Step = nothing{}
		return nil
	}
	if c.In(1).Len() == 0 || height*width == 0 { // a sum of nothing, or only of padding
		biasOnly(c, x[0], shape.OutChannels, oh*ow)
		return nil
	}
	s := Into[conv](c)
	s.images, s.h, s.w = x[0], height, width
	if knownWeights(c) {
		packed := Prepared(c, Key{1}, 1, 3, func(kept bool) *compute.Conv {
			w, bias := weightsOf(c)
			p := compute.PackConv(shape, w.Float32s(), bias, clampOf(c.Node), kept && w.Sole)
			if p.Over() {
				w.Take()
			}
			return p
		})
		s.conv, _ = packed.With(shape) // the weights alone decide how they are packed
		s.repack = false
	} else {
		own, ok := s.conv.With(shape)
		if !ok || !s.repack {
			own = *compute.PackConv(shape, nil, nil, clampOf(c.Node), false)
		}
		s.conv, s.repack = own, true
	}
	c.Scratch(4 * s.conv.ScratchLen(height, width))
	return nil
}

// conv is a convolution.
type conv struct {
	conv         compute.Conv
	repack       bool // the weights are computed: each run lays them out, in memory of this step
	images, h, w int
}

func (s *conv) Run(a *Args) {
	if s.repack {
		s.conv.Repack(a.In[1].Float32s(), optional(a, 2))
	}
	s.conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), s.images, s.h, s.w, slab.View[float32](a.Scratch))
}

// knownWeights says whether weights and bias are known before any run, as in most
// networks.
func knownWeights(c *Call) bool {
	b := c.In(2)
	return c.In(1).Host != nil && (b == nil || b.Host != nil)
}

// weightsOf is the known weights and bias.
func weightsOf(c *Call) (w *ir.Tensor, bias []float32) {
	if b := c.In(2); b != nil {
		bias = b.Host.Float32s()
	}
	return c.In(1).Host, bias
}

// optional is input i's elements, nil where it is omitted.
func optional(a *Args, i int) []float32 {
	if i < len(a.In) && a.In[i] != nil {
		return a.In[i].Float32s()
	}
	return nil
}

// biasOnly plans a convolution without products.
func biasOnly(c *Call, images, channels, plane int) {
	*Into[bias](c) = bias{images: images, channels: channels, plane: plane, clamp: clampOf(c.Node)}
}

type bias struct {
	images, channels, plane int
	clamp                   compute.Clamp
}

func (s *bias) Run(a *Args) {
	y, bias := a.Out[0].Float32s(), optional(a, 2)
	for i := range s.images * s.channels {
		v := float32(0)
		if bias != nil {
			v = bias[i%s.channels]
		}
		if s.clamp != compute.NoClamp {
			v = min(max(v, s.clamp.Lo), s.clamp.Hi)
		}
		plane := y[i*s.plane : (i+1)*s.plane]
		for k := range plane {
			plane[k] = v
		}
	}
}

// planConvTranspose: y has (size−1)·stride + (kernel−1)·dilation + 1 +
// output_padding − pads places, or output_shape, from which pads then follow.
func planConvTranspose(c *Call) error {
	shape, err := convOperands(c)
	if err != nil {
		return err
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	shape.OutChannels = w[1] * shape.Groups
	if w[0] != x[1] || x[1]%shape.Groups != 0 {
		return c.Fail("weights ", w, " with group ", shape.Groups, " do not fit x ", x)
	}
	if err := checkBias(c, shape.OutChannels); err != nil {
		return err
	}
	kh, kw := kernelSize(w[2:])
	var height, width int
	if shape.Window, height, width, err = windowOf(c, x, kh, kw); err != nil {
		return err
	}
	oh, ow, err := transposedSize(c, &shape.Window, height, width)
	if err != nil {
		return err
	}
	if err := checkPlanes(c, shape.Window, x[1], height, width); err != nil {
		return err
	}
	c.Out(0, ir.Float32, planeDims(c, x, shape.OutChannels, oh, ow)...)
	if c.Err != nil || x[0]*shape.OutChannels*oh*ow == 0 {
		c.Step = nothing{}
		return nil
	}
	if c.In(1).Len() == 0 {
		biasOnly(c, x[0], shape.OutChannels, oh*ow)
		return nil
	}
	s := Into[convTranspose](c)
	s.images, s.h, s.w, s.oh, s.ow = x[0], height, width, oh, ow
	if knownWeights(c) {
		packed := Prepared(c, Key{1}, 1, 3, func(kept bool) *compute.ConvTranspose {
			w, bias := weightsOf(c)
			p := compute.PackConvTranspose(shape, w.Float32s(), bias, clampOf(c.Node), kept && w.Sole)
			if p.Over() {
				w.Take()
			}
			return p
		})
		s.conv, _ = packed.With(shape)
		s.repack = false
	} else {
		own, ok := s.conv.With(shape)
		if !ok || !s.repack {
			own = *compute.PackConvTranspose(shape, nil, nil, clampOf(c.Node), false)
		}
		s.conv, s.repack = own, true
	}
	c.Scratch(4 * s.conv.ScratchLen(height, width))
	return nil
}

// transposedSize reads how large the output of x's planes of h×w becomes, and sets the
// pads that follow from it.
func transposedSize(c *Call, win *compute.Window, h, w int) (oh, ow int, err error) {
	x := c.In(0).Dims
	spatial := len(x) - 2
	auto := c.Str("auto_pad")
	same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
	if same {
		win.PadTop, win.PadLeft, win.PadBottom, win.PadRight = 0, 0, 0, 0 // they follow from the output's size
	}
	extra, err := windowAttr(c, "output_padding", spatial, 1, 0, 0)
	if err != nil {
		return 0, 0, err
	}
	want, err := windowAttr(c, "output_shape", spatial, 1, -1, 0)
	if err != nil {
		return 0, 0, err
	}
	if spatial == 1 && want[1] >= 0 {
		want[0] = 1
	}
	place := func(n, kernel, stride, dilation, extra, want int, before, after *int) (int, error) {
		full := (n-1)*stride + (kernel-1)*dilation + 1 + extra
		if want < 0 && same {
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
			return 0, c.fail("x @ is too small for the pads", x)
		}
		return out, nil
	}
	if oh, err = place(h, win.KernelH, win.StrideH, win.DilationH, extra[0], want[0], &win.PadTop, &win.PadBottom); err != nil {
		return 0, 0, err
	}
	ow, err = place(w, win.KernelW, win.StrideW, win.DilationW, extra[1], want[1], &win.PadLeft, &win.PadRight)
	return oh, ow, err
}

// convTranspose is a transposed convolution.
type convTranspose struct {
	conv         compute.ConvTranspose
	repack       bool // as in conv
	images, h, w int
	oh, ow       int
}

func (s *convTranspose) Run(a *Args) {
	if s.repack {
		s.conv.Repack(a.In[1].Float32s(), optional(a, 2))
	}
	s.conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), s.images, s.h, s.w, s.oh, s.ow, slab.View[float32](a.Scratch))
}
