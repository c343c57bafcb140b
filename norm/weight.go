package norm

import "math"

const (
	weightOp   = "WeightNorm"
	spectralOp = "SpectralNorm"
)

// WeightNorm gives each row of a weight matrix its direction from v and its length
// from g:
//
//	w[r,:] = g[r]·v[r,:]/‖v[r,:]‖₂
//
// w and v are [rows cols], g and length [rows]; length receives ‖v[r,:]‖ and may be
// nil. A convolution's weights [O I kH kW] are O rows. w may be v. A row of zeros, which
// has no direction, gives zeros. All arithmetic is float64. A wrong length is a *ShapeError,
// and nothing has been written then.
//
// Source: Salimans, Kingma, "Weight Normalization", arXiv:1602.07868, eq. 2.
func WeightNorm(w, length, v, g []float32, rows, cols int) error {
	if err := checkMatrix(weightOp, rows, cols); err != nil {
		return err
	}
	m := about{op: weightOp, a: rows, b: cols}
	if err := m.check(arg{"v", v, rows * cols, ofMatrix}, arg{"w", w, rows * cols, ofMatrix}, arg{"length", length, rows, eachRow | optional}, arg{"g", g, rows, eachRow}); err != nil {
		return err
	}
	for r := range rows {
		row := v[r*cols : (r+1)*cols]
		n := norm2(row)
		if length != nil {
			length[r] = float32(n)
		}
		scale := inverse(n) * float64(g[r])
		for i, e := range row {
			w[r*cols+i] = float32(float64(e) * scale)
		}
	}
	return nil
}

// WeightNormBackward computes the gradients of WeightNorm from dw, the gradient of w:
//
//	dg[r] = Σ dw·v̂,  dv = g/‖v‖ · (dw - v̂·dg),  v̂ = v/‖v‖
//
// dv may be dw or v. Rows of zeros get 0. A wrong length is a *ShapeError.
//
// Source: Salimans, Kingma, arXiv:1602.07868, eq. 3.
func WeightNormBackward(dv, dg, dw, v, g []float32, rows, cols int) error {
	if err := checkMatrix(weightOp, rows, cols); err != nil {
		return err
	}
	m := about{op: weightOp, a: rows, b: cols}
	if err := m.check(arg{"v", v, rows * cols, ofMatrix}, arg{"dv", dv, rows * cols, ofMatrix}, arg{"dw", dw, rows * cols, ofMatrix}, arg{"dg", dg, rows, eachRow}, arg{"g", g, rows, eachRow}); err != nil {
		return err
	}
	for r := range rows {
		from, to := r*cols, (r+1)*cols
		s := inverse(norm2(v[from:to]))
		var sum float64
		for i, e := range v[from:to] {
			sum += float64(float64(dw[from+i]) * (float64(e) * s))
		}
		dg[r] = float32(sum)
		scale := s * float64(g[r])
		for i, e := range v[from:to] {
			dv[from+i] = float32((float64(dw[from+i]) - float64(float64(e)*s*sum)) * scale)
		}
	}
	return nil
}

// norm2 is ‖x‖₂: no square of a float32 overflows or underflows float64.
func norm2(x []float32) float64 {
	var s float64
	for _, e := range x {
		s += float64(float64(e) * float64(e))
	}
	return math.Sqrt(s)
}

func inverse(n float64) float64 {
	if n == 0 {
		return 0
	}
	return 1 / n
}

// SpectralNorm divides a weight matrix by its largest singular value σ, which power
// iteration follows from call to call: U and V, of length 1, come closer to σ's
// singular vectors with every step, and weights that move little between two training
// steps need one step only. Forward without steps is inference.
//
// Source: Miyato, Kataoka, Koyama, Yoshida, "Spectral Normalization for Generative
// Adversarial Networks", arXiv:1802.05957, algorithm 1.
type SpectralNorm struct {
	U, V []float64 // left and right singular vector: rows and cols elements

	rows, cols int
	sigma      float64
}

// NewSpectralNorm starts from pseudo-random vectors, the same for the same shape.
// A convolution's weights [O I kH kW] are O rows. Dimensions below 1 are a *ShapeError.
func NewSpectralNorm(rows, cols int) (*SpectralNorm, error) {
	if rows < 1 || cols < 1 || rows > maxElements/cols {
		return nil, shapeError(spectralOp, rows, " rows of ", cols, " columns are not a matrix that has a singular value")
	}
	s := &SpectralNorm{U: make([]float64, rows), V: make([]float64, cols), rows: rows, cols: cols}
	state := uint64(rows)<<32 + uint64(cols)
	for _, vector := range [][]float64{s.U, s.V} {
		for i := range vector { // splitmix64
			state += 0x9e3779b97f4a7c15
			z := state
			z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			vector[i] = float64(int64(z^z>>31)) / (1 << 63)
		}
		unit(vector)
	}
	return s, nil
}

func (s *SpectralNorm) check(args ...arg) error {
	return about{op: spectralOp, a: s.rows, b: s.cols}.check(args...)
}

// Forward takes some steps of power iteration and writes w/σ to y; y may be w. It
// returns σ = Uᵀ·w·V. A matrix of zeros has σ 0 and gives zeros. A wrong length is a
// *ShapeError, a negative number of steps a *ValueError; nothing has changed then.
func (s *SpectralNorm) Forward(y, w []float32, steps int) (sigma float64, err error) {
	if err := s.check(arg{"w", w, s.rows * s.cols, ofMatrix}, arg{"y", y, s.rows * s.cols, ofMatrix}); err != nil {
		return 0, err
	}
	if steps < 0 {
		return 0, valueError(spectralOp, "steps is ", steps, ", want at least 0")
	}
	for range steps {
		s.left(w)
		s.right(w)
	}
	s.sigma = s.value(w)
	f := inverse(s.sigma)
	for i, e := range w {
		y[i] = float32(float64(e) * f)
	}
	return s.sigma, nil
}

// Converge takes steps until σ changes by less than tolerance, relative to itself, or
// limit is reached, and returns how many it took. For weights that come from elsewhere.
func (s *SpectralNorm) Converge(w []float32, tolerance float64, limit int) (steps int, err error) {
	if err := s.check(arg{"w", w, s.rows * s.cols, ofMatrix}); err != nil {
		return 0, err
	}
	before := math.Inf(1)
	for steps < limit {
		s.left(w)
		s.right(w)
		steps++
		sigma := s.value(w)
		if math.Abs(sigma-before) <= tolerance*sigma {
			break
		}
		before = sigma
	}
	return steps, nil
}

// left makes V the unit vector along wᵀ·U, unless that is 0.
func (s *SpectralNorm) left(w []float32) {
	clear(s.V)
	for r, u := range s.U {
		for i, e := range w[r*s.cols : (r+1)*s.cols] {
			s.V[i] += float64(float64(e) * u)
		}
	}
	unit(s.V)
}

// right makes U the unit vector along w·V.
func (s *SpectralNorm) right(w []float32) {
	for r := range s.U {
		s.U[r] = s.row(w, r)
	}
	unit(s.U)
}

func (s *SpectralNorm) row(w []float32, r int) (sum float64) {
	for i, e := range w[r*s.cols : (r+1)*s.cols] {
		sum += float64(float64(e) * s.V[i])
	}
	return sum
}

func (s *SpectralNorm) value(w []float32) (sigma float64) {
	for r, u := range s.U {
		sigma += float64(u * s.row(w, r))
	}
	return sigma
}

// unit gives v the length 1. A vector of zeros, which a matrix of zeros leads to,
// becomes the first axis: the next step starts from somewhere.
func unit(v []float64) {
	var n float64
	for _, e := range v {
		n += float64(e * e)
	}
	f := inverse(math.Sqrt(n))
	for i := range v {
		v[i] *= f
	}
	if f == 0 {
		v[0] = 1
	}
}

// Backward computes the gradient of the latest Forward, whose U and V count as
// constants, from dy and its w:
//
//	dw = (dy - (Σ dy·w/σ)·U·Vᵀ)/σ
//
// dw may be dy or w. A wrong length is a *ShapeError.
func (s *SpectralNorm) Backward(dw, dy, w []float32) error {
	n := s.rows * s.cols
	if err := s.check(arg{"w", w, n, ofMatrix}, arg{"dw", dw, n, ofMatrix}, arg{"dy", dy, n, ofMatrix}); err != nil {
		return err
	}
	f := inverse(s.sigma)
	var sum float64
	for i, e := range w {
		sum += float64(float64(dy[i]) * (float64(e) * f))
	}
	for r, u := range s.U {
		for c, v := range s.V {
			at := r*s.cols + c
			dw[at] = float32((float64(dy[at]) - float64(sum*u*v)) * f)
		}
	}
	return nil
}
