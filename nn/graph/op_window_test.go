package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// sliding is the geometry of a window over planes, as the definitions below
// read it.
type sliding struct {
	kernel, stride, dilation []int
	pads                     []int // before each axis, then behind each
}

func flat(dims int) sliding {
	s := sliding{pads: make([]int, 2*dims)}
	for range dims {
		s.kernel, s.stride, s.dilation = append(s.kernel, 3), append(s.stride, 1), append(s.dilation, 1)
	}
	return s
}

func (s sliding) attrs(kernel bool, kv ...any) map[string]*ir.Attr {
	m := attrs(kv...)
	wide := func(v []int) *ir.Attr {
		out := make([]int64, len(v))
		for i := range v {
			out[i] = int64(v[i])
		}
		return integers(out...)
	}
	m["strides"], m["dilations"], m["pads"] = wide(s.stride), wide(s.dilation), wide(s.pads)
	if kernel {
		m["kernel_shape"] = wide(s.kernel)
	}
	return m
}

// places is the number of places on each axis of planes of the given size.
func (s sliding) places(size []int, ceil bool) []int {
	out := make([]int, len(size))
	for i, n := range size {
		room := n + s.pads[i] + s.pads[i+len(size)] - (s.kernel[i]-1)*s.dilation[i] - 1
		out[i] = int(math.Floor(float64(room)/float64(s.stride[i]))) + 1
		if ceil {
			out[i] = int(math.Ceil(float64(room)/float64(s.stride[i]))) + 1
			if (out[i]-1)*s.stride[i] >= n+s.pads[i] {
				out[i]--
			}
		}
	}
	return out
}

// under calls f for each kernel element at a place: its row-major index, and
// where in the plane it lies, -1 for a pad and -2 beyond the pads.
func (s sliding) under(size, place []int, f func(k, at int)) {
	each(s.kernel, func(index []int, k int) {
		at := 0
		for i, n := range size {
			p := place[i]*s.stride[i] + index[i]*s.dilation[i] - s.pads[i]
			switch {
			case p < -s.pads[i] || p >= n+s.pads[i+len(size)]:
				at = -2
			case (p < 0 || p >= n) && at >= 0:
				at = -1
			case at >= 0:
				at = at*n + p
			}
		}
		f(k, at)
	})
}

func convolved(x, w, b *ir.Tensor, s sliding, groups int) (dims []int, y []float64) {
	size := x.Dims[2:]
	places := s.places(size, false)
	out, in := w.Dims[0], w.Dims[1]
	dims = append([]int{x.Dims[0], out}, places...)
	y = make([]float64, ir.Elements(dims))
	plane, taps := ir.Elements(size), ir.Elements(s.kernel)
	each(dims, func(i []int, k int) {
		g := i[1] / (out / groups)
		sum := 0.0
		if b != nil {
			sum = float64(b.Float32s()[i[1]])
		}
		for c := range in {
			s.under(size, i[2:], func(tap, at int) {
				if at >= 0 {
					sum += float64(w.Float32s()[(i[1]*in+c)*taps+tap]) * float64(x.Float32s()[(i[0]*x.Dims[1]+g*in+c)*plane+at])
				}
			})
		}
		y[k] = sum
	})
	return dims, y
}

var geometries = []sliding{
	{kernel: []int{1, 1}, stride: []int{1, 1}, dilation: []int{1, 1}, pads: []int{0, 0, 0, 0}},
	{kernel: []int{3, 3}, stride: []int{1, 1}, dilation: []int{1, 1}, pads: []int{1, 1, 1, 1}},
	{kernel: []int{3, 2}, stride: []int{2, 1}, dilation: []int{1, 1}, pads: []int{0, 1, 2, 0}},
	{kernel: []int{5, 3}, stride: []int{2, 2}, dilation: []int{1, 2}, pads: []int{2, 2, 2, 2}},
	{kernel: []int{2, 3}, stride: []int{3, 4}, dilation: []int{2, 1}, pads: []int{0, 0, 1, 3}},
	{kernel: []int{1, 1}, stride: []int{2, 2}, dilation: []int{1, 1}, pads: []int{0, 0, 0, 0}},
}

func TestConv(t *testing.T) {
	for _, g := range geometries {
		for _, groups := range [][3]int{{1, 3, 5}, {2, 4, 6}, {4, 4, 4}, {3, 3, 6}} {
			for _, bias := range []bool{false, true} {
				x := random(1, 2, groups[1], 9, 8)
				w := random(2, append([]int{groups[2], groups[1] / groups[0]}, g.kernel...)...)
				in := []*ir.Tensor{x, w}
				var b *ir.Tensor
				if bias {
					b = random(3, groups[2])
					in = append(in, b)
				}
				what := fmt.Sprint("Conv ", g, groups)
				y := node{op: "Conv", attrs: g.attrs(true, "group", integer(int64(groups[0]))), in: in}.run(t)[0]
				dims, want := convolved(x, w, b, g, groups[0])
				require.Equal(t, dims, y.Dims, what)
				near(t, want, y, 1e-5, what)
				for i, v := range want {
					want[i] = min(max(v, -0.5), 1)
				}
				a := g.attrs(false, "group", integer(int64(groups[0])))
				near(t, want, node{op: "Conv", attrs: a, in: in, then: &node{op: "Clip", in: []*ir.Tensor{f32(nil, -0.5), f32(nil, 1)}}}.run(t)[0], 1e-5, what)
			}
		}
	}
	// One dimension.
	g := sliding{kernel: []int{4}, stride: []int{3}, dilation: []int{2}, pads: []int{1, 2}}
	x, w := random(1, 2, 3, 20), random(2, 5, 3, 4)
	y := node{op: "Conv", attrs: g.attrs(false), in: []*ir.Tensor{x, w}}.run(t)[0]
	dims, want := convolved(x, w, nil, g, 1)
	require.Equal(t, dims, y.Dims)
	near(t, want, y, 1e-5, "1-D")
}

func TestConvPadding(t *testing.T) {
	x, w := random(1, 1, 2, 7, 8), random(2, 3, 2, 3, 4)
	for auto, g := range map[string]sliding{
		"VALID":      {kernel: []int{3, 4}, stride: []int{2, 3}, dilation: []int{1, 1}, pads: []int{0, 0, 0, 0}},
		"SAME_UPPER": {kernel: []int{3, 4}, stride: []int{2, 3}, dilation: []int{1, 1}, pads: []int{1, 1, 1, 1}},
		"SAME_LOWER": {kernel: []int{3, 4}, stride: []int{2, 2}, dilation: []int{1, 1}, pads: []int{1, 1, 1, 1}},
	} {
		a := g.attrs(false, "auto_pad", text(auto))
		delete(a, "pads")
		dims, want := convolved(x, w, nil, g, 1)
		y := node{op: "Conv", attrs: a, in: []*ir.Tensor{x, w}}.run(t)[0]
		require.Equal(t, dims, y.Dims, auto)
		near(t, want, y, 1e-5, auto)
	}
	// An odd pad goes behind for SAME_UPPER, before for SAME_LOWER.
	g := flat(2)
	g.kernel = []int{2, 4}
	w = random(2, 3, 2, 2, 4)
	for auto, pads := range map[string][]int{"SAME_UPPER": {0, 1, 1, 2}, "SAME_LOWER": {1, 2, 0, 1}} {
		g.pads = pads
		_, want := convolved(x, w, nil, g, 1)
		near(t, want, node{op: "Conv", attrs: attrs("auto_pad", text(auto)), in: []*ir.Tensor{x, w}}.run(t)[0], 1e-5, auto)
	}
}

func TestConvOfNothing(t *testing.T) {
	b := f32([]int{2}, 1, -2)
	y := node{op: "Conv", in: []*ir.Tensor{f32([]int{0, 1, 3, 3}), f32([]int{2, 1, 1, 1}), b}}.run(t)[0]
	require.Equal(t, []int{0, 2, 3, 3}, y.Dims)
	y = node{op: "Conv", in: []*ir.Tensor{f32([]int{1, 0, 1, 2}), f32([]int{2, 0, 1, 1}), b}, then: &node{op: "Relu"}}.run(t)[0]
	require.Equal(t, []float32{1, 1, 0, 0}, y.Float32s(), "no channels: the bias alone")
	y = node{op: "Conv", in: []*ir.Tensor{f32([]int{1, 1, 0, 2}), f32([]int{2, 1, 1, 1}), b}, attrs: attrs("pads", integers(1, 0, 0, 0))}.run(t)[0]
	require.Equal(t, []float32{1, 1, -2, -2}, y.Float32s(), "nothing but pads")
	_, err := node{op: "Conv", in: []*ir.Tensor{f32([]int{1, 1, 2, 4}), f32([]int{2, 1, 3, 3}), b}, attrs: attrs("pads", integers(0, 1, 0, 0))}.try()
	require.ErrorContains(t, err, "x [1 1 2 4] has planes of 2×5 with their pads, smaller than the window of 3×3")
	_, err = node{op: "Conv", in: []*ir.Tensor{f32([]int{1, 1, 2}), f32([]int{2, 1, 3})}}.try()
	require.ErrorContains(t, err, "x [1 1 2] has planes of 2 with their pads, smaller than the window of 3")
}

func TestConvRefuses(t *testing.T) {
	x, w := f32([]int{1, 2, 5, 5}), f32([]int{3, 2, 3, 3})
	for text, n := range map[string]node{
		"weights [3 2 3 3] with group 2 do not fit x [1 2 5 5]": {attrs: attrs("group", integer(2)), in: []*ir.Tensor{x, w}},
		"group is 0":                                                        {attrs: attrs("group", integer(0)), in: []*ir.Tensor{x, w}},
		"kernel_shape is [2 2], but the weights":                            {attrs: attrs("kernel_shape", integers(2, 2)), in: []*ir.Tensor{x, w}},
		"strides is [0 1], want numbers in [1, 1048576]":                    {attrs: attrs("strides", integers(0, 1)), in: []*ir.Tensor{x, w}},
		"pads is [1 1], want 4 numbers":                                     {attrs: attrs("pads", integers(1, 1)), in: []*ir.Tensor{x, w}},
		"pads is [-1 0 0 0]":                                                {attrs: attrs("pads", integers(-1, 0, 0, 0)), in: []*ir.Tensor{x, w}},
		"the bias has dimensions [2], want [3]":                             {in: []*ir.Tensor{x, w, f32([]int{2})}},
		"the padded planes of 2 channels of 5×5 are too large":              {attrs: attrs("pads", integers(1<<20, 1<<20, 0, 0)), in: []*ir.Tensor{x, w}},
		"x has dimensions [1 2 5] and the weights [3 2 3 3]":                {in: []*ir.Tensor{f32([]int{1, 2, 5}), w}},
		"planes of 1×2×2 with their pads, smaller than the window of 2×1×1": {in: []*ir.Tensor{f32([]int{1, 1, 1, 2, 2}), f32([]int{1, 1, 2, 1, 1})}},
		"the padded planes of 2 channels of 5×5×5 are too large":            {attrs: attrs("pads", integers(1<<10, 1<<10, 1<<10, 0, 0, 0)), in: []*ir.Tensor{f32([]int{1, 2, 5, 5, 5}), f32([]int{3, 2, 3, 3, 3})}},
		"Conv auto_pad=SAME":                                                {attrs: attrs("auto_pad", &ir.Attr{Kind: ir.AttrString, S: "SAME"}), in: []*ir.Tensor{x, w}},
		"Conv attribute surprise":                                           {attrs: attrs("surprise", integer(0)), in: []*ir.Tensor{x, w}},
		"Conv type int16 (opset 13)":                                        {in: []*ir.Tensor{ir.NewTensor(ir.Int16, 1, 2, 5, 5), w}},
	} {
		n.op = "Conv"
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestConvTranspose(t *testing.T) {
	for _, g := range geometries {
		for _, groups := range [][3]int{{1, 3, 5}, {2, 4, 6}, {3, 3, 3}} {
			for _, extra := range [][]int64{{0, 0}, {1, 0}} {
				if int(extra[0]) >= g.stride[0] {
					continue
				}
				x := random(1, 2, groups[1], 4, 5)
				w := random(2, append([]int{groups[1], groups[2] / groups[0]}, g.kernel...)...)
				b := random(3, groups[2])
				dims := []int{2, groups[2]}
				for i, n := range x.Dims[2:] {
					dims = append(dims, (n-1)*g.stride[i]+(g.kernel[i]-1)*g.dilation[i]+1+int(extra[i])-g.pads[i]-g.pads[i+2])
				}
				if dims[2] <= 0 || dims[3] <= 0 {
					continue
				}
				want := make([]float64, ir.Elements(dims))
				each(dims, func(i []int, k int) { want[k] = float64(b.Float32s()[i[1]]) })
				in, out := groups[1]/groups[0], groups[2]/groups[0]
				each(x.Dims, func(i []int, k int) {
					each(g.kernel, func(q []int, tap int) {
						r := i[2]*g.stride[0] + q[0]*g.dilation[0] - g.pads[0]
						c := i[3]*g.stride[1] + q[1]*g.dilation[1] - g.pads[1]
						if r < 0 || c < 0 || r >= dims[2] || c >= dims[3] {
							return
						}
						for o := range out {
							v := float64(x.Float32s()[k]) * float64(w.Float32s()[(i[1]*out+o)*ir.Elements(g.kernel)+tap])
							want[offset(dims, i[0], i[1]/in*out+o, r, c)] += v
						}
					})
				})
				n := node{op: "ConvTranspose", in: []*ir.Tensor{x, w, b},
					attrs: g.attrs(true, "group", integer(int64(groups[0])), "output_padding", integers(extra...))}
				y := n.run(t)[0]
				require.Equal(t, dims, y.Dims)
				near(t, want, y, 1e-5, "ConvTranspose")
				// The same, asked for by the output's size, where pads are even.
				if extra[0] == 0 && g.pads[0] == g.pads[2] && g.pads[1] == g.pads[3] {
					delete(n.attrs, "pads")
					n.attrs["output_shape"] = integers(int64(dims[2]), int64(dims[3]))
					require.Equal(t, y.Data, n.run(t)[0].Data)
				}
			}
		}
	}
}

func TestPools(t *testing.T) {
	x := random(1, 2, 3, 9, 8)
	for _, g := range append(geometries[1:], sliding{kernel: []int{3, 3}, stride: []int{2, 2}, dilation: []int{1, 1}, pads: []int{1, 1, 1, 1}}) {
		for _, ceil := range []int64{0, 1} {
			places := g.places(x.Dims[2:], ceil == 1)
			dims := append([]int{2, 3}, places...)
			type sum struct{ top, total, valid, whole float64 }
			sums := make([]sum, ir.Elements(dims))
			each(dims, func(i []int, k int) {
				s := sum{top: math.Inf(-1)}
				plane := x.Float32s()[(i[0]*3+i[1])*72:]
				g.under(x.Dims[2:], i[2:], func(_, at int) {
					if at > -2 {
						s.whole++
					}
					if at < 0 {
						return
					}
					v := float64(plane[at])
					s.top, s.total, s.valid = max(s.top, v), s.total+v, s.valid+1
				})
				sums[k] = s
			})
			for name, c := range map[string]struct {
				attrs   map[string]*ir.Attr
				version int
				f       func(s sum) float64
			}{
				"MaxPool":       {g.attrs(true), 12, func(s sum) float64 { return s.top }},
				"AveragePool":   {g.attrs(true), 19, func(s sum) float64 { return s.total / max(s.valid, 1) }},
				"AveragePool p": {g.attrs(true, "count_include_pad", integer(1)), 19, func(s sum) float64 { return s.total / s.whole }},
			} {
				c.attrs["ceil_mode"] = integer(ceil)
				op := name
				if len(op) > 11 {
					op = op[:11]
				}
				y := node{op: op, version: c.version, attrs: c.attrs, in: []*ir.Tensor{x}}.run(t)[0]
				require.Equal(t, dims, y.Dims, "%s %v", name, g)
				want := make([]float64, len(sums))
				for i, s := range sums {
					want[i] = c.f(s)
				}
				near(t, want, y, 1e-5, fmt.Sprint(name, g, " ceil ", ceil))
			}
		}
	}
	_, err := node{op: "MaxPool", in: []*ir.Tensor{x}}.try()
	require.ErrorContains(t, err, "kernel_shape")
}

func TestGlobalPools(t *testing.T) {
	x := random(1, 2, 3, 5, 7)
	mean, top := make([]float64, 6), make([]float64, 6)
	for i := range 6 {
		top[i] = math.Inf(-1)
		for _, v := range x.Float32s()[i*35 : (i+1)*35] {
			mean[i] += float64(v) / 35
			top[i] = max(top[i], float64(v))
		}
	}
	y := node{op: "GlobalAveragePool", in: []*ir.Tensor{x}}.run(t)[0]
	require.Equal(t, []int{2, 3, 1, 1}, y.Dims)
	near(t, mean, y, 1e-6, "mean")
	near(t, top, node{op: "GlobalMaxPool", in: []*ir.Tensor{x}}.run(t)[0], 0, "maximum")
}

// The first Resize, mode nearest: rounded up along axes that shrink, as ONNX's own case of
// opset 10 has it, and down along those that grow.
func TestFirstResize(t *testing.T) {
	x := f32([]int{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)
	run := func(scales ...float32) []float32 {
		return node{op: "Resize", version: 10, in: []*ir.Tensor{x, f32([]int{4}, scales...)}}.run(t)[0].Float32s()
	}
	require.Equal(t, []float32{1, 3}, run(1, 1, 0.6, 0.6))
	require.Equal(t, []float32{1, 1, 2, 3, 3, 4}, run(1, 1, 0.5, 1.5))
}

// TestResizeLinear holds bilinear interpolation to its definition; the other
// modes are the ONNX project's cases'.
func TestResizeLinear(t *testing.T) {
	x := random(1, 1, 2, 4, 5)
	for _, size := range [][2]int{{8, 10}, {3, 5}, {4, 7}, {1, 1}, {9, 2}} {
		y := node{op: "Resize", attrs: attrs("mode", text("linear")), in: []*ir.Tensor{x, nil, nil, list(1, 2, int64(size[0]), int64(size[1]))}}.run(t)[0]
		require.Equal(t, []int{1, 2, size[0], size[1]}, y.Dims)
		want := make([]float64, y.Len())
		each(y.Dims, func(i []int, k int) {
			place := func(j, in, out int) (a, b int, w float64) {
				p := (float64(j)+0.5)*float64(in)/float64(out) - 0.5
				lo := math.Floor(p)
				edge := func(v float64) int { return int(min(max(v, 0), float64(in-1))) }
				return edge(lo), edge(lo + 1), p - lo
			}
			r0, r1, wr := place(i[2], 4, size[0])
			c0, c1, wc := place(i[3], 5, size[1])
			v := func(r, c int) float64 { return float64(x.Float32s()[i[1]*20+r*5+c]) }
			want[k] = (v(r0, c0)*(1-wc)+v(r0, c1)*wc)*(1-wr) + (v(r1, c0)*(1-wc)+v(r1, c1)*wc)*wr
		})
		near(t, want, y, 1e-5, fmt.Sprint(size))
	}
	up := node{op: "Upsample", version: 8, attrs: attrs("scales", floats(1, 1, 2, 1)), in: []*ir.Tensor{numbered(ir.Float32, 1, 1, 2, 2)}}.run(t)[0]
	require.Equal(t, []float32{0, 1, 0, 1, 2, 3, 2, 3}, up.Float32s())
	for text, n := range map[string]node{
		"antialias=1":                  {version: 18, attrs: attrs("antialias", integer(1)), in: []*ir.Tensor{x, nil, nil, list(1, 2, 2, 2)}},
		"there are 2 sizes for 4 axes": {in: []*ir.Tensor{x, nil, nil, list(2, 2)}},
		"scale 2 is NaN":               {in: []*ir.Tensor{x, nil, f32([]int{4}, 1, 1, float32(math.NaN()), 1)}},
		"more than 2147483647":         {in: []*ir.Tensor{x, nil, nil, list(1<<30, 1<<30, 1, 1)}},
	} {
		n.op = "Resize"
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}
