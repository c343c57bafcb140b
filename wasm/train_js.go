//go:build train

package main

import (
	"runtime"
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/bridge/network"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/train"
)

var jsInt32 = js.Global().Get("Int32Array")

var special = []entry{
	{"network", `network(options): network
A network in training. options: input (the shape of one example), model (layers in
order), loss ('crossEntropy' or 'meanSquaredError'), optimizer, schedule, clip, seed.
` + networkUsage, newNetwork},
	{"outputShape", `outputShape(n: network): number[]
The shape of the outputs of one example.`, outputShape},
	{"step", `step(n: network, batch: { n, x, y }): { loss, accuracy, gradientNorm }
Makes one step. n is the number of examples, x a Float32Array (an Int32Array of tokens
for an embedding), y an Int32Array of labels for crossEntropy, else a Float32Array.
accuracy is NaN without labels.`, step},
	{"evaluate", `evaluate(n: network, batch, statistics?: 'running' | 'batch'): { loss, accuracy, outputs }
Loss and outputs without a step.`, evaluate},
	{"gather", `gather(n: network, batch, first?: boolean): undefined
Takes a batch into the running statistics that settle will set; the first one forgets
those before.`, gather},
	{"settle", `settle(n: network): undefined
Sets the running statistics of all batchNorms to those of the batches gathered.`, settle},
	{"statistics", `statistics(n: network): [{ layer, mean, std, gradientNorm, runningMean?, runningVar?, batchMean?, batchVar? }]
What the latest step or evaluation left in each layer.`, statistics},
	{"snapshot", `snapshot(n: network): { tensors: [{ name, shape, data }], steps, random, batches }
All that the network remembers.`, snapshot},
	{"restore", `restore(n: network, snapshot): undefined
Goes on from a snapshot of a network of the same options.`, restore},
	{"onnx", `onnx(n: network, intermediates?: boolean): Uint8Array
The network for inference, opset 17; with each layer's output as one of the model's.`, onnx},
	{"release", `release(n: network): undefined
Lets go of a network.`, release},
}

func newNetwork(args []js.Value) (any, error) {
	v := arg(args, 0)
	var err error
	d := decoder{v, "", "", &err}
	o := train.Options{Model: d.Layers("model")}
	if err == nil {
		o.Input, err = integers(property(v, "input"), "input")
	}
	o.Loss = d.Word("loss", "")
	seed := d.Number("seed", 0, 0, 1<<53)
	if o.Seed = uint64(seed); float64(o.Seed) != seed {
		d.fail("seed is ", seed, ", want a whole number")
	}
	o.Clip = d.Number("clip", 0, 0, 1e308)
	if opt := property(v, "optimizer"); isNone(opt) || opt.Type() != js.TypeObject {
		d.fail("optimizer is missing, as in { type: 'sgd', learningRate: 0.1 }")
	} else {
		r := decoder{opt, "optimizer: ", "", &err}
		o.Optimizer = network.ReadOptimizer(r, r.Word("type", ""))
	}
	if s := property(v, "schedule"); !isNone(s) {
		o.Schedule = network.ReadSchedule(decoder{s, "schedule: ", "", &err})
	}
	if err != nil {
		return nil, err
	}
	h, err := network.New(state, o)
	if err != nil {
		return nil, err
	}
	return uint32(h), nil
}

// decoder reads the options of an object, as a network.Reader.
type decoder struct {
	v     js.Value
	where string // for errors
	path  string // of the layer, with a dot behind it
	err   *error // the first failure
}

func (d decoder) fail(parts ...any) {
	if *d.err == nil {
		*d.err = invalid("train: ", d.where, text.Join(parts...))
	}
}

func (d decoder) Number(name string, otherwise, from, to float64) float64 {
	p := property(d.v, name)
	switch {
	case p.IsUndefined() && otherwise < from:
		d.fail(name, " is missing")
	case p.IsUndefined():
		return otherwise
	case p.Type() != js.TypeNumber:
		d.fail(name, " is ", kind(p), ", want a number")
	case !(p.Float() >= from && p.Float() <= to):
		d.fail(name, " is ", p.Float(), ", want ", bounds(from, to))
	default:
		return p.Float()
	}
	return otherwise
}

func bounds(from, to float64) string {
	if to >= 1<<53 {
		return text.Join("a finite number of at least ", from)
	}
	return text.Join(from, " to ", to)
}

func (d decoder) Size(name string, otherwise, least int) int {
	p := property(d.v, name)
	if p.IsUndefined() {
		if otherwise < least {
			d.fail(name, " is missing")
		}
		return otherwise
	}
	if p.Type() != js.TypeNumber || p.Float() != float64(int(p.Float())) || int(p.Float()) < least || p.Float() > 1<<24 {
		d.fail(name, " is ", kind(p), ", want a whole number of at least ", least)
		return otherwise
	}
	return p.Int()
}

func (d decoder) Word(name, otherwise string) string {
	p := property(d.v, name)
	switch {
	case p.IsUndefined():
		return otherwise
	case p.Type() != js.TypeString:
		d.fail(name, " is ", kind(p), ", want a string")
		return otherwise
	}
	return p.String()
}

func (d decoder) Flag(name string, otherwise bool) bool {
	p := property(d.v, name)
	switch {
	case p.IsUndefined():
		return otherwise
	case p.Type() != js.TypeBoolean:
		d.fail(name, " is ", kind(p), ", want true or false")
		return otherwise
	}
	return p.Bool()
}

func (d decoder) Has(name string) bool  { return !property(d.v, name).IsUndefined() }
func (d decoder) Null(name string) bool { return property(d.v, name).IsNull() }

func (d decoder) Layers(name string) []train.Spec {
	v := property(d.v, name)
	if !jsArray.Call("isArray", v).Bool() {
		d.where = "" // the name says enough
		d.fail("model is ", kind(v), ", want an array of layers")
		return nil
	}
	list := make([]train.Spec, v.Length())
	for i := range list {
		path, layer := text.Join(d.path, i), property(v, i)
		l := decoder{layer, text.Join("layer ", path, ": "), path + ".", d.err}
		if len(path) > 64 {
			l.fail("residuals are nested too deeply")
		}
		if layer.Type() != js.TypeObject {
			l.where = ""
			l.fail("layer ", path, " is ", kind(layer), ", want an object, as in { type: 'relu' }")
		}
		if *d.err != nil {
			return nil
		}
		of := l.Word("type", "")
		l.where = text.Join("layer ", path, " (", of, "): ")
		list[i] = network.ReadLayer(l, of)
	}
	return list
}

// kind shows a value that is not what it should be.
func kind(v js.Value) string {
	switch v.Type() {
	case js.TypeNumber:
		return text.Join(v.Float())
	case js.TypeString:
		return text.Quote(v.String())
	case js.TypeBoolean:
		return text.Join(v.Bool())
	}
	return v.Type().String()
}

func networkOf(args []js.Value) (*network.Network, error) {
	h, err := integer(arg(args, 0), "network")
	if err != nil {
		return nil, err
	}
	return network.Get(state, bridge.Handle(h))
}

// batchOf copies a batch.
func batchOf(args []js.Value) (n *network.Network, b train.Batch, err error) {
	if n, err = networkOf(args); err != nil {
		return
	}
	v := arg(args, 1)
	if v.Type() != js.TypeObject {
		return n, b, invalid("wasm: the batch is ", kind(v), ", want { n, x, y }")
	}
	if b.N, err = integer(property(v, "n"), "n"); err != nil {
		return
	}
	if n.Tokens() {
		b.Tokens, err = elementsOf[int32](n, property(v, "x"), jsInt32, "x", 0)
	} else {
		b.X, err = elementsOf[float32](n, property(v, "x"), jsFloat32, "x", 0)
	}
	if err != nil {
		return
	}
	if n.Labels() {
		b.Labels, err = elementsOf[int32](n, property(v, "y"), jsInt32, "y", 1)
	} else {
		b.Targets, err = elementsOf[float32](n, property(v, "y"), jsFloat32, "y", 1)
	}
	return
}

// crossed is how many bytes of JavaScript's Go has referred to since it last collected
// garbage. It goes by the size of its own heap alone, and until it does JavaScript
// cannot free the arrays of the batches that were passed.
var crossed int

func crosses(bytes int) {
	const most, object = 32 << 20, 1 << 10
	crossed += bytes + object
	if crossed > most {
		crossed = 0
		runtime.GC()
	}
}

// elementsOf copies a typed array into memory that the network keeps for it.
func elementsOf[T int32 | float32](n *network.Network, v, class js.Value, name string, place int) ([]T, error) {
	if v.Type() != js.TypeObject || !v.InstanceOf(class) {
		return nil, invalid("wasm: ", name, " is ", kind(v), ", want a ", class.Get("name").String())
	}
	bytes := n.Room(place, v.Get("byteLength").Int())
	crosses(len(bytes))
	if len(bytes) == 0 {
		return nil, nil
	}
	js.CopyBytesToGo(bytes, bytesOf(v))
	return slab.View[T](bytes), nil
}

func outputShape(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	return array(n.OutShape(), same), nil
}

func step(args []js.Value) (any, error) {
	n, b, err := batchOf(args)
	if err != nil {
		return nil, err
	}
	r, err := n.Step(b)
	if err != nil {
		return nil, network.Fail(err)
	}
	o := jsObject.New()
	o.Set("loss", r.Loss)
	o.Set("accuracy", r.Accuracy)
	o.Set("gradientNorm", r.GradientNorm)
	return o, nil
}

func evaluate(args []js.Value) (any, error) {
	n, b, err := batchOf(args)
	if err != nil {
		return nil, err
	}
	batch := false
	if s := arg(args, 2); !isNone(s) {
		switch s.String() {
		case "running":
		case "batch":
			batch = true
		default:
			return nil, invalid("train: statistics is ", kind(s), ", want 'running' or 'batch'")
		}
	}
	r, err := n.Evaluate(b, batch)
	if err != nil {
		return nil, network.Fail(err)
	}
	o := jsObject.New()
	o.Set("loss", r.Loss)
	o.Set("accuracy", r.Accuracy)
	o.Set("outputs", float32Array(r.Outputs))
	crosses(4 * len(r.Outputs))
	return o, nil
}

func gather(args []js.Value) (any, error) {
	n, b, err := batchOf(args)
	if err != nil {
		return nil, err
	}
	return nil, n.Gather(b, arg(args, 2).Truthy())
}

func settle(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	return nil, n.Settle()
}

func statistics(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	all, err := n.Statistics()
	if err != nil {
		return nil, network.Fail(err)
	}
	return array(all, func(s train.Statistics) any {
		o := jsObject.New()
		o.Set("layer", s.Layer)
		o.Set("mean", s.Mean)
		o.Set("std", s.Std)
		o.Set("gradientNorm", s.GradientNorm)
		if s.Batch != nil {
			o.Set("runningMean", float32Array(s.RunningMean))
			o.Set("runningVar", float32Array(s.RunningVar))
			o.Set("batchMean", float32Array(single(s.Batch.Mean)))
			o.Set("batchVar", float32Array(single(s.Batch.Variance)))
		}
		return o
	}), nil
}

func single(list []float64) []float32 {
	s := make([]float32, len(list))
	for i, v := range list {
		s[i] = float32(v)
	}
	return s
}

func snapshot(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	s := n.Snapshot()
	o := jsObject.New()
	o.Set("tensors", array(s.Tensors, func(t train.Tensor) any {
		v := jsObject.New()
		v.Set("name", t.Name)
		v.Set("shape", array(t.Shape, same))
		v.Set("data", float32Array(t.Data))
		crosses(4 * len(t.Data))
		return v
	}))
	o.Set("steps", s.Steps)
	o.Set("random", hexadecimal(s.Random))
	o.Set("batches", array(s.Batches, same))
	return o, nil
}

// hexadecimal writes a number that has more digits than JavaScript's.
func hexadecimal(v uint64) string {
	var digits [16]byte
	for i := range digits {
		digits[15-i] = "0123456789abcdef"[v>>(4*i)&15]
	}
	return string(digits[:])
}

func restore(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	v := arg(args, 1)
	var s train.Snapshot
	if s.Steps, err = integer(property(v, "steps"), "steps"); err != nil {
		return nil, err
	}
	digits := property(v, "random").String()
	for i := range digits {
		c := digits[i]
		switch {
		case len(digits) != 16:
		case c >= '0' && c <= '9':
			s.Random = s.Random<<4 | uint64(c-'0')
			continue
		case c >= 'a' && c <= 'f':
			s.Random = s.Random<<4 | uint64(c-'a'+10)
			continue
		}
		return nil, invalid("train: random is ", text.Quote(digits), ", want 16 hexadecimal digits")
	}
	batches := property(v, "batches")
	for i := range batches.Length() {
		count, err := integer(property(batches, i), "batches")
		if err != nil {
			return nil, err
		}
		s.Batches = append(s.Batches, count)
	}
	tensors := property(v, "tensors")
	for i := range tensors.Length() {
		t := property(tensors, i)
		name := property(t, "name").String()
		shape, err := integers(property(t, "shape"), name)
		if err != nil {
			return nil, err
		}
		data := property(t, "data")
		if data.Type() != js.TypeObject || !data.InstanceOf(jsFloat32) {
			return nil, invalid("train: the data of tensor ", text.Quote(name), " are no Float32Array")
		}
		list, err := floats(data, name)
		crosses(4 * len(list))
		if err != nil {
			return nil, err
		}
		s.Tensors = append(s.Tensors, train.Tensor{Name: name, Shape: shape, Data: list})
	}
	return nil, network.Fail(n.Restore(&s))
}

func onnx(args []js.Value) (any, error) {
	n, err := networkOf(args)
	if err != nil {
		return nil, err
	}
	file, err := n.ONNX(arg(args, 1).Truthy())
	if err != nil {
		return nil, network.Fail(err)
	}
	a := jsBytes.New(len(file))
	js.CopyBytesToJS(a, file)
	crosses(len(file))
	return a, nil
}

func release(args []js.Value) (any, error) {
	h, err := integer(arg(args, 0), "network")
	if err != nil {
		return nil, err
	}
	return nil, network.Release(state, bridge.Handle(h))
}
