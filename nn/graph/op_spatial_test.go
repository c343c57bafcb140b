package graph_test

import (
	"fmt"
	"math"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// kernelAt is how much an element counts that lies d from where an image is read.
func kernelAt(mode string, d, a float64) float64 {
	d = math.Abs(d)
	switch {
	case mode == "linear":
		return max(1-d, 0)
	case d <= 1:
		return (a+2)*d*d*d - (a+3)*d*d + 1
	case d < 2:
		return a*d*d*d - 5*a*d*d + 8*a*d - 4*a
	}
	return 0
}

// outsideOf brings an index into n elements, or says that there is nothing.
func outsideOf(padding string, i, n int, corners bool) (int, bool) {
	if i >= 0 && i < n {
		return i, true
	}
	switch padding {
	case "zeros":
		return 0, false
	case "border":
		return min(max(i, 0), n-1), true
	}
	for i < 0 || i >= n { // mirrored at the outermost elements' centres, or at their edges
		low, high := -1, 2*n-1
		if corners {
			low, high = 0, 2*n-2
		}
		if n == 1 {
			return 0, true
		}
		if i < 0 {
			i = low - i
		} else {
			i = high - i
		}
	}
	return i, true
}

func TestGridSample(t *testing.T) {
	for _, size := range [][]int{{5, 4}, {1, 3}, {3, 4, 2}, {6}} {
		n := len(size)
		for _, corners := range []bool{false, true} {
			for _, padding := range []string{"zeros", "border", "reflection"} {
				for _, mode := range []string{"linear", "nearest", "cubic"} {
					for _, kind := range []ir.DType{ir.Float32, ir.Float64} {
						x, values := typed(t, random(1, append([]int{2, 3}, size...)...), kind)
						to := []int{3, 2, 4}[:n]
						grid := random(2, append(append([]int{2}, to...), n)...)
						for i := range grid.Float32s() {
							grid.Float32s()[i] *= 0.9
						}
						align := int64(0)
						if corners {
							align = 1
						}
						what := fmt.Sprint(size, mode, padding, corners, kind)
						y := node{op: "GridSample", version: 20, in: []*ir.Tensor{x, grid},
							attrs: attrs("mode", text(mode), "padding_mode", text(padding), "align_corners", integer(align))}.run(t)[0]
						require.Equal(t, append([]int{2, 3}, to...), y.Dims)
						want := make([]float64, y.Len())
						each(y.Dims, func(i []int, k int) {
							at := make([]float64, n)
							for d := range at {
								g := float64(grid.Float32s()[offset(grid.Dims, append(append([]int{i[0]}, i[2:]...), n-1-d)...)])
								at[d] = ((g+1)*float64(size[d]) - 1) / 2
								if corners {
									at[d] = (g + 1) / 2 * float64(size[d]-1)
								}
							}
							window := make([]int, n)
							for d := range window {
								window[d] = 6
							}
							each(window, func(q []int, _ int) {
								place, weight := []int{i[0], i[1]}, 1.0
								for d, v := range q {
									e := int(math.Floor(at[d])) - 2 + v
									if mode == "nearest" {
										if float64(e) != math.RoundToEven(at[d]) {
											return
										}
									} else {
										weight *= kernelAt(mode, at[d]-float64(e), -0.75)
									}
									e, ok := outsideOf(padding, e, size[d], corners)
									if !ok {
										return
									}
									place = append(place, e)
								}
								want[k] += weight * values[offset(x.Dims, place...)]
							})
						})
						alike(t, want, y, 2e-5, what)
					}
				}
			}
		}
	}
	x := random(1, 1, 1, 3, 3)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	y := node{op: "GridSample", version: 16, attrs: attrs("padding_mode", text("border"), "mode", text("nearest")),
		in: []*ir.Tensor{x, f32([]int{1, 1, 3, 2}, nan, nan, inf, inf, -1e30, 1e30)}}.run(t)[0]
	require.Equal(t, []float32{x.Float32s()[0], x.Float32s()[8], x.Float32s()[6]}, y.Float32s(), "no number is the first element, as in onnxruntime")
	for _, mode := range []string{"bilinear", "bicubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			node{op: "GridSample", version: 16, attrs: attrs("padding_mode", text(padding), "mode", text(mode)),
				in: []*ir.Tensor{x, f32([]int{1, 1, 3, 2}, nan, nan, inf, -inf, -1e30, 1e30)}}.run(t)
		}
	}
	_, err := node{op: "GridSample", version: 16, in: []*ir.Tensor{x, f32([]int{1, 2, 2, 3})}}.try()
	require.ErrorContains(t, err, "the grid has dimensions [1 2 2 3], want 1, 2 sizes and 2 for x [1 1 3 3]")
}

func TestAffineGrid(t *testing.T) {
	for _, size := range [][]int64{{2, 3, 4, 5}, {1, 1, 2, 3, 4}} {
		for align := int64(0); align < 2; align++ {
			n := len(size) - 2
			theta := random(1, int(size[0]), n, n+1)
			y := node{op: "AffineGrid", version: 20, attrs: attrs("align_corners", integer(align)), in: []*ir.Tensor{theta, list(size...)}}.run(t)[0]
			want := make([]float64, y.Len())
			each(y.Dims, func(i []int, k int) {
				r := i[n+1]
				want[k] = float64(theta.Float32s()[offset(theta.Dims, i[0], r, n)])
				for d := range n {
					m, j := float64(size[2+d]), float64(i[1+d])
					v := 2*(j+0.5)/m - 1
					if align == 1 {
						v = 2*j/(m-1) - 1
					}
					want[k] += v * float64(theta.Float32s()[offset(theta.Dims, i[0], r, n-1-d)])
				}
			})
			near(t, want, y, 1e-6, fmt.Sprint(size, align))
		}
	}
	_, err := node{op: "AffineGrid", version: 20, in: []*ir.Tensor{random(1, 2, 2, 3), list(1, 3, 4, 5)}}.try()
	require.ErrorContains(t, err, "theta has dimensions [2 2 3], want [1 2 3] for size [1 3 4 5]")
}

func TestNonMaxSuppression(t *testing.T) {
	for seed := range uint64(12) {
		centers := int64(seed % 2)
		boxes, scores := random(seed, 2, 40, 4), random(100+seed, 2, 3, 40)
		if centers == 1 {
			for i := range boxes.Float32s() {
				if i%4 > 1 {
					boxes.Float32s()[i] = float32(math.Abs(float64(boxes.Float32s()[i]))) * 2
				}
			}
		}
		most, threshold, least := []int64{3, 100}[seed/2%2], []float64{0.1, 0.5, 0}[seed%3], -0.5
		y := node{op: "NonMaxSuppression", version: 11, attrs: attrs("center_point_box", integer(centers)),
			in: []*ir.Tensor{boxes, scores, list(most), f32([]int{1}, float32(threshold)), f32([]int{1}, float32(least))}}.run(t)[0]
		var want []int64
		box := func(b, i int) [4]float64 {
			v := boxes.Float32s()[(b*40+i)*4:]
			p := [4]float64{float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])}
			if centers == 1 {
				return [4]float64{p[1] - p[3]/2, p[0] - p[2]/2, p[1] + p[3]/2, p[0] + p[2]/2}
			}
			return [4]float64{min(p[0], p[2]), min(p[1], p[3]), max(p[0], p[2]), max(p[1], p[3])}
		}
		for b := range 2 {
			for class := range 3 {
				var order []int
				score := func(i int) float32 { return scores.Float32s()[(b*3+class)*40+i] }
				for i := range 40 {
					if float64(score(i)) > least {
						order = append(order, i)
					}
				}
				sort.SliceStable(order, func(i, j int) bool { return score(order[i]) > score(order[j]) })
				var taken []int
				for _, i := range order {
					ok := int64(len(taken)) < most
					for _, j := range taken {
						p, q := box(b, i), box(b, j)
						h, w := min(p[2], q[2])-max(p[0], q[0]), min(p[3], q[3])-max(p[1], q[1])
						shared := max(h, 0) * max(w, 0)
						all := (p[2]-p[0])*(p[3]-p[1]) + (q[2]-q[0])*(q[3]-q[1]) - shared
						ok = ok && shared/all <= threshold
					}
					if ok {
						taken = append(taken, i)
						want = append(want, int64(b), int64(class), int64(i))
					}
				}
			}
		}
		require.Equal(t, want, y.Int64s(), "seed %d", seed)
	}
	boxes, scores := random(1, 1, 5, 4), random(2, 1, 1, 5)
	require.Equal(t, []int{0, 3}, node{op: "NonMaxSuppression", in: []*ir.Tensor{boxes, scores}}.run(t)[0].Dims, "none without a number")
	for text, in := range map[string][]*ir.Tensor{
		"boxes have dimensions [1 5 4] and scores [1 1 4]": {boxes, random(2, 1, 1, 4)},
		"iou_threshold is 1.5, want 0 to 1":                {boxes, scores, list(1), f32(nil, 1.5)},
		"max_output_boxes_per_class has 2 elements":        {boxes, scores, list(1, 2)},
	} {
		_, err := node{op: "NonMaxSuppression", in: in}.try()
		require.ErrorContains(t, err, text)
	}
}

func TestRoiAlign(t *testing.T) {
	x := random(1, 2, 3, 6, 7)
	rois := f32([]int{5, 4}, 0.5, 1, 4.5, 5, 1, 1, 1.2, 1.3, -3, -2, 3, 9, 2, 2, 30, 31, 5, 4, 1, 2)
	which := list(0, 1, 0, 1, 1)
	for _, half := range []bool{false, true} {
		for _, ratio := range []int64{0, 1, 3} {
			for _, mode := range []string{"avg", "max"} {
				a := attrs("mode", text(mode), "output_height", integer(3), "output_width", integer(2), "sampling_ratio", integer(ratio), "spatial_scale", float(0.75))
				version := 10
				if half {
					version = 16
				}
				y := node{op: "RoiAlign", version: version, attrs: a, in: []*ir.Tensor{x, rois, which}}.run(t)[0]
				require.Equal(t, []int{5, 3, 3, 2}, y.Dims)
				want := make([]float64, y.Len())
				each(y.Dims, func(i []int, k int) {
					var r [4]float64
					for q := range r {
						r[q] = float64(rois.Float32s()[4*i[0]+q]) * 0.75
						if half {
							r[q] -= 0.5
						}
					}
					w, h := r[2]-r[0], r[3]-r[1]
					if !half {
						w, h = max(w, 1), max(h, 1)
					}
					bh, bw := h/3, w/2
					nh, nw := float64(ratio), float64(ratio)
					if ratio == 0 {
						nh, nw = max(math.Ceil(bh), 0), max(math.Ceil(bw), 0)
					}
					read := func(row, col int) float64 {
						return float64(x.Float32s()[offset(x.Dims, int(which.Int64s()[i[0]]), i[1], row, col)])
					}
					best, total := math.Inf(-1), 0.0
					for sy := range int(nh) {
						for sx := range int(nw) {
							v, u := r[1]+float64(i[2])*bh+(float64(sy)+0.5)*bh/nh, r[0]+float64(i[3])*bw+(float64(sx)+0.5)*bw/nw
							if v < -1 || v > 6 || u < -1 || u > 7 {
								best = max(best, 0)
								continue
							}
							v, u = min(max(v, 0), 5), min(max(u, 0), 6)
							y0, x0 := int(v), int(u)
							y1, x1 := min(y0+1, 5), min(x0+1, 6)
							fy, fx := v-float64(y0), u-float64(x0)
							p := [4]float64{(1 - fy) * (1 - fx) * read(y0, x0), (1 - fy) * fx * read(y0, x1), fy * (1 - fx) * read(y1, x0), fy * fx * read(y1, x1)}
							total += p[0] + p[1] + p[2] + p[3]
							best = max(best, p[0], p[1], p[2], p[3])
						}
					}
					want[k] = total / max(nh*nw, 1)
					if mode == "max" {
						want[k] = max(best, -1e9)
						if math.IsInf(best, -1) {
							want[k] = 0
						}
					}
				})
				near(t, want, y, 1e-5, fmt.Sprint(half, ratio, mode))
			}
		}
	}
	_, err := node{op: "RoiAlign", in: []*ir.Tensor{x, f32([]int{1, 4}, 0, 0, 1, 1), list(2)}}.try()
	require.ErrorContains(t, err, "batch_indices[0] is 2, but there are 2 images")
	nan := float32(math.NaN())
	y := node{op: "RoiAlign", in: []*ir.Tensor{x, f32([]int{2, 4}, nan, nan, nan, nan, -1e30, -1e30, 1e30, 1e30), list(0, 0)}}.run(t)[0]
	require.Len(t, y.Float32s(), 6, "regions without end are no work without end")
}

func TestReverseSequence(t *testing.T) {
	for _, kind := range []ir.DType{ir.Float32, ir.Int64, ir.Uint8} {
		x := numbered(kind, 4, 3, 2)
		for batch := range 2 {
			lengths := list([]int64{4, 0, 2}...)
			if batch == 0 {
				lengths = list([]int64{3, 1, 2, 0}...)
			}
			y := node{op: "ReverseSequence", attrs: attrs("batch_axis", integer(int64(batch)), "time_axis", integer(int64(1-batch))), in: []*ir.Tensor{x, lengths}}.run(t)[0]
			_, got := typed(t, y, kind)
			_, from := typed(t, x, kind)
			each(x.Dims, func(i []int, k int) {
				b, time := i[batch], i[1-batch]
				if n := int(lengths.Int64s()[b]); time < n {
					time = n - 1 - time
				}
				src := []int{b, time, i[2]}
				if batch == 1 {
					src[0], src[1] = time, b
				}
				require.Equal(t, from[offset(x.Dims, src...)], got[k])
			})
		}
	}
	_, err := node{op: "ReverseSequence", in: []*ir.Tensor{numbered(ir.Float32, 2, 2), list(1, 3)}}.try()
	require.ErrorContains(t, err, "sequence_lens[1] is 3, want one in [0, 2]")
}
