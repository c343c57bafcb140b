package graph

import (
	"math"

	"github.com/normwasm/normwasm/nn"
)

// Operators that move elements to other places, without looking at them.

func init() { enter(layouts) }

var layouts = []entry{
	{"Transpose", 1, "perm", nil, planTranspose},
	{"Slice", 1, "starts ends axes", nil, planSlice},
	{"Expand", 8, "", nil, planExpand},
	{"Tile", 6, "", nil, planTile},
	{"DepthToSpace", 1, "blocksize mode", checkDepthToSpace, planDepthToSpace},
	{"SpaceToDepth", 1, "blocksize", nil, planSpaceToDepth},
}

// stepStrided declares output 0 and the step that copies into it, in order, the
// elements of input 0 at offset at with the given strides.
func stepStrided(c *Call, out, walk, src []int, at int) error {
	if err := checkDims(c, out); err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	p := newStrided(t.Size(), walk, src, rowMajor(walk))
	p.srcAt = at
	c.Run(func(a *Args) { p.run(a.Out[0].Data, a.In[0].Data) })
	return nil
}

func planTranspose(c *Call) error {
	dims := c.In(0).Dims
	perm, given := c.Node.Ints("perm")
	if !given {
		for i := range dims {
			perm = append(perm, int64(len(dims)-1-i))
		}
	}
	if len(perm) != len(dims) {
		return c.Fail("perm ", intsOf(perm), " does not fit the dimensions ", dims)
	}
	if _, err := axesOf(c, perm, len(dims)); err != nil {
		return err
	}
	strides := rowMajor(dims)
	out, src := make([]int, len(dims)), make([]int, len(dims))
	moved, last := false, -1
	for i, a := range perm {
		axis, _ := axisOf(c, a, len(dims))
		out[i], src[i] = dims[axis], strides[axis]
		if dims[axis] != 1 {
			moved = moved || axis < last
			last = axis
		}
	}
	if !moved {
		return view(c, out) // only dimensions of 1 change places
	}
	if c.In(0).Type == Float32 && len(dims) <= 16 {
		axes := make([]int, len(perm))
		for i, a := range perm {
			axes[i], _ = axisOf(c, a, len(dims))
		}
		shape := cloneDims(dims)
		c.Out(0, Float32, out...)
		c.Run(func(a *Args) { nn.Transpose(a.Out[0].Float32s(), a.In[0].Float32s(), shape, axes) })
		return nil
	}
	return stepStrided(c, out, out, src, 0)
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
	axes, givenAxes, err := listArg(c, "axes", 3, 10)
	if err != nil {
		return err
	}
	if !givenAxes {
		for i := range starts {
			axes = append(axes, int64(i))
		}
	}
	var steps []int64
	if c.Node.Version >= 10 {
		if steps, _, err = hostInts(c, 4); err != nil {
			return err
		}
	}
	if steps == nil {
		steps = make([]int64, len(starts))
		for i := range steps {
			steps[i] = 1
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return c.Fail("there are ", len(starts), " starts, ", len(ends), " ends, ", len(axes), " axes and ", len(steps), " steps")
	}
	if _, err := axesOf(c, axes, len(dims)); err != nil {
		return err
	}
	out, src, at := cloneDims(dims), rowMajor(dims), 0
	for i, a := range axes {
		axis, _ := axisOf(c, a, len(dims))
		n, step := int64(dims[axis]), steps[i]
		if step == 0 {
			return c.Fail("the step of axis ", axis, " is 0")
		}
		first, count := sliceRange(starts[i], ends[i], step, n)
		at += int(first) * src[axis]
		out[axis] = int(count)
		src[axis] *= int(max(min(step, n), -n)) // a longer one reaches no second element
	}
	if Elements(out) == c.In(0).Len() && at == 0 {
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

func planExpand(c *Call) error {
	want, given, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if !given {
		return c.Fail("input 1, the shape, is missing")
	}
	dims := c.In(0).Dims
	out := make([]int, max(len(dims), len(want)))
	for i := range out {
		out[i] = 1
	}
	copy(out[len(out)-len(dims):], dims)
	for i, w := range want {
		at := &out[len(out)-len(want)+i]
		switch {
		case w < 0 || w > dimLimit:
			return c.Fail("the shape's element ", i, " is ", w)
		case *at == 1:
			*at = int(w)
		case w != 1 && int(w) != *at:
			return c.Fail("dimensions ", dims, " do not broadcast to ", intsOf(want))
		}
	}
	if Elements(out) == c.In(0).Len() {
		return view(c, out)
	}
	return stepStrided(c, out, out, broadcastSteps(out, dims), 0)
}

func planTile(c *Call) error {
	dims := c.In(0).Dims
	repeats, given, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if !given || len(repeats) != len(dims) {
		return c.Fail("there are ", len(repeats), " repeats for dimensions ", dims)
	}
	var out, walk, src []int
	strides := rowMajor(dims)
	for i, r := range repeats {
		if r < 0 || r > dimLimit {
			return c.Fail("repeat ", i, " is ", r)
		}
		out = append(out, dims[i]*int(r))
		walk = append(walk, int(r), dims[i])
		src = append(src, 0, strides[i])
	}
	if Elements(out) == c.In(0).Len() {
		return view(c, out)
	}
	return stepStrided(c, out, walk, src, 0)
}

func checkDepthToSpace(n *Node) string {
	if m := n.Str("mode", "DCR"); m != "DCR" && m != "CRD" {
		return "mode=" + m
	}
	return ""
}

// blocks reads [N C H W] dimensions and the block size.
func blocks(c *Call) (dims []int, b int, err error) {
	dims, size := c.In(0).Dims, c.Node.Int("blocksize", 0)
	if len(dims) != 4 {
		return nil, 0, c.Fail("the input has dimensions ", dims, ", want 4 of them")
	}
	if size < 1 || size > 1<<15 {
		return nil, 0, c.Fail("blocksize is ", size)
	}
	return dims, int(size), nil
}

// planDepthToSpace: mode DCR reads the channels as [b, b, C/b²], CRD as
// [C/b², b, b].
func planDepthToSpace(c *Call) error {
	dims, b, err := blocks(c)
	if err != nil {
		return err
	}
	n, ch, h, w := dims[0], dims[1]/(b*b), dims[2], dims[3]
	if ch*b*b != dims[1] {
		return c.Fail("dimensions ", dims, " do not divide by blocksize ", b)
	}
	plane := h * w
	colStep, rowStep, chStep := plane*ch, plane*ch*b, plane
	if c.Node.Str("mode", "DCR") == "CRD" {
		colStep, rowStep, chStep = plane, plane*b, plane*b*b
	}
	return stepStrided(c, []int{n, ch, h * b, w * b},
		[]int{n, ch, h, b, w, b}, []int{dims[1] * plane, chStep, w, rowStep, 1, colStep}, 0)
}

func planSpaceToDepth(c *Call) error {
	dims, b, err := blocks(c)
	if err != nil {
		return err
	}
	n, ch, h, w := dims[0], dims[1], dims[2]/b, dims[3]/b
	if h*b != dims[2] || w*b != dims[3] {
		return c.Fail("dimensions ", dims, " do not divide by blocksize ", b)
	}
	plane := dims[2] * dims[3]
	return stepStrided(c, []int{n, ch * b * b, h, w},
		[]int{n, b, b, ch, h, w}, []int{ch * plane, dims[3], 1, plane, b * dims[3], b}, 0)
}

// fillTensor repeats value over dst.
func fillTensor(dst, value []byte) {
	for n := copy(dst, value); n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}
