//go:build !lean

package op

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Loops, sequences and optional values: the planner itself runs them, because bodies are
// planned like graphs, and a sequence is a list of the values that are in it.

func init() { Register(loopRows) }

var loopRows = []Row{{
	Name: "Loop", Since: 1, Changes: []int{11, 13, 16, 19, 21, 23, 24, 25},
	In:      []In{{Name: "M", Types: 1 << ir.Int64, Opt: true}, {Name: "cond", Types: boolOnly, Opt: true}, {Name: "v_initial", Types: anyType, Opt: true, Many: true}},
	Out:     []Out{{Name: "v_final_and_scan_outputs", Many: true}},
	Attrs:   []Attr{{Name: "body", Kind: ir.AttrGraph}},
	Check:   checkLoop,
	Planned: true,
}, {
	Name: "Scan", Since: 8, Changes: []int{9, 11, 16, 19, 21, 23, 24, 25},
	In:  []In{{Name: "initial_state_and_scan_inputs", Types: anyType, Opt: true, Many: true}},
	Out: []Out{{Name: "final_state_and_scan_outputs", Many: true}},
	Attrs: []Attr{{Name: "body", Kind: ir.AttrGraph}, {Name: "num_scan_inputs", Kind: ir.AttrInt}, {Name: "directions", Kind: ir.AttrInts, Till: 8},
		{Name: "scan_input_directions", Kind: ir.AttrInts, Since: 9}, {Name: "scan_output_directions", Kind: ir.AttrInts, Since: 9},
		{Name: "scan_input_axes", Kind: ir.AttrInts, Since: 9}, {Name: "scan_output_axes", Kind: ir.AttrInts, Since: 9}},
	Check:   checkScan,
	Planned: true,
}, {
	Name: "SequenceMap", Since: 17,
	In:      []In{{Name: "input_sequence", Types: anyType}, {Name: "additional_inputs", Types: anyType, Opt: true, Many: true}},
	Out:     []Out{{Name: "out_sequence", Many: true}},
	Attrs:   []Attr{{Name: "body", Kind: ir.AttrGraph}},
	Check:   checkSequenceMap,
	Planned: true,
}, {
	Name: "SequenceEmpty", Since: 11,
	Out:     []Out{{Name: "output", From: "dtype"}},
	Attrs:   []Attr{{Name: "dtype", Kind: ir.AttrInt}},
	Planned: true,
}, {
	Name: "SequenceConstruct", Since: 11,
	In:      []In{{Name: "inputs", Types: anyType, Many: true}},
	Out:     []Out{{Name: "output_sequence"}},
	Planned: true,
}, {
	Name: "SequenceInsert", Since: 11,
	In:      []In{{Name: "input_sequence", Types: anyType}, {Name: "tensor", Types: anyType}, {Name: "position", Types: indexTypes, Opt: true}},
	Out:     []Out{{Name: "output_sequence"}},
	Planned: true,
}, {
	Name: "SequenceErase", Since: 11,
	In:      []In{{Name: "input_sequence", Types: anyType}, {Name: "position", Types: indexTypes, Opt: true}},
	Out:     []Out{{Name: "output_sequence"}},
	Planned: true,
}, {
	Name: "SequenceAt", Since: 11,
	In:      []In{{Name: "input_sequence", Types: anyType}, {Name: "position", Types: indexTypes}},
	Out:     []Out{{Name: "tensor"}},
	Planned: true,
}, {
	Name: "SequenceLength", Since: 11,
	In:      []In{{Name: "input_sequence", Types: anyType}},
	Out:     []Out{{Name: "length", Type: ir.Int64}},
	Planned: true,
}, {
	Name: "SplitToSequence", Since: 11, Changes: []int{24},
	In:      []In{{Name: "input", Types: anyType}, {Name: "split", Types: indexTypes, Opt: true}},
	Out:     []Out{{Name: "output_sequence"}},
	Attrs:   []Attr{{Name: "axis", Kind: ir.AttrInt}, {Name: "keepdims", Kind: ir.AttrInt, I: 1}},
	Planned: true,
}, {
	Name: "ConcatFromSequence", Since: 11,
	In:      []In{{Name: "input_sequence", Types: anyType}},
	Out:     []Out{{Name: "concat_result"}},
	Attrs:   []Attr{{Name: "axis", Kind: ir.AttrInt}, {Name: "new_axis", Kind: ir.AttrInt}},
	Planned: true,
}, {
	Name: "Optional", Since: 15,
	In:      []In{{Name: "input", Types: anyType, Opt: true}},
	Out:     []Out{{Name: "output"}},
	Attrs:   []Attr{{Name: "type", Kind: ir.AttrType}},
	Planned: true,
}, {
	Name: "OptionalGetElement", Since: 15, Changes: []int{18},
	In:      []In{{Name: "input", Types: anyType}},
	Out:     []Out{{Name: "output"}},
	Planned: true,
}, {
	Name: "OptionalHasElement", Since: 15, Changes: []int{18},
	In:      []In{{Name: "input", Types: anyType, Opt: true}},
	Out:     []Out{{Name: "output", Type: ir.Bool}},
	Planned: true,
}}

// checkLoop returns what is wrong with a Loop's body, or "".
func checkLoop(n *ir.Node) string {
	carried := max(len(n.Inputs)-2, 0)
	return checkBody(n, 2+carried, 1+carried, len(n.Outputs)+1)
}

// checkBody returns what is wrong with a body that has to have so many inputs, and outputs.
func checkBody(n *ir.Node, inputs, least, outputs int) string {
	a := n.Attrs["body"]
	switch {
	case a == nil || a.G == nil:
		return "without body"
	case len(a.G.Inputs) != inputs:
		return text.Join("whose body has ", len(a.G.Inputs), " inputs, want ", inputs)
	case len(a.G.Outputs) < max(least, outputs):
		return text.Join("whose body has ", len(a.G.Outputs), " outputs, want ", max(least, outputs))
	}
	return ""
}

// checkScan returns what is wrong with a Scan's body or lists, or "".
func checkScan(n *ir.Node) string {
	first := 0 // of the states: up to opset 8 the lengths of sequences come before them
	if n.Version < 9 {
		first = 1
	}
	inputs, scans := len(n.Inputs)-first, n.Int("num_scan_inputs", 0)
	if scans < 1 || scans > int64(inputs) {
		return text.Join("with num_scan_inputs ", scans, " of ", inputs, " inputs")
	}
	states := inputs - int(scans)
	if why := checkBody(n, inputs, states, len(n.Outputs)); why != "" {
		return why
	}
	stacked := len(n.Attrs["body"].G.Outputs) - states
	for _, l := range [...]struct {
		name string
		want int
	}{{"directions", int(scans)}, {"scan_input_directions", int(scans)}, {"scan_input_axes", int(scans)},
		{"scan_output_directions", stacked}, {"scan_output_axes", stacked}} {
		if list, given := n.Ints(l.name); given && len(list) != l.want {
			return text.Join("with ", len(list), " ", l.name, ", want ", l.want)
		}
	}
	return ""
}

func checkSequenceMap(n *ir.Node) string {
	return checkBody(n, len(n.Inputs), 0, len(n.Outputs))
}
