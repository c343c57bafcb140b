package lift

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/normwasm/normwasm/internal/code"
)

// shape is a function of internal/threads as Go's assembler writes it, all of it, and the
// instructions that take the place of those in its middle.
type shape struct {
	name                string
	head, plain, atomic []byte
	tail                []byte
}

// Opcodes that a shape has besides those of package code.
const (
	i32And     = 0x71
	i64Eq      = 0x51
	i64Load32U = 0x35
	i64Store32 = 0x3e

	prefixAtomic = 0xfe
	notify       = 0x00
	load32U      = 0x16 // i64.atomic.load32_u
	addU         = 0x24 // i64.atomic.rmw32.add_u
	cmpxchgU     = 0x4e // i64.atomic.rmw32.cmpxchg_u
)

// registers is the locals of a function with so many registers, and how it fetches the stack pointer.
func registers(count byte) []byte {
	return []byte{2, 1, i32, count, i64, code.GlobalGet, stackPointer, code.LocalSet, localSP}
}

// returns is how a function ends.
var returns = []byte{code.LocalGet, localSP, code.I32Const, 8, code.I32Add, code.LocalTee, localSP, code.GlobalSet, stackPointer,
	code.I32Const, 0, code.Return, 0, code.End}

// shapes are the functions in internal/threads/atomic_wasm.s.
var shapes = []shape{
	{
		name: "load",
		head: join(registers(1), []byte{
			code.LocalGet, localSP, i64Load, 3, 8, code.LocalSet, 2,
			code.LocalGet, localSP, code.LocalGet, 2, code.I32WrapI64,
		}),
		plain:  []byte{i64Load32U, 2, 0, code.Nop},
		atomic: []byte{prefixAtomic, load32U, 2, 0},
		tail:   join([]byte{i64Store32, 2, 16}, returns),
	},
	{
		name: "add",
		head: join(registers(3), []byte{
			code.LocalGet, localSP, i64Load, 3, 8, code.LocalSet, 2,
			code.LocalGet, localSP, i64Load32U, 2, 16, code.LocalSet, 3,
		}),
		plain: []byte{
			code.LocalGet, 2, code.I32WrapI64, i64Load32U, 2, 0, code.LocalSet, 4,
			code.LocalGet, 2, code.I32WrapI64, code.LocalGet, 4, code.LocalGet, 3, code.I64Add, i64Store32, 2, 0,
		},
		atomic: []byte{code.LocalGet, 2, code.I32WrapI64, code.LocalGet, 3, prefixAtomic, addU, 2, 0, code.LocalSet, 4},
		tail:   join([]byte{code.LocalGet, localSP, code.LocalGet, 4, i64Store32, 2, 24}, returns),
	},
	{
		name: "swap",
		head: join(registers(4), []byte{
			code.LocalGet, localSP, i64Load, 3, 8, code.LocalSet, 2,
			code.LocalGet, localSP, i64Load32U, 2, 16, code.LocalSet, 3,
			code.LocalGet, localSP, i64Load32U, 2, 20, code.LocalSet, 4,
		}),
		plain: []byte{
			code.LocalGet, 2, code.I32WrapI64, i64Load32U, 2, 0, code.LocalTee, 5,
			code.LocalGet, 3, i64Eq, code.If, 0x40,
			code.LocalGet, 2, code.I32WrapI64, code.LocalGet, 4, i64Store32, 2, 0,
			code.End,
		},
		atomic: []byte{code.LocalGet, 2, code.I32WrapI64, code.LocalGet, 3, code.LocalGet, 4, prefixAtomic, cmpxchgU, 2, 0, code.LocalSet, 5},
		tail:   join([]byte{code.LocalGet, localSP, code.LocalGet, 5, i64Store32, 2, 24}, returns),
	},
	{
		name:   "wake",
		head:   join(registers(1), []byte{code.LocalGet, localSP, i64Load, 3, 8}),
		plain:  []byte{code.LocalTee, 2, code.I32WrapI64, i32Load, 2, 0, code.I32Const, 0x87, 0xad, 0xcb, 0, i32And, drop}, // 1234567
		atomic: []byte{code.I32WrapI64, code.I32Const, 0x7f, prefixAtomic, notify, 2, 0, drop},                             // −1: all who sleep
		tail:   returns,
	},
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Atomics rewrites, in place, the functions of internal/threads that are to be atomic, which Go's assembler has no instructions for,
// and returns the names of those that the linker has left out. Nothing moves: what is left over are nops. On an
// error module is unchanged.
func Atomics(module []byte) (missing []string, err error) {
	m, err := read(module)
	if err != nil {
		return nil, fmt.Errorf("lift: %w", err)
	}
	places := make([][]byte, len(shapes)) // what is to be written over
	for i, body := range m.bodies {
		for k, s := range shapes {
			if !m.follows(i) || !bytes.Equal(body, join(s.head, s.plain, s.tail)) {
				continue
			}
			if places[k] != nil {
				return nil, fmt.Errorf("lift: function %d: another one is the same as %s of internal/threads", i, s.name)
			}
			places[k] = body[len(s.head) : len(s.head)+len(s.plain)]
		}
	}
	for k, s := range shapes {
		if places[k] == nil {
			missing = append(missing, s.name)
		}
	}
	// What only counts threads loads; to divide a step takes all.
	if some := len(shapes) - len(missing); len(missing) > 0 && some > 0 && !(some == 1 && missing[0] != shapes[0].name) {
		return nil, fmt.Errorf("lift: the module has %d functions of internal/threads that are to be atomic, and none like %s: is its assembly what internal/lift knows?", some, strings.Join(missing, ", "))
	}
	for k, s := range shapes {
		if places[k] == nil {
			continue
		}
		rest := bytes.Repeat([]byte{code.Nop}, len(s.plain)-len(s.atomic))
		copy(places[k], join(s.atomic, rest))
	}
	return missing, nil
}
