//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

// GroupQueryAttention of com.microsoft.

func init() { Register(groupQueryRows) }

var groupQueryRows = []Row{{
	Name: "GroupQueryAttention", Domain: microsoft, Since: 1,
	In: []In{{Name: "query", Types: float32Only, Var: 'T'}, {Name: "key", Types: float32Only, Var: 'T', Opt: true}, {Name: "value", Types: float32Only, Var: 'T', Opt: true},
		{Name: "past_key", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "past_value", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "seqlens_k", Types: 1 << ir.Int32}, {Name: "total_sequence_length", Types: 1 << ir.Int32},
		{Name: "cos_cache", Types: float32Only, Var: 'T', Opt: true}, {Name: "sin_cache", Types: float32Only, Var: 'T', Opt: true},
		{Name: "position_ids", Types: 1 << ir.Int64, Opt: true}, {Name: "attention_bias", Types: float32Only, Var: 'T', Opt: true},
		{Name: "head_sink", Types: float32Only, Var: 'T', Opt: true}},
	Out: []Out{{Name: "output", Var: 'T'}, {Name: "present_key", Var: 'T', Opt: true}, {Name: "present_value", Var: 'T', Opt: true}},
	Attrs: []Attr{{Name: "num_heads", Kind: ir.AttrInt}, {Name: "kv_num_heads", Kind: ir.AttrInt}, {Name: "scale", Kind: ir.AttrFloat},
		{Name: "softcap", Kind: ir.AttrFloat}, {Name: "do_rotary", Kind: ir.AttrInt}, {Name: "rotary_interleaved", Kind: ir.AttrInt},
		{Name: "local_window_size", Kind: ir.AttrInt, I: -1}, {Name: "smooth_softmax", Kind: ir.AttrInt},
		{Name: "qk_output", Kind: ir.AttrInt}, {Name: "k_quant_type", Kind: ir.AttrString, S: "NONE", Words: []string{"NONE"}},
		{Name: "v_quant_type", Kind: ir.AttrString, S: "NONE", Words: []string{"NONE"}}, {Name: "kv_cache_bit_width", Kind: ir.AttrInt}},
	Rank: sameRank, Check: checkGroupQuery, Limits: "without the output of scores, and with a cache in float32",
	Grows: []Growth{{In: 3, Out: 1, Axis: 2, Writes: true}, {In: 4, Out: 2, Axis: 2, Writes: true}},
	Plan:  planGroupQuery,
}}

func checkGroupQuery(n *ir.Node) string {
	switch {
	case n.Int("qk_output", 0) != 0:
		return "qk_output"
	case n.Int("kv_cache_bit_width", 0) != 0:
		return "kv_cache_bit_width"
	}
	return ""
}

// planGroupQuery: query is [batch, queries, heads·depth], with keys and values behind it in
// each row if they have no inputs of their own. The cache has as many rows as past_key, or
// all that there will be if these are more. How many of them count is data.
func planGroupQuery(c *Call) error {
	q := c.In(0).Dims
	if len(q) != 3 {
		return c.fail("query has dimensions @, want [batch, queries, heads·depth]", q)
	}
	s := Into[attention](c)
	s.begin()
	kvHeads := int(min(max(c.Int("kv_num_heads"), 0), MaxHeads))
	s.heads = int(min(max(c.Int("num_heads"), 0), MaxHeads))
	if s.heads < 1 || kvHeads < 1 || s.heads%kvHeads != 0 {
		return c.fail("num_heads is % and kv_num_heads %", nil, s.heads, kvHeads)
	}
	s.batch, s.queries, s.fresh, s.group = q[0], q[1], q[1], s.heads/kvHeads
	var depth int
	if c.In(1) == nil {
		all := s.heads + 2*kvHeads
		if c.In(2) != nil || q[2]%all != 0 {
			return c.fail("query has dimensions @, want rows of % heads with their keys and values", q, s.heads)
		}
		depth = q[2] / all
		s.q.packed(0, 0, s.queries, q[2], depth)
		s.k.packed(0, s.heads*depth, s.queries, q[2], depth)
		s.v.packed(0, (s.heads+kvHeads)*depth, s.queries, q[2], depth)
	} else {
		depth = q[2] / s.heads
		for i := range 3 {
			n := kvHeads
			if i == 0 {
				n = s.heads
			}
			in := c.In(i)
			if in == nil {
				return c.fail("input % is missing", nil, i)
			}
			if d := in.Dims; len(d) != 3 || d[0] != s.batch || d[1] != s.queries || d[2] != n*depth {
				return c.fail("input % has dimensions @, want [%, %, %]", d, i, s.batch, s.queries, n*depth)
			}
		}
		s.q.packed(0, 0, s.queries, q[2], depth)
		s.k.packed(1, 0, s.queries, kvHeads*depth, depth)
		s.v.packed(2, 0, s.queries, kvHeads*depth, depth)
	}
	s.y.packed(0, 0, s.queries, s.heads*depth, depth)
	c.Out(0, ir.Float32, s.batch, s.queries, s.heads*depth)
	s.core.Depth, s.core.Width, s.core.Keep = depth, depth, compute.KeepNone
	s.core.Scale, s.core.Softcap = scaleOr(c, depth), c.Float("softcap")
	s.causal = true
	if s.window = int(min(max(c.Int("local_window_size"), -1), dimLimit)); s.window < 0 {
		s.window = 0
	}
	s.smooth = c.Int("smooth_softmax") == 1
	s.lengths, s.whole = 5, 6
	if n := c.In(5).Len(); n != s.batch {
		return c.fail("seqlens_k has dimensions @, want [%]", c.In(5).Dims, s.batch)
	}
	if n := c.In(6).Len(); n != 1 {
		return c.fail("total_sequence_length has dimensions @, want one number", c.In(6).Dims)
	}
	for i, k := range [...]*cache{&s.keys, &s.values} {
		if err := s.cached(c, k, 3+i, 1+i, kvHeads, depth); err != nil {
			return err
		}
	}
	if s.keys.pastRows != s.values.pastRows || (s.keys.past == none) != (s.values.past == none) {
		return c.fail("past_key has % rows, past_value %", nil, s.keys.pastRows, s.values.pastRows)
	}
	s.total = s.keys.pastRows
	if !c.Appends(1) || !fixedDim(c.Node.Inputs[3], 2) { // else a state of so many rows, whatever the length
		t, err := c.Host(6)
		if err != nil {
			return err
		}
		n := int(t.Int32s()[0])
		if n < 1 || n < s.queries {
			return c.fail("total_sequence_length is % for % queries", nil, n, s.queries)
		}
		s.total = max(s.total, n)
	}
	s.kept = true
	s.presents(c, &s.keys, 1, kvHeads)
	s.presents(c, &s.values, 2, kvHeads)
	s.keys.new, s.values.new = s.k, s.v
	if s.rotates = c.Int("do_rotary") == 1; s.rotates {
		if c.In(7) == nil || c.In(8) == nil {
			return c.Fail("do_rotary wants cos_cache and sin_cache")
		}
		if err := s.turns.set(c, 7, 8, depth, c.Int("rotary_interleaved") == 1); err != nil {
			return err
		}
		s.keys.turned = true
		if ids := c.In(9); ids != nil {
			if ids.Len() != s.batch*s.queries {
				return c.fail("position_ids has dimensions @, want [%, %]", ids.Dims, s.batch, s.queries)
			}
			s.positions = 9
		}
	}
	if err := s.masks[0].set(c, 10, s.batch, s.heads, s.queries, s.total); err != nil {
		return err
	}
	if sinks := c.In(11); sinks != nil {
		if sinks.Len() != s.heads {
			return c.fail("head_sink has dimensions @, want [%]", sinks.Dims, s.heads)
		}
		s.sinks = 11
	}
	return s.end(c, 0)
}
