package graph_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/onnx"
)

// nodeTests is where Debian's package libonnx-testdata puts the ONNX project's
// own tests of every operator, and of small models.
const nodeTests = "/usr/share/libonnx-testdata/data"

// TestNodes runs the ONNX project's node tests through the session. A case is
// left out only when the session itself says, at load, what it lacks.
func TestNodes(t *testing.T) {
	var dirs []string
	for _, group := range []string{"node", "simple", "pytorch-operator", "pytorch-converted"} {
		list, _ := filepath.Glob(filepath.Join(nodeTests, group, "test_*", "model.onnx"))
		dirs = append(dirs, list...)
	}
	if len(dirs) == 0 {
		t.Skip("the ONNX node tests are not installed (Debian: libonnx-testdata)")
	}
	var passed, failed int
	missing := map[string]int{}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		name := strings.TrimPrefix(filepath.Base(dir), "test_")
		t.Run(name, func(t *testing.T) {
			model, err := os.ReadFile(file)
			require.NoError(t, err)
			g, err := onnx.Read(model)
			var s *graph.Session
			if err == nil {
				lift(g)
				s, err = graph.NewSession(g, graph.Options{})
			}
			var lacks *graph.UnsupportedError
			if errors.As(err, &lacks) {
				for _, m := range lacks.Missing {
					missing[m]++
				}
				t.Skip(err)
			}
			failed++
			require.NoError(t, err)
			sets, _ := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
			require.NotEmpty(t, sets)
			for _, set := range sets {
				nodeCase(t, s, set)
			}
			failed--
			passed++
		})
	}
	var list []string
	skipped := 0
	for m, n := range missing {
		list = append(list, fmt.Sprintf("%4d %s", n, m))
		skipped += n
	}
	sort.Sort(sort.Reverse(sort.StringSlice(list)))
	t.Logf("%d node tests: %d passed, %d failed, %d left out for what is not implemented:\n%s",
		len(dirs), passed, failed, len(dirs)-passed-failed, strings.Join(list, "\n"))
	require.Greater(t, passed, len(dirs)/3)
}

// lift reads a model of opset 6 as one of opset 7, the oldest that is
// implemented. What differs between them are attributes, which the session
// reports when it meets them, and the slope of PRelu.
func lift(g *graph.Graph) {
	if g.Opsets[""] != 6 || g.Nodes[0].Op == "PRelu" {
		return
	}
	g.Opsets[""] = 7
	for _, n := range g.Nodes {
		n.Version = 7
	}
}

func nodeCase(t *testing.T, s *graph.Session, set string) {
	var feeds []*graph.Tensor
	var dims [][]int
	for i := range s.Inputs() {
		x := readTensor(t, filepath.Join(set, fmt.Sprintf("input_%d.pb", i)))
		feeds, dims = append(feeds, x), append(dims, x.Dims)
	}
	run, err := s.Prepare(dims)
	require.NoError(t, err)
	for i, x := range feeds {
		require.Equal(t, x.Type, run.In(i).Type)
		copy(run.In(i).Data, x.Data)
	}
	// Twice: what a first run leaves behind must not show in a second one.
	for range 2 {
		require.NoError(t, run.Exec())
		for i := range s.Outputs() {
			want := readTensor(t, filepath.Join(set, fmt.Sprintf("output_%d.pb", i)))
			got := run.Out(i)
			require.Equal(t, want.Type.String(), got.Type.String(), "output %d", i)
			require.Equal(t, want.Dims, append([]int{}, got.Dims...), "output %d", i)
			sameTensor(t, want, got, i)
		}
		for i, x := range feeds {
			require.Equal(t, x.Data, append([]byte{}, run.In(i).Data...), "input %d was overwritten", i)
		}
	}
}

// sameTensor holds floats to the tolerance of the ONNX project's own runner.
func sameTensor(t *testing.T, want, got *graph.Tensor, output int) {
	near := func(w, g float64, i int) {
		same := w == g || math.IsNaN(w) && math.IsNaN(g) || math.Abs(w-g) <= 1e-7+1e-3*math.Abs(w)
		require.True(t, same, "output %d, element %d: got %v, want %v", output, i, g, w)
	}
	switch want.Type {
	case graph.Float32:
		for i, w := range want.Float32s() {
			near(float64(w), float64(got.Float32s()[i]), i)
		}
	case graph.Float64:
		for i, w := range want.Float64s() {
			near(w, got.Float64s()[i], i)
		}
	default:
		require.Equal(t, want.Data, append([]byte{}, got.Data...), "output %d", output)
	}
}

// readTensor reads a TensorProto file.
func readTensor(t *testing.T, path string) *graph.Tensor {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var dims []int
	var raw, typed []byte
	typ := graph.Undefined
	put := func(v uint64, size int) {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], v)
		typed = append(typed, w[:size]...)
	}
	element := func(field protowire.Number, v uint64) {
		switch field {
		case 1:
			dims = append(dims, int(v))
		case 2:
			typ = graph.DType(v)
		case 4:
			put(v, 4)
		case 5, 7, 11: // int32, int64 and uint64 lists hold the narrower types
			put(v, typ.Size())
		case 10:
			put(v, 8)
		}
	}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			require.Positive(t, n)
			element(field, v)
			b = b[n:]
		case protowire.Fixed32Type:
			v, n := protowire.ConsumeFixed32(b)
			require.Positive(t, n)
			element(field, uint64(v))
			b = b[n:]
		case protowire.Fixed64Type:
			v, n := protowire.ConsumeFixed64(b)
			require.Positive(t, n)
			element(field, v)
			b = b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			require.Positive(t, n)
			b = b[n:]
			switch field {
			case 9:
				raw = v
			case 1, 5, 7, 11:
				for len(v) > 0 {
					x, n := protowire.ConsumeVarint(v)
					require.Positive(t, n)
					element(field, x)
					v = v[n:]
				}
			case 4, 10:
				typed = append(typed, v...)
			}
		}
	}
	x := graph.NewTensor(typ, append([]int{}, dims...)...)
	if raw == nil {
		raw = typed
	}
	require.Len(t, raw, len(x.Data), path)
	copy(x.Data, raw)
	return x
}
