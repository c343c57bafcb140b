package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

func TestMatMul(t *testing.T) {
	cases := []struct{ a, b, want []int }{
		{[]int{3, 4}, []int{4, 5}, []int{3, 5}},
		{[]int{4}, []int{4}, []int{}},
		{[]int{4}, []int{4, 5}, []int{5}},
		{[]int{3, 4}, []int{4}, []int{3}},
		{[]int{2, 3, 4}, []int{4, 9}, []int{2, 3, 9}},
		{[]int{2, 3, 4}, []int{1, 4, 9}, []int{2, 3, 9}},
		{[]int{3, 4}, []int{2, 4, 9}, []int{2, 3, 9}},
		{[]int{2, 1, 3, 4}, []int{5, 4, 6}, []int{2, 5, 3, 6}},
		{[]int{2, 3, 4}, []int{2, 4}, nil},
		{[]int{4}, []int{2, 4, 3}, []int{2, 3}},
		{[]int{2, 7, 33}, []int{2, 33, 17}, []int{2, 7, 17}},
		{[]int{0, 4}, []int{4, 3}, []int{0, 3}},
		{[]int{3, 0}, []int{0, 2}, []int{3, 2}},
	}
	for _, c := range cases {
		a, b := random(1, c.a...), random(2, c.b...)
		n := node{op: "MatMul", in: []*ir.Tensor{a, b}}
		if c.want == nil {
			_, err := n.try()
			require.ErrorContains(t, err, "4 columns do not meet 2 rows")
			continue
		}
		y := n.run(t)[0]
		require.Equal(t, c.want, append([]int{}, y.Dims...), "%v %v", c.a, c.b)
		da, db := c.a, c.b
		if len(da) == 1 {
			da = []int{1, da[0]}
		}
		if len(db) == 1 {
			db = []int{db[0], 1}
		}
		k := da[len(da)-1]
		full := slices.Clone(c.want)
		if len(c.b) == 1 {
			full = append(full, 1)
		}
		if len(c.a) == 1 {
			full = slices.Insert(full, len(full)-1, 1)
		}
		value := func(x *ir.Tensor, dims, index []int) float64 {
			o := at(&ir.Tensor{Dims: dims}, index)
			return float64(x.Float32s()[o])
		}
		want := make([]float64, y.Len())
		each(full, func(index []int, q int) {
			ia, ib := slices.Clone(index), slices.Clone(index)
			for j := range k {
				ia[len(ia)-1], ib[len(ib)-2] = j, j
				want[q] += value(a, da, ia) * value(b, db, ib)
			}
		})
		near(t, want, y, 1e-5, fmt.Sprint(c.a, c.b))
	}
	x, w, b := random(1, 2, 3, 4), random(2, 4, 5), random(3, 5)
	y := node{op: "MatMul", domain: ir.Internal, version: 1, in: []*ir.Tensor{x, w, b}}.run(t)[0]
	sum := node{op: "Add", in: []*ir.Tensor{node{op: "MatMul", in: []*ir.Tensor{x, w}}.run(t)[0], b}}.run(t)[0]
	for i, v := range sum.Float32s() {
		require.InDelta(t, v, y.Float32s()[i], 1e-5)
	}
}

func TestGemm(t *testing.T) {
	for _, ta := range []int64{0, 1} {
		for _, tb := range []int64{0, 1} {
			for _, alpha := range []float32{1, 0.5, 0} {
				for _, beta := range []float32{1, -2, 0} {
					for _, add := range [][]int{nil, {}, {1}, {7}, {5, 1}, {1, 7}, {5, 7}} {
						a, b := random(1, 5, 3), random(2, 3, 7)
						ea := func(i, k int) float64 { return float64(a.Float32s()[i*3+k]) }
						eb := func(k, j int) float64 { return float64(b.Float32s()[k*7+j]) }
						if ta == 1 {
							a = random(1, 3, 5)
							ea = func(i, k int) float64 { return float64(a.Float32s()[k*5+i]) }
						}
						if tb == 1 {
							b = random(2, 7, 3)
							eb = func(k, j int) float64 { return float64(b.Float32s()[j*3+k]) }
						}
						in := []*ir.Tensor{a, b}
						var c *ir.Tensor
						if add != nil {
							c = random(3, add...)
							in = append(in, c)
						}
						y := node{op: "Gemm", in: in, attrs: attrs("transA", integer(ta), "transB", integer(tb), "alpha", float(alpha), "beta", float(beta))}.run(t)[0]
						want := make([]float64, 35)
						each([]int{5, 7}, func(i []int, q int) {
							for k := range 3 {
								want[q] += ea(i[0], k) * eb(k, i[1]) * float64(alpha)
							}
							if c != nil {
								want[q] += float64(beta) * float64(c.Float32s()[at(c, i)])
							}
						})
						near(t, want, y, 1e-5, fmt.Sprint(ta, tb, alpha, beta, add))
					}
				}
			}
		}
	}
	for text, in := range map[string][]*ir.Tensor{
		"a has dimensions [2 3] and b [2 3]: they do not multiply": {f32([]int{2, 3}), f32([]int{2, 3})},
		"c has dimensions [3], which do not broadcast to [2 2]":    {f32([]int{2, 3}), f32([]int{3, 2}), f32([]int{3})},
		"a and b must be matrices":                                 {f32([]int{2}), f32([]int{3, 2})},
	} {
		_, err := node{op: "Gemm", in: in}.try()
		require.ErrorContains(t, err, text)
	}
}

func TestReductions(t *testing.T) {
	x := random(1, 2, 3, 4, 5)
	kinds := map[string]func(v []float64) float64{
		"ReduceSum": func(v []float64) float64 { return fold(v, 0, func(a, b float64) float64 { return a + b }) },
		"ReduceMean": func(v []float64) float64 {
			return fold(v, 0, func(a, b float64) float64 { return a + b }) / float64(len(v))
		},
		"ReduceMax":       func(v []float64) float64 { return fold(v, math.Inf(-1), math.Max) },
		"ReduceMin":       func(v []float64) float64 { return fold(v, math.Inf(1), math.Min) },
		"ReduceProd":      func(v []float64) float64 { return fold(v, 1, func(a, b float64) float64 { return a * b }) },
		"ReduceL1":        func(v []float64) float64 { return fold(v, 0, func(a, b float64) float64 { return a + math.Abs(b) }) },
		"ReduceL2":        func(v []float64) float64 { return math.Sqrt(fold(v, 0, func(a, b float64) float64 { return a + b*b })) },
		"ReduceSumSquare": func(v []float64) float64 { return fold(v, 0, func(a, b float64) float64 { return a + b*b }) },
		"ReduceLogSum":    func(v []float64) float64 { return math.Log(fold(v, 0, func(a, b float64) float64 { return a + b })) },
		"ReduceLogSumExp": func(v []float64) float64 {
			return math.Log(fold(v, 0, func(a, b float64) float64 { return a + math.Exp(b) }))
		},
	}
	for op, f := range kinds {
		moved := 18
		if op == "ReduceSum" {
			moved = 13
		}
		for _, axes := range [][]int64{nil, {0}, {1}, {-1}, {1, 2}, {0, 2}, {3, 0}, {0, 1, 2, 3}, {-1, -3}} {
			for _, keep := range []int64{0, 1} {
				reduced := make([]bool, 4)
				for _, a := range axes {
					reduced[(a+4)%4] = true
				}
				var dims, kept []int
				for i, d := range x.Dims {
					if axes == nil || reduced[i] {
						kept = append(kept, 1)
						if keep == 1 {
							dims = append(dims, 1)
						}
						continue
					}
					kept, dims = append(kept, d), append(dims, d)
				}
				groups := make([][]float64, ir.Elements(kept))
				each(x.Dims, func(index []int, k int) {
					g := at(&ir.Tensor{Dims: kept}, index)
					groups[g] = append(groups[g], float64(x.Float32s()[k]))
				})
				want := make([]float64, len(groups))
				for i, g := range groups {
					want[i] = f(g)
				}
				old := node{op: op, version: moved - 1, attrs: attrs("keepdims", integer(keep)), in: []*ir.Tensor{x}}
				young := node{op: op, version: moved, attrs: attrs("keepdims", integer(keep)), in: []*ir.Tensor{x}}
				if axes != nil {
					old.attrs["axes"] = integers(axes...)
					young.in = append(young.in, list(axes...))
				}
				y := old.run(t)[0]
				what := fmt.Sprint(op, axes, keep)
				require.Equal(t, append([]int{}, dims...), append([]int{}, y.Dims...), what)
				near(t, want, y, 1e-5, what)
				require.Equal(t, y.Data, young.run(t)[0].Data, what)
			}
		}
		noop := node{op: op, version: 18, attrs: attrs("noop_with_empty_axes", integer(1)), in: []*ir.Tensor{x, list()}}.run(t)[0]
		want := make([]float64, x.Len())
		for i, v := range x.Float32s() {
			want[i] = float64(v)
			if slices.Contains([]string{"ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}, op) {
				want[i] = f([]float64{float64(v)})
			}
		}
		near(t, want, noop, 1e-6, op)
		double := ir.NewTensor(ir.Float64, 2, 3)
		whole := ir.NewTensor(ir.Int32, 2, 3)
		sums := make([]float64, 2)
		exact := make([]int64, 2)
		for i := range 6 {
			double.Float64s()[i] = float64(i) - 1.5
			whole.Int32s()[i] = int32(2*i - 3)
		}
		for r := range 2 {
			sums[r] = f(double.Float64s()[3*r : 3*r+3])
			v := []float64{}
			for _, w := range whole.Int32s()[3*r : 3*r+3] {
				v = append(v, float64(w))
			}
			if s := f(v); s == s && math.Abs(s) < 1e9 {
				exact[r] = int64(s)
			}
		}
		a := attrs("axes", integers(1), "keepdims", integer(0))
		y := node{op: op, version: moved - 1, attrs: a, in: []*ir.Tensor{double}}.run(t)[0]
		for r, s := range sums {
			if s == s {
				require.InDelta(t, s, y.Float64s()[r], 1e-12, op)
			}
		}
		y = node{op: op, version: moved - 1, attrs: a, in: []*ir.Tensor{whole}}.run(t)[0]
		if op != "ReduceLogSum" {
			require.Equal(t, exact, y.Ints(), op)
		}
	}
	for _, c := range []struct {
		op   string
		want float64
	}{{"ReduceSum", 0}, {"ReduceProd", 1}, {"ReduceMax", math.Inf(-1)}, {"ReduceMin", math.Inf(1)}, {"ReduceL2", 0}} {
		y := node{op: c.op, version: 12, attrs: attrs("axes", integers(1)), in: []*ir.Tensor{f32([]int{2, 0})}}.run(t)[0]
		near(t, []float64{c.want, c.want}, y, 0, c.op+" of nothing")
	}
	_, err := node{op: "ReduceMean", attrs: attrs("axes", integers(2)), in: []*ir.Tensor{f32([]int{2, 3})}}.try()
	require.ErrorContains(t, err, "axis is 2, want one in [-2, 1]")
	_, err = node{op: "ReduceMax", in: []*ir.Tensor{list()}}.try()
	require.ErrorContains(t, err, "there is no element to reduce in [0]")
}

func fold(v []float64, start float64, f func(a, b float64) float64) float64 {
	for _, x := range v {
		start = f(start, x)
	}
	return start
}

func TestArgMax(t *testing.T) {
	x := f32([]int{2, 4}, 1, 3, 3, 2, -5, -7, -7, 0)
	run := func(op string, kind ir.DType, kv ...any) []int64 {
		in := node{op: "Cast", attrs: attrs("to", integer(int64(kind))), in: []*ir.Tensor{x}}.run(t)[0]
		return node{op: op, attrs: attrs(kv...), in: []*ir.Tensor{in}}.run(t)[0].Int64s()
	}
	for _, kind := range []ir.DType{ir.Float32, ir.Float64, ir.Int8, ir.Int64} {
		require.Equal(t, []int64{1, 3}, run("ArgMax", kind, "axis", integer(1)), kind)
		require.Equal(t, []int64{2, 3}, run("ArgMax", kind, "axis", integer(-1), "select_last_index", integer(1)), kind)
		require.Equal(t, []int64{0, 1}, run("ArgMin", kind, "axis", integer(1), "keepdims", integer(0)), kind)
		require.Equal(t, []int64{0, 2}, run("ArgMin", kind, "axis", integer(1), "select_last_index", integer(1)), kind)
		require.Equal(t, []int64{0, 0, 0, 0}, run("ArgMax", kind), kind)
	}
	_, err := node{op: "ArgMax", in: []*ir.Tensor{f32([]int{0, 2})}}.try()
	require.ErrorContains(t, err, "axis 0 of [0 2] is empty")
}

func TestSoftmax(t *testing.T) {
	x := random(1, 2, 3, 4)
	x.Float32s()[0] = 200 // its exponential alone would overflow
	for _, version := range []int{11, 13} {
		for axis := int64(-3); axis < 3; axis++ {
			a := int(axis+3) % 3
			group := func(i []int) int { return at(&ir.Tensor{Dims: slices.Replace(slices.Clone(x.Dims), a, a+1, 1)}, i) }
			if version == 11 { // all from the axis on
				group = func(i []int) int { return offset(x.Dims[:a], i[:a]...) }
			}
			sums := make([]float64, 24)
			tops := slices.Repeat([]float64{math.Inf(-1)}, 24)
			each(x.Dims, func(i []int, k int) { tops[group(i)] = max(tops[group(i)], float64(x.Float32s()[k])) })
			each(x.Dims, func(i []int, k int) { sums[group(i)] += math.Exp(float64(x.Float32s()[k]) - tops[group(i)]) })
			want, logs := make([]float64, 24), make([]float64, 24)
			each(x.Dims, func(i []int, k int) {
				v, g := float64(x.Float32s()[k]), group(i)
				want[k] = math.Exp(v-tops[g]) / sums[g]
				logs[k] = v - tops[g] - math.Log(sums[g])
			})
			n := node{version: version, attrs: attrs("axis", integer(axis)), in: []*ir.Tensor{x}}
			for op, w := range map[string][]float64{"Softmax": want, "LogSoftmax": logs} {
				n.op = op
				near(t, w, n.run(t)[0], 1e-6, fmt.Sprint(op, version, axis))
			}
		}
	}
	// The default axis is 1 and means all from there on, then -1.
	y := f32([]int{1, 2, 2}, 0, 0, 0, 0)
	require.Equal(t, float32(0.25), node{op: "Softmax", version: 12, in: []*ir.Tensor{y}}.run(t)[0].Float32s()[0])
	require.Equal(t, float32(0.5), node{op: "Softmax", version: 13, in: []*ir.Tensor{y}}.run(t)[0].Float32s()[0])
	require.Empty(t, node{op: "Softmax", in: []*ir.Tensor{f32([]int{0, 3})}}.run(t)[0].Float32s())
	_, err := node{op: "Softmax", version: 13, attrs: attrs("axis", integer(3)), in: []*ir.Tensor{y}}.try()
	require.ErrorContains(t, err, "axis is 3")
}

func TestNorms(t *testing.T) {
	x := random(1, 2, 6, 4, 3)
	const eps = 1e-5
	// normalized gives (x − μ)/√(σ² + ε) over the elements of one group.
	normalized := func(x *ir.Tensor, eps float64, group func(i []int) int) []float64 {
		type stat struct{ n, sum, square float64 }
		stats := map[int]*stat{}
		each(x.Dims, func(i []int, k int) {
			g := group(i)
			if stats[g] == nil {
				stats[g] = &stat{}
			}
			stats[g].n++
			stats[g].sum += float64(x.Float32s()[k])
		})
		each(x.Dims, func(i []int, k int) {
			s := stats[group(i)]
			d := float64(x.Float32s()[k]) - s.sum/s.n
			s.square += d * d
		})
		y := make([]float64, x.Len())
		each(x.Dims, func(i []int, k int) {
			s := stats[group(i)]
			y[k] = (float64(x.Float32s()[k]) - s.sum/s.n) / math.Sqrt(s.square/s.n+eps)
		})
		return y
	}
	affine := func(y []float64, gamma, beta func(i []int) float32) []float64 {
		out := slices.Clone(y)
		each(x.Dims, func(i []int, k int) { out[k] = out[k]*float64(gamma(i)) + float64(beta(i)) })
		return out
	}
	per := func(v *ir.Tensor, f func(i []int) int) func(i []int) float32 {
		return func(i []int) float32 { return v.Float32s()[f(i)] }
	}

	channel := func(i []int) int { return i[1] }
	gamma, beta := random(2, 6), random(3, 6)
	y := node{op: "InstanceNormalization", in: []*ir.Tensor{x, gamma, beta}}.run(t)[0]
	near(t, affine(normalized(x, eps, func(i []int) int { return i[0]*6 + i[1] }), per(gamma, channel), per(beta, channel)), y, 1e-5, "instance")

	groups := func(i []int) int { return i[0]*3 + i[1]/2 }
	y = node{op: "GroupNormalization", version: 21, attrs: attrs("num_groups", integer(3)), in: []*ir.Tensor{x, gamma, beta}}.run(t)[0]
	near(t, affine(normalized(x, eps, groups), per(gamma, channel), per(beta, channel)), y, 1e-5, "group")
	g3, b3 := random(2, 3), random(3, 3)
	group := func(i []int) int { return i[1] / 2 }
	y = node{op: "GroupNormalization", version: 18, attrs: attrs("num_groups", integer(3)), in: []*ir.Tensor{x, g3, b3}}.run(t)[0]
	near(t, affine(normalized(x, eps, groups), per(g3, group), per(b3, group)), y, 1e-5, "group, a scale a group")

	last := func(i []int) int { return offset(x.Dims[:2], i[:2]...) }
	full, row, one := random(4, 4, 3), random(5, 3), random(6, 1)
	inner := func(i []int) int { return i[2]*3 + i[3] }
	n := node{op: "LayerNormalization", version: 17, outs: 3, attrs: attrs("axis", integer(2)), in: []*ir.Tensor{x, full, row}}
	out := n.run(t)
	near(t, affine(normalized(x, eps, last), per(full, inner), per(row, func(i []int) int { return i[3] })), out[0], 1e-5, "layer")
	require.Equal(t, []int{2, 6, 1, 1}, out[1].Dims)
	require.Equal(t, []int{2, 6, 1, 1}, out[2].Dims)
	n.in, n.outs = []*ir.Tensor{x, one}, 1
	near(t, affine(normalized(x, eps, last), per(one, func([]int) int { return 0 }), func([]int) float32 { return 0 }), n.run(t)[0], 1e-5, "layer, one scale")
	_, err := node{op: "LayerNormalization", version: 17, in: []*ir.Tensor{x, random(1, 4)}}.try()
	require.ErrorContains(t, err, "input 1 has dimensions [4], which do not broadcast to [2 6 4 3]")

	mean, variance := random(7, 6), random(8, 6)
	for i, v := range variance.Float32s() {
		variance.Float32s()[i] = v * v
	}
	want := make([]float64, x.Len())
	each(x.Dims, func(i []int, k int) {
		c := i[1]
		want[k] = (float64(x.Float32s()[k])-float64(mean.Float32s()[c]))/math.Sqrt(float64(variance.Float32s()[c])+eps)*
			float64(gamma.Float32s()[c]) + float64(beta.Float32s()[c])
	})
	n = node{op: "BatchNormalization", version: 9, in: []*ir.Tensor{x, gamma, beta, mean, variance}, attrs: attrs("momentum", float(0.9))}
	near(t, want, n.run(t)[0], 1e-5, "batch")
	for i, v := range want {
		want[i] = max(v, 0)
	}
	n.then = &node{op: "Relu"}
	near(t, want, n.run(t)[0], 1e-5, "batch and ReLU")
	n.then = nil
	for text, n := range map[string]node{
		"spatial=0":                  {version: 7, attrs: attrs("spatial", integer(0)), in: n.in},
		"input 2 has dimensions [3]": {version: 9, in: []*ir.Tensor{x, gamma, b3, mean, variance}},
		"attribute is_test":          {version: 9, attrs: attrs("is_test", integer(1)), in: n.in},
	} {
		n.op = "BatchNormalization"
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestOtherNorms(t *testing.T) {
	x := random(1, 2, 6, 4, 3)
	gamma := random(2, 3)
	y := node{op: "RMSNormalization", version: 23, in: []*ir.Tensor{x, gamma}}.run(t)[0]
	want := make([]float64, x.Len())
	for r := 0; r < x.Len(); r += 3 {
		sum := 0.0
		for _, v := range x.Float32s()[r : r+3] {
			sum += float64(v) * float64(v)
		}
		for i := range 3 {
			want[r+i] = float64(x.Float32s()[r+i]) / math.Sqrt(sum/3+1e-5) * float64(gamma.Float32s()[i])
		}
	}
	near(t, want, y, 1e-5, "RMS")
	for p := int64(1); p <= 2; p++ {
		y := node{op: "LpNormalization", attrs: attrs("axis", integer(1), "p", integer(p)), in: []*ir.Tensor{x}}.run(t)[0]
		each(x.Dims, func(i []int, k int) {
			sum := 0.0
			for c := range 6 {
				v := math.Abs(float64(x.Float32s()[offset(x.Dims, i[0], c, i[2], i[3])]))
				sum += math.Pow(v, float64(p))
			}
			want[k] = float64(x.Float32s()[k]) / math.Pow(sum, 1/float64(p))
		})
		near(t, want, y, 1e-5, "Lp")
	}
	zero := node{op: "LpNormalization", in: []*ir.Tensor{f32([]int{1, 2})}}.run(t)[0]
	require.Equal(t, []float32{0, 0}, zero.Float32s())
	for _, size := range []int64{1, 3, 4, 100} {
		y := node{op: "LRN", attrs: attrs("size", integer(size), "alpha", float(0.5), "beta", float(0.75), "bias", float(2)), in: []*ir.Tensor{x}}.run(t)[0]
		each(x.Dims, func(i []int, k int) {
			sum := 0.0
			for c := range 6 {
				if c >= i[1]-int((size-1)/2) && c <= i[1]+int(size/2) {
					v := float64(x.Float32s()[offset(x.Dims, i[0], c, i[2], i[3])])
					sum += v * v
				}
			}
			want[k] = float64(x.Float32s()[k]) / math.Pow(2+0.5/float64(size)*sum, 0.75)
		})
		near(t, want, y, 1e-5, fmt.Sprint("LRN", size))
	}
	_, err := node{op: "LRN", in: []*ir.Tensor{x}}.try()
	require.ErrorContains(t, err, "size is 0")
}

func TestNormsOfNothing(t *testing.T) {
	for _, dims := range [][]int{{0, 4, 3}, {2, 4, 0}} {
		x, channel, last := f32(dims), random(1, 4), random(2, dims[2])
		for _, n := range []node{
			{op: "BatchNormalization", in: []*ir.Tensor{x, channel, channel, channel, f32([]int{4}, 1, 1, 1, 1)}},
			{op: "BatchNormalization", version: 9, outs: 5, in: []*ir.Tensor{x, channel, channel, channel, channel}},
			{op: "InstanceNormalization", in: []*ir.Tensor{x, channel, channel}},
			{op: "GroupNormalization", version: 21, attrs: attrs("num_groups", integer(2)), in: []*ir.Tensor{x, channel, channel}},
			{op: "LayerNormalization", version: 17, in: []*ir.Tensor{x, last, last}},
			{op: "RMSNormalization", version: 23, in: []*ir.Tensor{x, last}},
			{op: "MeanVarianceNormalization", attrs: attrs("axes", integers(0, 2)), in: []*ir.Tensor{x}},
			{op: "LpNormalization", attrs: attrs("axis", integer(2)), in: []*ir.Tensor{x}},
			{op: "LRN", attrs: attrs("size", integer(3)), in: []*ir.Tensor{x}},
			{op: "Softmax", in: []*ir.Tensor{x}},
			{op: "LogSoftmax", version: 11, in: []*ir.Tensor{x}},
		} {
			require.Equal(t, dims, n.run(t)[0].Dims, n.op)
		}
	}
	x, none := f32([]int{2, 0, 3}), f32([]int{0})
	for _, n := range []node{
		{op: "BatchNormalization", in: []*ir.Tensor{x, none, none, none, none}},
		{op: "BatchNormalization", version: 15, outs: 3, attrs: attrs("training_mode", integer(1)), in: []*ir.Tensor{x, none, none, none, none}},
		{op: "InstanceNormalization", in: []*ir.Tensor{x, none, none}},
		{op: "LRN", attrs: attrs("size", integer(3)), in: []*ir.Tensor{x}},
		{op: "GlobalAveragePool", in: []*ir.Tensor{x}},
	} {
		require.Equal(t, 0, n.run(t)[0].Len(), n.op)
	}
}
