package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
	"github.com/normwasm/normwasm/norm"
)

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
// Mul, Div, Add, Sub or inference BatchNormalization applies to the result of a Conv
// or ConvTranspose, into its weights and bias: W′ = W·a, b′ = b·a + c, computed in
// float64 and rounded once. The constants are one number or one for each output
// channel. One after the other of such nodes is folded.
//
// Left alone: constants that vary along other axes or add dimensions,
// quotients with the convolution below the line, zero divisors, results that
// something else uses, weights or statistics that are computed, a BatchNormalization
// in training mode (norm runs it), σ² + ε that is not above zero.
func foldAffine(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" {
			return
		}
		operands := 2
		switch n.Op {
		case "Mul", "Add", "Div", "Sub":
			if len(n.Inputs) != 2 {
				return
			}
		case "BatchNormalization":
			if len(n.Inputs) != 5 || op.Trains(n) || n.Int("spatial", 1) != 1 {
				return
			}
			operands = 1
		default:
			return
		}
		for i := range operands {
			conv, channels := r.foldable(n.Inputs[i])
			if conv == nil {
				continue
			}
			if operands == 1 {
				if scale, shift, ok := batchFactors(n, channels); ok {
					r.scaleConv(conv, n, scale, shift)
				}
				return
			}
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

// foldable is the Conv or ConvTranspose that makes v, with its number of output
// channels, when its weights are constants, v is private and nothing is fused
// behind it yet.
func (r *rewriter) foldable(v *ir.Value) (conv *ir.Node, channels int) {
	conv = r.by(v, "Conv", "ConvTranspose")
	if conv == nil || !r.private(v, 1) || conv.Clamp != nil {
		return nil, 0
	}
	w, ok := floats(conv.In(1))
	if !ok || len(w) == 0 || len(conv.Inputs[1].Const.Dims) < 3 {
		return nil, 0
	}
	dims := conv.Inputs[1].Const.Dims
	channels = dims[0]
	if conv.Op == "ConvTranspose" {
		groups := conv.Int("group", 1)
		if groups < 1 || int64(channels)%groups != 0 {
			return nil, 0
		}
		channels = dims[1] * int(groups)
	}
	if b := conv.In(2); b != nil {
		if f, ok := floats(b); !ok || len(f) != channels {
			return nil, 0
		}
	}
	return conv, channels
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
	channels := len(scale)
	// Elements of a channel that lie together, channels of a group where these come first, and
	// inputs of one.
	per, out, in := len(old)/channels, channels, 1
	if conv.Op == "ConvTranspose" {
		out = w.Dims[1]
		per, in = len(old)/(w.Dims[0]*out), w.Dims[0]*out/channels
	}
	weights, bias := conv.Inputs[1], make([]float32, channels)
	if !w.Sole || !r.private(weights, 1) {
		weights = constant("", w.Dims, nil)
	}
	scaled := weights.Const.Float32s()
	for i, v := range old {
		scaled[i] = float32(float64(v) * scale[i/(per*out*in)*out+i/per%out])
	}
	for c := range channels {
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
