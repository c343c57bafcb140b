package norm

// SiLU is x·sigmoid(x), also called swish. The trainable normalizations, LayerNorm
// and RMSNorm take it as their Activation; BatchNorm's inference does not.
const SiLU Activation = ReLU6 + 1

// activate applies SiLU in place; the clamps are the kernels' own.
func activate(y []float32, a Activation) {
	if a == SiLU && len(y) > 0 {
		siluRows(&y[0], &y[0], len(y))
	}
}

// activated applies any activation to one value.
func activated(y float32, a Activation) float32 {
	if a == SiLU {
		return siluScalar(y)
	}
	return clampScalar(y, int(a))
}

func checkActivation(op string, a Activation) error {
	if a >= Linear && a <= SiLU {
		return nil
	}
	return valueError(op, "activation is ", int(a), ", want Linear, ReLU, ReLU6 or SiLU (0 to 3)")
}
