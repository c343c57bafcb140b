package op

import (
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
)

// A Step computes an operator's outputs. It is data: what kernel to call, with which
// numbers, and the packed weights that it reads. It keeps nothing from one run to the
// next and allocates nothing; what it needs beside its operands is in Args.Scratch.
//
// A step that meets data which it cannot work with (an index beyond the table) panics
// with an error that says what and why; the run returns it with the node's name.
type Step interface {
	Run(a *Args)
}

// A Split is a step whose work falls into rows that may be computed apart, in any
// order and at the same time, with the same bits: Run is RunRows from 0 to Rows.
type Split interface {
	Step
	Rows() int
	RunRows(a *Args, from, to int)
}

// A Timed step is a Split whose rows may be divided among threads, as threads.For has it:
// they are nothing but kernels, with scratch memory of none.
type Timed interface {
	Split
	Time() int // about how many nanoseconds all of it takes; 0 where it is not to be divided
}

// Run computes a step, on several threads where that pays.
func Run(s Step, a *Args) {
	if t, ok := s.(Timed); ok && threads.Count() > 1 {
		rows := t.Rows()
		if parts := threads.Parts(rows, t.Time()); parts > 1 {
			threads.For(parts, func(part int) {
				from, to := threads.Range(rows, parts, part)
				t.RunRows(a, from, to)
			})
			return
		}
	}
	s.Run(a)
}

// Args are a step's operands, bound to memory. In and Out have the node's arity; an
// omitted operand is nil.
type Args struct {
	In, Out []*ir.Tensor
	Scratch []byte // aligned, contents undefined at the start of each run
}

// nothing is the step of what has no elements.
type nothing struct{}

func (nothing) Run(*Args) {}

// Copy is the step that copies input 0.
type Copy struct{}

func (Copy) Run(a *Args) {
	copy(a.Out[0].Data, a.In[0].Data)
	copy(a.Out[0].Strings, a.In[0].Strings)
}

// Into gives the plan function the step to fill: the one that the node had in the plan
// before, so that planning for other shapes allocates nothing, or a new one. The caller
// sets all its fields; a list is best reused, as in s.list = append(s.list[:0], …).
func Into[S any, P interface {
	*S
	Step
}](c *Call) P {
	s, ok := c.former.(P)
	if !ok {
		s = new(S)
	}
	c.Step = s
	return s
}
