package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

// ONNX writes the network for inference as an ONNX model of opset 17: BatchNorm with
// its running statistics, without dropout and noise. Its input is "x", [N Input…] in
// float32, or tokens in int64; its output is "y", before the loss (logits, for
// cross-entropy). N may be any number.
//
// With intermediates the output of each layer is one of the model's too, by the layer's
// name in Statistics, and so are the probabilities of each attention, [N heads T T], as
// in "4.1 attention probabilities".
//
// A network that has made no step is a *ValueError: its weights are random, and a
// BatchNorm's running statistics nobody's.
func (t *Trainer) ONNX(intermediates bool) ([]byte, error) {
	if t.steps == 0 {
		return nil, valueError("the network is untrained, it has made 0 steps: what would be exported are random numbers")
	}
	e := &exporter{intermediates: intermediates}
	x, kind := "x", floatType
	if t.first != nil {
		kind = int64Type
	}
	last := e.stack(t.nodes, x, t.options.Input)
	e.node("Identity", []string{last}, []string{"y"})
	graph := e.graph
	graph = graph.str(2, "normwasm")
	graph = graph.message(11, valueInfo("x", kind, t.options.Input))
	graph = graph.message(12, valueInfo("y", floatType, t.out))
	graph = append(graph, e.outputs...)
	return message{}.int(1, 8).str(2, "normwasm").message(7, graph).message(8, message{}.str(1, "").int(2, 17)), nil
}

// Element types of TensorProto.
const (
	floatType = 1
	int64Type = 7
)

// message is a message in protobuf's wire format.
type message []byte

func (m message) varint(v uint64) message {
	for ; v >= 0x80; v >>= 7 {
		m = append(m, byte(v)|0x80)
	}
	return append(m, byte(v))
}

func (m message) int(field int, v int) message {
	return m.varint(uint64(field) << 3).varint(uint64(int64(v)))
}

func (m message) bytes(field int, b []byte) message {
	return append(m.varint(uint64(field)<<3|2).varint(uint64(len(b))), b...)
}

func (m message) str(field int, s string) message          { return m.bytes(field, []byte(s)) }
func (m message) message(field int, other message) message { return m.bytes(field, other) }

func (m message) float(field int, v float32) message {
	b := math.Float32bits(v)
	return append(m.varint(uint64(field)<<3|5), byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
}

// valueInfo describes a batch of tensors of this shape.
func valueInfo(name string, kind int, shape []int) message {
	dims := message{}.message(1, message{}.str(2, "N"))
	for _, d := range shape {
		dims = dims.message(1, message{}.int(1, d))
	}
	return message{}.str(1, name).message(2, message{}.message(1, message{}.int(1, kind).message(2, dims)))
}

// exporter writes a graph: nodes and initializers, in the order in which they are made.
type exporter struct {
	graph message
	count int

	intermediates bool
	outputs       message // of the graph, beside the last
	path          string  // of the layer at hand
}

// show makes a value one of the model's outputs, where intermediates are wanted.
func (e *exporter) show(name, value string, shape []int) {
	if e.intermediates {
		e.node("Identity", []string{value}, []string{name})
		e.outputs = e.outputs.message(12, valueInfo(name, floatType, shape))
	}
}

func (e *exporter) name() string {
	e.count++
	return text.Join("t", e.count)
}

// attribute is one of a node: an int, a float32 or []int.
type attribute struct {
	name  string
	value any
}

func (e *exporter) node(op string, inputs, outputs []string, attributes ...attribute) {
	var n message
	for _, in := range inputs {
		n = n.str(1, in)
	}
	for _, out := range outputs {
		n = n.str(2, out)
	}
	n = n.str(3, text.Join(op, "_", outputs[0])).str(4, op)
	for _, a := range attributes {
		m := message{}.str(1, a.name)
		switch v := a.value.(type) {
		case int:
			m = m.int(3, v).int(20, 2)
		case float32:
			m = m.float(2, v).int(20, 1)
		case []int:
			for _, i := range v {
				m = m.int(8, i)
			}
			m = m.int(20, 7)
		}
		n = n.message(5, m)
	}
	e.graph = e.graph.message(1, n)
}

// op adds a node of one output, and names it.
func (e *exporter) op(op string, inputs []string, attributes ...attribute) string {
	out := e.name()
	e.node(op, inputs, []string{out}, attributes...)
	return out
}

func (e *exporter) binary(op, a, b string) string { return e.op(op, []string{a, b}) }

// floats adds a constant.
func (e *exporter) floats(data []float32, shape ...int) string {
	raw := make([]byte, 0, 4*len(data))
	for _, v := range data {
		b := math.Float32bits(v)
		raw = append(raw, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
	}
	return e.constant(floatType, shape, raw)
}

func (e *exporter) ints(data ...int) string {
	raw := make([]byte, 0, 8*len(data))
	for _, v := range data {
		for i := range 8 {
			raw = append(raw, byte(int64(v)>>(8*i)))
		}
	}
	return e.constant(int64Type, []int{len(data)}, raw)
}

func (e *exporter) constant(kind int, shape []int, raw []byte) string {
	name := e.name()
	var t message
	for _, d := range shape {
		t = t.int(1, d)
	}
	e.graph = e.graph.message(5, t.int(2, kind).str(8, name).bytes(9, raw))
	return name
}

func (e *exporter) number(v float64) string { return e.floats([]float32{float32(v)}) }

func filled(n int, v float32) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func (e *exporter) stack(nodes []*node, x string, shape []int) string {
	for _, n := range nodes {
		e.path = n.path
		x = n.layer.export(e, x, shape)
		shape = n.out
		e.show(n.name(), x, shape)
	}
	return x
}

func (l *linear) export(e *exporter, x string, _ []int) string {
	return e.linear(x, l.weight, l.bias)
}

// linear is x·Wᵀ + b. MatMul takes W as it is multiplied.
func (e *exporter) linear(x string, weight, bias *Param) string {
	units, in := weight.Shape[0], weight.Shape[1]
	turned := make([]float32, len(weight.Value))
	for u := range units {
		for d := range in {
			turned[d*units+u] = weight.Value[u*in+d]
		}
	}
	y := e.binary("MatMul", x, e.floats(turned, in, units))
	if bias == nil {
		return y
	}
	return e.binary("Add", y, e.floats(bias.Value, units))
}

func (c *conv) export(e *exporter, x string, _ []int) string {
	s := &c.shape
	inputs := []string{x, e.floats(c.weight.Value, c.weight.Shape...)}
	if c.bias != nil {
		inputs = append(inputs, e.floats(c.bias.Value, s.OutChannels))
	}
	return e.op("Conv", inputs, attribute{"kernel_shape", []int{s.KernelH, s.KernelW}}, attribute{"strides", []int{s.StrideH, s.StrideW}},
		attribute{"pads", []int{s.PadTop, s.PadLeft, s.PadBottom, s.PadRight}}, attribute{"group", s.Groups})
}

func (a *activation) export(e *exporter, x string, _ []int) string {
	switch a.kind {
	case "relu":
		return e.op("Relu", []string{x})
	case "tanh":
		return e.op("Tanh", []string{x})
	case "sigmoid":
		return e.op("Sigmoid", []string{x})
	case "silu":
		return e.binary("Mul", x, e.op("Sigmoid", []string{x}))
	}
	phi := e.binary("Add", e.op("Erf", []string{e.binary("Div", x, e.number(math.Sqrt2))}), e.number(1)) // gelu
	return e.binary("Mul", e.binary("Mul", x, phi), e.number(0.5))
}

func (flatten) export(e *exporter, x string, _ []int) string {
	return e.op("Flatten", []string{x}, attribute{"axis", 1})
}

func (r *residual) export(e *exporter, x string, shape []int) string {
	return e.binary("Add", x, e.stack(r.body, x, shape))
}

func (g *globalPool) export(e *exporter, x string, shape []int) string {
	axes := []int{2, 3}
	if len(shape) == 2 {
		axes = []int{1}
	}
	return e.op("ReduceMean", []string{x}, attribute{"axes", axes}, attribute{"keepdims", 0})
}

func (l *pool) export(e *exporter, x string, _ []int) string {
	op := "AveragePool"
	if l.maximum {
		op = "MaxPool"
	}
	w := &l.window
	return e.op(op, []string{x}, attribute{"kernel_shape", []int{w.KernelH, w.KernelW}}, attribute{"strides", []int{w.StrideH, w.StrideW}})
}

func (l *noise) export(_ *exporter, x string, _ []int) string   { return x }
func (l *dropout) export(_ *exporter, x string, _ []int) string { return x }

// perFeature is a constant of each feature, ready to be multiplied with or added to x of this shape.
func (e *exporter) perFeature(data []float32, shape []int) string {
	if len(shape) == 3 {
		return e.floats(data, len(data), 1, 1)
	}
	return e.floats(data, len(data))
}

// affine is γ·x + β of each feature.
func (e *exporter) affine(x string, gamma, beta []float32, shape []int) string {
	if gamma != nil {
		x = e.binary("Mul", x, e.perFeature(gamma, shape))
	}
	if beta != nil {
		x = e.binary("Add", x, e.perFeature(beta, shape))
	}
	return x
}

func (l *batchNorm) export(e *exporter, x string, shape []int) string {
	b := l.layer
	c := len(b.RunningMean)
	gamma, beta := b.Gamma, b.Beta
	if gamma == nil {
		gamma, beta = filled(c, 1), filled(c, 0)
	}
	if len(shape) == 2 { // the operator wants channels at axis 1
		x = e.op("Transpose", []string{x}, attribute{"perm", []int{0, 2, 1}})
	}
	x = e.op("BatchNormalization", []string{x, e.floats(gamma, c), e.floats(beta, c), e.floats(b.RunningMean, c), e.floats(b.RunningVar, c)},
		attribute{"epsilon", float32(b.Epsilon)})
	if len(shape) == 2 {
		x = e.op("Transpose", []string{x}, attribute{"perm", []int{0, 2, 1}})
	}
	return x
}

func (l *rowNorm) export(e *exporter, x string, shape []int) string {
	params := shape
	if len(shape) == 2 {
		params = shape[1:]
	}
	axes := make([]int, len(params))
	for i := range axes {
		axes[i] = i - len(axes)
	}
	if l.rms { // no operator of opset 17
		square := e.op("ReduceMean", []string{e.binary("Mul", x, x)}, attribute{"axes", axes}, attribute{"keepdims", 1})
		x = e.binary("Div", x, e.op("Sqrt", []string{e.binary("Add", square, e.number(l.epsilon))}))
		if l.gamma != nil {
			x = e.binary("Mul", x, e.floats(l.gamma.Value, params...))
		}
		return x
	}
	gamma, beta := value(l.gamma), value(l.beta)
	if gamma == nil {
		gamma, beta = filled(l.cols, 1), filled(l.cols, 0)
	}
	return e.op("LayerNormalization", []string{x, e.floats(gamma, params...), e.floats(beta, params...)},
		attribute{"axis", axes[0]}, attribute{"epsilon", float32(l.epsilon)})
}

// A group is an instance of InstanceNormalization: [N groups rest].
func (l *groupNorm) export(e *exporter, x string, shape []int) string {
	back := append([]int{-1}, shape...)
	if l.layout == norm.NHWC {
		x = e.op("Transpose", []string{x}, attribute{"perm", []int{0, 2, 1}})
		back[1], back[2] = back[2], back[1]
	}
	x = e.binary("Reshape", x, e.ints(0, l.groups, -1))
	x = e.op("InstanceNormalization", []string{x, e.floats(filled(l.groups, 1), l.groups), e.floats(filled(l.groups, 0), l.groups)},
		attribute{"epsilon", float32(l.epsilon)})
	x = e.binary("Reshape", x, e.ints(back...))
	if l.layout == norm.NHWC {
		x = e.op("Transpose", []string{x}, attribute{"perm", []int{0, 2, 1}})
	}
	return e.affine(x, value(l.gamma), value(l.beta), shape)
}

func (l *dynamicTanh) export(e *exporter, x string, shape []int) string {
	x = e.op("Tanh", []string{e.binary("Mul", x, e.floats(l.alpha.Value))})
	return e.affine(x, value(l.gamma), value(l.beta), shape)
}

func (l *embedding) export(e *exporter, x string, _ []int) string {
	y := e.binary("Gather", e.floats(l.weight.Value, l.vocabulary, l.width), x)
	if l.positions == nil {
		return y
	}
	return e.binary("Add", y, e.floats(l.positions.Value[:l.length*l.width], l.length, l.width))
}

func (a *attention) export(e *exporter, x string, _ []int) string {
	t, d, each := a.length, a.width, a.width/a.heads
	qkv := e.binary("Reshape", e.linear(x, a.in.weight, a.in.bias), e.ints(-1, t, 3, a.heads, each))
	qkv = e.op("Transpose", []string{qkv}, attribute{"perm", []int{2, 0, 3, 1, 4}}) // [3 N heads T each]
	part := func(i int) string {
		return e.op("Squeeze", []string{e.op("Slice", []string{qkv, e.ints(i), e.ints(i + 1), e.ints(0)}), e.ints(0)})
	}
	k := e.op("Transpose", []string{part(1)}, attribute{"perm", []int{0, 1, 3, 2}})
	s := e.binary("Mul", e.binary("MatMul", part(0), k), e.number(1/math.Sqrt(float64(each))))
	if a.causal {
		mask := make([]float32, t*t)
		for i := range t {
			for j := i + 1; j < t; j++ {
				mask[i*t+j] = float32(math.Inf(-1))
			}
		}
		s = e.binary("Add", s, e.floats(mask, t, t))
	}
	probabilities := e.op("Softmax", []string{s}, attribute{"axis", -1})
	e.show(e.path+" attention probabilities", probabilities, []int{a.heads, t, t})
	y := e.binary("MatMul", probabilities, part(2))
	y = e.binary("Reshape", e.op("Transpose", []string{y}, attribute{"perm", []int{0, 2, 1, 3}}), e.ints(-1, t, d))
	return e.linear(y, a.out.weight, a.out.bias)
}

// The steps one after another: a runtime needs no GRU operator then, and its variants differ in where the reset gate stands.
func (g *gru) export(e *exporter, x string, _ []int) string {
	u := g.units
	w := e.linear(x, g.in.weight, g.in.bias) // [N T 3u]
	thirds := func(v string, axis int) [3]string {
		out := [3]string{e.name(), e.name(), e.name()}
		e.node("Split", []string{v, e.ints(u, u, u)}, out[:], attribute{"axis", axis})
		return out
	}
	var h string
	var states []string
	for step := range g.length {
		wx := thirds(e.op("Squeeze", []string{e.op("Slice", []string{w, e.ints(step), e.ints(step + 1), e.ints(1)}), e.ints(1)}), 1)
		var uh [3]string
		if h == "" { // the state is 0: what is left is the bias
			uh = thirds(e.floats(g.bias.Value, 3*u), 0)
		} else {
			uh = thirds(e.linear(h, g.weight, g.bias), 1)
		}
		r := e.op("Sigmoid", []string{e.binary("Add", wx[0], uh[0])})
		z := e.op("Sigmoid", []string{e.binary("Add", wx[1], uh[1])})
		n := e.op("Tanh", []string{e.binary("Add", wx[2], e.binary("Mul", r, uh[2]))})
		if h == "" {
			h = e.binary("Sub", n, e.binary("Mul", z, n))
		} else {
			h = e.binary("Add", n, e.binary("Mul", z, e.binary("Sub", h, n)))
		}
		states = append(states, e.op("Unsqueeze", []string{h, e.ints(1)}))
	}
	return e.op("Concat", states, attribute{"axis", 1})
}
