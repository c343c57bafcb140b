package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// Comparisons, logic and selection. A bool is a byte; any but 0 is true.

func init() {
	for _, op := range []string{"Equal", "Less", "Greater"} {
		register(op, 7, "", nil, planCompare)
	}
	for _, op := range []string{"LessOrEqual", "GreaterOrEqual"} {
		register(op, 12, "", nil, planCompare)
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		register(op, 7, "", nil, planLogic)
	}
	register("Not", 1, "", nil, planNot)
	register("Where", 9, "", nil, planWhere)
	register("IsNaN", 9, "", nil, planIsNaN)
	register("IsInf", 10, "detect_negative detect_positive", nil, planIsInf)
}

func planCompare(c *Call) error {
	op := c.Node.Op
	set := numberTypes
	if op == "Equal" {
		set |= typeSet(Bool)
	}
	if err := needSame(c, set, 0, 1); err != nil {
		return err
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, Bool, out...)
	switch c.In(0).Type {
	case Float32:
		stepBinary(c, out, comparison[float32](op))
	case Float64:
		stepBinary(c, out, comparison[float64](op))
	case Int8:
		stepBinary(c, out, comparison[int8](op))
	case Int16:
		stepBinary(c, out, comparison[int16](op))
	case Int32:
		stepBinary(c, out, comparison[int32](op))
	case Int64:
		stepBinary(c, out, comparison[int64](op))
	case Uint8:
		stepBinary(c, out, comparison[uint8](op))
	case Uint16:
		stepBinary(c, out, comparison[uint16](op))
	case Uint32:
		stepBinary(c, out, comparison[uint32](op))
	case Uint64:
		stepBinary(c, out, comparison[uint64](op))
	case Bool:
		stepBinary(c, out, eachPair(func(a, b uint8) uint8 { return truth((a != 0) == (b != 0)) }))
	}
	return nil
}

func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func comparison[T slab.Elem](op string) rowKernel[T, uint8] {
	switch op {
	case "Equal":
		return eachPair(func(a, b T) uint8 { return truth(a == b) })
	case "Less":
		return eachPair(func(a, b T) uint8 { return truth(a < b) })
	case "Greater":
		return eachPair(func(a, b T) uint8 { return truth(a > b) })
	case "LessOrEqual":
		return eachPair(func(a, b T) uint8 { return truth(a <= b) })
	}
	return eachPair(func(a, b T) uint8 { return truth(a >= b) })
}

func planLogic(c *Call) error {
	if err := needSame(c, typeSet(Bool), 0, 1); err != nil {
		return err
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, Bool, out...)
	inPlaceLike(c, Bool, out, 0, 1)
	switch c.Node.Op {
	case "And":
		stepBinary(c, out, eachPair(func(a, b uint8) uint8 { return truth(a != 0 && b != 0) }))
	case "Or":
		stepBinary(c, out, eachPair(func(a, b uint8) uint8 { return truth(a != 0 || b != 0) }))
	default:
		stepBinary(c, out, eachPair(func(a, b uint8) uint8 { return truth((a != 0) != (b != 0)) }))
	}
	return nil
}

func planNot(c *Call) error {
	if err := need(c, 0, typeSet(Bool)); err != nil {
		return err
	}
	dims := cloneDims(c.In(0).Dims)
	c.Out(0, Bool, dims...)
	inPlaceLike(c, Bool, dims, 0)
	c.Run(func(a *Args) {
		y := a.Out[0].Data
		for i, v := range a.In[0].Data {
			y[i] = truth(v == 0)
		}
	})
	return nil
}

func planWhere(c *Call) error {
	if err := need(c, 0, typeSet(Bool)); err != nil {
		return err
	}
	if err := needSame(c, storedTypes, 1, 2); err != nil {
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
		c.Run(func(*Args) {})
		return nil
	}
	inPlaceLike(c, t, out, 1, 2)
	switch t.Size() {
	case 1:
		stepWhere[uint8](c, w)
	case 2:
		stepWhere[uint16](c, w)
	case 4:
		stepWhere[uint32](c, w)
	case 8:
		stepWhere[uint64](c, w)
	}
	return nil
}

func stepWhere[T slab.Elem](c *Call, w *broadcast) {
	c.Run(func(a *Args) {
		where(w, slab.View[T](a.Out[0].Data), a.In[0].Data, slab.View[T](a.In[1].Data), slab.View[T](a.In[2].Data), 0)
	})
}

func where[T slab.Elem](w *broadcast, y []T, cond []byte, a, b []T, level int) int {
	n, cs, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level], w.steps[2][level]
	if level == len(w.dims)-1 {
		p, i, j := 0, 0, 0
		for k := range y[:n] {
			if cond[p] != 0 {
				y[k] = a[i]
			} else {
				y[k] = b[j]
			}
			p, i, j = p+cs, i+as, j+bs
		}
		return n
	}
	done := 0
	for i := range n {
		done += where(w, y[done:], cond[i*cs:], a[i*as:], b[i*bs:], level+1)
	}
	return done
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
	if err := need(c, 0, floatTypes|typeSet(Float16)); err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, Bool, cloneDims(in.Dims)...)
	load, size := loadFloats(in.Type), in.Type.Size()
	v := make([]float64, 1)
	c.Run(func(a *Args) {
		src := a.In[0].Data
		y := a.Out[0].Data
		for i := range y {
			load(v, src[i*size:(i+1)*size])
			y[i] = truth(f(v[0]))
		}
	})
	return nil
}
