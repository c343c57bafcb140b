package graph

import (
	"math"
	"slices"
	"strings"

	"github.com/normwasm/normwasm/internal/text"
)

// entry describes operators that are planned by one function. The tables of
// entries are data, which costs a small module less than calls would.
type entry struct {
	ops   string // names, separated by spaces
	since int
	// attrs lists every attribute that the plan function honours: a node with
	// any other is reported at load rather than run as if it were not there.
	attrs string
	check func(n *Node) string
	plan  func(c *Call) error
}

// enter puts entries into the table of operators.
func enter(entries []entry) {
	for i := range entries {
		e := &entries[i]
		for _, name := range strings.Fields(e.ops) {
			operators[name] = operator{since: e.since, check: e.missing, plan: e.planned}
		}
	}
}

func (e *entry) missing(n *Node) string {
	known, missing := strings.Fields(e.attrs), ""
	for attr := range n.Attrs {
		if !slices.Contains(known, attr) && (missing == "" || attr < missing) {
			missing = attr
		}
	}
	if missing != "" {
		return "attribute " + plain(missing)
	}
	if e.check != nil {
		if why := e.check(n); why != "" {
			return why
		}
	}
	return checkTypes(n)
}

func (e *entry) planned(c *Call) error {
	if err := checkOperands(c); err != nil {
		return err
	}
	return e.plan(c)
}

// nothing is the step of what has no elements.
func nothing(*Args) {}

// sameOut declares output 0 as input 0 is, in whose memory it may be.
func sameOut(c *Call) *Spec {
	in := c.In(0)
	c.Out(0, in.Type, in.Dims...)
	c.InPlace(0, 0)
	return in
}

// unsupported is the error of a node that is valid ONNX but not implemented.
func unsupported(c *Call, parts ...any) error {
	return &UnsupportedError{Missing: []string{c.Node.Op + ": " + text.Join(parts...)}}
}

// types is a set of element types.
type types uint32

const (
	float32Only types = 1 << Float32
	floatTypes        = float32Only | 1<<Float64
	signedTypes       = floatTypes | 1<<Int8 | 1<<Int16 | 1<<Int32 | 1<<Int64
	intTypes    types = 1<<Uint8 | 1<<Uint16 | 1<<Uint32 | 1<<Uint64 | 1<<Int8 | 1<<Int16 | 1<<Int32 | 1<<Int64
	indexTypes  types = 1<<Int32 | 1<<Int64
	numberTypes       = intTypes | floatTypes
	boolOnly    types = 1 << Bool
	// storedTypes are those that operators can move around without computing.
	storedTypes = numberTypes | boolOnly | 1<<Float16
)

func (s types) has(t DType) bool { return s>>t&1 != 0 }

// need returns an error unless input i is there and its type is in s.
func need(c *Call, i int, s types) error {
	in := c.In(i)
	if in == nil {
		return c.Fail("input ", i, " is missing")
	}
	if !s.has(in.Type) {
		return unsupported(c, "type ", in.Type.String())
	}
	return nil
}

// axisOf turns an ONNX axis, which may count from the end, into an index.
func axisOf(c *Call, axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, c.Fail("axis is ", axis, ", want one in [", -rank, ", ", rank-1, "]")
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
			return nil, c.Fail("axis ", a, " is given twice")
		}
		mask[i] = true
	}
	return mask, nil
}

// hostInts reads input i, a list of integers that shapes depend on. given is
// false when the input is omitted.
func hostInts(c *Call, i int) (list []int64, given bool, err error) {
	in := c.In(i)
	if in == nil {
		return nil, false, nil
	}
	if !intTypes.has(in.Type) {
		return nil, false, c.Fail("input ", i, " is ", in.Type.String(), ", want integers")
	}
	if len(in.Dims) > 1 {
		return nil, false, c.Fail("input ", i, " has dimensions ", in.Dims, ", want a list")
	}
	t, err := c.Host(i)
	if err != nil {
		return nil, false, err
	}
	return t.Ints(), true, nil
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
		return 0, c.Fail("input ", i, " has dimensions ", in.Dims, ", want a scalar")
	}
	t, err := c.Host(i)
	if err != nil {
		return 0, err
	}
	switch t.Type {
	case Float32:
		return float64(t.Float32s()[0]), nil
	case Float64:
		return t.Float64s()[0], nil
	}
	if !intTypes.has(t.Type) {
		return 0, unsupported(c, "type ", t.Type.String())
	}
	return float64(t.Ints()[0]), nil
}

func cloneDims(dims []int) []int { return append(make([]int, 0, len(dims)), dims...) }

func sameDims(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// rowMajor gives the strides, in elements, of a dense array.
func rowMajor(dims []int) []int {
	s := make([]int, len(dims))
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
			return c.Fail("the output would have dimensions ", dims)
		}
		if d > 0 && n > dimLimit/d {
			return c.Fail("the output would have dimensions ", dims, ", more than ", dimLimit, " elements")
		}
		if d > 0 {
			n *= d
		}
	}
	return nil
}
