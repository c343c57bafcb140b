//go:build !train && !lean

package bridge

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/text"
)

// Writer is a generator of text that JavaScript holds.
type Writer struct {
	*text.Generator
	file []byte // where the weights are; nil where they were copied
}

func (w *Writer) bytes() int { return len(w.file) + w.Bytes() }

// OpenWriter makes a generator of the model in the first n bytes of slab h, all of them when
// n is -1, and takes the slab over as Open does.
func (b *Bridge) OpenWriter(h Handle, n int, o text.Options) (id Handle, err error) {
	model, err := b.block(h)
	if err != nil {
		return 0, err
	}
	if model.scratch {
		return 0, &Error{Invalid, "bridge: a model in the scratch slab would not last"}
	}
	b.release(h, model)
	file, keeps := model.bytes, false
	defer func() {
		if p := recover(); p != nil {
			err = Caught(p)
		}
		if err != nil || !keeps {
			slab.Give(file)
		}
	}()
	if n < 0 || n > len(file) {
		n = len(file)
	}
	o.Graph.Own = true
	g, keeps, err := text.Open(file[:n:n], o)
	if err != nil {
		return 0, err
	}
	w := &Writer{Generator: g}
	if keeps {
		w.file = file
	}
	if id, err = b.Keep(w); err != nil {
		g.Release()
		return 0, err
	}
	b.all = append(b.all, w)
	return id, nil
}

// Writer is what a handle names.
func (b *Bridge) Writer(h Handle) (*Writer, error) {
	v := b.handles.get(h)
	if w, ok := v.(*Writer); ok {
		return w, nil
	}
	return nil, gone(h, "generator", v)
}

// end ends the generator, which has the handle h.
func (w *Writer) end(b *Bridge, h Handle) {
	b.drop(h)
	b.forget(w)
	w.Release()
	slab.Give(w.file)
	w.file = nil
}
