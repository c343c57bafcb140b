//go:build !train

package main

import (
	"strings"
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
)

var special = []entry{
	{"open", `open(model, options?): session
Reads an ONNX model: a Uint8Array, or a tensor that holds the file's bytes from
its address on and that the session takes over. options: bytes (the file's length
in a tensor; default: all of it), files ([{ path, slab, bytes }]: tensors that hold
the files which files(model) lists, and that the session takes over), graphOptimizationLevel ('all', the default, or
'none'), freeDimensionOverrides ({ name: size }), state ('auto', or [input, output, …]).`, open},
	{"files", `files(model, bytes?): [{ path, bytes, tensor }]
The files that a model in a tensor refers to: path relative to the model's, the
bytes that it has at least, and the first tensor that is in it.`, files},
	{"describe", `describe(s: session): { inputs, outputs, ops, bytes }
inputs and outputs: [{ name, type, shape, state, form }], where shape is null when the model
does not say and has the name of each symbolic dimension, and form says what is no tensor: a sequence, optional, an
optional sequence. ops: [{ op, count }]
after optimization.`, describe},
	{"run", `run(s: session, feeds: { name: { shape, data } }): { name: { type, shape, data } }
Runs a session. data is a typed array of the input's type (float16 as
Uint16Array, bool as Uint8Array, int64 as BigInt64Array), or an array of strings.
States may be left out, and are not among the results.`, run},
	{"profile", `profile(s: session, feeds): { outputs, nodes: [{ name, op, ms, layout }], totalMs }
Runs a session and says how long each node took, and which of them gave channels in blocks ("blocked").`, profile},
	{"release", `release(s: session): undefined
Ends a session and frees its memory.`, release},
}

func open(args []js.Value) (any, error) {
	model, options := arg(args, 0), arg(args, 1)
	if model.Type() != js.TypeObject || !model.InstanceOf(jsBytes) {
		h, err := handle(model)
		if err != nil {
			return nil, invalid("wasm: model is neither a Uint8Array nor a tensor")
		}
		return openSlab(h, options)
	}
	h, err := state.Alloc(model.Length())
	if err != nil {
		return nil, err
	}
	b, err := state.Bytes(h)
	if err != nil {
		return nil, err
	}
	js.CopyBytesToGo(b, model)
	return openSlab(h, options)
}

func openSlab(h bridge.Handle, options js.Value) (any, error) {
	o, err := sessionOptions(options)
	bytes := -1
	if given := option(options, "bytes"); err == nil && !isNone(given) {
		bytes, err = integer(given, "bytes")
	}
	if err != nil {
		state.Free(h)
		return nil, err
	}
	var list []bridge.File
	if given := option(options, "files"); !isNone(given) {
		for i := range given.Length() {
			v := given.Index(i)
			f := bridge.File{Path: property(v, "path").String()}
			if f.Slab, err = handle(property(v, "slab")); err == nil {
				f.Bytes, err = integer(property(v, "bytes"), "files.bytes")
			}
			if err != nil {
				state.Free(h)
				return nil, err
			}
			list = append(list, f)
		}
	}
	s, err := state.OpenWith(h, bytes, list, o)
	if err != nil {
		return nil, err
	}
	return uint32(s), nil
}

// files lists what a model refers to.
func files(args []js.Value) (any, error) {
	h, err := handle(arg(args, 0))
	if err != nil {
		return nil, invalid("wasm: model is not a tensor")
	}
	bytes := -1
	if given := arg(args, 1); !isNone(given) {
		if bytes, err = integer(given, "bytes"); err != nil {
			return nil, err
		}
	}
	list, err := state.Files(h, bytes)
	if err != nil {
		return nil, err
	}
	return array(list, func(f onnx.File) any {
		v := jsObject.New()
		v.Set("path", f.Path)
		v.Set("bytes", float64(f.Bytes))
		v.Set("tensor", f.Named)
		return v
	}), nil
}

func sessionOptions(options js.Value) (o graph.Options, err error) {
	if level := option(options, "graphOptimizationLevel"); !isNone(level) {
		switch level.String() {
		case "all", "none":
			o.Optimize = level.String()
		default:
			return o, invalid("wasm: graphOptimizationLevel is ", level.String(), ", want all or none")
		}
	}
	o.Resident = option(options, "resident").Truthy()
	if states := option(options, "state"); states.Type() == js.TypeString {
		o.AutoStates = true
	} else if !isNone(states) {
		for i := 1; i < states.Length(); i += 2 {
			o.States = append(o.States, graph.State{Input: states.Index(i - 1).String(), Output: states.Index(i).String()})
		}
	}
	overrides := option(options, "freeDimensionOverrides")
	if isNone(overrides) {
		return o, nil
	}
	names := jsObject.Call("keys", overrides)
	o.FreeDims = map[string]int{}
	for i := range names.Length() {
		name := names.Index(i).String()
		if o.FreeDims[name], err = integer(property(overrides, name), "freeDimensionOverrides."+name); err != nil {
			return o, err
		}
	}
	return o, nil
}

func session(v js.Value) (bridge.Handle, error) {
	h, err := integer(v, "session")
	return bridge.Handle(h), err
}

func describe(args []js.Value) (any, error) {
	h, err := session(arg(args, 0))
	if err != nil {
		return nil, err
	}
	d, err := state.Describe(h)
	if err != nil {
		return nil, err
	}
	o := jsObject.New()
	o.Set("inputs", array(d.Inputs, infoValue))
	o.Set("outputs", array(d.Outputs, infoValue))
	o.Set("ops", array(d.Ops, func(c graph.OpCount) any {
		v := jsObject.New()
		v.Set("op", c.Op)
		v.Set("count", c.N)
		return v
	}))
	o.Set("bytes", d.Bytes)
	return o, nil
}

func infoValue(in graph.Info) any {
	v := jsObject.New()
	v.Set("name", in.Name)
	v.Set("type", in.Type.String())
	v.Set("state", in.State)
	if bridge.Lists && in.Form.List() {
		v.Set("form", in.Form.String())
	}
	v.Set("shape", nil)
	if in.Known {
		v.Set("shape", array(in.Dims, func(d ir.Dim) any {
			if d.Size >= 0 {
				return d.Size
			}
			return d.Symbol
		}))
	}
	return v
}

func run(args []js.Value) (any, error) {
	h, err := feed(args)
	if err != nil {
		return nil, err
	}
	list, err := state.Exec(h)
	if err != nil {
		return nil, err
	}
	return results(h, list)
}

func profile(args []js.Value) (any, error) {
	h, err := feed(args)
	if err != nil {
		return nil, err
	}
	clock := js.Global().Get("performance")
	now := func() float64 { return clock.Call("now").Float() }
	start := now()
	list, times, err := state.ExecProfiled(h, now)
	if err != nil {
		return nil, err
	}
	total := now() - start
	outputs, err := results(h, list)
	if err != nil {
		return nil, err
	}
	o := jsObject.New()
	o.Set("outputs", outputs)
	o.Set("nodes", array(times, func(t graph.StepTime) any {
		v := jsObject.New()
		v.Set("name", t.Name)
		v.Set("op", t.Op)
		v.Set("ms", t.Ms)
		if t.Blocked {
			v.Set("layout", "blocked")
		}
		if t.Threads > 1 {
			v.Set("threads", t.Threads)
		}
		return v
	}))
	o.Set("totalMs", total)
	return o, nil
}

// feed prepares a session for the feeds and writes them.
func feed(args []js.Value) (bridge.Handle, error) {
	h, err := session(arg(args, 0))
	if err != nil {
		return 0, err
	}
	d, err := state.Describe(h)
	if err != nil {
		return 0, err
	}
	for _, v := range append(d.Inputs[:len(d.Inputs):len(d.Inputs)], d.Outputs...) {
		if bridge.Lists && v.Form.List() {
			return 0, &bridge.Error{Status: bridge.Unsupported, Text: text.Join("wasm: ", text.Quote(v.Name), " is a sequence or an optional value, which run takes and gives; this call only knows tensors")}
		}
	}
	dims := make([][]int, len(d.Inputs))
	data := make([]js.Value, len(d.Inputs))
	for i, in := range d.Inputs {
		f := own(arg(args, 1), in.Name)
		if isNone(f) {
			if in.State {
				continue
			}
			return 0, invalid("wasm: feeds lack input ", text.Quote(in.Name))
		}
		if dims[i], err = integers(property(f, "shape"), in.Name+".shape"); err != nil {
			return 0, err
		}
		data[i] = property(f, "data")
		class := arrayClass(in.Type)
		switch {
		case in.Type == ir.String:
			if !jsArray.Call("isArray", data[i]).Bool() {
				return 0, invalid("wasm: the data of input ", text.Quote(in.Name), " is not an array of strings")
			}
		case class == "":
			return 0, &ir.UnsupportedError{Missing: []string{text.Join("input ", text.Quote(in.Name), " of type ", in.Type.String())}}
		case data[i].Type() != js.TypeObject || !data[i].InstanceOf(js.Global().Get(class)):
			return 0, invalid("wasm: the data of input ", text.Quote(in.Name), " is not a ", class)
		}
		if dims[i] == nil {
			dims[i] = []int{data[i].Length()}
		}
	}
	list, err := state.Prepare(h, dims)
	if err != nil {
		return 0, err
	}
	for i, t := range list {
		if dims[i] == nil {
			continue
		}
		if have := data[i].Length(); have != t.Len() {
			return 0, badShape("wasm: the data of input ", text.Quote(d.Inputs[i].Name), " has ", have, " elements, want ", t.Len(), " for shape ", dims[i])
		}
		if len(t.Data) > 0 {
			js.CopyBytesToGo(t.Data, bytesOf(data[i]))
		}
		for k := range t.Strings {
			v := property(data[i], k)
			if v.Type() != js.TypeString {
				return 0, invalid("wasm: element ", k, " of input ", text.Quote(d.Inputs[i].Name), " is ", v.Type().String(), ", want a string")
			}
			t.Strings[k] = v.String()
		}
	}
	return h, nil
}

func results(h bridge.Handle, list []*ir.Tensor) (any, error) {
	d, err := state.Describe(h)
	if err != nil {
		return nil, err
	}
	entries := jsArray.New()
	for i, t := range list {
		if d.Outputs[i].State {
			continue
		}
		data, err := elementsOf(t)
		if err != nil {
			return nil, err
		}
		v := jsObject.New()
		v.Set("type", t.Type.String())
		v.Set("shape", array(t.Dims, same))
		v.Set("data", data)
		entries.Call("push", array([]any{d.Outputs[i].Name, v}, same))
	}
	// Set, one of the name "__proto__" would be lost.
	return jsObject.Call("fromEntries", entries), nil
}

func release(args []js.Value) (any, error) {
	h, err := session(arg(args, 0))
	if err != nil {
		return nil, err
	}
	return nil, state.Release(h)
}

const byteOrderMark = "\uFEFF"

// arrayClass is the name of the constructor for an element type; "" where there is none.
func arrayClass(t ir.DType) string {
	if int(t) >= len(bridge.DataTypes) {
		return ""
	}
	return bridge.DataTypes[t].Array
}

// elementsOf makes an array of a tensor's elements.
func elementsOf(t *ir.Tensor) (js.Value, error) {
	if t.Type == ir.String {
		return array(t.Strings, func(s string) any {
			if strings.HasPrefix(s, byteOrderMark) {
				return byteOrderMark + s // one of which JavaScript's decoder takes away
			}
			return s
		}), nil
	}
	class := arrayClass(t.Type)
	if class == "" {
		return js.Undefined(), &ir.UnsupportedError{Missing: []string{"an output of type " + t.Type.String()}}
	}
	a := js.Global().Get(class).New(t.Len())
	if len(t.Data) > 0 {
		js.CopyBytesToJS(bytesOf(a), t.Data)
	}
	return a, nil
}

// sessionPrepare plans a session's run for the shapes on the frame and leaves
// where its inputs have to be written (bridge.PrepareFrame).
//
//go:wasmexport sessionPrepare
func sessionPrepare(session uint32) (status int32) {
	defer caughtStatus(&status)
	return int32(state.Fail(state.PrepareFrame(bridge.Handle(session))))
}

// sessionExec runs it and leaves where the outputs are (bridge.ExecFrame). With how = 1 it returns −1 where it has taken a while
// and is not done, for the caller to call again: with 1 to go on, with 2 to stop it, which is an error.
//
//go:wasmexport sessionExec
func sessionExec(session, how uint32) (status int32) {
	defer caughtStatus(&status)
	if how == 0 {
		return int32(state.Fail(state.ExecFrame(bridge.Handle(session))))
	}
	list, more, err := state.ExecPart(bridge.Handle(session), how == 2, milliseconds)
	if more {
		return -1
	}
	if err == nil && how == 1 {
		err = state.ResultsFrame(bridge.Handle(session), list)
	}
	return int32(state.Fail(err))
}

func milliseconds() float64 { return js.Global().Get("performance").Call("now").Float() }

// sessionState leaves a copy of an output that stays, or lets the session start anew
// (bridge.StateFrame).
//
//go:wasmexport sessionState
func sessionState(session uint32, output int32) (status int32) {
	defer caughtStatus(&status)
	return int32(state.Fail(state.StateFrame(bridge.Handle(session), int(output))))
}
