package norm

import "math"

// The scalar twins of the kernels that gather statistics; kernel.go has each loop.

// rowMomentsScalar is rowMoments; the comment in kernel.go is its loop.
func rowMomentsScalar(moments *float64, src *float32, rows, cols int) {
	xs, out := slice(src, rows*cols), slice(moments, 2*rows)
	for row := range rows {
		out[2*row], out[2*row+1] = rowMoment(xs[row*cols : (row+1)*cols : (row+1)*cols])
	}
}

// columnSumsScalar is columnSums; the comment in kernel.go is its loop.
func columnSumsScalar(sums *float64, src, shift *float32, count, period int) {
	xs, out := slice(src, count), slice(sums, 2*period)
	clear(out)
	shifts := slice(shift, period)
	const chunk = 64 // columns at a time: their sums stay in the first-level cache
	for from := 0; from < period; from += chunk {
		n := min(chunk, period-from)
		var k [chunk]float64
		for j := range shifts[min(from, len(shifts)):min(from+n, len(shifts))] {
			k[j] = float64(shifts[from+j])
		}
		s, q := out[from:from+n], out[period+from:period+from+n]
		for start := from; start < count; start += period {
			x := xs[start:min(start+n, count)]
			s, q := s[:len(x)], q[:len(x)]
			for j, e := range x {
				d := float64(e) - k[j&(chunk-1)]
				s[j] += d
				q[j] += float64(d * d)
			}
		}
	}
}

// rowPowersScalar is rowPowers; the comment in kernel.go is its loop.
func rowPowersScalar(sums *float64, src *float32, rows, cols, p int) {
	xs, out := slice(src, rows*cols), slice(sums, rows)
	for row := range out {
		out[row] = rowPower(xs[row*cols:(row+1)*cols:(row+1)*cols], p)
	}
}

func rowPower(x []float32, p int) float64 {
	const lanes = 32
	var q [lanes]float32
	var abs [8]float32
	var total [4]float64
	n := len(x)
	whole := n / lanes * lanes
	for start := 0; start < whole; start += lanes * powerSteps {
		block := x[start:min(start+lanes*powerSteps, whole)]
		for h := 0; h < lanes; h += 8 {
			var q0, q1, q2, q3, q4, q5, q6, q7 float32
			for rest := block; len(rest) >= lanes; rest = rest[lanes:] {
				v := rest[h : h+8 : h+8]
				if p == 1 {
					v = magnitudes(&abs, v)
					q0, q1, q2, q3 = q0+v[0], q1+v[1], q2+v[2], q3+v[3]
					q4, q5, q6, q7 = q4+v[4], q5+v[5], q6+v[6], q7+v[7]
					continue
				}
				q0 += float32(v[0] * v[0])
				q1 += float32(v[1] * v[1])
				q2 += float32(v[2] * v[2])
				q3 += float32(v[3] * v[3])
				q4 += float32(v[4] * v[4])
				q5 += float32(v[5] * v[5])
				q6 += float32(v[6] * v[6])
				q7 += float32(v[7] * v[7])
			}
			q[h], q[h+1], q[h+2], q[h+3], q[h+4], q[h+5], q[h+6], q[h+7] = q0, q1, q2, q3, q4, q5, q6, q7
		}
		if len(block) == lanes*powerSteps {
			foldPowers(&total, &q)
		}
	}
	i := whole
	for ; i+4 <= n; i += 4 {
		for l, e := range x[i : i+4] {
			q[i-whole+l] += powerScalar(e, p)
		}
	}
	foldPowers(&total, &q)
	sum := (total[0] + total[1]) + (total[2] + total[3])
	for _, e := range x[i:] {
		sum += float64(powerScalar(e, p))
	}
	return sum
}

// foldPowers is "fold" of rowPowers.
func foldPowers(total *[4]float64, q *[32]float32) {
	for l := range total {
		total[l] += float64(((q[l] + q[l+4]) + (q[l+8] + q[l+12])) + ((q[l+16] + q[l+20]) + (q[l+24] + q[l+28])))
	}
	*q = [32]float32{}
}

func powerScalar(x float32, p int) float32 {
	if p == 1 {
		return magnitude(x)
	}
	return float32(x * x)
}

// magnitudes fills abs with |v|.
func magnitudes(abs *[8]float32, v []float32) []float32 {
	for i, e := range v {
		abs[i] = magnitude(e)
	}
	return abs[:]
}

// magnitude is |x|, by the sign bit: what f32x4.abs does to a NaN as well.
func magnitude(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// rmsNormRowsScalar is rmsNormRows; the comment in kernel.go is its loop.
func rmsNormRowsScalar(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64) (done int) {
	xs, ys := slice(src, rows*cols), slice(dst, rows*cols)
	g, rstds := slice(gamma, cols), slice(rstd, rows)
	for row := range rows {
		x, y := xs[row*cols:(row+1)*cols:(row+1)*cols], ys[row*cols:(row+1)*cols:(row+1)*cols]
		v := rowPower(x, 2)/float64(cols) + epsilon
		if !(v >= varianceMin && v <= varianceMax) {
			return row
		}
		r := float32(1 / math.Sqrt(v))
		if rstds != nil {
			rstds[row] = r
		}
		y = y[:len(x)]
		if g == nil {
			for i, e := range x {
				y[i] = e * r
			}
			continue
		}
		g := g[:len(x)]
		for i, e := range x {
			y[i] = float32(e*r) * g[i]
		}
	}
	return rows
}
