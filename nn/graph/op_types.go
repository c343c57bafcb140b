package graph

import "strings"

// Element types are checked twice: at load, as far as they follow from the
// model's inputs and constants, so that everything missing can be listed; and by
// the plan functions, which know them all.

// signature is what operators do with element types.
type signature struct {
	takes  types
	first  int // the first input that must be one of takes
	count  int // how many of them from there on
	result int // the outputs' type
	ops    string
}

const (
	every = -1 // all inputs, none of which may be omitted
	given = -2 // all inputs that are not omitted
)

// Results: that of input 0, 1 or 2, or
const (
	resultInt64 = iota + 10
	resultBool
	resultTo    // what the attribute to says
	resultValue // that of the attribute value
)

const sums = floatTypes | 1<<Int32 | 1<<Int64 | 1<<Uint32

var signatureTable = []signature{
	{storedTypes, 0, 1, 0, "Identity Reshape Flatten Squeeze Unsqueeze Dropout Transpose Slice Expand Tile Split Pad Trilu " +
		"DepthToSpace SpaceToDepth Gather GatherElements GatherND ScatterElements ScatterND Resize Upsample"},
	{storedTypes, 0, every, 0, "Concat"},
	{storedTypes, 0, 1, resultInt64, "NonZero"},
	{^types(0), 0, 1, resultInt64, "Shape Size"},
	{storedTypes, 1, 2, 1, "Where"},
	{storedTypes, 2, 1, 2, "OneHot"},
	{storedTypes, 0, 1, resultTo, "Cast"},
	{storedTypes, 0, 1, 1, "CastLike"},
	{storedTypes, 0, 0, resultValue, "ConstantOfShape"},
	{floatTypes | 1<<Int16 | 1<<Int32 | 1<<Int64, 0, 3, 0, "Range"},
	{sums | 1<<Uint64, 0, 1, 0, "CumSum"},
	{sums, 0, 1, 0, "ReduceSum ReduceMean ReduceProd ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp"},
	{sums | 1<<Int8 | 1<<Int16 | 1<<Uint8 | 1<<Uint16, 0, 1, 0, "ReduceMax ReduceMin"},
	{numberTypes, 0, 1, 0, "TopK Abs Neg Sign Clip"},
	{numberTypes, 0, 1, resultInt64, "ArgMax ArgMin"},
	{numberTypes, 0, 2, 0, "Add Sub Mul Div Mod"},
	{numberTypes, 0, every, 0, "Max Min"},
	{floatTypes, 0, every, 0, "Sum Mean"},
	{floatTypes | indexTypes, 0, 1, 0, "Pow"},
	{numberTypes, 0, 2, resultBool, "Less Greater LessOrEqual GreaterOrEqual"},
	{numberTypes | boolOnly, 0, 2, resultBool, "Equal"},
	{boolOnly, 0, 2, resultBool, "And Or Xor"},
	{boolOnly, 0, 1, resultBool, "Not"},
	{floatTypes | 1<<Float16, 0, 1, resultBool, "IsNaN IsInf"},
	{signedTypes, 0, 1, 0, "Relu"},
	{floatTypes, 0, 1, 0, "Sigmoid Tanh Erf Exp Log Sqrt Reciprocal Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh"},
	{float32Only, 0, given, 0, "Conv ConvTranspose Gemm BatchNormalization LayerNormalization InstanceNormalization GroupNormalization " +
		"RMSNormalization " + Internal + ".MatMulAdd " + Internal + ".AddLayerNormalization"},
	{float32Only, 0, 2, 0, "MatMul PRelu"},
	{float32Only, 0, 1, 0, "LeakyRelu Elu Selu Celu ThresholdedRelu HardSigmoid HardSwish Shrink Gelu Softplus Softsign Mish " +
		"Softmax LogSoftmax MaxPool AveragePool GlobalAveragePool GlobalMaxPool MeanVarianceNormalization LpNormalization LRN " +
		Internal + ".Silu"},
}

var signatures = map[string]*signature{}

func init() {
	for i := range signatureTable {
		s := &signatureTable[i]
		for _, op := range strings.Fields(s.ops) {
			signatures[op] = s
		}
	}
}

// resultOf is the type of n's outputs, as far as it is known.
func (s *signature) resultOf(n *Node) DType {
	switch s.result {
	case resultInt64:
		return Int64
	case resultBool:
		return Bool
	case resultTo:
		return DType(n.Int("to", 0))
	case resultValue:
		if a := n.Attrs["value"]; a != nil && a.T != nil {
			return a.T.Type
		}
		return Float32
	}
	if v := n.In(s.result); v != nil {
		return v.Type
	}
	return Undefined
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
	s := signatures[n.key()]
	from, to := s.inputs(len(n.Inputs))
	for i := from; i < to; i++ {
		if v := n.In(i); v != nil && v.Type != Undefined && !s.takes.has(v.Type) {
			return "type " + v.Type.String()
		}
	}
	t := s.resultOf(n)
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
