package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

// Activations as com.microsoft has them, and Swish, which ONNX has now.

func init() { Register(contribRows) }

var contribRows = []Row{{
	Name: "Swish", Since: 24, In: xFloat32, Out: yOut, Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}}, Rank: sameRank,
	Plan: planSwish,
}, {
	Name: "QuickGelu", Domain: microsoft, Since: 1, In: xFloat32, Out: yOut, Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1.702}}, Rank: sameRank,
	Plan: planSwish,
}, {
	Name: "Gelu", Domain: microsoft, Since: 1, In: xFloat32, Out: yOut, Rank: sameRank,
	Plan: func(c *Call) error { return stepFunction(c, compute.Gelu) },
}, {
	Name: "FastGelu", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true}}, Out: yOut, Rank: sameRank,
	Plan: func(c *Call) error { return planBiased(c, compute.GeluTanh) },
}, {
	Name: "BiasGelu", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T'}}, Out: []Out{{Name: "C", Var: 'T'}}, Rank: sameRank,
	Plan: func(c *Call) error { return planBiased(c, compute.Gelu) },
}}

// planSwish: y = x/(1 + e^(−alpha·x)).
func planSwish(c *Call) error {
	stepActivation(c, compute.Swish, c.Float("alpha"), 0)
	if s := c.Step.(*each); s.a != 1 { // it is computed by way of the stack
		s.time = 0
	}
	return nil
}

// planBiased: y = f(x + bias) along the last axis; the bias may be left out.
func planBiased(c *Call, f func(y, x []float32)) error {
	in := c.In(0)
	bias := c.In(1)
	if bias == nil {
		return stepFunction(c, f)
	}
	if len(in.Dims) == 0 || len(bias.Dims) != 1 || bias.Dims[0] != in.Dims[len(in.Dims)-1] {
		return c.Fail("the bias has dimensions ", bias.Dims, " for an operand of dimensions ", in.Dims)
	}
	sameOut(c)
	cols := bias.Dims[0]
	*Into[biased](c) = biased{f: f, rows: ir.Elements(in.Dims[:len(in.Dims)-1]), cols: cols}
	return nil
}

type biased struct {
	f          func(y, x []float32)
	rows, cols int
}

func (s *biased) Rows() int { return s.rows }
func (s *biased) Time() int { return s.rows * s.cols }

func (s *biased) Run(a *Args) { s.RunRows(a, 0, s.rows) }

func (s *biased) RunRows(a *Args, from, to int) {
	if s.cols == 0 {
		return
	}
	x, y, bias := a.In[0].Float32s(), a.Out[0].Float32s(), a.In[1].Float32s()
	n := max(1, sumBlock/s.cols)
	for row := from; row < to; row += n {
		lo, hi := row*s.cols, min(row+n, to)*s.cols
		compute.Add(y[lo:hi], x[lo:hi], s.cols, 1, bias, 0, 1, (hi-lo)/s.cols, s.cols)
		s.f(y[lo:hi], y[lo:hi])
	}
}
