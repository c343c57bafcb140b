package graph

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// A step of a decoder whose past grows by one: what depends on its length is planned
// again, without allocating; what does not is planned once, when the session is made, and
// weights are packed then.
func TestPlanningAgain(t *testing.T) {
	planned := 0
	op.Register([]op.Row{{Name: "Counted", Domain: "test", Since: 1, In: anything, Out: []op.Out{{Name: "y", Many: true}}, Plan: func(c *op.Call) error {
		planned++
		c.Out(0, ir.Float32, c.In(0).Dims...)
		c.Step = op.Copy{}
		return nil
	}}})

	s := newSketch()
	past, x := s.input(1, 2, -1, 4), s.input(1, 2, 1, 4)
	ints := func(v ...int64) *ir.Value {
		c := ir.NewTensor(ir.Int64, len(v))
		copy(c.Int64s(), v)
		return &ir.Value{Name: "ints", Type: ir.Int64, Const: c}
	}
	scalar := func(v int64) *ir.Value {
		c := ints(v)
		c.Const.Dims = nil
		return c
	}
	fixed := s.node("MatMul", nil, x, s.weights(4, 4))
	fixed = s.node("Counted", nil, fixed)
	s.g.Nodes[len(s.g.Nodes)-1].Domain, s.g.Nodes[len(s.g.Nodes)-1].Version = "test", 1
	k := s.node("Concat", map[string]*ir.Attr{"axis": intAttr(2)}, past, fixed)
	scores := s.node("MatMul", nil, x, s.node("Transpose", map[string]*ir.Attr{"perm": intsAttr(0, 1, 3, 2)}, k))
	length := s.node("Gather", nil, s.node("Shape", nil, k), scalar(2))
	places := s.node("Range", nil, scalar(0), length, scalar(1))
	for _, v := range []*ir.Value{length, places} {
		v.Type = ir.Int64
	}
	bias := s.node("Cast", map[string]*ir.Attr{"to": intAttr(int64(ir.Float32))}, places)
	a := s.node("Softmax", nil, s.node("Add", nil, s.node("Mul", nil, scores, number(0.5)), s.node("Unsqueeze", nil, bias, ints(0))))
	session, err := NewSession(s.output(s.node("MatMul", nil, a, k)), Options{})
	require.NoError(t, err)
	_, packed := session.plan.Held()
	assert.GreaterOrEqual(t, packed, 4*4*4, "weights are packed before the first run")

	dims := [][]int{{1, 2, 0, 4}, {1, 2, 1, 4}}
	prepare := func(n int) *Run {
		dims[0][2] = n
		r, err := session.Prepare(dims)
		if err != nil {
			panic(err)
		}
		return r
	}
	for n := range 100 {
		require.NoError(t, prepare(n).Exec())
	}
	assert.Equal(t, 1, planned)
	n := 0
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { n++; prepare(64 + n%2) }), 1.0, "but for the Run that it returns")
}
