package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(products) }

var products = []entry{
	{"MatMul " + Internal + ".MatMulAdd", 1, "", nil, planMatMul},
	{"Gemm", 7, "alpha beta transA transB", nil, planGemm},
}

// planMatMul: y[..., m, n] = a[..., m, k] · b[..., k, n], where the leading
// dimensions broadcast; an operand of one dimension is a row or a column. The
// optimizer's MatMulAdd(a, b, bias [n]) starts each row from the bias.
func planMatMul(c *Call) error {
	a, b := c.In(0).Dims, c.In(1).Dims
	if len(a) == 0 || len(b) == 0 {
		return c.Fail("a has dimensions ", a, " and b ", b, ": scalars cannot be multiplied so")
	}
	row, col := len(a) == 1, len(b) == 1
	if row {
		a = []int{1, a[0]}
	}
	if col {
		b = []int{b[0], 1}
	}
	m, k, n := a[len(a)-2], a[len(a)-1], b[len(b)-1]
	if b[len(b)-2] != k {
		return c.Fail("a has dimensions ", c.In(0).Dims, " and b ", c.In(1).Dims, ": ", k, " columns do not meet ", b[len(b)-2], " rows")
	}
	lead, err := broadcastTwo(c, a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return err
	}
	out := cloneDims(lead)
	if !row {
		out = append(out, m)
	}
	if !col {
		out = append(out, n)
	}
	c.Out(0, Float32, out...)
	// Where all matrices of a meet the same b, they are one tall matrix.
	if Elements(b[:len(b)-2]) == 1 {
		m *= Elements(lead)
		lead, a, b = nil, []int{m, k}, []int{k, n}
	}
	w := newBroadcast(lead, a[:len(a)-2], b[:len(b)-2])
	if w.empty() || m*n == 0 {
		c.Run(nothing)
		return nil
	}
	clamp, _ := fusedClamp(c.Node)
	g := &nn.Gemm{M: m, N: n, K: k, Clamp: clamp}
	if c.In(2) != nil {
		if c.In(2).Len() != n || len(lead) != 0 {
			return c.Fail("the bias has dimensions ", c.In(2).Dims, " for a product of ", out)
		}
		g.Start = nn.FromColumn
	}
	c.Scratch(4 * g.ScratchLen())
	if c.In(1).Host != nil && len(lead) == 0 && k > 0 {
		packed := packB(c, g, 1)
		c.Run(func(a *Args) {
			g.Bias = optional(a, 2)
			g.RunPacked(a.Out[0].Float32s(), a.In[0].Float32s(), packed, slab.View[float32](a.Scratch))
		})
		return nil
	}
	c.Run(func(a *Args) {
		g.Bias = optional(a, 2)
		matrices(w, g, a.Out[0].Float32s(), a.In[0].Float32s(), a.In[1].Float32s(), slab.View[float32](a.Scratch), 0)
	})
	return nil
}

// packB lays out input i, a constant right operand, once.
func packB(c *Call, g *nn.Gemm, i int) *nn.PackedB {
	return c.Prepared("b", func() any { return g.PackB(c.In(i).Host.Float32s()) }).(*nn.PackedB)
}

// broadcastTwo broadcasts two lists of leading dimensions.
func broadcastTwo(c *Call, a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := cloneDims(a)
	for i, n := range b {
		at := &out[len(a)-len(b)+i]
		if *at == 1 {
			*at = n
		} else if n != 1 && n != *at {
			return nil, c.Fail("leading dimensions ", a, " and ", b, " do not broadcast")
		}
	}
	return out, checkDims(c, out)
}

// matrices walks the leading dimensions; the steps of w count matrices.
func matrices(w *broadcast, g *nn.Gemm, y, a, b, scratch []float32, level int) int {
	n, as, bs := w.dims[level], w.steps[0][level]*g.M*g.K, w.steps[1][level]*g.K*g.N
	done := 0
	for i := range n {
		if level < len(w.dims)-1 {
			done += matrices(w, g, y[done:], a[i*as:], b[i*bs:], scratch, level+1)
			continue
		}
		g.Run(y[done:done+g.M*g.N], a[i*as:], b[i*bs:], scratch)
		done += g.M * g.N
	}
	return done
}

// planGemm: y = alpha·op(a)·op(b) + beta·c.
func planGemm(c *Call) error {
	if len(c.In(0).Dims) != 2 || len(c.In(1).Dims) != 2 {
		return c.Fail("a and b must be matrices")
	}
	a, b := c.In(0).Dims, c.In(1).Dims
	g := &nn.Gemm{M: a[0], K: a[1], N: b[1], Alpha: c.Node.Float("alpha", 1)}
	g.TransA, g.TransB = c.Node.Int("transA", 0) != 0, c.Node.Int("transB", 0) != 0
	k := b[0]
	if g.TransA {
		g.M, g.K = a[1], a[0]
	}
	if g.TransB {
		g.N, k = b[0], b[1]
	}
	if k != g.K {
		return c.Fail("a has dimensions ", a, " and b ", b, ": they do not multiply")
	}
	out := []int{g.M, g.N}
	c.Out(0, Float32, out...)
	if g.M*g.N == 0 {
		c.Run(nothing)
		return nil
	}
	alpha, beta := g.Alpha, c.Node.Float("beta", 1)
	zero := alpha == 0 // to nn.Gemm 0 stands for 1
	g.Clamp, _ = fusedClamp(c.Node)
	var add *broadcast
	if bias := c.In(2); bias != nil && beta != 0 {
		sum, err := broadcastTwo(c, out, bias.Dims)
		if err != nil || !sameDims(sum, out) {
			return c.Fail("c has dimensions ", bias.Dims, ", which do not broadcast to ", out)
		}
		if beta == 1 && !zero && bias.Len() == g.N && (len(bias.Dims) == 0 || bias.Dims[len(bias.Dims)-1] == g.N) {
			g.Start = nn.FromColumn
		} else {
			add = newBroadcast(out, bias.Dims, nil)
			g.Start = nn.FromY
		}
	}
	c.Scratch(4 * g.ScratchLen())
	var packed *nn.PackedB
	if c.In(1).Host != nil && g.K > 0 && !zero {
		packed = packB(c, g, 1)
	}
	factor := []float32{beta}
	lo, hi := g.Clamp.Lo, g.Clamp.Hi
	c.Run(func(args *Args) {
		y, scratch := args.Out[0].Float32s(), slab.View[float32](args.Scratch)
		if add != nil {
			walkRows(add, nn.Mul, y, args.In[2].Float32s(), factor, 0)
		}
		switch {
		case zero && add == nil:
			clear(y)
		case zero:
		default:
			run := *g
			if run.Start == nn.FromColumn {
				run.Bias = args.In[2].Float32s()
			}
			if packed != nil {
				run.RunPacked(y, args.In[0].Float32s(), packed, scratch)
			} else {
				run.Run(y, args.In[0].Float32s(), args.In[1].Float32s(), scratch)
			}
			return
		}
		if g.Clamp != nn.NoClamp {
			for i, v := range y {
				y[i] = min(max(v, lo), hi)
			}
		}
	})
	return nil
}
