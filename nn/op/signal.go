//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Signals: Fourier transforms, which compute in float64 whatever the type, windows, and the
// matrix from frequencies to the mel scale.

func init() { Register(signalRows) }

var (
	windowIn    = []In{{Name: "size", Types: indexTypes}}
	windowOut   = []Out{{Name: "output", From: "output_datatype"}}
	windowAttrs = []Attr{windowType, {Name: "periodic", Kind: ir.AttrInt, I: 1}}
	windowType  = Attr{Name: "output_datatype", Kind: ir.AttrInt, I: int64(ir.Float32)}

	toInverse = Attr{Name: "inverse", Kind: ir.AttrInt}
	oneSided  = Attr{Name: "onesided", Kind: ir.AttrInt}
)

var signalRows = []Row{{
	Name: "HannWindow", Since: 17,
	In: windowIn, Out: windowOut, Attrs: windowAttrs,
	Rank: listRank, Check: checkWindowType,
	Plan: func(c *Call) error { return planSignalWindow(c, 0.5, -0.5, 0) },
}, {
	Name: "HammingWindow", Since: 17,
	In: windowIn, Out: windowOut, Attrs: windowAttrs,
	Rank: listRank, Check: checkWindowType,
	Plan: func(c *Call) error { return planSignalWindow(c, 25.0/46, -21.0/46, 0) },
}, {
	Name: "BlackmanWindow", Since: 17,
	In: windowIn, Out: windowOut, Attrs: windowAttrs,
	Rank: listRank, Check: checkWindowType,
	Plan: func(c *Call) error { return planSignalWindow(c, 0.42, -0.5, 0.08) },
}, {
	Name: "MelWeightMatrix", Since: 17,
	In: []In{{Name: "num_mel_bins", Types: indexTypes, Var: 'I'}, {Name: "dft_length", Types: indexTypes, Var: 'I'},
		{Name: "sample_rate", Types: indexTypes, Var: 'I'}, {Name: "lower_edge_hertz", Types: floatTypes, Var: 'E'},
		{Name: "upper_edge_hertz", Types: floatTypes, Var: 'E'}},
	Out: windowOut, Attrs: []Attr{windowType},
	Rank: matrixRank, Check: checkWindowType,
	Plan: planMel,
}, {
	Name: "DFT", Since: 17, Changes: []int{20},
	In: []In{{Name: "input", Types: floatTypes, Var: 'T'}, {Name: "dft_length", Types: indexTypes, Opt: true},
		{Name: "axis", Types: 1 << ir.Int64, Opt: true, Since: 20}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt, I: 1, Till: 19}, toInverse, oneSided},
	Rank:  sameRank,
	Plan:  planDFT,
}, {
	Name: "STFT", Since: 17,
	In: []In{{Name: "signal", Types: floatTypes, Var: 'T'}, {Name: "frame_step", Types: indexTypes, Var: 'I'},
		{Name: "window", Types: floatTypes, Var: 'T', Opt: true}, {Name: "frame_length", Types: indexTypes, Var: 'I', Opt: true}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "onesided", Kind: ir.AttrInt, I: 1}},
	Rank:  imageRank,
	Plan:  planSTFT,
}}

// checkWindowType: the type of the result is the attribute's.
func checkWindowType(n *ir.Node) string {
	if t := n.Int("output_datatype", int64(ir.Float32)); t < 0 || t > 255 || !(numberTypes | halfTypes).Has(ir.DType(t)) {
		return "output_datatype that is no type of numbers"
	}
	return ""
}

// hostInt reads input i, one integer from low to high.
func hostInt(c *Call, i int, low, high int64) (int, error) {
	list, _, err := hostInts(c, i)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 {
		return 0, c.fail("input % has % elements, want 1", nil, i, len(list))
	}
	if list[0] < low || list[0] > high {
		return 0, c.Fail(c.Row.In[i].Name, " is ", int(list[0]), ", want ", int(low), " to ", int(high))
	}
	return int(list[0]), nil
}

// planSignalWindow: y[k] = a + b·cos(2πk/n) + c·cos(4πk/n), n being the size or, of a window
// that is not periodic, one less.
func planSignalWindow(c *Call, a0, a1, a2 float64) error {
	size, err := hostInt(c, 0, 0, dimLimit)
	if err != nil {
		return err
	}
	t := ir.DType(c.Int("output_datatype"))
	c.Out(0, t, size)
	c.Scratch(8 * size)
	s := Into[signalWindow](c)
	s.terms, s.over, s.store = [3]float64{a0, a1, a2}, size, storeFloats(t)
	if c.Int("periodic") == 0 {
		s.over--
	}
	return nil
}

type signalWindow struct {
	terms [3]float64
	over  int
	store func(dst []byte, src []float64)
}

func (s *signalWindow) Run(a *Args) {
	y := slab.View[float64](a.Scratch)
	for k := range y {
		turn := 2 * math.Pi * float64(k) / float64(max(s.over, 1))
		y[k] = s.terms[0] + float64(s.terms[1]*math.Cos(turn)) + float64(s.terms[2]*math.Cos(2*turn))
	}
	s.store(a.Out[0].Data, y)
}

// planMel: the weight of each of dft_length/2 + 1 frequencies in each band of the mel scale:
// triangles between the edges.
func planMel(c *Call) error {
	var sizes [3]int
	for i := range sizes {
		var err error
		if sizes[i], err = hostInt(c, i, 1, dimLimit); err != nil {
			return err
		}
	}
	var edges [2]float64
	for i := range edges {
		hertz, err := hostFloat(c, 3+i, 0)
		if err != nil {
			return err
		}
		if !(hertz >= 0 && hertz <= dimLimit) {
			return c.Fail(c.Row.In[3+i].Name, " is ", hertz)
		}
		edges[i] = hertz
	}
	bands, length, rate := sizes[0], sizes[1], sizes[2]
	rows := length/2 + 1
	t := ir.DType(c.Int("output_datatype"))
	c.Out(0, t, rows, bands)
	if c.Err != nil {
		return c.Err
	}
	if last := melBin(edges, bands+1, bands, length, rate); last > rows || edges[0] > edges[1] {
		return c.Fail("the bands go from ", edges[0], " to ", edges[1], " hertz, want edges in their order and up to half of the sample rate, ", rate)
	}
	c.Scratch(8 * rows * bands)
	s := Into[mel](c)
	s.edges, s.bands, s.length, s.rate, s.store = edges, bands, length, rate, storeFloats(t)
	return nil
}

// melBin is the frequency, counted in steps of the transform, where band i begins.
func melBin(edges [2]float64, i, bands, length, rate int) int {
	low, high := 2595*math.Log10(1+edges[0]/700), 2595*math.Log10(1+edges[1]/700)
	at := float64(float64(i)*((high-low)/float64(bands+2))) + low
	hertz := 700 * (math.Pow(10, at/2595) - 1)
	return int(math.Floor(float64(length+1) * hertz / float64(rate)))
}

type mel struct {
	edges               [2]float64
	bands, length, rate int
	store               func(dst []byte, src []float64)
}

func (s *mel) Run(a *Args) {
	y := slab.View[float64](a.Scratch)
	clear(y)
	rows := s.length/2 + 1
	for band := range s.bands {
		bin := func(i int) int { return melBin(s.edges, band+i, s.bands, s.length, s.rate) }
		low, centre, high := bin(0), bin(1), bin(2)
		set := func(k int, v float64) {
			if k < rows {
				y[k*s.bands+band] = v
			}
		}
		set(centre, 1)
		for k := low; k < centre; k++ {
			set(k, float64(k-low)/float64(centre-low))
		}
		for k := centre; k < high; k++ {
			set(k, float64(high-k)/float64(high-centre))
		}
	}
	s.store(a.Out[0].Data, y)
}

// spectrum transforms lines of real or complex elements.
type spectrum struct {
	fourier *compute.Fourier
	n       int  // of a line
	real    bool // the input's elements, one number each; pairs otherwise
	bins    int  // results that are stored
	inverse bool
	mirrors bool // the input is the first half of a spectrum, and the output real
	load    func(dst []float64, src []byte)
	store   func(dst []byte, src []float64)
	size    int // bytes of a number
}

// set prepares for lines of n elements of the type, each of one number or a pair.
func (s *spectrum) set(c *Call, t ir.DType, n, numbers int, half, inverse bool) error {
	if !Sane(c.Clone([]int{n, 16}), ir.Float64, c.maxBytes) {
		return c.fail("transforms of % elements take more than the session's limit of % bytes", nil, n, c.maxBytes)
	}
	real := numbers == 1
	if s.fourier == nil || s.n != n || s.real != real {
		s.fourier = compute.NewFourier(n, real)
	}
	s.n, s.real, s.bins, s.inverse, s.mirrors = n, real, n, inverse, half && inverse
	if half && !inverse {
		s.bins = n/2 + 1
	}
	s.load, s.store, s.size = loadFloats(t), storeFloats(t), t.Size()
	c.Scratch(8 * (2*n + 2 + s.fourier.Room()))
	return nil
}

// line is where a line's elements are to be loaded to, before run.
func (s *spectrum) line(a *Args) (x, scratch []float64) {
	room := slab.View[float64](a.Scratch)
	return room[:2*s.n+2], room[2*s.n+2:]
}

// run transforms the line x and leaves the results there that are stored.
func (s *spectrum) run(x, scratch []float64) {
	if s.mirrors {
		for k := s.n/2 + 1; k < s.n; k++ {
			x[2*k], x[2*k+1] = x[2*(s.n-k)], -x[2*(s.n-k)+1]
		}
	}
	if s.inverse && !s.real {
		swapPairs(x[:2*s.n])
	}
	if s.real && s.n%2 == 1 {
		for i := s.n - 1; i >= 0; i-- {
			x[2*i], x[2*i+1] = x[i], 0
		}
	}
	s.fourier.Run(x, scratch)
	if s.real {
		for k := s.n/2 + 1; k < s.bins; k++ {
			x[2*k], x[2*k+1] = x[2*(s.n-k)], -x[2*(s.n-k)+1]
		}
	}
	if !s.inverse {
		return
	}
	by := 1 / float64(s.n)
	for i := range x[:2*s.bins] {
		x[i] *= by
	}
	if s.real {
		for k := range s.bins {
			x[2*k+1] = -x[2*k+1]
		}
		return
	}
	swapPairs(x[:2*s.bins])
	if s.mirrors {
		for k := range s.bins {
			x[k] = x[2*k]
		}
	}
}

// swapPairs makes of a transform's input or results those of its inverse.
func swapPairs(x []float64) {
	for i := 0; i+1 < len(x); i += 2 {
		x[i], x[i+1] = x[i+1], x[i]
	}
}

// planDFT: the input is [..., n, ..., 1 or 2], the output has dft_length or half of it and one
// along the axis, and 2 at the end. The inverse that is one-sided takes half of a spectrum and
// one, pairs, and has 1 at the end.
func planDFT(c *Call) error {
	in := c.In(0)
	dims := in.Dims
	rank := len(dims)
	if rank < 2 || dims[rank-1] != 1 && dims[rank-1] != 2 {
		return c.fail("the input has dimensions @, want [..., n, ..., 1 or 2]", dims)
	}
	which := int64(-2)
	switch {
	case c.Node.Version < 20:
		which = c.Int("axis")
	case c.In(2) != nil:
		list, _, err := hostInts(c, 2)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return c.fail("axis has % elements, want 1", nil, len(list))
		}
		which = list[0]
	}
	axis, err := axisOf(c, which, rank)
	if err != nil {
		return err
	}
	if axis == rank-1 {
		return c.fail("axis is %, which are real and imaginary parts in @", dims, int(which))
	}
	half, back := c.Int("onesided") != 0, c.Int("inverse") != 0
	n := dims[axis]
	if half && back {
		if n = 2*n - 2; dims[rank-1] == 1 {
			return c.fail("a real signal of half a spectrum comes from pairs, not from @", dims)
		}
	}
	if c.In(1) != nil {
		if n, err = hostInt(c, 1, 1, dimLimit); err != nil {
			return err
		}
	}
	if n < 1 {
		return c.fail("the input has dimensions @: nothing along axis %", dims, axis)
	}
	s := Into[dft](c)
	if err := s.set(c, in.Type, n, dims[rank-1], half, back); err != nil {
		return err
	}
	out := c.Clone(dims)
	s.lines, s.given, s.inner, s.numbers, s.outs = ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:rank-1]), dims[rank-1], 2
	if s.mirrors {
		s.outs = 1
	}
	out[axis], out[rank-1] = s.bins, s.outs
	c.Out(0, in.Type, out...)
	return nil
}

type dft struct {
	spectrum
	lines, given, inner, numbers, outs int
}

func (s *dft) Run(a *Args) {
	x, scratch := s.line(a)
	src, dst := a.In[0].Data, a.Out[0].Data
	count, one, each := min(s.given, s.n), s.size*s.numbers, s.size*s.outs
	for o := range s.lines {
		for i := range s.inner {
			if s.inner == 1 {
				s.load(x[:count*s.numbers], src[o*s.given*one:][:count*one])
			} else {
				for k := range count {
					s.load(x[k*s.numbers:][:s.numbers], src[((o*s.given+k)*s.inner+i)*one:][:one])
				}
			}
			clear(x[count*s.numbers:])
			s.run(x, scratch)
			if s.inner == 1 {
				s.store(dst[o*s.bins*each:][:s.bins*each], x[:s.bins*s.outs])
				continue
			}
			for k := range s.bins {
				s.store(dst[((o*s.bins+k)*s.inner+i)*each:][:each], x[k*s.outs:][:s.outs])
			}
		}
	}
}

// planSTFT: the signal is [batch, length], with 1 or 2 behind it or not; the output
// [batch, frames, bins, 2].
func planSTFT(c *Call) error {
	in := c.In(0)
	dims := in.Dims
	numbers := 1
	if len(dims) == 3 {
		numbers = dims[2]
	}
	if len(dims) != 2 && len(dims) != 3 || numbers != 1 && numbers != 2 {
		return c.fail("the signal has dimensions @, want [batch, length] or [batch, length, 1 or 2]", dims)
	}
	step, err := hostInt(c, 1, 1, dimLimit)
	if err != nil {
		return err
	}
	n := 0
	window := c.In(2)
	if c.In(3) != nil {
		if n, err = hostInt(c, 3, 1, dimLimit); err != nil {
			return err
		}
	} else if window != nil {
		n = window.Len()
	}
	switch {
	case n < 1:
		return c.Fail("there is neither a window nor a frame_length")
	case window != nil && (len(window.Dims) != 1 || window.Dims[0] != n):
		return c.fail("the window has dimensions @, want [%]", window.Dims, n)
	case n > dims[1]:
		return c.fail("the signal has dimensions @, shorter than a frame of %", dims, n)
	}
	half := c.Int("onesided") != 0
	if half && numbers == 2 {
		return c.fail("onesided is 1 for a signal of pairs, @", dims)
	}
	s := Into[stft](c)
	if err := s.set(c, in.Type, n, numbers, half, false); err != nil {
		return err
	}
	s.batch, s.length, s.step, s.numbers, s.frames = dims[0], dims[1], step, numbers, (dims[1]-n)/step+1
	c.Out(0, in.Type, s.batch, s.frames, s.bins, 2)
	s.windowed = window != nil
	c.Scratch(c.Bytes + 8*n)
	return nil
}

type stft struct {
	spectrum
	batch, length, step, numbers, frames int
	windowed                             bool
}

func (s *stft) Run(a *Args) {
	x, scratch := s.line(a)
	window := scratch[s.fourier.Room():][:s.n]
	if s.windowed {
		s.load(window, a.In[2].Data)
	}
	src, dst := a.In[0].Data, a.Out[0].Data
	count, size := s.n*s.numbers, 2*s.bins*s.size
	for b := range s.batch {
		for f := range s.frames {
			at := (b*s.length + f*s.step) * s.numbers * s.size
			s.load(x[:count], src[at:][:count*s.size])
			if s.windowed {
				if s.numbers == 1 {
					for k, w := range window {
						x[k] *= w
					}
				} else {
					for k, w := range window {
						x[2*k] *= w
						x[2*k+1] *= w
					}
				}
			}
			s.run(x, scratch)
			s.store(dst[(b*s.frames+f)*size:][:size], x[:2*s.bins])
		}
	}
}
