package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// Operators that make values, or keep a part of them by position.

func init() { enter(makers) }

var makers = []entry{
	{"ConstantOfShape", 9, "value", nil, planConstantOfShape},
	{"Range", 11, "", nil, planRange},
	{"Trilu", 14, "upper", nil, planTrilu},
	{"CumSum", 11, "exclusive reverse", nil, planCumSum},
	{"Pad", 2, "mode pads value", checkPad, planPad},
	{"TopK", 1, "axis k largest sorted", nil, planTopK},
}

func planConstantOfShape(c *Call) error {
	want, given, err := hostInts(c, 0)
	if err != nil {
		return err
	}
	if !given {
		return c.Fail("the shape is missing")
	}
	t, value := Float32, []byte{0, 0, 0, 0}
	if a := c.Node.Attrs["value"]; a != nil {
		if a.T == nil || a.T.Len() != 1 {
			return c.Fail("value must have one element")
		}
		t, value = a.T.Type, a.T.Data
	}
	if !storedTypes.has(t) {
		return unsupported(c, "type ", t.String())
	}
	out := make([]int, len(want))
	for i, w := range want {
		if w < 0 || w > dimLimit {
			return c.Fail("the shape's element ", i, " is ", w)
		}
		out[i] = int(w)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, t, out...)
	aligned := slab.New(len(value))
	copy(aligned, value)
	c.Run(func(a *Args) { fillTensor(a.Out[0].Data, aligned) })
	return nil
}

// planRange: start, limit and delta are scalars that the output's size depends
// on.
func planRange(c *Call) error {
	var ints [3]int64
	var floats [3]float64
	t := c.In(0).Type
	for i := range ints {
		var err error
		if floats[i], err = hostFloat(c, i, 0); err != nil {
			return err
		}
		if !floatTypes.has(t) {
			h, _ := c.Host(i)
			ints[i] = h.Ints()[0]
		}
	}
	span := floats[1] - floats[0]
	if !floatTypes.has(t) && math.Abs(span) < 1<<62 {
		span = float64(ints[1] - ints[0]) // which large numbers lose as floats
	}
	n := rangeSize(math.Ceil(span / floats[2]))
	if n < 0 || floats[2] == 0 {
		return c.Fail("there is no range from ", floats[0], " to ", floats[1], " by ", floats[2])
	}
	c.Out(0, t, n)
	if floatTypes.has(t) {
		stepRange(c, floats[0], floats[2])
	} else {
		stepRange(c, ints[0], ints[2])
	}
	return nil
}

func stepRange[T wideElem](c *Call, start, delta T) {
	put, size, v := storer[T](c.In(0).Type), c.In(0).Type.Size(), make([]T, 1)
	c.Run(func(a *Args) {
		y := a.Out[0].Data
		for i := T(0); len(y) > 0; i++ {
			v[0] = start + T(i*delta)
			if put != nil {
				put(y[:size], v)
			} else {
				copy(y, slab.Bytes(v))
			}
			y = y[size:]
		}
	})
}

// rangeSize is -1 for what is no size.
func rangeSize(n float64) int {
	switch {
	case n <= 0:
		return 0
	case n <= dimLimit:
		return int(n)
	}
	return -1
}

// planTrilu keeps, of each matrix, what is on and above (or below) diagonal k.
func planTrilu(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	if len(dims) < 2 {
		return c.Fail("the input has dimensions ", dims, ", want matrices")
	}
	k := int64(0)
	if list, given, err := hostInts(c, 1); err != nil {
		return err
	} else if given {
		if len(list) != 1 {
			return c.Fail("k has ", len(list), " elements")
		}
		k = list[0]
	}
	rows, cols := dims[len(dims)-2], dims[len(dims)-1]
	k = min(max(k, -int64(rows)), int64(cols))
	upper := c.Node.Int("upper", 1) != 0
	c.Out(0, t, dims...)
	c.InPlace(0, 0)
	row := cols * t.Size()
	c.Run(func(a *Args) {
		y := a.Out[0].Data
		copy(y, a.In[0].Data)
		for i := 0; len(y) > 0; i++ {
			edge := min(max(i%rows+int(k), 0), cols) * t.Size()
			if upper {
				clear(y[:edge])
			} else {
				clear(y[min(edge+t.Size(), row):row])
				if i%rows+int(k) < 0 {
					clear(y[:row])
				}
			}
			y = y[row:]
		}
	})
	return nil
}

func planCumSum(c *Call) error {
	list, given, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if !given || len(list) != 1 {
		return c.Fail("input 1, the axis, must be one number")
	}
	dims := cloneDims(c.In(0).Dims)
	axis, err := axisOf(c, list[0], len(dims))
	if err != nil {
		return err
	}
	outer, n, inner := Elements(dims[:axis]), dims[axis], Elements(dims[axis+1:])
	c.Out(0, c.In(0).Type, dims...)
	if floatTypes.has(c.In(0).Type) {
		stepCumSum[float64](c, outer, n, inner)
	} else {
		stepCumSum[int64](c, outer, n, inner)
	}
	return nil
}

func stepCumSum[T wideElem](c *Call, outer, n, inner int) {
	exclusive, reverse := c.Node.Int("exclusive", 0) != 0, c.Node.Int("reverse", 0) != 0
	w := newWide[T](c, 1, c.In(0).Type, outer*n*inner)
	c.Run(func(a *Args) {
		x, y := w.in(a, 0), w.out(a)
		for o := range outer {
			for i := range inner {
				var sum T
				for k := range n {
					at := (o*n+k)*inner + i
					if reverse {
						at = (o*n+n-1-k)*inner + i
					}
					if exclusive {
						y[at] = sum
						sum += x[at]
					} else {
						sum += x[at]
						y[at] = sum
					}
				}
			}
		}
		w.done(a)
	})
}

func checkPad(n *Node) string {
	switch m := n.Str("mode", "constant"); m {
	case "constant", "reflect", "edge", "wrap":
		return ""
	default:
		return "mode=" + m
	}
}

// planPad: pads and value are attributes up to opset 10, inputs from 11 on; from
// 18 on axes may say which dimensions pads are for. Negative pads crop.
func planPad(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	pads, given, err := listArg(c, "pads", 1, 11)
	if err != nil {
		return err
	}
	axes := make([]int64, len(dims))
	for i := range axes {
		axes[i] = int64(i)
	}
	if c.Node.Version >= 18 {
		if list, ok, err := hostInts(c, 3); err != nil {
			return err
		} else if ok {
			axes = list
		}
	}
	if !given || len(pads) != 2*len(axes) {
		return c.Fail("there are ", len(pads), " pads for ", len(axes), " dimensions")
	}
	if _, err := axesOf(c, axes, len(dims)); err != nil {
		return err
	}
	out, before := cloneDims(dims), make([]int, len(dims))
	for i, a := range axes {
		axis, _ := axisOf(c, a, len(dims))
		b, e := pads[i], pads[i+len(axes)]
		if b < -dimLimit || b > dimLimit || e < -dimLimit || e > dimLimit {
			return c.Fail("pads are ", intsOf(pads))
		}
		before[axis] = int(b)
		out[axis] += int(b + e)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	mode := c.Node.Str("mode", "constant")
	c.Out(0, t, out...)
	if c.err != nil || Elements(out) == 0 {
		c.Run(nothing)
		return nil
	}
	if mode == "constant" {
		return padConstant(c, dims, out, before)
	}
	// Every output element has a source along each axis, kept as an offset.
	steps, sources := rowMajor(dims), make([][]int, len(dims))
	for axis, n := range out {
		if dims[axis] == 0 {
			return c.Fail("dimension ", axis, " of ", dims, " is empty: there is nothing to repeat")
		}
		for i := range n {
			sources[axis] = append(sources[axis], mirrored(i-before[axis], dims[axis], mode)*steps[axis])
		}
	}
	return stepSources(c, sources)
}

// mirrored brings an index outside [0, n) back into it.
func mirrored(i, n int, mode string) int {
	switch mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return ((i % n) + n) % n
	}
	period := max(2*n-2, 1) // reflect: the border itself is not repeated
	i = ((i % period) + period) % period
	if i >= n {
		i = period - i
	}
	return i
}

// stepSources sets the step that takes each output element from the sum of its
// axes' offsets.
func stepSources(c *Call, sources [][]int) error {
	size := c.In(0).Type.Size()
	c.Run(func(a *Args) { copySources(a.Out[0].Data, a.In[0].Data, sources, 0, size) })
	return nil
}

func copySources(y, x []byte, sources [][]int, base, size int) int {
	if len(sources) == 0 {
		return copy(y, x[base*size:(base+1)*size])
	}
	list := sources[0]
	if len(sources) == 1 && size == 4 {
		from, to := slab.View[uint32](x)[base:], slab.View[uint32](y[:4*len(list)])
		for i, s := range list {
			to[i] = from[s]
		}
		return 4 * len(list)
	}
	done, last := 0, 0
	for i, s := range list {
		if i > 0 && s == list[i-1] { // the same again
			done += copy(y[done:], y[done-last:done])
			continue
		}
		last = copySources(y[done:], x, sources[1:], base+s, size)
		done += last
	}
	return done
}

func padConstant(c *Call, dims, out, before []int) error {
	t := c.In(0).Type
	value := slab.New(t.Size())
	if c.Node.Version < 11 {
		if v := c.Node.Float("value", 0); v != 0 {
			if !floatTypes.has(t) {
				return unsupported(c, "type ", t.String())
			}
			put := make([]float64, 1)
			put[0] = float64(v)
			storeFloats(t)(value, put)
		}
	} else if v := c.In(2); v != nil && (v.Type != t || v.Len() != 1) {
		return c.Fail("the value is ", v.Type.String(), " with dimensions ", v.Dims, ", want one ", t.String())
	}
	// What of the input stays, and where it comes to lie.
	walk, src, dst := make([]int, len(dims)), rowMajor(dims), rowMajor(out)
	from, to := 0, 0
	for i, n := range dims {
		lo, hi := max(0, -before[i]), min(n, out[i]-before[i])
		walk[i] = max(hi-lo, 0)
		from += min(lo, n) * src[i]
		to += max(lo+before[i], 0) * dst[i]
	}
	p := newStrided(t.Size(), walk, src, dst)
	p.srcAt, p.dstAt = from, to
	whole := sameDims(walk, out)
	c.Run(func(a *Args) {
		v := value
		if len(a.In) > 2 && a.In[2] != nil && c.Node.Version >= 11 {
			v = a.In[2].Data
		}
		if !whole {
			fillTensor(a.Out[0].Data, v)
		}
		p.run(a.Out[0].Data, a.In[0].Data)
	})
	return nil
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
