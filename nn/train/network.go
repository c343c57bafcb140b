package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
)

// Options describe a network and how it is trained.
type Options struct {
	Input     []int // of one example: [C H W], [T D], [D], or [T] tokens
	Model     []Spec
	Loss      string // "crossEntropy" or "meanSquaredError"
	Seed      uint64
	Optimizer Optimizer
	Schedule  Schedule
	Clip      float64 // of the gradient's norm; 0 for none
}

// Batch is a batch of N examples. Of X and Tokens one is given, of Labels and Targets
// the one that the loss compares with.
type Batch struct {
	N       int
	X       []float32 // [N Input…]
	Tokens  []int32   // [N T], below the embedding's vocabulary
	Labels  []int32   // [N], or [N T] for outputs of [T classes]
	Targets []float32 // of the outputs' shape
}

// Result is what a pass found.
type Result struct {
	Loss         float64
	Accuracy     float64   // of rows whose largest output is their label's; NaN without labels
	GradientNorm float64   // of all parameters, before clipping; of a step
	Outputs      []float32 // of an evaluation; valid until the next pass
}

// Trainer is a network in training. One serves one goroutine at a time.
type Trainer struct {
	options Options
	nodes   []*node // the model's layers,
	all     []*node // and with those of residuals' bodies
	params  []*Param
	norms   []*batchNorm
	first   *embedding
	out     []int
	classes int
	steps   int
	pass    pass
	rand    random
	dy      buffer
}

// New makes a network. Layers that do not fit each other are a *ShapeError, options that
// make no sense a *ValueError; both name the layer.
func New(o Options) (*Trainer, error) {
	if o.Loss != "crossEntropy" && o.Loss != "meanSquaredError" {
		return nil, valueError("loss is ", text.Quote(o.Loss), ", want \"crossEntropy\" or \"meanSquaredError\"")
	}
	if !(o.Clip >= 0) {
		return nil, valueError("clip is ", o.Clip, ", want at least 0")
	}
	if err := o.Optimizer.check(); err != nil {
		return nil, err
	}
	if err := o.Schedule.check(); err != nil {
		return nil, err
	}
	if len(o.Input) < 1 || len(o.Input) > 3 {
		return nil, shapeError("input is ", o.Input, ", want [D], [T D] or [C H W], without the batch")
	}
	for _, d := range o.Input {
		if d < 1 || d > 1<<24 {
			return nil, shapeError("input is ", o.Input, ", want sizes of at least 1")
		}
	}
	if len(o.Model) == 0 {
		return nil, valueError("the model has no layers")
	}
	t := &Trainer{options: o, rand: random{state: o.Seed}}
	b := &builder{rand: &t.rand}
	var err error
	if t.nodes, t.out, err = b.stack(o.Model, "", o.Input); err != nil {
		return nil, err
	}
	t.all = b.all
	t.nodes[0].first = true
	t.first, _ = t.nodes[0].layer.(*embedding)
	for _, n := range t.nodes {
		t.params = append(t.params, n.params()...)
	}
	for _, n := range t.all {
		if l, ok := n.layer.(*batchNorm); ok {
			t.norms = append(t.norms, l)
		}
	}
	t.classes = t.out[len(t.out)-1]
	if o.Loss == "crossEntropy" && len(t.out) == 3 {
		return nil, shapeError("the model's output is ", t.out, ", and crossEntropy wants [classes] or [T classes]")
	}
	t.options.Optimizer.state(t.params)
	t.pass.rand = &t.rand
	return t, nil
}

// Params are the network's parameters, in the layers' order.
func (t *Trainer) Params() []*Param { return t.params }

// OutShape is the shape of the outputs of one example.
func (t *Trainer) OutShape() []int { return t.out }

// Steps is how many steps were made.
func (t *Trainer) Steps() int { return t.steps }

func forward(p *pass, nodes []*node, x []float32) ([]float32, error) {
	for _, n := range nodes {
		y, err := n.forward(p, x)
		if err != nil {
			return nil, &LayerError{n.name(), err}
		}
		n.y = y
		x = y
	}
	return x, nil
}

func backward(p *pass, nodes []*node, dy []float32) ([]float32, error) {
	for i := len(nodes) - 1; i >= 0; i-- {
		p.last = nodes[i].first
		dx, err := nodes[i].backward(p, dy)
		if err != nil {
			return nil, &LayerError{nodes[i].name(), err}
		}
		dy = dx
	}
	return dy, nil
}

// of is the shape of the batch's examples together.
func (b *Batch) of(shape []int) []int { return append([]int{b.N}, shape...) }

// check compares a batch with what the network wants.
func (t *Trainer) check(b *Batch) error {
	if b.N < 1 || b.N > 1<<20 {
		return shapeError("the batch has ", b.N, " examples, want at least 1")
	}
	in, out := b.N*elements(t.options.Input), b.N*elements(t.out)
	if t.first != nil {
		if len(b.Tokens) != in {
			return shapeError("the batch has ", len(b.Tokens), " tokens, want ", b.of(t.options.Input))
		}
		for i, v := range b.Tokens {
			if v < 0 || int(v) >= t.first.vocabulary {
				return valueError("token ", i%t.first.length, " of example ", i/t.first.length, " is ", v, ", and the vocabulary has 0 to ", t.first.vocabulary-1)
			}
		}
	} else if len(b.X) != in {
		return shapeError("the batch's x has ", len(b.X), " elements, want ", b.of(t.options.Input))
	} else if err := b.finite("x", b.X); err != nil {
		return err
	}
	if t.options.Loss == "meanSquaredError" {
		if len(b.Targets) != out {
			return shapeError("the batch's y has ", len(b.Targets), " elements, want ", b.of(t.out))
		}
		return b.finite("y", b.Targets)
	}
	if len(b.Labels) != out/t.classes {
		return shapeError("the batch has ", len(b.Labels), " labels, want ", b.of(t.out[:len(t.out)-1]))
	}
	for i, v := range b.Labels {
		if v < 0 || int(v) >= t.classes {
			return valueError("label ", i, " is ", v, ", and there are the classes 0 to ", t.classes-1)
		}
	}
	return nil
}

// finite refuses what would turn the whole network into NaN, or hide in a ReLU.
func (b *Batch) finite(name string, data []float32) error {
	if finite(data) {
		return nil
	}
	each := len(data) / b.N
	for i, v := range data {
		if v-v != 0 {
			return &NonFiniteError{What: name, Layer: "input", msg: text.Join("train: ", name, " is not finite: element ", i%each, " of example ", i/each, " is ", v, "; nothing has changed")}
		}
	}
	return nil
}

// run is a forward pass and the loss.
func (t *Trainer) run(b *Batch) (r Result, err error) {
	t.pass.n = b.N
	if t.first != nil {
		t.first.tokens = b.Tokens
	}
	y, err := forward(&t.pass, t.nodes, b.X)
	if err != nil {
		return r, err
	}
	dy := t.dy.of(len(y))
	r.Accuracy = math.NaN()
	if t.options.Loss == "meanSquaredError" {
		r.Loss = meanSquaredError(dy, y, b.Targets)
	} else {
		var right int
		r.Loss, right = crossEntropy(dy, y, b.Labels, t.classes, &t.pass.scratch)
		r.Accuracy = float64(right) / float64(len(b.Labels))
	}
	r.Outputs = y
	return r, nil
}

// Step makes one step along the gradient of the batch's loss.
//
// A batch that does not fit is a *ShapeError or *ValueError; one, a loss or a gradient
// that is not finite is a *NonFiniteError; what a layer refuses is a *LayerError; no room
// for the batch is a *slab.NoMemoryError. Nothing has changed then: no parameter, no state of
// the optimizer, no running statistic, and the next random number is the one that would
// have come.
func (t *Trainer) Step(b Batch) (Result, error) {
	if err := t.check(&b); err != nil {
		return Result{}, err
	}
	for _, l := range t.norms {
		l.keep()
	}
	random := t.rand
	t.pass.train, t.pass.batch, t.pass.update = true, true, true
	done := false
	defer func() {
		if !done { // a layer found no memory: whoever recovers finds the network as it was
			t.undo(random)
		}
	}()
	r, err := t.run(&b)
	if err == nil && (math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0)) {
		err = t.blame("loss")
	}
	if err == nil {
		_, err = backward(&t.pass, t.nodes, t.dy.of(b.N*elements(t.out)))
	}
	if err != nil {
		return Result{}, err
	}
	r.Outputs = nil
	sum := 0.0
	for _, p := range t.params {
		sum += compute.Dot(p.Grad, p.Grad)
	}
	r.GradientNorm = math.Sqrt(sum)
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return Result{}, t.blame("gradient")
	}
	by := 1.0
	if c := t.options.Clip; c > 0 && r.GradientNorm > c {
		by = c / r.GradientNorm
	}
	rate := t.options.Optimizer.LearningRate * t.options.Schedule.factor(t.steps)
	t.options.Optimizer.step(t.params, rate, t.steps, float32(by))
	t.steps++
	done = true
	return r, nil
}

// undo brings back what a step changes before it is made.
func (t *Trainer) undo(r random) {
	t.rand = r
	for _, l := range t.norms {
		l.restore()
	}
}

// blame finds where numbers ceased to be finite. (The batch's are: check has looked.)
func (t *Trainer) blame(what string) error {
	e := &NonFiniteError{What: what, Layer: "loss"}
	if what == "gradient" {
		for i := len(t.nodes) - 1; i >= 0; i-- { // gradients come from behind
			for _, p := range t.nodes[i].params() {
				if !finite(p.Grad) {
					e.Layer, i = t.nodes[i].name(), 0
					break
				}
			}
		}
	} else {
		for _, n := range t.all { // a residual comes after its body's layers, so the first is the innermost
			if n.y != nil && !finite(n.y) {
				e.Layer = n.name()
				break
			}
		}
	}
	where := "layer " + e.Layer
	if e.Layer == "loss" {
		where = "the loss"
	}
	e.msg = text.Join("train: the ", what, " is not finite any more: it began in ", where, ", in step ", t.steps, "; the step was not made")
	return e
}

// Evaluate computes outputs and loss without a step: no dropout, no noise, and
// BatchNorm with its running statistics, or the batch's with batch set. Running
// statistics do not change.
func (t *Trainer) Evaluate(b Batch, batch bool) (Result, error) {
	if err := t.check(&b); err != nil {
		return Result{}, err
	}
	t.pass.train, t.pass.batch, t.pass.update = false, batch, false
	return t.run(&b)
}
