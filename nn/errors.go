package nn

import "github.com/normwasm/normwasm/internal/text"

// A ShapeError says that a length or a dimension does not fit.
type ShapeError struct {
	Op     string // the operation, such as "Softmax"
	Detail string // the argument, what it was and what it must be
}

func (e *ShapeError) Error() string { return "nn: " + e.Op + ": " + e.Detail }

// A ValueError says that a number is outside what the operation is defined for: a stride
// of 0, a reduction that there is not.
type ValueError struct {
	Op     string
	Detail string
}

func (e *ValueError) Error() string { return "nn: " + e.Op + ": " + e.Detail }

func shapeError(op string, parts ...any) error {
	return &ShapeError{Op: op, Detail: text.Join(parts...)}
}

func valueError(op string, parts ...any) error {
	return &ValueError{Op: op, Detail: text.Join(parts...)}
}
