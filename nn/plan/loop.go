package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Loop, Scan and SequenceMap. The body is a plan of its own, whose inputs are the body's
// and the values that it uses of the graphs around it. It is planned by the first trip and
// runs many times; a trip with other shapes has those nodes planned again that it concerns.
//
// Values that a trip hands to the next are the body's states: two blocks of memory change
// places, or what is concatenated grows in its place. What the trips' results are
// collected in is one block. The shapes of the results are known when the loop has run, so
// that a segment of the plan ends with it.

// trips count those of all loops of a run.
type trips struct{ done, most int }

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

// bodyError is an error that knows which loops it is in.
type bodyError struct {
	err  error
	path string
}

func (e *bodyError) Error() string { return e.path }

// under is the error with the loop before it.
func (e *bodyError) under(name string) error {
	message := "graph: " + name + e.path
	switch e.err.(type) {
	case *slab.NoMemoryError, *ir.UnsupportedError:
		return e.err
	case *ir.LoadError:
		return ir.Load(message)
	}
	return ir.Shape(message)
}

// loopStep is the step of a loop. It is a type of its own so that the linker can leave out loops where
// nothing makes one: methods by which a type that Plan refers to could be a step are never left out.
type loopStep struct{ loop *loop }

func (s loopStep) Run(*op.Args) {
	l := s.loop
	err := l.run()
	l.plan.looped = 0
	for _, other := range l.plan.loops {
		l.plan.looped += other.held()
	}
	if err == nil {
		return
	}
	if e, ok := err.(*bodyError); ok {
		panic(e)
	}
	panic(err)
}

// fail is the error of a trip.
func (l *loop) fail(parts ...any) error {
	return &bodyError{err: ir.Shape(), path: l.at() + text.Join(parts...)}
}

// at says in which trip something happens.
func (l *loop) at() string {
	if l.trip < 0 {
		return ": "
	}
	return text.Join(", trip ", l.trip, ": ")
}

// inBody is the error of a body.
func (l *loop) inBody(err error) error {
	const head = "graph: "
	message := err.Error()
	if len(message) > len(head) && message[:len(head)] == head {
		message = message[len(head):]
	}
	return &bodyError{err: err, path: l.at() + message}
}

// run makes all trips.
func (l *loop) run() error {
	l.trip = -1
	for i := range l.out {
		l.out[i].stack.started, l.out[i].stack.t.Strings = false, nil
	}
	for i := range l.results {
		l.results[i].count, l.results[i].list = Nothing, l.results[i].list[:0]
	}
	p := l.plan
	l.body.options.MaxBytes = max(p.options.MaxBytes-p.fed-p.arenas, 0)
	if l.node.node.Op == "Scan" && l.node.node.Version < 9 {
		return l.runBatches()
	}
	most, err := l.most()
	if err != nil {
		return err
	}
	l.rows = most
	if err := l.begin(); err != nil {
		return err
	}
	if err := l.trips(most); err != nil {
		return err
	}
	return l.finish()
}

// operand is what one of the node's operands is.
func (l *loop) operand(i int) *place {
	if i < len(l.heads) {
		return l.heads[i]
	}
	return nil
}

// scalar is an operand of one element, nil where it is left out.
func (l *loop) scalar(i int, t ir.DType) (*ir.Tensor, error) {
	pl := l.operand(i)
	if pl == nil {
		return nil, nil
	}
	if pl.list != nil || pl.tensor.Type != t || pl.tensor.Len() != 1 {
		return nil, l.fail("input ", i, " must be one ", t.String())
	}
	return pl.tensor, nil
}

// axis counts one from the front.
func (l *loop) axis(axis, rank, operand int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, l.fail("axis ", axis, " of ", rank, " dimensions of input ", operand)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// most is how many trips there will be at most, -1 where nothing says it.
func (l *loop) most() (int, error) {
	switch l.node.node.Op {
	case "Loop":
		m, err := l.scalar(0, ir.Int64)
		if err != nil {
			return 0, err
		}
		l.goes[0] = 1
		goes, err := l.scalar(1, ir.Bool)
		if err != nil {
			return 0, err
		}
		if goes != nil {
			l.goes[0] = goes.Data[0]
		}
		if m == nil {
			return -1, nil
		}
		return int(min(max(m.Int64s()[0], 0), int64(^uint(0)>>1))), nil
	case "Scan":
		return l.length(0)
	}
	count := -1
	for i := range l.in {
		f := &l.in[i]
		if f.kind != feedItem {
			continue
		}
		pl := l.operand(f.operand)
		switch {
		case pl == nil || pl.list != nil && pl.list.absent || pl.list == nil && i == 0:
			return 0, l.fail("input ", i, " is no sequence")
		case pl.list == nil: // the same in all trips
		case count >= 0 && len(pl.list.items) != count:
			return 0, l.fail("input ", i, " has ", len(pl.list.items), " elements, input 0 has ", count)
		default:
			count = len(pl.list.items)
		}
	}
	return count, nil
}

// length is how long what a Scan goes through is; before is how many dimensions come first.
func (l *loop) length(before int) (int, error) {
	length := -1
	first := 0
	for i := range l.in {
		f := &l.in[i]
		if f.kind != feedSlice {
			continue
		}
		pl := l.operand(f.operand)
		if pl == nil || pl.list != nil {
			return 0, l.fail("input ", f.operand, " is no tensor")
		}
		if len(pl.tensor.Dims) < before {
			return 0, l.fail("input ", f.operand, " has dimensions ", pl.tensor.Dims, ", want a batch of sequences")
		}
		axis, err := l.axis(f.axis, len(pl.tensor.Dims)-before, f.operand)
		if err != nil {
			return 0, err
		}
		n := pl.tensor.Dims[before+axis]
		if length >= 0 && n != length {
			return 0, l.fail("input ", f.operand, " has ", n, " slices, input ", first, " has ", length)
		}
		if length < 0 {
			length, first = n, f.operand
		}
	}
	return length, nil
}

// begin gives the body its inputs for the first trip.
func (l *loop) begin() error {
	l.body.Reset()
	for i := range l.in {
		f, v := &l.in[i], &l.values[i]
		if f.kind != feedCarried && f.kind != feedWhole {
			continue
		}
		pl := l.operand(f.operand)
		switch {
		case pl == nil:
			return l.fail("input ", f.operand, " is missing")
		case pl.list == nil:
			v.set(pl.tensor)
			v.known = f.kind == feedWhole && pl.spec.Host != nil && len(pl.tensor.Data) <= knownLimit && pl.spec.Type != ir.String
		default:
			if f.state >= 0 {
				return l.fail("input ", f.operand, " is no tensor, as the body has it")
			}
			v.count, v.kept, v.known, v.list = len(pl.list.items), false, false, v.list[:0]
			if pl.list.absent {
				v.count = Nothing
			}
			for _, item := range pl.list.items {
				v.list = append(v.list, item.tensor)
			}
		}
		if l.batch >= 0 && f.kind == feedCarried {
			if err := l.sliced(v, f, v.one, 0, l.batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownLimit is how many bytes of a value that is known while planning the body gets to know: sizes and the like.
const knownLimit = 4096

// trips runs the body until there are most trips, or it has enough.
func (l *loop) trips(most int) error {
	counts := l.plan.trips
	for l.trip = 0; most < 0 || l.trip < most; l.trip++ {
		if l.node.node.Op == "Loop" && l.goes[0] == 0 {
			break
		}
		if counts.done++; counts.done > counts.most {
			return l.fail("that is trip ", counts.done, " of the run's loops together; they may make ", counts.most)
		}
		if err := l.feedTrip(); err != nil {
			return err
		}
		if _, err := l.body.exec(nil); err != nil {
			return l.inBody(err)
		}
		if err := l.take(); err != nil {
			return err
		}
	}
	return nil
}

// feedTrip gives the body its inputs.
func (l *loop) feedTrip() error {
	for i := range l.in {
		f, v := &l.in[i], &l.values[i]
		switch f.kind {
		case feedTrip:
			for k := range l.count {
				l.count[k] = byte(uint64(l.trip) >> (8 * k))
			}
			v.set(&v.own)
			v.own.Type, v.own.Data = ir.Int64, l.count[:]
		case feedGoes:
			v.set(&v.own)
			v.own.Type, v.own.Data = ir.Bool, l.goes[:]
		case feedSlice:
			t, at := l.heads[f.operand].tensor, l.trip
			if f.reverse {
				at = l.rows - 1 - l.trip
			}
			if l.batch >= 0 {
				if err := l.sliced(v, f, t, 0, l.batch); err != nil {
					return err
				}
				t = &ir.Tensor{Type: v.own.Type, Dims: append([]int{}, v.own.Dims...), Data: v.own.Data, Strings: v.own.Strings}
			}
			axis, err := l.axis(f.axis, len(t.Dims), f.operand)
			if err != nil {
				return err
			}
			if err := l.sliced(v, f, t, axis, at); err != nil {
				return err
			}
		case feedItem:
			pl := l.heads[f.operand]
			if pl.list == nil {
				v.set(pl.tensor)
			} else {
				v.set(pl.list.items[l.trip].tensor)
			}
		}
	}
	return l.prepare()
}

// sliced makes v the slice at of a tensor along an axis.
func (l *loop) sliced(v *value, f *feed, t *ir.Tensor, axis, at int) error {
	if t == nil || axis >= len(t.Dims) || at >= t.Dims[axis] {
		return l.fail("input ", f.operand, " has no slice ", at)
	}
	size := t.Type.Size()
	if size == 0 && t.Type != ir.String {
		return l.fail("slices of ", t.Type.String())
	}
	outer, length, inner := ir.Elements(t.Dims[:axis]), t.Dims[axis], ir.Elements(t.Dims[axis+1:])
	data, strings := t.Data, t.Strings
	v.set(&v.own)
	v.own.Type, v.own.Dims = t.Type, append(append(v.own.Dims[:0], t.Dims[:axis]...), t.Dims[axis+1:]...)
	v.own.Data, v.own.Strings = nil, nil
	if t.Type == ir.String {
		for o := range outer {
			v.own.Strings = append(v.own.Strings, strings[(o*length+at)*inner:][:inner]...)
		}
		return nil
	}
	row := inner * size
	if outer == 1 {
		v.own.Data = data[at*row : (at+1)*row : (at+1)*row]
		return nil
	}
	if len(f.scratch) < outer*row {
		f.scratch = slab.New(outer * row)
	}
	v.own.Data = f.scratch[:outer*row]
	ir.CopyBlocks(v.own.Data, data[at*row:], outer, row, row, length*row)
	return nil
}

// prepare plans the body for its inputs where they have changed, and binds it to them.
func (l *loop) prepare() error {
	b := l.body
	l.dims, l.fed = l.dims[:0], l.fed[:0]
	for i := range l.values {
		v := &l.values[i]
		if b.entries != nil && b.entries[i] != nil || v.count != One {
			b.Count(i, v.count)
		}
		if e := b.entries; v.known || e != nil && e[i] != nil {
			b.tell(i, v)
		}
	}
	k := 0
	for i := range l.values {
		v := &l.values[i]
		if s := l.in[i].state; s >= 0 {
			kept, _ := b.Feed(s, !v.kept)
			if v.kept {
				l.dims, l.fed = append(l.dims, kept), append(l.fed, nil)
				k++
				continue
			}
		}
		if v.count == One {
			l.put(i, k, v.one)
			k++
			continue
		}
		for _, t := range v.list[:max(v.count, 0)] {
			l.put(i, k, t)
			k++
		}
	}
	for i := range l.values {
		if declared := b.graph.Inputs[i]; i < len(b.inputs) && declared.Type != ir.Undefined && !l.values[i].kept {
			if t := l.typeOf(i); t != ir.Undefined && t != declared.Type {
				return l.fail("input ", text.Quote(declared.Name), " of the body is ", t.String(), ", want ", declared.Type.String())
			}
		}
	}
	if err := b.Update(l.dims); err != nil {
		return l.inBody(err)
	}
	if err := b.Bind(l.fed); err != nil {
		return l.inBody(err)
	}
	k = 0
	for i := range l.values {
		v := &l.values[i]
		if v.count == One {
			if v.one != nil && !v.kept {
				copy(b.places[k].own.Strings, v.one.Strings)
			}
			k++
			continue
		}
		for _, t := range v.list[:max(v.count, 0)] {
			copy(b.places[k].own.Strings, t.Strings)
			k++
		}
	}
	return nil
}

func (l *loop) typeOf(i int) ir.DType {
	v := &l.values[i]
	switch {
	case v.count == One && v.one != nil:
		return v.one.Type
	case v.count > 0:
		return v.list[0].Type
	}
	return ir.Undefined
}

// put feeds place k of the body's inputs.
func (l *loop) put(_, k int, t *ir.Tensor) {
	l.body.retype(k, t.Type)
	l.dims, l.fed = append(l.dims, t.Dims), append(l.fed, t.Data)
}

// tell lets the plan know the value of input i, or no longer.
func (p *Plan) tell(i int, v *value) {
	e := p.entry(i)
	pl := e.one
	switch {
	case v.known && v.count == One:
		if old := pl.spec.Host; old != nil && old.Equal(v.one) {
			return
		}
		pl.know(v.one.Clone(), p.stamp+1)
		p.relisted = true
	case pl.spec.Host != nil:
		pl.spec.Host, pl.tensor, pl.buf, pl.owns, pl.stamp, pl.source = nil, &pl.own, e.buf, true, 0, nil
		pl.own.Type = pl.spec.Type
		pl.spec.Dims = nil
		p.relisted = true
	}
}

// take reads what the body gave.
func (l *loop) take() error {
	b := l.body
	at := 0
	for o := range l.out {
		y := &l.out[o]
		count := b.counts[o]
		outs := b.outputs[at : at+max(count, 0)]
		if count == One {
			outs = b.outputs[at : at+1]
		}
		at += len(outs)
		switch y.kind {
		case yieldGoes:
			t := b.tensorOf(outs, count)
			if t == nil || t.Type != ir.Bool || t.Len() != 1 {
				return l.fail("the body's condition must be one bool")
			}
			l.goes[0] = t.Data[0]
		case yieldCarried:
			if err := l.carry(o, y, outs, count); err != nil {
				return err
			}
		case yieldStack:
			if y.result < 0 {
				continue
			}
			t := b.tensorOf(outs, count)
			if t == nil {
				return l.fail("output ", o, " of the body is no tensor")
			}
			if err := l.push(o, y, t); err != nil {
				return err
			}
		case yieldItem:
			if y.result < 0 {
				continue
			}
			t := b.tensorOf(outs, count)
			if t == nil {
				return l.fail("output ", o, " of the body is no tensor")
			}
			v := &l.results[y.result]
			if len(v.list) > 0 && v.list[0].Type != t.Type {
				return l.fail("output ", o, " of the body is ", t.Type.String(), ", before it was ", v.list[0].Type.String(), ": all elements of a sequence are of one type")
			}
			v.list = append(v.list, t.Clone())
			v.count = len(v.list)
		}
	}
	return nil
}

// tensorOf is an output that is one tensor, nil for others.
func (p *Plan) tensorOf(outs []*place, count int) *ir.Tensor {
	if count != One {
		return nil
	}
	return outs[0].tensor
}

// carry keeps an output for the next trip.
func (l *loop) carry(o int, y *yield, outs []*place, count int) error {
	f, v := &l.in[y.input], &l.values[y.input]
	switch {
	case f.kind == feedWhole:
		return nil
	case f.state >= 0:
		if count != One {
			return l.fail("output ", o, " of the body is no tensor")
		}
		v.set(&l.body.states[f.state].tensor)
		v.kept = true
		return nil
	}
	if count == One {
		t := outs[0].tensor
		if v.count == One && v.one.Type != t.Type {
			return l.fail("output ", o, " of the body is ", t.Type.String(), ", want ", v.one.Type.String(), " as what it becomes")
		}
		v.set(t.Clone())
		return nil
	}
	list := make([]*ir.Tensor, 0, len(outs))
	bytes := 0
	for _, pl := range outs {
		t := pl.tensor
		if pl.slot > 0 && pl.slot <= len(l.fed) && l.body.places[pl.slot-1] == pl {
			t = l.tensorAt(pl.slot - 1)
		} else {
			t = t.Clone()
		}
		bytes += len(t.Data)
		list = append(list, t)
	}
	if limit := l.body.options.MaxBytes; bytes > limit {
		return l.fail("the sequence that is carried has ", bytes, " bytes, more than the session's limit leaves: ", limit)
	}
	v.count, v.list, v.kept = count, list, false
	return nil
}

// tensorAt is what place k of the body's inputs was fed.
func (l *loop) tensorAt(k int) *ir.Tensor {
	i := l.body.slots[k]
	for first := k; ; first-- {
		if first == 0 || l.body.slots[first-1] != i {
			return l.values[i].list[k-first]
		}
	}
}

// push adds a slice to a stack.
func (l *loop) push(o int, y *yield, t *ir.Tensor) error {
	s := &y.stack
	size := t.Type.Size()
	if size == 0 && t.Type != ir.String {
		return l.fail("slices of ", t.Type.String())
	}
	if !s.started {
		s.started = true
		s.t.Type, s.t.Dims, s.rows = t.Type, append(s.t.Dims[:0], t.Dims...), 0
		if row := t.Len() * size; row > 0 { // the run before has left memory
			s.rows = len(s.data) / row
		}
		if l.batch >= 0 {
			clear(s.data)
		}
	} else if s.t.Type != t.Type || !ir.SameDims(s.t.Dims, t.Dims) {
		return l.fail("output ", o, " of the body is ", t.Type.String(), " of dimensions ", t.Dims, ", before it was ", s.t.Type.String(), " of ", s.t.Dims)
	}
	trip := l.trip
	if l.batch >= 0 {
		trip += l.batch * l.rows
	}
	if t.Type == ir.String {
		if y.axis != 0 || y.reverse {
			return l.fail("slices of strings along another axis, or in reverse")
		}
		s.t.Strings = append(s.t.Strings, t.Strings...)
		return nil
	}
	rank := len(t.Dims) + 1
	axis := y.axis
	if axis < -rank || axis >= rank {
		return l.fail("scan_output_axes has ", axis, " for a result of ", rank, " dimensions")
	}
	if axis < 0 {
		axis += rank
	}
	row := t.Len() * size
	if err := l.room(o, s, row, trip+1); err != nil {
		return err
	}
	if y.reverse {
		trip = l.rows - 1 - trip
	}
	outer, inner := ir.Elements(t.Dims[:axis]), ir.Elements(t.Dims[axis:])*size
	if outer == 1 {
		copy(s.data[trip*row:(trip+1)*row], t.Data)
	} else if inner > 0 {
		ir.CopyBlocks(s.data[trip*inner:], t.Data, outer, inner, l.rows*inner, inner)
	}
	return nil
}

// room makes room for so many slices of row bytes.
func (l *loop) room(o int, s *stack, row, wanted int) error {
	if wanted <= s.rows || row == 0 {
		return nil
	}
	limit := l.body.options.MaxBytes - l.bytes + len(s.data)
	rows := max(2*s.rows, wanted, 16)
	if all := max(l.rows, 0) * max(l.batches, 1); all > 0 && l.endless && all <= l.plan.trips.most {
		rows = max(all, wanted) // exactly as many as there will be
	}
	if rows > limit/row {
		rows = wanted
	}
	if rows > limit/row {
		return l.fail("output ", o, " is collected in ", wanted, " slices of ", row, " bytes, more than the session's limit leaves: ", limit)
	}
	data, err := slab.Take(rows*row, l.batch >= 0)
	if err != nil {
		return err
	}
	copy(data, s.data)
	slab.Give(s.data)
	l.bytes += len(data) - len(s.data)
	s.data, s.rows = data, rows
	return nil
}

// finish makes the node's results of what the trips have left.
func (l *loop) finish() error {
	for o := range l.out {
		y := &l.out[o]
		if y.result < 0 {
			continue
		}
		r := &l.results[y.result]
		switch y.kind {
		case yieldCarried:
			v := &l.values[y.input]
			r.count, r.list = v.count, v.list
			switch {
			case v.count != One:
			case v.kept:
				r.one = v.one.Dense()
			case l.in[y.input].kind == feedWhole || l.trip == 0: // the operand's memory may be another's soon
				t := v.one
				if t.Stride != 0 {
					t = t.Dense()
				}
				r.keep(t)
			default:
				r.one = v.one
			}
		case yieldStack:
			s := &y.stack
			if !s.started {
				if err := l.emptyStack(o, s); err != nil {
					return err
				}
			}
			rank, axis := len(s.t.Dims)+1, y.axis
			if axis < 0 {
				axis += rank
			}
			if axis < 0 || axis >= rank {
				return l.fail("scan_output_axes has ", y.axis, " for a result of ", rank, " dimensions")
			}
			t := &r.own
			t.Type = s.t.Type
			t.Dims = append(append(append(t.Dims[:0], s.t.Dims[:axis]...), l.trip), s.t.Dims[axis:]...)
			t.Data, t.Strings = s.data[:t.Type.Bytes(t.Len())], s.t.Strings
			r.count, r.one = One, t
		case yieldItem:
			r.count = len(r.list)
		}
	}
	return nil
}

// keep makes the value a copy of a tensor.
func (v *value) keep(t *ir.Tensor) {
	if len(v.room) < len(t.Data) {
		v.room = slab.New(len(t.Data))
	}
	v.own.Type, v.own.Dims, v.own.Strings = t.Type, append(v.own.Dims[:0], t.Dims...), append([]string(nil), t.Strings...)
	v.own.Data = v.room[:copy(v.room, t.Data)]
	v.count, v.one = One, &v.own
}

// emptyStack gives a stack without slices the type and dimensions that they would have, as
// far as they are known: by a plan for the first trip, or as the model declares them.
func (l *loop) emptyStack(o int, s *stack) error {
	s.started = true
	l.anticipate()
	v := l.body.graph.Outputs[o]
	s.t.Type, s.t.Dims = v.Type, s.t.Dims[:0]
	for _, d := range v.Dims {
		s.t.Dims = append(s.t.Dims, max(d.Size, 0))
	}
	if l.body.ready && len(l.body.segments) == 1 && o < len(l.body.counts) && l.body.counts[o] == One {
		if at := l.body.first(o); at >= 0 {
			s.t.Type, s.t.Dims = l.body.outputs[at].spec.Type, append(s.t.Dims[:0], l.body.outputs[at].spec.Dims...)
		}
	}
	if s.t.Type == ir.Undefined {
		return l.fail("there are none, and the model does not say of which type output ", o, " of the body is")
	}
	return nil
}

// runBatches runs opset 8's Scan: for each sequence of a batch apart.
func (l *loop) runBatches() error {
	defer func() { l.batch = -1 }()
	length, err := l.length(1)
	if err != nil {
		return err
	}
	batch := -1
	for i := range l.in {
		if f := &l.in[i]; f.kind == feedSlice || f.kind == feedCarried {
			pl := l.operand(f.operand)
			if pl == nil || pl.list != nil || len(pl.tensor.Dims) == 0 {
				return l.fail("input ", f.operand, " is no batch of tensors")
			}
			if n := pl.tensor.Dims[0]; batch >= 0 && n != batch {
				return l.fail("input ", f.operand, " is a batch of ", n, ", want ", batch)
			}
			batch = pl.tensor.Dims[0]
		}
	}
	var lengths []int64
	if pl := l.operand(0); pl != nil {
		if pl.list != nil || pl.tensor.Type != ir.Int64 || pl.tensor.Len() != batch {
			return l.fail("input 0 must be ", batch, " numbers of int64, the sequences' lengths")
		}
		lengths = pl.tensor.Int64s()
	}
	l.rows, l.batches = length, batch
	finals := make([]stack, len(l.out))
	for l.batch = 0; l.batch < batch; l.batch++ {
		most := length
		if lengths != nil {
			if n := lengths[l.batch]; n < 0 || n > int64(length) {
				return l.fail("sequence ", l.batch, " has the length ", n, " of ", length)
			}
			most = int(lengths[l.batch])
		}
		if err := l.begin(); err != nil {
			return err
		}
		if err := l.trips(most); err != nil {
			return err
		}
		for o := range l.out {
			if y := &l.out[o]; y.kind == yieldCarried && y.result >= 0 {
				t := l.values[y.input].one
				s := &finals[o]
				if l.batch > 0 && (s.t.Type != t.Type || !ir.SameDims(s.t.Dims, t.Dims)) {
					return l.fail("state ", o, " has dimensions ", t.Dims, ", in the sequence before ", s.t.Dims)
				}
				s.t.Type, s.t.Dims = t.Type, append(s.t.Dims[:0], t.Dims...)
				s.data = append(s.data, t.Dense().Data...)
				s.t.Strings = append(s.t.Strings, t.Strings...)
			}
		}
	}
	for o := range l.out {
		y := &l.out[o]
		if y.result < 0 {
			continue
		}
		r, s, lead := &l.results[y.result], &y.stack, []int{batch, length}
		if y.kind == yieldCarried {
			s, lead = &finals[o], lead[:1]
		} else if !s.started || length == 0 {
			if err := l.emptyStack(o, s); err != nil {
				return err
			}
		}
		t := &ir.Tensor{Type: s.t.Type, Dims: append(lead, s.t.Dims...), Strings: s.t.Strings}
		t.Data = slab.New(t.Type.Bytes(t.Len()))
		copy(t.Data, s.data)
		r.count, r.one = One, t
	}
	return nil
}

// receive gives a loop's results to the places of its outputs, and says whether their
// types, dimensions or elements' number have changed.
func (p *Plan) receive(n *node) (changed bool) {
	l := n.loop
	stamp := p.stamp + 1
	for o, id := range n.out {
		if id < 0 {
			continue
		}
		r, pl := &l.results[o], n.outs[o]
		if r.count == One {
			if changed = pl.result(r.one, stamp) || changed; p.current[id] != pl {
				p.current[id], changed = pl, true
			}
			continue
		}
		if l.lists[o] == nil {
			l.lists[o] = &listed{}
		}
		to := l.lists[o]
		for len(to.items) < r.count {
			item := &place{buf: outerBuffer()}
			item.tensor = &item.own
			to.items = append(to.items, item)
		}
		t := ir.Undefined
		for i := range max(r.count, 0) {
			changed = to.items[i].result(r.list[i], stamp) || changed
			t = r.list[i].Type
		}
		changed = to.list.hold(t, to.items[:max(r.count, 0)], r.count == Nothing, stamp) || changed
		if p.current[id] != &to.list {
			p.current[id], changed = &to.list, true
		}
	}
	return changed
}

// result makes the place that of a tensor in a loop's memory.
func (pl *place) result(t *ir.Tensor, stamp int) (changed bool) {
	if pl.stamp == 0 || pl.spec.Type != t.Type || !ir.SameDims(pl.spec.Dims, t.Dims) {
		pl.set(&op.Spec{Type: t.Type, Dims: t.Dims}, stamp)
		changed = true
	}
	pl.buf.size, pl.buf.data, pl.own.Data = len(t.Data), t.Data, t.Data
	if t.Type == ir.String { // views have the list itself
		changed = true
		pl.stamp = stamp
	}
	pl.own.Strings = t.Strings
	return changed
}

// held is how many bytes a loop holds for runs.
func (l *loop) held() int {
	n := l.body.heldByRuns() + l.bytes
	for i := range l.results {
		n += len(l.results[i].room)
	}
	return n
}

// release gives back the loop's memory.
func (l *loop) release() {
	for i := range l.out {
		slab.Give(l.out[i].stack.data)
	}
	l.body.Release()
}
