package train

import (
	"slices"

	"github.com/normwasm/normwasm/internal/compute"
)

// flatten only names the same numbers otherwise.
type flatten struct{}

func newFlatten(_ *builder, _ *Spec, in []int) (layer, []int, error) {
	return flatten{}, []int{elements(in)}, nil
}

func (flatten) params() []*Param                                  { return nil }
func (flatten) forward(_ *pass, x []float32) ([]float32, error)   { return x, nil }
func (flatten) backward(_ *pass, dy []float32) ([]float32, error) { return dy, nil }

// residual is x + body(x).
type residual struct {
	body  []*node
	y, dx buffer
}

func newResidual(b *builder, s *Spec, in []int) (layer, []int, error) {
	path, kind := b.path, b.kind
	if len(s.Body) == 0 {
		return nil, nil, b.value("its body has no layers")
	}
	body, out, err := b.stack(s.Body, path+".", in)
	if err != nil {
		return nil, nil, err
	}
	b.path, b.kind = path, kind
	if !slices.Equal(in, out) {
		return nil, nil, b.shape("its body makes ", out, " of ", in, ", and the two are added")
	}
	return &residual{body: body}, in, nil
}

func (r *residual) params() (list []*Param) {
	for _, n := range r.body {
		list = append(list, n.params()...)
	}
	return list
}

func (r *residual) forward(p *pass, x []float32) ([]float32, error) {
	f, err := forward(p, r.body, x)
	if err != nil {
		return nil, err
	}
	y := r.y.of(len(x))
	add(y, x, f)
	return y, nil
}

func (r *residual) backward(p *pass, dy []float32) ([]float32, error) {
	dx := r.dx.of(len(dy))
	copy(dx, dy) // layers may overwrite what they are given
	d, err := backward(p, r.body, dy)
	if err != nil {
		return nil, err
	}
	add(dx, dx, d)
	return dx, nil
}

// globalPool is the mean of each channel, or of each feature over time.
type globalPool struct {
	planes, inner, width int // [planes inner] means of rows; with width > 0 [inner width] means of columns
	y, dx, ones          buffer
}

func newGlobalPool(b *builder, _ *Spec, in []int) (layer, []int, error) {
	switch len(in) {
	case 3:
		return &globalPool{planes: in[0], inner: in[1] * in[2]}, in[:1], nil
	case 2:
		return &globalPool{planes: 1, inner: in[0], width: in[1]}, in[1:], nil
	}
	return nil, nil, b.shape("input is ", in, ", want [C H W] or [T D]")
}

func (g *globalPool) params() []*Param { return nil }

func (g *globalPool) forward(p *pass, x []float32) ([]float32, error) {
	if g.width == 0 {
		y := g.y.of(p.n * g.planes)
		compute.GlobalAverage(y, x, p.n*g.planes, g.inner)
		return y, nil
	}
	y := g.y.of(p.n * g.width)
	mean := g.ones.of(g.inner)
	for i := range mean {
		mean[i] = 1
	}
	m := compute.Gemm{M: 1, N: g.width, K: g.inner, Clamp: compute.NoClamp}
	for i := range p.n {
		p.gemm(&m, y[i*g.width:][:g.width], mean, x[i*g.inner*g.width:][:g.inner*g.width])
	}
	scale(y, y, 1/float32(g.inner))
	return y, nil
}

func (g *globalPool) backward(p *pass, dy []float32) ([]float32, error) {
	scale(dy, dy, 1/float32(g.inner))
	if g.width == 0 {
		dx := g.dx.of(len(dy) * g.inner)
		one := [1]float32{1}
		compute.Mul(dx, dy, 1, 0, one[:], 0, 0, len(dy), g.inner) // each row one number
		return dx, nil
	}
	dx := g.dx.of(p.n * g.inner * g.width)
	for i := range p.n {
		for t := range g.inner {
			copy(dx[(i*g.inner+t)*g.width:][:g.width], dy[i*g.width:])
		}
	}
	return dx, nil
}

// pool is the maximum or the mean of windows.
type pool struct {
	maximum         bool
	window          compute.Pool
	c, h, w, oh, ow int
	pairs           bool // maxima of 2×2 windows side by side, the most common ones
	relu            bool // of the maxima as well
	x               []float32
	y, dx, which    buffer
}

func newPool(b *builder, s *Spec, in []int) (layer, []int, error) {
	if len(in) != 3 {
		return nil, nil, b.shape("input is ", in, ", want [C H W]")
	}
	if err := b.positive("size", s.Size); err != nil {
		return nil, nil, err
	}
	if s.Stride < 0 {
		return nil, nil, b.value("stride is ", s.Stride, ", want at least 1")
	}
	if s.Size > in[1] || s.Size > in[2] {
		return nil, nil, b.shape("its windows of ", s.Size, " are larger than the input ", in)
	}
	stride := s.Stride
	if stride == 0 {
		stride = s.Size
	}
	l := &pool{maximum: s.Type == "maxPool2d", c: in[0], h: in[1], w: in[2]}
	l.window = compute.Pool{Window: compute.Window{KernelH: s.Size, KernelW: s.Size, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1}}
	l.oh, l.ow = l.window.OutSize(l.h, l.w)
	l.pairs = l.maximum && s.Size == 2 && stride == 2
	return l, []int{l.c, l.oh, l.ow}, nil
}

func (l *pool) params() []*Param { return nil }

func (l *pool) forward(p *pass, x []float32) ([]float32, error) {
	l.x = x
	planes := p.n * l.c
	y := l.y.of(planes * l.oh * l.ow)
	if l.pairs {
		compute.MaxPairs(y, l.which.of(len(y)), x, planes, l.h, l.w)
		if l.relu {
			compute.Relu(y, y)
		}
		return y, nil
	}
	scratch := p.scratch.of(l.window.ScratchLen(l.h, l.w))
	if l.maximum {
		l.window.Max(y, x, planes, l.h, l.w, scratch)
	} else {
		l.window.Average(y, x, planes, l.h, l.w, scratch)
	}
	return y, nil
}

func (l *pool) backward(p *pass, dy []float32) ([]float32, error) {
	planes, size, stride := p.n*l.c, l.window.KernelH, l.window.StrideH
	dx := l.dx.of(planes * l.h * l.w)
	if l.pairs {
		if l.relu {
			compute.ReluGradient(dy, dy, l.y.of(len(dy)))
		}
		compute.MaxPairsGradient(dx, dy, l.which.of(len(dy)), planes, l.h, l.w)
		return dx, nil
	}
	clear(dx)
	share := 1 / float32(size*size)
	for i := range planes {
		from, to := l.x[i*l.h*l.w:][:l.h*l.w], dx[i*l.h*l.w:][:l.h*l.w]
		d, y := dy[i*l.oh*l.ow:][:l.oh*l.ow], l.y.data[i*l.oh*l.ow:][:l.oh*l.ow]
		for oy := range l.oh {
			for ox := range l.ow {
				at, g := oy*stride*l.w+ox*stride, d[oy*l.ow+ox]
				if l.maximum {
					to[at+first(from[at:], y[oy*l.ow+ox], size, l.w)] += g
					continue
				}
				g *= share
				for ky := range size {
					row := to[at+ky*l.w:][:size]
					for kx := range row {
						row[kx] += g
					}
				}
			}
		}
	}
	return dx, nil
}

// first is where a window has the value v for the first time; its beginning when that is NaN.
func first(x []float32, v float32, size, width int) int {
	for ky := range size {
		for kx, e := range x[ky*width:][:size] {
			if e == v {
				return ky*width + kx
			}
		}
	}
	return 0
}
