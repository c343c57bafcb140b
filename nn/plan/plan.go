// Package plan turns a graph into steps over buffers, for concrete input shapes.
//
// What does not depend on shapes is settled once: the numbers of values and nodes, who
// uses a value last, constants, and what nodes keep for all their plans (packed weights).
// A plan for other shapes is made from the one before: the nodes are walked in order, and
// only those are planned again of which an operand has changed, into the steps that they
// have already. A value that is known while planning (shapes, and what is computed from
// them) counts as changed when its elements are others. Buffers that have grown once get
// more room than they need, so that offsets stay while they go on growing.
//
// Where an operator needs a value that only a run gives, the steps so far are a segment:
// the run executes it, reads the value, and has the rest planned, or finds that it is
// planned for that value already.
package plan

import (
	"math"
	mathbits "math/bits"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Options are what a plan is given to keep to.
type Options struct {
	MaxBytes int  // of a run's memory
	MaxTrips int  // through the bodies of a run's loops, all together
	Resident bool // each run writes its results into memory of their own
	States   []State
	body     bool // it is a loop's
}

// hostLimit is the most bytes of outputs that a node with known inputs computes
// while planning: enough for shape arithmetic, masks and index tables. Larger
// values are computed by a step of each run.
const hostLimit = 256 << 10

// place is where a value is: known already (spec.Host) or in a buffer.
type place struct {
	spec   op.Spec
	tensor *ir.Tensor // what steps see: the known value, or own
	own    ir.Tensor
	buf    *buffer // nil for a known value
	owns   bool    // buf is this place's own, not that of a place which it is a view of
	stamp  int     // when it changed last
	outer  bool    // it is in memory outside of the arena
	state  *state  // of an input that is one
	slot   int     // of an element of an input: its number among places, from 1 on
	list   *list   // of what is a sequence, or nothing: it has no tensor

	// Of known values. They are computed into the tensor that was one before the last, so
	// that the latest is there to compare with.
	spare       *ir.Tensor
	mine        bool       // the value was computed, and its tensor may be used again
	source      *ir.Tensor // of a view: the value that it is another look at
	sourceStamp int        // and that one's stamp
}

// node is an operator call as it is planned.
type node struct {
	node    *ir.Node
	row     *op.Row
	in, out []int // numbers of values, -1 for those left out
	number  int   // in the order of walking
	bodies  []*body
	loop    *loop  // of what runs a body many times
	inner   *inner // of an operator on sequences that computes
	store   op.Store
	states  []*state // by output: those that grow there; nil for none

	stamp    int // when it was planned last, 0 for never
	admitted bool
	places   []*place
	specs    []*op.Spec
	outs     []*place
	runs     bool // it has a step, which each run executes
	step     op.Step
	args     op.Args
	scratch  *buffer
	inPlace  []uint32
	apart    bool
	shared   []int8    // by output: the input whose memory it has, or -1
	read     []*buffer // of the inputs, when memory was laid out
	known    int       // bytes of values that were computed while planning it
}

// body is a list of nodes: the graph's, or those of an attribute of control flow.
type body struct {
	nodes   []*node
	outputs []int
	end     int // the number that its outputs are read at
}

// Plan is a graph with its steps for one set of input shapes.
type Plan struct {
	options   Options
	graph     *ir.Graph
	main      *body
	inputs    []int
	places    []*place // of the inputs; of those that are sequences, of their elements
	slots     []int    // the inputs that places are of
	ones      []*place // by input: it as one tensor
	entries   []*entry // by input: of those that may be sequences or known, nil for others
	current   []*place // by number of value: where it is at this point of the walk
	lastUse   []int    // by number of value: the last node that reads it
	readers   [][]int  // and all that do, by their place in the graph's list
	marked    bits     // nodes of that list of which an operand has changed
	branches  bool     // there is control flow, or there are sequences
	loops     []*loop
	trips     *trips
	trial     threads.Trial
	looped    int // bytes that loops have
	all       []*node
	segments  []*segment
	reached   int // the latest segment whose value is one of current
	stale     int // the first segment that has to be planned again, as have those behind it
	arenas    int // bytes of the segments' memory
	stamp     int // of the latest change
	updates   int
	call      op.Call
	hostLimit int
	frames    []frame // of the walk
	args      op.Args // of steps that are run while planning
	scratch   []byte
	known     int // bytes of values computed while planning
	fed       int // bytes of inputs, which are outside of the arenas
	ready     bool
	feeds     []byte
	results   [][]byte // by output: what the latest run wrote and nobody took
	hungry    bool     // what fed the inputs was let go of
	outputs   []*place // of those that are sequences, their elements
	made      []int    // and which output each of them is of
	counts    []int    // by output: how many it has, One, or Nothing
	running   *node    // for messages
	computing *node    // while planning
	evaluates bool     // large values that it computes are slabs
	slabs     [][]byte // these

	states  []*state
	staying []*state // by output
	held    int      // bytes of fed that are growing states
	regrow  bool     // a state was given more room since inputs were laid out

	relisted bool // an input is another list, or known otherwise, since the walk
}

// New compiles a graph. The nodes have passed op.Check and op.Complete.
func New(g *ir.Graph, o Options) *Plan {
	return compile(g, o, &trips{most: o.MaxTrips})
}

// compile is New for a graph, or for the body of a loop, which counts its trips with the others.
func compile(g *ir.Graph, o Options, t *trips) *Plan {
	p := &Plan{options: o, hostLimit: hostLimit, graph: g, results: make([][]byte, len(g.Outputs)), trips: t}
	c := &compiler{plan: p, numbers: map[*ir.Value]int{}}
	for i, v := range g.Inputs {
		pl := &place{owns: true, buf: outerBuffer()}
		pl.tensor, pl.spec.Type, pl.own.Type = &pl.own, v.Type, v.Type
		id := c.number(v)
		p.current[id] = pl
		p.inputs, p.places, p.slots, p.ones = append(p.inputs, id), append(p.places, pl), append(p.slots, i), append(p.ones, pl)
		if v.Form.List() {
			p.branches = true
		}
	}
	p.main = c.body(g)
	p.addStates()
	p.marked = make(bits, (len(g.Nodes)+63)/64)
	for _, id := range p.main.outputs {
		p.lastUse[id] = math.MaxInt
	}
	p.segments = []*segment{{frames: []frame{{body: p.main}}}}
	return p
}

// outerBuffer is memory that no arena has.
func outerBuffer() *buffer {
	return &buffer{first: -1, last: forever, settled: true, outside: true, until: math.MaxInt}
}

type compiler struct {
	plan    *Plan
	numbers map[*ir.Value]int
	order   int
}

// number is v's. Constants get their place along with it.
func (c *compiler) number(v *ir.Value) int {
	if v == nil {
		return -1
	}
	id, ok := c.numbers[v]
	if !ok {
		id = len(c.plan.current)
		c.numbers[v] = id
		var pl *place
		if t := v.Const; t != nil {
			pl = &place{spec: op.Spec{Type: t.Type, Dims: t.Dims, Host: t}, tensor: t}
		}
		c.plan.current = append(c.plan.current, pl)
		c.plan.lastUse, c.plan.readers = append(c.plan.lastUse, 0), append(c.plan.readers, nil)
	}
	return id
}

func (c *compiler) use(v *ir.Value) int {
	id := c.number(v)
	if id >= 0 {
		c.plan.lastUse[id] = max(c.plan.lastUse[id], c.order)
	}
	return id
}

func (c *compiler) body(g *ir.Graph) *body {
	b := &body{}
	for i, n := range g.Nodes {
		c.order++
		d := &node{node: n, row: op.Find(n.Key()), number: c.order}
		for _, v := range n.Inputs {
			id := c.use(v)
			d.in = append(d.in, id)
			if id >= 0 && g == c.plan.graph {
				c.plan.readers[id] = append(c.plan.readers[id], i)
			}
		}
		for _, v := range n.Outputs {
			d.out = append(d.out, c.number(v))
		}
		d.places, d.specs = make([]*place, len(d.in)), make([]*op.Spec, len(d.in))
		d.outs = make([]*place, len(d.out))
		if d.row.Planned {
			c.plan.branches = true
			switch {
			case n.Op == "If":
				for _, name := range [...]string{"then_branch", "else_branch"} {
					d.bodies = append(d.bodies, c.body(n.Attrs[name].G))
				}
			case !op.Lean && (n.Op == "Loop" || n.Op == "Scan" || n.Op == "SequenceMap"):
				c.loop(d)
			}
		}
		b.nodes = append(b.nodes, d)
		c.plan.all = append(c.plan.all, d)
	}
	c.order++
	b.end = c.order
	for _, v := range g.Outputs {
		b.outputs = append(b.outputs, c.use(v))
	}
	return b
}

// Update makes the plan one for inputs of these dimensions, which has to be done before
// each run that has others. After an error it can be tried again with others.
func (p *Plan) Update(dims [][]int) error {
	changed := !p.ready
	p.fed, p.held = 0, 0
	for i, pl := range p.places {
		if pl.buf == nil { // the body of a loop knows it
			continue
		}
		if !ir.SameDims(pl.spec.Dims, dims[i]) || pl.stamp == 0 {
			pl.spec.Dims = append(pl.spec.Dims[:0], dims[i]...)
			pl.own.Dims = pl.spec.Dims
			pl.buf.size = pl.spec.Type.Bytes(ir.Elements(dims[i]))
			pl.stamp = p.stamp + 1
			p.mark(p.inputs[p.slots[i]])
			if pl.spec.Type == ir.String {
				pl.own.Strings = make([]string, ir.Elements(dims[i]))
			}
			changed = true
		}
		if pl.state == nil || !pl.state.grows {
			p.fed += aligned(pl.buf.size)
		}
	}
	if !p.layStates() && !changed && !p.relisted {
		return nil
	}
	p.relisted = false
	p.updates++
	return p.plan()
}

// plan walks the graph for the inputs' dimensions, again where a state was given more room.
func (p *Plan) plan() error {
	p.regrow = true
	for p.regrow {
		p.stamp++
		p.ready, p.regrow = false, false
		p.stale = 0
		if err := p.walk(0); err != nil {
			p.ungrow()
			return err
		}
		if p.regrow {
			p.layStates()
		}
	}
	p.ready = true
	return nil
}

// mark notes that a value has changed, for the nodes that read it.
func (p *Plan) mark(value int) {
	for _, i := range p.readers[value] {
		p.marked.set(i)
	}
}

// bits is a set of small numbers.
type bits []uint64

func (b bits) set(i int) { b[i>>6] |= 1 << (i & 63) }

// next takes the first number out that is at least from and below to, and returns to where
// there is none.
func (b bits) next(from, to int) int {
	for from < to {
		w := b[from>>6] >> (from & 63)
		if w == 0 {
			from = from&^63 + 64
			continue
		}
		from += mathbits.TrailingZeros64(w)
		if from < to {
			b[from>>6] &^= 1 << (from & 63)
			return from
		}
	}
	return to
}

// Updates is how often Update has changed the plan.
func (p *Plan) Updates() int { return p.updates }

// Held is what the plan holds: bytes for runs (arenas, inputs, states, results that nobody took),
// and what nodes keep for all runs, packed weights, as far as it is not where the weights
// were.
func (p *Plan) Held() (runs, kept int) {
	for _, d := range p.all {
		kept += d.store.Bytes()
	}
	for _, l := range p.loops {
		_, k := l.body.Held()
		kept += k
	}
	return p.heldByRuns(), kept
}

func (p *Plan) heldByRuns() int {
	n := len(p.feeds) + p.arenas + p.stateBytes()
	for _, b := range p.results {
		n += len(b)
	}
	for _, l := range p.loops {
		n += l.held()
	}
	return n
}

// Release gives back all memory.
func (p *Plan) Release() {
	p.Forget()
	p.releaseStates()
	for _, l := range p.loops {
		l.release()
	}
	for _, s := range p.segments {
		slab.Give(s.arena)
	}
	slab.Give(p.feeds)
	*p = Plan{}
}

// limit is the error of a run that would take too much.
func (p *Plan) limit(bytes int) error {
	return ir.Shape("graph: a run with these shapes needs ", bytes, " bytes, more than the session's limit of ", p.options.MaxBytes)
}

// unknown is the error of a value that nothing has made.
func unknown(v *ir.Value) error {
	return ir.Load("graph: value ", text.Quote(v.Name), " is used before it is computed")
}
