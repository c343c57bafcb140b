package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Any description of a network is either an error or a network that makes steps, whose
// state goes back into itself and which writes itself as a model. Small sizes, so that
// memory is not what is tested.
func FuzzNetwork(f *testing.F) {
	f.Add([]byte{3, 1, 8, 8, 0, 0, 4, 3, 1, 0, 0, 3, 13, 18, 2, 21, 1, 9, 1, 3}, uint8(4))
	f.Add([]byte{1, 6, 2, 5, 8, 3, 22, 2, 6, 0, 3, 2, 1, 1, 7, 1, 4}, uint8(3))
	f.Add([]byte{2, 5, 4, 4, 3, 5, 1, 2}, uint8(1))
	types := []string{"conv2d", "linear", "embedding", "attention", "gru", "batchNorm", "layerNorm", "rmsNorm", "instanceNorm", "groupNorm", "dynamicTanh", "noise", "dropout",
		"relu", "gelu", "silu", "tanh", "sigmoid", "maxPool2d", "averagePool2d", "globalAveragePool", "flatten", "residual", "none"}
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			v := int(int8(data[0]))
			data = data[1:]
			return v
		}
		o := Options{Loss: "crossEntropy", Optimizer: Optimizer{Type: []string{"sgd", "adamw"}[next()&1], LearningRate: 0.01, Momentum: 0.5}}
		for range next() & 3 {
			o.Input = append(o.Input, next()%16)
		}
		if next()&1 == 1 {
			o.Loss = "meanSquaredError"
		}
		var layers func(depth int) []Spec
		layers = func(depth int) (list []Spec) {
			for range next() & 7 {
				s := Spec{Type: types[uint(next())%uint(len(types))]}
				v, w := next()%20, next()%5
				s.Filters, s.Units, s.Vocabulary, s.Width, s.Size, s.Groups = v, v, v, v, w, w
				s.Kernel, s.Stride, s.Heads, s.Positions = w, next()%4, w, next()%20
				s.Padding, s.Preset = []string{"", "same", "valid", "?"}[next()&3], []string{"", "onnx", "keras", "?"}[next()&3]
				s.NoBias, s.NoAffine, s.Causal, s.Cumulative = v&1 == 1, v&2 == 2, v&1 == 0, w&1 == 0
				s.Rate, s.Std, s.Mean = float64(w)/4, float64(v)/8, float64(v)
				if s.Type == "residual" && depth < 2 {
					s.Body = layers(depth + 1)
				}
				list = append(list, s)
			}
			return list
		}
		o.Model = layers(0)
		tr, err := New(o)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		b := Batch{N: int(n % 5)}
		in, out := b.N*elements(o.Input), b.N*elements(tr.OutShape())
		if tr.first != nil {
			for i := range in {
				b.Tokens = append(b.Tokens, int32(i%tr.first.vocabulary))
			}
		} else {
			for i := range in {
				b.X = append(b.X, float32(math.Sin(float64(i))))
			}
		}
		if o.Loss == "crossEntropy" {
			for i := range out / tr.classes {
				b.Labels = append(b.Labels, int32(i%tr.classes))
			}
		} else {
			b.Targets = make([]float32, out)
		}
		before := values(tr)
		for range 2 {
			if _, err := tr.Step(b); err != nil {
				require.NotEmpty(t, err.Error())
				require.Equal(t, before, values(tr), "a step that failed changed something: %v", err)
				return
			}
			before = values(tr)
		}
		require.NoError(t, tr.Restore(tr.Snapshot()))
		_, err = tr.Evaluate(b, false)
		require.NoError(t, err)
		_, err = tr.ONNX(true)
		require.NoError(t, err)
	})
}
