package train

import "github.com/normwasm/normwasm/internal/compute"

// linear is y = x·Wᵀ + b on the last axis.
type linear struct {
	in, units, rows int // rows of an example
	weight, bias    *Param
	x               []float32
	y, dx, ones     buffer
	forwardGemm     compute.Gemm
	inputGemm       compute.Gemm
	weightGemm      compute.Gemm
	biasGemm        compute.Gemm
}

func newLinear(b *builder, s *Spec, in []int) (layer, []int, error) {
	if err := b.positive("units", s.Units); err != nil {
		return nil, nil, err
	}
	if len(in) == 0 || len(in) == 3 {
		return nil, nil, b.shape("input is ", in, ", want [D] or [T D]; flatten or globalAveragePool comes before")
	}
	last := len(in) - 1
	l := makeLinear(b, in[last], s.Units, elements(in[:last]), !s.NoBias)
	out := append(append([]int(nil), in[:last]...), s.Units)
	return l, out, nil
}

func makeLinear(b *builder, in, units, rows int, bias bool) *linear {
	l := &linear{in: in, units: units, rows: rows, weight: newParam("weight", true, units, in).he(b.rand, in)}
	if bias {
		l.bias = newParam("bias", false, units)
	}
	return l
}

func (l *linear) params() []*Param {
	if l.bias == nil {
		return []*Param{l.weight}
	}
	return []*Param{l.weight, l.bias}
}

func (l *linear) forward(p *pass, x []float32) ([]float32, error) {
	rows := p.n * l.rows
	l.x = x
	y := l.y.of(rows * l.units)
	l.forwardGemm = compute.Gemm{M: rows, N: l.units, K: l.in, TransB: true, Clamp: compute.NoClamp}
	if l.bias != nil {
		l.forwardGemm.Start, l.forwardGemm.Bias = compute.FromColumn, l.bias.Value
	}
	p.gemm(&l.forwardGemm, y, x, l.weight.Value)
	return y, nil
}

func (l *linear) backward(p *pass, dy []float32) ([]float32, error) {
	rows := p.n * l.rows
	l.weightGemm = compute.Gemm{M: l.units, N: l.in, K: rows, TransA: true, Clamp: compute.NoClamp}
	p.gemm(&l.weightGemm, l.weight.Grad, dy, l.x)
	if l.bias != nil {
		p.columnSums(l.bias.Grad, dy, &l.ones, &l.biasGemm, rows)
	}
	if p.last {
		return nil, nil
	}
	dx := l.dx.of(rows * l.in)
	l.inputGemm = compute.Gemm{M: rows, N: l.in, K: l.units, Clamp: compute.NoClamp}
	p.gemm(&l.inputGemm, dx, dy, l.weight.Value)
	return dx, nil
}

// pass is one pass over a batch.
type pass struct {
	n       int
	train   bool // with dropout and noise
	batch   bool // BatchNorm takes the batch's statistics,
	update  bool // and lets the running ones learn from them
	last    bool // of the backward pass: the gradient of the layer's input is not wanted
	rand    *random
	scratch buffer
}

// gemm runs a product in the network's scratch memory.
func (p *pass) gemm(g *compute.Gemm, y, a, b []float32) {
	g.Run(y, a, b, p.scratch.of(g.ScratchLen()))
}

// columnSums adds the rows of x [rows, len(sums)], as a product with ones.
func (p *pass) columnSums(sums, x []float32, ones *buffer, g *compute.Gemm, rows int) {
	one := ones.of(rows)
	for i := range one {
		one[i] = 1
	}
	*g = compute.Gemm{M: 1, N: len(sums), K: rows, Clamp: compute.NoClamp}
	p.gemm(g, sums, one, x)
}
