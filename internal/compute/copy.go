package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// CopyRows copies rows of n bytes between arrays, from d and s on, of which rows start ds and ss
// bytes apart.
func CopyRows(dst []byte, d, ds int, src []byte, s, ss, n, rows int) {
	if n == 0 {
		return
	}
	parts := 1
	if (d|ds|s|ss|n)%4 == 0 {
		parts = threads.Parts(rows*n/256, rows*n/10)
	}
	if parts == 1 {
		for range rows {
			copy(dst[d:d+n], src[s:s+n])
			d, s = d+ds, s+ss
		}
		return
	}
	dst, src = dst[d:], src[s:]
	y, x, ds, ss, n := slab.View[float32](dst[:len(dst)&^3]), slab.View[float32](src[:len(src)&^3]), ds/4, ss/4, n/4
	threads.For(parts, func(part int) {
		row, last, col, end := 0, rows, 0, n
		if rows >= parts {
			row, last = threads.Range(rows, parts, part)
		} else {
			col, end = threads.Range(n, parts, part)
		}
		if row < last && col < end {
			kernel.CopyPlane(kernel.Ptr(y[row*ds+col:]), ds, kernel.Ptr(x[row*ss+col:]), ss, last-row, end-col)
		}
	})
}
