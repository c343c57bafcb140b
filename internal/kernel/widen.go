package kernel

import "math"

// What weights that are stored in 16 or 8 bits become before they are multiplied. They are
// given as bytes, the low ones first, at any address.

// WidenHalf writes n float16 as float32. n is a multiple of 8.
//
//	for i := 0; i < n; i++ {
//		y[i] = float32(x[i])  // exact; a NaN keeps its sign and its upper bits
//	}
func widenHalfScalar(y *float32, x *uint8, n int) {
	dst, src := slice(y, n), slice(x, 2*n)
	for i := range dst {
		h := uint16(src[2*i]) | uint16(src[2*i+1])<<8
		// The bits of a float32 that is too small by 2^112, where it is finite: a product
		// brings denormals along.
		small := uint32(h&0x7fff) << 13
		bits := math.Float32bits(math.Float32frombits(small) * 0x1p112)
		if small > 0x0f7fffff {
			bits |= 0xff << 23
		}
		dst[i] = math.Float32frombits(bits | uint32(h&0x8000)<<16)
	}
}

// NarrowHalf writes n float32 as float16. n is a multiple of 8.
//
//	for i := 0; i < n; i++ {
//		y[i] = float16(x[i])  // to nearest, ties to even; a NaN is 0x7e00 with its sign
//	}
func narrowHalfScalar(y *uint8, x *float32, n int) {
	dst := slice(y, 2*n)
	for i, v := range slice(x, n) {
		h := HalfOf(v)
		dst[2*i], dst[2*i+1] = uint8(h), uint8(h>>8)
	}
}

// HalfOf is a number as float16, as NarrowHalf has it.
func HalfOf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, low := uint16(bits>>16&0x8000), bits&^(1<<31)
	switch {
	case low > 0xff<<23: // NaN
		return sign | 0x7e00
	case low >= 0x477ff000: // half a step above the largest, 65504
		return sign | 0x7c00
	case low < 0x38800000: // denormal: the sum has it in its last bits, rounded
		return sign | uint16(math.Float32bits(math.Float32frombits(low)+0.5))
	}
	// What is cut off is rounded to even; a carry moves the exponent up by itself.
	return sign | uint16((low-112<<23+0xfff+low>>13&1)>>13)
}

// WidenBrain writes n bfloat16 as float32. n is a multiple of 8.
//
//	for i := 0; i < n; i++ {
//		y[i] = float32(x[i])  // with 16 zero bits after it
//	}
func widenBrainScalar(y *float32, x *uint8, n int) {
	dst, src := slice(y, n), slice(x, 2*n)
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(src[2*i])<<16 | uint32(src[2*i+1])<<24)
	}
}

// WidenInt8 writes n int8 as float32. n is a multiple of 8.
//
//	for i := 0; i < n; i++ {
//		y[i] = float32(x[i])
//	}
func widenInt8Scalar(y *float32, x *uint8, n int) {
	dst := slice(y, n)
	for i, v := range slice(x, n) {
		dst[i] = float32(int8(v))
	}
}
