package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
)

// Optimizer says how parameters follow their gradients.
//
// "sgd": v ← Momentum·v + g + WeightDecay·w, w ← w − rate·v.
//
// "adamw": m ← Beta1·m + (1−Beta1)·g, v ← Beta2·v + (1−Beta2)·g²,
// w ← w − rate·(m̂/(√v̂ + 1e-8) + WeightDecay·w), with m̂ = m/(1−Beta1ᵗ), v̂ = v/(1−Beta2ᵗ).
//
// Biases, and the scales and shifts of normalizations, do not decay.
//
// Source: Sutskever et al., "On the importance of initialization and momentum in deep
// learning", 2013, as PyTorch writes it; Loshchilov, Hutter, "Decoupled Weight Decay
// Regularization", arXiv:1711.05101, algorithm 2.
type Optimizer struct {
	Type         string // "sgd" or "adamw"
	LearningRate float64
	Momentum     float64
	WeightDecay  float64
	Beta1, Beta2 float64 // 0 stand for 0.9 and 0.999
}

// Schedule changes the learning rate over the steps: Warmup steps of linear growth, then
// the rate itself, or with Decay "cosine" half a cosine down to 0 at Steps.
type Schedule struct {
	Warmup int
	Decay  string // "" and "none", or "cosine"
	Steps  int
}

func (o *Optimizer) check() error {
	if o.Type != "sgd" && o.Type != "adamw" {
		return valueError("optimizer is \"", o.Type, "\", want \"sgd\" or \"adamw\"")
	}
	for _, v := range []struct {
		name  string
		value float64
		below float64
	}{{"learningRate", o.LearningRate, math.Inf(1)}, {"momentum", o.Momentum, 1}, {"weightDecay", o.WeightDecay, math.Inf(1)}, {"beta1", o.Beta1, 1}, {"beta2", o.Beta2, 1}} {
		if !(v.value >= 0 && v.value < v.below) {
			return valueError(v.name, " is ", v.value, ", want at least 0 and below ", v.below)
		}
	}
	if o.Beta1 == 0 {
		o.Beta1 = 0.9
	}
	if o.Beta2 == 0 {
		o.Beta2 = 0.999
	}
	return nil
}

func (s *Schedule) check() error {
	switch {
	case s.Warmup < 0 || s.Steps < 0:
		return valueError("schedule: warmup and steps are ", s.Warmup, " and ", s.Steps, ", want at least 0")
	case s.Decay != "" && s.Decay != "none" && s.Decay != "cosine":
		return valueError("schedule: decay is \"", s.Decay, "\", want \"none\" or \"cosine\"")
	case s.Decay == "cosine" && s.Steps <= s.Warmup:
		return valueError("schedule: a cosine ends at steps, which is ", s.Steps, " and must be more than warmup, ", s.Warmup)
	}
	return nil
}

// factor of the learning rate at a step, the first of which is 0.
func (s *Schedule) factor(step int) float64 {
	if step < s.Warmup {
		return float64(step+1) / float64(s.Warmup)
	}
	if s.Decay != "cosine" {
		return 1
	}
	x := float64(min(step, s.Steps)-s.Warmup) / float64(s.Steps-s.Warmup)
	return 0.5 + 0.5*cosine(x)
}

// cosine is cos(πx) for x in [0, 1] with additions and products that are the same on
// every platform: the series at the nearer of 0, ½ and 1, to 1e-12.
func cosine(x float64) float64 {
	if x > 0.5 {
		return -cosine(1 - x)
	}
	odd := x > 0.25 // cos(πx) = sin(π(½ − x))
	if odd {
		x = 0.5 - x
	}
	z := float64(x * math.Pi)
	term, k := 1.0, 0.0
	if odd {
		term, k = z, 1
	}
	z = float64(z * z)
	sum := term
	for range 9 {
		term = -float64(term*z) / float64((k+1)*(k+2))
		k += 2
		sum += term
	}
	return sum
}

// state gives the parameters what the optimizer keeps of each.
func (o *Optimizer) state(params []*Param) {
	for _, p := range params {
		if o.Type == "adamw" || o.Momentum > 0 {
			p.m = make([]float32, len(p.Value))
		}
		if o.Type == "adamw" {
			p.v = make([]float32, len(p.Value))
		}
	}
}

// step moves the parameters. steps have been made before, and rate is the schedule's.
func (o *Optimizer) step(params []*Param, rate float64, steps int, by float32) {
	c1, c2 := 1.0, 1.0
	if o.Type == "adamw" {
		c1, c2 = 1-power(o.Beta1, steps+1), 1-power(o.Beta2, steps+1)
	}
	for _, p := range params {
		decay := 0.0
		if p.decay {
			decay = o.WeightDecay
		}
		if o.Type == "sgd" {
			p.sgd(float32(rate), float32(o.Momentum), float32(decay), by)
		} else {
			p.adamw(float32(rate), float32(o.Beta1), float32(o.Beta2), float32(decay), float32(1/c1), float32(1/c2), by)
		}
	}
}

// power is bⁿ by squaring.
func power(b float64, n int) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p = float64(p * b)
		}
		b = float64(b * b)
	}
	return p
}

func (p *Param) sgd(rate, momentum, decay, by float32) {
	if p.m != nil {
		compute.Momentum(p.Value, p.m, p.Grad, rate, momentum, decay, by)
		return
	}
	w, g := p.Value, p.Grad[:len(p.Value)]
	for i, v := range w {
		d := float32(g[i]*by) + float32(decay*v)
		w[i] = v - float32(rate*d)
	}
}

func (p *Param) adamw(rate, beta1, beta2, decay, c1, c2, by float32) {
	compute.AdamW(p.Value, p.m, p.v, p.Grad, rate, beta1, beta2, decay, c1, c2, by)
}
