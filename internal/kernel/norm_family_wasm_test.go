//go:build wasm && !purego

package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// rowOperand is rows of a kind, at an address of its own.
func rowOperand(r *rand.Rand, rows, cols, shift int, gen func(r *rand.Rand, i int) float32) operand {
	x := newOperand(rows*cols, shift)
	for i := range x.v {
		x.v[i] = gen(r, i%max(cols, 1))
	}
	return x
}

func parameters(r *rand.Rand, n, shift int) operand {
	return rowOperand(r, 1, n, shift, rowKinds["normal"])
}

// guarded is a result of n float64 between guards.
func guarded(n int) (all []float64, at *float64) {
	all = make([]float64, n+2)
	for i := range all {
		all[i] = 1234.5
	}
	return all, &all[1]
}

func TestRowStatisticsBits(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for kind, gen := range rowKinds {
		t.Run(kind, func(t *testing.T) {
			for _, cols := range edgeSizes[1:] {
				rows, shift := 1+r.IntN(4), r.IntN(4)
				x := rowOperand(r, rows, cols, shift, gen)
				epsilon := []float64{0, 1e-5, 1e-12, 1}[r.IntN(4)]

				want, w := guarded(2 * rows)
				got, g := guarded(2 * rows)
				rowMomentsScalar(w, &x.v[0], rows, cols)
				RowMoments(g, &x.v[0], rows, cols)
				sameBits64(t, want, got, "moments %d×%d", rows, cols)

				for p := 1; p <= 2; p++ {
					want, w := guarded(rows)
					got, g := guarded(rows)
					rowPowersScalar(w, &x.v[0], rows, cols, p)
					RowPowers(g, &x.v[0], rows, cols, p)
					sameBits64(t, want, got, "power %d of %d×%d", p, rows, cols)
				}

				gamma := parameters(r, cols, r.IntN(4))
				for params := range 4 {
					var scale *float32
					if params&1 != 0 {
						scale = &gamma.v[0]
					}
					run := func(kernel func(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64) int) (y, s operand, done int) {
						y, s = newOperand(rows*cols, shift), newOperand(rows, 1)
						src := &x.v[0]
						if params&2 != 0 {
							copy(y.v, x.v)
							src = &y.v[0]
						}
						rstd := &s.v[0]
						if params == 1 {
							rstd = nil
						}
						done = kernel(&y.v[0], src, scale, rstd, rows, cols, epsilon)
						return
					}
					wy, ws, wn := run(rmsNormRowsScalar)
					gy, gs, gn := run(RmsNormRows)
					require.Equal(t, wn, gn, "rows done: %d×%d", rows, cols)
					sameBits(t, wy, gy, "RMSNorm ", rows, "×", cols, " params=", params)
					sameBits(t, ws, gs, "RMSNorm rstd ", rows, "×", cols)
				}
			}
		})
	}
}

func TestRowGradientBits(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for kind, gen := range rowKinds {
		t.Run(kind, func(t *testing.T) {
			for _, cols := range edgeSizes[1:] {
				rows := []int{1, 2, 3, 15, 16, 17, 33}[r.IntN(7)]
				if cols > 200 {
					rows = min(rows, 3)
				}
				shift := r.IntN(4)
				x, dy := rowOperand(r, rows, cols, shift, gen), parameters(r, rows*cols, r.IntN(4))
				params, gamma := parameters(r, 6*rows, r.IntN(4)), parameters(r, cols, r.IntN(4))
				p := &params.v[0]
				for _, scale := range []*float32{nil, &gamma.v[0]} {
					want, w := guarded(3 * rows)
					got, g := guarded(3 * rows)
					rowProductsScalar(w, &dy.v[0], &x.v[0], scale, p, &params.v[rows], rows, cols)
					RowProducts(g, &dy.v[0], &x.v[0], scale, p, &params.v[rows], rows, cols)
					sameBits64(t, want, got, "products %d×%d", rows, cols)

					wy, gy := newOperand(rows*cols, shift), newOperand(rows*cols, shift)
					gradPlanesScalar(&wy.v[0], &dy.v[0], &x.v[0], scale, p, rows, cols)
					GradPlanes(&gy.v[0], &dy.v[0], &x.v[0], scale, p, rows, cols)
					sameBits(t, wy, gy, "gradient ", rows, "×", cols)
					copy(gy.v, x.v)
					GradPlanes(&gy.v[0], &dy.v[0], &gy.v[0], scale, p, rows, cols)
					sameBits(t, wy, gy, "gradient in place ", rows, "×", cols)
				}
				want, w := guarded(2 * cols)
				got, g := guarded(2 * cols)
				require.Equal(t, rowGradientsScalar(w, &dy.v[0], &x.v[0], p, rows, cols), RowGradients(g, &dy.v[0], &x.v[0], p, rows, cols))
				sameBits64(t, want, got, "gradients of gamma %d×%d", rows, cols)
			}
		})
	}
}

// Counts that are not whole rows, and rows before and after those of a block.
func TestColumnBits(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for kind, gen := range rowKinds {
		t.Run(kind, func(t *testing.T) {
			for _, period := range []int{1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 20, 31, 64, 67, 256} {
				for _, rows := range []int{0, 1, 2, 15, 16, 17, 33} {
					count := max(1, period*rows+r.IntN(2)*r.IntN(period))
					shift := r.IntN(4)
					x, dy := rowOperand(r, 1, count, shift, gen), parameters(r, count, r.IntN(4))
					fill(r, dy.v[:min(count, 3*rows)])
					params, k := parameters(r, 6*period, r.IntN(4)), parameters(r, period, r.IntN(4))
					p := &params.v[0]

					for _, shift := range []*float32{nil, &k.v[0]} {
						want, w := guarded(2 * period)
						got, g := guarded(2 * period)
						columnSumsScalar(w, &x.v[0], shift, count, period)
						ColumnSums(g, &x.v[0], shift, count, period)
						sameBits64(t, want, got, "sums of %d by %d", count, period)
					}

					want, w := guarded(3 * period)
					got, g := guarded(3 * period)
					columnProductsScalar(w, &dy.v[0], &x.v[0], p, count, period)
					ColumnProducts(g, &dy.v[0], &x.v[0], p, count, period)
					sameBits64(t, want, got, "products of %d by %d", count, period)

					wy, gy := newOperand(count, shift), newOperand(count, shift)
					gradRowsScalar(&wy.v[0], &dy.v[0], &x.v[0], p, count, period)
					GradRows(&gy.v[0], &dy.v[0], &x.v[0], p, count, period)
					sameBits(t, wy, gy, "gradient ", count, " by ", period)
					copy(gy.v, x.v)
					GradRows(&gy.v[0], &dy.v[0], &gy.v[0], p, count, period)
					sameBits(t, wy, gy, "gradient in place ", count, " by ", period)
				}
			}
		})
	}
}

func TestResponseBits(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for kind, gen := range rowKinds {
		for _, c := range [][2]int{{1, 1}, {1, 4}, {2, 5}, {3, 3}, {5, 8}, {7, 13}, {9, 4}, {16, 31}} {
			for size := 1; size <= 6; size++ {
				channels, positions := c[0], c[1]
				inner := positions + r.IntN(3)
				extent := (channels-1)*inner + positions
				beta := []float64{0.5, 0.75, 1}[r.IntN(3)]
				x, dy := rowOperand(r, 1, extent, r.IntN(4), gen), parameters(r, extent, r.IntN(4))
				n := channels * positions
				for _, inPlace := range []bool{false, true} {
					run := func(forward func(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64),
						backward func(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64)) (y, dx operand, s, u []float64) {
						y, dx = newOperand(extent, x.shift), newOperand(extent, x.shift)
						src, grad := &x.v[0], &dy.v[0]
						if inPlace {
							copy(y.v, x.v)
							copy(dx.v, dy.v)
							src, grad = &y.v[0], &dx.v[0]
						}
						s, at := guarded(n)
						forward(&y.v[0], src, at, channels, inner, positions, size, 0.3, beta, 1.5)
						u, at = guarded(3 * n)
						backward(&dx.v[0], grad, &x.v[0], at, channels, inner, positions, size, 0.3, beta, 1.5)
						return y, dx, s, u
					}
					wy, wd, ws, wu := run(responseBlockScalar, responseGradBlockScalar)
					gy, gd, gs, gu := run(ResponseBlock, ResponseGradBlock)
					sameBits(t, wy, gy, kind, " response ", channels, "×", positions, " size=", size, " beta=", beta)
					sameBits(t, wd, gd, kind, " gradient ", channels, "×", positions, " size=", size, " beta=", beta)
					sameBits64(t, ws[n+1:], gs[n+1:], "guard")
					sameBits64(t, wu[3*n+1:], gu[3*n+1:], "guard")
				}
			}
		}
	}
}
