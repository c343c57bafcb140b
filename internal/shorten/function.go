package shorten

import (
	"encoding/binary"

	"github.com/normwasm/normwasm/internal/code"
)

// What Go's compiler keeps where: the stack pointer in a global, and a copy of it in a
// local; the number of the block to go on with in the function's parameter.
const (
	stackPointer = 0
	localBlock   = 0
	localSP      = 1
)

// instruction is one instruction, and its bytes.
type instruction struct {
	code.Instruction
	bytes []byte
}

// function is the instructions of a function.
type function []instruction

// is reports whether in is op with the immediate value.
func (in instruction) is(op uint32, value int64) bool { return in.Is(op) && in.Value == value }

// at is instruction i; behind the last one it is none that anything matches.
func (f function) at(i int) instruction {
	if i < len(f) {
		return f[i]
	}
	return instruction{Instruction: code.Instruction{Prefix: 0xff}}
}

// match reports whether from i on there are these opcodes.
func (f function) match(i int, ops ...uint32) bool {
	for k, op := range ops {
		if !f.at(i + k).Is(op) {
			return false
		}
	}
	return true
}

// plain is an instruction without immediates.
func plain(op uint32) instruction {
	return instruction{code.Instruction{Op: op}, []byte{byte(op)}}
}

// indexed is an instruction with an index or a depth.
func indexed(op uint32, value int) instruction {
	return instruction{code.Instruction{Op: op, Value: int64(value)}, binary.AppendUvarint([]byte{byte(op)}, uint64(value))}
}

// constant is an i32.const.
func constant(v int32) instruction {
	b := []byte{code.I32Const}
	for rest := v; ; {
		c := byte(rest & 0x7f)
		rest >>= 7
		if rest == 0 && c&0x40 == 0 || rest == -1 && c&0x40 != 0 {
			return instruction{code.Instruction{Op: code.I32Const, Value: int64(v)}, append(b, c)}
		}
		b = append(b, c|0x80)
	}
}

// long is an i64.const of a value below 1<<62.
func long(v int64) instruction {
	b := []byte{code.I64Const}
	for rest := v; ; rest >>= 7 {
		if rest < 0x40 {
			return instruction{code.Instruction{Op: code.I64Const, Value: v}, append(b, byte(rest))}
		}
		b = append(b, byte(rest&0x7f|0x80))
	}
}

// noResult is the type of a block that leaves nothing on the stack, as a signed number.
const noResult = -0x40

var ifNothing = instruction{code.Instruction{Op: code.If, Value: noResult}, []byte{code.If, 0x40}}

// withOffset is the load or store in with another offset.
func (in instruction) withOffset(offset uint64) instruction {
	in.Offset = offset
	in.bytes = binary.AppendUvarint(binary.AppendUvarint([]byte{byte(in.Op)}, uint64(in.Value)), offset)
	return in
}

// nest is the blocks that are open: where each begins.
type nest []int

// step opens and closes blocks; instruction i is f[i].
func (n nest) step(f function, i int) nest {
	switch in := f[i]; {
	case in.Is(code.Block), in.Is(code.Loop), in.Is(code.If):
		return append(n, i)
	case in.Is(code.End) && len(n) > 0: // the last one ends the function
		return n[:len(n)-1]
	}
	return n
}

// label is where the block begins that a branch of this depth leaves or repeats; -1: it
// leaves the function.
func (n nest) label(depth int64) int {
	if depth >= int64(len(n)) {
		return -1
	}
	return n[len(n)-1-int(depth)]
}

// depth is how deep a branch to the block that begins at label is; -1: it is not open.
func (n nest) depth(label int) int {
	for i := len(n) - 1; i >= 0; i-- {
		if n[i] == label {
			return len(n) - 1 - i
		}
	}
	return -1
}
