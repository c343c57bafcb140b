package asm

import "fmt"

// Integers in vectors: sixteen int8, eight int16 or four int32 of 128 bits. A method's
// ending says which: I8, I16, I32 with a sign, U8, U16, U32 without.

// fault: like V128Load32Splat, the loads that extend come out without their memory
// argument, which is spelled as in Splat. Where the offset cannot be spelled, 8 bytes are
// loaded as a float64 and then extended.
func (p Ptr) extended(op string, offset int64, extend func(v V) V) V {
	if argument(offset) == nil {
		return extend(p.F64(offset).Splat())
	}
	return p.spelled(op, offset)
}

// ExtendI8 loads eight int8 from p + offset as int16.
func (p Ptr) ExtendI8(offset int64) V { return p.extended("V128Load8x8S", offset, V.ExtendLowI8) }

// ExtendU8 loads eight uint8 from p + offset as int16.
func (p Ptr) ExtendU8(offset int64) V { return p.extended("V128Load8x8U", offset, V.ExtendLowU8) }

// ExtendI16 loads four int16 from p + offset as int32.
func (p Ptr) ExtendI16(offset int64) V { return p.extended("V128Load16x4S", offset, V.ExtendLowI16) }

// ExtendU16 loads four uint16 from p + offset as int32.
func (p Ptr) ExtendU16(offset int64) V { return p.extended("V128Load16x4U", offset, V.ExtendLowU16) }

// Splat64 loads 8 bytes from p + offset into both halves.
func (p Ptr) Splat64(offset int64) V {
	return p.extended("V128Load64Splat", offset, func(v V) V { return v })
}

// Int8 loads an int8 from p + offset.
func (p Ptr) Int8(offset int64) Int { return Int{p.load("I64Load8S", offset)} }

// Uint8 loads a uint8 from p + offset.
func (p Ptr) Uint8(offset int64) Int { return Int{p.load("I64Load8U", offset)} }

// Int16 loads an int16 from p + offset.
func (p Ptr) Int16(offset int64) Int { return Int{p.load("I64Load16S", offset)} }

// Uint16 loads a uint16 from p + offset.
func (p Ptr) Uint16(offset int64) Int { return Int{p.load("I64Load16U", offset)} }

// StoreHalf stores the lower 8 bytes of v at p + offset.
func (p Ptr) StoreHalf(offset int64, v V) { p.StoreF64(offset, v.LaneF64(0)) }

// StoreInt8 stores the lowest byte of v at p + offset.
func (p Ptr) StoreInt8(offset int64, v Int) { p.store("I64Store8", offset, v.expr) }

// StoreInt16 stores the lowest two bytes of v at p + offset.
func (p Ptr) StoreInt16(offset int64, v Int) { p.store("I64Store16", offset, v.expr) }

// StoreInt32 stores the lowest four bytes of v at p + offset.
func (p Ptr) StoreInt32(offset int64, v Int) { p.store("I64Store32", offset, v.expr) }

// StoreInt stores the eight bytes of v at p + offset.
func (p Ptr) StoreInt(offset int64, v Int) { p.store("I64Store", offset, v.expr) }

// SplatI64 is x in both halves.
func (x Int) SplatI64() V { return V{x.then("I64x2Splat")} }

// SplatI32 is the lowest 32 bits of x in all four lanes.
func (x Int) SplatI32() V { return V{x.then("I32WrapI64").then("I32x4Splat")} }

// SplatI16 is the lowest 16 bits of x in all eight lanes.
func (x Int) SplatI16() V { return V{x.then("I32WrapI64").then("I16x8Splat")} }

// SplatI8 is the lowest 8 bits of x in all sixteen lanes.
func (x Int) SplatI8() V { return V{x.then("I32WrapI64").then("I8x16Splat")} }

// ConstI16 is n in all eight lanes.
func (f *Func) ConstI16(n int16) V { return f.ConstBits(uint32(uint16(n)) * 0x10001) }

// ConstI8 is n in all sixteen lanes.
func (f *Func) ConstI8(n int8) V { return f.ConstBits(uint32(uint8(n)) * 0x1010101) }

// LaneI16 is lane n of eight int16.
func (v V) LaneI16(n int) Int {
	return Int{v.then(lane("I16x8ExtractLaneS", n)).then("I64ExtendI32S")}
}

// LaneI8 is lane n of sixteen int8.
func (v V) LaneI8(n int) Int {
	return Int{v.then(lane("I8x16ExtractLaneS", n)).then("I64ExtendI32S")}
}

// DotI16 is the sums of the products of pairs of int16, four int32: lane i is
// v[2i]*w[2i] + v[2i+1]*w[2i+1].
func (v V) DotI16(w V) V { return V{v.then("I32x4DotI16x8S", w.expr)} }

// ExtendLowI8 is the lower eight int8 as int16.
func (v V) ExtendLowI8() V { return V{v.then("I16x8ExtendLowI8x16S")} }

// ExtendHighI8 is the upper eight int8 as int16.
func (v V) ExtendHighI8() V { return V{v.then("I16x8ExtendHighI8x16S")} }

// ExtendLowU8 is the lower eight uint8 as int16.
func (v V) ExtendLowU8() V { return V{v.then("I16x8ExtendLowI8x16U")} }

// ExtendHighU8 is the upper eight uint8 as int16.
func (v V) ExtendHighU8() V { return V{v.then("I16x8ExtendHighI8x16U")} }

// ExtendLowI16 is the lower four int16 as int32.
func (v V) ExtendLowI16() V { return V{v.then("I32x4ExtendLowI16x8S")} }

// ExtendHighI16 is the upper four int16 as int32.
func (v V) ExtendHighI16() V { return V{v.then("I32x4ExtendHighI16x8S")} }

// ExtendLowU16 is the lower four uint16 as int32.
func (v V) ExtendLowU16() V { return V{v.then("I32x4ExtendLowI16x8U")} }

// ExtendHighU16 is the upper four uint16 as int32.
func (v V) ExtendHighU16() V { return V{v.then("I32x4ExtendHighI16x8U")} }

// MulLowI8 is the products of the lower eight int8, as int16.
func (v V) MulLowI8(w V) V { return V{v.then("I16x8ExtmulLowI8x16S", w.expr)} }

// MulHighI8 is the products of the upper eight int8, as int16.
func (v V) MulHighI8(w V) V { return V{v.then("I16x8ExtmulHighI8x16S", w.expr)} }

// MulLowU8 is the products of the lower eight uint8, as uint16.
func (v V) MulLowU8(w V) V { return V{v.then("I16x8ExtmulLowI8x16U", w.expr)} }

// MulHighU8 is the products of the upper eight uint8, as uint16.
func (v V) MulHighU8(w V) V { return V{v.then("I16x8ExtmulHighI8x16U", w.expr)} }

// MulLowI16 is the products of the lower four int16, as int32.
func (v V) MulLowI16(w V) V { return V{v.then("I32x4ExtmulLowI16x8S", w.expr)} }

// MulHighI16 is the products of the upper four int16, as int32.
func (v V) MulHighI16(w V) V { return V{v.then("I32x4ExtmulHighI16x8S", w.expr)} }

// MulLowU16 is the products of the lower four uint16, as uint32.
func (v V) MulLowU16(w V) V { return V{v.then("I32x4ExtmulLowI16x8U", w.expr)} }

// MulHighU16 is the products of the upper four uint16, as uint32.
func (v V) MulHighU16(w V) V { return V{v.then("I32x4ExtmulHighI16x8U", w.expr)} }

// PairsI8 is the sums of pairs of int8, eight int16.
func (v V) PairsI8() V { return V{v.then("I16x8ExtaddPairwiseI8x16S")} }

// PairsU8 is the sums of pairs of uint8, eight uint16.
func (v V) PairsU8() V { return V{v.then("I16x8ExtaddPairwiseI8x16U")} }

// PairsI16 is the sums of pairs of int16, four int32.
func (v V) PairsI16() V { return V{v.then("I32x4ExtaddPairwiseI16x8S")} }

// PairsU16 is the sums of pairs of uint16, four uint32.
func (v V) PairsU16() V { return V{v.then("I32x4ExtaddPairwiseI16x8U")} }

// NarrowI32 is four int32 of v, then those of w, as int16, saturated.
func (v V) NarrowI32(w V) V { return V{v.then("I16x8NarrowI32x4S", w.expr)} }

// NarrowU32 is four int32 of v, then those of w, as uint16, saturated.
func (v V) NarrowU32(w V) V { return V{v.then("I16x8NarrowI32x4U", w.expr)} }

// NarrowI16 is eight int16 of v, then those of w, as int8, saturated.
func (v V) NarrowI16(w V) V { return V{v.then("I8x16NarrowI16x8S", w.expr)} }

// NarrowU16 is eight int16 of v, then those of w, as uint8, saturated.
func (v V) NarrowU16(w V) V { return V{v.then("I8x16NarrowI16x8U", w.expr)} }

// AddI8 is v + w in sixteen int8.
func (v V) AddI8(w V) V { return V{v.then("I8x16Add", w.expr)} }

// SubI8 is v - w in sixteen int8.
func (v V) SubI8(w V) V { return V{v.then("I8x16Sub", w.expr)} }

// AddI16 is v + w in eight int16.
func (v V) AddI16(w V) V { return V{v.then("I16x8Add", w.expr)} }

// SubI16 is v - w in eight int16.
func (v V) SubI16(w V) V { return V{v.then("I16x8Sub", w.expr)} }

// MulI16 is v * w in eight int16.
func (v V) MulI16(w V) V { return V{v.then("I16x8Mul", w.expr)} }

// MinI16 is the smaller of v and w in eight int16.
func (v V) MinI16(w V) V { return V{v.then("I16x8MinS", w.expr)} }

// MaxI16 is the larger of v and w in eight int16.
func (v V) MaxI16(w V) V { return V{v.then("I16x8MaxS", w.expr)} }

// ShlI16 is v << n in eight int16.
func (v V) ShlI16(n int) V { return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I16x8Shl")} }

// ShrI16 is v >> n in eight int16, the sign kept.
func (v V) ShrI16(n int) V { return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I16x8ShrS")} }

// ShrU16 is v >> n in eight uint16.
func (v V) ShrU16(n int) V { return V{v.then(fmt.Sprintf("I32Const $%d", n)).then("I16x8ShrU")} }

// AbsI32 is |v| in four int32; the least one stays.
func (v V) AbsI32() V { return V{v.then("I32x4Abs")} }

// NegI32 is -v in four int32.
func (v V) NegI32() V { return V{v.then("I32x4Neg")} }

// LtI32 is v < w in four int32, all ones or all zeros in each lane.
func (v V) LtI32(w V) V { return V{v.then("I32x4LtS", w.expr)} }

// ConvertU32 is four uint32 as float32.
func (v V) ConvertU32() V { return V{v.then("F32x4ConvertI32x4U")} }

// TruncU32 is v as uint32, rounded towards zero, saturated.
func (v V) TruncU32() V { return V{v.then("I32x4TruncSatF32x4U")} }

// Sum4I32 is the sum of four int32. v is evaluated four times: let it be a register.
func (v V) Sum4I32() Int {
	return v.LaneI32(0).Add(v.LaneI32(1)).Add(v.LaneI32(2)).Add(v.LaneI32(3))
}

// Div is x / y, rounded towards zero; y is neither 0 nor, for the least x, -1.
func (x Int) Div(y Int) Int { return Int{x.then("I64DivS", y.expr)} }

// Rem is what Div leaves, with the sign of x; y is not 0.
func (x Int) Rem(y Int) Int { return Int{x.then("I64RemS", y.expr)} }

// Xor is x ^ y.
func (x Int) Xor(y Int) Int { return Int{x.then("I64Xor", y.expr)} }
