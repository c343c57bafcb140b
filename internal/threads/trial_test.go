package threads

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// machine is what a Trial runs on: nanoseconds that a run takes, and calls of For in it.
type machine struct {
	now            int64
	divided, whole int64
	fors           int
}

// run runs so many times, and says how many of them were divided.
func (m *machine) run(t *Trial, times, shapes int) (divided int) {
	for range times {
		if t.divided(m.now, shapes) {
			m.now += m.divided
			t.took(m.now, m.divided, m.fors)
			divided++
		} else {
			m.now += m.whole
			t.took(m.now, m.whole, 0)
		}
	}
	return divided
}

// What is quicker is done, but for some runs of each trial, and a change is found out.
func TestTrial(t *testing.T) {
	m := &machine{now: 1e15, divided: 800_000, whole: 700_000, fors: 20}
	var trial Trial
	assert.Equal(t, warmRuns+trialRuns, m.run(&trial, warmRuns+2*trialRuns, 3), "tried at once")
	assert.LessOrEqual(t, m.run(&trial, 30_000, 3), 15*trialRuns, "in 21 s")
	m.divided = 400_000
	m.run(&trial, 2*lastPause/700_000, 3) // until the next trial
	assert.GreaterOrEqual(t, m.run(&trial, 30_000, 3), 30_000-10*trialRuns, "in 12 s")
}

// One slow run is the machine's; helpers that are late every third time are not worth waiting for.
func TestTrialOutliers(t *testing.T) {
	for every, whole := range map[int]bool{trialRuns: false, 3: true} {
		var trial Trial
		m := &machine{fors: 20, whole: 700_000}
		for run := range 10_000 {
			m.divided = 400_000
			if run%every == 0 {
				m.divided = 2_000_000
			}
			m.run(&trial, 1, 1)
			if trial.phase == settled {
				assert.Equal(t, whole, trial.whole, "every %d runs", every)
			}
		}
	}
}

// Long steps, and runs in which nothing is divided, are not tried.
func TestTrialPlain(t *testing.T) {
	for _, m := range []*machine{{divided: 20 * plain, whole: 1, fors: 20}, {divided: 1000, whole: 1, fors: 0}} {
		assert.Equal(t, 5000, m.run(&Trial{}, 5000, 0))
	}
}

// Where nothing is divided the clock is left alone, until after a while there is another look.
func TestTrialIdle(t *testing.T) {
	m := &machine{divided: 1000, whole: 1, fors: 0}
	var trial Trial
	assert.False(t, trial.idle(0))
	m.run(&trial, warmRuns+trialRuns, 0)
	for range pauseRuns {
		assert.False(t, trial.idle(1))
		assert.True(t, trial.idle(0))
	}
	assert.False(t, trial.idle(0))
	m.now += firstPause
	m.fors, m.divided = 1, 3
	m.run(&trial, 2*trialRuns, 0)
	assert.True(t, trial.whole)
	assert.False(t, trial.idle(0))
}

// Runs of other shapes are another network's: a decoder's, which grow, are always divided.
func TestTrialShapes(t *testing.T) {
	m := &machine{divided: 800_000, whole: 700_000, fors: 20}
	var trial Trial
	m.run(&trial, 1000, 1)
	assert.True(t, trial.whole)
	for shapes := range 1000 {
		assert.Equal(t, 1, m.run(&trial, 1, 2+shapes))
	}
}

func TestTrialAllocates(t *testing.T) {
	m := &machine{divided: 800_000, whole: 700_000, fors: 20}
	var trial Trial
	assert.Zero(t, testing.AllocsPerRun(100, func() { m.run(&trial, 10, 0) }))
}
