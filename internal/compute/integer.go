package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// Bytes is a right operand of int8 or uint8, laid out for the kernels: panels of 8 columns
// with the rows in pairs. uint8 are less by 128 there, and so are their zero points.
type Bytes struct {
	k, n   int
	panels []int8  // [n/8][k/2][8][2]
	zeros  []int32 // the columns' zero points
	own    int     // bytes of memory
}

// Octets says how the elements of an operand of bytes are to be read.
type Octets struct {
	Data   []byte
	Signed bool
}

// flip is what an exclusive or makes int8 of the elements, and what it takes from them.
func (o Octets) flip() int {
	if o.Signed {
		return 0
	}
	return 128
}

// pairs is how many pairs of elements k take; with an odd k one is added that counts nothing.
func pairs(k int) int { return (k + 1) / 2 }

// BytesSize is how many bytes of memory a right operand has when it is laid out.
func BytesSize(k, n int) int {
	cols := kernel.RoundUp(n, kernel.NR)
	return kernel.RoundUp(2*pairs(k)*cols, slab.Align) + 4*cols
}

// PackBytes lays out a right operand [k, n], or [n, k] where trans says so. zeros is its zero
// points, by column, or one, or none; they are given as the elements are. memory has
// BytesSize bytes, or is nil.
func PackBytes(b Octets, k, n int, trans bool, zeros []int32, memory []byte) Bytes {
	p := Bytes{k: k, n: n}
	if memory == nil {
		memory = slab.New(BytesSize(k, n))
		p.own = len(memory)
	}
	cols, kp := kernel.RoundUp(n, kernel.NR), pairs(k)
	p.panels = slab.View[int8](memory[:2*kp*cols])
	p.zeros = slab.View[int32](memory[kernel.RoundUp(len(p.panels), slab.Align):][:4*cols])
	flip := uint8(b.flip())
	for j := range p.zeros {
		zero := -int32(flip)
		switch {
		case j < n && len(zeros) == n:
			zero += zeros[j]
		case j < n && len(zeros) == 1:
			zero += zeros[0]
		case j >= n:
			zero = 0
		}
		p.zeros[j] = zero
	}
	const wide = 2 * kernel.NR
	for j := 0; j < n; j += kernel.NR {
		panel, width := p.panels[2*kp*j:][:wide*kp], min(n-j, kernel.NR)
		if width < kernel.NR {
			clear(panel)
		}
		if k%2 != 0 { // the zero point in the row that is added, whatever the left operand has there
			row := panel[wide*(kp-1):]
			for l := range width {
				row[2*l+1] = int8(p.zeros[j+l])
			}
		}
		for t := range k {
			row := panel[t/2*wide+t%2:]
			if trans {
				src := b.Data[j*k+t:]
				for l := range width {
					row[2*l] = int8(src[l*k] ^ flip)
				}
				continue
			}
			for l, v := range b.Data[t*n+j:][:width] {
				row[2*l] = int8(v ^ flip)
			}
		}
	}
	return p
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

// integerRows is how many rows are multiplied at a time.
func integerRows(m, n, k int) int {
	rows := min(leftBytes/(4*pairs(k)+1), sumsBytes/(4*kernel.RoundUp(n, kernel.NR)+1)) &^ (kernel.MR - 1)
	return min(max(rows, kernel.MR), kernel.RoundUp(m, kernel.MR))
}

// IntegerScratch is the bytes of scratch that MultiplyBytes wants for m rows.
func IntegerScratch(m, n, k int) int {
	if m*n == 0 {
		return 0
	}
	rows := integerRows(m, n, k)
	return rowsOf(rows, pairs(k)) + rowsOf(rows, kernel.RoundUp(n, kernel.NR)) + 4*rows + rowsOf(kernel.MR, pairs(k)) + 2*slab.Align
}

// rowsOf is the bytes of rows of n elements of 4 bytes, or pairs of 2.
func rowsOf(rows, n int) int { return kernel.RoundUp(4*rows*n, slab.Align) }

// Left gives rows from … from+rows−1 of a left operand, less their zero points, in panels of
// pairs. room has space for four rows.
type Left func(panels []int16, room []int16, from, rows int)

// MultiplyBytes multiplies m rows by b. For each block of rows it calls done with their sums,
// ld apart, which done may overwrite.
func MultiplyBytes(m int, b *Bytes, left Left, scratch []byte, done func(sums []int32, ld, from, rows int)) {
	if m == 0 || b.n == 0 {
		return
	}
	kp, ld := pairs(b.k), kernel.RoundUp(b.n, kernel.NR)
	step := integerRows(m, b.n, b.k)
	take := func(n int) []byte {
		part := scratch[:n]
		scratch = scratch[n:]
		return part
	}
	panels := slab.View[int16](take(rowsOf(step, kp)))
	sums := slab.View[int32](take(rowsOf(step, ld)))
	totals := slab.View[int32](take(kernel.RoundUp(4*step, slab.Align)))
	room := slab.View[int16](take(rowsOf(kernel.MR, kp)))
	plain := b.plain()
	clear(totals)
	for from := 0; from < m; from += step {
		rows := min(step, m-from)
		mp := (rows + kernel.MR - 1) / kernel.MR
		left(panels, room, from, rows)
		if !plain {
			kernel.SumPairs(kernel.Ptr(totals), kernel.Ptr(panels), kp, mp)
		}
		if rows == 1 {
			row := room[:2*kp]
			for t := range kp {
				row[2*t], row[2*t+1] = panels[2*kernel.MR*t], panels[2*kernel.MR*t+1]
			}
			kernel.DotRow(kernel.Ptr(sums), kernel.Ptr(row), kernel.Ptr(b.panels), kp, ld/kernel.NR, int(totals[0]), kernel.Ptr(b.zeros))
		} else {
			kernel.DotTiles(kernel.Ptr(sums), ld, kernel.Ptr(panels), kernel.Ptr(b.panels), kp, mp, ld/kernel.NR, kernel.Ptr(totals), kernel.Ptr(b.zeros))
		}
		done(sums, ld, from, rows)
	}
}

// packShorts lays out rows of k int16 that row writes, one after another, in panels.
func packShorts(panels, room []int16, rows, k int, row func(dst []int16, i int)) {
	kp := pairs(k)
	for i := 0; i < rows; i += kernel.MR {
		panel, n := panels[2*i*kp:][:2*kernel.MR*kp], min(rows-i, kernel.MR)
		if n < kernel.MR {
			clear(panel)
		}
		for r := range n {
			dst := room[2*r*kp:][:2*kp]
			if k%2 != 0 {
				dst[k] = 0
			}
			row(dst[:k], i+r)
		}
		// A pair moves as the 32 bits that it is.
		kernel.Transpose(kernel.Ptr(shortsAsFloats(panel)), kernel.MR, kernel.Ptr(shortsAsFloats(room)), kp, n, kp)
	}
}

func shortsAsFloats(s []int16) []float32 { return slab.View[float32](slab.Bytes(s)) }

// PackOctets gives rows of bytes, k of them ld apart, or, where trans says so, columns; less
// zeros, by row, or one, or none.
func PackOctets(panels, room []int16, a Octets, ld int, trans bool, from, rows, k int, zeros []int32) {
	flip := a.flip()
	packShorts(panels, room, rows, k, func(dst []int16, i int) {
		zero := -flip
		switch {
		case len(zeros) == 1:
			zero += int(zeros[0])
		case len(zeros) > 1:
			zero += int(zeros[from+i])
		}
		if trans {
			for t := range dst {
				dst[t] = int16(int8(a.Data[t*ld+from+i]^uint8(flip))) - int16(zero)
			}
			return
		}
		kernel.WidenBytes(kernel.Ptr(dst), kernel.Ptr(a.Data[(from+i)*ld:]), k, flip, zero)
	})
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

// PackQuantized gives rows of float32 as steps of a grid.
func PackQuantized(panels, room []int16, x []float32, from, rows, k int, g Grid) {
	lo, hi := g.bounds()
	packShorts(panels, room, rows, k, func(dst []int16, i int) {
		kernel.QuantizeShort(kernel.Ptr(dst), kernel.Ptr(x[(from+i)*k:]), k, g.Scale, lo, hi)
	})
}

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
