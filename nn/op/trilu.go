package op

import "github.com/normwasm/normwasm/nn/ir"

func init() { Register(triluRows) }

var triluRows = []Row{{
	Name: "Trilu", Since: 14,
	In:    []In{{Name: "input", Types: storedTypes, Var: 'T'}, {Name: "k", Types: intTypes, Opt: true}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "upper", Kind: ir.AttrInt, I: 1}},
	Rank:  sameRank,
	Plan:  planTrilu,
}}

// planTrilu keeps, of each matrix, what is on and above (or below) diagonal k.
func planTrilu(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	if len(dims) < 2 {
		return c.fail("the input has dimensions @, want matrices", dims)
	}
	k := int64(0)
	if list, given, err := hostInts(c, 1); err != nil {
		return err
	} else if given {
		if len(list) != 1 {
			return c.fail("k has % elements", nil, len(list))
		}
		k = list[0]
	}
	sameOut(c)
	if c.In(0).Len() == 0 {
		c.Step = nothing{}
		return nil
	}
	rows, cols := dims[len(dims)-2], dims[len(dims)-1]
	s := Into[trilu](c)
	s.count, s.rows, s.cols, s.size = c.In(0).Len()/cols, rows, cols, t.Size()
	s.k, s.upper = int(min(max(k, -int64(rows)), int64(cols))), c.Int("upper") != 0
	return nil
}

type trilu struct {
	count            int // of rows in all matrices
	rows, cols, size int // of a matrix, and of an element
	k                int
	upper            bool
}

func (s *trilu) Run(a *Args) { s.RunRows(a, 0, s.count) }
func (s *trilu) Rows() int   { return s.count }

func (s *trilu) RunRows(a *Args, from, to int) {
	n := s.cols * s.size
	y := a.Out[0].Data[from*n : to*n]
	copy(y, a.In[0].Data[from*n:])
	for i := from; i < to; i++ {
		row, at := y[:n], i%s.rows+s.k
		edge := min(max(at, 0), s.cols) * s.size
		switch {
		case s.upper:
			clear(row[:edge])
		case at < 0:
			clear(row)
		default:
			clear(row[min(edge+s.size, n):])
		}
		y = y[n:]
	}
}
