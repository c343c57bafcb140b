//go:build !train

package bridge

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/onnx"
)

// holder is a session, or a generator of text.
type holder interface{ bytes() int }

// sessions are the live ones, for Memory.
type sessions = []holder

func held(all sessions) (n int) {
	for _, s := range all {
		n += s.bytes()
	}
	return n
}

// classifyModel is the part of Classify for errors of models.
func classifyModel(err error) (Status, string) {
	switch e := err.(type) {
	case *ir.ShapeError:
		return BadShape, e.Error()
	case *ir.LoadError:
		return BadModel, e.Error()
	case *ir.UnsupportedError:
		return Unsupported, e.Error()
	case *ir.ReleasedError:
		return Disposed, e.Error()
	}
	return Internal, err.Error()
}

// session is a model that JavaScript holds, with the run prepared last.
type session struct {
	engine  *graph.Session
	inputs  []graph.Info
	outputs []graph.Info
	run     *graph.Run
	task    *task    // a run in parts that is under way
	keeps   bool     // results stay in memory of their own
	files   [][]byte // where the weights are: the model's, and those that it refers to
	beside  int      // bytes of weights that are elsewhere

	// said is what the latest PrepareFrame that went through had on the frame, without handles; empty where it takes more than
	// the same dimensions to make such a run again.
	said []int32

	// Of calls by the frame, kept so that they allocate nothing.
	counts  []int // of inputs that may be no tensors, see graph.Session.PrepareLists
	slots   []int // which input each tensor that is fed is of
	dims    [][]int
	sizes   []int
	fed     [][]byte
	texts   [][]byte
	tensors []*ir.Tensor
	handles []Handle
}

func (s *session) bytes() int {
	n := s.beside + s.engine.Bytes()
	for _, file := range s.files {
		n += len(file)
	}
	return n
}

// Open makes a session of the model in the first n bytes of slab h, all of them
// when n is -1, and takes the slab over: h names nothing afterwards, whether Open
// succeeds or not. Only where the model needs another edition of the module (OtherEdition)
// the slab stays as it is, for the caller to hand on.
func (b *Bridge) Open(h Handle, n int, o graph.Options) (Handle, error) {
	return b.OpenWith(h, n, nil, o)
}

// File is a file that a model refers to: the first so many bytes of a slab.
type File struct {
	Path  string
	Slab  Handle
	Bytes int
}

// Files lists the files that the model in the first n bytes of slab h refers to.
func (b *Bridge) Files(h Handle, n int) ([]onnx.File, error) {
	model, err := b.Bytes(h)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > len(model) {
		n = len(model)
	}
	return onnx.Files(model[:n])
}

// OpenWith is Open of a model that refers to files, whose slabs it takes over as well.
func (b *Bridge) OpenWith(h Handle, n int, list []File, o graph.Options) (Handle, error) {
	model, err := b.block(h)
	if err != nil {
		return 0, err
	}
	if model.scratch {
		return 0, &Error{Invalid, "bridge: a model in the scratch slab would not last"}
	}
	if 0 <= n && n <= len(model.bytes) {
		if name := onnx.Elsewhere(model.bytes[:n]); name != "" {
			return 0, &Error{OtherEdition, text.Join("bridge: the model has operators that only the full edition of the module knows, such as ", name)}
		}
	}
	files, all := map[string][]byte{}, [][]byte{model.bytes}
	for _, f := range list {
		block, err := b.block(f.Slab)
		if err != nil {
			return 0, err
		}
		if block.scratch || f.Bytes < 0 || f.Bytes > len(block.bytes) {
			return 0, &Error{Invalid, text.Join("bridge: file ", text.Quote(f.Path), " of ", f.Bytes, " bytes in a slab of ", len(block.bytes))}
		}
		if path, ok := onnx.CleanPath(f.Path); ok {
			files[path] = block.bytes[:f.Bytes:f.Bytes]
		}
		all = append(all, block.bytes)
	}
	for _, f := range list {
		if block, err := b.block(f.Slab); err == nil { // the same slab for two files is gone with the first
			b.release(f.Slab, block)
		}
	}
	b.release(h, model)
	id, err := b.open(all, n, files, o)
	if err != nil {
		giveAll(all)
	}
	return id, err
}

// giveAll gives slabs back, each once.
func giveAll(all [][]byte) {
	for i, a := range all {
		again := false
		for _, b := range all[:i] {
			again = again || slab.Addr(a) == slab.Addr(b)
		}
		if !again {
			slab.Give(a)
		}
	}
}

func (b *Bridge) open(all [][]byte, n int, files map[string][]byte, o graph.Options) (id Handle, err error) {
	file := all[0]
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
	g, err := onnx.ReadWith(file[:n:n], onnx.Options{Files: files})
	if err != nil {
		return 0, err
	}
	readableSymbols(g.Inputs)
	readableSymbols(g.Outputs)
	for _, v := range g.Inputs {
		if t := v.Type; t != ir.Undefined && t != ir.String && (int(t) >= len(DataTypes) || DataTypes[t].Name == "") {
			return 0, &ir.UnsupportedError{Missing: []string{text.Join("input ", text.Quote(v.Name), " of type ", t.String())}}
		}
	}
	o.Own = true
	engine, err := graph.NewSession(g, o)
	if err != nil {
		return 0, err
	}
	counts := make([]int, len(engine.Inputs()))
	for i := range counts {
		counts[i] = graph.One
	}
	s := &session{engine: engine, counts: counts, inputs: readable(engine.Inputs()), outputs: readable(engine.Outputs()), keeps: o.Resident, files: all, beside: engine.Weights(all...)}
	if id, err = b.Keep(s); err != nil {
		engine.Release()
		return 0, err
	}
	b.all = append(b.all, s)
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
func readableSymbols(values []*ir.Value) {
	for _, v := range values {
		for i, d := range v.Dims {
			v.Dims[i].Symbol = strings.ToValidUTF8(d.Symbol, "\uFFFD")
		}
	}
}

// Release ends a session or a generator. A second Release says Disposed.
func (b *Bridge) Release(h Handle) error {
	if w, ok := b.handles.get(h).(interface{ end(*Bridge, Handle) }); ok {
		w.end(b, h)
		return nil
	}
	s, err := b.session(h)
	if err != nil {
		return err
	}
	b.stop(h)
	b.drop(h)
	b.forget(s)
	s.engine.Release()
	giveAll(s.files)
	s.files, s.run = nil, nil
	return nil
}

// forget takes a session or generator off the list.
func (b *Bridge) forget(h holder) {
	// Delete clears what is behind the list: what referred to the file's memory would keep
	// it from being used again.
	if i := slices.Index(b.all, h); i >= 0 {
		b.all = slices.Delete(b.all, i, i+1)
	}
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
// session. Where a state is left out (nil) there is nothing to fill.
func (b *Bridge) Prepare(h Handle, dims [][]int) ([]*ir.Tensor, error) {
	return b.prepare(h, nil, dims, nil)
}

func (b *Bridge) prepare(h Handle, counts []int, dims [][]int, fed [][]byte) ([]*ir.Tensor, error) {
	s, err := b.session(h)
	if err == nil {
		err = s.busy()
	}
	if err != nil {
		return nil, err
	}
	s.run, s.said = nil, s.said[:0]
	slab.Tidy()
	run, err := s.engine.PrepareLists(counts, dims, fed)
	if err != nil {
		return nil, err
	}
	s.run = run
	list := s.list(len(dims))
	for i := range list {
		list[i] = run.In(i)
	}
	return list, nil
}

// list is a list of n tensors, good until the next.
func (s *session) list(n int) []*ir.Tensor {
	if cap(s.tensors) < n {
		s.tensors = make([]*ir.Tensor, n)
	}
	return s.tensors[:n]
}

// Exec runs what Prepare prepared.
func (b *Bridge) Exec(h Handle) ([]*ir.Tensor, error) {
	s, err := b.prepared(h)
	if err != nil {
		return nil, err
	}
	if err := s.run.Exec(); err != nil {
		return nil, err
	}
	return s.results()
}

// ExecProfiled is Exec with the time of each step by now, in milliseconds.
func (b *Bridge) ExecProfiled(h Handle, now func() float64) ([]*ir.Tensor, []graph.StepTime, error) {
	s, err := b.prepared(h)
	if err != nil {
		return nil, nil, err
	}
	times, err := s.run.ExecProfiled(now)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.results()
	return list, times, err
}

// noTensor refuses an output that is a sequence or nothing, and was declared as a tensor.
func noTensor(v graph.Info) error {
	return &ir.UnsupportedError{Missing: []string{text.Join(text.Quote(v.Name), ", declared as a tensor, as a sequence or an optional value")}}
}

// results are the outputs, of sequences all elements. States among them may have gaps. What an If gives may turn out to
// be a sequence only where it has run.
func (s *session) results() ([]*ir.Tensor, error) {
	n := 0
	for i := range s.outputs {
		if Lists && s.run.Counts()[i] != graph.One && !s.outputs[i].Form.List() {
			return nil, noTensor(s.outputs[i])
		}
		n += s.elements(i)
	}
	list := s.list(n)
	k := 0
	for i := range s.outputs {
		for range s.elements(i) {
			if s.outputs[i].State {
				list[k] = s.engine.StateOf(i)
			} else {
				list[k] = s.run.Out(k)
			}
			k++
		}
	}
	return list, nil
}

// elements is how many tensors output i is.
func (s *session) elements(i int) int {
	if Lists {
		if n := s.run.Counts()[i]; n != graph.One {
			return max(n, 0)
		}
	}
	return 1
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
	if err := s.busy(); err != nil {
		return nil, err
	}
	if s.run == nil {
		return nil, &Error{Invalid, "bridge: Exec came before a Prepare that succeeded"}
	}
	return s, nil
}

// PrepareFrame is Prepare by the frame: it takes a shape and a handle for each input, of
// the slab that has the elements, and leaves address and bytes of each. Where the handle
// is 0, the caller has to write the elements there; strings are always in a slab (see
// readStrings), which is read now. Of a state that is left out the frame has -1 dimensions,
// and nothing else. What may be something else than one tensor begins with a count: of the tensors of a
// sequence, which follow; -1 for one tensor; -2 for none.
func (b *Bridge) PrepareFrame(h Handle) error {
	s, err := b.session(h)
	if err == nil {
		err = s.busy()
	}
	if err != nil {
		return err
	}
	if b.again(s) {
		return nil
	}
	s.run, s.said = nil, s.said[:0] // whatever the frame says, what was prepared before is over
	dims, fed, sizes := s.dims[:0], s.fed[:0], s.sizes[:0]
	defer func() { s.dims, s.sizes, s.fed = dims[:0], sizes[:0], fed[:0]; clear(fed) }()
	at := 0
	s.slots = s.slots[:0]
	var counts []int // nil where all are tensors
	for i := range s.inputs {
		count := 1
		if Lists && s.inputs[i].Form.List() {
			if at == len(b.frame) {
				return frameFull()
			}
			counts = s.counts[:len(s.inputs)]
			counts[i] = int(b.frame[at])
			if count = counts[i]; count == graph.One {
				count = 1
			}
			at++
		}
		for range max(count, 0) {
			if at == len(b.frame) {
				return frameFull()
			}
			n := int(b.frame[at])
			at++
			var d []int
			var bytes []byte
			if n != -1 || !s.inputs[i].State {
				if n < 0 || n > MaxRank || n >= len(b.frame)-at {
					return &Error{BadShape, text.Join("bridge: input ", text.Quote(s.inputs[i].Name), " has ", n, " dimensions, want at most ", MaxRank)}
				}
				first := len(sizes)
				for _, d := range b.frame[at : at+n] {
					sizes = append(sizes, int(d))
				}
				if d = sizes[first:len(sizes):len(sizes)]; d == nil {
					d = []int{} // nil is a state that is left out
				}
				at += n
				if from := Handle(b.frame[at]); from != 0 {
					if bytes, err = b.Bytes(from); err != nil {
						return err
					}
				}
				at++
			}
			dims, fed, s.slots = append(dims, d), append(fed, bytes), append(s.slots, i)
		}
	}
	texts, plain := s.texts[:0], counts == nil
	for k := range fed {
		texts = append(texts, fed[k])
		in := &s.inputs[s.slots[k]]
		plain = plain && !in.State && in.Type != ir.String
		if in.Type == ir.String {
			fed[k] = nil // the engine's strings are not in slabs
		}
	}
	s.texts = texts[:0]
	defer clear(texts)
	list, err := b.prepare(h, counts, dims, fed)
	if err != nil {
		return err
	}
	if err := s.readAll(list, texts); err != nil {
		s.run = nil
		return err
	}
	if plain {
		for _, d := range dims {
			s.said = append(s.said, int32(len(d)))
			for _, n := range d {
				s.said = append(s.said, int32(n))
			}
		}
	}
	w := writer{frame: b.frame}
	for _, t := range list {
		w.place(t.Data)
	}
	return w.done()
}

// again is PrepareFrame for what it has got the last time, but for handles, if it is that.
func (b *Bridge) again(s *session) bool {
	if len(s.said) == 0 || s.run == nil {
		return false
	}
	frame, said, fed := b.frame, s.said, s.fed[:0]
	for len(said) > 0 {
		n := int(said[0]) + 1
		for i, v := range said[:n] {
			if frame[i] != v {
				return false
			}
		}
		var bytes []byte
		if h := Handle(frame[n]); h != 0 {
			block, ok := b.handles.get(h).(*block)
			if !ok || len(block.bytes) == 0 {
				return false
			}
			bytes = block.bytes
		}
		frame, said, fed = frame[n+1:], said[n:], append(fed, bytes)
	}
	s.fed = fed[:0]
	ok := s.run.Again(fed)
	clear(fed)
	if ok {
		slab.Tidy()
		for i := range fed {
			data := s.run.In(i).Data
			b.frame[2*i], b.frame[2*i+1] = int32(slab.Addr(data)), int32(len(data))
		}
	}
	return ok
}

// ExecFrame is Exec by the frame: it leaves type, shape, address and bytes of each output,
// and a handle: of the slab that it is in, which is then the caller's, or 0. Strings always
// are in a slab (see readStrings). States stay; StateFrame gives them. What is declared as something else than one tensor
// begins with a count, as for PrepareFrame.
func (b *Bridge) ExecFrame(h Handle) error {
	list, err := b.Exec(h)
	if err != nil {
		return err
	}
	return b.ResultsFrame(h, list)
}

// ResultsFrame leaves what ExecPart gave as ExecFrame does.
func (b *Bridge) ResultsFrame(h Handle, list []*ir.Tensor) error {
	s, err := b.session(h)
	if err != nil {
		return err
	}
	s.handles = s.handles[:0]
	if err = b.results(s, list); err != nil {
		for _, id := range s.handles {
			if id != 0 {
				b.Free(id)
			}
		}
	}
	s.run.Forget()
	return err
}

func (b *Bridge) results(s *session, list []*ir.Tensor) (err error) {
	frame, at, k := b.frame, 0, 0
	for i := range s.outputs {
		if Lists && s.outputs[i].Form.List() {
			if at == len(frame) {
				return frameFull()
			}
			frame[at] = int32(s.run.Counts()[i])
			at++
		}
		for range s.elements(i) {
			t := list[k]
			bytes, id := t.Data, Handle(0)
			if s.outputs[i].State {
				bytes = nil
			} else if t.Type == ir.String {
				if bytes, id, err = b.writeStrings(t.Strings); err != nil {
					return err
				}
				s.handles = append(s.handles, id)
			} else if s.keeps {
				if bytes, id, err = b.kept(s.run.Take(k), t.Data); err != nil {
					return err
				}
				s.handles = append(s.handles, id)
			}
			n := len(t.Dims)
			if len(frame)-at < n+5 {
				return frameFull()
			}
			f := frame[at : at+n+5]
			f[0], f[1] = int32(t.Type), int32(n)
			for j, d := range t.Dims {
				f[2+j] = int32(d)
			}
			f[n+2], f[n+3], f[n+4] = int32(slab.Addr(bytes)), int32(len(bytes)), int32(id)
			at += n + 5
			k++
		}
	}
	return nil
}

// StateFrame leaves address and bytes of a copy of an output that stays, and its handle.
// For -1 there is none: the next run starts as the first did.
func (b *Bridge) StateFrame(h Handle, output int) error {
	s, err := b.session(h)
	if err == nil {
		err = s.busy()
	}
	if err != nil {
		return err
	}
	if output < 0 {
		s.engine.ResetState()
		return nil
	}
	if output >= len(s.outputs) || !s.outputs[output].State {
		return &Error{Invalid, text.Join("bridge: output ", output, " is no state")}
	}
	state := s.engine.StateOf(output)
	if state == nil {
		return &Error{Invalid, text.Join("bridge: no run has left the state ", text.Quote(s.outputs[output].Name))}
	}
	bytes, id, err := b.kept(nil, state.Dense().Data)
	if err != nil {
		return err
	}
	w := writer{frame: b.frame}
	w.place(bytes)
	w.int(int(id))
	return w.done()
}

// kept gives a result a handle: the slab of its own that it has, or a copy.
func (b *Bridge) kept(own, data []byte) ([]byte, Handle, error) {
	if own == nil {
		h, err := b.Alloc(len(data))
		if err != nil {
			return nil, 0, err
		}
		bytes, err := b.Bytes(h)
		copy(bytes, data)
		return bytes, h, err
	}
	h, err := b.Keep(&block{bytes: own})
	if err != nil {
		slab.Give(own)
		return nil, 0, err
	}
	b.inUse += len(own)
	b.tensors++
	return own, h, nil
}

func (w *writer) place(bytes []byte) {
	w.int(int(slab.Addr(bytes)))
	w.int(len(bytes))
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
