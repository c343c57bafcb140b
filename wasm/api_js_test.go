package main

import (
	"math"
	"strings"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/slab"
)

// options makes a JavaScript object of pairs of names and values.
func options(pairs ...any) js.Value {
	o := jsObject.New()
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func ints(list ...int) js.Value { return array(list, same) }

func isError(v js.Value) bool { return v.Type() == js.TypeObject && v.InstanceOf(jsError) }

// elements copies a Float32Array.
func elements(t *testing.T, v js.Value) []float32 {
	t.Helper()
	require.False(t, isError(v), "%v", v.Call("toString"))
	s, err := floats(v, "v")
	require.NoError(t, err)
	return s
}

func TestAPIDocumentsItself(t *testing.T) {
	api := newAPI()
	assert.Equal(t, bridge.Version, api.Get("version").String())
	assert.Equal(t, simd, api.Get("simd").Bool())
	all := api.Call("help").String()
	for _, e := range entries {
		doc := api.Get(e.name).Get("doc").String()
		assert.True(t, strings.HasPrefix(doc, e.name+"("), e.name)
		assert.Contains(t, all, doc)
		assert.Equal(t, doc, api.Call("help", e.name).String())
	}
	assert.True(t, isError(api.Call("help", "nothing")))
}

// low and high are the halves in which the frame carries a number.
func low(v float64) int32  { return int32(math.Float64bits(v)) }
func high(v float64) int32 { return int32(math.Float64bits(v) >> 32) }

// The two interfaces share their arithmetic: the frame of an export and the options of the
// API object give the same bits.
func TestLanes(t *testing.T) {
	api := newAPI()
	x := make([]float32, 6*40)
	for i := range x {
		x[i] = float32(math.Sin(float64(i))*3 + 100)
	}
	stats := []float32{0.5, 1, 2, 3, 4, 5}
	put := func(s []float32) int32 {
		h := alloc(uint32(4 * len(s)))
		require.NotZero(t, h)
		b, err := state.Bytes(bridge.Handle(h))
		require.NoError(t, err)
		copy(b, slab.Bytes(s))
		return int32(h)
	}
	hx, hs := put(x), put(stats)
	hy := put(make([]float32, len(x)))
	get := func() []float32 {
		s, err := state.Floats(bridge.Handle(hy), 0, len(x))
		require.NoError(t, err)
		return s
	}

	copy(state.Frame(), []int32{
		hy, 0, 240, hx, 0, 240, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 40, -1,
		low(1e-5), high(1e-5), 0, 0,
	})
	require.Zero(t, normalize(0))
	assert.Equal(t, get(), elements(t, api.Call("layerNorm", float32Array(x), options("shape", ints(6, 40)))))

	copy(state.Frame(), []int32{
		hy, 0, 240, hx, 0, 240, 0, 0, 0, 0, 0, 0, hs, 0, 6, hs, 0, 6, 3, 1, 6, 40, -1,
		low(1e-3), high(1e-3), 0, 0, low(1), high(1), low(bridge.None), high(bridge.None),
	})
	require.Zero(t, normalize(1))
	v := float32Array(stats)
	assert.Equal(t, get(), elements(t, api.Call("batchNorm", float32Array(x),
		options("shape", ints(1, 6, 40), "mean", v, "variance", v, "epsilon", 1e-3, "activation", "relu"))))

	for _, h := range []int32{hx, hs, hy} {
		assert.Zero(t, free(uint32(h)))
		assert.EqualValues(t, bridge.Disposed, free(uint32(h)))
	}
	assert.Contains(t, string(state.Failure()), "no live tensor")
	assert.Zero(t, state.Memory().Tensors)
}

func TestFailuresAreReturned(t *testing.T) {
	api := newAPI()
	x := float32Array(make([]float32, 8))
	for name, tt := range map[string]struct {
		got  js.Value
		code string
	}{
		"nothing":  {api.Call("layerNorm"), "INVALID_VALUE"},
		"shape":    {api.Call("layerNorm", x, options("shape", ints(3, 3))), "INVALID_SHAPE"},
		"class":    {api.Call("layerNorm", ints(1, 2)), "INVALID_VALUE"},
		"epsilon":  {api.Call("layerNorm", x, options("epsilon", math.NaN())), "INVALID_VALUE"},
		"stale":    {api.Call("read", options("handle", 123456)), "DISPOSED"},
		"huge":     {api.Call("tensor", ints(1<<20, 1<<20)), "OUT_OF_MEMORY"},
		"negative": {api.Call("tensor", ints(2, -1)), "INVALID_SHAPE"},
	} {
		if assert.True(t, isError(tt.got), name) {
			assert.Equal(t, tt.code, tt.got.Get("code").String(), name)
			assert.NotEmpty(t, tt.got.Get("message").String(), name)
		}
	}
}

// A panic must end neither interface.
func TestPanicsAreCaught(t *testing.T) {
	api := newAPI()
	trap := js.Global().Get("Function").Invoke("throw new Error('a getter that fails')")
	o := jsObject.New()
	js.Global().Get("Object").Call("defineProperty", o, "shape", options("get", trap))
	got := api.Call("layerNorm", float32Array(make([]float32, 2)), o)
	require.True(t, isError(got))
	assert.Contains(t, got.Get("message").String(), "a getter that fails")
	assert.Equal(t, "INVALID_VALUE", got.Get("code").String())

	var status int32
	func() {
		defer caughtStatus(&status)
		panic("a fault")
	}()
	assert.EqualValues(t, bridge.Internal, status)
	assert.Contains(t, string(state.Failure()), "a fault")
	h := uint32(7)
	func() {
		defer caughtHandle(&h)
		var s []int
		_ = s[len(s)]
	}()
	assert.Zero(t, h)
	assert.Contains(t, string(state.Failure()), "out of range")
}
