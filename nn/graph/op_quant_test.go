package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// bytesOf draws elements of a type of 8 bits or fewer.
func bytesOf(r *rand.Rand, t ir.DType, dims ...int) *ir.Tensor {
	x := ir.NewTensor(t, dims...)
	for i := range x.Data {
		x.Data[i] = byte(r.IntN(256))
	}
	if bits := t.Bits(); bits < 8 { // what is beyond the last element counts nothing
		if over := len(x.Data)*8/bits - x.Len(); over > 0 {
			x.Data[len(x.Data)-1] &= 1<<(8-over*bits) - 1
		}
	}
	return x
}

func scalesOf(r *rand.Rand, dims ...int) *ir.Tensor {
	x := ir.NewTensor(ir.Float32, dims...)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(0.01 + 0.1*r.Float64())
	}
	return x
}

// element is an element of a tensor of integers, 0 for no tensor.
func element(x *ir.Tensor, i int) int64 {
	if x == nil {
		return 0
	}
	return x.Ints()[i]
}

// stepsOf puts a number on the grid of a type.
func stepsOf(t ir.DType, v float32, zero int64) int64 {
	lo, hi := int64(0), int64(1)<<t.Bits()-1
	switch t {
	case ir.Int2, ir.Int4, ir.Int8, ir.Int16:
		lo, hi = -(hi+1)/2, (hi-1)/2
	}
	return min(max(int64(math.RoundToEven(float64(v)))+zero, lo), hi)
}

// scaleAt is which scale the element at an index has.
func scaleAt(scale *ir.Tensor, index []int, axis, block int) int {
	switch {
	case scale.Len() == 1:
		return 0
	case block == 0:
		return index[axis]
	}
	at := append([]int(nil), index...)
	at[axis] /= block
	return offset(scale.Dims, at...)
}

func TestQuantizeAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, kind := range []ir.DType{ir.Int8, ir.Uint8, ir.Int4, ir.Uint4, ir.Int2, ir.Uint2, ir.Int16, ir.Uint16} {
		for i, c := range []struct {
			dims, scale []int
			axis, block int
		}{
			{[]int{3, 5}, nil, 1, 0}, {[]int{300}, []int{1}, 1, 0}, {[]int{3, 5}, []int{5}, 1, 0}, {[]int{3, 5}, []int{3}, -2, 0},
			{[]int{2, 3, 5}, []int{3}, 1, 0}, {[]int{2, 700}, []int{700}, 1, 0}, {[]int{5, 3}, []int{3, 3}, 0, 2}, {[]int{3, 7}, []int{3, 3}, 1, 3},
			{[]int{2, 5, 3}, []int{2, 2, 3}, 1, 3}, {[]int{0, 3}, nil, 1, 0},
		} {
			for _, zeros := range []bool{true, false} {
				scale := scalesOf(r, c.scale...)
				var zero *ir.Tensor
				if zeros {
					zero = bytesOf(r, kind, c.scale...)
				}
				name := fmt.Sprint(kind, " ", i, " ", zeros)
				axis := (c.axis + len(c.dims)) % max(len(c.dims), 1)
				a := attrs("axis", integer(int64(c.axis)), "block_size", integer(int64(c.block)), "output_dtype", integer(int64(kind)))
				x := random(uint64(i), c.dims...)
				q := node{op: "QuantizeLinear", version: 25, attrs: a, in: []*ir.Tensor{x, scale, zero}}.run(t)[0]
				require.Equal(t, kind, q.Type, name)
				delete(a, "output_dtype")
				back := node{op: "DequantizeLinear", version: 25, attrs: a, in: []*ir.Tensor{q, scale, zero}}.run(t)[0]
				each(c.dims, func(index []int, k int) {
					s := scaleAt(scale, index, axis, c.block)
					f := scale.Float32s()[s]
					require.Equal(t, stepsOf(kind, x.Float32s()[k]/f, element(zero, s)), element(q, k), "%s at %v", name, index)
					require.Equal(t, float32(element(q, k)-element(zero, s))*f, back.Float32s()[k], "%s at %v", name, index)
				})
			}
		}
	}
	// Halves, and integers of 32 bits.
	half := ir.NewTensor(ir.Float16, 1)
	slab.View[uint16](half.Data)[0] = 0x3800 // 0.5
	long := ir.NewTensor(ir.Int32, 3)
	copy(long.Int32s(), []int32{-3, 0, 100000})
	y := node{op: "DequantizeLinear", version: 19, in: []*ir.Tensor{long, half}}.run(t)[0]
	require.Equal(t, []uint16{0xbe00, 0, 0x7a1a}, slab.View[uint16](y.Data))
	y = node{op: "DequantizeLinear", version: 23, attrs: attrs("output_dtype", integer(int64(ir.Float32))), in: []*ir.Tensor{long, half}}.run(t)[0]
	require.Equal(t, []float32{-1.5, 0, 50000}, y.Float32s())
}

func TestDynamicQuantizeLinear(t *testing.T) {
	for _, x := range [][]float32{{0, 2, -3, -2.5, 1.34, 0.5}, {1, 2.1, 1.3, 2.5, 3.34, 4}, {-1, -2.1, -1.3}, {0, 0}, {}} {
		out := node{op: "DynamicQuantizeLinear", in: []*ir.Tensor{f32([]int{len(x)}, x...)}, outs: 3}.run(t)
		lo, hi := float32(0), float32(0)
		for _, v := range x {
			lo, hi = min(lo, v), max(hi, v)
		}
		scale := (hi - lo) / 255
		if lo == hi {
			scale = 1
		}
		zero := math.RoundToEven(float64(-lo / scale))
		require.Equal(t, scale, out[1].Float32s()[0])
		require.Equal(t, byte(zero), out[2].Data[0])
		for i, v := range x {
			require.Equal(t, byte(stepsOf(ir.Uint8, v/scale, int64(zero))), out[0].Data[i])
		}
	}
}

// shaped are the dimensions of a product's operands and of what it gives.
var shaped = []struct{ a, b, y []int }{
	{[]int{1, 1}, []int{1, 1}, []int{1, 1}}, {[]int{1, 7}, []int{7, 9}, []int{1, 9}}, {[]int{5, 3}, []int{3, 8}, []int{5, 8}},
	{[]int{33, 18}, []int{18, 21}, []int{33, 21}}, {[]int{3}, []int{3, 4}, []int{4}}, {[]int{4, 3}, []int{3}, []int{4}},
	{[]int{2, 3, 5}, []int{5, 6}, []int{2, 3, 6}}, {[]int{2, 3, 5}, []int{2, 5, 6}, []int{2, 3, 6}}, {[]int{2, 1, 3, 5}, []int{4, 5, 2}, []int{2, 4, 3, 2}},
	{[]int{3, 0}, []int{0, 4}, []int{3, 4}}, {[]int{0, 3}, []int{3, 4}, []int{0, 4}}, {[]int{70, 600}, []int{600, 10}, []int{70, 10}},
}

// dots calls f for every element of a product of integers less their zero points.
func dots(a, b, az, bz *ir.Tensor, y []int, f func(k, column int, sum int64)) {
	ad, bd := a.Dims, b.Dims
	row, col := len(ad) == 1, len(bd) == 1
	if row {
		ad = []int{1, ad[0]}
	}
	if col {
		bd = []int{bd[0], 1}
	}
	n, depth := bd[len(bd)-1], ad[len(ad)-1]
	av, bv := a.Ints(), b.Ints()
	full := append([]int(nil), y...)
	if row {
		full = append(full[:len(full)-1], 1, n)
	}
	if col {
		full = append(full, 1)
	}
	each(full, func(index []int, k int) {
		lead, i, j := index[:len(index)-2], index[len(index)-2], index[len(index)-1]
		za, zb := int64(0), int64(0)
		if az != nil {
			za = element(az, i%az.Len())
		}
		if bz != nil {
			zb = element(bz, j%bz.Len())
		}
		fromA := at(&ir.Tensor{Dims: ad[:len(ad)-2]}, lead) * ad[len(ad)-2] * depth
		fromB := at(&ir.Tensor{Dims: bd[:len(bd)-2]}, lead) * depth * n
		sum := int64(0)
		for t := range depth {
			sum += (av[fromA+i*depth+t] - za) * (bv[fromB+t*n+j] - zb)
		}
		f(k, j, sum)
	})
}

func TestIntegerProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for i, s := range shaped {
		for _, types := range [][2]ir.DType{{ir.Uint8, ir.Int8}, {ir.Uint8, ir.Uint8}, {ir.Int8, ir.Int8}, {ir.Int8, ir.Uint8}} {
			for _, perColumn := range []bool{false, true} {
				name := fmt.Sprint(i, types, perColumn)
				a, b := bytesOf(r, types[0], s.a...), bytesOf(r, types[1], s.b...)
				var own []int
				if n := s.b[len(s.b)-1]; perColumn && len(s.b) > 1 {
					own = []int{n}
				}
				az, bz, bs := bytesOf(r, types[0]), bytesOf(r, types[1], own...), scalesOf(r, own...)
				if perColumn && len(s.a) == 2 {
					az = bytesOf(r, types[0], s.a[0])
				}
				y := node{op: "MatMulInteger", in: []*ir.Tensor{a, b, az, bz}}.run(t)[0]
				require.Equal(t, s.y, append([]int{}, y.Dims...), name)
				dots(a, b, az, bz, s.y, func(k, _ int, sum int64) { require.EqualValues(t, sum, y.Int32s()[k], name) })
				plain := node{op: "MatMulInteger", in: []*ir.Tensor{a, b}}.run(t)[0]
				dots(a, b, nil, nil, s.y, func(k, _ int, sum int64) { require.EqualValues(t, sum, plain.Int32s()[k], name) })

				az = bytesOf(r, types[0])
				as, ys, yz := scalesOf(r), f32(nil, 2.5), bytesOf(r, types[0])
				y = node{op: "QLinearMatMul", in: []*ir.Tensor{a, as, az, b, bs, bz, ys, yz}}.run(t)[0]
				bias := random(uint64(i), max(bs.Len(), 1))
				floats := node{op: "MatMulIntegerToFloat", domain: "com.microsoft", in: []*ir.Tensor{a, b, as, bs, az, bz, bias}}.run(t)[0]
				dots(a, b, az, bz, s.y, func(k, j int, sum int64) {
					scale := as.Float32s()[0] * bs.Float32s()[j%bs.Len()]
					require.Equal(t, stepsOf(types[0], float32(float32(sum)*(scale/2.5)), element(yz, 0)), element(y, k), name)
					require.Equal(t, float32(float32(sum)*scale)+bias.Float32s()[j%bias.Len()], floats.Float32s()[k], name)
				})
			}
		}
	}
}

// A product of float32 by bytes is that of what DynamicQuantizeLinear makes of it.
func TestDynamicQuantizeMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for i, s := range shaped {
		x, b, bs, bz := random(uint64(i), s.a...), bytesOf(r, ir.Int8, s.b...), scalesOf(r), bytesOf(r, ir.Int8)
		y := node{op: "DynamicQuantizeMatMul", domain: "com.microsoft", in: []*ir.Tensor{x, b, bs, bz}}.run(t)[0]
		q := node{op: "DynamicQuantizeLinear", in: []*ir.Tensor{x}, outs: 3}.run(t)
		want := node{op: "MatMulIntegerToFloat", domain: "com.microsoft", in: []*ir.Tensor{q[0], b, q[1], bs, q[2], bz}}.run(t)[0]
		require.Equal(t, want, y)
	}
}

func TestByteConvolutions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for i, c := range []struct {
		x, w                     []int
		group, stride, pad, away int
	}{
		{[]int{1, 1, 7, 7}, []int{1, 1, 1, 1}, 1, 1, 0, 1}, {[]int{2, 3, 9, 8}, []int{9, 3, 3, 3}, 1, 1, 1, 1}, {[]int{1, 4, 9, 11}, []int{6, 2, 3, 3}, 2, 2, 1, 1},
		{[]int{1, 4, 9, 8}, []int{4, 1, 3, 3}, 4, 1, 1, 1}, {[]int{1, 4, 13, 8}, []int{8, 1, 5, 3}, 4, 3, 2, 2}, {[]int{2, 3, 20}, []int{5, 3, 4}, 1, 3, 1, 1},
		{[]int{1, 40, 6, 6}, []int{9, 40, 1, 1}, 1, 1, 0, 1},
		{[]int{2, 3, 4, 5, 6}, []int{5, 3, 2, 3, 3}, 1, 1, 1, 1}, {[]int{1, 4, 5, 7, 6}, []int{6, 2, 3, 2, 3}, 2, 2, 1, 1},
		{[]int{1, 3, 5, 6, 5}, []int{3, 1, 2, 3, 3}, 3, 1, 1, 2}, {[]int{1, 2, 4, 4, 5}, []int{9, 2, 1, 1, 1}, 1, 1, 0, 1},
	} {
		for _, types := range [][2]ir.DType{{ir.Uint8, ir.Int8}, {ir.Uint8, ir.Uint8}, {ir.Int8, ir.Int8}} {
			name := fmt.Sprint(i, types)
			spatial := len(c.x) - 2
			repeated := func(v, n int) *ir.Attr {
				list := make([]int64, n)
				for i := range list {
					list[i] = int64(v)
				}
				return integers(list...)
			}
			a := attrs("group", integer(int64(c.group)), "strides", repeated(c.stride, spatial), "pads", repeated(c.pad, 2*spatial), "dilations", repeated(c.away, spatial))
			x, w := bytesOf(r, types[0], c.x...), bytesOf(r, types[1], c.w...)
			xz, wz, ws := bytesOf(r, types[0]), bytesOf(r, types[1], c.w[0]), scalesOf(r, c.w[0])
			bias := ir.NewTensor(ir.Int32, c.w[0])
			for k := range bias.Int32s() {
				bias.Int32s()[k] = int32(r.IntN(4000) - 2000)
			}
			xs, ys, yz := scalesOf(r), f32(nil, 3.5), bytesOf(r, types[0])
			y := node{op: "ConvInteger", attrs: a, in: []*ir.Tensor{x, w, xz, wz}}.run(t)[0]
			q := node{op: "QLinearConv", attrs: a, in: []*ir.Tensor{x, xs, xz, w, ws, wz, ys, yz, bias}}.run(t)[0]
			// The float32 convolution of the same numbers is exact.
			wide := func(v *ir.Tensor, zero func(i int) int64) *ir.Tensor {
				f := ir.NewTensor(ir.Float32, v.Dims...)
				for i, n := range v.Ints() {
					f.Float32s()[i] = float32(n - zero(i))
				}
				return f
			}
			per := w.Len() / c.w[0]
			want := node{op: "Conv", attrs: a, in: []*ir.Tensor{wide(x, func(int) int64 { return element(xz, 0) }), wide(w, func(i int) int64 { return element(wz, i/per) })}}.run(t)[0]
			require.Equal(t, want.Dims, y.Dims, name)
			plane := ir.Elements(y.Dims[2:])
			for k, v := range want.Float32s() {
				o := k / plane % c.w[0]
				require.EqualValues(t, v, y.Int32s()[k], "%s, element %d", name, k)
				scale := xs.Float32s()[0] * ws.Float32s()[o] / 3.5
				require.Equal(t, stepsOf(types[0], float32(int32(v)+bias.Int32s()[o])*scale, element(yz, 0)), element(q, k), "%s, element %d", name, k)
			}
		}
	}
}

func TestQuantizedRefusals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x, q := random(1, 4, 6), bytesOf(r, ir.Uint8, 4, 6)
	ns := "com.microsoft"
	nan := f32(nil, float32(math.NaN()))
	for _, c := range []struct {
		n    node
		want string
	}{
		{node{op: "QuantizeLinear", in: []*ir.Tensor{x, f32([]int{2}, 1, 1)}}, `QuantizeLinear "n": y_scale has dimensions [2], want one number, or 6 as dimension 1 of [4 6]`},
		{node{op: "QuantizeLinear", in: []*ir.Tensor{x, f32([]int{2}, 1, 1), bytesOf(r, ir.Int8)}}, `y_zero_point has dimensions [], y_scale has [2]`},
		{node{op: "QuantizeLinear", constant: true, in: []*ir.Tensor{x, f32(nil, 0)}}, `y_scale 0 is 0, want a finite number that is not 0`},
		{node{op: "QuantizeLinear", constant: true, in: []*ir.Tensor{x, nan}}, `y_scale 0 is NaN, want a finite number that is not 0`},
		{node{op: "QuantizeLinear", version: 21, attrs: attrs("output_dtype", integer(3)), in: []*ir.Tensor{x, f32(nil, 1), bytesOf(r, ir.Uint8)}}, `y_zero_point is uint8, but output_dtype is int8`},
		{node{op: "QuantizeLinear", version: 21, attrs: attrs("output_dtype", integer(7)), in: []*ir.Tensor{x, f32(nil, 1)}}, `QuantizeLinear output_dtype=int64`},
		{node{op: "DequantizeLinear", in: []*ir.Tensor{q, f32(nil, 1), bytesOf(r, ir.Int8)}}, `input 2 is int8, want uint8 as input 0`},
		{node{op: "DequantizeLinear", version: 21, attrs: attrs("block_size", integer(4)), in: []*ir.Tensor{q, scalesOf(r, 4, 3)}}, `x_scale has dimensions [4 3], want [4 2] for blocks of 4 along axis 1 of [4 6]`},
		{node{op: "DequantizeLinear", version: 21, attrs: attrs("block_size", integer(-1)), in: []*ir.Tensor{q, scalesOf(r, 4, 3)}}, `block_size is -1`},
		{node{op: "DequantizeLinear", attrs: attrs("axis", integer(2)), in: []*ir.Tensor{q, scalesOf(r, 6)}}, `axis is 2, want one in [-2, 1]`},
		{node{op: "MatMulInteger", in: []*ir.Tensor{q, bytesOf(r, ir.Int8, 5, 2)}}, `6 columns do not meet 5 rows`},
		{node{op: "QGemm", domain: ns, attrs: attrs("transA", integer(1)), in: []*ir.Tensor{bytesOf(r, ir.Uint8, 2, 3, 6), f32(nil, 1), bytesOf(r, ir.Uint8), bytesOf(r, ir.Int8, 6, 2), f32(nil, 1), bytesOf(r, ir.Int8)}}, `A has dimensions [2 3 6] and B [6 2], want matrices`},
		{node{op: "MatMulInteger", in: []*ir.Tensor{q, bytesOf(r, ir.Int8, 6, 2), bytesOf(r, ir.Int8)}}, `input 2 is int8, want uint8 as input 0`},
		{node{op: "MatMulInteger", in: []*ir.Tensor{q, bytesOf(r, ir.Int8, 6, 2), bytesOf(r, ir.Uint8, 3)}}, `a_zero_point has dimensions [3], want one number`},
		{node{op: "MatMulInteger", in: []*ir.Tensor{q, bytesOf(r, ir.Int8, 6, 2), nil, bytesOf(r, ir.Int8, 3)}}, `b_zero_point has dimensions [3], want one number or 2`},
		{node{op: "QLinearMatMul", constant: true, in: []*ir.Tensor{q, f32(nil, 1), bytesOf(r, ir.Uint8), bytesOf(r, ir.Int8, 6, 2), f32(nil, 1), bytesOf(r, ir.Int8), f32(nil, 0), bytesOf(r, ir.Uint8)}}, `y_scale is 0, want a finite number`},
		{node{op: "ConvInteger", in: []*ir.Tensor{bytesOf(r, ir.Uint8, 1, 2, 4), bytesOf(r, ir.Uint8, 3, 3, 2)}}, `weights [3 3 2] with group 1 do not fit x [1 2 4]`},
		{node{op: "QLinearAdd", domain: ns, in: []*ir.Tensor{q, f32(nil, 1), nil, q, f32([]int{2}, 1, 1), nil, f32(nil, 1)}}, `input 4 has dimensions [2], want one number`},
		{node{op: "QLinearConcat", domain: ns, attrs: attrs("axis", integer(0)), in: []*ir.Tensor{f32(nil, 1), bytesOf(r, ir.Uint8), q, f32(nil, 1)}}, `there are 4 inputs, want 2 and 3 for each part`},
	} {
		_, err := c.n.try()
		require.ErrorContains(t, err, c.want)
	}
}

// Operators that go by way of floats: what the other operator makes of the numbers, on the grid.
func TestQuantizedByFloats(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	back := func(x, s, z *ir.Tensor) *ir.Tensor {
		return node{op: "DequantizeLinear", in: []*ir.Tensor{x, s, z}}.run(t)[0]
	}
	for _, kind := range []ir.DType{ir.Int8, ir.Uint8} {
		a, b := bytesOf(r, kind, 2, 3, 5, 4), bytesOf(r, kind, 3, 1, 4)
		as, bs, ys, az, bz, yz := scalesOf(r), scalesOf(r), scalesOf(r), bytesOf(r, kind), bytesOf(r, kind), bytesOf(r, kind)
		window := attrs("kernel_shape", integers(2, 3), "pads", integers(0, 1, 1, 1))
		for _, c := range []struct {
			op, inner string
			version   int
			attrs     map[string]*ir.Attr
			two       bool
		}{
			{op: "QLinearAdd", inner: "Add", two: true}, {op: "QLinearMul", inner: "Mul", two: true},
			{op: "QLinearLeakyRelu", inner: "LeakyRelu", attrs: attrs("alpha", float(0.3))}, {op: "QLinearSigmoid", inner: "Sigmoid"},
			{op: "QLinearSoftmax", inner: "Softmax", attrs: attrs("axis", integer(1)), version: 13}, {op: "QLinearAveragePool", inner: "AveragePool", attrs: window, version: 11},
			{op: "QLinearGlobalAveragePool", inner: "GlobalAveragePool"}, {op: "QLinearReduceMean", inner: "ReduceMean", attrs: attrs("axes", integers(1, -1)), version: 13},
		} {
			in, plain := []*ir.Tensor{a, as, az, ys, yz}, []*ir.Tensor{back(a, as, az)}
			if c.two {
				in, plain = []*ir.Tensor{a, as, az, b, bs, bz, ys, yz}, append(plain, back(b, bs, bz))
			}
			got := node{op: c.op, domain: "com.microsoft", attrs: c.attrs, in: in}.run(t)[0]
			want := node{op: c.inner, version: c.version, attrs: c.attrs, in: plain}.run(t)[0]
			require.Equal(t, node{op: "QuantizeLinear", in: []*ir.Tensor{want, ys, yz}}.run(t)[0], got, c.op)
		}
		got := node{op: "QLinearConcat", domain: "com.microsoft", attrs: attrs("axis", integer(-2)), in: []*ir.Tensor{ys, yz, b, bs, bz, b, as, az}}.run(t)[0]
		joined := node{op: "Concat", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{back(b, bs, bz), back(b, as, az)}}.run(t)[0]
		require.Equal(t, node{op: "QuantizeLinear", in: []*ir.Tensor{joined, ys, yz}}.run(t)[0], got)
		of := bools([]int{4}, 1, 0, 0, 1)
		got = node{op: "QLinearWhere", domain: "com.microsoft", in: []*ir.Tensor{of, a, as, az, b, bs, bz, ys, yz}}.run(t)[0]
		chosen := node{op: "Where", version: 16, in: []*ir.Tensor{of, back(a, as, az), back(b, bs, bz)}}.run(t)[0]
		require.Equal(t, node{op: "QuantizeLinear", in: []*ir.Tensor{chosen, ys, yz}}.run(t)[0], got)
	}
}

// A run of a quantized operator allocates nothing, weights that are computed included.
func TestQuantizedRunsDoNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	a, b, one, scale := bytesOf(r, ir.Uint8, 5, 6), bytesOf(r, ir.Int8, 6, 9), bytesOf(r, ir.Uint8), scalesOf(r)
	x, w := bytesOf(r, ir.Uint8, 1, 4, 5, 5), bytesOf(r, ir.Int8, 4, 2, 3, 3)
	for _, n := range []node{
		{op: "MatMulInteger", in: []*ir.Tensor{a, b, one}}, {op: "MatMulInteger", in: []*ir.Tensor{a, b, one}, constant: true},
		{op: "DynamicQuantizeMatMul", domain: "com.microsoft", in: []*ir.Tensor{random(1, 5, 6), b, scale}},
		{op: "ConvInteger", attrs: attrs("group", integer(2)), in: []*ir.Tensor{x, w, one}}, {op: "ConvInteger", attrs: attrs("group", integer(2)), in: []*ir.Tensor{x, w, one}, constant: true},
		{op: "QuantizeLinear", in: []*ir.Tensor{random(1, 5, 6), scale}}, {op: "DequantizeLinear", in: []*ir.Tensor{a, scale}},
		{op: "DynamicQuantizeLinear", in: []*ir.Tensor{random(1, 5, 6)}, outs: 3},
		{op: "QLinearSigmoid", domain: "com.microsoft", in: []*ir.Tensor{a, scale, nil, scale}},
	} {
		s, err := graph.NewSession(n.graph(), graph.Options{Optimize: "none"})
		require.NoError(t, err)
		var dims [][]int
		for _, in := range s.Inputs() {
			d := make([]int, len(in.Dims))
			for i, v := range in.Dims {
				d[i] = v.Size
			}
			dims = append(dims, d)
		}
		run, err := s.Prepare(dims)
		require.NoError(t, err)
		for i, in := range s.Inputs() {
			if in.Type == ir.Float32 { // scales are not 0
				copy(run.In(i).Float32s(), slices.Repeat([]float32{1}, run.In(i).Len()))
			}
		}
		require.NoError(t, run.Exec())
		require.Zero(t, testing.AllocsPerRun(5, func() { _ = run.Exec() }), n.op)
	}
}

// bitsAt is element i of packed elements.
func bitsAt(data []byte, i, bits int) float32 {
	return float32(data[i*bits/8] >> (i * bits % 8) & (1<<bits - 1))
}

func TestWeightsOfFewBits(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, bits := range []int{2, 4, 8} {
		for i, c := range []struct{ m, k, n, size int }{{1, 16, 1, 16}, {3, 40, 9, 16}, {1, 700, 21, 32}, {9, 1100, 8, 128}, {5, 33, 17, 32}} {
			for zeros := range 3 {
				name := fmt.Sprint(bits, " ", i, " ", zeros)
				blocks := (c.k + c.size - 1) / c.size
				x, b, s, bias := random(uint64(i), c.m, c.k), bytesOf(r, ir.Uint8, c.n, blocks, c.size*bits/8), scalesOf(r, c.n*blocks), random(9, c.n)
				each := (blocks*bits + 7) / 8
				var zero *ir.Tensor
				switch zeros {
				case 1:
					zero = bytesOf(r, ir.Uint8, c.n*each)
				case 2:
					zero = random(5, c.n, blocks)
				}
				a := attrs("K", integer(int64(c.k)), "N", integer(int64(c.n)), "bits", integer(int64(bits)), "block_size", integer(int64(c.size)))
				y := node{op: "MatMulNBits", domain: "com.microsoft", attrs: a, in: []*ir.Tensor{x, b, s, zero, nil, bias}}.run(t)[0]
				want := make([]float64, c.m*c.n)
				for k := range want {
					row, j := k/c.n, k%c.n
					sum, size := float64(bias.Float32s()[j]), 0.0
					for e := range c.k {
						block := e / c.size
						point := float32(int(1) << (bits - 1))
						switch zeros {
						case 1:
							point = bitsAt(zero.Data[j*each:], block, bits)
						case 2:
							point = zero.Float32s()[j*blocks+block]
						}
						w := (bitsAt(b.Data[(j*blocks+block)*c.size*bits/8:], e%c.size, bits) - point) * s.Float32s()[j*blocks+block]
						term := float64(w) * float64(x.Float32s()[row*c.k+e])
						sum, size = sum+term, size+math.Abs(term)
					}
					want[k] = sum
					require.InDelta(t, sum, float64(y.Float32s()[k]), 1e-6*(1+size), "%s, element %d", name, k)
				}
			}
		}
	}
	for _, kind := range []ir.DType{ir.Int4, ir.Uint4, ir.Uint8} {
		for _, bits := range []int{2, 4, 8} {
			if kind != ir.Uint8 && bits != 4 {
				continue
			}
			for _, zeros := range []bool{false, true} {
				per := 8 / bits
				if kind != ir.Uint8 {
					per = 1
				}
				dims, columns := []int{5, 3, 48 / per}, 48
				data, s := bytesOf(r, kind, dims...), scalesOf(r, 5, 3, 3)
				var zero *ir.Tensor
				each := (3 + per - 1) / per
				if zeros {
					zero = bytesOf(r, kind, 5, 3, each)
				}
				a := attrs("bits", integer(int64(bits)), "block_size", integer(16), "quantize_axis", integer(2))
				y := node{op: "GatherBlockQuantized", domain: "com.microsoft", attrs: a, in: []*ir.Tensor{data, list(2, -1, 2, 0), s, zero}}.run(t)[0]
				require.Equal(t, []int{4, 3, columns}, append([]int{}, y.Dims...))
				value := func(x *ir.Tensor, row, i, width int) float32 { // element i of a row of so many
					if kind == ir.Uint8 {
						return bitsAt(x.Data[row*width:], i, bits)
					}
					return float32(element(x, row*width+i))
				}
				for k, got := range y.Float32s() {
					i, rest := k/(3*columns), k%(3*columns)
					row, column := []int{2, 4, 2, 0}[i]*3+rest/columns, rest%columns
					point := float32(0)
					if kind == ir.Uint8 {
						point = float32(int(1) << (bits - 1))
					}
					if zeros {
						point = value(zero, row, column/16, each)
					}
					require.Equal(t, (value(data, row, column, dims[2])-point)*s.Float32s()[row*3+column/16], got, "%v %d bits, element %d", kind, bits, k)
				}
			}
		}
	}
	ns := "com.microsoft"
	x, b := random(1, 2, 40), bytesOf(r, ir.Uint8, 3, 3, 8)
	sizes := attrs("K", integer(40), "N", integer(3), "block_size", integer(16))
	for _, c := range []struct {
		n    node
		want string
	}{
		{node{op: "MatMulNBits", domain: ns, attrs: sizes, in: []*ir.Tensor{x, b, scalesOf(r, 8)}}, `scales has dimensions [8], want 9 elements for 3 columns of 40 in blocks of 16, 4 bits each`},
		{node{op: "MatMulNBits", domain: ns, attrs: sizes, in: []*ir.Tensor{random(1, 2, 41), b, scalesOf(r, 9)}}, `A has dimensions [2 41], want rows of 40 elements`},
		{node{op: "MatMulNBits", domain: ns, attrs: sizes, in: []*ir.Tensor{x, b, scalesOf(r, 9), bytesOf(r, ir.Uint8, 5)}}, `zero_points has dimensions [5], want 6 elements for 3 columns of 3 blocks`},
		{node{op: "MatMulNBits", domain: ns, attrs: attrs("K", integer(40), "N", integer(3), "block_size", integer(24)), in: []*ir.Tensor{x, b, scalesOf(r, 9)}}, `block_size is 24, want a power of 2 from 16 on`},
		{node{op: "MatMulNBits", domain: ns, attrs: sizes, in: []*ir.Tensor{x, b, scalesOf(r, 9), nil, ir.NewTensor(ir.Int32, 40)}}, `MatMulNBits with g_idx`},
		{node{op: "GatherBlockQuantized", domain: ns, attrs: attrs("block_size", integer(16)), in: []*ir.Tensor{bytesOf(r, ir.Uint4, 2, 40), list(1), scalesOf(r, 2, 2)}}, `scales has dimensions [2 2], want [2 3] for blocks of 16 along axis 1 of [2 40]`},
		{node{op: "GatherBlockQuantized", domain: ns, attrs: attrs("block_size", integer(16)), in: []*ir.Tensor{bytesOf(r, ir.Uint4, 2, 40), list(2), scalesOf(r, 2, 3)}}, `an index is 2, want one in [-2, 1]`},
	} {
		_, err := c.n.try()
		require.ErrorContains(t, err, c.want)
	}
}
