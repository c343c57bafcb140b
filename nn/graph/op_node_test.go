package graph_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
)

// normalization matches the names of the tests of normalizations, the expanded ones
// included.
var normalization = regexp.MustCompile(`^(batchnorm|instancenorm|(layer|group|rms)_normalization|l[12p]normalization|lrn|mvn)`)

// noise matches those whose numbers come from another generator, and are no one else's: types
// and dimensions alone are compared.
var noise = regexp.MustCompile(`^test_(bernoulli\w*|training_dropout(_default)?(_mask)?)$`)

// normalizes says whether a case is one of a normalization, by its name or by an
// operator in it.
func normalizes(name string, g *ir.Graph) bool {
	for _, n := range g.Nodes {
		if strings.HasSuffix(n.Op, "Normalization") || n.Op == "LRN" {
			return true
		}
	}
	return normalization.MatchString(name)
}

// TestNodes runs the ONNX project's node tests through the session. A case is
// left out only when the session itself says, at load, what it lacks. Those of
// normalizations, none of which was when last counted, run without the optimizer too.
func TestNodes(t *testing.T) {
	models := testkit.NodeModels(t, "node", "simple", "pytorch-operator", "pytorch-converted")
	var passed, failed, norms int
	missing := map[string]int{}
	for _, file := range models {
		dir := filepath.Dir(file)
		name := strings.TrimPrefix(filepath.Base(dir), "test_")
		t.Run(name, func(t *testing.T) {
			norm := false
			for _, level := range []string{"all", "none"} {
				model, err := os.ReadFile(file)
				require.NoError(t, err)
				g, err := onnx.Read(model)
				var s *graph.Session
				if err == nil {
					norm = normalizes(name, g)
					s, err = graph.NewSession(g, graph.Options{Optimize: level})
				}
				var lacks *ir.UnsupportedError
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
				if !norm {
					break
				}
			}
			passed++
			if norm {
				norms++
			}
		})
	}
	var list []string
	for m, n := range missing {
		list = append(list, fmt.Sprintf("%4d %s", n, m))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(list)))
	t.Logf("%d node tests: %d passed, %d of them normalizations, %d failed, %d left out for what is not implemented:\n%s",
		len(models), passed, norms, failed, len(models)-passed-failed, strings.Join(list, "\n"))
	require.GreaterOrEqual(t, passed, 986)
	require.GreaterOrEqual(t, norms, 54)
}

func nodeCase(t *testing.T, s *graph.Session, set string) {
	inputs, _ := filepath.Glob(filepath.Join(set, "input_*.pb"))
	outputs, _ := filepath.Glob(filepath.Join(set, "output_*.pb"))
	require.Len(t, inputs, len(s.Inputs()))
	require.Len(t, outputs, len(s.Outputs()))
	var feeds []*ir.Tensor
	var dims [][]int
	var counts []int
	for i, in := range s.Inputs() {
		file := filepath.Join(set, fmt.Sprintf("input_%d.pb", i))
		if in.Form.List() {
			n, list := readList(t, file, in.Form)
			for _, x := range list {
				feeds, dims = append(feeds, x), append(dims, x.Dims)
			}
			counts = append(counts, n)
			continue
		}
		counts = append(counts, graph.One)
		x := brained(readTensor(t, file), in.Type)
		if in.Name == "like" && len(in.Dims) > len(x.Dims) { // which has one element in the data, and others in the model
			var like []int
			for _, d := range in.Dims {
				like = append(like, d.Size)
			}
			x = ir.NewTensor(x.Type, like...)
		}
		feeds, dims = append(feeds, x), append(dims, x.Dims)
	}
	run, err := s.PrepareLists(counts, dims, nil)
	require.NoError(t, err)
	for i, x := range feeds {
		require.Equal(t, x.Type, run.In(i).Type)
		copy(run.In(i).Data, x.Data)
		copy(run.In(i).Strings, x.Strings)
	}
	// Twice: what a first run leaves behind must not show in a second one.
	for range 2 {
		require.NoError(t, run.Exec())
		at := 0
		for i, out := range s.Outputs() {
			file := filepath.Join(set, fmt.Sprintf("output_%d.pb", i))
			if out.Form.List() {
				n, list := readList(t, file, out.Form)
				require.Equal(t, n, run.Counts()[i], "output %d", i)
				for _, want := range list {
					got := run.Out(at)
					require.Equal(t, want.Dims, append([]int{}, got.Dims...), "output %d", i)
					sameTensor(t, want, got, i)
					at++
				}
				continue
			}
			got := run.Out(at)
			at++
			want := brained(readTensor(t, file), got.Type)
			require.Equal(t, want.Type.String(), got.Type.String(), "output %d", i)
			require.Equal(t, want.Dims, append([]int{}, got.Dims...), "output %d", i)
			if !noise.MatchString(filepath.Base(filepath.Dir(set))) {
				sameTensor(t, want, got, i)
			}
		}
		for i, x := range feeds {
			require.Equal(t, x.Data, append([]byte{}, run.In(i).Data...), "input %d was overwritten", i)
		}
	}
}

// brained is x as bfloat16 where the model says so: the data has the bits as uint16.
func brained(x *ir.Tensor, t ir.DType) *ir.Tensor {
	if x.Type == ir.Uint16 && t == ir.BFloat16 {
		x.Type = t
	}
	return x
}

// sameTensor holds floats to the tolerance of the ONNX project's own runner.
func sameTensor(t *testing.T, want, got *ir.Tensor, output int) {
	near := func(w, g float64, i int) {
		same := w == g || math.IsNaN(w) && math.IsNaN(g) || math.Abs(w-g) <= 1e-7+1e-3*math.Abs(w)
		require.True(t, same, "output %d, element %d: got %v, want %v", output, i, g, w)
	}
	switch want.Type {
	case ir.Float32:
		for i, w := range want.Float32s() {
			near(float64(w), float64(got.Float32s()[i]), i)
		}
	case ir.Float64:
		for i, w := range want.Float64s() {
			near(w, got.Float64s()[i], i)
		}
	case ir.BFloat16: // whose data is cut off, where later versions of ONNX round
		for i := range want.Len() {
			w, g := int(want.Data[2*i])|int(want.Data[2*i+1])<<8, int(got.Data[2*i])|int(got.Data[2*i+1])<<8
			require.True(t, g == w || g == w+1, "output %d, element %d: got %#x, want %#x", output, i, g, w)
		}
	case ir.String:
		require.Equal(t, want.Strings, got.Strings, "output %d", output)
	default:
		require.Equal(t, want.Data, append([]byte{}, got.Data...), "output %d", output)
	}
}

// readList reads a file of a SequenceProto, or of an OptionalProto of a tensor or such a sequence.
func readList(t *testing.T, path string, form ir.Form) (count int, list []*ir.Tensor) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	read := func(b []byte, each func(field protowire.Number, v []byte)) {
		for len(b) > 0 {
			field, kind, n := protowire.ConsumeTag(b)
			require.Positive(t, n)
			m := protowire.ConsumeFieldValue(field, kind, b[n:])
			require.Positive(t, m)
			if kind == protowire.BytesType {
				v, _ := protowire.ConsumeBytes(b[n:])
				each(field, v)
			}
			b = b[n+m:]
		}
	}
	sequence := func(b []byte) {
		read(b, func(field protowire.Number, v []byte) {
			if field == 3 {
				list = append(list, tensorOf(t, v, path))
			}
		})
		count = len(list)
	}
	if form == ir.Sequence {
		sequence(b)
		return count, list
	}
	count = graph.Nothing
	read(b, func(field protowire.Number, v []byte) {
		switch field {
		case 3:
			list, count = append(list, tensorOf(t, v, path)), graph.One
		case 5:
			sequence(v)
		}
	})
	return count, list
}

// readTensor reads a TensorProto file.
func readTensor(t *testing.T, path string) *ir.Tensor {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return tensorOf(t, b, path)
}

// tensorOf reads a TensorProto.
func tensorOf(t *testing.T, b []byte, path string) *ir.Tensor {
	var dims []int
	var raw, typed []byte
	var texts []string
	typ := ir.Undefined
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
			typ = ir.DType(v)
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
			case 6:
				texts = append(texts, string(v))
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
	x := ir.NewTensor(typ, append([]int{}, dims...)...)
	if raw == nil {
		raw = typed
	}
	require.Len(t, raw, len(x.Data), path)
	copy(x.Data, raw)
	require.Len(t, texts, len(x.Strings), path)
	copy(x.Strings, texts)
	return x
}
