package graph_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// chain is n groups of five nodes, each with a shape that depends on what the run has
// computed: y becomes (the length of a tensor of y zeros + 1 − 1)·one, and only the run
// knows one.
func chain(n int) *ir.Graph {
	one := ir.NewTensor(ir.Int64, 1)
	one.Int64s()[0] = 1
	x := &ir.Value{Name: "x", Type: ir.Int64, Known: true, Dims: []ir.Dim{{Size: 1}}}
	g := &ir.Graph{Opsets: map[string]int{"": 13}, Inputs: []*ir.Value{x}}
	add := func(op string, in ...*ir.Value) *ir.Value {
		y := &ir.Value{Name: fmt.Sprint(op, len(g.Nodes))}
		g.Nodes = append(g.Nodes, &ir.Node{Op: op, Version: 13, Inputs: in, Outputs: []*ir.Value{y}, Attrs: map[string]*ir.Attr{}})
		return y
	}
	c := &ir.Value{Name: "1", Type: ir.Int64, Const: one}
	fed := &ir.Value{Name: "one", Type: ir.Int64, Known: true, Dims: x.Dims}
	g.Inputs = append(g.Inputs, fed)
	y := add("Mul", x, fed)
	for i := 0; i < n; i++ {
		y = add("Mul", add("Sub", add("Add", add("Shape", add("ConstantOfShape", y)), c), c), fed)
	}
	g.Outputs = []*ir.Value{y}
	return g
}

// Planning where shapes depend on data takes time in proportion to the nodes: eight times
// as many take much less than 64 times as long.
func TestDataDependentPlansAreLinear(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only the longer ones would have it
	least := func(n int) time.Duration {
		best := time.Hour
		for range 8 {
			s, err := graph.NewSession(chain(n), graph.Options{Optimize: "none"})
			require.NoError(t, err)
			runtime.GC()
			start := testkit.CPUTime()
			r, err := s.Prepare([][]int{{1}, {1}})
			require.NoError(t, err)
			r.In(0).Int64s()[0], r.In(1).Int64s()[0] = 3, 1
			require.NoError(t, r.Exec())
			best = min(best, testkit.CPUTime()-start)
			require.Equal(t, int64(3), r.Out(0).Int64s()[0])
			// Another value gives all that follows other shapes.
			r.In(0).Int64s()[0] = 5
			require.NoError(t, r.Exec())
			require.Equal(t, int64(5), r.Out(0).Int64s()[0])
			s.Release()
		}
		return best
	}
	small, large := least(250), least(2000)
	t.Logf("250 groups take %v, 2000 take %v", small, large)
	require.Less(t, large, 32*small)
}
