package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func strs(dims []int, v ...string) *ir.Tensor {
	return &ir.Tensor{Type: ir.String, Dims: dims, Strings: v}
}

func of[T slab.Elem](kind ir.DType, dims []int, v ...T) *ir.Tensor {
	x := ir.NewTensor(kind, dims...)
	copy(slab.View[T](x.Data), v)
	return x
}

func TestCompress(t *testing.T) {
	x := numbered(ir.Float32, 2, 3, 4)
	for axis, n := range x.Dims {
		condition := bools([]int{n})
		var kept []int
		for i := range n {
			if i%2 == 0 {
				condition.Data[i] = 1
				kept = append(kept, i)
			}
		}
		want := slices.Clone(x.Dims)
		want[axis] = len(kept)
		for _, a := range []int{axis, axis - 3} {
			picks(t, node{op: "Compress", attrs: attrs("axis", integer(int64(a))), in: []*ir.Tensor{x, condition}}, want, func(i []int) int {
				from := slices.Clone(i)
				from[axis] = kept[i[axis]]
				return offset(x.Dims, from...)
			})
		}
	}
	picks(t, node{op: "Compress", in: []*ir.Tensor{x, bools([]int{6}, 0, 1, 0, 0, 1, 1)}}, []int{3}, func(i []int) int { return []int{1, 4, 5}[i[0]] })
	y := node{op: "Compress", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{strs([]int{3}, "a", "", "c"), bools([]int{2}, 1, 1)}}.run(t)[0]
	require.Equal(t, []string{"a", ""}, y.Strings)
	_, err := node{op: "Compress", in: []*ir.Tensor{x, bools([]int{1, 2})}}.try()
	require.ErrorContains(t, err, "condition has dimensions [1 2], want a list")
}

func TestUnique(t *testing.T) {
	numbers := func(kind ir.DType, v ...float64) *ir.Tensor {
		return node{op: "Cast", attrs: attrs("to", integer(int64(kind))), in: []*ir.Tensor{of(ir.Float64, []int{len(v)}, v...)}}.run(t)[0]
	}
	for _, kind := range []ir.DType{ir.Float32, ir.Float64, ir.Int8, ir.Uint8, ir.Int64, ir.Uint64, ir.Int32, ir.Float16, ir.BFloat16} {
		x := numbers(kind, 2, 1, 1, 3, 4, 3)
		out := node{op: "Unique", outs: 4, in: []*ir.Tensor{x}}.run(t)
		require.Equal(t, numbers(kind, 1, 2, 3, 4).Data, out[0].Data, kind.String())
		require.Equal(t, []int64{1, 0, 3, 4}, out[1].Int64s())
		require.Equal(t, []int64{1, 0, 0, 2, 3, 2}, out[2].Int64s())
		require.Equal(t, []int64{2, 1, 2, 1}, out[3].Int64s())
		out = node{op: "Unique", outs: 4, attrs: attrs("sorted", integer(0)), in: []*ir.Tensor{x}}.run(t)
		require.Equal(t, numbers(kind, 2, 1, 3, 4).Data, out[0].Data, kind.String())
		require.Equal(t, []int64{0, 1, 3, 4}, out[1].Int64s())
		require.Equal(t, []int64{0, 1, 1, 2, 3, 2}, out[2].Int64s())
		require.Equal(t, []int64{1, 2, 2, 1}, out[3].Int64s())
	}
	nan := math.NaN()
	out := node{op: "Unique", in: []*ir.Tensor{of(ir.Float64, []int{7}, nan, -1, math.Inf(1), math.Copysign(0, -1), nan, 0, math.Inf(-1))}}.run(t)
	require.Equal(t, "[-Inf -1 -0 +Inf NaN]", fmt.Sprint(out[0].Float64s()))
	out = node{op: "Unique", in: []*ir.Tensor{of[uint64](ir.Uint64, []int{3}, 1<<63+1, 5, 1<<63)}}.run(t)
	require.Equal(t, []uint64{5, 1 << 63, 1<<63 + 1}, slab.View[uint64](out[0].Data))
	out = node{op: "Unique", outs: 4, in: []*ir.Tensor{strs([]int{4}, "b", "", "b", "a")}}.run(t)
	require.Equal(t, []string{"", "a", "b"}, out[0].Strings)
	require.Equal(t, []int64{2, 0, 2, 1}, out[2].Int64s())
	rows := f32([]int{3, 2, 2}, 1, 2, 3, 4, 0, 9, 9, 9, 1, 2, 3, 4)
	out = node{op: "Unique", outs: 4, attrs: attrs("axis", integer(0)), in: []*ir.Tensor{rows}}.run(t)
	require.Equal(t, []int{2, 2, 2}, out[0].Dims)
	require.Equal(t, []float32{0, 9, 9, 9, 1, 2, 3, 4}, out[0].Float32s())
	require.Equal(t, []int64{1, 0, 1}, out[2].Int64s())
	out = node{op: "Unique", outs: 4, attrs: attrs("axis", integer(-1)), in: []*ir.Tensor{f32([]int{2, 3}, 5, 1, 5, 5, 2, 5)}}.run(t)
	require.Equal(t, []float32{1, 5, 2, 5}, out[0].Float32s())
	require.Equal(t, []int64{1, 0, 1}, out[2].Int64s())
	out = node{op: "Unique", outs: 4, in: []*ir.Tensor{f32([]int{0})}}.run(t)
	require.Equal(t, []int{0}, out[0].Dims)
}

func TestHardmaxAndEyeLike(t *testing.T) {
	x := f32([]int{2, 2, 3}, 1, 3, 3, 0, -1, -2, 5, 5, 5, -9, -8, -7)
	for _, c := range []struct {
		version int
		axis    any
		want    []float32
	}{
		{13, nil, []float32{0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1}},
		{13, 1, []float32{1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0}},
		{11, nil, []float32{0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}},
		{11, 0, []float32{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}},
	} {
		n := node{op: "Hardmax", version: c.version, in: []*ir.Tensor{x}}
		if axis, ok := c.axis.(int); ok {
			n.attrs = attrs("axis", integer(int64(axis)))
		}
		require.Equal(t, c.want, n.run(t)[0].Float32s(), c)
		double := node{op: "Cast", attrs: attrs("to", integer(int64(ir.Float64))), in: []*ir.Tensor{x}}.run(t)[0]
		n.in = []*ir.Tensor{double}
		for i, v := range n.run(t)[0].Float64s() {
			require.EqualValues(t, c.want[i], v)
		}
	}
	for k := -4; k <= 5; k++ {
		for _, kind := range []ir.DType{0, ir.Float64, ir.Int32, ir.Bool, ir.Float16} {
			list := attrs("k", integer(int64(k)))
			if kind != 0 {
				list["dtype"] = integer(int64(kind))
			}
			y := node{op: "EyeLike", attrs: list, in: []*ir.Tensor{numbered(ir.Int8, 3, 4)}}.run(t)[0]
			require.Equal(t, cmpType(kind, ir.Int8), y.Type)
			y = node{op: "Cast", attrs: attrs("to", integer(int64(ir.Float32))), in: []*ir.Tensor{y}}.run(t)[0]
			each(y.Dims, func(i []int, at int) {
				require.Equal(t, i[1]-i[0] == k, y.Float32s()[at] == 1, "%d %v", k, i)
			})
		}
	}
	_, err := node{op: "EyeLike", in: []*ir.Tensor{x}}.try()
	require.ErrorContains(t, err, "dimensions [2 2 3], want a matrix")
	_, err = node{op: "EyeLike", attrs: attrs("dtype", integer(8)), in: []*ir.Tensor{x}}.try()
	require.ErrorContains(t, err, "dtype=8")
}

func cmpType(t, otherwise ir.DType) ir.DType {
	if t == 0 {
		return otherwise
	}
	return t
}

func TestBits(t *testing.T) {
	run := func(op string, kind ir.DType, extra map[string]*ir.Attr, in ...*ir.Tensor) []int64 {
		y := node{op: op, version: 18, attrs: extra, in: in}.run(t)[0]
		require.Equal(t, kind, y.Type)
		return y.Ints()
	}
	a, b := of[int8](ir.Int8, []int{3}, -128, 85, -1), of[int8](ir.Int8, []int{1}, 15)
	require.Equal(t, []int64{0, 5, 15}, run("BitwiseAnd", ir.Int8, nil, a, b))
	require.Equal(t, []int64{-113, 95, -1}, run("BitwiseOr", ir.Int8, nil, a, b))
	require.Equal(t, []int64{-113, 90, -16}, run("BitwiseXor", ir.Int8, nil, a, b))
	require.Equal(t, []int64{127, -86, 0}, run("BitwiseNot", ir.Int8, nil, a))
	require.Equal(t, []int64{-1, -1<<63 + 5}, run("BitwiseNot", ir.Uint64, nil, of[uint64](ir.Uint64, []int{2}, 0, 1<<63-6)))
	left, right := attrs("direction", text("LEFT")), attrs("direction", text("RIGHT"))
	u8 := of[uint8](ir.Uint8, []int{2, 1}, 200, 3)
	by := of[uint8](ir.Uint8, []int{3}, 0, 1, 9)
	require.Equal(t, []int64{200, 144, 0, 3, 6, 0}, run("BitShift", ir.Uint8, left, u8, by))
	require.Equal(t, []int64{200, 100, 0, 3, 1, 0}, run("BitShift", ir.Uint8, right, u8, by))
	big := of[uint64](ir.Uint64, []int{1}, 1<<63)
	require.Equal(t, []int64{1, -1 << 63, 0, 0}, run("BitShift", ir.Uint64, right, big, of[uint64](ir.Uint64, []int{4}, 63, 0, 64, 1<<63)))
	_, err := node{op: "BitShift", in: []*ir.Tensor{u8, by}}.try()
	require.ErrorContains(t, err, "direction=")
}

func TestCumProd(t *testing.T) {
	x := list(1, 2, 3, 4)
	for want, list := range map[string]map[string]*ir.Attr{
		"[1 2 6 24]": nil, "[1 1 2 6]": attrs("exclusive", integer(1)), "[24 24 12 4]": attrs("reverse", integer(1)),
		"[24 12 4 1]": attrs("exclusive", integer(1), "reverse", integer(1)),
	} {
		y := node{op: "CumProd", version: 26, attrs: list, in: []*ir.Tensor{x, i64(nil, 0)}}.run(t)[0]
		require.Equal(t, want, fmt.Sprint(y.Int64s()))
	}
	y := node{op: "CumProd", version: 26, in: []*ir.Tensor{f32([]int{2, 2}, 2, 3, 4, 5), i64(nil, -1)}}.run(t)[0]
	require.Equal(t, []float32{2, 6, 4, 20}, y.Float32s())
}

func TestScatterOfOldOpsets(t *testing.T) {
	y := node{op: "Scatter", version: 9, attrs: attrs("axis", integer(1)), in: []*ir.Tensor{f32([]int{1, 4}, 1, 2, 3, 4), i64([]int{1, 2}, 1, 3), f32([]int{1, 2}, 8, 9)}}.run(t)[0]
	require.Equal(t, []float32{1, 8, 3, 9}, y.Float32s())
}

func TestDetAndInverse(t *testing.T) {
	for n := 1; n < 6; n++ {
		x := random(uint64(n), 3, n, n)
		if n > 1 {
			x.Float32s()[0] = 0 // a pivot
		}
		y := node{op: "Det", in: []*ir.Tensor{x}}.run(t)[0]
		require.Equal(t, []int{3}, y.Dims)
		z := node{op: "Inverse", domain: "com.microsoft", in: []*ir.Tensor{x}}.run(t)[0]
		for k := range 3 {
			var m []float64
			for _, v := range x.Float32s()[k*n*n:][:n*n] {
				m = append(m, float64(v))
			}
			require.InDelta(t, laplace(m, n), y.Float32s()[k], 1e-4)
			each([]int{n, n}, func(i []int, _ int) {
				sum, size := 0.0, 1.0
				for j := range n {
					v := m[i[0]*n+j] * float64(z.Float32s()[k*n*n+j*n+i[1]])
					sum += v
					size += math.Abs(v)
				}
				want := 0.0
				if i[0] == i[1] {
					want = 1
				}
				require.InDelta(t, want, sum, 1e-5*size)
			})
		}
	}
	require.Zero(t, node{op: "Det", in: []*ir.Tensor{f32([]int{2, 2}, 1, 2, 2, 4)}}.run(t)[0].Float32s()[0])
	require.Equal(t, []float64{-2}, node{op: "Det", in: []*ir.Tensor{of(ir.Float64, []int{2, 2}, 1., 2, 3, 4)}}.run(t)[0].Float64s())
	_, err := node{op: "Det", in: []*ir.Tensor{f32([]int{2, 3})}}.try()
	require.ErrorContains(t, err, "dimensions [2 3], want square matrices")
	d := node{op: "CDist", domain: "com.microsoft", attrs: attrs("metric", text("euclidean")), in: []*ir.Tensor{f32([]int{1, 2}, 0, 0), f32([]int{2, 2}, 3, 4, 0, 1)}}.run(t)[0]
	require.Equal(t, []float32{5, 1}, d.Float32s())
}

// laplace is the determinant by its first row.
func laplace(m []float64, n int) float64 {
	if n == 1 {
		return m[0]
	}
	sum := 0.0
	for c := range n {
		var minor []float64
		for r := 1; r < n; r++ {
			for k := range n {
				if k != c {
					minor = append(minor, m[r*n+k])
				}
			}
		}
		sum += math.Pow(-1, float64(c)) * m[c] * laplace(minor, n-1)
	}
	return sum
}

func TestLosses(t *testing.T) {
	const n, classes, d = 3, 4, 2
	x := random(7, n, classes, d)
	labels := i64([]int{n, d}, 0, 3, 2, 2, 1, 3)
	weights := f32([]int{classes}, 0.5, 2, 1, 0.25)
	for _, op := range []string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"} {
		for _, reduction := range []string{"none", "sum", "mean"} {
			for _, w := range []*ir.Tensor{nil, weights} {
				for _, ignored := range []int64{99, 2, -1} {
					logs := make([]float64, x.Len())
					each([]int{n, d}, func(i []int, _ int) {
						sum := 0.0
						for c := range classes {
							sum += math.Exp(float64(x.Float32s()[offset(x.Dims, i[0], c, i[1])]))
						}
						for c := range classes {
							at := offset(x.Dims, i[0], c, i[1])
							if logs[at] = float64(x.Float32s()[at]); op[0] == 'S' {
								logs[at] -= math.Log(sum)
							}
						}
					})
					var want []float64
					sum, total := 0.0, 0.0
					each([]int{n, d}, func(i []int, at int) {
						class := labels.Int64s()[at]
						weight := 1.0
						if w != nil {
							weight = float64(w.Float32s()[class])
						}
						if class == ignored {
							weight = 0
						}
						v := -weight * logs[offset(x.Dims, i[0], int(class), i[1])]
						want, sum, total = append(want, v), sum+v, total+weight
					})
					dims := []int{n, d}
					if reduction != "none" {
						dims, want = nil, []float64{sum}
						if reduction == "mean" {
							want[0] /= total
						}
					}
					list := attrs("reduction", text(reduction))
					if ignored != 99 {
						list["ignore_index"] = integer(ignored)
					}
					out := node{op: op, attrs: list, outs: 1 + int(op[0]/'S'), in: []*ir.Tensor{x, labels, w}}.run(t)
					require.Equal(t, append([]int{}, dims...), append([]int{}, out[0].Dims...))
					near(t, want, out[0], 1e-6, op+reduction)
					if len(out) > 1 {
						near(t, logs, out[1], 1e-6, "log_prob")
					}
				}
			}
		}
	}
	_, err := node{op: "NegativeLogLikelihoodLoss", in: []*ir.Tensor{f32([]int{1, 3}), list(3)}}.try()
	require.ErrorContains(t, err, "label 0 is 3, want one in [0, 2]")
	_, err = node{op: "NegativeLogLikelihoodLoss", in: []*ir.Tensor{f32([]int{1, 3, 2}), i64([]int{1, 3})}}.try()
	require.ErrorContains(t, err, "scores have dimensions [1 3 2] and labels [1 3]")
	_, err = node{op: "NegativeLogLikelihoodLoss", in: []*ir.Tensor{f32([]int{1, 3}), list(0), f32([]int{2})}}.try()
	require.ErrorContains(t, err, "weights have dimensions [2], want one for each of 3 classes")
}
