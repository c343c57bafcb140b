package opt

import (
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// sinkSmall is how many bytes of weights are not worth the trouble: they are widened once.
const sinkSmall = 64 << 10

// Sink leaves weights in the type and order that they are stored in, to be widened where
// something computes with them:
//
//	MatMul(x, W′) and Gemm(x, W′, c), with W′ made of a constant matrix W of float16,
//	bfloat16 or int8 by a Cast to float32, or, for MatMul, of one of float32 too, and by
//	Transposes: normwasm.MatMul and normwasm.Gemm of W itself;
//	Gather(Cast(W), i) with a Cast of a constant to a larger type: Cast(Gather(W, i)).
//
// It has to come before constant nodes are evaluated, these among them. Operators between
// numbers that are quantized statically become operators of integers here, see staticQuant.
//
// Left alone: weights that are computed, of other types, batches of matrices, small ones,
// transposed ones of a Gemm, which has an attribute for it.
func Sink(g *ir.Graph) {
	r := newRewriter(g)
	r.staticQuant()
	r.sweep()
	before := map[*ir.Node]*ir.Node{}
	r.each(func(n *ir.Node) {
		switch {
		case n.Domain != "":
		case n.Op == "MatMul" || n.Op == "Gemm":
			w, transposed := r.weights(n.In(1))
			if w == nil || w == n.In(1) || transposed && n.Op == "Gemm" {
				return
			}
			attrs := n.Attrs
			if transposed {
				attrs = map[string]*ir.Attr{"transB": intAttr(1)}
			}
			r.become(n, ir.Internal, n.Op, 1, attrs, n.In(0), w, n.In(2))
		case n.Op == "Gather":
			cast := r.by(n.In(0), "Cast")
			if cast == nil || cast.Inputs[0].Const == nil {
				return
			}
			w := cast.Inputs[0].Const
			if bits := w.Type.Bits(); bits == 0 || bits >= ir.DType(cast.Int("to", 0)).Bits() || len(w.Data) <= sinkSmall {
				return
			}
			narrow := &ir.Value{Name: n.Outputs[0].Name + ".stored", Type: w.Type}
			before[n] = &ir.Node{Name: n.Name, Outputs: []*ir.Value{narrow}}
			r.become(before[n], "", n.Op, n.Version, n.Attrs, cast.Inputs[0], n.Inputs[1])
			r.become(n, "", "Cast", cast.Version, cast.Attrs, narrow)
		}
	})
	nodes := make([]*ir.Node, 0, len(g.Nodes)+len(before))
	for _, n := range g.Nodes {
		if m := before[n]; m != nil {
			nodes = append(nodes, m)
		}
		nodes = append(nodes, n)
	}
	g.Nodes = nodes
	r.sweep()
}

// weights is the constant matrix that v is made of, as it is stored, and whether v is the
// transposed one; nil for anything else.
func (r *rewriter) weights(v *ir.Value) (w *ir.Value, transposed bool) {
	wide := ir.Undefined // what a Cast gives
	for {
		p := r.by(v, "Cast", "Transpose")
		if p == nil {
			if v == nil || v.Const == nil || len(v.Const.Dims) != 2 || len(v.Const.Data) <= sinkSmall || !op.StoredAs(v.Const.Type) {
				return nil, false
			}
			return v, transposed
		}
		if p.Op == "Cast" {
			if wide != ir.Undefined || ir.DType(p.Int("to", 0)) != ir.Float32 {
				return nil, false
			}
			wide = ir.Float32
		} else {
			if perm, given := p.Ints("perm"); given && (len(perm) != 2 || perm[0] != 1 || perm[1] != 0) {
				return nil, false
			}
			transposed = !transposed
		}
		v = p.Inputs[0]
	}
}
