package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// normal is (v − mean)/√(variance + epsilon), or v/√(mean square + epsilon), of a row.
func normal(row []float64, epsilon float64, rms bool) []float64 {
	mean, square := 0.0, 0.0
	for _, v := range row {
		mean += v / float64(len(row))
	}
	if rms {
		mean = 0
	}
	for _, v := range row {
		square += (v - mean) * (v - mean) / float64(len(row))
	}
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = (v - mean) / math.Sqrt(square+epsilon)
	}
	return out
}

func TestSkipNormalizations(t *testing.T) {
	const batch, length, n = 2, 5, 70
	x, gamma, beta, bias := random(1, batch, length, n), random(2, n), random(3, n), random(4, n)
	for _, skipDims := range [][]int{{batch, length, n}, {length, n}, {1, length, n}} {
		skip := random(5, skipDims...)
		for _, rms := range []bool{false, true} {
			for _, biased := range []bool{false, true} {
				c := node{op: "SkipLayerNormalization", domain: microsoft, version: 1, outs: 4, attrs: attrs("epsilon", float(0.01)), in: []*ir.Tensor{x, skip, gamma, beta, nil}}
				if rms {
					c.op, c.in = "SkipSimplifiedLayerNormalization", []*ir.Tensor{x, skip, gamma, nil}
				}
				if biased {
					c.in[len(c.in)-1] = bias
				}
				got := c.run(t)
				var y, sums, rstds []float64
				for r := range batch * length {
					row := make([]float64, n)
					for i := range row {
						row[i] = float64(x.Float32s()[r*n+i]) + float64(skip.Float32s()[(r*n+i)%len(skip.Float32s())])
						if biased {
							row[i] += float64(bias.Float32s()[i])
						}
					}
					sums = append(sums, row...)
					normed := normal(row, float64(float32(0.01)), rms)
					for i, v := range normed {
						v *= float64(gamma.Float32s()[i])
						if !rms {
							v += float64(beta.Float32s()[i])
						}
						y = append(y, v)
					}
					rstds = append(rstds, normed[0]/row[0])
				}
				within(t, y, got[0], 1e-5, c.op)
				within(t, sums, got[3], 1e-6, c.op)
				require.Equal(t, []int{batch, length, 1}, got[2].Dims)
				if rms {
					within(t, rstds, got[2], 1e-5, c.op)
				}
				c.outs = 1
				require.Equal(t, got[0].Data, c.run(t)[0].Data)
			}
		}
	}
}

func erf(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }
func soft(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func TestContributedActivations(t *testing.T) {
	x, bias := random(1, 3, 4, 10), random(2, 10)
	swish := func(alpha float64) func(x float64) float64 {
		return func(x float64) float64 { return x / (1 + math.Exp(-alpha*x)) }
	}
	for _, c := range []struct {
		node
		f func(x float64) float64
	}{
		{node{op: "Swish", version: 24, in: []*ir.Tensor{x}}, swish(1)},
		{node{op: "Swish", version: 24, attrs: attrs("alpha", float(-0.5)), in: []*ir.Tensor{x}}, swish(-0.5)},
		{node{op: "QuickGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x}}, swish(1.702)},
		{node{op: "Gelu", domain: microsoft, version: 1, in: []*ir.Tensor{x}}, erf},
		{node{op: "FastGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x, bias}}, soft},
		{node{op: "FastGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x}}, soft},
		{node{op: "BiasGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x, bias}}, erf},
	} {
		var want []float64
		for i, v := range x.Float32s() {
			w := float64(v)
			if len(c.in) > 1 {
				w += float64(bias.Float32s()[i%10])
			}
			want = append(want, c.f(w))
		}
		within(t, want, c.run(t)[0], 1e-6, c.op)
	}
}

func TestBiasSplitGeluAndBiasAdd(t *testing.T) {
	x, bias, skip := random(1, 2, 3, 10), random(2, 10), random(3, 2, 3, 10)
	var halves, sums []float64
	for i, v := range x.Float32s() {
		sums = append(sums, float64(v)+float64(bias.Float32s()[i%10])+float64(skip.Float32s()[i]))
		if i%10 < 5 {
			right := float64(x.Float32s()[i+5]) + float64(bias.Float32s()[i%10+5])
			halves = append(halves, (float64(v)+float64(bias.Float32s()[i%10]))*erf(right))
		}
	}
	within(t, halves, node{op: "BiasSplitGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x, bias}}.run(t)[0], 1e-6)
	within(t, sums, node{op: "BiasAdd", domain: microsoft, version: 1, in: []*ir.Tensor{x, bias, skip}}.run(t)[0], 1e-6)
}

func TestFusedProducts(t *testing.T) {
	a, b, bias := random(1, 3, 4, 5, 6), random(2, 3, 4, 6, 7), random(3, 7)
	y := node{op: "FusedMatMul", domain: microsoft, version: 1, attrs: attrs("alpha", float(0.5)), in: []*ir.Tensor{a, b}}.run(t)[0]
	product := func(i, j, r, c int) (sum float64) {
		for k := range 6 {
			sum += float64(a.Float32s()[((i*4+j)*5+r)*6+k]) * float64(b.Float32s()[((i*4+j)*6+k)*7+c])
		}
		return sum
	}
	var want []float64
	for i := range 3 {
		for j := range 4 {
			for r := range 5 {
				for c := range 7 {
					want = append(want, 0.5*product(i, j, r, c))
				}
			}
		}
	}
	within(t, want, y, 1e-5)
	x, w := random(4, 2, 5, 6), random(5, 6, 7)
	want = nil
	for r := range 10 {
		for c := range 7 {
			sum := float64(bias.Float32s()[c])
			for k := range 6 {
				sum += float64(x.Float32s()[r*6+k]) * float64(w.Float32s()[k*7+c])
			}
			want = append(want, soft(sum))
		}
	}
	within(t, want, node{op: "GemmFastGelu", domain: microsoft, version: 1, in: []*ir.Tensor{x, w, bias}}.run(t)[0], 1e-5)
}

func TestContributedGroupNorm(t *testing.T) {
	const images, plane, channels, groups = 2, 6, 8, 2
	x, gamma, beta, bias := random(1, images, 2, 3, channels), random(2, channels), random(3, channels), random(4, channels)
	for _, skip := range []*ir.Tensor{nil, random(5, images, 2, 3, channels), random(6, images, channels), random(7, images, 1, 1, channels)} {
		c := node{op: "GroupNorm", domain: microsoft, version: 1, attrs: attrs("groups", integer(groups), "activation", integer(1), "epsilon", float(0.01)), in: []*ir.Tensor{x, gamma, beta}}
		if skip != nil {
			c.op, c.outs, c.in = "SkipGroupNorm", 2, append(c.in, skip, bias)
		}
		got := c.run(t)
		sum, want := make([]float64, x.Len()), make([]float64, x.Len())
		for i, v := range x.Float32s() {
			sum[i] = float64(v)
			if skip != nil {
				image, channel := i/(plane*channels), i%channels
				j := i
				if skip.Len() != x.Len() {
					j = image*channels + channel
				}
				sum[i] += float64(skip.Float32s()[j]) + float64(bias.Float32s()[channel])
			}
		}
		for image := range images {
			for g := range groups {
				var row []float64
				var at []int
				for p := range plane {
					for k := range channels / groups {
						i := (image*plane+p)*channels + g*channels/groups + k
						row, at = append(row, sum[i]), append(at, i)
					}
				}
				for k, v := range normal(row, float64(float32(0.01)), false) {
					v = v*float64(gamma.Float32s()[at[k]%channels]) + float64(beta.Float32s()[at[k]%channels])
					want[at[k]] = v / (1 + math.Exp(-v))
				}
			}
		}
		within(t, want, got[0], 1e-5, c.op)
		if skip != nil {
			within(t, sum, got[1], 1e-6)
		}
	}
}

func TestBiasSoftmax(t *testing.T) {
	x := random(1, 2, 3, 4, 5)
	for _, dims := range [][]int{{2, 1, 1, 5}, {1, 1, 4, 5}, {2, 3, 4, 5}} {
		bias := random(2, dims...)
		var want []float64
		for row := range 24 {
			sum := 0.0
			e := make([]float64, 5)
			for i := range e {
				e[i] = math.Exp(float64(x.Float32s()[row*5+i]) + float64(bias.Float32s()[at(bias, []int{row / 12, row / 4 % 3, row % 4, i})]))
				sum += e[i]
			}
			for _, v := range e {
				want = append(want, v/sum)
			}
		}
		within(t, want, node{op: "BiasSoftmax", domain: microsoft, version: 1, attrs: attrs("axis", integer(3)), in: []*ir.Tensor{x, bias}}.run(t)[0], 1e-6)
	}
}

// A cache that TensorScatter writes is state in place, unless something else reads what it was.
func TestTensorScatterKeepsItsCache(t *testing.T) {
	for _, read := range []bool{false, true} {
		value := func(name string, kind ir.DType, dims ...int) *ir.Value {
			v := &ir.Value{Name: name, Type: kind, Known: true}
			for _, d := range dims {
				v.Dims = append(v.Dims, ir.Dim{Size: d})
			}
			return v
		}
		cache, update, at := value("past_key_values.0.key", ir.Float32, 1, 2, 8, 4), value("update", ir.Float32, 1, 2, 1, 4), value("at", ir.Int64, 1)
		next, y := &ir.Value{Name: "present.0.key", Type: ir.Float32}, &ir.Value{Name: "y", Type: ir.Float32}
		from := next
		if read {
			from = cache
		}
		model := func() *ir.Graph {
			return &ir.Graph{Opsets: map[string]int{"": 24}, Inputs: []*ir.Value{cache, update, at}, Outputs: []*ir.Value{next, y}, Nodes: []*ir.Node{
				{Name: "scatter", Op: "TensorScatter", Version: 24, Inputs: []*ir.Value{cache, update, at}, Outputs: []*ir.Value{next}},
				{Name: "sum", Op: "ReduceSum", Version: 24, Inputs: []*ir.Value{from}, Outputs: []*ir.Value{y}},
			}}
		}
		fed, kept := opened(t, model(), graph.Options{}), opened(t, model(), graph.Options{AutoStates: true})
		state := float32s(make([]float32, 64), 1, 2, 8, 4)
		for i := range 8 {
			x, place := random(uint64(i), 1, 2, 1, 4), list(int64(i*3%8))
			want, got := step(t, fed, state, x, place), step(t, kept, nil, x, place)
			same(t, want[0], got[0], i)
			same(t, want[1], got[1], i)
			state = want[0]
		}
	}
}

// Hostile operands are refused with their numbers.
func TestContributedErrors(t *testing.T) {
	x := random(1, 2, 3, 8)
	for _, c := range []struct {
		node
		message string
	}{
		{node{op: "SkipLayerNormalization", domain: microsoft, in: []*ir.Tensor{x, random(2, 2, 2, 8), random(3, 8)}}, "skip has dimensions [2 2 8], want [2 3 8]"},
		{node{op: "SkipSimplifiedLayerNormalization", domain: microsoft, in: []*ir.Tensor{x, x, random(3, 7)}}, "input 2 has dimensions [7], want [8]"},
		{node{op: "GroupQueryAttention", domain: microsoft, outs: 3, attrs: attrs("num_heads", integer(3), "kv_num_heads", integer(2)),
			in: []*ir.Tensor{x, x, x, nil, nil, i32([]int{2}, 2, 2), i32(nil, 3)}}, "num_heads is 3 and kv_num_heads 2"},
		{node{op: "GroupQueryAttention", domain: microsoft, outs: 3, attrs: attrs("num_heads", integer(2), "kv_num_heads", integer(2)),
			in: []*ir.Tensor{x, x, x, random(2, 2, 2, 5, 4), random(2, 2, 2, 5, 4), i32([]int{2}, 4, 9), i32(nil, 5)}}, "seqlens_k[1] is 9 for 3 queries and a cache of 5 rows"},
		{node{op: "GroupQueryAttention", domain: microsoft, outs: 3, attrs: attrs("num_heads", integer(2), "kv_num_heads", integer(2)),
			in: []*ir.Tensor{x, x, x, nil, nil, i32([]int{2}, 2, 2), i32(nil, -1)}}, "total_sequence_length is -1"},
		{node{op: "MultiHeadAttention", domain: microsoft, attrs: attrs("num_heads", integer(3)), in: []*ir.Tensor{x, x, x}}, "query has dimensions [2 3 8]"},
		{node{op: "Attention", version: 24, attrs: attrs("q_num_heads", integer(2), "kv_num_heads", integer(4)), in: []*ir.Tensor{x, x, x}}, "heads of q have 4 elements, those of k 2"},
		{node{op: "Attention", version: 24, in: []*ir.Tensor{x, x, x}}, "q_num_heads is 0"},
		{node{op: "TensorScatter", version: 24, in: []*ir.Tensor{x, random(1, 2, 2, 8), list(0, 2)}}, "write_indices[1] is 2, want one in [0, 1]"},
		{node{op: "EmbedLayerNormalization", domain: microsoft, in: []*ir.Tensor{i32([]int{1, 1}, 3), nil, random(1, 3, 4), random(1, 3, 4), nil, random(1, 4), random(1, 4)}}, "an index is 3, want one in [0, 2]"},
	} {
		if c.version == 0 {
			c.version = 21
		}
		_, err := c.try()
		require.ErrorContains(t, err, c.message, c.op)
	}
}
