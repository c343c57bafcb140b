// Package slab allocates aligned bytes and views them as slices of numbers without a
// copy. Beside the kernels it is the only package that imports unsafe.
package slab

import "unsafe"

// Align is the alignment in bytes of every slab: one cache line.
const Align = 64

// New returns n zero bytes whose first byte is aligned to Align, which the garbage
// collector frees. It panics with a NoMemoryError where there is no room for them.
func New(n int) []byte {
	Must[byte](n)
	b := make([]byte, n+Align)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (Align - 1))
	return b[off : off+n : off+n]
}

// Float32s is New for n float32.
func Float32s(n int) []float32 { return View[float32](New(4 * n)) }

// Elem is an element type that a slab can be seen as.
type Elem interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// View returns b as a slice of T sharing its memory. It panics unless b is
// aligned for T and its length a multiple of T's size (see Aligned).
func View[T Elem](b []byte) []T {
	var t T
	size := int(unsafe.Sizeof(t))
	if len(b)%size != 0 || !Aligned[T](b) {
		panic("slab: View: misaligned bytes")
	}
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/size)
}

// Floats is View of float32, in fewer steps: what a network runs asks it for each operand.
func Floats(b []byte) []float32 {
	p := unsafe.SliceData(b)
	if (uintptr(unsafe.Pointer(p))|uintptr(len(b)))&3 != 0 && len(b) != 0 {
		panic("slab: Floats: misaligned bytes")
	}
	if len(b) == 0 {
		return nil
	}
	// What a slice is. (unsafe.Slice would multiply the length by the size again, to see whether that overflows.)
	n := len(b) / 4
	v := struct {
		p        *byte
		len, cap int
	}{p, n, n}
	return *(*[]float32)(unsafe.Pointer(&v))
}

// Aligned says whether b starts at an address that T may have.
func Aligned[T Elem](b []byte) bool {
	var t T
	return len(b) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%unsafe.Sizeof(t) == 0
}

// Bytes returns the memory of s as bytes.
func Bytes[T Elem](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

// Addr returns the address of b's first byte, 0 when b is empty. Go's heap does
// not move, so it holds for as long as b is reachable.
func Addr(b []byte) uintptr {
	if len(b) == 0 {
		return 0
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// Overlap says whether a and b share an element's memory.
func Overlap(a, b []float32) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	from, to := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return from < to+uintptr(4*len(b)) && to < from+uintptr(4*len(a))
}
