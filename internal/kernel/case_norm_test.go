package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/normwasm/normwasm/internal/testkit"
)

// The cases of the kernels of the normalizations.

// rowKinds are rows easy and hard; those that are calm leave something to an oracle.
var rowKinds = []struct {
	name  string
	calm  bool
	value func(r *rand.Rand, i int) float32
}{
	{"normal", true, func(r *rand.Rand, _ int) float32 { return float32(r.NormFloat64()) }},
	{"far", true, func(r *rand.Rand, _ int) float32 { return 1e4 + float32(r.NormFloat64()) }},
	{"constant", true, func(*rand.Rand, int) float32 { return 1234.1 }},
	{"drifting", true, func(r *rand.Rand, i int) float32 { return float32(i*i) + r.Float32() }},
	{"outlier", true, func(r *rand.Rand, i int) float32 { return []float32{1e6, float32(r.NormFloat64())}[min(i, 1)] }},
	{"two steps", true, func(_ *rand.Rand, i int) float32 { return []float32{-3e4, 1e4}[min(i/5, 1)] }},
	{"zero", false, func(*rand.Rand, int) float32 { return 0 }},
	{"signs", false, func(r *rand.Rand, _ int) float32 { return []float32{0, float32(math.Copysign(0, -1))}[r.IntN(2)] }},
	{"denormal", false, func(r *rand.Rand, _ int) float32 { return math.Float32frombits(uint32(r.IntN(1 << 20))) }},
	{"mixed", false, func(r *rand.Rand, _ int) float32 {
		return float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(30)-15)))
	}},
	{"nan", false, func(r *rand.Rand, i int) float32 {
		return []float32{float32(r.NormFloat64()), float32(math.NaN())}[i%7/6]
	}},
	{"infinite", false, func(r *rand.Rand, i int) float32 {
		return []float32{float32(r.NormFloat64()), float32(math.Inf(1))}[i%5/4]
	}},
	{"bits", false, func(r *rand.Rand, _ int) float32 { return math.Float32frombits(r.Uint32()) }},
	// On either side of where a variance is too small or too large for float32.
	{"tiny", false, func(r *rand.Rand, i int) float32 {
		return float32(math.Pow(10, -14.9-float64(i%2)) * (1 + r.Float64()))
	}},
	{"small", false, func(_ *rand.Rand, i int) float32 { return float32(1e-15 * (0.3 - float64(i%2))) }},
	{"huge", false, func(_ *rand.Rand, i int) float32 { return float32(2e18 * (1 - 2*float64(i%2))) }},
}

// rows draws rows of one kind.
func (c *call) rows(rows, cols int) []float32 {
	kind := rowKinds[c.r.IntN(len(rowKinds))]
	if c.r.IntN(2) == 0 {
		kind = rowKinds[c.r.IntN(6)]
	}
	c.wild = c.wild || !kind.calm
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = kind.value(c.r, i%max(cols, 1))
	}
	return c.guarded(x)
}

// into returns a result for x, and where the kernel and the twin find x: in the result
// itself in half of the calls.
func (c *call) into(x []float32) (o *result, k, t *float32) {
	if c.r.IntN(2) == 0 {
		o = c.over(x)
		return o, o.kernel(), o.twin()
	}
	return c.out(len(x)), Ptr(x), Ptr(x)
}

// epsilon draws one.
func (c *call) epsilon() float64 { return []float64{0, 1e-5, 1e-12, 1}[c.r.IntN(4)] }

// normalized is the oracle of rows of x, each with gamma and beta of its own.
func normalized(x []float32, rows, cols int, gamma, beta func(row int) []float32, epsilon float64) []testkit.Normalized {
	all := make([]testkit.Normalized, rows)
	for r := range all {
		all[r] = testkit.LayerNormRow(x[r*cols:(r+1)*cols], gamma(r), beta(r), epsilon)
	}
	return all
}

// activated is the clamp of an oracle.
func activated(v float64, clamp int) float64 {
	if clamp >= ClampReLU {
		v = max(v, 0)
	}
	if clamp >= ClampReLU6 {
		v = min(v, 6)
	}
	return v
}

// bent is the oracle of y = (x - mean)·scale + beta.
func bent(x, mean, scale, beta float32, clamp int) (value, tolerance float64) {
	v := (float64(x) - float64(mean)) * float64(scale)
	return activated(v+float64(beta), clamp), 0x1p-21*(math.Abs(v)+math.Abs(float64(beta))) + 1e-37
}

// slots are n parameters of the exact kernels.
func (c *call) slots(n int) []SlotParams {
	p := make([]SlotParams, n)
	for i := range p {
		v := testkit.Normal(c.r, 7, 0.5, 2)
		p[i] = SlotParams{float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3]), float64(v[4]), float64(v[5]), float64(v[6])}
	}
	return p
}

func slotSums(p *float64) *SlotSums { return (*SlotSums)(unsafe.Pointer(p)) }

// rested is e and t of the exact kernels.
func rested(p SlotParams, dy, x float32, gamma []float32, i int) (e, t float64) {
	scale := p.Scale
	if gamma != nil {
		scale = float64(gamma[i])
	}
	t = float64(x) - p.Mean
	return float64(dy)*scale - p.M1 - t*p.Slope, t
}

func sloped(p SlotParams, dy, x float32, gamma []float32, i int) (value, tolerance float64) {
	e, t := rested(p, dy, x, gamma, i)
	v := (e + t*p.Tilt + p.Shift) * p.Rstd
	return v, 0x1p-23*math.Abs(v) + 1e-12*(math.Abs(e)+math.Abs(t*p.Tilt)+math.Abs(p.Shift)+math.Abs(t*p.Slope))*math.Abs(p.Rstd) + 1e-37
}

// graded is the oracle of gradPlanes and gradRows.
func graded(dy, x, gamma float32, p [5]float32) (value, tolerance float64) {
	h := (float64(x) - float64(p[0])) * float64(p[1])
	a, b, c := float64(dy)*float64(gamma)*float64(p[2]), h*float64(p[3]), float64(p[4])
	return a - b - c, 0x1p-21*(math.Abs(a)+math.Abs(b)+math.Abs(c)) + 1e-37
}

// few is the tolerance of sums that take a few dozen of additions in float32 before they
// go on in float64.
func (s sum) few() float64 { return s.size*64*0x1p-24 + 1e-37 }

// response is the oracle of LRN of the channels of one pixel.
func response(x []float64, size int, alpha, beta, bias float64) []float64 {
	y := make([]float64, len(x))
	for c := range x {
		s := 0.0
		for k := max(c-(size-1)/2, 0); k <= min(c+size/2, len(x)-1); k++ {
			s += x[k] * x[k]
		}
		y[c] = x[c] / math.Pow(alpha/float64(size)*s+bias, beta)
	}
	return y
}

type lrn struct{ channels, inner, positions, size int }

func (c *call) lrn() (s lrn, extent int, beta float64) {
	d := [][2]int{{1, 1}, {1, 4}, {2, 5}, {3, 3}, {5, 8}, {7, 13}, {9, 4}, {16, 31}}[c.r.IntN(8)]
	s = lrn{channels: d[0], positions: d[1], inner: d[1] + c.r.IntN(3), size: 1 + c.r.IntN(6)}
	return s, (s.channels-1)*s.inner + s.positions, []float64{0.5, 0.75, 1}[c.r.IntN(3)]
}

// pixel is the channels of one pixel of x.
func (s lrn) pixel(x []float32, p int) []float64 {
	v := make([]float64, s.channels)
	for c := range v {
		v[c] = float64(x[c*s.inner+p])
	}
	return v
}

func rowTimes(sizes [][2]int, perElement int, run func(data func(n int) *float32, rows, cols int) func()) (all []timing) {
	for _, s := range sizes {
		all = append(all, bytes(fmt.Sprintf("rows=%d/cols=%d", s[0], s[1]), perElement*s[0]*s[1],
			func(data func(n int) *float32) func() { return run(data, s[0], s[1]) }))
	}
	return all
}

// numbers64 is n float64 for the benchmark.
func numbers64(n int) *float64 { return &make([]float64, n)[0] }

var (
	layerSizes = [][2]int{{128, 64}, {64, 768}, {2048, 768}}
	planeSizes = [][2]int{{64, 3136}, {256, 49}}
)

var normCases = []kernelCase{
	{"LayerNormRows", func(c *call) {
		rows, cols, epsilon := 1+c.r.IntN(3), c.some(1040), c.epsilon()
		x, gamma, beta := c.rows(rows, cols), c.maybe(c.plain(cols)), c.maybe(c.plain(cols))
		y, k, t := c.into(x)
		mean, rstd := c.out(rows), c.out(rows)
		km, tm := mean.kernel(), mean.twin()
		if c.r.IntN(3) == 0 {
			km, tm = nil, nil
		}
		var n, m int
		LayerNormRows(y.kernel(), k, optional(gamma), optional(beta), km, rstd.kernel(), rows, cols, epsilon, &n)
		layerNormRowsScalar(y.twin(), t, optional(gamma), optional(beta), tm, rstd.twin(), rows, cols, epsilon, &m)
		c.same(n, m)
		if m < rows || c.wild {
			return
		}
		of := func(s []float32) func(int) []float32 { return func(int) []float32 { return s } }
		want := normalized(x, rows, cols, of(gamma), of(beta), epsilon)
		y.want = func(i int) (float64, float64) {
			w, j := want[i/cols], i%cols
			return w.Y[j], 2e-6*(math.Abs(w.Scaled[j])+math.Abs(w.Y[j])+math.Abs(w.Y[j]-w.Scaled[j])) + 1e-37
		}
		rstd.want = func(r int) (float64, float64) { return want[r].Rstd[0], 1e-6 * want[r].Rstd[0] }
	}, rowTimes(layerSizes, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, y, gamma, beta := data(rows*cols), data(rows*cols), data(cols), data(cols)
		var done int
		return func() { LayerNormRows(y, x, gamma, beta, nil, nil, rows, cols, 1e-5, &done) }
	})},
	{"Peak", func(c *call) {
		x := c.either(c.some(1040))
		o := c.out64(1)
		*o.kernel(), *o.twin() = float64(Peak(Ptr(x), len(x))), float64(peakScalar(Ptr(x), len(x)))
		o.want = func(int) (float64, float64) {
			most := float32(0)
			for _, v := range x {
				most = max(most, float32(math.Abs(float64(v))))
			}
			return float64(math.Float32bits(most)), 0
		}
	}, rowTimes([][2]int{{1, 768}}, 4, func(data func(n int) *float32, rows, cols int) func() {
		x := data(cols)
		return func() { Peak(x, cols) }
	})},
	{"BatchNormPlanes", func(c *call) {
		channels, inner, clamp := 1+c.r.IntN(8), c.some(530), c.r.IntN(3)
		planes := channels * (1 + c.r.IntN(2))
		x, mean, scale, beta := c.either(planes*inner), c.either(channels), c.either(channels), c.either(channels)
		y, k, t := c.into(x)
		BatchNormPlanes(y.kernel(), k, Ptr(mean), Ptr(scale), Ptr(beta), planes, channels, inner, clamp)
		batchNormPlanesScalar(y.twin(), t, Ptr(mean), Ptr(scale), Ptr(beta), planes, channels, inner, clamp)
		y.want = func(i int) (float64, float64) {
			ch := i / inner % channels
			return bent(x[i], mean[ch], scale[ch], beta[ch], clamp)
		}
	}, rowTimes(planeSizes, 8, func(data func(n int) *float32, planes, inner int) func() {
		x, y, p := data(planes*inner), data(planes*inner), data(planes)
		return func() { BatchNormPlanes(y, x, p, p, p, planes, planes, inner, ClampReLU6) }
	})},
	{"BatchNormRows", func(c *call) {
		period, clamp := c.some(260), c.r.IntN(3)
		count := 1 + c.r.IntN(3*period+1)
		x, mean, scale, beta := c.either(count), c.either(period), c.either(period), c.either(period)
		y, k, t := c.into(x)
		BatchNormRows(y.kernel(), k, Ptr(mean), Ptr(scale), Ptr(beta), count, period, clamp)
		batchNormRowsScalar(y.twin(), t, Ptr(mean), Ptr(scale), Ptr(beta), count, period, clamp)
		y.want = func(i int) (float64, float64) {
			j := i % period
			return bent(x[i], mean[j], scale[j], beta[j], clamp)
		}
	}, rowTimes([][2]int{{3136, 64}, {1024, 32}}, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, y, p := data(rows*cols), data(rows*cols), data(cols)
		return func() { BatchNormRows(y, x, p, p, p, rows*cols, cols, ClampReLU) }
	})},
	{"RowMoments", func(c *call) {
		rows, cols := 1+c.r.IntN(4), c.some(1040)
		x := c.rows(rows, cols)
		o := c.out64(2 * rows)
		RowMoments(o.kernel(), Ptr(x), rows, cols)
		rowMomentsScalar(o.twin(), Ptr(x), rows, cols)
		o.want = func(i int) (float64, float64) {
			m, v := testkit.Moments(x[i/2*cols : (i/2+1)*cols])
			mean, _ := m.Float64()
			variance, _ := v.Float64()
			if i%2 == 0 {
				return mean, 1e-13 * (math.Abs(mean) + math.Sqrt(variance))
			}
			return variance, 1e-8*variance + 1e-20*mean*mean
		}
	}, rowTimes(layerSizes, 4, func(data func(n int) *float32, rows, cols int) func() {
		x, moments := data(rows*cols), numbers64(2*rows)
		return func() { RowMoments(moments, x, rows, cols) }
	})},
	{"NormPlanes", func(c *call) {
		groups, share, inner, clamp, epsilon := 1+c.r.IntN(4), 1+c.r.IntN(4), c.some(270), c.r.IntN(3), c.epsilon()
		cols := share * inner
		x, gamma, beta := c.rows(groups, cols), c.maybe(c.plain(groups*share)), c.maybe(c.plain(groups*share))
		y, k, t := c.into(x)
		moments := c.out64(2 * groups)
		var n, m int
		NormPlanes(y.kernel(), k, optional(gamma), optional(beta), moments.kernel(), groups, share, inner, clamp, epsilon, &n)
		normPlanesScalar(y.twin(), t, optional(gamma), optional(beta), moments.twin(), groups, share, inner, clamp, epsilon, &m)
		c.same(n, m)
		if m < groups || c.wild {
			return
		}
		spread := func(s []float32) func(int) []float32 {
			return func(g int) []float32 {
				if s == nil {
					return nil
				}
				all := make([]float32, cols)
				for i := range all {
					all[i] = s[g*share+i/inner]
				}
				return all
			}
		}
		want := normalized(x, groups, cols, spread(gamma), spread(beta), epsilon)
		y.want = func(i int) (float64, float64) {
			w, j := want[i/cols], i%cols
			shift := w.Mean[0] - float64(float32(w.Mean[0])) // what the mean lacks is added in float32
			tolerance := 2e-6*(math.Abs(w.Scaled[j])+math.Abs(w.Y[j])+math.Abs(w.Y[j]-w.Scaled[j])) + 1e-6*math.Abs(shift)*w.Rstd[0]*3
			return activated(w.Y[j], clamp), tolerance + 1e-37
		}
	}, rowTimes(planeSizes, 8, func(data func(n int) *float32, planes, inner int) func() {
		x, y, p, moments := data(planes*inner), data(planes*inner), data(planes), numbers64(2*planes)
		var done int
		return func() { NormPlanes(y, x, p, p, moments, planes, 1, inner, ClampNone, 1e-5, &done) }
	})},
	{"ColumnSums", func(c *call) {
		period := c.some(260)
		count := period*(1+c.r.IntN(33)) + c.r.IntN(2)*c.r.IntN(period)
		x, shift := c.rows(1, count), c.maybe(c.plain(period))
		o := c.out64(2 * period)
		ColumnSums(o.kernel(), Ptr(x), optional(shift), count, period)
		columnSumsScalar(o.twin(), Ptr(x), optional(shift), count, period)
		o.want = func(i int) (float64, float64) {
			var s sum
			for k := i % period; k < count; k += period {
				d := float64(x[k]) - float64(at(shift, i%period, 0))
				if i >= period {
					d *= d
				}
				s.add(d)
			}
			return s.value, 1e-13 * s.size
		}
	}, rowTimes([][2]int{{3136, 64}}, 4, func(data func(n int) *float32, rows, cols int) func() {
		x, k, sums := data(rows*cols), data(cols), numbers64(2*cols)
		return func() { ColumnSums(sums, x, k, rows*cols, cols) }
	})},
	{"RowPowers", func(c *call) {
		rows, cols, p := 1+c.r.IntN(4), c.some(1040), 1+c.r.IntN(2)
		x := c.rows(rows, cols)
		o := c.out64(rows)
		RowPowers(o.kernel(), Ptr(x), rows, cols, p)
		rowPowersScalar(o.twin(), Ptr(x), rows, cols, p)
		o.want = func(r int) (float64, float64) {
			var s sum
			for _, v := range x[r*cols : (r+1)*cols] {
				s.add(math.Pow(math.Abs(float64(v)), float64(p)))
			}
			return s.value, s.size * 8 * 0x1p-24
		}
	}, rowTimes(layerSizes, 4, func(data func(n int) *float32, rows, cols int) func() {
		x, sums := data(rows*cols), numbers64(rows)
		return func() { RowPowers(sums, x, rows, cols, 2) }
	})},
	{"RmsNormRows", func(c *call) {
		rows, cols, epsilon := 1+c.r.IntN(3), c.some(1040), c.epsilon()
		x, gamma := c.rows(rows, cols), c.maybe(c.plain(cols))
		y, k, t := c.into(x)
		rstd := c.out(rows)
		var n, m int
		RmsNormRows(y.kernel(), k, optional(gamma), rstd.kernel(), rows, cols, epsilon, &n)
		rmsNormRowsScalar(y.twin(), t, optional(gamma), rstd.twin(), rows, cols, epsilon, &m)
		c.same(n, m)
		if m < rows {
			return
		}
		y.want = func(i int) (float64, float64) {
			q := 0.0
			for _, v := range x[i/cols*cols : (i/cols+1)*cols] {
				q += float64(v) * float64(v)
			}
			v := float64(x[i]) / math.Sqrt(q/float64(cols)+epsilon) * float64(at(gamma, i%cols, 1))
			return v, 1e-6*math.Abs(v) + 1e-37
		}
	}, rowTimes(layerSizes, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, y, gamma := data(rows*cols), data(rows*cols), data(cols)
		var done int
		return func() { RmsNormRows(y, x, gamma, nil, rows, cols, 1e-5, &done) }
	})},
	{"RowProducts", func(c *call) {
		rows, cols := 1+c.r.IntN(4), c.some(530)
		x, dy, gamma, mean, rstd := c.rows(rows, cols), c.either(rows*cols), c.maybe(c.plain(cols)), c.plain(rows), c.plain(rows)
		o := c.out64(3 * rows)
		RowProducts(o.kernel(), Ptr(dy), Ptr(x), optional(gamma), Ptr(mean), Ptr(rstd), rows, cols)
		rowProductsScalar(o.twin(), Ptr(dy), Ptr(x), optional(gamma), Ptr(mean), Ptr(rstd), rows, cols)
		o.want = func(i int) (float64, float64) {
			var s sum
			r := i / 3
			for j := range cols {
				g, h := float64(dy[r*cols+j])*float64(at(gamma, j, 1)), (float64(x[r*cols+j])-float64(mean[r]))*float64(rstd[r])
				s.add([]float64{g, g * h, h}[i%3])
			}
			return s.value, s.few()
		}
	}, rowTimes(layerSizes, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, gamma, p, sums := data(rows*cols), data(rows*cols), data(cols), data(rows), numbers64(3*rows)
		return func() { RowProducts(sums, dy, x, gamma, p, p, rows, cols) }
	})},
	{"GradPlanes", func(c *call) {
		planes, inner := 1+c.r.IntN(5), c.some(530)
		x, dy, gamma, p := c.rows(planes, inner), c.either(planes*inner), c.maybe(c.plain(inner)), c.plain(6*planes)
		y, k, t := c.into(x)
		GradPlanes(y.kernel(), Ptr(dy), k, optional(gamma), Ptr(p), planes, inner)
		gradPlanesScalar(y.twin(), Ptr(dy), t, optional(gamma), Ptr(p), planes, inner)
		y.want = func(i int) (float64, float64) {
			s := i / inner
			return graded(dy[i], x[i], at(gamma, i%inner, 1), [5]float32{p[s], p[planes+s], p[2*planes+s], p[3*planes+s], p[4*planes+s]})
		}
	}, rowTimes(layerSizes, 12, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, dx, gamma, p := data(rows*cols), data(rows*cols), data(rows*cols), data(cols), data(6*rows)
		return func() { GradPlanes(dx, dy, x, gamma, p, rows, cols) }
	})},
	{"GradRows", func(c *call) {
		period := c.some(260)
		count := 1 + c.r.IntN(3*period+1)
		x, dy, p := c.rows(1, count), c.either(count), c.plain(6*period)
		y, k, t := c.into(x)
		GradRows(y.kernel(), Ptr(dy), k, Ptr(p), count, period)
		gradRowsScalar(y.twin(), Ptr(dy), t, Ptr(p), count, period)
		y.want = func(i int) (float64, float64) {
			s := i % period
			return graded(dy[i], x[i], 1, [5]float32{p[s], p[period+s], p[2*period+s], p[3*period+s], p[4*period+s]})
		}
	}, rowTimes([][2]int{{3136, 64}}, 12, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, dx, p := data(rows*cols), data(rows*cols), data(rows*cols), data(6*cols)
		return func() { GradRows(dx, dy, x, p, rows*cols, cols) }
	})},
	{"ColumnProducts", func(c *call) {
		period := c.some(260)
		count := period*(1+c.r.IntN(33)) + c.r.IntN(2)*c.r.IntN(period)
		x, dy, p := c.rows(1, count), c.either(count), c.plain(6*period)
		o := c.out64(3 * period)
		ColumnProducts(o.kernel(), Ptr(dy), Ptr(x), Ptr(p), count, period)
		columnProductsScalar(o.twin(), Ptr(dy), Ptr(x), Ptr(p), count, period)
		o.want = func(i int) (float64, float64) {
			var s sum
			j := i % period
			for k := j; k < count; k += period {
				g, h := float64(dy[k]), (float64(x[k])-float64(p[j]))*float64(p[period+j])
				s.add([]float64{g, g * h, h}[i/period])
			}
			return s.value, s.few()
		}
	}, rowTimes([][2]int{{3136, 64}}, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, p, sums := data(rows*cols), data(rows*cols), data(6*cols), numbers64(3*cols)
		return func() { ColumnProducts(sums, dy, x, p, rows*cols, cols) }
	})},
	{"RowGradients", func(c *call) {
		rows, cols := 1+c.r.IntN(36), c.some(270)
		x, dy, p := c.rows(rows, cols), c.either(rows*cols), c.plain(6*rows)
		o := c.out64(2 * cols)
		c.same(RowGradients(o.kernel(), Ptr(dy), Ptr(x), Ptr(p), rows, cols), rowGradientsScalar(o.twin(), Ptr(dy), Ptr(x), Ptr(p), rows, cols))
		o.want = func(i int) (float64, float64) {
			s, j := sum{1234.5, 0}, i%cols
			for r := range rows {
				g, h := float64(dy[r*cols+j]), (float64(x[r*cols+j])-float64(p[r]))*float64(p[rows+r])
				if i < cols {
					s.size += math.Abs(g * h)
					g *= h - float64(p[5*rows+r])
				}
				s.add(g)
			}
			return s.value, s.few() + 1e-12
		}
	}, rowTimes(layerSizes, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, p, sums := data(rows*cols), data(rows*cols), data(6*rows), numbers64(2*cols)
		return func() { RowGradients(sums, dy, x, p, rows, cols) }
	})},
	{"RowProductsExact", func(c *call) {
		rows, cols := 1+c.r.IntN(4), c.some(530)
		x, dy, gamma, p := c.rows(rows, cols), c.either(rows*cols), c.maybe(c.plain(cols)), c.slots(rows)
		o := c.out64(2 * rows)
		RowProductsExact(slotSums(o.kernel()), Ptr(dy), Ptr(x), optional(gamma), &p[0], rows, cols)
		rowProductsExactScalar(slotSums(o.twin()), Ptr(dy), Ptr(x), optional(gamma), &p[0], rows, cols)
		o.want = func(i int) (float64, float64) {
			s, r := sum{1234.5, 1234.5}, i/2
			for j := range cols {
				e, t := rested(p[r], dy[r*cols+j], x[r*cols+j], gamma, j)
				s.add([]float64{e, e * t}[i%2])
			}
			return s.value, 1e-12 * s.size
		}
	}, rowTimes(layerSizes[:1], 8, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, p, sums := data(rows*cols), data(rows*cols), make([]SlotParams, rows), make([]SlotSums, rows)
		return func() { RowProductsExact(&sums[0], dy, x, nil, &p[0], rows, cols) }
	})},
	{"GradPlanesExact", func(c *call) {
		rows, cols := 1+c.r.IntN(4), c.some(530)
		x, dy, gamma, p := c.rows(rows, cols), c.either(rows*cols), c.maybe(c.plain(cols)), c.slots(rows)
		y, k, t := c.into(x)
		GradPlanesExact(y.kernel(), Ptr(dy), k, optional(gamma), &p[0], rows, cols)
		gradPlanesExactScalar(y.twin(), Ptr(dy), t, optional(gamma), &p[0], rows, cols)
		y.want = func(i int) (float64, float64) { return sloped(p[i/cols], dy[i], x[i], gamma, i%cols) }
	}, rowTimes(layerSizes[:1], 12, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, dx, p := data(rows*cols), data(rows*cols), data(rows*cols), make([]SlotParams, rows)
		return func() { GradPlanesExact(dx, dy, x, nil, &p[0], rows, cols) }
	})},
	{"ColumnProductsExact", func(c *call) {
		rows, cols := 1+c.r.IntN(40), c.some(70)
		stride := cols + c.r.IntN(9)
		extent := (rows-1)*stride + cols
		x, dy, p := c.rows(1, extent), c.either(extent), c.slots(cols)
		o := c.out64(2 * cols)
		ColumnProductsExact(slotSums(o.kernel()), Ptr(dy), Ptr(x), &p[0], rows, cols, stride)
		columnProductsExactScalar(slotSums(o.twin()), Ptr(dy), Ptr(x), &p[0], rows, cols, stride)
		o.want = func(i int) (float64, float64) {
			s, j := sum{1234.5, 1234.5}, i/2
			for r := range rows {
				e, t := rested(p[j], dy[r*stride+j], x[r*stride+j], nil, 0)
				s.add([]float64{e, e * t}[i%2])
			}
			return s.value, 1e-12 * s.size
		}
	}, rowTimes([][2]int{{784, 64}}, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, p, sums := data(rows*cols), data(rows*cols), make([]SlotParams, cols), make([]SlotSums, cols)
		return func() { ColumnProductsExact(&sums[0], dy, x, &p[0], rows, cols, cols) }
	})},
	{"GradRowsExact", func(c *call) {
		rows, cols := 1+c.r.IntN(40), c.some(70)
		stride := cols + c.r.IntN(9)
		extent := (rows-1)*stride + cols
		x, dy, p := c.rows(1, extent), c.either(extent), c.slots(cols)
		y, k, t := c.into(x)
		before := append([]float32(nil), y.t.S...)
		GradRowsExact(y.kernel(), Ptr(dy), k, &p[0], rows, cols, stride)
		gradRowsExactScalar(y.twin(), Ptr(dy), t, &p[0], rows, cols, stride)
		y.want = func(i int) (float64, float64) {
			if i%stride >= cols {
				return float64(before[i]), 0
			}
			return sloped(p[i%stride], dy[i], x[i], nil, 0)
		}
	}, rowTimes([][2]int{{784, 64}}, 12, func(data func(n int) *float32, rows, cols int) func() {
		x, dy, dx, p := data(rows*cols), data(rows*cols), data(rows*cols), make([]SlotParams, cols)
		return func() { GradRowsExact(dx, dy, x, &p[0], rows, cols, cols) }
	})},
	{"ResponseBlock", func(c *call) {
		s, extent, beta := c.lrn()
		x := c.rows(1, extent)
		y, k, t := c.into(x)
		n := s.channels * s.positions
		a, b := make([]float64, n+1), make([]float64, n+1)
		ResponseBlock(y.kernel(), k, &a[0], s.channels, s.inner, s.positions, s.size, 0.3, beta, 1.5)
		responseBlockScalar(y.twin(), t, &b[0], s.channels, s.inner, s.positions, s.size, 0.3, beta, 1.5)
		c.same(int(a[n]), 0)
		before := append([]float32(nil), y.t.S...)
		y.want = func(i int) (float64, float64) {
			if i%s.inner >= s.positions {
				return float64(before[i]), 0
			}
			v := response(s.pixel(x, i%s.inner), s.size, 0.3, beta, 1.5)[i/s.inner]
			return v, 0x1p-23*math.Abs(v) + 1e-40
		}
	}, rowTimes([][2]int{{64, 49}}, 8, func(data func(n int) *float32, channels, inner int) func() {
		x, y, squares := data(channels*inner), data(channels*inner), numbers64(channels*inner)
		return func() { ResponseBlock(y, x, squares, channels, inner, inner, 5, 1e-4, 0.75, 1) }
	})},
	{"ResponseGradBlock", func(c *call) {
		s, extent, beta := c.lrn()
		x, dy := c.rows(1, extent), c.plain(extent)
		y, k, t := c.into(x)
		n := 3 * s.channels * s.positions
		a, b := make([]float64, n+1), make([]float64, n+1)
		ResponseGradBlock(y.kernel(), Ptr(dy), k, &a[0], s.channels, s.inner, s.positions, s.size, 0.3, beta, 1.5)
		responseGradBlockScalar(y.twin(), Ptr(dy), t, &b[0], s.channels, s.inner, s.positions, s.size, 0.3, beta, 1.5)
		c.same(int(a[n]), 0)
		before := append([]float32(nil), y.t.S...)
		y.want = func(i int) (float64, float64) {
			if i%s.inner >= s.positions {
				return float64(before[i]), 0
			}
			// The slope of Σ dy·y of the pixel.
			v, g := s.pixel(x, i%s.inner), s.pixel(dy, i%s.inner)
			return slope(v, i/s.inner, func(x []float64) (total float64) {
				for ch, e := range response(x, s.size, 0.3, beta, 1.5) {
					total += e * g[ch]
				}
				return total
			})
		}
	}, rowTimes([][2]int{{64, 49}}, 12, func(data func(n int) *float32, channels, inner int) func() {
		x, dy, dx, scratch := data(channels*inner), data(channels*inner), data(channels*inner), numbers64(3*channels*inner)
		return func() { ResponseGradBlock(dx, dy, x, scratch, channels, inner, inner, 5, 1e-4, 0.75, 1) }
	})},
}

// slope is the derivative of f by element i of x, by central differences of two steps and
// what they leave, and how far float32 may be from it.
func slope(x []float64, i int, f func(x []float64) float64) (value, tolerance float64) {
	at, step := x[i], 1e-4*(1+math.Abs(x[i]))
	probe := func(d float64) float64 {
		x[i] = at + d
		v := f(x)
		x[i] = at
		return v
	}
	near := (probe(step) - probe(-step)) / (2 * step)
	far := (probe(2*step) - probe(-2*step)) / (4 * step)
	value = near + (near-far)/3
	return value, 4e-6*math.Abs(value) + math.Abs(near-far) + 1e-11*math.Abs(probe(0))/step + 2e-6
}
