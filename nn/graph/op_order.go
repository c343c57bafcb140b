package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// Operators that look for the largest or smallest elements.

func init() { enter(orders) }

var orders = []entry{
	{"ArgMax ArgMin", 1, "axis keepdims select_last_index", nil, planArg},
	{"TopK", 1, "axis k largest sorted", nil, planTopK},
}

// planArg gives the index of the largest or smallest element along an axis.
func planArg(c *Call) error {
	in := c.In(0)
	axis, err := axisOf(c, c.Node.Int("axis", 0), len(in.Dims))
	if err != nil {
		return err
	}
	out := cloneDims(in.Dims)
	out[axis] = 1
	if c.Node.Int("keepdims", 1) != 1 {
		out = append(out[:axis], out[axis+1:]...)
	}
	c.Out(0, Int64, out...)
	if Elements(out) == 0 {
		c.Run(nothing)
		return nil
	}
	if in.Dims[axis] == 0 {
		return c.Fail("axis ", axis, " of ", in.Dims, " is empty")
	}
	last := c.Node.Int("select_last_index", 0) != 0
	n, inner := in.Dims[axis], Elements(in.Dims[axis+1:])
	k := newKeys(c, c.Node.Op == "ArgMin")
	c.Run(func(a *Args) {
		keys := k.of(a)
		for i := range a.Out[0].Int64s() {
			at, best := i/inner*n*inner+i%inner, 0
			for j := 1; j < n; j++ {
				v, top := keys[at+j*inner], keys[at+best*inner]
				if v > top || last && v == top {
					best = j
				}
			}
			a.Out[0].Int64s()[i] = int64(best)
		}
	})
	return nil
}

// keys are int64 in the order of input 0's elements, so that ordering is
// compiled for one type. NaN counts as the first choice, as in NumPy.
type keys struct {
	floats  func(dst []float64, src []byte)
	ints    func(dst []int64, src []byte)
	n       int
	reverse bool // the smallest element has the largest key
	flip    int64
}

func newKeys(c *Call, reverse bool) *keys {
	in := c.In(0)
	k := &keys{n: in.Len(), reverse: reverse}
	c.Scratch(8 * k.n)
	if floatTypes.has(in.Type) {
		k.floats = loadFloats(in.Type)
		return k
	}
	k.ints = loadInts(in.Type)
	if in.Type == Uint64 {
		k.flip = math.MinInt64 // gives unsigned numbers the order of signed ones
	}
	return k
}

func (k *keys) of(a *Args) []int64 {
	out := slab.View[int64](a.Scratch[:8*k.n])
	if k.ints != nil {
		k.ints(out, a.In[0].Data)
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
		key := int64(math.Float64bits(v + 0)) // + 0 makes -0 the same as 0
		if key < 0 {
			key ^= math.MaxInt64
		}
		if k.reverse {
			key = ^key
		}
		if v != v {
			key = math.MaxInt64
		}
		out[i] = key
	}
	return out
}

// planTopK: k is an attribute up to opset 9, an input from 10 on. Equal elements
// keep their order.
func planTopK(c *Call) error {
	var k int64
	if c.Node.Version < 10 {
		k = c.Node.Int("k", -1)
	} else {
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
	axis, err := axisOf(c, c.Node.Int("axis", -1), len(dims))
	if err != nil {
		return err
	}
	if k < 0 || k > int64(dims[axis]) {
		return c.Fail("k is ", k, ", but dimension ", axis, " of ", dims, " is smaller")
	}
	out := cloneDims(dims)
	out[axis] = int(k)
	c.Out(0, c.In(0).Type, out...)
	c.Out(1, Int64, cloneDims(out)...)
	if k == 0 {
		c.Run(nothing)
		return nil
	}
	outer, n, inner := Elements(dims[:axis]), dims[axis], Elements(dims[axis+1:])
	t := &topK{n: n, inner: inner, heap: make([]int, k)}
	order, size := newKeys(c, c.Node.Int("largest", 1) == 0), c.In(0).Type.Size()
	c.Run(func(a *Args) {
		keys := order.of(a)
		for o := range outer {
			for i := range inner {
				t.choose(keys[o*n*inner+i:])
				for q, j := range t.heap {
					at := (o*len(t.heap)+q)*inner + i
					if a.Out[0] != nil {
						copy(a.Out[0].Data[at*size:(at+1)*size], a.In[0].Data[((o*n+j)*inner+i)*size:])
					}
					if len(a.Out) > 1 && a.Out[1] != nil {
						a.Out[1].Int64s()[at] = int64(j)
					}
				}
			}
		}
	})
	return nil
}

// topK chooses the largest of n keys that lie inner apart.
type topK struct {
	n, inner int
	heap     []int // indices, the worst of them first
}

// choose leaves in t.heap the indices of the best elements, best first.
func (t *topK) choose(x []int64) {
	h := t.heap
	for j := range t.n {
		switch {
		case j < len(h):
			h[j] = j
			if j == len(h)-1 {
				for r := len(h)/2 - 1; r >= 0; r-- {
					t.sink(x, r, len(h))
				}
			}
		case t.better(x, j, h[0]):
			h[0] = j
			t.sink(x, 0, len(h))
		}
	}
	for m := len(h) - 1; m > 0; m-- {
		h[0], h[m] = h[m], h[0]
		t.sink(x, 0, m)
	}
}

// better says that element i goes before j.
func (t *topK) better(x []int64, i, j int) bool {
	a, b := x[i*t.inner], x[j*t.inner]
	return a > b || a == b && i < j
}

// sink restores the heap of m indices, whose root is the worst, below r.
func (t *topK) sink(x []int64, r, m int) {
	h := t.heap
	for {
		child := 2*r + 1
		if child >= m {
			return
		}
		if child+1 < m && t.better(x, h[child], h[child+1]) {
			child++
		}
		if !t.better(x, h[r], h[child]) {
			return
		}
		h[r], h[child] = h[child], h[r]
		r = child
	}
}
