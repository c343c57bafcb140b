package threads

import "slices"

// Trial finds out whether a network that runs again and again is quicker when its steps are divided.
// Where they take microseconds, that depends on what nobody can tell beforehand: whether the cores have
// a cache in common, whether other programs want them. So now and then it has some runs divided and
// some not, and what was quicker is done until the next time. The zero value is ready.
type Trial struct {
	shapes int // which its runs have, by a number that changes with them
	phase  phase
	runs   int // of this phase
	fors   int // calls of For that the latest divided run divided
	times  [2][trialRuns]int64
	whole  bool  // what was quicker: not divided
	pause  int64 // nanoseconds until the next time, at least
	until  int64
}

type phase uint8

const (
	warming phase = iota // divided, while helpers come and the engine optimizes its code
	tryDivided
	tryWhole
	settled // for what was quicker
)

const (
	warmRuns   = 24
	trialRuns  = 7          // of each kind. The first is not counted: helpers may have fallen asleep
	firstPause = 50_000_000 // nanoseconds, twice as many each time that the same is quicker
	lastPause  = 3_200_000_000
	pauseRuns  = 100     // at least, until the next time
	plain      = 256_000 // nanoseconds: where each divided For has so much of a run, dividing gains without a doubt
)

// divided says whether the run that begins now, with these shapes, is to be divided.
func (t *Trial) divided(now int64, shapes int) bool {
	if t.shapes != shapes {
		*t = Trial{shapes: shapes}
	}
	if t.phase == settled && now >= t.until && t.runs >= pauseRuns {
		t.phase, t.runs = tryDivided, 0
	}
	return t.phase < tryWhole || t.phase == settled && !t.whole
}

// idle says that nothing is divided anyway, and nobody has to look at a clock: not for a while.
func (t *Trial) idle(shapes int) bool {
	if t.phase != settled || t.fors > 0 || t.shapes != shapes || t.runs >= pauseRuns {
		return false
	}
	t.runs++
	return true
}

// took takes note that the run took so many nanoseconds and divided so many calls of For.
func (t *Trial) took(now, ns int64, fors int) {
	t.runs++
	switch t.phase {
	case warming:
		if t.runs == warmRuns {
			t.phase, t.runs = tryDivided, 0
		}
	case tryDivided:
		t.times[0][t.runs-1], t.fors = ns, fors
		if t.runs < trialRuns {
			break
		}
		if slices.Min(t.times[0][:]) >= plain*int64(t.fors) {
			t.settle(now, false)
			break
		}
		t.phase, t.runs = tryWhole, 0
	case tryWhole:
		t.times[1][t.runs-1] = ns
		if t.runs == trialRuns {
			t.settle(now, typical(t.times[1]) < typical(t.times[0]))
		}
	}
}

func (t *Trial) settle(now int64, whole bool) {
	if t.pause = min(2*t.pause, lastPause); t.pause == 0 || whole != t.whole {
		t.pause = firstPause
	}
	t.phase, t.runs, t.whole, t.until = settled, 0, whole, now+t.pause
}

// typical is the sum of all but the first and the longest: one long run is the machine's, but where
// helpers are late now and then, it shows.
func typical(times [trialRuns]int64) (sum int64) {
	for _, ns := range times[1:] {
		sum += ns
	}
	return sum - slices.Max(times[1:])
}
