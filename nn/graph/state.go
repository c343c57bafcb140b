package graph

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/plan"
)

// State is an output that a session keeps and feeds back at the next run, by the names of
// the input and of the output.
type State struct{ Input, Output string }

// statesOf finds the states that the options ask for.
func statesOf(g *ir.Graph, o Options) ([]plan.State, error) {
	inputs, outputs := infos(g.Inputs), infos(g.Outputs)
	list := o.States
	if o.AutoStates {
		list = Paired(inputs, outputs)
	}
	states := make([]plan.State, len(list))
	for k := range list {
		s, st, why := &list[k], &states[k], ""
		st.In, st.Out = find(inputs, s.Input), find(outputs, s.Output)
		switch {
		case st.In < 0:
			why = "there is no such input"
		case st.Out < 0:
			why = "there is no such output"
		default:
			why = unlike(&inputs[st.In], &outputs[st.Out])
		}
		for _, other := range states[:k] {
			if other.In == st.In || other.Out == st.Out {
				why = "one of them is given twice"
			}
		}
		if why != "" {
			return nil, ir.Shape("graph: state of input ", text.Quote(s.Input), " and output ", text.Quote(s.Output), ": ", why)
		}
	}
	return states, nil
}

// find is the number of a value, -1 for none.
func find(values []Info, name string) int {
	for i := range values {
		if values[i].Name == name {
			return i
		}
	}
	return -1
}

// unlike says why an output cannot be an input of the next run, "" if it can.
func unlike(in, out *Info) string {
	switch {
	case in.Form.List() || out.Form.List():
		return "it is no tensor"
	case in.Type == ir.String || in.Type != out.Type:
		return "their types differ, or are string"
	case !in.Known:
		return "the model does not declare the input's dimensions, so that nothing is known to start from"
	case !out.Known:
		return ""
	case len(in.Dims) != len(out.Dims):
		return "they have unlike numbers of dimensions"
	}
	for j := range in.Dims {
		if a, b := in.Dims[j].Size, out.Dims[j].Size; a != b && a >= 0 && b >= 0 {
			return "their dimensions differ"
		}
	}
	return ""
}

// StateOf is output i as the latest run that succeeded left it, nil for one that is no
// state. It may have gaps (ir.Tensor.Dense leaves them out), and lasts until the next run.
func (s *Session) StateOf(i int) *ir.Tensor {
	if s.released {
		return nil
	}
	return s.plan.State(i)
}

// ResetState lets the next run start as the first did.
func (s *Session) ResetState() {
	if !s.released {
		s.plan.Reset()
	}
}

// complete gives the states that are left out (nil) their dimensions.
func (s *Session) complete(dims [][]int) [][]int {
	if len(s.states) == 0 || len(dims) != len(s.graph.Inputs) {
		return dims
	}
	full := append([][]int(nil), dims...)
	for k, st := range s.states {
		kept, grows := s.plan.Feed(k, dims[st.In] != nil)
		if dims[st.In] == nil {
			if kept == nil {
				kept = s.start(s.graph.Inputs[st.In], s.graph.Outputs[st.Out], grows, dims)
			}
			full[st.In] = kept
		}
	}
	return full
}

// start is the dimensions that a state has at the first run, of which all elements are 0.
// A dimension that is free is:
//
//   - 0 along the axis that the state grows by, as a decoder's cache does;
//   - what the inputs that are fed have where they name the same dimension (the batch);
//   - what the output declares, if that is a size;
//   - 0 if both have names for it, and unlike ones ("past" and "total");
//   - else 1.
func (s *Session) start(in, out *ir.Value, grows int, dims [][]int) []int {
	list := make([]int, len(in.Dims))
	for j := range in.Dims {
		d, o := &in.Dims[j], &ir.Dim{Size: -1}
		if out.Known {
			o = &out.Dims[j]
		}
		switch size := s.named(d.Symbol, dims); {
		case d.Size >= 0:
			list[j] = d.Size
		case j == grows:
		case size >= 0:
			list[j] = size
		case o.Size >= 0:
			list[j] = o.Size
		case o.Symbol == "" || d.Symbol == "" || o.Symbol == d.Symbol:
			list[j] = 1
		}
	}
	return list
}

// named is the size that inputs which are fed have where they declare a dimension of this
// name, -1 for none.
func (s *Session) named(symbol string, dims [][]int) int {
	for i, v := range s.graph.Inputs {
		for j := range v.Dims {
			if d := &v.Dims[j]; symbol != "" && d.Size < 0 && d.Symbol == symbol && len(dims[i]) == len(v.Dims) {
				return dims[i][j]
			}
		}
	}
	return -1
}
