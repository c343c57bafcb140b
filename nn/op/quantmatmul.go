package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Products of quantized matrices. All of them are one step: integers are multiplied by
// integers, and the sums leave as they are, or as floats, or on the grid of the result.

var (
	bytesA      = In{Name: "A", Types: byteTypes, Var: 'T'}
	bytesB      = In{Name: "B", Types: byteTypes, Var: 'U'}
	intProducts = []Out{{Name: "Y", Type: ir.Int32}}
)

func init() { Register(quantMatMulRows) }

var quantMatMulRows = []Row{{
	Name: "MatMulInteger", Since: 10,
	In:  []In{bytesA, bytesB, {Name: "a_zero_point", Types: byteTypes, Var: 'T', Opt: true}, {Name: "b_zero_point", Types: byteTypes, Var: 'U', Opt: true}},
	Out: intProducts, Rank: productRank, Limits: zeroLimits,
	Plan: func(c *Call) error {
		return planBytes(c, operands{a: 0, b: 1, az: 2, bz: 3, as: absent, bs: absent, ys: absent, yz: absent, bias: absent})
	},
}, {
	Name: "QLinearMatMul", Since: 10, Changes: []int{21},
	In: []In{{Name: "a", Types: byteTypes, Var: 'T'}, {Name: "a_scale", Types: scaleTypes, Var: 'S'}, {Name: "a_zero_point", Types: byteTypes, Var: 'T'},
		{Name: "b", Types: byteTypes, Var: 'U'}, {Name: "b_scale", Types: scaleTypes, Var: 'S'}, {Name: "b_zero_point", Types: byteTypes, Var: 'U'},
		{Name: "y_scale", Types: scaleTypes, Var: 'S'}, {Name: "y_zero_point", Types: byteTypes, Var: 'Y'}},
	Out: []Out{{Name: "y", Var: 'Y'}}, Limits: zeroLimits,
	Plan: func(c *Call) error {
		return planBytes(c, operands{a: 0, as: 1, az: 2, b: 3, bs: 4, bz: 5, ys: 6, yz: 7, bias: absent})
	},
}, {
	Name: "QGemm", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: byteTypes, Var: 'T'}, {Name: "a_scale", Types: float32Only}, {Name: "a_zero_point", Types: byteTypes, Var: 'T'},
		{Name: "B", Types: byteTypes, Var: 'U'}, {Name: "b_scale", Types: float32Only}, {Name: "b_zero_point", Types: byteTypes, Var: 'U'},
		{Name: "C", Types: 1 << ir.Int32, Opt: true}, {Name: "y_scale", Types: float32Only, Opt: true}, {Name: "y_zero_point", Types: byteTypes, Var: 'Y', Opt: true}},
	Out:   []Out{{Name: "Y", Var: 'Y'}},
	Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}, {Name: "transA", Kind: ir.AttrInt}, transB},
	Rank:  matrixRank, Limits: zeroLimits,
	Plan: func(c *Call) error {
		if len(c.In(0).Dims) != 2 || len(c.In(3).Dims) != 2 {
			return c.Fail("A has dimensions ", c.In(0).Dims, " and B ", c.In(3).Dims, ", want matrices")
		}
		o := operands{a: 0, as: 1, az: 2, b: 3, bs: 4, bz: 5, bias: 6, ys: 7, yz: 8}
		if c.In(7) == nil {
			o.ys, o.yz, o.float = absent, absent, true
		}
		return planBytes(c, o)
	},
}, {
	Name: "MatMulIntegerToFloat", Domain: microsoft, Since: 1,
	In: []In{bytesA, bytesB, {Name: "a_scale", Types: float32Only}, {Name: "b_scale", Types: float32Only},
		{Name: "a_zero_point", Types: byteTypes, Var: 'T', Opt: true}, {Name: "b_zero_point", Types: byteTypes, Var: 'U', Opt: true},
		{Name: "bias", Types: float32Only, Opt: true}},
	Out: []Out{{Name: "Y", Type: ir.Float32}}, Rank: productRank, Fuses: FusesClamp, Limits: zeroLimits,
	Plan: func(c *Call) error {
		return planBytes(c, operands{a: 0, b: 1, as: 2, bs: 3, az: 4, bz: 5, bias: 6, ys: absent, yz: absent, float: true})
	},
}, {
	Name: "DynamicQuantizeMatMul", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: float32Only}, bytesB, {Name: "b_scale", Types: float32Only},
		{Name: "b_zero_point", Types: byteTypes, Var: 'U', Opt: true}, {Name: "bias", Types: float32Only, Opt: true}},
	Out: []Out{{Name: "Y", Type: ir.Float32}}, Rank: productRank, Fuses: FusesClamp, Limits: zeroLimits,
	Plan: func(c *Call) error {
		return planBytes(c, operands{a: 0, b: 1, bs: 2, bz: 3, bias: 4, as: absent, az: absent, ys: absent, yz: absent, float: true, dynamic: true})
	},
}}

const zeroLimits = "with one scale for A, and one or one a column for B"

// operands says which inputs are what.
type operands struct {
	a, as, az, b, bs, bz, bias, ys, yz int8
	float                              bool // the result is float32, with a bias of float32
	dynamic                            bool // a is float32, put on a grid of its own
}

const absent = -1

// in is an operand, nil where there is none.
func (o operands) in(c *Call, i int8) *Spec {
	if i == absent {
		return nil
	}
	return c.In(int(i))
}

// arg is the operand's tensor, nil where there is none.
func (o operands) arg(a *Args, i int8) *ir.Tensor {
	if i == absent || int(i) >= len(a.In) {
		return nil
	}
	return a.In[i]
}

// single fails unless the operand, if it is there, has one element.
func (o operands) single(c *Call, i int8) error {
	if s := o.in(c, i); s != nil && s.Len() != 1 {
		return c.Fail(c.Row.In[i].Name, " has dimensions ", s.Dims, ", want one number")
	}
	return nil
}

// perColumn fails unless the operand, if it is there, has one element or n of them.
func (o operands) perColumn(c *Call, i int8, n int) error {
	if s := o.in(c, i); s != nil && s.Len() != 1 && (s.Len() != n || s.Dims[len(s.Dims)-1] != n && ir.Elements(s.Dims[1:]) != 1) {
		return c.Fail(c.Row.In[i].Name, " has dimensions ", s.Dims, ", want one number or ", n)
	}
	return nil
}

// divisor fails for a known scale of the result that is 0 or no number.
func (o operands) divisor(c *Call) error {
	s := o.in(c, o.ys)
	if s == nil || s.Host == nil {
		return nil
	}
	v := [1]float64{}
	loadFloats(s.Type)(v[:], s.Host.Data)
	if undividing(v[0]) {
		return c.Fail(c.Row.In[o.ys].Name, " is ", v[0], ", want a finite number that is not 0")
	}
	return nil
}

// space deals out scratch memory while planning.
type space int

func (s *space) take(bytes int) (at int) {
	at = int(*s)
	*s += space((bytes + slab.Align - 1) &^ (slab.Align - 1))
	return at
}

// byteProduct multiplies matrices of bytes.
type byteProduct struct {
	operands
	m, n, k        int
	transA, transB bool
	alpha          float32
	walk           broadcast // over the leading dimensions: its steps count matrices
	out            ir.DType
	clamp          compute.Clamp
	fixed          *compute.Bytes // the right operand, where it is constant
	// Where in scratch memory: zero points, scales by column, the right operand.
	zerosA, zerosB, scales, packed, rest int
}

func planBytes(c *Call, o operands) error {
	left, right := o.in(c, o.a), o.in(c, o.b)
	gemm := c.Node.Op == "QGemm"
	if gemm && (len(left.Dims) != 2 || len(right.Dims) != 2) {
		return c.Fail("A has dimensions ", left.Dims, " and B ", right.Dims, ", want matrices")
	}
	transA, trans := gemm && c.Int("transA") != 0, gemm && c.Int("transB") != 0
	f, err := factorsOf(c, left.Dims, right.Dims, transA, trans)
	if err != nil {
		return err
	}
	m, k, n, lead, aLead, bLead, out := f.m, f.k, f.n, f.lead, f.aLead, f.bLead, f.out
	for _, i := range [...]int8{o.as, o.ys, o.yz} {
		if err := o.single(c, i); err != nil {
			return err
		}
	}
	if az := o.in(c, o.az); az != nil && az.Len() != 1 && (az.Len() != m || o.as != absent) {
		return c.Fail(c.Row.In[o.az].Name, " has dimensions ", az.Dims, ", want one number")
	}
	for _, i := range [...]int8{o.bs, o.bz, o.bias} {
		if err := o.perColumn(c, i, n); err != nil {
			return err
		}
	}
	if err := o.divisor(c); err != nil {
		return err
	}
	t := ir.Int32
	switch {
	case o.float:
		t = ir.Float32
	case o.yz != absent:
		t = ir.Uint8
		if z := o.in(c, o.yz); z != nil {
			t = z.Type
		}
	}
	c.Out(0, t, out...)
	// Where all matrices of a meet the same b, they are one tall matrix.
	if az := o.in(c, o.az); ir.Elements(bLead) == 1 && (az == nil || az.Len() == 1) {
		m *= ir.Elements(lead)
		lead, aLead, bLead = nil, nil, nil
	}
	if ir.Elements(lead)*m*n == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[byteProduct](c)
	s.operands, s.m, s.n, s.k, s.transA, s.transB, s.out, s.clamp = o, m, n, k, transA, trans, t, clampOf(c.Node)
	s.alpha, s.fixed = 1, nil
	if gemm {
		s.alpha = c.Float("alpha")
	}
	s.walk.set(lead, aLead, bLead)
	bz := o.in(c, o.bz)
	if right.Host != nil && len(lead) == 0 && (bz == nil || bz.Host != nil) {
		s.fixed = packBytes(c, o, k, n, trans)
	}
	var room space
	s.zerosA, s.zerosB, s.scales = room.take(4*max(m, 1)), room.take(4*n), room.take(8*n)
	s.packed = room.take(0)
	if s.fixed == nil {
		room.take(compute.BytesSize(k, n))
	}
	s.rest = room.take(compute.IntegerScratch(m, n, k, s.dynamic))
	c.Scratch(int(room))
	return nil
}

// packBytes lays out a constant right operand, with known zero points, once.
func packBytes(c *Call, o operands, k, n int, trans bool) *compute.Bytes {
	from := int(o.b)
	b, bz := o.in(c, o.b).Host, o.in(c, o.bz)
	make := func(bool) *compute.Bytes {
		var zeros []int32
		if bz != nil {
			zeros = appendSteps(bz.Host)
		}
		p := compute.PackBytes(octets(b, 0, len(b.Data)), k, n, trans, zeros, nil)
		return &p
	}
	// Between the two there may be operands that are computed, which the result does not depend on.
	if c.Node.Inputs[from].Const == nil || bz != nil && c.Node.Inputs[o.bz].Const == nil {
		return make(false)
	}
	return Prepared(c, Key{2, k, n}, from, from+1, make)
}

func octets(t *ir.Tensor, at, n int) compute.Octets {
	return compute.Octets{Data: t.Data[at : at+n], Signed: t.Type == ir.Int8}
}

// zerosOf reads zero points into room; nil for none.
func zerosOf(t *ir.Tensor, room []byte) []int32 {
	if t == nil {
		return nil
	}
	list := slab.View[int32](room[:4*len(t.Data)])
	loadSteps(list, t.Data, t.Type, 0)
	return list
}

// appendSteps is the elements of an integer tensor of at most 32 bits.
func appendSteps(t *ir.Tensor) []int32 {
	list := make([]int32, t.Len())
	loadSteps(list, t.Data, t.Type, 0)
	return list
}

// number is the one element of a tensor of floats, or def where there is none.
func number(t *ir.Tensor, def float32) float32 {
	if t == nil {
		return def
	}
	return floatAt(t, 0)
}

// gridFor is the grid of a result of 8 bits.
func gridFor(t ir.DType, zero *ir.Tensor) compute.Grid {
	g := compute.Grid{Scale: 1}
	g.Lo, g.Hi = stepRange(t)
	if zero != nil {
		z := [1]int32{}
		loadSteps(z[:], zero.Data, zero.Type, 0)
		g.Zero = int(z[0])
	}
	return g
}

func (s *byteProduct) Run(a *Args) {
	left, right := s.arg(a, s.a), s.arg(a, s.b)
	as := number(s.arg(a, s.as), 1)
	var grid compute.Grid
	if s.dynamic {
		grid = gridOf(left.Float32s())
		as = grid.Scale
	}
	as *= s.alpha
	zerosA := zerosOf(s.arg(a, s.az), a.Scratch[s.zerosA:])
	scales := slab.View[float32](a.Scratch[s.scales:][:4*s.n])
	if s.out != ir.Int32 {
		columnScales(scales, s.arg(a, s.bs), as, s.arg(a, s.ys))
	}
	if s.fixed == nil {
		zerosB := zerosOf(s.arg(a, s.bz), a.Scratch[s.zerosB:])
		s.matrices(a, left, right, zerosA, zerosB, scales, grid, 0, 0, 0, 0)
		return
	}
	s.multiply(a, 0, left, 0, s.fixed, zerosA, scales, grid)
}

// columnScales is by how much a column's sums are multiplied.
func columnScales(scales []float32, bs *ir.Tensor, as float32, ys *ir.Tensor) {
	one := float32(1)
	for j := range scales {
		if bs != nil && (j == 0 || bs.Len() > 1) {
			one = floatAt(bs, j)
		}
		scales[j] = as * one
	}
	if ys != nil {
		by := number(ys, 1)
		divides(float64(by))
		for j := range scales {
			scales[j] /= by
		}
	}
}

// floatAt is element i of a tensor of floats.
func floatAt(t *ir.Tensor, i int) float32 {
	switch t.Type {
	case ir.Float32:
		return t.Float32s()[i]
	case ir.Float16:
		return halfToFloat(slab.View[uint16](t.Data)[i])
	}
	return math.Float32frombits(uint32(slab.View[uint16](t.Data)[i]) << 16)
}

// matrices walks the leading dimensions.
func (s *byteProduct) matrices(a *Args, left, right *ir.Tensor, zerosA, zerosB []int32, scales []float32, grid compute.Grid, at, la, lb, level int) int {
	w := &s.walk
	n, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level]
	for i := range n {
		if level < len(w.dims)-1 {
			at = s.matrices(a, left, right, zerosA, zerosB, scales, grid, at, la+i*as, lb+i*bs, level+1)
			continue
		}
		b := compute.PackBytes(octets(right, (lb+i*bs)*s.k*s.n, s.k*s.n), s.k, s.n, s.transB, zerosB, a.Scratch[s.packed:][:compute.BytesSize(s.k, s.n)])
		s.multiply(a, at*s.m*s.n, left, (la+i*as)*s.m*s.k, &b, zerosA, scales, grid)
		at++
	}
	return at
}

// multiply multiplies one matrix by one, from elements to and from on.
func (s *byteProduct) multiply(a *Args, to int, left *ir.Tensor, from int, b *compute.Bytes, zerosA []int32, scales []float32, grid compute.Grid) {
	y, k, n := a.Out[0], s.k, s.n
	rows := compute.Left{Ld: k, Trans: s.transA, Zeros: zerosA, Grid: grid}
	if s.transA {
		rows.Ld = s.m
	}
	if s.dynamic {
		rows.Floats = left.Float32s()[from:][:s.m*k]
	} else {
		rows.Octets = octets(left, from, s.m*k)
	}
	bias := s.arg(a, s.bias)
	done := func(sums []int32, ld, at, rows int) {
		copyRows(y.Data, 4*(to+at*n), 4*n, slab.Bytes(sums), 0, 4*ld, 4*n, rows)
	}
	switch s.out {
	case ir.Float32:
		var list []float32
		if bias != nil && bias.Type == ir.Float32 {
			list = bias.Float32s()
			if len(list) != n { // one for all
				wide := slab.View[float32](a.Scratch[s.scales+4*n:][:4*n])
				for j := range wide {
					wide[j] = list[0]
				}
				list = wide
			}
		}
		done = func(sums []int32, ld, at, rows int) {
			if bias != nil && bias.Type == ir.Int32 {
				addBias(sums, ld, rows, n, bias.Int32s())
			}
			compute.ScaleSums(y.Float32s()[to+at*n:], n, sums, ld, rows, n, scales, list, s.clamp)
		}
	case ir.Int8, ir.Uint8:
		g := gridFor(s.out, s.arg(a, s.yz))
		done = func(sums []int32, ld, at, rows int) {
			if bias != nil {
				addBias(sums, ld, rows, n, bias.Int32s())
			}
			compute.QuantizeSums(y.Data[to+at*n:], n, sums, ld, rows, n, scales, g)
		}
	}
	rows.Divide = s.out != ir.Int32 && (bias == nil || s.out == ir.Float32 && bias.Type == ir.Float32)
	compute.MultiplyBytes(s.m, b, &rows, a.Scratch[s.rest:], done)
}

// addBias adds a bias of one element or n to rows of sums.
func addBias(sums []int32, ld, rows, n int, bias []int32) {
	for r := range rows {
		row := sums[r*ld:][:n]
		if len(bias) != n {
			for j := range row {
				row[j] += bias[0]
			}
			continue
		}
		for j, v := range bias {
			row[j] += v
		}
	}
}

// copyRows copies rows of n bytes between arrays of which rows start ds and ss
// bytes apart.
func copyRows(dst []byte, d, ds int, src []byte, s, ss, n, rows int) {
	for range rows {
		copy(dst[d:d+n], src[s:s+n])
		d, s = d+ds, s+ss
	}
}
