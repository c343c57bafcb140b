package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

const contributed = "com.microsoft"

func TestFusedConv(t *testing.T) {
	x, w, b := random(1, 2, 3, 7, 6), random(2, 4, 3, 3, 3), random(3, 4)
	dims, plain := convolved(x, w, b, flat(2), 1)
	z := random(4, dims...)
	for activation, c := range map[string]struct {
		params []float32
		f      func(v float64) float64
	}{
		"":            {nil, func(v float64) float64 { return v }},
		"Relu":        {nil, func(v float64) float64 { return max(v, 0) }},
		"Tanh":        {nil, math.Tanh},
		"Sigmoid":     {nil, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
		"LeakyRelu":   {[]float32{0.25}, func(v float64) float64 { return max(v, 0.25*v) }},
		"Clip":        {[]float32{-1, 2}, func(v float64) float64 { return min(max(v, -1), 2) }},
		"HardSigmoid": {[]float32{0.25, 0.5}, func(v float64) float64 { return min(max(v/4+0.5, 0), 1) }},
	} {
		for _, sum := range []bool{false, true} {
			in, want := []*ir.Tensor{x, w, b}, make([]float64, len(plain))
			for i, v := range plain {
				if sum {
					v += float64(z.Float32s()[i])
				}
				want[i] = c.f(v)
			}
			if sum {
				in = append(in, z)
			}
			a := attrs("activation", text(activation))
			if c.params != nil {
				a["activation_params"] = floats(c.params...)
			}
			near(t, want, node{op: "FusedConv", domain: contributed, version: 1, attrs: a, in: in}.run(t)[0], 2e-5, activation)
		}
	}
	_, err := node{op: "FusedConv", domain: contributed, version: 1, in: []*ir.Tensor{x, w, b, random(1, 2, 4, 5, 5)}}.try()
	require.ErrorContains(t, err, "Z has dimensions [2 4 5 5], want [2 4 5 4] as the result")
	_, err = node{op: "FusedConv", domain: contributed, version: 1, attrs: attrs("activation", text("Clip"), "activation_params", floats(1)), in: []*ir.Tensor{x, w}}.try()
	require.ErrorContains(t, err, "activation Clip has 1 parameters, want 2")
}

func TestCenterCropPad(t *testing.T) {
	for _, kind := range []ir.DType{ir.Float32, ir.Int64, ir.Bool} {
		x := numbered(kind, 5, 4, 3)
		for _, to := range [][]int{{5, 4, 3}, {2, 1, 3}, {8, 7, 3}, {3, 9, 3}} {
			y := node{op: "CenterCropPad", version: 18, attrs: attrs("axes", integers(0, -2)), in: []*ir.Tensor{x, list(int64(to[0]), int64(to[1]))}}.run(t)[0]
			require.Equal(t, to, y.Dims)
			_, got := typed(t, y, kind)
			_, from := typed(t, x, kind)
			each(to, func(i []int, k int) {
				src, want, inside := []int{0, 0, i[2]}, 0.0, true
				for d := range 2 {
					n, m := x.Dims[d], to[d]
					if m >= n {
						src[d] = i[d] - (m-n)/2
					} else {
						src[d] = i[d] + (n-m)/2
					}
					inside = inside && src[d] >= 0 && src[d] < n
				}
				if inside {
					want = from[offset(x.Dims, src...)]
				}
				require.Equal(t, want, got[k], "%v to %v at %v", kind, to, i)
			})
		}
	}
	_, err := node{op: "CenterCropPad", version: 18, in: []*ir.Tensor{numbered(ir.Float32, 2, 2), list(1)}}.try()
	require.ErrorContains(t, err, "shape has 1 elements for 2 axes")
}

func TestCol2Im(t *testing.T) {
	wide := func(list []int) *ir.Tensor {
		out := ir.NewTensor(ir.Int64, len(list))
		for i, n := range list {
			out.Int64s()[i] = int64(n)
		}
		return out
	}
	for _, v := range volumes {
		places, taps, size := v.places(v.size, false), ir.Elements(v.kernel), ir.Elements(v.size)
		x := random(1, 2, 3*taps, ir.Elements(places))
		want := make([]float64, 6*size)
		each(places, func(place []int, l int) {
			v.under(v.size, place, func(tap, at int) {
				for plane := 0; at >= 0 && plane < 6; plane++ {
					want[plane*size+at] += float64(x.Float32s()[offset(x.Dims, plane/3, plane%3*taps+tap, l)])
				}
			})
		})
		y := node{op: "Col2Im", version: 18, attrs: v.attrs(false), in: []*ir.Tensor{x, wide(v.size), wide(v.kernel)}}.run(t)[0]
		require.Equal(t, append([]int{2, 3}, v.size...), y.Dims)
		near(t, want, y, 1e-6, fmt.Sprint(v))
	}
	_, err := node{op: "Col2Im", version: 18, in: []*ir.Tensor{random(1, 1, 5, 9), list(4, 4), list(2, 2)}}.try()
	require.ErrorContains(t, err, "the 5 rows of columns are no multiple of the 4 elements of a block")
	_, err = node{op: "Col2Im", version: 18, in: []*ir.Tensor{random(1, 1, 4, 8), list(4, 4), list(2, 2)}}.try()
	require.ErrorContains(t, err, "there are 8 columns, want 9 for image_shape [4 4]")
}

func TestMaxUnpool(t *testing.T) {
	for _, kernel := range [][]int{{2, 2}, {3}, {2, 2, 3}} {
		size := []int{6, 6, 6}[:len(kernel)]
		wide := make([]int64, len(kernel))
		for i, k := range kernel {
			wide[i] = int64(k)
		}
		x := random(1, append([]int{2, 3}, size...)...)
		a := attrs("kernel_shape", integers(wide...), "strides", integers(wide...))
		pooled := node{op: "MaxPool", attrs: a, outs: 2, in: []*ir.Tensor{x}}.run(t)
		y := node{op: "MaxUnpool", version: 11, attrs: a, in: pooled}.run(t)[0]
		require.Equal(t, x.Dims, y.Dims)
		maxima := map[int64]float32{}
		for k, at := range pooled[1].Int64s() {
			maxima[at] = pooled[0].Float32s()[k]
		}
		for i, got := range y.Float32s() {
			require.Equal(t, maxima[int64(i)], got)
		}
		larger := []int64{2, 3}
		for _, n := range size {
			larger = append(larger, int64(n+1))
		}
		z := node{op: "MaxUnpool", version: 11, attrs: a, in: []*ir.Tensor{pooled[0], pooled[1], list(larger...)}}.run(t)[0]
		each(z.Dims, func(i []int, k int) {
			want, inside := float32(0), true
			for d := range size {
				inside = inside && i[2+d] < size[d]
			}
			if inside {
				want = y.Float32s()[offset(y.Dims, i...)]
			}
			require.Equal(t, want, z.Float32s()[k])
		})
	}
	_, err := node{op: "MaxUnpool", version: 11, attrs: attrs("kernel_shape", integers(2), "strides", integers(2)), in: []*ir.Tensor{random(1, 1, 1, 2), i64([]int{1, 1, 2}, 0, 4)}}.try()
	require.ErrorContains(t, err, "I[1] is 4, want one in [0, 3]")
}

func TestMaxRoiPool(t *testing.T) {
	x := random(1, 2, 3, 8, 9)
	rois := f32([]int{4, 5}, 0, 1, 2, 9, 11, 1, 0, 0, 4, 4, 1, 6, 3, 2, 1, 0, -20, -20, -15, -15)
	y := node{op: "MaxRoiPool", attrs: attrs("pooled_shape", integers(3, 2), "spatial_scale", float(0.5)), in: []*ir.Tensor{x, rois}}.run(t)[0]
	require.Equal(t, []int{4, 3, 3, 2}, y.Dims)
	each(y.Dims, func(i []int, k int) {
		r := rois.Float32s()[5*i[0]:]
		edge := func(q int) float64 { return math.Round(float64(r[q]) / 2) }
		bh, bw := max(edge(4)-edge(2)+1, 1)/3, max(edge(3)-edge(1)+1, 1)/2
		want, found := float32(0), false
		for row := range 8 {
			for col := range 9 {
				v, u := float64(row)-edge(2), float64(col)-edge(1)
				if v < math.Floor(float64(i[2])*bh) || v >= math.Ceil(float64(i[2]+1)*bh) || u < math.Floor(float64(i[3])*bw) || u >= math.Ceil(float64(i[3]+1)*bw) {
					continue
				}
				if e := x.Float32s()[offset(x.Dims, int(r[0]), i[1], row, col)]; !found || e > want {
					want, found = e, true
				}
			}
		}
		require.Equal(t, want, y.Float32s()[k], "%v", i)
	})
	_, err := node{op: "MaxRoiPool", attrs: attrs("pooled_shape", integers(1, 1)), in: []*ir.Tensor{x, f32([]int{1, 5}, 2)}}.try()
	require.ErrorContains(t, err, "region 0 is of image 2, but there are 2")
}

func TestCropAndResize(t *testing.T) {
	x := random(1, 2, 3, 5, 6)
	rois := f32([]int{3, 4}, 0.1, 0.2, 0.9, 0.7, -0.2, 0, 1.1, 1, 0.8, 0.6, 0.2, 0.1)
	which, _ := typed(t, f32([]int{3}, 1, 0, 1), ir.Int32)
	size, _ := typed(t, f32([]int{2}, 4, 3), ir.Int32)
	for _, mode := range []string{"bilinear", "nearest"} {
		y := node{op: "CropAndResize", domain: contributed, version: 1, attrs: attrs("mode", text(mode), "extrapolation_value", float(-9)), in: []*ir.Tensor{x, rois, which, size}}.run(t)[0]
		require.Equal(t, []int{3, 3, 4, 3}, y.Dims)
		want := make([]float64, y.Len())
		each(y.Dims, func(i []int, k int) {
			r := rois.Float32s()[4*i[0]:]
			at := func(start, end float32, j, m, n int) float64 {
				return (float64(start) + float64(end-start)*float64(j)/float64(m-1)) * float64(n-1)
			}
			v, u := at(r[0], r[2], i[2], 4, 5), at(r[1], r[3], i[3], 3, 6)
			if v < 0 || v > 4 || u < 0 || u > 5 {
				want[k] = -9
				return
			}
			for row := range 5 {
				for col := range 6 {
					w := kernelAt("linear", v-float64(row), 0) * kernelAt("linear", u-float64(col), 0)
					if mode == "nearest" {
						w = 0
						if math.Round(v) == float64(row) && math.Round(u) == float64(col) {
							w = 1
						}
					}
					want[k] += w * float64(x.Float32s()[offset(x.Dims, int(which.Int32s()[i[0]]), i[1], row, col)])
				}
			}
		})
		near(t, want, y, 1e-5, mode)
	}
}

func TestDeformConv(t *testing.T) {
	for _, c := range []struct{ groups, parts, in, out int }{{1, 1, 2, 3}, {2, 1, 4, 6}, {1, 2, 4, 2}, {2, 4, 4, 4}} {
		for _, g := range geometries[1:4] {
			for _, masked := range []bool{false, true} {
				x, w, b := random(1, 2, c.in, 7, 6), random(2, append([]int{c.out, c.in / c.groups}, g.kernel...)...), random(3, c.out)
				places, taps := g.places([]int{7, 6}, false), g.kernel[0]*g.kernel[1]
				offsets, mask := random(4, 2, c.parts*taps*2, places[0], places[1]), random(5, 2, c.parts*taps, places[0], places[1])
				in := []*ir.Tensor{x, w, offsets, b}
				if masked {
					in = append(in, mask)
				}
				y := node{op: "DeformConv", version: 19, attrs: g.attrs(true, "group", integer(int64(c.groups)), "offset_group", integer(int64(c.parts))), in: in}.run(t)[0]
				require.Equal(t, []int{2, c.out, places[0], places[1]}, y.Dims)
				want := make([]float64, y.Len())
				each(y.Dims, func(i []int, k int) {
					want[k] = float64(b.Float32s()[i[1]])
					for ch := range c.in / c.groups {
						channel := i[1]/(c.out/c.groups)*(c.in/c.groups) + ch
						part := channel / (c.in / c.parts)
						each(g.kernel, func(q []int, tap int) {
							move := func(axis int) float64 {
								return float64(i[2+axis]*g.stride[axis]-g.pads[axis]+q[axis]*g.dilation[axis]) +
									float64(offsets.Float32s()[offset(offsets.Dims, i[0], (part*taps+tap)*2+axis, i[2], i[3])])
							}
							v, u, sum := move(0), move(1), 0.0
							for row := range 7 {
								for col := range 6 {
									sum += kernelAt("linear", v-float64(row), 0) * kernelAt("linear", u-float64(col), 0) * float64(x.Float32s()[offset(x.Dims, i[0], channel, row, col)])
								}
							}
							if masked {
								sum *= float64(mask.Float32s()[offset(mask.Dims, i[0], part*taps+tap, i[2], i[3])])
							}
							want[k] += sum * float64(w.Float32s()[offset(w.Dims, i[1], ch, q[0], q[1])])
						})
					}
				})
				near(t, want, y, 1e-5, fmt.Sprint(c, g, masked))
			}
		}
	}
	_, err := node{op: "DeformConv", version: 19, in: []*ir.Tensor{random(1, 1, 1, 3, 3), random(1, 1, 1, 2, 2), random(1, 1, 8, 3, 2)}}.try()
	require.ErrorContains(t, err, "offset has dimensions [1 8 3 2], want [1 8 2 2]")
}

func TestChannelsLastPool(t *testing.T) {
	for _, kind := range []ir.DType{ir.Int8, ir.Uint8} {
		x := ir.NewTensor(kind, 2, 5, 6, 3)
		for i := range x.Data {
			x.Data[i] = byte(37 * i)
		}
		a := attrs("kernel_shape", integers(3, 2), "strides", integers(2, 2), "pads", integers(1, 0, 1, 0))
		turn := func(x *ir.Tensor, perm ...int64) *ir.Tensor {
			return node{op: "Transpose", attrs: attrs("perm", integers(perm...)), in: []*ir.Tensor{x}}.run(t)[0]
		}
		y := node{op: "NhwcMaxPool", domain: contributed, version: 1, attrs: a, in: []*ir.Tensor{x}}.run(t)[0]
		want := turn(node{op: "MaxPool", attrs: a, in: []*ir.Tensor{turn(x, 0, 3, 1, 2)}}.run(t)[0], 0, 2, 3, 1)
		require.Equal(t, want.Dims, y.Dims)
		require.Equal(t, want.Data, y.Data)
	}
}
