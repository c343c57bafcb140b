//go:build wasm

package asmtest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// block is what an instruction takes and gives.
type block [16]byte

func (v *block) i8(i int) int      { return int(int8(v[i])) }
func (v *block) u8(i int) int      { return int(v[i]) }
func (v *block) i16(i int) int     { return int(int16(v.u16(i))) }
func (v *block) u16(i int) int     { return int(binary.LittleEndian.Uint16(v[2*i:])) }
func (v *block) i32(i int) int     { return int(int32(v.u32(i))) }
func (v *block) u32(i int) int     { return int(binary.LittleEndian.Uint32(v[4*i:])) }
func (v *block) f32(i int) float32 { return math.Float32frombits(uint32(v.u32(i))) }

// of8, of16 and of32 are blocks of the lanes that f gives; what is too large wraps.
func of8(f func(i int) int) (v block) {
	for i := range v {
		v[i] = byte(f(i))
	}
	return v
}

func of16(f func(i int) int) (v block) {
	for i := range 8 {
		binary.LittleEndian.PutUint16(v[2*i:], uint16(f(i)))
	}
	return v
}

func of32(f func(i int) int) (v block) {
	for i := range 4 {
		binary.LittleEndian.PutUint32(v[4*i:], uint32(f(i)))
	}
	return v
}

func ofFloats(f func(i int) float32) block {
	return of32(func(i int) int { return int(math.Float32bits(f(i))) })
}

func between(x, low, high int) int { return min(max(x, low), high) }

// saturated is x rounded towards zero, and NaN 0.
func saturated(x float32, low, high float64) int {
	if x != x {
		return 0
	}
	return int(min(max(math.Trunc(float64(x)), low), high))
}

func mask(set bool) int {
	if set {
		return -1
	}
	return 0
}

// either of two blocks: narrowing takes the lanes of v, then those of w.
func either(v, w *block, i, n int) (*block, int) {
	if i < n {
		return v, i
	}
	return w, i - n
}

var ofTwo = []struct {
	name string
	run  func(dst, left, right *byte)
	want func(v, w *block) block
}{
	{"dotI16", dotI16, func(v, w *block) block {
		return of32(func(i int) int { return v.i16(2*i)*w.i16(2*i) + v.i16(2*i+1)*w.i16(2*i+1) })
	}},
	{"mulLowI8", mulLowI8, func(v, w *block) block { return of16(func(i int) int { return v.i8(i) * w.i8(i) }) }},
	{"mulHighI8", mulHighI8, func(v, w *block) block { return of16(func(i int) int { return v.i8(8+i) * w.i8(8+i) }) }},
	{"mulLowU8", mulLowU8, func(v, w *block) block { return of16(func(i int) int { return v.u8(i) * w.u8(i) }) }},
	{"mulHighU8", mulHighU8, func(v, w *block) block { return of16(func(i int) int { return v.u8(8+i) * w.u8(8+i) }) }},
	{"mulLowI16", mulLowI16, func(v, w *block) block { return of32(func(i int) int { return v.i16(i) * w.i16(i) }) }},
	{"mulHighI16", mulHighI16, func(v, w *block) block { return of32(func(i int) int { return v.i16(4+i) * w.i16(4+i) }) }},
	{"mulLowU16", mulLowU16, func(v, w *block) block { return of32(func(i int) int { return v.u16(i) * w.u16(i) }) }},
	{"mulHighU16", mulHighU16, func(v, w *block) block { return of32(func(i int) int { return v.u16(4+i) * w.u16(4+i) }) }},
	{"narrowI32", narrowI32, func(v, w *block) block {
		return of16(func(i int) int { x, k := either(v, w, i, 4); return between(x.i32(k), math.MinInt16, math.MaxInt16) })
	}},
	{"narrowU32", narrowU32, func(v, w *block) block {
		return of16(func(i int) int { x, k := either(v, w, i, 4); return between(x.i32(k), 0, math.MaxUint16) })
	}},
	{"narrowI16", narrowI16, func(v, w *block) block {
		return of8(func(i int) int { x, k := either(v, w, i, 8); return between(x.i16(k), math.MinInt8, math.MaxInt8) })
	}},
	{"narrowU16", narrowU16, func(v, w *block) block {
		return of8(func(i int) int { x, k := either(v, w, i, 8); return between(x.i16(k), 0, math.MaxUint8) })
	}},
	{"addI8", addI8, func(v, w *block) block { return of8(func(i int) int { return v.i8(i) + w.i8(i) }) }},
	{"subI8", subI8, func(v, w *block) block { return of8(func(i int) int { return v.i8(i) - w.i8(i) }) }},
	{"addI16", addI16, func(v, w *block) block { return of16(func(i int) int { return v.i16(i) + w.i16(i) }) }},
	{"subI16", subI16, func(v, w *block) block { return of16(func(i int) int { return v.i16(i) - w.i16(i) }) }},
	{"mulI16", mulI16, func(v, w *block) block { return of16(func(i int) int { return v.i16(i) * w.i16(i) }) }},
	{"minI16", minI16, func(v, w *block) block { return of16(func(i int) int { return min(v.i16(i), w.i16(i)) }) }},
	{"maxI16", maxI16, func(v, w *block) block { return of16(func(i int) int { return max(v.i16(i), w.i16(i)) }) }},
	{"addI32", addI32, func(v, w *block) block { return of32(func(i int) int { return v.i32(i) + w.i32(i) }) }},
	{"subI32", subI32, func(v, w *block) block { return of32(func(i int) int { return v.i32(i) - w.i32(i) }) }},
	{"mulI32", mulI32, func(v, w *block) block { return of32(func(i int) int { return v.i32(i) * w.i32(i) }) }},
	{"minI32", minI32, func(v, w *block) block { return of32(func(i int) int { return min(v.i32(i), w.i32(i)) }) }},
	{"maxI32", maxI32, func(v, w *block) block { return of32(func(i int) int { return max(v.i32(i), w.i32(i)) }) }},
	{"eqI32", eqI32, func(v, w *block) block { return of32(func(i int) int { return mask(v.i32(i) == w.i32(i)) }) }},
	{"gtI32", gtI32, func(v, w *block) block { return of32(func(i int) int { return mask(v.i32(i) > w.i32(i)) }) }},
	{"ltI32", ltI32, func(v, w *block) block { return of32(func(i int) int { return mask(v.i32(i) < w.i32(i)) }) }},
}

var ofOne = []struct {
	name string
	run  func(dst, src *byte)
	want func(v *block) block
}{
	{"extendLowI8", extendLowI8, func(v *block) block { return of16(v.i8) }},
	{"extendHighI8", extendHighI8, func(v *block) block { return of16(func(i int) int { return v.i8(8 + i) }) }},
	{"extendLowU8", extendLowU8, func(v *block) block { return of16(v.u8) }},
	{"extendHighU8", extendHighU8, func(v *block) block { return of16(func(i int) int { return v.u8(8 + i) }) }},
	{"extendLowI16", extendLowI16, func(v *block) block { return of32(v.i16) }},
	{"extendHighI16", extendHighI16, func(v *block) block { return of32(func(i int) int { return v.i16(4 + i) }) }},
	{"extendLowU16", extendLowU16, func(v *block) block { return of32(v.u16) }},
	{"extendHighU16", extendHighU16, func(v *block) block { return of32(func(i int) int { return v.u16(4 + i) }) }},
	{"pairsI8", pairsI8, func(v *block) block { return of16(func(i int) int { return v.i8(2*i) + v.i8(2*i+1) }) }},
	{"pairsU8", pairsU8, func(v *block) block { return of16(func(i int) int { return v.u8(2*i) + v.u8(2*i+1) }) }},
	{"pairsI16", pairsI16, func(v *block) block { return of32(func(i int) int { return v.i16(2*i) + v.i16(2*i+1) }) }},
	{"pairsU16", pairsU16, func(v *block) block { return of32(func(i int) int { return v.u16(2*i) + v.u16(2*i+1) }) }},
	{"absI32", absI32, func(v *block) block { return of32(func(i int) int { return max(v.i32(i), -v.i32(i)) }) }},
	{"negI32", negI32, func(v *block) block { return of32(func(i int) int { return -v.i32(i) }) }},
	{"shlI16", shlI16, func(v *block) block { return of16(func(i int) int { return v.i16(i) << 3 }) }},
	{"shrI16", shrI16, func(v *block) block { return of16(func(i int) int { return v.i16(i) >> 3 }) }},
	{"shrU16", shrU16, func(v *block) block { return of16(func(i int) int { return v.u16(i) >> 3 }) }},
	{"shlI32", shlI32, func(v *block) block { return of32(func(i int) int { return v.i32(i) << 5 }) }},
	{"shrI32", shrI32, func(v *block) block { return of32(func(i int) int { return v.i32(i) >> 5 }) }},
	{"shrU32", shrU32, func(v *block) block { return of32(func(i int) int { return v.u32(i) >> 5 }) }},
	{"convertI32", convertI32, func(v *block) block { return ofFloats(func(i int) float32 { return float32(v.i32(i)) }) }},
	{"convertU32", convertU32, func(v *block) block { return ofFloats(func(i int) float32 { return float32(v.u32(i)) }) }},
	{"truncI32", truncI32, func(v *block) block {
		return of32(func(i int) int { return saturated(v.f32(i), math.MinInt32, math.MaxInt32) })
	}},
	{"truncU32", truncU32, func(v *block) block {
		return of32(func(i int) int { return saturated(v.f32(i), 0, math.MaxUint32) })
	}},
}

// blocks draws bits, and often the ends of the integer types or ordinary float32.
func blocks(r *rand.Rand) (v block) {
	switch r.IntN(4) {
	case 0:
		return of16(func(int) int { return []int{math.MinInt16, math.MaxInt16, -1, 0, 1, 128, -129}[r.IntN(7)] })
	case 1:
		return ofFloats(func(int) float32 {
			return []float32{float32(r.NormFloat64() * 1000), 3e9, -3e9, 5e9, float32(math.NaN()), -0.9}[r.IntN(6)]
		})
	case 2:
		return of8(func(int) int { return []int{-128, 127, 0, 1, -1}[r.IntN(5)] })
	}
	return of8(func(int) int { return r.IntN(256) })
}

func TestIntegerInstructions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v, w := blocks(r), blocks(r)
		if r.IntN(3) == 0 {
			copy(w[:8], v[:])
		}
		for _, op := range ofTwo {
			var got block
			op.run(&got[0], &v[0], &w[0])
			assert.Equal(t, op.want(&v, &w), got, "%s of %v, %v", op.name, v, w)
		}
		for _, op := range ofOne {
			var got block
			op.run(&got[0], &v[0])
			assert.Equal(t, op.want(&v), got, "%s of %v", op.name, v)
		}
		if t.Failed() {
			return
		}
	}
}

func TestExtendingLoadsAtEveryOffset(t *testing.T) {
	src, dst := make([]byte, 260+8), make([]block, 260)
	for i := range src {
		src[i] = byte(i*151 + i/7)
	}
	for _, load := range []struct {
		name string
		run  func(dst, src *byte)
		want func(v *block) block
	}{
		{"8 int8", loadsI8, func(v *block) block { return of16(v.i8) }},
		{"8 uint8", loadsU8, func(v *block) block { return of16(v.u8) }},
		{"4 int16", loadsI16, func(v *block) block { return of32(v.i16) }},
		{"4 uint16", loadsU16, func(v *block) block { return of32(v.u16) }},
		{"8 bytes twice", loads64, func(v *block) block { return of8(func(i int) int { return v.u8(i % 8) }) }},
	} {
		clear(dst)
		load.run(&dst[0][0], &src[0])
		for offset, got := range dst {
			var v block
			copy(v[:8], src[offset:])
			assert.Equal(t, load.want(&v), got, "%s from %d", load.name, offset)
		}
	}
}

func TestIntegerScalars(t *testing.T) {
	src := block{1, 0xfe, 0x34, 0x92, 5, 0x86, 0x07, 0xf8, 9, 10, 11, 12, 13, 14, 15, 0xf0}
	number := -0x0123_4567_89ab_cdef
	dst := make([]block, 8)
	integerScalars(&dst[0][0], &src[0], number)
	constant := func(n int) func(int) int { return func(int) int { return n } }
	assert.Equal(t, of8(constant(number)), dst[0])
	assert.Equal(t, of16(constant(number)), dst[1])
	assert.Equal(t, of32(constant(number)), dst[2])
	assert.Equal(t, of8(constant(-3)), dst[3])
	assert.Equal(t, of16(constant(-300)), dst[4])
	assert.Equal(t, of32(func(i int) int { return []int{-2, 0xfe, src.i16(1), 0x9234}[i] }), dst[5])
	assert.Equal(t, byte(number&0xff), dst[6][0])
	assert.Equal(t, byte(0), dst[6][1])
	assert.Equal(t, number&0xffff, dst[6].u16(1))
	assert.Equal(t, src.i8(5), dst[6].i32(1))
	assert.Equal(t, src.i16(3), dst[6].i32(2))
	assert.Equal(t, int(int32(src.i32(0)+src.i32(1)+src.i32(2)+src.i32(3))), dst[6].i32(3))
	assert.Equal(t, append(src[:8:8], make([]byte, 8)...), dst[7][:])
}

// dotRowsScalar is the twin of dotRows. Sums of int32 are exact, so that their order does
// not matter, and wrap where they overflow.
func dotRowsScalar(dst []int32, left, right []int8) {
	for r := range dst {
		sum := int32(0)
		for t, v := range right {
			sum += int32(left[r*len(right)+t]) * int32(v)
		}
		dst[r] = sum
	}
}

func TestDotRowsIsItsTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for depth := 1; depth < 70; depth++ {
		for rows := range 5 {
			left, right := make([]int8, rows*depth+1), make([]int8, depth)
			for i := range left {
				left[i] = int8(r.IntN(256))
			}
			for i := range right {
				right[i] = int8(r.IntN(256))
			}
			if depth%5 == 0 { // the largest sums there are
				for i := range left {
					left[i] = -128
				}
				for i := range right {
					right[i] = -128
				}
			}
			want, got := make([]int32, rows+1), make([]int32, rows+1)
			want[rows], got[rows] = 7, 7
			dotRowsScalar(want[:rows], left, right)
			dotRows(&got[0], &left[0], &right[0], rows, depth)
			assert.Equal(t, want, got, "%d × %d", rows, depth)
		}
	}
}
