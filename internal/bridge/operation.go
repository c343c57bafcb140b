package bridge

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// Operation is one of norm's computations as both interfaces to JavaScript see it. A call on
// the frame is the operands in this order, the shape, the axes (length -1: none given) and the
// options as float64, two integers each. What JavaScript has to know of it is generated from
// here (internal/bridge/generate): who changes a row runs make generate.
type Operation struct {
	Name     string
	Doc      string // what it computes; the second part of its help
	Operands []Operand
	Options  []Option
	Axes     bool // it takes axes

	// Function says that the npm package has a function of this name, which needs nothing but
	// what stands here and is generated as a whole. Places says that JavaScript places the
	// operands in memory itself. Of all others it has a function that writes the call.
	Function, Places bool

	// prepare makes what calls of the same shape, axes and options share; kept by
	// the operation's name, or by that of the forward pass it belongs to.
	prepare func(*Call) (any, error)
	run     func(*Call) error
}

// Operand is an array of float32 that an operation reads or writes.
type Operand struct {
	Name string
	Mark Mark
}

// Mark says how an operand is used.
type Mark uint8

const (
	Written Mark = 1 << iota // it receives elements
	InPlace                  // "out" and "sum" may be the very same memory
	Double                   // its elements are float64, counted as two float32
	Needed                   // it cannot be left out
	Learnt                   // with Written: only where the option updateStats is true
)

// Option is a number, and what else crosses as one.
type Option struct {
	Name    string
	Default float64 // of one that is left out; None: the operation says what that means
	Words   []string
	Kind    Kind
	Needed  bool // it has no default
}

// Kind says what values an option has.
type Kind uint8

const (
	Number Kind = iota
	Whole
	Flag // true or false: 1 or 0
	Word // one of Words: its index. "" is no word: that index is only for one that is left out
	ID   // what a layer is known by
)

// Meant are the words that one can write.
func (o Option) Meant() []string {
	if len(o.Words) > 0 && o.Words[0] == "" {
		return o.Words[1:]
	}
	return o.Words
}

// None is the value of an option that is left out and has no default.
const None = -1 << 31

// MaxWhole limits the options that are no Number.
const MaxWhole = math.MaxUint32

const (
	maxOperands = 8
	maxOptions  = 10
)

// Call is an operation with its arguments.
type Call struct {
	Op       int // the index in Operations
	Operands [maxOperands][]float32
	Shape    []int
	Axes     []int // nil: the operation's default
	Options  [maxOptions]float64

	b    *Bridge
	plan any
}

// whole is an option that Norm has found to be a whole number.
func (c *Call) whole(i int) int { return int(c.Options[i]) }

// NormFrame runs the operation of this index with the arguments on the frame.
func (b *Bridge) NormFrame(op int) error {
	if op < 0 || op >= len(Operations) {
		return &Error{Invalid, text.Join("bridge: there is no operation ", op)}
	}
	o := &Operations[op]
	if c := b.repeated.find(op, b.frame); c != nil {
		return o.run(c)
	}
	c, r := &b.call, b.read()
	c.Op = op
	for i := range o.Operands {
		c.Operands[i] = r.floats()
	}
	c.Shape, c.Axes = r.list("shape"), r.list("axes")
	for i := range o.Options {
		c.Options[i] = r.float64()
	}
	err := r.err
	if err == nil {
		err = b.Norm(c)
	}
	if err == nil && o.prepare != nil {
		b.repeated.keep(c, b.frame[:r.at])
	}
	*c = Call{} // or it would keep memory that was freed
	return err
}

// Norm runs a call. What is prepared for its shape, axes and options is kept, so
// that a call like an earlier one allocates nothing.
func (b *Bridge) Norm(c *Call) (err error) {
	o := &Operations[c.Op]
	for i, p := range o.Options {
		v := c.Options[i]
		if p.Kind == Number || v == None && p.Default == None {
			continue
		}
		if p.Kind == Word && !(v >= 0 && v < float64(len(p.Words))) {
			return &Error{Invalid, text.Join("norm: ", title(o.Name), ": ", p.Name, " is ", v, ", want one of ", p.Meant(), " (0 to ", len(p.Words)-1, ")")}
		}
		if !(v == math.Trunc(v) && math.Abs(v) <= MaxWhole) {
			return &Error{BadShape, text.Join("norm: ", title(o.Name), ": ", p.Name, " is ", v, ", want a whole number")}
		}
	}
	c.b = b
	if o.prepare != nil {
		if c.plan, err = b.plans.get(c, o); err != nil {
			return err
		}
	}
	if err := c.apart(o); err != nil {
		return err
	}
	return o.run(c)
}

// apart refuses a result that overlaps another operand: resident tensors are not copied,
// so a caller can pass ones that share memory.
func (c *Call) apart(o *Operation) error {
	for i, w := range o.Operands {
		if w.Mark&Written == 0 || len(c.Operands[i]) == 0 {
			continue
		}
		y := c.Operands[i]
		for j, p := range o.Operands {
			s := c.Operands[j]
			if i == j || !slab.Overlap(y, s) {
				continue
			}
			if p.Mark&InPlace == 0 || w.Name != "out" && w.Name != "sum" {
				return &Error{Invalid, text.Join("norm: ", title(o.Name), ": ", w.Name, " and ", p.Name, " are the same memory")}
			}
			if &y[0] != &s[0] {
				return &Error{Invalid, text.Join("norm: ", title(o.Name), ": ", w.Name, " overlaps ", p.Name, " without being the same")}
			}
		}
	}
	return nil
}

// title is an operation's name as norm has it.
func title(name string) string { return string(name[0]&^0x20) + name[1:] }

// doubles is an operand of float64; nil when it is absent.
func doubles(s []float32) ([]float64, error) {
	b := slab.Bytes(s)
	if len(b)%8 != 0 || !slab.Aligned[float64](b) {
		return nil, &Error{BadShape, text.Join("bridge: ", len(s), " float32 are no float64")}
	}
	return slab.View[float64](b), nil
}
