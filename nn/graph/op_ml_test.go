package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// learned is a node of ai.onnx.ml.
func learned(op string, version int, list map[string]*ir.Attr, in ...*ir.Tensor) node {
	return node{op: op, domain: "ai.onnx.ml", version: version, attrs: list, in: in}
}

// branch is a node of a tree written by hand.
type branch struct {
	feature int
	value   float64
	yes, no *branch
	weights []float64 // of a leaf
}

// value is what a tree gives for a row: the rule written as it is read.
func (b *branch) find(x []float64) []float64 {
	for b.weights == nil {
		if x[b.feature] <= b.value {
			b = b.yes
		} else {
			b = b.no
		}
	}
	return b.weights
}

// grown is a random tree.
func grown(r *rand.Rand, depth, features, targets int) *branch {
	if depth == 0 || depth < 3 && r.IntN(4) == 0 {
		b := &branch{}
		for range targets {
			b.weights = append(b.weights, float64(float32(r.NormFloat64())))
		}
		return b
	}
	return &branch{feature: r.IntN(features), value: float64(float32(r.NormFloat64())), yes: grown(r, depth-1, features, targets), no: grown(r, depth-1, features, targets)}
}

// lists are the attributes of an ensemble.
func lists(prefix string, trees []*branch) map[string]*ir.Attr {
	var tree, id, feature, yes, no, leafTree, leafID, target []int64
	var values, weights []float32
	var modes []string
	for t, root := range trees {
		next := int64(0)
		var add func(b *branch) int64
		add = func(b *branch) int64 {
			self, at := next, len(id)
			next++
			tree, id, feature, yes, no = append(tree, int64(t)), append(id, self), append(feature, int64(b.feature)), append(yes, 0), append(no, 0)
			values = append(values, float32(b.value))
			if b.weights != nil {
				modes = append(modes, "LEAF")
				for k, w := range b.weights {
					leafTree, leafID, target, weights = append(leafTree, int64(t)), append(leafID, self), append(target, int64(k)), append(weights, float32(w))
				}
				return self
			}
			modes = append(modes, "BRANCH_LEQ")
			yes[at] = add(b.yes)
			no[at] = add(b.no)
			return self
		}
		add(root)
	}
	return attrs("nodes_treeids", integers(tree...), "nodes_nodeids", integers(id...), "nodes_featureids", integers(feature...), "nodes_truenodeids", integers(yes...),
		"nodes_falsenodeids", integers(no...), "nodes_values", floats(values...), "nodes_modes", words(modes...), prefix+"_treeids", integers(leafTree...),
		prefix+"_nodeids", integers(leafID...), prefix+"_ids", integers(target...), prefix+"_weights", floats(weights...))
}

func TestTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, targets := range []int{1, 3} {
		const rows, features = 40, 5
		var trees []*branch
		for range 7 {
			trees = append(trees, grown(r, 5, features, targets))
		}
		x := random(uint64(targets), rows, features)
		for _, aggregate := range []string{"SUM", "AVERAGE", "MIN", "MAX"} {
			list := lists("target", trees)
			list["n_targets"], list["aggregate_function"] = integer(int64(targets)), text(aggregate)
			y := learned("TreeEnsembleRegressor", 3, list, x).run(t)[0]
			require.Equal(t, []int{rows, targets}, y.Dims)
			var want []float64
			each([]int{rows, targets}, func(i []int, _ int) {
				row := make([]float64, features)
				for k := range row {
					row[k] = float64(x.Float32s()[i[0]*features+k])
				}
				sum, low, high := 0.0, math.Inf(1), math.Inf(-1)
				for _, tree := range trees {
					w := tree.find(row)[i[1]]
					sum, low, high = sum+w, min(low, w), max(high, w)
				}
				want = append(want, map[string]float64{"SUM": sum, "AVERAGE": sum / 7, "MIN": low, "MAX": high}[aggregate])
			})
			near(t, want, y, 1e-5, aggregate)
		}
	}
	three := []*branch{{value: 0, yes: &branch{weights: []float64{3, 1, 2}}, no: &branch{weights: []float64{1, 5, 2}}}}
	list := lists("class", three)
	list["classlabels_strings"], list["post_transform"] = words("a", "b", "c"), text("SOFTMAX")
	n := learned("TreeEnsembleClassifier", 1, list, f32([]int{2, 1}, -1, 1))
	n.outs = 2
	out := n.run(t)
	require.Equal(t, []string{"a", "b"}, out[0].Strings)
	sum := math.Exp(3) + math.Exp(1) + math.Exp(2)
	near(t, []float64{math.Exp(3) / sum, math.Exp(1) / sum, math.Exp(2) / sum}, &ir.Tensor{Type: ir.Float32, Dims: []int{3}, Data: out[1].Data[:12]}, 1e-6, "softmax")
}

// What is wrong with a tree is said when it is loaded, and no tree is walked for ever.
func TestHostileTrees(t *testing.T) {
	good := func() map[string]*ir.Attr {
		list := lists("target", []*branch{{value: 1, yes: &branch{weights: []float64{1}}, no: &branch{value: 2, yes: &branch{weights: []float64{2}}, no: &branch{weights: []float64{3}}}}})
		list["n_targets"] = integer(1)
		return list
	}
	x := f32([]int{1, 1}, 5)
	require.Equal(t, []float32{3}, learned("TreeEnsembleRegressor", 1, good(), x).run(t)[0].Float32s())
	for want, change := range map[string]func(list map[string]*ir.Attr){
		"node 0 of the lists leads back":           func(l map[string]*ir.Attr) { l["nodes_falsenodeids"].Ints[2] = 0 },
		"two roots, nodes 0 and 2":                 func(l map[string]*ir.Attr) { l["nodes_falsenodeids"].Ints[0] = 1 },
		"leads to node 77, which there is not":     func(l map[string]*ir.Attr) { l["nodes_truenodeids"].Ints[0] = 77 },
		"node 0 of tree 0 is there twice":          func(l map[string]*ir.Attr) { l["nodes_nodeids"].Ints[1] = 0 },
		"nodes_featureids[0] is -1":                func(l map[string]*ir.Attr) { l["nodes_featureids"].Ints[0] = -1 },
		"looks at feature 9, and rows have 1":      func(l map[string]*ir.Attr) { l["nodes_featureids"].Ints[0] = 9 },
		"5 elements, nodes_featureids 6":           func(l map[string]*ir.Attr) { l["nodes_featureids"].Ints = append(l["nodes_featureids"].Ints, 0) },
		"5 elements, nodes_values 1":               func(l map[string]*ir.Attr) { l["nodes_values"].Floats = []float32{1} },
		`nodes_modes[0] is "BRANCH_ODD"`:           func(l map[string]*ir.Attr) { l["nodes_modes"].Strings[0] = "BRANCH_ODD" },
		"target_nodeids[0] is 0, which is no leaf": func(l map[string]*ir.Attr) { l["target_nodeids"].Ints[0] = 0 },
		"class or target 4, and there are 1":       func(l map[string]*ir.Attr) { l["target_ids"].Ints[0] = 4 },
		"there are 0 classes or targets":           func(l map[string]*ir.Attr) { l["n_targets"] = integer(0) },
	} {
		list := good()
		change(list)
		_, err := learned("TreeEnsembleRegressor", 1, list, x).try()
		require.ErrorContains(t, err, want)
	}
	flat := func() map[string]*ir.Attr {
		return attrs("n_targets", integer(1), "tree_roots", integers(0), "nodes_featureids", integers(0, 0), "nodes_modes", tensor(of(ir.Uint8, []int{2}, uint8(0), 0)),
			"nodes_splits", tensor(f32([]int{2}, 1, 2)), "nodes_truenodeids", integers(1, 0), "nodes_trueleafs", integers(0, 1), "nodes_falsenodeids", integers(0, 1),
			"nodes_falseleafs", integers(1, 1), "leaf_targetids", integers(0, 0), "leaf_weights", tensor(f32([]int{2}, 7, 8)))
	}
	require.Equal(t, []float32{7}, learned("TreeEnsemble", 5, flat(), x).run(t)[0].Float32s())
	for want, change := range map[string]func(list map[string]*ir.Attr){
		"leads back to itself":                         func(l map[string]*ir.Attr) { l["nodes_truenodeids"].Ints[1], l["nodes_trueleafs"].Ints[1] = 0, 0 },
		"node 1 leads to node or leaf 5":               func(l map[string]*ir.Attr) { l["nodes_truenodeids"].Ints[1] = 5 },
		"tree_roots[0] is 2, and there are 2 nodes":    func(l map[string]*ir.Attr) { l["tree_roots"].Ints[0] = 2 },
		"nodes_modes[0] is 9":                          func(l map[string]*ir.Attr) { l["nodes_modes"].T.Data[0] = 9 },
		"nodes_modes 2":                                func(l map[string]*ir.Attr) { l["nodes_splits"].T = f32([]int{1}, 1) },
		"leaf_targetids 2, leaf_weights 1":             func(l map[string]*ir.Attr) { l["leaf_weights"].T = f32([]int{1}, 1) },
		"aggregate_function is 4":                      func(l map[string]*ir.Attr) { l["aggregate_function"] = integer(4) },
		"weight 1 is of class or target -1, and there": func(l map[string]*ir.Attr) { l["leaf_targetids"].Ints[1] = -5 },
	} {
		list := flat()
		change(list)
		_, err := learned("TreeEnsemble", 5, list, x).try()
		if want == "nodes_modes 2" {
			want = "nodes_featureids has 2 elements, nodes_splits 1"
		}
		require.ErrorContains(t, err, want)
	}
}

func TestPreparedFeatures(t *testing.T) {
	x := f32([]int{2, 2}, 1, -2, 3, 4)
	y := func(n node) []float32 { return n.run(t)[0].Float32s() }
	require.Equal(t, []float32{0, -8, 4, 4}, y(learned("Scaler", 1, attrs("offset", floats(1, 2), "scale", floats(2, 2)), x)))
	require.Equal(t, []float32{0.5, -1, 1.5, 2}, y(learned("Scaler", 1, attrs("offset", floats(0), "scale", floats(0.5)), x)))
	require.Equal(t, []float32{1, -2, 0.75, 1}, y(learned("Normalizer", 1, attrs("norm", text("MAX")), x)))
	near(t, []float64{1. / 3, -2. / 3, 3. / 7, 4. / 7}, learned("Normalizer", 1, attrs("norm", text("L1")), x).run(t)[0], 1e-7, "L1")
	near(t, []float64{1 / math.Sqrt(5), -2 / math.Sqrt(5), 0.6, 0.8}, learned("Normalizer", 1, attrs("norm", text("L2")), x).run(t)[0], 1e-6, "L2")
	require.Equal(t, []float32{0, 0}, y(learned("Normalizer", 1, attrs("norm", text("L2")), f32([]int{1, 2}, 0, 0))))
	require.Equal(t, []float32{0, 0, 1, 1}, y(learned("Binarizer", 1, attrs("threshold", float(2)), x)))
	nan := float32(math.NaN())
	require.Equal(t, []float32{7, 2, 3, 8}, y(learned("Imputer", 1, attrs("imputed_value_floats", floats(7, 8), "replaced_value_float", float(nan)), f32([]int{2, 2}, nan, 2, 3, nan))))
	require.Equal(t, []float32{0, 1, 0, 0, 1, 0}, y(learned("OneHotEncoder", 1, attrs("cats_strings", words("x", "y", "z")), strs([]int{2}, "y", "y"))))
	require.Equal(t, []float32{0, 0, 0, 1}, y(learned("OneHotEncoder", 1, attrs("cats_int64s", integers(5, 6)), list(7, 6))))
	require.Equal(t, []string{"c", "a"}, learned("ArrayFeatureExtractor", 1, nil, strs([]int{1, 3}, "a", "b", "c"), list(2, 0)).run(t)[0].Strings)
	require.Equal(t, []float32{1, -2, 0, 9, 3, 4, 0, 8}, y(learned("FeatureVectorizer", 1, attrs("inputdimensions", integers(3, 1)), x, of(ir.Int64, []int{2, 1}, int64(9), 8))))
	require.Equal(t, []string{"two", "_Unused"}, learned("LabelEncoder", 2, attrs("keys_int64s", integers(1, 2), "values_strings", words("one", "two")), list(2, 3)).run(t)[0].Strings)
	require.Equal(t, []int64{1, -1}, learned("LabelEncoder", 1, attrs("classes_strings", words("a", "b")), strs([]int{2}, "b", "c")).run(t)[0].Int64s())
	require.Equal(t, []string{"b", "_Unused"}, learned("LabelEncoder", 1, attrs("classes_strings", words("a", "b")), list(1, 2)).run(t)[0].Strings)
	require.Equal(t, []int64{7, -1}, learned("CategoryMapper", 1, attrs("cats_strings", words("a", "b"), "cats_int64s", integers(6, 7)), strs([]int{2}, "b", "c")).run(t)[0].Int64s())
	require.Equal(t, x.Float32s(), y(learned("ZipMap", 1, attrs("classlabels_int64s", integers(0, 1)), x)))
	for want, n := range map[string]node{
		"there are 1 offsets and 2 scales":            learned("Scaler", 1, attrs("offset", floats(1), "scale", floats(1, 2)), x),
		"3 offsets and scales for 2 columns":          learned("Scaler", 1, attrs("offset", floats(1, 2, 3), "scale", floats(1, 2, 3)), x),
		"there are 1 keys and 2 values":               learned("LabelEncoder", 2, attrs("keys_int64s", integers(1), "values_int64s", integers(1, 2)), list(1)),
		"there are no keys, or no values":             learned("LabelEncoder", 2, nil, list(1)),
		"element 0 is in none of the 1 categories":    learned("OneHotEncoder", 1, attrs("cats_int64s", integers(5), "zeros", integer(0)), list(7)),
		"index 0 is 3, and there are 2 features":      learned("ArrayFeatureExtractor", 1, nil, x, list(3)),
		"there are 3 labels for 2 columns":            learned("ZipMap", 1, attrs("classlabels_int64s", integers(0, 1, 2)), x),
		"0 values to impute for 2 columns":            learned("Imputer", 1, nil, x),
		"there are 3 coefficients for 2 scores":       learned("LinearRegressor", 1, attrs("coefficients", floats(1, 2, 3), "targets", integer(2)), x),
		"2 coefficients for 1 scores of rows of 3":    learned("LinearRegressor", 1, attrs("coefficients", floats(1, 2)), f32([]int{1, 3})),
		"there are 1 labels for 2 scores":             learned("LinearClassifier", 1, attrs("coefficients", floats(1, 2, 3, 4), "intercepts", floats(1, 2), "classlabels_ints", integers(1)), x),
		"rows have 2 features, the machine has 3":     learned("SVMRegressor", 1, attrs("coefficients", floats(1, 2, 3), "rho", floats(0)), x),
		"support_vectors has 3 numbers for 2 vectors": learned("SVMRegressor", 1, attrs("coefficients", floats(1, 2), "n_supports", integer(2), "support_vectors", floats(1, 2, 3), "rho", floats(0)), x),
	} {
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
}

func TestLinearModels(t *testing.T) {
	x := f32([]int{2, 2}, 1, -2, 3, 4)
	y := learned("LinearRegressor", 1, attrs("coefficients", floats(1, 2, -1, 1), "intercepts", floats(0.5, 0), "targets", integer(2)), x).run(t)[0]
	require.Equal(t, []float32{-2.5, -3, 11.5, 1}, y.Float32s())
	n := learned("LinearClassifier", 1, attrs("coefficients", floats(1, 2), "intercepts", floats(1), "classlabels_ints", integers(5, 6), "post_transform", text("LOGISTIC")), x)
	n.outs = 2
	out := n.run(t)
	require.Equal(t, []int64{5, 6}, out[0].Int64s())
	p := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	near(t, []float64{p(2), p(-2), p(-12), p(12)}, out[1], 1e-6, "scores")
	// A machine by its definition.
	kernels := map[string]func(a, b []float64) float64{
		"LINEAR": func(a, b []float64) float64 { return a[0]*b[0] + a[1]*b[1] },
		"RBF": func(a, b []float64) float64 {
			return math.Exp(-0.5 * (math.Pow(a[0]-b[0], 2) + math.Pow(a[1]-b[1], 2)))
		},
		"POLY":    func(a, b []float64) float64 { return math.Pow(0.5*(a[0]*b[0]+a[1]*b[1])+1, 3) },
		"SIGMOID": func(a, b []float64) float64 { return math.Tanh(0.5*(a[0]*b[0]+a[1]*b[1]) + 1) },
	}
	vectors, weights := []float32{0.5, 1, -1, 2, 0, -0.25}, []float32{1, -2, 0.5}
	for name, kernel := range kernels {
		y := learned("SVMRegressor", 1, attrs("kernel_type", text(name), "kernel_params", floats(0.5, 1, 3), "n_supports", integer(3), "support_vectors", floats(vectors...),
			"coefficients", floats(weights...), "rho", floats(0.25)), x).run(t)[0]
		for r := range 2 {
			want := 0.25
			for k, w := range weights {
				want += float64(w) * kernel([]float64{float64(x.Float32s()[2*r]), float64(x.Float32s()[2*r+1])}, []float64{float64(vectors[2*k]), float64(vectors[2*k+1])})
			}
			require.InEpsilon(t, want, y.Float32s()[r], 1e-5, fmt.Sprint(name, r))
		}
	}
}

func TestStrings(t *testing.T) {
	y := node{op: "StringConcat", version: 20, in: []*ir.Tensor{strs([]int{2, 1}, "a", "b"), strs([]int{2}, "", "ä")}}.run(t)[0]
	require.Equal(t, []string{"a", "aä", "b", "bä"}, y.Strings)
	out := node{op: "StringSplit", version: 20, outs: 2, attrs: attrs("delimiter", text(","), "maxsplit", integer(1)), in: []*ir.Tensor{strs([]int{3}, "a,b,c", "", "x")}}.run(t)
	require.Equal(t, []string{"a", "b,c", "", "", "x", ""}, out[0].Strings)
	require.Equal(t, []int64{2, 0, 1}, out[1].Int64s())
	y = node{op: "StringNormalizer", attrs: attrs("case_change_action", text("UPPER"), "stopwords", words("b")), in: []*ir.Tensor{strs([]int{1, 3}, "ä", "B", "c")}}.run(t)[0]
	require.Equal(t, []int{1, 2}, y.Dims)
	require.Equal(t, []string{"Ä", "C"}, y.Strings)
	b := node{op: "RegexFullMatch", version: 20, attrs: attrs("pattern", text("a|ab")), in: []*ir.Tensor{strs([]int{3}, "ab", "abb", "a")}}.run(t)[0]
	require.Equal(t, []byte{1, 0, 1}, b.Data)
	grams := attrs("mode", text("TF"), "min_gram_length", integer(1), "max_gram_length", integer(2), "max_skip_count", integer(1), "ngram_counts", integers(0, 2),
		"ngram_indexes", integers(2, 0, 1), "pool_int64s", integers(5, 6, 5, 6))
	y = node{op: "TfIdfVectorizer", attrs: grams, in: []*ir.Tensor{list(5, 6, 7, 5, 8, 6)}}.run(t)[0]
	require.Equal(t, []float32{2, 2, 2}, y.Float32s())
	for want, n := range map[string]node{
		"the pattern \"(\" is none":                               {op: "RegexFullMatch", version: 20, attrs: attrs("pattern", text("(")), in: []*ir.Tensor{strs([]int{1}, "")}},
		"the pattern \")(\" is none":                              {op: "RegexFullMatch", version: 20, attrs: attrs("pattern", text(")(")), in: []*ir.Tensor{strs([]int{1}, "")}},
		"ngram_counts[0] is 0: sequences of 1 words up to 3 of 2": {op: "TfIdfVectorizer", attrs: attrs("mode", text("TF"), "min_gram_length", integer(1), "max_gram_length", integer(2), "ngram_counts", integers(0, 3), "ngram_indexes", integers(0), "pool_int64s", integers(1, 2)), in: []*ir.Tensor{list(1)}},
		"lengths of sequences from 2 to 1":                        {op: "TfIdfVectorizer", attrs: attrs("mode", text("TF"), "min_gram_length", integer(2), "max_gram_length", integer(1), "ngram_counts", integers(0), "ngram_indexes", integers(0), "pool_int64s", integers(1)), in: []*ir.Tensor{list(1)}},
		"ngram_indexes[0] is -1":                                  {op: "TfIdfVectorizer", attrs: attrs("mode", text("TF"), "min_gram_length", integer(1), "max_gram_length", integer(1), "ngram_counts", integers(0), "ngram_indexes", integers(-1), "pool_int64s", integers(1)), in: []*ir.Tensor{list(1)}},
		"more sequences than there are ngram_indexes":             {op: "TfIdfVectorizer", attrs: attrs("mode", text("TF"), "min_gram_length", integer(1), "max_gram_length", integer(1), "ngram_counts", integers(0), "ngram_indexes", integers(0), "pool_int64s", integers(1, 2)), in: []*ir.Tensor{list(1)}},
		"want a list of at least one string":                      {op: "StringNormalizer", in: []*ir.Tensor{strs([]int{0})}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
}
