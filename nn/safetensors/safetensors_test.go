package safetensors

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// file is a header with its length, and data behind it.
func file(header string, data ...byte) []byte {
	b := slab.New(8 + len(header) + len(data))
	binary.LittleEndian.PutUint64(b, uint64(len(header)))
	copy(b[8:], header)
	copy(b[8+len(header):], data)
	return b
}

func TestRead(t *testing.T) {
	// (The header is so long that F32 is not aligned.)
	b := file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[3,11]},"b":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"s":{"dtype":"U8","shape":[],"data_offsets":[11,12]} }`,
		1, 255, 3, 0, 0, 128, 63, 0, 0, 0, 64, 9)
	require.True(t, Is(b))
	f, err := Read(b)
	require.NoError(t, err)
	assert.Equal(t, []string{"b", "a", "s"}, f.Names)
	assert.Equal(t, map[string]string{"format": "pt"}, f.Metadata)
	assert.Equal(t, []float32{1, 2}, f.Tensors["a"].Float32s())
	assert.Equal(t, []int{2, 1}, f.Tensors["a"].Dims)
	assert.Equal(t, ir.Int8, f.Tensors["b"].Type)
	assert.Equal(t, []int64{1, -1, 3}, f.Tensors["b"].Ints())
	assert.Equal(t, []int{}, f.Tensors["s"].Dims)
}

func TestHostileFiles(t *testing.T) {
	for _, c := range []struct{ what, header, want string }{
		{"no JSON", `{"a"`, "no JSON"},
		{"no object", `[1]`, "no object"},
		{"twice", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "twice"},
		{"no entry", `{"a":1}`, `"a" is no object`},
		{"dtype", `{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}`, `dtype "F4"`},
		{"shape", `{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, "whole numbers"},
		{"fraction", `{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, "whole numbers"},
		{"overflow", `{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, "more elements"},
		{"zero beside absurd", `{"a":{"dtype":"U8","shape":[0,9007199254740993],"data_offsets":[0,4]}}`, "whole numbers"},
		{"no shape", `{"a":{"dtype":"U8","data_offsets":[0,1]}}`, "lacks its shape"},
		{"no offsets", `{"a":{"dtype":"U8","shape":[1]}}`, "lacks its shape"},
		{"backwards", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}}`, "beginning and end"},
		{"truncated", `{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}`, "ends at byte 5, and the data have 4"},
		{"length", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "has 4 bytes, want 8"},
		{"gap", `{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}`, "begins at byte 1"},
		{"overlap", `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, "begins at byte 2"},
		{"rest", `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, "end at byte 3 of 4"},
		{"metadata", `{"__metadata__":{"n":1}}`, "are no string"},
	} {
		_, err := Read(file(c.header, 1, 2, 3, 4))
		require.ErrorContains(t, err, c.want, c.what)
		assert.IsType(t, ir.Load(), err)
	}
	for _, b := range [][]byte{nil, make([]byte, 7), {255, 255, 255, 255, 255, 255, 255, 255, '{'}, {9, 0, 0, 0, 0, 0, 0, 0, '{'}} {
		_, err := Read(b)
		assert.Error(t, err)
		assert.False(t, Is(b))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`), []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, header, data []byte) {
		got, err := Read(file(string(header), data...))
		if err != nil {
			return
		}
		n := 0
		for _, name := range got.Names {
			n += len(got.Tensors[name].Data)
			assert.Equal(t, got.Tensors[name].Type.Bytes(got.Tensors[name].Len()), len(got.Tensors[name].Data))
		}
		assert.Equal(t, len(data), n)
	})
}
