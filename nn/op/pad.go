package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(padRows) }

var padRows = []Row{{
	Name: "Pad", Since: 1, Changes: []int{2, 11, 13, 18, 19, 21, 23, 24, 25}, Lifts: liftedTypes,
	In: []In{{Name: "data", Types: movedTypes, Var: 'T'},
		{Name: "pads", Types: intTypes, Since: 11},
		{Name: "constant_value", Types: movedTypes, Var: 'T', Opt: true, Since: 11},
		{Name: "axes", Types: intTypes, Opt: true, Since: 18}},
	Out: []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "mode", Kind: ir.AttrString, S: "constant", Words: []string{"constant", "reflect", "edge", "wrap"}},
		{Name: "pads", Kind: ir.AttrInts, Till: 10}, {Name: "value", Kind: ir.AttrFloat, Till: 10}},
	Rank: sameRank, Limits: "before opset 11 a value other than 0 for float32 and float64 only",
	Plan: planPad,
}}

// planPad: pads and value are attributes up to opset 10, inputs from 11 on; from
// 18 on axes may say which dimensions pads are for. Negative pads crop.
func planPad(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	pads, given, err := listArg(c, "pads", 1, 11)
	if err != nil {
		return err
	}
	axes := c.Longs(len(dims))
	for i := range axes {
		axes[i] = int64(i)
	}
	if c.Node.Version >= 18 {
		if list, ok, err := hostInts(c, 3); err != nil {
			return err
		} else if ok {
			axes = list
		}
	}
	if !given || len(pads) != 2*len(axes) {
		return c.fail("there are % pads for % dimensions", nil, len(pads), len(axes))
	}
	list, _, err := axisList(c, axes, len(dims))
	if err != nil {
		return err
	}
	out, before := c.Clone(dims), c.Dims(len(dims))
	for i, axis := range list {
		b, e := pads[i], pads[i+len(axes)]
		if b < -dimLimit || b > dimLimit || e < -dimLimit || e > dimLimit {
			return c.fail("pads are @", intsOf(pads))
		}
		before[axis] = int(b)
		out[axis] += int(b + e)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	mode := c.Str("mode")
	c.Out(0, t, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if mode == "constant" {
		return padConstant(c, dims, out, before)
	}
	// Every output element has a source along each axis, kept as an offset.
	s := Into[sources](c)
	s.start(len(dims))
	steps := rowMajor(c, dims)
	for axis, n := range out {
		if dims[axis] == 0 {
			return c.fail("dimension % of @ is empty: there is nothing to repeat", dims, axis)
		}
		for i := range n {
			s.lists[axis] = append(s.lists[axis], mirrored(i-before[axis], dims[axis], mode)*steps[axis])
		}
	}
	s.finish(t.Size())
	return nil
}

// mirrored brings an index outside [0, n) back into it.
func mirrored(i, n int, mode string) int {
	switch mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return ((i % n) + n) % n
	}
	period := max(2*n-2, 1) // reflect: the border itself is not repeated
	i = ((i % period) + period) % period
	if i >= n {
		i = period - i
	}
	return i
}

// stepSources sets the step that takes each output element from the sum of its
// axes' offsets, which it copies.
func stepSources(c *Call, lists [][]int) error {
	s := Into[sources](c)
	s.start(len(lists))
	for i, list := range lists {
		s.lists[i] = append(s.lists[i], list...)
	}
	s.finish(c.In(0).Type.Size())
	return nil
}

// sources has, by axis, the offset of input 0's element for each index.
type sources struct {
	lists [][]int
	size  int // of an element
	// Rows are the indices of the first axis that has several; those before it have
	// one, and their offsets sum up to base.
	axis, base int
	row        int // bytes
}

// start makes room for the lists of rank axes, empty ones.
func (s *sources) start(rank int) {
	for len(s.lists) < rank {
		s.lists = append(s.lists, nil)
	}
	s.lists = s.lists[:rank]
	for i := range s.lists {
		s.lists[i] = s.lists[i][:0]
	}
}

// finish is for when the lists are there.
func (s *sources) finish(size int) {
	if len(s.lists) == 0 {
		s.lists = append(s.lists, []int{0}) // a scalar
	}
	s.size, s.axis, s.base, s.row = size, 0, 0, size
	for ; s.axis < len(s.lists)-1 && len(s.lists[s.axis]) == 1; s.axis++ {
		s.base += s.lists[s.axis][0]
	}
	for _, list := range s.lists[s.axis+1:] {
		s.row *= len(list)
	}
}

func (s *sources) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }
func (s *sources) Rows() int   { return len(s.lists[s.axis]) }

func (s *sources) RunRows(a *Args, from, to int) {
	copySources(a.Out[0].Data[from*s.row:to*s.row], a.In[0].Data, s.lists[s.axis][from:to], s.lists[s.axis+1:], s.base, s.size)
}

// copySources writes to y the elements for one axis's list of offsets and all of the
// further axes, and gives the number of bytes.
func copySources(y, x []byte, list []int, further [][]int, base, size int) int {
	if len(further) == 0 && size == 4 {
		from, to := slab.View[uint32](x)[base:], slab.View[uint32](y[:4*len(list)])
		for i, s := range list {
			to[i] = from[s]
		}
		return 4 * len(list)
	}
	done, last := 0, 0
	for i, s := range list {
		switch {
		case i > 0 && s == list[i-1]: // the same again
			done += copy(y[done:], y[done-last:done])
			continue
		case len(further) == 0:
			last = copy(y[done:], x[(base+s)*size:(base+s+1)*size])
		default:
			last = copySources(y[done:], x, further[0], further[1:], base+s, size)
		}
		done += last
	}
	return done
}

func padConstant(c *Call, dims, out, before []int) error {
	t := c.In(0).Type
	s := Into[padded](c)
	s.value, s.size, s.given = [8]byte{}, t.Size(), false
	if c.Node.Version < 11 {
		if v := c.Float("value"); v != 0 {
			bits := uint64(math.Float32bits(v))
			switch t {
			case ir.Float32:
			case ir.Float64:
				bits = math.Float64bits(float64(v))
			default:
				return unsupported(c, "type ", t.String())
			}
			for i := range s.value {
				s.value[i] = byte(bits >> (8 * i))
			}
		}
	} else if v := c.In(2); v != nil {
		if v.Len() != 1 {
			return c.Fail("the value has dimensions ", v.Dims, ", want one ", t.String())
		}
		s.given = true
	}
	// What of the input stays, and where it comes to lie.
	walk, src, dst := c.Dims(len(dims)), rowMajor(c, dims), rowMajor(c, out)
	from, to := 0, 0
	for i, n := range dims {
		lo, hi := max(0, -before[i]), min(n, out[i]-before[i])
		walk[i] = max(hi-lo, 0)
		from += min(lo, n) * src[i]
		to += max(lo+before[i], 0) * dst[i]
	}
	s.p.set(t.Size(), walk, src, dst)
	s.p.srcAt, s.p.dstAt = from, to
	s.whole = ir.SameDims(walk, out)
	return nil
}

// padded copies input 0 to its place in an output that is filled with a value.
type padded struct {
	p     strided
	whole bool // nothing is left to fill
	given bool // the value is input 2
	value [8]byte
	size  int // of an element
}

func (s *padded) Run(a *Args) {
	if !s.whole {
		v := s.value[:s.size]
		if s.given {
			v = a.In[2].Data
		}
		fillTensor(a.Out[0].Data, v)
	}
	s.p.run(a.Out[0].Data, a.In[0].Data)
}
