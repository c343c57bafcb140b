package kernel

import (
	"unsafe"
)

// Kernels of elements that lie one after another in the memory of any type, given as bytes.

// How ComparePairs compares: what it looks for, with CompareFloat64, CompareInt32 or
// CompareInt64 added where the elements are not float32; or one of the kinds of bytes.
const (
	CompareEqual = iota
	CompareLess
	CompareAtMost
)

const (
	CompareFloat32 = 3 * iota
	CompareFloat64
	CompareInt32
	CompareInt64
)

const (
	CompareBytes = 12 + iota // equal bytes
	CompareAnd               // bytes as bools, of which any but 0 is true
	CompareOr
	CompareXor
	CompareSame // bools that are equal
)

// ComparePairs writes 1 where a pair of n elements is what how says, else 0.
//
//	dst[i] = left[i] ∘ right[i]
func comparePairsScalar(dst, left, right *uint8, n, how int) {
	y := slice(dst, n)
	switch op := how % 3; {
	case how >= CompareBytes:
		a, b := slice(left, n), slice(right, n)
		for i := range y {
			p, q := a[i] != 0, b[i] != 0
			switch how {
			case CompareBytes:
				y[i] = bit(a[i] == b[i])
			case CompareAnd:
				y[i] = bit(p && q)
			case CompareOr:
				y[i] = bit(p || q)
			case CompareXor:
				y[i] = bit(p != q)
			default:
				y[i] = bit(p == q)
			}
		}
	case how >= CompareInt64:
		compareAll[int64](y, left, right, op)
	case how >= CompareInt32:
		compareAll[int32](y, left, right, op)
	case how >= CompareFloat64:
		compareAll[float64](y, left, right, op)
	default:
		compareAll[float32](y, left, right, op)
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// elements are n elements of a type at p.
func elements[T any](p *uint8, n int) []T { return slice((*T)(unsafe.Pointer(p)), n) }

func compareAll[T float32 | float64 | int32 | int64](y []uint8, left, right *uint8, op int) {
	a, b := elements[T](left, len(y)), elements[T](right, len(y))
	switch op {
	case CompareEqual:
		for i := range y {
			y[i] = bit(a[i] == b[i])
		}
	case CompareLess:
		for i := range y {
			y[i] = bit(a[i] < b[i])
		}
	default:
		for i := range y {
			y[i] = bit(a[i] <= b[i])
		}
	}
}

// How CombinePairs combines: what it does, and the type.
const (
	CombineAdd = iota
	CombineSub
	CombineMul
	CombineMax
	CombineMin
	CombineDiv // of float64 only

	CombineInt32   = 0
	CombineInt64   = 8
	CombineFloat64 = 16
	CombineLeaky   = 24 // of float32: left < 0 ? left * right : left
)

// CombinePairs combines n pairs; dst may be an operand. Integers wrap around. A NaN is the
// larger and the smaller of two float64, and -0 is below 0.
//
//	dst[i] = left[i] ∘ right[i]
func combinePairsScalar(dst, left, right *uint8, n, how int) {
	switch op := how & 7; how &^ 7 {
	case CombineInt32:
		combineAll[int32](dst, left, right, n, op)
	case CombineInt64:
		combineAll[int64](dst, left, right, n, op)
	case CombineFloat64:
		y, a, b := elements[float64](dst, n), elements[float64](left, n), elements[float64](right, n)
		for i, v := range a {
			switch w := b[i]; op {
			case CombineAdd:
				y[i] = v + w
			case CombineSub:
				y[i] = v - w
			case CombineMul:
				y[i] = v * w
			case CombineMax:
				y[i] = max(v, w)
			case CombineMin:
				y[i] = min(v, w)
			default:
				y[i] = v / w
			}
		}
	default:
		y, a, b := elements[float32](dst, n), elements[float32](left, n), elements[float32](right, n)
		for i, v := range a {
			if v < 0 {
				v *= b[i]
			}
			y[i] = v
		}
	}
}

func combineAll[T int32 | int64](dst, left, right *uint8, n, op int) {
	y, a, b := elements[T](dst, n), elements[T](left, n), elements[T](right, n)
	for i, v := range a {
		switch w := b[i]; op {
		case CombineAdd:
			y[i] = v + w
		case CombineSub:
			y[i] = v - w
		case CombineMul:
			y[i] = v * w
		case CombineMax:
			y[i] = max(v, w)
		default:
			y[i] = min(v, w)
		}
	}
}

// Choose takes n elements of size 1, 4 or 8 bytes from one of two operands; dst may be
// one of them.
//
//	dst[i] = condition[i] != 0 ? left[i] : right[i]
func chooseScalar(dst, condition, left, right *uint8, n, size int) {
	c := slice(condition, n)
	switch size {
	case 1:
		chooseAll[uint8](dst, c, left, right)
	case 4:
		chooseAll[uint32](dst, c, left, right)
	default:
		chooseAll[uint64](dst, c, left, right)
	}
}

func chooseAll[T any](dst *uint8, condition []uint8, left, right *uint8) {
	n := len(condition)
	y, a, b := elements[T](dst, n), elements[T](left, n), elements[T](right, n)
	for i, c := range condition {
		if c != 0 {
			y[i] = a[i]
		} else {
			y[i] = b[i]
		}
	}
}

// CopyGrid copies rows × cols elements of size 1, 2, 4 or 8 bytes; all steps are in bytes.
//
//	dst[r*dr + c*dc] = src[r*sr + c*sc]
func copyGridScalar(dst, src *uint8, rows, cols, dr, dc, sr, sc, size int) {
	switch size {
	case 1:
		copyAll[uint8](dst, src, rows, cols, dr, dc, sr, sc)
	case 2:
		copyAll[uint16](dst, src, rows, cols, dr, dc, sr, sc)
	case 4:
		copyAll[uint32](dst, src, rows, cols, dr, dc, sr, sc)
	default:
		copyAll[uint64](dst, src, rows, cols, dr, dc, sr, sc)
	}
}

func copyAll[T any](dst, src *uint8, rows, cols, dr, dc, sr, sc int) {
	for range rows {
		d, s := unsafe.Pointer(dst), unsafe.Pointer(src)
		for range cols {
			*(*T)(d) = *(*T)(s)
			d, s = unsafe.Add(d, dc), unsafe.Add(s, sc)
		}
		dst, src = (*uint8)(unsafe.Add(unsafe.Pointer(dst), dr)), (*uint8)(unsafe.Add(unsafe.Pointer(src), sr))
	}
}
