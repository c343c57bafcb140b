package norm

import "math"

// Layout says which axis of a tensor counts the channels.
type Layout int

const (
	NCHW Layout = iota // channels are axis 1: [N C], [N C L], [N C H W], …
	NHWC               // channels are the last axis: [N C], [N L C], [N H W C], …
)

// Axis returns the channel axis of a tensor of the given rank, which has to be
// at least 2. A *ShapeError says so otherwise; another layout is a *ValueError.
func (l Layout) Axis(rank int) (int, error) {
	if err := l.check("BatchNorm"); err != nil {
		return 0, err
	}
	if rank < 2 {
		return 0, shapeError("BatchNorm", "x has rank ", rank, ", want at least 2 (name the channel axis itself for less)")
	}
	return l.axis(rank), nil
}

func (l Layout) check(op string) error {
	if l == NCHW || l == NHWC {
		return nil
	}
	return valueError(op, "layout is ", int(l), ", want NCHW or NHWC (0 or 1)")
}

func (l Layout) axis(rank int) int {
	if l == NHWC {
		return rank - 1
	}
	return 1
}

// extents sees a tensor of at least two axes as N, C and the product of the others.
func (l Layout) extents(op string, shape []int) (batch, channels, inner int, err error) {
	if len(shape) < 2 {
		return 0, 0, 0, shapeError(op, "x ", shape, " has rank ", len(shape), ", want at least 2 (examples and channels)")
	}
	if err := l.check(op); err != nil {
		return 0, 0, 0, err
	}
	if _, err := elements(op, shape); err != nil {
		return 0, 0, 0, err
	}
	channels = shape[l.axis(len(shape))]
	if inner, err = elements(op, shape[1:]); err == nil && channels > 0 {
		inner /= channels
	}
	return shape[0], channels, inner, err
}

// maxElements is what a tensor may have: its bytes must fit an int too, with room to
// spare.
const maxElements = math.MaxInt / 8

// elements returns the number of elements of a tensor of this shape: 1 for rank
// 0, and 0 as soon as one dimension is 0.
func elements(op string, shape []int) (int, error) {
	empty := false
	for axis, d := range shape {
		if d < 0 {
			return 0, shapeError(op, "dimension ", axis, " of x ", shape, " is negative")
		}
		empty = empty || d == 0
	}
	if empty {
		return 0, nil
	}
	size := 1
	for _, d := range shape {
		if size > maxElements/d {
			return 0, shapeError(op, "x ", shape, " has more elements than memory can hold")
		}
		size *= d
	}
	return size, nil
}

// resolveAxis turns an axis that may count from the end into an index.
func resolveAxis(op string, axis int, shape []int) (int, error) {
	rank := len(shape)
	if axis < -rank || axis >= rank {
		if rank == 0 {
			return 0, shapeError(op, "axis ", axis, " is out of range: x [] has no axes")
		}
		return 0, shapeError(op, "axis ", axis, " is out of range for x ", shape, ", want ", -rank, " to ", rank-1)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// resolveAxes resolves each axis and refuses one that is named twice.
func resolveAxes(op string, axes, shape []int) ([]int, error) {
	resolved := make([]int, len(axes))
	seen := make([]bool, len(shape))
	for i, a := range axes {
		axis, err := resolveAxis(op, a, shape)
		if err != nil {
			return nil, err
		}
		if seen[axis] {
			return nil, shapeError(op, "axes ", axes, " name axis ", axis, " of x ", shape, " twice")
		}
		seen[axis] = true
		resolved[i] = axis
	}
	return resolved, nil
}

// checkEpsilon accepts what a variance may be raised by: 0 and finite positive numbers.
func checkEpsilon(op string, epsilon float64) error { return checkAdded(op, "epsilon", epsilon) }

func checkAdded(op, name string, v float64) error {
	if v >= 0 && v <= math.MaxFloat64 {
		return nil
	}
	return valueError(op, name, " is ", v, ", want a finite number of at least 0")
}

// checkMatrix accepts the sizes of a matrix that memory can hold.
func checkMatrix(op string, rows, cols int) error {
	if rows < 0 || cols < 0 || (cols > 0 && rows > maxElements/cols) {
		return shapeError(op, rows, " rows of ", cols, " columns are not a matrix that memory can hold")
	}
	return nil
}

// pointer returns the address that a kernel takes for s: nil stands for absent.
func pointer(s []float32) *float32 {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}
