package testkit

import (
	"fmt"
	"math"
	"testing"
)

// ULP returns the distance between neighbouring float32 values at magnitude v.
func ULP(v float64) float64 {
	v = math.Abs(v)
	if v > math.MaxFloat32 {
		v = math.MaxFloat32
	}
	if v == 0 {
		return math.SmallestNonzeroFloat32
	}
	_, exponent := math.Frexp(v) // v = f·2^exponent, ½ ≤ f < 1
	return math.Ldexp(1, max(exponent-24, -149))
}

// RelativeError is |got-want|/|want|; two infinities of a sign, or 0 and 0, agree.
func RelativeError(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / math.Abs(want)
}

// Same says whether got is want as float32 rounds it, up to a distance: both NaN,
// the same infinity, or |got-want| ≤ tolerance.
func Same(got float32, want, tolerance float64) bool {
	switch {
	case math.IsNaN(want):
		return got != got
	case math.Abs(want) > math.MaxFloat32:
		return float64(got) == math.Copysign(math.Inf(1), want) || math.Abs(float64(got)-want) <= tolerance
	}
	return math.Abs(float64(got)-want) <= tolerance
}

// A Worst keeps the largest figure seen and where it was.
type Worst struct {
	Figure float64
	Where  string
}

// Add takes a figure into account; NaN counts as the worst of all.
func (w *Worst) Add(figure float64, format string, args ...any) {
	if figure > w.Figure || (figure != figure && w.Figure == w.Figure) {
		w.Figure, w.Where = figure, fmt.Sprintf(format, args...)
	}
}

func (w Worst) String() string { return fmt.Sprintf("%.3g (%s)", w.Figure, w.Where) }

// SameBits fails the test unless got and want have the same bits everywhere. NaNs
// count as equal whatever their sign and payload: WebAssembly leaves those open.
func SameBits(t testing.TB, want, got []float32, format string, args ...any) bool {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d elements, want %d", fmt.Sprintf(format, args...), len(got), len(want))
		return false
	}
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) && (want[i] == want[i] || got[i] == got[i]) {
			t.Errorf("%s: element %d of %d is %v (%08x), want %v (%08x)", fmt.Sprintf(format, args...), i, len(want),
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
			return false
		}
	}
	return true
}
