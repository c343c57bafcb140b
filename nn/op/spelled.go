//go:build !lean

package op

import "github.com/normwasm/normwasm/nn/ir"

// Operators that are spelled out in nodes of others when a model is loaded: rare ones, whose
// parts exist.

func init() { Register(spelledRows) }

var spelledRows = []Row{{
	Name: "QAttention", Domain: microsoft, Since: 1,
	In: []In{{Name: "input", Types: byteTypes, Var: 'T'}, {Name: "weight", Types: byteTypes, Var: 'U'}, {Name: "bias", Types: float32Only},
		{Name: "input_scale", Types: float32Only}, {Name: "weight_scale", Types: float32Only}, {Name: "mask_index", Types: 1 << ir.Int32, Opt: true},
		{Name: "input_zero_point", Types: byteTypes, Var: 'T', Opt: true}, {Name: "weight_zero_point", Types: byteTypes, Var: 'U', Opt: true},
		{Name: "past", Types: float32Only, Opt: true}},
	Out: []Out{{Name: "output", Type: ir.Float32}, {Name: "present", Type: ir.Float32, Opt: true}},
	Attrs: []Attr{{Name: "num_heads", Kind: ir.AttrInt}, {Name: "unidirectional", Kind: ir.AttrInt}, {Name: "do_rotary", Kind: ir.AttrInt},
		{Name: "mask_filter_value", Kind: ir.AttrFloat, F: hidden}, {Name: "past_present_share_buffer", Kind: ir.AttrInt}},
	Rank: sameRank, Check: checkAttention, Limits: "without do_rotary; mask_index is [batch], [batch, keys] or [batch, queries, keys]",
	Spelled: spellQAttention,
}, {
	Name: "DynamicQuantizeLSTM", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only}, {Name: "W", Types: byteTypes, Var: 'T'}, {Name: "R", Types: byteTypes, Var: 'T'},
		{Name: "B", Types: float32Only, Opt: true}, {Name: "sequence_lens", Types: 1 << ir.Int32, Opt: true},
		{Name: "initial_h", Types: float32Only, Opt: true}, {Name: "initial_c", Types: float32Only, Opt: true}, {Name: "P", Types: float32Only, Opt: true},
		{Name: "W_scale", Types: float32Only}, {Name: "W_zero_point", Types: byteTypes, Var: 'T'}, {Name: "R_scale", Types: float32Only}, {Name: "R_zero_point", Types: byteTypes, Var: 'T'}},
	Out:   []Out{{Name: "Y", Type: ir.Float32, Opt: true}, {Name: "Y_h", Type: ir.Float32, Opt: true}, {Name: "Y_c", Type: ir.Float32, Opt: true}},
	Attrs: []Attr{rnnDirection, rnnHidden, rnnNames, rnnAlpha, rnnBeta, rnnClip, {Name: "input_forget", Kind: ir.AttrInt}},
	Rank:  imageRank, Check: checkRecurrent, Limits: "X and the state are not quantized: the sums are of float32",
	Spelled: spellQuantizedLSTM,
}, {
	Name: "QEmbedLayerNormalization", Domain: microsoft, Since: 1,
	In: []In{{Name: "input_ids", Types: 1 << ir.Int32}, {Name: "segment_ids", Types: 1 << ir.Int32, Opt: true},
		{Name: "word_embedding", Types: byteTypes, Var: 'T'}, {Name: "position_embedding", Types: byteTypes, Var: 'T'}, {Name: "segment_embedding", Types: byteTypes, Var: 'T', Opt: true},
		{Name: "gamma", Types: byteTypes, Var: 'T'}, {Name: "beta", Types: byteTypes, Var: 'T'}, {Name: "mask", Types: 1 << ir.Int32, Opt: true},
		{Name: "word_embedding_scale", Types: float32Only}, {Name: "position_embedding_scale", Types: float32Only}, {Name: "segment_embedding_scale", Types: float32Only, Opt: true},
		{Name: "gamma_scale", Types: float32Only}, {Name: "beta_scale", Types: float32Only},
		{Name: "word_embedding_zero_point", Types: byteTypes, Var: 'T'}, {Name: "position_embedding_zero_point", Types: byteTypes, Var: 'T'},
		{Name: "segment_embedding_zero_point", Types: byteTypes, Var: 'T', Opt: true}, {Name: "gamma_zero_point", Types: byteTypes, Var: 'T'}, {Name: "beta_zero_point", Types: byteTypes, Var: 'T'}},
	Out:     []Out{{Name: "layernorm_out", Type: ir.Float32}, {Name: "mask_index_out", Type: ir.Int32, Opt: true}},
	Attrs:   []Attr{{Name: "epsilon", Kind: ir.AttrFloat, F: 1e-12}},
	Rank:    func(*ir.Node, func(i int) int) int { return 3 },
	Spelled: spellQuantizedEmbedding,
}, {
	Name: "NhwcConv", Domain: microsoft, Since: 1,
	In:    []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T', Opt: true}},
	Out:   convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, windowPads, strides},
	Rank:  sameRank, Check: checkImages, Limits: "over 2 dimensions only",
	Spelled: spellChannelsLastConv,
}}

// SpellOut puts the nodes in place that operators stand for, in a graph and its bodies.
func SpellOut(g *ir.Graph) {
	var nodes []*ir.Node // from when on one is replaced
	for i, n := range g.Nodes {
		for _, body := range n.Subgraphs() {
			SpellOut(body)
		}
		row := Find(n.Key())
		spelled := row != nil && row.Spelled != nil
		if spelled && nodes == nil {
			nodes = append(make([]*ir.Node, 0, len(g.Nodes)+8), g.Nodes[:i]...)
		}
		if spelled {
			s := speller{of: n, nodes: nodes}
			row.Spelled(&s, n)
			nodes = s.nodes
		} else if nodes != nil {
			nodes = append(nodes, n)
		}
	}
	if nodes != nil {
		g.Nodes = nodes
	}
}

// speller collects the nodes that one stands for. They have its name, which errors say.
type speller struct {
	of    *ir.Node
	nodes []*ir.Node
}

// spelledOpset is the version of ONNX that the nodes are of.
const spelledOpset = 17

// node adds one and returns its first result.
func (s *speller) node(domain, op string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	return s.nodeTo([]*ir.Value{{Name: s.of.Name + "." + op}}, domain, op, attrs, in...)
}

// nodeTo adds one with these results.
func (s *speller) nodeTo(out []*ir.Value, domain, op string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	n := &ir.Node{Name: s.of.Name, Op: op, Domain: domain, Version: 1, Inputs: in, Outputs: out, Attrs: attrs}
	if domain == "" {
		n.Version = spelledOpset
	}
	s.nodes = append(s.nodes, n)
	return out[0]
}

// values are n results without a use yet.
func (s *speller) values(n int) []*ir.Value {
	list := make([]*ir.Value, n)
	for i := range list {
		list[i] = &ir.Value{Name: s.of.Name + ".part"}
	}
	return list
}

func (s *speller) longs(v ...int64) *ir.Value {
	t := ir.NewTensor(ir.Int64, len(v))
	copy(t.Int64s(), v)
	return &ir.Value{Name: s.of.Name + ".list", Type: ir.Int64, Known: true, Dims: []ir.Dim{{Size: len(v)}}, Const: t}
}

func (s *speller) long(v int64) *ir.Value {
	x := s.longs(v)
	x.Const.Dims, x.Dims = nil, nil
	return x
}

func wholeAttr(i int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInt, I: i} }

func wholeAttrs(v ...int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInts, Ints: v} }

// passed are the node's own attributes of these names.
func (s *speller) passed(names ...string) map[string]*ir.Attr {
	m := map[string]*ir.Attr{}
	for _, name := range names {
		if a := s.of.Attrs[name]; a != nil {
			m[name] = a
		}
	}
	return m
}

// spellQAttention: the product with all three weights, and MultiHeadAttention of its parts.
func spellQAttention(s *speller, n *ir.Node) {
	all := s.node(microsoft, "MatMulIntegerToFloat", nil, n.In(0), n.In(1), n.In(3), n.In(4), n.In(6), n.In(7), n.In(2))
	parts := s.values(3)
	s.nodeTo(parts, "", "Split", map[string]*ir.Attr{"axis": wholeAttr(-1)}, all)
	in := append(parts, nil, n.In(5))
	first := s.longs(0)
	if past := n.In(8); past != nil {
		halves := s.values(2)
		s.nodeTo(halves, "", "Split", map[string]*ir.Attr{"axis": wholeAttr(0)}, past)
		in = append(in, nil, s.node("", "Squeeze", nil, halves[0], first), s.node("", "Squeeze", nil, halves[1], first))
	}
	out := []*ir.Value{n.Outputs[0]}
	present := n.Out(1)
	if present != nil {
		out = append(out, s.values(2)...)
	}
	s.nodeTo(out, microsoft, "MultiHeadAttention", s.passed("num_heads", "unidirectional", "mask_filter_value"), in...)
	if present != nil {
		keys, values := s.node("", "Unsqueeze", nil, out[1], first), s.node("", "Unsqueeze", nil, out[2], first)
		s.nodeTo([]*ir.Value{present}, "", "Concat", map[string]*ir.Attr{"axis": wholeAttr(0)}, keys, values)
	}
}

// spellQuantizedLSTM: LSTM with the weights as floats, which are stored the other way round.
func spellQuantizedLSTM(s *speller, n *ir.Node) {
	float := map[string]*ir.Attr{"to": wholeAttr(int64(ir.Float32))}
	weights := func(w, scale, zero *ir.Value) *ir.Value {
		// One number a direction, or one a column: [directions, 1, …].
		shape := s.longs(0, 1, -1)
		less := s.node("", "Sub", nil, s.node("", "Cast", float, w), s.node("", "Reshape", nil, s.node("", "Cast", float, zero), shape))
		wide := s.node("", "Mul", nil, less, s.node("", "Reshape", nil, scale, shape))
		return s.node("", "Transpose", map[string]*ir.Attr{"perm": wholeAttrs(0, 2, 1)}, wide)
	}
	w, r := weights(n.In(1), n.In(8), n.In(9)), weights(n.In(2), n.In(10), n.In(11))
	s.nodeTo(n.Outputs, "", "LSTM", n.Attrs, n.In(0), w, r, n.In(3), n.In(4), n.In(5), n.In(6), n.In(7))
}

// spellQuantizedEmbedding: EmbedLayerNormalization, of the rows of words that the input has.
func spellQuantizedEmbedding(s *speller, n *ir.Node) {
	wide := func(v *ir.Value, scale int) *ir.Value {
		if v == nil {
			return nil
		}
		return s.node("", "DequantizeLinear", nil, v, n.In(8+scale), n.In(13+scale))
	}
	ids := n.In(0)
	words := wide(s.node("", "Gather", nil, n.In(2), s.node("", "Reshape", nil, ids, s.longs(-1))), 0)
	count := s.node("", "Range", nil, s.long(0), s.node("", "Size", nil, ids), s.long(1))
	places := s.node("", "Reshape", nil, s.node("", "Cast", map[string]*ir.Attr{"to": wholeAttr(int64(ir.Int32))}, count), s.node("", "Shape", nil, ids))
	in := []*ir.Value{places, n.In(1), words, wide(n.In(3), 1), wide(n.In(4), 2), wide(n.In(5), 3), wide(n.In(6), 4), n.In(7)}
	s.nodeTo(n.Outputs, microsoft, "EmbedLayerNormalization", n.Attrs, in...)
}

func checkImages(n *ir.Node) string {
	for i := range 2 {
		if v := n.In(i); v != nil && (v.Const != nil && len(v.Const.Dims) != 4 || v.Known && len(v.Dims) != 4) {
			return "over other than 2 dimensions"
		}
	}
	return ""
}

// spellChannelsLastConv: Conv between two transpositions. The weights are as Conv's.
func spellChannelsLastConv(s *speller, n *ir.Node) {
	x := s.node("", "Transpose", map[string]*ir.Attr{"perm": wholeAttrs(0, 3, 1, 2)}, n.In(0))
	y := s.node("", "Conv", n.Attrs, x, n.In(1), n.In(2))
	s.nodeTo(n.Outputs[:1], "", "Transpose", map[string]*ir.Attr{"perm": wholeAttrs(0, 2, 3, 1)}, y)
}
