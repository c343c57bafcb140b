//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// Operators of linear algebra, in float64.

func init() { Register(detRows) }

var detRows = []Row{{
	Name: "Det", Since: 11, Changes: []int{22},
	In:   []In{{Name: "X", Types: floatTypes, Var: 'T'}},
	Out:  yOut,
	Rank: detRank,
	Plan: planDet,
}, {
	Name: "Inverse", Domain: "com.microsoft", Since: 1,
	In:   []In{{Name: "X", Types: floatTypes | 1<<ir.Float16, Var: 'T'}},
	Out:  yOut,
	Rank: sameRank,
	Plan: planInverse,
}, {
	Name: "CDist", Domain: "com.microsoft", Since: 1,
	In:    []In{{Name: "A", Types: floatTypes, Var: 'T'}, {Name: "B", Types: floatTypes, Var: 'T'}},
	Out:   []Out{{Name: "C", Var: 'T'}},
	Attrs: []Attr{{Name: "metric", Kind: ir.AttrString, S: "sqeuclidean", Words: []string{"sqeuclidean", "euclidean"}}},
	Rank:  matrixRank,
	Plan:  planCDist,
}}

func detRank(_ *ir.Node, rank func(i int) int) int { return max(rank(0), 1) - 2 }

// square gives the number of rows of square matrices, and how many there are.
func square(c *Call) (n, count int, err error) {
	dims := c.In(0).Dims
	last := len(dims) - 1
	if last < 1 || dims[last] != dims[last-1] {
		return 0, 0, c.fail("the input has dimensions @, want square matrices", dims)
	}
	return dims[last], ir.Elements(dims[:last-1]), nil
}

func planDet(c *Call) error {
	n, count, err := square(c)
	if err != nil {
		return err
	}
	dims := c.In(0).Dims
	c.Out(0, c.In(0).Type, dims[:len(dims)-2]...)
	s := Into[det](c)
	s.n, s.count = n, count
	s.w.set(c, 1, c.In(0).Type, count)
	s.at = c.Bytes / 8
	c.Scratch(8 * (s.at + n*n))
	return nil
}

type det struct {
	w            wide[float64]
	n, count, at int // at: where a matrix is worked on, in elements of scratch
}

func (s *det) Run(a *Args) {
	x, y, m := s.w.in(a, 0), s.w.out(a), scratchFloats(a, s.at, s.n*s.n)
	for k := range s.count {
		copy(m, x[k*s.n*s.n:])
		y[k] = eliminate(m, nil, s.n)
	}
	s.w.done(a)
}

func planInverse(c *Call) error {
	n, count, err := square(c)
	if err != nil {
		return err
	}
	sameOut(c)
	s := Into[inverse](c)
	s.n, s.count = n, count
	s.w.set(c, 1, c.In(0).Type, count*n*n)
	s.at = c.Bytes / 8
	c.Scratch(8 * (s.at + 2*n*n))
	return nil
}

type inverse struct {
	w            wide[float64]
	n, count, at int
}

func (s *inverse) Run(a *Args) {
	size := s.n * s.n
	x, y, work := s.w.in(a, 0), s.w.out(a), scratchFloats(a, s.at, 2*size)
	m, right := work[:size], work[size:]
	for k := range s.count {
		copy(m, x[k*size:])
		clear(right)
		for i := range s.n {
			right[i*s.n+i] = 1
		}
		eliminate(m, right, s.n)
		for col := range s.n {
			for i := s.n - 1; i >= 0; i-- {
				v := right[i*s.n+col]
				for j := i + 1; j < s.n; j++ {
					v -= float64(m[i*s.n+j] * right[j*s.n+col])
				}
				right[i*s.n+col] = v / m[i*s.n+i]
			}
		}
		copy(y[k*size:], right)
	}
	s.w.done(a)
}

// eliminate makes an upper triangle of m, by rows with the largest pivot, doing the same to
// right where it is given, and returns m's determinant.
func eliminate(m, right []float64, n int) float64 {
	product := 1.0
	swap := func(x []float64, i, j int) {
		for k := range n {
			x[i*n+k], x[j*n+k] = x[j*n+k], x[i*n+k]
		}
	}
	for c := range n {
		best := c
		for r := c + 1; r < n; r++ {
			if math.Abs(m[r*n+c]) > math.Abs(m[best*n+c]) {
				best = r
			}
		}
		if best != c {
			product = -product
			swap(m, best, c)
			if right != nil {
				swap(right, best, c)
			}
		}
		pivot := m[c*n+c]
		if product *= pivot; pivot == 0 {
			continue
		}
		for r := c + 1; r < n; r++ {
			f := m[r*n+c] / pivot
			if f == 0 {
				continue
			}
			for k := c; k < n; k++ {
				m[r*n+k] -= float64(f * m[c*n+k])
			}
			for k := 0; k < n && right != nil; k++ {
				right[r*n+k] -= float64(f * right[c*n+k])
			}
		}
	}
	return product
}

// planCDist: the distances from each row of A to each of B.
func planCDist(c *Call) error {
	a, b := c.In(0).Dims, c.In(1).Dims
	if len(a) != 2 || len(b) != 2 || a[1] != b[1] {
		return c.Fail("a has dimensions ", a, " and b ", b, ", want matrices of as many columns")
	}
	c.Out(0, c.In(0).Type, a[0], b[0])
	s := Into[cdist](c)
	s.rows, s.cols, s.n, s.root = a[0], b[0], a[1], c.Str("metric") == "euclidean"
	s.w.set(c, 2, c.In(0).Type, a[0]*b[0])
	return nil
}

type cdist struct {
	w             wide[float64]
	rows, cols, n int
	root          bool
}

func (s *cdist) Run(args *Args) {
	a, b, y := s.w.in(args, 0), s.w.in(args, 1), s.w.out(args)
	for i := range s.rows {
		for j := range s.cols {
			sum := 0.0
			for k := range s.n {
				d := a[i*s.n+k] - b[j*s.n+k]
				sum += float64(d * d)
			}
			if s.root {
				sum = math.Sqrt(sum)
			}
			y[i*s.cols+j] = sum
		}
	}
	s.w.done(args)
}
