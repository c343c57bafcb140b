package kernel

import "math"

// The elementary functions of one element, operation for operation what the SIMD kernels
// do in each lane. Within about 2 units in the last place of the true value (see
// TestElementaryAccuracy).

const signBit = 1 << 31

// AbsOf is |x|, by the sign bit: what f32x4.abs does to a NaN as well.
func AbsOf(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }

// withSign returns x, which is at least 0 or has the sign of s, with that sign.
func withSign(x, s float32) float32 {
	return math.Float32frombits(math.Float32bits(x) | math.Float32bits(s)&signBit)
}

const (
	magicBits = 0x4b400000
	expMax    = 89
	expMin    = -105
	log2e     = 1.44269504
	expMagic  = 12582912 // 1.5·2²³; its bits are magicBits
	ln2Hi     = 0.693359375
	ln2Lo     = -2.12194440e-4
	exp2      = 0.5
	exp3      = 0.16666576846
	exp4      = 0.0416665544377
	exp5      = 0.00836320297158
	exp6      = 0.00139262134663
)

// ExpOf is e to the power x:
//
//	x = max(min(x, expMax), expMin)               // NaN stays
//	z = float32(x*log2e) + expMagic                // rounds x/ln2 to an integer n
//	n = z - expMagic
//	i = int32 bits of z - int32 bits of expMagic   // n once more, as integer lanes
//	r = (x - float32(n*ln2Hi)) - float32(n*ln2Lo)  // |r| ≤ ln2/2; n*ln2Hi is exact
//	g = exp6; g = float32(g*r) + exp5; … + exp4; … + exp3; … + exp2
//	p = (float32(float32(r*r)*g) + r) + 1
//	h = i >> 1 (arithmetic)
//	ExpOf = float32(p * 2^h) * 2^(i-h)             // 2^h: bits (h+127)<<23
//
// The two steps of the scaling give denormal results their single rounding and
// let overflow become +Inf.
func ExpOf(x float32) float32 {
	if !(x > expMin && x < expMax) {
		x = max(min(x, expMax), expMin)
	}
	z := float32(x*log2e) + expMagic
	n := z - expMagic
	i := int32(math.Float32bits(z)) - magicBits
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

// SigmoidOf is 1/(1 + e^-x):
//
//	e = ExpOf(-|x|)
//	SigmoidOf = (x < 0 ? e : 1) / (1 + e)          // NaN comes through e
func SigmoidOf(x float32) float32 {
	e := ExpOf(-AbsOf(x))
	top := float32(1)
	if x < 0 {
		top = e
	}
	return top / (1 + e)
}

// SiluOf is x·sigmoid(x).
func SiluOf(x float32) float32 { return x * SigmoidOf(x) }

const (
	tanhSplit = 0.625
	tanh3     = -0.333333289441
	tanh5     = 0.13332769737
	tanh7     = -0.0538509095785
	tanh9     = 0.0209971789991
	tanh11    = -0.00609671416591
)

// TanhOf is the hyperbolic tangent:
//
//	a = |x|; z = float32(x*x)
//	g = tanh11; g = float32(g*z) + tanh9; … tanh7; … tanh5; … tanh3
//	small = float32(float32(x*z)*g) + x
//	e = ExpOf(-2a)                                 // a+a, then the sign flipped
//	large = (1 - e) / (1 + e)
//	TanhOf = (a < tanhSplit ? small : large) | the sign bit of x
//
// NaN comes through large; small has x's sign but for -0, hence the bit for both.
func TanhOf(x float32) float32 {
	a := AbsOf(x)
	z := float32(x * x)
	g := float32(tanh11)
	g = float32(g*z) + tanh9
	g = float32(g*z) + tanh7
	g = float32(g*z) + tanh5
	g = float32(g*z) + tanh3
	if a < tanhSplit {
		return withSign(float32(float32(x*z)*g)+x, x)
	}
	e := ExpOf(-(a + a))
	return withSign((1-e)/(1+e), x)
}

const (
	sqrtHalf = 0.70710678
	erf1     = 0.128379165848
	erf3     = -0.376126266667
	erf5     = 0.112835947152
	erf7     = -0.0268542120106
	erf9     = 0.00518908742343
	erf11    = -0.000801686428717
	erf13    = 7.87587506269e-5
	erfc1    = 0.282094740414
	erfc2    = 0.28210471533
	erfc3    = 0.246510428486
	erfc4    = 0.180396721157
	erfc5    = 0.0578009716881
	erfc6    = 0.0859866510319
	erfc7    = -0.228245865758
	erfc8    = 0.0939210176083
)

// ErfOf and NormalOf share two halves, t ≥ 0:
//
//	erfSmall(x), |x| < 1:
//		z = float32(x*x)
//		g = erf13; g = float32(g*z) + erf11; … erf9; … erf7; … erf5; … erf3; … erf1
//		erfSmall = float32(x*g) + x
//	erfcLarge(t), t ≥ 1:
//		u = 1 / (float32(t*0.5) + 1)
//		q = erfc8; q = float32(q*u) + erfc7; … ; … erfc1
//		erfcLarge = float32(float32(q*u) * ExpOf(-float32(t*t)))
//
//	ErfOf(x): t = |x|; t < 1 ? erfSmall(x) : (1 - erfcLarge(t)) with the sign of x
//	NormalOf(x): s = float32(x*sqrtHalf); t = |s|
//		c = float32(0.5*erfcLarge(t))
//		t < 1 ? float32(0.5*erfSmall(s)) + 0.5 : (s < 0 ? c : 1 - c)
//
// NaN comes through the large half. The polynomials are Chebyshev fits of
// erf(√z)/√z - 1 on [0, 1] and erfc(t)·exp(t²)/u on u ∈ [0, 2/3].

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
	return float32(q*u) * ExpOf(-float32(t*t))
}

// ErfOf is the error function; the comment above has it.
func ErfOf(x float32) float32 {
	t := AbsOf(x)
	if t < 1 {
		return erfSmall(x)
	}
	return withSign(1-erfcLarge(t), x)
}

// NormalOf is the cumulative normal distribution; the comment above has it.
func NormalOf(x float32) float32 {
	s := float32(x * sqrtHalf)
	t := AbsOf(s)
	if t < 1 {
		return float32(0.5*erfSmall(s)) + 0.5
	}
	c := float32(0.5 * erfcLarge(t))
	if s < 0 {
		return c
	}
	return 1 - c
}

const (
	gelu1  = 0.1994748601
	gelu2  = 0.0994196073
	gelu3  = 0.02655945816
	gelu4  = 0.00465687589
	gelu5  = 0.002661388434
	gelu6  = -0.001015571436
	gelu7  = 0.0008967556049
	gelu8  = -0.0003570188201
	gelu9  = 0.00010009365
	gelu10 = -1.517693968e-05
	gelu11 = 1.131009964e-06
)

// GeluOf is x·Φ(x) with Φ the cumulative normal distribution, without an exponential:
//
//	t = |x|
//	g = gelu11; g = float32(g*t) + gelu10; … ; … gelu1; e = float32(g*t)
//	twice: e = float32(e * (e + 2))                      // 1 + e becomes its square
//	r = 0.5 / (e + 1)
//	GeluOf(x) = x * (x < 0 ? r : 1 - r)
//
// 1 + g·t is fitted to (2Φ(−t))^(−1/4) so that the largest error of x·Φ(x), in units of
// its last place or that of 1/8, is least: 3.5 units with what rounding adds.
func GeluOf(x float32) float32 {
	t := AbsOf(x)
	g := float32(gelu11)
	g = float32(g*t) + gelu10
	g = float32(g*t) + gelu9
	g = float32(g*t) + gelu8
	g = float32(g*t) + gelu7
	g = float32(g*t) + gelu6
	g = float32(g*t) + gelu5
	g = float32(g*t) + gelu4
	g = float32(g*t) + gelu3
	g = float32(g*t) + gelu2
	g = float32(g*t) + gelu1
	e := float32(g * t)
	e = float32(e * (e + 2))
	e = float32(e * (e + 2))
	r := 0.5 / (e + 1)
	if x < 0 {
		return x * r
	}
	return x * (1 - r)
}

const (
	geluLinear = 1.5957691216 // 2√(2/π)
	geluCubic  = 0.0713548163 // 2√(2/π)·0.044715
)

// GeluTanhOf is x·sigmoid(2u) with u = √(2/π)·(x + 0.044715x³), the same as
// x·(1 + tanh u)/2 without its cancellation.
func GeluTanhOf(x float32) float32 {
	u := float32(x * (float32(float32(x*x)*geluCubic) + geluLinear))
	return x * SigmoidOf(u)
}

const (
	sqrtHalfBits = 0x3f3504f3 // of √½
	infBits      = 0x7f800000
	nanBits      = 0x7fc00000
	least        = 0x1p-126 // the smallest normal number
)

// logTerms are those of the polynomial of LogOf, the highest first.
var logTerms = [...]float32{7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1}

// LogOf is the natural logarithm:
//
//	v, d = x < least ? (float32(x*2²³), -23) : (x, 0)  // denormals
//	LogOf = x = 0: -Inf; x < 0: NaN; x = Inf or NaN: x; else normalLog(v, d)
//
//	normalLog(v, d):
//		i = (bits of v - sqrtHalfBits) >> 23           // of v = m·2^i, m from √½ to √2
//		f = (bits of v - i<<23) - 1;  z = float32(f*f);  e = float32(i) + d
//		g = the polynomial of logTerms in f
//		r = float32(float32(f*z)*g) + float32(e*ln2Lo)
//		normalLog = (f + (r - float32(0.5*z))) + float32(e*ln2Hi)
func LogOf(x float32) float32 {
	switch {
	case x == 0:
		return math.Float32frombits(infBits | signBit)
	case x < 0:
		return math.Float32frombits(nanBits)
	case !(x <= math.MaxFloat32):
		return x
	case x < least:
		return normalLog(x*0x1p23, -23)
	}
	return normalLog(x, 0)
}

func normalLog(v, d float32) float32 {
	bits := int32(math.Float32bits(v))
	i := (bits - sqrtHalfBits) >> 23
	f := math.Float32frombits(uint32(bits-i<<23)) - 1
	z, e := float32(f*f), float32(i)+d
	g := logTerms[0]
	for _, t := range logTerms[1:] {
		g = float32(g*f) + t
	}
	r := float32(float32(f*z)*g) + float32(e*ln2Lo)
	return (f + (r - float32(0.5*z))) + float32(e*ln2Hi)
}

// SoftplusOf is log(1 + eˣ):
//
//	e = ExpOf(-|x|);  u = 1 + e
//	SoftplusOf = (x > 0 ? x : 0) + (normalLog(u, 0) + (e - (u - 1)) / u)
//
// The quotient is what u lacks. A NaN comes through it.
func SoftplusOf(x float32) float32 {
	e := ExpOf(-AbsOf(x))
	u := 1 + e
	top := float32(0)
	if x > 0 {
		top = x
	}
	return top + (normalLog(u, 0) + (e-(u-1))/u)
}

// mishMax is where tanh(softplus(x)) is 1.
const mishMax = 20

// MishOf is x·tanh(log(1 + eˣ)):
//
//	e = ExpOf(mishMax < x ? mishMax : x);  w = float32(e * (e + 2))
//	MishOf = x * (w / (w + 2))
func MishOf(x float32) float32 {
	t := x
	if mishMax < t {
		t = mishMax
	}
	e := ExpOf(t)
	w := float32(e * (e + 2))
	return x * (w / (w + 2))
}

// expm1Min is below where eˣ - 1 is -1.
const expm1Min = -20

// expm1 is eˣ - 1 for x < 0, as ExpOf but for the end: with s = 2^i
//
//	expm1 = float32((float32(float32(r*r)*g) + r) * s) + (s - 1)
func expm1(x float32) float32 {
	if !(x > expm1Min) {
		x = max(x, expm1Min)
	}
	z := float32(x*log2e) + expMagic
	n := z - expMagic
	i := int32(math.Float32bits(z)) - magicBits
	r := (x - float32(n*ln2Hi)) - float32(n*ln2Lo)
	g := float32(exp6)
	g = float32(g*r) + exp5
	g = float32(g*r) + exp4
	g = float32(g*r) + exp3
	g = float32(g*r) + exp2
	s := math.Float32frombits(uint32(i+127) << 23)
	return float32((float32(float32(r*r)*g)+r)*s) + (s - 1)
}
