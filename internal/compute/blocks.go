package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// Blocks is a right operand [K, N] of 2, 4 or 8 bits, column after column, in blocks of Size
// elements that share a scale and a zero point; the last block of a column is filled up. An
// element stands for (q − zero)·scale.
type Blocks struct {
	K, N, Bits, Size int
	Data             []byte    // [N][blocks][Size·Bits/8], the first element in the lowest bits
	Scales           []float32 // [N][blocks]
	// The zero points: packed as the elements are, each column in whole bytes, or floats, or,
	// without either, 2^(Bits−1).
	Zeros  []byte
	Points []float32
}

// PerColumn is how many blocks a column has.
func (b *Blocks) PerColumn() int { return (b.K + b.Size - 1) / b.Size }

// ZeroBytes is how many bytes the packed zero points of a column take.
func (b *Blocks) ZeroBytes() int { return (b.PerColumn()*b.Bits + 7) / 8 }

// zero is the zero point of a column's block.
func (b *Blocks) zero(column, block int) float32 {
	switch {
	case b.Points != nil:
		return b.Points[column*b.PerColumn()+block]
	case b.Zeros != nil:
		bit := block * b.Bits
		return float32(b.Zeros[column*b.ZeroBytes()+bit/8] >> (bit % 8) & (1<<b.Bits - 1))
	}
	return float32(int(1) << (b.Bits - 1))
}

// widen writes elements k … of a column.
func (b *Blocks) widen(dst []float32, column, k int) {
	per, each := b.PerColumn(), b.Size*b.Bits/8
	for len(dst) > 0 {
		block, at := k/b.Size, k%b.Size
		n := min(b.Size-at, len(dst))
		src, scale, zero := b.Data[(column*per+block)*each:][:each], b.Scales[column*per+block], b.zero(column, block)
		switch whole := int(zero); {
		case b.Bits == 8 && float32(whole) == zero:
			kernel.DequantizeBytes(kernel.Ptr(dst), kernel.Ptr(src[at:]), n, 128, whole-128, scale)
		case b.Bits == 8:
			for i, v := range src[at : at+n] {
				dst[i] = (float32(v) - zero) * scale
			}
		default:
			b.levels(dst[:n], src, at, scale, zero)
		}
		dst, k = dst[n:], k+n
	}
}

// levels writes elements of 4 or 2 bits, from element at of the block on.
func (b *Blocks) levels(dst []float32, src []byte, at int, scale, zero float32) {
	per, mask := 8/b.Bits, byte(1<<b.Bits-1)
	if at%per == 0 {
		n := len(dst) &^ 15
		kernel.Levels(kernel.Ptr(dst), kernel.Ptr(src[at/per:]), n, b.Bits, scale, zero)
		dst, at = dst[n:], at+n
	}
	for i := range dst {
		q := src[(at+i)/per] >> ((at + i) % per * b.Bits) & mask
		dst[i] = (float32(q) - zero) * scale
	}
}

// BlocksScratch returns how many float32 of scratch RunBlocks wants for a product of m rows.
func (b *Blocks) BlocksScratch(m int) int {
	g := Gemm{M: m, N: b.N, K: b.K}
	depth, _ := productBlocks(b.N, b.K)
	n := g.ScratchLen() + depth*kernel.NR + slab.Align/4
	if b.byRows(m) {
		n = max(n, b.PerColumn()*(b.Size+4+zeroColumns))
	}
	return n
}

// byRows says whether m rows are multiplied one by one, by elements that stay as they are.
func (b *Blocks) byRows(m int) bool { return b.Bits == 4 && b.Size%32 == 0 && m <= 4 }

// zeroColumns is of how many columns the zero points are widened at a time.
const zeroColumns = 16

// runRows is RunBlocks of dense rows one by one.
func (g *Gemm) runRows(y, a []float32, b *Blocks, scratch []float32) {
	per, units, s := b.PerColumn(), b.Size/32, arena(scratch)
	x, sums, zeros := s.take(per*b.Size), s.take(4*per), s.take(zeroColumns*per)
	lo, hi := g.Clamp.bounds()
	for ; len(y) > 0; y, a = y[b.N:], a[b.K:] {
		clear(x)
		clear(sums)
		smaller := [8]float32{1, 1. / 16, 1. / (1 << 8), 1. / (1 << 12), 1. / (1 << 16), 1. / (1 << 20), 1. / (1 << 24), 1}
		for i, v := range a[:b.K] {
			x[i&^31+i%8*4+i%32/8] = v * smaller[i%8]
			sums[i/b.Size*4+i%32/8] += v
		}
		points, step, most := zeros, 0, b.N
		switch {
		case b.Points != nil:
			points, step = b.Points, 1
		case b.Zeros != nil:
			step, most = 1, zeroColumns
		default:
			zeros[0] = b.zero(0, 0)
		}
		for c := 0; c < b.N; c += most {
			columns := min(most, b.N-c)
			if b.Zeros != nil && b.Points == nil {
				for i := range columns {
					b.levels(zeros[i*per:][:per], b.Zeros[(c+i)*b.ZeroBytes():], 0, 1, 0)
				}
			}
			kernel.NibbleRow(kernel.Ptr(y[c:]), kernel.Ptr(b.Data[c*per*units*16:]), kernel.Ptr(x), kernel.Ptr(sums), kernel.Ptr(b.Scales[c*per:]), kernel.Ptr(points), columns, per, units, step)
		}
		for j, v := range y[:b.N] {
			if g.Start == FromColumn {
				v += g.Bias[j]
			}
			y[j] = min(max(v, lo), hi)
		}
	}
}

// RunBlocks computes y from a and a right operand in blocks; TransB and LDB of g are ignored,
// and with few rows all are dense.
func (g *Gemm) RunBlocks(y, a []float32, b *Blocks, scratch []float32) {
	if b.byRows(g.M) {
		g.runRows(y[:g.M*g.N], a, b, scratch)
		return
	}
	depth, _ := productBlocks(b.N, b.K)
	src := right{kind: rightBlocks, blocks: b, room: scratch[:depth*kernel.NR]}
	g.run(y, a, &src, scratch[kernel.RoundUp(depth*kernel.NR, slab.Align/4):], false)
}

// pack lays out rows k0 … k0+kc−1 of columns n0 … n0+nc−1, by way of room.
func (b *Blocks) pack(dst, room []float32, k0, kc, n0, nc int) {
	for j := 0; j < nc; j += kernel.NR {
		panel, cols := dst[j*kc:][:kc*kernel.NR], min(nc-j, kernel.NR)
		if cols < kernel.NR {
			clear(panel)
		}
		for l := range cols {
			b.widen(room[l*kc:][:kc], n0+j+l, k0)
		}
		kernel.Transpose(kernel.Ptr(panel), kernel.NR, kernel.Ptr(room), kc, cols, kc)
	}
}
