package norm

// The kernels and their contract. A kernel is an unchecked, allocation-free
// function over whole blocks of rows. Each one exists
//
//   - in Go, always compiled, as xxxScalar (kernel_scalar.go);
//   - in wasm SIMD128 (kernel_wasm.s, generated; kernel_wasm.go has the stubs);
//   - under its plain name on every target: the assembly in wasm, a forward to
//     the scalar twin elsewhere and under the tag purego (kernel_other.go).
//
// The twins give the same bits: an element goes to the same lane, lanes are
// folded in the same tree, and no product is contracted with a sum. NaNs may
// differ in sign and payload. The comments below are the loops: "lanewise" is
// one vector operation, sums are written with all their parentheses, f32 and
// f64 say in which type an operation rounds.
//
// What holds for all of them: pointers need float32 alignment only (4 bytes);
// the caller passes sizes ≥ 1 (the twins tolerate less, nothing relies on it); dst may be
// exactly src (or residual) but must not overlap it otherwise; an element's
// result depends on its own row, never on its neighbours, its position in the
// call or its address.
//
// # layerNormRows
//
//	func layerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int)
//
// normalizes rows × cols elements and returns how many rows it finished. It
// stops before the first HARD row, with nothing of that row written; the caller
// takes that row in float64 (rowCall.exact) and calls again for the rest.
// gamma and beta (cols elements) and mean and rstd (rows elements) may each be
// nil. epsilon is ≥ 0 and finite. For each row x of n = cols elements:
//
//	// 1. One sweep, all of it in f64; K = 0.
//	a0 a1 q0 q1 f64x2 = 0
//	for i = 0; i < n/16; i++ {
//		v0 … v3 = x[16i : 16i+16];  l_k = f64(v_k.low) - K;  h_k = f64(v_k.high) - K
//		a0 += ((l0 + l1) + l2) + l3;                 a1 += ((h0 + h1) + h2) + h3    // the sums in the
//		q0 += ((l0*l0 + l1*l1) + l2*l2) + l3*l3;     q1 += the same of h            // brackets first
//	}
//	for k = 0; k < n%16/4; k++ {                             // tail vectors, at most three
//		v = x[n/16*16 + 4k : … + 4];  l and h as above
//		a0 += l;  q0 += l*l;  a1 += h;  q1 += h*h
//	}
//	a = a0 + a1;  q = q0 + q1                                // lanewise
//	S = a[0] + a[1];  Q = q[0] + q[1]
//	for each of the last n%4 elements, in order {            // tail scalars, at most three
//		d = f64(x) - K;  S = S + d;  Q = Q + d*d
//	}
//
//	// 2. Moments, in f64 scalars.
//	N = 1 / f64(n);  μ = S / f64(n);  var = Q*N - μ*μ
//	if μ*μ > 4096*var {            // the difference cancels: sweep once more
//		K = f64(f32(μ));  c = S / f64(n);  μ = K + c;  var = Q*N - c*c
//	}
//	v = var + epsilon
//	if !(v ≥ 1e-30 && v ≤ 1e+36) { HARD }      // also when NaN
//	mh = f32(μ);  r = f32(1 / sqrt(v));  c = f32((f64(mh) - μ) * (1 / sqrt(v)))
//	if mean ≠ nil { mean[row] = mh }
//	if rstd ≠ nil { rstd[row] = r }
//
//	// 3. Application, elementwise in f32; a step whose parameter is nil is left out.
//	y = ((x - mh) * r + c) * gamma + beta
//
// Why so. Squares of float32 are exact in float64, and none overflows or vanishes
// there; a conversion costs no more than the subtraction of a shift and the folding
// of float32 sums that it takes the place of. With μ² ≤ 4096·var the difference
// loses at most 13 of float64's 53 bits, which leaves the relative error of the
// variance far below float32's; the second sweep has a K next to the mean, to which
// even 1e7 ± 50 is nothing special. What the mean lacks in float32 goes with the
// shift c: near the mean x − mh is exact, and at least as large as what it lacks, so that
// y is good to a relative error of a few roundings even where it is near zero.
// v outside of its range are rows whose x − μ float32 would not carry, and NaN and
// Inf, which all end in no number: a comparison with NaN is false.
//
// # addRows
//
//	func addRows(dst, src, residual *float32, count int)
//
//	for i < count { dst[i] = src[i] + residual[i] }          // f32
//
// # peak
//
//	func peak(src *float32, count int) (bits int)
//
//	for i < count { bits = max(bits, bits of |src[i]|) }     // NaN's are above Inf's
//
// # batchNormPlanes
//
//	func batchNormPlanes(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int)
//
// is BatchNorm's application for channels-first data: planes × inner elements,
// plane p belonging to channel p % channels. No parameter is nil; each has
// channels elements; scale is gamma/√(variance + ε).
//
//	for p < planes, i < inner {
//		y = (src[p*inner+i] - mean[p%channels]) * scale[p%channels] + beta[p%channels]   // f32
//		if clamp ≥ 1 { if y < 0 { y = 0 } }                  // f32x4.pmax(y, 0)
//		if clamp ≥ 2 { if y > 6 { y = 6 } }                  // f32x4.pmin(y, 6)
//		dst[p*inner+i] = y
//	}
//
// wasm's pmax(a, b) is b when a < b and a otherwise: y has to be the first
// operand, then a NaN passes through.
//
// # batchNormRows
//
//	func batchNormRows(dst, src, mean, scale, beta *float32, count, period, clamp int)
//
// is the same for channels-last data: element i takes the parameters at
// i % period. The three have period elements, a tiling of the channels; the
// caller makes period a multiple of 4 wherever count > period, but any is legal,
// and count need not be a multiple of it.
//
//	for i < count {
//		y = (src[i] - mean[i%period]) * scale[i%period] + beta[i%period]     // f32
//		clamp as above
//		dst[i] = y
//	}
//
// # rowMoments
//
//	func rowMoments(moments *float64, src *float32, rows, cols int)
//
// is the first half of layerNormRows, for any rows: moments[2·row] = μ and
// moments[2·row+1] = var, in f64.
//
// # normPlanes
//
//	func normPlanes(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64) (done int)
//
// is rowMoments of rows of share·inner elements and, one row at a time, affinePlanes of
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
//
// # columnSums
//
//	func columnSums(sums *float64, src, shift *float32, count, period int)
//
// sums down the columns of a matrix with period columns, whose last row may be
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
//
// # rowPowers
//
//	func rowPowers(sums *float64, src *float32, rows, cols, p int)
//
// is Σ|x| (p = 1) or Σx² (p = 2) of each row, in float32 of which no lane holds more
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
//
// # rmsNormRows
//
//	func rmsNormRows(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64) (done int)
//
//	v = Q/f64(n) + epsilon with Q as in rowPowers, p = 2
//	if !(v ≥ 1e-30 && v ≤ 1e+36) { HARD: as in layerNormRows }
//	r = f32(1 / sqrt(v));  if rstd ≠ nil { rstd[row] = r }
//	y = (x * r) * gamma                                      // gamma may be nil: left out
//
// # affinePlanes, affineRows
//
//	func affinePlanes(dst, src, params *float32, planes, inner, clamp int)
//	func affineRows(dst, src, params *float32, count, period, clamp int)
//
// are batchNormPlanes with a channel for each plane, and batchNormRows. params is
// [mean | scale | beta], each with planes (or period) elements. What the mean lacks in
// float32 is part of beta. count need not be a multiple of period, and may be less.
//
// # siluRows
//
//	func siluRows(dst, src *float32, count int)
//
//	for i < count { dst[i] = src[i] * s(src[i]) }            // f32
//	s(x): e = exp(-|x|);  s = (x < 0 ? e : 1) / (1 + e)
//	exp(x): x = max(x, -105);                                // x ≤ 0; NaN stays
//	        z = x*log2e + 12582912;  n = z - 12582912;  i = int32(bits z) - int32(bits 12582912)
//	        r = (x - n*ln2Hi) - n*ln2Lo
//	        g = 0.00139262134663;  g = g*r + 0.00836320297158;  g = g*r + 0.0416665544377
//	        g = g*r + 0.16666576846;  g = g*r + 0.5;  p = ((r*r)*g + r) + 1
//	        h = i >> 1;  exp = (p * 2^h) * 2^(i-h)           // 2^h: bits (h+127)<<23
//
// # responseBlock
//
//	func responseBlock(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64)
//
// is LocalResponseNorm of positions pixels of one example [channels inner]; src
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
//
// # rowProducts
//
//	func rowProducts(sums *float64, dy, src, gamma, mean, rstd *float32, rows, cols int)
//
// is the reduction of a backward pass along rows: sums[3·row …] = Σg, Σg·h, Σh.
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
//
// # gradPlanes, gradRows
//
//	func gradPlanes(dst, dy, src, gamma, params *float32, planes, inner int)
//	func gradRows(dst, dy, src, params *float32, count, period int)
//
// are the application of a backward pass. params is [mean | rstd | A | B | C | E],
// each with planes (or period) elements; E is not read here. gamma (inner elements)
// may be nil and exists for planes only. dst may be dy or src. In f32:
//
//	h = (x - mean) * rstd;  g = dy * gamma
//	dst = (g*A - h*B) - C
//
// # columnProducts
//
//	func columnProducts(sums *float64, dy, src, params *float32, count, period int)
//
// is rowProducts down the columns, with params as in gradRows (mean and rstd are
// read). sums has 3·period elements: all Σdy, all Σdy·h, all Σh. Per column:
//
//	h = (x - mean) * rstd;  a = a + dy;  b = b + dy*h;  c = c + h      // f32
//	if r%16 == 15 { A = A + f64(a); B = …; C = …; a b c = 0 }          // and at the end
//
// # rowGradients
//
//	func rowGradients(sums *float64, dy, src, params *float32, rows, cols int) (lost int)
//
// adds the gradients of gamma and beta to sums, 2·cols elements: for each column
// j, with params as in gradPlanes (mean, rstd and E are read; one a row):
//
//	h = (x - mean) * rstd - E;  a = a + dy*h;  b = b + dy              // f32
//	if r%16 == 15 { sums[j] += f64(a); sums[cols+j] += f64(b); a b = 0 }   // and at the end
//
// in strips of 16 columns, then of 4, then of one. A strip with an a or b that is not
// finite is left out, and lost is 1: the caller adds it in float64, as sums of sixteen
// rows may overflow where those of all do not.
//
// # rowProductsExact, columnProductsExact
//
//	func rowProductsExact(sums *slotSums, dy, src, gamma *float32, params *slotParams, rows, cols int)
//	func columnProductsExact(sums *slotSums, dy, src *float32, params *slotParams, rows, cols, stride int)
//
// add to each row's or column's sums what is left of g, in f64. With its parameters
//
//	g = f64(dy) * scale                                      // f64(gamma) in its place where there is one
//	t = f64(x) - mean;  e = (g - m1) - t*slope               // shift, tilt and rstd are not read
//
// rows have gamma (cols elements) or nil, and four lanes a sum; element i goes to i%4:
//
//	a_i = a_i + e;  b_i = b_i + e*t
//	E = (a0 + a2) + (a1 + a3);  ET = the same of b
//	for each of the last n%4 elements { E = E + e;  ET = ET + e*t }
//	sums.e += E;  sums.et += ET
//
// Columns are cols adjacent ones of a matrix whose rows are stride apart; each is added
// up from 0 in blocks of 16 rows, and the blocks' sums to sums.
//
// # gradPlanesExact, gradRowsExact
//
//	func gradPlanesExact(dst, dy, src, gamma *float32, params *slotParams, planes, inner int)
//	func gradRowsExact(dst, dy, src *float32, params *slotParams, rows, cols, stride int)
//
// are the application to planes, and to columns as columnProductsExact has them:
//
//	dst = f32((e + (t*tilt + shift)) * rstd)
//
// # responseGradBlock
//
//	func responseGradBlock(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64)
//
// is the backward pass of responseBlock, with the same three beta; scratch has room for
// 3·channels·positions elements. dst may be dy or src. In f64, with d and f at
// each element as in responseBlock:
//
//	t = f64(dy) * f64(x) / (f*d)
//	u = sum of t over channels max(c-after, 0) … min(c+before, channels-1), from 0 upwards
//	dst = f32(f64(dy)/f - ((2*alpha*beta/f64(size)) * f64(x)) * u)

// The last argument of the BatchNorm kernels.
const (
	clampNone  = 0
	clampReLU  = 1 // max(y, 0)
	clampReLU6 = 2 // min(max(y, 0), 6)
)

const (
	powerSteps  = 4     // 32-element steps between two folds of rowPowers
	varianceMin = 1e-30 // a row with variance + ε below is HARD
	varianceMax = 1e+36 // … and above
)
