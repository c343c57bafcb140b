package text

import (
	"math"
	"strings"

	"github.com/normwasm/normwasm/internal/json"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Config is how a decoder is built, as far as its weights do not say it.
type Config struct {
	Heads         int
	KeyValueHeads int // fewer than Heads where several of them share keys and values
	HeadSize      int // 0: the width over Heads
	Context       int // the most positions

	RMS      bool // RMSNorm in place of LayerNorm
	Epsilon  float64
	Post     bool // norms stand behind the residual sums, x = norm(x + f(x)), and none at the end
	Parallel bool // x + attention(norm1(x)) + mlp(norm2(x)), not one after the other

	Activation string // gelu, gelu_tanh, silu or relu

	// Rotary is how many elements of each head are rotated by their position; at 0 positions
	// are learned and added to the tokens' embeddings. Interleaved rotates pairs of
	// neighbours, else those half of Rotary apart.
	Rotary      int
	Interleaved bool
	Frequencies []float64 // by pair: radians a position

	Begin int32   // the token that a text begins with, -1 for none
	End   []int32 // tokens that end one
}

// settings read a configuration's members, which other libraries call by other names.
type settings struct {
	object *json.Object
	err    error
}

// read parses a configuration, of which nil has nothing.
func readSettings(b []byte) (*settings, error) {
	s := &settings{object: &json.Object{}}
	if len(b) == 0 {
		return s, nil
	}
	v, err := json.Parse(b)
	if err != nil {
		return nil, ir.Load("text: the configuration is no JSON: ", err)
	}
	o, ok := v.(*json.Object)
	if !ok {
		return nil, ir.Load("text: the configuration is no object")
	}
	if inner, ok := o.Get("text_config").(*json.Object); ok {
		o = inner
	}
	s.object = o
	return s, nil
}

// find is the first member of these names (words) that there is, and its name.
func (s *settings) find(names string) (any, string) {
	for _, name := range strings.Fields(names) {
		if v := s.object.Get(name); v != nil {
			return v, name
		}
	}
	return nil, ""
}

func (s *settings) fail(name, want string) {
	if s.err == nil {
		s.err = ir.Load("text: the configuration's ", text.Quote(name), " is not ", want)
	}
}

// whole is a size.
func (s *settings) whole(names string, otherwise int) int {
	v, name := s.find(names)
	if v == nil {
		return otherwise
	}
	f, ok := v.(float64)
	if !ok || f < 1 || f > 1<<31 || f != float64(int(f)) {
		s.fail(name, "a whole number of at least 1")
		return otherwise
	}
	return int(f)
}

func (s *settings) number(names string, otherwise float64) float64 {
	v, name := s.find(names)
	if v == nil {
		return otherwise
	}
	f, ok := v.(float64)
	if !ok || !(f > 0) {
		s.fail(name, "a number above 0")
		return otherwise
	}
	return f
}

func (s *settings) word(names, otherwise string) string {
	v, name := s.find(names)
	if v == nil {
		return otherwise
	}
	w, ok := v.(string)
	if !ok {
		s.fail(name, "a string")
	}
	return w
}

func (s *settings) flag(names string, otherwise bool) bool {
	v, name := s.find(names)
	if v == nil {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		s.fail(name, "true or false")
	}
	return b
}

// tokens is a token or a list of them.
func (s *settings) tokens(name string) (list []int32) {
	v := s.object.Get(name)
	all, ok := v.([]any)
	if !ok && v != nil {
		all = []any{v}
	}
	for _, v := range all {
		f, ok := v.(float64)
		if !ok || f < 0 || f > math.MaxInt32 || f != float64(int32(f)) {
			s.fail(name, "a token's number, or a list of them")
			return nil
		}
		list = append(list, int32(f))
	}
	return list
}

// ends reads which tokens begin and end a text.
func (c *Config) ends(s *settings) {
	c.Begin, c.End = -1, s.tokens("eos_token_id")
	if list := s.tokens("bos_token_id"); len(list) > 0 {
		c.Begin = list[0]
	}
}

var activations = map[string]string{
	"silu": "silu", "swish": "silu", "relu": "relu", "gelu": "gelu", "gelu_python": "gelu",
	"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_tanh": "gelu_tanh",
}

const contextNames = "max_position_embeddings n_positions n_ctx block_size max_seq_len seq_len"

// configOf reads what a family's models are built like. width is that of the embeddings.
func configOf(s *settings, f *family, width int) (*Config, error) {
	// Who gives RMSNorm's epsilon has RMSNorm, also in models that are otherwise like GPT-2.
	c := &Config{RMS: f.rms || s.object.Get("rms_norm_eps") != nil, Post: f.post}
	if kind := s.word("model_type", ""); kind != "" && !strings.Contains(" "+f.kinds+" ", " "+kind+" ") && !strings.HasPrefix(kind, "gpt-") {
		return nil, &ir.UnsupportedError{Missing: []string{text.Join("model_type ", text.Quote(kind), " (with tensors named as in ", f.name, ", implemented are: ", f.kinds, ")")}}
	}
	c.Heads = s.whole("num_attention_heads n_head n_heads", 0)
	if c.Heads == 0 && s.err == nil {
		return nil, ir.Load("text: the configuration lacks num_attention_heads (or n_head), which the weights do not tell: give config.json as the option config")
	}
	c.KeyValueHeads = s.whole("num_key_value_heads n_kv_heads", c.Heads)
	c.HeadSize = s.whole("head_dim", 0)
	c.Epsilon = s.number("rms_norm_eps layer_norm_epsilon layer_norm_eps norm_eps", f.epsilon)
	c.Context = s.whole(contextNames, 0)
	if window := s.whole("sliding_window", 0); window > 0 && s.flag("use_sliding_window", true) {
		c.Context = min(max(c.Context, 1), window) // all of it is seen, as in the whole model
	}
	act := f.activation
	if f.name == "GPT-2" && s.object.Get("block_size") != nil && s.object.Get("bias") != nil {
		act = "gelu" // nanoGPT's configuration does not name its activation
	}
	named := s.word("hidden_act activation_function hidden_activation afn", act)
	if c.Activation = activations[named]; f.post && named == "gelu" {
		c.Activation = "gelu_tanh" // what GPT-1 calls so
	}
	if c.Activation == "" && s.err == nil {
		return nil, &ir.UnsupportedError{Missing: []string{"activation " + text.Quote(named)}}
	}
	c.Parallel = f.parallel && s.flag("use_parallel_residual", true)
	c.ends(s)
	if s.err != nil {
		return nil, s.err
	}
	if c.HeadSize == 0 {
		c.HeadSize = width / c.Heads
		if width%c.Heads != 0 {
			return nil, ir.Load("text: ", c.Heads, " heads do not divide the width of ", width)
		}
	}
	if c.Heads%c.KeyValueHeads != 0 {
		return nil, ir.Load("text: ", c.KeyValueHeads, " heads of keys and values do not divide ", c.Heads, " heads")
	}
	if f.positions == "" {
		if err := c.rotate(s, f); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// rotate reads the rotary positions.
func (c *Config) rotate(s *settings, f *family) error {
	scaling, _ := s.object.Get("rope_scaling").(*json.Object)
	inner, _ := s.object.Get("rope_parameters").(*json.Object)
	if inner == nil {
		inner = scaling
	}
	r := &settings{object: inner}
	theta := r.number("rope_theta", s.number("rope_theta rotary_emb_base", 10000))
	part := r.number("partial_rotary_factor", s.number("partial_rotary_factor rotary_pct", f.rotary))
	c.Rotary = int(part*float64(c.HeadSize)) &^ 1
	if part > 1 || c.Rotary == 0 {
		return ir.Load("text: ", part, " of heads of ", c.HeadSize, " elements cannot be rotated")
	}
	c.frequencies(theta)
	kind := r.word("rope_type type", "default")
	factor := r.number("factor", 1)
	low, high := r.number("low_freq_factor", 1), r.number("high_freq_factor", 4)
	original := r.number("original_max_position_embeddings", 8192)
	for _, o := range [...]*settings{s, r} {
		if o.err != nil {
			return o.err
		}
	}
	switch kind {
	case "default":
	case "linear":
		for i := range c.Frequencies {
			c.Frequencies[i] /= factor
		}
	case "llama3":
		for i, f := range c.Frequencies {
			turns := original * f / (2 * math.Pi) // within the context that the model was trained with first
			switch {
			case turns < low:
				c.Frequencies[i] = f / factor
			case turns <= high:
				smooth := (turns - low) / (high - low)
				c.Frequencies[i] = (1-smooth)*f/factor + smooth*f
			}
		}
	default:
		return &ir.UnsupportedError{Missing: []string{"rotary positions of type " + text.Quote(kind)}}
	}
	return nil
}

func (c *Config) frequencies(theta float64) {
	c.Frequencies = make([]float64, c.Rotary/2)
	for i := range c.Frequencies {
		c.Frequencies[i] = math.Pow(theta, -float64(2*i)/float64(c.Rotary))
	}
}
