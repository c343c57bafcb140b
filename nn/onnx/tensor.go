package onnx

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
)

// maxRank bounds the number of dimensions, so that hostile files cannot make
// operators' loops over dimensions long.
const maxRank = 32

// typeNames are the element types that graph does not have, by their number in
// TensorProto.DataType.
var typeNames = [...]string{
	14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2",
	20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2",
}

// dtype maps an element type; one that is not implemented is noted as missing
// and comes back as Undefined.
func (r *reader) dtype(n int64) graph.DType {
	if n >= 1 && n <= int64(graph.Uint64) {
		return graph.DType(n)
	}
	if n != 0 {
		name := text.Join("number ", n)
		if n > 0 && n < int64(len(typeNames)) && typeNames[n] != "" {
			name = typeNames[n]
		}
		r.missing("type " + name)
	}
	return graph.Undefined
}

// tensor reads a TensorProto. What is not implemented is noted as missing, and
// the tensor comes back empty.
func (r *reader) tensor(b []byte) (t *graph.Tensor, name string, err error) {
	var (
		dims, ints, longs, ulongs []int64
		floats                    []float32
		doubles                   []float64
		strs                      []string
		raw                       []byte
		hasRaw, external          bool
		typ                       int64
	)
	if err := r.item(); err != nil {
		return nil, "", err
	}
	m := open(b, "tensor")
	for m.next() {
		switch m.num {
		case 1:
			dims = m.numbers(dims)
		case 2:
			typ = m.num64()
		case 4:
			floats = m.floats(floats)
		case 5:
			ints = m.numbers(ints)
		case 6:
			strs = append(grown(strs, 1), m.str())
		case 7:
			longs = m.numbers(longs)
		case 8:
			name = m.str()
		case 9:
			m.want(kindBytes)
			raw, hasRaw = m.data, true
		case 10:
			doubles = m.doubles(doubles)
		case 11:
			ulongs = m.numbers(ulongs)
		case 3: // segment
			r.missing("a tensor in segments")
		case 13:
			external = true
		case 14:
			external = external || m.num64() != 0
		}
	}
	if m.err != nil {
		return nil, name, m.err
	}
	t = &graph.Tensor{Type: r.dtype(typ)}
	if external {
		r.missing("external data")
		return t, name, nil
	}
	if t.Type == graph.Undefined {
		if typ == 0 {
			return nil, name, graph.Load("onnx: tensor ", text.Quote(name), " has no element type")
		}
		return t, name, nil
	}
	if len(dims) > maxRank {
		return nil, name, graph.Load("onnx: tensor ", text.Quote(name), " has ", len(dims), " dimensions; the limit is ", maxRank)
	}
	n := 1 // the number of elements; 2^40 stands for anything that no file can hold
	t.Dims = make([]int, len(dims))
	for i, d := range dims {
		if d < 0 || d > 1<<40 {
			return nil, name, graph.Load("onnx: tensor ", text.Quote(name), " has a dimension of ", d)
		}
		t.Dims[i] = int(d)
		if d != 0 && n > 1<<40/int(d) {
			return nil, name, graph.Load("onnx: tensor ", text.Quote(name), " has dimensions ", t.Dims[:i+1], ", more than any file holds")
		}
		n *= max(int(d), 1)
	}
	n = t.Len()
	size := t.Type.Size()
	have, unit := 0, "elements"
	switch {
	case hasRaw && t.Type != graph.String:
		have, unit = len(raw), "bytes"
		n *= size
		if have == n {
			t.Data = placed(b, raw, size)
		}
	case t.Type == graph.Float32:
		have = len(floats)
		t.Data = slab.Bytes(floats)
	case t.Type == graph.Float64:
		have = len(doubles)
		t.Data = slab.Bytes(doubles)
	case t.Type == graph.Int64:
		have = len(longs)
		t.Data = slab.Bytes(longs)
	case t.Type == graph.Uint64 || t.Type == graph.Uint32:
		have = len(ulongs)
		t.Data = narrowed(ulongs, size)
	case t.Type == graph.String:
		have = len(strs)
		t.Strings = strs
	default: // the small ones, and float16 by its bits, come in int32_data
		have = len(ints)
		t.Data = narrowed(ints, size)
	}
	if have != n {
		return nil, name, graph.Load("onnx: tensor ", text.Quote(name), " with dimensions ", t.Dims, " has ", have, " ", unit, ", want ", n)
	}
	return t, name, nil
}

// placed returns raw, a field of the message b, aligned for elements of this
// size: moved down over the tag and length before it, which have been read, or
// copied where there is no room.
func placed(b, raw []byte, size int) []byte {
	if len(raw) == 0 {
		return nil
	}
	at := int(slab.Addr(raw) - slab.Addr(b))
	by := int(slab.Addr(raw) % uintptr(size))
	if by > at {
		c := slab.New(len(raw))
		copy(c, raw)
		return c
	}
	to := b[at-by : at-by+len(raw) : at-by+len(raw)]
	copy(to, raw)
	return to
}

// narrowed stores the low bytes of each number.
func narrowed(list []int64, size int) []byte {
	out := slab.New(len(list) * size)
	for i, v := range list {
		for j := range size {
			out[i*size+j] = byte(v >> (8 * j))
		}
	}
	return out
}
