package kernel

import "math"

// The scalar twins of the kernels that gather statistics.

const powerSteps = 4 // 32-element steps between two folds of RowPowers

// RowMoments is the first half of LayerNormRows, for any rows: moments[2·row] = μ and
// moments[2·row+1] = var, in f64.
func rowMomentsScalar(moments *float64, src *float32, rows, cols int) {
	xs, out := slice(src, rows*cols), slice(moments, 2*rows)
	for row := range rows {
		out[2*row], out[2*row+1] = rowMoment(xs[row*cols : (row+1)*cols : (row+1)*cols])
	}
}

// ColumnSums sums down the columns of a matrix with period columns, whose last row may be
// short. sums has 2·period elements: S, then Q. shift may be nil: then it is 0.
//
//	for j < period {
//		S = 0, Q = 0                                             // f64
//		for r = 0; r*period+j < count; r++ {
//			d = f64(src[r*period+j]) - f64(shift[j]);  S = S + d;  Q = Q + d*d
//		}
//		sums[j] = S;  sums[period+j] = Q
//	}
//
// A lane is a column: nothing is folded across lanes.
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

// RowPowers is Σ|x| (p = 1) or Σx² (p = 2) of each row, in float32 of which no lane holds more
// than five terms before they go to float64:
//
//	q0 … q7 f32x4 = 0, Q0 Q1 f64x2 = 0
//	for i < n/32 { q_k = q_k + t(v_k) for k = 0 … 7; if i%4 == 3 { fold } }
//	for k < n%32/4 { q_k = q_k + t(v) };  fold
//	fold: q = ((q0 + q1) + (q2 + q3)) + ((q4 + q5) + (q6 + q7))            // f32 lanewise
//	      Q0 += f64(q.low); Q1 += f64(q.high); q0 … q7 = 0
//	Q = (Q0[0] + Q0[1]) + (Q1[0] + Q1[1])
//	for each of the last n%4 elements { Q = Q + f64(t(x)) }
//	t(x) = |x| or x*x, rounded to f32;  sums[row] = Q
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
			q[i-whole+l] += powerOf(e, p)
		}
	}
	foldPowers(&total, &q)
	sum := (total[0] + total[1]) + (total[2] + total[3])
	for _, e := range x[i:] {
		sum += float64(powerOf(e, p))
	}
	return sum
}

// foldPowers is "fold" of RowPowers.
func foldPowers(total *[4]float64, q *[32]float32) {
	for l := range total {
		total[l] += float64(((q[l] + q[l+4]) + (q[l+8] + q[l+12])) + ((q[l+16] + q[l+20]) + (q[l+24] + q[l+28])))
	}
	*q = [32]float32{}
}

func powerOf(x float32, p int) float32 {
	if p == 1 {
		return AbsOf(x)
	}
	return float32(x * x)
}

// magnitudes fills abs with |v|.
func magnitudes(abs *[8]float32, v []float32) []float32 {
	for i, e := range v {
		abs[i] = AbsOf(e)
	}
	return abs[:]
}

// RmsNormRows:
//
//	v = Q/f64(n) + epsilon with Q as in RowPowers, p = 2
//	if !(v ≥ 1e-30 && v ≤ 1e+36) { HARD: as in LayerNormRows }
//	r = f32(1 / sqrt(v));  if rstd ≠ nil { rstd[row] = r }
//	y = (x * r) * gamma                                      // gamma may be nil: left out
func rmsNormRowsScalar(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64, done *int) {
	xs, ys := slice(src, rows*cols), slice(dst, rows*cols)
	g, rstds := slice(gamma, cols), slice(rstd, rows)
	for row := range rows {
		x, y := xs[row*cols:(row+1)*cols:(row+1)*cols], ys[row*cols:(row+1)*cols:(row+1)*cols]
		v := rowPower(x, 2)/float64(cols) + epsilon
		if !(v >= VarianceMin && v <= VarianceMax) {
			*done = row
			return
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
	*done = rows
}
