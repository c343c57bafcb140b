package asm

import (
	"fmt"
	"math"
)

// V is 128 bits: four float32 unless a method says otherwise.
type V struct{ expr }

// NewV takes a register.
func (f *Func) NewV(name string) V { return V{f.reg(classV, name)} }

// NewVs takes n registers called name0, name1 and so on.
func (f *Func) NewVs(name string, n int) []V {
	v := make([]V, n)
	for i := range v {
		v[i] = f.NewV(fmt.Sprint(name, i))
	}
	return v
}

// ConstV is x in all four lanes.
func (f *Func) ConstV(x float32) V {
	return f.ConstBits(math.Float32bits(x))
}

// ConstBits is the 32 bits in all four lanes.
func (f *Func) ConstBits(bits uint32) V {
	return f.ConstLanes(bits, bits, bits, bits)
}

// ConstLanes is four lanes of 32 bits.
func (f *Func) ConstLanes(l0, l1, l2, l3 uint32) V {
	lo, hi := uint64(l1)<<32|uint64(l0), uint64(l3)<<32|uint64(l2)
	return V{f.immediate(fmt.Sprintf("V128Const $%d, $%d", int64(lo), int64(hi)))}
}

// Set assigns.
func (v V) Set(w V) { v.set(w.expr) }

// ZeroV is all bits zero.
func (f *Func) ZeroV() V { return V{f.immediate("V128Const $0, $0")} }

// MulAdd is v * w + acc, rounded twice. The relaxed build contracts it to one
// rounding by rewriting it in place after the link: it looks for the very bytes
//
//	fd e6 01 01 | 20 acc | fd e4 01 01
//
// that is F32x4Mul, local.get of a register, F32x4Add, each opcode with the
// stray 01 (a nop) that this assembler sets after opcodes above 0x7f. So acc
// must be a register. fault: the relaxed opcodes themselves are encoded wrongly
// (F32x4RelaxedMadd as fd 85 01 02), an invalid module, and never written here.
func (v V) MulAdd(w, acc V) V {
	if acc.reg == "" {
		panic("asm: MulAdd onto an expression")
	}
	acc.f.mulAdds++
	return V{v.then("F32x4Mul", w.expr).then("F32x4Add", acc.expr)}
}

// MulAddF64 is v * w + acc in two float64, of which the relaxed build makes one
// instruction as of MulAdd.
func (v V) MulAddF64(w, acc V) V {
	if acc.reg == "" {
		panic("asm: MulAddF64 onto an expression")
	}
	acc.f.mulAdds++
	return V{v.then("F64x2Mul", w.expr).then("F64x2Add", acc.expr)}
}

// DotBytes stands for acc plus the dot of bytes i32x4.relaxed_dot_i8x16_i7x16_add_s, which
// the relaxed build makes of it as of MulAdd: i16x8.q15mulr_sat_s and i32x4.add, which is
// what it does elsewhere, where nobody can want the result.
func (v V) DotBytes(w, acc V) V {
	if acc.reg == "" {
		panic("asm: DotBytes onto an expression")
	}
	acc.f.mulAdds++
	return V{v.then("I16x8Q15MulrSatS", w.expr).then("I32x4Add", acc.expr)}
}

// MulAddApart is v * w + acc in an order that the relaxed build leaves alone.
func (v V) MulAddApart(w, acc V) V {
	return V{acc.then("F32x4Add", v.then("F32x4Mul", w.expr))}
}

// Select is v where mask is ones and w where it is zeros, bit by bit.
func (v V) Select(mask, w V) V { return V{v.then("V128Bitselect", w.expr, mask.expr)} }

// fault: of two operands a lane operation reads the second; the lane goes there.
func lane(op string, n int) string { return fmt.Sprintf("%s $0, $%d", op, n) }

// Lane is lane n of four float32.
func (v V) Lane(n int) F32 { return F32{v.then(lane("F32x4ExtractLane", n))} }

// LaneI32 is lane n of four int32.
func (v V) LaneI32(n int) Int { return Int{v.then(lane("I32x4ExtractLane", n)).then("I64ExtendI32S")} }

// LaneF64 is lane n of two float64.
func (v V) LaneF64(n int) F64 { return F64{v.then(lane("F64x2ExtractLane", n))} }

// WithLane is v with lane n of four float32 replaced by x.
func (v V) WithLane(n int, x F32) V { return V{v.then(lane("F32x4ReplaceLane", n), x.expr)} }

// WithLaneF64 is v with lane n of two float64 replaced by x.
func (v V) WithLaneF64(n int, x F64) V { return V{v.then(lane("F64x2ReplaceLane", n), x.expr)} }

// ShlI32 is v << n in four int32.
func (v V) ShlI32(n int) V {
	return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I32x4Shl")}
}

// ShrI32 is v >> n in four int32, the sign kept.
func (v V) ShrI32(n int) V {
	return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I32x4ShrS")}
}

// ShrU32 is v >> n in four uint32.
func (v V) ShrU32(n int) V {
	return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I32x4ShrU")}
}

// AnyTrue says whether any bit of v is set.
func (v V) AnyTrue() Bool { return Bool{v.then("V128AnyTrue")} }

// Permute is the four 32-bit lanes of v at the given indices.
//
// fault: I8x16Shuffle16 is emitted without its sixteen indices, an invalid
// module. A swizzle with a constant does the same with one operand.
func (v V) Permute(l0, l1, l2, l3 int) V {
	lane := func(n int) uint32 { b := uint32(4 * n); return b | (b+1)<<8 | (b+2)<<16 | (b+3)<<24 }
	return v.Swizzle(v.f.ConstLanes(lane(l0), lane(l1), lane(l2), lane(l3)))
}

// PromoteHigh is the upper two float32 as float64.
func (v V) PromoteHigh() V { return v.Permute(2, 3, 2, 3).PromoteLow() }

// Sum4 is (v0 + v1) + (v2 + v3). v is evaluated four times: let it be a register.
func (v V) Sum4() F32 {
	return v.Lane(0).Add(v.Lane(1)).Add(v.Lane(2).Add(v.Lane(3)))
}

// Add is v + w.
func (v V) Add(w V) V { return V{v.then("F32x4Add", w.expr)} }

// Sub is v - w.
func (v V) Sub(w V) V { return V{v.then("F32x4Sub", w.expr)} }

// Mul is v * w.
func (v V) Mul(w V) V { return V{v.then("F32x4Mul", w.expr)} }

// Div is v / w.
func (v V) Div(w V) V { return V{v.then("F32x4Div", w.expr)} }

// Min is Go's min: NaN if either is, -0 < 0. V8 takes eight instructions for it, PMin one.
func (v V) Min(w V) V { return V{v.then("F32x4Min", w.expr)} }

// Max is Go's max: NaN if either is, -0 < 0. V8 takes eight instructions for it, PMax one.
func (v V) Max(w V) V { return V{v.then("F32x4Max", w.expr)} }

// PMin is w < v ? w : v.
func (v V) PMin(w V) V { return V{v.then("F32x4Pmin", w.expr)} }

// PMax is v < w ? w : v.
func (v V) PMax(w V) V { return V{v.then("F32x4Pmax", w.expr)} }

// Eq is v == w, all ones or all zeros in each lane.
func (v V) Eq(w V) V { return V{v.then("F32x4Eq", w.expr)} }

// Ne is v != w, all ones or all zeros in each lane.
func (v V) Ne(w V) V { return V{v.then("F32x4Ne", w.expr)} }

// Lt is v < w, all ones or all zeros in each lane.
func (v V) Lt(w V) V { return V{v.then("F32x4Lt", w.expr)} }

// Gt is v > w, all ones or all zeros in each lane.
func (v V) Gt(w V) V { return V{v.then("F32x4Gt", w.expr)} }

// Le is v <= w, all ones or all zeros in each lane.
func (v V) Le(w V) V { return V{v.then("F32x4Le", w.expr)} }

// Ge is v >= w, all ones or all zeros in each lane.
func (v V) Ge(w V) V { return V{v.then("F32x4Ge", w.expr)} }

// And is v & w.
func (v V) And(w V) V { return V{v.then("V128And", w.expr)} }

// AndNot is v &^ w.
func (v V) AndNot(w V) V { return V{v.then("V128Andnot", w.expr)} }

// Or is v | w.
func (v V) Or(w V) V { return V{v.then("V128Or", w.expr)} }

// Xor is v ^ w.
func (v V) Xor(w V) V { return V{v.then("V128Xor", w.expr)} }

// AddI32 is v + w in four int32.
func (v V) AddI32(w V) V { return V{v.then("I32x4Add", w.expr)} }

// SubI32 is v - w in four int32.
func (v V) SubI32(w V) V { return V{v.then("I32x4Sub", w.expr)} }

// MulI32 is v * w in four int32.
func (v V) MulI32(w V) V { return V{v.then("I32x4Mul", w.expr)} }

// MinI32 is the smaller of v and w in four int32.
func (v V) MinI32(w V) V { return V{v.then("I32x4MinS", w.expr)} }

// MaxI32 is the larger of v and w in four int32.
func (v V) MaxI32(w V) V { return V{v.then("I32x4MaxS", w.expr)} }

// EqI32 is v == w in four int32.
func (v V) EqI32(w V) V { return V{v.then("I32x4Eq", w.expr)} }

// GtI32 is v > w in four int32.
func (v V) GtI32(w V) V { return V{v.then("I32x4GtS", w.expr)} }

// AddF64 is v + w in two float64.
func (v V) AddF64(w V) V { return V{v.then("F64x2Add", w.expr)} }

// SubF64 is v - w in two float64.
func (v V) SubF64(w V) V { return V{v.then("F64x2Sub", w.expr)} }

// MulF64 is v * w in two float64.
func (v V) MulF64(w V) V { return V{v.then("F64x2Mul", w.expr)} }

// DivF64 is v / w in two float64.
func (v V) DivF64(w V) V { return V{v.then("F64x2Div", w.expr)} }

// SqrtF64 is the square root of v in two float64.
func (v V) SqrtF64() V { return V{v.then("F64x2Sqrt")} }

// Swizzle is the bytes of v at the indices in w. V8 has one instruction for it when w is constant.
func (v V) Swizzle(w V) V { return V{v.then("I8x16Swizzle", w.expr)} }

// Sqrt is the square root of v.
func (v V) Sqrt() V { return V{v.then("F32x4Sqrt")} }

// Abs is v without its signs.
func (v V) Abs() V { return V{v.then("F32x4Abs")} }

// Neg is -v.
func (v V) Neg() V { return V{v.then("F32x4Neg")} }

// Floor is v rounded down.
func (v V) Floor() V { return V{v.then("F32x4Floor")} }

// Ceil is v rounded up.
func (v V) Ceil() V { return V{v.then("F32x4Ceil")} }

// Trunc is v rounded towards zero.
func (v V) Trunc() V { return V{v.then("F32x4Trunc")} }

// Nearest is v rounded to integers, ties to even.
func (v V) Nearest() V { return V{v.then("F32x4Nearest")} }

// Not is ^v.
func (v V) Not() V { return V{v.then("V128Not")} }

// PromoteLow is the lower two float32 as float64.
func (v V) PromoteLow() V { return V{v.then("F64x2PromoteLowF32x4")} }

// Demote is two float64 as float32, and zeros above.
func (v V) Demote() V { return V{v.then("F32x4DemoteF64x2Zero")} }

// TruncI32 is v as int32, rounded towards zero, saturated.
func (v V) TruncI32() V { return V{v.then("I32x4TruncSatF32x4S")} }

// ConvertI32 is four int32 as float32.
func (v V) ConvertI32() V { return V{v.then("F32x4ConvertI32x4S")} }

// LeI32 is v <= w in four int32.
func (v V) LeI32(w V) V { return V{v.then("I32x4LeS", w.expr)} }

// EqI8 is v == w in sixteen int8.
func (v V) EqI8(w V) V { return V{v.then("I8x16Eq", w.expr)} }

// EqI16 is v == w in eight int16.
func (v V) EqI16(w V) V { return V{v.then("I16x8Eq", w.expr)} }

// EqI64 is v == w in two int64.
func (v V) EqI64(w V) V { return V{v.then("I64x2Eq", w.expr)} }

// LtI64 is v < w in two int64.
func (v V) LtI64(w V) V { return V{v.then("I64x2LtS", w.expr)} }

// LeI64 is v <= w in two int64.
func (v V) LeI64(w V) V { return V{v.then("I64x2LeS", w.expr)} }

// AddI64 is v + w in two int64.
func (v V) AddI64(w V) V { return V{v.then("I64x2Add", w.expr)} }

// SubI64 is v - w in two int64.
func (v V) SubI64(w V) V { return V{v.then("I64x2Sub", w.expr)} }

// MulI64 is v * w in two int64.
func (v V) MulI64(w V) V { return V{v.then("I64x2Mul", w.expr)} }

// ExtendLowI32 is the lower two int32 as int64.
func (v V) ExtendLowI32() V { return V{v.then("I64x2ExtendLowI32x4S")} }

// ExtendHighI32 is the upper two int32 as int64.
func (v V) ExtendHighI32() V { return V{v.then("I64x2ExtendHighI32x4S")} }

// EqF64 is v == w in two float64.
func (v V) EqF64(w V) V { return V{v.then("F64x2Eq", w.expr)} }

// LtF64 is v < w in two float64.
func (v V) LtF64(w V) V { return V{v.then("F64x2Lt", w.expr)} }

// LeF64 is v <= w in two float64.
func (v V) LeF64(w V) V { return V{v.then("F64x2Le", w.expr)} }

// MaxF64 is Go's max in two float64.
func (v V) MaxF64(w V) V { return V{v.then("F64x2Max", w.expr)} }

// MinF64 is Go's min in two float64.
func (v V) MinF64(w V) V { return V{v.then("F64x2Min", w.expr)} }

// AbsF64 is v without its signs, in two float64.
func (v V) AbsF64() V { return V{v.then("F64x2Abs")} }

// TruncF64 is v rounded towards zero, in two float64.
func (v V) TruncF64() V { return V{v.then("F64x2Trunc")} }

// ConvertLowI32 is the lower two int32 as float64.
func (v V) ConvertLowI32() V { return V{v.then("F64x2ConvertLowI32x4S")} }

// TruncLowI32 is two float64 as int32, rounded towards zero and saturated, and zeros above.
func (v V) TruncLowI32() V { return V{v.then("I32x4TruncSatF64x2SZero")} }

// PMinF64 is w < v ? w : v in two float64.
func (v V) PMinF64(w V) V { return V{v.then("F64x2Pmin", w.expr)} }

// PMaxF64 is v < w ? w : v in two float64.
func (v V) PMaxF64(w V) V { return V{v.then("F64x2Pmax", w.expr)} }

// ShlI64 is v << n in two int64.
func (v V) ShlI64(n int) V { return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I64x2Shl")} }

// ShrI64 is v >> n in two int64, the sign kept.
func (v V) ShrI64(n int) V { return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I64x2ShrS")} }
