package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// LSTM, GRU and RNN. What the inputs add to the gates is one product for many steps; each
// step then adds the product by the state before it, and runs the gates' functions.

func init() { Register(recurrentRows) }

var (
	rnnDirection = Attr{Name: "direction", Kind: ir.AttrString, S: "forward", Words: []string{"forward", "reverse", "bidirectional"}}
	rnnHidden    = Attr{Name: "hidden_size", Kind: ir.AttrInt}
	rnnNames     = Attr{Name: "activations", Kind: ir.AttrStrings}
	rnnAlpha     = Attr{Name: "activation_alpha", Kind: ir.AttrFloats}
	rnnBeta      = Attr{Name: "activation_beta", Kind: ir.AttrFloats}
	rnnClip      = Attr{Name: "clip", Kind: ir.AttrFloat}
	rnnLayout    = Attr{Name: "layout", Kind: ir.AttrInt, Since: 14}
	rnnSequence  = Attr{Name: "output_sequence", Kind: ir.AttrInt, Till: 6} // the node's outputs say what is wanted

	rnnOut = []Out{{Name: "Y", Var: 'T', Opt: true}, {Name: "Y_h", Var: 'T', Opt: true}, {Name: "Y_c", Var: 'T', Opt: true}}
	rnnIn  = []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "R", Types: float32Only, Var: 'T'},
		{Name: "B", Types: float32Only, Var: 'T', Opt: true}, {Name: "sequence_lens", Types: 1 << ir.Int32, Opt: true},
		{Name: "initial_h", Types: float32Only, Var: 'T', Opt: true}, {Name: "initial_c", Types: float32Only, Var: 'T', Opt: true},
		{Name: "P", Types: float32Only, Var: 'T', Opt: true}}
)

var recurrentRows = []Row{{
	Name: "LSTM", Since: 1, Changes: []int{7, 14, 22},
	In: rnnIn, Out: rnnOut,
	Attrs: []Attr{rnnDirection, rnnHidden, rnnNames, rnnAlpha, rnnBeta, rnnClip, rnnLayout, rnnSequence, {Name: "input_forget", Kind: ir.AttrInt}},
	Rank:  imageRank, Check: checkRecurrent,
	Plan: planRecurrent,
}, {
	Name: "GRU", Since: 1, Changes: []int{3, 7, 14, 22},
	In: rnnIn[:6], Out: rnnOut[:2],
	Attrs: []Attr{rnnDirection, rnnHidden, rnnNames, rnnAlpha, rnnBeta, rnnClip, rnnLayout, rnnSequence, {Name: "linear_before_reset", Kind: ir.AttrInt}},
	Rank:  imageRank, Check: checkRecurrent,
	Plan: planRecurrent,
}, {
	Name: "RNN", Since: 1, Changes: []int{7, 14, 22},
	In: rnnIn[:6], Out: rnnOut[:2],
	Attrs: []Attr{rnnDirection, rnnHidden, rnnNames, rnnAlpha, rnnBeta, rnnClip, rnnLayout, rnnSequence},
	Rank:  imageRank, Check: checkRecurrent,
	Plan: planRecurrent,
}}

// gateFunction is what activations can name, with the parameters that it has where the
// node gives none.
type gateFunction struct {
	name       string
	parameters int // alpha, or alpha and beta
	alpha      float32
	beta       float32
	f          func(y, x []float32, alpha, beta float32)
}

var gateFunctions = [...]gateFunction{
	{name: "sigmoid", f: func(y, x []float32, _, _ float32) { compute.Sigmoid(y, x) }},
	{name: "tanh", f: func(y, x []float32, _, _ float32) { compute.Tanh(y, x) }},
	{name: "relu", f: func(y, x []float32, _, _ float32) { compute.Relu(y, x) }},
	{name: "softsign", f: func(y, x []float32, _, _ float32) { compute.Softsign(y, x) }},
	{name: "softplus", f: func(y, x []float32, _, _ float32) { compute.Softplus(y, x) }},
	{name: "leakyrelu", parameters: 1, alpha: 0.01, f: func(y, x []float32, alpha, _ float32) { compute.LeakyRelu(y, x, alpha) }},
	{name: "thresholdedrelu", parameters: 1, alpha: 1, f: func(y, x []float32, alpha, _ float32) { compute.ThresholdedRelu(y, x, alpha) }},
	{name: "elu", parameters: 1, alpha: 1, f: func(y, x []float32, alpha, _ float32) { compute.Elu(y, x, alpha) }},
	{name: "hardsigmoid", parameters: 2, alpha: 0.2, beta: 0.5, f: compute.HardSigmoid},
	{name: "affine", parameters: 2, alpha: 1, f: affineGate},
	{name: "scaledtanh", parameters: 2, alpha: 1, beta: 1, f: func(y, x []float32, alpha, beta float32) {
		affineGate(y, x, beta, 0)
		compute.Tanh(y, y)
		affineGate(y, y, alpha, 0)
	}},
}

// affineGate computes alpha·x + beta.
func affineGate(y, x []float32, alpha, beta float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(alpha*v) + beta
	}
}

// gateFunctionOf finds a function by its name, in which capitals do not count.
func gateFunctionOf(name string) *gateFunction {
	for i := range gateFunctions {
		f := &gateFunctions[i]
		same := len(name) == len(f.name)
		for k := 0; same && k < len(name); k++ {
			same = name[k] == f.name[k] || name[k]+'a'-'A' == f.name[k]
		}
		if same {
			return f
		}
	}
	return nil
}

func checkRecurrent(n *ir.Node) string {
	if a := n.Attrs["activations"]; a != nil {
		for _, name := range a.Strings {
			if gateFunctionOf(name) == nil {
				return "activation " + ir.Plain(name)
			}
		}
	}
	return ""
}

// usualGates are the functions of LSTM; GRU has the first two, and RNN the second.
var usualGates = []string{"Sigmoid", "Tanh", "Tanh"}

// gate is a function with its parameters.
type gate struct {
	f           func(y, x []float32, alpha, beta float32)
	alpha, beta float32
}

func (g *gate) run(y, x []float32) { g.f(y, x, g.alpha, g.beta) }

// recurrent is the step of all three.
type recurrent struct {
	gates               int // 4, 3 and 1: of LSTM, GRU and RNN
	steps, batch        int
	in, hidden, dirs    int
	backward            bool // direction 0 is
	byBatch             bool // the batch comes first in X, Y and the states
	linear, forget      bool // GRU's linear_before_reset, LSTM's input_forget
	clip                float32
	functions           [2][3]gate
	chunk               int // steps whose gates are there at a time, for the whole batch
	packed              *packedGates
	scratch             int // of products
	stateStep, stateDir int // from an element of the batch, or a direction, to the next in a state
}

// packedGates are constant weights of W and R for each direction; GRU's R is in two parts,
// because its last gate has its product apart.
type packedGates struct{ w, r, rest [2]*compute.PackedB }

// Bytes is how much memory they take beside the weights.
func (p *packedGates) Bytes() (n int) {
	for d := range 2 {
		for _, b := range [...]*compute.PackedB{p.w[d], p.r[d], p.rest[d]} {
			if b != nil {
				n += b.Bytes()
			}
		}
	}
	return n
}

// gateRoom is how many elements of gates are computed ahead of the steps: as many as stay
// in a second-level cache.
const gateRoom = 64 << 10

// planRecurrent: X is [steps, batch, in] and Y [steps, directions, batch, hidden]; states
// are [directions, batch, hidden]. With layout=1 the batch comes first in all of them.
func planRecurrent(c *Call) error {
	x, w, r := c.In(0).Dims, c.In(1).Dims, c.In(2).Dims
	gates, functions := 1, 1
	switch c.Row.Name {
	case "LSTM":
		gates, functions = 4, 3
	case "GRU":
		gates, functions = 3, 2
	}
	direction := c.Str("direction")
	dirs := 1
	if direction == "bidirectional" {
		dirs = 2
	}
	if len(x) != 3 {
		return c.fail("the input has dimensions @, want 3 of them", x)
	}
	if len(r) != 3 || r[0] != dirs || r[2] < 1 || r[1] != gates*r[2] {
		return c.fail("R has dimensions @, want [%, % times the hidden size, the hidden size]", r, dirs, gates)
	}
	hidden := r[2]
	if given := c.Int("hidden_size"); given != 0 && given != int64(hidden) {
		return c.fail("hidden_size is %, and R has dimensions @", r, int(given))
	}
	if len(w) != 3 || w[0] != dirs || w[1] != gates*hidden || w[2] != x[2] {
		return c.fail("W has dimensions @, want [%, %, %]", w, dirs, gates*hidden, x[2])
	}
	byBatch := c.Int("layout") != 0
	steps, batch := x[0], x[1]
	state := c.Dims(3)
	state[0], state[1], state[2] = dirs, batch, hidden
	out := c.Dims(4)
	out[0], out[1], out[2], out[3] = steps, dirs, batch, hidden
	if byBatch {
		steps, batch = x[1], x[0]
		state[0], state[1] = batch, dirs
		out[0], out[1], out[2] = batch, steps, dirs
	}
	for i, want := range [...][]int{3: {dirs, 2 * gates * hidden}, 4: {batch}, 5: state, 6: state, 7: {dirs, 3 * hidden}} {
		if s := c.In(i); want != nil && s != nil && !ir.SameDims(s.Dims, want) {
			return c.Fail(c.Row.In[i].Name, " has dimensions ", s.Dims, ", want ", want)
		}
	}
	c.Out(0, ir.Float32, out...)
	for i := 1; i < len(c.Row.Out); i++ {
		c.Out(i, ir.Float32, state...)
	}
	if c.Err != nil {
		return c.Err
	}
	s := Into[recurrent](c)
	s.gates, s.steps, s.batch, s.in, s.hidden, s.dirs = gates, steps, batch, x[2], hidden, dirs
	s.backward, s.byBatch, s.clip = direction == "reverse", byBatch, max(c.Float("clip"), 0)
	s.linear, s.forget = gates == 3 && c.Int("linear_before_reset") != 0, gates == 4 && c.Int("input_forget") != 0
	s.stateStep, s.stateDir = hidden, batch*hidden
	if byBatch {
		s.stateStep, s.stateDir = dirs*hidden, hidden
	}
	if err := s.setFunctions(c, functions); err != nil {
		return err
	}
	s.packed = nil
	if c.In(1).Host != nil && c.In(2).Host != nil && s.in > 0 {
		s.packed = Prepared(c, Key{1, gates, hidden}, 1, 3, s.pack(c))
	}
	width := gates * hidden
	s.chunk = min(max(gateRoom/(max(batch, 1)*width), 1), max(steps, 1))
	ahead := compute.Gemm{M: s.chunk * batch, N: width, K: s.in}
	each := compute.Gemm{M: batch, N: width, K: hidden}
	s.scratch = max(ahead.ScratchLen(), each.ScratchLen())
	c.Scratch(4 * (s.scratch + (s.chunk*batch+2)*width + 4*batch*hidden))
	return nil
}

// setFunctions reads the activations: so many for each direction. Parameters go to those
// that have some, in their order.
func (s *recurrent) setFunctions(c *Call, per int) error {
	names, given := usualGates, false
	if per == 1 {
		names = usualGates[1:]
	}
	if a := c.Node.Attrs["activations"]; a != nil && a.Kind == ir.AttrStrings && len(a.Strings) > 0 {
		names, given = a.Strings, true
		if len(names) != per*s.dirs {
			return c.fail("activations has % names, want %", nil, len(names), per*s.dirs)
		}
	}
	lists := [...][]float32{nil, nil}
	for i, name := range [...]string{"activation_alpha", "activation_beta"} {
		if a := c.Node.Attrs[name]; a != nil && a.Kind == ir.AttrFloats {
			lists[i] = a.Floats
		}
	}
	take := func(list int, otherwise float32) float32 {
		if len(lists[list]) == 0 {
			return otherwise
		}
		v := lists[list][0]
		lists[list] = lists[list][1:]
		return v
	}
	for d := range s.dirs {
		for i := range per {
			at := i
			if given {
				at += d * per
			}
			f := gateFunctionOf(names[at])
			if f == nil {
				return unsupported(c, "activation ", text.Quote(names[at]))
			}
			g := &s.functions[d][i]
			*g = gate{f.f, f.alpha, f.beta}
			if f.parameters > 0 {
				g.alpha = take(0, f.alpha)
			}
			if f.parameters > 1 {
				g.beta = take(1, f.beta)
			}
		}
	}
	return nil
}

// pack lays out constant weights, where they were if nothing else reads them.
func (s *recurrent) pack(c *Call) func(kept bool) *packedGates {
	return func(kept bool) *packedGates {
		p, w, r := &packedGates{}, c.In(1).Host, c.In(2).Host
		lay := func(t *ir.Tensor, from, rows, cols int) *compute.PackedB {
			g := compute.Gemm{N: rows, K: cols, TransB: true}
			return g.Pack(compute.Float32, t.Data[4*from*cols:][:4*rows*cols], kept && t.Sole)
		}
		width, first := s.gates*s.hidden, s.first()
		for d := range s.dirs {
			p.w[d], p.r[d] = lay(w, d*width, width, s.in), lay(r, d*width, first, s.hidden)
			if first < width {
				p.rest[d] = lay(r, d*width+first, width-first, s.hidden)
			}
		}
		for _, t := range [...]*ir.Tensor{w, r} {
			if kept && t.Sole {
				t.Take()
			}
		}
		return p
	}
}

// first is how many rows of R have one product: all, but for GRU's last gate.
func (s *recurrent) first() int {
	if s.gates == 3 {
		return 2 * s.hidden
	}
	return s.gates * s.hidden
}

// pass is one direction of a run over elements of the batch that have equally many steps.
type pass struct {
	d            int
	row, rows    int // elements of the batch
	steps        int
	bias, after  []float32 // of the gates, and GRU's of R that is added after the product
	z            []float32 // gates: [rows][chunk] or [chunk][rows]
	h, c, t1, t2 []float32 // [rows, hidden]
	p            []float32 // LSTM's peepholes
	scratch      []float32
}

func (s *recurrent) Run(a *Args) {
	if s.batch == 0 {
		return
	}
	var lens []int32
	even := true
	if len(a.In) > 4 && a.In[4] != nil {
		lens = a.In[4].Int32s()
		for i, n := range lens {
			if n < 0 || int(n) > s.steps {
				panic(ir.Shape("sequence_lens has ", int(n), " at ", i, ", want 0 to ", s.steps, ", the steps of the input"))
			}
			even = even && n == lens[0]
		}
		if y := output(a, 0); y != nil {
			clear(y)
		}
	}
	width := s.gates * s.hidden
	room := slab.View[float32](a.Scratch)
	take := func(n int) []float32 {
		part := room[:n:n]
		room = room[n:]
		return part
	}
	p := pass{scratch: take(s.scratch), bias: take(width), after: take(width), z: take(s.chunk * s.batch * width)}
	states := take(4 * s.batch * s.hidden)
	for p.d = range s.dirs {
		s.biases(a, &p)
		count, rows := 1, s.batch
		if !even {
			count, rows = s.batch, 1
		}
		n := rows * s.hidden
		p.h, p.c, p.t1, p.t2 = states[:n], states[n:2*n], states[2*n:3*n], states[3*n:4*n]
		for i := range count {
			p.row, p.rows, p.steps = i*rows, rows, s.steps
			if lens != nil {
				p.steps = int(lens[i])
			}
			s.start(a, 5, &p, p.h)
			if s.gates == 4 {
				s.start(a, 6, &p, p.c)
			}
			s.pass(a, &p)
			s.finish(a, 1, &p, p.h)
			s.finish(a, 2, &p, p.c)
		}
	}
}

// biases sums those of W and R, but for GRU's last where its product comes first.
func (s *recurrent) biases(a *Args, p *pass) {
	width := s.gates * s.hidden
	p.p = nil
	if b := optional(a, 7); b != nil {
		p.p = b[p.d*3*s.hidden:][:3*s.hidden]
	}
	b := optional(a, 3)
	if b == nil {
		clear(p.bias)
		clear(p.after)
		return
	}
	b = b[p.d*2*width:][:2*width]
	n := width
	if s.linear {
		n = 2 * s.hidden
		copy(p.bias[n:], b[n:])
		copy(p.after, b[width+n:])
	}
	compute.Add(p.bias, b, 0, 1, b[width:], 0, 1, 1, n)
}

// start gives a state the values of an input, or 0.
func (s *recurrent) start(a *Args, input int, p *pass, state []float32) {
	from := optional(a, input)
	if from == nil {
		clear(state)
		return
	}
	for r := range p.rows {
		copy(state[r*s.hidden:][:s.hidden], from[p.d*s.stateDir+(p.row+r)*s.stateStep:])
	}
}

// finish puts a state into an output.
func (s *recurrent) finish(a *Args, i int, p *pass, state []float32) {
	to := output(a, i)
	if to == nil {
		return
	}
	for r := range p.rows {
		copy(to[p.d*s.stateDir+(p.row+r)*s.stateStep:], state[r*s.hidden:][:s.hidden])
	}
}

// pass runs one direction.
func (s *recurrent) pass(a *Args, p *pass) {
	back := s.backward || p.d == 1
	width, y := s.gates*s.hidden, output(a, 0)
	for done := 0; done < p.steps; {
		n := min(s.chunk, p.steps-done)
		from := done // the first step in the order of the input
		if back {
			from = p.steps - done - n
		}
		// From a step, or an element of the batch, to the next in z.
		next, side := p.rows*width, width
		if s.byBatch {
			next, side = width, n*width
		}
		s.ahead(a, p, from, n)
		for i := range n {
			t := i
			if back {
				t = n - 1 - i
			}
			z := p.z[t*next:]
			switch s.gates {
			case 4:
				s.lstm(a, p, z, side)
			case 3:
				s.gru(a, p, z, side)
			default:
				s.product(a, p, z, side, p.h, 0, compute.FromY, nil)
				for r := range p.rows {
					v := z[r*side:][:width]
					s.bound(v)
					s.functions[p.d][0].run(p.h[r*width:][:width], v)
				}
			}
			if y != nil {
				at := from + t
				for r := range p.rows {
					to := ((at*s.dirs+p.d)*s.batch + p.row + r) * s.hidden
					if s.byBatch {
						to = (((p.row+r)*s.steps+at)*s.dirs + p.d) * s.hidden
					}
					copy(y[to:], p.h[r*s.hidden:][:s.hidden])
				}
			}
		}
		done += n
	}
}

// ahead computes what the inputs of n steps add to the gates.
func (s *recurrent) ahead(a *Args, p *pass, from, n int) {
	x, width := a.In[0].Float32s(), s.gates*s.hidden
	g := compute.Gemm{M: n * p.rows, N: width, K: s.in, TransB: true, Start: compute.FromColumn, Bias: p.bias}
	count := 1
	switch {
	case s.byBatch:
		x = x[(p.row*s.steps+from)*s.in:]
		g.M, count = n, p.rows
	default:
		x = x[(from*s.batch+p.row)*s.in:]
		if p.rows < s.batch {
			g.LDA = s.batch * s.in // one element of the batch
		}
	}
	for r := range count {
		z, x := p.z[r*n*width:], x[min(r*s.steps*s.in, len(x)):]
		if s.packed != nil {
			g.RunPacked(z, x, s.packed.w[p.d], p.scratch)
		} else {
			g.Run(z, x, a.In[1].Float32s()[p.d*width*s.in:][:width*s.in], p.scratch)
		}
	}
}

// product computes h times the transposed R, all of it or (1) GRU's last gate, into rows of
// y that are side apart.
func (s *recurrent) product(a *Args, p *pass, y []float32, side int, h []float32, part int, start compute.Start, bias []float32) {
	first, width := s.first(), s.gates*s.hidden
	if s.packed != nil && p.rows == 1 {
		b := s.packed.r[p.d]
		if part == 1 {
			b = s.packed.rest[p.d]
		}
		if start == compute.FromColumn {
			copy(y, bias)
		}
		b.AddRow(y, h, p.scratch)
		return
	}
	g := compute.Gemm{M: p.rows, N: first, K: s.hidden, TransB: true, LDY: side, Start: start, Bias: bias}
	at := 0
	if part == 1 {
		g.N, at = width-first, first
	}
	switch {
	case s.packed == nil:
		g.Run(y, h, a.In[2].Float32s()[(p.d*width+at)*s.hidden:][:g.N*s.hidden], p.scratch)
	case part == 1:
		g.RunPacked(y, h, s.packed.rest[p.d], p.scratch)
	default:
		g.RunPacked(y, h, s.packed.r[p.d], p.scratch)
	}
}

// bound applies the node's clip to what goes into a function.
func (s *recurrent) bound(z []float32) {
	if s.clip > 0 {
		compute.Clip(z, z, -s.clip, s.clip)
	}
}

func mulInto(y, a, b []float32) { compute.Mul(y, a, 0, 1, b, 0, 1, 1, len(a)) }
func addInto(y, a, b []float32) { compute.Add(y, a, 0, 1, b, 0, 1, 1, len(a)) }

// lstm is one step: c = f∘c + i∘g, h = o∘H(c).
func (s *recurrent) lstm(a *Args, p *pass, z []float32, side int) {
	n := s.hidden
	s.product(a, p, z, side, p.h, 0, compute.FromY, nil)
	fs := &s.functions[p.d]
	for r := range p.rows {
		z, h, c, t := z[r*side:][:4*n], p.h[r*n:][:n], p.c[r*n:][:n], p.t1[:n]
		i, o, f, g := z[:n], z[n:2*n], z[2*n:3*n], z[3*n:]
		if p.p == nil {
			s.bound(z)
			fs[0].run(z[:3*n], z[:3*n])
		} else {
			mulInto(t, p.p[:n], c)
			addInto(i, i, t)
			mulInto(t, p.p[2*n:], c)
			addInto(f, f, t)
			s.bound(i)
			s.bound(z[2*n:])
			fs[0].run(i, i)
			fs[0].run(f, f)
		}
		if s.forget {
			one := [1]float32{1}
			compute.Sub(f, one[:], 0, 0, i, 0, 1, 1, n)
		}
		fs[1].run(g, g)
		mulInto(g, i, g)
		mulInto(c, f, c)
		addInto(c, c, g)
		if p.p != nil {
			mulInto(t, p.p[n:2*n], c)
			addInto(o, o, t)
			s.bound(o)
			fs[0].run(o, o)
		}
		fs[2].run(t, c)
		mulInto(h, o, t)
	}
}

// gru is one step: h = (1−z)∘n + z∘h.
func (s *recurrent) gru(a *Args, p *pass, z []float32, side int) {
	n := s.hidden
	s.product(a, p, z, side, p.h, 0, compute.FromY, nil)
	if s.linear {
		s.product(a, p, p.t1, n, p.h, 1, compute.FromColumn, p.after[:n])
	}
	fs := &s.functions[p.d]
	for r := range p.rows {
		gates := z[r*side:][:2*n]
		s.bound(gates)
		fs[0].run(gates, gates)
		if !s.linear {
			mulInto(p.t1[r*n:][:n], gates[n:], p.h[r*n:][:n])
		}
	}
	if !s.linear {
		s.product(a, p, z[2*n:], side, p.t1, 1, compute.FromY, nil)
	}
	for r := range p.rows {
		z, h, t := z[r*side:][:3*n], p.h[r*n:][:n], p.t1[r*n:][:n]
		update, reset, next := z[:n], z[n:2*n], z[2*n:]
		if s.linear {
			mulInto(t, reset, t)
			addInto(next, next, t)
		}
		s.bound(next)
		fs[1].run(next, next)
		one := [1]float32{1}
		compute.Sub(t, one[:], 0, 0, update, 0, 1, 1, n)
		mulInto(next, t, next)
		mulInto(h, update, h)
		addInto(h, next, h)
	}
}
