package nn

import "github.com/normwasm/normwasm/internal/compute"

// MaxRank is the rank up to which Transpose works.
const MaxRank = 16

// Transpose permutes the axes of x [shape]: axis i of y is axis perm[i] of x. y may not
// overlap x. Ranks up to MaxRank. What does not fit is a *ShapeError.
func Transpose[T any](y, x []T, shape, perm []int) error {
	if len(shape) > MaxRank {
		return shapeError("Transpose", "shape has ", len(shape), " dimensions, want at most ", MaxRank)
	}
	if err := check("Transpose", arg{name: "perm", have: len(perm), want: len(shape), why: "one for each dimension"}); err != nil {
		return err
	}
	var seen [MaxRank]bool
	for _, p := range perm {
		if p < 0 || p >= len(shape) || seen[p] {
			return shapeError("Transpose", "perm is ", perm, ", want each of ", len(shape), " axes once")
		}
		seen[p] = true
	}
	dims := make([]dim, len(shape))
	for i, d := range shape {
		dims[i] = dim{"a dimension", d}
	}
	n, product, err := elements("Transpose", dims...)
	if err != nil {
		return err
	}
	if err := check("Transpose", arg{name: "x", have: len(x), want: n, why: product}, arg{name: "y", have: len(y), want: n, why: product}); err != nil {
		return err
	}
	compute.Transpose(y, x, shape, perm)
	return nil
}
