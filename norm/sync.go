package norm

// Synchronised BatchNorm: several workers hold parts of a batch and get what one
// worker would get from all of it. Between the steps the caller carries the moments
// and the sums to wherever they are merged:
//
//	each worker   Moments(m, x, shape)
//	one place     whole = MergeMoments(m…)
//	each worker   ForwardWith(y, x, shape, whole, true)
//	              …
//	each worker   BackwardSums(sums, dy, x)
//	one place     sums added up, element by element
//	each worker   BackwardWith(dx, dgamma, dbeta, dy, x, sums)

// Moments computes the statistics of this worker's part of a batch into m. Nothing
// is normalized and nothing learnt. Errors as for Forward.
func (l *BatchNormLayer) Moments(m *Moments, x []float32, shape []int) error {
	if err := l.batchOnly("Moments"); err != nil {
		return err
	}
	if len(m.Mean) != l.channels || len(m.Variance) != l.channels {
		return shapeError(l.op, "the moments have ", len(m.Mean), " channels, want ", l.channels)
	}
	if err := l.prepare(x, x, shape, false, 0); err != nil {
		return err
	}
	l.ready = false // the scratch is another batch's now
	m.Reset()
	if len(x) > 0 {
		l.grid.statistics(x)
		m.Count = l.grid.count()
		copy(m.Mean, l.grid.mean)
		copy(m.Variance, l.grid.variance)
	}
	return nil
}

// ForwardWith is Forward with the statistics of a larger batch that x is a part of,
// and with update the running statistics learn from these. Errors as for Forward.
func (l *BatchNormLayer) ForwardWith(y, x []float32, shape []int, m *Moments, update bool) error {
	if err := l.batchOnly("ForwardWith"); err != nil {
		return err
	}
	if err := m.check(l.channels); err != nil {
		return err
	}
	if m.Count == 0 && len(x) > 0 {
		return valueError(l.op, "the moments are those of no values, want some")
	}
	if err := l.prepare(y, x, shape, true, m.Count); err != nil {
		return err
	}
	l.count = m.Count
	if len(x) > 0 {
		copy(l.grid.mean, m.Mean)
		copy(l.grid.variance, m.Variance)
		l.grid.normalize(y, x, l.Gamma, l.Beta)
		l.save(0)
	}
	if update && m.Count > 0 {
		l.learn(m)
	}
	return nil
}

// BackwardSums computes this worker's part of the reductions of the backward pass:
// Σdy·x̂ of each channel, then Σdy of each.
func (l *BatchNormLayer) BackwardSums(sums []float64, dy, x []float32) error {
	if err := l.checkBackward(dy, nil, nil, dy, x); err != nil {
		return err
	}
	if err := l.checkSums(sums); err != nil {
		return err
	}
	clear(sums)
	if len(x) > 0 {
		l.restore(0)
		g := l.grid
		g.exactProducts(dy, x, 0, g.groups)
		for s := range g.slots {
			sums[g.channel(s)] += g.sums[g.period+s]
			sums[l.channels+g.channel(s)] += g.sums[s]
		}
	}
	return nil
}

// BackwardWith is Backward with the sums of the whole batch. dgamma and dbeta are
// those of the whole batch too: workers must not add theirs up again.
func (l *BatchNormLayer) BackwardWith(dx, dgamma, dbeta, dy, x []float32, sums []float64) error {
	if err := l.checkBackward(dx, dgamma, dbeta, dy, x); err != nil {
		return err
	}
	if err := l.checkSums(sums); err != nil {
		return err
	}
	if len(x) > 0 {
		l.products(dy, x) // which groups are hard, and what they were normalized with
		l.differentiate(l.grid, 0, dx, dy, x, sums, false)
	}
	l.parameters(dgamma, dbeta, sums)
	return nil
}

func (l *BatchNormLayer) checkSums(sums []float64) error {
	if err := l.batchOnly("BackwardSums"); err != nil {
		return err
	}
	if len(sums) != 2*l.channels {
		return shapeError(l.op, "sums has ", len(sums), " elements, want ", 2*l.channels, " (two for each channel)")
	}
	return nil
}

// batchOnly refuses what has no meaning where every example is by itself.
func (l *BatchNormLayer) batchOnly(what string) error {
	if l.instance {
		return valueError(l.op, what, " merges examples, and instance normalization keeps them apart")
	}
	return nil
}

// SetStatistics makes m the running statistics, with the framework's meaning of the
// variance. Together with MergeMoments over batches that were normalized with their
// own statistics this is "precise BatchNorm": population statistics for a network
// whose weights have settled, in place of an average that still remembers old ones.
//
// Source: Wu, Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3.
func (l *BatchNormLayer) SetStatistics(m *Moments) error {
	if err := m.check(l.channels); err != nil {
		return err
	}
	if m.Count == 0 {
		return valueError(l.op, "the moments are those of no values, want some")
	}
	if len(l.RunningMean) != l.channels || len(l.RunningVar) != l.channels {
		return shapeError(l.op, "the running statistics have ", len(l.RunningMean), " and ", len(l.RunningVar), " elements, want ", l.channels)
	}
	for c := range l.channels {
		l.RunningMean[c], l.RunningVar[c] = float32(m.Mean[c]), float32(l.runningVariance(m, c))
	}
	return nil
}

// Recompute sets the running statistics from a stream of batches: those of all their
// values together. stream calls yield for each batch until it has no more. After an
// error the running statistics are as they were.
func (l *BatchNormLayer) Recompute(stream func(yield func(x []float32, shape []int) bool)) error {
	all, part := NewMoments(l.channels), NewMoments(l.channels)
	var err error
	stream(func(x []float32, shape []int) bool {
		if err = l.Moments(part, x, shape); err == nil {
			err = all.Merge(part)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return l.SetStatistics(all)
}
