package onnx

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// outside is a tensor whose elements are in a file.
func outside(name string, typ int, location, offset, length string, dims ...int) msg {
	entry := func(key, v string) msg { return msg{}.str(1, key).str(2, v) }
	t := tensorOf(name, typ, dims...).num(14, 1).bytes(13, entry("location", location)).bytes(13, entry("checksum", "0"))
	if offset != "" {
		t = t.bytes(13, entry("offset", offset))
	}
	if length != "" {
		t = t.bytes(13, entry("length", length))
	}
	return t
}

// weighted is y = x·w + b.
func weighted(w, b msg) msg {
	return model(graphOf(nodeOf("MatMul", []string{"x", "w"}, []string{"p"}), nodeOf("Add", []string{"p", "b"}, []string{"y"})).
		all(5, w, b).bytes(11, value("x", 1, "n", 2)).bytes(12, value("y", 1)))
}

func alignedCopy(b []byte) []byte {
	a := slab.New(len(b))
	copy(a, b)
	return a
}

func TestExternalData(t *testing.T) {
	data := append(rawFloats(9, 9, 1, 2, 3, 4), rawFloats(10, 20)...)
	m := weighted(outside("w", 1, "./data/w.bin", "8", "16", 2, 2), outside("b", 1, "data/w.bin", "24", "", 2))
	list, err := Files(m)
	require.NoError(t, err)
	require.Equal(t, []File{{Path: "data/w.bin", Bytes: 24, Named: "w"}}, list)
	file := alignedCopy(data)
	g, err := ReadWith(owned(m), Options{Files: map[string][]byte{"data/w.bin": file}})
	require.NoError(t, err)
	s, err := graph.NewSession(g, graph.Options{Optimize: "none"})
	require.NoError(t, err)
	x := ir.NewTensor(ir.Float32, 1, 2)
	copy(x.Float32s(), []float32{1, 2})
	got, err := outcome(s, []*ir.Tensor{x})
	require.NoError(t, err)
	assert.Equal(t, []float32{17, 30}, got[0].Float32s())
	assert.Zero(t, s.Weights(m, file), "the weights are where the file is")
}

// What is read from files where tensors overlap, are not aligned, or share elements is the
// same whatever a session overwrites.
func TestExternalDataOverlaps(t *testing.T) {
	data := append([]byte{7}, rawFloats(1, 2, 3, 4, 5, 6)...)
	for name, c := range map[string]struct {
		w, b  string
		shift int
	}{"apart": {"0", "16", 1}, "overlapping": {"0", "8", 1}, "misaligned": {"1", "17", 0}, "misaligned and overlapping": {"5", "1", 0}} {
		t.Run(name, func(t *testing.T) {
			file := alignedCopy(data[c.shift:])
			want := append([]byte{}, file...)
			g, err := ReadWith(owned(weighted(outside("w", 1, "f", c.w, "16", 2, 2), outside("b", 1, "f", c.b, "8", 2))), Options{Files: map[string][]byte{"f": file}})
			require.NoError(t, err)
			at := func(offset string, n int) []byte {
				k, _ := size(offset, 0)
				return want[k : int(k)+n]
			}
			w, b := g.Nodes[0].Inputs[1].Const, g.Nodes[1].Inputs[1].Const
			assert.Equal(t, at(c.w, 16), w.Data)
			assert.Equal(t, at(c.b, 8), b.Data)
			clear(w.Data)
			assert.Equal(t, at(c.b, 8), b.Data)
			assert.True(t, slab.Aligned[float32](w.Data))
		})
	}
}

func TestExternalDataRefused(t *testing.T) {
	bias := tensorOf("b", 1, 2).bytes(9, rawFloats(0, 0))
	for name, c := range map[string]struct {
		w    msg
		want string
	}{
		"short":        {outside("w", 1, "f", "4", "16", 2, 2), `onnx: tensor "w" is in the file "f", of which it needs 16 bytes from 4 on; the file has 16`},
		"missing":      {outside("w", 1, "g", "0", "16", 2, 2), `onnx: tensor "w" is in the file "g", of which it needs 16 bytes from 0 on; there is no such file`},
		"far":          {outside("w", 1, "f", "4503599627370496", "16", 2, 2), `; the file has 16`},
		"length":       {outside("w", 1, "f", "0", "12", 2, 2), `onnx: tensor "w" has "12" bytes in the file "f", want 16`},
		"huge":         {outside("w", 1, "f", "0", "99999999999999999999", 2, 2), `has "99999999999999999999" bytes`},
		"negative":     {outside("w", 1, "f", "-4", "16", 2, 2), `onnx: tensor "w" is at offset "-4" of the file "f"`},
		"words":        {outside("w", 1, "f", "four", "16", 2, 2), `is at offset "four"`},
		"dims":         {outside("w", 1, "f", "0", "", 1<<20, 1<<19), `of which it needs 2199023255552 bytes from 0 on; the file has 16`},
		"no place":     {tensorOf("w", 1, 2, 2).num(14, 1), `onnx: tensor "w" is in the file ""`},
		"strings":      {outside("w", 8, "f", "0", "", 2), "is of strings"},
		"absolute":     {outside("w", 1, "/etc/passwd", "", "", 2, 2), `onnx: tensor "w" is in the file "/etc/passwd", want one in the model's folder, or below it`},
		"above":        {outside("w", 1, "a/../../f", "", "", 2, 2), "want one in the model's folder"},
		"backslashes":  {outside("w", 1, `..\f`, "", "", 2, 2), "want one in the model's folder"},
		"a drive":      {outside("w", 1, "C:f", "", "", 2, 2), "want one in the model's folder"},
		"a URL":        {outside("w", 1, "https://example.com/f", "", "", 2, 2), "want one in the model's folder"},
		"zero":         {outside("w", 1, "f\x00g", "", "", 2, 2), "want one in the model's folder"},
		"just the dot": {outside("w", 1, "./.", "", "", 2, 2), "want one in the model's folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadWith(owned(weighted(c.w, bias)), Options{Files: map[string][]byte{"f": alignedCopy(rawFloats(1, 2, 3, 4))}})
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// Tensors that overlap in a file are copied, and no small file makes much of that.
func TestExternalDataIsBounded(t *testing.T) {
	file := slab.New(1 << 20)
	g := graphOf(nodeOf("Relu", []string{"x"}, []string{"y"})).bytes(11, value("x", 1, 1)).bytes(12, value("y", 1))
	for i := range 200 {
		g = g.bytes(5, outside("w"+string(rune('a'+i)), 2, "f", string(rune('0'+i%10)), "", 1<<20-16))
	}
	_, err := ReadWith(owned(model(g)), Options{Files: map[string][]byte{"f": file}})
	assert.ErrorContains(t, err, "the copies make far more of the model than its files have")
}
