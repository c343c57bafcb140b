package network

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/nn/train"
)

func options(layers ...train.Spec) train.Options {
	return train.Options{Input: []int{2}, Model: layers, Loss: "crossEntropy", Optimizer: train.Optimizer{Type: "sgd", LearningRate: 0.1}}
}

func status(t *testing.T, err error) bridge.Status {
	t.Helper()
	require.Error(t, err)
	s, message := bridge.Classify(err)
	require.Equal(t, err.Error(), message)
	return s
}

func TestErrors(t *testing.T) {
	b := bridge.New()
	_, err := New(b, options(train.Spec{Type: "gru", Units: 3}))
	require.Equal(t, bridge.BadShape, status(t, err))
	_, err = New(b, options(train.Spec{Type: "rnn"}))
	require.Equal(t, bridge.Invalid, status(t, err))

	h, err := New(b, options(train.Spec{Type: "batchNorm"}, train.Spec{Type: "linear", Units: 2}))
	require.NoError(t, err)
	n, err := Get(b, h)
	require.NoError(t, err)
	require.True(t, n.Labels())
	require.False(t, n.Tokens())

	one := train.Batch{N: 1, X: []float32{1, 2}, Labels: []int32{0}}
	_, err = n.Step(one)
	require.Equal(t, bridge.Invalid, status(t, Fail(err)), "one value a channel: %v", err)
	require.Contains(t, Fail(err).Error(), "train: layer 0 batchNorm: norm: ")
	_, err = n.Step(train.Batch{N: 2, X: []float32{1, 2, 3, float32(math.Inf(1))}, Labels: []int32{0, 1}})
	require.Equal(t, bridge.NotFinite, status(t, Fail(err)))
	require.Equal(t, bridge.Invalid, status(t, n.Settle()))
	require.Equal(t, bridge.BadShape, status(t, n.Gather(train.Batch{N: 3}, true)))
	require.Equal(t, bridge.Invalid, status(t, n.Settle()), "what failed gathered nothing")

	two := train.Batch{N: 2, X: []float32{1, 2, 3, 5}, Labels: []int32{0, 1}}
	require.NoError(t, n.Gather(two, false))
	require.NoError(t, n.Settle())
	require.NoError(t, Fail(nil))

	other, err := b.Alloc(4)
	require.NoError(t, err)
	_, err = Get(b, other)
	require.Equal(t, bridge.Invalid, status(t, err))
	require.NoError(t, b.Free(other))
	require.NoError(t, Release(b, h))
	require.Equal(t, bridge.Disposed, status(t, Release(b, h)))
	_, err = Get(b, h)
	require.Equal(t, bridge.Disposed, status(t, err))
}

// A batch's memory is used again.
func TestRoom(t *testing.T) {
	n := &Network{}
	a := n.Room(0, 64)
	require.Same(t, &a[0], &n.Room(0, 32)[0])
	require.Len(t, n.Room(0, 32), 32)
	require.NotSame(t, &a[0], &n.Room(1, 64)[0])
	require.Len(t, n.Room(0, 128), 128)
}
