package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/nn/ir"
)

// The bits of a small float are those of the nearest of all its numbers, the even one of two.
func TestSmallFloatsRoundToTheNearest(t *testing.T) {
	for _, kind := range smallFloats.List() {
		if kind == ir.Float8E8M0 {
			continue
		}
		f := minifloatOf(kind)
		numbers := make([]float64, 1<<kind.Bits())
		load := loadSmallFloats(kind)
		for i := range numbers {
			one := numbers[i : i+1]
			load(one, []byte{byte(i)})
		}
		for i, v := range numbers {
			if !math.IsInf(v, 0) && v == v {
				require.Equal(t, i, f.bits(v, true), "%v of %v", v, kind)
			}
		}
		for i := range 4000 {
			v := math.Ldexp(1+float64(i%97)/97, i%40-22)
			if i%3 == 0 {
				v = -v
			}
			if i%7 == 0 {
				v = numbers[i%len(numbers)]
				if w := numbers[(i+1)%len(numbers)]; !math.IsInf(w, 0) && w == w {
					v = (v + w) / 2 // a tie
				}
			}
			if v != v || math.IsInf(v, 0) {
				continue
			}
			best := math.Inf(1)
			for _, w := range numbers {
				if !math.IsInf(w, 0) && w == w {
					best = min(best, math.Abs(w-v))
				}
			}
			got := f.bits(v, true)
			require.Equal(t, best, math.Abs(numbers[got]-v), "%v as %v", v, kind)
			for other, w := range numbers {
				if math.Abs(w-v) == best && w != numbers[got] {
					require.Zero(t, got&1, "%v as %v is %v, not %v", v, kind, got, other)
				}
			}
		}
	}
}

func TestSmallFloatsBeyondTheLargest(t *testing.T) {
	bits := func(kind ir.DType, v float64, saturate bool) int { return minifloatOf(kind).bits(v, saturate) }
	for _, v := range []float64{1e6, math.Inf(1)} {
		require.Equal(t, 0x7e, bits(ir.Float8E4M3FN, v, true))
		require.Equal(t, 0x7f, bits(ir.Float8E4M3FN, v, false))
		require.Equal(t, 0x7f, bits(ir.Float8E4M3FNUZ, v, true))
		require.Equal(t, 0x80, bits(ir.Float8E4M3FNUZ, v, false))
		require.Equal(t, 0x7b, bits(ir.Float8E5M2, v, true))
		require.Equal(t, 0x7c, bits(ir.Float8E5M2, v, false))
		require.Equal(t, 0xff, bits(ir.Float8E5M2FNUZ, -v, true))
		require.Equal(t, 0x7, bits(ir.Float4E2M1, v, false))
	}
	require.Equal(t, 0x80, bits(ir.Float8E5M2FNUZ, math.NaN(), true))
	require.Equal(t, 0x7e, bits(ir.Float8E5M2, math.NaN(), true))
	require.Equal(t, 0, bits(ir.Float8E4M3FNUZ, -1e-9, true))
	for _, round := range []struct {
		mode string
		v    float64
		want int
	}{{"up", 1, 127}, {"up", 1.1, 128}, {"down", 1.9, 127}, {"nearest", 1.4, 127}, {"nearest", 1.5, 128}, {"up", 0, 0}} {
		require.Equal(t, round.want, powerOf(round.v, true, round.mode), round)
	}
}

// float16 made of float32 and widened again: every one of them comes back, and what lies
// between two is rounded as from float64.
func TestNarrowedAndWidened(t *testing.T) {
	all := ir.NewTensor(ir.Float16, 1<<16)
	for i := range 1 << 16 {
		all.Data[2*i], all.Data[2*i+1] = byte(i), byte(i>>8)
	}
	for i, v := range Widened(all).Float32s() {
		if v != v {
			require.Equal(t, i&0x8000|0x7e00, int(kernel.HalfOf(v)), i)
			continue
		}
		require.Equal(t, halfToFloat(uint16(i)), v)
		require.Equal(t, i, int(kernel.HalfOf(v)))
		for _, d := range []int32{-4097, -4096, -4095, -1, 1, 4095, 4096, 4097} {
			w := math.Float32frombits(uint32(int32(math.Float32bits(v)) + d))
			if w == w {
				require.Equal(t, floatToHalf(float64(w)), kernel.HalfOf(w), "%x", math.Float32bits(w))
			}
		}
	}
	for n := range 20 { // any number of them
		few := &ir.Tensor{Type: ir.BFloat16, Dims: []int{n}, Data: all.Data[2*0x3f70 : 2*(0x3f70+n)]}
		for i, v := range Widened(few).Float32s() {
			require.Equal(t, uint32(0x3f70+i)<<16, math.Float32bits(v))
		}
	}
}
