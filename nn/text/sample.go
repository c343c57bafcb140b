package text

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// Sampling says how the next token is chosen of the logits.
type Sampling struct {
	// Temperature divides the logits before the softmax. At 0 the token with the largest
	// logit is taken, the first of several, and the rest has no meaning.
	Temperature float64
	// TopK keeps so many tokens with the largest logits; 0 keeps all.
	TopK int
	// TopP keeps, of these, the most probable ones that together have at least this
	// probability; 1 (and 0, the zero value) keeps all.
	TopP float64
	// Seed starts the random numbers: PCG-XSH-RR with 64 bits of state, whose
	// increment is 0xda3e39cb94b95bdb.
	Seed uint64
}

func (s *Sampling) check() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return ir.Shape("text: temperature is ", s.Temperature, ", want a finite number of at least 0")
	case s.TopK < 0:
		return ir.Shape("text: topK is ", s.TopK, ", want at least 1, or 0 for all")
	case !(s.TopP >= 0 && s.TopP <= 1):
		return ir.Shape("text: topP is ", s.TopP, ", want a number above 0 and up to 1")
	}
	return nil
}

// sampler chooses tokens. Its arithmetic is float64 throughout, in an order that does not
// depend on the kernels: the same logits and seed give the same token everywhere.
type sampler struct {
	Sampling
	random pcg
	weight []float64
	list   []int32
}

func (s *sampler) start(o Sampling) {
	s.Sampling = o
	if s.TopP == 0 {
		s.TopP = 1
	}
	s.random.seed(o.Seed)
}

// next chooses a token.
func (s *sampler) next(logits []float32) (int32, error) {
	best, top := 0, float32(math.Inf(-1))
	for i, v := range logits {
		if v <= top { // most are, and no NaN is
			continue
		}
		if v != v {
			return 0, ir.Load("text: the logit of token ", i, " is NaN: the weights are damaged, or too large for float32")
		}
		best, top = i, v
	}
	if s.Temperature == 0 || math.IsInf(float64(logits[best]), 0) {
		return int32(best), nil
	}
	if cap(s.weight) < len(logits) {
		s.weight, s.list = make([]float64, len(logits)), make([]int32, len(logits))
	}
	weight, list := s.weight[:len(logits)], s.list[:0]
	most, sum := float64(logits[best]), 0.0
	for i, v := range logits {
		weight[i] = math.Exp((float64(v) - most) / s.Temperature)
		sum += weight[i]
	}
	all := s.TopK == 0 || s.TopK >= len(logits)
	if all && s.TopP == 1 {
		return pick(weight, nil, sum*s.random.float64()), nil
	}
	// Only tokens that can be among the kept ones are sorted: what is less probable than an even
	// share of what topP leaves over never is, if there are others.
	least := 0.0
	if all {
		least = (1 - s.TopP) / float64(len(logits)) * sum
	}
	for i, w := range weight {
		if w >= least {
			list = append(list, int32(i))
		}
	}
	h := heap{list, weight}
	for i := len(list)/2 - 1; i >= 0; i-- {
		h.sink(i, len(list))
	}
	// The largest go to the end, one by one, until there are enough.
	if !all {
		sum = 0
		n := s.TopK
		for k := range n {
			h.pop(len(list) - k)
			sum += weight[list[len(list)-1-k]]
		}
		if s.TopP == 1 {
			return pick(weight, list[len(list)-n:], sum*s.random.float64()), nil
		}
	}
	kept, n := 0.0, 0
	for n < len(list) && kept < s.TopP*sum {
		if all {
			h.pop(len(list) - n)
		} else if n == s.TopK {
			break
		}
		n++
		kept += weight[list[len(list)-n]]
	}
	n = max(n, 1)
	return pick(weight, list[len(list)-n:], kept*s.random.float64()), nil
}

// pick goes along the weights of the listed tokens (of all, for nil), from the last of the list, until
// they add up to more than at.
func pick(weight []float64, list []int32, at float64) int32 {
	n := len(list)
	if list == nil {
		n = len(weight)
	}
	last, sum := int32(0), 0.0
	for k := range n {
		i := int32(k)
		if list != nil {
			i = list[n-1-k]
		}
		if weight[i] == 0 {
			continue
		}
		last = i
		if sum += weight[i]; at < sum {
			break
		}
	}
	return last
}

// heap orders tokens: the one of the largest weight is first, of equal ones the first token.
type heap struct {
	list   []int32
	weight []float64
}

func (h *heap) before(a, b int32) bool {
	return h.weight[a] > h.weight[b] || h.weight[a] == h.weight[b] && a < b
}

func (h *heap) sink(i, n int) {
	for {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && h.before(h.list[child+1], h.list[child]) {
			child++
		}
		if !h.before(h.list[child], h.list[i]) {
			return
		}
		h.list[i], h.list[child] = h.list[child], h.list[i]
		i = child
	}
}

// pop moves the first of n to their end.
func (h *heap) pop(n int) {
	h.list[0], h.list[n-1] = h.list[n-1], h.list[0]
	h.sink(0, n-1)
}

// pcg is O'Neill's PCG-XSH-RR 64/32.
type pcg struct{ state uint64 }

const (
	pcgFactor = 6364136223846793005
	pcgStream = 0xda3e39cb94b95bdb
)

func (p *pcg) seed(seed uint64) {
	p.state = 0
	p.next()
	p.state += seed
	p.next()
}

func (p *pcg) next() uint32 {
	old := p.state
	p.state = old*pcgFactor + pcgStream
	mixed, turn := uint32((old>>18^old)>>27), uint32(old>>59)
	return mixed>>turn | mixed<<(-turn&31)
}

// float64 is a number of 53 bits in [0, 1): of two draws, the first has the upper bits.
func (p *pcg) float64() float64 {
	high := uint64(p.next())
	return float64((high<<32|uint64(p.next()))>>11) / (1 << 53)
}
