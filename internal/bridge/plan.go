package bridge

import "slices"

// plan is what an operation prepared for calls of the same shape, axes and options.
type plan struct {
	op      string
	shape   []int
	axes    []int
	options [maxOptions]float64
	value   any
}

// plans are the plans used last, the latest first.
type plans []*plan

// cached is enough for the layers of a small network, and few enough to search.
const cached = 32

func (l *plans) get(c *Call, o *Operation) (any, error) {
	list := *l
	for i, p := range list {
		if p.op == o.Name && p.options == c.Options && slices.Equal(p.shape, c.Shape) && slices.Equal(p.axes, c.Axes) && (p.axes == nil) == (c.Axes == nil) {
			copy(list[1:i+1], list[:i])
			list[0] = p
			return p.value, nil
		}
	}
	v, err := o.prepare(c)
	if err != nil {
		return nil, err
	}
	if len(list) < cached {
		list = append(list, nil)
	}
	copy(list[1:], list)
	list[0] = &plan{o.Name, slices.Clone(c.Shape), slices.Clone(c.Axes), c.Options, v}
	*l = list
	return v, nil
}
