package op

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// ErrNotYet says that an operator's plan needs a value which no step has computed yet.
var ErrNotYet error = notYet{}

// notYet is an error that no call makes. The compiler lays out the tables of operators as
// data only while no variable of the package is initialized by a function call.
type notYet struct{}

func (notYet) Error() string { return "op: the value is not computed yet" }

// Spec is what is known of a value while planning.
type Spec struct {
	Type ir.DType
	Dims []int
	Host *ir.Tensor // the value itself, when it does not depend on the input data

	// Outer and Stride are those of ir.Tensor: where Stride is not 0 there are gaps. Only
	// operands whose In.Strided allows it have any.
	Outer, Stride int
}

// Len is the number of elements.
func (s *Spec) Len() int { return ir.Elements(s.Dims) }

// Call is one node being planned for concrete input shapes. An operator's plan function
// reads the node and the inputs by its methods, declares the outputs, and gives the step;
// the planner reads what it left in the exported fields.
type Call struct {
	Node *ir.Node
	Row  *Row

	Outs    []Spec   // the declared outputs: of those that do not exist Type is Undefined
	Aliases []int    // output i has the bytes of input Aliases[i]-1
	Places  []uint32 // by output: the set of inputs whose memory it may take
	Bytes   int      // of scratch memory
	Step    Step
	Draws   bool         // the step gives other numbers at each run: nothing of it is known ahead
	Apart   bool         // an output that takes an input's memory must share it with no other input
	Append  uint32       // the set of outputs that are in an input's memory, which has room for what is added (Row.Grows)
	Wait    int          // the input that ErrNotYet is about
	Err     error        // of a declaration
	Spares  []*ir.Tensor // by output: the tensor that Value may use again, or nil

	in       []*Spec
	former   Step
	store    *Store
	maxBytes int
	numbers  []int      // for lists of dimensions that last as long as the call
	given    []*ir.Attr // the node's attributes, by the row's list
	longs    []int64    // for lists that attributes and operands give
	plain    []*Spec    // for the inputs as the model has them, where they are blocked
	shown    [2]Spec
	shows    int // how many of shown there are; -1 where lists of dimensions are as they are
}

// Begin makes the call ready for a node: inputs as they are known, the step that it had
// before (nil for none), where it keeps packed weights, and the limit for its memory.
func (c *Call) Begin(n *ir.Node, row *Row, in []*Spec, former Step, store *Store, maxBytes int) {
	c.Node, c.Row, c.in, c.former, c.store, c.maxBytes = n, row, in, former, store, maxBytes
	if outs := len(n.Outputs); cap(c.Outs) < outs {
		c.Outs, c.Aliases, c.Places, c.Spares = make([]Spec, outs), make([]int, outs), make([]uint32, outs), make([]*ir.Tensor, outs)
	} else {
		c.Outs, c.Aliases, c.Places, c.Spares = c.Outs[:outs], c.Aliases[:outs], c.Places[:outs], c.Spares[:outs]
		for i := range outs {
			c.Outs[i].Type, c.Outs[i].Host, c.Aliases[i], c.Places[i], c.Spares[i] = ir.Undefined, nil, 0, 0, nil
		}
	}
	c.Bytes, c.Step, c.Draws, c.Apart, c.Append, c.Wait, c.Err = 0, nil, false, false, 0, 0, nil
	c.shows = 0
	c.numbers, c.longs = c.numbers[:0], c.longs[:0]
	if len(row.Attrs) == 0 {
		return
	}
	if store != nil && store.given != nil {
		c.given = store.given
		return
	}
	c.given = make([]*ir.Attr, len(row.Attrs))
	for i := range row.Attrs {
		c.given[i] = n.Attrs[row.Attrs[i].Name]
	}
	if store != nil {
		store.given = c.given
	}
}

// In is input i, nil when omitted.
func (c *Call) In(i int) *Spec {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// NumIn is the number of inputs, trailing omitted ones included.
func (c *Call) NumIn() int { return len(c.in) }

// NumOut is the number of outputs that the node names.
func (c *Call) NumOut() int { return len(c.Node.Outputs) }

// Out declares output i. Outputs that the node omits may be declared all the same;
// nothing is computed into them and Args.Out[i] is nil. The dimensions are copied.
func (c *Call) Out(i int, t ir.DType, dims ...int) {
	if c.Err == nil && !Sane(dims, t, c.maxBytes) {
		c.Err = c.fail("output % would have dimensions @, more than the session's limit of % bytes", c.Clone(dims), i, c.maxBytes)
	}
	if i < len(c.Outs) {
		c.Outs[i].Type, c.Outs[i].Dims = t, c.Clone(dims)
	}
}

// Value declares output i with a value, which the caller writes into the tensor that it
// gets: of the type, with the dimensions, its elements undefined.
func (c *Call) Value(i int, t ir.DType, dims ...int) *ir.Tensor {
	var v *ir.Tensor
	if i < len(c.Spares) {
		v = c.Spares[i]
	}
	size := t.Bytes(ir.Elements(dims))
	if v == nil || v.Type != t || cap(v.Data) < size {
		v = ir.NewTensor(t, append([]int(nil), dims...)...)
	} else {
		v.Data, v.Dims = v.Data[:size], append(v.Dims[:0], dims...)
	}
	if i < len(c.Outs) {
		c.Outs[i] = Spec{Type: t, Dims: v.Dims, Host: v}
		c.Spares[i] = v
	}
	return v
}

// OutHost declares output i with its value, which needs no step.
func (c *Call) OutHost(i int, t *ir.Tensor) {
	if i < len(c.Outs) {
		c.Outs[i] = Spec{Type: t.Type, Dims: t.Dims, Host: t}
	}
}

// Alias lets output i be input j under other dimensions: no step, no memory.
func (c *Call) Alias(i, j int) {
	if i < len(c.Aliases) {
		c.Aliases[i] = j + 1
	}
}

// InPlace allows output i to overwrite input j, when j is not needed later and has the
// same number of bytes. The step must then work with Out[i] == In[j]. Several inputs may
// be allowed for one output.
func (c *Call) InPlace(i, j int) {
	if i < len(c.Places) && j < 32 {
		c.Places[i] |= 1 << j
	}
}

// Appends says whether output i is where the input is that it grows from.
func (c *Call) Appends(i int) bool { return c.Append>>i&1 != 0 }

// Scratch asks for bytes of temporary memory.
func (c *Call) Scratch(bytes int) {
	if (bytes < 0 || bytes > c.maxBytes) && c.Err == nil {
		c.Err = c.fail("the operator needs % bytes of scratch memory; the session's limit is %", nil, bytes, c.maxBytes)
	}
	c.Bytes = max(c.Bytes, bytes)
}

// Dims is a list of n zeros that lasts as long as the call.
func (c *Call) Dims(n int) []int {
	list := c.list(n)
	clear(list)
	return list
}

func (c *Call) list(n int) []int {
	at := len(c.numbers)
	if at+n > cap(c.numbers) {
		c.numbers, at = make([]int, 0, max(256, 2*n)), 0 // who has a part of the old one keeps it
	}
	c.numbers = c.numbers[:at+n]
	return c.numbers[at : at+n : at+n]
}

// Longs is a list of n zeros of the type of ONNX's integers. It lasts as long as the call.
func (c *Call) Longs(n int) []int64 {
	at := len(c.longs)
	if at+n > cap(c.longs) {
		c.longs, at = make([]int64, 0, max(64, 2*n)), 0
	}
	c.longs = c.longs[:at+n]
	list := c.longs[at : at+n : at+n]
	clear(list)
	return list
}

// Clone is a copy of dims that lasts as long as the call.
func (c *Call) Clone(dims []int) []int {
	list := c.list(len(dims))
	copy(list, dims)
	return list
}

// Host returns input i's value, which the operator needs to tell its outputs' shapes (as
// Reshape needs its second input). When the value depends on the input data and is not
// computed yet it returns ErrNotYet, and the operator returns that error as it is: the
// planner calls it again once the value is there.
func (c *Call) Host(i int) (*ir.Tensor, error) {
	s := c.In(i)
	if s == nil {
		return nil, c.fail("input % is missing", nil, i)
	}
	if s.Host == nil {
		c.Wait = i
		return nil, ErrNotYet
	}
	return s.Host, nil
}

// Fail makes the error of a node whose operands do not fit: it puts the operator's and
// node's name before the parts.
func (c *Call) Fail(parts ...any) error {
	head := "graph: " + c.Node.Op
	if c.Node.Name != "" {
		head += " " + text.Quote(c.Node.Name)
	}
	for i, part := range parts {
		if dims, ok := part.([]int); ok {
			parts[i] = c.asInModel(dims)
		}
	}
	return ir.Shape(head, ": ", text.Join(parts...))
}

// fail is Fail for what most messages have in them: a % in the text stands for the next
// number, an @ for the list. Its callers are smaller, for they box nothing.
func (c *Call) fail(message string, list []int, numbers ...int) error {
	var parts []any
	from := 0
	for i := range len(message) {
		var value any
		switch message[i] {
		case '%':
			value, numbers = numbers[0], numbers[1:]
		case '@':
			value = list
		default:
			continue
		}
		parts = append(parts, message[from:i], value)
		from = i + 1
	}
	return c.Fail(append(parts, message[from:])...)
}

// Int, Float and Str return an attribute, or the default in the operator's row.

func (c *Call) Int(name string) int64 {
	i := c.Row.attr(name)
	if a := c.given[i]; a != nil && a.Kind == ir.AttrInt {
		return a.I
	}
	return c.Row.Attrs[i].I
}

func (c *Call) Float(name string) float32 {
	i := c.Row.attr(name)
	if a := c.given[i]; a != nil && a.Kind == ir.AttrFloat {
		return a.F
	}
	return c.Row.Attrs[i].F
}

func (c *Call) Str(name string) string {
	i := c.Row.attr(name)
	if a := c.given[i]; a != nil && a.Kind == ir.AttrString {
		return a.S
	}
	return c.Row.Attrs[i].S
}

// Ints returns a list and whether the node gives it. The row need not have it: operators
// that share a plan function differ in it.
func (c *Call) Ints(name string) ([]int64, bool) {
	for i := range c.Row.Attrs {
		if c.Row.Attrs[i].Name == name && c.given[i] != nil && c.given[i].Kind == ir.AttrInts {
			return c.given[i].Ints, true
		}
	}
	return nil, false
}

// Sane says whether a tensor of these dimensions has at most limit bytes. Zero
// dimensions do not excuse absurd ones beside them.
func Sane(dims []int, t ir.DType, limit int) bool {
	const small = 1 << 31 // the product of two of which is one
	n := max(t.Size(), 1)
	if t == ir.String {
		n = 16 // what refers to one
	}
	for _, d := range dims {
		switch {
		case d < 0:
			return false
		case d <= 1:
			continue
		case n >= small || d >= small:
			if n > limit/d {
				return false
			}
		}
		if n *= d; n > limit {
			return false
		}
	}
	return n <= max(limit, 16)
}

// Store is what a node keeps for all its plans: packed weights, above all.
type Store struct {
	kept  []kept
	given []*ir.Attr // by the row's list: the node's attributes, nil for those that it does not give
}

// Key tells apart what a node keeps: numbers whose meaning the operator chooses.
type Key [6]int

type kept struct {
	key   Key
	value any
}

// Bytes is how much memory the kept values have, as far as they say it.
func (s *Store) Bytes() int {
	n := 0
	for _, k := range s.kept {
		if v, ok := k.value.(interface{ Bytes() int }); ok {
			n += v.Bytes()
		}
	}
	return n
}

// Prepared returns what make gives, once for this node and key: the place for packed
// weights. make may use the values of the inputs from … to−1, which are known; unless
// these are all constants of the model, or left out, its result serves this plan only.
// Where it is kept nothing reads them again, and make may overwrite those that are Sole.
func Prepared[T any](c *Call, key Key, from, to int, make func(kept bool) T) T {
	if c.store == nil {
		return make(false)
	}
	for i := from; i < min(to, len(c.in)); i++ {
		if c.in[i] != nil && c.Node.Inputs[i].Const == nil {
			return make(false)
		}
	}
	for _, k := range c.store.kept {
		if k.key == key {
			if v, ok := k.value.(T); ok {
				return v
			}
		}
	}
	v := make(true)
	c.store.kept = append(c.store.kept, kept{key, v})
	return v
}
