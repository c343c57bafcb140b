package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

func init() { enter(casts) }

var casts = []entry{
	{"Cast", 6, "to saturate", checkCast, planCast},
	{"CastLike", 15, "saturate", nil, planCastLike},
}

func checkCast(n *Node) string {
	if to := n.Int("to", 0); to <= 0 || to > int64(Uint64) || !storedTypes.has(DType(to)) {
		return text.Join("to=", to)
	}
	return ""
}

// planCast: saturate counts only for the 8-bit float types, which are reported
// as unsupported.
func planCast(c *Call) error {
	to := c.Node.Int("to", 0)
	if to <= 0 || to > int64(Uint64) || !storedTypes.has(DType(to)) {
		return unsupported(c, "to=", to)
	}
	return castTo(c, DType(to))
}

func planCastLike(c *Call) error {
	if err := need(c, 1, storedTypes); err != nil {
		return err
	}
	return castTo(c, c.In(1).Type)
}

func castTo(c *Call, to DType) error {
	in := c.In(0)
	if in.Type == to {
		return view(c, in.Dims)
	}
	c.Out(0, to, in.Dims...)
	f := converter(to, in.Type)
	c.Run(func(a *Args) { f(a.Out[0].Data, a.In[0].Data) })
	return nil
}

// converter gives the loop that converts all elements of src to type to. ONNX
// leaves open what becomes of a float beyond the integers' range: here it is cut off
// to int64, where it saturates, and keeps the low bits (−20 is 236 as uint8, 300 is
// 44; onnxruntime-web has 0 and 44); NaN becomes 0. A bool is false for 0 only.
func converter(to, from DType) func(dst, src []byte) {
	switch {
	case to == from:
		return func(dst, src []byte) { copy(dst, src) }
	case to == Float32 && from == Int64:
		return convert[float32, int64] // by way of float64 it would round twice
	}
	// Everything else goes through a block of int64 or float64, made here because
	// a run allocates nothing.
	size, fromSize := to.Size(), from.Size()
	if to != Bool && !floatLike(to) && !floatLike(from) {
		load, store := loadInts(from), storeInts(to)
		block := make([]int64, 64)
		return func(dst, src []byte) {
			for len(src) > 0 {
				n := min(len(block), len(src)/fromSize)
				load(block[:n], src[:n*fromSize])
				store(dst[:n*size], block[:n])
				src, dst = src[n*fromSize:], dst[n*size:]
			}
		}
	}
	load, store := loadFloats(from), storeFloats(to)
	block := make([]float64, 64)
	return func(dst, src []byte) {
		for len(src) > 0 {
			n := min(len(block), len(src)/fromSize)
			load(block[:n], src[:n*fromSize])
			store(dst[:n*size], block[:n])
			src, dst = src[n*fromSize:], dst[n*size:]
		}
	}
}

func floatLike(t DType) bool { return t == Float16 || t == Float32 || t == Float64 }

// convert is for pairs where Go's conversion is defined for every value.
func convert[D, S slab.Elem](dst, src []byte) {
	d := slab.View[D](dst)
	for i, v := range slab.View[S](src) {
		d[i] = D(v)
	}
}

func loadInts(t DType) func(dst []int64, src []byte) {
	switch t {
	case Int8:
		return load[int64, int8]
	case Int16:
		return load[int64, int16]
	case Int32:
		return load[int64, int32]
	case Uint16:
		return load[int64, uint16]
	case Uint32:
		return load[int64, uint32]
	case Uint8, Bool:
		return load[int64, uint8]
	}
	return load[int64, int64] // Uint64 as well: the same bits
}

func loadFloats(t DType) func(dst []float64, src []byte) {
	switch t {
	case Float16:
		return func(dst []float64, src []byte) {
			for i, v := range slab.View[uint16](src) {
				dst[i] = float64(halfToFloat(v))
			}
		}
	case Float32:
		return load[float64, float32]
	case Float64:
		return load[float64, float64]
	case Int8:
		return load[float64, int8]
	case Int16:
		return load[float64, int16]
	case Int32:
		return load[float64, int32]
	case Int64:
		return load[float64, int64]
	case Uint16:
		return load[float64, uint16]
	case Uint32:
		return load[float64, uint32]
	case Uint64:
		return load[float64, uint64]
	}
	return load[float64, uint8]
}

func load[D int64 | float64, S slab.Elem](dst []D, src []byte) {
	for i, v := range slab.View[S](src) {
		dst[i] = D(v)
	}
}

func storeInts(t DType) func(dst []byte, src []int64) {
	switch t {
	case Int8, Uint8, Bool:
		return store[uint8]
	case Int16, Uint16:
		return store[uint16]
	case Int32, Uint32:
		return store[uint32]
	}
	return store[int64]
}

func store[D slab.Elem](dst []byte, src []int64) {
	d := slab.View[D](dst)
	for i, v := range src {
		d[i] = D(v)
	}
}

// storeFloats gives the loop that stores up to 64 numbers.
func storeFloats(t DType) func(dst []byte, src []float64) {
	switch t {
	case Float16:
		return func(dst []byte, src []float64) {
			d := slab.View[uint16](dst)
			for i, v := range src {
				d[i] = floatToHalf(v)
			}
		}
	case Float32:
		return func(dst []byte, src []float64) {
			d := slab.View[float32](dst)
			for i, v := range src {
				d[i] = float32(v)
			}
		}
	case Float64:
		return func(dst []byte, src []float64) { copy(slab.View[float64](dst), src) }
	case Bool:
		return func(dst []byte, src []float64) {
			for i, v := range src {
				dst[i] = 0
				if v != 0 {
					dst[i] = 1
				}
			}
		}
	case Uint64:
		return func(dst []byte, src []float64) {
			d := slab.View[uint64](dst)
			for i, v := range src {
				switch {
				case v >= 1<<64:
					d[i] = math.MaxUint64
				case v >= 1<<63:
					d[i] = uint64(v)
				default:
					d[i] = uint64(toInt64(v))
				}
			}
		}
	}
	ints := storeInts(t)
	block := make([]int64, 64)
	return func(dst []byte, src []float64) {
		for len(src) > 0 {
			n := min(len(src), len(block))
			for i, v := range src[:n] {
				block[i] = toInt64(v)
			}
			ints(dst, block[:n])
			dst, src = dst[n*t.Size():], src[n:]
		}
	}
}

// toInt64 truncates as WebAssembly's i64.trunc_sat_f64_s does, which Go leaves
// to the platform for values out of range.
func toInt64(v float64) int64 {
	switch {
	case v != v:
		return 0
	case v >= 1<<63:
		return math.MaxInt64
	case v <= -1<<63:
		return math.MinInt64
	}
	return int64(v)
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 24)) // exact
		return math.Float32frombits(math.Float32bits(v) | sign)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// floatToHalf rounds to the nearest binary16, ties to even.
func floatToHalf(v float64) uint16 {
	bits := math.Float64bits(v)
	sign := uint16(bits >> 48 & 0x8000)
	a := math.Abs(v)
	switch {
	case v != v:
		return sign | 0x7e00
	case a >= 65520: // half a step above the largest, 65504
		return sign | 0x7c00
	case a < 1.0/(1<<14): // denormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(a*(1<<24)))
	}
	exp := int(bits>>52&0x7ff) - 1023
	// frac/1024 in [1, 2); a carry to 2048 moves the exponent up by itself.
	frac := uint16(math.RoundToEven(math.Ldexp(a, 10-exp)))
	return sign | (uint16(exp+14)<<10 + frac)
}
