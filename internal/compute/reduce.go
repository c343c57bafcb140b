package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// Reduce is a reduction of one axis.
type Reduce uint8

// The reductions. Sums over the innermost axis pass through float64 every 1024
// elements; those over an outer one are float32 sums in order.
const (
	ReduceSum Reduce = iota
	ReduceMean
	ReduceMax
	ReduceMin
	ReduceSumSquare
	ReduceL1
	ReduceL2
	ReduceLogSum
	ReduceLogSumExp
	ReduceProd
)

// Run reduces the middle axis: y [outer, inner] from x [outer, n, inner]. An
// empty axis gives the reduction's neutral element (for ReduceMean NaN). y may
// not overlap x.
func (k Reduce) Run(y, x []float32, outer, n, inner int) {
	if outer*inner == 0 {
		return
	}
	y = y[:outer*inner]
	if inner == 1 {
		k.rows(y, x[:outer*n], outer, n)
		return
	}
	for o := range outer {
		k.planes(y[o*inner:][:inner], x[o*n*inner:][:n*inner], n, inner)
	}
}

// rows reduces each of outer contiguous rows of n elements.
func (k Reduce) rows(y, x []float32, outer, n int) {
	switch k {
	case ReduceSum:
		kernel.SumRows(kernel.Ptr(y), kernel.Ptr(x), outer, n, 1)
	case ReduceMean:
		kernel.SumRows(kernel.Ptr(y), kernel.Ptr(x), outer, n, 1/float64(n))
		if n == 0 {
			fillWith(y, float32(math.NaN()))
		}
	case ReduceMax:
		kernel.RowMax(kernel.Ptr(y), kernel.Ptr(x), outer, n)
	case ReduceMin:
		kernel.RowMin(kernel.Ptr(y), kernel.Ptr(x), outer, n)
	case ReduceSumSquare:
		kernel.SquareRows(kernel.Ptr(y), kernel.Ptr(x), outer, n, 1)
	case ReduceLogSum:
		kernel.SumRows(kernel.Ptr(y), kernel.Ptr(x), outer, n, 1)
		Log(y, y)
	case ReduceL2:
		kernel.SquareRows(kernel.Ptr(y), kernel.Ptr(x), outer, n, 1)
		roots(y, x, n, 1, n)
	case ReduceLogSumExp:
		for o := range outer {
			y[o] = logSumExp(x[o*n:][:n])
		}
	default:
		for o := range outer {
			y[o] = k.strided(x[o*n:], n, 1)
		}
	}
}

// planes reduces n rows of inner elements to one.
func (k Reduce) planes(y, x []float32, n, inner int) {
	if n == 0 {
		fillWith(y, k.strided(nil, 0, 1))
		return
	}
	op := kernel.AddRows
	switch k {
	case ReduceSumSquare, ReduceL2:
		sumSquares(y, x, n, inner)
		if k == ReduceL2 {
			roots(y, x, 1, inner, n)
		}
		return
	case ReduceLogSumExp:
		logSumExps(y, x, n, inner)
		return
	case ReduceMax:
		op = kernel.MaxRows
	case ReduceMin:
		op = kernel.MinRows
	case ReduceProd:
		op = kernel.MulRows
	case ReduceSum, ReduceMean, ReduceLogSum:
	default:
		for i := range y {
			y[i] = k.strided(x[i:], n, inner)
		}
		return
	}
	copy(y, x)
	for i := 1; i < n; i++ {
		op(kernel.Ptr(y), kernel.Ptr(y), 0, 1, kernel.Ptr(x[i*inner:]), 0, 1, 1, inner)
	}
	if k == ReduceMean {
		count := [1]float32{float32(n)}
		Div(y, y, 0, 1, count[:], 0, 0, 1, inner)
	}
	if k == ReduceLogSum {
		Log(y, y)
	}
}

// columnBlock is how many columns are reduced at a time.
const columnBlock = 256

// sumSquares sums the squares of n rows, in float32 in order.
func sumSquares(y, x []float32, n, inner int) {
	var part [columnBlock]float32
	for i := 0; i < inner; i += columnBlock {
		t := part[:min(columnBlock, inner-i)]
		out := y[i:][:len(t)]
		clear(out)
		for j := range n {
			v := &x[j*inner+i:][:len(t)][0]
			kernel.MulRows(&t[0], v, 0, 1, v, 0, 1, 1, len(t))
			kernel.AddRows(&out[0], &out[0], 0, 1, &t[0], 0, 1, 1, len(t))
		}
	}
}

// roots makes roots of sums of squares, of which the first elements lie apart in x. Sums that
// float32 does not hold well are computed anew.
func roots(y, x []float32, apart, step, n int) {
	for i, v := range y {
		if v < 1e30 && v > 1e-30 {
			y[i] = float32(math.Sqrt(float64(v)))
		} else {
			y[i] = ReduceL2.strided(x[i*apart:], n, step)
		}
	}
}

// logSumExp takes a row block by block, whose sum is one of powers less the largest so far.
func logSumExp(x []float32) float32 {
	var part [columnBlock]float32
	best, sum := [1]float32{float32(math.Inf(-1))}, 0.0
	var one [1]float32
	for len(x) > 0 {
		n := min(len(x), len(part))
		before := best[0]
		kernel.ExpRows(&part[0], &best[0], &one[0], &x[0], 1, n)
		if math.IsInf(float64(best[0]), 0) {
			one[0] = 0
		}
		if before != best[0] && sum != 0 {
			sum *= math.Exp(float64(before) - float64(best[0]))
		}
		sum += float64(one[0])
		x = x[n:]
	}
	if math.IsInf(float64(best[0]), 0) {
		return best[0]
	}
	return float32(float64(best[0]) + math.Log(sum))
}

// logSumExps is that of columns.
func logSumExps(y, x []float32, n, inner int) {
	var part, sums [columnBlock]float32
	for i := 0; i < inner; i += columnBlock {
		m := min(columnBlock, inner-i)
		best, sum, t := y[i:][:m], sums[:m], part[:m]
		copy(best, x[i:])
		for j := 1; j < n; j++ {
			kernel.MaxRows(&best[0], &best[0], 0, 1, &x[j*inner+i:][:m][0], 0, 1, 1, m)
		}
		clear(sum)
		for j := range n {
			kernel.SubRows(&t[0], &x[j*inner+i:][:m][0], 0, 1, &best[0], 0, 1, 1, m)
			kernel.ExpN(&t[0], &t[0], m)
			kernel.AddRows(&sum[0], &sum[0], 0, 1, &t[0], 0, 1, 1, m)
		}
		kernel.LogN(&sum[0], &sum[0], m)
		for k, v := range sum {
			if !math.IsInf(float64(best[k]), 0) { // else nothing can be added
				best[k] += v
			}
		}
	}
}

// strided reduces n elements that lie step apart, in float64.
func (k Reduce) strided(x []float32, n, step int) float32 {
	sum := 0.0
	switch k {
	case ReduceSum, ReduceMean, ReduceLogSum:
		for i := range n {
			sum += float64(x[i*step])
		}
		switch k {
		case ReduceMean:
			sum /= float64(n)
		case ReduceLogSum:
			sum = math.Log(sum)
		}
	case ReduceSumSquare, ReduceL2:
		for i := range n {
			v := float64(x[i*step])
			sum += float64(v * v)
		}
		if k == ReduceL2 {
			sum = math.Sqrt(sum)
		}
	case ReduceL1:
		for i := range n {
			sum += math.Abs(float64(x[i*step]))
		}
	case ReduceProd:
		p, q, r, s := 1.0, 1.0, 1.0, 1.0 // none waits for another
		for n >= 4 {
			p, q = p*float64(x[0]), q*float64(x[step])
			r, s = r*float64(x[2*step]), s*float64(x[3*step])
			x, n = x[min(4*step, len(x)):], n-4
		}
		for i := range n {
			p *= float64(x[i*step])
		}
		return float32((p * q) * (r * s))
	case ReduceLogSumExp:
		top := math.Inf(-1)
		for i := range n {
			top = math.Max(top, float64(x[i*step]))
		}
		if math.IsInf(top, 0) {
			return float32(top)
		}
		for i := range n {
			sum += math.Exp(float64(x[i*step]) - top)
		}
		sum = top + math.Log(sum)
	case ReduceMax:
		return float32(math.Inf(-1))
	case ReduceMin:
		return float32(math.Inf(1))
	}
	return float32(sum)
}

// ArgMax returns the index of the largest of n elements that lie step apart, the
// first of equals, or the last when last is set. NaN counts as largest.
func ArgMax(x []float32, n, step int, last bool) int {
	best := 0
	for i := 1; i < n; i++ {
		v, top := x[i*step], x[best*step]
		if v > top || (v != v && top == top) || (last && (v == top || v != v)) {
			best = i
		}
	}
	return best
}

// ArgMin returns the index of the smallest of n elements that lie step apart,
// the first of equals, or the last when last is set. NaN counts as smallest.
func ArgMin(x []float32, n, step int, last bool) int {
	best := 0
	for i := 1; i < n; i++ {
		v, low := x[i*step], x[best*step]
		if v < low || (v != v && low == low) || (last && (v == low || v != v)) {
			best = i
		}
	}
	return best
}

// ArgExtreme is ArgMax, or with low ArgMin, of all elements of x, which has some.
func ArgExtreme(x []float32, low, last bool) int {
	n := len(x)
	if last || n < 16 {
		if low {
			return ArgMin(x, n, 1, last)
		}
		return ArgMax(x, n, 1, last)
	}
	var v [1]float32
	if low {
		kernel.RowMin(&v[0], &x[0], 1, n)
	} else {
		kernel.RowMax(&v[0], &x[0], 1, n)
	}
	if v[0] != v[0] { // nothing but a NaN is beyond an infinity
		return kernel.FindBeyond(&x[0], n, float32(math.Inf(1)), kernel.FindAbove)
	}
	return kernel.FindBeyond(&x[0], n, v[0], kernel.FindEqual)
}

// CumSum computes y[i] = x[0] + … + x[i], summed in S.
func CumSum[S, T int32 | int64 | float32 | float64](y, x []T) {
	var sum S
	for i, v := range x[:len(y)] {
		sum += S(v)
		y[i] = T(sum)
	}
}
