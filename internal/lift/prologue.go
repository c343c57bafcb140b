package lift

import (
	"errors"
	"fmt"

	"github.com/normwasm/normwasm/internal/code"
)

// prologue is what a kernel begins with, see File.Record in internal/asm: what it records.
type prologue struct {
	index int
	frame int64 // bytes
	tape  int64 // the address of the variable that says where
}

// step is an instruction of a prologue: its opcode, and its immediates as they have to be. value is
// nil where there is none. An optional one may be left out: internal/shorten does.
type step struct {
	prefix   byte
	op       uint32
	value    func(p *prologue, v int64) bool
	offset   uint64
	optional bool
}

const (
	register0 = 2 // the local of the first register, behind the parameter and the stack pointer
	noResult  = -0x40
	aligned   = 3 // log2 of 8 bytes

	i64Load    = 0x29
	i64LtU     = 0x54
	pick       = 0x1b // select
	memoryCopy = 10
)

func is(want int64) func(*prologue, int64) bool {
	return func(_ *prologue, v int64) bool { return v == want }
}

// tape is where the prologue finds the tape, everywhere the same.
func tape(p *prologue, v int64) bool {
	if p.tape == 0 {
		p.tape = v
	}
	return p.tape == v && v > 0
}

// mark is what is written in front of the frame: its size and the kernel's index.
func mark(p *prologue, v int64) bool {
	p.index, p.frame = int(v&0xffffffff), v>>32
	return p.frame >= 0 && p.frame%8 == 0
}

func frame(p *prologue, v int64) bool  { return v == p.frame }
func record(p *prologue, v int64) bool { return v == p.frame+recordFrame }

// enough is how many steps no other function begins with.
const enough = 7

var recording = []step{
	{op: code.GlobalGet, value: is(stackPointer)},
	{op: code.LocalSet, value: is(localSP)},

	{op: code.I32Const, value: tape},
	{op: i64Load, value: is(aligned)},
	{op: code.LocalTee, value: is(register0)},
	{op: code.I32WrapI64},
	{op: code.If, value: is(noResult)},

	{op: code.LocalGet, value: is(register0)}, // the mark
	{op: code.I32WrapI64},
	{op: code.I64Const, value: mark},
	{op: code.I64Store, value: is(aligned)},

	{op: code.LocalGet, value: is(register0)}, // the frame
	{op: code.I32WrapI64},
	{op: code.I32Const, value: is(recordFrame)},
	{op: code.I32Add},
	{op: code.LocalGet, value: is(localSP)},
	{op: code.I32Const, value: is(recordFrame)},
	{op: code.I32Add},
	{op: code.I32Const, value: frame},
	{prefix: prefixMisc, op: memoryCopy},

	{op: code.I32Const, value: tape}, // the next place
	{op: code.LocalGet, value: is(register0)},
	{op: code.I64Const, value: record},
	{op: code.I64Add},
	{op: code.LocalTee, value: is(register0)},
	{op: code.I32Const, value: tape},
	{op: i64Load, value: is(aligned), offset: 8},
	{op: code.LocalGet, value: is(register0)},
	{op: code.I32Const, value: tape},
	{op: i64Load, value: is(aligned), offset: 8},
	{op: i64LtU},
	{op: pick},
	{op: code.I64Store, value: is(aligned)},

	{op: code.LocalGet, value: is(localSP)}, // return
	{op: code.I32Const, value: is(8)},
	{op: code.I32Add},
	{op: code.LocalTee, value: is(localSP), optional: true},
	{op: code.GlobalSet, value: is(stackPointer)},
	{op: code.I32Const, value: is(0)},
	{op: code.Return},
	{op: code.End},
}

// prologue returns what f records, and with which instruction it goes on behind that; nil for a
// function that is no kernel. One that only begins as a kernel does is an error.
func (f function) prologue() (p *prologue, rest int, err error) {
	p = &prologue{}
	for i, s := range recording {
		if rest < len(f.list) && s.matches(p, f.list[rest]) {
			rest++
			continue
		}
		switch {
		case s.optional:
		case i < enough:
			return nil, 0, nil
		default:
			return nil, 0, fmt.Errorf("it begins as a kernel that records its calls, and goes on otherwise at instruction %d", rest)
		}
	}
	if rest == len(f.list) {
		return nil, 0, errors.New("it ends where a kernel would begin to compute")
	}
	return p, rest, nil
}

func (s step) matches(p *prologue, in code.Instruction) bool {
	return in.Prefix == s.prefix && in.Op == s.op && in.Offset == s.offset && (s.value == nil || s.value(p, in.Value))
}
