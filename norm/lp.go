package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

const lpOp = "LpNorm"

// LpNorm divides each group of elements along an axis by its length,
//
//	y = x / max(‖x‖, ε),  ‖x‖ = Σ|x| (p = 1) or √Σx² (p = 2)
//
// so that it comes out with length 1. A group of zeros gives zeros, for ε = 0 too. It
// owns the scratch memory, so that neither pass allocates once it has run. One LpNorm
// serves one goroutine at a time.
type LpNorm struct {
	l       LayerNorm // how the groups lie
	p       int
	epsilon float64
	block   int
	sums    []float64
	norms   []float64
	params  []float32
	zeros   []float32
	hard    []bool // rows of a block
	second  []float32
	exact   exactSlots
}

// NewLpNorm prepares normalization along an axis (negative counts from the end) of
// tensors of this shape. p is 1 or 2. ONNX's LpNormalization has ε = 0, PyTorch's
// normalize 1e-12. An axis out of range or a negative dimension is a *ShapeError; a
// wrong p or ε a *ValueError.
func NewLpNorm(shape []int, axis, p int, epsilon float64) (*LpNorm, error) {
	if p != 1 && p != 2 {
		return nil, valueError(lpOp, "p is ", p, ", want 1 or 2")
	}
	l, err := newRows(lpOp, shape, []int{axis}, epsilon, true)
	if err != nil {
		return nil, err
	}
	return &LpNorm{l: *l, p: p, epsilon: epsilon}, nil
}

// Forward normalizes x into y; y may be x. A wrong length is a *ShapeError.
func (n *LpNorm) Forward(y, x []float32) error {
	size := n.l.rows * n.l.cols
	if err := n.l.about().check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}); err != nil {
		return err
	}
	n.allocate(size)
	for row := 0; row < n.l.rows && size > 0; row += n.block {
		rows := min(n.block, n.l.rows-row)
		from, to := row*n.l.cols, (row+rows)*n.l.cols
		if !n.l.strided {
			n.forward(y[from:to], x[from:to], rows)
			continue
		}
		part := n.l.scratch[:rows*n.l.cols]
		n.l.move(x, part, row, rows, gather)
		n.forward(part, part, rows)
		n.l.move(y, part, row, rows, scatter)
	}
	return nil
}

func (n *LpNorm) allocate(size int) {
	if size == 0 || n.sums != nil {
		return
	}
	if !n.l.allocated {
		n.l.allocate()
	}
	n.block = min(n.l.rows, max(16, gradBlock/n.l.cols))
	if n.l.strided {
		n.block = n.l.block
		n.second = make([]float32, n.block*n.l.cols)
	}
	n.sums, n.norms = make([]float64, 3*n.block), make([]float64, n.block)
	n.params, n.zeros, n.hard = make([]float32, 6*n.block), make([]float32, n.block), make([]bool, n.block)
}

// lengths fills norms with max(‖x‖, ε) of each row.
func (n *LpNorm) lengths(x []float32, rows int) {
	cols := n.l.cols
	kernel.RowPowers(&n.sums[0], &x[0], rows, cols, n.p)
	for k, s := range n.sums[:rows] {
		if !(s >= kernel.VarianceMin && s <= kernel.VarianceMax) { // squares that float32 does not carry
			s = 0
			for _, e := range x[k*cols : (k+1)*cols] {
				if n.p == 1 {
					s += math.Abs(float64(e))
				} else {
					s += float64(float64(e) * float64(e))
				}
			}
		}
		if n.p == 2 {
			s = math.Sqrt(s)
		}
		if s < n.epsilon {
			s = n.epsilon
		}
		n.norms[k] = s
	}
}

// carried says whether float32 carries 1/length.
func carried(length float64) bool { return length >= 0x1p-100 && length <= 0x1p100 }

func (n *LpNorm) forward(y, x []float32, rows int) {
	n.lengths(x, rows)
	clear(n.params[:3*rows])
	calm := true
	for k, length := range n.norms[:rows] {
		n.params[rows+k] = float32(1 / length)
		calm = calm && carried(length)
	}
	if calm {
		kernel.AffinePlanes(&y[0], &x[0], &n.params[0], rows, n.l.cols, kernel.ClampNone)
		return
	}
	for k, length := range n.norms[:rows] {
		from, to := k*n.l.cols, (k+1)*n.l.cols
		if carried(length) {
			one := [3]float32{0, n.params[rows+k], 0}
			kernel.AffinePlanes(&y[from], &x[from], &one[0], 1, n.l.cols, kernel.ClampNone)
			continue
		}
		if length == 0 {
			length = 1
		}
		for i, e := range x[from:to] {
			y[from+i] = float32(float64(e) / length)
		}
	}
}

// Backward computes the gradient of Forward from dy and its x:
//
//	p = 2: dx = (dy - y·Σ dy·y)/‖x‖
//	p = 1: dx = (dy - sign(x)·Σ dy·y)/‖x‖
//
// and dy/ε where ‖x‖ < ε. Groups of zeros get 0 for ε = 0. dx may be dy or x.
func (n *LpNorm) Backward(dx, dy, x []float32) error {
	size := n.l.rows * n.l.cols
	if err := n.l.about().check(arg{"x", x, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"dx", dx, size, ofShape}); err != nil {
		return err
	}
	n.allocate(size)
	for row := 0; row < n.l.rows && size > 0; row += n.block {
		rows := min(n.block, n.l.rows-row)
		from, to := row*n.l.cols, (row+rows)*n.l.cols
		if !n.l.strided {
			n.backward(dx[from:to], dy[from:to], x[from:to], rows)
			continue
		}
		xs, ds := n.l.scratch[:rows*n.l.cols], n.second[:rows*n.l.cols]
		n.l.move(x, xs, row, rows, gather)
		n.l.move(dy, ds, row, rows, gather)
		n.backward(ds, ds, xs, rows)
		n.l.move(dx, ds, row, rows, scatter)
	}
	return nil
}

func (n *LpNorm) backward(dx, dy, x []float32, rows int) {
	n.lengths(x, rows)
	cols := n.l.cols
	n.exact.outer, n.exact.inner = 1, cols
	defer n.exact.release()
	p := n.params[:6*rows]
	clear(p)
	for k, length := range n.norms[:rows] {
		p[rows+k], p[2*rows+k] = float32(1/length), float32(1/length)
	}
	kernel.RowProducts(&n.sums[0], &dy[0], &x[0], nil, &n.zeros[0], &p[rows], rows, cols)
	calm := true
	for k, length := range n.norms[:rows] {
		A, s, at := 1/length, n.sums[3*k+1], k*cols
		B := s / length
		p[3*rows+k] = float32(B)
		hard, least := n.p != 2 || cols == 1 || !carried(length) || !(length > n.epsilon) || !(math.Abs(B) < termsMax), leastShown(math.Abs(B), A)
		n.hard[k] = hard || B != 0 && !shows(dy[at:at+cols], x[at:at+cols], nil, 0, A, float64(A*B), 0, least)
		calm = calm && !n.hard[k]
	}
	if calm {
		kernel.GradPlanes(&dx[0], &dy[0], &x[0], nil, &p[0], rows, cols)
		return
	}
	for k, length := range n.norms[:rows] {
		from, to := k*cols, (k+1)*cols
		if !n.hard[k] {
			one := [6]float32{0, p[rows+k], p[2*rows+k], p[3*rows+k], 0, 0}
			kernel.GradPlanes(&dx[from], &dy[from], &x[from], nil, &one[0], 1, cols)
			continue
		}
		n.exactGradient(dx[from:to], dy[from:to], x[from:to], length)
	}
}

// exactGradient is Backward for one row in float64.
func (n *LpNorm) exactGradient(dx, dy, x []float32, length float64) {
	if length == 0 {
		clear(dx)
		return
	}
	if n.p == 2 && length > n.epsilon {
		length = norm2(x) // of one element exactly |x|: then nothing is left of dx
		if len(x) > 1 {
			n.exact.take(dx, dy, x, 0, 1)
			n.exact.differentiate(0, 1, 0, length*length, 0, 1, false)
			return
		}
	}
	var s float64
	if length > n.epsilon { // else the length is ε, whatever x is
		for i, e := range x {
			s += float64(float64(dy[i]) * (float64(e) / length))
		}
	}
	for i, e := range x {
		direction := float64(e) / length
		if n.p == 1 && e != 0 {
			direction = math.Copysign(1, float64(e))
		}
		dx[i] = float32((float64(dy[i]) - float64(direction*s)) / length)
	}
}
