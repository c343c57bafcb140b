package op

import (
	"errors"
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
)

// Attention of ONNX. Its step also serves what is in groupquery.go and multihead.go.

func init() { Register(attentionRows) }

const float32AndBool = float32Only | boolOnly

// MaxHeads is the most heads that an operator of attention takes from an attribute.
const MaxHeads = 1 << 16

var attentionRows = []Row{{
	Name: "Attention", Since: 23, Changes: []int{24},
	In: []In{{Name: "Q", Types: float32Only, Var: 'T'},
		{Name: "K", Types: float32Only, Var: 'T', Strided: StridesMatrices}, {Name: "V", Types: float32Only, Var: 'T', Strided: StridesMatrices},
		{Name: "attn_mask", Types: float32AndBool, Opt: true},
		{Name: "past_key", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "past_value", Types: float32Only, Var: 'T', Opt: true, Strided: StridesMatrices},
		{Name: "nonpad_kv_seqlen", Types: 1 << ir.Int64, Opt: true, Since: 24}},
	Out: []Out{{Name: "Y", Var: 'T'}, {Name: "present_key", Var: 'T', Opt: true}, {Name: "present_value", Var: 'T', Opt: true},
		{Name: "qk_matmul_output", Var: 'T', Opt: true}},
	Attrs: []Attr{{Name: "is_causal", Kind: ir.AttrInt}, {Name: "kv_num_heads", Kind: ir.AttrInt}, {Name: "q_num_heads", Kind: ir.AttrInt},
		{Name: "qk_matmul_output_mode", Kind: ir.AttrInt}, {Name: "scale", Kind: ir.AttrFloat}, {Name: "softcap", Kind: ir.AttrFloat},
		{Name: "softmax_precision", Kind: ir.AttrInt, I: int64(ir.Float32)}},
	Rank:  sameRank,
	Grows: []Growth{{In: 4, Out: 1, Axis: 2}, {In: 5, Out: 2, Axis: 2}},
	Plan:  planAttention,
}}

// none stands for an operand that there is not, scratched for one that the step itself has
// computed into scratch memory.
const (
	none      = -1
	scratched = -2
)

// heads says where the rows of a head are in an operand.
type heads struct {
	input            int
	at               int // the first element
	batch, head, row int // elements from one to the next
}

// planar sets dimensions [batch, heads, rows, depth], where each head may be a block of its own.
func (h *heads) planar(c *Call, input int) {
	d := c.In(input).Dims
	head := d[2] * d[3]
	if s := c.In(input).Stride; s != 0 {
		head = s
	}
	*h = heads{input, 0, d[1] * head, head, d[3]}
}

// packed sets rows of so many elements, in which the heads of this operand begin at at, each
// head apart.
func (h *heads) packed(input, at, rows, row, head int) {
	*h = heads{input, at, rows * row, head, row}
}

// plane says where the scores' biases, or what hides keys, are in an operand.
type plane struct {
	input, cols      int
	batch, head, row int
	spread           bool // one column stands for all
}

// set reads dimensions that broadcast to [batch, heads, queries, cols]: cols may be fewer than keys.
func (p *plane) set(c *Call, input, batch, heads, queries, keys int) error {
	p.input = none
	if c.In(input) == nil {
		return nil
	}
	d := c.In(input).Dims
	if n := len(d); n < 2 || n > 4 || d[n-1] > keys {
		return c.fail("input % has dimensions @, want [%, %, %, %] or some that are repeated to those", d, input, batch, heads, queries, keys)
	}
	p.input, p.cols, p.spread = input, d[len(d)-1], false
	step := p.cols
	want := [3]int{batch, heads, queries}
	steps := [3]*int{&p.batch, &p.head, &p.row}
	for k := 2; k >= 0; k-- {
		*steps[k] = 0
		j := len(d) - 4 + k
		if j < 0 || d[j] == 1 {
			continue
		}
		if d[j] != want[k] {
			return c.fail("input % has dimensions @, want [%, %, %, %] or some that are repeated to those", d, input, batch, heads, queries, keys)
		}
		*steps[k] = step
		step *= d[j]
	}
	return nil
}

func planeOf[T any](p *plane, data []T, b, h, i int) compute.Plane[T] {
	return compute.Plane[T]{Data: data[min(b*p.batch+h*p.head+i*p.row, len(data)):], Row: p.row, Cols: p.cols, Spread: p.spread}
}

// cache is what keys or values are put together in: what there was, then what is new. It is
// an output, or where the node has none scratch memory.
type cache struct {
	past, present  int // input and output
	pastAt, second int // of an operand that keeps both: where the past begins, and how many blocks are before
	pastRows       int
	pastGap, gap   int // elements from a head's block to the next
	appends        bool
	bias           int // of input attention.bias, none without
	width          int
	scratch        int // where in scratch memory
	turned         bool
	new            heads
}

// attention is softmax(q·kᵀ)·v of all heads.
type attention struct {
	core             compute.Attention
	batch            int
	heads, group     int  // heads of queries, and how many of these share one of keys
	queries, fresh   int  // queries, and keys that are not in the past
	total            int  // keys that there is room for
	rows             int  // queries of a tile
	kept             bool // keys and values are put together first
	q, k, v          heads
	y                heads
	keys, values     cache
	bias, qBias      int // input of what is added to q, k and v, and where q's begins
	turns            rotation
	rotates          bool
	positions        int // input
	lengths, whole   int // inputs: GroupQueryAttention's of each and of all
	nonpad           int // input
	causal           bool
	window           int
	masks            [2]plane // added
	hides            plane
	padding          padding
	sinks            int // input
	smooth           bool
	scores           int    // output
	turnedAt, workAt int    // in scratch memory, float32
	few              bool   // so few queries that all heads are computed together
	panels           bool   // keys and values are laid out once for all queries
	laidAt, endsAt   int    // in scratch memory: those, and the ends of what a mask shows
	each             int    // elements of scratch memory from laidAt on that each part has; 0 where there is one part
	pieces           int    // of a head's queries that parts may have: more than one where heads are few
	seenAt           int    // what panels saw, of all queries
	perMask          [2]int // elements of the masks from one of their rows to the next
	project          projection
	projects         bool
}

// begin sets what operators rarely have.
func (s *attention) begin() {
	*s = attention{}
	s.bias, s.positions, s.lengths, s.whole, s.nonpad, s.sinks, s.scores = none, none, none, none, none, none, none
	s.masks[0].input, s.masks[1].input, s.hides.input, s.padding.input = none, none, none, none
	s.keys, s.values = cache{bias: none}, cache{bias: none}
	s.core.Scale = 1
}

// end lays out scratch memory, which begins at so many elements, and declares the output.
func (s *attention) end(c *Call, at int) error {
	if s.batch*s.heads*s.queries*s.core.Width == 0 {
		if s.keys.present == none || s.batch*s.heads*s.total*(s.core.Depth+s.core.Width) == 0 {
			c.Step = nothing{}
			return nil
		}
	}
	s.core.LDY = s.y.row
	s.turnedAt = at
	s.rows = min(s.queries, compute.AttentionRows(s.total, s.causal))
	turned := s.rows
	if s.few = s.isFew(); s.few {
		turned = s.heads * s.queries
	}
	at += turned * s.core.Depth
	for _, k := range [...]*cache{&s.keys, &s.values} {
		if s.kept && k.present == none {
			k.scratch = at
			at += s.total * k.width
		}
	}
	if s.padding.input != none {
		s.padding.at = at
		at += s.padding.rows * s.total
	}
	var work int
	s.panels = !s.few && s.queries > compute.FewQueries && s.window == 0 && !s.smooth && s.sinks == none && s.core.InPanels()
	switch {
	case s.few:
		work = s.core.FewScratch(turned, s.total)
	case s.panels:
		s.laidAt, s.endsAt = at, at+s.core.PanelLen(s.total)
		at = s.endsAt + s.panelGroups()
		work = s.core.PanelScratch()
	default:
		s.laidAt, s.endsAt, work = at, at, s.core.ScratchLen(s.rows, s.total)
	}
	s.workAt, s.each = at, 0
	if at += work; s.divides() {
		s.each = (at - s.laidAt + 15) &^ 15
		if s.pieces = 1; !s.kept && s.Rows() < threads.MostParts(s.Rows()*s.tiles()) {
			s.pieces = s.tiles()
		}
		s.seenAt = s.laidAt + s.each*threads.MostParts(s.Rows()*s.pieces)
		at = s.seenAt + s.batch*s.heads*s.queries
	}
	c.Scratch(4 * at)
	return nil
}

// divides says whether parts have heads of their own: not where one thread has more to do than
// to call kernels.
func (s *attention) divides() bool {
	kept := func(k *cache) bool { return k.present != none && !k.turned && k.bias == none }
	return s.panels && threads.MostParts(s.Rows()*s.tiles()) > 1 && !s.rotates && s.bias == none && s.hides.input == none && s.lengths == none &&
		(!s.kept || kept(&s.keys) && kept(&s.values)) && (s.padding.input == none || s.batch == 1) && s.masks[0].head == 0 && (s.masks[0].batch == 0 || s.batch == 1)
}

// panelGroups is how many panels of queries there are.
func (s *attention) panelGroups() int { return (s.queries + compute.PanelRows - 1) / compute.PanelRows }

// isFew says whether RunFew does what there is to do: a query a head, or some that see the
// same keys, rows that lie as it wants them, and nothing rare.
func (s *attention) isFew() bool {
	k, v := &s.keys, &s.values
	if s.core.Keep != compute.KeepNone || s.core.Softcap != 0 || s.smooth || s.sinks != none || s.hides.input != none || s.padding.input != none || s.nonpad != none ||
		s.projects || s.bias != none || s.group == 0 || s.kept && (k.present == none || v.present == none) || s.y.head != s.queries*s.core.Width {
		return false
	}
	if s.queries != 1 && (s.queries > compute.FewQueries || s.causal || s.window != 0 || s.rotates || s.q.head != s.queries*s.q.row) {
		return false
	}
	for i := range s.masks {
		p := &s.masks[i]
		if s.perMask[i] = p.row; s.queries == 1 {
			s.perMask[i] = p.head
		} else if p.input != none && p.head != s.queries*p.row {
			return false
		}
	}
	return true
}

// scaleOr is the attribute scale, or 1/√depth where it is not given or 0.
func scaleOr(c *Call, depth int) float32 {
	if v := c.Float("scale"); v != 0 {
		return v
	}
	return float32(1 / math.Sqrt(float64(max(depth, 1))))
}

// headsOf checks a count of heads that an attribute gives.
func headsOf(c *Call, name string, elements int) (int, error) {
	n := c.Int(name)
	if n < 1 || n > MaxHeads || elements%int(n) != 0 {
		return 0, c.fail(name+" is %, which does not divide rows of % elements", nil, int(n), elements)
	}
	return int(n), nil
}

// cached sets up keys or values that begin with input past, and are output present: both
// [batch, heads, rows, width].
func (s *attention) cached(c *Call, k *cache, past, present, kvHeads, width int) error {
	k.width, k.past, k.present, k.pastRows, k.pastAt, k.scratch = width, none, none, 0, 0, 0
	if in := c.In(past); in != nil {
		d := in.Dims
		if len(d) != 4 || d[0] != s.batch || d[1] != kvHeads || d[3] != width {
			return c.fail("input % has dimensions @, want [%, %, past, %]", d, past, s.batch, kvHeads, width)
		}
		k.past, k.pastRows, k.pastGap = past, d[2], d[2]*width
		if in.Stride != 0 {
			k.pastGap = in.Stride
		}
	}
	return nil
}

// presents declares the output of a cache.
func (s *attention) presents(c *Call, k *cache, present, kvHeads int) {
	if present < c.NumOut() && c.Node.Outputs[present] != nil {
		c.Out(present, ir.Float32, s.batch, kvHeads, s.total, k.width)
		k.present, k.gap, k.appends = present, s.total*k.width, c.Appends(present)
		s.kept = true
	} else {
		k.appends = false
	}
	s.kept = s.kept || k.past != none
}

// planAttention: q is [batch, heads, queries, depth] or [batch, queries, heads·depth], k and
// v likewise.
func planAttention(c *Call) error {
	q, k, v := c.In(0).Dims, c.In(1).Dims, c.In(2).Dims
	if len(q) != len(k) || len(q) != len(v) || len(q) != 3 && len(q) != 4 || k[0] != q[0] || v[0] != q[0] {
		return c.Fail("q has dimensions ", q, ", k ", k, " and v ", v, ", want 3 or 4 of them, of the same batch")
	}
	s := Into[attention](c)
	s.begin()
	s.batch = q[0]
	var kvHeads, depth, kDepth, width int
	if len(q) == 4 {
		s.heads, s.queries, depth = q[1], q[2], q[3]
		kvHeads, s.fresh, kDepth, width = k[1], k[2], k[3], v[3]
		if v[1] != kvHeads || v[2] != s.fresh {
			return c.Fail("k has dimensions ", k, " and v ", v, ": they do not fit")
		}
		s.q.planar(c, 0)
		s.k.planar(c, 1)
		s.v.planar(c, 2)
		s.y = heads{0, 0, s.heads * s.queries * width, s.queries * width, width}
		c.Out(0, ir.Float32, s.batch, s.heads, s.queries, width)
	} else {
		var err error
		if s.heads, err = headsOf(c, "q_num_heads", q[2]); err != nil {
			return err
		}
		if _, err = headsOf(c, "kv_num_heads", k[2]); err != nil {
			return err
		}
		if kvHeads, err = headsOf(c, "kv_num_heads", v[2]); err != nil {
			return err
		}
		s.queries, s.fresh = q[1], k[1]
		depth, kDepth, width = q[2]/s.heads, k[2]/kvHeads, v[2]/kvHeads
		if v[1] != s.fresh {
			return c.Fail("k has dimensions ", k, " and v ", v, ": they do not fit")
		}
		s.q.packed(0, 0, s.queries, q[2], depth)
		s.k.packed(1, 0, s.fresh, k[2], depth)
		s.v.packed(2, 0, s.fresh, v[2], width)
		s.y = heads{0, 0, s.queries * s.heads * width, width, s.heads * width}
		c.Out(0, ir.Float32, s.batch, s.queries, s.heads*width)
	}
	if depth != kDepth {
		return c.fail("heads of q have % elements, those of k %", nil, depth, kDepth)
	}
	if kvHeads == 0 && s.heads > 0 || kvHeads > 0 && s.heads%kvHeads != 0 {
		return c.fail("there are % heads of q for % of k", nil, s.heads, kvHeads)
	}
	s.group = s.heads / max(kvHeads, 1)
	s.core.Depth, s.core.Width = depth, width
	s.core.Scale, s.core.Softcap = scaleOr(c, depth), c.Float("softcap")
	s.core.Keep = compute.KeepNone
	s.causal = c.Int("is_causal") == 1
	if err := s.cached(c, &s.keys, 4, 1, kvHeads, depth); err != nil {
		return err
	}
	if err := s.cached(c, &s.values, 5, 2, kvHeads, width); err != nil {
		return err
	}
	if s.keys.pastRows != s.values.pastRows {
		return c.fail("past_key has % rows, past_value %", nil, s.keys.pastRows, s.values.pastRows)
	}
	s.total = s.keys.pastRows + s.fresh
	s.presents(c, &s.keys, 1, kvHeads)
	s.presents(c, &s.values, 2, kvHeads)
	s.keys.new, s.values.new = s.k, s.v
	if c.In(6) != nil {
		if d := c.In(6).Dims; len(d) != 1 || d[0] != s.batch {
			return c.fail("nonpad_kv_seqlen has dimensions @, want [%]", d, s.batch)
		}
		s.nonpad = 6
	}
	if mask := c.In(3); mask != nil {
		p := &s.masks[0]
		if mask.Type == ir.Bool {
			p = &s.hides
		}
		if err := p.set(c, 3, s.batch, s.heads, s.queries, s.total); err != nil {
			return err
		}
	}
	if c.NumOut() > 3 && c.Node.Outputs[3] != nil {
		c.Out(3, ir.Float32, s.batch, s.heads, s.queries, s.total)
		mode := c.Int("qk_matmul_output_mode")
		if mode < 0 || mode > 3 {
			return c.fail("qk_matmul_output_mode is %, want one in [0, 3]", nil, int(mode))
		}
		s.scores, s.core.Keep = 3, compute.KeepScores+compute.Stage(mode)
	}
	return s.end(c, 0)
}

// fixedDim says whether a model declares a dimension's size.
func fixedDim(v *ir.Value, i int) bool {
	return v != nil && v.Known && i < len(v.Dims) && v.Dims[i].Size >= 0
}

// Rows are the heads of keys, or parts of them where nothing has to be put together first.
func (s *attention) Rows() int { return s.batch * (s.heads / s.group) * s.parts() }

func (s *attention) parts() int {
	if s.kept || s.projects || s.few || s.panels {
		return 1
	}
	return max(s.tiles(), 1)
}

func (s *attention) tiles() int {
	return (s.queries + max(s.rows, 1) - 1) / max(s.rows, 1)
}

func (s *attention) Run(a *Args) {
	scratch := slab.View[float32](a.Scratch)
	if s.few {
		for b := range s.batch {
			s.runFew(a, scratch, b, 0, s.heads/s.group)
		}
		return
	}
	if s.projects {
		s.project.run(a, scratch)
	}
	rows, parts := s.Rows(), 1
	if s.each > 0 {
		parts = min(threads.Parts(rows*s.pieces, rows*s.group*s.core.PanelTime(s.queries, s.total)), (s.seenAt-s.laidAt)/s.each)
	}
	if parts <= 1 {
		s.runRows(a, scratch, scratch[s.laidAt:], nil, nil, 0, rows, 1)
		return
	}
	if s.padding.input != none {
		s.padding.fill(a, scratch[s.padding.at:][:s.padding.rows*s.total], 0, s.total)
	}
	var ends []int32
	if p := &s.masks[0]; p.input != none { // all heads have the same
		ends = slab.View[int32](slab.Bytes(scratch[s.endsAt+s.seenAt-s.laidAt-s.each:][:s.panelGroups()]))
		plane := planeOf(p, a.In[p.input].Float32s(), 0, 0, 0)
		compute.MaskEnds(ends, &plane, s.queries, s.total)
	}
	seen := scratch[s.seenAt:][:s.batch*s.heads*s.queries]
	threads.For(parts, func(part int) {
		from, to := threads.Range(rows*s.pieces, parts, part)
		s.runRows(a, scratch, scratch[s.laidAt+part*s.each:], ends, seen, from, to, s.pieces)
	})
	for row := range rows {
		if n := s.group * s.queries; ends != nil && !compute.Saw(seen[row*n:][:n]) {
			s.runRows(a, scratch, scratch[s.laidAt:], nil, nil, row, row+1, 1)
		}
	}
}

// runRows needs scratch memory of its own, laid on. With seen these are the rows of a part, each in so
// many pieces; ends is known then.
func (s *attention) runRows(a *Args, scratch, own []float32, ends []int32, seen []float32, from, to, pieces int) {
	parts, kvHeads := s.parts(), s.heads/s.group
	masked, shown := -1, -1
	for piece, next := from, 0; piece < to; piece = next {
		row := piece / pieces
		next = min((row+1)*pieces, to)
		b, g := row/parts/kvHeads, row/parts%kvHeads
		if s.padding.input != none && masked != b && seen == nil {
			s.padding.fill(a, scratch[s.padding.at:][:s.padding.rows*s.total], b, s.total)
			masked = b
		}
		past, keys := s.counts(a, b)
		k, v := s.k.of(a, scratch, b, g), s.v.of(a, scratch, b, g)
		ldk, ldv := s.k.row, s.v.row
		if s.kept {
			k, v = s.join(a, scratch, &s.keys, b, g, past), s.join(a, scratch, &s.values, b, g, past)
			ldk, ldv = s.core.Depth, s.core.Width
		}
		first, last := row%parts, row%parts+1
		if parts == 1 {
			first, _ = threads.Range(s.tiles(), pieces, piece-row*pieces)
			_, last = threads.Range(s.tiles(), pieces, next-1-row*pieces)
		}
		var laid compute.KeyPanels
		if s.panels {
			core := s.core
			core.LDK, core.LDV = ldk, ldv
			laid = core.LayOut(k, v, keys, own)
		}
		for h := g * s.group; h < (g+1)*s.group; h++ {
			if p := &s.masks[0]; s.panels && p.input != none && seen == nil {
				ends = slab.View[int32](slab.Bytes(own[s.endsAt-s.laidAt:][:s.panelGroups()]))
				if p.head != 0 || shown != b {
					plane := planeOf(p, a.In[p.input].Float32s(), b, h, 0)
					compute.MaskEnds(ends, &plane, s.queries, keys)
					shown = b
				}
			}
			for t := first; t < last; t++ {
				s.tile(a, scratch, own[s.workAt-s.laidAt:], b, h, t*s.rows, past, keys, k, v, ldk, ldv, laid, ends, seen)
			}
		}
	}
}

// runFew computes all queries of some heads of keys.
func (s *attention) runFew(a *Args, scratch []float32, b, from, to int) {
	past, keys := s.counts(a, b)
	core, depth := s.core, s.core.Depth
	q, y := s.q.of(a, scratch, b, from*s.group), a.Out[0].Float32s()
	rows := (to - from) * s.group * s.queries
	h := compute.Few{Y: y[min(s.y.at+b*s.y.batch+from*s.group*s.y.head, len(y)):], Q: q, Rows: rows, Share: s.group * s.queries}
	h.K, core.LDK, h.GapK = s.rowsOf(a, scratch, &s.keys, &s.k, b, from, to, past)
	h.V, core.LDV, h.GapV = s.rowsOf(a, scratch, &s.values, &s.v, b, from, to, past)
	core.LDQ = s.q.row
	if s.queries == 1 {
		core.LDQ = s.q.head
	}
	if s.rotates {
		own := scratch[s.turnedAt:]
		s.turns.turnRows(a, own, depth, q, core.LDQ, depth, rows, s.position(a, b, 0, past))
		h.Q, core.LDQ = own, depth
	}
	if s.causal {
		keys = max(0, min(keys, past+1))
	}
	if s.window > 0 && keys > s.window {
		h.First = keys - s.window
		h.K, h.V = h.K[h.First*core.LDK:], h.V[h.First*core.LDV:]
	}
	h.Keys = keys - h.First
	for i := range s.masks {
		if p := &s.masks[i]; p.input != none {
			h.Bias[i] = planeOf(p, a.In[p.input].Float32s(), b, from*s.group, 0)
			h.Bias[i].Row = s.perMask[i]
		}
	}
	core.RunFew(&h, scratch[s.workAt:])
}

// rowsOf are the keys or values of some heads, with what is new behind what there was, how
// far their rows lie apart, and those of the next head.
func (s *attention) rowsOf(a *Args, scratch []float32, k *cache, new *heads, b, from, to, past int) (all []float32, ld, gap int) {
	if !s.kept {
		return new.of(a, scratch, b, from), new.row, new.head
	}
	out, gap := a.Out[k.present], k.gap
	if out.Stride != 0 {
		gap = out.Stride
	}
	kvHeads := s.heads / s.group
	all = out.Float32s()[min((k.second+b*kvHeads+from)*gap, len(out.Data)/4):]
	if !k.appends || s.fresh != 1 {
		for g := from; g < to; g++ {
			s.join(a, scratch, k, b, g, past)
		}
		return all, k.width, gap
	}
	row, x := all[min(past*k.width, len(all)):], k.new.of(a, scratch, b, from)
	if k.turned {
		s.turns.turnRows(a, row, gap, x, k.new.head, k.width, to-from, s.position(a, b, 0, past))
		return all, k.width, gap
	}
	for g := range to - from {
		y, x := row[g*gap:][:k.width], x[g*k.new.head:][:k.width]
		//lint:ignore S1001 the built-in copy is a call in wasm, longer than a few elements take
		for i, v := range x {
			y[i] = v
		}
	}
	return all, k.width, gap
}

// counts are how many keys lie before the first query, and how many there are.
func (s *attention) counts(a *Args, b int) (past, keys int) {
	switch {
	case s.lengths != none:
		keys = int(a.In[s.lengths].Int32s()[b]) + 1
		if s.queries != int(a.In[s.whole].Int32s()[0]) { // else all of it is new
			past = keys - s.queries
		}
		if past < 0 || keys < 0 || keys > s.total || past+s.queries > s.total || s.keys.past == none && past > 0 {
			panic(errors.New(text.Join("seqlens_k[", b, "] is ", keys-1, " for ", s.queries, " queries and a cache of ", s.total, " rows")))
		}
		return past, keys
	case s.nonpad != none:
		keys = int(min(max(a.In[s.nonpad].Int64s()[b], 0), int64(s.total)))
		if s.keys.past != none {
			return s.keys.pastRows, keys
		}
		return keys - s.queries, keys
	}
	return s.keys.pastRows, s.total
}

func (h *heads) of(a *Args, scratch []float32, b, head int) []float32 {
	data := scratch
	if h.input != scratched {
		data = a.In[h.input].Float32s()
	}
	return data[min(h.at+b*h.batch+head*h.head, len(data)):]
}

// position is that of new row i.
func (s *attention) position(a *Args, b, i, past int) int {
	if s.positions != none {
		return int(a.In[s.positions].Int64s()[b*s.queries+i])
	}
	return past + i
}

// join puts a head's keys or values together, and returns them.
func (s *attention) join(a *Args, scratch []float32, k *cache, b, g, past int) []float32 {
	kvHeads := s.heads / s.group
	n := s.total * k.width
	var all []float32
	if k.present == none {
		all = scratch[k.scratch:][:n]
	} else {
		out, gap := a.Out[k.present], k.gap
		if out.Stride != 0 {
			gap = out.Stride
		}
		all = out.Float32s()[(k.second+b*kvHeads+g)*gap:][:n]
	}
	if !k.appends || k.present == none {
		if k.past != none {
			copy(all[:past*k.width], a.In[k.past].Float32s()[k.pastAt+(b*kvHeads+g)*k.pastGap:])
		}
		clear(all[min((past+s.fresh)*k.width, n):])
	}
	from := k.new.of(a, scratch, b, g)
	for i := range s.fresh {
		row := all[(past+i)*k.width:][:k.width]
		copy(row, from[i*k.new.row:])
		if k.bias != none {
			compute.Add(row, row, 0, 1, a.In[s.bias].Float32s()[k.bias+g*k.width:][:k.width], 0, 1, 1, k.width)
		}
		if k.turned {
			s.turns.turn(a, row, row, s.position(a, b, i, past))
		}
	}
	return all
}

// tile computes some queries of a head, from query i on.
func (s *attention) tile(a *Args, scratch, work []float32, b, head, i, past, keys int, k, v []float32, ldk, ldv int, laid compute.KeyPanels, ends []int32, seen []float32) {
	n := min(s.queries-i, s.rows)
	core, depth := s.core, s.core.Depth
	core.LDQ, core.LDK, core.LDV = s.q.row, ldk, ldv
	q := s.q.of(a, scratch, b, head)
	q = q[min(i*s.q.row, len(q)):]
	if s.rotates || s.bias != none {
		own := scratch[s.turnedAt:]
		for j := range n {
			row := own[j*depth:][:depth]
			copy(row, q[j*s.q.row:])
			if s.bias != none {
				compute.Add(row, row, 0, 1, a.In[s.bias].Float32s()[s.qBias+head*depth:][:depth], 0, 1, 1, depth)
			}
			if s.rotates {
				s.turns.turn(a, row, row, s.position(a, b, i+j, past))
			}
		}
		q, core.LDQ = own, depth
	}
	h := compute.Head{Q: q, K: k, V: v, Queries: n, Keys: keys, Causal: s.causal, Past: past + i, Window: s.window}
	h.Y = a.Out[0].Float32s()[s.y.at+b*s.y.batch+head*s.y.head+i*s.y.row:]
	if p := &s.masks[0]; p.input != none {
		h.Bias = planeOf(p, a.In[p.input].Float32s(), b, head, i)
	}
	if p := &s.masks[1]; p.input != none {
		h.Bias2 = planeOf(p, a.In[p.input].Float32s(), b, head, i)
	} else if p := &s.padding; p.input != none {
		h.Bias2 = compute.Plane[float32]{Data: scratch[p.at+i*p.step(s.total):], Row: p.step(s.total), Cols: s.total}
	}
	if p := &s.hides; p.input != none {
		h.Mask = planeOf(p, a.In[p.input].Data, b, head, i)
	}
	if s.scores != none {
		h.Scores, h.All = a.Out[s.scores].Float32s()[((b*s.heads+head)*s.queries+i)*s.total:], s.total
	}
	if h.HasSink = s.smooth || s.sinks != none; s.sinks != none {
		h.Sink = a.In[s.sinks].Float32s()[head]
	}
	if !s.panels {
		core.Run(&h, work)
		return
	}
	if ends != nil {
		ends = ends[i/compute.PanelRows:]
	}
	if seen != nil {
		seen = seen[(b*s.heads+head)*s.queries+i:][:n]
	}
	core.RunPanels(&h, laid, ends, work, seen)
}

// padding is an operand of integers that says which keys count, as numbers to be added to
// the scores.
type padding struct {
	input int
	rows  int  // 1, or that of the queries
	list  bool // it has how many keys count, not 0 or 1 for each
	hide  float32
	at    int // in scratch memory
}

func (p *padding) step(total int) int {
	if p.rows == 1 {
		return 0
	}
	return total
}

// fill writes what is added to the scores of one element of the batch.
func (p *padding) fill(a *Args, rows []float32, b, total int) {
	in := a.In[p.input].Int32s()
	for i := range rows {
		shown := false
		if p.list {
			shown = i < int(in[b])
		} else {
			shown = in[b*len(rows)+i] != 0
		}
		if rows[i] = 0; !shown {
			rows[i] = p.hide
		}
	}
}

// projection computes q, k and v from what comes into Attention of com.microsoft.
type projection struct {
	gemm compute.Gemm
	b    *compute.PackedB
	bias int
	work int // where in scratch memory
}

func (p *projection) run(a *Args, scratch []float32) {
	g := p.gemm
	if p.bias != none {
		g.Bias = a.In[p.bias].Float32s()
	}
	if p.b != nil {
		g.RunPacked(scratch, a.In[0].Float32s(), p.b, scratch[p.work:])
	} else {
		g.Run(scratch, a.In[0].Float32s(), a.In[1].Float32s(), scratch[p.work:])
	}
}
