package compute

import "github.com/normwasm/normwasm/internal/kernel"

// What follows serves training alone. dx may be dy.

// ReluGradient computes dy where y, Relu's result, is above 0, and 0 elsewhere.
func ReluGradient(dx, dy, y []float32) { gradient(dx, dy, y, kernel.ReluGradN) }

// TanhGradient computes dy·(1 − y²) from Tanh's result.
func TanhGradient(dx, dy, y []float32) { gradient(dx, dy, y, kernel.TanhGradN) }

// SigmoidGradient computes dy·y·(1 − y) from Sigmoid's result.
func SigmoidGradient(dx, dy, y []float32) { gradient(dx, dy, y, kernel.SigmoidGradN) }

// SiluGradient computes dy·(s + x·s·(1 − s)) with s = Sigmoid(x).
func SiluGradient(dx, dy, x []float32) { gradient(dx, dy, x, kernel.SiluGradN) }

// GeluGradient computes dy·(Φ(x) + x·φ(x)), with the normal distribution and its density.
func GeluGradient(dx, dy, x []float32) { gradient(dx, dy, x, kernel.GeluGradN) }

func gradient(dx, dy, of []float32, run func(dx, dy, of *float32, n int)) {
	if n := len(of); n > 0 {
		run(kernel.Ptr(dx[:n]), kernel.Ptr(dy[:n]), kernel.Ptr(of), n)
	}
}

// SoftmaxGradient computes y·(dy − Σ dy·y) row by row, from Softmax's result y [rows, cols].
func SoftmaxGradient(dx, dy, y []float32, rows, cols int) {
	if n := rows * cols; n > 0 {
		kernel.SoftmaxGradRows(kernel.Ptr(dx[:n]), kernel.Ptr(dy[:n]), kernel.Ptr(y[:n]), rows, cols)
	}
}

// Dot is Σ a·b in float64.
func Dot(a, b []float32) float64 {
	if len(a) == 0 {
		return 0
	}
	return kernel.DotWide(kernel.Ptr(a), kernel.Ptr(b[:len(a)]), len(a))
}

// Momentum is a step of gradient descent: v ← momentum·v + by·g + decay·w, w ← w − rate·v.
func Momentum(w, v, g []float32, rate, momentum, decay, by float32) {
	if n := len(w); n > 0 {
		kernel.MomentumN(kernel.Ptr(w), kernel.Ptr(v[:n]), kernel.Ptr(g[:n]), n, rate, momentum, decay, by)
	}
}

// AdamW is a step of AdamW for the gradient by·g: m ← beta1·m + (1 − beta1)·g,
// v ← beta2·v + (1 − beta2)·g², w ← w − rate·(c1·m/(√(c2·v) + 1e-8) + decay·w).
func AdamW(w, m, v, g []float32, rate, beta1, beta2, decay, c1, c2, by float32) {
	if n := len(w); n > 0 {
		kernel.AdamN(kernel.Ptr(w), kernel.Ptr(m[:n]), kernel.Ptr(v[:n]), kernel.Ptr(g[:n]), n, rate, beta1, beta2, 1-beta1, 1-beta2, decay, c1, c2, by)
	}
}

// MaxPairs computes the maxima y [planes, h/2, w/2] of windows of 2×2 side by side, and
// which of the four each one is, for MaxPairsGradient: the first of equals. An odd row or
// column at the end belongs to no window. NaN wins.
func MaxPairs(y, which, x []float32, planes, h, w int) {
	oh, ow := h/2, w/2
	for i := range planes * min(oh*ow, 1) {
		kernel.MaxPairs(kernel.Ptr(y[i*oh*ow:][:oh*ow]), kernel.Ptr(which[i*oh*ow:][:oh*ow]), kernel.Ptr(x[i*h*w:][:h*w]), w, oh, ow)
	}
}

// MaxPairsGradient computes dx [planes, h, w]: dy where MaxPairs found the maximum, and 0
// elsewhere. dx may not overlap dy.
func MaxPairsGradient(dx, dy, which []float32, planes, h, w int) {
	oh, ow := h/2, w/2
	if h%2+w%2 > 0 {
		clear(dx[:planes*h*w])
	}
	for i := range planes * min(oh*ow, 1) {
		kernel.SpreadPairs(kernel.Ptr(dx[i*h*w:][:h*w]), w, kernel.Ptr(dy[i*oh*ow:][:oh*ow]), kernel.Ptr(which[i*oh*ow:][:oh*ow]), oh, ow)
	}
}
