package bridge

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn"
)

// imageNumbers is the length of the operand "numbers": white, four means, four
// standard deviations, the background and the padding (R, G and B each).
const imageNumbers = 1 + 4 + 4 + 3 + 3

// imageRows computes rows of a picture's tensor. The operand "pixels" has four bytes,
// R, G, B and A, in place of each float32. The shape is height and width of the source, of
// the resized image and of the result. Rows from "from" to "to" of the result are
// written, and the first row of pixels is "row" of the source. With "bytes" the result is
// of uint8, four in place of each float32; what is over at the end stays as it was.
var imageRows = Operation{Name: "imageRows", run: runImage,
	Operands: []Operand{{"out", Written}, {"pixels", 0}, {"numbers", Double}},
	Options: []Option{{Name: "top", Whole: true}, {Name: "left", Whole: true}, {Name: "row", Whole: true},
		{Name: "from", Whole: true}, {Name: "to", Whole: true},
		{Name: "resize", Words: []string{"nearest", "bilinear", "bicubic"}}, {Name: "antialias", Whole: true, Default: 1},
		{Name: "channels", Words: []string{"rgb", "bgr", "gray", "rgba"}}, layout, {Name: "bytes", Whole: true}}}

func runImage(c *Call) error {
	o := &c.Operands
	numbers, err := doubles(o[2])
	if err != nil {
		return err
	}
	if len(numbers) != imageNumbers || len(c.Shape) != 6 {
		return &Error{BadShape, text.Join("bridge: imageRows: ", len(numbers), " numbers and a shape ", c.Shape, ", want ", imageNumbers, " and three heights and widths")}
	}
	m := nn.Image{
		Height: c.Shape[0], Width: c.Shape[1], ScaledHeight: c.Shape[2], ScaledWidth: c.Shape[3], OutHeight: c.Shape[4], OutWidth: c.Shape[5],
		Top: c.whole(0), Left: c.whole(1), Filter: nn.ImageFilter(c.whole(5)), Antialias: c.whole(6) != 0,
		Channels: nn.ImageChannels(c.whole(7)), NHWC: c.whole(8) == 1,
		White: numbers[0], Mean: [4]float64(numbers[1:]), Std: [4]float64(numbers[5:]),
		Background: [3]float64(numbers[9:]), Pad: [3]float64(numbers[12:]),
	}
	if err := m.Check(); err != nil {
		return err
	}
	out, bytes := o[0], []uint8(nil)
	if c.whole(9) != 0 {
		bytes = slab.Bytes(out)
		if size := m.Channels.Count() * m.OutWidth * m.OutHeight; size <= len(bytes) {
			bytes = bytes[:size]
		}
	}
	return m.Read(out, bytes, slab.View[int32](slab.Bytes(o[1])), c.whole(2), c.whole(3), c.whole(4))
}
