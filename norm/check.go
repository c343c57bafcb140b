package norm

import "github.com/normwasm/normwasm/internal/text"

// arg is an operand with the length that it must have, and why. Calls check their
// operands as a list: comparisons that each have the parts of an error message with them
// would be half of a small function's code, and every page would download that.
type arg struct {
	name string
	s    []float32
	want int
	why  why
}

// why says what a length follows from: the text in an error's brackets.
type why uint8

const (
	ofShape     why = iota // about.shape
	ofMatrix               // a rows of b columns
	ofPlanes               // a·b·c
	ofGroups               // a groups of b examples
	ofAxis                 // dimension a of about.shape
	ofAxes                 // about.layer's normalized dimensions
	ofRest                 // the other ones
	eachChannel            // this and the following: one element for each
	eachColumn
	eachRow
	eachToken
	eachFeature
	optional why = 1 << 7 // nil will do
)

// about is what the errors about a list of operands mention.
type about struct {
	op      string
	shape   []int
	a, b, c int
	layer   *LayerNorm
}

// check returns a *ShapeError for the first operand of another length than it must have.
func (w about) check(args ...arg) error {
	for i := range args {
		a := &args[i]
		if len(a.s) != a.want && (a.s != nil || a.why&optional == 0) {
			return w.mismatch(a.name, len(a.s), a.want, a.why&^optional)
		}
	}
	return nil
}

// fits is check of one optional operand.
func fits(s []float32, want int) bool { return s == nil || len(s) == want }

func (w about) mismatch(name string, got, want int, because why) error {
	x := text.Join("x ", w.shape)
	switch because {
	case ofMatrix:
		x = text.Join(w.a, " rows of ", w.b)
	case ofPlanes:
		x = text.Join(w.a, "·", w.b, "·", w.c)
	case ofGroups:
		x = text.Join(w.a, " groups of ", w.b, " examples")
	case ofAxis:
		x = text.Join("dimension ", w.a, " of ", x, ", the channels")
	case ofAxes:
		x = text.Join(w.layer.normalized(), " of ", x)
	case ofRest:
		x = text.Join(x, " but for ", w.layer.normalized())
	case eachChannel:
		x = "one for each channel"
	case eachColumn:
		x = "one for each column"
	case eachRow:
		x = "one for each row"
	case eachToken:
		x = text.Join("one for each token of ", x)
	case eachFeature:
		x = text.Join("the features of each example of ", x)
	}
	return shapeError(w.op, name, " has ", got, " elements, want ", want, " (", x, ")")
}
