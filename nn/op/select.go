//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that choose elements by what they are.

// keptTypes are those of which Compress and Unique hand on elements.
const keptTypes = storedTypes | 1<<ir.String

func init() { Register(selectRows) }

var selectRows = []Row{{
	Name: "Compress", Since: 9, Changes: []int{11},
	In:    []In{{Name: "input", Types: keptTypes, Var: 'T'}, {Name: "condition", Types: boolOnly}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}},
	Rank:  compressRank,
	Plan:  planCompress,
}, {
	Name: "Unique", Since: 11,
	In: []In{{Name: "X", Types: keptTypes, Var: 'T'}},
	Out: []Out{{Name: "Y", Var: 'T'}, {Name: "indices", Type: ir.Int64, Opt: true}, {Name: "inverse_indices", Type: ir.Int64, Opt: true},
		{Name: "counts", Type: ir.Int64, Opt: true}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}, {Name: "sorted", Kind: ir.AttrInt, I: 1}},
	Rank:  compressRank,
	Plan:  planUnique,
}, {
	Name: "Hardmax", Since: 1, Changes: []int{11, 13},
	In:    []In{{Name: "input", Types: floatTypes, Var: 'T'}},
	Out:   outputOut,
	Attrs: softmaxAttrs,
	Rank:  sameRank,
	Plan:  planHardmax,
}, {
	Name: "EyeLike", Since: 9, Changes: []int{22},
	In:    []In{{Name: "input", Types: storedTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T', From: "dtype"}},
	Attrs: []Attr{{Name: "dtype", Kind: ir.AttrInt}, {Name: "k", Kind: ir.AttrInt}},
	Rank:  matrixRank,
	Check: checkEyeLike,
	Plan:  planEyeLike,
}}

// compressRank: without an axis the input counts as a list.
func compressRank(n *ir.Node, rank func(i int) int) int {
	if n.Attrs["axis"] == nil {
		return 1
	}
	return rank(0)
}

// threeAxes gives the dimensions before the attribute axis, at it, and behind it. Without
// one all are one axis.
func threeAxes(c *Call) (axis, outer, n, inner int, err error) {
	dims := c.In(0).Dims
	if c.Node.Attrs["axis"] == nil {
		return -1, 1, ir.Elements(dims), 1, nil
	}
	if axis, err = axisOf(c, c.Int("axis"), len(dims)); err != nil {
		return 0, 0, 0, 0, err
	}
	return axis, ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:]), nil
}

// planCompress keeps what stands where the condition is true. A condition that is too short
// is false for the rest.
func planCompress(c *Call) error {
	axis, outer, n, inner, err := threeAxes(c)
	if err != nil {
		return err
	}
	if len(c.In(1).Dims) != 1 {
		return c.fail("the condition has dimensions @, want a list", c.In(1).Dims)
	}
	condition, err := c.Host(1)
	if err != nil {
		return err
	}
	s := Into[pick](c)
	s.at = s.at[:0]
	for i, v := range condition.Data[:min(n, condition.Len())] {
		if v != 0 {
			s.at = append(s.at, i)
		}
	}
	s.set(c, outer, n, inner)
	out := c.Clone(c.In(0).Dims)
	if axis < 0 {
		out, axis = c.Dims(1), 0
	}
	out[axis] = len(s.at)
	c.Out(0, c.In(0).Type, out...)
	return nil
}

// pick takes places of the middle one of three axes.
type pick struct {
	at              []int
	outer, n, inner int
	size            int // of an element, 0 of a string
}

func (s *pick) set(c *Call, outer, n, inner int) {
	s.outer, s.n, s.inner, s.size = outer, n, inner, c.In(0).Type.Size()
}

func (s *pick) Run(a *Args) { s.run(a.Out[0], a.In[0]) }

func (s *pick) run(y, x *ir.Tensor) {
	to := 0
	for o := range s.outer {
		for _, i := range s.at {
			from := (o*s.n + i) * s.inner
			if s.size == 0 {
				copy(y.Strings[to:to+s.inner], x.Strings[from:])
			} else {
				copy(y.Data[to*s.size:(to+s.inner)*s.size], x.Data[from*s.size:])
			}
			to += s.inner
		}
	}
}

// planUnique: what is there depends on the elements, so that all of it is done here.
func planUnique(c *Call) error {
	axis, outer, n, inner, err := threeAxes(c)
	if err != nil {
		return err
	}
	x, err := c.Host(0)
	if err != nil {
		return err
	}
	// Slices are compared element by element.
	compare := func(i, j int) int {
		for o := range outer {
			a, b := x.Strings[(o*n+i)*inner:], x.Strings[(o*n+j)*inner:]
			for k := range inner {
				if a[k] != b[k] {
					return 1 - 2*int(truth[uint8](a[k] < b[k]))
				}
			}
		}
		return 0
	}
	if x.Type != ir.String {
		keys := orderKeys(x)
		compare = func(i, j int) int {
			for o := range outer {
				a, b := keys[(o*n+i)*inner:], keys[(o*n+j)*inner:]
				for k := range inner {
					if a[k] != b[k] {
						return 1 - 2*int(truth[uint8](a[k] < b[k]))
					}
				}
			}
			return 0
		}
	}
	first, inverse, counts := distinct(n, compare)
	if c.Int("sorted") == 0 { // in the order of the first of each
		order := ir.Ordered(len(first), func(a, b int) bool { return first[a] < first[b] })
		was, had, place := first, counts, make([]int, len(first))
		first, counts = make([]int, len(was)), make([]int64, len(was))
		for k, g := range order {
			first[k], counts[k], place[g] = was[g], had[g], k
		}
		for i, g := range inverse {
			inverse[i] = int64(place[g])
		}
	}
	dims := append([]int(nil), x.Dims...)
	if axis < 0 {
		dims, axis = []int{0}, 0
	}
	dims[axis] = len(first)
	y := ir.NewTensor(x.Type, dims...)
	s := pick{at: first}
	s.set(c, outer, n, inner)
	s.run(y, x)
	c.OutHost(0, y)
	indices := ir.NewTensor(ir.Int64, len(first))
	for k, i := range first {
		indices.Int64s()[k] = int64(i)
	}
	c.OutHost(1, indices)
	c.OutHost(2, &ir.Tensor{Type: ir.Int64, Dims: []int{n}, Data: slab.Bytes(inverse)})
	c.OutHost(3, &ir.Tensor{Type: ir.Int64, Dims: []int{len(first)}, Data: slab.Bytes(counts)})
	return nil
}

// distinct groups 0 … n−1 by equality, in the order of compare: the first of each group, the
// group of each, and how many there are in each.
func distinct(n int, compare func(i, j int) int) (first []int, inverse, counts []int64) {
	inverse = make([]int64, n)
	before := -1
	for _, i := range ir.Ordered(n, func(a, b int) bool { return compare(a, b) < 0 }) {
		if before < 0 || compare(before, i) != 0 {
			first, counts = append(first, i), append(counts, 0)
		}
		before = i
		inverse[i] = int64(len(first) - 1)
		counts[len(first)-1]++
	}
	return first, inverse, counts
}

// orderKeys are integers that are in the order of a tensor's numbers. −0 is 0, and what is
// no number is one and comes last.
func orderKeys(t *ir.Tensor) []int64 {
	keys := make([]int64, t.Len())
	orderKeysInto(keys, t)
	return keys
}

func orderKeysInto(keys []int64, t *ir.Tensor) {
	if !floatLike(t.Type) {
		loadInts(t.Type)(keys, t.Data)
		for i := range keys {
			if t.Type == ir.Uint64 {
				keys[i] = keys[i] ^ math.MinInt64
			}
		}
		return
	}
	floats := slab.View[float64](slab.Bytes(keys))
	loadFloats(t.Type)(floats, t.Data)
	for i, v := range floats {
		k := int64(math.Float64bits(v))
		switch {
		case v != v:
			k = math.MaxInt64
		case v == 0:
			k = 0
		case k < 0:
			k ^= math.MaxInt64
		}
		keys[i] = k
	}
}

// planHardmax: 1 for the first of the largest, 0 for the others, along what is one axis for
// a softmax.
func planHardmax(c *Call) error {
	t := sameOut(c).Type
	outer, n, inner, err := softmaxAxes(c)
	if err != nil {
		return err
	}
	if outer*n*inner == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[hardmax](c)
	s.outer, s.n, s.inner = outer, n, inner
	s.w.set(c, 1, t, outer*n*inner)
	return nil
}

type hardmax struct {
	w               wide[float64]
	outer, n, inner int
}

func (s *hardmax) Run(a *Args) {
	x, y := s.w.in(a, 0), s.w.out(a)
	for o := range s.outer {
		for i := range s.inner {
			at := o*s.n*s.inner + i
			best := 0
			for k := 1; k < s.n; k++ {
				if x[at+k*s.inner] > x[at+best*s.inner] {
					best = k
				}
			}
			for k := range s.n {
				y[at+k*s.inner] = truth[float64](k == best)
			}
		}
	}
	s.w.done(a)
}

func checkEyeLike(n *ir.Node) string {
	if to := n.Int("dtype", int64(ir.Float32)); !castable(to) || !storedTypes.Has(ir.DType(to)) {
		return text.Join("dtype=", to)
	}
	return ""
}

// planEyeLike: ones on a diagonal.
func planEyeLike(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	if len(dims) != 2 {
		return c.fail("the input has dimensions @, want a matrix", dims)
	}
	if c.Node.Attrs["dtype"] != nil {
		t = ir.DType(c.Int("dtype"))
	}
	c.Out(0, t, dims...)
	s := Into[eye](c)
	s.rows, s.cols, s.size, s.one = dims[0], dims[1], t.Size(), [8]byte{}
	s.k = int(min(max(c.Int("k"), -int64(dims[0])), int64(dims[1])))
	if floatLike(t) {
		storeFloats(t)(s.one[:s.size], []float64{1})
	} else {
		s.one[0] = 1
	}
	return nil
}

type eye struct {
	rows, cols, k, size int
	one                 [8]byte
}

func (s *eye) Run(a *Args) {
	y := a.Out[0].Data
	clear(y)
	for i := max(0, -s.k); i < s.rows && i+s.k < s.cols; i++ {
		copy(y[(i*s.cols+i+s.k)*s.size:], s.one[:s.size])
	}
}
