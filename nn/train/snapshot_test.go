package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSnapshot(t *testing.T) {
	for _, optimizer := range []Optimizer{{Type: "sgd", LearningRate: 0.1}, sgd, {Type: "adamw", LearningRate: 0.01, WeightDecay: 0.1}} {
		o := Options{Optimizer: optimizer, Schedule: Schedule{Warmup: 3, Decay: "cosine", Steps: 20}, Clip: 1, Seed: 1}
		tr := made(t, o)
		run := func(tr *Trainer, from, to int) {
			for i := from; i < to; i++ {
				_, err := tr.Step(batchFor(tr, 4, uint64(i)))
				require.NoError(t, err)
			}
		}
		run(tr, 0, 6)
		s := tr.Snapshot()
		run(tr, 6, 12)

		o.Seed = 2
		other := made(t, o)
		run(other, 0, 2)
		require.NoError(t, other.Restore(s))
		require.Equal(t, 6, other.Steps())
		run(other, 6, 12)
		require.Equal(t, values(tr), values(other), "it went on to the bit, dropout too")
		require.NoError(t, tr.Restore(s), "the copy did not move")
		run(tr, 6, 12)
		require.Equal(t, values(other), values(tr))
	}
}

func TestSnapshotOfAnother(t *testing.T) {
	tr := made(t, Options{})
	before := values(tr)
	change := func(f func(s *Snapshot)) *Snapshot {
		s := tr.Snapshot()
		f(s)
		return s
	}
	for text, s := range map[string]*Snapshot{
		`train: the state's tensor "0.weight" is [5 2 3 3] with 90 elements, want [4 2 3 3]`:               made(t, Options{Input: []int{2, 6, 6}, Model: []Spec{{Type: "conv2d", Filters: 5, Kernel: 3}, {Type: "flatten"}, {Type: "linear", Units: 3}}}).Snapshot(),
		`train: the state has no tensor "momentum.0.weight", which this network has as [4 2 3 3]`:          made(t, Options{Optimizer: Optimizer{Type: "sgd"}}).Snapshot(),
		`train: the state has a tensor "square.0.weight", which this network does not have`:                made(t, Options{Optimizer: Optimizer{Type: "adamw"}}).Snapshot(),
		`train: the state has no tensor "6.bias", which this network has as [3]`:                           change(func(s *Snapshot) { s.Tensors[5].Name = "6.shift" }),
		`train: the state's tensor "6.bias" is [3] with 2 elements, want [3]`:                              change(func(s *Snapshot) { s.Tensors[5].Data = s.Tensors[5].Data[:2] }),
		`train: the state has a tensor twice`:                                                              change(func(s *Snapshot) { s.Tensors = append(s.Tensors, s.Tensors[0]) }),
		`train: the state has made 0 steps and counts the batches of 0 batchNorms, and this network has 1`: change(func(s *Snapshot) { s.Batches = nil }),
	} {
		require.EqualError(t, tr.Restore(s), text)
		require.Equal(t, before, values(tr))
	}
}
