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

// levels writes elements of 4 or 2 bits by a table of what they stand for.
func (b *Blocks) levels(dst []float32, src []byte, at int, scale, zero float32) {
	var level [16]float32
	for q := range 1 << b.Bits {
		level[q] = (float32(q) - zero) * scale
	}
	if b.Bits == 4 && at%2 == 0 && len(dst)%2 == 0 {
		src = src[at/2:][:len(dst)/2]
		for i, v := range src {
			pair := dst[2*i:][:2]
			pair[0], pair[1] = level[v&15], level[v>>4]
		}
		return
	}
	per, mask := 8/b.Bits, byte(1<<b.Bits-1)
	for i := range dst {
		dst[i] = level[src[(at+i)/per]>>((at+i)%per*b.Bits)&mask&15]
	}
}

// BlocksScratch returns how many float32 of scratch RunBlocks wants for a product of m rows.
func (b *Blocks) BlocksScratch(m int) int {
	g := Gemm{M: m, N: b.N, K: b.K}
	depth, _ := productBlocks(b.N, b.K)
	return g.ScratchLen() + depth*kernel.NR + slab.Align/4
}

// RunBlocks computes y from a and a right operand in blocks; TransB and LDB of g are ignored.
func (g *Gemm) RunBlocks(y, a []float32, b *Blocks, scratch []float32) {
	depth, _ := productBlocks(b.N, b.K)
	src := right{kind: rightBlocks, blocks: b, room: scratch[:depth*kernel.NR]}
	g.run(y, a, &src, scratch[kernel.RoundUp(depth*kernel.NR, slab.Align/4):])
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
