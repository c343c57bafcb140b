package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
)

// Steps give the same bits on any number of threads, with rows that float32 does not carry among
// those of a normalization, and queries that a mask shows next to nothing.
func TestThreads(t *testing.T) {
	defer threads.Test(1)
	r := rand.New(rand.NewPCG(5, 6))
	of := func(dims ...int) *ir.Tensor {
		x := ir.NewTensor(ir.Float32, dims...)
		for i := range x.Float32s() {
			x.Float32s()[i] = float32(r.NormFloat64())
		}
		return x
	}
	hard := func(rows, cols int) *ir.Tensor {
		x := of(rows, cols)
		for row := range rows {
			if r.IntN(4) == 0 {
				for i := range cols {
					x.Float32s()[row*cols+i] *= 1e30
				}
			}
		}
		return x
	}
	bytes := func(dims ...int) *ir.Tensor {
		x := ir.NewTensor(ir.Int8, dims...)
		for i := range x.Data {
			x.Data[i] = byte(r.Uint32())
		}
		return x
	}
	for range 6 {
		rows, cols, n := 1+r.IntN(40), 1+r.IntN(300), 1+r.IntN(60)
		heads, queries, depth := 1+r.IntN(5), 4+r.IntN(60), 4*(1+r.IntN(5))
		size := attrs("num_heads", integer(int64(heads)))
		causal := of(queries, queries)
		for i := range causal.Float32s() {
			causal.Float32s()[i] = 0
			if i%queries > i/queries {
				causal.Float32s()[i] = -1e31
			}
		}
		if first := causal.Float32s(); queries > 8 {
			first[0] = -1e31 // the first query sees none of the keys before its panel's end
		}
		halves := of(rows, 2*cols)
		list := []node{
			{op: "LayerNormalization", version: 17, in: []*ir.Tensor{hard(rows, cols), of(cols), of(cols)}, outs: 3},
			{op: "RMSNormalization", version: 23, in: []*ir.Tensor{hard(rows, cols), of(cols)}},
			{op: "SkipLayerNormalization", domain: microsoft, in: []*ir.Tensor{hard(rows, cols), of(rows, cols), of(cols), of(cols)}},
			{op: "SkipLayerNormalization", domain: microsoft, in: []*ir.Tensor{of(3, rows, cols), of(rows, cols), of(cols), of(cols), of(cols)}, outs: 4},
			{op: "DynamicQuantizeMatMul", domain: microsoft, in: []*ir.Tensor{of(4*rows, cols), bytes(cols, n), of(n), nil, of(n)}},
			{op: "InstanceNormalization", in: []*ir.Tensor{of(1, rows, cols), of(rows), of(rows)}},
			{op: "Softmax", in: []*ir.Tensor{of(rows, cols)}},
			{op: "Add", in: []*ir.Tensor{of(rows, cols), of(cols)}},
			{op: "Mul", in: []*ir.Tensor{of(rows, cols), of(rows, 1)}},
			{op: "Sigmoid", in: []*ir.Tensor{of(rows, 30*cols)}},
			{op: "Clip", in: []*ir.Tensor{of(rows, 30*cols)}},
			{op: "LeakyRelu", in: []*ir.Tensor{of(rows, 30*cols)}},
			{op: "BiasGelu", domain: microsoft, in: []*ir.Tensor{of(rows, cols), of(cols)}},
			{op: "Glu", domain: ir.Internal, in: []*ir.Tensor{halves}},
			{op: "Transpose", attrs: attrs("perm", integers(0, 2, 1)), in: []*ir.Tensor{of(2, rows, cols)}},
			{op: "MatMul", in: []*ir.Tensor{of(heads, rows, cols), of(heads, cols, n)}},
			{op: "MatMul", in: []*ir.Tensor{of(rows, cols), of(cols, n)}},
			{op: "Gemm", in: []*ir.Tensor{of(rows, cols), of(cols, n), of(n)}},
			{op: "Attention", version: 23, in: []*ir.Tensor{of(2, heads, queries, depth), of(2, heads, queries+3, depth), of(2, heads, queries+3, depth)}},
			{op: "Attention", version: 23, in: []*ir.Tensor{of(1, heads, queries, depth), of(1, heads, queries, depth), of(1, heads, queries, depth), causal}},
			{op: "Attention", version: 23, attrs: attrs("is_causal", integer(1)), in: []*ir.Tensor{of(1, heads, queries, depth), of(1, heads, queries, depth), of(1, heads, queries, depth)}},
			{op: "MultiHeadAttention", domain: microsoft, attrs: size, in: []*ir.Tensor{of(1, queries, heads*depth), of(1, queries, heads*depth), of(1, queries, heads*depth)}},
		}
		for _, n := range list {
			var want []*ir.Tensor
			for count := 1; count <= 4; count++ {
				threads.Test(count)
				got := n.run(t)
				if count == 1 {
					want = got
				}
				for i := range want {
					require.Equal(t, want[i].Data, got[i].Data, fmt.Sprint(n.op, ", ", count, " threads, output ", i))
				}
			}
		}
	}
}
