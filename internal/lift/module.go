package lift

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/normwasm/normwasm/internal/code"
)

const header = "\x00asm\x01\x00\x00\x00"

// Sections of a module.
const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionGlobal   = 6
	sectionExport   = 7
	sectionElement  = 9
	sectionCode     = 10
)

const i32, i64 = 0x7f, 0x7e

// goFunction is the type of functions that follow Go's calling convention: from the number
// of the block to begin with to whether the stack is being unwound.
var goFunction = []byte{0x60, 1, i32, 1, i32}

// linked is what is read of a module that Go's linker has written.
type linked struct {
	plain  map[uint32]bool // the types that are goFunction
	types  []uint32        // of each function
	bodies [][]byte        // locals and instructions of each
}

// follows reports whether function i follows Go's calling convention.
func (m *linked) follows(i int) bool { return i < len(m.types) && m.plain[m.types[i]] }

// read takes a module apart.
func read(module []byte) (*linked, error) {
	if !bytes.HasPrefix(module, []byte(header)) {
		return nil, errors.New("not a WebAssembly 1 module")
	}
	m := &linked{}
	d := &code.Decoder{Bytes: module, Pos: len(header)}
	for d.Err == nil && d.Pos < len(module) {
		id := d.Byte()
		size := int(d.U32())
		at := d.Pos
		d.Skip(size)
		if d.Err != nil {
			break
		}
		content := &code.Decoder{Bytes: module[:d.Pos], Pos: at} // an error names the place in the module
		switch id {
		case sectionType:
			m.readTypes(content)
		case sectionFunction:
			for n := content.U32(); n > 0 && content.Err == nil; n-- {
				m.types = append(m.types, content.U32())
			}
		case sectionCode:
			for n := content.U32(); n > 0 && content.Err == nil; n-- {
				size := int(content.U32())
				at := content.Pos
				content.Skip(size)
				m.bodies = append(m.bodies, module[at:content.Pos])
			}
		default:
			continue
		}
		if content.Err != nil {
			return nil, content.Err
		}
		if content.Pos != d.Pos {
			return nil, fmt.Errorf("offset %#x: section %d goes on where it should end", content.Pos, id)
		}
	}
	if d.Err == nil && len(m.types) != len(m.bodies) {
		return nil, fmt.Errorf("%d functions are declared, %d have code", len(m.types), len(m.bodies))
	}
	return m, d.Err
}

func (m *linked) readTypes(d *code.Decoder) {
	m.plain = map[uint32]bool{}
	for i, n := uint32(0), d.U32(); i < n && d.Err == nil; i++ {
		at := d.Pos
		d.Byte()
		d.Skip(int(d.U32())) // Go's linker writes types of numbers, a byte each
		d.Skip(int(d.U32()))
		if d.Err == nil {
			m.plain[i] = bytes.Equal(d.Bytes[at:d.Pos], goFunction)
		}
	}
}
