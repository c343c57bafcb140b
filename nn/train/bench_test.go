package train

import "testing"

// BenchmarkStep measures a step of a network for digits, and of a small transformer.
// GFLOP/s counts the products alone: forward, and twice as much back.
func BenchmarkStep(b *testing.B) {
	for name, c := range map[string]struct {
		o     Options
		n     int
		flops float64 // of the forward pass of one example
	}{
		"digits": {Options{Input: []int{1, 28, 28}, Model: []Spec{{Type: "conv2d", Filters: 16, Kernel: 3}, {Type: "batchNorm"}, {Type: "relu"}, {Type: "maxPool2d", Size: 2},
			{Type: "conv2d", Filters: 32, Kernel: 3}, {Type: "batchNorm"}, {Type: "relu"}, {Type: "maxPool2d", Size: 2}, {Type: "flatten"}, {Type: "linear", Units: 10}}},
			64, 2 * (28*28*16*9 + 14*14*32*16*9 + 7*7*32*10)},
		"rows": {Options{Input: []int{784}, Model: []Spec{{Type: "linear", Units: 512}, {Type: "layerNorm"}, {Type: "relu"}, {Type: "linear", Units: 512}, {Type: "layerNorm"}, {Type: "relu"}, {Type: "linear", Units: 10}}},
			64, 2 * (784*512 + 512*512 + 512*10)},
		"characters": {Options{Input: []int{64}, Model: []Spec{{Type: "embedding", Vocabulary: 64, Width: 64, Positions: 64},
			{Type: "residual", Body: []Spec{{Type: "layerNorm"}, {Type: "attention", Heads: 4, Causal: true}}},
			{Type: "residual", Body: []Spec{{Type: "layerNorm"}, {Type: "linear", Units: 256}, {Type: "gelu"}, {Type: "linear", Units: 64}}},
			{Type: "residual", Body: []Spec{{Type: "layerNorm"}, {Type: "attention", Heads: 4, Causal: true}}},
			{Type: "residual", Body: []Spec{{Type: "layerNorm"}, {Type: "linear", Units: 256}, {Type: "gelu"}, {Type: "linear", Units: 64}}},
			{Type: "layerNorm"}, {Type: "linear", Units: 64}}},
			16, 64 * 2 * (2*(64*64*4+2*64*64+2*64*256) + 64*64)},
	} {
		b.Run(name, func(b *testing.B) {
			c.o.Loss, c.o.Optimizer = "crossEntropy", Optimizer{Type: "adamw", LearningRate: 0.001}
			t, err := New(c.o)
			if err != nil {
				b.Fatal(err)
			}
			batch := batchFor(t, c.n, 1)
			for b.Loop() {
				if _, err := t.Step(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(3*c.flops*float64(c.n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
