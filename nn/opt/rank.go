package opt

import (
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// rank is v's number of dimensions where that is known before any input is, -1
// where not.
func (r *rewriter) rank(v *ir.Value) int {
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

// inferRank notes the rank of n's first output where the operator's row says it, and of all
// of a Split's.
func (r *rewriter) inferRank(n *ir.Node) {
	row := op.Find(n.Key())
	if row == nil || row.Rank == nil || len(n.Outputs) == 0 {
		return
	}
	k := row.Rank(n, func(i int) int { return r.rank(n.In(i)) })
	if k < 0 && n.Domain == "" && n.Op == "Reshape" {
		k = r.length(n.In(1))
	}
	for i, v := range n.Outputs {
		if v != nil && k >= 0 && (i == 0 || n.Op == "Split" && n.Domain == "") {
			r.ranks[v] = k
		}
	}
}
