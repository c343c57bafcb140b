//go:build !lean

package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/norm"
)

// What com.microsoft has for networks that make images, its softmax of a sum, and
// TensorScatter.

func init() { Register(rareContribRows) }

var groupNormAttrs = []Attr{{Name: "activation", Kind: ir.AttrInt}, {Name: "channels_last", Kind: ir.AttrInt, I: 1}, epsilon, {Name: "groups", Kind: ir.AttrInt}}

var rareContribRows = []Row{{
	Name: "GroupNorm", Domain: microsoft, Since: 1,
	In:  []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "gamma", Types: float32Only}, {Name: "beta", Types: float32Only}},
	Out: []Out{{Name: "Y", Var: 'T'}}, Attrs: groupNormAttrs, Rank: sameRank, Check: checkActivation, Limits: "activation is 0 (none) or 1 (SiLU)",
	Plan: planSkipGroupNorm,
}, {
	Name: "SkipGroupNorm", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "gamma", Types: float32Only}, {Name: "beta", Types: float32Only},
		{Name: "skip", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true}},
	Out: []Out{{Name: "Y", Var: 'T'}, {Name: "S", Var: 'T', Opt: true}}, Attrs: groupNormAttrs, Rank: sameRank, Check: checkActivation, Limits: "activation is 0 (none) or 1 (SiLU)",
	Plan: planSkipGroupNorm,
}, {
	Name: "BiasAdd", Domain: microsoft, Since: 1,
	In:  []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T'}, {Name: "skip", Types: float32Only, Var: 'T'}},
	Out: []Out{{Name: "Y", Var: 'T'}}, Rank: sameRank,
	Plan: planBiasAdd,
}, {
	Name: "BiasSplitGelu", Domain: microsoft, Since: 1,
	In:  []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T'}},
	Out: []Out{{Name: "Y", Var: 'T'}}, Rank: sameRank,
	Plan: planBiasSplitGelu,
}, {
	Name: "BiasSoftmax", Domain: microsoft, Since: 1,
	In:    []In{{Name: "data", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: 1}, {Name: "is_inner_broadcast", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Plan:  planBiasSoftmax,
}, {
	Name: "TensorScatter", Since: 24,
	In: []In{{Name: "past_cache", Types: storedTypes, Var: 'T', Strided: StridesMatrices}, {Name: "update", Types: storedTypes, Var: 'T'},
		{Name: "write_indices", Types: 1 << ir.Int64, Opt: true}},
	Out:   []Out{{Name: "present_cache", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: -2}, {Name: "mode", Kind: ir.AttrString, S: "linear", Words: []string{"linear", "circular"}}},
	Rank:  sameRank,
	Grows: []Growth{{Axis: axisAttr, Writes: true}},
	Plan:  planTensorScatter,
}}

func checkActivation(n *ir.Node) string {
	if a := n.Int("activation", 0); a != 0 && a != 1 {
		return "activation other than SiLU"
	}
	return ""
}

// planSkipGroupNorm: GroupNorm of x, or of x + skip + bias, with channels last as a rule.
// skip may be [batch, channels] for all places, or [batch, 1, 1, channels].
func planSkipGroupNorm(c *Call) error {
	dims := c.In(0).Dims
	layout, axis := norm.NHWC, len(dims)-1
	if c.Int("channels_last") == 0 {
		layout, axis = norm.NCHW, 1
	}
	if len(dims) < 2 {
		return c.fail("x has dimensions @, want at least 2 of them", dims)
	}
	channels := dims[axis]
	for _, i := range [...]int{1, 2, 4} {
		if in := c.In(i); in != nil && (len(in.Dims) != 1 || in.Dims[0] != channels) {
			return c.fail("input % has dimensions @, want [%]", in.Dims, i, channels)
		}
	}
	c.Out(0, ir.Float32, dims...)
	sums := c.NumOut() > 1 && c.Node.Outputs[1] != nil
	if sums {
		c.Out(1, ir.Float32, dims...)
	}
	if ir.Elements(dims) == 0 {
		c.Step = nothing{}
		return nil
	}
	groups := int(min(max(c.Int("groups"), 0), dimLimit))
	gn, err := norm.NewGroupNorm(dims, layout, groups, float64(c.Float("epsilon")))
	if err != nil {
		return c.Fail(err)
	}
	if c.Int("activation") == 1 {
		gn.Activation = norm.SiLU
	}
	s := Into[skipGroupNorm](c)
	s.norm, s.skip = gn, c.In(3) != nil
	if s.skip {
		skip := c.In(3).Dims
		if !ir.SameDims(skip, dims) {
			whole := c.Dims(len(dims))
			for i := range whole {
				whole[i] = 1
			}
			whole[0], whole[axis] = dims[0], channels
			if ir.Elements(skip) != dims[0]*channels || len(skip) == 0 || skip[0] != dims[0] {
				return c.Fail("skip has dimensions ", skip, ", want ", dims, " or ", whole)
			}
			skip = whole
		}
		s.add.set(dims, dims, skip)
		bias := c.Dims(len(dims) - axis)
		for i := range bias {
			bias[i] = 1
		}
		bias[0] = channels
		s.bias = c.In(4) != nil
		s.more.set(dims, dims, bias)
		if !sums {
			c.Scratch(4 * ir.Elements(dims))
		}
	}
	return nil
}

type skipGroupNorm struct {
	norm       *norm.GroupNorm // with memory of its own
	skip, bias bool
	add, more  broadcast
}

func (s *skipGroupNorm) Run(a *Args) {
	x := a.In[0].Float32s()
	if s.skip {
		var sum []float32
		if sum = output(a, 1); sum == nil {
			sum = slab.View[float32](a.Scratch)[:len(x)]
		}
		walkRows(&s.add, compute.Add, sum, x, a.In[3].Float32s(), 0)
		if s.bias {
			walkRows(&s.more, compute.Add, sum, sum, a.In[4].Float32s(), 0)
		}
		x = sum
	}
	must(s.norm.Forward(a.Out[0].Float32s(), nil, nil, x, a.In[1].Float32s(), a.In[2].Float32s()))
}

// planBiasAdd: y = x + bias + skip.
func planBiasAdd(c *Call) error {
	x, bias, skip := c.In(0).Dims, c.In(1).Dims, c.In(2).Dims
	if len(x) == 0 || len(bias) != 1 || bias[0] != x[len(x)-1] || !ir.SameDims(x, skip) {
		return c.Fail("x has dimensions ", x, ", the bias ", bias, " and skip ", skip)
	}
	sameOut(c)
	Into[biasAdd](c).cols = bias[0]
	return nil
}

type biasAdd struct{ cols int }

func (s *biasAdd) Run(a *Args) {
	if y := a.Out[0].Float32s(); len(y) > 0 {
		compute.Add(y, a.In[0].Float32s(), s.cols, 1, a.In[1].Float32s(), 0, 1, len(y)/s.cols, s.cols)
		compute.Add(y, y, 0, 1, a.In[2].Float32s(), 0, 1, 1, len(y))
	}
}

// planBiasSplitGelu: of each row of x + bias, the first half times Gelu of the second.
func planBiasSplitGelu(c *Call) error {
	x, bias := c.In(0).Dims, c.In(1).Dims
	if len(x) == 0 || len(bias) != 1 || bias[0] != x[len(x)-1] || bias[0]%2 != 0 {
		return c.Fail("x has dimensions ", x, " and the bias ", bias, ", want rows that have two halves")
	}
	out := c.Clone(x)
	out[len(out)-1] /= 2
	c.Out(0, ir.Float32, out...)
	cols := bias[0]
	c.Scratch(4 * cols)
	*Into[splitGelu](c) = splitGelu{ir.Elements(x[:len(x)-1]), cols}
	return nil
}

type splitGelu struct{ rows, cols int }

func (s *splitGelu) Run(a *Args) {
	if s.cols == 0 {
		return
	}
	x, y, sum := a.In[0].Float32s(), a.Out[0].Float32s(), slab.View[float32](a.Scratch)[:s.cols]
	half := s.cols / 2
	for row := range s.rows {
		compute.Add(sum, x[row*s.cols:], 0, 1, a.In[1].Float32s(), 0, 1, 1, s.cols)
		compute.Gelu(sum[half:], sum[half:])
		compute.Mul(y[row*half:], sum, 0, 1, sum[half:], 0, 1, 1, half)
	}
}

// planBiasSoftmax: the softmax of data + bias over all axes from axis on. What
// is_inner_broadcast says the dimensions say as well.
func planBiasSoftmax(c *Call) error {
	dims := sameOut(c).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	if !ir.SameDims(out, dims) {
		return c.Fail("the bias has dimensions ", c.In(1).Dims, ", which do not broadcast to ", dims)
	}
	s := Into[biasSoftmax](c)
	s.rows, s.cols = ir.Elements(dims[:axis]), ir.Elements(dims[axis:])
	s.add.set(dims, dims, c.In(1).Dims)
	return nil
}

type biasSoftmax struct {
	rows, cols int
	add        broadcast
}

func (s *biasSoftmax) Run(a *Args) {
	if y := a.Out[0].Float32s(); len(y) > 0 {
		walkRows(&s.add, compute.Add, y, a.In[0].Float32s(), a.In[1].Float32s(), 0)
		compute.Softmax(y, y, s.rows, s.cols, 1, nil)
	}
}

// planTensorScatter: the rows of update, along an axis, are written into the cache from a
// place on that each element of the batch has.
func planTensorScatter(c *Call) error {
	dims, update := c.In(0).Dims, c.In(1).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	fits := len(update) == len(dims) && axis > 0
	for i := 0; fits && i < len(dims); i++ {
		fits = update[i] == dims[i] || i == axis && update[i] <= dims[i]
	}
	if !fits {
		return c.Fail("update has dimensions ", update, ", which do not fit ", dims, " along axis ", axis)
	}
	if at := c.In(2); at != nil && (len(at.Dims) != 1 || at.Dims[0] != dims[0]) {
		return c.fail("write_indices has dimensions @, want [%]", at.Dims, dims[0])
	}
	t := c.In(0).Type
	c.Out(0, t, dims...)
	if c.In(0).Stride == 0 {
		c.InPlace(0, 0)
	}
	s := Into[tensorScatter](c)
	*s = tensorScatter{batch: dims[0], blocks: ir.Elements(dims[1:axis]), rows: dims[axis], fresh: update[axis],
		row: ir.Elements(dims[axis+1:]) * t.Size(), circular: c.Str("mode") == "circular", appends: c.Appends(0), gap: c.In(0).Stride * t.Size()}
	if s.gap == 0 {
		s.gap = s.rows * s.row
	}
	return nil
}

type tensorScatter struct {
	batch, blocks, rows, fresh int
	row, gap                   int // bytes
	circular, appends          bool
}

func (s *tensorScatter) Run(a *Args) {
	y, update := a.Out[0], a.In[1].Data
	gap := s.rows * s.row
	if y.Stride != 0 {
		gap = y.Stride * y.Type.Size()
	}
	if !s.appends && len(y.Data) > 0 && slab.Addr(y.Data) != slab.Addr(a.In[0].Data) {
		ir.CopyBlocks(y.Data, a.In[0].Data, s.batch*s.blocks, s.rows*s.row, gap, s.gap)
	}
	for b := range s.batch {
		at := 0
		if len(a.In) > 2 && a.In[2] != nil {
			v := a.In[2].Int64s()[b]
			last := int64(s.rows - s.fresh)
			if s.circular {
				last = int64(s.rows - 1)
			}
			if v < 0 || v > last {
				panic(errors.New(text.Join("write_indices[", b, "] is ", v, ", want one in [0, ", last, "] to write ", s.fresh, " of ", s.rows, " rows")))
			}
			at = int(v)
		}
		for h := range s.blocks {
			block, from := y.Data[(b*s.blocks+h)*gap:], update[(b*s.blocks+h)*s.fresh*s.row:]
			n := min(s.fresh, s.rows-at)
			copy(block[at*s.row:][:n*s.row], from)
			copy(block[:(s.fresh-n)*s.row], from[n*s.row:])
		}
	}
}
