package onnx

import "encoding/binary"

// Networks of the kinds that quantizers, loops, sequences and large exports write: seeds of mutations as well.

const microsoft = "com.microsoft"

// scaleOf and zeroOf are a quantization's numbers: of one int8 (3), uint8 (2) or int32 (6).
func scaleOf(name string, v float32) msg { return constOf(name, nil, v) }

func zeroOf(name string, typ int, v byte) msg { return tensorOf(name, typ).bytes(9, []byte{v}) }

// weightsOf are bytes that look like quantized weights.
func weightsOf(name string, typ int, dims ...int) msg {
	return tensorOf(name, typ, dims...).bytes(9, bytesOf(product(dims), func(i int) byte { return byte(i*i*29 + 7*i + len(name)) }))
}

func int32sOf(name string, v ...int32) msg {
	var b []byte
	for _, n := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return tensorOf(name, 6, len(v)).bytes(9, b)
}

func call(op, in, out string, attrs ...msg) msg {
	return nodeOf(op, operands(in), operands(out), attrs...)
}

// withMicrosoft is a model that has com.microsoft's operators too.
func withMicrosoft(version int64, g msg) msg {
	return modelAt(version, g).bytes(8, msg{}.str(1, microsoft).num(2, 1))
}

// quantizedNetwork has int8 convolutions and products in both spellings: QLinear*, and Q and DQ around what computes in floats.
func quantizedNetwork() msg {
	return withMicrosoft(21, ends(graphOf(
		call("QuantizeLinear", "x sx zx", "q0"),
		call("QLinearConv", "q0 sx zx w1 s1 z1 s2 z2 b1", "q1", attrInts("kernel_shape", 3, 3), attrInts("pads", 1, 1, 1, 1)),
		call("QLinearAdd", "q1 s2 z2 q1 s2 z2 s3 z3", "q2").str(7, microsoft),
		call("MaxPool", "q2", "q3", attrInts("kernel_shape", 2, 2), attrInts("pads", 1, 1, 0, 0)),
		call("DequantizeLinear", "q3 s3 z3", "f3"),
		call("DequantizeLinear", "w4 s4 z4", "f4", attrInt("axis", 0)),
		call("Conv", "f3 f4", "f5", attrInts("kernel_shape", 1, 1)),
		call("Relu", "f5", "f6"),
		call("QuantizeLinear", "f6 s5 z5", "q6"),
		call("QLinearGlobalAveragePool", "q6 s5 z5 s6 z6", "q7").str(7, microsoft),
		call("Flatten", "q7", "q8"),
		call("QLinearMatMul", "q8 s6 z6 w9 s9 z9 s10 z10", "q9"),
		call("DequantizeLinear", "q9 s10 z10", "f9"),
		call("Softmax", "f9", "y", attrInt("axis", 1))).
		all(5, scaleOf("sx", 0.03), zeroOf("zx", 2, 120), weightsOf("w1", 3, 4, 3, 3, 3), constOf("s1", []int{4}, 0.01, 0.02, 0.015, 0.005),
			tensorOf("z1", 3, 4).bytes(9, make([]byte, 4)), scaleOf("s2", 0.05), zeroOf("z2", 2, 128), int32sOf("b1", 10, -20, 300, 0),
			scaleOf("s3", 0.1), zeroOf("z3", 2, 100), weightsOf("w4", 3, 5, 4, 1, 1), constOf("s4", []int{5}, 0.01, 0.02, 0.01, 0.03, 0.01),
			tensorOf("z4", 3, 5).bytes(9, make([]byte, 5)), scaleOf("s5", 0.08), zeroOf("z5", 2, 0), scaleOf("s6", 0.04), zeroOf("z6", 2, 3),
			weightsOf("w9", 3, 5, 4), scaleOf("s9", 0.02), zeroOf("z9", 3, 2), scaleOf("s10", 0.1), zeroOf("z10", 2, 128)),
		value("y", 1), value("x", 1, "n", 3, "h", 5)))
}

// dynamicNetwork is what dynamic quantization makes of a product, and the contributed spellings of it.
func dynamicNetwork() msg {
	return withMicrosoft(17, ends(graphOf(
		call("DynamicQuantizeLinear", "x", "q s z"),
		call("MatMulInteger", "q w z zw", "i"),
		call("Cast", "i", "f", attrInt("to", 1)),
		call("Mul", "s sw", "ss"),
		call("Mul", "f ss", "p"),
		call("Add", "p b", "a"),
		call("Gelu", "a", "g").str(7, microsoft),
		call("DynamicQuantizeMatMul", "g w2 s2 z2 b2", "h").str(7, microsoft),
		call("MatMulIntegerToFloat", "q w s sw z zw b", "t").str(7, microsoft),
		call("Add", "h t", "u"),
		call("SkipLayerNormalization", "u a gamma beta", "n").str(7, microsoft),
		call("ConvInteger", "q4 k z", "c"),
		call("Cast", "c", "cf", attrInt("to", 1)),
		call("ReduceMean", "cf", "m", attrInt("keepdims", 0)),
		call("Sub", "n m", "y"),
		call("Reshape", "q four", "q4")).
		all(5, weightsOf("w", 3, 6, 6), zeroOf("zw", 3, 0), scaleOf("sw", 0.01), drawn("b", 0.2, 6), weightsOf("w2", 2, 6, 6), scaleOf("s2", 0.015), zeroOf("z2", 2, 128),
			drawn("b2", 0.1, 6), drawn("gamma", 1, 6), drawn("beta", 0.1, 6), weightsOf("k", 2, 2, 1, 1, 3), constInts("four", 1, 1, -1, 6)),
		value("y", 1), value("x", 1, "n", 6)))
}

// blocksNetwork has weights of 4 and 8 bits in blocks.
func blocksNetwork() msg {
	nbits := []msg{attrInt("K", 32), attrInt("N", 6), attrInt("bits", 4), attrInt("block_size", 16)}
	return withMicrosoft(21, ends(graphOf(
		call("GatherBlockQuantized", "table ids ts tz", "e", attrInt("block_size", 16), attrInt("quantize_axis", 1), attrInt("gather_axis", 0)).str(7, microsoft),
		call("MatMulNBits", "e wb ws wz", "p", nbits...).str(7, microsoft),
		call("DequantizeLinear", "w4 s4 z4", "w", attrInt("axis", 0), attrInt("block_size", 3)),
		call("MatMul", "p w", "r"),
		call("QuantizeLinear", "r sr zr", "rq", attrInt("axis", 1), attrInt("block_size", 2)),
		call("DequantizeLinear", "rq sr zr", "rf", attrInt("axis", 1), attrInt("block_size", 2)),
		call("Cast", "rf", "h", attrInt("to", 10)),
		call("Cast", "h", "hf", attrInt("to", 1)),
		call("Add", "hf x", "y")).
		all(5, tensorOf("table", 21, 5, 32).bytes(9, bytesOf(80, func(i int) byte { return byte(i*37 + 5) })), constInts("ids", 4, 0, 3),
			drawn("ts", 0.1, 5, 2), tensorOf("tz", 21, 5, 2).bytes(9, bytesOf(5, func(i int) byte { return 0x88 })),
			tensorOf("wb", 2, 6, 2, 8).bytes(9, bytesOf(96, func(i int) byte { return byte(i*53 + 11) })), drawn("ws", 0.1, 12), tensorOf("wz", 2, 6).bytes(9, bytesOf(6, func(i int) byte { return 0x78 })),
			tensorOf("w4", 22, 6, 4).bytes(9, bytesOf(12, func(i int) byte { return byte(i*91 + 3) })), drawn("s4", 0.2, 2, 4), tensorOf("z4", 22, 2, 4).bytes(9, make([]byte, 4)),
			constOf("sr", []int{3, 2}, 0.1, 0.2, 0.05, 0.1, 0.2, 0.4), tensorOf("zr", 3, 3, 2).bytes(9, make([]byte, 6))),
		value("y", 1), value("x", 1, 3, 4)))
}

// loopsNetwork has loops: so many trips, until a condition, with a state that grows, slices that are collected, one in another.
func loopsNetwork() msg {
	truth := tensorOf("yes", 9).bytes(9, []byte{1})
	counted := graphOf( // v ← tanh(v·w), which is collected
		call("Mul", "v k", "vk"), call("Tanh", "vk", "v2"), call("Identity", "c", "c2"), call("Neg", "v2", "s")).
		bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("v", 1, "n", 4)).bytes(12, value("c2", 9)).bytes(12, value("v2", 1)).bytes(12, value("s", 1))
	grows := graphOf(call("Concat", "g x", "g2", attrInt("axis", 0)), call("Shape", "g2", "sh"), call("ReduceMax", "sh", "most", attrInt("keepdims", 0)), call("Less", "most nine", "c2")).
		bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("g", 1, "m", 4)).bytes(12, value("c2", 9)).bytes(12, value("g2", 1))
	inner := graphOf(call("Add", "u one", "u2"), call("Less", "u2 lim", "c2")).
		bytes(11, value("j", 7)).bytes(11, value("c", 9)).bytes(11, value("u", 1)).bytes(12, value("c2", 9)).bytes(12, value("u2", 1))
	outer := graphOf(call("Cast", "i", "fi", attrInt("to", 1)), call("Add", "fi three", "lim"), call("Loop", "- yes fi", "u", attrGraph("body", inner)), call("Add", "acc u", "acc2")).
		bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("acc", 1)).bytes(12, value("c", 9)).bytes(12, value("acc2", 1))
	return modelAt(21, ends(graphOf(
		call("Loop", "three64 yes x", "v s", attrGraph("body", counted)),
		call("Loop", "seven yes x", "g", attrGraph("body", grows)),
		call("Loop", "two yes zero", "t", attrGraph("body", outer)),
		call("ReduceSum", "s ax", "ss", attrInt("keepdims", 0)), call("ReduceMean", "g ax", "gm", attrInt("keepdims", 1)),
		call("Add", "v ss", "a"), call("Add", "a gm", "b"), call("Mul", "b t", "y")).
		all(5, tensorOf("three64", 7).bytes(9, rawInts(3)), tensorOf("seven", 7).bytes(9, rawInts(7)), tensorOf("two", 7).bytes(9, rawInts(2)), tensorOf("nine", 7).bytes(9, rawInts(9)),
			truth, drawn("k", 1, 4), constOf("zero", nil, 0), constOf("one", nil, 1), constOf("three", nil, 2.5), constInts("ax", 0)),
		value("y", 1), value("x", 1, "n", 4)))
}

// scansNetwork goes through sequences forwards and backwards.
func scansNetwork() msg {
	body := graphOf(call("MatMul", "h w", "hw"), call("Add", "hw a", "p"), call("Sub", "p b", "d"), call("Sigmoid", "d", "h2"), call("ReduceSum", "h2", "r", attrInt("keepdims", 0))).
		bytes(11, value("h", 1, 4)).bytes(11, value("a", 1, 4)).bytes(11, value("b", 1, 4)).bytes(12, value("h2", 1)).bytes(12, value("r", 1))
	return modelAt(21, ends(graphOf(
		call("Neg", "x", "nx"),
		call("Scan", "h0 x nx", "h rs", attrGraph("body", body), attrInt("num_scan_inputs", 2), attrInts("scan_input_directions", 0, 1), attrInts("scan_input_axes", 0, 0), attrInts("scan_output_directions", 1)),
		call("ReduceMax", "rs", "m", attrInt("keepdims", 0)), call("Mul", "h m", "y")).
		all(5, drawn("h0", 0.5, 4), drawn("w", 0.5, 4, 4)),
		value("y", 1), value("x", 1, "n", 4)))
}

// listsNetwork has sequences, of inputs and made of tensors, and optional values.
func listsNetwork() msg {
	sequence := func(name string) msg {
		return msg{}.str(1, name).bytes(2, msg{}.bytes(4, msg{}.bytes(1, msg{}.bytes(1, msg{}.num(1, 1)))))
	}
	optional := msg{}.str(1, "may").bytes(2, msg{}.bytes(9, msg{}.bytes(1, msg{}.bytes(1, msg{}.num(1, 1).bytes(2, msg{}.bytes(1, msg{}.str(2, "n")).bytes(1, msg{}.num(1, 4)))))))
	mapped := graphOf(call("Mul", "e k", "f")).bytes(11, value("e", 1, "r", 4)).bytes(12, value("f", 1))
	grown := graphOf(call("SequenceAt", "l at", "e"), call("Neg", "e", "f"), call("SequenceInsert", "l f", "l2"), call("Identity", "c", "c2")).
		bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, sequence("l")).bytes(12, value("c2", 9)).bytes(12, sequence("l2"))
	there := graphOf(call("OptionalGetElement", "may", "o")).bytes(12, value("o", 1))
	absent := graphOf(call("Identity", "x", "o")).bytes(12, value("o", 1))
	return modelAt(21, ends(graphOf(
		call("SplitToSequence", "x parts", "l0", attrInt("axis", 0)),
		call("SequenceMap", "l0", "l1", attrGraph("body", mapped)),
		call("SequenceInsert", "l1 x at", "l2"), call("SequenceErase", "l2 last", "l3"),
		call("Loop", "three - l3", "l4", attrGraph("body", grown)),
		call("ConcatFromSequence", "l4", "j", attrInt("axis", 0)),
		call("SequenceLength", "l4", "len"), call("Cast", "len", "fl", attrInt("to", 1)),
		call("SequenceConstruct", "x x", "l5"), call("ConcatFromSequence", "l5", "k5", attrInt("axis", 0), attrInt("new_axis", 1)),
		call("OptionalHasElement", "may", "has"),
		call("If", "has", "o", attrGraph("then_branch", there), attrGraph("else_branch", absent)),
		call("SequenceInsert", "given o", "l6"),
		call("ReduceMean", "j ax", "jm", attrInt("keepdims", 1)), call("Add", "jm fl", "a"), call("ReduceSum", "k5 ax", "ks", attrInt("keepdims", 0)), call("Add", "ks a", "y")).
		all(5, tensorOf("parts", 7).bytes(9, rawInts(1)), drawn("k", 1, 4), tensorOf("at", 7).bytes(9, rawInts(0)), tensorOf("last", 7).bytes(9, rawInts(-1)),
			tensorOf("three", 7).bytes(9, rawInts(3)), constInts("ax", 0)).
		bytes(12, sequence("l6")),
		value("y", 1), value("x", 1, "n", 4), sequence("given"), optional))
}

// recurrentNetwork has the recurrent operators, in both directions.
func recurrentNetwork() msg {
	both := msg{}.str(1, "direction").num(20, 3).str(4, "bidirectional")
	return modelAt(21, ends(graphOf(
		call("LSTM", "x w1 r1 b1", "a ah ac", attrInt("hidden_size", 3), both),
		call("Transpose", "a", "at", attrInts("perm", 0, 2, 1, 3)), call("Reshape", "at flat", "b"),
		call("GRU", "b w2 r2", "c ch", attrInt("hidden_size", 2), attrInt("linear_before_reset", 1)),
		call("Squeeze", "c one", "d"),
		call("RNN", "d w3 r3 - lens h3", "e", attrInt("hidden_size", 4)),
		call("Squeeze", "e one", "f"), call("Add", "f x", "y")).
		all(5, drawn("w1", 0.5, 2, 12, 4), drawn("r1", 0.4, 2, 12, 3), drawn("b1", 0.1, 2, 24), constInts("flat", 0, 0, -1), drawn("w2", 0.5, 1, 6, 6), drawn("r2", 0.5, 1, 6, 2),
			constInts("one", 1), drawn("w3", 0.5, 1, 4, 2), drawn("r3", 0.4, 1, 4, 4), int32sOf("lens", 1, 0), drawn("h3", 0.5, 1, 2, 4)),
		value("y", 1), value("x", 1, "n", 2, 4)))
}

// besideName is the one file that mutants find beside them.
const besideName = "weights/data.bin"

// beside are the files that mutants find beside them, anew each time: a session may write over them.
func beside() map[string][]byte {
	v := make([]float32, 256)
	for i := range v {
		v[i] = float32(i%23-11) / 8
	}
	return map[string][]byte{besideName: alignedCopy(rawFloats(v...)), "empty": {}}
}

// externalNetwork has its weights in that file.
func externalNetwork() msg {
	return modelAt(21, ends(graphOf(
		call("MatMul", "x w", "a"), call("Add", "a b", "c"), call("Tanh", "c", "d"), call("MatMul", "d w2", "e"), call("Gather", "e ids", "f", attrInt("axis", 1)), call("Mul", "f s", "y")).
		all(5, outside("w", 1, besideName, "0", "192", 6, 8), outside("b", 1, besideName, "192", "", 8), outside("w2", 1, "./"+besideName, "256", "160", 8, 5),
			constInts("ids", 4, 0, 0, 2), outside("s", 1, besideName, "1020", "4")),
		value("y", 1), value("x", 1, "n", 6)))
}
