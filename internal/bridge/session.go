package bridge

import (
	"strings"
	"unicode/utf8"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/onnx"
)

// session is a model that JavaScript holds, with the run prepared last.
type session struct {
	engine  *graph.Session
	inputs  []graph.Info
	outputs []graph.Info
	run     *graph.Run
	file    []byte // where the weights are
	beside  int    // bytes of weights that are elsewhere
}

func (s *session) bytes() int { return len(s.file) + s.beside + s.engine.Bytes() }

// Open makes a session of the model in the first n bytes of slab h, all of them
// when n is -1, and takes the slab over: h names nothing afterwards, whether Open
// succeeds or not.
func (b *Bridge) Open(h Handle, n int, o graph.Options) (Handle, error) {
	model, err := b.block(h)
	if err != nil {
		return 0, err
	}
	if model.scratch {
		return 0, &Error{Invalid, "bridge: a model in the scratch slab would not last"}
	}
	b.release(h, model)
	id, err := b.open(model.bytes, n, o)
	if err != nil {
		slab.Give(model.bytes)
	}
	return id, err
}

func (b *Bridge) open(file []byte, n int, o graph.Options) (id Handle, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Caught(p)
		}
	}()
	if n == -1 {
		n = len(file)
	}
	if n < 0 || n > len(file) {
		return 0, &Error{BadShape, text.Join("bridge: a model of ", n, " bytes in a slab of ", len(file))}
	}
	g, err := onnx.Read(file[:n:n])
	if err != nil {
		return 0, err
	}
	readableSymbols(g.Inputs)
	readableSymbols(g.Outputs)
	engine, err := graph.NewSession(g, o)
	if err != nil {
		return 0, err
	}
	s := &session{engine: engine, inputs: readable(engine.Inputs()), outputs: readable(engine.Outputs()), file: file, beside: engine.Weights(file)}
	id = b.handles.put(s)
	if id == 0 {
		engine.Release()
		return 0, &Error{NoMemory, text.Join("bridge: no handle is left of ", maxIndex+1)}
	}
	b.all = append(b.all, s)
	b.sessions++
	return id, nil
}

// readable gives names that are not UTF-8, which JavaScript could not say, U+FFFD for
// what is wrong in them, and a number where the list has such a name already.
func readable(list []graph.Info) []graph.Info {
	taken := map[string]bool{}
	for _, v := range list {
		taken[v.Name] = true
	}
	given := map[string]string{}
	for i := range list {
		name := list[i].Name
		if utf8.ValidString(name) {
			continue
		}
		if given[name] == "" {
			valid := strings.ToValidUTF8(name, "\uFFFD")
			unique := valid
			for n := 2; taken[unique]; n++ {
				unique = text.Join(valid, "_", n)
			}
			taken[unique] = true
			given[name] = unique
		}
		list[i].Name = given[name]
	}
	return list
}

// readableSymbols does the same for the names of dimensions, which need not differ.
func readableSymbols(values []*graph.Value) {
	for _, v := range values {
		for i, d := range v.Dims {
			v.Dims[i].Symbol = strings.ToValidUTF8(d.Symbol, "\uFFFD")
		}
	}
}

// Release ends a session. A second Release says Disposed.
func (b *Bridge) Release(h Handle) error {
	s, err := b.session(h)
	if err != nil {
		return err
	}
	b.drop(h)
	for i, other := range b.all {
		if other == s {
			b.all = append(b.all[:i], b.all[i+1:]...)
			break
		}
	}
	b.sessions--
	s.engine.Release()
	slab.Give(s.file)
	s.file = nil
	return nil
}

// Description says what a session takes and gives.
type Description struct {
	Inputs, Outputs []graph.Info
	Ops             []graph.OpCount // after optimization
	Bytes           int
}

// Describe describes a session.
func (b *Bridge) Describe(h Handle) (Description, error) {
	s, err := b.session(h)
	if err != nil {
		return Description{}, err
	}
	return Description{s.inputs, s.outputs, s.engine.Ops(), s.bytes()}, nil
}

// Prepare plans for inputs of these dimensions and returns the tensors to fill,
// in the order of the description. They last until another call for this
// session.
func (b *Bridge) Prepare(h Handle, dims [][]int) ([]*graph.Tensor, error) {
	s, err := b.session(h)
	if err != nil {
		return nil, err
	}
	for _, in := range s.inputs {
		if in.Type == graph.String {
			return nil, &graph.UnsupportedError{Missing: []string{text.Join("input ", text.Quote(in.Name), " of type string")}}
		}
	}
	s.run = nil
	slab.Tidy()
	run, err := s.engine.Prepare(dims)
	if err != nil {
		return nil, err
	}
	s.run = run
	list := make([]*graph.Tensor, len(s.inputs))
	for i := range list {
		list[i] = run.In(i)
	}
	return list, nil
}

// Exec runs what Prepare prepared.
func (b *Bridge) Exec(h Handle) ([]*graph.Tensor, error) {
	s, err := b.prepared(h)
	if err != nil {
		return nil, err
	}
	if err := s.run.Exec(); err != nil {
		return nil, err
	}
	return s.results(), nil
}

// ExecProfiled is Exec with the time of each step by now, in milliseconds.
func (b *Bridge) ExecProfiled(h Handle, now func() float64) ([]*graph.Tensor, []graph.StepTime, error) {
	s, err := b.prepared(h)
	if err != nil {
		return nil, nil, err
	}
	times, err := s.run.ExecProfiled(now)
	if err != nil {
		return nil, nil, err
	}
	return s.results(), times, nil
}

func (s *session) results() []*graph.Tensor {
	list := make([]*graph.Tensor, len(s.outputs))
	for i := range list {
		list[i] = s.run.Out(i)
	}
	return list
}

func (b *Bridge) session(h Handle) (*session, error) {
	v := b.handles.get(h)
	s, ok := v.(*session)
	if !ok {
		return nil, gone(h, "session", v)
	}
	return s, nil
}

func (b *Bridge) prepared(h Handle) (*session, error) {
	s, err := b.session(h)
	if err != nil {
		return nil, err
	}
	if s.run == nil {
		return nil, &Error{Invalid, "bridge: Exec came before a Prepare that succeeded"}
	}
	return s, nil
}

// PrepareFrame is Prepare by the frame: it takes one shape for each input and
// leaves address and bytes of each.
func (b *Bridge) PrepareFrame(h Handle) error {
	s, err := b.session(h)
	if err != nil {
		return err
	}
	s.run = nil // whatever the frame says, what was prepared before is over
	dims := make([][]int, len(s.inputs))
	at := 0
	for i := range dims {
		if at == len(b.frame) {
			return frameFull()
		}
		n := int(b.frame[at])
		at++
		if n < 0 || n > maxRank || n > len(b.frame)-at {
			return &Error{BadShape, text.Join("bridge: input ", text.Quote(s.inputs[i].Name), " has ", n, " dimensions, want at most ", maxRank)}
		}
		dims[i] = make([]int, n)
		for j := range dims[i] {
			dims[i][j] = int(b.frame[at+j])
		}
		at += n
	}
	list, err := b.Prepare(h, dims)
	if err != nil {
		return err
	}
	w := writer{frame: b.frame}
	for _, t := range list {
		w.place(t)
	}
	return w.done()
}

// ExecFrame is Exec by the frame: it leaves type, shape, address and bytes of
// each output.
func (b *Bridge) ExecFrame(h Handle) error {
	list, err := b.Exec(h)
	if err != nil {
		return err
	}
	w := writer{frame: b.frame}
	for i, t := range list {
		if t.Type == graph.String {
			s, _ := b.session(h)
			return &graph.UnsupportedError{Missing: []string{text.Join("output ", text.Quote(s.outputs[i].Name), " of type string")}}
		}
		w.int(int(t.Type))
		w.int(len(t.Dims))
		for _, d := range t.Dims {
			w.int(d)
		}
		w.place(t)
	}
	return w.done()
}

func (w *writer) place(t *graph.Tensor) {
	w.int(int(slab.Addr(t.Data)))
	w.int(len(t.Data))
}

func (w *writer) done() error {
	if w.full {
		return frameFull()
	}
	return nil
}

func frameFull() error {
	return &Error{Invalid, text.Join("bridge: the shapes of this model do not fit the frame of ", FrameSize, " numbers")}
}
