package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// Moments are the mean and the biased variance of Count values in each of several
// channels. They are float64: rounded to float32, the mean of 1e7 ± 50 would be off
// by half. A part of a batch has moments, and MergeMoments makes the whole's of them.
type Moments struct {
	Count          int
	Mean, Variance []float64
}

// NewMoments returns the moments of nothing, for as many channels: Count 0, which
// Merge takes as the start of a sum.
func NewMoments(channels int) *Moments {
	both := make([]float64, 2*channels)
	return &Moments{Mean: both[:channels:channels], Variance: both[channels:]}
}

// Reset makes m the moments of nothing again.
func (m *Moments) Reset() {
	m.Count = 0
	clear(m.Mean)
	clear(m.Variance)
}

// Merge makes m the moments of its own values and part's together, as if they had
// been one batch:
//
//	n = n₁ + n₂,  δ = μ₂ - μ₁
//	μ = μ₁ + δ·n₂/n,  σ² = (n₁·σ₁² + n₂·σ₂² + δ²·n₁·n₂/n)/n
//
// Nothing is allocated. Parts of different channels are a *ShapeError, a negative
// count or variance a *ValueError; m is unchanged then.
//
// Source: Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for
// Computing Sample Variances" (1979), eq. 2.1.
func (m *Moments) Merge(part *Moments) error {
	if err := part.check(len(m.Mean)); err != nil {
		return err
	}
	if err := m.check(len(m.Mean)); err != nil {
		return err
	}
	if part.Count == 0 {
		return nil
	}
	if m.Count > math.MaxInt-part.Count {
		return valueError("MergeMoments", "the counts ", m.Count, " and ", part.Count, " are together more than an int holds")
	}
	for c := range m.Mean {
		m.Mean[c], m.Variance[c] = mergeMoment(m.Count, m.Mean[c], m.Variance[c], part.Count, part.Mean[c], part.Variance[c])
	}
	m.Count += part.Count
	return nil
}

func (m *Moments) check(channels int) error {
	switch {
	case m == nil:
		return shapeError("MergeMoments", "the moments are nil, want those of ", channels, " channels")
	case len(m.Mean) != channels:
		return shapeError("MergeMoments", "mean has ", len(m.Mean), " elements, want ", channels, " (one for each channel)")
	case len(m.Variance) != channels:
		return shapeError("MergeMoments", "variance has ", len(m.Variance), " elements, want ", channels, " (one for each channel)")
	case m.Count < 0:
		return valueError("MergeMoments", "count is ", m.Count, ", want at least 0")
	}
	for c, v := range m.Variance {
		if v < 0 { // NaN is what a batch with NaN has
			return valueError("MergeMoments", "variance of channel ", c, " is ", v, ", want at least 0")
		}
	}
	return nil
}

// MergeMoments returns the moments of all parts together: those of one batch that
// was spread over several workers, or of a stream of batches. The order of the
// parts shows in the last digits of float64 only. See Moments.Merge.
func MergeMoments(parts ...*Moments) (*Moments, error) {
	if len(parts) == 0 {
		return nil, shapeError("MergeMoments", "there are no parts, want at least one")
	}
	if err := parts[0].check(parts[0].channels()); err != nil {
		return nil, err
	}
	whole := NewMoments(len(parts[0].Mean))
	for _, p := range parts {
		if err := whole.Merge(p); err != nil {
			return nil, err
		}
	}
	return whole, nil
}

func (m *Moments) channels() int {
	if m == nil {
		return 0
	}
	return len(m.Mean)
}

// mergeMoment merges two means and biased variances of n1 ≥ 0 and n2 > 0 values.
func mergeMoment(n1 int, mean1, variance1 float64, n2 int, mean2, variance2 float64) (mean, variance float64) {
	if n1 == 0 {
		return mean2, variance2
	}
	n := float64(n1) + float64(n2)
	u, w := float64(n1)/n, float64(n2)/n
	d := mean2 - mean1
	mean = mean1 + float64(d*w)
	variance = float64(variance1*u) + float64(variance2*w) + float64(float64(d*d)*float64(u*w))
	return mean, variance
}

// A span is a set of elements: blocks runs of run neighbours, a stride apart.
type span struct{ base, blocks, run, stride int }

// exactMoments takes a span in float64, in two passes: squares that overflow or
// underflow float32, NaN and ±Inf as IEEE 754 has them.
func exactMoments(x []float32, s span) (mean, variance float64) {
	n := float64(s.blocks * s.run)
	var sum float64
	for b := range s.blocks {
		for _, e := range x[s.base+b*s.stride:][:s.run] {
			sum += float64(e)
		}
	}
	mean = sum / n
	for b := range s.blocks {
		for _, e := range x[s.base+b*s.stride:][:s.run] {
			d := float64(e) - mean
			variance += float64(d * d)
		}
	}
	return mean, variance / n
}

// columnTable holds what columnMoments needs between its sweeps.
type columnTable struct {
	slots, period int // columns, and how many the kernels see: a tiling of them
	shift         []float32
	sums          []float64
}

// tiling returns the period to which a kernel tiles slots columns of a matrix of
// rows: a multiple of a vector, and long enough for its inner loop to pay.
func tiling(slots, rows int) int {
	period := slots
	if rows == 1 || slots == 0 {
		return period
	}
	for period%4 != 0 && period/slots*2 <= rows {
		period *= 2
	}
	return period * max(1, min(tileTarget/period, rows*slots/period))
}

// moments fills mean and variance with those of each column of x, as layerNormRows
// (internal/kernel) takes those of a row.
func (t *columnTable) moments(mean, variance []float64, x []float32) {
	slots := t.slots
	n := float64(len(x) / slots)
	kernel.ColumnSums(&t.sums[0], &x[0], nil, len(x), t.period)
	fold(t.sums[:t.period], slots)
	fold(t.sums[t.period:], slots)
	again := false
	for c := range slots {
		mu := t.sums[c] / n
		square := float64(mu * mu)
		mean[c], variance[c] = mu, t.sums[t.period+c]/n-square
		t.shift[c] = 0
		if square > float64(4096*variance[c]) {
			t.shift[c] = float32(mu)
			again = true
		}
	}
	if !again {
		return
	}
	tile(t.shift, slots)
	kernel.ColumnSums(&t.sums[0], &x[0], &t.shift[0], len(x), t.period)
	fold(t.sums[:t.period], slots)
	fold(t.sums[t.period:], slots)
	for c, k := range t.shift[:slots] {
		if k != 0 {
			d := t.sums[c] / n
			mean[c], variance[c] = float64(k)+d, t.sums[t.period+c]/n-float64(d*d)
		}
	}
}

// fold adds up the sums of the tiles of n columns.
func fold(sums []float64, n int) {
	for at := n; at < len(sums); at += n {
		for c := range n {
			sums[c] += sums[at+c]
		}
	}
}
