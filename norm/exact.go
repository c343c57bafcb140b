package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// What a backward pass computes in float64, group by group. With g = γ·dy, dx is g less
// its components along 1 and along x̂. Where g has little else, as with the gradients of
// Σy²/2 and of Σy, dx is smaller than the rounding errors of float32.

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

// samples is how many values of a group are looked at.
const samples = 16

// step is dx of one value; slope is B·rstd.
func step(g, x, mean float32, A, slope, C float64) float64 {
	return (float64(float64(g)*A) - float64((float64(x)-float64(mean))*slope)) - C
}

// shows says whether one of some values of a row, whose A is r·gamma, has a dx that
// reaches least.
func shows(dy, x, gamma []float32, mean float32, r, slope, C, least float64) bool {
	for i := range samples {
		k := len(x) * i / samples
		if A := r * float64(at(gamma, k, 1)); math.Abs(step(dy[k], x[k], mean, A, slope, C)) >= least {
			return true
		}
	}
	return false
}

// exactSlots are rows or columns next to each other whose dx is computed in float64: outer
// blocks of them, a stride apart. A group is one or more slots with the same parameters
// but for the scale.
type exactSlots struct {
	dx, dy, x     []float32 // from the first slot on
	gamma         []float32 // of the elements of a row; without it each slot has a scale
	columns       bool
	outer, stride int
	inner         int // elements of a row
	params        []kernel.SlotParams
	sums          []kernel.SlotSums
}

// take makes s n slots with scale 1, whose data begin at element from. What the caller
// owns is let go of by release.
func (s *exactSlots) take(dx, dy, x []float32, from, n int) {
	s.dx, s.dy, s.x = tail(dx, from), dy[from:], x[from:]
	if cap(s.params) < n {
		s.params, s.sums = make([]kernel.SlotParams, n), make([]kernel.SlotSums, n)
	}
	s.params, s.sums = s.params[:n], s.sums[:n]
	for i := range s.params {
		s.params[i].Scale = 1
	}
}

func (s *exactSlots) release() { s.dx, s.dy, s.x, s.gamma = nil, nil, nil, nil }

// set gives n slots from i on what they share.
func (s *exactSlots) set(i, n int, mean, rstd, m1, slope float64) {
	for ; n > 0; i, n = i+1, n-1 {
		s.params[i] = kernel.SlotParams{Mean: mean, Scale: s.params[i].Scale, M1: m1, Slope: slope, Rstd: rstd}
	}
}

// products fills the sums of n slots from i on, with x in place of dy if those of t are
// wanted.
func (s *exactSlots) products(i, n int, dy []float32) {
	clear(s.sums[i : i+n])
	at := i * s.inner
	if s.columns {
		kernel.ColumnProductsExact(&s.sums[i], &dy[at], &s.x[at], &s.params[i], s.outer, n, s.stride)
		return
	}
	for o := range s.outer {
		at := at + o*s.stride
		kernel.RowProductsExact(&s.sums[i], &dy[at], &s.x[at], pointer(s.gamma), &s.params[i], n, s.inner)
	}
}

// gradients writes dx of n slots from i on.
func (s *exactSlots) gradients(i, n int) {
	at := i * s.inner
	if s.columns {
		kernel.GradRowsExact(&s.dx[at], &s.dy[at], &s.x[at], &s.params[i], s.outer, n, s.stride)
		return
	}
	for o := range s.outer {
		at := at + o*s.stride
		kernel.GradPlanesExact(&s.dx[at], &s.dy[at], &s.x[at], pointer(s.gamma), &s.params[i], n, s.inner)
	}
}

// left is the sums of a group of n slots.
func (s *exactSlots) left(i, n int) (all kernel.SlotSums) {
	for _, p := range s.sums[i : i+n] {
		all.E += p.E
		all.ET += p.ET
	}
	return all
}

// statistics makes rstd and, unless it is 0 by definition, mean of groups of share slots,
// with scale 1 so far, what they are to float64's last digits: as cached they are rounded
// to float32. count is the number of values in a group.
func (s *exactSlots) statistics(i, n, share, count int, epsilon float64, centered bool) {
	for k := i; k < i+n; k++ {
		p := &s.params[k]
		p.M1, p.Slope = p.Mean, 0
	}
	gamma := s.gamma
	s.gamma = nil
	s.products(i, n, s.x)
	s.gamma = gamma
	for end := i + n; i < end; i += share {
		left, d := s.left(i, share), 0.0
		if centered {
			d = left.E / float64(count)
		}
		variance := left.ET/float64(count) - float64(d*d)
		s.set(i, share, s.params[i].Mean+d, 1/math.Sqrt(variance+epsilon), 0, 0)
	}
}

// correct is called after products and removes from a group what is left along 1 and
// along t: m1 and slope were rounded, to float32 or to float64, and the errors may be
// larger than dx itself. Along t only the part that ε causes remains,
//
//	x̂·mean(g·x̂) = t·mean(g·t)/(σ² + ε),  g = e + t·slope
func (s *exactSlots) correct(i, n int, count, epsilon float64, centered bool) {
	p, left := s.params[i], s.left(i, n)
	var shift float64
	if centered {
		shift = -left.E / count
	}
	tilt := float64(float64(float64(p.Slope*epsilon)-left.ET/count) * float64(p.Rstd*p.Rstd))
	for k := i; k < i+n; k++ {
		s.params[k].Shift, s.params[k].Tilt = shift, tilt
	}
}

// differentiate gives dx of a group with its own statistics, count being the number of
// values or, for sums in place of means, 1.
func (s *exactSlots) differentiate(i, n int, mean, variance, epsilon, count float64, centered bool) {
	rstd := 1 / math.Sqrt(variance+epsilon)
	s.set(i, n, mean, rstd, 0, 0)
	s.products(i, n, s.dy)
	g := s.left(i, n)
	var m1, slope float64
	if centered {
		m1 = g.E / count
	}
	if variance != 0 { // else t is 0
		slope = float64(g.ET/count) * float64(rstd*rstd)
	}
	s.set(i, n, mean, rstd, m1, slope)
	if all := m1 + slope; all-all == 0 && variance != 0 { // else as IEEE 754 has the formula
		s.products(i, n, s.dy)
		s.correct(i, n, count, epsilon, centered)
	}
	s.gradients(i, n)
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
	kernel.RowMoments(&moments[0], &s[0], 1, len(s))
	return moments[1] == 0
}
