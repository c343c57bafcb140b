package ir

import "github.com/normwasm/normwasm/internal/slab"

// DType is an element type, numbered as ONNX's TensorProto.DataType.
type DType uint8

// The element types. A String tensor keeps its elements in Tensor.Strings. Of those of 4 and
// of 2 bits there are several in a byte, the first in its lowest bits.
const (
	Undefined DType = 0
	Float32   DType = 1
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Float64   DType = 11
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16

	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21
	Int4           DType = 22
	Float4E2M1     DType = 23
	Float8E8M0     DType = 24
	Uint2          DType = 25
	Int2           DType = 26
)

var dtypes = [...]string{
	Undefined: "undefined", Float32: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16",
	Int32: "int32", Int64: "int64", String: "string", Bool: "bool", Float16: "float16", Float64: "float64",
	Uint32: "uint32", Uint64: "uint64", BFloat16: "bfloat16",
	Float8E4M3FN: "float8e4m3fn", Float8E4M3FNUZ: "float8e4m3fnuz", Float8E5M2: "float8e5m2", Float8E5M2FNUZ: "float8e5m2fnuz",
	Uint4: "uint4", Int4: "int4", Float4E2M1: "float4e2m1", Float8E8M0: "float8e8m0", Uint2: "uint2", Int2: "int2",
}

// widths are the numbers of bits of an element.
var widths = [256]uint8{
	Float32: 32, Uint8: 8, Int8: 8, Uint16: 16, Int16: 16, Int32: 32, Int64: 64, Bool: 8, Float16: 16, Float64: 64,
	Uint32: 32, Uint64: 64, BFloat16: 16,
	Float8E4M3FN: 8, Float8E4M3FNUZ: 8, Float8E5M2: 8, Float8E5M2FNUZ: 8, Uint4: 4, Int4: 4, Float4E2M1: 4, Float8E8M0: 8, Uint2: 2, Int2: 2,
}

// Bits is the number of bits of one element; 0 for types without a fixed size.
func (t DType) Bits() int { return int(widths[t]) }

// Size is the number of bytes of one element, for the types whose elements are whole
// bytes; 0 for the others.
func (t DType) Size() int { return int(widths[t] >> 3) }

// Bytes is the number of bytes of n elements.
func (t DType) Bytes(n int) int { return (n*int(widths[t]) + 7) >> 3 }

// String is the type's name as the JavaScript API spells it.
func (t DType) String() string {
	if int(t) < len(dtypes) && dtypes[t] != "" {
		return dtypes[t]
	}
	return "undefined"
}

// Known says whether tensors can have the type.
func (t DType) Known() bool { return int(t) < len(dtypes) && dtypes[t] != "" && t != Undefined }

// Tensor is a row-major array. Data holds the elements' little-endian
// bytes and is aligned for its type, so that the typed views cost nothing.
type Tensor struct {
	Type    DType
	Dims    []int
	Data    []byte
	Strings []string // only for Type String

	// Sole says that a single operand reads Data, and that it may overwrite it.
	Sole bool
	// Taken is what Data was: see Take.
	Taken []byte

	// Where Stride is not 0 there are gaps: the dimensions from Outer on are dense blocks, and
	// each begins Stride elements after the one before.
	Outer, Stride int
}

// CopyBlocks copies count blocks of n bytes, which begin to and from bytes after one
// another; 0 stands for n.
func CopyBlocks(dst, src []byte, count, n, to, from int) {
	if n == 0 {
		return
	}
	if to == 0 {
		to = n
	}
	if from == 0 {
		from = n
	}
	for i := range count {
		copy(dst[i*to:i*to+n], src[i*from:])
	}
}

// Dense is t, or a copy without its gaps.
func (t *Tensor) Dense() *Tensor {
	if t.Stride == 0 {
		return t
	}
	d := NewTensor(t.Type, append([]int(nil), t.Dims...)...)
	size := t.Type.Size()
	CopyBlocks(d.Data, t.Data, Elements(t.Dims[:t.Outer]), Elements(t.Dims[t.Outer:])*size, 0, t.Stride*size)
	return d
}

// Take leaves the tensor without elements: an operator has laid them out for its kernels
// in their own memory, where nothing else must look for them.
func (t *Tensor) Take() { t.Data, t.Taken = nil, t.Data }

// NewTensor allocates a zeroed tensor.
func NewTensor(t DType, dims ...int) *Tensor {
	n := Elements(dims)
	out := &Tensor{Type: t, Dims: dims, Data: slab.New(t.Bytes(n))}
	if t == String {
		out.Strings = make([]string, n)
	}
	return out
}

// Clone copies t into memory of its own.
func (t *Tensor) Clone() *Tensor {
	c := NewTensor(t.Type, append([]int(nil), t.Dims...)...)
	copy(c.Data, t.Data)
	copy(c.Strings, t.Strings)
	return c
}

// Equal says whether t and u are the same bits under the same dimensions.
func (t *Tensor) Equal(u *Tensor) bool {
	if t.Type != u.Type || !SameDims(t.Dims, u.Dims) || string(t.Data) != string(u.Data) {
		return false
	}
	for i, s := range t.Strings {
		if s != u.Strings[i] {
			return false
		}
	}
	return true
}

// Elements is the product of dims: 1 for a scalar, 0 when any dimension is 0.
func Elements(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// SameDims says whether a and b are the same dimensions.
func SameDims(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Len is the number of elements.
func (t *Tensor) Len() int { return Elements(t.Dims) }

// The typed views share t.Data. The caller has checked t.Type.

func (t *Tensor) Float32s() []float32 {
	if t.Taken != nil {
		panic("ir: the elements were laid out for kernels, and are gone")
	}
	return slab.Floats(t.Data)
}
func (t *Tensor) Float64s() []float64 { return slab.View[float64](t.Data) }
func (t *Tensor) Int32s() []int32     { return slab.View[int32](t.Data) }
func (t *Tensor) Int64s() []int64     { return slab.View[int64](t.Data) }

// Ints returns the elements of an integer or bool tensor widened to int64,
// always as a copy.
func (t *Tensor) Ints() []int64 { return t.AppendInts(make([]int64, 0, t.Len())) }

// AppendInts appends what Ints returns to list.
func (t *Tensor) AppendInts(list []int64) []int64 {
	switch t.Type {
	case Int64:
		return append(list, t.Int64s()...)
	case Int32:
		return widen(list, t.Int32s())
	case Int16:
		return widen(list, slab.View[int16](t.Data))
	case Int8:
		return widen(list, slab.View[int8](t.Data))
	case Uint8, Bool:
		return widen(list, t.Data)
	case Uint16:
		return widen(list, slab.View[uint16](t.Data))
	case Uint32:
		return widen(list, slab.View[uint32](t.Data))
	case Uint64:
		return widen(list, slab.View[uint64](t.Data))
	case Int4, Uint4, Int2, Uint2:
		for i := range t.Len() {
			list = append(list, Small(t.Type, t.Data, i))
		}
	}
	return list
}

// Small is element i of data of a type of whole numbers of 4 or 2 bits.
func Small(t DType, data []byte, i int) int64 {
	bits := uint(widths[t])
	v := int64(data[uint(i)*bits>>3] >> (uint(i) * bits & 7) & (1<<bits - 1))
	if (t == Int4 || t == Int2) && v>>(bits-1) != 0 {
		v -= 1 << bits
	}
	return v
}

// SetSmall writes the low bits of v as element i of data of a type of 4 or 2 bits.
func SetSmall(t DType, data []byte, i int, v int64) {
	bits := uint(widths[t])
	shift, mask := uint(i)*bits&7, byte(1<<bits-1)
	at := &data[uint(i)*bits>>3]
	*at = *at&^(mask<<shift) | byte(v)&mask<<shift
}

func widen[T slab.Elem](list []int64, src []T) []int64 {
	for _, v := range src {
		list = append(list, int64(v))
	}
	return list
}
