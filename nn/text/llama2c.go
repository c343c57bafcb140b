package text

import (
	"encoding/binary"
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/safetensors"
)

// Files of llama2.c. Version 0 has seven numbers and float32 weights, layer after layer of each kind; version
// 1 has a header of 256 bytes with a magic number and float32 weights; in version 2 matrices are int8 with a
// float32 scale for each group of so many elements, "Q8_0".

const llama2cMagic = 0x616b3432

type llama2c struct {
	version                                            int
	dim, hidden, layers, heads, kv, vocabulary, length int
	shared                                             bool // the head is the embeddings
	group                                              int  // of version 2
	header                                             int  // bytes
}

func int32At(file []byte, i int) int { return int(int32(binary.LittleEndian.Uint32(file[4*i:]))) }

// llama2cHeader reads the numbers that a file begins with.
func llama2cHeader(file []byte) (h llama2c, ok bool) {
	if len(file) < 28 {
		return h, false
	}
	at := 0
	if int32At(file, 0) == llama2cMagic {
		if len(file) < 256 {
			return h, false
		}
		h.version, at = int32At(file, 1), 2
	}
	for i, p := range [...]*int{&h.dim, &h.hidden, &h.layers, &h.heads, &h.kv, &h.vocabulary, &h.length} {
		*p = int32At(file, at+i)
	}
	h.header, h.shared = 28, h.vocabulary > 0
	if at > 0 {
		h.header, h.shared = 256, file[36] != 0
		if h.version == 2 {
			h.group = int(int32(binary.LittleEndian.Uint32(file[37:])))
		}
	} else if h.vocabulary < 0 {
		h.vocabulary = -h.vocabulary
	}
	const most = 1 << 24
	for _, v := range [...]int{h.dim, h.hidden, h.layers, h.heads, h.kv, h.vocabulary, h.length} {
		if v < 1 || v > most {
			return h, false
		}
	}
	return h, h.dim%h.heads == 0 && h.heads%h.kv == 0 && h.dim/h.heads%2 == 0 && (h.version != 2 || h.group > 0 && h.dim%h.group == 0)
}

// elements are those of norms and of matrices.
func (h *llama2c) elements() (norms, matrices float64) {
	d, kv := float64(h.dim), float64(h.kv*(h.dim/h.heads))
	norms = float64(2*h.layers+1) * d
	matrices = float64(h.layers)*(2*d*d+2*d*kv+3*d*float64(h.hidden)) + float64(h.vocabulary)*d
	if !h.shared {
		matrices += float64(h.vocabulary) * d
	}
	return norms, matrices
}

// bytes is how long the file has to be.
func (h *llama2c) bytes() float64 {
	norms, matrices := h.elements()
	switch h.version {
	case 0:
		return 28 + 4*(norms+matrices+float64(h.length*(h.dim/h.heads)))
	case 1:
		return 256 + 4*(norms+matrices)
	}
	return 256 + 4*norms + matrices + 4*matrices/float64(h.group)
}

// isLlama2c says whether a file is one: by its magic number, or, of version 0, which has none, by
// its length.
func isLlama2c(file []byte) bool {
	h, ok := llama2cHeader(file)
	return len(file) >= 256 && int32At(file, 0) == llama2cMagic || ok && h.bytes() == float64(len(file))
}

// readLlama2c makes a decoder of a file, which keeps the file's memory, or copies of weights that are
// stored in another type.
func readLlama2c(file []byte, own bool) (d *decoder, keeps bool, err error) {
	h, ok := llama2cHeader(file)
	switch {
	case h.version < 0 || h.version > 2:
		return nil, false, &ir.UnsupportedError{Missing: []string{text.Join("version ", h.version, " of llama2.c's files")}}
	case !ok:
		return nil, false, ir.Load("text: llama2.c's header has dim ", h.dim, ", hidden_dim ", h.hidden, ", n_layers ", h.layers, ", n_heads ", h.heads, ", n_kv_heads ", h.kv, ", vocab_size ", h.vocabulary, ", seq_len ", h.length, ": no network can have these")
	case h.bytes() != float64(len(file)):
		return nil, false, ir.Load("text: llama2.c's header asks for a file of ", h.bytes(), " bytes, and this one has ", len(file))
	}
	r := &llama2cReader{llama2c: h, file: file, at: h.header, out: &safetensors.File{Tensors: map[string]*ir.Tensor{}}}
	b := &builder{store: &store{r.out, "", map[string]bool{}}, family: &families[0], width: h.dim, own: own}
	if h.version == 2 {
		// All of it, so that the file is not needed any more.
		norms, matrices := h.elements()
		if r.wide, err = slab.Take(4*int(norms+matrices), false); err != nil {
			return nil, false, err
		}
		b.memory, b.own = [][]byte{r.wide}, true
	}
	size := h.dim / h.heads
	kv := h.kv * size
	type part struct {
		name   string
		in, to int // of a matrix; 0 of a norm
	}
	norms := []part{{"input_layernorm", 0, h.dim}, {"post_attention_layernorm", 0, h.dim}}
	first := []part{{"self_attn.q_proj", h.dim, h.dim}, {"self_attn.k_proj", h.dim, kv}, {"self_attn.v_proj", h.dim, kv}, {"self_attn.o_proj", h.dim, h.dim}}
	second := []part{{"mlp.gate_proj", h.dim, h.hidden}, {"mlp.down_proj", h.hidden, h.dim}, {"mlp.up_proj", h.dim, h.hidden}}
	all := func(list ...part) {
		for _, p := range list {
			for n := range h.layers {
				r.tensor(text.Join("layers.", n, ".", p.name, ".weight"), p.in, p.to)
			}
		}
	}
	switch h.version {
	case 0:
		r.tensor("embed_tokens.weight", h.dim, h.vocabulary)
		all(norms[0])
		all(first...)
		all(norms[1])
		all(second...)
		r.tensor("norm.weight", 0, h.dim)
		r.at += 4 * h.length * size // tables of angles
	case 1:
		all(norms...)
		r.tensor("norm.weight", 0, h.dim)
		r.tensor("embed_tokens.weight", h.dim, h.vocabulary)
		all(first...)
		all(second...)
	default:
		all(norms...)
		r.tensor("norm.weight", 0, h.dim)
		r.tensor("embed_tokens.weight", h.dim, h.vocabulary)
		all(first...)
		all(second...)
	}
	if !h.shared {
		r.tensor("lm_head.weight", h.dim, h.vocabulary)
	}
	b.config = &Config{Heads: h.heads, KeyValueHeads: h.kv, HeadSize: size, Context: h.length, RMS: true, Epsilon: 1e-5, Activation: "silu",
		Rotary: size, Interleaved: true, Begin: 1, End: []int32{1, 2}}
	b.config.frequencies(10000)
	d, err = b.assemble(h.layers, h.vocabulary, h.shared, h.shared)
	return d, h.version != 2, err
}

// llama2cReader takes tensors off a file, whose length is right.
type llama2cReader struct {
	llama2c
	file []byte
	at   int
	wide []byte // of version 2: memory for what is left, as float32
	out  *safetensors.File
}

// tensor is the next one: a matrix of rows with in elements, or a vector.
func (r *llama2cReader) tensor(name string, in, rows int) {
	t := &ir.Tensor{Type: ir.Float32, Dims: []int{rows, in}}
	if in == 0 {
		t.Dims = []int{rows}
	}
	n := t.Len()
	if r.version == 2 {
		t.Data, r.wide = r.wide[:4*n:4*n], r.wide[4*n:]
	}
	switch {
	case r.version == 2 && in > 0:
		// The module's products have a scale for each row at most.
		y := t.Float32s()
		for i := range y {
			scale := math.Float32frombits(binary.LittleEndian.Uint32(r.file[r.at+n+i/r.group*4:]))
			y[i] = float32(int8(r.file[r.at+i])) * scale
		}
		r.at += n + 4*(n/r.group)
	case r.version == 2:
		r.at += copy(t.Data, r.file[r.at:])
	default:
		t.Data = r.file[r.at : r.at+4*n : r.at+4*n]
		r.at += 4 * n
	}
	r.out.Names = append(r.out.Names, name)
	r.out.Tensors[name] = t
}
