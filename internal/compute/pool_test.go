package compute

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// poolOracle visits what one place of the window covers.
func poolOracle(p Pool, x []float32, h, w, oy, ox int) (top float64, mean sum) {
	top = math.Inf(-1)
	count := 0
	for ky := range p.KernelH {
		for kx := range p.KernelW {
			iy, ix := oy*p.StrideH+ky*p.DilationH-p.PadTop, ox*p.StrideW+kx*p.DilationW-p.PadLeft
			if iy >= 0 && iy < h && ix >= 0 && ix < w {
				v := float64(x[iy*w+ix])
				top = math.Max(top, v)
				mean.add(v)
				count++
			} else if p.CountPad && iy < h+p.PadBottom && ix < w+p.PadRight {
				count++
			}
		}
	}
	if count > 0 {
		mean.value, mean.magnitude = mean.value/float64(count), mean.magnitude/float64(count)
	}
	return top, mean
}

func TestPoolRandom(t *testing.T) {
	r := testkit.Rand(21)
	for range 400 {
		p := Pool{randomWindow(r), r.IntN(2) == 0, r.IntN(2) == 0, nil}
		p.PadTop, p.PadBottom = min(p.PadTop, p.KernelH-1), min(p.PadBottom, p.KernelH-1)
		p.PadLeft, p.PadRight = min(p.PadLeft, p.KernelW-1), min(p.PadRight, p.KernelW-1)
		planes, h, w := 1+r.IntN(3), 1+r.IntN(10), 1+r.IntN(40)
		name := fmt.Sprintf("%+v on %d×%d", p, h, w)
		oh, ow := p.OutSize(h, w)
		x := testkit.Input("x", testkit.Normal(r, planes*h*w, 0, 1), 1)
		scratch := testkit.Output("scratch", p.ScratchLen(h, w), 0)
		top, mean := testkit.Output("max", planes*oh*ow, 2), testkit.Output("mean", planes*oh*ow, 0)
		p.Max(top.S, x.S, planes, h, w, scratch.S)
		p.Average(mean.S, x.S, planes, h, w, scratch.S)
		for i := range top.S {
			m, a := poolOracle(p, x.S[i/(oh*ow)*h*w:], h, w, i/ow%oh, i%ow)
			require.Equal(t, float32(m), top.S[i], "%s: max %d", name, i)
			requireSum(t, mean.S[i], a, NoClamp, name, i)
		}
		for _, o := range []*testkit.Operand{x, top, mean, scratch} {
			o.Check(t, "%s", name)
		}
	}
}

func TestPoolOutSize(t *testing.T) {
	tests := []struct {
		n, kernel, stride, dilation, before, after int
		floor, ceil                                int
	}{
		{4, 3, 2, 1, 0, 0, 1, 2},
		{5, 3, 2, 1, 0, 0, 2, 2},
		{32, 2, 2, 1, 0, 0, 16, 16},
		{33, 2, 2, 1, 0, 0, 16, 17},
		{2, 2, 3, 1, 1, 1, 1, 1}, // a second window would start in the pad behind
		{7, 3, 2, 2, 0, 0, 2, 2},
		{1, 3, 1, 1, 0, 0, 0, 0},
		{1, 3, 3, 1, 0, 0, 0, 1},
	}
	for _, tt := range tests {
		p := Pool{Window: Window{tt.kernel, tt.kernel, tt.stride, tt.stride, tt.dilation, tt.dilation, tt.before, tt.before, tt.after, tt.after}}
		oh, ow := p.OutSize(tt.n, tt.n)
		assert.Equal(t, [2]int{tt.floor, tt.floor}, [2]int{oh, ow}, "%+v", tt)
		p.Ceil = true
		oh, ow = p.OutSize(tt.n, tt.n)
		assert.Equal(t, [2]int{tt.ceil, tt.ceil}, [2]int{oh, ow}, "%+v, rounded up", tt)
	}
}

func TestGlobalPools(t *testing.T) {
	r := testkit.Rand(22)
	for _, inner := range []int{1, 7, 49, 3000} {
		x := testkit.Normal(r, 5*inner, 2, 1)
		mean, top := make([]float32, 5), make([]float32, 5)
		GlobalAverage(mean, x, 5, inner)
		GlobalMax(top, x, 5, inner)
		for p := range 5 {
			var s sum
			m := math.Inf(-1)
			for _, v := range x[p*inner:][:inner] {
				s.add(float64(v))
				m = math.Max(m, float64(v))
			}
			assert.InDelta(t, s.value/float64(inner), mean[p], 1e-6)
			assert.Equal(t, float32(m), top[p])
		}
	}
}
