package norm_test

import (
	"errors"
	"fmt"

	"github.com/normwasm/normwasm/norm"
)

// Two tokens of four features each: every token is normalized by itself.
func ExampleLayerNormRows() {
	x := []float32{
		1, 2, 3, 4,
		10, 10, 30, 30,
	}
	gamma := []float32{1, 1, 1, 2}
	beta := []float32{0, 0, 0, 1}
	y := make([]float32, len(x))
	mean, rstd := make([]float32, 2), make([]float32, 2)
	if err := norm.LayerNormRows(y, mean, rstd, x, nil, gamma, beta, 2, 4, 1e-5); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f\n%.3f\n", y[:4], y[4:])
	fmt.Printf("mean %.1f, 1/deviation %.4f\n", mean, rstd)
	// Output:
	// [-1.342 -0.447 0.447 3.683]
	// [-1.000 -1.000 1.000 3.000]
	// mean [2.5 20.0], 1/deviation [0.8944 0.1000]
}

// The step between two blocks of a transformer: what a block computed is added to
// what went in, and the sum is normalized.
func ExampleLayerNormRows_residual() {
	x := []float32{1, 0, -1, 0}
	attention := []float32{0.5, 1, -0.5, -1}
	y := make([]float32, 4)
	if err := norm.LayerNormRows(y, nil, nil, x, attention, nil, nil, 1, 4, 1e-5); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f\n", y)
	// Output: [1.177 0.784 -1.177 -0.784]
}

// Channels first: the channels of each pixel are normalized, though they do not lie
// side by side. The prepared form is for calls that come again and again.
func ExampleNewLayerNorm() {
	layer, err := norm.NewLayerNorm([]int{1, 2, 3}, []int{1}, 0) // [N C L] over C
	if err != nil {
		fmt.Println(err)
		return
	}
	x := []float32{
		1, 10, 100, // channel 0
		3, 30, 300, // channel 1
	}
	y, mean := make([]float32, 6), make([]float32, layer.Rows())
	if err := layer.Forward(y, mean, nil, x, nil, nil, nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(y)
	fmt.Println("means", mean, "of shape", layer.StatShape())
	// Output:
	// [-1 -1 -1 1 1 1]
	// means [2 20 200] of shape [1 1 3]
}

func ExampleLayerNormAxes() {
	x := []float32{1, 2, 3, 4, 5, 6}
	y := make([]float32, 6)
	err := norm.LayerNormAxes(y, nil, nil, x, nil, nil, nil, []int{2, 3}, []int{-1, 0}, 1e-5)
	fmt.Printf("%.2f %v\n", y, err)
	err = norm.LayerNormAxes(y, nil, nil, x, nil, nil, nil, []int{2, 3}, []int{2}, 1e-5)
	fmt.Println(err)
	// Output:
	// [-1.46 -0.88 -0.29 0.29 0.88 1.46] <nil>
	// norm: LayerNorm: axis 2 is out of range for x [2 3], want -2 to 1
}

// A convolution's output [N C H W] with the statistics that training left behind;
// the ReLU that follows is done in the same pass, in place.
func ExampleNewBatchNorm() {
	shape := []int{1, 2, 2, 2}
	axis, err := norm.NCHW.Axis(len(shape))
	if err != nil {
		fmt.Println(err)
		return
	}
	layer, err := norm.NewBatchNorm(shape, axis, 1e-5, norm.ReLU)
	if err != nil {
		fmt.Println(err)
		return
	}
	mean, variance := []float32{1, 10}, []float32{4, 100}
	gamma, beta := []float32{1, 1}, []float32{0, 2}
	if err := layer.Prepare(mean, variance, gamma, beta); err != nil {
		fmt.Println(err)
		return
	}
	x := []float32{
		-3, 1, 3, 5, // channel 0
		-10, 0, 10, 20, // channel 1
	}
	if err := layer.Apply(x, x); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.2f\n", x)
	// Output: [0.00 0.00 1.00 2.00 0.00 1.00 2.00 3.00]
}

// The bare steps, for a caller that keeps its own scales.
func ExampleBatchNormApply() {
	scale := make([]float32, 3)
	if err := norm.BatchNormScale(scale, []float32{1, 4, 16}, []float32{1, 1, 2}, 0); err != nil {
		fmt.Println(err)
	}
	x := []float32{ // [N H W C] = [1 1 2 3]
		1, 2, 3,
		5, 6, 7,
	}
	y := make([]float32, 6)
	if err := norm.BatchNormApply(y, x, []float32{1, 2, 3}, scale, []float32{0, 0, 1}, 2, 3, 1, norm.Linear); err != nil {
		fmt.Println(err)
	}
	fmt.Println(scale, y)
	// Output: [1 0.5 0.5] [0 0 1 4 2 3]
}

// Errors give the numbers; their type says what kind of mistake it was.
func ExampleValueError() {
	_, err := norm.NewBatchNorm([]int{8, 2}, 1, -1, norm.Linear)
	var value *norm.ValueError
	fmt.Println(errors.As(err, &value))
	fmt.Println(err)
	// Output:
	// true
	// norm: BatchNorm: epsilon is -1, want a finite number of at least 0
}
