package op

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// broadcast is the walk over an output and the operands that are repeated to its
// dimensions. Dimensions along which all operands step alike are one, so that
// the two innermost, which kernels take in one call, are as large as can be.
type broadcast struct {
	dims  []int   // at least two
	steps [][]int // of each operand: elements from one index to the next, 0 where it repeats
}

// broadcastDims gives the dimensions that all operands, inputs by number, can be
// repeated to. The list lasts as long as the call, and nobody writes to it.
func broadcastDims(c *Call, operands ...int) ([]int, error) {
	out := c.In(operands[0]).Dims
	for k, i := range operands[1:] {
		d := c.In(i).Dims
		switch {
		case repeats(d, out):
			continue
		case repeats(out, d):
			out = d
			continue
		}
		rank := max(len(out), len(d))
		both := c.Dims(rank)
		for j := range both {
			both[j] = 1
		}
		copy(both[rank-len(out):], out)
		for j, n := range d {
			at := &both[rank-len(d)+j]
			if *at == 1 {
				*at = n
			} else if n != 1 && n != *at {
				seen := 0
				for _, i := range operands[:k+2] {
					seen = max(seen, len(c.In(i).Dims))
				}
				return nil, c.Fail("input ", i, " has dimensions ", d, ", which do not broadcast to ", both[rank-seen:])
			}
		}
		out = both
	}
	return out, checkDims(c, out)
}

// repeats says that dims can be repeated to out.
func repeats(dims, out []int) bool {
	by := len(out) - len(dims)
	if by < 0 {
		return false
	}
	for i, d := range dims {
		if d != 1 && d != out[by+i] {
			return false
		}
	}
	return true
}

// set makes b the walk of up to three operands with these dimensions over the output's.
func (b *broadcast) set(out []int, operands ...[]int) {
	for len(b.steps) < len(operands) {
		b.steps = append(b.steps, nil)
	}
	b.dims, b.steps = b.dims[:0], b.steps[:len(operands)]
	var stride, step [3]int
	for k := range operands {
		b.steps[k], stride[k] = b.steps[k][:0], 1
	}
	for i := len(out) - 1; i >= 0; i-- { // inner dimensions first
		n, last := out[i], len(b.dims)-1
		merge := last >= 0
		for k, dims := range operands {
			step[k] = 0
			if j := i - len(out) + len(dims); j >= 0 && dims[j] != 1 {
				step[k] = stride[k]
				stride[k] *= dims[j]
			}
			merge = merge && step[k] == b.steps[k][last]*b.dims[last]
		}
		switch {
		case n == 1:
		case merge:
			b.dims[last] *= n
		default:
			b.dims = append(b.dims, n)
			for k := range operands {
				b.steps[k] = append(b.steps[k], step[k])
			}
		}
	}
	for len(b.dims) < 2 {
		b.dims = append(b.dims, 1)
		for k := range operands {
			b.steps[k] = append(b.steps[k], 0)
		}
	}
	reverse(b.dims)
	for k := range operands {
		reverse(b.steps[k])
	}
}

func reverse(list []int) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

// broadcastSteps gives dims' row-major strides over the dimensions out, 0 where
// dims is repeated. The list lasts as long as the call.
func broadcastSteps(c *Call, out, dims []int) []int {
	steps := c.Dims(len(out))
	for i, s := range rowMajor(c, dims) {
		if dims[i] != 1 {
			steps[len(out)-len(dims)+i] = s
		}
	}
	return steps
}

// chunkSize is how many elements of an elementwise function are one row of a Split.
const chunkSize = 4096

// chunks is how many rows of a Split n elements are.
func chunks(n int) int { return (n + chunkSize - 1) / chunkSize }

// chunk is the part of n elements that the rows from … to are.
func chunk(n, from, to int) (lo, hi int) {
	return min(from*chunkSize, n), min(to*chunkSize, n)
}

// flat says that there is one dimension only.
func (b *broadcast) flat() bool { return len(b.dims) == 2 && b.dims[0] == 1 }

// rows is how many rows of a Split the walk has: the outermost dimension, or chunks
// of the only one.
func (b *broadcast) rows() int {
	if b.flat() {
		return chunks(b.dims[1])
	}
	return b.dims[0]
}

// at is where the operands are for element i of the result.
func (b *broadcast) at(i int) (x, y int) {
	for level := len(b.dims) - 1; level >= 0; level-- {
		k := i % b.dims[level]
		i /= b.dims[level]
		x += k * b.steps[0][level]
		y += k * b.steps[1][level]
	}
	return x, y
}

// rowKernel combines two operands elementwise:
//
//	y[r*cols+c] = f(a[r*as+c*ac], b[r*bs+c*bc])
//
// ac and bc are 0 or 1.
type rowKernel[T slab.Elem] func(y []T, a []T, as, ac int, b []T, bs, bc, rows, cols int)

// walkRows calls the kernel for each pair of inner dimensions. y is contiguous;
// it returns how many elements of y were written.
func walkRows[T slab.Elem](w *broadcast, f rowKernel[T], y, a, b []T, level int) int {
	n, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level]
	if level == len(w.dims)-2 {
		cols := w.dims[level+1]
		f(y[:n*cols], a, as, w.steps[0][level+1], b, bs, w.steps[1][level+1], n, cols)
		return n * cols
	}
	done := 0
	for i := range n {
		done += walkRows(w, f, y[done:], a[i*as:], b[i*bs:], level+1)
	}
	return done
}

// floatPairs computes Out[0] = f(In[0], In[1]) of float32.
type floatPairs struct {
	walk broadcast
	f    rowKernel[float32]
	time int // as Timed has it
}

func (s *floatPairs) Rows() int { return s.walk.rows() }
func (s *floatPairs) Time() int { return s.time }

func (s *floatPairs) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *floatPairs) RunRows(args *Args, from, to int) {
	w, y, a, b := &s.walk, args.Out[0].Float32s(), args.In[0].Float32s(), args.In[1].Float32s()
	as, bs := w.steps[0][0], w.steps[1][0]
	switch {
	case from == to:
	case w.flat():
		lo, hi := chunk(w.dims[1], from, to)
		ac, bc := w.steps[0][1], w.steps[1][1]
		s.f(y[lo:hi], a[lo*ac:], 0, ac, b[lo*bc:], 0, bc, 1, hi-lo)
	case len(w.dims) == 2:
		cols := w.dims[1]
		s.f(y[from*cols:to*cols], a[from*as:], as, w.steps[0][1], b[from*bs:], bs, w.steps[1][1], to-from, cols)
	default:
		size := ir.Elements(w.dims[1:])
		for i := from; i < to; i++ {
			walkRows(w, s.f, y[i*size:], a[i*as:], b[i*bs:], 1)
		}
	}
}

// stepFloats sets the step Out[0] = f(In[0], In[1]) of float32.
func stepFloats(c *Call, out []int, f rowKernel[float32]) {
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return
	}
	s := Into[floatPairs](c)
	s.f, s.time = f, ir.Elements(out)/4
	s.walk.set(out, c.In(0).Dims, c.In(1).Dims)
}

// inPlaceLike lets output 0 take the memory of the inputs listed that have its
// type and dimensions.
func inPlaceLike(c *Call, t ir.DType, dims []int, inputs ...int) {
	for _, i := range inputs {
		if in := c.In(i); in != nil && in.Type == t && ir.SameDims(in.Dims, dims) {
			c.InPlace(0, i)
		}
	}
}
