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

// What Convert converts: from a type to another.
const (
	ConvertTrunc  = iota // float32 to int32, cut off; NaN is 0
	ConvertFloat         // int32 to float32
	ConvertLong          // int32 to int64
	ConvertShort         // int64 to int32, the lower bits
	ConvertUint8         // uint8 to int32
	ConvertInt8          // int8 to int32
	ConvertByte          // int32 to 8 bits, the lower ones
	ConvertDouble        // float32 to float64
	ConvertSingle        // float64 to float32
	ConvertWhole         // int64 to float32
)

// Convert converts n elements and returns how many it has done: all, but that ConvertTrunc
// stops before four numbers, or at the end one, of which one is as large as 2³¹.
//
//	dst[i] = the type's src[i]
func convertScalar(dst, src *uint8, n, how int) (done int) {
	switch how {
	case ConvertTrunc:
		y, x := elements[int32](dst, n), elements[float32](src, n)
		for i := 0; i < n; {
			group := 4
			if n-i < 4 {
				group = 1
			}
			for _, v := range x[i : i+group] {
				if AbsOf(v) >= 1<<31 {
					return i
				}
			}
			for range group {
				if y[i] = 0; x[i] == x[i] {
					y[i] = int32(x[i])
				}
				i++
			}
		}
	case ConvertFloat:
		convertAll[float32, int32](dst, src, n)
	case ConvertLong:
		convertAll[int64, int32](dst, src, n)
	case ConvertShort:
		convertAll[int32, int64](dst, src, n)
	case ConvertUint8:
		convertAll[int32, uint8](dst, src, n)
	case ConvertInt8:
		convertAll[int32, int8](dst, src, n)
	case ConvertByte:
		convertAll[uint8, int32](dst, src, n)
	case ConvertDouble:
		convertAll[float64, float32](dst, src, n)
	case ConvertSingle:
		convertAll[float32, float64](dst, src, n)
	default:
		convertAll[float32, int64](dst, src, n)
	}
	return n
}

type anyNumber interface {
	int8 | uint8 | int32 | int64 | float32 | float64
}

func convertAll[D, S anyNumber](dst, src *uint8, n int) {
	y := elements[D](dst, n)
	for i, v := range elements[S](src, n) {
		y[i] = D(v)
	}
}

// ArgRows notes which of n columns of a row are better than the best so far: larger, or with
// low smaller, or the first NaN.
//
//	if best[i] is a number && !(src[i] <= best[i]) { best[i] = src[i]; index[i] = row }  // low: >=
func argRowsScalar(best *float32, index *int32, src *float32, n, row, low int) {
	b, at := slice(best, n), slice(index, n)
	for i, v := range slice(src, n) {
		t := b[i]
		beaten := v <= t
		if low != 0 {
			beaten = v >= t
		}
		if t == t && !beaten {
			b[i], at[i] = v, int32(row)
		}
	}
}

// Places adds to n places where indices of size 4 or 8 bytes point, of which one comes every
// stride: those below 0 count from the end of limit. It returns how many it has done: all, or
// as many as are before one that is out of range.
//
//	at[i] += (indices[i*stride] < 0 ? indices[i*stride] + limit : indices[i*stride]) * unit + first + i*step
func placesScalar(at *int64, indices *uint8, n, size, stride, limit, unit, first, step int) (done int) {
	if size == 4 {
		return placesOf(slice(at, n), elements[int32](indices, (n-1)*stride+1), stride, limit, unit, first, step)
	}
	return placesOf(slice(at, n), elements[int64](indices, (n-1)*stride+1), stride, limit, unit, first, step)
}

func placesOf[T int32 | int64](at []int64, indices []T, stride, limit, unit, first, step int) (done int) {
	for i := range at {
		p := int64(indices[i*stride])
		if p < 0 {
			p += int64(limit)
		}
		if p < 0 || p >= int64(limit) {
			return i
		}
		at[i] += p*int64(unit) + int64(first+i*step)
	}
	return len(at)
}

// What FindBeyond looks for.
const (
	FindAbove = iota
	FindBelow
	FindEqual
)

// FindBeyond is the first i of n for which !(src[i] <= limit), or !(src[i] >= limit),
// or is equal to it; n for none.
func findBeyondScalar(src *float32, n int, limit float32, how int) (at int) {
	for i, v := range slice(src, n) {
		switch how {
		case FindAbove:
			if !(v <= limit) {
				return i
			}
		case FindBelow:
			if !(v >= limit) {
				return i
			}
		default:
			if v == limit {
				return i
			}
		}
	}
	return n
}

// FindLarger is the first i of n for which src[i] > limit; n for none.
func findLargerScalar(src *int64, n, limit int) (at int) {
	for i, v := range slice(src, n) {
		if v > int64(limit) {
			return i
		}
	}
	return n
}

// PickAlong moves n elements of size 4 or 8 bytes from where indices of width 4 or 8 bytes point
// in rows to a list, or with put from the list to there. Indices below 0 count from the end of
// limit. It returns how many it has done: all, or as many as are before an index that is out of
// range.
//
//	p = indices[i] < 0 ? indices[i] + limit : indices[i]
//	put: the element at rows + first + i*step + p*unit = list[i], else the other way round
func pickAlongScalar(rows, list, indices *uint8, n, width, size, limit, unit, first, step, put int) (done int) {
	for i := range n {
		p := 0
		if width == 4 {
			p = int(elements[int32](indices, n)[i])
		} else {
			p = int(elements[int64](indices, n)[i])
		}
		if p < 0 {
			p += limit
		}
		if p < 0 || p >= limit {
			return i
		}
		to, from := slice(list, n*size)[i*size:], slice(rows, first+i*step+p*unit+size)[first+i*step+p*unit:]
		if put != 0 {
			to, from = from, to
		}
		copy(to[:size], from)
	}
	return n
}
