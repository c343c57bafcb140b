package nn

import "math"

// Binary is an elementwise function of two operands.
type Binary uint8

// The elementwise functions. Maximum and Minimum let NaN win.
const (
	Add Binary = iota
	Sub
	Mul
	Div
	Maximum
	Minimum
	Pow     // a to the power b
	Mod     // a − b·trunc(a/b), the sign of a (C's fmod)
	ModB    // a − b·floor(a/b), the sign of b (Python's %)
	PRelu   // a for a ≥ 0, a·b below
	Atan2   // the angle of the point (b, a)
	binaryN // how many there are
)

// Rows computes y[r,c] = a[r·as + c·ac] ∘ b[r·bs + c·bc] for the contiguous y
// [rows, cols]. A row step is any number; a column step is 1, or 0 for an
// operand that has one value a row. y may be a or b if that one is contiguous
// as well.
func (op Binary) Rows(y, a []float32, as, ac int, b []float32, bs, bc int, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	// One look at the last elements stands for all the kernels' reads.
	y = y[:rows*cols]
	_, _ = a[(rows-1)*as+(cols-1)*ac], b[(rows-1)*bs+(cols-1)*bc]
	switch op {
	case Add:
		addRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Sub:
		subRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Mul:
		mulRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Div:
		divRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Maximum:
		maxRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Minimum:
		minRows(ptr(y), ptr(a), as, ac, ptr(b), bs, bc, rows, cols)
	case Pow:
		for r := range rows {
			if bc == 0 && powRow(y[r*cols:][:cols], a[r*as:], ac, b[r*bs]) {
				continue
			}
			for c := range cols {
				y[r*cols+c] = PowOf(a[r*as+c*ac], b[r*bs+c*bc])
			}
		}
	default:
		f := op.function()
		for r := range rows {
			for c := range cols {
				y[r*cols+c] = f(a[r*as+c*ac], b[r*bs+c*bc])
			}
		}
	}
}

func (op Binary) function() func(a, b float32) float32 {
	switch op {
	case Mod:
		return func(a, b float32) float32 { return float32(math.Mod(float64(a), float64(b))) }
	case ModB:
		return func(a, b float32) float32 {
			m := float32(math.Mod(float64(a), float64(b)))
			if m != 0 && (m < 0) != (b < 0) {
				m += b
			}
			return m
		}
	case PRelu:
		return func(a, b float32) float32 {
			if a < 0 {
				a *= b
			}
			return a
		}
	case Atan2:
		return func(a, b float32) float32 { return float32(math.Atan2(float64(a), float64(b))) }
	}
	panic("nn: no such elementwise function")
}

// powRow raises one row to the exponents that networks have.
func powRow(y, a []float32, ac int, e float32) bool {
	n := len(y)
	switch e {
	case 1:
		mulRows(ptr(y), ptr(a), 0, ac, &e, 0, 0, 1, n)
	case 2:
		mulRows(ptr(y), ptr(a), 0, ac, ptr(a), 0, ac, 1, n)
	case 0.5:
		for i := range y {
			y[i] = PowOf(a[i*ac], e)
		}
	case 3:
		for i := range y {
			v := a[i*ac]
			y[i] = v * v * v
		}
	case -1:
		for i := range y {
			y[i] = 1 / a[i*ac]
		}
	default:
		return false
	}
	return true
}

// PowOf is a to the power b of one element.
func PowOf(a, b float32) float32 {
	if b == 0.5 && a >= 0 {
		return float32(math.Sqrt(float64(a)))
	}
	return float32(math.Pow(float64(a), float64(b)))
}

// Apply computes y = a ∘ b for operands as long as y, or of one element.
func (op Binary) Apply(y, a, b []float32) {
	op.Rows(y, a, 0, boolInt(len(a) > 1 || len(y) == 1), b, 0, boolInt(len(b) > 1 || len(y) == 1), 1, len(y))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Broadcast computes y = a ∘ b with numpy's broadcasting: shapes are aligned at
// their last dimension, and dimensions of 1 (or missing ones) repeat. yShape is
// the result's shape and must be what the operands broadcast to. y may be an
// operand of the same shape.
func (op Binary) Broadcast(y, a, b []float32, yShape, aShape, bShape []int) {
	var d grid
	if !d.align(yShape, aShape, bShape) {
		return
	}
	// The two innermost dimensions are the kernel's rows and columns; there is no
	// row repetition to be had when an operand is broadcast in its columns only.
	last := d.rank - 1
	cols, rows := d.n[last], 1
	as, bs := 0, 0
	outer := last
	if last > 0 {
		outer = last - 1
		rows, as, bs = d.n[outer], d.a[outer], d.b[outer]
	}
	var at [maxGrid]int
	ai, bi := 0, 0
	for yi := 0; yi < len(y); yi += rows * cols {
		op.Rows(y[yi:], a[ai:], as, d.a[last], b[bi:], bs, d.b[last], rows, cols)
		for i := outer - 1; i >= 0; i-- {
			ai, bi = ai+d.a[i], bi+d.b[i]
			if at[i]++; at[i] < d.n[i] {
				break
			}
			ai, bi, at[i] = ai-d.a[i]*d.n[i], bi-d.b[i]*d.n[i], 0
		}
	}
}

// grid is a broadcast in as few dimensions as it needs: neighbours that both
// operands walk alike are one.
type grid struct {
	rank    int
	n, a, b [maxGrid]int // lengths, and the operands' steps
}

const maxGrid = 16

// align fills the grid; it says false when there is nothing to compute.
func (d *grid) align(yShape, aShape, bShape []int) bool {
	as, bs := 1, 1
	var n, a, b [maxGrid]int // innermost first
	r := 0
	for i := 1; i <= len(yShape); i++ {
		size := yShape[len(yShape)-i]
		if size == 0 {
			return false
		}
		an, bn := dimFromEnd(aShape, i), dimFromEnd(bShape, i)
		sa, sb := as, bs
		if an == 1 {
			sa = 0
		}
		if bn == 1 {
			sb = 0
		}
		as, bs = as*an, bs*bn
		if size == 1 {
			continue
		}
		if r > 0 && sa == a[r-1]*n[r-1] && sb == b[r-1]*n[r-1] {
			n[r-1] *= size
			continue
		}
		n[r], a[r], b[r] = size, sa, sb
		r++
	}
	if r == 0 {
		n[0], r = 1, 1
	}
	d.rank = r
	for i := range r {
		d.n[i], d.a[i], d.b[i] = n[r-1-i], a[r-1-i], b[r-1-i]
	}
	return true
}

func dimFromEnd(shape []int, i int) int {
	if i > len(shape) {
		return 1
	}
	return shape[len(shape)-i]
}
