package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// What is laid out for the kernels either lies where the weights were, which are then no
// longer there, or takes memory beside them.

// Elem is how a constant right operand's elements are stored. Products compute in float32;
// those of 16 and 8 bits stay as they are until a block of them is needed.
type Elem uint8

const (
	Float32 Elem = iota
	Float16
	BFloat16
	Int8
)

// size is the bytes of an element.
func (e Elem) size() int {
	switch e {
	case Float32:
		return 4
	case Int8:
		return 1
	}
	return 2
}

// PackedB is a right operand laid out for the kernels: panels of 8 columns, for depth of
// the rows at a time. The columns beyond the last full panel are in memory of their own.
type PackedB struct {
	k, n   int
	elem   Elem
	depth  int       // of a block: k, or fewer
	ld     int       // what each row adds to where its block begins
	panels []byte    // [blocks][n/8][rows of the block][8]
	tail   []float32 // [k][8], padded with 0; nil where n is a multiple of 8
	own    int       // bytes of memory beside the weights
}

// The most elements of a block that is laid out in place, by way of memory beside it; so
// few rows that the product's loops become short are not worth it.
const (
	placeBlock = 512 * 1024
	placeRows  = 64
)

// K returns the rows of the operand.
func (b *PackedB) K() int { return b.k }

// N returns the columns of the operand.
func (b *PackedB) N() int { return b.n }

// Bytes is how much memory the operand takes beside the weights that it was made from.
func (b *PackedB) Bytes() int { return b.own }

// PackB lays out a constant right operand, once, for RunPacked. It takes K, N,
// TransB and LDB from g.
func (g *Gemm) PackB(b []float32) *PackedB { return g.Pack(Float32, slab.Bytes(b), false) }

// Pack is PackB for elements of any kind, dense where they are not Float32. With over, which
// wants dense ones as well, it does so in their own memory: the weights are gone then. Where
// there is no memory to do it, it panics and leaves them as they are.
func (g *Gemm) Pack(elem Elem, b []byte, over bool) *PackedB {
	p := &PackedB{k: g.K, n: g.N, elem: elem, depth: g.K}
	if !g.TransB {
		p.depth, _ = productBlocks(g.N, g.K)
		most := max(placeBlock/max(g.N, 1), placeRows)
		if p.depth > most {
			parts := (g.K + most - 1) / most
			p.depth = (g.K + parts - 1) / parts
		}
	}
	p.depth = max(p.depth, 1)
	// pack lays out rows k … k+kc−1 of columns n0 … n0+nc−1.
	pack := func(dst []byte, k, kc, n0, nc int) { p.pack(dst, b, g.TransB, k, kc, n0, nc) }
	if elem == Float32 {
		src := g.right(slab.View[float32](b))
		pack = func(dst []byte, k, kc, n0, nc int) { src.pack(slab.View[float32](dst), k, kc, n0, nc) }
	}
	size := elem.size()
	n := g.N / kernel.NR * kernel.NR
	if g.N == 0 { // however many rows there are
		return p
	}
	if rest := g.N - n; rest > 0 {
		part := slab.New(size * kernel.NR * p.k)
		pack(part, 0, p.k, n, rest)
		p.tail = slab.View[float32](part)
		if elem != Float32 {
			p.tail = slab.Float32s(kernel.NR * p.k)
			widen(elem, p.tail, part)
		}
		p.own = 4 * len(p.tail)
	}
	if !over {
		p.ld, p.panels = n, slab.New(size*n*p.k)
		p.own += len(p.panels)
		for k := 0; n > 0 && k < p.k; k += p.depth {
			pack(p.panels[size*k*n:], k, min(p.depth, p.k-k), 0, n)
		}
		return p
	}
	p.ld, p.panels = g.N, b
	switch {
	case g.TransB: // a panel of columns is where these are
		overwrite(b[:size*n*p.k], size*kernel.NR*p.k, func(dst []byte, at int) { pack(dst, 0, p.k, at/p.k/size, kernel.NR) })
	case n > 0:
		overwrite(b, size*p.depth*p.ld, func(dst []byte, at int) { pack(dst, at/p.ld/size, len(dst)/p.ld/size, 0, n) })
	}
	return p
}

// pack is right.pack for elements of one or two bytes.
func (p *PackedB) pack(dst, b []byte, trans bool, k, kc, n0, nc int) {
	size := p.elem.size()
	const row = kernel.NR
	for j := 0; j < nc; j += row {
		panel, cols := dst[size*j*kc:][:size*row*kc], min(nc-j, row)
		if cols < row {
			clear(panel)
		}
		if !trans {
			for t := range kc {
				copy(panel[size*row*t:], b[size*((k+t)*p.n+n0+j):][:size*cols])
			}
			continue
		}
		for l := range size * cols {
			// The bytes of an element are as far apart as the elements' size says.
			src := b[size*((n0+j+l/size)*p.k+k)+l%size:]
			for t := range kc {
				panel[size*row*t+l] = src[size*t]
			}
		}
	}
}

// widen writes elements that are stored as elem, a multiple of 8 of them.
func widen(elem Elem, dst []float32, src []byte) {
	y, x, n := kernel.Ptr(dst), kernel.Ptr(src[:elem.size()*len(dst)]), len(dst)
	switch elem {
	case Int8:
		kernel.WidenInt8(y, x, n)
	case BFloat16:
		kernel.WidenBrain(y, x, n)
	default:
		kernel.WidenHalf(y, x, n)
	}
}

// Narrow writes float32 as Float16.
func Narrow(y []byte, x []float32) {
	n := len(x) &^ 7
	if n > 0 {
		kernel.NarrowHalf(kernel.Ptr(y[:2*n]), kernel.Ptr(x), n)
	}
	for i, v := range x[n:] {
		h := kernel.HalfOf(v)
		y[2*(n+i)], y[2*(n+i)+1] = byte(h), byte(h>>8)
	}
}

// Widen writes elements of Float16 or BFloat16 as float32.
func Widen(y []float32, x []byte, elem Elem) {
	n := len(y)
	if n >= 8 {
		widen(elem, y[:n&^7], x)
		widen(elem, y[n-8:], x[2*(n-8):]) // some of them again
		return
	}
	for i := range y {
		h := uint32(x[2*i]) | uint32(x[2*i+1])<<8
		switch low := h & 0x7fff; {
		case elem == BFloat16:
			h <<= 16
		case low >= 0x7c00: // infinity or NaN
			h = h>>15<<31 | 0xff<<23 | (low-0x7c00)<<13
		default:
			h = h>>15<<31 | math.Float32bits(math.Float32frombits(low<<13)*0x1p112)
		}
		y[i] = math.Float32frombits(h)
	}
}

// overwrite writes b anew, by blocks of size bytes: lay makes what belongs at b[at:], as
// long as dst is, out of the block that is there.
func overwrite(b []byte, size int, lay func(dst []byte, at int)) {
	room := min(size, len(b))
	if room > placeBlock/2 && room <= 4*placeBlock {
		room = 4 * placeBlock // of the same size each time: what is given back then serves the next one
	}
	block, err := slab.Take(room, false)
	if err != nil {
		panic(err)
	}
	for at := 0; at < len(b); at += size {
		n := min(size, len(b)-at)
		lay(block[:n], at)
		copy(b[at:], block[:n])
	}
	slab.Give(block)
}

// block is columns n0 … of rows k … k+kc−1: the full panels, how far apart they are, and
// the rest of the columns. What is not stored as float32 goes through room.
func (p *PackedB) block(k, kc, n0, nc int, room []float32) (panels []float32, bs int, tail []float32) {
	first := k / p.depth * p.depth
	bs = min(p.depth, p.k-first) * kernel.NR
	size := p.elem.size()
	from := p.panels[min(size*(first*p.ld+(k-first)*kernel.NR+n0/kernel.NR*bs), len(p.panels)):]
	tail = p.tail[min(k*kernel.NR, len(p.tail)):]
	if p.elem == Float32 {
		return slab.View[float32](from), bs, tail
	}
	for j := range nc / kernel.NR {
		widen(p.elem, room[j*kc*kernel.NR:][:kc*kernel.NR], from[size*j*bs:][:size*kc*kernel.NR])
	}
	return room, kc * kernel.NR, tail
}

// AddRow adds to y, N elements, the product of one row of K elements by an operand of
// Float32: what Gemm gives for M = 1 and FromY, in fewer steps. It wants 8 elements of scratch.
func (b *PackedB) AddRow(y, x, scratch []float32) { b.row(y, x, FromY, nil, NoClamp, scratch) }

// row is RunPacked of one row by an operand of Float32, whose blocks are as deep as they are
// laid out. It wants 8 elements of scratch, and 8 more for a bias.
func (b *PackedB) row(y, x []float32, start Start, bias []float32, clamp Clamp, scratch []float32) {
	full, rest := b.n/kernel.NR, b.n%kernel.NR
	parts := threads.Parts(full, productTime(1, b.n, b.k))
	threads.For(parts, func(part int) {
		from, to := threads.Range(full, parts, part)
		if from < to {
			b.rowOf(y, x, from*kernel.NR, to-from, start, bias, clamp)
		}
	})
	if rest == 0 {
		return
	}
	at := full * kernel.NR
	tile, part := scratch[:kernel.NR], bias
	switch start {
	case FromY:
		copyRows(tile, 0, y[at:], 0, 1, rest)
	case FromColumn:
		part = scratch[kernel.NR : 2*kernel.NR]
		fillBy(part, &zero)
		copyRows(part, 0, bias[at:], 0, 1, rest)
	}
	b.rowOf(tile, x, at, 0, start, part, clamp)
	copyRows(y[at:], 0, tile, 0, 1, rest)
}

// rowOf computes columns n0 … of a row, so many panels of them, or with 0 what is behind the
// last full one; then y and bias are of that alone.
func (b *PackedB) rowOf(y, x []float32, n0, panels int, start Start, bias []float32, clamp Clamp) {
	if panels > 0 {
		if y = y[n0:]; start == FromColumn {
			bias = bias[n0:]
		}
	}
	for k := 0; k < b.k; k += b.depth {
		kc, lo, hi := min(b.depth, b.k-k), -inf, inf
		if k+kc == b.k {
			lo, hi = clamp.bounds()
		}
		right, bs, tail := b.block(k, kc, n0, 0, nil)
		if panels == 0 {
			right, bs = tail, kc*kernel.NR
		}
		kernel.GemmRow(kernel.Ptr(y), kernel.Ptr(x[k:b.k]), 1, kernel.Ptr(right), bs, kc, max(panels, 1), int(start), kernel.Ptr(bias), lo, hi)
		start = FromY
	}
}

// Bytes is how much memory the convolution takes beside the weights that it was made from.
func (c *Conv) Bytes() int { return packedBytes(c.panels, c.bias, c.over) }

// Bytes is how much memory the convolution takes beside the weights that it was made from.
func (c *ConvTranspose) Bytes() int { return packedBytes(c.panels, c.bias, c.over) }

func packedBytes(panels, bias []float32, over bool) int {
	if over {
		return 4 * len(bias)
	}
	return 4 * (len(panels) + len(bias))
}
