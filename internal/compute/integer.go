package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// Bytes is a right operand of int8 or uint8, laid out for the kernels: panels of 8 columns
// with the rows in pairs, or in fours. uint8 are less by 128 there, and so are their zero points.
type Bytes struct {
	layout
	k, n   int
	panels []int8  // [n/8][k/deep][8][deep]
	zeros  []int32 // the columns' zero points
	totals []int32 // the sums of the columns less their zero points, where the rows are in fours
	own    int     // bytes of memory
}

// layout is that of both operands.
type layout struct {
	deep int // elements of k that lie together, of one row or column
	high int // rows in a panel of the left operand
}

var (
	inPairs = layout{2, kernel.MR} // int16 on the left
	inFours = layout{4, kernel.QR} // bytes
)

// steps is how many times deep elements k take; those that are added count nothing.
//
//go:noinline
func (l layout) steps(k int) int { return (k + l.deep - 1) / l.deep }

// What dots of bytes, of which relaxed SIMD leaves open what they are, are in this engine.
const (
	noDots = iota // they may saturate or overflow
	dotsOfUint8
	dotsOfInt8 // in place of uint8
)

var dots = probe()

// probe multiplies what is at the ends, and has to find one of the two everywhere. Another
// engine is one without the instruction: it multiplies int16, which gives the same sums.
func probe() int {
	left := [4 * kernel.QR]uint8{255, 255, 255, 255, 128, 128, 128, 128, 127, 127, 127, 127, 255, 0, 128, 1, 1, 127, 254, 3}
	right := [4 * kernel.NR]int8{-128, -128, -128, -128, 127, 127, 127, 127, -128, 127, -128, 127, 127, 127, -128, -128, 1, -1, 2, -2, 100, 100}
	var sums [kernel.QR * kernel.NR]int32
	var zeros [kernel.NR]int32
	kernel.DotQuads(&sums[0], kernel.NR, &left[0], &right[0], 1, 1, 1, &zeros[0], &zeros[0], &zeros[0])
	are := func(byte func(uint8) int32) bool {
		for i, sum := range sums {
			for t := range 4 {
				sum -= byte(left[i/kernel.NR*4+t]) * int32(right[i%kernel.NR*4+t])
			}
			if sum != 0 {
				return false
			}
		}
		return true
	}
	switch {
	case are(func(v uint8) int32 { return int32(v) }):
		return dotsOfUint8
	case are(func(v uint8) int32 { return int32(int8(v)) }):
		return dotsOfInt8
	}
	return noDots
}

// layoutOf is that of products: with dots of bytes, if they are good for it.
//
//go:noinline
func layoutOf() layout {
	if dots == noDots {
		return inPairs
	}
	return inFours
}

// Octets says how the elements of an operand of bytes are to be read.
type Octets struct {
	Data   []byte
	Signed bool
}

// flip is what an exclusive or makes int8 of the elements, and what it takes from them.
//
//go:noinline
func (o Octets) flip() int {
	if o.Signed {
		return 0
	}
	return 128
}

// BytesSize is how many bytes of memory a right operand has when it is laid out.
func BytesSize(k, n int) int { return layoutOf().size(k, n) }

func (l layout) size(k, n int) int {
	cols := kernel.RoundUp(n, kernel.NR)
	return kernel.RoundUp(l.deep*l.steps(k)*cols, slab.Align) + 2*l.deep*cols
}

// PackBytes lays out a right operand [k, n], or [n, k] where trans says so. zeros is its zero
// points, by column, or one, or none; they are given as the elements are. memory has
// BytesSize bytes, or is nil.
func PackBytes(b Octets, k, n int, trans bool, zeros []int32, memory []byte) Bytes {
	return layoutOf().pack(b, k, n, trans, zeros, memory)
}

func (l layout) pack(b Octets, k, n int, trans bool, zeros []int32, memory []byte) Bytes {
	p := Bytes{layout: l, k: k, n: n}
	if memory == nil {
		memory = slab.New(l.size(k, n))
		p.own = len(memory)
	}
	cols, kp := kernel.RoundUp(n, kernel.NR), l.steps(k)*l.deep
	p.panels = slab.View[int8](memory[:kp*cols])
	p.zeros = slab.View[int32](memory[kernel.RoundUp(len(p.panels), slab.Align):][:2*l.deep*cols])
	if l == inFours {
		p.totals = p.zeros[cols:]
		clear(p.totals)
	}
	p.zeros = p.zeros[:cols]
	flip := uint8(b.flip())
	for j := range p.zeros {
		p.zeros[j] = 0
		if j < n {
			p.zeros[j] = int32(zeroOf(zeros, j)) - int32(flip)
		}
	}
	wide := l.deep * kernel.NR
	for j := 0; j < n; j += kernel.NR {
		panel, width := p.panels[kp*j:][:kernel.NR*kp], min(n-j, kernel.NR)
		clear(panel)
		for t := range k {
			row := panel[t/l.deep*wide+t%l.deep:]
			for c := range width {
				at := t*n + j + c
				if trans {
					at = (j+c)*k + t
				}
				v := int8(b.Data[at] ^ flip)
				row[l.deep*c] = v
				if l == inFours {
					p.totals[j+c] += int32(v) - p.zeros[j+c]
				}
			}
		}
		for t := k; t < kp; t++ { // the zero point in rows that are added, whatever the left operand has there
			row := panel[t/l.deep*wide+t%l.deep:]
			for c := range width {
				row[l.deep*c] = int8(p.zeros[j+c])
			}
		}
	}
	return p
}

func zeroOf(zeros []int32, i int) int {
	switch {
	case len(zeros) == 1:
		return int(zeros[0])
	case len(zeros) > 1:
		return int(zeros[i])
	}
	return 0
}

// Bytes is how much memory the operand takes beside the weights that it was made from.
func (b *Bytes) Bytes() int { return b.own }

// plain says whether no column has a zero point.
func (b *Bytes) plain() bool {
	for _, z := range b.zeros {
		if z != 0 {
			return false
		}
	}
	return true
}

// The blocks of a product of integers: rows of the left operand as they are multiplied, and
// the sums that they give, stay in the second-level cache.
const (
	leftBytes = 96 << 10
	sumsBytes = 256 << 10
)

// rows is how many rows are multiplied at a time.
func (l layout) rows(m, n, k int) int {
	rows := min(leftBytes/(4*l.steps(k)+1), sumsBytes/(4*kernel.RoundUp(n, kernel.NR)+1)) / l.high * l.high
	return min(max(rows, l.high), kernel.RoundUp(m, l.high))
}

// IntegerScratch is the bytes of scratch that MultiplyBytes wants for m rows, which are of
// numbers or of bytes.
func IntegerScratch(m, n, k int, floats bool) int { return layoutOf().scratch(m, n, k, floats) }

func (l layout) scratch(m, n, k int, floats bool) int {
	size, most := l.whole(m, n, k), threads.MostParts(m/partRows)
	if most == 1 || n == 0 {
		return size
	}
	divided := most*l.blockSize(l.partBlock(m, most, n, k), n, k) + rowsOf(kernel.RoundUp(n, kernel.NR), 1) + 2*slab.Align
	if !floats {
		divided += rowsOf(kernel.RoundUp(m, l.high), l.steps(k)) + rowsOf(l.high, l.steps(k))
	}
	return max(size, divided)
}

// whole is the scratch of a product that is not divided.
func (l layout) whole(m, n, k int) int {
	if m*n == 0 {
		return 0
	}
	return l.blockSize(l.rows(m, n, k), n, k) + rowsOf(kernel.RoundUp(n, kernel.NR), 1) + 2*slab.Align
}

// blockSize is the bytes that a block of rows takes.
func (l layout) blockSize(rows, n, k int) int {
	return rowsOf(rows, l.steps(k)) + rowsOf(rows, kernel.RoundUp(n, kernel.NR)) + rowsOf(rows, 1) + rowsOf(l.high, l.steps(k))
}

// partBlock is how many rows are multiplied at a time where m are divided into so many parts.
func (l layout) partBlock(m, parts, n, k int) int {
	return min(l.rows(m, n, k), kernel.RoundUp((m+parts-1)/parts, l.high))
}

const (
	// partRows is how many rows a part should have: each reads the whole right operand.
	partRows = 24
	// byteProducts is how many products of bytes a thread computes in a nanosecond.
	byteProducts = 36
)

// rowsOf is the bytes of rows of n elements of 4 bytes, or pairs of 2.
//
//go:noinline
func rowsOf(rows, n int) int { return kernel.RoundUp(4*rows*n, slab.Align) }

// Left is the left operand of a product: rows of bytes, Ld apart, less zero points, or rows
// of numbers that are put on a grid.
type Left struct {
	Octets
	Ld     int
	Trans  bool      // Octets has columns
	Zeros  []int32   // by row, or one, or none; as the elements are
	Floats []float32 // in place of Octets
	Grid   Grid
	taps   func(panels []byte, from, rows int) // in place of both: writes panels, with Grid's zero point

	// Divide says that done, too, does nothing with sums but to give them to kernels, and may be
	// called for several blocks at the same time.
	Divide bool
}

// divides says whether only kernels touch the data, once bytes are laid out.
func (a *Left) divides() bool { return a.Divide && a.taps == nil && len(a.Zeros) <= 1 }

// zero is the zero point of a row.
func (a *Left) zero(i int) int {
	if a.Floats != nil || a.taps != nil {
		return a.Grid.Zero
	}
	return zeroOf(a.Zeros, i)
}

// shorts writes a row less its zero point.
func (a *Left) shorts(dst []int16, i int) {
	flip, k := a.flip(), len(dst)
	zero := a.zero(i) - flip
	switch {
	case a.Floats != nil:
		lo, hi := a.Grid.bounds()
		kernel.QuantizeShort(kernel.Ptr(dst), kernel.Ptr(a.Floats[i*k:]), k, a.Grid.Scale, lo, hi)
	case a.Trans:
		for t := range dst {
			dst[t] = int16(int8(a.Data[t*a.Ld+i]^uint8(flip))) - int16(zero)
		}
	default:
		kernel.WidenBytes(kernel.Ptr(dst), kernel.Ptr(a.Data[i*a.Ld:]), k, flip, zero)
	}
}

// bytes writes a row for dots of bytes. It is more by shift than the row is.
func (a *Left) bytes(dst []byte, i int) {
	k, shift := len(dst), a.shift()
	switch {
	case a.Floats != nil:
		lo, hi := a.Grid.bounds()
		kernel.QuantizeBytes(kernel.Ptr(dst), kernel.Ptr(a.Floats[i*k:]), k, a.Grid.Scale, lo, hi, a.Grid.Zero+shift)
	case a.Trans:
		for t := range dst {
			dst[t] = a.Data[t*a.Ld+i] + byte(shift)
		}
	default:
		copy(dst, a.Data[i*a.Ld:])
		if shift != 0 {
			flipBytes(dst)
		}
	}
}

// flipBytes adds 128 to bytes, or takes it from them. They begin where words may.
func flipBytes(b []byte) {
	words := slab.View[uint32](b[:len(b)&^3])
	for t := range words {
		words[t] ^= 0x80808080
	}
	for t := len(words) * 4; t < len(b); t++ {
		b[t] ^= 128
	}
}

// shift is by how much the elements are more as dots of bytes take them: 128 makes uint8 of
// int8, and −128 the other way round.
func (a *Left) shift() int {
	switch signed := a.Floats == nil && a.Signed; {
	case signed && dots == dotsOfUint8:
		return 128
	case !signed && dots == dotsOfInt8:
		return -128
	}
	return 0
}

// pack lays out rows of k elements in panels; where not, one row in room.
func (a *Left) pack(l layout, panels, room []byte, from, rows, k int, inPanels bool) {
	steps := l.steps(k)
	for i := 0; i < rows; i += l.high {
		panel, n := panels[4*i*steps:][:4*l.high*steps], min(rows-i, l.high)
		if n < l.high {
			clear(panel)
		}
		for r := range n {
			dst := room[4*r*steps:][:4*steps]
			clear(dst[4*max(steps-1, 0):])
			if l == inFours {
				a.bytes(dst[:k], from+i+r)
			} else {
				a.shorts(slab.View[int16](dst)[:k], from+i+r)
			}
		}
		if inPanels {
			// A pair of int16, or four bytes, move as the 32 bits that they are.
			kernel.Transpose(kernel.Ptr(slab.View[float32](panel)), l.high, kernel.Ptr(slab.View[float32](room)), steps, n, steps)
		}
	}
}

// MultiplyBytes multiplies m rows by b. For each block of rows it calls done with their sums,
// ld apart, which done may overwrite.
func MultiplyBytes(m int, b *Bytes, left *Left, scratch []byte, done func(sums []int32, ld, from, rows int)) {
	if m == 0 || b.n == 0 {
		return
	}
	r := byteRun{b: b, left: left, ld: kernel.RoundUp(b.n, kernel.NR), single: m == 1 && left.taps == nil, plain: b.plain(), done: done}
	r.start = slab.View[int32](scratch[:rowsOf(r.ld, 1)])
	scratch = scratch[rowsOf(r.ld, 1):]
	if b.layout == inFours {
		zero := int32(left.zero(0) + left.shift())
		for j, t := range b.totals {
			r.start[j] = -zero * t
		}
	}
	parts := 1
	if left.divides() {
		parts = threads.Parts(m/partRows, m*r.ld*b.k/byteProducts)
	}
	if parts == 1 {
		r.rows(0, m, b.layout.rows(m, b.n, b.k), nil, scratch)
		return
	}
	var packed []byte // all rows
	if left.Floats == nil {
		steps := b.steps(b.k)
		n := rowsOf(kernel.RoundUp(m, b.layout.high), steps)
		packed = scratch[:n]
		left.pack(b.layout, packed, scratch[n:], 0, m, b.k, true)
		scratch = scratch[n+rowsOf(b.layout.high, steps):]
	}
	block := b.layout.partBlock(m, threads.MostParts(m/partRows), b.n, b.k)
	size, units := b.layout.blockSize(block, b.n, b.k), (m+b.layout.high-1)/b.layout.high
	threads.For(parts, func(part int) {
		from, to := threads.Range(units, parts, part)
		r.rows(from*b.layout.high, min(to*b.layout.high, m), block, packed, scratch[part*size:][:size])
	})
}

// byteRun is a product of bytes under way.
type byteRun struct {
	b             *Bytes
	left          *Left
	ld            int     // of the sums
	start         []int32 // what the columns' sums begin with
	single, plain bool    // one row is all; no column has a zero point
	done          func(sums []int32, ld, from, rows int)
}

// rows multiplies rows from … to−1, a block at a time. packed has the panels of all rows, where
// they are laid out already.
func (r *byteRun) rows(from, to, block int, packed, scratch []byte) {
	b, left, ld := r.b, r.left, r.ld
	l, steps := b.layout, b.steps(b.k)
	take := func(n int) []byte {
		part := scratch[:n]
		scratch = scratch[n:]
		return part
	}
	panels := take(rowsOf(block, steps))
	sums := slab.View[int32](take(rowsOf(block, ld)))
	totals := slab.View[int32](take(rowsOf(block, 1)))
	room := take(rowsOf(l.high, steps))
	clear(totals)
	for ; from < to; from += block {
		rows := min(block, to-from)
		mp := (rows + l.high - 1) / l.high
		switch {
		case packed != nil:
			panels = packed[4*from*steps:]
		case left.taps != nil:
			left.taps(panels, from, rows)
		default:
			left.pack(l, panels, room, from, rows, b.k, !r.single)
		}
		shorts, y, w, zeros, start := slab.View[int16](panels), kernel.Ptr(sums), kernel.Ptr(b.panels), kernel.Ptr(b.zeros), kernel.Ptr(r.start)
		switch {
		case l == inFours && r.single:
			total := 0
			for _, v := range room[:b.k] {
				if total += int(v); dots == dotsOfInt8 {
					total += int(int8(v)) - int(v)
				}
			}
			kernel.QuadRow(y, kernel.Ptr(room), w, steps, ld/kernel.NR, total, zeros, start)
		case l == inFours:
			if !r.plain {
				kernel.SumQuads(kernel.Ptr(totals), kernel.Ptr(panels), steps, mp)
			}
			kernel.DotQuads(y, ld, kernel.Ptr(panels), w, steps, mp, ld/kernel.NR, kernel.Ptr(totals), zeros, start)
		case r.single:
			row, total := slab.View[int16](room), 0
			for _, v := range row[:b.k] {
				total += int(v)
			}
			kernel.DotRow(y, kernel.Ptr(row), w, steps, ld/kernel.NR, total, zeros)
		default:
			if !r.plain {
				kernel.SumPairs(kernel.Ptr(totals), kernel.Ptr(shorts), steps, mp)
			}
			kernel.DotTiles(y, ld, kernel.Ptr(shorts), w, steps, mp, ld/kernel.NR, kernel.Ptr(totals), zeros)
		}
		if l == inFours && len(left.Zeros) > 1 {
			for i := range rows {
				zero := int32(left.zero(from+i) - left.zero(0))
				for j, t := range b.totals {
					sums[i*ld+j] -= zero * t
				}
			}
		}
		r.done(sums, ld, from, rows)
	}
}

// Grid is the numbers that a type of 8 bits stands for: scale times the whole numbers from
// Lo to Hi, less Zero.
type Grid struct {
	Scale  float32
	Zero   int
	Lo, Hi int
}

// bounds are those of steps from the zero point.
func (g Grid) bounds() (lo, hi float32) { return float32(g.Lo - g.Zero), float32(g.Hi - g.Zero) }

// Quantize writes x as bytes.
func Quantize(y []byte, x []float32, g Grid) {
	lo, hi := g.bounds()
	kernel.QuantizeBytes(kernel.Ptr(y), kernel.Ptr(x), len(x), g.Scale, lo, hi, g.Zero)
}

// Dequantize writes what bytes stand for.
func Dequantize(y []float32, x Octets, zero int, scale float32) {
	kernel.DequantizeBytes(kernel.Ptr(y), kernel.Ptr(x.Data), len(y), x.flip(), zero-x.flip(), scale)
}

// QuantizeSums writes rows of n sums, ld apart, times scales, by column.
func QuantizeSums(y []byte, ldy int, sums []int32, ld, rows, n int, scales []float32, g Grid) {
	lo, hi := g.bounds()
	for r := range rows {
		kernel.QuantizeSums(kernel.Ptr(y[r*ldy:]), kernel.Ptr(sums[r*ld:]), n, kernel.Ptr(scales), lo, hi, g.Zero)
	}
}

// QuantizePlane writes sums and a bias, times a scale.
func QuantizePlane(y []byte, sums []int32, bias int32, scale float32, g Grid) {
	lo, hi := g.bounds()
	kernel.QuantizePlane(kernel.Ptr(y), kernel.Ptr(sums), len(sums), int(bias), scale, lo, hi, g.Zero)
}

// ScaleSums writes rows of n sums, ld apart, times scales, plus bias, where there is one, both
// by column.
func ScaleSums(y []float32, ldy int, sums []int32, ld, rows, n int, scales, bias []float32, clamp Clamp) {
	lo, hi := clamp.bounds()
	kernel.ScaleSums(kernel.Ptr(y), ldy, kernel.Ptr(sums), ld, rows, n, kernel.Ptr(scales), kernel.Ptr(bias), lo, hi)
}

// Extremes is the least and the largest of x, which is not empty; NaN where there is one.
func Extremes(x []float32) (lo, hi float32) {
	kernel.RowMin(&lo, kernel.Ptr(x), 1, len(x))
	kernel.RowMax(&hi, kernel.Ptr(x), 1, len(x))
	return lo, hi
}
