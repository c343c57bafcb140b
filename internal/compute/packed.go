package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// What is laid out for the kernels either lies where the weights were, which are then no
// longer there, or takes memory beside them.

// PackedB is a right operand laid out for the kernels: panels of 8 columns, for depth of
// the rows at a time. The columns beyond the last full panel are in memory of their own.
type PackedB struct {
	k, n   int
	depth  int       // of a block: k, or fewer
	ld     int       // what each row adds to where its block begins
	panels []float32 // [blocks][n/8][rows of the block][8]
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
func (g *Gemm) PackB(b []float32) *PackedB {
	p := g.packedB()
	p.ld = g.N / kernel.NR * kernel.NR
	p.panels = slab.Float32s(p.ld * p.k)
	p.own = 4 * len(p.panels)
	src := g.right(b)
	p.packTail(&src)
	for k := 0; k < p.k; k += p.depth {
		src.pack(p.panels[k*p.ld:], k, min(p.depth, p.k-k), 0, p.ld)
	}
	return p
}

// PackBOver is PackB in the memory of the weights, which are dense; they are gone then.
// Where there is no memory to do it, it panics and leaves them as they are.
func (g *Gemm) PackBOver(b []float32) *PackedB {
	p := g.packedB()
	p.ld, p.panels = g.N, b
	src := g.right(b)
	p.packTail(&src)
	n := g.N / kernel.NR * kernel.NR
	if g.TransB { // a panel of columns is where these are
		b = b[:n*p.k]
		over(b, kernel.NR*p.k, func(dst []float32, at int) { src.pack(dst, 0, p.k, at/p.k, kernel.NR) })
		return p
	}
	if n > 0 {
		over(b, p.depth*p.ld, func(dst []float32, at int) { src.pack(dst, at/p.ld, len(dst)/p.ld, 0, n) })
	}
	return p
}

// over writes b anew, by blocks of size elements: lay makes what belongs at b[at:], as long
// as dst is, out of the block that is there.
func over(b []float32, size int, lay func(dst []float32, at int)) {
	if len(b) == 0 {
		return
	}
	room := min(size, len(b))
	if room > placeBlock/8 && room <= placeBlock {
		room = placeBlock // of the same size each time: what is given back then serves the next one
	}
	part, err := slab.Take(4*room, false)
	if err != nil {
		panic(err)
	}
	block := slab.View[float32](part)
	for at := 0; at < len(b); at += size {
		n := min(size, len(b)-at)
		lay(block[:n], at)
		copy(b[at:], block[:n])
	}
	slab.Give(part)
}

func (g *Gemm) packedB() *PackedB {
	p := &PackedB{k: g.K, n: g.N, depth: g.K}
	if !g.TransB {
		p.depth, _ = productBlocks(g.N, g.K)
		most := max(placeBlock/max(g.N, 1), placeRows)
		if p.depth > most {
			parts := (g.K + most - 1) / most
			p.depth = (g.K + parts - 1) / parts
		}
	}
	p.depth = max(p.depth, 1)
	return p
}

// packTail lays out the columns beyond the last full panel.
func (p *PackedB) packTail(src *right) {
	if rest := p.n % kernel.NR; rest > 0 {
		p.tail = slab.Float32s(kernel.NR * p.k)
		p.own += 4 * len(p.tail)
		src.pack(p.tail, 0, p.k, p.n-rest, rest)
	}
}

// rows is the full panels from row k on, as far as their block goes, how far apart they
// are, and the rest of the columns.
func (p *PackedB) rows(k int) (panels []float32, bs int, tail []float32) {
	first := k / p.depth * p.depth
	bs = min(p.depth, p.k-first) * kernel.NR
	at := first*p.ld + (k-first)*kernel.NR
	return p.panels[min(at, len(p.panels)):], bs, p.tail[min(k*kernel.NR, len(p.tail)):]
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
