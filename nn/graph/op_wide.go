package graph

import "github.com/normwasm/normwasm/internal/slab"

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
func loader[T wideElem](t DType) func(dst []T, src []byte) {
	var f any
	switch any(T(0)).(type) {
	case float64:
		if t == Float64 {
			return nil
		}
		f = loadFloats(t)
	default:
		if t == Int64 || t == Uint64 {
			return nil
		}
		f = loadInts(t)
	}
	return f.(func(dst []T, src []byte))
}

func storer[T wideElem](t DType) func(dst []byte, src []T) {
	var f any
	switch any(T(0)).(type) {
	case float64:
		if t == Float64 {
			return nil
		}
		f = storeFloats(t)
	default:
		if t == Int64 || t == Uint64 {
			return nil
		}
		f = storeInts(t)
	}
	return f.(func(dst []byte, src []T))
}

// newWide prepares the first inputs of a call and an output 0 of n elements of
// type t.
func newWide[T wideElem](c *Call, inputs int, t DType, n int) *wide[T] {
	w := &wide[T]{store: storer[T](t)}
	at := 0
	take := func(n int, needed bool) {
		w.at, w.n = append(w.at, at), append(w.n, n)
		if needed {
			at += n
		}
	}
	for i := range inputs {
		if c.In(i) == nil {
			w.load = append(w.load, nil)
			take(0, false)
			continue
		}
		f := loader[T](c.In(i).Type)
		w.load = append(w.load, f)
		take(c.In(i).Len(), f != nil)
	}
	take(n, w.store != nil)
	c.Scratch(8 * at)
	return w
}

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

// stepPairs sets the step Out[0] = f(In[0], In[1]), output 0 having type t.
func stepPairs[T wideElem](c *Call, out []int, t DType, f func(a, b T) T) {
	walk := newBroadcast(out, c.In(0).Dims, c.In(1).Dims)
	if walk.empty() {
		c.Run(nothing)
		return
	}
	w, kernel := newWide[T](c, 2, t, Elements(out)), eachPair(f)
	c.Run(func(a *Args) {
		walkRows(walk, kernel, w.out(a), w.in(a, 0), w.in(a, 1), 0)
		w.done(a)
	})
}

// stepEach sets the step Out[0] = f(In[0]), both of one type.
func stepEach[T wideElem](c *Call, f func(v T) T) {
	w := newWide[T](c, 1, c.In(0).Type, c.In(0).Len())
	c.Run(func(a *Args) {
		y := w.out(a)
		for i, v := range w.in(a, 0) {
			y[i] = f(v)
		}
		w.done(a)
	})
}

// eachPair makes a rowKernel of a function of two elements.
func eachPair[T wideElem](f func(a, b T) T) rowKernel[T] {
	return func(y []T, a []T, as, ac int, b []T, bs, bc, rows, cols int) {
		for r := range rows {
			i, j := r*as, r*bs
			row := y[r*cols:][:cols]
			for k := range row {
				row[k] = f(a[i], b[j])
				i, j = i+ac, j+bc
			}
		}
	}
}
