package kernel

import "math"

// Functions of trigonometry, in float64 and rounded once at the end.

const (
	hyperbolicMost = 100 // from where on float32 has no number for them
	tangentEighth  = 0.41421356237309503
	tangentThree   = 2.4142135623730951
)

// arcTerms are those of atan(t)/t in t², for t up to the tangent of π/8, the highest first:
// interpolated at Chebyshev nodes, 2^-40 off at most.
var arcTerms = [...]float64{-0.03765510601291402, 0.06974197686595265, -0.08992552906150912, 0.11103456908947464, -0.14285386553752139, 0.19999993053555815, -0.33333333276922494, 0.9999999999992447}

// What AreaN, HyperbolicN and ArcN compute: the functions of the sine, the cosine and the
// tangent.
const (
	OfSine = iota
	OfCosine
	OfTangent
)

// AreaN: y = the inverse of sinh, cosh or tanh at x, for n elements.
//
//	a = |x|
//	OfSine:    u = (a*a) / (sqrt(a*a + 1) + 1) + a
//	OfCosine:  u = sqrt((x-1)*(x + 1)) + (x-1)
//	OfTangent: u = (a + a) / (1 - a), and log1p below halved
//
//	log1p(u):
//		w = u + 1;  k = (bits of w - rootHalfBits) >> 52
//		f = k == 0 ? u : w·2^-k - 1                        // keeps the digits of a small u
//		s = f / (f + 2);  g = the polynomial of powerLogs in s*s
//		log1p = g*s + k*lnOf2
//
// y has the sign of x but for OfCosine. Where there is no number or an infinite one, y is x;
// NaN for OfCosine below 1; ±Inf for OfTangent at ±1 and NaN beyond.
func areaNScalar(y, x *float32, n, how int) {
	ys := slice(y, n)
	for i, v := range slice(x, n) {
		ys[i] = areaOf(float64(v), how)
	}
}

func areaOf(v float64, how int) float32 {
	a := math.Abs(v)
	switch how {
	case OfSine:
		if !(a < math.Inf(1)) {
			return float32(v)
		}
		square := float64(a * a)
		return float32(math.Copysign(log1p(square/(math.Sqrt(square+1)+1)+a), v))
	case OfCosine:
		switch {
		case !(v >= 1):
			return float32(math.NaN())
		case !(v < math.Inf(1)):
			return float32(v)
		}
		u := v - 1
		return float32(log1p(math.Sqrt(float64(u*(v+1))) + u))
	}
	switch {
	case a == 1:
		a = math.Inf(1)
	case !(a < 1):
		a = math.NaN()
	default:
		a = log1p((a+a)/(1-a)) * 0.5
	}
	return float32(math.Copysign(a, v))
}

func log1p(u float64) float64 {
	bits := int64(math.Float64bits(u + 1))
	k := (bits - rootHalfBits) >> 52
	s := u
	if k != 0 {
		s = math.Float64frombits(uint64(bits-k<<52)) - 1
	}
	s /= s + 2
	z := float64(s * s)
	g := powerLogs[0]
	for _, c := range powerLogs[1:] {
		g = float64(g*z) + c
	}
	return float64(g*s) + float64(float64(k)*lnOf2)
}

// HyperbolicN: y = sinh x or cosh x, for n elements.
//
//	t = min(|x|, hyperbolicMost) * log2OfE
//	z = t + powerScale;  r = (t - (z - powerScale)) * lnOf2
//	q = the polynomial of powerExps in r * r * 2^(z - powerScale) + (2^(z - powerScale) - 1)
//	OfSine:   y = (q/(q + 1) + q) * 0.5, with the sign of x   // q is e^|x| - 1
//	OfCosine: y = (q*q)/(q + 1) * 0.5 + 1
func hyperbolicNScalar(y, x *float32, n, how int) {
	ys := slice(y, n)
	for i, e := range slice(x, n) {
		v := float64(e)
		t := math.Abs(v)
		if hyperbolicMost < t {
			t = hyperbolicMost
		}
		t = float64(t * log2OfE)
		z := t + powerScale
		r := float64((t - (z - powerScale)) * lnOf2)
		q := powerExps[0]
		for _, c := range powerExps[1:] {
			q = float64(q*r) + c
		}
		scale := math.Float64frombits(math.Float64bits(z) << 52)
		q = float64(float64(q*r)*scale) + (scale - 1)
		if how == OfSine {
			ys[i] = float32(math.Copysign(float64((q/(q+1)+q)*0.5), v))
		} else {
			ys[i] = float32(float64(float64(q*q)/(q+1)*0.5) + 1)
		}
	}
}

// ArcN: y = asin x, acos x or atan x, for n elements: the angle of a triangle with the sides
// p and q.
//
//	a = |x|;  c = sqrt((1 - a)*(a + 1))
//	OfSine: p, q = a, c;  OfCosine: p, q = c, a;  OfTangent: p, q = a, 1
//	p > q*tangentThree:  t, base = -q/p, π/2
//	p > q*tangentEighth: t, base = (p - q)/(p + q), π/4
//	else                 t, base = p/q, 0
//	r = (the polynomial of arcTerms in t*t) * t + base
//	OfCosine: y = x < 0 ? π - r : r, else r with the sign of x
func arcNScalar(y, x *float32, n, how int) {
	ys := slice(y, n)
	for i, e := range slice(x, n) {
		v := float64(e)
		p, q := math.Abs(v), 1.0
		if how != OfTangent {
			q = math.Sqrt(float64((1 - p) * (p + 1)))
			if how == OfCosine {
				p, q = q, p
			}
		}
		base := 0.0
		switch {
		case float64(q*tangentThree) < p:
			p, q, base = -q, p, math.Pi/2
		case float64(q*tangentEighth) < p:
			p, q, base = p-q, p+q, math.Pi/4
		}
		t := p / q
		z := float64(t * t)
		r := arcTerms[0]
		for _, c := range arcTerms[1:] {
			r = float64(r*z) + c
		}
		r = float64(r*t) + base
		switch {
		case how != OfCosine:
			r = math.Copysign(r, v)
		case v < 0:
			r = math.Pi - r
		}
		ys[i] = float32(r)
	}
}

// TanN: y = tan x for all of n elements, or as many as there are before four, or at the end
// the rest, of which one is not below sinMost. It returns how many. sin and cos are as in
// sinOf, for r:
//
//	y = k odd: cos / -sin, else sin / cos
func tanNScalar(y, x *float32, n int) (done int) {
	ys, xs := slice(y, n), slice(x, n)
	for i := 0; i < n; {
		group := min(4, n-i)
		for _, v := range xs[i : i+group] {
			if !(AbsOf(v) < sinMost) {
				return i
			}
		}
		for range group {
			sin, cos, odd := quarterOf(xs[i])
			if odd {
				sin, cos = cos, -sin
			}
			ys[i] = float32(sin / cos)
			i++
		}
	}
	return n
}

// quarterOf is the sine and the cosine of what is left of x beyond quarters of a turn, and
// whether their number is odd.
func quarterOf(x float32) (sin, cos float64, odd bool) {
	v := float64(x)
	z := float64(v*turns) + powerMagic
	q := z - powerMagic
	r := (v - float64(q*quarterA)) - float64(q*quarterB)
	w := float64(r * r)
	sin, cos = sinTerms[0], cosTerms[0]
	for _, t := range sinTerms[1:] {
		sin = float64(sin*w) + t
	}
	for _, t := range cosTerms[1:] {
		cos = float64(cos*w) + t
	}
	sin, cos = float64((float64(sin*w)+1)*r), float64(cos*w)+1
	return sin, cos, math.Float64bits(z)&1 != 0
}
