package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that look for the largest or smallest elements.

var (
	argIn    = []In{{Name: "data", Types: numberTypes}}
	argOut   = []Out{{Name: "reduced", Type: ir.Int64}}
	argAttrs = []Attr{{Name: "axis", Kind: ir.AttrInt}, {Name: "keepdims", Kind: ir.AttrInt, I: 1}, {Name: "select_last_index", Kind: ir.AttrInt, Since: 12}}
)

func init() { Register(orderRows) }

var orderRows = []Row{
	{Name: "ArgMax", Since: 1, Changes: []int{11, 12, 13}, In: argIn, Out: argOut, Attrs: argAttrs, Rank: argRank, Plan: planArg},
	{Name: "ArgMin", Since: 1, Changes: []int{11, 12, 13}, In: argIn, Out: argOut, Attrs: argAttrs, Rank: argRank, Plan: planArg},
	{
		Name: "TopK", Since: 1, Changes: []int{10, 11, 24},
		In:  []In{{Name: "X", Types: numberTypes, Var: 'T'}, {Name: "K", Types: intTypes, Since: 10}},
		Out: []Out{{Name: "Values", Var: 'T'}, {Name: "Indices", Type: ir.Int64}},
		Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: -1}, {Name: "k", Kind: ir.AttrInt, I: -1, Till: 9},
			{Name: "largest", Kind: ir.AttrInt, I: 1, Since: 11}, {Name: "sorted", Kind: ir.AttrInt, I: 1, Since: 11}},
		Rank: sameRank,
		Plan: planTopK,
	},
}

func argRank(n *ir.Node, rank func(i int) int) int {
	k := rank(0)
	if k >= 0 && n.Int("keepdims", 1) != 1 {
		k--
	}
	return k
}

// planArg gives the index of the largest or smallest element along an axis.
func planArg(c *Call) error {
	in := c.In(0)
	axis, err := axisOf(c, c.Int("axis"), len(in.Dims))
	if err != nil {
		return err
	}
	out := c.Clone(in.Dims)
	out[axis] = 1
	if c.Int("keepdims") != 1 {
		out = append(out[:axis], out[axis+1:]...)
	}
	c.Out(0, ir.Int64, out...)
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if in.Dims[axis] == 0 {
		return c.fail("axis % of @ is empty", in.Dims, axis)
	}
	if in.Type == ir.Float32 {
		s := Into[floatArg](c)
		s.n, s.inner, s.low, s.last = in.Dims[axis], ir.Elements(in.Dims[axis+1:]), c.Node.Op == "ArgMin", c.Int("select_last_index") != 0
		c.Scratch(8 * blockLen)
		return nil
	}
	s := Into[arg](c)
	*s = arg{n: in.Dims[axis], inner: ir.Elements(in.Dims[axis+1:]), size: 8, how: kernel.CompareInt64, low: c.Node.Op == "ArgMin", last: c.Int("select_last_index") != 0}
	switch in.Type {
	case ir.Int32, ir.Uint8, ir.Int8:
		if s.size, s.how = 4, kernel.CompareInt32; in.Type != ir.Int32 {
			s.convert, s.at = kernel.ConvertUint8, 4*in.Len()
			if in.Type == ir.Int8 {
				s.convert = kernel.ConvertInt8
			}
		}
	case ir.Int64:
	default:
		s.keys.set(in, s.low)
		s.low, s.at = false, 8*in.Len()
	}
	s.at = (s.at + 7) &^ 7
	c.Scratch(s.at + max(partCount*partBytes, s.n*s.size))
	return nil
}

// arg finds the first, or last, of the largest of n integers that lie inner apart.
type arg struct {
	keys      keys // where the elements are neither int32 nor int64, nor
	convert   int  // what makes int32 of them, 0 for nothing
	n, inner  int
	size, how int // of the integers, and how they are compared
	low, last bool
	at        int // of scratch memory, after the integers that are made
}

func (s *arg) Run(a *Args) {
	x, out := a.In[0].Data, a.Out[0].Int64s()
	switch {
	case s.keys.n > 0:
		x = slab.Bytes(s.keys.of(a))
	case s.convert != 0:
		kernel.Convert(&a.Scratch[0], &x[0], len(x), s.convert)
		x = a.Scratch[:4*len(x)]
	}
	room, how := a.Scratch[s.at:], kernel.CombineInt64+kernel.CombineMax
	if s.size == 4 {
		how = kernel.CombineInt32 + kernel.CombineMax
	}
	if s.low {
		how += kernel.CombineMin - kernel.CombineMax
	}
	if s.inner > 1 {
		s.columns(out, x, room, how)
		return
	}
	for i := range out {
		row := x[i*s.n*s.size:][:s.n*s.size]
		if top := halved(room, row, s.n, s.size, how); s.size == 4 {
			out[i] = placeIn(slab.View[int32](row), slab.View[int32](top)[0], s.last)
		} else {
			out[i] = placeIn(slab.View[int64](row), slab.View[int64](top)[0], s.last)
		}
	}
}

func placeIn[T int32 | int64](list []T, v T, last bool) int64 {
	i, step := 0, 1
	if last {
		i, step = len(list)-1, -1
	}
	for list[i] != v {
		i += step
	}
	return int64(i)
}

// columns keeps the best of a block of columns, row by row: from the end where the last of
// equals counts.
func (s *arg) columns(out []int64, x, room []byte, how int) {
	part := func(i int) []byte { return room[i*partBytes:][:partBytes] }
	best, index, row, one, mask := part(0), part(1), part(2), part(3), part(4)
	fillTensor(one, signs[0][:4])
	first, step := 0, kernel.CombineInt32+kernel.CombineAdd
	if s.last {
		first, step = s.n-1, kernel.CombineInt32+kernel.CombineSub
	}
	for at := 0; at < len(out); {
		o, i := at/s.inner, at%s.inner
		m := min(blockLen, s.inner-i)
		next := func(j int) []byte { return x[((o*s.n+j)*s.inner+i)*s.size:][:m*s.size] }
		copy(best, next(first))
		numbers := slab.View[int32](row)[:m]
		for k := range numbers {
			numbers[k] = int32(first)
		}
		copy(index, row)
		for j := 1; j < s.n; j++ {
			v := next(j)
			if s.last {
				v = next(first - j)
			}
			l, r := &best[0], &v[0]
			if s.low {
				l, r = r, l
			}
			kernel.CombinePairs(&row[0], &row[0], &one[0], m, step)
			kernel.ComparePairs(&mask[0], l, r, m, s.how+kernel.CompareLess)
			kernel.CombinePairs(&best[0], &best[0], &v[0], m, how)
			kernel.Choose(&index[0], &mask[0], &row[0], &index[0], m, 4)
		}
		for k, v := range slab.View[int32](index)[:m] {
			out[at+k] = int64(v)
		}
		at += m
	}
}

// floatArg is arg of float32.
type floatArg struct {
	n, inner  int
	low, last bool
}

func (s *floatArg) Run(a *Args) {
	x, out := a.In[0].Float32s(), a.Out[0].Int64s()
	best, index := slab.View[float32](a.Scratch[:4*blockLen]), slab.View[int32](a.Scratch[4*blockLen:][:4*blockLen])
	if s.inner == 1 {
		for i := range out {
			out[i] = int64(compute.ArgExtreme(x[i*s.n:][:s.n], s.low, s.last))
		}
		return
	}
	low := 0
	if s.low {
		low = 1
	}
	// The best of a block of columns, row by row: from the end where the last of equals counts.
	for at := 0; at < len(out); {
		o, i := at/s.inner, at%s.inner
		m := min(blockLen, s.inner-i)
		first, step := 0, 1
		if s.last {
			first, step = s.n-1, -1
		}
		row := x[o*s.n*s.inner+i:]
		copy(best[:m], row[first*s.inner:])
		for k := range index[:m] {
			index[k] = int32(first)
		}
		for j := 1; j < s.n; j++ {
			first += step
			kernel.ArgRows(&best[0], &index[0], &row[first*s.inner:][:m][0], m, first, low)
		}
		for k, v := range index[:m] {
			out[at+k] = int64(v)
		}
		at += m
	}
}

// keys are int64 in the order of input 0's elements, so that ordering is
// compiled for one type. NaN counts as the first choice, as in NumPy. They are at
// the start of the scratch memory.
type keys struct {
	floats  func(dst []float64, src []byte)
	ints    func(dst []int64, src []byte)
	n       int
	reverse bool // the smallest element has the largest key
	flip    int64
}

func (k *keys) set(in *Spec, reverse bool) {
	*k = keys{n: in.Len(), reverse: reverse}
	if floatTypes.Has(in.Type) {
		k.floats = loadFloats(in.Type)
		return
	}
	k.ints = loadInts(in.Type)
	if in.Type == ir.Uint64 {
		k.flip = math.MinInt64 // gives unsigned numbers the order of signed ones
	}
}

func (k *keys) of(a *Args) []int64 {
	out := slab.View[int64](a.Scratch[:8*k.n])
	if k.ints != nil {
		k.ints(out, a.In[0].Data)
		if k.flip == 0 && !k.reverse {
			return out
		}
		for i, v := range out {
			if out[i] = v ^ k.flip; k.reverse {
				out[i] = ^out[i]
			}
		}
		return out
	}
	wide := slab.View[float64](a.Scratch[:8*k.n])
	k.floats(wide, a.In[0].Data)
	for i, v := range wide {
		out[i] = floatKey(v, k.reverse)
	}
	return out
}

func floatKey(v float64, reverse bool) int64 {
	if v != v {
		return math.MaxInt64
	}
	key := int64(math.Float64bits(v + 0)) // + 0 makes -0 the same as 0
	if key < 0 {
		key ^= math.MaxInt64
	}
	if reverse {
		key = ^key
	}
	return key
}

// planTopK: k is an attribute up to opset 9, an input from 10 on. Equal elements
// keep their order.
func planTopK(c *Call) error {
	k := c.Int("k")
	if c.Node.Version >= 10 {
		list, given, err := hostInts(c, 1)
		if err != nil {
			return err
		}
		if !given || len(list) != 1 {
			return c.Fail("input 1, k, must be one number")
		}
		k = list[0]
	}
	dims := c.In(0).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	if k < 0 || k > int64(dims[axis]) {
		return c.fail("k is %, but dimension % of @ is smaller", dims, int(k), axis)
	}
	out := c.Clone(dims)
	out[axis] = int(k)
	c.Out(0, c.In(0).Type, out...)
	c.Out(1, ir.Int64, out...)
	if k == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[topK](c)
	s.outer, s.n, s.inner, s.k = ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:]), int(k)
	s.size = c.In(0).Type.Size()
	s.keys.set(c.In(0), c.Int("largest") == 0)
	columns := 0
	if s.inner > 1 {
		columns = min(columnGroup, s.inner) * s.n
	}
	if s.short = c.In(0).Type == ir.Float32; s.short {
		c.Scratch(8*s.k + 4*columns)
		return nil
	}
	if s.direct = c.In(0).Type == ir.Int64 && !s.keys.reverse; s.direct {
		s.keys.n = 0
	}
	c.Scratch(8 * (s.keys.n + s.k + columns))
	return nil
}

// topK takes the k largest of n keys that lie inner apart. The indices of the best so
// far are in the scratch memory, after the keys, and lists that are laid out after those.
type topK struct {
	keys               keys
	outer, n, inner, k int
	size               int  // of an element
	short              bool // of float32: keys are made of what may be among the best
	direct             bool // the elements are their own keys
}

func (s *topK) Run(a *Args) {
	if s.short {
		s.floats(a)
		return
	}
	keys := a.In[0].Data
	if !s.direct {
		keys = slab.Bytes(s.keys.of(a))
	}
	h := heap{list: slab.View[int64](a.Scratch[8*s.keys.n:][:8*s.k])}
	columns := a.Scratch[8*(s.keys.n+s.k):]
	for o := range s.outer {
		for i := range s.inner {
			h.keys = slab.View[int64](s.list(columns, keys, o, i, 8))
			h.choose()
			s.give(a, o, i, h.list)
		}
	}
}

// list is list i of block o of elements of so many bytes: where lists do not lie in one piece,
// some are laid out together.
func (s *topK) list(columns, x []byte, o, i, size int) []byte {
	n := s.n * size
	x = x[o*n*s.inner:][:n*s.inner]
	if s.inner == 1 {
		return x
	}
	group := i % columnGroup
	if group == 0 {
		kernel.CopyGrid(&columns[0], &x[i*size], s.n, min(columnGroup, s.inner-i), size, n, s.inner*size, size, size)
	}
	return columns[group*n:][:n]
}

// give writes the elements of a list that are best, and their indices.
func (s *topK) give(a *Args, o, i int, best []int64) {
	at := o*s.k*s.inner + i
	if a.Out[0] != nil {
		y, x := a.Out[0].Data[at*s.size:], a.In[0].Data[(o*s.n*s.inner+i)*s.size:]
		if s.size == 4 {
			y, x := slab.View[uint32](y), slab.View[uint32](x)
			for q, j := range best {
				y[q*s.inner] = x[int(j)*s.inner]
			}
		} else {
			for q, j := range best {
				copy(y[q*s.inner*s.size:][:s.size], x[int(j)*s.inner*s.size:])
			}
		}
	}
	if len(a.Out) > 1 && a.Out[1] != nil {
		y := a.Out[1].Int64s()[at:]
		for q, j := range best {
			y[q*s.inner] = j
		}
	}
}

// columnGroup is how many lists that do not lie in one piece are laid out together.
const columnGroup = 8

// floats looks for elements that are beyond the worst of the best so far, which a kernel
// does. The best are numbers that order them: keys in the upper halves, and below them indices,
// of which the smaller one counts more.
func (s *topK) floats(a *Args) {
	best, columns := slab.View[int64](a.Scratch[:8*s.k]), a.Scratch[8*s.k:]
	how := kernel.FindAbove
	if s.keys.reverse {
		how = kernel.FindBelow
	}
	for o := range s.outer {
		for i := range s.inner {
			x := slab.Floats(s.list(columns, a.In[0].Data, o, i, 4))
			for j, v := range x[:s.k] {
				best[j] = s.place(v, j)
			}
			for r := s.k/2 - 1; r >= 0; r-- {
				sink(best, r)
			}
			for j := s.k; j < s.n; j++ {
				worst := x[^uint32(best[0])]
				if worst != worst {
					break // all are NaN, which nothing is before
				}
				if j += kernel.FindBeyond(&x[j], s.n-j, worst, how); j == s.n {
					break
				}
				best[0] = s.place(x[j], j)
				sink(best, 0)
			}
			for m := s.k - 1; m > 0; m-- {
				best[0], best[m] = best[m], best[0]
				sink(best[:m], 0)
			}
			for j, v := range best {
				best[j] = int64(^uint32(v))
			}
			s.give(a, o, i, best)
		}
	}
}

// place is a number that is the larger, the earlier element j belongs among the best.
func (s *topK) place(v float32, j int) int64 {
	key := int32(math.Float32bits(v + 0)) // + 0 makes -0 the same as 0
	if key < 0 {
		key ^= math.MaxInt32
	}
	if s.keys.reverse {
		key = ^key
	}
	if v != v {
		key = math.MaxInt32
	}
	return int64(key)<<32 | int64(^uint32(j))
}

// sink restores the heap, whose root is the smallest, below r.
func sink(list []int64, r int) {
	v := list[r]
	for {
		child := 2*r + 1
		if child >= len(list) {
			break
		}
		if child+1 < len(list) && list[child+1] < list[child] {
			child++
		}
		if v <= list[child] {
			break
		}
		list[r] = list[child]
		r = child
	}
	list[r] = v
}

// heap has the indices of the largest of keys.
type heap struct {
	keys []int64
	list []int64 // the worst of them first
}

// choose leaves in the list the indices of the best keys, best first.
func (h *heap) choose() {
	list, n := h.list, len(h.keys)
	for j := range list {
		list[j] = int64(j)
	}
	for r := len(list)/2 - 1; r >= 0; r-- {
		h.sink(r, len(list))
	}
	for j := len(list); j < n; j++ { // of equals the earlier stays
		if j += kernel.FindLarger(&h.keys[j], n-j, int(h.keys[list[0]])); j == n {
			break
		}
		list[0] = int64(j)
		h.sink(0, len(list))
	}
	for m := len(list) - 1; m > 0; m-- {
		list[0], list[m] = list[m], list[0]
		h.sink(0, m)
	}
}

// better says that element i goes before j.
func (h *heap) better(i, j int64) bool {
	a, b := h.keys[i], h.keys[j]
	return a > b || a == b && i < j
}

// sink restores the heap of m indices, whose root is the worst, below r.
func (h *heap) sink(r, m int) {
	list := h.list
	for {
		child := 2*r + 1
		if child >= m {
			return
		}
		if child+1 < m && h.better(list[child], list[child+1]) {
			child++
		}
		if !h.better(list[r], list[child]) {
			return
		}
		list[r], list[child] = list[child], list[r]
		r = child
	}
}
