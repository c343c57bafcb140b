package kernel

// The scalar twins of the kernels of the backward passes.

// RowProducts is the reduction of a backward pass along rows: sums[3·row …] = Σg, Σg·h, Σh.
// gamma (cols elements) may be nil; mean and rstd have rows elements. f32 with
// two vectors a sum:
//
//	h = (x - mean) * rstd;  g = dy * gamma                   // g = dy without gamma
//	a0 a1 b0 b1 c0 c1 f32x4 = 0; A B C f64x2 = 0
//	for i < n/8 {
//		k = 0, 1 with the vectors at 8i + 4k { a_k = a_k + g; b_k = b_k + g*h; c_k = c_k + h }
//		if i%16 == 15 { fold }                               // after each 128 elements
//	}
//	if n%8 ≥ 4 { the vector at n/8*8, k = 0 };  fold
//	fold: t = a0 + a1;  A += f64(t.low) + f64(t.high);  a0 a1 = 0;  b and c alike
//	Σg = A[0] + A[1], the others alike
//	for each of the last n%4 elements { Σg += f64(g); Σgh += f64(g*h); Σh += f64(h) }
func rowProductsScalar(sums *float64, dy, src, gamma, mean, rstd *float32, rows, cols int) {
	gs, xs := slice(dy, rows*cols), slice(src, rows*cols)
	means, rstds, out := slice(mean, rows), slice(rstd, rows), slice(sums, 3*rows)
	scale := slice(gamma, cols)
	for row := range rows {
		m, s := means[row], rstds[row]
		x := xs[row*cols : (row+1)*cols]
		g := gs[row*cols : (row+1)*cols][:len(x)]
		var a, b, c [8]float32 // two vectors each
		var A, B, C [2]float64
		i := 0
		for ; i+8 <= len(x); i += 8 {
			for l, e := range x[i : i+8] {
				h := float32((e - m) * s)
				t := g[i+l]
				if scale != nil {
					t = float32(t * scale[i+l])
				}
				a[l] += t
				b[l] += float32(t * h)
				c[l] += h
			}
			if i%128 == 120 {
				foldPair(&A, &a)
				foldPair(&B, &b)
				foldPair(&C, &c)
			}
		}
		step := func(l int, e, t float32) (float32, float32) {
			h := float32((e - m) * s)
			if scale != nil {
				t = float32(t * scale[l])
			}
			return t, h
		}
		if i+4 <= len(x) {
			for l := range 4 {
				t, h := step(i+l, x[i+l], g[i+l])
				a[l] += t
				b[l] += float32(t * h)
				c[l] += h
			}
			i += 4
		}
		foldPair(&A, &a)
		foldPair(&B, &b)
		foldPair(&C, &c)
		sa, sb, sc := A[0]+A[1], B[0]+B[1], C[0]+C[1]
		for ; i < len(x); i++ {
			t, h := step(i, x[i], g[i])
			sa += float64(t)
			sb += float64(float32(t * h))
			sc += float64(h)
		}
		out[3*row], out[3*row+1], out[3*row+2] = sa, sb, sc
	}
}

// foldPair is "fold" of RowProducts for one sum.
func foldPair(total *[2]float64, v *[8]float32) {
	for l := range total {
		total[l] += float64(v[l]+v[l+4]) + float64(v[l+2]+v[l+6])
	}
	*v = [8]float32{}
}

// GradPlanes and GradRows are the application of a backward pass. params is [mean | rstd | A | B | C | E],
// each with planes (or period) elements; E is not read here. gamma (inner elements)
// may be nil and exists for planes only. dst may be dy or src. In f32:
//
//	h = (x - mean) * rstd;  g = dy * gamma
//	dst = (g*A - h*B) - C
func gradPlanesScalar(dst, dy, src, gamma, params *float32, planes, inner int) {
	n := planes * inner
	ds, gs, xs, p := slice(dst, n), slice(dy, n), slice(src, n), slice(params, 5*planes)
	scale := slice(gamma, inner)
	for k := range planes {
		m, s, A, B, C := p[k], p[planes+k], p[2*planes+k], p[3*planes+k], p[4*planes+k]
		x := xs[k*inner : (k+1)*inner]
		g, d := gs[k*inner : (k+1)*inner][:len(x)], ds[k*inner : (k+1)*inner][:len(x)]
		if scale == nil {
			for i, e := range x {
				h := float32((e - m) * s)
				d[i] = (float32(g[i]*A) - float32(h*B)) - C
			}
			continue
		}
		scale := scale[:len(x)]
		for i, e := range x {
			h := float32((e - m) * s)
			d[i] = (float32(float32(g[i]*scale[i])*A) - float32(h*B)) - C
		}
	}
}

// GradRows: see GradPlanes.
func gradRowsScalar(dst, dy, src, params *float32, count, period int) {
	ds, gs, xs, p := slice(dst, count), slice(dy, count), slice(src, count), slice(params, 5*period)
	for start := 0; start < count; start += period {
		x := xs[start:min(start+period, count)]
		n := len(x)
		g, d := gs[start:][:n], ds[start:][:n]
		m, s, A, B, C := p[:n], p[period:][:n], p[2*period:][:n], p[3*period:][:n], p[4*period:][:n]
		for i, e := range x {
			h := float32((e - m[i]) * s[i])
			d[i] = (float32(g[i]*A[i]) - float32(h*B[i])) - C[i]
		}
	}
}

// chunkColumns is how many columns the twins take at a time: their sums stay in
// the first-level cache.
const chunkColumns = 64

// ColumnProducts is RowProducts down the columns, with params as in GradRows (mean and rstd are
// read). sums has 3·period elements: all Σdy, all Σdy·h, all Σh. Per column:
//
//	h = (x - mean) * rstd;  a = a + dy;  b = b + dy*h;  c = c + h      // f32
//	if r%16 == 15 { A = A + f64(a); B = …; C = …; a b c = 0 }          // and at the end
func columnProductsScalar(sums *float64, dy, src, params *float32, count, period int) {
	gs, xs, p, out := slice(dy, count), slice(src, count), slice(params, 2*period), slice(sums, 3*period)
	clear(out)
	for from := 0; from < period; from += chunkColumns {
		n := min(chunkColumns, period-from)
		m, s := p[from:from+n], p[period+from:period+from+n]
		var a, b, c [chunkColumns]float32
		fold := func() {
			for j := range n {
				out[from+j] += float64(a[j])
				out[period+from+j] += float64(b[j])
				out[2*period+from+j] += float64(c[j])
			}
			a, b, c = [chunkColumns]float32{}, [chunkColumns]float32{}, [chunkColumns]float32{}
		}
		for r, start := 0, from; start < count; r, start = r+1, start+period {
			x := xs[start:min(start+n, count)]
			g, m, s := gs[start:][:len(x)], m[:len(x)], s[:len(x)]
			for j, e := range x {
				h := float32((e - m[j]) * s[j])
				a[j&(chunkColumns-1)] += g[j]
				b[j&(chunkColumns-1)] += float32(g[j] * h)
				c[j&(chunkColumns-1)] += h
			}
			if r%16 == 15 {
				fold()
			}
		}
		fold()
	}
}

// RowGradients adds the gradients of gamma and beta to sums, 2·cols elements: for each column
// j, with params as in GradPlanes (mean, rstd and E are read; one a row):
//
//	h = (x - mean) * rstd - E;  a = a + dy*h;  b = b + dy              // f32
//	if r%16 == 15 { sums[j] += f64(a); sums[cols+j] += f64(b); a b = 0 }   // and at the end
//
// in strips of 16 columns, then of 4, then of one. A strip with an a or b that is not
// finite is left out, and lost is 1: the caller adds it in float64, as sums of sixteen
// rows may overflow where those of all do not.
func rowGradientsScalar(sums *float64, dy, src, params *float32, rows, cols int) (lost int) {
	gs, xs, p, out := slice(dy, rows*cols), slice(src, rows*cols), slice(params, 6*rows), slice(sums, 2*cols)
	for from := 0; from < cols; from += chunkColumns {
		n := min(chunkColumns, cols-from)
		var a, b [chunkColumns]float32
		fold := func() {
			for at := 0; at < n; {
				strip := gradientStrip(n - at)
				if !finite(a[at:at+strip]) || !finite(b[at:at+strip]) {
					lost = 1
					at += strip
					continue
				}
				for end := at + strip; at < end; at++ {
					out[from+at] += float64(a[at])
					out[cols+from+at] += float64(b[at])
				}
			}
			a, b = [chunkColumns]float32{}, [chunkColumns]float32{}
		}
		for r := range rows {
			m, s, rest := p[r], p[rows+r], p[5*rows+r]
			x := xs[r*cols+from:][:n]
			g := gs[r*cols+from:][:len(x)]
			for j, e := range x {
				h := float32((e-m)*s) - rest
				a[j&(chunkColumns-1)] += float32(g[j] * h)
				b[j&(chunkColumns-1)] += g[j]
			}
			if r%16 == 15 {
				fold()
			}
		}
		fold()
	}
	return lost
}

// gradientStrip is how many columns RowGradients takes of those that are left.
func gradientStrip(left int) int {
	switch {
	case left >= 16:
		return 16
	case left >= 4:
		return 4
	}
	return 1
}

func finite(x []float32) bool {
	var sum float32
	for _, v := range x {
		sum += v - v
	}
	return sum == 0
}

// ResponseGradBlock is the backward pass of ResponseBlock, with the same three beta; scratch has room for
// 3·channels·positions elements. dst may be dy or src. In f64, with d and f at
// each element as in ResponseBlock:
//
//	t = f64(dy) * f64(x) / (f*d)
//	u = sum of t over channels max(c-after, 0) … min(c+before, channels-1), from 0 upwards
//	dst = f32(f64(dy)/f - ((2*alpha*beta/f64(size)) * f64(x)) * u)
func responseGradBlockScalar(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	extent, n := (channels-1)*inner+positions, channels*positions
	xs, gs, ds, all := slice(src, extent), slice(dy, extent), slice(dst, extent), slice(scratch, 3*n)
	squares, factors, terms := all[:n], all[n:2*n], all[2*n:]
	for c := range channels {
		for i, e := range xs[c*inner:][:positions] {
			squares[c*positions+i] = float64(float64(e) * float64(e))
		}
	}
	before, after := (size-1)/2, size/2
	sum := func(s []float64, c, i, before, after int) (total float64) {
		for k := max(c-before, 0); k <= min(c+after, channels-1); k++ {
			total += s[k*positions+i]
		}
		return total
	}
	slope := 2 * alpha * beta / float64(size)
	for c := range channels {
		for i, e := range xs[c*inner:][:positions] {
			d := float64(alpha/float64(size)*sum(squares, c, i, before, after)) + bias
			f := responsePower(d, beta)
			factors[c*positions+i] = f
			terms[c*positions+i] = float64(gs[c*inner+i]) * float64(e) / (f * d)
		}
	}
	for c := range channels {
		for i := range positions {
			at := c*inner + i
			t := slope * float64(xs[at]) * sum(terms, c, i, after, before)
			ds[at] = float32(float64(gs[at])/factors[c*positions+i] - float64(t))
		}
	}
}
