//go:build !lean

package op

import (
	"errors"
	"math"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that find objects: boxes, and regions of interest.

var roiModes = []string{"avg", "max"}

func init() { Register(detectRows) }

var detectRows = []Row{{
	Name: "NonMaxSuppression", Since: 10, Changes: []int{11},
	In: []In{{Name: "boxes", Types: float32Only}, {Name: "scores", Types: float32Only},
		{Name: "max_output_boxes_per_class", Types: 1 << ir.Int64, Opt: true},
		{Name: "iou_threshold", Types: float32Only, Opt: true}, {Name: "score_threshold", Types: float32Only, Opt: true}},
	Out:   []Out{{Name: "selected_indices", Type: ir.Int64}},
	Attrs: []Attr{{Name: "center_point_box", Kind: ir.AttrInt}},
	Rank:  matrixRank,
	Plan:  planSuppression,
}, {
	Name: "RoiAlign", Since: 10, Changes: []int{16, 22},
	In:  []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "rois", Types: floatTypes, Var: 'T'}, {Name: "batch_indices", Types: 1 << ir.Int64}},
	Out: yOut,
	Attrs: []Attr{{Name: "coordinate_transformation_mode", Kind: ir.AttrString, S: "half_pixel", Words: []string{"half_pixel", "output_half_pixel"}, Since: 16},
		{Name: "mode", Kind: ir.AttrString, S: "avg", Words: roiModes}, {Name: "output_height", Kind: ir.AttrInt, I: 1}, {Name: "output_width", Kind: ir.AttrInt, I: 1},
		{Name: "sampling_ratio", Kind: ir.AttrInt}, {Name: "spatial_scale", Kind: ir.AttrFloat, F: 1}},
	Rank: imageRank,
	Plan: planRoiAlign,
}}

// planSuppression takes, in each batch and class, the boxes with the highest scores that
// overlap none taken before by more than the threshold. How many these are depends on the
// values.
func planSuppression(c *Call) error {
	b, s := c.In(0).Dims, c.In(1).Dims
	if len(b) != 3 || len(s) != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2] {
		return c.Fail("boxes have dimensions ", b, " and scores ", s, ", want [n boxes 4] and [n classes boxes]")
	}
	most := int64(0)
	if list, given, err := hostInts(c, 2); err != nil {
		return err
	} else if given {
		if len(list) != 1 {
			return c.fail("max_output_boxes_per_class has % elements", nil, len(list))
		}
		most = list[0]
	}
	overlap, err := hostFloat(c, 3, 0)
	if err != nil {
		return err
	}
	least, err := hostFloat(c, 4, math.Inf(-1))
	if err != nil {
		return err
	}
	if !(overlap >= 0 && overlap <= 1) {
		return c.Fail("iou_threshold is ", overlap, ", want 0 to 1")
	}
	if most <= 0 || ir.Elements(s) == 0 {
		c.Value(0, ir.Int64, 0, 3)
		return nil
	}
	boxes, err := c.Host(0)
	if err != nil {
		return err
	}
	scores, err := c.Host(1)
	if err != nil {
		return err
	}
	n := b[1]
	if n > c.maxBytes/24 { // of those that are looked at, and one class's boxes of the result
		return c.fail("% boxes are more than the session's limit of % bytes has room for", nil, n, c.maxBytes)
	}
	limit := c.maxBytes / 24
	var taken []int64
	queue := boxQueue{order: make([]int32, 0, n)}
	for class := range s[0] * s[1] {
		queue.scores = scores.Float32s()[class*n:][:n]
		list := boxes.Float32s()[class/s[1]*n*4:][:4*n]
		queue.fill(float32(least))
		first := len(taken)
		for len(queue.order) > 0 && int64(len(taken)-first)/3 < most {
			i := queue.pop()
			if suppressed(list, taken[first:], i, float32(overlap), c.Int("center_point_box") != 0) {
				continue
			}
			if len(taken)/3 >= limit {
				return c.fail("more than % boxes are taken; the session's limit is % bytes", nil, limit, c.maxBytes)
			}
			taken = append(taken, int64(class/s[1]), int64(class%s[1]), int64(i))
		}
	}
	copy(c.Value(0, ir.Int64, len(taken)/3, 3).Int64s(), taken)
	return nil
}

// suppressed says whether box i overlaps one of those taken.
func suppressed(boxes []float32, taken []int64, i int, overlap float32, centers bool) bool {
	box := corners(boxes[4*i:], centers)
	for k := 2; k < len(taken); k += 3 {
		if overlaps(box, corners(boxes[4*taken[k]:], centers), overlap) {
			return true
		}
	}
	return false
}

// corners gives a box as its least and greatest y and x: it comes as two corners, or as
// the centre's x and y, the width and the height.
func corners(b []float32, centers bool) [4]float32 {
	if centers {
		w, h := b[2]/2, b[3]/2
		return [4]float32{b[1] - h, b[0] - w, b[1] + h, b[0] + w}
	}
	return [4]float32{min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])}
}

// overlaps says whether what two boxes share is more than so much of what they cover.
func overlaps(a, b [4]float32, threshold float32) bool {
	h, w := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	if !(h > 0 && w > 0) {
		return false
	}
	shared := h * w
	one, other := float32((a[2]-a[0])*(a[3]-a[1])), float32((b[2]-b[0])*(b[3]-b[1]))
	all := one + other - shared
	if one <= 0 || other <= 0 || all <= 0 {
		return false
	}
	return shared/all > threshold
}

// boxQueue gives boxes in the order of their scores, those of the same score in their own.
type boxQueue struct {
	scores []float32
	order  []int32 // a heap
}

// fill enters the boxes whose scores are above least.
func (q *boxQueue) fill(least float32) {
	q.order = q.order[:0]
	for i, v := range q.scores {
		if v > least || v == v && math.IsInf(float64(least), -1) {
			q.order = append(q.order, int32(i))
		}
	}
	for r := len(q.order)/2 - 1; r >= 0; r-- {
		q.sink(r)
	}
}

func (q *boxQueue) pop() int {
	last := len(q.order) - 1
	top := q.order[0]
	q.order[0] = q.order[last]
	q.order = q.order[:last]
	q.sink(0)
	return int(top)
}

func (q *boxQueue) sink(r int) {
	before := func(i, j int) bool {
		a, b := q.scores[q.order[i]], q.scores[q.order[j]]
		return a > b || a == b && q.order[i] < q.order[j]
	}
	for {
		child := 2*r + 1
		if child >= len(q.order) {
			return
		}
		if child+1 < len(q.order) && before(child+1, child) {
			child++
		}
		if !before(child, r) {
			return
		}
		q.order[r], q.order[child] = q.order[child], q.order[r]
		r = child
	}
}

// regions checks x, [N C H W], and rois, so many numbers each.
func regions(c *Call, per int) (x []int, count int, err error) {
	x = c.In(0).Dims
	rois := c.In(1).Dims
	if len(x) != 4 || len(rois) != 2 || rois[1] != per {
		return nil, 0, c.Fail("x has dimensions ", x, " and rois ", rois, ", want 4 dimensions and [n ", per, "]")
	}
	return x, rois[0], nil
}

// planRoiAlign averages, or takes the largest of, samples in each of a grid of bins that a
// region is divided into.
func planRoiAlign(c *Call) error {
	x, count, err := regions(c, 4)
	if err != nil {
		return err
	}
	if b := c.In(2).Dims; len(b) != 1 || b[0] != count {
		return c.fail("batch_indices have dimensions @, want [%]", b, count)
	}
	h, w, ratio := c.Int("output_height"), c.Int("output_width"), c.Int("sampling_ratio")
	if h < 1 || w < 1 || h > dimLimit || w > dimLimit {
		return c.Fail("the output would have ", h, "×", w, " bins")
	}
	if ratio < 0 || ratio > 1<<15 {
		return c.fail("sampling_ratio is %", nil, int(ratio))
	}
	out := c.Dims(4)
	out[0], out[1], out[2], out[3] = count, x[1], int(h), int(w)
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, out...)
	if c.Err != nil || ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	s := Into[roiAlign](c)
	*s = roiAlign{images: x[0], channels: x[1], h: x[2], w: x[3], oh: int(h), ow: int(w), ratio: int(ratio),
		scale: float64(c.Float("spatial_scale")), top: c.Str("mode") == "max", wide: s.wide}
	s.single = c.In(0).Type == ir.Float32
	s.half = c.Node.Version >= 16 && c.Str("coordinate_transformation_mode") == "half_pixel"
	s.wide.set(c, 2, c.In(0).Type, ir.Elements(out))
	s.sums = c.Bytes
	c.Scratch(c.Bytes + 8*x[1])
	return nil
}

type roiAlign struct {
	images, channels, h, w int
	oh, ow                 int // bins
	ratio                  int
	scale                  float64
	top, half, single      bool
	wide                   wide[float64]
	sums                   int // bytes of scratch before a number for each channel
}

func (s *roiAlign) Run(a *Args) {
	x, rois, y := s.wide.in(a, 0), s.wide.in(a, 1), s.wide.out(a)
	sums := scratchOf[float64](a, s.sums, s.channels)
	for r, image := range a.In[2].Int64s() {
		if image < 0 || image >= int64(s.images) {
			panic(errors.New(text.Join("batch_indices[", r, "] is ", image, ", but there are ", s.images, " images")))
		}
		out := y[r*s.channels*s.oh*s.ow:]
		s.region(out, x[int(image)*s.channels*s.h*s.w:], rois[4*r:][:4], sums)
	}
	s.wide.done(a)
}

// round gives float32's numbers where x is of that type: how many samples a bin has must
// not hang on digits that it does not have.
func (s *roiAlign) round(v float64) float64 {
	if s.single {
		return float64(float32(v))
	}
	return v
}

func (s *roiAlign) region(y, x, roi, sums []float64) {
	offset := 0.0
	if s.half {
		offset = 0.5
	}
	edge := func(i int) float64 { return s.round(s.round(roi[i]*s.scale) - offset) }
	left, top := edge(0), edge(1)
	w, h := s.round(edge(2)-left), s.round(edge(3)-top)
	if !s.half {
		w, h = max(w, 1), max(h, 1)
	}
	rows, cols := bins(top, s.round(h/float64(s.oh)), s.ratio), bins(left, s.round(w/float64(s.ow)), s.ratio)
	for bin := range s.oh * s.ow {
		clear(sums)
		first := true
		rows.each(bin/s.ow, s.h, func(v float64) {
			cols.each(bin%s.ow, s.w, func(u float64) {
				var at [4]int
				var weight [4]float64
				r0, r1, fr := between(v, s.h)
				c0, c1, fc := between(u, s.w)
				at = [4]int{r0*s.w + c0, r0*s.w + c1, r1*s.w + c0, r1*s.w + c1}
				weight = [4]float64{(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc}
				for ch := range sums {
					plane := x[ch*s.h*s.w:]
					var p [4]float64
					for k := range p {
						p[k] = float64(weight[k] * plane[at[k]])
					}
					if !s.top {
						sums[ch] += p[0] + p[1] + p[2] + p[3]
						continue
					}
					// As ONNX's own implementation and onnxruntime have it: the largest of the four
					// products, not of their sum.
					v := max(p[0], p[1], p[2], p[3])
					if first {
						sums[ch] = v
					} else {
						sums[ch] = max(sums[ch], v)
					}
				}
				first = false
			})
		})
		for ch, v := range sums {
			if s.top {
				if outside := rows.misses(bin/s.ow, s.h) || cols.misses(bin%s.ow, s.w); outside && !first {
					v = max(v, 0) // what lies outside counts as 0
				}
			} else {
				v /= max(rows.n*cols.n, 1)
			}
			y[ch*s.oh*s.ow+bin] = v
		}
	}
}

// binAxis is the samples along an axis of a region.
type binAxis struct{ start, size, n float64 }

// bins are of a size, from start on.
func bins(start, size float64, ratio int) binAxis {
	b := binAxis{start, size, float64(ratio)}
	if ratio == 0 {
		b.n = math.Ceil(b.size)
	}
	if !(b.n > 0) {
		b.n = 0
	}
	return b
}

func (b *binAxis) at(bin int, i float64) float64 {
	return b.start + float64(float64(bin)*b.size) + (i+0.5)*b.size/b.n
}

// span is the samples of a bin that may lie within n elements: where a region reaches far
// beyond the image, the others are not counted one by one.
func (b *binAxis) span(bin, n int) (from, to float64) {
	if b.n == 0 || b.n > 1<<52 { // so many are not told apart
		return 0, 0
	}
	step := b.size / b.n
	origin := b.start + float64(float64(bin)*b.size)
	if !(step > 0) || math.IsInf(step, 0) || origin != origin {
		return 0, min(b.n, 1<<15)
	}
	from, to = math.Floor((-1-origin)/step-0.5)-1, math.Ceil((float64(n)-origin)/step-0.5)+1
	return min(max(from, 0), b.n), min(max(to+1, 0), b.n)
}

func (b *binAxis) each(bin, n int, f func(v float64)) {
	from, to := b.span(bin, n)
	for i := from; i < to; i++ {
		if v := b.at(bin, i); v >= -1 && v <= float64(n) {
			f(v)
		}
	}
}

// misses says whether any sample of a bin lies outside.
func (b *binAxis) misses(bin, n int) bool {
	first, last := b.at(bin, 0), b.at(bin, b.n-1)
	return b.n > 0 && !(min(first, last) >= -1 && max(first, last) <= float64(n))
}

// between gives the elements around a coordinate and the weight of the second.
func between(v float64, n int) (low, high int, weight float64) {
	v = max(v, 0)
	if low = int(v); low >= n-1 {
		return n - 1, n - 1, 0
	}
	return low, low + 1, v - float64(low)
}
