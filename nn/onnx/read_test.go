package onnx

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

func read(t testing.TB, m msg) *ir.Graph {
	t.Helper()
	g, err := Read(m)
	require.NoError(t, err)
	return g
}

func TestRead(t *testing.T) {
	g := read(t, small())
	assert.Equal(t, map[string]int{"": 13}, g.Opsets)
	require.Len(t, g.Inputs, 1)
	assert.Equal(t, &ir.Value{Name: "x", Type: ir.Float32, Known: true, Dims: []ir.Dim{{Size: -1, Symbol: "n"}, {Size: 2}}}, g.Inputs[0])
	require.Len(t, g.Nodes, 2)
	add, relu := g.Nodes[0], g.Nodes[1]
	assert.Equal(t, "Add", add.Op)
	assert.Equal(t, "the Add", add.Name)
	assert.Equal(t, 13, add.Version)
	assert.Same(t, g.Inputs[0], add.Inputs[0])
	assert.Equal(t, []float32{1, -5}, add.Inputs[1].Const.Float32s())
	assert.Same(t, add.Outputs[0], relu.Inputs[0])
	assert.Same(t, relu.Outputs[0], g.Outputs[0])
	assert.Equal(t, "y", g.Outputs[0].Name)
	assert.True(t, g.Outputs[0].Known)
}

func TestReadOldInitializers(t *testing.T) {
	g := read(t, model(graphOf(nodeOf("Relu", []string{"w"}, []string{"y"})).
		bytes(5, tensorOf("w", 1, 1).bytes(9, rawFloats(3))).
		all(11, value("w", 1, 1), value("x", 1, 1)).
		bytes(12, value("y", 1, 1))))
	require.Len(t, g.Inputs, 1)
	assert.Equal(t, "x", g.Inputs[0].Name)
	assert.NotNil(t, g.Nodes[0].Inputs[0].Const)
}

func TestReadSortsNodes(t *testing.T) {
	body := func(uses string) msg {
		return attrGraph("then_branch", graphOf(nodeOf("Neg", []string{uses}, []string{"inner"})).bytes(12, value("inner", 1)))
	}
	g := read(t, model(graphOf(
		nodeOf("If", []string{"x"}, []string{"y"}, body("late")),
		nodeOf("Abs", []string{"early"}, []string{"late"}),
		nodeOf("Exp", []string{"x"}, []string{"early"}),
	).bytes(11, value("x", 1)).bytes(12, value("y", 1))))
	var ops []string
	for _, n := range g.Nodes {
		ops = append(ops, n.Op)
	}
	assert.Equal(t, []string{"Exp", "Abs", "If"}, ops)
	assert.Same(t, g.Nodes[1].Outputs[0], g.Nodes[2].Attrs["then_branch"].G.Nodes[0].Inputs[0], "a branch refers to outer values")
}

func TestReadOmittedOperands(t *testing.T) {
	g := read(t, model(graphOf(nodeOf("Clip", []string{"x", "", "x"}, []string{"y", "", "z"})).
		bytes(11, value("x", 1)).bytes(12, value("y", 1))))
	n := g.Nodes[0]
	assert.Len(t, n.Inputs, 3)
	assert.Nil(t, n.Inputs[1])
	assert.Len(t, n.Outputs, 3)
	assert.Nil(t, n.Outputs[1])
}

func TestReadTensors(t *testing.T) {
	half := msg{}.num(5, 0x3c00).num(5, 0xc000)
	cases := map[string]struct {
		m    msg
		typ  ir.DType
		data []byte
	}{
		"raw float32":     {tensorOf("", 1, 2).bytes(9, rawFloats(1, 2)), ir.Float32, rawFloats(1, 2)},
		"float_data":      {tensorOf("", 1, 2).float(4, 1).bytes(4, rawFloats(2)), ir.Float32, rawFloats(1, 2)},
		"double_data":     {tensorOf("", 11, 1).double(10, 2), ir.Float64, rawInts(0x4000000000000000)},
		"int64_data":      {tensorOf("", 7, 3).num(7, -1).bytes(7, []byte{5, 6}), ir.Int64, rawInts(-1, 5, 6)},
		"int32_data":      {tensorOf("", 6, 1).num(5, -2), ir.Int32, []byte{0xfe, 255, 255, 255}},
		"uint64_data":     {tensorOf("", 13, 1).num(11, -1), ir.Uint64, rawInts(-1)},
		"uint32":          {tensorOf("", 12, 1).num(11, 1<<31), ir.Uint32, []byte{0, 0, 0, 0x80}},
		"int8":            {tensorOf("", 3, 2).num(5, -1).num(5, 7), ir.Int8, []byte{255, 7}},
		"bool":            {tensorOf("", 9, 2).num(5, 1).num(5, 0), ir.Bool, []byte{1, 0}},
		"float16 by bits": {append(tensorOf("", 10, 2), half...), ir.Float16, []byte{0, 0x3c, 0, 0xc0}},
		"raw float16":     {tensorOf("", 10, 1).bytes(9, []byte{1, 2}), ir.Float16, []byte{1, 2}},
		"empty":           {tensorOf("", 1, 0, 7), ir.Float32, nil},
		"scalar":          {tensorOf("", 1).bytes(9, rawFloats(4)), ir.Float32, rawFloats(4)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, _, err := (&reader{}).tensor(c.m)
			require.NoError(t, err)
			assert.Equal(t, c.typ, got.Type)
			assert.Equal(t, append([]byte{}, c.data...), append([]byte{}, got.Data...))
		})
	}
	got, _, err := (&reader{}).tensor(tensorOf("", 8, 2).str(6, "a").str(6, "b"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, got.Strings)
}

// Weights are the file's own bytes, moved where they are not aligned, and what
// stands around them does not suffer.
func TestReadKeepsWeightsInPlace(t *testing.T) {
	want := make([]float32, 64)
	for i := range want {
		want[i] = float32(i) + 0.5
	}
	for pad := range 9 {
		m := append(slab.New(2048)[:0], model(graphOf(nodeOf("Add", []string{"v", "w"}, []string{"y"})).str(2, strings.Repeat("n", 1+pad)).
			bytes(5, tensorOf("v", 1, 64).bytes(9, rawFloats(want...))).
			bytes(5, tensorOf("w", 7, 3).bytes(9, rawInts(1, -2, 3))).
			bytes(5, tensorOf("", 1, 1).bytes(9, rawFloats(7)).str(8, "u")).
			bytes(12, value("y", 1)))...)
		g, err := Read(m)
		require.NoError(t, err)
		v, w := g.Nodes[0].Inputs[0].Const, g.Nodes[0].Inputs[1].Const
		assert.Equal(t, want, v.Float32s())
		assert.Equal(t, []int64{1, -2, 3}, w.Int64s())
		for _, data := range [][]byte{v.Data, w.Data} {
			at := slab.Addr(data) - slab.Addr(m)
			assert.Less(t, at, uintptr(len(m)), "in the file")
		}
	}
	raw := msg{}.num(1, 1).num(2, 1) // the data first: no room before them
	for pad := range 4 {
		b := slab.New(64)[pad : pad : pad+40]
		b = append(b, msg{}.bytes(9, rawFloats(2))...)
		b = append(b, raw...)
		got, _, err := (&reader{}).tensor(b)
		require.NoError(t, err)
		assert.Equal(t, []float32{2}, got.Float32s())
	}
}

func TestReadConstants(t *testing.T) {
	str := func(name, v string) msg { return msg{}.str(1, name).num(20, 3).str(4, v) }
	cases := map[string]struct {
		attr msg
		want *ir.Tensor
	}{
		"value":   {msg{}.str(1, "value").num(20, 4).bytes(5, tensorOf("", 1, 1).bytes(9, rawFloats(3))), &ir.Tensor{Type: ir.Float32, Dims: []int{1}, Data: rawFloats(3)}},
		"untyped": {msg{}.str(1, "value").bytes(5, tensorOf("", 1, 1).bytes(9, rawFloats(3))), &ir.Tensor{Type: ir.Float32, Dims: []int{1}, Data: rawFloats(3)}},
		"sparse_value": {msg{}.str(1, "sparse_value").num(20, 11).bytes(22, msg{}.bytes(1, tensorOf("", 1, 1).bytes(9, rawFloats(3))).
			bytes(2, tensorOf("", 7, 1).bytes(9, rawInts(1))).num(3, 3)), &ir.Tensor{Type: ir.Float32, Dims: []int{3}, Data: rawFloats(0, 3, 0)}},
		"value_float":   {msg{}.str(1, "value_float").num(20, 1).float(2, 2.5), &ir.Tensor{Type: ir.Float32, Data: rawFloats(2.5)}},
		"value_int":     {attrInt("value_int", -4), &ir.Tensor{Type: ir.Int64, Data: rawInts(-4)}},
		"value_ints":    {attrInts("value_ints", 1, 2), &ir.Tensor{Type: ir.Int64, Dims: []int{2}, Data: rawInts(1, 2)}},
		"no ints":       {attrInts("value_ints"), &ir.Tensor{Type: ir.Int64, Dims: []int{0}, Data: []byte{}}},
		"value_floats":  {msg{}.str(1, "value_floats").num(20, 6).bytes(7, rawFloats(1, 2)), &ir.Tensor{Type: ir.Float32, Dims: []int{2}, Data: rawFloats(1, 2)}},
		"value_string":  {str("value_string", "s"), &ir.Tensor{Type: ir.String, Strings: []string{"s"}}},
		"value_strings": {msg{}.str(1, "value_strings").num(20, 8).str(9, "s").str(9, "t"), &ir.Tensor{Type: ir.String, Dims: []int{2}, Strings: []string{"s", "t"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := read(t, model(graphOf(nodeOf("Constant", nil, []string{"c"}, c.attr)).bytes(12, value("c", 1))))
			assert.Empty(t, g.Nodes)
			got := g.Outputs[0].Const
			assert.Equal(t, c.want.Type, got.Type)
			assert.Equal(t, append([]int{}, c.want.Dims...), append([]int{}, got.Dims...))
			assert.Equal(t, append([]byte{}, c.want.Data...), append([]byte{}, got.Data...))
			assert.Equal(t, c.want.Strings, got.Strings)
		})
	}
}

// Everything that is valid but not implemented is noted, not just the first.
func TestReadNotesWhatIsMissing(t *testing.T) {
	external := tensorOf("e", 1, 5).num(14, 1).bytes(13, msg{}.str(1, "location").str(2, "w.bin"))
	g := read(t, model(graphOf(
		nodeOf("A", nil, []string{"a"}, msg{}.str(1, "sparse").num(20, 12).bytes(23, msg{})),
		nodeOf("B", nil, []string{"b"}).str(7, ir.Internal),
		nodeOf("Constant", nil, []string{"c"}, msg{}.str(1, "types").bytes(15, msg{})),
	).all(5, external, tensorOf("f", 14, 2).bytes(9, []byte{1, 2, 3, 4}), tensorOf("g", 99)).
		bytes(15, msg{}.bytes(1, tensorOf("s", 8, 1).str(6, "v")).num(3, 2)).bytes(12, value("a", 1))).bytes(25, msg{}))
	var bad *ir.UnsupportedError
	require.ErrorAs(t, g.Missing.Err(), &bad)
	assert.ElementsMatch(t, []string{"external data", "type complex64", "type number 99",
		`sparse initializer "s" of this type`, `attribute "sparse" with a list of sparse tensors`, `attribute "types" with a list of types`,
		`domain "normwasm"`}, bad.Missing)
	_, err := graph.NewSession(g, graph.Options{})
	require.ErrorAs(t, err, &bad)
	assert.Contains(t, err.Error(), "type complex64")
	assert.Contains(t, err.Error(), "A (opset 13)")
}

func TestReadRefuses(t *testing.T) {
	out := value("y", 1)
	relu := nodeOf("Relu", []string{"x"}, []string{"y"})
	x := value("x", 1)
	withInit := func(t msg) msg { return model(graphOf(relu).bytes(5, t).bytes(11, x).bytes(12, out)) }
	withAttr := func(a ...msg) msg {
		return model(graphOf(nodeOf("Relu", []string{"x"}, []string{"y"}, a...)).bytes(11, x).bytes(12, out))
	}
	deep := graphOf(relu)
	for range 40 {
		deep = graphOf(nodeOf("If", []string{"x"}, []string{"y"}, attrGraph("then_branch", deep)))
	}
	many := msg{}
	for range maxItems + 1 {
		many = many.bytes(11, msg{}.str(1, "v"))
	}
	cases := map[string]struct {
		file msg
		want string
	}{
		"nothing":           {nil, "the file is empty"},
		"a web page":        {msg("<!DOCTYPE html><html>"), "this is no ONNX model"},
		"zeros":             {make(msg, 1000), "this is no ONNX model"},
		"no graph":          {msg{}.num(1, 8), "hold no graph"},
		"no outputs":        {model(graphOf(relu).bytes(11, x)), "no outputs"},
		"no opset":          {msg{}.bytes(7, graphOf(relu).bytes(11, x).bytes(12, out)), `imports no opset for its "Relu" nodes`},
		"two opsets":        {small().bytes(8, msg{}.str(1, "ai.onnx").num(2, 9)), `imported as opset 13 and 9`},
		"negative opset":    {small().bytes(8, msg{}.str(1, "z").num(2, -9)), `opset -9 of domain "z"`},
		"unknown input":     {model(graphOf(relu).bytes(12, out)), `"Relu" node "the Relu" uses "x", which nothing defines`},
		"unknown output":    {model(graphOf(relu).bytes(11, x).bytes(12, value("q", 1))), `output "q" is computed by no node`},
		"two definitions":   {model(graphOf(relu, relu).bytes(11, x).bytes(12, out)), `"y" is defined twice`},
		"input is output":   {model(graphOf(relu).all(11, x, value("y", 1)).bytes(12, out)), `"y" is defined twice`},
		"twice the input":   {model(graphOf(relu).all(11, x, x).bytes(12, out)), `input "x" is declared twice`},
		"twice the weight":  {withInit(tensorOf("w", 1, 1).bytes(9, rawFloats(1))).bytes(7, graphOf(relu).all(5, tensorOf("w", 1, 0), tensorOf("w", 1, 0))), `"w" is defined twice`},
		"a cycle":           {model(graphOf(nodeOf("Add", []string{"x", "b"}, []string{"y"}), nodeOf("Neg", []string{"y"}, []string{"b"})).bytes(11, x).bytes(12, out)), `depends on itself`},
		"itself":            {model(graphOf(nodeOf("Neg", []string{"y"}, []string{"y"})).bytes(12, out)), `depends on itself`},
		"no operator":       {model(graphOf(msg{}.str(2, "y")).bytes(12, out)), `has no operator`},
		"no result":         {model(graphOf(msg{}.str(4, "Relu"))), `has no outputs`},
		"same attribute":    {withAttr(attrInt("a", 1), attrInt("a", 1)), `has the attribute "a" twice`},
		"nameless attr":     {withAttr(msg{}.num(3, 1)), "an attribute has no name"},
		"kind that is not":  {withAttr(msg{}.str(1, "a").num(20, 1).num(3, 4)), `attribute "a" has no value, or not of the kind`},
		"no kind":           {withAttr(msg{}.str(1, "a")), `attribute "a" has no value`},
		"no tensor":         {withAttr(msg{}.str(1, "a").num(20, 4)), `attribute "a" has no value`},
		"too short":         {withInit(tensorOf("w", 1, 3).bytes(9, rawFloats(1, 2))), `tensor "w" with dimensions [3] has 8 bytes, want 12`},
		"too few":           {withInit(tensorOf("w", 7, 3).num(7, 1)), `tensor "w" with dimensions [3] has 1 elements, want 3`},
		"the other field":   {withInit(tensorOf("w", 1, 1).num(7, 1)), `has 0 elements, want 1`},
		"negative dim":      {withInit(tensorOf("w", 1, -1)), "dimension of -1"},
		"endless dim":       {withInit(tensorOf("w", 1, 1<<62)), "dimension of 4611686018427387904"},
		"product overflows": {withInit(tensorOf("w", 1, 1<<33, 1<<33)), "more than any file holds"},
		"hidden by a zero":  {withInit(tensorOf("w", 1, 0, 1<<33, 1<<33)), "more than any file holds"},
		"many dims":         {withInit(tensorOf("w", 1, make([]int, 40)...)), "has 40 dimensions; the limit is 32"},
		"no type":           {withInit(tensorOf("w", 0)), `tensor "w" has no element type`},
		"nameless weight":   {withInit(tensorOf("", 1, 0)), "an initializer has no name"},
		"odd floats":        {withInit(tensorOf("w", 1, 1).bytes(4, []byte{1, 2, 3})), "truncated or damaged: field 4 of a tensor"},
		"number as string":  {withInit(tensorOf("w", 1, 0).num(8, 3)), "truncated or damaged: field 8 of a tensor"},
		"absurd dimension":  {model(graphOf(relu).bytes(11, value("x", 1, 1<<50)).bytes(12, out)), `"x" has a dimension of 1125899906842624`},
		"nested too deep":   {model(deep), "nested more than 16 deep"},
		"a bad name":        {model(graphOf(nodeOf("Relu", []string{"\x1b[31m\n"}, []string{"y"}))), `uses "\x1b[31m\n", which`},
		"two values":        {model(graphOf(nodeOf("Constant", nil, []string{"c"}, attrInt("value_int", 1), attrInts("value_ints", 1)))), "has 2 attributes, want 1"},
		"odd constant":      {model(graphOf(nodeOf("Constant", nil, []string{"c"}, attrInt("value_float", 1)))), `has the attribute "value_float"`},
		"too many things":   {model(many), "more than 524288 nodes, attributes and values"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Read(c.file)
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// Every prefix of a file is refused or, where it ends between the model's
// fields, read; and none of it crashes.
func TestReadTruncated(t *testing.T) {
	whole := small()
	for n := range whole {
		_, err := Read(whole[:n:n])
		require.Error(t, err, "%d bytes", n)
	}
}

// A file cannot make the reader take much more memory than it is long.
func TestReadTakesLittleMemory(t *testing.T) {
	nodes := msg{}
	for range 200_000 {
		nodes = nodes.bytes(1, msg{}.str(4, "A").str(2, "").str(1, ""))
	}
	dims := tensorOf("w", 1).bytes(1, bytes.Repeat([]byte{1}, 4<<20))
	files := map[string]msg{
		"tiny nodes":     model(nodes),
		"tiny dims":      model(msg{}.bytes(5, dims)),
		"long lists":     model(graphOf(nodeOf("A", nil, []string{"a"}, msg{}.str(1, "l").bytes(8, make([]byte, 4<<20))))),
		"absurd lengths": model(msg{}.bytes(5, msg{}.num(1, math.MaxInt64))),
		"many strings":   model(msg{}.bytes(5, append(tensorOf("w", 8, 1<<20), bytes.Repeat([]byte{6<<3 | 2, 0}, 1<<20)...))),
	}
	for name, m := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(m)
		runtime.ReadMemStats(&after)
		took := after.TotalAlloc - before.TotalAlloc
		assert.Less(t, took, uint64(64*len(m)+1<<20), "%s: %v", name, err)
	}
}
