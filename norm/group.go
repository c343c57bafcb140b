package norm

const (
	groupOp    = "GroupNorm"
	instanceOp = "InstanceNorm"
)

// GroupNorm is group normalization of tensors of one shape: the channels of each
// example are divided into groups of neighbours, and each group is normalized with
// its own statistics,
//
//	y[n,c,i] = (x[n,c,i] - μ_ng)/√(σ²_ng + ε) · gamma[c] + beta[c],  g = ⌊c·groups/C⌋
//
// μ and σ² being those of all elements of the group's channels in example n. It owns
// the scratch memory, so that neither pass allocates once it has run. One GroupNorm
// serves one goroutine at a time.
//
// Source: Wu, He, "Group Normalization", arXiv:1803.08494, eq. 1 to 7.
type GroupNorm struct {
	Activation Activation // in the forward pass; Backward takes the gradient before it

	op       string
	shape    []int
	channels int
	groups   int
	grid     *grid
	sums     []float64
}

// InstanceNorm is GroupNorm with one channel a group: each channel of each example
// has its own statistics.
//
// Source: Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", arXiv:1607.08022, eq. 5.
type InstanceNorm struct{ GroupNorm }

// NewGroupNorm prepares group normalization of tensors of this shape, [N C …] or
// [N … C] by layout, of rank 2 or more. Dimensions of 0 are legal. A number of groups
// that does not divide the channels, or a wrong shape, is a *ShapeError; an epsilon
// that is NaN, infinite or negative a *ValueError.
func NewGroupNorm(shape []int, layout Layout, groups int, epsilon float64) (*GroupNorm, error) {
	g := &GroupNorm{}
	return g, g.init(groupOp, shape, layout, groups, epsilon)
}

// NewInstanceNorm prepares instance normalization of tensors of this shape, as
// NewGroupNorm does.
func NewInstanceNorm(shape []int, layout Layout, epsilon float64) (*InstanceNorm, error) {
	i := &InstanceNorm{}
	return i, i.init(instanceOp, shape, layout, 0, epsilon)
}

// init prepares g; groups 0 stands for as many as channels.
func (g *GroupNorm) init(op string, shape []int, layout Layout, groups int, epsilon float64) error {
	n, channels, inner, err := layout.extents(op, shape)
	if err != nil {
		return err
	}
	if op == instanceOp {
		groups = channels
	} else if groups < 1 || channels%groups != 0 {
		return shapeError(op, "groups is ", groups, ", want a divisor of the ", channels, " channels of x ", shape)
	}
	if err := checkEpsilon(op, epsilon); err != nil {
		return err
	}
	outer, share := 1, channels/max(groups, 1)
	if layout == NHWC {
		outer, inner = inner, 1
	}
	*g = GroupNorm{op: op, shape: append([]int(nil), shape...), channels: channels, groups: groups}
	g.grid = newGrid(n, outer, channels, inner, share)
	g.grid.epsilon = epsilon
	return nil
}

// Stats is the number of elements of mean and rstd: one for each group of each example.
func (g *GroupNorm) Stats() int { return g.grid.samples * g.groups }

// Channels is the number of elements of gamma and beta.
func (g *GroupNorm) Channels() int { return g.channels }

// Forward normalizes x into y. mean and rstd receive each group's μ and 1/√(σ² + ε),
// [N groups], which Backward needs; these two, gamma and beta may be nil. y may be x.
// A wrong length is a *ShapeError, and nothing has been written then. A group of
// equal values gives beta; NaN and ±Inf affect their own group only.
func (g *GroupNorm) Forward(y, mean, rstd, x, gamma, beta []float32) error {
	if err := checkActivation(g.op, g.Activation); err != nil {
		return err
	}
	size, stats := g.grid.samples*g.grid.size, g.Stats()
	if len(x) != size || len(y) != size || !fits(mean, stats) || !fits(rstd, stats) || !fits(gamma, g.channels) || !fits(beta, g.channels) {
		return g.about().check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}, arg{"mean", mean, stats, ofGroups | optional}, arg{"rstd", rstd, stats, ofGroups | optional},
			arg{"gamma", gamma, g.channels, eachChannel | optional}, arg{"beta", beta, g.channels, eachChannel | optional})
	}
	grid := g.grid
	if len(x) == 0 {
		fillNaN(mean) // of nothing
		fillNaN(rstd)
		return nil
	}
	grid.allocate()
	grid.activation, grid.forgets = g.Activation, mean == nil && rstd == nil
	for n := range grid.samples {
		from, to := n*grid.size, (n+1)*grid.size
		grid.forward(y[from:to], x[from:to], gamma, beta)
		if grid.forgets {
			continue
		}
		for k, mu := range grid.mean {
			if mean != nil {
				mean[n*g.groups+k] = float32(mu)
			}
			if rstd != nil {
				rstd[n*g.groups+k] = float32(grid.rstd[k])
			}
		}
	}
	return nil
}

func (g *GroupNorm) about() about {
	return about{op: g.op, shape: g.shape, a: g.groups, b: g.grid.samples}
}

// Backward computes the gradients of Forward from dy (the gradient of y, before the
// Activation where there is one), Forward's x, mean and rstd, and gamma. With n
// elements in a group, m₁ = Σ γ·dy/n and m₂ = Σ γ·dy·x̂/n over it:
//
//	dx = (γ·dy - m₁ - x̂·m₂)/√(σ² + ε)
//	dgamma[c] = Σ dy·x̂,  dbeta[c] = Σ dy     over all examples and elements of c
//
// dgamma, dbeta and gamma may be nil; dx may be dy or x. A wrong length is a
// *ShapeError, and nothing has been written then.
func (g *GroupNorm) Backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma []float32) error {
	size, stats := g.grid.samples*g.grid.size, g.Stats()
	if err := g.about().check(arg{"x", x, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"dx", dx, size, ofShape}, arg{"mean", mean, stats, ofGroups}, arg{"rstd", rstd, stats, ofGroups},
		arg{"gamma", gamma, g.channels, eachChannel | optional}, arg{"dgamma", dgamma, g.channels, eachChannel | optional}, arg{"dbeta", dbeta, g.channels, eachChannel | optional}); err != nil {
		return err
	}
	grid := g.grid
	if len(x) == 0 {
		clear(dgamma)
		clear(dbeta)
		return nil
	}
	grid.allocate()
	if g.sums == nil {
		g.sums = make([]float64, 2*g.channels)
	}
	clear(g.sums)
	n := float64(grid.count())
	for sample := range grid.samples {
		for k := range grid.groups {
			grid.mean[k], grid.rstd[k] = float64(mean[sample*g.groups+k]), float64(rstd[sample*g.groups+k])
		}
		for k := 0; k < grid.groups; {
			p, groups, e, channel := grid.part(k)
			from, to := sample*grid.size+e, (sample+1)*grid.size
			p.products(dy[from:to], x[from:to], false)
			for i := range groups {
				var m1, m2 float64
				for s := i * p.share; s < (i+1)*p.share; s++ {
					c := channel + s
					a, b, scale := p.sums[s], p.sums[p.period+s], float64(at(gamma, c, 1))
					m1 += float64(scale * a)
					m2 += float64(scale * b)
					g.sums[c] += b
					g.sums[g.channels+c] += a
				}
				p.moments[2*i], p.moments[2*i+1] = m1/n, m2/n
			}
			p.differentiate(dx[from:to], dy[from:to], x[from:to], tail(gamma, channel), true)
			k += groups
		}
	}
	for c := range dgamma {
		dgamma[c] = float32(g.sums[c])
	}
	for c := range dbeta {
		dbeta[c] = float32(g.sums[g.channels+c])
	}
	return nil
}
