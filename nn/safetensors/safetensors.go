// Package safetensors reads files of tensors: a header of JSON that says which tensor has
// which bytes, and the bytes.
package safetensors

import (
	"github.com/normwasm/normwasm/internal/json"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// File is what a file holds.
type File struct {
	Names    []string // in the order of the bytes
	Tensors  map[string]*ir.Tensor
	Metadata map[string]string
}

// maxHeader is the largest header that the format's reference implementation takes.
const maxHeader = 100_000_000

// types are the format's names of element types. (Those of 8 bits and fewer with a fraction no tensor here has.)
var types = [...]struct {
	name string
	t    ir.DType
}{
	{"F32", ir.Float32}, {"F16", ir.Float16}, {"BF16", ir.BFloat16}, {"I8", ir.Int8}, {"U8", ir.Uint8}, {"F64", ir.Float64},
	{"I64", ir.Int64}, {"U64", ir.Uint64}, {"I32", ir.Int32}, {"U32", ir.Uint32}, {"I16", ir.Int16}, {"U16", ir.Uint16}, {"BOOL", ir.Bool},
}

// Is says whether a file can be one of this format, by how it begins.
func Is(file []byte) bool {
	n, ok := headerLength(file)
	return ok && n > 0 && file[8] == '{'
}

func headerLength(file []byte) (n int, ok bool) {
	if len(file) < 8 {
		return 0, false
	}
	length := uint64(0)
	for i := range 8 {
		length |= uint64(file[i]) << (8 * i)
	}
	return int(length), length <= maxHeader && length <= uint64(len(file)-8)
}

func wrong(parts ...any) error { return ir.Load("safetensors: ", text.Join(parts...)) }

// Read reads a file. The tensors are views of its bytes, copies where these are not
// aligned for their type.
func Read(file []byte) (*File, error) {
	n, ok := headerLength(file)
	switch {
	case len(file) < 8:
		return nil, wrong("the file has ", len(file), " bytes, and its header's length alone takes 8")
	case !ok:
		return nil, wrong("the header's length is given as ", n, " of a file of ", len(file), " bytes, and ", maxHeader, " are the most: the file is truncated, or none of this format")
	}
	v, err := json.Parse(file[8 : 8+n])
	header, ok := v.(*json.Object)
	switch {
	case err != nil:
		return nil, wrong("the header is no JSON: ", err)
	case !ok:
		return nil, wrong("the header is no object")
	}
	f := &File{Tensors: map[string]*ir.Tensor{}, Metadata: map[string]string{}}
	data := file[8+n:]
	type span struct{ from, to int }
	spans := make([]span, 0, len(header.Names))
	for i, name := range header.Names {
		if name == "__metadata__" {
			members, _ := header.Values[i].(*json.Object)
			if members == nil {
				continue
			}
			for j, key := range members.Names {
				if f.Metadata[key], ok = members.Values[j].(string); !ok {
					return nil, wrong("the metadata ", text.Quote(key), " are no string")
				}
			}
			continue
		}
		t, from, to, err := entry(name, header.Values[i], len(data))
		if err != nil {
			return nil, err
		}
		if t.Data = data[from:to:to]; !aligned(t) {
			t.Data = append(slab.New(to - from)[:0], t.Data...)
		}
		f.Names, spans = append(f.Names, name), append(spans, span{from, to})
		f.Tensors[name] = t
	}
	order := ir.Ordered(len(spans), func(a, b int) bool {
		return spans[a].from < spans[b].from || spans[a].from == spans[b].from && spans[a].to < spans[b].to
	})
	names, at := make([]string, len(order)), 0
	for i, k := range order {
		if spans[k].from != at {
			return nil, wrong(text.Quote(f.Names[k]), " begins at byte ", spans[k].from, ", and what is before it ends at ", at)
		}
		names[i], at = f.Names[k], spans[k].to
	}
	if at != len(data) {
		return nil, wrong("the tensors end at byte ", at, " of ", len(data))
	}
	f.Names = names
	return f, nil
}

func aligned(t *ir.Tensor) bool {
	return len(t.Data) == 0 || int(slab.Addr(t.Data))%max(1, t.Type.Size()) == 0
}

// entry reads what the header says of a tensor.
func entry(name string, v any, length int) (t *ir.Tensor, from, to int, err error) {
	what := text.Quote(name)
	o, ok := v.(*json.Object)
	if !ok {
		return nil, 0, 0, wrong(what, " is no object with dtype, shape and data_offsets")
	}
	t = &ir.Tensor{Dims: []int{}}
	dtype, _ := o.Get("dtype").(string)
	for i := range types {
		if types[i].name == dtype {
			t.Type = types[i].t
		}
	}
	if t.Type == ir.Undefined {
		return nil, 0, 0, wrong(what, " has dtype ", text.Quote(dtype), ", which is not implemented")
	}
	shape, ok := o.Get("shape").([]any)
	n := t.Type.Size()
	for _, d := range shape {
		size, whole := number(d)
		if !whole {
			return nil, 0, 0, wrong(what, " has a shape that is no list of whole numbers")
		}
		if size > 0 && n > 1<<52/size {
			return nil, 0, 0, wrong(what, " has a shape of more elements than a file can have")
		}
		n *= size
		t.Dims = append(t.Dims, size)
	}
	offsets, _ := o.Get("data_offsets").([]any)
	if !ok || len(offsets) != 2 {
		return nil, 0, 0, wrong(what, " lacks its shape or its data_offsets")
	}
	from, first := number(offsets[0])
	to, second := number(offsets[1])
	switch {
	case !first || !second || from > to:
		return nil, 0, 0, wrong(what, " has data_offsets that are no beginning and end")
	case to > length:
		return nil, 0, 0, wrong(what, " ends at byte ", to, ", and the data have ", length, ": the file is truncated")
	case to-from != n:
		return nil, 0, 0, wrong(what, " of ", dtype, " ", t.Dims, " has ", to-from, " bytes, want ", n)
	}
	return t, from, to, nil
}

// number is a whole number that is not negative.
func number(v any) (int, bool) {
	f, ok := v.(float64)
	if !ok || f < 0 || f > 1<<52 || f != float64(int(f)) {
		return 0, false
	}
	return int(f), true
}
