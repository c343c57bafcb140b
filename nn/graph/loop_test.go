package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// net builds graphs of ONNX operators.
type net struct{ g *ir.Graph }

func newNet() *net { return &net{&ir.Graph{Opsets: map[string]int{"": 21}}} }

func (n *net) input(name string, t ir.DType, dims ...int) *ir.Value {
	v := &ir.Value{Name: name, Type: t, Known: true}
	for _, d := range dims {
		v.Dims = append(v.Dims, ir.Dim{Size: d})
	}
	n.g.Inputs = append(n.g.Inputs, v)
	return v
}

// loose is an input of which only the type is declared.
func (n *net) loose(name string, form ir.Form, t ir.DType) *ir.Value {
	v := &ir.Value{Name: name, Form: form, Type: t}
	n.g.Inputs = append(n.g.Inputs, v)
	return v
}

func (n *net) call(outs int, op string, attrs map[string]*ir.Attr, in ...*ir.Value) []*ir.Value {
	node := &ir.Node{Name: fmt.Sprint(op, len(n.g.Nodes)), Op: op, Version: 21, Inputs: in, Attrs: attrs}
	for i := range outs {
		node.Outputs = append(node.Outputs, &ir.Value{Name: fmt.Sprint(node.Name, "_", i)})
	}
	n.g.Nodes = append(n.g.Nodes, node)
	return node.Outputs
}

func (n *net) op(op string, in ...*ir.Value) *ir.Value { return n.call(1, op, nil, in...)[0] }

func (n *net) out(v ...*ir.Value) *ir.Graph {
	n.g.Outputs = v
	return n.g
}

func attrInt(i int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInt, I: i} }

func longs(v ...int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInts, Ints: v} }

func bodyOf(g *ir.Graph) map[string]*ir.Attr {
	return map[string]*ir.Attr{"body": {Kind: ir.AttrGraph, G: g}}
}

func fixedTo(t *ir.Tensor) *ir.Value { return &ir.Value{Name: "c", Type: t.Type, Const: t} }

func longsOf(dims []int, v ...int64) *ir.Tensor {
	t := ir.NewTensor(ir.Int64, dims...)
	copy(t.Int64s(), v)
	return t
}

func flag(b bool) *ir.Tensor {
	t := ir.NewTensor(ir.Bool)
	if b {
		t.Data[0] = 1
	}
	return t
}

func floatsOf(dims []int, v ...float32) *ir.Tensor {
	t := ir.NewTensor(ir.Float32, dims...)
	copy(t.Float32s(), v)
	return t
}

// loopBody begins the body of a Loop.
func loopBody() (n *net, trip, goes *ir.Value) {
	n = newNet()
	return n, n.input("trip", ir.Int64), n.input("goes", ir.Bool)
}

// feed runs a session whose inputs are tensors.
func feed(s *graph.Session, in ...*ir.Tensor) ([]*ir.Tensor, error) {
	var dims [][]int
	for _, x := range in {
		dims = append(dims, append([]int{}, x.Dims...))
	}
	r, err := s.Prepare(dims)
	if err != nil {
		return nil, err
	}
	for i, x := range in {
		copy(r.In(i).Data, x.Data)
	}
	if err := r.Exec(); err != nil {
		return nil, err
	}
	var outs []*ir.Tensor
	for i := range s.Outputs() {
		outs = append(outs, r.Out(i).Clone())
	}
	return outs, nil
}

func started(t *testing.T, g *ir.Graph, o graph.Options) *graph.Session {
	t.Helper()
	s, err := graph.NewSession(g, o)
	require.NoError(t, err)
	t.Cleanup(s.Release)
	return s
}

// decays is a loop of so many trips, while goes: x ← x·w + trip, with w of the graph around
// it; x before each trip is collected.
func decays(dims ...int) *ir.Graph {
	n := newNet()
	m, goes := n.input("m", ir.Int64), n.input("goes", ir.Bool)
	x := n.input("x", ir.Float32, dims...)
	w := n.op("Neg", n.input("w", ir.Float32))
	b, trip, cond := loopBody()
	was := b.input("was", ir.Float32, dims...)
	next := b.op("Add", b.op("Mul", was, w), b.call(1, "Cast", map[string]*ir.Attr{"to": attrInt(int64(ir.Float32))}, trip)[0])
	outs := n.call(2, "Loop", bodyOf(b.out(b.op("Identity", cond), next, b.op("Identity", was))), m, goes, x)
	return n.out(n.op("Relu", outs[0]), outs[1])
}

func TestLoop(t *testing.T) {
	for _, level := range []string{"none", "all"} {
		for _, resident := range []bool{false, true} {
			s := started(t, decays(-1, 2), graph.Options{Optimize: level, Resident: resident})
			for _, c := range []struct {
				trips, rows int
				goes        bool
			}{{3, 1, true}, {3, 1, true}, {0, 1, true}, {5, 4, true}, {5, 4, false}, {1, 0, true}, {40, 2, true}, {2, 3, true}, {-3, 3, true}} {
				x, w := make([]float32, 2*c.rows), float32(-0.75)
				for i := range x {
					x[i] = float32(i) + 0.5
				}
				count := int64(c.trips)
				got, err := feed(s, longsOf(nil, count), flag(c.goes), floatsOf([]int{c.rows, 2}, x...), floatsOf(nil, w))
				require.NoError(t, err)
				trips := max(c.trips, 0)
				if !c.goes {
					trips = 0
				}
				var all []float32
				for k := range trips {
					all = append(all, x...)
					for i := range x {
						x[i] = float32(x[i]*-w) + float32(k)
					}
				}
				assert.Equal(t, []int{trips, c.rows, 2}, got[1].Dims)
				assert.Equal(t, append([]float32{}, all...), append([]float32{}, got[1].Float32s()...))
				assert.Equal(t, []int{c.rows, 2}, got[0].Dims)
				assert.Equal(t, append([]float32{}, x...), append([]float32{}, got[0].Float32s()...))
			}
		}
	}
}

// What a loop of fixed shapes needs is there after the first run.
func TestLoopsAllocateNothing(t *testing.T) {
	s := started(t, decays(3, 2), graph.Options{})
	r, err := s.Prepare([][]int{{}, {}, {3, 2}, {}})
	require.NoError(t, err)
	run := func() {
		r.In(0).Int64s()[0] = 50
		r.In(1).Data[0] = 1
		r.In(3).Float32s()[0] = 1
		if r.Exec() != nil {
			panic("failed")
		}
	}
	run()
	held := s.Bytes()
	assert.Zero(t, testing.AllocsPerRun(20, run))
	assert.Equal(t, held, s.Bytes())
}

// A loop ends by a condition that its body computes; what it carries changes places.
func TestWhile(t *testing.T) {
	n := newNet()
	a, b := n.input("a", ir.Int64, 1), n.input("b", ir.Int64, 1)
	limit := n.input("limit", ir.Int64, 1)
	body, _, _ := loopBody()
	x, y := body.input("x", ir.Int64, 1), body.input("y", ir.Int64, 1)
	sum := body.op("Add", x, y)
	outs := n.call(3, "Loop", bodyOf(body.out(body.op("Squeeze", body.op("Less", sum, limit)), y, sum, x)), nil, nil, a, b)
	s := started(t, n.out(outs...), graph.Options{})
	for _, most := range []int64{100, 20, 5000, 0} {
		got, err := feed(s, longsOf([]int{1}, 1), longsOf([]int{1}, 1), longsOf([]int{1}, most))
		require.NoError(t, err)
		p, q, all := int64(1), int64(1), []int64(nil)
		for {
			all = append(all, p)
			p, q = q, p+q
			if q >= most {
				break
			}
		}
		assert.Equal(t, []int64{p}, got[0].Int64s())
		assert.Equal(t, []int64{q}, got[1].Int64s())
		assert.Equal(t, all, got[2].Int64s())
	}
}

// What is carried may grow; with declared dimensions it grows in its place.
func TestLoopGrows(t *testing.T) {
	for _, dims := range [][]int{{1, -1}, {2, -1}, nil} {
		rows := 2
		if dims != nil {
			rows = dims[0]
		}
		n := newNet()
		m, x := n.input("m", ir.Int64), n.input("x", ir.Float32, rows, -1)
		b, _, goes := loopBody()
		var was *ir.Value
		if dims == nil {
			was = b.loose("was", ir.OneTensor, ir.Float32)
		} else {
			was = b.input("was", ir.Float32, dims...)
		}
		next := b.call(1, "Concat", map[string]*ir.Attr{"axis": attrInt(1)}, was, b.op("Neg", x))[0]
		size := b.op("Shape", next)
		out := n.call(2, "Loop", bodyOf(b.out(goes, next, size)), m, nil, x)
		s := started(t, n.out(out...), graph.Options{})
		for _, trips := range []int64{2, 7, 0, 30} {
			in := ir.NewTensor(ir.Float32, rows, 2)
			for i := range in.Float32s() {
				in.Float32s()[i] = float32(i + 1)
			}
			got, err := feed(s, longsOf(nil, trips), in)
			require.NoError(t, err)
			require.Equal(t, []int{rows, 2 + 2*int(trips)}, got[0].Dims)
			for r := range rows {
				for c, v := range got[0].Float32s()[r*got[0].Dims[1]:][:got[0].Dims[1]] {
					want := float32(r*2 + c%2 + 1)
					if c >= 2 {
						want = -want
					}
					require.Equal(t, want, v)
				}
			}
			require.Equal(t, []int{int(trips), 2}, got[1].Dims)
			for k := range int(trips) {
				require.Equal(t, int64(4+2*k), got[1].Int64s()[2*k+1])
			}
		}
	}
}

// Loops in loops, with an If in them, all of which use what is around them; the shapes in the
// inner one depend on the trip.
func TestNestedLoops(t *testing.T) {
	n := newNet()
	m, x := n.input("m", ir.Int64), n.input("x", ir.Float32, -1)
	one := fixedTo(longsOf([]int{1}, 1))
	outer, i, goes := loopBody()
	sum := outer.input("sum", ir.Float32, 1)
	inner, j, innerGoes := loopBody()
	part := inner.input("part", ir.Float32, 1)
	yes, no := newNet(), newNet()
	from := inner.op("Unsqueeze", j, fixedTo(longsOf([]int{1}, 0)))
	cut := inner.op("Slice", x, from, inner.op("Add", from, inner.op("Add", one, inner.op("Unsqueeze", i, fixedTo(longsOf([]int{1}, 0))))))
	total := inner.call(1, "ReduceSum", map[string]*ir.Attr{"keepdims": attrInt(1)}, cut)[0]
	then := yes.out(yes.op("Add", part, total))
	otherwise := no.out(no.op("Sub", part, total))
	picked := inner.call(1, "If", map[string]*ir.Attr{"then_branch": {Kind: ir.AttrGraph, G: then}, "else_branch": {Kind: ir.AttrGraph, G: otherwise}},
		inner.op("Equal", i, j))[0]
	sums := outer.call(1, "Loop", bodyOf(inner.out(innerGoes, picked)), m, nil, sum)[0]
	sums.Type = ir.Float32
	out := n.call(2, "Loop", bodyOf(outer.out(goes, sums, sums)), m, nil, fixedTo(floatsOf([]int{1}, 0)))
	s := started(t, n.out(out...), graph.Options{})
	for _, count := range []int{3, 5, 0, 4} {
		x := floatsOf([]int{6}, 1, 2, 4, 8, 16, 32)
		got, err := feed(s, longsOf(nil, int64(count)), x)
		require.NoError(t, err)
		sum, all := float32(0), []float32{}
		for i := range count {
			for j := range count {
				total := float32(0)
				for k := j; k < min(j+1+i, 6); k++ {
					total += x.Float32s()[k]
				}
				if i != j {
					total = -total
				}
				sum += total
			}
			all = append(all, sum)
		}
		assert.Equal(t, []float32{sum}, got[0].Float32s())
		assert.Equal(t, all, append([]float32{}, got[1].Float32s()...))
	}
}

// A loop without end, and one that collects without end, end with an error that says where: at once where it is known that there is no
// end, else when it has gone too far. The session is as before.
func TestLoopLimits(t *testing.T) {
	const most = math.MaxInt64
	for name, c := range map[string]struct {
		want          string
		m             any  // the number of trips: nil for none, one known or one that is fed
		asked         bool // the condition is computed in each trip
		nested, stack bool
	}{
		"no end":                      {want: `Loop "Loop": it has no end: neither a number of trips nor a condition that may become false`},
		"far":                         {m: int64(most), want: `Loop "Loop": it would make 9223372036854775807 trips; the run's loops may make 5000 more, of 5000`},
		"a little too far":            {m: int64(5001), want: `Loop "Loop": it would make 5001 trips; the run's loops may make 5000 more, of 5000`},
		"fed":                         {m: 5001, want: `Loop "Loop": it would make 5001 trips;`},
		"asked":                       {asked: true, want: `Loop "Loop", trip 5000: that is trip 5001 of the run's loops together; they may make 5000`},
		"asked, far":                  {m: int64(most), asked: true, want: `Loop "Loop", trip 5000: that is trip 5001`},
		"nested":                      {nested: true, asked: true, want: `Loop "outer", trip 0: Loop "Loop", trip 4999: that is trip 5001 of the run's loops together; they may make 5000`},
		"nested, far":                 {m: int64(3000), nested: true, want: `Loop "outer", trip 1: Loop "Loop": it would make 3000 trips; the run's loops may make 1998 more, of 5000`},
		"collected":                   {stack: true, asked: true, want: `Loop "Loop", trip 261: output 2 is collected in 262 slices of 4000 bytes, more than the session's limit leaves: 1044`},
		"collected, so many":          {m: int64(3000), stack: true, want: `Loop "Loop", trip 0: output 2 is collected in 3000 slices of 4000 bytes, more than the session's limit leaves: 1044`},
		"collected, nested":           {m: int64(300), stack: true, nested: true, want: `Loop "outer", trip 0: Loop "Loop", trip 0: output 2 is collected in 300 slices of 4000 bytes, more than the session's limit leaves: 10`},
		"collected, nested and asked": {asked: true, stack: true, nested: true, want: `Loop "outer", trip 0: Loop "Loop", trip 2`},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNet()
			x, m := n.input("x", ir.Float32, 1000), n.input("m", ir.Int64)
			b, trip, goes := loopBody()
			was := b.input("was", ir.Float32, 1000)
			if c.asked {
				goes = b.op("GreaterOrEqual", trip, fixedTo(longsOf(nil, 0)))
			}
			outs := []*ir.Value{goes, b.op("Neg", was)}
			if c.stack {
				outs = append(outs, b.op("Abs", was))
			}
			trips := m
			switch v := c.m.(type) {
			case nil:
				trips = nil
			case int64:
				trips = fixedTo(longsOf(nil, v))
			}
			inner := &ir.Node{Name: "Loop", Op: "Loop", Version: 21, Inputs: []*ir.Value{trips, nil, x}, Attrs: bodyOf(b.out(outs...)), Outputs: []*ir.Value{{Name: "y"}, {Name: "all"}}}
			if !c.stack {
				inner.Outputs = inner.Outputs[:1]
			}
			n.g.Nodes = []*ir.Node{inner}
			all := inner.Outputs
			if c.nested {
				outer, i, _ := loopBody()
				outer.g.Nodes = n.g.Nodes
				goes := outer.op("GreaterOrEqual", i, fixedTo(longsOf(nil, 0)))
				around := &ir.Node{Name: "outer", Op: "Loop", Version: 21, Inputs: []*ir.Value{nil, nil}, Attrs: bodyOf(outer.out(append([]*ir.Value{goes}, all...)...))}
				for range all {
					around.Outputs = append(around.Outputs, &ir.Value{Name: "o"})
				}
				n.g.Nodes, all = []*ir.Node{around}, around.Outputs
			}
			s := started(t, n.out(all...), graph.Options{MaxTrips: 5000, MaxBytes: 1 << 20})
			for range 2 {
				_, err := feed(s, ir.NewTensor(ir.Float32, 1000), longsOf(nil, 5001))
				require.ErrorContains(t, err, "graph: "+c.want)
				var shape *ir.ShapeError
				require.ErrorAs(t, err, &shape)
				require.Less(t, s.Bytes(), 2<<20)
			}
			if c.m == 5001 {
				got, err := feed(s, ir.NewTensor(ir.Float32, 1000), longsOf(nil, 5000))
				require.NoError(t, err)
				require.Len(t, got, 1)
			}
		})
	}
}

func TestLoopErrors(t *testing.T) {
	for name, c := range map[string]struct {
		body func(b *net, goes, was *ir.Value) *ir.Graph
		want string
	}{
		"type": {func(b *net, goes, was *ir.Value) *ir.Graph {
			return b.out(goes, b.op("Shape", was), was)
		}, `trip 0: output "Shape0_0" is int64, want float32 as input "was", which it becomes`},
		"condition": {func(b *net, goes, was *ir.Value) *ir.Graph { return b.out(was, was, was) }, "trip 0: the body's condition must be one bool"},
		"slices": {func(b *net, goes, was *ir.Value) *ir.Graph {
			next := b.call(1, "Concat", map[string]*ir.Attr{"axis": attrInt(0)}, was, was)[0]
			return b.out(goes, next, was)
		}, "trip 1: output 2 of the body is float32 of dimensions [4], before it was float32 of [2]"},
		"node": {func(b *net, goes, was *ir.Value) *ir.Graph {
			next := b.call(1, "Concat", map[string]*ir.Attr{"axis": attrInt(0)}, was, was)[0]
			return b.out(goes, b.op("MatMul", next, fixedTo(floatsOf([]int{4}, 1, 1, 1, 1))), was)
		}, `trip 1: Concat "Concat0": `},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNet()
			b, _, goes := loopBody()
			g := c.body(b, goes, b.loose("was", ir.OneTensor, ir.Float32))
			s := started(t, n.out(n.call(2, "Loop", bodyOf(g), fixedTo(longsOf(nil, 9)), nil, n.input("x", ir.Float32, 2))...), graph.Options{})
			for range 2 {
				_, err := feed(s, floatsOf([]int{2}, 1, 2))
				require.ErrorContains(t, err, `graph: Loop "Loop0", `+c.want)
			}
		})
	}
}

// Scan against its definition, for all axes and directions.
func TestScan(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for range 40 {
		dims := []int{2 + r.IntN(3), 2 + r.IntN(3), 2 + r.IntN(3)}
		axis, outAxis, back, outBack := r.IntN(6)-3, r.IntN(6)-3, r.IntN(2), r.IntN(2)
		n := newNet()
		x := n.input("x", ir.Float32, dims...)
		k := (axis + 3) % 3
		slice := append(append([]int{}, dims[:k]...), dims[k+1:]...)
		b := newNet()
		sum, part := b.input("sum", ir.Float32, slice...), b.input("part", ir.Float32, slice...)
		next := b.op("Add", sum, part)
		zero := ir.NewTensor(ir.Float32, slice...)
		attrs := bodyOf(b.out(next, b.op("Neg", next)))
		attrs["num_scan_inputs"], attrs["scan_input_axes"], attrs["scan_output_axes"] = attrInt(1), longs(int64(axis)), longs(int64(outAxis))
		attrs["scan_input_directions"], attrs["scan_output_directions"] = longs(int64(back)), longs(int64(outBack))
		s := started(t, n.out(n.call(2, "Scan", attrs, fixedTo(zero), x)...), graph.Options{})
		in := ir.NewTensor(ir.Float32, dims...)
		for i := range in.Float32s() {
			in.Float32s()[i] = float32(r.IntN(100))
		}
		got, err := feed(s, in)
		require.NoError(t, err)
		length, rows := dims[k], len(zero.Float32s())
		o := (outAxis + 3) % 3
		outDims := append(append(append([]int{}, slice[:o]...), length), slice[o:]...)
		require.Equal(t, outDims, got[1].Dims)
		total := make([]float32, rows)
		for trip := range length {
			at := trip
			if back == 1 {
				at = length - 1 - trip
			}
			to := trip
			if outBack == 1 {
				to = length - 1 - trip
			}
			for e := range rows {
				i, j := e/slice[1], e%slice[1]
				total[e] += in.Float32s()[offsetOf(dims, insert([]int{i, j}, k, at))]
				require.Equal(t, -total[e], got[1].Float32s()[offsetOf(outDims, insert([]int{i, j}, o, to))])
			}
		}
		require.Equal(t, total, got[0].Float32s())
	}
}

func insert(list []int, at, v int) []int {
	return append(append(append([]int{}, list[:at]...), v), list[at:]...)
}

func offsetOf(dims, index []int) int {
	at := 0
	for i, d := range dims {
		at = at*d + index[i]
	}
	return at
}

// Sequences against lists: built, changed and read by positions that only the run knows, in a
// loop too.
func TestSequences(t *testing.T) {
	n := newNet()
	a, b := n.input("a", ir.Float32, -1), n.input("b", ir.Float32, -1)
	at := n.input("at", ir.Int64)
	list := n.op("SequenceConstruct", a, n.op("Neg", b))
	list = n.op("SequenceInsert", list, n.op("Add", a, a), at)
	body, trip, goes := loopBody()
	seq := body.loose("seq", ir.Sequence, ir.Float32)
	more := body.op("SequenceInsert", body.op("SequenceErase", seq, trip), body.op("SequenceAt", seq, body.op("Neg", body.op("Add", trip, fixedTo(longsOf(nil, 1))))))
	grown := n.call(2, "Loop", bodyOf(body.out(goes, more, body.op("SequenceLength", seq))), fixedTo(longsOf(nil, 3)), nil, list)
	joined := n.call(1, "ConcatFromSequence", map[string]*ir.Attr{"axis": attrInt(-1)}, grown[0])[0]
	s := started(t, n.out(list, joined, grown[1]), graph.Options{})
	for _, c := range []struct{ na, nb, at int }{{2, 3, 0}, {2, 3, -1}, {1, 1, 2}, {4, 1, 1}, {2, 3, 0}} {
		av, bv := make([]float32, c.na), make([]float32, c.nb)
		for i := range av {
			av[i] = float32(i + 1)
		}
		for i := range bv {
			bv[i] = float32(10 * (i + 1))
		}
		r, err := s.Prepare([][]int{{c.na}, {c.nb}, {}})
		require.NoError(t, err)
		copy(r.In(0).Float32s(), av)
		copy(r.In(1).Float32s(), bv)
		r.In(2).Int64s()[0] = int64(c.at)
		require.NoError(t, r.Exec())
		scaled := func(v []float32, by float32) (w []float32) {
			for _, x := range v {
				w = append(w, x*by)
			}
			return w
		}
		want := [][]float32{av, scaled(bv, -1)}
		k := c.at
		if k < 0 {
			k += 2
		}
		want = append(append(append([][]float32{}, want[:k]...), scaled(av, 2)), want[k:]...)
		require.Equal(t, []int{3, graph.One, graph.One}, r.Counts())
		for i, w := range want {
			require.Equal(t, w, r.Out(i).Float32s())
		}
		for i := range 3 {
			last := want[len(want)-1-i]
			want = append(append(append([][]float32{}, want[:i]...), want[i+1:]...), last)
		}
		var flat []float32
		for _, w := range want {
			flat = append(flat, w...)
		}
		require.Equal(t, flat, r.Out(3).Float32s())
		require.Equal(t, []int64{3, 3, 3}, r.Out(4).Int64s())
	}
	_, err := feedRaw(s, []int{2}, []int{3}, 7)
	require.EqualError(t, err, `graph: SequenceInsert "SequenceInsert3": position 7 in a sequence of 2`)
}

func feedRaw(s *graph.Session, a, b []int, at int64) (*graph.Run, error) {
	r, err := s.Prepare([][]int{a, b, {}})
	if err != nil {
		return nil, err
	}
	r.In(2).Int64s()[0] = at
	return r, r.Exec()
}

func TestSequenceErrors(t *testing.T) {
	n := newNet()
	x, k := n.input("x", ir.Float32, 2), n.input("k", ir.Int64, 2)
	s := started(t, n.out(n.op("SequenceLength", n.op("SequenceConstruct", x, k))), graph.Options{})
	_, err := feed(s, floatsOf([]int{2}), longsOf([]int{2}))
	require.EqualError(t, err, `graph: SequenceConstruct "SequenceConstruct0": input 1 is a tensor of int64, want float32: all elements of a sequence are of one type`)

	n = newNet()
	list := n.loose("list", ir.Sequence, ir.Float32)
	s = started(t, n.out(n.op("Relu", list)), graph.Options{})
	_, err = s.PrepareLists([]int{2}, [][]int{{1}, {2}}, nil)
	require.EqualError(t, err, `graph: Relu "Relu0": input 0 is a sequence, want a tensor`)
	_, err = s.Prepare([][]int{{1}})
	require.EqualError(t, err, `graph: input "list" is one tensor, want a sequence`)
	_, err = s.PrepareLists([]int{3}, [][]int{{1}, {2}}, nil)
	require.EqualError(t, err, "graph: Prepare got 2 shapes, want 3, one for each tensor")

	n = newNet()
	s = started(t, n.out(n.op("SequenceAt", n.op("SplitToSequence", n.input("x", ir.Float32, 200000)), fixedTo(longsOf(nil, 0)))), graph.Options{})
	_, err = s.Prepare([][]int{{200000}})
	require.EqualError(t, err, `graph: SplitToSequence "SplitToSequence0": the sequence would have 200000 elements; the limit is 65536`)
}

// Sequences and optional values are inputs and outputs, and come with other numbers of
// elements from run to run.
func TestSequencesAsInputs(t *testing.T) {
	n := newNet()
	list := n.loose("list", ir.Sequence, ir.Float32)
	maybe := n.loose("maybe", ir.Optional, ir.Float32)
	b := newNet()
	e := b.loose("e", ir.OneTensor, ir.Float32)
	doubled := n.call(1, "SequenceMap", bodyOf(b.out(b.op("Add", e, e))), list)[0]
	has := n.op("OptionalHasElement", maybe)
	yes, no := newNet(), newNet()
	picked := n.call(1, "If", map[string]*ir.Attr{"then_branch": {Kind: ir.AttrGraph, G: yes.out(yes.op("SequenceInsert", doubled, yes.op("OptionalGetElement", maybe)))},
		"else_branch": {Kind: ir.AttrGraph, G: no.out(no.op("Identity", list))}}, has)[0]
	s := started(t, n.out(picked, n.op("SequenceLength", list)), graph.Options{})
	for _, c := range [][]int{{2, graph.One}, {0, graph.Nothing}, {3, graph.Nothing}, {2, graph.One}, {0, graph.One}, {5, graph.Nothing}} {
		var dims [][]int
		for i := range c[0] {
			dims = append(dims, []int{i + 1})
		}
		if c[1] == graph.One {
			dims = append(dims, []int{2})
		}
		r, err := s.PrepareLists(c, dims, nil)
		require.NoError(t, err)
		for i := range dims {
			for k := range r.In(i).Float32s() {
				r.In(i).Float32s()[k] = float32(10*i + k)
			}
		}
		require.NoError(t, r.Exec())
		want, times := c[0], float32(1)
		if c[1] == graph.One {
			want, times = want+1, 2
		}
		require.Equal(t, []int{want, graph.One}, r.Counts())
		for i := range want {
			by := times
			if i == c[0] {
				by = 1
			}
			for k, v := range r.Out(i).Float32s() {
				require.Equal(t, by*float32(10*i+k), v)
			}
		}
		require.Equal(t, []int64{int64(c[0])}, r.Out(want).Int64s())
	}
}

// What a graph without branches makes of a sequence is planned again when it has another number of elements of the same shape, or
// an optional value is there or not.
func TestSequencesOfOtherLengths(t *testing.T) {
	n := newNet()
	list, maybe := n.loose("list", ir.Sequence, ir.Float32), n.loose("maybe", ir.Optional, ir.Float32)
	joined := n.call(1, "ConcatFromSequence", map[string]*ir.Attr{"axis": attrInt(0)}, list)[0]
	s := started(t, n.out(n.op("SequenceLength", list), n.op("Neg", joined), n.op("OptionalHasElement", maybe), n.op("SequenceAt", list, fixedTo(longsOf(nil, -1)))), graph.Options{})
	for _, c := range [][]int{{2, graph.One}, {3, graph.One}, {3, graph.Nothing}, {1, graph.One}, {2, graph.Nothing}} {
		var dims [][]int
		for range c[0] {
			dims = append(dims, []int{2})
		}
		if c[1] == graph.One {
			dims = append(dims, []int{1})
		}
		r, err := s.PrepareLists(c, dims, nil)
		require.NoError(t, err)
		var want []float32
		for i := range c[0] {
			copy(r.In(i).Float32s(), []float32{float32(i), 5})
			want = append(want, -float32(i), -5)
		}
		require.NoError(t, r.Exec())
		require.Equal(t, []int64{int64(c[0])}, r.Out(0).Int64s())
		require.Equal(t, want, r.Out(1).Float32s())
		require.Equal(t, c[1] == graph.One, r.Out(2).Data[0] == 1)
		require.Equal(t, []float32{float32(c[0] - 1), 5}, r.Out(3).Float32s())
	}
}

// What a body knows while it is planned, because the graph around it had to know it, is another in a run in which it has changed.
func TestLoopsOfKnownOperands(t *testing.T) {
	n := newNet()
	x, axes := n.input("x", ir.Float32, 2, 3), n.input("axes", ir.Int64, 1)
	sum := n.call(1, "ReduceSum", map[string]*ir.Attr{"keepdims": attrInt(0)}, x, axes)[0]
	b, _, goes := loopBody()
	outs := n.call(1, "Loop", bodyOf(b.out(goes, b.op("Neg", axes))), n.op("Size", sum), nil)
	s := started(t, n.out(outs[0], sum), graph.Options{})
	for _, axis := range []int64{1, 0, 1, -1} {
		got, err := feed(s, floatsOf([]int{2, 3}, 1, 2, 3, 4, 5, 6), longsOf([]int{1}, axis))
		require.NoError(t, err)
		for _, v := range got[0].Int64s() {
			require.Equal(t, -axis, v)
		}
		require.Len(t, got[0].Int64s(), got[1].Len())
	}
}
