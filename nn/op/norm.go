package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/norm"
)

// Normalizations. Package norm computes those that it has.

const stashLimit = "computes in float32 or more only (stash_type=1)"

var (
	epsilon  = Attr{Name: "epsilon", Kind: ir.AttrFloat, F: norm.DefaultEpsilon}
	stash    = Attr{Name: "stash_type", Kind: ir.AttrInt, I: 1}
	lastAxis = Attr{Name: "axis", Kind: ir.AttrInt, I: -1}
)

func init() { Register(normRows) }

var normRows = []Row{{
	Name: "LayerNormalization", Since: 1, Changes: []int{17},
	In:    []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "Scale", Types: floatTypes, Var: 'T'}, {Name: "B", Types: floatTypes, Var: 'T', Opt: true}},
	Out:   []Out{{Name: "Y", Var: 'T'}, {Name: "Mean", Type: ir.Float32, Opt: true}, {Name: "InvStdDev", Type: ir.Float32, Opt: true}},
	Attrs: []Attr{lastAxis, epsilon, stash},
	Rank:  sameRank, Check: checkStash, Limits: stashLimit,
	Plan: planLayerNorm,
}, {
	Name: "InstanceNormalization", Since: 1, Changes: []int{6, 22},
	In:    []In{{Name: "input", Types: floatTypes, Var: 'T'}, {Name: "scale", Types: floatTypes, Var: 'T'}, {Name: "B", Types: floatTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{epsilon},
	Rank:  sameRank,
	Plan:  planInstanceNorm,
}, {
	Name: "GroupNormalization", Since: 18, Changes: []int{21},
	In:    []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "scale", Types: floatTypes, Var: 'T'}, {Name: "bias", Types: floatTypes, Var: 'T'}},
	Out:   []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{epsilon, {Name: "num_groups", Kind: ir.AttrInt}, {Name: "stash_type", Kind: ir.AttrInt, I: 1, Since: 21}},
	Rank:  sameRank, Check: checkStash, Limits: stashLimit,
	Plan: planGroupNorm,
}, {
	Name: "RMSNormalization", Since: 23,
	In:    []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "scale", Types: floatTypes, Var: 'V'}},
	Out:   []Out{{Name: "Y", Var: 'V'}},
	Attrs: []Attr{lastAxis, epsilon, stash},
	Rank:  sameRank, Check: checkStash, Limits: stashLimit + "; float64 for both operands only",
	Plan: planRMSNorm,
}, {
	Name: "MeanVarianceNormalization", Since: 9, Changes: []int{13},
	In:    []In{{Name: "X", Types: floatTypes, Var: 'T'}},
	Out:   []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "axes", Kind: ir.AttrInts}},
	Rank:  sameRank,
	Plan:  planMVN,
}, {
	Name: "LpNormalization", Since: 1, Changes: []int{22},
	In:    []In{{Name: "input", Types: floatTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{lastAxis, {Name: "p", Kind: ir.AttrInt, I: 2}},
	Rank:  sameRank,
	Plan:  planLpNorm,
}, {
	// The optimizer's: x over at least epsilon.
	Name: "LpNormalization", Domain: ir.Internal, Since: 1,
	In:    []In{{Name: "input", Types: float32Only, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{lastAxis, {Name: "p", Kind: ir.AttrInt, I: 2}, {Name: "epsilon", Kind: ir.AttrFloat}},
	Rank:  sameRank,
	Plan:  planLpNorm,
}, {
	Name: "LRN", Since: 1, Changes: []int{13},
	In:  []In{{Name: "X", Types: floatTypes, Var: 'T'}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1e-4}, {Name: "beta", Kind: ir.AttrFloat, F: 0.75},
		{Name: "bias", Kind: ir.AttrFloat, F: 1}, {Name: "size", Kind: ir.AttrInt}},
	Rank: sameRank,
	Plan: planLRN,
}}

func checkStash(n *ir.Node) string {
	if n.Int("stash_type", 1) != 1 {
		return "stash_type other than float32"
	}
	return ""
}

// must reports what only the data can bring about, such as a negative variance,
// as the failure of the run.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// rowsOf reads x's dimensions as rows of what lies from axis on.
func rowsOf(c *Call) (axis, rows, cols int, err error) {
	dims := c.In(0).Dims
	if axis, err = axisOf(c, c.Int("axis"), len(dims)); err != nil {
		return 0, 0, 0, err
	}
	return axis, ir.Elements(dims[:axis]), ir.Elements(dims[axis:]), nil
}

// affine is a scale or bias that broadcasts to the normalized dimensions, or to all of x's.
type affine struct {
	input  int
	given  bool
	spread bool // it has other dimensions, and is spread to
	n      int  // elements
	at     int  // of scratch memory
	walk   strided
	wide   bool // it varies over other axes too: applied when the rows are normalized
	over   broadcast
}

// affines reads scale and bias of LayerNormalization and its kin from inputs 1 and 2. A
// bias behind a wide scale is applied after it, so it is wide then too.
func affines(c *Call, gamma, beta *affine, normalized []int) error {
	if err := gamma.set(c, 1, normalized); err != nil {
		return err
	}
	if err := beta.set(c, 2, normalized); err != nil {
		return err
	}
	if beta.given && gamma.wide && !beta.wide {
		dims := c.In(0).Dims
		in := c.In(2).Dims
		for len(in) > len(dims) { // leading ones, as set has found
			in = in[1:]
		}
		beta.wide = true
		beta.over.set(dims, dims, in)
	}
	return nil
}

// apply combines y with a wide scale or bias.
func (f *affine) apply(a *Args, y []float32, combine rowKernel[float32]) {
	if f.wide && len(y) > 0 {
		walkRows(&f.over, combine, y, y, a.In[f.input].Float32s(), 0)
	}
}

// set reads input i, which may be omitted.
func (f *affine) set(c *Call, i int, normalized []int) error {
	in := c.In(i)
	f.input, f.given, f.spread, f.wide, f.n = i, in != nil, false, false, ir.Elements(normalized)
	if in == nil {
		return nil
	}
	d := in.Dims
	for len(d) > len(normalized) && d[0] == 1 {
		d = d[1:]
	}
	fits := len(d) <= len(normalized)
	for j := 0; fits && j < len(d); j++ {
		n := normalized[len(normalized)-len(d)+j]
		fits = d[j] == n || d[j] == 1
	}
	if !fits {
		dims := c.In(0).Dims
		out, err := broadcastDims(c, 0, i)
		if err != nil || !ir.SameDims(out, dims) {
			return c.Fail("input ", i, " has dimensions ", in.Dims, ", which do not broadcast to ", dims)
		}
		f.wide = true
		f.over.set(dims, dims, in.Dims)
		return nil
	}
	if in.Len() != f.n {
		f.spreadTo(c, normalized, broadcastSteps(c, normalized, d))
	}
	return nil
}

// spreadTo makes f have dimensions dims, taken from the input with these steps.
func (f *affine) spreadTo(c *Call, dims, steps []int) {
	f.walk.set(4, dims, steps, rowMajor(c, dims))
	f.spread, f.at = true, c.Bytes
	c.Scratch(c.Bytes + 4*f.n)
}

func (f *affine) of(a *Args) []float32 {
	if !f.given || f.wide {
		return nil
	}
	if !f.spread {
		return a.In[f.input].Float32s()
	}
	b := a.Scratch[f.at:][:4*f.n]
	f.walk.run(b, a.In[f.input].Data)
	return slab.View[float32](b)
}

// statDims are the dimensions of the mean and its kin: 1 from axis on.
func statDims(c *Call, dims []int, axis int) []int {
	out := c.Clone(dims)
	for i := range out[axis:] {
		out[axis+i] = 1
	}
	return out
}

func output(a *Args, i int) []float32 {
	if i < len(a.Out) && a.Out[i] != nil {
		return a.Out[i].Float32s()
	}
	return nil
}

// planLayerNorm: outputs are y, the mean and 1/√(variance + epsilon).
func planLayerNorm(c *Call) error {
	if isDouble(c) {
		return planDoubleRows(c, true)
	}
	axis, rows, cols, err := rowsOf(c)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	if c.Node.Wide {
		out, err := broadcastDims(c, 0, 1)
		if err != nil {
			return err
		}
		if !ir.SameDims(out, dims) {
			return planWideLayerNorm(c, dims, out, rows, cols)
		}
	}
	sameOut(c)
	if c.NumOut() > 1 {
		c.Out(1, ir.Float32, statDims(c, dims, axis)...)
		c.Out(2, ir.Float32, statDims(c, dims, axis)...)
	}
	s := Into[layerNorm](c)
	if err := affines(c, &s.gamma, &s.beta, dims[axis:]); err != nil {
		return err
	}
	s.rows, s.cols, s.epsilon = rows, cols, float64(c.Float("epsilon"))
	return nil
}

// planWideLayerNorm is for what the optimizer has found spelled out in nodes, where scale
// and bias may give y more elements than x.
func planWideLayerNorm(c *Call, dims, out []int, rows, cols int) error {
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, ir.Float32, out...)
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	c.Scratch(4 * ir.Elements(dims))
	s := Into[wideLayerNorm](c)
	s.rows, s.cols, s.epsilon, s.shift = rows, cols, float64(c.Float("epsilon")), c.In(2) != nil
	s.rms = c.Node.Op == "RMSNormalization"
	s.scaled.set(out, dims, c.In(1).Dims)
	if s.shift {
		s.shifted.set(out, out, c.In(2).Dims)
	}
	return nil
}

type wideLayerNorm struct {
	rows, cols      int
	epsilon         float64
	shift, rms      bool
	scaled, shifted broadcast
}

func (s *wideLayerNorm) Run(a *Args) {
	x, y := slab.View[float32](a.Scratch[:4*s.rows*s.cols]), a.Out[0].Float32s()
	if s.rms {
		must(norm.RMSNormRows(x, nil, a.In[0].Float32s(), nil, s.rows, s.cols, s.epsilon))
	} else {
		must(norm.LayerNormRows(x, nil, nil, a.In[0].Float32s(), nil, nil, nil, s.rows, s.cols, s.epsilon))
	}
	walkRows(&s.scaled, compute.Mul, y, x, a.In[1].Float32s(), 0)
	if s.shift {
		walkRows(&s.shifted, compute.Add, y, y, a.In[2].Float32s(), 0)
	}
}

type layerNorm struct {
	rows, cols  int
	epsilon     float64
	gamma, beta affine
}

// whole says that rows are not done apart: scratch memory is filled first, or something
// is combined with all of them afterwards.
func (s *layerNorm) whole() bool {
	return s.gamma.spread || s.beta.spread || s.gamma.wide || s.beta.wide
}

func (s *layerNorm) Rows() int {
	if s.whole() {
		return 1
	}
	return s.rows
}

func (s *layerNorm) Run(a *Args) {
	if len(a.Out) > 1 || s.whole() {
		s.RunRows(a, 0, s.Rows())
		return
	}
	must(norm.LayerNormRows(a.Out[0].Float32s(), nil, nil, a.In[0].Float32s(), nil, s.gamma.of(a), s.beta.of(a), s.rows, s.cols, s.epsilon))
}

func (s *layerNorm) RunRows(a *Args, from, to int) {
	if s.whole() {
		from, to = from*s.rows, to*s.rows
	}
	must(norm.LayerNormRows(a.Out[0].Float32s()[from*s.cols:to*s.cols], part(output(a, 1), from, to), part(output(a, 2), from, to),
		a.In[0].Float32s()[from*s.cols:to*s.cols], nil, s.gamma.of(a), s.beta.of(a), to-from, s.cols, s.epsilon))
	s.gamma.apply(a, output(a, 0), compute.Mul)
	s.beta.apply(a, output(a, 0), compute.Add)
}

// part is some elements of a list that may be left out.
func part(list []float32, from, to int) []float32 {
	if list == nil {
		return nil
	}
	return list[from:to]
}

// channelVectors checks that inputs 1 and 2 have n elements.
func channelVectors(c *Call, n int) error {
	for i := 1; i <= 2; i++ {
		if d := c.In(i).Dims; len(d) != 1 || d[0] != n {
			return c.fail("input % has dimensions @, want [%]", d, i, n)
		}
	}
	return nil
}

func planInstanceNorm(c *Call) error {
	dims := c.In(0).Dims
	if len(dims) < 2 {
		return c.fail("x has dimensions @, want at least 2 of them", dims)
	}
	return planGroups(c, dims[1], dims[1])
}

// planGroupNorm: scale and bias have an element for each group up to opset 20,
// for each channel from 21 on.
func planGroupNorm(c *Call) error {
	dims, groups := c.In(0).Dims, c.Int("num_groups")
	if len(dims) < 2 || groups < 1 || groups > int64(dims[1]) || dims[1]%int(groups) != 0 {
		return c.fail("num_groups is % for x @", dims, int(groups))
	}
	per := int(groups)
	if c.Node.Version >= 21 {
		per = dims[1]
	}
	return planGroups(c, int(groups), per)
}

// planGroups normalizes groups of channels; scale and bias have per elements.
func planGroups(c *Call, groups, per int) error {
	if err := channelVectors(c, per); err != nil {
		return err
	}
	dims := sameOut(c).Dims
	if ir.Elements(dims) == 0 {
		c.Step = nothing{}
		return nil
	}
	if isDouble(c) {
		return planDoubleGroups(c, groups, per)
	}
	gn, err := norm.NewGroupNorm(dims, norm.NCHW, groups, float64(c.Float("epsilon")))
	if err != nil {
		return c.Fail(err)
	}
	s := Into[groupNorm](c)
	s.norm = gn
	for i, f := range [...]*affine{&s.gamma, &s.beta} {
		f.input, f.given, f.spread, f.n = 1+i, true, false, dims[1]
		if per != dims[1] {
			channels, steps := c.Dims(2), c.Dims(2)
			channels[0], channels[1], steps[0] = groups, dims[1]/groups, 1
			f.spreadTo(c, channels, steps)
		}
	}
	return nil
}

type groupNorm struct {
	norm        *norm.GroupNorm // with memory of its own
	gamma, beta affine
}

func (s *groupNorm) Run(a *Args) {
	must(s.norm.Forward(a.Out[0].Float32s(), nil, nil, a.In[0].Float32s(), s.gamma.of(a), s.beta.of(a)))
}

// planRMSNorm: y = x/√(mean(x²) + epsilon)·scale.
func planRMSNorm(c *Call) error {
	if t := c.In(1).Type; t != c.In(0).Type {
		return unsupported(c, "a scale of type ", t.String(), " for ", c.In(0).Type.String())
	}
	if isDouble(c) {
		return planDoubleRows(c, false)
	}
	axis, rows, cols, err := rowsOf(c)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	if c.Node.Wide {
		out, err := broadcastDims(c, 0, 1)
		if err != nil {
			return err
		}
		if !ir.SameDims(out, dims) {
			return planWideLayerNorm(c, dims, out, rows, cols)
		}
	}
	sameOut(c)
	if c.NumOut() > 1 {
		c.Out(1, ir.Float32, statDims(c, dims, axis)...)
	}
	s := Into[rmsNorm](c)
	if err := s.gamma.set(c, 1, dims[axis:]); err != nil {
		return err
	}
	s.rows, s.cols, s.epsilon = rows, cols, float64(c.Float("epsilon"))
	return nil
}

type rmsNorm struct {
	rows, cols int
	epsilon    float64
	gamma      affine
}

// Rows is 1 as in LayerNormalization.
func (s *rmsNorm) Rows() int {
	if s.gamma.spread || s.gamma.wide {
		return 1
	}
	return s.rows
}

func (s *rmsNorm) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *rmsNorm) RunRows(a *Args, from, to int) {
	if s.gamma.spread || s.gamma.wide {
		from, to = from*s.rows, to*s.rows
	}
	must(norm.RMSNormRows(a.Out[0].Float32s()[from*s.cols:to*s.cols], part(output(a, 1), from, to), a.In[0].Float32s()[from*s.cols:to*s.cols],
		s.gamma.of(a), to-from, s.cols, s.epsilon))
	s.gamma.apply(a, a.Out[0].Float32s(), compute.Mul)
}

// normalizer is the step of the normalizations without further operands.
type normalizer struct {
	// norm has memory of its own.
	norm interface{ Forward(y, x []float32) error }
}

func (s *normalizer) Run(a *Args) {
	must(s.norm.Forward(a.Out[0].Float32s(), a.In[0].Float32s()))
}

func planMVN(c *Call) error {
	dims := c.In(0).Dims
	list, given := c.Ints("axes")
	if !given {
		list = []int64{0, 2, 3}
	}
	reduced, err := axesOf(c, list, len(dims))
	if err != nil {
		return err
	}
	if isDouble(c) {
		for i := range reduced {
			reduced[i] = !reduced[i]
		}
		sameOut(c)
		s := Into[doubleNorm](c)
		s.set(c, reduced)
		s.epsilon, s.outside = 1e-9, true
		return nil
	}
	mvn, err := norm.NewMeanVarianceNorm(dims, intsOf(list), 0, 1e-9)
	if err != nil {
		return c.Fail(err)
	}
	c.Out(0, ir.Float32, dims...)
	Into[normalizer](c).norm = mvn
	return nil
}

// planLpNorm: x over the sum of |x|, or the root of the sum of squares, along an
// axis.
func planLpNorm(c *Call) error {
	dims := sameOut(c).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	if p := c.Int("p"); isDouble(c) && (p == 1 || p == 2) {
		kept := make([]bool, len(dims))
		for i := range kept {
			kept[i] = i != axis
		}
		s := Into[doubleNorm](c)
		s.set(c, kept)
		s.center, s.sum, s.power = false, true, int(p)
		return nil
	}
	epsilon := float32(0)
	if c.Node.Domain == ir.Internal {
		epsilon = c.Float("epsilon")
	}
	lp, err := norm.NewLpNorm(dims, axis, int(c.Int("p")), float64(epsilon))
	if err != nil {
		return c.Fail(err)
	}
	Into[normalizer](c).norm = lp
	return nil
}

func planLRN(c *Call) error {
	dims := sameOut(c).Dims
	size := c.Int("size")
	if len(dims) < 2 || size < 1 {
		return c.fail("size is % for x @", dims, int(size))
	}
	s := min(size, 2*int64(dims[1])+1) // a wider one sums the same channels
	// The divisor is the size that was asked for.
	alpha := float64(c.Float("alpha")) * float64(s) / float64(size)
	if isDouble(c) {
		*Into[doubleLRN](c) = doubleLRN{images: dims[0], channels: dims[1], inner: ir.Elements(dims[2:]), size: int(s),
			alpha: alpha / float64(s), beta: float64(c.Float("beta")), bias: float64(c.Float("bias"))}
		return nil
	}
	lr, err := norm.NewLocalResponseNorm(dims, int(s), alpha, float64(c.Float("beta")), float64(c.Float("bias")))
	if err != nil {
		return c.Fail(err)
	}
	Into[normalizer](c).norm = lr
	return nil
}
