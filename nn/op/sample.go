//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that read images between their elements, and make grids for that.

var (
	gridIn    = []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "grid", Types: floatTypes, Var: 'S'}}
	paddings  = []string{"zeros", "border", "reflection"}
	gridAttrs = []Attr{{Name: "align_corners", Kind: ir.AttrInt},
		{Name: "mode", Kind: ir.AttrString, S: "linear", Words: []string{"linear", "bilinear", "nearest", "cubic", "bicubic"}},
		{Name: "padding_mode", Kind: ir.AttrString, S: "zeros", Words: paddings}}
)

func init() { Register(sampleRows) }

var sampleRows = []Row{{
	Name: "GridSample", Since: 16, Changes: []int{20, 22},
	In: gridIn, Out: yOut, Attrs: gridAttrs, Rank: sameRank, Limits: gridLimits,
	Plan: planGridSample,
}, {
	Name: "AffineGrid", Since: 20,
	In:    []In{{Name: "theta", Types: floatTypes, Var: 'T'}, {Name: "size", Types: 1 << ir.Int64}},
	Out:   []Out{{Name: "grid", Var: 'T'}},
	Attrs: []Attr{{Name: "align_corners", Kind: ir.AttrInt}},
	Rank:  secondLen,
	Plan:  planAffineGrid,
}}

const gridLimits = "over 1 to 3 dimensions, floats only"

// planGridSample: x is [N C …], the grid [N … n] for n dimensions.
func planGridSample(c *Call) error {
	x, grid := c.In(0), c.In(1)
	n := len(x.Dims) - 2
	if n < 1 || n > 3 {
		return c.fail("x has dimensions @, want 3 to 5 of them", x.Dims)
	}
	if len(grid.Dims) != n+2 || grid.Dims[0] != x.Dims[0] || grid.Dims[n+1] != n {
		return c.Fail("the grid has dimensions ", grid.Dims, ", want ", x.Dims[0], ", ", n, " sizes and ", n, " for x ", x.Dims)
	}
	out := c.Clone(x.Dims)
	copy(out[2:], grid.Dims[1:n+1])
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, x.Type, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if x.Len() == 0 {
		return c.fail("there is nothing in @ to sample", x.Dims)
	}
	s := Into[gridSample](c)
	*s = gridSample{images: x.Dims[0], channels: x.Dims[1], points: ir.Elements(out[2:]), wide: x.Type == ir.Float64,
		sampler: compute.Sampler{Corners: c.Int("align_corners") != 0, Single: grid.Type == ir.Float32, Dims: append(s.sampler.Dims[:0], x.Dims[2:]...)}}
	switch c.Str("mode") {
	case "nearest":
		s.sampler.Mode = compute.SampleNearest
	case "cubic", "bicubic":
		s.sampler.Mode = compute.SampleCubic
	}
	switch c.Str("padding_mode") {
	case "border":
		s.sampler.Padding = compute.SampleBorder
	case "reflection":
		s.sampler.Padding = compute.SampleReflect
	}
	return nil
}

type gridSample struct {
	sampler                  compute.Sampler
	images, channels, points int
	wide                     bool // x is float64
}

func (s *gridSample) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }
func (s *gridSample) Rows() int   { return s.images * s.points }

func (s *gridSample) RunRows(a *Args, from, to int) {
	n, size := len(s.sampler.Dims), ir.Elements(s.sampler.Dims)
	var point [3]float64
	var taps compute.SampleTaps
	for r := from; r < to; r++ {
		for i := range n {
			if s.sampler.Single {
				point[i] = float64(a.In[1].Float32s()[r*n+i])
			} else {
				point[i] = a.In[1].Float64s()[r*n+i]
			}
		}
		s.sampler.Taps(&taps, point[:n])
		image := r / s.points * s.channels
		at := image*s.points + r%s.points
		if s.wide {
			compute.Gather(a.Out[0].Float64s()[at:], s.points, a.In[0].Float64s()[image*size:], s.channels, size, &taps)
		} else {
			compute.Gather(a.Out[0].Float32s()[at:], s.points, a.In[0].Float32s()[image*size:], s.channels, size, &taps)
		}
	}
}

// planAffineGrid: theta is [N 2 3] for size [N C H W], [N 3 4] for [N C D H W].
func planAffineGrid(c *Call) error {
	size, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	n, theta := len(size)-2, c.In(0).Dims
	if n != 2 && n != 3 {
		return c.Fail("size is ", intsOf(size), ", want 4 or 5 numbers")
	}
	if len(theta) != 3 || int64(theta[0]) != size[0] || theta[1] != n || theta[2] != n+1 {
		return c.Fail("theta has dimensions ", theta, ", want ", []int{int(size[0]), n, n + 1}, " for size ", intsOf(size))
	}
	out := c.Dims(n + 2)
	out[0], out[n+1] = theta[0], n
	for i, v := range size[2:] {
		if v < 0 || v > dimLimit {
			return c.Fail("size is ", intsOf(size))
		}
		out[1+i] = int(v)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, out...)
	s := Into[affineGrid](c)
	s.images, s.corners, s.dims = theta[0], c.Int("align_corners") != 0, append(s.dims[:0], out[1:n+1]...)
	s.wide.set(c, 1, c.In(0).Type, ir.Elements(out))
	return nil
}

type affineGrid struct {
	images  int
	corners bool
	dims    []int
	wide    wide[float64]
}

func (s *affineGrid) Run(a *Args) {
	theta, y := s.wide.in(a, 0), s.wide.out(a)
	n := len(s.dims)
	points := ir.Elements(s.dims)
	var base [3]float64
	for i := range s.images * points {
		rest := i % points
		for d := n - 1; d >= 0; d-- {
			size := s.dims[d]
			base[n-1-d] = gridPlace(rest%size, size, s.corners)
			rest /= size
		}
		for r := range n {
			row := theta[(i/points*n+r)*(n+1):][:n+1]
			v := row[n]
			for k, w := range row[:n] {
				v += float64(w * base[k])
			}
			y[i*n+r] = v
		}
	}
	s.wide.done(a)
}

// gridPlace is the coordinate, from −1 to 1, of element i of size.
func gridPlace(i, size int, corners bool) float64 {
	if !corners {
		return (2*float64(i)+1)/float64(size) - 1
	}
	if size == 1 {
		return 1 // as onnxruntime has it; ONNX divides by 0
	}
	return 2*float64(i)/float64(size-1) - 1
}
