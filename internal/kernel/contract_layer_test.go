package kernel

import (
	"math"
	"runtime"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// paths are the implementations that this binary has of every kernel. In wasm
// "kernel" is the assembly (but for the tag purego), elsewhere it forwards to the
// scalar twin; the contract's model below keeps the comparison from being empty.
var paths = []struct {
	name            string
	layerNormRows   func(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64, done *int)
	batchNormPlanes func(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int)
	batchNormRows   func(dst, src, mean, scale, beta *float32, count, period, clamp int)
	peak            func(src *float32, count int) int
}{
	{"scalar", layerNormRowsScalar, batchNormPlanesScalar, batchNormRowsScalar, peakScalar},
	{"kernel", LayerNormRows, BatchNormPlanes, BatchNormRows, Peak},
}

// modelMoments is steps 1 and 2 of layerNormRows, transcribed from the comment of
// its twin with a vector as an array and no thought for speed.
func modelMoments(x []float32) (mu, variance float64) {
	type f64x2 [2]float64
	n := len(x)
	add := func(a, b f64x2) f64x2 { return f64x2{a[0] + b[0], a[1] + b[1]} }
	square := func(a f64x2) f64x2 { return f64x2{a[0] * a[0], a[1] * a[1]} }
	sweep := func(K float64) (S, Q float64) {
		half := func(i int) f64x2 { return f64x2{float64(x[i]) - K, float64(x[i+1]) - K} }
		var a, q [2]f64x2
		for i := range n / 16 {
			for h := range 2 {
				l := [4]f64x2{half(16*i + 2*h), half(16*i + 4 + 2*h), half(16*i + 8 + 2*h), half(16*i + 12 + 2*h)}
				a[h] = add(a[h], add(add(add(l[0], l[1]), l[2]), l[3]))
				q[h] = add(q[h], add(add(add(square(l[0]), square(l[1])), square(l[2])), square(l[3])))
			}
		}
		for k := range n % 16 / 4 {
			for h := range 2 {
				l := half(n/16*16 + 4*k + 2*h)
				a[h], q[h] = add(a[h], l), add(q[h], square(l))
			}
		}
		t := add(a[0], a[1])
		r := add(q[0], q[1])
		S, Q = t[0]+t[1], r[0]+r[1]
		for _, e := range x[n/4*4:] {
			d := float64(e) - K
			S += d
			Q += float64(d * d)
		}
		return S, Q
	}
	S, Q := sweep(0)
	N := 1 / float64(n)
	mu = S / float64(n)
	variance = float64(Q*N) - float64(mu*mu)
	if float64(mu*mu) > 4096*variance {
		K := float64(float32(mu))
		S, Q = sweep(K)
		c := S / float64(n)
		mu = K + c
		variance = float64(Q*N) - float64(c*c)
	}
	return mu, variance
}

// modelRow is one row of layerNormRows.
func modelRow(y, x, gamma, beta []float32, epsilon float64) (mean, rstd float32, ok bool) {
	mu, v := modelMoments(x)
	v += epsilon
	if !(v >= 1e-30 && v <= 1e36) {
		return 0, 0, false
	}
	rstd = float32(1 / math.Sqrt(v))
	mean = float32(mu)
	shift := float32((float64(mean) - mu) * (1 / math.Sqrt(v)))
	for i := range x {
		t := float32(float32(x[i]-mean)*rstd) + shift
		if gamma != nil {
			t = float32(float32(t) * gamma[i])
		}
		if beta != nil {
			t = float32(t) + beta[i]
		}
		y[i] = t
	}
	return mean, rstd, true
}

// kernelRows are the inputs of the comparisons: easy, hard and impossible rows.
func kernelRows() []testkit.Row {
	var rows []testkit.Row
	for _, n := range testkit.Sizes() {
		for _, row := range testkit.WellConditioned(n) {
			if n%5 == 0 || row.Name == "shifted" || row.Name == "large" {
				rows = append(rows, row)
			}
		}
	}
	rows = append(rows, testkit.HardRows()...)
	for _, n := range testkit.Sizes() {
		// Large values that cancel: the mean is what the order of the additions left.
		r := testkit.Rand(uint64(n))
		x := testkit.Normal(r, n, 0, 1)
		for i := 0; i+1 < n; i += 2 {
			x[i] *= float32(math.Pow(10, 17*r.Float64()))
			x[i+1] = -x[i]
		}
		r.Shuffle(n, func(i, j int) { x[i], x[j] = x[j], x[i] })
		rows = append(rows, testkit.Row{Name: "cancelling", X: x})
	}
	for _, at := range []int{0, 5, 16, 17, 50, 66} {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			x := testkit.Normal(testkit.Rand(3), 67, 0, 1)
			x[at] = float32(v)
			rows = append(rows, testkit.Row{Name: "not finite", X: x})
		}
	}
	return rows
}

func TestLayerNormRowsIsItsContract(t *testing.T) {
	t.Logf("%s/%s", runtime.GOOS, runtime.GOARCH)
	hard := 0
	for i, row := range kernelRows() {
		n := len(row.X)
		r := testkit.Rand(uint64(i))
		for variant := range 4 {
			gamma, beta := testkit.Normal(r, n, 1, 0.5), testkit.Normal(r, n, 0, 1)
			if variant&1 != 0 {
				gamma = nil
			}
			if variant&2 != 0 {
				beta = nil
			}
			for _, epsilon := range []float64{1e-5, 0} {
				want := testkit.Output("y", n, 0)
				mean, rstd, ok := modelRow(want.S, row.X, gamma, beta, epsilon)
				for _, path := range paths {
					offset := i % 4
					x, y := testkit.Input("x", row.X, offset), testkit.Output("y", n, (i/4)%4)
					stats := testkit.Output("mean and rstd", 2, 0)
					var done int
					path.layerNormRows(&y.S[0], &x.S[0], optional(gamma), optional(beta), &stats.S[0], &stats.S[1], 1, n, epsilon, &done)
					if ok {
						require.Equal(t, 1, done, "%s, %d × %s", path.name, n, row.Name)
						testkit.SameBits(t, []float32{mean, rstd}, stats.S, "%s: statistics of %d × %s", path.name, n, row.Name)
					} else {
						require.Equal(t, 0, done, "%s, %d × %s", path.name, n, row.Name)
						hard++
					}
					testkit.SameBits(t, want.S, y.S, "%s: y of %d × %s", path.name, n, row.Name)
					x.Check(t, "%s, %d × %s", path.name, n, row.Name)
					y.Check(t, "%s, %d × %s", path.name, n, row.Name)
					stats.Check(t, "%s, %d × %s", path.name, n, row.Name)
				}
			}
		}
	}
	assert.NotZero(t, hard, "no row was hard: the data are too easy")
}

func TestLayerNormRowsStopsBeforeHardRow(t *testing.T) {
	const rows, cols = 6, 40
	for _, path := range paths {
		for hard := range rows {
			x := testkit.Normal(testkit.Rand(1), rows*cols, 0, 1)
			x[hard*cols+33] = float32(math.Inf(-1))
			y, mean := testkit.Output("y", rows*cols, 1), testkit.Output("mean", rows, 0)
			untouched := testkit.Output("y", rows*cols, 1)
			var done int
			path.layerNormRows(&y.S[0], &x[0], nil, nil, &mean.S[0], nil, rows, cols, 1e-5, &done)
			require.Equal(t, hard, done, path.name)
			testkit.SameBits(t, untouched.S[hard*cols:], y.S[hard*cols:], "%s: rows from the hard one on", path.name)
			testkit.SameBits(t, untouched.S[hard:rows], mean.S[hard:], "%s: means from the hard row on", path.name)
		}
	}
}

// specials are spread over BatchNorm's data: what a clamp could get wrong.
func specials(x []float32) {
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1e-45, 3e38, -3e38, 6, 5.9999995} {
		if at := 3 + 7*i; at < len(x) {
			x[at] = float32(v)
		}
	}
}

func TestBatchNormKernelsAreTheirContract(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {1, 3, 1}, {2, 3, 2}, {5, 1, 1}, {7, 4, 1}, {3, 5, 3}, {2, 2, 4}, {1, 7, 5}, {3, 2, 15}, {2, 3, 16}, {2, 3, 17}, {1, 2, 31}, {2, 2, 33},
		{2, 4, 49}, {1, 3, 64}, {1, 2, 100}, {33, 8, 1}, {10, 12, 1}, {9, 16, 1}, {5, 17, 1}, {6, 20, 1}, {4, 64, 1}, {3, 65, 1}, {2, 260, 1}, {1, 1000, 1}, {1, 1, 1027}}
	for i, s := range shapes {
		outer, channels, inner := s[0], s[1], s[2]
		n := outer * channels * inner
		r := testkit.Rand(uint64(i))
		data := testkit.Normal(r, n, 1, 4)
		specials(data)
		mean, scale, beta := testkit.Normal(r, channels, 1, 1), testkit.Normal(r, channels, 0, 1), testkit.Normal(r, channels, 1, 3)
		for _, clamp := range []int{ClampNone, ClampReLU, ClampReLU6} {
			want := make([]float32, n)
			for k, e := range data {
				c := k / inner % channels
				v := float32((e-mean[c])*scale[c]) + beta[c]
				if clamp >= ClampReLU && v < 0 {
					v = 0
				}
				if clamp == ClampReLU6 && v > 6 {
					v = 6
				}
				want[k] = v
			}
			for _, path := range paths {
				x, y := testkit.Input("src", data, i%4), testkit.Output("dst", n, i/4%4)
				m, a, b := testkit.Input("mean", mean, 1), testkit.Input("scale", scale, 2), testkit.Input("beta", beta, 3)
				operands := []*testkit.Operand{x, y, m, a, b}
				path.batchNormPlanes(&y.S[0], &x.S[0], &m.S[0], &a.S[0], &b.S[0], outer*channels, channels, inner, clamp)
				testkit.SameBits(t, want, y.S, "%s: planes %v, clamp %d", path.name, s, clamp)
				for _, o := range operands {
					o.Check(t, "%s: planes %v, clamp %d", path.name, s, clamp)
				}
				inPlace := testkit.InOut("dst", data, 2)
				path.batchNormPlanes(&inPlace.S[0], &inPlace.S[0], &m.S[0], &a.S[0], &b.S[0], outer*channels, channels, inner, clamp)
				testkit.SameBits(t, want, inPlace.S, "%s: planes %v in place, clamp %d", path.name, s, clamp)
				if inner != 1 {
					continue
				}
				y = testkit.Output("dst", n, 1)
				path.batchNormRows(&y.S[0], &x.S[0], &m.S[0], &a.S[0], &b.S[0], n, channels, clamp)
				testkit.SameBits(t, want, y.S, "%s: rows %v, clamp %d", path.name, s, clamp)
				// Half a period left over at the end.
				part := n - channels/2
				y = testkit.Output("dst", part, 1)
				if part > 0 {
					path.batchNormRows(&y.S[0], &x.S[0], &m.S[0], &a.S[0], &b.S[0], part, channels, clamp)
					testkit.SameBits(t, want[:part], y.S, "%s: %d elements of rows %v, clamp %d", path.name, part, s, clamp)
				}
				y.Check(t, "%s: rows %v, clamp %d", path.name, s, clamp)
				x.Check(t, "%s: rows %v, clamp %d", path.name, s, clamp)
			}
		}
	}
}

func TestPeakIsItsContract(t *testing.T) {
	for i, n := range testkit.Sizes() {
		data := seeded(uint64(i), n)
		if i%4 == 1 {
			data[n-1-i%min(n, 5)] = float32(math.Copysign(3e38, float64(i%8)-3))
		}
		want := uint32(0)
		for _, e := range data {
			want = max(want, math.Float32bits(e)&0x7fffffff)
		}
		for _, path := range paths {
			x := testkit.Input("src", data, i%4)
			require.Equal(t, int(want), path.peak(&x.S[0], n), "%s: %d", path.name, n)
			x.Check(t, "%s: %d", path.name, n)
		}
	}
}

// optional is the address that a kernel takes for an operand that may be absent.
func optional(s []float32) *float32 {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// at is an element of an operand that may be absent, and then stands for value.
func at(s []float32, i int, value float32) float32 {
	if s == nil {
		return value
	}
	return s[i]
}
