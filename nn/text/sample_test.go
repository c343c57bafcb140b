package text

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The reference implementation's own demonstration: pcg32_srandom(42, 54).
func TestRandomNumbersAreThoseOfPCG(t *testing.T) {
	p := pcg{}
	p.state = 0
	step := func() uint32 { // with the demonstration's stream
		old := p.state
		p.state = old*pcgFactor + (54<<1 | 1)
		x, r := uint32((old>>18^old)>>27), uint32(old>>59)
		return x>>r | x<<(-r&31)
	}
	step()
	p.state += 42
	step()
	assert.Equal(t, []uint32{0xa15c02b7, 0x7b47f409, 0xba1d3330}, []uint32{step(), step(), step()})
	// Ours differs in the stream alone.
	var q, r pcg
	q.seed(7)
	r.state = 0
	r.state = r.state*pcgFactor + pcgStream
	r.state += 7
	r.state = r.state*pcgFactor + pcgStream
	assert.Equal(t, r.state, q.state)
	for range 1000 {
		v := q.float64()
		require.True(t, v >= 0 && v < 1)
	}
}

// kept is the definition: which tokens may be chosen, and with which probability.
func kept(logits []float32, o Sampling) map[int32]float64 {
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	if o.TopK > 0 {
		order = order[:min(o.TopK, len(order))]
	}
	sum := 0.0
	for _, i := range order {
		sum += math.Exp(float64(logits[i]-logits[order[0]]) / o.Temperature)
	}
	p, total := map[int32]float64{}, 0.0
	for _, i := range order {
		p[i] = math.Exp(float64(logits[i]-logits[order[0]])/o.Temperature) / sum
		if total += p[i]; o.TopP > 0 && total >= o.TopP {
			break
		}
	}
	for i := range p {
		p[i] /= total
	}
	return p
}

func TestSamplingFollowsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 60)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 2)
	}
	logits[7] = logits[3]
	for _, o := range []Sampling{
		{Temperature: 1}, {Temperature: 0.5, TopK: 5}, {Temperature: 2, TopP: 0.6}, {Temperature: 1, TopK: 10, TopP: 0.7},
		{Temperature: 1.3, TopK: 60, TopP: 1}, {Temperature: 1, TopK: 1}, {Temperature: 1, TopP: 1e-9}, {Temperature: 0.1, TopP: 0.999, TopK: 1000},
	} {
		want := kept(logits, o)
		var s sampler
		s.start(o)
		const draws = 10000
		seen := map[int32]int{}
		for range draws {
			token, err := s.next(logits)
			require.NoError(t, err)
			seen[token]++
		}
		for token := range seen {
			require.Contains(t, want, token, "%+v", o)
		}
		for token, p := range want {
			sigma := math.Sqrt(p * (1 - p) / draws)
			assert.InDelta(t, p, float64(seen[token])/draws, 5*sigma+1e-9, "%+v: token %d", o, token)
		}
		// The same seed, the same tokens; another seed, others.
		var again, other sampler
		again.start(o)
		s.start(o)
		o.Seed = 1
		other.start(o)
		differ := false
		for range 50 {
			a, _ := s.next(logits)
			b, _ := again.next(logits)
			c, _ := other.next(logits)
			require.Equal(t, a, b)
			differ = differ || a != c
		}
		assert.Equal(t, len(want) > 1, differ)
	}
}

func TestSamplingAtTheEdges(t *testing.T) {
	var s sampler
	s.start(Sampling{})
	token, err := s.next([]float32{1, 3, 3, 2})
	require.NoError(t, err)
	assert.Equal(t, int32(1), token, "greedy takes the first of equal ones")
	_, err = s.next([]float32{1, float32(math.NaN())})
	assert.ErrorContains(t, err, "token 1 is NaN")
	inf := float32(math.Inf(1))
	s.start(Sampling{Temperature: 1})
	token, err = s.next([]float32{1, inf, 2})
	require.NoError(t, err)
	assert.Equal(t, int32(1), token)
	for range 100 { // what a model forbids is never chosen
		token, err = s.next([]float32{-inf, 0, -inf, 0})
		require.NoError(t, err)
		assert.Contains(t, []int32{1, 3}, token)
	}
	s.start(Sampling{Temperature: 1e-300})
	token, err = s.next([]float32{1, 2, 1.5})
	require.NoError(t, err)
	assert.Equal(t, int32(1), token)
	for _, o := range []Sampling{{Temperature: -1}, {Temperature: math.NaN()}, {Temperature: math.Inf(1)}, {TopK: -1}, {TopP: 1.5}, {TopP: -0.1}, {TopP: math.NaN()}} {
		assert.Error(t, o.check(), "%+v", o)
	}
	assert.ErrorContains(t, (&Sampling{Temperature: -1}).check(), "temperature is -1")
	logits := make([]float32, 3000)
	s.start(Sampling{Temperature: 1, TopK: 40, TopP: 0.9})
	s.next(logits)
	assert.Zero(t, testing.AllocsPerRun(20, func() { s.next(logits) }))
}
