package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators whose indices are data.

const reducedLimits = "reductions of float32, float64, int32 and int64 only"

var (
	gatherIn    = []In{{Name: "data", Types: movedTypes, Var: 'T'}, {Name: "indices", Types: indexTypes}}
	scatterIn   = []In{{Name: "data", Types: movedTypes, Var: 'T'}, {Name: "indices", Types: indexTypes}, {Name: "updates", Types: movedTypes, Var: 'T'}}
	gatherOut   = []Out{{Name: "output", Var: 'T'}}
	gatherAttrs = []Attr{{Name: "axis", Kind: ir.AttrInt}}
	noReduction = Attr{Name: "reduction", Kind: ir.AttrString, S: "none", Words: []string{"none"}, Since: 16, Till: 10} // never
	reduction   = Attr{Name: "reduction", Kind: ir.AttrString, S: "none", Words: reductions, Since: 16}
)

func init() { Register(gatherRows) }

var gatherRows = []Row{{
	Name: "Gather", Since: 1, Changes: []int{11, 13}, Lifts: 1 << ir.String,
	In: []In{{Name: "data", Types: movedTypes, Var: 'T'}, {Name: "indices", Types: indexTypes}}, Out: gatherOut, Attrs: gatherAttrs,
	Rank: gatherRank,
	Plan: planGather,
}, {
	Name: "GatherElements", Since: 11, Changes: []int{13}, Lifts: liftedTypes,
	In: gatherIn, Out: gatherOut, Attrs: gatherAttrs,
	Rank: secondRank,
	Plan: planGatherElements,
}, {
	Name: "GatherND", Since: 11, Changes: []int{12, 13}, Lifts: liftedTypes,
	In: gatherIn, Out: gatherOut, Attrs: []Attr{{Name: "batch_dims", Kind: ir.AttrInt, Since: 12}},
	Plan: planGatherND,
}, {
	Name: "ScatterElements", Since: 11, Changes: []int{13, 16, 18}, Lifts: liftedTypes,
	In: scatterIn, Out: gatherOut, Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}, reduction},
	Rank:   sameRank,
	Limits: reducedLimits,
	Plan:   planScatterElements,
}, {
	Name: "Scatter", Since: 9, Lifts: liftedTypes, // the earlier name of ScatterElements
	In: scatterIn, Out: gatherOut, Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}, noReduction},
	Rank: sameRank,
	Plan: planScatterElements,
}, {
	Name: "ScatterND", Since: 11, Changes: []int{13, 16, 18}, Lifts: liftedTypes,
	In: scatterIn, Out: gatherOut, Attrs: []Attr{reduction},
	Rank:   sameRank,
	Limits: reducedLimits,
	Plan:   planScatterND,
}, {
	Name: "OneHot", Since: 9, Changes: []int{11}, Lifts: liftedTypes,
	In: []In{{Name: "indices", Types: numberTypes}, {Name: "depth", Types: numberTypes},
		{Name: "values", Types: movedTypes, Var: 'T'}},
	Out: gatherOut, Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: -1}},
	Rank: oneHotRank,
	Plan: planOneHot,
}, {
	Name: "NonZero", Since: 9, Changes: []int{13},
	In:   []In{{Name: "X", Types: storedTypes}},
	Out:  []Out{{Name: "Y", Type: ir.Int64}},
	Rank: matrixRank,
	Plan: planNonZero,
}}

// indexType is the type of a list of indices: int32 where it is true, else int64.
type indexType bool

func indexTypeOf(c *Call, i int) indexType { return c.In(i).Type == ir.Int32 }

// at reads index k.
func (short indexType) at(data []byte, k int) int64 {
	if short {
		return int64(slab.View[int32](data)[k])
	}
	return slab.View[int64](data)[k]
}

// places is kernel.Places of indices from number from on, of which one comes every stride.
func (short indexType) places(at []int64, data []byte, from, stride, n, unit, first, step int) {
	if len(at) == 0 {
		return
	}
	size := 8
	if short {
		size = 4
	}
	if done := kernel.Places(&at[0], &data[from*size], len(at), size, stride, n, unit, first, step); done < len(at) {
		placeOf(short.at(data, from+done*stride), n)
	}
}

// placesOf is a block of places in scratch memory.
func placesOf(a *Args) []int64 { return slab.View[int64](a.Scratch[:8*blockLen]) }

// placeOf turns an index, which may count from the end, into a position. A run
// cannot go on with one that is out of range: the session reports the panic as
// the node's error.
func placeOf(index int64, n int) int {
	at := index
	if at < 0 {
		at += int64(n)
	}
	if at < 0 || at >= int64(n) {
		panic(errors.New(text.Join("an index is ", index, ", want one in [", -n, ", ", n-1, "]")))
	}
	return int(at)
}

// joined is the parts one after the other, in a list that lasts as long as the call.
func joined(c *Call, parts ...[]int) []int {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	list := c.Dims(n)
	n = 0
	for _, p := range parts {
		n += copy(list[n:], p)
	}
	return list
}

func gatherRank(_ *ir.Node, rank func(i int) int) int {
	data, indices := rank(0), rank(1)
	if data < 1 || indices < 0 {
		return -1
	}
	return data - 1 + indices
}

// planGather: y[i…, j…, k…] = x[i…, indices[j…], k…].
func planGather(c *Call) error {
	dims, idx := c.In(0).Dims, c.In(1).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, joined(c, dims[:axis], idx, dims[axis+1:])...)
	s := Into[gather](c)
	s.outer, s.n, s.inner = ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:])
	s.count, s.index = ir.Elements(idx), indexTypeOf(c, 1)
	if s.bits = 0; s.inner*t.Bits()%8 != 0 {
		s.bits = t.Bits()
	} else {
		s.inner = t.Bytes(s.inner)
	}
	c.Scratch(8 * blockLen)
	return nil
}

type gather struct {
	outer, n, inner int // of the data: n is the axis, inner in bytes
	bits            int // of an element, where rows share bytes: inner then counts elements
	count           int // of indices
	index           indexType
}

func (s *gather) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *gather) Rows() int {
	if s.bits > 0 {
		return 1
	}
	return s.count
}

func (s *gather) RunRows(a *Args, from, to int) {
	x, y := a.In[0].Data, a.Out[0].Data
	if len(y) == 0 {
		return
	}
	if s.bits > 0 {
		clear(y)
		each, mask := 8/s.bits, byte(1<<s.bits-1)
		for at := range s.outer * s.count * s.inner {
			row := at / s.inner
			p := placeOf(s.index.at(a.In[1].Data, row%s.count), s.n)
			i := (row/s.count*s.n+p)*s.inner + at%s.inner
			y[at/each] |= x[i/each] >> (i % each * s.bits) & mask << (at % each * s.bits)
		}
		return
	}
	for at := placesOf(a); from < to; from += len(at) {
		at = at[:min(len(at), to-from)]
		clear(at)
		s.index.places(at, a.In[1].Data, from, 1, s.n, s.inner, 0, 0)
		for o := range s.outer {
			compute.Pick(y[(o*s.count+from)*s.inner:][:len(at)*s.inner], x[o*s.n*s.inner:], at, s.inner)
		}
	}
}

// alongAxis is what GatherElements and ScatterElements share: where in data each
// element of indices points.
type alongAxis struct {
	idx, steps []int // dimensions of indices, and data's strides, 0 at the axis
	n, step    int   // the axis
	count      int
	index      indexType
	size       int // of an element
}

func (w *alongAxis) set(c *Call, axis int) {
	data, idx := c.In(0).Dims, c.In(1).Dims
	w.idx, w.steps = append(w.idx[:0], idx...), append(w.steps[:0], rowMajor(c, data)...)
	w.n, w.count, w.index, w.size = data[axis], ir.Elements(idx), indexTypeOf(c, 1), c.In(0).Type.Size()
	w.step, w.steps[axis] = w.steps[axis], 0
	c.Scratch(8 * blockLen)
}

// each calls f with the places in data's bytes of elements from … of each block of them.
func (w *alongAxis) each(a *Args, f func(at []int64, from int)) {
	last := len(w.idx) - 1
	cols, step := w.idx[last], w.steps[last]*w.size
	for from := 0; from < w.count; {
		at := placesOf(a)
		at = at[:min(len(at), cols-from%cols)]
		clear(at)
		w.index.places(at, a.In[1].Data, from, 1, w.n, w.step*w.size, offsetOf(from, w.idx, w.steps)*w.size, step)
		f(at, from)
		from += len(at)
	}
}

// words says whether there are elements, of a size that move knows.
func (w *alongAxis) words() bool { return w.n > 0 && (w.size == 4 || w.size == 8) }

// move is kernel.PickAlong of each row of indices.
func (w *alongAxis) move(rows, list, indices []byte, put int) {
	last, width := len(w.idx)-1, 8
	if w.index {
		width = 4
	}
	cols := w.idx[last]
	for from := 0; from < w.count; from += cols {
		done := kernel.PickAlong(&rows[0], &list[from*w.size], &indices[from*width], cols, width, w.size, w.n,
			w.step*w.size, offsetOf(from, w.idx, w.steps)*w.size, w.steps[last]*w.size, put)
		if done < cols {
			placeOf(w.index.at(indices, from+done), w.n)
		}
	}
}

// elementOperands checks data and indices of one rank, indices within data
// beside the axis.
func elementOperands(c *Call) (axis int, err error) {
	dims, idx := c.In(0).Dims, c.In(1).Dims
	if axis, err = axisOf(c, c.Int("axis"), len(dims)); err != nil {
		return 0, err
	}
	fits := len(dims) == len(idx)
	for i := 0; fits && i < len(dims); i++ {
		fits = i == axis || idx[i] <= dims[i]
	}
	if !fits {
		return 0, c.Fail("indices have dimensions ", idx, " for data ", dims, " along axis ", axis)
	}
	return axis, nil
}

func planGatherElements(c *Call) error {
	axis, err := elementOperands(c)
	if err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, c.In(1).Dims...)
	Into[gatherElements](c).w.set(c, axis)
	return nil
}

type gatherElements struct{ w alongAxis }

func (s *gatherElements) Run(a *Args) {
	size := s.w.size
	if s.w.words() {
		s.w.move(a.In[0].Data, a.Out[0].Data, a.In[1].Data, 0)
		return
	}
	s.w.each(a, func(at []int64, from int) {
		compute.Pick(a.Out[0].Data[from*size:][:len(at)*size], a.In[0].Data, at, size)
	})
}

// tuples is what GatherND and ScatterND share: indices [batch…, …, q] whose
// last dimension names a slice of data.
type tuples struct {
	count   int   // of slices
	slice   int   // bytes of one
	perItem int   // slices for each index into those
	extents []int // of the dimensions that a tuple indexes
	steps   []int // in bytes
	item    int   // bytes of data for each index into the leading dimensions
	index   indexType
}

// sliceDims checks data and indices and gives the dimensions of all slices that the
// indices name.
func sliceDims(c *Call, batch int) ([]int, error) {
	dims, idx := c.In(0).Dims, c.In(1).Dims
	last := len(idx) - 1
	fits := last >= 0 && batch >= 0 && batch <= last && idx[last]+batch <= len(dims)
	for i := 0; fits && i < batch; i++ {
		fits = dims[i] == idx[i]
	}
	if !fits {
		return nil, c.Fail("indices have dimensions ", idx, " for data ", dims, " with ", batch, " batch dimensions")
	}
	return joined(c, idx[:last], dims[batch+idx[last]:]), nil
}

// set is for operands that sliceDims has checked.
func (tu *tuples) set(c *Call, batch int) {
	dims, idx, size := c.In(0).Dims, c.In(1).Dims, c.In(0).Type.Size()
	last := len(idx) - 1
	end := batch + idx[last]
	tu.count, tu.slice = ir.Elements(idx[:last]), ir.Elements(dims[end:])*size
	tu.perItem = ir.Elements(idx[batch:last])
	tu.extents, tu.steps = append(tu.extents[:0], dims[batch:end]...), append(tu.steps[:0], rowMajor(c, dims)[batch:end]...)
	for i := range tu.steps {
		tu.steps[i] *= size
	}
	tu.item = ir.Elements(dims[batch:]) * size
	tu.index = indexTypeOf(c, 1)
	c.Scratch(8 * blockLen)
}

// each calls f with the places in data's bytes of slices from … of each block of them.
func (tu *tuples) each(a *Args, from, to int, f func(at []int64, from int)) {
	item, q := max(tu.perItem, 1), len(tu.extents)
	for at := placesOf(a); from < to; from += len(at) {
		at = at[:min(len(at), to-from)]
		for i := range at {
			at[i] = 0
			if tu.perItem < tu.count {
				at[i] = int64((from + i) / item * tu.item)
			}
		}
		for j, n := range tu.extents {
			tu.index.places(at, a.In[1].Data, from*q+j, q, n, tu.steps[j], 0, 0)
		}
		f(at, from)
	}
}

func planGatherND(c *Call) error {
	batch := c.Int("batch_dims")
	if batch < 0 || batch > int64(len(c.In(0).Dims)) {
		return c.fail("batch_dims is %", nil, int(batch))
	}
	out, err := sliceDims(c, int(batch))
	if err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, out...)
	Into[gatherND](c).tu.set(c, int(batch))
	return nil
}

type gatherND struct{ tu tuples }

func (s *gatherND) Run(a *Args) { s.RunRows(a, 0, s.tu.count) }
func (s *gatherND) Rows() int   { return s.tu.count }

func (s *gatherND) RunRows(a *Args, from, to int) {
	n, y := s.tu.slice, a.Out[0].Data
	if len(y) == 0 {
		return
	}
	s.tu.each(a, from, to, func(at []int64, from int) {
		compute.Pick(y[from*n:][:len(at)*n], a.In[0].Data, at, n)
	})
}

// reductions are what may happen to an element of data that an update meets.
var reductions = []string{setTo: "none", addTo: "add", mulTo: "mul", maxOf: "max", minOf: "min"}

const (
	setTo = iota
	addTo
	mulTo
	maxOf
	minOf
)

// scatter is a reduction of elements of a type.
type scatter struct {
	how int
	t   ir.DType
}

func (s *scatter) set(c *Call) error {
	r, t := c.Str("reduction"), c.In(0).Type
	switch t {
	case ir.Float32, ir.Float64, ir.Int32, ir.Int64:
	default:
		if r != "none" {
			return unsupported(c, "reduction=", r, " of type ", t.String())
		}
	}
	for i, word := range reductions {
		if word == r {
			s.how = i
		}
	}
	s.t = t
	return nil
}

// all combines the elements of src, n bytes at a time, with those of dst at these places.
func (s *scatter) all(dst, src []byte, at []int64, n int) {
	if s.how == setTo {
		compute.Put(dst, src, at, n)
		return
	}
	for i, p := range at {
		s.into(dst[p:], src[i*n:(i+1)*n])
	}
}

// into combines the elements of src with those of dst.
func (s *scatter) into(dst, src []byte) {
	dst = dst[:len(src)]
	switch {
	case s.how == setTo:
		copy(dst, src)
	case s.t == ir.Float32:
		combine[float32](s.how, dst, src)
	case s.t == ir.Float64:
		combine[float64](s.how, dst, src)
	case s.t == ir.Int32:
		combine[int32](s.how, dst, src)
	default:
		combine[int64](s.how, dst, src)
	}
}

func combine[T float32 | float64 | int32 | int64](how int, dst, src []byte) {
	y := slab.View[T](dst)
	for i, v := range slab.View[T](src) {
		switch how {
		case addTo:
			y[i] += v
		case mulTo:
			y[i] *= v
		case maxOf:
			y[i] = max(y[i], v)
		default:
			y[i] = min(y[i], v)
		}
	}
}

func planScatterElements(c *Call) error {
	axis, err := elementOperands(c)
	if err != nil {
		return err
	}
	if idx := c.In(1).Dims; !ir.SameDims(idx, c.In(2).Dims) {
		return c.Fail("indices have dimensions ", idx, ", updates ", c.In(2).Dims)
	}
	c.Out(0, c.In(0).Type, c.In(0).Dims...)
	s := Into[scatterElements](c)
	s.w.set(c, axis)
	return s.scatter.set(c)
}

type scatterElements struct {
	w       alongAxis
	scatter scatter
}

func (s *scatterElements) Run(a *Args) {
	y, src, size := a.Out[0].Data, a.In[2].Data, s.w.size
	copy(y, a.In[0].Data)
	if s.w.words() && s.scatter.how == setTo {
		s.w.move(y, src, a.In[1].Data, 1)
		return
	}
	s.w.each(a, func(at []int64, from int) { s.scatter.all(y, src[from*size:], at, size) })
}

func planScatterND(c *Call) error {
	want, err := sliceDims(c, 0)
	if err != nil {
		return err
	}
	if !ir.SameDims(want, c.In(2).Dims) {
		return c.Fail("updates have dimensions ", c.In(2).Dims, ", want ", want)
	}
	c.Out(0, c.In(0).Type, c.In(0).Dims...)
	s := Into[scatterND](c)
	s.tu.set(c, 0)
	return s.scatter.set(c)
}

type scatterND struct {
	tu      tuples
	scatter scatter
}

func (s *scatterND) Run(a *Args) {
	y, src, n := a.Out[0].Data, a.In[2].Data, s.tu.slice
	copy(y, a.In[0].Data)
	if len(src) == 0 {
		return
	}
	s.tu.each(a, 0, s.tu.count, func(at []int64, from int) { s.scatter.all(y, src[from*n:], at, n) })
}

func oneHotRank(_ *ir.Node, rank func(i int) int) int {
	if k := rank(0); k >= 0 {
		return k + 1
	}
	return -1
}

// planOneHot: values is [off, on]; an index out of range gives off alone.
func planOneHot(c *Call) error {
	if c.In(2).Len() != 2 {
		return c.fail("values have dimensions @, want [2]", c.In(2).Dims)
	}
	depth, err := hostFloat(c, 1, -1)
	if err != nil {
		return err
	}
	if depth < 0 || depth > dimLimit {
		return c.Fail("depth is ", depth)
	}
	dims, t := c.In(0).Dims, c.In(2).Type
	axis, err := axisOf(c, c.Int("axis"), len(dims)+1)
	if err != nil {
		return err
	}
	n := int(depth)
	out := joined(c, dims[:axis], []int{n}, dims[axis:])
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, t, out...)
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[oneHot](c)
	s.n, s.inner, s.count, s.size = n, ir.Elements(dims[axis:]), c.In(0).Len(), t.Size()
	s.load = loadFloats(c.In(0).Type)
	c.Scratch(8 * s.count)
	return nil
}

type oneHot struct {
	n, inner, count int
	size            int // of an element of values
	load            func(dst []float64, src []byte)
}

func (s *oneHot) Run(a *Args) {
	y, values := a.Out[0].Data, a.In[2].Data
	fillTensor(y, values[:s.size])
	indices := slab.View[float64](a.Scratch[:8*s.count])
	s.load(indices, a.In[0].Data)
	for k, p := range indices {
		if p < 0 {
			p += float64(s.n)
		}
		if !(p >= 0 && p < float64(s.n)) {
			continue
		}
		copy(y[((k/s.inner*s.n+int(p))*s.inner+k%s.inner)*s.size:], values[s.size:])
	}
}

// planNonZero gives the indices of what is not 0. Their number depends on the
// input's value.
func planNonZero(c *Call) error {
	t, err := c.Host(0)
	if err != nil {
		return err
	}
	size, sign := t.Type.Size(), byte(0)
	switch t.Type {
	case ir.Float16, ir.BFloat16, ir.Float32, ir.Float64:
		sign = 0x80 // -0 is 0 as well
	}
	count := 0
	for i := range t.Len() {
		if !isZero(t.Data[i*size:(i+1)*size], sign) {
			count++
		}
	}
	rank := len(t.Dims)
	out := ir.NewTensor(ir.Int64, rank, count)
	list, k := out.Int64s(), 0
	for i := range t.Len() {
		if isZero(t.Data[i*size:(i+1)*size], sign) {
			continue
		}
		for at, d := i, rank-1; d >= 0; d-- {
			list[d*count+k] = int64(at % t.Dims[d])
			at /= t.Dims[d]
		}
		k++
	}
	c.OutHost(0, out)
	return nil
}

// isZero says whether an element has no bits beside those of sign in its last byte.
func isZero(element []byte, sign byte) bool {
	last := len(element) - 1
	bits := element[last] &^ sign
	for _, b := range element[:last] {
		bits |= b
	}
	return bits == 0
}
