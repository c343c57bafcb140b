package graph_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

const microsoft = "com.microsoft"

// cube is a list of float64 numbers with three or four dimensions.
type cube struct {
	dims []int
	v    []float64
}

func newCube(dims ...int) cube { return cube{dims, make([]float64, ir.Elements(dims))} }

func (c cube) at(i ...int) *float64 {
	k := 0
	for j, n := range c.dims {
		k = k*n + i[j]
	}
	return &c.v[k]
}

// split reads [batch, rows, heads·depth], or a part of each row, as [batch, heads, rows, depth].
func split(x *ir.Tensor, from, heads, depth int) cube {
	out := newCube(x.Dims[0], heads, x.Dims[1], depth)
	for b := range x.Dims[0] {
		for h := range heads {
			for s := range x.Dims[1] {
				for d := range depth {
					*out.at(b, h, s, d) = float64(x.Float32s()[(b*x.Dims[1]+s)*x.Dims[2]+from+h*depth+d])
				}
			}
		}
	}
	return out
}

func planar(x *ir.Tensor) cube {
	out := newCube(x.Dims...)
	for i, v := range x.Float32s() {
		out.v[i] = float64(v)
	}
	return out
}

// turned is RotaryEmbedding of x, whose row s of batch b is at position at(b, s).
func turned(x cube, cos, sin *ir.Tensor, interleaved bool, at func(b, s int) int) cube {
	out := newCube(x.dims...)
	copy(out.v, x.v)
	n := cos.Dims[len(cos.Dims)-1]
	for b := range x.dims[0] {
		for h := range x.dims[1] {
			for s := range x.dims[2] {
				for i := range n {
					p, q := i, n+i
					if interleaved {
						p, q = 2*i, 2*i+1
					}
					c, w := float64(cos.Float32s()[at(b, s)*n+i]), float64(sin.Float32s()[at(b, s)*n+i])
					*out.at(b, h, s, p) = *x.at(b, h, s, p)*c - *x.at(b, h, s, q)*w
					*out.at(b, h, s, q) = *x.at(b, h, s, p)*w + *x.at(b, h, s, q)*c
				}
			}
		}
	}
	return out
}

// attend is softmax(cap(scale·q·kᵀ) + bias)·v of [batch, heads, …]; bias gives −Inf for what
// is hidden. Heads of k and v serve several of q.
func attend(q, k, v cube, scale, softcap float64, sink func(h int) float64, bias func(b, h, i, j int) float64) cube {
	out := newCube(q.dims[0], q.dims[1], q.dims[2], v.dims[3])
	group := q.dims[1] / k.dims[1]
	for b := range q.dims[0] {
		for h := range q.dims[1] {
			for i := range q.dims[2] {
				p := make([]float64, k.dims[2])
				m := sink(h)
				for j := range p {
					for d := range q.dims[3] {
						p[j] += *q.at(b, h, i, d) * *k.at(b, h/group, j, d) * scale
					}
					if softcap > 0 {
						p[j] = softcap * math.Tanh(p[j]/softcap)
					}
					p[j] += bias(b, h, i, j)
					m = max(m, p[j])
				}
				sum := math.Exp(sink(h) - m)
				if math.IsInf(m, -1) {
					continue
				}
				for j := range p {
					p[j] = math.Exp(p[j] - m)
					sum += p[j]
				}
				for j := range p {
					for d := range v.dims[3] {
						*out.at(b, h, i, d) += p[j] / sum * *v.at(b, h/group, j, d)
					}
				}
			}
		}
	}
	return out
}

func noSink(int) float64 { return math.Inf(-1) }

// joined is [batch, heads, rows, depth] as [batch, rows, heads·depth].
func joined(x cube) []float64 {
	var out []float64
	for b := range x.dims[0] {
		for s := range x.dims[2] {
			for h := range x.dims[1] {
				for d := range x.dims[3] {
					out = append(out, *x.at(b, h, s, d))
				}
			}
		}
	}
	return out
}

func within(t *testing.T, want []float64, got *ir.Tensor, tolerance float64, what ...any) {
	t.Helper()
	require.Len(t, got.Float32s(), len(want), what...)
	for i, w := range want {
		require.InDelta(t, w, float64(got.Float32s()[i]), tolerance, what...)
	}
}

func i32(dims []int, v ...int32) *ir.Tensor {
	x := ir.NewTensor(ir.Int32, dims...)
	copy(x.Int32s(), v)
	return x
}

// tables are cosines and sines of so many positions and pairs.
func tables(positions, pairs int) (cos, sin *ir.Tensor) {
	cos, sin = ir.NewTensor(ir.Float32, positions, pairs), ir.NewTensor(ir.Float32, positions, pairs)
	for p := range positions {
		for i := range pairs {
			angle := float64(p) * math.Pow(100, -float64(i)/float64(pairs))
			cos.Float32s()[p*pairs+i], sin.Float32s()[p*pairs+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
	return cos, sin
}

func TestGroupQueryAttention(t *testing.T) {
	const batch, heads, kvHeads, depth = 2, 4, 2, 8
	cos, sin := tables(40, 3)
	for round := range 24 {
		r := rand.New(rand.NewPCG(uint64(round), 9))
		queries, rows := 1, 20
		lengths := []int{7 + r.IntN(12), 7 + r.IntN(12)}
		if round%3 == 0 { // a prompt, padded on the right
			queries = 9
			lengths = []int{9, 4 + r.IntN(5)}
		}
		rotary, interleaved, packed, fills := r.IntN(2), r.IntN(2), r.IntN(2) == 0, r.IntN(2) == 0
		window, smooth := int64(-1), int64(0)
		softcap := float32(0)
		if r.IntN(2) == 0 {
			window, smooth, softcap = 5, 1, 2
		}
		past := func(seed uint64) *ir.Tensor {
			if fills {
				return random(seed, batch, kvHeads, rows, depth)
			}
			return random(seed, batch, kvHeads, max(lengths[0], lengths[1])-queries, depth)
		}
		total := int32(max(lengths[0], lengths[1]))
		q, k, v := random(1, batch, queries, heads*depth), random(2, batch, queries, kvHeads*depth), random(3, batch, queries, kvHeads*depth)
		n := node{op: "GroupQueryAttention", domain: microsoft, version: 1, outs: 3,
			attrs: attrs("num_heads", integer(heads), "kv_num_heads", integer(kvHeads), "do_rotary", integer(int64(rotary)), "rotary_interleaved", integer(int64(interleaved)),
				"local_window_size", integer(window), "smooth_softmax", integer(smooth), "softcap", float(softcap), "scale", float(0.7))}
		pastK, pastV := past(4), past(5)
		n.in = []*ir.Tensor{q, k, v, pastK, pastV, i32([]int{batch}, int32(lengths[0]-1), int32(lengths[1]-1)), i32(nil, total), cos, sin}
		if queries > 1 && r.IntN(2) == 0 {
			n.in[3], n.in[4] = nil, nil
			fills = false
		}
		if packed {
			all := ir.NewTensor(ir.Float32, batch, queries, (heads+2*kvHeads)*depth)
			for i := range batch * queries {
				row := all.Float32s()[i*(heads+2*kvHeads)*depth:]
				copy(row, q.Float32s()[i*heads*depth:][:heads*depth])
				copy(row[heads*depth:], k.Float32s()[i*kvHeads*depth:][:kvHeads*depth])
				copy(row[(heads+kvHeads)*depth:], v.Float32s()[i*kvHeads*depth:][:kvHeads*depth])
			}
			n.in[0], n.in[1], n.in[2] = all, nil, nil
		}
		got := n.runFed(t)
		size := int(total)
		if fills {
			size = rows
		}
		require.Equal(t, []int{batch, queries, heads * depth}, got[0].Dims)
		require.Equal(t, []int{batch, kvHeads, size, depth}, got[1].Dims)
		qs, ks, vs := split(q, 0, heads, depth), split(k, 0, kvHeads, depth), split(v, 0, kvHeads, depth)
		before := func(b int) int {
			if queries == int(total) {
				return 0
			}
			return lengths[b] - queries
		}
		if rotary == 1 {
			at := func(b, s int) int { return before(b) + s }
			qs, ks = turned(qs, cos, sin, interleaved == 1, at), turned(ks, cos, sin, interleaved == 1, at)
		}
		keys, values := newCube(batch, kvHeads, size, depth), newCube(batch, kvHeads, size, depth)
		for b := range batch {
			for h := range kvHeads {
				for s := range before(b) + queries {
					for d := range depth {
						if s < before(b) {
							*keys.at(b, h, s, d), *values.at(b, h, s, d) = *planar(pastK).at(b, h, s, d), *planar(pastV).at(b, h, s, d)
						} else {
							*keys.at(b, h, s, d), *values.at(b, h, s, d) = *ks.at(b, h, s-before(b), d), *vs.at(b, h, s-before(b), d)
						}
					}
				}
			}
		}
		within(t, keys.v, got[1], 1e-6, round)
		within(t, values.v, got[2], 0, round)
		sink := noSink
		if smooth == 1 {
			sink = func(int) float64 { return 0 }
		}
		want := attend(qs, keys, values, float64(float32(0.7)), float64(softcap), sink, func(b, _, i, j int) float64 {
			last := min(before(b)+i, lengths[b]-1)
			if j > last || window > 0 && j <= last-int(window) {
				return math.Inf(-1)
			}
			return 0
		})
		within(t, joined(want), got[0], 2e-6, round)
	}
}

// runFed is run for operators that need lists which no plan can do without, or whose shapes
// cannot be grown at will.
func (n node) runFed(t *testing.T) []*ir.Tensor {
	t.Helper()
	fed, err := n.try()
	require.NoError(t, err, n.op)
	n.constant = true
	constant, err := n.try()
	require.NoError(t, err, n.op)
	n.constant, n.resident = false, true
	resident, err := n.try()
	require.NoError(t, err, n.op)
	for i := range fed {
		require.Equal(t, fed[i].Data, constant[i].Data, "%s, output %d with constant inputs", n.op, i)
		require.Equal(t, fed[i].Data, resident[i].Data, "%s, output %d in memory from outside", n.op, i)
	}
	return fed
}

// sharedDecoder is a step of GroupQueryAttention whose cache has so many rows, -1 for one that grows.
func sharedDecoder(rows, heads, kvHeads, depth int) *ir.Graph {
	g := &ir.Graph{Opsets: map[string]int{"": 21, microsoft: 1}}
	value := func(name string, t ir.DType, dims ...int) *ir.Value {
		v := &ir.Value{Name: name, Type: t, Known: true}
		for i, d := range dims {
			symbol := ""
			if d < 0 {
				symbol = []string{name + "0", "n", "p"}[min(i, 2)]
			}
			v.Dims = append(v.Dims, ir.Dim{Size: d, Symbol: symbol})
		}
		return v
	}
	cos, sin := tables(64, depth/2)
	q, k, v := value("q", ir.Float32, 1, -1, heads*depth), value("k", ir.Float32, 1, -1, kvHeads*depth), value("v", ir.Float32, 1, -1, kvHeads*depth)
	pk, pv := value("past_key_values.0.key", ir.Float32, 1, kvHeads, rows, depth), value("past_key_values.0.value", ir.Float32, 1, kvHeads, rows, depth)
	lengths, total := value("lengths", ir.Int32, 1), value("total", ir.Int32)
	y, nk, nv := &ir.Value{Name: "y", Type: ir.Float32}, &ir.Value{Name: "present.0.key", Type: ir.Float32}, &ir.Value{Name: "present.0.value", Type: ir.Float32}
	g.Inputs = []*ir.Value{q, k, v, pk, pv, lengths, total}
	g.Outputs = []*ir.Value{y, nk, nv}
	g.Nodes = []*ir.Node{{Name: "attention", Op: "GroupQueryAttention", Domain: microsoft, Version: 1, Outputs: g.Outputs,
		Inputs: []*ir.Value{q, k, v, pk, pv, lengths, total, {Name: "cos", Type: ir.Float32, Const: cos}, {Name: "sin", Type: ir.Float32, Const: sin}},
		Attrs:  attrs("num_heads", integer(int64(heads)), "kv_num_heads", integer(int64(kvHeads)), "do_rotary", integer(1))}}
	return g
}

// A cache that is state gives what one that is fed gives, whether all its rows are there from
// the start or it grows; a step plans nothing if they are, and copies none of them.
func TestGroupQueryAttentionKeepsItsCache(t *testing.T) {
	const heads, kvHeads, depth = 4, 2, 8
	for _, rows := range []int{-1, 48} {
		fed := opened(t, sharedDecoder(rows, heads, kvHeads, depth), graph.Options{})
		kept := opened(t, sharedDecoder(rows, heads, kvHeads, depth), graph.Options{AutoStates: true})
		require.Equal(t, true, kept.Inputs()[3].State && kept.Outputs()[2].State)
		empty := max(rows, 0)
		pk, pv := float32s(make([]float32, kvHeads*empty*depth), 1, kvHeads, empty, depth), float32s(make([]float32, kvHeads*empty*depth), 1, kvHeads, empty, depth)
		position := 0
		var at *byte
		var plan *graph.Run
		for i := range 30 {
			n := 1
			if i == 0 {
				n = 5
			}
			q, k, v := random(uint64(i), 1, n, heads*depth), random(uint64(i+100), 1, n, kvHeads*depth), random(uint64(i+200), 1, n, kvHeads*depth)
			lengths, total := i32([]int{1}, int32(position+n-1)), i32(nil, int32(position+n))
			want := step(t, fed, q, k, v, pk, pv, lengths, total)
			got := step(t, kept, q, k, v, nil, nil, lengths, total)
			for j := range want {
				same(t, want[j], got[j], "step %d, output %d", i, j)
			}
			pk, pv = want[1], want[2]
			position += n
			if rows > 0 {
				state := kept.StateOf(1)
				if i > 0 {
					require.True(t, at == &state.Data[0], "the cache has moved")
				}
				at = &state.Data[0]
				run, err := kept.Prepare([][]int{q.Dims, k.Dims, v.Dims, nil, nil, {1}, {}})
				require.NoError(t, err)
				require.True(t, i < 2 || run == plan, "a step was planned again")
				plan = run
			}
		}
	}
}

// What is planned for a token serves the next one, unless something came between.
func TestGroupQueryAttentionAfterAnything(t *testing.T) {
	const heads, kvHeads, depth, rows = 4, 2, 8, 24
	fed := opened(t, sharedDecoder(rows, heads, kvHeads, depth), graph.Options{})
	kept := opened(t, sharedDecoder(rows, heads, kvHeads, depth), graph.Options{AutoStates: true})
	r := rand.New(rand.NewPCG(3, 1))
	var pk, pv *ir.Tensor
	position := rows
	for i := range 200 {
		n := 1 + r.IntN(6)/5*2
		if position+n > rows {
			kept.ResetState()
			position, n = 0, 1+r.IntN(3)
			pk, pv = float32s(make([]float32, kvHeads*rows*depth), 1, kvHeads, rows, depth), float32s(make([]float32, kvHeads*rows*depth), 1, kvHeads, rows, depth)
		}
		q, k, v := random(uint64(i), 1, n, heads*depth), random(uint64(i+1000), 1, n, kvHeads*depth), random(uint64(i+2000), 1, n, kvHeads*depth)
		lengths, total := i32([]int{1}, int32(position+n-1)), i32(nil, int32(position+n))
		want := step(t, fed, q, k, v, pk, pv, lengths, total)
		var given [2]*ir.Tensor
		if r.IntN(6) == 0 { // the past is told, for this time
			given = [2]*ir.Tensor{pk, pv}
		}
		got := step(t, kept, q, k, v, given[0], given[1], lengths, total)
		for j := range want {
			same(t, want[j], got[j], "step %d, output %d", i, j)
		}
		pk, pv = want[1], want[2]
		position += n
	}
}

// Only 1 asks for what an attribute of attention may ask for, in onnxruntime too.
func TestAttributesThatAreOne(t *testing.T) {
	x, q := random(1, 1, 2, 5, 8), random(2, 1, 5, 16)
	for _, c := range []struct {
		name string
		n    node
	}{
		{"is_causal", node{op: "Attention", version: 24, in: []*ir.Tensor{x, x, x}}},
		{"unidirectional", node{op: "MultiHeadAttention", domain: "com.microsoft", attrs: attrs("num_heads", integer(2)), in: []*ir.Tensor{q, q, q}}},
	} {
		with := func(v int64) []float32 {
			n := c.n
			n.attrs = maps.Clone(n.attrs)
			if n.attrs == nil {
				n.attrs = map[string]*ir.Attr{}
			}
			n.attrs[c.name] = integer(v)
			return n.run(t)[0].Float32s()
		}
		assert.Equal(t, with(0), with(4), c.name)
		assert.NotEqual(t, with(0), with(1), c.name)
	}
}

func TestRotaryEmbedding(t *testing.T) {
	const batch, heads, count, depth = 2, 3, 5, 8
	for _, pairs := range []int{4, 3} {
		cos, sin := tables(12, pairs)
		ids := i64([]int{batch, count}, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3)
		given := func(b, s int) int { return int(ids.Int64s()[b*count+s]) }
		flat, cubic := random(1, batch, count, heads*depth), random(2, batch, heads, count, depth)
		for _, interleaved := range []int64{0, 1} {
			a := attrs("interleaved", integer(interleaved), "num_heads", integer(heads), "rotary_embedding_dim", integer(int64(2*pairs)))
			for _, domain := range []string{"", microsoft} {
				in := func(x, ids *ir.Tensor) []*ir.Tensor {
					if domain == "" {
						return []*ir.Tensor{x, cos, sin, ids}
					}
					return []*ir.Tensor{x, ids, cos, sin}
				}
				n := node{op: "RotaryEmbedding", domain: domain, version: 23, attrs: a, in: in(flat, ids)}
				within(t, joined(turned(split(flat, 0, heads, depth), cos, sin, interleaved == 1, given)), n.runFed(t)[0], 1e-6)
				n.in = in(cubic, ids)
				within(t, turned(planar(cubic), cos, sin, interleaved == 1, given).v, n.runFed(t)[0], 1e-6)
				if domain == microsoft {
					n.in = in(cubic, i64([]int{1}, 4))
					within(t, turned(planar(cubic), cos, sin, interleaved == 1, func(_, s int) int { return 4 + s }).v, n.runFed(t)[0], 1e-6)
				}
				n.in = in(cubic, i64([]int{batch, count}, 3, 1, 4, 12, 5, 9, 2, 6, 5, 3))
				_, err := n.try()
				require.ErrorContains(t, err, "a position is 12, want one in [0, 11]")
			}
		}
	}
}
