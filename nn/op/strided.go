package op

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// strided copies an array whose source and destination are walked by strides:
// the one loop behind Transpose, Slice, Expand, Tile, Pad, DepthToSpace and
// SpaceToDepth.
type strided struct {
	dims     []int // collapsed: neighbours that step alike are one
	src, dst []int // bytes from one index to the next
	srcAt    int   // first element
	dstAt    int
	element  int // bytes of an element
	unit     int // bytes of what is moved at a time: 1, 2, 4 or 8
}

// set collapses the walk to the fewest dimensions. srcAt and dstAt are set by the caller
// where they are not 0. The lists are copied.
func (p *strided) set(size int, dims, src, dst []int) {
	p.dims, p.src, p.dst = p.dims[:0], p.src[:0], p.dst[:0]
	p.srcAt, p.dstAt = 0, 0
	p.element, p.unit = size, size
	if size > 8 {
		p.unit = 8
	}
	for i, n := range dims {
		p.dim(n, src[i]*size, dst[i]*size)
	}
	p.dim(size/p.unit, p.unit, p.unit)
	// A few small elements that stay together are moved as one.
	if last := len(p.dims) - 1; last >= 0 && p.src[last] == p.unit && p.dst[last] == p.unit {
		if run := p.dims[last] * p.unit; run == 2 || run == 4 || run == 8 {
			p.dims, p.src, p.dst, p.unit = p.dims[:last], p.src[:last], p.dst[:last], run
		}
	}
	if len(p.dims) == 0 {
		p.dims, p.src, p.dst = append(p.dims, 1), append(p.src, p.unit), append(p.dst, p.unit)
	}
}

func (p *strided) dim(n, src, dst int) {
	if n == 1 {
		return
	}
	last := len(p.dims) - 1
	if last >= 0 && p.src[last] == src*n && p.dst[last] == dst*n {
		p.dims[last] *= n
		p.src[last], p.dst[last] = src, dst
		return
	}
	p.dims, p.src, p.dst = append(p.dims, n), append(p.src, src), append(p.dst, dst)
}

// run copies. It allocates nothing.
func (p *strided) run(dst, src []byte) { p.runRows(dst, src, 0, p.rows()) }

// rows is how many parts, along the outermost dimension, may be copied apart: 0 when
// there is nothing to copy.
func (p *strided) rows() int {
	for _, n := range p.dims {
		if n == 0 {
			return 0
		}
	}
	return p.dims[0]
}

func (p *strided) runRows(dst, src []byte, from, to int) {
	if from >= to {
		return
	}
	d, s := p.dstAt*p.element, p.srcAt*p.element
	p.within(dst, d, p.dst)
	p.within(src, s, p.src)
	p.copy(dst, src, 0, to-from, d+from*p.dst[0], s+from*p.src[0])
}

// within holds the whole walk to an array's bounds, which the kernel does not look at.
func (p *strided) within(data []byte, at int, steps []int) {
	low, high := at, at+p.unit
	for i, n := range p.dims {
		low += min((n-1)*steps[i], 0)
		high += max((n-1)*steps[i], 0)
	}
	_ = data[low:high]
}

// copy copies n rows of the dimension level.
func (p *strided) copy(dst, src []byte, level, n, d, s int) {
	ds, ss, unit := p.dst[level], p.src[level], p.unit
	if level == len(p.dims)-1 {
		if ds == unit && ss == unit {
			copy(dst[d:d+n*unit], src[s:s+n*unit])
		} else {
			kernel.CopyGrid(&dst[d], &src[s], 1, n, 0, ds, 0, ss, unit)
		}
		return
	}
	m := p.dims[level+1]
	if level < len(p.dims)-2 {
		for range n {
			p.copy(dst, src, level+1, m, d, s)
			d, s = d+ds, s+ss
		}
		return
	}
	di, si, run := p.dst[level+1], p.src[level+1], m*unit
	switch {
	case di == unit && si == unit && (run > 64 || run%8 != 0):
		for range n {
			copy(dst[d:d+run], src[s:s+run])
			d, s = d+ds, s+ss
		}
	case di == unit && si == unit:
		kernel.CopyGrid(&dst[d], &src[s], n, run/8, ds, 8, ss, 8, 8)
	case di == unit && si == 0 && run > 64:
		for range n {
			fillTensor(dst[d:d+run], src[s:s+unit])
			d, s = d+ds, s+ss
		}
	default:
		copyTiles(dst, src, d, s, [2]int{n, m}, [2]int{ds, di}, [2]int{ss, si}, unit)
	}
}

// copyTiles copies a matrix in tiles of 32 × 32, so that each cache line of either side is
// used while it is near. The longer dimension is the inner one.
func copyTiles(dst, src []byte, d, s int, dims, ds, ss [2]int, unit int) {
	const tile = 32
	o, i := 0, 1
	if dims[0] > dims[1] && dims[1] < tile {
		o, i = 1, 0
	}
	words := unit == 4 && (d|s|ds[0]|ds[1]|ss[0]|ss[1])&3 == 0 && min(ds[0], ds[1], ss[0], ss[1]) > 0 &&
		slab.Aligned[float32](dst) && slab.Aligned[float32](src)
	for i0 := 0; i0 < dims[i]; i0 += tile {
		cols := min(tile, dims[i]-i0)
		for o0 := 0; o0 < dims[o]; o0 += tile {
			rows := min(tile, dims[o]-o0)
			y, x := dst[d+o0*ds[o]+i0*ds[i]:], src[s+o0*ss[o]+i0*ss[i]:]
			switch {
			case words && ds[o] == 4 && ss[i] == 4:
				kernel.Transpose(&slab.View[float32](y[:4])[0], ds[i]/4, &slab.View[float32](x[:4])[0], ss[o]/4, rows, cols)
			case words && ds[i] == 4 && ss[o] == 4:
				kernel.Transpose(&slab.View[float32](y[:4])[0], ds[o]/4, &slab.View[float32](x[:4])[0], ss[i]/4, cols, rows)
			default:
				kernel.CopyGrid(&y[0], &x[0], rows, cols, ds[o], ds[i], ss[o], ss[i], unit)
			}
		}
	}
}
