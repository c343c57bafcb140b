package graph_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
)

// cell is one layer of a recurrent network: h' = tanh(x·w + h·u), y = h'·v.
func cell(batch ir.Dim) *ir.Graph {
	r := testkit.Rand(3)
	g := &ir.Graph{Opsets: map[string]int{"": 17}}
	x := &ir.Value{Name: "x", Type: ir.Float32, Known: true, Dims: []ir.Dim{batch, {Size: 4}}}
	h := &ir.Value{Name: "h", Type: ir.Float32, Known: true, Dims: []ir.Dim{batch, {Size: 8}}}
	hn := &ir.Value{Name: "hn", Type: ir.Float32, Known: true, Dims: []ir.Dim{batch, {Size: 8}}}
	y := &ir.Value{Name: "y", Type: ir.Float32}
	a, b, sum := &ir.Value{Name: "a"}, &ir.Value{Name: "b"}, &ir.Value{Name: "sum"}
	node := func(op string, out *ir.Value, in ...*ir.Value) {
		g.Nodes = append(g.Nodes, &ir.Node{Op: op, Name: out.Name, Version: 17, Inputs: in, Outputs: []*ir.Value{out}})
	}
	node("MatMul", a, x, constant(r, "w", 4, 8))
	node("MatMul", b, h, constant(r, "u", 8, 8))
	node("Add", sum, a, b)
	node("Tanh", hn, sum)
	node("MatMul", y, hn, constant(r, "v", 8, 3))
	g.Inputs, g.Outputs = []*ir.Value{x, h}, []*ir.Value{y, hn}
	return g
}

func constant(r interface{ NormFloat64() float64 }, name string, dims ...int) *ir.Value {
	t := ir.NewTensor(ir.Float32, dims...)
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(r.NormFloat64() / 2)
	}
	return &ir.Value{Name: name, Type: ir.Float32, Const: t}
}

func opened(t testing.TB, g *ir.Graph, o graph.Options) *graph.Session {
	t.Helper()
	s, err := graph.NewSession(g, o)
	require.NoError(t, err)
	t.Cleanup(s.Release)
	return s
}

// step runs a session with these inputs, nil for those that are left out, and returns the
// outputs.
func step(t testing.TB, s *graph.Session, feeds ...*ir.Tensor) []*ir.Tensor {
	t.Helper()
	outs, err := try(s, feeds...)
	require.NoError(t, err)
	return outs
}

func try(s *graph.Session, feeds ...*ir.Tensor) ([]*ir.Tensor, error) {
	dims := make([][]int, len(feeds))
	for i, f := range feeds {
		if f != nil {
			dims[i] = append([]int{}, f.Dims...)
		}
	}
	r, err := s.Prepare(dims)
	if err != nil {
		return nil, err
	}
	for i, f := range feeds {
		if f != nil {
			copy(r.In(i).Data, f.Data)
		}
	}
	if err := r.Exec(); err != nil {
		return nil, err
	}
	var outs []*ir.Tensor
	for i := range s.Outputs() {
		outs = append(outs, r.Out(i).Clone())
	}
	r.Forget()
	return outs, nil
}

func float32s(data []float32, dims ...int) *ir.Tensor {
	t := ir.NewTensor(ir.Float32, dims...)
	copy(t.Float32s(), data)
	return t
}

func int64s(data []int64, dims ...int) *ir.Tensor {
	t := ir.NewTensor(ir.Int64, dims...)
	copy(t.Int64s(), data)
	return t
}

func same(t testing.TB, want, got *ir.Tensor, what ...any) {
	t.Helper()
	require.Equal(t, want.Dims, got.Dims, what...)
	require.True(t, string(want.Data) == string(got.Data), what...)
}

func TestStateIsReplaced(t *testing.T) {
	for _, resident := range []bool{false, true} {
		r := testkit.Rand(5)
		fed := opened(t, cell(ir.Dim{Size: 1}), graph.Options{})
		kept := opened(t, cell(ir.Dim{Size: 1}), graph.Options{AutoStates: true, Resident: resident})
		require.Equal(t, []bool{false, true, false, true}, []bool{kept.Inputs()[0].State, kept.Inputs()[1].State, kept.Outputs()[0].State, kept.Outputs()[1].State})
		h := float32s(make([]float32, 8), 1, 8)
		for i := range 200 {
			if i == 100 { // the first run's state again
				kept.ResetState()
				h = float32s(make([]float32, 8), 1, 8)
			}
			var given *ir.Tensor
			if i%17 == 3 {
				h = float32s(testkit.Normal(r, 8, 0, 1), 1, 8)
				given = h
			}
			x := float32s(testkit.Normal(r, 4, 0, 1), 1, 4)
			want := step(t, fed, x, h)
			got := step(t, kept, x, given)
			same(t, want[0], got[0], i)
			same(t, want[1], got[1], i)
			h = want[1]
		}
	}
}

// The batch of a state that is left out is that of the inputs which name it.
func TestStateStartsWithTheBatch(t *testing.T) {
	s := opened(t, cell(ir.Dim{Size: -1, Symbol: "batch"}), graph.Options{AutoStates: true})
	x := float32s(testkit.Normal(testkit.Rand(1), 12, 0, 1), 3, 4)
	require.Equal(t, []int{3, 8}, step(t, s, x, nil)[1].Dims)
	before := s.StateOf(1).Clone()
	_, err := try(s, float32s(make([]float32, 8), 2, 4), nil)
	require.Error(t, err, "another batch than the state has")
	same(t, before, s.StateOf(1), "an error changed the state")
	s.ResetState()
	require.Equal(t, []int{2, 8}, step(t, s, float32s(make([]float32, 8), 2, 4), nil)[1].Dims)
}

// window is the last axis' concatenation of what was fed so far, [outer..., length], and its mean.
func window(axis int, dims ...ir.Dim) *ir.Graph {
	g := &ir.Graph{Opsets: map[string]int{"": 17}}
	now := append([]ir.Dim(nil), dims...)
	dims[axis] = ir.Dim{Size: -1, Symbol: "past"}
	now[axis] = ir.Dim{Size: -1, Symbol: "new"}
	all := append([]ir.Dim(nil), dims...)
	all[axis] = ir.Dim{Size: -1, Symbol: "total"}
	x := &ir.Value{Name: "x", Type: ir.Float32, Known: true, Dims: now}
	past := &ir.Value{Name: "past", Type: ir.Float32, Known: true, Dims: dims}
	present := &ir.Value{Name: "present", Type: ir.Float32, Known: true, Dims: all}
	mean, shape := &ir.Value{Name: "mean"}, &ir.Value{Name: "shape", Type: ir.Int64}
	g.Nodes = []*ir.Node{
		{Op: "Shape", Name: "shape", Version: 17, Inputs: []*ir.Value{past}, Outputs: []*ir.Value{shape}},
		{Op: "Concat", Name: "concat", Version: 17, Inputs: []*ir.Value{past, x}, Outputs: []*ir.Value{present}, Attrs: map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: int64(axis - len(dims))}}},
		{Op: "ReduceMean", Name: "mean", Version: 17, Inputs: []*ir.Value{present}, Outputs: []*ir.Value{mean}, Attrs: map[string]*ir.Attr{"axes": {Kind: ir.AttrInts, Ints: []int64{int64(axis)}}}},
	}
	g.Inputs, g.Outputs = []*ir.Value{x, past}, []*ir.Value{mean, shape, present}
	if rank := len(dims); rank > 2 && axis == rank-2 { // what can be read with gaps: transposed, and as both operands of products
		turned, one, two := &ir.Value{Name: "turned"}, &ir.Value{Name: "one"}, &ir.Value{Name: "two"}
		perm := make([]int64, rank)
		for i := range perm {
			perm[i] = int64(i)
		}
		perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
		g.Nodes[2] = &ir.Node{Op: "Transpose", Name: "turned", Version: 17, Inputs: []*ir.Value{present}, Outputs: []*ir.Value{turned}, Attrs: map[string]*ir.Attr{"perm": {Kind: ir.AttrInts, Ints: perm}}}
		g.Nodes = append(g.Nodes,
			&ir.Node{Op: "MatMul", Name: "one", Version: 17, Inputs: []*ir.Value{turned, present}, Outputs: []*ir.Value{one}},
			&ir.Node{Op: "MatMul", Name: "two", Version: 17, Inputs: []*ir.Value{present, turned}, Outputs: []*ir.Value{two}})
		g.Outputs = []*ir.Value{one, shape, present, two, turned}
	}
	return g
}

func TestStateGrows(t *testing.T) {
	for _, c := range []struct {
		axis int
		dims []int
	}{{0, []int{0, 5}}, {1, []int{1, 0, 5}}, {2, []int{2, 3, 0, 5}}, {1, []int{4, 0}}, {2, []int{1, 4, 0, 6}}, {1, []int{3, 0, 2}}, {1, []int{2, 0, 2, 2}}} {
		for _, resident := range []bool{false, true} {
			t.Run(fmt.Sprint(c.dims, c.axis, resident), func(t *testing.T) {
				declared := make([]ir.Dim, len(c.dims))
				for i, d := range c.dims {
					declared[i].Size = d
				}
				kept := opened(t, window(c.axis, append([]ir.Dim(nil), declared...)...), graph.Options{AutoStates: true, Resident: resident})
				fed := opened(t, window(c.axis, append([]ir.Dim(nil), declared...)...), graph.Options{})
				r := testkit.Rand(9)
				random := func(n int) *ir.Tensor {
					d := append([]int(nil), c.dims...)
					d[c.axis] = n
					return float32s(testkit.Normal(r, ir.Elements(d), 0, 1), d...)
				}
				past := random(0)
				for i := range 200 {
					n := 1
					if i%50 == 0 {
						n = 40 // a prompt
					}
					if i == 70 {
						n = 0
					}
					var given *ir.Tensor
					switch {
					case i == 80:
						past, given = random(7), past
						given = past
					case i == 120:
						kept.ResetState()
						past = random(0)
					case i == 150: // a run that fails leaves the state
						bad := append([]int(nil), c.dims...)
						bad[c.axis], bad[len(bad)-1-c.axis/(len(bad)-1)] = 1, 9
						_, err := try(kept, float32s(nil, bad...), nil)
						require.Error(t, err)
					}
					x := random(n)
					want, got := step(t, fed, x, past), step(t, kept, x, given)
					for k := range want {
						same(t, want[k], got[k], i, k)
					}
					past = want[2]
				}
				require.Equal(t, len(c.dims) > 2 && c.axis == len(c.dims)-2 && ir.Elements(c.dims[:c.axis]) > 1, kept.StateOf(2).Stride > 0)
			})
		}
	}
}

// A file with pairs that grow, run with its states and fed.
func decoder(t testing.TB) []byte {
	model, err := os.ReadFile(filepath.Join(testkit.DataDir(t, "reports"), "decoder-past.onnx"))
	require.NoError(t, err)
	return model
}

func read(t testing.TB, model []byte, o graph.Options) *graph.Session {
	g, err := onnx.Read(append([]byte(nil), model...)) // which it changes
	require.NoError(t, err)
	return opened(t, g, o)
}

// feeds are those of a decoder for some ids after a past; states are left out.
func feeds(past int, ids ...int64) []*ir.Tensor {
	positions, mask := make([]int64, len(ids)), make([]int64, past+len(ids))
	for i := range positions {
		positions[i] = int64(past + i)
	}
	for i := range mask {
		mask[i] = 1
	}
	return []*ir.Tensor{int64s(ids, 1, len(ids)), int64s(mask, 1, len(mask)), int64s(positions, 1, len(ids)), nil, nil, nil, nil}
}

func TestDecoderKeepsItsPast(t *testing.T) {
	model := decoder(t)
	for _, o := range []string{"all", "none"} {
		kept, fed := read(t, model, graph.Options{AutoStates: true, Optimize: o}), read(t, model, graph.Options{Optimize: o})
		for i, in := range kept.Inputs() {
			require.Equal(t, i >= 3, in.State)
		}
		past := []*ir.Tensor{nil, nil, nil, nil}
		for i := range past {
			past[i] = ir.NewTensor(ir.Float32, 1, 4, 0, 16)
		}
		ids := []int64{3, 1, 4, 1, 5}
		for length := 0; length < 200; {
			in := feeds(length, ids...)
			got := step(t, kept, in...)
			copy(in[3:], past)
			want := step(t, fed, in...)
			for k := range want {
				same(t, want[k], got[k], length, k)
			}
			copy(past, want[1:])
			length += len(ids)
			best, logits := 0, want[0].Float32s()[(len(ids)-1)*100:]
			for i, v := range logits[:100] {
				if v > logits[best] {
					best = i
				}
			}
			ids = []int64{int64(best+length) % 100}
		}
	}
}

// Nothing of the past is copied: no step does, and where the caches are stays while they
// have room.
func TestDecoderCopiesNoPast(t *testing.T) {
	s := read(t, decoder(t), graph.Options{AutoStates: true})
	step(t, s, feeds(0, 1, 2, 3)...)
	moves := 0
	at := slab.Addr(s.StateOf(1).Data)
	for length := 3; length < 300; length++ {
		in := feeds(length, 7)
		dims := make([][]int, len(in))
		for i, f := range in[:3] {
			dims[i] = f.Dims
		}
		r, err := s.Prepare(dims)
		require.NoError(t, err)
		for i, f := range in[:3] {
			copy(r.In(i).Data, f.Data)
		}
		require.NoError(t, r.Exec())
		for _, c := range r.Ops() {
			require.NotEqual(t, "Copy", c.Op)
		}
		st := s.StateOf(1)
		require.Equal(t, []int{1, 4, length + 1, 16}, st.Dims)
		require.Positive(t, st.Stride, "its heads have gaps")
		if to := slab.Addr(st.Data); to != at {
			moves, at = moves+1, to
		}
	}
	require.LessOrEqual(t, moves, 6, "the memory doubles")
}

// A state that some node cannot read with gaps has none.
func TestStateWithoutGaps(t *testing.T) {
	g := window(2, ir.Dim{Size: 1}, ir.Dim{Size: 3}, ir.Dim{}, ir.Dim{Size: 4})
	sum := &ir.Value{Name: "sum"}
	g.Nodes = append(g.Nodes, &ir.Node{Op: "Add", Name: "sum", Version: 17, Inputs: []*ir.Value{g.Outputs[2], g.Outputs[2]}, Outputs: []*ir.Value{sum}})
	g.Outputs = append(g.Outputs, sum)
	s := opened(t, g, graph.Options{AutoStates: true})
	x := float32s([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 1, 3, 1, 4)
	step(t, s, x, nil)
	step(t, s, x, nil)
	require.Zero(t, s.StateOf(2).Stride)
	require.Equal(t, []float32{1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8, 9, 10, 11, 12, 9, 10, 11, 12}, s.StateOf(2).Float32s())
}

// How much is appended may depend on data: then the memory may have to grow in the middle of a run.
func TestStateGrowsByWhatOnlyTheRunKnows(t *testing.T) {
	build := func() *ir.Graph {
		g := window(1, ir.Dim{Size: 2}, ir.Dim{}, ir.Dim{Size: 3})
		count := &ir.Value{Name: "count", Type: ir.Int64, Known: true, Dims: []ir.Dim{{Size: 3}}}
		scaled, zeros := &ir.Value{Name: "scaled"}, &ir.Value{Name: "zeros"}
		value := &ir.Value{Name: "one", Const: float32s([]float32{1}, 1)}
		value.Type = ir.Float32
		g.Nodes = append([]*ir.Node{
			{Op: "Abs", Name: "abs", Version: 17, Inputs: []*ir.Value{count}, Outputs: []*ir.Value{scaled}},
			{Op: "Expand", Name: "expand", Version: 17, Inputs: []*ir.Value{g.Inputs[0], scaled}, Outputs: []*ir.Value{zeros}},
		}, g.Nodes...)
		g.Nodes[3].Inputs[1] = zeros
		g.Inputs = []*ir.Value{g.Inputs[0], g.Inputs[1], count}
		return g
	}
	kept, fed := opened(t, build(), graph.Options{AutoStates: true}), opened(t, build(), graph.Options{})
	past := float32s(nil, 2, 0, 3)
	for i := range 60 {
		x := float32s(testkit.Normal(testkit.Rand(uint64(i)), 6, 0, 1), 2, 1, 3)
		n := int64s([]int64{2, int64(i%5 - 7*(i%2)), 3}, 3)
		var given *ir.Tensor
		if i == 30 {
			past = float32s(testkit.Normal(testkit.Rand(1), 6*9, 0, 1), 2, 9, 3)
			given = past
		}
		want, err := try(fed, x, past, n)
		got, err2 := try(kept, x, given, n)
		require.Equal(t, err == nil, err2 == nil, "%v %v", err, err2)
		if err != nil {
			continue
		}
		for k := range want {
			same(t, want[k], got[k], i, k)
		}
		past = want[2]
	}
}

func TestStateErrors(t *testing.T) {
	for _, c := range []struct {
		states []graph.State
		want   string
	}{
		{[]graph.State{{Input: "g", Output: "hn"}}, `graph: state of input "g" and output "hn": there is no such input`},
		{[]graph.State{{Input: "h", Output: "no"}}, `graph: state of input "h" and output "no": there is no such output`},
		{[]graph.State{{Input: "h", Output: "hn"}, {Input: "h", Output: "y"}}, `graph: state of input "h" and output "y": one of them is given twice`},
		{[]graph.State{{Input: "h", Output: "hn"}, {Input: "x", Output: "hn"}}, `graph: state of input "x" and output "hn": one of them is given twice`},
	} {
		_, err := graph.NewSession(cell(ir.Dim{Size: 1}), graph.Options{States: c.states})
		require.EqualError(t, err, c.want)
	}
	for _, c := range []struct {
		change func(g *ir.Graph)
		want   string
	}{
		{func(g *ir.Graph) { g.Outputs[1].Dims = g.Outputs[1].Dims[:1] }, `they have unlike numbers of dimensions`},
		{func(g *ir.Graph) { g.Outputs[1].Dims[1].Size = 9 }, `their dimensions differ`},
		{func(g *ir.Graph) { g.Inputs[1].Known = false }, `the model does not declare the input's dimensions, so that nothing is known to start from`},
	} {
		g := cell(ir.Dim{Size: 1})
		c.change(g)
		_, err := graph.NewSession(g, graph.Options{States: []graph.State{{Input: "h", Output: "hn"}}})
		require.EqualError(t, err, `graph: state of input "h" and output "hn": `+c.want)
	}
	_, err := graph.NewSession(window(0, ir.Dim{}), graph.Options{States: []graph.State{{Input: "past", Output: "shape"}}})
	require.EqualError(t, err, `graph: state of input "past" and output "shape": their types differ, or are string`)
}

// States are the session's memory, and go with it.
func TestStateMemory(t *testing.T) {
	t.Cleanup(slab.Apart())
	s := opened(t, window(0, ir.Dim{}, ir.Dim{Size: 512}), graph.Options{AutoStates: true})
	x := float32s(make([]float32, 8*100*64), 100, 512)
	step(t, s, x, nil)
	bytes := s.Bytes()
	require.Greater(t, bytes, 4*8*100*64)
	for range 9 {
		step(t, s, x, nil)
	}
	require.Greater(t, s.Bytes(), 4*8*1000*64)
	require.Less(t, s.Bytes(), 4*4*8*1000*64)
	s.Release()
	require.Zero(t, slab.Usage().InUse)
	// Beyond the session's limit there is an error, and the state stays.
	s = opened(t, window(0, ir.Dim{}, ir.Dim{Size: 512}), graph.Options{AutoStates: true, MaxBytes: 4 << 20})
	n := 0
	for ; ; n++ {
		if _, err := try(s, x, nil); err != nil {
			break
		}
	}
	require.Greater(t, n, 3)
	require.Equal(t, []int{100 * n, 512}, s.StateOf(2).Dims)
	s.ResetState()
	step(t, s, x, nil)
}

func TestPaired(t *testing.T) {
	value := func(name string) graph.Info {
		return graph.Info{Name: name, Type: ir.Float32, Known: true, Dims: []ir.Dim{{Size: 1}, {Size: -1, Symbol: "n"}}}
	}
	for _, c := range [][2][]string{
		{{"ids", "past_key_values.0.key", "past_key_values.0.value"}, {"logits", "present.0.key", "present.0.value"}},
		{{"ids", "past_key_values.0.decoder.key"}, {"logits", "present_key_values.0.decoder.key"}},
		{{"ids", "past_0", "past_1"}, {"logits", "present_0", "present_1"}},
		{{"ids", "past_k", "past_v"}, {"logits", "present_k", "present_v"}},
		{{"ids", "past"}, {"logits", "present"}},
		{{"x", "h0", "c0"}, {"y", "hn", "cn"}},
		{{"x", "h_0", "c_0"}, {"y", "h_n", "c_n"}},
		{{"x", "h", "c"}, {"y", "hn", "cn"}},
		{{"x", "hx", "cx"}, {"y", "hy", "cy"}},
		{{"input", "state"}, {"output", "stateN"}},
		{{"audio_in", "hidden_in"}, {"audio_out", "hidden_out"}},
		{{"src", "r1i", "r2i"}, {"fgr", "r1o", "r2o"}},
		{{"mix", "conv_cache"}, {"enh", "conv_cache_out"}},
		{{"x", "cached_key_0"}, {"y", "new_cached_key_0"}},
		{{"x", "prev_state"}, {"y", "next_state"}},
		{{"x", "cache_last_channel"}, {"y", "cache_last_channel_next"}},
		{{"x", "initial_h"}, {"y", "Y_h"}},
		{{"x", "lstm_hidden_input_h_0"}, {"y", "lstm_hidden_output_h_0"}},
		{{"input", "in_cache0"}, {"output", "out_cache0"}},
	} {
		var in, out []graph.Info
		var want []graph.State
		for i, name := range c[0] {
			in = append(in, value(name))
			if i > 0 {
				want = append(want, graph.State{Input: name, Output: c[1][i]})
			}
		}
		for _, name := range c[1] {
			out = append(out, value(name))
		}
		require.Equal(t, want, graph.Paired(in, out))
	}
	for _, c := range [][2]string{{"input", "output"}, {"x", "y"}, {"input_1", "output_1"}, {"image", "image_out"}, {"in", "out"}, {"x_in", "x_out"}, {"a_in", "a_out"}, {"", ""}} {
		require.Empty(t, graph.Paired([]graph.Info{value(c[0])}, []graph.Info{value(c[1])}), c)
	}
	other := value("hn")
	other.Type = ir.Float64
	require.Empty(t, graph.Paired([]graph.Info{value("h")}, []graph.Info{other}))
	other = value("hn")
	other.Dims = other.Dims[:1]
	require.Empty(t, graph.Paired([]graph.Info{value("h")}, []graph.Info{other}))
	other = value("hn")
	other.Dims[0].Size = 2
	require.Empty(t, graph.Paired([]graph.Info{value("h")}, []graph.Info{other}))
}

// Whatever names there are, pairs are of inputs and outputs, each once, and alike.
func FuzzPaired(f *testing.F) {
	f.Add("h0 c_0 past.0.key x", "hn c_n present.0.key y", uint64(0))
	f.Add("state state", "stateN stateN", uint64(5))
	f.Add("past_key_values past_key_values_key_values", "present_key_values present", uint64(1))
	f.Fuzz(func(t *testing.T, in, out string, seed uint64) {
		r := testkit.Rand(seed)
		list := func(names string) (all []graph.Info) {
			for _, name := range splitWords(names) {
				all = append(all, graph.Info{Name: name, Type: ir.DType(1 + 5*r.IntN(2)), Known: r.IntN(8) > 0, Dims: make([]ir.Dim, 1+r.IntN(2))})
			}
			return all
		}
		inputs, outputs := list(in), list(out)
		find := func(all []graph.Info, name string) (v graph.Info, n int) {
			for _, i := range all {
				if i.Name == name {
					v, n = i, n+1
				}
			}
			return v, n
		}
		ins, outs := map[string]int{}, map[string]int{}
		for _, p := range graph.Paired(inputs, outputs) {
			ins[p.Input]++
			outs[p.Output]++
			a, n := find(inputs, p.Input)
			b, m := find(outputs, p.Output)
			require.LessOrEqual(t, ins[p.Input], n)
			require.LessOrEqual(t, outs[p.Output], m)
			if n == 1 && m == 1 {
				require.Equal(t, a.Type, b.Type)
				require.True(t, !b.Known || len(a.Dims) == len(b.Dims))
			}
		}
	})
}

func splitWords(s string) (list []string) {
	word := ""
	for _, c := range s + " " {
		if c == ' ' && len(list) < 12 {
			list, word = append(list, word), ""
			continue
		}
		word += string(c)
	}
	return list
}

// One step of a decoder whose past is state, and is fed.
func BenchmarkState(b *testing.B) {
	model := decoder(b)
	for _, kind := range []string{"fed", "state"} {
		b.Run(kind, func(b *testing.B) {
			s := read(b, model, graph.Options{AutoStates: kind == "state"})
			const most = 128
			past := make([][]byte, 4)
			for i := range past {
				past[i] = slab.New(4 * 4 * most * 16)
			}
			b.ReportAllocs()
			for i := range b.N {
				n := i % most
				if n == 0 {
					s.ResetState()
				}
				dims := [][]int{{1, 1}, {1, n + 1}, {1, 1}, nil, nil, nil, nil}
				fed := make([][]byte, 7)
				if kind == "fed" {
					for k := range past {
						dims[3+k] = []int{1, 4, n, 16}
						fed[3+k] = past[k][:4*4*n*16]
					}
				}
				r, err := s.PrepareFed(dims, fed)
				if err != nil {
					b.Fatal(err)
				}
				r.In(0).Int64s()[0], r.In(2).Int64s()[0] = 1, int64(n)
				for j := range r.In(1).Int64s() {
					r.In(1).Int64s()[j] = 1
				}
				if err := r.Exec(); err != nil {
					b.Fatal(err)
				}
				if kind == "fed" {
					for k := range past {
						copy(past[k], r.Out(1+k).Data)
					}
				}
			}
		})
	}
}
