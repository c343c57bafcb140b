package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that draw numbers. A node has a sequence of its own, which each run goes on with:
// it begins with the seed or, where the node has none, with what its name and those of its
// outputs give, so that a session that is made anew draws the same. No results are constants.

func init() { Register(randomRows) }

var (
	randomSeed = Attr{Name: "seed", Kind: ir.AttrFloat}
	randomType = Attr{Name: "dtype", Kind: ir.AttrInt, I: int64(ir.Float32)}
	likeType   = Attr{Name: "dtype", Kind: ir.AttrInt}
	likeIn     = []In{{Name: "input", Types: anyType, Var: 'T'}}
	likeOut    = []Out{{Name: "output", Var: 'T', From: "dtype"}}
)

var randomRows = []Row{{
	Name: "RandomNormal", Since: 1, Changes: []int{22},
	Out:   []Out{{Name: "output", From: "dtype"}},
	Attrs: []Attr{randomType, {Name: "mean", Kind: ir.AttrFloat}, {Name: "scale", Kind: ir.AttrFloat, F: 1}, randomSeed, {Name: "shape", Kind: ir.AttrInts}},
	Check: checkDrawn, Plan: planRandom,
}, {
	Name: "RandomUniform", Since: 1, Changes: []int{22},
	Out:   []Out{{Name: "output", From: "dtype"}},
	Attrs: []Attr{randomType, {Name: "low", Kind: ir.AttrFloat}, {Name: "high", Kind: ir.AttrFloat, F: 1}, randomSeed, {Name: "shape", Kind: ir.AttrInts}},
	Check: checkDrawn, Plan: planRandom,
}, {
	Name: "RandomNormalLike", Since: 1, Changes: []int{22},
	In: likeIn, Out: likeOut,
	Attrs: []Attr{likeType, {Name: "mean", Kind: ir.AttrFloat}, {Name: "scale", Kind: ir.AttrFloat, F: 1}, randomSeed},
	Rank:  sameRank, Check: checkDrawn, Plan: planRandom,
}, {
	Name: "RandomUniformLike", Since: 1, Changes: []int{22},
	In: likeIn, Out: likeOut,
	Attrs: []Attr{likeType, {Name: "low", Kind: ir.AttrFloat}, {Name: "high", Kind: ir.AttrFloat, F: 1}, randomSeed},
	Rank:  sameRank, Check: checkDrawn, Plan: planRandom,
}, {
	Name: "Bernoulli", Since: 15, Changes: []int{22},
	In:    []In{{Name: "input", Types: floatTypes, Var: 'T'}},
	Out:   likeOut,
	Attrs: []Attr{likeType, randomSeed},
	Rank:  sameRank, Check: checkDrawn, Plan: planRandom,
}, {
	Name: "Multinomial", Since: 7, Changes: []int{22},
	In:    []In{{Name: "input", Types: floatTypes}},
	Out:   []Out{{Name: "output", From: "dtype"}},
	Attrs: []Attr{{Name: "dtype", Kind: ir.AttrInt, I: int64(ir.Int32)}, {Name: "sample_size", Kind: ir.AttrInt, I: 1}, randomSeed},
	Rank:  matrixRank, Check: checkDrawn, Plan: planMultinomial,
}}

// checkDrawn: the type of the result is the attribute's, if it is given.
func checkDrawn(n *ir.Node) string {
	types := floatTypes | halfTypes
	switch n.Op {
	case "Bernoulli":
		types |= intTypes | boolOnly
	case "Multinomial":
		types = indexTypes
	}
	if a := n.Attrs["dtype"]; a != nil && (a.Kind != ir.AttrInt || a.I < 0 || a.I > 255 || !types.Has(ir.DType(a.I))) {
		return "dtype that it does not draw"
	}
	return ""
}

// generator draws numbers: splitmix64, whose state counts.
type generator struct{ state uint64 }

// generatorOf is the node's own, which begins once.
func generatorOf(c *Call) *generator {
	c.Draws = true
	return Prepared(c, Key{2}, 0, 0, func(bool) *generator {
		const prime = 1099511628211
		h := uint64(14695981039346656037)
		mix := func(s string) {
			for i := range len(s) {
				h = (h ^ uint64(s[i])) * prime
			}
			h *= prime
		}
		if a := c.Node.Attrs["seed"]; a != nil {
			h = (h^uint64(math.Float32bits(a.F)))*prime ^ uint64(a.I)
			return &generator{h}
		}
		mix(c.Node.Name)
		for _, v := range c.Node.Outputs {
			if v != nil {
				mix(v.Name)
			}
		}
		return &generator{h}
	})
}

// uniform is a number from 0 to below 1, of 53 bits.
func (g *generator) uniform() float64 {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// normals is two independent numbers of the normal distribution: Marsaglia's polar method,
// by a logarithm of sums and products, which are the same everywhere.
func (g *generator) normals() (a, b float64) {
	for {
		u, v := 2*g.uniform()-1, 2*g.uniform()-1
		s := float64(u*u) + float64(v*v)
		if s > 0 && s < 1 {
			r := math.Sqrt(-2 * logarithm(s) / s)
			return u * r, v * r
		}
	}
}

// logarithm is the natural one of a number above 0, by the series of the inverse hyperbolic
// tangent.
func logarithm(v float64) float64 {
	m, e := math.Frexp(v)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	t := (m - 1) / (m + 1)
	q, sum := float64(t*t), 0.0
	for k := 23; k > 0; k -= 2 {
		sum = float64(sum*q) + 1/float64(k)
	}
	return float64(float64(e)*math.Ln2) + float64(2*t*sum)
}

// drawRoom is how many numbers are drawn before they are stored.
const drawRoom = 256

// planRandom is for numbers without a pattern, and Bernoulli's of 0 and 1.
func planRandom(c *Call) error {
	s := Into[random](c)
	s.generator = generatorOf(c)
	var dims []int
	t := ir.DType(c.Int("dtype"))
	if in := c.In(0); in != nil {
		if dims = in.Dims; t == ir.Undefined {
			t = in.Type
		}
	} else {
		list, given := c.Ints("shape")
		if !given {
			return c.Fail("there is no shape")
		}
		dims = c.Dims(len(list))
		for i, n := range list {
			if n < 0 || n > dimLimit {
				return c.fail("the shape's element % is %", nil, i, int(n))
			}
			dims[i] = int(n)
		}
	}
	if types := floatTypes | halfTypes; !types.Has(t) && c.Row.Name != "Bernoulli" {
		return unsupported(c, "of type ", t.String())
	}
	c.Out(0, t, dims...)
	s.normal, s.chances, s.low, s.by = false, nil, 0, 1
	switch c.Row.Name {
	case "RandomNormal", "RandomNormalLike":
		s.normal, s.low, s.by = true, float64(c.Float("mean")), float64(c.Float("scale"))
	case "Bernoulli":
		s.chances, s.from = loadFloats(c.In(0).Type), c.In(0).Type.Size()
	default:
		s.low, s.by = float64(c.Float("low")), float64(c.Float("high"))-float64(c.Float("low"))
	}
	s.store, s.size = storeFloats(t), t.Size()
	c.Scratch(16 * drawRoom)
	return nil
}

type random struct {
	*generator
	normal  bool
	low, by float64
	chances func(dst []float64, src []byte) // Bernoulli's input
	from    int                             // bytes of its elements
	store   func(dst []byte, src []float64)
	size    int
}

func (s *random) Run(a *Args) {
	room := slab.View[float64](a.Scratch)
	n := ir.Elements(a.Out[0].Dims)
	for at := 0; at < n; at += drawRoom {
		list := room[:min(drawRoom, n-at)]
		switch {
		case s.normal:
			for i := 0; i < len(list); i += 2 {
				v, w := s.normals()
				list[i] = s.low + float64(s.by*v)
				if i+1 < len(list) {
					list[i+1] = s.low + float64(s.by*w)
				}
			}
		case s.chances != nil:
			chances := room[drawRoom:][:len(list)]
			s.chances(chances, a.In[0].Data[at*s.from:][:len(list)*s.from])
			for i, p := range chances {
				list[i] = 0
				if s.uniform() < p {
					list[i] = 1
				}
			}
		default:
			for i := range list {
				list[i] = s.low + float64(s.by*s.uniform())
			}
		}
		s.store(a.Out[0].Data[at*s.size:][:len(list)*s.size], list)
	}
}

// planMultinomial: each row of the input has the logarithms of how likely classes are, up to
// a common summand; the output has sample_size classes for it.
func planMultinomial(c *Call) error {
	dims := c.In(0).Dims
	count := c.Int("sample_size")
	if len(dims) != 2 || dims[1] < 1 {
		return c.fail("the input has dimensions @, want [batch, classes]", dims)
	}
	if count < 0 || count > dimLimit {
		return c.fail("sample_size is %", nil, int(count))
	}
	s := Into[multinomial](c)
	s.generator = generatorOf(c)
	s.rows, s.classes, s.count = dims[0], dims[1], int(count)
	s.load, s.wide = loadFloats(c.In(0).Type), ir.DType(c.Int("dtype")) == ir.Int64
	c.Out(0, ir.DType(c.Int("dtype")), dims[0], int(count))
	c.Scratch(8 * s.rows * s.classes)
	return nil
}

type multinomial struct {
	*generator
	rows, classes, count int
	load                 func(dst []float64, src []byte)
	wide                 bool
}

func (s *multinomial) Run(a *Args) {
	all := slab.View[float64](a.Scratch)
	s.load(all, a.In[0].Data)
	for r := range s.rows {
		row := all[r*s.classes:][:s.classes]
		most, sum := math.Inf(-1), 0.0
		for _, v := range row {
			most = max(most, v)
		}
		for i, v := range row {
			sum += math.Exp(v - most)
			row[i] = sum
		}
		if !(sum > 0) {
			panic(ir.Shape("row ", r, " of the input has no class that is likely at all"))
		}
		for i := range s.count {
			u := s.uniform() * sum
			class := 0
			for class < s.classes-1 && u >= row[class] {
				class++
			}
			if s.wide {
				a.Out[0].Int64s()[r*s.count+i] = int64(class)
			} else {
				a.Out[0].Int32s()[r*s.count+i] = int32(class)
			}
		}
	}
}

// dropout is the step of training: it leaves out so many of the elements, and scales the others.
type dropout struct {
	*generator
	ratio float64
	load  func(dst []float64, src []byte)
	store func(dst []byte, src []float64)
	size  int
}

// planTraining is planDropout with training_mode true.
func planTraining(c *Call, ratio float64) error {
	if !(ratio >= 0 && ratio < 1) {
		return c.Fail("ratio is ", ratio, ", want one from 0 to below 1")
	}
	in := sameOut(c)
	if !(floatTypes | halfTypes).Has(in.Type) {
		return unsupported(c, "training of type ", in.Type.String())
	}
	c.Out(1, ir.Bool, in.Dims...)
	s := Into[dropout](c)
	s.generator = generatorOf(c)
	s.ratio, s.load, s.store, s.size = ratio, loadFloats(in.Type), storeFloats(in.Type), in.Type.Size()
	c.Scratch(8 * drawRoom)
	return nil
}

func (s *dropout) Run(a *Args) {
	list := slab.View[float64](a.Scratch)
	n, scale := ir.Elements(a.In[0].Dims), 1/(1-s.ratio)
	for at := 0; at < n; at += drawRoom {
		list := list[:min(drawRoom, n-at)]
		s.load(list, a.In[0].Data[at*s.size:][:len(list)*s.size])
		for i, v := range list {
			stays := s.uniform() >= s.ratio
			list[i] = 0
			if stays {
				list[i] = v * scale
			}
			if len(a.Out) > 1 && a.Out[1] != nil {
				a.Out[1].Data[at+i] = 0
				if stays {
					a.Out[1].Data[at+i] = 1
				}
			}
		}
		s.store(a.Out[0].Data[at*s.size:][:len(list)*s.size], list)
	}
}
