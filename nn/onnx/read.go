// Package onnx reads ONNX files into graphs.
//
// It takes nothing in a file on trust: lengths are checked before anything is
// allocated for them, nesting and counts are bounded, names must be defined
// once and nodes must not depend on themselves. A file that breaks a rule gives
// a ir.LoadError; what is valid but not implemented is collected in
// ir.Graph.Missing, so that graph.NewSession can list it together with the
// missing operators.
//
// Source: onnx.proto3 of ONNX 1.18 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

const (
	maxDepth = 16      // graphs within attributes within graphs
	maxItems = 1 << 19 // nodes, attributes, tensors and values together

	// What sparse tensors and calls of functions may add to a file, in bytes: so many, and
	// so many times the file.
	maxGrowth    = 16 << 20
	growthFactor = 16
)

// reader is the state of reading one file.
type reader struct {
	opsets    map[string]int
	missed    ir.Missing
	items     int
	depth     int
	budget    int // bytes by which sparse tensors and functions may make the model larger than its file
	functions map[string]*function
	calls     int // functions being expanded
	files     map[string][]byte
	placed    []*placement // tensors that are in files
	inSparse  bool
	shared    map[*byte]*shared // by their first byte, so that all calls of a function have one
}

// shared is a tensor of a function.
type shared struct {
	tensor *ir.Tensor
	name   string
}

// missing notes something that is not implemented.
func (r *reader) missing(what string) { r.missed.Add(what) }

// item counts something that takes memory beyond its bytes in the file.
func (r *reader) item() error {
	r.items++
	if r.items > maxItems {
		return ir.Load("onnx: the model has more than ", maxItems, " nodes, attributes and values")
	}
	return nil
}

// Read parses an ONNX model and takes over b: the graph's weights stay in it,
// moved by a few bytes where they have to be aligned, so that a model is in
// memory once. b cannot be read again and must not change.
func Read(b []byte) (*ir.Graph, error) { return ReadWith(b, Options{}) }

// ReadWith is Read with the files that the model refers to.
func ReadWith(b []byte, o Options) (*ir.Graph, error) {
	if len(b) == 0 {
		return nil, ir.Load("onnx: the file is empty")
	}
	r := &reader{opsets: map[string]int{}, budget: maxGrowth + growthFactor*len(b), files: o.Files}
	for _, file := range o.Files {
		r.budget += len(file)
	}
	var body []byte
	m := open(b, "model")
	for m.next() {
		switch m.num {
		case 7:
			if m.want(kindBytes) {
				body = m.data
			}
		case 8:
			if m.want(kindBytes) {
				if err := r.opset(m.data); err != nil {
					return nil, err
				}
			}
		case 25:
			if m.want(kindBytes) {
				if err := r.header(m.data); err != nil {
					return nil, err
				}
			}
		}
	}
	if m.err != nil {
		if body == nil && len(r.opsets) == 0 {
			return nil, ir.Load("onnx: this is no ONNX model: ", m.err)
		}
		return nil, m.err
	}
	if body == nil {
		return nil, ir.Load("onnx: this is no ONNX model: the ", len(b), " bytes hold no graph")
	}
	g, err := r.graph(body, nil)
	if err != nil {
		return nil, err
	}
	if err := r.fill(); err != nil {
		return nil, err
	}
	g.Opsets, g.Missing = r.opsets, r.missed
	return g, nil
}

// opset reads an OperatorSetIdProto.
func (r *reader) opset(b []byte) error {
	domain, version := "", int64(0)
	m := open(b, "opset import")
	for m.next() {
		switch m.num {
		case 1:
			domain = domainName(m.str())
		case 2:
			version = m.num64()
		}
	}
	if m.err != nil {
		return m.err
	}
	if err := r.item(); err != nil {
		return err
	}
	if version < 1 || version > 1<<30 {
		return ir.Load("onnx: opset ", version, " of domain ", text.Quote(domain), " is imported")
	}
	if have, ok := r.opsets[domain]; ok && have != int(version) {
		return ir.Load("onnx: domain ", text.Quote(domain), " is imported as opset ", have, " and ", version)
	}
	r.opsets[domain] = int(version)
	return nil
}

// domainName is the short name of an operator domain.
func domainName(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// valueInfo reads a ValueInfoProto.
func (r *reader) valueInfo(b []byte) (*ir.Value, error) {
	if err := r.item(); err != nil {
		return nil, err
	}
	v := &ir.Value{}
	m := open(b, "value")
	for m.next() {
		switch m.num {
		case 1:
			v.Name = m.str()
		case 2:
			if m.want(kindBytes) {
				m.err = r.typeOf(m.data, v)
			}
		}
	}
	if m.err == nil && v.Name == "" {
		return nil, ir.Load("onnx: an input or output has no name")
	}
	return v, m.err
}

// typeOf reads a TypeProto: of a tensor, of a sequence of tensors, or of something optional
// of these, or of a sequence of maps (v.Maps). Others (maps, sparse tensors, sequences of sequences) leave v.Type Undefined.
func (r *reader) typeOf(b []byte, v *ir.Value) error {
	m := open(b, "type")
	for m.next() {
		switch {
		case m.num == 4 && v.Form == ir.OneTensor && m.want(kindBytes):
			v.Form = ir.Sequence
			m.err = r.elementType(m.data, v)
		case m.num == 4 && v.Form == ir.Optional && m.want(kindBytes):
			v.Form = ir.OptionalSequence
			m.err = r.elementType(m.data, v)
		case m.num == 9 && v.Form == ir.OneTensor && m.want(kindBytes):
			v.Form = ir.Optional
			m.err = r.elementType(m.data, v)
		case m.num == 5 && v.Form == ir.Sequence: // as ZipMap's result is declared, which is a tensor here
			v.Form, v.Maps = ir.OneTensor, true
		case m.num == 4 || m.num == 5 || m.num == 8 || m.num == 9:
			r.missing("value " + text.Quote(v.Name) + " of a map, of a sparse tensor or of sequences of sequences")
		}
		if m.num != 1 || !m.want(kindBytes) {
			continue
		}
		t := open(m.data, "tensor type")
		for t.next() {
			switch t.num {
			case 1:
				v.Type = r.dtype(t.num64())
			case 2:
				if t.want(kindBytes) {
					v.Known, v.Dims = true, nil
					t.err = r.shape(t.data, v)
				}
			}
		}
		if t.err != nil {
			return t.err
		}
	}
	return m.err
}

// elementType reads a TypeProto.Sequence or a TypeProto.Optional.
func (r *reader) elementType(b []byte, v *ir.Value) error {
	m := open(b, "type of elements")
	for m.next() {
		if m.num == 1 && m.want(kindBytes) {
			m.err = r.typeOf(m.data, v)
		}
	}
	return m.err
}

// shape reads a TensorShapeProto.
func (r *reader) shape(b []byte, v *ir.Value) error {
	m := open(b, "shape")
	for m.next() {
		if m.num != 1 || !m.want(kindBytes) {
			continue
		}
		d := ir.Dim{Size: -1}
		f := open(m.data, "dimension")
		for f.next() {
			switch f.num {
			case 1:
				n := f.num64()
				if n > 1<<40 {
					return ir.Load("onnx: ", text.Quote(v.Name), " has a dimension of ", n)
				}
				d.Size = int(max(n, -1)) // negative: some exporters' way to say unknown
			case 2:
				d.Symbol = f.str()
			}
		}
		if f.err != nil {
			return f.err
		}
		if len(v.Dims) == maxRank {
			return ir.Load("onnx: ", text.Quote(v.Name), " has more than ", maxRank, " dimensions")
		}
		v.Dims = append(v.Dims, d)
	}
	return m.err
}
