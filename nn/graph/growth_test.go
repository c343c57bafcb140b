package graph_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/onnx"
)

// A decoder whose past grows by one a step, and at a fixed length.
func BenchmarkGrowingPast(b *testing.B) {
	file := filepath.Join(testkit.DataDir(b, "reports"), "decoder-past.onnx")
	model, err := os.ReadFile(file)
	require.NoError(b, err)
	g, err := onnx.Read(model)
	require.NoError(b, err)
	s, err := graph.NewSession(g, graph.Options{})
	require.NoError(b, err)
	inputs := s.Inputs()
	dims := make([][]int, len(inputs))
	prepare := func(past int) *graph.Run {
		for i, in := range inputs {
			dims[i] = dims[i][:0]
			for _, d := range in.Dims {
				size := d.Size
				if size < 0 {
					size = 1
				}
				dims[i] = append(dims[i], size)
			}
			switch {
			case len(dims[i]) == 4:
				dims[i][2] = past
			case in.Name == "attention_mask":
				dims[i][1] = past + 1
			}
		}
		r, err := s.Prepare(dims)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	step := func(past int) {
		if err := prepare(past).Exec(); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		past func(i int) int
	}{{"fixed", func(int) int { return 64 }}, {"growing", func(i int) int { return i % 128 }}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				step(c.past(i))
			}
		})
	}

	b.Run("planning", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			prepare(64 + i%2)
		}
	})
}
