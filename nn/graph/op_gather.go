package graph

import (
	"errors"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// Operators whose indices are data.

func init() { enter(gathers) }

var gathers = []entry{
	{"Gather", 1, "axis", nil, planGather},
	{"GatherElements", 11, "axis", nil, planGatherElements},
	{"GatherND", 11, "batch_dims", nil, planGatherND},
	{"ScatterElements", 11, "axis reduction", checkScatter, planScatterElements},
	{"ScatterND", 11, "reduction", checkScatter, planScatterND},
	{"OneHot", 9, "axis", nil, planOneHot},
	{"NonZero", 9, "", nil, planNonZero},
}

// indexReader gives the function that reads index k of a list of int32 or int64.
func indexReader(t DType) func(data []byte, k int) int64 {
	if t == Int32 {
		return func(data []byte, k int) int64 { return int64(slab.View[int32](data)[k]) }
	}
	return func(data []byte, k int) int64 { return slab.View[int64](data)[k] }
}

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

// planGather: y[i…, j…, k…] = x[i…, indices[j…], k…].
func planGather(c *Call) error {
	if err := need(c, 1, indexTypes); err != nil {
		return err
	}
	dims, idx := c.In(0).Dims, c.In(1).Dims
	axis, err := axisOf(c, c.Node.Int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	out := append(append(cloneDims(dims[:axis]), idx...), dims[axis+1:]...)
	t := c.In(0).Type
	c.Out(0, t, out...)
	outer, n, inner, count := Elements(dims[:axis]), dims[axis], Elements(dims[axis+1:])*t.Size(), Elements(idx)
	index := indexReader(c.In(1).Type)
	c.Run(func(a *Args) {
		x, y := a.In[0].Data, a.Out[0].Data
		if len(y) == 0 {
			return
		}
		for k := range count {
			p := placeOf(index(a.In[1].Data, k), n)
			copyRows(y, k*inner, count*inner, x, p*inner, n*inner, inner, outer)
		}
	})
	return nil
}

// alongAxis is what GatherElements and ScatterElements share: where in data each
// element of indices points.
type alongAxis struct {
	idx, steps []int // dimensions of indices, and data's strides, 0 at the axis
	n, step    int   // the axis
	count      int
	index      func(d []byte, k int) int64
}

func newAlongAxis(c *Call, axis int) *alongAxis {
	data, idx := c.In(0).Dims, c.In(1).Dims
	w := &alongAxis{idx: idx, steps: rowMajor(data), n: data[axis], count: Elements(idx), index: indexReader(c.In(1).Type)}
	w.step, w.steps[axis] = w.steps[axis], 0
	return w
}

func (w *alongAxis) at(indices []byte, k int) int {
	return offsetOf(k, w.idx, w.steps) + placeOf(w.index(indices, k), w.n)*w.step
}

// elementOperands checks data and indices of one rank, indices within data
// beside the axis.
func elementOperands(c *Call) (axis int, err error) {
	if err := need(c, 1, indexTypes); err != nil {
		return 0, err
	}
	dims, idx := c.In(0).Dims, c.In(1).Dims
	if axis, err = axisOf(c, c.Node.Int("axis", 0), len(dims)); err != nil {
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
	t := c.In(0).Type
	c.Out(0, t, c.In(1).Dims...)
	w, size := newAlongAxis(c, axis), t.Size()
	c.Run(func(a *Args) {
		for k := range w.count {
			copy(a.Out[0].Data[k*size:(k+1)*size], a.In[0].Data[w.at(a.In[1].Data, k)*size:])
		}
	})
	return nil
}

// tuples is what GatherND and ScatterND share: indices [batch…, …, q] whose
// last dimension names a slice of data.
type tuples struct {
	count   int   // of slices
	slice   int   // elements of one
	perItem int   // slices for each index into those
	extents []int // of the dimensions that a tuple indexes
	steps   []int
	item    int // elements of data for each index into the leading dimensions
	index   func(d []byte, k int) int64
}

func tuplesOf(c *Call, batch int) (tu tuples, err error) {
	dims, idx := c.In(0).Dims, c.In(1).Dims
	if err := need(c, 1, indexTypes); err != nil {
		return tu, err
	}
	if len(idx) == 0 || batch < 0 || batch > len(idx)-1 || idx[len(idx)-1]+batch > len(dims) {
		return tu, c.Fail("indices have dimensions ", idx, " for data ", dims, " with ", batch, " batch dimensions")
	}
	for i := range batch {
		if dims[i] != idx[i] {
			return tu, c.Fail("indices have dimensions ", idx, " for data ", dims, " with ", batch, " batch dimensions")
		}
	}
	q := idx[len(idx)-1]
	tu.count, tu.slice = Elements(idx[:len(idx)-1]), Elements(dims[batch+q:])
	tu.perItem = Elements(idx[batch : len(idx)-1])
	tu.extents, tu.steps = dims[batch:batch+q], rowMajor(dims)[batch:batch+q]
	tu.item = Elements(dims[batch:])
	tu.index = indexReader(c.In(1).Type)
	return tu, nil
}

// at is the offset in data of slice k.
func (tu *tuples) at(indices []byte, k int) int {
	off := k / max(tu.perItem, 1) * tu.item
	for j, n := range tu.extents {
		off += placeOf(tu.index(indices, k*len(tu.extents)+j), n) * tu.steps[j]
	}
	return off
}

func planGatherND(c *Call) error {
	batch := c.Node.Int("batch_dims", 0)
	if batch < 0 || batch > int64(len(c.In(0).Dims)) {
		return c.Fail("batch_dims is ", batch)
	}
	tu, err := tuplesOf(c, int(batch))
	if err != nil {
		return err
	}
	dims, idx, t := c.In(0).Dims, c.In(1).Dims, c.In(0).Type
	out := append(cloneDims(idx[:len(idx)-1]), dims[int(batch)+idx[len(idx)-1]:]...)
	c.Out(0, t, out...)
	n := tu.slice * t.Size()
	c.Run(func(a *Args) {
		if len(a.Out[0].Data) == 0 {
			return
		}
		for k := range tu.count {
			copy(a.Out[0].Data[k*n:(k+1)*n], a.In[0].Data[tu.at(a.In[1].Data, k)*t.Size():])
		}
	})
	return nil
}

func checkScatter(n *Node) string {
	switch r := n.Str("reduction", "none"); r {
	case "none", "add", "mul", "max", "min":
		return ""
	default:
		return "reduction=" + r
	}
}

// scatterStep gives the loop that combines n elements of src into dst.
func scatterStep(c *Call) (f func(dst, src []byte), err error) {
	r := c.Node.Str("reduction", "none")
	if r == "none" {
		return func(dst, src []byte) { copy(dst[:len(src)], src) }, nil
	}
	op := map[string]string{"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}[r]
	switch t := c.In(0).Type; t {
	case Float32, Float64:
		return combine(t, loadFloats(t), storeFloats(t), floatPair(op)), nil
	case Int32, Int64:
		return combine(t, loadInts(t), storeInts(t), intPair(op, false)), nil
	default:
		return nil, unsupported(c, "reduction=", r, " of type ", t.String())
	}
}

// combine computes in T, in which sums and products of two float32 still round
// to the same float32.
func combine[T wideElem](t DType, load func(dst []T, src []byte), store func(dst []byte, src []T), f func(a, b T) T) func(dst, src []byte) {
	size, v := t.Size(), make([]T, 2)
	return func(dst, src []byte) {
		for ; len(src) > 0; dst, src = dst[size:], src[size:] {
			load(v[:1], dst[:size])
			load(v[1:], src[:size])
			v[0] = f(v[0], v[1])
			store(dst[:size], v[:1])
		}
	}
}

func planScatterElements(c *Call) error {
	axis, err := elementOperands(c)
	if err != nil {
		return err
	}
	if err := needLike(c, 2); err != nil {
		return err
	}
	dims, idx, t := c.In(0).Dims, c.In(1).Dims, c.In(0).Type
	if !sameDims(idx, c.In(2).Dims) {
		return c.Fail("indices have dimensions ", idx, ", updates ", c.In(2).Dims)
	}
	f, err := scatterStep(c)
	if err != nil {
		return err
	}
	c.Out(0, t, dims...)
	w, size := newAlongAxis(c, axis), t.Size()
	c.Run(func(a *Args) {
		y, src := a.Out[0].Data, a.In[2].Data
		copy(y, a.In[0].Data)
		for k := range w.count {
			f(y[w.at(a.In[1].Data, k)*size:], src[k*size:(k+1)*size])
		}
	})
	return nil
}

func planScatterND(c *Call) error {
	if err := needLike(c, 2); err != nil {
		return err
	}
	tu, err := tuplesOf(c, 0)
	if err != nil {
		return err
	}
	dims, idx, t := c.In(0).Dims, c.In(1).Dims, c.In(0).Type
	want := append(cloneDims(idx[:len(idx)-1]), dims[idx[len(idx)-1]:]...)
	if !sameDims(want, c.In(2).Dims) {
		return c.Fail("updates have dimensions ", c.In(2).Dims, ", want ", want)
	}
	f, err := scatterStep(c)
	if err != nil {
		return err
	}
	c.Out(0, t, dims...)
	n := tu.slice * t.Size()
	c.Run(func(a *Args) {
		y, src := a.Out[0].Data, a.In[2].Data
		copy(y, a.In[0].Data)
		if len(src) == 0 {
			return
		}
		for k := range tu.count {
			f(y[tu.at(a.In[1].Data, k)*t.Size():], src[k*n:(k+1)*n])
		}
	})
	return nil
}

// planOneHot: values is [off, on]; an index out of range gives off alone.
func planOneHot(c *Call) error {
	if err := need(c, 0, intTypes|floatTypes); err != nil {
		return err
	}
	if c.In(2).Len() != 2 {
		return c.Fail("values have dimensions ", c.In(2).Dims, ", want [2]")
	}
	depth, err := hostFloat(c, 1, -1)
	if err != nil {
		return err
	}
	if depth < 0 || depth > dimLimit {
		return c.Fail("depth is ", depth)
	}
	dims, t := c.In(0).Dims, c.In(2).Type
	axis, err := axisOf(c, c.Node.Int("axis", -1), len(dims)+1)
	if err != nil {
		return err
	}
	n := int(depth)
	out := append(append(cloneDims(dims[:axis]), n), dims[axis:]...)
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, t, out...)
	inner, count, size := Elements(dims[axis:]), c.In(0).Len(), t.Size()
	load, from := loadFloats(c.In(0).Type), c.In(0).Type.Size()
	v := make([]float64, 1)
	c.Run(func(a *Args) {
		y, values := a.Out[0].Data, a.In[2].Data
		fillTensor(y, values[:size])
		for k := range count {
			load(v, a.In[0].Data[k*from:(k+1)*from])
			p := v[0]
			if p < 0 {
				p += float64(n)
			}
			if !(p >= 0 && p < float64(n)) {
				continue
			}
			copy(y[((k/inner*n+int(p))*inner+k%inner)*size:], values[size:])
		}
	})
	return nil
}

// planNonZero gives the indices of what is not 0. Their number depends on the
// input's value.
func planNonZero(c *Call) error {
	t, err := c.Host(0)
	if err != nil {
		return err
	}
	load, size := loadFloats(t.Type), t.Type.Size()
	var at []int
	v := make([]float64, 1)
	for i := range t.Len() {
		load(v, t.Data[i*size:(i+1)*size])
		if v[0] != 0 {
			at = append(at, i)
		}
	}
	rank := len(t.Dims)
	out := NewTensor(Int64, rank, len(at))
	for k, i := range at {
		for d := rank - 1; d >= 0; d-- {
			out.Int64s()[d*len(at)+k] = int64(i % t.Dims[d])
			i /= t.Dims[d]
		}
	}
	c.OutHost(0, out)
	return nil
}
