package onnx

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// What is wrong with models of quantizers, loops, sequences and tables is said with the node's name and the numbers, whether
// these are constants of the file or come with the feeds, and however much is optimized. A session that only a feed did not fit takes another.
func TestBadInput(t *testing.T) {
	floats := func(name string, dims []int, v ...float32) msg { return constOf(name, dims, v...) }
	octets := func(name string, typ int, dims ...int) msg {
		return tensorOf(name, typ, dims...).bytes(9, bytesOf(product(dims), func(i int) byte { return byte(i + 1) }))
	}
	packed := func(name string, typ int, dims ...int) msg { // of 4 bits
		return tensorOf(name, typ, dims...).bytes(9, bytesOf((product(dims)+1)/2, func(i int) byte { return 0x21 }))
	}
	longs := func(name string, v ...int64) msg { return constInts(name, v...) }
	nan := float32(math.NaN())
	sequence := func(name string, typ int64) msg {
		return msg{}.str(1, name).bytes(2, msg{}.bytes(4, msg{}.bytes(1, msg{}.bytes(1, msg{}.num(1, typ)))))
	}
	ms := func(node msg) msg { return node.str(7, microsoft) }
	nbits := func(k, block int64) []msg {
		return []msg{attrInt("K", k), attrInt("N", 2), attrInt("bits", 4), attrInt("block_size", block)}
	}
	for name, c := range map[string]struct {
		nodes  []msg
		consts []msg
		inputs []msg // beside x, a float32 [2, 6]
		want   string
	}{
		"a zero point of another type than y": {[]msg{call("QuantizeLinear", "x s z", "q"), call("MatMulInteger", "q w z wz", "y")},
			[]msg{floats("s", nil, 1), octets("z", 2), octets("w", 3, 6, 2), octets("wz", 2)}, nil, `MatMulInteger "the MatMulInteger": input 3 is uint8, want int8 as input 1`},
		"a zero point of floats": {[]msg{call("QuantizeLinear", "x s z", "y")}, []msg{floats("s", nil, 1), floats("z", nil, 0)}, nil, `QuantizeLinear type float32`},
		"a zero point of another type": {[]msg{call("DequantizeLinear", "q s z", "d"), call("Add", "x d", "y")}, []msg{octets("q", 3, 6), floats("s", nil, 1), octets("z", 2)}, nil,
			`DequantizeLinear "the DequantizeLinear": input 2 is uint8, want int8 as input 0`},
		"a zero point that contradicts output_dtype": {[]msg{call("QuantizeLinear", "x s z", "y", attrInt("output_dtype", 3))}, []msg{floats("s", nil, 1), octets("z", 2)}, nil,
			`QuantizeLinear "the QuantizeLinear": y_zero_point is uint8, but output_dtype is int8`},
		"as many zero points as there are no scales": {[]msg{call("QuantizeLinear", "x s z", "y", attrInt("axis", 0))}, []msg{floats("s", []int{2}, 1, 1), octets("z", 2, 3)}, nil,
			`QuantizeLinear "the QuantizeLinear": y_zero_point has dimensions [3], y_scale has [2]`},
		"a scale of 0":     {[]msg{call("QuantizeLinear", "x s", "y")}, []msg{floats("s", nil, 0)}, nil, `QuantizeLinear "the QuantizeLinear": y_scale 0 is 0, want a finite number that is not 0`},
		"a scale of NaN":   {[]msg{call("QuantizeLinear", "x s", "y", attrInt("axis", 0))}, []msg{floats("s", []int{2}, 1, nan)}, nil, `y_scale 1 is NaN, want a finite number that is not 0`},
		"a scale fed as 0": {[]msg{call("QuantizeLinear", "x s", "y")}, nil, []msg{value("s", 1)}, `QuantizeLinear "the QuantizeLinear": y_scale is 0, want a finite number that is not 0`},
		"scales in blocks fed as 0": {[]msg{call("QuantizeLinear", "x s", "y", attrInt("axis", 1), attrInt("block_size", 3))}, nil, []msg{value("s", 1, 2, 2)},
			`y_scale is 0, want a finite number that is not 0`},
		"a scale of NaN of weights": {[]msg{call("DequantizeLinear", "q s", "d"), call("Add", "x d", "y")}, []msg{octets("q", 3, 6), floats("s", nil, nan)}, nil,
			`DequantizeLinear "the DequantizeLinear": x_scale 0 is NaN, want a finite number`},
		"a scale of a product's result": {[]msg{call("QuantizeLinear", "x s z", "q"), call("QLinearMatMul", "q s z w s wz s0 z", "y")},
			[]msg{floats("s", nil, 1), octets("z", 2), octets("w", 3, 6, 2), octets("wz", 3), floats("s0", nil, 0)}, nil, `QLinearMatMul "the QLinearMatMul": y_scale is 0, want a finite number`},
		"a scale of a product's result, fed": {[]msg{call("QuantizeLinear", "x s z", "q"), call("QLinearMatMul", "q s z w s wz s0 z", "y")},
			[]msg{floats("s", nil, 1), octets("z", 2), octets("w", 3, 6, 2), octets("wz", 3)}, []msg{value("s0", 1)}, `QLinearMatMul "the QLinearMatMul": y_scale is 0, want a finite number`},
		"a scale of a sum, fed": {[]msg{call("QuantizeLinear", "x s z", "q"), ms(call("QLinearAdd", "q s z q s z s0 z", "y"))},
			[]msg{floats("s", nil, 1), octets("z", 2)}, []msg{value("s0", 1)}, `QLinearAdd "the QLinearAdd": y_scale is 0, want a finite number`},
		"blocks that do not divide": {[]msg{call("DequantizeLinear", "q s", "d", attrInt("axis", 1), attrInt("block_size", 4)), call("Add", "x d", "y")},
			[]msg{octets("q", 3, 2, 6), floats("s", []int{2, 3}, 1, 1, 1, 1, 1, 1)}, nil, `DequantizeLinear "the DequantizeLinear": x_scale has dimensions [2 3], want [2 2] for blocks of 4 along axis 1 of [2 6]`},
		"blocks of fewer than none": {[]msg{call("DequantizeLinear", "q s", "d", attrInt("axis", 1), attrInt("block_size", -4)), call("Add", "x d", "y")},
			[]msg{octets("q", 3, 2, 6), floats("s", []int{2, 1}, 1, 1)}, nil, `DequantizeLinear "the DequantizeLinear": block_size is -4`},
		"blocks of weights of 4 bits": {[]msg{ms(call("MatMulNBits", "x w s", "y", nbits(6, 5)...))}, []msg{octets("w", 2, 2, 1, 8), floats("s", []int{2}, 1, 1)}, nil,
			`MatMulNBits "the MatMulNBits": block_size is 5, want a power of 2 from 16 on`},
		"weights of 4 bits for other sizes": {[]msg{ms(call("MatMulNBits", "x w s", "y", nbits(32, 16)...))}, []msg{octets("w", 2, 2, 1, 8), floats("s", []int{4}, 1, 1, 1, 1)}, nil,
			`MatMulNBits "the MatMulNBits": A has dimensions [2 6], want rows of 32 elements`},
		"a table in blocks that do not divide": {[]msg{ms(call("GatherBlockQuantized", "t i s", "g", attrInt("block_size", 16), attrInt("quantize_axis", 1))), call("ReduceSum", "g", "r"), call("Add", "x r", "y")},
			[]msg{packed("t", 21, 4, 24), longs("i", 1), floats("s", []int{4, 3}, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)}, nil, `GatherBlockQuantized "the GatherBlockQuantized": scales has dimensions [4 3], want [4 2] for blocks of 16 along axis 1 of [4 24]`},
		"a loop without end": {[]msg{call("Loop", "- yes x", "y", attrGraph("body", graphOf(call("Identity", "c", "d"), call("Neg", "v", "w")).
			bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("v", 1, 2, 6)).bytes(12, value("d", 9)).bytes(12, value("w", 1))))},
			[]msg{tensorOf("yes", 9).bytes(9, []byte{1})}, nil, `Loop "the Loop": it has no end`},
		"a loop of 2^63-1 trips": {[]msg{call("Loop", "m yes x", "y", attrGraph("body", graphOf(call("Identity", "c", "d"), call("Neg", "v", "w")).
			bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("v", 1, 2, 6)).bytes(12, value("d", 9)).bytes(12, value("w", 1))))},
			[]msg{tensorOf("m", 7).bytes(9, rawInts(math.MaxInt64)), tensorOf("yes", 9).bytes(9, []byte{1})}, nil, `Loop "the Loop": it would make 9223372036854775807 trips; the run's loops may make 1000 more, of 1000`},
		"a loop that computes whether it goes on": {[]msg{call("Loop", "- yes x", "y", attrGraph("body", graphOf(call("Not", "no", "d"), call("Neg", "v", "w")).
			bytes(5, tensorOf("no", 9).bytes(9, []byte{0})).bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("v", 1, 2, 6)).bytes(12, value("d", 9)).bytes(12, value("w", 1))))},
			[]msg{tensorOf("yes", 9).bytes(9, []byte{1})}, nil, `Loop "the Loop"`},
		"a sequence of mixed types": {[]msg{call("SequenceConstruct", "x i", "l"), call("SequenceAt", "l zero", "y")}, []msg{longs("i", 1), tensorOf("zero", 7).bytes(9, rawInts(0))}, nil,
			`SequenceConstruct "the SequenceConstruct": input 1 is a tensor of int64, want float32: all elements of a sequence are of one type`},
		"another type in a sequence": {[]msg{call("SequenceInsert", "list x", "l"), call("ConcatFromSequence", "l", "y", attrInt("axis", 0))}, nil, []msg{sequence("list", 7)},
			`SequenceInsert "the SequenceInsert": input 1 is a tensor of float32, want int64: all elements of a sequence are of one type`},
		"a place that a sequence does not have": {[]msg{call("SequenceConstruct", "x x", "l"), call("SequenceAt", "l at", "y")}, []msg{tensorOf("at", 7).bytes(9, rawInts(2))}, nil,
			`SequenceAt "the SequenceAt": position 2 in a sequence of 2`},
		"a token that the table does not have": {[]msg{call("Gather", "table ids", "g"), call("Add", "g x", "y")}, []msg{drawn("table", 1, 5, 6), longs("ids", 1, 5)}, nil,
			`Gather "the Gather": an index is 5, want one in [-5, 4]`},
		"a token below": {[]msg{call("Gather", "table ids", "g"), call("Add", "g x", "y")}, []msg{drawn("table", 1, 5, 6), longs("ids", 1, -6)}, nil,
			`Gather "the Gather": an index is -6, want one in [-5, 4]`},
		"a token in blocks": {[]msg{ms(call("GatherBlockQuantized", "t i s", "g", attrInt("block_size", 16), attrInt("quantize_axis", 1))), call("ReduceSum", "g", "r"), call("Add", "x r", "y")},
			[]msg{packed("t", 21, 4, 32), longs("i", 4), drawn("s", 1, 4, 2)}, nil, `GatherBlockQuantized "the GatherBlockQuantized": an index is 4, want one in [-4, 3]`},
		"a token of an embedding": {[]msg{ms(call("EmbedLayerNormalization", "ids - words places - g b", "e m")), call("ReduceSum", "e", "r"), call("Add", "x r", "y")},
			[]msg{tensorOf("ids", 6, 1, 2).bytes(9, []byte{1, 0, 0, 0, 9, 0, 0, 0}), drawn("words", 1, 5, 6), drawn("places", 1, 4, 6), drawn("g", 1, 6), drawn("b", 1, 6)}, nil,
			`EmbedLayerNormalization "the EmbedLayerNormalization": an index is 9, want one in [0, 4]`},
		"more tokens than an embedding has places": {[]msg{ms(call("EmbedLayerNormalization", "ids - words places - g b", "e m")), call("ReduceSum", "e", "r"), call("Add", "x r", "y")},
			[]msg{tensorOf("ids", 6, 1, 3).bytes(9, make([]byte, 12)), drawn("words", 1, 5, 6), drawn("places", 1, 2, 6), drawn("g", 1, 6), drawn("b", 1, 6)}, nil,
			`EmbedLayerNormalization "the EmbedLayerNormalization": an index is 2, want one in [0, 1]`},
	} {
		for _, level := range []string{"none", "all"} {
			t.Run(name+", "+level, func(t *testing.T) {
				file := withMicrosoft(23, ends(graphOf(c.nodes...).all(5, c.consts...), msg{}.str(1, "y"), append([]msg{value("x", 1, 2, 6)}, c.inputs...)...))
				g, err := Read(owned(file))
				require.NoError(t, err)
				s, err := graph.NewSession(g, graph.Options{Optimize: level, MaxTrips: 1000, MaxBytes: 1 << 24})
				for range 2 {
					if err == nil {
						counts := countsOf(s.Inputs())
						var feeds []*ir.Tensor
						for _, in := range eachTensor(s.Inputs(), counts) {
							x := ir.NewTensor(in.Type, sizesOf(in)...)
							feeds = append(feeds, x)
						}
						_, err = outcome(s, feeds)
					}
					require.ErrorContains(t, err, c.want)
					require.Empty(t, unwanted(err))
					if s == nil {
						break
					}
					err = nil
				}
			})
		}
	}
}

func sizesOf(in graph.Info) (dims []int) {
	for _, d := range in.Dims {
		dims = append(dims, max(d.Size, 0))
	}
	return dims
}

// What is fed takes the place of what did not fit: the next run is as if there had been none.
func TestSessionsOutliveBadInput(t *testing.T) {
	file := modelAt(21, ends(graphOf(call("QuantizeLinear", "x s", "q"), call("DequantizeLinear", "q s", "d"), call("Gather", "d i", "g"), call("Loop", "m yes g", "y",
		attrGraph("body", graphOf(call("Identity", "c", "k"), call("Add", "v v", "w")).bytes(11, value("i", 7)).bytes(11, value("c", 9)).bytes(11, value("v", 1)).bytes(12, value("k", 9)).bytes(12, value("w", 1))))).
		bytes(5, tensorOf("yes", 9).bytes(9, []byte{1})), value("y", 1), value("x", 1, 3), value("s", 1), value("i", 7, "n"), value("m", 7)))
	s, err := session(file, "all")
	require.NoError(t, err)
	run := func(scale float32, index, trips int64) ([]*ir.Tensor, error) {
		x, sc, i, m := ir.NewTensor(ir.Float32, 3), ir.NewTensor(ir.Float32), ir.NewTensor(ir.Int64, 1), ir.NewTensor(ir.Int64)
		copy(x.Float32s(), []float32{1, 2, 3})
		sc.Float32s()[0], i.Int64s()[0], m.Int64s()[0] = scale, index, trips
		return outcome(s, []*ir.Tensor{x, sc, i, m})
	}
	for _, c := range []struct {
		scale        float32
		index, trips int64
		want         string
	}{{0, 0, 1, "y_scale is 0"}, {float32(math.Inf(-1)), 0, 1, "y_scale is -Inf"}, {1, 3, 1, "an index is 3, want one in [-3, 2]"}, {1, 0, math.MaxInt64, "it would make 9223372036854775807 trips"}} {
		_, err := run(c.scale, c.index, c.trips)
		require.ErrorContains(t, err, c.want)
		require.False(t, strings.Contains(err.Error(), "failed"))
		got, err := run(1, 2, 3)
		require.NoError(t, err)
		require.Equal(t, []float32{24}, slab.View[float32](owned(got[0].Data)))
	}
}
