package op

import "github.com/normwasm/normwasm/nn/ir"

// Operators that give the same elements other dimensions. They have no step.

var (
	squeezeIn    = []In{{Name: "data", Types: viewTypes, Var: 'T'}, {Name: "axes", Types: intTypes, Opt: true, Since: 13}}
	unsqueezeIn  = []In{{Name: "data", Types: viewTypes, Var: 'T'}, {Name: "axes", Types: intTypes, Since: 13}}
	squeezeAttrs = []Attr{{Name: "axes", Kind: ir.AttrInts, Till: 12}}
)

func init() { Register(reshapeRows) }

var reshapeRows = []Row{{
	Name: "Identity", Since: 1, Changes: []int{13, 14, 16, 19, 21, 23, 24, 25},
	In:     []In{{Name: "input", Types: viewTypes, Var: 'T'}},
	Out:    []Out{{Name: "output", Var: 'T'}},
	Rank:   sameRank,
	Limits: "tensors only",
	Plan:   planIdentity,
}, {
	Name: "Reshape", Since: 1, Changes: []int{5, 13, 14, 19, 21, 23, 24, 25},
	In:    []In{{Name: "data", Types: viewTypes, Var: 'T'}, {Name: "shape", Types: intTypes}},
	Out:   []Out{{Name: "reshaped", Var: 'T'}},
	Attrs: []Attr{{Name: "allowzero", Kind: ir.AttrInt, Since: 14}},
	Rank:  secondLen,
	Plan:  planReshape,
}, {
	Name: "Flatten", Since: 1, Changes: []int{9, 11, 13, 21, 23, 24, 25},
	In:    []In{{Name: "input", Types: viewTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: 1}},
	Rank:  matrixRank,
	Plan:  planFlatten,
}, {
	Name: "Squeeze", Since: 1, Changes: []int{11, 13, 21, 23, 24, 25},
	In:    squeezeIn,
	Out:   []Out{{Name: "squeezed", Var: 'T'}},
	Attrs: squeezeAttrs,
	Rank:  squeezedRank,
	Plan:  planSqueeze,
}, {
	Name: "Unsqueeze", Since: 1, Changes: []int{11, 13, 21, 23, 24, 25},
	In:    unsqueezeIn,
	Out:   []Out{{Name: "expanded", Var: 'T'}},
	Attrs: squeezeAttrs,
	Rank:  unsqueezedRank,
	Plan:  planUnsqueeze,
}, {
	Name: "Shape", Since: 1, Changes: []int{13, 15, 19, 21, 23, 24, 25},
	In:    []In{{Name: "data", Types: anyType, Strided: StridesAny}},
	Out:   []Out{{Name: "shape", Type: ir.Int64}},
	Attrs: []Attr{{Name: "start", Kind: ir.AttrInt, Since: 15}, {Name: "end", Kind: ir.AttrInt, Since: 15}},
	Rank:  listRank,
	Plan:  planShape,
}, {
	Name: "Size", Since: 1, Changes: []int{13, 19, 21, 23, 24, 25},
	In:   []In{{Name: "data", Types: anyType}},
	Out:  []Out{{Name: "size", Type: ir.Int64}},
	Rank: scalarRank,
	Plan: planSize,
}, {
	Name: "Dropout", Since: 1, Changes: []int{6, 7, 10, 12, 13, 22},
	In: []In{{Name: "data", Types: storedTypes, Var: 'T'},
		{Name: "ratio", Types: storedTypes, Opt: true, Since: 12}, // read only where training_mode is true
		{Name: "training_mode", Types: boolOnly, Opt: true, Since: 12}},
	Out:   []Out{{Name: "output", Var: 'T'}, {Name: "mask", Opt: true}}, // the mask's type follows from the opset
	Attrs: []Attr{{Name: "ratio", Kind: ir.AttrFloat, F: 0.5, Till: 11}, {Name: "seed", Kind: ir.AttrInt, Since: 12}},
	Rank:  sameRank,
	Check: checkDropout,
	Plan:  planDropout,
}}

// constLen is the number of elements of input i where it is a constant, else -1.
func constLen(n *ir.Node, i int) int {
	if v := n.In(i); v != nil && v.Const != nil {
		return v.Const.Len()
	}
	return -1
}

func secondLen(n *ir.Node, _ func(i int) int) int { return constLen(n, 1) }

func squeezedRank(n *ir.Node, rank func(i int) int) int { return axesRank(n, rank, -1) }

func unsqueezedRank(n *ir.Node, rank func(i int) int) int { return axesRank(n, rank, 1) }

// axesRank is the rank of input 0 with as many dimensions more, or less, as there are
// axes.
func axesRank(n *ir.Node, rank func(i int) int, sign int) int {
	count := constLen(n, 1)
	if axes, ok := n.Ints("axes"); ok && count < 0 {
		count = len(axes)
	}
	in := rank(0)
	if in < 0 || count < 0 {
		return -1
	}
	return max(in+sign*count, -1)
}

// view declares output 0 as input 0 under other dimensions.
func view(c *Call, dims []int) error {
	c.Out(0, c.In(0).Type, dims...)
	c.Alias(0, 0)
	return nil
}

func planIdentity(c *Call) error {
	return view(c, c.In(0).Dims)
}

func planReshape(c *Call) error {
	in := c.In(0)
	want, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	allowZero := c.Int("allowzero") != 0
	dims := c.Dims(len(want))
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
				return c.fail("the shape's element % is 0, but the input has dimensions @", in.Dims, i)
			}
			w = int64(in.Dims[i])
		case w < 0 || w > dimLimit:
			return c.fail("the shape's element % is %", nil, i, int(w))
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
	if ir.Elements(dims) != n {
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
	axis := c.Int("axis")
	if axis < 0 {
		axis += int64(len(dims))
	}
	if axis < 0 || axis > int64(len(dims)) {
		return c.fail("axis is %, but the input has dimensions @", dims, int(c.Int("axis")))
	}
	return view(c, []int{ir.Elements(dims[:axis]), ir.Elements(dims[axis:])})
}

// axisList turns a list of ONNX axes, all different, into indices of rank dimensions,
// and gives for each dimension how often the list names it: 0 or 1. Both last as long
// as the call.
func axisList(c *Call, axes []int64, rank int) (list, named []int, err error) {
	list, named = c.Dims(len(axes)), c.Dims(rank)
	for i, a := range axes {
		axis, err := axisOf(c, a, rank)
		if err != nil {
			return nil, nil, err
		}
		if named[axis] > 0 {
			return nil, nil, c.fail("axis % is given twice", nil, int(a))
		}
		list[i], named[axis] = axis, 1
	}
	return list, named, nil
}

func planSqueeze(c *Call) error {
	in := c.In(0)
	axes, given, err := listArg(c, "axes", 1, 13)
	if err != nil {
		return err
	}
	_, drop, err := axisList(c, axes, len(in.Dims))
	if err != nil {
		return err
	}
	dims := c.Dims(len(in.Dims))[:0]
	for i, d := range in.Dims {
		if drop[i] > 0 && d != 1 {
			return c.fail("axis % of @ is not 1", in.Dims, i)
		}
		if drop[i] > 0 || !given && d == 1 {
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
	_, dims, err := axisList(c, axes, len(in.Dims)+len(axes))
	if err != nil {
		return err
	}
	next := 0
	for i, inserted := range dims { // where an axis is inserted the 1 is there already
		if inserted == 0 {
			dims[i] = in.Dims[next]
			next++
		}
	}
	return view(c, dims)
}

func planShape(c *Call) error {
	dims := c.In(0).Dims
	rank := int64(len(dims))
	start, end := shapeEnd(c.Int("start"), rank), shapeEnd(c.Node.Int("end", rank), rank)
	end = max(end, start)
	t := c.Value(0, ir.Int64, int(end-start))
	list := t.Int64s()
	for i, d := range dims[start:end] {
		list[i] = int64(d)
	}
	return nil
}

// shapeEnd brings one end of a range of dimensions, which may count from the last, into
// [0, rank].
func shapeEnd(v, rank int64) int64 {
	if v < 0 {
		v += rank
	}
	return min(max(v, 0), rank)
}

func planSize(c *Call) error {
	t := c.Value(0, ir.Int64)
	t.Int64s()[0] = int64(c.In(0).Len())
	return nil
}

func checkDropout(n *ir.Node) string {
	if mode := n.In(2); mode != nil && mode.Const != nil && mode.Const.Type != ir.Bool {
		return "training_mode of type " + mode.Const.Type.String()
	}
	return ""
}

// planDropout: y = x, but for training. The mask, where asked for, is all true: what stays. Up
// to opset 11 ONNX does not say what it is then, and onnxruntime has it all 0.
func planDropout(c *Call) error {
	if t := c.In(2); t != nil {
		training, err := c.Host(2)
		if err != nil {
			return err
		}
		if training.Len() == 1 && training.Data[0] != 0 {
			ratio, err := hostFloat(c, 1, 0.5)
			if err != nil {
				return err
			}
			if ratio != 0 {
				return planTraining(c, ratio)
			}
		}
	}
	in := c.In(0)
	if err := view(c, in.Dims); err != nil {
		return err
	}
	if c.Node.Out(1) == nil {
		return nil
	}
	t := ir.Bool
	if c.Node.Version < 10 {
		t = in.Type // before opset 10 the mask had the data's type
	}
	mask := ir.NewTensor(t, append([]int(nil), in.Dims...)...)
	if c.Node.Version >= 12 {
		for i := range mask.Data {
			mask.Data[i] = 1
		}
	}
	c.OutHost(1, mask)
	return nil
}
