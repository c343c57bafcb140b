//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Products as com.microsoft has them.

func init() { Register(contribProductRows) }

var contribProductRows = []Row{{
	Name: "FusedMatMul", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: float32Only, Var: 'T', Strided: StridesMatrices}, {Name: "B", Types: float32Only, Var: 'T', Strided: StridesMatrices}}, Out: productOut,
	Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}, {Name: "transA", Kind: ir.AttrInt}, {Name: "transB", Kind: ir.AttrInt},
		{Name: "transBatchA", Kind: ir.AttrInt}, {Name: "transBatchB", Kind: ir.AttrInt}},
	Rank: productRank,
	Plan: planFusedMatMul,
}, {
	Name: "FusedGemm", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T'}, {Name: "C", Types: float32Only, Var: 'T', Opt: true}}, Out: productOut,
	Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}, {Name: "beta", Kind: ir.AttrFloat, F: 1}, {Name: "transA", Kind: ir.AttrInt}, transB,
		{Name: "activation", Kind: ir.AttrString, Words: []string{"", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Softsign", "Softplus", "ThresholdedRelu"}},
		{Name: "activation_alpha", Kind: ir.AttrFloat}, {Name: "activation_beta", Kind: ir.AttrFloat}, {Name: "activation_gamma", Kind: ir.AttrFloat}},
	Rank: matrixRank,
	Plan: planFusedGemm,
}, {
	Name: "GemmFastGelu", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true}}, Out: productOut,
	Rank: productRank,
	Plan: func(c *Call) error { return planBehind(c, planMatMul, compute.GeluTanh) },
}}

// behind is a step and a function of its result.
type behind struct {
	first Step
	f     func(y, x []float32)
}

func (s *behind) Run(a *Args) {
	s.first.Run(a)
	s.f(a.Out[0].Float32s(), a.Out[0].Float32s())
}

// planBehind plans a node whose result goes through a function, nil for none.
func planBehind(c *Call, plan func(c *Call) error, f func(y, x []float32)) error {
	s, ok := c.former.(*behind)
	if ok {
		c.former = s.first
	}
	if err := plan(c); err != nil || f == nil {
		return err
	}
	if !ok {
		s = &behind{}
	}
	s.first, s.f = c.Step, f
	c.Step = s
	return nil
}

// planFusedGemm: a function of Gemm's result.
func planFusedGemm(c *Call) error {
	a, b := c.Float("activation_alpha"), c.Float("activation_beta")
	var f func(y, x []float32)
	switch c.Str("activation") {
	case "Relu":
		f = compute.Relu
	case "Sigmoid":
		f = compute.Sigmoid
	case "Tanh":
		f = compute.Tanh
	case "Softsign":
		f = compute.Softsign
	case "Softplus":
		f = compute.Softplus
	case "LeakyRelu":
		f = func(y, x []float32) { compute.LeakyRelu(y, x, a) }
	case "Elu":
		f = func(y, x []float32) { compute.Elu(y, x, a) }
	case "ThresholdedRelu":
		f = func(y, x []float32) { compute.ThresholdedRelu(y, x, a) }
	case "HardSigmoid":
		f = func(y, x []float32) { compute.HardSigmoid(y, x, a, b) }
	}
	return planBehind(c, planGemm, f)
}

// planFusedMatMul: y = alpha·op(a)·op(b), with leading dimensions that broadcast. Of an
// operand with transBatch the first dimension belongs before the last one: its matrices'
// rows lie apart.
func planFusedMatMul(c *Call) error {
	s := Into[fusedMatMul](c)
	var lead [2][]int
	for i, f := range [...]*factor{&s.a, &s.b} {
		in := c.In(i)
		d := in.Dims
		transposed, batch := c.Int([...]string{"transA", "transB"}[i]) != 0, c.Int([...]string{"transBatchA", "transBatchB"}[i]) != 0
		switch len(d) {
		case 0:
			return c.Fail("a has dimensions ", c.In(0).Dims, " and b ", c.In(1).Dims, ": scalars cannot be multiplied so")
		case 1:
			if i == 0 {
				d = matrix(c, 1, d[0])
			} else {
				d = matrix(c, d[0], 1)
			}
			transposed, batch = false, false
		}
		n := len(d)
		f.rows, f.cols, f.trans = d[n-2], d[n-1], transposed
		f.gap, f.ld = max(in.Stride, f.rows*f.cols), f.cols
		lead[i] = d[:n-2]
		if batch && n > 2 {
			if in.Stride != 0 {
				return c.Fail("transBatchA and transBatchB want operands without gaps")
			}
			// [rows, …, batch, cols]
			f.rows, f.ld, f.gap = d[0], ir.Elements(d[1:]), f.cols
			lead[i] = d[1 : n-1]
		}
		if f.trans {
			f.rows, f.cols = f.cols, f.rows
		}
	}
	if s.a.cols != s.b.rows {
		return c.Fail("a has dimensions ", c.In(0).Dims, " and b ", c.In(1).Dims, ": ", s.a.cols, " columns do not meet ", s.b.rows, " rows")
	}
	all, err := broadcastTwo(c, lead[0], lead[1])
	if err != nil {
		return err
	}
	out := append(c.Dims(len(all) + 2)[:0], all...)
	if len(c.In(0).Dims) > 1 {
		out = append(out, s.a.rows)
	}
	if len(c.In(1).Dims) > 1 {
		out = append(out, s.b.cols)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, ir.Float32, out...)
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	alpha := c.Float("alpha")
	s.zero = alpha == 0
	s.gemm = compute.Gemm{M: s.a.rows, K: s.a.cols, N: s.b.cols, Alpha: alpha, TransA: s.a.trans, TransB: s.b.trans, LDA: s.a.ld, LDB: s.b.ld}
	s.count = ir.Elements(all)
	s.walk.set(all, lead[0], lead[1])
	s.packed = nil
	if c.In(1).Host != nil && s.count == 1 && s.gemm.K > 0 && s.b.ld == c.In(1).Dims[len(c.In(1).Dims)-1] && len(c.In(1).Dims) == 2 {
		s.packed = packB(c, &s.gemm)
	}
	c.Scratch(4 * s.gemm.ManyScratch(s.count))
	return nil
}

// factor is an operand of a product: what one of its matrices has once it is transposed.
type factor struct {
	rows, cols int
	trans      bool
	ld, gap    int // elements from row to row as they lie, and from matrix to matrix
}

type fusedMatMul struct {
	a, b   factor
	gemm   compute.Gemm
	packed *compute.PackedB
	count  int
	walk   broadcast
	zero   bool
}

func (s *fusedMatMul) Run(a *Args) {
	x, y, scratch := a.In[0].Float32s(), a.Out[0].Float32s(), slab.View[float32](a.Scratch)
	switch {
	case s.zero:
		clear(y)
	case s.packed != nil:
		s.gemm.RunPacked(y, x, s.packed, scratch)
	default:
		s.gemm.RunMany(y, x, a.In[1].Float32s(), s.count, func(i int) (int, int) {
			x, y := s.walk.at(i)
			return x * s.a.gap, y * s.b.gap
		}, scratch)
	}
}
