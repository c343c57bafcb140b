package compute

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// convOracle is one output of a convolution, from the definition.
func convOracle(s ConvShape, x, weights, bias []float32, h, w, n, o, oy, ox int) sum {
	var acc sum
	if bias != nil {
		acc.add(float64(bias[o]))
	}
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	for c := range cg {
		ch := o/og*cg + c
		for ky := range s.KernelH {
			for kx := range s.KernelW {
				iy := oy*s.StrideH + ky*s.DilationH - s.PadTop
				ix := ox*s.StrideW + kx*s.DilationW - s.PadLeft
				if iy >= 0 && iy < h && ix >= 0 && ix < w {
					acc.add(float64(x[((n*s.InChannels+ch)*h+iy)*w+ix]) *
						float64(weights[((o*cg+c)*s.KernelH+ky)*s.KernelW+kx]))
				}
			}
		}
	}
	return acc
}

func checkConv(t *testing.T, s ConvShape, n, h, w int, withBias bool, clamp Clamp) {
	t.Helper()
	name := fmt.Sprintf("%+v on %d of %d×%d", s, n, h, w)
	r := testkit.Rand(uint64(h*1000 + w*10 + s.OutChannels))
	oh, ow := s.OutSize(h, w)
	weights := testkit.Normal(r, s.OutChannels*s.InChannels/s.Groups*s.KernelH*s.KernelW, 0, 1)
	var bias []float32
	if withBias {
		bias = testkit.Normal(r, s.OutChannels, 0, 1)
	}
	x := testkit.Input("x", testkit.Normal(r, n*s.InChannels*h*w, 0, 1), 1)
	y := testkit.Output("y", n*s.OutChannels*oh*ow, 2)
	conv := PackConv(s, weights, bias, clamp, false)
	scratch := testkit.Output("scratch", conv.ScratchLen(h, w), 0)
	conv.Run(y.S, x.S, n, h, w, scratch.S)
	for i := range n {
		for o := range s.OutChannels {
			for oy := range oh {
				for ox := range ow {
					requireSum(t, y.S[((i*s.OutChannels+o)*oh+oy)*ow+ox], convOracle(s, x.S, weights, bias, h, w, i, o, oy, ox),
						clamp, name, i, o, oy, ox)
				}
			}
		}
	}
	own := testkit.InOut("weights", weights, 3)
	if over := PackConv(s, own.S, bias, clamp, true); over.Over() {
		assert.Equal(t, 4*s.OutChannels, over.Bytes(), "%s", name)
		again := make([]float32, len(y.S))
		over.Run(again, x.S, n, h, w, scratch.S)
		testkit.SameBits(t, y.S, again, "%s: in place", name)
	} else {
		assert.NotZero(t, s.OutChannels/s.Groups%4, "%s: weights are laid out with padding", name)
		testkit.SameBits(t, weights, own.S, "%s: and are left alone", name)
	}
	for _, op := range []*testkit.Operand{x, y, scratch, own} {
		op.Check(t, "%s", name)
	}
	if clamp == NoClamp {
		checkConvTraining(t, s, n, h, w, x, weights, bias, y.S)
	}
}

// checkConvTraining holds ConvTraining to Conv's result y, bit by bit, and its gradients to
// their definition.
func checkConvTraining(t *testing.T, s ConvShape, n, h, w int, x *testkit.Operand, weights, bias, want []float32) {
	t.Helper()
	name := fmt.Sprintf("training %+v on %d of %d×%d", s, n, h, w)
	conv := NewConvTraining(s, h, w)
	oh, ow := s.OutSize(h, w)
	y := testkit.Output("y", len(want), 3)
	scratch := testkit.Output("scratch", conv.ScratchLen(), 0)
	for range 2 { // a second step finds what the first one left in scratch
		conv.Pack(weights, bias)
		conv.Run(y.S, x.S, n, scratch.S)
	}
	testkit.SameBits(t, want, y.S, "%s", name)
	dy := testkit.Input("dy", testkit.Normal(testkit.Rand(uint64(len(weights))), len(want), 0, 1), 1)
	dw, db := testkit.Output("dw", len(weights), 2), testkit.Output("db", s.OutChannels, 1)
	for range 2 {
		conv.Gradients(dw.S, db.S, dy.S, x.S, n, scratch.S)
	}
	grads, biases := make([]sum, len(weights)), make([]sum, s.OutChannels)
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	for j, d := range dy.S {
		ox, oy, o, i := j%ow, j/ow%oh, j/(ow*oh)%s.OutChannels, j/(ow*oh)/s.OutChannels
		biases[o].add(float64(d))
		for c := range cg {
			for ky := range s.KernelH {
				for kx := range s.KernelW {
					iy, ix := oy*s.StrideH+ky*s.DilationH-s.PadTop, ox*s.StrideW+kx*s.DilationW-s.PadLeft
					if iy >= 0 && iy < h && ix >= 0 && ix < w {
						v := x.S[((i*s.InChannels+o/og*cg+c)*h+iy)*w+ix]
						grads[((o*cg+c)*s.KernelH+ky)*s.KernelW+kx].add(float64(d) * float64(v))
					}
				}
			}
		}
	}
	for j, v := range dw.S {
		requireSum(t, v, grads[j], NoClamp, name+" dw ", j)
	}
	for j, v := range db.S {
		requireSum(t, v, biases[j], NoClamp, name+" db ", j)
	}
	for _, op := range []*testkit.Operand{x, y, scratch, dy, dw, db} {
		op.Check(t, "%s", name)
	}
}

func TestConvTable(t *testing.T) {
	one := Window{KernelH: 1, KernelW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}
	three := Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	with := func(g Window, change func(*Window)) Window { change(&g); return g }
	tests := []struct {
		name         string
		window       Window
		in, out, grp int
		h, w         int
	}{
		{"pointwise", one, 5, 7, 1, 3, 11},
		{"pointwise on one pixel", one, 19, 10, 1, 1, 1},
		{"pointwise, grouped", one, 8, 12, 4, 5, 5},
		{"pointwise with stride", with(one, func(g *Window) { g.StrideH, g.StrideW = 2, 2 }), 6, 5, 1, 7, 8},
		{"pointwise with pads", with(one, func(g *Window) { g.PadTop, g.PadRight = 2, 1 }), 3, 4, 1, 4, 4},
		{"3×3", three, 3, 8, 1, 9, 10},
		{"3×3 with stride 2", with(three, func(g *Window) { g.StrideH, g.StrideW = 2, 2 }), 3, 9, 1, 11, 14},
		{"3×3 with stride 2, 1", with(three, func(g *Window) { g.StrideH = 2 }), 4, 6, 1, 12, 19},
		{"3×3 with stride 1, 2", with(three, func(g *Window) { g.StrideW = 2 }), 4, 6, 1, 12, 19},
		{"3×3 with stride 3", with(three, func(g *Window) { g.StrideH, g.StrideW = 3, 3 }), 2, 5, 1, 13, 17},
		{"3×3 dilated", with(three, func(g *Window) { g.DilationH, g.DilationW = 2, 3 }), 4, 4, 1, 9, 12},
		{"3×3 without pads", with(three, func(g *Window) { g.PadTop, g.PadLeft, g.PadBottom, g.PadRight = 0, 0, 0, 0 }), 4, 4, 1, 6, 9},
		{"3×3, deep", three, 180, 5, 1, 4, 5},
		{"3×3, wide", three, 2, 3, 1, 3, 900},
		{"3×3 in two groups", three, 6, 10, 2, 5, 7},
		{"1×7 on a line", Window{1, 7, 1, 2, 1, 1, 0, 3, 0, 3}, 3, 5, 1, 1, 33},
		{"1×64 on a line", Window{1, 64, 1, 4, 1, 1, 0, 30, 0, 30}, 1, 9, 1, 1, 1024},
		{"a kernel as large as the plane", Window{6, 5, 1, 1, 1, 1, 0, 0, 0, 0}, 3, 7, 1, 6, 5},
		{"pads larger than the plane", Window{2, 2, 1, 1, 1, 1, 4, 5, 3, 6}, 1, 3, 1, 2, 2},
		{"depthwise 3×3", three, 6, 6, 6, 9, 18},
		{"depthwise 3×3 with stride 2", with(three, func(g *Window) { g.StrideH, g.StrideW = 2, 2 }), 5, 5, 5, 12, 21},
		{"depthwise 5×5 with stride 2, 1", Window{5, 5, 2, 1, 1, 1, 2, 2, 2, 2}, 4, 4, 4, 10, 23},
		{"depthwise 3×3, three filters a plane", three, 4, 12, 4, 6, 7},
		{"depthwise without pads", with(three, func(g *Window) { g.PadTop, g.PadLeft, g.PadBottom, g.PadRight = 0, 0, 0, 0 }), 3, 3, 3, 5, 8},
		{"depthwise, dilated", with(three, func(g *Window) { g.DilationH, g.DilationW = 2, 2 }), 3, 3, 3, 9, 9},
		{"one channel", three, 1, 1, 1, 5, 5},
		{"no place", Window{3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, 2, 2, 1, 2, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := ConvShape{tt.window, tt.in, tt.out, tt.grp, nil}
			checkConv(t, s, 1, tt.h, tt.w, true, NoClamp)
			checkConv(t, s, 2, tt.h, tt.w, false, ReLU6)
		})
	}
}

func randomWindow(r *rand.Rand) Window {
	g := Window{KernelH: 1 + r.IntN(5), KernelW: 1 + r.IntN(5), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3),
		DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(3)}
	g.PadTop, g.PadLeft, g.PadBottom, g.PadRight = r.IntN(3), r.IntN(4), r.IntN(3), r.IntN(4)
	return g
}

func TestConvRandom(t *testing.T) {
	r := testkit.Rand(11)
	for range 400 {
		groups := 1 + r.IntN(3)
		s := ConvShape{randomWindow(r), groups * (1 + r.IntN(4)), groups * (1 + r.IntN(6)), groups, nil}
		checkConv(t, s, 1+r.IntN(2), 1+r.IntN(12), 1+r.IntN(24), r.IntN(2) == 0, []Clamp{NoClamp, ReLU, {-2, 1}}[r.IntN(3)])
	}
}

// scatterOracle is a transposed convolution by its definition.
func scatterOracle(s ConvShape, x, weights, bias []float32, n, h, w, oh, ow int) []sum {
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	want := make([]sum, n*s.OutChannels*oh*ow)
	for j := range want {
		want[j].add(float64(bias[j/(oh*ow)%s.OutChannels]))
	}
	for j, v := range x {
		ix, iy, c, b := j%w, j/w%h, j/(w*h)%s.InChannels, j/(w*h)/s.InChannels
		for o := range og {
			for ky := range s.KernelH {
				for kx := range s.KernelW {
					oy, ox := iy*s.StrideH+ky*s.DilationH-s.PadTop, ix*s.StrideW+kx*s.DilationW-s.PadLeft
					if oy >= 0 && oy < oh && ox >= 0 && ox < ow {
						weight := weights[((c*og+o)*s.KernelH+ky)*s.KernelW+kx]
						want[((b*s.OutChannels+c/cg*og+o)*oh+oy)*ow+ox].add(float64(v) * float64(weight))
					}
				}
			}
		}
	}
	return want
}

func TestConvTranspose(t *testing.T) {
	inPlace := 0
	r := testkit.Rand(12)
	for i := range 200 {
		groups := 1 + r.IntN(2)
		s := ConvShape{randomWindow(r), groups * (1 + r.IntN(5)), groups * (1 + r.IntN(4)), groups, nil}
		h, w, n := 1+r.IntN(6), 1+r.IntN(9), 1+r.IntN(2)
		if i == 0 { // the usual doubling
			s = ConvShape{Window{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 6, 5, 1, nil}
		}
		clamp := []Clamp{NoClamp, ReLU}[r.IntN(2)]
		weights := testkit.Normal(r, s.InChannels*s.OutChannels/s.Groups*s.KernelH*s.KernelW, 0, 1)
		bias := testkit.Normal(r, s.OutChannels, 0, 1)
		conv := PackConvTranspose(s, weights, bias, clamp, false)
		oh, ow := conv.OutSize(h, w)
		oh, ow = oh+r.IntN(s.StrideH), ow+r.IntN(s.StrideW)
		if oh <= 0 || ow <= 0 {
			continue
		}
		x := testkit.Input("x", testkit.Normal(r, n*s.InChannels*h*w, 0, 1), 3)
		want := scatterOracle(s, x.S, weights, bias, n, h, w, oh, ow)
		name := fmt.Sprintf("%+v on %d of %d×%d", s, n, h, w)
		y, scratch := testkit.Output("y", len(want), 1), testkit.Output("scratch", conv.ScratchLen(h, w), 0)
		conv.Run(y.S, x.S, n, h, w, oh, ow, scratch.S)
		for j, v := range y.S {
			requireSum(t, v, want[j], clamp, name, j)
		}
		own := testkit.InOut("weights", weights, 3)
		if over := PackConvTranspose(s, own.S, bias, clamp, true); over.Over() {
			again := make([]float32, len(y.S))
			over.Run(again, x.S, n, h, w, oh, ow, scratch.S)
			testkit.SameBits(t, y.S, again, "%s: in place", name)
			inPlace++
		}
		own.Check(t, "%s", name)
		for _, op := range []*testkit.Operand{x, y, scratch} {
			op.Check(t, "%s", name)
		}
	}
	assert.Positive(t, inPlace)
}

func TestWindowSame(t *testing.T) {
	for _, n := range []int{1, 2, 5, 7, 32, 33} {
		for k := 1; k < 6; k++ {
			for stride := 1; stride < 4; stride++ {
				g := Window{KernelH: k, KernelW: k, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1}
				upper, lower := g.Same(n, n, true), g.Same(n, n, false)
				oh, ow := upper.OutSize(n, n)
				require.Equal(t, [2]int{(n + stride - 1) / stride, (n + stride - 1) / stride}, [2]int{oh, ow}, "%+v on %d", upper, n)
				require.Equal(t, upper.PadTop, lower.PadBottom)
				require.Equal(t, upper.PadRight, lower.PadLeft)
				require.LessOrEqual(t, upper.PadTop, upper.PadBottom)
			}
		}
	}
}
