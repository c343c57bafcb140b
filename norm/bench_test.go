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
		for _, path := range paths {
			b.Run("rows="+strconv.Itoa(rows)+"/cols="+strconv.Itoa(cols)+"/path="+path.name, func(b *testing.B) {
				b.SetBytes(int64(8 * rows * cols)) // read and written
				for b.Loop() {
					path.layerNormRows(&y[0], &x[0], &gamma[0], &beta[0], nil, nil, rows, cols, 1e-5)
				}
			})
		}
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
