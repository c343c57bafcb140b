package nn

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
)

// The functions of two operands compute y[r,c] = a[r·as + c·ac] ∘ b[r·bs + c·bc]
// for the contiguous y [rows, cols]. A row step is not negative; a column step is
// 1, or 0 for an operand with one value a row. So [rows, cols] ∘ [cols] is a row
// step of 0, [rows, cols] ∘ [rows, 1] steps of 1 and 0, a scalar 0 and 0. y may
// be an operand that is contiguous as well. What
// does not fit is a *ShapeError or a *ValueError.

// pair runs a function of two operands.
func pair(op string, y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int,
	run func(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int)) error {
	n, product, err := elements(op, dim{"rows", rows}, dim{"cols", cols})
	if err != nil {
		return err
	}
	args := []arg{{name: "y", have: len(y), want: n, why: product}}
	for _, operand := range []struct {
		name         string
		s            []float32
		step, column int
	}{{"a", a, as, ac}, {"b", b, bs, bc}} {
		if operand.step < 0 || operand.column < 0 || operand.column > 1 {
			return valueError(op, "the steps of ", operand.name, " are ", operand.step, " and ", operand.column, ", want at least 0, and 0 or 1")
		}
		if n == 0 {
			continue
		}
		last, _, err := elements(op, dim{"rows", rows - 1}, dim{"a step", operand.step})
		if err != nil {
			return err
		}
		if last > most-cols {
			return shapeError(op, operand.name, " would have 2³¹ elements or more")
		}
		args = append(args, arg{name: operand.name, have: len(operand.s), want: last + (cols-1)*operand.column + 1, atLeast: true,
			why: text.Join(rows, " rows of ", cols, ", steps of ", operand.step, " and ", operand.column)})
	}
	if err := check(op, args...); err != nil {
		return err
	}
	run(y, a, as, ac, b, bs, bc, rows, cols)
	return nil
}

// Add computes a + b.
func Add(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Add", y, a, as, ac, b, bs, bc, rows, cols, compute.Add)
}

// Sub computes a − b.
func Sub(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Sub", y, a, as, ac, b, bs, bc, rows, cols, compute.Sub)
}

// Mul computes a · b.
func Mul(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Mul", y, a, as, ac, b, bs, bc, rows, cols, compute.Mul)
}

// Div computes a / b.
func Div(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Div", y, a, as, ac, b, bs, bc, rows, cols, compute.Div)
}

// Max computes the larger of a and b; NaN wins.
func Max(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Max", y, a, as, ac, b, bs, bc, rows, cols, compute.Max)
}

// Min computes the smaller of a and b; NaN wins.
func Min(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Min", y, a, as, ac, b, bs, bc, rows, cols, compute.Min)
}

// Pow computes a to the power b; exponents 1, 2, 3, −1 and 1/2 are products, a
// division and a root.
func Pow(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("Pow", y, a, as, ac, b, bs, bc, rows, cols, compute.Pow)
}

// PRelu computes a for a ≥ 0, a·b below: a leaky ReLU with a slope for each
// element.
func PRelu(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error {
	return pair("PRelu", y, a, as, ac, b, bs, bc, rows, cols, compute.PRelu)
}
