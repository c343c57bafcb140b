//go:build !lean

package op

import (
	"errors"
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators on images and regions that few models have.

func init() { Register(rareSpatialRows) }

var rareSpatialRows = []Row{{
	Name: "CenterCropPad", Since: 18,
	In:    []In{{Name: "input_data", Types: storedTypes, Var: 'T'}, {Name: "shape", Types: indexTypes}},
	Out:   []Out{{Name: "output_data", Var: 'T'}},
	Attrs: []Attr{{Name: "axes", Kind: ir.AttrInts}},
	Rank:  sameRank,
	Plan:  planCenterCropPad,
}, {
	Name: "Col2Im", Since: 18,
	In:    []In{{Name: "input", Types: floatTypes, Var: 'T'}, {Name: "image_shape", Types: 1 << ir.Int64}, {Name: "block_shape", Types: 1 << ir.Int64}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{dilations, windowPads, strides},
	Plan:  planCol2Im,
}, {
	Name: "MaxUnpool", Since: 9, Changes: []int{11, 22},
	In:    []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "I", Types: 1 << ir.Int64}, {Name: "output_shape", Types: 1 << ir.Int64, Opt: true}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{kernelShape, windowPads, strides},
	Rank:  sameRank,
	Plan:  planMaxUnpool,
}, {
	Name: "MaxRoiPool", Since: 1, Changes: []int{22},
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "rois", Types: float32Only, Var: 'T'}}, Out: yOut,
	Attrs: []Attr{{Name: "pooled_shape", Kind: ir.AttrInts}, {Name: "spatial_scale", Kind: ir.AttrFloat, F: 1}},
	Rank:  imageRank,
	Plan:  planMaxRoiPool,
}, {
	Name: "DeformConv", Since: 19, Changes: []int{22},
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "offset", Types: float32Only, Var: 'T'},
		{Name: "B", Types: float32Only, Var: 'T', Opt: true}, {Name: "mask", Types: float32Only, Var: 'T', Opt: true}},
	Out:   yOut,
	Attrs: []Attr{dilations, group, kernelShape, {Name: "offset_group", Kind: ir.AttrInt, I: 1}, windowPads, strides},
	Rank:  imageRank, Limits: "over 2 dimensions only",
	Plan: planDeformConv,
}, {
	Name: "CropAndResize", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "rois", Types: float32Only, Var: 'T'}, {Name: "batch_indices", Types: 1 << ir.Int32},
		{Name: "crop_size", Types: 1 << ir.Int32}},
	Out: yOut,
	Attrs: []Attr{{Name: "extrapolation_value", Kind: ir.AttrFloat},
		{Name: "mode", Kind: ir.AttrString, S: "bilinear", Words: []string{"bilinear", "nearest"}}},
	Rank: imageRank,
	Plan: planCropAndResize,
}, {
	Name: "GridSample", Domain: microsoft, Since: 1,
	In: []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "Grid", Types: float32Only, Var: 'T'}}, Out: yOut, Rank: sameRank, Limits: gridLimits,
	Attrs: gridAttrs,
	Plan:  planGridSample,
}, {
	Name: "NhwcMaxPool", Domain: microsoft, Since: 1,
	In: []In{{Name: "x", Types: 1<<ir.Int8 | 1<<ir.Uint8, Var: 'T'}}, Out: []Out{{Name: "y", Var: 'T'}},
	Attrs: []Attr{autoPad, {Name: "ceil_mode", Kind: ir.AttrInt}, dilations, kernelShape, windowPads, strides},
	Rank:  sameRank,
	Plan:  planChannelsLastPool,
}, {
	Name: "FusedConv", Domain: microsoft, Since: 1,
	In:  []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "W", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T', Opt: true}, {Name: "Z", Types: float32Only, Var: 'T', Opt: true}},
	Out: convOut,
	Attrs: []Attr{autoPad, dilations, group, kernelShape, windowPads, strides,
		{Name: "activation", Kind: ir.AttrString, Words: []string{"", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid"}},
		{Name: "activation_params", Kind: ir.AttrFloats}},
	Rank: secondRank,
	Plan: planFusedConv,
}}

// planCenterCropPad crops or pads the axes alike on both sides; what is left over is
// behind.
func planCenterCropPad(c *Call) error {
	dims := c.In(0).Dims
	shape, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	axes, given := c.Ints("axes")
	if !given {
		axes = c.Longs(len(dims))
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	list, _, err := axisList(c, axes, len(dims))
	if err != nil {
		return err
	}
	if len(shape) != len(list) {
		return c.fail("shape has % elements for % axes", nil, len(shape), len(list))
	}
	out, before := c.Clone(dims), c.Dims(len(dims))
	for i, axis := range list {
		if shape[i] < 0 || shape[i] > dimLimit {
			return c.Fail("shape is ", intsOf(shape))
		}
		out[axis] = int(shape[i])
		if by := out[axis] - dims[axis]; by > 0 {
			before[axis] = by / 2
		} else {
			before[axis] = -(-by / 2)
		}
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	return padConstant(c, dims, out, before)
}

// planCol2Im adds columns of blocks to the images that they were taken from: [N C·k L]
// become [N C …].
func planCol2Im(c *Call) error {
	in := c.In(0)
	image, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	block, _, err := hostInts(c, 2)
	if err != nil {
		return err
	}
	spatial := len(image)
	if len(in.Dims) != 3 || spatial < 1 || len(block) != spatial {
		return c.Fail("the input has dimensions ", in.Dims, ", image_shape ", intsOf(image), ", block_shape ", intsOf(block))
	}
	out, kernel := c.Dims(2+spatial), c.Dims(spatial)
	taps := 1
	for i := range image {
		if image[i] < 1 || image[i] > dimLimit || block[i] < 1 || block[i] > windowLimit {
			return c.Fail("image_shape is ", intsOf(image), " and block_shape ", intsOf(block))
		}
		out[2+i], kernel[i] = int(image[i]), int(block[i])
		taps *= min(kernel[i], dimLimit/taps+1)
	}
	if taps > in.Dims[1] && in.Dims[1] > 0 || in.Dims[1]%taps != 0 {
		return c.fail("the % rows of columns are no multiple of the % elements of a block", nil, in.Dims[1], taps)
	}
	out[0], out[1] = in.Dims[0], in.Dims[1]/taps
	if err := checkDims(c, out); err != nil {
		return err
	}
	win, err := windowOf(c, out, kernel)
	if err != nil {
		return err
	}
	c.Out(0, in.Type, out...)
	s := Into[col2Im](c)
	oh, ow := win.OutSize(win.h, win.w)
	p := pooling{sliding: win, oh: oh, ow: ow}
	s.axes = p.axes(s.axes[:0])
	if n := s.axes.Places(); n != in.Dims[2] {
		return c.fail("there are % columns, want % for image_shape @ and these blocks", out[2:], in.Dims[2], n)
	}
	s.planes, s.columns = out[0]*out[1], in.Dims[2]
	s.wide.set(c, 1, in.Type, ir.Elements(out))
	return nil
}

type col2Im struct {
	axes            compute.Deep
	planes, columns int
	wide            wide[float64]
}

func (s *col2Im) Run(a *Args) {
	x, y := s.wide.in(a, 0), s.wide.out(a)
	clear(y)
	taps, size := s.axes.Kernel(), s.axes.Elements()
	for r := range s.planes * taps {
		plane := y[r/taps*size:][:size]
		for l, v := range x[r*s.columns:][:s.columns] {
			if at := s.place(r%taps, l); at >= 0 {
				plane[at] += v
			}
		}
	}
	s.wide.done(a)
}

// place is where an element of a block at a place lies in the image, −1 for nowhere.
func (s *col2Im) place(tap, place int) int {
	at, step := 0, 1
	for i := len(s.axes) - 1; i >= 0; i-- {
		a := &s.axes[i]
		v := place%a.Places*a.Stride + tap%a.Kernel*a.Dilation - a.Before
		if v < 0 || v >= a.Size {
			return -1
		}
		at += v * step
		place, tap, step = place/a.Places, tap/a.Kernel, step*a.Size
	}
	return at
}

// planMaxUnpool puts elements where MaxPool has found them. The places are of the size that
// follows from the window; where output_shape says another, at the same coordinates in it.
func planMaxUnpool(c *Call) error {
	x := c.In(0)
	spatial := len(x.Dims) - 2
	kernel, given := c.Ints("kernel_shape")
	if !given || spatial < 1 || len(kernel) != spatial {
		return c.Fail("kernel_shape ", intsOf(kernel), " does not fit dimensions ", x.Dims)
	}
	if !ir.SameDims(c.In(1).Dims, x.Dims) {
		return c.Fail("I has dimensions ", c.In(1).Dims, ", want ", x.Dims, " as x")
	}
	strides, err := windowAttr(c, "strides", spatial, 1, 1, 1)
	if err != nil {
		return err
	}
	pads, err := windowAttr(c, "pads", spatial, 2, 0, 0)
	if err != nil {
		return err
	}
	own := c.Clone(x.Dims)
	skip := max(spatial, 2) - spatial // of the lists, for lines
	for i, k := range kernel {
		if k < 1 || k > windowLimit {
			return c.fail("kernel_shape is @", intsOf(kernel))
		}
		own[2+i] = (x.Dims[2+i]-1)*strides[skip+i] + int(k) - pads[skip+i] - pads[2*skip+spatial+i]
	}
	if err := checkDims(c, own); err != nil {
		return err
	}
	out := own
	if list, given, err := hostInts(c, 2); err != nil {
		return err
	} else if given {
		if len(list) != len(x.Dims) || list[0] != int64(x.Dims[0]) || list[1] != int64(x.Dims[1]) {
			return c.Fail("output_shape is ", intsOf(list), " for x ", x.Dims)
		}
		out = intsOf(list)
		for i, n := range out {
			if n < own[i] {
				return c.Fail("output_shape is ", intsOf(list), ", smaller than ", own, ", which follows from the window")
			}
		}
		if err := checkDims(c, out); err != nil {
			return err
		}
	}
	c.Out(0, x.Type, out...)
	if c.Err != nil {
		return nil
	}
	s := Into[maxUnpool](c)
	s.own, s.out, s.count, s.size = append(s.own[:0], own...), append(s.out[:0], out...), ir.Elements(own), x.Type.Size()
	return nil
}

type maxUnpool struct {
	own, out    []int // sizes that places are counted in, and those of the output
	count, size int   // elements of own, bytes of one
}

func (s *maxUnpool) Run(a *Args) {
	x, y := a.In[0].Data, a.Out[0].Data
	clear(y)
	for k, v := range a.In[1].Int64s() {
		if v < 0 || v >= int64(s.count) {
			panic(errors.New(text.Join("I[", k, "] is ", v, ", want one in [0, ", s.count-1, "]")))
		}
		at, rest, step := 0, int(v), 1
		for d := len(s.own) - 1; d >= 0; d-- {
			at += rest % s.own[d] * step
			rest /= s.own[d]
			step *= s.out[d]
		}
		copy(y[at*s.size:(at+1)*s.size], x[k*s.size:])
	}
}

// planMaxRoiPool takes the largest element of each bin of a region, whose corners are
// rounded.
func planMaxRoiPool(c *Call) error {
	x, count, err := regions(c, 5)
	if err != nil {
		return err
	}
	shape, _ := c.Ints("pooled_shape")
	if len(shape) != 2 || min(shape[0], shape[1]) < 1 || max(shape[0], shape[1]) > dimLimit {
		return c.Fail("pooled_shape is ", intsOf(shape), ", want 2 numbers of at least 1")
	}
	s, err := regionOut[maxRoiPool](c, x, count, int(shape[0]), int(shape[1]))
	if s != nil {
		*s = maxRoiPool{x: [4]int(x), oh: int(shape[0]), ow: int(shape[1]), count: count, scale: c.Float("spatial_scale")}
	}
	return err
}

// regionOut declares the output of operators that make oh×ow elements of each region; the
// step is nil where there is nothing to compute.
func regionOut[S any, P interface {
	*S
	Step
}](c *Call, x []int, count, oh, ow int) (P, error) {
	out := c.Dims(4)
	out[0], out[1], out[2], out[3] = count, x[1], oh, ow
	if err := checkDims(c, out); err != nil {
		return nil, err
	}
	c.Out(0, c.In(0).Type, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil, nil
	}
	if x[2]*x[3] == 0 {
		return nil, c.fail("there is nothing in @", x)
	}
	return Into[S, P](c), nil
}

type maxRoiPool struct {
	x             [4]int
	oh, ow, count int
	scale         float32
}

func (s *maxRoiPool) Run(a *Args) {
	x, rois, y := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
	channels, h, w := s.x[1], s.x[2], s.x[3]
	for r := range s.count {
		roi := rois[5*r:][:5]
		if !(roi[0] >= 0 && roi[0] < float32(s.x[0])) {
			panic(errors.New(text.Join("region ", r, " is of image ", roi[0], ", but there are ", s.x[0])))
		}
		edge := func(i int) float64 {
			v := math.Round(float64(roi[i] * s.scale))
			if v != v {
				v = 0
			}
			return min(max(v, -dimLimit), dimLimit)
		}
		left, top := edge(1), edge(2)
		bh, bw := max(edge(4)-top+1, 1)/float64(s.oh), max(edge(3)-left+1, 1)/float64(s.ow)
		for bin := range s.oh * s.ow {
			y0, y1 := binEdges(top, bh, bin/s.ow, h)
			x0, x1 := binEdges(left, bw, bin%s.ow, w)
			for c := range channels {
				plane := x[(int(roi[0])*channels+c)*h*w:][:h*w]
				best := float32(0) // of an empty bin
				for i := y0; i < y1; i++ {
					for j := x0; j < x1; j++ {
						if v := plane[i*w+j]; i == y0 && j == x0 || v > best {
							best = v
						}
					}
				}
				y[(r*channels+c)*s.oh*s.ow+bin] = best
			}
		}
	}
}

// binEdges are the elements of a bin, of n.
func binEdges(start, size float64, bin, n int) (from, to int) {
	at := func(v float64) int { return int(min(max(v+start, 0), float64(n))) }
	return at(math.Floor(float64(bin) * size)), at(math.Ceil(float64(bin+1) * size))
}

// planCropAndResize reads regions, whose corners are from 0 to 1, at so many rows and
// columns.
func planCropAndResize(c *Call) error {
	x, count, err := regions(c, 4)
	if err != nil {
		return err
	}
	if b := c.In(2).Dims; len(b) != 1 || b[0] != count {
		return c.fail("batch_indices have dimensions @, want [%]", b, count)
	}
	size, _, err := hostInts(c, 3)
	if err != nil {
		return err
	}
	if len(size) != 2 || min(size[0], size[1]) < 1 {
		return c.Fail("crop_size is ", intsOf(size), ", want 2 numbers of at least 1")
	}
	s, err := regionOut[cropAndResize](c, x, count, int(size[0]), int(size[1]))
	if s != nil {
		*s = cropAndResize{x: [4]int(x), oh: int(size[0]), ow: int(size[1]), value: c.Float("extrapolation_value"), nearest: c.Str("mode") == "nearest"}
	}
	return err
}

type cropAndResize struct {
	x       [4]int
	oh, ow  int
	value   float32
	nearest bool
}

func (s *cropAndResize) Run(a *Args) {
	x, rois, y := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
	channels, h, w := s.x[1], s.x[2], s.x[3]
	for r, image := range a.In[2].Int32s() {
		if image < 0 || int(image) >= s.x[0] {
			panic(errors.New(text.Join("batch_indices[", r, "] is ", image, ", but there are ", s.x[0], " images")))
		}
		roi := rois[4*r:][:4]
		for bin := range s.oh * s.ow {
			v := cropPlace(roi[0], roi[2], bin/s.ow, s.oh, h)
			u := cropPlace(roi[1], roi[3], bin%s.ow, s.ow, w)
			inside := v >= 0 && v <= float64(h-1) && u >= 0 && u <= float64(w-1)
			for c := range channels {
				out := s.value
				if inside {
					out = s.read(x[(int(image)*channels+c)*h*w:], v, u)
				}
				y[(r*channels+c)*s.oh*s.ow+bin] = out
			}
		}
	}
}

func (s *cropAndResize) read(plane []float32, v, u float64) float32 {
	h, w := s.x[2], s.x[3]
	if s.nearest {
		return plane[int(math.Round(v))*w+int(math.Round(u))]
	}
	r0, r1, fr := between(v, h)
	c0, c1, fc := between(u, w)
	row := func(i int) float64 {
		left, right := float64(plane[i*w+c0]), float64(plane[i*w+c1])
		return left + float64((right-left)*fc)
	}
	top := row(r0)
	return float32(top + float64((row(r1)-top)*fr))
}

// cropPlace is where row or column i of m lies among n, in float32 as onnxruntime has it.
func cropPlace(start, end float32, i, m, n int) float64 {
	last := float32(n - 1)
	switch {
	case m == 1:
		return float64(float32(0.5 * float64(start+end) * float64(last)))
	case i == 0:
		return float64(start * last)
	case i == m-1:
		return float64(end * last)
	}
	step := float32((end-start)*last) / float32(m-1)
	return float64(float32(start*last) + float32(float32(i)*step))
}

// planDeformConv: before a convolution's products the pixels are read at places that the
// offsets move.
func planDeformConv(c *Call) error {
	x, w := c.In(0).Dims, c.In(1).Dims
	if len(x) != 4 || len(w) != 4 {
		return c.Fail("x has dimensions ", x, " and the weights ", w, ", want 4 of them")
	}
	if k, ok := c.Ints("kernel_shape"); ok && !isList(k, w[2:]) {
		return c.Fail("kernel_shape is ", intsOf(k), ", but the weights have dimensions ", w)
	}
	groups, parts := c.Int("group"), c.Int("offset_group")
	if groups < 1 || groups > dimLimit || int64(w[0])%groups != 0 || int64(x[1]) != int64(w[1])*groups || parts < 1 || int64(x[1])%parts != 0 {
		return c.Fail("weights ", w, " with group ", groups, " and offset_group ", parts, " do not fit x ", x)
	}
	win, err := windowOf(c, x, w[2:])
	if err != nil {
		return err
	}
	if err := win.check(c, x[1]); err != nil {
		return err
	}
	oh, ow := win.OutSize(win.h, win.w)
	if oh*ow == 0 || ir.Elements(x[1:]) == 0 || w[2]*w[3] == 0 {
		return win.tooSmall(c)
	}
	taps := w[2] * w[3]
	for i, per := range [...]int{2: 2, 4: 1} {
		if per == 0 || c.In(i) == nil {
			continue
		}
		want := []int{x[0], int(parts) * taps * per, oh, ow}
		if !ir.SameDims(c.In(i).Dims, want) {
			return c.Fail(c.Row.In[i].Name, " has dimensions ", c.In(i).Dims, ", want ", want)
		}
	}
	if b := c.In(3); b != nil && (len(b.Dims) != 1 || b.Dims[0] != w[0]) {
		return c.fail("the bias has dimensions @, want [%]", b.Dims, w[0])
	}
	c.Out(0, ir.Float32, win.dims(c, x[0], w[0], oh, ow)...)
	if c.Err != nil || x[0]*w[0] == 0 {
		c.Step = nothing{}
		return nil
	}
	if 4*float64(x[1])*float64(taps)*float64(oh*ow) > float64(c.maxBytes) {
		return c.Fail("the columns of ", x[1], " channels, ", taps, " elements of the window and ", oh*ow, " places are more than the session's limit of ", c.maxBytes, " bytes has room for")
	}
	s := Into[deformConv](c)
	*s = deformConv{win: win.Window, images: x[0], channels: x[1], h: x[2], w: x[3], oh: oh, ow: ow, outs: w[0], groups: int(groups), parts: int(parts),
		columns: x[1] * taps * oh * ow}
	g := s.gemm()
	c.Scratch(4 * (s.columns + g.ScratchLen()))
	return nil
}

type deformConv struct {
	win                    compute.Window
	images, channels, h, w int
	oh, ow                 int
	outs, groups, parts    int
	columns                int // float32 of scratch before that of the product
}

func (s *deformConv) gemm() compute.Gemm {
	return compute.Gemm{M: s.outs / s.groups, N: s.oh * s.ow, K: s.channels / s.groups * s.win.KernelH * s.win.KernelW}
}

func (s *deformConv) Run(a *Args) {
	x, weights, y := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
	bias := optional(a, 3)
	scratch := slab.View[float32](a.Scratch)
	columns, rest := scratch[:s.columns], scratch[s.columns:]
	for i := range s.images {
		s.gather(columns, x[i*s.channels*s.h*s.w:], a.In[2].Float32s(), optional(a, 4), i)
		g := s.gemm()
		for k := range s.groups {
			if bias != nil {
				g.Start, g.Bias = compute.FromRow, bias[k*g.M:]
			}
			g.Run(y[(i*s.groups+k)*g.M*g.N:][:g.M*g.N], weights[k*g.M*g.K:][:g.M*g.K], columns[k*g.K*g.N:][:g.K*g.N], rest)
		}
	}
}

// gather reads the pixels of an image: [channels taps places].
func (s *deformConv) gather(columns, x, offsets, mask []float32, image int) {
	places, taps, each := s.oh*s.ow, s.win.KernelH*s.win.KernelW, s.channels/s.parts
	for r := range s.parts * taps {
		part, tap := r/taps, r%taps
		at := (image*s.parts*taps + r) * 2 * places
		for p := range places {
			v := float64(p/s.ow*s.win.StrideH-s.win.PadTop+tap/s.win.KernelW*s.win.DilationH) + float64(offsets[at+p])
			u := float64(p%s.ow*s.win.StrideW-s.win.PadLeft+tap%s.win.KernelW*s.win.DilationW) + float64(offsets[at+places+p])
			m := 1.0
			if mask != nil {
				m = float64(mask[at/2+p])
			}
			for c := part * each; c < (part+1)*each; c++ {
				columns[(c*taps+tap)*places+p] = float32(m * s.read(x[c*s.h*s.w:][:s.h*s.w], v, u))
			}
		}
	}
}

// read interpolates between four pixels; outside all is 0.
func (s *deformConv) read(plane []float32, v, u float64) float64 {
	if !(v > -1 && u > -1 && v < float64(s.h) && u < float64(s.w)) {
		return 0
	}
	top, left := math.Floor(v), math.Floor(u)
	fv, fu := v-top, u-left
	sum := 0.0
	for k, weight := range [4]float64{(1 - fv) * (1 - fu), (1 - fv) * fu, fv * (1 - fu), fv * fu} {
		if i, j := int(top)+k/2, int(left)+k%2; i >= 0 && i < s.h && j >= 0 && j < s.w {
			sum += float64(weight * float64(plane[i*s.w+j]))
		}
	}
	return sum
}

// planChannelsLastPool is MaxPool of images whose channels are last.
func planChannelsLastPool(c *Call) error {
	in := c.In(0)
	n := len(in.Dims)
	if n < 3 {
		return c.fail("x has dimensions @, want at least 3 of them", in.Dims)
	}
	first := c.Clone(in.Dims) // channels first
	first[1] = in.Dims[n-1]
	copy(first[2:], in.Dims[1:])
	p, err := poolOf(c, first, false)
	if err != nil {
		return err
	}
	out := p.dims(c, first[0], first[1], p.oh, p.ow)
	last := c.Clone(out)
	copy(last[1:], out[2:])
	last[n-1] = out[1]
	c.Out(0, in.Type, last...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[channelsLastPool](c)
	s.pool = compute.AnyPool{Kind: compute.PoolMax, Axes: p.axes(s.pool.Axes[:0])}
	s.images, s.channels = first[0], first[1]
	s.n, s.m = ir.Elements(first), ir.Elements(out)
	s.load, s.store = loadFloats(in.Type), storeFloats(in.Type)
	c.Scratch(8 * 2 * (s.n + s.m))
	return nil
}

type channelsLastPool struct {
	pool             compute.AnyPool
	images, channels int
	n, m             int // elements of the input, and of the output
	load             func(dst []float64, src []byte)
	store            func(dst []byte, src []float64)
}

func (s *channelsLastPool) Run(a *Args) {
	x, turned := scratchOf[float64](a, 0, s.n), scratchOf[float64](a, 8*s.n, s.n)
	y, back := scratchOf[float64](a, 16*s.n, s.m), scratchOf[float64](a, 16*s.n+8*s.m, s.m)
	s.load(x, a.In[0].Data)
	swap(turned, x, s.images, s.n/s.images/s.channels, s.channels)
	s.pool.Run(y, nil, turned, s.images*s.channels)
	swap(back, y, s.images, s.channels, s.m/s.images/s.channels)
	s.store(a.Out[0].Data, back)
}

// swap transposes count matrices.
func swap(y, x []float64, count, rows, cols int) {
	for i := range count * rows * cols {
		at := i / (rows * cols) * rows * cols
		k := i - at
		y[at+k%cols*rows+k/cols] = x[i]
	}
}

// planFusedConv: y = activation(conv(x) + z).
func planFusedConv(c *Call) error {
	s, ok := c.former.(*fusedConv)
	if ok {
		c.former = s.first
	} else {
		s = &fusedConv{}
	}
	var p []float32
	if a := c.Node.Attrs["activation_params"]; a != nil {
		p = a.Floats
	}
	act, want := c.Str("activation"), 0
	switch act {
	case "LeakyRelu":
		want = 1
	case "Clip", "HardSigmoid":
		want = 2
	}
	if len(p) < want {
		return c.Fail("activation ", act, " has ", len(p), " parameters, want ", want)
	}
	if err := planConv(c); err != nil {
		return err
	}
	z := c.In(3)
	if z != nil && !ir.SameDims(z.Dims, c.Outs[0].Dims) {
		return c.Fail("Z has dimensions ", z.Dims, ", want ", c.Outs[0].Dims, " as the result")
	}
	s.first, s.z, s.f = c.Step, z != nil, nil
	switch act {
	case "Relu":
		s.f = compute.Relu
	case "Tanh":
		s.f = compute.Tanh
	case "Sigmoid":
		s.f = compute.Sigmoid
	case "LeakyRelu":
		s.f = func(y, x []float32) { compute.LeakyRelu(y, x, p[0]) }
	case "Clip":
		s.f = func(y, x []float32) { compute.Clip(y, x, p[0], p[1]) }
	case "HardSigmoid":
		s.f = func(y, x []float32) { compute.HardSigmoid(y, x, p[0], p[1]) }
	}
	c.Step = s
	return nil
}

type fusedConv struct {
	first Step
	z     bool
	f     func(y, x []float32) // or nil
}

func (s *fusedConv) Run(a *Args) {
	s.first.Run(a)
	y := a.Out[0].Float32s()
	if s.z {
		compute.Add(y, y, 0, 1, a.In[3].Float32s(), 0, 1, 1, len(y))
	}
	if s.f != nil {
		s.f(y, y)
	}
}
