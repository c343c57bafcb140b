package onnx

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// growing are kinds of models by how many nodes they have.
var growing = map[string]func(n int) msg{
	"a chain": func(n int) msg {
		return chain(n, func(i int, in, out string) msg {
			return nodeOf([]string{"Relu", "Neg", "Exp", "Tanh"}[i%4], []string{in}, []string{out})
		})
	},
	"identities": func(n int) msg {
		return chain(n, func(i int, in, out string) msg { return nodeOf("Identity", []string{in}, []string{out}) })
	},
	"affine": func(n int) msg {
		return chain(n, func(i int, in, out string) msg {
			return nodeOf([]string{"Add", "Mul"}[i%2], []string{in, "c"}, []string{out})
		})
	},
	"products": func(n int) msg {
		return chain(n, func(i int, in, out string) msg {
			return nodeOf([]string{"MatMul", "Add"}[i%2], []string{in, []string{"w", "c"}[i%2]}, []string{out})
		})
	},
	"transposes": func(n int) msg {
		return chain(n, func(i int, in, out string) msg { return nodeOf("Transpose", []string{in}, []string{out}) })
	},
	"reversed": func(n int) msg { // every node before the one whose result it takes
		g := msg{}
		for i := n; i > 0; i-- {
			g = g.bytes(1, nodeOf("Relu", []string{fmt.Sprint("v", i-1)}, []string{fmt.Sprint("v", i)}))
		}
		return model(ends(g, value(fmt.Sprint("v", n), 1), value("v0", 1, "n", 1)))
	},
	"constants": func(n int) msg { // folded all
		g := graphOf(nodeOf("Add", []string{"x", "k0"}, []string{"y"})).bytes(5, constOf(fmt.Sprint("k", n), []int{1}, 1))
		for i := n; i > 0; i-- {
			g = g.bytes(1, nodeOf("Neg", []string{fmt.Sprint("k", i)}, []string{fmt.Sprint("k", i-1)}))
		}
		return model(ends(g, value("y", 1), value("x", 1, "n", 1)))
	},
	"shapes": func(n int) msg { // computed while planning
		g := graphOf(nodeOf("Shape", []string{"x"}, []string{"s0"}))
		for i := range n {
			g = g.bytes(1, nodeOf("Mul", []string{fmt.Sprint("s", i), "one"}, []string{fmt.Sprint("s", i+1)}))
		}
		return model(ends(g, value(fmt.Sprint("s", n), 7), value("x", 1, "n", 1)).bytes(5, constInts("one", 1)))
	},
	"one value, many uses": func(n int) msg {
		g := msg{}
		var outs []string
		for i := range n {
			outs = append(outs, fmt.Sprint("u", i))
			g = g.bytes(1, nodeOf("Neg", []string{"x"}, []string{outs[i]}))
		}
		return model(ends(g.bytes(1, nodeOf("Sum", outs, []string{"y"})), value("y", 1), value("x", 1, "n", 1)))
	},
	"many outputs": func(n int) msg {
		g := msg{}
		for i := range n {
			g = g.bytes(1, nodeOf("Neg", []string{"x"}, []string{fmt.Sprint("u", i)})).bytes(12, value(fmt.Sprint("u", i), 1))
		}
		return model(g.bytes(11, value("x", 1, "n", 1)))
	},
	"many inputs": func(n int) msg {
		g := msg{}
		var ins []string
		for i := range n {
			ins = append(ins, fmt.Sprint("u", i))
			g = g.bytes(11, value(ins[i], 1, fmt.Sprint("d", i), 1))
		}
		return model(g.bytes(1, nodeOf("Concat", ins, []string{"y"}, attrInt("axis", 0))).bytes(12, value("y", 1)))
	},
	"a split": func(n int) msg {
		g := msg{}
		var outs []string
		for i := range n {
			outs = append(outs, fmt.Sprint("u", i))
		}
		return modelAt(18, ends(g.bytes(1, nodeOf("Split", []string{"x"}, outs, attrInt("num_outputs", int64(n)))).
			bytes(1, nodeOf("Concat", outs, []string{"y"}, attrInt("axis", 0))), value("y", 1), value("x", 1, n, 1)))
	},
	"choices": func(n int) msg {
		branch := func(op string) msg {
			return graphOf(nodeOf(op, []string{"x"}, []string{"r"})).bytes(12, value("r", 1))
		}
		return chain(n/3, func(i int, in, out string) msg {
			return nodeOf("If", []string{"cond"}, []string{out}, attrGraph("then_branch", branch("Relu")), attrGraph("else_branch", branch("Neg")))
		})
	},
	"unknown": unknown,
	"shapes that depend on data": func(n int) msg {
		g := graphOf(nodeOf("Cast", []string{"x"}, []string{"d"}, attrInt("to", 7)), nodeOf("Identity", []string{"d"}, []string{"s0"}))
		for i := range n / 4 {
			at := func(name string) string { return fmt.Sprint(name, i) }
			g = g.bytes(1, nodeOf("ConstantOfShape", []string{at("s")}, []string{at("c")})).
				bytes(1, nodeOf("Shape", []string{at("c")}, []string{at("h")})).
				bytes(1, nodeOf("Add", []string{at("h"), "d"}, []string{at("t")})).
				bytes(1, nodeOf("Mul", []string{at("t"), "one"}, []string{fmt.Sprint("s", i+1)}))
		}
		return model(ends(g, value(fmt.Sprint("s", n/4), 7), value("x", 1, 1)).bytes(5, constInts("one", 1)))
	},
	"functions": func(n int) msg {
		f := msg{}.str(1, "f").str(4, "a").str(5, "b").str(10, "my").bytes(9, msg{}.str(1, "").num(2, 13)).
			bytes(7, nodeOf("Relu", []string{"a"}, []string{"t"})).bytes(7, nodeOf("Neg", []string{"t"}, []string{"b"}))
		return chain(n/2, func(i int, in, out string) msg { return nodeOf("f", []string{in}, []string{out}).str(7, "my") }).bytes(25, f)
	},
	"attributes": func(n int) msg {
		node := nodeOf("Relu", []string{"x"}, []string{"y"})
		for i := range n {
			node = node.bytes(5, attrInt(fmt.Sprint("a", i), 1))
		}
		return model(ends(graphOf(node), value("y", 1), value("x", 1, "n", 1)))
	},
}

// chainOf is n nodes, each of which takes the result of the one before.
func chainOf(n int, node func(i int, in, out string) msg) msg {
	g, in := msg{}, "x"
	for i := range n {
		out := fmt.Sprint("v", i)
		g = g.bytes(1, node(i, in, out))
		in = out
	}
	return g
}

func chain(n int, node func(i int, in, out string) msg) msg {
	return model(ends(chainOf(n, node), value(fmt.Sprint("v", n-1), 1), value("x", 1, "n", 1), value("cond", 9)).
		bytes(5, constOf("c", []int{1}, 1)).bytes(5, constOf("w", []int{1, 1}, 1)))
}

// loaded is how long a model takes to its first run, refused or not.
func loaded(file []byte, level string) (took time.Duration, err error) {
	b := owned(file)
	begin := testkit.CPUTime()
	defer func() { took = testkit.CPUTime() - begin }()
	g, err := Read(b)
	if err != nil {
		return 0, err
	}
	s, err := graph.NewSession(g, graph.Options{Optimize: level})
	if err != nil {
		_ = err.Error()
		return 0, err
	}
	var dims [][]int
	for _, in := range s.Inputs() {
		d := []int{}
		for _, dim := range in.Dims {
			d = append(d, max(dim.Size, 1))
		}
		dims = append(dims, d)
	}
	r, err := s.Prepare(dims)
	if err != nil {
		return 0, err
	}
	return 0, r.Exec()
}

// Twice the nodes take twice as long, not four times: whatever they are, from the file to the end of the first run. Times
// are compared with each other, so that a slow or busy machine does not matter, and the shortest of several.
func TestLoadingIsLinear(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only the longer ones would have it
	measured := func(file []byte, best time.Duration) time.Duration {
		runtime.GC()
		took, _ := loaded(file, "all")
		return min(best, took)
	}
	for name, build := range growing {
		t.Run(name, func(t *testing.T) {
			few, many := build(2000), build(8000)
			short, long := time.Hour, time.Hour
			for range 20 {
				short, long = measured(few, short), measured(many, long)
				if long < 7*short { // 4 would be linear, 16 quadratic
					return
				}
			}
			require.Less(t, long, 9*short, "2,000 nodes take %v, 8,000 take %v: want less than 3 times as long for each doubling", short, long)
		})
	}
}

// hostile are files that make as much as they can of few bytes.
func hostileFiles(n int) map[string]msg {
	repeat := func(b msg, n int) msg { return bytes.Repeat(b, n) }
	each := func(field int, f func(i int) msg) msg {
		m := msg{}
		for i := range n {
			m = m.bytes(field, f(i))
		}
		return m
	}
	y := nodeOf("Relu", []string{"x"}, []string{"y"})
	whole := func(g msg) msg { return model(ends(g.bytes(1, y), value("y", 1), value("x", 1, 1))) }
	a := msg{}.str(4, "A").str(2, "a")
	return map[string]msg{
		"nodes":      whole(repeat(msg{}.bytes(1, msg{}.str(4, "A").str(2, "")), n)),
		"known":      whole(repeat(msg{}.bytes(1, msg{}.str(4, "Abs").str(1, "x").str(2, "")), n)),
		"inputs":     whole(graphOf(append(a, repeat(msg{}.str(1, ""), n)...))),
		"outputs":    whole(graphOf(append(a, repeat(msg{}.str(2, ""), n)...))),
		"attributes": whole(graphOf(append(a, each(5, func(i int) msg { return msg{}.str(1, fmt.Sprint(i)).num(3, 0) })...))),
		"integers":   whole(graphOf(a.bytes(5, msg{}.str(1, "a").bytes(8, repeat(msg{1}, n))))),
		"names":      whole(graphOf(a.bytes(5, append(msg{}.str(1, "a"), repeat(msg{}.str(9, ""), n)...)))),
		"int64":      whole(msg{}.bytes(5, tensorOf("t", 7, n).bytes(7, repeat(msg{1}, n)))),
		"bool":       whole(msg{}.bytes(5, tensorOf("t", 9, n).bytes(5, repeat(msg{1}, n)))),
		"one by one": whole(msg{}.bytes(5, append(tensorOf("t", 7, n), repeat(msg{}.num(7, 1), n)...))),
		"strings":    whole(msg{}.bytes(5, append(tensorOf("t", 8, n), repeat(msg{}.str(6, ""), n)...))),
		"tensors":    whole(each(5, func(i int) msg { return tensorOf(fmt.Sprint(i), 1, 0) })),
		"values":     whole(each(11, func(i int) msg { return msg{}.str(1, fmt.Sprint(i)) })),
		"dimensions": whole(each(11, func(i int) msg {
			return msg{}.str(1, fmt.Sprint(i)).bytes(2, msg{}.bytes(1, msg{}.num(1, 1).bytes(2, repeat(msg{10, 0}, 32))))
		})),
		"types":     whole(each(5, func(i int) msg { return tensorOf(fmt.Sprint(i), 100+i, 0) })),
		"opsets":    append(whole(nil), each(8, func(i int) msg { return msg{}.str(1, fmt.Sprint(i)).num(2, 1) })...),
		"functions": append(whole(nil), each(25, func(i int) msg { return msg{}.str(1, fmt.Sprint(i)) })...),
		"branches": whole(each(1, func(i int) msg {
			return msg{}.str(4, "If").str(2, "").bytes(5, msg{}.str(1, "b").num(20, 5).bytes(6, msg{}))
		})),
		"unknown": unknown(n),
		"a chain": growing["a chain"](n),
	}
}

// A file makes the engine allocate so many bytes for each of its own, until it runs or is refused.
const maxPerByte = 150

func TestMemoryIsBoundedByTheFile(t *testing.T) {
	worst, which := 0.0, ""
	for name, file := range hostileFiles(20000) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := loaded(file, "all")
		runtime.ReadMemStats(&after)
		per := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(file))
		what := "runs"
		if err != nil {
			require.Less(t, len(err.Error()), maxMessage, name)
			what = err.Error()[:min(60, len(err.Error()))]
		}
		t.Logf("%-11s %7d bytes: %5.1f for each; %s", name, len(file), per, what)
		if per > worst {
			worst, which = per, name
		}
	}
	require.Less(t, worst, float64(maxPerByte), which)
}

// Whatever is long in a file, a message is not.
func TestMessagesAreShort(t *testing.T) {
	long := strings.Repeat("long\n", 50000)
	many := make([]int64, 20000)
	sizes := make([]any, 32)
	for i := range sizes {
		sizes[i] = long
	}
	str := func(name, v string) msg { return msg{}.str(1, name).num(20, 3).str(4, v) }
	one := func(n msg, consts ...msg) msg {
		return modelAt(17, ends(graphOf(n).all(5, consts...), value("y", 1), value("x", 1, 1, 1, 4, 4)))
	}
	x, y := []string{"x"}, []string{"y"}
	var attrs []msg
	for i := range 50 {
		attrs = append(attrs, nodeOf("Relu", x, []string{fmt.Sprint("y", i)}, str(fmt.Sprint(i, long), "")))
	}
	for name, file := range map[string]msg{
		"operator":         one(nodeOf(long, x, y)),
		"domain":           one(nodeOf("A", x, y).str(7, long)),
		"name":             one(msg{}.str(3, long).str(4, "Conv").str(1, "x").str(1, "x").str(2, "y").bytes(5, attrInts("strides", many...))),
		"operand":          one(nodeOf("Relu", []string{long}, y)),
		"attribute":        one(nodeOf("Relu", x, y, str(long, ""))),
		"many attributes":  modelAt(17, ends(msg{}.all(1, attrs...), value("y1", 1), value("x", 1, 1))),
		"twice":            one(nodeOf("Relu", x, y, str(long, ""), str(long, ""))),
		"mode":             one(nodeOf("Resize", x, y, str("mode", long))),
		"transformation":   one(nodeOf("Resize", x, y, str("coordinate_transformation_mode", long))),
		"auto_pad":         one(nodeOf("MaxPool", x, y, str("auto_pad", long), attrInts("kernel_shape", 1, 1))),
		"direction":        one(nodeOf("DepthToSpace", x, y, str("mode", long), attrInt("blocksize", 1))),
		"approximation":    modelAt(20, ends(graphOf(nodeOf("Gelu", x, y, str("approximate", long))), value("y", 1), value("x", 1, 1))),
		"equation":         one(nodeOf("Einsum", x, y, str("equation", long))),
		"odd equation":     one(nodeOf("Einsum", x, y, str("equation", strings.Repeat("i", 100000)))),
		"reduction":        one(nodeOf("ScatterND", []string{"x", "x", "x"}, y, str("reduction", long))),
		"pad mode":         one(nodeOf("Pad", x, y, str("mode", long))),
		"kernel_shape":     one(nodeOf("MaxPool", x, y, attrInts("kernel_shape", many...))),
		"pads":             one(nodeOf("MaxPool", x, y, attrInts("kernel_shape", 1, 1), attrInts("pads", many...))),
		"perm":             one(nodeOf("Transpose", x, y, attrInts("perm", many...))),
		"shape":            one(nodeOf("Reshape", []string{"x", "s"}, y), constInts("s", many...)),
		"split":            one(nodeOf("Split", []string{"x", "s"}, y), constInts("s", many...)),
		"starts":           one(nodeOf("Slice", []string{"x", "s", "s"}, y), constInts("s", many...)),
		"axes":             one(nodeOf("Unsqueeze", []string{"x", "s"}, y), constInts("s", many...)),
		"repeats":          one(nodeOf("Tile", []string{"x", "s"}, y), constInts("s", many...)),
		"expand":           one(nodeOf("Expand", []string{"x", "s"}, y), constInts("s", many...)),
		"constant":         one(nodeOf("Constant", nil, y, str(long, ""))),
		"tensor":           one(nodeOf("Relu", x, y), tensorOf(long, 1, 3)),
		"type":             one(nodeOf("Relu", x, y), tensorOf(long, 1<<30, 3)),
		"input":            modelAt(17, ends(graphOf(nodeOf("Relu", x, y)), value("y", 1), value(long, 1, sizes...), value(long, 1))),
		"symbols":          modelAt(17, ends(graphOf(nodeOf("Relu", x, y)), value("y", 1), value("x", 1, sizes...))),
		"output":           modelAt(17, ends(graphOf(nodeOf("Relu", x, y)), value(long, 1), value("x", 1, 1))),
		"function":         modelAt(17, ends(graphOf(nodeOf("f", x, y).str(7, "my")), value("y", 1), value("x", 1, 1))).bytes(25, msg{}.str(1, "f").str(10, "my").str(4, long).str(4, long).str(5, long)),
		"sparse":           modelAt(17, ends(graphOf(nodeOf("Relu", x, y)).bytes(15, msg{}.bytes(1, tensorOf(long, 1, 0)).bytes(3, bytes.Repeat([]byte{1}, 20000))), value("y", 1), value("x", 1, 1))),
		"reference":        one(nodeOf("Relu", x, y, msg{}.str(1, long).str(21, long))),
		"opset":            one(nodeOf("Relu", x, y)).bytes(8, msg{}.str(1, long).num(2, 1)).bytes(8, msg{}.str(1, long).num(2, 2)),
		"a shape to feed":  modelAt(17, ends(graphOf(nodeOf("Relu", x, y)), value("y", 1), value("x", 1, sizes...), value("z", 1, -5, 2))),
		"computed default": one(nodeOf("Clip", []string{"x", "s"}, y), constInts("s", many...)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loaded(file, "all")
			if err != nil {
				require.Less(t, len(err.Error()), maxMessage)
				require.NotContains(t, err.Error(), "\n", "a name in a message is quoted")
			}
			g, err := Read(owned(file))
			if err != nil {
				return
			}
			s, err := graph.NewSession(g, graph.Options{FreeDims: map[string]int{long: -1}})
			if err == nil {
				_, err = s.Prepare([][]int{make([]int, 20000)})
			}
			if err != nil {
				require.Less(t, len(err.Error()), maxMessage)
			}
		})
	}
}

// Graphs within graphs are read to a depth that the stack bears, many of a kind up to a number that memory bears.
func TestDepthAndCountsAreBounded(t *testing.T) {
	nested := func(depth int) msg {
		g := graphOf(nodeOf("Neg", []string{"x"}, []string{"y"})).bytes(12, value("y", 1))
		for range depth - 1 {
			g = graphOf(nodeOf("If", []string{"c"}, []string{"y"}, attrGraph("then_branch", g), attrGraph("else_branch", graphOf(nodeOf("Neg", []string{"x"}, []string{"y"})).bytes(12, value("y", 1))))).
				bytes(12, value("y", 1))
		}
		return model(g.bytes(11, value("x", 1, 1)).bytes(11, value("c", 9)))
	}
	_, err := loaded(nested(16), "all")
	require.NoError(t, err)
	_, err = loaded(nested(17), "all")
	require.ErrorContains(t, err, "graphs are nested more than 16 deep")
	many := model(bytes.Repeat(msg{}.bytes(1, msg{}.str(4, "A").str(2, "")), 1<<18+1)) // with an output each
	_, err = Read(owned(many))
	require.ErrorContains(t, err, "the model has more than 524288 nodes, attributes and values")
	_, err = loaded(one32(32), "all")
	require.NoError(t, err)
	_, err = loaded(one32(33), "all")
	require.ErrorContains(t, err, "has more than 32 dimensions")
}

// one32 has an input of so many dimensions.
func one32(rank int) msg {
	dims := make([]any, rank)
	for i := range dims {
		dims[i] = 1
	}
	return model(ends(graphOf(nodeOf("Relu", []string{"x"}, []string{"y"})), value("y", 1), value("x", 1, dims...)))
}

// Constants that would make much of little are not computed while loading.
func TestFoldingIsBounded(t *testing.T) {
	g := graphOf().bytes(5, constOf("k", []int{1}, 1)).bytes(5, constInts("s", 250_000))
	sum := []string{"x"}
	for i := range 200 { // a megabyte each
		sum = append(sum, fmt.Sprint("e", i))
		g = g.bytes(1, nodeOf("Expand", []string{"k", "s"}, []string{sum[i+1]}))
	}
	file := owned(model(ends(g.bytes(1, nodeOf("Sum", sum, []string{"y"})), value("y", 1), value("x", 1, 1))))
	read, err := Read(file)
	require.NoError(t, err)
	s, err := graph.NewSession(read, graph.Options{})
	require.NoError(t, err)
	held := s.Weights(file)
	t.Logf("%d bytes of constants", held)
	require.Greater(t, held, 16<<20, "some are")
	require.LessOrEqual(t, held, 32<<20+2*len(file))
}

// A tensor is at most as large as the session's limit, wherever its size comes from.
func TestTensorsAreBounded(t *testing.T) {
	for name, file := range map[string]msg{
		"expanded": model(ends(graphOf(nodeOf("Expand", []string{"x", "s"}, []string{"y"})), value("y", 1), value("x", 1, 1)).bytes(5, constInts("s", 1<<20, 1<<20))),
		"of shape": model(ends(graphOf(nodeOf("ConstantOfShape", []string{"s"}, []string{"y"})), value("y", 1), value("x", 1, 1)).bytes(5, constInts("s", 1<<30))),
		"tiled":    model(ends(graphOf(nodeOf("Tile", []string{"x", "s"}, []string{"y"})), value("y", 1), value("x", 1, 1)).bytes(5, constInts("s", 1<<31-1))),
		"declared": model(ends(graphOf(nodeOf("Relu", []string{"x"}, []string{"y"})), value("y", 1), value("x", 1, 1<<20, 1<<12))),
		"padded":   model(ends(graphOf(nodeOf("Pad", []string{"x", "s"}, []string{"y"})), value("y", 1), value("x", 1, 1)).bytes(5, constInts("s", 1<<30, 1<<30))),
		"resized":  model(ends(graphOf(nodeOf("Resize", []string{"x", "", "s"}, []string{"y"})), value("y", 1), value("x", 1, 1)).bytes(5, constOf("s", []int{1}, 1e9))),
		"in pieces": model(ends(chainOf(40, func(i int, in, out string) msg {
			return nodeOf("Concat", []string{in, in}, []string{out}, attrInt("axis", 0))
		}), value("v39", 1), value("x", 1, 1))),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := loaded(file, "all")
			var shape *ir.ShapeError
			require.ErrorAs(t, err, &shape)
			require.Regexp(t, "limit|more than 2147483647 elements", err.Error())
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(600<<20))
		})
	}
}
