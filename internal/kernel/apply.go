package kernel

import "math"

// The scalar twins of the kernels that apply statistics.

// AffinePlanes and AffineRows are BatchNormPlanes with a channel for each plane, and BatchNormRows. params is
// [mean | scale | beta], each with planes (or period) elements. What the mean lacks in
// float32 is part of beta. count need not be a multiple of period, and may be less.
func AffinePlanes(dst, src, params *float32, planes, inner, clamp int) {
	p := slice(params, 2*planes+1)
	BatchNormPlanes(dst, src, &p[0], &p[planes], &p[2*planes], planes, planes, inner, clamp)
}

// AffineRows: see AffinePlanes.
func AffineRows(dst, src, params *float32, count, period, clamp int) {
	p := slice(params, 2*period+1)
	BatchNormRows(dst, src, &p[0], &p[period], &p[2*period], count, period, clamp)
}

// NormPlanes is RowMoments of rows of share·inner elements and, one row at a time, AffinePlanes of
// their share planes. gamma and beta (groups·share elements) may be nil. A row is HARD
// also where its |μ| or a |beta| of its planes is not below 2¹⁰², or where a |gamma| of
// theirs is neither 0 nor from 2⁻⁶⁰ to 2⁶⁰. For each row k:
//
//	moments[2k] = μ;  moments[2k+1] = var
//	r = 1 / sqrt(var + epsilon);  mh = f32(μ);  ml = μ - f64(mh)        // f64
//	for s < share {
//		a = r * f64(gamma[k*share+s])                        // f64; a = r without gamma
//		A = f32(a);  B = f32(f64(beta[k*share+s]) - ml*a)    // 0 without beta
//		for i < inner { y = (x - mh) * A + B; clamp as above }               // f32
//	}
func normPlanesScalar(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64, done *int) {
	run := share * inner
	xs, ys, out := slice(src, groups*run), slice(dst, groups*run), slice(moments, 2*groups)
	scales, shifts := slice(gamma, groups*share), slice(beta, groups*share)
	for k := range groups {
		x, y := xs[k*run:(k+1)*run:(k+1)*run], ys[k*run:(k+1)*run]
		mu, variance := rowMoment(x)
		if !isCarried(variance+epsilon) || !(math.Abs(mu) < MeanMax) ||
			gamma != nil && !carriedScales(scales[k*share:(k+1)*share]) || beta != nil && !carriedShifts(shifts[k*share:(k+1)*share]) {
			*done = k
			return
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
	*done = groups
}

// carriedScales says whether float32 carries the product of any of a group's gammas
// with any 1/√v.
func carriedScales(gamma []float32) bool {
	for _, g := range gamma {
		g = AbsOf(g)
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
		if IsLarge(b) {
			return false
		}
	}
	return true
}

// ResponseBlock is LocalResponseNorm of positions pixels of one example [channels inner]; src
// and dst point at the first pixel of channel 0. squares is scratch with room for
// channels·positions elements. beta is 0.5, 0.75 or 1 (Go takes others). In f64:
//
//	for c < channels, i < positions { squares[c*positions+i] = f64(src[c*inner+i])² }
//	before = (size-1)/2;  after = size/2
//	for c < channels, i < positions {
//		s = 0; for k = max(c-before, 0) … min(c+after, channels-1) { s = s + squares[k*positions+i] }
//		d = (alpha/f64(size))*s + bias
//		beta 0.5: f = sqrt(d);  0.75: f = sqrt(d)*sqrt(sqrt(d));  1: f = d
//		dst[c*inner+i] = f32(f64(src[c*inner+i]) / f)
//	}
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

// byRoots says whether ResponseBlock and ResponseGradBlock take beta. Their twins take any.
func byRoots(beta float64) bool { return beta == 0.5 || beta == 0.75 || beta == 1 }

// LocalResponse is ResponseBlock for any beta; others cost a math.Pow an element.
func LocalResponse(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	if byRoots(beta) {
		ResponseBlock(dst, src, squares, channels, inner, positions, size, alpha, beta, bias)
		return
	}
	responseBlockScalar(dst, src, squares, channels, inner, positions, size, alpha, beta, bias)
}

// LocalResponseGrad is ResponseGradBlock for any beta.
func LocalResponseGrad(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	if byRoots(beta) {
		ResponseGradBlock(dst, dy, src, scratch, channels, inner, positions, size, alpha, beta, bias)
		return
	}
	responseGradBlockScalar(dst, dy, src, scratch, channels, inner, positions, size, alpha, beta, bias)
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
