package nn

import "github.com/normwasm/normwasm/internal/compute"

// Reduce is a reduction of one axis.
type Reduce uint8

// The reductions. Sums over the innermost axis pass through float64 every 1024 elements;
// those over an outer one are float32 sums in order.
const (
	ReduceSum       = Reduce(compute.ReduceSum)
	ReduceMean      = Reduce(compute.ReduceMean)
	ReduceMax       = Reduce(compute.ReduceMax)
	ReduceMin       = Reduce(compute.ReduceMin)
	ReduceSumSquare = Reduce(compute.ReduceSumSquare)
	ReduceL1        = Reduce(compute.ReduceL1)
	ReduceL2        = Reduce(compute.ReduceL2)
	ReduceLogSum    = Reduce(compute.ReduceLogSum)
	ReduceLogSumExp = Reduce(compute.ReduceLogSumExp)
	ReduceProd      = Reduce(compute.ReduceProd)
)

// Run reduces the middle axis: y [outer, inner] from x [outer, n, inner]. An empty axis gives
// the reduction's neutral element (for ReduceMean NaN). y may not overlap x. What does not
// fit is a *ShapeError or a *ValueError.
func (k Reduce) Run(y, x []float32, outer, n, inner int) error {
	return k.run("Reduce", y, x, outer, n, inner)
}

func (k Reduce) run(op string, y, x []float32, outer, n, inner int) error {
	if k > ReduceProd {
		return valueError(op, "there is no reduction ", int(k), ", want 0 to ", int(ReduceProd))
	}
	in, inProduct, err := elements(op, dim{"outer", outer}, dim{"n", n}, dim{"inner", inner})
	if err != nil {
		return err
	}
	out, outProduct, err := elements(op, dim{"outer", outer}, dim{"inner", inner})
	if err != nil {
		return err
	}
	if err := check(op, arg{name: "x", have: len(x), want: in, why: inProduct}, arg{name: "y", have: len(y), want: out, why: outProduct}); err != nil {
		return err
	}
	compute.Reduce(k).Run(y, x, outer, n, inner)
	return nil
}

// ArgMax returns the index of the largest of n elements that lie step apart, the first of
// equals, or the last when last is set. NaN counts as largest.
func ArgMax(x []float32, n, step int, last bool) (int, error) {
	if err := strided("ArgMax", x, n, step); err != nil {
		return 0, err
	}
	return compute.ArgMax(x, n, step, last), nil
}

// ArgMin returns the index of the smallest of n elements that lie step apart, the first of
// equals, or the last when last is set. NaN counts as smallest.
func ArgMin(x []float32, n, step int, last bool) (int, error) {
	if err := strided("ArgMin", x, n, step); err != nil {
		return 0, err
	}
	return compute.ArgMin(x, n, step, last), nil
}

func strided(op string, x []float32, n, step int) error {
	if n < 1 || step < 1 {
		return valueError(op, "n is ", n, " and step is ", step, ", want at least 1")
	}
	last, product, err := elements(op, dim{"n", n - 1}, dim{"step", step})
	if err != nil {
		return err
	}
	return check(op, arg{name: "x", have: len(x), want: last + 1, why: product + " and the last", atLeast: true})
}
