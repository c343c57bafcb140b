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
var imageRows = Operation{Name: "imageRows", Places: true, run: runImage,
	Operands: []Operand{{"out", Written}, {"pixels", 0}, {"numbers", Double | Needed}},
	Options: []Option{{Name: "top", Kind: Whole}, {Name: "left", Kind: Whole}, {Name: "row", Kind: Whole},
		{Name: "from", Kind: Whole}, {Name: "to", Kind: Whole},
		{Name: "resize", Kind: Word, Words: []string{"nearest", "bilinear", "bicubic"}, Default: 1}, {Name: "antialias", Kind: Flag, Default: 1},
		{Name: "channels", Kind: Word, Words: []string{"rgb", "bgr", "gray", "rgba"}}, layout, {Name: "bytes", Kind: Flag}},
	Doc: `Rows of the tensor of a picture. pixels: R, G, B and A as the four bytes of each element.
shape: height and width of the picture, of the resized one and of the result. top, left: of the
resized one in the result; row: of the picture, that pixels begin with; from, to: rows of the
result; bytes: out's bytes are its elements. numbers: white, mean and std of four channels each,
background and padding, 0 to 255.`}

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
