package graph_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// node is one operator call to test.
type node struct {
	op, domain string
	version    int // of the opset; 0 is 13
	attrs      map[string]*ir.Attr
	in         []*ir.Tensor // nil for an omitted one
	outs       int          // 0 is one
	resident   bool         // inputs and outputs are in memory of the caller's
	constant   bool         // inputs are the model's constants; the first is fed all the same
	grown      bool         // the session has run with other shapes before
	then       *node        // takes output 0 and constants, for the optimizer to fuse
}

func (n node) graph() *ir.Graph {
	if n.version == 0 {
		n.version = 13
	}
	g := &ir.Graph{Opsets: map[string]int{"": max(n.version, 7)}}
	call := &ir.Node{Name: "n", Op: n.op, Domain: n.domain, Version: n.version, Attrs: n.attrs}
	for i, x := range n.in {
		if x == nil {
			call.Inputs = append(call.Inputs, nil)
			continue
		}
		v := &ir.Value{Name: "x", Type: x.Type, Known: true}
		for _, d := range x.Dims {
			if n.grown && !n.constant {
				d = -1
			}
			v.Dims = append(v.Dims, ir.Dim{Size: d})
		}
		if n.constant && i > 0 {
			v.Const = x
		} else {
			g.Inputs = append(g.Inputs, v)
		}
		call.Inputs = append(call.Inputs, v)
	}
	for range max(n.outs, 1) {
		v := &ir.Value{Name: "y"}
		call.Outputs = append(call.Outputs, v)
		g.Outputs = append(g.Outputs, v)
	}
	g.Nodes = []*ir.Node{call}
	if n.then != nil {
		behind := &ir.Node{Name: "then", Op: n.then.op, Version: n.version, Inputs: call.Outputs[:1:1], Outputs: []*ir.Value{{Name: "z"}}}
		for _, x := range n.then.in {
			behind.Inputs = append(behind.Inputs, &ir.Value{Name: "c", Type: x.Type, Const: x})
		}
		g.Nodes, g.Outputs = append(g.Nodes, behind), behind.Outputs
	}
	return g
}

// try runs the node by itself.
func (n node) try() ([]*ir.Tensor, error) {
	level := "none"
	if n.then != nil {
		level = "all"
	}
	s, err := graph.NewSession(n.graph(), graph.Options{Optimize: level, Resident: n.resident})
	if err != nil {
		return nil, err
	}
	if n.then != nil && len(s.Ops()) != 1 {
		return nil, fmt.Errorf("%s is not fused with %s", n.op, n.then.op)
	}
	var dims [][]int
	var feeds []*ir.Tensor
	for i, x := range n.in {
		if x != nil && !(n.constant && i > 0) {
			dims, feeds = append(dims, x.Dims), append(feeds, x)
		}
	}
	if n.resident {
		return n.tryResident(s, dims, feeds)
	}
	if n.grown {
		other(s, dims, feeds)
	}
	r, err := s.Prepare(dims)
	if err != nil {
		return nil, err
	}
	for i, x := range feeds {
		copy(r.In(i).Data, x.Data)
		copy(r.In(i).Strings, x.Strings)
	}
	if err := r.Exec(); err != nil {
		return nil, err
	}
	var out []*ir.Tensor
	for i := range n.graph().Outputs {
		out = append(out, r.Out(i))
	}
	return out, nil
}

// other plans and runs s for other shapes: each dimension longer, then only the first,
// then each dimension empty. That it may fail does not matter.
func other(s *graph.Session, dims [][]int, feeds []*ir.Tensor) {
	for _, change := range []func(i, d int) int{
		func(_, d int) int { return d + 1 },
		func(i, d int) int {
			if i == 0 {
				return 3 * d
			}
			return d
		},
		func(int, int) int { return 0 },
	} {
		changed := make([][]int, len(dims))
		for k, list := range dims {
			for i, d := range list {
				changed[k] = append(changed[k], change(i, d))
			}
		}
		if r, err := s.Prepare(changed); err == nil {
			for i, x := range feeds {
				for at := 0; at < len(r.In(i).Data) && len(x.Data) > 0; {
					at += copy(r.In(i).Data[at:], x.Data)
				}
				for at := 0; at < len(r.In(i).Strings) && len(x.Strings) > 0; {
					at += copy(r.In(i).Strings[at:], x.Strings)
				}
			}
			_ = r.Exec()
		}
	}
}

// tryResident runs the node twice, each time with inputs that are elsewhere, which it must
// not write, and takes the results over.
func (n node) tryResident(s *graph.Session, dims [][]int, feeds []*ir.Tensor) (out []*ir.Tensor, err error) {
	for range 2 {
		fed := make([][]byte, len(feeds))
		for i, x := range feeds {
			fed[i] = slab.New(len(x.Data))
			copy(fed[i], x.Data)
		}
		r, err := s.PrepareFed(dims, fed)
		if err != nil {
			return nil, err
		}
		for i, x := range feeds {
			copy(r.In(i).Strings, x.Strings)
		}
		if err := r.Exec(); err != nil {
			return nil, err
		}
		for i, x := range feeds {
			if !bytes.Equal(fed[i], x.Data) {
				return nil, fmt.Errorf("input %d was overwritten", i)
			}
		}
		out = nil
		for i := range n.graph().Outputs {
			t := *r.Out(i)
			if b := r.Take(i); b != nil {
				t.Data = b
			} else {
				t.Data = slices.Clone(t.Data)
			}
			out = append(out, &t)
		}
		r.Forget()
	}
	return out, nil
}

// run runs the node with all inputs fed and with all but the first constant,
// which are different ways through many operators, and returns what both give.
func (n node) run(t *testing.T) []*ir.Tensor {
	t.Helper()
	fed, err := n.try()
	require.NoError(t, err, n.op)
	n.resident = true
	resident, err := n.try()
	require.NoError(t, err, n.op)
	require.Equal(t, fed, resident, "%s in memory from outside", n.op)
	n.resident, n.constant = false, true
	constant, err := n.try()
	require.NoError(t, err, n.op)
	for i := range fed {
		require.Equal(t, fed[i].Dims, constant[i].Dims, "%s, output %d with constant inputs", n.op, i)
		require.Equal(t, fed[i].Data, constant[i].Data, "%s, output %d with constant inputs", n.op, i)
		require.Equal(t, fed[i].Strings, constant[i].Strings, "%s, output %d with constant inputs", n.op, i)
	}
	n.constant, n.grown = false, true
	for range 2 {
		grown, err := n.try()
		require.NoError(t, err, n.op)
		for i := range fed {
			require.Equal(t, fed[i].Dims, grown[i].Dims, "%s, output %d after other shapes", n.op, i)
			require.Equal(t, fed[i].Data, grown[i].Data, "%s, output %d after other shapes", n.op, i)
			require.Equal(t, fed[i].Strings, grown[i].Strings, "%s, output %d after other shapes", n.op, i)
		}
		n.constant = true
	}
	return fed
}

func f32(dims []int, v ...float32) *ir.Tensor {
	x := ir.NewTensor(ir.Float32, dims...)
	copy(x.Float32s(), v)
	return x
}

func i64(dims []int, v ...int64) *ir.Tensor {
	x := ir.NewTensor(ir.Int64, dims...)
	copy(x.Int64s(), v)
	return x
}

func list(v ...int64) *ir.Tensor { return i64([]int{len(v)}, v...) }

func bools(dims []int, v ...byte) *ir.Tensor {
	x := ir.NewTensor(ir.Bool, dims...)
	copy(x.Data, v)
	return x
}

func random(seed uint64, dims ...int) *ir.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	x := ir.NewTensor(ir.Float32, dims...)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(r.NormFloat64())
	}
	return x
}

func integer(i int64) *ir.Attr     { return &ir.Attr{Kind: ir.AttrInt, I: i} }
func float(f float32) *ir.Attr     { return &ir.Attr{Kind: ir.AttrFloat, F: f} }
func text(s string) *ir.Attr       { return &ir.Attr{Kind: ir.AttrString, S: s} }
func integers(v ...int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInts, Ints: v} }
func floats(v ...float32) *ir.Attr { return &ir.Attr{Kind: ir.AttrFloats, Floats: v} }
func tensor(x *ir.Tensor) *ir.Attr { return &ir.Attr{Kind: ir.AttrTensor, T: x} }
func attrs(kv ...any) map[string]*ir.Attr {
	m := map[string]*ir.Attr{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1].(*ir.Attr)
	}
	return m
}

// at is the element of x at index, whose dimensions of 1 repeat and whose
// leading dimensions may be missing.
func at(x *ir.Tensor, index []int) int {
	off := 0
	for i, n := range x.Dims {
		off *= n
		if n > 1 {
			off += index[len(index)-len(x.Dims)+i]
		}
	}
	return off
}

// each calls f for every index over dims, in row-major order.
func each(dims []int, f func(index []int, k int)) {
	index := make([]int, len(dims))
	for k := range ir.Elements(dims) {
		rest := k
		for i := len(dims) - 1; i >= 0; i-- {
			index[i] = rest % dims[i]
			rest /= dims[i]
		}
		f(index, k)
	}
}

// near holds got to float64 values, relative to their size.
func near(t *testing.T, want []float64, got *ir.Tensor, tolerance float64, what string) {
	t.Helper()
	require.Equal(t, ir.Float32, got.Type, what)
	require.Len(t, got.Float32s(), len(want), what)
	for i, w := range want {
		g := float64(got.Float32s()[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		require.LessOrEqual(t, math.Abs(g-w), tolerance*(1+math.Abs(w)), "%s, element %d: got %v, want %v", what, i, g, w)
	}
}

func TestBroadcasting(t *testing.T) {
	shapes := []struct{ a, b, want []int }{
		{[]int{3}, []int{3}, []int{3}},
		{[]int{}, []int{}, []int{}},
		{[]int{2, 3, 4}, []int{}, []int{2, 3, 4}},
		{[]int{2, 3, 4}, []int{4}, []int{2, 3, 4}},
		{[]int{2, 3, 4}, []int{3, 1}, []int{2, 3, 4}},
		{[]int{2, 1, 4}, []int{3, 1}, []int{2, 3, 4}},
		{[]int{1}, []int{2, 1, 3}, []int{2, 1, 3}},
		{[]int{2, 3, 4, 5}, []int{1, 3, 1, 1}, []int{2, 3, 4, 5}},
		{[]int{2, 3, 4, 5}, []int{2, 1, 4, 1}, []int{2, 3, 4, 5}},
		{[]int{5, 1, 1}, []int{1, 6}, []int{5, 1, 6}},
		{[]int{0, 3}, []int{3}, []int{0, 3}},
		{[]int{1, 3}, []int{0, 1}, []int{0, 3}},
	}
	ops := map[string]func(a, b float64) float64{
		"Add": func(a, b float64) float64 { return a + b },
		"Sub": func(a, b float64) float64 { return a - b },
		"Mul": func(a, b float64) float64 { return a * b },
		"Div": func(a, b float64) float64 { return a / b },
		"Max": math.Max, "Min": math.Min, "PRelu": nil,
	}
	for op, f := range ops {
		for i, s := range shapes {
			a, b := random(uint64(i), s.a...), random(uint64(100+i), s.b...)
			n := node{op: op, in: []*ir.Tensor{a, b}}
			if op == "PRelu" {
				if !assert.ObjectsAreEqual(s.a, s.want) {
					_, err := n.try()
					require.ErrorContains(t, err, "PRelu")
					continue
				}
				f = func(a, b float64) float64 {
					if a < 0 {
						return a * b
					}
					return a
				}
			}
			y := n.run(t)[0]
			require.Equal(t, s.want, append([]int{}, y.Dims...), op)
			want := make([]float64, y.Len())
			each(s.want, func(index []int, k int) {
				want[k] = f(float64(a.Float32s()[at(a, index)]), float64(b.Float32s()[at(b, index)]))
			})
			near(t, want, y, 1e-6, op)
		}
	}
	_, err := node{op: "Add", in: []*ir.Tensor{random(1, 2, 3), random(1, 2)}}.try()
	require.ErrorContains(t, err, `graph: Add "n": input 1 has dimensions [2], which do not broadcast to [2 3]`)
}

func TestVariadic(t *testing.T) {
	a, b, c := random(1, 3, 1), random(2, 1, 4), random(3, 2, 3, 4)
	ops := map[string]func(a, b, c float64) float64{
		"Sum":  func(a, b, c float64) float64 { return a + b + c },
		"Mean": func(a, b, c float64) float64 { return (a + b + c) / 3 },
		"Max":  func(a, b, c float64) float64 { return max(a, b, c) },
		"Min":  func(a, b, c float64) float64 { return min(a, b, c) },
	}
	for op, f := range ops {
		y := node{op: op, in: []*ir.Tensor{a, b, c}}.run(t)[0]
		want := make([]float64, 24)
		each([]int{2, 3, 4}, func(index []int, k int) {
			want[k] = f(float64(a.Float32s()[at(a, index)]), float64(b.Float32s()[at(b, index)]), float64(c.Float32s()[at(c, index)]))
		})
		near(t, want, y, 1e-6, op)
		require.Equal(t, a.Data, node{op: op, in: []*ir.Tensor{a}}.run(t)[0].Data, op)
	}
	y := node{op: "Max", in: []*ir.Tensor{list(1, 5), list(3, 4), list(2, 9)}}.run(t)[0]
	require.Equal(t, []int64{3, 9}, y.Int64s())
}

// TestIntegers goes through the types that are computed as int64 and stored
// back, whose results wrap around.
func TestIntegers(t *testing.T) {
	cases := []struct {
		op         string
		a, b, want int64
		t          ir.DType
		attrs      map[string]*ir.Attr
	}{
		{op: "Add", t: ir.Int8, a: 127, b: 1, want: -128},
		{op: "Add", t: ir.Uint8, a: 255, b: 2, want: 1},
		{op: "Sub", t: ir.Uint16, a: 1, b: 2, want: 65535},
		{op: "Mul", t: ir.Int32, a: 1 << 30, b: 4, want: 0},
		{op: "Mul", t: ir.Int64, a: 1 << 40, b: -3, want: -3 << 40},
		{op: "Div", t: ir.Int32, a: -7, b: 2, want: -3},
		{op: "Div", t: ir.Int64, a: 7, b: 0, want: 0},
		{op: "Div", t: ir.Int64, a: math.MinInt64, b: -1, want: math.MinInt64},
		{op: "Div", t: ir.Uint64, a: -1, b: 2, want: math.MaxInt64},
		{op: "Mod", t: ir.Int32, a: -7, b: 3, want: 2},
		{op: "Mod", t: ir.Int32, a: 7, b: -3, want: -2},
		{op: "Mod", t: ir.Int32, a: -7, b: 3, want: -1, attrs: attrs("fmod", integer(1))},
		{op: "Mod", t: ir.Int64, a: 5, b: 0, want: 0},
		{op: "Max", t: ir.Uint64, a: -1, b: 2, want: -1},
		{op: "Min", t: ir.Uint64, a: -1, b: 2, want: 2},
		{op: "Max", t: ir.Int16, a: -1, b: 2, want: 2},
		{op: "Pow", t: ir.Int32, a: -3, b: 3, want: -27},
		{op: "Less", t: ir.Uint64, a: -1, b: 2, want: 0},
		{op: "Less", t: ir.Int64, a: -1, b: 2, want: 1},
		{op: "GreaterOrEqual", t: ir.Uint64, a: -1, b: 2, want: 1},
		{op: "LessOrEqual", t: ir.Int32, a: 2, b: 2, want: 1},
		{op: "Greater", t: ir.Uint8, a: 200, b: 100, want: 1},
		{op: "Equal", t: ir.Bool, a: 2, b: 1, want: 1},
		{op: "Xor", t: ir.Bool, a: 2, b: 1, want: 0},
		{op: "And", t: ir.Bool, a: 2, b: 1, want: 1},
	}
	for _, c := range cases {
		put := func(v int64) *ir.Tensor {
			x := ir.NewTensor(c.t, 3)
			wide := i64([]int{3}, v, v, v)
			for i := range 3 { // little-endian: the low bytes come first
				copy(x.Data[i*c.t.Size():(i+1)*c.t.Size()], wide.Data[i*8:])
			}
			return x
		}
		y := node{op: c.op, in: []*ir.Tensor{put(c.a), put(c.b)}, attrs: c.attrs}.run(t)[0]
		require.Equal(t, []int64{c.want, c.want, c.want}, y.Ints(), "%s of %s: %d and %d", c.op, c.t, c.a, c.b)
	}
}

func TestFunctions(t *testing.T) {
	x := random(1, 3, 70)
	copy(x.Float32s(), []float32{0, 1, -1, 0.5, -0.5, 2.5, -2.5, 1e-6, -1e-6, 20, -20})
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	below := func(v, y float64) float64 {
		if v < 0 {
			return y
		}
		return v
	}
	cases := []struct {
		op      string
		attrs   map[string]*ir.Attr
		version int
		f       func(v float64) float64
	}{
		{op: "Relu", f: func(v float64) float64 { return max(v, 0) }},
		{op: "LeakyRelu", f: func(v float64) float64 { return below(v, 0.01*v) }},
		{op: "LeakyRelu", attrs: attrs("alpha", float(0.5)), f: func(v float64) float64 { return below(v, 0.5*v) }},
		{op: "Elu", f: func(v float64) float64 { return below(v, math.Expm1(v)) }},
		{op: "Elu", attrs: attrs("alpha", float(2)), f: func(v float64) float64 { return below(v, 2*math.Expm1(v)) }},
		{op: "Selu", f: func(v float64) float64 {
			return 1.05070102214813232421875 * below(v, 1.67326319217681884765625*math.Expm1(v))
		}},
		{op: "Celu", attrs: attrs("alpha", float(2)), f: func(v float64) float64 { return max(v, 0) + min(0, 2*math.Expm1(v/2)) }},
		{op: "ThresholdedRelu", f: func(v float64) float64 {
			if v > 1 {
				return v
			}
			return 0
		}},
		{op: "Sigmoid", f: sigmoid},
		{op: "HardSigmoid", f: func(v float64) float64 { return min(max(float64(float32(0.2))*v+0.5, 0), 1) }},
		{op: "HardSwish", version: 14, f: func(v float64) float64 { return v * min(max(v/6+0.5, 0), 1) }},
		{op: "Tanh", f: math.Tanh},
		{op: "Softplus", f: func(v float64) float64 { return math.Log1p(math.Exp(v)) }},
		{op: "Softsign", f: func(v float64) float64 { return v / (1 + math.Abs(v)) }},
		{op: "Mish", version: 18, f: func(v float64) float64 { return v * math.Tanh(math.Log1p(math.Exp(v))) }},
		{op: "Gelu", version: 20, f: func(v float64) float64 { return v * 0.5 * math.Erfc(-v/math.Sqrt2) }},
		{op: "Gelu", version: 20, attrs: attrs("approximate", text("tanh")), f: func(v float64) float64 {
			return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
		}},
		{op: "Shrink", attrs: attrs("bias", float(0.25), "lambd", float(1)), f: func(v float64) float64 {
			switch {
			case v < -1:
				return v + 0.25
			case v > 1:
				return v - 0.25
			}
			return 0
		}},
		{op: "Erf", f: math.Erf}, {op: "Exp", f: math.Exp}, {op: "Log", f: math.Log}, {op: "Sqrt", f: math.Sqrt},
		{op: "Reciprocal", f: func(v float64) float64 { return 1 / v }},
		{op: "Abs", f: math.Abs}, {op: "Neg", f: func(v float64) float64 { return -v }},
		{op: "Floor", f: math.Floor}, {op: "Ceil", f: math.Ceil}, {op: "Round", f: math.RoundToEven},
		{op: "Sign", f: func(v float64) float64 {
			switch {
			case v > 0:
				return 1
			case v < 0:
				return -1
			}
			return 0
		}},
		{op: "Sin", f: math.Sin}, {op: "Cos", f: math.Cos}, {op: "Tan", f: math.Tan},
		{op: "Asin", f: math.Asin}, {op: "Acos", f: math.Acos}, {op: "Atan", f: math.Atan},
		{op: "Sinh", f: math.Sinh}, {op: "Cosh", f: math.Cosh},
		{op: "Asinh", f: math.Asinh}, {op: "Acosh", f: math.Acosh}, {op: "Atanh", f: math.Atanh},
		{op: "Clip", version: 10, attrs: attrs("min", float(-0.5), "max", float(0.75)), f: func(v float64) float64 { return min(max(v, -0.5), 0.75) }},
		{op: "Clip", version: 10, attrs: attrs("max", float(0.75)), f: func(v float64) float64 { return min(v, 0.75) }},
		{op: "Clip", f: func(v float64) float64 { return v }},
		{op: "Identity", f: func(v float64) float64 { return v }},
		{op: "Dropout", f: func(v float64) float64 { return v }},
	}
	for _, c := range cases {
		y := node{op: c.op, attrs: c.attrs, version: c.version, in: []*ir.Tensor{x}}.run(t)[0]
		require.Equal(t, x.Dims, y.Dims)
		want := make([]float64, x.Len())
		for i, v := range x.Float32s() {
			want[i] = c.f(float64(v))
		}
		near(t, want, y, 1e-6, c.op)
		empty := node{op: c.op, attrs: c.attrs, version: c.version, in: []*ir.Tensor{f32([]int{2, 0})}}.run(t)[0]
		require.Equal(t, []int{2, 0}, empty.Dims, c.op)
	}
	silu := node{op: "Silu", domain: ir.Internal, version: 1, in: []*ir.Tensor{x}}.run(t)[0]
	want := make([]float64, x.Len())
	for i, v := range x.Float32s() {
		want[i] = float64(v) * sigmoid(float64(v))
	}
	near(t, want, silu, 1e-6, "Silu")
}

func TestSignOfIntegers(t *testing.T) {
	for _, from := range []ir.DType{ir.Int8, ir.Int32, ir.Int64} {
		for _, dims := range [][]int{nil, {1, 1}, {3}} {
			for _, v := range []float32{-7, 0, 5} {
				x := f32(dims)
				for i := range x.Float32s() {
					x.Float32s()[i] = v
				}
				x = node{op: "Cast", attrs: attrs("to", integer(int64(from))), in: []*ir.Tensor{x}}.run(t)[0]
				y := node{op: "Sign", in: []*ir.Tensor{x}}.run(t)[0]
				y = node{op: "Cast", attrs: attrs("to", integer(int64(ir.Float32))), in: []*ir.Tensor{y}}.run(t)[0]
				for _, got := range y.Float32s() {
					require.Equal(t, float32(min(max(v, -1), 1)), got, "%v %v", from, dims)
				}
			}
		}
	}
}

func TestClipBounds(t *testing.T) {
	x := f32([]int{4}, -2, 0, 2, float32(math.NaN()))
	nan := math.NaN()
	run := func(lo, hi *ir.Tensor) *ir.Tensor {
		return node{op: "Clip", in: []*ir.Tensor{x, lo, hi}}.run(t)[0]
	}
	near(t, []float64{-1, 0, 1, nan}, run(f32(nil, -1), f32(nil, 1)), 0, "both")
	near(t, []float64{-2, 0, 1, nan}, run(nil, f32(nil, 1)), 0, "upper")
	near(t, []float64{-1, 0, 2, nan}, run(f32(nil, -1), nil), 0, "lower")
	near(t, []float64{1, 1, 1}, node{op: "Clip", in: []*ir.Tensor{f32([]int{3}, 0, 1, 5), f32(nil, 3), f32(nil, 1)}}.run(t)[0], 0, "crossed")
	// ONNX has the largest numbers where a bound is missing: an infinite element is clipped to them.
	inf := float32(math.Inf(1))
	ends := []float32{-math.MaxFloat32, 0, math.MaxFloat32}
	for _, n := range []node{{}, {version: 10}, {constant: true}} {
		n.op, n.in = "Clip", []*ir.Tensor{f32([]int{3}, -inf, 0, inf)}
		require.Equal(t, ends, n.run(t)[0].Float32s(), "opset %d", n.version)
	}
	require.Equal(t, []float32{-1, 0, math.MaxFloat32}, node{op: "Clip", in: []*ir.Tensor{f32([]int{3}, -inf, 0, inf), f32(nil, -1)}}.run(t)[0].Float32s())
	wide := ir.NewTensor(ir.Float64, 2)
	copy(wide.Float64s(), []float64{math.Inf(-1), math.Inf(1)})
	require.Equal(t, []float64{-math.MaxFloat64, math.MaxFloat64}, node{op: "Clip", in: []*ir.Tensor{wide}}.run(t)[0].Float64s())
	// Of 16 bits these are 65504 and 0x1.fep127.
	for kind, bits := range map[ir.DType]struct{ inf, largest, one uint16 }{ir.Float16: {0x7c00, 0x7bff, 0x3c00}, ir.BFloat16: {0x7f80, 0x7f7f, 0x3f80}} {
		narrow := ir.NewTensor(kind, 3)
		copy(slab.View[uint16](narrow.Data), []uint16{bits.inf | 0x8000, 0, bits.inf})
		lower := ir.NewTensor(kind)
		slab.View[uint16](lower.Data)[0] = bits.one | 0x8000
		for _, version := range []int{10, 12, 13} {
			n := node{op: "Clip", version: version, in: []*ir.Tensor{narrow}}
			require.Equal(t, []uint16{bits.largest | 0x8000, 0, bits.largest}, slab.View[uint16](n.run(t)[0].Data), "%s, opset %d", kind, version)
			if version == 10 {
				n.attrs = attrs("min", float(-1))
			} else {
				n.in = append(n.in, lower)
			}
			require.Equal(t, []uint16{bits.one | 0x8000, 0, bits.largest}, slab.View[uint16](n.run(t)[0].Data), "%s above -1, opset %d", kind, version)
		}
	}
	y := node{op: "Clip", in: []*ir.Tensor{list(-5, 5), i64(nil, -1), i64(nil, 1)}}.run(t)[0]
	require.Equal(t, []int64{-1, 1}, y.Int64s())
	_, err := node{op: "Clip", in: []*ir.Tensor{x, i64(nil, 1)}}.try()
	require.ErrorContains(t, err, "input 1 is int64, want float32 as input 0")
}

func TestPow(t *testing.T) {
	x := f32([]int{6}, -2, 0, 0.5, 3, 1e10, 1e-20)
	for _, e := range []float32{0, 1, 2, 3, 0.5, -1, 2.5, 4} {
		y := node{op: "Pow", in: []*ir.Tensor{x, f32(nil, e)}}.run(t)[0]
		for i, v := range x.Float32s() {
			want := float64(float32(math.Pow(float64(v), float64(e))))
			got := float64(y.Float32s()[i])
			if math.IsNaN(want) {
				require.True(t, math.IsNaN(got), "%v to the power %v", v, e)
			} else if want != got {
				require.InEpsilon(t, want, got, 3e-7, "%v to the power %v", v, e)
			}
		}
	}
	y := node{op: "Pow", in: []*ir.Tensor{x, list(2)}}.run(t)[0]
	require.Equal(t, float32(4), y.Float32s()[0], "the exponent may have another type")
}

func TestCast(t *testing.T) {
	kinds := []ir.DType{ir.Float32, ir.Uint8, ir.Int8, ir.Uint16, ir.Int16, ir.Int32, ir.Int64,
		ir.Bool, ir.Float16, ir.BFloat16, ir.Float64, ir.Uint32, ir.Uint64}
	// Values that each type holds, beyond the 64 elements of a block.
	wide := ir.NewTensor(ir.Float64, 150)
	for i := range wide.Float64s() {
		wide.Float64s()[i] = float64(i % 120)
	}
	cast := func(x *ir.Tensor, to ir.DType) *ir.Tensor {
		return node{op: "Cast", attrs: attrs("to", integer(int64(to))), in: []*ir.Tensor{x}}.run(t)[0]
	}
	for _, from := range kinds {
		x := cast(wide, from)
		for _, to := range kinds {
			y := cast(x, to)
			require.Equal(t, to, y.Type)
			back := cast(y, ir.Float64)
			for i, v := range wide.Float64s() {
				if v != 0 && (from == ir.Bool || to == ir.Bool) {
					v = 1
				}
				require.Equal(t, v, back.Float64s()[i], "%s to %s", from, to)
			}
		}
	}
	odd := f32([]int{7}, -1.9, 1.9, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e19, float32(math.Copysign(0, -1)))
	require.Equal(t, []int64{-1, 1, 0, math.MaxInt64, math.MinInt64, math.MaxInt64, 0}, cast(odd, ir.Int64).Int64s())
	require.Equal(t, []byte{1, 1, 1, 1, 1, 1, 0}, append([]byte{}, cast(odd, ir.Bool).Data...))
	halves := map[float64]uint16{0: 0, 1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65519.99: 0x7bff, 65520: 0x7c00, math.Inf(-1): 0xfc00,
		1.0 / (1 << 24): 1, 1.0 / (1 << 25): 0, 1.5 / (1 << 24): 2, 1.0 / (1 << 14): 0x0400, 1 + 1.0/2048: 0x3c00, 1 + 3.0/2048: 0x3c02,
		2047.999: 0x6800, 1.0/(1<<14) - 1e-9: 0x0400}
	for v, bits := range halves {
		x := ir.NewTensor(ir.Float64, 1)
		x.Float64s()[0] = v
		h := cast(x, ir.Float16)
		require.Equal(t, bits, uint16(h.Data[0])|uint16(h.Data[1])<<8, "%v as float16", v)
	}
	brains := map[float64]uint16{0: 0, 1: 0x3f80, -2: 0xc000, math.Inf(-1): 0xff80, 1e-45: 0, math.MaxFloat32: 0x7f80, 1e300: 0x7f80,
		1 + 0x1p-8: 0x3f80, 1 + 0x3p-8: 0x3f82, -1 - 0x1p-8: 0xbf80, // ties go to the even one
		1 + 0x1p-8 + 0x1p-40: 0x3f81, 1 + 0x3p-8 - 0x1p-40: 0x3f81, -1 - 0x1p-8 - 0x1p-40: 0xbf81, // and what float32 does not hold decides
		0x1p-133: 1, 0x1.8p-133: 2, 0x1p-134: 0, 0x1.0001p-134: 1}
	for v, bits := range brains {
		x := ir.NewTensor(ir.Float64, 1)
		x.Float64s()[0] = v
		h := cast(x, ir.BFloat16)
		require.Equal(t, bits, uint16(h.Data[0])|uint16(h.Data[1])<<8, "%v as bfloat16", v)
	}
	// Every float16 and bfloat16 comes back from float32 as it was.
	for kind, exponent := range map[ir.DType]int{ir.Float16: 0x7c00, ir.BFloat16: 0x7f80} {
		all := ir.NewTensor(kind, 1<<16)
		for i := range 1 << 16 {
			all.Data[2*i], all.Data[2*i+1] = byte(i), byte(i>>8)
		}
		wide := cast(all, ir.Float32)
		back := cast(wide, kind)
		for i := range 1 << 16 {
			if i&exponent == exponent && i&^exponent&0x7fff != 0 { // any NaN will do
				require.True(t, math.IsNaN(float64(wide.Float32s()[i])), "%s bits %#x", kind, i)
				continue
			}
			require.Equal(t, all.Data[2*i:2*i+2], append([]byte{}, back.Data[2*i:2*i+2]...), "%s bits %#x", kind, i)
			if kind == ir.BFloat16 {
				require.Equal(t, uint32(i)<<16, math.Float32bits(wide.Float32s()[i]))
			}
		}
	}
}

func TestWhereAndTests(t *testing.T) {
	cond := bools([]int{2, 1}, 1, 0)
	y := node{op: "Where", in: []*ir.Tensor{cond, f32([]int{3}, 1, 2, 3), f32([]int{1}, 9)}}.run(t)[0]
	require.Equal(t, []float32{1, 2, 3, 9, 9, 9}, y.Float32s())
	y = node{op: "Where", in: []*ir.Tensor{cond, list(1, 2), i64(nil, 7)}}.run(t)[0]
	require.Equal(t, []int64{1, 2, 7, 7}, y.Int64s())
	y = node{op: "Where", in: []*ir.Tensor{bools([]int{2}, 0, 5), bools([]int{2}, 1, 1), bools([]int{2}, 0, 0)}}.run(t)[0]
	require.Equal(t, []byte{0, 1}, append([]byte{}, y.Data...))
	odd := f32([]int{5}, 1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0)
	require.Equal(t, []int64{0, 1, 0, 0, 0}, node{op: "IsNaN", in: []*ir.Tensor{odd}}.run(t)[0].Ints())
	require.Equal(t, []int64{0, 0, 1, 1, 0}, node{op: "IsInf", in: []*ir.Tensor{odd}}.run(t)[0].Ints())
	require.Equal(t, []int64{0, 0, 1, 0, 0},
		node{op: "IsInf", attrs: attrs("detect_negative", integer(0)), in: []*ir.Tensor{odd}}.run(t)[0].Ints())
	require.Equal(t, []int64{1, 0}, node{op: "Not", in: []*ir.Tensor{bools([]int{2}, 0, 3)}}.run(t)[0].Ints())
}
