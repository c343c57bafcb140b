package graph

import (
	"math"
	"slices"
	"strings"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

// reductions are named after nn's kinds, in their order.
const reductions = "ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceProd"

func init() { enter(reducers) }

var reducers = []entry{
	{reductions, 1, "axes keepdims noop_with_empty_axes", nil, planReduce},
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
	keep := c.Node.Int("keepdims", 1) == 1
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
	kind := nn.Reduce(slices.Index(strings.Fields(reductions), c.Node.Op))
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
	if in.Len() == 0 && (kind == nn.ReduceMax || kind == nn.ReduceMin || kind == nn.ReduceMean) && !floatTypes.has(in.Type) {
		return c.Fail("there is no element to reduce in ", in.Dims)
	}
	switch in.Type {
	case Float32:
		reduceFloats(c, r.kept, kind)
	case Float64:
		reduceWide[float64](c, r.kept, kind)
	default:
		reduceWide[int64](c, r.kept, kind)
	}
	return nil
}

// grouping is how the reduced elements lie: [rows, n, inner], of which n are
// one result's, or scattered, and then gathered to rows of n first.
type grouping struct {
	rows, n, inner int
	gather         *strided // nil where nothing is gathered
}

// groups finds a grouping of elements of the given size. Gathered ones have
// inner = 1, as have all where flat is set.
func groups(dims []int, kept []bool, size int, flat bool) grouping {
	// Neighbours of one kind count as one dimension; those of 1 join either.
	var sizes []int
	var keep []bool
	at, count := 0, 0
	for i, d := range dims {
		last := len(sizes) - 1
		switch {
		case d == 1:
		case last >= 0 && keep[last] == kept[i]:
			sizes[last] *= d
		default:
			sizes, keep = append(sizes, d), append(keep, kept[i])
			if !kept[i] {
				at, count = last+1, count+1
			}
		}
	}
	if count == 0 { // one element each
		return grouping{rows: Elements(dims), n: 1, inner: 1}
	}
	g := grouping{rows: Elements(sizes[:at]), n: sizes[at], inner: Elements(sizes[at+1:])}
	if count == 1 && (g.inner == 1 || !flat) {
		return g
	}
	strides := rowMajor(sizes)
	var walk, src []int
	g = grouping{rows: 1, n: 1, inner: 1}
	for _, want := range []bool{true, false} {
		for i, k := range keep {
			if k != want {
				continue
			}
			walk, src = append(walk, sizes[i]), append(src, strides[i])
			if k {
				g.rows *= sizes[i]
			} else {
				g.n *= sizes[i]
			}
		}
	}
	g.gather = newStrided(size, walk, src, rowMajor(walk))
	return g
}

func reduceFloats(c *Call, kept []bool, kind nn.Reduce) {
	g := groups(c.In(0).Dims, kept, 4, false)
	if g.gather != nil {
		c.Scratch(4 * g.rows * g.n)
	}
	c.Run(func(a *Args) {
		x := a.In[0].Float32s()
		if g.gather != nil {
			g.gather.run(a.Scratch, a.In[0].Data)
			x = slab.View[float32](a.Scratch[:4*g.rows*g.n])
		}
		kind.Run(a.Out[0].Float32s(), x, g.rows, g.n, g.inner)
	})
}

// reduceWide is for the types that nn has no reductions of.
func reduceWide[T wideElem](c *Call, kept []bool, kind nn.Reduce) {
	g := groups(c.In(0).Dims, kept, 8, true)
	w := newWide[T](c, 1, c.In(0).Type, g.rows)
	at := c.scratch
	if g.gather != nil {
		c.Scratch(at + 8*g.rows*g.n)
	}
	c.Run(func(a *Args) {
		x, y := w.in(a, 0), w.out(a)
		if g.gather != nil {
			g.gather.run(a.Scratch[at:], slab.Bytes(x))
			x = slab.View[T](a.Scratch[at:][:8*g.rows*g.n])
		}
		for r := range y {
			y[r] = reduceRow(x[r*g.n:][:g.n], kind)
		}
		w.done(a)
	})
}

func reduceRow[T wideElem](x []T, kind nn.Reduce) T {
	var acc T
	switch kind {
	case nn.ReduceProd:
		acc = 1
	case nn.ReduceMax:
		acc = T(math.Inf(-1)) // of floats; integers have an element
	case nn.ReduceMin:
		acc = T(math.Inf(1))
	}
	wide, top := 0.0, math.Inf(-1)
	if kind == nn.ReduceLogSumExp {
		for _, v := range x {
			top = max(top, float64(v))
		}
		if math.IsInf(top, 0) {
			return T(top)
		}
	}
	for k, v := range x {
		switch kind {
		case nn.ReduceMax:
			if acc = max(acc, v); k == 0 {
				acc = v
			}
		case nn.ReduceMin:
			if acc = min(acc, v); k == 0 {
				acc = v
			}
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
		default:
			acc += v
		}
	}
	n := T(len(x))
	switch kind {
	case nn.ReduceMean:
		return acc / n // 0/0 of floats is NaN; integers have an element
	case nn.ReduceL2:
		return T(math.Sqrt(wide))
	case nn.ReduceLogSum:
		return T(math.Log(float64(acc)))
	case nn.ReduceLogSumExp:
		return T(top + math.Log(wide))
	}
	return acc
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
