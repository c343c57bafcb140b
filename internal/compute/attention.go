package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// The tiles of attention: so many queries against so many keys at a time, 64 KB of scores.
// The scores of a tile are all that there ever is of them.
const (
	leastRows     = 32
	mostRows      = 128
	attentionKeys = 512
	FewQueries    = 3 // for so many it is not worth laying out keys and values
)

// Attention is softmax(mask(cap(scale·q·kᵀ)))·v of one head:
//
//	s = scale·(q·k), then Softcap·tanh(s/Softcap) where that is not 0, then + bias
//	y = Σ eˢ⁻ᵐ·v / (Σ eˢ⁻ᵐ + eˢⁱⁿᵏ⁻ᵐ)   over the keys that the query sees, m the largest s
//
// Rows of q, k, v and y are LDQ, LDK, LDV and LDY elements apart. A query that sees no key
// gives 0, or NaN if Strict: what a softmax of -Inf alone is. Keys are met in tiles: what was summed up is scaled when a larger m comes.
type Attention struct {
	Depth, Width       int // elements of a key, and of a value
	LDQ, LDK, LDV, LDY int
	Scale, Softcap     float32
	Keep               Stage // what of the scores is kept
	Strict             bool
}

// Stage is a point in the life of a score.
type Stage uint8

const (
	KeepNone   Stage = iota
	KeepScores       // scaled
	KeepCapped
	KeepMasked
	KeepSoftmax
)

// AttentionRows is how many queries are worth computing at a time: of few keys, which are laid
// out for each tile, more. Not where they are causal: then a tile of few sees fewer keys.
func AttentionRows(keys int, causal bool) int {
	if causal {
		return leastRows
	}
	return min(max(leastRows*attentionKeys/max(keys, 1)&^(leastRows-1), leastRows), mostRows)
}

// Head is what Attention computes of one head: some of its queries against its keys.
type Head struct {
	Y, Q, K, V []float32
	Queries    int
	Keys       int // rows of K and V that count

	// Query i sees no key from Past+i+1 on if Causal, and the last Window of those that are
	// left where that is not 0. Past may be negative.
	Causal bool
	Past   int
	Window int

	// Biases are added: row i begins at element i·Row, and has Cols elements; keys beyond
	// them are not seen. Of Mask a 0 hides the key. Each may be left out.
	Bias, Bias2 Plane[float32]
	Mask        Plane[byte]

	Sink    float32 // takes part in the softmax, with a value of 0
	HasSink bool

	// Scores takes what Keep says, rows of All elements, RowsApart from one another. Of keys
	// that do not count it has what a mask would make of them.
	Scores []float32
	All    int
}

// Plane is a matrix of which a row may serve all queries.
type Plane[T any] struct {
	Data []T // nil for none
	Row  int // from a row to the next, 0 for one that all share
	Cols int
	// Spread says that a row is one element, which is that of all keys.
	Spread bool
}

// ScratchLen returns how many float32 of scratch Run wants for heads of so many queries
// and keys.
func (a *Attention) ScratchLen(queries, keys int) int {
	rows, cols := queries, a.block(keys)
	s := Gemm{M: rows, N: cols, K: a.Depth}
	v := Gemm{M: rows, N: a.Width, K: cols}
	return rows*cols + rows*a.Depth + a.Width + 4*rows + cols + max(s.ScratchLen(), v.ScratchLen())
}

// block is how many keys a tile has.
func (a *Attention) block(keys int) int {
	if a.Keep == KeepSoftmax {
		return keys // whose sum has to be known
	}
	return min(keys, attentionKeys)
}

var inf = float32(math.Inf(1))

// Run computes the head's queries. y may not overlap the other operands.
func (a *Attention) Run(h *Head, scratch []float32) {
	if h.Queries == 0 {
		return
	}
	mem := arena(scratch)
	r := attentionRun{a: a, h: h, scale: a.Scale}
	r.q, r.best, r.sum, r.part, r.factor = mem.take(h.Queries*a.Depth), mem.take(h.Queries), mem.take(h.Queries), mem.take(h.Queries), mem.take(h.Queries)
	from, to := h.sees(0), h.until(h.Queries-1)
	all := to
	if a.Keep != KeepNone {
		from, all = 0, h.All
	}
	step := a.block(max(all-from, 1))
	r.scores, r.row = mem.take(h.Queries*step), mem.take(a.Width)
	r.taps = mem.takeInts(step)
	r.rest = mem
	for i := range h.Queries {
		copy(r.q[i*a.Depth:][:a.Depth], h.Q[i*a.LDQ:])
		r.best[i], r.sum[i] = -inf, 0
	}
	if a.Scale != 1 {
		kernel.MulRows(kernel.Ptr(r.q), kernel.Ptr(r.q), 0, 1, &r.scale, 0, 0, 1, len(r.q))
	}
	for k := from; k < all; k += step {
		r.tile(k, min(step, all-k), to)
	}
	r.finish()
}

// sees is the first key that query i sees, until the one behind the last.
func (h *Head) sees(i int) int {
	if h.Window == 0 {
		return 0
	}
	return max(0, h.until(i)-h.Window)
}

func (h *Head) until(i int) int {
	if !h.Causal {
		return h.Keys
	}
	return max(0, min(h.Keys, h.Past+i+1))
}

type attentionRun struct {
	a         *Attention
	h         *Head
	q, scores []float32
	best, sum []float32 // of the tiles so far
	part      []float32 // the sum of this one
	factor    []float32
	row       []float32
	taps      []int32
	rest      arena
	scale     float32
	capped    [2]float32
	begun     bool // y has something
}

// tile goes through n keys from k on; those from to on are for Scores only.
func (r *attentionRun) tile(k, n, to int) {
	a, h := r.a, r.h
	s := r.scores[:h.Queries*n]
	r.products(s, k, n)
	r.keep(KeepScores, s, k, n)
	if c := a.Softcap; c != 0 {
		r.capped = [2]float32{1 / c, c}
		y := kernel.Ptr(s)
		kernel.MulRows(y, y, 0, 1, &r.capped[0], 0, 0, 1, len(s))
		kernel.TanhN(y, y, len(s))
		kernel.MulRows(y, y, 0, 1, &r.capped[1], 0, 0, 1, len(s))
	}
	r.keep(KeepCapped, s, k, n)
	r.bias(&h.Bias, s, k, n)
	r.bias(&h.Bias2, s, k, n)
	r.mask(s, k, n)
	r.keep(KeepMasked, s, k, n)
	seen := min(n, max(0, to-k))
	if seen == 0 {
		if a.Keep == KeepSoftmax {
			clear(s)
		}
		return
	}
	copy(r.factor, r.best)
	kernel.ExpRows(kernel.Ptr(s), kernel.Ptr(r.best), kernel.Ptr(r.part), kernel.Ptr(s), h.Queries, n)
	for i, old := range r.factor[:h.Queries] {
		f := float32(0)
		if old != -inf {
			f = kernel.ExpOf(old - r.best[i])
		}
		r.sum[i] = float32(r.sum[i]*f) + r.part[i]
		if r.factor[i] = f; r.begun && f != 1 {
			y := kernel.Ptr(h.Y[i*a.LDY:][:a.Width])
			kernel.MulRows(y, y, 0, 1, &r.factor[i], 0, 0, 1, a.Width)
		}
	}
	r.values(s, k, n, seen)
	r.begun = true
}

// products are the scores of the tile.
func (r *attentionRun) products(s []float32, k, n int) {
	a, h := r.a, r.h
	if n == 0 {
		return
	}
	keys := h.K[k*a.LDK:]
	if h.Queries <= FewQueries {
		for i := range h.Queries {
			kernel.DotRows(kernel.Ptr(s[i*n:]), kernel.Ptr(r.q[i*a.Depth:]), kernel.Ptr(keys), a.LDK, a.Depth, n)
		}
		return
	}
	g := Gemm{M: h.Queries, N: n, K: a.Depth, TransB: true, LDB: a.LDK}
	g.Run(s, r.q, keys, r.rest)
}

// values adds the tile's part of the result.
func (r *attentionRun) values(s []float32, k, n, seen int) {
	a, h := r.a, r.h
	if a.Width == 0 {
		return
	}
	values := h.V[k*a.LDV:]
	if h.Queries > FewQueries {
		g := Gemm{M: h.Queries, N: a.Width, K: seen, LDA: n, LDB: a.LDV, LDY: a.LDY}
		if r.begun {
			g.Start = FromY
		}
		g.Run(h.Y, s, values, r.rest)
		return
	}
	taps := r.taps[:seen]
	for i := range taps {
		taps[i] = int32(i * a.LDV)
	}
	for i := range h.Queries {
		y := kernel.Ptr(h.Y[i*a.LDY:][:a.Width])
		row := y
		if r.begun {
			row = kernel.Ptr(r.row)
		}
		kernel.Depthwise(row, 0, kernel.Ptr(values), 0, kernel.Ptr(taps), kernel.Ptr(s[i*n:]), seen, 1, a.Width, 0, -inf, inf)
		if r.begun {
			kernel.AddRows(y, y, 0, 1, row, 0, 1, 1, a.Width)
		}
	}
}

// bias adds a plane to the tile.
func (r *attentionRun) bias(p *Plane[float32], s []float32, k, n int) {
	for i := range r.h.Queries {
		addPlane(p, s[i*n:][:n], i, k)
	}
}

// addPlane adds row i of a plane, from column k on, to scores.
func addPlane(p *Plane[float32], row []float32, i, k int) {
	switch {
	case p.Data == nil || len(row) == 0:
	case p.Spread:
		kernel.AddRows(kernel.Ptr(row), kernel.Ptr(row), 0, 1, &p.Data[i*p.Row], 0, 0, 1, len(row))
	default:
		have := min(len(row), max(0, p.Cols-k))
		if have > 0 {
			kernel.AddRows(kernel.Ptr(row), kernel.Ptr(row), 0, 1, kernel.Ptr(p.Data[i*p.Row+k:]), 0, 1, 1, have)
		}
		fill(row[have:], -inf)
	}
}

// mask hides what the queries do not see.
func (r *attentionRun) mask(s []float32, k, n int) {
	h := r.h
	for i := range h.Queries {
		row := s[i*n:][:n]
		if p := &h.Mask; p.Data != nil {
			have := min(n, max(0, p.Cols-k))
			if have > 0 {
				for j, m := range p.Data[i*p.Row+k:][:have] {
					if m == 0 {
						row[j] = -inf
					}
				}
			}
			fill(row[have:], -inf)
		}
		from, to := h.sees(i)-k, h.until(i)-k
		fill(row[:min(n, max(0, from))], -inf)
		fill(row[min(n, max(0, to)):], -inf)
	}
}

func fill(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}

func (r *attentionRun) keep(stage Stage, s []float32, k, n int) {
	if r.a.Keep != stage {
		return
	}
	for i := range r.h.Queries {
		copy(r.h.Scores[i*r.h.All+k:][:n], s[i*n:][:n])
	}
}

// finish divides by the sums.
func (r *attentionRun) finish() {
	a, h := r.a, r.h
	for i := range h.Queries {
		sum := r.sum[i]
		if h.HasSink {
			m := max(r.best[i], h.Sink)
			f := float32(0)
			if r.best[i] != -inf {
				f = kernel.ExpOf(r.best[i] - m)
			}
			// What was summed up is relative to the largest score: sum·f + e^(sink−m), over f.
			sum = float32(sum*f) + kernel.ExpOf(h.Sink-m)
			r.factor[i] = f / sum
		} else if r.factor[i] = 1 / sum; sum == 0 && !a.Strict {
			r.factor[i] = 0
		}
		if y := h.Y[i*a.LDY:][:a.Width]; r.begun {
			kernel.MulRows(kernel.Ptr(y), kernel.Ptr(y), 0, 1, &r.factor[i], 0, 0, 1, a.Width)
		} else {
			clear(y)
		}
		if a.Keep == KeepSoftmax && h.All > 0 {
			kernel.MulRows(kernel.Ptr(h.Scores[i*h.All:]), kernel.Ptr(r.scores[i*h.All:]), 0, 1, &r.factor[i], 0, 0, 1, h.All)
		}
	}
}

// Few is what Attention computes where each head has few queries, as in a decoder that
// writes: of many heads together, for what is around their kernels would take longer than
// these do. All keys are met at once.
type Few struct {
	Y, Q       []float32 // Rows of them; those of Y are dense
	K, V       []float32
	Rows       int // the queries of all heads
	Share      int // so many of them, one after another, see the same keys
	GapK, GapV int // elements from these keys, and values, to the next ones
	First      int // the column of Bias that key 0 has
	Keys       int
	Bias       [2]Plane[float32] // as those of Head
}

// fewScores is how many scores there are at a time, if a row has no more: 64 KB.
const fewScores = 16 * 1024

// FewScratch returns how many float32 of scratch RunFew wants for so many rows and keys.
func (a *Attention) FewScratch(rows, keys int) int {
	return min(rows*keys, max(keys, fewScores)) + keys + rows*(a.Depth+3)
}

// RunFew computes h. Softcap, Keep and the distances LDQ, LDK and LDV of a count, but for
// Keep of KeepNone alone.
func (a *Attention) RunFew(h *Few, scratch []float32) {
	n := h.Keys
	if h.Rows == 0 || a.Width == 0 {
		return
	}
	if n == 0 {
		clear(h.Y[:h.Rows*a.Width])
		return
	}
	mem := arena(scratch)
	q, best, sums, factors, taps := mem.take(h.Rows*a.Depth), mem.take(h.Rows), mem.take(h.Rows), mem.take(h.Rows), mem.takeInts(n)
	if a.Depth > 0 {
		factors[0] = a.Scale
		kernel.MulRows(kernel.Ptr(q), kernel.Ptr(h.Q), a.LDQ, 1, kernel.Ptr(factors), 0, 0, h.Rows, a.Depth)
	}
	for i := range taps {
		taps[i] = int32(i * a.LDV)
	}
	fill(best, -inf)
	step := min(h.Rows, max(1, fewScores/n))
	scores := mem.take(step * n)
	for from := 0; from < h.Rows; from += step {
		rows := min(step, h.Rows-from)
		s := scores[:rows*n]
		for i := range rows {
			r := from + i
			kernel.DotRows(kernel.Ptr(s[i*n:]), kernel.Ptr(q[r*a.Depth:]), kernel.Ptr(h.K[r/h.Share*h.GapK:]), a.LDK, a.Depth, n)
			for k := range h.Bias {
				addPlane(&h.Bias[k], s[i*n:][:n], r, h.First)
			}
		}
		kernel.ExpRows(kernel.Ptr(s), kernel.Ptr(best[from:]), kernel.Ptr(sums[from:]), kernel.Ptr(s), rows, n)
		for i := range rows {
			r := from + i
			kernel.Depthwise(kernel.Ptr(h.Y[r*a.Width:]), 0, kernel.Ptr(h.V[r/h.Share*h.GapV:]), 0, kernel.Ptr(taps), kernel.Ptr(s[i*n:]), n, 1, a.Width, 0, -inf, inf)
		}
	}
	for i, sum := range sums {
		if factors[i] = 1 / sum; sum == 0 && !a.Strict {
			factors[i] = 0
		}
	}
	y := kernel.Ptr(h.Y[:h.Rows*a.Width])
	kernel.MulRows(y, y, a.Width, 1, kernel.Ptr(factors), 1, 0, h.Rows, a.Width)
}

// Rotate turns pairs of x's elements by angles, len(cos) of them, and copies what is left.
// A pair is elements 2i and 2i+1 if interleaved, else i and len(cos)+i. y may be x.
func Rotate(y, x, cos, sin []float32, interleaved bool) {
	n := len(cos)
	sin = sin[:n]
	if len(x) > 2*n {
		copy(y[2*n:], x[2*n:])
	}
	if interleaved {
		x, y = x[:2*n], y[:2*n]
		for i, c := range cos {
			s, p, q := sin[i], x[2*i], x[2*i+1]
			y[2*i], y[2*i+1] = float32(p*c)-float32(q*s), float32(p*s)+float32(q*c)
		}
		return
	}
	x1, x2, y1, y2 := x[:n], x[n:2*n], y[:n], y[n:2*n]
	for i, c := range cos {
		s, p, q := sin[i], x1[i], x2[i]
		y1[i], y2[i] = float32(p*c)-float32(q*s), float32(p*s)+float32(q*c)
	}
}
