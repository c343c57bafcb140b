package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(softmaxRows) }

var softmaxRows = []Row{
	{Name: "Softmax", Since: 1, Changes: []int{11, 13}, In: softmaxIn, Out: softmaxOut, Attrs: softmaxAttrs, Rank: sameRank, Plan: planSoftmax},
	{Name: "LogSoftmax", Since: 1, Changes: []int{11, 13}, In: softmaxIn, Out: softmaxOut, Attrs: softmaxAttrs, Rank: sameRank, Plan: planSoftmax},
}

var (
	softmaxIn    = []In{{Name: "input", Types: floatTypes, Var: 'T'}}
	softmaxOut   = []Out{{Name: "output", Var: 'T'}}
	softmaxAttrs = []Attr{{Name: "axis", Kind: ir.AttrInt, I: -1}}
)

// softmaxAxes are the three that a softmax sees, of which it is over the middle one. Up to
// opset 12 the axes from axis (by default 1) on count as one; from opset 13 on axis (by
// default the last) is the only one.
func softmaxAxes(c *Call) (outer, n, inner int, err error) {
	dims := c.In(0).Dims
	if c.Node.Version < 13 {
		axis, err := axisOf(c, c.Node.Int("axis", min(1, int64(len(dims)))), len(dims)+1)
		if err != nil {
			return 0, 0, 0, err
		}
		if c.Node.Int("axis", 1) < 0 {
			axis--
		}
		if axis < 0 {
			return 0, 0, 0, c.fail("axis is %, but the input has dimensions @", dims, int(c.Node.Int("axis", 1)))
		}
		return ir.Elements(dims[:axis]), ir.Elements(dims[axis:]), 1, nil
	}
	if len(dims) == 0 {
		return 1, 1, 1, nil
	}
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return 0, 0, 0, err
	}
	return ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:]), nil
}

func planSoftmax(c *Call) error {
	sameOut(c)
	outer, n, inner, err := softmaxAxes(c)
	if err != nil {
		return err
	}
	if outer*n*inner == 0 {
		c.Step = nothing{}
		return nil
	}
	if isDouble(c) {
		*Into[doubleSoftmax](c) = doubleSoftmax{outer: outer, n: n, inner: inner, log: c.Node.Op == "LogSoftmax"}
		return nil
	}
	s := Into[softmax](c)
	*s = softmax{outer: outer, n: n, inner: inner, log: c.Node.Op == "LogSoftmax"}
	c.Scratch(4 * compute.SoftmaxScratch(n, inner))
	return nil
}

// softmax is over the middle one of three axes.
type softmax struct {
	outer, n, inner int
	log             bool
}

// Rows: all but the softmax of contiguous rows needs the scratch memory.
func (s *softmax) Rows() int {
	if s.log || s.inner != 1 {
		return 1
	}
	return s.outer
}

// Time: two nanoseconds an element.
func (s *softmax) Time() int { return 2 * s.Rows() * s.n }

func (s *softmax) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *softmax) RunRows(a *Args, from, to int) {
	y, x, scratch := a.Out[0].Float32s(), a.In[0].Float32s(), slab.View[float32](a.Scratch)
	switch {
	case from == to:
	case s.log:
		compute.LogSoftmax(y, x, s.outer, s.n, s.inner, scratch)
	case s.inner != 1:
		compute.Softmax(y, x, s.outer, s.n, s.inner, scratch)
	default:
		compute.Softmax(y[from*s.n:to*s.n], x[from*s.n:to*s.n], to-from, s.n, 1, nil)
	}
}
