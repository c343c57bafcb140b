package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/threads"
)

// maxRank is the rank up to which Transpose works without allocating.
const maxRank = 16

// Transpose permutes the axes of x [shape]: axis i of y is axis perm[i] of x. y
// may not overlap x. Ranks up to 16.
func Transpose[T any](y, x []T, shape, perm []int) { TransposeBlocks(y, x, shape, perm, 0, 0) }

// TransposeBlocks is Transpose of an x with gaps: the axes from outer on are dense blocks,
// and each begins gap elements after the one before. 0 stands for none.
func TransposeBlocks[T any](y, x []T, shape, perm []int, outer, gap int) {
	var t permutation
	if !t.merge(shape, perm, outer, gap) {
		return
	}
	if yf, ok := any(y).([]float32); ok {
		t.float32s(yf, any(x).([]float32))
		return
	}
	permute(&t, y, x)
}

// permutation is a permutation of axes with those merged that stay neighbours.
type permutation struct {
	rank int
	n    [maxRank]int // of y, outermost first
	step [maxRank]int // of x along y's axes
}

// merge fills t; it says false when there is nothing to move.
func (t *permutation) merge(shape, perm []int, outer, gap int) bool {
	var stride [maxRank]int
	s := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if i == outer-1 {
			s = gap
		}
		stride[i] = s
		s *= shape[i]
	}
	for _, p := range perm {
		if shape[p] == 0 {
			return false
		}
		if shape[p] == 1 {
			continue
		}
		if r := t.rank; r > 0 && t.step[r-1] == shape[p]*stride[p] {
			t.n[r-1] *= shape[p]
			t.step[r-1] = stride[p]
			continue
		}
		t.n[t.rank], t.step[t.rank] = shape[p], stride[p]
		t.rank++
	}
	if t.rank == 0 {
		t.n[0], t.step[0], t.rank = 1, 1, 1
	}
	return true
}

// next moves at, an index into the first r axes, and returns x's new offset.
func (t *permutation) next(at *[maxRank]int, r, off int) int {
	for i := r - 1; i >= 0; i-- {
		off += t.step[i]
		if at[i]++; at[i] < t.n[i] {
			break
		}
		off -= t.step[i] * t.n[i]
		at[i] = 0
	}
	return off
}

// float32s copies or, where x's last axis is not y's, turns one matrix after the other: that of
// y's last axis and the one before, or the one along which x is contiguous.
func (t *permutation) float32s(y, x []float32) {
	last := t.rank - 1
	if t.rank == 1 {
		permute(t, y, x)
		return
	}
	copies := t.step[last] == 1
	k := last - 1
	if !copies {
		for k = 0; t.step[k] != 1; {
			k++
		}
	}
	ldy := 1
	for i := k + 1; i < t.rank; i++ {
		ldy *= t.n[i]
	}
	// The other axes, innermost first.
	var n, xStep, yStep [maxRank]int
	outer, count, ys := 0, 1, 1
	for i := last; i >= 0; i-- {
		if i != k && i != last {
			n[outer], xStep[outer], yStep[outer] = t.n[i], t.step[i], ys
			count *= t.n[i]
			outer++
		}
		ys *= t.n[i]
	}
	// Parts have some matrices, or some rows of all.
	const rows = 16
	units, few := count, count < 2*threads.Count()
	if few {
		units = (t.n[k] + rows - 1) / rows
	}
	parts := threads.Parts(units, ys/2)
	threads.For(parts, func(part int) {
		from, to := threads.Range(units, parts, part)
		first, end := 0, t.n[k]
		if few {
			first, end = from*rows, min(to*rows, end)
			from, to = 0, count
		}
		for i := from; i < to; i++ {
			off, yOff := first*t.step[k], first*ldy
			for d, at := 0, i; d < outer; d++ {
				off += at % n[d] * xStep[d]
				yOff += at % n[d] * yStep[d]
				at /= n[d]
			}
			if copies {
				copyRows(y[yOff:], ldy, x[off:], t.step[k], end-first, t.n[last])
			} else {
				kernel.Transpose(kernel.Ptr(y[yOff:]), ldy, kernel.Ptr(x[off:]), t.step[last], t.n[last], end-first)
			}
		}
	})
}

// permute moves runs of y's last axis.
func permute[T any](t *permutation, y, x []T) {
	last := t.rank - 1
	n, step := t.n[last], t.step[last]
	var at [maxRank]int
	off := 0
	for len(y) >= n {
		if step == 1 {
			copy(y[:n], x[off:])
		} else {
			j := off
			for i := range y[:n] {
				y[i] = x[j]
				j += step
			}
		}
		y = y[n:]
		off = t.next(&at, last, off)
	}
}
