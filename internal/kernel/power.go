package kernel

import "math"

const (
	// powerMagic rounds to an integer, whose bits are then its lowest ones.
	powerMagic = 0x1.8p52
	// powerScale does so with 1023 more, the bias of exponents.
	powerScale   = powerMagic + 1023
	rootHalfBits = 0x3fe6a09e667f3bcd // of √½
	log2OfE      = 1.44269504088896340736
	lnOf2        = 0.69314718055994530942
	powerMost    = 200
)

// powerLogs are those of log((1+s)/(1-s))/s in s², for |s| ≤ 0.1716, powerExps those of
// (eʳ-1)/r, for |r| ≤ ln2/2, the highest first: interpolated at Chebyshev nodes, 2^-45 and
// 2^-43 off at most.
var (
	powerLogs = [...]float64{0.19608095639753054, 0.2217424991007749, 0.28572166145875727, 0.3999999489183238, 0.6666666667957926, 1.9999999999999472}
	powerExps = [...]float64{2.7625102005388108e-06, 2.4876164022625967e-05, 0.0001984120875699232, 0.0013888821677630362, 0.008333333353717156, 0.041666666890957, 0.16666666666648303, 0.49999999999797934, 1.0}
)

// PowOf is a to the power b. All of it is in float64, and rounded once at the end:
//
//	x = |a|
//	k = (bits of x - rootHalfBits) >> 52;  m = x·2^-k        // m from √½ to √2
//	s = (m - 1) / (m + 1);  g = the polynomial of powerLogs in s*s
//	l = k + (g*s)*log2OfE                                    // log₂ x
//	l = x < Inf ? l : x;  l = x == 0 ? -Inf : l
//	t = max(min(b*l, powerMost), -powerMost)
//	z = t + powerScale;  r = (t - (z - powerScale)) * lnOf2
//	y = (the polynomial of powerExps in r * r + 1) * 2^(z - powerScale)
//
// y gets the sign of an odd power, is NaN for a power that is no integer of a finite number
// below 0, and 1 for b = 0, a = 1, and a = -1 with an infinite b.
func PowOf(a, b float32) float32 {
	v, e := float64(a), float64(b)
	x := math.Abs(v)
	bits := int64(math.Float64bits(x))
	k := (bits - rootHalfBits) >> 52
	m := math.Float64frombits(uint64(bits - k<<52))
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	g := powerLogs[0]
	for _, c := range powerLogs[1:] {
		g = float64(g*z) + c
	}
	l := float64(k) + float64(float64(g*s)*log2OfE)
	if !(x < math.Inf(1)) {
		l = x
	}
	if x == 0 {
		l = math.Inf(-1)
	}
	t := float64(e * l)
	if powerMost < t {
		t = powerMost
	}
	if t < -powerMost {
		t = -powerMost
	}
	z = t + powerScale
	r := float64((t - (z - powerScale)) * lnOf2)
	y := powerExps[0]
	for _, c := range powerExps[1:] {
		y = float64(y*r) + c
	}
	y = (float64(y*r) + 1) * math.Float64frombits(math.Float64bits(z)<<52)
	whole := math.Trunc(e) == e
	if half := float64(e * 0.5); whole && math.Trunc(half) != half && math.Signbit(v) {
		y = -y
	}
	switch {
	case e == 0, v == 1, v == -1 && math.Abs(e) == math.Inf(1):
		return 1
	case !whole && v < 0 && v > math.Inf(-1):
		return float32(math.NaN())
	}
	return float32(y)
}

// PowN: y = PowOf(a, b); y may be an operand.
func powNScalar(y, left, right *float32, n int) {
	ys, b := slice(y, n), slice(right, n)
	for i, v := range slice(left, n) {
		ys[i] = PowOf(v, b[i])
	}
}

// What DividePairs gives, with DivideInt64 added where the elements are not int32.
const (
	DivideQuotient  = iota // rounded towards zero
	DivideRemainder        // with the dividend's sign
	DivideModulo           // with the divisor's

	DivideInt64 = 3
)

// DividePairs divides n pairs of integers; a division by 0 gives 0. dst may be an operand.
func dividePairsScalar(dst, left, right *uint8, n, how int) {
	if how >= DivideInt64 {
		divideAll[int64](dst, left, right, n, how-DivideInt64)
	} else {
		divideAll[int32](dst, left, right, n, how)
	}
}

func divideAll[T int32 | int64](dst, left, right *uint8, n, how int) {
	y, b := elements[T](dst, n), elements[T](right, n)
	for i, v := range elements[T](left, n) {
		switch w := b[i]; {
		case w == 0:
			v = 0
		case how == DivideQuotient:
			v /= w
		default:
			if v %= w; how == DivideModulo && v != 0 && (v^w) < 0 {
				v += w
			}
		}
		y[i] = v
	}
}

const (
	sinMost  = 1 << 20 // from where on the quarters of a turn are not known well enough
	turns    = 0.63661977236758134308
	quarterA = 1.57079632673412561417 // 33 bits of π/2, so that its product is exact
	quarterB = 6.07710050650619224932e-11
)

// The polynomials of sin r/r - 1 and of cos r - 1, over r², in r², the highest term first.
var (
	sinTerms = [...]float64{-1. / 39916800, 1. / 362880, -1. / 5040, 1. / 120, -1. / 6}
	cosTerms = [...]float64{-1. / 3628800, 1. / 40320, -1. / 720, 1. / 24, -1. / 2}
)

// sinOf is the sine of x and so many quarters of a turn, for |x| < sinMost, in float64:
//
//	z = x*turns + powerMagic;  q = z - powerMagic;  r = (x - q*quarterA) - q*quarterB
//	k = bits of z + quarters;  w = r*r
//	sinOf = k odd: w*cosTerms(w) + 1, else (w*sinTerms(w) + 1)*r;  k&2: the same below 0
func sinOf(x float32, quarters int) float32 {
	v := float64(x)
	z := float64(v*turns) + powerMagic
	q := z - powerMagic
	r := (v - float64(q*quarterA)) - float64(q*quarterB)
	k := math.Float64bits(z) + uint64(quarters)
	w := float64(r * r)
	terms := &sinTerms
	if k&1 != 0 {
		terms = &cosTerms
	}
	g := terms[0]
	for _, t := range terms[1:] {
		g = float64(g*w) + t
	}
	g = float64(g*w) + 1
	if k&1 == 0 {
		g = float64(g * r)
	}
	return float32(math.Float64frombits(math.Float64bits(g) ^ k<<62&(1<<63)))
}

// SinN: y = sinOf(x, quarters) for all of n elements, or as many as there are before two, or
// at the end one, of which one is not below sinMost. It returns how many.
func sinNScalar(y, x *float32, n, quarters int) (done int) {
	ys, xs := slice(y, n), slice(x, n)
	for i := 0; i < n; {
		group := min(2, n-i)
		for _, v := range xs[i : i+group] {
			if !(AbsOf(v) < sinMost) {
				return i
			}
		}
		for range group {
			ys[i] = sinOf(xs[i], quarters)
			i++
		}
	}
	return n
}
