// Package network is the part of the bridge that trains: handles for networks, and the
// classes of package train's errors. Only the edition of the module that trains imports it.
package network

import (
	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/train"
)

// Network is a network in training that JavaScript holds.
type Network struct {
	*train.Trainer
	options train.Options
	precise *train.Precise // statistics being gathered, nil when none are
	rooms   [2][]byte      // for a batch's x and y, from step to step
}

// Room is memory of so many bytes for a batch's x (0) or y (1), until the next batch.
// It panics with a slab.NoMemoryError where there is none.
func (n *Network) Room(place, bytes int) []byte {
	if bytes > len(n.rooms[place]) {
		n.rooms[place] = slab.New(bytes)
	}
	return n.rooms[place][:bytes:bytes]
}

// New makes a network, and a handle for it.
func New(b *bridge.Bridge, o train.Options) (h bridge.Handle, err error) {
	t, err := train.New(o)
	if err != nil {
		return 0, Fail(err)
	}
	return b.Keep(&Network{Trainer: t, options: o})
}

// Get returns the network of a handle.
func Get(b *bridge.Bridge, h bridge.Handle) (*Network, error) {
	v, err := b.Kept(h, "network")
	if err != nil {
		return nil, err
	}
	n, ok := v.(*Network)
	if !ok {
		return nil, &bridge.Error{Status: bridge.Invalid, Text: text.Join("bridge: handle ", uint32(h), " does not name a network")}
	}
	return n, nil
}

// Release lets go of a network. A second Release says Disposed.
func Release(b *bridge.Bridge, h bridge.Handle) error {
	if _, err := Get(b, h); err != nil {
		return err
	}
	return b.Forget(h)
}

// Tokens says whether the network's input are tokens, for an embedding.
func (n *Network) Tokens() bool { return n.options.Model[0].Type == "embedding" }

// Labels says whether the loss compares with labels.
func (n *Network) Labels() bool { return n.options.Loss == "crossEntropy" }

// Gather takes a batch into the statistics that Settle will set. The first one begins
// anew, as does one after Settle or a failure.
func (n *Network) Gather(batch train.Batch, first bool) error {
	if first || n.precise == nil {
		n.precise = n.Precise()
	}
	err := n.precise.Add(batch)
	if err != nil {
		n.precise = nil
	}
	return Fail(err)
}

// Settle makes what was gathered the running statistics.
func (n *Network) Settle() error {
	p := n.precise
	n.precise = nil
	if p == nil {
		p = n.Precise() // whose Finish says that there were no batches
	}
	return Fail(p.Finish())
}

// Fail gives an error of package train the class that JavaScript knows it by.
func Fail(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *train.ShapeError:
		return &bridge.Error{Status: bridge.BadShape, Text: e.Error()}
	case *train.ValueError:
		return &bridge.Error{Status: bridge.Invalid, Text: e.Error()}
	case *train.NonFiniteError:
		return &bridge.Error{Status: bridge.NotFinite, Text: e.Error()}
	case *train.LayerError:
		status, message := bridge.Classify(e.Err)
		return &bridge.Error{Status: status, Text: text.Join("train: layer ", e.Layer, ": ", message)}
	}
	return err
}
