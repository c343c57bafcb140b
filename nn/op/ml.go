//go:build !lean

package op

import (
	"errors"
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators of the domain ai.onnx.ml that prepare features: those of pipelines of
// scikit-learn, above all.

func init() { Register(mlRows) }

const (
	mlDomain = "ai.onnx.ml"
	mlTypes  = floatTypes | indexTypes
)

var (
	mlX      = []In{{Name: "X", Types: mlTypes, Var: 'T'}}
	mlFloatY = []Out{{Name: "Y", Type: ir.Float32}}
)

var mlRows = []Row{{
	Name: "Scaler", Domain: mlDomain, Since: 1,
	In: mlX, Out: mlFloatY,
	Attrs:  []Attr{{Name: "offset", Kind: ir.AttrFloats}, {Name: "scale", Kind: ir.AttrFloats}},
	Rank:   sameRank,
	Verify: verifyScaler,
	Plan:   planScaler,
}, {
	Name: "Normalizer", Domain: mlDomain, Since: 1,
	In: mlX, Out: mlFloatY,
	Attrs: []Attr{{Name: "norm", Kind: ir.AttrString, S: "MAX", Words: []string{"MAX", "L1", "L2"}}},
	Rank:  sameRank,
	Plan:  planNormalizer,
}, {
	Name: "Binarizer", Domain: mlDomain, Since: 1,
	In: mlX, Out: yOut,
	Attrs: []Attr{{Name: "threshold", Kind: ir.AttrFloat}},
	Rank:  sameRank,
	Plan:  planBinarizer,
}, {
	Name: "Imputer", Domain: mlDomain, Since: 1,
	In: mlX, Out: yOut,
	Attrs: []Attr{{Name: "imputed_value_floats", Kind: ir.AttrFloats}, {Name: "imputed_value_int64s", Kind: ir.AttrInts},
		{Name: "replaced_value_float", Kind: ir.AttrFloat}, {Name: "replaced_value_int64", Kind: ir.AttrInt}},
	Rank: sameRank,
	Plan: planImputer,
}, {
	Name: "OneHotEncoder", Domain: mlDomain, Since: 1,
	In:     []In{{Name: "X", Types: mlTypes | stringOnly, Var: 'T'}},
	Out:    mlFloatY,
	Attrs:  []Attr{{Name: "cats_int64s", Kind: ir.AttrInts}, {Name: "cats_strings", Kind: ir.AttrStrings}, {Name: "zeros", Kind: ir.AttrInt, I: 1}},
	Rank:   func(_ *ir.Node, rank func(i int) int) int { return max(rank(0), -2) + 1 },
	Verify: verifyOneHotEncoder,
	Plan:   planOneHotEncoder,
}, {
	Name: "ArrayFeatureExtractor", Domain: mlDomain, Since: 1,
	In:   []In{{Name: "X", Types: mlTypes | stringOnly, Var: 'T'}, {Name: "Y", Types: 1 << ir.Int64}},
	Out:  []Out{{Name: "Z", Var: 'T'}},
	Plan: planArrayFeatureExtractor,
}, {
	Name: "FeatureVectorizer", Domain: mlDomain, Since: 1,
	In:    []In{{Name: "X", Types: mlTypes, Many: true}},
	Out:   mlFloatY,
	Attrs: []Attr{{Name: "inputdimensions", Kind: ir.AttrInts}},
	Rank:  matrixRank,
	Plan:  planFeatureVectorizer,
}, {
	Name: "LabelEncoder", Domain: mlDomain, Since: 1, Changes: []int{2, 4},
	In:  []In{{Name: "X", Types: floatTypes | stringOnly | 1<<ir.Int64 | 1<<ir.Int32 | 1<<ir.Int16}},
	Out: []Out{{Name: "Y", Choose: labelEncoded}},
	Attrs: []Attr{{Name: "classes_strings", Kind: ir.AttrStrings, Till: 1}, {Name: "default_float", Kind: ir.AttrFloat},
		{Name: "default_int64", Kind: ir.AttrInt, I: -1}, {Name: "default_string", Kind: ir.AttrString, S: "_Unused"}, {Name: "default_tensor", Kind: ir.AttrTensor},
		{Name: "keys_floats", Kind: ir.AttrFloats}, {Name: "keys_int64s", Kind: ir.AttrInts}, {Name: "keys_strings", Kind: ir.AttrStrings}, {Name: "keys_tensor", Kind: ir.AttrTensor},
		{Name: "values_floats", Kind: ir.AttrFloats}, {Name: "values_int64s", Kind: ir.AttrInts}, {Name: "values_strings", Kind: ir.AttrStrings}, {Name: "values_tensor", Kind: ir.AttrTensor}},
	Rank:   sameRank,
	Verify: verifyLabelEncoder,
	Plan:   planLabelEncoder,
}, {
	Name: "CategoryMapper", Domain: mlDomain, Since: 1,
	In:  []In{{Name: "X", Types: stringOnly | 1<<ir.Int64}},
	Out: []Out{{Name: "Y"}},
	Attrs: []Attr{{Name: "cats_int64s", Kind: ir.AttrInts}, {Name: "cats_strings", Kind: ir.AttrStrings},
		{Name: "default_int64", Kind: ir.AttrInt, I: -1}, {Name: "default_string", Kind: ir.AttrString, S: "_Unused"}},
	Rank:   sameRank,
	Verify: verifyLabelEncoder,
	Plan:   planLabelEncoder,
}, {
	Name: "ZipMap", Domain: mlDomain, Since: 1,
	In:     []In{{Name: "X", Types: float32Only, Var: 'T'}},
	Out:    []Out{{Name: "Z", Var: 'T'}},
	Attrs:  []Attr{{Name: "classlabels_int64s", Kind: ir.AttrInts}, {Name: "classlabels_strings", Kind: ir.AttrStrings}},
	Rank:   matrixRank,
	Limits: "gives the numbers as a tensor, a column for each label in their order, in place of maps",
	Plan:   planZipMap,
}}

// features gives the rows and columns of input 0, of which a list is one row.
func features(c *Call) (rows, cols int, err error) {
	switch dims := c.In(0).Dims; len(dims) {
	case 1:
		return 1, dims[0], nil
	case 2:
		return dims[0], dims[1], nil
	default:
		return 0, 0, c.fail("the input has dimensions @, want rows of features", dims)
	}
}

// featuresAs is input 0 as float64, rounded to float32 where it was an integer: so are the
// numbers that it is compared with and multiplied by.
type featuresAs struct {
	load    func(dst []float64, src []byte)
	rounded bool
	n       int
}

func (f *featuresAs) set(c *Call) {
	t := c.In(0).Type
	f.load, f.rounded, f.n = loadFloats(t), !floatTypes.Has(t), c.In(0).Len()
}

func (f *featuresAs) read(a *Args, x []float64) {
	f.load(x, a.In[0].Data)
	if f.rounded {
		for i, v := range x {
			x[i] = float64(float32(v))
		}
	}
}

func verifyScaler(n *ir.Node) error {
	if offset, scale := floatsOf(n, "offset"), floatsOf(n, "scale"); len(offset) != len(scale) {
		return wrong(n, "there are ", len(offset), " offsets and ", len(scale), " scales")
	}
	return nil
}

// planScaler: (x − offset)·scale, with one of each, or one for each column.
func planScaler(c *Call) error {
	_, cols, err := features(c)
	if err != nil {
		return err
	}
	s := Into[scaler](c)
	s.offset, s.scale = floatsOf(c.Node, "offset"), floatsOf(c.Node, "scale")
	if n := len(s.offset); n != 1 && n != cols {
		return c.fail("there are % offsets and scales for % columns", nil, n, cols)
	}
	s.in.set(c)
	s.double = c.In(0).Type == ir.Float64
	c.Out(0, ir.Float32, c.In(0).Dims...)
	c.Scratch(8 * s.in.n)
	return nil
}

type scaler struct {
	in            featuresAs
	offset, scale []float32
	double        bool // computed in float64
}

func (s *scaler) Run(a *Args) {
	x, y := scratchFloats(a, 0, s.in.n), a.Out[0].Float32s()
	s.in.read(a, x)
	k := 0
	for i, v := range x {
		if s.double {
			y[i] = float32((v - float64(s.offset[k])) * float64(s.scale[k]))
		} else {
			y[i] = float32(float32(v)-s.offset[k]) * s.scale[k]
		}
		if k++; k == len(s.offset) {
			k = 0
		}
	}
}

// planNormalizer divides rows by their largest element or by a norm, unless that is 0.
func planNormalizer(c *Call) error {
	_, cols, err := features(c)
	if err != nil {
		return err
	}
	s := Into[mlNormalizer](c)
	s.cols, s.norm = cols, c.Str("norm")
	s.in.set(c)
	c.Out(0, ir.Float32, c.In(0).Dims...)
	c.Scratch(8 * s.in.n)
	return nil
}

type mlNormalizer struct {
	in   featuresAs
	cols int
	norm string
}

func (s *mlNormalizer) Run(a *Args) {
	x, y := scratchFloats(a, 0, s.in.n), a.Out[0].Float32s()
	s.in.read(a, x)
	for len(x) > 0 {
		by := float32(0)
		if s.norm == "MAX" {
			by = -math.MaxFloat32
		}
		for _, v := range x[:s.cols] {
			switch s.norm {
			case "MAX":
				by = max(by, float32(v))
			case "L1":
				by += float32(math.Abs(v))
			default:
				by += float32(v * v)
			}
		}
		for i, v := range x[:s.cols] {
			switch {
			case by == 0:
				y[i] = float32(v)
			case s.norm == "L2":
				y[i] = float32(math.Copysign(math.Sqrt(float64(float32(v*v)/by)), v))
			default:
				y[i] = float32(v) / by
			}
		}
		x, y = x[s.cols:], y[s.cols:]
	}
}

func planBinarizer(c *Call) error {
	threshold := float64(c.Float("threshold"))
	if floatTypes.Has(sameOut(c).Type) {
		stepEach(c, func(v float64) float64 { return truth[float64](v > threshold) })
	} else {
		stepEach(c, func(v int64) int64 { return truth[int64](float64(v) > threshold) })
	}
	return nil
}

// planImputer puts values, one or one for each column, in place of those that are missing.
func planImputer(c *Call) error {
	_, cols, err := features(c)
	if err != nil {
		return err
	}
	t := sameOut(c).Type
	if floatTypes.Has(t) {
		var values []float64
		for _, v := range floatsOf(c.Node, "imputed_value_floats") {
			values = append(values, float64(v))
		}
		missing := float64(c.Float("replaced_value_float"))
		return stepImputer(c, cols, values, func(v float64) bool { return v == missing || v != v && missing != missing })
	}
	missing := c.Int("replaced_value_int64")
	return stepImputer(c, cols, listOf(c.Node, "imputed_value_int64s"), func(v int64) bool { return v == missing })
}

func stepImputer[T wideElem](c *Call, cols int, values []T, missing func(v T) bool) error {
	if n := len(values); n != 1 && n != cols {
		return c.fail("there are % values to impute for % columns", nil, n, cols)
	}
	s := Into[imputer[T]](c)
	s.values, s.missing = values, missing
	s.w.set(c, 1, c.In(0).Type, c.In(0).Len())
	return nil
}

type imputer[T wideElem] struct {
	w       wide[T]
	values  []T
	missing func(v T) bool
}

func (s *imputer[T]) Run(a *Args) {
	y, k := s.w.out(a), 0
	for i, v := range s.w.in(a, 0) {
		if y[i] = v; s.missing(v) {
			y[i] = s.values[k]
		}
		if k++; k == len(s.values) {
			k = 0
		}
	}
	s.w.done(a)
}

// lookup finds the place of a string or a number in a list of such.
type lookup struct {
	strings map[string]int
	numbers map[int64]int // by orderKeys
}

// newLookup is of a list: of equal ones the first counts.
func newLookup(keys *ir.Tensor) *lookup {
	l := &lookup{}
	if keys.Type == ir.String {
		l.strings = make(map[string]int, len(keys.Strings))
		for i, s := range keys.Strings {
			if _, ok := l.strings[s]; !ok {
				l.strings[s] = i
			}
		}
		return l
	}
	l.numbers = make(map[int64]int, keys.Len())
	for i, k := range orderKeys(keys) {
		if _, ok := l.numbers[k]; !ok {
			l.numbers[k] = i
		}
	}
	return l
}

// ofStrings and ofInts are lists of attributes as tensors.
func ofStrings(list []string) *ir.Tensor {
	return &ir.Tensor{Type: ir.String, Dims: []int{len(list)}, Strings: list}
}

func ofInts(list []int64) *ir.Tensor {
	return &ir.Tensor{Type: ir.Int64, Dims: []int{len(list)}, Data: slab.Bytes(list)}
}

func ofFloats(list []float32) *ir.Tensor {
	return &ir.Tensor{Type: ir.Float32, Dims: []int{len(list)}, Data: slab.Bytes(list)}
}

func verifyOneHotEncoder(n *ir.Node) error {
	if ints, words := listOf(n, "cats_int64s"), stringsOf(n, "cats_strings"); (len(ints) == 0) == (len(words) == 0) {
		return wrong(n, "there are ", len(ints), " cats_int64s and ", len(words), " cats_strings, want either")
	}
	return nil
}

func planOneHotEncoder(c *Call) error {
	in := c.In(0)
	keys := ofInts(listOf(c.Node, "cats_int64s"))
	if keys.Len() == 0 {
		keys = ofStrings(stringsOf(c.Node, "cats_strings"))
	}
	if (in.Type == ir.String) != (keys.Type == ir.String) {
		return c.Fail("the input is ", in.Type.String(), ", and the categories are ", keys.Type.String())
	}
	s := Into[oneHotEncoder](c)
	s.find = Prepared(c, Key{}, 0, 0, func(bool) *lookup { return newLookup(keys) })
	s.categories, s.zeros, s.load = keys.Len(), c.Int("zeros") != 0, nil
	if in.Type != ir.String {
		s.load = loadFloats(in.Type) // categories beyond 2^53 are not told apart, nor are they by an index
		if intTypes.Has(in.Type) {
			s.load = nil
			s.ints = loadInts(in.Type)
		}
	}
	c.Out(0, ir.Float32, joined(c, in.Dims, []int{s.categories})...)
	c.Scratch(16 * in.Len())
	return nil
}

type oneHotEncoder struct {
	find       *lookup
	categories int
	zeros      bool // for what is in no category
	load       func(dst []float64, src []byte)
	ints       func(dst []int64, src []byte)
}

func (s *oneHotEncoder) Run(a *Args) {
	y := a.Out[0].Float32s()
	clear(y)
	n := a.In[0].Len()
	words, floats := scratchInts(a, n), scratchFloats(a, n, n)
	if a.In[0].Type != ir.String {
		if s.load != nil {
			s.load(floats, a.In[0].Data)
			for i, v := range floats {
				words[i] = toInt64(v)
			}
		} else {
			s.ints(words, a.In[0].Data)
		}
	}
	for i := range n {
		var at int
		var ok bool
		if s.find.strings != nil {
			at, ok = s.find.strings[a.In[0].Strings[i]]
		} else {
			at, ok = s.find.numbers[words[i]]
		}
		switch {
		case ok:
			y[i*s.categories+at] = 1
		case !s.zeros:
			panic(errors.New(text.Join("element ", i, " is in none of the ", s.categories, " categories")))
		}
	}
}

// planArrayFeatureExtractor takes columns, by number.
func planArrayFeatureExtractor(c *Call) error {
	x := c.In(0)
	last := len(x.Dims) - 1
	if last < 0 {
		return c.Fail("the input is a scalar, want features along its last dimension")
	}
	count := c.In(1).Len()
	s := Into[extractor](c)
	s.rows, s.cols, s.count, s.size = ir.Elements(x.Dims[:last]), x.Dims[last], count, x.Type.Size()
	if last == 0 {
		c.Out(0, x.Type, 1, count)
	} else {
		c.Out(0, x.Type, joined(c, x.Dims[:last], []int{count})...)
	}
	return nil
}

type extractor struct{ rows, cols, count, size int }

func (s *extractor) Run(a *Args) {
	x, y := a.In[0], a.Out[0]
	for k, index := range a.In[1].Int64s() {
		if index < 0 || index >= int64(s.cols) {
			panic(errors.New(text.Join("index ", k, " is ", index, ", and there are ", s.cols, " features")))
		}
		for r := range s.rows {
			from, to := r*s.cols+int(index), r*s.count+k
			if s.size == 0 {
				y.Strings[to] = x.Strings[from]
			} else {
				copy(y.Data[to*s.size:(to+1)*s.size], x.Data[from*s.size:])
			}
		}
	}
}

// planFeatureVectorizer puts features side by side: of each operand as many as the attribute
// says, with zeros for those that it lacks.
func planFeatureVectorizer(c *Call) error {
	widths := listOf(c.Node, "inputdimensions")
	if len(widths) != c.NumIn() {
		return c.fail("there are % inputdimensions for % inputs", nil, len(widths), c.NumIn())
	}
	s := Into[vectorizer](c)
	s.rows, s.cols, s.parts = 0, 0, s.parts[:0]
	longest := 0
	for i, w := range widths {
		dims := c.In(i).Dims
		p := vectorPart{load: loadFloats(c.In(i).Type), have: c.In(i).Len()}
		rows := 1
		if len(dims) > 1 {
			rows, p.have = dims[0], ir.Elements(dims[1:])
		}
		if w < 0 || w > dimLimit || i > 0 && rows != s.rows {
			return c.fail("input % has dimensions @; inputdimensions has %, and input 0 % rows", dims, i, int(w), s.rows)
		}
		p.want, s.rows = int(w), rows
		s.cols += p.want
		longest = max(longest, rows*p.have)
		s.parts = append(s.parts, p)
	}
	out := c.Dims(2)
	out[0], out[1] = s.rows, s.cols
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, ir.Float32, out...)
	c.Scratch(8 * longest)
	return nil
}

type vectorizer struct {
	rows, cols int
	parts      []vectorPart
}

type vectorPart struct {
	load       func(dst []float64, src []byte)
	have, want int
}

func (s *vectorizer) Run(a *Args) {
	y, at := a.Out[0].Float32s(), 0
	clear(y)
	for i, p := range s.parts {
		x := scratchFloats(a, 0, s.rows*p.have)
		p.load(x, a.In[i].Data)
		for r := range s.rows {
			to := y[r*s.cols+at:][:p.want]
			for k, v := range x[r*p.have:][:min(p.have, p.want)] {
				to[k] = float32(v)
			}
		}
		at += p.want
	}
}

// encoding is what a LabelEncoder maps: equally long lists, and what everything else becomes.
type encoding struct {
	keys, values, otherwise *ir.Tensor
	find                    *lookup
}

// labelEncoded is the type of a LabelEncoder's result, Undefined where it is that of the
// other direction than the input's.
func labelEncoded(n *ir.Node) ir.DType {
	if e := encodingOf(n, ir.Undefined); e != nil {
		return e.values.Type
	}
	return ir.Undefined
}

// encodingOf reads a node's attributes; nil where they name no keys or no values. What goes
// both ways depends on the input's type.
func encodingOf(n *ir.Node, in ir.DType) *encoding {
	e := &encoding{}
	words := stringsOf(n, "classes_strings")
	numbers := make([]int64, len(words))
	for i := range numbers {
		numbers[i] = int64(i)
	}
	if n.Op == "CategoryMapper" {
		words, numbers = stringsOf(n, "cats_strings"), listOf(n, "cats_int64s")
	}
	if words != nil || n.Op == "CategoryMapper" {
		switch in {
		case ir.String:
			e.keys, e.values = ofStrings(words), ofInts(numbers)
		case ir.Undefined:
			return nil
		default:
			e.keys, e.values = ofInts(numbers), ofStrings(words)
		}
	} else {
		e.keys, e.values = listAttr(n, "keys"), listAttr(n, "values")
		if e.keys == nil || e.values == nil {
			return nil
		}
	}
	switch a := n.Attrs["default_tensor"]; {
	case a != nil && a.T != nil:
		e.otherwise = a.T
	case e.values.Type == ir.String:
		e.otherwise = ofStrings([]string{n.Str("default_string", "_Unused")})
	default:
		e.otherwise = ir.NewTensor(e.values.Type, 1)
		if floatLike(e.values.Type) {
			storeFloats(e.values.Type)(e.otherwise.Data, []float64{float64(n.Float("default_float", float32(math.Copysign(0, -1))))})
		} else {
			storeInts(e.values.Type)(e.otherwise.Data, []int64{n.Int("default_int64", -1)})
		}
	}
	return e
}

// listAttr is keys_… or values_… as a tensor.
func listAttr(n *ir.Node, name string) *ir.Tensor {
	if a := n.Attrs[name+"_tensor"]; a != nil && a.T != nil {
		return a.T
	}
	if list := stringsOf(n, name+"_strings"); list != nil {
		return ofStrings(list)
	}
	if list := listOf(n, name+"_int64s"); list != nil {
		return ofInts(list)
	}
	if list := floatsOf(n, name+"_floats"); list != nil {
		return ofFloats(list)
	}
	return nil
}

func verifyLabelEncoder(n *ir.Node) error {
	e := encodingOf(n, ir.String)
	switch {
	case e == nil:
		return wrong(n, "there are no keys, or no values")
	case e.keys.Len() != e.values.Len():
		return wrong(n, "there are ", e.keys.Len(), " keys and ", e.values.Len(), " values")
	case e.otherwise.Type != e.values.Type || e.otherwise.Len() != 1:
		return wrong(n, "the default is ", e.otherwise.Len(), " ", e.otherwise.Type.String(), ", want one ", e.values.Type.String())
	}
	for _, t := range []*ir.Tensor{e.keys, e.values} {
		if t.Type != ir.String && t.Type.Size() == 0 {
			return &ir.UnsupportedError{Missing: []string{n.Op + ": type " + t.Type.String()}}
		}
	}
	return nil
}

func planLabelEncoder(c *Call) error {
	in := c.In(0)
	e := Prepared(c, Key{int(in.Type)}, 0, 0, func(bool) *encoding {
		e := encodingOf(c.Node, in.Type)
		if e != nil {
			e.find = newLookup(e.keys)
			if c.Node.Version < 4 { // what is no number is no key yet
				delete(e.find.numbers, math.MaxInt64)
			}
		}
		return e
	})
	if e == nil || e.keys.Type != in.Type {
		return c.Fail("the input is ", in.Type.String(), ", and the keys are not")
	}
	c.Out(0, e.values.Type, in.Dims...)
	s := Into[labelEncoder](c)
	s.e = e
	c.Scratch(8 * in.Len())
	return nil
}

type labelEncoder struct{ e *encoding }

func (s *labelEncoder) Run(a *Args) {
	x, y, e := a.In[0], a.Out[0], s.e
	n, size := x.Len(), e.values.Type.Size()
	keys := scratchInts(a, n)
	if x.Type != ir.String {
		orderKeysInto(keys, x)
	}
	for i := range n {
		var at int
		var ok bool
		if x.Type == ir.String {
			at, ok = e.find.strings[x.Strings[i]]
		} else {
			at, ok = e.find.numbers[keys[i]]
		}
		from := e.values
		if !ok {
			from, at = e.otherwise, 0
		}
		if size == 0 {
			y.Strings[i] = from.Strings[at]
		} else {
			copy(y.Data[i*size:(i+1)*size], from.Data[at*size:])
		}
	}
}

// planZipMap hands on the numbers: their columns are the maps' keys.
func planZipMap(c *Call) error {
	labels := max(len(listOf(c.Node, "classlabels_int64s")), len(stringsOf(c.Node, "classlabels_strings")))
	rows, cols, err := features(c)
	if err != nil {
		return err
	}
	if cols != labels {
		return c.fail("there are % labels for % columns", nil, labels, cols)
	}
	c.Out(0, c.In(0).Type, rows, cols)
	c.Alias(0, 0)
	return nil
}
