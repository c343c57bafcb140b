//go:build !train && !lean

package bridge

import (
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// Runs of models with loops, in parts: nobody knows how long a loop takes, and JavaScript, which has one thread, can be asked to stop
// one only while it does not run. A run in parts is a goroutine of its own, and the call that takes it further waits for it to pause.

// Lists says that inputs and outputs may be sequences and optional values.
const Lists = true

// slice is how long a part takes, in milliseconds: a few pictures of the screen.
const slice = 30

// task is a run that is made in parts.
type task struct {
	clock func() float64 // in milliseconds
	said  chan part
	goOn  chan bool

	began float64 // the part
	trips int     // since the clock was asked
	every int     // how many trips before it is
}

// part says how a part of a run ended.
type part struct {
	more bool
	err  error
}

// run makes the whole run, and pauses in between.
func (t *task) run(r *graph.Run) {
	t.began = t.clock()
	err := r.ExecPausing(t.pause)
	t.said <- part{err: err}
}

// pause comes before each trip. The clock is asked more rarely where trips are short, for asking takes longer than these.
func (t *task) pause() bool {
	if t.trips++; t.trips < t.every {
		return true
	}
	t.trips = 0
	switch ms := t.clock() - t.began; {
	case ms < slice/4:
		t.every = min(2*t.every, 1<<12)
	case ms >= slice:
		t.every = max(t.every/2, 1)
		t.said <- part{more: true}
		goesOn := <-t.goOn
		t.began = t.clock()
		return goesOn
	}
	return true
}

// ExecPart begins a run, or goes on with the one that was begun, until it has ended or taken a few hundredths of a second: then there is more.
// Meanwhile other sessions may run. With stop it ends with an error, and the session is ready for another.
func (b *Bridge) ExecPart(h Handle, stop bool, clock func() float64) (list []*ir.Tensor, more bool, err error) {
	s, err := b.session(h)
	if err != nil {
		return nil, false, err
	}
	t := s.task
	switch {
	case t != nil:
		t.goOn <- !stop
	case stop:
		return nil, false, nil
	case !s.engine.Loops():
		list, err = b.Exec(h)
		return list, false, err
	default:
		if s, err = b.prepared(h); err != nil {
			return nil, false, err
		}
		t = &task{clock: clock, said: make(chan part), goOn: make(chan bool), every: 1}
		s.task = t
		go t.run(s.run)
	}
	p := <-t.said
	if p.more {
		return nil, true, nil
	}
	s.task = nil
	if p.err != nil {
		return nil, false, p.err
	}
	list, err = s.results()
	return list, false, err
}

// stop ends a run that is under way.
func (b *Bridge) stop(h Handle) { b.ExecPart(h, true, nil) }

// busy is the error of what cannot be done in the midst of a run.
func (s *session) busy() error {
	if s.task == nil {
		return nil
	}
	return &Error{Invalid, "bridge: the session is in the midst of a run, which gives way to others because it was given a signal: wait for it, or abort it"}
}
