package onnx

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// maxRank bounds the number of dimensions, so that hostile files cannot make
// operators' loops over dimensions long.
const maxRank = 32

// typeNames are the element types that ir does not have, by their number in
// TensorProto.DataType.
var typeNames = [...]string{
	14: "complex64", 15: "complex128",
}

// dtype maps an element type; one that is not implemented is noted as missing
// and comes back as Undefined.
func (r *reader) dtype(n int64) ir.DType {
	if n >= 1 && n < 1<<8 && ir.DType(n).Known() {
		return ir.DType(n)
	}
	if n != 0 {
		name := text.Join("number ", n)
		if n > 0 && n < int64(len(typeNames)) && typeNames[n] != "" {
			name = typeNames[n]
		}
		r.missing("type " + name)
	}
	return ir.Undefined
}

// tensorProto is a TensorProto as it is written.
type tensorProto struct {
	name                string
	typ                 int64
	dims                []int64
	raw                 []byte
	hasRaw, external    bool
	location            string // of external data, and what else is said of it
	offset, length      string
	ints, longs, ulongs []int64
	floats              []float32
	doubles             []float64
	strs                []string
}

// tensor reads a TensorProto. What is not implemented is noted as missing, and
// the tensor comes back empty.
func (r *reader) tensor(b []byte) (t *ir.Tensor, name string, err error) {
	if err := r.item(); err != nil {
		return nil, "", err
	}
	if r.calls > 0 && len(b) > 0 { // read again by each call, but for its elements, which may have been moved
		if have := r.shared[&b[0]]; have != nil {
			return have.tensor, have.name, nil
		}
	}
	var p tensorProto
	if err := r.tensorFields(b, &p); err != nil {
		return nil, p.name, err
	}
	t, err = r.build(b, &p)
	if err == nil && r.calls > 0 && len(b) > 0 {
		if r.shared == nil {
			r.shared = map[*byte]*shared{}
		}
		r.shared[&b[0]] = &shared{t, p.name}
	}
	return t, p.name, err
}

// tensorFields reads the fields of a TensorProto. The loops over fields are functions of their own, and short: a function
// counts as hot by the code that its loop jumps over, and an engine that then optimizes it does so beside the model's start.
func (r *reader) tensorFields(b []byte, p *tensorProto) error {
	m := open(b, "tensor")
	for m.next() {
		switch m.num {
		case 1:
			p.dims = m.numbers(p.dims)
		case 2:
			p.typ = m.num64()
		case 3:
			r.missing("a tensor in segments")
		case 8:
			p.name = m.str()
		case 9:
			m.want(kindBytes)
			p.raw, p.hasRaw = m.data, true
		case 13:
			p.external = true
			if m.want(kindBytes) {
				m.err = p.entry(m.data)
			}
		case 14:
			p.external = p.external || m.num64() != 0
		default:
			p.elements(m)
		}
	}
	return m.err
}

// elements reads a field of elements that are not raw bytes.
func (p *tensorProto) elements(m *message) {
	switch m.num {
	case 4:
		p.floats = m.floats(p.floats)
	case 5:
		p.ints = m.numbers(p.ints)
	case 6:
		p.strs = append(grown(p.strs, 1), m.str())
	case 7:
		p.longs = m.numbers(p.longs)
	case 10:
		p.doubles = m.doubles(p.doubles)
	case 11:
		p.ulongs = m.numbers(p.ulongs)
	}
}

// build makes a tensor of what was read from the message b.
func (r *reader) build(b []byte, p *tensorProto) (*ir.Tensor, error) {
	t := &ir.Tensor{Type: r.dtype(p.typ)}
	if p.external && r.files == nil {
		r.missing("external data")
		return t, nil
	}
	if t.Type == ir.Undefined {
		if p.typ == 0 {
			return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " has no element type")
		}
		return t, nil
	}
	if len(p.dims) > maxRank {
		return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " has ", len(p.dims), " dimensions; the limit is ", maxRank)
	}
	n := 1 // the number of elements; 2^40 stands for anything that no file can hold
	t.Dims = make([]int, len(p.dims))
	for i, d := range p.dims {
		if d < 0 || d > 1<<40 {
			return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " has a dimension of ", d)
		}
		t.Dims[i] = int(d)
		if d != 0 && n > 1<<40/int(d) {
			return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " has dimensions ", t.Dims[:i+1], ", more than any file holds")
		}
		n *= max(int(d), 1)
	}
	n = t.Len()
	size := max(t.Type.Size(), 1)
	have, unit := 0, "elements"
	switch {
	case p.external:
		if t.Type == ir.String || r.inSparse {
			return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " is of strings, or a part of a sparse one, and in a file of its own")
		}
		at, err := p.place(t.Type.Bytes(n))
		if err != nil {
			return nil, err
		}
		at.tensor = t
		r.placed = append(r.placed, at)
		have = n
	case p.hasRaw && t.Type != ir.String:
		have, unit = len(p.raw), "bytes"
		if t.Type == ir.Bool {
			for i, v := range p.raw { // operators compare them as bytes
				p.raw[i] = min(v, 1)
			}
		}
		n = t.Type.Bytes(n)
		if have == n {
			t.Data = placed(b, p.raw, size)
		}
	case t.Type == ir.Float32:
		have = len(p.floats)
		t.Data = slab.Bytes(p.floats)
	case t.Type == ir.Float64:
		have = len(p.doubles)
		t.Data = slab.Bytes(p.doubles)
	case t.Type == ir.Int64:
		have = len(p.longs)
		t.Data = slab.Bytes(p.longs)
	case t.Type == ir.Uint64 || t.Type == ir.Uint32:
		have = len(p.ulongs)
		t.Data = narrowed(p.ulongs, size)
	case t.Type == ir.String:
		have = len(p.strs)
		t.Strings = p.strs
	default: // the small ones, and float16 by its bits, come in int32_data
		if t.Type.Bits() < 8 { // a byte of them in each number
			n, unit = t.Type.Bytes(n), "bytes"
		}
		have = len(p.ints)
		t.Data = narrowed(p.ints, size)
	}
	if have != n {
		return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " with dimensions ", t.Dims, " has ", have, " ", unit, ", want ", n)
	}
	return t, nil
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
