package train

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/stretchr/testify/require"
)

// networks has each type of layer, with parameters before it so that its gradient for x is seen as well.
var networks = map[string]Options{
	"linear":                  {Input: []int{5}, Model: []Spec{{Type: "linear", Units: 7}, {Type: "linear", Units: 3, NoBias: true}}},
	"linear of a sequence":    {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 7}, {Type: "linear", Units: 3}}},
	"conv2d":                  {Input: []int{2, 6, 5}, Model: []Spec{{Type: "conv2d", Filters: 3, Kernel: 3}, {Type: "conv2d", Filters: 4, Kernel: 3, Padding: "valid"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"conv2d, strides":         {Input: []int{2, 7, 6}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 1}, {Type: "conv2d", Filters: 6, Kernel: 3, Stride: 2}, {Type: "conv2d", Filters: 2, Kernel: 2, Stride: 2, NoBias: true}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"conv2d, groups":          {Input: []int{4, 5, 5}, Model: []Spec{{Type: "conv2d", Filters: 8, Kernel: 3, Groups: 2}, {Type: "conv2d", Filters: 8, Kernel: 3, Groups: 8}, {Type: "conv2d", Filters: 8, Kernel: 5, Groups: 8, Stride: 2}, {Type: "globalAveragePool"}, {Type: "linear", Units: 3}}},
	"activations":             {Input: []int{6}, Model: []Spec{{Type: "linear", Units: 9}, {Type: "gelu"}, {Type: "linear", Units: 9}, {Type: "silu"}, {Type: "linear", Units: 9}, {Type: "tanh"}, {Type: "linear", Units: 9}, {Type: "sigmoid"}, {Type: "linear", Units: 3}}},
	"relu":                    {Input: []int{6}, Model: []Spec{{Type: "linear", Units: 19}, {Type: "relu"}, {Type: "linear", Units: 3}}},
	"pools":                   {Input: []int{2, 9, 8}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "maxPool2d", Size: 2}, {Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "averagePool2d", Size: 2, Stride: 1}, {Type: "maxPool2d", Size: 2, Stride: 1}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"relu and a pool":         {Input: []int{2, 8, 7}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "relu"}, {Type: "maxPool2d", Size: 2}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"mean over time":          {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "globalAveragePool"}, {Type: "linear", Units: 3}}},
	"batchNorm of images":     {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "batchNorm"}, {Type: "silu"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"batchNorm of rows":       {Input: []int{5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "batchNorm", Preset: "keras"}, {Type: "tanh"}, {Type: "batchNorm", NoAffine: true}, {Type: "linear", Units: 3}}},
	"batchNorm of a sequence": {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "batchNorm", Preset: "onnx"}, {Type: "gelu"}, {Type: "linear", Units: 3}}},
	"layerNorm":               {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "layerNorm"}, {Type: "gelu"}, {Type: "linear", Units: 6}, {Type: "layerNorm", NoAffine: true}, {Type: "linear", Units: 3}}},
	"layerNorm of images":     {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "layerNorm"}, {Type: "silu"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"rmsNorm":                 {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "rmsNorm"}, {Type: "gelu"}, {Type: "linear", Units: 3}}},
	"groupNorm":               {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 6, Kernel: 3}, {Type: "groupNorm", Groups: 3}, {Type: "silu"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"groupNorm of a sequence": {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "groupNorm", Groups: 2}, {Type: "gelu"}, {Type: "linear", Units: 3}}},
	"instanceNorm":            {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 6, Kernel: 3}, {Type: "instanceNorm"}, {Type: "silu"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"dynamicTanh":             {Input: []int{4, 5}, Model: []Spec{{Type: "linear", Units: 6}, {Type: "dynamicTanh"}, {Type: "linear", Units: 6}, {Type: "dynamicTanh", NoAffine: true}, {Type: "linear", Units: 3}}},
	"dynamicTanh of images":   {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "dynamicTanh"}, {Type: "flatten"}, {Type: "linear", Units: 3}}},
	"residual":                {Input: []int{2, 5, 4}, Model: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "residual", Body: []Spec{{Type: "batchNorm"}, {Type: "silu"}, {Type: "residual", Body: []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}}}}}, {Type: "globalAveragePool"}, {Type: "linear", Units: 3}}},
	"embedding":               {Input: []int{6}, Model: []Spec{{Type: "embedding", Vocabulary: 9, Width: 4, Positions: 8}, {Type: "tanh"}, {Type: "linear", Units: 3}}},
	"attention":               {Input: []int{5, 8}, Model: []Spec{{Type: "linear", Units: 8}, {Type: "attention", Heads: 2}, {Type: "linear", Units: 3}}},
	"attention, first":        {Input: []int{5, 8}, Model: []Spec{{Type: "attention", Heads: 2, Causal: true}, {Type: "linear", Units: 3}}},
	"residual, first":         {Input: []int{4, 6}, Model: []Spec{{Type: "residual", Body: []Spec{{Type: "gru", Units: 6}}}, {Type: "linear", Units: 3}}},
	"gru, first":              {Input: []int{5, 4}, Model: []Spec{{Type: "gru", Units: 6}, {Type: "linear", Units: 3}}},
	"transformer":             {Input: []int{6}, Model: []Spec{{Type: "embedding", Vocabulary: 9, Width: 8, Positions: 6}, {Type: "residual", Body: []Spec{{Type: "layerNorm"}, {Type: "attention", Heads: 4, Causal: true}}}, {Type: "residual", Body: []Spec{{Type: "rmsNorm"}, {Type: "linear", Units: 12}, {Type: "gelu"}, {Type: "linear", Units: 8}}}, {Type: "layerNorm"}, {Type: "linear", Units: 3}}},
	"gru":                     {Input: []int{5, 4}, Model: []Spec{{Type: "linear", Units: 4}, {Type: "gru", Units: 6}, {Type: "gru", Units: 5}, {Type: "linear", Units: 3}}},
}

// batchFor makes a batch of random examples for a network.
func batchFor(t *Trainer, n int, seed uint64) Batch {
	r := random{state: seed}
	b := Batch{N: n}
	for range n * elements(t.options.Input) {
		if t.first != nil {
			b.Tokens = append(b.Tokens, int32(r.next()%uint64(t.first.vocabulary)))
		} else {
			b.X = append(b.X, float32(r.normal()))
		}
	}
	for range n * elements(t.out) {
		b.Targets = append(b.Targets, float32(r.normal()))
	}
	for range n * elements(t.out) / t.classes {
		b.Labels = append(b.Labels, int32(r.next()%uint64(t.classes)))
	}
	return b
}

// stir moves all parameters, so that no scale is 1 and no shift 0.
func stir(t *Trainer) {
	r := random{state: 77}
	for _, p := range t.params {
		for i := range p.Value {
			p.Value[i] += float32(0.2 * r.normal())
		}
	}
}

func TestGradients(t *testing.T) {
	for name, o := range networks {
		for _, loss := range []string{"crossEntropy", "meanSquaredError"} {
			if testing.Short() && loss == "meanSquaredError" {
				continue
			}
			t.Run(name+", "+loss, func(t *testing.T) {
				o.Loss, o.Optimizer, o.Seed = loss, Optimizer{Type: "sgd"}, 3 // a learning rate of 0
				tr, err := New(o)
				require.NoError(t, err)
				stir(tr)
				for _, n := range []int{4, 3} { // another batch size in the same network
					b := batchFor(tr, n, 5+uint64(n))
					ref := newReference(tr)
					r, err := tr.Step(b)
					require.NoError(t, err)
					require.InDelta(t, ref.loss(b), r.Loss, 2e-6*(1+r.Loss))
					total := 0.0
					for _, p := range tr.params {
						compare(t, p, ref, b)
						total += compute.Dot(p.Grad, p.Grad)
					}
					require.InEpsilon(t, math.Sqrt(total), r.GradientNorm, 1e-12)
				}
			})
		}
	}
}

// compare holds a parameter's gradient to central differences.
func compare(t *testing.T, p *Param, ref *reference, b Batch) {
	t.Helper()
	const h = 1e-5
	v := ref.params[p.Name]
	want, largest := make([]float64, len(v)), 0.0
	for i, x := range v {
		v[i] = x + h
		up := ref.loss(b)
		v[i] = x - h
		want[i] = (up - ref.loss(b)) / (2 * h)
		v[i] = x
		largest = math.Max(largest, math.Abs(want[i]))
	}
	for i, g := range p.Grad {
		// A shift before a normalization has no gradient: what is left is the rounding of sums of numbers near 1.
		require.LessOrEqual(t, math.Abs(float64(g)-want[i]), 1e-4*largest+2e-6, "%s[%d]: %g, want %g", p.Name, i, g, want[i])
	}
}
