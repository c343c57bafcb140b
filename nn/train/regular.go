package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
)

// noise adds random numbers in training.
type noise struct {
	mean, std float64
	y         buffer
}

func newNoise(b *builder, s *Spec, in []int) (layer, []int, error) {
	if !(s.Std >= 0) || math.IsInf(s.Std, 0) || math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0) {
		return nil, nil, b.value("mean and std are ", s.Mean, " and ", s.Std, ", want finite numbers, std at least 0")
	}
	return &noise{mean: s.Mean, std: s.Std}, in, nil
}

func (l *noise) params() []*Param { return nil }

func (l *noise) forward(p *pass, x []float32) ([]float32, error) {
	if !p.train {
		return x, nil
	}
	y := l.y.of(len(x))
	for i, v := range x {
		y[i] = v + float32(l.mean+float64(l.std*p.rand.normal()))
	}
	return y, nil
}

func (l *noise) backward(_ *pass, dy []float32) ([]float32, error) { return dy, nil }

// dropout sets each element to 0 with probability rate, and scales the others by 1/(1 − rate).
//
// Source: Srivastava et al., "Dropout", JMLR 2014.
type dropout struct {
	rate    float64
	active  bool
	mask, y buffer
}

func newDropout(b *builder, s *Spec, in []int) (layer, []int, error) {
	if !(s.Rate >= 0 && s.Rate < 1) {
		return nil, nil, b.value("rate is ", s.Rate, ", want at least 0 and below 1")
	}
	return &dropout{rate: s.Rate}, in, nil
}

func (l *dropout) params() []*Param { return nil }

func (l *dropout) forward(p *pass, x []float32) ([]float32, error) {
	if l.active = p.train && l.rate > 0; !l.active {
		return x, nil
	}
	mask, y := l.mask.of(len(x)), l.y.of(len(x))
	kept := float32(1 / (1 - l.rate))
	for i := range mask {
		mask[i] = 0
		if p.rand.float() >= l.rate {
			mask[i] = kept
		}
	}
	multiply(y, x, mask)
	return y, nil
}

func (l *dropout) backward(_ *pass, dy []float32) ([]float32, error) {
	if l.active {
		multiply(dy, dy, l.mask.of(len(dy)))
	}
	return dy, nil
}

// dynamicTanh is scale·tanh(α·x) + bias, with scale and bias for each feature: a
// replacement of LayerNorm that needs no statistics.
//
// Source: Zhu et al., "Transformers without Normalization", arXiv:2503.10622.
type dynamicTanh struct {
	features           int // of a row,
	inner              int // each as many elements: 1, or the pixels of a channel
	alpha, gamma, beta *Param
	x                  []float32
	y, t, dx, s, ones  buffer
	sums               compute.Gemm
}

func newDynamicTanh(b *builder, s *Spec, in []int) (layer, []int, error) {
	alpha := 0.5
	if s.Alpha != nil {
		alpha = *s.Alpha
	}
	if math.IsNaN(alpha) || math.IsInf(alpha, 0) {
		return nil, nil, b.value("alpha is ", alpha, ", want a finite number")
	}
	l := &dynamicTanh{features: in[len(in)-1], inner: 1}
	if len(in) == 3 {
		l.features, l.inner = in[0], in[1]*in[2]
	}
	l.alpha = newParam("alpha", false, 1).filled(float32(alpha))
	l.gamma, l.beta = affine(s, l.features)
	return l, in, nil
}

func (l *dynamicTanh) params() []*Param { return list(l.alpha, l.gamma, l.beta) }

func (l *dynamicTanh) forward(_ *pass, x []float32) ([]float32, error) {
	l.x = x
	t := l.t.of(len(x))
	scale(t, x, l.alpha.Value[0])
	compute.Tanh(t, t)
	if l.gamma == nil {
		return t, nil
	}
	y := l.y.of(len(x))
	l.each(y, t, l.gamma.Value, compute.Mul)
	l.each(y, y, l.beta.Value, compute.Add)
	return y, nil
}

// each combines the elements of x with the number of their feature.
func (l *dynamicTanh) each(y, x, by []float32, f func(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int)) {
	if l.inner == 1 {
		f(y, x, l.features, 1, by, 0, 1, len(x)/l.features, l.features)
		return
	}
	size := l.features * l.inner
	for i := 0; i < len(x); i += size {
		f(y[i:i+size], x[i:i+size], l.inner, 1, by, 1, 0, l.features, l.inner)
	}
}

func (l *dynamicTanh) backward(p *pass, dy []float32) ([]float32, error) {
	t, dx, s := l.t.of(len(dy)), l.dx.of(len(dy)), l.s.of(len(dy))
	if l.gamma != nil {
		multiply(s, dy, t)
		l.sum(p, l.gamma.Grad, s)
		l.sum(p, l.beta.Grad, dy)
		l.each(dy, dy, l.gamma.Value, compute.Mul)
	}
	multiply(s, t, t)
	subtractFrom(s, 1)
	multiply(s, s, dy) // dy·(1 − tanh²)
	scale(dx, s, l.alpha.Value[0])
	l.alpha.Grad[0] = float32(compute.Dot(s, l.x))
	return dx, nil
}

// sum adds what belongs to each feature.
func (l *dynamicTanh) sum(p *pass, sums, x []float32) {
	if l.inner == 1 {
		p.columnSums(sums, x, &l.ones, &l.sums, len(x)/l.features)
		return
	}
	ones := l.ones.of(l.inner)
	for i := range ones {
		ones[i] = 1
	}
	l.sums = compute.Gemm{M: l.features, N: 1, K: l.inner, Clamp: compute.NoClamp}
	size := l.features * l.inner
	for i := 0; i < len(x); i += size {
		p.gemm(&l.sums, sums, x[i:i+size], ones)
		l.sums.Start = compute.FromY
	}
}
