package graph

// planner walks a graph for concrete input shapes and lays out its memory.
type planner struct{}

// Host returns input i's value, which the operator needs to tell its outputs'
// shapes (as Reshape needs its second input). When the value depends on the
// input data and is not computed yet it returns errNotYet, and the operator
// returns that error as it is: the planner calls it again once the value is
// there.
func (c *Call) Host(i int) (*Tensor, error) { panic("not yet") }

// Prepared returns what make gives, once a session for this node and key: the
// place for packed weights.
func (c *Call) Prepared(key string, make func() any) any { panic("not yet") }

// Fail makes the error of a node whose operands do not fit: it puts the
// operator's and node's name before the parts.
func (c *Call) Fail(parts ...any) error { panic("not yet") }
