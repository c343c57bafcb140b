// Package code reads WebAssembly modules instruction by instruction.
package code

import (
	"bytes"
	"fmt"
)

// Instruction is one decoded instruction: its opcode, where its bytes are, and
// those of its immediates that are numbers.
type Instruction struct {
	Prefix     byte   // 0, 0xfc, 0xfd or 0xfe
	Op         uint32 // the opcode, after the prefix where there is one
	Start, End int

	Value  int64    // an index, a depth, an integer constant, a block's type; the alignment of a load or store
	Offset uint64   // of a load or store
	Labels []uint32 // the depths of a br_table, the default last
}

// Is reports whether in has the opcode op, which has no prefix.
func (in Instruction) Is(op uint32) bool { return in.Prefix == 0 && in.Op == op }

// IsSIMD reports whether in has the opcode op behind the prefix of SIMD.
func (in Instruction) IsSIMD(op uint32) bool { return in.Prefix == prefixSIMD && in.Op == op }

// IsAtomic reports whether in has the opcode op behind the prefix of atomics.
func (in Instruction) IsAtomic(op uint32) bool { return in.Prefix == prefixAtomic && in.Op == op }

// Size is how many bytes in has.
func (in Instruction) Size() int { return in.End - in.Start }

// Decoder reads a module front to back. The first failure sticks in Err.
type Decoder struct {
	Bytes []byte
	Pos   int
	Err   error
}

func (d *Decoder) fail(at int, format string, args ...any) {
	if d.Err == nil {
		d.Err = fmt.Errorf("offset %#x: %s", at, fmt.Sprintf(format, args...))
	}
}

// Skip goes n bytes ahead.
func (d *Decoder) Skip(n int) {
	if n < 0 || n > len(d.Bytes)-d.Pos {
		d.fail(d.Pos, "module ends early: %d bytes wanted, %d left", n, len(d.Bytes)-d.Pos)
		d.Pos = len(d.Bytes)
		return
	}
	d.Pos += n
}

// Byte reads a byte.
func (d *Decoder) Byte() byte {
	at := d.Pos
	d.Skip(1)
	if d.Err != nil {
		return 0
	}
	return d.Bytes[at]
}

// uleb reads an unsigned LEB128 number of at most bits bits.
func (d *Decoder) uleb(bits int) uint64 {
	at := d.Pos
	var v uint64
	for shift := 0; shift < bits; shift += 7 {
		c := d.Byte()
		if d.Err != nil {
			return 0
		}
		if left := bits - shift; left < 7 && c>>left != 0 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	d.fail(at, "LEB128 number has more than %d bits", bits)
	return 0
}

// U32 reads an unsigned LEB128 number.
func (d *Decoder) U32() uint32 { return uint32(d.uleb(32)) }

// sleb reads a signed LEB128 number of at most bits bits.
func (d *Decoder) sleb(bits int) (v int64) {
	at := d.Pos
	for shift := 0; shift < bits; shift += 7 {
		c := d.Byte()
		if d.Err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if c&0x40 != 0 && shift+7 < 64 {
			v |= -1 << (shift + 7)
		}
		return v
	}
	d.fail(at, "LEB128 number has more than %d bits", bits)
	return 0
}

var header = []byte("\x00asm\x01\x00\x00\x00")

// Functions walks the module's sections and calls body with the decoder placed
// behind the locals of each function; end is where the function ends.
func Functions(module []byte, body func(d *Decoder, end int) error) error {
	if !bytes.HasPrefix(module, header) {
		return fmt.Errorf("offset 0x0: not a WebAssembly 1 module")
	}
	const codeSection = 10
	d := &Decoder{Bytes: module, Pos: len(header)}
	for d.Err == nil && d.Pos < len(d.Bytes) {
		id := d.Byte()
		size := int(d.U32())
		at := d.Pos
		d.Skip(size)
		if d.Err != nil || id != codeSection {
			continue
		}
		end := d.Pos
		d.Pos = at
		count := d.U32()
		for i := uint32(0); i < count && d.Err == nil; i++ {
			size := int(d.U32())
			at, stop := d.Pos, d.Pos+size
			if d.Err == nil && stop > end {
				d.fail(at, "function %d ends behind the code section", i)
			}
			for groups := d.U32(); groups > 0 && d.Err == nil; groups-- {
				d.U32()
				d.Byte()
			}
			if d.Err != nil {
				break
			}
			if err := body(d, stop); err != nil {
				return err
			}
		}
		if d.Err == nil && d.Pos != end {
			d.fail(d.Pos, "code section ends at %#x", end)
		}
	}
	return d.Err
}

// Body decodes instructions up to end, which must be where the function's own
// block closes.
func (d *Decoder) Body(end int, visit func(Instruction)) error {
	depth := 1
	for depth > 0 && d.Err == nil {
		if d.Pos >= end {
			d.fail(d.Pos, "function has no end")
			break
		}
		in := Instruction{Start: d.Pos}
		in.Prefix, in.Op = d.opcode()
		d.immediates(&in)
		in.End = d.Pos
		if in.Prefix == 0 {
			switch in.Op {
			case Block, Loop, If:
				depth++
			case End:
				depth--
			}
		}
		if d.Err == nil {
			visit(in)
		}
	}
	if d.Err == nil && d.Pos != end {
		d.fail(d.Pos, "function ends before its size says (%#x)", end)
	}
	return d.Err
}

func (d *Decoder) opcode() (prefix byte, op uint32) {
	b := d.Byte()
	if b == prefixMisc || b == prefixSIMD || b == prefixAtomic {
		return b, d.U32()
	}
	return 0, uint32(b)
}
