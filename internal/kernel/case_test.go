package kernel

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kernelCase is all that the tests and the benchmark know of a kernel. A kernel that is
// not in the list does not exist: TestEveryKernelHasACase.
type kernelCase struct {
	name string
	// call draws operands, calls the kernel and its twin on them, and says what a float64
	// oracle holds of the result.
	call func(c *call)
	// time is what the benchmark runs.
	time []timing
}

// timing is one size of a kernel. work is what a run of it amounts to: floating-point
// operations, a product and its addition counting as two, or bytes read and written.
type timing struct {
	size    string
	work    float64
	unit    string // "GFLOP/s" or "GB/s"
	prepare func(data func(n int) *float32) func()
}

// cases are all kernels.
var cases = slices.Concat(normCases, productCases, blockedCases, winogradCases, integerCases, elementCases, pairCases, trainingCases, laneCases)

// A call collects the operands of one call of a kernel and of its twin.
type call struct {
	r        *rand.Rand
	round    int
	wild     bool // some operand holds NaN, infinities or the ends of float32: no oracle
	inputs   []*testkit.Operand
	results  []*result
	results2 []*result64
	numbers  [][2]int
}

// in returns an input of n elements of all kinds at any alignment.
func (c *call) in(n int) []float32 {
	c.wild = true
	return c.guarded(testkit.Mixed(c.r.Uint64(), n))
}

// plain is in with ordinary numbers.
func (c *call) plain(n int) []float32 { return c.guarded(testkit.Normal(c.r, n, 0.5, 2)) }

// either is plain mostly.
func (c *call) either(n int) []float32 {
	if c.r.IntN(4) == 0 {
		return c.in(n)
	}
	return c.plain(n)
}

func (c *call) guarded(x []float32) []float32 {
	o := testkit.Input("input", x, c.r.IntN(4))
	c.inputs = append(c.inputs, o)
	return o.S
}

// maybe is the address of an operand that may be absent, and is in half of the calls.
func (c *call) maybe(s []float32) []float32 {
	if c.r.IntN(2) == 0 {
		return nil
	}
	return s
}

// result is an output of the kernel and one of the twin, with the same contents and
// alignment before the call. want is the oracle of an element and how far the twin may be
// from it; without one only the bits are compared.
type result struct {
	k, t *testkit.Operand
	want func(i int) (value, tolerance float64)
	held []float32 // before the call, see keep
}

// before is what element i held.
func (o *result) before(i int) float32 { return o.held[i] }

func (o *result) kernel() *float32 { return Ptr(o.k.S) }
func (o *result) twin() *float32   { return Ptr(o.t.S) }

// out returns a result of n elements, which hold numbers before.
func (c *call) out(n int) *result { return c.over(testkit.Normal(c.r, n, 0, 1)) }

// over returns a result that holds x before.
func (c *call) over(x []float32) *result {
	offset := c.r.IntN(4)
	o := &result{k: testkit.InOut("output", x, offset), t: testkit.InOut("the twin's output", x, offset)}
	c.results = append(c.results, o)
	return o
}

// result64 is a result of float64 numbers between guards.
type result64 struct {
	k, t []float64
	want func(i int) (value, tolerance float64)
}

func (o *result64) kernel() *float64 { return &o.k[1] }
func (o *result64) twin() *float64   { return &o.t[1] }

func (c *call) out64(n int) *result64 {
	o := &result64{k: make([]float64, n+2), t: make([]float64, n+2)}
	for i := range o.k {
		o.k[i], o.t[i] = 1234.5, 1234.5
	}
	c.results2 = append(c.results2, o)
	return o
}

// same notes what the kernel and the twin returned.
func (c *call) same(kernel, twin int) { c.numbers = append(c.numbers, [2]int{kernel, twin}) }

var edges = append([]int{0, 0}, testkit.Sizes()...)

// size draws a length, mostly one of the edges of lanes, unrolled loops and folds.
func (c *call) size(most int) int {
	if c.r.IntN(4) == 0 {
		return c.r.IntN(most + 1)
	}
	n, _ := slices.BinarySearch(edges, most+1)
	return edges[c.r.IntN(n)]
}

// some is size without 0.
func (c *call) some(most int) int { return max(1, c.size(most)) }

// offsets draws n offsets below most.
func (c *call) offsets(n, most int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(c.r.IntN(most))
	}
	return s
}

// bounds draws those of a clamp.
func (c *call) bounds() (lo, hi float32) {
	b := clampBounds[c.r.IntN(len(clampBounds))]
	return float32(b[0]), float32(b[1])
}

var clampBounds = [][2]float64{
	{math.Inf(-1), math.Inf(1)}, {0, math.Inf(1)}, {0, 6}, {-1, 1}, {math.Copysign(0, -1), 6}, {-3, math.Copysign(0, -1)},
	{-3, 0}, {math.NaN(), 1}, {-1, math.NaN()}, {2, 1},
}

// clamped is min(max(v, lo), hi) of an oracle.
func clamped(v float64, lo, hi float32) float64 {
	return min(max(v, float64(lo)), float64(hi))
}

// A sum is an oracle of one: tolerance is how far float32 sums of the same terms may be.
type sum struct{ value, size float64 }

func (s *sum) add(v float64) {
	s.value += v
	s.size += math.Abs(v)
}

// after is the tolerance of n additions.
func (s sum) after(n int) float64 { return s.size*float64(n+2)*0x1p-23 + 1e-37 }

func TestKernels(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 100
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			held := 0 // elements that an oracle was asked about
			for round := range rounds {
				c := &call{r: testkit.Rand(uint64(round)), round: round}
				k.call(c)
				held += c.check(t, fmt.Sprintf("%s, round %d", k.name, round))
				if t.Failed() {
					t.FailNow()
				}
			}
			assert.NotZero(t, held, "no oracle")
		})
	}
}

// check compares the results of kernel and twin, looks at the guards, and asks the oracles.
func (c *call) check(t *testing.T, at string) (held int) {
	t.Helper()
	near := func(i int, got float64, want func(i int) (value, tolerance float64)) {
		value, tolerance := want(i)
		held++
		if math.Abs(got-value) <= tolerance || math.IsNaN(value) && math.IsNaN(got) || value == got {
			return
		}
		require.Failf(t, "far from the oracle", "%s: element %d is %v, want %v ± %v", at, i, got, value, tolerance)
	}
	for _, n := range c.numbers {
		require.Equal(t, n[1], n[0], at)
	}
	for _, o := range c.results {
		testkit.SameBits(t, o.t.S, o.k.S, "%s", at)
		o.k.Check(t, "%s", at)
		o.t.Check(t, "%s", at)
		if o.want != nil && !c.wild {
			for i, v := range o.t.S {
				near(i, float64(v), o.want)
			}
		}
	}
	for _, o := range c.results2 {
		sameBits64(t, o.t, o.k, "%s", at)
		require.Equal(t, [2]float64{1234.5, 1234.5}, [2]float64{o.k[0], o.k[len(o.k)-1]}, "%s: guards", at)
		if o.want != nil && !c.wild {
			for i, v := range o.t[1 : len(o.t)-1] {
				near(i, v, o.want)
			}
		}
	}
	for _, o := range c.inputs {
		o.Check(t, "%s", at)
	}
	return held
}

// The list has each kernel that the generator declares, and each has something to time.
func TestEveryKernelHasACase(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("skipped: it reads a source file, which there is only natively")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "kernel_other.go", nil, 0)
	require.NoError(t, err)
	var declared, listed []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			declared = append(declared, f.Name.Name)
		}
	}
	for _, k := range cases {
		listed = append(listed, k.name)
		assert.NotEmpty(t, k.time, k.name)
	}
	assert.ElementsMatch(t, declared, listed)
}

// BenchmarkKernels runs each kernel; under the tag purego, each twin.
func BenchmarkKernels(b *testing.B) {
	r := testkit.Rand(1)
	data := func(n int) *float32 { return Ptr(testkit.Normal(r, max(n, 1), 0.1, 1)) }
	for _, k := range cases {
		for _, size := range k.time {
			b.Run(k.name+"/"+size.size, func(b *testing.B) {
				run := size.prepare(data)
				for b.Loop() {
					run()
				}
				b.ReportMetric(size.work*float64(b.N)/float64(b.Elapsed().Nanoseconds()), size.unit)
			})
		}
	}
}

func operations(size string, n int, prepare func(data func(n int) *float32) func()) timing {
	return timing{size, float64(n), "GFLOP/s", prepare}
}

func bytes(size string, n int, prepare func(data func(n int) *float32) func()) timing {
	return timing{size, float64(n), "GB/s", prepare}
}
