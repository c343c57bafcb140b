package bridge

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
)

func corpus(t *testing.T, b *Bridge, name string) Handle {
	t.Helper()
	file, err := os.ReadFile("../../nn/onnx/testdata/corpus/seed-" + name + ".onnx")
	require.NoError(t, err)
	s, err := b.Open(load(t, b, file), -1, graph.Options{})
	require.NoError(t, err)
	return s
}

// Sequences and optional values begin with a count on the frame, in both directions. Counts that are none are refused.
func TestListsByTheFrame(t *testing.T) {
	b := New()
	s := corpus(t, b, "lists")
	d, err := b.Describe(s)
	require.NoError(t, err)
	require.Equal(t, "sequence", d.Inputs[1].Form.String())
	x := []int{2, 2, 4, 0}
	for _, c := range []struct {
		given, may []int
		want       int
	}{
		{[]int{2, 2, 1, 4, 0, 2, 3, 4, 0}, append([]int{graph.One}, x...), 3},
		{[]int{0}, []int{graph.Nothing}, 1},
		{[]int{1, 1, 5, 0}, []int{graph.Nothing}, 2},
	} {
		frame(b, x, c.given, c.may)
		require.NoError(t, b.PrepareFrame(s))
		require.NoError(t, b.ExecFrame(s))
		assert.EqualValues(t, c.want, b.Frame()[0], "the first output is a sequence of so many")
		assert.EqualValues(t, 1, b.Frame()[1], "of float32")
	}
	for name, given := range map[string][]int{
		"one tensor, want a sequence":          append([]int{graph.One}, x...),
		"\"given\" is missing":                 {graph.Nothing},
		"\"given\" has a negative number":      {-3},
		"has -2 dimensions, want at most":      {1 << 20},
		"has 1048576 dimensions, want at most": {1, 1 << 20},
	} {
		for i := range b.Frame() {
			b.Frame()[i] = 0
		}
		frame(b, x, given, []int{graph.Nothing})
		require.ErrorContains(t, b.PrepareFrame(s), name)
	}
	require.NoError(t, b.Release(s))
}

// A run in parts pauses where a while has passed, gives the same in the end, and can be stopped. Meanwhile its session takes nothing else.
func TestExecPart(t *testing.T) {
	b := New()
	s, other := corpus(t, b, "loops"), corpus(t, b, "lists")
	prepare := func() {
		t.Helper()
		frame(b, []int{2, 3, 4, 0})
		require.NoError(t, b.PrepareFrame(s))
	}
	prepare()
	require.NoError(t, b.ExecFrame(s))
	plain := append([]int32{}, b.Frame()[:4]...)

	now := 0.0
	clock := func() float64 { now += 10; return now } // a part has three trips
	prepare()
	parts := 0
	for more := true; more; parts++ {
		list, m, err := b.ExecPart(s, false, clock)
		require.NoError(t, err)
		if more = m; !more {
			require.NoError(t, b.ResultsFrame(s, list))
			break
		}
		assert.Equal(t, Invalid, status(t, b, b.PrepareFrame(s)))
		assert.Equal(t, Invalid, status(t, b, b.ExecFrame(s)))
		assert.Equal(t, Invalid, status(t, b, b.StateFrame(s, -1)))
		frame(b, []int{2, 1, 4, 0}, []int{0}, []int{graph.Nothing})
		require.NoError(t, b.PrepareFrame(other))
		require.NoError(t, b.ExecFrame(other))
	}
	assert.Greater(t, parts, 1)
	assert.Equal(t, plain, b.Frame()[:4])

	prepare()
	_, more, err := b.ExecPart(s, false, clock)
	require.NoError(t, err)
	require.True(t, more)
	_, more, err = b.ExecPart(s, true, clock)
	assert.False(t, more)
	assert.ErrorContains(t, err, "the run was stopped")
	prepare()
	require.NoError(t, b.ExecFrame(s))

	prepare()
	_, more, err = b.ExecPart(s, false, clock)
	require.NoError(t, err)
	require.True(t, more)
	require.NoError(t, b.Release(s), "ends it")
	_, _, err = b.ExecPart(s, false, clock)
	assert.Equal(t, Disposed, status(t, b, err))
	require.NoError(t, b.Release(other))
	assert.Zero(t, b.Memory().InUse)
}
