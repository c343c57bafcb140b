package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(fusedAttentionRows) }

// fusedAttentionRows: what the optimizer makes of softmax(scale·q·kᵀ + mask)·v spelled in
// nodes, whose operands broadcast as those of MatMul and Add do. An operand is [batch,
// heads, rows, depth], or [batch, rows, heads, depth] where its attribute says so, and so
// is the result; all of q, k and v may lack the batch. With a group of n, a head of k and v is that
// of n heads of q in a row.
var fusedAttentionRows = []Row{{
	Name: "Attention", Domain: ir.Internal, Since: 1,
	In: []In{{Name: "Q", Types: float32Only, Var: 'T'},
		{Name: "K", Types: float32Only, Var: 'T', Strided: StridesMatrices}, {Name: "V", Types: float32Only, Var: 'T', Strided: StridesMatrices},
		{Name: "mask", Types: float32Only, Var: 'T', Opt: true}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "scale", Kind: ir.AttrFloat, F: 1}, {Name: "q_rows", Kind: ir.AttrInt}, {Name: "k_rows", Kind: ir.AttrInt}, {Name: "v_rows", Kind: ir.AttrInt},
		{Name: "y_rows", Kind: ir.AttrInt}, {Name: "guarded", Kind: ir.AttrInt}, {Name: "group", Kind: ir.AttrInt, I: 1}},
	Rank: sameRank,
	Plan: planFusedAttention,
}}

// stacked sets [batch, heads, rows, depth], or with the rows before the heads, or without a batch, and
// returns the four. Where there is one of something it stands for all there are.
func (h *heads) stacked(c *Call, input int, rowsFirst bool) (dims [4]int) {
	in := c.In(input)
	d := in.Dims
	dims[0] = 1
	copy(dims[4-len(d):], d)
	*h = heads{input: input}
	size := dims[2] * dims[3]
	if in.Stride != 0 {
		size = in.Stride
	}
	h.row, h.head = dims[3], size
	if rowsFirst {
		h.row, h.head = size, dims[3]
		dims[1], dims[2] = dims[2], dims[1]
	}
	h.batch = size * d[len(d)-3]
	if dims[0] == 1 {
		h.batch = 0
	}
	if dims[1] == 1 {
		h.head = 0
	}
	return dims
}

func planFusedAttention(c *Call) error {
	rank := len(c.In(0).Dims)
	for i := range 3 {
		if d := c.In(i).Dims; len(d) != rank || rank != 3 && rank != 4 {
			return c.fail("input % has dimensions @, want as many as the others, 3 or 4", d, i)
		}
	}
	s := Into[attention](c)
	s.begin()
	q := s.q.stacked(c, 0, c.Int("q_rows") != 0)
	k := s.k.stacked(c, 1, c.Int("k_rows") != 0)
	v := s.v.stacked(c, 2, c.Int("v_rows") != 0)
	group := int(c.Int("group"))
	if group < 1 || group > MaxHeads {
		return c.fail("group is %, want 1 to %", nil, group, MaxHeads)
	}
	k[1] *= group
	v[1] *= group
	mask := [4]int{1, 1, 1, 1}
	if in := c.In(3); in != nil {
		if len(in.Dims) > rank {
			return c.fail("the mask has dimensions @, more than the scores", in.Dims)
		}
		copy(mask[4-len(in.Dims):], in.Dims)
	}
	var all [4]int // batch, heads, queries, keys
	scores := [4]int{0, 0, q[2], k[2]}
	for i := range all {
		of := [4]int{q[i], k[i], v[i], mask[i]}
		if i >= 2 {
			of = [4]int{scores[i], mask[i], scores[i], mask[i]}
		}
		all[i] = 1
		for _, n := range of {
			if n != 1 && all[i] != 1 && n != all[i] {
				return c.Fail("q has dimensions ", c.In(0).Dims, ", k ", c.In(1).Dims, " and v ", c.In(2).Dims, ", and the mask ", mask, ": they do not fit")
			}
			if n != 1 {
				all[i] = n
			}
		}
	}
	if q[3] != k[3] || v[2] != all[3] {
		return c.Fail("q has dimensions ", c.In(0).Dims, ", k ", c.In(1).Dims, " and v ", c.In(2).Dims, ": they do not multiply")
	}
	s.batch, s.heads, s.queries, s.fresh, s.total, s.group = all[0], all[1], all[2], all[3], all[3], group
	width := v[3]
	if q[2] == 1 {
		s.q.row = 0
	}
	s.core.Depth, s.core.Width, s.core.Keep, s.core.Scale = q[3], width, compute.KeepNone, c.Float("scale")
	s.core.Strict = c.Int("guarded") == 0
	if s.heads == 0 {
		s.group = 1
	}
	s.keys.past, s.keys.present, s.values.past, s.values.present = none, none, none, none
	s.keys.width, s.values.width = q[3], width
	if k[2] != all[3] { // one key is repeated, for the mask has more
		s.k.row, s.kept = 0, true
	}
	s.keys.new, s.values.new = s.k, s.v
	if c.In(3) != nil {
		p := &s.masks[0]
		p.input, p.cols, p.spread = 3, mask[3], mask[3] == 1 && all[3] != 1
		step := mask[3]
		for i, at := range [...]*int{&p.row, &p.head, &p.batch} {
			if n := mask[2-i]; n != 1 {
				*at = step
				step *= n
			} else {
				*at = 0
			}
		}
	}
	out := c.Dims(4)
	out[0], out[1], out[2], out[3] = s.batch, s.heads, s.queries, width
	s.y = heads{0, 0, s.heads * s.queries * width, s.queries * width, width}
	if c.Int("y_rows") != 0 {
		out[1], out[2] = s.queries, s.heads
		s.y.head, s.y.row = width, s.heads*width
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, ir.Float32, out[4-rank:]...)
	return s.end(c, 0)
}
