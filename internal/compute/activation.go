package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// The elementwise functions below compute y from x, slices of the same length;
// y may be x. Those that networks apply to every activation run as kernels, in
// float32 within about 2 units in the last place; the rest are Go's.

// Clip computes min(max(x, lo), hi); NaN stays.
func Clip(y, x []float32, lo, hi float32) {
	if len(x) > 0 {
		kernel.ClipN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), lo, hi)
	}
}

// Relu computes max(x, 0).
func Relu(y, x []float32) { Clip(y, x, 0, float32(math.Inf(1))) }

// Abs computes |x|.
func Abs(y, x []float32) {
	if len(x) > 0 {
		kernel.AbsN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Neg computes −x.
func Neg(y, x []float32) {
	if len(x) > 0 {
		kernel.NegN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Sqrt computes √x.
func Sqrt(y, x []float32) {
	if len(x) > 0 {
		kernel.SqrtN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// LeakyRelu computes x for x ≥ 0, alpha·x below.
func LeakyRelu(y, x []float32, alpha float32) {
	if len(x) > 0 {
		kernel.LeakyN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), alpha)
	}
}

// HardSigmoid computes min(max(alpha·x + beta, 0), 1).
func HardSigmoid(y, x []float32, alpha, beta float32) {
	if len(x) > 0 {
		kernel.HardSigmoidN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), alpha, beta)
	}
}

// HardSwish computes x · HardSigmoid(x): with alpha 1/6 and beta 0.5 ONNX's.
func HardSwish(y, x []float32, alpha, beta float32) {
	hardSwish(y, x, alpha, beta, 1, float32(math.Copysign(0, -1)))
}

func hardSwish(y, x []float32, alpha, beta, scale, shift float32) {
	if len(x) > 0 {
		kernel.HardSwishN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), alpha, beta, scale, shift)
	}
}

// Exp computes eˣ.
func Exp(y, x []float32) {
	if len(x) > 0 {
		kernel.ExpN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Sigmoid computes 1/(1 + e⁻ˣ).
func Sigmoid(y, x []float32) {
	if len(x) > 0 {
		kernel.SigmoidN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Silu computes x · Sigmoid(x), also called swish.
func Silu(y, x []float32) {
	if len(x) > 0 {
		kernel.SiluN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Tanh computes the hyperbolic tangent.
func Tanh(y, x []float32) {
	if len(x) > 0 {
		kernel.TanhN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Erf computes the error function.
func Erf(y, x []float32) {
	if len(x) > 0 {
		kernel.ErfN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Gelu computes x·Φ(x) = x·(1 + erf(x/√2))/2.
func Gelu(y, x []float32) {
	if len(x) > 0 {
		kernel.GeluN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// GeluTanh computes x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2, the approximation
// of Gelu that some networks were trained with.
func GeluTanh(y, x []float32) {
	if len(x) > 0 {
		kernel.GeluTanhN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// mapN runs kernel.MapN.
func mapN(y, x []float32, how int, alpha, beta float32) {
	if len(x) > 0 {
		kernel.MapN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), how, alpha, beta)
	}
}

// Map computes f of each element, in Go: for functions too rare for a kernel.
func Map(y, x []float32, f func(float32) float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = f(v)
	}
}

// wide computes one of package math's functions.
func wide(y, x []float32, f func(float64) float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(f(float64(v)))
	}
}

// Log computes the natural logarithm.
func Log(y, x []float32) {
	if len(x) > 0 {
		kernel.LogN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Floor rounds down.
func Floor(y, x []float32) { mapN(y, x, kernel.MapFloor, 0, 0) }

// Ceil rounds up.
func Ceil(y, x []float32) { mapN(y, x, kernel.MapCeil, 0, 0) }

// Round rounds to the nearest integer, halves to even.
func Round(y, x []float32) { mapN(y, x, kernel.MapRound, 0, 0) }

// Sin computes the sine.
func Sin(y, x []float32) { sines(y, x, 0, math.Sin) }

// Cos computes the cosine.
func Cos(y, x []float32) { sines(y, x, 1, math.Cos) }

// Tan computes the tangent.
func Tan(y, x []float32) {
	y = y[:len(x)]
	for len(x) > 0 {
		done := kernel.TanN(&y[0], &x[0], len(x))
		x, y = x[done:], y[done:]
		n := min(4, len(x))
		wide(y[:n], x[:n], math.Tan)
		x, y = x[n:], y[n:]
	}
}

// Asin computes the inverse of the sine: NaN beyond 1.
func Asin(y, x []float32) { arcs(y, x, kernel.OfSine) }

// Acos computes the inverse of the cosine: NaN beyond 1.
func Acos(y, x []float32) { arcs(y, x, kernel.OfCosine) }

// Atan computes the inverse of the tangent.
func Atan(y, x []float32) { arcs(y, x, kernel.OfTangent) }

func arcs(y, x []float32, how int) {
	if len(x) > 0 {
		kernel.ArcN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), how)
	}
}

// Sinh computes the hyperbolic sine.
func Sinh(y, x []float32) { hyperbolic(y, x, kernel.OfSine) }

// Cosh computes the hyperbolic cosine.
func Cosh(y, x []float32) { hyperbolic(y, x, kernel.OfCosine) }

func hyperbolic(y, x []float32, how int) {
	if len(x) > 0 {
		kernel.HyperbolicN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), how)
	}
}

// Asinh computes the inverse of the hyperbolic sine.
func Asinh(y, x []float32) { areas(y, x, kernel.OfSine) }

// Acosh computes the inverse of the hyperbolic cosine: NaN below 1.
func Acosh(y, x []float32) { areas(y, x, kernel.OfCosine) }

// Atanh computes the inverse of the hyperbolic tangent: NaN beyond 1.
func Atanh(y, x []float32) { areas(y, x, kernel.OfTangent) }

func areas(y, x []float32, how int) {
	if len(x) > 0 {
		kernel.AreaN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), how)
	}
}

// sines leaves what is far from 0, or no number, to package math.
func sines(y, x []float32, quarters int, f func(float64) float64) {
	y = y[:len(x)]
	for len(x) > 0 {
		done := kernel.SinN(&y[0], &x[0], len(x), quarters)
		x, y = x[done:], y[done:]
		n := min(2, len(x))
		wide(y[:n], x[:n], f)
		x, y = x[n:], y[n:]
	}
}

// Reciprocal computes 1/x.
func Reciprocal(y, x []float32) { mapN(y, x, kernel.MapInverse, 0, 0) }

// Sign computes −1, 0 or 1; NaN stays.
func Sign(y, x []float32) { mapN(y, x, kernel.MapSign, 0, 0) }

// Softplus computes log(1 + eˣ).
func Softplus(y, x []float32) {
	if len(x) > 0 {
		kernel.SoftplusN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Softsign computes x/(1 + |x|).
func Softsign(y, x []float32) { mapN(y, x, kernel.MapSoftsign, 0, 0) }

// Mish computes x·tanh(Softplus(x)).
func Mish(y, x []float32) {
	if len(x) > 0 {
		kernel.MishN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x))
	}
}

// Elu computes x for x ≥ 0, alpha·(eˣ − 1) below.
func Elu(y, x []float32, alpha float32) { eluN(y, x, 1, alpha, 1) }

// Selu computes gamma·Elu(x).
func Selu(y, x []float32, alpha, gamma float32) { eluN(y, x, 1, alpha, gamma) }

// Celu computes max(x, 0) + min(0, alpha·(e^(x/alpha) − 1)).
func Celu(y, x []float32, alpha float32) { eluN(y, x, alpha, alpha, 1) }

func eluN(y, x []float32, divisor, alpha, gamma float32) {
	if len(x) > 0 {
		kernel.EluN(kernel.Ptr(y[:len(x)]), kernel.Ptr(x), len(x), divisor, alpha, gamma)
	}
}

// ThresholdedRelu computes x where x > alpha, 0 elsewhere.
func ThresholdedRelu(y, x []float32, alpha float32) { mapN(y, x, kernel.MapThreshold, alpha, 0) }

// Shrink computes x moved by bias towards 0 where it is more than lambda from it, 0 elsewhere.
func Shrink(y, x []float32, bias, lambda float32) { mapN(y, x, kernel.MapShrink, lambda, bias) }

// Swish computes x · Sigmoid(alpha·x).
func Swish(y, x []float32, alpha, _ float32) {
	if alpha == 1 {
		Silu(y, x)
		return
	}
	var part [256]float32
	for len(x) > 0 {
		n := min(len(x), len(part))
		t := part[:n]
		kernel.MulRows(&t[0], &x[0], 0, 1, &alpha, 0, 0, 1, n)
		kernel.SigmoidN(&t[0], &t[0], n)
		kernel.MulRows(&y[0], &x[0], 0, 1, &t[0], 0, 1, 1, n)
		x, y = x[n:], y[n:]
	}
}
