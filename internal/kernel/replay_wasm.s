//go:build wasm && !purego && replay

#include "textflag.h"

// func replay(frame unsafe.Pointer, size, pc uintptr)
TEXT ·replay(SB), NOSPLIT, $256-24
	Get SP
	I64Load frame+0(FP)
	I32WrapI64
	I64Load size+8(FP)
	I32WrapI64
	MemoryCopy
	I64Load pc+16(FP)
	CALL
	RET
