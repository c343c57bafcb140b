package compute

import "math"

// Sampler reads planes or volumes between their elements, as a grid says.
type Sampler struct {
	Mode    SampleMode
	Padding SamplePadding
	Corners bool  // −1 and 1 are the centres of the outermost elements, not their outer edges
	Single  bool  // coordinates are computed in float32
	Dims    []int // the sizes of 1 to 3 dimensions
}

// SampleMode is how a Sampler interpolates, SamplePadding what it finds outside.
type (
	SampleMode    uint8
	SamplePadding uint8
)

const (
	SampleLinear SampleMode = iota
	SampleNearest
	SampleCubic
)

const (
	SampleZeros   SamplePadding = iota
	SampleBorder                // the outermost element
	SampleReflect               // the elements mirrored
)

// SampleTaps are the elements that one point is made of.
type SampleTaps struct {
	At     [64]int32
	Weight [64]float64
	N      int
}

// Taps finds the elements for a point, whose coordinates come last dimension first, as in
// ONNX's grids.
func (s *Sampler) Taps(t *SampleTaps, point []float64) {
	t.N, t.At[0], t.Weight[0] = 1, 0, 1
	for axis, size := range s.Dims {
		x := s.place(point[len(s.Dims)-1-axis], size)
		var weights [4]float64
		first, n := int64(0), 1
		switch s.Mode {
		case SampleNearest:
			first, weights[0] = whole(math.RoundToEven(x)), 1
		case SampleLinear:
			low := math.Floor(x)
			first, n = whole(low), 2
			weights[0], weights[1] = float64(first)+1-x, x-float64(first)
		default:
			first, n = whole(math.Floor(x)), 4
			d := x - float64(first)
			first--
			for k := range weights {
				weights[k] = CubicWeight(math.Abs(d+1-float64(k)), -0.75)
			}
		}
		s.spread(t, size, first, weights[:n])
	}
}

// spread combines the taps of the axes before with those of one more.
func (s *Sampler) spread(t *SampleTaps, size int, first int64, weights []float64) {
	var at [4]int32
	n := 0
	for k, w := range weights {
		if i := s.inside(first+int64(k), size); i >= 0 {
			at[n], weights[n] = int32(i), w
			n++
		}
	}
	// From the last on, so that none is overwritten before it is read.
	for i := t.N - 1; i >= 0; i-- {
		base, w := t.At[i]*int32(size), t.Weight[i]
		for k := n - 1; k >= 0; k-- {
			t.At[i*n+k], t.Weight[i*n+k] = base+at[k], w*weights[k]
		}
	}
	t.N *= n
}

// place turns a coordinate from −1 to 1 into one in elements.
func (s *Sampler) place(v float64, size int) float64 {
	n := float64(size)
	if !s.Single {
		if s.Corners {
			return (v + 1) / 2 * (n - 1)
		}
		return (float64((v+1)*n) - 1) / 2
	}
	f := float32(v) + 1
	if s.Corners {
		return float64(f / 2 * float32(size-1))
	}
	return float64((float32(f*float32(size)) - 1) / 2)
}

// inside is the element for an index, −1 for none.
func (s *Sampler) inside(i int64, size int) int {
	if i >= 0 && i < int64(size) {
		return int(i)
	}
	switch s.Padding {
	case SampleZeros:
		return -1
	case SampleReflect:
		low, high := -0.5, float64(size)-0.5
		if s.Corners {
			low, high = 0, float64(size-1)
		}
		x, span := float64(i), high-low
		if span > 0 {
			by := low - x
			if x > high {
				by = x - high
			}
			turns := math.Floor(by / span)
			rest := by - float64(turns*span)
			if (math.Mod(turns, 2) == 0) == (x < low) {
				x = low + rest
			} else {
				x = high - rest
			}
		}
		i = whole(x)
	}
	return int(min(max(i, 0), int64(size-1)))
}

// whole is a whole number that float64 holds, the nearest int64 where there is none; NaN is 0.
// It leaves room for the neighbours.
func whole(v float64) int64 {
	if v != v {
		return 0
	}
	return int64(min(max(v, -1<<62), 1<<62))
}

// CubicWeight is the cubic convolution kernel at distance d (Keys, "Cubic convolution
// interpolation for digital image processing", 1981).
func CubicWeight(d, a float64) float64 {
	switch {
	case d <= 1:
		return float64((float64((a+2)*d)-(a+3))*d)*d + 1
	case d < 2:
		return float64((float64((float64(a*d)-5*a)*d)+8*a)*d) - 4*a
	}
	return 0
}

// Gather writes what the taps make of channels of x, each size elements, to elements of y
// that lie step apart.
func Gather[T float32 | float64](y []T, step int, x []T, channels, size int, t *SampleTaps) {
	at, weights := t.At[:t.N], t.Weight[:t.N]
	for c := range channels {
		plane := x[c*size:][:size]
		sum := 0.0
		for k, i := range at {
			sum += float64(weights[k] * float64(plane[i]))
		}
		y[c*step] = T(sum)
	}
}
