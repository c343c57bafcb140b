//go:build !lean

package op

import (
	"errors"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Weights of few bits in blocks, as language models have them.

func init() { Register(quantBlockRows) }

var quantBlockRows = []Row{{
	Name: "MatMulNBits", Domain: microsoft, Since: 1,
	In: []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "B", Types: 1 << ir.Uint8}, {Name: "scales", Types: float32Only, Var: 'T'},
		{Name: "zero_points", Types: 1<<ir.Uint8 | float32Only, Opt: true}, {Name: "g_idx", Types: 1 << ir.Int32, Opt: true}, {Name: "bias", Types: float32Only, Var: 'T', Opt: true}},
	Out: []Out{{Name: "Y", Var: 'T'}},
	Attrs: []Attr{{Name: "K", Kind: ir.AttrInt}, {Name: "N", Kind: ir.AttrInt}, {Name: "accuracy_level", Kind: ir.AttrInt}, {Name: "bits", Kind: ir.AttrInt, I: 4},
		{Name: "block_size", Kind: ir.AttrInt}, {Name: "weight_prepacked", Kind: ir.AttrInt}},
	Rank: sameRank, Fuses: FusesClamp, Check: checkNBits, Limits: "2, 4 and 8 bits, without g_idx; computed in float32 at every accuracy_level",
	Plan: planNBits,
}, {
	Name: "GatherBlockQuantized", Domain: microsoft, Since: 1,
	In: []In{{Name: "data", Types: 1<<ir.Int4 | 1<<ir.Uint4 | 1<<ir.Uint8, Var: 'D'}, {Name: "indices", Types: indexTypes}, {Name: "scales", Types: scaleTypes, Var: 'T'},
		{Name: "zero_points", Types: 1<<ir.Int4 | 1<<ir.Uint4 | 1<<ir.Uint8, Var: 'D', Opt: true}},
	Out: []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "bits", Kind: ir.AttrInt, I: 4}, {Name: "block_size", Kind: ir.AttrInt, I: 128}, {Name: "gather_axis", Kind: ir.AttrInt},
		{Name: "quantize_axis", Kind: ir.AttrInt, I: 1}},
	Check: checkGatherBlocks, Limits: "2, 4 and 8 bits",
	Plan: planGatherBlocks,
}}

func checkNBits(n *ir.Node) string {
	switch {
	case n.In(4) != nil:
		return "with g_idx"
	case n.Int("weight_prepacked", 0) != 0:
		return "weight_prepacked"
	}
	return checkGatherBlocks(n)
}

func checkGatherBlocks(n *ir.Node) string {
	switch n.Int("bits", 4) {
	case 2, 4, 8:
		return ""
	}
	return "of other than 2, 4 and 8 bits"
}

// fewBits is a product by a matrix in blocks.
type fewBits struct {
	gemm   compute.Gemm
	blocks compute.Blocks
}

func planNBits(c *Call) error {
	a, k, n, size := c.In(0).Dims, c.Int("K"), c.Int("N"), c.Int("block_size")
	bits := int(c.Int("bits"))
	switch {
	case k < 1 || n < 1 || k > dimLimit || n > dimLimit || k*n > dimLimit:
		return c.fail("K is % and N is %", nil, int(k), int(n))
	case size < 16 || size > 1<<20 || size&(size-1) != 0:
		return c.fail("block_size is %, want a power of 2 from 16 on", nil, int(size))
	case len(a) == 0 || a[len(a)-1] != int(k):
		return c.fail("A has dimensions @, want rows of % elements", a, int(k))
	}
	s := Into[fewBits](c)
	b := compute.Blocks{K: int(k), N: int(n), Bits: bits, Size: int(size)}
	for i, want := range [...]int{1: b.N * b.PerColumn() * b.Size * bits / 8, 2: b.N * b.PerColumn(), 5: b.N} {
		if in := c.In(i); in != nil && want > 0 && in.Len() != want {
			return c.Fail(c.Row.In[i].Name, " has dimensions ", in.Dims, ", want ", want, " elements for ", b.N, " columns of ", b.K, " in blocks of ", b.Size, ", ", bits, " bits each")
		}
	}
	if z := c.In(3); z != nil {
		want := b.N * b.ZeroBytes()
		if z.Type != ir.Uint8 {
			want = b.N * b.PerColumn()
		}
		if z.Len() != want {
			return c.Fail("zero_points has dimensions ", z.Dims, ", want ", want, " elements for ", b.N, " columns of ", b.PerColumn(), " blocks")
		}
	}
	out := c.Clone(a)
	out[len(out)-1] = b.N
	c.Out(0, ir.Float32, out...)
	s.gemm, s.blocks = compute.Gemm{M: ir.Elements(a[:len(a)-1]), N: b.N, K: b.K, Clamp: clampOf(c.Node)}, b
	if c.In(5) != nil {
		s.gemm.Start = compute.FromColumn
	}
	if s.gemm.M == 0 {
		c.Step = nothing{}
		return nil
	}
	c.Scratch(4 * b.BlocksScratch(s.gemm.M))
	return nil
}

func (s *fewBits) Run(a *Args) {
	g, b := s.gemm, s.blocks
	b.Data, b.Scales = a.In[1].Data, a.In[2].Float32s()
	if len(a.In) > 3 && a.In[3] != nil {
		if z := a.In[3]; z.Type == ir.Uint8 {
			b.Zeros = z.Data
		} else {
			b.Points = z.Float32s()
		}
	}
	g.Bias = optional(a, 5)
	g.RunBlocks(a.Out[0].Float32s(), a.In[0].Float32s(), &b, slab.View[float32](a.Scratch))
}

// gatherBlocks takes rows of what is in blocks.
type gatherBlocks struct {
	outer, rows, inner, count int // of data around the axis, and how many are taken
	deal                      dealt
	small, index, scale       ir.DType
	middle                    float32
	loadScale                 func(dst []float64, src []byte)
	store                     func(dst []byte, src []float64)
}

func planGatherBlocks(c *Call) error {
	data, bits := c.Clone(c.In(0).Dims), int(c.Int("bits"))
	if len(data) == 0 {
		return c.fail("data has dimensions @", data)
	}
	small, middle := c.In(0).Type, float32(0)
	axis, err := axisOf(c, c.Int("gather_axis"), len(data))
	if err != nil {
		return err
	}
	along, err := axisOf(c, c.Int("quantize_axis"), len(data))
	if err != nil {
		return err
	}
	size := c.Int("block_size")
	switch {
	case size < 16 || size > 1<<20 || size&(size-1) != 0:
		return c.fail("block_size is %, want a power of 2 from 16 on", nil, int(size))
	case axis == along:
		return c.fail("gather_axis and quantize_axis are both %", nil, axis)
	case small == ir.Uint8:
		if along != len(data)-1 {
			return c.fail("quantize_axis is %, want the last one of bytes, %", nil, along, len(data)-1)
		}
		middle = float32(int(1) << (bits - 1))
		data[along] *= 8 / bits
		switch bits {
		case 2:
			small = ir.Uint2
		case 4:
			small = ir.Uint4
		}
	case bits != small.Bits():
		return c.Fail("bits is ", bits, ", but data is ", small.String())
	}
	d := dealt{outer: ir.Elements(data[:along]), n: data[along], inner: ir.Elements(data[along+1:]), block: int(size)}
	scales := c.Clone(data)
	scales[along] = d.blocks()
	if !ir.SameDims(scales, c.In(2).Dims) {
		return c.Fail("scales has dimensions ", c.In(2).Dims, ", want ", scales, " for blocks of ", d.block, " along axis ", along, " of ", data)
	}
	if z := c.In(3); z != nil {
		want := c.Clone(scales)
		if c.In(0).Type == ir.Uint8 {
			want[along] = (want[along]*bits + 7) / 8
		}
		if !ir.SameDims(want, z.Dims) {
			return c.Fail("zero_points has dimensions ", z.Dims, ", want ", want)
		}
	}
	out := append(c.Dims(len(data) + len(c.In(1).Dims))[:0], data[:axis]...)
	out = append(append(out, c.In(1).Dims...), data[axis+1:]...)
	if err := checkDims(c, out); err != nil {
		return err
	}
	c.Out(0, c.In(2).Type, out...)
	s := Into[gatherBlocks](c)
	*s = gatherBlocks{outer: ir.Elements(data[:axis]), rows: data[axis], inner: ir.Elements(data[axis+1:]), count: c.In(1).Len(), deal: d,
		small: small, index: c.In(1).Type, scale: c.In(2).Type, middle: middle, loadScale: loadFloats(c.In(2).Type), store: storeFloats(c.In(2).Type)}
	c.Scratch(quantScratch)
	return nil
}

func (s *gatherBlocks) Run(a *Args) {
	var zeros *ir.Tensor
	if len(a.In) > 3 {
		zeros = a.In[3]
	}
	floats := slab.View[float64](a.Scratch[:8*quantPart])
	one := slab.View[float64](a.Scratch[8*quantPart:][:8])
	steps := slab.View[int32](a.Scratch[16*quantPart:][:4*quantPart])
	to, size := 0, s.scale.Size()
	d := &s.deal
	for o := range s.outer {
		for i := range s.count {
			at := 0
			if s.index == ir.Int64 {
				at = int(a.In[1].Int64s()[i])
			} else {
				at = int(a.In[1].Int32s()[i])
			}
			if at < -s.rows || at >= s.rows {
				panic(errors.New(text.Join("an index is ", at, ", want one in [", -s.rows, ", ", s.rows-1, "]")))
			}
			if at < 0 {
				at += s.rows
			}
			from := (o*s.rows + at) * s.inner
			for done := 0; done < s.inner; {
				// A stretch of one block: along the axis, or a single element.
				place := (from + done) / d.inner % d.n
				n := 1
				if d.inner == 1 {
					n = min(d.block-place%d.block, d.n-place, s.inner-done, quantPart)
				}
				lead, rest := (from+done)/d.inner/d.n, (from+done)%d.inner
				scale := (lead*d.blocks()+place/d.block)*d.inner + rest
				s.loadScale(one, a.In[2].Data[scale*size:][:size])
				zero := s.middle
				if zeros != nil {
					loadSteps(steps[:1], zeros.Data, s.small, s.zeroAt(lead, place/d.block, scale))
					zero = float32(steps[0])
				}
				loadSteps(steps[:n], a.In[0].Data, s.small, from+done)
				for k, v := range steps[:n] {
					floats[k] = float64((float32(v) - zero) * float32(one[0]))
				}
				s.store(a.Out[0].Data[to*size:][:n*size], floats[:n])
				to, done = to+n, done+n
			}
		}
	}
}

// zeroAt is where a block's zero point is: those of bytes begin a byte with each row.
func (s *gatherBlocks) zeroAt(lead, block, scale int) int {
	bits := s.small.Bits()
	if s.middle == 0 {
		return scale
	}
	return lead*((s.deal.blocks()*bits+7)/8*8/bits) + block
}
