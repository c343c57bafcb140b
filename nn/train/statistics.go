package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/norm"
)

// Statistics are what the latest step, or evaluation, left in one layer.
type Statistics struct {
	Layer        string  // its path and type, as in "1 batchNorm"; a residual's body comes before the residual
	Mean, Std    float64 // of its outputs
	GradientNorm float64 // of its parameters; of the latest step, 0 without parameters

	// Of a batchNorm, each channel's; nil for other layers.
	RunningMean, RunningVar []float32
	Batch                   *norm.Moments
}

// Statistics describes each layer after a step or an evaluation; before that nothing.
func (t *Trainer) Statistics() ([]Statistics, error) {
	var all []Statistics
	for _, n := range t.all {
		if n.y == nil {
			continue
		}
		s := Statistics{Layer: n.name()}
		y := n.y
		if a, ok := n.layer.(*activation); ok && a.later {
			y = a.outputs()
		}
		s.Mean, s.Std = meanAndStd(y)
		sum := 0.0
		for _, p := range n.params() {
			sum += compute.Dot(p.Grad, p.Grad)
		}
		s.GradientNorm = math.Sqrt(sum)
		if l, ok := n.layer.(*batchNorm); ok {
			s.RunningMean = append(s.RunningMean, l.layer.RunningMean...)
			s.RunningVar = append(s.RunningVar, l.layer.RunningVar...)
			s.Batch = norm.NewMoments(len(s.RunningMean))
			if err := l.layer.Moments(s.Batch, l.x, l.shape); err != nil {
				return nil, &LayerError{n.name(), err}
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func meanAndStd(x []float32) (mean, std float64) {
	if len(x) == 0 {
		return math.NaN(), math.NaN()
	}
	n := float64(len(x))
	for rest := x; len(rest) > 0; {
		part := rest[:min(len(rest), len(ones))]
		mean += compute.Dot(part, ones[:len(part)])
		rest = rest[len(part):]
	}
	mean /= n
	square := compute.Dot(x, x) / n
	if variance := square - float64(mean*mean); variance > 1e-6*square {
		return mean, math.Sqrt(variance)
	}
	// Numbers that are nearly all the same, and too much of the two would cancel; or none that is finite.
	for _, v := range x {
		d := float64(v) - mean
		std += float64(d * d)
	}
	return mean, math.Sqrt(std / n)
}

var ones = func() (s [256]float32) {
	for i := range s {
		s[i] = 1
	}
	return s
}()

// Precise gathers running statistics anew, batch by batch.
type Precise struct {
	trainer       *Trainer
	merged, parts []*norm.Moments
	batches       int
}

// Precise begins to gather the statistics of all BatchNorms over batches, each normalized
// with its own: "precise BatchNorm", for a network whose weights have settled. Nothing
// changes before Finish.
//
// Source: Wu, Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3.
func (t *Trainer) Precise() *Precise {
	p := &Precise{trainer: t}
	for _, l := range t.norms {
		p.merged = append(p.merged, norm.NewMoments(len(l.layer.RunningMean)))
		p.parts = append(p.parts, norm.NewMoments(len(l.layer.RunningMean)))
	}
	return p
}

// Add takes one more batch in.
func (p *Precise) Add(b Batch) error {
	if _, err := p.trainer.Evaluate(b, true); err != nil {
		return err
	}
	for i, l := range p.trainer.norms {
		if err := l.layer.Moments(p.parts[i], l.x, l.shape); err != nil {
			return err
		}
		if err := p.merged[i].Merge(p.parts[i]); err != nil {
			return err
		}
	}
	p.batches++
	return nil
}

// Finish makes what was gathered the running statistics. Without a batch that is a
// *ValueError. After an error the running statistics are as they were.
func (p *Precise) Finish() error {
	if p.batches == 0 {
		return valueError("there are no batches to compute statistics of")
	}
	t := p.trainer
	for _, l := range t.norms {
		l.keep()
	}
	for i, l := range t.norms {
		if err := l.layer.SetStatistics(p.merged[i]); err != nil {
			t.undo(t.rand)
			return err
		}
	}
	return nil
}
