package graph

func init() { enter(joints) }

var joints = []entry{
	{"Concat", 4, "axis", nil, planConcat},
	{"Split", 2, "axis split num_outputs", nil, planSplit},
}

func planConcat(c *Call) error {
	n := c.NumIn()
	if n == 0 {
		return c.Fail("there are no inputs")
	}
	inputs := make([]int, n)
	for i := range inputs {
		inputs[i] = i
	}
	first := c.In(0).Dims
	axis, err := axisOf(c, c.Node.Int("axis", 0), len(first))
	if err != nil {
		return err
	}
	out := cloneDims(first)
	out[axis] = 0
	for _, i := range inputs {
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
	if n == 1 {
		return view(c, out)
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	outer, row := Elements(out[:axis]), Elements(out[axis:])*t.Size()
	type part struct{ at, n int }
	parts, at := make([]part, n), 0
	for i := range parts {
		parts[i] = part{at, Elements(c.In(i).Dims[axis:]) * t.Size()}
		at += parts[i].n
	}
	c.Run(func(a *Args) {
		for i, p := range parts {
			copyRows(a.Out[0].Data, p.at, row, a.In[i].Data, 0, p.n, p.n, outer)
		}
	})
	return nil
}

// copyRows copies rows of n bytes between arrays of which rows start ds and ss
// bytes apart.
func copyRows(dst []byte, d, ds int, src []byte, s, ss, n, rows int) {
	if n == 0 {
		return
	}
	for range rows {
		copy(dst[d:d+n], src[s:s+n])
		d, s = d+ds, s+ss
	}
}

// planSplit: split is an attribute up to opset 12 and an input from 13 on;
// without it the parts are equal, and from opset 18 on the last may be smaller.
func planSplit(c *Call) error {
	dims := c.In(0).Dims
	axis, err := axisOf(c, c.Node.Int("axis", 0), len(dims))
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
		return c.Fail("num_outputs is ", v, ", but there are ", n, " outputs")
	}
	if !given {
		part := (dims[axis] + n - 1) / n
		if dims[axis]%n != 0 && c.Node.Version < 18 {
			return c.Fail("dimension ", axis, " of ", dims, " does not split into ", n, " equal parts")
		}
		for left := dims[axis]; len(sizes) < n; left -= part {
			sizes = append(sizes, int64(min(part, max(left, 0))))
		}
	}
	if len(sizes) != n {
		return c.Fail("split has ", len(sizes), " sizes for ", n, " outputs")
	}
	left := int64(dims[axis])
	for i, s := range sizes {
		if s < 0 || s > left {
			return c.Fail("split ", intsOf(sizes), " does not fit dimension ", axis, " of ", dims)
		}
		left -= s
		out := cloneDims(dims)
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
	t := c.In(0).Type
	outer, inner := Elements(dims[:axis]), Elements(dims[axis+1:])*t.Size()
	row := inner * dims[axis]
	c.Run(func(a *Args) {
		at := 0
		for i, o := range a.Out {
			m := int(sizes[i]) * inner
			if o != nil {
				copyRows(o.Data, 0, m, a.In[0].Data, at, row, m, outer)
			}
			at += m
		}
	})
	return nil
}
