package op

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that move elements without looking at them move strings, and elements of less
// than a byte, as whole numbers that stand for them: the places of strings in a list, or a
// byte for each small element.

// liftedTypes are the types that are moved so.
const liftedTypes = 1<<ir.String | smallInts | 1<<ir.Float4E2M1

// movedTypes are all that can be moved.
const movedTypes = storedTypes | smallInts | smallFloats | 1<<ir.String

// lifts is the type of the operands that the row's Lifts speaks of, where it is one of these.
func (r *Row) lifts(c *Call) ir.DType {
	for i := range c.in {
		if in := r.in(i); r.Lifts != 0 && in != nil && in.Var == 'T' && c.in[i] != nil {
			if t := c.in[i].Type; r.Lifts.Has(t) {
				return t
			}
			break
		}
	}
	return ir.Undefined
}

// lift plans a call with operands of type t.
func (r *Row) lift(c *Call, t ir.DType) error {
	if a := c.Node.Attrs["reduction"]; c.Append != 0 || a != nil && a.S != "none" {
		return unsupported(c, "type ", t.String())
	}
	s, ok := c.former.(*lifted)
	if !ok {
		s = &lifted{}
	}
	s.t, s.in, s.out = t, s.in[:0], s.out[:0]
	word := ir.Int32
	if t != ir.String {
		word = ir.Int8
	}
	given := c.in
	c.in, c.former = append([]*Spec(nil), given...), s.step
	for i, in := range c.in {
		var x *ir.Tensor
		if operand := r.in(i); in != nil && operand != nil && operand.Var == 'T' {
			if in.Stride != 0 {
				return unsupported(c, "type ", t.String())
			}
			x = ir.NewTensor(word, append([]int(nil), in.Dims...)...)
			c.in[i] = &Spec{Type: word, Dims: x.Dims}
		}
		s.in = append(s.in, x)
	}
	err := r.Plan(c)
	c.in = given
	if err != nil || c.Err != nil {
		return err
	}
	for i := range c.Outs {
		var y *ir.Tensor
		if out := r.Result(i); out != nil && out.Var == 'T' && c.Outs[i].Type == word {
			if c.Places[i] = 0; c.Aliases[i] == 0 {
				y = ir.NewTensor(word, append([]int(nil), c.Outs[i].Dims...)...)
			}
			c.Outs[i].Type = t
		}
		s.out = append(s.out, y)
	}
	if c.Step != nil {
		s.step, c.Step = c.Step, s
	}
	return nil
}

// lifted runs a step on numbers that stand for elements.
type lifted struct {
	step    Step
	t       ir.DType
	in, out []*ir.Tensor // of these numbers, nil for operands that are not moved
	args    Args
	all     []string // what numbers of strings stand for: 0 for the empty one, which fills gaps
}

func (s *lifted) Run(a *Args) {
	s.args = Args{In: append(s.args.In[:0], a.In...), Out: append(s.args.Out[:0], a.Out...), Scratch: a.Scratch}
	s.all = append(s.all[:0], "")
	for i, x := range s.in {
		if x == nil || a.In[i] == nil {
			continue
		}
		s.args.In[i] = x
		if s.t == ir.String {
			for k := range x.Int32s() {
				x.Int32s()[k] = int32(len(s.all) + k)
			}
			s.all = append(s.all, a.In[i].Strings...)
			continue
		}
		for k := range x.Data {
			x.Data[k] = byte(ir.Small(s.t, a.In[i].Data, k))
		}
	}
	for i, y := range s.out {
		if y != nil && a.Out[i] != nil {
			s.args.Out[i] = y
		}
	}
	s.step.Run(&s.args)
	for i, y := range s.out {
		switch {
		case y == nil || a.Out[i] == nil:
		case s.t == ir.String:
			for k, at := range slab.View[int32](y.Data) {
				a.Out[i].Strings[k] = s.all[at]
			}
		default:
			clear(a.Out[i].Data)
			for k, v := range y.Data {
				ir.SetSmall(s.t, a.Out[i].Data, k, int64(v))
			}
		}
	}
	clear(s.all)
}
