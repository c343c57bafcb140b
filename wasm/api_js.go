package main

import (
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// entry is one function of the API object. doc is what a reader in the console
// sees as the function's `doc` property and in help().
type entry struct {
	name string
	doc  string
	call func(args []js.Value) (any, error)
}

const overview = `normwasm: normalization kernels and what small networks need, in Go.

version is the module's, edition "model" (normalizations and ONNX models), "full" (the
same with the rarer operators) or "train" (normalizations and training), simd whether its kernels are vectorized, operations
the names of what the export norm computes.

Every function of this object takes plain values and returns its result. None
throws: a failure is returned as an Error with name (NormError, ShapeError,
LoadError, UnsupportedError, DisposedError), code and status.

A tensor is resident memory: a plain object { handle, address, type, shape },
address being where its elements are in exports.mem. A Float32Array given in its
place is copied. Beside the options that are listed, operations take shape, its
dimensions (number[]; default: one, its length), and out, which receives the result.
Outputs are arrays or tensors. A session, or a network, is a handle, a number.
`

// entries are the functions of every edition of the module; special (session_js.go,
// train_js.go) those of the one at hand.
var entries = []entry{
	{"help", `help(name?: string): string
What this object has, or what the function of this name does.`, nil},
	{"memory", `memory(): { inUse, tensors, sessions, scratch }
Bytes that live tensors, layers and sessions hold, how many there are, and the
bytes kept for copying plain arrays and for the next tensor of a size freed before.`, memory},
	{"limit", `limit(bytes: number): number
Sets the most that the module's memory may grow to, at most what it can, and returns
the limit before. What would exceed it fails with the code OUT_OF_MEMORY.`, limit},
	{"tensor", `tensor(shape: number[], data?: Float32Array): tensor
A resident float32 tensor with a copy of data, or zeros. Dispose of it.`, tensor},
	{"read", `read(t: tensor): Float32Array
A copy of a tensor's elements.`, read},
	{"write", `write(t: tensor, data: Float32Array): undefined
Replaces a tensor's elements; data has as many.`, write},
	{"dispose", `dispose(t: tensor or layer): undefined
Frees it. Its handle is never given out again.`, dispose},
	{"layer", `layer(channels: number, instance?: boolean): { handle }
What a BatchNorm in training (or InstanceNorm with running statistics) remembers of
its forward pass. Dispose of it.`, newLayer},
	{"exit", `exit(): undefined
Ends the module. Nothing may be called afterwards.`, exit},
}

func init() {
	entries = append(entries, special...)
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		doc := usage[i].call + "\n" + o.Doc + "\noptions: " + usage[i].options + "."
		entries = append(entries, entry{o.Name, doc, func(args []js.Value) (any, error) { return normCall(i, args) }})
	}
}

// newAPI makes the API object.
func newAPI() js.Value {
	api := jsObject.New()
	api.Set("version", bridge.Version)
	api.Set("edition", edition)
	api.Set("simd", simd)
	api.Set("doc", overview)
	operations := jsArray.New(len(bridge.Operations))
	for i := range bridge.Operations {
		operations.SetIndex(i, bridge.Operations[i].Name)
	}
	api.Set("operations", operations)
	for _, e := range entries {
		call := e.call
		if e.name == "help" {
			call = help
		}
		f := js.FuncOf(func(_ js.Value, args []js.Value) (result any) {
			// A panic that leaves this function ends the module.
			defer func() {
				if p := recover(); p != nil {
					result = errorValue(caught(p))
				}
			}()
			slab.Tidy()
			v, err := call(args)
			switch {
			case err != nil:
				return errorValue(err)
			case v == nil:
				return js.Undefined()
			}
			return v
		})
		f.Set("doc", e.doc)
		api.Set(e.name, f)
	}
	return api
}

// caught makes an error of a panic. What JavaScript throws at syscall/js (an
// array whose buffer is detached, an option that cannot be read) is the caller's.
func caught(p any) error {
	switch p := p.(type) {
	case js.Error:
		return invalid("wasm: an argument cannot be read: ", p.Value.Call("toString").String())
	case *js.ValueError:
		return invalid("wasm: an argument has the wrong type: ", p.Error())
	}
	return bridge.Caught(p)
}

// arg is argument i, undefined beyond the list.
func arg(args []js.Value, i int) js.Value {
	if i < len(args) {
		return args[i]
	}
	return js.Undefined()
}

func help(args []js.Value) (any, error) {
	if name := arg(args, 0); !isNone(name) {
		for _, e := range entries {
			if e.name == name.String() {
				return e.doc, nil
			}
		}
		return nil, invalid("wasm: there is no function ", name.String())
	}
	all := overview
	for _, e := range entries {
		all += "\n" + e.doc + "\n"
	}
	return all, nil
}

func memory([]js.Value) (any, error) {
	m := state.Memory()
	o := jsObject.New()
	o.Set("inUse", m.InUse)
	o.Set("tensors", m.Tensors)
	o.Set("sessions", m.Sessions)
	o.Set("scratch", m.Scratch+slab.Usage().Cached)
	return o, nil
}

func limit(args []js.Value) (any, error) {
	n, err := integer(arg(args, 0), "bytes")
	if err != nil {
		return nil, err
	}
	return slab.SetLimit(n), nil
}

func tensor(args []js.Value) (any, error) {
	shape, err := integers(arg(args, 0), "shape")
	if err != nil {
		return nil, err
	}
	return newTensor(shape, arg(args, 1))
}

// newTensor makes a tensor object with a copy of data, or of zeros.
func newTensor(shape []int, data js.Value) (any, error) {
	n := 1
	for i, d := range shape {
		if d < 0 {
			return nil, badShape("wasm: dimension ", i, " of ", shape, " is negative")
		}
		if d > 0 && n > bridge.MaxBytes/4/d {
			return nil, &bridge.Error{Status: bridge.NoMemory, Text: text.Join("wasm: a tensor ", shape, " takes more than the limit of ", bridge.MaxBytes, " bytes")}
		}
		n *= d
	}
	h, err := state.Alloc(n * 4)
	if err != nil {
		return nil, err
	}
	if !isNone(data) {
		if err := fill(h, data, n); err != nil {
			state.Free(h)
			return nil, err
		}
	}
	b, err := state.Bytes(h)
	if err != nil {
		return nil, err
	}
	t := jsObject.New()
	t.Set("handle", uint32(h))
	t.Set("address", int(slab.Addr(b)))
	t.Set("type", "float32")
	t.Set("shape", array(shape, same))
	return t, nil
}

// fill copies a Float32Array of n elements into a slab.
func fill(h bridge.Handle, data js.Value, n int) error {
	if data.Type() != js.TypeObject || !data.InstanceOf(jsFloat32) {
		return invalid("wasm: data is not a Float32Array")
	}
	if have := data.Length(); have != n {
		return badShape("wasm: data has ", have, " elements, want ", n)
	}
	b, err := state.Bytes(h)
	if err == nil && n > 0 {
		js.CopyBytesToGo(b, bytesOf(data))
	}
	return err
}

// handle decodes a tensor's handle.
func handle(v js.Value) (bridge.Handle, error) {
	h, err := integer(option(v, "handle"), "handle")
	return bridge.Handle(h), err
}

func read(args []js.Value) (any, error) {
	s, _, err := tensorOperand(arg(args, 0), "t")
	if err != nil {
		return nil, err
	}
	return float32Array(s), nil
}

func write(args []js.Value) (any, error) {
	h, err := handle(arg(args, 0))
	if err != nil {
		return nil, err
	}
	b, err := state.Bytes(h)
	if err != nil {
		return nil, err
	}
	return nil, fill(h, arg(args, 1), len(b)/4)
}

func dispose(args []js.Value) (any, error) {
	h, err := handle(arg(args, 0))
	if err != nil {
		return nil, err
	}
	return nil, state.Free(h)
}

func newLayer(args []js.Value) (any, error) {
	channels, err := integer(arg(args, 0), "channels")
	if err != nil {
		return nil, err
	}
	h, err := state.NewLayer(channels, arg(args, 1).Truthy())
	if err != nil {
		return nil, err
	}
	l := jsObject.New()
	l.Set("handle", uint32(h))
	return l, nil
}

func exit([]js.Value) (any, error) {
	select {
	case quit <- struct{}{}:
	default:
	}
	return nil, nil
}

// call collects a normalization's operands and hands its result back.
type call struct {
	options js.Value
	shape   []int
	outputs []output
	err     error
}

// output is an array that receives elements after the call.
type output struct {
	to   js.Value
	from []float32
}

// in decodes an operand, and remembers to write back an array that receives
// elements. The first error sticks.
func (c *call) in(p bridge.Operand) (s []float32) {
	if c.err != nil {
		return nil
	}
	v := option(c.options, p.Name)
	s, _, c.err = operand(v, p)
	if s != nil && p.Mark&bridge.Written != 0 && isArray(v, p) {
		c.outputs = append(c.outputs, output{v, s})
	}
	return s
}

// start decodes x, its shape and where the result goes, which result returns.
func (c *call) start(x, options js.Value, name string) (from, to []float32, result any) {
	c.options = options
	if isNone(x) {
		c.err = invalid("wasm: ", name, " is missing")
		return
	}
	var own []int
	if from, own, c.err = operand(x, bridge.Operand{Name: name}); c.err != nil {
		return
	}
	if c.shape, c.err = integers(option(options, "shape"), "shape"); c.err != nil {
		return
	}
	if c.shape == nil {
		c.shape = own
	}
	if c.shape == nil {
		c.shape = []int{len(from)}
	}
	if given := option(options, "out"); !isNone(given) {
		to = c.in(bridge.Operand{Name: "out", Mark: bridge.Written})
		return from, to, given
	}
	if x.InstanceOf(jsFloat32) {
		// x was copied, and the kernels work in place.
		y := jsFloat32.New(len(from))
		c.outputs = append(c.outputs, output{y, from})
		return from, from, y
	}
	if result, c.err = newTensor(c.shape, js.Undefined()); c.err == nil {
		to, _, c.err = tensorOperand(result.(js.Value), "out")
	}
	return from, to, result
}

// finish writes the outputs back, or lets go of a result that failed.
func (c *call) finish(result any, err error) (any, error) {
	if c.err != nil {
		err = c.err
	}
	if err != nil {
		if v, ok := result.(js.Value); ok && isNone(option(c.options, "out")) && v.Get("handle").Type() == js.TypeNumber {
			state.Free(bridge.Handle(v.Get("handle").Int()))
		}
		return nil, err
	}
	for _, o := range c.outputs {
		if len(o.from) > 0 {
			js.CopyBytesToJS(bytesOf(o.to), slab.Bytes(o.from))
		}
	}
	return result, nil
}

// normCall is the function of an operation: the operand after "out" is its first
// argument, everything else is an option.
func normCall(op int, args []js.Value) (any, error) {
	o := &bridge.Operations[op]
	var c call
	n := bridge.Call{Op: op}
	at, result := 0, any(nil)
	if o.Operands[0].Name == "out" {
		n.Operands[1], n.Operands[0], result = c.start(arg(args, 0), arg(args, 1), o.Operands[1].Name)
		at = 2
	} else {
		c.options = arg(args, 0)
		c.shape, c.err = integers(option(c.options, "shape"), "shape")
	}
	for i := at; i < len(o.Operands); i++ {
		n.Operands[i] = c.in(o.Operands[i])
	}
	n.Shape = c.shape
	if c.err == nil {
		n.Axes, c.err = integers(option(c.options, "axes"), "axes")
	}
	for i, p := range o.Options {
		if c.err == nil {
			n.Options[i], c.err = number(option(c.options, p.Name), p)
		}
	}
	if c.err != nil {
		return c.finish(result, nil)
	}
	return c.finish(result, state.Norm(&n))
}
