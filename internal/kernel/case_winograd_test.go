package kernel

// The cases of Winograd's transforms: the oracles are products with its matrices.

var (
	winogradB = [4][4]float64{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}
	winogradA = [2][4]float64{{1, 1, 1, 0}, {0, 1, -1, -1}}
)

// twice is left·x·rightᵀ of a tile of 4×4, with how large its terms are.
func twice(left, right [4]float64, x func(r, c int) float32) (s sum) {
	for r, a := range left {
		for c, b := range right {
			if a*b != 0 {
				s.add(a * b * float64(x(r, c)))
			}
		}
	}
	return s
}

var winogradCases = []kernelCase{
	{"WinogradIn", func(c *call) {
		n := c.size(12)
		pitch, vs := (2*n+2)*Lanes+c.r.IntN(2)*Lanes, n*Lanes+c.r.IntN(2)*Lanes
		x := c.either(3*pitch + (2*n+2)*Lanes)
		v := c.out(15*vs + n*Lanes)
		v.keep(n*Lanes, max(vs, 1), func(t, i int) (float64, float64) {
			s := twice(winogradB[t/4], winogradB[t%4], func(r, c int) float32 { return x[r*pitch+(i/Lanes*2+c)*Lanes+i%Lanes] })
			return s.value, s.after(4)
		})
		WinogradIn(v.kernel(), vs, Ptr(x), pitch, n)
		winogradInScalar(v.twin(), vs, Ptr(x), pitch, n)
	}, []timing{bytes("28 tiles", 4*Lanes*(4*58+16*28), func(data func(n int) *float32) func() {
		x, v := data(4*58*Lanes), data(16*28*Lanes)
		return func() { WinogradIn(v, 28*Lanes, x, 58*Lanes, 28) }
	})}},
	{"WinogradOut", func(c *call) {
		cols, odd := c.size(20), c.r.IntN(2)
		ms := (cols+1)/2*Lanes + c.r.IntN(2)*Lanes
		m := c.either(15*ms + (cols+1)/2*Lanes)
		bias, from := c.plain(Lanes), c.maybe(c.plain(cols*Lanes))
		lo, hi := c.bounds()
		y := c.out(cols * Lanes)
		y.keep(Lanes, Lanes, func(j, l int) (float64, float64) {
			s := twice(winogradA[odd], winogradA[j%2], func(r, c int) float32 { return m[(4*r+c)*ms+j/2*Lanes+l] })
			s.add(float64(bias[l]))
			if from != nil {
				s.add(float64(from[j*Lanes+l]))
			}
			return clamped(s.value, lo, hi), s.after(11)
		})
		WinogradOut(y.kernel(), Ptr(m), ms, odd, cols, Ptr(from), Ptr(bias), lo, hi)
		winogradOutScalar(y.twin(), Ptr(m), ms, odd, cols, Ptr(from), Ptr(bias), lo, hi)
	}, []timing{bytes("56 pixels", 4*Lanes*(16*28+56), func(data func(n int) *float32) func() {
		m, y := data(16*28*Lanes), data(56*Lanes)
		return func() { WinogradOut(y, m, 28*Lanes, 0, 56, nil, m, 0, inf) }
	})}},
}
