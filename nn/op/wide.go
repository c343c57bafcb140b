package op

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Every kernel costs its size once for each element type that it is compiled
// for, so only float32, where networks spend their time, has all of them. The
// other types compute as float64 or int64: their elements are widened to scratch
// memory, and the results narrowed from there, unless they are of that type
// already.

// wideElem is what the other types compute in.
type wideElem interface{ int64 | float64 }

// wide holds the operands of a step in that type.
type wide[T wideElem] struct {
	load  []func(dst []T, src []byte) // nil where the operand's own memory will do
	store func(dst []byte, src []T)
	at    []int // in elements of scratch, the output's last
	n     []int
}

// loader and storer convert whole tensors.
func loader[T wideElem](t ir.DType) func(dst []T, src []byte) {
	var f any
	switch any(T(0)).(type) {
	case float64:
		if t == ir.Float64 {
			return nil
		}
		f = loadFloats(t)
	default:
		if t == ir.Int64 || t == ir.Uint64 {
			return nil
		}
		f = loadInts(t)
	}
	return f.(func(dst []T, src []byte))
}

func storer[T wideElem](t ir.DType) func(dst []byte, src []T) {
	var f any
	switch any(T(0)).(type) {
	case float64:
		if t == ir.Float64 {
			return nil
		}
		f = storeFloats(t)
	default:
		if t == ir.Int64 || t == ir.Uint64 {
			return nil
		}
		f = storeInts(t)
	}
	return f.(func(dst []byte, src []T))
}

// set prepares the first inputs of a call and an output 0 of n elements of type t.
func (w *wide[T]) set(c *Call, inputs int, t ir.DType, n int) {
	w.load, w.at, w.n = w.load[:0], w.at[:0], w.n[:0]
	w.store = storer[T](t)
	at := 0
	for i := range inputs {
		in := c.In(i)
		if in == nil {
			w.load, w.at, w.n = append(w.load, nil), append(w.at, at), append(w.n, 0)
			continue
		}
		f := loader[T](in.Type)
		w.load, w.at, w.n = append(w.load, f), append(w.at, at), append(w.n, in.Len())
		if f != nil {
			at += in.Len()
		}
	}
	w.at, w.n = append(w.at, at), append(w.n, n)
	if w.store != nil {
		at += n
	}
	c.Scratch(8 * at)
}

// scratchOf is n elements of scratch memory from a byte on.
func scratchOf[T wideElem](a *Args, at, n int) []T { return slab.View[T](a.Scratch[at:][:8*n]) }

func (w *wide[T]) part(a *Args, i int) []T {
	return slab.View[T](a.Scratch[8*w.at[i]:][:8*w.n[i]])
}

// in is input i.
func (w *wide[T]) in(a *Args, i int) []T {
	if w.load[i] == nil {
		return slab.View[T](a.In[i].Data)
	}
	x := w.part(a, i)
	w.load[i](x, a.In[i].Data)
	return x
}

// out is where to write output 0; done, called after that, stores it.
func (w *wide[T]) out(a *Args) []T {
	if w.store == nil {
		return slab.View[T](a.Out[0].Data)
	}
	return w.part(a, len(w.load))
}

func (w *wide[T]) done(a *Args) {
	if w.store != nil {
		w.store(a.Out[0].Data, w.part(a, len(w.load)))
	}
}

// walkPairs is walkRows with a function of two elements.
func walkPairs[T wideElem](w *broadcast, f func(a, b T) T, y, a, b []T, level int) int {
	n, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level]
	done := 0
	if level < len(w.dims)-2 {
		for i := range n {
			done += walkPairs(w, f, y[done:], a[i*as:], b[i*bs:], level+1)
		}
		return done
	}
	cols, ac, bc := w.dims[level+1], w.steps[0][level+1], w.steps[1][level+1]
	for r := range n {
		i, j := r*as, r*bs
		row := y[r*cols:][:cols]
		for k := range row {
			row[k] = f(a[i], b[j])
			i, j = i+ac, j+bc
		}
	}
	return n * cols
}

// scratchFloats are n numbers of scratch memory from number at on.
func scratchFloats(a *Args, at, n int) []float64 {
	return slab.View[float64](a.Scratch[8*at:][:8*n])
}

// scratchInts are the first n integers of scratch memory.
func scratchInts(a *Args, n int) []int64 { return slab.View[int64](a.Scratch[:8*n]) }
