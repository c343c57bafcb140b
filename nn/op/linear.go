//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Linear models and support vector machines of ai.onnx.ml.

func init() { Register(linearRows) }

var (
	classInts   = Attr{Name: "classlabels_ints", Kind: ir.AttrInts}
	classWords  = Attr{Name: "classlabels_strings", Kind: ir.AttrStrings}
	coefficient = Attr{Name: "coefficients", Kind: ir.AttrFloats}
	kernelType  = Attr{Name: "kernel_type", Kind: ir.AttrString, S: "LINEAR", Words: []string{"LINEAR", "POLY", "RBF", "SIGMOID"}}
	kernelParam = Attr{Name: "kernel_params", Kind: ir.AttrFloats}
	rho         = Attr{Name: "rho", Kind: ir.AttrFloats}
	supports    = Attr{Name: "support_vectors", Kind: ir.AttrFloats}
)

var linearRows = []Row{{
	Name: "LinearClassifier", Domain: mlDomain, Since: 1,
	In: mlX, Out: classesOut,
	Attrs: []Attr{classInts, classWords, coefficient, {Name: "intercepts", Kind: ir.AttrFloats}, {Name: "multi_class", Kind: ir.AttrInt}, transform},
	Rank:  listRank, Verify: verifyLinear, Plan: planLinear,
}, {
	Name: "LinearRegressor", Domain: mlDomain, Since: 1,
	In: mlX, Out: mlFloatY,
	Attrs: []Attr{coefficient, {Name: "intercepts", Kind: ir.AttrFloats}, transform, {Name: "targets", Kind: ir.AttrInt, I: 1}},
	Rank:  matrixRank, Verify: verifyLinear, Plan: planLinear,
}, {
	Name: "SVMClassifier", Domain: mlDomain, Since: 1,
	In: mlX, Out: classesOut,
	Attrs: []Attr{classInts, classWords, coefficient, kernelParam, kernelType, transform, {Name: "prob_a", Kind: ir.AttrFloats}, {Name: "prob_b", Kind: ir.AttrFloats},
		rho, supports, {Name: "vectors_per_class", Kind: ir.AttrInts}},
	Rank: listRank, Verify: verifySVM, Plan: planSVM,
}, {
	Name: "SVMRegressor", Domain: mlDomain, Since: 1,
	In: mlX, Out: mlFloatY,
	Attrs: []Attr{coefficient, kernelParam, kernelType, {Name: "n_supports", Kind: ir.AttrInt}, {Name: "one_class", Kind: ir.AttrInt}, transform, rho, supports},
	Rank:  matrixRank, Verify: verifySVM, Plan: planSVM,
}}

// targetsOf is how many scores a linear model gives for a row.
func targetsOf(n *ir.Node) int {
	if n.Op == "LinearRegressor" {
		return int(min(n.Int("targets", 1), dimLimit))
	}
	return len(floatsOf(n, "intercepts"))
}

func verifyLinear(n *ir.Node) error {
	weights, intercepts, targets := len(floatsOf(n, "coefficients")), len(floatsOf(n, "intercepts")), targetsOf(n)
	switch {
	case targets < 1 || weights == 0 || weights%targets != 0:
		return wrong(n, "there are ", weights, " coefficients for ", targets, " scores")
	case n.Op == "LinearRegressor" && intercepts != 0 && intercepts != targets:
		return wrong(n, "there are ", intercepts, " intercepts for ", targets, " targets")
	}
	if l := labelsOf(n, "classlabels_ints"); n.Op == "LinearClassifier" && targets > 1 && l.count() < targets {
		return wrong(n, "there are ", l.count(), " labels for ", targets, " scores")
	}
	return nil
}

// planLinear: X·Wᵀ + b.
func planLinear(c *Call) error {
	rows, cols, err := features(c)
	if err != nil {
		return err
	}
	s := Into[linear](c)
	s.weights, s.n, s.how, s.second = floatsOf(c.Node, "coefficients"), targetsOf(c.Node), c.Str("post_transform"), noSecond
	if len(s.weights) != s.n*cols {
		return c.fail("there are % coefficients for % scores of rows of % features", nil, len(s.weights), s.n, cols)
	}
	s.gemm = compute.Gemm{M: rows, N: s.n, K: cols, TransB: true}
	if b := floatsOf(c.Node, "intercepts"); b != nil {
		s.gemm.Start, s.gemm.Bias = compute.FromColumn, b
	}
	s.width = s.n
	if s.classifies = c.Node.Op == "LinearClassifier"; s.classifies {
		if s.labels = labelsOf(c.Node, "classlabels_ints"); s.n == 1 && s.labels.count() == 2 {
			s.second, s.width = complement, 2
		}
		c.Out(0, s.labels.dtype(), rows)
		c.Out(1, ir.Float32, rows, s.width)
	} else {
		c.Out(0, ir.Float32, rows, s.n)
	}
	s.in.set(c)
	s.at = 8 * s.in.n
	c.Scratch(s.at + 4*(s.in.n+16) + 4*(rows*s.n+16) + 4*s.gemm.ScratchLen())
	return nil
}

type linear struct {
	in         featuresAs
	gemm       compute.Gemm
	weights    []float32
	n, width   int // scores of a row as computed, and as given out
	how        string
	second     int
	classifies bool
	labels     labels
	at         int // bytes of scratch before what follows the features
}

// floats are features in float32, and the scratch memory behind them, given that it begins
// with room for them in float64.
func (f *featuresAs) floats(a *Args, at int) (x, rest []float32) {
	all := slab.View[float32](a.Scratch[at:])
	x, rest = all[:f.n], all[(f.n+15)&^15:]
	if a.In[0].Type == ir.Float32 {
		return a.In[0].Float32s(), rest
	}
	wide := scratchFloats(a, 0, f.n)
	f.load(wide, a.In[0].Data)
	for i, v := range wide {
		x[i] = float32(v)
	}
	return x, rest
}

func (s *linear) Run(a *Args) {
	x, rest := s.in.floats(a, s.at)
	out := a.Out[0]
	if s.classifies {
		out = a.Out[1]
	}
	rows := s.gemm.M
	if rows == 0 {
		return
	}
	y := rest[:rows*s.n]
	s.gemm.Run(y, x, s.weights, rest[(rows*s.n+15)&^15:])
	var room [2]float32
	for r := range rows {
		scores := y[r*s.n:][:s.n]
		if s.classifies && a.Out[0] != nil {
			if s.n == 1 {
				s.labels.putSign(a.Out[0], r, scores[0] > 0)
			} else {
				s.labels.put(a.Out[0], r, largestOf(scores))
			}
		}
		if out == nil {
			continue
		}
		to := out.Float32s()[r*s.width:][:s.width]
		if s.width > s.n {
			room[0] = scores[0]
			finishScores(room[:], 1, s.how, s.second)
			copy(to, room[:])
			continue
		}
		copy(to, scores)
		finishScores(to, s.n, s.how, s.second)
	}
}

// largestOf is the place of the first of the largest.
func largestOf(list []float32) int {
	best := 0
	for i, v := range list {
		if v > list[best] {
			best = i
		}
	}
	return best
}

// svm is a support vector machine as a node's attributes have it.
type svm struct {
	weights, vectors, rho, probA, probB []float32
	kernel                              string
	gamma, coef, degree                 float32
	count, features                     int   // of support vectors; 0 of a linear machine
	per                                 []int // by class
	classes                             int   // 0 of a regressor
	labels                              labels
	positive                            bool // no coefficient is below 0
}

func verifySVM(n *ir.Node) error {
	_, err := readSVM(n)
	return err
}

func readSVM(n *ir.Node) (*svm, error) {
	m := &svm{weights: floatsOf(n, "coefficients"), vectors: floatsOf(n, "support_vectors"), rho: floatsOf(n, "rho"),
		probA: floatsOf(n, "prob_a"), probB: floatsOf(n, "prob_b"), kernel: n.Str("kernel_type", "LINEAR"), positive: true}
	if p := floatsOf(n, "kernel_params"); len(p) == 3 {
		m.gamma, m.coef, m.degree = p[0], p[1], p[2]
	} else if len(p) != 0 {
		return nil, wrong(n, "there are ", len(p), " kernel_params, want gamma, coef0 and degree")
	}
	for _, w := range m.weights {
		m.positive = m.positive && w >= 0
	}
	pairs := 1
	if n.Op == "SVMRegressor" {
		m.count = int(min(max(n.Int("n_supports", 0), 0), dimLimit))
		m.features = len(m.weights)
		if m.count > 0 && len(m.weights) != m.count {
			return nil, wrong(n, "there are ", len(m.weights), " coefficients for ", m.count, " support vectors")
		}
	} else {
		m.labels = labelsOf(n, "classlabels_ints")
		m.classes = m.labels.count()
		for i, v := range listOf(n, "vectors_per_class") {
			if v < 0 || v > dimLimit {
				return nil, wrong(n, "vectors_per_class[", i, "] is ", v)
			}
			m.per = append(m.per, int(v))
			m.count += int(v)
		}
		const most = 1 << 12
		switch {
		case m.classes < 1 || m.classes > most:
			return nil, wrong(n, "there are ", m.classes, " labels, want 1 to ", most)
		case m.count == 0:
			if m.features = len(m.weights) / m.classes; m.features*m.classes != len(m.weights) {
				return nil, wrong(n, "there are ", len(m.weights), " coefficients for ", m.classes, " classes")
			}
		case len(m.per) != m.classes:
			return nil, wrong(n, "vectors_per_class has ", len(m.per), " numbers for ", m.classes, " classes")
		default:
			pairs = m.classes * (m.classes - 1) / 2
			if len(m.weights) < (m.classes-1)*m.count {
				return nil, wrong(n, "there are ", len(m.weights), " coefficients for ", m.count, " support vectors and ", m.classes, " classes")
			}
		}
		if len(m.probA) != len(m.probB) || len(m.probA) > 0 && len(m.probA) < pairs {
			return nil, wrong(n, "there are ", len(m.probA), " prob_a and ", len(m.probB), " prob_b for ", pairs, " pairs of classes")
		}
	}
	if m.count > 0 {
		if m.features = len(m.vectors) / m.count; m.features*m.count != len(m.vectors) {
			return nil, wrong(n, "support_vectors has ", len(m.vectors), " numbers for ", m.count, " vectors")
		}
	} else {
		m.kernel = "LINEAR"
	}
	if len(m.rho) < pairs || len(m.weights) == 0 {
		return nil, wrong(n, "there are ", len(m.rho), " numbers rho, want ", pairs, ", and ", len(m.weights), " coefficients")
	}
	return m, nil
}

func planSVM(c *Call) error {
	m := Prepared(c, Key{}, 0, 0, func(bool) *svm {
		m, err := readSVM(c.Node)
		if err != nil {
			c.Err = err
		}
		return m
	})
	if c.Err != nil {
		return c.Err
	}
	rows, cols, err := features(c)
	if err != nil {
		return err
	}
	if cols != m.features {
		return c.fail("rows have % features, the machine has %", nil, cols, m.features)
	}
	s := Into[svmStep](c)
	s.m, s.rows, s.how, s.second, s.oneClass = m, rows, c.Str("post_transform"), noSecond, false
	switch {
	case m.classes == 0:
		s.width, s.n = 1, 1
		s.oneClass = c.Int("one_class") != 0
		c.Out(0, ir.Float32, rows, 1)
	case m.count == 0 || len(m.probA) > 0:
		s.width, s.n = m.classes, m.classes
	case m.classes > 2:
		s.n = m.classes * (m.classes - 1) / 2
		s.width = s.n
	default:
		s.width, s.n, s.second = 2, 1, complement
		if s.how == "NONE" {
			s.second = opposite
		}
	}
	if m.classes > 0 {
		c.Out(0, m.labels.dtype(), rows)
		c.Out(1, ir.Float32, rows, s.width)
	}
	s.in.set(c)
	s.at = 8 * s.in.n
	k := m.classes
	c.Scratch(s.at + 4*(s.in.n+16) + 4*(m.count+k*k+4*k+max(s.width, k*k/2)+64) + 4*2*k*k)
	return nil
}

type svmStep struct {
	in       featuresAs
	m        *svm
	rows     int
	n, width int
	how      string
	second   int
	oneClass bool
	at       int
}

// dot applies the kernel to a row and a vector. coef is what is added where the kernel is
// linear.
func (m *svm) dot(x, v []float32, coef float32) float32 {
	sum := float32(0)
	if m.kernel == "RBF" {
		for i, a := range x {
			d := a - v[i]
			sum += float32(d * d)
		}
		return expFloat(-m.gamma * sum)
	}
	for i, a := range x {
		sum += float32(a * v[i])
	}
	switch m.kernel {
	case "POLY":
		return float32(math.Pow(float64(float32(m.gamma*sum)+m.coef), float64(m.degree)))
	case "SIGMOID":
		return float32(math.Tanh(float64(float32(m.gamma*sum) + m.coef)))
	}
	return sum + coef
}

func (s *svmStep) Run(a *Args) {
	x, rest := s.in.floats(a, s.at)
	m := s.m
	take := func(n int) []float32 {
		list := rest[:n]
		rest = rest[n:]
		return list
	}
	kernels, scores := take(m.count), take(max(s.width, m.classes*(m.classes-1)/2, 2))
	votes, p, qp := take(m.classes), take(m.classes), take(m.classes)
	r, q := take(m.classes*m.classes), take(m.classes*m.classes)
	for row := range s.rows {
		x := x[row*m.features:][:m.features]
		if m.classes == 0 {
			a.Out[0].Float32s()[row] = s.regress(x, kernels)
			continue
		}
		best, weight := 0, float32(0)
		if m.count == 0 {
			for k := range m.classes {
				scores[k] = m.dot(x, m.weights[k*m.features:], m.rho[0])
			}
			best = largestOf(scores[:m.classes])
			weight = scores[best]
		} else {
			for k := range kernels {
				kernels[k] = m.dot(x, m.vectors[k*m.features:], 0)
			}
			m.pairs(kernels, scores, votes)
			best = largestOf(votes)
			if len(m.probA) > 0 {
				m.probabilities(scores, r, q, qp, p)
				copy(scores, p)
			}
		}
		if y := a.Out[0]; y != nil {
			switch {
			case m.classes != 2:
				m.labels.put(y, row, best)
			case len(m.probA) == 0 && (m.positive && weight >= 0.5 || !m.positive && weight > 0):
				m.labels.put(y, row, 1)
			default:
				m.labels.put(y, row, best)
			}
		}
		if len(a.Out) > 1 && a.Out[1] != nil {
			finishScores(scores, s.n, s.how, s.second)
			copy(a.Out[1].Float32s()[row*s.width:][:s.width], scores)
		}
	}
}

func (s *svmStep) regress(x, kernels []float32) float32 {
	m := s.m
	y := float32(0)
	if m.count == 0 {
		y = m.dot(x, m.weights, m.rho[0])
	} else {
		for k := range kernels {
			y += float32(m.dot(x, m.vectors[k*m.features:], 0) * m.weights[k])
		}
		y += m.rho[0]
	}
	if !s.oneClass {
		return y
	}
	if y > 0 {
		return 1
	}
	return -1
}

// pairs decides between each two classes, and counts for each how often it won.
func (m *svm) pairs(kernels, scores, votes []float32) {
	clear(votes)
	at, from := 0, 0
	for i := range m.classes {
		to := from + m.per[i]
		for j := i + 1; j < m.classes; j++ {
			sum := 0.0
			for k := range m.per[i] {
				sum += float64(float32(m.weights[(j-1)*m.count+from+k] * kernels[from+k]))
			}
			for k := range m.per[j] {
				sum += float64(float32(m.weights[i*m.count+to+k] * kernels[to+k]))
			}
			to += m.per[j]
			sum += float64(m.rho[at])
			scores[at] = float32(sum)
			at++
			if sum > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
		}
		from += m.per[i]
	}
}

// probabilities are those of the classes, by those of each two of them: the method of Wu, Lin
// and Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004),
// as libsvm has it.
func (m *svm) probabilities(scores, r, q, qp, p []float32) {
	n, at := m.classes, 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			v := min(max(1-logistic(float32(scores[at]*m.probA[at])+m.probB[at]), 1e-7), 1-1e-7)
			r[i*n+j], r[j*n+i] = v, 1-v
			at++
		}
	}
	for i := range n {
		p[i] = 1 / float32(n)
		q[i*n+i] = 0
		for j := range n {
			if j != i {
				q[i*n+i] += float32(r[j*n+i] * r[j*n+i])
				q[i*n+j] = float32(-r[j*n+i] * r[i*n+j])
			}
		}
	}
	enough := 0.005 / float32(n)
	for range 100 {
		pqp, most := float32(0), float32(0)
		for i := range n {
			qp[i] = 0
			for j := range n {
				qp[i] += float32(q[i*n+j] * p[j])
			}
			pqp += float32(p[i] * qp[i])
		}
		for i := range n {
			most = max(most, float32(math.Abs(float64(qp[i]-pqp))))
		}
		if most < enough {
			return
		}
		for i := range n {
			d := (pqp - qp[i]) / q[i*n+i]
			p[i] += d
			pqp = (pqp + float32(d*(float32(d*q[i*n+i])+float32(2*qp[i])))) / (1 + d) / (1 + d)
			for j := range n {
				qp[j] = (qp[j] + float32(d*q[i*n+j])) / (1 + d)
				p[j] /= 1 + d
			}
		}
	}
}
