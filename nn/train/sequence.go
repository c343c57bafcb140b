package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
)

// embedding turns tokens into vectors, plus one for each position.
type embedding struct {
	vocabulary, width, length int
	weight, positions         *Param
	tokens                    []int32
	y                         buffer
}

func newEmbedding(b *builder, s *Spec, in []int) (layer, []int, error) {
	if len(b.all) > 0 {
		return nil, nil, b.shape("it reads tokens, and must be the first layer")
	}
	if len(in) != 1 {
		return nil, nil, b.shape("input is ", in, ", want [T] tokens")
	}
	if err := b.positive("vocabulary", s.Vocabulary); err != nil {
		return nil, nil, err
	}
	if err := b.positive("width", s.Width); err != nil {
		return nil, nil, err
	}
	if s.Positions != 0 && s.Positions < in[0] {
		return nil, nil, b.value("positions is ", s.Positions, ", and the input has ", in[0])
	}
	e := &embedding{vocabulary: s.Vocabulary, width: s.Width, length: in[0]}
	e.weight = newParam("weight", true, s.Vocabulary, s.Width).uniform(b.rand, 0.05)
	if s.Positions > 0 {
		e.positions = newParam("positions", true, s.Positions, s.Width).uniform(b.rand, 0.05)
	}
	return e, []int{in[0], s.Width}, nil
}

func (e *embedding) params() []*Param { return list(e.weight, e.positions) }

// forward takes no floats: the tokens are set before.
func (e *embedding) forward(p *pass, _ []float32) ([]float32, error) {
	y := e.y.of(p.n * e.length * e.width)
	for i, token := range e.tokens {
		row := y[i*e.width:][:e.width]
		w := e.weight.Value[int(token)*e.width:][:e.width]
		if e.positions == nil {
			copy(row, w)
			continue
		}
		add(row, w, e.positions.Value[i%e.length*e.width:][:e.width])
	}
	return y, nil
}

func (e *embedding) backward(_ *pass, dy []float32) ([]float32, error) {
	clear(e.weight.Grad)
	if e.positions != nil {
		clear(e.positions.Grad)
	}
	for i, token := range e.tokens {
		d := dy[i*e.width:][:e.width]
		g := e.weight.Grad[int(token)*e.width:][:e.width]
		add(g, g, d)
		if e.positions != nil {
			g = e.positions.Grad[i%e.length*e.width:][:e.width]
			add(g, g, d)
		}
	}
	return nil, nil
}

// attention is multi-head self-attention: softmax(Q·Kᵀ/√d)·V of each head, between two
// linear layers. Causal lets a place see itself and what comes before.
//
// Source: Vaswani et al., "Attention Is All You Need", arXiv:1706.03762, section 3.2.
type attention struct {
	heads, length, width int
	causal               bool
	in, out              *linear
	scores, ds           buffer // [n heads T T]: probabilities, and the gradient of one head's
	mixed, dqkv          buffer
	qkv                  []float32
	gemm                 compute.Gemm
}

func newAttention(b *builder, s *Spec, in []int) (layer, []int, error) {
	if len(in) != 2 {
		return nil, nil, b.shape("input is ", in, ", want [T D]")
	}
	if s.Heads < 1 || in[1]%s.Heads != 0 {
		return nil, nil, b.value("heads is ", s.Heads, ", which does not divide a width of ", in[1])
	}
	a := &attention{heads: s.Heads, length: in[0], width: in[1], causal: s.Causal}
	a.in, a.out = makeLinear(b, in[1], 3*in[1], in[0], true), makeLinear(b, in[1], in[1], in[0], true)
	a.in.weight.xavier(b.rand, in[1], in[1])
	a.out.weight.xavier(b.rand, in[1], in[1])
	a.in.weight.Name, a.in.bias.Name = ".in.weight", ".in.bias"
	a.out.weight.Name, a.out.bias.Name = ".out.weight", ".out.bias"
	return a, in, nil
}

func (a *attention) params() []*Param { return append(a.in.params(), a.out.params()...) }

// head calls f for each head of each example: with its offset in qkv, in mixed and its scores.
func (a *attention) head(n int, f func(qkv, mixed int, scores []float32)) {
	t, d := a.length, a.width
	for i := range n {
		for h := range a.heads {
			f(i*t*3*d+h*d/a.heads, i*t*d+h*d/a.heads, a.scores.data[(i*a.heads+h)*t*t:][:t*t])
		}
	}
}

func (a *attention) forward(p *pass, x []float32) ([]float32, error) {
	qkv, err := a.in.forward(p, x)
	if err != nil {
		return nil, err
	}
	t, d, each := a.length, a.width, a.width/a.heads
	a.qkv = qkv
	a.scores.of(p.n * a.heads * t * t)
	mixed := a.mixed.of(p.n * t * d)
	alpha := float32(1 / math.Sqrt(float64(each)))
	a.head(p.n, func(at, to int, s []float32) {
		a.gemm = compute.Gemm{M: t, N: t, K: each, TransB: true, LDA: 3 * d, LDB: 3 * d, Alpha: alpha, Clamp: compute.NoClamp}
		p.gemm(&a.gemm, s, qkv[at:], qkv[at+d:])
		if a.causal {
			for i := range t {
				row := s[i*t:][:t]
				for j := i + 1; j < t; j++ {
					row[j] = float32(math.Inf(-1))
				}
			}
		}
		compute.Softmax(s, s, t, t, 1, p.scratch.of(compute.SoftmaxScratch(t, 1)))
		a.gemm = compute.Gemm{M: t, N: each, K: t, LDB: 3 * d, LDY: d, Clamp: compute.NoClamp}
		p.gemm(&a.gemm, mixed[to:], s, qkv[at+2*d:])
	})
	return a.out.forward(p, mixed)
}

func (a *attention) backward(p *pass, dy []float32) ([]float32, error) {
	last := p.last
	p.last = false // this layer wants it itself
	dm, err := a.out.backward(p, dy)
	p.last = last
	if err != nil {
		return nil, err
	}
	t, d, each := a.length, a.width, a.width/a.heads
	dqkv, ds, qkv := a.dqkv.of(p.n*t*3*d), a.ds.of(t*t), a.qkv
	alpha := float32(1 / math.Sqrt(float64(each)))
	a.head(p.n, func(at, to int, s []float32) {
		a.gemm = compute.Gemm{M: t, N: each, K: t, TransA: true, LDB: d, LDY: 3 * d, Clamp: compute.NoClamp} // dV = Pᵀ·dO
		p.gemm(&a.gemm, dqkv[at+2*d:], s, dm[to:])
		a.gemm = compute.Gemm{M: t, N: t, K: each, TransB: true, LDA: d, LDB: 3 * d, Clamp: compute.NoClamp} // dP = dO·Vᵀ
		p.gemm(&a.gemm, ds, dm[to:], qkv[at+2*d:])
		compute.SoftmaxGradient(ds, ds, s, t, t)                                                                 // dS = P∘(dP − Σ dP∘P)
		a.gemm = compute.Gemm{M: t, N: each, K: t, LDB: 3 * d, LDY: 3 * d, Alpha: alpha, Clamp: compute.NoClamp} // dQ = dS·K·α
		p.gemm(&a.gemm, dqkv[at:], ds, qkv[at+d:])
		a.gemm.TransA = true // dK = dSᵀ·Q·α
		p.gemm(&a.gemm, dqkv[at+d:], ds, qkv[at:])
	})
	return a.in.backward(p, dqkv)
}

// gru is a gated recurrent unit over time, from a state of zeros:
//
//	r = σ(W_r·x + U_r·h + …),  z = σ(W_z·x + U_z·h + …)
//	n = tanh(W_n·x + b_n + r∘(U_n·h + c_n)),  h' = (1 − z)∘n + z∘h
//
// Its output is the state after each step.
//
// Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
// arXiv:1406.1078, with the reset gate after the product, as in PyTorch and cuDNN.
type gru struct {
	length, width, units int
	in                   *linear // W·x + b of all three gates and all steps
	weight, bias         *Param  // U and c
	gates                buffer  // [T n 4·units]: r, z, n and U_n·h + c_n
	states               buffer  // [T+1 n units]
	y, hidden, dh, dg    buffer
	du, dw, dxw, ones    buffer
	gemm                 compute.Gemm
}

func newGRU(b *builder, s *Spec, in []int) (layer, []int, error) {
	if len(in) != 2 {
		return nil, nil, b.shape("input is ", in, ", want [T D]")
	}
	if err := b.positive("units", s.Units); err != nil {
		return nil, nil, err
	}
	g := &gru{length: in[0], width: in[1], units: s.Units}
	g.in = makeLinear(b, in[1], 3*s.Units, in[0], true)
	g.in.weight.xavier(b.rand, in[1], s.Units)
	g.weight = newParam("hidden.weight", true, 3*s.Units, s.Units).xavier(b.rand, s.Units, s.Units)
	g.bias = newParam("hidden.bias", false, 3*s.Units)
	g.in.weight.Name, g.in.bias.Name = ".input.weight", ".input.bias"
	return g, []int{in[0], s.Units}, nil
}

func (g *gru) params() []*Param { return append(g.in.params(), g.weight, g.bias) }

func (g *gru) forward(p *pass, x []float32) ([]float32, error) {
	xw, err := g.in.forward(p, x)
	if err != nil {
		return nil, err
	}
	n, u, t := p.n, g.units, g.length
	states, gates, hidden := g.states.of((t+1)*n*u), g.gates.of(t*n*4*u), g.hidden.of(n*3*u)
	y := g.y.of(n * t * u)
	clear(states[:n*u])
	for step := range t {
		h, next := states[step*n*u:][:n*u], states[(step+1)*n*u:][:n*u]
		g.gemm = compute.Gemm{M: n, N: 3 * u, K: u, TransB: true, Start: compute.FromColumn, Bias: g.bias.Value, Clamp: compute.NoClamp}
		p.gemm(&g.gemm, hidden, h, g.weight.Value)
		for i := range n {
			w, hid := xw[(i*t+step)*3*u:][:3*u], hidden[i*3*u:][:3*u]
			gate := gates[(step*n+i)*4*u:][:4*u]
			rz, c, uh := gate[:2*u], gate[2*u:3*u], gate[3*u:]
			add(rz, w[:2*u], hid[:2*u])
			compute.Sigmoid(rz, rz)
			copy(uh, hid[2*u:])
			multiply(c, rz[:u], uh)
			add(c, c, w[2*u:])
			compute.Tanh(c, c)
			// h' = n + z∘(h − n)
			to := next[i*u:][:u]
			compute.Sub(to, h[i*u:], 0, 1, c, 0, 1, 1, u)
			multiply(to, to, rz[u:])
			add(to, to, c)
			copy(y[(i*t+step)*u:][:u], to)
		}
	}
	return y, nil
}

func (g *gru) backward(p *pass, dy []float32) ([]float32, error) {
	n, u, t := p.n, g.units, g.length
	states, gates := g.states.data, g.gates.data
	dh, dg, dxw := g.dh.of(n*u), g.dg.of(n*3*u), g.dxw.of(n*t*3*u)
	one, tmp := g.ones.of(u), g.du.of(u)
	for i := range one {
		one[i] = 1
	}
	clear(dh)
	clear(g.weight.Grad)
	clear(g.bias.Grad)
	rows := g.dw.of(n)
	for i := range rows {
		rows[i] = 1
	}
	for step := t - 1; step >= 0; step-- {
		h := states[step*n*u:][:n*u]
		for i := range n {
			gate := gates[(step*n+i)*4*u:][:4*u]
			r, z, c, uh := gate[:u], gate[u:2*u], gate[2*u:3*u], gate[3*u:]
			d, hi := dh[i*u:][:u], h[i*u:][:u]
			add(d, d, dy[(i*t+step)*u:][:u])
			w, hid := dxw[(i*t+step)*3*u:][:3*u], dg[i*3*u:][:3*u]
			// Of the candidate before tanh: d·(1 − z)·(1 − n²).
			dc := w[2*u:]
			compute.Sub(dc, one, 0, 1, z, 0, 1, 1, u)
			multiply(dc, dc, d)
			multiply(tmp, c, c)
			subtractFrom(tmp, 1)
			multiply(dc, dc, tmp)
			// Of the gates before σ: dr = dc·uh·r·(1 − r), dz = d·(h − n)·z·(1 − z).
			dr, dz := w[:u], w[u:2*u]
			compute.Sub(dr, one, 0, 1, r, 0, 1, 1, u)
			multiply(dr, dr, r)
			multiply(dr, dr, uh)
			multiply(dr, dr, dc)
			compute.Sub(dz, one, 0, 1, z, 0, 1, 1, u)
			multiply(dz, dz, z)
			compute.Sub(tmp, hi, 0, 1, c, 0, 1, 1, u)
			multiply(dz, dz, tmp)
			multiply(dz, dz, d)
			// U's products see the same, but for the candidate's, which r scales.
			copy(hid[:2*u], w[:2*u])
			multiply(hid[2*u:], dc, r)
			multiply(d, d, z)
		}
		// The state before: dh·z + dg·U.
		g.gemm = compute.Gemm{M: n, N: u, K: 3 * u, Start: compute.FromY, Clamp: compute.NoClamp}
		p.gemm(&g.gemm, dh, dg, g.weight.Value)
		g.gemm = compute.Gemm{M: 3 * u, N: u, K: n, TransA: true, Start: compute.FromY, Clamp: compute.NoClamp}
		p.gemm(&g.gemm, g.weight.Grad, dg, h)
		g.gemm = compute.Gemm{M: 1, N: 3 * u, K: n, Start: compute.FromY, Clamp: compute.NoClamp}
		p.gemm(&g.gemm, g.bias.Grad, rows, dg)
	}
	return g.in.backward(p, dxw)
}
