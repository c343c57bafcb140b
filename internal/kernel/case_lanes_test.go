package kernel

import "math"

// The cases of the kernels around convolutions in the blocked layout.

var laneCases = []kernelCase{
	{"MaxLanes", func(c *call) {
		u := c.underLanes()
		y := c.out(8 * u.n)
		y.want = func(i int) (float64, float64) {
			most := math.Inf(-1)
			u.each(i, func(v float64) { most = max(most, v) })
			return most, 0
		}
		MaxLanes(y.kernel(), Ptr(u.x), u.step, Ptr(u.taps), len(u.taps), u.n)
		maxLanesScalar(y.twin(), Ptr(u.x), u.step, Ptr(u.taps), len(u.taps), u.n)
	}, laneTimes(func(y, x *float32, taps *int32) { MaxLanes(y, x, 8, taps, 9, lanePixels-2) })},
	{"MeanLanes", func(c *call) {
		u := c.underLanes()
		y, count := c.out(8*u.n), float32(c.some(30))
		y.want = func(i int) (float64, float64) {
			var s sum
			u.each(i, s.add)
			return s.value / float64(count), s.after(len(u.taps)) / float64(count)
		}
		MeanLanes(y.kernel(), Ptr(u.x), u.step, Ptr(u.taps), len(u.taps), u.n, count)
		meanLanesScalar(y.twin(), Ptr(u.x), u.step, Ptr(u.taps), len(u.taps), u.n, count)
	}, laneTimes(func(y, x *float32, taps *int32) { MeanLanes(y, x, 8, taps, 9, lanePixels-2, 9) })},
	{"LaneMeans", func(c *call) {
		blocks, pixels := c.r.IntN(4), c.some(400)
		x := c.either(blocks * pixels * 8)
		y := c.out(blocks * 8)
		y.want = func(i int) (float64, float64) {
			var s sum
			for p := range pixels {
				s.add(float64(x[(i/8*pixels+p)*8+i%8]))
			}
			return s.value / float64(pixels), s.after(40) / float64(pixels)
		}
		LaneMeans(y.kernel(), Ptr(x), blocks, pixels)
		laneMeansScalar(y.twin(), Ptr(x), blocks, pixels)
	}, laneTimes(func(y, x *float32, _ *int32) { LaneMeans(y, x, 1, lanePixels) })},
	byLanesCase("MulLanes", MulLanes, mulLanesScalar, func(a, b float64) float64 { return a * b }),
	byLanesCase("AddLanes", AddLanes, addLanesScalar, func(a, b float64) float64 { return a + b }),
}

const lanePixels = 1 << 11

func laneTimes(run func(y, x *float32, taps *int32)) []timing {
	return []timing{bytes("pixels=2048", 8*8*lanePixels, func(data func(n int) *float32) func() {
		x, y := data(8*lanePixels), data(8*lanePixels)
		taps := []int32{0, 8, 16, 0, 8, 16, 0, 8, 16}
		return func() { run(y, x, &taps[0]) }
	})}
}

// lanesUnder are the places of a window.
type lanesUnder struct {
	x       []float32
	step, n int
	taps    []int32
}

func (c *call) underLanes() lanesUnder {
	u := lanesUnder{step: 8 * c.r.IntN(4), n: c.size(40)}
	u.taps = c.offsets(c.r.IntN(12), 30)
	far := 0
	for i := range u.taps {
		u.taps[i] *= 8
		far = max(far, int(u.taps[i])+8)
	}
	u.x = c.either(Span(u.n, u.step, far))
	return u
}

// each calls f for the elements that element i of the result is of.
func (u *lanesUnder) each(i int, f func(v float64)) {
	for _, at := range u.taps {
		f(float64(u.x[i/8*u.step+int(at)+i%8]))
	}
}

func byLanesCase(name string, kernel, twin func(y, x, by *float32, n int), f func(a, b float64) float64) kernelCase {
	return kernelCase{name, func(c *call) {
		n := c.size(70)
		x, by := c.either(8*n), c.either(8)
		y, k, t := c.into(x)
		y.want = func(i int) (float64, float64) {
			v := f(float64(x[i]), float64(by[i%8]))
			return v, 0x1p-23 * math.Abs(v)
		}
		kernel(y.kernel(), k, Ptr(by), n)
		twin(y.twin(), t, Ptr(by), n)
	}, laneTimes(func(y, x *float32, _ *int32) { kernel(y, x, x, lanePixels) })}
}
