package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// sparse reads a SparseTensorProto, an initializer of which only some elements are
// written, and enters it into s with all of them. The reader's budget bounds how much
// larger than its file a model becomes so.
func (r *reader) sparse(b []byte, s *scope) error {
	t, name, err := r.sparseTensor(b)
	if err != nil {
		return err
	}
	if name == "" {
		return ir.Load("onnx: a sparse initializer has no name")
	}
	return s.define(&ir.Value{Name: name, Type: t.Type, Const: t})
}

// sparseTensor reads a SparseTensorProto into a tensor with all its elements. Its name is
// that of the values.
func (r *reader) sparseTensor(b []byte) (*ir.Tensor, string, error) {
	var values, indices *ir.Tensor
	var sizes []int64
	name := ""
	r.inSparse = true
	defer func() { r.inSparse = false }()
	m := open(b, "sparse tensor")
	for m.next() {
		switch m.num {
		case 1:
			if m.want(kindBytes) {
				values, name, m.err = r.tensor(m.data)
			}
		case 2:
			if m.want(kindBytes) {
				indices, _, m.err = r.tensor(m.data)
			}
		case 3:
			sizes = m.numbers(sizes)
		}
	}
	if m.err != nil {
		return nil, name, m.err
	}
	if values == nil {
		return nil, name, ir.Load("onnx: the sparse tensor ", text.Quote(name), " has no values")
	}
	dims := make([]int, len(sizes))
	for i, d := range sizes {
		dims[i] = int(d)
	}
	t, err := r.dense(name, values, indices, dims)
	return t, name, err
}

// dense puts values to the places that indices give: offsets, or one index for each
// dimension.
func (r *reader) dense(name string, values, indices *ir.Tensor, dims []int) (*ir.Tensor, error) {
	size := values.Type.Size()
	if size == 0 || indices != nil && indices.Type == ir.Undefined {
		r.missing("sparse initializer " + text.Quote(name) + " of this type")
		return values, nil
	}
	if len(dims) == 0 || len(dims) > maxRank {
		return nil, ir.Load("onnx: sparse initializer ", text.Quote(name), " has ", len(dims), " dimensions, want 1 to ", maxRank)
	}
	n := size
	for _, d := range dims {
		if d < 0 || d > 0 && n > 1<<40/d {
			return nil, ir.Load("onnx: sparse initializer ", text.Quote(name), " has dimensions ", dims)
		}
		n *= max(d, 1)
	}
	if r.budget -= n; r.budget < 0 {
		return nil, ir.Load("onnx: sparse initializer ", text.Quote(name), " has dimensions ", dims, ", far more than the file has elements")
	}
	t := ir.NewTensor(values.Type, dims...)
	count := values.Len()
	if len(values.Data) != count*size { // not implemented, and noted
		return t, nil
	}
	if count == 0 {
		return t, nil
	}
	if indices == nil || indices.Type != ir.Int64 || len(indices.Data) != 8*indices.Len() {
		return nil, ir.Load("onnx: the indices of sparse initializer ", text.Quote(name), " are missing, or no int64")
	}
	per := 0 // indices of one element
	switch d := indices.Dims; {
	case len(d) == 1 && d[0] == count:
		per = 1
	case len(d) == 2 && d[0] == count && d[1] == len(dims):
		per = d[1]
	default:
		return nil, ir.Load("onnx: sparse initializer ", text.Quote(name), " has ", count, " values and indices of dimensions ", d)
	}
	list := indices.Int64s()
	for i := range count {
		at := 0
		for k, index := range list[i*per : (i+1)*per] {
			limit := t.Len()
			if len(indices.Dims) == 2 {
				limit = dims[k]
				at *= limit
			}
			if index < 0 || index >= int64(limit) {
				return nil, ir.Load("onnx: sparse initializer ", text.Quote(name), " of dimensions ", dims, " has the index ", index)
			}
			at += int(index)
		}
		copy(t.Data[at*size:][:size], values.Data[i*size:])
	}
	return t, nil
}
