package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Rotary position embeddings.

// microsoft is the domain of the operators that onnxruntime adds to ONNX.
const microsoft = "com.microsoft"

func init() { Register(rotaryRows) }

var rotaryAttrs = []Attr{{Name: "interleaved", Kind: ir.AttrInt}, {Name: "num_heads", Kind: ir.AttrInt}, {Name: "rotary_embedding_dim", Kind: ir.AttrInt}}

var rotaryRows = []Row{{
	Name: "RotaryEmbedding", Since: 23,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "cos_cache", Types: float32Only, Var: 'T'}, {Name: "sin_cache", Types: float32Only, Var: 'T'},
		{Name: "position_ids", Types: 1 << ir.Int64, Opt: true}},
	Out:   []Out{{Name: "Y", Var: 'T'}},
	Attrs: rotaryAttrs,
	Rank:  sameRank,
	Plan:  func(c *Call) error { return planRotary(c, 1, 2, 3) },
}, {
	Name: "RotaryEmbedding", Domain: microsoft, Since: 1,
	In: []In{{Name: "input", Types: float32Only, Var: 'T'}, {Name: "position_ids", Types: 1 << ir.Int64},
		{Name: "cos_cache", Types: float32Only, Var: 'T'}, {Name: "sin_cache", Types: float32Only, Var: 'T'}},
	Out: []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "interleaved", Kind: ir.AttrInt}, {Name: "num_heads", Kind: ir.AttrInt}, {Name: "rotary_embedding_dim", Kind: ir.AttrInt},
		{Name: "scale", Kind: ir.AttrFloat, F: 1}, {Name: "is_packed_batching", Kind: ir.AttrInt}},
	Rank: sameRank, Check: checkRotary, Limits: "scale is 1, and batches are not packed",
	Plan: func(c *Call) error { return planRotary(c, 2, 3, 1) },
}}

func checkRotary(n *ir.Node) string {
	switch {
	case n.Int("is_packed_batching", 0) != 0:
		return "is_packed_batching"
	case n.Float("scale", 1) != 1:
		return "scale other than 1"
	}
	return ""
}

// rotation is how a head's first elements are turned: pairs of them by the angle that the
// position has in the tables.
type rotation struct {
	cos, sin    int // inputs
	half        int // pairs
	rows        int // of the tables
	interleaved bool
}

// set reads tables of dimensions [positions, half], or of one for each element of a batch.
func (r *rotation) set(c *Call, cos, sin, depth int, interleaved bool) error {
	d := c.In(cos).Dims
	if len(d) < 2 || !ir.SameDims(d, c.In(sin).Dims) {
		return c.Fail("the cosines have dimensions ", d, " and the sines ", c.In(sin).Dims, ", want the same, [positions, pairs]")
	}
	r.cos, r.sin, r.interleaved = cos, sin, interleaved
	r.half, r.rows = d[len(d)-1], ir.Elements(d[:len(d)-1])
	if 2*r.half > depth {
		return c.fail("the tables have % pairs, more than heads of % elements have", nil, r.half, depth)
	}
	return nil
}

// turn writes x turned by a position's angles to y, which may be x.
func (r *rotation) turn(a *Args, y, x []float32, position int) {
	cos, sin := r.angles(a, position)
	compute.Rotate(y, x, cos, sin, r.interleaved)
}

// turnRows is turn of rows of n elements, which lie apart, all at one position.
func (r *rotation) turnRows(a *Args, y []float32, ldy int, x []float32, ldx, n, rows, position int) {
	cos, sin := r.angles(a, position)
	for i := range rows {
		compute.Rotate(y[i*ldy:][:n], x[i*ldx:][:n], cos, sin, r.interleaved)
	}
}

// angles are those of a position.
func (r *rotation) angles(a *Args, position int) (cos, sin []float32) {
	if uint(position) >= uint(r.rows) {
		panic(errors.New(text.Join("a position is ", position, ", want one in [0, ", r.rows-1, "], which the table of cosines has")))
	}
	at := position * r.half
	return a.In[r.cos].Float32s()[at : at+r.half], a.In[r.sin].Float32s()[at : at+r.half]
}

// planRotary: x is [batch, heads, positions, depth] or [batch, positions, heads·depth]. The
// positions are given for each, or of Microsoft's as the first one's; without them the
// tables have a row for each.
func planRotary(c *Call, cos, sin, ids int) error {
	dims := sameOut(c).Dims
	s := Into[rotary](c)
	heads := int(min(max(c.Int("num_heads"), 0), dimLimit))
	depth := 0
	table := c.In(cos).Dims
	switch {
	case len(dims) == 4:
		heads, depth = dims[1], dims[3]
		s.batch, s.count = dims[0], dims[2]
		s.perRow, s.perHead = depth, dims[2]*depth
	case len(dims) != 3:
		return c.fail("x has dimensions @, want 3 or 4 of them", dims)
	default:
		if heads == 0 && len(table) > 0 { // all of a head is turned
			if depth = 2 * table[len(table)-1]; depth > 0 {
				heads = dims[2] / depth
			}
		}
		if heads < 1 || dims[2]%heads != 0 {
			return c.fail("x has dimensions @, which are not % heads", dims, heads)
		}
		depth = dims[2] / heads
		s.batch, s.count = dims[0], dims[1]
		s.perRow, s.perHead = dims[2], depth
	}
	if err := s.turns.set(c, cos, sin, depth, c.Int("interleaved") == 1); err != nil {
		return err
	}
	if n := int(c.Int("rotary_embedding_dim")); n != 0 && n != 2*s.turns.half {
		return c.fail("rotary_embedding_dim is %, but the tables have dimensions @", table, n)
	}
	s.heads, s.depth, s.perBatch, s.ids, s.first = heads, depth, heads*s.count*depth, -1, false
	rows := s.batch * s.count
	if c.In(ids) == nil {
		if s.turns.rows != rows {
			return c.fail("the tables have dimensions @, want [%, %, pairs]", table, s.batch, s.count)
		}
		return nil
	}
	if len(table) != 2 {
		return c.fail("the tables have dimensions @, want [positions, pairs]", table)
	}
	s.ids = ids
	if d := c.In(ids).Dims; ir.Elements(d) != rows || c.Node.Domain == microsoft && len(d) == 1 {
		if s.first = c.Node.Domain == microsoft && ir.Elements(d) == 1; !s.first {
			return c.fail("position_ids has dimensions @, want [%, %]", d, s.batch, s.count)
		}
	}
	return nil
}

type rotary struct {
	turns                     rotation
	batch, count              int // positions of each
	heads, depth              int
	perBatch, perRow, perHead int // elements from one to the next
	ids                       int // input, -1 for none
	first                     bool
}

func (s *rotary) Rows() int { return s.batch * s.count }

func (s *rotary) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *rotary) RunRows(a *Args, from, to int) {
	if s.heads*s.depth == 0 {
		return
	}
	x, y := a.In[0].Float32s(), a.Out[0].Float32s()
	for row := from; row < to; row++ {
		b, i := row/s.count, row%s.count
		at := row
		switch {
		case s.first:
			at = int(a.In[s.ids].Int64s()[0]) + i
		case s.ids >= 0:
			at = int(a.In[s.ids].Int64s()[row])
		}
		for h := range s.heads {
			k := b*s.perBatch + i*s.perRow + h*s.perHead
			s.turns.turn(a, y[k:k+s.depth], x[k:k+s.depth], at)
		}
	}
}
