package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// trained is training mode by its formula, in float64: y, the running mean and
// variance, and the batch's own.
func trained(in []*ir.Tensor, momentum, epsilon float64) [5][]float64 {
	x := in[0]
	channels, inner := 1, 1
	if len(x.Dims) > 1 {
		channels, inner = x.Dims[1], ir.Elements(x.Dims[2:])
	}
	out := [5][]float64{make([]float64, x.Len())}
	for i := range out[1:] {
		out[1+i] = make([]float64, channels)
	}
	for c := range channels {
		var own []int // the channel's elements
		for k := range x.Len() {
			if k/inner%channels == c {
				own = append(own, k)
			}
		}
		mean, variance := 0.0, 0.0
		for _, k := range own {
			mean += float64(x.Float32s()[k]) / float64(len(own))
		}
		for _, k := range own {
			d := float64(x.Float32s()[k]) - mean
			variance += d * d / float64(len(own))
		}
		at := func(i int) float64 { return float64(in[i].Float32s()[c]) }
		for _, k := range own {
			out[0][k] = (float64(x.Float32s()[k])-mean)/math.Sqrt(variance+epsilon)*at(1) + at(2)
		}
		out[1][c] = at(3)*momentum + mean*(1-momentum)
		out[2][c] = at(4)*momentum + variance*(1-momentum)
		out[3][c], out[4][c] = mean, variance
	}
	return out
}

func TestBatchNormTrains(t *testing.T) {
	far := random(1, 2, 3, 5)
	for i := range far.Float32s() {
		far.Float32s()[i] += 4000
	}
	for name, x := range map[string]*ir.Tensor{
		"image": random(1, 2, 3, 5, 5), "volume": random(2, 2, 3, 2, 3, 2), "rows": random(3, 7, 3), "one dimension": random(4, 9),
		"far from zero": far, "one value a channel": random(5, 1, 3),
	} {
		channels := 1
		if len(x.Dims) > 1 {
			channels = x.Dims[1]
		}
		// The running variance may be any number: only the batch's is divided by.
		in := []*ir.Tensor{x, random(6, channels), random(7, channels), random(8, channels), random(9, channels)}
		for _, version := range []int{7, 8, 9, 13, 14, 15, 23} {
			if len(x.Dims) == 1 && version < 9 {
				continue
			}
			a, outs := attrs("epsilon", float(1e-3), "momentum", float(0.25)), 5
			if version >= 14 {
				a["training_mode"], outs = integer(1), 3
			}
			for _, momentum := range []float64{0.25, 0.9} {
				if momentum == 0.9 { // the default
					delete(a, "momentum")
				}
				want := trained(in, momentum, float64(float32(1e-3)))
				got := node{op: "BatchNormalization", version: version, attrs: a, in: in, outs: outs}.run(t)
				require.Equal(t, x.Dims, got[0].Dims)
				for i, y := range got {
					if i > 0 {
						require.Equal(t, []int{channels}, y.Dims)
					}
					near(t, want[i], y, 1e-5, fmt.Sprint(name, ", opset ", version, ", output ", i))
				}
			}
		}
	}
}

// Any of the statistics may be left out, and only y is needed.
func TestBatchNormTrainsForFewerOutputs(t *testing.T) {
	in := []*ir.Tensor{random(1, 2, 3, 5, 5), random(2, 3), random(3, 3), random(4, 3), random(5, 3)}
	want := trained(in, 0.9, 1e-5)
	for _, version := range []int{13, 15} {
		n := node{op: "BatchNormalization", version: version, in: in, outs: 5}
		if version == 15 {
			n.attrs, n.outs = attrs("training_mode", integer(1)), 3
		}
		for set := range 1 << (n.outs - 1) {
			if version == 13 && set == 0 {
				continue // inference
			}
			g := n.graph()
			call, kept := g.Nodes[0], []int{0}
			g.Outputs = g.Outputs[:1]
			for i := 1; i < n.outs; i++ {
				if set>>(i-1)&1 == 0 {
					call.Outputs[i] = nil
				} else {
					g.Outputs, kept = append(g.Outputs, call.Outputs[i]), append(kept, i)
				}
			}
			s, err := graph.NewSession(g, graph.Options{})
			require.NoError(t, err)
			r, err := s.Prepare([][]int{in[0].Dims, {3}, {3}, {3}, {3}})
			require.NoError(t, err)
			for i, x := range in {
				copy(r.In(i).Data, x.Data)
			}
			for range 3 { // each run starts from the mean and variance that come in
				require.NoError(t, r.Exec())
				for i, output := range kept {
					near(t, want[output], r.Out(i), 1e-5, fmt.Sprint("opset ", version, ", output ", output, " of ", kept))
				}
				for i, x := range in {
					require.Equal(t, x.Data, append([]byte{}, r.In(i).Data...), "input %d was overwritten", i)
				}
			}
		}
	}
}

// In the memory of an input that ends there, and folded when all is constant.
func TestBatchNormTrainsInPlaceAndFolded(t *testing.T) {
	in := []*ir.Tensor{random(1, 2, 3, 5, 5), random(2, 3), random(3, 3), random(4, 3), random(5, 3)}
	n := node{op: "BatchNormalization", version: 15, attrs: attrs("training_mode", integer(1)), in: in, outs: 3}
	want := n.run(t)
	for _, constant := range []bool{false, true} {
		g := n.graph()
		norm := g.Nodes[0]
		doubled, y := &ir.Value{Name: "doubled"}, &ir.Value{Name: "result"}
		one := &ir.Value{Name: "one", Const: f32([]int{1}, 1)}
		g.Nodes = []*ir.Node{{Op: "Mul", Version: 15, Inputs: []*ir.Value{norm.Inputs[0], one}, Outputs: []*ir.Value{doubled}},
			norm, {Op: "Neg", Version: 15, Inputs: norm.Outputs[:1:1], Outputs: []*ir.Value{y}}}
		norm.Inputs[0], g.Outputs[0] = doubled, y
		level := "none"
		if constant {
			for i, v := range g.Inputs {
				v.Const = in[i]
			}
			g.Inputs, level = nil, "all"
		}
		s, err := graph.NewSession(g, graph.Options{Optimize: level})
		require.NoError(t, err)
		if constant {
			require.Empty(t, s.Ops())
		}
		var dims [][]int
		for range s.Inputs() {
			dims = append(dims, in[len(dims)].Dims)
		}
		r, err := s.Prepare(dims)
		require.NoError(t, err)
		for i := range dims {
			copy(r.In(i).Data, in[i].Data)
		}
		require.NoError(t, r.Exec())
		for i, v := range want[0].Float32s() {
			require.Equal(t, -v, r.Out(0).Float32s()[i])
		}
		require.Equal(t, want[1].Data, r.Out(1).Data)
		require.Equal(t, want[2].Data, r.Out(2).Data)
	}
}

func TestBatchNormTrainingRefused(t *testing.T) {
	x, c := random(1, 2, 3, 4), f32([]int{3}, 1, 1, 1)
	in := []*ir.Tensor{x, c, c, c, c}
	training := attrs("training_mode", integer(1))
	for text, n := range map[string]node{
		"training_mode=1 (opset 9)":                                    {version: 9, attrs: training},
		"with saved statistics as outputs":                             {version: 14, attrs: training, outs: 4},
		"with running statistics as outputs, but not in training mode": {version: 15, outs: 2},
		"spatial=0":                            {version: 8, attrs: attrs("spatial", integer(0)), outs: 5},
		"momentum is 1.5":                      {version: 9, attrs: attrs("momentum", float(1.5)), outs: 5},
		"momentum is NaN":                      {version: 9, attrs: attrs("momentum", float(float32(math.NaN()))), outs: 5},
		"epsilon is -1":                        {version: 9, attrs: attrs("epsilon", float(-1)), outs: 5},
		"output 5 does not":                    {version: 9, outs: 6},
		"x has dimensions [24]":                {version: 8, outs: 5, in: []*ir.Tensor{random(1, 24), c, c, c, c}},
		"input 3 has dimensions [2], want [3]": {version: 9, outs: 5, in: []*ir.Tensor{x, c, c, random(1, 2), c}},
	} {
		n.op = "BatchNormalization"
		if n.in == nil {
			n.in = in
		}
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}
