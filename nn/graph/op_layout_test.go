package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// numbered is 0, 1, 2 … of a type.
func numbered(kind ir.DType, dims ...int) *ir.Tensor {
	x := ir.NewTensor(kind, dims...)
	size := kind.Size()
	for i := range x.Len() {
		switch kind {
		case ir.Float32:
			x.Float32s()[i] = float32(i)
		default:
			x.Data[i*size] = byte(i)
			if size > 1 {
				x.Data[i*size+1] = byte(i >> 8)
			}
		}
	}
	return x
}

// values reads a tensor's elements as integers.
func values(x *ir.Tensor) []int64 {
	if x.Type != ir.Float32 {
		return x.Ints()
	}
	out := make([]int64, x.Len())
	for i, v := range x.Float32s() {
		out[i] = int64(v)
	}
	return out
}

var sizes = []ir.DType{ir.Uint8, ir.Int16, ir.Float32, ir.Int32, ir.Int64}

// picks says, for the elements of the output in order, which element of input 0
// each is.
func picks(t *testing.T, n node, dims []int, want func(index []int) int) {
	t.Helper()
	in := n.in[0].Dims
	for _, kind := range sizes {
		x := numbered(kind, in...)
		n.in = append([]*ir.Tensor{x}, n.in[1:]...)
		y := n.run(t)[0]
		require.Equal(t, dims, append([]int{}, y.Dims...), "%s of %s %v", n.op, kind, in)
		from, got := values(x), values(y)
		each(dims, func(index []int, k int) {
			require.Equal(t, from[want(index)], got[k], "%s of %s %v, element %v", n.op, kind, in, index)
		})
	}
}

// offset is the row-major place of index in dims.
func offset(dims []int, index ...int) int {
	k := 0
	for i, n := range dims {
		k = k*n + index[i]
	}
	return k
}

func TestTranspose(t *testing.T) {
	cases := []struct {
		dims []int
		perm []int64
	}{
		{[]int{3, 4}, []int64{1, 0}}, {[]int{37, 50}, []int64{1, 0}}, {[]int{2, 3, 4}, []int64{0, 2, 1}},
		{[]int{2, 3, 4}, []int64{2, 0, 1}}, {[]int{2, 3, 4, 5}, []int64{0, 2, 1, 3}}, {[]int{2, 3, 4, 5}, []int64{0, 2, 3, 1}},
		{[]int{2, 3, 4, 5}, []int64{3, 2, 1, 0}}, {[]int{1, 6, 1, 5}, []int64{2, 1, 0, 3}}, {[]int{2, 1, 3}, []int64{1, 0, 2}},
		{[]int{2, 3, 2, 2, 3}, []int64{2, 0, 3, 1, 4}}, {[]int{0, 3}, []int64{1, 0}}, {[]int{}, []int64{}},
	}
	for _, c := range cases {
		want := make([]int, len(c.dims))
		for i, p := range c.perm {
			want[i] = c.dims[p]
		}
		picks(t, node{op: "Transpose", attrs: attrs("perm", integers(c.perm...)), in: []*ir.Tensor{numbered(ir.Float32, c.dims...)}}, want,
			func(index []int) int {
				from := make([]int, len(index))
				for i, p := range c.perm {
					from[p] = index[i]
				}
				return offset(c.dims, from...)
			})
	}
	picks(t, node{op: "Transpose", in: []*ir.Tensor{numbered(ir.Float32, 2, 3)}}, []int{3, 2},
		func(i []int) int { return i[1]*3 + i[0] })
	for _, perm := range [][]int64{{0}, {0, 0}, {0, 2}} {
		_, err := node{op: "Transpose", attrs: attrs("perm", integers(perm...)), in: []*ir.Tensor{f32([]int{2, 3})}}.try()
		require.ErrorContains(t, err, `graph: Transpose "n":`)
	}
}

// along applies a slice to one axis, one index after the other.
func along(start, end, step int64, n int) []int {
	clamp := func(v, lo, hi int64) int64 { return min(max(v, lo), hi) }
	if start < 0 {
		start += int64(n)
	}
	if end < 0 {
		end += int64(n)
	}
	out := []int{}
	if step > 0 {
		start, end = clamp(start, 0, int64(n)), clamp(end, 0, int64(n))
		for i := start; i < end && i >= 0; i += step {
			out = append(out, int(i))
		}
	} else {
		start, end = clamp(start, -1, int64(n)-1), clamp(end, -1, int64(n)-1)
		for i := start; i > end; i += step {
			out = append(out, int(i))
		}
	}
	return out
}

func TestSlice(t *testing.T) {
	const far = math.MaxInt64
	for _, r := range [][3]int64{{0, 3, 1}, {1, 5, 1}, {-3, -1, 1}, {0, far, 1}, {0, far, 2}, {1, 6, 3}, {5, 1, -1}, {-1, -far, -1}, {-1, -far - 1, -2},
		{4, 4, 1}, {5, 2, 1}, {-100, 100, 1}, {100, -100, -3}, {0, 7, 1000}, {6, -far, -1000}, {2, 100, far}} {
		rows := along(r[0], r[1], r[2], 7)
		picks(t, node{op: "Slice", in: []*ir.Tensor{numbered(ir.Float32, 7, 3), list(r[0]), list(r[1]), list(0), list(r[2])}},
			[]int{len(rows), 3}, func(i []int) int { return rows[i[0]]*3 + i[1] })
		cols := along(r[0], r[1], r[2], 5)
		picks(t, node{op: "Slice", in: []*ir.Tensor{numbered(ir.Float32, 2, 5), list(0, r[0]), list(2, r[1]), list(-2, -1), list(1, r[2])}},
			[]int{2, len(cols)}, func(i []int) int { return i[0]*5 + cols[i[1]] })
	}
	picks(t, node{op: "Slice", version: 9, attrs: attrs("starts", integers(1), "ends", integers(-1), "axes", integers(1)),
		in: []*ir.Tensor{numbered(ir.Float32, 2, 5)}}, []int{2, 3}, func(i []int) int { return i[0]*5 + i[1] + 1 })
	x := numbered(ir.Float32, 2, 5)
	for text, in := range map[string][]*ir.Tensor{
		"step of axis 0 is 0":    {x, list(0), list(1), list(0), list(0)},
		"axis is 2":              {x, list(0), list(1), list(2)},
		"is given twice":         {x, list(0, 0), list(1, 1), list(0, -2)},
		"1 starts, 2 ends":       {x, list(0), list(1, 1)},
		"no input 2; it needs 3": {x, list(0)},
		"Slice type float32":     {x, f32([]int{1}), list(1)},
	} {
		_, err := node{op: "Slice", in: in}.try()
		require.ErrorContains(t, err, text)
	}
}

func TestViews(t *testing.T) {
	same := func(dims ...int) func([]int) int { return func(i []int) int { return offset(dims, i...) } }
	x := numbered(ir.Float32, 2, 3, 4)
	reshape := func(want []int, zero int64, shape ...int64) {
		t.Helper()
		picks(t, node{op: "Reshape", version: 14, attrs: attrs("allowzero", integer(zero)), in: []*ir.Tensor{x, list(shape...)}}, want, same(want...))
	}
	reshape([]int{24}, 0, -1)
	reshape([]int{6, 4}, 0, -1, 4)
	reshape([]int{2, 12}, 0, 0, -1)
	reshape([]int{2, 3, 2, 2}, 0, 0, 0, 2, -1)
	x = numbered(ir.Float32, 0, 3)
	reshape([]int{0, 3}, 0, 0, -1)
	reshape([]int{3, 0}, 1, 3, 0)
	x = numbered(ir.Float32, 2, 3, 4)
	for _, bad := range [][]int64{{5, -1}, {-1, -1}, {7}, {0, 0, 0, 0}, {-2, 12}, {1 << 40, 1 << 40}, {1 << 62, 4, -1}} {
		_, err := node{op: "Reshape", in: []*ir.Tensor{x, list(bad...)}}.try()
		require.ErrorContains(t, err, `graph: Reshape "n":`, "%v", bad)
	}
	for axis, want := range map[int64][]int{0: {1, 24}, 1: {2, 12}, 2: {6, 4}, 3: {24, 1}, -1: {6, 4}, -3: {1, 24}} {
		picks(t, node{op: "Flatten", attrs: attrs("axis", integer(axis)), in: []*ir.Tensor{x}}, want, same(want...))
	}
	_, err := node{op: "Flatten", attrs: attrs("axis", integer(4)), in: []*ir.Tensor{x}}.try()
	require.ErrorContains(t, err, "axis is 4, but the input has dimensions [2 3 4]")
	one := numbered(ir.Float32, 1, 3, 1)
	picks(t, node{op: "Squeeze", in: []*ir.Tensor{one}}, []int{3}, same(3))
	picks(t, node{op: "Squeeze", in: []*ir.Tensor{one, list(-1)}}, []int{1, 3}, same(1, 3))
	picks(t, node{op: "Squeeze", version: 11, attrs: attrs("axes", integers(0)), in: []*ir.Tensor{one}}, []int{3, 1}, same(3, 1))
	picks(t, node{op: "Unsqueeze", in: []*ir.Tensor{x, list(0, -1)}}, []int{1, 2, 3, 4, 1}, same(1, 2, 3, 4, 1))
	picks(t, node{op: "Unsqueeze", version: 11, attrs: attrs("axes", integers(1, 3)), in: []*ir.Tensor{x}}, []int{2, 1, 3, 1, 4}, same(2, 1, 3, 1, 4))
	_, err = node{op: "Squeeze", in: []*ir.Tensor{one, list(1)}}.try()
	require.ErrorContains(t, err, "axis 1 of [1 3 1] is not 1")
	_, err = node{op: "Unsqueeze", in: []*ir.Tensor{one, list(0, 0)}}.try()
	require.ErrorContains(t, err, "is given twice")
	_, err = node{op: "Squeeze", version: 13, attrs: attrs("axes", integers(0)), in: []*ir.Tensor{one}}.try()
	require.ErrorContains(t, err, "attribute axes became an input in opset 13")
}

func TestShapeAndSize(t *testing.T) {
	x := numbered(ir.Uint8, 2, 3, 4)
	shape := func(kv ...any) []int64 {
		return node{op: "Shape", version: 15, attrs: attrs(kv...), in: []*ir.Tensor{x}}.run(t)[0].Int64s()
	}
	require.Equal(t, []int64{2, 3, 4}, shape())
	require.Equal(t, []int64{3}, shape("start", integer(1), "end", integer(-1)))
	require.Equal(t, []int64{2, 3, 4}, shape("start", integer(-9), "end", integer(9)))
	require.Empty(t, shape("start", integer(2), "end", integer(1)))
	require.Equal(t, []int64{24}, node{op: "Size", in: []*ir.Tensor{x}}.run(t)[0].Int64s())
}

func TestExpandAndTile(t *testing.T) {
	picks(t, node{op: "Expand", in: []*ir.Tensor{numbered(ir.Float32, 3, 1), list(2, 1, 4)}}, []int{2, 3, 4}, func(i []int) int { return i[1] })
	picks(t, node{op: "Expand", in: []*ir.Tensor{numbered(ir.Float32, 2, 3), list(1)}}, []int{2, 3}, func(i []int) int { return i[0]*3 + i[1] })
	picks(t, node{op: "Expand", in: []*ir.Tensor{numbered(ir.Float32, 1, 3), list(0, 1)}}, []int{0, 3}, nil)
	picks(t, node{op: "Tile", in: []*ir.Tensor{numbered(ir.Float32, 2, 3), list(2, 3)}}, []int{4, 9}, func(i []int) int { return i[0]%2*3 + i[1]%3 })
	picks(t, node{op: "Tile", in: []*ir.Tensor{numbered(ir.Float32, 2, 3), list(1, 0)}}, []int{2, 0}, nil)
	for op, in := range map[string]*ir.Tensor{"Expand": list(3, 4), "Tile": list(2)} {
		_, err := node{op: op, in: []*ir.Tensor{numbered(ir.Float32, 2, 3), in}}.try()
		require.ErrorContains(t, err, op)
	}
	for _, op := range []string{"Expand", "Tile"} {
		_, err := node{op: op, in: []*ir.Tensor{numbered(ir.Float32, 1, 1), list(1<<31-1, 1<<31-1)}}.try()
		require.Error(t, err)
		_, err = node{op: op, in: []*ir.Tensor{numbered(ir.Float32, 1, 1), list(-1, 2)}}.try()
		require.Error(t, err)
	}
}

func TestConcatAndSplit(t *testing.T) {
	for _, kind := range sizes {
		a, b, c := numbered(kind, 2, 1, 3), numbered(kind, 2, 2, 3), numbered(kind, 2, 0, 3)
		y := node{op: "Concat", attrs: attrs("axis", integer(-2)), in: []*ir.Tensor{a, b, c}}.run(t)[0]
		require.Equal(t, []int{2, 3, 3}, y.Dims)
		require.Equal(t, []int64{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 10, 11}, values(y))
		parts := node{op: "Split", attrs: attrs("axis", integer(1)), outs: 3, in: []*ir.Tensor{y, list(1, 2, 0)}}.run(t)
		for i, x := range []*ir.Tensor{a, b, c} {
			require.Equal(t, x.Dims, parts[i].Dims)
			require.Equal(t, values(x), values(parts[i]))
		}
	}
	x := numbered(ir.Float32, 7)
	sizesOf := func(n node) (out []int) {
		n.op, n.in = "Split", append([]*ir.Tensor{x}, n.in...)
		for _, y := range n.run(t) {
			out = append(out, y.Len())
		}
		return out
	}
	require.Equal(t, []int{3, 3, 1}, sizesOf(node{version: 18, outs: 3, attrs: attrs("num_outputs", integer(3))}))
	require.Equal(t, []int{3, 4}, sizesOf(node{version: 11, outs: 2, attrs: attrs("split", integers(3, 4))}))
	require.Equal(t, []int{7}, sizesOf(node{outs: 1}))
	for text, n := range map[string]node{
		"does not split into 2 equal parts":         {op: "Split", outs: 2, in: []*ir.Tensor{x}},
		"split [3 5] does not fit dimension 0":      {op: "Split", outs: 2, in: []*ir.Tensor{x, list(3, 5)}},
		"split has 1 sizes for 2 outputs":           {op: "Split", outs: 2, in: []*ir.Tensor{x, list(7)}},
		"num_outputs is 3":                          {op: "Split", version: 18, outs: 2, attrs: attrs("num_outputs", integer(3)), in: []*ir.Tensor{x}},
		"they may differ in dimension 0 only":       {op: "Concat", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{f32([]int{2, 3}), f32([]int{2, 4})}},
		"input 1 is int64, want float32 as input 0": {op: "Concat", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{f32([]int{2}), list(1)}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestPad(t *testing.T) {
	at := map[string]func(i, n int) int{
		"edge": func(i, n int) int { return min(max(i, 0), n-1) },
		"reflect": func(i, n int) int {
			for i < 0 || i >= n {
				if i < 0 {
					i = -i
				}
				if i >= n {
					i = 2*(n-1) - i
				}
			}
			return i
		},
		"wrap": func(i, n int) int {
			for i < 0 {
				i += n
			}
			return i % n
		},
	}
	pads := [][]int64{{0, 0, 0, 0}, {1, 2, 1, 2}, {0, 3, 1, 0}, {-1, 1, 0, -2}, {4, 0, 5, 9}}
	for mode, f := range at {
		for _, p := range pads {
			want := []int{3 + int(p[0]+p[2]), 4 + int(p[1]+p[3])}
			picks(t, node{op: "Pad", version: 19, attrs: attrs("mode", text(mode)), in: []*ir.Tensor{numbered(ir.Float32, 3, 4), list(p...)}}, want,
				func(i []int) int { return f(i[0]-int(p[0]), 3)*4 + f(i[1]-int(p[1]), 4) })
		}
	}
	for _, p := range pads {
		x := random(1, 3, 4)
		for _, v := range []float32{0, 7} {
			in := []*ir.Tensor{x, list(p...), f32(nil, v)}
			if v == 0 {
				in = in[:2]
			}
			y := node{op: "Pad", in: in}.run(t)[0]
			old := node{op: "Pad", version: 10, attrs: attrs("pads", integers(p...), "value", float(v)), in: in[:1]}.run(t)[0]
			require.Equal(t, y.Data, old.Data)
			each(y.Dims, func(i []int, k int) {
				r, c := i[0]-int(p[0]), i[1]-int(p[1])
				want := v
				if r >= 0 && r < 3 && c >= 0 && c < 4 {
					want = x.Float32s()[r*4+c]
				}
				require.Equal(t, want, y.Float32s()[k], "pads %v, element %v", p, i)
			})
		}
	}
	y := node{op: "Pad", version: 18, in: []*ir.Tensor{list(5), list(1, 2), i64(nil, -1), list(0)}}.run(t)[0]
	require.Equal(t, []int64{-1, 5, -1, -1}, y.Int64s())
	for text, n := range map[string]node{
		"would have dimensions":                     {op: "Pad", in: []*ir.Tensor{list(5), list(-1, -1)}},
		"there are 1 pads":                          {op: "Pad", in: []*ir.Tensor{list(5), list(1)}},
		"there is nothing to repeat":                {op: "Pad", attrs: attrs("mode", text("edge")), in: []*ir.Tensor{list(), list(1, 1)}},
		"mode=mirror":                               {op: "Pad", attrs: attrs("mode", text("mirror")), in: []*ir.Tensor{list(5), list(1, 1)}},
		"input 2 is float32, want int64 as input 0": {op: "Pad", in: []*ir.Tensor{list(5), list(1, 1), f32(nil, 1)}},
		"more than 2147483647 elements":             {op: "Pad", in: []*ir.Tensor{list(5), list(1<<31-1, 1<<31-1)}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestDepthAndSpace(t *testing.T) {
	dims := []int{2, 12, 2, 3}
	for _, mode := range []string{"DCR", "CRD"} {
		picks(t, node{op: "DepthToSpace", attrs: attrs("blocksize", integer(2), "mode", text(mode)), in: []*ir.Tensor{numbered(ir.Float32, dims...)}},
			[]int{2, 3, 4, 6}, func(i []int) int {
				block := i[2]%2*2 + i[3]%2
				channel := block*3 + i[1]
				if mode == "CRD" {
					channel = i[1]*4 + block
				}
				return offset(dims, i[0], channel, i[2]/2, i[3]/2)
			})
	}
	from := []int{2, 3, 4, 6}
	picks(t, node{op: "SpaceToDepth", attrs: attrs("blocksize", integer(2)), in: []*ir.Tensor{numbered(ir.Float32, from...)}},
		dims, func(i []int) int {
			block := i[1] / 3
			return offset(from, i[0], i[1]%3, i[2]*2+block/2, i[3]*2+block%2)
		})
	_, err := node{op: "SpaceToDepth", attrs: attrs("blocksize", integer(5)), in: []*ir.Tensor{numbered(ir.Float32, from...)}}.try()
	require.ErrorContains(t, err, "do not divide by blocksize 5")
}
