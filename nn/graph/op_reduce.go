package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

var reductions = map[string]nn.Reduce{
	"ReduceSum": nn.ReduceSum, "ReduceMean": nn.ReduceMean, "ReduceMax": nn.ReduceMax, "ReduceMin": nn.ReduceMin,
	"ReduceProd": nn.ReduceProd, "ReduceSumSquare": nn.ReduceSumSquare, "ReduceL1": nn.ReduceL1, "ReduceL2": nn.ReduceL2,
	"ReduceLogSum": nn.ReduceLogSum, "ReduceLogSumExp": nn.ReduceLogSumExp,
}

func init() {
	for op := range reductions {
		register(op, 1, "axes keepdims noop_with_empty_axes", nil, planReduce)
	}
	for _, op := range []string{"ArgMax", "ArgMin"} {
		register(op, 1, "axis keepdims select_last_index", nil, planArg)
	}
}

// reduction is the walk of a reduction: dims collapsed to alternating kept and
// reduced ones.
type reduction struct {
	kept    []bool
	outDims []int
}

// reducedAxes reads axes (an attribute up to opset 17, in ReduceSum up to 12; an
// input after that) and gives the output's dimensions. identity says that there
// is nothing to reduce.
func reducedAxes(c *Call) (r reduction, identity bool, err error) {
	moved := 18
	if c.Node.Op == "ReduceSum" {
		moved = 13
	}
	axes, _, err := listArg(c, "axes", 1, moved)
	if err != nil {
		return r, false, err
	}
	dims := c.In(0).Dims
	reduced, err := axesOf(c, axes, len(dims))
	if err != nil {
		return r, false, err
	}
	if len(axes) == 0 {
		if c.Node.Int("noop_with_empty_axes", 0) != 0 {
			identity = true
		} else {
			for i := range reduced {
				reduced[i] = true
			}
		}
	}
	keep := c.Node.Int("keepdims", 1) != 0
	r.outDims = []int{}
	for i, d := range dims {
		r.kept = append(r.kept, !reduced[i])
		switch {
		case !reduced[i]:
			r.outDims = append(r.outDims, d)
		case keep:
			r.outDims = append(r.outDims, 1)
		}
	}
	return r, identity, nil
}

func planReduce(c *Call) error {
	kind := reductions[c.Node.Op]
	r, identity, err := reducedAxes(c)
	if err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, r.outDims...)
	if identity && (kind == nn.ReduceSum || kind == nn.ReduceMean || kind == nn.ReduceMax || kind == nn.ReduceMin || kind == nn.ReduceProd) {
		c.Alias(0, 0)
		return nil
	}
	if Elements(r.outDims) == 0 {
		c.Run(nothing)
		return nil
	}
	if in.Type == Float32 {
		reduceFloats(c, in.Dims, r.kept, kind)
		return nil
	}
	if in.Len() == 0 && (kind == nn.ReduceMax || kind == nn.ReduceMin || kind == nn.ReduceMean) && !floatTypes.has(in.Type) {
		return c.Fail("there is no element to reduce in ", in.Dims)
	}
	if in.Type == Float64 {
		reducePlain[float64](c, in.Dims, r.kept, kind)
	} else {
		reducePlain[int64](c, in.Dims, r.kept, kind)
	}
	return nil
}

// blocksOf collapses dims to runs of kept and reduced ones; dimensions of 1 join
// either.
func blocksOf(dims []int, kept []bool) (size []int, keep []bool) {
	for i, d := range dims {
		switch last := len(size) - 1; {
		case d == 1:
		case last >= 0 && keep[last] == kept[i]:
			size[last] *= d
		default:
			size, keep = append(size, d), append(keep, kept[i])
		}
	}
	return size, keep
}

// reduceFloats reduces one block of axes at a time where there is one, else
// gathers the reduced axes behind the kept ones first.
func reduceFloats(c *Call, dims []int, kept []bool, kind nn.Reduce) {
	size, keep := blocksOf(dims, kept)
	at, count := -1, 0
	for i, k := range keep {
		if !k {
			at, count = i, count+1
		}
	}
	if count == 0 { // one element each
		n := Elements(dims)
		c.Run(func(a *Args) { kind.Run(a.Out[0].Float32s(), a.In[0].Float32s(), n, 1, 1) })
		return
	}
	if count == 1 {
		outer, n, inner := Elements(size[:at]), size[at], Elements(size[at+1:])
		c.Run(func(a *Args) { kind.Run(a.Out[0].Float32s(), a.In[0].Float32s(), outer, n, inner) })
		return
	}
	strides := rowMajor(size)
	var walk, src []int
	rows, n := 1, 1
	for _, want := range []bool{true, false} {
		for i, k := range keep {
			if k == want {
				walk, src = append(walk, size[i]), append(src, strides[i])
				if k {
					rows *= size[i]
				} else {
					n *= size[i]
				}
			}
		}
	}
	p := newStrided(4, walk, src, rowMajor(walk))
	c.Scratch(4 * rows * n)
	c.Run(func(a *Args) {
		p.run(a.Scratch, a.In[0].Data)
		kind.Run(a.Out[0].Float32s(), slab.View[float32](a.Scratch[:4*rows*n]), rows, n, 1)
	})
}

// reducePlain is for the types that nn has no reductions of.
func reducePlain[T wideElem](c *Call, dims []int, kept []bool, kind nn.Reduce) {
	size, keep := blocksOf(dims, kept)
	strides := rowMajor(size)
	var outer, outerStep, inner, innerStep []int
	for i, k := range keep {
		if k {
			outer, outerStep = append(outer, size[i]), append(outerStep, strides[i])
		} else {
			inner, innerStep = append(inner, size[i]), append(innerStep, strides[i])
		}
	}
	n := Elements(inner)
	w := newWide[T](c, 1, c.In(0).Type, Elements(outer))
	c.Run(func(a *Args) {
		x, y := w.in(a, 0), w.out(a)
		for i := range y {
			y[i] = reduceOne(x, offsetOf(i, outer, outerStep), n, inner, innerStep, kind)
		}
		w.done(a)
	})
}

// offsetOf turns a row-major index over dims into an offset by steps.
func offsetOf(index int, dims, steps []int) int {
	off := 0
	for i := len(dims) - 1; i >= 0; i-- {
		off += index % dims[i] * steps[i]
		index /= dims[i]
	}
	return off
}

func reduceOne[T wideElem](x []T, base, n int, dims, steps []int, kind nn.Reduce) T {
	var acc T
	switch kind {
	case nn.ReduceProd:
		acc = 1
	case nn.ReduceMax, nn.ReduceMin:
		if n == 0 {
			if kind == nn.ReduceMax {
				return T(math.Inf(-1))
			}
			return T(math.Inf(1))
		}
		acc = x[base]
	}
	wide, top := 0.0, math.Inf(-1)
	if kind == nn.ReduceLogSumExp {
		for k := range n {
			top = max(top, float64(x[base+offsetOf(k, dims, steps)]))
		}
		if math.IsInf(top, 0) {
			return T(top)
		}
	}
	for k := range n {
		v := x[base+offsetOf(k, dims, steps)]
		switch kind {
		case nn.ReduceMax:
			acc = max(acc, v)
		case nn.ReduceMin:
			acc = min(acc, v)
		case nn.ReduceProd:
			acc *= v
		case nn.ReduceSumSquare:
			acc += T(v * v)
		case nn.ReduceL1:
			if v < 0 {
				v = -v
			}
			acc += v
		case nn.ReduceL2:
			wide += float64(float64(v) * float64(v))
		case nn.ReduceLogSumExp:
			wide += math.Exp(float64(v) - top)
		case nn.ReduceLogSum:
			wide += float64(v)
		default:
			acc += v
		}
	}
	switch kind {
	case nn.ReduceMean:
		if n == 0 {
			return T(math.NaN()) // floats only: integers were refused
		}
		return acc / T(n)
	case nn.ReduceL2:
		return T(math.Sqrt(wide))
	case nn.ReduceLogSum:
		return T(math.Log(wide))
	case nn.ReduceLogSumExp:
		return T(top + math.Log(wide))
	}
	return acc
}

// planArg gives the index of the largest or smallest element along an axis.
func planArg(c *Call) error {
	in := c.In(0)
	axis, err := axisOf(c, c.Node.Int("axis", 0), len(in.Dims))
	if err != nil {
		return err
	}
	out := cloneDims(in.Dims)
	out[axis] = 1
	if c.Node.Int("keepdims", 1) == 0 {
		out = append(out[:axis], out[axis+1:]...)
	}
	c.Out(0, Int64, out...)
	if Elements(out) == 0 {
		c.Run(nothing)
		return nil
	}
	if in.Dims[axis] == 0 {
		return c.Fail("axis ", axis, " of ", in.Dims, " is empty")
	}
	last := c.Node.Int("select_last_index", 0) != 0
	f := nn.ArgMax
	if c.Node.Op == "ArgMin" {
		f = nn.ArgMin
	}
	n, inner := in.Dims[axis], Elements(in.Dims[axis+1:])
	if in.Type == Float32 {
		c.Run(func(a *Args) {
			x := a.In[0].Float32s()
			for i := range a.Out[0].Int64s() {
				a.Out[0].Int64s()[i] = int64(f(x[i/inner*n*inner+i%inner:], n, inner, last))
			}
		})
		return nil
	}
	smallest := c.Node.Op == "ArgMin"
	if in.Type == Float64 {
		argPlain[float64](c, n, inner, Elements(out), smallest, last)
	} else {
		argPlain[int64](c, n, inner, Elements(out), smallest, last)
	}
	return nil
}

func argPlain[T wideElem](c *Call, n, inner, count int, smallest, last bool) {
	w := newWide[T](c, 1, Int64, 0)
	c.Run(func(a *Args) {
		x, y := w.in(a, 0), a.Out[0].Int64s()
		for i := range count {
			at, best := i/inner*n*inner+i%inner, 0
			for k := 1; k < n; k++ {
				v, top := x[at+k*inner], x[at+best*inner]
				if smallest && v < top || !smallest && v > top || last && v == top {
					best = k
				}
			}
			y[i] = int64(best)
		}
	})
}
