package compute

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// sameByThreads runs what makes a function that writes n elements with a number of threads, and
// wants the same bits whatever that is.
func sameByThreads(t *testing.T, name string, n int, run func(y []float32)) {
	defer threads.Test(threads.Count())
	var want []float32
	for count := 1; count <= 5; count++ {
		threads.Test(count)
		y := make([]float32, n)
		for i := range y {
			y[i] = float32(math.NaN())
		}
		run(y)
		if count == 1 {
			want = y
		}
		for i := range y {
			if math.Float32bits(want[i]) != math.Float32bits(y[i]) {
				require.Equal(t, want[i], y[i], "%s: element %d of %d with %d threads", name, i, n, count)
				require.Fail(t, "other bits of a NaN", "%s: element %d of %d with %d threads", name, i, n, count)
			}
		}
	}
}

// spoilt is scratch, in which nothing is to be relied on.
func spoilt(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 1e30
	}
	return s
}

func TestThreadsBlockedConv(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	pick := func(list ...int) int { return list[r.IntN(len(list))] }
	for i := range 120 {
		g := Window{KernelH: 1 + r.IntN(4), KernelW: 1 + r.IntN(4), StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2),
			DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2), PadTop: r.IntN(3), PadLeft: r.IntN(3), PadBottom: r.IntN(3), PadRight: r.IntN(3)}
		if i%3 == 0 {
			k, pad := pick(1, 3, 3, 5), r.IntN(2)
			g = Window{k, k, 1, 1, 1, 1, pad, pad, pad, pad}
		}
		s := ConvShape{Window: g, InChannels: 1 + r.IntN(40), OutChannels: 1 + r.IntN(60), Groups: 1}
		planes := false
		switch i % 5 {
		case 0: // depthwise
			s.OutChannels = s.InChannels
			s.Groups = s.InChannels
		case 1:
			s.Groups, s.InChannels, s.OutChannels = 2, 32, 16
		case 2:
			planes, s.InChannels = true, 1+r.IntN(4)
		}
		n, h, w := 1+r.IntN(2), g.extentH()+r.IntN(20), g.extentW()+r.IntN(20)
		if i%7 == 0 {
			h, w = g.extentH(), g.extentW()
		}
		oh, ow := s.OutSize(h, w)
		if oh*ow == 0 || !s.Blockable() {
			continue
		}
		weights := plainNumbers(s.OutChannels*s.InChannels/s.Groups*s.taps(), uint32(i))
		bias := plainNumbers(s.OutChannels, 5)
		c := PackBlockedConv(s, weights, bias, ReLU6, planes, false)
		if !planes && i%2 == 0 && s.Winograd() {
			c = PackWinograd(s, weights, bias, NoClamp)
		}
		if i%3 == 1 {
			c.Apply = Function{F: HardSwish, A: 1. / 6, B: 0.5}
		}
		size := n * ChannelBlocks(s.InChannels) * h * w * Lanes
		if planes {
			size = n * s.InChannels * h * w
		}
		x := plainNumbers(size, 9)
		if i%4 == 3 {
			x[size/2] = float32(math.Inf(1))
		}
		out := n * ChannelBlocks(s.OutChannels) * oh * ow * Lanes
		var residual []float32
		if i%4 == 0 && oh*ow > 1 {
			residual = plainNumbers(out, 11)
		}
		sameByThreads(t, fmt.Sprintf("%+v of %d×%d×%d", s, n, h, w), out, func(y []float32) {
			c.Run(y, x, residual, n, h, w, spoilt(c.ScratchLen(h, w)))
		})
	}
}

func TestThreadsWinograd(t *testing.T) {
	for i, size := range [][3]int{{32, 32, 20}, {40, 33, 9}, {64, 24, 31}, {128, 128, 13}} {
		s := ConvShape{Window: Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, InChannels: size[0], OutChannels: size[1], Groups: 1}
		c := PackWinograd(s, plainNumbers(s.OutChannels*s.InChannels*9, 3), plainNumbers(s.OutChannels, 4), ReLU)
		h, w := size[2], size[2]+i
		x := plainNumbers(2*ChannelBlocks(s.InChannels)*h*w*Lanes, 5)
		for _, special := range []bool{false, true} {
			if special {
				x[100] = float32(math.Inf(-1))
			}
			sameByThreads(t, fmt.Sprint(size, special), 2*ChannelBlocks(s.OutChannels)*h*w*Lanes, func(y []float32) {
				c.Run(y, x, nil, 2, h, w, spoilt(c.ScratchLen(h, w)))
			})
		}
	}
}

func TestThreadsBlockedTransposed(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	for i := range 40 {
		stride := 1 + r.IntN(3)
		k := stride * (1 + r.IntN(2))
		s := ConvShape{Window: Window{k, k, stride, stride, 1, 1, r.IntN(2), r.IntN(2), 0, 0}, InChannels: 1 + r.IntN(30), OutChannels: 1 + r.IntN(30), Groups: 1}
		planes, ok := s.TransposedBlocks()
		if !ok {
			continue
		}
		c := PackBlockedTransposed(s, plainNumbers(s.InChannels*s.OutChannels*k*k, uint32(i)), plainNumbers(s.OutChannels, 2), ReLU, false)
		c.Apply = Function{F: HardSwish, A: 1. / 6, B: 0.5}
		n, h, w := 1+r.IntN(2), 1+r.IntN(20), 1+r.IntN(20)
		oh, ow := (h-1)*stride+k-s.PadTop, (w-1)*stride+k-s.PadLeft
		if oh < 1 || ow < 1 {
			continue
		}
		x := plainNumbers(n*ChannelBlocks(s.InChannels)*h*w*Lanes, 4)
		out := n * ChannelBlocks(s.OutChannels) * oh * ow * Lanes
		if planes {
			out = n * s.OutChannels * oh * ow
		}
		sameByThreads(t, fmt.Sprintf("%+v of %d×%d×%d", s, n, h, w), out, func(y []float32) {
			c.Run(y, x, n, h, w, oh, ow, spoilt(c.ScratchLen(h, w, oh, ow)))
		})
	}
}

func TestThreadsBlockedPool(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	for i := range 60 {
		p := Pool{Window: Window{KernelH: 1 + r.IntN(4), KernelW: 1 + r.IntN(4), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3),
			DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2), PadTop: r.IntN(2), PadLeft: r.IntN(2), PadBottom: r.IntN(2), PadRight: r.IntN(2)},
			Ceil: i%2 == 0, CountPad: i%3 == 0}
		blocks, h, w := 1+r.IntN(3), p.extentH()+r.IntN(12), p.extentW()+r.IntN(12)
		oh, ow := p.OutSize(h, w)
		x := plainNumbers(blocks*h*w*Lanes, uint32(i))
		name := fmt.Sprintf("%+v of %d×%d", p, h, w)
		sameByThreads(t, name, blocks*oh*ow*Lanes, func(y []float32) { p.MaxLanes(y, x, blocks, h, w, spoilt(p.LaneScratch())) })
		sameByThreads(t, name, blocks*oh*ow*Lanes, func(y []float32) { p.AverageLanes(y, x, blocks, h, w, spoilt(p.LaneScratch())) })
		sameByThreads(t, name, blocks*Lanes, func(y []float32) { GlobalAverageLanes(y, x, blocks, h*w) })
		sameByThreads(t, name, blocks*Lanes, func(y []float32) { GlobalMaxLanes(y, x, blocks, h*w) })
		channels := blocks*Lanes - r.IntN(Lanes)
		planes := plainNumbers(2*channels*h*w, 3)
		sameByThreads(t, name, 2*blocks*h*w*Lanes, func(y []float32) { Block(y, planes, 2, channels, h*w) })
		sameByThreads(t, name, channels*h*w, func(y []float32) { Unblock(y, x, 1, channels, h*w) })
	}
}

func TestThreadsCopyRows(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 7))
	for range 60 {
		n, rows := 4*r.IntN(300), 1+r.IntN(20)
		d, s := 4*r.IntN(10), 4*r.IntN(10)
		ds, ss := n+4*r.IntN(9), n+4*r.IntN(9)
		x := slab.Bytes(plainNumbers((s+rows*ss)/4+1, 3))
		sameByThreads(t, "CopyRows", (d+rows*ds)/4+1, func(y []float32) {
			clear(y) // which it does not all write
			CopyRows(slab.Bytes(y), d, ds, x, s, ss, n, rows)
		})
	}
}

func TestThreadsNearest(t *testing.T) {
	for _, times := range [][2]int{{1, 2}, {2, 2}, {3, 1}} {
		var rows, cols []int32
		h, w := 7, 11
		for i := range h * times[0] {
			rows = append(rows, int32(i/times[0]))
		}
		for i := range w * times[1] {
			cols = append(cols, int32(i/times[1]))
		}
		x := plainNumbers(3*h*w*Lanes, 1)
		want := make([]float32, 3*len(rows)*len(cols)*Lanes)
		nearestLanes(want, x, 3, h, w, rows, cols)
		sameByThreads(t, "nearest", len(want), func(y []float32) {
			NearestLanes(y, x, 3, h, w, rows, cols)
			require.Equal(t, want, y)
		})
	}
}
