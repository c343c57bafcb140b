package op

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// sameOut declares output 0 as input 0 is, in whose memory it may be.
func sameOut(c *Call) *Spec {
	in := c.In(0)
	c.Out(0, in.Type, in.Dims...)
	c.InPlace(0, 0)
	return in
}

// need returns an error unless input i is there and its type is in s.
func need(c *Call, i int, s Types) error {
	in := c.In(i)
	if in == nil {
		return c.fail("input % is missing", nil, i)
	}
	if !s.Has(in.Type) {
		return unsupported(c, "type ", in.Type.String())
	}
	return nil
}

// axisOf turns an ONNX axis, which may count from the end, into an index.
func axisOf(c *Call, axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, c.fail("axis is %, want one in [%, %]", nil, int(axis), -rank, rank-1)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// axesOf turns a list of ONNX axes into a mask over rank dimensions.
func axesOf(c *Call, axes []int64, rank int) ([]bool, error) {
	mask := make([]bool, rank)
	for _, a := range axes {
		i, err := axisOf(c, a, rank)
		if err != nil {
			return nil, err
		}
		if mask[i] {
			return nil, c.fail("axis % is given twice", nil, int(a))
		}
		mask[i] = true
	}
	return mask, nil
}

// hostInts reads input i, a list of integers that shapes depend on. given is
// false when the input is omitted. The list lasts as long as the call.
func hostInts(c *Call, i int) (list []int64, given bool, err error) {
	in := c.In(i)
	if in == nil {
		return nil, false, nil
	}
	if !intTypes.Has(in.Type) {
		return nil, false, c.Fail("input ", i, " is ", in.Type.String(), ", want integers")
	}
	if len(in.Dims) > 1 {
		return nil, false, c.fail("input % has dimensions @, want a list", in.Dims, i)
	}
	t, err := c.Host(i)
	if err != nil {
		return nil, false, err
	}
	return t.AppendInts(c.Longs(t.Len())[:0]), true, nil
}

// listArg reads a list that was an attribute up to opset moved-1 and is input i
// from opset moved on.
func listArg(c *Call, attr string, i, moved int) (list []int64, given bool, err error) {
	if c.Node.Version >= moved {
		if c.Node.Attrs[attr] != nil {
			return nil, false, c.Fail("attribute ", attr, " became an input in opset ", moved)
		}
		return hostInts(c, i)
	}
	list, given = c.Node.Ints(attr)
	return list, given, nil
}

// hostFloat reads input i, a scalar number that the plan depends on.
func hostFloat(c *Call, i int, def float64) (float64, error) {
	in := c.In(i)
	if in == nil {
		return def, nil
	}
	if in.Len() != 1 {
		return 0, c.fail("input % has dimensions @, want a scalar", in.Dims, i)
	}
	t, err := c.Host(i)
	if err != nil {
		return 0, err
	}
	switch t.Type {
	case ir.Float32:
		return float64(t.Float32s()[0]), nil
	case ir.Float64:
		return t.Float64s()[0], nil
	case ir.Float16, ir.BFloat16:
		var v [1]float64
		loadFloats(t.Type)(v[:], t.Data)
		return v[0], nil
	}
	if !intTypes.Has(t.Type) {
		return 0, unsupported(c, "type ", t.Type.String())
	}
	return float64(t.AppendInts(c.Longs(1)[:0])[0]), nil
}

// rowMajor gives the strides, in elements, of a dense array. The list lasts as long as
// the call.
func rowMajor(c *Call, dims []int) []int {
	s := c.Dims(len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

// dimLimit bounds one dimension and the number of elements of what an operator
// makes, so that sizes read from a model cannot overflow.
const dimLimit = math.MaxInt32

// checkDims fails for dimensions, computed from a model's numbers, that are
// negative or absurdly large.
func checkDims(c *Call, dims []int) error {
	n := 1
	for _, d := range dims {
		if d < 0 {
			return c.fail("the output would have dimensions @", dims)
		}
		if d > 0 { // n and d have 31 bits
			if n *= min(d, dimLimit+1); n > dimLimit {
				return c.fail("the output would have dimensions @, more than % elements", dims, dimLimit)
			}
		}
	}
	return nil
}
