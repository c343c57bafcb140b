package compute

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// reduceOracle reduces in float64; magnitude is what the rounding errors of a
// float32 sum are relative to.
func reduceOracle(k Reduce, x []float64) (want, magnitude float64) {
	var plain, abs, squares, exps float64
	product, top, low := 1.0, math.Inf(-1), math.Inf(1)
	for _, v := range x {
		plain += v
		abs += math.Abs(v)
		squares += v * v
		exps += math.Exp(v)
		product *= v
		top, low = math.Max(top, v), math.Min(low, v)
	}
	n := float64(len(x))
	switch k {
	case ReduceSum:
		return plain, abs
	case ReduceMean:
		return plain / n, abs / n
	case ReduceMax:
		return top, 0
	case ReduceMin:
		return low, 0
	case ReduceSumSquare:
		return squares, squares
	case ReduceL1:
		return abs, abs
	case ReduceL2:
		return math.Sqrt(squares), math.Sqrt(squares)
	case ReduceLogSum:
		return math.Log(plain), 1
	case ReduceLogSumExp:
		return math.Log(exps), 1
	case ReduceProd:
		return product, math.Abs(product)
	}
	panic("no such reduction")
}

func TestReduce(t *testing.T) {
	for k := ReduceSum; k <= ReduceProd; k++ {
		for _, n := range []int{1, 2, 3, 4, 5, 15, 16, 17, 63, 1023, 1024, 1025, 2600} {
			for _, outer := range []int{1, 3} {
				for _, inner := range []int{1, 2, 5, 9} {
					name := fmt.Sprintf("reduction %d of [%d %d %d]", k, outer, n, inner)
					r := testkit.Rand(uint64(n))
					x := testkit.Input("x", testkit.Normal(r, outer*n*inner, 0.5, 1), 1)
					if k == ReduceLogSum {
						x = testkit.Input("x", testkit.Uniform(r, outer*n*inner, 0.5, 2), 1)
					}
					if k == ReduceProd {
						x = testkit.Input("x", testkit.Uniform(r, outer*n*inner, 0.95, 1.05), 1)
					}
					y := testkit.Output("y", outer*inner, 2)
					k.Run(y.S, x.S, outer, n, inner)
					for i, got := range y.S {
						column := make([]float64, n)
						for j := range column {
							column[j] = float64(x.S[(i/inner*n+j)*inner+i%inner])
						}
						want, magnitude := reduceOracle(k, column)
						tolerance := 0x1p-24 * (math.Abs(want) + float64(min(n, 80))*magnitude)
						if inner > 1 || k == ReduceProd {
							tolerance += 0x1p-24 * float64(n) * magnitude
						}
						if magnitude == 0 {
							tolerance = 0
						}
						require.True(t, testkit.Same(got, want, tolerance), "%s: %v, want %v ± %v", name, got, want, tolerance)
					}
					x.Check(t, "%s", name)
					y.Check(t, "%s", name)
				}
			}
		}
	}
}

func TestReduceEmpty(t *testing.T) {
	want := map[Reduce]float64{ReduceSum: 0, ReduceMean: math.NaN(), ReduceMax: math.Inf(-1), ReduceMin: math.Inf(1),
		ReduceSumSquare: 0, ReduceL1: 0, ReduceL2: 0, ReduceLogSum: math.Inf(-1), ReduceLogSumExp: math.Inf(-1), ReduceProd: 1}
	for k, w := range want {
		for _, inner := range []int{1, 3} {
			y := make([]float32, 2*inner)
			k.Run(y, nil, 2, 0, inner)
			for _, v := range y {
				assert.True(t, testkit.Same(v, w, 0), "reduction %d of nothing (inner %d): %v, want %v", k, inner, v, w)
			}
		}
	}
}

// A float32 total would lose the small part.
func TestReduceLong(t *testing.T) {
	x := slices.Repeat([]float32{0.1}, 1<<20)
	var y [1]float32
	ReduceMean.Run(y[:], x, 1, len(x), 1)
	assert.InDelta(t, float64(float32(0.1)), y[0], 1e-7)
}

func TestArgMax(t *testing.T) {
	nan := float32(math.NaN())
	tests := []struct {
		x                          []float32
		max, maxLast, min, minLast int
	}{
		{[]float32{3}, 0, 0, 0, 0},
		{[]float32{1, 5, 2, 5, 1}, 1, 3, 0, 4},
		{[]float32{-1, -2, -3}, 0, 0, 2, 2},
		{[]float32{1, nan, 7}, 1, 1, 1, 1},
	}
	for _, tt := range tests {
		n := len(tt.x)
		wide := make([]float32, 3*n)
		for i, v := range tt.x {
			wide[3*i] = v
		}
		assert.Equal(t, []int{tt.max, tt.maxLast, tt.min, tt.minLast},
			[]int{ArgMax(tt.x, n, 1, false), ArgMax(tt.x, n, 1, true), ArgMin(tt.x, n, 1, false), ArgMin(tt.x, n, 1, true)}, "%v", tt.x)
		assert.Equal(t, tt.max, ArgMax(wide, n, 3, false))
		assert.Equal(t, tt.min, ArgMin(wide, n, 3, false))
	}
}

func TestSoftmax(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 16, 17, 100, 1030} {
		for _, inner := range []int{1, 3, 8} {
			for _, scale := range []float64{1, 40} {
				r := testkit.Rand(uint64(n))
				x := testkit.Input("x", testkit.Normal(r, 3*n*inner, 100, scale), 1)
				y, logs := testkit.Output("y", len(x.S), 2), testkit.Output("log", len(x.S), 0)
				scratch := testkit.Output("scratch", SoftmaxScratch(n, inner), 0)
				Softmax(y.S, x.S, 3, n, inner, scratch.S)
				LogSoftmax(logs.S, x.S, 3, n, inner, scratch.S)
				name := fmt.Sprintf("[3 %d %d] × %v", n, inner, scale)
				for i := range 3 * inner { // each column
					at := i/inner*n*inner + i%inner
					top, total := math.Inf(-1), 0.0
					for j := range n {
						top = math.Max(top, float64(x.S[at+j*inner]))
					}
					for j := range n {
						total += math.Exp(float64(x.S[at+j*inner]) - top)
					}
					for k := at; k < at+n*inner; k += inner {
						want := math.Exp(float64(x.S[k])-top) / total
						// x − m is rounded before it is an exponent.
						distance := top - float64(x.S[k])
						require.True(t, testkit.Same(y.S[k], want, (5e-7+distance*0x1p-24)*want+2e-45), "%s: %v, want %v", name, y.S[k], want)
						log := float64(x.S[k]) - top - math.Log(total)
						require.True(t, testkit.Same(logs.S[k], log, 3e-7*(1+math.Abs(log))), "%s: log %v, want %v", name, logs.S[k], log)
					}
				}
				for _, op := range []*testkit.Operand{x, y, logs, scratch} {
					op.Check(t, "%s", name)
				}
				in := append([]float32(nil), x.S...)
				Softmax(in, in, 3, n, inner, scratch.S)
				testkit.SameBits(t, y.S, in, "in place")
			}
		}
	}
}

// An attention mask is −Inf: no weight at all, and nothing else disturbed.
func TestSoftmaxMasked(t *testing.T) {
	inf := float32(math.Inf(1))
	y := make([]float32, 5)
	Softmax(y, []float32{1, -inf, 1, -inf, -1e9}, 1, 5, 1, nil)
	assert.Equal(t, []float32{0.5, 0, 0.5, 0, 0}, y)
	Softmax(y, []float32{-inf, -inf, -inf, -inf, -inf}, 1, 5, 1, nil)
	for _, v := range y {
		assert.True(t, v != v)
	}
}
