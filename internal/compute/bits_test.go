package compute

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/internal/slab"
)

// plainNumbers are n numbers in (-4, 4) by integer arithmetic alone, the same on
// every platform.
func plainNumbers(n int, seed uint32) []float32 {
	x := make([]float32, n)
	for i := range x {
		seed = seed*1664525 + 1013904223
		x[i] = float32(int32(seed)>>8) * 0x1p-21
	}
	return x
}

// TestSameBitsEverywhere holds whole layers to checksums: the same ones for amd64,
// arm64, wasm with SIMD and wasm without. A checksum that changes for a reason
// changes for all of them.
func TestSameBitsEverywhere(t *testing.T) {
	x := plainNumbers(6*21*23, 1)
	w := plainNumbers(9*6*9, 2)
	bias := plainNumbers(9, 3)
	scratch := make([]float32, 1<<16)
	y := make([]float32, 1<<13)
	pad := Window{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	conv := PackConv(ConvShape{pad, 6, 9, 1, nil}, w, bias, ReLU6, false)
	depth := PackConv(ConvShape{pad, 6, 6, 6, nil}, w, bias, NoClamp, false)
	back := PackConvTranspose(ConvShape{Window{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 6, 5, 1, nil}, w, bias, NoClamp, false)
	gemm := Gemm{M: 13, N: 19, K: 131, Alpha: 0.3, TransB: true}
	const n = 2877
	tests := []struct {
		name string
		n    int
		run  func()
		want uint32
	}{
		{"Conv", 9 * 11 * 12, func() { conv.Run(y, x, 1, 21, 23, scratch) }, 0x62cf9700},
		{"depthwise Conv", 6 * 11 * 12, func() { depth.Run(y, x, 1, 21, 23, scratch) }, 0xb479533b},
		{"ConvTranspose", 5 * 14 * 16, func() { back.Run(y, x, 1, 7, 8, 14, 16, scratch) }, 0xcf5b9610},
		{"Gemm", 13 * 19, func() { gemm.Run(y, x, x, scratch) }, 0x0c59cd9e},
		{"MaxPool", 6 * 11 * 12, func() { Pool{Window: pad}.Max(y, x, 6, 21, 23, scratch) }, 0x29c19834},
		{"AveragePool", 6 * 11 * 12, func() { Pool{Window: pad}.Average(y, x, 6, 21, 23, scratch) }, 0x8dcb976a},
		{"Softmax", n, func() { Softmax(y, x, 7, 137, 3, scratch) }, 0x87fa0f29},
		{"ReduceMean", 3, func() { ReduceMean.Run(y, x, 3, n/3, 1) }, 0xb9d967ba},
		{"ReduceSumSquare", 3, func() { ReduceSumSquare.Run(y, x, 3, n/3, 1) }, 0xa8c8e59f},
		{"Exp", n, func() { Exp(y, x[:n]) }, 0x49a6e69a},
		{"Sigmoid", n, func() { Sigmoid(y, x[:n]) }, 0xf3f505ef},
		{"Silu", n, func() { Silu(y, x[:n]) }, 0xfd929057},
		{"Tanh", n, func() { Tanh(y, x[:n]) }, 0x31310eac},
		{"Erf", n, func() { Erf(y, x[:n]) }, 0xf4f33a81},
		{"Gelu", n, func() { Gelu(y, x[:n]) }, 0x01ce88e1},
		{"GeluTanh", n, func() { GeluTanh(y, x[:n]) }, 0x636d928b},
		{"HardSwish", n, func() { HardSwish(y, x[:n], 1.0/6, 0.5) }, 0xf21ee707},
		{"Div", n, func() { Div(y, x, 0, 1, bias, 0, 0, 1, n) }, 0x1b101928},
	}
	for _, tt := range tests {
		clear(y)
		tt.run()
		got := crc32.ChecksumIEEE(slab.Bytes(y[:tt.n]))
		assert.Equal(t, tt.want, got, "%s: checksum %#08x", tt.name, got)
	}
}
