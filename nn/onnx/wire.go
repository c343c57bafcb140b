package onnx

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// The four functions of protobuf's wire format that a reader needs. The module
// google.golang.org/protobuf/encoding/protowire has them too, but it brings fmt
// along: 85 KB more in the compressed wasm file. The tests hold these to it.

// kind is a field's wire type.
type kind uint8

const (
	kindVarint  kind = 0
	kindFixed64 kind = 1
	kindBytes   kind = 2
	kindFixed32 kind = 5
)

// field is one field of a message: bits for numbers, data for bytes.
type field struct {
	num  int
	kind kind
	bits uint64
	data []byte
}

// message walks a message's fields.
type message struct {
	rest []byte
	what string // for errors, as in "node"
	err  error
	field
}

func open(b []byte, what string) *message { return &message{rest: b, what: what} }

// next reads the next field; false means the end or, with err set, damage.
func (m *message) next() bool {
	if len(m.rest) == 0 || m.err != nil {
		return false
	}
	tag, n := uvarint(m.rest)
	if n == 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return m.damaged("a field's tag")
	}
	m.rest = m.rest[n:]
	m.field = field{num: int(tag >> 3), kind: kind(tag & 7)}
	switch m.kind {
	case kindVarint:
		if m.bits, n = uvarint(m.rest); n == 0 {
			return m.badField()
		}
		m.rest = m.rest[n:]
	case kindFixed32, kindFixed64:
		size := 4
		if m.kind == kindFixed64 {
			size = 8
		}
		if len(m.rest) < size {
			return m.badField()
		}
		for i := range size {
			m.bits |= uint64(m.rest[i]) << (8 * i)
		}
		m.rest = m.rest[size:]
	case kindBytes:
		size, n := uvarint(m.rest)
		if n == 0 || size > uint64(len(m.rest)-n) {
			return m.short(size, max(len(m.rest)-n, 0))
		}
		m.data = m.rest[n : n+int(size) : n+int(size)]
		m.rest = m.rest[n+int(size):]
	default: // groups, which ONNX never had, and what is not defined
		return m.badField()
	}
	return true
}

func (m *message) damaged(where string) bool {
	m.err = ir.Load("onnx: the file is truncated or damaged: ", where, " of a ", m.what, " cannot be read")
	return false
}

func (m *message) badField() bool { return m.damaged(text.Join("field ", m.num)) }

// short notes that a field has fewer bytes than its length says.
func (m *message) short(size uint64, have int) bool {
	m.err = ir.Load("onnx: the file is truncated or damaged: field ", m.num, " of a ", m.what, " should have ",
		size, " bytes, of which ", have, " are there")
	return false
}

// want checks the kind of the current field.
func (m *message) want(k kind) bool {
	if m.kind != k {
		return m.badField()
	}
	return true
}

// str is the current field as a string.
func (m *message) str() string {
	m.want(kindBytes)
	return string(m.data)
}

// num64 is the current field as an integer.
func (m *message) num64() int64 {
	m.want(kindVarint)
	return int64(m.bits)
}

// uvarint reads a base-128 number of at most 64 bits; n is 0 when there is none.
func uvarint(b []byte) (v uint64, n int) {
	for i := 0; i < len(b) && i < 10; i++ {
		c := b[i]
		if i == 9 && c > 1 {
			return 0, 0
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// numbers appends the current field, a repeated integer that may be packed.
func (m *message) numbers(list []int64) []int64 {
	if m.kind == kindVarint {
		return append(grown(list, 1), int64(m.bits))
	}
	if !m.want(kindBytes) {
		return list
	}
	count := 0
	for _, c := range m.data {
		if c < 0x80 {
			count++
		}
	}
	list = grown(list, count)
	for b := m.data; len(b) > 0; {
		v, n := uvarint(b)
		if n == 0 {
			m.badField()
			return list
		}
		list = append(list, int64(v))
		b = b[n:]
	}
	return list
}

// floats appends the current field, a repeated float that may be packed.
func (m *message) floats(list []float32) []float32 {
	if m.kind == kindFixed32 {
		return append(grown(list, 1), math.Float32frombits(uint32(m.bits)))
	}
	if !m.want(kindBytes) || len(m.data)%4 != 0 {
		m.badField()
		return list
	}
	list = grown(list, len(m.data)/4)
	for b := m.data; len(b) > 0; b = b[4:] {
		list = append(list, math.Float32frombits(uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24))
	}
	return list
}

// doubles appends the current field, a repeated double that may be packed.
func (m *message) doubles(list []float64) []float64 {
	if m.kind == kindFixed64 {
		return append(grown(list, 1), math.Float64frombits(m.bits))
	}
	if !m.want(kindBytes) || len(m.data)%8 != 0 {
		m.badField()
		return list
	}
	list = grown(list, len(m.data)/8)
	for b := m.data; len(b) > 0; b = b[8:] {
		bits := uint64(0)
		for i := range 8 {
			bits |= uint64(b[i]) << (8 * i)
		}
		list = append(list, math.Float64frombits(bits))
	}
	return list
}

// grown makes room for n more elements, and more than that where a list grows again and
// again. It panics with a slab.NoMemoryError where there is none: a byte of a file can
// make eight of a list.
func grown[T any](list []T, n int) []T {
	if cap(list)-len(list) >= n {
		return list
	}
	size := len(list) + max(n, len(list)/2)
	slab.Must[T](size)
	return append(make([]T, 0, size), list...)
}
