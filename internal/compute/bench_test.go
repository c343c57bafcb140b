package compute

import (
	"fmt"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
)

// Shapes come from real models: a text recognizer, a face detector, a small GPT.

// operations reports GFLOP/s, a product and its addition counting as two.
func operations(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range [][3]int{{480, 480, 480}, {64, 64, 64}, {40, 120, 480}, {1, 768, 768}, {120, 1, 480}, {64, 2304, 768}} {
		g := Gemm{M: s[0], N: s[1], K: s[2]}
		r := testkit.Rand(1)
		x, w := testkit.Normal(r, g.M*g.K, 0, 1), testkit.Normal(r, g.K*g.N, 0, 1)
		y, scratch := make([]float32, g.M*g.N), make([]float32, g.ScratchLen())
		packed := g.PackB(w)
		name := fmt.Sprintf("m=%d/n=%d/k=%d", g.M, g.N, g.K)
		b.Run(name+"/b=packed", func(b *testing.B) {
			for b.Loop() {
				g.RunPacked(y, x, packed, scratch)
			}
			operations(b, 2*g.M*g.N*g.K)
		})
		b.Run(name+"/b=plain", func(b *testing.B) {
			for b.Loop() {
				g.Run(y, x, w, scratch)
			}
			operations(b, 2*g.M*g.N*g.K)
		})
	}
}

func BenchmarkConv(b *testing.B) {
	k1 := Window{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}
	k3 := Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	k3s2 := Window{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	k5 := Window{5, 5, 1, 1, 1, 1, 2, 2, 2, 2}
	for _, c := range []struct {
		name string
		s    ConvShape
		h, w int
	}{
		{"3x3", ConvShape{k3, 64, 64, 1, nil}, 30, 40},
		{"3x3first", ConvShape{k3s2, 3, 16, 1, nil}, 240, 320},
		{"3x3small", ConvShape{k3, 64, 64, 1, nil}, 8, 10},
		{"1x1", ConvShape{k1, 64, 128, 1, nil}, 24, 80},
		{"1x1pixel", ConvShape{k1, 480, 120, 1, nil}, 1, 1},
		{"depthwise3", ConvShape{k3, 64, 64, 64, nil}, 30, 40},
		{"depthwise3s2", ConvShape{k3s2, 64, 64, 64, nil}, 60, 80},
		{"depthwise5", ConvShape{k5, 120, 120, 120, nil}, 12, 80},
	} {
		oh, ow := c.s.OutSize(c.h, c.w)
		r := testkit.Rand(1)
		weights := c.s.OutChannels * c.s.InChannels / c.s.Groups * c.s.KernelH * c.s.KernelW
		conv := PackConv(c.s, testkit.Normal(r, weights, 0, 1), nil, ReLU, false)
		x, y := testkit.Normal(r, c.s.InChannels*c.h*c.w, 0, 1), make([]float32, c.s.OutChannels*oh*ow)
		scratch := make([]float32, conv.ScratchLen(c.h, c.w))
		b.Run(fmt.Sprintf("%s/in=%d/out=%d/h=%d/w=%d", c.name, c.s.InChannels, c.s.OutChannels, c.h, c.w), func(b *testing.B) {
			for b.Loop() {
				conv.Run(y, x, 1, c.h, c.w, scratch)
			}
			operations(b, 2*weights*oh*ow)
		})
	}
}

func BenchmarkElementwise(b *testing.B) {
	const n = 16384
	r := testkit.Rand(1)
	x, y := testkit.Normal(r, n, 0, 2), make([]float32, n)
	for _, f := range []struct {
		name string
		run  func(y, x []float32)
	}{
		{"Relu", Relu}, {"Exp", Exp}, {"Sigmoid", Sigmoid}, {"Silu", Silu}, {"Tanh", Tanh}, {"Erf", Erf}, {"Gelu", Gelu}, {"GeluTanh", GeluTanh},
		{"HardSwish", func(y, x []float32) { HardSwish(y, x, 1.0/6, 0.5) }},
		{"Add", func(y, x []float32) { Add(y, x, 0, 1, x, 0, 1, 1, n) }},
		{"AddRow", func(y, x []float32) { Add(y, x, 128, 1, x, 0, 1, n/128, 128) }},
		{"Softmax", func(y, x []float32) { Softmax(y, x, n/128, 128, 1, nil) }},
		{"Sum", func(y, x []float32) { ReduceSum.Run(y, x, n/128, 128, 1) }},
		{"Transpose", func(y, x []float32) { Transpose(y, x, []int{128, 128}, []int{1, 0}) }},
	} {
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(8 * n)
			for b.Loop() {
				f.run(y, x)
			}
		})
	}
}

func BenchmarkPool(b *testing.B) {
	p := Pool{Window: Window{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}}
	x, y := make([]float32, 64*48*160), make([]float32, 64*24*80)
	scratch := make([]float32, p.ScratchLen(48, 160))
	b.Run("max2x2", func(b *testing.B) {
		b.SetBytes(int64(4 * len(x)))
		for b.Loop() {
			p.Max(y, x, 64, 48, 160, scratch)
		}
	})
	b.Run("average2x2", func(b *testing.B) {
		b.SetBytes(int64(4 * len(x)))
		for b.Loop() {
			p.Average(y, x, 64, 48, 160, scratch)
		}
	})
}

func BenchmarkBlockedConv(b *testing.B) {
	k1 := Window{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}
	k3 := Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	k3s2 := Window{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	for _, c := range []struct {
		name   string
		s      ConvShape
		size   int
		planes bool
	}{
		{"first", ConvShape{k3s2, 3, 32, 1, nil}, 224, true},
		{"3x3", ConvShape{k3, 64, 64, 1, nil}, 56, false},
		{"3x3", ConvShape{k3, 128, 128, 1, nil}, 28, false},
		{"3x3", ConvShape{k3, 256, 256, 1, nil}, 14, false},
		{"3x3", ConvShape{k3, 512, 512, 1, nil}, 7, false},
		{"1x1", ConvShape{k1, 16, 96, 1, nil}, 112, false},
		{"1x1", ConvShape{k1, 24, 144, 1, nil}, 56, false},
		{"1x1", ConvShape{k1, 144, 24, 1, nil}, 56, false},
		{"1x1", ConvShape{k1, 32, 192, 1, nil}, 28, false},
		{"1x1", ConvShape{k1, 96, 576, 1, nil}, 14, false},
		{"1x1", ConvShape{k1, 576, 96, 1, nil}, 14, false},
		{"1x1", ConvShape{k1, 160, 960, 1, nil}, 7, false},
		{"1x1", ConvShape{k1, 960, 160, 1, nil}, 7, false},
		{"depthwise", ConvShape{k3, 32, 32, 32, nil}, 112, false},
		{"depthwise", ConvShape{k3s2, 96, 96, 96, nil}, 112, false},
		{"depthwise", ConvShape{k3, 144, 144, 144, nil}, 56, false},
		{"depthwise", ConvShape{k3, 192, 192, 192, nil}, 28, false},
		{"depthwise", ConvShape{k3, 576, 576, 576, nil}, 14, false},
		{"depthwise", ConvShape{k3, 960, 960, 960, nil}, 7, false},
	} {
		oh, ow := c.s.OutSize(c.size, c.size)
		r := testkit.Rand(1)
		weights := c.s.OutChannels * c.s.InChannels / c.s.Groups * c.s.KernelH * c.s.KernelW
		conv := PackBlockedConv(c.s, testkit.Normal(r, weights, 0, 1), nil, ReLU6, c.planes, false)
		in := c.s.InChannels
		if !c.planes {
			in = ChannelBlocks(in) * Lanes
		}
		x, y := testkit.Normal(r, in*c.size*c.size, 0, 1), make([]float32, ChannelBlocks(c.s.OutChannels)*Lanes*oh*ow)
		scratch := make([]float32, conv.ScratchLen(c.size, c.size))
		b.Run(fmt.Sprintf("%s/in=%d/out=%d/size=%d", c.name, c.s.InChannels, c.s.OutChannels, c.size), func(b *testing.B) {
			for b.Loop() {
				conv.Run(y, x, nil, 1, c.size, c.size, scratch)
			}
			operations(b, 2*weights*oh*ow)
		})
	}
}
