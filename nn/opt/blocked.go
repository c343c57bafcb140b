package opt

import (
	"math"
	"strings"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Blocks says which convolutions are put into the blocked layout. Tests set it.
var Blocks = BlocksPaying

// What Blocks may be.
const (
	BlocksNone   = iota
	BlocksPaying // those that are faster so, with the way in and out
	BlocksAll
)

// blockConvs puts regions around convolutions into the blocked layout, [n, blocks, …, 8] with
// 8 channels of a pixel together: those of float32 with constant weights, transposed ones too,
// and between them what works element by element, pools, sums of planes, resizes, pads of planes,
// concatenations and splits of whole blocks, inference BatchNormalization. They become nodes
// of other values, with normwasm.Block where a value comes into a region and normwasm.Unblock
// where one is wanted outside: of each value once. A first convolution of up to 4 channels
// reads planes as they are.
//
// Channels that are missing in a last block are zeros, or at least finite: they are
// multiplied by zeros.
//
// Left alone: nodes of more than 256 operands, which are looked through one by one for each; operands whose channels or number of dimensions are not known before a run,
// operators that would give channels that are missing values without bounds, and regions
// whose convolutions gain less than the way in and out costs.
func blockConvs(r *rewriter) {
	if Blocks == BlocksNone {
		return
	}
	b := &blocker{rewriter: r, facts: map[*ir.Value]*fact{}, chosen: map[*ir.Node]*choice{}, interned: map[planeKey]*plane{}, roots: map[*ir.Value]*plane{}}
	r.each(func(n *ir.Node) {
		if len(n.Outputs) == 0 || n.Outputs[0] == nil || len(n.Inputs) == 0 || len(n.Inputs) > 256 {
			return
		}
		if c := new(choice); b.consider(n, c) {
			b.chosen[n] = c
		}
	})
	if Blocks == BlocksPaying {
		b.weigh()
	}
	if len(b.chosen) > 0 {
		b.rewrite()
	}
}

// maxPlanes is up to how many channels a convolution reads planes that are not blocked.
const maxPlanes = 4

// fact is what is known of a value in the blocked layout.
type fact struct {
	channels, rank int // of the value in the model
	plane          *plane
	by             *choice // of the node that makes it; nil for what comes from outside
}

// whole says that no channel is missing in the blocks.
func (f *fact) whole() bool { return f.channels%compute.Lanes == 0 }

// plane stands for a number of images and the size of their planes: values with the same
// one agree in all dimensions but the channels.
type plane struct {
	images *plane  // the plane whose number of images it has
	batch  int     // that number where it is known, or -1
	unit   bool    // there is one pixel
	area   float64 // about how many pixels, for the choice of regions
	// Of a value that comes into a region: that this was reckoned with.
	counted bool
}

// planeKey says how a plane comes from another one.
type planeKey struct {
	from  *plane
	how   byte
	sizes [10]int
}

// The ways.
const (
	byWindow byte = iota
	byPool
	byPad
	byGlobal
)

// choice is how a node is put into the blocked layout.
type choice struct {
	gain   float64     // nanoseconds that it saves, or its region if it stands for that
	region *choice     // another one of the same region; nil for one that stands for it
	blocks []*ir.Value // the operands that it wants in blocks
	write  func()      // makes the node that of the blocked values, which it has by then; may be nil
}

type blocker struct {
	*rewriter
	facts    map[*ir.Value]*fact
	chosen   map[*ir.Node]*choice
	interned map[planeKey]*plane
	roots    map[*ir.Value]*plane
}

// derived is the plane that comes from another in a way.
//
//go:noinline
func (b *blocker) derived(from *plane, how byte, area float64, sizes ...int) *plane {
	k := planeKey{from: from, how: how}
	copy(k.sizes[:], sizes)
	p := b.interned[k]
	if p == nil {
		p = &plane{images: from.images, batch: from.batch, unit: how == byGlobal, area: area}
		b.interned[k] = p
	}
	return p
}

// usualArea is how many pixels planes are taken to have that are not known.
const usualArea = 56 * 56

// fresh is a plane of which nothing is known.
func fresh(area float64) *plane {
	p := &plane{batch: -1, area: area}
	p.images = p
	return p
}

// root is the plane of a value that is not in blocks yet.
func (b *blocker) root(v *ir.Value) *plane {
	p := b.roots[v]
	if p != nil {
		return p
	}
	p = fresh(usualArea)
	if v.Known && len(v.Dims) > 2 {
		p.batch = v.Dims[0].Size
		area, unit := 1., true
		for _, d := range v.Dims[2:] {
			area *= float64(d.Size)
			unit = unit && d.Size == 1
			if d.Size < 0 {
				area = usualArea
				break
			}
		}
		p.area, p.unit = math.Abs(area), unit
	}
	b.roots[v] = p
	return p
}

// entering is the fact of a value that would come into the region, nil where too little is known.
func (b *blocker) entering(v *ir.Value, rank int) *fact {
	if f := b.facts[v]; f != nil {
		if f.rank != rank {
			return nil
		}
		return f
	}
	if v.Const != nil || v.Type != ir.Float32 || !v.Known || len(v.Dims) != rank || v.Dims[1].Size < 1 {
		return nil
	}
	return &fact{v.Dims[1].Size, rank, b.root(v), nil}
}

// consider decides whether a node may be in the blocked layout, and notes what its results are then.
func (b *blocker) consider(n *ir.Node, c *choice) bool {
	if n.Domain != "" && (n.Domain != ir.Internal || n.Op != "Silu") {
		return false
	}
	if n.Op == "Conv" || n.Op == "ConvTranspose" {
		return b.conv(n, c)
	}
	var f *fact // of the first operand that is in blocks already
	for _, v := range n.Inputs {
		if v != nil && b.facts[v] != nil {
			f = b.facts[v]
			break
		}
	}
	if f == nil {
		return false
	}
	switch n.Op {
	case "Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow", "PRelu":
		return b.combine(n, c, f)
	case "Concat":
		return b.concat(n, c, f)
	}
	if b.facts[n.Inputs[0]] != f {
		return false
	}
	switch n.Op {
	case "Clip":
		lo, hi, ok := clipBounds(n)
		return ok && lo <= hi && (f.whole() || lo <= 16 && hi >= -16) && b.same(n, c, f)
	case "MaxPool", "AveragePool":
		return b.pool(n, c, f)
	case "GlobalAveragePool", "GlobalMaxPool":
		return b.internal(n, c, &fact{f.channels, f.rank, b.global(f), c})
	case "ReduceMean":
		return b.reduce(n, c, f)
	case "BatchNormalization":
		return b.batchNorm(n, c, f)
	case "Split":
		return b.split(n, c, f)
	case "Resize", "Upsample":
		return b.resize(n, c, f)
	case "Pad":
		return b.pad(n, c, f)
	}
	name := " " + n.Op + " "
	return (strings.Contains(keepFinite, name) && keepsFinite(n) || f.whole() && strings.Contains(elementwise, name)) && b.same(n, c, f)
}

// Functions of one element: those that give numbers of about the same size, or bounded ones,
// whatever finite number they are given, and others.
const (
	keepFinite  = " Relu LeakyRelu Tanh HardSwish Silu Gelu Elu Selu Celu Softsign Mish Abs Neg Erf Sigmoid HardSigmoid Softplus "
	elementwise = " Exp Log Sqrt Reciprocal Floor Ceil Round "
)

// keepsFinite says that a function's parameters are usual ones.
func keepsFinite(n *ir.Node) bool {
	for _, a := range n.Attrs {
		if a.Kind == ir.AttrFloat && !(math.Abs(float64(a.F)) <= 16) {
			return false
		}
	}
	return true
}

// result notes a fact of the node's result.
func (b *blocker) result(v *ir.Value, f *fact) bool {
	b.facts[v] = f
	return true
}

// one is for nodes of which the first operand alone is in blocks, with what else is to be done
// to a node then.
//
//go:noinline
func (b *blocker) one(n *ir.Node, c *choice, f *fact, write func()) bool {
	c.blocks = n.Inputs[:1:1]
	c.write = write
	b.facts[n.Outputs[0]] = f
	return true
}

// same is for nodes that need not know it.
func (b *blocker) same(n *ir.Node, c *choice, f *fact) bool {
	return b.one(n, c, &fact{f.channels, f.rank, f.plane, c}, nil)
}

// internal is for nodes that become the optimizer's own, with one result.
//
//go:noinline
func (b *blocker) internal(n *ir.Node, c *choice, f *fact) bool {
	for _, v := range n.Outputs[1:] {
		if v != nil {
			return false
		}
	}
	return b.one(n, c, f, func() { n.Domain = ir.Internal })
}

// global is the plane of one pixel.
func (b *blocker) global(f *fact) *plane { return b.derived(f.plane.images, byGlobal, 1) }

// window is the geometry that attributes give.
type window struct {
	stride, dilation, before, after [2]int // 1 and 0 where there is one axis only
	same                            bool   // the pads follow from the sizes
}

// windowAttrs reads it; ok is false for what is not as it should be.
func windowAttrs(n *ir.Node, spatial int) (w window, ok bool) {
	w = window{stride: [2]int{1, 1}, dilation: [2]int{1, 1}}
	read := func(name string, per int, to ...*[2]int) bool {
		list, given := n.Ints(name)
		if !given {
			return true
		}
		if len(list) != spatial*per {
			return false
		}
		for i, v := range list {
			if v < 0 || v > 1<<20 {
				return false
			}
			to[i/spatial][2-spatial+i%spatial] = int(v)
		}
		return true
	}
	ok = read("strides", 1, &w.stride) && read("dilations", 1, &w.dilation) && read("pads", 2, &w.before, &w.after)
	switch n.Str("auto_pad", "NOTSET") {
	case "SAME_UPPER", "SAME_LOWER":
		w.same = true
	case "VALID":
		w.before, w.after = [2]int{}, [2]int{}
	}
	return w, ok && w.stride[0] > 0 && w.stride[1] > 0
}

// conv is for convolutions, whose weights say how many channels there are, and for transposed
// ones of an input whose channels are known.
func (b *blocker) conv(n *ir.Node, c *choice) bool {
	x, weights := n.Inputs[0], n.In(1)
	if _, ok := floats(weights); !ok || x == nil || x.Const != nil || x.Type != ir.Float32 {
		return false
	}
	if bias := n.In(2); bias != nil {
		if _, ok := floats(bias); !ok {
			return false
		}
	}
	dims, groups := weights.Const.Dims, int(n.Int("group", 1))
	rank := len(dims)
	if rank != 3 && rank != 4 {
		return false
	}
	win, ok := windowAttrs(n, rank-2)
	if !ok {
		return false
	}
	toPlanes, ok := op.BlocksConv(n, dims, win.stride, win.dilation)
	if !ok {
		return false
	}
	taps := 1
	for _, k := range dims[2:] {
		taps *= k
	}
	c.write = func() { n.Domain = ir.Internal }
	f := b.facts[x]
	if n.Op != "Conv" {
		in, out, phases := dims[0], dims[1]*groups, win.stride[0]*win.stride[1]
		if f = b.entering(x, rank); f == nil || f.channels != in {
			return false
		}
		c.blocks = n.Inputs[:1:1]
		c.gain = f.plane.area * nsScatter * float64(out*taps)
		if toPlanes {
			c.gain += f.plane.area * convGain(in, out*phases, groups, taps/phases, false)
			return true
		}
		c.gain += f.plane.area * convGain(in, out, groups, taps, false)
		p := fresh(f.plane.area * float64(phases))
		p.images, p.batch = f.plane.images, f.plane.batch
		return b.result(n.Outputs[0], &fact{out, rank, p, c})
	}
	in, out := dims[1]*groups, dims[0]
	if f != nil && (f.rank != rank || f.channels != in) {
		return false
	}
	planes := f == nil && groups == 1 && in <= maxPlanes
	if f == nil {
		if k := r0(b.rank(x)); k != 0 && k != rank || x.Known && len(x.Dims) == rank && x.Dims[1].Size >= 0 && x.Dims[1].Size != in {
			return false
		}
		f = &fact{in, rank, b.root(x), nil}
	}
	if !planes {
		c.blocks = []*ir.Value{x}
	}
	p := f.plane
	if by := win.moves(dims[2:]); by != [4]int{-1, 1, -1, 1} {
		p = b.derived(f.plane, byWindow, f.plane.area/float64(win.stride[0]*win.stride[1]), by[:]...)
	}
	c.gain = convGain(in, out, groups, taps, planes) * p.area
	return b.result(n.Outputs[0], &fact{out, rank, p, c})
}

// r0 is a rank, 0 where it is not known.
func r0(rank int) int { return max(rank, 0) }

// moves says how a window's places follow from a plane's size: floor((size + by[0])/by[1]) + 1,
// for both axes.
func (w *window) moves(kernel []int) (by [4]int) {
	by = [4]int{-1, 1, -1, 1}
	for i, k := range kernel {
		at := 2 - len(kernel) + i
		by[2*at+1] = w.stride[at]
		if !w.same {
			by[2*at] = w.before[at] + w.after[at] - (k-1)*w.dilation[at] - 1
		}
	}
	return by
}

// combine is for operators of several operands that broadcast: in blocks all of them, or but
// for constants of one number or one for each channel.
func (b *blocker) combine(n *ir.Node, c *choice, f *fact) bool {
	var p *plane
	known := make([][]float32, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			return false
		}
		if v.Const != nil {
			k, ok := perChannel(v, f.channels, f.rank)
			if !ok {
				return false
			}
			known[i] = k
			continue
		}
		e := b.entering(v, f.rank)
		if e == nil || e.channels != f.channels || n.Op == "PRelu" && i == 1 {
			return false
		}
		c.blocks = append(c.blocks, v)
		switch {
		case p == nil || p == e.plane || p.unit && p.images == e.plane.images:
			p = e.plane
		case e.plane.unit && p.images == e.plane.images:
		default:
			p = fresh(max(p.area, e.plane.area))
		}
	}
	fill := float32(0)
	if !f.whole() {
		switch n.Op {
		case "Pow":
			return false
		case "Div":
			if known[1] == nil {
				return false
			}
			fill = 1
		}
	}
	c.write = func() {
		for i := range n.Inputs {
			if known[i] == nil {
				continue
			}
			if len(known[i]) > 1 || !f.whole() {
				n.Inputs[i] = laneConstant(n.Inputs[i].Name, known[i], f, fill)
			} else {
				n.Inputs[i] = constant(n.Inputs[i].Name, nil, known[i])
			}
		}
	}
	return b.result(n.Outputs[0], &fact{f.channels, f.rank, p, c})
}

// laneConstant is a constant for each channel, in blocks.
func laneConstant(name string, values []float32, f *fact, fill float32) *ir.Value {
	dims := make([]int, f.rank+1)
	for i := range dims {
		dims[i] = 1
	}
	dims[1], dims[f.rank] = compute.ChannelBlocks(f.channels), compute.Lanes
	list := make([]float32, dims[1]*compute.Lanes)
	for i := range list {
		list[i] = fill
		if i < f.channels {
			list[i] = values[i%len(values)]
		}
	}
	return constant(name, dims, list)
}

func (b *blocker) pool(n *ir.Node, c *choice, f *fact) bool {
	kernel, given := n.Ints("kernel_shape")
	win, ok := windowAttrs(n, f.rank-2)
	if !given || !ok || len(kernel) != f.rank-2 {
		return false
	}
	sizes := []int{int(n.Int("ceil_mode", 0))}
	dims := make([]int, len(kernel))
	for i, k := range kernel {
		dims[i] = int(min(max(k, 0), 1<<20))
		sizes = append(sizes, dims[i])
	}
	by := win.moves(dims)
	sizes = append(sizes, by[:]...)
	sizes = append(sizes, win.before[0], win.before[1])
	area := f.plane.area / float64(win.stride[0]*win.stride[1])
	return b.internal(n, c, &fact{f.channels, f.rank, b.derived(f.plane, byPool, area, sizes...), c})
}

// reduce is for means of whole planes, which become global pools.
func (b *blocker) reduce(n *ir.Node, c *choice, f *fact) bool {
	axes, ok := n.Ints("axes")
	if v := n.In(1); v != nil {
		axes, ok = ints(v)
	}
	if !ok || len(axes) != f.rank-2 || n.Int("keepdims", 1) == 0 {
		return false
	}
	for i, a := range axes {
		if a != int64(2+i) && a != int64(2+i-f.rank) {
			return false
		}
	}
	return b.one(n, c, &fact{f.channels, f.rank, b.global(f), c}, func() {
		n.Domain, n.Op, n.Attrs, n.Inputs = ir.Internal, "GlobalAveragePool", nil, n.Inputs[:1]
	})
}

// batchNorm makes a convolution of one tap and one channel each, as foldAffine makes another
// convolution's, but for means that are far from zero, whose difference to x rounding would take.
func (b *blocker) batchNorm(n *ir.Node, c *choice, f *fact) bool {
	if len(n.Inputs) != 5 || op.Trains(n) {
		return false
	}
	scale, shift, ok := batchFactors(n, f.channels)
	if !ok {
		return false
	}
	weights, bias := make([]float32, f.channels), make([]float32, f.channels)
	mean, _ := floats(n.Inputs[3])
	for i := range weights {
		if !(math.Abs(float64(mean[i])*scale[i]) < 16) {
			return false
		}
		weights[i], bias[i] = float32(scale[i]), float32(shift[i])
	}
	dims := []int{f.channels, 1, 1, 1}[:f.rank]
	b.one(n, c, &fact{f.channels, f.rank, f.plane, c}, func() {
		n.Domain, n.Op, n.Attrs = ir.Internal, "Conv", map[string]*ir.Attr{"group": intAttr(int64(f.channels))}
		n.Inputs = []*ir.Value{n.Inputs[0], constant("scale", dims, weights), constant("shift", dims[:1], bias)}
	})
	return true
}

// concat is for whole blocks, of which the last alone may lack channels.
func (b *blocker) concat(n *ir.Node, c *choice, f *fact) bool {
	axis := n.Int("axis", 1)
	if axis != 1 && axis != 1-int64(f.rank) {
		return false
	}
	channels := 0
	for i, v := range n.Inputs {
		if v == nil {
			return false
		}
		e := b.entering(v, f.rank)
		if e == nil || !e.whole() && i < len(n.Inputs)-1 {
			return false
		}
		channels += e.channels
		c.blocks = append(c.blocks, v)
	}
	c.write = func() {
		n.Attrs = map[string]*ir.Attr{"axis": intAttr(1)}
	}
	return b.result(n.Outputs[0], &fact{channels, f.rank, f.plane, c})
}

func (b *blocker) split(n *ir.Node, c *choice, f *fact) bool {
	if axis := n.Int("axis", 0); axis != 1 && axis != 1-int64(f.rank) {
		return false
	}
	sizes, given := n.Ints("split")
	if v := n.In(1); v != nil {
		if sizes, given = ints(v); !given {
			return false
		}
	}
	k := len(n.Outputs)
	if !given {
		if f.channels%k != 0 {
			return false
		}
		sizes = make([]int64, k)
		for i := range sizes {
			sizes[i] = int64(f.channels / k)
		}
	}
	blocks, sum := make([]int64, len(sizes)), int64(0)
	for i, s := range sizes {
		if s < 1 || s%compute.Lanes != 0 && i < len(sizes)-1 {
			return false
		}
		sum += s
		blocks[i] = (s + compute.Lanes - 1) / compute.Lanes
	}
	if len(sizes) != k || sum != int64(f.channels) {
		return false
	}
	c.blocks = n.Inputs[:1:1]
	c.write = func() {
		n.Attrs = map[string]*ir.Attr{"axis": intAttr(1)}
		n.Inputs = n.Inputs[:1:1]
		if n.Version >= 13 {
			n.Inputs = append(n.Inputs, intConstant("split", blocks))
		} else {
			n.Attrs["split"] = &ir.Attr{Kind: ir.AttrInts, Ints: blocks}
		}
	}
	for i, v := range n.Outputs {
		if v != nil {
			b.facts[v] = &fact{int(sizes[i]), f.rank, f.plane, c}
		}
	}
	return true
}

// intConstant is a constant list.
func intConstant(name string, list []int64) *ir.Value {
	t := ir.NewTensor(ir.Int64, len(list))
	copy(t.Int64s(), list)
	return &ir.Value{Name: name, Type: ir.Int64, Known: true, Dims: []ir.Dim{{Size: len(list)}}, Const: t}
}

// resize is for planes: neither images nor channels may change, which has to be known.
func (b *blocker) resize(n *ir.Node, c *choice, f *fact) bool {
	if n.Str("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" || n.Str("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return false
	}
	area := f.plane.area * 4
	if axes, given := n.Ints("axes"); given {
		for _, a := range axes {
			if a < 0 {
				a += int64(f.rank)
			}
			if a < 2 {
				return false
			}
		}
	} else {
		var scales []float32
		at := 1
		switch {
		case n.Op == "Resize" && n.Version >= 11:
			at = 2
		case n.Op == "Upsample" && n.Version < 9:
			at = 0
			if a := n.Attrs["scales"]; a != nil {
				scales = a.Floats
			}
		}
		if at > 0 {
			scales, _ = floats(n.In(at))
		}
		sizes, sized := ints(n.In(3))
		switch {
		case len(sizes) == f.rank && sized:
			if int(sizes[0]) != f.plane.batch || int(sizes[1]) != f.channels {
				return false
			}
			area = 1
			for _, s := range sizes[2:] {
				area *= float64(s)
			}
		case n.In(3) == nil && len(scales) == f.rank && scales[0] == 1 && scales[1] == 1:
			area = f.plane.area
			for _, s := range scales[2:] {
				area *= float64(s)
			}
		default:
			return false
		}
	}
	p := fresh(area)
	p.images, p.batch = f.plane.images, f.plane.batch
	return b.internal(n, c, &fact{f.channels, f.rank, p, c})
}

// pad is for planes, by numbers of pixels that are known.
func (b *blocker) pad(n *ir.Node, c *choice, f *fact) bool {
	pads, ok := ints(n.In(1))
	if value := n.In(2); value != nil {
		v, known := scalar(value)
		ok = ok && known && (v == 0 || f.whole())
	}
	if !ok || n.Version < 11 || n.In(3) != nil || len(pads) != 2*f.rank {
		return false
	}
	all := make([]int64, 2*f.rank+2)
	sizes := make([]int, f.rank)
	for i := range f.rank {
		before, after := pads[i], pads[f.rank+i]
		if i < 2 && before|after != 0 {
			return false
		}
		all[i], all[f.rank+1+i], sizes[i] = before, after, int(before+after)
	}
	p := b.derived(f.plane, byPad, f.plane.area, sizes...)
	return b.one(n, c, &fact{f.channels, f.rank, p, c}, func() { n.Inputs[1] = intConstant("pads", all) })
}

// What the choice of regions reckons with, in nanoseconds: measured in one page on one core.
const (
	nsPlain     = 1. / 26 // of an operation of a convolution as planes
	nsBlocked   = 1. / 34 // of one in blocks
	nsDeep      = 1. / 10 // of a depthwise one as planes
	nsDeepBlock = 1. / 18
	nsScatter   = 2   // of an element of a transposed convolution as planes that is added to where it belongs
	nsMove      = 0.5 // of an element that is brought into blocks, or out of them
)

// convGain is what a pixel of a convolution's result gains in blocks.
func convGain(in, out, groups, taps int, planes bool) float64 {
	padded := func(n int) float64 { return float64(compute.ChannelBlocks(n) * compute.Lanes) }
	if groups > 1 && in == groups {
		ops := 2 * float64(taps)
		return ops * (float64(out)*nsDeep - padded(out)*nsDeepBlock)
	}
	ops := 2 * float64(taps) / float64(groups)
	inner := padded(in)
	if planes || groups > 1 {
		inner = float64(in)
	}
	return ops * (float64(in*out)*nsPlain - inner*padded(out)*nsBlocked)
}

// wants says that a value is an operand that the node wants in blocks.
func (c *choice) wants(v *ir.Value) bool {
	for _, w := range c.blocks {
		if w == v {
			return true
		}
	}
	return false
}

// whole is the choice that stands for a region.
func (c *choice) whole() *choice {
	for c.region != nil {
		if c.region.region != nil {
			c.region = c.region.region // shorter for the next one
		}
		c = c.region
	}
	return c
}

// weigh takes regions back that do not pay.
func (b *blocker) weigh() {
	b.each(func(n *ir.Node) {
		c := b.chosen[n]
		if c == nil {
			return
		}
		at := c.whole()
		for _, v := range c.blocks {
			f := b.facts[v]
			if f == nil {
				if p := b.root(v); !p.counted {
					p.counted = true
					at.gain -= p.area * float64(b.channelsOf(n, v)) * nsMove
				}
			} else if from := f.by.whole(); from != at {
				from.region = at
				at.gain += from.gain
			}
		}
		for _, v := range n.Outputs {
			if f := b.facts[v]; f != nil && b.leaves(v) && !(f.plane.unit && f.whole()) {
				at.gain -= f.plane.area * float64(f.channels) * nsMove
			}
		}
	})
	for n, c := range b.chosen {
		if c.whole().gain < 0 {
			delete(b.chosen, n)
			for _, v := range n.Outputs {
				delete(b.facts, v)
			}
		}
	}
}

// channelsOf is how many channels an operand has that comes into a region at a node.
func (b *blocker) channelsOf(n *ir.Node, v *ir.Value) int {
	if n.Op == "Conv" {
		return n.Inputs[1].Const.Dims[1] * int(n.Int("group", 1))
	}
	return v.Dims[1].Size
}

// leaves says that something outside of all regions wants a value.
func (b *blocker) leaves(v *ir.Value) bool {
	if b.pinned[v] {
		return true
	}
	for _, u := range b.users[v] {
		c := b.chosen[u]
		if c == nil {
			return true
		}
		if !c.wants(v) {
			return true
		}
	}
	return false
}

// way is what rewriting has come to.
type way struct {
	b      *blocker
	nodes  []*ir.Node
	blocks map[*ir.Value]*ir.Value // in the blocked layout, by what they are in the model
	plain  map[*ir.Value]bool      // those of them that are there as the model has them too
}

// value is what stands for v in the blocked layout.
//
//go:noinline
func (w *way) value(v *ir.Value, channels int, p *plane) *ir.Value {
	in := &ir.Value{Name: v.Name, Type: ir.Float32, Channels: channels}
	w.blocks[v], w.b.planes[in] = in, p
	return in
}

// input makes operand i of a node that in the blocked layout.
func (w *way) input(n *ir.Node, i int) {
	v := n.Inputs[i]
	in := w.blocks[v]
	if in == nil {
		rank, channels := len(v.Dims), 0
		if n.Op == "Conv" {
			rank, channels = len(n.Inputs[1].Const.Dims), n.Inputs[1].Const.Dims[1]*int(n.Int("group", 1))
		} else {
			channels = v.Dims[1].Size
		}
		in = w.value(v, channels, w.b.root(v))
		w.plain[v] = true
		w.nodes = append(w.nodes, &ir.Node{Name: n.Name, Op: "Block", Domain: ir.Internal, Version: 1, Inputs: []*ir.Value{v}, Outputs: []*ir.Value{in},
			Attrs: map[string]*ir.Attr{"channels": intAttr(int64(channels)), "rank": intAttr(int64(rank)), "op": {Kind: ir.AttrString, S: n.Op}}})
	}
	n.Inputs[i] = in
}

// unblock lets v be there as the model has it.
//
//go:noinline
func (w *way) unblock(v *ir.Value) {
	if in := w.blocks[v]; in != nil && !w.plain[v] {
		w.plain[v] = true
		w.nodes = append(w.nodes, &ir.Node{Name: v.Name, Op: "Unblock", Domain: ir.Internal, Version: 1, Inputs: []*ir.Value{in}, Outputs: []*ir.Value{v}})
	}
}

func (b *blocker) rewrite() {
	b.planes = map[*ir.Value]*plane{}
	w := &way{b: b, blocks: map[*ir.Value]*ir.Value{}, plain: map[*ir.Value]bool{}}
	b.each(func(n *ir.Node) {
		c := b.chosen[n]
		if c == nil {
			for _, v := range n.Inputs {
				if v != nil {
					w.unblock(v)
				}
			}
			w.nodes = append(w.nodes, n)
			return
		}
		outputs := n.Outputs
		n.Inputs, n.Outputs = append([]*ir.Value(nil), n.Inputs...), append([]*ir.Value(nil), n.Outputs...)
		for i, v := range n.Inputs {
			if c.wants(v) {
				w.input(n, i)
			}
		}
		if c.write != nil {
			c.write()
		}
		for i, v := range n.Outputs {
			if f := b.facts[v]; v != nil && f != nil {
				n.Outputs[i] = w.value(v, f.channels, f.plane)
			}
		}
		w.nodes = append(w.nodes, n)
		for _, v := range outputs {
			if b.pinned[v] {
				w.unblock(v)
			}
		}
	})
	b.g.Nodes = w.nodes
	planes := b.planes
	*b.rewriter = *newRewriter(b.g)
	b.planes = planes
}

// fuseConvSums lets a convolution in the blocked layout add another value of its result's
// dimensions to it: Add(Conv(x), y) becomes the Conv with y as a further operand.
//
// Left alone: results that something else uses, or that are bounded before the sum, and
// values of which it is not known that they have the same dimensions.
func fuseConvSums(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Add" || len(n.Inputs) != 2 || r.planes[n.Inputs[0]] == nil || r.planes[n.Inputs[0]] != r.planes[n.Inputs[1]] {
			return
		}
		for _, i := range []int{1, 0} {
			conv := r.producer[n.Inputs[i]]
			if conv == nil || conv.Domain != ir.Internal || conv.Op != "Conv" || conv.Clamp != nil || conv.Apply != nil || conv.In(3) != nil || !r.private(n.Inputs[i], 1) {
				continue
			}
			n.Name = conv.Name
			r.become(n, ir.Internal, "Conv", conv.Version, conv.Attrs, conv.Inputs[0], conv.Inputs[1], conv.In(2), n.Inputs[1-i])
			return
		}
	})
}
