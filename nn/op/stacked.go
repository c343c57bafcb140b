//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(stackedRows) }

// stackedRows: y = a·bᵀ + c where b is several constant matrices one below the other, each
// where its file has it: as one they would be in memory twice while they are put together.
// Decoders that are built of weights have it (nn/text).
var stackedRows = []Row{{
	Name: "MatMulStacked", Domain: ir.Internal, Since: 1,
	In:  []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "C", Types: float32Only, Var: 'T', Opt: true}, {Name: "B", Types: weightTypes, Many: true}},
	Out: productOut, Rank: sameRank, Plan: planStacked,
}}

func planStacked(c *Call) error {
	dims := c.Clone(c.In(0).Dims)
	if len(dims) == 0 {
		return c.fail("a has dimensions @, want at least one", dims)
	}
	rows, k, n := ir.Elements(dims[:len(dims)-1]), dims[len(dims)-1], 0
	s := Into[stacked](c)
	s.parts = s.parts[:0]
	for i := 2; i < c.NumIn(); i++ {
		d := c.In(i).Dims
		if len(d) != 2 || d[1] != k || k == 0 || c.In(i).Host == nil {
			return c.fail("input % has dimensions @, want known rows of % elements", d, i, k)
		}
		g := compute.Gemm{M: rows, K: k, N: d[0], TransB: true}
		s.parts = append(s.parts, packedProduct{g, packInput(c, &g, i)})
		n += d[0]
	}
	scratch := 0
	for i := range s.parts {
		g := &s.parts[i].gemm
		if g.LDY = n; c.In(1) != nil {
			g.Start = compute.FromColumn
		}
		scratch = max(scratch, g.ScratchLen())
	}
	if c.In(1) != nil && c.In(1).Len() != n {
		return c.fail("the bias has dimensions @, want [%]", c.In(1).Dims, n)
	}
	dims[len(dims)-1] = n
	if err := checkDims(c, dims); err != nil {
		return err
	}
	c.Out(0, ir.Float32, dims...)
	c.Scratch(4 * scratch)
	if rows*n == 0 {
		c.Step = nothing{}
	}
	return nil
}

type stacked struct{ parts []packedProduct }

func (s *stacked) Run(a *Args) {
	y, x, bias, scratch := a.Out[0].Float32s(), a.In[0].Float32s(), optional(a, 1), slab.View[float32](a.Scratch)
	at := 0
	for i := range s.parts {
		p := &s.parts[i]
		g := p.gemm
		if bias != nil {
			g.Bias = bias[at : at+g.N]
		}
		g.RunPacked(y[at:], x, p.b, scratch)
		at += g.N
	}
}
