package compute

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// blocked is planes [n, channels, plane] in the blocked layout, with fill where there is no
// channel.
func blocked(x []float32, n, channels, plane int, fill float32) []float32 {
	blocks := ChannelBlocks(channels)
	y := make([]float32, n*blocks*plane*Lanes)
	fillWith(y, fill)
	for i := range n * channels * plane {
		image, c, p := i/(channels*plane), i/plane%channels, i%plane
		y[((image*blocks+c/Lanes)*plane+p)*Lanes+c%Lanes] = x[i]
	}
	return y
}

func checkBlocked(t *testing.T, s ConvShape, n, h, w int, planes bool, clamp Clamp) {
	t.Helper()
	name := fmt.Sprintf("%+v on %d of %d×%d, planes: %v", s, n, h, w, planes)
	require.True(t, s.Blockable(), name)
	r := testkit.Rand(uint64(h*1000 + w*10 + s.OutChannels))
	oh, ow := s.OutSize(h, w)
	weights := testkit.Normal(r, s.OutChannels*s.InChannels/s.Groups*s.KernelH*s.KernelW, 0, 1)
	bias := testkit.Normal(r, s.OutChannels, 0, 1)
	plain := testkit.Normal(r, n*s.InChannels*h*w, 0, 1)
	in := plain
	if !planes {
		in = blocked(plain, n, s.InChannels, h*w, 7) // finite: it meets zeros
	}
	blocks := ChannelBlocks(s.OutChannels)
	x, y := testkit.Input("x", in, 1), testkit.Output("y", n*blocks*oh*ow*Lanes, 2)
	conv := PackBlockedConv(s, weights, bias, clamp, planes, false)
	scratch := testkit.Output("scratch", conv.ScratchLen(h, w), 0)
	residual := testkit.Normal(r, n*s.OutChannels*oh*ow, 0, 1)
	for _, with := range []bool{false, true} {
		var from []float32
		if with {
			from = blocked(residual, n, s.OutChannels, oh*ow, 0)
		}
		conv.Run(y.S, x.S, from, n, h, w, scratch.S)
		for i, got := range y.S {
			image, block, p, c := i/(blocks*oh*ow*Lanes), i/(oh*ow*Lanes)%blocks, i/Lanes%(oh*ow), i%Lanes
			o := block*Lanes + c
			if o >= s.OutChannels {
				require.Zero(t, got, "%s: no channel", name)
				continue
			}
			want := convOracle(s, plain, weights, bias, h, w, image, o, p/ow, p%ow)
			if with {
				want.add(float64(residual[(image*s.OutChannels+o)*oh*ow+p]))
			}
			requireSum(t, got, want, clamp, name, image, o, p/ow, p%ow)
		}
		if with {
			own := append([]float32(nil), from...)
			conv.Run(own, x.S, own, n, h, w, scratch.S)
			testkit.SameBits(t, y.S, own, "%s: onto the sum", name)
		}
	}
	defer func(held bool) { tall = held }(tall)
	tall = !tall
	other := make([]float32, len(y.S))
	conv.Run(other, x.S, blocked(residual, n, s.OutChannels, oh*ow, 0), n, h, w, scratch.S)
	testkit.SameBits(t, y.S, other, "%s: other tiles", name)
	own := testkit.InOut("weights", weights, 3)
	if over := PackBlockedConv(s, own.S, bias, clamp, planes, true); over.Over() {
		again := make([]float32, len(y.S))
		over.Run(again, x.S, blocked(residual, n, s.OutChannels, oh*ow, 0), n, h, w, scratch.S)
		testkit.SameBits(t, y.S, again, "%s: in place", name)
	} else {
		testkit.SameBits(t, weights, own.S, "%s: and are left alone", name)
	}
	for _, op := range []*testkit.Operand{x, y, scratch, own} {
		op.Check(t, "%s", name)
	}
}

func TestBlockedConv(t *testing.T) {
	window := func(k, stride, dilation, pad int) Window {
		return Window{k, k, stride, stride, dilation, dilation, pad, pad, pad, pad}
	}
	lopsided := Window{KernelH: 2, KernelW: 3, StrideH: 1, StrideW: 2, DilationH: 2, DilationW: 1, PadTop: 1, PadLeft: 0, PadBottom: 0, PadRight: 3}
	clamps, turn := []Clamp{NoClamp, ReLU, ReLU6}, 0
	for _, c := range []struct{ in, out, groups int }{{8, 8, 1}, {5, 11, 1}, {24, 16, 1}, {16, 32, 2}, {32, 16, 2}, {16, 16, 16}, {13, 13, 13}, {1, 3, 1}, {96, 9, 1}} {
		for _, g := range []Window{window(1, 1, 1, 0), window(3, 1, 1, 1), window(3, 2, 1, 1), window(3, 1, 2, 2), window(5, 1, 1, 2), window(5, 2, 1, 2), window(7, 1, 1, 3), window(1, 2, 1, 0), window(1, 3, 1, 1), lopsided} {
			for _, size := range [][2]int{{1, 1}, {7, 7}, {5, 9}} {
				s := ConvShape{Window: g, InChannels: c.in, OutChannels: c.out, Groups: c.groups}
				if oh, ow := s.OutSize(size[0], size[1]); oh*ow == 0 {
					continue
				}
				turn++
				checkBlocked(t, s, 1+c.in%2, size[0], size[1], false, clamps[turn%3])
				if c.groups == 1 {
					checkBlocked(t, s, 2, size[0], size[1], true, clamps[turn/2%3])
				}
			}
		}
	}
	for _, g := range []Window{window(3, 1, 1, 1), window(3, 2, 1, 1), window(3, 1, 4, 4), window(5, 2, 1, 2), lopsided} {
		checkBlocked(t, ConvShape{Window: g, InChannels: 8, OutChannels: 8, Groups: 8}, 1, 90, 60, false, ReLU)
	}
	checkBlocked(t, ConvShape{Window: window(2, 3, 1, 7), InChannels: 9, OutChannels: 9, Groups: 9}, 1, 2, 3, false, NoClamp)
	checkBlocked(t, ConvShape{Window: Window{1, 1, 1, 1, 1, 1, 300, 0, 300, 0}, InChannels: 8, OutChannels: 8, Groups: 8}, 1, 2, 40, false, NoClamp)
	// Longer than a strip, and than the weights that stay in a cache.
	checkBlocked(t, ConvShape{Window: window(3, 1, 1, 1), InChannels: 72, OutChannels: 8, Groups: 1}, 1, 40, 40, false, ReLU)
	checkBlocked(t, ConvShape{Window: window(1, 1, 1, 0), InChannels: 600, OutChannels: 16, Groups: 1}, 1, 13, 11, false, ReLU)
	checkBlocked(t, ConvShape{Window: window(3, 1, 1, 1), InChannels: 64, OutChannels: 8, Groups: 1}, 1, 9, 9, true, ReLU)
}

func TestBlockable(t *testing.T) {
	for _, c := range []struct {
		in, out, groups int
		want            bool
	}{{8, 8, 1, true}, {3, 5, 1, true}, {16, 16, 16, true}, {16, 16, 2, true}, {16, 32, 16, false}, {16, 16, 4, false}, {16, 24, 2, false}} {
		s := ConvShape{InChannels: c.in, OutChannels: c.out, Groups: c.groups}
		assert.Equal(t, c.want, s.Blockable(), "%+v", c)
	}
}

// An infinite pixel makes no channel NaN that has only finite weights behind a clamp.
func TestBlockedConvOfInfinity(t *testing.T) {
	s := ConvShape{Window: Window{KernelH: 1, KernelW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}, InChannels: 1, OutChannels: 3, Groups: 1}
	y := make([]float32, Lanes)
	x := []float32{float32(math.Inf(1))}
	PackBlockedConv(s, []float32{1, 2, -1}, nil, ReLU6, true, false).Run(y, x, nil, 1, 1, 1, make([]float32, 8))
	assert.Equal(t, []float32{6, 6, 0, 0, 0, 0, 0, 0}, y)
}

// A function is applied to each element once, whatever the way through the kernels.
func TestBlockedConvApplies(t *testing.T) {
	for _, c := range []struct{ in, out, groups, k, h, w int }{{8, 16, 1, 3, 9, 9}, {16, 8, 1, 1, 1, 1}, {8, 8, 8, 3, 7, 7}, {8, 8, 8, 7, 8, 8}, {600, 8, 1, 1, 40, 40}} {
		s := ConvShape{Window: Window{c.k, c.k, 1, 1, 1, 1, c.k / 2, c.k / 2, c.k / 2, c.k / 2}, InChannels: c.in, OutChannels: c.out, Groups: c.groups}
		r := testkit.Rand(uint64(c.in))
		weights, x := testkit.Normal(r, c.out*c.in/c.groups*c.k*c.k, 0, 1), testkit.Normal(r, c.in*c.h*c.w, 0, 1)
		conv := PackBlockedConv(s, weights, nil, NoClamp, false, false)
		y, applied, scratch := make([]float32, c.out*c.h*c.w), make([]float32, c.out*c.h*c.w), make([]float32, conv.ScratchLen(c.h, c.w))
		conv.Run(y, x, nil, 1, c.h, c.w, scratch)
		conv.Apply = Function{F: HardSwish, A: 0.25, B: 0.5}
		conv.Run(applied, x, nil, 1, c.h, c.w, scratch)
		HardSwish(y, y, 0.25, 0.5)
		testkit.SameBits(t, y, applied, "%+v", c)
		conv.Apply.Scale, conv.Apply.Shift = -3, 0.7
		conv.Run(applied, x, nil, 1, c.h, c.w, scratch)
		for i, v := range y {
			y[i] = float32(v*-3) + 0.7
		}
		testkit.SameBits(t, y, applied, "%+v, scaled", c)
	}
}

func TestBlockedTransposed(t *testing.T) {
	r := testkit.Rand(13)
	planar, inPlace := 0, 0
	for i := range 400 {
		s := ConvShape{Window: randomWindow(r), InChannels: 1 + r.IntN(20), OutChannels: 1 + r.IntN(20), Groups: 1}
		s.DilationH, s.DilationW = 1, 1
		s.StrideH, s.StrideW = min(s.StrideH, s.KernelH), min(s.StrideW, s.KernelW)
		h, w, n := 1+r.IntN(6), 1+r.IntN(9), 1+r.IntN(2)
		switch {
		case i < 8: // the usual doubling
			s.Window = []Window{{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, {4, 4, 2, 2, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, {1, 4, 1, 2, 1, 1, 0, 1, 0, 1}}[i%4]
			s.OutChannels = []int{16, 1, 24, 3}[i/2]
		case i < 60:
			s.Groups = 1 + r.IntN(2)
			s.InChannels, s.OutChannels = s.Groups*8*(1+r.IntN(2)), s.Groups*8*(1+r.IntN(2))
		case i == 60: // longer than a strip
			s = ConvShape{Window: Window{5, 4, 2, 3, 1, 1, 2, 0, 0, 1}, InChannels: 8, OutChannels: 40, Groups: 1}
			h, w = 70, 50
		case i == 61:
			s = ConvShape{Window: Window{4, 6, 2, 3, 1, 1, 1, 2, 1, 0}, InChannels: 11, OutChannels: 7, Groups: 1}
			h, w = 70, 50
		}
		planes, ok := s.TransposedBlocks()
		require.True(t, ok, "%+v", s)
		clamp := []Clamp{NoClamp, ReLU6}[r.IntN(2)]
		oh, ow := (&ConvTranspose{shape: s}).OutSize(h, w)
		oh, ow = oh+r.IntN(s.StrideH+2), ow+r.IntN(s.StrideW+2)
		if oh <= 0 || ow <= 0 {
			continue
		}
		name := fmt.Sprintf("%+v on %d of %d×%d to %d×%d", s, n, h, w, oh, ow)
		weights := testkit.Normal(r, s.InChannels*s.OutChannels/s.Groups*s.KernelH*s.KernelW, 0, 1)
		bias, plain := testkit.Normal(r, s.OutChannels, 0, 1), testkit.Normal(r, n*s.InChannels*h*w, 0, 1)
		want := scatterOracle(s, plain, weights, bias, n, h, w, oh, ow)
		x := testkit.Input("x", blocked(plain, n, s.InChannels, h*w, 7), 1)
		conv := PackBlockedTransposed(s, weights, bias, clamp, false)
		blocks := ChannelBlocks(s.OutChannels)
		size := n * blocks * oh * ow * Lanes
		if planes {
			size = len(want)
			planar++
		}
		y, scratch := testkit.Output("y", size, 2), testkit.Output("scratch", conv.ScratchLen(h, w, oh, ow), 0)
		conv.Run(y.S, x.S, n, h, w, oh, ow, scratch.S)
		for j, got := range y.S {
			if planes {
				requireSum(t, got, want[j], clamp, name, j)
				continue
			}
			image, o, p := j/(blocks*oh*ow*Lanes), j/(oh*ow*Lanes)%blocks*Lanes+j%Lanes, j/Lanes%(oh*ow)
			if o >= s.OutChannels {
				require.Zero(t, got, "%s: no channel", name)
				continue
			}
			requireSum(t, got, want[(image*s.OutChannels+o)*oh*ow+p], clamp, name, j)
		}
		applied := make([]float32, size)
		conv.Apply = Function{F: HardSwish, A: 0.25, B: 0.5}
		conv.Run(applied, x.S, n, h, w, oh, ow, scratch.S)
		expected := append([]float32(nil), y.S...)
		HardSwish(expected, expected, 0.25, 0.5)
		testkit.SameBits(t, expected, applied, "%s: a function", name)
		own := testkit.InOut("weights", weights, 3)
		if over := PackBlockedTransposed(s, own.S, bias, clamp, true); over.Over() {
			again := make([]float32, size)
			over.Run(again, x.S, n, h, w, oh, ow, scratch.S)
			testkit.SameBits(t, y.S, again, "%s: in place", name)
			assert.Equal(t, 4*(blocks+1)*Lanes*s.StrideH*s.StrideW, over.Bytes(), "%s: the biases", name)
			inPlace++
		} else {
			testkit.SameBits(t, weights, own.S, "%s: and are left alone", name)
		}
		for _, op := range []*testkit.Operand{x, y, scratch, own} {
			op.Check(t, "%s", name)
		}
	}
	assert.Positive(t, planar)
	assert.Positive(t, inPlace)
}

func TestTransposedBlocks(t *testing.T) {
	two := Window{KernelH: 2, KernelW: 2, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1}
	with := func(change func(*Window)) Window { g := two; change(&g); return g }
	for _, c := range []struct {
		window          Window
		in, out, groups int
		planes, ok      bool
	}{
		{two, 24, 24, 1, false, true}, {two, 24, 1, 1, true, true}, {two, 3, 7, 1, true, true}, {two, 32, 32, 2, false, true},
		{two, 32, 32, 32, false, false}, {two, 24, 16, 2, false, false},
		{with(func(g *Window) { g.DilationW = 2 }), 8, 8, 1, false, false},
		{with(func(g *Window) { g.StrideH = 3 }), 8, 8, 1, false, false},
		{with(func(g *Window) { g.KernelW = 3 }), 8, 1, 1, false, true},
	} {
		s := ConvShape{Window: c.window, InChannels: c.in, OutChannels: c.out, Groups: c.groups}
		planes, ok := s.TransposedBlocks()
		assert.Equal(t, [2]bool{c.planes, c.ok}, [2]bool{planes, ok}, "%+v", s)
	}
}
