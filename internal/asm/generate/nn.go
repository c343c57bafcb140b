package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

// layers writes the kernels of what a network has around its normalizations.
func layers(file *asm.File) {
	gemmTiles(file)
	gemmRow(file)
	gemmCol(file)
	packCols(file)
	packPixels(file)
	widen(file)
	quantized(file)
	transpose(file)
	unzip(file)
	depthwise(file)
	blockedConv(file)
	blockedDepthwise(file)
	blockedWindows(file)
	padPlanes(file)
	winograd(file)
	maxTaps(file)
	binaries(file)
	unaries(file)
	pairs(file)
	elementary(file)
	sums(file)
	extremes(file)
	softmaxRows(file)
	expRows(file)
	expPanel(file)
	rowDots(file)
	addPixelRows(file)
	mixPixels(file)
	andPixels(file)
	lanes(file)
}

// bounds is min(max(v, lo), hi) as Go means it, NaN and the sign of zero
// included, for the same two bounds over and over. F32x4Max and F32x4Min alone
// take V8 sixteen instructions; this takes four:
//
//	pmax(v, lo)  misses a NaN lo, and -0 against +0: adding `fix` mends both
//	pmin(v, hi)  misses a NaN hi, which `fix` brings as well, and +0 against
//	             -0: what is bounded by -0 has its sign set, which `sign` does
type bounds struct{ lo, hi, fix, sign asm.V }

// newBounds reads the arguments lo and hi.
func newBounds(f *asm.Func) bounds {
	b := bounds{f.NewV("lo"), f.NewV("hi"), f.NewV("fix"), f.NewV("sign")}
	lo, hi := f.ArgF32("lo"), f.ArgF32("hi")
	b.lo.Set(lo.Splat())
	b.hi.Set(hi.Splat())
	b.fix.Set(fixOf(f, lo, hi).Splat())
	signs := b.hi.And(f.ConstBits(1 << 31))
	b.sign.Set(signs.And(b.hi.Eq(f.ZeroV())))
	return b
}

// boundsIn is newBounds for kernels with no register to spare: three vectors hold bounds from each
// call of load on. Nothing else lives longer, not even a float: floats take the same registers.
func boundsIn(f *asm.Func, low, high, between asm.V) (b bounds, load func()) {
	lo, hi, zero := f.ArgF32("lo"), f.ArgF32("hi"), f.ConstF32(0)
	b = bounds{low, high, between, hi.If(hi.Eq(zero), zero).Splat()}
	return b, func() {
		low.Set(lo.Splat())
		high.Set(hi.Splat())
		between.Set(fixOf(f, lo, hi).Splat())
	}
}

// fixOf is what mends a maximum.
func fixOf(f *asm.Func, lo, hi asm.F32) asm.F32 {
	neutral := f.ConstF32(float32(math.Copysign(0, -1))) // x + -0 is x, of any sign
	return hi.If(hi.Ne(hi), lo.If(lo.Eq(f.ConstF32(0)).Or(lo.Ne(lo)), neutral))
}

func (b bounds) clamp(v asm.V) asm.V {
	return v.PMax(b.lo).Add(b.fix).PMin(b.hi).Or(b.sign)
}

// floats is n elements in bytes.
func floats(n asm.Int) asm.Int { return n.Shl(2) }

// The values of gemm's argument start.
const (
	startRow = 1
	startCol = 2
	startC   = 3
)

// maxima are accumulators of f32x4.max, which V8 makes eight instructions of that wait for each
// other. Here an operand takes four, of which each waits for one: f32x4.pmax passes over NaNs
// and keeps the first zero, so that `nan` holds where there was a NaN, and `sign` whether all
// operands had their signs set: then the maximum has.
type maxima struct {
	f         *asm.Func
	nan, sign []asm.V
	v         asm.V
}

func newMaxima(f *asm.Func, n int) maxima {
	return maxima{f, f.NewVs("nan", n), f.NewVs("sign", n), f.NewV("operand")}
}

func (m maxima) begin(acc []asm.V) {
	for i, v := range acc {
		v.Set(m.f.ConstBits(math.Float32bits(float32(math.Inf(-1)))))
		m.nan[i].Set(m.f.ZeroV())
		m.sign[i].Set(v)
	}
}

func (m maxima) take(i int, acc, v asm.V) {
	m.v.Set(v)
	acc.Set(acc.PMax(m.v))
	m.nan[i].Set(m.nan[i].Or(m.v.Ne(m.v)))
	m.sign[i].Set(m.sign[i].And(m.v))
}

func (m maxima) end(i int, acc asm.V) asm.V {
	return acc.And(m.sign[i].Or(m.f.ConstBits(1<<31 - 1))).Or(m.nan[i])
}
