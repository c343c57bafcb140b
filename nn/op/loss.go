//go:build !lean

package op

import (
	"errors"
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Losses, as exporters of training graphs write them.

func init() { Register(lossRows) }

var lossAttrs = []Attr{{Name: "ignore_index", Kind: ir.AttrInt},
	{Name: "reduction", Kind: ir.AttrString, S: "mean", Words: []string{"none", "sum", "mean"}}}

var lossRows = []Row{{
	Name: "NegativeLogLikelihoodLoss", Since: 12, Changes: []int{13, 22},
	In: []In{{Name: "input", Types: floatTypes, Var: 'T'}, {Name: "target", Types: indexTypes},
		{Name: "weight", Types: floatTypes, Var: 'T', Opt: true}},
	Out:   []Out{{Name: "loss", Var: 'T'}},
	Attrs: lossAttrs,
	Rank:  lossRank,
	Plan:  planLoss,
}, {
	Name: "SoftmaxCrossEntropyLoss", Since: 12, Changes: []int{13},
	In: []In{{Name: "scores", Types: floatTypes, Var: 'T'}, {Name: "labels", Types: indexTypes},
		{Name: "weights", Types: floatTypes, Var: 'T', Opt: true}},
	Out:   []Out{{Name: "output", Var: 'T'}, {Name: "log_prob", Var: 'T', Opt: true}},
	Attrs: lossAttrs,
	Rank:  lossRank,
	Plan:  planLoss,
}}

func lossRank(n *ir.Node, rank func(i int) int) int {
	if n.Str("reduction", "mean") != "none" {
		return 0
	}
	return rank(1)
}

// planLoss: scores [N, C, …] are logarithms of probabilities, or are made so, and labels
// [N, …] say which of the C classes is right. A label that is to be ignored counts as of
// weight 0.
func planLoss(c *Call) error {
	x, target := c.In(0), c.In(1)
	dims := x.Dims
	fits := len(dims) >= 2 && len(target.Dims) == len(dims)-1 && target.Dims[0] == dims[0] && ir.SameDims(target.Dims[1:], dims[2:])
	if !fits {
		return c.Fail("scores have dimensions ", dims, " and labels ", target.Dims, ": there has to be a label in place of each row of classes")
	}
	if w := c.In(2); w != nil && (len(w.Dims) != 1 || w.Dims[0] != dims[1]) {
		return c.Fail("weights have dimensions ", w.Dims, ", want one for each of ", dims[1], " classes")
	}
	s := Into[loss](c)
	s.outer, s.n, s.inner = dims[0], dims[1], ir.Elements(dims[2:])
	s.softmax, s.reduction = c.Node.Op != "NegativeLogLikelihoodLoss", c.Str("reduction")
	s.ignores, s.ignored = c.Node.Attrs["ignore_index"] != nil, c.Int("ignore_index")
	s.index, s.load, s.store = indexTypeOf(c, 1), loadFloats(x.Type), storeFloats(x.Type)
	if s.reduction == "none" {
		c.Out(0, x.Type, target.Dims...)
	} else {
		c.Out(0, x.Type)
	}
	c.Out(1, x.Type, dims...)
	c.Scratch(8 * (x.Len() + target.Len() + dims[1] + 1))
	return nil
}

type loss struct {
	outer, n, inner int // of the scores: n are the classes
	softmax         bool
	reduction       string
	ignores         bool
	ignored         int64
	index           indexType
	load            func(dst []float64, src []byte)
	store           func(dst []byte, src []float64)
}

func (s *loss) Run(a *Args) {
	count := s.outer * s.inner
	all := slab.View[float64](a.Scratch)
	x, y, weights := all[:count*s.n], all[count*s.n:][:count], all[count*(s.n+1):][:s.n]
	s.load(x, a.In[0].Data)
	for i := range weights {
		weights[i] = 1
	}
	if len(a.In) > 2 && a.In[2] != nil {
		s.load(weights, a.In[2].Data)
	}
	if s.softmax {
		s.logarithms(x)
		if len(a.Out) > 1 && a.Out[1] != nil {
			s.store(a.Out[1].Data, x)
		}
	}
	sum, total := 0.0, 0.0
	for k := range y {
		y[k] = 0
		class := s.index.at(a.In[1].Data, k)
		if s.ignores && class == s.ignored {
			continue
		}
		if class < 0 || class >= int64(s.n) {
			panic(errors.New(text.Join("label ", k, " is ", class, ", want one in [0, ", s.n-1, "]")))
		}
		w := weights[class]
		y[k] = -w * x[(k/s.inner*s.n+int(class))*s.inner+k%s.inner]
		sum += y[k]
		total += w
	}
	switch s.reduction {
	case "none":
		s.store(a.Out[0].Data, y)
		return
	case "mean":
		sum /= total
	}
	all[0] = sum
	s.store(a.Out[0].Data, all[:1])
}

// logarithms turns scores into logarithms of probabilities.
func (s *loss) logarithms(x []float64) {
	for o := range s.outer {
		for i := range s.inner {
			row := x[o*s.n*s.inner+i:]
			most, sum := math.Inf(-1), 0.0
			for k := range s.n {
				most = max(most, row[k*s.inner])
			}
			for k := range s.n {
				sum += math.Exp(row[k*s.inner] - most)
			}
			sum = most + math.Log(sum)
			for k := range s.n {
				row[k*s.inner] -= sum
			}
		}
	}
}
