package op

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// minifloat is a type of floats of at most 8 bits.
type minifloat struct {
	exponent, mantissa int // bits
	bias               int
	inf                bool // as IEEE 754 has it: the largest exponent is for infinities and NaN
	zero               bool // one zero only; what would be −0 is NaN
	nan                bool // it has a NaN
}

// minifloatOf describes all of smallFloats but Float8E8M0, powers of two without a sign.
func minifloatOf(t ir.DType) minifloat {
	switch t {
	case ir.Float8E4M3FN:
		return minifloat{4, 3, 7, false, false, true}
	case ir.Float8E4M3FNUZ:
		return minifloat{4, 3, 8, false, true, true}
	case ir.Float8E5M2:
		return minifloat{5, 2, 15, true, false, true}
	case ir.Float8E5M2FNUZ:
		return minifloat{5, 2, 16, false, true, true}
	}
	return minifloat{2, 1, 1, false, false, false} // Float4E2M1
}

// number is the float with these bits.
func (f minifloat) number(bits int) float64 {
	sign, low := bits>>(f.exponent+f.mantissa)&1, bits&(1<<(f.exponent+f.mantissa)-1)
	exponent, mantissa := low>>f.mantissa, low&(1<<f.mantissa-1)
	full := 1<<f.exponent - 1
	v := 0.0
	switch {
	case f.zero && sign == 1 && low == 0, f.nan && !f.zero && !f.inf && low == 1<<(f.exponent+f.mantissa)-1, f.inf && exponent == full && mantissa > 0:
		return math.NaN()
	case f.inf && exponent == full:
		v = math.Inf(1)
	case exponent == 0:
		v = math.Ldexp(float64(mantissa), 1-f.bias-f.mantissa)
	default:
		v = math.Ldexp(float64(1<<f.mantissa+mantissa), exponent-f.bias-f.mantissa)
	}
	if sign == 1 {
		v = -v
	}
	return v
}

// bits are those of the float nearest to v, ties to even. What is too large becomes the
// largest with saturate, else an infinity or, where there is none, NaN.
func (f minifloat) bits(v float64, saturate bool) int {
	sign := 0
	if math.Signbit(v) {
		sign = 1 << (f.exponent + f.mantissa)
	}
	all := 1<<(f.exponent+f.mantissa) - 1
	largest, nan := all, sign|all
	switch {
	case f.inf:
		largest, nan = all-1<<f.mantissa, sign|all-1<<(f.mantissa-1)+1
	case f.zero:
		nan = 1 << (f.exponent + f.mantissa)
	case f.nan:
		largest--
	default:
		nan = all + 1 // it has none: −0 stands for it
	}
	switch {
	case v != v:
		return nan
	case math.IsInf(v, 0):
		v = math.MaxFloat64
	}
	a := math.Abs(v)
	_, e := math.Frexp(a) // a is below 2^e
	if e = max(e-1, 1-f.bias); a == 0 {
		e = 1 - f.bias
	}
	steps := math.RoundToEven(math.Ldexp(a, f.mantissa-e)) // of the last place
	low := all + 1
	if e <= f.bias+1 {
		low = int(steps) + (e-1+f.bias)<<f.mantissa // a carry moves the exponent up by itself
	}
	switch {
	case low <= largest:
	case saturate || !f.nan:
		low = largest
	case f.inf:
		low = largest + 1
	default:
		return nan
	}
	if low == 0 && f.zero {
		return 0
	}
	return sign | low
}

func loadSmallFloats(t ir.DType) func(dst []float64, src []byte) {
	if t == ir.Float8E8M0 {
		return func(dst []float64, src []byte) {
			for i := range dst {
				if dst[i] = math.Ldexp(1, int(src[i])-127); src[i] == 255 {
					dst[i] = math.NaN()
				}
			}
		}
	}
	f, each := minifloatOf(t), 8/t.Bits()
	return func(dst []float64, src []byte) {
		for i := range dst {
			dst[i] = f.number(int(src[i/each]) >> (i % each * 4))
		}
	}
}

// storeSmallFloats gives floats the type t; round says how they become powers of two.
func storeSmallFloats(t ir.DType, saturate bool, round string) func(dst []byte, src []float64) {
	if t == ir.Float8E8M0 {
		return func(dst []byte, src []float64) {
			for i, v := range src {
				dst[i] = byte(powerOf(v, saturate, round))
			}
		}
	}
	f := minifloatOf(t)
	return func(dst []byte, src []float64) {
		for i, v := range src {
			if b := f.bits(v, saturate); t == ir.Float4E2M1 {
				ir.SetSmall(t, dst, i, int64(b))
			} else {
				dst[i] = byte(b)
			}
		}
	}
}

// powerOf is the power of two that v becomes, plus 127; 255 for NaN.
func powerOf(v float64, saturate bool, round string) int {
	if v != v {
		return 255
	}
	fraction, e := math.Frexp(math.Abs(v)) // in [0.5, 1)
	if math.IsInf(v, 0) {
		e = 1 << 12
	}
	if e--; round == "up" && fraction > 0.5 || round == "nearest" && fraction >= 0.75 {
		e++
	}
	switch {
	case v == 0 || e < -127:
		return 0
	case e <= 127:
		return e + 127
	case saturate:
		return 254
	}
	return 255
}
