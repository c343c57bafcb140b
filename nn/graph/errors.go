package graph

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
)

// LoadError reports a model that cannot be read: truncated, malformed, or
// asking for more than the limits allow.
type LoadError struct{ msg string }

func (e *LoadError) Error() string { return e.msg }

// Load makes a LoadError of the parts that text.Join takes.
func Load(parts ...any) error { return &LoadError{text.Join(parts...)} }

// UnsupportedError lists the operators, attributes and types of a model that are
// not implemented: the first of them, and how many more there are.
type UnsupportedError struct {
	Missing []string // such as "NonMaxSuppression (opset 11)"
}

func (e *UnsupportedError) Error() string {
	return "graph: the model needs what is not implemented: " + strings.Join(e.Missing, ", ")
}

// ShapeError reports a feed or a node whose operands do not fit each other.
type ShapeError struct{ msg string }

func (e *ShapeError) Error() string { return e.msg }

// Shape makes a ShapeError of the parts that text.Join takes.
func Shape(parts ...any) error { return &ShapeError{text.Join(parts...)} }

// ReleasedError reports the use of a session after Release, or of a run whose
// memory another run has taken.
type ReleasedError struct{ msg string }

func (e *ReleasedError) Error() string { return e.msg }
