package norm

import (
	"strconv"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
)

// Shapes of real models: a small classifier's head, BERT and GPT-2 with 64 and
// 2048 tokens, a wide MLP.
var layerShapes = [][2]int{{128, 64}, {64, 768}, {2048, 768}, {16, 4096}}

func BenchmarkLayerNorm(b *testing.B) {
	for _, s := range layerShapes {
		rows, cols := s[0], s[1]
		r := testkit.Rand(1)
		x, y := testkit.Normal(r, rows*cols, 0.1, 1), make([]float32, rows*cols)
		gamma, beta := testkit.Normal(r, cols, 1, 0.1), testkit.Normal(r, cols, 0, 0.1)
		b.Run("rows="+strconv.Itoa(rows)+"/cols="+strconv.Itoa(cols), func(b *testing.B) {
			b.SetBytes(int64(8 * rows * cols)) // read and written
			for b.Loop() {
				_ = LayerNormRows(y, nil, nil, x, nil, gamma, beta, rows, cols, 1e-5)
			}
		})
	}
}

func BenchmarkLayerNormResidual(b *testing.B) {
	const rows, cols = 64, 768
	r := testkit.Rand(1)
	x, residual, y := testkit.Normal(r, rows*cols, 0.1, 1), testkit.Normal(r, rows*cols, 0.1, 1), make([]float32, rows*cols)
	b.SetBytes(12 * rows * cols)
	for b.Loop() {
		_ = LayerNormRows(y, nil, nil, x, residual, nil, nil, rows, cols, 1e-5)
	}
}

// ConvNeXt's normalization of channels first.
func BenchmarkLayerNormStrided(b *testing.B) {
	for _, s := range [][]int{{1, 96, 56, 56}, {1, 768, 7, 7}} {
		plan, err := NewLayerNorm(s, []int{1}, 1e-5)
		if err != nil {
			b.Fatal(err)
		}
		n := plan.Rows() * plan.Cols()
		x, y := testkit.Normal(testkit.Rand(1), n, 0.1, 1), make([]float32, n)
		b.Run("channels="+strconv.Itoa(s[1])+"/pixels="+strconv.Itoa(s[2]*s[3]), func(b *testing.B) {
			b.SetBytes(int64(8 * n))
			for b.Loop() {
				_ = plan.Forward(y, nil, nil, x, nil, nil, nil)
			}
		})
	}
}

func BenchmarkBatchNorm(b *testing.B) {
	for _, c := range []struct {
		name  string
		shape []int
		axis  int
	}{
		{"nchw=1x64x56x56", []int{1, 64, 56, 56}, 1},
		{"nchw=8x32x32x32", []int{8, 32, 32, 32}, 1},
		{"nchw=1x512x7x7", []int{1, 512, 7, 7}, 1},
		{"nchw=1x960x3x3", []int{1, 960, 3, 3}, 1},
		{"nhwc=1x56x56x64", []int{1, 56, 56, 64}, 3},
		{"nhwc=1x224x224x3", []int{1, 224, 224, 3}, 3},
	} {
		plan, err := NewBatchNorm(c.shape, c.axis, 1e-5, ReLU)
		if err != nil {
			b.Fatal(err)
		}
		n := plan.outer * plan.channels * plan.inner
		x, y := testkit.Normal(testkit.Rand(1), n, 0, 1), make([]float32, n)
		if err := plan.Prepare(batchParameters(1, plan.Channels())); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(8 * n))
			for b.Loop() {
				_ = plan.Apply(y, x)
			}
		})
	}
}

// Forward and backward of the larger family, in the shapes of ResNet, a diffusion
// network and a small language model.
func BenchmarkFamily(b *testing.B) {
	type pass struct {
		name            string
		shape           []int
		forward, gradOf func(y, dy, x []float32) error
	}
	var passes []pass
	for _, layout := range []Layout{NCHW, NHWC} {
		for _, s := range [][]int{{8, 64, 28, 28}, {8, 256, 7, 7}} {
			n, c, h, w := s[0], s[1], s[2], s[3]
			name, shape := "nchw", s
			if layout == NHWC {
				name, shape = "nhwc", []int{n, h, w, c}
			}
			name += "=" + strconv.Itoa(n) + "x" + strconv.Itoa(c) + "x" + strconv.Itoa(h*w)
			l, err := NewBatchNormLayer(c, PyTorch)
			if err != nil {
				b.Fatal(err)
			}
			l.Layout = layout
			dg, db := make([]float32, c), make([]float32, c)
			passes = append(passes, pass{name: "BatchNorm/" + name, shape: shape,
				forward: func(y, _, x []float32) error { return l.Forward(y, x, shape, true, true) },
				gradOf:  func(dx, dy, x []float32) error { return l.Backward(dx, dg, db, dy, x) }})
			for _, groups := range []int{32, c} {
				g, err := NewGroupNorm(shape, layout, groups, 1e-5)
				if err != nil {
					b.Fatal(err)
				}
				m, r := make([]float32, g.Stats()), make([]float32, g.Stats())
				passes = append(passes, pass{name: "GroupNorm/groups=" + strconv.Itoa(groups) + "/" + name, shape: shape,
					forward: func(y, _, x []float32) error { return g.Forward(y, m, r, x, dg, db) },
					gradOf:  func(dx, dy, x []float32) error { return g.Backward(dx, dg, db, dy, x, m, r, dg) }})
			}
		}
	}
	rows := []int{256, 768}
	layer, _ := NewLayerNorm(rows, []int{1}, 1e-5)
	rms, _ := NewRMSNorm(rows, []int{1}, 1e-5)
	lp, _ := NewLpNorm(rows, 1, 2, 0)
	lrn, _ := NewLocalResponseNorm([]int{1, 96, 55, 55}, 5, 1e-4, 0.75, 1)
	m, r, g, db := make([]float32, 256), make([]float32, 256), make([]float32, 768), make([]float32, 768)
	passes = append(passes,
		pass{name: "LayerNorm/rows=256/cols=768", shape: rows,
			forward: func(y, _, x []float32) error { return layer.Forward(y, m, r, x, nil, g, db) },
			gradOf:  func(dx, dy, x []float32) error { return layer.Backward(dx, g, db, dy, x, m, r, g) }},
		pass{name: "RMSNorm/rows=256/cols=768", shape: rows,
			forward: func(y, _, x []float32) error { return rms.Forward(y, nil, r, x, nil, g) },
			gradOf:  func(dx, dy, x []float32) error { return rms.Backward(dx, g, dy, x, r, g) }},
		pass{name: "LpNorm/rows=256/cols=768", shape: rows, forward: func(y, _, x []float32) error { return lp.Forward(y, x) }, gradOf: lp.Backward},
		pass{name: "LocalResponseNorm/nchw=1x96x3025", shape: []int{1, 96, 55, 55}, forward: func(y, _, x []float32) error { return lrn.Forward(y, x) }, gradOf: lrn.Backward})
	for _, p := range passes {
		n := product64(p.shape)
		x, dy, y := testkit.Normal(testkit.Rand(1), n, 0.1, 1), testkit.Normal(testkit.Rand(2), n, 0, 1), make([]float32, n)
		for name, run := range map[string]func(y, dy, x []float32) error{"forward": p.forward, "backward": p.gradOf} {
			if err := p.forward(y, dy, x); err != nil {
				b.Fatal(err)
			}
			b.Run(p.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(8 * n)) // x read, y written; dy comes on top in a backward pass
				for b.Loop() {
					_ = run(y, dy, x)
				}
			})
		}
	}
}

// Gradients of Σy²/2, which cancel, beside those of another loss.
func BenchmarkGradientsThatCancel(b *testing.B) {
	run := func(name string, x, y []float32, backward func(dx, dy []float32) error) {
		dx := make([]float32, len(x))
		for loss, dy := range map[string][]float32{"squares": y, "other": testkit.Normal(testkit.Rand(2), len(x), 0, 1)} {
			b.Run(name+"/"+loss, func(b *testing.B) {
				b.SetBytes(int64(8 * len(x)))
				for b.Loop() {
					if err := backward(dx, dy); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	for _, layout := range []Layout{NCHW, NHWC} {
		x := testkit.Normal(testkit.Rand(1), 1<<19, 0.1, 1)
		l, err := NewBatchNormLayer(32, PyTorch)
		if err != nil {
			b.Fatal(err)
		}
		l.Layout = layout
		y, name, shape := make([]float32, len(x)), "BatchNorm/nchw=16x32x1024", []int{16, 32, 1024}
		if layout == NHWC {
			name, shape = "BatchNorm/nhwc=16x1024x32", []int{16, 1024, 32}
		}
		if err := l.Forward(y, x, shape, true, false); err != nil {
			b.Fatal(err)
		}
		run(name, x, y, func(dx, dy []float32) error { return l.Backward(dx, nil, nil, dy, x) })
	}
	x, y, m, r := testkit.Normal(testkit.Rand(1), 64*768, 0.1, 1), make([]float32, 64*768), make([]float32, 64), make([]float32, 64)
	l, err := NewLayerNorm([]int{64, 768}, []int{1}, 1e-5)
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Forward(y, m, r, x, nil, nil, nil); err != nil {
		b.Fatal(err)
	}
	run("LayerNorm/rows=64/cols=768", x, y, func(dx, dy []float32) error { return l.Backward(dx, nil, nil, dy, x, m, r, nil) })
}
