package norm

import "github.com/normwasm/normwasm/internal/text"

// A ShapeError says that a length, rank, axis or dimension does not fit.
type ShapeError struct {
	Op     string // the operation, such as "LayerNorm"
	Detail string // the argument, what it was and what it must be
}

func (e *ShapeError) Error() string { return "norm: " + e.Op + ": " + e.Detail }

// A ValueError says that a number is outside what the operation is defined for:
// a negative or NaN epsilon, a negative variance.
type ValueError struct {
	Op     string
	Detail string
}

func (e *ValueError) Error() string { return "norm: " + e.Op + ": " + e.Detail }

// The functions that make errors are not inlined: their code would be in every caller
// otherwise, and every page downloads it.
//
//go:noinline
func shapeError(op string, parts ...any) error {
	return &ShapeError{Op: op, Detail: text.Join(parts...)}
}

//go:noinline
func valueError(op string, parts ...any) error {
	return &ValueError{Op: op, Detail: text.Join(parts...)}
}
