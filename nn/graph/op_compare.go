package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// Comparisons, logic and selection. A bool is a byte; any but 0 is true.

func init() { enter(comparisons) }

var comparisons = []entry{
	{"Equal Less Greater", 7, "", nil, planCompare},
	{"LessOrEqual GreaterOrEqual", 12, "", nil, planCompare},
	{"And Or Xor", 7, "", nil, planLogic},
	{"Not", 1, "", nil, planNot},
	{"Where", 9, "", nil, planWhere},
	{"IsNaN", 9, "", nil, planIsNaN},
	{"IsInf", 10, "detect_negative detect_positive", nil, planIsInf},
}

func planCompare(c *Call) error {
	op := c.Node.Op
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, Bool, out...)
	if t := c.In(0).Type; floatTypes.has(t) {
		stepPairs(c, out, Bool, comparison[float64](op, t))
	} else {
		stepPairs(c, out, Bool, comparison[int64](op, t))
	}
	return nil
}

func truth[T wideElem | uint8](b bool) T {
	if b {
		return 1
	}
	return 0
}

// comparison gives 1 where it holds. t tells what the integers were.
func comparison[T wideElem](op string, t DType) func(a, b T) T {
	if t == Uint64 && op != "Equal" {
		// Flipping the highest bit gives unsigned numbers the order of signed ones.
		signed := comparison[int64](op, Int64)
		return func(a, b T) T { return T(signed(int64(a)^math.MinInt64, int64(b)^math.MinInt64)) }
	}
	return func(a, b T) T {
		switch op {
		case "Equal":
			if t == Bool {
				return truth[T]((a != 0) == (b != 0))
			}
			return truth[T](a == b)
		case "Less":
			return truth[T](a < b)
		case "Greater":
			return truth[T](a > b)
		case "LessOrEqual":
			return truth[T](a <= b)
		}
		return truth[T](a >= b)
	}
}

func planLogic(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, Bool, out...)
	op := c.Node.Op
	stepPairs(c, out, Bool, func(a, b int64) int64 {
		switch op {
		case "And":
			return truth[int64](a != 0 && b != 0)
		case "Or":
			return truth[int64](a != 0 || b != 0)
		}
		return truth[int64]((a != 0) != (b != 0))
	})
	return nil
}

func planNot(c *Call) error {
	sameOut(c)
	c.Run(func(a *Args) {
		y := a.Out[0].Data
		for i, v := range a.In[0].Data {
			y[i] = truth[uint8](v == 0)
		}
	})
	return nil
}

func planWhere(c *Call) error {
	if err := need(c, 0, boolOnly); err != nil {
		return err
	}
	out, err := broadcastDims(c, 0, 1, 2)
	if err != nil {
		return err
	}
	t := c.In(1).Type
	c.Out(0, t, out...)
	w := newBroadcast(out, c.In(0).Dims, c.In(1).Dims, c.In(2).Dims)
	if w.empty() {
		c.Run(nothing)
		return nil
	}
	inPlaceLike(c, t, out, 1, 2)
	size := t.Size()
	c.Run(func(a *Args) { where(w, a.Out[0].Data, a.In[0].Data, a.In[1].Data, a.In[2].Data, size, 0) })
	return nil
}

// where chooses elements of size bytes; it returns how many bytes of y it wrote.
func where(w *broadcast, y, cond, a, b []byte, size, level int) int {
	n, cs, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level], w.steps[2][level]
	switch {
	case level < len(w.dims)-1:
		done := 0
		for i := range n {
			done += where(w, y[done:], cond[i*cs:], a[i*as*size:], b[i*bs*size:], size, level+1)
		}
		return done
	case size == 4:
		whereWords(slab.View[uint32](y[:4*n]), cond, slab.View[uint32](a), slab.View[uint32](b), cs, as, bs)
	default:
		for k := range n {
			if cond[k*cs] != 0 {
				copy(y[k*size:(k+1)*size], a[k*as*size:])
			} else {
				copy(y[k*size:(k+1)*size], b[k*bs*size:])
			}
		}
	}
	return n * size
}

func whereWords(y []uint32, cond []byte, a, b []uint32, cs, as, bs int) {
	p, i, j := 0, 0, 0
	for k := range y {
		if cond[p] != 0 {
			y[k] = a[i]
		} else {
			y[k] = b[j]
		}
		p, i, j = p+cs, i+as, j+bs
	}
}

func planIsNaN(c *Call) error {
	return planTest(c, func(v float64) bool { return v != v })
}

func planIsInf(c *Call) error {
	neg, pos := c.Node.Int("detect_negative", 1) != 0, c.Node.Int("detect_positive", 1) != 0
	return planTest(c, func(v float64) bool {
		return neg && v < -math.MaxFloat64 || pos && v > math.MaxFloat64
	})
}

func planTest(c *Call, f func(v float64) bool) error {
	in := c.In(0)
	c.Out(0, Bool, in.Dims...)
	load, size := loadFloats(in.Type), in.Type.Size()
	v := make([]float64, 1)
	c.Run(func(a *Args) {
		src := a.In[0].Data
		y := a.Out[0].Data
		for i := range y {
			load(v, src[i*size:(i+1)*size])
			y[i] = truth[uint8](f(v[0]))
		}
	})
	return nil
}
