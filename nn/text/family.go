package text

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/safetensors"
)

// family is how a kind of models names its tensors: each name here, with ".weight" and,
// where there is one, ".bias" behind it. Those of a layer follow "layers" and its number.
// A word that is left out is "".
type family struct {
	name, kinds      string // kinds: values of model_type
	tokens           string // embeddings, by which the family is known
	positions        string // learned ones
	layers           string
	attention        []string // what makes queries, keys and values, one after the other
	attentionOut     string
	gate, up, down   string
	norm1, norm2     string
	last             string // the norm at the end
	head             string
	rms, post        bool
	parallel, heads3 bool // heads3: queries, keys and values come head by head
	epsilon          float64
	activation       string
	rotary           float64 // the part of each head that is rotated, if nothing is said
}

var families = [...]family{{
	name: "Llama", kinds: "llama mistral qwen2 llama2.c",
	tokens: "embed_tokens", layers: "layers.",
	attention:    []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
	attentionOut: "self_attn.o_proj", gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
	norm1: "input_layernorm", norm2: "post_attention_layernorm", last: "norm", head: "lm_head",
	rms: true, epsilon: 1e-6, activation: "silu", rotary: 1,
}, {
	name: "GPT-2", kinds: "gpt2",
	tokens: "wte", positions: "wpe", layers: "h.",
	attention: []string{"attn.c_attn"}, attentionOut: "attn.c_proj", up: "mlp.c_fc", down: "mlp.c_proj",
	norm1: "ln_1", norm2: "ln_2", last: "ln_f", head: "lm_head",
	epsilon: 1e-5, activation: "gelu_new",
}, {
	name: "GPT-1", kinds: "openai-gpt",
	tokens: "tokens_embed", positions: "positions_embed", layers: "h.",
	attention: []string{"attn.c_attn"}, attentionOut: "attn.c_proj", up: "mlp.c_fc", down: "mlp.c_proj",
	norm1: "ln_1", norm2: "ln_2", head: "lm_head",
	post: true, epsilon: 1e-5, activation: "gelu",
}, {
	name: "GPT-NeoX", kinds: "gpt_neox",
	tokens: "embed_in", layers: "layers.",
	attention: []string{"attention.query_key_value"}, attentionOut: "attention.dense", up: "mlp.dense_h_to_4h", down: "mlp.dense_4h_to_h",
	norm1: "input_layernorm", norm2: "post_attention_layernorm", last: "final_layer_norm", head: "embed_out",
	parallel: true, heads3: true, epsilon: 1e-5, activation: "gelu", rotary: 0.25,
}}

// store is a file's tensors, and which of them were asked for.
type store struct {
	file   *safetensors.File
	prefix string
	used   map[string]bool
}

// familyOf finds the family of a file by its embeddings, whatever their name begins with.
func familyOf(file *safetensors.File) (*family, *store, error) {
	for i := range families {
		f := &families[i]
		end := f.tokens + ".weight"
		for _, name := range file.Names {
			if strings.HasSuffix(name, end) && (len(name) == len(end) || name[len(name)-len(end)-1] == '.') {
				return f, &store{file, strings.TrimSuffix(name, end), map[string]bool{}}, nil
			}
		}
	}
	var known []string
	for i := range families {
		known = append(known, text.Join(families[i].tokens, ".weight (", families[i].name, ")"))
	}
	first := file.Names[:min(len(file.Names), 4)]
	return nil, nil, &ir.UnsupportedError{Missing: []string{text.Join("a decoder whose tensors are named ", text.Quote(strings.Join(first, ", ")), ": none of them ends in ", strings.Join(known, ", "))}}
}

// get is a tensor by its name behind the prefix, nil for none.
func (s *store) get(name string) *ir.Tensor {
	full := s.prefix + name
	t := s.file.Tensors[full]
	if t == nil { // the head stands beside what the prefix names
		at := strings.LastIndexByte(strings.TrimSuffix(s.prefix, "."), '.') + 1
		full = s.prefix[:at] + name
		t = s.file.Tensors[full]
	}
	if t != nil {
		s.used[full] = true
	}
	return t
}

// need is get for what has to be there.
func (s *store) need(name string) (*ir.Tensor, error) {
	if t := s.get(name); t != nil {
		return t, nil
	}
	return nil, ir.Load("text: the file has no tensor ", text.Quote(s.prefix+name))
}

// buffers end names of tensors that are no weights: masks, and what positions are computed of.
var buffers = [...]string{".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"}

// left is the error of tensors that nothing has asked for.
func (s *store) left(f *family) error {
	var missing ir.Missing
next:
	for _, name := range s.file.Names {
		if s.used[name] {
			continue
		}
		for _, end := range buffers {
			if strings.HasSuffix(name, end) {
				continue next
			}
		}
		missing.Add(text.Join("tensor ", text.Quote(name), " in a model like ", f.name))
	}
	return missing.Err()
}
