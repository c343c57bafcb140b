package onnx

import (
	"fmt"
	"math"
)

// drawn gives numbers that look like weights.
func drawn(name string, scale float64, dims ...int) msg {
	v := make([]float32, product(dims))
	for i := range v {
		v[i] = float32(scale * math.Sin(float64(i*i%97)+float64(len(name))+1.7*float64(i)))
	}
	return constOf(name, dims, v...)
}

// networks are small models with what the optimizer looks for: the seeds of mutations, beside those of single nodes.
func networks() map[string]msg {
	scalar := func(name string, v float32) msg { return constOf(name, nil, v) }
	vector := func(name string, v ...float32) msg { return constOf(name, []int{len(v)}, v...) }
	same := []msg{attrInts("kernel_shape", 3, 3), attrInts("pads", 1, 1, 1, 1)}
	n := func(op, in, out string, attrs ...msg) msg { return nodeOf(op, operands(in), operands(out), attrs...) }
	floating := func(name string, v float32) msg { return msg{}.str(1, name).num(20, 1).float(2, v) }
	silu := msg{}.str(1, "Swish").str(4, "a").str(5, "b").str(6, "beta").str(10, "my").bytes(9, msg{}.str(1, "").num(2, 17)).
		bytes(7, n("Constant", "", "k", msg{}.str(1, "value_float").num(20, 1).str(21, "beta"))).
		bytes(7, n("Mul", "a k", "ak")).bytes(7, n("Sigmoid", "ak", "s")).bytes(7, n("Mul", "a s", "b"))
	return map[string]msg{
		"cnn": modelAt(17, ends(graphOf(
			n("Conv", "x w1 b1", "c1", same...),
			n("BatchNormalization", "c1 g h m v", "n1"),
			n("Relu", "n1", "r1"),
			n("Conv", "r1 w2", "c2", append(same, attrInt("group", 4))...),
			n("Mul", "c2 scale", "s2"),
			n("Add", "s2 shift", "a2"),
			n("Clip", "a2 zero six", "k2"),
			n("Add", "k2 r1", "sum"),
			n("MaxPool", "sum", "p", attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2), attrInt("ceil_mode", 1)),
			n("GlobalAveragePool", "p", "ga"),
			n("Flatten", "ga", "f"),
			n("Gemm", "f w3 b3", "z", attrInt("transB", 1)),
			n("Softmax", "z", "y", attrInt("axis", 1))).
			all(5, drawn("w1", 0.5, 4, 3, 3, 3), drawn("b1", 0.1, 4), vector("g", 1, 0.5, -1, 2), vector("h", 0, 0.1, 0.2, -0.3), vector("m", 0.1, 0, -0.1, 0.2),
				vector("v", 1, 0.5, 0.25, 2), drawn("w2", 0.5, 4, 1, 3, 3), constOf("scale", []int{4, 1, 1}, 1, 2, 0.5, -1), scalar("shift", 0.25),
				scalar("zero", 0), scalar("six", 6), drawn("w3", 0.5, 5, 4), drawn("b3", 0.1, 5)),
			value("y", 1), value("x", 1, "n", 3, "h", 6))),
		"attention": modelAt(17, ends(graphOf(
			n("Shape", "x", "sh"), n("Gather", "sh c0", "d0", attrInt("axis", 0)), n("Gather", "sh c1", "d1", attrInt("axis", 0)),
			n("Unsqueeze", "d0 a0", "u0"), n("Unsqueeze", "d1 a0", "u1"), n("Concat", "u0 u1 heads", "split", attrInt("axis", 0)),
			n("MatMul", "x wq", "q0"), n("Add", "q0 bq", "q1"), n("Reshape", "q1 split", "q2"), n("Transpose", "q2", "q", attrInts("perm", 0, 2, 1, 3)),
			n("MatMul", "x wk", "k0"), n("Reshape", "k0 split", "k2"), n("Transpose", "k2", "k", attrInts("perm", 0, 2, 3, 1)),
			n("MatMul", "x wv", "v0"), n("Reshape", "v0 split", "v2"), n("Transpose", "v2", "v", attrInts("perm", 0, 2, 1, 3)),
			n("MatMul", "q k", "qk"), n("Div", "qk root", "att"), n("Softmax", "att", "p", attrInt("axis", -1)), n("MatMul", "p v", "o"),
			n("Transpose", "o", "o1", attrInts("perm", 0, 2, 1, 3)), n("Concat", "u0 u1 width", "join", attrInt("axis", 0)), n("Reshape", "o1 join", "o2"),
			n("Add", "o2 x", "res"), n("LayerNormalization", "res g h", "y", attrInt("axis", -1))).
			all(5, tensorOf("c0", 7).bytes(9, rawInts(0)), tensorOf("c1", 7).bytes(9, rawInts(1)), constInts("a0", 0), constInts("heads", 2, 3), constInts("width", 6),
				drawn("wq", 0.6, 6, 6), drawn("bq", 0.1, 6), drawn("wk", 0.6, 6, 6), drawn("wv", 0.6, 6, 6), scalar("root", 1.7320508), drawn("g", 1, 6), drawn("h", 0.2, 6)),
			value("y", 1), value("x", 1, "n", "t", 6))),
		"block": modelAt(17, ends(graphOf( // LayerNorm and GELU, spelled out
			n("ReduceMean", "x", "mu", attrInts("axes", -1)), n("Sub", "x mu", "d"), n("Mul", "d d", "q"), n("ReduceMean", "q", "var", attrInts("axes", -1)),
			n("Add", "var eps", "e"), n("Sqrt", "e", "sd"), n("Div", "d sd", "z"), n("Mul", "z g", "zg"), n("Add", "zg h", "ln"),
			n("MatMul", "ln w1", "f"), n("Add", "f b1", "fb"), n("Div", "fb root2", "er"), n("Erf", "er", "ef"), n("Add", "ef one", "e1"), n("Mul", "fb e1", "ge"),
			n("Mul", "ge half", "gelu"), n("MatMul", "gelu w2", "o"), n("Add", "o x", "y")).
			all(5, scalar("eps", 1e-5), drawn("g", 1, 6), drawn("h", 0.2, 6), drawn("w1", 0.5, 6, 8), drawn("b1", 0.1, 8), scalar("root2", 1.4142135), scalar("one", 1),
				scalar("half", 0.5), drawn("w2", 0.5, 8, 6)),
			value("y", 1), value("x", 1, "n", 6))),
		"activations": modelAt(17, ends(graphOf(
			n("Conv", "x w", "c"), n("Add", "c three", "t"), n("Clip", "t zero six", "k"), n("Mul", "c k", "ck"), n("Div", "ck six", "hs"),
			n("Sigmoid", "hs", "sg"), n("Mul", "hs sg", "si"), n("HardSigmoid", "si", "hg", floating("alpha", 1./6), floating("beta", 0.5)), n("Mul", "si hg", "sw"),
			n("LeakyRelu", "sw", "lr"), n("Identity", "lr", "id"), n("Transpose", "id", "t1", attrInts("perm", 0, 2, 3, 1)),
			n("Transpose", "t1", "y", attrInts("perm", 0, 3, 1, 2))).
			all(5, drawn("w", 0.7, 4, 4, 1, 1), scalar("three", 3), scalar("zero", 0), scalar("six", 6)),
			value("y", 1), value("x", 1, 1, 4, "n", "m"))),
		"norms": modelAt(23, ends(graphOf(
			n("GroupNormalization", "x g4 h4", "a", attrInt("num_groups", 2)), n("InstanceNormalization", "a g4 h4", "b"),
			n("RMSNormalization", "b g6", "c", attrInt("axis", -1)), n("Add", "c x", "r"), n("LayerNormalization", "r g46 h6", "d", attrInt("axis", -1)),
			n("LRN", "d", "e", attrInt("size", 3)), n("LpNormalization", "e", "y", attrInt("axis", 1))).
			all(5, drawn("g4", 1, 4), drawn("h4", 0.2, 4), drawn("g6", 1, 6), drawn("g46", 1, 4, 1, 6), drawn("h6", 0.2, 6)),
			value("y", 1), value("x", 1, "n", 4, 3, 6))),
		"shapes": modelAt(18, ends(graphOf(
			n("Split", "x", "p q", attrInt("axis", 1), attrInt("num_outputs", 2)), n("Concat", "q p", "c", attrInt("axis", 1)),
			n("Pad", "c pads", "d"), n("Slice", "d s0 s1 s2 s3", "e"), n("Unsqueeze", "e u", "f"), n("Expand", "f big", "g"), n("ReduceMax", "g axes", "h", attrInt("keepdims", 0)),
			n("Tile", "h reps", "i"), n("Gather", "i index", "j", attrInt("axis", 0)), n("ReduceL2", "j", "n2"), n("Div", "j n2", "y")).
			all(5, constInts("pads", 0, 1, 1, 0), constInts("s0", -1), constInts("s1", -100), constInts("s2", 1), constInts("s3", -2), constInts("u", 0), constInts("big", 2, 1, 1),
				constInts("axes", 0), constInts("reps", 2, 1), constInts("index", 1, 0, -1)),
			value("y", 1), value("x", 1, "n", 4))),
		"choice": modelAt(17, ends(graphOf(
			n("ReduceSum", "x", "s", attrInt("keepdims", 0)), n("Greater", "s half", "c"),
			n("If", "c", "i", attrGraph("then_branch", graphOf(n("Mul", "x k", "r")).bytes(5, vector("k", 1, 2, 3, 4)).bytes(12, value("r", 1))),
				attrGraph("else_branch", graphOf(n("Neg", "x", "r")).bytes(12, value("r", 1)))),
			n("Swish", "i", "f").str(7, "my"), n("TopK", "f two", "v ix", attrInt("axis", 1)), n("Cast", "ix", "fx", attrInt("to", 1)), n("Mul", "v fx", "t"),
			n("Where", "mask t v", "y")).
			all(5, scalar("half", 0.5), constInts("two", 2), tensorOf("mask", 9, 2).bytes(9, []byte{1, 0})),
			value("y", 1), value("x", 1, "n", 4))).bytes(8, msg{}.str(1, "my").num(2, 1)).bytes(25, silu.bytes(11, floating("beta", 1.5))),
		"deep": modelAt(17, deep(24)),
		"shared": modelAt(17, ends(graphOf( // weights that are read in more than one way
			n("MatMul", "x w", "a"), n("Gemm", "a v bias", "b", attrInt("transB", 1)), n("MatMul", "b w", "c"), n("Transpose", "w", "wt"), n("MatMul", "c wt", "d"),
			n("ReduceMax", "w", "m", attrInts("axes", 1), attrInt("keepdims", 0)), n("Add", "d m", "e"), n("Tanh", "e", "f"), n("Reshape", "f pixels", "p"),
			n("Conv", "p k", "q1"), n("Conv", "p k", "q2", attrInts("pads", 0, 0, 0, 1)), n("GlobalAveragePool", "q1", "r1"), n("GlobalMaxPool", "q2", "r2"),
			n("Add", "r1 r2", "r"), n("ReduceSum", "k", "ks", attrInt("keepdims", 0)), n("Mul", "r ks", "s"), n("ReduceSum", "s", "y")).
			all(5, drawn("w", 0.4, 10, 18), drawn("v", 0.4, 10, 18), drawn("bias", 0.1, 10), constInts("pixels", -1, 2, 1, 5), drawn("k", 0.5, 2, 2, 1, 3)),
			value("y", 1), value("x", 1, "n", 10))),
		"types": modelAt(17, ends(graphOf(
			n("Cast", "w8", "f8", attrInt("to", 1)), n("Mul", "f8 scale", "w"), n("MatMul", "x w", "a"),
			n("Cast", "w16", "f16", attrInt("to", 1)), n("MatMul", "a f16", "b"),
			n("ArgMax", "b", "best", attrInt("axis", 1), attrInt("keepdims", 0)), n("Gather", "table best", "row"), n("Cast", "row", "frow", attrInt("to", 1)), n("Add", "frow x", "c"),
			n("Greater", "c zero", "gt"), n("Less", "x c", "lt"), n("Not", "lt", "nl"), n("Xor", "gt nl", "mask"), n("Where", "mask c x", "d"),
			n("Cast", "d", "i", attrInt("to", 6)), n("Mod", "i three", "im"), n("Div", "i three", "iq"), n("Add", "im iq", "is"), n("Max", "is three", "ix"),
			n("CumSum", "ix axis", "cs"), n("Cast", "cs", "fc", attrInt("to", 1)), n("Sub", "d fc", "e"), n("OneHot", "best depth onoff", "oh"), n("MatMul", "oh b2", "q"), n("Mul", "e q", "y")).
			all(5, tensorOf("w8", 3, 4, 6).bytes(9, bytesOf(24, func(i int) byte { return byte(i*37 - 90) })), scalar("scale", 0.02),
				tensorOf("w16", 10, 6, 6).bytes(9, bytesOf(72, func(i int) byte { return []byte{byte(i * 29), byte(0x38 | i*5&0x87)}[i%2] })),
				tensorOf("table", 3, 6, 4).bytes(9, bytesOf(24, func(i int) byte { return byte(i*5 - 60) })), scalar("zero", 0),
				tensorOf("three", 6).bytes(9, []byte{3, 0, 0, 0}), tensorOf("axis", 7).bytes(9, rawInts(1)), tensorOf("depth", 7).bytes(9, rawInts(6)), vector("onoff", 0, 1),
				drawn("b2", 0.5, 6, 4)),
			value("y", 1), value("x", 1, "n", 4))),
		"quantized": quantizedNetwork(),
		"dynamic":   dynamicNetwork(),
		"blocks":    blocksNetwork(),
		"loops":     loopsNetwork(),
		"scans":     scansNetwork(),
		"lists":     listsNetwork(),
		"recurrent": recurrentNetwork(),
		"external":  externalNetwork(),
	}
}

func bytesOf(n int, f func(i int) byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = f(i)
	}
	return b
}

// deep is a chain of small layers with sums around them.
func deep(layers int) msg {
	g := msg{}
	in := "x"
	for i := range layers {
		h, out := fmt.Sprint("h", i), fmt.Sprint("o", i)
		g = g.bytes(1, nodeOf([]string{"Tanh", "Sigmoid", "Softplus", "Neg"}[i%4], []string{in}, []string{h})).
			bytes(1, nodeOf([]string{"Add", "Mul", "Sub"}[i%3], []string{h, in}, []string{out}))
		in = out
	}
	return ends(g, value(in, 1), value("x", 1, "n", 5))
}
