package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that move elements to other places, without looking at them.

func init() { Register(layoutRows) }

var layoutRows = []Row{{
	Name: "Transpose", Since: 1, Changes: []int{13, 21, 23, 24, 25}, Lifts: liftedTypes,
	In:    []In{{Name: "data", Types: movedTypes, Var: 'T', Strided: StridesAny}},
	Out:   []Out{{Name: "transposed", Var: 'T'}},
	Attrs: []Attr{{Name: "perm", Kind: ir.AttrInts}},
	Rank:  transposeRank,
	Plan:  planTranspose,
}, {
	Name: "Slice", Since: 1, Changes: []int{10, 11, 13}, Lifts: liftedTypes,
	In: []In{{Name: "data", Types: movedTypes, Var: 'T'},
		{Name: "starts", Types: intTypes, Since: 10},
		{Name: "ends", Types: intTypes, Since: 10},
		{Name: "axes", Types: intTypes, Opt: true, Since: 10},
		{Name: "steps", Types: intTypes, Opt: true, Since: 10}},
	Out: []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "starts", Kind: ir.AttrInts, Till: 9}, {Name: "ends", Kind: ir.AttrInts, Till: 9},
		{Name: "axes", Kind: ir.AttrInts, Till: 9}},
	Rank: sameRank,
	Plan: planSlice,
}, {
	Name: "Expand", Since: 8, Changes: []int{13}, Lifts: liftedTypes,
	In:   []In{{Name: "input", Types: movedTypes, Var: 'T'}, {Name: "shape", Types: intTypes}},
	Out:  []Out{{Name: "output", Var: 'T'}},
	Rank: expandRank,
	Plan: planExpand,
}, {
	Name: "Tile", Since: 6, Changes: []int{13}, Lifts: liftedTypes,
	In:   []In{{Name: "input", Types: movedTypes, Var: 'T'}, {Name: "repeats", Types: intTypes}},
	Out:  []Out{{Name: "output", Var: 'T'}},
	Rank: sameRank,
	Plan: planTile,
}, {
	Name: "DepthToSpace", Since: 1, Changes: []int{11, 13}, Lifts: liftedTypes,
	In:    []In{{Name: "input", Types: movedTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "blocksize", Kind: ir.AttrInt}, {Name: "mode", Kind: ir.AttrString, S: "DCR", Words: []string{"DCR", "CRD"}, Since: 11}},
	Rank:  imageRank,
	Plan:  planDepthToSpace,
}, {
	Name: "SpaceToDepth", Since: 1, Changes: []int{13}, Lifts: liftedTypes,
	In:    []In{{Name: "input", Types: movedTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "blocksize", Kind: ir.AttrInt}},
	Rank:  imageRank,
	Plan:  planSpaceToDepth,
}}

// stepStrided declares output 0 and the step that copies into it, in order, the
// elements of input 0 at offset at with the given strides.
func stepStrided(c *Call, out, walk, src []int, at int) error {
	if err := checkDims(c, out); err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	s := Into[move](c)
	s.p.set(t.Size(), walk, src, rowMajor(c, walk))
	s.p.srcAt = at
	return nil
}

// move is the step that copies input 0 by strides.
type move struct{ p strided }

func (s *move) Run(a *Args)                   { s.p.run(a.Out[0].Data, a.In[0].Data) }
func (s *move) Rows() int                     { return s.p.rows() }
func (s *move) RunRows(a *Args, from, to int) { s.p.runRows(a.Out[0].Data, a.In[0].Data, from, to) }

func transposeRank(n *ir.Node, rank func(i int) int) int {
	if perm, ok := n.Ints("perm"); ok {
		return len(perm)
	}
	return rank(0)
}

func planTranspose(c *Call) error {
	dims := c.In(0).Dims
	perm, given := c.Ints("perm")
	if !given {
		perm = c.Longs(len(dims))
		for i := range perm {
			perm[i] = int64(len(dims) - 1 - i)
		}
	}
	if len(perm) != len(dims) {
		return c.Fail("perm ", intsOf(perm), " does not fit the dimensions ", dims)
	}
	axes, _, err := axisList(c, perm, len(dims))
	if err != nil {
		return err
	}
	strides := rowMajor(c, dims)
	gap := c.In(0).Stride
	for i, n := c.In(0).Outer-1, gap; gap > 0 && i >= 0; i-- {
		strides[i] = n
		n *= dims[i]
	}
	out, src := c.Dims(len(dims)), c.Dims(len(dims))
	moved, last := false, -1
	for i, axis := range axes {
		out[i], src[i] = dims[axis], strides[axis]
		if dims[axis] != 1 {
			moved = moved || axis < last
			last = axis
		}
	}
	if !moved && gap == 0 {
		return view(c, out) // only dimensions of 1 change places
	}
	if c.In(0).Type == ir.Float32 && len(dims) <= 16 {
		c.Out(0, ir.Float32, out...)
		s := Into[transpose](c)
		s.shape, s.axes = append(s.shape[:0], dims...), append(s.axes[:0], axes...)
		s.outer, s.gap = c.In(0).Outer, gap
		return nil
	}
	return stepStrided(c, out, out, src, 0)
}

// transpose is the step for float32, of which there is a kernel.
type transpose struct {
	shape, axes []int
	outer, gap  int // Outer and Stride of the input
}

func (s *transpose) Run(a *Args) {
	compute.TransposeBlocks(a.Out[0].Float32s(), a.In[0].Float32s(), s.shape, s.axes, s.outer, s.gap)
}

// planSlice: starts, ends, axes and steps are attributes up to opset 9, inputs
// from 10 on.
func planSlice(c *Call) error {
	dims := c.In(0).Dims
	starts, given, err := listArg(c, "starts", 1, 10)
	if err != nil {
		return err
	}
	ends, givenEnds, err := listArg(c, "ends", 2, 10)
	if err != nil {
		return err
	}
	if !given || !givenEnds {
		return c.Fail("starts or ends is missing")
	}
	axes, given, err := listArg(c, "axes", 3, 10)
	if err != nil {
		return err
	}
	if !given {
		axes = c.Longs(len(starts))
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	var steps []int64
	given = false
	if c.Node.Version >= 10 {
		if steps, given, err = hostInts(c, 4); err != nil {
			return err
		}
	}
	if !given {
		steps = c.Longs(len(starts))
		for i := range steps {
			steps[i] = 1
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return c.fail("there are % starts, % ends, % axes and % steps", nil, len(starts), len(ends), len(axes), len(steps))
	}
	list, _, err := axisList(c, axes, len(dims))
	if err != nil {
		return err
	}
	out, src, at := c.Clone(dims), rowMajor(c, dims), 0
	for i, axis := range list {
		n, step := int64(dims[axis]), steps[i]
		if step == 0 {
			return c.fail("the step of axis % is 0", nil, axis)
		}
		first, count := sliceRange(starts[i], ends[i], step, n)
		at += int(first) * src[axis]
		out[axis] = int(count)
		src[axis] *= int(max(min(step, n), -n)) // a longer one reaches no second element
	}
	if ir.Elements(out) == c.In(0).Len() && at == 0 {
		return view(c, out)
	}
	return stepStrided(c, out, out, src, at)
}

// sliceRange gives the first index and the number of indices of a slice, as
// NumPy counts them.
func sliceRange(start, end, step, n int64) (first, count int64) {
	lo, hi := int64(0), n
	if step < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(v, lo int64) int64 {
		if v < 0 {
			v += n // cannot overflow: v < 0 ≤ n
		}
		return min(max(v, lo), hi)
	}
	// A start before the beginning is the first element, backwards too; only an end may be before it.
	start, end = clamp(start, 0), clamp(end, lo)
	switch {
	case step > 0 && end > start:
		return start, (end-start-1)/step + 1
	case step < 0 && end < start:
		if step == math.MinInt64 {
			return start, 1
		}
		return start, (start-end-1)/-step + 1
	}
	return 0, 0
}

func expandRank(n *ir.Node, rank func(i int) int) int {
	in, want := rank(0), constLen(n, 1)
	if in < 0 || want < 0 {
		return -1
	}
	return max(in, want)
}

func planExpand(c *Call) error {
	want, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	out := c.Dims(max(len(dims), len(want)))
	for i := range out {
		out[i] = 1
	}
	copy(out[len(out)-len(dims):], dims)
	for i, w := range want {
		at := &out[len(out)-len(want)+i]
		switch {
		case w < 0 || w > dimLimit:
			return c.fail("the shape's element % is %", nil, i, int(w))
		case *at == 1:
			*at = int(w)
		case w != 1 && int(w) != *at:
			return c.Fail("dimensions ", dims, " do not broadcast to ", intsOf(want))
		}
	}
	if ir.Elements(out) == c.In(0).Len() {
		return view(c, out)
	}
	return stepStrided(c, out, out, broadcastSteps(c, out, dims), 0)
}

func planTile(c *Call) error {
	dims := c.In(0).Dims
	repeats, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if len(repeats) != len(dims) {
		return c.fail("there are % repeats for dimensions @", dims, len(repeats))
	}
	out, walk, src := c.Dims(len(dims)), c.Dims(2*len(dims)), c.Dims(2*len(dims))
	strides := rowMajor(c, dims)
	for i, r := range repeats {
		if r < 0 || r > dimLimit {
			return c.fail("repeat % is %", nil, i, int(r))
		}
		out[i] = dims[i] * int(r)
		walk[2*i], walk[2*i+1] = int(r), dims[i]
		src[2*i+1] = strides[i]
	}
	if ir.Elements(out) == c.In(0).Len() {
		return view(c, out)
	}
	return stepStrided(c, out, walk, src, 0)
}

// blockOf reads [N C H W] dimensions and the block size.
func blockOf(c *Call) (dims []int, b int, err error) {
	dims, size := c.In(0).Dims, c.Int("blocksize")
	if len(dims) != 4 {
		return nil, 0, c.fail("the input has dimensions @, want 4 of them", dims)
	}
	if size < 1 || size > 1<<15 {
		return nil, 0, c.fail("blocksize is %", nil, int(size))
	}
	return dims, int(size), nil
}

// planDepthToSpace: mode DCR reads the channels as [b, b, C/b²], CRD as
// [C/b², b, b].
func planDepthToSpace(c *Call) error {
	dims, b, err := blockOf(c)
	if err != nil {
		return err
	}
	n, ch, h, w := dims[0], dims[1]/(b*b), dims[2], dims[3]
	if ch*b*b != dims[1] {
		return c.fail("dimensions @ do not divide by blocksize %", dims, b)
	}
	plane := h * w
	colStep, rowStep, chStep := plane*ch, plane*ch*b, plane
	if c.Str("mode") == "CRD" {
		colStep, rowStep, chStep = plane, plane*b, plane*b*b
	}
	return stepStrided(c, c.Clone([]int{n, ch, h * b, w * b}),
		[]int{n, ch, h, b, w, b}, []int{dims[1] * plane, chStep, w, rowStep, 1, colStep}, 0)
}

func planSpaceToDepth(c *Call) error {
	dims, b, err := blockOf(c)
	if err != nil {
		return err
	}
	n, ch, h, w := dims[0], dims[1], dims[2]/b, dims[3]/b
	if h*b != dims[2] || w*b != dims[3] {
		return c.fail("dimensions @ do not divide by blocksize %", dims, b)
	}
	plane := dims[2] * dims[3]
	return stepStrided(c, c.Clone([]int{n, ch * b * b, h, w}),
		[]int{n, b, b, ch, h, w}, []int{ch * plane, dims[3], 1, plane, b * dims[3], b}, 0)
}

// fillTensor repeats value over dst.
func fillTensor(dst, value []byte) {
	for n := copy(dst, value); n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}
