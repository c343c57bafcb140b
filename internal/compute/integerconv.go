package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// ByteConv is a convolution of bytes by bytes, both less their zero points, with sums of
// int32. Outside of x is its zero point.
type ByteConv struct {
	shape  ConvShape
	groups []Bytes // the weights of each group, as right operands: pixels are rows
	single *Conv   // of one filter a plane: sums of products that float32 holds exactly
}

// exactTaps is how many products of two numbers of 9 bits float32 adds without rounding.
const exactTaps = 1 << 24 / (255 * 255)

// PackByteConv lays out weights. zeros is their zero points, by output channel, or one, or
// none.
func PackByteConv(s ConvShape, weights Octets, zeros []int32) *ByteConv {
	c := &ByteConv{shape: s}
	k := s.InChannels / s.Groups * s.taps()
	if s.path() == convDepthwise && k <= exactTaps {
		wide := make([]float32, s.OutChannels*k)
		for o := range s.OutChannels {
			Dequantize(wide[o*k:][:k], Octets{weights.Data[o*k:], weights.Signed}, zeroOf(zeros, o), 1)
		}
		c.single = PackConv(s, wide, nil, NoClamp, true)
		return c
	}
	c.groups = make([]Bytes, s.Groups)
	c.Repack(weights, zeros, nil)
	return c
}

// NewByteConv is a convolution whose weights Repack gives.
func NewByteConv(s ConvShape) *ByteConv { return &ByteConv{shape: s, groups: make([]Bytes, s.Groups)} }

// RepackSize is the bytes of memory that Repack wants.
func (c *ByteConv) RepackSize() int {
	s := &c.shape
	return len(c.groups) * kernel.RoundUp(layoutOf().size(s.InChannels/s.Groups*s.taps(), s.OutChannels/s.Groups), slab.Align)
}

// Repack lays out weights in memory, or, where it is nil, in memory of their own.
func (c *ByteConv) Repack(weights Octets, zeros []int32, memory []byte) {
	s := &c.shape
	og, k := s.OutChannels/s.Groups, s.InChannels/s.Groups*s.taps()
	each := kernel.RoundUp(layoutOf().size(k, og), slab.Align)
	for g := range c.groups {
		own := zeros
		if len(zeros) > 1 {
			own = zeros[g*og:][:og]
		}
		var part []byte
		if memory != nil {
			part = memory[g*each:][:each]
		}
		c.groups[g] = layoutOf().pack(Octets{weights.Data[g*og*k:], weights.Signed}, k, og, true, own, part)
	}
}

// Bytes is how much memory the convolution takes beside the weights that it was made from.
func (c *ByteConv) Bytes() int {
	n := 0
	for i := range c.groups {
		n += c.groups[i].Bytes()
	}
	if c.single != nil {
		n += 4 * (len(c.single.panels) + len(c.single.bias))
	}
	return n
}

// With returns the convolution of shape s, of which only strides, dilations and pads may
// differ.
func (c *ByteConv) With(s ConvShape) ByteConv {
	d := *c
	d.shape = s
	return d
}

// ofPlanes gives the convolution of floats that it is where there is one filter a plane.
func (c *ByteConv) ofPlanes() (conv Conv, ok bool) {
	if c.single == nil {
		return Conv{}, false
	}
	return c.single.With(c.shape)
}

// ScratchLen is the bytes of scratch that Run wants for planes of h×w.
func (c *ByteConv) ScratchLen(h, w int) int {
	s := c.shape
	oh, ow := s.OutSize(h, w)
	pixels := s.Deep.Places() * oh * ow
	if conv, ok := c.ofPlanes(); ok {
		return 4*(s.InChannels*s.Deep.Elements()*h*w+s.OutChannels*pixels+conv.ScratchLen(h, w)) + 3*slab.Align
	}
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	k, lay := cg*s.taps(), layoutOf()
	rows := lay.rows(pixels, og, k)
	l := s.volume(s.Deep, h, w, oh, ow)
	return 3*cg*l.volume + beyond + 4*(lay.deep*lay.steps(k)+rows+rows*og) + lay.whole(pixels, og, k) + 6*slab.Align
}

// beyond is how many bytes behind its last pixel a kernel may read.
const beyond = 8

// bytesArena deals out parts of the caller's scratch.
type bytesArena []byte

func (a *bytesArena) take(n int) []byte {
	s := (*a)[:n:n]
	*a = (*a)[min(kernel.RoundUp(n, slab.Align), len(*a)):]
	return s
}

// Run computes one image: x [InChannels, Deep…, h, w], with its zero point. It calls done with the
// sums of pixels from … of a channel, which done may overwrite.
func (c *ByteConv) Run(x Octets, zero, h, w int, scratch []byte, done func(sums []int32, channel, from int)) {
	s := &c.shape
	oh, ow := s.OutSize(h, w)
	plane, pixels := s.Deep.Elements()*h*w, s.Deep.Places()*oh*ow
	mem := bytesArena(scratch)
	if conv, ok := c.ofPlanes(); ok {
		in, out := slab.View[float32](mem.take(4*s.InChannels*plane)), slab.View[float32](mem.take(4*s.OutChannels*pixels))
		Dequantize(in, x, zero, 1)
		conv.Run(out, in, 1, h, w, slab.View[float32](mem.take(4*conv.ScratchLen(h, w))))
		sums := slab.View[int32](slab.Bytes(out))
		kernel.WholeNumbers(kernel.Ptr(sums), kernel.Ptr(out), len(out))
		for o := range s.OutChannels {
			done(sums[o*pixels:][:pixels], o, 0)
		}
		return
	}
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	k, lay := cg*s.taps(), layoutOf()
	rows := lay.rows(pixels, og, k)
	l := s.volume(s.Deep, h, w, oh, ow)
	size := cg * l.volume
	planes, wide := mem.take(size+beyond), []int16(nil)
	if lay == inPairs {
		wide = slab.View[int16](mem.take(2 * size))
	}
	taps, where := slab.View[int32](mem.take(4*lay.deep*lay.steps(k))), slab.View[int32](mem.take(4*rows))
	turned := slab.View[int32](mem.take(4 * rows * og))
	l.taps(taps[:k], cg)
	for t := k; t < len(taps); t++ {
		taps[t] = taps[0] // whatever it is, the weights have their zero point there
	}
	left := Left{Octets: Octets{Signed: x.Signed}, Grid: Grid{Zero: zero}}
	left.taps = func(panels []byte, from, n int) {
		px := where[:kernel.RoundUp(n, lay.high)]
		l.pixels(px, from, n, ow)
		if mp := len(px) / lay.high; lay == inPairs {
			kernel.PackTaps(kernel.Ptr(slab.View[int16](panels)), kernel.Ptr(wide), kernel.Ptr(taps), len(taps), kernel.Ptr(px), mp)
		} else {
			kernel.PackQuads(kernel.Ptr(panels), kernel.Ptr(planes), kernel.Ptr(taps), len(taps), kernel.Ptr(px), mp)
		}
	}
	for g := range c.groups {
		in := x.Data[g*cg*plane:][:cg*plane]
		if l.direct {
			copy(planes, in)
		} else {
			planes[0] = byte(zero)
			for n := 1; n < len(planes); n *= 2 {
				copy(planes[n:], planes[:n])
			}
			for ch := range cg {
				l.spreadBytes(planes[ch*l.volume:][:l.volume], in[ch*plane:][:plane], 0)
			}
		}
		if lay == inPairs {
			kernel.WidenBytes(kernel.Ptr(wide), kernel.Ptr(planes), size, x.flip(), zero-x.flip())
		} else if left.shift() != 0 {
			flipBytes(planes)
		}
		MultiplyBytes(pixels, &c.groups[g], &left, mem, func(sums []int32, ld, from, n int) {
			y, x := slab.View[float32](slab.Bytes(turned)), slab.View[float32](slab.Bytes(sums))
			kernel.Transpose(kernel.Ptr(y), n, kernel.Ptr(x), ld, n, og)
			for o := range og {
				done(turned[o*n:][:n], g*og+o, from)
			}
		})
	}
}

// spreadBytes is spread for bytes, from an axis of deep on.
func (l *lattice) spreadBytes(dst, x []byte, axis int) {
	if axis < len(l.deep) {
		a, step := &l.deep[axis], l.step(axis)
		size := len(x) / max(a.Size, 1)
		for i := range min(a.Size, l.depth(axis)-a.Before) {
			l.spreadBytes(dst[(a.Before+i)*step:][:step], x[i*size:][:size], axis+1)
		}
		return
	}
	top, left := l.window.PadTop, l.window.PadLeft
	n := min(l.w, l.cols-left)
	if n <= 0 {
		return
	}
	for i := range min(l.h, l.rows-top) {
		row, at := x[i*l.w:][:n], (top+i)*l.pitch
		if l.phases == 1 {
			copy(dst[at+left:], row)
			continue
		}
		for j, v := range row {
			j += left
			dst[at+j%l.phases*l.rows*l.pitch+j/l.phases] = v
		}
	}
}
