package bridge

import (
	"strings"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn"
	"github.com/normwasm/normwasm/norm"
)

// Status is what a call gives back: OK, or the class of the error whose text
// Failure holds. The numbers are part of the module's interface.
type Status int32

const (
	OK          Status = 0
	Invalid     Status = 1 // a value outside what the operation is defined for
	BadShape    Status = 2 // a length, rank, axis or dimension does not fit
	BadModel    Status = 3 // a model could not be read
	Unsupported Status = 4 // operators, attributes or types that are not implemented
	Disposed    Status = 5 // use after dispose or release
	NoMemory    Status = 6 // more memory than the limit
	Internal    Status = 7 // a fault of normwasm
	NotFinite   Status = 8 // a number of a network in training is NaN or infinite

	Contradiction Status = 9  // options that exclude each other
	OtherEdition  Status = 10 // a model with operators of the full edition
)

// Classes are the errors that JavaScript has for them: their class and their code.
var Classes = [...]struct{ Name, Code string }{
	OK:            {"", ""},
	Invalid:       {"NormError", "INVALID_VALUE"},
	BadShape:      {"ShapeError", "INVALID_SHAPE"},
	BadModel:      {"LoadError", "INVALID_MODEL"},
	Unsupported:   {"UnsupportedError", "UNSUPPORTED"},
	Disposed:      {"DisposedError", "DISPOSED"},
	NoMemory:      {"NormError", "OUT_OF_MEMORY"},
	Internal:      {"NormError", "INTERNAL"},
	NotFinite:     {"NormError", "NOT_FINITE"},
	Contradiction: {"NormError", "CONTRADICTION"},
	OtherEdition:  {"UnsupportedError", "OTHER_EDITION"},
}

// Error is an error that knows its status.
type Error struct {
	Status Status
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Classify gives an error its status and its text as JavaScript shows it. (A type
// switch, because errors.As costs 6 KB of the compressed module.)
func Classify(err error) (Status, string) {
	switch e := err.(type) {
	case nil:
		return OK, ""
	case *Error:
		return e.Status, e.Text
	case *slab.NoMemoryError:
		return NoMemory, text.Join("normwasm: ", e)
	case *norm.ShapeError:
		return BadShape, text.Join("norm: ", e.Op, ": ", optionNames(e.Op, e.Detail))
	case *norm.ValueError:
		return Invalid, text.Join("norm: ", e.Op, ": ", optionNames(e.Op, e.Detail))
	case *nn.ImageError:
		return Invalid, e.Error()
	}
	return classifyModel(err)
}

// options are the names that JavaScript has for norm's arguments, some for one
// operation only, which stand before the others.
var options = [...]struct{ op, argument, option string }{
	{"FoldBatchNorm", "w", "weight"}, {"FoldBatchNorm", "b", "bias"}, {"FoldBatchNorm", "beta", "shift"}, {"WeightNorm", "w", "out"},
	{"", "gamma", "scale"}, {"", "dgamma", "dscale"}, {"", "beta", "bias"}, {"", "dbeta", "dbias"}, {"", "y", "out"}, {"", "dx", "out"},
	{"", "rstd", "invStdDev"}, {"", "running mean", "runningMean"}, {"", "running variance", "runningVar"},
}

// optionNames puts the option's name where norm names its argument, which comes
// first in its texts about lengths.
func optionNames(op, detail string) string {
	name, rest, found := strings.Cut(detail, " has ")
	if !found {
		return detail
	}
	for _, o := range options {
		if o.argument == name && (o.op == op || o.op == "") {
			name = o.option
			break
		}
	}
	return name + " has " + rest
}

// Fail keeps an error's text for Failure and returns its status.
func (b *Bridge) Fail(err error) Status {
	if err == nil {
		return OK
	}
	status, message := Classify(err)
	b.failure = append(b.failure[:0], message...)
	return status
}

// Failure is the text of the latest error that went through Fail.
func (b *Bridge) Failure() []byte { return b.failure }

// Caught makes an error of a recovered panic. The engine's own errors never
// come this way.
func Caught(p any) error {
	switch p := p.(type) {
	case nil:
		return nil
	case *slab.NoMemoryError:
		return p
	case *threads.LostError:
		return p
	case error:
		return &Error{Internal, text.Join("bridge: internal error: ", p)}
	case string:
		return &Error{Internal, text.Join("bridge: internal error: ", p)}
	}
	return &Error{Internal, "bridge: internal error"}
}
