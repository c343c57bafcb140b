package text

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/safetensors"
)

// spellAttention replaces the first GroupQueryAttention of a graph by products and a softmax, whose values the
// test can fetch, for so many heads of one sequence of n tokens.
func spellAttention(b *builder, n, heads, size int) {
	g := b.graph
	at := 0
	for g.Nodes[at].Op != "GroupQueryAttention" {
		at++
	}
	old := g.Nodes[at]
	before, after := g.Nodes[:at:at], g.Nodes[at+1:]
	g.Nodes = nil
	ints := func(list ...int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInts, Ints: list} }
	floats := func(name string, list []float32, dims ...int) *ir.Value {
		t := ir.NewTensor(ir.Float32, dims...)
		copy(t.Float32s(), list)
		return constant(name, t)
	}
	var parts [3]*ir.Value
	width := int64(heads * size)
	for i, name := range []string{"q", "k", "v"} {
		x := b.node("Slice", "", 13, name+".rows", nil, old.Inputs[0], integers(name+".from", int64(i)*width), integers(name+".to", int64(i+1)*width), integers(name+".axis", 2))
		x = b.node("Reshape", "", 14, name+".heads", nil, x, integers(name+".shape", 1, int64(n), int64(heads), int64(size)))
		parts[i] = b.node("Transpose", "", 13, name, map[string]*ir.Attr{"perm": ints(0, 2, 1, 3)}, x)
	}
	turned := b.node("Transpose", "", 13, "k.turned", map[string]*ir.Attr{"perm": ints(0, 1, 3, 2)}, parts[1])
	scores := b.node("MatMul", "", 13, "scores", nil, parts[0], turned)
	scores = b.node("Mul", "", 14, "scores.scaled", nil, scores, floats("scale", []float32{float32(1 / math.Sqrt(float64(size)))}))
	mask := make([]float32, n*n)
	for i := range mask {
		if i%n > i/n {
			mask[i] = float32(math.Inf(-1))
		}
	}
	scores = b.node("Add", "", 14, "att", nil, scores, floats("mask", mask, n, n))
	soft := b.node("Softmax", "", 13, "attSm", map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: -1}}, scores)
	y := b.node("MatMul", "", 13, "y.heads", nil, soft, parts[2])
	y = b.node("Transpose", "", 13, "y.rows", map[string]*ir.Attr{"perm": ints(0, 2, 1, 3)}, y)
	b.node("Reshape", "", 14, "y.spelt", nil, y, integers("y.shape", 1, int64(n), width))
	g.Nodes = append(append(before, old), append(g.Nodes, after...)...)
}

// TestIntermediatesAreTheGoldenOnes compares every value of a run by PyTorch with those of the decoder that is built of the same weights:
// as it is written, node by node, and (where they are left) optimized.
func TestIntermediatesAreTheGoldenOnes(t *testing.T) {
	file, err := safetensors.Read(shared(t, "nano-gpt-sort/nano-gpt-sort.safetensors"))
	require.NoError(t, err)
	golden, err := safetensors.Read(shared(t, "nano-gpt-sort/partials.safetensors"))
	require.NoError(t, err)
	const n, heads, size = 11, 3, 16
	// By the name that PyTorch's run gives it: that of the graph.
	names := map[string]string{
		"tok_emb": "tok_emb", "pos_emb": "pos_emb", "x": "x", "ln1": "layer0.norm1", "qkv": "layer0.qkv", "q": "q", "k": "k", "v": "v",
		"att": "att", "attSm": "attSm", "y": "layer0.attention", "yProj": "layer0.attended", "attnResid": "layer0.sum1", "ln2": "layer0.norm2",
		"fc": "layer0.inside", "gelu": "layer0.active", "mlp": "layer0.mlp", "mlpResid": "layer0.sum2", "block0": "layer0.sum2", "block1": "layer1.sum2",
		"block2": "layer2.sum2", "ln_f": "norm", "lm_head": "logits", "probs": "probs",
	}
	for _, optimize := range []string{"none", "all"} {
		for row := range 3 {
			s, err := readSettings([]byte(`{"n_head": 3, "activation_function": "gelu_new"}`))
			require.NoError(t, err)
			d, err := build(file, s, false)
			require.NoError(t, err)
			b := &builder{graph: d.graph}
			spellAttention(b, n, heads, size)
			g := d.graph
			for _, node := range g.Nodes {
				if node.Name == "last" { // all positions, not the last alone
					node.Inputs[1] = integers("first", 0)
				}
			}
			probs := b.node("Softmax", "", 13, "probs", map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: -1}}, g.Outputs[0])
			made := map[string]*ir.Value{"probs": probs}
			for _, node := range g.Nodes {
				for _, v := range node.Outputs {
					made[v.Name] = v
				}
			}
			var fetched []string
			for _, name := range golden.Names {
				if name == "idx" {
					continue
				}
				v := made[names[name]]
				require.NotNil(t, v, name)
				g.Outputs = append(g.Outputs, v)
				fetched = append(fetched, name)
			}
			assert.Len(t, fetched, len(golden.Names)-1)
			engine, err := graph.NewSession(g, graph.Options{Optimize: optimize, States: d.states})
			require.NoError(t, err)
			tokens := make([]int32, n)
			for i, v := range golden.Tensors["idx"].Float32s()[row*n:][:n] {
				tokens[i] = int32(v)
			}
			dims := make([][]int, len(g.Inputs))
			for i, in := range engine.Inputs() {
				switch {
				case in.State:
				case in.Type == ir.Int64:
					dims[i] = []int{1, n}
				case len(in.Dims) == 1:
					dims[i] = []int{1}
				default:
					dims[i] = []int{}
				}
			}
			r, err := engine.Prepare(dims)
			require.NoError(t, err)
			fill := &Generator{}
			for i, in := range engine.Inputs() {
				if !in.State {
					fill.fill(r.In(i), inputs[in.Name], tokens, n)
				}
			}
			require.NoError(t, r.Exec())
			from := len(engine.Outputs()) - len(fetched)
			worst := 0.0
			for i, name := range fetched {
				want := golden.Tensors[name].Float32s()
				if name != "pos_emb" { // which all three have
					want = want[row*len(want)/3:][:len(want)/3]
				}
				got := r.Out(from + i).Float32s()
				require.Len(t, got, len(want), name)
				for j := range want {
					if want[j] == got[j] { // infinite ones too
						continue
					}
					worst = max(worst, math.Abs(float64(want[j]-got[j])))
				}
				require.LessOrEqual(t, worst, 1e-5, "%s, sequence %d, %s", name, row, optimize)
			}
			t.Logf("optimize %s, sequence %d: %d values differ by %.2g at most", optimize, row, len(fetched), worst)
			engine.Release()
		}
	}
}
