package norm

import "github.com/normwasm/normwasm/internal/kernel"

// SiLU is x·sigmoid(x), also called swish. All that take an Activation take it, but for
// the bare BatchNormApply.
const SiLU Activation = ReLU6 + 1

// activate applies an activation in place.
func activate(y []float32, a Activation) {
	switch {
	case a == Linear || len(y) == 0:
	case a == SiLU:
		kernel.SiluN(&y[0], &y[0], len(y))
	default:
		kernel.AffinePlanes(&y[0], &y[0], &same[0], 1, len(y), int(a))
	}
}

var same = [3]float32{0, 1, 0} // affinePlanes' params for y = x

// activated applies any activation to one value.
func activated(y float32, a Activation) float32 {
	if a == SiLU {
		return kernel.SiluOf(y)
	}
	return kernel.Clamped(y, int(a))
}

func checkActivation(op string, a Activation) error {
	if a >= Linear && a <= SiLU {
		return nil
	}
	return valueError(op, "activation is ", int(a), ", want Linear, ReLU, ReLU6 or SiLU (0 to 3)")
}
