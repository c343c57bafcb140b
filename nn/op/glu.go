//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(gluRows) }

// gluRows: y = f(a)·b of the two halves a and b of the last axis, as a gated linear unit has
// it whose two products are one. Decoders that are built of weights have it (nn/text).
var gluRows = []Row{{
	Name: "Glu", Domain: ir.Internal, Since: 1, In: xFloat32, Out: yOut,
	Attrs: []Attr{{Name: "activation", Kind: ir.AttrString, S: "silu", Words: []string{"silu", "gelu", "gelu_tanh", "relu"}}},
	Rank:  sameRank,
	Plan:  planGlu,
}}

func planGlu(c *Call) error {
	dims := c.Clone(c.In(0).Dims)
	if len(dims) == 0 || dims[len(dims)-1]%2 != 0 {
		return c.fail("the input has dimensions @, want a last one of two halves", dims)
	}
	n := dims[len(dims)-1] / 2
	dims[len(dims)-1] = n
	c.Out(0, ir.Float32, dims...)
	*Into[glu](c) = glu{rows: ir.Elements(dims[:len(dims)-1]), n: n, f: gateOf(c.Str("activation"))}
	return nil
}

func gateOf(name string) func(y, x []float32) {
	switch name {
	case "gelu":
		return compute.Gelu
	case "gelu_tanh":
		return compute.GeluTanh
	case "relu":
		return compute.Relu
	}
	return compute.Silu
}

type glu struct {
	rows, n int
	f       func(y, x []float32)
}

func (s *glu) Rows() int { return s.rows }
func (s *glu) Time() int { return s.rows * s.n }

func (s *glu) Run(a *Args) { s.RunRows(a, 0, s.rows) }

func (s *glu) RunRows(a *Args, from, to int) {
	n, y, x := s.n, a.Out[0].Float32s(), a.In[0].Float32s()
	if n == 0 {
		return
	}
	for r := from; r < to; r++ {
		row := y[r*n : r*n+n]
		s.f(row, x[2*r*n:2*r*n+n])
		compute.Mul(row, row, 0, 1, x[2*r*n+n:2*r*n+2*n], 0, 1, 1, n)
	}
}
