//go:build wasm && !purego && !replay

// Go's assembler has no atomic instructions for wasm. Each of these functions has one shape of
// plain instructions, good for one thread, which internal/lift finds in the linked module and
// rewrites:
//
//	load         →  i64.atomic.load32_u
//	add          →  i64.atomic.rmw32.add_u
//	swap         →  i64.atomic.rmw32.cmpxchg_u
//	wake         →  memory.atomic.notify

#include "textflag.h"

// func load(at *uint32) uint32
TEXT ·load(SB), NOSPLIT, $0-12
	I64Load at+0(FP)
	Set R0
	Get SP
	Get R0
	I32WrapI64
	// From here …
	I64Load32U $0
	Nop
	// … to here.
	I64Store32 ret+8(FP)
	RET

// func add(at *uint32, delta uint32) (old uint32)
TEXT ·add(SB), NOSPLIT, $0-20
	I64Load at+0(FP)
	Set R0
	I64Load32U delta+8(FP)
	Set R1
	// From here …
	Get R0
	I32WrapI64
	I64Load32U $0
	Set R2
	Get R0
	I32WrapI64
	Get R2
	Get R1
	I64Add
	I64Store32 $0
	// … to here: old is R2.
	Get SP
	Get R2
	I64Store32 old+16(FP)
	RET

// func swap(at *uint32, from, to uint32) (old uint32)
TEXT ·swap(SB), NOSPLIT, $0-20
	I64Load at+0(FP)
	Set R0
	I64Load32U from+8(FP)
	Set R1
	I64Load32U to+12(FP)
	Set R2
	// From here …
	Get R0
	I32WrapI64
	I64Load32U $0
	Set R3
	Get R3
	Get R1
	I64Eq
	If
	Get R0
	I32WrapI64
	Get R2
	I64Store32 $0
	End
	// … to here: old is R3.
	Get SP
	Get R3
	I64Store32 old+16(FP)
	RET

// func wake(at *uint32)
TEXT ·wake(SB), NOSPLIT, $0-8
	I64Load at+0(FP)
	Set R0
	// From here …
	Get R0
	I32WrapI64
	I32Load $0
	I32Const $1234567
	I32And
	Drop
	// … to here.
	RET
