package graph

// Operators that give the same elements other dimensions. They have no step.

func init() { enter(views) }

var views = []entry{
	{"Identity", 1, "", nil, planIdentity},
	{"Reshape", 5, "allowzero", nil, planReshape},
	{"Flatten", 1, "axis", nil, planFlatten},
	{"Squeeze", 1, "axes", nil, planSqueeze},
	{"Unsqueeze", 1, "axes", nil, planUnsqueeze},
	{"Shape", 1, "start end", nil, planShape},
	{"Size", 1, "", nil, planSize},
	{"Dropout", 7, "ratio seed", checkDropout, planDropout},
}

// view declares output 0 as input 0 under other dimensions.
func view(c *Call, dims []int) error {
	in := c.In(0)
	c.Out(0, in.Type, dims...)
	c.Alias(0, 0)
	return nil
}

func planIdentity(c *Call) error {
	return view(c, c.In(0).Dims)
}

func planReshape(c *Call) error {
	in := c.In(0)
	want, given, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if !given {
		return c.Fail("input 1, the shape, is missing")
	}
	allowZero := c.Node.Int("allowzero", 0) != 0
	dims := make([]int, len(want))
	known, infer := 1, -1
	for i, w := range want {
		switch {
		case w == -1:
			if infer >= 0 {
				return c.Fail("the shape has more than one -1")
			}
			infer = i
			continue
		case w == 0 && !allowZero:
			if i >= len(in.Dims) {
				return c.Fail("the shape's element ", i, " is 0, but the input has dimensions ", in.Dims)
			}
			w = int64(in.Dims[i])
		case w < 0 || w > dimLimit:
			return c.Fail("the shape's element ", i, " is ", w)
		}
		dims[i] = int(w)
		known = min(known*int(w), dimLimit) // a product beyond it can fit no input
	}
	n := in.Len()
	if infer >= 0 {
		left := n
		if known == 0 && n == 0 && !allowZero {
			// An empty batch: what is left follows from the dimensions that are not 0.
			left, known = 1, 1
			for _, d := range in.Dims {
				left *= max(d, 1)
			}
			for i, d := range dims {
				if i != infer {
					known = min(known*max(d, 1), dimLimit)
				}
			}
		}
		if known == 0 || left%known != 0 {
			return c.Fail("dimensions ", in.Dims, " do not fit the shape ", intsOf(want))
		}
		dims[infer] = left / known
	}
	if Elements(dims) != n {
		return c.Fail("dimensions ", in.Dims, " do not fit the shape ", intsOf(want))
	}
	return view(c, dims)
}

func intsOf(list []int64) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}

func planFlatten(c *Call) error {
	dims := c.In(0).Dims
	axis := c.Node.Int("axis", 1)
	if axis < 0 {
		axis += int64(len(dims))
	}
	if axis < 0 || axis > int64(len(dims)) {
		return c.Fail("axis is ", c.Node.Int("axis", 1), ", but the input has dimensions ", dims)
	}
	return view(c, []int{Elements(dims[:axis]), Elements(dims[axis:])})
}

func planSqueeze(c *Call) error {
	in := c.In(0)
	axes, given, err := listArg(c, "axes", 1, 13)
	if err != nil {
		return err
	}
	drop, err := axesOf(c, axes, len(in.Dims))
	if err != nil {
		return err
	}
	dims := make([]int, 0, len(in.Dims))
	for i, d := range in.Dims {
		if drop[i] && d != 1 {
			return c.Fail("axis ", i, " of ", in.Dims, " is not 1")
		}
		if drop[i] || !given && d == 1 {
			continue
		}
		dims = append(dims, d)
	}
	return view(c, dims)
}

func planUnsqueeze(c *Call) error {
	in := c.In(0)
	axes, given, err := listArg(c, "axes", 1, 13)
	if err != nil {
		return err
	}
	if !given {
		return c.Fail("axes is missing")
	}
	insert, err := axesOf(c, axes, len(in.Dims)+len(axes))
	if err != nil {
		return err
	}
	dims, next := make([]int, len(insert)), 0
	for i := range dims {
		dims[i] = 1
		if !insert[i] {
			dims[i] = in.Dims[next]
			next++
		}
	}
	return view(c, dims)
}

func planShape(c *Call) error {
	if c.In(0) == nil {
		return c.Fail("input 0 is missing")
	}
	dims := c.In(0).Dims
	rank := int64(len(dims))
	clamp := func(v int64) int64 {
		if v < 0 {
			v += rank
		}
		return min(max(v, 0), rank)
	}
	start, end := clamp(c.Node.Int("start", 0)), clamp(c.Node.Int("end", rank))
	if end < start {
		end = start
	}
	t := NewTensor(Int64, int(end-start))
	for i, d := range dims[start:end] {
		t.Int64s()[i] = int64(d)
	}
	c.OutHost(0, t)
	return nil
}

func planSize(c *Call) error {
	if c.In(0) == nil {
		return c.Fail("input 0 is missing")
	}
	t := NewTensor(Int64)
	t.Int64s()[0] = int64(c.In(0).Len())
	c.OutHost(0, t)
	return nil
}

func checkDropout(n *Node) string {
	mode, ratio := n.In(2), n.In(1)
	switch {
	case mode == nil:
	case mode.Const == nil:
		return "training_mode that is computed"
	case mode.Const.Len() == 1 && mode.Const.Ints()[0] != 0:
		zero := ratio != nil && ratio.Const != nil && ratio.Const.Type == Float32 && ratio.Const.Len() == 1 && ratio.Const.Float32s()[0] == 0
		if !zero {
			return "training_mode=1"
		}
	}
	return ""
}

// planDropout: y = x, as at inference. The mask, where asked for, is all true.
func planDropout(c *Call) error {
	if t := c.In(2); t != nil {
		training, err := c.Host(2)
		if err != nil {
			return err
		}
		ratio, err := hostFloat(c, 1, 0.5)
		if err != nil {
			return err
		}
		if training.Len() == 1 && training.Ints()[0] != 0 && ratio != 0 {
			return unsupported(c, "training_mode=1")
		}
	}
	dims := c.In(0).Dims
	c.Out(0, c.In(0).Type, dims...)
	c.Alias(0, 0)
	if c.Node.Out(1) == nil {
		return nil
	}
	t := Bool
	if c.Node.Version < 10 {
		t = c.In(0).Type // before opset 10 the mask had the data's type
		if t != Float32 {
			return unsupported(c, "a mask of type ", t.String())
		}
	}
	mask := NewTensor(t, dims...)
	if t == Bool {
		for i := range mask.Data {
			mask.Data[i] = 1
		}
	} else {
		for i := range mask.Float32s() {
			mask.Float32s()[i] = 1
		}
	}
	c.OutHost(1, mask)
	return nil
}
