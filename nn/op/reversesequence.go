//go:build !lean

package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(reverseRows) }

var reverseRows = []Row{{
	Name: "ReverseSequence", Since: 10,
	In:    []In{{Name: "input", Types: storedTypes, Var: 'T'}, {Name: "sequence_lens", Types: 1 << ir.Int64}},
	Out:   yOut,
	Attrs: []Attr{{Name: "batch_axis", Kind: ir.AttrInt, I: 1}, {Name: "time_axis", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Plan:  planReverseSequence,
}}

// planReverseSequence reverses the first elements of each sequence, as many as its length says.
func planReverseSequence(c *Call) error {
	x := c.In(0)
	batch, time := c.Int("batch_axis"), c.Int("time_axis")
	if len(x.Dims) < 2 || batch+time != 1 || batch*time != 0 {
		return c.fail("batch_axis is % and time_axis % for dimensions @, want 0 and 1, or 1 and 0", x.Dims, int(batch), int(time))
	}
	n := x.Dims[batch]
	if d := c.In(1).Dims; len(d) != 1 || d[0] != n {
		return c.fail("sequence_lens has dimensions @, want [%]", d, n)
	}
	c.Out(0, x.Type, x.Dims...)
	s := Into[reverseSteps](c)
	*s = reverseSteps{batch: n, time: x.Dims[time], unit: ir.Elements(x.Dims[2:]) * x.Type.Size(), times: time == 0}
	return nil
}

type reverseSteps struct {
	batch, time, unit int
	times             bool // time is the outer dimension
}

func (s *reverseSteps) Run(a *Args) {
	for b, n := range a.In[1].Int64s() {
		if n < 0 || n > int64(s.time) {
			panic(errors.New(text.Join("sequence_lens[", b, "] is ", n, ", want one in [0, ", s.time, "]")))
		}
		for t := range s.time {
			from := t
			if t < int(n) {
				from = int(n) - 1 - t
			}
			at, src := s.at(b, t), s.at(b, from)
			copy(a.Out[0].Data[at:at+s.unit], a.In[0].Data[src:])
		}
	}
}

func (s *reverseSteps) at(b, t int) int {
	if s.times {
		return (t*s.batch + b) * s.unit
	}
	return (b*s.time + t) * s.unit
}
