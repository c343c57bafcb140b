package graph_test

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// double is x as float64.
func double(x *ir.Tensor) *ir.Tensor {
	y := ir.NewTensor(ir.Float64, x.Dims...)
	for i, v := range x.Float32s() {
		y.Float64s()[i] = float64(v)
	}
	return y
}

// numbers are a float tensor's elements.
func numbers(x *ir.Tensor) []float64 {
	if x.Type == ir.Float64 {
		return x.Float64s()
	}
	list := make([]float64, x.Len())
	for i, v := range x.Float32s() {
		list[i] = float64(v)
	}
	return list
}

// closeTo compares by the norm of all results, which is what transforms are accurate to.
func closeTo(t *testing.T, want []float64, got *ir.Tensor, tolerance float64, what string) {
	t.Helper()
	have := numbers(got)
	require.Len(t, have, len(want), what)
	most := 1.0
	for _, w := range want {
		most = max(most, math.Abs(w))
	}
	for i, w := range want {
		if !(math.Abs(have[i]-w) <= tolerance*most) {
			require.Fail(t, what, "element %d: got %v, want %v", i, have[i], w)
		}
	}
}

// sums is Σ z[t]·e^(∓2πi·k·t/n) for all k.
func sums(z []complex128, inverse bool) []complex128 {
	n := len(z)
	list := make([]complex128, n)
	for k := range list {
		for i, v := range z {
			turn := -2 * math.Pi * float64(k*i%n) / float64(n)
			if inverse {
				turn = -turn
			}
			list[k] += v * cmplx.Rect(1, turn)
		}
		if inverse {
			list[k] /= complex(float64(n), 0)
		}
	}
	return list
}

// Along each axis, of real and complex data, whole and half, forward and back, cut off and
// filled up with 0.
func TestDFT(t *testing.T) {
	for _, dims := range [][]int{{7}, {2, 12}, {3, 5, 4}, {2, 3, 10, 2}} {
		for axis := range dims {
			for _, parts := range []int{1, 2} {
				for _, length := range []int{0, 4, 9} {
					for mode := range 4 {
						half, back := mode&1 == 1, mode&2 == 2
						if half && back && parts == 1 || half && !back && parts == 2 {
							continue
						}
						x := random(uint64(axis+parts), append(append([]int{}, dims...), parts)...)
						n := dims[axis]
						bins := n
						if half && back {
							n = 2*n - 2
						}
						if length > 0 {
							n = length
						}
						if half && !back {
							bins = n/2 + 1
						} else {
							bins = n
						}
						if n == 0 {
							continue
						}
						in := numbers(x)
						outDims := append(append([]int{}, dims...), 2)
						outDims[axis] = bins
						if half && back {
							outDims[len(dims)] = 1
						}
						want := make([]float64, ir.Elements(outDims))
						inner := ir.Elements(dims[axis+1:])
						for o := range ir.Elements(dims[:axis]) {
							for i := range inner {
								z := make([]complex128, n)
								for k := range min(n, dims[axis]) {
									at := ((o*dims[axis]+k)*inner + i) * parts
									z[k] = complex(in[at], 0)
									if parts == 2 {
										z[k] = complex(in[at], in[at+1])
									}
								}
								if half && back {
									for k := n/2 + 1; k < n; k++ {
										z[k] = cmplx.Conj(z[n-k])
									}
								}
								out := sums(z, back)
								for k := range bins {
									at := (o*bins+k)*inner + i
									if half && back {
										want[at] = real(out[k])
									} else {
										want[2*at], want[2*at+1] = real(out[k]), imag(out[k])
									}
								}
							}
						}
						what := fmt.Sprintf("%v along %d to %d, mode %d", x.Dims, axis, n, mode)
						a := attrs("onesided", integer(int64(mode&1)), "inverse", integer(int64(mode>>1)))
						var size *ir.Tensor
						if length > 0 {
							size = i64(nil, int64(length))
						}
						y := node{op: "DFT", version: 20, attrs: a, in: []*ir.Tensor{x, size, i64(nil, int64(axis))}}.run(t)[0]
						require.Equal(t, outDims, append([]int{}, y.Dims...), what)
						closeTo(t, want, y, 1e-6, what)
						if mode == 0 && length == 0 {
							a["axis"] = integer(int64(axis - len(x.Dims)))
							require.Equal(t, y.Data, node{op: "DFT", version: 17, attrs: a, in: []*ir.Tensor{x}}.run(t)[0].Data, what)
							delete(a, "axis")
							closeTo(t, want, node{op: "DFT", version: 20, attrs: a, in: []*ir.Tensor{double(x), nil, i64(nil, int64(axis))}}.run(t)[0], 1e-13, what)
						}
					}
				}
			}
		}
	}
	// The axis that is not given.
	x := random(1, 2, 3, 8, 1)
	require.Equal(t, []int{2, 3, 8, 2}, node{op: "DFT", version: 20, in: []*ir.Tensor{x}}.run(t)[0].Dims)
	for want, n := range map[string]node{
		"axis is 3, which are real and imaginary parts in [2 3 8 1]":           {in: []*ir.Tensor{x, nil, i64(nil, 3)}},
		"axis is 4, want one in [-4, 3]":                                       {in: []*ir.Tensor{x, nil, i64(nil, 4)}},
		"the input has dimensions [2 3], want [..., n, ..., 1 or 2]":           {in: []*ir.Tensor{random(1, 2, 3)}},
		"dft_length is 0, want 1 to":                                           {in: []*ir.Tensor{x, i64(nil, 0)}},
		"dft_length is -5, want 1 to":                                          {in: []*ir.Tensor{x, i64(nil, -5)}},
		"transforms of 2000000000 elements take more than the session's limit": {in: []*ir.Tensor{x, i64(nil, 2000000000)}},
		"the input has dimensions [2 0 1]: nothing along axis 1":               {in: []*ir.Tensor{random(1, 2, 0, 1)}},
		"a real signal of half a spectrum comes from pairs, not from [2 3 8 1]": {in: []*ir.Tensor{x},
			attrs: attrs("inverse", integer(1), "onesided", integer(1))},
	} {
		n.op, n.version = "DFT", 20
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
}

func TestSTFT(t *testing.T) {
	for _, c := range []struct {
		length, frame, step, parts int
		half, windowed             bool
	}{
		{40, 8, 3, 1, true, true}, {41, 9, 4, 1, true, true}, {1600, 400, 160, 1, true, true}, {30, 10, 10, 1, false, false},
		{30, 15, 1, 2, false, true}, {20, 20, 7, 1, true, false}, {100, 37, 11, 2, false, false},
	} {
		x, window := random(3, 2, c.length, c.parts), random(4, c.frame)
		frames, bins := (c.length-c.frame)/c.step+1, c.frame
		if c.half {
			bins = c.frame/2 + 1
		}
		var want []float64
		for b := range 2 {
			for f := range frames {
				z := make([]complex128, c.frame)
				for k := range z {
					at := (b*c.length + f*c.step + k) * c.parts
					z[k] = complex(numbers(x)[at], 0)
					if c.parts == 2 {
						z[k] = complex(numbers(x)[at], numbers(x)[at+1])
					}
					if c.windowed {
						z[k] *= complex(numbers(window)[k], 0)
					}
				}
				for _, v := range sums(z, false)[:bins] {
					want = append(want, real(v), imag(v))
				}
			}
		}
		in := []*ir.Tensor{x, i64(nil, int64(c.step)), window, nil}
		if !c.windowed {
			in[2], in[3] = nil, i64(nil, int64(c.frame))
		}
		a := attrs("onesided", integer(0))
		if c.half {
			a = nil // the default
		}
		y := node{op: "STFT", version: 17, attrs: a, in: in}.run(t)[0]
		require.Equal(t, []int{2, frames, bins, 2}, append([]int{}, y.Dims...))
		closeTo(t, want, y, 1e-6, fmt.Sprint(c))
		in[0] = double(x)
		if in[2] != nil {
			in[2] = double(in[2])
		}
		closeTo(t, want, node{op: "STFT", version: 17, attrs: a, in: in}.run(t)[0], 1e-12, fmt.Sprint(c))
	}
	x := random(1, 1, 20)
	require.Equal(t, []int{1, 2, 6, 2}, node{op: "STFT", version: 17, in: []*ir.Tensor{x, i64(nil, 9), nil, i64(nil, 10)}}.run(t)[0].Dims)
	for want, in := range map[string][]*ir.Tensor{
		"frame_step is 0, want 1 to":                                   {x, i64(nil, 0), random(1, 4)},
		"the window has dimensions [4], want [5]":                      {x, i64(nil, 1), random(1, 4), i64(nil, 5)},
		"there is neither a window nor a frame_length":                 {x, i64(nil, 1)},
		"the signal has dimensions [1 20], shorter than a frame of 21": {x, i64(nil, 1), nil, i64(nil, 21)},
		"onesided is 1 for a signal of pairs, [1 20 2]":                {random(1, 1, 20, 2), i64(nil, 1), nil, i64(nil, 4)},
		"the signal has dimensions [20], want [batch, length]":         {random(1, 20), i64(nil, 1), nil, i64(nil, 4)},
	} {
		_, err := node{op: "STFT", version: 17, in: in}.try()
		require.ErrorContains(t, err, want)
	}
}

func TestSignalWindows(t *testing.T) {
	for name, f := range map[string]func(turn float64) float64{
		"HannWindow":     func(turn float64) float64 { return math.Pow(math.Sin(turn/2), 2) },
		"HammingWindow":  func(turn float64) float64 { return 25.0/46 - 21.0/46*math.Cos(turn) },
		"BlackmanWindow": func(turn float64) float64 { return 0.42 - 0.5*math.Cos(turn) + 0.08*math.Cos(2*turn) },
	} {
		for _, size := range []int{1, 2, 9, 400} {
			for periodic := range 2 {
				want := make([]float64, size)
				for k := range want {
					want[k] = f(2 * math.Pi * float64(k) / float64(max(size-1+periodic, 1)))
				}
				a := attrs("periodic", integer(int64(periodic)))
				near(t, want, node{op: name, version: 17, attrs: a, in: []*ir.Tensor{i64(nil, int64(size))}}.run(t)[0], 1e-7, name)
				a["output_datatype"] = integer(int64(ir.Float64))
				closeTo(t, want, node{op: name, version: 17, attrs: a, in: []*ir.Tensor{i64(nil, int64(size))}}.run(t)[0], 1e-15, name)
			}
		}
		_, err := node{op: name, version: 17, in: []*ir.Tensor{i64(nil, -1)}}.try()
		require.ErrorContains(t, err, "size is -1, want 0 to")
		_, err = node{op: name, version: 17, attrs: attrs("output_datatype", integer(8)), in: []*ir.Tensor{i64(nil, 4)}}.try()
		require.ErrorContains(t, err, name+" output_datatype that is no type of numbers")
	}
}

// Each row of the matrix has the triangles of two bands, which meet at a sum of about one
// between the centres of the first band and of the last.
func TestMelWeightMatrix(t *testing.T) {
	in := []*ir.Tensor{i64(nil, 80), i64(nil, 4096), i64(nil, 16000), f32(nil, 20), f32(nil, 7600)}
	y := node{op: "MelWeightMatrix", version: 17, in: in}.run(t)[0]
	require.Equal(t, []int{2049, 80}, y.Dims)
	edge := func(i int) int {
		low, high := 2595*math.Log10(1+20.0/700), 2595*math.Log10(1+7600.0/700)
		return int(4097 * 700 * (math.Pow(10, (low+float64(i)*(high-low)/82)/2595) - 1) / 16000)
	}
	for k := range 2049 {
		for band := range 80 {
			low, centre, high := float64(edge(band)), float64(edge(band+1)), float64(edge(band+2))
			want := max(0, min((float64(k)-low)/(centre-low), (high-float64(k))/(high-centre)))
			if float64(k) == centre {
				want = 1
			}
			require.InDelta(t, want, float64(y.Float32s()[k*80+band]), 1e-6, "%d %d", k, band)
		}
	}
	for want, change := range map[string][]*ir.Tensor{
		"num_mel_bins is 0, want 1 to": {i64(nil, 0), in[1], in[2], in[3], in[4]},
		"sample_rate is -1, want 1 to": {in[0], in[1], i64(nil, -1), in[3], in[4]},
		"upper_edge_hertz is NaN":      {in[0], in[1], in[2], in[3], f32(nil, float32(math.NaN()))},
		"the bands go from 20 to 16000 hertz, want edges in their order and up to half of the sample rate, 16000": {in[0], in[1], in[2], in[3], f32(nil, 16000)},
		"the bands go from 7600 to 20 hertz": {in[0], in[1], in[2], in[4], in[3]},
	} {
		_, err := node{op: "MelWeightMatrix", version: 17, in: change}.try()
		require.ErrorContains(t, err, want)
	}
}
