package op

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// blockLen is how many elements a blockwise step computes at a time: few enough that what
// is made for them stays in the nearest cache.
const blockLen = 512

// blockwise computes output 0 from up to three operands that broadcast, block by block.
// Kernels see operands without gaps only: one that is repeated, or whose rows are apart, is
// written out for a block, in scratch memory, and so is one that is widened.
type blockwise struct {
	walk   broadcast
	count  int     // of operands, the first inputs
	size   [4]int  // bytes of an element, by operand; the result's comes last
	alone  [3]bool // an operand is one element, which is written out once
	f      blockFunc
	how    int  // what f's kernel is to do
	in     byte // 0, or asInts or asFloats: which of these it is computed by
	ints   widening[int64]
	floats widening[float64]
}

const (
	asInts = 1 + iota
	asFloats
)

// A blockFunc computes n elements of the result y from those of the operands.
type blockFunc func(s *blockwise, a *Args, y, x0, x1, x2 []byte, n int)

// widening is how the elements of a block come to be of type T and go back, nil where they
// are of that type, and a function of them where the step has no blockFunc.
type widening[T wideElem] struct {
	load  [2]func(dst []T, src []byte)
	store func(dst []byte, src []T)
	one   func(v T) T
	two   func(a, b T) T
}

// Parts of the scratch memory, of blockLen elements of up to 8 bytes: operands written out,
// the first two of them widened, and the result before it is narrowed.
const (
	partWide   = 3
	partResult = 5
	partCount  = 6
	partBytes  = 8 * blockLen
)

func (s *blockwise) part(a *Args, i int) []byte { return a.Scratch[i*partBytes:][:partBytes] }

// stepBlocks sets a step that computes f of the first inputs.
func stepBlocks(c *Call, out []int, t ir.DType, inputs int, f blockFunc) *blockwise {
	s := Into[blockwise](c)
	*s = blockwise{walk: s.walk, count: inputs, f: f}
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return s
	}
	var dims [3][]int
	for i := range inputs {
		dims[i], s.size[i] = c.In(i).Dims, c.In(i).Type.Size()
	}
	s.size[3] = t.Size()
	s.walk.set(out, dims[:inputs]...)
	for i := range inputs {
		s.alone[i] = c.In(i).Len() == 1
	}
	c.Scratch(partCount * partBytes)
	return s
}

func (s *blockwise) Run(a *Args) {
	for i := range s.count {
		if s.alone[i] {
			fillTensor(s.part(a, i)[:blockLen*s.size[i]], a.In[i].Data[:s.size[i]])
		}
	}
	s.level(a, 0, 0, [3]int{})
}

// level computes what is below a dimension, where the operands are at these elements, and
// the result has done elements. It returns how many it has then.
func (s *blockwise) level(a *Args, level, done int, at [3]int) int {
	w := &s.walk
	n := w.dims[level]
	if level < len(w.dims)-2 {
		for range n {
			done = s.level(a, level+1, done, at)
			for k := range s.count {
				at[k] += w.steps[k][level]
			}
		}
		return done
	}
	cols := w.dims[level+1]
	rows := max(1, blockLen/cols) // of a block
	if n == 1 || cols > blockLen/2 {
		rows = 1
	}
	var x [3][]byte
	for r := 0; r < n; r += rows {
		take := min(rows, n-r)
		for from := 0; from < cols; from += blockLen {
			m := take * min(blockLen, cols-from)
			for k := range s.count {
				size, rs, cs := s.size[k], w.steps[k][level], w.steps[k][level+1]
				switch {
				case s.alone[k]:
					x[k] = s.part(a, k)
				case cs == 1 && (take == 1 || rs == cols):
					x[k] = a.In[k].Data[(at[k]+r*rs+from)*size:][:m*size]
				case take == 1: // one element a row
					if x[k] = s.part(a, k)[:min(blockLen, cols)*size]; from == 0 {
						fillTensor(x[k], a.In[k].Data[(at[k]+r*rs)*size:][:size])
					}
				default:
					x[k] = s.part(a, k)[:m*size]
					if rs != 0 || r == 0 { // else it is there from the rows before
						src := a.In[k].Data[(at[k]+r*rs)*size:][:((take-1)*rs+(cols-1)*cs+1)*size]
						kernel.CopyGrid(&x[k][0], &src[0], take, cols, cols*size, size, rs*size, cs*size, size)
					}
				}
			}
			s.block(a, done, m, &x)
			done += m
		}
	}
	return done
}

// block computes n elements of the result from element at on.
func (s *blockwise) block(a *Args, at, n int, x *[3][]byte) {
	y := a.Out[0].Data[at*s.size[3]:][:n*s.size[3]]
	switch s.in {
	case asInts:
		inWide(s, &s.ints, a, y, n, x)
	case asFloats:
		inWide(s, &s.floats, a, y, n, x)
	default:
		s.f(s, a, y, x[0], x[1], x[2], n)
	}
}

// inWide is block in another type than that of the operands or the result.
func inWide[T wideElem](s *blockwise, w *widening[T], a *Args, y []byte, n int, x *[3][]byte) {
	var list [2][]T
	for k := range s.count {
		if w.load[k] == nil {
			list[k] = slab.View[T](x[k][:8*n])
			continue
		}
		list[k] = slab.View[T](s.part(a, partWide+k)[:8*n])
		w.load[k](list[k], x[k][:n*s.size[k]])
	}
	out := y
	if w.store != nil {
		out = s.part(a, partResult)[:8*n]
	}
	switch {
	case s.f != nil:
		s.f(s, a, out, slab.Bytes(list[0]), slab.Bytes(list[1]), nil, n)
	case w.one != nil:
		z := slab.View[T](out)
		for i, v := range list[0] {
			z[i] = w.one(v)
		}
	default:
		z, other := slab.View[T](out), list[1]
		for i, v := range list[0] {
			z[i] = w.two(v, other[i])
		}
	}
	if w.store != nil {
		w.store(y, slab.View[T](out))
	}
}

// widen lets a step compute in T, to a result of type t.
func widen[T wideElem](c *Call, s *blockwise, t ir.DType) *widening[T] {
	w, ints := any(&s.ints).(*widening[T])
	s.in = asInts
	if !ints {
		w = any(&s.floats).(*widening[T])
		s.in = asFloats
	}
	for i := range s.count {
		w.load[i] = loader[T](c.In(i).Type)
	}
	w.store = storer[T](t)
	return w
}

// stepPairs sets the step Out[0] = f(In[0], In[1]), output 0 having type t.
func stepPairs[T wideElem](c *Call, out []int, t ir.DType, f func(a, b T) T) {
	widen[T](c, stepBlocks(c, out, t, 2, nil), t).two = f
}

// stepEach sets the step Out[0] = f(In[0]), both of one type.
func stepEach[T wideElem](c *Call, f func(v T) T) {
	in := c.In(0)
	widen[T](c, stepBlocks(c, in.Dims, in.Type, 1, nil), in.Type).one = f
}

func combineBlock(s *blockwise, _ *Args, y, x0, x1, _ []byte, n int) {
	kernel.CombinePairs(&y[0], &x0[0], &x1[0], n, s.how)
}

func compareBlock(s *blockwise, _ *Args, y, x0, x1, _ []byte, n int) {
	kernel.ComparePairs(&y[0], &x0[0], &x1[0], n, s.how)
}

// compareBack compares the second operand with the first.
func compareBack(s *blockwise, _ *Args, y, x0, x1, _ []byte, n int) {
	kernel.ComparePairs(&y[0], &x1[0], &x0[0], n, s.how)
}

// blockOfZeros is a block of numbers of any type.
var blockOfZeros [partBytes]byte

// withZeros compares with 0.
func withZeros(s *blockwise, _ *Args, y, x0, _, _ []byte, n int) {
	kernel.ComparePairs(&y[0], &x0[0], &blockOfZeros[0], n, s.how)
}

func chooseBlock(s *blockwise, _ *Args, y, x0, x1, x2 []byte, n int) {
	if s.size[3] == 2 {
		y, x1, x2 := slab.View[uint16](y), slab.View[uint16](x1[:2*n]), slab.View[uint16](x2[:2*n])
		for i := range y {
			if y[i] = x2[i]; x0[i] != 0 {
				y[i] = x1[i]
			}
		}
		return
	}
	kernel.Choose(&y[0], &x0[0], &x1[0], &x2[0], n, s.size[3])
}
