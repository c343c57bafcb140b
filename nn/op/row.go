package op

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// The ONNX opset versions that are implemented, and the first one that the lean edition
// knows: Modernize turns what was before into that.
const (
	MinOpset  = 1
	LeanOpset = 7
	MaxOpset  = 26
)

// Row is all that is known of an operator.
type Row struct {
	Name    string
	Domain  string // "" is ONNX
	Since   int    // the first opset version whose meaning is implemented
	Changes []int  // the later versions that changed it, all of them implemented
	In      []In
	Out     []Out
	Attrs   []Attr
	// Rank gives the first output's number of dimensions before any shape is known, -1
	// where it does not follow; nil where it never does.
	Rank func(n *ir.Node, rank func(i int) int) int
	// Grows lists the outputs that have an input's elements, and more, in their places.
	Grows []Growth
	// Lifts are types of the operands with the Var 'T' that the operator, which only moves
	// them, moves as whole numbers that stand for them (lift.go).
	Lifts Types
	// Fuses says which bounds the optimizer may let it put on its result.
	Fuses Fuses
	// Check returns what of the node is not implemented, as in "with indices", or "": for
	// what the other columns cannot say.
	Check func(n *ir.Node) string
	// Verify says what is wrong with a node's attributes, when the model is loaded: for what
	// is no valid ONNX.
	Verify func(n *ir.Node) error
	// Limits says in words what Check, or the plan, refuses although ONNX has it.
	Limits string
	// Planned operators are run by the planner itself: their operands or results are sequences,
	// or they have bodies, which are planned like graphs. They have no Plan.
	Planned bool
	// Spelled adds the nodes of other operators that a node stands for, which SpellOut puts in
	// its place. It has no Plan then.
	Spelled func(s *speller, n *ir.Node)
	// Plan is called for each new set of input shapes. It declares the outputs and gives the
	// step that computes them.
	Plan func(c *Call) error
}

// In is an operand. Operands and results with the same Var, a letter, have the same type.
type In struct {
	Name  string
	Types Types
	Var   byte
	Opt   bool // may be omitted in the versions that have it
	Many  bool // the last: any number of them, at least one
	Since int  // the opset version from which on it exists, 0 for always
	// Strided says which gaps the step can do with (Spec.Stride).
	Strided Strides
}

// Growth says that an output is an input with something added along an axis, or written
// over. Where the planner lets both have the same memory, Call.Appends says so, and the
// step writes what is new only.
type Growth struct {
	In, Out int
	Axis    int // axisAttr for what the attribute axis says
	Inputs  int // how many a node has to have, 0 for any
	// Writes says that what is there may be overwritten: then nothing else may read the
	// elements of the input.
	Writes bool
}

// axisAttr stands for an axis that an attribute gives.
const axisAttr = -1 << 10

// AxisOf is the axis of a node's tensors of that many dimensions, -1 for none.
func (g *Growth) AxisOf(n *ir.Node, rank int) int {
	axis := g.Axis
	if axis == axisAttr {
		axis = int(n.Int("axis", Find(n.Key()).attrInt("axis")))
	}
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return -1
	}
	return axis
}

// attrInt is an attribute's value where a node does not give it.
func (r *Row) attrInt(name string) int64 { return r.Attrs[r.attr(name)].I }

// Strides are kinds of gaps in an operand.
type Strides uint8

const (
	StridesNone     Strides = iota
	StridesMatrices         // between matrices: after the last two dimensions
	StridesAny
)

// Reads says whether input i of a node may be as s is.
func (r *Row) Reads(i int, s *Spec) bool {
	if s.Stride == 0 {
		return true
	}
	in := r.in(i)
	return in != nil && (in.Strided == StridesAny || in.Strided == StridesMatrices && s.Outer == len(s.Dims)-2)
}

// Out is a result: of the type of the operands with the same Var, or of Type, or of the
// type that the attribute From says (a number, or a tensor of that type; without it that of
// Var, or else float32).
type Out struct {
	Name string
	Var  byte
	Type ir.DType
	From string
	// Choose says the type of a node's result, for what the other fields cannot say.
	Choose func(n *ir.Node) ir.DType
	Opt    bool
	Many   bool // the last: any number of them
}

// Attr is an attribute, with the value that it has where the node does not give it.
type Attr struct {
	Name  string
	Kind  ir.AttrKind
	I     int64
	F     float32
	S     string
	Words []string // what a string may be
	// Since and Till are the first and the last opset version that have it, 0 for all. What
	// became an input later has a Till.
	Since, Till uint8
}

// Fuses is a set of activations.
type Fuses uint8

const (
	FusesNone     Fuses = iota
	FusesRelu           // max(y, 0), and min(max(y, 0), 6)
	FusesClamp          // any bounds
	FusesFunction       // these, and the functions that ir.Function lists
)

// Types is a set of element types.
type Types uint32

// Of is the set of the types listed.
func Of(list ...ir.DType) (s Types) {
	for _, t := range list {
		s |= 1 << t
	}
	return s
}

// Has says whether t is in the set.
func (s Types) Has(t ir.DType) bool { return s>>t&1 != 0 }

// List is the set's types in order of their numbers.
func (s Types) List() (list []ir.DType) {
	for t := ir.Float32; t < 32; t++ {
		if s.Has(t) && t.Known() {
			list = append(list, t)
		}
	}
	return list
}

const (
	float32Only Types = 1 << ir.Float32
	floatTypes        = float32Only | 1<<ir.Float64
	signedTypes       = floatTypes | 1<<ir.Int8 | 1<<ir.Int16 | 1<<ir.Int32 | 1<<ir.Int64
	intTypes    Types = 1<<ir.Uint8 | 1<<ir.Uint16 | 1<<ir.Uint32 | 1<<ir.Uint64 | 1<<ir.Int8 | 1<<ir.Int16 | 1<<ir.Int32 | 1<<ir.Int64
	indexTypes  Types = 1<<ir.Int32 | 1<<ir.Int64
	numberTypes       = intTypes | floatTypes
	boolOnly    Types = 1 << ir.Bool
	// storedTypes are those that operators can move around without computing.
	storedTypes       = numberTypes | boolOnly | halfTypes
	halfTypes   Types = 1<<ir.Float16 | 1<<ir.BFloat16
	// smallInts and smallFloats are what weights are stored in.
	smallInts   Types = 1<<ir.Int4 | 1<<ir.Uint4 | 1<<ir.Int2 | 1<<ir.Uint2
	smallFloats Types = 1<<ir.Float8E4M3FN | 1<<ir.Float8E4M3FNUZ | 1<<ir.Float8E5M2 | 1<<ir.Float8E5M2FNUZ | 1<<ir.Float4E2M1 | 1<<ir.Float8E8M0
	// viewTypes are those that may be looked at under other dimensions.
	viewTypes = storedTypes | smallInts | smallFloats | 1<<ir.String
	// anyType is for operands whose elements are not read.
	anyType = viewTypes
)

// rows are all operators by key ("Op", or "domain.Op"), and in the order in which the
// files register them.
var (
	rows  = map[string]*Row{}
	order []*Row
)

// Register enters rows; each file of operators calls it once.
func Register(list []Row) {
	for i := range list {
		r := &list[i]
		rows[r.Key()] = r
		order = append(order, r)
	}
}

// Key names the operator as ir.Node.Key does.
func (r *Row) Key() string {
	if r.Domain == "" {
		return r.Name
	}
	return r.Domain + "." + r.Name
}

// Find is the row of an operator by its key, nil for none.
func Find(key string) *Row { return rows[key] }

// All lists the rows.
func All() []*Row { return order }

// attr is the row's attribute of that name. It must be there: a plan function reads only
// what its row lists.
func (r *Row) attr(name string) int {
	for i := range r.Attrs {
		if r.Attrs[i].Name == name {
			return i
		}
	}
	panic("op: the row of " + r.Name + " lists no attribute " + name)
}

// has says whether the row lists an attribute, for operators that share a plan function.
func (r *Row) has(name string) bool {
	for i := range r.Attrs {
		if r.Attrs[i].Name == name {
			return true
		}
	}
	return false
}

// in is the operand that input i of a node is, nil beyond the list.
func (r *Row) in(i int) *In {
	if i < len(r.In) {
		return &r.In[i]
	}
	if n := len(r.In); n > 0 && r.In[n-1].Many {
		return &r.In[n-1]
	}
	return nil
}

// Operand is the operand that input i of a node is, nil beyond the list.
func (r *Row) Operand(i int) *In { return r.in(i) }

// Result is the result that output i of a node is, nil beyond the list.
func (r *Row) Result(i int) *Out {
	if i < len(r.Out) {
		return &r.Out[i]
	}
	if n := len(r.Out); n > 0 && r.Out[n-1].Many {
		return &r.Out[n-1]
	}
	return nil
}

// TypeOf is the type of a node's output i as far as it is known.
func (r *Row) TypeOf(n *ir.Node, i int) ir.DType {
	if r.Result(i) == nil {
		return ir.Undefined
	}
	return r.outType(n, i)
}

// Needs is how many inputs a node of an opset version cannot be without.
func (r *Row) Needs(version int) int {
	n := 0
	for i := range r.In {
		if in := &r.In[i]; !in.Opt && in.Since <= version {
			n = i + 1
		}
	}
	return n
}

// Missing returns what of the node is not implemented, or "", and notes the outputs' types:
// what the operator gives, whatever the model declares.
func (r *Row) Missing(n *ir.Node) string {
	missing := ""
	for name := range n.Attrs {
		known := false
		for i := range r.Attrs {
			known = known || r.Attrs[i].Name == name
		}
		if !known && (missing == "" || name < missing) {
			missing = name
		}
	}
	if missing != "" {
		return "attribute " + ir.Plain(missing)
	}
	for i := range r.Attrs {
		if a := &r.Attrs[i]; len(a.Words) > 0 && !a.allows(n.Str(a.Name, a.S)) {
			return a.Name + "=" + ir.Plain(n.Str(a.Name, a.S))
		}
	}
	if r.Check != nil {
		if why := r.Check(n); why != "" {
			return why
		}
	}
	return r.missingType(n)
}

func (a *Attr) allows(word string) bool {
	for _, w := range a.Words {
		if w == word {
			return true
		}
	}
	return false
}

// missingType returns which type the node takes or gives that is not implemented. Where
// float32 is, types of 16 bits are widened (opt.Widen).
func (r *Row) missingType(n *ir.Node) string {
	for i, v := range n.Inputs {
		if in := r.in(i); in != nil && v != nil && v.Type != ir.Undefined && !in.Types.Has(v.Type) && !(halfTypes.Has(v.Type) && in.Types.Has(ir.Float32)) {
			return "type " + v.Type.String()
		}
	}
	for i, v := range n.Outputs {
		if i >= len(r.Out) && (len(r.Out) == 0 || !r.Out[len(r.Out)-1].Many) {
			break
		}
		if t := r.outType(n, i); v != nil && t != ir.Undefined {
			v.Type = t
		}
	}
	return ""
}

// outType is the type of output i as far as it is known.
func (r *Row) outType(n *ir.Node, i int) ir.DType {
	o := &r.Out[min(i, len(r.Out)-1)]
	a := n.Attrs[o.From]
	switch {
	case o.Choose != nil:
		return o.Choose(n)
	case o.From != "" && (o.Var == 0 || a != nil && (a.I != 0 || a.T != nil)):
		switch {
		case a == nil:
			return ir.Float32
		case a.T != nil:
			return a.T.Type
		}
		return ir.DType(a.I)
	case o.Var != 0:
		for k, v := range n.Inputs {
			if in := r.in(k); in != nil && in.Var == o.Var && v != nil && v.Type != ir.Undefined {
				return v.Type
			}
		}
		return ir.Undefined
	}
	return o.Type
}

// Admit holds a call's operands to the row: that they are there, and of which types.
func (r *Row) Admit(c *Call) error {
	var types [32]ir.DType // by Var, of which the lower bits tell letters apart
	n := max(c.NumIn(), r.Needs(c.Node.Version))
	for i := 0; i < n; i++ {
		in := r.in(i)
		if in == nil {
			break
		}
		s := c.In(i)
		if s == nil {
			if (in.Opt || c.Node.Version < in.Since) && !in.Many {
				continue
			}
			return c.fail("input % is missing", nil, i)
		}
		if !in.Types.Has(s.Type) {
			return unsupported(c, "type ", s.Type.String())
		}
		switch t := types[in.Var&31]; {
		case in.Var == 0:
		case t == ir.Undefined:
			types[in.Var&31] = s.Type
		case t != s.Type:
			return c.Fail("input ", i, " is ", s.Type.String(), ", want ", t.String(), " as input ", r.first(in.Var))
		}
	}
	return nil
}

// Do plans a call whose operands Admit has seen.
func (r *Row) Do(c *Call) error {
	if t := r.lifts(c); t != ir.Undefined {
		if err := r.lift(c, t); err != nil {
			return err
		}
		return c.Err
	}
	if err := r.Plan(c); err != nil {
		return err
	}
	return c.Err
}

// first is the first operand with this Var.
func (r *Row) first(letter byte) int {
	for i := range r.In {
		if r.In[i].Var == letter {
			return i
		}
	}
	return 0
}

// unsupported is the error of a node that is valid ONNX but not implemented.
func unsupported(c *Call, parts ...any) error {
	return &ir.UnsupportedError{Missing: []string{c.Node.Op + ": " + text.Join(parts...)}}
}

// The usual ranks of a result.

// sameRank is that of input 0.
func sameRank(_ *ir.Node, rank func(i int) int) int { return rank(0) }

// secondRank is that of input 1.
func secondRank(_ *ir.Node, rank func(i int) int) int { return rank(1) }

// widestRank is that of operands that broadcast.
func widestRank(n *ir.Node, rank func(i int) int) int {
	widest := -1
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		k := rank(i)
		if k < 0 {
			return -1
		}
		widest = max(widest, k)
	}
	return widest
}

func scalarRank(*ir.Node, func(i int) int) int { return 0 }
func listRank(*ir.Node, func(i int) int) int   { return 1 }
func matrixRank(*ir.Node, func(i int) int) int { return 2 }
func imageRank(*ir.Node, func(i int) int) int  { return 4 }
