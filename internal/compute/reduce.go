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
	case ReduceMax:
		op = kernel.MaxRows
	case ReduceMin:
		op = kernel.MinRows
	case ReduceProd:
		op = kernel.MulRows
	case ReduceSum, ReduceMean:
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
		p := float32(1)
		for i := range n {
			p *= x[i*step]
		}
		return p
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
