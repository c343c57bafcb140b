package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(quantConvRows) }

var quantConvAttrs = []Attr{autoPad, dilations, group, kernelShape, windowPads, strides}

var quantConvRows = []Row{{
	Name: "ConvInteger", Since: 10,
	In: []In{{Name: "x", Types: byteTypes, Var: 'T'}, {Name: "w", Types: byteTypes, Var: 'U'},
		{Name: "x_zero_point", Types: byteTypes, Var: 'T', Opt: true}, {Name: "w_zero_point", Types: byteTypes, Var: 'U', Opt: true}},
	Out: []Out{{Name: "y", Type: ir.Int32}}, Attrs: quantConvAttrs, Rank: secondRank,
	Plan: func(c *Call) error {
		return planByteConv(c, operands{a: 0, b: 1, az: 2, bz: 3, as: absent, bs: absent, ys: absent, yz: absent, bias: absent})
	},
}, {
	Name: "QLinearConv", Since: 10,
	In: []In{{Name: "x", Types: byteTypes, Var: 'T'}, {Name: "x_scale", Types: float32Only}, {Name: "x_zero_point", Types: byteTypes, Var: 'T'},
		{Name: "w", Types: byteTypes, Var: 'U'}, {Name: "w_scale", Types: float32Only}, {Name: "w_zero_point", Types: byteTypes, Var: 'U'},
		{Name: "y_scale", Types: float32Only}, {Name: "y_zero_point", Types: byteTypes, Var: 'Y'}, {Name: "B", Types: 1 << ir.Int32, Opt: true}},
	Out: []Out{{Name: "y", Var: 'Y'}}, Attrs: quantConvAttrs, Rank: sameRank,
	Plan: func(c *Call) error {
		return planByteConv(c, operands{a: 0, as: 1, az: 2, b: 3, bs: 4, bz: 5, ys: 6, yz: 7, bias: 8})
	},
}, {
	// The optimizer's: x is float32, put on a grid of its own, or bytes with their scale; y is
	// float32.
	Name: "ConvInteger", Domain: ir.Internal, Since: 1,
	In: []In{{Name: "x", Types: byteTypes | float32Only}, {Name: "w", Types: byteTypes, Var: 'U'},
		{Name: "x_scale", Types: float32Only, Opt: true}, {Name: "x_zero_point", Types: byteTypes, Opt: true},
		{Name: "w_scale", Types: float32Only}, {Name: "w_zero_point", Types: byteTypes, Var: 'U', Opt: true}, {Name: "B", Types: float32Only, Opt: true}},
	Out: []Out{{Name: "y", Type: ir.Float32}}, Attrs: quantConvAttrs, Rank: secondRank, Fuses: FusesClamp,
	Plan: func(c *Call) error {
		o := operands{a: 0, b: 1, as: 2, az: 3, bs: 4, bz: 5, bias: 6, ys: absent, yz: absent, float: true}
		o.dynamic = c.In(0).Type == ir.Float32
		return planByteConv(c, o)
	},
}}

func planByteConv(c *Call, o operands) error {
	x, w := o.in(c, o.a).Dims, o.in(c, o.b).Dims
	if len(x) < 3 || len(x) != len(w) {
		return c.Fail("x has dimensions ", x, " and the weights ", w)
	}
	if k, ok := c.Ints("kernel_shape"); ok && !isList(k, w[2:]) {
		return c.Fail("kernel_shape is ", intsOf(k), ", but the weights have dimensions ", w)
	}
	groups := c.Int("group")
	if groups < 1 || groups > dimLimit {
		return c.fail("group is %", nil, int(groups))
	}
	shape := compute.ConvShape{InChannels: x[1], OutChannels: w[0], Groups: int(groups)}
	if w[1]*shape.Groups != x[1] || w[0]%shape.Groups != 0 {
		return c.Fail("weights ", w, " with group ", shape.Groups, " do not fit x ", x)
	}
	for _, i := range [...]int8{o.as, o.az, o.ys, o.yz} {
		if err := o.single(c, i); err != nil {
			return err
		}
	}
	for _, i := range [...]int8{o.bs, o.bz} {
		if err := o.perColumn(c, i, w[0]); err != nil {
			return err
		}
	}
	if b := o.in(c, o.bias); b != nil && b.Len() != w[0] {
		return c.fail("the bias has dimensions @, want [%]", b.Dims, w[0])
	}
	if err := o.divisor(c); err != nil {
		return err
	}
	win, err := windowOf(c, x, w[2:])
	if err != nil {
		return err
	}
	if err := win.check(c, x[1]); err != nil {
		return err
	}
	shape.Window, shape.Deep = win.Window, win.deep
	height, width := win.h, win.w
	oh, ow := shape.OutSize(height, width)
	plane := win.deep.Places() * oh * ow
	if plane == 0 {
		return win.tooSmall(c)
	}
	t := ir.Int32
	switch {
	case o.float:
		t = ir.Float32
	case o.yz != absent:
		t = o.in(c, o.yz).Type
	}
	c.Out(0, t, win.dims(c, x[0], w[0], oh, ow)...)
	if c.Err != nil || x[0]*w[0] == 0 {
		c.Step = nothing{}
		return nil
	}
	if ir.Elements(w[1:]) == 0 || ir.Elements(x[2:]) == 0 {
		return c.Fail("weights ", w, " and x ", x, " have no elements")
	}
	s := Into[byteConv](c)
	s.operands, s.shape, s.out, s.clamp, s.images, s.h, s.w, s.plane = o, shape, t, clampOf(c.Node), x[0], height, width, plane
	known := o.in(c, o.b).Host != nil && (o.in(c, o.bz) == nil || o.in(c, o.bz).Host != nil)
	s.repack = !known
	if known {
		s.conv = packByteConv(c, o, shape).With(shape)
	} else {
		s.conv = *compute.NewByteConv(shape)
	}
	var room space
	if s.repack {
		s.zeros, s.packed = room.take(4*w[0]), room.take(s.conv.RepackSize())
	}
	s.scales, s.row, s.rest = room.take(4*w[0]), room.take(4*plane), 0
	s.quantized = room.take(0)
	if o.dynamic {
		room.take(ir.Elements(x))
	}
	s.rest = room.take(s.conv.ScratchLen(height, width))
	c.Scratch(int(room))
	return nil
}

// packByteConv lays out constant weights with known zero points, once.
func packByteConv(c *Call, o operands, shape compute.ConvShape) *compute.ByteConv {
	w, wz := o.in(c, o.b).Host, o.in(c, o.bz)
	make := func(bool) *compute.ByteConv {
		var zeros []int32
		if wz != nil {
			zeros = appendSteps(wz.Host)
		}
		return compute.PackByteConv(shape, octets(w, 0, len(w.Data)), zeros)
	}
	if c.Node.Inputs[o.b].Const == nil || wz != nil && c.Node.Inputs[o.bz].Const == nil {
		return make(false)
	}
	return Prepared(c, Key{2}, int(o.b), int(o.b)+1, make)
}

// byteConv is a convolution of bytes.
type byteConv struct {
	operands
	conv                         compute.ByteConv
	shape                        compute.ConvShape
	repack                       bool // the weights are computed: each run lays them out anew
	out                          ir.DType
	clamp                        compute.Clamp
	images, h, w, plane          int
	zeros, packed                int // where in scratch memory
	scales, row, quantized, rest int
}

func (s *byteConv) Run(a *Args) {
	x, y := a.In[s.a], a.Out[0]
	conv := &s.conv
	if s.repack {
		w := a.In[s.b]
		conv.Repack(octets(w, 0, len(w.Data)), zerosOf(s.arg(a, s.bz), a.Scratch[s.zeros:]), a.Scratch[s.packed:][:conv.RepackSize()])
	}
	as, zero := number(s.arg(a, s.as), 1), 0
	bytes := compute.Octets{}
	if s.dynamic {
		g := gridOf(x.Float32s())
		as, zero = g.Scale, g.Zero
		bytes.Data = a.Scratch[s.quantized:][:x.Len()]
		compute.Quantize(bytes.Data, x.Float32s(), g)
	} else {
		bytes = octets(x, 0, len(x.Data))
		zero = gridFor(x.Type, s.arg(a, s.az)).Zero
	}
	scales, row := slab.View[float32](a.Scratch[s.scales:][:4*s.shape.OutChannels]), slab.View[float32](a.Scratch[s.row:][:4*s.plane])
	if s.out != ir.Int32 {
		columnScales(scales, s.arg(a, s.bs), as, s.arg(a, s.ys))
	}
	var grid compute.Grid
	if s.out == ir.Int8 || s.out == ir.Uint8 {
		grid = gridFor(s.out, s.arg(a, s.yz))
	}
	bias := s.arg(a, s.bias)
	size := len(bytes.Data) / s.images
	for i := range s.images {
		to := i * s.shape.OutChannels * s.plane
		image := compute.Octets{Data: bytes.Data[i*size:][:size], Signed: bytes.Signed}
		conv.Run(image, zero, s.h, s.w, a.Scratch[s.rest:], func(sums []int32, channel, from int) {
			at := to + channel*s.plane + from
			if s.out == ir.Int32 {
				copy(y.Int32s()[at:], sums)
				return
			}
			if s.out != ir.Float32 {
				add := int32(0)
				if bias != nil {
					add = bias.Int32s()[channel]
				}
				compute.QuantizePlane(y.Data[at:], sums, add, scales[channel], grid)
				return
			}
			list := row[:len(sums)]
			for i := range list {
				list[i] = scales[channel]
			}
			out := y.Float32s()[at:][:len(sums)]
			if bias == nil {
				compute.ScaleSums(out, 0, sums, 0, 1, len(sums), list, nil, s.clamp)
				return
			}
			compute.ScaleSums(out, 0, sums, 0, 1, len(sums), list, nil, compute.NoClamp)
			add := bias.Float32s()[channel]
			for i, v := range out {
				v += add
				if s.clamp != compute.NoClamp {
					v = min(max(v, s.clamp.Lo), s.clamp.Hi)
				}
				out[i] = v
			}
		})
	}
}
