package train

import "github.com/normwasm/normwasm/internal/text"

// ShapeError reports layers or a batch that do not fit each other.
type ShapeError struct{ msg string }

func (e *ShapeError) Error() string { return e.msg }

// ValueError reports an option or a label that makes no sense.
type ValueError struct{ msg string }

func (e *ValueError) Error() string { return e.msg }

// NonFiniteError reports a loss, a gradient or a number of a batch that is NaN or
// infinite, and where that began. The step was not made: parameters, optimizer and running statistics are as
// they were.
type NonFiniteError struct {
	What  string // "loss", "gradient", "x" or "y"
	Layer string // the first layer whose numbers are not finite; "input" for a batch's
	msg   string
}

func (e *NonFiniteError) Error() string { return e.msg }

// LayerError is an error of one layer's.
type LayerError struct {
	Layer string // its path and type, as in "1 batchNorm"
	Err   error
}

func (e *LayerError) Error() string { return "train: layer " + e.Layer + ": " + e.Err.Error() }
func (e *LayerError) Unwrap() error { return e.Err }

func shapeError(parts ...any) error { return &ShapeError{"train: " + text.Join(parts...)} }
func valueError(parts ...any) error { return &ValueError{"train: " + text.Join(parts...)} }
