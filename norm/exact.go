package norm

import "math"

// What a backward pass takes in float64, group by group. With g = γ·dy, dx is what is
// left of g without its parts along 1 and along x̂. A dy that has little else, as the
// gradients of Σy²/2 and of Σy have, leaves less than float32's roundings of it.

const (
	shown    = 0x1p-7   // of the terms, the least dx that float32 is trusted with
	tiny     = 0x1p-120 // below it float32's steps are no longer in proportion
	faintMax = 0x1p-60  // products with a smaller x̂ lose digits
	termsMax = 0x1p+102 // what cannot take back an overflow: half an ULP of the largest float32
)

// In dx = (g·A - h·B) - C the last two terms are no larger than
//
//	terms = |B|·√n + |C|
//
// since no |x̂| is larger than √n. From termsMax on they may take back a g·A that
// overflows. The error of dx is 2⁻²³ of the terms or so, and rstd's own one shows in the
// second, twice: 2⁻²¹ in all at the worst. (g is no larger than dx and terms together.)
func terms(root, B, C float64) float64 { return float64(math.Abs(B)*root) + math.Abs(C) }

// leastShown is what the largest |dx| of a group must reach for float32 to give all of dx
// with an error of less than 1e-4 of it.
func leastShown(terms, A float64) float64 {
	return float64(shown*terms) + float64(tiny*(1+math.Abs(A)))
}

// step is dx of one value; slope is B·rstd.
func step(g, x, mean float32, A, slope, C float64) float64 {
	return (float64(float64(g)*A) - float64((float64(x)-float64(mean))*slope)) - C
}

// exactGroup is a group whose dx is computed in float64.
type exactGroup struct {
	dx, dy, x, gamma    []float32
	span                span
	slot, inner, repeat int // the i-th of a run has gamma[(slot + i/inner)/repeat]
	mean, rstd, least   float64
}

// shows says whether some |dx| reaches least. With most dy the first one does, and the
// callers look at that themselves.
func (x *exactGroup) shows(least, m1, m2 float64) bool {
	x.least = least / x.rstd
	x.pass(false, m1, float64(m2*x.rstd), 0, 0)
	reached := x.least == 0
	x.least = 0
	return reached
}

// isFlat says whether g is the same everywhere, as in the gradient of Σy. Nothing of it is
// left without its mean: dx is 0, which needs no pass in float64.
func (x *exactGroup) isFlat() bool {
	first := x.dy[x.span.base]
	for b := range x.span.blocks {
		from := x.span.base + b*x.span.stride
		if x.dy[from] != first || x.span.run > 1 && !allEqual(x.dy[from:from+x.span.run]) {
			return false
		}
	}
	return x.sameScale()
}

// sameScale says whether all of the group has one gamma.
func (x *exactGroup) sameScale() bool {
	slots := x.slot + x.span.run/x.inner
	return x.gamma == nil || allEqual(x.gamma[x.slot/x.repeat:(slots-1)/x.repeat+1])
}

// allEqual says whether s, which is not empty, is one number. A variance of exactly 0 is
// that of equal ones, and the kernel is quick to find it.
func allEqual(s []float32) bool {
	if len(s) == 1 {
		return true
	}
	if s[len(s)-1] != s[0] || s[len(s)/2] != s[0] {
		return false
	}
	var moments [2]float64
	rowMoments(&moments[0], &s[0], 1, len(s))
	return moments[1] == 0
}

// pass goes over e = ((g - m1) - t·slope) + (shift + t·tilt) with t = x - mean: it
// returns Σe and Σe·t, or writes dx = e·rstd. An |e| that reaches least ends it and makes
// that 0.
func (x *exactGroup) pass(write bool, m1, slope, shift, tilt float64) (sum, product float64) {
	flat := slope == 0 && tilt == 0 // then ±Inf in x is not in e
	for b := range x.span.blocks {
		from, end := x.span.base+b*x.span.stride, 0
		for slot := x.slot; end < x.span.run; slot++ {
			channel := slot
			if x.repeat > 1 {
				channel /= x.repeat
			}
			scale := float64(at(x.gamma, channel, 1))
			for i := end; i < end+x.inner; i++ {
				t := float64(x.x[from+i]) - x.mean
				e := float64(float64(x.dy[from+i])*scale) - m1
				if !flat {
					e = (e - float64(t*slope)) + (shift + float64(t*tilt))
				} else {
					e += shift
				}
				if write {
					x.dx[from+i] = float32(e * x.rstd)
					continue
				}
				if x.least > 0 && math.Abs(e) >= x.least {
					x.least = 0
					return sum, product
				}
				sum += e
				product += float64(e * t)
			}
			end += x.inner
		}
	}
	return sum, product
}

// differentiate gives dx of a group with its own statistics. Twice it takes away what g
// has along 1 and along t: the first time leaves roundings of g, which may be larger than
// what is to be left. Of the part along t only ε's share stays,
//
//	x̂·mean(g·x̂) = t·slope·σ²/(σ² + ε)
func (x *exactGroup) differentiate(variance, epsilon float64, centered bool) {
	n := float64(x.span.blocks * x.span.run)
	var m1, slope, shift, tilt float64
	along := func(product float64) float64 {
		if variance == 0 { // t is 0
			return 0
		}
		return product / float64(n*variance)
	}
	sum, product := x.pass(false, 0, 0, 0, 0)
	if centered {
		m1 = sum / n
		if m1-m1 == 0 { // t has a rounded mean, and g may have a large one
			_, product = x.pass(false, m1, 0, 0, 0)
		}
	}
	slope = along(product)
	if all := m1 + slope; all-all == 0 { // else as IEEE 754 has the formula
		sum, product = x.pass(false, m1, slope, 0, 0)
		if centered {
			shift = -sum / n
		}
		tilt = -along(product)
		if slope != 0 {
			tilt += float64(slope * (epsilon / (variance + epsilon)))
		}
	}
	x.pass(true, m1, slope, shift, tilt)
}
