package graph

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// The planner's tests have operators of their own, in the domain "test", so that
// they hold the planner alone to account.
func init() {
	same := func(c *op.Call) { c.Out(0, ir.Float32, c.In(0).Dims...) }
	add := func(name string, plan func(c *op.Call) error) {
		op.Register([]op.Row{{Name: name, Domain: "test", Since: 1, In: anything, Out: []op.Out{{Name: "y", Many: true}}, Plan: plan}})
	}
	// Inc adds 1, in place when it may.
	add("Inc", func(c *op.Call) error {
		same(c)
		c.InPlace(0, 0)
		c.Step = do(func(a *op.Args) {
			in, out := a.In[0].Float32s(), a.Out[0].Float32s()
			for i := range out {
				out[i] = in[i] + 1
			}
		})
		return nil
	})
	// Spread is in0 + the sum of in1, by way of scratch memory, never in place.
	add("Spread", func(c *op.Call) error {
		same(c)
		c.Scratch(4 * 37)
		c.Step = do(func(a *op.Args) {
			tmp := slab.View[float32](a.Scratch)
			for i := range tmp {
				tmp[i] = -1e9
			}
			tmp[36] = 0
			for _, v := range a.In[1].Float32s() {
				tmp[36] += v
			}
			in, out := a.In[0].Float32s(), a.Out[0].Float32s()
			for i := range out {
				out[i] = -7 // shows when out is in1 or in0 after all
			}
			for i := range out {
				out[i] = in[i] + tmp[36]
			}
		})
		return nil
	})
	// Mix adds two equally long operands, in place of either.
	add("Mix", func(c *op.Call) error {
		if c.In(0).Len() != c.In(1).Len() {
			return c.Fail("lengths ", c.In(0).Len(), " and ", c.In(1).Len())
		}
		same(c)
		c.InPlace(0, 0)
		c.InPlace(0, 1)
		c.Step = do(func(a *op.Args) {
			x, y, out := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
			for i := range out {
				out[i] = x[i] + y[i]
			}
		})
		return nil
	})
	// Twins are in0 + 1 and in0 + 2; either may take in0's memory, not both.
	add("Twins", func(c *op.Call) error {
		same(c)
		c.Out(1, ir.Float32, c.In(0).Dims...)
		c.InPlace(0, 0)
		c.InPlace(1, 0)
		c.Step = do(func(a *op.Args) {
			in, one, two := a.In[0].Float32s(), a.Out[0].Float32s(), a.Out[1].Float32s()
			for i, v := range in {
				one[i], two[i] = v+1, v+2
			}
		})
		return nil
	})
	// Mirror is in0 + the reverse of in1, in place of in0 where in1 is not the same
	// memory seen otherwise.
	add("Mirror", func(c *op.Call) error {
		same(c)
		c.InPlace(0, 0)
		c.Step = do(func(a *op.Args) {
			x, y, out := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
			for i := range out {
				out[i] = x[i] + y[len(y)-1-i]
			}
		})
		return nil
	})
	// Flat is the input as a vector, its own memory.
	add("Flat", func(c *op.Call) error {
		c.Out(0, ir.Float32, c.In(0).Len())
		c.Alias(0, 0)
		return nil
	})
	// Count has as many elements as its input's first element says.
	add("Count", func(c *op.Call) error {
		t, err := c.Host(0)
		if err != nil {
			return err
		}
		c.Out(0, ir.Float32, int(t.Float32s()[0]))
		c.Step = do(func(a *op.Args) {
			for i := range a.Out[0].Float32s() {
				a.Out[0].Float32s()[i] = float32(i)
			}
		})
		return nil
	})
	// Positive tells whether the first element is.
	add("Positive", func(c *op.Call) error {
		c.Out(0, ir.Bool)
		c.Step = do(func(a *op.Args) {
			a.Out[0].Data[0] = 0
			if a.In[0].Float32s()[0] > 0 {
				a.Out[0].Data[0] = 1
			}
		})
		return nil
	})
	// Length gives its input's length, known while planning.
	add("Length", func(c *op.Call) error {
		t := ir.NewTensor(ir.Float32)
		t.Float32s()[0] = float32(c.In(0).Len())
		c.OutHost(0, t)
		return nil
	})
	add("Panic", func(c *op.Call) error {
		same(c)
		c.Step = do(func(a *op.Args) { _ = a.In[0].Data[len(a.In[0].Data)] })
		return nil
	})
	add("Refuse", func(c *op.Call) error {
		same(c)
		c.Step = do(func(a *op.Args) { panic(errors.New("an element is odd")) })
		return nil
	})
	add("PanicPlan", func(c *op.Call) error { panic("no such thing") })
	add("Huge", func(c *op.Call) error {
		c.Out(0, ir.Float32, 1<<40, 1<<40)
		return nil
	})
	add("Sink", func(c *op.Call) error { same(c); return nil })
	op.Register([]op.Row{
		{Name: "New", Domain: "test", Since: 9, In: anything, Plan: func(c *op.Call) error { return nil }},
		{Name: "Picky", Domain: "test", Since: 1, In: anything, Check: func(*ir.Node) string { return `mode="odd"` }},
	})
}

// anything is what the operators of these tests take.
var anything = []op.In{{Name: "in", Types: ^op.Types(0), Many: true}}

// do is a step of a test's own.
type do func(a *op.Args)

func (f do) Run(a *op.Args) { f(a) }

// build makes graphs for tests.
type build struct{ g *ir.Graph }

func newBuild(dims ...ir.Dim) (*build, *ir.Value) {
	x := &ir.Value{Name: "x", Type: ir.Float32, Dims: dims, Known: dims != nil}
	return &build{&ir.Graph{Opsets: map[string]int{"": 13}, Inputs: []*ir.Value{x}}}, x
}

func (b *build) op(name string, in ...*ir.Value) *ir.Value {
	out := &ir.Value{Name: name + "_out"}
	b.g.Nodes = append(b.g.Nodes, &ir.Node{Name: "n_" + name, Op: name, Domain: "test", Version: 1, Inputs: in, Outputs: []*ir.Value{out}})
	return out
}

func (b *build) out(v ...*ir.Value) *ir.Graph {
	b.g.Outputs = v
	return b.g
}

func (b *build) branch(cond *ir.Value, yes, no *ir.Graph) *ir.Value {
	out := &ir.Value{Name: "if_out"}
	b.g.Nodes = append(b.g.Nodes, &ir.Node{Name: "if", Op: "If", Version: 13, Inputs: []*ir.Value{cond}, Outputs: []*ir.Value{out},
		Attrs: map[string]*ir.Attr{"then_branch": {Kind: ir.AttrGraph, G: yes}, "else_branch": {Kind: ir.AttrGraph, G: no}}})
	return out
}

func vector(v ...float32) *ir.Tensor {
	t := ir.NewTensor(ir.Float32, len(v))
	copy(t.Float32s(), v)
	return t
}

func fixed(v ...float32) *ir.Value {
	return &ir.Value{Name: "c", Type: ir.Float32, Const: vector(v...)}
}

func session(t testing.TB, g *ir.Graph, o Options) *Session {
	t.Helper()
	s, err := NewSession(g, o)
	require.NoError(t, err)
	return s
}

func exec(t testing.TB, s *Session, x ...float32) *Run {
	t.Helper()
	r, err := s.Prepare([][]int{{len(x)}})
	require.NoError(t, err)
	copy(r.In(0).Float32s(), x)
	require.NoError(t, r.Exec())
	return r
}

// evaluate computes a graph of test operators the slow way.
func evaluate(g *ir.Graph, x []float32) [][]float32 {
	known := map[*ir.Value][]float32{g.Inputs[0]: x}
	get := func(v *ir.Value) []float32 {
		if v.Const != nil {
			return v.Const.Float32s()
		}
		return known[v]
	}
	for _, n := range g.Nodes {
		a := get(n.Inputs[0])
		out := append([]float32(nil), a...)
		switch n.Op {
		case "Inc":
			for i := range out {
				out[i]++
			}
		case "Spread":
			sum := float32(0)
			for _, v := range get(n.Inputs[1]) {
				sum += v
			}
			for i := range out {
				out[i] += sum
			}
		case "Mix":
			for i, v := range get(n.Inputs[1]) {
				out[i] += v
			}
		case "Count":
			out = make([]float32, int(a[0]))
			for i := range out {
				out[i] = float32(i)
			}
		case "Length":
			out = []float32{float32(len(a))}
		}
		known[n.Outputs[0]] = out
	}
	var res [][]float32
	for _, v := range g.Outputs {
		res = append(res, get(v))
	}
	return res
}

// Random graphs, with values used once, often, late or never, give what the slow
// evaluation gives: no two values that live at once share memory.
func TestMemoryIsNotSharedTooEarly(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		b, x := newBuild()
		values := []*ir.Value{x, fixed(1, 2, 3), b.op("Length", x)}
		size := map[*ir.Value]int{x: 5, values[1]: 3, values[2]: 1}
		pick := func() *ir.Value { return values[max(0, len(values)-1-rnd.IntN(min(len(values), 6)))] }
		for range 3 + rnd.IntN(30) {
			var v *ir.Value
			in := pick()
			switch rnd.IntN(7) {
			case 0, 1:
				v = b.op("Inc", in)
				size[v] = size[in]
			case 2:
				v = b.op("Spread", in, pick())
				size[v] = size[in]
			case 3, 4:
				other := pick()
				if size[other] != size[in] {
					other = in
				}
				v = b.op("Mix", in, other)
				size[v] = size[in]
			case 5:
				v = b.op("Flat", in)
				size[v] = size[in]
			case 6:
				if len(b.g.Nodes)%3 == 0 { // a shape that depends on the data
					v = b.op("Count", x)
					size[v] = 4
				} else {
					v = b.op("Inc", fixed(9, 8, 7, 6))
					size[v] = 4
				}
			}
			values = append(values, v)
		}
		outs := []*ir.Value{values[len(values)-1], pick(), pick(), values[rnd.IntN(len(values))]}
		g := b.out(outs...)
		input := []float32{4, 1, -2, 3, 0.5}
		want := evaluate(g, input)

		s := session(t, g, Options{Optimize: "none"})
		for range 2 { // the second run finds the first's remains
			r := exec(t, s, input...)
			for i := range want {
				require.Equal(t, append([]float32{}, want[i]...), append([]float32{}, r.Out(i).Float32s()...), "seed %d, output %d", seed, i)
			}
		}

		// Other sizes in turn: longer and shorter ones, and steps of one.
		for _, n := range []int{6, 7, 30, 31, 2, 5, 5, 64, 1, 65, 5} {
			longer := []float32{4}
			for i := 1; i < n; i++ {
				longer = append(longer, float32(i*int(1+seed)%11)-3)
			}
			want := evaluate(g, longer)
			for range 2 {
				r := exec(t, s, longer...)
				for i := range want {
					require.Equal(t, append([]float32{}, want[i]...), append([]float32{}, r.Out(i).Float32s()...), "seed %d, %d elements, output %d", seed, n, i)
				}
			}
		}

		s = session(t, g, Options{Optimize: "none", Resident: true})
		var taken [][]byte
		var wants [][]float32
		for k := range 3 {
			fed := vector(append([]float32{4}, input[1:]...)...)
			fed.Float32s()[1] += float32(k)
			again := slices.Clone(fed.Float32s())
			r, err := s.PrepareFed([][]int{{5}}, [][]byte{fed.Data})
			require.NoError(t, err)
			require.NoError(t, r.Exec())
			require.Equal(t, again, fed.Float32s(), "seed %d: what was fed was overwritten", seed)
			for i, want := range evaluate(g, again) {
				require.Equal(t, append([]float32{}, want...), append([]float32{}, r.Out(i).Float32s()...), "seed %d, output %d, resident", seed, i)
				if b := r.Take(i); b != nil {
					taken, wants = append(taken, b), append(wants, slices.Clone(want))
				}
			}
			r.Forget()
			var gone *ir.ReleasedError
			require.ErrorAs(t, r.Exec(), &gone, "what was fed was let go of")
		}
		for i, b := range taken {
			require.Equal(t, wants[i], slab.View[float32](b), "seed %d: a result was overwritten by a later run", seed)
		}
	}
}

func TestResidentMemory(t *testing.T) {
	build := func() *ir.Graph {
		b, x := newBuild()
		v := b.op("Inc", b.op("Inc", x))
		return b.out(v, b.op("Flat", v), b.op("Inc", v), x)
	}
	s := session(t, build(), Options{Resident: true})
	a, c := vector(1, 2, 3), vector(5, 6, 7)
	for k, in := range []*ir.Tensor{a, c, a, nil, c} {
		fed := [][]byte{nil}
		if in != nil {
			fed[0] = in.Data
		}
		r, err := s.PrepareFed([][]int{{3}}, fed)
		require.NoError(t, err)
		if in == nil {
			in = vector(8, 8, 8)
			copy(r.In(0).Data, in.Data)
		}
		require.NoError(t, r.Exec())
		first := in.Float32s()[0]
		for i, add := range []float32{2, 2, 3, 0} {
			assert.Equal(t, first+add, r.Out(i).Float32s()[0], "run %d, output %d", k, i)
			assert.Equal(t, i == 1, r.Take(i) == nil, "the second is the first by another name, and has to be copied")
		}
		r.Forget()
	}
	assert.Equal(t, 64, s.Bytes(), "what was written for the caller and by him is none of the session's, but for the one that was copied in")
	_, err := s.PrepareFed([][]int{{3}}, [][]byte{make([]byte, 8)})
	assert.ErrorContains(t, err, "is fed 8 bytes, want 12")
}

func TestInPlaceSavesMemory(t *testing.T) {
	b, x := newBuild()
	v := x
	for range 10 {
		v = b.op("Inc", v)
	}
	s := session(t, b.out(v), Options{})
	r := exec(t, s, make([]float32, 1024)...)
	assert.Equal(t, float32(10), r.Out(0).Float32s()[1023])
	assert.Equal(t, float32(0), r.In(0).Float32s()[0], "the caller's input stays")
	assert.Equal(t, 2*4096, s.Bytes())
}

func TestInPlaceIsRefusedWhereItWouldHurt(t *testing.T) {
	b, x := newBuild()
	v := b.op("Inc", x)
	one, two := &ir.Value{Name: "one"}, &ir.Value{Name: "two"}
	b.g.Nodes = append(b.g.Nodes, &ir.Node{Op: "Twins", Domain: "test", Version: 1, Inputs: []*ir.Value{v}, Outputs: []*ir.Value{one, two}})
	r := exec(t, session(t, b.out(b.op("Inc", one)), Options{}), 1, 2, 3)
	assert.Equal(t, []float32{4, 5, 6}, r.Out(0).Float32s(), "an unused output does not write over a used one")

	b, x = newBuild()
	v = b.op("Inc", x)
	s := session(t, b.out(b.op("Mirror", v, b.op("Flat", v))), Options{})
	r, err := s.Prepare([][]int{{3, 1}})
	require.NoError(t, err)
	copy(r.In(0).Float32s(), []float32{1, 2, 3})
	require.NoError(t, r.Exec())
	assert.Equal(t, []float32{6, 6, 6}, r.Out(0).Float32s(), "other dimensions of the same memory")
}

func TestOutputsAreTheCallersOwn(t *testing.T) {
	b, x := newBuild()
	c := fixed(1, 2)
	s := session(t, b.out(x, b.op("Flat", x), c), Options{})
	for range 2 {
		r := exec(t, s, 5, 6, 7)
		assert.Equal(t, []float32{5, 6, 7}, r.Out(0).Float32s())
		assert.Equal(t, []float32{5, 6, 7}, r.Out(1).Float32s())
		assert.Equal(t, []float32{1, 2}, r.Out(2).Float32s())
		for i := range 3 {
			clear(r.Out(i).Data)
		}
		assert.Equal(t, float32(5), r.In(0).Float32s()[0])
	}
}

func TestConstantsAreComputedOnce(t *testing.T) {
	b, x := newBuild()
	sum := b.op("Mix", b.op("Inc", fixed(1, 2)), fixed(10, 20))
	b.op("Flat", sum)
	s := session(t, b.out(b.op("Mix", x, sum)), Options{})
	r := exec(t, s, 100, 200)
	assert.Equal(t, []float32{112, 223}, r.Out(0).Float32s())
	assert.Equal(t, []OpCount{{Op: "Mix", N: 1}}, s.Ops())
}

func TestDataDependentShapes(t *testing.T) {
	b, x := newBuild()
	n := b.op("Inc", x)
	late := b.op("Inc", n) // planned after the wait, needs a value from before
	g := b.out(b.op("Inc", b.op("Count", n)), b.op("Spread", late, x))
	s := session(t, g, Options{})
	for _, first := range []float32{2, 4, 2, 0, 7, 8, 9, 2} {
		r := exec(t, s, first, 1)
		want := evaluate(g, []float32{first, 1})
		assert.Equal(t, []int{int(first) + 1}, r.Out(0).Dims)
		assert.Equal(t, want[0], r.Out(0).Float32s())
		assert.Equal(t, want[1], r.Out(1).Float32s())
	}
}

func TestIf(t *testing.T) {
	make := func(known bool) *ir.Graph {
		b, x := newBuild()
		yes, _ := newBuild()
		no, _ := newBuild()
		yes.g.Inputs, no.g.Inputs = nil, nil
		before := b.op("Inc", x)
		inner, _ := newBuild()
		inner.g.Inputs = nil
		deep := yes.branch(b.op("Positive", fixed(1)), inner.out(inner.op("Inc", before)), inner.g)
		cond := x
		if known {
			cond = b.op("Length", x)
		}
		v := b.branch(b.op("Positive", cond), yes.out(yes.op("Inc", deep)), no.out(no.op("Spread", before, x)))
		return b.out(b.op("Mix", v, before))
	}
	t.Run("known while planning", func(t *testing.T) {
		r := exec(t, session(t, make(true), Options{}), 1, 2)
		assert.Equal(t, []float32{6, 8}, r.Out(0).Float32s())
	})
	t.Run("known while running", func(t *testing.T) {
		s := session(t, make(false), Options{})
		for range 2 {
			assert.Equal(t, []float32{6, 8}, exec(t, s, 1, 2).Out(0).Float32s())
			assert.Equal(t, []float32{1.5, 8.5}, exec(t, s, -1, 2.5).Out(0).Float32s())
		}
	})
}

func TestExecAllocatesNothing(t *testing.T) {
	b, x := newBuild()
	n := b.op("Inc", x)
	whole := session(t, b.out(b.op("Spread", n, b.op("Inc", n)), x), Options{})
	b, x = newBuild()
	parts := session(t, b.out(b.op("Inc", b.op("Count", b.op("Inc", x)))), Options{})
	for name, s := range map[string]*Session{"one segment": whole, "two segments": parts} {
		r, dims := exec(t, s, 3, 4), [][]int{{2}}
		held := s.Bytes()
		assert.Zero(t, testing.AllocsPerRun(50, func() {
			if r.Exec() != nil {
				panic("failed")
			}
		}), name)
		assert.Zero(t, testing.AllocsPerRun(50, func() {
			if _, err := s.Prepare(dims); err != nil {
				panic(err)
			}
		}), name)
		assert.Equal(t, held, s.Bytes())
	}
}

func TestRunsShareOneArena(t *testing.T) {
	b, x := newBuild()
	s := session(t, b.out(b.op("Spread", b.op("Inc", x), x)), Options{})
	small := exec(t, s, 1, 2)
	large, err := s.Prepare([][]int{{1000}})
	require.NoError(t, err)
	var gone *ir.ReleasedError
	assert.ErrorAs(t, small.Exec(), &gone, "its memory is gone")
	require.NoError(t, large.Exec())
	for n := range 30 {
		r := exec(t, s, make([]float32, n)...)
		assert.Len(t, r.Out(0).Float32s(), n)
	}
	assert.ErrorAs(t, large.Exec(), &gone)
	last := exec(t, s, 1, 2)
	assert.Equal(t, []float32{5, 6}, last.Out(0).Float32s())
	s.Release()
	s.Release()
	assert.ErrorAs(t, last.Exec(), &gone)
	_, err = s.Prepare([][]int{{1}})
	assert.ErrorAs(t, err, &gone)
	assert.Zero(t, s.Bytes())
}

func TestPrepareChecksShapes(t *testing.T) {
	g := func() *ir.Graph {
		b, x := newBuild(ir.Dim{Size: 1}, ir.Dim{Size: -1, Symbol: "width"}, ir.Dim{Size: -1})
		y := &ir.Value{Name: "y", Type: ir.Float32, Known: true, Dims: []ir.Dim{{Size: -1, Symbol: "width"}}}
		b.g.Inputs = append(b.g.Inputs, y)
		return b.out(x, y)
	}
	for want, dims := range map[string][][]int{
		"got 1 shapes, want 2, one for each input":                                {{1, 2, 3}},
		`input "x" has shape [1 2], want [1 width ?]`:                             {{1, 2}, {2}},
		`input "x" has shape [2 2 2], want [1 width ?]`:                           {{2, 2, 2}, {2}},
		`input "x" has shape [1 -2 3]: negative`:                                  {{1, -2, 3}, {2}},
		`input "x" has shape [1 2305843009213693952 9]: negative, or more than`:   {{1, 1 << 61, 9}, {2}},
		`input "x" has shape [1 0 4611686018427387904]: negative, or more than t`: {{1, 0, 1 << 62}, {0}},
	} {
		_, err := session(t, g(), Options{}).Prepare(dims)
		var bad *ir.ShapeError
		require.ErrorAs(t, err, &bad)
		assert.Contains(t, err.Error(), want)
	}
	_, err := session(t, g(), Options{}).Prepare([][]int{{1, 2, 3}, {3}})
	require.NoError(t, err, "exporters give unlike sizes one name")
	r, err := session(t, g(), Options{}).Prepare([][]int{{1, 0, 3}, {0}})
	require.NoError(t, err)
	require.NoError(t, r.Exec())
	assert.Empty(t, r.Out(0).Float32s())

	s := session(t, g(), Options{FreeDims: map[string]int{"width": 4}})
	assert.Equal(t, 4, s.Inputs()[0].Dims[1].Size)
	_, err = s.Prepare([][]int{{1, 3, 3}, {3}})
	assert.ErrorContains(t, err, "want [1 4 ?]")

	var bad *ir.ShapeError
	_, err = NewSession(g(), Options{FreeDims: map[string]int{"width": 4, "nonsense": 1, "zero": 2}})
	require.ErrorAs(t, err, &bad)
	assert.EqualError(t, err, `graph: there is no free dimension "nonsense"; those of the model's inputs are "width"`)
	b, x := newBuild(ir.Dim{Size: 2}, ir.Dim{Size: -1})
	_, err = NewSession(b.out(x), Options{FreeDims: map[string]int{"": 4}})
	assert.EqualError(t, err, `graph: there is no free dimension ""; the model's inputs have none`)
	b, x = newBuild()
	for i := range 40 {
		x.Dims = append(x.Dims, ir.Dim{Size: -1, Symbol: text.Join("d", i)})
	}
	_, err = NewSession(b.out(x), Options{FreeDims: map[string]int{"n": 1}})
	assert.ErrorContains(t, err, `"d31" and 8 more`)
}

func TestEverythingMissingIsListed(t *testing.T) {
	b, x := newBuild()
	b.op("Odd", x)
	b.op("Odd", x)
	b.op("New", x)
	b.op("Picky", x)
	sub, _ := newBuild()
	sub.g.Inputs = nil
	sub.op("Hid\nden", x)
	b.branch(x, sub.out(x), &ir.Graph{})
	b.g.Missing.Add("type complex64")
	b.g.Opsets[""] = 27
	_, err := NewSession(b.out(x), Options{})
	var bad *ir.UnsupportedError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, []string{"type complex64", "opset 27 (1 to 26 are implemented)", "test.Odd (opset 1)",
		"test.New (opset 1), implemented from opset 9 on", `Picky mode="odd" (opset 1)`,
		"If with 1 outputs, of which its else_branch gives 0 (opset 13)", `"test.Hid\nden" (opset 1)`}, bad.Missing)
}

func TestFailuresAreErrors(t *testing.T) {
	for name, want := range map[string]string{
		"PanicPlan": "no such thing",
		"Panic":     `Panic "n_Panic" failed: runtime error: index out of range [8] with length 8`,
		"Refuse":    `graph: Refuse "n_Refuse": an element is odd`,
		"Huge":      `Huge "n_Huge": output 0 would have dimensions [1099511627776 1099511627776]`,
		"Sink":      `Sink "n_Sink": the operator gives no step`,
	} {
		b, x := newBuild()
		s := session(t, b.out(b.op(name, x)), Options{})
		r, err := s.Prepare([][]int{{2}})
		if err == nil {
			err = r.Exec()
		}
		assert.ErrorContains(t, err, want)
	}

	b, x := newBuild()
	s := session(t, b.out(b.op("Spread", x, x)), Options{MaxBytes: 10000})
	_, err := s.Prepare([][]int{{1500}})
	assert.ErrorContains(t, err, "needs 12224 bytes, more than the session's limit of 10000")
	exec(t, s, 1, 2, 3)

	b, x = newBuild()
	s = session(t, b.out(b.op("Inc", &ir.Value{Name: "ghost"})), Options{})
	_, err = s.Prepare([][]int{{2}})
	assert.ErrorContains(t, err, `value "ghost" is used before it is computed`)
	_ = x

	_, err = NewSession(&ir.Graph{}, Options{Optimize: "most"})
	assert.Error(t, err)
}

// packed is what the operator of the next test keeps.
type packed []float32

func (p packed) Bytes() int { return 4 * len(p) }

func TestPreparedIsKeptForConstantsOnly(t *testing.T) {
	made := 0
	op.Register([]op.Row{{Name: "Pack", Domain: "test", Since: 1, In: anything, Plan: func(c *op.Call) error {
		op.Prepared(c, op.Key{}, 1, 2, func(bool) packed { made++; return make(packed, 100) })
		c.Out(0, ir.Float32, c.In(0).Dims...)
		c.Step = do(func(*op.Args) {})
		return nil
	}}})

	b, x := newBuild()
	s := session(t, b.out(b.op("Pack", x, fixed(1))), Options{})
	held := s.Bytes()
	exec(t, s, 1)
	exec(t, s, 1, 2)
	assert.Equal(t, 1, made)
	assert.GreaterOrEqual(t, s.Bytes()-held, 400)

	b, x = newBuild()
	s = session(t, b.out(b.op("Pack", x, b.op("Length", x))), Options{})
	exec(t, s, 1)
	exec(t, s, 1, 2)
	assert.Equal(t, 3, made)
}

func TestProfile(t *testing.T) {
	b, x := newBuild()
	s := session(t, b.out(b.op("Inc", b.op("Flat", x))), Options{})
	clock := 0.0
	times, err := exec(t, s, 1, 2).ExecProfiled(func() float64 { clock += 1.5; return clock })
	require.NoError(t, err)
	assert.Equal(t, []StepTime{{Name: "n_Inc", Op: "Inc", Threads: 1, Ms: 1.5}}, times)
	assert.Equal(t, []OpCount{{Op: "Inc", N: 1}}, s.run.Ops())
	assert.Equal(t, []OpCount{{Op: "Flat", N: 1}, {Op: "Inc", N: 1}}, s.Ops())
}
