package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// The optimizer's operators in the blocked layout, and those that lead into it and out of it.
// Nodes have the attributes that the model gave them. Plan functions see blocked operands as
// the model has them, so that messages speak of those, and declare blocked results.

func init() {
	Register(blockedRows)
	for i, plan := range []func(c *Call) error{planBlockedConv, planBlockedMax, planBlockedAverage, planBlockedGlobalAverage, planBlockedGlobalMax, planBlockedResize, planBlockedResize, planBlockedTransposed} {
		r := *[]*Row{&convRows[0], &poolRows[0], &poolRows[1], &poolRows[3], &poolRows[4], &resizeRows[0], &resizeRows[1], &convRows[1]}[i]
		r.Domain, r.Since, r.Check, r.Limits, r.Rank, r.Plan = ir.Internal, 1, nil, "", nil, plan
		if i == 0 {
			r.In = blockedConvIn
		}
		Register([]Row{r})
	}
}

var blockedRows = []Row{
	// Until a node's operand has its channels in blocks: op and rank are what the node wants.
	{Name: "Block", Domain: ir.Internal, Since: 1, In: xFloat32, Out: yOut, Plan: planBlock,
		Attrs: []Attr{{Name: "channels", Kind: ir.AttrInt}, {Name: "rank", Kind: ir.AttrInt}, {Name: "op", Kind: ir.AttrString}}},
	{Name: "Unblock", Domain: ir.Internal, Since: 1, In: xFloat32, Out: yOut, Plan: planUnblock},
}

var blockedConvIn = []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T', Opt: true},
	{Name: "residual", Types: float32Only, Var: 'T', Opt: true}}

func planBlockedMax(c *Call) error { return planBlockedPool(c, true, false) }
func planBlockedAverage(c *Call) error {
	return planBlockedPool(c, false, c.Int("count_include_pad") != 0)
}
func planBlockedGlobalAverage(c *Call) error { return planBlockedGlobal(c, compute.GlobalAverageLanes) }
func planBlockedGlobalMax(c *Call) error     { return planBlockedGlobal(c, compute.GlobalMaxLanes) }

// inModel shows the plan function input i, which is blocked, as the model has it.
func (c *Call) inModel(i int) {
	if c.shows == 0 {
		c.plain = append(c.plain[:0], c.in...)
		c.in = c.plain
	}
	s := &c.shown[c.shows]
	c.shows++
	*s = Spec{Type: c.in[i].Type, Dims: unblocked(c, c.in[i].Dims, c.Node.Inputs[i].Channels)}
	c.in[i] = s
}

// unblocked are the dimensions of a blocked value as the model has them. The list lasts as
// long as the call.
func unblocked(c *Call, dims []int, channels int) []int {
	d := c.Clone(dims[:len(dims)-1])
	d[1] = channels
	return d
}

// asInModel is a list for a message. Other operators than those here see blocked operands as
// they are, whose dimensions are then given as the model has them.
func (c *Call) asInModel(dims []int) []int {
	if c.shows != 0 || len(dims) < 4 || dims[len(dims)-1] != compute.Lanes {
		return dims
	}
	channels := 0
	for i, v := range c.Node.Inputs {
		if v == nil || v.Channels == 0 {
			continue
		}
		channels = v.Channels
		if s := c.In(i); s != nil && len(s.Dims) > 0 && &s.Dims[0] == &dims[0] {
			break
		}
	}
	if channels == 0 {
		return dims
	}
	return unblocked(c, dims, channels)
}

// outBlocked declares output 0 with these dimensions of the model, in blocks.
func outBlocked(c *Call, dims []int) {
	out := c.list(len(dims) + 1)
	copy(out, dims)
	out[1], out[len(dims)] = compute.ChannelBlocks(dims[1]), compute.Lanes
	if !Sane(out, ir.Float32, c.maxBytes) {
		c.Err = c.fail("output 0 would have dimensions @, with channels in blocks of % more than the session's limit of % bytes", dims, compute.Lanes, c.maxBytes)
		out = c.Dims(len(out))
	}
	c.Out(0, ir.Float32, out...)
}

// planBlock leads into the blocked layout.
func planBlock(c *Call) error {
	dims, channels := c.In(0).Dims, int(c.Int("channels"))
	if len(dims) != int(c.Int("rank")) || dims[1] != channels {
		node := c.Node
		c.Node = &ir.Node{Name: node.Name, Op: c.Str("op")}
		err := c.fail("x has dimensions @, want % of them, with % channels", dims, int(c.Int("rank")), channels)
		c.Node = node
		return err
	}
	outBlocked(c, dims)
	pixels := ir.Elements(dims[2:])
	if pixels == 1 && channels%compute.Lanes == 0 && c.Err == nil {
		c.Alias(0, 0)
		return nil
	}
	*Into[block](c) = block{dims[0], channels, pixels}
	return nil
}

type block struct{ images, channels, pixels int }

func (s *block) Run(a *Args) {
	compute.Block(a.Out[0].Float32s(), a.In[0].Float32s(), s.images, s.channels, s.pixels)
}

func planUnblock(c *Call) error {
	c.inModel(0)
	dims := c.In(0).Dims
	channels, pixels := dims[1], ir.Elements(dims[2:])
	c.Out(0, ir.Float32, dims...)
	if pixels == 1 && channels%compute.Lanes == 0 {
		c.Alias(0, 0)
		return nil
	}
	*Into[unblock](c) = unblock{dims[0], channels, pixels}
	return nil
}

type unblock struct{ images, channels, pixels int }

func (s *unblock) Run(a *Args) {
	compute.Unblock(a.Out[0].Float32s(), a.In[0].Float32s(), s.images, s.channels, s.pixels)
}

// BlocksConv says whether a Conv or ConvTranspose with these weights, strides and dilations can
// be run in the blocked layout, and whether its result is planes all the same.
func BlocksConv(n *ir.Node, weights []int, stride, dilation [2]int) (planes, ok bool) {
	groups := n.Int("group", 1)
	if len(weights) != 3 && len(weights) != 4 || groups < 1 || groups > dimLimit || ir.Elements(weights) == 0 {
		return false, false
	}
	s := compute.ConvShape{InChannels: weights[1] * int(groups), OutChannels: weights[0], Groups: int(groups)}
	s.Window = compute.Window{KernelH: 1, KernelW: weights[len(weights)-1], StrideH: stride[0], StrideW: stride[1], DilationH: dilation[0], DilationW: dilation[1]}
	if len(weights) == 4 {
		s.KernelH = weights[2]
	}
	if n.Op == "ConvTranspose" {
		s.InChannels, s.OutChannels = s.OutChannels, s.InChannels
		return s.TransposedBlocks()
	}
	return false, s.Blockable()
}

// planBlockedConv: the input is plain where it has no channels in blocks; input 3 is added
// to the result before it is bounded.
func planBlockedConv(c *Call) error {
	planes := c.Node.Inputs[0].Channels == 0
	if planes {
		c.shows = -1
	} else {
		c.inModel(0)
	}
	shape, win, err := convShapeOf(c)
	if err != nil {
		return err
	}
	if !planes {
		if err := win.check(c, compute.ChannelBlocks(shape.InChannels)*compute.Lanes); err != nil {
			return err
		}
	}
	x := c.In(0).Dims
	oh, ow := shape.OutSize(win.h, win.w)
	if oh*ow == 0 {
		return win.tooSmall(c)
	}
	outBlocked(c, win.dims(c, x[0], shape.OutChannels, oh, ow))
	if c.Err != nil || x[0] == 0 {
		c.Step = nothing{}
		return nil
	}
	if r := c.In(3); r != nil {
		if !ir.SameDims(r.Dims, c.Outs[0].Dims) {
			return c.Fail("what is added has dimensions ", unblocked(c, r.Dims, shape.OutChannels), ", the result ", unblocked(c, c.Outs[0].Dims, shape.OutChannels))
		}
		c.InPlace(0, 3)
		c.Apart = true
	}
	s := Into[blockedConv](c)
	s.images, s.h, s.w = x[0], win.h, win.w
	packed := Prepared(c, Key{1}, 1, 3, func(kept bool) *compute.BlockedConv {
		w, bias := weightsOf(c)
		if !planes && kept && shape.Winograd() {
			return compute.PackWinograd(shape, w.Float32s(), bias, clampOf(c.Node))
		}
		p := compute.PackBlockedConv(shape, w.Float32s(), bias, clampOf(c.Node), planes, kept && w.Sole)
		if p.Over() {
			w.Take()
		}
		return p
	})
	s.conv, _ = packed.With(shape)
	s.conv.Apply = functionOf(c.Node)
	c.Scratch(4 * s.conv.ScratchLen(s.h, s.w))
	return nil
}

type blockedConv struct {
	conv         compute.BlockedConv
	images, h, w int
}

func (s *blockedConv) Run(a *Args) {
	s.conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), optional(a, 3), s.images, s.h, s.w, slab.View[float32](a.Scratch))
}

func planBlockedTransposed(c *Call) error {
	c.inModel(0)
	shape, win, oh, ow, err := transposedOf(c)
	if err != nil {
		return err
	}
	if err := win.check(c, compute.ChannelBlocks(shape.InChannels)*compute.Lanes); err != nil {
		return err
	}
	x := c.In(0).Dims
	planes, _ := shape.TransposedBlocks()
	if dims := win.dims(c, x[0], shape.OutChannels, oh, ow); planes {
		c.Out(0, ir.Float32, dims...)
	} else {
		outBlocked(c, dims)
	}
	if c.Err != nil || x[0]*oh*ow == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[blockedTransposed](c)
	s.images, s.h, s.w, s.oh, s.ow = x[0], win.h, win.w, oh, ow
	packed := Prepared(c, Key{1}, 1, 3, func(kept bool) *compute.BlockedTransposed {
		w, bias := weightsOf(c)
		p := compute.PackBlockedTransposed(shape, w.Float32s(), bias, clampOf(c.Node), kept && w.Sole)
		if p.Over() {
			w.Take()
		}
		return p
	})
	s.conv = *packed
	s.conv.Shape, s.conv.Apply = shape, functionOf(c.Node)
	c.Scratch(4 * s.conv.ScratchLen(s.h, s.w, oh, ow))
	return nil
}

type blockedTransposed struct {
	conv         compute.BlockedTransposed
	images, h, w int
	oh, ow       int
}

func (s *blockedTransposed) Run(a *Args) {
	s.conv.Run(a.Out[0].Float32s(), a.In[0].Float32s(), s.images, s.h, s.w, s.oh, s.ow, slab.View[float32](a.Scratch))
}

func planBlockedPool(c *Call, largest, countPad bool) error {
	c.inModel(0)
	dims := c.In(0).Dims
	p, err := poolOf(c, dims, countPad)
	if err != nil {
		return err
	}
	if err := p.check(c, compute.Lanes); err != nil {
		return err
	}
	outBlocked(c, p.dims(c, dims[0], dims[1], p.oh, p.ow))
	if c.Err != nil || dims[0] == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[blockedPool](c)
	s.pool, s.largest, s.images, s.channels, s.h, s.w, s.places = p.pool, largest, dims[0], dims[1], p.h, p.w, p.oh*p.ow
	c.Scratch(4 * s.pool.LaneScratch())
	return nil
}

// blockedPool slides a window over blocks of planes of h×w.
type blockedPool struct {
	pool                           compute.Pool
	largest                        bool // the maximum, not the mean
	images, channels, h, w, places int
}

func (s *blockedPool) Run(a *Args) {
	y, x, scratch, blocks := a.Out[0].Float32s(), a.In[0].Float32s(), slab.View[float32](a.Scratch), s.images*compute.ChannelBlocks(s.channels)
	if !s.largest {
		s.pool.AverageLanes(y, x, blocks, s.h, s.w, scratch)
		return
	}
	s.pool.MaxLanes(y, x, blocks, s.h, s.w, scratch)
	compute.ClearLanes(y, s.images, s.channels, s.places) // a window that sees nothing has -Inf
}

// planBlockedGlobal makes one pixel of each plane.
func planBlockedGlobal(c *Call, f func(y, x []float32, blocks, pixels int)) error {
	c.inModel(0)
	dims := c.In(0).Dims
	out := c.Clone(dims)
	for i := range out[2:] {
		out[2+i] = 1
	}
	outBlocked(c, out)
	pixels := ir.Elements(dims[2:])
	*Into[blockedGlobal](c) = blockedGlobal{f, dims[0], dims[1], pixels}
	return nil
}

type blockedGlobal struct {
	f                        func(y, x []float32, blocks, pixels int)
	images, channels, pixels int
}

func (s *blockedGlobal) Run(a *Args) {
	y := a.Out[0].Float32s()
	s.f(y, a.In[0].Float32s(), s.images*compute.ChannelBlocks(s.channels), s.pixels)
	if s.pixels == 0 { // of nothing the mean is NaN, the maximum -Inf
		compute.ClearLanes(y, s.images, s.channels, 1)
	}
}

// planBlockedResize interpolates planes.
func planBlockedResize(c *Call) error {
	physical := c.In(0).Dims
	c.inModel(0)
	dims := c.In(0).Dims
	r, err := resizingOf(c)
	if err != nil {
		return err
	}
	out := c.Dims(len(dims))
	for i := range out {
		out[i] = r.axes[i].out
	}
	if out[0] != dims[0] || out[1] != dims[1] {
		return c.Fail("dimensions ", dims, " would become ", out, ", want images and channels unchanged")
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	outBlocked(c, out)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if ir.Elements(dims) == 0 {
		return c.Fail("there is nothing in ", dims, " to make ", out, " of")
	}
	if r.mode == "nearest" {
		s := Into[blockedNearest](c)
		s.blocks, s.h, s.w = physical[0]*physical[1], 1, dims[len(dims)-1]
		s.cols = r.sourcesOf(s.cols[:0], len(dims)-1)
		s.rows = append(s.rows[:0], 0)
		if len(dims) == 4 {
			s.h, s.rows = dims[2], r.sourcesOf(s.rows[:0], 2)
		}
		return nil
	}
	// Along the planes' axes, with the lanes behind them.
	r.axes = append(r.axes, resizedAxis{in: compute.Lanes, out: compute.Lanes, scale: 1, end: 1})
	r.axes[1] = resizedAxis{in: physical[1], out: physical[1], scale: 1, end: 1}
	stepPasses(c, &r, physical, c.Outs[0].Dims)
	return nil
}

type blockedNearest struct {
	blocks, h, w int
	rows, cols   []int32
}

func (s *blockedNearest) Run(a *Args) {
	compute.NearestLanes(a.Out[0].Float32s(), a.In[0].Float32s(), s.blocks, s.h, s.w, s.rows, s.cols)
}
