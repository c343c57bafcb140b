package nn

import "github.com/normwasm/normwasm/internal/slab"

// The blocks of a product: a block of the right operand stays in the second-level cache
// while the product goes through the left operand, of which a panel fits into the first
// level. Block sizes do not change the result: each element adds its products in order.
const (
	blockDepth = 512       // of the sum
	blockRight = 48 * 1024 // elements of the right operand's block
	blockRows  = 128       // rows of the left operand's block
)

// Start says what a product is added to.
type Start uint8

const (
	FromZero   Start = startZero // nothing
	FromRow    Start = startRow  // Bias[row]
	FromColumn Start = startCol  // Bias[column]
	FromY      Start = startC    // what y holds
)

// Gemm is the matrix product y = clamp(start + α·op(A)·op(B)) of [M, K] by
// [K, N]. Sums add k = 0 … K−1 in order, starting from start.
type Gemm struct {
	M, N, K        int
	TransA, TransB bool // A is stored [K, M], B [N, K]
	// Distances between rows as stored; 0 means that they are dense.
	LDA, LDB, LDY int
	Alpha         float32 // 0 stands for 1
	Start         Start
	Bias          []float32 // M (FromRow) or N (FromColumn) elements
	Clamp         Clamp
}

// PackedB is a right operand laid out for the kernels.
type PackedB struct {
	k, n   int
	panels []float32 // [ceil(n/8)][k][8], the last padded with 0
}

// K returns the rows of the operand.
func (b *PackedB) K() int { return b.k }

// N returns the columns of the operand.
func (b *PackedB) N() int { return b.n }

// PackB lays out a constant right operand, once, for RunPacked. It takes K, N,
// TransB and LDB from g.
func (g *Gemm) PackB(b []float32) *PackedB {
	p := &PackedB{k: g.K, n: g.N, panels: slab.Float32s(roundUp(g.N, gemmNR) * g.K)}
	src := g.right(b)
	src.pack(p.panels, 0, g.K, 0, g.N)
	return p
}

// ScratchLen returns how many float32 of scratch Run and RunPacked want.
func (g *Gemm) ScratchLen() int {
	if g.M == 0 || g.N == 0 {
		return 0
	}
	return roundUp(g.M, gemmMR)*g.K + productScratch(g.M, g.N, g.K)
}

// Run computes y from a and b; y may not overlap them.
func (g *Gemm) Run(y, a, b, scratch []float32) {
	src := g.right(b)
	g.run(y, a, &src, scratch)
}

// RunPacked computes y from a and a packed right operand; TransB and LDB of g
// are ignored.
func (g *Gemm) RunPacked(y, a []float32, b *PackedB, scratch []float32) {
	src := right{kind: rightPacked, data: b.panels, ld: b.k}
	g.run(y, a, &src, scratch)
}

func (g *Gemm) right(b []float32) right {
	if g.TransB {
		return right{kind: rightTransposed, data: b, ld: orTight(g.LDB, g.K)}
	}
	return right{kind: rightRows, data: b, ld: orTight(g.LDB, g.N)}
}

func orTight(ld, tight int) int {
	if ld == 0 {
		return tight
	}
	return ld
}

func (g *Gemm) run(y, a []float32, b *right, scratch []float32) {
	if g.M == 0 || g.N == 0 {
		return
	}
	s := arena(scratch)
	p := product{m: g.M, n: g.N, k: g.K, ldc: orTight(g.LDY, g.N), start: int(g.Start), bias: g.Bias}
	p.lo, p.hi = g.Clamp.bounds()
	scaled := g.Alpha != 0 && g.Alpha != 1
	lda := orTight(g.LDA, g.K)
	if g.TransA {
		lda = orTight(g.LDA, g.M)
	}
	if g.M == 1 && !scaled {
		// One row is its own panel.
		p.a, p.astep = a, 1
		if g.TransA {
			p.astep = lda
		}
	} else {
		p.a, p.astep = s.take(roundUp(g.M, gemmMR)*g.K), gemmMR
		alpha := float32(1)
		if scaled {
			alpha = g.Alpha
		}
		packA(p.a, a, lda, g.M, g.K, g.TransA, alpha)
	}
	p.run(y, b, &s)
}

// packA lays out a left operand of m rows, times alpha, in panels [k][4], the
// last padded with 0.
func packA(dst, a []float32, lda, m, k int, trans bool, alpha float32) {
	if k == 0 {
		return
	}
	for i := 0; i < m; i += gemmMR {
		panel := dst[i*k:][:gemmMR*k]
		rows := min(m-i, gemmMR)
		if rows < gemmMR {
			clear(panel)
		}
		switch {
		case !trans:
			transpose(ptr(panel), gemmMR, ptr(a[i*lda:]), lda, rows, k)
		case rows == gemmMR:
			// The product by a scalar is the copy of a column as well.
			mulRows(ptr(panel), ptr(a[i:]), lda, 1, &alpha, 0, 0, k, gemmMR)
			continue
		default:
			copyRows(panel, gemmMR, a[i:], lda, k, rows)
		}
		if alpha != 1 {
			mulRows(ptr(panel), ptr(panel), 0, 1, &alpha, 0, 0, 1, len(panel))
		}
	}
}

// right is a right operand: where it lies and how its blocks are packed.
type right struct {
	kind   int
	data   []float32
	ld     int
	taps   []int32 // rightPixels: the offset of each row
	pix    []int32 // rightPixels: the offsets of the block's columns
	planes *lattice
	ow     int
}

const (
	rightRows       = iota // [k, n]
	rightTransposed        // [n, k]
	rightPacked            // panels of all k rows
	rightPixels            // data[taps[k] + pix[n]]
)

// pack lays out rows k0 … k0+kc−1 of columns n0 … n0+nc−1.
func (b *right) pack(dst []float32, k0, kc, n0, nc int) {
	if kc == 0 {
		return
	}
	full, rest := nc/gemmNR, nc%gemmNR
	switch b.kind {
	case rightRows:
		src := b.data[k0*b.ld+n0:]
		if full > 0 {
			packCols(ptr(dst), kc*gemmNR, ptr(src), b.ld, kc, full)
		}
		if rest > 0 {
			last := dst[full*kc*gemmNR:][:kc*gemmNR]
			clear(last)
			copyRows(last, gemmNR, src[full*gemmNR:], b.ld, kc, rest)
		}
	case rightTransposed:
		for j := 0; j < nc; j += gemmNR {
			panel := dst[j*kc:][:kc*gemmNR]
			cols := min(nc-j, gemmNR)
			if cols < gemmNR {
				clear(panel)
			}
			transpose(ptr(panel), gemmNR, ptr(b.data[(n0+j)*b.ld+k0:]), b.ld, cols, kc)
		}
	case rightPixels:
		packPixels(ptr(dst), ptr(b.data), ptr32(b.taps[k0:]), kc, ptr32(b.pix), full+(rest+gemmNR-1)/gemmNR)
	}
}

// product is one product of packed operands, ready to run.
type product struct {
	m, n, k, ldc int
	a            []float32 // panels [k][4], or (m = 1) elements astep apart
	astep        int
	start        int
	bias         []float32
	lo, hi       float32
}

// productScratch is the room that product.run takes from its arena.
func productScratch(m, n, k int) int {
	depth, cols := productBlocks(n, k)
	return depth*cols + edgeScratch(m)
}

// edgeScratch holds the tiles that stick out on the right, and their bias.
func edgeScratch(m int) int { return roundUp(min(m, blockRows), gemmMR)*gemmNR + gemmNR }

// productBlocks returns the depth and the columns of a right operand's block.
func productBlocks(n, k int) (depth, cols int) {
	depth = k
	if k > blockDepth {
		parts := (k + blockDepth - 1) / blockDepth
		depth = (k + parts - 1) / parts
	}
	cols = max(blockRight/max(depth, 1)/gemmNR*gemmNR, gemmNR)
	return depth, min(cols, roundUp(n, gemmNR))
}

func (p *product) run(c []float32, b *right, s *arena) {
	if p.n == 1 && p.ldc == 1 && p.astep == gemmMR && p.column(c, b, s) {
		return
	}
	depth, cols := productBlocks(p.n, p.k)
	var block []float32
	if b.kind == rightPacked {
		cols = roundUp(p.n, gemmNR)
	} else {
		block = s.take(depth * cols)
	}
	edge := s.take(edgeScratch(p.m))
	for n0 := 0; n0 < p.n; n0 += cols {
		nc := min(p.n-n0, cols)
		if b.kind == rightPixels {
			b.planes.pixels(b.pix[:roundUp(nc, gemmNR)], n0, nc, b.ow)
		}
		for k0 := 0; k0 == 0 || k0 < p.k; k0 += depth {
			kc := min(p.k-k0, depth)
			panels, bs := block, kc*gemmNR
			if b.kind == rightPacked {
				panels, bs = b.data[min(k0*gemmNR, len(b.data)):], b.ld*gemmNR
			} else {
				b.pack(block, k0, kc, n0, nc)
			}
			q := *p
			if k0 > 0 {
				q.start = startC
			}
			if k0+kc < p.k {
				q.lo, q.hi = NoClamp.bounds()
			}
			q.block(c, panels, bs, k0, kc, n0, nc, edge)
			if kc == 0 {
				break
			}
		}
	}
}

// block multiplies all rows of the left operand by one block of the right one.
func (p *product) block(c, b []float32, bs, k0, kc, n0, nc int, edge []float32) {
	full, rest := nc/gemmNR, nc%gemmNR
	bias := p.bias
	if p.start == startCol {
		bias = bias[n0:]
	}
	last := b[min(full*bs, len(b)):]
	tile, edgeBias := edge[:len(edge)-gemmNR], edge[len(edge)-gemmNR:]
	if p.start == startCol && rest > 0 {
		clear(edgeBias)
		copy(edgeBias, bias[full*gemmNR:])
	}
	for m0 := 0; m0 < p.m; m0 += blockRows {
		mc := min(p.m-m0, blockRows)
		whole := mc &^ (gemmMR - 1)
		if p.astep != gemmMR {
			whole = 0
		}
		if p.start == startRow {
			bias = p.bias[m0:]
		}
		if whole > 0 {
			a := ptr(p.a[min(m0*p.k+k0*gemmMR, len(p.a)):])
			if full > 0 {
				gemmTiles(ptr(c[m0*p.ldc+n0:]), p.ldc, a, p.k*gemmMR, ptr(b), bs, kc, whole/gemmMR, full,
					p.start, ptr(bias), p.lo, p.hi)
			}
			if rest > 0 {
				out := c[m0*p.ldc+n0+full*gemmNR:]
				if p.start == startC {
					copyRows(tile, gemmNR, out, p.ldc, whole, rest)
				}
				from := bias
				if p.start == startCol {
					from = edgeBias
				}
				gemmTiles(ptr(tile), gemmNR, a, p.k*gemmMR, ptr(last), bs, kc, whole/gemmMR, 1,
					p.start, ptr(from), p.lo, p.hi)
				copyRows(out, p.ldc, tile, gemmNR, whole, rest)
			}
		}
		for r := whole; r < mc; r++ {
			p.row(c[(m0+r)*p.ldc+n0:], m0+r, b, last, bs, k0, kc, full, rest, bias, r, tile, edgeBias)
		}
	}
}

// row is block for one row: those that do not fill a panel.
func (p *product) row(c []float32, i int, b, last []float32, bs, k0, kc, full, rest int,
	bias []float32, r int, tile, edgeBias []float32) {
	var a *float32
	if p.astep == gemmMR {
		a = ptr(p.a[min(i/gemmMR*gemmMR*p.k+k0*gemmMR+i%gemmMR, len(p.a)):])
	} else {
		a = ptr(p.a[min(k0*p.astep, len(p.a)):])
	}
	if p.start == startRow {
		bias, edgeBias = bias[r:], bias[r:]
	}
	if full > 0 {
		gemmRow(ptr(c), a, p.astep, ptr(b), bs, kc, full, p.start, ptr(bias), p.lo, p.hi)
	}
	if rest > 0 {
		out := c[full*gemmNR:][:rest]
		if p.start == startC {
			copy(tile, out)
		}
		gemmRow(ptr(tile), a, p.astep, ptr(last), bs, kc, 1, p.start, ptr(edgeBias), p.lo, p.hi)
		copy(out, tile)
	}
}

// column runs a product with one column straight from where the column lies.
func (p *product) column(c []float32, b *right, s *arena) bool {
	step := 0
	switch b.kind {
	case rightRows:
		step = b.ld
	case rightTransposed:
		step = 1
	case rightPacked:
		step = gemmNR
	default:
		return false
	}
	full, rest := p.m/gemmMR, p.m%gemmMR
	if full > 0 {
		gemmCol(ptr(c), ptr(p.a), p.k*gemmMR, ptr(b.data), step, p.k, full, p.start, ptr(p.bias), p.lo, p.hi)
	}
	if rest > 0 {
		tile := s.take(2 * gemmMR)
		tile, bias := tile[:gemmMR], tile[gemmMR:]
		at := full * gemmMR
		switch p.start {
		case startRow:
			clear(bias)
			copy(bias, p.bias[at:])
		case startCol:
			bias[0] = p.bias[0]
		case startC:
			clear(tile)
			copy(tile, c[at:p.m])
		}
		gemmCol(ptr(tile), ptr(p.a[min(at*p.k, len(p.a)):]), p.k*gemmMR, ptr(b.data), step, p.k, 1,
			p.start, ptr(bias), p.lo, p.hi)
		copy(c[at:p.m], tile)
	}
	return true
}

// copyRows copies a few columns.
func copyRows(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		d, s := dst[r*ldd:][:cols], src[r*lds:][:cols]
		//lint:ignore S1001 the built-in copy is a call in wasm, longer than a few elements take
		for c, v := range s {
			d[c] = v
		}
	}
}
