package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

var (
	weightsIn  = []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "B", Types: weightTypes}, {Name: "C", Types: float32Only, Var: 'T', Opt: true}}
	productOut = []Out{{Name: "Y", Var: 'T'}}
	transB     = Attr{Name: "transB", Kind: ir.AttrInt}
	gemmAttrs  = []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}, {Name: "beta", Kind: ir.AttrFloat, F: 1}, {Name: "transA", Kind: ir.AttrInt}, transB}
)

// weightTypes are those of constant right operands of products, which compute in float32.
const weightTypes = float32Only | 1<<ir.Float16 | 1<<ir.BFloat16 | 1<<ir.Int8

// productTypes are those of products. All but float32 are computed by plain loops.
const productTypes = floatTypes | indexTypes | 1<<ir.Uint32 | 1<<ir.Uint64

// StoredAs says whether products take constant weights of the type.
func StoredAs(t ir.DType) bool { return weightTypes.Has(t) }

func init() { Register(matmulRows) }

var matmulRows = []Row{{
	Name: "MatMul", Since: 1, Changes: []int{9, 13},
	In: []In{{Name: "A", Types: productTypes, Var: 'T', Strided: StridesMatrices}, {Name: "B", Types: productTypes, Var: 'T', Strided: StridesMatrices}}, Out: productOut,
	Rank: productRank, Fuses: FusesClamp,
	Plan: planMatMul,
}, {
	// The optimizer's two: of a constant matrix B as it is stored, or the transposed one.
	Name: "MatMul", Domain: ir.Internal, Since: 1,
	In: weightsIn, Out: productOut,
	Attrs: []Attr{transB},
	Rank:  productRank, Fuses: FusesClamp,
	Plan: planMatMul,
}, {
	Name: "Gemm", Domain: ir.Internal, Since: 1,
	In: weightsIn, Out: productOut,
	Attrs: gemmAttrs,
	Rank:  matrixRank, Fuses: FusesClamp,
	Plan: planGemm,
}, {
	Name: "Gemm", Since: 1, Changes: []int{6, 7, 9, 11, 13},
	In: []In{{Name: "A", Types: productTypes, Var: 'T'}, {Name: "B", Types: productTypes, Var: 'T'}, {Name: "C", Types: productTypes, Var: 'T', Opt: true}}, Out: productOut,
	Attrs: gemmAttrs,
	Rank:  matrixRank, Fuses: FusesClamp,
	Plan: planGemm,
}}

// productRank is that of a product of two operands of at least two dimensions.
func productRank(_ *ir.Node, rank func(i int) int) int {
	a, b := rank(0), rank(1)
	if a < 2 || b < 2 {
		return -1
	}
	return max(a, b)
}

// planMatMul: y[..., m, n] = a[..., m, k] · b[..., k, n], where the leading
// dimensions broadcast; an operand of one dimension is a row or a column. The
// optimizer's starts each row from a bias [n], if there is one, and its b may be
// the transposed matrix.
func planMatMul(c *Call) error {
	transposed := c.Node.Int("transB", 0) != 0
	f, err := factorsOf(c, c.In(0).Dims, c.In(1).Dims, false, transposed)
	if err != nil {
		return err
	}
	m, k, n, lead, aLead, bLead, out := f.m, f.k, f.n, f.lead, f.aLead, f.bLead, f.out
	t := c.In(0).Type
	c.Out(0, t, out...)
	aGap, bGap := c.In(0).Stride, c.In(1).Stride
	// Where all matrices of a meet the same b, they are one tall matrix.
	if ir.Elements(bLead) == 1 && aGap == 0 {
		m *= ir.Elements(lead)
		lead, aLead, bLead = nil, nil, nil
	}
	if ir.Elements(lead)*m*n == 0 {
		c.Step = nothing{}
		return nil
	}
	if t != ir.Float32 {
		return stepWideProduct(c, out, func(w *wideShape) {
			w.m, w.n, w.k, w.alpha, w.beta = m, n, k, 1, 1
			w.walk.set(lead, aLead, bLead)
		})
	}
	g := compute.Gemm{M: m, N: n, K: k, TransB: transposed, Clamp: clampOf(c.Node)}
	if c.In(2) != nil {
		if c.In(2).Len() != n || len(lead) != 0 {
			return c.Fail("the bias has dimensions ", c.In(2).Dims, " for a product of ", out)
		}
		g.Start = compute.FromColumn
	}
	count := ir.Elements(lead)
	c.Scratch(4 * g.ManyScratch(count))
	if c.In(1).Host != nil && len(lead) == 0 && k > 0 {
		*Into[packedProduct](c) = packedProduct{gemm: g, b: packB(c, &g)}
		return nil
	}
	s := Into[products](c)
	s.gemm, s.count, s.aSize, s.bSize = g, count, max(aGap, g.M*k), max(bGap, k*n)
	s.walk.set(lead, aLead, bLead)
	return nil
}

// factors are the dimensions of a product: of matrices [m k] and [k n], the leading ones of
// the operands and of all, and those of the result.
type factors struct {
	m, k, n                 int
	lead, aLead, bLead, out []int
}

// factorsOf is how operands of these dimensions multiply; the transposed ones are matrices.
func factorsOf(c *Call, aDims, bDims []int, transA, transB bool) (f factors, err error) {
	a, b := aDims, bDims
	if len(a) == 0 || len(b) == 0 {
		return f, c.Fail("a has dimensions ", a, " and b ", b, ": scalars cannot be multiplied so")
	}
	row, col := len(a) == 1, len(b) == 1
	switch {
	case row:
		a = matrix(c, 1, a[0])
	case transA:
		a = matrix(c, a[1], a[0])
	}
	switch {
	case col:
		b = matrix(c, b[0], 1)
	case transB:
		b = matrix(c, b[1], b[0])
	}
	f.m, f.k, f.n = a[len(a)-2], a[len(a)-1], b[len(b)-1]
	if b[len(b)-2] != f.k {
		return f, c.Fail("a has dimensions ", aDims, " and b ", bDims, ": ", f.k, " columns do not meet ", b[len(b)-2], " rows")
	}
	f.aLead, f.bLead = a[:len(a)-2], b[:len(b)-2]
	if f.lead, err = broadcastTwo(c, f.aLead, f.bLead); err != nil {
		return f, err
	}
	f.out = append(c.Dims(len(f.lead) + 2)[:0], f.lead...)
	if !row {
		f.out = append(f.out, f.m)
	}
	if !col {
		f.out = append(f.out, f.n)
	}
	return f, nil
}

// matrix is a list of two dimensions that lasts as long as the call.
func matrix(c *Call, rows, cols int) []int {
	dims := c.Dims(2)
	dims[0], dims[1] = rows, cols
	return dims
}

// packB lays out input 1, a constant right operand, once: how many rows the left one
// has does not matter.
func packB(c *Call, g *compute.Gemm) *compute.PackedB { return packInput(c, g, 1) }

// packInput is packB for another input.
func packInput(c *Call, g *compute.Gemm, i int) *compute.PackedB {
	return Prepared(c, Key{i, g.K, g.N}, i, i+1, func(kept bool) *compute.PackedB {
		right, w := compute.Gemm{K: g.K, N: g.N, TransB: g.TransB}, c.In(i).Host
		over := kept && w.Sole
		p := right.Pack(elemOf(w.Type), w.Data, over)
		if over {
			w.Take()
		}
		return p
	})
}

// elemOf is how compute names one of weightTypes.
func elemOf(t ir.DType) compute.Elem {
	switch t {
	case ir.Float16:
		return compute.Float16
	case ir.BFloat16:
		return compute.BFloat16
	case ir.Int8:
		return compute.Int8
	}
	return compute.Float32
}

// packedProduct is a product by a constant matrix.
type packedProduct struct {
	gemm compute.Gemm
	b    *compute.PackedB
}

func (s *packedProduct) Run(a *Args) {
	g := s.gemm
	g.Bias = optional(a, 2)
	g.RunPacked(a.Out[0].Float32s(), a.In[0].Float32s(), s.b, slab.View[float32](a.Scratch))
}

// products multiplies the matrices of one operand by those of another.
type products struct {
	gemm         compute.Gemm
	count        int
	walk         broadcast // over the leading dimensions: its steps count matrices
	aSize, bSize int       // elements from one matrix of an operand to the next
}

func (s *products) Run(a *Args) {
	g := s.gemm
	g.Bias = optional(a, 2)
	g.RunMany(a.Out[0].Float32s(), a.In[0].Float32s(), a.In[1].Float32s(), s.count, func(i int) (x, y int) {
		x, y = s.walk.at(i)
		return x * s.aSize, y * s.bSize
	}, slab.View[float32](a.Scratch))
}

// broadcastTwo broadcasts two lists of leading dimensions. The result lasts as long as
// the call.
func broadcastTwo(c *Call, a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := c.Clone(a)
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

// planGemm: y = alpha·op(a)·op(b) + beta·c.
func planGemm(c *Call) error {
	if len(c.In(0).Dims) != 2 || len(c.In(1).Dims) != 2 {
		return c.Fail("a and b must be matrices")
	}
	a, b := c.In(0).Dims, c.In(1).Dims
	g := compute.Gemm{M: a[0], K: a[1], N: b[1], Alpha: c.Float("alpha"), Clamp: clampOf(c.Node)}
	g.TransA, g.TransB = c.Int("transA") != 0, c.Int("transB") != 0
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
	out := matrix(c, g.M, g.N)
	c.Out(0, c.In(0).Type, out...)
	if g.M*g.N == 0 {
		c.Step = nothing{}
		return nil
	}
	beta := c.Float("beta")
	zero := g.Alpha == 0 // to compute.Gemm 0 stands for 1
	addend := c.In(2)
	if addend != nil && beta != 0 {
		sum, err := broadcastTwo(c, out, addend.Dims)
		if err != nil || !ir.SameDims(sum, out) {
			return c.Fail("c has dimensions ", addend.Dims, ", which do not broadcast to ", out)
		}
		if beta == 1 && !zero && addend.Len() == g.N && (len(addend.Dims) == 0 || addend.Dims[len(addend.Dims)-1] == g.N) {
			g.Start = compute.FromColumn
		} else {
			g.Start = compute.FromY
		}
	}
	if c.In(0).Type != ir.Float32 {
		return stepWideProduct(c, out, func(w *wideShape) {
			w.m, w.n, w.k, w.transA, w.transB, w.alpha, w.beta = g.M, g.N, g.K, g.TransA, g.TransB, float64(g.Alpha), float64(beta)
			w.walk.set(nil, nil, nil)
			if w.adds = addend != nil && beta != 0; w.adds {
				w.add.set(out, out, addend.Dims)
			}
		})
	}
	c.Scratch(4 * g.ScratchLen())
	s := Into[gemm](c)
	s.gemm, s.packed, s.zero, s.beta[0] = g, nil, zero, beta
	if c.In(1).Host != nil && g.K > 0 && !zero {
		s.packed = packB(c, &g)
	}
	if g.Start == compute.FromY {
		s.add.set(out, addend.Dims, nil)
	}
	return nil
}

// gemm is a product that is added to another matrix.
type gemm struct {
	gemm   compute.Gemm     // FromY starts from add's result
	packed *compute.PackedB // the right operand, where it is constant
	zero   bool             // no product
	add    broadcast        // of input 2, times beta
	beta   [1]float32
}

func (s *gemm) Run(a *Args) {
	y, scratch := a.Out[0].Float32s(), slab.View[float32](a.Scratch)
	if s.gemm.Start == compute.FromY {
		walkRows(&s.add, compute.Mul, y, a.In[2].Float32s(), s.beta[:], 0)
	}
	if !s.zero {
		g := s.gemm
		if g.Start == compute.FromColumn {
			g.Bias = a.In[2].Float32s()
		}
		if s.packed != nil {
			g.RunPacked(y, a.In[0].Float32s(), s.packed, scratch)
		} else {
			g.Run(y, a.In[0].Float32s(), a.In[1].Float32s(), scratch)
		}
		return
	}
	if s.gemm.Start != compute.FromY {
		clear(y)
	}
	if bounds := s.gemm.Clamp; bounds != compute.NoClamp {
		for i, v := range y {
			y[i] = min(max(v, bounds.Lo), bounds.Hi)
		}
	}
}

// wideShape is what is multiplied by plain loops.
type wideShape struct {
	m, n, k        int
	transA, transB bool
	alpha, beta    float64   // alpha is 0 where there is no factor
	walk           broadcast // over the leading dimensions: its steps count matrices
	adds           bool
	add            broadcast // of the product and input 2
}

// wideProduct is the product of the types that are not float32.
type wideProduct[T wideElem] struct {
	wideShape
	wide wide[T]
	plus func(v, w T) T // v + beta·w
}

func stepWideProduct(c *Call, out []int, set func(w *wideShape)) error {
	inputs, n := min(c.NumIn(), 3), ir.Elements(out)
	if c.In(0).Type == ir.Float64 {
		Into[wideProduct[float64]](c).set(c, set, inputs, n)
	} else {
		Into[wideProduct[int64]](c).set(c, set, inputs, n)
	}
	return nil
}

func (s *wideProduct[T]) Run(a *Args) {
	y := s.wide.out(a)
	s.matrices(y, s.wide.in(a, 0), s.wide.in(a, 1), 0)
	if s.adds && len(y) > 0 {
		walkPairs(&s.add, s.plus, y, y, s.wide.in(a, 2), 0)
	}
	s.wide.done(a)
}

func (s *wideProduct[T]) set(c *Call, shape func(w *wideShape), inputs, n int) {
	s.wideShape = wideShape{walk: s.walk, add: s.add}
	shape(&s.wideShape)
	s.wide.set(c, inputs, c.In(0).Type, n)
	s.plus = func(v, w T) T { return v + w }
	if beta := s.beta; beta != 1 {
		s.plus = func(v, w T) T { return v + T(beta*float64(w)) }
	}
}

func (s *wideProduct[T]) matrices(y, a, b []T, level int) int {
	w, done := &s.walk, 0
	for i := range w.dims[level] {
		as, bs := a[i*w.steps[0][level]*s.m*s.k:], b[i*w.steps[1][level]*s.k*s.n:]
		if level < len(w.dims)-1 {
			done += s.matrices(y[done:], as, bs, level+1)
			continue
		}
		s.multiply(y[done:done+s.m*s.n], as, bs)
		done += s.m * s.n
	}
	return done
}

// multiply adds up the rows of b, or takes products of rows where b is transposed.
func (s *wideProduct[T]) multiply(y, a, b []T) {
	ar, ac, br, bc := s.k, 1, s.n, 1
	if s.transA {
		ar, ac = 1, s.m
	}
	if s.transB {
		br, bc = 1, s.k
	}
	for i := range s.m {
		row := y[i*s.n:][:s.n]
		clear(row)
		for p := range s.k {
			v, at := a[i*ar+p*ac], p*br
			for j := range row {
				row[j] += T(v * b[at])
				at += bc
			}
		}
		if s.alpha != 1 {
			for j, v := range row {
				row[j] = T(s.alpha * float64(v))
			}
		}
	}
}
