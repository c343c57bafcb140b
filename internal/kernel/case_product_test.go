package kernel

import (
	"fmt"
	"math"
)

// The cases of the kernels of matrix products, convolutions and what lays out operands.

// keep makes the oracle of a matrix of cols columns, ld apart, that leaves alone what is
// between its rows.
func (o *result) keep(cols, ld int, want func(row, col int) (value, tolerance float64)) {
	o.held = append([]float32(nil), o.t.S...)
	o.want = func(i int) (float64, float64) {
		if i%ld >= cols {
			return moved(o.before(i))
		}
		return want(i/ld, i%ld)
	}
}

// moved is the oracle of what is only copied.
func moved(v float32) (value, tolerance float64) { return float64(v), 0 }

// starts is where the sum of a tile's element starts.
func starts(start int, bias []float32, row, col int, c float32) float32 {
	switch start {
	case StartRow:
		return bias[row]
	case StartCol:
		return bias[col]
	case StartC:
		return c
	}
	return 0
}

// products is the oracle of a tile: what it starts from, and k products, clamped.
func products(start float32, k int, lo, hi float32, term func(t int) float64) (value, tolerance float64) {
	var s sum
	s.add(float64(start))
	for t := range k {
		s.add(term(t))
	}
	return clamped(s.value, lo, hi), s.after(k)
}

// tapped draws the operands of the kernels that read a plane through taps.
type tapped struct {
	rows, cols, ldx, ldy, nt int
	taps                     []int32
	x                        []float32
}

func (c *call) tapped(most, spare int) tapped {
	const far = 30
	p := tapped{rows: c.r.IntN(5), cols: c.size(most), nt: c.r.IntN(10)}
	p.ldx, p.ldy = p.cols+c.r.IntN(9), p.cols+c.r.IntN(3)
	p.taps = c.offsets(p.nt, far)
	p.x = c.either(far + Span(p.rows, p.ldx, p.cols) + spare)
	return p
}

func (p tapped) at(row, col, tap int) float32 { return p.x[row*p.ldx+int(p.taps[tap])+col] }

var inf = float32(math.Inf(1))

func squareTaps(n, width int) []int32 {
	taps := make([]int32, n*n)
	for i := range taps {
		taps[i] = int32(i/n*width + i%n)
	}
	return taps
}

func planeTimes(widths []int, run func(data func(n int) *float32, w int, taps []int32) func()) (all []timing) {
	for _, w := range widths {
		all = append(all, operations(fmt.Sprintf("24x%d/5x5", w), 2*25*24*w,
			func(data func(n int) *float32) func() { return run(data, w, squareTaps(5, w+8)) }))
	}
	return all
}

// square is a matrix of 128 by 128 elements, moved.
func square(run func(y, x *float32)) []timing {
	return []timing{bytes("128x128", 8*128*128, func(data func(n int) *float32) func() {
		x, y := data(128*128), data(2*128*128)
		return func() { run(y, x) }
	})}
}

// tiles is the case of GemmTiles, with panels of 4 rows, and of GemmTall, with panels of 6.
func tiles(name string, high int, run, twin func(dst *float32, ldd int, left *float32, as int, right *float32, bs int, depth, mp, np int, start int, bias *float32, lo, hi float32)) kernelCase {
	k := kernelCase{name: name, call: func(c *call) {
		mp, np, k := c.r.IntN(4), c.r.IntN(4), c.size(64)
		as, bs, ldc := k*high+c.r.IntN(2)*5, k*NR+c.r.IntN(2)*3, np*NR+c.r.IntN(4)
		a, b := c.either(Span(mp, as, k*high)), c.either(Span(np, bs, k*NR))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.bounds()
			bias := c.plain([]int{0, mp * high, np * NR, 0}[start])
			y := c.out(Span(mp*high, ldc, np*NR))
			y.keep(np*NR, ldc, func(i, j int) (float64, float64) {
				return products(starts(start, bias, i, j, y.before(i*ldc+j)), k, lo, hi,
					func(t int) float64 { return float64(a[i/high*as+t*high+i%high]) * float64(b[j/NR*bs+t*NR+j%NR]) })
			})
			run(y.kernel(), ldc, Ptr(a), as, Ptr(b), bs, k, mp, np, start, Ptr(bias), lo, hi)
			twin(y.twin(), ldc, Ptr(a), as, Ptr(b), bs, k, mp, np, start, Ptr(bias), lo, hi)
		}
	}}
	for _, s := range [][3]int{{480, 480, 480}, {96, 96, 960}, {36, 27, 3840}} {
		m, depth, n := s[0], s[1], s[2]
		k.time = append(k.time, operations(fmt.Sprintf("m=%d/k=%d/n=%d", m, depth, n), 2*m*depth*n, func(data func(n int) *float32) func() {
			c, a, b := data(m*n), data(m*depth), data(depth*n)
			return func() { run(c, n, a, high*depth, b, 8*depth, depth, m/high, n/8, StartZero, nil, -inf, inf) }
		}))
	}
	return k
}

var productCases = []kernelCase{
	tiles("GemmTiles", MR, GemmTiles, gemmTilesScalar),
	tiles("GemmTall", TR, GemmTall, gemmTallScalar),
	{"GemmRow", func(c *call) {
		np, k, step := c.r.IntN(18), c.size(40), []int{1, MR, 7}[c.r.IntN(3)]
		bs := k*NR + c.r.IntN(2)*3
		a, b := c.either(Span(k, step, 1)), c.either(Span(np, bs, k*NR))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.bounds()
			bias := c.plain([]int{0, 1, np * NR, 0}[start])
			y := c.out(np * NR)
			y.keep(np*NR, np*NR, func(_, j int) (float64, float64) {
				return products(starts(start, bias, 0, j, y.before(j)), k, lo, hi,
					func(t int) float64 { return float64(a[t*step]) * float64(b[j/NR*bs+t*NR+j%NR]) })
			})
			GemmRow(y.kernel(), Ptr(a), step, Ptr(b), bs, k, np, start, Ptr(bias), lo, hi)
			gemmRowScalar(y.twin(), Ptr(a), step, Ptr(b), bs, k, np, start, Ptr(bias), lo, hi)
		}
	}, []timing{operations("k=120/n=6624", 2*120*6624, func(data func(n int) *float32) func() {
		c, a, b := data(6624), data(120), data(120*6624)
		return func() { GemmRow(c, a, 1, b, 8*120, 120, 828, StartZero, nil, -inf, inf) }
	})}},
	{"GemmCol", func(c *call) {
		mp, k, step := c.r.IntN(20), c.size(40), []int{1, NR, 7}[c.r.IntN(3)]
		as := k*MR + c.r.IntN(2)*3
		a, b := c.either(Span(mp, as, k*MR)), c.either(Span(k, step, 1))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.bounds()
			bias := c.plain([]int{0, mp * MR, 1, 0}[start])
			y := c.out(mp * MR)
			y.keep(mp*MR, mp*MR, func(_, i int) (float64, float64) {
				return products(starts(start, bias, i, 0, y.before(i)), k, lo, hi,
					func(t int) float64 { return float64(a[i/MR*as+t*MR+i%MR]) * float64(b[t*step]) })
			})
			GemmCol(y.kernel(), Ptr(a), as, Ptr(b), step, k, mp, start, Ptr(bias), lo, hi)
			gemmColScalar(y.twin(), Ptr(a), as, Ptr(b), step, k, mp, start, Ptr(bias), lo, hi)
		}
	}, []timing{operations("k=120/m=480", 2*120*480, func(data func(n int) *float32) func() {
		c, a, b := data(480), data(120*480), data(120)
		return func() { GemmCol(c, a, 4*120, b, 1, 120, 120, StartZero, nil, -inf, inf) }
	})}},
	{"PackCols", func(c *call) {
		k, np := c.size(20), c.r.IntN(6)
		ds, lds := k*NR+c.r.IntN(2)*3, np*NR+c.r.IntN(5)
		x, y := c.either(Span(k, lds, np*NR)), c.out(Span(np, ds, k*NR))
		y.keep(k*NR, ds, func(p, i int) (float64, float64) { return moved(x[i/NR*lds+p*NR+i%NR]) })
		PackCols(y.kernel(), ds, Ptr(x), lds, k, np)
		packColsScalar(y.twin(), ds, Ptr(x), lds, k, np)
	}, square(func(y, x *float32) { PackCols(y, 128*NR, x, 128, 128, 128/NR) })},
	{"PackPixels", func(c *call) {
		np, nt := c.r.IntN(5), c.size(20)
		const far = 50
		pixels := c.offsets(np*NR, far)
		for i := range pixels { // runs of neighbours that begin anywhere
			if i > 0 && c.r.IntN(9) > 0 && pixels[i-1]+1 < far {
				pixels[i] = pixels[i-1] + 1
			}
		}
		x, taps, y := c.either(2*far), c.offsets(nt, far), c.out(np*nt*NR)
		y.want = func(i int) (float64, float64) { return moved(x[taps[i/NR%nt]+pixels[i/NR/nt*NR+i%NR]]) }
		PackPixels(y.kernel(), Ptr(x), Ptr(taps), nt, Ptr(pixels), np)
		packPixelsScalar(y.twin(), Ptr(x), Ptr(taps), nt, Ptr(pixels), np)
	}, []timing{bytes("128x128", 8*128*128, func(data func(n int) *float32) func() {
		x, y, taps := data(3*128*128), data(128*128), make([]int32, 128)
		pixels := make([]int32, 128)
		for i := range pixels {
			taps[i], pixels[i] = int32(i*128), int32(i)
		}
		return func() { PackPixels(y, x, &taps[0], 128, &pixels[0], 128/NR) }
	})}},
	{"WidenHalf", func(c *call) {
		x := bits16(c)
		y := c.out(len(x) / 2)
		y.want = func(i int) (float64, float64) { return moved(half(uint16(x[2*i]) | uint16(x[2*i+1])<<8)) }
		WidenHalf(y.kernel(), Ptr(x), len(x)/2)
		widenHalfScalar(y.twin(), Ptr(x), len(x)/2)
	}, widening(2, WidenHalf)},
	{"WidenBrain", func(c *call) {
		x := bits16(c)
		y := c.out(len(x) / 2)
		y.want = func(i int) (float64, float64) {
			return moved(math.Float32frombits(uint32(x[2*i])<<16 | uint32(x[2*i+1])<<24))
		}
		WidenBrain(y.kernel(), Ptr(x), len(x)/2)
		widenBrainScalar(y.twin(), Ptr(x), len(x)/2)
	}, widening(2, WidenBrain)},
	{"WidenInt8", func(c *call) {
		x := make([]byte, c.size(100)/8*8)
		for i := range x {
			x[i] = byte(c.r.IntN(256))
		}
		y := c.out(len(x))
		y.want = func(i int) (float64, float64) { return float64(int8(x[i])), 0 }
		WidenInt8(y.kernel(), Ptr(x), len(x))
		widenInt8Scalar(y.twin(), Ptr(x), len(x))
	}, widening(1, WidenInt8)},
	{"Transpose", func(c *call) {
		rows, cols := c.size(19), c.size(19)
		ldd, lds := rows+c.r.IntN(4), cols+c.r.IntN(4)
		x, y := c.either(Span(rows, lds, cols)), c.out(Span(cols, ldd, rows))
		y.keep(rows, ldd, func(j, i int) (float64, float64) { return moved(x[i*lds+j]) })
		Transpose(y.kernel(), ldd, Ptr(x), lds, rows, cols)
		transposeScalar(y.twin(), ldd, Ptr(x), lds, rows, cols)
	}, square(func(y, x *float32) { Transpose(y, 128, x, 128, 128, 128) })},
	{"Unzip", func(c *call) {
		n := c.size(129)
		x, even, odd := c.either(2*n), c.out(n), c.out(n)
		even.want = func(i int) (float64, float64) { return moved(x[2*i]) }
		odd.want = func(i int) (float64, float64) { return moved(x[2*i+1]) }
		Unzip(even.kernel(), odd.kernel(), Ptr(x), n)
		unzipScalar(even.twin(), odd.twin(), Ptr(x), n)
	}, square(func(y, x *float32) { Unzip(y, x, x, 128*64) })},
	{"Depthwise", func(c *call) {
		p, bias := c.tapped(129, 0), []float32{0, 0.3, float32(math.NaN())}[c.r.IntN(3)]
		lo, hi := c.bounds()
		w, y := c.plain(p.nt), c.out(Span(p.rows, p.ldy, p.cols))
		y.keep(p.cols, p.ldy, func(i, j int) (float64, float64) {
			return products(bias, p.nt, lo, hi, func(t int) float64 { return float64(w[t]) * float64(p.at(i, j, t)) })
		})
		Depthwise(y.kernel(), p.ldy, Ptr(p.x), p.ldx, Ptr(p.taps), Ptr(w), p.nt, p.rows, p.cols, bias, lo, hi)
		depthwiseScalar(y.twin(), p.ldy, Ptr(p.x), p.ldx, Ptr(p.taps), Ptr(w), p.nt, p.rows, p.cols, bias, lo, hi)
	}, planeTimes([]int{40, 80, 320}, func(data func(n int) *float32, w int, taps []int32) func() {
		x, y, f := data(30*(w+8)), data(24*w), data(25)
		return func() { Depthwise(y, w, x, w+8, &taps[0], f, 25, 24, w, 0, -inf, inf) }
	})},
	{"MaxTaps", func(c *call) {
		p := c.tapped(129, 0)
		y := c.out(Span(p.rows, p.ldy, p.cols))
		y.keep(p.cols, p.ldy, func(i, j int) (float64, float64) {
			most := math.Inf(-1)
			for t := range p.nt {
				most = max(most, float64(p.at(i, j, t)))
			}
			return most, 0
		})
		MaxTaps(y.kernel(), p.ldy, Ptr(p.x), p.ldx, Ptr(p.taps), p.nt, p.rows, p.cols)
		maxTapsScalar(y.twin(), p.ldy, Ptr(p.x), p.ldx, Ptr(p.taps), p.nt, p.rows, p.cols)
	}, planeTimes([]int{40, 320}, func(data func(n int) *float32, w int, taps []int32) func() {
		x, y := data(30*(w+8)), data(24*w)
		return func() { MaxTaps(y, w, x, w+8, &taps[0], 25, 24, w) }
	})},
}

// bits16 are any bits of 16-bit numbers, a multiple of eight of them, at any address.
func bits16(c *call) []byte {
	n := c.size(100) / 8 * 8
	x := make([]byte, 2*n+1)[c.r.IntN(2):]
	c.wild = c.r.IntN(3) == 0
	for i := range n {
		bits := uint16(c.r.Uint32())
		if c.r.IntN(4) == 0 { // zeros, denormals, infinities
			bits &= []uint16{0x8000, 0x83ff, 0xfc00}[c.r.IntN(3)]
		}
		if bits&0x7c00 == 0x7c00 && !c.wild { // neither NaN nor infinite, in either type
			bits &^= 0x0400
		}
		x[2*i], x[2*i+1] = byte(bits), byte(bits>>8)
	}
	return x[:2*n]
}

// half is the value of a float16, from the definition.
func half(h uint16) float32 {
	v := 0.0
	switch exponent, fraction := int(h>>10&31), float64(h&1023)/1024; exponent {
	case 31:
		v = math.Inf(1)
		if fraction > 0 {
			v = math.NaN()
		}
	case 0:
		v = math.Ldexp(fraction, -14)
	default:
		v = math.Ldexp(1+fraction, exponent-15)
	}
	if h>>15 != 0 {
		v = -v
	}
	return float32(v)
}

func widening(size int, kernel func(y *float32, x *uint8, n int)) []timing {
	return []timing{bytes("n=4096", (4+size)*4096, func(data func(n int) *float32) func() {
		x, y := make([]byte, size*4096), data(4096)
		return func() { kernel(y, &x[0], 4096) }
	})}
}
