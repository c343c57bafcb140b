package train

import "github.com/normwasm/normwasm/internal/compute"

// activation is a function of each element.
type activation struct {
	kind  string
	later bool // relu: the layer after it does it
	x     []float32
	y     buffer
}

func newActivation(b *builder, s *Spec, in []int) (layer, []int, error) {
	return &activation{kind: s.Type}, in, nil
}

func (a *activation) params() []*Param { return nil }

func (a *activation) forward(_ *pass, x []float32) ([]float32, error) {
	a.x = x
	if a.later {
		return x, nil
	}
	return a.outputs(), nil
}

// outputs are those for the latest x.
func (a *activation) outputs() []float32 {
	x, y := a.x, a.y.of(len(a.x))
	switch a.kind {
	case "relu":
		compute.Relu(y, x)
	case "gelu":
		compute.Gelu(y, x)
	case "silu":
		compute.Silu(y, x)
	case "tanh":
		compute.Tanh(y, x)
	case "sigmoid":
		compute.Sigmoid(y, x)
	}
	return y
}

func (a *activation) backward(_ *pass, dy []float32) ([]float32, error) {
	if a.later {
		return dy, nil
	}
	dx, y := dy, a.y.of(len(dy))
	switch a.kind {
	case "relu":
		compute.ReluGradient(dx, dy, y)
	case "tanh":
		compute.TanhGradient(dx, dy, y)
	case "sigmoid":
		compute.SigmoidGradient(dx, dy, y)
	case "silu":
		compute.SiluGradient(dx, dy, a.x)
	case "gelu":
		compute.GeluGradient(dx, dy, a.x)
	}
	return dx, nil
}

// What follows are nn's element-wise kernels on whole slices.

func add(y, a, b []float32)      { compute.Add(y, a, 0, 1, b, 0, 1, 1, len(y)) }
func multiply(y, a, b []float32) { compute.Mul(y, a, 0, 1, b, 0, 1, 1, len(y)) }

func scale(y, x []float32, by float32) {
	s := [1]float32{by}
	compute.Mul(y, x, 0, 1, s[:], 0, 0, 1, len(y))
}

// subtractFrom is y = v − y.
func subtractFrom(y []float32, v float32) {
	s := [1]float32{v}
	compute.Sub(y, s[:], 0, 0, y, 0, 1, 1, len(y))
}
