package main

import (
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// The constructors are looked up once: js.Global is the host's object for this
// module and need not be the page's.
var (
	jsReflect = js.Global().Get("Reflect")
	jsObject  = js.Global().Get("Object")
	jsArray   = js.Global().Get("Array")
	jsError   = js.Global().Get("Error")
	jsBytes   = js.Global().Get("Uint8Array")
	jsFloat32 = js.Global().Get("Float32Array")
	jsFloat64 = js.Global().Get("Float64Array")
)

func invalid(parts ...any) error {
	return &bridge.Error{Status: bridge.Invalid, Text: text.Join(parts...)}
}
func badShape(parts ...any) error {
	return &bridge.Error{Status: bridge.BadShape, Text: text.Join(parts...)}
}

// errorValue is what a failed call returns.
func errorValue(err error) js.Value {
	status, message := bridge.Classify(err)
	e := jsError.New(message)
	e.Set("name", bridge.Classes[status].Name)
	e.Set("code", bridge.Classes[status].Code)
	e.Set("status", int(status))
	return e
}

// isNone says whether an option is left out.
func isNone(v js.Value) bool { return v.IsUndefined() || v.IsNull() }

// option is v's property, undefined where v is.
func option(v js.Value, name string) js.Value {
	if isNone(v) {
		return js.Undefined()
	}
	return property(v, name)
}

// property reads from a caller's object. What a getter throws must not unwind the
// module's stack, as it would from Get: this way it becomes a panic.
func property(v js.Value, key any) js.Value { return jsReflect.Call("get", v, key) }

// own is v's property if it is its own: an input may be called "constructor".
func own(v js.Value, name string) js.Value {
	if v.Type() != js.TypeObject || !jsReflect.Call("getOwnPropertyDescriptor", v, name).Truthy() {
		return js.Undefined()
	}
	return property(v, name)
}

// integer decodes a JavaScript number that has to be a whole one.
func integer(v js.Value, name string) (int, error) {
	if v.Type() != js.TypeNumber {
		return 0, invalid("wasm: ", name, " is ", v.Type().String(), ", want a whole number")
	}
	f := v.Float()
	if f != float64(int64(f)) || f > 1<<53 || f < -1<<53 {
		return 0, badShape("wasm: ", name, " is ", f, ", want a whole number")
	}
	return int(f), nil
}

// integers decodes an array of whole numbers; undefined gives nil.
func integers(v js.Value, name string) ([]int, error) {
	if isNone(v) {
		return nil, nil
	}
	if v.Type() != js.TypeObject {
		return nil, invalid("wasm: ", name, " is ", v.Type().String(), ", want an array of whole numbers")
	}
	length, err := integer(property(v, "length"), "the length of "+name)
	if err != nil {
		return nil, err
	}
	const most = 64
	if length < 0 || length > most {
		return nil, badShape("wasm: ", name, " has ", length, " entries, want at most ", most)
	}
	list := make([]int, length)
	for i := range list {
		if list[i], err = integer(property(v, i), text.Join(name, "[", i, "]")); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// number decodes an option.
func number(v js.Value, p bridge.Option) (float64, error) {
	switch {
	case isNone(v) && p.Needed:
		return 0, invalid("wasm: ", p.Name, " is missing")
	case isNone(v):
		return p.Default, nil
	case p.Kind == bridge.Word:
		for i, word := range p.Words {
			if v.Type() == js.TypeString && word != "" && v.String() == word {
				return float64(i), nil
			}
		}
		return 0, invalid("wasm: ", p.Name, " is ", v.String(), ", want one of ", p.Meant())
	case p.Kind == bridge.ID && v.Type() == js.TypeObject:
		h, err := handle(v)
		return float64(h), err
	case v.Type() == js.TypeBoolean:
		if v.Bool() {
			return 1, nil
		}
		return 0, nil
	case v.Type() != js.TypeNumber:
		return 0, invalid("wasm: ", p.Name, " is ", v.Type().String(), ", want a number")
	}
	return v.Float(), nil
}

// operand decodes a Float32Array (Float64Array where the operand is marked so),
// which is copied, or a tensor, which is not. shape is the tensor's. undefined
// gives nil.
func operand(v js.Value, p bridge.Operand) (s []float32, shape []int, err error) {
	switch {
	case isNone(v):
		return nil, nil, nil
	case isArray(v, p):
		s, err = floats(v, p.Name)
		return s, nil, err
	case v.Type() == js.TypeObject && property(v, "handle").Type() == js.TypeNumber:
		return tensorOperand(v, p.Name)
	}
	return nil, nil, invalid("wasm: ", p.Name, " is neither a Float32Array nor a tensor")
}

// isArray says whether v is an array of the operand's class.
func isArray(v js.Value, p bridge.Operand) bool {
	class := jsFloat32
	if p.Mark&bridge.Double != 0 {
		class = jsFloat64
	}
	return v.Type() == js.TypeObject && v.InstanceOf(class)
}

func tensorOperand(v js.Value, name string) (s []float32, shape []int, err error) {
	h, err := integer(option(v, "handle"), name+".handle")
	if err != nil {
		return nil, nil, err
	}
	if shape, err = integers(option(v, "shape"), name+".shape"); err != nil {
		return nil, nil, err
	}
	b, err := state.Bytes(bridge.Handle(h))
	if err != nil {
		return nil, nil, err
	}
	s, err = state.Floats(bridge.Handle(h), 0, len(b)/4)
	return s, shape, err
}

// bytesOf views a typed array's memory as a Uint8Array.
func bytesOf(v js.Value) js.Value {
	return jsBytes.New(v.Get("buffer"), v.Get("byteOffset"), v.Get("byteLength"))
}

// floats copies a Float32Array, or a Float64Array as twice as many.
func floats(v js.Value, name string) ([]float32, error) {
	n := v.Get("byteLength").Int() / 4
	if n == 0 {
		return make([]float32, 0), nil
	}
	if n*4 > bridge.MaxBytes {
		return nil, &bridge.Error{Status: bridge.NoMemory, Text: text.Join("wasm: ", name, " has ", n, " elements; the limit is ", bridge.MaxBytes, " bytes")}
	}
	b := slab.New(n * 4)
	js.CopyBytesToGo(b, bytesOf(v))
	return slab.View[float32](b), nil
}

// float32Array makes a Float32Array of s.
func float32Array(s []float32) js.Value {
	a := jsFloat32.New(len(s))
	if len(s) > 0 {
		js.CopyBytesToJS(bytesOf(a), slab.Bytes(s))
	}
	return a
}

// array makes a JavaScript array.
func array[T any](list []T, item func(T) any) js.Value {
	a := jsArray.New(len(list))
	for i, v := range list {
		a.SetIndex(i, item(v))
	}
	return a
}

func same[T any](v T) any { return v }
