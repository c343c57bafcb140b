package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// Softmax computes e^(x−m)/Σe^(x−m), m the maximum, over the middle axis of x
// [outer, n, inner]. y may be x. A row of −Inf gives NaN.
func Softmax(y, x []float32, outer, n, inner int, scratch []float32) {
	if outer*n*inner == 0 {
		return
	}
	if inner == 1 {
		kernel.SoftmaxRows(kernel.Ptr(y[:outer*n]), kernel.Ptr(x[:outer*n]), outer, n)
		return
	}
	mem := arena(scratch)
	from := mem.take(n * inner)
	for o := range outer {
		// Columns become rows, so that each sum keeps the rows' order.
		in, out := x[o*n*inner:][:n*inner], y[o*n*inner:][:n*inner]
		kernel.Transpose(kernel.Ptr(from), n, kernel.Ptr(in), inner, n, inner)
		kernel.SoftmaxRows(kernel.Ptr(from), kernel.Ptr(from), inner, n)
		kernel.Transpose(kernel.Ptr(out), inner, kernel.Ptr(from), n, inner, n)
	}
}

// LogSoftmax computes x − m − log Σe^(x−m) over the middle axis of x [outer, n,
// inner]. y may be x.
func LogSoftmax(y, x []float32, outer, n, inner int, scratch []float32) {
	if outer*n*inner == 0 {
		return
	}
	if inner == 1 {
		for o := range outer {
			logSoftmaxRow(y[o*n:][:n], x[o*n:][:n], scratch)
		}
		return
	}
	mem := arena(scratch)
	from := mem.take(n * inner)
	for o := range outer {
		in, out := x[o*n*inner:][:n*inner], y[o*n*inner:][:n*inner]
		kernel.Transpose(kernel.Ptr(from), n, kernel.Ptr(in), inner, n, inner)
		for i := range inner {
			logSoftmaxRow(from[i*n:][:n], from[i*n:][:n], mem)
		}
		kernel.Transpose(kernel.Ptr(out), inner, kernel.Ptr(from), n, inner, n)
	}
}

func logSoftmaxRow(y, x, scratch []float32) {
	var m, sum [1]float32
	n := len(x)
	e := scratch[:n]
	kernel.RowMax(&m[0], kernel.Ptr(x), 1, n)
	kernel.SubRows(kernel.Ptr(y), kernel.Ptr(x), 0, 1, &m[0], 0, 0, 1, n)
	kernel.ExpN(kernel.Ptr(e), kernel.Ptr(y), n)
	kernel.SumRows(&sum[0], kernel.Ptr(e), 1, n, 1)
	sum[0] = float32(math.Log(float64(sum[0])))
	kernel.SubRows(kernel.Ptr(y), kernel.Ptr(y), 0, 1, &sum[0], 0, 0, 1, n)
}

// SoftmaxScratch returns how many float32 of scratch Softmax and LogSoftmax want.
func SoftmaxScratch(n, inner int) int {
	if inner == 1 {
		return n
	}
	return n*inner + n
}
