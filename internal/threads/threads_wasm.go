//go:build wasm && !purego && !replay

package threads

import (
	"unsafe"

	"github.com/normwasm/normwasm/internal/kernel"
)

// load returns a word.
//
//go:noescape
func load(at *uint32) uint32

// add adds to a word and returns what it was.
//
//go:noescape
func add(at *uint32, delta uint32) (old uint32)

// swap gives a word another value if it has one, and returns what it was.
//
//go:noescape
func swap(at *uint32, from, to uint32) (old uint32)

// wake wakes whoever sleeps on a word.
//
//go:noescape
func wake(at *uint32)

const (
	jobs    = 64 // that are on their way at most; more parts are run here
	helpers = 64 // at most
)

// control is what all threads share. Words that different threads write lie 64 bytes apart: it takes
// hundreds of nanoseconds to fetch what another core has written, and to write what another has read.
// Jobs are numbered as they come, from 0 on and over the end of a word. JavaScript's side
// of it is js/src/helper.js.
type controlBlock struct {
	seq        uint32 // changes when those who sleep are to look for a job: what they sleep on
	_          [15]uint32
	head       uint32 // the next job that nobody has begun
	_          [15]uint32
	done       uint32 // jobs that helpers have finished
	_          [15]uint32
	ready      uint32 // helpers that are there
	quit       uint32 // not 0: helpers are to end
	lost       uint32 // not 0: a helper disappeared in the midst of a job, and none is used any more
	sleepers   uint32 // helpers that sleep, or are about to
	patience   uint32 // milliseconds without a sign of life after which a helper is lost
	signature  uint32 // of the kernels, whose calls are recorded
	_          [10]uint32
	job        [jobs]jobBlock      // by number
	signOfLife [helpers][16]uint32 // by helper: the address of the call that it is at
}

// jobBlock is a job. It is there once its count says so, which is written last.
type jobBlock struct {
	count    uint32 // of the jobs that there have been with this one
	from, to uint32 // where its calls are recorded
	_        [13]uint32
}

var (
	control *controlBlock
	memory  []uint64    // the control block's, in words that are aligned
	tail    uint32      // the number of the next job that there will be
	part    [jobs]int32 // by the number of a job: whose record it is
	tape    []uint64
	asked   = 1
)

const tapeBytes = 1 << 20

// least is how many nanoseconds a part should take: handing a step over takes two to four thousand
// where the cores have no cache in common.
const least = 8000

// Test does nothing here: see the other builds.
func Test(int) {}

// Start makes room for helpers, of whom there will be count−1 at most, and returns the address
// of the control block. Called again it only changes the number.
func Start(count int) uintptr {
	asked = min(max(count, 1), helpers+1)
	if control == nil && asked > 1 {
		memory = make([]uint64, (unsafe.Sizeof(controlBlock{})+64)/8)
		at := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
		control = (*controlBlock)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(memory)), (64-at%64)%64))
		control.patience, control.signature = 10_000, kernel.Signature
		tape = make([]uint64, tapeBytes/8)
	}
	return uintptr(unsafe.Pointer(control))
}

// Count is how many threads there are: this one and its helpers.
func Count() int {
	if control == nil || control.lost != 0 {
		return 1
	}
	return min(1+int(load(&control.ready)), asked)
}

func most() int { return asked }

// among is how many threads a For that begins now is divided among.
func among() int {
	if undivided || rests() {
		return 1
	}
	return Count()
}

// For calls f with the parts 0 to parts−1, each computed once, here or by a helper.
func For(parts int, f func(part int)) {
	if parts == 1 || parted || among() == 1 {
		for part := range parts {
			f(part)
		}
		return
	}
	used = max(used, min(parts, Count()))
	fors++
	r := run{first: tail, finished: load(&control.done), at: uintptr(unsafe.Pointer(unsafe.SliceData(tape)))}
	if waste > 0 {
		r.began = nanotime()
	}
	parted = true
	defer r.end()
	r.share(parts, f)
}

var (
	undivided bool  // For divides nothing in the run that is under way
	fors      int   // how many it has divided
	begun     int64 // when it began, for a trial; 0 for none
)

// Begin says that a run begins, with these shapes. Until End its steps are divided, or not, as the
// trial has it.
func (t *Trial) Begin(shapes int) {
	if Count() == 1 || t.idle(shapes) {
		return
	}
	now := nanotime()
	undivided, fors = !t.divided(now, shapes), 0
	begun = now
}

// End says that it has ended.
func (t *Trial) End() {
	undivided = false
	if begun != 0 {
		now := nanotime()
		t.took(now, now-begun, fors)
		begun = 0
	}
}

// parted says that a For is under way: one in a part of it is not divided again, for both would
// count the same jobs.
var parted bool

// run is a For that is under way.
type run struct {
	began     int64  // 0 while helpers have not been late
	first     uint32 // job
	finished  uint32 // what done was before
	published uint32
	taken     uint32 // back, of these
	at        uintptr
	ended     bool
}

// share records ahead what helpers can begin, and runs parts here meanwhile; in the end those
// too that no helper has begun. Helpers take parts from the first on and this thread from the last,
// so that in steps that divide their data alike each core finds what it has written itself.
func (r *run) share(parts int, f func(part int)) {
	ahead := uint32(Count() - 1)
	for next, end := 0, parts; next < end; {
		if next+1 < end && r.published < jobs && tail-load(&control.head) < ahead && r.record(next, f) {
			next++
			continue
		}
		end--
		f(end)
	}
	for {
		job, ok := r.take()
		if !ok {
			break
		}
		f(int(part[job%jobs]))
	}
	r.ended = true
}

// record records a part and publishes it as a job, unless there is no room.
func (r *run) record(which int, f func(part int)) bool {
	end := uintptr(unsafe.Pointer(unsafe.SliceData(tape))) + tapeBytes
	if r.at > end-tapeBytes/2 && load(&control.done)-r.finished == r.published-r.taken {
		r.at = end - tapeBytes // no job is waiting or under way
	}
	if r.at+2*kernel.RecordMost > end {
		return false
	}
	kernel.Record(r.at, end)
	f(which)
	to, ok := kernel.Recorded()
	if !ok {
		return false
	}
	job := &control.job[tail%jobs]
	job.from, job.to = uint32(r.at), uint32(to)
	part[tail%jobs] = int32(which)
	r.at = to
	r.published++
	tail++
	add(&job.count, tail-job.count)
	if load(&control.sleepers) > 0 {
		add(&control.seq, 1)
		wake(&control.seq)
	}
	return true
}

// take takes the next job that nobody has begun.
func (r *run) take() (job uint32, ok bool) {
	for {
		job := load(&control.head)
		if job == tail {
			return 0, false
		}
		if swap(&control.head, job, job+1) == job {
			r.taken++
			return job, true
		}
	}
}

// end waits for the helpers, after a panic too.
func (r *run) end() {
	parted = false
	if !r.ended { // f panicked, perhaps while it was recorded
		kernel.Recorded()
		for ok := true; ok; {
			_, ok = r.take()
		}
	}
	var w watch
	waits := int64(0) // since when, if it takes long
	for spins := 0; load(&control.done)-r.finished != r.published-r.taken; spins++ {
		if spins == 1<<9 {
			waits = nanotime()
		}
		if spins&0xfff == 0xfff && w.hopeless() {
			control.lost = 1
			panic(&LostError{})
		}
	}
	if r.published > 0 && r.taken == r.published {
		wasted(nanotime(), missed)
		return
	}
	if waits == 0 {
		return
	}
	before := int64(0)
	if r.began > 0 {
		before = waits - r.began
	}
	now := nanotime()
	delayed(now, now-waits, before)
}

// Where other programs want the cores too, a helper may be kept from its core in the midst of a
// job, for longer than all of it takes, or woken in vain. When that wastes more than an eighth of the
// time, this thread computes alone for a while. It is not a long one: a helper whose code the engine
// has not optimized yet is late as well, and only what it does brings that about.
var (
	waste int64 // nanoseconds, less an eighth of the time since the latest
	noted int64 // when that was
	alone int64 // until when calls of For are not divided; 0 where they are
	woken int64 // until when that was the last time
	again int   // how many times the next time is as long as the first, as a power of two
)

const (
	lateness  = 200_000   // nanoseconds
	missed    = 20_000    // nanoseconds that count as wasted when no helper has come
	tolerated = 5_000_000 // nanoseconds of waste
	rest      = 1_000_000 // nanoseconds, twice as many each time
	longest   = 8         // times that it is doubled
)

// rests says whether a For is one of those that are not to be divided.
func rests() bool {
	if alone != 0 && nanotime() >= alone {
		alone = 0
	}
	return alone != 0
}

// delayed takes note, now, of how long helpers were waited for, and how long it took until then (0 where
// that is not known), in nanoseconds.
func delayed(now, waited, before int64) {
	if waited < lateness || waited < before {
		return
	}
	wasted(now, waited)
}

// wasted takes note, now, of wasted time, in nanoseconds.
func wasted(now, ns int64) {
	waste = max(waste-(now-noted)/8, 0) + ns
	noted = now
	if waste < tolerated {
		return
	}
	if now-woken > 16*rest<<again {
		again = 0
	}
	alone = now + rest<<again
	woken, waste, again = alone, 0, min(again+1, longest)
}

// watch says when a helper that is at work has shown no sign of life for too long. The time
// that counts is what this thread itself has been waiting: a computer may have slept meanwhile.
type watch struct {
	before int64
	waited int64
	signs  uint32
}

const step = 50_000_000 // nanoseconds, as which a longer pause counts

func (w *watch) hopeless() bool {
	signs := uint32(0)
	for i := range control.signOfLife {
		signs = signs*31 + load(&control.signOfLife[i][0])
	}
	now := nanotime()
	if w.before == 0 || signs != w.signs {
		w.waited = 0
	} else {
		w.waited += min(now-w.before, step)
	}
	w.before, w.signs = now, signs
	patience := control.patience
	if load(&control.lost) != 0 { // a helper says so itself; others may have to finish
		patience = min(patience, 100)
	}
	return w.waited > int64(patience)*1_000_000
}

//go:linkname nanotime runtime.nanotime
func nanotime() int64
