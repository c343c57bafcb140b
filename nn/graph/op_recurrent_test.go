package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

func words(v ...string) *ir.Attr { return &ir.Attr{Kind: ir.AttrStrings, Strings: v} }

// gateOf is a function that activations may name, from its definition, and how many
// parameters it has.
func gateOf(name string) (f func(v, alpha, beta float64) float64, parameters int, alpha, beta float64) {
	switch name {
	case "Sigmoid":
		return func(v, _, _ float64) float64 { return 1 / (1 + math.Exp(-v)) }, 0, 0, 0
	case "Tanh":
		return func(v, _, _ float64) float64 { return math.Tanh(v) }, 0, 0, 0
	case "Relu":
		return func(v, _, _ float64) float64 { return max(v, 0) }, 0, 0, 0
	case "Softsign":
		return func(v, _, _ float64) float64 { return v / (1 + math.Abs(v)) }, 0, 0, 0
	case "Softplus":
		return func(v, _, _ float64) float64 { return math.Log1p(math.Exp(v)) }, 0, 0, 0
	case "LeakyRelu":
		return func(v, a, _ float64) float64 { return max(v, 0) + a*min(v, 0) }, 1, 0.01, 0
	case "ThresholdedRelu":
		return func(v, a, _ float64) float64 {
			if v > a {
				return v
			}
			return 0
		}, 1, 1, 0
	case "Elu":
		return func(v, a, _ float64) float64 { return max(v, 0) + a*math.Expm1(min(v, 0)) }, 1, 1, 0
	case "HardSigmoid":
		return func(v, a, b float64) float64 { return min(max(a*v+b, 0), 1) }, 2, 0.2, 0.5
	case "Affine":
		return func(v, a, b float64) float64 { return a*v + b }, 2, 1, 0
	case "ScaledTanh":
		return func(v, a, b float64) float64 { return a * math.Tanh(b*v) }, 2, 1, 1
	}
	panic(name)
}

// rnnCase is a call of LSTM, GRU or RNN.
type rnnCase struct {
	op                       string
	steps, batch, in, hidden int
	direction                string
	layout                   int
	lens                     []int32
	linear, forget           bool
	clip                     float64
	names                    []string
	alpha, beta              []float32
	x, w, r, b, h, c, p      *ir.Tensor
}

func (k *rnnCase) gates() (gates, functions int) {
	switch k.op {
	case "LSTM":
		return 4, 3
	case "GRU":
		return 3, 2
	}
	return 1, 1
}

func (k *rnnCase) dirs() int {
	if k.direction == "bidirectional" {
		return 2
	}
	return 1
}

// fill draws what is not given.
func (k *rnnCase) fill(seed uint64, optional bool) {
	gates, _ := k.gates()
	dirs, width := k.dirs(), gates*k.hidden
	scaled := func(s uint64, dims ...int) *ir.Tensor {
		x := random(seed*16+s, dims...)
		for i := range x.Float32s() {
			x.Float32s()[i] *= 0.5
		}
		return x
	}
	state := []int{dirs, k.batch, k.hidden}
	k.x = scaled(0, k.steps, k.batch, k.in)
	if k.layout == 1 {
		state = []int{k.batch, dirs, k.hidden}
		k.x = scaled(0, k.batch, k.steps, k.in)
	}
	k.w, k.r = scaled(1, dirs, width, k.in), scaled(2, dirs, width, k.hidden)
	if !optional {
		return
	}
	k.b, k.h = scaled(3, dirs, 2*width), scaled(4, state...)
	if k.op == "LSTM" {
		k.c, k.p = scaled(5, state...), scaled(6, dirs, 3*k.hidden)
	}
}

func (k *rnnCase) node() node {
	n := node{op: k.op, version: 22, outs: 2, attrs: attrs("hidden_size", integer(int64(k.hidden)), "direction", text(k.direction), "layout", integer(int64(k.layout)))}
	if k.op == "LSTM" {
		n.outs = 3
		if k.forget {
			n.attrs["input_forget"] = integer(1)
		}
	}
	if k.linear {
		n.attrs["linear_before_reset"] = integer(1)
	}
	if k.clip > 0 {
		n.attrs["clip"] = float(float32(k.clip))
	}
	if k.names != nil {
		n.attrs["activations"] = words(k.names...)
	}
	if k.alpha != nil {
		n.attrs["activation_alpha"] = floats(k.alpha...)
	}
	if k.beta != nil {
		n.attrs["activation_beta"] = floats(k.beta...)
	}
	n.in = []*ir.Tensor{k.x, k.w, k.r, k.b, nil, k.h, k.c, k.p}
	if k.op != "LSTM" {
		n.in = n.in[:6]
	}
	if k.lens != nil {
		lens := ir.NewTensor(ir.Int32, k.batch)
		copy(lens.Int32s(), k.lens)
		n.in[4] = lens
	}
	return n
}

// oracle computes element by element in float64 what ONNX's equations say.
func (k *rnnCase) oracle() (y, yh, yc []float64) {
	gates, functions := k.gates()
	dirs, width, hidden := k.dirs(), gates*k.hidden, k.hidden
	y = make([]float64, k.steps*dirs*k.batch*hidden)
	yh, yc = make([]float64, dirs*k.batch*hidden), make([]float64, dirs*k.batch*hidden)
	value := func(t *ir.Tensor, i int) float64 {
		if t == nil {
			return 0
		}
		return float64(t.Float32s()[i])
	}
	names := k.names
	if names == nil {
		for range dirs {
			names = append(names, map[string][]string{"LSTM": {"Sigmoid", "Tanh", "Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "RNN": {"Tanh"}}[k.op]...)
		}
	}
	alphas, betas := k.alpha, k.beta
	var run []func(v float64) float64
	for _, name := range names {
		f, parameters, alpha, beta := gateOf(name)
		if parameters > 0 && len(alphas) > 0 {
			alpha, alphas = float64(alphas[0]), alphas[1:]
		}
		if parameters > 1 && len(betas) > 0 {
			beta, betas = float64(betas[0]), betas[1:]
		}
		run = append(run, func(v float64) float64 { return f(v, alpha, beta) })
	}
	bound := func(v float64) float64 {
		if k.clip > 0 {
			return min(max(v, -k.clip), k.clip)
		}
		return v
	}
	for d := range dirs {
		f := run[d*functions:]
		back := k.direction == "reverse" || d == 1
		for b := range k.batch {
			stateAt := (d*k.batch + b) * hidden
			if k.layout == 1 {
				stateAt = (b*dirs + d) * hidden
			}
			h, c := make([]float64, hidden), make([]float64, hidden)
			for i := range h {
				h[i], c[i] = value(k.h, stateAt+i), value(k.c, stateAt+i)
			}
			steps := k.steps
			if k.lens != nil {
				steps = int(k.lens[b])
			}
			for s := range steps {
				t := s
				if back {
					t = steps - 1 - s
				}
				xAt := (t*k.batch + b) * k.in
				if k.layout == 1 {
					xAt = (b*k.steps + t) * k.in
				}
				// What inputs and states add to a row of the gates.
				input := func(row int) (sum float64) {
					for i := range k.in {
						sum += value(k.x, xAt+i) * value(k.w, (d*width+row)*k.in+i)
					}
					return sum + value(k.b, d*2*width+row)
				}
				state := func(row int, h []float64) (sum float64) {
					for i := range hidden {
						sum += h[i] * value(k.r, (d*width+row)*hidden+i)
					}
					return sum + value(k.b, d*2*width+width+row)
				}
				next, cell := make([]float64, hidden), make([]float64, hidden)
				switch k.op {
				case "LSTM":
					for i := range hidden {
						gate := func(g int) float64 { return input(g*hidden+i) + state(g*hidden+i, h) }
						peep := func(g int) float64 { return value(k.p, d*3*hidden+g*hidden+i) }
						in := f[0](bound(gate(0) + peep(0)*c[i]))
						forget := f[0](bound(gate(2) + peep(2)*c[i]))
						if k.forget {
							forget = 1 - in
						}
						cell[i] = forget*c[i] + in*f[1](bound(gate(3)))
						next[i] = f[0](bound(gate(1)+peep(1)*cell[i])) * f[2](cell[i])
					}
				case "GRU":
					z, r, reset := make([]float64, hidden), make([]float64, hidden), make([]float64, hidden)
					for i := range hidden {
						z[i] = f[0](bound(input(i) + state(i, h)))
						r[i] = f[0](bound(input(hidden+i) + state(hidden+i, h)))
						reset[i] = r[i] * h[i]
					}
					for i := range hidden {
						row := 2*hidden + i
						v := input(row)
						if k.linear {
							v += r[i] * state(row, h)
						} else {
							v += state(row, reset)
						}
						next[i] = (1-z[i])*f[1](bound(v)) + z[i]*h[i]
					}
				default:
					for i := range hidden {
						next[i] = f[0](bound(input(i) + state(i, h)))
					}
				}
				h, c = next, cell
				at := ((t*dirs+d)*k.batch + b) * hidden
				if k.layout == 1 {
					at = ((b*k.steps+t)*dirs + d) * hidden
				}
				copy(y[at:], h)
			}
			copy(yh[stateAt:], h)
			copy(yc[stateAt:], c)
		}
	}
	return y, yh, yc
}

func (k *rnnCase) check(t *testing.T, what string) {
	t.Helper()
	out := k.node().run(t)
	y, yh, yc := k.oracle()
	near(t, y, out[0], 1e-5, what+", Y")
	near(t, yh, out[1], 1e-5, what+", Y_h")
	if k.op == "LSTM" {
		near(t, yc, out[2], 1e-5, what+", Y_c")
	}
}

// Each operator in all directions and layouts, with and without what is optional, of sizes
// that do and do not fill the kernels' panels.
func TestRecurrent(t *testing.T) {
	seed := uint64(1)
	for _, op := range []string{"LSTM", "GRU", "RNN"} {
		for _, direction := range []string{"forward", "reverse", "bidirectional"} {
			for layout := range 2 {
				for variant := range 6 {
					seed++
					r := rand.New(rand.NewPCG(seed, 7))
					k := &rnnCase{op: op, direction: direction, layout: layout, steps: 1 + r.IntN(7), batch: 1 + r.IntN(3), in: 1 + r.IntN(9), hidden: []int{1, 2, 3, 5, 8, 16, 17}[r.IntN(7)]}
					if variant == 0 {
						k.batch = 1
					}
					k.fill(seed, variant%2 == 1)
					if variant > 1 {
						k.linear, k.forget = op == "GRU", op == "LSTM" && variant > 3
					}
					if variant == 3 {
						k.clip = 0.3
					}
					if variant > 2 {
						for range k.batch {
							k.lens = append(k.lens, int32(r.IntN(k.steps+1)))
						}
					}
					k.check(t, fmt.Sprintf("%s %s, layout %d, variant %d", op, direction, layout, variant))
				}
			}
		}
	}
}

// A sequence longer than what is computed of the gates at a time.
func TestRecurrentInChunks(t *testing.T) {
	for _, direction := range []string{"forward", "reverse"} {
		for layout := range 2 {
			k := &rnnCase{op: "GRU", direction: direction, layout: layout, steps: 150, batch: 3, in: 2, hidden: 64, lens: []int32{150, 117, 3}}
			k.fill(5, true)
			for i := range k.r.Float32s() { // so that errors of rounding do not grow from step to step
				k.r.Float32s()[i] *= 0.2
			}
			k.check(t, direction)
			k.lens = nil
			k.check(t, direction)
		}
	}
}

func TestRecurrentActivations(t *testing.T) {
	all := []string{"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"}
	for i, name := range all {
		for _, given := range []bool{false, true} {
			k := &rnnCase{op: "RNN", direction: "bidirectional", steps: 4, batch: 2, in: 3, hidden: 5, names: []string{name, all[(i+3)%len(all)]}}
			if given {
				k.alpha, k.beta = []float32{0.4, 0.7}, []float32{0.1, 0.3}
			}
			k.fill(uint64(i), true)
			k.check(t, name)
			k.op, k.names = "LSTM", []string{"Sigmoid", name, "Tanh", "HardSigmoid", "Tanh", name}
			k.fill(uint64(i), true)
			k.check(t, name)
		}
	}
	// Capitals do not count.
	k := &rnnCase{op: "RNN", direction: "forward", steps: 2, batch: 1, in: 3, hidden: 5}
	k.fill(1, false)
	want := k.node().run(t)[0]
	n := k.node()
	n.attrs["activations"] = words("tANH")
	require.Equal(t, want.Data, n.run(t)[0].Data)
}

// Outputs that the node leaves out.
func TestRecurrentOutputs(t *testing.T) {
	k := &rnnCase{op: "LSTM", direction: "bidirectional", steps: 4, batch: 2, in: 3, hidden: 5, lens: []int32{4, 2}}
	k.fill(1, true)
	all, err := k.node().try()
	require.NoError(t, err)
	for keep := range 3 {
		g := k.node().graph()
		n := g.Nodes[0]
		n.Outputs = make([]*ir.Value, keep+1)
		n.Outputs[keep] = &ir.Value{Name: "only"}
		g.Outputs = n.Outputs[keep:]
		s, err := graph.NewSession(g, graph.Options{})
		require.NoError(t, err)
		var dims [][]int
		for _, x := range k.node().in {
			dims = append(dims, x.Dims)
		}
		run, err := s.Prepare(dims)
		require.NoError(t, err)
		for i, x := range k.node().in {
			copy(run.In(i).Data, x.Data)
		}
		require.NoError(t, run.Exec())
		require.Equal(t, all[keep].Data, append([]byte{}, run.Out(0).Data...), "output %d", keep)
	}
}

func TestRecurrentErrors(t *testing.T) {
	fresh := func() *rnnCase {
		k := &rnnCase{op: "LSTM", direction: "forward", steps: 3, batch: 2, in: 4, hidden: 5}
		k.fill(1, true)
		return k
	}
	for want, change := range map[string]func(k *rnnCase){
		`LSTM "n": the input has dimensions [3 8], want 3 of them`:                       func(k *rnnCase) { k.x = random(1, 3, 8) },
		`LSTM "n": R has dimensions [1 20 4], want [1, 4 times the hidden size, the hid`: func(k *rnnCase) { k.r = random(1, 1, 20, 4) },
		`LSTM "n": R has dimensions [2 20 5], want [1, 4`:                                func(k *rnnCase) { k.r = random(1, 2, 20, 5) },
		`LSTM "n": W has dimensions [1 20 3], want [1, 20, 4]`:                           func(k *rnnCase) { k.w = random(1, 1, 20, 3) },
		`LSTM "n": B has dimensions [1 20], want [1 40]`:                                 func(k *rnnCase) { k.b = random(1, 1, 20) },
		`LSTM "n": initial_c has dimensions [2 1 5], want [1 2 5]`:                       func(k *rnnCase) { k.c = random(1, 2, 1, 5) },
		`LSTM "n": P has dimensions [1 5], want [1 15]`:                                  func(k *rnnCase) { k.p = random(1, 1, 5) },
		`LSTM "n": hidden_size is 6, and R has dimensions [1 20 5]`:                      func(k *rnnCase) { k.hidden = 6 },
		`LSTM activation Gelu`:                      func(k *rnnCase) { k.names = []string{"Gelu", "Tanh", "Tanh"} },
		`LSTM "n": activations has 2 names, want 3`: func(k *rnnCase) { k.names = []string{"Tanh", "Tanh"} },
		`LSTM direction=sideways`:                   func(k *rnnCase) { k.direction = "sideways" },
		`sequence_lens has 4 at 1, want 0 to 3`:     func(k *rnnCase) { k.lens = []int32{0, 4} },
		`sequence_lens has -1 at 0, want 0 to 3`:    func(k *rnnCase) { k.lens = []int32{-1, 3} },
	} {
		k := fresh()
		change(k)
		_, err := k.node().try()
		require.ErrorContains(t, err, want)
		if strings.HasPrefix(want, "seq") {
			require.ErrorContains(t, err, `LSTM "n"`)
		}
	}
}

// The state that the session keeps: frames one at a time are the very bits of one long run.
func TestRecurrentFrameByFrame(t *testing.T) {
	const frames, in, hidden = 250, 40, 24
	for _, op := range []string{"LSTM", "GRU", "RNN"} {
		long := &rnnCase{op: op, direction: "forward", steps: frames, batch: 1, in: in, hidden: hidden}
		long.fill(3, true)
		zero := func(x *ir.Tensor) *ir.Tensor {
			if x != nil {
				clear(x.Data)
			}
			return x
		}
		long.h, long.c = zero(long.h), zero(long.c)
		all, err := long.node().try()
		require.NoError(t, err)

		build := func() *graph.Session {
			n := long.node()
			n.constant = true
			g := n.graph()
			call := g.Nodes[0]
			g.Inputs[0].Name, g.Inputs[0].Dims[0].Size = "frame", -1
			for i, name := range []string{"h_in", "c_in"} {
				if at := 5 + i; at < len(call.Inputs) {
					v := &ir.Value{Name: name, Type: ir.Float32, Known: true, Dims: []ir.Dim{{Size: 1}, {Size: 1}, {Size: hidden}}}
					call.Inputs[at], g.Inputs = v, append(g.Inputs, v)
					g.Outputs[1+i].Name = strings.Replace(name, "in", "out", 1)
				}
			}
			s, err := graph.NewSession(g, graph.Options{AutoStates: true})
			require.NoError(t, err)
			require.True(t, s.Outputs()[1].State)
			return s
		}
		s := build()
		for f := range frames {
			dims := make([][]int, len(s.Inputs()))
			dims[0] = []int{1, 1, in}
			run, err := s.Prepare(dims)
			require.NoError(t, err)
			copy(run.In(0).Float32s(), long.x.Float32s()[f*in:][:in])
			require.NoError(t, run.Exec())
			require.Equal(t, all[0].Float32s()[f*hidden:][:hidden], run.Out(0).Float32s(), "%s, frame %d", op, f)
		}
		require.Equal(t, all[1].Data, append([]byte{}, s.StateOf(1).Data...), op)
		// And blocks of other lengths.
		s.ResetState()
		for f := 0; f < frames; f += 50 {
			dims := make([][]int, len(s.Inputs()))
			dims[0] = []int{50, 1, in}
			run, err := s.Prepare(dims)
			require.NoError(t, err)
			copy(run.In(0).Float32s(), long.x.Float32s()[f*in:][:50*in])
			require.NoError(t, run.Exec())
			require.Equal(t, all[0].Float32s()[f*hidden:][:50*hidden], run.Out(0).Float32s(), "%s, frame %d", op, f)
		}
	}
}
