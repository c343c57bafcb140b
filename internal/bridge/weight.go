package bridge

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

// matrix sees the weights of a convolution or linear layer, [O …], as O rows.
func (c *Call) matrix(op string) (rows, cols int, err error) {
	if len(c.Shape) == 0 {
		return 0, 0, &Error{BadShape, text.Join("norm: ", op, ": shape is [], want at least the dimension of the outputs")}
	}
	return c.Shape[0], product(c.Shape[1:]), nil
}

// product is the number of elements of some of a shape's dimensions; -1, which norm
// refuses, when one is negative or memory cannot hold as many.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		if d < 0 || d > 0 && n > MaxBytes/d {
			return -1
		}
		n *= d
	}
	return n
}

func runFold(c *Call) error {
	rows, cols, err := c.matrix("FoldBatchNorm")
	if err != nil {
		return err
	}
	o := &c.Operands
	return norm.FoldBatchNorm(o[0], o[7], o[1], o[2], o[3], o[4], o[5], o[6], 1, rows, cols, c.Options[0])
}

func runWeight(c *Call) error {
	rows, cols, err := c.matrix("WeightNorm")
	if err != nil {
		return err
	}
	return norm.WeightNorm(c.Operands[0], nil, c.Operands[1], c.Operands[2], rows, cols)
}

const (
	spectralOp = "SpectralNorm"

	// MaxSteps is the largest number of steps. More is taken for a mistake, because a
	// running export cannot be interrupted.
	MaxSteps = 1000000
)

// vectors are u, v and sigma, which are the caller's and come with each call.
func (c *Call) vectors() (rows, cols int, d [3][]float64, err error) {
	rows, cols, err = c.matrix(spectralOp)
	for i, want := range [...]int{rows, cols, 1} {
		if err == nil {
			d[i], err = doubles(c.Operands[2+i])
		}
		if err == nil && len(d[i]) != want {
			err = &Error{BadShape, text.Join("norm: ", spectralOp, ": ", spectralOperands[2+i].Name, " has ", len(d[i]), " elements, want ", want, " (shape ", c.Shape, ")")}
		}
	}
	return rows, cols, d, err
}

// prepareSpectral checks the vectors before norm allocates its own, whose size follows
// from the shape. These are dropped again: each call brings its vectors.
func prepareSpectral(c *Call) (any, error) {
	rows, cols, _, err := c.vectors()
	if err != nil {
		return nil, err
	}
	s, err := norm.NewSpectralNorm(rows, cols)
	if err == nil {
		s.U, s.V = nil, nil
	}
	return s, err
}

func runSpectral(c *Call) error {
	_, _, d, err := c.vectors()
	if err != nil {
		return err
	}
	if c.Options[0] > MaxSteps {
		return &Error{Invalid, text.Join("norm: ", spectralOp, ": steps is ", c.whole(0), ", want at most ", MaxSteps)}
	}
	s := c.plan.(*norm.SpectralNorm)
	s.U, s.V = d[0], d[1]
	sigma, err := s.Forward(c.Operands[0], c.Operands[1], c.whole(0))
	s.U, s.V = nil, nil
	if err == nil {
		d[2][0] = sigma
	}
	return err
}
