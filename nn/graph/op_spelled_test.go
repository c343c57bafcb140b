package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// widened is what bytes stand for, with scales and zero points by the last dimension, or by
// the first of three where there are as many, or one for all.
func widened(x, scale, zero *ir.Tensor) *ir.Tensor {
	y := ir.NewTensor(ir.Float32, x.Dims...)
	for i := range y.Float32s() {
		p, n, last := 0, scale.Len(), x.Dims[len(x.Dims)-1]
		switch {
		case len(x.Dims) == 3 && n == x.Dims[0]:
			p = i / (x.Dims[1] * last)
		case len(x.Dims) == 3 && n == x.Dims[0]*last:
			p = i/(x.Dims[1]*last)*last + i%last
		case n == last:
			p = i % last
		}
		y.Float32s()[i] = float32(element(x, i)-element(zero, p)) * scale.Float32s()[p]
	}
	return y
}

func requireNear(t *testing.T, want, got *ir.Tensor, tolerance float64, what string) {
	t.Helper()
	require.Equal(t, want.Dims, got.Dims, what)
	require.Equal(t, want.Type, got.Type, what)
	if want.Type == ir.Int32 {
		require.Equal(t, want.Int32s(), got.Int32s(), what)
		return
	}
	for i, w := range want.Float32s() {
		require.InDelta(t, w, got.Float32s()[i], tolerance, "%s, element %d", what, i)
	}
}

// What is spelled out gives what the operator of floats gives of what the bytes stand for.
func TestQAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	const batch, steps, width, heads = 2, 3, 8, 2
	for i := range 8 {
		columns := []int{1, 3 * width}[i%2]
		kind := []ir.DType{ir.Uint8, ir.Int8}[i/2%2]
		x, w, bias := bytesOf(r, kind, batch, steps, width), bytesOf(r, ir.Int8, width, 3*width), random(3, 3*width)
		xs, ws := scalesOf(r), scalesOf(r, columns)
		for k := range ws.Float32s() {
			ws.Float32s()[k] *= 0.02
		}
		xz, wz := bytesOf(r, kind), bytesOf(r, ir.Int8, columns)
		var mask, past *ir.Tensor
		a := attrs("num_heads", integer(heads), "unidirectional", integer(int64(i%2)))
		outs := 1
		if i >= 4 {
			past, outs = random(4, 2, batch, heads, 5, width/heads), 2
			mask = i32([]int{batch, 8}, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
		} else if i >= 2 {
			mask = i32([]int{batch}, 3, 2)
		}
		float := node{op: "Attention", domain: "com.microsoft", attrs: a, outs: outs,
			in: []*ir.Tensor{widened(x, xs, xz), widened(w, ws, wz), bias, mask, past}}.run(t)
		whole := node{op: "QAttention", domain: "com.microsoft", attrs: a, outs: outs, in: []*ir.Tensor{x, w, bias, xs, ws, mask, xz, wz, past}}.run(t)
		for k := range whole {
			requireNear(t, float[k], whole[k], 2e-4, fmt.Sprint("QAttention ", i, ", output ", k))
		}
	}
}

func TestDynamicQuantizeLSTM(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	const steps, batch, inputs, hidden = 4, 2, 5, 3
	for i := range 4 {
		dirs, direction := 1+i%2, []string{"reverse", "bidirectional"}[i%2]
		per := []int{dirs}
		if i >= 2 {
			per = []int{dirs, 4 * hidden}
		}
		kind := []ir.DType{ir.Uint8, ir.Int8}[i/2]
		x, b, h := random(1, steps, batch, inputs), random(2, dirs, 8*hidden), random(3, dirs, batch, hidden)
		w, rw := bytesOf(r, kind, dirs, inputs, 4*hidden), bytesOf(r, kind, dirs, hidden, 4*hidden)
		ws, rs, wz, rz := scalesOf(r, per...), scalesOf(r, per...), bytesOf(r, kind, per...), bytesOf(r, kind, per...)
		turned := func(x *ir.Tensor) *ir.Tensor {
			return node{op: "Transpose", attrs: attrs("perm", integers(0, 2, 1)), in: []*ir.Tensor{x}}.run(t)[0]
		}
		a := attrs("hidden_size", integer(hidden), "direction", text(direction))
		want := node{op: "LSTM", version: 14, attrs: a, outs: 3, in: []*ir.Tensor{x, turned(widened(w, ws, wz)), turned(widened(rw, rs, rz)), b, nil, h}}.run(t)
		got := node{op: "DynamicQuantizeLSTM", domain: "com.microsoft", attrs: a, outs: 3, in: []*ir.Tensor{x, w, rw, b, nil, h, nil, nil, ws, wz, rs, rz}}.run(t)
		for k := range want {
			requireNear(t, want[k], got[k], 1e-5, fmt.Sprint("DynamicQuantizeLSTM ", i, ", output ", k))
		}
	}
}

func TestQEmbedLayerNormalization(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	ids, segments, mask := i32([]int{2, 3}, 4, 0, 6, 1, 2, 2), i32([]int{2, 3}, 0, 1, 1, 0, 0, 1), i32([]int{2, 3}, 1, 1, 0, 1, 0, 0)
	for i := range 2 {
		tables := []*ir.Tensor{bytesOf(r, ir.Uint8, 7, 8), bytesOf(r, ir.Uint8, 5, 8), bytesOf(r, ir.Uint8, 2, 8), bytesOf(r, ir.Uint8, 8), bytesOf(r, ir.Uint8, 8)}
		var scales, zeros, wide []*ir.Tensor
		for _, x := range tables {
			scales, zeros = append(scales, scalesOf(r)), append(zeros, bytesOf(r, ir.Uint8))
			wide = append(wide, widened(x, scales[len(scales)-1], zeros[len(zeros)-1]))
		}
		segment := segments
		if i == 1 {
			segment, tables[2], wide[2], scales[2], zeros[2] = nil, nil, nil, nil, nil
		}
		a := attrs("epsilon", float(1e-5))
		want := node{op: "EmbedLayerNormalization", domain: "com.microsoft", attrs: a, outs: 2,
			in: []*ir.Tensor{ids, segment, wide[0], wide[1], wide[2], wide[3], wide[4], mask}}.run(t)
		in := append([]*ir.Tensor{ids, segment}, tables...)
		in = append(append(append(in, mask), scales...), zeros...)
		got := node{op: "QEmbedLayerNormalization", domain: "com.microsoft", attrs: a, outs: 2, in: in}.run(t)
		for k := range want {
			requireNear(t, want[k], got[k], 1e-4, fmt.Sprint("QEmbedLayerNormalization ", i, ", output ", k))
		}
	}
	bad := node{op: "QEmbedLayerNormalization", domain: "com.microsoft", in: []*ir.Tensor{i32([]int{1, 1}, 7), nil, bytesOf(r, ir.Uint8, 7, 8), bytesOf(r, ir.Uint8, 5, 8), nil, bytesOf(r, ir.Uint8, 8), bytesOf(r, ir.Uint8, 8), nil,
		scalesOf(r), scalesOf(r), nil, scalesOf(r), scalesOf(r), bytesOf(r, ir.Uint8), bytesOf(r, ir.Uint8), nil, bytesOf(r, ir.Uint8), bytesOf(r, ir.Uint8)}}
	_, err := bad.try()
	require.ErrorContains(t, err, "index")
	require.ErrorContains(t, err, "7")
}

func TestNhwcConv(t *testing.T) {
	for i := range 3 {
		group := []int64{1, 2, 4}[i]
		x, w, b := random(1, 2, 6, 5, 4), random(2, 8, 4/int(group), 3, 3), random(3, 8)
		a := attrs("group", integer(group), "pads", integers(1, 0, 1, 2), "strides", integers(2, 1))
		turn := func(x *ir.Tensor, perm ...int64) *ir.Tensor {
			return node{op: "Transpose", attrs: attrs("perm", integers(perm...)), in: []*ir.Tensor{x}}.run(t)[0]
		}
		want := turn(node{op: "Conv", attrs: a, in: []*ir.Tensor{turn(x, 0, 3, 1, 2), w, b}}.run(t)[0], 0, 2, 3, 1)
		got := node{op: "NhwcConv", domain: "com.microsoft", attrs: a, in: []*ir.Tensor{x, w, b}}.run(t)[0]
		requireNear(t, want, got, 0, fmt.Sprint("NhwcConv ", i))
	}
	_, err := node{op: "NhwcConv", domain: "com.microsoft", in: []*ir.Tensor{random(1, 2, 6, 4), random(2, 8, 4, 3)}}.try()
	require.ErrorContains(t, err, "over other than 2 dimensions")
}
