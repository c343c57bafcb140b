package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Evaluate computes a node whose inputs are all constants. It gives up (nil) where the
// outputs would have more than limit bytes or the node fails: the error belongs to the run
// that reaches it. Where outputs are large they are in slabs, which are the caller's.
func Evaluate(n *ir.Node, limit, maxBytes int) (outs []*ir.Tensor, slabs [][]byte) {
	row := op.Find(n.Key())
	if row == nil || row.Planned {
		return nil, nil
	}
	d := &node{node: n, row: row}
	for _, v := range n.Inputs {
		var pl *place
		var spec *op.Spec
		if v != nil {
			pl = &place{spec: op.Spec{Type: v.Const.Type, Dims: v.Const.Dims, Host: v.Const}, tensor: v.Const}
			spec = &pl.spec
		}
		d.places, d.specs = append(d.places, pl), append(d.specs, spec)
	}
	for i, v := range n.Outputs {
		id := i
		if v == nil {
			id = -1
		}
		d.out, d.outs = append(d.out, id), append(d.outs, nil)
	}
	p := &Plan{options: Options{MaxBytes: maxBytes}, hostLimit: limit, evaluates: true}
	failed := p.attempt(d) != nil
	outs = make([]*ir.Tensor, len(n.Outputs))
	for i, pl := range d.outs {
		if pl != nil && !failed {
			outs[i] = pl.spec.Host
			failed = outs[i] == nil
		}
	}
	if failed {
		for _, b := range p.slabs {
			slab.Give(b)
		}
		return nil, nil
	}
	return outs, p.slabs
}

func (p *Plan) attempt(d *node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = stopped(d.node, r)
		}
	}()
	c := &p.call
	c.Begin(d.node, d.row, d.specs, nil, nil, p.options.MaxBytes)
	if err := d.row.Admit(c); err != nil {
		return err
	}
	if err := d.row.Do(c); err != nil {
		return err
	}
	return p.finish(d, c)
}
