package main

import "github.com/normwasm/normwasm/internal/asm"

// normalizations writes the kernels of norm.
func normalizations(file *asm.File) {
	layerNormRows(file)
	peak(file)
	batchNormPlanes(file)
	batchNormRows(file)
	rowMoments(file)
	normPlanes(file)
	columnSums(file)
	rowPowers(file)
	rmsNormRows(file)
	rowProducts(file)
	gradPlanes(file)
	gradRows(file)
	columnProducts(file)
	rowGradients(file)
	rowProductsExact(file)
	gradPlanesExact(file)
	columnProductsExact(file)
	gradRowsExact(file)
	responseBlock(file)
	responseGradBlock(file)
}

// peak compares bits: those of a number's magnitude are in its order, NaN's last.
func peak(file *asm.File) {
	file.Func("func Peak(src *float32, count int) (bits int)",
		"Peak is the bits of the largest |x|; its twin has the loop.",
		func(f *asm.Func) {
			x, left, bits, e := f.Ptr("src"), f.Int("count"), f.NewInt("bits"), f.NewInt("e")
			m, mask := f.NewVs("m", 4), f.NewV("mask")
			for _, v := range m {
				v.Set(f.ZeroV())
			}
			mask.Set(f.ConstBits(1<<31 - 1))
			f.Sweep(asm.Sweep{
				Left: left, Pointers: []asm.Ptr{x}, Unroll: len(m),
				Vector: func(u int) { m[u].Set(m[u].MaxI32(x.V(int64(16 * u)).And(mask))) },
			})
			take := func() { bits.Set(e.If(bits.Lt(e), bits)) }
			m[0].Set(m[0].MaxI32(m[1]).MaxI32(m[2].MaxI32(m[3])))
			for lane := range 4 {
				e.Set(m[0].LaneI32(lane))
				take()
			}
			f.Take(left, 1, func() {
				e.Set(x.Int32(0).And(1<<31 - 1))
				take()
				x.Advance(4)
			})
			f.Return(bits)
		})
}
