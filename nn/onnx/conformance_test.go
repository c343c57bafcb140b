package onnx

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// Every case of the ONNX project's tests of normalizations, from the file to the
// outputs, as many as there were when last counted.
func TestConformance(t *testing.T) {
	dir := testkit.DataDir(t, "conformance", "onnx-norm")
	type file struct {
		File       string
		Rtol, Atol float64
	}
	var manifest struct {
		Cases []struct {
			Name, Model     string
			Inputs, Outputs []file
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &manifest))
	require.GreaterOrEqual(t, len(manifest.Cases), 55)
	tensor := func(t *testing.T, f file) *ir.Tensor {
		b, err := os.ReadFile(filepath.Join(dir, f.File))
		require.NoError(t, err)
		got, _, err := (&reader{}).tensor(b)
		require.NoError(t, err)
		return got
	}
	for _, c := range manifest.Cases {
		for _, level := range []string{"none", "all"} {
			t.Run(c.Name+"/"+level, func(t *testing.T) {
				b, err := os.ReadFile(filepath.Join(dir, c.Model))
				require.NoError(t, err)
				g, err := Read(b)
				require.NoError(t, err)
				s, err := graph.NewSession(g, graph.Options{Optimize: level, Own: true})
				require.NoError(t, err)
				var inputs []*ir.Tensor
				var dims [][]int
				for _, f := range c.Inputs {
					in := tensor(t, f)
					inputs, dims = append(inputs, in), append(dims, in.Dims)
				}
				r, err := s.Prepare(dims)
				require.NoError(t, err)
				for i, in := range inputs {
					require.Equal(t, in.Type, r.In(i).Type)
					copy(r.In(i).Data, in.Data)
				}
				require.NoError(t, r.Exec())
				require.Len(t, s.Outputs(), len(c.Outputs))
				for i, f := range c.Outputs {
					want, got := tensor(t, f), r.Out(i)
					require.Equal(t, want.Dims, got.Dims)
					require.Equal(t, ir.Float32, got.Type)
					for k, w := range want.Float32s() {
						require.LessOrEqual(t, math.Abs(float64(got.Float32s()[k])-float64(w)), f.Atol+f.Rtol*math.Abs(float64(w)),
							"output %d, element %d: %v, want %v", i, k, got.Float32s()[k], w)
					}
				}
			})
		}
	}
}
