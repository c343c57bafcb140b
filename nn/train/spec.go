package train

import (
	"maps"
	"math"
	"slices"

	"github.com/normwasm/normwasm/internal/text"
)

// Spec describes a layer. Which fields a type has:
//
//	conv2d       Filters, Kernel, Stride (1), Padding ("same" or "valid"), Groups (1), NoBias   [C H W] → [Filters H' W']
//	linear       Units, NoBias                         [… D] → [… Units]
//	embedding    Vocabulary, Width, Positions          tokens [T] → [T Width]; first layer only
//	attention    Heads, Causal                         [T D] → [T D]
//	gru          Units                                 [T D] → [T Units]
//	batchNorm    Momentum, Cumulative, Epsilon, NoAffine, Preset ("pytorch", "onnx" or "keras")   over all but the channels
//	layerNorm    Epsilon, NoAffine                     over the last axis; over all of [C H W]
//	rmsNorm      Epsilon, NoAffine                     as layerNorm
//	instanceNorm Epsilon, NoAffine                     [C …]
//	groupNorm    Groups, Epsilon, NoAffine             [C …]
//	dynamicTanh  Alpha (0.5), NoAffine                 scale·tanh(α·x) + bias
//	noise        Mean, Std                             adds a random number, in training only
//	dropout      Rate                                  in training only
//	relu, gelu, silu, tanh, sigmoid
//	maxPool2d, averagePool2d   Size, Stride (Size)     [C H W]
//	globalAveragePool          [C H W] → [C], [T D] → [D]
//	flatten                    [a b c] → [a·b·c]
//	residual     Body                                  x + body(x)
type Spec struct {
	Type                    string
	Filters, Kernel, Stride int
	Padding                 string
	Groups                  int
	NoBias                  bool
	Units                   int
	Vocabulary, Width       int
	Positions               int
	Heads                   int
	Causal                  bool
	Momentum                *float64 // nil: the preset's
	Cumulative              bool     // running statistics are the plain average over all batches
	Epsilon                 *float64 // nil: norm.DefaultEpsilon, or the preset's
	NoAffine                bool
	Preset                  string
	Alpha                   *float64
	Mean, Std, Rate         float64
	Size                    int
	Body                    []Spec
}

// layer is a layer for examples of one shape. It owns what it returns, until its next
// pass.
type layer interface {
	// forward computes the output for p.n examples.
	forward(p *pass, x []float32) ([]float32, error)
	// backward computes the gradient of forward's x from its y's, and the gradients of
	// the parameters. It may overwrite dy. With p.last nobody reads what it returns.
	backward(p *pass, dy []float32) ([]float32, error)
	params() []*Param
	// export writes the layer for inference, for the value x of examples of this shape,
	// and names its output.
	export(e *exporter, x string, shape []int) string
}

// build makes a layer for examples of shape in, and tells its output's shape.
func (s *Spec) build(b *builder, in []int) (l layer, out []int, err error) {
	make, ok := kinds[s.Type]
	if !ok {
		return nil, nil, valueError("layer ", b.path, ": there is no type ", text.Quote(s.Type))
	}
	return make(b, s, in)
}

// kinds are the types of layers. (A function fills it: residual's builder uses it.)
var kinds map[string]func(b *builder, s *Spec, in []int) (layer, []int, error)

func init() {
	kinds = map[string]func(b *builder, s *Spec, in []int) (layer, []int, error){
		"conv2d": newConv, "linear": newLinear, "embedding": newEmbedding, "attention": newAttention, "gru": newGRU,
		"batchNorm": newBatchNorm, "layerNorm": newRowNorm, "rmsNorm": newRowNorm, "instanceNorm": newGroupNorm, "groupNorm": newGroupNorm,
		"dynamicTanh": newDynamicTanh, "noise": newNoise, "dropout": newDropout,
		"relu": newActivation, "gelu": newActivation, "silu": newActivation, "tanh": newActivation, "sigmoid": newActivation,
		"maxPool2d": newPool, "averagePool2d": newPool, "globalAveragePool": newGlobalPool, "flatten": newFlatten, "residual": newResidual,
	}
}

// Types are the types of layers, in alphabetical order.
func Types() []string { return slices.Sorted(maps.Keys(kinds)) }

// builder makes the layers of a network.
type builder struct {
	path string // of the layer at hand, as in "3" or "4.1"
	kind string
	rand *random
	all  []*node
}

// node is a layer with its name.
type node struct {
	layer
	path, kind string
	y          []float32 // of the latest pass
	out        []int
	first      bool // of the network: nobody asks for its input's gradient
}

// name is what errors and statistics call the layer.
func (n *node) name() string { return n.path + " " + n.kind }

func (b *builder) shape(parts ...any) error {
	return shapeError("layer ", b.path, " (", b.kind, "): ", text.Join(parts...))
}

func (b *builder) value(parts ...any) error {
	return valueError("layer ", b.path, " (", b.kind, "): ", text.Join(parts...))
}

// stack makes layers in order; prefix is "" or ends with a dot.
func (b *builder) stack(specs []Spec, prefix string, in []int) ([]*node, []int, error) {
	var nodes []*node
	shape := in
	for i := range specs {
		b.path, b.kind = text.Join(prefix, i), specs[i].Type
		n := &node{path: b.path, kind: b.kind}
		l, out, err := specs[i].build(b, shape)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range out {
			if d <= 0 {
				b.path, b.kind = n.path, n.kind
				return nil, nil, b.shape("of ", shape, " nothing is left: its output is ", out)
			}
		}
		n.layer, n.out = l, out
		if i > 0 {
			join(nodes[i-1].layer, l)
		}
		for _, p := range l.params() {
			if p.Name[0] == '.' {
				p.Name = n.path + p.Name
			}
		}
		nodes = append(nodes, n)
		b.all = append(b.all, n)
		shape = out
	}
	return nodes, shape, nil
}

// join lets two layers that follow each other share work.
func join(before, after layer) {
	a, relu := before.(*activation)
	p, pool := after.(*pool)
	if relu && a.kind == "relu" && pool && p.pairs {
		// ReLU of the maximum is the maximum of ReLUs, of a quarter of the numbers.
		a.later, p.relu = true, true
	}
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// positive checks a size that has no default.
func (b *builder) positive(name string, v int) error {
	if v < 1 || v > 1<<24 {
		return b.value(name, " is ", v, ", want at least 1")
	}
	return nil
}

// epsilon of a normalization.
func (b *builder) epsilon(s *Spec, otherwise float64) (float64, error) {
	if s.Epsilon == nil {
		return otherwise, nil
	}
	if e := *s.Epsilon; !(e >= 0) || math.IsInf(e, 0) {
		return 0, b.value("epsilon is ", e, ", want a finite number of at least 0")
	}
	return *s.Epsilon, nil
}
