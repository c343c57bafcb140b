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
		{Name: "keep_aspect_ratio_policy", Kind: ir.AttrString, S: "stretch", Words: []string{"stretch"}, Since: 18},
		{Name: "mode", Kind: ir.AttrString, S: "nearest", Words: []string{"nearest", "linear", "cubic"}},
		{Name: "nearest_mode", Kind: ir.AttrString, S: "round_prefer_floor", Words: []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, Since: 11}},
	Rank: sameRank, Check: checkResize,
	Limits: "modes linear and cubic for float32 only; without antialias; keep_aspect_ratio_policy=stretch only; " +
		"roi in float32 only, and for mode nearest within the input",
	Plan: planResize,
}, {
	Name: "Upsample", Since: 1, Changes: []int{7, 9},
	In:  []In{{Name: "X", Types: storedTypes, Var: 'T'}, {Name: "scales", Types: float32Only, Since: 9}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "mode", Kind: ir.AttrString, S: "nearest", Words: []string{"nearest", "linear"}},
		{Name: "scales", Kind: ir.AttrFloats, Till: 8}},
	Rank: sameRank, Check: checkResize, Limits: "mode linear for float32 only",
	Plan: planResize,
}}

func checkResize(n *ir.Node) string {
	mode := n.Str("mode", "nearest")
	if v := n.In(0); v != nil && v.Type != ir.Undefined && v.Type != ir.Float32 && mode != "nearest" {
		return "type " + v.Type.String()
	}
	if n.Int("antialias", 0) != 0 {
		return "antialias=1"
	}
	if mode == "cubic" && n.Version < 11 {
		return "mode=cubic"
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
	axes        []resizedAxis
}

// resizedAxis is what is known of an axis.
type resizedAxis struct {
	in, out    int
	scale      float64
	start, end float64 // the region of interest
}

// planResize interpolates along one axis after the other.
func planResize(c *Call) error {
	r := resizing{mode: c.Str("mode"), coordinates: "asymmetric"}
	if c.Row.Name == "Resize" && c.Node.Version >= 11 {
		r.coordinates, r.nearest = c.Str("coordinate_transformation_mode"), c.Str("nearest_mode")
	}
	if r.mode != "nearest" {
		if err := need(c, 0, float32Only); err != nil {
			return err
		}
	}
	if err := r.size(c); err != nil {
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
		changed := passes[last].set(c, &r, axis, now)
		now[axis] = out[axis]
		if !changed {
			passes = passes[:last]
			continue
		}
		s.largest = max(s.largest, ir.Elements(now))
	}
	s.passes = passes
	if len(passes) > 1 {
		c.Scratch(2 * 4 * s.largest)
	}
	return nil
}

// resize interpolates pass by pass.
type resize struct {
	passes  []resizePass
	largest int // elements between two passes
}

func (s *resize) Run(a *Args) {
	x, y := a.In[0].Float32s(), a.Out[0].Float32s()
	if len(s.passes) == 0 {
		copy(y, x)
	}
	for i := range s.passes {
		to := y
		if i < len(s.passes)-1 {
			to = slab.View[float32](a.Scratch[i%2*4*s.largest:][:4*s.largest])
		}
		s.passes[i].run(to, x)
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

// hostFloats reads input i, a list of float32 that shapes depend on.
func hostFloats(c *Call, i int) ([]float32, error) {
	in := c.In(i)
	if in == nil {
		return nil, nil
	}
	if in.Type != ir.Float32 {
		return nil, unsupported(c, "type ", in.Type.String())
	}
	t, err := c.Host(i)
	if err != nil {
		return nil, err
	}
	return t.Float32s(), nil
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

func resizeNearest(c *Call, r *resizing) error {
	dims := c.In(0).Dims
	steps, sources := rowMajor(c, dims), make([][]int, len(dims))
	for axis := range dims {
		sources[axis] = c.Dims(r.axes[axis].out)
		for j := range sources[axis] {
			x := r.coordinate(axis, j)
			if r.outside(axis, x) {
				return unsupported(c, "mode=nearest with a region of interest beyond the input")
			}
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
			sources[axis][j] = int(min(max(i, 0), float64(dims[axis]-1))) * steps[axis]
		}
	}
	return stepSources(c, sources)
}

// resizePass interpolates one axis.
type resizePass struct {
	outer, n, m, inner int // n elements become m
	taps               int // for each
	index              []int32
	weight             []float32
	beyond             []bool // takes value; empty when none does
	value              float32
}

// set makes p the pass of an axis, and says whether that changes anything.
func (p *resizePass) set(c *Call, r *resizing, axis int, now []int) bool {
	n, m := now[axis], r.axes[axis].out
	p.outer, p.n, p.m, p.inner = ir.Elements(now[:axis]), n, m, ir.Elements(now[axis+1:])
	p.index, p.weight, p.beyond, p.value = p.index[:0], p.weight[:0], p.beyond[:0], 0
	a, exclude := 0.0, false
	if c.Row.Name == "Resize" {
		a, exclude, p.value = float64(c.Float("cubic_coeff_a")), c.Int("exclude_outside") != 0, c.Float("extrapolation_value")
	}
	cubic := r.mode == "cubic"
	first := 0
	p.taps = 2
	if cubic {
		first, p.taps = -1, 4
	}
	changed := n != m
	var weights [4]float64
	w := weights[:p.taps]
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
			d := math.Abs(x - base - float64(first+k))
			if cubic {
				w[k] = cubicWeight(d, a)
			} else {
				w[k] = 1 - d
			}
			if i := int(base) + first + k; exclude && (i < 0 || i >= n) {
				w[k] = 0
			}
			sum += w[k]
		}
		if !exclude || sum == 0 {
			sum = 1
		}
		for k := range w {
			p.index = append(p.index, int32(min(max(int(base)+first+k, 0), n-1)))
			p.weight = append(p.weight, float32(w[k]/sum))
		}
	}
	return changed
}

// cubicWeight is the cubic convolution kernel at distance d (Keys, "Cubic
// convolution interpolation for digital image processing", 1981).
func cubicWeight(d, a float64) float64 {
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
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
