package nn

import "github.com/normwasm/normwasm/internal/compute"

// ConvShape is the shape of a convolution of planes. Channels are dealt to Groups of equal
// size; weights are [OutChannels, InChannels/Groups, KernelH, KernelW].
type ConvShape struct {
	Window
	InChannels, OutChannels, Groups int
}

func (s ConvShape) inner() compute.ConvShape {
	return compute.ConvShape{Window: compute.Window(s.Window), InChannels: s.InChannels, OutChannels: s.OutChannels, Groups: s.Groups}
}

// check checks the shape and its weights: of so many groups of channels.
func (s ConvShape) check(op string, weights, bias []float32, channels int) error {
	if err := s.Window.check(op); err != nil {
		return err
	}
	if s.InChannels < 0 || s.OutChannels < 0 || s.Groups < 1 || s.InChannels%s.Groups != 0 || s.OutChannels%s.Groups != 0 {
		return shapeError(op, s.InChannels, " and ", s.OutChannels, " channels are no multiple of ", s.Groups, " groups")
	}
	return s.weights(op, weights, bias, channels)
}

// weights checks lengths; one dimension of the weights is channels in full, the other a
// group's.
func (s ConvShape) weights(op string, weights, bias []float32, channels int) error {
	rest := s.InChannels + s.OutChannels - channels
	n, product, err := elements(op, dim{"channels", channels}, dim{"channels", rest / s.Groups}, dim{"KernelH", s.KernelH}, dim{"KernelW", s.KernelW})
	if err != nil {
		return err
	}
	args := []arg{{name: "weights", have: len(weights), want: n, why: product}}
	if bias != nil {
		args = append(args, arg{name: "bias", have: len(bias), want: s.OutChannels, why: "one for each output channel"})
	}
	return check(op, args...)
}

// padded checks the size of a group's planes with their pads, as they lie in scratch.
func (s ConvShape) padded(op string, h, w int) error {
	if err := plane(op, h, w); err != nil {
		return err
	}
	_, _, err := elements(op, dim{"channels", s.InChannels / s.Groups}, dim{"h", h + s.PadTop + s.PadBottom}, dim{"w", w + s.PadLeft + s.PadRight})
	return err
}

// data checks the operands of a run of n examples.
func (s ConvShape) data(op string, y, x []float32, n, h, w, oh, ow int) error {
	if err := plane(op, h, w); err != nil {
		return err
	}
	if err := plane(op, oh, ow); err != nil {
		return err
	}
	in, inProduct, err := elements(op, dim{"n", n}, dim{"channels", s.InChannels}, dim{"h", h}, dim{"w", w})
	if err != nil {
		return err
	}
	out, outProduct, err := elements(op, dim{"n", n}, dim{"channels", s.OutChannels}, dim{"oh", oh}, dim{"ow", ow})
	if err != nil {
		return err
	}
	return check(op, arg{name: "x", have: len(x), want: in, why: inProduct}, arg{name: "y", have: len(y), want: out, why: outProduct})
}

// Conv is a convolution (as networks say: a correlation) with its weights laid out for the
// kernels:
//
//	y[n,o,p] = clamp(bias[o] + Σ_{c,k} weights[o,c,k] · x[n, c, p·stride + k·dilation − pad])
//
// with products added in the order of the weights, and 0 outside of x.
type Conv struct {
	shape ConvShape
	conv  *compute.Conv
}

// PackConv lays out weights and bias (nil for none). It copies them. What does not fit is a
// *ShapeError or a *ValueError.
func PackConv(s ConvShape, weights, bias []float32, clamp Clamp) (*Conv, error) {
	if err := s.check("Conv", weights, bias, s.OutChannels); err != nil {
		return nil, err
	}
	return &Conv{s, compute.PackConv(s.inner(), weights, bias, clamp, false)}, nil
}

// Repack takes other weights and another bias (nil for none) of the same shape. It copies
// them and allocates nothing.
func (c *Conv) Repack(weights, bias []float32) error {
	if err := c.shape.weights("Conv", weights, bias, c.shape.OutChannels); err != nil {
		return err
	}
	c.conv.Repack(weights, bias)
	return nil
}

// Shape returns what the convolution was packed with.
func (c *Conv) Shape() ConvShape { return c.shape }

// Bytes is the size of the packed weights and bias.
func (c *Conv) Bytes() int { return c.conv.Bytes() }

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w.
func (c *Conv) ScratchLen(h, w int) int {
	if c.shape.padded("Conv", h, w) != nil {
		return 0
	}
	return c.conv.ScratchLen(h, w)
}

// Run computes y [n, OutChannels, oh, ow] from x [n, InChannels, h, w], with oh, ow =
// OutSize(h, w). y may not overlap x. What does not fit is a *ShapeError.
func (c *Conv) Run(y, x []float32, n, h, w int, scratch []float32) error {
	oh, ow := c.shape.OutSize(h, w)
	if err := c.shape.padded("Conv", h, w); err != nil {
		return err
	}
	if err := c.shape.data("Conv", y, x, n, h, w, oh, ow); err != nil {
		return err
	}
	if err := room("Conv", scratch, c.ScratchLen(h, w)); err != nil {
		return err
	}
	c.conv.Run(y, x, n, h, w, scratch)
	return nil
}

// ConvTranspose is the transposed convolution: what a convolution with the same Window does
// to gradients, each input element adding its weighted kernel to the output:
//
//	y[n,o, p·stride + k·dilation − pad] += x[n,c,p] · weights[c,o,k]
//
// Weights are [InChannels, OutChannels/Groups, KernelH, KernelW].
type ConvTranspose struct {
	shape ConvShape
	conv  *compute.ConvTranspose
}

// PackConvTranspose lays out weights and bias (nil for none). It copies them. What does not
// fit is a *ShapeError or a *ValueError.
func PackConvTranspose(s ConvShape, weights, bias []float32, clamp Clamp) (*ConvTranspose, error) {
	if err := s.check("ConvTranspose", weights, bias, s.InChannels); err != nil {
		return nil, err
	}
	return &ConvTranspose{s, compute.PackConvTranspose(s.inner(), weights, bias, clamp, false)}, nil
}

// Repack takes other weights and another bias (nil for none) of the same shape. It copies
// them and allocates nothing.
func (c *ConvTranspose) Repack(weights, bias []float32) error {
	if err := c.shape.weights("ConvTranspose", weights, bias, c.shape.InChannels); err != nil {
		return err
	}
	c.conv.Repack(weights, bias)
	return nil
}

// Bytes is the size of the packed weights and bias.
func (c *ConvTranspose) Bytes() int { return c.conv.Bytes() }

// OutSize returns (h−1)·stride + extent − pads, and 0 where that is below: the output
// without any output padding.
func (c *ConvTranspose) OutSize(h, w int) (oh, ow int) {
	if plane("ConvTranspose", h, w) != nil {
		return 0, 0
	}
	oh, ow = c.conv.OutSize(h, w)
	return max(oh, 0), max(ow, 0)
}

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w.
func (c *ConvTranspose) ScratchLen(h, w int) int {
	if c.spread(h, w) != nil {
		return 0
	}
	return c.conv.ScratchLen(h, w)
}

// spread checks the size of what a group's planes become before they are added up.
func (c *ConvTranspose) spread(h, w int) error {
	if err := plane("ConvTranspose", h, w); err != nil {
		return err
	}
	s := &c.shape
	_, _, err := elements("ConvTranspose", dim{"channels", s.OutChannels / s.Groups}, dim{"KernelH", s.KernelH}, dim{"KernelW", s.KernelW}, dim{"h", h}, dim{"w", w})
	return err
}

// Run computes y [n, OutChannels, oh, ow] from x [n, InChannels, h, w]. The output size is
// the caller's (OutSize plus output padding); PadTop and PadLeft say where the first element
// falls. y may not overlap x. What does not fit is a *ShapeError.
func (c *ConvTranspose) Run(y, x []float32, n, h, w, oh, ow int, scratch []float32) error {
	if err := c.spread(h, w); err != nil {
		return err
	}
	if err := c.shape.data("ConvTranspose", y, x, n, h, w, oh, ow); err != nil {
		return err
	}
	if err := room("ConvTranspose", scratch, c.ScratchLen(h, w)); err != nil {
		return err
	}
	c.conv.Run(y, x, n, h, w, oh, ow, scratch)
	return nil
}
