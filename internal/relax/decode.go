package relax

import (
	"bytes"
	"fmt"
)

// instruction is one decoded instruction: its opcode and where its bytes are.
type instruction struct {
	prefix     byte   // 0, 0xfc or 0xfd
	op         uint32 // the opcode, after the prefix where there is one
	start, end int
}

func (in instruction) is(op uint32) bool     { return in.prefix == 0 && in.op == op }
func (in instruction) isSIMD(op uint32) bool { return in.prefix == prefixSIMD && in.op == op }
func (in instruction) size() int             { return in.end - in.start }

// decoder reads a module front to back. The first failure sticks in err.
type decoder struct {
	b   []byte
	pos int
	err error
}

func (d *decoder) fail(at int, format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("relax: offset %#x: %s", at, fmt.Sprintf(format, args...))
	}
}

func (d *decoder) skip(n int) {
	if n < 0 || n > len(d.b)-d.pos {
		d.fail(d.pos, "module ends early: %d bytes wanted, %d left", n, len(d.b)-d.pos)
		d.pos = len(d.b)
		return
	}
	d.pos += n
}

func (d *decoder) byte() byte {
	at := d.pos
	d.skip(1)
	if d.err != nil {
		return 0
	}
	return d.b[at]
}

// uleb reads an unsigned LEB128 number of at most bits bits.
func (d *decoder) uleb(bits int) uint64 {
	at := d.pos
	var v uint64
	for shift := 0; shift < bits; shift += 7 {
		c := d.byte()
		if d.err != nil {
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

func (d *decoder) u32() uint32 { return uint32(d.uleb(32)) }

// sleb skips a signed LEB128 number of at most bits bits.
func (d *decoder) sleb(bits int) {
	at := d.pos
	for n := 0; n < (bits+6)/7; n++ {
		if c := d.byte(); d.err != nil || c < 0x80 {
			return
		}
	}
	d.fail(at, "LEB128 number has more than %d bits", bits)
}

var header = []byte("\x00asm\x01\x00\x00\x00")

// functions walks the module's sections and calls body with the decoder placed
// behind the locals of each function; end is where the function ends.
func functions(module []byte, body func(d *decoder, end int) error) error {
	if !bytes.HasPrefix(module, header) {
		return fmt.Errorf("relax: offset 0x0: not a WebAssembly 1 module")
	}
	const codeSection = 10
	d := &decoder{b: module, pos: len(header)}
	for d.err == nil && d.pos < len(d.b) {
		id := d.byte()
		size := int(d.u32())
		at := d.pos
		d.skip(size)
		if d.err != nil || id != codeSection {
			continue
		}
		end := d.pos
		d.pos = at
		count := d.u32()
		for i := uint32(0); i < count && d.err == nil; i++ {
			size := int(d.u32())
			at, stop := d.pos, d.pos+size
			if d.err == nil && stop > end {
				d.fail(at, "function %d ends behind the code section", i)
			}
			for groups := d.u32(); groups > 0 && d.err == nil; groups-- {
				d.u32()
				d.byte()
			}
			if d.err != nil {
				break
			}
			if err := body(d, stop); err != nil {
				return err
			}
		}
		if d.err == nil && d.pos != end {
			d.fail(d.pos, "code section ends at %#x", end)
		}
	}
	return d.err
}

// body decodes instructions up to end, which must be where the function's own
// block closes.
func (d *decoder) body(end int, visit func(instruction)) error {
	depth := 1
	for depth > 0 && d.err == nil {
		if d.pos >= end {
			d.fail(d.pos, "function has no end")
			break
		}
		in := instruction{start: d.pos}
		in.prefix, in.op = d.opcode()
		d.immediates(in)
		in.end = d.pos
		if in.prefix == 0 {
			switch in.op {
			case opBlock, opLoop, opIf:
				depth++
			case opEnd:
				depth--
			}
		}
		if d.err == nil {
			visit(in)
		}
	}
	if d.err == nil && d.pos != end {
		d.fail(d.pos, "function ends before its size says (%#x)", end)
	}
	return d.err
}

func (d *decoder) opcode() (prefix byte, op uint32) {
	b := d.byte()
	if b == prefixMisc || b == prefixSIMD {
		return b, d.u32()
	}
	return 0, uint32(b)
}
