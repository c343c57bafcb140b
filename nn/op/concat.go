package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(concatRows) }

var concatRows = []Row{{
	Name: "Concat", Since: 1, Changes: []int{4, 11, 13}, Lifts: liftedTypes,
	In:    []In{{Name: "inputs", Types: movedTypes, Var: 'T', Many: true}},
	Out:   []Out{{Name: "concat_result", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Grows: concatGrows,
	Plan:  planConcat,
}, {
	Name: "Split", Since: 1, Changes: []int{2, 11, 13, 18}, Lifts: liftedTypes,
	In:    []In{{Name: "input", Types: movedTypes, Var: 'T'}, {Name: "split", Types: intTypes, Opt: true, Since: 13}},
	Out:   []Out{{Name: "outputs", Many: true, Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}, {Name: "split", Kind: ir.AttrInts, Till: 12}, {Name: "num_outputs", Kind: ir.AttrInt, Since: 18}},
	Rank:  sameRank,
	Plan:  planSplit,
}}

var concatGrows = []Growth{{Axis: axisAttr, Inputs: 2}}

func planConcat(c *Call) error {
	first := c.In(0).Dims
	axis, err := axisOf(c, c.Int("axis"), len(first))
	if err != nil {
		return err
	}
	out := c.Clone(first)
	out[axis] = 0
	for i := range c.NumIn() {
		d := c.In(i).Dims
		same := len(d) == len(first)
		for j := 0; same && j < len(d); j++ {
			same = j == axis || d[j] == first[j]
		}
		if !same {
			return c.Fail("input ", i, " has dimensions ", d, ", input 0 has ", first, ": they may differ in dimension ", axis, " only")
		}
		out[axis] += d[axis]
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	if c.NumIn() == 1 {
		return view(c, out)
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	s := Into[concat](c)
	s.outer, s.row = ir.Elements(out[:axis]), ir.Elements(out[axis:])*t.Size()
	s.parts = s.parts[:0]
	for i := range c.NumIn() {
		s.parts = append(s.parts, ir.Elements(c.In(i).Dims[axis:])*t.Size())
	}
	s.append = c.Appends(0)
	return nil
}

// concat copies, for each of outer rows, a part of each input to the next place.
type concat struct {
	outer, row int   // row is in bytes
	parts      []int // bytes of each input's row
	append     bool  // the first is there already
}

func (s *concat) Run(a *Args) {
	at, row := 0, s.row
	if gap := a.Out[0].Stride; gap > 0 {
		row = gap * a.Out[0].Type.Size()
	}
	for i, n := range s.parts {
		if i > 0 || !s.append {
			compute.CopyRows(a.Out[0].Data, at, row, a.In[i].Data, 0, n, n, s.outer)
		}
		at += n
	}
}

// planSplit: split is an attribute up to opset 12 and an input from 13 on;
// without it the parts are equal, and from opset 18 on the last may be smaller.
func planSplit(c *Call) error {
	dims := c.In(0).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	sizes, given, err := listArg(c, "split", 1, 13)
	if err != nil {
		return err
	}
	n := c.NumOut()
	if n == 0 {
		return c.Fail("there are no outputs")
	}
	if v := c.Node.Int("num_outputs", int64(n)); c.Node.Version >= 18 && v != int64(n) {
		return c.fail("num_outputs is %, but there are % outputs", nil, int(v), n)
	}
	if !given {
		part := (dims[axis] + n - 1) / n
		if dims[axis]%n != 0 && c.Node.Version < 18 {
			return c.fail("dimension % of @ does not split into % equal parts", dims, axis, n)
		}
		for left := dims[axis]; len(sizes) < n; left -= part {
			sizes = append(sizes, int64(min(part, max(left, 0))))
		}
	}
	if len(sizes) != n {
		return c.fail("split has % sizes for % outputs", nil, len(sizes), n)
	}
	left, out := int64(dims[axis]), c.Clone(dims)
	for i, s := range sizes {
		if s < 0 || s > left {
			return c.Fail("split ", intsOf(sizes), " does not fit dimension ", axis, " of ", dims)
		}
		left -= s
		out[axis] = int(s)
		c.Out(i, c.In(0).Type, out...)
	}
	if left != 0 {
		return c.Fail("split ", intsOf(sizes), " does not fit dimension ", axis, " of ", dims)
	}
	if n == 1 {
		c.Alias(0, 0)
		return nil
	}
	s := Into[split](c)
	inner := ir.Elements(dims[axis+1:]) * c.In(0).Type.Size()
	s.outer, s.row = ir.Elements(dims[:axis]), inner*dims[axis]
	s.parts = s.parts[:0]
	for _, n := range sizes {
		s.parts = append(s.parts, int(n)*inner)
	}
	return nil
}

// split is concat the other way round.
type split struct {
	outer, row int
	parts      []int
}

func (s *split) Run(a *Args) {
	at := 0
	for i, o := range a.Out {
		n := s.parts[i]
		if o != nil {
			compute.CopyRows(o.Data, 0, n, a.In[0].Data, at, s.row, n, s.outer)
		}
		at += n
	}
}
