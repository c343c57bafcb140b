package compute

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/testkit"
)

// sum is a float64 sum together with how far float32 additions in any order may
// stray from it.
type sum struct {
	value, magnitude float64
	terms            int
}

func (s *sum) add(v float64) {
	s.value += v
	s.magnitude += math.Abs(v)
	s.terms++
}

func (s *sum) tolerance() float64 { return float64(s.terms+2) * 0x1p-24 * s.magnitude }

// requireSum holds got to the clamped sum.
func requireSum(t *testing.T, got float32, s sum, c Clamp, where string, index ...int) {
	t.Helper()
	lo, hi := c.bounds()
	want := math.Min(math.Max(s.value, float64(lo)), float64(hi))
	if !(math.Abs(float64(got)-want) <= s.tolerance()) {
		require.Failf(t, "wrong sum", "%s%v: %v, want %v ± %v", where, index, got, want, s.tolerance())
	}
}

// gemmOracle is one element of the product, from the definition.
func gemmOracle(g *Gemm, y, a, b []float32, i, j int) sum {
	var s sum
	switch g.Start {
	case FromRow:
		s.add(float64(g.Bias[i]))
	case FromColumn:
		s.add(float64(g.Bias[j]))
	case FromY:
		s.add(float64(y[i*orTight(g.LDY, g.N)+j]))
	}
	alpha := 1.0
	if g.Alpha != 0 {
		alpha = float64(g.Alpha)
	}
	for k := range g.K {
		var av, bv float32
		if g.TransA {
			av = a[k*orTight(g.LDA, g.M)+i]
		} else {
			av = a[i*orTight(g.LDA, g.K)+k]
		}
		if g.TransB {
			bv = b[j*orTight(g.LDB, g.K)+k]
		} else {
			bv = b[k*orTight(g.LDB, g.N)+j]
		}
		s.add(alpha * float64(av) * float64(bv))
	}
	return s
}

// lenOf is the length of a matrix of rows×cols with a leading dimension.
func lenOf(rows, cols, ld int) int {
	if rows == 0 || cols == 0 {
		return 0
	}
	return (rows-1)*orTight(ld, cols) + cols
}

func checkGemm(t *testing.T, g Gemm, name string) {
	r := testkit.Rand(uint64(g.M*10007 + g.N*101 + g.K))
	ar, ac, br, bc := g.M, g.K, g.K, g.N
	if g.TransA {
		ar, ac = ac, ar
	}
	if g.TransB {
		br, bc = bc, br
	}
	a := testkit.Input("a", testkit.Normal(r, lenOf(ar, ac, g.LDA), 0, 1), 1)
	b := testkit.Input("b", testkit.Normal(r, lenOf(br, bc, g.LDB), 0, 1), 2)
	before := testkit.Normal(r, lenOf(g.M, g.N, g.LDY), 0, 1)
	switch g.Start {
	case FromRow:
		g.Bias = testkit.Normal(r, g.M, 0, 1)
	case FromColumn:
		g.Bias = testkit.Normal(r, g.N, 0, 1)
	}
	var first []float32
	ways := []string{"", "in tall panels", "packed", "packed in place"}
	if g.LDB != 0 {
		ways = ways[:3]
	}
	defer func(held bool) { tall = held }(tall)
	for _, way := range ways {
		name := fmt.Sprintf("%s %s", name, way)
		tall = way == ways[1]
		y := testkit.InOut("y", before, 3)
		scratch := testkit.Output("scratch", g.ScratchLen(), 0)
		switch way {
		case "packed":
			p := g.PackB(b.S)
			assert.Equal(t, 4*g.K*((g.N+7)&^7), p.Bytes(), name)
			g.RunPacked(y.S, a.S, p, scratch.S)
		case "packed in place":
			weights := testkit.InOut("weights", b.S, 2)
			p := g.Pack(Float32, slab.Bytes(weights.S), true)
			assert.LessOrEqual(t, p.Bytes(), 4*8*g.K, name)
			g.RunPacked(y.S, a.S, p, scratch.S)
			weights.Check(t, "%s", name)
		default:
			g.Run(y.S, a.S, b.S, scratch.S)
		}
		for i := range g.M {
			for j := range g.N {
				requireSum(t, y.S[i*orTight(g.LDY, g.N)+j], gemmOracle(&g, before, a.S, b.S, i, j), g.Clamp, name, i, j)
			}
			if end := (i + 1) * orTight(g.LDY, g.N); end <= len(before) {
				gap := i*orTight(g.LDY, g.N) + g.N
				testkit.SameBits(t, before[gap:end], y.S[gap:end], "%s: the gap after row %d", name, i)
			}
		}
		for _, o := range []*testkit.Operand{a, b, y, scratch} {
			o.Check(t, "%s", name)
		}
		if first == nil {
			first = append([]float32{}, y.S...)
		} else {
			testkit.SameBits(t, first, y.S, "%s", name)
		}
	}
}

func TestGemm(t *testing.T) {
	for _, m := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 17} {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 31, 33, 40} {
			for _, k := range []int{0, 1, 2, 5, 16} {
				g := Gemm{M: m, N: n, K: k}
				checkGemm(t, g, fmt.Sprintf("%d×%d×%d", m, n, k))
			}
		}
	}
}

func TestGemmOptions(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 3}, {1, 9, 8}, {4, 1, 6}, {6, 1, 6}, {7, 12, 9}, {9, 17, 33}} {
		for bits := range 4 {
			for start := FromZero; start <= FromY; start++ {
				for _, extra := range []int{0, 3} {
					for _, alpha := range []float32{0, -0.5} {
						g := Gemm{M: size[0], N: size[1], K: size[2], TransA: bits&1 != 0, TransB: bits&2 != 0,
							Start: start, Alpha: alpha}
						if extra > 0 {
							g.LDA, g.LDB, g.LDY = max(g.M, g.K)+extra, max(g.N, g.K)+extra, g.N+extra
							g.Clamp = Clamp{-1, 0.75}
						}
						checkGemm(t, g, fmt.Sprintf("%v transA=%v transB=%v start=%d alpha=%v extra=%d", size, g.TransA, g.TransB, start, alpha, extra))
					}
				}
			}
		}
	}
}

// Sizes that take several blocks in each direction.
func TestGemmBlocks(t *testing.T) {
	sizes := [][3]int{{131, 21, 1030}, {5, 1700, 30}, {3, 130, 513}, {260, 9, 17}, {1, 100, 1537}, {133, 1, 1100}, {5, 8203, 150}}
	for _, size := range sizes {
		for _, start := range []Start{FromZero, FromColumn, FromRow} {
			checkGemm(t, Gemm{M: size[0], N: size[1], K: size[2], Start: start, Clamp: ReLU}, fmt.Sprint(size, start))
		}
	}
}

// An element's bits may not depend on where it falls in the tiling.
func TestGemmOrder(t *testing.T) {
	r := testkit.Rand(5)
	const m, n, k = 11, 23, 1100
	a, b := testkit.Normal(r, m*k, 0, 1), testkit.Normal(r, k*n, 0, 1)
	g := Gemm{M: m, N: n, K: k}
	y := make([]float32, m*n)
	g.Run(y, a, b, make([]float32, g.ScratchLen()))
	want := make([]float32, m*n)
	for i := range m {
		for j := range n {
			s := float32(0)
			for t := range k {
				s += float32(a[i*k+t] * b[t*n+j])
			}
			want[i*n+j] = s
		}
	}
	testkit.SameBits(t, want, y, "sequential sums")
}

// NaN and Inf go where the formula sends them, and no further.
func TestGemmNotFinite(t *testing.T) {
	const m, n, k = 5, 11, 7
	r := testkit.Rand(6)
	a, b := testkit.Normal(r, m*k, 0, 1), testkit.Normal(r, k*n, 0, 1)
	a[4*k+2], b[3*n+10] = float32(math.NaN()), float32(math.Inf(1))
	g := Gemm{M: m, N: n, K: k, Clamp: ReLU}
	y := make([]float32, m*n)
	g.Run(y, a, b, make([]float32, g.ScratchLen()))
	for i := range m {
		for j := range n {
			v := y[i*n+j]
			switch {
			case i == 4:
				assert.True(t, v != v, "row with NaN: %v", v)
			case j == 10:
				assert.True(t, math.IsInf(float64(v), 1) || v == 0, "column with Inf: %v", v)
			default:
				assert.False(t, v != v || math.IsInf(float64(v), 0), "element %d, %d: %v", i, j, v)
			}
		}
	}
}

// Weights of fewer bits give what the same numbers in float32 do, bit for bit.
func TestGemmStored(t *testing.T) {
	for _, size := range [][3]int{{1, 8, 3}, {3, 1, 7}, {5, 21, 33}, {131, 21, 1030}, {1, 100, 1537}, {2, 8203, 150}, {9, 1700, 30}} {
		for _, trans := range []bool{false, true} {
			for elem, bytes := range []int{Float16: 2, BFloat16: 2, Int8: 1} {
				if elem == int(Float32) {
					continue
				}
				g := Gemm{M: size[0], N: size[1], K: size[2], TransB: trans, Clamp: ReLU}
				name := fmt.Sprint(size, " transposed: ", trans, " as ", elem)
				r := testkit.Rand(uint64(size[1] + elem))
				stored, wide := slab.New(g.N*g.K*bytes), make([]float32, g.N*g.K)
				for i := range wide {
					bits := r.Uint32() & 0xbfff
					switch Elem(elem) {
					case Int8:
						stored[i], wide[i] = byte(bits), float32(int8(bits))
						continue
					case Float16: // of ordinary size
						bits |= 0x2000
						wide[i] = float32(math.Ldexp(1+float64(bits&1023)/1024, int(bits>>10&31)-15)) * (1 - 2*float32(bits>>15))
					case BFloat16:
						bits |= 0x3c00
						wide[i] = math.Float32frombits(bits << 16)
					}
					stored[2*i], stored[2*i+1] = byte(bits), byte(bits>>8)
				}
				a := testkit.Normal(r, g.M*g.K, 0, 1)
				want, got := make([]float32, g.M*g.N), make([]float32, g.M*g.N)
				scratch := testkit.Output("scratch", g.ScratchLen(), 0)
				g.Run(want, a, wide, scratch.S)
				beside := g.Pack(Elem(elem), stored, false)
				g.RunPacked(got, a, beside, scratch.S)
				testkit.SameBits(t, want, got, "%s", name)
				tail := 0
				if g.N%8 > 0 {
					tail = 4 * 8 * g.K
				}
				assert.Equal(t, g.N/8*8*g.K*bytes+tail, beside.Bytes(), name)
				over := g.Pack(Elem(elem), stored, true)
				assert.Equal(t, tail, over.Bytes(), name)
				g.RunPacked(got, a, over, scratch.S)
				testkit.SameBits(t, want, got, "%s, in place", name)
				scratch.Check(t, "%s", name)
			}
		}
	}
}
