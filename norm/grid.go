package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/threads"
)

// grid is what BatchNorm in training, GroupNorm and InstanceNorm have in common, in
// both layouts: a tensor seen as
//
//	[samples, outer, slots, inner]
//
// whose slots have a scale and a shift of their own. One group shares statistics:
// all of outer and inner of share adjacent slots, within one sample.
//
//	             samples  outer   slots     inner  share
//	BatchNorm    1        N       C         H·W    1      NCHW
//	             1        N       C·H·W     1      H·W    NCHW, short planes
//	             1        N·H·W   C         1      1      NHWC
//	GroupNorm    N        1       C         H·W    C/g    NCHW
//	             N        H·W     C         1      C/g    NHWC
//	InstanceNorm as GroupNorm with share 1
//
// With inner 1 slots are columns of a matrix, otherwise planes. A grid owns the
// scratch of its passes.
type grid struct {
	samples, outer, slots, inner, share int
	stride                              int // elements between two of outer
	repeat                              int // slots of one channel
	groups                              int // of one sample
	size                                int // elements of one sample
	epsilon                             float64
	activation                          Activation
	forgets                             bool // the forward pass need not return statistics

	column         columnTable // with inner 1
	moments        []float64   // pairs, of contiguous rows
	mean, variance []float64   // of the current sample's groups
	rstd           []float64   // for a backward pass; 0 variance and ε give +Inf
	rest           []float64   // E of each group, see gradPlanes
	period         int         // of params: planes, or tiled columns
	params         []float32   // what the kernels take, up to 6 arrays of period
	sums           []float64   // Σdy, Σdy·x̂, Σh of each slot, as three arrays of period
	triples        []float64   // the same of one row of planes, as the kernel gives them
	hard           []bool      // groups that float32 does not carry safely
	anyHard        bool
	one            [6]float32 // params of a single plane
	suspect        []bool     // groups whose gradients may cancel
	kept           bool       // mean and rstd are exact and not as cached
	exactSlots     *exactSlots
	view           *grid // what part gives
}

func newGrid(samples, outer, channels, inner, share int) *grid {
	g := &grid{samples: samples, outer: outer, slots: channels, inner: inner, share: share, repeat: 1}
	if outer > 1 && inner > 1 && inner < shortPlane {
		g.slots, g.repeat, g.share, g.inner = channels*inner, inner, share*inner, 1
	}
	g.groups = g.slots / max(g.share, 1)
	g.stride = g.slots * g.inner
	g.size = g.outer * g.stride
	return g
}

// allocate makes the scratch, once operands of the shape's size have been passed: a shape
// alone may be absurdly large.
func (g *grid) allocate() {
	if g.params != nil {
		return
	}
	g.period = g.slots
	if g.inner == 1 {
		g.period = tiling(g.slots, g.outer)
		g.column = columnTable{slots: g.slots, period: g.period, shift: make([]float32, g.period), sums: make([]float64, 2*g.period)}
	}
	all := make([]float64, 6*g.groups+3*g.period+3*g.slots)
	take := func(n int) []float64 {
		part := all[:n:n]
		all = all[n:]
		return part
	}
	g.moments = take(2 * g.groups)
	g.mean, g.variance, g.rstd, g.rest = take(g.groups), take(g.groups), take(g.groups), take(g.groups)
	g.suspect, g.exactSlots = make([]bool, g.groups), new(exactSlots)
	g.sums, g.triples = take(3*g.period), take(3*g.slots)
	g.params, g.hard = make([]float32, 6*g.period), make([]bool, g.groups)
}

// columns says whether slots are columns of a matrix.
func (g *grid) columns() bool { return g.inner == 1 }

// count is the number of values in a group.
func (g *grid) count() int { return g.outer * g.share * g.inner }

// span is a group's elements in a sample.
func (g *grid) span(group int) span {
	run := g.share * g.inner
	return span{group * run, g.outer, run, g.stride}
}

// statistics fills mean and variance from the sample x.
func (g *grid) statistics(x []float32) {
	run := g.share * g.inner
	switch {
	case g.outer > 1 && g.columns():
		if g.share == 1 {
			g.column.moments(g.mean, g.variance, x)
			return
		}
		// The columns' moments, where the sums of the backward pass stand later.
		mean, variance := g.sums[:g.slots], g.sums[g.period:g.period+g.slots]
		g.column.moments(mean, variance, x)
		for k := range g.groups {
			mu, v := 0.0, 0.0
			for i := range g.share {
				s := k*g.share + i
				mu, v = mergeMoment(i, mu, v, 1, mean[s], variance[s])
			}
			g.mean[k], g.variance[k] = mu, v
		}
	default:
		for o := range g.outer {
			kernel.RowMoments(&g.moments[0], &x[o*g.stride], g.groups, run)
			for k := range g.mean {
				if o == 0 {
					g.mean[k], g.variance[k] = g.moments[2*k], g.moments[2*k+1]
					continue
				}
				g.mean[k], g.variance[k] = mergeMoment(o, g.mean[k], g.variance[k], 1, g.moments[2*k], g.moments[2*k+1])
			}
		}
	}
	for k, v := range g.variance {
		if v != v { // NaN and ±Inf as a plain sum has them
			g.mean[k], g.variance[k] = exactMoments(x, g.span(k))
		}
	}
}

// partElements is about how many elements a part has: two sweeps over them find them
// in the caches.
const partElements = 16384

// part returns the grid of a run of groups from group k on, and how many groups it has.
// Its data begin at element, its channels at channel. It is valid until the next one.
// Columns have one part only, which is g itself.
func (g *grid) part(k int) (p *grid, groups, element, channel int) {
	step := max(1, partElements/max(g.count(), 1))
	if g.columns() || step >= g.groups {
		return g, g.groups, 0, 0
	}
	groups = min(step, g.groups-k)
	return g.groupsOf(k, k+groups), groups, k * g.share * g.inner, k * g.share
}

// groupsOf returns the grid of some groups of planes, as part does.
func (g *grid) groupsOf(from, to int) *grid {
	if g.view == nil {
		g.view = new(grid)
	}
	p, groups := g.view, to-from
	*p = grid{samples: 1, outer: g.outer, slots: groups * g.share, inner: g.inner, share: g.share, stride: g.stride, repeat: 1,
		groups: groups, size: g.size, epsilon: g.epsilon, activation: g.activation, period: groups * g.share,
		moments: g.moments[2*from : 2*to], mean: g.mean[from:to], variance: g.variance[from:to], rstd: g.rstd[from:to], rest: g.rest[from:to],
		params: g.params, sums: g.sums, triples: g.triples, hard: g.hard[from:to], suspect: g.suspect[from:to], exactSlots: g.exactSlots}
	p.sums, p.params = p.sums[:3*p.period], p.params[:6*p.period]
	return p
}

// forward is statistics and normalize, part by part.
func (g *grid) forward(y, x, gamma, beta []float32) {
	if g.outer == 1 && !g.columns() {
		g.forwardPlanes(y, x, gamma, beta)
		return
	}
	for k := 0; k < g.groups; {
		p, groups, e, c := g.part(k)
		p.statistics(x[e:])
		p.normalize(y[e:], x[e:], tail(gamma, c), tail(beta, c))
		k += groups
	}
}

// forwardPlanes is forward for groups that lie in one piece: one kernel does it all,
// but for the hard groups.
func (g *grid) forwardPlanes(y, x, gamma, beta []float32) {
	run, most, clamp := g.share*g.inner, g.groups, int(g.activation)
	parts, part := threads.Parts(g.groups, g.size/2), 0
	if g.activation == SiLU {
		clamp = kernel.ClampNone
		if parts == 1 {
			most = max(1, residualBlock/run)
		}
	}
	planes := func(k, n int, done *int) {
		e, c := k*run, k*g.share
		kernel.NormPlanes(&y[e], &x[e], pointer(tail(gamma, c)), pointer(tail(beta, c)), &g.moments[2*k], n, g.share, g.inner, clamp, g.epsilon, done)
	}
	if parts > 1 {
		threads.For(parts, func(part int) {
			from, to := threads.Range(g.groups, parts, part)
			planes(from, to-from, threads.Result(part))
		})
	}
	for k := 0; k < g.groups; {
		n, done := min(most, g.groups-k), 0
		if from, to := threads.Range(g.groups, parts, part); parts > 1 && k == from {
			n, done = to-from, *threads.Result(part)
			part++
		} else {
			if parts > 1 { // behind a hard group
				_, to = threads.Range(g.groups, parts, part-1)
				n = to - k
			}
			planes(k, n, &done)
		}
		if g.activation == SiLU {
			activate(y[k*run:(k+done)*run], SiLU)
		}
		end := k + done
		for ; k < end && !g.forgets; k++ {
			g.mean[k], g.variance[k] = g.moments[2*k], g.moments[2*k+1]
			g.rstd[k] = 1 / math.Sqrt(g.variance[k]+g.epsilon)
		}
		k = end
		if done < n {
			e, c := k*run, k*g.share
			one := g.groupsOf(k, k+1)
			one.statistics(x[e : e+run])
			one.normalize(y[e:e+run], x[e:e+run], tail(gamma, c), tail(beta, c))
			k++
		}
	}
}

// tail is s[from:], and nil for nil.
func tail(s []float32, from int) []float32 {
	if s == nil {
		return nil
	}
	return s[from:]
}

// at returns a channel's parameter, and other where there are none.
func at(s []float32, c int, other float32) float32 {
	if s == nil {
		return other
	}
	return s[c]
}

// normalize applies mean and variance to the sample x, and leaves 1/√(σ² + ε) in rstd.
// y may be x. Small planes have little to do but this: it divides once a group.
func (g *grid) normalize(y, x, gamma, beta []float32) {
	g.anyHard = false
	n := g.period
	means, scales, betas := g.params[:n], g.params[n:][:n], g.params[2*n:][:n]
	for k, mu := range g.mean {
		r := 1 / math.Sqrt(g.variance[k]+g.epsilon)
		g.rstd[k] = r
		high := float32(mu)
		low := mu - float64(high)
		hard := false
		for s := k * g.share; s < (k+1)*g.share; s++ {
			c := g.channel(s)
			a, b := r, 0.0
			if gamma != nil {
				a *= float64(gamma[c])
			}
			if beta != nil {
				b = float64(beta[c])
			}
			hard = hard || isHard(high, a) || kernel.IsLarge(float32(b))
			means[s], scales[s], betas[s] = high, float32(a), float32(b-float64(low*a))
		}
		g.hard[k] = hard
		g.anyHard = g.anyHard || hard
	}
	if g.anyHard {
		for k, hard := range g.hard {
			if hard {
				g.exact(y, x, gamma, beta, k)
			}
		}
	}
	g.affine(y, x, g.activation)
}

// channel is the one that a slot belongs to.
func (g *grid) channel(slot int) int {
	if g.repeat == 1 {
		return slot
	}
	return slot / g.repeat
}

// affine runs the affine kernels over a sample, but for the hard groups.
func (g *grid) affine(y, x []float32, activation Activation) {
	clamp := int(activation)
	if activation == SiLU {
		clamp = kernel.ClampNone
	}
	g.each(3, activation == SiLU, func(at, n int, params *float32) {
		if g.columns() {
			kernel.AffineRows(&y[at], &x[at], params, n, g.period, clamp)
		} else {
			kernel.AffinePlanes(&y[at], &x[at], params, n, g.inner, clamp)
		}
		if activation == SiLU {
			activate(y[at:at+n*g.inner], SiLU)
		}
	})
}

// each calls run for the parts of a sample that no hard group has: n columns of one or
// more rows, or n planes, from element at on, with their params, of which there are
// arrays. Parts are small enough for the first-level cache where that is asked for.
func (g *grid) each(arrays int, small bool, run func(at, n int, params *float32)) {
	if g.columns() && g.anyHard {
		for s, n := g.calm(0); n > 0; s, n = g.calm(s + n) {
			for from := 0; from < g.size; from += g.stride {
				run(from+s, n, &g.params[s])
			}
		}
		return
	}
	step := g.stride
	if g.columns() {
		for i := range arrays {
			tile(g.params[i*g.period:(i+1)*g.period], g.slots)
		}
		step = g.size
		if small {
			step = max(1, residualBlock/g.period) * g.period
		}
	}
	for from := 0; from < g.size; from += step {
		switch {
		case g.columns():
			run(from, min(step, g.size-from), &g.params[0])
		case !g.anyHard && !small:
			run(from, g.slots, &g.params[0])
		default:
			for s := range g.slots {
				if !g.anyHard || !g.hard[s/g.share] {
					run(from+s*g.inner, 1, g.single(s))
				}
			}
		}
	}
}

// calm returns the next run of columns, from s on, that no hard group has.
func (g *grid) calm(s int) (from, n int) {
	for s < g.slots && g.hard[s/g.share] {
		s++
	}
	for from = s; s < g.slots && !g.hard[s/g.share]; s++ {
	}
	return from, s - from
}

// single returns the params of one slot alone.
func (g *grid) single(slot int) *float32 {
	for i := range g.one {
		g.one[i] = g.params[i*g.period+slot]
	}
	return &g.one[0]
}

// exact normalizes one group in float64.
func (g *grid) exact(y, x, gamma, beta []float32, group int) {
	mu, v := g.mean[group], g.variance[group]+g.epsilon
	s := g.span(group)
	for b := range s.blocks {
		from := s.base + b*s.stride
		for i := range s.run {
			c := (group*g.share + i/g.inner) / g.repeat
			y[from+i] = activated(exactAffine(x[from+i], mu, v, at(gamma, c, 1), at(beta, c, 0)), g.activation)
		}
	}
}

// exactAffine is (x - mu)/√v·gamma + beta, rounded once. Equal values, whose v is 0,
// give beta: the limit ε → 0 and not 0·∞.
func exactAffine(x float32, mu, v float64, gamma, beta float32) float32 {
	t := float64(x) - mu
	if v != 0 {
		t /= math.Sqrt(v)
	}
	return float32(float64(t*float64(gamma)) + float64(beta))
}
