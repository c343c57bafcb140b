package testkit

import (
	"math"
	"math/rand/v2"
)

// Rand returns a generator that gives the same numbers everywhere for a seed.
func Rand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6e6f726d7761736d)) }

// Normal returns n values of a normal distribution.
func Normal(r *rand.Rand, n int, mean, deviation float64) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(mean + deviation*r.NormFloat64())
	}
	return s
}

// Uniform returns n values evenly spread over [low, high).
func Uniform(r *rand.Rand, n int, low, high float64) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(low + (high-low)*r.Float64())
	}
	return s
}

// Mixed returns n values of all kinds of magnitudes, with special ones among them.
func Mixed(seed uint64, n int) []float32 {
	r := Rand(seed)
	x := Normal(r, n, 0, 3)
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
		1e-40, -1e-45, 3e38, -3e38, 1, -1, 88.5, -88, -104, 0.625, 6}
	for i := range x {
		switch r.IntN(6) {
		case 0:
			x[i] = special[r.IntN(len(special))]
		case 1:
			x[i] *= float32(math.Exp(20 * r.NormFloat64()))
		}
	}
	return x
}

// A Row is a named input.
type Row struct {
	Name string
	X    []float32
}

// WellConditioned returns rows of n elements as networks have them: the mean
// within some deviations of zero, nothing near the ends of float32's range.
func WellConditioned(n int) []Row {
	r := Rand(uint64(n))
	relu := Normal(r, n, 0, 1)
	for i, e := range relu {
		relu[i] = max(e, 0)
	}
	ramp, alternating, outlier := make([]float32, n), make([]float32, n), Normal(r, n, 0, 1)
	for i := range ramp {
		ramp[i] = float32(i) / float32(n)
		alternating[i] = float32(1-2*(i%2)) * 0.1
	}
	outlier[n/2] = 100
	return []Row{
		{"normal", Normal(r, n, 0, 1)},
		{"uniform", Uniform(r, n, -1, 1)},
		{"shifted", Normal(r, n, 3, 0.5)},
		{"far", Normal(r, n, -40, 2)},
		{"small", Normal(r, n, 1e-3, 1e-3)},
		{"large", Normal(r, n, 1e4, 1e4)},
		{"after ReLU", relu},
		{"ramp", ramp},
		{"±0.1", alternating},
		{"one outlier", outlier},
	}
}

// HardRows returns the rows that naive statistics fail on, all of them finite.
func HardRows() []Row {
	r := Rand(7)
	constant := func(n int, v float32) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = v
		}
		return s
	}
	scaled := func(n int, f float64) []float32 { return Normal(r, n, 0, f) }
	alternating := func(n int, v ...float32) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = v[i%len(v)]
		}
		return s
	}
	offset := make([]float32, 768)
	for i := range offset {
		offset[i] = float32(1e4 + 0.5*float64(1-2*(i%2)))
	}
	oneOff := constant(1000, 1)
	oneOff[17] = math.Nextafter32(1, 2)
	spike := constant(777, 1)
	spike[300] = 1e15
	early := constant(800, 5)
	early[0], early[200], early[400], early[600] = 1e6, 1e6, 1e6, 1e6 // where a shift taken from samples of the row would look
	const tiny = math.SmallestNonzeroFloat32
	return []Row{
		{"40000…40003", []float32{40000, 40001, 40002, 40003}},
		{"256 × 1234.1", constant(256, 1234.1)},
		{"1e4 ± 0.5 × 768", offset},
		{"1e4 ± 0.5 × 768, spread", Uniform(r, 768, 1e4-0.5, 1e4+0.5)},
		{"1e7 ± 50 × 4096", Uniform(r, 4096, 1e7-50, 1e7+50)},
		{"1e7 ± 50 × 4096, normal", Normal(r, 4096, 1e7, 50)},
		{"denormals", alternating(100, tiny, 3*tiny, -7*tiny, 1e-40)},
		{"constant denormal", constant(33, tiny)},
		{"denormals among zeros", alternating(70, 0, 0, 0, 1e-42, 0)},
		{"one element", []float32{-3.5}},
		{"one huge element", []float32{math.MaxFloat32}},
		{"two elements", []float32{1, math.Nextafter32(1, 2)}},
		{"±3e38", alternating(96, 3e38, -3e38)},
		{"constant 3e38", constant(64, 3e38)},
		{"constant largest", constant(640, math.MaxFloat32)},
		{"huge", scaled(512, 1e37)},
		{"squares overflow", scaled(512, 1e25)},
		{"squares near the limit", scaled(300, 8e17)},
		{"huge and tiny", alternating(130, 3e38, 1e-38, -2, tiny, -3e38, 1e19)},
		{"one huge", append(scaled(200, 1), 1e30)},
		{"spike 1e15", spike},
		{"tiny", scaled(256, 1e-22)},
		{"squares near underflow", scaled(256, 1e-15)},
		{"one off by an ulp", oneOff},
		{"shift misled", early},
		{"far ramp", ramp(5000, 1e6, 0.25)},
		{"zeros", constant(48, 0)},
		{"negative zeros", constant(48, float32(math.Copysign(0, -1)))},
		{"powers of two", alternating(60, 1, 2, 4, 8, 16, 1<<20, 1<<40, -1<<60)},
	}
}

func ramp(n int, from, step float64) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(from + float64(i)*step)
	}
	return s
}

// Sizes are lengths around every lane count, unroll and fold of the kernels.
func Sizes() []int {
	return []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 23, 24, 27, 28, 31, 32, 33, 35, 47, 48, 49, 63, 64, 65,
		79, 80, 95, 96, 97, 127, 128, 129, 191, 192, 255, 256, 257, 260, 271, 272, 287, 288, 511, 512, 513, 528, 767, 768, 769, 1000,
		1023, 1024, 1025, 1234, 2047, 2048, 2050}
}
