// Package relax contracts multiply-adds in a linked WebAssembly module.
//
// The SIMD build computes a·b + c as f32x4.mul, local.get c, f32x4.add. Engines
// with the relaxed SIMD proposal have one instruction for it, which Go's
// assembler cannot encode. Contract rewrites
//
//	f32x4.mul; local.get c; f32x4.add    →    nop nop nop; local.get c; f32x4.relaxed_madd
//
// in place, and f64x2 alike: both arithmetic opcodes and the fused one are three
// bytes long, so nothing moves, no section is re-encoded, and one binary yields
// two variants. In the same way
//
//	i16x8.q15mulr_sat_s; local.get c; i32x4.add    →    nop nop nop; local.get c; i32x4.relaxed_dot_i8x16_i7x16_add_s
//
// which is no other spelling of the same: the sum of rounded products stands for the dot
// of bytes and is nothing that anyone wants.
//
// Only instructions that follow each other are taken. Control can enter a
// sequence of WebAssembly instructions only after a loop, else or end, so no
// branch arrives between two neighbours. Nops between them (Go's assembler
// leaves one after each two-byte opcode) do not count.
package relax

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/code"
)

// Opcodes behind the SIMD prefix 0xfd.
const (
	i16x8Q15Mulr     = 0x82
	i32x4Add         = 0xae
	f32x4Add         = 0xe4
	f32x4Mul         = 0xe6
	f64x2Add         = 0xf0
	f64x2Mul         = 0xf2
	f32x4RelaxedMadd = 0x105
	f64x2RelaxedMadd = 0x107
	i32x4RelaxedDot  = 0x113
)

const nop = 0x01

// Contract rewrites module in place and returns how many multiply-adds it
// contracted. On an error, which names the byte offset, module is unchanged.
func Contract(module []byte) (int, error) {
	var found []pair
	err := code.Functions(module, func(d *code.Decoder, end int) error {
		var w window
		return d.Body(end, func(in code.Instruction) {
			if mul, ok := w.step(in); ok {
				found = append(found, pair{mul, in.Start, w.madd})
			}
		})
	})
	if err != nil {
		return 0, fmt.Errorf("relax: %w", err)
	}
	for _, p := range found {
		copy(module[p.mul:], []byte{nop, nop, nop})
		copy(module[p.add:], []byte{0xfd, byte(p.madd&0x7f | 0x80), byte(p.madd >> 7)})
	}
	return len(found), nil
}

// pair holds the offsets of a multiplication and of the addition that takes its
// product, and the opcode for both.
type pair struct {
	mul, add int
	madd     uint32
}

// window recognises the three instructions as they pass.
type window struct {
	state     int    // instructions of the pattern seen so far
	mul       int    // offset of the multiplication
	add, madd uint32 // the addition that belongs to it, and the opcode for both
}

// step takes the next instruction. When it is the addition of a multiply-add,
// step returns the multiplication's offset.
func (w *window) step(in code.Instruction) (mul int, ok bool) {
	switch {
	case in.Is(nop):
	case in.IsSIMD(f32x4Mul) && in.Size() == 3:
		*w = window{1, in.Start, f32x4Add, f32x4RelaxedMadd}
	case in.IsSIMD(f64x2Mul) && in.Size() == 3:
		*w = window{1, in.Start, f64x2Add, f64x2RelaxedMadd}
	case in.IsSIMD(i16x8Q15Mulr) && in.Size() == 3:
		*w = window{1, in.Start, i32x4Add, i32x4RelaxedDot}
	case w.state == 1 && in.Is(code.LocalGet):
		w.state = 2
	case w.state == 2 && in.IsSIMD(w.add) && in.Size() == 3:
		w.state = 0
		return w.mul, true
	default:
		w.state = 0
	}
	return 0, false
}
