package compute

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// All lengths up to 130 and some beyond, of real and complex data, by the definition.
func TestFourier(t *testing.T) {
	lengths := []int{160, 200, 256, 257, 262, 400, 401, 441, 480, 512, 514, 997, 1009 * 2}
	for n := 1; n <= 130; n++ {
		lengths = append(lengths, n)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths {
		for _, real := range []bool{false, true} {
			z := make([]complex128, n)
			x := make([]float64, 2*n+2)
			norm := 0.0
			for i := range z {
				z[i] = complex(r.NormFloat64(), r.NormFloat64())
				if real {
					z[i] = complex(r.NormFloat64(), 0)
				}
				norm += real64(z[i] * cmplx.Conj(z[i]))
			}
			for i, v := range z {
				switch {
				case real && n%2 == 0:
					x[i] = real64(v)
				default:
					x[2*i], x[2*i+1] = real64(v), imag(v)
				}
			}
			f := NewFourier(n, real)
			scratch := make([]float64, f.Room())
			f.Run(x, scratch)
			count := n
			if real {
				count = n/2 + 1
			}
			for k := range count {
				var want complex128
				for i, v := range z {
					want += v * cmplx.Rect(1, -2*math.Pi*float64(k*i%n)/float64(n))
				}
				got := complex(x[2*k], x[2*k+1])
				require.LessOrEqual(t, cmplx.Abs(got-want), 1e-12*math.Sqrt(norm*float64(n)), "%d, real %v, element %d: %v, want %v", n, real, k, got, want)
			}
		}
	}
}

func real64(z complex128) float64 { return real(z) }
