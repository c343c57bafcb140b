package graph

import "strings"

// Element types are checked twice: at load, as far as they follow from the
// model's inputs and constants, so that everything missing can be listed; and by
// the plan functions, which know them all.

// signature is what an operator does with element types.
type signature struct {
	takes  types
	first  int // the first input that must be one of takes
	count  int // how many of them from there on
	result func(n *Node) DType
}

const (
	every = -1 // all inputs, none of which may be omitted
	given = -2 // all inputs that are not omitted
)

var signatures = map[string]signature{}

// like gives the type of input i.
func like(i int) func(n *Node) DType {
	return func(n *Node) DType {
		if v := n.In(i); v != nil {
			return v.Type
		}
		return Undefined
	}
}

func always(t DType) func(n *Node) DType { return func(*Node) DType { return t } }

func describe(takes types, first, count int, result func(n *Node) DType, ops string) {
	for _, op := range strings.Fields(ops) {
		signatures[op] = signature{takes, first, count, result}
	}
}

func init() {
	float32Only := typeSet(Float32)
	sums := typeSet(Float32, Float64, Int32, Int64, Uint32)
	describe(storedTypes, 0, 1, like(0), `Identity Reshape Flatten Squeeze Unsqueeze Dropout Transpose Slice Expand Tile Split
		DepthToSpace SpaceToDepth Gather GatherElements GatherND ScatterElements ScatterND Trilu Pad`)
	describe(storedTypes, 0, every, like(0), "Concat")
	describe(storedTypes, 0, 1, always(Int64), "NonZero")
	describe(^types(0), 0, 1, always(Int64), "Shape Size")
	describe(storedTypes, 1, 2, like(1), "Where")
	describe(storedTypes, 2, 1, like(2), "OneHot")
	describe(storedTypes, 0, 1, func(n *Node) DType { return DType(n.Int("to", 0)) }, "Cast")
	describe(storedTypes, 0, 1, like(1), "CastLike")
	describe(storedTypes, 0, 0, func(n *Node) DType {
		if a := n.Attrs["value"]; a != nil && a.T != nil {
			return a.T.Type
		}
		return Float32
	}, "ConstantOfShape")
	describe(typeSet(Float32, Float64, Int16, Int32, Int64), 0, 3, like(0), "Range")
	describe(sums|typeSet(Uint64), 0, 1, like(0), "CumSum")
	describe(sums, 0, 1, like(0), "ReduceSum ReduceMean ReduceProd ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp")
	describe(float32Only, 0, 2, like(0), "MatMul")
	describe(sums|typeSet(Int8, Int16, Uint8, Uint16), 0, 1, like(0), "ReduceMax ReduceMin")
	describe(numberTypes, 0, 1, like(0), "TopK")
	describe(numberTypes, 0, 1, always(Int64), "ArgMax ArgMin")
	describe(numberTypes, 0, 1, like(0), "Abs Neg Sign Clip")
	describe(numberTypes, 0, 2, like(0), "Add Sub Mul Div Mod")
	describe(numberTypes, 0, every, like(0), "Max Min")
	describe(floatTypes, 0, every, like(0), "Sum Mean")
	describe(typeSet(Float32, Float64, Int32, Int64), 0, 1, like(0), "Pow")
	describe(numberTypes, 0, 2, always(Bool), "Less Greater LessOrEqual GreaterOrEqual")
	describe(numberTypes|typeSet(Bool), 0, 2, always(Bool), "Equal")
	describe(typeSet(Bool), 0, 2, always(Bool), "And Or Xor")
	describe(typeSet(Bool), 0, 1, always(Bool), "Not")
	describe(floatTypes|typeSet(Float16), 0, 1, always(Bool), "IsNaN IsInf")
	describe(signedTypes, 0, 1, like(0), "Relu")
	describe(typeSet(Float32, Float64, Uint8, Int8), 0, 1, like(0), "MaxPool")
	for name, f := range functions {
		takes := float32Only
		if f.f64 != nil {
			takes = floatTypes
		}
		describe(takes, 0, 1, like(0), name)
	}
	describe(float32Only, 0, given, like(0), `Conv ConvTranspose Gemm BatchNormalization LayerNormalization InstanceNormalization
		GroupNormalization RMSNormalization `+Internal+`.MatMulAdd`)
	describe(float32Only, 0, 2, like(0), "PRelu")
	describe(float32Only, 0, 1, like(0), Internal+".Silu")
	describe(float32Only, 0, given, like(0), Internal+".AddLayerNormalization")
	describe(float32Only, 0, 1, like(0), `LeakyRelu Elu Selu Celu ThresholdedRelu HardSigmoid HardSwish Shrink Gelu
		Softmax LogSoftmax AveragePool LpPool GlobalAveragePool GlobalMaxPool MeanVarianceNormalization LpNormalization LRN`)
	describe(storedTypes, 0, 1, like(0), "Resize Upsample")
}

// inputs is the range of the inputs that s speaks of, n being there.
func (s *signature) inputs(n int) (from, to int) {
	if s.count < 0 {
		return s.first, n
	}
	return s.first, s.first + s.count
}

// checkTypes returns which type the node takes or gives that is not implemented,
// or "", and notes the outputs' type where the model does not say it.
func checkTypes(n *Node) string {
	s, ok := signatures[n.key()]
	if !ok {
		return ""
	}
	from, to := s.inputs(len(n.Inputs))
	for i := from; i < to; i++ {
		if v := n.In(i); v != nil && v.Type != Undefined && !s.takes.has(v.Type) {
			return "type " + v.Type.String()
		}
	}
	t := s.result(n)
	if t != Undefined && t != Int64 && t != Bool && !s.takes.has(t) {
		return "type " + t.String()
	}
	for _, v := range n.Outputs {
		if v != nil && v.Type == Undefined && (n.Op != "Dropout" && n.Op != "TopK" || v == n.Outputs[0]) {
			v.Type = t
		}
	}
	return ""
}

// checkOperands holds a call to its signature: the inputs are there, of types
// that are implemented, and where there are several of one type.
func checkOperands(c *Call) error {
	s := signatures[c.Node.key()]
	from, to := s.inputs(c.NumIn())
	for i := from; i < to; i++ {
		if s.count == given && i > 0 && c.In(i) == nil {
			continue
		}
		if err := need(c, i, s.takes); err != nil {
			return err
		}
		if i > from {
			if err := sameType(c, i, from); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameType(c *Call, i, first int) error {
	if t, want := c.In(i).Type, c.In(first).Type; t != want {
		return c.Fail("input ", i, " is ", t.String(), ", want ", want.String(), " as input ", first)
	}
	return nil
}

// needLike asks that input i is there and has input 0's type.
func needLike(c *Call, i int) error {
	if err := need(c, i, storedTypes); err != nil {
		return err
	}
	return sameType(c, i, 0)
}
