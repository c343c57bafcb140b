package nn

import "github.com/normwasm/normwasm/internal/compute"

// Softmax computes e^(x−m)/Σe^(x−m), m the maximum, over the middle axis of x [outer, n,
// inner]. y may be x. A row of −Inf gives NaN. What does not fit is a *ShapeError.
func Softmax(y, x []float32, outer, n, inner int, scratch []float32) error {
	return normalize("Softmax", y, x, outer, n, inner, scratch, compute.Softmax)
}

// LogSoftmax computes x − m − log Σe^(x−m) over the middle axis of x [outer, n, inner]. y may
// be x. What does not fit is a *ShapeError.
func LogSoftmax(y, x []float32, outer, n, inner int, scratch []float32) error {
	return normalize("LogSoftmax", y, x, outer, n, inner, scratch, compute.LogSoftmax)
}

func normalize(op string, y, x []float32, outer, n, inner int, scratch []float32,
	run func(y, x []float32, outer, n, inner int, scratch []float32)) error {
	size, product, err := elements(op, dim{"outer", outer}, dim{"n", n}, dim{"inner", inner})
	if err != nil {
		return err
	}
	args := []arg{{name: "x", have: len(x), want: size, why: product}, {name: "y", have: len(y), want: size, why: product}}
	if size > 0 {
		args = append(args, arg{name: "scratch", have: len(scratch), want: SoftmaxScratch(n, inner), why: "SoftmaxScratch", atLeast: true})
	}
	if err := check(op, args...); err != nil {
		return err
	}
	run(y, x, outer, n, inner, scratch)
	return nil
}

// SoftmaxScratch returns how many float32 of scratch Softmax and LogSoftmax want.
func SoftmaxScratch(n, inner int) int { return compute.SoftmaxScratch(n, inner) }
