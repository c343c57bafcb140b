package bridge

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// A few lines of protobuf: enough to write a model by hand.
func field(number int, content []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(number<<3|2))
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}

func varint(number int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number<<3)), v)
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// value declares an input or output of shape [n 2].
func value(number int, name string, dtype uint64) []byte {
	dims := join(field(1, field(2, []byte("n"))), field(1, varint(1, 2)))
	return field(number, join(field(1, []byte(name)), field(2, field(1, join(varint(1, dtype), field(2, dims))))))
}

// model computes y = op(x).
func model(op string, dtype uint64) []byte {
	node := field(1, join(field(1, []byte("x")), field(2, []byte("y")), field(4, []byte(op))))
	g := join(node, field(2, []byte("g")), value(11, "x", dtype), value(12, "y", dtype))
	return join(varint(1, 8), field(8, varint(2, 17)), field(7, g))
}

func load(t *testing.T, b *Bridge, file []byte) Handle {
	t.Helper()
	h, err := b.Alloc(len(file))
	require.NoError(t, err)
	bytes, err := b.Bytes(h)
	require.NoError(t, err)
	copy(bytes, file)
	return h
}

func TestSession(t *testing.T) {
	b := New()
	file := load(t, b, model("Relu", 1))
	s, err := b.Open(file, -1, graph.Options{})
	require.NoError(t, err)
	assert.Equal(t, Disposed, status(t, b, b.Free(file)), "the session took the slab over")
	assert.Equal(t, 1, b.Memory().Sessions)
	assert.Zero(t, b.Memory().Tensors)

	d, err := b.Describe(s)
	require.NoError(t, err)
	require.Len(t, d.Inputs, 1)
	assert.Equal(t, "x", d.Inputs[0].Name)
	assert.Equal(t, []ir.Dim{{Size: -1, Symbol: "n"}, {Size: 2}}, d.Inputs[0].Dims)
	assert.Equal(t, []graph.OpCount{{Op: "Relu", N: 1}}, d.Ops)

	assert.Equal(t, Invalid, status(t, b, b.ExecFrame(s)), "Exec before Prepare")
	for _, n := range []int{3, 1, 0} {
		frame(b, []int{2, n, 2, 0})
		require.NoError(t, b.PrepareFrame(s))
		assert.EqualValues(t, n*8, b.Frame()[1])
		in, err := b.Prepare(s, [][]int{{n, 2}})
		require.NoError(t, err)
		for i := range in[0].Float32s() {
			in[0].Float32s()[i] = float32(i - 2)
		}
		require.NoError(t, b.ExecFrame(s))
		assert.Equal(t, []int32{1, 2, int32(n), 2}, b.Frame()[:4])
		assert.EqualValues(t, n*8, b.Frame()[5])
		out, times, err := b.ExecProfiled(s, func() float64 { return 0 })
		require.NoError(t, err)
		assert.Len(t, times, 1)
		for i, v := range out[0].Float32s() {
			assert.Equal(t, max(0, float32(i-2)), v)
		}
	}
	for name, tt := range map[string]struct {
		ints   []int
		status Status
	}{
		"rank":          {[]int{1, 2, 0}, BadShape},
		"size":          {[]int{2, 1, 3, 0}, BadShape},
		"negative":      {[]int{2, -1, 2, 0}, BadShape},
		"immense":       {[]int{2, 1 << 30, 2, 0}, BadShape},
		"negative rank": {[]int{-1}, BadShape},
		"immense rank":  {[]int{1 << 30}, BadShape},
	} {
		frame(b, tt.ints)
		assert.Equal(t, tt.status, status(t, b, b.PrepareFrame(s)), name)
		assert.Equal(t, Invalid, status(t, b, b.ExecFrame(s)), "nothing is prepared after a failure")
	}

	require.NoError(t, b.Release(s))
	assert.Equal(t, Disposed, status(t, b, b.Release(s)))
	assert.Equal(t, Disposed, status(t, b, b.ExecFrame(s)))
	assert.Equal(t, Memory{}, b.Memory())
}

func TestOpenErrors(t *testing.T) {
	good := model("Relu", 1)
	tests := []struct {
		name   string
		file   []byte
		bytes  int
		status Status
		text   string
	}{
		{"empty", nil, -1, BadModel, ""},
		{"HTML", []byte("<!doctype html><title>x</title>"), -1, BadModel, ""},
		{"truncated", good[:len(good)-5], -1, BadModel, ""},
		{"operator", model("NoSuchOperator", 1), -1, Unsupported, "NoSuchOperator"},
		{"more than the slab", good, len(good) + 1, BadShape, "in a slab of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := New()
			h, err := b.Open(load(t, b, tt.file), tt.bytes, graph.Options{})
			assert.Zero(t, h)
			assert.Equal(t, tt.status, status(t, b, err), string(b.Failure()))
			assert.Contains(t, string(b.Failure()), tt.text)
			assert.Equal(t, Memory{}, b.Memory(), "nothing stays behind")
		})
	}
	b := New()
	scratch, err := b.Scratch(10)
	require.NoError(t, err)
	_, err = b.Open(scratch, -1, graph.Options{})
	assert.Equal(t, Invalid, status(t, b, err))
	_, err = b.Open(scratch+1<<indexBits, -1, graph.Options{})
	assert.Equal(t, Disposed, status(t, b, err))
}

// Bytes behind the model's length are not the model's.
func TestOpenPart(t *testing.T) {
	b := New()
	good := model("Relu", 1)
	s, err := b.Open(load(t, b, append(good, "rest of a larger slab"...)), len(good), graph.Options{})
	require.NoError(t, err)
	require.NoError(t, b.Release(s))
}

func TestModelsOpenAndClose(t *testing.T) {
	data := os.Getenv("NORMWASM_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	file, err := os.ReadFile(filepath.Join(data, "models/nano-gpt-sort/nano-gpt-sort.onnx"))
	if err != nil {
		t.Skip("the model data is absent: ", err)
	}
	b := New()
	for range 3 {
		s, err := b.Open(load(t, b, file), -1, graph.Options{})
		require.NoError(t, err)
		in, err := b.Prepare(s, [][]int{{1, 6}})
		require.NoError(t, err)
		assert.Len(t, in, 1)
		out, err := b.Exec(s)
		require.NoError(t, err)
		assert.NotEmpty(t, slab.View[float32](out[0].Data))
		assert.Greater(t, b.Memory().InUse, len(file)/2)
		require.NoError(t, b.Release(s))
		assert.Equal(t, Memory{}, b.Memory())
	}
}

// Outputs that are sequences or optional values cross where the model declares them. Where the two branches of an If give
// one and the other for what is declared as a tensor, a run is refused.
func TestOutputsThatAreNoTensors(t *testing.T) {
	for _, name := range []string{"optional-as-output", "sequence-as-output", "tensor-or-sequence-as-output"} {
		file, err := os.ReadFile(filepath.Join("../../nn/onnx/testdata/corpus", name+".onnx"))
		require.NoError(t, err)
		b := New()
		s, err := b.Open(load(t, b, file), -1, graph.Options{Optimize: "none"})
		require.NoError(t, err)
		d, err := b.Describe(s)
		require.NoError(t, err)
		if name != "tensor-or-sequence-as-output" {
			require.True(t, slices.ContainsFunc(d.Outputs, func(v graph.Info) bool { return v.Form.List() }))
			require.NoError(t, b.Release(s))
			continue
		}
		for _, branch := range []byte{1, 0, 1} {
			in, err := b.Prepare(s, [][]int{{}})
			require.NoError(t, err)
			in[0].Data[0] = branch
			out, err := b.Exec(s)
			if branch == 0 {
				require.EqualError(t, err, `graph: the model needs what is not implemented: "out", declared as a tensor, as a sequence or an optional value`)
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, []float32{2.5}, slab.View[float32](out[0].Data))
		}
		require.NoError(t, b.Release(s))
	}
}

// FuzzSession opens arbitrary bytes as a model and runs it for arbitrary shapes.
func FuzzSession(f *testing.F) {
	f.Add(model("Relu", 1), []byte{2, 3, 2})
	f.Add(model("Neg", 7), []byte{2, 0, 2})
	f.Add(model("Shape", 1), []byte{1, 2})
	f.Add(join(varint(1, 8), field(7, nil)), []byte{})
	// Counts come before the shapes of lists.
	for name, shape := range map[string][]byte{"lists": {2, 1, 4, 0, 2, 1, 4, 0, 1, 4, 0, 255, 2, 1, 4, 0}, "loops": {2, 3, 4, 0}, "scans": {2, 3, 4, 0}, "quantized": {4, 1, 3, 2, 5, 0}, "recurrent": {3, 2, 2, 4, 0}} {
		file, err := os.ReadFile("../../nn/onnx/testdata/corpus/seed-" + name + ".onnx")
		require.NoError(f, err)
		f.Add(file, shape)
	}
	f.Fuzz(func(t *testing.T, file, shape []byte) {
		b := New()
		s, err := b.Open(load(t, b, file), -1, graph.Options{MaxBytes: 1 << 24, MaxTrips: 1000})
		if err != nil {
			require.NotEqual(t, Internal, b.Fail(err), string(b.Failure()))
			require.Equal(t, Memory{}, b.Memory())
			return
		}
		for i, v := range shape {
			b.Frame()[i%FrameSize] = int32(int8(v))
		}
		if err = b.PrepareFrame(s); err == nil {
			err = b.ExecFrame(s)
		}
		require.NotEqual(t, Internal, b.Fail(err), string(b.Failure()))
		require.NoError(t, b.Release(s))
		require.Equal(t, Memory{}, b.Memory())
	})
}

// pairs computes y = Relu(x) for each pair of names x and y.
func pairs(names ...[2]string) []byte {
	var nodes, in, out []byte
	for _, n := range names {
		nodes = append(nodes, field(1, join(field(1, []byte(n[0])), field(2, []byte(n[1])), field(4, []byte("Relu"))))...)
		in = append(in, value(11, n[0], 1)...)
		out = append(out, value(12, n[1], 1)...)
	}
	return join(varint(1, 8), field(8, varint(2, 17)), field(7, join(nodes, field(2, []byte("g")), in, out)))
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	b := New()
	s, err := b.Open(load(t, b, pairs([2]string{"a\xff", "y\xff"}, [2]string{"a\xfe", "y\xfe\xfd"}, [2]string{"a\uFFFD", "y"}, [2]string{"a\uFFFD_2", "y\xff_"})), -1, graph.Options{})
	require.NoError(t, err)
	d, err := b.Describe(s)
	require.NoError(t, err)
	names := func(list []graph.Info) (all []string) {
		for _, v := range list {
			all = append(all, v.Name)
		}
		return all
	}
	assert.Equal(t, []string{"a\uFFFD_3", "a\uFFFD_4", "a\uFFFD", "a\uFFFD_2"}, names(d.Inputs))
	assert.Equal(t, []string{"y\uFFFD", "y\uFFFD_2", "y", "y\uFFFD_"}, names(d.Outputs))

	model := bytes.ReplaceAll(model("Relu", 1), field(2, []byte("n")), field(2, []byte("\xff")))
	s, err = b.Open(load(t, b, model), -1, graph.Options{FreeDims: map[string]int{"\uFFFD": 5}})
	require.NoError(t, err)
	d, err = b.Describe(s)
	require.NoError(t, err)
	assert.Equal(t, []ir.Dim{{Size: 5, Symbol: "\uFFFD"}, {Size: 2}}, d.Inputs[0].Dims)
}

func TestResidentFrames(t *testing.T) {
	b := New()
	s, err := b.Open(load(t, b, model("Relu", 1)), -1, graph.Options{Resident: true})
	require.NoError(t, err)
	x := put(t, b, -1, 2, 3, -4)
	frame(b, []int{2, 2, 2, int(x)})
	require.NoError(t, b.PrepareFrame(s))
	require.NoError(t, b.ExecFrame(s))
	y := Handle(b.Frame()[6])
	assert.Equal(t, []int32{1, 2, 2, 2}, b.Frame()[:4])
	assert.Equal(t, []float32{0, 2, 3, 0}, read(t, b, y))
	assert.Equal(t, []float32{-1, 2, 3, -4}, read(t, b, x))
	bytes, err := b.Bytes(y)
	require.NoError(t, err)
	assert.Equal(t, uint32(slab.Addr(bytes)), uint32(b.Frame()[4]))
	assert.Equal(t, 2, b.Memory().Tensors)
	assert.Equal(t, Disposed, status(t, b, b.ExecFrame(s)), "what was fed has to be fed again")
	for name, tt := range map[string]struct {
		ints   []int
		status Status
	}{
		"none":       {[]int{2, 2, 2, 77}, Disposed},
		"a session":  {[]int{2, 2, 2, int(s)}, Invalid},
		"too large":  {[]int{2, 1, 2, int(x)}, BadShape},
		"too small":  {[]int{2, 3, 2, int(x)}, BadShape},
		"no element": {[]int{2, 0, 2, int(x)}, BadShape},
	} {
		frame(b, tt.ints)
		assert.Equal(t, tt.status, status(t, b, b.PrepareFrame(s)), name)
		assert.Equal(t, Invalid, status(t, b, b.ExecFrame(s)), name)
	}
	frame(b, []int{2, 2, 2, int(y)}) // and the result is fed
	require.NoError(t, b.PrepareFrame(s))
	require.NoError(t, b.ExecFrame(s))
	require.NoError(t, b.Free(Handle(b.Frame()[6])))
	require.NoError(t, b.Free(y))
	require.NoError(t, b.Free(x))
	require.NoError(t, b.Release(s))
	assert.Equal(t, Memory{}, b.Memory())
}

// Only states can be asked for, and only when a run has left them.
func TestStateFrameRefuses(t *testing.T) {
	b := New()
	plain, err := b.Open(load(t, b, model("Relu", 1)), -1, graph.Options{})
	require.NoError(t, err)
	assert.ErrorContains(t, b.StateFrame(plain, 0), "output 0 is no state")
	assert.ErrorContains(t, b.StateFrame(plain, 7), "output 7 is no state")
	d, err := b.Describe(plain)
	require.NoError(t, err)
	kept, err := b.Open(load(t, b, model("Relu", 1)), -1, graph.Options{States: []graph.State{{Input: d.Inputs[0].Name, Output: d.Outputs[0].Name}}})
	require.NoError(t, err)
	assert.ErrorContains(t, b.StateFrame(kept, 0), "no run has left the state")
	assert.NoError(t, b.StateFrame(kept, -1), "to begin anew")
}

// Strings cross in slabs, and what a caller says of them is checked.
func TestStringsCross(t *testing.T) {
	b := New()
	h, err := b.Open(load(t, b, echo()), -1, graph.Options{})
	require.NoError(t, err)
	give := func(encoded []byte, dims ...int) error {
		slab := load(t, b, encoded)
		defer func() { require.NoError(t, b.Free(slab)) }()
		frame(b, append(append([]int{len(dims)}, dims...), int(slab)))
		return b.PrepareFrame(h)
	}
	want := []string{"", "ä\x00", "\uFEFFlonger than the others", "z"}
	encoded, slab, err := b.writeStrings(want)
	require.NoError(t, err)
	before := b.Memory()
	for range 3 {
		require.NoError(t, give(encoded, 2, 2))
		require.NoError(t, b.ExecFrame(h))
		assert.Equal(t, []int32{int32(ir.String), 2, 2, 2}, b.Frame()[:4])
		out := Handle(b.Frame()[6])
		bytes, err := b.Bytes(out)
		require.NoError(t, err)
		got := make([]string, 4)
		require.NoError(t, readStrings(got, bytes, &graph.Info{}))
		assert.Equal(t, want, got)
		require.NoError(t, b.Free(out))
	}
	assert.Equal(t, before.Tensors, b.Memory().Tensors)
	require.NoError(t, b.Free(slab))
	assert.Equal(t, BadShape, status(t, b, give(encoded[:15], 2, 2)))
	assert.Equal(t, BadShape, status(t, b, give(encoded[:len(encoded)-1], 2, 2)))
	assert.Equal(t, BadShape, status(t, b, give([]byte{255, 255, 255, 255}, 1, 2)))
	assert.Equal(t, BadShape, status(t, b, give(nil, 1<<30, 2)))
	assert.Equal(t, Invalid, status(t, b, b.ExecFrame(h)), "nothing is prepared after a failure")
	require.NoError(t, give(nil, 0, 2))
	require.NoError(t, b.ExecFrame(h))
	frame(b, []int{2, 2, 2, 0})
	assert.Equal(t, BadShape, status(t, b, b.PrepareFrame(h)), "without a slab")
}

// echo is a model that gives the strings that it takes.
func echo() []byte {
	g := join(field(2, []byte("g")), value(11, "x", uint64(ir.String)), value(12, "x", uint64(ir.String)))
	return join(varint(1, 8), field(8, varint(2, 17)), field(7, g))
}

// A run like the one before is made ready in fewer steps, which must give what the others do.
func TestSessionAgain(t *testing.T) {
	b := New()
	s, err := b.Open(load(t, b, model("Relu", 1)), -1, graph.Options{})
	require.NoError(t, err)
	tensor := func(values ...float32) Handle {
		h, err := b.Alloc(4 * len(values))
		require.NoError(t, err)
		x, err := b.Floats(h, 0, len(values))
		require.NoError(t, err)
		copy(x, values)
		return h
	}
	run := func(n int, h Handle) []float32 {
		frame(b, []int{2, n, 2, int(h)})
		require.NoError(t, b.PrepareFrame(s))
		if h == 0 {
			in := b.prepares(t, s).In(0)
			assert.Equal(t, int32(slab.Addr(in.Data)), b.Frame()[0])
			require.EqualValues(t, n*8, b.Frame()[1])
			for i := range in.Float32s() {
				in.Float32s()[i] = float32(i) - 0.5
			}
		}
		list, err := b.Exec(s)
		require.NoError(t, err)
		y := append([]float32(nil), list[0].Float32s()...)
		require.NoError(t, b.ResultsFrame(s, list))
		assert.Equal(t, []int32{1, 2, int32(n), 2}, b.Frame()[:4])
		return y
	}
	one, other, long := tensor(-1, 2), tensor(3, -4), tensor(1, -2, 3, -4)
	for range 3 { // from wherever its input comes, in any order
		assert.Equal(t, []float32{0, 0.5}, run(1, 0))
		assert.Equal(t, []float32{0, 0.5}, run(1, 0))
		assert.Equal(t, []float32{0, 2}, run(1, one))
		assert.Equal(t, []float32{3, 0}, run(1, other))
		assert.Equal(t, []float32{0, 0.5}, run(1, 0))
		assert.Equal(t, []float32{1, 0, 3, 0}, run(2, long))
		assert.Equal(t, []float32{0, 0.5, 1.5, 2.5}, run(2, 0))
	}
	assert.Equal(t, []float32{0, 2}, run(1, one))
	for _, tt := range []struct {
		why    string
		ints   []int
		status Status
	}{
		{"as many elements as another shape", []int{2, 1, 2, int(long)}, BadShape},
		{"a session in place of a tensor", []int{2, 1, 2, int(s)}, Invalid},
		{"no such dimensions", []int{2, 1, 3, int(one)}, BadShape},
	} {
		frame(b, tt.ints)
		assert.Equal(t, tt.status, status(t, b, b.PrepareFrame(s)), tt.why)
		assert.Equal(t, Invalid, status(t, b, b.ExecFrame(s)), "nothing is prepared after a failure")
		assert.Equal(t, []float32{0, 2}, run(1, one), tt.why)
	}
	// What fed the latest run is let go of: another needs another Prepare.
	assert.Equal(t, Disposed, status(t, b, b.ExecFrame(s)))
	// Another plan meanwhile, from elsewhere.
	_, err = b.Prepare(s, [][]int{{5, 2}})
	require.NoError(t, err)
	assert.Equal(t, []float32{3, 0}, run(1, other))
	require.NoError(t, b.Free(one))
	frame(b, []int{2, 1, 2, int(one)})
	assert.Equal(t, Disposed, status(t, b, b.PrepareFrame(s)))
	assert.Equal(t, []float32{3, 0}, run(1, other))
	for _, h := range []Handle{0, other} {
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			frame := b.Frame()
			frame[0], frame[1], frame[2], frame[3] = 2, 1, 2, int32(h)
			if b.PrepareFrame(s) != nil || b.ExecFrame(s) != nil {
				t.Fail()
			}
		}))
	}
	require.NoError(t, b.Release(s))
	frame(b, []int{2, 1, 2, int(other)})
	assert.Equal(t, Disposed, status(t, b, b.PrepareFrame(s)))
}

// prepares is the run that a session has prepared.
func (b *Bridge) prepares(t *testing.T, h Handle) *graph.Run {
	t.Helper()
	s, err := b.session(h)
	require.NoError(t, err)
	return s.run
}
