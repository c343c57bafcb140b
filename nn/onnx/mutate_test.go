package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/normwasm/normwasm/nn/ir"
)

// tree is a file taken apart: the fields of a message, of which some are messages. It is
// read and written without the reader that it tests.
type tree struct {
	kind  string // as in the schema
	parts []*part
}

type part struct {
	num  protowire.Number
	typ  protowire.Type
	bits uint64
	data []byte
	sub  *tree // in place of data
}

// schema says which fields of a message are messages that mutations look into.
var schema = map[string]map[protowire.Number]string{
	"model":       {7: "graph", 8: "opset", 25: "function"},
	"graph":       {1: "node", 5: "tensor", 11: "value", 12: "value", 15: "sparse"},
	"node":        {5: "attribute"},
	"attribute":   {5: "tensor", 6: "graph"},
	"function":    {7: "node", 9: "opset", 11: "attribute"},
	"sparse":      {1: "tensor", 2: "tensor"},
	"value":       {2: "type"},
	"tensor":      {13: "entry"},
	"type":        {1: "tensor type", 4: "list type", 9: "list type"},
	"list type":   {1: "type"}, // sequences and optional values
	"tensor type": {2: "shape"},
	"shape":       {1: "dimension"},
}

// takeApart gives nil for what is no message.
func takeApart(b []byte, kind string) *tree {
	t := &tree{kind: kind}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		p := &part{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			p.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			p.bits = uint64(v)
		case protowire.Fixed64Type:
			p.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			p.data, n = protowire.ConsumeBytes(b)
		default:
			return nil
		}
		if n < 0 {
			return nil
		}
		b = b[n:]
		if inner := schema[kind][num]; inner != "" && typ == protowire.BytesType {
			p.sub = takeApart(p.data, inner)
		}
		t.parts = append(t.parts, p)
	}
	return t
}

func (t *tree) bytes() []byte {
	var b []byte
	for _, p := range t.parts {
		b = protowire.AppendTag(b, p.num, p.typ)
		switch p.typ {
		case protowire.VarintType:
			b = protowire.AppendVarint(b, p.bits)
		case protowire.Fixed32Type:
			b = protowire.AppendFixed32(b, uint32(p.bits))
		case protowire.Fixed64Type:
			b = protowire.AppendFixed64(b, p.bits)
		default:
			data := p.data
			if p.sub != nil {
				data = p.sub.bytes()
			}
			b = protowire.AppendBytes(b, data)
		}
	}
	return b
}

// all lists the messages of one kind, at any depth.
func (t *tree) all(kind string) (list []*tree) {
	if t.kind == kind {
		list = append(list, t)
	}
	for _, p := range t.parts {
		if p.sub != nil {
			list = append(list, p.sub.all(kind)...)
		}
	}
	return list
}

// fields lists the fields of one number.
func (t *tree) fields(num protowire.Number) (list []*part) {
	for _, p := range t.parts {
		if p.num == num {
			list = append(list, p)
		}
	}
	return list
}

// first is the first field num, nil where there is none.
func (t *tree) first(num protowire.Number) *part {
	if list := t.fields(num); len(list) > 0 {
		return list[0]
	}
	return nil
}

// str is the first field num as a string.
func (t *tree) str(num protowire.Number) string {
	if p := t.first(num); p != nil {
		return string(p.data)
	}
	return ""
}

func (t *tree) drop(p *part) {
	t.parts = slices.DeleteFunc(t.parts, func(q *part) bool { return p == q })
}

func (t *tree) add(m []byte, num protowire.Number) {
	t.parts = append(t.parts, &part{num: num, typ: protowire.BytesType, data: m, sub: takeApart(m, schema[t.kind][num])})
}

// presentable makes a file that other runtimes take as well, for they believe what is declared of outputs, and want graphs
// named and no two nodes alike.
func presentable(file []byte) []byte {
	t := takeApart(file, "model")
	for _, n := range t.all("node") {
		for _, p := range n.fields(3) {
			n.drop(p)
		}
	}
	for _, g := range t.all("graph") {
		if len(g.fields(2)) == 0 || g.str(2) == "" {
			g.add([]byte("g"), 2)
		}
		for _, p := range g.fields(12) {
			if p.sub != nil && len(p.sub.all("list type")) == 0 {
				p.sub = takeApart(msg{}.str(1, p.sub.str(1)), "value")
			}
		}
	}
	return t.bytes()
}

// exposed makes the results of all nodes results of the model.
func exposed(file []byte) []byte {
	t := takeApart(file, "model")
	for _, p := range t.fields(7) {
		if p.sub == nil {
			continue
		}
		have := map[string]bool{"": true}
		for _, o := range p.sub.fields(12) {
			if o.sub != nil {
				have[o.sub.str(1)] = true
			}
		}
		for _, n := range nodesOf(p.sub) {
			for _, o := range n.sub.fields(2) {
				if name := string(o.data); !have[name] {
					have[name] = true
					p.sub.add(msg{}.str(1, name), 12)
				}
			}
		}
	}
	return t.bytes()
}

// jittered multiplies the values named by a little more or less than one, as if they had been rounded otherwise.
func jittered(rnd *rand.Rand, file []byte, floats map[string]int) []byte {
	t := takeApart(file, "model")
	for _, p := range t.fields(7) {
		if p.sub == nil {
			continue
		}
		for _, n := range nodesOf(p.sub) {
			for _, o := range n.sub.fields(2) {
				name := string(o.data)
				size := floats[name]
				if size == 0 || size > 1<<12 {
					continue
				}
				o.data = []byte("jittered " + name)
				// Elements that lie side by side move by unlike steps, so that what is equal comes apart.
				dims := []int{size}
				if size < 0 {
					dims, size = nil, 1
				}
				by, steps := "by "+name, make([]float32, size)
				for k := range steps {
					steps[k] = pick[float32](&mutator{Rand: rnd}, 1+5e-7, 1-5e-7)
				}
				p.sub.add(constOf(by, dims, steps...), 5)
				behind := &part{num: 1, typ: protowire.BytesType, sub: takeApart(nodeOf("Mul", []string{string(o.data), by}, []string{name}), "node")}
				p.sub.parts = slices.Insert(p.sub.parts, slices.Index(p.sub.parts, n)+1, behind)
			}
		}
	}
	return t.bytes()
}

// mutator changes a model in one way or another.
type mutator struct {
	*rand.Rand
	m *tree
	n int // names that it made
}

func pick[T any](m *mutator, list ...T) T { return list[m.IntN(len(list))] }

var (
	unaryOps = strings.Fields(`Relu Sigmoid Tanh Abs Neg Exp Sqrt Softplus Erf HardSwish HardSigmoid Identity LeakyRelu Elu Selu Softsign Floor Ceil
		Round Reciprocal Log Clip Softmax LogSoftmax Flatten Transpose ReduceMean ReduceSum ReduceMax GlobalAveragePool GlobalMaxPool Mish Sign Celu Sin
		Squeeze Dropout Cast Shape Size NonZero MeanVarianceNormalization LpNormalization Not IsNaN Tanh Relu Relu Sigmoid Clip`)
	binaryOps = strings.Fields(`Add Sub Mul Div Max Min Pow PRelu MatMul Mean Sum Add Mul Sub Div Concat Equal Less Greater GreaterOrEqual Mod Expand
		Reshape Tile Gather ReduceSum Unsqueeze Where`)
	reduceOps  = strings.Fields("ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceProd")
	attrWords  = strings.Fields("SAME_UPPER VALID SAME_LOWER NOTSET constant reflect edge wrap nearest linear cubic asymmetric align_corners half_pixel add mul none DCR CRD tanh floor ceil round_prefer_ceil relu")
	attrNumber = []int64{0, 1, 2, 3, -1, -2, 4, 5, 6, 8, -3, 100, 1 << 31, math.MinInt32, 1 << 40, math.MaxInt64, math.MinInt64}
	attrFloats = []float32{0, 1, -1, 0.5, 2, 1e-5, 1e-3, 6, -0.25, 1e-20, float32(math.Inf(1)), float32(math.NaN())}
	booleans   = strings.Fields(`keepdims transA transB ceil_mode allowzero noop_with_empty_axes count_include_pad exclusive reverse upper largest sorted
		training_mode select_last_index fmod antialias exclude_outside storage_order`)  // which have no other values than 0 and 1
	attrNames = strings.Fields(`axis axes keepdims alpha beta epsilon transA transB group strides pads dilations kernel_shape auto_pad ceil_mode perm
		to mode allowzero noop_with_empty_axes count_include_pad num_outputs activation min max training_mode momentum exclusive reverse
		block_size bits quantize_axis gather_axis output_dtype num_scan_inputs scan_input_axes scan_output_axes scan_input_directions scan_output_directions
		hidden_size layout linear_before_reset new_axis dtype K N`)
	locations = []string{besideName, besideName, "./" + besideName, "empty", "none.bin", "../" + besideName, "/etc/passwd", "weights/../../x", "https://example.com/w.bin",
		"C:\\w.bin", "weights\\data.bin", "w\x00", "", ".", "//" + besideName}
	offsets = []string{"0", "4", "8", "64", "1020", "1021", "1024", "-4", "4503599627370496", "9223372036854775807", "99999999999999999999", "four", "", "4.0"}
)

// small is an integer, most often one that fits.
func (m *mutator) small() int64 {
	if m.IntN(8) == 0 {
		return pick(m, attrNumber...)
	}
	return pick(m, attrNumber[:9]...)
}

// mutated returns a changed copy of a file and what was done; the file itself where it cannot be taken apart.
func mutated(rnd *rand.Rand, file []byte) ([]byte, []string) {
	m := &mutator{Rand: rnd, m: takeApart(file, "model")}
	if m.m == nil || m.IntN(12) == 0 {
		return m.damaged(file)
	}
	var done []string
	for range 1 + m.IntN(4) {
		for range 20 { // until something can be done
			if what := m.step(); what != "" {
				done = append(done, what)
				break
			}
		}
	}
	return m.m.bytes(), done
}

// damaged changes bytes wherever they are.
func (m *mutator) damaged(file []byte) ([]byte, []string) {
	b := slices.Clone(file)
	for range 1 + m.IntN(4) {
		at := m.IntN(len(b))
		switch m.IntN(4) {
		case 0:
			b[at] = byte(m.Uint32())
		case 1:
			b[at] ^= 1 << m.IntN(8)
		case 2:
			b[at]++
		default:
			b = append(b[:at:at], b[min(len(b), at+1+m.IntN(3)):]...)
		}
		if len(b) == 0 {
			b = []byte{8}
		}
	}
	return b, []string{"bytes"}
}

func (m *mutator) step() string {
	nodes := m.m.all("node")
	if len(nodes) == 0 {
		return ""
	}
	n := pick(m, nodes...)
	switch m.IntN(21) {
	case 17, 18:
		return m.detour()
	case 19:
		return m.outside()
	case 20:
		return m.form()
	case 0, 1, 2:
		return m.attribute(n)
	case 3, 4:
		return m.operand(n)
	case 5:
		return m.bypass()
	case 6:
		return m.operator(n)
	case 7, 8, 9:
		return m.insert()
	case 10, 11, 12:
		return m.constant()
	case 13:
		return m.opset()
	case 14, 15:
		return m.shape()
	default:
		return m.output()
	}
}

func (m *mutator) attribute(n *tree) string {
	attrs := n.fields(5)
	if len(attrs) == 0 || m.IntN(6) == 0 {
		name := pick(m, attrNames...)
		var a msg
		switch m.IntN(4) {
		case 0:
			a = attrInts(name, m.small(), m.small())
		case 1:
			a = msg{}.str(1, name).num(20, 1).float(2, pick(m, attrFloats...))
		case 2:
			a = msg{}.str(1, name).num(20, 3).str(4, pick(m, attrWords...))
		default:
			v := m.small()
			if slices.Contains(booleans, name) {
				v &= 1
			}
			a = attrInt(name, v)
		}
		n.add(a, 5)
		return "new attribute " + name + " of " + n.str(4)
	}
	p := pick(m, attrs...)
	what := p.sub.str(1) + " of " + n.str(4)
	if m.IntN(6) == 0 {
		n.drop(p)
		return "without " + what
	}
	for _, f := range p.sub.parts {
		switch f.num {
		case 2:
			f.bits = uint64(math.Float32bits(pick(m, attrFloats...)))
		case 3:
			if f.bits = uint64(m.small()); slices.Contains(booleans, p.sub.str(1)) {
				f.bits &= 1
			}
		case 4:
			f.data = []byte(pick(m, attrWords...))
		}
	}
	if list := p.sub.fields(8); len(list) > 0 {
		f := pick(m, list...)
		switch m.IntN(6) {
		case 0:
			p.sub.drop(f)
		case 1:
			p.sub.parts = append(p.sub.parts, &part{num: 8, bits: uint64(m.small())})
		default:
			f.bits = uint64(m.small())
		}
	}
	return "another " + what
}

// owner is the graph or function that a node is in.
func (m *mutator) owner() *tree {
	return pick(m, append(m.m.all("graph"), m.m.all("function")...)...)
}

// names lists what the nodes of a graph may refer to.
func names(g *tree) (list []string) {
	for _, p := range g.parts {
		switch {
		case p.sub == nil:
		case p.sub.kind == "node":
			for _, o := range p.sub.fields(2) {
				list = append(list, string(o.data))
			}
		case p.sub.kind == "tensor":
			list = append(list, p.sub.str(8))
		case p.num == 11:
			list = append(list, p.sub.str(1))
		}
	}
	return list
}

// operand changes which values a node uses.
func (m *mutator) operand(n *tree) string {
	in := n.fields(1)
	if len(in) == 0 {
		return ""
	}
	p := pick(m, in...)
	switch m.IntN(5) {
	case 0:
		q := pick(m, in...)
		p.data, q.data = q.data, p.data
		return "operands of " + n.str(4) + " exchanged"
	case 1:
		n.drop(p)
		return "an operand of " + n.str(4) + " less"
	case 2:
		p.data = nil
		return "an operand of " + n.str(4) + " left out"
	}
	list := names(pick(m, m.m.all("graph")...))
	if len(list) == 0 {
		return ""
	}
	p.data = []byte(pick(m, list...))
	return "another operand of " + n.str(4)
}

// nodesOf lists the fields that are a graph's nodes.
func nodesOf(g *tree) (list []*part) {
	for _, p := range g.parts {
		if p.sub != nil && p.sub.kind == "node" {
			list = append(list, p)
		}
	}
	return list
}

// bypass takes a node out: who used its result uses its first operand.
func (m *mutator) bypass() string {
	g := m.owner()
	list := nodesOf(g)
	if len(list) < 2 {
		return ""
	}
	p := pick(m, list...)
	in, out := p.sub.fields(1), p.sub.fields(2)
	if len(in) == 0 || len(out) == 0 {
		return ""
	}
	g.drop(p)
	rename(g, string(out[0].data), string(in[0].data))
	return p.sub.str(4) + " taken out"
}

// rename lets nodes and outputs of a graph that use one value use another.
func rename(g *tree, from, to string) {
	for _, n := range g.all("node") {
		for _, p := range n.fields(1) {
			if string(p.data) == from {
				p.data = []byte(to)
			}
		}
	}
	for _, p := range g.fields(12) {
		if p.sub == nil {
			continue
		}
		for _, q := range p.sub.fields(1) {
			if string(q.data) == from {
				q.data = []byte(to)
			}
		}
	}
}

// operator exchanges a node's operator for one of the same kind.
func (m *mutator) operator(n *tree) string {
	if p := n.first(4); p != nil {
		old := string(p.data)
		list := unaryOps
		if slices.Contains(binaryOps, old) || len(n.fields(1)) == 2 {
			list = binaryOps
		}
		if slices.Contains(reduceOps, old) {
			list = reduceOps
		}
		p.data = []byte(pick(m, list...))
		return string(p.data) + " for " + old
	}
	return ""
}

// insert puts a node behind a value.
func (m *mutator) insert() string {
	g := m.owner()
	list := nodesOf(g)
	if len(list) == 0 {
		return ""
	}
	p := pick(m, list...)
	at := slices.Index(g.parts, p)
	outs := p.sub.fields(2)
	if len(outs) == 0 {
		return ""
	}
	m.n++
	old, made := string(outs[0].data), fmt.Sprint("made", m.n)
	outs[0].data = []byte(made)
	var node msg
	what := ""
	if g.kind == "graph" && m.IntN(2) == 0 { // with a constant, as what is folded has one
		what = pick(m, binaryOps[:16]...)
		dims := pick(m, []int{}, []int{1}, []int{4}, []int{6}, []int{4, 1, 1}, []int{1, 1}, []int{3}, []int{1, 4, 1, 1}, []int{2})
		v := make([]float32, max(1, product(dims)))
		for i := range v {
			v[i] = pick[float32](m, 0.5, 1, 2, -1, 3, 6, 0, float32(m.NormFloat64()), 1./6)
		}
		name := fmt.Sprint("const", m.n)
		g.add(constOf(name, dims, v...), 5)
		in := []string{made, name}
		if m.IntN(4) == 0 {
			slices.Reverse(in)
		}
		node = nodeOf(what, in, []string{old})
	} else if m.IntN(4) == 0 {
		what = pick(m, binaryOps[:16]...)
		list := names(g)
		node = nodeOf(what, []string{made, pick(m, append(list, made)...)}, []string{old})
	} else {
		what = pick(m, unaryOps...)
		node = nodeOf(what, []string{made}, []string{old})
		switch what {
		case "Cast":
			node = node.bytes(5, attrInt("to", pick[int64](m, 1, 1, 1, 6, 7, 2, 3, 9, 10, 11)))
		case "Transpose":
			if m.IntN(2) == 0 {
				node = node.bytes(5, attrInts("perm", pick(m, []int64{0, 2, 1, 3}, []int64{1, 0}, []int64{0, 2, 3, 1}, []int64{0, 3, 1, 2})...))
			}
		}
	}
	behind := &part{num: p.num, typ: protowire.BytesType, sub: takeApart(node, "node")}
	g.parts = slices.Insert(g.parts, at+1, behind)
	return what + " behind " + p.sub.str(4)
}

// detour lets a value go through a quantization, a loop, a sequence or an optional value before it is used.
func (m *mutator) detour() string {
	var graphs []*tree
	for _, g := range m.m.all("graph") {
		if len(nodesOf(g)) > 0 {
			graphs = append(graphs, g)
		}
	}
	if len(graphs) == 0 {
		return ""
	}
	g := pick(m, graphs...)
	p := pick(m, nodesOf(g)...)
	at := slices.Index(g.parts, p)
	outs := p.sub.fields(2)
	if len(outs) == 0 {
		return ""
	}
	m.n++
	old, made := string(outs[0].data), fmt.Sprint("made", m.n)
	own := func(name string) string { return fmt.Sprint(name, m.n) }
	outs[0].data = []byte(made)
	truth := tensorOf(own("yes"), 9).bytes(9, []byte{1})
	number := func(name string, v int64) msg { return tensorOf(own(name), 7).bytes(9, rawInts(v)) }
	var nodes, constants []msg
	what := pick(m, "quantization", "dynamic quantization", "loop", "scan", "sequence", "split", "optional value", "half")
	switch what {
	case "quantization":
		typ := pick(m, 2, 3, 3)
		nodes = []msg{call("QuantizeLinear", made+" "+own("s")+" "+own("z"), own("q")), call("DequantizeLinear", own("q")+" "+own("s")+" "+own("z"), old)}
		constants = []msg{scaleOf(own("s"), pick[float32](m, 0.05, 0.1, 0.01, 1)), zeroOf(own("z"), typ, pick[byte](m, 0, 0, 3, 128))}
	case "dynamic quantization":
		nodes = []msg{call("DynamicQuantizeLinear", made, own("q")+" "+own("s")+" "+own("z")), call("DequantizeLinear", own("q")+" "+own("s")+" "+own("z"), old)}
	case "loop":
		body := graphOf(call(pick(m, "Tanh", "Neg", "Sigmoid", "Identity", "Relu"), own("v"), own("w")), call("Identity", own("c"), own("d"))).
			bytes(11, value(own("i"), 7)).bytes(11, value(own("c"), 9)).bytes(11, msg{}.str(1, own("v"))).bytes(12, value(own("d"), 9)).bytes(12, msg{}.str(1, own("w")))
		nodes = []msg{call("Loop", own("trips")+" "+own("yes")+" "+made, old, attrGraph("body", body))}
		constants = []msg{number("trips", pick(m, append(attrNumber, 1, 2, 3)...)), truth}
	case "scan":
		body := graphOf(call("Add", own("h")+" "+own("e"), own("h2")), call("Neg", own("h2"), own("f"))).
			bytes(11, msg{}.str(1, own("h"))).bytes(11, msg{}.str(1, own("e"))).bytes(12, msg{}.str(1, own("h2"))).bytes(12, msg{}.str(1, own("f")))
		nodes = []msg{call("Scan", own("zero")+" "+made, own("last")+" "+old, attrGraph("body", body), attrInt("num_scan_inputs", 1),
			attrInts("scan_input_directions", int64(m.IntN(2))), attrInts("scan_output_axes", m.small()), attrInts("scan_input_axes", m.small()))}
		constants = []msg{constOf(own("zero"), nil, 0)}
	case "sequence":
		nodes = []msg{call("SequenceConstruct", made+" "+made, own("l")), call("SequenceAt", own("l")+" "+own("at"), old)}
		constants = []msg{number("at", pick[int64](m, 0, 1, -1, -2, 2))}
	case "split":
		nodes = []msg{call("SplitToSequence", made+" "+own("parts"), own("l"), attrInt("axis", m.small())), call("ConcatFromSequence", own("l"), old, attrInt("axis", m.small()))}
		constants = []msg{number("parts", pick(m, 1, 2, m.small()))}
	case "optional value":
		nodes = []msg{call("Optional", made, own("o")), call("OptionalGetElement", own("o"), old)}
	case "half":
		nodes = []msg{call("Cast", made, own("h"), attrInt("to", pick[int64](m, 10, 16, 11))), call("Cast", own("h"), old, attrInt("to", 1))}
	}
	for _, c := range constants {
		g.add(c, 5)
	}
	for i, n := range nodes {
		g.parts = slices.Insert(g.parts, at+1+i, &part{num: p.num, typ: protowire.BytesType, sub: takeApart(n, "node")})
	}
	return "a " + what + " behind " + p.sub.str(4)
}

// outside puts a tensor's elements into a file, or says otherwise where they are in one.
func (m *mutator) outside() string {
	list := m.m.all("tensor")
	if len(list) == 0 {
		return ""
	}
	t := pick(m, list...)
	if len(t.fields(13)) == 0 {
		// The file's bytes are of any value: as bools they would say nothing that runtimes agree on.
		if dtype := t.first(2); m.IntN(3) > 0 || dtype != nil && dtype.bits == uint64(ir.Bool) {
			return ""
		}
		for _, p := range slices.Concat(t.fields(4), t.fields(5), t.fields(7), t.fields(9), t.fields(10), t.fields(11)) {
			t.drop(p)
		}
		t.add(msg{}.str(1, "location").str(2, besideName), 13)
		t.add(msg{}.str(1, "offset").str(2, pick(m, "0", "4", "64", "1")), 13)
		t.parts = append(t.parts, &part{num: 14, bits: 1})
		return "constant " + t.str(8) + " in a file"
	}
	entries := t.fields(13)
	p := pick(m, entries...)
	if p.sub == nil {
		return ""
	}
	if m.IntN(8) == 0 {
		t.drop(p)
		return "without " + p.sub.str(1) + " of " + t.str(8)
	}
	if v := p.sub.first(2); v != nil {
		v.data = []byte(pick(m, offsets...))
		if p.sub.str(1) == "location" {
			v.data = []byte(pick(m, locations...))
		}
		return fmt.Sprintf("%s %q of %s", p.sub.str(1), v.data, t.str(8))
	}
	return ""
}

// form makes a sequence or an optional value of what is declared as a tensor, or the other way round.
func (m *mutator) form() string {
	list := m.m.all("value")
	if len(list) == 0 {
		return ""
	}
	v := pick(m, list...)
	t := v.first(2)
	if t == nil || t.sub == nil || len(t.sub.parts) == 0 {
		return ""
	}
	inner := t.sub.parts[0]
	if inner.sub != nil && inner.sub.kind == "list type" && m.IntN(2) == 0 {
		if e := inner.sub.first(1); e != nil && e.sub != nil {
			t.sub = e.sub
			return v.str(1) + " as what it is made of"
		}
		return ""
	}
	wrapped := msg{}.bytes(pick(m, 4, 9), msg{}.bytes(1, t.sub.bytes()))
	t.sub = takeApart(wrapped, "type")
	return v.str(1) + " as a list"
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// constant changes a tensor's dimensions, type or elements.
func (m *mutator) constant() string {
	list := m.m.all("tensor")
	if len(list) == 0 {
		return ""
	}
	t := pick(m, list...)
	what := "constant " + t.str(8)
	dims := t.fields(1)
	switch m.IntN(7) {
	case 0:
		if len(dims) == 0 {
			return ""
		}
		p, q := pick(m, dims...), pick(m, dims...)
		p.bits, q.bits = q.bits, p.bits
		return what + " with dimensions exchanged"
	case 1:
		t.parts = slices.Insert(t.parts, m.IntN(len(dims)+1), &part{num: 1, bits: 1})
		return what + " with a dimension more"
	case 2:
		for _, p := range dims {
			if p.bits == 1 {
				t.drop(p)
				return what + " with a dimension less"
			}
		}
		return ""
	case 3:
		if p := t.first(2); p != nil {
			p.bits = uint64(pick(m, 1, 7, 6, 11, 9, 2, 3, 10, 3, 2, 21, 22, 5, 16))
			return what + " of another type"
		}
		return ""
	case 4: // fewer elements, all of them there
		if p := t.first(9); p != nil {
			size := map[uint64]int{1: 4, 6: 4, 7: 8, 11: 8}[t.fields(2)[0].bits]
			if size == 0 || len(p.data) < 2*size {
				return ""
			}
			n := 1 + m.IntN(len(p.data)/size-1)
			p.data = p.data[:n*size]
			for _, d := range dims {
				t.drop(d)
			}
			t.parts = append([]*part{{num: 1, bits: uint64(n)}}, t.parts...)
			return what + fmt.Sprint(" of ", n)
		}
		return ""
	}
	if p := t.first(9); p != nil {
		if len(p.data) == 0 || len(t.fields(2)) == 0 {
			return ""
		}
		p.data = slices.Clone(p.data)
		switch typ := t.fields(2)[0].bits; {
		case typ == 1 && len(p.data)%4 == 0:
			v := pick(m, append(attrFloats[:9:9], float32(m.NormFloat64()))...)
			if m.IntN(16) == 0 {
				v = pick(m, attrFloats[9:]...)
			}
			copy(p.data[m.IntN(len(p.data)/4)*4:], rawFloats(v))
		case typ == 7 && len(p.data)%8 == 0:
			copy(p.data[m.IntN(len(p.data)/8)*8:], rawInts(m.small()))
		default:
			p.data[m.IntN(len(p.data))] = byte(m.Uint32())
		}
		return "an element of " + what
	}
	return ""
}

func (m *mutator) opset() string {
	list := m.m.all("opset")
	if len(list) == 0 {
		return ""
	}
	if p := pick(m, list...).first(2); p != nil {
		p.bits = uint64(pick(m, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23))
		return fmt.Sprint("opset ", p.bits)
	}
	return ""
}

// shape changes a declared dimension, or the declared type.
func (m *mutator) shape() string {
	list := m.m.all("value")
	if len(list) == 0 {
		return ""
	}
	v := pick(m, list...)
	if m.IntN(8) == 0 {
		for _, t := range v.all("tensor type") {
			if p := t.first(1); p != nil {
				p.bits = uint64(pick(m, 1, 1, 7, 6, 9, 11, 10, 2))
				return v.str(1) + " of another type"
			}
		}
		return ""
	}
	if shapes := v.all("shape"); len(shapes) > 0 {
		s := shapes[0]
		dims := s.fields(1)
		made := &part{num: 1, typ: protowire.BytesType, sub: takeApart(msg{}.num(1, int64(m.IntN(7))), "dimension")}
		if m.IntN(2) == 0 {
			made.sub = takeApart(msg{}.str(2, pick(m, "n", "m", "N", "")), "dimension")
		}
		switch {
		case len(dims) == 0 || m.IntN(6) == 0:
			s.parts = append(s.parts, made)
		case m.IntN(6) == 0:
			s.drop(pick(m, dims...))
		default:
			*pick(m, dims...) = *made
		}
		return "another shape of " + v.str(1)
	}
	return ""
}

// output makes one more value a result of the model, so that it is used twice.
func (m *mutator) output() string {
	if p := m.m.first(7); p != nil {
		if p.sub == nil {
			return ""
		}
		list := names(p.sub)
		if len(list) == 0 {
			return ""
		}
		name := pick(m, list...)
		for _, q := range p.sub.fields(12) {
			if q.sub != nil && q.sub.str(1) == name {
				return ""
			}
		}
		p.sub.add(msg{}.str(1, name), 12)
		return name + " as a result"
	}
	return ""
}
