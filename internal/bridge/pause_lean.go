//go:build !train && lean

package bridge

import "github.com/normwasm/normwasm/nn/ir"

// Lists says that inputs and outputs may be sequences and optional values: the lean edition has none, nor loops.
const Lists = false

type task struct{}

// ExecPart is Exec.
func (b *Bridge) ExecPart(h Handle, stop bool, _ func() float64) (list []*ir.Tensor, more bool, err error) {
	if !stop {
		list, err = b.Exec(h)
	}
	return list, false, err
}

func (b *Bridge) stop(Handle) {}

func (s *session) busy() error { return nil }
