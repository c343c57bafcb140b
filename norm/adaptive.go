package norm

const adaptiveOp = "AdaptiveLayerNorm"

// AdaptiveLayerNorm is LayerNorm whose scale and shift come with each example, as
// diffusion transformers condition on time and class:
//
//	y[n,t,i] = (x[n,t,i] - μ_nt)/√(σ²_nt + ε) · (1 + scale[n,i]) + shift[n,i]
//
// x is [examples tokens features], each token normalized over its features. It owns
// the scratch memory, so that neither pass allocates once it has run. One
// AdaptiveLayerNorm serves one goroutine at a time.
//
// Source: Peebles, Xie, "Scalable Diffusion Models with Transformers",
// arXiv:2212.09748, section 3.2 (adaLN).
type AdaptiveLayerNorm struct {
	l        *LayerNorm // of one example
	shape    []int
	examples int
	gamma    []float32 // 1 + scale of one example
}

// NewAdaptiveLayerNorm prepares normalization of examples × tokens × features
// elements. A negative size is a *ShapeError; an epsilon that is NaN, infinite or
// negative a *ValueError.
func NewAdaptiveLayerNorm(examples, tokens, features int, epsilon float64) (*AdaptiveLayerNorm, error) {
	shape := []int{examples, tokens, features}
	if _, err := elements(adaptiveOp, shape); err != nil {
		return nil, err
	}
	l, err := newRows(adaptiveOp, []int{tokens, features}, []int{1}, epsilon, false)
	if err != nil {
		return nil, err
	}
	return &AdaptiveLayerNorm{l: l, shape: shape, examples: examples}, nil
}

// Forward normalizes x into y. scale and shift are [examples features]; mean and rstd,
// [examples tokens], receive μ and 1/√(σ² + ε) and may be nil, as may scale and shift.
// y may be x. A wrong length is a *ShapeError, and nothing has been written then.
func (a *AdaptiveLayerNorm) Forward(y, mean, rstd, x, scale, shift []float32) error {
	size, stats, features := a.sizes()
	if err := (about{op: adaptiveOp, shape: a.shape}).check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}, arg{"mean", mean, stats, eachToken | optional}, arg{"rstd", rstd, stats, eachToken | optional},
		arg{"scale", scale, features, eachFeature | optional}, arg{"shift", shift, features, eachFeature | optional}); err != nil {
		return err
	}
	for n := range a.examples {
		from, to := a.part(n)
		err := a.l.Forward(y[from:to], a.stats(mean, n), a.stats(rstd, n), x[from:to], nil, a.plusOne(scale, n), a.features(shift, n))
		if err != nil {
			return err
		}
	}
	return nil
}

// Backward computes the gradients of Forward from dy, its x, mean and rstd, and scale:
// dx as LayerNorm.Backward has it with gamma = 1 + scale, dscale[n,i] = Σ_t dy·x̂ and
// dshift[n,i] = Σ_t dy. dscale, dshift and scale may be nil; dx may be dy or x.
func (a *AdaptiveLayerNorm) Backward(dx, dscale, dshift, dy, x, mean, rstd, scale []float32) error {
	size, stats, features := a.sizes()
	if err := (about{op: adaptiveOp, shape: a.shape}).check(arg{"x", x, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"dx", dx, size, ofShape}, arg{"mean", mean, stats, eachToken}, arg{"rstd", rstd, stats, eachToken},
		arg{"scale", scale, features, eachFeature | optional}, arg{"dscale", dscale, features, eachFeature | optional}, arg{"dshift", dshift, features, eachFeature | optional}); err != nil {
		return err
	}
	for n := range a.examples {
		from, to := a.part(n)
		err := a.l.Backward(dx[from:to], a.features(dscale, n), a.features(dshift, n), dy[from:to], x[from:to], a.stats(mean, n), a.stats(rstd, n), a.plusOne(scale, n))
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *AdaptiveLayerNorm) sizes() (size, stats, features int) {
	return a.examples * a.l.rows * a.l.cols, a.examples * a.l.rows, a.examples * a.l.cols
}

func (a *AdaptiveLayerNorm) part(n int) (from, to int) {
	size := a.l.rows * a.l.cols
	return n * size, (n + 1) * size
}

func (a *AdaptiveLayerNorm) stats(s []float32, n int) []float32 {
	return section(s, n*a.l.rows, a.l.rows)
}

func (a *AdaptiveLayerNorm) features(s []float32, n int) []float32 {
	return section(s, n*a.l.cols, a.l.cols)
}

func (a *AdaptiveLayerNorm) plusOne(scale []float32, n int) []float32 {
	if scale == nil {
		return nil
	}
	if len(a.gamma) != a.l.cols {
		a.gamma = make([]float32, a.l.cols)
	}
	for i, e := range a.features(scale, n) {
		a.gamma[i] = 1 + e
	}
	return a.gamma
}
