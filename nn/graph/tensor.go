package graph

import "github.com/normwasm/normwasm/internal/slab"

// DType is an element type, numbered as ONNX's TensorProto.DataType.
type DType uint8

// The element types. A String tensor keeps its elements in Tensor.Strings.
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
)

var dtypes = [...]struct {
	name string
	size int
}{
	{"undefined", 0}, {"float32", 4}, {"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2}, {"int32", 4},
	{"int64", 8}, {"string", 0}, {"bool", 1}, {"float16", 2}, {"float64", 8}, {"uint32", 4}, {"uint64", 8},
}

// Size is the number of bytes of one element; 0 for types without a fixed size.
func (t DType) Size() int {
	if int(t) < len(dtypes) {
		return dtypes[t].size
	}
	return 0
}

// String is the type's name as the JavaScript API spells it.
func (t DType) String() string {
	if int(t) < len(dtypes) {
		return dtypes[t].name
	}
	return "undefined"
}

// Tensor is a dense row-major array. Data holds the elements' little-endian
// bytes and is aligned for its type, so that the typed views cost nothing.
type Tensor struct {
	Type    DType
	Dims    []int
	Data    []byte
	Strings []string // only for Type String
}

// NewTensor allocates a zeroed tensor.
func NewTensor(t DType, dims ...int) *Tensor {
	return &Tensor{Type: t, Dims: dims, Data: slab.New(Elements(dims) * t.Size())}
}

// Elements is the product of dims: 1 for a scalar, 0 when any dimension is 0.
func Elements(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Len is the number of elements.
func (t *Tensor) Len() int { return Elements(t.Dims) }

// The typed views share t.Data. The caller has checked t.Type.

func (t *Tensor) Float32s() []float32 { return slab.View[float32](t.Data) }
func (t *Tensor) Float64s() []float64 { return slab.View[float64](t.Data) }
func (t *Tensor) Int32s() []int32     { return slab.View[int32](t.Data) }
func (t *Tensor) Int64s() []int64     { return slab.View[int64](t.Data) }

// Ints returns the elements of an integer or bool tensor widened to int64,
// always as a copy.
func (t *Tensor) Ints() []int64 {
	out := make([]int64, t.Len())
	switch t.Type {
	case Int64:
		copy(out, t.Int64s())
	case Int32:
		widen(out, t.Int32s())
	case Int16:
		widen(out, slab.View[int16](t.Data))
	case Int8:
		widen(out, slab.View[int8](t.Data))
	case Uint8, Bool:
		widen(out, t.Data)
	case Uint16:
		widen(out, slab.View[uint16](t.Data))
	case Uint32:
		widen(out, slab.View[uint32](t.Data))
	case Uint64:
		widen(out, slab.View[uint64](t.Data))
	}
	return out
}

func widen[T slab.Elem](dst []int64, src []T) {
	for i, v := range src {
		dst[i] = int64(v)
	}
}
