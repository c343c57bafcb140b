package norm

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/text"
)

// LayerNorm is layer normalization over chosen axes of tensors of one shape,
// prepared once: it owns the scratch memory, so that Forward and Backward allocate
// nothing once they have run. It holds no parameters. One LayerNorm serves one
// goroutine at a time.
type LayerNorm struct {
	Activation Activation // in the forward pass; Backward takes the gradient before it

	op          string
	rms         bool
	standard    bool // MeanVarianceNorm,
	deviation   float64
	shape, axes []int // as given, axes resolved
	epsilon     float64
	rows, cols  int

	// For axes that are not the trailing ones; see split.
	strided bool
	lanes   int   // rows whose elements lie side by side: the last kept extent, or 1
	run     int   // elements of one row that lie side by side: the last normalized extent, or 1
	outer   []dim // the other kept extents, outermost first
	within  []dim // the other normalized extents
	columns []int // offsets of a row's runs from its first element
	block   int   // rows that the scratch holds
	scratch []float32

	backward rowGradient

	// For axes that are not given in ascending order.
	order       []int // order[i] is where the i-th parameter in memory order stands in gamma
	gamma, beta []float32
	allocated   bool
}

// dim is one extent of a tensor after neighbours of one kind are merged.
type dim struct{ size, stride int }

// eagerCols is the largest group for which NewLayerNorm allocates tables and scratch
// itself. For larger ones the first Forward does: a shape may be absurdly large, and
// whoever passes operands of that size has had the memory for them.
const eagerCols = 1 << 20

// NewLayerNorm prepares layer normalization of tensors of this shape over axes:
// any set, in any order, negative ones counting from the end. Every combination
// of the other axes' indices is one group ("row") with its own mean and variance.
// No axes at all is legal and normalizes each element with itself: y = beta.
// Dimensions of 0 are legal.
//
// An axis out of range or named twice, or a negative dimension, is a *ShapeError;
// an epsilon that is NaN, infinite or negative a *ValueError.
func NewLayerNorm(shape, axes []int, epsilon float64) (*LayerNorm, error) {
	return newRows(layerOp, shape, axes, epsilon, false)
}

func newRows(op string, shape, axes []int, epsilon float64, rms bool) (*LayerNorm, error) {
	if _, err := elements(op, shape); err != nil {
		return nil, err
	}
	resolved, err := resolveAxes(op, axes, shape)
	if err != nil {
		return nil, err
	}
	if err := checkEpsilon(op, epsilon); err != nil {
		return nil, err
	}
	l := &LayerNorm{op: op, rms: rms, shape: append([]int(nil), shape...), axes: resolved, epsilon: epsilon, rows: 1, cols: 1}
	normalized := make([]bool, len(shape))
	for _, a := range resolved {
		normalized[a] = true
	}
	if l.rows, err = product(op, shape, normalized, false); err != nil {
		return nil, err
	}
	if l.cols, err = product(op, shape, normalized, true); err != nil {
		return nil, err
	}
	if l.rows == 0 || l.cols == 0 {
		return l, nil
	}
	l.split(normalized)
	if l.cols <= eagerCols {
		l.allocate()
	}
	return l, nil
}

// product multiplies the dimensions whose mark is want. With a dimension of 0
// elsewhere the tensor has no elements, but these still have to fit an int.
func product(op string, shape []int, marks []bool, want bool) (int, error) {
	var some []int
	for axis, d := range shape {
		if marks[axis] == want {
			some = append(some, d)
		}
	}
	return elements(op, some)
}

// split merges neighbouring dimensions of one kind (kept or normalized), drops
// those of 1, and decides how rows lie in memory. [.. kept, normalized] needs
// nothing; otherwise rows are gathered into scratch, a block at a time.
func (l *LayerNorm) split(normalized []bool) {
	var kept, inner []dim
	stride, last, trailing := 1, 0, 0 // last: 1 kept, 2 normalized; trailing: the innermost one
	for axis := len(l.shape) - 1; axis >= 0; axis-- {
		d := l.shape[axis]
		if d == 1 {
			continue
		}
		list, kind := &kept, 1
		if normalized[axis] {
			list, kind = &inner, 2
		}
		if kind == last {
			(*list)[0].size *= d
		} else {
			*list = append([]dim{{d, stride}}, *list...)
		}
		if trailing == 0 {
			trailing = kind
		}
		last = kind
		stride *= d
	}
	l.strided = len(inner) > 1 || (len(inner) == 1 && trailing == 1)
	if !l.strided {
		return
	}
	l.lanes, l.run = 1, 1
	if trailing == 1 {
		l.lanes = kept[len(kept)-1].size
		kept = kept[:len(kept)-1]
	} else {
		l.run = inner[len(inner)-1].size
		inner = inner[:len(inner)-1]
	}
	l.outer, l.within = kept, inner
	// Enough rows to use whole cache lines of a transposed read, few enough to
	// stay in the second-level cache.
	l.block = min(l.rows, max(1, 1<<15/l.cols))
	if l.lanes > 1 {
		l.block = min(l.rows, max(16, l.block&^15))
	}
}

// allocate makes the tables and the scratch.
func (l *LayerNorm) allocate() {
	if l.strided {
		l.columns = offsets(l.within)
		l.scratch = make([]float32, l.block*l.cols)
	}
	if !ascending(l.axes, l.shape) {
		l.order = offsets(parameterDims(l.axes, l.shape))
		l.gamma, l.beta = make([]float32, l.cols), make([]float32, l.cols)
	}
	l.allocated = true
}

// offsets lists the offsets of all elements of dims, the last one fastest.
func offsets(dims []dim) []int {
	all := []int{0}
	for _, d := range dims {
		next := make([]int, 0, len(all)*d.size)
		for _, base := range all {
			for i := range d.size {
				next = append(next, base+i*d.stride)
			}
		}
		all = next
	}
	return all
}

// ascending says whether gamma's elements are in memory order already. Rows are
// summed in memory order, whatever order the axes are named in.
func ascending(axes, shape []int) bool {
	before := -1
	for _, a := range axes {
		if shape[a] == 1 {
			continue
		}
		if a < before {
			return false
		}
		before = a
	}
	return true
}

// parameterDims returns the normalized extents in memory order with their
// strides in gamma, whose dimensions are in the order of axes.
func parameterDims(axes, shape []int) []dim {
	byAxis := make([]dim, len(shape))
	step := 1
	for i := len(axes) - 1; i >= 0; i-- {
		byAxis[axes[i]] = dim{shape[axes[i]], step}
		step *= shape[axes[i]]
	}
	var dims []dim
	for _, d := range byAxis {
		if d.size > 0 {
			dims = append(dims, d)
		}
	}
	return dims
}

// Rows is the number of groups that have a mean and a variance of their own.
func (l *LayerNorm) Rows() int { return l.rows }

// Cols is the number of elements in a group, and of gamma and beta.
func (l *LayerNorm) Cols() int { return l.cols }

// StatShape is the shape of mean and rstd: x's with 1 at each normalized axis.
func (l *LayerNorm) StatShape() []int {
	s := append([]int(nil), l.shape...)
	for _, a := range l.axes {
		s[a] = 1
	}
	return s
}

// Forward computes y as LayerNormRows does, for each group of the prepared shape
// and axes, and applies Activation. gamma and beta have the dimensions of the axes in
// the order that these were given in, mean and rstd StatShape's; all four and residual
// may be nil. y may be the same slice as x or residual. A wrong length is a
// *ShapeError, and nothing has been written then.
func (l *LayerNorm) Forward(y, mean, rstd, x, residual, gamma, beta []float32) error {
	return l.ForwardSum(y, nil, mean, rstd, x, residual, gamma, beta)
}

// ForwardSum is Forward that gives x + residual as well, which the next block of a
// transformer adds to. sum may be nil, or the same slice as x or residual; it must
// not be y.
func (l *LayerNorm) ForwardSum(y, sum, mean, rstd, x, residual, gamma, beta []float32) error {
	size := l.rows * l.cols
	if err := checkActivation(l.op, l.Activation); err != nil {
		return err
	}
	// The list of operands takes longer to write than a small tensor to normalize.
	if all := len(x) == size && len(y) == size && fits(residual, size) && fits(sum, size) && fits(gamma, l.cols) && fits(beta, l.cols) && fits(mean, l.rows) && fits(rstd, l.rows); !all {
		return l.about().check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}, arg{"residual", residual, size, ofShape | optional},
			arg{"sum", sum, size, ofShape | optional}, arg{"gamma", gamma, l.cols, ofAxes | optional}, arg{"beta", beta, l.cols, ofAxes | optional},
			arg{"mean", mean, l.rows, ofRest | optional}, arg{"rstd", rstd, l.rows, ofRest | optional})
	}
	if sum != nil && residual == nil {
		return shapeError(l.op, "there is a sum but no residual, want both or none")
	}
	c := rowCall{y: y, sum: sum, mean: mean, rstd: rstd, x: x, residual: residual, gamma: gamma, beta: beta,
		rows: l.rows, cols: l.cols, epsilon: l.epsilon, rms: l.rms, standard: l.standard, deviation: l.deviation, activation: l.Activation}
	if size == 0 {
		c.run()
		return nil
	}
	if !l.allocated {
		l.allocate()
	}
	if l.order != nil {
		c.gamma, c.beta = reorder(l.gamma, gamma, l.order), reorder(l.beta, beta, l.order)
	}
	if !l.strided {
		c.run()
		return nil
	}
	c.residual, c.sum = nil, nil
	for row := 0; row < l.rows; row += l.block {
		n := min(l.block, l.rows-row)
		rows := l.scratch[:n*l.cols]
		l.move(x, rows, row, n, gather)
		if residual != nil {
			l.move(residual, rows, row, n, gatherAdd)
		}
		if sum != nil {
			l.move(sum, rows, row, n, scatter)
		}
		c.y, c.x, c.rows = rows, rows, n
		c.mean, c.rstd = section(mean, row, n), section(rstd, row, n)
		c.run()
		l.move(y, rows, row, n, scatter)
	}
	return nil
}

func (l *LayerNorm) about() about { return about{op: l.op, shape: l.shape, layer: l} }

// normalized describes the axes in an error.
func (l *LayerNorm) normalized() string {
	switch {
	case len(l.axes) == 0:
		return "no dimension"
	case len(l.axes) == 1 && l.axes[0] == len(l.shape)-1:
		return "the last dimension"
	}
	return text.Join("axes ", l.axes)
}

// reorder brings parameters into memory order; nil stays nil.
func reorder(dst, src []float32, order []int) []float32 {
	if src == nil {
		return nil
	}
	for i, from := range order {
		dst[i] = src[from]
	}
	return dst
}

type direction int

const (
	gather    direction = iota // scratch ← tensor
	gatherAdd                  // scratch ← scratch + tensor
	scatter                    // tensor ← scratch
)

// move carries n rows, from row on, between the tensor t and the scratch.
func (l *LayerNorm) move(t, scratch []float32, row, n int, dir direction) {
	for at := 0; at < n; {
		lane := row % l.lanes
		m := min(l.lanes-lane, n-at)
		base := lane
		index := row / l.lanes
		for i := len(l.outer) - 1; i >= 0; i-- {
			d := l.outer[i]
			base += index % d.size * d.stride
			index /= d.size
		}
		rows := scratch[at*l.cols : (at+m)*l.cols]
		if l.lanes > 1 {
			l.moveLanes(t[base:], rows, m, dir)
		} else {
			l.moveRuns(t[base:], rows, dir)
		}
		at += m
		row += m
	}
}

// moveRuns carries one row that lies in runs of contiguous elements.
func (l *LayerNorm) moveRuns(t, row []float32, dir direction) {
	for i, offset := range l.columns {
		part := row[i*l.run : (i+1)*l.run]
		run := t[offset : offset+l.run]
		switch dir {
		case gather:
			copy(part, run)
		case gatherAdd:
			kernel.AddRows(&part[0], &part[0], 0, 1, &run[0], 0, 1, 1, len(run))
		case scatter:
			copy(run, part)
		}
	}
}

// moveLanes carries m rows whose elements lie side by side: a transposition, four
// columns at a time, so that a row's part of the scratch is written in one piece and
// the tensor is read along its cache lines.
func (l *LayerNorm) moveLanes(t, rows []float32, m int, dir direction) {
	c := 0
	for ; c+4 <= len(l.columns); c += 4 {
		offsets := l.columns[c : c+4 : c+4]
		t0 := t[offsets[0]:][:m]
		t1 := t[offsets[1]:][:len(t0)]
		t2 := t[offsets[2]:][:len(t0)]
		t3 := t[offsets[3]:][:len(t0)]
		at := c
		switch dir {
		case gather:
			for i := range t0 {
				part := rows[at : at+4 : at+4]
				part[0], part[1], part[2], part[3] = t0[i], t1[i], t2[i], t3[i]
				at += l.cols
			}
		case gatherAdd:
			for i := range t0 {
				part := rows[at : at+4 : at+4]
				part[0], part[1], part[2], part[3] = part[0]+t0[i], part[1]+t1[i], part[2]+t2[i], part[3]+t3[i]
				at += l.cols
			}
		case scatter:
			for i := range t0 {
				part := rows[at : at+4 : at+4]
				t0[i], t1[i], t2[i], t3[i] = part[0], part[1], part[2], part[3]
				at += l.cols
			}
		}
	}
	for ; c < len(l.columns); c++ {
		column := t[l.columns[c]:][:m]
		at := c
		for i := range column {
			switch dir {
			case gather:
				rows[at] = column[i]
			case gatherAdd:
				rows[at] += column[i]
			case scatter:
				column[i] = rows[at]
			}
			at += l.cols
		}
	}
}

// LayerNormAxes is NewLayerNorm and Forward in one call, for use without
// preparation: it allocates where the axes are not the trailing ones.
func LayerNormAxes(y, mean, rstd, x, residual, gamma, beta []float32, shape, axes []int, epsilon float64) error {
	l, err := NewLayerNorm(shape, axes, epsilon)
	if err != nil {
		return err
	}
	return l.Forward(y, mean, rstd, x, residual, gamma, beta)
}
