//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

// MultiHeadAttention and Attention of com.microsoft.

func init() { Register(multiHeadRows) }

// hidden is what is added to scores of keys that a mask leaves out, where the node does not
// say it.
const hidden = -10000

var multiHeadRows = []Row{{
	Name: "MultiHeadAttention", Domain: microsoft, Since: 1,
	In: []In{{Name: "query", Types: float32Only, Var: 'T'},
		{Name: "key", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices}, {Name: "value", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "bias", Types: float32Only, Var: 'T', Opt: true}, {Name: "key_padding_mask", Types: 1 << ir.Int32, Opt: true},
		{Name: "attention_bias", Types: float32Only, Var: 'T', Opt: true},
		{Name: "past_key", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "past_value", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices}},
	Out: []Out{{Name: "output", Var: 'T'}, {Name: "present_key", Var: 'T', Opt: true}, {Name: "present_value", Var: 'T', Opt: true}, {Name: "qk", Var: 'T', Opt: true}},
	Attrs: []Attr{{Name: "num_heads", Kind: ir.AttrInt}, {Name: "scale", Kind: ir.AttrFloat}, {Name: "unidirectional", Kind: ir.AttrInt},
		{Name: "mask_filter_value", Kind: ir.AttrFloat, F: hidden}},
	Rank:  func(*ir.Node, func(i int) int) int { return 3 },
	Grows: []Growth{{In: 6, Out: 1, Axis: 2}, {In: 7, Out: 2, Axis: 2}},
	Plan:  planMultiHead, Limits: "key_padding_mask is [batch], [batch, keys] or [batch, queries, keys]",
}, {
	Name: "Attention", Domain: microsoft, Since: 1,
	In: []In{{Name: "input", Types: float32Only, Var: 'T'}, {Name: "weights", Types: float32Only, Var: 'T'}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true},
		{Name: "mask_index", Types: 1 << ir.Int32, Opt: true}, {Name: "past", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "attention_bias", Types: float32Only, Var: 'T', Opt: true}},
	Out: []Out{{Name: "output", Var: 'T'}, {Name: "present", Var: 'T', Opt: true}},
	Attrs: []Attr{{Name: "num_heads", Kind: ir.AttrInt}, {Name: "scale", Kind: ir.AttrFloat}, {Name: "unidirectional", Kind: ir.AttrInt},
		{Name: "mask_filter_value", Kind: ir.AttrFloat, F: hidden}, {Name: "qkv_hidden_sizes", Kind: ir.AttrInts},
		{Name: "past_present_share_buffer", Kind: ir.AttrInt}, {Name: "do_rotary", Kind: ir.AttrInt}, {Name: "rotary_embedding_dim", Kind: ir.AttrInt}},
	Rank: sameRank, Check: checkAttention, Limits: "without do_rotary, and past and present have memory of their own; mask_index is [batch], [batch, keys] or [batch, queries, keys]",
	Grows: []Growth{{In: 4, Out: 1, Axis: 3}},
	Plan:  planProjectedAttention,
}}

func checkAttention(n *ir.Node) string {
	switch {
	case n.Int("do_rotary", 0) != 0:
		return "do_rotary"
	case n.Int("past_present_share_buffer", 0) != 0:
		return "past_present_share_buffer"
	}
	return ""
}

// set reads a mask of [batch], [batch, keys] or [batch, queries, keys].
func (p *padding) set(c *Call, input, batch, queries, keys int) error {
	p.input = none
	if c.In(input) == nil {
		return nil
	}
	d := c.In(input).Dims
	n := len(d)
	p.list, p.rows, p.hide = n == 1, 1, c.Float("mask_filter_value")
	fits := n >= 1 && n <= 3 && d[0] == batch
	if n == 3 {
		p.rows = queries
		fits = fits && d[1] == queries
	}
	if !fits || n > 1 && d[n-1] != keys {
		return c.fail("input % has dimensions @, want [%], [%, %] or [%, %, %]", d, input, batch, batch, keys, batch, queries, keys)
	}
	p.input = input
	return nil
}

// planMultiHead: query is [batch, queries, heads·depth]; with keys and values in inputs of
// their own, [batch, keys, heads·depth] or [batch, heads, keys, depth]; or both in key,
// [batch, keys, heads, 2, depth]; or all three in query, [batch, queries, heads, 3, depth].
func planMultiHead(c *Call) error {
	q := c.In(0).Dims
	s := Into[attention](c)
	s.begin()
	s.heads = int(min(max(c.Int("num_heads"), 0), MaxHeads))
	if s.heads < 1 {
		return c.fail("num_heads is %", nil, s.heads)
	}
	s.group = 1
	var depth, width int
	key, value := c.In(1), c.In(2)
	switch {
	case len(q) == 5:
		if key != nil || value != nil || q[2] != s.heads || q[3] != 3 {
			return c.fail("query has dimensions @, want [batch, queries, %, 3, depth] alone", q, s.heads)
		}
		depth = q[4]
		width = depth
		row := s.heads * 3 * depth
		s.batch, s.queries, s.fresh = q[0], q[1], q[1]
		s.q.packed(0, 0, s.queries, row, 3*depth)
		s.k.packed(0, depth, s.queries, row, 3*depth)
		s.v.packed(0, 2*depth, s.queries, row, 3*depth)
	case len(q) != 3 || q[2]%s.heads != 0 || key == nil:
		return c.fail("query has dimensions @, want [batch, queries, %·depth], and a key", q, s.heads)
	default:
		s.batch, s.queries, depth = q[0], q[1], q[2]/s.heads
		s.q.packed(0, 0, s.queries, q[2], depth)
		k := key.Dims
		if len(k) == 5 {
			if value != nil || k[0] != s.batch || k[2] != s.heads || k[3] != 2 || k[4] != depth {
				return c.fail("key has dimensions @, want [%, keys, %, 2, %] without a value", k, s.batch, s.heads, depth)
			}
			width, s.fresh = depth, k[1]
			s.k.packed(1, 0, s.fresh, s.heads*2*depth, 2*depth)
			s.v.packed(1, depth, s.fresh, s.heads*2*depth, 2*depth)
			break
		}
		if value == nil {
			return c.Fail("there is a key, but no value")
		}
		v := value.Dims
		var err error
		if s.fresh, err = s.operand(c, 1, &s.k, depth); err != nil {
			return err
		}
		switch {
		case len(v) == 4:
			width = v[3]
		case len(v) == 3 && v[2]%s.heads == 0:
			width = v[2] / s.heads
		}
		n, err := s.operand(c, 2, &s.v, width)
		if err != nil {
			return err
		}
		if n != s.fresh {
			return c.fail("there are % keys for % values", nil, s.fresh, n)
		}
	}
	s.y.packed(0, 0, s.queries, s.heads*width, width)
	c.Out(0, ir.Float32, s.batch, s.queries, s.heads*width)
	s.core.Depth, s.core.Width, s.core.Scale, s.core.Keep = depth, width, scaleOr(c, depth), compute.KeepNone
	s.causal = c.Int("unidirectional") == 1
	if err := s.cached(c, &s.keys, 6, 1, s.heads, depth); err != nil {
		return err
	}
	if err := s.cached(c, &s.values, 7, 2, s.heads, width); err != nil {
		return err
	}
	if s.keys.pastRows != s.values.pastRows {
		return c.fail("past_key has % rows, past_value %", nil, s.keys.pastRows, s.values.pastRows)
	}
	s.total = s.keys.pastRows + s.fresh
	s.presents(c, &s.keys, 1, s.heads)
	s.presents(c, &s.values, 2, s.heads)
	s.keys.new, s.values.new = s.k, s.v
	if bias := c.In(3); bias != nil {
		if bias.Len() != s.heads*(2*depth+width) {
			return c.fail("bias has dimensions @, want [%]", bias.Dims, s.heads*(2*depth+width))
		}
		s.bias, s.kept = 3, true
		s.keys.bias, s.values.bias = s.heads*depth, 2*s.heads*depth
		if key != nil && len(key.Dims) == 4 { // which has it already
			s.keys.bias, s.values.bias = none, none
		}
	}
	if err := s.padding.set(c, 4, s.batch, s.queries, s.total); err != nil {
		return err
	}
	if err := s.masks[0].set(c, 5, s.batch, s.heads, s.queries, s.total); err != nil {
		return err
	}
	if c.NumOut() > 3 && c.Node.Outputs[3] != nil {
		c.Out(3, ir.Float32, s.batch, s.heads, s.queries, s.total)
		s.scores, s.core.Keep = 3, compute.KeepScores
	}
	return s.end(c, 0)
}

// operand reads keys or values, [batch, rows, heads·depth] or [batch, heads, rows, depth], and returns the number of rows.
func (s *attention) operand(c *Call, i int, h *heads, depth int) (rows int, err error) {
	d := c.In(i).Dims
	switch {
	case len(d) == 4 && d[0] == s.batch && d[1] == s.heads && d[3] == depth:
		h.planar(c, i)
		return d[2], nil
	case len(d) == 3 && d[0] == s.batch && d[2] == s.heads*depth && c.In(i).Stride == 0:
		h.packed(i, 0, d[1], d[2], depth)
		return d[1], nil
	}
	return 0, c.fail("input % has dimensions @, want [%, keys, %] or [%, %, keys, %]", d, i, s.batch, s.heads*depth, s.batch, s.heads, depth)
}

// planProjectedAttention: input [batch, queries, n] times weights [n, q + k + v] gives
// queries, keys and values. past and present are [2, batch, heads, rows, depth].
func planProjectedAttention(c *Call) error {
	x, w := c.In(0).Dims, c.In(1).Dims
	if len(x) != 3 || len(w) != 2 || w[0] != x[2] {
		return c.Fail("input has dimensions ", x, " and weights ", w, ", want [batch, queries, n] and [n, q + k + v]")
	}
	s := Into[attention](c)
	s.begin()
	sizes, given := c.Ints("qkv_hidden_sizes")
	third := w[1] / 3
	qs, ks, vs := third, third, third
	if given && len(sizes) == 3 {
		qs, ks, vs = int(min(max(sizes[0], 0), dimLimit)), int(min(max(sizes[1], 0), dimLimit)), int(min(max(sizes[2], 0), dimLimit))
	}
	s.heads = int(min(max(c.Int("num_heads"), 0), MaxHeads))
	if s.heads < 1 || qs+ks+vs != w[1] || qs != ks || qs%s.heads != 0 || vs%s.heads != 0 || given && len(sizes) != 3 {
		return c.fail("num_heads is % for weights @, of which %, % and % columns are for queries, keys and values", w, s.heads, qs, ks, vs)
	}
	s.batch, s.queries, s.fresh, s.group = x[0], x[1], x[1], 1
	depth, width := qs/s.heads, vs/s.heads
	s.q.packed(scratched, 0, s.queries, w[1], depth)
	s.k.packed(scratched, qs, s.queries, w[1], depth)
	s.v.packed(scratched, qs+ks, s.queries, w[1], width)
	s.y.packed(0, 0, s.queries, vs, width)
	c.Out(0, ir.Float32, s.batch, s.queries, vs)
	s.core.Depth, s.core.Width, s.core.Scale, s.core.Keep = depth, width, scaleOr(c, depth), compute.KeepNone
	s.causal = c.Int("unidirectional") == 1
	rows := 0
	s.keys.width, s.values.width = depth, width
	s.keys.past, s.keys.present, s.values.past, s.values.present = none, none, none, none
	if past := c.In(4); past != nil {
		d := past.Dims
		if len(d) != 5 || d[0] != 2 || d[1] != s.batch || d[2] != s.heads || d[4] != depth || depth != width {
			return c.fail("past has dimensions @, want [2, %, %, past, %]", d, s.batch, s.heads, depth)
		}
		rows = d[3]
		gap := rows * depth
		if past.Stride != 0 {
			gap = past.Stride
		}
		s.keys.past, s.keys.pastGap, s.keys.pastRows = 4, gap, rows
		s.values.past, s.values.pastGap, s.values.pastRows = 4, gap, rows
		s.values.pastAt = s.batch * s.heads * gap
		s.kept = true
	}
	s.total = rows + s.fresh
	if c.NumOut() > 1 && c.Node.Outputs[1] != nil {
		if depth != width {
			return c.fail("present wants keys and values of the same size, not % and % elements", nil, depth, width)
		}
		c.Out(1, ir.Float32, 2, s.batch, s.heads, s.total, depth)
		s.kept = true
		for i, k := range [...]*cache{&s.keys, &s.values} {
			k.present, k.gap, k.appends = 1, s.total*depth, c.Appends(1)
			k.second = i * s.batch * s.heads
		}
	}
	s.keys.new, s.values.new = s.k, s.v
	if err := s.padding.set(c, 3, s.batch, s.queries, s.total); err != nil {
		return err
	}
	if err := s.masks[0].set(c, 5, s.batch, s.heads, s.queries, s.total); err != nil {
		return err
	}
	p := &s.project
	*p = projection{gemm: compute.Gemm{M: s.batch * s.queries, K: x[2], N: w[1]}, bias: none}
	s.projects = true
	if bias := c.In(2); bias != nil {
		if bias.Len() != w[1] {
			return c.fail("bias has dimensions @, want [%]", bias.Dims, w[1])
		}
		p.bias, p.gemm.Start = 2, compute.FromColumn
	}
	if p.work = p.gemm.M * w[1]; !Sane([]int{p.gemm.M, w[1]}, ir.Float32, c.maxBytes) {
		return c.fail("queries, keys and values would have dimensions [%, %]", nil, p.gemm.M, w[1])
	}
	if c.In(1).Host != nil && x[2] > 0 {
		p.b = packB(c, &p.gemm)
	}
	c.Scratch(4 * (p.work + p.gemm.ScratchLen()))
	return s.end(c, p.work)
}
