package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(resizeRows) }

var resizeRows = []Row{{
	Name: "Resize", Since: 10, Changes: []int{11, 13, 18, 19},
	// Before opset 11 input 1 is what scales is now.
	In: []In{{Name: "X", Types: storedTypes, Var: 'T'}, {Name: "roi", Types: floatTypes | 1<<ir.Float16, Opt: true},
		{Name: "scales", Types: float32Only, Opt: true, Since: 11}, {Name: "sizes", Types: intTypes, Opt: true, Since: 11}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "antialias", Kind: ir.AttrInt, Since: 18}, {Name: "axes", Kind: ir.AttrInts, Since: 18},
		{Name: "coordinate_transformation_mode", Kind: ir.AttrString, S: "half_pixel", Words: []string{"half_pixel", "half_pixel_symmetric",
			"pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}, Since: 11},
		{Name: "cubic_coeff_a", Kind: ir.AttrFloat, F: -0.75, Since: 11}, {Name: "exclude_outside", Kind: ir.AttrInt, Since: 11},
		{Name: "extrapolation_value", Kind: ir.AttrFloat, Since: 11},
		{Name: "keep_aspect_ratio_policy", Kind: ir.AttrString, S: "stretch", Words: []string{"stretch", "not_larger", "not_smaller"}, Since: 18},
		{Name: "mode", Kind: ir.AttrString, S: "nearest", Words: []string{"nearest", "linear", "cubic"}},
		{Name: "nearest_mode", Kind: ir.AttrString, S: "round_prefer_floor", Words: []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, Since: 11}},
	Rank: sameRank, Check: checkResize,
	Limits: "modes linear and cubic for numbers only",
	Plan:   planResize,
}, {
	Name: "Upsample", Since: 1, Changes: []int{7, 9},
	In:  []In{{Name: "X", Types: storedTypes, Var: 'T'}, {Name: "scales", Types: float32Only, Since: 9}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "mode", Kind: ir.AttrString, S: "nearest", Words: []string{"nearest", "linear"}},
		{Name: "scales", Kind: ir.AttrFloats, Till: 8}},
	Rank: sameRank, Check: checkResize, Limits: "mode linear for numbers only",
	Plan: planResize,
}}

// resizedTypes are those that can be interpolated.
const resizedTypes = numberTypes | halfTypes

func checkResize(n *ir.Node) string {
	mode := n.Str("mode", "nearest")
	if v := n.In(0); v != nil && v.Type != ir.Undefined && !resizedTypes.Has(v.Type) && mode != "nearest" {
		return "type " + v.Type.String()
	}
	switch {
	case mode == "cubic" && n.Version < 11:
		return "mode=cubic"
	case mode == "nearest" && n.Int("antialias", 0) != 0:
		return "antialias=1 of mode nearest"
	}
	return ""
}

// resizing is how an output is made from its input.
type resizing struct {
	mode string // nearest, linear or cubic
	// coordinates says where in the input an output element lies; by default as in
	// Upsample and the first Resize.
	coordinates string
	nearest     string // how that is rounded, for mode nearest; "" is up where the axis shrinks, else down, as in the first Resize
	antialias   bool   // what shrinks is averaged over more elements
	axes        []resizedAxis
}

// resizedAxis is what is known of an axis.
type resizedAxis struct {
	in, out    int
	scale      float64
	start, end float64 // the region of interest
}

// resizingOf reads what is wanted of input 0.
func resizingOf(c *Call) (r resizing, err error) {
	r = resizing{mode: c.Str("mode"), coordinates: "asymmetric"}
	if c.Row.Name == "Resize" && c.Node.Version >= 11 {
		r.coordinates, r.nearest = c.Str("coordinate_transformation_mode"), c.Str("nearest_mode")
	}
	if r.mode != "nearest" {
		if err := need(c, 0, resizedTypes); err != nil {
			return r, err
		}
	}
	r.antialias = c.Row.Name == "Resize" && c.Int("antialias") != 0
	err = r.size(c)
	return r, err
}

// planResize interpolates along one axis after the other.
func planResize(c *Call) error {
	r, err := resizingOf(c)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	out := c.Dims(len(dims))
	for i := range out {
		out[i] = r.axes[i].out
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if ir.Elements(dims) == 0 {
		return c.Fail("there is nothing in ", dims, " to make ", out, " of")
	}
	if r.mode == "nearest" {
		return resizeNearest(c, &r)
	}
	stepPasses(c, &r, dims, out)
	return nil
}

// stepPasses sets the step that makes an output of these dimensions of input 0.
func stepPasses(c *Call, r *resizing, dims, out []int) {
	s := Into[resize](c)
	passes, now := s.passes[:0], c.Clone(dims)
	s.largest = 0
	for axis := range dims {
		if len(passes) < cap(passes) {
			passes = passes[:len(passes)+1] // with the lists of the plan before
		} else {
			passes = append(passes, resizePass{})
		}
		last := len(passes) - 1
		changed := passes[last].set(c, r, axis, now)
		now[axis] = out[axis]
		if !changed {
			passes = passes[:last]
			continue
		}
		s.largest = max(s.largest, ir.Elements(now))
	}
	s.passes = passes
	t := c.In(0).Type
	s.size, s.limits, s.rounds = 4, limitsOf(t), r.antialias
	if s.own = t == ir.Float32; !s.own {
		s.size = 8
		s.wide.set(c, 1, t, ir.Elements(out))
	}
	s.at = c.Bytes
	if len(passes) > 1 {
		c.Scratch(s.at + 2*s.size*s.largest)
	}
}

// limitsOf is the least and the greatest number of an integer type; of others there are none.
func limitsOf(t ir.DType) [2]float64 {
	if !intTypes.Has(t) {
		return [2]float64{}
	}
	bits := t.Bits()
	switch t {
	case ir.Uint8, ir.Uint16, ir.Uint32, ir.Uint64:
		return [2]float64{0, math.Ldexp(1, bits) - 1}
	}
	return [2]float64{-math.Ldexp(1, bits-1), math.Ldexp(1, bits-1) - 1}
}

// resize interpolates pass by pass: float32 in its own type, others in float64.
type resize struct {
	passes  []resizePass
	largest int  // elements between two passes
	own     bool // float32
	size    int  // bytes of an element in between
	at      int  // bytes of scratch before what is in between
	wide    wide[float64]
	limits  [2]float64 // of an integer type; 0 and 0 for others
	rounds  bool       // to the nearest integer, else towards 0, as onnxruntime does
}

func (s *resize) Run(a *Args) {
	if s.own {
		runPasses(s, a, a.Out[0].Float32s(), a.In[0].Float32s(), (*resizePass).run)
		return
	}
	y := s.wide.out(a)
	runPasses(s, a, y, s.wide.in(a, 0), (*resizePass).runWide)
	if s.limits[1] != 0 {
		for i, v := range y {
			whole := math.Round(v)
			if !s.rounds && math.Abs(v-whole) > 1e-6*max(1, math.Abs(v)) { // else it is whole, but for rounding
				whole = math.Trunc(v)
			}
			y[i] = min(max(whole, s.limits[0]), s.limits[1])
		}
	}
	s.wide.done(a)
}

func runPasses[T slab.Elem](s *resize, a *Args, y, x []T, run func(p *resizePass, y, x []T)) {
	if len(s.passes) == 0 {
		copy(y, x)
	}
	for i := range s.passes {
		to := y
		if i < len(s.passes)-1 {
			to = slab.View[T](a.Scratch[s.at+i%2*s.size*s.largest:][:s.size*s.largest])
		}
		run(&s.passes[i], to, x)
		x = to
	}
}

// size reads the sizes or scales: Upsample's scales are an attribute up to opset 8,
// else input 1; Resize has roi, scales and sizes, before opset 11 only scales.
func (r *resizing) size(c *Call) error {
	dims := c.In(0).Dims
	rank := len(dims)
	axes := c.Dims(rank)
	for i := range axes {
		axes[i] = i
	}
	if list, given := c.Ints("axes"); given {
		if _, err := axesOf(c, list, rank); err != nil {
			return err
		}
		axes = axes[:0]
		for _, a := range list {
			axis, _ := axisOf(c, a, rank)
			axes = append(axes, axis)
		}
	}
	r.axes = make([]resizedAxis, rank)
	for i, n := range dims {
		r.axes[i] = resizedAxis{in: n, out: n, scale: 1, end: 1}
	}
	var scales []float32
	var sizes []int64
	var err error
	switch resize := c.Row.Name == "Resize"; {
	case resize && c.Node.Version >= 11:
		if scales, err = hostFloats(c, 2); err != nil {
			return err
		}
		if sizes, _, err = hostInts(c, 3); err != nil {
			return err
		}
		if r.coordinates == "tf_crop_and_resize" {
			roi, err := hostFloats(c, 1)
			if err != nil {
				return err
			}
			if len(roi) != 2*len(axes) {
				return c.fail("roi has % elements for % axes", nil, len(roi), len(axes))
			}
			for i, axis := range axes {
				r.axes[axis].start, r.axes[axis].end = float64(roi[i]), float64(roi[i+len(axes)])
			}
		}
	case resize || c.Node.Version >= 9:
		if scales, err = hostFloats(c, 1); err != nil {
			return err
		}
	default:
		if a := c.Node.Attrs["scales"]; a != nil {
			scales = a.Floats
		}
	}
	switch {
	case len(sizes) > 0:
		if len(sizes) != len(axes) {
			return c.fail("there are % sizes for % axes", nil, len(sizes), len(axes))
		}
		for i, axis := range axes {
			if sizes[i] < 0 || sizes[i] > dimLimit {
				return c.fail("size % is %", nil, i, int(sizes[i]))
			}
			r.axes[axis].out, r.axes[axis].scale = int(sizes[i]), float64(sizes[i])/float64(dims[axis])
		}
		if policy := c.Str("keep_aspect_ratio_policy"); policy != "stretch" {
			r.keepAspect(axes, policy == "not_larger")
		}
		return nil
	case len(scales) != len(axes):
		return c.fail("there are % scales for % axes", nil, len(scales), len(axes))
	}
	for i, axis := range axes {
		// In float32, as the reference runtime does: 10·0.7 is 7 then.
		size := float64(float32(scales[i] * float32(dims[axis])))
		if !(scales[i] > 0 && size <= dimLimit) {
			return c.Fail("scale ", i, " is ", scales[i], " for dimensions ", dims)
		}
		r.axes[axis].out, r.axes[axis].scale = int(math.Floor(size)), float64(scales[i])
	}
	return nil
}

// hostFloats reads input i, a list of floats that shapes depend on.
func hostFloats(c *Call, i int) ([]float32, error) {
	in := c.In(i)
	if in == nil {
		return nil, nil
	}
	t, err := c.Host(i)
	if err != nil {
		return nil, err
	}
	if in.Type == ir.Float32 {
		return t.Float32s(), nil
	}
	if !(floatTypes | halfTypes).Has(in.Type) {
		return nil, unsupported(c, "type ", in.Type.String())
	}
	wide, list := make([]float64, in.Len()), make([]float32, in.Len())
	loadFloats(in.Type)(wide, t.Data)
	for k, v := range wide {
		list[k] = float32(v)
	}
	return list, nil
}

// keepAspect gives the axes one scale: the smallest, or the largest, of those that the sizes
// ask for.
func (r *resizing) keepAspect(axes []int, smallest bool) {
	scale := float32(0)
	for i, axis := range axes {
		if s := float32(r.axes[axis].scale); i == 0 || (s < scale) == smallest {
			scale = s
		}
	}
	for _, axis := range axes {
		a := &r.axes[axis]
		a.scale, a.out = float64(scale), int(math.Round(float64(float32(scale*float32(a.in)))))
	}
}

// coordinate gives the place in the input, in elements, of output element j.
func (r *resizing) coordinate(axis, j int) float64 {
	a := &r.axes[axis]
	in, out := float64(a.in), float64(a.out)
	x, scale := float64(j), a.scale
	switch r.coordinates {
	case "half_pixel_symmetric":
		adjust := out / (scale * in)
		return in/2*(1-adjust) + (x+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if out <= 1 {
			return 0
		}
	case "align_corners":
		if out <= 1 || scale < 1 && scale*in == 1 {
			return 0
		}
		// An enlarged input ends where the output does, as in onnxruntime. The ONNX project's
		// cases of scales below 1 count the output before it is rounded down.
		if scale < 1 {
			out = scale * in
		}
		return x * (in - 1) / (out - 1)
	case "asymmetric":
		return x / scale
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / scale
	case "tf_crop_and_resize":
		if out <= 1 {
			return 0.5 * (a.start + a.end) * (in - 1)
		}
		return a.start*(in-1) + x*(a.end-a.start)*(in-1)/(out-1)
	}
	return (x+0.5)/scale - 0.5
}

// outside says that a coordinate takes the extrapolation value.
func (r *resizing) outside(axis int, x float64) bool {
	return r.coordinates == "tf_crop_and_resize" && (x < 0 || x > float64(r.axes[axis].in-1))
}

// nearestTo is the index of the element that is nearest to a coordinate.
func (r *resizing) nearestTo(axis int, x float64) int {
	i, nearest := 0.0, r.nearest
	if nearest == "" {
		nearest = "floor"
		if r.axes[axis].scale < 1 {
			nearest = "ceil"
		}
	}
	switch nearest {
	case "round_prefer_ceil":
		i = math.Floor(x + 0.5)
	case "floor":
		i = math.Floor(x)
	case "ceil":
		i = math.Ceil(x)
	default:
		i = math.Ceil(x - 0.5)
	}
	return int(min(max(i, 0), float64(r.axes[axis].in-1)))
}

// sourcesOf appends to list the elements that those of an axis of the output are copied from.
func (r *resizing) sourcesOf(list []int32, axis int) []int32 {
	for j := range r.axes[axis].out {
		list = append(list, int32(r.nearestTo(axis, r.coordinate(axis, j))))
	}
	return list
}

func resizeNearest(c *Call, r *resizing) error {
	dims := c.In(0).Dims
	steps, sources := rowMajor(c, dims), make([][]int, len(dims))
	var beyond [][]int
	for axis := range dims {
		sources[axis] = c.Dims(r.axes[axis].out)
		for j := range sources[axis] {
			x := r.coordinate(axis, j)
			if r.outside(axis, x) {
				if beyond == nil {
					beyond = make([][]int, len(dims))
				}
				beyond[axis] = append(beyond[axis], j)
			}
			sources[axis][j] = r.nearestTo(axis, x) * steps[axis]
		}
	}
	err := stepSources(c, sources)
	if beyond == nil || err != nil {
		return err
	}
	t := c.In(0).Type
	s := &cropped{inner: c.Step, beyond: beyond, dims: c.Outs[0].Dims, value: make([]byte, max(t.Size(), 1))}
	s.dims = append([]int(nil), s.dims...)
	storeFloats(t)(s.value, []float64{float64(c.Float("extrapolation_value"))})
	c.Step = s
	return nil
}

// cropped puts a value where a region of interest lies outside of the input.
type cropped struct {
	inner  Step
	beyond [][]int // the indices by axis
	dims   []int   // of the output
	value  []byte
}

func (s *cropped) Run(a *Args) {
	s.inner.Run(a)
	for axis, list := range s.beyond {
		n := ir.Elements(s.dims[axis+1:]) * len(s.value)
		for o := range ir.Elements(s.dims[:axis]) {
			for _, j := range list {
				fillTensor(a.Out[0].Data[(o*s.dims[axis]+j)*n:][:n], s.value)
			}
		}
	}
}

// resizePass interpolates one axis.
type resizePass struct {
	outer, n, m, inner int // n elements become m
	taps               int // for each
	index              []int32
	weight             []float32
	exact              []float64 // the weights, where the elements are float64
	beyond             []bool    // takes value; empty when none does
	value              float32
}

// set makes p the pass of an axis, and says whether that changes anything.
func (p *resizePass) set(c *Call, r *resizing, axis int, now []int) bool {
	n, m := now[axis], r.axes[axis].out
	p.outer, p.n, p.m, p.inner = ir.Elements(now[:axis]), n, m, ir.Elements(now[axis+1:])
	p.index, p.weight, p.exact, p.beyond, p.value = p.index[:0], p.weight[:0], p.exact[:0], p.beyond[:0], 0
	a, exclude := 0.0, false
	if c.Row.Name == "Resize" {
		a, exclude, p.value = float64(c.Float("cubic_coeff_a")), c.Int("exclude_outside") != 0, c.Float("extrapolation_value")
	}
	cubic := r.mode == "cubic"
	// So many elements before the one below the coordinate count, and taps in all.
	before, by := 0, 1.0
	p.taps = 2
	if cubic {
		before, p.taps = 1, 4
	}
	if scale := r.axes[axis].scale; r.antialias && scale < 1 {
		// The kernel is as much wider as the axis shrinks.
		by = scale
		before = int(math.Ceil(min(float64(p.taps/2)/scale, dimLimit)))
		p.taps = 2*before + 1
	}
	changed := n != m
	if float64(p.taps)*float64(m) > float64(c.maxBytes/16) {
		c.Err = c.fail("the % weights for each of % elements of axis % are more than the session's limit of % bytes has room for", nil, p.taps, m, axis, c.maxBytes)
		return true
	}
	var few [4]float64
	w := few[:min(p.taps, 4)]
	if p.taps > 4 {
		w = make([]float64, p.taps)
	}
	wide := c.In(0).Type != ir.Float32
	for j := range m {
		x := r.coordinate(axis, j)
		if r.outside(axis, x) {
			p.beyond = append(p.beyond, make([]bool, m-len(p.beyond))...)
			p.beyond[j] = true
		}
		if !(math.Abs(x) < dimLimit) {
			x = 0
		}
		changed = changed || x != float64(j)
		base := math.Floor(x)
		sum := 0.0
		for k := range w {
			i := int(base) - before + k
			d := math.Abs(x-float64(i)) * by
			if cubic {
				w[k] = compute.CubicWeight(d, a)
			} else {
				w[k] = max(1-d, 0)
			}
			if exclude && (i < 0 || i >= n) {
				w[k] = 0
			}
			sum += w[k]
		}
		if !exclude && by == 1 || sum == 0 {
			sum = 1
		}
		for k, v := range w {
			p.index = append(p.index, int32(min(max(int(base)-before+k, 0), n-1)))
			if wide {
				p.exact = append(p.exact, v/sum)
			} else {
				p.weight = append(p.weight, float32(v/sum))
			}
		}
	}
	return changed
}

func (p *resizePass) run(y, x []float32) {
	for o := range p.outer {
		for j := range p.m {
			to := y[(o*p.m+j)*p.inner:][:p.inner]
			if len(p.beyond) > 0 && p.beyond[j] {
				for q := range to {
					to[q] = p.value
				}
				continue
			}
			from := x[o*p.n*p.inner:]
			if p.inner == 1 {
				sum := float32(0)
				for k := j * p.taps; k < (j+1)*p.taps; k++ {
					sum += float32(p.weight[k] * from[p.index[k]])
				}
				to[0] = sum
				continue
			}
			for k := range p.taps {
				i, w := int(p.index[j*p.taps+k])*p.inner, p.weight[j*p.taps+k:]
				row := from[i : i+p.inner]
				if k == 0 {
					compute.Mul(to, row, 0, 1, w, 0, 0, 1, p.inner)
					continue
				}
				for q, v := range row {
					to[q] += float32(v * w[0])
				}
			}
		}
	}
}

// runWide is run in float64.
func (p *resizePass) runWide(y, x []float64) {
	for o := range p.outer {
		from := x[o*p.n*p.inner:]
		for j := range p.m {
			to := y[(o*p.m+j)*p.inner:][:p.inner]
			for q := range to {
				sum := 0.0
				for k := j * p.taps; k < (j+1)*p.taps; k++ {
					sum += float64(p.exact[k] * from[int(p.index[k])*p.inner+q])
				}
				if len(p.beyond) > 0 && p.beyond[j] {
					sum = float64(p.value)
				}
				to[q] = sum
			}
		}
	}
}
