package graph

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// dice are choices read from a fuzzer's bytes; when these are used up every
// choice is the first.
type dice struct{ b []byte }

func (d *dice) roll(n int) int {
	if len(d.b) == 0 {
		return 0
	}
	v := int(d.b[0]) % n
	d.b = d.b[1:]
	return v
}

func choose[T any](d *dice, list ...T) T { return list[d.roll(len(list))] }

// absurd is an integer, most often small, as an attribute or a constant may be.
func (d *dice) absurd() int64 {
	return choose[int64](d, 0, 1, 2, 3, -1, 1, 2, -2, 4, 5, 6, 7, 1, -3, 100, math.MaxInt32, math.MinInt32, 1<<31, 1<<40, 1<<62, math.MaxInt64, math.MinInt64)
}

func (d *dice) dims() []int {
	dims := make([]int, d.roll(6))
	for i := range dims {
		dims[i] = choose(d, 1, 2, 3, 4, 6, 0, 1, 5)
	}
	return dims
}

// value is a constant, or the input.
func (d *dice) value(earlier []*ir.Value) *ir.Value {
	switch d.roll(8) {
	case 0, 1:
		return earlier[0]
	case 2:
		return choose(d, earlier...)
	case 3:
		list := make([]int64, d.roll(5))
		for i := range list {
			list[i] = d.absurd()
		}
		t := ir.NewTensor(ir.Int64, len(list))
		if len(list) == 1 && d.roll(2) == 0 {
			t.Dims = nil
		}
		copy(t.Int64s(), list)
		return &ir.Value{Name: "ints", Type: ir.Int64, Const: t}
	case 4:
		return nil
	case 5:
		t := ir.NewTensor(choose(d, ir.Bool, ir.Int32, ir.Uint8, ir.Float64, ir.Float16, ir.Int8, ir.Uint8, ir.Int8, ir.Int4, ir.Uint4, ir.BFloat16), d.dims()...)
		for i := range t.Data {
			t.Data[i] = byte(i & 1)
		}
		return &ir.Value{Name: "odd", Type: t.Type, Const: t}
	default:
		t := ir.NewTensor(ir.Float32, d.dims()...)
		for i := range t.Float32s() {
			t.Float32s()[i] = choose[float32](d, 0.5, 1, 2, -1, 0, float32(math.Inf(1)), float32(math.NaN()), 1e30)
		}
		return &ir.Value{Name: "floats", Type: ir.Float32, Const: t}
	}
}

func (d *dice) attributes(n *ir.Node, row *op.Row) {
	for range d.roll(5) {
		if len(row.Attrs) == 0 {
			return
		}
		is := row.Attrs[d.roll(len(row.Attrs))]
		name := is.Name
		a := &ir.Attr{Kind: is.Kind}
		if d.roll(8) == 0 {
			a.Kind = choose(d, ir.AttrInts, ir.AttrInt, ir.AttrFloat, ir.AttrString, ir.AttrTensor, ir.AttrFloats)
		}
		switch a.Kind {
		case ir.AttrInts:
			for range d.roll(6) {
				a.Ints = append(a.Ints, d.absurd())
			}
		case ir.AttrInt:
			a.I = d.absurd()
		case ir.AttrFloat:
			a.F = choose[float32](d, 1, 0.5, 0, -1, 1e-5, float32(math.NaN()), float32(math.Inf(1)))
		case ir.AttrString:
			a.S = choose(d, "SAME_UPPER", "VALID", "SAME_LOWER", "NOTSET", "constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic",
				"asymmetric", "align_corners", "half_pixel", "add", "mul", "none", "DCR", "CRD", "tanh", "relu", "ij,jk->ik", "...i->i", "")
		case ir.AttrGraph:
			a.G = d.body()
		case ir.AttrTensor:
			a.T = ir.NewTensor(choose(d, ir.Float32, ir.Int64, ir.Bool), choose(d, 1, 0, 2))
		}
		n.Attrs[name] = a
	}
}

// body makes the graph of a loop or a branch: it hands on some of its inputs, computed or as they are.
func (d *dice) body() *ir.Graph {
	g := &ir.Graph{}
	for range d.roll(5) {
		v := &ir.Value{Name: "in", Type: choose(d, ir.Float32, ir.Int64, ir.Bool, ir.Undefined), Form: choose(d, ir.OneTensor, ir.OneTensor, ir.OneTensor, ir.Sequence, ir.Optional)}
		g.Inputs = append(g.Inputs, v)
	}
	for range d.roll(5) {
		v := &ir.Value{Name: "made", Type: ir.Float32, Const: ir.NewTensor(ir.Float32)}
		if len(g.Inputs) > 0 {
			v = choose(d, g.Inputs...)
		}
		if d.roll(2) == 0 {
			n := &ir.Node{Name: "inner", Op: choose(d, "Identity", "Neg", "Not", "Shape", "SequenceLength", "SequenceConstruct"), Version: 21, Inputs: []*ir.Value{v}, Outputs: []*ir.Value{{Name: "out"}}, Attrs: map[string]*ir.Attr{}}
			g.Nodes, v = append(g.Nodes, n), n.Outputs[0]
		}
		g.Outputs = append(g.Outputs, v)
	}
	return g
}

// graph makes a chain of one to three nodes.
func (d *dice) graph(names []string) (*ir.Graph, []int) {
	dims := choose(d, []int{1, 4, 3, 6}, []int{2, 6}, []int{4}, []int{}, []int{1, 3, 4}, []int{0, 2}, d.dims())
	x := &ir.Value{Name: "x", Type: choose(d, ir.Float32, ir.Float32, ir.Float32, ir.Int64, ir.Bool, ir.Float64)}
	if d.roll(2) == 0 {
		x.Known = true
		for range dims {
			x.Dims = append(x.Dims, ir.Dim{Size: -1})
		}
	}
	version := choose(d, 13, 7, 9, 11, 17, 18, 21, 23)
	g := &ir.Graph{Opsets: map[string]int{"": version}, Inputs: []*ir.Value{x}}
	values := []*ir.Value{x}
	for range 1 + d.roll(3) {
		name := names[(d.roll(256)<<8|d.roll(256))%len(names)]
		row := op.Find(name)
		n := &ir.Node{Name: "n", Domain: row.Domain, Op: row.Name, Version: version, Attrs: map[string]*ir.Attr{}}
		if row.Domain != "" {
			n.Version = 1
		}
		for i := range 1 + d.roll(5) {
			if i == 0 && d.roll(4) > 0 {
				n.Inputs = append(n.Inputs, values[len(values)-1])
			} else {
				n.Inputs = append(n.Inputs, d.value(values))
			}
		}
		for range choose(d, 1, 1, 1, 2, 3, 4) {
			n.Outputs = append(n.Outputs, &ir.Value{Name: "y"})
		}
		d.attributes(n, row)
		g.Nodes = append(g.Nodes, n)
		values = append(values, n.Outputs...)
	}
	g.Outputs = g.Nodes[len(g.Nodes)-1].Outputs
	return g, dims
}

// operatorNames are those that files may have.
func operatorNames() []string {
	var names []string
	for _, row := range op.All() {
		if row.Domain != ir.Internal && row.Domain != "test" {
			names = append(names, row.Key())
		}
	}
	slices.Sort(names)
	return names
}

// attempt takes a graph to a run. Whatever is wrong with it has to be found by a
// check: a panic that was caught counts as a failure here.
func attempt(t *testing.T, g *ir.Graph, dims []int, level string) {
	refused := func(err error) bool {
		if err == nil {
			return false
		}
		var load *ir.LoadError
		var missing *ir.UnsupportedError
		var shape *ir.ShapeError
		ours := errors.As(err, &load) || errors.As(err, &missing) || errors.As(err, &shape)
		if !ours || strings.Contains(err.Error(), " failed: ") {
			for _, n := range g.Nodes {
				t.Logf("%s %s opset %d, %d outputs", n.Domain, n.Op, n.Version, len(n.Outputs))
				for i, v := range n.Inputs {
					switch {
					case v == nil:
						t.Logf("  input %d omitted", i)
					case v.Const != nil && v.Type == ir.Int64:
						t.Logf("  input %d %v %v = %v", i, v.Type, v.Const.Dims, v.Const.Ints())
					case v.Const != nil:
						t.Logf("  input %d %v %v", i, v.Type, v.Const.Dims)
					default:
						t.Logf("  input %d %s %v", i, v.Name, v.Type)
					}
				}
				for name, a := range n.Attrs {
					t.Logf("  %s: %+v", name, *a)
				}
			}
			require.Fail(t, "a fault that no check found", "%v; input %v %v, level %s", err, g.Inputs[0].Type, dims, level)
		}
		return true
	}
	s, err := NewSession(g, Options{Optimize: level, MaxBytes: 1 << 20, MaxTrips: 1000})
	if refused(err) {
		return
	}
	r, err := s.Prepare([][]int{dims})
	if refused(err) {
		return
	}
	for i := range r.In(0).Data {
		r.In(0).Data[i] = byte(i * 37 & 0x3f)
	}
	if g.Inputs[0].Type == ir.Bool {
		for i := range r.In(0).Data {
			r.In(0).Data[i] &= 1
		}
	}
	for range 2 {
		if refused(r.Exec()) {
			return
		}
	}
}

// FuzzSession makes nodes of every operator with operands and attributes that
// may be absurd, and takes them to a run.
func FuzzSession(f *testing.F) {
	rnd := rand.New(rand.NewPCG(11, 13))
	for range 400 {
		b := make([]byte, 120)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	names := operatorNames()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, level := range []string{"none", "all"} {
			d := &dice{b}
			g, dims := d.graph(names)
			attempt(t, g, dims, level)
		}
	})
}
