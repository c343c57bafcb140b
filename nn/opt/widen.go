package opt

import (
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Widen lets every operator that takes float32 take float16 and bfloat16 as well: where
// its row has float32 but not the other type, operands are widened before the node, and
// results of the same type variable narrowed behind it. A value that was narrowed is not
// widened again for the next node: between such nodes values stay float32, and operators
// that only move elements move these. Whatever else reads a value, the graph's outputs
// among them, has it in the type that the model gives it.
//
// Constants become float32 here, but for matrices of products where stored says that Sink
// will find them, behind a Cast.
func Widen(g *ir.Graph, stored bool) {
	w := &widener{wide: map[*ir.Value]*ir.Value{}, stored: stored}
	w.body(g)
	if len(w.narrow) == 0 {
		return
	}
	used := map[*ir.Value]bool{}
	ir.EachUse(g.Nodes, func(v *ir.Value) { used[v] = true })
	for _, v := range g.Outputs {
		used[v] = true
	}
	w.drop(g, used)
}

type widener struct {
	wide   map[*ir.Value]*ir.Value // values of 16 bits: the same in float32
	scope  []*ir.Value             // the keys of wide, in the order in which they were entered
	narrow map[*ir.Node]bool       // Casts back that were added
	stored bool
	nodes  []*ir.Node // of the body at hand
}

func isHalf(v *ir.Value) bool {
	return v != nil && (v.Type == ir.Float16 || v.Type == ir.BFloat16)
}

// body rewrites the nodes of a graph or of a body of control flow.
func (w *widener) body(g *ir.Graph) {
	outer, from := w.nodes, len(w.scope)
	w.nodes = make([]*ir.Node, 0, len(g.Nodes))
	for _, n := range g.Nodes {
		for _, body := range n.Subgraphs() {
			w.body(body)
		}
		w.node(n)
	}
	g.Nodes, w.nodes = w.nodes, outer
	for _, v := range w.scope[from:] { // made where others cannot see it
		delete(w.wide, v)
	}
	w.scope = w.scope[:from]
}

func (w *widener) node(n *ir.Node) {
	row := op.Find(n.Key())
	if row == nil {
		w.nodes = append(w.nodes, n)
		return
	}
	setTypes(row, n)
	widened, letters := w.operands(row, n)
	if !widened {
		w.nodes = append(w.nodes, n)
		return
	}
	if n.Op == "Clip" && n.Domain == "" && isHalf(n.Inputs[0]) {
		bound(n)
	}
	narrow := map[byte]ir.DType{} // by letter, for the first operand that has it
	for i, v := range n.Inputs {
		in := row.Operand(i)
		if in == nil || v == nil {
			continue
		}
		if in.Var != 0 && narrow[in.Var] == ir.Undefined {
			narrow[in.Var] = v.Type
		}
		if isHalf(v) && (letters[in.Var] || !in.Types.Has(v.Type) && in.Types.Has(ir.Float32)) {
			n.Inputs[i] = w.widened(v, w.stored && i == 1 && (n.Op == "MatMul" || n.Op == "Gemm") && n.Domain == "")
		}
	}
	w.nodes = append(w.nodes, n)
	for i, v := range n.Outputs {
		out := row.Result(i)
		if v == nil || out == nil || out.Var == 0 || !letters[out.Var] {
			continue
		}
		if t := narrow[out.Var]; t == ir.Float16 || t == ir.BFloat16 {
			y := &ir.Value{Name: v.Name, Type: ir.Float32, Dims: v.Dims, Known: v.Known}
			n.Outputs[i], v.Type = y, t
			w.enter(v, y)
			w.cast(n.Name, y, v, t)
			if w.narrow == nil {
				w.narrow = map[*ir.Node]bool{}
			}
			w.narrow[w.nodes[len(w.nodes)-1]] = true
		}
	}
}

// bound gives a Clip of 16 bits the bounds that it lacks: the largest numbers of its type, not
// float32's, to which an infinite element is clipped.
func bound(n *ir.Node) {
	largest := float32(65504)
	if n.Inputs[0].Type == ir.BFloat16 {
		largest = 0x1.fep127
	}
	for i, b := range []float32{-largest, largest} {
		if n.Version < 11 {
			if name := [...]string{"min", "max"}[i]; n.Attrs[name] == nil {
				if n.Attrs == nil {
					n.Attrs = map[string]*ir.Attr{}
				}
				n.Attrs[name] = floatAttr(b)
			}
			continue
		}
		for len(n.Inputs) < 2+i {
			n.Inputs = append(n.Inputs, nil)
		}
		if n.Inputs[1+i] == nil {
			n.Inputs[1+i] = constant(n.Name, nil, []float32{b})
		}
	}
}

// operands says whether any operand is to be widened, and all those of which letters.
func (w *widener) operands(row *op.Row, n *ir.Node) (any bool, letters map[byte]bool) {
	letters = map[byte]bool{}
	halves, twins := map[byte]int{}, map[byte]int{}
	for i, v := range n.Inputs {
		in := row.Operand(i)
		if in == nil || !isHalf(v) || !in.Types.Has(ir.Float32) {
			continue
		}
		if !in.Types.Has(v.Type) {
			any = true
			if in.Var != 0 {
				letters[in.Var] = true
			}
		} else if in.Var != 0 {
			if v.Const == nil {
				halves[in.Var]++
			}
			if w.wide[v] != nil && v.Const == nil {
				twins[in.Var]++
			}
		}
	}
	for letter, n := range twins { // it would take 16 bits too, but all there is has float32 already
		if n == halves[letter] {
			any, letters[letter] = true, true
		}
	}
	return any, letters
}

// widened is v as float32.
func (w *widener) widened(v *ir.Value, stored bool) *ir.Value {
	if y := w.wide[v]; y != nil {
		return y
	}
	y := &ir.Value{Name: v.Name, Type: ir.Float32, Dims: v.Dims, Known: v.Known}
	if t := v.Const; t != nil && !(stored && len(t.Dims) == 2 && len(t.Data) > sinkSmall) {
		y.Const = op.Widened(t)
	} else {
		w.cast("", v, y, ir.Float32)
	}
	w.enter(v, y)
	return y
}

func (w *widener) enter(v, y *ir.Value) {
	w.wide[v] = y
	w.scope = append(w.scope, v)
}

func (w *widener) cast(name string, x, y *ir.Value, to ir.DType) {
	w.nodes = append(w.nodes, &ir.Node{Name: name, Op: "Cast", Version: 13, Inputs: []*ir.Value{x}, Outputs: []*ir.Value{y},
		Attrs: map[string]*ir.Attr{"to": intAttr(int64(to))}})
}

// drop takes out the Casts back that nothing needs.
func (w *widener) drop(g *ir.Graph, used map[*ir.Value]bool) {
	kept := g.Nodes[:0]
	for _, n := range g.Nodes {
		for _, body := range n.Subgraphs() {
			w.drop(body, used)
		}
		if !w.narrow[n] || used[n.Outputs[0]] {
			kept = append(kept, n)
		}
	}
	clear(g.Nodes[len(kept):])
	g.Nodes = kept
}

// setTypes gives a node's outputs their types where these were not known when the node was
// checked: because an operand is what a body of control flow gives.
func setTypes(row *op.Row, n *ir.Node) {
	for i, v := range n.Outputs {
		if v == nil || v.Type != ir.Undefined {
			continue
		}
		if v.Type = row.TypeOf(n, i); v.Type != ir.Undefined {
			continue
		}
		for _, body := range n.Subgraphs() { // a Loop's first output is whether to go on
			if k := len(body.Outputs) - len(n.Outputs) + i; k >= 0 && k < len(body.Outputs) {
				v.Type = body.Outputs[k].Type
			}
		}
	}
}
