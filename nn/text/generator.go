package text

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
	"github.com/normwasm/normwasm/nn/safetensors"
)

// Options are a generator's choices; the zero value is the default.
type Options struct {
	// Config is the model's configuration: the JSON of Hugging Face's config.json, or of nanoGPT's
	// arguments. Files of llama2.c need none; of safetensors it has to say how many heads there are, of
	// ONNX models it may say how long the context is.
	Config []byte
	// Graph are those of the session: Optimize, MaxBytes and Own count, which says that the file's
	// memory may be written over.
	Graph graph.Options
}

// Generator is a model that writes: it takes the tokens of a prompt, in one run, and then
// gives one token after another. It is not safe for concurrent use.
type Generator struct {
	session    *graph.Session
	memory     [][]byte // of weights that were copied
	feeds      []feed   // by input
	dims       [][]int
	logits     int // which output they are
	vocabulary int // 0 where it is not known before the first run
	context    int
	config     *Config
	states     bool

	at      int     // positions that the model has seen
	tokens  []int32 // all of them, for a model that remembers none
	pending int32   // the token that the next run starts with, -1 for none
	ready   bool    // there are logits that no token was taken of
	last    []float32
	sampler sampler
}

// feed says what an input is fed.
type feed uint8

const (
	feedState feed = iota
	feedTokens
	feedPositions
	feedMask
	feedLast
	feedTotal
	feedCached
	feedLogits
)

// inputs are the names of inputs, those of our own graphs among them.
var inputs = map[string]feed{
	inputTokens: feedTokens, "tokens": feedTokens, "decoder_input_ids": feedTokens, "idx": feedTokens, inputPositions: feedPositions,
	"attention_mask": feedMask, inputLast: feedLast, inputTotal: feedTotal,
	"use_cache_branch": feedCached, "num_logits_to_keep": feedLogits,
}

// Open makes a generator of a file: safetensors, llama2.c's, or an ONNX model. keeps says that
// it refers to the file's bytes as long as it lives, so that weights are in memory once; else
// what it needs was copied: of files of llama2.c whose weights are int8.
func Open(file []byte, o Options) (g *Generator, keeps bool, err error) {
	s, err := readSettings(o.Config)
	if err != nil {
		return nil, false, err
	}
	switch {
	case safetensors.Is(file):
		f, err := safetensors.Read(file)
		if err != nil {
			return nil, false, err
		}
		d, err := build(f, s, o.Graph.Own)
		if err != nil {
			return nil, false, err
		}
		g, err = d.start(o)
		return g, true, err
	case isLlama2c(file):
		d, keeps, err := readLlama2c(file, o.Graph.Own)
		if err != nil {
			return nil, false, err
		}
		g, err = d.start(o)
		return g, keeps, err
	}
	g, err = openONNX(file, s, o)
	return g, true, err
}

// start makes the session of a graph that was built.
func (d *decoder) start(o Options) (*Generator, error) {
	o.Graph.States, o.Graph.AutoStates = d.states, false
	g := &Generator{memory: d.memory, vocabulary: d.vocabulary, context: d.context, config: d.config}
	if err := g.open(d.graph, o.Graph); err != nil {
		give(d.memory)
		return nil, err
	}
	return g, nil
}

func openONNX(file []byte, s *settings, o Options) (*Generator, error) {
	m, err := onnx.Read(file)
	if err != nil {
		return nil, err
	}
	g := &Generator{config: &Config{}}
	g.config.ends(s)
	g.context = s.whole(contextNames, 1<<20)
	if s.err != nil {
		return nil, s.err
	}
	o.Graph.AutoStates = true
	return g, g.open(m, o.Graph)
}

// open makes the session, and finds out what its inputs want.
func (g *Generator) open(m *ir.Graph, o graph.Options) (err error) {
	if g.session, err = graph.NewSession(m, o); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.session.Release()
		}
	}()
	var missing ir.Missing
	whole := 0
	list := g.session.Inputs()
	for _, in := range list {
		if !in.State && in.Type == ir.Int64 || in.Type == ir.Int32 {
			whole++
		}
	}
	tokens := false
	for _, in := range list {
		kind := feedState
		if !in.State {
			kind = inputs[in.Name]
			if kind == feedState && whole == 1 && (in.Type == ir.Int64 || in.Type == ir.Int32) {
				kind = feedTokens
			}
			if kind == feedState {
				missing.Add(text.Join("input ", text.Quote(in.Name), " of a decoder that writes"))
			}
		}
		g.states = g.states || in.State
		tokens = tokens || kind == feedTokens
		g.feeds = append(g.feeds, kind)
	}
	if err := missing.Err(); err != nil {
		return err
	}
	g.logits = -1
	for i, out := range g.session.Outputs() {
		if !out.State && (g.logits < 0 || out.Name == outputLogits) {
			g.logits = i
			if d := out.Dims; out.Known && len(d) > 0 && d[len(d)-1].Size > 0 {
				g.vocabulary = d[len(d)-1].Size
			}
		}
	}
	if !tokens || g.logits < 0 {
		return &ir.UnsupportedError{Missing: []string{"a model without an input of tokens, or without logits: a decoder that writes has both"}}
	}
	g.dims = make([][]int, len(g.feeds))
	g.pending = -1
	return nil
}

// Info is what is known of a generator's model.
type Info struct {
	Context, Vocabulary int // Vocabulary is 0 where the model does not declare it
	Begin               int32
	End                 []int32
	Ops                 []graph.OpCount
}

// Info describes the model.
func (g *Generator) Info() Info {
	return Info{g.context, g.vocabulary, g.config.Begin, g.config.End, g.session.Ops()}
}

// Bytes is what the generator holds beside a file that it refers to.
func (g *Generator) Bytes() int {
	n := g.session.Bytes()
	for _, m := range g.memory {
		n += len(m)
	}
	return n
}

// Release lets go of all memory.
func (g *Generator) Release() {
	g.session.Release()
	give(g.memory)
	*g = Generator{session: g.session, pending: -1, config: &Config{}}
}

// Start forgets what was written and runs the prompt.
func (g *Generator) Start(prompt []int32, s Sampling) error {
	g.ready, g.pending = false, -1
	switch {
	case s.check() != nil:
		return s.check()
	case len(prompt) == 0:
		return ir.Shape("text: the prompt has no tokens; where there is none it is the one that texts begin with")
	case len(prompt) > g.context:
		return ir.Shape("text: the prompt has ", len(prompt), " tokens, and the model's context ", g.context)
	}
	for i, token := range prompt {
		if token < 0 || g.vocabulary > 0 && int(token) >= g.vocabulary {
			return ir.Shape("text: token ", i, " of the prompt is ", token, ", and the model has ", g.vocabulary)
		}
	}
	g.sampler.start(s)
	g.session.ResetState()
	g.at, g.tokens = 0, g.tokens[:0]
	return g.run(prompt)
}

// Next gives one more token. At the end of the context there is none.
func (g *Generator) Next() (token int32, ok bool, err error) {
	if g.pending >= 0 {
		if g.at >= g.context {
			return 0, false, nil
		}
		one := [1]int32{g.pending}
		if err := g.run(one[:]); err != nil {
			return 0, false, err
		}
	}
	if !g.ready {
		return 0, false, ir.Shape("text: Next came before a Start that succeeded")
	}
	token, err = g.sampler.next(g.last)
	if err != nil {
		g.ready = false
		return 0, false, err
	}
	g.ready, g.pending = false, token
	return token, true, nil
}

// run lets the model see tokens behind those that it has seen.
func (g *Generator) run(tokens []int32) error {
	g.ready, g.pending = false, -1
	if !g.states {
		g.tokens = append(g.tokens, tokens...)
		tokens, g.at = g.tokens, 0
	}
	n, total := len(tokens), g.at+len(tokens)
	for i, kind := range g.feeds {
		d := g.dims[i]
		switch kind {
		case feedState:
			continue
		case feedTokens, feedPositions:
			d = append(d[:0], 1, n)
		case feedMask:
			d = append(d[:0], 1, total)
		case feedLast, feedCached:
			d = append(d[:0], 1)
		default:
			if d = d[:0]; d == nil {
				d = []int{}
			}
		}
		g.dims[i] = d
	}
	r, err := g.session.Prepare(g.dims)
	if err != nil {
		return err
	}
	for i, kind := range g.feeds {
		if kind != feedState {
			g.fill(r.In(i), kind, tokens, total)
		}
	}
	if err := r.Exec(); err != nil {
		return err
	}
	return g.take(r.Out(g.logits), total)
}

// fill writes an input.
func (g *Generator) fill(t *ir.Tensor, kind feed, tokens []int32, total int) {
	n := t.Len()
	for i := range n {
		v := int64(1)
		switch kind {
		case feedTokens:
			v = int64(tokens[i])
		case feedPositions:
			v = int64(g.at + i)
		case feedLast:
			v = int64(total - 1)
		case feedTotal:
			v = int64(total)
		case feedCached:
			if g.at == 0 {
				v = 0
			}
		}
		switch t.Type {
		case ir.Int64:
			t.Int64s()[i] = v
		case ir.Int32:
			t.Int32s()[i] = int32(v)
		case ir.Float32:
			t.Float32s()[i] = float32(v)
		default:
			t.Data[i] = byte(v)
		}
	}
}

// take keeps the logits of the last position.
func (g *Generator) take(t *ir.Tensor, total int) error {
	n := 0
	if len(t.Dims) > 0 {
		n = t.Dims[len(t.Dims)-1]
	}
	if n == 0 || t.Len() == 0 {
		return ir.Shape("text: the model's logits have dimensions ", t.Dims)
	}
	if cap(g.last) < n {
		g.last = make([]float32, n)
	}
	g.last, g.vocabulary = g.last[:n], n
	tail := ir.Tensor{Type: t.Type, Dims: t.Dims[len(t.Dims)-1:], Data: t.Data[len(t.Data)-t.Type.Bytes(n):]}
	if !widen(g.last, &tail) {
		return ir.Shape("text: the model's logits are of ", t.Type.String(), ", want float32, float16 or bfloat16")
	}
	g.at, g.ready = total, true
	return nil
}
