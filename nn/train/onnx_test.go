package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
)

// Each network gives the same outputs when it is read from the file that it wrote.
func TestONNX(t *testing.T) {
	list := map[string]Options{
		"regularized":   small(Options{}),
		"instance norm": {Input: []int{4, 6}, Model: []Spec{{Type: "instanceNorm"}, {Type: "noise", Std: 1}, {Type: "linear", Units: 3}}},
		"group norm":    {Input: []int{6}, Model: []Spec{{Type: "groupNorm", Groups: 2}, {Type: "linear", Units: 3}}},
		"nothing":       {Input: []int{6}, Model: []Spec{{Type: "dropout", Rate: 0.5}}},
		"a batchNorm without parameters": {Input: []int{2, 3, 4}, Model: []Spec{{Type: "batchNorm", NoAffine: true, Preset: "keras"}, {Type: "rmsNorm"}, {Type: "layerNorm", NoAffine: true},
			{Type: "averagePool2d", Size: 2, Stride: 1}, {Type: "flatten"}}},
	}
	for name, o := range networks {
		list[name] = o
	}
	for name, o := range list {
		t.Run(name, func(t *testing.T) {
			o.Loss, o.Optimizer = "crossEntropy", Optimizer{Type: "adamw", LearningRate: 0.01}
			tr, err := New(o)
			require.NoError(t, err)
			stir(tr)
			for i := range 8 {
				_, err := tr.Step(batchFor(tr, 5, uint64(i)))
				require.NoError(t, err)
			}
			file, err := tr.ONNX(false)
			require.NoError(t, err)
			for _, level := range []string{"all", "none"} {
				for _, n := range []int{1, 3} {
					b := batchFor(tr, n, 21)
					want, err := tr.Evaluate(b, false)
					require.NoError(t, err)
					got := infer(t, file, level, tr, &b)
					require.Len(t, got, len(want.Outputs))
					for i, w := range want.Outputs {
						require.LessOrEqual(t, math.Abs(float64(got[i]-w)), 1e-5*(1+math.Abs(float64(w))), "output %d: %g, want %g", i, got[i], w)
					}
				}
			}
		})
	}
}

// With intermediates a model shows what Evaluate leaves in each layer.
func TestONNXIntermediates(t *testing.T) {
	o := networks["transformer"]
	o.Loss, o.Optimizer = "crossEntropy", Optimizer{Type: "sgd", LearningRate: 0.01}
	tr, err := New(o)
	require.NoError(t, err)
	_, err = tr.ONNX(true)
	require.EqualError(t, err, "train: the network is untrained, it has made 0 steps: what would be exported are random numbers")
	b := batchFor(tr, 2, 1)
	_, err = tr.Step(b)
	require.NoError(t, err)
	file, err := tr.ONNX(true)
	require.NoError(t, err)
	_, err = tr.Evaluate(b, false)
	require.NoError(t, err)
	g, err := onnx.Read(append(slab.New(0), file...))
	require.NoError(t, err)
	s, err := graph.NewSession(g, graph.Options{})
	require.NoError(t, err)
	defer s.Release()
	run, err := s.Prepare([][]int{b.of(tr.options.Input)})
	require.NoError(t, err)
	for i, v := range b.Tokens {
		run.In(0).Int64s()[i] = int64(v)
	}
	require.NoError(t, run.Exec())
	shown := map[string]int{}
	for i, out := range s.Outputs() {
		shown[out.Name] = i
	}
	heads := 0
	for _, n := range tr.all {
		require.Contains(t, shown, n.name())
		for i, want := range n.y {
			require.InDelta(t, want, run.Out(shown[n.name()]).Float32s()[i], 1e-5*(1+math.Abs(float64(want))))
		}
		if n.kind == "attention" {
			heads++
			p := run.Out(shown[n.path+" attention probabilities"])
			require.Len(t, p.Dims, 4)
			require.Equal(t, p.Dims[2], p.Dims[3])
			for row := 0; row < len(p.Float32s()); row += p.Dims[3] {
				sum := 0.0
				for _, v := range p.Float32s()[row : row+p.Dims[3]] {
					sum += float64(v)
				}
				require.InDelta(t, 1, sum, 1e-5)
			}
		}
	}
	require.Len(t, shown, 1+len(tr.all)+heads)
	require.NotZero(t, heads)
}

// infer runs a model with this package's neighbours.
func infer(t *testing.T, file []byte, level string, tr *Trainer, b *Batch) []float32 {
	owned := slab.New(len(file))
	copy(owned, file)
	g, err := onnx.Read(owned)
	require.NoError(t, err)
	require.Equal(t, append([]int{-1}, tr.out...), sizes(g.Outputs[0]))
	s, err := graph.NewSession(g, graph.Options{Optimize: level})
	require.NoError(t, err)
	defer s.Release()
	run, err := s.Prepare([][]int{b.of(tr.options.Input)})
	require.NoError(t, err)
	if tr.first != nil {
		for i, v := range b.Tokens {
			run.In(0).Int64s()[i] = int64(v)
		}
	} else {
		copy(run.In(0).Float32s(), b.X)
	}
	require.NoError(t, run.Exec())
	return append([]float32(nil), run.Out(0).Float32s()...)
}

func sizes(v *ir.Value) (list []int) {
	for _, d := range v.Dims {
		list = append(list, d.Size)
	}
	return list
}
