//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators of quantized numbers that compute what another operator computes of the numbers
// that these stand for: that one's step runs in between.

func init() { Register(quantFloatRows) }

var (
	quantOneIn = []In{{Name: "X", Types: byteTypes, Var: 'T'}, {Name: "X_scale", Types: float32Only}, {Name: "X_zero_point", Types: byteTypes, Var: 'T', Opt: true},
		{Name: "Y_scale", Types: float32Only}, {Name: "Y_zero_point", Types: byteTypes, Var: 'T', Opt: true}}
	quantTwoIn = []In{{Name: "A", Types: byteTypes, Var: 'T'}, {Name: "A_scale", Types: float32Only}, {Name: "A_zero_point", Types: byteTypes, Var: 'T', Opt: true},
		{Name: "B", Types: byteTypes, Var: 'T'}, {Name: "B_scale", Types: float32Only}, {Name: "B_zero_point", Types: byteTypes, Var: 'T', Opt: true},
		{Name: "C_scale", Types: float32Only}, {Name: "C_zero_point", Types: byteTypes, Var: 'T', Opt: true}}
	channelsLast = Attr{Name: "channels_last", Kind: ir.AttrInt}
)

const lastLimit = "with the channels behind the batch only"

func checkChannelsLast(n *ir.Node) string {
	if n.Int("channels_last", 0) != 0 {
		return "channels_last=1"
	}
	return ""
}

var quantFloatRows = []Row{
	{Name: "QLinearAdd", Domain: microsoft, Since: 1, In: quantTwoIn, Out: []Out{{Name: "C", Var: 'T'}}, Plan: planQuantTwo},
	{Name: "QLinearMul", Domain: microsoft, Since: 1, In: quantTwoIn, Out: []Out{{Name: "C", Var: 'T'}}, Plan: planQuantTwo},
	{Name: "QLinearLeakyRelu", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut, Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 0.01}}, Rank: sameRank, Plan: planQuantOne},
	{Name: "QLinearSigmoid", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut, Rank: sameRank, Plan: planQuantOne},
	{
		Name: "QLinearSoftmax", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut,
		Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: -1}, {Name: "opset", Kind: ir.AttrInt, I: 13}},
		Rank:  sameRank, Plan: planQuantOne,
	}, {
		Name: "QLinearAveragePool", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut,
		Attrs: []Attr{autoPad, {Name: "ceil_mode", Kind: ir.AttrInt}, channelsLast, {Name: "count_include_pad", Kind: ir.AttrInt}, kernelShape, windowPads, strides},
		Rank:  sameRank, Check: checkChannelsLast, Limits: lastLimit, Plan: planQuantOne,
	}, {
		Name: "QLinearGlobalAveragePool", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut,
		Attrs: []Attr{channelsLast}, Rank: sameRank, Check: checkChannelsLast, Limits: lastLimit, Plan: planQuantOne,
	}, {
		Name: "QLinearReduceMean", Domain: microsoft, Since: 1, In: quantOneIn, Out: yOut,
		Attrs: []Attr{{Name: "axes", Kind: ir.AttrInts}, {Name: "keepdims", Kind: ir.AttrInt, I: 1}}, Plan: planQuantOne,
	}, {
		Name: "QLinearConcat", Domain: microsoft, Since: 1,
		In:  []In{{Name: "Y_scale", Types: float32Only}, {Name: "Y_zero_point", Types: byteTypes, Var: 'T'}, {Name: "inputs", Types: byteTypes | float32Only, Many: true}},
		Out: []Out{{Name: "Y", Var: 'T'}}, Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}},
		Plan: planQuantConcat,
	}, {
		Name: "QLinearWhere", Domain: microsoft, Since: 1,
		In: []In{{Name: "condition", Types: boolOnly}, {Name: "X", Types: byteTypes, Var: 'T'}, {Name: "x_scale", Types: float32Only}, {Name: "x_zero_point", Types: byteTypes, Var: 'T'},
			{Name: "Y", Types: byteTypes, Var: 'T'}, {Name: "y_scale", Types: float32Only}, {Name: "y_zero_point", Types: byteTypes, Var: 'T'},
			{Name: "z_scale", Types: float32Only}, {Name: "z_zero_point", Types: byteTypes, Var: 'T'}},
		Out: []Out{{Name: "Z", Var: 'T'}},
		Plan: func(c *Call) error {
			return planByFloats(c, "Where", 16, []int{0, -1, 1, 2, 4, 5}, 7)
		},
	},
}

func planQuantOne(c *Call) error {
	name, version := c.Node.Op[len("QLinear"):], 13
	switch name {
	case "Softmax":
		version = int(c.Int("opset"))
	case "AveragePool":
		version = 11
	}
	return planByFloats(c, name, version, []int{0, 1}, 3)
}

func planQuantTwo(c *Call) error {
	return planByFloats(c, c.Node.Op[len("QLinear"):], 14, []int{0, 1, 3, 4}, 6)
}

func planQuantConcat(c *Call) error {
	if (c.NumIn()-2)%3 != 0 {
		return c.fail("there are % inputs, want 2 and 3 for each part", nil, c.NumIn())
	}
	pairs := c.Dims(2 * (c.NumIn() - 2) / 3)
	for i := range len(pairs) / 2 {
		at := 2 + 3*i
		pairs[2*i], pairs[2*i+1] = at, at+1
		if x, s, z := c.In(at), c.In(at+1), c.In(at+2); !byteTypes.Has(x.Type) || s.Type != ir.Float32 || z.Type != x.Type {
			return c.Fail("inputs ", at, " to ", at+2, " are ", x.Type.String(), ", ", s.Type.String(), " and ", z.Type.String(), ", want bytes, float32 and such bytes")
		}
	}
	return planByFloats(c, "Concat", 13, pairs, 0)
}

// byFloats runs the step of another operator on the numbers that quantized ones stand for.
type byFloats struct {
	node  ir.Node
	call  Call
	step  Step
	args  Args
	pairs []int // of each operand its place, and that of the scale, which the zero point follows; −1 for none
	y     int   // of the result's
	at    []int // in scratch memory: the operands, the result
	rest  int
	used  int
}

// planByFloats plans such a step. pairs lists the operands that the other operator has.
func planByFloats(c *Call, name string, version int, pairs []int, y int) error {
	row := Find(name)
	s := Into[byFloats](c)
	s.node = ir.Node{Name: c.Node.Name, Op: name, Version: version, Attrs: c.Node.Attrs, Outputs: c.Node.Outputs}
	s.pairs, s.y, s.at = append(s.pairs[:0], pairs...), y, s.at[:0]
	specs := make([]*Spec, len(pairs)/2)
	var room space
	for i := range specs {
		x, scale := c.In(pairs[2*i]), pairs[2*i+1]
		if scale < 0 {
			specs[i], s.at = x, append(s.at, 0)
			continue
		}
		for j := scale; j <= scale+1; j++ {
			if in := c.In(j); in != nil && in.Len() != 1 {
				return c.fail("input % has dimensions @, want one number", in.Dims, j)
			}
		}
		specs[i], s.at = &Spec{Type: ir.Float32, Dims: append([]int(nil), x.Dims...)}, append(s.at, room.take(4*x.Len()))
	}
	o := operands{ys: int8(y), yz: absent}
	if err := o.single(c, o.ys); err != nil {
		return err
	}
	if z := c.In(y + 1); z != nil && z.Len() != 1 {
		return c.fail("input % has dimensions @, want one number", z.Dims, y+1)
	}
	if err := o.divisor(c); err != nil {
		return err
	}
	s.call.Begin(&s.node, row, specs, s.step, nil, c.maxBytes)
	if err := row.Do(&s.call); err != nil {
		return err
	}
	s.step = s.call.Step
	t := ir.Uint8
	if z := c.In(y + 1); z != nil {
		t = z.Type
	} else if y > 0 {
		t = c.In(pairs[0]).Type
	}
	out := s.call.Outs[0]
	c.Out(0, t, out.Dims...)
	n := ir.Elements(out.Dims)
	s.at = append(s.at, room.take(4*n))
	s.rest, s.used = room.take(s.call.Bytes), s.call.Bytes
	c.Scratch(int(room))
	s.args.In, s.args.Out = s.args.In[:0], s.args.Out[:0]
	for _, spec := range specs {
		s.args.In = append(s.args.In, &ir.Tensor{Type: spec.Type, Dims: append([]int(nil), spec.Dims...)})
	}
	s.args.Out = append(s.args.Out, &ir.Tensor{Type: ir.Float32, Dims: append([]int(nil), out.Dims...)})
	return nil
}

func (s *byFloats) Run(a *Args) {
	for i, x := range s.args.In {
		in, scale := a.In[s.pairs[2*i]], s.pairs[2*i+1]
		if scale < 0 {
			x.Data = in.Data
			continue
		}
		x.Data = a.Scratch[s.at[i]:][:4*len(in.Data)]
		compute.Dequantize(slab.View[float32](x.Data), octets(in, 0, len(in.Data)), gridFor(in.Type, s.zero(a, scale)).Zero, number(a.In[scale], 1))
	}
	y, out := s.args.Out[0], a.Out[0]
	y.Data = a.Scratch[s.at[len(s.at)-1]:][:4*len(out.Data)]
	s.args.Scratch = a.Scratch[s.rest:][:s.used]
	if s.step != nil {
		s.step.Run(&s.args)
	} else { // the result is an operand under other dimensions
		copy(y.Data, s.args.In[0].Data)
	}
	g := gridFor(out.Type, s.zero(a, s.y))
	g.Scale = number(a.In[s.y], 1)
	divides(float64(g.Scale))
	compute.Quantize(out.Data, slab.View[float32](y.Data), g)
}

// zero is the zero point behind a scale, nil where it is left out.
func (s *byFloats) zero(a *Args, scale int) *ir.Tensor {
	if scale+1 < len(a.In) {
		return a.In[scale+1]
	}
	return nil
}
