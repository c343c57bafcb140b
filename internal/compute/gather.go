package compute

import "github.com/normwasm/normwasm/internal/slab"

// asNumber is size where elements of that size can be moved as one number: rows of smaller
// elements may lie at any address.
func asNumber(y, x []byte, size int) int {
	if size == 2 && (!slab.Aligned[uint16](y) || !slab.Aligned[uint16](x)) ||
		size == 4 && (!slab.Aligned[uint32](y) || !slab.Aligned[uint32](x)) ||
		size == 8 && (!slab.Aligned[uint64](y) || !slab.Aligned[uint64](x)) {
		return 0
	}
	return size
}

// Pick copies to y the elements of size bytes that begin at these bytes of x.
func Pick(y, x []byte, at []int64, size int) {
	switch asNumber(y, x, size) {
	case 1:
		for i, p := range at {
			y[i] = x[p]
		}
	case 2:
		pickAll(slab.View[uint16](y), slab.View[uint16](x), at, 1)
	case 4:
		pickAll(slab.View[uint32](y), slab.View[uint32](x), at, 2)
	case 8:
		pickAll(slab.View[uint64](y), slab.View[uint64](x), at, 3)
	default:
		for _, p := range at {
			copy(y[:size], x[int(p):][:size])
			y = y[size:]
		}
	}
}

func pickAll[T slab.Elem](y, x []T, at []int64, shift uint) {
	y = y[:len(at)]
	for i, p := range at {
		y[i] = x[p>>(shift&7)]
	}
}

// Put copies the elements of x, of size bytes each, to where they begin in y.
func Put(y, x []byte, at []int64, size int) {
	switch asNumber(y, x, size) {
	case 4:
		putAll(slab.View[uint32](y), slab.View[uint32](x), at, 2)
	case 8:
		putAll(slab.View[uint64](y), slab.View[uint64](x), at, 3)
	default:
		for _, p := range at {
			copy(y[int(p):][:size], x[:size])
			x = x[size:]
		}
	}
}

func putAll[T slab.Elem](y, x []T, at []int64, shift uint) {
	x = x[:len(at)]
	for i, p := range at {
		y[p>>(shift&7)] = x[i]
	}
}
