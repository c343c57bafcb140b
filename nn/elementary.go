package nn

import "math"

// The elementary functions of one element, operation for operation what the
// SIMD kernels do in each lane; kernel.go spells them out. Within about 2 units
// in the last place of the true value (see TestElementaryAccuracy).

const (
	expMagicBits = 0x4b400000
	signBit      = 1 << 31
)

func absOf(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }

// withSign returns x, which is at least 0 or has the sign of s, with that sign.
func withSign(x, s float32) float32 {
	return math.Float32frombits(math.Float32bits(x) | math.Float32bits(s)&signBit)
}

func expOf(x float32) float32 {
	if !(x > expMin && x < expMax) {
		x = max(min(x, expMax), expMin)
	}
	z := float32(x*log2e) + expMagic
	n := z - expMagic
	i := int32(math.Float32bits(z)) - expMagicBits
	r := (x - float32(n*ln2Hi)) - float32(n*ln2Lo)
	g := float32(exp6)
	g = float32(g*r) + exp5
	g = float32(g*r) + exp4
	g = float32(g*r) + exp3
	g = float32(g*r) + exp2
	p := (float32(float32(r*r)*g) + r) + 1
	h := i >> 1
	p *= math.Float32frombits(uint32(h+127) << 23)
	return p * math.Float32frombits(uint32(i-h+127)<<23)
}

func sigmoidOf(x float32) float32 {
	e := expOf(-absOf(x))
	top := float32(1)
	if x < 0 {
		top = e
	}
	return top / (1 + e)
}

func tanhOf(x float32) float32 {
	a := absOf(x)
	z := float32(x * x)
	g := float32(tanh11)
	g = float32(g*z) + tanh9
	g = float32(g*z) + tanh7
	g = float32(g*z) + tanh5
	g = float32(g*z) + tanh3
	if a < tanhSplit {
		return withSign(float32(float32(x*z)*g)+x, x)
	}
	e := expOf(-(a + a))
	return withSign((1-e)/(1+e), x)
}

func erfSmall(x float32) float32 {
	z := float32(x * x)
	g := float32(erf13)
	g = float32(g*z) + erf11
	g = float32(g*z) + erf9
	g = float32(g*z) + erf7
	g = float32(g*z) + erf5
	g = float32(g*z) + erf3
	g = float32(g*z) + erf1
	return float32(x*g) + x
}

func erfcLarge(t float32) float32 {
	u := 1 / (float32(t*0.5) + 1)
	q := float32(erfc8)
	q = float32(q*u) + erfc7
	q = float32(q*u) + erfc6
	q = float32(q*u) + erfc5
	q = float32(q*u) + erfc4
	q = float32(q*u) + erfc3
	q = float32(q*u) + erfc2
	q = float32(q*u) + erfc1
	return float32(q*u) * expOf(-float32(t*t))
}

func erfOf(x float32) float32 {
	t := absOf(x)
	if t < 1 {
		return erfSmall(x)
	}
	return withSign(1-erfcLarge(t), x)
}

func normalOf(x float32) float32 {
	s := float32(x * sqrtHalf)
	t := absOf(s)
	if t < 1 {
		return float32(0.5*erfSmall(s)) + 0.5
	}
	c := float32(0.5 * erfcLarge(t))
	if s < 0 {
		return c
	}
	return 1 - c
}

func geluTanhOf(x float32) float32 {
	u := float32(x * (float32(float32(x*x)*geluCubic) + geluLinear))
	return x * sigmoidOf(u)
}
