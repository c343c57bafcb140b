package text

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// exported writes m as llama2.c's export.py does: legacy_export (0), version1_export and version2_export, whose
// groups of weights are rounded to int8 by their largest; what is left of them m has afterwards.
func (m *model) exported(version, group int) []byte {
	shared := m.head == m.tokens
	vocabulary := int32(m.vocabulary)
	if version == 0 && !shared {
		vocabulary = -vocabulary
	}
	header := []int32{int32(m.width), int32(m.inside), int32(m.layers), int32(m.heads), int32(m.kv), vocabulary, int32(m.most)}
	var b []byte
	put := func(v any) { b, _ = binary.Append(b, binary.LittleEndian, v) }
	if version > 0 {
		put(uint32(0x616b3432))
		put(int32(version))
	}
	put(header)
	if version > 0 {
		put(shared)
		if version == 2 {
			put(int32(group))
		}
		b = append(b, make([]byte, 256-len(b))...)
	}
	floats := func(name string) {
		for _, v := range m.w.value[name+".weight"] {
			put(float32(v))
		}
	}
	matrix := func(name string) {
		value := m.w.value[name+".weight"]
		if version < 2 {
			floats(name)
			return
		}
		var scales []float32
		for at := 0; at < len(value); at += group {
			most := 0.0
			for _, v := range value[at : at+group] {
				most = max(most, math.Abs(v))
			}
			scale := float32(most / 127)
			for i, v := range value[at : at+group] {
				q := int8(math.RoundToEven(v / float64(scale)))
				put(q)
				value[at+i] = float64(q) * float64(scale)
			}
			scales = append(scales, scale)
		}
		put(scales)
	}
	each := func(write func(string), names ...string) {
		for _, name := range names {
			for l := range m.layers {
				write(fmt.Sprintf(m.layer, l) + name)
			}
		}
	}
	attention, mlp := []string{m.q, m.k, m.v, m.o}, []string{m.gate, m.down, m.up} // w1, w2, w3
	if version == 0 {
		matrix(m.tokens)
		each(floats, m.norm1)
		each(matrix, attention...)
		each(floats, m.norm2)
		each(matrix, mlp...)
		floats(m.last)
		for _, f := range []func(float64) float64{math.Cos, math.Sin} {
			for p := range m.most {
				for i := range m.size / 2 {
					put(float32(f(float64(p) * m.frequency(i))))
				}
			}
		}
	} else {
		each(floats, m.norm1, m.norm2)
		floats(m.last)
		matrix(m.tokens)
		each(matrix, append(attention, mlp...)...)
	}
	if !shared {
		matrix(m.head)
	}
	return append(slab.New(len(b))[:0], b...)
}

func TestFilesOfLlama2c(t *testing.T) {
	for _, c := range []struct {
		version, group, inside int
		tied                   bool
	}{{0, 0, 44, true}, {0, 0, 44, false}, {1, 0, 44, true}, {1, 0, 44, false}, {2, 32, 64, true}, {2, 32, 64, false}, {2, 8, 64, true}, {2, 32, 44, true}} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprint(c, own), func(t *testing.T) {
				m := llama()
				m.interleaved, m.inside = true, c.inside
				if c.tied {
					m.head = m.tokens
				}
				m.draw("F32", false, "")
				file := m.exported(c.version, c.group)
				before := append([]byte(nil), file...)
				g, keeps, err := Open(file, Options{Graph: graph.Options{Own: own}})
				require.NoError(t, err)
				assert.Equal(t, c.version < 2, keeps)
				assert.Equal(t, Info{Context: m.most, Vocabulary: m.vocabulary, Begin: 1, End: []int32{1, 2}, Ops: g.Info().Ops}, g.Info())
				if !keeps {
					clear(file) // which is not needed any more
				} else if !own {
					assert.Equal(t, before, file, "it was written over")
				}
				tokens := []int32{1, 14, 15, 9, 26}
				require.NoError(t, g.Start(tokens, Sampling{}))
				for range 4 {
					near(t, m.logits(tokens), g.last, "after %d tokens", len(tokens))
					token, ok, err := g.Next()
					require.True(t, err == nil && ok)
					tokens = append(tokens, token)
					require.NoError(t, g.run([]int32{token}))
					g.pending, g.ready = -1, true
				}
				g.Release()
			})
		}
	}
}

// Weights are in memory once where their file may be written over: what is beside it is what rows of eight leave
// over, tables of angles and what a run needs.
func TestWeightsStayWhereTheirFileHasThem(t *testing.T) {
	m := llama()
	m.width, m.size, m.heads, m.kv, m.inside, m.layers, m.vocabulary, m.rotary, m.interleaved = 128, 32, 4, 2, 344, 3, 96, 32, true
	m.frequency = func(i int) float64 { return math.Pow(10000, -float64(i)/16) }
	m.draw("F32", false, "")
	m.w.padded = true
	config := []byte(`{"model_type":"llama","num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":24,"rms_norm_eps":1e-5,"tie_word_embeddings":false}`)
	for name, file := range map[string][]byte{"safetensors": m.w.file(), "llama2.c": m.exported(1, 0)} {
		at, size := slab.Addr(file), uintptr(len(file))
		g, keeps, err := Open(file, Options{Config: config, Graph: graph.Options{Own: true}})
		require.NoError(t, err, name)
		require.True(t, keeps, name)
		assert.Less(t, g.Bytes(), len(file)/5, name)
		assert.Less(t, g.session.Weights(file), len(file)/20, name)
		assert.True(t, at == slab.Addr(file) && size > 1<<21, name)
		g.Release()
	}
}

func TestDamagedFilesOfLlama2c(t *testing.T) {
	m := llama()
	m.interleaved = true
	m.draw("F32", false, "")
	change := func(file []byte, at int, v int32) []byte {
		binary.LittleEndian.PutUint32(file[at:], uint32(v))
		return file
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"short":    {m.exported(1, 0)[:5000], "asks for a file of"},
		"heads":    {change(m.exported(1, 0), 20, 5), "n_heads 5"},
		"none":     {change(m.exported(1, 0), 16, 0), "n_layers 0"},
		"huge":     {change(m.exported(1, 0), 8, 1<<30), "dim 1073741824"},
		"groups":   {change(m.exported(2, 32), 37, 7), "no network"},
		"no group": {change(m.exported(2, 32), 37, 0), "no network"},
		"newer":    {change(m.exported(1, 0), 4, 3), "version 3"},
		"older":    {change(m.exported(1, 0), 4, -1), "version -1"},
	} {
		_, _, err := Open(c.file, Options{})
		require.Error(t, err, name)
		assert.ErrorContains(t, err, c.want, name)
		var missing *ir.UnsupportedError
		assert.Equal(t, name == "newer" || name == "older", assert.ErrorAs(new(testing.T), err, &missing), name)
	}
}
