package bridge

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/norm"
)

// status runs err through Fail as an export does.
func status(t *testing.T, b *Bridge, err error) Status {
	t.Helper()
	s := b.Fail(err)
	if s != OK {
		require.NotEmpty(t, b.Failure())
	}
	return s
}

// put allocates a slab with these elements.
func put(t *testing.T, b *Bridge, s ...float32) Handle {
	t.Helper()
	h, err := b.Alloc(4 * len(s))
	require.NoError(t, err)
	bytes, err := b.Bytes(h)
	require.NoError(t, err)
	copy(bytes, slab.Bytes(s))
	return h
}

// whole is an operand that takes all of a slab of n elements.
func whole(h Handle, n int) []int { return []int{int(int32(h)), 0, n} }

var absent = []int{0, 0, 0}

// given stands on the frame for these options.
func given(options ...float64) (l []int) {
	for _, v := range options {
		bits := math.Float64bits(v)
		l = append(l, int(int32(bits)), int(int32(bits>>32)))
	}
	return l
}

// op is an operation's number.
func op(t *testing.T, name string) int {
	t.Helper()
	i := slices.IndexFunc(Operations[:], func(o Operation) bool { return o.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return i
}

// frame writes the lists one after another.
func frame(b *Bridge, lists ...[]int) {
	at := 0
	for _, l := range lists {
		for _, v := range l {
			b.Frame()[at] = int32(v)
			at++
		}
	}
}

func TestHandles(t *testing.T) {
	b := New()
	first := put(t, b, 1, 2, 3)
	assert.Equal(t, Memory{InUse: 12, Tensors: 1}, b.Memory())
	require.NoError(t, b.Free(first))
	assert.Equal(t, Memory{}, b.Memory())

	second := put(t, b, 4)
	assert.Equal(t, first&maxIndex, second&maxIndex, "the slot is used again")
	assert.NotEqual(t, first, second)
	for name, h := range map[string]Handle{"stale": first, "zero": 0, "never made": 77, "far": maxIndex, "all bits": math.MaxUint32} {
		_, err := b.Bytes(h)
		assert.Equal(t, Disposed, status(t, b, err), name)
		assert.Equal(t, Disposed, status(t, b, b.Free(h)), name)
		assert.Equal(t, Disposed, status(t, b, b.Release(h)), name)
		_, err = b.Exec(h)
		assert.Equal(t, Disposed, status(t, b, err), name)
	}
	assert.Equal(t, Memory{InUse: 4, Tensors: 1}, b.Memory(), "failures change nothing")
	assert.Equal(t, Invalid, status(t, b, b.Release(second)), "a tensor is no session")
	assert.Contains(t, string(b.Failure()), "does not name a session")
}

// A handle must not come back however often its slot is used.
func TestHandlesNeverReturn(t *testing.T) {
	var tab table
	seen := map[Handle]bool{}
	for range 3 * lastGeneration {
		h := tab.put(1)
		require.NotZero(t, h)
		require.False(t, seen[h], "handle %d is given out again", h)
		seen[h] = true
		tab.drop(h)
	}
	assert.Len(t, tab.slots, 3)
}

func TestAllocLimits(t *testing.T) {
	b := New()
	for _, n := range []int{-1, MaxBytes + 1, math.MaxInt} {
		_, err := b.Alloc(n)
		assert.Equal(t, NoMemory, status(t, b, err), n)
		if n >= 0 {
			_, err = b.Scratch(n)
			assert.Equal(t, NoMemory, status(t, b, err), n)
		}
	}
}

func TestNoRoom(t *testing.T) {
	b := New()
	t.Cleanup(func() { slab.SetLimit(slab.Limit) })
	x := put(t, b, 1, 2, 3)
	slab.SetLimit(0)
	for name, f := range map[string]func() error{
		"a tensor":  func() error { _, err := b.Alloc(1 << 29); return err },
		"scratch":   func() error { _, err := b.Scratch(1 << 29); return err },
		"a layer":   func() error { _, err := b.NewLayer(1<<22, false); return err },
		"one large": func() error { _, err := b.Alloc(MaxBytes); return err },
	} {
		assert.Equal(t, NoMemory, status(t, b, f()), name)
		assert.Contains(t, string(b.Failure()), "normwasm: there is no memory for ", name)
		assert.Equal(t, Memory{InUse: 12, Tensors: 1}, b.Memory(), name)
	}
	s, err := b.Open(load(t, b, model("Relu", 1)), -1, graph.Options{})
	require.NoError(t, err)
	_, err = b.Prepare(s, [][]int{{1 << 25, 2}})
	assert.Equal(t, NoMemory, status(t, b, err))
	_, err = b.Prepare(s, [][]int{{1 << 30, 2}})
	assert.Equal(t, BadShape, status(t, b, err))
	in, err := b.Prepare(s, [][]int{{1, 2}})
	require.NoError(t, err)
	assert.Len(t, in[0].Data, 8)
	assert.Equal(t, []float32{1, 2, 3}, read(t, b, x))
	slab.SetLimit(slab.Limit)
	_, err = b.Prepare(s, [][]int{{1 << 20, 2}})
	require.NoError(t, err)
	require.NoError(t, b.Release(s))
	assert.Equal(t, Memory{InUse: 12, Tensors: 1}, b.Memory())
}

func TestScratch(t *testing.T) {
	b := New()
	small, err := b.Scratch(100)
	require.NoError(t, err)
	again, err := b.Scratch(1 << 16)
	require.NoError(t, err)
	assert.Equal(t, small, again, "it was large enough")
	large, err := b.Scratch(1<<16 + 1)
	require.NoError(t, err)
	assert.NotEqual(t, small, large)
	_, err = b.Floats(small, 0, 1)
	assert.Equal(t, Disposed, status(t, b, err))
	s, err := b.Floats(large, 0, 1<<14+1)
	require.NoError(t, err)
	assert.Len(t, s, 1<<14+1)
	assert.Equal(t, Invalid, status(t, b, b.Free(large)))
	assert.Zero(t, b.Memory().InUse, "scratch is not a tensor's")
	assert.NotZero(t, b.Memory().Scratch)
}

func TestFloats(t *testing.T) {
	b := New()
	h := put(t, b, 1, 2, 3, 4)
	s, err := b.Floats(h, 1, 2)
	require.NoError(t, err)
	assert.Equal(t, []float32{2, 3}, s)
	s, err = b.Floats(h, 4, 0)
	require.NoError(t, err)
	assert.True(t, s != nil && len(s) == 0, "an operand without elements is there all the same")
	s, err = b.Floats(0, 7, 7)
	require.NoError(t, err)
	assert.Nil(t, s)
	for _, bad := range [][2]int{{0, 5}, {4, 1}, {5, 0}, {-1, 2}, {0, -1}, {math.MaxInt32, math.MaxInt32}, {math.MinInt32, math.MaxInt32}} {
		_, err := b.Floats(h, bad[0], bad[1])
		assert.Equal(t, BadShape, status(t, b, err), bad)
	}
}

func TestLayerNormFrame(t *testing.T) {
	b := New()
	x := []float32{1, 2, 3, 4, 5, 7, 9, 20}
	scale, bias, residual := []float32{1, 2, 3, 4}, []float32{-1, 0, 1, 2}, []float32{1, 1, 2, 2, 3, 3, 4, 4}
	want := make([]float32, 8)
	mean, rstd := make([]float32, 2), make([]float32, 2)
	require.NoError(t, norm.LayerNormAxes(want, mean, rstd, x, residual, scale, bias, []int{2, 4}, []int{1}, 1e-5))

	hx, hs, hb, hr, hy, hm := put(t, b, x...), put(t, b, scale...), put(t, b, bias...), put(t, b, residual...), put(t, b, make([]float32, 8)...), put(t, b, 0, 0, 0, 0)
	frame(b, whole(hy, 8), whole(hx, 8), whole(hs, 4), whole(hb, 4), whole(hr, 8),
		[]int{int(hm), 0, 2}, []int{int(hm), 2, 2}, absent, []int{2, 2, 4}, []int{-1}, given(1e-5, 0))
	for range 2 { // the second call finds the preparation
		require.NoError(t, b.NormFrame(0))
		y, _ := b.Floats(hy, 0, 8)
		assert.Equal(t, want, y)
		stats, _ := b.Floats(hm, 0, 4)
		assert.Equal(t, append(append([]float32{}, mean...), rstd...), stats)
	}
	assert.Len(t, b.plans, 1)
	assert.Zero(t, testing.AllocsPerRun(100, func() { b.NormFrame(0) }))

	// In place, over the first axis.
	require.NoError(t, norm.LayerNormAxes(want, nil, nil, x, nil, nil, nil, []int{2, 4}, []int{0}, 1e-5))
	frame(b, whole(hx, 8), whole(hx, 8), absent, absent, absent, absent, absent, absent, []int{2, 2, 4}, []int{1, -2}, given(1e-5, 0))
	require.NoError(t, b.NormFrame(0))
	got, _ := b.Floats(hx, 0, 8)
	assert.Equal(t, want, got)
}

func TestLayerNormFrameErrors(t *testing.T) {
	b := New()
	x, y, four := put(t, b, make([]float32, 8)...), put(t, b, make([]float32, 8)...), put(t, b, 1, 1, 1, 1)
	gone := put(t, b, 1)
	require.NoError(t, b.Free(gone))
	shape, last := []int{2, 2, 4}, []int{-1}
	call := func(y, x, scale []int, rest ...[]int) func(epsilon float64) {
		return func(epsilon float64) {
			frame(b, append(append([][]int{y, x, scale, absent, absent, absent, absent, absent}, rest...), given(epsilon, 0))...)
		}
	}
	tests := []struct {
		name    string
		call    func(epsilon float64)
		epsilon float64
		status  Status
		text    string
	}{
		{"wrong length", call(whole(y, 8), whole(x, 7), absent, shape, last), 0, BadShape, "x has 7 elements, want 8 (x [2 4])"},
		{"wrong scale", call(whole(y, 8), whole(x, 8), whole(four, 3), shape, last), 0, BadShape, "norm: LayerNorm: scale has 3 elements, want 4"},
		{"wrong out", call(whole(y, 4), whole(x, 8), absent, shape, last), 0, BadShape, "out has 4 elements, want 8"},
		{"missing x", call(whole(y, 8), absent, absent, shape, last), 0, BadShape, "x has 0 elements"},
		{"beyond the slab", call(whole(y, 8), whole(x, 9), absent, shape, last), 0, BadShape, "outside a slab of 8"},
		{"disposed", call(whole(y, 8), whole(x, 8), whole(gone, 1), shape, last), 0, Disposed, "no live tensor"},
		{"axis", call(whole(y, 8), whole(x, 8), absent, shape, []int{1, 2}), 0, BadShape, "axis 2 is out of range"},
		{"axis twice", call(whole(y, 8), whole(x, 8), absent, shape, []int{2, 1, -1}), 0, BadShape, "twice"},
		{"scalar without axes", call(whole(y, 1), whole(x, 1), absent, []int{0}, last), 0, BadShape, "x [] has no axes"},
		{"negative dimension", call(whole(y, 8), whole(x, 8), absent, []int{2, -2, -4}, last), 0, BadShape, "negative"},
		{"immense", call(whole(y, 8), whole(x, 8), absent, []int{5, math.MaxInt32, math.MaxInt32, math.MaxInt32, 2, 2}, last), 0, BadShape, "more elements than memory can hold"},
		{"rank", call(whole(y, 8), whole(x, 8), absent, []int{33}), 0, BadShape, "33 entries"},
		{"negative rank", call(whole(y, 8), whole(x, 8), absent, []int{-2}), 0, BadShape, "-2 entries"},
		{"negative epsilon", call(whole(y, 8), whole(x, 8), absent, shape, last), -1, Invalid, "epsilon is -1"},
		{"epsilon", call(whole(y, 8), whole(x, 8), absent, shape, last), math.NaN(), Invalid, "epsilon is NaN"},
		{"overlap", call([]int{int(x), 4, 4}, []int{int(x), 2, 4}, absent, []int{1, 4}, last), 0, Invalid, "out overlaps x"},
		{"out is scale", call(whole(four, 4), []int{int(x), 0, 4}, whole(four, 4), []int{1, 4}, last), 0, Invalid, "out and scale are the same memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.call(tt.epsilon)
			assert.Equal(t, tt.status, status(t, b, b.NormFrame(0)))
			assert.Contains(t, string(b.Failure()), tt.text)
		})
	}
}

func TestBatchNormFrame(t *testing.T) {
	b := New()
	x := []float32{-1, 2, -3, 4, 5, -6, 7, 8}
	mean, variance, scale, bias := []float32{1, 2}, []float32{4, 9}, []float32{2, 3}, []float32{0.5, 1}
	hx, hy := put(t, b, x...), put(t, b, make([]float32, 8)...)
	hm, hv, hs, hb := put(t, b, mean...), put(t, b, variance...), put(t, b, scale...), put(t, b, bias...)
	tests := []struct {
		name string
		tail []float64 // layout, activation, axis
		axis int
		act  norm.Activation
	}{
		{"no layout", []float64{None, 0, None}, 1, norm.Linear},
		{"nchw", []float64{0, 0, None}, 1, norm.Linear},
		{"nhwc", []float64{1, 1, None}, 2, norm.ReLU},
		{"axis 0", []float64{None, 2, 0}, 0, norm.ReLU6},
		{"axis -1", []float64{None, 0, -1}, -1, norm.Linear},
		{"both", []float64{1, 0, -1}, -1, norm.Linear},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := norm.NewBatchNorm([]int{2, 2, 2}, tt.axis, 1e-3, tt.act)
			require.NoError(t, err)
			want := make([]float32, 8)
			require.NoError(t, n.Forward(want, x, mean, variance, scale, bias))
			frame(b, whole(hy, 8), whole(hx, 8), whole(hs, 2), whole(hb, 2), whole(hm, 2), whole(hv, 2), []int{3, 2, 2, 2, -1}, given(1e-3), given(tt.tail...))
			require.NoError(t, b.NormFrame(1))
			y, _ := b.Floats(hy, 0, 8)
			assert.Equal(t, want, y)
			assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(1) }))
		})
	}
	frame(b, whole(hy, 8), whole(hx, 8), absent, absent, whole(hm, 2), whole(hv, 2), []int{1, 8, -1}, given(0, 0, 0, None))
	assert.Equal(t, BadShape, status(t, b, b.NormFrame(1)))
	assert.Contains(t, string(b.Failure()), "rank 1, want at least 2")
	frame(b, whole(hy, 8), whole(hx, 8), absent, absent, whole(hm, 2), whole(hv, 2), []int{3, 2, 2, 2, -1}, given(0, 1, 0, 1))
	assert.Equal(t, Contradiction, status(t, b, b.NormFrame(1)))
	assert.Contains(t, string(b.Failure()), "axis is 1, and layout 'nhwc' has the channels at axis 2 of x [2 2 2]")
	frame(b, whole(hy, 8), whole(hx, 8), absent, absent, whole(hm, 2), whole(hv, 2), []int{2, 4, 2, -1}, given(0, 0, 4, None))
	assert.Equal(t, Invalid, status(t, b, b.NormFrame(1)))
	frame(b, whole(hy, 8), whole(hx, 8), absent, absent, whole(hm, 2), absent, []int{2, 4, 2, -1}, given(0, 0, 0, None))
	assert.Equal(t, BadShape, status(t, b, b.NormFrame(1)))
	assert.Contains(t, string(b.Failure()), "variance has 0 elements, want 2")
}

func TestCacheKeepsTheLatest(t *testing.T) {
	b := New()
	shape := []int{0}
	for n := 1; n <= 2*cached; n++ {
		shape[0] = n
		c := Call{Shape: shape}
		c.Operands[0], c.Operands[1], c.Options[0] = make([]float32, n), make([]float32, n), 1e-5
		require.NoError(t, b.Norm(&c))
	}
	require.Len(t, b.plans, cached)
	assert.Equal(t, []int{2 * cached}, b.plans[0].shape)
	shape[0] = 5 // the cache must not hold the caller's slice
	assert.Equal(t, []int{2 * cached}, b.plans[0].shape)
}

// A layer remembers a forward pass and nothing of what the caller owns.
func TestLayer(t *testing.T) {
	b := New()
	layer, err := b.NewLayer(2, false)
	require.NoError(t, err)
	assert.Equal(t, Memory{InUse: 2 * layerBytes}, b.Memory(), "a layer is no tensor")
	x := []float32{1, 2, 3, 5, 7, 11, 13, 17}
	dy := []float32{1, 0, 2, 0, -1, 3, 1, 1}
	hx, hy, hd, hg := put(t, b, x...), put(t, b, make([]float32, 8)...), put(t, b, dy...), put(t, b, 0, 0, 0, 0)
	running := put(t, b, 0, 0, 1, 1)
	l, err := norm.NewBatchNormLayer(2, norm.ONNX)
	require.NoError(t, err)
	want, grad := make([]float32, 8), make([]float32, 8)
	require.NoError(t, l.Forward(want, x, []int{4, 2}, true, true))
	dgamma, dbeta := make([]float32, 2), make([]float32, 2)
	require.NoError(t, l.Backward(grad, dgamma, dbeta, dy, x))

	momentum := 0.9
	forward := func(layer Handle, useBatch float64) error {
		frame(b, whole(hy, 8), whole(hx, 8), absent, absent, []int{int(running), 0, 2}, []int{int(running), 2, 2}, absent, []int{2, 4, 2, -1},
			given(float64(layer), 0, 1, 1e-5, momentum, useBatch, 1, 0, 0, 0))
		return b.NormFrame(op(t, "batchNormForward"))
	}
	backward := func() error {
		frame(b, whole(hy, 8), whole(hd, 8), whole(hx, 8), absent, absent, []int{int(hg), 0, 2}, []int{int(hg), 2, 2}, []int{2, 4, 2, -1}, given(float64(layer)))
		return b.NormFrame(op(t, "batchNormBackward"))
	}
	assert.Equal(t, Invalid, status(t, b, backward()), "before a forward")
	require.NoError(t, forward(layer, 1))
	y, _ := b.Floats(hy, 0, 8)
	assert.Equal(t, want, y)
	stats, _ := b.Floats(running, 0, 4)
	assert.Equal(t, append(slices.Clone(l.RunningMean), l.RunningVar...), stats)
	require.NoError(t, backward())
	assert.Equal(t, grad, y)
	g, _ := b.Floats(hg, 0, 4)
	assert.Equal(t, append(dgamma, dbeta...), g)
	require.NoError(t, forward(layer, 1))
	number := op(t, "batchNormForward")
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(number) }))

	// A failure leaves the running statistics alone.
	momentum = 2
	kept := slices.Clone(stats)
	assert.Equal(t, Invalid, status(t, b, forward(layer, 0)))
	assert.Contains(t, string(b.Failure()), "momentum is 2, want 0 to 1")
	assert.Equal(t, kept, stats)
	momentum = 0.9

	for name, h := range map[string]Handle{"a tensor": hx, "none": 0, "never made": 77} {
		assert.NotEqual(t, OK, status(t, b, forward(h, 1)), name)
	}
	_, err = b.Bytes(layer)
	assert.Equal(t, Invalid, status(t, b, err), "a layer is no tensor")
	require.NoError(t, b.Free(layer))
	assert.Equal(t, Disposed, status(t, b, b.Free(layer)))
	assert.Equal(t, Disposed, status(t, b, forward(layer, 1)))
	for _, n := range []int{-1, MaxBytes, math.MaxInt} {
		_, err = b.NewLayer(n, true)
		assert.NotEqual(t, OK, status(t, b, err))
	}
}

func TestCaught(t *testing.T) {
	caught := func(f func()) (err error) {
		defer func() { err = Caught(recover()) }()
		f()
		return nil
	}
	assert.NoError(t, caught(func() {}))
	for _, f := range []func(){
		func() { panic("told") }, func() { var s []int; _ = s[len(s)] }, func() { panic(3) },
	} {
		s, message := Classify(caught(f))
		assert.Equal(t, Internal, s)
		assert.True(t, strings.HasPrefix(message, "bridge: internal error"), message)
	}
}

// FuzzFrame makes calls out of arbitrary bytes. Whatever the frame says, a call
// ends with a status, and memory that it was not given keeps its contents.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x08\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x02\x04\xff"), 1e-5, uint8(0))
	f.Add([]byte{1, 2, 3}, math.NaN(), uint8(1))
	for i := range Operations {
		f.Add([]byte{1, 0, 16, 1, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 4, 255}, 1.0, uint8(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, number float64, operation uint8) {
		b := New()
		operand := put(t, b, make([]float32, 16)...)
		guard := put(t, b, 7, 7, 7, 7)
		o := int(operation) % len(Operations)
		operands := 3 * len(Operations[o].Operands)
		handles := []int{0, int(operand), int(guard) | 1<<28, 99, -1}
		for i, c := range in {
			v := int(int8(c))
			if i < operands && i%3 == 0 {
				v = handles[int(c)%len(handles)]
			}
			b.Frame()[i%FrameSize] = int32(v)
		}
		if len(in) > operands && len(in) < 1000 {
			for i, v := range given(number, 1, 1, float64(len(in)), number, number) { // wherever the options start
				b.Frame()[len(in)+i] = int32(v)
			}
		}
		err := b.NormFrame(o)
		s := b.Fail(err)
		require.NotEqual(t, Internal, s, string(b.Failure()))
		kept, err := b.Floats(guard, 0, 4)
		require.NoError(t, err)
		require.Equal(t, []float32{7, 7, 7, 7}, kept)
		require.Equal(t, Memory{InUse: 80, Tensors: 2}, b.Memory())
	})
}
