//go:build !lean

package op

import (
	"strings"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(einsumRows) }

var einsumRows = []Row{{
	Name: "Einsum", Since: 12,
	In:     []In{{Name: "Inputs", Types: floatTypes | 1<<ir.Int32 | 1<<ir.Int64, Var: 'T', Many: true}},
	Out:    []Out{{Name: "Output", Var: 'T'}},
	Attrs:  []Attr{{Name: "equation", Kind: ir.AttrString}},
	Rank:   einsumRank,
	Verify: verifyEinsum,
	Plan:   planEinsum,
}}

// A label is a letter, or one of the dimensions that an ellipsis stands for, counted from
// the last.
const (
	einLetters = 52
	einLabels  = einLetters + 32
)

// einTerms takes an equation apart; why says what is wrong with it.
func einTerms(equation string) (terms []string, out string, explicit bool, why string) {
	equation = strings.ReplaceAll(equation, " ", "")
	left, out, explicit := strings.Cut(equation, "->")
	terms = strings.Split(left, ",")
	for i := -1; i < len(terms); i++ {
		term := out
		if i >= 0 {
			term = terms[i]
		}
		before, after, ellipsis := strings.Cut(term, "...")
		for _, part := range [...]string{before, after} {
			for k := range len(part) {
				if labelOf(part[k]) < 0 {
					return nil, "", false, text.Join("has ", text.Quote(term), ", which is no term of letters and one ellipsis")
				}
			}
		}
		if i < 0 && ellipsis && !strings.Contains(left, "...") {
			return nil, "", false, "has an ellipsis in its result only"
		}
		if i >= 0 && explicit && ellipsis && !strings.Contains(out, "...") {
			return nil, "", false, "has an ellipsis that its result lacks"
		}
	}
	for i := range len(out) {
		if out[i] != '.' && (strings.IndexByte(out[i+1:], out[i]) >= 0 || strings.IndexByte(left, out[i]) < 0) {
			return nil, "", false, text.Join("has ", text.Quote(out[i:i+1]), " in its result, twice or in no operand")
		}
	}
	return terms, out, explicit, ""
}

func labelOf(letter byte) int {
	switch {
	case letter >= 'A' && letter <= 'Z':
		return int(letter - 'A')
	case letter >= 'a' && letter <= 'z':
		return int(letter-'a') + 26
	}
	return -1
}

func verifyEinsum(n *ir.Node) error {
	equation := n.Str("equation", "")
	terms, _, _, why := einTerms(equation)
	if why == "" && len(terms) != len(n.Inputs) {
		why = text.Join("has ", len(terms), " terms for ", len(n.Inputs), " inputs")
	}
	if why != "" {
		return ir.Load("graph: Einsum ", text.Quote(n.Name), ": the equation ", text.Quote(equation), " ", why)
	}
	return nil
}

func einsumRank(n *ir.Node, rank func(i int) int) int {
	_, out, explicit, why := einTerms(n.Str("equation", ""))
	if !explicit || why != "" || strings.Contains(out, "...") {
		return -1
	}
	return len(out)
}

// einLabelsOf are the labels of a term whose ellipsis stands for so many dimensions.
func einLabelsOf(c *Call, term string, ellipsis int) []int {
	list := c.Dims(len(term) + max(ellipsis, 0))[:0]
	for i := 0; i < len(term); i++ {
		if term[i] != '.' {
			list = append(list, labelOf(term[i]))
			continue
		}
		for k := ellipsis - 1; k >= 0; k-- {
			list = append(list, einLetters+k)
		}
		i += 2
	}
	return list
}

// einView is how an operand's or an intermediate result's elements lie: the distance from
// one index of a label to the next. Labels along which there is one index are left out.
type einView struct {
	labels, steps []int
	at            einPlace
}

// einPlace says where elements are.
type einPlace struct {
	input   int // or one of the following
	from, n int // of scratch memory, in elements
}

const (
	einScratch = -1
	einOutput  = -2
)

// einPlan is what there is to know while the products are planned.
type einPlan struct {
	c       *Call
	s       *einsum
	size    [einLabels]int // of each label, 0 for one that there is not
	place   [einLabels]int // in the result, 0 for none, from 1 on
	lastUse [einLabels]int // the last operand that has the label
	scratch int            // elements
}

// planEinsum multiplies the operands one after another, from the left. Before each product
// labels that nothing needs any more are summed, and the elements are copied into the order
// that a product of matrices takes where they do not lie so already.
func planEinsum(c *Call) error {
	equation := c.Str("equation")
	terms, result, explicit, why := einTerms(equation)
	if why != "" || len(terms) != c.NumIn() {
		return c.Fail("the equation ", text.Quote(equation), " does not fit ", c.NumIn(), " inputs")
	}
	p := einPlan{c: c}
	var times [einLabels]int
	views := make([]einView, len(terms))
	ellipsis, empty := 0, false
	for i, term := range terms {
		dims, letters := c.In(i).Dims, len(term)
		if strings.Contains(term, "...") {
			letters -= 3
			ellipsis = max(ellipsis, len(dims)-letters)
		}
		if letters > len(dims) || len(dims)-letters > einLabels-einLetters || letters == len(term) && letters < len(dims) {
			return c.Fail("term ", text.Quote(term), " of the equation does not fit input ", i, ", which has dimensions ", dims)
		}
		labels := einLabelsOf(c, term, len(dims)-letters)
		v := einView{at: einPlace{input: i}}
		for j, step := range rowMajor(c, dims) {
			l, n := labels[j], dims[j]
			times[l]++
			empty = empty || n == 0
			for k, other := range labels[:j] {
				if other == l && dims[k] != n {
					return c.Fail("input ", i, " has dimensions ", dims, ": term ", text.Quote(term), " wants two of them alike")
				}
			}
			switch have := p.size[l]; {
			case have <= 1:
				p.size[l] = max(n, have)
			case n != 1 && n != have:
				return c.Fail("input ", i, " has dimensions ", dims, ", and an earlier one ", have, " in place of ", n, " (", text.Quote(equation), ")")
			}
			if n == 1 {
				continue
			}
			p.lastUse[l] = i
			if k := indexOf(v.labels, l); k >= 0 {
				v.steps[k] += step // a diagonal
			} else {
				v.labels, v.steps = append(v.labels, l), append(v.steps, step)
			}
		}
		views[i] = v
	}
	order := einLabelsOf(c, result, ellipsis)
	if !explicit {
		order = order[:0]
		for k := ellipsis - 1; k >= 0; k-- {
			order = append(order, einLetters+k)
		}
		for l := range einLetters {
			if times[l] == 1 {
				order = append(order, l)
			}
		}
	}
	out := c.Dims(len(order))
	for i, l := range order {
		p.place[l] = i + 1
		out[i] = p.size[l]
		if empty { // whose sizes p.size does not have
			for k := range terms {
				if n, ok := einSize(c, terms[k], c.In(k).Dims, l); ok && n != 1 {
					out[i] = n
				}
			}
		}
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	if empty {
		s := Into[fill](c)
		s.value, s.size = [8]byte{}, t.Size()
		return nil
	}
	switch t {
	case ir.Float32:
		p.s = &Into[einsumFloats](c).einsum
	case ir.Float64:
		s := Into[einsumWide[float64]](c)
		s.load, s.store = nil, nil
		p.s = &s.einsum
	default:
		s := Into[einsumWide[int64]](c)
		s.load, s.store = loader[int64](t), storer[int64](t)
		p.s = &s.einsum
	}
	p.s.ops, p.s.numbers, p.s.inputs = p.s.ops[:0], p.s.numbers[:0], len(terms)
	width := 8
	if t == ir.Float32 {
		width = 4
	} else if t == ir.Int32 {
		p.s.widened = p.s.widened[:0]
		for i := range terms {
			p.s.widened = append(p.s.widened, p.room(c.In(i).Len()))
		}
		p.s.result = p.room(ir.Elements(out))
	}
	product := views[0]
	for i := 1; i < len(views); i++ {
		if product = p.multiply(product, views[i], i, i == len(views)-1, order); c.Err != nil {
			return c.Err
		}
	}
	if product.at.input != einOutput {
		p.take(product, p.present(order), einPlace{input: einOutput})
	}
	gemm := 0
	for i := range p.s.ops {
		if o := &p.s.ops[i]; o.product && !o.small && t == ir.Float32 {
			gemm = max(gemm, o.gemm.ScratchLen())
		}
	}
	p.s.gemmAt = p.room(gemm).from
	c.Scratch(width * p.scratch)
	return nil
}

// einSize is the size of a label in a term, if it has it.
func einSize(c *Call, term string, dims []int, label int) (n int, ok bool) {
	letters := len(term)
	if strings.Contains(term, "...") {
		letters -= 3
	}
	i := indexOf(einLabelsOf(c, term, len(dims)-letters), label)
	if i < 0 {
		return 0, false
	}
	return dims[i], true
}

func indexOf(list []int, v int) int {
	for i, have := range list {
		if have == v {
			return i
		}
	}
	return -1
}

// room takes n elements of scratch memory, aligned.
func (p *einPlan) room(n int) einPlace {
	at := einPlace{einScratch, p.scratch, n}
	p.scratch = min(p.scratch+(n+15)&^15, 1<<40)
	return at
}

// present are those of labels that have more than one index.
func (p *einPlan) present(labels []int) (list []int) {
	for _, l := range labels {
		if p.size[l] > 1 {
			list = append(list, l)
		}
	}
	return list
}

// count is how many indices the labels have together.
func (p *einPlan) count(labels []int) int {
	n := 1
	for _, l := range labels {
		n *= min(p.size[l], dimLimit)
		n = min(n, 1<<31)
	}
	return n
}

// dense says whether the view's elements lie one after another in the order of these
// labels, which are all that it has.
func (p *einPlan) dense(v *einView, lists ...[]int) bool {
	step, left := 1, len(v.labels)
	for i := len(lists) - 1; i >= 0; i-- {
		for j := len(lists[i]) - 1; j >= 0; j-- {
			l := lists[i][j]
			k := indexOf(v.labels, l)
			if k < 0 || v.steps[k] != step {
				return false
			}
			step *= p.size[l]
			left--
		}
	}
	return left == 0
}

// take adds the step that copies a view into the order of the labels, summing over the
// others that it has.
func (p *einPlan) take(v einView, labels []int, to einPlace) {
	s := p.s
	from := len(s.numbers)
	add := func(n, step int, merge bool) {
		if at := len(s.numbers); merge && s.numbers[at-1] == n*step {
			s.numbers[at-2], s.numbers[at-1] = s.numbers[at-2]*n, step
			return
		}
		s.numbers = append(s.numbers, n, step)
	}
	for i, l := range labels {
		add(p.size[l], v.steps[indexOf(v.labels, l)], i > 0)
	}
	kept, first := (len(s.numbers)-from)/2, true
	for k, l := range v.labels {
		if indexOf(labels, l) < 0 {
			add(p.size[l], v.steps[k], !first)
			first = false
		}
	}
	s.ops = append(s.ops, einOp{a: v.at, y: to, axes: [2]int{from, len(s.numbers)}, kept: kept})
}

// multiply adds the product of what there is so far and input i, and returns what it is.
func (p *einPlan) multiply(a, b einView, i int, last bool, order []int) einView {
	needed := func(l int) bool { return p.place[l] > 0 || p.lastUse[l] > i }
	var batch, left, right, sum []int
	for _, l := range b.labels { // in whose order a constant matrix needs no copy
		if indexOf(a.labels, l) >= 0 && !needed(l) {
			sum = append(sum, l)
		}
	}
	for _, l := range a.labels {
		switch both := indexOf(b.labels, l) >= 0; {
		case both && needed(l):
			batch = append(batch, l)
		case needed(l):
			left = append(left, l)
		}
	}
	for _, l := range b.labels {
		if indexOf(a.labels, l) < 0 && needed(l) {
			right = append(right, l)
		}
	}
	p.sort(batch)
	p.sort(left)
	p.sort(right)
	constant := i == 1 && p.c.In(1).Host != nil && p.c.In(1).Type == ir.Float32
	if last && len(left) > 0 && len(right) > 0 && p.before(right[0], left[0]) && !constant {
		a, b, left, right, i = b, a, right, left, i-1
	}
	o := einOp{product: true, batch: p.count(batch)}
	g := &o.gemm
	g.M, g.N, g.K = p.count(left), p.count(right), p.count(sum)
	switch {
	case p.dense(&a, batch, left, sum):
		o.a = a.at
	case p.dense(&a, batch, sum, left):
		o.a, g.TransA = a.at, true
	default:
		o.a = p.room(o.batch * g.M * g.K)
		p.take(a, joined(p.c, batch, left, sum), o.a)
	}
	switch {
	case p.dense(&b, batch, sum, right):
		o.b = b.at
	case p.dense(&b, batch, right, sum):
		o.b, g.TransB = b.at, true
	default:
		o.b = p.room(o.batch * g.K * g.N)
		p.take(b, joined(p.c, batch, sum, right), o.b)
	}
	const few = 64
	o.small = g.M*g.N*g.K < few
	if constant && o.b.input == 1 && o.batch == 1 && !o.small {
		k, n, trans := g.K, g.N, g.TransB
		o.packed = Prepared(p.c, Key{1, k, n}, 1, 2, func(bool) *compute.PackedB {
			// Not over the weights: for other shapes they may be read as they are.
			whole, w := compute.Gemm{K: k, N: n, TransB: trans}, p.c.In(1).Host
			return whole.Pack(compute.Float32, w.Data, false)
		})
	}
	if g.M*g.N > dimLimit || o.batch*g.M*g.N > dimLimit {
		p.c.Err = p.c.fail("the product up to input % would have more than % elements", nil, i, dimLimit)
	}
	y := einView{labels: joined(p.c, batch, left, right)}
	y.steps = make([]int, len(y.labels))
	for k, step := len(y.labels)-1, 1; k >= 0; k-- {
		y.steps[k] = step
		step *= p.size[y.labels[k]]
	}
	if last && p.dense(&y, p.present(order)) {
		y.at = einPlace{input: einOutput}
	} else {
		y.at = p.room(o.batch * g.M * g.N)
	}
	o.y = y.at
	p.s.ops = append(p.s.ops, o)
	return y
}

// before says whether label a comes before b in the result. What is not in it comes last.
func (p *einPlan) before(a, b int) bool {
	return p.place[a] > 0 && (p.place[b] == 0 || p.place[a] < p.place[b])
}

// sort brings labels into the result's order.
func (p *einPlan) sort(list []int) {
	for i := range list {
		for j := i; j > 0 && p.before(list[j], list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// einOp is a copy with sums, y[k…] = Σ a[k…, s…], or a product of matrices.
type einOp struct {
	a, b, y einPlace
	axes    [2]int // of a copy: pairs of size and step, from … to in the step's numbers
	kept    int    // how many of these y has; the others are summed
	product bool
	small   bool // so that it is not worth calling a kernel for
	batch   int  // of products
	gemm    compute.Gemm
	packed  *compute.PackedB
}

type einsum struct {
	ops     []einOp
	numbers []int
	inputs  int
	widened []einPlace // of each input, where it has another type than is computed in
	result  einPlace   // and of the result
	gemmAt  int
}

// einsumFloats computes in float32.
type einsumFloats struct{ einsum einsum }

func (s *einsumFloats) Run(a *Args) {
	all := slab.View[float32](a.Scratch)
	at := func(p einPlace) []float32 {
		switch p.input {
		case einScratch:
			return all[p.from : p.from+p.n]
		case einOutput:
			return a.Out[0].Float32s()
		}
		return a.In[p.input].Float32s()
	}
	for i := range s.einsum.ops {
		o := &s.einsum.ops[i]
		y, g := at(o.y), &o.gemm
		switch {
		case !o.product:
			einTake[float32, float64](y, at(o.a), s.einsum.numbers[o.axes[0]:o.axes[1]], o.kept)
		case o.packed != nil: // whose matrix is not where it was
			g.RunPacked(y, at(o.a), o.packed, all[s.einsum.gemmAt:])
		case o.small:
			einProduct(o, y, at(o.a), at(o.b))
		default:
			x, w := at(o.a), at(o.b)
			for k := range o.batch {
				g.Run(y[k*g.M*g.N:][:g.M*g.N], x[k*g.M*g.K:][:g.M*g.K], w[k*g.K*g.N:][:g.K*g.N], all[s.einsum.gemmAt:])
			}
		}
	}
}

// einsumWide computes the other types.
type einsumWide[T wideElem] struct {
	einsum einsum
	load   func(dst []T, src []byte)
	store  func(dst []byte, src []T)
}

func (s *einsumWide[T]) Run(a *Args) {
	all := slab.View[T](a.Scratch)
	at := func(p einPlace) []T {
		switch {
		case p.input == einOutput && s.store != nil:
			p = s.einsum.result
		case p.input == einOutput:
			return slab.View[T](a.Out[0].Data)
		case p.input >= 0 && s.load != nil:
			p = s.einsum.widened[p.input]
		case p.input >= 0:
			return slab.View[T](a.In[p.input].Data)
		}
		return all[p.from : p.from+p.n]
	}
	for i := 0; i < s.einsum.inputs && s.load != nil; i++ {
		s.load(at(einPlace{input: i}), a.In[i].Data)
	}
	for i := range s.einsum.ops {
		if o := &s.einsum.ops[i]; o.product {
			einProduct(o, at(o.y), at(o.a), at(o.b))
		} else {
			einTake[T, T](at(o.y), at(o.a), s.einsum.numbers[o.axes[0]:o.axes[1]], o.kept)
		}
	}
	if s.store != nil {
		s.store(a.Out[0].Data, at(einPlace{input: einOutput}))
	}
}

// einTake copies and sums along axes, pairs of size and step, of which the first kept are
// y's. Sums are of type A. It returns how many elements it wrote.
func einTake[T float32 | wideElem, A wideElem](y, x []T, axes []int, kept int) int {
	if kept == 0 {
		if len(axes) == 0 {
			y[0] = x[0]
		} else {
			y[0] = T(einSum[T, A](x, axes))
		}
		return 1
	}
	n, step := axes[0], axes[1]
	if len(axes) == 2 {
		if step == 1 {
			return copy(y[:n], x)
		}
		at := 0
		for i := range y[:n] {
			y[i] = x[at]
			at += step
		}
		return n
	}
	done := 0
	for i := range n {
		done += einTake[T, A](y[done:], x[i*step:], axes[2:], kept-1)
	}
	return done
}

func einSum[T float32 | wideElem, A wideElem](x []T, axes []int) A {
	var sum A
	n, step := axes[0], axes[1]
	for i := range n {
		if len(axes) == 2 {
			sum += A(x[i*step])
		} else {
			sum += einSum[T, A](x[i*step:], axes[2:])
		}
	}
	return sum
}

// einProduct multiplies matrices term by term.
func einProduct[T float32 | wideElem](o *einOp, y, a, b []T) {
	g := &o.gemm
	m, n, k := g.M, g.N, g.K
	if m*n*k == 1 {
		for i, v := range a[:o.batch] {
			y[i] = v * b[i]
		}
		return
	}
	aRow, aCol, bRow, bCol := k, 1, n, 1
	if g.TransA {
		aRow, aCol = 1, m
	}
	if g.TransB {
		bRow, bCol = 1, k
	}
	for range o.batch {
		for i := range m {
			for j := range n {
				var sum T
				for t := range k {
					sum += T(a[i*aRow+t*aCol] * b[t*bRow+j*bCol])
				}
				y[i*n+j] = sum
			}
		}
		a, b, y = a[m*k:], b[k*n:], y[m*n:]
	}
}
