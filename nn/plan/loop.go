package plan

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Loop, Scan and SequenceMap. The body is a plan of its own, whose inputs are the body's
// and the values that it uses of the graphs around it. It is planned by the first trip and
// runs many times; a trip with other shapes has those nodes planned again that it concerns.
//
// Values that a trip hands to the next are the body's states: two blocks of memory change
// places, or what is concatenated grows in its place. What the trips' results are
// collected in is one block. The shapes of the results are known when the loop has run, so
// that a segment of the plan ends with it.

// trips count those of all loops of a run. Where there is a pause, each trip asks it first whether to go on.
type trips struct {
	done, most int
	pause      func() bool
}

// loop is a node that runs a body many times.
type loop struct {
	plan *Plan
	node *node
	body *Plan
	in   []feed
	out  []yield
	// endless says that the body never asks for the end, so that the number of trips is known.
	endless bool
	tried   bool // planning before the first run

	heads   []*place // what the operands are: tensors or lists
	values  []value  // by input of the body: what it is in this trip
	results []value  // by output of the node
	lists   []*listed
	dims    [][]int // of all that the body is fed
	fed     [][]byte
	trip    int
	batch   int // which sequence of a batch it is, of opset 8's Scan; -1 for none
	batches int // of how many
	rows    int // how many elements of a stack each trip of all has
	count   [8]byte
	goes    [1]byte
	bytes   int // of stacks
}

// value is what an input of a body is fed, or a result is.
type value struct {
	count int          // One, Nothing, or so many of list
	one   *ir.Tensor   // one tensor
	list  []*ir.Tensor // the elements of a sequence
	known bool         // one is known while planning
	kept  bool         // the body has it as a state
	own   ir.Tensor    // for one
	room  []byte       // that own has
}

func (v *value) set(t *ir.Tensor) { v.count, v.one, v.known, v.kept = One, t, false, false }

type feedKind uint8

const (
	feedTrip    feedKind = iota // the number of the trip
	feedGoes                    // the condition
	feedCarried                 // what the trip before gave, at first the operand
	feedSlice                   // a slice of the operand
	feedItem                    // an element of the operand, a sequence
	feedWhole                   // the operand, the same in all trips
)

// feed says where an input of a body comes from.
type feed struct {
	kind    feedKind
	operand int
	state   int // of the body, -1 for none
	axis    int
	reverse bool
	scratch []byte
}

type yieldKind uint8

const (
	yieldGoes    yieldKind = iota // whether there is another trip
	yieldCarried                  // for the next trip
	yieldStack                    // a slice of a result
	yieldItem                     // an element of a result, a sequence
)

// yield says where an output of a body goes.
type yield struct {
	kind    yieldKind
	input   int // of the body, where it is carried
	result  int // of the node, -1 for none
	axis    int
	reverse bool
	stack   stack
}

// stack collects the slices of a result.
type stack struct {
	t       ir.Tensor // its elements so far: dims are those of a slice
	data    []byte
	rows    int // slices that data has room for
	started bool
}

// listed is the place of a result that is a sequence.
type listed struct {
	list  place
	items []*place
}

// loop compiles the body of a node.
func (c *compiler) loop(d *node) {
	n := d.node
	g := n.Attrs["body"].G
	body := &ir.Graph{Name: g.Name, Opsets: g.Opsets, Nodes: g.Nodes, Outputs: g.Outputs}
	body.Inputs = append(body.Inputs, g.Inputs...)
	l := &loop{plan: c.plan, node: d, batch: -1}
	wholes := len(n.Inputs)
	for _, v := range captured(g) {
		body.Inputs = append(body.Inputs, v)
		d.in = append(d.in, c.use(v))
	}
	switch n.Op {
	case "Loop":
		l.compileLoop(g)
	case "Scan":
		l.compileScan(g)
	default:
		for i := range g.Inputs {
			l.in = append(l.in, feed{kind: feedItem, operand: i, state: -1})
		}
		for i := range g.Outputs {
			l.out = append(l.out, yield{kind: yieldItem, result: i})
		}
	}
	for i := wholes; i < len(d.in); i++ {
		l.in = append(l.in, feed{kind: feedWhole, operand: i, state: -1})
	}
	for i := range l.out {
		if r := l.out[i].result; r >= len(n.Outputs) || r >= 0 && n.Outputs[r] == nil {
			l.out[i].result = -1
		}
	}
	l.body = compile(body, Options{MaxBytes: c.plan.options.MaxBytes, MaxTrips: c.plan.options.MaxTrips, States: l.states(g), body: true}, c.plan.trips)
	l.values, l.results = make([]value, len(l.in)), make([]value, len(n.Outputs))
	l.lists = make([]*listed, len(n.Outputs))
	for i, v := range n.Outputs {
		if v != nil {
			pl := &place{buf: outerBuffer()}
			pl.tensor = &pl.own
			d.outs[i] = pl
		}
	}
	d.inPlace = make([]uint32, len(d.outs))
	d.loop, d.step, d.runs = l, loopStep{l}, true
	c.plan.loops = append(c.plan.loops, l)
}

// captured are the values that a body takes from the graphs around it.
func captured(g *ir.Graph) (list []*ir.Value) {
	inside := map[*ir.Value]bool{nil: true}
	var define func(g *ir.Graph)
	define = func(g *ir.Graph) {
		for _, v := range g.Inputs {
			inside[v] = true
		}
		for _, n := range g.Nodes {
			for _, v := range n.Outputs {
				inside[v] = true
			}
			for _, b := range n.Subgraphs() {
				define(b)
			}
		}
	}
	define(g)
	use := func(v *ir.Value) {
		if !inside[v] && v.Const == nil {
			inside[v] = true
			list = append(list, v)
		}
	}
	ir.EachUse(g.Nodes, use)
	for _, v := range g.Outputs {
		use(v)
	}
	return list
}

func (l *loop) compileLoop(g *ir.Graph) {
	same := passing(g)
	l.in = append(l.in, feed{kind: feedTrip, state: -1}, feed{kind: feedGoes, operand: 1, state: -1})
	l.out = append(l.out, yield{kind: yieldGoes, input: 1, result: -1})
	carried := len(g.Inputs) - 2
	for i := range carried {
		kind := feedCarried
		if same(1+i) == g.Inputs[2+i] {
			kind = feedWhole
		}
		l.in = append(l.in, feed{kind: kind, operand: 2 + i, state: -1})
		l.out = append(l.out, yield{kind: yieldCarried, input: 2 + i, result: i})
	}
	for i := carried; i < len(g.Outputs)-1; i++ {
		l.out = append(l.out, yield{kind: yieldStack, result: i})
	}
	goes := same(0)
	l.endless = goes == g.Inputs[1] || goes.Const != nil && goes.Const.Type == ir.Bool && len(goes.Const.Data) == 1 && goes.Const.Data[0] != 0
}

func (l *loop) compileScan(g *ir.Graph) {
	n := l.node.node
	first := 0
	if n.Version < 9 {
		first = 1
	}
	same := passing(g)
	list := func(name string, i int) int64 {
		if ints, ok := n.Ints(name); ok {
			return ints[i]
		}
		return 0
	}
	states := len(g.Inputs) - int(n.Int("num_scan_inputs", 0))
	l.endless = true
	for i := range g.Inputs {
		f := feed{kind: feedCarried, operand: first + i, state: -1}
		switch {
		case i >= states:
			f.kind, f.axis = feedSlice, int(list("scan_input_axes", i-states))
			f.reverse = list("scan_input_directions", i-states)+list("directions", i-states) != 0
		case first == 0 && same(i) == g.Inputs[i]:
			f.kind = feedWhole
		}
		l.in = append(l.in, f)
	}
	for i := range g.Outputs {
		y := yield{kind: yieldCarried, input: i, result: i}
		if i >= states {
			y.kind, y.axis = yieldStack, int(list("scan_output_axes", i-states))
			y.reverse = list("scan_output_directions", i-states) != 0
		}
		l.out = append(l.out, y)
	}
}

// passing returns which value an output of a body is when nodes that only pass it on are left out.
func passing(g *ir.Graph) func(o int) *ir.Value {
	from := map[*ir.Value]*ir.Value{}
	for _, n := range g.Nodes {
		if n.Op == "Identity" && n.Domain == "" && n.Out(0) != nil {
			from[n.Out(0)] = n.In(0)
		}
	}
	return func(o int) *ir.Value {
		v := g.Outputs[o]
		for from[v] != nil {
			v = from[v]
		}
		return v
	}
}

// states are the pairs of the body's inputs and outputs that are carried as states: tensors
// of numbers.
func (l *loop) states(g *ir.Graph) (list []State) {
	for o := range l.out {
		y := &l.out[o]
		if y.kind != yieldCarried || l.in[y.input].kind != feedCarried {
			continue
		}
		if v := g.Inputs[y.input]; !v.Form.List() && v.Type != ir.Undefined && v.Type != ir.String {
			l.in[y.input].state = len(list)
			list = append(list, State{In: y.input, Out: o})
		}
	}
	return list
}

// reach notes what the operands of a loop are: the segment ends with its step.
func (p *Plan) reach(s *segment, n *node) error {
	l := n.loop
	l.heads, n.places = l.heads[:0], n.places[:0]
	for _, id := range n.in {
		var pl *place
		if id >= 0 {
			if pl = p.current[id]; pl == nil {
				return ir.Load("graph: ", ir.Plain(n.node.Op), " ", text.Quote(n.node.Name), " uses a value before it is computed")
			}
		}
		l.heads = append(l.heads, pl)
		switch {
		case pl == nil:
		case pl.list == nil:
			n.places = append(n.places, pl)
		default:
			n.places = append(n.places, pl.list.items...)
		}
	}
	if len(n.places) != len(n.read) {
		s.other = true
	}
	s.changed = append(s.changed, n)
	if !l.tried {
		l.tried = true
		l.anticipate()
	}
	return nil
}

// anticipate plans the body for what is known of its operands, so that weights are packed
// before the first run. A plan that fails is the run's to report.
func (l *loop) anticipate() {
	defer func() {
		if recover() != nil {
			l.body.ready = false
		}
	}()
	dims := make([][]int, len(l.in))
	for i := range l.in {
		f := &l.in[i]
		t := ir.Undefined
		switch f.kind {
		case feedTrip:
			t = ir.Int64
		case feedGoes:
			t = ir.Bool
		default:
			pl := l.heads[f.operand]
			if pl == nil || pl.list != nil || f.kind == feedItem || l.node.node.Version < 9 && f.kind != feedWhole && l.node.node.Op == "Scan" {
				return
			}
			t, dims[i] = pl.spec.Type, append([]int{}, pl.spec.Dims...)
			if f.kind == feedSlice {
				axis, err := l.axis(f.axis, len(dims[i]), f.operand)
				if err != nil {
					return
				}
				dims[i] = append(dims[i][:axis], dims[i][axis+1:]...)
			}
			if f.state >= 0 {
				l.body.Feed(f.state, true)
			}
		}
		l.body.retype(i, t)
	}
	_ = l.body.Update(dims)
}

// retype gives place i of the inputs the type of what is fed.
func (p *Plan) retype(i int, t ir.DType) {
	if pl := p.places[i]; pl.spec.Type != t {
		pl.spec.Type, pl.own.Type, pl.stamp = t, t, 0
	}
}
