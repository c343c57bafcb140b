package nn

import "github.com/normwasm/normwasm/internal/compute"

// The elementwise functions compute y from x, slices of the same length; y may be x. Those
// that networks apply to every activation run as kernels, in float32 within about 2 units
// in the last place; the rest are Go's. A wrong length is a *ShapeError.

// each runs an elementwise function.
func each(op string, y, x []float32, run func()) error {
	if err := check(op, arg{name: "y", have: len(y), want: len(x), why: "as x"}); err != nil {
		return err
	}
	run()
	return nil
}

// Clip computes min(max(x, lo), hi); NaN stays.
func Clip(y, x []float32, lo, hi float32) error {
	return each("Clip", y, x, func() { compute.Clip(y, x, lo, hi) })
}

// Relu computes max(x, 0).
func Relu(y, x []float32) error {
	return each("Relu", y, x, func() { compute.Relu(y, x) })
}

// Abs computes |x|.
func Abs(y, x []float32) error {
	return each("Abs", y, x, func() { compute.Abs(y, x) })
}

// Neg computes −x.
func Neg(y, x []float32) error {
	return each("Neg", y, x, func() { compute.Neg(y, x) })
}

// Sqrt computes √x.
func Sqrt(y, x []float32) error {
	return each("Sqrt", y, x, func() { compute.Sqrt(y, x) })
}

// LeakyRelu computes x for x ≥ 0, alpha·x below.
func LeakyRelu(y, x []float32, alpha float32) error {
	return each("LeakyRelu", y, x, func() { compute.LeakyRelu(y, x, alpha) })
}

// HardSigmoid computes min(max(alpha·x + beta, 0), 1).
func HardSigmoid(y, x []float32, alpha, beta float32) error {
	return each("HardSigmoid", y, x, func() { compute.HardSigmoid(y, x, alpha, beta) })
}

// HardSwish computes x · HardSigmoid(x): with alpha 1/6 and beta 0.5 ONNX's.
func HardSwish(y, x []float32, alpha, beta float32) error {
	return each("HardSwish", y, x, func() { compute.HardSwish(y, x, alpha, beta) })
}

// Exp computes eˣ.
func Exp(y, x []float32) error {
	return each("Exp", y, x, func() { compute.Exp(y, x) })
}

// Sigmoid computes 1/(1 + e⁻ˣ).
func Sigmoid(y, x []float32) error {
	return each("Sigmoid", y, x, func() { compute.Sigmoid(y, x) })
}

// Silu computes x · Sigmoid(x), also called swish.
func Silu(y, x []float32) error {
	return each("Silu", y, x, func() { compute.Silu(y, x) })
}

// Tanh computes the hyperbolic tangent.
func Tanh(y, x []float32) error {
	return each("Tanh", y, x, func() { compute.Tanh(y, x) })
}

// Erf computes the error function.
func Erf(y, x []float32) error {
	return each("Erf", y, x, func() { compute.Erf(y, x) })
}

// Gelu computes x·Φ(x) = x·(1 + erf(x/√2))/2.
func Gelu(y, x []float32) error {
	return each("Gelu", y, x, func() { compute.Gelu(y, x) })
}

// GeluTanh computes x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2, the approximation
// of Gelu that some networks were trained with.
func GeluTanh(y, x []float32) error {
	return each("GeluTanh", y, x, func() { compute.GeluTanh(y, x) })
}

// Map computes f of each element, in Go: for functions too rare for a kernel.
func Map(y, x []float32, f func(float32) float32) error {
	return each("Map", y, x, func() { compute.Map(y, x, f) })
}

// Log computes the natural logarithm.
func Log(y, x []float32) error {
	return each("Log", y, x, func() { compute.Log(y, x) })
}

// Floor rounds down.
func Floor(y, x []float32) error {
	return each("Floor", y, x, func() { compute.Floor(y, x) })
}

// Ceil rounds up.
func Ceil(y, x []float32) error {
	return each("Ceil", y, x, func() { compute.Ceil(y, x) })
}

// Round rounds to the nearest integer, halves to even.
func Round(y, x []float32) error {
	return each("Round", y, x, func() { compute.Round(y, x) })
}

// Sin computes the sine.
func Sin(y, x []float32) error {
	return each("Sin", y, x, func() { compute.Sin(y, x) })
}

// Cos computes the cosine.
func Cos(y, x []float32) error {
	return each("Cos", y, x, func() { compute.Cos(y, x) })
}

// Reciprocal computes 1/x.
func Reciprocal(y, x []float32) error {
	return each("Reciprocal", y, x, func() { compute.Reciprocal(y, x) })
}

// Sign computes −1, 0 or 1; NaN stays.
func Sign(y, x []float32) error {
	return each("Sign", y, x, func() { compute.Sign(y, x) })
}

// Softplus computes log(1 + eˣ).
func Softplus(y, x []float32) error {
	return each("Softplus", y, x, func() { compute.Softplus(y, x) })
}

// Softsign computes x/(1 + |x|).
func Softsign(y, x []float32) error {
	return each("Softsign", y, x, func() { compute.Softsign(y, x) })
}

// Mish computes x·tanh(Softplus(x)).
func Mish(y, x []float32) error {
	return each("Mish", y, x, func() { compute.Mish(y, x) })
}

// Elu computes x for x ≥ 0, alpha·(eˣ − 1) below.
func Elu(y, x []float32, alpha float32) error {
	return each("Elu", y, x, func() { compute.Elu(y, x, alpha) })
}

// Selu computes gamma·Elu(x).
func Selu(y, x []float32, alpha, gamma float32) error {
	return each("Selu", y, x, func() { compute.Selu(y, x, alpha, gamma) })
}

// Celu computes max(x, 0) + min(0, alpha·(e^(x/alpha) − 1)).
func Celu(y, x []float32, alpha float32) error {
	return each("Celu", y, x, func() { compute.Celu(y, x, alpha) })
}

// ThresholdedRelu computes x where x > alpha, 0 elsewhere.
func ThresholdedRelu(y, x []float32, alpha float32) error {
	return each("ThresholdedRelu", y, x, func() { compute.ThresholdedRelu(y, x, alpha) })
}
