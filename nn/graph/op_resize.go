package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(resizes) }

var resizes = []entry{
	{"Resize", 10, "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value " +
		"keep_aspect_ratio_policy mode nearest_mode", checkResize, planResize},
	{"Upsample", 7, "mode scales", checkResize, planResize},
}

func checkResize(n *Node) string {
	if v := n.In(0); v != nil && v.Type != Undefined && v.Type != Float32 && n.Str("mode", "nearest") != "nearest" {
		return "type " + v.Type.String()
	}
	if n.Int("antialias", 0) != 0 {
		return "antialias=1"
	}
	if m := n.Str("mode", "nearest"); m != "nearest" && m != "linear" && m != "cubic" || m == "cubic" && n.Version < 11 {
		return "mode=" + m
	}
	switch m := n.Str("coordinate_transformation_mode", "half_pixel"); m {
	case "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize":
	default:
		return "coordinate_transformation_mode=" + m
	}
	switch m := n.Str("nearest_mode", "round_prefer_floor"); m {
	case "round_prefer_floor", "round_prefer_ceil", "floor", "ceil":
	default:
		return "nearest_mode=" + m
	}
	if m := n.Str("keep_aspect_ratio_policy", "stretch"); m != "stretch" {
		return "keep_aspect_ratio_policy=" + m
	}
	return ""
}

// resizing is what is known of the output's axes.
type resizing struct {
	out        []int
	scale      []float64
	start, end []float64 // the region of interest
}

// planResize interpolates along one axis after the other.
func planResize(c *Call) error {
	mode := c.Node.Str("mode", "nearest")
	var set types = storedTypes
	if mode != "nearest" {
		set = float32Only
	}
	if err := need(c, 0, set); err != nil {
		return err
	}
	r, err := resizingOf(c)
	if err != nil {
		return err
	}
	dims, t := c.In(0).Dims, c.In(0).Type
	if err := checkDims(c, r.out); err != nil {
		return err
	}
	c.Out(0, t, r.out...)
	if c.err != nil || Elements(r.out) == 0 {
		c.Run(func(*Args) {})
		return nil
	}
	if Elements(dims) == 0 {
		return c.Fail("there is nothing in ", dims, " to make ", r.out, " of")
	}
	if mode == "nearest" {
		return resizeNearest(c, r)
	}
	var passes []resizePass
	now, largest := cloneDims(dims), 0
	for axis := range dims {
		p := newResizePass(c, r, axis, now)
		now[axis] = r.out[axis]
		if p.taps == 0 {
			continue
		}
		passes = append(passes, p)
		largest = max(largest, Elements(now))
	}
	if len(passes) > 1 {
		c.Scratch(2 * 4 * largest)
	}
	c.Run(func(a *Args) {
		x, y := a.In[0].Float32s(), a.Out[0].Float32s()
		if len(passes) == 0 {
			copy(y, x)
		}
		for i := range passes {
			to := y
			if i < len(passes)-1 {
				to = slab.View[float32](a.Scratch[i%2*4*largest:][:4*largest])
			}
			passes[i].run(to, x)
			x = to
		}
	})
	return nil
}

// resizingOf reads the sizes or scales: Upsample's scales are an attribute up to
// opset 8, else input 1; Resize has roi, scales and sizes, before opset 11 only
// scales.
func resizingOf(c *Call) (r resizing, err error) {
	dims := c.In(0).Dims
	rank := len(dims)
	axes := make([]int, 0, rank)
	if list, given := c.Node.Ints("axes"); given {
		if _, err := axesOf(c, list, rank); err != nil {
			return r, err
		}
		for _, a := range list {
			axis, _ := axisOf(c, a, rank)
			axes = append(axes, axis)
		}
	} else {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	r.out, r.scale = cloneDims(dims), make([]float64, rank)
	r.start, r.end = make([]float64, rank), make([]float64, rank)
	for i := range rank {
		r.scale[i], r.end[i] = 1, 1
	}
	var scales []float32
	var sizes []int64
	resize := c.Node.Op == "Resize"
	switch {
	case resize && c.Node.Version >= 11:
		if scales, err = hostFloats(c, 2); err != nil {
			return r, err
		}
		if sizes, _, err = hostInts(c, 3); err != nil {
			return r, err
		}
		if c.Node.Str("coordinate_transformation_mode", "") == "tf_crop_and_resize" {
			roi, err := hostFloats(c, 1)
			if err != nil {
				return r, err
			}
			if len(roi) != 2*len(axes) {
				return r, c.Fail("roi has ", len(roi), " elements for ", len(axes), " axes")
			}
			for i, axis := range axes {
				r.start[axis], r.end[axis] = float64(roi[i]), float64(roi[i+len(axes)])
			}
		}
	case resize || c.Node.Version >= 9:
		if scales, err = hostFloats(c, 1); err != nil {
			return r, err
		}
	default:
		if a := c.Node.Attrs["scales"]; a != nil {
			scales = a.Floats
		}
	}
	switch {
	case len(sizes) > 0:
		if len(sizes) != len(axes) {
			return r, c.Fail("there are ", len(sizes), " sizes for ", len(axes), " axes")
		}
		for i, axis := range axes {
			if sizes[i] < 0 || sizes[i] > dimLimit {
				return r, c.Fail("size ", i, " is ", sizes[i])
			}
			r.out[axis], r.scale[axis] = int(sizes[i]), float64(sizes[i])/float64(dims[axis])
		}
		return r, nil
	case len(scales) != len(axes):
		return r, c.Fail("there are ", len(scales), " scales for ", len(axes), " axes")
	}
	for i, axis := range axes {
		// In float32, as the reference runtime does: 10·0.7 is 7 then.
		size := float64(float32(scales[i] * float32(dims[axis])))
		if !(scales[i] > 0 && size <= dimLimit) {
			return r, c.Fail("scale ", i, " is ", scales[i], " for dimensions ", dims)
		}
		r.out[axis], r.scale[axis] = int(math.Floor(size)), float64(scales[i])
	}
	return r, nil
}

// hostFloats reads input i, a list of float32 that shapes depend on.
func hostFloats(c *Call, i int) ([]float32, error) {
	in := c.In(i)
	if in == nil {
		return nil, nil
	}
	if in.Type != Float32 {
		return nil, unsupported(c, "type ", in.Type.String())
	}
	t, err := c.Host(i)
	if err != nil {
		return nil, err
	}
	return t.Float32s(), nil
}

// coordinate gives the place in the input, in elements, of output element j.
func (r *resizing) coordinate(c *Call, axis, j int) float64 {
	mode := c.Node.Str("coordinate_transformation_mode", "half_pixel")
	if c.Node.Op == "Upsample" || c.Node.Version < 11 {
		mode = "asymmetric"
	}
	in, out := float64(c.In(0).Dims[axis]), float64(r.out[axis])
	x, scale := float64(j), r.scale[axis]
	switch mode {
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
			return 0.5 * (r.start[axis] + r.end[axis]) * (in - 1)
		}
		return r.start[axis]*(in-1) + x*(r.end[axis]-r.start[axis])*(in-1)/(out-1)
	}
	return (x+0.5)/scale - 0.5
}

// outside says that a coordinate takes the extrapolation value.
func outside(c *Call, x float64, n int) bool {
	return c.Node.Str("coordinate_transformation_mode", "") == "tf_crop_and_resize" && (x < 0 || x > float64(n-1))
}

func resizeNearest(c *Call, r resizing) error {
	dims := c.In(0).Dims
	how := c.Node.Str("nearest_mode", "round_prefer_floor")
	if c.Node.Op == "Upsample" || c.Node.Version < 11 {
		how = "floor"
	}
	steps, sources := rowMajor(dims), make([][]int, len(dims))
	for axis, n := range r.out {
		for j := range n {
			x := r.coordinate(c, axis, j)
			if outside(c, x, dims[axis]) {
				return unsupported(c, "mode=nearest with a region of interest beyond the input")
			}
			i := 0.0
			switch how {
			case "round_prefer_ceil":
				i = math.Floor(x + 0.5)
			case "floor":
				i = math.Floor(x)
			case "ceil":
				i = math.Ceil(x)
			default:
				i = math.Ceil(x - 0.5)
			}
			sources[axis] = append(sources[axis], int(min(max(i, 0), float64(dims[axis]-1)))*steps[axis])
		}
	}
	return stepSources(c, sources)
}

// resizePass interpolates one axis.
type resizePass struct {
	outer, n, m, inner int // n elements become m
	taps               int // for each; 0 where nothing changes
	index              []int32
	weight             []float32
	beyond             []bool // takes value; nil when none does
	value              float32
}

func newResizePass(c *Call, r resizing, axis int, now []int) resizePass {
	n, m := now[axis], r.out[axis]
	p := resizePass{outer: Elements(now[:axis]), n: n, m: m, inner: Elements(now[axis+1:]), value: c.Node.Float("extrapolation_value", 0)}
	cubic := c.Node.Str("mode", "") == "cubic"
	first, taps := 0, 2
	if cubic {
		first, taps = -1, 4
	}
	changed := n != m
	a := float64(c.Node.Float("cubic_coeff_a", -0.75))
	exclude := c.Node.Int("exclude_outside", 0) != 0
	w := make([]float64, taps)
	for j := range m {
		x := r.coordinate(c, axis, j)
		if outside(c, x, n) {
			if p.beyond == nil {
				p.beyond = make([]bool, m)
			}
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
	if changed {
		p.taps = taps
	}
	return p
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
			if p.beyond != nil && p.beyond[j] {
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
					nn.Mul(to, row, 0, 1, w, 0, 0, 1, p.inner)
					continue
				}
				for q, v := range row {
					to[q] += float32(v * w[0])
				}
			}
		}
	}
}
