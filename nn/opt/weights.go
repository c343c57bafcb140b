package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
	"github.com/normwasm/normwasm/norm"
)

// foldBatchNorm multiplies an inference BatchNormalization into the Conv before
// it: W′ = W·a, b′ = (b − μ)·a + β with a = γ/√(σ² + ε) for each output channel,
// computed in float64 and rounded once. The result is a Conv.
//
// Left alone: a BatchNormalization behind anything else (norm runs it), one in
// training mode, convolutions whose result something else uses, weights or
// statistics that are computed, σ² + ε that is not above zero.
func foldBatchNorm(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "BatchNormalization" || len(n.Inputs) != 5 || op.Trains(n) || n.Int("spatial", 1) != 1 {
			return
		}
		conv := r.foldable(n.Inputs[0])
		if conv == nil {
			return
		}
		scale, shift, ok := batchFactors(n, conv.Inputs[1].Const.Dims[0])
		if !ok {
			return
		}
		r.scaleConv(conv, n, scale, shift)
	})
}

// batchFactors are what a BatchNormalization multiplies channels by, and adds; ok is false where
// it is not known.
func batchFactors(n *ir.Node, channels int) (scale, shift []float64, ok bool) {
	var p [4][]float32
	for i := range p {
		f, ok := floats(n.Inputs[1+i])
		if !ok || len(f) != channels {
			return nil, nil, false
		}
		p[i] = f
	}
	gamma, beta, mean, variance := p[0], p[1], p[2], p[3]
	epsilon := float64(n.Float("epsilon", norm.DefaultEpsilon))
	scale, shift = make([]float64, channels), make([]float64, channels)
	for c := range channels {
		s := float64(variance[c]) + epsilon
		if !(s > 0) {
			return nil, nil, false
		}
		scale[c] = float64(gamma[c]) / math.Sqrt(s)
		shift[c] = float64(beta[c]) - float64(float64(mean[c])*scale[c])
	}
	return scale, shift, true
}

// foldAffine multiplies a constant factor, and adds a constant summand, that a
// Mul, Div, Add or Sub applies to a Conv's result, into its weights and bias.
// The constant is one number or one for each output channel.
//
// Left alone: constants that vary along other axes or add dimensions,
// quotients with the convolution below the line, zero divisors, results that
// something else uses.
func foldAffine(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || len(n.Inputs) != 2 {
			return
		}
		switch n.Op {
		case "Mul", "Add", "Div", "Sub":
		default:
			return
		}
		for i := range 2 {
			conv := r.foldable(n.Inputs[i])
			if conv == nil {
				continue
			}
			channels := conv.Inputs[1].Const.Dims[0]
			c, ok := perChannel(n.Inputs[1-i], channels, len(conv.Inputs[1].Const.Dims))
			if !ok || i == 1 && n.Op == "Div" {
				continue
			}
			scale, shift := make([]float64, channels), make([]float64, channels)
			for k := range channels {
				scale[k] = 1
				v := float64(c[k%len(c)])
				switch n.Op {
				case "Mul":
					scale[k] = v
				case "Div":
					if v == 0 {
						return
					}
					scale[k] = 1 / v
				case "Add":
					shift[k] = v
				case "Sub":
					shift[k] = -v
					if i == 1 { // c − conv
						scale[k], shift[k] = -1, v
					}
				}
			}
			r.scaleConv(conv, n, scale, shift)
			return
		}
	})
}

// foldable is the Conv that makes v, when its weights are constants, v is
// private and nothing is fused behind it yet.
func (r *rewriter) foldable(v *ir.Value) *ir.Node {
	conv := r.by(v, "Conv")
	if conv == nil || !r.private(v, 1) || conv.Clamp != nil {
		return nil
	}
	if w, ok := floats(conv.In(1)); !ok || len(w) == 0 || len(conv.Inputs[1].Const.Dims) < 3 {
		return nil
	}
	if b := conv.In(2); b != nil {
		if f, ok := floats(b); !ok || len(f) != conv.Inputs[1].Const.Dims[0] {
			return nil
		}
	}
	return conv
}

// perChannel returns v's elements when it is a constant that broadcasts to
// [·, channels, ·, …] of the given rank along the channel axis alone.
func perChannel(v *ir.Value, channels, rank int) ([]float32, bool) {
	f, ok := floats(v)
	if !ok || len(f) == 0 || len(v.Const.Dims) > rank {
		return nil, false
	}
	for i, d := range v.Const.Dims {
		axis := rank - len(v.Const.Dims) + i
		if d != 1 && (axis != 1 || d != channels) {
			return nil, false
		}
	}
	return f, true
}

// scaleConv gives conv the weights W·scale, in the memory of W where that may be
// overwritten, and the bias b·scale + shift, and the place of n, which follows it.
func (r *rewriter) scaleConv(conv, n *ir.Node, scale, shift []float64) {
	w := conv.Inputs[1].Const
	old := w.Float32s()
	channels := w.Dims[0]
	per := len(old) / channels
	weights, bias := conv.Inputs[1], make([]float32, channels)
	if !w.Sole || !r.private(weights, 1) {
		weights = constant("", w.Dims, nil)
	}
	scaled := weights.Const.Float32s()
	for c := range channels {
		for i := c * per; i < (c+1)*per; i++ {
			scaled[i] = float32(float64(old[i]) * scale[c])
		}
		b := shift[c]
		if v := conv.In(2); v != nil {
			b += float64(float64(v.Const.Float32s()[c]) * scale[c])
		}
		bias[c] = float32(b)
	}
	name := conv.Outputs[0].Name
	weights.Name = name + ".weight"
	r.become(conv, conv.Domain, conv.Op, conv.Version, conv.Attrs, conv.Inputs[0], weights, constant(name+".bias", []int{channels}, bias))
	r.absorb(conv, n)
}

// fuseBias lets MatMul start from its bias: Add(MatMul(x, W), b) with constant
// W [K, N] and b [N] becomes normwasm.MatMul(x, W, b), with W as normwasm.MatMul
// has it as well.
//
// Left alone: a computed or batched W, a bias of another length or of higher
// rank, a product that something else uses.
func fuseBias(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Add" || len(n.Inputs) != 2 {
			return
		}
		for i := range 2 {
			mul := r.producer[n.Inputs[i]]
			b := n.Inputs[1-i]
			if mul == nil || mul.Op != "MatMul" || mul.In(2) != nil || !r.private(n.Inputs[i], 1) {
				continue
			}
			w := mul.In(1)
			if w == nil || w.Const == nil || len(w.Const.Dims) != 2 || !op.StoredAs(w.Const.Type) {
				continue
			}
			columns := w.Const.Dims[1]
			if mul.Int("transB", 0) != 0 {
				columns = w.Const.Dims[0]
			}
			if _, ok := floats(b); !ok || len(b.Const.Dims) != 1 || b.Const.Dims[0] != columns {
				continue
			}
			if r.rank(mul.Inputs[0]) == 0 {
				continue
			}
			r.become(n, ir.Internal, "MatMul", 1, mul.Attrs, mul.Inputs[0], w, b)
			return
		}
	})
}
