package compute

// What is laid out for the kernels takes memory beside the model's own weights;
// these say how much.

// Bytes is the size of the packed operand.
func (b *PackedB) Bytes() int { return 4 * len(b.panels) }

// Bytes is the size of the packed weights and bias.
func (c *Conv) Bytes() int { return 4 * (len(c.panels) + len(c.bias)) }

// Bytes is the size of the packed weights and bias.
func (c *ConvTranspose) Bytes() int { return 4 * (len(c.panels) + len(c.bias)) }
