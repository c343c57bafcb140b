package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// Windows over one to four dimensions: planes of two have tests of their own.

var volumes = []struct {
	size []int
	sliding
}{
	{[]int{11}, sliding{kernel: []int{3}, stride: []int{2}, dilation: []int{2}, pads: []int{1, 2}}},
	{[]int{4, 5, 6}, sliding{kernel: []int{1, 1, 1}, stride: []int{1, 1, 1}, dilation: []int{1, 1, 1}, pads: []int{0, 0, 0, 0, 0, 0}}},
	{[]int{4, 5, 6}, sliding{kernel: []int{2, 3, 2}, stride: []int{1, 1, 1}, dilation: []int{1, 1, 1}, pads: []int{0, 0, 0, 0, 0, 0}}},
	{[]int{5, 6, 7}, sliding{kernel: []int{3, 3, 3}, stride: []int{1, 1, 1}, dilation: []int{1, 1, 1}, pads: []int{1, 1, 1, 1, 1, 1}}},
	{[]int{5, 6, 9}, sliding{kernel: []int{3, 2, 3}, stride: []int{2, 3, 2}, dilation: []int{1, 1, 2}, pads: []int{1, 0, 2, 0, 1, 2}}},
	{[]int{5, 6, 7}, sliding{kernel: []int{2, 1, 3}, stride: []int{1, 1, 1}, dilation: []int{3, 1, 1}, pads: []int{2, 0, 0, 0, 0, 0}}},
	{[]int{3, 4, 2, 5}, sliding{kernel: []int{2, 3, 2, 3}, stride: []int{1, 2, 1, 1}, dilation: []int{1, 1, 1, 1}, pads: []int{1, 1, 1, 1, 0, 1, 0, 1}}},
}

func TestConvOfVolumes(t *testing.T) {
	for _, v := range volumes {
		for _, groups := range [][3]int{{1, 3, 5}, {2, 4, 6}, {3, 3, 6}} {
			x := random(1, append([]int{2, groups[1]}, v.size...)...)
			w := random(2, append([]int{groups[2], groups[1] / groups[0]}, v.kernel...)...)
			b := random(3, groups[2])
			what := fmt.Sprint("Conv ", v, groups)
			y := node{op: "Conv", attrs: v.attrs(true, "group", integer(int64(groups[0]))), in: []*ir.Tensor{x, w, b}}.run(t)[0]
			dims, want := convolved(x, w, b, v.sliding, groups[0])
			require.Equal(t, dims, y.Dims, what)
			near(t, want, y, 1e-5, what)
			for i := range want {
				want[i] = max(want[i], 0)
			}
			a := v.attrs(false, "group", integer(int64(groups[0])))
			near(t, want, node{op: "Conv", attrs: a, in: []*ir.Tensor{x, w, b}, then: &node{op: "Relu"}}.run(t)[0], 1e-5, what)
		}
	}
	x, w := random(1, 1, 2, 4, 7, 8), random(2, 3, 2, 2, 3, 4)
	for auto, pads := range map[string][]int{"SAME_UPPER": {0, 1, 1, 1, 1, 2}, "SAME_LOWER": {1, 1, 2, 0, 1, 1}, "VALID": {0, 0, 0, 0, 0, 0}} {
		g := flat(3)
		g.kernel, g.pads = []int{2, 3, 4}, pads
		_, want := convolved(x, w, nil, g, 1)
		near(t, want, node{op: "Conv", attrs: attrs("auto_pad", text(auto)), in: []*ir.Tensor{x, w}}.run(t)[0], 1e-5, auto)
	}
	y := node{op: "Conv", attrs: attrs("pads", integers(1, 0, 0, 0, 0, 0)), in: []*ir.Tensor{f32([]int{1, 1, 0, 1, 1}), f32([]int{2, 1, 1, 1, 1}), f32([]int{2}, 1, -2)}}.run(t)[0]
	require.Equal(t, []float32{1, -2}, y.Float32s(), "nothing but pads")
}

func TestConvTransposeOfVolumes(t *testing.T) {
	for _, v := range volumes {
		for _, groups := range [][3]int{{1, 3, 5}, {2, 4, 6}} {
			n := len(v.size)
			x := random(1, append([]int{2, groups[1]}, v.size...)...)
			w := random(2, append([]int{groups[1], groups[2] / groups[0]}, v.kernel...)...)
			b := random(3, groups[2])
			extra := make([]int64, n)
			extra[0] = int64(v.stride[0] - 1)
			dims := []int{2, groups[2]}
			for i, size := range v.size {
				dims = append(dims, (size-1)*v.stride[i]+(v.kernel[i]-1)*v.dilation[i]+1+int(extra[i])-v.pads[i]-v.pads[i+n])
			}
			want := make([]float64, ir.Elements(dims))
			each(dims, func(i []int, k int) { want[k] = float64(b.Float32s()[i[1]]) })
			in, out := groups[1]/groups[0], groups[2]/groups[0]
			each(x.Dims, func(i []int, k int) {
				each(v.kernel, func(q []int, tap int) {
					to := append([]int{i[0], 0}, make([]int, n)...)
					for d := range n {
						to[2+d] = i[2+d]*v.stride[d] + q[d]*v.dilation[d] - v.pads[d]
						if to[2+d] < 0 || to[2+d] >= dims[2+d] {
							return
						}
					}
					for o := range out {
						to[1] = i[1]/in*out + o
						want[offset(dims, to...)] += float64(x.Float32s()[k]) * float64(w.Float32s()[(i[1]*out+o)*ir.Elements(v.kernel)+tap])
					}
				})
			})
			c := node{op: "ConvTranspose", in: []*ir.Tensor{x, w, b},
				attrs: v.attrs(true, "group", integer(int64(groups[0])), "output_padding", integers(extra...))}
			y := c.run(t)[0]
			require.Equal(t, dims, y.Dims)
			near(t, want, y, 1e-5, fmt.Sprint("ConvTranspose ", v, groups))
		}
	}
}

// typed is x in another type, and what its elements are then.
func typed(t *testing.T, x *ir.Tensor, kind ir.DType) (*ir.Tensor, []float64) {
	t.Helper()
	y := x
	if kind != ir.Float32 {
		y = node{op: "Cast", attrs: attrs("to", integer(int64(kind))), in: []*ir.Tensor{x}}.run(t)[0]
	}
	wide := y
	if kind != ir.Float64 {
		wide = node{op: "Cast", attrs: attrs("to", integer(int64(ir.Float64))), in: []*ir.Tensor{y}}.run(t)[0]
	}
	return y, wide.Float64s()
}

// alike holds y of any type to want, within tolerance relative to its size.
func alike(t *testing.T, want []float64, y *ir.Tensor, tolerance float64, what string) {
	t.Helper()
	_, got := typed(t, y, y.Type)
	require.Len(t, got, len(want), what)
	for i, w := range want {
		if got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w) {
			continue
		}
		require.LessOrEqual(t, math.Abs(got[i]-w), tolerance*(1+math.Abs(w)), "%s, element %d: got %v, want %v", what, i, got[i], w)
	}
}

func TestPoolsOfVolumes(t *testing.T) {
	rounding := map[ir.DType]float64{ir.Float32: 1e-6, ir.Float64: 1e-13}
	for _, v := range append(volumes[:len(volumes):len(volumes)], struct {
		size []int
		sliding
	}{[]int{9, 8}, geometries[2]}) {
		n := len(v.size)
		for i := range n {
			v.pads = append([]int(nil), v.pads...)
			v.pads[i], v.pads[i+n] = min(v.pads[i], v.kernel[i]-1), min(v.pads[i+n], v.kernel[i]-1)
		}
		for kind := range rounding {
			x := random(1, append([]int{2, 3}, v.size...)...)
			for i := range x.Float32s() {
				x.Float32s()[i] *= 4
			}
			for i := 0; i < x.Len(); i += 5 {
				x.Float32s()[i] = 3 // ties
			}
			x, values := typed(t, x, kind)
			for _, ceil := range []int64{0, 1} {
				dims := append([]int{2, 3}, v.places(v.size, ceil == 1)...)
				count := ir.Elements(dims)
				top, first, column := make([]float64, count), make([]int64, count), make([]int64, count)
				total, valid, whole, one, two, three := make([]float64, count), make([]float64, count), make([]float64, count), make([]float64, count), make([]float64, count), make([]float64, count)
				plane := ir.Elements(v.size)
				each(dims, func(i []int, k int) {
					top[k] = math.Inf(-1)
					base := (i[0]*3 + i[1]) * plane
					v.under(v.size, i[2:], func(_, at int) {
						if at > -2 {
							whole[k]++
						}
						if at < 0 {
							return
						}
						e := values[base+at]
						if e > top[k] {
							top[k], first[k], column[k] = e, int64(base+at), int64(base)
							rest, step, by := at, 1, plane
							for _, size := range v.size {
								by /= size
								column[k] += int64(rest / by * step)
								rest, step = rest%by, step*size
							}
						}
						total[k], valid[k] = total[k]+e, valid[k]+1
						one[k], two[k], three[k] = one[k]+math.Abs(e), two[k]+e*e, three[k]+math.Abs(e*e*e)
					})
				})
				what := fmt.Sprint(v, " ", kind, " ceil ", ceil)
				run := func(op string, version int, kv ...any) []*ir.Tensor {
					a := v.attrs(true, append(kv, "ceil_mode", integer(ceil))...)
					outs := 1
					if a["storage_order"] != nil {
						outs = 2
					}
					y := node{op: op, version: version, attrs: a, in: []*ir.Tensor{x}, outs: outs}.run(t)
					require.Equal(t, dims, y[0].Dims, op+what)
					require.Equal(t, kind, y[0].Type)
					return y
				}
				ratio := func(list, by []float64) []float64 {
					out := make([]float64, count)
					for i := range out {
						out[i] = list[i] / max(by[i], 1)
					}
					return out
				}
				root := func(list []float64, p float64) []float64 {
					out := make([]float64, count)
					for i := range out {
						out[i] = math.Pow(list[i], 1/p)
					}
					return out
				}
				alike(t, top, run("MaxPool", 22)[0], 0, "MaxPool "+what)
				y := run("MaxPool", 22, "storage_order", integer(0))
				alike(t, top, y[0], 0, "MaxPool "+what)
				require.Equal(t, first, y[1].Int64s(), what)
				require.Equal(t, column, run("MaxPool", 12, "storage_order", integer(1))[1].Int64s(), what)
				alike(t, ratio(total, valid), run("AveragePool", 22)[0], rounding[kind], "AveragePool "+what)
				alike(t, ratio(total, whole), run("AveragePool", 19, "count_include_pad", integer(1))[0], rounding[kind], "AveragePool "+what)
				alike(t, root(two, 2), run("LpPool", 22)[0], rounding[kind], "LpPool "+what)
				alike(t, one, run("LpPool", 18, "p", integer(1))[0], rounding[kind], "LpPool "+what)
				alike(t, root(three, 3), run("LpPool", 22, "p", integer(3))[0], rounding[kind], "LpPool "+what)
			}
		}
	}
}

func TestPoolsOfBytes(t *testing.T) {
	for _, kind := range []ir.DType{ir.Int8, ir.Uint8} {
		x := ir.NewTensor(kind, 1, 1, 2, 3, 4)
		for i := range x.Data {
			x.Data[i] = byte(37 * i)
		}
		y := node{op: "MaxPool", attrs: attrs("kernel_shape", integers(2, 2, 2)), outs: 2, in: []*ir.Tensor{x}}.run(t)
		require.Equal(t, kind, y[0].Type)
		z := node{op: "MaxPool", attrs: attrs("kernel_shape", integers(2, 2, 2)), in: []*ir.Tensor{x}}.run(t)[0]
		require.Equal(t, y[0].Data, z.Data)
		each(y[0].Dims, func(i []int, k int) {
			best := int64(math.MinInt64)
			for d := range 8 {
				best = max(best, x.Ints()[offset(x.Dims, 0, 0, d/4, i[3]+d/2%2, i[4]+d%2)])
			}
			require.Equal(t, best, y[0].Ints()[k])
			require.Equal(t, best, x.Ints()[y[1].Int64s()[k]])
		})
	}
}

func TestGlobalPoolsOfTypes(t *testing.T) {
	for kind, tolerance := range map[ir.DType]float64{ir.Float32: 1e-6, ir.Float64: 1e-13} {
		x, values := typed(t, random(1, 2, 3, 2, 5, 4), kind)
		mean, top, two, three := make([]float64, 6), make([]float64, 6), make([]float64, 6), make([]float64, 6)
		for i := range 6 {
			top[i] = math.Inf(-1)
			for _, v := range values[i*40:][:40] {
				mean[i], top[i] = mean[i]+v/40, max(top[i], v)
				two[i], three[i] = two[i]+v*v, three[i]+math.Abs(v*v*v)
			}
			two[i], three[i] = math.Sqrt(two[i]), math.Cbrt(three[i])
		}
		run := func(op string, kv ...any) *ir.Tensor {
			y := node{op: op, version: 22, attrs: attrs(kv...), in: []*ir.Tensor{x}}.run(t)[0]
			require.Equal(t, []int{2, 3, 1, 1, 1}, y.Dims)
			return y
		}
		alike(t, mean, run("GlobalAveragePool"), tolerance, kind.String())
		alike(t, top, run("GlobalMaxPool"), 0, kind.String())
		alike(t, two, run("GlobalLpPool"), tolerance, kind.String())
		alike(t, three, run("GlobalLpPool", "p", integer(3)), tolerance, kind.String())
	}
	_, err := node{op: "GlobalLpPool", attrs: attrs("p", integer(0)), in: []*ir.Tensor{random(1, 1, 1, 2)}}.try()
	require.ErrorContains(t, err, "p is 0, want at least 1")
}
