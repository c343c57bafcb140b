package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// Param is a parameter of a network with its gradient. Weights are laid out as
// PyTorch's.
type Param struct {
	Name  string // such as "3.weight"
	Shape []int
	Value []float32
	Grad  []float32

	decay bool      // weights decay; biases and scales don't
	m, v  []float32 // of the optimizer
}

func newParam(name string, decay bool, shape ...int) *Param {
	n := elements(shape)
	return &Param{Name: "." + name, Shape: shape, Value: slab.Float32s(n), Grad: slab.Float32s(n), decay: decay}
}

// filled gives all elements one value.
func (p *Param) filled(v float32) *Param {
	for i := range p.Value {
		p.Value[i] = v
	}
	return p
}

// he draws from ±√(6/fanIn): variance 2/fanIn, which ReLU halves.
//
// Source: He et al., "Delving Deep into Rectifiers", arXiv:1502.01852, eq. 10.
func (p *Param) he(r *random, fanIn int) *Param { return p.uniform(r, math.Sqrt(6/float64(fanIn))) }

// xavier draws from ±√(6/(fanIn + fanOut)).
//
// Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward
// neural networks", 2010, eq. 16.
func (p *Param) xavier(r *random, fanIn, fanOut int) *Param {
	return p.uniform(r, math.Sqrt(6/float64(fanIn+fanOut)))
}

func (p *Param) uniform(r *random, bound float64) *Param {
	for i := range p.Value {
		p.Value[i] = float32(float64(2*r.float()-1) * bound)
	}
	return p
}

// random is a generator whose numbers are the same everywhere.
//
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014
// (SplitMix64).
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float is uniform in [0, 1), a multiple of 2^-24.
func (r *random) float() float64 { return float64(r.next()>>40) / (1 << 24) }

// normal is nearly normal with deviation 1: the sum of twelve uniform numbers, which
// needs no function that platforms compute differently.
func (r *random) normal() float64 {
	sum := -6.0
	for range 4 {
		bits := r.next()
		for range 3 {
			sum += float64(bits&(1<<21-1)) / (1 << 21)
			bits >>= 21
		}
	}
	return sum
}

// buffer is memory that grows with the batch.
type buffer struct{ data []float32 }

func (b *buffer) of(n int) []float32 {
	if n > len(b.data) {
		b.data = slab.Float32s(n)
	}
	return b.data[:n:n]
}
