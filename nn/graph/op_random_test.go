package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// draws runs a node's session so many times.
func draws(t *testing.T, n node, level string, times int) (runs []*ir.Tensor) {
	t.Helper()
	s, err := graph.NewSession(n.graph(), graph.Options{Optimize: level})
	require.NoError(t, err)
	var dims [][]int
	for i, x := range n.in {
		if x != nil && !(n.constant && i > 0) {
			dims = append(dims, x.Dims)
		}
	}
	for range times {
		r, err := s.Prepare(dims)
		require.NoError(t, err)
		k := 0
		for i, x := range n.in {
			if x != nil && !(n.constant && i > 0) {
				copy(r.In(k).Data, x.Data)
				k++
			}
		}
		require.NoError(t, r.Exec())
		runs = append(runs, r.Out(0).Clone())
	}
	return runs
}

// moments are mean and standard deviation.
func moments(list []float64) (mean, deviation float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	for _, v := range list {
		deviation += (v - mean) * (v - mean) / float64(len(list))
	}
	return mean, math.Sqrt(deviation)
}

// Distribution, type and dimensions; other numbers at each run, the same ones in a session that
// is made anew, optimized or not, and others for another seed or none.
func TestRandom(t *testing.T) {
	const count = 20000
	shape := integers(4, count/4)
	like := random(1, 4, count/4)
	flat := math.Sqrt(1.0 / 12)
	for _, c := range []struct {
		n               node
		mean, deviation float64
	}{
		{node{op: "RandomNormal", attrs: attrs("shape", shape)}, 0, 1},
		{node{op: "RandomNormal", attrs: attrs("shape", shape, "mean", float(3), "scale", float(0.5))}, 3, 0.5},
		{node{op: "RandomUniform", attrs: attrs("shape", shape)}, 0.5, flat},
		{node{op: "RandomUniform", attrs: attrs("shape", shape, "low", float(-1), "high", float(3))}, 1, 4 * flat},
		{node{op: "RandomNormalLike", attrs: attrs("mean", float(-2)), in: []*ir.Tensor{like}}, -2, 1},
		{node{op: "RandomUniformLike", attrs: attrs(), in: []*ir.Tensor{like}}, 0.5, flat},
	} {
		c.n.version = 22
		for _, kind := range []ir.DType{ir.Undefined, ir.Float64} {
			if kind != ir.Undefined {
				c.n.attrs["dtype"] = integer(int64(kind))
			}
			unseeded := draws(t, c.n, "all", 1)[0]
			c.n.attrs["seed"] = float(7)
			runs := draws(t, c.n, "all", 2)
			for _, y := range runs {
				require.Equal(t, []int{4, count / 4}, y.Dims)
				require.Equal(t, max(kind, ir.Float32), y.Type)
				mean, deviation := moments(numbers(y))
				require.InDelta(t, c.mean, mean, 6*c.deviation/math.Sqrt(count), c.n.op)
				require.InDelta(t, c.deviation, deviation, 6*c.deviation/math.Sqrt(count), c.n.op)
			}
			require.NotEqual(t, runs[0].Data, runs[1].Data, c.n.op)
			require.NotEqual(t, runs[0].Data, unseeded.Data)
			again := draws(t, c.n, "none", 2)
			require.Equal(t, runs, again, c.n.op)
			c.n.attrs["seed"] = float(8)
			require.NotEqual(t, runs[0].Data, draws(t, c.n, "none", 1)[0].Data)
			delete(c.n.attrs, "seed")
			require.Equal(t, unseeded, draws(t, c.n, "none", 1)[0])
		}
	}
	// Of a normal distribution 4.55 of 100 are beyond two deviations.
	beyond := 0
	for _, v := range numbers(draws(t, node{op: "RandomNormal", attrs: attrs("shape", shape)}, "all", 1)[0]) {
		if math.Abs(v) > 2 {
			beyond++
		}
	}
	require.InDelta(t, 0.0455*count, float64(beyond), 180)
	for want, n := range map[string]node{
		"there is no shape":               {op: "RandomNormal"},
		"the shape's element 1 is -3":     {op: "RandomUniform", attrs: attrs("shape", integers(2, -3))},
		"dtype that it does not draw":     {op: "RandomUniform", attrs: attrs("shape", integers(2), "dtype", integer(7))},
		"RandomNormalLike: of type int64": {op: "RandomNormalLike", in: []*ir.Tensor{list(1)}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
	_, err := node{op: "RandomNormal", attrs: attrs("shape", integers(1<<20, 1<<20))}.try()
	require.ErrorContains(t, err, "more than the session's limit")
}

func TestBernoulliAndMultinomial(t *testing.T) {
	chances := f32([]int{3}, 0, 0.25, 1)
	wide := node{op: "Expand", in: []*ir.Tensor{chances, list(10000, 3)}}.run(t)[0]
	for _, kind := range []ir.DType{ir.Undefined, ir.Bool, ir.Int64} {
		n := node{op: "Bernoulli", version: 15, attrs: attrs("seed", float(1)), in: []*ir.Tensor{wide}}
		if kind != ir.Undefined {
			n.attrs["dtype"] = integer(int64(kind))
		}
		y := draws(t, n, "all", 1)[0]
		require.Equal(t, max(kind, ir.Float32), y.Type)
		var sums [3]int64
		for i := range y.Len() {
			v := int64(0)
			if kind == ir.Undefined {
				v = int64(y.Float32s()[i])
			} else {
				v = y.Ints()[i:][0]
			}
			sums[i%3] += v
			if i > 3000 && kind != ir.Undefined { // Ints copies all
				break
			}
		}
		if kind == ir.Undefined {
			require.Equal(t, []int64{0, 10000}, []int64{sums[0], sums[2]})
			require.InDelta(t, 2500, sums[1], 250)
		} else {
			require.Zero(t, sums[0])
			require.InDelta(t, 250, sums[1], 80)
		}
	}
	logits := f32([]int{2, 3}, float32(math.Log(1)), float32(math.Log(3)), float32(math.Inf(-1)), 5, 5, 5)
	for _, kind := range []ir.DType{ir.Int32, ir.Int64} {
		y := draws(t, node{op: "Multinomial", version: 7, attrs: attrs("sample_size", integer(4000), "dtype", integer(int64(kind))), in: []*ir.Tensor{logits}}, "all", 1)[0]
		require.Equal(t, []int{2, 4000}, y.Dims)
		require.Equal(t, kind, y.Type)
		var counts [2][3]int
		for i, class := range y.Ints() {
			counts[i/4000][class]++
		}
		require.Zero(t, counts[0][2])
		require.InDelta(t, 1000, counts[0][0], 170)
		for _, n := range counts[1] {
			require.InDelta(t, 4000/3, n, 180)
		}
	}
	for want, n := range map[string]node{
		"the input has dimensions [3], want [batch, classes]": {in: []*ir.Tensor{chances}},
		"sample_size is -1": {in: []*ir.Tensor{logits}, attrs: attrs("sample_size", integer(-1))},
		"row 0 of the input has no class that is likely": {in: []*ir.Tensor{f32([]int{1, 1}, float32(math.Inf(-1)))}},
		"dtype that it does not draw":                    {in: []*ir.Tensor{logits}, attrs: attrs("dtype", integer(1))},
	} {
		n.op = "Multinomial"
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
}

// In training elements are left out, and the others scaled so that the mean stays.
func TestDropoutInTraining(t *testing.T) {
	x := random(1, 100, 100)
	n := node{op: "Dropout", outs: 2, attrs: attrs("seed", integer(3)), in: []*ir.Tensor{x, f32(nil, 0.25), bools(nil, 1)}}
	for _, constant := range []bool{false, true} {
		n.constant = constant
		out, err := n.try()
		require.NoError(t, err)
		kept := 0
		for i, v := range x.Float32s() {
			want := float32(0)
			if out[1].Data[i] != 0 {
				want = v / 0.75
				kept++
			}
			require.InDelta(t, want, out[0].Float32s()[i], 1e-6)
		}
		require.InDelta(t, 7500, kept, 250)
		require.Equal(t, ir.Bool, out[1].Type)
		runs := draws(t, n, "all", 2)
		require.Equal(t, out[0].Data, runs[0].Data)
		require.NotEqual(t, runs[0].Data, runs[1].Data)
	}
	n.in[1] = f32(nil, 1)
	_, err := n.try()
	require.ErrorContains(t, err, "ratio is 1, want one from 0 to below 1")
	n.in[1], n.in[2] = f32(nil, 0.5), bools(nil, 0)
	require.Equal(t, x.Data, n.run(t)[0].Data)
	n.in[1], n.in[2] = f32(nil, 0), bools(nil, 1)
	require.Equal(t, x.Data, n.run(t)[0].Data)
	// Of constants, too: nothing is computed ahead.
	g := node{op: "Dropout", in: []*ir.Tensor{x, f32(nil, 0.5), bools(nil, 1)}}.graph()
	for i, v := range g.Inputs {
		v.Const = []*ir.Tensor{x, f32(nil, 0.5), bools(nil, 1)}[i]
	}
	g.Inputs = nil
	s, err := graph.NewSession(g, graph.Options{})
	require.NoError(t, err)
	var last []byte
	for range 2 {
		r, err := s.Prepare(nil)
		require.NoError(t, err)
		require.NoError(t, r.Exec())
		require.NotEqual(t, last, r.Out(0).Data)
		last = append([]byte{}, r.Out(0).Data...)
	}
}
