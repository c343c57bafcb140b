package compute

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A run of a network must not feed the garbage collector.
func TestNoAllocation(t *testing.T) {
	three := Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	two := Window{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	x, y := make([]float32, 8*20*20), make([]float32, 40*40*8)
	weights := make([]float32, 8*8*9)
	scratch := make([]float32, 1<<18)
	general := PackConv(ConvShape{two, 8, 8, 1, nil}, weights, nil, ReLU, false)
	pointwise := PackConv(ConvShape{Window{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, 8, 8, 1, nil}, weights, nil, ReLU, false)
	depth := PackConv(ConvShape{two, 8, 8, 8, nil}, weights, nil, ReLU, false)
	back := PackConvTranspose(ConvShape{Window{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 8, 8, 1, nil}, weights, nil, ReLU, false)
	pool := Pool{Window: three}
	gemm := Gemm{M: 13, N: 17, K: 10, Alpha: 0.5, Start: FromColumn, Bias: x}
	packed := gemm.PackB(x)
	row := Gemm{M: 1, N: 17, K: 10}
	column := Gemm{M: 13, N: 1, K: 10}
	shape, perm := []int{8, 4, 10, 10}, []int{2, 0, 3, 1}
	ints, moved := make([]int64, 3200), make([]int64, 3200)
	exponent := []float32{2}
	tests := map[string]func(){
		"Conv":           func() { general.Run(y, x, 1, 20, 20, scratch) },
		"pointwise Conv": func() { pointwise.Run(y, x, 1, 20, 20, scratch) },
		"depthwise Conv": func() { depth.Run(y, x, 1, 20, 20, scratch) },
		"ConvTranspose":  func() { back.Run(y, x, 1, 20, 20, 40, 40, scratch) },
		"MaxPool":        func() { pool.Max(y, x, 8, 20, 20, scratch) },
		"AveragePool":    func() { pool.Average(y, x, 8, 20, 20, scratch) },
		"Gemm":           func() { gemm.Run(y, x, x, scratch) },
		"Gemm, packed":   func() { gemm.RunPacked(y, x, packed, scratch) },
		"Gemm of a row":  func() { row.Run(y, x, x, scratch) },
		"Gemm, a column": func() { column.Run(y, x, x, scratch) },
		"Softmax":        func() { Softmax(y, x, 4, 20, 10, scratch) },
		"LogSoftmax":     func() { LogSoftmax(y, x, 4, 20, 1, scratch) },
		"Transpose":      func() { Transpose(y, x, shape, perm) },
		"Transpose int":  func() { Transpose(moved, ints, shape, perm) },
		"ReduceMean":     func() { ReduceMean.Run(y, x, 4, 20, 10) },
		"ReduceL2":       func() { ReduceL2.Run(y, x, 4, 20, 1) },
		"Add":            func() { Add(y, x, 20, 1, x, 0, 1, 8, 20) },
		"Pow":            func() { Pow(y, x, 0, 1, exponent, 0, 0, 1, 100) },
		"Sigmoid":        func() { Sigmoid(y, x) },
		"Log":            func() { Log(y, x) },
		"Softplus":       func() { Softplus(y, x) },
		"Floor":          func() { Floor(y, x) },
	}
	for name, run := range tests {
		assert.Zero(t, testing.AllocsPerRun(3, run), name)
	}
}
