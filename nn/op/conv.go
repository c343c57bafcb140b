package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

var (
	convIn  = []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T', Opt: true}}
	convOut = []Out{{Name: "Y", Var: 'T'}}
)

func init() { Register(convRows) }

var convRows = []Row{{
	Name: "Conv", Since: 1, Changes: []int{11, 22},
	In: convIn, Out: convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, windowPads, strides},
	Rank:  secondRank, Fuses: FusesFunction,
	Plan: planConv,
}, {
	Name: "ConvTranspose", Since: 1, Changes: []int{11, 22},
	In: convIn, Out: convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, {Name: "output_padding", Kind: ir.AttrInts},
		{Name: "output_shape", Kind: ir.AttrInts}, windowPads, strides},
	Rank: secondRank, Fuses: FusesFunction,
	Plan: planConvTranspose,
}}

// clampOf is what the optimizer lets the node do to its result.
func clampOf(n *ir.Node) compute.Clamp {
	if n.Clamp == nil {
		return compute.NoClamp
	}
	return compute.Clamp{Lo: n.Clamp.Lo, Hi: n.Clamp.Hi}
}

// applied are the functions that the optimizer may have a node apply to its result.
var applied = [...]struct {
	name string
	f    func(y, x []float32, a, b float32)
}{
	{"HardSwish", compute.HardSwish}, {"HardSigmoid", compute.HardSigmoid}, {"LeakyRelu", leakyOf}, {"Sigmoid", sigmoidOf},
	{"Tanh", tanhOf}, {"Silu", siluOf}, {"Gelu", geluOf}, {"GeluTanh", geluTanhOf},
}

// functionOf is what the optimizer lets the node apply to its result.
func functionOf(n *ir.Node) (f compute.Function) {
	if n.Apply != nil {
		for i := range applied {
			if applied[i].name == n.Apply.Op {
				f = compute.Function{F: applied[i].f, A: n.Apply.A, B: n.Apply.B, Scale: n.Apply.Scale, Shift: n.Apply.Shift}
			}
		}
	}
	return f
}

func leakyOf(y, x []float32, a, _ float32)    { compute.LeakyRelu(y, x, a) }
func sigmoidOf(y, x []float32, _, _ float32)  { compute.Sigmoid(y, x) }
func tanhOf(y, x []float32, _, _ float32)     { compute.Tanh(y, x) }
func siluOf(y, x []float32, _, _ float32)     { compute.Silu(y, x) }
func geluOf(y, x []float32, _, _ float32)     { compute.Gelu(y, x) }
func geluTanhOf(y, x []float32, _, _ float32) { compute.GeluTanh(y, x) }

// convOperands checks what convolutions and transposed ones have in common.
func convOperands(c *Call) (s compute.ConvShape, err error) {
	x, w := c.In(0).Dims, c.In(1).Dims
	if len(x) < 3 || len(x) != len(w) {
		return s, c.Fail("x has dimensions ", x, " and the weights ", w)
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

// convShapeOf reads the geometry of a convolution.
func convShapeOf(c *Call) (shape compute.ConvShape, win sliding, err error) {
	if shape, err = convOperands(c); err != nil {
		return shape, win, err
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	shape.OutChannels = w[0]
	if w[1]*shape.Groups != x[1] || shape.OutChannels%shape.Groups != 0 {
		return shape, win, c.Fail("weights ", w, " with group ", shape.Groups, " do not fit x ", x)
	}
	if err = checkBias(c, shape.OutChannels); err != nil {
		return shape, win, err
	}
	if win, err = windowOf(c, x, w[2:]); err != nil {
		return shape, win, err
	}
	shape.Window, shape.Deep = win.Window, win.deep
	return shape, win, win.check(c, x[1])
}

func planConv(c *Call) error {
	shape, win, err := convShapeOf(c)
	if err != nil {
		return err
	}
	x := c.In(0).Dims
	oh, ow := shape.OutSize(win.h, win.w)
	plane := win.deep.Places() * oh * ow
	if plane == 0 {
		return win.tooSmall(c)
	}
	c.Out(0, ir.Float32, win.dims(c, x[0], shape.OutChannels, oh, ow)...)
	if c.Err != nil || x[0]*shape.OutChannels == 0 {
		c.Step = nothing{}
		return nil
	}
	if c.In(1).Len() == 0 || ir.Elements(x[2:]) == 0 { // a sum of nothing, or only of padding
		biasOnly(c, x[0], shape.OutChannels, plane)
		return nil
	}
	s := Into[conv](c)
	s.images, s.h, s.w = x[0], win.h, win.w
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
	s.conv.Apply = functionOf(c.Node)
	c.Scratch(4 * s.conv.ScratchLen(s.h, s.w))
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
	*Into[bias](c) = bias{images: images, channels: channels, plane: plane, clamp: clampOf(c.Node), apply: functionOf(c.Node)}
}

type bias struct {
	images, channels, plane int
	clamp                   compute.Clamp
	apply                   compute.Function
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
	s.apply.To(y)
}

// transposedOf reads the geometry of a transposed convolution: y has (size−1)·stride +
// (kernel−1)·dilation + 1 + output_padding − pads places, or output_shape, from which pads then
// follow.
func transposedOf(c *Call) (shape compute.ConvShape, win sliding, oh, ow int, err error) {
	if shape, err = convOperands(c); err != nil {
		return
	}
	x, w := c.In(0).Dims, c.In(1).Dims
	shape.OutChannels = w[1] * shape.Groups
	if w[0] != x[1] || x[1]%shape.Groups != 0 {
		err = c.Fail("weights ", w, " with group ", shape.Groups, " do not fit x ", x)
		return
	}
	if err = checkBias(c, shape.OutChannels); err != nil {
		return
	}
	if win, err = windowOf(c, x, w[2:]); err != nil {
		return
	}
	if oh, ow, err = win.transposed(c); err != nil {
		return
	}
	shape.Window, shape.Deep = win.Window, win.deep
	err = win.check(c, x[1])
	return
}

func planConvTranspose(c *Call) error {
	shape, win, oh, ow, err := transposedOf(c)
	if err != nil {
		return err
	}
	x := c.In(0).Dims
	c.Out(0, ir.Float32, win.dims(c, x[0], shape.OutChannels, oh, ow)...)
	if c.Err != nil || x[0]*shape.OutChannels*win.deep.Places()*oh*ow == 0 {
		c.Step = nothing{}
		return nil
	}
	if c.In(1).Len() == 0 {
		biasOnly(c, x[0], shape.OutChannels, win.deep.Places()*oh*ow)
		return nil
	}
	s := Into[convTranspose](c)
	s.images, s.h, s.w, s.oh, s.ow = x[0], win.h, win.w, oh, ow
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
	s.conv.Apply = functionOf(c.Node)
	c.Scratch(4 * s.conv.ScratchLen(s.h, s.w))
	return nil
}

// transposed reads how large the output of x's planes becomes, and sets the pads that
// follow from it, and the places of deep.
func (s *sliding) transposed(c *Call) (oh, ow int, err error) {
	x := c.In(0).Dims
	spatial := len(x) - 2
	auto := c.Str("auto_pad")
	same := auto == "SAME_UPPER" || auto == "SAME_LOWER" // the pads follow from the output's size
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
	place := func(i, n, kernel, stride, dilation int, before, after *int) (int, error) {
		full, want := (n-1)*stride+(kernel-1)*dilation+1+extra[i], want[i]
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
		if n == 0 || out <= 0 {
			return 0, c.fail("x @ is too small for the pads", x)
		}
		return out, nil
	}
	y := len(s.deep)
	for i := range s.deep {
		a := &s.deep[i]
		if a.Places, err = place(i, a.Size, a.Kernel, a.Stride, a.Dilation, &a.Before, &a.After); err != nil {
			return 0, 0, err
		}
	}
	if oh, err = place(y, s.h, s.KernelH, s.StrideH, s.DilationH, &s.PadTop, &s.PadBottom); err != nil {
		return 0, 0, err
	}
	ow, err = place(y+1, s.w, s.KernelW, s.StrideW, s.DilationW, &s.PadLeft, &s.PadRight)
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
