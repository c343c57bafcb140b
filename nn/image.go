package nn

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/text"
)

// ImageFilter says how an image is resized.
//
// Pixel i covers the interval from i to i+1, its colour being that of the middle,
// i+½ (half-pixel centres; corners are not aligned). A pixel of the result at j is
// centred at (j+½)·scale of the source, scale being the source's size over the
// result's. It is the mean of the source's pixels, weighted by a function of their
// distance from there and with the weights' sum as divisor, so that pixels outside
// of the source do not count.
type ImageFilter uint8

const (
	Nearest  ImageFilter = iota // the one pixel that the centre lies in
	Bilinear                    // 1-|d| for |d| < 1
	Bicubic                     // Keys' cubic with a = -½, for |d| < 2
)

// ImageChannels says what of a pixel is written.
type ImageChannels uint8

const (
	RGB ImageChannels = iota
	BGR
	Gray // 0.299·R + 0.587·G + 0.114·B (ITU-R BT.601)
	RGBA // the colours not multiplied by alpha
)

// Count is the number of channels.
func (c ImageChannels) Count() int { return [...]int{3, 3, 1, 4}[c] }

// Image describes how a picture becomes a tensor. Its pixels are four bytes each: R, G, B
// and A, the colours not multiplied by alpha, row by row. It is resized to Scaled, and
// stands in the result at Left and Top, which are negative where the result shows a part.
//
// Colours are mixed in proportion to their alpha, and stand before Background where alpha is
// less than 255. A value v from 0 to 255 becomes (v·White/255 - Mean)/Std, computed in float64
// and rounded once; White is 1 or 255 as a rule.
//
// Sizes are from 1 to MaxImageSize. The same numbers come out on every platform and in every
// build, the relaxed one included.
type Image struct {
	Width, Height             int // of the source
	ScaledWidth, ScaledHeight int
	OutWidth, OutHeight       int
	Left, Top                 int

	Filter ImageFilter
	// Antialias widens the filter by the scale where the result is smaller than the source,
	// as Pillow does, so that each pixel of the source counts.
	Antialias bool

	Channels   ImageChannels
	NHWC       bool // channels last; otherwise a plane for each
	White      float64
	Mean, Std  [4]float64 // in the order of the channels
	Background [3]float64 // 0 to 255
	Pad        [3]float64 // what the result is where the source is not, 0 to 255
}

// MaxImageSize bounds widths and heights, so that sizes and offsets fit.
const MaxImageSize = 1 << 20

// An ImageError says which size or number makes no sense.
type ImageError struct{ Detail string }

func (e *ImageError) Error() string { return "nn: Image: " + e.Detail }

func imageError(parts ...any) error { return &ImageError{text.Join(parts...)} }

// Check returns an *ImageError for sizes and numbers that make no sense.
func (m *Image) Check() error {
	for _, s := range [...]struct {
		name string
		size int
	}{{"width", m.Width}, {"height", m.Height}, {"resized width", m.ScaledWidth}, {"resized height", m.ScaledHeight},
		{"width of the result", m.OutWidth}, {"height of the result", m.OutHeight}} {
		if s.size < 1 || s.size > MaxImageSize {
			return imageError("the ", s.name, " is ", s.size, ", want 1 to ", MaxImageSize)
		}
	}
	if max(m.Left, -m.Left, m.Top, -m.Top) > MaxImageSize || m.Left < -MaxImageSize || m.Top < -MaxImageSize {
		return imageError("the offset is ", m.Left, ", ", m.Top, ", want at most ", MaxImageSize)
	}
	if m.Filter > Bicubic || m.Channels > RGBA {
		return imageError("there is no filter ", int(m.Filter), " or no order of channels ", int(m.Channels))
	}
	if !(m.White > 0 && m.White <= math.MaxFloat32) {
		return imageError("white is ", m.White, ", want a finite number above 0")
	}
	for c := range m.Channels.Count() {
		if !finite(m.Mean[c]) || !finite(m.Std[c]) || m.Std[c] == 0 {
			return imageError("mean and std of channel ", c, " are ", m.Mean[c], " and ", m.Std[c], ", want finite numbers and no std of 0")
		}
	}
	for c := range 3 {
		if !(m.Background[c] >= 0 && m.Background[c] <= 255) || !(m.Pad[c] >= 0 && m.Pad[c] <= 255) {
			return imageError("the colours behind and around are ", m.Background[c], " and ", m.Pad[c], " in channel ", c, ", want 0 to 255")
		}
	}
	return nil
}

func finite(x float64) bool { return x-x == 0 }

// Rows returns which rows of the source the rows [from, to) of the result are made of; last is
// not included, and first is last where there are none.
func (m *Image) Rows(from, to int) (first, last int) {
	from, to = max(from-m.Top, 0), min(to-m.Top, m.ScaledHeight)
	if from >= to {
		return 0, 0
	}
	f := m.filter(m.Height, m.ScaledHeight)
	first, _ = f.span(from)
	_, last = f.span(to - 1)
	return first, last
}

// Read computes rows [from, to) of the result. dst is the whole result, [1 C H W] or
// [1 H W C]; pixels are rows of the source from the one of number row on, at least those
// that Rows names. Where bytes is not nil the values from 0 to 255 go there instead, whatever
// White, Mean and Std are, rounded to the nearest whole number, halves upwards.
func (m *Image) Read(dst []float32, bytes []uint8, pixels []int32, row, from, to int) error {
	if err := m.Check(); err != nil {
		return err
	}
	if from < 0 || to > m.OutHeight || from > to {
		return imageError("rows ", from, " to ", to, " of a result of ", m.OutHeight)
	}
	size, have := m.Channels.Count()*m.OutWidth*m.OutHeight, len(dst)
	if bytes != nil {
		have = len(bytes)
	}
	if have != size {
		return imageError("the result has ", have, " elements, want ", size)
	}
	first, last := m.Rows(from, to)
	if rows := len(pixels) / m.Width; row < 0 || row > max(first, 0) || last > row+rows {
		if first < last {
			return imageError("rows ", row, " to ", row+rows, " of the source are given, want ", first, " to ", last)
		}
	}
	w := m.newWriter(dst, bytes)
	r := m.newResizer(pixels, row)
	for y := from; y < to; y++ {
		if sy := y - m.Top; sy >= 0 && sy < m.ScaledHeight {
			w.write(y, r.line(sy), r.begin)
		} else {
			w.write(y, nil, 0)
		}
	}
	return nil
}

// filter is the weights of one axis.
type filter struct {
	kind           ImageFilter
	size           int     // of the source
	scale, support float64 // of the source over the result; how far pixels count
	width          float64 // by how much the function is widened
}

func (m *Image) filter(size, scaled int) filter {
	f := filter{kind: m.Filter, size: size, scale: float64(size) / float64(scaled), width: 1}
	if m.Antialias && f.scale > 1 {
		f.width = f.scale
	}
	f.support = f.width
	if m.Filter == Bicubic {
		f.support = 2 * f.width
	}
	return f
}

func (f *filter) centre(i int) float64 { return float64((float64(i) + 0.5) * f.scale) }

// span is the range of pixels that pixel i of the result is made of.
func (f *filter) span(i int) (from, to int) {
	c := f.centre(i)
	if f.kind == Nearest {
		from = min(int(c), f.size-1)
		return from, from + 1
	}
	return max(int(math.Floor(float64(c-f.support)+0.5)), 0), min(int(math.Floor(float64(c+f.support)+0.5)), f.size)
}

// weights appends the weights of pixel i of the result.
func (f *filter) weights(list []float32, i int) []float32 {
	from, to := f.span(i)
	if to-from == 1 {
		return append(list, 1)
	}
	c, sum := f.centre(i), 0.0
	for x := from; x < to; x++ {
		sum += f.at((float64(x) + 0.5 - c) / f.width)
	}
	for x := from; x < to; x++ {
		list = append(list, float32(f.at((float64(x)+0.5-c)/f.width)/sum))
	}
	return list
}

func (f *filter) at(d float64) float64 {
	d = math.Abs(d)
	switch {
	case f.kind == Bilinear:
		return max(1-d, 0)
	case d < 1: // ((a+2)d - (a+3))d²+1
		return float64(float64(float64(float64(1.5*d)-2.5)*d)*d) + 1
	case d < 2: // a(((d-5)d+8)d-4)
		return -0.5 * (float64((float64((d-5)*d)+8)*d) - 4)
	}
	return 0
}

// resizer makes rows of the resized image: first the mean of the source's rows, then of
// the columns in it.
type resizer struct {
	rows    filter
	width   int     // of the source
	pixels  []int32 // rows of it
	first   int     // the number of the first one
	left    int     // the first column that counts
	sum     []float32
	columns []int32   // for each pixel where its source begins in sum, and how many pixels those are
	weights []float32 // of all of them
	list    []float32 // of the rows
	floats  []float32 // a row multiplied by alpha
	opaque  bool
	out     []float32
	begin   int // where the first pixel stands in the result
}

func (m *Image) newResizer(pixels []int32, row int) *resizer {
	r := &resizer{rows: m.filter(m.Height, m.ScaledHeight), width: m.Width, pixels: pixels, first: row}
	from, to := max(-m.Left, 0), min(m.OutWidth-m.Left, m.ScaledWidth)
	if from >= to {
		return r
	}
	r.begin = from + m.Left
	columns := m.filter(m.Width, m.ScaledWidth)
	r.columns = make([]int32, 0, 2*(to-from))
	r.left, _ = columns.span(from)
	_, right := columns.span(to - 1)
	for i := from; i < to; i++ {
		a, b := columns.span(i)
		r.columns = append(r.columns, int32(a-r.left), int32(b-a))
		r.weights = columns.weights(r.weights, i)
	}
	r.sum = make([]float32, 4*(right-r.left))
	r.out = make([]float32, 4*(to-from))
	r.opaque = opaque(pixels)
	if !r.opaque {
		r.floats = make([]float32, len(r.sum))
	}
	return r
}

func opaque(pixels []int32) bool {
	return uint32(kernel.AndPixels(kernel.Ptr(pixels), len(pixels)))>>24 == 0xff
}

// line is row i of the resized image, four float32 a pixel, multiplied by alpha.
func (r *resizer) line(i int) []float32 {
	if len(r.out) == 0 {
		return nil
	}
	clear(r.sum)
	from, to := r.rows.span(i)
	from, to = from-r.first, to-r.first
	r.list = r.rows.weights(r.list[:0], i)
	if r.opaque {
		r.add(from, to)
	} else {
		r.addPremultiplied(from)
	}
	kernel.MixPixels(kernel.Ptr(r.out), kernel.Ptr(r.sum), kernel.Ptr(r.weights), kernel.Ptr(r.columns), len(r.out)/4)
	return r.out
}

// add adds rows [from, to) to the sum, by fours that lie within the pixels: rows that are
// not meant, or that an earlier four had, get no weight.
func (r *resizer) add(from, to int) {
	n, rows := len(r.sum)/4, len(r.pixels)/r.width
	var w [4]float32
	for y := from; y < to; y += 4 {
		start, step := min(y, rows-4), r.width
		w = [4]float32{}
		if start < 0 { // fewer than four: one after another
			for i := y; i < to; i++ {
				w = [4]float32{r.list[i-from]}
				kernel.AddPixelRows(kernel.Ptr(r.sum), kernel.Ptr(r.pixels[i*step+r.left:]), 0, &w[0], n)
			}
			return
		}
		for i := range w {
			if k := start + i; k >= y && k < min(y+4, to) {
				w[i] = r.list[k-from]
			}
		}
		kernel.AddPixelRows(kernel.Ptr(r.sum), kernel.Ptr(r.pixels[start*step+r.left:]), step, &w[0], n)
	}
}

// addPremultiplied is add for pixels some of which are transparent. An opaque pixel adds
// the same bits.
func (r *resizer) addPremultiplied(from int) {
	for i, w := range r.list {
		at := (from+i)*r.width + r.left
		for x, p := range r.pixels[at : at+len(r.sum)/4] {
			c, a := uint32(p), float32(uint32(p)>>24)
			s := r.sum[4*x : 4*x+4]
			s[0] += float32(w * (float32(c&0xff) * a / 255))
			s[1] += float32(w * (float32(c>>8&0xff) * a / 255))
			s[2] += float32(w * (float32(c>>16&0xff) * a / 255))
			s[3] += float32(w * a)
		}
	}
}

// imageWriter writes rows of the result.
type imageWriter struct {
	m             *Image
	dst           []float32
	bytes         []uint8
	pixel, plane  int // how far neighbours and channels are apart
	order         [4]int
	behind        bool // whether the background has a colour
	tables        [4][256]float32
	pad, padBytes [4]float32
	whole         bool // whether most values are whole numbers
}

func (m *Image) newWriter(dst []float32, bytes []uint8) *imageWriter {
	count := m.Channels.Count()
	w := &imageWriter{m: m, dst: dst, bytes: bytes, pixel: 1, plane: m.OutWidth * m.OutHeight, order: [4]int{0, 1, 2, 3}}
	if m.NHWC {
		w.pixel, w.plane = count, 1
	}
	if m.Channels == BGR {
		w.order = [4]int{2, 1, 0, 3}
	}
	w.behind = m.Background != [3]float64{}
	w.whole = m.Width == m.ScaledWidth && m.Height == m.ScaledHeight || m.Filter == Nearest
	if w.whole {
		for c := range count {
			for v := range w.tables[c] {
				w.tables[c][v] = w.value(c, float64(v))
			}
		}
	}
	pixel := [4]float64{m.Pad[0], m.Pad[1], m.Pad[2], 255}
	if m.Channels == Gray {
		pixel[0] = gray(pixel[0], pixel[1], pixel[2])
	}
	for c := range count {
		w.pad[c], w.padBytes[c] = w.value(c, pixel[w.order[c]]), float32(pixel[w.order[c]])
	}
	return w
}

// value is what 0 to 255 becomes in channel c.
func (w *imageWriter) value(c int, v float64) float32 {
	y := (float64(v*w.m.White)/255 - w.m.Mean[c]) / w.m.Std[c]
	return float32(y)
}

// write writes row y: line from column begin on, and the padding on both sides.
func (w *imageWriter) write(y int, line []float32, begin int) {
	width := w.m.OutWidth
	at := y * width * w.pixel
	end := begin + len(line)/4
	for x := 0; x < width; x++ {
		if x == begin && len(line) > 0 {
			w.pixels(at+x*w.pixel, line)
			x = end - 1
			continue
		}
		for c := range w.m.Channels.Count() {
			i := at + x*w.pixel + c*w.plane
			if w.bytes != nil {
				w.bytes[i] = toByte(w.padBytes[c])
			} else {
				w.dst[i] = w.pad[c]
			}
		}
	}
}

// pixels writes a part of a row, a channel at a time.
func (w *imageWriter) pixels(at int, line []float32) {
	if w.m.Channels == RGBA || w.behind {
		w.compose(line)
	}
	for c := range w.m.Channels.Count() {
		if w.m.Channels == Gray {
			luma(line)
		}
		w.channelOf(at+c*w.plane, line[w.order[c]:], c)
	}
}

// compose puts pixels that are multiplied by alpha before the background, or divides by it.
func (w *imageWriter) compose(line []float32) {
	for ; len(line) >= 4; line = line[4:] {
		a := float64(line[3])
		for c, b := range w.m.Background {
			if w.m.Channels != RGBA {
				line[c] = float32(float64(line[c]) + float64((1-a/255)*b))
			} else if a > 0 {
				line[c] = float32(float64(line[c]) * 255 / a)
			}
		}
	}
}

// luma puts a pixel's luma in place of its first channel.
func luma(line []float32) {
	for ; len(line) >= 4; line = line[4:] {
		line[0] = float32(gray(clamped(line[0]), clamped(line[1]), clamped(line[2])))
	}
}

func clamped(v float32) float64 { return float64(min(max(v, 0), 255)) }

func gray(r, g, b float64) float64 {
	return float64(0.299*r) + float64(0.587*g) + float64(0.114*b)
}

// channelOf writes every fourth element of line.
func (w *imageWriter) channelOf(at int, line []float32, c int) {
	n, step := (len(line)+3)/4, w.pixel
	if w.bytes != nil {
		dst := w.bytes[at : at+(n-1)*step+1]
		for i := range n {
			dst[i*step] = toByte(line[4*i])
		}
		return
	}
	dst := w.dst[at : at+(n-1)*step+1]
	if !w.whole {
		for i := range n {
			dst[i*step] = w.value(c, clamped(line[4*i]))
		}
		return
	}
	table := &w.tables[c]
	for i := range n {
		v := line[4*i]
		if k := int32(v); uint32(k) < 256 && float32(k) == v {
			dst[i*step] = table[k]
		} else {
			dst[i*step] = w.value(c, clamped(v))
		}
	}
}

// toByte rounds halves upwards.
func toByte(v float32) uint8 { return uint8(min(max(math.Floor(float64(v)+0.5), 0), 255)) }
