package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// report is a small input that failed for somebody: a model, what it is fed, and what is
// right. Each stands for a kind of input.
type report struct {
	file  string // of the shared test data, the same model as an exporter wrote it; "" for none
	model msg
	feeds []feed
	want  []float64
	dims  []int
	fails string // in place of want: part of a ShapeError or an UnsupportedError
}

// feed is an input's elements, stored as typ, an ONNX element type.
type feed struct {
	typ  ir.DType
	dims []int
	v    []float64
}

func floatsOf(dims []int, v ...float64) feed { return feed{ir.Float32, dims, v} }

// counted gives 1, 2, 3, …
func counted(dims ...int) feed {
	f := feed{ir.Float32, dims, nil}
	for i := range ir.Elements(dims) {
		f.v = append(f.v, float64(i+1))
	}
	return f
}

func modelAt(version int64, graph msg) msg {
	return msg{}.num(1, 8).bytes(7, graph).bytes(8, msg{}.str(1, "").num(2, version))
}

// answer runs a file and returns its first output.
func answer(file []byte, level string, feeds []feed) (out []float64, dims []int, err error) {
	g, err := Read(owned(file))
	if err != nil {
		return nil, nil, err
	}
	s, err := graph.NewSession(g, graph.Options{Optimize: level})
	if err != nil {
		return nil, nil, err
	}
	var shapes [][]int
	for _, f := range feeds {
		shapes = append(shapes, f.dims)
	}
	r, err := s.Prepare(shapes)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range feeds {
		in := r.In(i)
		if in.Type != f.typ {
			return nil, nil, fmt.Errorf("input %d is %s, fed %s", i, in.Type, f.typ)
		}
		for k, v := range f.v {
			switch in.Type {
			case ir.Float32:
				in.Float32s()[k] = float32(v)
			case ir.Int32:
				in.Int32s()[k] = int32(v)
			default:
				in.Data[k] = byte(v)
			}
		}
	}
	if err := r.Exec(); err != nil {
		return nil, nil, err
	}
	y := r.Out(0)
	for k := range y.Len() {
		switch y.Type {
		case ir.Float32:
			out = append(out, float64(y.Float32s()[k]))
		case ir.Int32:
			out = append(out, float64(y.Int32s()[k]))
		default:
			out = append(out, float64(y.Data[k]))
		}
	}
	return out, y.Dims, nil
}

func constOf(name string, dims []int, v ...float32) msg {
	return tensorOf(name, 1, dims...).bytes(9, rawFloats(v...))
}

func constInts(name string, v ...int64) msg { return tensorOf(name, 7, len(v)).bytes(9, rawInts(v...)) }

// ends gives a graph its inputs and the output y.
func ends(g msg, out msg, in ...msg) msg { return g.all(11, in...).bytes(12, out) }

// normalizedRows is x less its mean over its deviation (or over its root mean square), by rows of n.
func normalizedRows(x []float64, n int, centred bool) []float64 {
	y := make([]float64, len(x))
	for r := 0; r < len(x); r += n {
		mean, square := 0.0, 0.0
		for _, v := range x[r : r+n] {
			mean += v / float64(n)
		}
		if !centred {
			mean = 0
		}
		for _, v := range x[r : r+n] {
			square += (v - mean) * (v - mean) / float64(n)
		}
		for i, v := range x[r : r+n] {
			y[r+i] = (v - mean) / math.Sqrt(square+1e-5)
		}
	}
	return y
}

// scales are Scale's shapes over x [2 3 4], with the index into it of element i of x.
var scales = []struct {
	name  string
	dims  []int
	index func(i int) int
}{
	{"4", []int{4}, func(i int) int { return i % 4 }},
	{"3x4", []int{3, 4}, func(i int) int { return i % 12 }},
	{"1x3x4", []int{1, 3, 4}, func(i int) int { return i % 12 }},
	{"3x1", []int{3, 1}, func(i int) int { return i % 12 / 4 }},
	{"2x1x1", []int{2, 1, 1}, func(i int) int { return i / 12 }},
	{"2x3x4", []int{2, 3, 4}, func(i int) int { return i }},
	{"1x1x1", []int{1, 1, 1}, func(int) int { return 0 }},
}

func reports() []report {
	x234 := counted(2, 3, 4)
	function := func(attrs ...msg) msg { // scaled(a; factor = 2) = a·factor + second, which may be left out
		f := msg{}.str(1, "Scaled").str(4, "a").str(5, "out").str(6, "other").str(10, "my").
			bytes(9, msg{}.str(1, "").num(2, 13)).
			bytes(7, nodeOf("Constant", nil, []string{"f"}, msg{}.str(1, "value_float").num(20, 1).str(21, "factor"))).
			bytes(7, nodeOf("Mul", []string{"a", "f"}, []string{"out"}))
		return f.bytes(11, msg{}.str(1, "factor").num(20, 1).float(2, 2))
	}
	call := func(in, out string, attrs ...msg) msg {
		return nodeOf("Scaled", []string{in}, []string{out}, attrs...).str(7, "my")
	}
	withMine := func(g msg, functions ...msg) msg {
		return modelAt(17, g).bytes(8, msg{}.str(1, "my").num(2, 1)).all(25, functions...)
	}
	silu := msg{}.str(1, "MySilu").str(4, "X").str(5, "Y").str(10, "my").bytes(9, msg{}.str(1, "").num(2, 17)).
		bytes(7, nodeOf("Sigmoid", []string{"X"}, []string{"s"})).bytes(7, nodeOf("Mul", []string{"X", "s"}, []string{"Y"}))
	var siluWant []float64
	for i := range 6 {
		v := float64(i + 1)
		siluWant = append(siluWant, v/(1+math.Exp(-v)))
	}
	variance := []float32{1, -9.9999e-6}
	batch := func(nodes ...msg) msg {
		return modelAt(17, ends(graphOf(nodes...).all(5, constOf("s", []int{2}, 1, 1), constOf("b", []int{2}, 0, 0),
			constOf("m", []int{2}, 0, 0), constOf("v", []int{2}, variance...), constOf("w", []int{2, 2, 1}, 1, 0, 0, 1)),
			value("y", 1), value("x", 1, 1, 2, 2)))
	}
	norm := nodeOf("BatchNormalization", []string{"c", "s", "b", "m", "v"}, []string{"y"})
	var batchWant []float64
	for i, v := range []float64{1, 2, 3, 4} {
		batchWant = append(batchWant, v/math.Sqrt(float64(variance[i/2])+float64(float32(1e-5))))
	}
	one := func(version int64, n msg, in []msg, out msg, consts ...msg) msg {
		return modelAt(version, ends(graphOf(n).all(5, consts...), out, in...))
	}
	x := func(dims ...any) []msg { return []msg{value("x", 1, dims...)} }
	floating := func(name string, v float32) msg { return msg{}.str(1, name).num(20, 1).float(2, v) }
	str := func(name, v string) msg { return msg{}.str(1, name).num(20, 3).str(4, v) }
	branch := func(op, other string) msg {
		return graphOf(nodeOf(op, []string{"a", other}, []string{"r"})).bytes(12, value("r", 1))
	}
	resize := func(scale float32, n int) msg {
		return one(13, nodeOf("Resize", []string{"x", "", "s"}, []string{"y"}, str("mode", "linear"), str("coordinate_transformation_mode", "align_corners")),
			x(1, 1, 1, n), value("y", 1), constOf("s", []int{4}, 1, 1, 1, scale))
	}
	slice := func(start, end, step int64) msg {
		return one(13, nodeOf("Slice", []string{"x", "a", "b", "axes", "c"}, []string{"y"}), x(3), value("y", 1),
			constInts("a", start), constInts("b", end), constInts("axes", 0), constInts("c", step))
	}
	sparse := func(indices msg, dims ...int64) msg {
		s := msg{}.bytes(1, tensorOf("w", 1, 2).bytes(9, rawFloats(5, 7))).bytes(2, indices)
		for _, d := range dims {
			s = s.num(3, d)
		}
		return modelAt(17, ends(graphOf(nodeOf("Add", []string{"a", "w"}, []string{"y"})).bytes(15, s), value("y", 1), value("a", 1, 2, 3)))
	}
	list := []report{
		{"sym_same_name_other_size", modelAt(17, ends(graphOf(nodeOf("Add", []string{"a", "b"}, []string{"y"})), value("y", 1), value("a", 1, "N", 3), value("b", 1, "N", 3))),
			[]feed{counted(2, 3), counted(1, 3)}, []float64{2, 4, 6, 5, 7, 9}, []int{2, 3}, ""},
		{"batchnorm-negative-variance-alone", batch(nodeOf("BatchNormalization", []string{"x", "s", "b", "m", "v"}, []string{"y"})), nil, nil, nil, ""},
		{"batchnorm-negative-variance-after-relu", batch(nodeOf("Relu", []string{"x"}, []string{"c"}), norm), nil, nil, nil, ""},
		{"batchnorm-negative-variance-after-conv", batch(nodeOf("Conv", []string{"x", "w"}, []string{"c"}), norm), nil, nil, nil, ""},
		{"", sparse(tensorOf("", 7, 2, 2).bytes(9, rawInts(0, 0, 1, 2)), 2, 3), []feed{counted(2, 3)}, []float64{6, 2, 3, 4, 5, 13}, []int{2, 3}, ""},
		{"sparse_initializer", sparse(constInts("", 0, 2), 3), []feed{counted(2, 3)}, []float64{6, 2, 10, 9, 5, 13}, []int{2, 3}, ""},
		{"local_function", withMine(ends(graphOf(nodeOf("MySilu", []string{"a"}, []string{"y"}).str(7, "my")), value("y", 1), value("a", 1, 2, 3)), silu),
			[]feed{counted(2, 3)}, siluWant, []int{2, 3}, ""},
		{"local_function_unused", withMine(ends(graphOf(nodeOf("Relu", []string{"a"}, []string{"y"})), value("y", 1), value("a", 1, 2, 3)), silu.bytes(7, nodeOf("Nobody", nil, []string{"k"}))),
			[]feed{counted(2, 3)}, []float64{1, 2, 3, 4, 5, 6}, []int{2, 3}, ""},
		// A default attribute and a given one; a function within an If; a function within a function, whose result is its input.
		{"", withMine(ends(graphOf(call("a", "t"), call("t", "y", floating("factor", -0.5))), value("y", 1), value("a", 1, 2)), function()),
			[]feed{counted(2)}, []float64{-1, -2}, []int{2}, ""},
		{"", withMine(ends(graphOf(nodeOf("If", []string{"c"}, []string{"y"}, attrGraph("then_branch", graphOf(call("a", "r")).bytes(12, value("r", 1))),
			attrGraph("else_branch", branch("Add", "a")))), value("y", 1), value("c", 9), value("a", 1, 2)), function()),
			[]feed{{ir.Bool, nil, []float64{1}}, counted(2)}, []float64{2, 4}, []int{2}, ""},
		{"", withMine(ends(graphOf(nodeOf("Outer", []string{"a"}, []string{"y", "z"}).str(7, "my")), value("z", 1), value("a", 1, 2)), function(),
			msg{}.str(1, "Outer").str(4, "a").str(4, "left").str(5, "a").str(5, "b").str(10, "my").bytes(7, call("a", "m")).
				bytes(7, nodeOf("Clip", []string{"m", "left", "left"}, []string{"b"}))),
			[]feed{counted(2)}, []float64{2, 4}, []int{2}, ""},
		{"if_cond_1d", modelAt(17, ends(graphOf(nodeOf("If", []string{"c"}, []string{"y"}, attrGraph("then_branch", branch("Add", "w")),
			attrGraph("else_branch", branch("Mul", "w")))).bytes(5, constOf("w", []int{2, 3}, 10, 20, 30, 10, 20, 30)), value("y", 1), value("c", 9), value("a", 1, 2, 3))),
			[]feed{{ir.Bool, []int{1}, []float64{1}}, counted(2, 3)}, []float64{11, 22, 33, 14, 25, 36}, []int{2, 3}, ""},
		{"conv_larger_than_input", one(17, nodeOf("Conv", []string{"x", "w"}, []string{"y"}), x(1, 1, "n"), value("y", 1), constOf("w", []int{1, 1, 3}, 1, 1, 1)),
			[]feed{counted(1, 1, 2)}, nil, nil, "x [1 1 2] has planes of 2 with their pads, smaller than the window of 3"},
		{"pool_larger_than_input", one(17, nodeOf("MaxPool", []string{"x"}, []string{"y"}, attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2)), x(1, 1, "h", "w"), value("y", 1)),
			[]feed{floatsOf([]int{1, 1, 1, 1}, 7)}, []float64{7}, []int{1, 1, 1, 1}, ""},
		{"", one(17, nodeOf("AveragePool", []string{"x"}, []string{"y"}, attrInts("kernel_shape", 3, 2), attrInts("strides", 2, 2)), x(1, 1, "h", "w"), value("y", 1)),
			[]feed{floatsOf([]int{1, 1, 2, 3}, 1, 2, 9, 3, 6, 9)}, []float64{3}, []int{1, 1, 1, 1}, ""},
		{"", one(17, nodeOf("MaxPool", []string{"x"}, []string{"y"}, attrInts("kernel_shape", 2, 2)), x(1, 1, "h", "w"), value("y", 1)),
			[]feed{floatsOf([]int{1, 1, 1, 1}, 7)}, nil, nil, "x [1 1 1 1] has planes of 1×1 with their pads, smaller than the window of 2×2"},
		{"resize_align_corners_scales", resize(2.5, 5), []feed{counted(1, 1, 1, 5)},
			[]float64{1, 15 / 11., 19 / 11., 23 / 11., 27 / 11., 31 / 11., 35 / 11., 39 / 11., 43 / 11., 47 / 11., 51 / 11., 5}, []int{1, 1, 1, 12}, ""},
		{"", resize(0.6, 4), []feed{counted(1, 1, 1, 4)}, []float64{1, 1 + 3/1.4}, []int{1, 1, 1, 2}, ""},
		{"slice_start_before_beginning", slice(-5, math.MinInt32, -1), []feed{counted(3)}, []float64{1}, []int{1}, ""},
		{"", slice(-5, 2, 1), []feed{counted(3)}, []float64{1, 2}, []int{2}, ""},
		{"", slice(5, -2, -1), []feed{counted(3)}, []float64{3}, []int{1}, ""},
		{"cast_negative_to_uint8", one(17, nodeOf("Cast", []string{"x"}, []string{"y"}, attrInt("to", 2)), x(2), value("y", 2)),
			[]feed{floatsOf([]int{2}, -20, 300)}, []float64{236, 44}, []int{2}, ""},
		{"reducelogsumexp_int", one(17, nodeOf("ReduceLogSumExp", []string{"x"}, []string{"y"}), []msg{value("x", 6, 2)}, value("y", 6)),
			[]feed{{ir.Int32, []int{2}, []float64{3, 3}}}, []float64{3}, []int{1}, ""},
		{"", one(17, nodeOf("ReduceLogSumExp", []string{"x"}, []string{"y"}), []msg{value("x", 6, 2)}, value("y", 6)),
			[]feed{{ir.Int32, []int{2}, []float64{-3, -3}}}, []float64{-2}, []int{1}, ""},
	}
	for i := range list {
		if strings.HasPrefix(list[i].file, "batchnorm") {
			list[i].feeds, list[i].want, list[i].dims = []feed{counted(1, 2, 2)}, batchWant, []int{1, 2, 2}
		}
	}
	for _, s := range scales {
		n := 1
		for _, d := range s.dims {
			n *= d
		}
		scale, bias := make([]float32, n), make([]float32, n)
		for i := range scale {
			scale[i], bias[i] = float32(i+1)/4, float32(3-i)
		}
		for _, op := range []string{"LayerNormalization", "RMSNormalization"} {
			want := normalizedRows(x234.v, 4, op[0] == 'L')
			in := []string{"x", "s"}
			if op[0] == 'L' {
				in = append(in, "b")
			}
			for i := range want {
				want[i] *= float64(scale[s.index(i)])
				if op[0] == 'L' {
					want[i] += float64(bias[s.index(i)])
				}
			}
			list = append(list, report{"", one(23, nodeOf(op, in, []string{"y"}, attrInt("axis", -1)), x(2, 3, 4), value("y", 1),
				constOf("s", s.dims, scale...), constOf("b", s.dims, bias...)), []feed{x234}, want, []int{2, 3, 4}, ""})
		}
	}
	// Attributes that only the optimizer may give.
	for _, op := range []string{"Conv", "MatMul", "Gemm", "BatchNormalization", "HardSwish"} {
		in := map[string][]string{"Conv": {"x", "w"}, "MatMul": {"x", "w"}, "Gemm": {"x", "w"}, "HardSwish": {"x"}, "BatchNormalization": {"x", "s", "s", "s", "s"}}[op]
		attr, missing := str("activation", "relu"), "attribute activation"
		if op == "HardSwish" {
			attr, missing = floating("alpha", 1), "attribute alpha"
		}
		list = append(list, report{"", one(17, nodeOf(op, in, []string{"y"}, attr), x(1, 1, 1), value("y", 1), constOf("w", []int{1, 1, 1}, 1), constOf("s", []int{1}, 1)),
			[]feed{counted(1, 1, 1)}, nil, nil, op + " " + missing})
	}
	return list
}

// Inputs that failed for somebody give the right results, as they are written and optimized.
func TestReports(t *testing.T) {
	for i, c := range reports() {
		for _, level := range []string{"none", "all"} {
			t.Run(fmt.Sprint(i, c.file, "/", level), func(t *testing.T) { c.check(t, c.model, level) })
		}
	}
}

func (c *report) check(t *testing.T, file []byte, level string) {
	got, dims, err := answer(file, level, c.feeds)
	if c.fails != "" {
		var shape *ir.ShapeError
		var missing *ir.UnsupportedError
		require.True(t, errors.As(err, &shape) || errors.As(err, &missing), "%v", err)
		require.ErrorContains(t, err, c.fails)
		return
	}
	require.NoError(t, err)
	require.Equal(t, c.dims, dims)
	for i, want := range c.want {
		require.InDelta(t, want, got[i], 1e-5*max(1, math.Abs(want)), "element %d of %v", i, got)
	}
}

// The same as exporters wrote it. (Those whose constants are others have to run.)
func TestReportFiles(t *testing.T) {
	dir := testkit.DataDir(t, "reports")
	given := map[string]*report{}
	for _, c := range reports() {
		given[c.file] = &c
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 22)
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, level := range []string{"none", "all"} {
			t.Run(name+"/"+level, func(t *testing.T) {
				switch c := given[name]; {
				case strings.HasPrefix(name, "unknown-ops"):
					_, _, err := answer(file, level, nil)
					var missing *ir.UnsupportedError
					require.ErrorAs(t, err, &missing)
					require.Contains(t, err.Error(), "and 3968 more")
				case name == "decoder-past" || name == "dynamic-500":
					g, err := Read(owned(file))
					require.NoError(t, err)
					_, err = graph.NewSession(g, graph.Options{Optimize: level})
					require.NoError(t, err)
				case c != nil && !strings.HasPrefix(name, "batchnorm"):
					c.check(t, file, level)
				default:
					feeds := []feed{counted(2, 3, 4)}
					if c != nil {
						feeds = c.feeds
					} else if name == "output-named-proto" {
						feeds = []feed{counted(2)}
					}
					got, _, err := answer(file, level, feeds)
					require.NoError(t, err)
					for _, v := range got {
						require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%v", got)
					}
				}
			})
		}
	}
}

// unknown is a model of n operators that nobody knows, all different.
func unknown(n int) msg {
	g := msg{}
	in := "x"
	for i := range n {
		out := fmt.Sprint("v", i)
		g = g.bytes(1, nodeOf(fmt.Sprint("Nobody", i), []string{in}, []string{out}))
		in = out
	}
	return model(ends(g, value(in, 1), value("x", 1, 1)))
}

// What a model lacks is named as far as a reader wants to know it, then counted: neither the message nor the memory
// that it takes grows with the model.
func TestUnknownOperatorsAreCounted(t *testing.T) {
	length := 0
	for n, more := range map[int]string{33: ", and 1 more", 4000: ", and 3968 more", 16000: ", and more than 4064 more"} {
		g, err := Read(unknown(n))
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = graph.NewSession(g, graph.Options{})
		var missing *ir.UnsupportedError
		require.ErrorAs(t, err, &missing)
		message := err.Error()
		runtime.ReadMemStats(&after)
		assert.Len(t, missing.Missing, 33)
		assert.True(t, strings.HasSuffix(message, more), "%s", message)
		assert.Contains(t, message, "Nobody31 (opset 13)")
		length = max(length, len(message))
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "%d operators", n)
	}
	assert.Less(t, length, 1000)
	g, err := Read(unknown(32))
	require.NoError(t, err)
	_, err = graph.NewSession(g, graph.Options{})
	require.NotContains(t, err.Error(), "more")
}

// Functions that call each other: in circles, and so that few bytes would make many nodes.
func TestFunctionsAreBounded(t *testing.T) {
	named := func(name string, nodes ...msg) msg {
		return msg{}.str(1, name).str(4, "a").str(5, "b").str(10, "my").all(7, nodes...)
	}
	call := func(name, in, out string) msg {
		return nodeOf(name, []string{in}, []string{out}).str(7, "my")
	}
	whole := func(functions ...msg) msg {
		return modelAt(17, ends(graphOf(call("f0", "x", "y")), value("y", 1), value("x", 1, 1))).bytes(8, msg{}.str(1, "my").num(2, 1)).all(25, functions...)
	}
	var tower []msg
	for i := range 15 { // 30¹⁵ calls
		var nodes []msg
		for k := range 30 {
			in, out := fmt.Sprint("t", k), fmt.Sprint("t", k+1)
			if k == 0 {
				in = "a"
			}
			if k == 29 {
				out = "b"
			}
			nodes = append(nodes, call(fmt.Sprint("f", i+1), in, out))
		}
		tower = append(tower, named(fmt.Sprint("f", i), nodes...))
	}
	tower = append(tower, named("f15", nodeOf("Relu", []string{"a"}, []string{"b"})))
	heavy := make([]msg, 0, 2000) // a long name in a function that is called often
	for i := range 2000 {
		heavy = append(heavy, call("f1", "a", fmt.Sprint("h", i)))
	}
	for name, c := range map[string]struct {
		file msg
		want string
	}{
		"itself":    {whole(named("f0", call("f0", "a", "b"))), "is called more than 16 deep"},
		"a tower":   {whole(tower...), "more than 524288 nodes"},
		"long ones": {whole(named("f0", append(heavy, call("f1", "a", "b"))...), named("f1", nodeOf(strings.Repeat("o", 1<<20), []string{"a"}, []string{"b"}))), "far more of the model than the file has"},
		"twice":     {whole(named("f0"), named("f0")), "is defined twice"},
		"no result": {whole(named("f0", nodeOf("Relu", []string{"a"}, []string{"c"}))), `output "b" of function "my.f0" is computed by no node`},
		"redefines": {whole(named("f0", nodeOf("Relu", []string{"a"}, []string{"a"}))), `value "a" of function "my.f0" is defined twice`},
		"outside":   {whole(named("f0", nodeOf("Add", []string{"a", "x"}, []string{"b"}))), `uses "x", which nothing defines`},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			_, err := Read(owned(c.file))
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, c.want)
			assert.Less(t, time.Since(begin), 20*time.Second)
		})
	}
}

// A sparse tensor may be larger than its file, but not by any factor; its indices are checked.
func TestSparseInitializersAreBounded(t *testing.T) {
	with := func(indices msg, dims ...int64) msg {
		s := msg{}.bytes(1, tensorOf("w", 1, 2).bytes(9, rawFloats(5, 7))).bytes(2, indices)
		for _, d := range dims {
			s = s.num(3, d)
		}
		return model(ends(graphOf(nodeOf("Relu", []string{"w"}, []string{"y"})).bytes(15, s), value("y", 1)))
	}
	for name, c := range map[string]struct {
		file msg
		want string
	}{
		"huge":          {with(constInts("", 0, 2), 1<<30), "far more than the file has elements"},
		"product":       {with(constInts("", 0, 2), 1<<20, 1<<20, 1<<20), "has dimensions [1048576 1048576 1048576]"},
		"negative":      {with(constInts("", 0, 2), -3), "has dimensions [-3]"},
		"no dimensions": {with(constInts("", 0, 2)), "has 0 dimensions, want 1 to 32"},
		"beyond":        {with(constInts("", 0, 6), 2, 3), "has the index 6"},
		"below":         {with(constInts("", 0, -1), 2, 3), "has the index -1"},
		"in one row":    {with(tensorOf("", 7, 2, 2).bytes(9, rawInts(0, 0, 1, 3)), 2, 3), "has the index 3"},
		"too few":       {with(constInts("", 0), 2, 3), "has 2 values and indices of dimensions [1]"},
		"floats":        {with(constOf("", []int{2}, 0, 1), 2, 3), "are missing, or no int64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(owned(c.file))
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, c.want)
		})
	}
}
