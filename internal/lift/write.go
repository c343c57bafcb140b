package lift

import (
	"encoding/binary"
	"strconv"

	"github.com/normwasm/normwasm/internal/code"
)

// The memory of a module is imported, so that any shared memory of no more pages fits.
const (
	shared   = 3 // the memory's limits are that of a shared one with a maximum
	maxPages = 1 << 16
)

// Of run's three arguments: where records begin and end, and where it says at which one it is.
const (
	from = iota
	to
	beat
)

// Of a record: a kernel's index, the size of its frame, the frame.
const (
	recordIndex = 0
	recordSize  = 4
	recordFrame = 8
)

// run calls the kernels of the records from one address to another. A kernel finds its frame behind the stack
// pointer, which is set to the record, and the return address that it takes off the stack is what is in front.
var run = []byte{
	0, // locals
	code.Loop, 0x40,
	code.LocalGet, from, code.LocalGet, to, i32LtU, code.If, 0x40,
	code.LocalGet, beat, code.LocalGet, from, 0xfe, atomicStore, 2, 0,
	code.LocalGet, from, code.GlobalSet, 0,
	code.I32Const, 0, // the kernel's argument: it begins at its beginning
	code.LocalGet, from, i32Load, 2, recordIndex, code.CallIndirect, 0, 0, drop,
	code.LocalGet, from, code.I32Const, recordFrame, code.I32Add,
	code.LocalGet, from, i32Load, 2, recordSize, code.I32Add, code.LocalSet, from,
	code.Br, 1,
	code.End,
	code.End,
	code.End,
}

const (
	drop        = 0x1a
	i32Load     = 0x28
	i32LtU      = 0x49
	atomicStore = 0x17
)

// write is the module of kernels, which are in the order of their indices.
func write(kernels []kernel) []byte {
	const funcref, function, memory = 0x70, 0, 2
	var types, imports, functions, table, globals, exports, bodies buffer
	types.number(2).bytes(goFunction...).bytes(0x60, 3, i32, i32, i32, 0)
	imports.number(1).text("env").text("memory").bytes(memory, shared).number(1).number(maxPages)
	functions.number(len(kernels) + 1)
	entries := kernels[len(kernels)-1].index + 1
	table.number(1).bytes(funcref, 1).number(entries).number(entries)
	globals.number(1).bytes(i32, 1, code.I32Const, 0, code.End) // the stack pointer
	// The second name says of which build the kernels are: calls that another recorded are not for them.
	exports.number(2).text("run").bytes(function).number(len(kernels)).text(strconv.FormatUint(signature, 16)).bytes(function).number(len(kernels))
	bodies.number(len(kernels) + 1)
	for _, k := range kernels {
		functions.number(0)
		bodies.number(len(k.body)).bytes(k.body...)
	}
	functions.number(1)
	bodies.number(len(run)).bytes(run...)

	out := buffer(header)
	out.section(sectionType, types).section(sectionImport, imports).section(sectionFunction, functions).section(sectionTable, table)
	out.section(sectionGlobal, globals).section(sectionExport, exports).section(sectionElement, elements(kernels)).section(sectionCode, bodies)
	return out
}

// elements puts each kernel, whose function's number is its place in the list, into the table.
func elements(kernels []kernel) buffer {
	var segments [][]kernel // without gaps
	for i, k := range kernels {
		if i == 0 || k.index != kernels[i-1].index+1 {
			segments = append(segments, nil)
		}
		last := &segments[len(segments)-1]
		*last = append(*last, k)
	}
	var b buffer
	b.number(len(segments))
	next := 0
	for _, s := range segments {
		b.bytes(0, code.I32Const).signed(s[0].index).bytes(code.End).number(len(s))
		for range s {
			b.number(next)
			next++
		}
	}
	return b
}

// buffer is what is written of a module.
type buffer []byte

func (b *buffer) bytes(c ...byte) *buffer {
	*b = append(*b, c...)
	return b
}

// number appends an unsigned number.
func (b *buffer) number(v int) *buffer {
	*b = binary.AppendUvarint(*b, uint64(v))
	return b
}

// signed appends a number that is not negative where signed ones are read.
func (b *buffer) signed(v int) *buffer {
	for ; v >= 0x40; v >>= 7 {
		b.bytes(byte(v&0x7f | 0x80))
	}
	return b.bytes(byte(v))
}

func (b *buffer) text(s string) *buffer { return b.number(len(s)).bytes([]byte(s)...) }

func (b *buffer) section(id byte, content buffer) *buffer {
	return b.bytes(id).number(len(content)).bytes(content...)
}
