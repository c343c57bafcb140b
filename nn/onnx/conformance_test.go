package onnx

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// listed reads a SequenceProto of tensors, or an OptionalProto of a tensor or of such a sequence.
func listed(t *testing.T, b []byte, form ir.Form) (count int, list []*ir.Tensor) {
	if form == ir.Sequence {
		list = []*ir.Tensor{}
	} else {
		count = graph.Nothing
	}
	m := open(b, "value")
	for m.next() {
		switch {
		case m.num == 3:
			require.True(t, m.want(kindBytes))
			x, _, err := (&reader{}).tensor(m.data)
			require.NoError(t, err)
			if list = append(list, x); form == ir.Sequence {
				count = len(list)
			} else {
				count = graph.One
			}
		case form != ir.Sequence && m.num == 5:
			require.True(t, m.want(kindBytes))
			return listed(t, m.data, ir.Sequence)
		}
	}
	require.NoError(t, m.err)
	return count, list
}

// outcomes runs a session whose inputs or outputs may be sequences.
func outcomes(s *graph.Session, counts []int, feeds []*ir.Tensor) ([]int, []*ir.Tensor, error) {
	var dims [][]int
	for _, x := range feeds {
		dims = append(dims, append([]int{}, x.Dims...))
	}
	r, err := s.PrepareLists(counts, dims, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, x := range feeds {
		copy(r.In(i).Data, x.Data)
		copy(r.In(i).Strings, x.Strings)
	}
	if err := r.Exec(); err != nil {
		return nil, nil, err
	}
	var got []*ir.Tensor
	n := 0
	for _, c := range r.Counts() {
		if n += max(c, 0); c == graph.One {
			n++
		}
	}
	for i := range n {
		got = append(got, r.Out(i).Clone())
	}
	return append([]int{}, r.Counts()...), got, nil
}

// noise are cases whose numbers come from another generator, and are no one else's: types and
// dimensions alone are compared, and they do not count as right.
var noise = regexp.MustCompile(`test_(bernoulli\w*|training_dropout(_default)?(_mask)?)/model.onnx$`)

// ownNumbers is why these are not counted.
const ownNumbers = "draws numbers of its own: types and dimensions alone are compared"

// byReason lists names by why they were left out, the most frequent first.
func byReason(left map[string][]string) string {
	reasons := slices.SortedFunc(maps.Keys(left), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(left[b]), len(left[a])), strings.Compare(a, b))
	})
	var b strings.Builder
	for _, why := range reasons {
		fmt.Fprintf(&b, "\n%4d %s: %s", len(left[why]), why, strings.Join(left[why], " "))
	}
	return b.String()
}

// Every case of the ONNX project's tests of single operators gives the right results, as it is written and optimized, or
// is refused when it is loaded because something of it is not implemented: as many as there were when last counted. With -v
// it lists what was not run, by reason.
func TestNodeCases(t *testing.T) {
	dir := testkit.DataDir(t, "conformance", "onnx-node")
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*", "model.onnx"))
	require.NoError(t, err)
	right := map[string]int{}
	left := map[string][]string{} // what is not run, by reason
	for _, path := range paths {
		name := filepath.Join(filepath.Base(filepath.Dir(filepath.Dir(path))), filepath.Base(filepath.Dir(path)))
		if noise.MatchString(path) {
			left[ownNumbers] = append(left[ownNumbers], name)
		}
		for _, level := range []string{"none", "all"} {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			g, err := Read(owned(b))
			require.NoError(t, err, path)
			s, err := graph.NewSession(g, graph.Options{Optimize: level})
			var missing *ir.UnsupportedError
			if errors.As(err, &missing) {
				if why := strings.Join(missing.Missing, ", "); level == "none" {
					left[why] = append(left[why], name)
				}
				continue
			}
			require.NoError(t, err, path)
			tensor := func(kind string, i int) *ir.Tensor {
				b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
				require.NoError(t, err)
				x, _, err := (&reader{}).tensor(b)
				require.NoError(t, err)
				return x
			}
			read := func(kind string, list []graph.Info) (counts []int, all []*ir.Tensor) {
				for i, v := range list {
					if !v.Form.List() {
						counts, all = append(counts, graph.One), append(all, tensor(kind, i))
						continue
					}
					b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
					require.NoError(t, err)
					n, tensors := listed(t, b, v.Form)
					counts, all = append(counts, n), append(all, tensors...)
				}
				return counts, all
			}
			counts, feeds := read("input", s.Inputs())
			wantCounts, wants := read("output", s.Outputs())
			gotCounts, got, err := outcomes(s, counts, feeds)
			require.NoError(t, err, path)
			require.Equal(t, wantCounts, gotCounts, path)
			for i, y := range got {
				want := wants[i]
				require.Equal(t, want.Type, y.Type, "%s, %s", path, level)
				require.Equal(t, append([]int{}, want.Dims...), append([]int{}, y.Dims...), "%s, %s", path, level)
				require.Equal(t, append([]string{}, want.Strings...), append([]string{}, y.Strings...), "%s, %s", path, level)
				if noise.MatchString(path) {
					continue
				}
				a, b := numbersOf(want), numbersOf(y)
				for k := range a {
					tolerance := 0.0
					if floating(want.Type) {
						tolerance = 1e-5 + 1e-3*math.Abs(a[k])
					}
					require.True(t, a[k] == b[k] || math.IsNaN(a[k]) && math.IsNaN(b[k]) || math.Abs(a[k]-b[k]) <= tolerance,
						"%s, %s: output %d, element %d is %v, want %v", path, level, i, k, b[k], a[k])
				}
			}
			if !noise.MatchString(path) {
				right[level]++
			}
		}
	}
	t.Logf("%d cases: %d right as written, %d optimized; not run, or not compared:%s", len(paths), right["none"], right["all"], byReason(left))
	require.GreaterOrEqual(t, right["none"], 1821)
	require.GreaterOrEqual(t, right["all"], 1821)
}
