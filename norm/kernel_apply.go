package norm

import (
	"math"
	"unsafe"
)

// The scalar twins of the kernels that apply statistics; kernel.go has each loop.

// affinePlanes is batchNormPlanes with params; kernel.go has the loop.
func affinePlanes(dst, src, params *float32, planes, inner, clamp int) {
	p := unsafe.Slice(params, 2*planes+1)
	batchNormPlanes(dst, src, &p[0], &p[planes], &p[2*planes], planes, planes, inner, clamp)
}

// affineRows is batchNormRows with params; kernel.go has the loop.
func affineRows(dst, src, params *float32, count, period, clamp int) {
	p := unsafe.Slice(params, 2*period+1)
	batchNormRows(dst, src, &p[0], &p[period], &p[2*period], count, period, clamp)
}

// normPlanesScalar is normPlanes; the comment in kernel.go is its loop.
func normPlanesScalar(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64) (done int) {
	run := share * inner
	xs, ys, out := slice(src, groups*run), slice(dst, groups*run), slice(moments, 2*groups)
	scales, shifts := slice(gamma, groups*share), slice(beta, groups*share)
	for k := range groups {
		x, y := xs[k*run:(k+1)*run:(k+1)*run], ys[k*run:(k+1)*run]
		mu, variance := rowMoment(x)
		if !isCarried(variance+epsilon) || !(math.Abs(mu) < meanMax) ||
			gamma != nil && !carriedScales(scales[k*share:(k+1)*share]) || beta != nil && !carriedShifts(shifts[k*share:(k+1)*share]) {
			return k
		}
		out[2*k], out[2*k+1] = mu, variance
		high, r := float32(mu), 1/math.Sqrt(variance+epsilon)
		low := mu - float64(high)
		for s := range share {
			a, b := r, 0.0
			if gamma != nil {
				a *= float64(scales[k*share+s])
			}
			if beta != nil {
				b = float64(shifts[k*share+s])
			}
			m, scale, shift := high, float32(a), float32(b-float64(low*a))
			x := x[s*inner : (s+1)*inner]
			y := y[s*inner:][:len(x)]
			for i, e := range x {
				y[i] = float32((e-m)*scale) + shift
			}
			clampRow(y, clamp)
		}
	}
	return groups
}

// carriedScales says whether float32 carries the product of any of a group's gammas
// with any 1/√v.
func carriedScales(gamma []float32) bool {
	for _, g := range gamma {
		g = magnitude(g)
		if !(g == 0 || g >= 0x1p-60 && g <= 0x1p60) {
			return false
		}
	}
	return true
}

// carriedShifts says whether a group's betas may be added to products in float32. A beta
// near the largest float32 could bring a product that overflows back into range, which
// only a wider type can compute.
func carriedShifts(beta []float32) bool {
	for _, b := range beta {
		if isLarge(b) {
			return false
		}
	}
	return true
}

// siluRowsScalar is siluRows; the comment in kernel.go is its loop.
func siluRowsScalar(dst, src *float32, count int) {
	x, y := slice(src, count), slice(dst, count)
	for i, e := range x {
		y[i] = siluScalar(e)
	}
}

func siluScalar(x float32) float32 {
	e := expScalar(-magnitude(x))
	top := float32(1)
	if x < 0 {
		top = e
	}
	return x * (top / (1 + e))
}

// expScalar is e^x for x ≤ 0, as siluRows has it: Cephes' polynomial around 0 and
// a scaling in two steps, which gives denormal results their single rounding.
func expScalar(x float32) float32 {
	const (
		log2e = 1.44269504
		magic = 12582912 // 1.5·2²³
		ln2Hi = 0.693359375
		ln2Lo = -2.12194440e-4
	)
	if x < -105 {
		x = -105
	}
	z := float32(x*log2e) + magic
	n := z - magic
	i := int32(math.Float32bits(z)) - int32(math.Float32bits(magic))
	r := (x - float32(n*ln2Hi)) - float32(n*ln2Lo)
	g := float32(0.00139262134663)
	g = float32(g*r) + 0.00836320297158
	g = float32(g*r) + 0.0416665544377
	g = float32(g*r) + 0.16666576846
	g = float32(g*r) + 0.5
	p := (float32(float32(r*r)*g) + r) + 1
	h := i >> 1
	return float32(p*math.Float32frombits(uint32(h+127)<<23)) * math.Float32frombits(uint32(i-h+127)<<23)
}

// responseBlockScalar is responseBlock; the comment in kernel.go is its loop. It
// takes any beta, by math.Pow.
func responseBlockScalar(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	extent := (channels-1)*inner + positions
	xs, ys, all := slice(src, extent), slice(dst, extent), slice(squares, channels*positions)
	for c := range channels {
		s := all[c*positions : (c+1)*positions]
		for i, e := range xs[c*inner:][:len(s)] {
			s[i] = float64(float64(e) * float64(e))
		}
	}
	before, after := (size-1)/2, size/2
	for c := range channels {
		x, y := xs[c*inner:][:positions], ys[c*inner:][:positions]
		window := all[max(c-before, 0)*positions : (min(c+after, channels-1)+1)*positions]
		for i, e := range x {
			var s float64
			for k := i; k < len(window); k += positions {
				s += window[k]
			}
			y[i] = float32(float64(e) / responsePower(float64(alpha/float64(size)*s)+bias, beta))
		}
	}
}

// responsePower is d^beta: by roots, which have one answer everywhere, where it can.
func responsePower(d, beta float64) float64 {
	switch beta {
	case 0.5:
		return math.Sqrt(d)
	case 0.75:
		r := math.Sqrt(d)
		return r * math.Sqrt(r)
	case 1:
		return d
	}
	return math.Pow(d, beta)
}
