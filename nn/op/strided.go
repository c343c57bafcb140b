package op

import "github.com/normwasm/normwasm/internal/slab"

// strided copies an array whose source and destination are walked by strides:
// the one loop behind Transpose, Slice, Expand, Tile, Pad, DepthToSpace and
// SpaceToDepth.
type strided struct {
	dims     []int // collapsed: neighbours that step alike are one
	src, dst []int // elements from one index to the next
	srcAt    int   // first element
	dstAt    int
	words    bool // words of 4 bytes are moved, not bytes
	unit     int  // words or bytes of an element
}

// set collapses the walk to the fewest dimensions. Elements of 8 and of 2 bytes
// are pairs of words and of bytes. srcAt and dstAt are set by the caller where
// they are not 0. The lists are copied.
func (p *strided) set(size int, dims, src, dst []int) {
	p.dims, p.src, p.dst = p.dims[:0], p.src[:0], p.dst[:0]
	p.srcAt, p.dstAt = 0, 0
	p.words, p.unit = size >= 4, size
	if p.words {
		p.unit = size / 4
	}
	for i, n := range dims {
		p.dim(n, src[i]*p.unit, dst[i]*p.unit)
	}
	p.dim(p.unit, 1, 1)
	if len(p.dims) == 0 {
		p.dims, p.src, p.dst = append(p.dims, 1), append(p.src, 1), append(p.dst, 1)
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
	d, s := p.dstAt*p.unit+from*p.dst[0], p.srcAt*p.unit+from*p.src[0]
	if p.words {
		stridedCopy(p, slab.View[uint32](dst), slab.View[uint32](src), 0, to-from, d, s)
	} else {
		stridedCopy(p, dst, src, 0, to-from, d, s)
	}
}

// stridedCopy copies n rows of the dimension level.
func stridedCopy[T slab.Elem](p *strided, dst, src []T, level, n, d, s int) {
	ds, ss := p.dst[level], p.src[level]
	if level == len(p.dims)-1 {
		switch {
		case ds == 1 && ss == 1:
			copy(dst[d:d+n], src[s:s+n])
		case ds == 1 && ss == 0:
			v := src[s]
			row := dst[d : d+n]
			for i := range row {
				row[i] = v
			}
		default:
			for range n {
				dst[d] = src[s]
				d, s = d+ds, s+ss
			}
		}
		return
	}
	m := p.dims[level+1]
	if level == len(p.dims)-2 {
		di, si := p.dst[level+1], p.src[level+1]
		if di != 1 || si != 0 && si != 1 {
			transposeTiles(dst, src, d, s, [2]int{n, m}, [2]int{ds, di}, [2]int{ss, si})
			return
		}
		if si == 1 {
			for range n {
				copy(dst[d:d+m], src[s:s+m])
				d, s = d+ds, s+ss
			}
			return
		}
	}
	for range n {
		stridedCopy(p, dst, src, level+1, m, d, s)
		d, s = d+ds, s+ss
	}
}

// transposeTiles copies a matrix in tiles of 16 × 16, so that each cache line of
// either side is used while it is near.
func transposeTiles[T slab.Elem](dst, src []T, d, s int, dims, ds, ss [2]int) {
	const tile = 16
	for i0 := 0; i0 < dims[0]; i0 += tile {
		i1 := min(i0+tile, dims[0])
		for j0 := 0; j0 < dims[1]; j0 += tile {
			j1 := min(j0+tile, dims[1])
			for i := i0; i < i1; i++ {
				at, from := d+i*ds[0]+j0*ds[1], s+i*ss[0]+j0*ss[1]
				for range j1 - j0 {
					dst[at] = src[from]
					at, from = at+ds[1], from+ss[1]
				}
			}
		}
	}
}
