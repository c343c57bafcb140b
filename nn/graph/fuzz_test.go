package graph

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
func (d *dice) value(earlier []*Value) *Value {
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
		t := NewTensor(Int64, len(list))
		if len(list) == 1 && d.roll(2) == 0 {
			t.Dims = nil
		}
		copy(t.Int64s(), list)
		return &Value{Name: "ints", Type: Int64, Const: t}
	case 4:
		return nil
	case 5:
		t := NewTensor(choose(d, Bool, Int32, Uint8, Float64, Float16, Int8), d.dims()...)
		for i := range t.Data {
			t.Data[i] = byte(i & 1)
		}
		return &Value{Name: "odd", Type: t.Type, Const: t}
	default:
		t := NewTensor(Float32, d.dims()...)
		for i := range t.Float32s() {
			t.Float32s()[i] = choose[float32](d, 0.5, 1, 2, -1, 0, float32(math.Inf(1)), float32(math.NaN()), 1e30)
		}
		return &Value{Name: "floats", Type: Float32, Const: t}
	}
}

// attributeNames are those of all operators; each operator's check tells which
// it knows.
var attributeNames = strings.Fields(`activation alpha beta axes axis allowzero auto_pad batch_dims bias blocksize ceil_mode
	coordinate_transformation_mode count_include_pad cubic_coeff_a dilations direction end ends epsilon equation exclusive
	exclude_outside extrapolation_value fmod gamma group kernel_shape keepdims k lambd largest max min mode momentum
	nearest_mode noop_with_empty_axes normalize_variance num_groups num_outputs num_scan_axes output_padding output_shape p pads perm pads_mode
	ratio reduction reverse select_last_index shape size sizes sorted spatial split start starts stash_type storage_order
	strides to transA transB training_mode upper value approximate dtype detect_negative detect_positive saturate seed scales`)

func (d *dice) attributes(n *Node, op operator) {
	for range d.roll(5) {
		name := attributeNames[d.roll(len(attributeNames))]
		var known []string
		if op.check != nil { // take one that the operator honours
			for _, a := range attributeNames {
				probe := &Node{Op: n.Op, Version: n.Version, Inputs: n.Inputs, Outputs: n.Outputs, Attrs: map[string]*Attr{a: {}}}
				if why := op.check(probe); !strings.Contains(why, "attribute "+a) {
					known = append(known, a)
				}
			}
			if len(known) == 0 {
				return
			}
			name = known[d.roll(len(known))]
		}
		a := &Attr{Kind: choose(d, AttrInts, AttrInt, AttrFloat, AttrString, AttrTensor, AttrFloats)}
		switch name { // of the right kind, most of the time
		case "axis", "group", "keepdims", "ceil_mode", "to", "blocksize", "size", "batch_dims", "num_groups", "num_outputs", "transA", "transB", "upper":
			a.Kind = choose(d, AttrInt, AttrInt, AttrInt, a.Kind)
		case "axes", "pads", "strides", "dilations", "kernel_shape", "perm", "starts", "ends", "split", "output_padding", "output_shape", "shape":
			a.Kind = choose(d, AttrInts, AttrInts, AttrInts, a.Kind)
		}
		switch a.Kind {
		case AttrInts:
			for range d.roll(6) {
				a.Ints = append(a.Ints, d.absurd())
			}
		case AttrInt:
			a.I = d.absurd()
		case AttrFloat:
			a.F = choose[float32](d, 1, 0.5, 0, -1, 1e-5, float32(math.NaN()), float32(math.Inf(1)))
		case AttrString:
			a.S = choose(d, "SAME_UPPER", "VALID", "SAME_LOWER", "NOTSET", "constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic",
				"asymmetric", "align_corners", "half_pixel", "add", "mul", "none", "DCR", "CRD", "tanh", "relu", "ij,jk->ik", "...i->i", "")
		case AttrTensor:
			a.T = NewTensor(choose(d, Float32, Int64, Bool), choose(d, 1, 0, 2))
		}
		n.Attrs[name] = a
	}
}

// graph makes a chain of one to three nodes.
func (d *dice) graph(names []string) (*Graph, []int) {
	dims := choose(d, []int{1, 4, 3, 6}, []int{2, 6}, []int{4}, []int{}, []int{1, 3, 4}, []int{0, 2}, d.dims())
	x := &Value{Name: "x", Type: choose(d, Float32, Float32, Float32, Int64, Bool, Float64)}
	if d.roll(2) == 0 {
		x.Known = true
		for range dims {
			x.Dims = append(x.Dims, Dim{Size: -1})
		}
	}
	version := choose(d, 13, 7, 9, 11, 17, 18, 21, 23)
	g := &Graph{Opsets: map[string]int{"": version}, Inputs: []*Value{x}}
	values := []*Value{x}
	for range 1 + d.roll(3) {
		name := names[(d.roll(256)<<8|d.roll(256))%len(names)]
		n := &Node{Name: "n", Op: name, Version: version, Attrs: map[string]*Attr{}}
		for i := range 1 + d.roll(5) {
			if i == 0 && d.roll(4) > 0 {
				n.Inputs = append(n.Inputs, values[len(values)-1])
			} else {
				n.Inputs = append(n.Inputs, d.value(values))
			}
		}
		for range choose(d, 1, 1, 1, 2, 3, 4) {
			n.Outputs = append(n.Outputs, &Value{Name: "y"})
		}
		d.attributes(n, operators[name])
		g.Nodes = append(g.Nodes, n)
		values = append(values, n.Outputs...)
	}
	g.Outputs = g.Nodes[len(g.Nodes)-1].Outputs
	return g, dims
}

// operatorNames are those of the ONNX domain.
func operatorNames() []string {
	names := slices.Collect(maps.Keys(operators))
	names = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, ".") })
	slices.Sort(names)
	return names
}

// attempt takes a graph to a run. Whatever is wrong with it has to be found by a
// check: a panic that was caught counts as a failure here.
func attempt(t *testing.T, g *Graph, dims []int, level string) {
	refused := func(err error) bool {
		if err == nil {
			return false
		}
		var load *LoadError
		var missing *UnsupportedError
		var shape *ShapeError
		ours := errors.As(err, &load) || errors.As(err, &missing) || errors.As(err, &shape)
		if !ours || strings.Contains(err.Error(), " failed: ") {
			for _, n := range g.Nodes {
				t.Logf("%s opset %d, %d outputs", n.Op, n.Version, len(n.Outputs))
				for i, v := range n.Inputs {
					switch {
					case v == nil:
						t.Logf("  input %d omitted", i)
					case v.Const != nil && v.Type == Int64:
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
	s, err := NewSession(g, Options{Optimize: level, MaxBytes: 1 << 20})
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
	if g.Inputs[0].Type == Bool {
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
