package kernel

import (
	"fmt"
	"math"
	"slices"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/testkit"
)

// The cases of the kernels of quantized products. Their results are not float32: the kernel
// and its twin write into the memory of numbers that are, which shows what they must not touch.

// ints draws n int16 of so many bits with a sign.
func (c *call) ints(n, bits int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(c.r.IntN(1<<bits) - 1<<(bits-1))
	}
	return s
}

func (c *call) octets(n int) []uint8 {
	s := make([]uint8, n)
	for i := range s {
		s[i] = uint8(c.r.IntN(256))
	}
	return s
}

func (c *call) longs(n, most int) []int32 {
	s := c.offsets(n, 2*most)
	for i := range s {
		s[i] -= int32(most)
	}
	return s
}

// room returns a result of as many float32 as n elements of so many bytes want. read gives,
// of its bytes, the number that element i is, for what the oracle says of the twin's.
func (c *call) room(n, size int, want func(i int) float64, read func(b []byte) float64) (kernel, twin []byte) {
	o := c.out((n*size + 3) / 4)
	kernel, twin = slab.Bytes(o.k.S), slab.Bytes(o.t.S)
	before := append([]byte(nil), twin...)
	per := 4 / size
	o.want = func(i int) (float64, float64) {
		for e := i * per; e < min(n, (i+1)*per); e++ {
			if got := read(twin[e*size:]); got != want(e) {
				return math.Inf(1), 0 // it is not
			}
		}
		for e := n * size; e < len(twin); e++ {
			if twin[e] != before[e] {
				return math.Inf(1), 0
			}
		}
		return float64(o.t.S[i]), 0
	}
	return kernel, twin
}

func readInt32(b []byte) float64 { return float64(slab.View[int32](b[:4])[0]) }
func readInt16(b []byte) float64 { return float64(int16(uint16(b[0]) | uint16(b[1])<<8)) }
func readUint8(b []byte) float64 { return float64(b[0]) }

func view[T slab.Elem](b []byte) *T { return Ptr(slab.View[T](b[:len(b)/4*4])) }

// steps is the oracle of what a quantization gives, in float64 all along but for the quotient.
func steps(v, lo, hi float32) float64 {
	if v != v {
		return 0
	}
	return min(max(math.RoundToEven(float64(v)), float64(lo)), float64(hi))
}

// byteBounds draws the bounds of int8 or uint8 less a zero point.
func (c *call) byteBounds() (lo, hi float32, zero int) {
	least := -128 * c.r.IntN(2)
	zero = least + c.r.IntN(256)
	return float32(least - zero), float32(least + 255 - zero), zero
}

func dotTimes(m, k, n int) timing {
	return timing{fmt.Sprintf("m=%d/k=%d/n=%d", m, k, n), float64(2 * m * k * n), "GOP/s", func(data func(n int) *float32) func() {
		c, a, b, s := data(m*n), data(m*k/2), data(k*n/4), data(m+n)
		toInt32, toInt16, toInt8 := view[int32], view[int16], view[int8]
		y := toInt32(slab.Bytes(slice(c, m*n)))
		left := toInt16(slab.Bytes(slice(a, m*k/2)))
		right := toInt8(slab.Bytes(slice(b, k*n/4)))
		sums := slab.View[int32](slab.Bytes(slice(s, m+n)))
		if m == 1 {
			return func() { DotRow(y, left, right, k/2, n/8, 0, &sums[0]) }
		}
		return func() { DotTiles(y, n, left, right, k/2, m/4, n/8, &sums[0], &sums[m]) }
	}}
}

// dotOfBytes is what stands for a dot of bytes but in the relaxed build.
func dotOfBytes(x, w []byte) int64 {
	short := func(b []byte) int64 { return int64(int16(uint16(b[0]) | uint16(b[1])<<8)) }
	q15 := func(at int) int64 { return min((short(x[at:])*short(w[at:])+1<<14)>>15, 32767) }
	return q15(2)<<16 + int64(uint16(q15(0)))
}

func quadTimes(m, k, n int) timing {
	return timing{fmt.Sprintf("m=%d/k=%d/n=%d", m, k, n), float64(2 * m * k * n), "GOP/s", func(data func(n int) *float32) func() {
		y, sums := view[int32](slab.Bytes(slice(data(m*n), m*n))), view[int32](slab.Bytes(slice(data(m+n), m+n)))
		left, right := &slab.Bytes(slice(data(m*k/4), m*k/4))[0], view[int8](slab.Bytes(slice(data(k*n/4), k*n/4)))
		if m == 1 {
			return func() { QuadRow(y, left, right, k/4, n/NR, 0, sums, sums) }
		}
		return func() { DotQuads(y, n, left, right, k/4, m/QR, n/NR, sums, sums, sums) }
	}}
}

func byteTimes(run func(f *float32, s *int16, b *uint8, n int)) []timing {
	const n = 1 << 14
	return []timing{bytes("16384", 5*n, func(data func(n int) *float32) func() {
		f, b := data(n), slab.Bytes(slice(data(n), n))
		s := view[int16](b)
		return func() { run(f, s, &b[0], n) }
	})}
}

var integerCases = []kernelCase{
	{"DotTiles", func(c *call) {
		mp, np, pairs := c.r.IntN(4), c.r.IntN(4), c.size(40)
		ldd := np*NR + c.r.IntN(4)
		a, b := c.ints(mp*pairs*8, 9+7*c.r.IntN(2)), c.ints(np*pairs*16, 8)
		right := make([]int8, len(b))
		for i, v := range b {
			right[i] = int8(v)
		}
		sums, zeros := c.longs(mp*MR, 70000), c.longs(np*NR, 300)
		o := c.out(Span(mp*MR, ldd, np*NR))
		twin := slab.View[int32](slab.Bytes(o.t.S))
		before := append([]int32(nil), twin...)
		o.want = func(at int) (float64, float64) {
			i, j := at/ldd, at%ldd
			want := before[at]
			if j < np*NR {
				total := -int64(sums[i]) * int64(zeros[j])
				for t := range 2 * pairs {
					total += int64(a[(i/MR*pairs+t/2)*8+i%MR*2+t%2]) * int64(b[(j/NR*pairs+t/2)*16+j%NR*2+t%2])
				}
				want = int32(total)
			}
			if twin[at] != want {
				return math.Inf(1), 0
			}
			return float64(o.t.S[at]), 0
		}
		DotTiles(view[int32](slab.Bytes(o.k.S)), ldd, Ptr(a), Ptr(right), pairs, mp, np, Ptr(sums), Ptr(zeros))
		dotTilesScalar(view[int32](slab.Bytes(o.t.S)), ldd, Ptr(a), Ptr(right), pairs, mp, np, Ptr(sums), Ptr(zeros))
	}, []timing{dotTimes(480, 480, 480), dotTimes(128, 384, 1536)}},
	{"DotRow", func(c *call) {
		np, pairs, total := c.r.IntN(10), c.size(40), c.r.IntN(1<<16)-1<<15
		a, b := c.ints(pairs*2, 9+7*c.r.IntN(2)), c.ints(np*pairs*16, 8)
		right := make([]int8, len(b))
		for i, v := range b {
			right[i] = int8(v)
		}
		zeros := c.longs(np*NR, 300)
		k, t := c.room(np*NR, 4, func(j int) float64 {
			sum := -int64(total) * int64(zeros[j])
			for t := range 2 * pairs {
				sum += int64(a[t]) * int64(b[(j/NR*pairs+t/2)*16+j%NR*2+t%2])
			}
			return float64(int32(sum))
		}, readInt32)
		DotRow(view[int32](k), Ptr(a), Ptr(right), pairs, np, total, Ptr(zeros))
		dotRowScalar(view[int32](t), Ptr(a), Ptr(right), pairs, np, total, Ptr(zeros))
	}, []timing{dotTimes(1, 768, 3072)}},
	{"DotQuads", func(c *call) {
		mp, np, quads := c.r.IntN(4), c.r.IntN(4), c.size(20)
		ldd := np*NR + c.r.IntN(4)
		a, b, right := c.octets(mp*quads*4*QR), c.octets(np*quads*4*NR), []int8(nil)
		for _, v := range b {
			right = append(right, int8(v))
		}
		sums, zeros, start := c.longs(mp*QR, 70000), c.longs(np*NR, 300), c.longs(np*NR, 1<<20)
		o := c.out(Span(mp*QR, ldd, np*NR))
		twin := slab.View[int32](slab.Bytes(o.t.S))
		before := append([]int32(nil), twin...)
		o.want = func(at int) (float64, float64) {
			i, j := at/ldd, at%ldd
			want := before[at]
			if j < np*NR {
				total := int64(start[j]) - int64(sums[i])*int64(zeros[j])
				for t := range quads {
					total += dotOfBytes(a[(i/QR*quads+t)*4*QR+i%QR*4:], b[(j/NR*quads+t)*4*NR+j%NR*4:])
				}
				want = int32(total)
			}
			if twin[at] != want {
				return math.Inf(1), 0
			}
			return float64(o.t.S[at]), 0
		}
		DotQuads(view[int32](slab.Bytes(o.k.S)), ldd, Ptr(a), Ptr(right), quads, mp, np, Ptr(sums), Ptr(zeros), Ptr(start))
		dotQuadsScalar(view[int32](slab.Bytes(o.t.S)), ldd, Ptr(a), Ptr(right), quads, mp, np, Ptr(sums), Ptr(zeros), Ptr(start))
	}, []timing{quadTimes(132, 384, 1536)}},
	{"QuadRow", func(c *call) {
		np, quads, total := c.r.IntN(10), c.size(20), c.r.IntN(1<<16)-1<<15
		a, b, right := c.octets(quads*4), c.octets(np*quads*4*NR), []int8(nil)
		for _, v := range b {
			right = append(right, int8(v))
		}
		zeros, start := c.longs(np*NR, 300), c.longs(np*NR, 1<<20)
		k, t := c.room(np*NR, 4, func(j int) float64 {
			sum := int64(start[j]) - int64(total)*int64(zeros[j])
			for t := range quads {
				sum += dotOfBytes(a[4*t:], b[(j/NR*quads+t)*4*NR+j%NR*4:])
			}
			return float64(int32(sum))
		}, readInt32)
		QuadRow(view[int32](k), Ptr(a), Ptr(right), quads, np, total, Ptr(zeros), Ptr(start))
		quadRowScalar(view[int32](t), Ptr(a), Ptr(right), quads, np, total, Ptr(zeros), Ptr(start))
	}, []timing{quadTimes(1, 768, 3072)}},
	{"SumQuads", func(c *call) {
		mp, quads := c.r.IntN(5), c.size(40)
		a := c.octets(mp * quads * 4 * QR)
		k, t := c.room(mp*QR, 4, func(i int) float64 {
			s := int64(0)
			for t := range quads {
				s += dotOfBytes(a[(i/QR*quads+t)*4*QR+i%QR*4:], []byte{1, 1, 1, 1})
			}
			return float64(int32(s))
		}, readInt32)
		SumQuads(view[int32](k), Ptr(a), quads, mp)
		sumQuadsScalar(view[int32](t), Ptr(a), quads, mp)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		SumQuads(view[int32](slab.Bytes(slice(f, n))), b, n/(4*QR), 1)
	})},
	{"SumPairs", func(c *call) {
		mp, pairs := c.r.IntN(5), c.size(40)
		a := c.ints(mp*pairs*8, 16)
		k, t := c.room(mp*MR, 4, func(i int) float64 {
			s := 0.0
			for t := range 2 * pairs {
				s += float64(a[(i/MR*pairs+t/2)*8+i%MR*2+t%2])
			}
			return s
		}, readInt32)
		SumPairs(view[int32](k), Ptr(a), pairs, mp)
		sumPairsScalar(view[int32](t), Ptr(a), pairs, mp)
	}, byteTimes(func(f *float32, s *int16, _ *uint8, n int) {
		SumPairs(view[int32](slab.Bytes(slice(f, n))), s, n/16, 1)
	})},
	{"PackTaps", func(c *call) {
		mp, nt := c.r.IntN(5), c.size(20)&^1
		const far = 50
		pixels, taps := c.offsets(mp*MR, far), c.offsets(nt, far)
		for i := range pixels { // runs of neighbours that begin anywhere
			if i > 0 && c.r.IntN(9) > 0 && pixels[i-1]+1 < far {
				pixels[i] = pixels[i-1] + 1
			}
		}
		x := c.ints(2*far, 16)
		k, t := c.room(mp*MR*nt, 2, func(at int) float64 {
			panel, rest := at/(MR*nt), at%(MR*nt)
			return float64(x[taps[rest/8*2+rest%2]+pixels[panel*MR+rest%8/2]])
		}, readInt16)
		PackTaps(view[int16](k), Ptr(x), Ptr(taps), nt, Ptr(pixels), mp)
		packTapsScalar(view[int16](t), Ptr(x), Ptr(taps), nt, Ptr(pixels), mp)
	}, byteTimes(func(f *float32, s *int16, _ *uint8, n int) {
		taps, pixels := make([]int32, 128), make([]int32, 64)
		for i := range pixels {
			pixels[i] = int32(i)
		}
		PackTaps(view[int16](slab.Bytes(slice(f, n))), s, &taps[0], 128, &pixels[0], 16)
	})},
	{"PackQuads", func(c *call) {
		mp, nt := c.r.IntN(5), c.size(20)&^3
		const far = 50
		pixels, taps := c.offsets(mp*QR, far), c.offsets(nt, far)
		for i := range pixels { // runs of neighbours that begin anywhere
			if i > 0 && c.r.IntN(12) > 0 && pixels[i-1]+1 < far {
				pixels[i] = pixels[i-1] + 1
			}
		}
		x := c.octets(2*far + 2)
		k, t := c.room(mp*QR*nt, 1, func(at int) float64 {
			panel, rest := at/(QR*nt), at%(QR*nt)
			return float64(x[taps[rest/(4*QR)*4+rest%4]+pixels[panel*QR+rest%(4*QR)/4]])
		}, readUint8)
		PackQuads(Ptr(k), Ptr(x), Ptr(taps), nt, Ptr(pixels), mp)
		packQuadsScalar(Ptr(t), Ptr(x), Ptr(taps), nt, Ptr(pixels), mp)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		taps, pixels := make([]int32, 128), make([]int32, 60)
		for i := range pixels {
			pixels[i] = int32(i)
		}
		PackQuads(&slab.Bytes(slice(f, n))[0], b, &taps[0], 128, &pixels[0], 10)
	})},
	{"WidenBytes", func(c *call) {
		x, flip, zero := c.octets(c.size(60)), 128*c.r.IntN(2), c.r.IntN(512)-256
		k, t := c.room(len(x), 2, func(i int) float64 { return float64(int(int8(x[i]^uint8(flip))) - zero) }, readInt16)
		WidenBytes(view[int16](k), Ptr(x), len(x), flip, zero)
		widenBytesScalar(view[int16](t), Ptr(x), len(x), flip, zero)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		WidenBytes(view[int16](slab.Bytes(slice(f, n))), b, n, 128, 3)
	})},
	{"QuantizeShort", func(c *call) {
		x, scale := c.quantizable(), c.scale()
		lo, hi, _ := c.byteBounds()
		k, t := c.room(len(x), 2, func(i int) float64 { return steps(x[i]/scale, lo, hi) }, readInt16)
		QuantizeShort(view[int16](k), Ptr(x), len(x), scale, lo, hi)
		quantizeShortScalar(view[int16](t), Ptr(x), len(x), scale, lo, hi)
	}, byteTimes(func(f *float32, s *int16, _ *uint8, n int) { QuantizeShort(s, f, n, 0.1, -128, 127) })},
	{"QuantizeBytes", func(c *call) {
		x, scale := c.quantizable(), c.scale()
		lo, hi, zero := c.byteBounds()
		k, t := c.room(len(x), 1, func(i int) float64 { return float64(uint8(int(steps(x[i]/scale, lo, hi)) + zero)) }, readUint8)
		QuantizeBytes(Ptr(k), Ptr(x), len(x), scale, lo, hi, zero)
		quantizeBytesScalar(Ptr(t), Ptr(x), len(x), scale, lo, hi, zero)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) { QuantizeBytes(b, f, n, 0.1, -128, 127, 0) })},
	{"DequantizeBytes", func(c *call) {
		x, flip, zero, scale := c.octets(c.size(60)), 128*c.r.IntN(2), c.r.IntN(512)-256, c.scale()
		y := c.out(len(x))
		y.want = func(i int) (float64, float64) {
			return moved(float32(int(int8(x[i]^uint8(flip)))-zero) * scale)
		}
		DequantizeBytes(y.kernel(), Ptr(x), len(x), flip, zero, scale)
		dequantizeBytesScalar(y.twin(), Ptr(x), len(x), flip, zero, scale)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) { DequantizeBytes(f, b, n, 128, 0, 0.1) })},
	{"ScaleSums", func(c *call) {
		rows, n := c.r.IntN(5), c.size(40)
		ldd, lds := n+c.r.IntN(4), n+c.r.IntN(4)
		lo, hi := c.bounds()
		x, scales, bias := c.longs(Span(rows, lds, n), 1<<24), c.either(n), c.maybe(c.either(n))
		y := c.out(Span(rows, ldd, n))
		y.keep(n, ldd, func(r, i int) (float64, float64) {
			v := float32(float32(x[r*lds+i]) * scales[i])
			if bias != nil {
				v += bias[i]
			}
			return clamped(float64(v), lo, hi), 0
		})
		ScaleSums(y.kernel(), ldd, Ptr(x), lds, rows, n, Ptr(scales), Ptr(bias), lo, hi)
		scaleSumsScalar(y.twin(), ldd, Ptr(x), lds, rows, n, Ptr(scales), Ptr(bias), lo, hi)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		ScaleSums(f, n, view[int32](slab.Bytes(slice(f, n))), n, 1, n, f, f, -inf, inf)
	})},
	{"QuantizePlane", func(c *call) {
		x, bias, scale := c.longs(c.size(60), 1<<24), c.r.IntN(1<<20)-1<<19, c.scale()*1e-5
		lo, hi, zero := c.byteBounds()
		k, t := c.room(len(x), 1, func(i int) float64 {
			return float64(uint8(int(steps(float32(x[i]+int32(bias))*scale, lo, hi)) + zero))
		}, readUint8)
		QuantizePlane(Ptr(k), Ptr(x), len(x), bias, scale, lo, hi, zero)
		quantizePlaneScalar(Ptr(t), Ptr(x), len(x), bias, scale, lo, hi, zero)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		QuantizePlane(b, view[int32](slab.Bytes(slice(f, n))), n, 3, 0.1, -128, 127, 0)
	})},
	{"WholeNumbers", func(c *call) {
		x := make([]float32, c.size(40))
		for i := range x {
			x[i] = float32(c.r.IntN(1<<25) - 1<<24)
		}
		x = c.guarded(x)
		k, t := c.room(len(x), 4, func(i int) float64 { return float64(x[i]) }, readInt32)
		WholeNumbers(view[int32](k), Ptr(x), len(x))
		wholeNumbersScalar(view[int32](t), Ptr(x), len(x))
	}, byteTimes(func(f *float32, _ *int16, _ *uint8, n int) { WholeNumbers(view[int32](slab.Bytes(slice(f, n))), f, n) })},
	{"Levels", func(c *call) {
		bits, n := 2+2*c.r.IntN(2), 16*c.r.IntN(5)
		x, scale, zero := c.octets(n*bits/8), c.scale(), float32(c.r.IntN(20))/2
		y := c.out(n)
		y.want = func(i int) (float64, float64) {
			return moved((float32(x[i*bits/8]>>(i*bits%8)&(1<<bits-1)) - zero) * scale)
		}
		Levels(y.kernel(), Ptr(x), n, bits, scale, zero)
		levelsScalar(y.twin(), Ptr(x), n, bits, scale, zero)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) { Levels(f, b, n, 4, 0.1, 8) })},
	{"NibbleRow", func(c *call) {
		columns, blocks, units, step := c.r.IntN(4), 1+c.r.IntN(4), 1+c.r.IntN(3), c.r.IntN(2)
		k := blocks * units * 32
		src, row, scales := c.octets(columns*k/2), testkit.Normal(c.r, k, 0.3, 2), c.plain(columns*blocks)
		x, sums := make([]float32, k), make([]float32, 4*blocks)
		for i, v := range row {
			j := i % 8
			x[i/32*32+j*4+i%32/8] = v / float32(int(1)<<(4*j%28))
			sums[i/(units*32)*4+i%32/8] += v
		}
		x, sums = c.guarded(x), c.guarded(sums)
		zeros := make([]float32, columns*blocks*step+1)
		for i := range zeros {
			zeros[i] = float32(c.r.IntN(31)) / 2
		}
		zeros = c.guarded(zeros)
		y := c.out(columns)
		y.want = func(col int) (float64, float64) {
			sum, size := 0.0, 0.0
			for i, v := range row {
				at := col*blocks + i/(units*32)
				q := float64(src[col*k/2+i/2] >> (i % 2 * 4) & 15)
				sum += float64(v) * (q - float64(zeros[at*step])) * float64(scales[at])
				size += math.Abs(float64(v)) * 16 * math.Abs(float64(scales[at]))
			}
			return sum, size * 1e-6
		}
		NibbleRow(y.kernel(), Ptr(src), Ptr(x), Ptr(sums), Ptr(scales), Ptr(zeros), columns, blocks, units, step)
		nibbleRowScalar(y.twin(), Ptr(src), Ptr(x), Ptr(sums), Ptr(scales), Ptr(zeros), columns, blocks, units, step)
	}, []timing{{"k=1024/n=4096", 2 * 1024 * 4096, "GFLOP/s", func(data func(n int) *float32) func() {
		y, b, x, s := data(4096), &slab.Bytes(slice(data(4096*128), 4096*128))[0], data(1024), data(4096*32)
		return func() { NibbleRow(y, b, x, x, s, x, 4096, 32, 1, 0) }
	}}}},
	{"QuantizeSums", func(c *call) {
		x := c.longs(c.size(60), 1<<24)
		scales := slices.Clone(c.either(len(x)))
		for i := range scales {
			if c.r.IntN(2) == 0 {
				scales[i] *= 1e-5
			}
		}
		scales = c.guarded(scales)
		lo, hi, zero := c.byteBounds()
		k, t := c.room(len(x), 1, func(i int) float64 {
			return float64(uint8(int(steps(float32(x[i])*scales[i], lo, hi)) + zero))
		}, readUint8)
		QuantizeSums(Ptr(k), Ptr(x), len(x), Ptr(scales), lo, hi, zero)
		quantizeSumsScalar(Ptr(t), Ptr(x), len(x), Ptr(scales), lo, hi, zero)
	}, byteTimes(func(f *float32, _ *int16, b *uint8, n int) {
		QuantizeSums(b, view[int32](slab.Bytes(slice(f, n))), n, f, -128, 127, 0)
	})},
}

// scale draws one of a quantization.
func (c *call) scale() float32 { return []float32{0.25, 1, 0.0371, 3, -0.5, 1e-30}[c.r.IntN(6)] }

// quantizable draws numbers with many ties among them.
func (c *call) quantizable() []float32 {
	x := slices.Clone(c.either(c.size(60)))
	for i := range x {
		if c.r.IntN(3) == 0 {
			x[i] = float32(c.r.IntN(600)-300) / 8
		}
	}
	return c.guarded(x)
}
