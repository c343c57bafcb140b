package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// panelKeys is how many keys a panel of queries meets at a time: 16 KB of scores.
const panelKeys = 512

// PanelRows is how many queries a panel has.
const PanelRows = kernel.NR

// Hides is a bias that hides a key, whatever its score is: beside a key that is seen its
// exponential is 0.
const Hides = -1e30

// KeyPanels are the keys and values of a head, laid out once for all queries that meet them:
// [keys/4][depth][4] and [width/4][keys][4], the rest filled up with 0.
type KeyPanels struct {
	keys, values []float32
	n            int
}

// PanelLen is how many float32 of memory the panels of so many keys take.
func (a *Attention) PanelLen(keys int) int {
	return kernel.RoundUp(keys, kernel.MR)*a.Depth + kernel.RoundUp(a.Width, kernel.MR)*keys
}

// LayOut lays out the first n rows of k and v in room, PanelLen(n) elements.
func (a *Attention) LayOut(k, v []float32, n int, room []float32) KeyPanels {
	mem := arena(room)
	p := KeyPanels{mem.take(kernel.RoundUp(n, kernel.MR) * a.Depth), mem.take(kernel.RoundUp(a.Width, kernel.MR) * n), n}
	packA(p.keys, k, a.LDK, n, a.Depth, 0, false, nil)
	packA(p.values, v, a.LDV, a.Width, n, 0, true, nil)
	return p
}

// InPanels says whether RunPanels does what Run does: not with what is rare.
func (a *Attention) InPanels() bool {
	return a.Keep == KeepNone && a.Softcap == 0 && a.Depth > 0 && a.Width > 0
}

// PanelScratch returns how many float32 of scratch RunPanels wants.
func (a *Attention) PanelScratch() int {
	return kernel.NR*(a.Depth+2*panelKeys+kernel.RoundUp(a.Width, kernel.MR)+7) + panelKeys
}

// PanelTime is about how many nanoseconds RunPanels and LayOut take.
func (a *Attention) PanelTime(queries, keys int) int {
	return productTime(queries+kernel.NR, keys, a.Depth+a.Width+kernel.NR)
}

// RunPanels is Run with keys and values that LayOut has laid out, for heads without a Window
// or a Sink, if InPanels. Eight queries at a time are a panel of the scores,
// [keys][8], which is what the product by the values wants: nothing is laid out between the
// two, a bias is where the first begins, and rows need no shuffles for maximum and sum.
// Ends has, for each eight queries, the key behind the last that one of them may see; it may
// be nil. That is only as good as what the queries do see: a panel in which one saw next to
// nothing is computed again with all keys.
//
// With seen, which has an element for each query, and without a Mask it is as threads.For wants
// the parts of a step. What would be computed again is left: see Saw.
func (a *Attention) RunPanels(h *Head, keys KeyPanels, ends []int32, scratch, seen []float32) {
	mem := arena(scratch)
	width := kernel.RoundUp(a.Width, kernel.MR)
	r := panelRun{a: a, h: h, keys: keys, q: mem.take(kernel.NR * a.Depth), y: mem.take(kernel.NR * width),
		scores: mem.take(kernel.NR * panelKeys), more: mem.take(kernel.NR * panelKeys),
		column: mem.take(panelKeys), best: mem.take(kernel.NR), sum: mem.take(kernel.NR), part: mem.take(kernel.NR), factor: mem.take(kernel.NR),
		spread: mem.take(kernel.NR), finite: mem.take(kernel.NR), numbers: mem.take(kernel.NR)}
	r.numbers[0], r.numbers[1], r.numbers[2] = a.Scale, -math.MaxFloat32, 1e-30
	if h.Queries < kernel.NR {
		clear(r.q) // of the queries that there are not; later it has those of another panel there
	}
	for i := 0; i < h.Queries; i += kernel.NR {
		r.first, r.rows = i, min(kernel.NR, h.Queries-i)
		kernel.Transpose(kernel.Ptr(r.q), kernel.NR, kernel.Ptr(h.Q[i*a.LDQ:]), a.LDQ, r.rows, a.Depth)
		if a.Scale != 1 {
			kernel.MulRows(kernel.Ptr(r.q), kernel.Ptr(r.q), 0, 1, &r.numbers[0], 0, 0, 1, len(r.q))
		}
		all := min(h.until(i+r.rows-1), keys.n)
		n := all
		if ends != nil {
			n = min(n, int(ends[i/kernel.NR]))
		}
		r.panel(n)
		switch {
		case n == all:
			if seen != nil {
				clear(seen[i:][:r.rows])
			}
		case seen != nil:
			copyRows(seen[i:], 0, r.best, 0, 1, r.rows)
		case !Saw(r.best[:r.rows]):
			r.panel(all)
		}
		r.finish(all)
	}
}

type panelRun struct {
	a           *Attention
	h           *Head
	keys        KeyPanels
	q, y        []float32 // [depth][8] and [width][8]
	scores      []float32 // [keys][8]
	more        []float32 // another bias, as the scores are
	column      []float32 // a bias that all queries share
	best, sum   []float32 // of the keys so far
	part        []float32 // the sum of these
	factor      []float32
	spread      []float32 // a bias that all keys share
	finite      []float32 // best, but no -Inf
	numbers     []float32 // scale, the lowest number, and less than a sum of exponentials is
	first, rows int
}

// Saw says that each query has a score with which hidden ones count for nothing.
func Saw(best []float32) bool {
	for _, m := range best {
		if !(m > Hides/16) {
			return false
		}
	}
	return true
}

// panel computes y for the first n keys, before the division.
func (r *panelRun) panel(n int) {
	a, h := r.a, r.h
	fillBy(r.best, &least)
	width := kernel.RoundUp(a.Width, kernel.MR)
	for k := 0; k < n; k += panelKeys {
		kc := min(panelKeys, n-k)
		padded := kernel.RoundUp(kc, kernel.MR)
		s := r.scores[:kernel.NR*padded]
		start, bias := r.bias(&h.Bias, s, k, kc)
		kernel.GemmTiles(kernel.Ptr(s), kernel.NR, kernel.Ptr(r.keys.keys[k*a.Depth:]), kernel.MR*a.Depth, kernel.Ptr(r.q), 0, a.Depth, padded/kernel.MR, 1,
			int(start), kernel.Ptr(bias), -inf, inf)
		if h.Bias2.Data != nil {
			r.add(&h.Bias2, s, k, kc)
		}
		r.hide(s, k, kc)
		start = FromZero
		if k == 0 {
			kernel.ExpPanel(kernel.Ptr(s), kernel.Ptr(r.best), kernel.Ptr(r.sum), kc)
		} else {
			f, y := kernel.Ptr(r.factor), kernel.Ptr(r.y)
			copyRows(r.factor, 0, r.best, 0, 1, kernel.NR)
			kernel.ExpPanel(kernel.Ptr(s), kernel.Ptr(r.best), kernel.Ptr(r.part), kc)
			// What there was counts by e to what it was less what it is, and for nothing if it was -Inf.
			kernel.MaxRows(kernel.Ptr(r.finite), kernel.Ptr(r.best), 0, 1, &r.numbers[1], 0, 0, 1, kernel.NR)
			kernel.SubRows(f, f, 0, 1, kernel.Ptr(r.finite), 0, 1, 1, kernel.NR)
			kernel.ExpN(f, f, kernel.NR)
			kernel.MulRows(kernel.Ptr(r.sum), kernel.Ptr(r.sum), 0, 1, f, 0, 1, 1, kernel.NR)
			kernel.AddRows(kernel.Ptr(r.sum), kernel.Ptr(r.sum), 0, 1, kernel.Ptr(r.part), 0, 1, 1, kernel.NR)
			kernel.MulRows(y, y, kernel.NR, 1, f, 0, 1, width, kernel.NR)
			start = FromY
		}
		kernel.GemmTiles(kernel.Ptr(r.y), kernel.NR, kernel.Ptr(r.keys.values[k*kernel.MR:]), kernel.MR*r.keys.n, kernel.Ptr(s), 0, kc, width/kernel.MR, 1,
			int(start), nil, -inf, inf)
	}
}

// bias says from what the scores of keys k … k+n−1 start, which for rows of their own it has
// put into s.
func (r *panelRun) bias(p *Plane[float32], s []float32, k, n int) (Start, []float32) {
	switch {
	case p.Data == nil:
		return FromZero, nil
	case p.Spread:
		kernel.Transpose(kernel.Ptr(r.spread), kernel.NR, kernel.Ptr(p.Data[r.first*p.Row:]), p.Row, r.rows, 1)
		return FromColumn, r.spread
	case p.Row != 0:
		r.rowsOf(p, s, k, n)
		return FromY, nil
	}
	padded := kernel.RoundUp(n, kernel.MR)
	if k+padded <= p.Cols {
		return FromRow, p.Data[k:]
	}
	have := min(n, max(0, p.Cols-k))
	copyRows(r.column, 0, p.Data[min(k, len(p.Data)):], 0, 1, have)
	fillBy(r.column[have:padded], &least)
	return FromRow, r.column
}

// rowsOf lays out a bias as the scores are.
func (r *panelRun) rowsOf(p *Plane[float32], s []float32, k, n int) {
	have := min(n, max(0, p.Cols-k))
	if have > 0 {
		kernel.Transpose(kernel.Ptr(s), kernel.NR, kernel.Ptr(p.Data[r.first*p.Row+k:]), p.Row, r.rows, have)
	}
	fillBy(s[kernel.NR*have:], &least)
}

// add adds a second bias.
func (r *panelRun) add(p *Plane[float32], s []float32, k, n int) {
	more := r.more[:len(s)]
	switch start, column := r.bias(p, more, k, n); start {
	case FromColumn:
		kernel.AddRows(kernel.Ptr(s), kernel.Ptr(s), kernel.NR, 1, kernel.Ptr(column), 0, 1, n, kernel.NR)
	case FromRow:
		kernel.AddRows(kernel.Ptr(s), kernel.Ptr(s), kernel.NR, 1, kernel.Ptr(column), 1, 0, n, kernel.NR)
	default:
		kernel.AddRows(kernel.Ptr(s), kernel.Ptr(s), 0, 1, kernel.Ptr(more), 0, 1, 1, kernel.NR*n)
	}
}

// hide hides what the queries do not see.
func (r *panelRun) hide(s []float32, k, n int) {
	h := r.h
	if h.Causal {
		for j := max(0, h.Past+r.first+1-k); j < n; j++ {
			fillBy(s[j*kernel.NR:][:min(kernel.NR, k+j-h.Past-r.first)], &least)
		}
	}
	p := &h.Mask
	if p.Data == nil {
		return
	}
	have := min(n, max(0, p.Cols-k))
	for l := range r.rows {
		for j, m := range p.Data[min((r.first+l)*p.Row+k, len(p.Data)):][:have] {
			if m == 0 {
				s[j*kernel.NR+l] = -inf
			}
		}
	}
	fill(s[kernel.NR*have:kernel.NR*n], -inf)
}

// finish divides by the sums and puts the queries' rows where they belong.
func (r *panelRun) finish(keys int) {
	a := r.a
	if keys == 0 {
		for i := range r.rows {
			clear(r.h.Y[(r.first+i)*a.LDY:][:a.Width])
		}
		return
	}
	sum, f := kernel.Ptr(r.sum), kernel.Ptr(r.factor)
	if !a.Strict { // of a query that saw nothing y is 0 then, and stays so
		kernel.MaxRows(sum, sum, 0, 1, &r.numbers[2], 0, 0, 1, kernel.NR)
	}
	kernel.DivRows(f, &one[0], 0, 0, sum, 0, 1, 1, kernel.NR)
	kernel.MulRows(kernel.Ptr(r.y), kernel.Ptr(r.y), kernel.NR, 1, f, 0, 1, a.Width, kernel.NR)
	kernel.Transpose(kernel.Ptr(r.h.Y[r.first*a.LDY:]), a.LDY, kernel.Ptr(r.y), kernel.NR, a.Width, r.rows)
}

// MaskEnds writes, for each eight of so many queries, the key behind the last that p does
// not hide from all of them.
func MaskEnds(ends []int32, p *Plane[float32], queries, keys int) {
	have := min(keys, p.Cols)
	for i := range ends {
		end := 0
		switch {
		case p.Spread:
			end = keys
		case i > 0 && p.Row == 0:
			end = int(ends[0])
		default:
			// The last one first: of causal rows it sees the most.
			for q := min(kernel.NR*(i+1), queries) - 1; q >= kernel.NR*i; q-- {
				row := p.Data[q*p.Row:][:have]
				for j := have; j > end; j-- {
					if !(row[j-1] <= Hides) {
						end = j
					}
				}
			}
		}
		ends[i] = int32(end)
	}
}
