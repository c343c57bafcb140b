package compute

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// sameBits runs a step on one to five threads and wants the same bits of y, which begins as it is.
// run asks for its scratch memory anew each time, as a plan does.
func sameBits(t *testing.T, name string, y []float32, run func(y []float32)) {
	t.Helper()
	defer threads.Test(1)
	var want []float32
	for count := 1; count <= 5; count++ {
		threads.Test(count)
		got := append([]float32(nil), y...)
		run(got)
		if count == 1 {
			want = got
		}
		for i, v := range got {
			if v != want[i] && (v == v || want[i] == want[i]) {
				require.Failf(t, "other bits", "%s, %d threads: element %d is %v, not %v", name, count, i, v, want[i])
			}
		}
	}
}

// wild is n numbers, and memory that was used before.
func wild(r *rand.Rand, n int) []float32 {
	x := slab.Float32s(n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func TestThreadsGemm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	size := func() int { return []int{1 + r.IntN(9), 1 + r.IntN(70), 1 + r.IntN(300)}[r.IntN(3)] }
	for range 25 {
		g := Gemm{M: size(), N: size(), K: size(), TransA: r.IntN(3) == 0, TransB: r.IntN(3) == 0, Start: Start(r.IntN(4))}
		if r.IntN(8) == 0 {
			g.K = 500 + r.IntN(600)
		}
		if r.IntN(3) == 0 {
			g.Alpha = 0.7
		}
		if r.IntN(3) == 0 {
			g.Clamp = ReLU
		}
		g.Bias = wild(r, max(g.M, g.N))
		a, b, y := wild(r, g.M*g.K), wild(r, g.N*g.K), wild(r, g.M*g.N)
		sameBits(t, fmt.Sprint("Gemm ", g.M, g.N, g.K, g.TransA, g.TransB), y, func(y []float32) { g.Run(y, a, b, wild(r, g.ScratchLen())) })
		packed := g.PackB(b)
		sameBits(t, fmt.Sprint("packed ", g.M, g.N, g.K, g.TransA, g.TransB), y, func(y []float32) { g.RunPacked(y, a, packed, wild(r, g.ScratchLen())) })
		narrow := make([]byte, g.N*g.K)
		for i := range narrow {
			narrow[i] = byte(r.Uint32())
		}
		bytes := g.Pack(Int8, narrow, false)
		sameBits(t, fmt.Sprint("bytes ", g.M, g.N, g.K), y, func(y []float32) { g.RunPacked(y, a, bytes, wild(r, g.ScratchLen())) })
	}
}

func TestThreadsTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		shape := make([]int, 1+r.IntN(5))
		n := 1
		for i := range shape {
			shape[i] = 1 + r.IntN(9)
			if r.IntN(4) == 0 {
				shape[i] += 30
			}
			n *= shape[i]
		}
		perm := r.Perm(len(shape))
		x := wild(r, n)
		sameBits(t, fmt.Sprint("Transpose ", shape, perm), make([]float32, n), func(y []float32) { Transpose(y, x, shape, perm) })
	}
}

func TestThreadsBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 25 {
		m, n, k := 1+r.IntN(160), 1+r.IntN(70), 1+r.IntN(90)
		w := make([]byte, n*k)
		for i := range w {
			w[i] = byte(r.Uint32())
		}
		var zeros []int32
		if r.IntN(2) == 0 {
			for range n {
				zeros = append(zeros, int32(r.IntN(200)))
			}
		}
		scales := wild(r, n)
		for _, l := range []layout{inPairs, inFours} {
			b := l.pack(Octets{Data: w}, k, n, false, zeros, nil)
			left := Left{Floats: wild(r, m*k), Grid: Grid{Scale: 0.02, Zero: r.IntN(256), Hi: 255}, Divide: true}
			if r.IntN(2) == 0 {
				x := make([]byte, m*k)
				for i := range x {
					x[i] = byte(r.Uint32())
				}
				left = Left{Octets: Octets{Data: x, Signed: r.IntN(2) == 0}, Ld: k, Zeros: []int32{int32(r.IntN(100))}, Divide: true}
				if left.Trans = r.IntN(2) == 0; left.Trans {
					left.Ld = m
				}
			}
			sameBits(t, fmt.Sprint("bytes ", m, n, k, l, len(zeros)), make([]float32, m*n), func(y []float32) {
				scratch := make([]byte, l.scratch(m, n, k, left.Floats != nil))
				for i := range scratch {
					scratch[i] = byte(r.Uint32())
				}
				MultiplyBytes(m, &b, &left, scratch, func(sums []int32, ld, from, rows int) {
					ScaleSums(y[from*n:], n, sums, ld, rows, n, scales, nil, NoClamp)
				})
			})
		}
	}
}
