package text

import (
	"math"
	"slices"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/safetensors"
)

// decoder is a graph that was built of weights.
type decoder struct {
	graph      *ir.Graph
	states     []graph.State
	memory     [][]byte // of weights that are not where the file has them
	context    int
	vocabulary int
	config     *Config
}

// Names of the inputs that ONNX decoders have as well, and of the two that
// GroupQueryAttention wants.
const (
	inputTokens    = "input_ids"
	inputPositions = "position_ids"
	inputLast      = "seqlens_k"
	inputTotal     = "total_sequence_length"
	outputLogits   = "logits"
)

// builder makes the graph. The first failure sticks.
type builder struct {
	store  *store
	family *family
	config *Config
	graph  *ir.Graph
	width  int
	memory [][]byte // of weights that are not where the file has them
	own    bool     // the file's memory may be written over
	across bool     // matrices are stored [in, out], not [out, in]
	err    error

	past, present []*ir.Value
	positions     *ir.Value
	last, total   *ir.Value
	cos, sin      *ir.Value
	cut           *ir.Value // where the Slice begins that takes the last position
	ends, axes    *ir.Value
	tables        map[string]weight // those that may be read twice
}

// build makes a decoder of a file's tensors, which it refers to where they are. own says
// that it may write over them.
func build(file *safetensors.File, s *settings, own bool) (d *decoder, err error) {
	f, tensors, err := familyOf(file)
	if err != nil {
		return nil, err
	}
	embedding := tensors.get(f.tokens + ".weight")
	if len(embedding.Dims) != 2 || embedding.Len() == 0 {
		return nil, ir.Load("text: the embeddings have dimensions ", embedding.Dims, ", want tokens and width")
	}
	vocabulary, width := embedding.Dims[0], embedding.Dims[1]
	c, err := configOf(s, f, width)
	if err != nil {
		return nil, err
	}
	b := &builder{store: tensors, family: f, config: c, width: width, own: own}
	return b.assemble(s.whole("num_hidden_layers n_layer n_layers", 0), vocabulary, s.flag("tie_word_embeddings", false), s.flag("tie_word_embeddings", true))
}

// assemble makes the decoder of so many layers, 0 for as many as there are.
func (b *builder) assemble(layers, vocabulary int, tied, may bool) (d *decoder, err error) {
	f, c := b.family, b.config
	b.graph = &ir.Graph{Name: "decoder", Opsets: map[string]int{"": 23, "com.microsoft": 1, ir.Internal: 1}}
	d = &decoder{graph: b.graph, vocabulary: vocabulary, config: c}
	defer func() {
		if d.memory = b.memory; err != nil {
			give(d.memory)
			d = nil
		}
	}()
	x := b.embed(vocabulary)
	n := 0
	for b.err == nil && b.store.get(b.layer(n)+f.norm1+".weight") != nil {
		x = b.block(n, x)
		n++
	}
	if b.err == nil && (n == 0 || layers > 0 && n != layers) {
		b.fail("the file has ", n, " layers, and the configuration ", layers)
	}
	x = b.node("Slice", "", 13, "last", nil, x, b.cut, b.ends, b.axes)
	if f.last != "" {
		x = b.norm(f.last, "norm", x)
	}
	d.logits(b, x, vocabulary, tied, may)
	if b.err != nil {
		return d, b.err
	}
	if err := b.store.left(f); err != nil {
		return d, err
	}
	for i, v := range b.past {
		b.graph.Inputs, b.graph.Outputs = append(b.graph.Inputs, v), append(b.graph.Outputs, b.present[i])
		d.states = append(d.states, graph.State{Input: v.Name, Output: b.present[i].Name})
	}
	d.context = c.Context
	return d, nil
}

// logits puts the head behind x: the embeddings themselves where the configuration says so (tied), or does not say
// otherwise (may) and the file has no head.
func (d *decoder) logits(b *builder, x *ir.Value, vocabulary int, tied, may bool) {
	name := b.family.head
	head := b.store.get(name + ".weight")
	switch {
	case head == nil && !may:
		b.fail("the file has no tensor ", text.Quote(name+".weight"), ", and the configuration says that the head is not the embeddings")
	case head == nil || tied:
		name = b.family.tokens
	}
	across := b.across
	b.across = false
	y := b.product(outputLogits, x, b.table(name, vocabulary))
	b.across = across
	b.graph.Outputs = append([]*ir.Value{y}, b.graph.Outputs...)
}

func (b *builder) fail(parts ...any) {
	if b.err == nil {
		b.err = ir.Load("text: ", text.Join(parts...))
	}
}

func (b *builder) layer(n int) string { return text.Join(b.family.layers, n, ".") }

func (b *builder) input(name string, t ir.DType, dims ...ir.Dim) *ir.Value {
	v := &ir.Value{Name: name, Type: t, Dims: dims, Known: true}
	b.graph.Inputs = append(b.graph.Inputs, v)
	return v
}

// node appends an operator with one result. Trailing nil inputs are left out.
func (b *builder) node(op, domain string, version int, name string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	out := &ir.Value{Name: name, Type: ir.Float32}
	b.graph.Nodes = append(b.graph.Nodes, &ir.Node{Name: name, Op: op, Domain: domain, Version: version, Inputs: in, Outputs: []*ir.Value{out}, Attrs: attrs})
	return out
}

func constant(name string, t *ir.Tensor) *ir.Value {
	return &ir.Value{Name: name, Type: t.Type, Known: true, Const: t}
}

func integers(name string, values ...int64) *ir.Value {
	t := ir.NewTensor(ir.Int64, len(values))
	copy(t.Int64s(), values)
	return constant(name, t)
}

// give gives slabs back.
func give(list [][]byte) {
	for _, m := range list {
		slab.Give(m)
	}
}

// room takes memory for a tensor.
func (b *builder) room(t ir.DType, dims ...int) *ir.Tensor {
	m, err := slab.Take(t.Bytes(ir.Elements(dims)), false)
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return ir.NewTensor(t, 0)
	}
	b.memory = append(b.memory, m)
	return &ir.Tensor{Type: t, Dims: dims, Data: m}
}

// stored is a tensor where the file has it, or a copy where elements cannot be read there.
func (b *builder) stored(t *ir.Tensor) *ir.Tensor {
	if slab.Addr(t.Data)%uintptr(t.Type.Size()) == 0 {
		return &ir.Tensor{Type: t.Type, Dims: t.Dims, Data: t.Data}
	}
	return b.copied(t)
}

func (b *builder) copied(t *ir.Tensor) *ir.Tensor {
	out := b.room(t.Type, t.Dims...)
	copy(out.Data, t.Data)
	return out
}

// floats is a tensor of n elements as float32.
func (b *builder) floats(name string, t *ir.Tensor, n int) *ir.Tensor {
	if t.Len() != n {
		b.fail("tensor ", text.Quote(name), " has dimensions ", t.Dims, ", want ", n, " elements")
		return ir.NewTensor(ir.Float32, n)
	}
	out := b.stored(t)
	if t.Type == ir.Float32 {
		out.Dims = []int{n}
		return out
	}
	wide := b.room(ir.Float32, n)
	if b.err == nil && !widen(wide.Float32s(), out) {
		b.fail("tensor ", text.Quote(name), " is of ", t.Type.String(), ", want float32, float16 or bfloat16")
	}
	return wide
}

// widen writes a tensor of floats as float32.
func widen(y []float32, t *ir.Tensor) bool {
	switch t.Type {
	case ir.Float32:
		copy(y, t.Float32s())
	case ir.BFloat16:
		for i, v := range slab.View[uint16](t.Data)[:len(y)] {
			y[i] = math.Float32frombits(uint32(v) << 16)
		}
	case ir.Float16:
		for i, v := range slab.View[uint16](t.Data)[:len(y)] {
			// The exponent's bias is 112 more in float32, which a product adds, for denormals too.
			bits := uint32(v&0x7fff) << 13
			f := math.Float32frombits(bits) * 0x1p112
			if v&0x7c00 == 0x7c00 {
				f = math.Float32frombits(bits | 0x7f800000)
			}
			y[i] = math.Float32frombits(math.Float32bits(f) | uint32(v&0x8000)<<16)
		}
	default:
		return false
	}
	return true
}

// weight is a matrix in parts one below the other, as they are stored, with their biases and, of
// int8, their scales.
type weight struct {
	parts       []*ir.Tensor
	bias, scale *ir.Tensor
}

// parts reads the matrices of these names, each with in columns (or rows, where they are stored
// across), and out rows together.
func (b *builder) parts(where string, in, out int, names ...string) (w weight) {
	rows, biases, scales := 0, 0, 0
	for _, name := range names {
		t, err := b.store.need(where + name + ".weight")
		if err != nil {
			b.fail(err)
			return w
		}
		at := 0
		if b.across {
			at = 1
		}
		if len(t.Dims) != 2 || t.Dims[1-at] != in || b.across && len(names) > 1 || t.Type != ir.Float32 && t.Type != ir.Float16 && t.Type != ir.BFloat16 && t.Type != ir.Int8 || len(w.parts) > 0 && t.Type != w.parts[0].Type {
			b.fail("tensor ", text.Quote(where+name), " is of ", t.Type.String(), " and has dimensions ", t.Dims, ", want ", in, " of them inside, in float32, float16, bfloat16 or int8, like its neighbours")
			return w
		}
		if w.parts = append(w.parts, b.stored(t)); b.err != nil {
			return w
		}
		rows += t.Dims[at]
		if b.store.get(where+name+".bias") != nil {
			biases++
		}
		if t.Type == ir.Int8 {
			scales++
		}
	}
	if rows != out {
		b.fail("tensor ", text.Quote(where+names[0]), " (and what belongs to it) has ", rows, " rows, want ", out)
		return w
	}
	if biases > 0 {
		w.bias = ir.NewTensor(ir.Float32, out)
	}
	if scales > 0 {
		w.scale = ir.NewTensor(ir.Float32, out)
	}
	from := 0
	for i, name := range names {
		n := w.parts[i].Dims[0]
		if b.across {
			n = w.parts[i].Dims[1]
		}
		if bias := b.store.get(where + name + ".bias"); bias != nil {
			copy(w.bias.Float32s()[from:], b.floats(where+name+".bias", bias, n).Float32s())
		}
		if scales > 0 {
			b.scales(w.scale.Float32s()[from:from+n], where+name)
		}
		from += n
	}
	return w
}

// scales reads what the rows of an int8 matrix are multiplied by: weight_scale, one number or one a
// row, or SCB, which are 127 times as much.
func (b *builder) scales(y []float32, name string) {
	if t := b.store.get(name + ".SCB"); t != nil {
		copy(y, b.floats(name+".SCB", t, len(y)).Float32s())
		for i := range y {
			y[i] /= 127
		}
		return
	}
	t, err := b.store.need(name + ".weight_scale")
	if err != nil {
		b.fail(err, ": the weights are int8")
		return
	}
	if t.Len() != 1 {
		copy(y, b.floats(name+".weight_scale", t, len(y)).Float32s())
		return
	}
	one := b.floats(name+".weight_scale", t, 1).Float32s()[0]
	for i := range y {
		y[i] = one
	}
}

// linear is x·Wᵀ + bias.
func (b *builder) linear(where, name string, x *ir.Value, out int, names ...string) *ir.Value {
	in := b.width
	if names[0] == b.family.down {
		in = b.inside(where)
	} else if names[0] == b.family.attentionOut {
		in = b.config.Heads * b.config.HeadSize
	}
	w := b.parts(where, in, out, names...)
	if b.family.heads3 && len(names) == 1 && names[0] == b.family.attention[0] && b.err == nil {
		b.regroup(&w)
	}
	return b.product(name, x, w)
}

// product multiplies by a weight.
func (b *builder) product(name string, x *ir.Value, w weight) *ir.Value {
	if b.err != nil {
		return x
	}
	attrs := map[string]*ir.Attr{}
	if !b.across {
		attrs["transB"] = &ir.Attr{Kind: ir.AttrInt, I: 1}
	}
	var bias *ir.Value
	if w.bias != nil {
		bias = constant(name+".bias", w.bias)
	}
	multiply := func(name string, bias *ir.Value) *ir.Value {
		if len(w.parts) == 1 {
			return b.node("MatMul", ir.Internal, 1, name, attrs, x, constant(name+".weight", w.parts[0]), bias)
		}
		in := []*ir.Value{x, bias}
		for i, t := range w.parts {
			in = append(in, constant(text.Join(name, ".weight", i), t))
		}
		return b.node("MatMulStacked", ir.Internal, 1, name, nil, in...)
	}
	if w.scale == nil {
		return multiply(name, bias)
	}
	y := multiply(name+".whole", nil)
	y = b.node("Mul", "", 14, name, nil, y, constant(name+".scale", w.scale))
	if bias != nil {
		y = b.node("Add", "", 14, name+".sum", nil, y, bias)
	}
	return y
}

// inside is the width of the MLP of a layer.
func (b *builder) inside(where string) int {
	t := b.store.get(where + b.family.down + ".weight")
	if t == nil || len(t.Dims) != 2 {
		return 0
	}
	if b.across {
		return t.Dims[0]
	}
	return t.Dims[1]
}

// regroup puts rows that come head by head, queries, keys and values of each, into the order
// of all queries, all keys, all values.
func (b *builder) regroup(w *weight) {
	heads := b.config.Heads
	move := func(t *ir.Tensor) {
		if t == nil {
			return
		}
		old := slices.Clone(t.Data)
		n := len(old) / (3 * heads)
		for h := range heads {
			for k := range 3 {
				copy(t.Data[(k*heads+h)*n:(k*heads+h+1)*n], old[(3*h+k)*n:])
			}
		}
	}
	if !b.own {
		w.parts[0] = b.copied(w.parts[0])
	}
	move(w.parts[0])
	move(w.bias)
	move(w.scale)
}

// norm is a normalization over the last axis.
func (b *builder) norm(name, as string, x *ir.Value) *ir.Value {
	scale, err := b.store.need(name + ".weight")
	if err != nil {
		b.fail(err)
		return x
	}
	attrs := map[string]*ir.Attr{"epsilon": {Kind: ir.AttrFloat, F: float32(b.config.Epsilon)}, "axis": {Kind: ir.AttrInt, I: -1}}
	gamma := constant(as+".weight", b.floats(name, scale, b.width))
	if b.config.RMS {
		return b.node("RMSNormalization", "", 23, as, attrs, x, gamma)
	}
	var beta *ir.Value
	if bias := b.store.get(name + ".bias"); bias != nil {
		beta = constant(as+".bias", b.floats(name, bias, b.width))
	}
	return b.node("LayerNormalization", "", 17, as, attrs, x, gamma, beta)
}

// embed begins the graph: tokens to vectors.
func (b *builder) embed(vocabulary int) *ir.Value {
	c, f := b.config, b.family
	one, sequence := ir.Dim{Size: 1}, ir.Dim{Size: -1, Symbol: "sequence"}
	ids := b.input(inputTokens, ir.Int64, one, sequence)
	x := b.rows("tok_emb", ids, vocabulary, f.tokens)
	if f.positions != "" {
		b.positions = b.input(inputPositions, ir.Int64, one, sequence)
		table, err := b.store.need(f.positions + ".weight")
		if err != nil || len(table.Dims) != 2 {
			b.fail("the file has no learned positions: ", text.Quote(f.positions+".weight"))
			return x
		}
		if c.Context == 0 || c.Context > table.Dims[0] {
			c.Context = table.Dims[0]
		}
		x = b.node("Add", "", 14, "x", nil, x, b.rows("pos_emb", b.positions, table.Dims[0], f.positions))
	}
	if c.Context == 0 {
		b.fail("the configuration lacks max_position_embeddings, the length of the context")
		return x
	}
	for _, t := range b.store.file.Tensors {
		if len(t.Dims) == 2 && t.Dims[0] == b.width && t.Dims[1] == 3*b.width && f.positions != "" {
			b.across = true // as GPT-2's own weights are; those of nanoGPT are not
		}
	}
	b.last = b.input(inputLast, ir.Int32, one)
	b.total = b.input(inputTotal, ir.Int32)
	if c.Rotary > 0 {
		b.angles()
	}
	b.cut, b.ends, b.axes = integers("last.from", -1), integers("last.to", math.MaxInt64), integers("last.axis", 1)
	return x
}

// rows looks up rows of a table.
func (b *builder) rows(name string, ids *ir.Value, n int, table string) *ir.Value {
	w := b.table(table, n)
	if b.err != nil {
		return nil
	}
	x := b.node("Gather", "", 13, name, nil, constant(name+".weight", w.parts[0]), ids)
	x.Type = w.parts[0].Type
	if x.Type != ir.Float32 {
		x.Name += ".stored"
		x = b.node("Cast", "", 13, name, map[string]*ir.Attr{"to": {Kind: ir.AttrInt, I: int64(ir.Float32)}}, x)
	}
	if w.scale != nil {
		x.Name += ".whole"
		column := &ir.Tensor{Type: ir.Float32, Dims: []int{n, 1}, Data: w.scale.Data}
		s := b.node("Gather", "", 13, name+".scale", nil, constant(name+".scales", column), ids)
		x = b.node("Mul", "", 14, name, nil, x, s)
	}
	return x
}

// table is parts of the embeddings, or of the head, which are never stored across and may be
// the same.
func (b *builder) table(name string, n int) weight {
	if w, ok := b.tables[name]; ok {
		return w
	}
	across := b.across
	b.across = false
	w := b.parts("", b.width, n, name)
	b.across = across
	if b.tables == nil {
		b.tables = map[string]weight{}
	}
	b.tables[name] = w
	return w
}

// angles makes the tables of rotary positions.
func (b *builder) angles() {
	c := b.config
	n := len(c.Frequencies)
	if c.Context > 1<<28/n {
		b.fail("the context of ", c.Context, " positions is too long; max_position_embeddings may be less than the model's")
		return
	}
	cos, sin := ir.NewTensor(ir.Float32, c.Context, n), ir.NewTensor(ir.Float32, c.Context, n)
	for p := range c.Context {
		for i, f := range c.Frequencies {
			s, k := math.Sincos(float64(p) * f)
			cos.Float32s()[p*n+i], sin.Float32s()[p*n+i] = float32(k), float32(s)
		}
	}
	b.cos, b.sin = constant("cos", cos), constant("sin", sin)
}

// block is one layer.
func (b *builder) block(n int, x *ir.Value) *ir.Value {
	c, f, where := b.config, b.family, b.layer(n)
	as := text.Join("layer", n, ".")
	if c.Post {
		x = b.norm(where+f.norm1, as+"norm1", b.sum(as+"sum1", x, b.attention(n, x)))
		return b.norm(where+f.norm2, as+"norm2", b.sum(as+"sum2", x, b.mlp(n, x)))
	}
	a := b.attention(n, b.norm(where+f.norm1, as+"norm1", x))
	if c.Parallel {
		m := b.mlp(n, b.norm(where+f.norm2, as+"norm2", x))
		return b.sum(as+"sum2", b.sum(as+"sum1", x, a), m)
	}
	x = b.sum(as+"sum1", x, a)
	return b.sum(as+"sum2", x, b.mlp(n, b.norm(where+f.norm2, as+"norm2", x)))
}

func (b *builder) sum(name string, x, y *ir.Value) *ir.Value {
	return b.node("Add", "", 14, name, nil, x, y)
}

func (b *builder) attention(n int, x *ir.Value) *ir.Value {
	c, f, where := b.config, b.family, b.layer(n)
	as := text.Join("layer", n, ".")
	qkv := b.linear(where, as+"qkv", x, (c.Heads+2*c.KeyValueHeads)*c.HeadSize, f.attention...)
	var kv [2]*ir.Value
	for i, kind := range [...]string{".key", ".value"} {
		kv[i] = &ir.Value{Name: text.Join("past_key_values.", n, kind), Type: ir.Float32, Known: true,
			Dims: []ir.Dim{{Size: 1}, {Size: c.KeyValueHeads}, {Size: c.Context}, {Size: c.HeadSize}}}
		b.past = append(b.past, kv[i])
		b.present = append(b.present, &ir.Value{Name: text.Join("present.", n, kind), Type: ir.Float32, Known: true, Dims: kv[i].Dims})
	}
	attrs := map[string]*ir.Attr{"num_heads": {Kind: ir.AttrInt, I: int64(c.Heads)}, "kv_num_heads": {Kind: ir.AttrInt, I: int64(c.KeyValueHeads)}}
	if c.Rotary > 0 {
		attrs["do_rotary"] = &ir.Attr{Kind: ir.AttrInt, I: 1}
		if c.Interleaved {
			attrs["rotary_interleaved"] = &ir.Attr{Kind: ir.AttrInt, I: 1}
		}
	}
	y := b.node("GroupQueryAttention", "com.microsoft", 1, as+"attention", attrs, qkv, nil, nil, kv[0], kv[1], b.last, b.total, b.cos, b.sin)
	b.graph.Nodes[len(b.graph.Nodes)-1].Outputs = []*ir.Value{y, b.present[2*n], b.present[2*n+1]}
	return b.linear(where, as+"attended", y, b.width, f.attentionOut)
}

func (b *builder) mlp(n int, x *ir.Value) *ir.Value {
	c, f, where := b.config, b.family, b.layer(n)
	as := text.Join("layer", n, ".")
	inside := b.inside(where)
	if f.gate != "" {
		h := b.linear(where, as+"gated", x, 2*inside, f.gate, f.up)
		h = b.node("Glu", ir.Internal, 1, as+"active", map[string]*ir.Attr{"activation": {Kind: ir.AttrString, S: c.Activation}}, h)
		return b.linear(where, as+"mlp", h, b.width, f.down)
	}
	h := b.linear(where, as+"inside", x, inside, f.up)
	switch c.Activation {
	case "silu":
		h = b.node("Silu", ir.Internal, 1, as+"active", nil, h)
	case "relu":
		h = b.node("Relu", "", 14, as+"active", nil, h)
	case "gelu":
		h = b.node("Gelu", "", 20, as+"active", nil, h)
	default:
		h = b.node("Gelu", "", 20, as+"active", map[string]*ir.Attr{"approximate": {Kind: ir.AttrString, S: "tanh"}}, h)
	}
	return b.linear(where, as+"mlp", h, b.width, f.down)
}
