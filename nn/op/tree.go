//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Ensembles of decision trees of ai.onnx.ml.

func init() { Register(treeRows) }

var aggregates = []string{"SUM", "AVERAGE", "MIN", "MAX"}

var treeRows = []Row{{
	Name: "TreeEnsembleClassifier", Domain: mlDomain, Since: 1, Changes: []int{3},
	In: mlX, Out: classesOut,
	Attrs: []Attr{transform, {Name: "class_ids", Kind: ir.AttrInts}, {Name: "class_nodeids", Kind: ir.AttrInts}, {Name: "class_treeids", Kind: ir.AttrInts},
		{Name: "class_weights", Kind: ir.AttrFloats}, {Name: "class_weights_as_tensor", Kind: ir.AttrTensor},
		{Name: "classlabels_int64s", Kind: ir.AttrInts}, {Name: "classlabels_strings", Kind: ir.AttrStrings},
		{Name: "nodes_falsenodeids", Kind: ir.AttrInts}, {Name: "nodes_featureids", Kind: ir.AttrInts}, {Name: "nodes_hitrates", Kind: ir.AttrFloats},
		{Name: "nodes_hitrates_as_tensor", Kind: ir.AttrTensor}, {Name: "nodes_missing_value_tracks_true", Kind: ir.AttrInts}, {Name: "nodes_modes", Kind: ir.AttrStrings},
		{Name: "nodes_nodeids", Kind: ir.AttrInts}, {Name: "nodes_treeids", Kind: ir.AttrInts}, {Name: "nodes_truenodeids", Kind: ir.AttrInts},
		{Name: "nodes_values", Kind: ir.AttrFloats}, {Name: "nodes_values_as_tensor", Kind: ir.AttrTensor},
		{Name: "base_values", Kind: ir.AttrFloats}, {Name: "base_values_as_tensor", Kind: ir.AttrTensor}},
	Rank: listRank, Verify: verifyTrees, Plan: planTrees,
}, {
	Name: "TreeEnsembleRegressor", Domain: mlDomain, Since: 1, Changes: []int{3},
	In: mlX, Out: mlFloatY,
	Attrs: []Attr{transform, {Name: "aggregate_function", Kind: ir.AttrString, S: "SUM", Words: aggregates}, {Name: "n_targets", Kind: ir.AttrInt},
		{Name: "target_ids", Kind: ir.AttrInts}, {Name: "target_nodeids", Kind: ir.AttrInts}, {Name: "target_treeids", Kind: ir.AttrInts},
		{Name: "target_weights", Kind: ir.AttrFloats}, {Name: "target_weights_as_tensor", Kind: ir.AttrTensor},
		{Name: "nodes_falsenodeids", Kind: ir.AttrInts}, {Name: "nodes_featureids", Kind: ir.AttrInts}, {Name: "nodes_hitrates", Kind: ir.AttrFloats},
		{Name: "nodes_hitrates_as_tensor", Kind: ir.AttrTensor}, {Name: "nodes_missing_value_tracks_true", Kind: ir.AttrInts}, {Name: "nodes_modes", Kind: ir.AttrStrings},
		{Name: "nodes_nodeids", Kind: ir.AttrInts}, {Name: "nodes_treeids", Kind: ir.AttrInts}, {Name: "nodes_truenodeids", Kind: ir.AttrInts},
		{Name: "nodes_values", Kind: ir.AttrFloats}, {Name: "nodes_values_as_tensor", Kind: ir.AttrTensor},
		{Name: "base_values", Kind: ir.AttrFloats}, {Name: "base_values_as_tensor", Kind: ir.AttrTensor}},
	Rank: matrixRank, Verify: verifyTrees, Plan: planTrees,
}, {
	Name: "TreeEnsemble", Domain: mlDomain, Since: 5,
	In:  []In{{Name: "X", Types: floatTypes, Var: 'T'}},
	Out: yOut,
	Attrs: []Attr{{Name: "aggregate_function", Kind: ir.AttrInt, I: 1}, {Name: "leaf_targetids", Kind: ir.AttrInts}, {Name: "leaf_weights", Kind: ir.AttrTensor},
		{Name: "membership_values", Kind: ir.AttrTensor}, {Name: "n_targets", Kind: ir.AttrInt}, {Name: "nodes_falseleafs", Kind: ir.AttrInts},
		{Name: "nodes_falsenodeids", Kind: ir.AttrInts}, {Name: "nodes_featureids", Kind: ir.AttrInts}, {Name: "nodes_hitrates", Kind: ir.AttrTensor},
		{Name: "nodes_missing_value_tracks_true", Kind: ir.AttrInts}, {Name: "nodes_modes", Kind: ir.AttrTensor}, {Name: "nodes_splits", Kind: ir.AttrTensor},
		{Name: "nodes_trueleafs", Kind: ir.AttrInts}, {Name: "nodes_truenodeids", Kind: ir.AttrInts}, {Name: "post_transform", Kind: ir.AttrInt},
		{Name: "tree_roots", Kind: ir.AttrInts}},
	Rank: matrixRank, Verify: verifyTrees, Plan: planTrees,
}}

// How a node of a tree decides.
const (
	branchLEQ = iota
	branchLT
	branchGTE
	branchGT
	branchEQ
	branchNEQ
	branchMember
	leaf
)

var branchModes = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"}

type treeNode struct {
	mode     uint8
	missing  bool // what is no number goes where true does
	feature  int
	value    float64
	members  []float64
	yes, no  int // places in the list of nodes
	from, to int // of a leaf: its weights
}

// trees are an ensemble as a node's attributes have it.
type trees struct {
	nodes     []treeNode
	roots     []int
	ids       []int // by weight: the target or class
	weights   []float64
	base      []float64
	targets   int
	features  int // the highest feature's number, and 1
	aggregate string
	how       string
	labels    labels
	classify  bool
	binary    bool // of two classes only one has weights
	positive  bool // no weight is below 0
}

func verifyTrees(n *ir.Node) error {
	_, err := readTrees(n)
	return err
}

func readTrees(n *ir.Node) (t *trees, err error) {
	if n.Op == "TreeEnsemble" {
		t, err = readFlatTrees(n)
	} else {
		t, err = readNamedTrees(n)
	}
	if err != nil {
		return nil, err
	}
	for i, id := range t.ids {
		if id < 0 || id >= t.targets {
			return nil, wrong(n, "weight ", i, " is of class or target ", id, ", and there are ", t.targets)
		}
	}
	if i := t.cycle(); i >= 0 {
		return nil, wrong(n, "node ", i, " of the lists leads back to itself")
	}
	return t, nil
}

// numbersAttr is a list of floats, or the tensor that may stand in its place.
func numbersAttr(n *ir.Node, name, tensor string) ([]float64, error) {
	if a := n.Attrs[tensor]; a != nil && a.T != nil {
		if !castTypes.Has(a.T.Type) {
			return nil, wrong(n, tensor, " is ", a.T.Type.String(), ", want numbers")
		}
		list := make([]float64, a.T.Len())
		loadFloats(a.T.Type)(list, a.T.Data)
		return list, nil
	}
	from := floatsOf(n, name)
	list := make([]float64, len(from))
	for i, v := range from {
		list[i] = float64(v)
	}
	return list, nil
}

// lengths checks that lists are as long as the first.
func lengths(n *ir.Node, names []string, counts ...int) error {
	for i, count := range counts {
		if count != counts[0] {
			return wrong(n, names[0], " has ", counts[0], " elements, ", names[i], " ", count)
		}
	}
	return nil
}

// readNamedTrees reads nodes that are named by the numbers of their trees and their own.
func readNamedTrees(n *ir.Node) (*trees, error) {
	t := &trees{aggregate: n.Str("aggregate_function", "SUM"), how: n.Str("post_transform", "NONE"), classify: n.Op == "TreeEnsembleClassifier", positive: true}
	prefix := "target"
	if t.classify {
		prefix = "class"
		t.labels = labelsOf(n, "classlabels_int64s")
		t.targets = t.labels.count()
	} else {
		t.targets = int(min(n.Int("n_targets", 1), dimLimit))
	}
	const most = 1 << 20
	if t.targets < 1 || t.targets > most {
		return nil, wrong(n, "there are ", t.targets, " classes or targets, want 1 to ", most)
	}
	treeIDs, nodeIDs, features, modes := listOf(n, "nodes_treeids"), listOf(n, "nodes_nodeids"), listOf(n, "nodes_featureids"), stringsOf(n, "nodes_modes")
	yes, no, missing := listOf(n, "nodes_truenodeids"), listOf(n, "nodes_falsenodeids"), listOf(n, "nodes_missing_value_tracks_true")
	values, err := numbersAttr(n, "nodes_values", "nodes_values_as_tensor")
	if err != nil {
		return nil, err
	}
	if err := lengths(n, []string{"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_truenodeids", "nodes_falsenodeids", "nodes_values"},
		len(treeIDs), len(nodeIDs), len(features), len(modes), len(yes), len(no), len(values)); err != nil {
		return nil, err
	}
	if len(missing) > 0 && len(missing) != len(treeIDs) {
		return nil, wrong(n, "nodes_treeids has ", len(treeIDs), " elements, nodes_missing_value_tracks_true ", len(missing))
	}
	place := make(map[[2]int64]int, len(treeIDs))
	for i := range treeIDs {
		id := [2]int64{treeIDs[i], nodeIDs[i]}
		if _, twice := place[id]; twice {
			return nil, wrong(n, "node ", id[1], " of tree ", id[0], " is there twice")
		}
		place[id] = i
	}
	t.nodes = make([]treeNode, len(treeIDs))
	child := make([]bool, len(treeIDs))
	for i := range t.nodes {
		d := &t.nodes[i]
		d.mode = uint8(len(branchModes))
		for k, name := range branchModes {
			if name == modes[i] && k != branchMember {
				d.mode = uint8(k)
			}
		}
		switch {
		case int(d.mode) == len(branchModes):
			return nil, wrong(n, "nodes_modes[", i, "] is ", text.Quote(modes[i]))
		case d.mode == leaf:
			continue
		case features[i] < 0 || features[i] >= dimLimit:
			return nil, wrong(n, "nodes_featureids[", i, "] is ", features[i])
		}
		d.feature, d.value, d.missing = int(features[i]), values[i], len(missing) > 0 && missing[i] != 0
		t.features = max(t.features, d.feature+1)
		for k, id := range [...]int64{yes[i], no[i]} {
			at, ok := place[[2]int64{treeIDs[i], id}]
			if !ok {
				return nil, wrong(n, "node ", nodeIDs[i], " of tree ", treeIDs[i], " leads to node ", id, ", which there is not")
			}
			child[at] = true
			if k == 0 {
				d.yes = at
			} else {
				d.no = at
			}
		}
	}
	root := map[int64]int{}
	for i, id := range treeIDs {
		if child[i] {
			continue
		}
		if other, twice := root[id]; twice {
			return nil, wrong(n, "tree ", id, " has two roots, nodes ", nodeIDs[other], " and ", nodeIDs[i])
		}
		root[id] = i
		t.roots = append(t.roots, i)
	}
	for i, id := range treeIDs {
		if _, ok := root[id]; !ok {
			return nil, wrong(n, "tree ", id, " has no root: node ", nodeIDs[i], " and all others are led to")
		}
	}
	return t, t.readWeights(n, prefix, place)
}

// readWeights reads what leaves give, in the order of the leaves.
func (t *trees) readWeights(n *ir.Node, prefix string, place map[[2]int64]int) (err error) {
	treeIDs, nodeIDs, ids := listOf(n, prefix+"_treeids"), listOf(n, prefix+"_nodeids"), listOf(n, prefix+"_ids")
	weights, err := numbersAttr(n, prefix+"_weights", prefix+"_weights_as_tensor")
	if err != nil {
		return err
	}
	if t.base, err = numbersAttr(n, "base_values", "base_values_as_tensor"); err != nil {
		return err
	}
	if err := lengths(n, []string{prefix + "_treeids", prefix + "_nodeids", prefix + "_ids", prefix + "_weights"}, len(treeIDs), len(nodeIDs), len(ids), len(weights)); err != nil {
		return err
	}
	if t.classify && len(t.base) > t.targets {
		return wrong(n, "there are ", len(t.base), " base_values for ", t.targets, " classes")
	}
	at := make([]int, len(ids))
	for i := range ids {
		k, ok := place[[2]int64{treeIDs[i], nodeIDs[i]}]
		if !ok || t.nodes[k].mode != leaf {
			return wrong(n, prefix, "_nodeids[", i, "] is ", nodeIDs[i], ", which is no leaf of tree ", treeIDs[i])
		}
		at[i] = k
		t.nodes[k].to++
	}
	from := 0
	for i := range t.nodes {
		count := t.nodes[i].to
		t.nodes[i].from, t.nodes[i].to = from, from
		from += count
	}
	t.ids, t.weights = make([]int, len(ids)), make([]float64, len(ids))
	first, one := int64(0), true
	for i, k := range at {
		to := t.nodes[k].to
		t.nodes[k].to++
		t.ids[to], t.weights[to] = int(max(min(ids[i], dimLimit), -1)), weights[i]
		t.positive = t.positive && weights[i] >= 0
		if i == 0 {
			first = ids[i]
		}
		one = one && ids[i] == first
	}
	t.binary = t.targets == 2 && one
	return nil
}

// readFlatTrees reads a TreeEnsemble, whose nodes and leaves are named by their places.
func readFlatTrees(n *ir.Node) (*trees, error) {
	t := &trees{targets: int(min(n.Int("n_targets", 1), dimLimit))}
	aggregate, how := n.Int("aggregate_function", 1), n.Int("post_transform", 0)
	if aggregate < 0 || aggregate > 3 || how < 0 || how >= int64(len(transforms)) || t.targets < 1 {
		return nil, wrong(n, "aggregate_function is ", aggregate, ", post_transform ", how, ", n_targets ", t.targets)
	}
	t.aggregate, t.how = [...]string{"AVERAGE", "SUM", "MIN", "MAX"}[aggregate], transforms[how]
	features, yes, no, yesLeaf, noLeaf := listOf(n, "nodes_featureids"), listOf(n, "nodes_truenodeids"), listOf(n, "nodes_falsenodeids"), listOf(n, "nodes_trueleafs"), listOf(n, "nodes_falseleafs")
	missing, ids, roots := listOf(n, "nodes_missing_value_tracks_true"), listOf(n, "leaf_targetids"), listOf(n, "tree_roots")
	var lists [4][]float64
	for i, name := range [...]string{"nodes_splits", "nodes_modes", "leaf_weights", "membership_values"} {
		list, err := numbersAttr(n, "", name)
		if err != nil {
			return nil, err
		}
		lists[i] = list
	}
	splits, modes, weights, members := lists[0], lists[1], lists[2], lists[3]
	if err := lengths(n, []string{"nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs", "nodes_splits", "nodes_modes"},
		len(features), len(yes), len(no), len(yesLeaf), len(noLeaf), len(splits), len(modes)); err != nil {
		return nil, err
	}
	if len(missing) > 0 && len(missing) != len(features) || len(ids) != len(weights) {
		return nil, wrong(n, "nodes_featureids has ", len(features), " elements, nodes_missing_value_tracks_true ", len(missing), "; leaf_targetids ", len(ids), ", leaf_weights ", len(weights))
	}
	count := len(features)
	t.nodes = make([]treeNode, count+len(ids))
	for i := range count {
		d := &t.nodes[i]
		if modes[i] != math.Trunc(modes[i]) || modes[i] < 0 || modes[i] > branchMember || features[i] < 0 || features[i] >= dimLimit {
			return nil, wrong(n, "nodes_modes[", i, "] is ", modes[i], ", nodes_featureids[", i, "] ", features[i])
		}
		d.mode, d.feature, d.value, d.missing = uint8(modes[i]), int(features[i]), splits[i], len(missing) > 0 && missing[i] != 0
		t.features = max(t.features, d.feature+1)
		if d.mode == branchMember { // whose lists end with what is no number
			k := 0
			for k < len(members) && members[k] == members[k] {
				k++
			}
			d.members, members = members[:k], members[min(k+1, len(members)):]
		}
		for k, id := range [...]int64{yes[i], no[i]} {
			limit, base := count, 0
			if [...]int64{yesLeaf[i], noLeaf[i]}[k] != 0 {
				limit, base = len(ids), count
			}
			if id < 0 || id >= int64(limit) {
				return nil, wrong(n, "node ", i, " leads to node or leaf ", id, ", and there are ", limit)
			}
			if k == 0 {
				d.yes = base + int(id)
			} else {
				d.no = base + int(id)
			}
		}
	}
	for i, id := range ids {
		t.nodes[count+i] = treeNode{mode: leaf, from: i, to: i + 1}
		t.ids = append(t.ids, int(max(min(id, dimLimit), -1)))
	}
	t.weights = weights
	for i, r := range roots {
		if r < 0 || r >= int64(count) {
			return nil, wrong(n, "tree_roots[", i, "] is ", r, ", and there are ", count, " nodes")
		}
		t.roots = append(t.roots, int(r))
	}
	return t, nil
}

// cycle is a node from which a way leads back to it, -1 where there is none.
func (t *trees) cycle() int {
	const (
		fresh = iota
		open
		done
	)
	state := make([]uint8, len(t.nodes))
	var stack []int
	for i := range t.nodes {
		if state[i] != fresh {
			continue
		}
		stack = append(stack[:0], i)
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			d := &t.nodes[at]
			if state[at] == open || d.mode == leaf {
				state[at] = done
				stack = stack[:len(stack)-1]
				continue
			}
			if state[at] == done {
				stack = stack[:len(stack)-1]
				continue
			}
			state[at] = open
			for _, next := range [...]int{d.yes, d.no} {
				if state[next] == open {
					return next
				}
				if state[next] == fresh {
					stack = append(stack, next)
				}
			}
		}
	}
	return -1
}

func planTrees(c *Call) error {
	t := Prepared(c, Key{}, 0, 0, func(bool) *trees {
		t, err := readTrees(c.Node)
		if err != nil {
			c.Err = err
		}
		return t
	})
	if c.Err != nil {
		return c.Err
	}
	rows, cols, err := features(c)
	if err != nil {
		return err
	}
	if cols < t.features {
		return c.fail("a node of a tree looks at feature %, and rows have % features", nil, t.features-1, cols)
	}
	in := c.In(0).Type
	s := Into[treeStep](c)
	s.t, s.rows, s.cols, s.single = t, rows, cols, in != ir.Float64
	s.in.set(c)
	s.store = storeFloats(ir.Float32)
	switch {
	case t.classify:
		c.Out(0, t.labels.dtype(), rows)
		c.Out(1, ir.Float32, rows, t.targets)
	case c.Node.Op == "TreeEnsemble":
		s.store = storeFloats(in)
		c.Out(0, in, rows, t.targets)
	default:
		c.Out(0, ir.Float32, rows, t.targets)
	}
	// Features, a row's scores, whether it has them, and those given out.
	c.Scratch(8*(s.in.n+rows*t.targets+2*t.targets) + 4*max(t.targets, 2))
	return nil
}

type treeStep struct {
	in         featuresAs
	t          *trees
	rows, cols int
	single     bool // sums are rounded to float32
	store      func(dst []byte, src []float64)
}

// find goes down a tree.
func (t *trees) find(root int, x []float64) *treeNode {
	for d := &t.nodes[root]; ; {
		var yes bool
		v := 0.0
		if d.mode != leaf {
			v = x[d.feature]
		}
		switch d.mode {
		case leaf:
			return d
		case branchLEQ:
			yes = v <= d.value
		case branchLT:
			yes = v < d.value
		case branchGTE:
			yes = v >= d.value
		case branchGT:
			yes = v > d.value
		case branchEQ:
			yes = v == d.value
		case branchNEQ:
			yes = v != d.value
		default:
			for _, m := range d.members {
				yes = yes || v == m
			}
		}
		if yes || d.missing && v != v {
			d = &t.nodes[d.yes]
		} else {
			d = &t.nodes[d.no]
		}
	}
}

// round is a sum as it is kept.
func (s *treeStep) round(v float64) float64 {
	if s.single {
		return float64(float32(v))
	}
	return v
}

func (s *treeStep) Run(a *Args) {
	t := s.t
	x := scratchFloats(a, 0, s.in.n)
	all := scratchFloats(a, s.in.n, s.rows*t.targets)
	scores, has := scratchFloats(a, s.in.n+len(all), t.targets), scratchFloats(a, s.in.n+len(all)+t.targets, t.targets)
	given := (&ir.Tensor{Data: a.Scratch[8*(s.in.n+len(all)+2*t.targets):]}).Float32s()[:max(t.targets, 2)]
	s.in.read(a, x)
	for r := range s.rows {
		clear(scores)
		clear(has)
		for _, root := range t.roots {
			s.add(scores, has, t.find(root, x[r*s.cols:][:s.cols]))
		}
		y := all[r*t.targets:][:t.targets]
		if t.classify {
			s.classify(a, r, scores, has, given)
			for i := range y {
				y[i] = float64(given[i])
			}
			continue
		}
		s.combine(scores, has)
		if t.targets == 1 && t.how != "PROBIT" || t.how == "NONE" {
			copy(y, scores)
			continue
		}
		for i, v := range scores {
			given[i] = float32(v)
		}
		finishScores(given, t.targets, t.how, noSecond)
		for i := range y {
			y[i] = float64(given[i])
		}
	}
	switch {
	case !t.classify:
		s.store(a.Out[0].Data, all)
	case len(a.Out) > 1 && a.Out[1] != nil:
		s.store(a.Out[1].Data, all)
	}
}

// add counts what a leaf gives.
func (s *treeStep) add(scores, has []float64, d *treeNode) {
	t := s.t
	for k := d.from; k < d.to; k++ {
		id, w := t.ids[k], t.weights[k]
		switch {
		case t.aggregate == "MIN" && (has[id] == 0 || w < scores[id]), t.aggregate == "MAX" && (has[id] == 0 || w > scores[id]):
			scores[id] = w
		case t.aggregate == "SUM" || t.aggregate == "AVERAGE":
			scores[id] = s.round(scores[id] + w)
		}
		has[id] = 1
	}
}

// combine makes a regressor's results of what the trees gave.
func (s *treeStep) combine(scores, has []float64) {
	t := s.t
	for i := range scores {
		if t.aggregate == "AVERAGE" {
			scores[i] = s.round(scores[i] / float64(len(t.roots)))
		}
		if len(t.base) == t.targets {
			scores[i] = s.round(scores[i] + t.base[i])
		}
	}
}

// classify writes a row's label, and its scores to given.
func (s *treeStep) classify(a *Args, r int, scores, has []float64, given []float32) {
	t := s.t
	n, second := t.targets, noSecond
	if t.targets > 2 {
		best := -1
		for i := range scores {
			if i < len(t.base) {
				scores[i], has[i] = s.round(scores[i]+t.base[i]), 1
			}
			if has[i] != 0 && (best < 0 || scores[i] > scores[best]) {
				best = i
			}
		}
		if y := a.Out[0]; y != nil {
			t.labels.put(y, r, max(best, 0))
		}
	} else {
		switch {
		case t.targets == 2 && len(t.base) == 2 && has[1] != 0:
			scores[1] = s.round(t.base[1] + scores[0])
			scores[0] = -scores[1]
		case t.targets == 2 && len(t.base) == 2:
			scores[0], scores[1] = s.round(scores[0]+t.base[0]), s.round(scores[1]+t.base[1])
		default:
			if len(t.base) == 1 {
				scores[0] = s.round(scores[0] + t.base[0])
			}
			if t.targets == 1 || has[1] == 0 {
				n, second = 1, opposite
			}
		}
		weight := scores[0]
		if t.targets == 2 && has[1] != 0 {
			weight = scores[1]
		}
		limit := 0.0
		if t.binary && t.positive {
			limit = 0.5
			if n == 1 {
				second = complement
			}
		}
		if y := a.Out[0]; y != nil {
			s.putBinary(y, r, weight > limit)
		}
	}
	for i, v := range scores {
		given[i] = float32(v)
	}
	if t.targets == 1 {
		second = noSecond // there is no room
	}
	finishScores(given, n, t.how, second)
}

// putBinary writes one of two labels: those of the classes where only one of these has
// weights, else 1 and 0.
func (s *treeStep) putBinary(y *ir.Tensor, r int, positive bool) {
	class := int(truth[uint8](positive))
	switch l := &s.t.labels; {
	case s.t.binary || len(l.words) > class:
		l.put(y, r, class)
	case len(l.words) > 0:
		l.put(y, r, 0)
	default:
		y.Int64s()[r] = int64(class)
	}
}
