package compute

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

func winogradShape(in, out int, pads ...int) ConvShape {
	return ConvShape{InChannels: in, OutChannels: out, Groups: 1,
		Window: Window{KernelH: 3, KernelW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: pads[0], PadLeft: pads[1], PadBottom: pads[2], PadRight: pads[3]}}
}

func TestWinograd(t *testing.T) {
	defer func(held bool) { tall = held }(tall)
	clamps, turn := []Clamp{NoClamp, ReLU, ReLU6}, 0
	for _, c := range [][2]int{{32, 33}, {37, 42}} {
		for _, size := range [][2]int{{7, 7}, {6, 9}, {3, 1}, {43, 38}} {
			if size[0] > 20 && c[0] == 32 { // more rows of tiles than are transformed at a time
				continue
			}
			for _, s := range []ConvShape{winogradShape(c[0], c[1], 1, 1, 1, 1), winogradShape(c[0], c[1], 0, 0, 0, 0), winogradShape(c[0], c[1], 2, 0, 0, 1)} {
				h, w := size[0], size[1]
				oh, ow := s.OutSize(h, w)
				if oh*ow == 0 {
					continue
				}
				name := fmt.Sprintf("%+v on %d×%d", s, h, w)
				turn++
				r, clamp := testkit.Rand(uint64(turn)), clamps[turn%3]
				const n = 2
				weights, bias := testkit.Normal(r, s.OutChannels*s.InChannels*9, 0, 1), testkit.Normal(r, s.OutChannels, 0, 1)
				plain := testkit.Normal(r, n*s.InChannels*h*w, 0, 1)
				residual := testkit.Normal(r, n*s.OutChannels*oh*ow, 0, 1)
				x := testkit.Input("x", blocked(plain, n, s.InChannels, h*w, 7), 1)
				conv := PackWinograd(s, weights, bias, clamp)
				scratch := testkit.Output("scratch", conv.ScratchLen(h, w), 0)
				var first []float32
				for _, tall = range []bool{false, true} {
					y := testkit.InOut("y", blocked(residual, n, s.OutChannels, oh*ow, 0), 2) // the sum replaces what is added
					conv.Run(y.S, x.S, y.S, n, h, w, scratch.S)
					if first == nil {
						first = append([]float32(nil), y.S...)
					}
					testkit.SameBits(t, first, y.S, "%s: other tiles", name)
					for _, o := range []*testkit.Operand{x, y, scratch} {
						o.Check(t, "%s", name)
					}
				}
				each := len(first) / n
				for i, got := range first {
					image, o, p := i/each, i%each/(oh*ow*Lanes)*Lanes+i%Lanes, i/Lanes%(oh*ow)
					if o >= s.OutChannels {
						require.Zero(t, got, "%s: no channel", name)
						continue
					}
					if i%31 != 0 && h > 20 {
						continue
					}
					want := convOracle(s, plain, weights, bias, h, w, image, o, p/ow, p%ow)
					want.add(float64(residual[(image*s.OutChannels+o)*oh*ow+p]))
					requireSum(t, got, want, clamp, name, image, o, p/ow, p%ow)
				}
			}
		}
	}
}

// What is infinite, NaN, or so large that differences of it are, stays in its place.
func TestWinogradOfInfinity(t *testing.T) {
	const h, w = 9, 8
	s := winogradShape(32, 40, 1, 1, 1, 1)
	r := testkit.Rand(3)
	weights, bias := testkit.Normal(r, s.OutChannels*s.InChannels*9, 0, 1), testkit.Normal(r, s.OutChannels, 0, 1)
	plain := testkit.Normal(r, s.InChannels*h*w, 0, 1)
	direct, fewer := PackBlockedConv(s, weights, bias, NoClamp, false, false), PackWinograd(s, weights, bias, NoClamp)
	direct.Apply, fewer.Apply = Function{F: HardSwish, A: 0.01, B: 0.5}, Function{F: HardSwish, A: 0.01, B: 0.5}
	a, b := make([]float32, 40*h*w), make([]float32, 40*h*w)
	for _, v := range []float64{0.5, math.Inf(1), math.Inf(-1), math.NaN(), 3e38, -1e37} {
		plain[5*h*w+3*w+4] = float32(v)
		x := blocked(plain, 1, s.InChannels, h*w, 0)
		direct.Run(a, x, nil, 1, h, w, make([]float32, direct.ScratchLen(h, w)))
		fewer.Run(b, x, nil, 1, h, w, make([]float32, fewer.ScratchLen(h, w)))
		wild := 0
		for i, want := range a {
			if e := float64(want); math.IsNaN(e) || math.Abs(e) > 1e30 {
				wild++
				got := float64(b[i])
				require.True(t, math.IsNaN(e) && math.IsNaN(got) || e == got || math.Abs(e-got) < 1e-6*math.Abs(v), "%v: element %d is %v, want %v", v, i, got, e)
			} else {
				require.InDelta(t, want, b[i], 1e-3, "%v: element %d", v, i)
			}
		}
		if v != 0.5 {
			require.NotZero(t, wild, "%v", v)
			require.LessOrEqual(t, wild, 9*40, "%v", v)
		}
	}
}

// How far results are from the exact ones, beside those of all products.
func TestWinogradAccuracy(t *testing.T) {
	const h, w = 14, 14
	s := winogradShape(64, 64, 1, 1, 1, 1)
	r := testkit.Rand(5)
	weights := testkit.Normal(r, s.OutChannels*s.InChannels*9, 0, 1)
	plain := testkit.Normal(r, s.InChannels*h*w, 0, 1)
	x := blocked(plain, 1, s.InChannels, h*w, 0)
	var errors [2]float64
	for i, c := range []*BlockedConv{PackBlockedConv(s, weights, nil, NoClamp, false, false), PackWinograd(s, weights, nil, NoClamp)} {
		y := make([]float32, 64*h*w)
		c.Run(y, x, nil, 1, h, w, make([]float32, c.ScratchLen(h, w)))
		for p := 0; p < len(y); p += 5 {
			want := convOracle(s, plain, weights, nil, h, w, 0, p/(h*w*Lanes)*Lanes+p%Lanes, p/Lanes%(h*w)/w, p/Lanes%w)
			errors[i] += math.Pow(float64(y[p])-want.value, 2)
		}
	}
	ratio := math.Sqrt(errors[1] / errors[0])
	t.Log("error beside that of all products:", ratio)
	assert.Less(t, ratio, 2.0)
}

func TestWinogradShapes(t *testing.T) {
	s := winogradShape(64, 64, 1, 1, 1, 1)
	assert.True(t, s.Winograd())
	for what, change := range map[string]func(s *ConvShape){
		"stride": func(s *ConvShape) { s.StrideW = 2 }, "dilation": func(s *ConvShape) { s.DilationH = 2 }, "kernel": func(s *ConvShape) { s.KernelH = 1 },
		"groups": func(s *ConvShape) { s.Groups = 2 }, "few channels": func(s *ConvShape) { s.OutChannels = 8 }, "memory": func(s *ConvShape) { s.InChannels = 512 },
	} {
		u := s
		change(&u)
		assert.False(t, u.Winograd(), what)
	}
	_, ok := PackWinograd(s, make([]float32, 64*64*9), nil, NoClamp).With(winogradShape(64, 64, 0, 0, 1, 2))
	assert.True(t, ok)
}
