package nn_test

import (
	"fmt"

	"github.com/normwasm/normwasm/nn"
)

// A dense layer of two features for three tokens, with its ReLU.
func ExampleGemm() {
	x := []float32{1, 2, 3, 4, 5, 6}      // three tokens of two features
	weights := []float32{1, -1, 0.5, 0.5} // two by two
	y := make([]float32, 6)
	g := nn.Gemm{M: 3, N: 2, K: 2, Start: nn.FromColumn, Bias: []float32{0, 1}, Clamp: nn.ReLU}
	if err := g.Run(y, x, weights, make([]float32, g.ScratchLen())); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y)
	fmt.Println(g.Run(y[:5], x, weights, nil))
	// Output:
	// [2 1 5 0 8 0]
	// nn: Gemm: y has 5 elements, want 6 (3·2)
}

func ExamplePackConv() {
	window := nn.Window{KernelH: 3, KernelW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}
	shape := nn.ConvShape{Window: window, InChannels: 1, OutChannels: 1, Groups: 1}
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	conv, err := nn.PackConv(shape, ones, nil, nn.NoClamp)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := make([]float32, 4*4)
	for i := range x {
		x[i] = float32(i)
	}
	oh, ow := shape.OutSize(4, 4)
	y := make([]float32, oh*ow)
	err = conv.Run(y, x, 1, 4, 4, make([]float32, conv.ScratchLen(4, 4)))
	fmt.Println(y, err)
	// Output: [45 54 81 90] <nil>
}
