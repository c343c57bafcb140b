package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// The functions of two operands compute y[r,c] = a[r·as + c·ac] ∘ b[r·bs + c·bc]
// for the contiguous y [rows, cols]. A row step is any number; a column step is
// 1, or 0 for an operand with one value a row. So [rows, cols] ∘ [cols] is a row
// step of 0, [rows, cols] ∘ [rows, 1] steps of 1 and 0, a scalar 0 and 0. y may
// be an operand that is contiguous as well.

// byLanes says that rows are pixels in the blocked layout, and b the same for all.
func byLanes(as, ac, bs, bc, cols int) bool {
	return cols == Lanes && as == Lanes && ac == 1 && bs == 0 && bc == 1
}

// Add computes a + b.
func Add(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		if byLanes(as, ac, bs, bc, cols) {
			kernel.AddLanes(kernel.Ptr(y), kernel.Ptr(a), kernel.Ptr(b), rows)
			return
		}
		kernel.AddRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// Sub computes a − b.
func Sub(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		kernel.SubRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// Mul computes a · b.
func Mul(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		if byLanes(as, ac, bs, bc, cols) {
			kernel.MulLanes(kernel.Ptr(y), kernel.Ptr(a), kernel.Ptr(b), rows)
			return
		}
		kernel.MulRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// Div computes a / b.
func Div(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		kernel.DivRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// Max computes the larger of a and b; NaN wins.
func Max(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		kernel.MaxRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// Min computes the smaller of a and b; NaN wins.
func Min(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if reach(y, a, as, ac, b, bs, bc, rows, cols) {
		kernel.MinRows(kernel.Ptr(y), kernel.Ptr(a), as, ac, kernel.Ptr(b), bs, bc, rows, cols)
	}
}

// reach looks at the last elements, which stands for all the kernels' reads; it
// says whether there are any.
func reach(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) bool {
	if rows <= 0 || cols <= 0 {
		return false
	}
	_ = y[rows*cols-1]
	_ = a[max((rows-1)*as, 0)+(cols-1)*ac]
	_ = b[max((rows-1)*bs, 0)+(cols-1)*bc]
	return true
}

// Pow computes a to the power b; exponents 1, 2, 3, −1 and 1/2 are products, a
// division and a root.
func Pow(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	if !reach(y, a, as, ac, b, bs, bc, rows, cols) {
		return
	}
	var left, right [columnBlock]float32
	for r := range rows {
		if bc == 0 && powRow(y[r*cols:][:cols], a[r*as:], ac, b[r*bs]) {
			continue
		}
		// The kernel takes operands that go along; one that stays is written out.
		for c := 0; c < cols; c += columnBlock {
			n := min(columnBlock, cols-c)
			v, w := &left[0], &right[0]
			if ac != 0 {
				v = &a[r*as+c]
			} else if c == 0 {
				fillWith(left[:n], a[r*as])
			}
			if bc != 0 {
				w = &b[r*bs+c]
			} else if c == 0 {
				fillWith(right[:n], b[r*bs])
			}
			kernel.PowN(&y[r*cols+c], v, w, n)
		}
	}
}

// powRow raises one row to the exponents that networks have.
func powRow(y, a []float32, ac int, e float32) bool {
	n := len(y)
	switch e {
	case 1:
		kernel.MulRows(kernel.Ptr(y), kernel.Ptr(a), 0, ac, &e, 0, 0, 1, n)
	case 2:
		kernel.MulRows(kernel.Ptr(y), kernel.Ptr(a), 0, ac, kernel.Ptr(a), 0, ac, 1, n)
	case 0.5:
		// The root of -Inf is no number, its power is Inf.
		low := float32(math.Inf(-1))
		if ac == 1 {
			kernel.RowMin(&low, kernel.Ptr(a), 1, n)
		}
		if !(low > float32(math.Inf(-1))) {
			for i := range y {
				y[i] = kernel.PowOf(a[i*ac], e)
			}
			break
		}
		kernel.SqrtN(kernel.Ptr(y), kernel.Ptr(a), n)
	case 3, -1:
		if ac == 0 {
			fillWith(y, a[0])
			a = y
		}
		how := kernel.MapCube
		if e < 0 {
			how = kernel.MapInverse
		}
		mapN(y, a[:n], how, 0, 0)
	default:
		return false
	}
	return true
}

// PRelu computes a for a ≥ 0, a·b below: a leaky ReLU with a slope for each
// element.
func PRelu(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) {
	for r := range rows {
		for c := range cols {
			v := a[r*as+c*ac]
			if v < 0 {
				v *= b[r*bs+c*bc]
			}
			y[r*cols+c] = v
		}
	}
}

// FloatRemainder is what is left of a after whole times b, with a's sign.
func FloatRemainder(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i, v := range a {
		v, w := float64(v), float64(b[i])
		q := math.Trunc(v / w)
		if !(math.Abs(q) < 1<<28 && math.Abs(w) <= math.MaxFloat32) {
			y[i] = float32(math.Mod(v, w))
			continue
		}
		// The product of 24 and 28 bits is exact, and so is the difference. A quotient that was
		// rounded up to the next integer leaves one divisor too little.
		r := v - float64(q*w)
		if r != 0 && (r < 0) != (v < 0) {
			r += math.Copysign(w, v)
		}
		y[i] = float32(math.Copysign(r, v))
	}
}
