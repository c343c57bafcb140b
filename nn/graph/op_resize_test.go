package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// resizeWeights is what each element of an axis counts for each element of the result, by
// the definition of half pixels.
func resizeWeights(mode string, n, m int, scale float64, antialias, exclude bool) [][]float64 {
	out := make([][]float64, m)
	for j := range out {
		out[j] = make([]float64, n)
		x, by := (float64(j)+0.5)/scale-0.5, 1.0
		if antialias && scale < 1 {
			by = scale
		}
		sum := 0.0
		for i := -200; i < n+200; i++ {
			w := kernelAt(mode, (x-float64(i))*by, -0.75)
			if exclude && (i < 0 || i >= n) {
				continue
			}
			out[j][min(max(i, 0), n-1)] += w
			sum += w
		}
		for i := range out[j] {
			out[j][i] /= sum
		}
	}
	return out
}

func TestResizeOfManyDimensions(t *testing.T) {
	for _, size := range []struct{ in, out []int64 }{
		{[]int64{7}, []int64{12}}, {[]int64{9}, []int64{4}}, {[]int64{2, 6, 5}, []int64{2, 3, 9}}, {[]int64{2, 3, 8, 6}, []int64{2, 3, 3, 11}},
		{[]int64{1, 2, 5, 6, 4}, []int64{1, 2, 2, 9, 3}}, {[]int64{40}, []int64{1}},
	} {
		rank := len(size.in)
		dims := make([]int, rank)
		for i, v := range size.in {
			dims[i] = int(v)
		}
		for _, kind := range []ir.DType{ir.Float32, ir.Float64, ir.Uint8, ir.Int8, ir.Int32, ir.Float16} {
			for k := range 8 {
				mode, antialias, exclude := []string{"linear", "cubic"}[k%2], k/2%2 == 1, k/4 == 1
				if exclude && mode == "linear" {
					continue
				}
				x := random(uint64(k), dims...)
				for i := range x.Float32s() {
					x.Float32s()[i] = x.Float32s()[i]*60 + 64
				}
				if kind == ir.Uint8 || kind == ir.Int8 {
					for i, v := range x.Float32s() {
						x.Float32s()[i] = min(max(v, 0), 127)
					}
				}
				x, values := typed(t, x, kind)
				flag := func(b bool) *ir.Attr {
					if b {
						return integer(1)
					}
					return integer(0)
				}
				y := node{op: "Resize", version: 18, in: []*ir.Tensor{x, nil, nil, list(size.out...)},
					attrs: attrs("mode", text(mode), "antialias", flag(antialias), "exclude_outside", flag(exclude))}.run(t)[0]
				weights := make([][][]float64, rank)
				for d := range weights {
					weights[d] = resizeWeights(mode, dims[d], int(size.out[d]), float64(size.out[d])/float64(dims[d]), antialias, exclude)
				}
				want := make([]float64, y.Len())
				each(y.Dims, func(i []int, k int) {
					each(dims, func(q []int, at int) {
						w := 1.0
						for d := range q {
							w *= weights[d][i[d]][q[d]]
						}
						want[k] += w * values[at]
					})
				})
				what := fmt.Sprint(size, kind, mode, antialias, exclude)
				switch kind {
				case ir.Float64:
					alike(t, want, y, 1e-12, what)
				case ir.Float32:
					alike(t, want, y, 1e-5, what)
				case ir.Float16:
					alike(t, want, y, 2e-3, what)
				default: // towards 0, or to the nearest
					_, got := typed(t, y, kind)
					for i, w := range want {
						low, high := math.Trunc(w-1e-3), math.Trunc(w+1e-3)
						if antialias {
							low, high = math.Round(w-1e-3), math.Round(w+1e-3)
						}
						switch kind {
						case ir.Uint8:
							low, high = min(max(low, 0), 255), min(max(high, 0), 255)
						case ir.Int8:
							low, high = min(max(low, -128), 127), min(max(high, -128), 127)
						}
						require.True(t, got[i] == low || got[i] == high, "%s, element %d: got %v, want %v", what, i, got[i], w)
					}
				}
			}
		}
	}
}

func TestResizePolicy(t *testing.T) {
	x := random(1, 1, 1, 4, 6)
	for policy, want := range map[string][]int{"not_larger": {1, 1, 5, 7}, "not_smaller": {1, 1, 10, 15}, "stretch": {1, 1, 10, 7}} {
		y := node{op: "Resize", version: 19, in: []*ir.Tensor{x, nil, nil, list(7, 10)},
			attrs: attrs("keep_aspect_ratio_policy", text(policy), "axes", integers(3, -2))}.run(t)[0]
		require.Equal(t, want, y.Dims, policy)
	}
}

func TestResizeOfRegions(t *testing.T) {
	x := numbered(ir.Float32, 1, 1, 4, 4)
	run := func(mode string, roi *ir.Tensor, kv ...any) *ir.Tensor {
		a := attrs(append(kv, "mode", text(mode), "coordinate_transformation_mode", text("tf_crop_and_resize"), "extrapolation_value", float(-7))...)
		return node{op: "Resize", version: 18, attrs: a, in: []*ir.Tensor{x, roi, nil, list(1, 1, 3, 3)}}.run(t)[0]
	}
	roi := f32([]int{8}, 0, 0, -0.5, 0, 1, 1, 1, 1)
	wide, _ := typed(t, roi, ir.Float64)
	y := run("nearest", roi)
	require.Equal(t, y.Data, run("nearest", wide).Data)
	// Rows lie at −1.5, 0.75 and 3, columns at 0, 1.5 and 3.
	require.Equal(t, []float32{-7, -7, -7, 4, 5, 7, 12, 13, 15}, y.Float32s())
	near(t, []float64{-7, -7, -7, 3, 4.5, 6, 12, 13.5, 15}, run("linear", roi), 1e-6, "linear")
	bytes := numbered(ir.Int8, 1, 1, 4, 4)
	z := node{op: "Resize", version: 18, in: []*ir.Tensor{bytes, roi, nil, list(1, 1, 3, 3)},
		attrs: attrs("coordinate_transformation_mode", text("tf_crop_and_resize"), "extrapolation_value", float(-7))}.run(t)[0]
	require.Equal(t, []int64{-7, -7, -7, 4, 5, 7, 12, 13, 15}, z.Ints())
}
