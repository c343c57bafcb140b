package norm_test

import (
	"fmt"

	"github.com/normwasm/normwasm/norm"
)

// check keeps the examples short; a program would return the error.
func check(err error) {
	if err != nil {
		fmt.Println(err)
	}
}

// A step of training: the batch's statistics normalize, the running ones learn, and
// the gradients come back. Then inference, with what was learnt.
func ExampleBatchNormLayer() {
	layer, err := norm.NewBatchNormLayer(2, norm.PyTorch)
	check(err)
	x := []float32{ // [N C] = [4 2]
		1, 10,
		2, 20,
		3, 30,
		4, 40,
	}
	y := make([]float32, 8)
	check(layer.Forward(y, x, []int{4, 2}, true, true))
	fmt.Printf("y %.2f\n", y)
	fmt.Printf("running mean %.2f, variance %.2f\n", layer.RunningMean, layer.RunningVar)

	dy := []float32{1, 0, 0, 0, 0, 0, 0, 1}
	dx, dgamma, dbeta := make([]float32, 8), make([]float32, 2), make([]float32, 2)
	check(layer.Backward(dx, dgamma, dbeta, dy, x))
	fmt.Printf("dx %.3f\n", dx)
	fmt.Printf("dgamma %.2f, dbeta %.2f\n", dgamma, dbeta)

	check(layer.Forward(y, x, []int{4, 2}, false, false))
	fmt.Printf("inference %.2f\n", y)
	// Output:
	// y [-1.34 -1.34 -0.45 -0.45 0.45 0.45 1.34 1.34]
	// running mean [0.25 2.50], variance [1.07 17.57]
	// dx [0.268 0.018 -0.358 -0.009 -0.089 -0.036 0.179 0.027]
	// dgamma [-1.34 1.34], dbeta [1.00 1.00]
	// inference [0.73 1.79 1.69 4.18 2.66 6.56 3.63 8.95]
}

// The same batch under the three meanings of momentum.
func ExampleFramework() {
	x, y := []float32{1, 3}, make([]float32, 2)
	for _, f := range []norm.Framework{norm.PyTorch, norm.ONNX, norm.Keras} {
		layer, err := norm.NewBatchNormLayer(1, f)
		check(err)
		check(layer.Forward(y, x, []int{2, 1}, true, true))
		fmt.Printf("momentum %v, ε %v: mean %.3f, variance %.3f\n", layer.Momentum, layer.Epsilon, layer.RunningMean, layer.RunningVar)
	}
	// Output:
	// momentum 0.1, ε 1e-05: mean [0.200], variance [1.100]
	// momentum 0.9, ε 1e-05: mean [0.200], variance [1.000]
	// momentum 0.99, ε 0.001: mean [0.020], variance [1.000]
}

// Two workers with half a batch each get what one would get from all of it.
func ExampleBatchNormLayer_ForwardWith() {
	parts := [][]float32{{1, 2}, {3, 4}}
	layers, moments := make([]*norm.BatchNormLayer, 2), make([]*norm.Moments, 2)
	for i, x := range parts {
		layer, err := norm.NewBatchNormLayer(1, norm.ONNX)
		check(err)
		layers[i], moments[i] = layer, norm.NewMoments(1)
		check(layer.Moments(moments[i], x, []int{2, 1}))
	}
	whole, err := norm.MergeMoments(moments...)
	check(err)
	fmt.Println("whole:", whole.Count, whole.Mean, whole.Variance)
	sums := []float64{0, 0}
	for i, x := range parts {
		y, part := make([]float32, 2), make([]float64, 2)
		check(layers[i].ForwardWith(y, x, []int{2, 1}, whole, true))
		check(layers[i].BackwardSums(part, []float32{1, 0}, x))
		sums[0] += part[0]
		sums[1] += part[1]
		fmt.Printf("y %.2f\n", y)
	}
	for i, x := range parts {
		dx := make([]float32, 2)
		check(layers[i].BackwardWith(dx, nil, nil, []float32{1, 0}, x, sums))
		fmt.Printf("dx %.2f\n", dx)
	}
	// Output:
	// whole: 4 [2.5] [1.25]
	// y [-1.34 -0.45]
	// y [0.45 1.34]
	// dx [0.18 -0.54]
	// dx [0.54 -0.18]
}

// Precise BatchNorm: once the weights have settled, statistics of all the data in
// place of a running average.
func ExampleBatchNormLayer_Recompute() {
	layer, err := norm.NewBatchNormLayer(1, norm.ONNX)
	check(err)
	check(layer.Recompute(func(yield func(x []float32, shape []int) bool) {
		for _, batch := range [][]float32{{1, 2}, {3}, {4, 5, 6}} {
			if !yield(batch, []int{len(batch), 1}) {
				return
			}
		}
	}))
	fmt.Printf("mean %.2f, variance %.2f\n", layer.RunningMean, layer.RunningVar)
	// Output: mean [3.50], variance [2.92]
}

func ExampleMergeMoments() {
	first := &norm.Moments{Count: 2, Mean: []float64{1}, Variance: []float64{1}}  // of 0 and 2
	second := &norm.Moments{Count: 1, Mean: []float64{7}, Variance: []float64{0}} // of 7
	whole, err := norm.MergeMoments(first, second)
	check(err)
	fmt.Printf("%d values, mean %.0f, variance %.2f\n", whole.Count, whole.Mean, whole.Variance)
	// Output: 3 values, mean [3], variance [8.67]
}

// Four channels in two groups; the second group's numbers are a hundred times larger,
// which does not show.
func ExampleNewGroupNorm() {
	group, err := norm.NewGroupNorm([]int{1, 4, 2}, norm.NCHW, 2, 1e-5)
	check(err)
	x := []float32{
		1, 2, // group 0
		3, 4,
		100, 200, // group 1
		300, 400,
	}
	y, mean, rstd := make([]float32, 8), make([]float32, 2), make([]float32, 2)
	check(group.Forward(y, mean, rstd, x, nil, nil))
	fmt.Printf("%.2f\nmeans %v\n", y, mean)
	dx, dgamma := make([]float32, 8), make([]float32, 4)
	check(group.Backward(dx, dgamma, nil, []float32{1, 0, 0, 0, 0, 0, 0, 0}, x, mean, rstd, nil))
	fmt.Printf("dx %.2f\n", dx[:4])
	// Output:
	// [-1.34 -0.45 0.45 1.34 -1.34 -0.45 0.45 1.34]
	// means [2.5 250]
	// dx [0.27 -0.36 -0.09 0.18]
}

// Every channel of every example by itself, channels last, with the SiLU that follows.
func ExampleNewInstanceNorm() {
	instance, err := norm.NewInstanceNorm([]int{1, 2, 2}, norm.NHWC, 1e-5) // [N L C]
	check(err)
	x := []float32{
		1, 100,
		3, 300,
	}
	y := make([]float32, 4)
	check(instance.Forward(y, nil, nil, x, nil, nil))
	fmt.Printf("%.3f\n", y)
	instance.Activation = norm.SiLU
	check(instance.Forward(y, nil, nil, x, nil, nil))
	fmt.Printf("%.3f\n", y)
	// Output:
	// [-1.000 -1.000 1.000 1.000]
	// [-0.269 -0.269 0.731 0.731]
}

// InstanceNorm with running statistics: they take the average over the examples.
func ExampleNewInstanceNormLayer() {
	layer, err := norm.NewInstanceNormLayer(1, norm.PyTorch)
	check(err)
	x, y := []float32{1, 3, 10, 30}, make([]float32, 4) // two examples of two values
	check(layer.Forward(y, x, []int{2, 1, 2}, true, true))
	fmt.Printf("%.2f\nrunning mean %.2f, variance %.2f\n", y, layer.RunningMean, layer.RunningVar)
	// Output:
	// [-1.00 1.00 -1.00 1.00]
	// running mean [1.10], variance [11.00]
}

// The step between two blocks of a transformer: the sum goes on along the residual
// path, the normalized sum into the next block.
func ExampleLayerNorm_ForwardSum() {
	layer, err := norm.NewLayerNorm([]int{1, 4}, []int{-1}, 1e-5)
	check(err)
	stream, block := []float32{1, 0, -1, 0}, []float32{0.5, 1, -0.5, -1}
	y := make([]float32, 4)
	check(layer.ForwardSum(y, stream, nil, nil, stream, block, nil, nil))
	fmt.Printf("stream %.1f\ny %.3f\n", stream, y)
	// Output:
	// stream [1.5 1.0 -1.5 -1.0]
	// y [1.177 0.784 -1.177 -0.784]
}

func ExampleLayerNorm_Backward() {
	layer, err := norm.NewLayerNorm([]int{2, 3}, []int{1}, 1e-5)
	check(err)
	x, gamma := []float32{1, 2, 3, 4, 5, 9}, []float32{1, 2, 1}
	y, mean, rstd := make([]float32, 6), make([]float32, 2), make([]float32, 2)
	check(layer.Forward(y, mean, rstd, x, nil, gamma, nil))
	dx, dgamma, dbeta := make([]float32, 6), make([]float32, 3), make([]float32, 3)
	check(layer.Backward(dx, dgamma, dbeta, []float32{1, 0, 0, 0, 1, 0}, x, mean, rstd, gamma))
	fmt.Printf("dx %.3f\ndgamma %.3f dbeta %.0f\n", dx, dgamma, dbeta)
	// Output:
	// dx [0.204 -0.408 0.204 -0.441 0.551 -0.110]
	// dgamma [-1.225 -0.463 0.000] dbeta [1 1 0]
}

// RMSNorm keeps the direction: 3 and 4 stay in proportion.
func ExampleNewRMSNorm() {
	rms, err := norm.NewRMSNorm([]int{1, 2}, []int{-1}, 0)
	check(err)
	x := []float32{3, 4}
	y, rstd, dx := make([]float32, 2), make([]float32, 1), make([]float32, 2)
	check(rms.Forward(y, nil, rstd, x, nil, nil))
	check(rms.Backward(dx, nil, []float32{1, 0}, x, rstd, nil))
	fmt.Printf("y %.3f, 1/rms %.3f, dx %.3f\n", y, rstd, dx)
	// Output: y [0.849 1.131], 1/rms [0.283], dx [0.181 -0.136]
}

func ExampleRMSNormRows() {
	y := make([]float32, 4)
	check(norm.RMSNormRows(y, nil, []float32{3, 4, -30, 40}, []float32{1, 2}, 2, 2, 1e-6))
	fmt.Printf("%.3f\n", y)
	// Output: [0.849 2.263 -0.849 2.263]
}

// A diffusion transformer's block: each example brings its own scale and shift.
func ExampleNewAdaptiveLayerNorm() {
	layer, err := norm.NewAdaptiveLayerNorm(2, 1, 2, 1e-6)
	check(err)
	x := []float32{1, 3, 1, 3} // two examples of one token
	scale := []float32{0, 0, 1, 1}
	shift := []float32{0, 0, 0, 10}
	y := make([]float32, 4)
	check(layer.Forward(y, nil, nil, x, scale, shift))
	fmt.Printf("%.2f\n", y)
	// Output: [-1.00 1.00 -2.00 12.00]
}

// A pixel of three channels: each is damped by itself and its neighbours.
func ExampleNewLocalResponseNorm() {
	response, err := norm.NewLocalResponseNorm([]int{1, 3}, 3, 3, 0.5, 1)
	check(err)
	y := make([]float32, 3)
	check(response.Forward(y, []float32{1, 2, 2}))
	fmt.Printf("%.4f\n", y) // 1/√(1+1+4), 2/√(1+1+4+4), 2/√(1+4+4)
	// Output: [0.4082 0.6325 0.6667]
}

func ExampleNewLpNorm() {
	for p := 1; p <= 2; p++ {
		length, err := norm.NewLpNorm([]int{2, 2}, -1, p, 0)
		check(err)
		y := make([]float32, 4)
		check(length.Forward(y, []float32{3, -4, 0, 0}))
		fmt.Printf("L%d: %.3f\n", p, y)
	}
	// Output:
	// L1: [0.429 -0.571 0.000 0.000]
	// L2: [0.600 -0.800 0.000 0.000]
}

func ExampleNewMeanVarianceNorm() {
	mvn, err := norm.NewMeanVarianceNorm([]int{2, 2, 1, 1}, []int{0, 2, 3}, 0, 1e-9)
	check(err)
	y := make([]float32, 4)
	check(mvn.Forward(y, []float32{1, 5, 3, 5}))
	fmt.Println(y)
	// Output: [-1 0 1 0]
}

// A linear layer of two outputs and the BatchNorm after it become one layer.
func ExampleFoldBatchNorm() {
	w := []float32{ // [O I]
		1, 2,
		3, 4,
	}
	weight, bias := make([]float32, 4), make([]float32, 2)
	mean, variance, gamma, beta := []float32{1, 2}, []float32{4, 16}, []float32{1, 2}, []float32{0, 5}
	check(norm.FoldBatchNorm(weight, bias, w, nil, mean, variance, gamma, beta, 1, 2, 2, 0))
	fmt.Println(weight, bias)
	// Output: [0.5 1 1.5 2] [-0.5 4]
}

func ExampleWeightNorm() {
	v := []float32{3, 4, 0, 2}
	w, length := make([]float32, 4), make([]float32, 2)
	check(norm.WeightNorm(w, length, v, []float32{10, 1}, 2, 2))
	fmt.Println(w, length)
	dv, dg := make([]float32, 4), make([]float32, 2)
	check(norm.WeightNormBackward(dv, dg, []float32{1, 0, 0, 1}, v, []float32{10, 1}, 2, 2))
	fmt.Printf("dv %.2f, dg %.2f\n", dv, dg)
	// Output:
	// [6 8 0 1] [5 2]
	// dv [1.28 -0.96 0.00 0.00], dg [0.60 1.00]
}

// Power iteration finds the largest singular value, here 3.
func ExampleNewSpectralNorm() {
	s, err := norm.NewSpectralNorm(2, 2)
	check(err)
	w, y := []float32{0, 3, 1, 0}, make([]float32, 4)
	sigma, err := s.Forward(y, w, 20)
	check(err)
	fmt.Printf("σ %.4f, w/σ %.3f\n", sigma, y)
	// Output: σ 3.0000, w/σ [0.000 1.000 0.333 0.000]
}
