package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/opt"
)

// blocking makes sessions with convolutions in the blocked layout, or without it, until f returns.
func blocking(level int, f func()) {
	was := opt.Blocks
	opt.Blocks = level
	defer func() { opt.Blocks = was }()
	f()
}

// region builds a network around convolutions. Its graph can be built again, the same.
type region struct {
	*sketch
	r    *rand.Rand
	x    *ir.Value
	rank int
	list []*ir.Value // values that further nodes may take
	of   map[*ir.Value]int
}

// newRegion has an input of so many channels, with images and planes of any size where open is set.
func newRegion(seed uint64, channels, rank int, open bool) *region {
	g := &region{sketch: newSketch(), r: rand.New(rand.NewPCG(seed, 9)), rank: rank, of: map[*ir.Value]int{}}
	g.g.Opsets[""] = 17
	dims := []int{2, channels, 9, 11}[:rank]
	if open {
		for i := range dims {
			if i != 1 {
				dims[i] = -1
			}
		}
	}
	g.x = g.input(dims...)
	g.of[g.x] = channels
	return g
}

// floats is a constant around 0, small enough for long chains.
func (g *region) floats(size float64, dims ...int) *ir.Value {
	data := make([]float32, ir.Elements(dims))
	for i := range data {
		data[i] = float32(g.r.NormFloat64() * size)
	}
	return constant("w", dims, data)
}

// then adds a node of so many channels.
func (g *region) then(op string, channels int, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	v := g.node(op, attrs, in...)
	g.of[v] = channels
	g.list = append(g.list, v)
	return v
}

func repeat(v int64, n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// conv adds a convolution of x.
func (g *region) conv(x *ir.Value, out, groups, kernel, stride, dilation int, pads ...int64) *ir.Value {
	in, k := g.of[x], g.rank-2
	dims := []int{out, in / groups}
	for range k {
		dims = append(dims, kernel)
	}
	if len(pads) == 0 {
		pads = repeat(int64(kernel/2*dilation), 2*k)
	}
	attrs := map[string]*ir.Attr{"group": intAttr(int64(groups)), "strides": intsAttr(repeat(int64(stride), k)...), "dilations": intsAttr(repeat(int64(dilation), k)...), "pads": intsAttr(pads[:2*k]...)}
	taps := float64(ir.Elements(dims[1:]))
	operands := []*ir.Value{x, g.floats(1/math.Sqrt(taps), dims...)}
	if g.r.IntN(3) > 0 {
		operands = append(operands, g.floats(1, out))
	}
	return g.then("Conv", out, attrs, operands...)
}

// transposed adds a transposed convolution of x.
func (g *region) transposed(x *ir.Value, out, kernel, stride int) *ir.Value {
	in, k := g.of[x], g.rank-2
	dims := []int{in, out}
	for range k {
		dims = append(dims, kernel)
	}
	attrs := map[string]*ir.Attr{"strides": intsAttr(repeat(int64(stride), k)...)}
	switch g.r.IntN(3) {
	case 0:
		attrs["pads"] = intsAttr(repeat(int64(g.r.IntN(2)), 2*k)...)
	case 1:
		attrs["auto_pad"] = &ir.Attr{Kind: ir.AttrString, S: "SAME_UPPER"}
	case 2:
		attrs["output_padding"] = intsAttr(repeat(int64(g.r.IntN(stride)), k)...)
	}
	operands := []*ir.Value{x, g.floats(1/math.Sqrt(float64(in*kernel)), dims...)}
	if g.r.IntN(3) > 0 {
		operands = append(operands, g.floats(1, out))
	}
	return g.then("ConvTranspose", out, attrs, operands...)
}

// perChannel are the dimensions of a constant with one number a channel.
func (g *region) perChannel(channels int) []int {
	dims := []int{channels}
	for range g.rank - 2 {
		dims = append(dims, 1)
	}
	return dims
}

// some is one of the values.
func (g *region) some() *ir.Value { return g.list[g.r.IntN(len(g.list))] }

// again is the same value, or another one of as many channels, whose planes may be others.
func (g *region) again(x *ir.Value) *ir.Value {
	for range 4 {
		if v := g.some(); g.of[v] == g.of[x] {
			return v
		}
	}
	return x
}

var laneFunctions = []string{"Relu", "LeakyRelu", "Tanh", "HardSwish", "Elu", "Selu", "Abs", "Neg", "Sigmoid", "HardSigmoid", "Softplus", "Erf", "Softsign"}

// grow adds one node of a kind, and says which.
func (g *region) grow(kind int) (op string) {
	x := g.some()
	c := g.of[x]
	k := g.rank - 2
	pick := func(list ...int) int { return list[g.r.IntN(len(list))] }
	switch kind {
	case 0:
		g.conv(x, pick(3, 8, 16, 20, 24), 1, pick(1, 3), pick(1, 1, 2), pick(1, 1, 2))
	case 1:
		g.conv(x, c, c, pick(3, 5), pick(1, 2), 1)
	case 2:
		if c%16 == 0 {
			g.conv(x, pick(16, 32), 2, 3, 1, 1)
		}
	case 3:
		g.then(laneFunctions[g.r.IntN(len(laneFunctions))], c, nil, x)
	case 4:
		lo, hi := float32(-g.r.Float64()), float32(g.r.Float64())
		g.then("Clip", c, nil, x, number(lo), number(hi))
	case 5: // a sum with itself, or with another
		g.then([]string{"Add", "Mul", "Sub", "Max", "Min"}[g.r.IntN(5)], c, nil, x, g.again(x))
	case 6: // a residual sum
		y := g.conv(g.conv(x, pick(8, 12), 1, 3, 1, 1), c, 1, 3, 1, 1)
		if g.r.IntN(2) == 0 {
			x, y = y, x
		}
		y = g.then("Add", c, nil, x, y)
		if g.r.IntN(2) == 0 {
			g.then("Relu", c, nil, y)
		}
	case 7: // a constant for each channel, or one number
		by := g.floats(1, g.perChannel(c)...)
		if g.r.IntN(3) == 0 {
			by = number(g.r.Float32() + 0.5)
		}
		op := []string{"Add", "Mul", "Sub", "Div", "Max"}[g.r.IntN(5)]
		if op == "Div" {
			for i, v := range by.Const.Float32s() {
				by.Const.Float32s()[i] = float32(math.Abs(float64(v))) + 0.5
			}
		}
		if op == "Sub" && g.r.IntN(2) == 0 {
			g.then(op, c, nil, by, x)
		} else {
			g.then(op, c, nil, x, by)
		}
	case 8: // squeeze and excitation
		s := g.then("GlobalAveragePool", c, nil, x)
		if g.r.IntN(2) == 0 {
			axes := make([]int64, k)
			for i := range axes {
				axes[i] = int64(2 + i)
			}
			s = g.then("ReduceMean", c, map[string]*ir.Attr{"axes": intsAttr(axes...)}, x)
		}
		s = g.then("Sigmoid", c, nil, g.conv(g.then("Relu", 4, nil, g.conv(s, 4, 1, 1, 1, 1)), c, 1, 1, 1, 1))
		g.then("Mul", c, nil, x, s)
	case 9:
		size := int64(pick(2, 3))
		pool := map[string]*ir.Attr{"kernel_shape": intsAttr(repeat(size, k)...), "strides": intsAttr(repeat(int64(pick(1, 2, 3)), k)...), "pads": intsAttr(repeat(int64(pick(0, 1)), 2*k)...), "ceil_mode": intAttr(int64(pick(0, 1)))}
		if g.r.IntN(2) == 0 {
			g.then("MaxPool", c, pool, x)
		} else {
			pool["count_include_pad"] = intAttr(int64(pick(0, 1)))
			g.then("AveragePool", c, pool, x)
		}
	case 10:
		g.then("GlobalMaxPool", c, nil, x)
	case 11:
		y := g.again(x)
		if g.r.IntN(2) == 0 {
			y = x
		}
		g.then("Concat", c+g.of[y], map[string]*ir.Attr{"axis": intAttr(int64([]int{1, 1 - g.rank}[g.r.IntN(2)]))}, x, y)
	case 12:
		if c%2 == 0 {
			split := ir.NewTensor(ir.Int64, 2)
			first := 8 * g.r.IntN(c/8+1)
			if first == 0 || first == c {
				first = c / 2
			}
			copy(split.Int64s(), []int64{int64(first), int64(c - first)})
			y := &ir.Value{Name: "part", Type: ir.Float32}
			g.then("Split", first, map[string]*ir.Attr{"axis": intAttr(1)}, x, &ir.Value{Name: "split", Type: ir.Int64, Const: split})
			n := g.g.Nodes[len(g.g.Nodes)-1]
			n.Outputs = append(n.Outputs, y)
			g.of[y] = c - first
			g.list = append(g.list, y)
		}
	case 13:
		scales := []float32{1, 1, 2, 1.5}[:g.rank]
		mode := []string{"nearest", "linear"}[g.r.IntN(2)]
		coordinates := []string{"half_pixel", "asymmetric", "align_corners"}[g.r.IntN(3)]
		g.then("Resize", c, map[string]*ir.Attr{"mode": {Kind: ir.AttrString, S: mode}, "coordinate_transformation_mode": {Kind: ir.AttrString, S: coordinates}}, x, nil, constant("scales", []int{g.rank}, scales))
	case 14:
		pads := ir.NewTensor(ir.Int64, 2*g.rank)
		for i := 2; i < g.rank; i++ {
			pads.Int64s()[i], pads.Int64s()[i+g.rank] = int64(g.r.IntN(3)), int64(g.r.IntN(3)-1)
		}
		mode := []string{"constant", "edge"}[g.r.IntN(2)]
		operands := []*ir.Value{x, {Name: "pads", Type: ir.Int64, Const: pads}}
		if mode == "constant" && g.r.IntN(2) == 0 {
			operands = append(operands, number(1.5))
		}
		g.then("Pad", c, map[string]*ir.Attr{"mode": {Kind: ir.AttrString, S: mode}}, operands...)
	case 15:
		variance := g.floats(1, c)
		for i, v := range variance.Const.Float32s() {
			variance.Const.Float32s()[i] = v*v + 0.1
		}
		y := g.then("BatchNormalization", c, nil, x, g.floats(1, c), g.floats(1, c), g.floats(1, c), variance)
		if g.r.IntN(2) == 0 {
			g.then("Relu", c, nil, y)
		}
	case 16:
		g.then("PRelu", c, nil, x, g.floats(0.3, g.perChannel(c)...))
	case 17: // what has no blocked layout
		g.then("Softmax", c, map[string]*ir.Attr{"axis": intAttr(1)}, x)
	case 18: // the number of dimensions changes, then it is an output
		axes := make([]int64, k)
		for i := range axes {
			axes[i] = int64(i - k)
		}
		g.output(g.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(axes...), "keepdims": intAttr(0)}, x))
	case 19:
		g.then("Sum", c, nil, x, g.again(x), x)
	case 20:
		g.transposed(x, pick(1, 3, 8, 20), pick(2, 3, 4), pick(1, 2))
	}
	return g.g.Nodes[len(g.g.Nodes)-1].Op
}

const growths = 21

// ran is what a session gives for shapes, one after the other, and the error of each.
func ran(t *testing.T, g *ir.Graph, shapes [][]int) (outs [][]*ir.Tensor, errs []error, ops []OpCount) {
	t.Helper()
	s, err := NewSession(g, Options{})
	require.NoError(t, err)
	defer s.Release()
	for _, dims := range shapes {
		r, err := s.Prepare([][]int{dims})
		var list []*ir.Tensor
		if err == nil {
			x := r.In(0).Float32s()
			rng := rand.New(rand.NewPCG(uint64(len(x)), 3))
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			require.NoError(t, r.Exec())
			for i := range g.Outputs {
				list = append(list, r.Out(i).Clone())
			}
		}
		outs, errs = append(outs, list), append(errs, err)
	}
	return outs, errs, s.Ops()
}

// near compares results of sums in another order.
func near(t *testing.T, want, got *ir.Tensor, at string) {
	t.Helper()
	require.Equal(t, want.Dims, got.Dims, at)
	most := 1e-6
	for _, v := range want.Float32s() {
		if a := math.Abs(float64(v)); a < 1e30 {
			most = max(most, a)
		}
	}
	for i, v := range want.Float32s() {
		w := got.Float32s()[i]
		if v == w || v != v && w != w {
			continue
		}
		require.InDelta(t, v, w, 2e-5*most+1e-4*math.Abs(float64(v)), "%s: element %d", at, i)
	}
}

// alike runs a network with and without the blocked layout.
func alike(t *testing.T, at string, build func() *ir.Graph, shapes [][]int) (blocked []OpCount) {
	t.Helper()
	var want, got [][]*ir.Tensor
	var wrong, failed []error
	blocking(opt.BlocksNone, func() { want, wrong, _ = ran(t, build(), shapes) })
	blocking(opt.BlocksAll, func() { got, failed, blocked = ran(t, build(), shapes) })
	for i := range shapes {
		require.Equal(t, wrong[i] == nil, failed[i] == nil, "%s, %v: %v, %v", at, shapes[i], wrong[i], failed[i])
		for k := range want[i] {
			near(t, want[i][k], got[i][k], fmt.Sprintf("%s, %v, output %d", at, shapes[i], k))
		}
	}
	return blocked
}

func shapesOf(channels, rank int, open bool) [][]int {
	list := [][]int{{2, channels, 9, 11}}
	if open {
		list = [][]int{{1, channels, 7, 8}, {2, channels, 9, 11}, {1, channels, 12, 5}, {3, channels, 1, 1}, {0, channels, 6, 6}, {1, channels, 0, 4}, {2, channels, 9, 11}}
	}
	for i := range list {
		list[i] = list[i][:rank]
	}
	return list
}

// Networks of all that goes on in the blocked layout give what they give without it, for
// any number of channels, and for shapes that change from run to run.
func TestBlockedNetworks(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 60
	}
	seen := map[string]int{}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		channels, rank, open := []int{1, 3, 4, 5, 8, 12, 16}[r.IntN(7)], 4-r.IntN(3)/2, r.IntN(2) == 0
		nodes := 1 + r.IntN(12)
		build := func() *ir.Graph {
			g := newRegion(seed, channels, rank, open)
			g.conv(g.x, []int{8, 16, 12, 24}[seed%4], 1, 3, 1, 1)
			for i := range nodes {
				kind := g.r.IntN(growths)
				if i == 0 {
					kind = int(seed) % growths
				}
				g.grow(kind)
			}
			g.output(g.list[len(g.list)-1])
			if g.r.IntN(2) == 0 {
				g.output(g.some())
			}
			return g.g
		}
		ops := alike(t, fmt.Sprintf("seed %d", seed), build, shapesOf(channels, rank, open))
		for _, o := range ops {
			seen[o.Op] += o.N
		}
		if t.Failed() {
			return
		}
	}
	t.Log(seen)
	assert.NotZero(t, seen["Unblock"])
}

// blockedCensus is what a network becomes in the blocked layout.
func blockedCensus(t *testing.T, build func() *ir.Graph) map[string]int {
	t.Helper()
	var c map[string]int
	blocking(opt.BlocksAll, func() {
		g := build()
		s, err := NewSession(g, Options{})
		require.NoError(t, err)
		c = census(g)
		s.Release()
	})
	return c
}

// Residual sums and what bounds them are the convolution's, squeeze and excitation stays in
// the layout, and only the input and the output of the whole are brought in and out.
func TestBlockedRegions(t *testing.T) {
	for name, c := range map[string]struct {
		channels int
		build    func(g *region) *ir.Value
		want     map[string]int
	}{
		"a residual block": {16, func(g *region) *ir.Value {
			y := g.conv(g.then("Relu", 16, nil, g.conv(g.x, 16, 1, 3, 1, 1)), 16, 1, 3, 1, 1)
			return g.then("Relu", 16, nil, g.then("Add", 16, nil, y, g.x))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 2, "normwasm.Unblock": 1}},
		"a residual block of 40 channels, which has fewer products": {40, func(g *region) *ir.Value {
			y := g.conv(g.then("Relu", 40, nil, g.conv(g.x, 40, 1, 3, 1, 1)), 40, 1, 3, 1, 1, 0, 1, 2, 1)
			return g.then("Relu", 40, nil, g.then("Add", 40, nil, y, g.x))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 2, "normwasm.Unblock": 1}},
		"one that shrinks": {16, func(g *region) *ir.Value {
			y := g.conv(g.conv(g.x, 24, 1, 3, 2, 1), 24, 1, 3, 1, 1)
			return g.then("Relu", 24, nil, g.then("Add", 24, nil, g.conv(g.x, 24, 1, 1, 2, 1, 0, 0, 0, 0), y))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 3, "normwasm.Unblock": 1}},
		"a sum of planes of which it is not known that they are alike": {16, func(g *region) *ir.Value {
			pool := map[string]*ir.Attr{"kernel_shape": intsAttr(2, 2), "strides": intsAttr(2, 2), "ceil_mode": intAttr(1)}
			y := g.conv(g.x, 16, 1, 1, 1, 1)
			return g.then("Add", 16, nil, g.conv(y, 16, 1, 3, 2, 1), g.then("MaxPool", 16, pool, y))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 2, "normwasm.MaxPool": 1, "Add": 1, "normwasm.Unblock": 1}},
		"pads that come to the same": {16, func(g *region) *ir.Value {
			return g.then("Add", 16, nil, g.conv(g.x, 16, 1, 3, 1, 1), g.conv(g.x, 16, 1, 3, 1, 1, 0, 0, 2, 2))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 2, "normwasm.Unblock": 1}},
		"planes of three channels": {3, func(g *region) *ir.Value {
			return g.conv(g.conv(g.x, 16, 1, 3, 2, 1), 16, 16, 3, 1, 1)
		}, map[string]int{"normwasm.Conv": 2, "normwasm.Unblock": 1}},
		"squeeze and excitation": {16, func(g *region) *ir.Value {
			y := g.conv(g.x, 16, 1, 3, 1, 1)
			s := g.conv(g.then("Relu", 4, nil, g.conv(g.then("GlobalAveragePool", 16, nil, y), 4, 1, 1, 1, 1)), 16, 1, 1, 1, 1)
			return g.then("Mul", 16, nil, y, g.then("HardSigmoid", 16, nil, s))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 3, "normwasm.GlobalAveragePool": 1, "Mul": 1, "normwasm.Unblock": 1}},
		"a function behind a sum": {16, func(g *region) *ir.Value {
			return g.then("HardSwish", 16, nil, g.then("Add", 16, nil, g.x, g.then("LeakyRelu", 16, nil, g.conv(g.x, 16, 1, 3, 1, 1))))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 1, "Add": 1, "HardSwish": 1, "normwasm.Unblock": 1}},
		"a function of a sum": {12, func(g *region) *ir.Value {
			return g.then("Sigmoid", 12, nil, g.then("Add", 12, nil, g.x, g.conv(g.x, 12, 1, 3, 1, 1)))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 1, "normwasm.Unblock": 1}},
		"what is wanted in both layouts": {16, func(g *region) *ir.Value {
			y := g.conv(g.x, 16, 1, 3, 1, 1)
			soft := map[string]*ir.Attr{"axis": intAttr(1)}
			return g.then("Mul", 16, nil, g.then("Softmax", 16, soft, y), g.then("Add", 16, nil, g.then("Softmax", 16, soft, y), g.conv(y, 16, 1, 3, 1, 1)))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 2, "normwasm.Unblock": 2, "Softmax": 2, "Add": 1, "Mul": 1}},
		"transposed convolutions, the last one to planes": {16, func(g *region) *ir.Value {
			y := g.conv(g.x, 24, 1, 3, 1, 1)
			z := g.then("Relu", 24, nil, g.transposed(y, 24, 2, 2))
			return g.then("Sigmoid", 1, nil, g.transposed(z, 1, 4, 2))
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 1, "normwasm.ConvTranspose": 2}},
		"what is put together in a U-Net": {16, func(g *region) *ir.Value {
			y := g.then("Relu", 16, nil, g.conv(g.x, 16, 1, 3, 1, 1))
			z := g.then("HardSwish", 8, nil, g.transposed(g.then("Relu", 8, nil, g.conv(y, 8, 1, 3, 2, 1)), 8, 3, 1))
			return g.conv(g.then("Concat", 16, map[string]*ir.Attr{"axis": intAttr(1)}, z, z), 8, 1, 3, 1, 1)
		}, map[string]int{"normwasm.Block": 1, "normwasm.Conv": 3, "normwasm.ConvTranspose": 1, "Concat": 1, "normwasm.Unblock": 1}},
		"parts of blocks": {16, func(g *region) *ir.Value {
			y := g.conv(g.x, 12, 1, 3, 1, 1)
			return g.conv(g.then("Concat", 24, map[string]*ir.Attr{"axis": intAttr(1)}, y, y), 8, 1, 3, 1, 1)
		}, map[string]int{"normwasm.Block": 2, "normwasm.Conv": 2, "normwasm.Unblock": 2, "Concat": 1}},
	} {
		build := func() *ir.Graph {
			g := newRegion(7, c.channels, 4, true)
			return g.output(c.build(g))
		}
		alike(t, name, build, shapesOf(c.channels, 4, true))
		assert.Equal(t, c.want, blockedCensus(t, build), name)
	}
}

// Messages name the node and the dimensions of the model, whatever the layout.
func TestBlockedErrors(t *testing.T) {
	for name, c := range map[string]struct {
		build func(g *region) *ir.Value
		dims  []int
		want  string
	}{
		"channels": {func(g *region) *ir.Value { return g.conv(g.x, 16, 1, 3, 1, 1) }, []int{1, 7, 5, 5},
			`graph: Conv "Conv": x has dimensions [1 7 5 5], want 4 of them, with 8 channels`},
		"dimensions": {func(g *region) *ir.Value { return g.conv(g.x, 16, 1, 3, 1, 1) }, []int{1, 8, 5},
			`graph: Conv "Conv": x has dimensions [1 8 5], want 4 of them, with 8 channels`},
		"a window": {func(g *region) *ir.Value {
			return g.conv(g.conv(g.x, 16, 1, 1, 1, 1), 16, 1, 5, 1, 1, 0, 0, 0, 0)
		}, []int{1, 8, 3, 8}, `graph: Conv "Conv": x [1 16 3 8] has planes of 3×8 with their pads, smaller than the window of 5×5`},
		"a transposed convolution": {func(g *region) *ir.Value {
			return g.then("ConvTranspose", 8, map[string]*ir.Attr{"pads": intsAttr(4, 0, 4, 0)}, g.conv(g.x, 12, 1, 1, 1, 1), g.floats(1, 12, 8, 2, 2))
		}, []int{1, 8, 3, 8}, `graph: ConvTranspose "ConvTranspose": x [1 12 3 8] is too small for the pads`},
		"a pool": {func(g *region) *ir.Value {
			return g.then("MaxPool", 12, map[string]*ir.Attr{"kernel_shape": intsAttr(4, 4)}, g.conv(g.x, 12, 1, 1, 1, 1))
		}, []int{1, 8, 3, 8}, `graph: MaxPool "MaxPool": x [1 12 3 8] has planes of 3×8 with their pads, smaller than the window of 4×4`},
		"a sum": {func(g *region) *ir.Value {
			return g.then("Add", 12, nil, g.conv(g.x, 12, 1, 1, 1, 1), g.conv(g.x, 12, 1, 3, 1, 1, 0, 0, 0, 0))
		}, []int{1, 8, 5, 8}, `graph: Add "Add": input 1 has dimensions [1 12 3 6], which do not broadcast to [1 12 5 8]`},
		"a concatenation": {func(g *region) *ir.Value {
			return g.then("Concat", 28, map[string]*ir.Attr{"axis": intAttr(1)}, g.conv(g.x, 16, 1, 1, 1, 1), g.conv(g.x, 12, 1, 3, 1, 1, 0, 0, 0, 0))
		}, []int{1, 8, 5, 8}, `graph: Concat "Concat": input 1 has dimensions [1 12 3 6], input 0 has [1 16 5 8]: they may differ in dimension 1 only`},
		"memory for channels that are missing": {func(g *region) *ir.Value {
			g.of[g.x] = 3
			return g.conv(g.x, 1, 1, 1, 1, 1)
		}, []int{4, 3, 400, 400}, `graph: Conv "Conv": output 0 would have dimensions [4 1 400 400], with channels in blocks of 8 more than the session's limit of 20000000 bytes`},
	} {
		blocking(opt.BlocksAll, func() {
			g := newRegion(1, 8, 4, true)
			g.x.Known, g.x.Dims = false, nil
			s, err := NewSession(g.output(c.build(g)), Options{MaxBytes: 20_000_000})
			require.NoError(t, err)
			defer s.Release()
			_, err = s.Prepare([][]int{c.dims})
			assert.EqualError(t, err, c.want, name)
		})
	}
}
