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
	s.last = c.Int("select_last_index") != 0
	s.n, s.inner = in.Dims[axis], ir.Elements(in.Dims[axis+1:])
	s.keys.set(in, c.Node.Op == "ArgMin")
	c.Scratch(8 * s.keys.n)
	return nil
}

// arg finds the first, or last, of the largest of n keys that lie inner apart.
type arg struct {
	keys     keys
	n, inner int
	last     bool
}

func (s *arg) Run(a *Args) {
	keys, out := s.keys.of(a), a.Out[0].Int64s()
	n, inner := s.n, s.inner
	for i := range out {
		at, best := i/inner*n*inner+i%inner, 0
		top := keys[at]
		for j := 1; j < n; j++ {
			at += inner
			if v := keys[at]; v > top || s.last && v == top {
				best, top = j, v
			}
		}
		out[i] = int64(best)
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
	if s.short = c.In(0).Type == ir.Float32; s.short {
		c.Scratch(8*s.k + 16*s.n)
		return nil
	}
	c.Scratch(8 * (s.keys.n + s.k))
	return nil
}

// topK takes the k largest of n keys that lie inner apart. The indices of the best so
// far are in the scratch memory, after the keys.
type topK struct {
	keys               keys
	outer, n, inner, k int
	size               int  // of an element
	short              bool // of float32: keys are made of one list at a time
}

func (s *topK) Run(a *Args) {
	if s.short {
		s.floats(a)
		return
	}
	keys, best := s.keys.of(a), slab.View[int64](a.Scratch[8*s.keys.n:][:8*s.k])
	for o := range s.outer {
		for i := range s.inner {
			h := heap{keys[o*s.n*s.inner+i:], s.inner, best}
			h.choose(s.n)
			s.give(a, o, i, best)
		}
	}
}

// give writes the elements of a list that are best, and their indices.
func (s *topK) give(a *Args, o, i int, best []int64) {
	at := o*s.k*s.inner + i
	if a.Out[0] != nil {
		y, x := a.Out[0].Data[at*s.size:], a.In[0].Data[(o*s.n*s.inner+i)*s.size:]
		for q, j := range best {
			copy(y[q*s.inner*s.size:][:s.size], x[int(j)*s.inner*s.size:])
		}
	}
	if len(a.Out) > 1 && a.Out[1] != nil {
		y := a.Out[1].Int64s()[at:]
		for q, j := range best {
			y[q*s.inner] = j
		}
	}
}

// floats looks for elements that are beyond the worst of the best so far, which a kernel
// does; only those are compared by their keys.
func (s *topK) floats(a *Args) {
	best, keys := slab.View[int64](a.Scratch[:8*s.k]), slab.View[int64](a.Scratch[8*s.k:][:8*s.n])
	column := slab.View[float32](a.Scratch[8*(s.k+s.n):][:4*s.n])
	how := kernel.FindAbove
	if s.keys.reverse {
		how = kernel.FindBelow
	}
	h := heap{keys, 1, best}
	for o := range s.outer {
		for i := range s.inner {
			x := a.In[0].Float32s()[o*s.n*s.inner+i:]
			if s.inner > 1 {
				for j := range column {
					column[j] = x[j*s.inner]
				}
				x = column
			}
			x = x[:s.n]
			for j, v := range x[:s.k] {
				best[j], keys[j] = int64(j), floatKey(float64(v), s.keys.reverse)
			}
			for r := s.k/2 - 1; r >= 0; r-- {
				h.sink(r, s.k)
			}
			for j := s.k; j < s.n; j++ {
				worst := x[best[0]]
				if worst != worst {
					break // all are NaN, which nothing is before
				}
				if j += kernel.FindBeyond(&x[j], s.n-j, worst, how); j == s.n {
					break
				}
				keys[j], best[0] = floatKey(float64(x[j]), s.keys.reverse), int64(j)
				h.sink(0, s.k)
			}
			h.sort()
			s.give(a, o, i, best)
		}
	}
}

// heap has the indices of the largest of keys that lie inner apart.
type heap struct {
	keys  []int64
	inner int
	list  []int64 // the worst of them first
}

// choose leaves in the list the indices of the best of n keys, best first.
func (h *heap) choose(n int) {
	list := h.list
	for j := range n {
		switch {
		case j < len(list):
			list[j] = int64(j)
			if j == len(list)-1 {
				for r := len(list)/2 - 1; r >= 0; r-- {
					h.sink(r, len(list))
				}
			}
		case h.keys[j*h.inner] > h.keys[int(list[0])*h.inner]: // of equals the earlier stays
			list[0] = int64(j)
			h.sink(0, len(list))
		}
	}
	h.sort()
}

// sort puts the best first.
func (h *heap) sort() {
	list := h.list
	for m := len(list) - 1; m > 0; m-- {
		list[0], list[m] = list[m], list[0]
		h.sink(0, m)
	}
}

// better says that element i goes before j.
func (h *heap) better(i, j int64) bool {
	a, b := h.keys[int(i)*h.inner], h.keys[int(j)*h.inner]
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
