package nn

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
)

// Start says what a product is added to.
type Start = compute.Start

// What a product is added to.
const (
	FromZero   = compute.FromZero   // nothing
	FromRow    = compute.FromRow    // Bias[row]
	FromColumn = compute.FromColumn // Bias[column]
	FromY      = compute.FromY      // what y holds
)

// Clamp limits a result to [Lo, Hi] in the pass that computes it. The zero value leaves the
// result as it is.
type Clamp = compute.Clamp

// The clamps that networks have.
var (
	NoClamp = compute.NoClamp
	ReLU    = compute.ReLU
	ReLU6   = compute.ReLU6
)

// Gemm is the matrix product y = clamp(start + α·op(A)·op(B)) of [M, K] by [K, N]. Sums add
// k = 0 … K−1 in order, starting from start.
type Gemm struct {
	M, N, K        int
	TransA, TransB bool // A is stored [K, M], B [N, K]
	// Distances between rows as stored; 0 means that they are dense.
	LDA, LDB, LDY int
	Alpha         float32 // 0 stands for 1
	Start         Start
	Bias          []float32 // M (FromRow) or N (FromColumn) elements
	Clamp         Clamp
}

// PackedB is a right operand laid out for the kernels.
type PackedB struct{ b *compute.PackedB }

// K returns the rows of the operand.
func (b *PackedB) K() int { return b.b.K() }

// N returns the columns of the operand.
func (b *PackedB) N() int { return b.b.N() }

// Bytes is the size of the packed operand.
func (b *PackedB) Bytes() int { return b.b.Bytes() }

func (g *Gemm) inner() *compute.Gemm {
	c := compute.Gemm(*g)
	return &c
}

// right is what b must have.
func (g *Gemm) right(b []float32) (arg, error) {
	rows, cols := g.K, g.N
	if g.TransB {
		rows, cols = cols, rows
	}
	a, err := extent("Gemm", "b", rows, cols, g.LDB)
	return a.of(b), err
}

// check checks all but the right operand.
func (g *Gemm) check(y, a, scratch []float32) error {
	for _, d := range []dim{{"M", g.M}, {"N", g.N}, {"K", g.K}} {
		if d.size < 0 {
			return shapeError("Gemm", d.name, " is ", d.size, ", want at least 0")
		}
	}
	rows, cols := g.M, g.K
	if g.TransA {
		rows, cols = cols, rows
	}
	left, err := extent("Gemm", "a", rows, cols, g.LDA)
	if err != nil {
		return err
	}
	result, err := extent("Gemm", "y", g.M, g.N, g.LDY)
	if err != nil {
		return err
	}
	args := []arg{result.of(y), left.of(a), {name: "scratch", have: len(scratch), want: g.ScratchLen(), why: "ScratchLen", atLeast: true}}
	switch g.Start {
	case FromZero, FromY:
	case FromRow:
		args = append(args, arg{name: "Bias", have: len(g.Bias), want: g.M, why: "one for each row"})
	case FromColumn:
		args = append(args, arg{name: "Bias", have: len(g.Bias), want: g.N, why: "one for each column"})
	default:
		return valueError("Gemm", "Start is ", int(g.Start), ", want FromZero, FromRow, FromColumn or FromY (0 to 3)")
	}
	return check("Gemm", args...)
}

// PackB lays out a constant right operand, once, for RunPacked. It takes K, N, TransB and
// LDB from g.
func (g *Gemm) PackB(b []float32) (*PackedB, error) {
	if g.K < 0 || g.N < 0 {
		return nil, shapeError("Gemm", "K and N are ", g.K, " and ", g.N, ", want at least 0")
	}
	a, err := g.right(b)
	if err == nil {
		err = check("Gemm", a)
	}
	if err != nil {
		return nil, err
	}
	return &PackedB{g.inner().PackB(b)}, nil
}

// ScratchLen returns how many float32 of scratch Run and RunPacked want.
func (g *Gemm) ScratchLen() int {
	if g.M <= 0 || g.N <= 0 || g.K < 0 {
		return 0
	}
	return g.inner().ScratchLen()
}

// Run computes y from a and b; y may not overlap them. What does not fit is a *ShapeError
// or a *ValueError.
func (g *Gemm) Run(y, a, b, scratch []float32) error {
	if err := g.check(y, a, scratch); err != nil {
		return err
	}
	right, err := g.right(b)
	if err == nil {
		err = check("Gemm", right)
	}
	if err != nil {
		return err
	}
	g.inner().Run(y, a, b, scratch)
	return nil
}

// RunPacked computes y from a and a packed right operand; TransB and LDB of g are ignored.
func (g *Gemm) RunPacked(y, a []float32, b *PackedB, scratch []float32) error {
	if err := g.check(y, a, scratch); err != nil {
		return err
	}
	if b == nil || b.K() != g.K || b.N() != g.N {
		have := "absent"
		if b != nil {
			have = text.Join(b.K(), " by ", b.N())
		}
		return shapeError("Gemm", "the packed operand is ", have, ", want ", g.K, " by ", g.N)
	}
	g.inner().RunPacked(y, a, b.b, scratch)
	return nil
}
