package graph

import "github.com/normwasm/normwasm/internal/slab"

// broadcast is the walk over an output and the operands that are repeated to its
// dimensions. Dimensions along which all operands step alike are one, so that
// the two innermost, which kernels take in one call, are as large as can be.
type broadcast struct {
	dims  []int   // at least two
	steps [][]int // of each operand: elements from one index to the next, 0 where it repeats
}

// broadcastDims gives the dimensions that all operands can be repeated to.
func broadcastDims(c *Call, operands ...int) ([]int, error) {
	var out []int
	for _, i := range operands {
		d := c.In(i).Dims
		if len(d) > len(out) {
			longer := make([]int, len(d))
			for j := range len(d) - len(out) {
				longer[j] = 1
			}
			copy(longer[len(d)-len(out):], out)
			out = longer
		}
		for j, n := range d {
			at := &out[len(out)-len(d)+j]
			if *at == 1 {
				*at = n
			} else if n != 1 && n != *at {
				return nil, c.Fail("input ", i, " has dimensions ", d, ", which do not broadcast to ", out)
			}
		}
	}
	return out, checkDims(c, out)
}

func newBroadcast(out []int, operands ...[]int) *broadcast {
	b := &broadcast{steps: make([][]int, len(operands))}
	full := make([][]int, len(operands))
	for k, dims := range operands {
		full[k] = broadcastSteps(out, dims)
	}
	for i, n := range out {
		if n == 1 {
			continue
		}
		last := len(b.dims) - 1
		merge := last >= 0
		for k := range operands {
			merge = merge && b.steps[k][last] == full[k][i]*n
		}
		if merge {
			b.dims[last] *= n
			for k := range operands {
				b.steps[k][last] = full[k][i]
			}
			continue
		}
		b.dims = append(b.dims, n)
		for k := range operands {
			b.steps[k] = append(b.steps[k], full[k][i])
		}
	}
	for len(b.dims) < 2 {
		b.dims = append([]int{1}, b.dims...)
		for k := range operands {
			b.steps[k] = append([]int{0}, b.steps[k]...)
		}
	}
	return b
}

// broadcastSteps gives dims' row-major strides over the dimensions out, 0 where
// dims is repeated.
func broadcastSteps(out, dims []int) []int {
	steps := make([]int, len(out))
	for i, s := range rowMajor(dims) {
		if dims[i] != 1 {
			steps[len(out)-len(dims)+i] = s
		}
	}
	return steps
}

func (b *broadcast) empty() bool {
	for _, n := range b.dims {
		if n == 0 {
			return true
		}
	}
	return false
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

// stepFloats sets the step Out[0] = f(In[0], In[1]) of float32.
func stepFloats(c *Call, out []int, f rowKernel[float32]) {
	w := newBroadcast(out, c.In(0).Dims, c.In(1).Dims)
	if w.empty() {
		c.Run(nothing)
		return
	}
	c.Run(func(a *Args) { walkRows(w, f, a.Out[0].Float32s(), a.In[0].Float32s(), a.In[1].Float32s(), 0) })
}

// inPlaceLike lets output 0 take the memory of the inputs listed that have its
// type and dimensions.
func inPlaceLike(c *Call, t DType, dims []int, inputs ...int) {
	for _, i := range inputs {
		if in := c.In(i); in != nil && in.Type == t && sameDims(in.Dims, dims) {
			c.InPlace(0, i)
		}
	}
}
