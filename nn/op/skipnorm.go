package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/norm"
)

// Normalizations as other optimizers write them: of sums, and by other names.

func init() { Register(skipNormRows) }

var (
	skipOut  = []Out{{Name: "output", Var: 'T'}, {Name: "mean", Type: ir.Float32, Opt: true}, {Name: "inv_std_var", Type: ir.Float32, Opt: true}, {Name: "input_skip_bias_sum", Var: 'T', Opt: true}}
	skipEps  = []Attr{{Name: "epsilon", Kind: ir.AttrFloat, F: 1e-12}}
	simpleIn = []In{{Name: "X", Types: float32Only, Var: 'T'}, {Name: "scale", Types: float32Only, Var: 'T'}}
	rmsOut   = []Out{{Name: "Y", Var: 'T'}, {Name: "InvStdDev", Var: 'T', Opt: true}}
)

var skipNormRows = []Row{{
	Name: "SkipLayerNormalization", Domain: microsoft, Since: 1,
	In: []In{{Name: "input", Types: float32Only, Var: 'T'}, {Name: "skip", Types: float32Only, Var: 'T'}, {Name: "gamma", Types: float32Only, Var: 'T'},
		{Name: "beta", Types: float32Only, Var: 'T', Opt: true}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true}},
	Out: skipOut, Attrs: skipEps, Rank: sameRank,
	Plan: func(c *Call) error { return planSkipNorm(c, 3, 4) },
}, {
	Name: "SkipSimplifiedLayerNormalization", Domain: microsoft, Since: 1,
	In: []In{{Name: "input", Types: float32Only, Var: 'T'}, {Name: "skip", Types: float32Only, Var: 'T'}, {Name: "gamma", Types: float32Only, Var: 'T'},
		{Name: "bias", Types: float32Only, Var: 'T', Opt: true}},
	Out: skipOut, Attrs: skipEps, Rank: sameRank,
	Plan: func(c *Call) error { return planSkipNorm(c, none, 3) },
}, {
	// onnxruntime writes it into ONNX's domain, which does not have it.
	Name: "SimplifiedLayerNormalization", Since: 1, In: simpleIn, Out: rmsOut, Attrs: []Attr{lastAxis, epsilon, stash},
	Rank: sameRank, Check: checkStash, Limits: stashLimit,
	Plan: planRMSNorm,
}, {
	Name: "SimplifiedLayerNormalization", Domain: microsoft, Since: 1, In: simpleIn, Out: rmsOut, Attrs: []Attr{lastAxis, epsilon, stash},
	Rank: sameRank, Check: checkStash, Limits: stashLimit,
	Plan: planRMSNorm,
}, {
	Name: "EmbedLayerNormalization", Domain: microsoft, Since: 1,
	In: []In{{Name: "input_ids", Types: 1 << ir.Int32}, {Name: "segment_ids", Types: 1 << ir.Int32, Opt: true},
		{Name: "word_embedding", Types: float32Only, Var: 'T'}, {Name: "position_embedding", Types: float32Only, Var: 'T'},
		{Name: "segment_embedding", Types: float32Only, Var: 'T', Opt: true}, {Name: "gamma", Types: float32Only, Var: 'T'}, {Name: "beta", Types: float32Only, Var: 'T'},
		{Name: "mask", Types: 1 << ir.Int32, Opt: true}, {Name: "position_ids", Types: 1 << ir.Int32, Opt: true}},
	Out:   []Out{{Name: "output", Var: 'T'}, {Name: "mask_index", Type: ir.Int32, Opt: true}, {Name: "embedding_sum", Var: 'T', Opt: true}},
	Attrs: []Attr{{Name: "epsilon", Kind: ir.AttrFloat, F: 1e-12}, {Name: "mask_index_type", Kind: ir.AttrInt}},
	Rank:  func(*ir.Node, func(i int) int) int { return 3 },
	Plan:  planEmbedNorm,
}}

// planSkipNorm: y = norm(x + skip + bias)·gamma + beta along the last axis; without an input
// for beta the root mean square is what x is divided by. skip may lack x's first dimension,
// or have 1 there: it is repeated then.
func planSkipNorm(c *Call, beta, bias int) error {
	dims := c.In(0).Dims
	if len(dims) < 1 {
		return c.fail("input has dimensions @, want at least one", dims)
	}
	cols := dims[len(dims)-1]
	if c.Node.Wide {
		if wide, err := planWideSkipNorm(c, beta); wide || err != nil {
			return err
		}
	}
	s := Into[skipNorm](c)
	*s = skipNorm{rows: ir.Elements(dims[:len(dims)-1]), cols: cols, epsilon: float64(c.Float("epsilon")), rms: beta == none, beta: none, bias: none, sum: none}
	if skip := c.In(1).Dims; !ir.SameDims(skip, dims) {
		if len(dims) < 2 || !repeats(skip, dims) || ir.Elements(skip) != ir.Elements(dims[1:]) {
			return c.Fail("skip has dimensions ", skip, ", want ", dims, ", or 1 or none for the first of them")
		}
		s.skipRows = ir.Elements(dims[1 : len(dims)-1])
	} else {
		s.skipRows = s.rows
	}
	for _, i := range [...]int{2, beta, bias} {
		if i == none || c.In(i) == nil {
			continue
		}
		if d := c.In(i).Dims; len(d) != 1 || d[0] != cols {
			return c.fail("input % has dimensions @, want [%]", d, i, cols)
		}
		switch i {
		case beta:
			s.beta = i
		case bias:
			s.bias = i
		}
	}
	c.Out(0, ir.Float32, dims...)
	c.InPlace(0, 0)
	if c.NumOut() > 1 {
		stats := statDims(c, dims, len(dims)-1)
		c.Out(1, ir.Float32, stats...)
		c.Out(2, ir.Float32, stats...)
		if c.NumOut() > 3 && c.Node.Outputs[3] != nil {
			c.Out(3, ir.Float32, dims...)
			s.sum = 3
			if s.skipRows == s.rows {
				c.InPlace(3, 1)
			}
		}
	}
	return nil
}

// skipNorm normalizes rows of sums.
type skipNorm struct {
	rows, cols      int
	skipRows        int // after so many, skip begins again
	epsilon         float64
	rms             bool
	beta, bias, sum int // inputs, and the output that takes the sums
}

func (s *skipNorm) Rows() int { return s.rows }

func (s *skipNorm) Run(a *Args) { s.RunRows(a, 0, s.rows) }

// sumBlock is how many elements are summed before they are normalized: 16 KB, which the
// first-level cache still holds.
const sumBlock = 4096

func (s *skipNorm) RunRows(a *Args, from, to int) {
	if s.cols == 0 {
		return
	}
	x, skip, y := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
	sums := y
	if s.sum != none && a.Out[s.sum] != nil {
		sums = a.Out[s.sum].Float32s()
	}
	var beta []float32
	if s.beta != none {
		beta = a.In[s.beta].Float32s()
	}
	mean, rstd := output(a, 1), output(a, 2)
	add := func(from, to int) {
		for row := from; row < to; {
			at := row % s.skipRows
			count := min(to-row, s.skipRows-at)
			lo, hi := row*s.cols, (row+count)*s.cols
			compute.Add(sums[lo:hi], x[lo:hi], 0, 1, skip[at*s.cols:], 0, 1, 1, hi-lo)
			row += count
		}
		if s.bias != none {
			sum := sums[from*s.cols : to*s.cols]
			compute.Add(sum, sum, s.cols, 1, a.In[s.bias].Float32s(), 0, 1, to-from, s.cols)
		}
	}
	n := max(1, sumBlock/s.cols)
	parts := threads.Parts(to-from, (to-from)*s.cols)
	if parts > 1 { // all sums first: each thread has its own in its cache
		threads.For(parts, func(part int) {
			lo, hi := threads.Range(to-from, parts, part)
			add(from+lo, from+hi)
		})
		n = to - from
	}
	for row := from; row < to; row += n {
		end := min(row+n, to)
		if parts == 1 {
			add(row, end)
		}
		lo, hi := row*s.cols, end*s.cols
		if s.rms {
			must(norm.RMSNormRows(y[lo:hi], part(rstd, row, end), sums[lo:hi], a.In[2].Float32s(), end-row, s.cols, s.epsilon))
		} else {
			must(norm.LayerNormRows(y[lo:hi], part(mean, row, end), part(rstd, row, end), sums[lo:hi], nil, a.In[2].Float32s(), beta, end-row, s.cols, s.epsilon))
		}
	}
}

// planWideSkipNorm is for what the optimizer has made of a sum and a normalization, whose
// operands broadcast in any way. It is not wide where planSkipNorm will do.
func planWideSkipNorm(c *Call, beta int) (wide bool, err error) {
	sum, err := broadcastDims(c, 0, 1)
	if err != nil {
		return false, err
	}
	cols := 0
	if len(sum) > 0 {
		cols = sum[len(sum)-1]
	}
	if n := c.In(2).Len(); n == cols && ir.SameDims(sum, c.In(0).Dims) && (beta == none || c.In(beta) == nil || c.In(beta).Len() == cols) {
		skip := c.In(1).Dims
		if ir.SameDims(skip, sum) || len(sum) > 1 && ir.Elements(skip) == ir.Elements(sum[1:]) {
			return false, nil
		}
	}
	if len(sum) == 0 {
		return false, c.Fail("the sum is a scalar")
	}
	s := Into[wideSkipNorm](c)
	sum = c.Clone(sum)
	s.rms, s.rows, s.cols, s.epsilon = beta == none, ir.Elements(sum[:len(sum)-1]), cols, float64(c.Float("epsilon"))
	s.add.set(sum, c.In(0).Dims, c.In(1).Dims)
	out := c.Clone(sum)
	s.beta = none
	for _, i := range [...]int{2, beta} {
		if i == none || c.In(i) == nil {
			continue
		}
		n := c.In(i).Len()
		if last := out[len(out)-1]; last == 1 {
			out[len(out)-1] = n
		} else if n != last && n != 1 {
			return false, c.fail("input % has dimensions @ for rows of %", c.In(i).Dims, i, last)
		}
		if i == beta {
			s.beta = i
		}
	}
	if err := checkDims(c, out); err != nil {
		return false, err
	}
	s.scaled.set(out, sum, c.In(2).Dims)
	if s.beta != none {
		s.shifted.set(out, out, c.In(s.beta).Dims)
	}
	c.Out(0, ir.Float32, out...)
	s.sum = none
	if c.NumOut() > 3 {
		c.Out(1, ir.Float32)
		c.Out(2, ir.Float32)
		c.Out(3, ir.Float32, sum...)
		s.sum = 3
	}
	s.size = ir.Elements(sum)
	c.Scratch(8 * s.size)
	return true, nil
}

type wideSkipNorm struct {
	add, scaled, shifted broadcast
	rows, cols, size     int
	beta, sum            int
	rms                  bool
	epsilon              float64
}

func (s *wideSkipNorm) Run(a *Args) {
	if s.size == 0 {
		return
	}
	scratch, y := slab.View[float32](a.Scratch), a.Out[0].Float32s()
	sums, x := scratch[:s.size], scratch[s.size:2*s.size]
	if s.sum != none {
		sums = a.Out[s.sum].Float32s()
	}
	walkRows(&s.add, compute.Add, sums, a.In[0].Float32s(), a.In[1].Float32s(), 0)
	if s.rms {
		must(norm.RMSNormRows(x, nil, sums, nil, s.rows, s.cols, s.epsilon))
	} else {
		must(norm.LayerNormRows(x, nil, nil, sums, nil, nil, nil, s.rows, s.cols, s.epsilon))
	}
	walkRows(&s.scaled, compute.Mul, y, x, a.In[2].Float32s(), 0)
	if s.beta != none {
		walkRows(&s.shifted, compute.Add, y, y, a.In[s.beta].Float32s(), 0)
	}
}

// planEmbedNorm: the sum of the embeddings of words, positions and segments, normalized.
func planEmbedNorm(c *Call) error {
	ids, words, positions := c.In(0).Dims, c.In(2).Dims, c.In(3).Dims
	if len(ids) != 2 || len(words) != 2 || len(positions) != 2 || positions[1] != words[1] {
		return c.Fail("input_ids has dimensions ", ids, ", word_embedding ", words, " and position_embedding ", positions, ", want [batch, length], [words, n] and [positions, n]")
	}
	s := Into[embedNorm](c)
	*s = embedNorm{batch: ids[0], length: ids[1], cols: words[1], epsilon: float64(c.Float("epsilon"))}
	for _, i := range [...]int{1, 7, 8} {
		if in := c.In(i); in != nil && !ir.SameDims(in.Dims, ids) && !(i == 8 && repeats(in.Dims, ids) && len(in.Dims) == 2) {
			return c.fail("input % has dimensions @, want [%, %]", in.Dims, i, ids[0], ids[1])
		}
	}
	if segments := c.In(4); (segments == nil) != (c.In(1) == nil) || segments != nil && (len(segments.Dims) != 2 || segments.Dims[1] != s.cols) {
		return c.Fail("segment_ids and segment_embedding [segments, ", s.cols, "] go together")
	}
	for _, i := range [...]int{5, 6} {
		if d := c.In(i).Dims; len(d) != 1 || d[0] != s.cols {
			return c.fail("input % has dimensions @, want [%]", d, i, s.cols)
		}
	}
	c.Out(0, ir.Float32, ids[0], ids[1], s.cols)
	if c.NumOut() > 1 {
		c.Out(1, ir.Int32, ids[0])
		c.Out(2, ir.Float32, ids[0], ids[1], s.cols)
	}
	return nil
}

type embedNorm struct {
	batch, length, cols int
	epsilon             float64
}

func (s *embedNorm) Run(a *Args) {
	y := a.Out[0].Float32s()
	sums := y
	if len(a.Out) > 2 && a.Out[2] != nil {
		sums = a.Out[2].Float32s()
	}
	for row := range s.batch * s.length {
		sum := sums[row*s.cols:][:s.cols]
		copy(sum, embedded(a.In[2], int(a.In[0].Int32s()[row]), s.cols))
		position := row % s.length
		if len(a.In) > 8 && a.In[8] != nil {
			ids := a.In[8].Int32s()
			position = int(ids[row%len(ids)])
		}
		compute.Add(sum, sum, 0, 1, embedded(a.In[3], position, s.cols), 0, 1, 1, s.cols)
		if a.In[1] != nil {
			compute.Add(sum, sum, 0, 1, embedded(a.In[4], int(a.In[1].Int32s()[row]), s.cols), 0, 1, 1, s.cols)
		}
	}
	if s.cols > 0 {
		must(norm.LayerNormRows(y, nil, nil, sums, nil, a.In[5].Float32s(), a.In[6].Float32s(), s.batch*s.length, s.cols, s.epsilon))
	}
	if len(a.Out) > 1 && a.Out[1] != nil {
		counts := a.Out[1].Int32s()
		clear(counts)
		if len(a.In) > 7 && a.In[7] != nil {
			for i, m := range a.In[7].Int32s() {
				if m == 1 {
					counts[i/s.length]++
				}
			}
		}
	}
}

// embedded is a row of a table.
func embedded(table *ir.Tensor, row, cols int) []float32 {
	if uint(row) >= uint(table.Dims[0]) {
		panic(errors.New(text.Join("an index is ", row, ", want one in [0, ", table.Dims[0]-1, "]")))
	}
	return table.Float32s()[row*cols:][:cols]
}
