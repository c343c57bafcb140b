package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
	"github.com/normwasm/normwasm/norm"
)

// Normalizations. Package norm computes those that it has.

func init() { enter(norms) }

var norms = []entry{
	{"BatchNormalization", 7, "epsilon momentum spatial training_mode", checkBatchNorm, planBatchNorm},
	{"LayerNormalization", 1, "axis epsilon stash_type", checkStash, planLayerNorm},
	{Internal + ".AddLayerNormalization", 1, "axis epsilon", nil, planLayerNorm},
	{"InstanceNormalization", 6, "epsilon", nil, planInstanceNorm},
	{"GroupNormalization", 18, "epsilon num_groups stash_type", checkStash, planGroupNorm},
	{"RMSNormalization", 23, "axis epsilon stash_type", checkStash, planRMSNorm},
	{"MeanVarianceNormalization", 9, "axes", nil, planMVN},
	{"LpNormalization", 1, "axis p", nil, planLpNorm},
	{"LRN", 1, "alpha beta bias size", nil, planLRN},
}

func checkStash(n *Node) string {
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
func rowsOf(c *Call, def int64) (axis, rows, cols int, err error) {
	dims := c.In(0).Dims
	if axis, err = axisOf(c, c.Node.Int("axis", def), len(dims)); err != nil {
		return 0, 0, 0, err
	}
	return axis, Elements(dims[:axis]), Elements(dims[axis:]), nil
}

// affine is a scale or bias that broadcasts to the normalized dimensions, or to all of x's.
type affine struct {
	input int
	p     *strided   // nil where it has the normalized dimensions already
	at, n int        // where in scratch it is spread
	wide  *broadcast // over x, where it varies over other axes too: applied when the rows are normalized
}

// affines reads scale and bias of LayerNormalization and its kin from inputs i and i+1 (bias only where the operator
// has one). A bias behind a wide scale is applied after it, so it is wide then too.
func affines(c *Call, i int, bias bool, normalized []int) (gamma, beta *affine, err error) {
	if gamma, err = newAffine(c, i, normalized); err != nil || !bias {
		return gamma, nil, err
	}
	if beta, err = newAffine(c, i+1, normalized); err != nil {
		return nil, nil, err
	}
	if beta != nil && beta.wide == nil && gamma != nil && gamma.wide != nil {
		dims := c.In(0).Dims
		in := c.In(i + 1).Dims
		for len(in) > len(dims) { // leading ones, as newAffine has found
			in = in[1:]
		}
		beta.wide = newBroadcast(dims, dims, in)
	}
	return gamma, beta, nil
}

// apply combines y with a wide scale or bias.
func (f *affine) apply(a *Args, y []float32, kernel rowKernel[float32]) {
	if f != nil && f.wide != nil && len(y) > 0 {
		walkRows(f.wide, kernel, y, y, a.In[f.input].Float32s(), 0)
	}
}

// newAffine reads input i, which may be omitted (nil).
func newAffine(c *Call, i int, normalized []int) (*affine, error) {
	in := c.In(i)
	if in == nil {
		return nil, nil
	}
	f := &affine{input: i, n: Elements(normalized)}
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
		if err != nil || !sameDims(out, dims) {
			return nil, c.Fail("input ", i, " has dimensions ", in.Dims, ", which do not broadcast to ", dims)
		}
		f.wide = newBroadcast(dims, dims, in.Dims)
		return f, nil
	}
	if in.Len() != f.n {
		f.spread(c, normalized, broadcastSteps(normalized, d))
	}
	return f, nil
}

// spread makes f have dimensions dims, taken from the input with these steps.
func (f *affine) spread(c *Call, dims, steps []int) {
	f.p = newStrided(4, dims, steps, rowMajor(dims))
	f.at = c.scratch
	c.Scratch(c.scratch + 4*f.n)
}

func (f *affine) of(a *Args) []float32 {
	if f == nil || f.wide != nil {
		return nil
	}
	if f.p == nil {
		return a.In[f.input].Float32s()
	}
	b := a.Scratch[f.at:][:4*f.n]
	f.p.run(b, a.In[f.input].Data)
	return slab.View[float32](b)
}

// statDims are the dimensions of the mean and its kin: 1 from axis on.
func statDims(dims []int, axis int) []int {
	out := cloneDims(dims)
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

// planLayerNorm: outputs are y, the mean and 1/√(variance + epsilon). The
// optimizer's AddLayerNormalization(x, residual, gamma, beta) normalizes x +
// residual, which is output 1 where that is asked for.
func planLayerNorm(c *Call) error {
	axis, rows, cols, err := rowsOf(c, -1)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	if c.Node.Attrs[spreads] != nil && c.Node.Domain == "" {
		out, err := broadcastDims(c, 0, 1)
		if err != nil {
			return err
		}
		if !sameDims(out, dims) {
			return spreadLayerNorm(c, dims, out, rows, cols)
		}
	}
	sameOut(c)
	add := 0
	if c.Node.Domain == Internal {
		add = 1
		if c.In(1) == nil || !sameDims(dims, c.In(1).Dims) {
			return c.Fail("x has dimensions ", dims, ", the residual has others")
		}
		c.Out(1, Float32, dims...)
	} else {
		c.Out(1, Float32, statDims(dims, axis)...)
		c.Out(2, Float32, statDims(dims, axis)...)
	}
	gamma, beta, err := affines(c, 1+add, true, dims[axis:])
	if err != nil {
		return err
	}
	eps := float64(c.Node.Float("epsilon", 1e-5))
	c.Run(func(a *Args) {
		x, y := a.In[0].Float32s(), output(a, 0)
		mean, rstd := output(a, 1), output(a, 2)
		if add == 1 {
			sum := mean
			if mean, rstd = nil, nil; sum == nil {
				sum = y
			}
			nn.Add(sum, x, 0, 1, a.In[1].Float32s(), 0, 1, 1, len(x))
			x = sum
		}
		must(norm.LayerNormRows(y, mean, rstd, x, nil, gamma.of(a), beta.of(a), rows, cols, eps))
		gamma.apply(a, y, nn.Mul)
		beta.apply(a, y, nn.Add)
	})
	return nil
}

// spreads is the attribute by which the optimizer says that it has spelled-out nodes
// behind a LayerNormalization, whose scale and bias may give y more elements than x.
const spreads = "spreads"

// spreadLayerNorm is for those that do.
func spreadLayerNorm(c *Call, dims, out []int, rows, cols int) error {
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, Float32, out...)
	n := Elements(dims)
	c.Scratch(4 * n)
	scaled, shifted := newBroadcast(out, dims, c.In(1).Dims), (*broadcast)(nil)
	if scaled.empty() {
		c.Run(nothing)
		return nil
	}
	if c.In(2) != nil { // of the scale's dimensions
		shifted = newBroadcast(out, out, c.In(2).Dims)
	}
	eps := float64(c.Node.Float("epsilon", 1e-5))
	c.Run(func(a *Args) {
		x, y := slab.View[float32](a.Scratch[:4*n]), a.Out[0].Float32s()
		must(norm.LayerNormRows(x, nil, nil, a.In[0].Float32s(), nil, nil, nil, rows, cols, eps))
		walkRows(scaled, nn.Mul, y, x, a.In[1].Float32s(), 0)
		if shifted != nil {
			walkRows(shifted, nn.Add, y, y, a.In[2].Float32s(), 0)
		}
	})
	return nil
}

// channelVectors checks that inputs 1 and 2 have n elements.
func channelVectors(c *Call, n int) error {
	for i := 1; i <= 2; i++ {
		if d := c.In(i).Dims; len(d) != 1 || d[0] != n {
			return c.Fail("input ", i, " has dimensions ", d, ", want [", n, "]")
		}
	}
	return nil
}

func planInstanceNorm(c *Call) error {
	dims := c.In(0).Dims
	if len(dims) < 2 {
		return c.Fail("x has dimensions ", dims, ", want at least 2 of them")
	}
	return groupNorm(c, dims[1], dims[1])
}

// planGroupNorm: scale and bias have an element for each group up to opset 20,
// for each channel from 21 on.
func planGroupNorm(c *Call) error {
	dims, groups := c.In(0).Dims, c.Node.Int("num_groups", 0)
	if len(dims) < 2 || groups < 1 || groups > int64(dims[1]) || dims[1]%int(groups) != 0 {
		return c.Fail("num_groups is ", groups, " for x ", dims)
	}
	per := int(groups)
	if c.Node.Version >= 21 {
		per = dims[1]
	}
	return groupNorm(c, int(groups), per)
}

// groupNorm normalizes groups of channels; scale and bias have per elements.
func groupNorm(c *Call, groups, per int) error {
	if err := channelVectors(c, per); err != nil {
		return err
	}
	dims := sameOut(c).Dims
	if Elements(dims) == 0 {
		c.Run(nothing)
		return nil
	}
	gn, err := norm.NewGroupNorm(dims, norm.NCHW, groups, float64(c.Node.Float("epsilon", 1e-5)))
	if err != nil {
		return c.Fail(err)
	}
	channels := []int{groups, dims[1] / groups}
	gamma, beta := &affine{input: 1, n: dims[1]}, &affine{input: 2, n: dims[1]}
	if per != dims[1] {
		gamma.spread(c, channels, []int{1, 0})
		beta.spread(c, channels, []int{1, 0})
	}
	c.Run(func(a *Args) {
		must(gn.Forward(a.Out[0].Float32s(), nil, nil, a.In[0].Float32s(), gamma.of(a), beta.of(a)))
	})
	return nil
}

// planRMSNorm: y = x/√(mean(x²) + epsilon)·scale.
func planRMSNorm(c *Call) error {
	axis, rows, cols, err := rowsOf(c, -1)
	if err != nil {
		return err
	}
	gamma, _, err := affines(c, 1, false, sameOut(c).Dims[axis:])
	if err != nil {
		return err
	}
	eps := float64(c.Node.Float("epsilon", 1e-5))
	c.Run(func(a *Args) {
		must(norm.RMSNormRows(a.Out[0].Float32s(), nil, a.In[0].Float32s(), gamma.of(a), rows, cols, eps))
		gamma.apply(a, a.Out[0].Float32s(), nn.Mul)
	})
	return nil
}

func planMVN(c *Call) error {
	dims := c.In(0).Dims
	list, given := c.Node.Ints("axes")
	if !given {
		list = []int64{0, 2, 3}
	}
	if _, err := axesOf(c, list, len(dims)); err != nil {
		return err
	}
	mvn, err := norm.NewMeanVarianceNorm(dims, intsOf(list), 0, 1e-9)
	if err != nil {
		return c.Fail(err)
	}
	c.Out(0, Float32, dims...)
	c.Run(func(a *Args) { must(mvn.Forward(a.Out[0].Float32s(), a.In[0].Float32s())) })
	return nil
}

// planLpNorm: x over the sum of |x|, or the root of the sum of squares, along an
// axis.
func planLpNorm(c *Call) error {
	dims := sameOut(c).Dims
	axis, err := axisOf(c, c.Node.Int("axis", -1), len(dims))
	if err != nil {
		return err
	}
	lp, err := norm.NewLpNorm(dims, axis, int(c.Node.Int("p", 2)), 0)
	if err != nil {
		return c.Fail(err)
	}
	c.Run(func(a *Args) { must(lp.Forward(a.Out[0].Float32s(), a.In[0].Float32s())) })
	return nil
}

func planLRN(c *Call) error {
	dims := sameOut(c).Dims
	size := c.Node.Int("size", 0)
	if len(dims) < 2 || size < 1 {
		return c.Fail("size is ", size, " for x ", dims)
	}
	s := min(size, 2*int64(dims[1])+1) // a wider one sums the same channels
	// The divisor is the size that was asked for.
	alpha := float64(c.Node.Float("alpha", 1e-4)) * float64(s) / float64(size)
	lr, err := norm.NewLocalResponseNorm(dims, int(s), alpha, float64(c.Node.Float("beta", 0.75)), float64(c.Node.Float("bias", 1)))
	if err != nil {
		return c.Fail(err)
	}
	c.Run(func(a *Args) { must(lr.Forward(a.Out[0].Float32s(), a.In[0].Float32s())) })
	return nil
}
