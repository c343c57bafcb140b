package train

import (
	"math"

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
		s.Mean, s.Std = meanAndStd(n.y)
		sum := 0.0
		for _, p := range n.params() {
			sum += dot(p.Grad, p.Grad)
		}
		s.GradientNorm = math.Sqrt(sum)
		if l, ok := n.layer.(*batchNorm); ok {
			s.RunningMean = append(s.RunningMean, l.layer.RunningMean...)
			s.RunningVar = append(s.RunningVar, l.layer.RunningVar...)
			s.Batch = norm.NewMoments(len(s.RunningMean))
			if err := l.layer.Moments(s.Batch, l.x, l.shape); err != nil {
				return nil, &layerError{n.name(), err}
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
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		std += float64(d * d)
	}
	return mean, math.Sqrt(std / float64(len(x)))
}

// RecomputeStatistics makes the running statistics of all BatchNorms those of these
// batches together, each normalized with its own statistics: "precise BatchNorm", for a
// network whose weights have settled. Nothing else changes. stream calls yield for each
// batch until it has no more. After an error the running statistics are as they were.
//
// Source: Wu, Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3.
func (t *Trainer) RecomputeStatistics(stream func(yield func(b Batch) bool)) error {
	merged := make([]*norm.Moments, len(t.norms))
	parts := make([]*norm.Moments, len(t.norms))
	for i, l := range t.norms {
		merged[i], parts[i] = norm.NewMoments(len(l.layer.RunningMean)), norm.NewMoments(len(l.layer.RunningMean))
	}
	var err error
	batches := 0
	stream(func(b Batch) bool {
		batches++
		if _, err = t.Evaluate(b, true); err != nil {
			return false
		}
		for i, l := range t.norms {
			if err = l.layer.Moments(parts[i], l.x, l.shape); err != nil {
				return false
			}
			if err = merged[i].Merge(parts[i]); err != nil {
				return false
			}
		}
		return true
	})
	if err == nil && batches == 0 {
		err = valueError("there are no batches to compute statistics of")
	}
	if err != nil {
		return err
	}
	for _, l := range t.norms {
		l.keep()
	}
	for i, l := range t.norms {
		if err := l.layer.SetStatistics(merged[i]); err != nil {
			t.undo(t.rand)
			return err
		}
	}
	return nil
}
