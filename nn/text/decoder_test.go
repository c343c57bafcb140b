package text

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
)

// weights are a model's tensors, drawn as they are asked for, and the file that has them.
type weights struct {
	r     *rand.Rand
	dtype string
	names []string
	dims  map[string][]int
	data  map[string][]byte
	types map[string]string
	value map[string][]float64 // what the file's bits mean

	padded bool // tensors begin at multiples of 8, as most libraries have it
}

func newWeights(seed uint64, dtype string) *weights {
	return &weights{rand.New(rand.NewPCG(seed, 1)), dtype, nil, map[string][]int{}, map[string][]byte{}, map[string]string{}, map[string][]float64{}, false}
}

// put enters a tensor in a type and notes what is left of the values in it.
func (w *weights) put(name, dtype string, values []float64, dims ...int) {
	var data []byte
	kept := make([]float64, len(values))
	for i, v := range values {
		f := math.Float32bits(float32(v))
		switch dtype {
		case "F32":
			data = binary.LittleEndian.AppendUint32(data, f)
			kept[i] = float64(float32(v))
		case "BF16":
			data = binary.LittleEndian.AppendUint16(data, uint16(f>>16))
			kept[i] = float64(math.Float32frombits(f >> 16 << 16))
		case "F16": // cut off; the values are in its normal range, or 0
			half := uint16(0)
			if e := int(f>>23&255) - 112; e > 0 {
				half = uint16(f>>16&0x8000) | uint16(e<<10) | uint16(f>>13&1023)
				kept[i] = float64(math.Float32frombits(f >> 13 << 13))
			}
			data = binary.LittleEndian.AppendUint16(data, half)
		case "I8":
			data = append(data, byte(int8(v)))
			kept[i] = v
		}
	}
	w.names, w.dims[name], w.data[name], w.types[name], w.value[name] = append(w.names, name), dims, data, dtype, kept
}

func (w *weights) drawn(n int, scale, shift float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = w.r.NormFloat64()*scale + shift
	}
	return list
}

// matrix enters [out, in] (or [in, out]: across), for which the oracle has [out][in] in value.
func (w *weights) matrix(name string, out, in int, across bool) {
	values := w.drawn(out*in, 1/math.Sqrt(float64(in)), 0)
	if w.dtype == "I8" {
		scale := w.drawn(out, 0.1, 1)
		for i := range values {
			values[i] = math.Round(max(-127, min(values[i]*60, 127)))
		}
		for i := range scale {
			scale[i] /= 60 * math.Sqrt(float64(1))
		}
		w.put(name+".weight", "I8", values, out, in)
		w.put(name+".weight_scale", "F32", scale, out, 1)
		for i := range values {
			w.value[name+".weight"][i] *= w.value[name+".weight_scale"][i/in]
		}
		return
	}
	if !across {
		w.put(name+".weight", w.dtype, values, out, in)
		return
	}
	turned := make([]float64, len(values))
	for o := range out {
		for i := range in {
			turned[i*out+o] = values[o*in+i]
		}
	}
	w.put(name+".weight", w.dtype, turned, in, out)
	kept := w.value[name+".weight"]
	for o := range out {
		for i := range in {
			values[o*in+i] = kept[i*out+o]
		}
	}
	w.value[name+".weight"] = values
}

func (w *weights) vector(name string, n int, scale, shift float64) {
	dtype := w.dtype
	if dtype == "I8" {
		dtype = "F32"
	}
	w.put(name, dtype, w.drawn(n, scale, shift), n)
}

func (w *weights) file() []byte {
	header, data := map[string]any{}, []byte{}
	for _, name := range w.names {
		header[name] = map[string]any{"dtype": w.types[name], "shape": w.dims[name], "data_offsets": []int{len(data), len(data) + len(w.data[name])}}
		data = append(data, w.data[name]...)
	}
	text, _ := json.Marshal(header)
	for w.padded && len(text)%8 > 0 {
		text = append(text, ' ')
	}
	b := slab.New(8 + len(text) + len(data))
	binary.LittleEndian.PutUint64(b, uint64(len(text)))
	copy(b[8:], text)
	copy(b[8+len(text):], data)
	return b
}

// model is a decoder's plan for the oracle: which names it has, and what it computes, written from
// the definitions of the libraries that the names are of.
type model struct {
	w                                                        *weights
	vocabulary, width, layers, heads, kv, size, inside, most int
	tokens, positions, last, head                            string
	layer, norm1, norm2                                      string
	q, k, v, o                                               string // or qkv in q alone
	gate, up, down                                           string
	rms, post, parallel                                      bool
	epsilon                                                  float64
	act                                                      func(float64) float64
	rotary                                                   int
	frequency                                                func(i int) float64
	interleaved, byHead                                      bool
}

func (m *model) linear(name string, x []float64, out int) []float64 {
	y := make([]float64, out)
	value := m.w.value[name+".weight"]
	for o := range y {
		for i, v := range x {
			y[o] += v * value[o*len(x)+i]
		}
		if bias := m.w.value[name+".bias"]; bias != nil {
			y[o] += bias[o]
		}
	}
	return y
}

func (m *model) norm(name string, x []float64) []float64 {
	mean, square := 0.0, 0.0
	if !m.rms {
		for _, v := range x {
			mean += v / float64(len(x))
		}
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(square+m.epsilon) * m.w.value[name+".weight"][i]
		if bias := m.w.value[name+".bias"]; bias != nil {
			y[i] += bias[i]
		}
	}
	return y
}

func added(x, y []float64) []float64 {
	z := make([]float64, len(x))
	for i := range x {
		z[i] = x[i] + y[i]
	}
	return z
}

func (m *model) turn(x []float64, position int) {
	for i := range m.rotary / 2 {
		s, c := math.Sincos(float64(position) * m.frequency(i))
		a, b := i, i+m.rotary/2
		if m.interleaved {
			a, b = 2*i, 2*i+1
		}
		x[a], x[b] = x[a]*c-x[b]*s, x[b]*c+x[a]*s
	}
}

// logits are those behind the last of the tokens.
func (m *model) logits(tokens []int32) []float64 {
	x := make([][]float64, len(tokens))
	for p, token := range tokens {
		x[p] = append([]float64(nil), m.w.value[m.tokens+".weight"][int(token)*m.width:][:m.width]...)
		if m.positions != "" {
			x[p] = added(x[p], m.w.value[m.positions+".weight"][p*m.width:][:m.width])
		}
	}
	for l := range m.layers {
		at := fmt.Sprintf(m.layer, l)
		var q, k, v [][]float64
		for p := range x {
			h := x[p]
			if !m.post {
				h = m.norm(at+m.norm1, h)
			}
			if m.k == "" {
				all := m.linear(at+m.q, h, (m.heads+2*m.kv)*m.size)
				if m.byHead {
					var sorted [3][]float64
					for i := range all {
						sorted[i/m.size%3] = append(sorted[i/m.size%3], all[i])
					}
					all = append(append(sorted[0], sorted[1]...), sorted[2]...)
				}
				q, k, v = append(q, all[:m.heads*m.size]), append(k, all[m.heads*m.size:][:m.kv*m.size]), append(v, all[(m.heads+m.kv)*m.size:])
			} else {
				q, k, v = append(q, m.linear(at+m.q, h, m.heads*m.size)), append(k, m.linear(at+m.k, h, m.kv*m.size)), append(v, m.linear(at+m.v, h, m.kv*m.size))
			}
			for i := range m.heads {
				m.turn(q[p][i*m.size:][:m.size], p)
			}
			for i := range m.kv {
				m.turn(k[p][i*m.size:][:m.size], p)
			}
		}
		for p := len(x) - 1; p >= 0; p-- {
			joined := make([]float64, m.heads*m.size)
			for h := range m.heads {
				g := h / (m.heads / m.kv)
				scores, sum := make([]float64, p+1), 0.0
				for j := range scores {
					for i := range m.size {
						scores[j] += q[p][h*m.size+i] * k[j][g*m.size+i]
					}
					scores[j] = math.Exp(scores[j] / math.Sqrt(float64(m.size)))
					sum += scores[j]
				}
				for j, s := range scores {
					for i := range m.size {
						joined[h*m.size+i] += s / sum * v[j][g*m.size+i]
					}
				}
			}
			a := m.linear(at+m.o, joined, m.width)
			switch {
			case m.post:
				h := m.norm(at+m.norm1, added(x[p], a))
				x[p] = m.norm(at+m.norm2, added(h, m.mlp(at, h)))
			case m.parallel:
				x[p] = added(added(x[p], a), m.mlp(at, m.norm(at+m.norm2, x[p])))
			default:
				h := added(x[p], a)
				x[p] = added(h, m.mlp(at, m.norm(at+m.norm2, h)))
			}
		}
	}
	h := x[len(x)-1]
	if m.last != "" {
		h = m.norm(m.last, h)
	}
	return m.linear(m.head, h, m.vocabulary)
}

func (m *model) mlp(at string, x []float64) []float64 {
	h := m.linear(at+m.up, x, m.inside)
	if m.gate == "" {
		for i := range h {
			h[i] = m.act(h[i])
		}
	} else {
		for i, g := range m.linear(at+m.gate, x, m.inside) {
			h[i] *= m.act(g)
		}
	}
	return m.linear(at+m.down, h, m.width)
}

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }
func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// draw draws the model's weights. across: matrices of layers are stored [in, out]. bias: where.
func (m *model) draw(dtype string, across bool, biases string) *model {
	m.w = newWeights(7, dtype)
	w := m.w
	norm := func(name string) {
		w.vector(name+".weight", m.width, 0.2, 1)
		if !m.rms {
			w.vector(name+".bias", m.width, 0.2, 0)
		}
	}
	linear := func(at, name string, out, in int) {
		w.matrix(at+name, out, in, across)
		if strings.Contains(biases, name) {
			w.vector(at+name+".bias", out, 0.2, 0)
		}
	}
	w.matrix(m.tokens, m.vocabulary, m.width, false)
	if m.positions != "" {
		w.matrix(m.positions, m.most, m.width, false)
	}
	for l := range m.layers {
		at := fmt.Sprintf(m.layer, l)
		norm(at + m.norm1)
		norm(at + m.norm2)
		if m.k == "" {
			linear(at, m.q, (m.heads+2*m.kv)*m.size, m.width)
		} else {
			linear(at, m.q, m.heads*m.size, m.width)
			linear(at, m.k, m.kv*m.size, m.width)
			linear(at, m.v, m.kv*m.size, m.width)
		}
		linear(at, m.o, m.width, m.heads*m.size)
		if m.gate != "" {
			linear(at, m.gate, m.inside, m.width)
		}
		linear(at, m.up, m.inside, m.width)
		linear(at, m.down, m.width, m.inside)
	}
	if m.last != "" {
		norm(m.last)
	}
	if m.head != m.tokens {
		w.matrix(m.head, m.vocabulary, m.width, false)
	}
	return m
}

func llama() *model {
	return &model{vocabulary: 50, width: 32, layers: 2, heads: 4, kv: 2, size: 8, inside: 44, most: 24,
		tokens: "model.embed_tokens", last: "model.norm", head: "lm_head", layer: "model.layers.%d.", norm1: "input_layernorm", norm2: "post_attention_layernorm",
		q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.o_proj", gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
		rms: true, epsilon: 1e-5, act: silu, rotary: 8, frequency: func(i int) float64 { return math.Pow(10000, -float64(i)/4) }}
}

func gpt2() *model {
	return &model{vocabulary: 50, width: 32, layers: 2, heads: 4, kv: 4, size: 8, inside: 128, most: 24,
		tokens: "transformer.wte", positions: "transformer.wpe", last: "transformer.ln_f", head: "transformer.wte", layer: "transformer.h.%d.", norm1: "ln_1", norm2: "ln_2",
		q: "attn.c_attn", o: "attn.c_proj", up: "mlp.c_fc", down: "mlp.c_proj", epsilon: 1e-5, act: geluTanh}
}

func neox() *model {
	return &model{vocabulary: 50, width: 32, layers: 2, heads: 4, kv: 4, size: 8, inside: 64, most: 24,
		tokens: "gpt_neox.embed_in", last: "gpt_neox.final_layer_norm", head: "embed_out", layer: "gpt_neox.layers.%d.", norm1: "input_layernorm", norm2: "post_attention_layernorm",
		q: "attention.query_key_value", o: "attention.dense", up: "mlp.dense_h_to_4h", down: "mlp.dense_4h_to_h", epsilon: 1e-5, act: gelu, parallel: true, byHead: true,
		rotary: 2, frequency: func(int) float64 { return 1 }}
}

const gpt2Biases = "attn.c_attn attn.c_proj mlp.c_fc mlp.c_proj"

func TestDecodersFollowTheirDefinitions(t *testing.T) {
	type c struct {
		name, config string
		m            *model
	}
	llamaConfig := `{"model_type":"llama","num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":24,"rms_norm_eps":1e-5,"tie_word_embeddings":%t}`
	untied, tied := fmt.Sprintf(llamaConfig, false), fmt.Sprintf(llamaConfig, true)
	tiedLlama := llama()
	tiedLlama.head = tiedLlama.tokens
	qwen := llama()
	one := llama()
	one.kv = 1
	wide := llama()
	wide.size, wide.rotary, wide.frequency = 12, 12, func(i int) float64 { return math.Pow(500000, -float64(i)/6) }
	stretched := llama()
	stretched.frequency = func(i int) float64 {
		f := math.Pow(10000, -float64(i)/4)
		wave := 2 * math.Pi / f
		switch {
		case wave > 16/1.0:
			return f / 8
		case wave < 16/4.0:
			return f
		}
		s := (16/wave - 1) / 3
		return (1-s)*f/8 + s*f
	}
	linear := llama()
	linear.frequency = func(i int) float64 { return math.Pow(10000, -float64(i)/4) / 4 }
	halves, brain, whole := llama(), llama(), llama()
	halfGPT, wholeGPT := gpt2(), gpt2()
	exact := gpt2()
	exact.act = gelu
	root := gpt2()
	root.rms, root.epsilon, root.act, root.head = true, 1e-3, gelu, "lm_head"
	relu := gpt2()
	relu.act = func(x float64) float64 { return max(x, 0) }
	serial := neox()
	serial.parallel = false
	first := gpt2()
	first.tokens, first.positions, first.head, first.last, first.post = "tokens_embed", "positions_embed", "tokens_embed", "", true
	first.layer = "h.%d."
	neoxBiases := "attention.query_key_value attention.dense mlp.dense_h_to_4h mlp.dense_4h_to_h"
	for _, c := range []c{
		{"Llama", untied, llama().draw("F32", false, "")},
		{"tied", tied, tiedLlama.draw("F32", false, "")},
		{"Qwen 2", strings.Replace(untied, "llama", "qwen2", 1), qwen.draw("F32", false, "self_attn.q_proj self_attn.k_proj self_attn.v_proj")},
		{"one head of keys", strings.Replace(untied, `heads":2`, `heads":1`, 1), one.draw("F32", false, "")},
		{"wide heads", strings.Replace(untied, "{", `{"head_dim":12,"rope_theta":500000,`, 1), wide.draw("F32", false, "")},
		{"llama3", strings.Replace(untied, "{", `{"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":16},`, 1), stretched.draw("F32", false, "")},
		{"linear", strings.Replace(untied, "{", `{"rope_scaling":{"type":"linear","factor":4},`, 1), linear.draw("F32", false, "")},
		{"float16", untied, halves.draw("F16", false, "")},
		{"bfloat16", untied, brain.draw("BF16", false, "")},
		{"int8", untied, whole.draw("I8", false, "self_attn.q_proj")},
		{"GPT-2", `{"n_head":4}`, gpt2().draw("F32", true, gpt2Biases)},
		{"GPT-2, float16", `{"model_type":"gpt2","n_head":4}`, halfGPT.draw("F16", true, gpt2Biases)},
		{"GPT-2, int8", `{"model_type":"gpt2","n_head":4}`, wholeGPT.draw("I8", false, gpt2Biases)},
		{"nanoGPT", `{"n_head":4,"block_size":24,"bias":true}`, exact.draw("F32", false, gpt2Biases)},
		{"GPT-2 with RMSNorm", `{"model_type":"gpt2","n_head":4,"activation_function":"gelu","rms_norm_eps":1e-3}`, root.draw("I8", false, gpt2Biases)},
		{"ReLU", `{"n_head":4,"activation_function":"relu"}`, relu.draw("F32", true, gpt2Biases)},
		{"GPT-NeoX", `{"model_type":"gpt_neox","num_attention_heads":4,"max_position_embeddings":24,"rotary_pct":0.25}`, neox().draw("F32", false, neoxBiases)},
		{"GPT-NeoX, in series", `{"num_attention_heads":4,"max_position_embeddings":24,"use_parallel_residual":false}`, serial.draw("F32", false, neoxBiases)},
		{"GPT-1", `{"model_type":"openai-gpt","n_head":4}`, first.draw("F32", true, gpt2Biases)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, keeps, err := Open(c.m.w.file(), Options{Config: []byte(c.config)})
			require.NoError(t, err)
			require.True(t, keeps)
			assert.Equal(t, 24, g.Info().Context)
			// In one run, then one by one, to the end of the context.
			prompt := []int32{3, 14, 15, 9, 26}
			require.NoError(t, g.Start(prompt, Sampling{}))
			tokens := prompt
			for {
				near(t, c.m.logits(tokens), g.last, "after %d tokens", len(tokens))
				token, ok, err := g.Next()
				require.NoError(t, err)
				if !ok {
					break
				}
				if tokens = append(tokens, token); len(tokens) <= 24 {
					require.NoError(t, g.run([]int32{token}))
					g.pending, g.ready = -1, true
				} else {
					break
				}
			}
			assert.Len(t, tokens, 25)
			// A text is the same whatever was written before.
			assert.Equal(t, tokens[5:], written(t, g, prompt, 99, Sampling{}))
			g.Release()
		})
	}
}

func near(t *testing.T, want []float64, got []float32, format string, args ...any) {
	require.Len(t, got, len(want))
	scale, worst := 0.0, 0.0
	for i, v := range want {
		scale, worst = max(scale, math.Abs(v)), max(worst, math.Abs(v-float64(got[i])))
	}
	require.LessOrEqual(t, worst, 1e-5*scale, append([]any{format}, args...)...)
}
