package nn

import (
	"math/bits"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/text"
)

// arg is an operand with the length that it must have, and what that follows from.
type arg struct {
	name       string
	have, want int
	why        string
	atLeast    bool // more will do
}

// check returns a *ShapeError for the first operand of another length than it must have.
func check(op string, args ...arg) error {
	for _, a := range args {
		if a.have == a.want || a.atLeast && a.have > a.want {
			continue
		}
		least := ""
		if a.atLeast {
			least = "at least "
		}
		return shapeError(op, a.name, " has ", a.have, " elements, want ", least, a.want, " (", a.why, ")")
	}
	return nil
}

// dim is a dimension that a caller gives.
type dim struct {
	name string
	size int
}

// most bounds what an operand may have: offsets are int32 in places.
const most = 1<<31 - 1

// elements is the product of dimensions, and how an error writes it. A negative dimension
// is a *ShapeError, and so is a product above most.
func elements(op string, dims ...dim) (n int, product string, err error) {
	n = 1
	large, empty := false, false
	for i, d := range dims {
		if d.size < 0 {
			return 0, "", shapeError(op, d.name, " is ", d.size, ", want at least 0")
		}
		if i > 0 {
			product += "·"
		}
		product = text.Join(product, d.size)
		empty = empty || d.size == 0
		if high, low := bits.Mul64(uint64(n), uint64(d.size)); high == 0 && low <= most {
			n = int(low)
		} else {
			large = true
		}
	}
	switch {
	case empty:
		return 0, product, nil
	case large:
		return 0, "", shapeError(op, "an operand would have ", product, " elements, want less than 2³¹")
	}
	return n, product, nil
}

// extent is how many elements rows of cols elements touch that lie ld apart.
func extent(op, name string, rows, cols, ld int) (arg, error) {
	if ld == 0 {
		n, product, err := elements(op, dim{"a dimension", rows}, dim{"a dimension", cols})
		return arg{name: name, want: n, why: product}, err
	}
	if ld < cols {
		return arg{}, valueError(op, "rows of ", name, " lie ", ld, " apart, want at least ", cols)
	}
	if rows == 0 || cols == 0 {
		return arg{name: name, atLeast: true, why: "no elements"}, nil
	}
	if _, _, err := elements(op, dim{"a dimension", rows}, dim{"a distance", ld}); err != nil {
		return arg{}, err
	}
	return arg{name: name, want: kernel.Span(rows, ld, cols), atLeast: true,
		why: text.Join(rows, " rows of ", cols, ", ", ld, " apart")}, nil
}

// of is a with the length that it has.
func (a arg) of(s []float32) arg {
	a.have = len(s)
	return a
}
