package nn

import "github.com/normwasm/normwasm/internal/compute"

// Pool is a pooling window over planes.
type Pool struct {
	Window
	// Ceil rounds the number of places up, so that a last window may stick out; one that
	// would start beyond the plane and its leading pad is left out.
	Ceil bool
	// CountPad makes the average divide by the whole window where it overlaps the pads
	// (never by what sticks out beyond them).
	CountPad bool
}

func (p Pool) inner() compute.Pool {
	return compute.Pool{Window: compute.Window(p.Window), Ceil: p.Ceil, CountPad: p.CountPad}
}

// OutSize returns how many places the window has on a plane of h×w elements; 0 where Check
// fails.
func (p Pool) OutSize(h, w int) (oh, ow int) {
	if p.Check() != nil || plane("Pool", h, w) != nil {
		return 0, 0
	}
	oh, ow = p.inner().OutSize(h, w)
	return max(oh, 0), max(ow, 0)
}

// ScratchLen returns how many float32 of scratch Max and Average want.
func (p Pool) ScratchLen(h, w int) int {
	if p.Check() != nil || plane("Pool", h, w) != nil {
		return 0
	}
	return p.inner().ScratchLen(h, w)
}

func (p Pool) check(op string, y, x []float32, planes, h, w int, scratch []float32) error {
	if err := p.Window.check(op); err != nil {
		return err
	}
	oh, ow := p.OutSize(h, w)
	s := ConvShape{InChannels: 1, OutChannels: 1}
	if err := s.data(op, y, x, planes, h, w, oh, ow); err != nil {
		return err
	}
	return room(op, scratch, p.ScratchLen(h, w))
}

// Max computes the maximum under each place of the window: y [planes, oh, ow] from x
// [planes, h, w]. Pads never win; NaN does. y may not overlap x. What does not fit is a
// *ShapeError or a *ValueError.
func (p Pool) Max(y, x []float32, planes, h, w int, scratch []float32) error {
	if err := p.check("Pool", y, x, planes, h, w, scratch); err != nil {
		return err
	}
	p.inner().Max(y, x, planes, h, w, scratch)
	return nil
}

// Average computes the mean under each place of the window, leaving out the pads unless
// CountPad: y [planes, oh, ow] from x [planes, h, w]. y may not overlap x. What does not fit
// is a *ShapeError or a *ValueError.
func (p Pool) Average(y, x []float32, planes, h, w int, scratch []float32) error {
	if err := p.check("Pool", y, x, planes, h, w, scratch); err != nil {
		return err
	}
	p.inner().Average(y, x, planes, h, w, scratch)
	return nil
}

// GlobalAverage computes the mean of each plane: y [planes] from x [planes, inner].
func GlobalAverage(y, x []float32, planes, inner int) error {
	return ReduceMean.run("GlobalAverage", y, x, planes, inner, 1)
}

// GlobalMax computes the maximum of each plane: y [planes] from x [planes, inner].
func GlobalMax(y, x []float32, planes, inner int) error {
	return ReduceMax.run("GlobalMax", y, x, planes, inner, 1)
}
