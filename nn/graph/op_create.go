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
