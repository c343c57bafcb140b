package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// double is random float64, far from 0 so that float32 would lose digits.
func doubles(seed uint64, offset float64, dims ...int) *ir.Tensor {
	x := ir.NewTensor(ir.Float64, dims...)
	for i, v := range random(seed, dims...).Float32s() {
		x.Float64s()[i] = offset + float64(v)*(1+1e-9*float64(i))
	}
	return x
}

// exactly compares float64 with what the definition gives.
func exactly(t *testing.T, want []float64, got *ir.Tensor, what string) {
	require.Equal(t, ir.Float64, got.Type, what)
	require.Equal(t, len(want), got.Len(), what)
	for i, w := range want {
		require.InDelta(t, w, got.Float64s()[i], 1e-11*(1+math.Abs(w)), "%s: element %d", what, i)
	}
}

// normalized is (x − mean)/root of the groups that x falls into.
func normalized(x []float64, group func(k int) int, root func(deviations []float64, of []float64) float64, center bool) []float64 {
	members := map[int][]int{}
	for k := range x {
		members[group(k)] = append(members[group(k)], k)
	}
	y := make([]float64, len(x))
	for _, list := range members {
		mean := 0.0
		for _, k := range list {
			if center {
				mean += x[k] / float64(len(list))
			}
		}
		var dev []float64
		for _, k := range list {
			dev = append(dev, x[k]-mean)
		}
		r := root(dev, x)
		for i, k := range list {
			y[k] = dev[i] / r
		}
	}
	return y
}

func deviation(epsilon float64) func(dev, _ []float64) float64 {
	return func(dev, _ []float64) float64 {
		sum := 0.0
		for _, d := range dev {
			sum += d * d
		}
		return math.Sqrt(sum/float64(len(dev)) + epsilon)
	}
}

func affineOf(y []float64, scale, bias *ir.Tensor, at func(k int) int) []float64 {
	out := make([]float64, len(y))
	for k, v := range y {
		out[k] = v * scale.Float64s()[at(k)]
		if bias != nil {
			out[k] += bias.Float64s()[at(k)]
		}
	}
	return out
}

func TestNormsOfDoubles(t *testing.T) {
	const n, c, h, w = 2, 6, 3, 5
	x := doubles(1, 1000, n, c, h, w)
	channel := func(k int) int { return k / (h * w) % c }
	epsilon := float64(float32(1e-5))
	ratio := float64(float32(1e-3))
	scale, bias := doubles(2, 1, c), doubles(3, 0, c)
	one := func(op string, version int, a map[string]*ir.Attr, in ...*ir.Tensor) *ir.Tensor {
		return node{op: op, version: version, attrs: a, in: in}.run(t)[0]
	}

	image := func(k int) int { return k / (h * w) }
	exactly(t, affineOf(normalized(x.Float64s(), image, deviation(epsilon), true), scale, bias, channel), one("InstanceNormalization", 6, nil, x, scale, bias), "instance")
	group := func(k int) int { return k / (2 * h * w) }
	exactly(t, affineOf(normalized(x.Float64s(), group, deviation(epsilon), true), scale, bias, channel),
		one("GroupNormalization", 21, attrs("num_groups", integer(3)), x, scale, bias), "group")
	perGroup, groupBias := doubles(4, 1, 3), doubles(5, 0, 3)
	exactly(t, affineOf(normalized(x.Float64s(), group, deviation(ratio), true), perGroup, groupBias, func(k int) int { return channel(k) / 2 }),
		one("GroupNormalization", 18, attrs("num_groups", integer(3), "epsilon", float(1e-3)), x, perGroup, groupBias), "group, scale for each")

	row := func(k int) int { return k / w }
	col := func(k int) int { return k % w }
	rowScale, rowBias := doubles(6, 1, w), doubles(7, 0, w)
	out := node{op: "LayerNormalization", version: 17, outs: 3, in: []*ir.Tensor{x, rowScale, rowBias}}.run(t)
	exactly(t, affineOf(normalized(x.Float64s(), row, deviation(epsilon), true), rowScale, rowBias, col), out[0], "layer")
	for r := range n * c * h {
		part := x.Float64s()[r*w : (r+1)*w]
		mean := 0.0
		for _, v := range part {
			mean += v / w
		}
		dev := 0.0
		for _, v := range part {
			dev += (v - mean) * (v - mean) / w
		}
		require.InDelta(t, mean, out[1].Float32s()[r], 1e-4)
		require.InDelta(t, 1/math.Sqrt(dev+epsilon), out[2].Float32s()[r], 1e-5)
	}
	exactly(t, affineOf(normalized(x.Float64s(), row, deviation(epsilon), false), rowScale, nil, col), one("RMSNormalization", 23, nil, x, rowScale), "rms")

	mvn := func(dev, _ []float64) float64 { return deviation(0)(dev, nil) + 1e-9 }
	exactly(t, normalized(x.Float64s(), channel, mvn, true), one("MeanVarianceNormalization", 13, nil, x), "mean and variance")
	for p := 1; p <= 2; p++ {
		length := func(dev, _ []float64) float64 {
			sum := 0.0
			for _, d := range dev {
				sum += math.Pow(math.Abs(d), float64(p))
			}
			return math.Pow(sum, 1/float64(p))
		}
		exactly(t, normalized(x.Float64s(), func(k int) int { return k/(c*h*w)*h*w + k%(h*w) }, length, false),
			one("LpNormalization", 22, attrs("axis", integer(1), "p", integer(int64(p))), x), fmt.Sprint("length ", p))
	}
	near := doubles(8, 0, n, c, h, w)
	want := make([]float64, near.Len())
	for k, v := range near.Float64s() {
		sum := 0.0
		for d := -1; d <= 2; d++ { // of size 4
			if at := channel(k) + d; at >= 0 && at < c {
				u := near.Float64s()[k+d*h*w]
				sum += u * u
			}
		}
		want[k] = v / math.Pow(2+float64(float32(0.3))/4*sum, float64(float32(0.75)))
	}
	exactly(t, want, one("LRN", 13, attrs("size", integer(4), "alpha", float(0.3), "bias", float(2)), near), "LRN")

	for axis := range 3 {
		s := doubles(9, 300, 3, 4, 5)
		stride := []int{20, 5, 1}[axis]
		size := []int{3, 4, 5}[axis]
		sums := map[int]float64{}
		id := func(k int) int { return k - k/stride%size*stride }
		for k, v := range s.Float64s() {
			sums[id(k)] += math.Exp(v - 300)
		}
		soft, logs := make([]float64, s.Len()), make([]float64, s.Len())
		for k, v := range s.Float64s() {
			soft[k] = math.Exp(v-300) / sums[id(k)]
			logs[k] = math.Log(soft[k])
		}
		exactly(t, soft, one("Softmax", 13, attrs("axis", integer(int64(axis))), s), "softmax")
		exactly(t, logs, one("LogSoftmax", 13, attrs("axis", integer(int64(axis))), s), "log softmax")
	}
}

func TestBatchNormOfDoubles(t *testing.T) {
	const n, c, h = 3, 4, 5
	x, scale, bias, mean, variance := doubles(1, 50, n, c, h), doubles(2, 1, c), doubles(3, 0, c), doubles(4, 50, c), doubles(5, 3, c)
	epsilon := float64(float32(1e-5))
	momentum := float64(float32(0.9))
	channel := func(k int) int { return k / h % c }
	want := make([]float64, x.Len())
	for k, v := range x.Float64s() {
		i := channel(k)
		want[k] = (v-mean.Float64s()[i])/math.Sqrt(variance.Float64s()[i]+epsilon)*scale.Float64s()[i] + bias.Float64s()[i]
	}
	exactly(t, want, node{op: "BatchNormalization", version: 15, in: []*ir.Tensor{x, scale, bias, mean, variance}}.run(t)[0], "given statistics")

	out := node{op: "BatchNormalization", version: 15, outs: 3, attrs: attrs("training_mode", integer(1)), in: []*ir.Tensor{x, scale, bias, mean, variance}}.run(t)
	exactly(t, affineOf(normalized(x.Float64s(), channel, deviation(epsilon), true), scale, bias, channel), out[0], "trained")
	for i := range c {
		own, square := 0.0, 0.0
		for k, v := range x.Float64s() {
			if channel(k) == i {
				own += v / (n * h)
			}
		}
		for k, v := range x.Float64s() {
			if channel(k) == i {
				square += (v - own) * (v - own) / (n * h)
			}
		}
		require.InDelta(t, mean.Float64s()[i]*momentum+own*(1-momentum), out[1].Float64s()[i], 1e-11)
		require.InDelta(t, variance.Float64s()[i]*momentum+square*(1-momentum), out[2].Float64s()[i], 1e-11)
	}

	// x of float32 with statistics of float64.
	short := random(6, n, c, h)
	y := node{op: "BatchNormalization", version: 15, in: []*ir.Tensor{short, f32([]int{c}, 1, 2, 3, 4), f32([]int{c}), mean, variance}}.run(t)[0]
	for k, v := range short.Float32s() {
		i := channel(k)
		require.InDelta(t, (float64(v)-mean.Float64s()[i])/math.Sqrt(variance.Float64s()[i]+epsilon)*float64(i+1), y.Float32s()[k], 1e-4)
	}
}

func TestActivationsOfDoubles(t *testing.T) {
	alpha, beta := float64(float32(0.3)), float64(float32(0.7))
	given := attrs("alpha", float(0.3), "beta", float(0.7), "gamma", float(0.7), "bias", float(0.3), "lambd", float(0.7))
	negative := func(v, below float64) float64 {
		if v < 0 {
			return below
		}
		return v
	}
	for op, c := range map[string]struct {
		attrs []string
		f     func(v float64) float64
	}{
		"Softplus":        {nil, func(v float64) float64 { return math.Log(1 + math.Exp(v)) }},
		"Softsign":        {nil, func(v float64) float64 { return v / (1 + math.Abs(v)) }},
		"Mish":            {nil, func(v float64) float64 { return v * math.Tanh(math.Log(1+math.Exp(v))) }},
		"HardSwish":       {nil, func(v float64) float64 { return v * math.Max(0, math.Min(1, v/6+0.5)) }},
		"Gelu":            {nil, func(v float64) float64 { return v / 2 * math.Erfc(-v/math.Sqrt2) }},
		"LeakyRelu":       {[]string{"alpha"}, func(v float64) float64 { return negative(v, alpha*v) }},
		"Elu":             {[]string{"alpha"}, func(v float64) float64 { return negative(v, alpha*(math.Exp(v)-1)) }},
		"Selu":            {[]string{"alpha", "gamma"}, func(v float64) float64 { return beta * negative(v, alpha*(math.Exp(v)-1)) }},
		"Celu":            {[]string{"alpha"}, func(v float64) float64 { return negative(v, alpha*(math.Exp(v/alpha)-1)) }},
		"ThresholdedRelu": {[]string{"alpha"}, func(v float64) float64 { return map[bool]float64{true: v}[v > alpha] }},
		"HardSigmoid":     {[]string{"alpha", "beta"}, func(v float64) float64 { return math.Max(0, math.Min(1, alpha*v+beta)) }},
		"Shrink": {[]string{"bias", "lambd"}, func(v float64) float64 {
			if math.Abs(v) <= beta {
				return 0
			}
			return v - math.Copysign(alpha, v)
		}},
	} {
		a := map[string]*ir.Attr{}
		for _, name := range c.attrs {
			a[name] = given[name]
		}
		x := doubles(uint64(len(op)), 0, 77)
		for i := range x.Float64s() {
			x.Float64s()[i] *= 3
		}
		var want []float64
		for _, v := range x.Float64s() {
			want = append(want, c.f(v))
		}
		exactly(t, want, node{op: op, version: 22, attrs: a, in: []*ir.Tensor{x}}.run(t)[0], op)
	}
	x := doubles(3, 0, 40)
	var want []float64
	for _, v := range x.Float64s() {
		want = append(want, v/2*(1+math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))))
	}
	exactly(t, want, node{op: "Gelu", version: 20, attrs: attrs("approximate", text("tanh")), in: []*ir.Tensor{x}}.run(t)[0], "Gelu by tanh")
	slope := doubles(4, 0, 5)
	x = doubles(5, 0, 3, 5)
	want = nil
	for k, v := range x.Float64s() {
		want = append(want, negative(v, v*slope.Float64s()[k%5]))
	}
	exactly(t, want, node{op: "PRelu", version: 16, in: []*ir.Tensor{x, slope}}.run(t)[0], "PRelu")
	whole := node{op: "PRelu", version: 16, in: []*ir.Tensor{list(-3, 0, 4), list(5, 5, 5)}}.run(t)[0]
	require.Equal(t, []int64{-15, 0, 4}, whole.Int64s())
}

// Products of doubles and of whole numbers, which wrap as two's complement does.
func TestProductsOfOtherTypes(t *testing.T) {
	for _, dims := range [][2][]int{{{3, 4}, {4, 5}}, {{2, 3, 4}, {2, 4, 5}}, {{2, 1, 3, 4}, {5, 4, 2}}, {{4}, {4}}, {{3, 4}, {4}}, {{2, 3, 0}, {0, 2}}} {
		a, b := doubles(1, 0, dims[0]...), doubles(2, 0, dims[1]...)
		y := node{op: "MatMul", in: []*ir.Tensor{a, b}}.run(t)[0]
		short := func(x *ir.Tensor) *ir.Tensor {
			return node{op: "Cast", attrs: attrs("to", integer(int64(ir.Float32))), in: []*ir.Tensor{x}}.run(t)[0]
		}
		z := node{op: "MatMul", in: []*ir.Tensor{short(a), short(b)}}.run(t)[0]
		require.Equal(t, z.Dims, y.Dims)
		for i, v := range z.Float32s() {
			require.InDelta(t, v, y.Float64s()[i], 1e-5)
		}
	}
	a, b, c := doubles(3, 0, 3, 4), doubles(4, 0, 4, 2), doubles(5, 0, 2)
	turned := func(x *ir.Tensor) *ir.Tensor { return node{op: "Transpose", in: []*ir.Tensor{x}}.run(t)[0] }
	for _, alpha := range []float32{1, 0.5, 0} {
		for _, beta := range []float32{1, -2, 0} {
			var want []float64
			for i := range 3 {
				for j := range 2 {
					sum := 0.0
					for k := range 4 {
						sum += a.Float64s()[4*i+k] * b.Float64s()[2*k+j]
					}
					want = append(want, float64(alpha)*sum+float64(beta)*c.Float64s()[j])
				}
			}
			for trans := range 4 {
				in := []*ir.Tensor{a, b, c}
				if trans&1 != 0 {
					in[0] = turned(a)
				}
				if trans&2 != 0 {
					in[1] = turned(b)
				}
				y := node{op: "Gemm", attrs: attrs("alpha", float(alpha), "beta", float(beta), "transA", integer(int64(trans&1)), "transB", integer(int64(trans>>1))), in: in}.run(t)[0]
				exactly(t, want, y, fmt.Sprint(alpha, beta, trans))
			}
		}
	}
	for _, kind := range []ir.DType{ir.Int32, ir.Uint32, ir.Int64, ir.Uint64} {
		x, y := ir.NewTensor(kind, 2, 3), ir.NewTensor(kind, 3, 2)
		fill := func(t *ir.Tensor, v ...int64) {
			for i, n := range v {
				if kind.Size() == 4 {
					slab.View[int32](t.Data)[i] = int32(n)
				} else {
					t.Int64s()[i] = n
				}
			}
		}
		fill(x, 1, -2, 3, 1<<30, 5, 6)
		fill(y, 7, 8, 9, -1, 1<<30, 2)
		z := node{op: "MatMul", in: []*ir.Tensor{x, y}}.run(t)[0]
		require.Equal(t, kind, z.Type)
		want := ir.NewTensor(kind, 2, 2)
		fill(want, 7-18+3<<30, 8+2+6, 7<<30+45+6<<30, 8<<30-5+12)
		require.Equal(t, want.Data, append([]byte{}, z.Data...), kind)
	}
}

func stringsOf(dims []int, v ...string) *ir.Tensor {
	x := ir.NewTensor(ir.String, dims...)
	copy(x.Strings, v)
	return x
}

// runStrings runs a node whose operands are all fed, strings too, twice.
func (n node) runStrings(t *testing.T) []*ir.Tensor {
	s, err := graph.NewSession(n.graph(), graph.Options{Optimize: "none"})
	require.NoError(t, err)
	var dims [][]int
	for _, x := range n.in {
		dims = append(dims, x.Dims)
	}
	r, err := s.Prepare(dims)
	require.NoError(t, err)
	var out []*ir.Tensor
	for range 2 {
		for i, x := range n.in {
			copy(r.In(i).Data, x.Data)
			copy(r.In(i).Strings, x.Strings)
		}
		require.NoError(t, r.Exec())
		out = nil
		for i := range max(n.outs, 1) {
			out = append(out, r.Out(i))
		}
	}
	return out
}

func TestStringsMove(t *testing.T) {
	x := stringsOf([]int{2, 3}, "a", "b", "c", "d", "e", "f")
	one := func(n node) *ir.Tensor { return n.runStrings(t)[0] }
	for what, c := range map[string]struct {
		n    node
		dims []int
		want []string
	}{
		"Identity":  {node{op: "Identity", in: []*ir.Tensor{x}}, []int{2, 3}, x.Strings},
		"Reshape":   {node{op: "Reshape", in: []*ir.Tensor{x, list(3, 2)}}, []int{3, 2}, x.Strings},
		"Unsqueeze": {node{op: "Unsqueeze", in: []*ir.Tensor{x, list(0)}}, []int{1, 2, 3}, x.Strings},
		"Transpose": {node{op: "Transpose", in: []*ir.Tensor{x}}, []int{3, 2}, []string{"a", "d", "b", "e", "c", "f"}},
		"Concat": {node{op: "Concat", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, stringsOf([]int{2, 1}, "x", "")}}, []int{2, 4},
			[]string{"a", "b", "c", "x", "d", "e", "f", ""}},
		"Gather": {node{op: "Gather", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, list(-1, 0)}}, []int{2, 2}, []string{"c", "a", "f", "d"}},
		"Slice":  {node{op: "Slice", in: []*ir.Tensor{x, list(1), list(3), list(1)}}, []int{2, 2}, []string{"b", "c", "e", "f"}},
		"Where": {node{op: "Where", version: 16, in: []*ir.Tensor{bools([]int{3}, 1, 0, 1), x, stringsOf(nil, "no")}}, []int{2, 3},
			[]string{"a", "no", "c", "d", "no", "f"}},
		"Expand": {node{op: "Expand", in: []*ir.Tensor{stringsOf([]int{2, 1}, "p", "q"), list(2, 3)}}, []int{2, 3}, []string{"p", "p", "p", "q", "q", "q"}},
		"Tile":   {node{op: "Tile", in: []*ir.Tensor{stringsOf([]int{2}, "p", "q"), list(2)}}, []int{4}, []string{"p", "q", "p", "q"}},
		"Pad":    {node{op: "Pad", in: []*ir.Tensor{stringsOf([]int{2}, "p", "q"), list(1, 2)}}, []int{5}, []string{"", "p", "q", "", ""}},
		"GatherElements": {node{op: "GatherElements", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, i64([]int{2, 1}, 2, 0)}}, []int{2, 1},
			[]string{"c", "d"}},
		"GatherND": {node{op: "GatherND", in: []*ir.Tensor{x, i64([]int{2, 2}, 0, 1, 1, 2)}}, []int{2}, []string{"b", "f"}},
		"ScatterElements": {node{op: "ScatterElements", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, i64([]int{2, 1}, 2, 0), stringsOf([]int{2, 1}, "x", "y")}},
			[]int{2, 3}, []string{"a", "b", "x", "y", "e", "f"}},
		"OneHot": {node{op: "OneHot", in: []*ir.Tensor{list(1, 0), list(2), stringsOf([]int{2}, "off", "on")}}, []int{2, 2}, []string{"off", "on", "on", "off"}},
	} {
		y := one(c.n)
		require.Equal(t, c.dims, append([]int{}, y.Dims...), what)
		require.Equal(t, ir.String, y.Type, what)
		require.Equal(t, c.want, append([]string{}, y.Strings...), what)
	}
	parts := node{op: "Split", outs: 2, attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, list(1, 2)}}.runStrings(t)
	require.Equal(t, []string{"a", "d"}, append([]string{}, parts[0].Strings...))
	require.Equal(t, []string{"b", "c", "e", "f"}, append([]string{}, parts[1].Strings...))
	same := one(node{op: "Equal", version: 19, in: []*ir.Tensor{x, stringsOf([]int{3}, "a", "e", "")}})
	require.Equal(t, []byte{1, 0, 0, 0, 1, 0}, append([]byte{}, same.Data...))
	_, err := node{op: "ScatterElements", version: 16, attrs: attrs("axis", integer(1), "reduction", text("add")),
		in: []*ir.Tensor{x, i64([]int{2, 1}, 2, 0), stringsOf([]int{2, 1}, "x", "y")}}.try()
	require.ErrorContains(t, err, "type string")
}

// Elements of 4 and of 2 bits move like others.
func TestSmallElementsMove(t *testing.T) {
	for _, kind := range []ir.DType{ir.Int4, ir.Uint4, ir.Int2, ir.Uint2, ir.Float4E2M1} {
		x := ir.NewTensor(kind, 3, 5)
		for i := range x.Len() {
			ir.SetSmall(kind, x.Data, i, int64(i*3+1))
		}
		y := node{op: "Transpose", version: 21, in: []*ir.Tensor{x}}.run(t)[0]
		z := node{op: "Concat", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{x, x}}.run(t)[0]
		bits := int64(1)<<kind.Bits() - 1
		for i := range 3 {
			for j := range 5 {
				want := int64((i*5+j)*3+1) & bits
				require.Equal(t, want, ir.Small(kind, y.Data, j*3+i)&bits, kind)
				require.Equal(t, want, ir.Small(kind, z.Data, 15+i*5+j)&bits, kind)
			}
		}
		same := node{op: "Transpose", version: 21, in: []*ir.Tensor{y}}.run(t)[0]
		require.Equal(t, x.Data, append([]byte{}, same.Data...))
		if kind != ir.Float4E2M1 { // there and back
			wide := node{op: "Cast", version: 25, attrs: attrs("to", integer(int64(ir.Int32))), in: []*ir.Tensor{x}}.run(t)[0]
			back := node{op: "Cast", version: 25, attrs: attrs("to", integer(int64(kind))), in: []*ir.Tensor{wide}}.run(t)[0]
			require.Equal(t, x.Data, append([]byte{}, back.Data...), kind)
			require.Equal(t, x.Ints(), wide.Ints())
		}
		filled := node{op: "ConstantOfShape", version: 25, attrs: attrs("value", tensor(&ir.Tensor{Type: kind, Dims: []int{1}, Data: []byte{2}})), in: []*ir.Tensor{list(5)}}.run(t)[0]
		for i := range 5 {
			require.Equal(t, int64(2), ir.Small(kind, filled.Data, i)&bits)
		}
	}
}

func TestExtremesOfBools(t *testing.T) {
	x := bools([]int{2, 3}, 0, 1, 0, 1, 1, 1)
	most := node{op: "ReduceMax", version: 20, attrs: attrs("keepdims", integer(0)), in: []*ir.Tensor{x, list(1)}}.run(t)[0]
	least := node{op: "ReduceMin", version: 20, attrs: attrs("keepdims", integer(0)), in: []*ir.Tensor{x, list(1)}}.run(t)[0]
	require.Equal(t, []byte{1, 1}, append([]byte{}, most.Data...))
	require.Equal(t, []byte{0, 1}, append([]byte{}, least.Data...))
	require.Equal(t, ir.Bool, most.Type)
}

func TestBitCast(t *testing.T) {
	y := node{op: "BitCast", version: 26, attrs: attrs("to", integer(int64(ir.Int32))), in: []*ir.Tensor{f32([]int{2}, 1, -0.5)}}.run(t)[0]
	require.Equal(t, []int32{0x3f800000, -0x41000000}, y.Int32s())
	_, err := node{op: "BitCast", version: 26, attrs: attrs("to", integer(int64(ir.Int64))), in: []*ir.Tensor{f32([]int{2})}}.try()
	require.ErrorContains(t, err, "of 32 bits, to is int64 of 64 bits")
}
