package nn

import "github.com/normwasm/normwasm/internal/compute"

// The names of internal/compute that nn/graph calls. They check nothing.

type (
	Clamp         = compute.Clamp
	ConvShape     = compute.ConvShape
	Conv          = compute.Conv
	ConvTraining  = compute.ConvTraining
	ConvTranspose = compute.ConvTranspose
	Start         = compute.Start
	Gemm          = compute.Gemm
	PackedB       = compute.PackedB
	Pool          = compute.Pool
	Reduce        = compute.Reduce
	Window        = compute.Window
)

const (
	FromZero        = compute.FromZero
	FromRow         = compute.FromRow
	FromColumn      = compute.FromColumn
	FromY           = compute.FromY
	ReduceSum       = compute.ReduceSum
	ReduceMean      = compute.ReduceMean
	ReduceMax       = compute.ReduceMax
	ReduceMin       = compute.ReduceMin
	ReduceSumSquare = compute.ReduceSumSquare
	ReduceL1        = compute.ReduceL1
	ReduceL2        = compute.ReduceL2
	ReduceLogSum    = compute.ReduceLogSum
	ReduceLogSumExp = compute.ReduceLogSumExp
	ReduceProd      = compute.ReduceProd
)

var (
	NoClamp = compute.NoClamp
	ReLU    = compute.ReLU
	ReLU6   = compute.ReLU6
)

var (
	Clip              = compute.Clip
	Relu              = compute.Relu
	Abs               = compute.Abs
	Neg               = compute.Neg
	Sqrt              = compute.Sqrt
	LeakyRelu         = compute.LeakyRelu
	HardSigmoid       = compute.HardSigmoid
	HardSwish         = compute.HardSwish
	Exp               = compute.Exp
	Sigmoid           = compute.Sigmoid
	Silu              = compute.Silu
	Tanh              = compute.Tanh
	Erf               = compute.Erf
	Gelu              = compute.Gelu
	GeluTanh          = compute.GeluTanh
	Log               = compute.Log
	LogOf             = compute.LogOf
	Floor             = compute.Floor
	Ceil              = compute.Ceil
	Round             = compute.Round
	Sin               = compute.Sin
	Cos               = compute.Cos
	Reciprocal        = compute.Reciprocal
	Sign              = compute.Sign
	Softplus          = compute.Softplus
	Softsign          = compute.Softsign
	Mish              = compute.Mish
	Elu               = compute.Elu
	Selu              = compute.Selu
	Celu              = compute.Celu
	ThresholdedRelu   = compute.ThresholdedRelu
	Add               = compute.Add
	Sub               = compute.Sub
	Mul               = compute.Mul
	Div               = compute.Div
	Max               = compute.Max
	Min               = compute.Min
	Pow               = compute.Pow
	PowOf             = compute.PowOf
	PRelu             = compute.PRelu
	PackConv          = compute.PackConv
	NewConvTraining   = compute.NewConvTraining
	PackConvTranspose = compute.PackConvTranspose
	GlobalAverage     = compute.GlobalAverage
	GlobalMax         = compute.GlobalMax
	ArgMax            = compute.ArgMax
	ArgMin            = compute.ArgMin
	Softmax           = compute.Softmax
	LogSoftmax        = compute.LogSoftmax
	SoftmaxScratch    = compute.SoftmaxScratch
	ReluGradient      = compute.ReluGradient
	TanhGradient      = compute.TanhGradient
	SigmoidGradient   = compute.SigmoidGradient
	SiluGradient      = compute.SiluGradient
	GeluGradient      = compute.GeluGradient
	SoftmaxGradient   = compute.SoftmaxGradient
	Dot               = compute.Dot
	Momentum          = compute.Momentum
	AdamW             = compute.AdamW
	MaxPairs          = compute.MaxPairs
	MaxPairsGradient  = compute.MaxPairsGradient
	Map               = compute.Map
)

// Transpose is the one that is generic.
func Transpose[T any](y, x []T, shape, perm []int) { compute.Transpose(y, x, shape, perm) }
