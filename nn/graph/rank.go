package graph

import "slices"

// rank is v's number of dimensions where that is known before any input is, -1
// where not.
func (r *rewriter) rank(v *Value) int {
	switch {
	case v == nil:
		return -1
	case v.Const != nil:
		return len(v.Const.Dims)
	case v.Known:
		return len(v.Dims)
	}
	if k, ok := r.ranks[v]; ok {
		return k
	}
	return -1
}

// keepRank are the operators whose first output has their first input's rank.
var keepRank = []string{
	"Relu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Clip", "Erf", "Sqrt", "Exp", "Log", "Abs", "Neg", "Gelu",
	"LeakyRelu", "Elu", "Softplus", "Softmax", "LogSoftmax", "Identity", "Dropout", "Cast", "BatchNormalization",
	"LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "MaxPool", "AveragePool",
	"GlobalAveragePool", "GlobalMaxPool", "Concat", "Slice", "Pad", "Transpose", "Reciprocal",
}

// inferRank notes the rank of n's first output for the operators that patterns
// stand next to.
func (r *rewriter) inferRank(n *Node) {
	if n.Domain != "" || len(n.Outputs) == 0 || n.Outputs[0] == nil {
		return
	}
	k := -1
	if slices.Contains(keepRank, n.Op) {
		k = r.rank(n.In(0))
		if perm, ok := n.Ints("perm"); ok {
			k = len(perm)
		}
	}
	switch n.Op {
	case "Conv", "ConvTranspose":
		k = r.rank(n.In(1))
	case "Add", "Sub", "Mul", "Div", "Pow":
		a, b := r.rank(n.In(0)), r.rank(n.In(1))
		if a >= 0 && b >= 0 {
			k = max(a, b)
		}
	case "MatMul":
		a, b := r.rank(n.In(0)), r.rank(n.In(1))
		if a >= 2 && b >= 2 {
			k = max(a, b)
		}
	case "Gemm", "Flatten":
		k = 2
	case "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin":
		if n.Int("keepdims", 1) == 1 {
			k = r.rank(n.In(0))
		}
	case "Reshape":
		if s := n.In(1); s != nil && s.Const != nil {
			k = s.Const.Len()
		}
	case "Squeeze", "Unsqueeze":
		axes, ok := n.Ints("axes")
		if s := n.In(1); s != nil && s.Const != nil {
			axes, ok = s.Const.Ints(), true
		}
		if in := r.rank(n.In(0)); ok && in >= 0 {
			if n.Op == "Squeeze" {
				k = in - len(axes)
			} else {
				k = in + len(axes)
			}
		}
	}
	if k >= 0 {
		r.ranks[n.Outputs[0]] = k
	}
}
