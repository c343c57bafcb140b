package onnx

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// seeds are small models that touch the reader's and the operators' features.
func seeds() []msg {
	f := func(name string, dims ...int) msg {
		n := 1
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.Sin(float64(i))) + 0.25
		}
		return tensorOf(name, 1, dims...).bytes(9, rawFloats(v...))
	}
	ints := func(name string, v ...int64) msg { return tensorOf(name, 7, len(v)).bytes(9, rawInts(v...)) }
	scalar := func(name string, v int64) msg { return tensorOf(name, 7).bytes(9, rawInts(v)) }
	float := func(name string, v float32) msg { return msg{}.str(1, name).num(20, 1).float(2, v) }
	text := func(name, v string) msg { return msg{}.str(1, name).num(20, 3).str(4, v) }
	// one is a model of one node over x, a float32 [1, 4, n, 6], and constants.
	one := func(version int64, op string, in string, attrs []msg, consts ...msg) msg {
		g := graphOf(nodeOf(op, operands(in), []string{"y"}, attrs...)).all(5, consts...).
			bytes(11, value("x", 1, 1, 4, "n", 6)).bytes(12, value("y", 1))
		return msg{}.num(1, 8).bytes(7, g).bytes(8, msg{}.str(1, "").num(2, version))
	}
	branch := func(op string) msg {
		return graphOf(nodeOf(op, []string{"x"}, []string{"r"})).bytes(12, value("r", 1))
	}
	list := []msg{
		small(),
		model(graphOf(
			nodeOf("Shape", []string{"x"}, []string{"s"}),
			nodeOf("Gather", []string{"s", "two"}, []string{"n"}, attrInt("axis", 0)),
			nodeOf("Constant", nil, []string{"one"}, attrInts("value_ints", 1)),
			nodeOf("Concat", []string{"one", "n", "rest"}, []string{"t"}, attrInt("axis", 0)),
			nodeOf("Reshape", []string{"x", "t"}, []string{"y"})).all(5, ints("two", 2), ints("rest", -1)).
			bytes(11, value("x", 1, 1, 4, "n", 6)).bytes(12, value("y", 1))),
		model(graphOf(
			nodeOf("ReduceSum", []string{"x"}, []string{"s"}, attrInt("keepdims", 0)),
			nodeOf("Greater", []string{"s", "s"}, []string{"c"}),
			nodeOf("If", []string{"c"}, []string{"y"}, attrGraph("then_branch", branch("Relu")), attrGraph("else_branch", branch("Neg"))),
		).bytes(11, value("x", 1, "n", 2)).bytes(12, value("y", 1))),
		model(graphOf( // a shape that depends on the data
			nodeOf("Cast", []string{"x"}, []string{"i"}, attrInt("to", 7)),
			nodeOf("ReduceMax", []string{"i"}, []string{"m"}, attrInt("keepdims", 0)),
			nodeOf("Range", []string{"zero", "m", "one"}, []string{"y"})).all(5, scalar("zero", 0), scalar("one", 1)).
			bytes(11, value("x", 1, "n")).bytes(12, value("y", 7))),
		model(graphOf( // LayerNorm, spelled out
			nodeOf("ReduceMean", []string{"x"}, []string{"m"}, attrInts("axes", -1)),
			nodeOf("Sub", []string{"x", "m"}, []string{"d"}),
			nodeOf("Pow", []string{"d", "two"}, []string{"q"}),
			nodeOf("ReduceMean", []string{"q"}, []string{"v"}, attrInts("axes", -1)),
			nodeOf("Add", []string{"v", "eps"}, []string{"e"}),
			nodeOf("Sqrt", []string{"e"}, []string{"r"}),
			nodeOf("Div", []string{"d", "r"}, []string{"z"}),
			nodeOf("Mul", []string{"z", "g"}, []string{"u"}),
			nodeOf("Add", []string{"u", "b"}, []string{"y"})).
			all(5, tensorOf("two", 1).bytes(9, rawFloats(2)), tensorOf("eps", 1).bytes(9, rawFloats(1e-5)), f("g", 6), f("b", 6)).
			bytes(11, value("x", 1, "n", 6)).bytes(12, value("y", 1))),
		model(graphOf( // Conv, BatchNormalization, Clip
			nodeOf("Conv", []string{"x", "w"}, []string{"c"}, attrInts("kernel_shape", 3, 3), attrInts("pads", 1, 1, 1, 1), attrInts("strides", 2, 1), attrInt("group", 2)),
			nodeOf("BatchNormalization", []string{"c", "a", "a", "a", "a"}, []string{"n"}),
			nodeOf("Clip", []string{"n", "zero", "six"}, []string{"y"})).
			all(5, f("w", 2, 2, 3, 3), f("a", 2), tensorOf("zero", 1).bytes(9, rawFloats(0)), tensorOf("six", 1).bytes(9, rawFloats(6))).
			bytes(11, value("x", 1, 1, 4, "n", 6)).bytes(12, value("y", 1))),
		one(13, "MatMul", "x w", nil, f("w", 6, 3)),
		one(13, "Gemm", "v w b", []msg{attrInt("transB", 1), float("alpha", 0.5)}, f("v", 2, 3), f("w", 4, 3), f("b", 4)),
		one(13, "Softmax", "x", []msg{attrInt("axis", 1)}),
		one(11, "Softmax", "x", []msg{attrInt("axis", 1)}),
		one(13, "Transpose", "x", []msg{attrInts("perm", 0, 2, 3, 1)}),
		one(13, "Slice", "x a b c d", nil, ints("a", -3), ints("b", 100), ints("c", 3), ints("d", 2)),
		one(9, "Slice", "x", []msg{attrInts("starts", 1), attrInts("ends", -1), attrInts("axes", 3)}),
		one(13, "Split", "x s", []msg{attrInt("axis", 1)}, ints("s", 1, 3)),
		one(13, "Squeeze", "x s", nil, ints("s", 0)),
		one(13, "Unsqueeze", "x s", nil, ints("s", 0, -1)),
		one(13, "Expand", "x s", nil, ints("s", 2, 1, 1, 1, 1)),
		one(13, "Tile", "x s", nil, ints("s", 1, 2, 1, 3)),
		one(13, "ConstantOfShape", "s", []msg{msg{}.str(1, "value").num(20, 4).bytes(5, tensorOf("", 1, 1).bytes(9, rawFloats(3)))}, ints("s", 2, 3)),
		one(13, "Pad", "x s", []msg{text("mode", "reflect")}, ints("s", 0, 0, 0, 1, 0, 0, 0, 2)),
		one(13, "Gather", "x s", []msg{attrInt("axis", 3)}, ints("s", 5, -6)),
		one(13, "OneHot", "s d v", []msg{attrInt("axis", -1)}, ints("s", 1, 0, 2), scalar("d", 3), f("v", 2)),
		one(13, "AveragePool", "x", []msg{attrInts("kernel_shape", 2, 2), text("auto_pad", "SAME_UPPER"), attrInt("count_include_pad", 1)}),
		one(13, "MaxPool", "x", []msg{attrInts("kernel_shape", 1, 3), attrInt("ceil_mode", 1), attrInts("strides", 1, 2), attrInts("dilations", 1, 2)}),
		one(13, "GlobalAveragePool", "x", nil),
		one(13, "ConvTranspose", "x w", []msg{attrInts("strides", 2, 2), attrInts("output_padding", 1, 1), attrInts("pads", 1, 0, 1, 0)}, f("w", 4, 2, 2, 3)),
		one(13, "LRN", "x", []msg{attrInt("size", 3)}),
		one(17, "LayerNormalization", "x g", []msg{attrInt("axis", -1)}, f("g", 6)),
		one(21, "GroupNormalization", "x g g", []msg{attrInt("num_groups", 2)}, f("g", 4)),
		one(13, "InstanceNormalization", "x g g", nil, f("g", 4)),
		one(13, "ReduceSum", "x s", []msg{attrInt("keepdims", 0)}, ints("s", 1, -1)),
		one(11, "ReduceLogSumExp", "x", []msg{attrInts("axes", 2)}),
		one(13, "ArgMax", "x", []msg{attrInt("axis", 1), attrInt("select_last_index", 1)}),
		one(13, "TopK", "x k", []msg{attrInt("axis", 3)}, ints("k", 2)),
		one(13, "Where", "c x w", nil, tensorOf("c", 9, 6).bytes(9, []byte{1, 0, 1, 0, 0, 1}), f("w", 1)),
		one(13, "Einsum", "x x", []msg{text("equation", "abcd,abce->abde")}),
		one(13, "Resize", "x - s", []msg{text("mode", "nearest")}, f("s", 4)),
		one(13, "DepthToSpace", "x", []msg{attrInt("blocksize", 2)}),
		one(13, "CumSum", "x k", nil, scalar("k", 2)),
		one(14, "Trilu", "x k", nil, scalar("k", 1)),
		one(13, "HardSigmoid", "x", []msg{float("alpha", 0.3)}),
		one(13, "Erf", "x", nil),
		one(13, "Mod", "x x", []msg{attrInt("fmod", 1)}),
		one(13, "Pow", "x x", nil),
		one(13, "PRelu", "x w", nil, f("w", 4, 1, 1)),
		one(13, "ScatterND", "x s u", nil, ints("s", 0), f("u", 4, 1, 6)),
		one(13, "GatherND", "x s", nil, ints("s", 0, 1)),
		one(13, "NonZero", "x", nil),
		one(13, "Flatten", "x", []msg{attrInt("axis", 2)}),
	}
	return list
}

// operands splits a list of names, of which "-" is an omitted one.
func operands(list string) []string {
	names := strings.Fields(list)
	for i, n := range names {
		if n == "-" {
			names[i] = ""
		}
	}
	return names
}

func addSeeds(f *testing.F) {
	for _, m := range seeds() {
		f.Add([]byte(m), byte(0x21))
	}
	for _, c := range reports() {
		f.Add([]byte(c.model), byte(0x21))
	}
	all := networks()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f.Add([]byte(all[name]), byte(0x21))
	}
	// The conformance models, where they are.
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "conformance", "onnx-norm", "*", "model.onnx"))
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b, byte(0x21))
		}
	}
}

// owned is a copy of a file that Read may take over.
func owned(file []byte) []byte {
	b := slab.New(len(file))
	copy(b, file)
	return b
}

// FuzzRead holds that no file crashes the reader, that what it refuses it
// refuses with a LoadError, and that what it accepts is a graph in which
// everything is defined before it is used.
func FuzzRead(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, file []byte, _ byte) {
		g, err := Read(owned(file))
		if err != nil {
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad)
			return
		}
		if g.Missing.Any() { // what an unsupported Constant would have given has no value
			_, err := graph.NewSession(g, graph.Options{})
			var missing *ir.UnsupportedError
			var bad *ir.LoadError
			require.True(t, errors.As(err, &missing) || errors.As(err, &bad), "%v", err)
			return
		}
		wellFormed(t, g, map[*ir.Value]bool{})
	})
}

func wellFormed(t *testing.T, g *ir.Graph, defined map[*ir.Value]bool) {
	for _, v := range g.Inputs {
		defined[v] = true
	}
	use := func(v *ir.Value) {
		require.True(t, v == nil || v.Const != nil || defined[v])
		if v != nil && v.Const != nil && v.Const.Type.Size() > 0 && len(v.Const.Data) > 0 {
			require.Equal(t, v.Const.Len()*v.Const.Type.Size(), len(v.Const.Data))
			require.Zero(t, slab.Addr(v.Const.Data)%uintptr(v.Const.Type.Size()))
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			use(v)
		}
		for _, sub := range n.Subgraphs() {
			wellFormed(t, sub, defined)
		}
		for _, v := range n.Outputs {
			require.False(t, defined[v] && v != nil)
			defined[v] = true
		}
	}
	for _, v := range g.Outputs {
		use(v)
	}
}

// FuzzModel takes a file all the way to a run with small inputs. Whatever is
// wrong with it has to be found by a check: a panic that was caught counts as a
// failure here.
func FuzzModel(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, file []byte, sizes byte) {
		for _, level := range []string{"none", "all"} {
			g, err := ReadWith(owned(file), Options{Files: beside()})
			if err != nil {
				return
			}
			run(t, g, sizes, level)
		}
	})
}

func run(t *testing.T, g *ir.Graph, sizes byte, level string) {
	s, err := graph.NewSession(g, graph.Options{Optimize: level, MaxBytes: 1 << 20, MaxTrips: 1000, Own: true})
	if refused(t, err) {
		return
	}
	var dims [][]int
	counts := countsOf(s.Inputs())
	for _, in := range eachTensor(s.Inputs(), counts) {
		d := []int{}
		for _, dim := range in.Dims {
			if dim.Size < 0 {
				dim.Size = int(sizes & 3)
				sizes = sizes>>2 | sizes<<6
			}
			d = append(d, dim.Size)
		}
		dims = append(dims, d)
	}
	r, err := s.PrepareLists(counts, dims, nil)
	if refused(t, err) {
		return
	}
	for i := range dims {
		in := r.In(i)
		switch in.Type {
		case ir.Float32:
			for k := range in.Float32s() {
				in.Float32s()[k] = float32(math.Sin(float64(k) + float64(sizes)))
			}
		default:
			for k := range in.Data {
				in.Data[k] = byte(k+int(sizes)) & 1
			}
		}
	}
	for range 2 {
		if refused(t, r.Exec()) {
			return
		}
	}
	for i, out := range eachTensor(s.Outputs(), r.Counts()) {
		tensor := r.Out(i)
		if size := tensor.Type.Size(); size > 0 {
			require.Equal(t, tensor.Len()*size, len(tensor.Data), out.Name)
		}
	}
}

// FuzzNodes takes valid nodes and changes what bytes name: an attribute's
// number, a constant's element, its dimensions, an operand, the opset.
func FuzzNodes(f *testing.F) {
	files := seeds()
	all := networks()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		files = append(files, all[name])
	}
	rnd := rand.New(rand.NewPCG(17, 19))
	for i := range files {
		for n := range 8 {
			b := make([]byte, 1+5*n)
			for k := range b {
				b[k] = byte(rnd.Uint32())
			}
			b[0] = byte(i)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		for _, level := range []string{"none", "all"} {
			g, err := ReadWith(owned(files[int(b[0])%len(files)]), Options{Files: beside()})
			require.NoError(t, err)
			sizes := byte(len(b)*7) | 1
			for rest := b[1:]; len(rest) >= 5; rest = rest[5:] {
				mutate(g, rest)
			}
			run(t, g, sizes, level)
		}
	})
}

// absurd are numbers that a file may hold.
var absurd = []int64{0, 1, 2, 3, -1, -2, 4, 6, 7, 100, -100, math.MaxInt32, math.MinInt32, 1 << 31, 1 << 40, 1 << 62, math.MaxInt64, math.MinInt64}

// mutate changes one thing, which five bytes choose.
func mutate(g *ir.Graph, b []byte) {
	n := g.Nodes[int(b[0])%len(g.Nodes)]
	number := absurd[int(b[3])%len(absurd)]
	at := func(length int) int { return int(b[4]) % length }
	name := ""
	if len(n.Attrs) > 0 {
		names := slices.Sorted(maps.Keys(n.Attrs))
		name = names[int(b[2])%len(names)]
	}
	var v *ir.Value
	if len(n.Inputs) > 0 {
		v = n.Inputs[int(b[2])%len(n.Inputs)]
	}
	switch b[1] % 9 {
	case 0, 1:
		if a := n.Attrs[name]; a != nil {
			a.I, a.F = number, float32(number)
			if len(a.Ints) > 0 {
				a.Ints[at(len(a.Ints))] = number
			}
		}
	case 2:
		if a := n.Attrs[name]; a != nil {
			if a.Ints = append(a.Ints, number); b[4]&1 == 0 {
				a.Ints = a.Ints[:len(a.Ints)/2]
			}
		}
	case 3:
		delete(n.Attrs, name)
	case 4:
		if v != nil && v.Const != nil && v.Type == ir.Int64 && v.Const.Len() > 0 {
			v.Const.Int64s()[at(v.Const.Len())] = number
		}
	case 5: // another constant: fewer elements, a scalar, other dimensions
		if v != nil && v.Const != nil {
			t := ir.NewTensor(v.Type, [][]int{{}, {1}, {2}, {0}, {3, 1}, {4, 2, 3, 3}, {1, 4, 1, 1}, {2, 0}}[at(8)]...)
			copy(t.Data, v.Const.Data)
			v.Const = t
		}
	case 6: // an operand less, or omitted, or one more
		switch {
		case len(n.Inputs) == 0:
		case b[4]%3 == 0:
			n.Inputs = n.Inputs[:len(n.Inputs)-1]
		case b[4]%3 == 1:
			n.Inputs[int(b[2])%len(n.Inputs)] = nil
		default:
			n.Inputs = append(n.Inputs, n.Inputs[0])
		}
	case 7:
		if len(n.Inputs) > 0 {
			n.Inputs[int(b[2])%len(n.Inputs)] = n.Inputs[int(b[4])%len(n.Inputs)]
		}
	case 8:
		n.Version = 7 + int(b[3])%17
		n.Outputs = append(n.Outputs, &ir.Value{Name: "more"})
	}
}

// FuzzExternal says of a tensor that its elements are in a file, wherever: what is listed and what is read agree, and no
// path leads out of the model's folder.
func FuzzExternal(f *testing.F) {
	for _, location := range locations {
		for _, offset := range offsets {
			f.Add(location, offset, "")
			f.Add(location, "", offset)
		}
	}
	f.Add("a/./b", "1000", "24")
	f.Fuzz(func(t *testing.T, location, offset, length string) {
		m := weighted(outside("w", 1, location, offset, length, 2, 2), tensorOf("b", 1, 2).bytes(9, rawFloats(0, 0)))
		list, err := Files(m)
		_, unread := ReadWith(owned(m), Options{Files: beside()})
		var bad *ir.LoadError
		if unread != nil {
			require.ErrorAs(t, unread, &bad)
		}
		if err != nil {
			require.ErrorAs(t, err, &bad)
			require.Error(t, unread, "what cannot be listed cannot be read")
			return
		}
		if len(list) == 0 {
			require.Error(t, unread)
			return
		}
		require.Len(t, list, 1)
		require.True(t, filepath.IsLocal(list[0].Path), "%q", list[0].Path)
		require.Equal(t, filepath.ToSlash(filepath.Clean(list[0].Path)), list[0].Path)
		require.False(t, strings.ContainsAny(list[0].Path, "\\:\x00\n"), "%q", list[0].Path)
		require.GreaterOrEqual(t, list[0].Bytes, int64(0))
		if unread == nil {
			require.Contains(t, beside(), list[0].Path)
		}
	})
}

// refused says whether err is one, and holds that it is of our making.
func refused(t *testing.T, err error) bool {
	if err == nil {
		return false
	}
	var load *ir.LoadError
	var missing *ir.UnsupportedError
	var shape *ir.ShapeError
	require.True(t, errors.As(err, &load) || errors.As(err, &missing) || errors.As(err, &shape), "%v", err)
	require.NotContains(t, err.Error(), " failed: ", "a caught panic")
	return true
}
