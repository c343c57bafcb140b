package compute

import "math"

// AnyPool pools float64 over any number of dimensions, the last innermost, and can say
// where a maximum is: what is too rare for Pool.
type AnyPool struct {
	Kind     PoolKind
	Axes     Deep
	CountPad bool // as in Pool
	Columns  bool // places of maxima count the first dimension fastest, not the last
	P        float64
}

// PoolKind is what a pool makes of the elements under the window.
type PoolKind uint8

const (
	PoolMax     PoolKind = iota
	PoolAverage          // the mean
	PoolLp               // (Σ|x|^P)^(1/P)
)

// underPool is what was met under one place of the window.
type underPool struct {
	value float64
	at    int // of the maximum: -1 for none
}

// Run computes y [planes, places], unless that is nil, from x [planes, elements], and where which is not nil
// the offsets of the maxima, counted through all planes.
func (p *AnyPool) Run(y []float64, which []int64, x []float64, planes int) {
	places, size := p.Axes.Places(), p.Axes.Elements()
	for i := range planes {
		plane := x[i*size:][:size]
		for j := range places {
			u := underPool{at: -1}
			if p.Kind == PoolMax {
				u.value = math.Inf(-1)
			}
			p.under(&u, plane, 0, places, j, [3]int{0, 0, 1})
			k := i*places + j
			switch p.Kind {
			case PoolAverage:
				u.value /= float64(max(p.count(j), 1)) // a place that covers nothing stays 0
			case PoolLp:
				switch p.P {
				case 1:
				case 2:
					u.value = math.Sqrt(u.value)
				default:
					u.value = math.Pow(u.value, 1/p.P)
				}
			}
			if y != nil {
				y[k] = u.value
			}
			if which != nil {
				which[k] = int64(i*size + u.at)
				if u.at < 0 {
					which[k] = -1
				}
			}
		}
	}
}

// under takes what is under a place, from an axis on. at are the offset among the axes
// before it, row by row and column by column, and what a step along this axis adds to the
// latter.
func (p *AnyPool) under(u *underPool, x []float64, axis, places, place int, at [3]int) {
	a := &p.Axes[axis]
	places /= a.Places
	i := place/places*a.Stride - a.Before
	place %= places
	skip := 0
	if i < 0 {
		skip = (-i + a.Dilation - 1) / a.Dilation
		i += skip * a.Dilation
	}
	for k := skip; k < a.Kernel && i < a.Size; k++ {
		next := [3]int{at[0]*a.Size + i, at[1] + i*at[2], at[2] * a.Size}
		if axis < len(p.Axes)-1 {
			p.under(u, x, axis+1, places, place, next)
		} else {
			p.take(u, x[next[0]], next)
		}
		i += a.Dilation
	}
}

func (p *AnyPool) take(u *underPool, v float64, at [3]int) {
	switch p.Kind {
	case PoolMax:
		if u.at < 0 || v > u.value || v != v && u.value == u.value {
			u.value, u.at = v, at[0]
			if p.Columns {
				u.at = at[1]
			}
		}
	case PoolAverage:
		u.value += v
	default:
		switch v = math.Abs(v); p.P {
		case 1:
			u.value += v
		case 2:
			u.value += float64(v * v)
		default:
			u.value += math.Pow(v, p.P)
		}
	}
}

// count is how many kernel elements count at a place.
//
//go:noinline
func (p *AnyPool) count(place int) int {
	return Pool{Deep: p.Axes, CountPad: p.CountPad}.countDeep(place)
}
