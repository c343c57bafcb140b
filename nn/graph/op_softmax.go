package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(softmaxes) }

var softmaxes = []entry{
	{"Softmax LogSoftmax", 1, "axis", nil, planSoftmax},
}

// planSoftmax: up to opset 12 the axes from axis (by default 1) on count as one;
// from opset 13 on axis (by default the last) is the only one.
func planSoftmax(c *Call) error {
	dims := sameOut(c).Dims
	outer, n, inner := 1, 1, 1
	if c.Node.Version < 13 {
		axis, err := axisOf(c, c.Node.Int("axis", min(1, int64(len(dims)))), len(dims)+1)
		if err != nil {
			return err
		}
		if c.Node.Int("axis", 1) < 0 {
			axis--
		}
		if axis < 0 {
			return c.Fail("axis is ", c.Node.Int("axis", 1), ", but the input has dimensions ", dims)
		}
		outer, n = Elements(dims[:axis]), Elements(dims[axis:])
	} else if len(dims) > 0 {
		axis, err := axisOf(c, c.Node.Int("axis", -1), len(dims))
		if err != nil {
			return err
		}
		outer, n, inner = Elements(dims[:axis]), dims[axis], Elements(dims[axis+1:])
	}
	if outer*n*inner == 0 {
		c.Run(nothing)
		return nil
	}
	f := nn.Softmax
	if c.Node.Op == "LogSoftmax" {
		f = nn.LogSoftmax
	}
	c.Scratch(4 * nn.SoftmaxScratch(n, inner))
	c.Run(func(a *Args) {
		f(a.Out[0].Float32s(), a.In[0].Float32s(), outer, n, inner, slab.View[float32](a.Scratch))
	})
	return nil
}
