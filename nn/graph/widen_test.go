package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// asHalf is a tensor's numbers in a type of 16 bits: float16 of numbers that it has exactly.
func asHalf(kind ir.DType, numbers ...float32) []uint16 {
	out := make([]uint16, len(numbers))
	for i, v := range numbers {
		bits := math.Float32bits(v)
		switch {
		case kind == ir.BFloat16:
			out[i] = uint16(bits >> 16)
		case v != 0:
			out[i] = uint16(bits>>16&0x8000 | (bits>>13&0x3ffff - 112<<10))
		}
	}
	return out
}

func halfNumber(kind ir.DType, h uint16) float64 {
	if kind == ir.BFloat16 {
		return float64(math.Float32frombits(uint32(h) << 16))
	}
	v := math.Ldexp(float64(1024+h&1023), int(h>>10&31)-25)
	if h>>10&31 == 0 {
		v = math.Ldexp(float64(h&1023), -24)
	}
	if h>>15 != 0 {
		v = -v
	}
	return v
}

// halfWeights is a constant of 16 bits, of eighths from −1 to 1.
func halfWeights(kind ir.DType, dims ...int) *ir.Value {
	t := ir.NewTensor(kind, dims...)
	for i := range t.Len() {
		copy(slab.View[uint16](t.Data)[i:], asHalf(kind, float32(i*7%17-8)/8))
	}
	return &ir.Value{Name: "w", Type: kind, Const: t}
}

// halfNetwork is a small network in a type of 16 bits, of which a product is the largest part.
func halfNetwork(kind ir.DType) *ir.Graph {
	s := newSketch()
	x := s.input(3, 256)
	x.Type = kind
	y := s.node("MatMul", nil, x, halfWeights(kind, 256, 256))
	y = s.node("Add", nil, y, halfWeights(kind, 256))
	y = s.node("Reshape", nil, y, &ir.Value{Name: "shape", Type: ir.Int64, Const: longs(3, 16, 16)})
	y = s.node("Transpose", attrsOf("perm", intsAttr(0, 2, 1)), y)
	y = s.node("Softmax", nil, y)
	mean := s.node("ReduceMean", attrsOf("axes", intsAttr(1)), y)
	for _, n := range s.g.Nodes {
		n.Outputs[0].Type = ir.Undefined
	}
	return s.output(y, mean)
}

func attrsOf(name string, a *ir.Attr) map[string]*ir.Attr { return map[string]*ir.Attr{name: a} }

func longs(list ...int64) *ir.Tensor {
	t := ir.NewTensor(ir.Int64, len(list))
	copy(t.Int64s(), list)
	return t
}

// A network of 16 bits computes in float32 from its first operator to its last, its inputs
// and outputs have the type that they had, and its large weights stay as they are stored.
func TestHalfTypesComputeInFloat32(t *testing.T) {
	for _, kind := range []ir.DType{ir.Float16, ir.BFloat16} {
		for _, level := range []string{"none", "all"} {
			s, err := NewSession(halfNetwork(kind), Options{Optimize: level})
			require.NoError(t, err)
			census := census(s.graph)
			assert.Equal(t, 3, census["Cast"], "%v %s: one in, two out: %v", kind, level, census)
			if level == "all" {
				for _, n := range s.graph.Nodes {
					if n.Op == "MatMul" {
						assert.Equal(t, kind, n.Inputs[1].Const.Type)
					}
				}
			}
			r, err := s.Prepare([][]int{{3, 256}})
			require.NoError(t, err)
			require.Equal(t, kind, r.In(0).Type)
			in := slab.View[uint16](r.In(0).Data)
			for i := range in {
				copy(in[i:], asHalf(kind, float32(i*5%23-11)/16))
			}
			x := append([]uint16(nil), in...)
			require.NoError(t, r.Exec())
			w, b := slab.View[uint16](halfWeights(kind, 256, 256).Const.Data), slab.View[uint16](halfWeights(kind, 256).Const.Data)
			ulp := map[ir.DType]float64{ir.Float16: 1.0 / 2048, ir.BFloat16: 1.0 / 256}[kind]
			for row := range 3 {
				var y [256]float64
				for j := range y {
					y[j] = halfNumber(kind, b[j])
					for k := range 256 {
						y[j] += halfNumber(kind, x[row*256+k]) * halfNumber(kind, w[k*256+j])
					}
				}
				var mean [16]float64
				for i := range 16 { // the transposed matrix's rows
					sum := 0.0
					for j := range 16 {
						sum += math.Exp(y[j*16+i])
					}
					for j := range 16 {
						want := math.Exp(y[j*16+i]) / sum
						mean[j] += want / 16
						got := halfNumber(kind, slab.View[uint16](r.Out(0).Data)[row*256+i*16+j])
						require.InDelta(t, want, got, ulp*want+1e-6, "%v %s [%d %d %d]", kind, level, row, i, j)
					}
				}
				for j, want := range mean {
					require.InDelta(t, want, halfNumber(kind, slab.View[uint16](r.Out(1).Data)[row*16+j]), ulp*want+1e-6)
				}
			}
			require.Equal(t, kind, r.Out(0).Type)
		}
	}
}

// Every operator that takes float32 is accepted with operands of 16 bits, and gives what its
// row says: the type of the operands, or float32.
func TestEveryFloatOperatorTakesHalfTypes(t *testing.T) {
	taken := 0
	for _, row := range op.All() {
		if row.Domain == ir.Internal || row.Check != nil || len(row.In) == 0 || !row.In[0].Types.Has(ir.Float32) {
			continue
		}
		n := &ir.Node{Op: row.Name, Domain: row.Domain, Version: max(row.Since, 17)}
		g := &ir.Graph{Opsets: map[string]int{"": 25}}
		for _, in := range row.In {
			if in.Opt {
				break
			}
			kind := ir.Int64
			if in.Types.Has(ir.Float32) {
				kind = ir.BFloat16
			} else if !in.Types.Has(kind) {
				kind = in.Types.List()[0]
			}
			v := &ir.Value{Name: in.Name, Type: kind}
			n.Inputs, g.Inputs = append(n.Inputs, v), append(g.Inputs, v)
		}
		y := &ir.Value{Name: "y"}
		n.Outputs, g.Outputs, g.Nodes = []*ir.Value{y}, []*ir.Value{y}, []*ir.Node{n}
		if len(row.Out) == 0 || row.Out[0].Var == 0 || row.Out[0].Var != row.In[0].Var {
			continue
		}
		s, err := NewSession(g, Options{Optimize: "none"})
		require.NoError(t, err, row.Key())
		assert.Equal(t, ir.BFloat16, s.Outputs()[0].Type, row.Key())
		taken++
	}
	assert.Greater(t, taken, 60)
}

// A value of 16 bits that a branch gives is known to be one behind the branch.
func TestHalfTypesInBranches(t *testing.T) {
	s := newSketch()
	cond := s.input()
	cond.Type = ir.Bool
	x := s.input(8)
	x.Type = ir.Float16
	branch := func(op string) *ir.Graph {
		y := &ir.Value{Name: op}
		return &ir.Graph{Nodes: []*ir.Node{{Op: op, Version: 17, Inputs: []*ir.Value{x}, Outputs: []*ir.Value{y}}}, Outputs: []*ir.Value{y}}
	}
	y := s.node("If", map[string]*ir.Attr{"then_branch": {Kind: ir.AttrGraph, G: branch("Exp")}, "else_branch": {Kind: ir.AttrGraph, G: branch("Neg")}}, cond)
	y.Type = ir.Undefined
	z := s.node("Sqrt", nil, y)
	z.Type = ir.Undefined
	session, err := NewSession(s.output(z), Options{})
	require.NoError(t, err)
	r, err := session.Prepare([][]int{{}, {8}})
	require.NoError(t, err)
	for _, c := range []bool{true, false} {
		r.In(0).Data[0] = map[bool]byte{true: 1}[c]
		copy(slab.View[uint16](r.In(1).Data), asHalf(ir.Float16, -1, -2, -4, -0.5, 0, -8, -3, -0.25))
		require.NoError(t, r.Exec())
		require.Equal(t, ir.Float16, r.Out(0).Type)
		for i, v := range []float64{-1, -2, -4, -0.5, 0, -8, -3, -0.25} {
			want := math.Sqrt(-v)
			if c {
				want = math.Sqrt(math.Exp(v))
			}
			require.InDelta(t, want, halfNumber(ir.Float16, slab.View[uint16](r.Out(0).Data)[i]), 2e-3*want)
		}
	}
}
