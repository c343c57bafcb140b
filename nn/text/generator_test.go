package text

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
)

// shared reads a file of the folder of data beside the repository; without it the test skips.
func shared(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "models", name))
	if os.IsNotExist(err) {
		t.Skip("there is no ", name, " beside the repository")
	}
	require.NoError(t, err)
	return append(slab.New(len(b))[:0], b...)
}

// written takes n tokens, or as many as there are.
func written(t testing.TB, g *Generator, prompt []int32, n int, s Sampling) (list []int32) {
	require.NoError(t, g.Start(prompt, s))
	for len(list) < n {
		token, ok, err := g.Next()
		require.NoError(t, err)
		if !ok {
			break
		}
		list = append(list, token)
	}
	return list
}

type goldenRuns struct {
	Runs []struct {
		Prompt       string
		PromptTokens []int32
		Tokens       []int32
		Text         string
	}
}

func TestStoriesAreTheGoldenOnes(t *testing.T) {
	var golden goldenRuns
	require.NoError(t, json.Unmarshal(shared(t, "stories260k/greedy-expected.json"), &golden))
	g, keeps, err := Open(shared(t, "stories260k/stories260K.bin"), Options{})
	require.NoError(t, err)
	assert.True(t, keeps)
	assert.Equal(t, Info{Context: 512, Vocabulary: 512, Begin: 1, End: []int32{1, 2}, Ops: g.Info().Ops}, g.Info())
	for _, run := range golden.Runs {
		got := written(t, g, run.PromptTokens, len(run.Tokens)-len(run.PromptTokens), Sampling{})
		assert.Equal(t, run.Tokens[len(run.PromptTokens):], got, run.Prompt)
	}
	g.Release()
}

func BenchmarkStories(b *testing.B) {
	g, _, err := Open(shared(b, "stories260k/stories260K.bin"), Options{})
	require.NoError(b, err)
	b.ReportAllocs()
	for range b.N {
		require.NoError(b, g.Start([]int32{1}, Sampling{}))
		for range 200 {
			_, _, err := g.Next()
			require.NoError(b, err)
		}
	}
	b.ReportMetric(float64(b.N)*200/b.Elapsed().Seconds(), "tokens/s")
}

// Tokens that the model does not have and prompts longer than its context are refused with the numbers; texts before and after are the same.
func TestPromptsThatDoNotFit(t *testing.T) {
	m := llama().draw("F32", false, "")
	config := `{"model_type":"llama","num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":24,"rms_norm_eps":1e-5,"tie_word_embeddings":false}`
	g, _, err := Open(m.w.file(), Options{Config: []byte(config)})
	require.NoError(t, err)
	before := written(t, g, []int32{3, 14}, 9, Sampling{})
	for want, prompt := range map[string][]int32{
		"text: the prompt has 25 tokens, and the model's context 24":                              make([]int32, 25),
		"text: token 1 of the prompt is 50, and the model has 50":                                 {49, 50},
		"text: token 0 of the prompt is -1, and the model has 50":                                 {-1},
		"text: token 2 of the prompt is 2147483647, and the model has 50":                         {1, 2, 1<<31 - 1},
		"text: the prompt has no tokens; where there is none it is the one that texts begin with": {},
	} {
		require.EqualError(t, g.Start(prompt, Sampling{}), want)
		_, _, err := g.Next()
		require.EqualError(t, err, "text: Next came before a Start that succeeded")
		require.Equal(t, before, written(t, g, []int32{3, 14}, 9, Sampling{}))
	}
	// A prompt as long as the context leaves room for one token.
	require.Len(t, written(t, g, make([]int32, 24), 9, Sampling{}), 1)
	g.Release()
}
