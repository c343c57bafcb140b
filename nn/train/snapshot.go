package train

import (
	"slices"

	"github.com/normwasm/normwasm/internal/text"
)

// Snapshot is all that a network in training remembers. A Trainer made with the same
// Options, but for the seed, goes on from it to the bit.
type Snapshot struct {
	// Tensors are the parameters ("3.weight"), the running statistics of each batchNorm
	// ("1.running_mean", "1.running_var") and what the optimizer keeps of each parameter
	// ("momentum.3.weight"; of AdamW also "square.3.weight").
	Tensors []Tensor
	Steps   int
	Random  uint64 // the state of the random numbers
	Batches []int  // that the running statistics of each batchNorm have seen
}

// Tensor is a part of a Snapshot.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// tensors are the network's own memory under the names of a Snapshot.
func (t *Trainer) tensors() (all []Tensor) {
	for _, p := range t.params {
		all = append(all, Tensor{p.Name, p.Shape, p.Value})
	}
	for _, n := range t.all {
		if l, ok := n.layer.(*batchNorm); ok {
			shape := []int{len(l.layer.RunningMean)}
			all = append(all, Tensor{n.path + ".running_mean", shape, l.layer.RunningMean}, Tensor{n.path + ".running_var", shape, l.layer.RunningVar})
		}
	}
	for _, p := range t.params {
		if p.m != nil {
			all = append(all, Tensor{"momentum." + p.Name, p.Shape, p.m})
		}
		if p.v != nil {
			all = append(all, Tensor{"square." + p.Name, p.Shape, p.v})
		}
	}
	return all
}

// Snapshot copies the network's state.
func (t *Trainer) Snapshot() *Snapshot {
	s := &Snapshot{Steps: t.steps, Random: t.rand.state}
	for _, tensor := range t.tensors() {
		s.Tensors = append(s.Tensors, Tensor{tensor.Name, slices.Clone(tensor.Shape), slices.Clone(tensor.Data)})
	}
	for _, l := range t.norms {
		s.Batches = append(s.Batches, l.layer.Batches)
	}
	return s
}

// Restore brings a state back, in whatever order the tensors come. One of another
// network, which lacks a tensor, has one more or one of another shape, is a *ShapeError
// that names it, and nothing has changed then.
func (t *Trainer) Restore(s *Snapshot) error {
	given := make(map[string]*Tensor, len(s.Tensors))
	for i := range s.Tensors {
		given[s.Tensors[i].Name] = &s.Tensors[i]
	}
	own := t.tensors()
	for _, want := range own {
		have := given[want.Name]
		switch {
		case have == nil:
			return shapeError("the state has no tensor ", text.Quote(want.Name), ", which this network has as ", want.Shape)
		case !slices.Equal(have.Shape, want.Shape) || len(have.Data) != len(want.Data):
			return shapeError("the state's tensor ", text.Quote(want.Name), " is ", have.Shape, " with ", len(have.Data), " elements, want ", want.Shape)
		}
	}
	if len(s.Tensors) != len(own) {
		for _, tensor := range own {
			delete(given, tensor.Name)
		}
		for _, tensor := range s.Tensors {
			if given[tensor.Name] != nil {
				return shapeError("the state has a tensor ", text.Quote(tensor.Name), ", which this network does not have")
			}
		}
		return shapeError("the state has a tensor twice")
	}
	if s.Steps < 0 || len(s.Batches) != len(t.norms) {
		return shapeError("the state has made ", s.Steps, " steps and counts the batches of ", len(s.Batches), " batchNorms, and this network has ", len(t.norms))
	}
	for _, tensor := range own {
		copy(tensor.Data, given[tensor.Name].Data)
	}
	t.steps, t.rand.state = s.Steps, s.Random
	for i, l := range t.norms {
		l.layer.Batches = s.Batches[i]
	}
	return nil
}
