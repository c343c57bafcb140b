package opt

import "github.com/normwasm/normwasm/nn/ir"

// dropIdentities takes out what passes its input on unchanged: Identity,
// Dropout outside training (when its mask is unused), Cast to the type it has, and products with the
// constant 1 and sums with 0 that do not widen the shape. (x + 0 differs from x
// for x = −0 alone, and those two compare equal.)
//
// Left alone: a node whose output is the graph's output, Dropout with a
// training mode that is not constantly false, constants of higher rank than the
// other operand, integer constants.
func dropIdentities(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || len(n.Outputs) == 0 || n.Outputs[0] == nil {
			return
		}
		var x *ir.Value
		switch n.Op {
		case "Identity":
			x = n.In(0)
		case "Dropout":
			mask := n.Out(1)
			if mask != nil && (r.pinned[mask] || len(r.users[mask]) > 0) {
				return
			}
			if mode := n.In(2); mode != nil && (mode.Const == nil || mode.Const.Len() != 1 || mode.Const.Type != ir.Bool || mode.Const.Data[0] != 0) {
				return
			}
			x = n.In(0)
		case "Cast": // onto the type that it has
			if v := n.In(0); v != nil && v.Type != ir.Undefined && int64(v.Type) == n.Int("to", 0) {
				x = v
			}
		case "Mul":
			if v, c, ok := r.operands(n); ok && c == 1 {
				x = v
			}
		case "Div":
			if c, ok := r.scalarFor(n.In(1), n.In(0)); ok && c == 1 {
				x = n.In(0)
			}
		case "Add":
			if v, c, ok := r.operands(n); ok && c == 0 {
				x = v
			}
		case "Sub":
			if c, ok := r.scalarFor(n.In(1), n.In(0)); ok && c == 0 {
				x = n.In(0)
			}
		}
		if x != nil && r.forward(n.Outputs[0], x) {
			r.kill(n)
		}
	})
}
