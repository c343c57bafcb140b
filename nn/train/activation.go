package train

import (
	"math"

	"github.com/normwasm/normwasm/nn"
)

// activation is a function of each element.
type activation struct {
	kind     string
	x        []float32
	y, dx, t buffer
}

func newActivation(b *builder, s *Spec, in []int) (layer, []int, error) {
	return &activation{kind: s.Type}, in, nil
}

func (a *activation) params() []*Param { return nil }

func (a *activation) forward(_ *pass, x []float32) ([]float32, error) {
	a.x = x
	y := a.y.of(len(x))
	switch a.kind {
	case "relu":
		nn.Relu(y, x)
	case "gelu":
		nn.Gelu(y, x)
	case "silu":
		nn.Silu(y, x)
	case "tanh":
		nn.Tanh(y, x)
	case "sigmoid":
		nn.Sigmoid(y, x)
	}
	return y, nil
}

func (a *activation) backward(_ *pass, dy []float32) ([]float32, error) {
	dx, y, x := a.dx.of(len(dy)), a.y.of(len(dy)), a.x
	switch a.kind {
	case "relu":
		reluGradient(dx, dy, y)
		return dx, nil
	case "tanh": // 1 − y²
		multiply(dx, y, y)
		subtractFrom(dx, 1)
	case "sigmoid": // y·(1 − y)
		copy(dx, y)
		subtractFrom(dx, 1)
		multiply(dx, dx, y)
	case "silu": // s + y·(1 − s), s = 1/(1 + e^−x)
		s := a.t.of(len(dy))
		nn.Sigmoid(s, x)
		copy(dx, s)
		subtractFrom(dx, 1)
		multiply(dx, dx, y)
		add(dx, dx, s)
	case "gelu": // Φ(x) + x·φ(x)
		t := a.t.of(len(dy))
		multiply(t, x, x)
		scale(t, t, -0.5)
		nn.Exp(t, t)
		scale(t, t, float32(1/math.Sqrt(2*math.Pi)))
		multiply(t, t, x)
		scale(dx, x, math.Sqrt2/2)
		nn.Erf(dx, dx)
		one := [1]float32{1}
		nn.Add(dx, dx, 0, 1, one[:], 0, 0, 1, len(dx))
		scale(dx, dx, 0.5)
		add(dx, dx, t)
	}
	multiply(dx, dx, dy)
	return dx, nil
}

// reluGradient is dy where y is above 0, and 0 elsewhere.
func reluGradient(dx, dy, y []float32) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	for i, v := range y {
		// All ones where v > 0: its bits, as an integer, are then positive.
		mask := uint32(-int32(math.Float32bits(v)) >> 31)
		dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & mask)
	}
}

// What follows are nn's element-wise kernels on whole slices.

func add(y, a, b []float32)      { nn.Add(y, a, 0, 1, b, 0, 1, 1, len(y)) }
func multiply(y, a, b []float32) { nn.Mul(y, a, 0, 1, b, 0, 1, 1, len(y)) }

func scale(y, x []float32, by float32) {
	s := [1]float32{by}
	nn.Mul(y, x, 0, 1, s[:], 0, 0, 1, len(y))
}

// subtractFrom is y = v − y.
func subtractFrom(y []float32, v float32) {
	s := [1]float32{v}
	nn.Sub(y, s[:], 0, 0, y, 0, 1, 1, len(y))
}
