package kernel

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/require"
)

// The kernels of training and of the larger family, as paths has them: the scalar
// twin and whatever the plain name stands for.
var trainingPaths = []struct {
	name           string
	rowMoments     func(moments *float64, src *float32, rows, cols int)
	columnSums     func(sums *float64, src, shift *float32, count, period int)
	rowPowers      func(sums *float64, src *float32, rows, cols, p int)
	rmsNormRows    func(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64, done *int)
	responseBlock  func(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64)
	rowProducts    func(sums *float64, dy, src, gamma, mean, rstd *float32, rows, cols int)
	gradPlanes     func(dst, dy, src, gamma, params *float32, planes, inner int)
	gradRows       func(dst, dy, src, params *float32, count, period int)
	columnProducts func(sums *float64, dy, src, params *float32, count, period int)
	rowGradients   func(sums *float64, dy, src, params *float32, rows, cols int) int
}{
	{"scalar", rowMomentsScalar, columnSumsScalar, rowPowersScalar, rmsNormRowsScalar,
		responseBlockScalar, rowProductsScalar, gradPlanesScalar, gradRowsScalar, columnProductsScalar, rowGradientsScalar},
	{"kernel", RowMoments, ColumnSums, RowPowers, RmsNormRows,
		ResponseBlock, RowProducts, GradPlanes, GradRows, ColumnProducts, RowGradients},
}

// sameBits64 compares float64 results; NaNs are equal.
func sameBits64(t *testing.T, want, got []float64, format string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if w == w || got[i] == got[i] {
			require.Equal(t, math.Float64bits(w), math.Float64bits(got[i]), append([]any{format + ": element %d is %v, want %v"}, append(args, i, got[i], w)...)...)
		}
	}
}

// seeded returns normal values with some of what is not.
func seeded(seed uint64, n int) []float32 {
	x := testkit.Normal(testkit.Rand(seed), n, 1, 3)
	if seed%3 == 0 {
		specials(x)
	}
	return x
}

func TestRowMomentsIsItsContract(t *testing.T) {
	for i, row := range kernelRows() {
		n := len(row.X)
		mu, v := modelMoments(row.X)
		for _, path := range trainingPaths {
			x := testkit.Input("src", row.X, i%4)
			moments := []float64{7, 7, 7}
			path.rowMoments(&moments[0], &x.S[0], 1, n)
			x.Check(t, "%s, %s", path.name, row.Name)
			sameBits64(t, []float64{mu, v, 7}, moments, "%s, %d × %s", path.name, n, row.Name)
		}
	}
	// Several rows, one of which is no number.
	const rows, cols = 5, 100
	x := testkit.Normal(testkit.Rand(1), rows*cols, 5, 1)
	x[3*cols+50] = float32(math.NaN())
	want := make([]float64, 2*rows)
	for row := range rows {
		want[2*row], want[2*row+1] = rowMoment(x[row*cols : (row+1)*cols])
	}
	for _, path := range trainingPaths {
		got := make([]float64, 2*rows)
		path.rowMoments(&got[0], &x[0], rows, cols)
		sameBits64(t, want, got, "%s", path.name)
	}
}

// modelPower is rowPowers' sum, transcribed from its contract.
func modelPower(x []float32, p int) float64 {
	n := len(x)
	power := func(v float32) float32 {
		if p == 1 {
			return float32(math.Abs(float64(v)))
		}
		return float32(v * v)
	}
	var q [8][4]float32
	var Q [4]float64
	fold := func() {
		for l := range 4 {
			Q[l] += float64(((q[0][l] + q[1][l]) + (q[2][l] + q[3][l])) + ((q[4][l] + q[5][l]) + (q[6][l] + q[7][l])))
		}
		q = [8][4]float32{}
	}
	for i := range n / 32 {
		for k := range 8 {
			for l := range 4 {
				q[k][l] += power(x[32*i+4*k+l])
			}
		}
		if i%4 == 3 {
			fold()
		}
	}
	for k := range n % 32 / 4 {
		for l := range 4 {
			q[k][l] += power(x[n/32*32+4*k+l])
		}
	}
	fold()
	sum := (Q[0] + Q[1]) + (Q[2] + Q[3])
	for _, v := range x[n/4*4:] {
		sum += float64(power(v))
	}
	return sum
}

func TestRowPowersAndRMSNormRowsAreTheirContract(t *testing.T) {
	hard := 0
	for i, row := range kernelRows() {
		n := len(row.X)
		gamma := testkit.Normal(testkit.Rand(uint64(i)), n, 1, 1)
		if i%2 == 0 {
			gamma = nil
		}
		for _, path := range trainingPaths {
			x := testkit.Input("src", row.X, i%4)
			for p := 1; p <= 2; p++ {
				sums := []float64{7, 7}
				path.rowPowers(&sums[0], &x.S[0], 1, n, p)
				sameBits64(t, []float64{modelPower(row.X, p), 7}, sums, "%s: power %d of %d × %s", path.name, p, n, row.Name)
			}
			want, y, s := testkit.Output("y", n, 0), testkit.Output("y", n, i%3), testkit.Output("rstd", 1, 1)
			v := modelPower(row.X, 2)/float64(n) + 1e-12
			ok := v >= 1e-30 && v <= 1e36
			var done int
			path.rmsNormRows(&y.S[0], &x.S[0], optional(gamma), &s.S[0], 1, n, 1e-12, &done)
			if ok {
				require.Equal(t, 1, done)
				r := float32(1 / math.Sqrt(v))
				require.Equal(t, r, s.S[0])
				for k, e := range row.X {
					want.S[k] = e * r
					if gamma != nil {
						want.S[k] *= gamma[k]
					}
				}
			} else {
				hard++
				require.Equal(t, 0, done)
			}
			testkit.SameBits(t, want.S, y.S, "%s: RMSNorm of %d × %s", path.name, n, row.Name)
			for _, o := range []*testkit.Operand{x, y, s} {
				o.Check(t, "%s: RMSNorm of %d × %s", path.name, n, row.Name)
			}
		}
	}
	require.NotZero(t, hard)
}

// matrices are counts and periods: whole rows, and one that is cut short.
var matrices = [][2]int{{1, 1}, {5, 5}, {35, 7}, {64, 4}, {131, 8}, {1000, 12}, {700, 70}, {900, 260}, {1300, 65}, {33 * 64, 64}, {50, 3}, {515, 1}, {17 * 129, 129}}

func TestColumnKernelsAreTheirContract(t *testing.T) {
	for i, m := range matrices {
		count, period := m[0], m[1]
		x, dy, shift, params := seeded(uint64(i), count), testkit.Normal(testkit.Rand(uint64(i)), count, 0, 2), testkit.Normal(testkit.Rand(9), period, 1, 1), testkit.Normal(testkit.Rand(8), 6*period, 1, 1)
		sums, products := make([]float64, 2*period), make([]float64, 3*period)
		for j := range period {
			var S, Q, A, B, C float64
			var a, b, c float32
			fold := func() {
				A, B, C = A+float64(a), B+float64(b), C+float64(c)
				a, b, c = 0, 0, 0
			}
			for r, k := 0, j; k < count; r, k = r+1, k+period {
				d := float64(x[k])
				if i%2 == 0 {
					d -= float64(shift[j])
				}
				S += d
				Q += float64(d * d)
				h := float32((x[k] - params[j]) * params[period+j])
				a += dy[k]
				b += float32(dy[k] * h)
				c += h
				if r%16 == 15 {
					fold()
				}
			}
			fold()
			sums[j], sums[period+j] = S, Q
			products[j], products[period+j], products[2*period+j] = A, B, C
		}
		for _, path := range trainingPaths {
			in, grad, k, p := testkit.Input("src", x, i%4), testkit.Input("dy", dy, i/4%4), testkit.Input("shift", shift, 1), testkit.Input("params", params, 2)
			got := make([]float64, 2*period+1)
			got[2*period] = 7
			shifts := &k.S[0]
			if i%2 == 1 {
				shifts = nil
			}
			path.columnSums(&got[0], &in.S[0], shifts, count, period)
			sameBits64(t, append(sums[:2*period:2*period], 7), got, "%s: sums of %v", path.name, m)
			got = make([]float64, 3*period+1)
			got[0], got[3*period] = 5, 7
			path.columnProducts(&got[0], &grad.S[0], &in.S[0], &p.S[0], count, period)
			sameBits64(t, append(products[:3*period:3*period], 7), got, "%s: products of %v", path.name, m)

			for clamp := range 3 {
				want := make([]float32, count)
				for l, e := range x {
					j := l % period
					want[l] = Clamped(float32((e-params[j])*params[period+j])+params[2*period+j], clamp)
				}
				y := testkit.Output("dst", count, 1)
				AffineRows(&y.S[0], &in.S[0], &p.S[0], count, period, clamp)
				testkit.SameBits(t, want, y.S, "%s: affine %v", path.name, m)
				y.Check(t, "%s: affine %v", path.name, m)
				y = testkit.InOut("dst", x, 1)
				AffineRows(&y.S[0], &y.S[0], &p.S[0], count, period, clamp)
				testkit.SameBits(t, want, y.S, "%s: affine %v in place", path.name, m)
			}
			want := make([]float32, count)
			for l, e := range x {
				j := l % period
				h := float32((e - params[j]) * params[period+j])
				want[l] = (float32(dy[l]*params[2*period+j]) - float32(h*params[3*period+j])) - params[4*period+j]
			}
			for alias := range 3 {
				g, s := testkit.InOut("dy", dy, 1), testkit.InOut("src", x, 2)
				dx := []*testkit.Operand{testkit.Output("dst", count, 3), g, s}[alias]
				path.gradRows(&dx.S[0], &g.S[0], &s.S[0], &p.S[0], count, period)
				testkit.SameBits(t, want, dx.S, "%s: gradient %v, alias %d", path.name, m, alias)
				dx.Check(t, "%s: gradient %v", path.name, m)
			}
			for _, o := range []*testkit.Operand{in, grad, k, p} {
				o.Check(t, "%s: %v", path.name, m)
			}
		}
	}
}

// modelProducts is a row of rowProducts, transcribed from its contract.
func modelProducts(dy, x, gamma []float32, mean, rstd float32) [3]float64 {
	n := len(x)
	var v [3][2][4]float32
	var total [3][2]float64
	terms := func(i int) [3]float32 {
		h := float32((x[i] - mean) * rstd)
		g := dy[i]
		if gamma != nil {
			g = float32(g * gamma[i])
		}
		return [3]float32{g, float32(g * h), h}
	}
	vector := func(k, at int) {
		for l := range 4 {
			for s, term := range terms(at + l) {
				v[s][k][l] += term
			}
		}
	}
	fold := func() {
		for s := range 3 {
			for l := range 2 {
				total[s][l] += float64(v[s][0][l]+v[s][1][l]) + float64(v[s][0][l+2]+v[s][1][l+2])
			}
		}
		v = [3][2][4]float32{}
	}
	for i := range n / 8 {
		vector(0, 8*i)
		vector(1, 8*i+4)
		if i%16 == 15 {
			fold()
		}
	}
	if n%8 >= 4 {
		vector(0, n/8*8)
	}
	fold()
	var sums [3]float64
	for s := range sums {
		sums[s] = total[s][0] + total[s][1]
	}
	for i := n / 4 * 4; i < n; i++ {
		for s, term := range terms(i) {
			sums[s] += float64(term)
		}
	}
	return sums
}

func TestRowKernelsAreTheirContract(t *testing.T) {
	for i, n := range testkit.Sizes() {
		rows := 1 + i%4
		if i%7 == 0 {
			rows = 37 // several folds of the columns
		}
		if n > 300 && rows > 4 {
			rows = 2
		}
		size := rows * n
		r := testkit.Rand(uint64(i))
		x, dy, gamma, params := seeded(uint64(i), size), testkit.Normal(r, size, 0, 2), testkit.Normal(r, n, 1, 1), testkit.Normal(r, 6*rows, 1, 1)
		if i%3 == 1 {
			gamma = nil
		}
		for _, path := range trainingPaths {
			in, grad, p := testkit.Input("src", x, i%4), testkit.Input("dy", dy, i/4%4), testkit.Input("params", params, 1)
			got := make([]float64, 3*rows+1)
			got[3*rows] = 7
			path.rowProducts(&got[0], &grad.S[0], &in.S[0], optional(gamma), &p.S[0], &p.S[rows], rows, n)
			want := make([]float64, 3*rows+1)
			want[3*rows] = 7
			for row := range rows {
				s := modelProducts(dy[row*n:(row+1)*n], x[row*n:(row+1)*n], gamma, params[row], params[rows+row])
				copy(want[3*row:], s[:])
			}
			sameBits64(t, want, got, "%s: %d × %d", path.name, rows, n)

			dx := make([]float32, size)
			affine := make([]float32, size)
			for k, e := range x {
				row := k / n
				h := float32((e - params[row]) * params[rows+row])
				g := dy[k]
				if gamma != nil {
					g = float32(g * gamma[k%n])
				}
				dx[k] = (float32(g*params[2*rows+row]) - float32(h*params[3*rows+row])) - params[4*rows+row]
				affine[k] = float32((e-params[row])*params[rows+row]) + params[2*rows+row]
			}
			for alias := range 3 {
				g, s := testkit.InOut("dy", dy, 1), testkit.InOut("src", x, 2)
				out := []*testkit.Operand{testkit.Output("dst", size, 3), g, s}[alias]
				path.gradPlanes(&out.S[0], &g.S[0], &s.S[0], optional(gamma), &p.S[0], rows, n)
				testkit.SameBits(t, dx, out.S, "%s: gradient %d × %d, alias %d", path.name, rows, n, alias)
				out.Check(t, "%s: gradient %d × %d", path.name, rows, n)
			}
			for clamp := range 3 {
				want := make([]float32, size)
				for k, v := range affine {
					want[k] = Clamped(v, clamp)
				}
				for alias := range 2 {
					s := testkit.InOut("src", x, 2)
					out := []*testkit.Operand{testkit.Output("dst", size, 3), s}[alias]
					AffinePlanes(&out.S[0], &s.S[0], &p.S[0], rows, n, clamp)
					testkit.SameBits(t, want, out.S, "%s: affine %d × %d, alias %d", path.name, rows, n, alias)
					out.Check(t, "%s: affine %d × %d", path.name, rows, n)
				}
			}

			sums := make([]float64, 2*n+1)
			wantSums := make([]float64, 2*n+1)
			for j := range sums {
				sums[j], wantSums[j] = 7, 7
			}
			lost := path.rowGradients(&sums[0], &grad.S[0], &in.S[0], &p.S[0], rows, n)
			wantLost := 0
			for block := 0; block < rows; block += 16 {
				for from, width := 0, 0; from < n; from += width {
					width = 1
					if n-from >= 16 {
						width = 16
					} else if n-from >= 4 {
						width = 4
					}
					a, b, all := make([]float32, width), make([]float32, width), float32(0)
					for j := range width {
						for row := block; row < min(block+16, rows); row++ {
							k := row*n + from + j
							h := float32((x[k]-params[row])*params[rows+row]) - params[5*rows+row]
							a[j] += float32(dy[k] * h)
							b[j] += dy[k]
						}
						all += (a[j] - a[j]) + (b[j] - b[j])
					}
					if all != 0 {
						wantLost = 1
						continue
					}
					for j := range width {
						wantSums[from+j] += float64(a[j])
						wantSums[n+from+j] += float64(b[j])
					}
				}
			}
			require.Equal(t, wantLost, lost, "%s: gradients of %d × %d", path.name, rows, n)
			sameBits64(t, wantSums, sums, "%s: gradients of %d × %d", path.name, rows, n)
			for _, o := range []*testkit.Operand{in, grad, p} {
				o.Check(t, "%s: %d × %d", path.name, rows, n)
			}
		}
	}
}

func TestResponseBlockIsItsContract(t *testing.T) {
	for i, c := range [][4]int{{1, 1, 1, 1}, {3, 4, 4, 3}, {5, 7, 3, 2}, {8, 16, 16, 5}, {4, 33, 20, 9}, {7, 5, 1, 4}} {
		channels, inner, positions, size := c[0], c[1], c[2], c[3]
		data := seeded(uint64(i), channels*inner)
		for _, beta := range []float64{0.5, 0.75, 1} {
			const alpha, bias = 0.3, 1.5
			want := testkit.Output("dst", channels*inner, 1)
			for ch := range channels {
				for p := range positions {
					s := 0.0
					for k := max(ch-(size-1)/2, 0); k <= min(ch+size/2, channels-1); k++ {
						v := float64(data[k*inner+p])
						s += v * v
					}
					d := float64(alpha/float64(size)*s) + bias
					f := d
					if beta == 0.5 {
						f = math.Sqrt(d)
					}
					if beta == 0.75 {
						f = math.Sqrt(d) * math.Sqrt(math.Sqrt(d))
					}
					want.S[ch*inner+p] = float32(float64(data[ch*inner+p]) / f)
				}
			}
			for _, path := range trainingPaths {
				x, y := testkit.Input("src", data, i%4), testkit.Output("dst", channels*inner, 1)
				squares := make([]float64, channels*positions)
				path.responseBlock(&y.S[0], &x.S[0], &squares[0], channels, inner, positions, size, alpha, beta, bias)
				testkit.SameBits(t, want.S, y.S, "%s: %v, β %v", path.name, c, beta)
				x.Check(t, "%s: %v", path.name, c)
				y.Check(t, "%s: %v", path.name, c)
			}
		}
	}
}
