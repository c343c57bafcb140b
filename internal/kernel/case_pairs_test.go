package kernel

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// The cases of the kernels of elements of any type. What they read and write is bytes.

// drawn is n elements of a type, given by its number among those of ComparePairs: few
// different ones, so that there are equal ones, among them the ends of the type.
func (c *call) drawn(n, kind int) (data []byte, value func(i int) float64) {
	sizes := [...]int{4, 8, 4, 8, 1}
	size := sizes[kind]
	data = make([]byte, (n+1)*size)
	for i := range n {
		at, v := data[i*size:], c.r.IntN(7)-3
		edge := c.r.IntN(10) == 0
		switch kind {
		case 0:
			f := float32(v) / 2
			if edge {
				f = []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), float32(math.Copysign(0, -1)), 1e-42}[c.r.IntN(5)]
			}
			binary.LittleEndian.PutUint32(at, math.Float32bits(f))
		case 1:
			f := float64(v) / 2
			if edge {
				f = []float64{1e300, -1e300, 1e-310, math.Copysign(0, -1)}[c.r.IntN(4)]
			}
			binary.LittleEndian.PutUint64(at, math.Float64bits(f))
		case 2:
			if edge {
				v = []int{1<<31 - 1<<10, math.MinInt32, 1 << 16, -1 << 16}[c.r.IntN(4)]
			}
			binary.LittleEndian.PutUint32(at, uint32(v))
		case 3:
			if edge {
				v = []int{1 << 52, -1 << 52, 1 << 32, -1 << 32}[c.r.IntN(4)]
			}
			binary.LittleEndian.PutUint64(at, uint64(v))
		default:
			at[0] = uint8(max(v, 0))
			if edge {
				at[0] = uint8(c.r.IntN(256))
			}
		}
	}
	return data, func(i int) float64 { return valueOf(data[i*size:], kind) }
}

func valueOf(b []byte, kind int) float64 {
	switch kind {
	case 0:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case 1:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case 2:
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case 3:
		return float64(int64(binary.LittleEndian.Uint64(b)))
	}
	return float64(b[0])
}

// put returns the memory of a result of n elements of so many bytes, which holds before, and
// asks of the twin's that check holds for each element.
func (c *call) put(n, size int, check func(twin []byte, i int) bool) (kernel, twin []byte) {
	o := c.out((n*size + 3) / 4)
	kernel, twin = bytesAt(o.k.S), bytesAt(o.t.S)
	before := append([]byte(nil), twin...)
	o.want = func(at int) (float64, float64) {
		for e := 4 * at / size; e < min(n, (4*at+3)/size+1); e++ {
			if !check(twin, e) {
				return math.Inf(1), 0
			}
		}
		for e := n * size; e < len(twin); e++ {
			if twin[e] != before[e] {
				return math.Inf(1), 0
			}
		}
		return float64(o.t.S[at]), 0
	}
	return kernel, twin
}

func bytesAt(s []float32) []byte {
	if len(s) == 0 {
		return make([]byte, 1)
	}
	return elements[byte]((*uint8)(unsafe.Pointer(&s[0])), 4*len(s))
}

var comparisons = []func(a, b float64) bool{
	func(a, b float64) bool { return a == b }, func(a, b float64) bool { return a < b }, func(a, b float64) bool { return a <= b },
}

var byteComparisons = []func(a, b float64) bool{
	func(a, b float64) bool { return a == b },
	func(a, b float64) bool { return a != 0 && b != 0 },
	func(a, b float64) bool { return a != 0 || b != 0 },
	func(a, b float64) bool { return (a != 0) != (b != 0) },
	func(a, b float64) bool { return (a != 0) == (b != 0) },
}

func wrapped(v float64, kind int) float64 {
	if kind == 2 {
		return float64(int32(int64(v)))
	}
	return v
}

var combinations = []func(a, b float64) float64{
	func(a, b float64) float64 { return a + b }, func(a, b float64) float64 { return a - b }, func(a, b float64) float64 { return a * b },
	math.Max, math.Min, func(a, b float64) float64 { return a / b },
	func(a, b float64) float64 {
		if a < 0 {
			return float64(float32(a * b))
		}
		return a
	},
}

func pairTimes(size int, run func(y, a, b *uint8, n int)) []timing {
	return []timing{bytes("n=16384", (2*size+1)*elementCount, func(data func(n int) *float32) func() {
		all := func() *uint8 { return &bytesAt(slice(data(size*elementCount/4), size*elementCount/4))[0] }
		y, a, b := all(), all(), all()
		return func() { run(y, a, b, elementCount) }
	})}
}

var pairCases = []kernelCase{
	{"ComparePairs", func(c *call) {
		n, how := c.size(530), c.r.IntN(CompareSame+1)
		kind, f := how/3, comparisons[how%3]
		if how >= CompareBytes {
			kind, f = 4, byteComparisons[how-CompareBytes]
		}
		a, x := c.drawn(n, kind)
		b, z := c.drawn(n, kind)
		k, t := c.put(n, 1, func(twin []byte, i int) bool { return twin[i] == bit(f(x(i), z(i))) })
		ComparePairs(&k[0], &a[0], &b[0], n, how)
		comparePairsScalar(&t[0], &a[0], &b[0], n, how)
	}, pairTimes(4, func(y, a, b *uint8, n int) { ComparePairs(y, a, b, n, CompareFloat32+CompareLess) })},
	{"CombinePairs", func(c *call) {
		n, kinds := c.size(530), [][3]int{{2, CombineInt32, 5}, {3, CombineInt64, 5}, {1, CombineFloat64, 6}, {0, CombineLeaky, 1}}
		k := kinds[c.r.IntN(4)]
		op := c.r.IntN(k[2])
		f := combinations[op]
		if k[0] == 0 {
			f = combinations[6]
		}
		a, x := c.drawn(n, k[0])
		b, z := c.drawn(n, k[0])
		size := []int{4, 8, 4, 8}[k[0]]
		c.wild = k[0] == 1 && op >= CombineMul // no oracle where both halves of a float64 may be NaNs of float32
		kernel, twin := c.put(n, size, func(twin []byte, i int) bool {
			v, w := valueOf(twin[i*size:], k[0]), wrapped(f(x(i), z(i)), k[0])
			return v == w || v != v && w != w || k[0] == 3 && math.Abs(w) > 1<<53
		})
		l, r := &a[0], &b[0]
		switch c.r.IntN(3) { // in place of an operand
		case 0:
			copy(kernel, a[:n*size])
			copy(twin, a[:n*size])
			CombinePairs(&kernel[0], &kernel[0], r, n, k[1]+op)
			combinePairsScalar(&twin[0], &twin[0], r, n, k[1]+op)
			return
		case 1:
			copy(kernel, b[:n*size])
			copy(twin, b[:n*size])
			CombinePairs(&kernel[0], l, &kernel[0], n, k[1]+op)
			combinePairsScalar(&twin[0], l, &twin[0], n, k[1]+op)
			return
		}
		CombinePairs(&kernel[0], l, r, n, k[1]+op)
		combinePairsScalar(&twin[0], l, r, n, k[1]+op)
	}, pairTimes(4, func(y, a, b *uint8, n int) { CombinePairs(y, a, b, n, CombineInt32+CombineMul) })},
	{"Choose", func(c *call) {
		n, kind := c.size(530), []int{2, 3, 4}[c.r.IntN(3)]
		size := []int{0, 0, 4, 8, 1}[kind]
		m, condition := c.drawn(n, 4)
		a, x := c.drawn(n, kind)
		b, z := c.drawn(n, kind)
		k, t := c.put(n, size, func(twin []byte, i int) bool {
			want := z(i)
			if condition(i) != 0 {
				want = x(i)
			}
			return valueOf(twin[i*size:], kind) == want
		})
		Choose(&k[0], &m[0], &a[0], &b[0], n, size)
		chooseScalar(&t[0], &m[0], &a[0], &b[0], n, size)
	}, pairTimes(4, func(y, a, b *uint8, n int) { Choose(y, a, a, b, n, 4) })},
	{"CopyGrid", func(c *call) {
		rows, cols, kind := c.r.IntN(5), c.size(40), []int{2, 3, 4}[c.r.IntN(3)]
		size := []int{0, 0, 4, 8, 1}[kind]
		rc := 1 + c.r.IntN(3) // the source's steps, or a transposed one
		sr, sc := cols*rc, rc
		if c.r.IntN(2) == 0 {
			sr, sc = 1, rows
		}
		a, x := c.drawn(max(rows*cols*rc, 1), kind)
		k, t := c.put(rows*cols, size, func(twin []byte, i int) bool {
			return valueOf(twin[i*size:], kind) == x(i/cols*sr+i%cols*sc)
		})
		CopyGrid(&k[0], &a[0], rows, cols, cols*size, size, sr*size, sc*size, size)
		copyGridScalar(&t[0], &a[0], rows, cols, cols*size, size, sr*size, sc*size, size)
	}, pairTimes(4, func(y, a, _ *uint8, n int) { CopyGrid(y, a, n/128, 128, 512, 4, 4, n/32, 4) })},
	{"Convert", func(c *call) {
		n, how := c.size(530), c.r.IntN(ConvertWhole+1)
		k := [][3]int{{0, 4, 2}, {2, 4, 0}, {2, 8, 3}, {3, 4, 2}, {4, 4, 2}, {4, 4, 2}, {2, 1, 4}, {0, 8, 1}, {1, 4, 0}, {3, 4, 0}}[how]
		a, x := c.drawn(n, k[0])
		done := n
		kernel, twin := c.put(n, k[1], func(twin []byte, i int) bool {
			want := x(i)
			switch {
			case i >= done:
				return true
			case how == ConvertTrunc && want != want:
				want = 0
			case how == ConvertTrunc:
				want = math.Trunc(want)
			case how == ConvertShort:
				want = float64(int32(int64(want)))
			case how == ConvertInt8:
				want = float64(int8(want))
			case how == ConvertByte:
				want = float64(uint8(int64(want)))
			case how == ConvertFloat || how == ConvertSingle || how == ConvertWhole:
				want = float64(float32(want))
			}
			v := valueOf(twin[i*k[1]:], k[2])
			return v == want || v != v && want != want
		})
		done = convertScalar(&twin[0], &a[0], n, how)
		c.same(Convert(&kernel[0], &a[0], n, how), done)
	}, pairTimes(4, func(y, a, _ *uint8, n int) { Convert(y, a, n, ConvertTrunc) })},
	{"NarrowHalf", func(c *call) {
		n := c.size(530) / 8 * 8
		x := append([]float32(nil), c.either(n)...)
		for i := range x {
			x[i] = float32(math.Ldexp(float64(x[i]), c.r.IntN(50)-30))
			if i%7 == 0 { // halfway between two
				x[i] = math.Float32frombits(math.Float32bits(x[i])&^0xfff | 0x1000)
			}
		}
		k, t := c.put(n, 2, func(twin []byte, i int) bool {
			v := float64(x[i])
			_, exponent := math.Frexp(v)
			step := math.Ldexp(1, max(exponent-11, -24))
			want := math.RoundToEven(v/step) * step
			if math.Abs(want) > 65504 {
				want = math.Inf(int(want))
			}
			return float64(half(uint16(twin[2*i])|uint16(twin[2*i+1])<<8)) == want
		})
		NarrowHalf(&k[0], Ptr(x), n)
		narrowHalfScalar(&t[0], Ptr(x), n)
	}, elementTimes(func(y, x *float32) { NarrowHalf(&bytesAt(slice(y, elementCount))[0], x, elementCount) })},
	{"ArgRows", func(c *call) {
		n, low := c.size(130), c.r.IntN(2)
		x, best := c.either(n), c.out(n)
		if n > 0 && c.r.IntN(2) == 0 {
			best.k.S[n/2], best.t.S[n/2] = float32(math.NaN()), float32(math.NaN())
		}
		before := append([]float32(nil), best.t.S...)
		k, t := c.put(n, 4, func(twin []byte, i int) bool {
			better := x[i] > before[i] || x[i] != x[i] && before[i] == before[i]
			if low != 0 {
				better = x[i] < before[i] || x[i] != x[i] && before[i] == before[i]
			}
			return better == (valueOf(twin[4*i:], 2) == 77)
		})
		ArgRows(best.kernel(), elements4(k), Ptr(x), n, 77, low)
		argRowsScalar(best.twin(), elements4(t), Ptr(x), n, 77, low)
	}, elementTimes(func(y, x *float32) { ArgRows(y, elements4(bytesAt(slice(y, 1))), x, elementCount, 1, 0) })},
	{"PowN", func(c *call) {
		n := c.size(130)
		special := []float32{0, 1, -1, 2, -2, 3, 0.5, -0.5, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-42, 1e38, 1 << 24, 1.5}
		draw := func() []float32 {
			x := append([]float32(nil), c.plain(n)...)
			if c.round == 0 {
				n = len(special) * len(special)
				x = make([]float32, n)
			}
			return x
		}
		a, b := draw(), draw()
		for i := range a {
			switch {
			case c.round == 0:
				a[i], b[i] = special[i%len(special)], special[i/len(special)]
			case c.round%2 == 0:
				a[i] = AbsOf(a[i])
			}
		}
		if c.round > 0 {
			for i := range b {
				b[i] *= 10
				if i%3 == 0 {
					b[i] = float32(math.RoundToEven(float64(b[i])))
				}
			}
		}
		y := c.over(a)
		PowN(y.kernel(), y.kernel(), Ptr(b), n)
		powNScalar(y.twin(), y.twin(), Ptr(b), n)
		y.want = func(i int) (float64, float64) {
			v := math.Pow(float64(a[i]), float64(b[i]))
			if math.Abs(v) > math.MaxFloat32 {
				v = math.Copysign(math.Inf(1), v)
			}
			return v, 0x1p-24*1.01*math.Abs(v) + 0x1p-150
		}
	}, elementTimes(func(y, x *float32) { PowN(y, x, x, elementCount) })},
	{"DividePairs", func(c *call) {
		n, how, kind, size := c.size(70), c.r.IntN(6), 2, 4
		if how >= DivideInt64 {
			kind, size = 3, 8
		}
		a, x := c.drawn(n, kind)
		b, z := c.drawn(n, kind)
		k, t := c.put(n, size, func(twin []byte, i int) bool {
			v, w := int64(x(i)), int64(z(i))
			want := int64(0)
			switch {
			case w == 0:
			case how%3 == DivideQuotient:
				want = int64(wrapped(math.Trunc(float64(v)/float64(w)), kind))
			default:
				if want = v % w; how%3 == DivideModulo && want != 0 && want < 0 != (w < 0) {
					want += w
				}
			}
			return valueOf(twin[i*size:], kind) == float64(want)
		})
		DividePairs(&k[0], &a[0], &b[0], n, how)
		dividePairsScalar(&t[0], &a[0], &b[0], n, how)
	}, pairTimes(4, func(y, a, b *uint8, n int) { DividePairs(y, a, b, n, DivideQuotient) })},
	{"SinN", func(c *call) {
		n, quarters := c.size(130), c.r.IntN(2)
		x := append([]float32(nil), c.either(n)...)
		for i := range x {
			x[i] *= []float32{1, 10, 1000, 100000}[i%4]
		}
		y := c.over(x)
		done := sinNScalar(y.twin(), y.twin(), n, quarters)
		c.same(SinN(y.kernel(), y.kernel(), n, quarters), done)
		y.want = func(i int) (float64, float64) {
			if i >= done {
				return float64(x[i]), 0
			}
			v := math.Sin(float64(x[i]))
			if quarters == 1 {
				v = math.Cos(float64(x[i]))
			}
			return v, 0x1p-24*1.01*math.Abs(v) + 1e-12
		}
	}, elementTimes(func(y, x *float32) { SinN(y, x, elementCount, 0) })},
	{"FindLarger", func(c *call) {
		n := c.size(70)
		a, x := c.drawn(n, 3)
		list, limit := &elements[int64](&a[0], 1)[0], 2
		if c.r.IntN(2) == 0 {
			limit = math.MinInt64
			for i := range n {
				limit = max(limit, int(x(i)))
			}
			limit--
		}
		c.same(FindLarger(list, n, limit), findLargerScalar(list, n, limit))
		o := c.out64(1)
		*o.kernel() = float64(FindLarger(list, n, limit))
		*o.twin() = float64(findLargerScalar(list, n, limit))
		o.want = func(int) (float64, float64) {
			for i := range n {
				if x(i) > float64(limit) {
					return float64(i), 0
				}
			}
			return float64(n), 0
		}
	}, elementTimes(func(_, x *float32) {
		list := elements[int64]((*uint8)(unsafe.Pointer(x)), elementCount/2)
		FindLarger(&list[0], len(list), math.MaxInt64)
	})},
	{"PickAlong", func(c *call) {
		n, width, size, limit, put := c.some(70), 4*(1+c.r.IntN(2)), 4*(1+c.r.IntN(2)), 1+c.r.IntN(9), c.r.IntN(2)
		unit, first, step := size*(1+c.r.IntN(3)), size*c.r.IntN(3), size*c.r.IntN(2)
		indices := make([]byte, n*width)
		done := n
		if c.r.IntN(2) == 0 {
			done = c.r.IntN(n)
		}
		place := func(i int) int {
			return (int(valueOf(indices[i*width:], 1+width/4))+limit)%limit*unit + first + i*step
		}
		for i := range n {
			v := c.r.IntN(2*limit) - limit
			if i == done {
				v = []int{limit, -limit - 1, math.MaxInt32, math.MinInt32}[c.r.IntN(4)]
			}
			if at := indices[i*width:]; width == 4 {
				binary.LittleEndian.PutUint32(at, uint32(v))
			} else {
				binary.LittleEndian.PutUint64(at, uint64(v))
			}
		}
		count := (limit*unit+first+n*step)/size + 1 // of elements in the rows
		kind := 1 + size/4
		if put == 0 {
			rows, x := c.drawn(count, kind)
			var before []byte
			k, t := c.put(n, size, func(twin []byte, i int) bool {
				if i >= done {
					return valueOf(twin[i*size:], kind) == valueOf(before[i*size:], kind)
				}
				return valueOf(twin[i*size:], kind) == x(place(i)/size)
			})
			before = append(before, t...)
			c.same(PickAlong(&rows[0], &k[0], &indices[0], n, width, size, limit, unit, first, step, put), done)
			c.same(pickAlongScalar(&rows[0], &t[0], &indices[0], n, width, size, limit, unit, first, step, put), done)
			return
		}
		list, x := c.drawn(n, kind)
		latest := map[int]int{}
		for i := range done {
			latest[place(i)] = i
		}
		var before []byte
		k, t := c.put(count, size, func(twin []byte, i int) bool {
			if j, ok := latest[i*size]; ok {
				return valueOf(twin[i*size:], kind) == x(j)
			}
			return valueOf(twin[i*size:], kind) == valueOf(before[i*size:], kind)
		})
		before = append(before, t...)
		c.same(PickAlong(&k[0], &list[0], &indices[0], n, width, size, limit, unit, first, step, put), done)
		c.same(pickAlongScalar(&t[0], &list[0], &indices[0], n, width, size, limit, unit, first, step, put), done)
	}, elementTimes(func(y, x *float32) {
		list := elements[int64]((*uint8)(unsafe.Pointer(x)), elementCount/2)
		clear(list)
		PickAlong((*uint8)(unsafe.Pointer(x)), (*uint8)(unsafe.Pointer(y)), (*uint8)(unsafe.Pointer(x)), elementCount/2, 8, 4, 9, 4, 0, 4, 0)
	})},
	{"Places", func(c *call) {
		n, size, stride, limit := c.some(70), 4*(1+c.r.IntN(2)), 1+c.r.IntN(3), 1+c.r.IntN(9)
		unit, first, step := c.r.IntN(50), c.r.IntN(50), c.r.IntN(9)
		data := make([]byte, ((n-1)*stride+1)*size)
		far := -1
		if c.r.IntN(2) == 0 {
			far = c.r.IntN(n)
		}
		value := func(i int) int { return int(valueOf(data[i*stride*size:], 1+size/4)) }
		for i := range n {
			v := c.r.IntN(2*limit) - limit
			if i == far {
				v = []int{limit, -limit - 1, math.MaxInt32, math.MinInt32}[c.r.IntN(4)]
			}
			if at := data[i*stride*size:]; size == 4 {
				binary.LittleEndian.PutUint32(at, uint32(v))
			} else {
				binary.LittleEndian.PutUint64(at, uint64(v))
			}
		}
		done := n
		if far >= 0 {
			done = far
		}
		k, t := c.put(n, 8, func(twin []byte, i int) bool {
			want := i
			if i < done {
				want += (value(i)+limit)%limit*unit + first + i*step
			}
			return valueOf(twin[8*i:], 3) == float64(want)
		})
		kernel, twin := elements[int64](&k[0], n), elements[int64](&t[0], n)
		for i := range n {
			kernel[i], twin[i] = int64(i), int64(i)
		}
		c.same(Places(&kernel[0], &data[0], n, size, stride, limit, unit, first, step), done)
		c.same(placesScalar(&twin[0], &data[0], n, size, stride, limit, unit, first, step), done)
	}, elementTimes(func(y, x *float32) {
		list := elements[int64]((*uint8)(unsafe.Pointer(x)), elementCount/2)
		clear(list)
		Places(&elements[int64]((*uint8)(unsafe.Pointer(y)), 1)[0], (*uint8)(unsafe.Pointer(x)), elementCount/2, 8, 1, 9, 4, 0, 0)
	})},
	inverseCase("AreaN", AreaN, areaNScalar, []func(float64) float64{math.Asinh, math.Acosh, math.Atanh}),
	inverseCase("HyperbolicN", HyperbolicN, hyperbolicNScalar, []func(float64) float64{math.Sinh, math.Cosh}),
	inverseCase("ArcN", ArcN, arcNScalar, []func(float64) float64{math.Asin, math.Acos, math.Atan}),
	{"TanN", func(c *call) {
		n := c.size(130)
		x := append([]float32(nil), c.either(n)...)
		for i := range x {
			x[i] *= []float32{1, 10, 1000, 100000}[i%4]
			if i%5 == 0 { // next to a multiple of half a turn
				x[i] = float32(math.RoundToEven(float64(x[i])) * (math.Pi / 4))
			}
		}
		y := c.over(x)
		done := tanNScalar(y.twin(), y.twin(), n)
		c.same(TanN(y.kernel(), y.kernel(), n), done)
		y.want = func(i int) (float64, float64) {
			if i >= done {
				return float64(x[i]), 0
			}
			v := math.Tan(float64(x[i]))
			return v, 0x1p-24*1.01*math.Abs(v) + 0x1p-150
		}
	}, elementTimes(func(y, x *float32) { TanN(y, x, elementCount) })},
	{"FindBeyond", func(c *call) {
		n, how := c.size(530), c.r.IntN(3)
		x := c.either(n)
		limit := float32(4)
		if how == FindBelow {
			limit = -4
		}
		if how == FindEqual && n > 0 {
			limit = x[c.r.IntN(n)]
		}
		c.same(FindBeyond(Ptr(x), n, limit, how), findBeyondScalar(Ptr(x), n, limit, how))
		o := c.out64(1)
		*o.kernel() = float64(FindBeyond(Ptr(x), n, limit, how))
		*o.twin() = float64(findBeyondScalar(Ptr(x), n, limit, how))
		o.want = func(int) (float64, float64) {
			for i, v := range x {
				if how == FindAbove && v > limit || how == FindBelow && v < limit || how == FindEqual && v == limit {
					return float64(i), 0
				}
			}
			return float64(n), 0
		}
	}, elementTimes(func(_, x *float32) { FindBeyond(x, elementCount, 1e9, FindAbove) })},
}

func elements4(b []byte) *int32 { return &elements[int32](&b[0], 1)[0] }

// inverseCase is a kernel of functions that are right but for their one rounding.
func inverseCase(name string, kernel, twin func(y, x *float32, n, how int), list []func(float64) float64) kernelCase {
	k := unary(name, nil, nil, nil, 0, 0)
	k.call = func(c *call) {
		how := c.r.IntN(len(list))
		k, t := func(y, x *float32, n int) { kernel(y, x, n, how) }, func(y, x *float32, n int) { twin(y, x, n, how) }
		if c.round%3 != 2 {
			unary(name, k, t, list[how], 0.505, 0).call(c)
			return
		}
		// From 0 to 2, and as close to 0 and to 1 as numbers are.
		x := c.over(c.plain(c.size(130)))
		for i := range x.t.S {
			v := c.r.Float64() * 2
			switch i % 4 {
			case 0:
				v = math.Exp2(-30 * v)
			case 1:
				v = 1 - math.Exp2(-15*v)
			case 2:
				v = 1 + math.Exp2(-15*v)
			}
			if c.r.IntN(2) == 0 {
				v = -v
			}
			x.t.S[i], x.k.S[i] = float32(v), float32(v)
		}
		before := append([]float32(nil), x.t.S...)
		kernel(x.kernel(), x.kernel(), len(before), how)
		twin(x.twin(), x.twin(), len(before), how)
		x.want = func(i int) (float64, float64) {
			v := list[how](float64(before[i]))
			return v, 0.505 * 0x1p-23 * math.Abs(v)
		}
	}
	k.time = elementTimes(func(y, x *float32) { kernel(y, x, elementCount, 0) })
	return k
}
