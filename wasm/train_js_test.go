//go:build train

package main

import (
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parse makes a JavaScript value of JSON.
func parse(text string) js.Value { return js.Global().Get("JSON").Call("parse", text) }

const small = `{ "input": [2], "model": [{ "type": "linear", "units": 3 }, { "type": "batchNorm" }, { "type": "linear", "units": 2 }],
	"loss": "crossEntropy", "optimizer": { "type": "sgd", "learningRate": 0.1 } }`

// A plain script can train with the API object alone.
func TestNetwork(t *testing.T) {
	api := newAPI()
	require.Equal(t, "train", api.Get("edition").String())
	n := api.Call("network", parse(small))
	require.Equal(t, js.TypeNumber, n.Type(), "%v", n)
	batch := options("n", 4, "x", float32Array([]float32{0, 0, 0, 1, 1, 0, 1, 1}), "y", jsInt32.New(ints(0, 1, 1, 1)))
	first := api.Call("step", n, batch)
	require.False(t, isError(first), "%v", first)
	var last js.Value
	for range 50 {
		last = api.Call("step", n, batch)
	}
	assert.Less(t, last.Get("loss").Float(), first.Get("loss").Float())
	assert.Equal(t, 1.0, api.Call("evaluate", n, batch, "batch").Get("accuracy").Float())
	assert.Equal(t, 8, api.Call("evaluate", n, batch).Get("outputs").Length())
	assert.Equal(t, 3, api.Call("statistics", n).Length())

	snapshot := api.Call("snapshot", n)
	next := api.Call("step", n, batch).Get("loss").Float()
	require.True(t, api.Call("restore", n, snapshot).IsUndefined())
	assert.Equal(t, next, api.Call("step", n, batch).Get("loss").Float())

	require.True(t, api.Call("gather", n, batch, true).IsUndefined())
	require.True(t, api.Call("settle", n).IsUndefined())
	assert.True(t, isError(api.Call("settle", n)), "nothing was gathered since")
	assert.Greater(t, api.Call("onnx", n).Length(), 200)

	require.True(t, api.Call("release", n).IsUndefined())
	for _, name := range []string{"step", "evaluate", "statistics", "snapshot", "onnx", "settle", "release"} {
		got := api.Call(name, n, batch)
		require.True(t, isError(got), name)
		assert.Equal(t, "DISPOSED", got.Get("code").String(), name)
	}
}

func TestNetworkFailures(t *testing.T) {
	api := newAPI()
	n := api.Call("network", parse(small))
	for name, tt := range map[string]struct {
		got  js.Value
		code string
	}{
		"nothing":      {api.Call("network"), "INVALID_VALUE"},
		"no layers":    {api.Call("network", parse(`{ "model": [], "input": [2], "optimizer": { "type": "sgd", "learningRate": 1 } }`)), "INVALID_VALUE"},
		"shapes":       {api.Call("network", parse(`{ "model": [{ "type": "gru", "units": 2 }], "input": [2], "loss": "crossEntropy", "optimizer": { "type": "sgd", "learningRate": 1 } }`)), "INVALID_SHAPE"},
		"huge":         {api.Call("network", parse(`{ "model": [{ "type": "linear", "units": 16777216 }, { "type": "linear", "units": 16777216 }], "input": [2], "loss": "crossEntropy", "optimizer": { "type": "sgd", "learningRate": 1 } }`)), "OUT_OF_MEMORY"},
		"no batch":     {api.Call("step", n), "INVALID_VALUE"},
		"other arrays": {api.Call("step", n, options("n", 1, "x", jsInt32.New(2), "y", jsInt32.New(1))), "INVALID_VALUE"},
		"short":        {api.Call("step", n, options("n", 4, "x", jsFloat32.New(2), "y", jsInt32.New(4))), "INVALID_SHAPE"},
		"a label":      {api.Call("step", n, options("n", 2, "x", jsFloat32.New(4), "y", jsInt32.New(ints(0, 7)))), "INVALID_VALUE"},
		"not finite":   {api.Call("step", n, options("n", 2, "x", jsFloat32.New(parse("[0, 0, 0, null]")).Call("fill", js.Global().Get("NaN")), "y", jsInt32.New(2))), "NOT_FINITE"},
		"statistics":   {api.Call("evaluate", n, options("n", 1, "x", jsFloat32.New(2), "y", jsInt32.New(1)), "both"), "INVALID_VALUE"},
		"a snapshot":   {api.Call("restore", n, parse(`{ "steps": 1, "random": "x", "batches": [], "tensors": [] }`)), "INVALID_VALUE"},
		"no tensors":   {api.Call("restore", n, parse(`{ "steps": 1, "random": "0123456789abcdef", "batches": [1], "tensors": [] }`)), "INVALID_SHAPE"},
		"untrained":    {api.Call("onnx", n), "INVALID_VALUE"},
	} {
		if assert.True(t, isError(tt.got), name) {
			assert.Equal(t, tt.code, tt.got.Get("code").String(), "%s: %s", name, tt.got.Get("message").String())
		}
	}
}
