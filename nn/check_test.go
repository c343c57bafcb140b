package nn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// draw makes the arguments of a call: of the right lengths, unless it is to spoil one.
type draw struct {
	r        *rand.Rand
	spoil    int // which operand gets a wrong length
	count    int
	spoiled  string
	operands []*testkit.Operand
}

// of returns n elements, or some others.
func (d *draw) of(name string, n int) []float32 {
	n = max(n, 0)
	if d.count == d.spoil {
		wrong := n - 1
		if n == 0 || d.r.IntN(3) == 0 && !strings.HasPrefix(name, "some ") {
			wrong = n + 1
		}
		if !strings.HasPrefix(name, "some ") || n > 0 {
			d.spoiled, n = strings.TrimPrefix(name, "some "), wrong
		}
	}
	d.count++
	o := testkit.InOut(name, testkit.Normal(d.r, n, 0, 1), d.r.IntN(4))
	o.S = o.S[:n:n]
	d.operands = append(d.operands, o)
	return o.S
}

// dims are small sizes, 0 among them.
func (d *draw) dim() int { return d.r.IntN(6) }

func (d *draw) window() Window {
	one := func(n int) int { return 1 + d.r.IntN(n) }
	pad := func() int { return d.r.IntN(3) }
	return Window{one(3), one(3), one(2), one(2), one(2), one(2), pad(), pad(), pad(), pad()}
}

func (d *draw) conv() ConvShape {
	groups := 1 + d.r.IntN(2)
	return ConvShape{d.window(), groups * d.r.IntN(3), groups * d.r.IntN(3), groups}
}

// functions are all that take slices, each with a valid call; operands of which more will
// do are called "some …".
var functions = map[string]func(d *draw) error{
	"Softmax": func(d *draw) error {
		outer, n, inner := d.dim(), d.dim(), d.dim()
		return Softmax(d.of("y", outer*n*inner), d.of("x", outer*n*inner), outer, n, inner, d.some(outer*n*inner, SoftmaxScratch(n, inner)))
	},
	"LogSoftmax": func(d *draw) error {
		outer, n, inner := d.dim(), d.dim(), d.dim()
		return LogSoftmax(d.of("y", outer*n*inner), d.of("x", outer*n*inner), outer, n, inner, d.some(outer*n*inner, SoftmaxScratch(n, inner)))
	},
	"Reduce": func(d *draw) error {
		outer, n, inner := d.dim(), d.dim(), d.dim()
		return Reduce(d.r.IntN(10)).Run(d.of("y", outer*inner), d.of("x", outer*n*inner), outer, n, inner)
	},
	"GlobalAverage": func(d *draw) error {
		planes, inner := d.dim(), d.dim()
		return GlobalAverage(d.of("y", planes), d.of("x", planes*inner), planes, inner)
	},
	"GlobalMax": func(d *draw) error {
		planes, inner := d.dim(), d.dim()
		return GlobalMax(d.of("y", planes), d.of("x", planes*inner), planes, inner)
	},
	"ArgMax": func(d *draw) error {
		n, step := 1+d.dim(), 1+d.dim()
		i, err := ArgMax(d.of("some x", (n-1)*step+1), n, step, true)
		if i < 0 || i >= n {
			return errors.New("an index outside")
		}
		return err
	},
	"ArgMin": func(d *draw) error {
		n, step := 1+d.dim(), 1+d.dim()
		_, err := ArgMin(d.of("some x", (n-1)*step+1), n, step, false)
		return err
	},
	"Transpose": func(d *draw) error {
		shape := []int{d.dim(), 1 + d.dim(), 1 + d.dim()}
		n := shape[0] * shape[1] * shape[2]
		return Transpose(d.of("y", n), d.of("x", n), shape, d.r.Perm(3))
	},
	"Gemm": func(d *draw) error {
		g := d.gemm()
		return g.Run(d.of("y", g.M*g.N), d.of("a", g.M*g.K), d.of("b", g.K*g.N), d.of("some scratch", g.ScratchLen()))
	},
	"Gemm, rows apart": func(d *draw) error {
		g := Gemm{M: 1 + d.dim(), N: 1 + d.dim(), K: 1 + d.dim()}
		g.LDA, g.LDB, g.LDY = g.K+d.dim(), g.N+d.dim(), g.N+d.dim()
		span := func(name string, rows, ld, cols int) []float32 {
			if ld == 0 {
				return d.of(name, rows*cols)
			}
			return d.of("some "+name, (rows-1)*ld+cols)
		}
		return g.Run(span("y", g.M, g.LDY, g.N), span("a", g.M, g.LDA, g.K), span("b", g.K, g.LDB, g.N), d.of("some scratch", g.ScratchLen()))
	},
	"Gemm, packed": func(d *draw) error {
		g := d.gemm()
		b, err := g.PackB(d.of("b", g.K*g.N))
		if err != nil {
			return err
		}
		return g.RunPacked(d.of("y", g.M*g.N), d.of("a", g.M*g.K), b, d.of("some scratch", g.ScratchLen()))
	},
	"Conv": func(d *draw) error {
		s, n, h, w := d.conv(), d.dim(), d.dim(), d.dim()
		conv, err := PackConv(s, d.of("weights", s.OutChannels*s.InChannels/s.Groups*s.KernelH*s.KernelW), d.of("bias", s.OutChannels), ReLU)
		if err != nil {
			return err
		}
		oh, ow := s.OutSize(h, w)
		return conv.Run(d.of("y", n*s.OutChannels*oh*ow), d.of("x", n*s.InChannels*h*w), n, h, w, d.of("some scratch", conv.ScratchLen(h, w)))
	},
	"ConvTranspose": func(d *draw) error {
		s, n, h, w := d.conv(), d.dim(), d.dim(), d.dim()
		conv, err := PackConvTranspose(s, d.of("weights", s.InChannels*s.OutChannels/s.Groups*s.KernelH*s.KernelW), d.of("bias", s.OutChannels), NoClamp)
		if err != nil {
			return err
		}
		oh, ow := conv.OutSize(h, w)
		oh += d.r.IntN(3)
		return conv.Run(d.of("y", n*s.OutChannels*oh*ow), d.of("x", n*s.InChannels*h*w), n, h, w, oh, ow, d.of("some scratch", conv.ScratchLen(h, w)))
	},
	"Conv, repacked": func(d *draw) error {
		s := ConvShape{d.window(), 2, 3, 1}
		conv, err := PackConv(s, make([]float32, 6*s.KernelH*s.KernelW), nil, NoClamp)
		if err != nil {
			return err
		}
		return conv.Repack(d.of("weights", 6*s.KernelH*s.KernelW), d.of("bias", 3))
	},
	"ConvTranspose, repacked": func(d *draw) error {
		s := ConvShape{d.window(), 2, 3, 1}
		conv, err := PackConvTranspose(s, make([]float32, 6*s.KernelH*s.KernelW), nil, NoClamp)
		if err != nil {
			return err
		}
		return conv.Repack(d.of("weights", 6*s.KernelH*s.KernelW), d.of("bias", 3))
	},
	"Pool, maxima": func(d *draw) error {
		p, planes, h, w := d.pool()
		oh, ow := p.OutSize(h, w)
		return p.Max(d.of("y", planes*oh*ow), d.of("x", planes*h*w), planes, h, w, d.of("some scratch", p.ScratchLen(h, w)))
	},
	"Pool, means": func(d *draw) error {
		p, planes, h, w := d.pool()
		oh, ow := p.OutSize(h, w)
		return p.Average(d.of("y", planes*oh*ow), d.of("x", planes*h*w), planes, h, w, d.of("some scratch", p.ScratchLen(h, w)))
	},
}

func (d *draw) pool() (p Pool, planes, h, w int) {
	return Pool{d.window(), d.r.IntN(2) == 0, d.r.IntN(2) == 0}, d.dim(), d.dim(), d.dim()
}

// some is scratch that is only looked at where there is something to do.
func (d *draw) some(size, n int) []float32 {
	if size == 0 {
		return nil
	}
	return d.of("some scratch", n)
}

func (d *draw) gemm() Gemm {
	g := Gemm{M: d.dim(), N: d.dim(), K: d.dim(), TransA: d.r.IntN(2) == 0, TransB: d.r.IntN(2) == 0, Alpha: float32(d.r.IntN(3))}
	switch g.Start = Start(d.r.IntN(4)); g.Start {
	case FromRow:
		g.Bias = d.of("Bias", g.M)
	case FromColumn:
		g.Bias = d.of("Bias", g.N)
	}
	return g
}

func init() {
	for name, f := range map[string]func(y, x []float32) error{
		"Relu": Relu, "Abs": Abs, "Neg": Neg, "Sqrt": Sqrt, "Exp": Exp, "Sigmoid": Sigmoid, "Silu": Silu, "Tanh": Tanh, "Erf": Erf,
		"Gelu": Gelu, "GeluTanh": GeluTanh, "Log": Log, "Floor": Floor, "Ceil": Ceil, "Round": Round, "Sin": Sin, "Cos": Cos,
		"Reciprocal": Reciprocal, "Sign": Sign, "Softplus": Softplus, "Softsign": Softsign, "Mish": Mish,
		"Clip":            func(y, x []float32) error { return Clip(y, x, -1, 1) },
		"LeakyRelu":       func(y, x []float32) error { return LeakyRelu(y, x, 0.1) },
		"HardSigmoid":     func(y, x []float32) error { return HardSigmoid(y, x, 0.2, 0.5) },
		"HardSwish":       func(y, x []float32) error { return HardSwish(y, x, 0.2, 0.5) },
		"Elu":             func(y, x []float32) error { return Elu(y, x, 1) },
		"Selu":            func(y, x []float32) error { return Selu(y, x, 1, 2) },
		"Celu":            func(y, x []float32) error { return Celu(y, x, 1) },
		"ThresholdedRelu": func(y, x []float32) error { return ThresholdedRelu(y, x, 1) },
		"Map":             func(y, x []float32) error { return Map(y, x, func(v float32) float32 { return v }) },
	} {
		functions[name] = func(d *draw) error {
			n := d.dim()
			x := make([]float32, n)
			return f(d.of("y", n), x)
		}
	}
	for name, f := range map[string]func(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int) error{
		"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Max": Max, "Min": Min, "Pow": Pow, "PRelu": PRelu,
	} {
		functions[name] = func(d *draw) error {
			rows, cols := d.dim(), d.dim()
			as, ac, bs, bc := d.dim(), d.r.IntN(2), d.dim(), d.r.IntN(2)
			reach := func(name string, step, column int) []float32 {
				if rows*cols == 0 {
					return nil
				}
				return d.of("some "+name, (rows-1)*step+(cols-1)*column+1)
			}
			return f(d.of("y", rows*cols), reach("a", as, ac), as, ac, reach("b", bs, bc), bs, bc, rows, cols)
		}
	}
}

// draws is fewer in WebAssembly, where the checks are the same code and slower.
func draws(n int) int {
	if testing.Short() || runtime.GOARCH == "wasm" {
		return n / 15
	}
	return n
}

// Valid calls do what they say, at sizes of 0 as well; one with an operand of a wrong length
// says which, and touches nothing.
func TestFunctionsCheckTheirLengths(t *testing.T) {
	for name, f := range functions {
		op, _, _ := strings.Cut(name, ",")
		refused := map[string]bool{}
		for round := range uint64(draws(300)) {
			valid := &draw{r: testkit.Rand(round), spoil: -1}
			require.NoError(t, f(valid), "%s, round %d", name, round)
			for spoil := range valid.count {
				d := &draw{r: testkit.Rand(round), spoil: spoil}
				err := f(d)
				at := fmt.Sprintf("%s, round %d, operand %d (%s)", name, round, spoil, d.spoiled)
				for _, o := range d.operands {
					o.Check(t, "%s", at)
				}
				if d.spoiled == "" {
					continue // an operand of 0 elements, of which more will do
				}
				refused[d.spoiled] = true
				var shape *ShapeError
				require.ErrorAs(t, err, &shape, at)
				require.Equal(t, op, shape.Op, at)
				require.Regexp(t, "^"+d.spoiled+" has [0-9]+ elements, want (at least )?[0-9]+ \\(", shape.Detail, at)
			}
		}
		assert.NotEmpty(t, refused, name)
	}
}

// Numbers that make no sense are refused, whatever the lengths, and nothing panics.
func TestAbsurdNumbers(t *testing.T) {
	absurd := []int{-1, 0, 1, 2, 3, 1 << 20, 1 << 31, 1 << 40, 1<<62 + 1, -1 << 63}
	r := testkit.Rand(1)
	n := func() int {
		if r.IntN(3) > 0 {
			return r.IntN(4)
		}
		return absurd[r.IntN(len(absurd))]
	}
	s := func() []float32 { return make([]float32, r.IntN(20)) }
	window := func() Window { return Window{n(), n(), n(), n(), n(), n(), n(), n(), n(), n()} }
	var failures, successes int
	count := func(err error) {
		if err != nil {
			failures++
		} else {
			successes++
		}
	}
	for range draws(30000) {
		count(Softmax(s(), s(), n(), n(), n(), s()))
		count(Reduce(n()).Run(s(), s(), n(), n(), n()))
		count(Add(s(), s(), n(), n(), s(), n(), n(), n(), n()))
		count(Pow(s(), s(), n(), n(), s(), n(), n(), n(), n()))
		_, err := ArgMax(s(), n(), n(), true)
		count(err)
		count(Transpose(s(), s(), []int{n(), n()}, []int{n(), n()}))
		g := Gemm{M: n(), N: n(), K: n(), LDA: n(), LDB: n(), LDY: n(), TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0, Start: Start(r.IntN(6)), Bias: s()}
		count(g.Run(s(), s(), s(), make([]float32, 200)))
		b, err := g.PackB(s())
		count(err)
		count(g.RunPacked(s(), s(), b, make([]float32, 200)))
		shape := ConvShape{window(), n(), n(), n()}
		conv, err := PackConv(shape, s(), nil, NoClamp)
		if count(err); err == nil {
			_ = conv.ScratchLen(n(), n())
			count(conv.Run(s(), s(), n(), n(), n(), make([]float32, 200)))
		}
		back, err := PackConvTranspose(shape, s(), nil, NoClamp)
		if count(err); err == nil {
			_ = back.ScratchLen(n(), n())
			_, _ = back.OutSize(n(), n())
			count(back.Run(s(), s(), n(), n(), n(), n(), n(), make([]float32, 200)))
		}
		pool := Pool{window(), r.IntN(2) == 0, r.IntN(2) == 0}
		_ = pool.Same(n(), n(), true)
		count(pool.Max(s(), s(), n(), n(), n(), make([]float32, 200)))
		count(pool.Average(s(), s(), n(), n(), n(), make([]float32, 200)))
	}
	assert.Greater(t, failures, draws(30000))
	assert.Greater(t, successes, draws(5000))
}

func TestErrorTexts(t *testing.T) {
	x, y := make([]float32, 6), make([]float32, 5)
	conv := ConvShape{Window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 2, 4, 1}
	for want, err := range map[string]error{
		"nn: Exp: y has 5 elements, want 6 (as x)":                                      Exp(y, x),
		"nn: Softmax: y has 5 elements, want 6 (2·3·1)":                                 Softmax(y, x, 2, 3, 1, x),
		"nn: Softmax: n is -3, want at least 0":                                         Softmax(y, x, 2, -3, 1, x),
		"nn: Softmax: an operand would have 65536·65536·1 elements, want less than 2³¹": Softmax(y, x, 1<<16, 1<<16, 1, x),
		"nn: Add: b has 5 elements, want at least 6 (2 rows of 3, steps of 3 and 1)":    Add(x, x, 0, 1, y, 3, 1, 2, 3),
		"nn: Gemm: a has 5 elements, want 6 (2·3)":                                      (&Gemm{M: 2, N: 1, K: 3}).Run(x[:2], y, x[:3], make([]float32, 99)),
		"nn: Gemm: b has 5 elements, want at least 7 (3 rows of 1, 3 apart)":            (&Gemm{M: 2, N: 1, K: 3, LDB: 3}).Run(x[:2], x, y, make([]float32, 99)),
		"nn: Gemm: rows of y lie 2 apart, want at least 3":                              (&Gemm{M: 2, N: 3, K: 1, LDY: 2}).Run(x, x[:2], x[:3], make([]float32, 99)),
		"nn: Gemm: the packed operand is absent, want 3 by 1":                           (&Gemm{M: 2, N: 1, K: 3}).RunPacked(x[:2], x, nil, make([]float32, 99)),
		"nn: Conv: weights has 6 elements, want 72 (4·2·3·3)":                           second(PackConv(conv, x, nil, ReLU)),
		"nn: Conv: bias has 5 elements, want 4 (one for each output channel)":           second(PackConv(conv, make([]float32, 72), y, ReLU)),
		"nn: Conv: StrideH is 0, want 1 to 1048576":                                     second(PackConv(ConvShape{Window{1, 1, 0, 1, 1, 1, 0, 0, 0, 0}, 1, 1, 1}, x, nil, ReLU)),
		"nn: Conv: 2 and 4 channels are no multiple of 3 groups":                        second(PackConv(ConvShape{conv.Window, 2, 4, 3}, x, nil, ReLU)),
		"nn: Transpose: perm is [0 0], want each of 2 axes once":                        Transpose(x, x, []int{2, 3}, []int{0, 0}),
		"nn: Reduce: there is no reduction 10, want 0 to 9":                             Reduce(10).Run(x, x, 1, 1, 1),
		"nn: ArgMax: x has 6 elements, want at least 7 (3·2 and the last)":              second(ArgMax(x, 4, 2, true)),
		"nn: Window: KernelW is 1048577, want 1 to 1048576":                             Window{1, 1<<20 + 1, 1, 1, 1, 1, 0, 0, 0, 0}.Check(),
		"nn: Add: the steps of a are 1 and 2, want at least 0, and 0 or 1":              Add(x, x, 1, 2, x, 0, 0, 2, 3),
	} {
		assert.EqualError(t, err, want)
	}
}

func second[T any](_ T, err error) error { return err }
