package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// The blocks of a product: a block of the right operand stays in the second-level cache
// while the product goes through the left operand, of which a panel fits into the first
// level. Block sizes do not change the result: each element adds its products in order.
const (
	blockDepth = 512       // of the sum
	blockRight = 48 * 1024 // elements of the right operand's block
	blockRows  = 128       // rows of the left operand's block
	partRight  = 16 * 1024 // elements of the right operand's block where each part of a product has its own
)

// Start says what a product is added to.
type Start uint8

const (
	FromZero   Start = kernel.StartZero // nothing
	FromRow    Start = kernel.StartRow  // Bias[row]
	FromColumn Start = kernel.StartCol  // Bias[column]
	FromY      Start = kernel.StartC    // what y holds
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

// ScratchLen returns how many float32 of scratch Run and RunPacked want.
func (g *Gemm) ScratchLen() int {
	return g.scratchLen(max(productScratch(g.M, g.N, g.K), threads.MostParts(max(g.M, g.N)/kernel.NR)*partScratch(g.M, g.N, g.K)))
}

// scratchLen is the scratch of a product that takes so much of it behind the left operand.
func (g *Gemm) scratchLen(n int) int {
	if g.M == 0 || g.N == 0 {
		return 0
	}
	return slab.Align/4 + g.panelRows()*g.K + n
}

// panelRows is how many rows the panels of the left operand have.
func (g *Gemm) panelRows() int {
	tall := g.tallRows()
	return tall + kernel.RoundUp(g.M-tall, kernel.MR)
}

// tall says that multiply-adds are fused, with which tiles of six rows are faster than those of
// four: in V8 by a fifth. Without, they need more registers than there are. Either gives the
// same bits.
var tall = fused()

// fused multiplies two numbers whose product is rounded before it is added to, or is not.
func fused() bool {
	const x = 1 + 0x1p-12
	a, c := float32(x), [kernel.NR]float32{-(1 + 0x1p-11)}
	b := [kernel.NR]float32{x}
	kernel.GemmRow(&c[0], &a, 1, &b[0], 0, 1, 1, kernel.StartC, nil, float32(math.Inf(-1)), float32(math.Inf(1)))
	return c[0] != 0
}

// tallRows is how many rows of the left operand are in panels of six, the first ones: as many
// as leave rows for whole panels of four, or one row more.
func (g *Gemm) tallRows() int {
	rest := [kernel.TR]int{0, 1, 8, 9, 4, 5}[g.M%kernel.TR]
	if !tall || g.M < rest || g.N == 1 {
		return 0
	}
	return g.M - rest
}

// Run computes y from a and b; y may not overlap them.
func (g *Gemm) Run(y, a, b, scratch []float32) {
	src := g.right(b)
	g.run(y, a, &src, scratch, false)
}

// ManyScratch returns how many float32 of scratch RunMany wants.
func (g *Gemm) ManyScratch(count int) int {
	return max(g.ScratchLen(), threads.MostParts(count)*g.wholeScratch())
}

// wholeScratch is the scratch of a product that is not divided.
func (g *Gemm) wholeScratch() int {
	return kernel.RoundUp(g.scratchLen(productScratch(g.M, g.N, g.K)), slab.Align/4)
}

// RunMany computes so many dense products, one after the other in y, of operands that begin
// where at says in a and b.
func (g *Gemm) RunMany(y, a, b []float32, count int, at func(i int) (ai, bi int), scratch []float32) {
	each, parts := g.wholeScratch(), 1
	if count >= 2*threads.Count() && each > 0 {
		parts = max(1, min(threads.Parts(count, count*productTime(g.M, g.N, g.K)), len(scratch)/each))
	}
	threads.For(parts, func(part int) {
		own := scratch
		if parts > 1 {
			own = scratch[part*each:][:each]
		}
		from, to := threads.Range(count, parts, part)
		for i := from; i < to; i++ {
			ai, bi := at(i)
			src := g.right(b[bi:])
			g.run(y[i*g.M*g.N:][:g.M*g.N], a[ai:], &src, own, parts > 1)
		}
	})
}

// RunPacked computes y from a and a packed right operand; TransB and LDB of g
// are ignored.
func (g *Gemm) RunPacked(y, a []float32, b *PackedB, scratch []float32) {
	if g.M == 1 && b.elem == Float32 && g.K > 0 && (g.Alpha == 0 || g.Alpha == 1) && g.Start != FromRow && (!g.TransA || g.LDA <= 1) {
		b.row(y, a, g.Start, g.Bias, g.Clamp, scratch)
		return
	}
	src := right{kind: rightPacked, packed: b}
	g.run(y, a, &src, scratch, false)
}

func (g *Gemm) right(b []float32) right {
	if g.TransB {
		return right{kind: rightTransposed, data: b, ld: orTight(g.LDB, g.K)}
	}
	return right{kind: rightRows, data: b, ld: orTight(g.LDB, g.N)}
}

//go:noinline
func orTight(ld, tight int) int {
	if ld == 0 {
		return tight
	}
	return ld
}

// run is not divided among threads if whole: what calls it is.
func (g *Gemm) run(y, a []float32, b *right, scratch []float32, whole bool) {
	if g.M == 0 || g.N == 0 {
		return
	}
	s := arena(scratch)
	alpha := s.take(slab.Align / 4)[:1]
	alpha[0] = g.Alpha
	p := product{m: g.M, n: g.N, k: g.K, ldc: orTight(g.LDY, g.N), start: int(g.Start), bias: g.Bias, whole: whole}
	p.lo, p.hi = g.Clamp.bounds()
	if g.Alpha == 0 || g.Alpha == 1 {
		alpha = nil
	}
	lda := orTight(g.LDA, g.K)
	if g.TransA {
		lda = orTight(g.LDA, g.M)
	}
	if g.M == 1 && alpha == nil {
		// One row is its own panel.
		p.a, p.astep = a, 1
		if g.TransA {
			p.astep = lda
		}
	} else {
		p.a, p.astep, p.tall = s.take(g.panelRows()*g.K), kernel.MR, g.tallRows()
		p.left = left{data: a, ld: lda, trans: g.TransA, alpha: alpha}
	}
	p.run(y, b, &s)
}

// left is a left operand that is to be laid out, times alpha if there is one.
type left struct {
	data  []float32
	ld    int
	trans bool
	alpha []float32
}

// lay lays out the left operand.
func (p *product) lay() {
	parts := 1
	if !p.whole {
		parts = threads.Parts(p.m/kernel.TR, p.m*p.k)
	}
	threads.For(parts, func(part int) {
		from, to := p.rows(parts, part)
		p.layRows(from, to)
	})
}

// layRows lays out some of its rows: whole panels.
func (p *product) layRows(from, to int) {
	l := &p.left
	first := from * l.ld
	if l.trans {
		first = from
	}
	packA(p.a[from*p.k:], l.data[min(first, len(l.data)):], l.ld, to-from, p.k, max(0, p.tall-from), l.trans, l.alpha)
}

// rows are the rows of a part: whole panels.
func (p *product) rows(parts, part int) (from, to int) {
	high := kernel.MR
	if p.tall > 0 {
		high = kernel.TR
	}
	from, to = threads.Range(p.m/high, parts, part)
	if to *= high; part == parts-1 {
		to = p.m
	}
	return from * high, to
}

// one, zero and least are for kernels, which may be called when no function has a variable
// for them any more.
var one, zero, least = [1]float32{1}, [1]float32{}, [1]float32{-inf}

// fillBy is fill with one of these, by a kernel.
func fillBy(y []float32, v *[1]float32) {
	if len(y) > 0 {
		kernel.AddRows(&y[0], &v[0], 0, 0, &zero[0], 0, 0, 1, len(y))
	}
}

// packA lays out a left operand of m rows, times alpha where there is one, in panels: the first
// tall rows in those [k][6], the others in those [k][4], the last padded with 0.
func packA(dst, a []float32, lda, m, k, tall int, trans bool, alpha []float32) {
	if k == 0 {
		return
	}
	for i, high := 0, kernel.TR; i < m; i += high {
		if i == tall {
			high = kernel.MR
		}
		panel := dst[i*k:][:high*k]
		rows := min(m-i, high)
		if rows < high {
			fillBy(panel, &zero)
		}
		if trans {
			copyRows(panel, high, a[i:], lda, k, rows)
		} else {
			kernel.Transpose(kernel.Ptr(panel), high, kernel.Ptr(a[i*lda:]), lda, rows, k)
		}
		if alpha != nil {
			kernel.MulRows(kernel.Ptr(panel), kernel.Ptr(panel), 0, 1, &alpha[0], 0, 0, 1, len(panel))
		}
	}
}

// right is a right operand: where it lies and how its blocks are packed.
type right struct {
	kind   int
	data   []float32
	ld     int
	packed *PackedB // rightPacked, which has none of the above
	taps   []int32  // rightPixels: the offset of each row
	pix    []int32  // rightPixels: the offsets of the block's columns
	planes *lattice
	ow     int
	blocks *Blocks   // rightBlocks
	room   []float32 // rightBlocks: space for the rows of a panel
}

const (
	rightRows       = iota // [k, n]
	rightTransposed        // [n, k]
	rightPacked            // panels
	rightPixels            // data[taps[k] + pix[n]]
	rightBlocks            // few bits, with scales
)

// pack lays out rows k0 … k0+kc−1 of columns n0 … n0+nc−1.
func (b *right) pack(dst []float32, k0, kc, n0, nc int) {
	if kc == 0 {
		return
	}
	full, rest := nc/kernel.NR, nc%kernel.NR
	switch b.kind {
	case rightRows:
		src := b.data[k0*b.ld+n0:]
		if full > 0 {
			kernel.PackCols(kernel.Ptr(dst), kc*kernel.NR, kernel.Ptr(src), b.ld, kc, full)
		}
		if rest > 0 {
			last := dst[full*kc*kernel.NR:][:kc*kernel.NR]
			fillBy(last, &zero)
			copyRows(last, kernel.NR, src[full*kernel.NR:], b.ld, kc, rest)
		}
	case rightTransposed:
		for j := 0; j < nc; j += kernel.NR {
			panel := dst[j*kc:][:kc*kernel.NR]
			cols := min(nc-j, kernel.NR)
			if cols < kernel.NR {
				fillBy(panel, &zero)
			}
			kernel.Transpose(kernel.Ptr(panel), kernel.NR, kernel.Ptr(b.data[(n0+j)*b.ld+k0:]), b.ld, cols, kc)
		}
	case rightBlocks:
		b.blocks.pack(dst, b.room, k0, kc, n0, nc)
	case rightPixels:
		kernel.PackPixels(kernel.Ptr(dst), kernel.Ptr(b.data), kernel.Ptr(b.taps[k0:]), kc, kernel.Ptr(b.pix), full+(rest+kernel.NR-1)/kernel.NR)
	}
}

// product is one product of packed operands, ready to run.
type product struct {
	m, n, k, ldc int
	a            []float32 // panels [k][4], or (m = 1) elements astep apart
	left         left      // what is to be laid out there; without data, it is
	tall         int       // rows whose panels are [k][6], the first ones
	astep        int
	start        int
	bias         []float32
	lo, hi       float32
	whole        bool // not to be divided
	byRows       bool // parts have rows, not columns
}

// productScratch is the room that product.run takes from its arena.
func productScratch(m, n, k int) int {
	depth, cols := productBlocks(n, k)
	return depth*cols + edgeScratch(m)
}

// partScratch is that of a part, of which each has its own.
func partScratch(m, n, k int) int {
	depth, cols := blocksOf(n, k, partRight)
	return depth*cols + edgeScratch(m)
}

// edgeScratch holds the tiles that stick out on the right, and their bias.
func edgeScratch(m int) int {
	return kernel.RoundUp(min(m, blockRows), kernel.MR)*kernel.NR + kernel.NR
}

// productBlocks returns the depth and the columns of a right operand's block.
func productBlocks(n, k int) (depth, cols int) { return blocksOf(n, k, blockRight) }

// blocksOf is productBlocks for blocks of at most so many elements.
//
//go:noinline
func blocksOf(n, k, most int) (depth, cols int) {
	depth = k
	if k > blockDepth {
		parts := (k + blockDepth - 1) / blockDepth
		depth = (k + parts - 1) / parts
	}
	cols = max(most/max(depth, 1)/kernel.NR*kernel.NR, kernel.NR)
	return depth, min(cols, kernel.RoundUp(n, kernel.NR))
}

func (p *product) run(c []float32, b *right, s *arena) {
	parts, each := p.parts(b, len(*s))
	column := p.n == 1 && p.ldc == 1 && p.astep == kernel.MR
	if p.left.data != nil && (column || parts == 1 || !p.byRows) {
		p.lay()
	}
	if column && p.column(c, b, s) {
		return
	}
	if parts == 1 {
		p.area(c, b, *s, 0, p.m, 0, p.n, blockRight)
		return
	}
	room := *s
	threads.For(parts, func(part int) {
		own := room[part*each:][:each]
		if p.byRows {
			from, to := p.rows(parts, part)
			if p.left.data != nil {
				p.layRows(from, to)
			}
			p.area(c, b, own, from, to, 0, p.n, partRight)
			return
		}
		from, to := threads.Range(kernel.RoundUp(p.n, kernel.NR)/kernel.NR, parts, part)
		p.area(c, b, own, 0, p.m, from*kernel.NR, min(to*kernel.NR, p.n), partRight)
	})
}

// parts is into how many parts to divide the product where there is so much room, and how
// much of it each has. Columns are divided if there are some for each thread, but rows where the
// left operand is so much the larger one that it is worth more to read only a part of that.
func (p *product) parts(b *right, room int) (parts, each int) {
	if p.whole || b.kind == rightPixels || b.kind == rightBlocks {
		return 1, 0
	}
	units := kernel.RoundUp(p.n, kernel.NR) / kernel.NR
	each = partScratch(p.m, p.n, p.k)
	packed := b.kind == rightPacked && b.packed.elem == Float32
	if packed {
		each = edgeScratch(p.m)
	}
	if p.byRows = units < 2*threads.Count() || packed && 2*p.m >= p.n; p.byRows {
		units = p.m / kernel.TR
	}
	return max(1, min(threads.Parts(units, productTime(p.m, p.n, p.k)), room/each)), each
}

// productTime is about how many nanoseconds a product takes.
func productTime(m, n, k int) int {
	if m < kernel.MR {
		return m * n * k / 3
	}
	return m * n * k / 20
}

// area computes rows m0 … m1−1 of columns n0 … n1−1. The right operand's blocks have at most
// so many elements.
func (p *product) area(c []float32, b *right, s arena, m0, m1, n0, n1, most int) {
	depth, cols := blocksOf(n1-n0, p.k, most)
	var block []float32
	if b.kind == rightPacked {
		depth = min(depth, b.packed.depth)
	}
	if b.kind == rightPacked && b.packed.elem == Float32 {
		cols = kernel.RoundUp(n1-n0, kernel.NR)
	} else {
		block = s.take(depth * cols)
	}
	edge := s.take(edgeScratch(p.m))
	for ; n0 < n1; n0 += cols {
		nc := min(n1-n0, cols)
		if b.kind == rightPixels {
			b.planes.pixels(b.pix[:kernel.RoundUp(nc, kernel.NR)], n0, nc, b.ow)
		}
		for k0 := 0; k0 == 0 || k0 < p.k; k0 += depth {
			kc := min(p.k-k0, depth)
			panels, bs := block, kc*kernel.NR
			last := block[min(nc/kernel.NR*bs, len(block)):]
			if b.kind == rightPacked {
				panels, bs, last = b.packed.block(k0, kc, n0, nc, block)
			} else {
				b.pack(block, k0, kc, n0, nc)
			}
			q := *p
			if k0 > 0 {
				q.start = kernel.StartC
			}
			if k0+kc < p.k {
				q.lo, q.hi = NoClamp.bounds()
			}
			q.block(c, panels, last, bs, k0, kc, m0, m1, n0, nc, edge)
			if kc == 0 {
				break
			}
		}
	}
}

// block multiplies rows m0 … m1−1 of the left operand by one block of the right one: its full
// panels, which lie bs apart, and what is left of its columns.
func (p *product) block(c, b, last []float32, bs, k0, kc, m0, m1, n0, nc int, edge []float32) {
	full, rest := nc/kernel.NR, nc%kernel.NR
	bias := p.bias
	if p.start == kernel.StartCol {
		bias = bias[n0:]
	}
	tile, edgeBias := edge[:len(edge)-kernel.NR], edge[len(edge)-kernel.NR:]
	if p.start == kernel.StartCol && rest > 0 {
		fillBy(edgeBias, &zero)
		copyRows(edgeBias, 0, bias[full*kernel.NR:], 0, 1, rest)
	}
	for mc := 0; m0 < m1; m0 += mc {
		mc = min(m1-m0, blockRows)
		high := kernel.MR
		if m0 < p.tall {
			mc = min(p.tall-m0, m1-m0, blockRows/kernel.TR*kernel.TR)
			high = kernel.TR
		}
		whole := mc - mc%high
		if p.astep != kernel.MR {
			whole = 0
		}
		if p.start == kernel.StartRow {
			bias = p.bias[m0:]
		}
		if whole > 0 {
			a := kernel.Ptr(p.a[min(m0*p.k+k0*high, len(p.a)):])
			if full > 0 {
				p.tiles(high, c[m0*p.ldc+n0:], p.ldc, a, b, bs, kc, whole, full, bias)
			}
			if rest > 0 {
				out := c[m0*p.ldc+n0+full*kernel.NR:]
				if p.start == kernel.StartC {
					copyRows(tile, kernel.NR, out, p.ldc, whole, rest)
				}
				from := bias
				if p.start == kernel.StartCol {
					from = edgeBias
				}
				p.tiles(high, tile, kernel.NR, a, last, bs, kc, whole, 1, from)
				copyRows(out, p.ldc, tile, kernel.NR, whole, rest)
			}
		}
		for r := whole; r < mc; r++ {
			p.row(c[(m0+r)*p.ldc+n0:], m0+r, b, last, bs, k0, kc, full, rest, bias, r, tile, edgeBias)
		}
	}
}

// tiles computes rows in tiles of so many. (A variable for the kernel would have the compiler move
// operands to the heap.)
func (p *product) tiles(high int, c []float32, ldc int, a *float32, b []float32, bs, kc, rows, panels int, bias []float32) {
	if high == kernel.TR {
		kernel.GemmTall(kernel.Ptr(c), ldc, a, p.k*high, kernel.Ptr(b), bs, kc, rows/kernel.TR, panels, p.start, kernel.Ptr(bias), p.lo, p.hi)
	} else {
		kernel.GemmTiles(kernel.Ptr(c), ldc, a, p.k*high, kernel.Ptr(b), bs, kc, rows/kernel.MR, panels, p.start, kernel.Ptr(bias), p.lo, p.hi)
	}
}

// row is block for one row: those that do not fill a panel.
func (p *product) row(c []float32, i int, b, last []float32, bs, k0, kc, full, rest int,
	bias []float32, r int, tile, edgeBias []float32) {
	var a *float32
	if p.astep == kernel.MR {
		at := (i - p.tall) % kernel.MR // of the row in its panel
		a = kernel.Ptr(p.a[min((i-at)*p.k+k0*kernel.MR+at, len(p.a)):])
	} else {
		a = kernel.Ptr(p.a[min(k0*p.astep, len(p.a)):])
	}
	if p.start == kernel.StartRow {
		bias, edgeBias = bias[r:], bias[r:]
	}
	if full > 0 {
		kernel.GemmRow(kernel.Ptr(c), a, p.astep, kernel.Ptr(b), bs, kc, full, p.start, kernel.Ptr(bias), p.lo, p.hi)
	}
	if rest > 0 {
		out := c[full*kernel.NR:]
		if p.start == kernel.StartC {
			copyRows(tile, 0, out, 0, 1, rest)
		}
		kernel.GemmRow(kernel.Ptr(tile), a, p.astep, kernel.Ptr(last), bs, kc, 1, p.start, kernel.Ptr(edgeBias), p.lo, p.hi)
		copyRows(out, 0, tile, 0, 1, rest)
	}
}

// column runs a product with one column straight from where the column lies.
func (p *product) column(c []float32, b *right, s *arena) bool {
	step, data := 0, b.data
	switch b.kind {
	case rightRows:
		step = b.ld
	case rightTransposed:
		step = 1
	case rightPacked:
		step, data = kernel.NR, b.packed.tail
	default:
		return false
	}
	full, rest := p.m/kernel.MR, p.m%kernel.MR
	parts := 1
	if !p.whole {
		parts = threads.Parts(full, p.m*p.k/3)
	}
	threads.For(parts, func(part int) {
		from, to := threads.Range(full, parts, part)
		bias := p.bias
		if p.start == kernel.StartRow {
			bias = bias[from*kernel.MR:]
		}
		if from < to {
			kernel.GemmCol(kernel.Ptr(c[from*kernel.MR:]), kernel.Ptr(p.a[min(from*p.k*kernel.MR, len(p.a)):]), p.k*kernel.MR, kernel.Ptr(data), step, p.k, to-from, p.start, kernel.Ptr(bias), p.lo, p.hi)
		}
	})
	if rest > 0 {
		tile := s.take(2 * kernel.MR)
		tile, bias := tile[:kernel.MR], tile[kernel.MR:]
		at := full * kernel.MR
		switch p.start {
		case kernel.StartRow:
			fillBy(bias, &zero)
			copyRows(bias, 0, p.bias[at:], 0, 1, rest)
		case kernel.StartCol:
			bias = p.bias
		case kernel.StartC:
			fillBy(tile, &zero)
			copyRows(tile, 0, c[at:], 0, 1, rest)
		}
		kernel.GemmCol(kernel.Ptr(tile), kernel.Ptr(p.a[min(at*p.k, len(p.a)):]), p.k*kernel.MR, kernel.Ptr(data), step, p.k, 1,
			p.start, kernel.Ptr(bias), p.lo, p.hi)
		copyRows(c[at:], 0, tile, 0, 1, rest)
	}
	return true
}

// copyRows copies a matrix.
func copyRows(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	kernel.CopyPlane(kernel.Ptr(dst), ldd, kernel.Ptr(src), lds, rows, cols)
}
