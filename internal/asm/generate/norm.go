package main

import "github.com/normwasm/normwasm/internal/asm"

// normKernels is norm's assembly; norm/kernel.go is its contract.
func normKernels() *asm.File {
	file := asm.NewFile("norm", "wasm && !purego", command,
		"Normalization kernels in SIMD128; kernel.go is their contract.")
	layerNormRows(file)
	addRows(file)
	peak(file)
	batchNormPlanes(file)
	batchNormRows(file)
	rowMoments(file)
	normPlanes(file)
	columnSums(file)
	rowPowers(file)
	rmsNormRows(file)
	siluRows(file)
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
	return file
}

func addRows(file *asm.File) {
	file.Func("func addRows(dst, src, residual *float32, count int)",
		"addRows is dst[i] = src[i] + residual[i]; kernel.go has the loop.",
		func(f *asm.Func) {
			y, x, r, left := f.Ptr("dst"), f.Ptr("src"), f.Ptr("residual"), f.Int("count")
			f.Sweep(asm.Sweep{
				Left: left, Pointers: []asm.Ptr{y, x, r}, Unroll: 4,
				Vector: func(u int) {
					o := int64(16 * u)
					y.StoreV(o, x.V(o).Add(r.V(o)))
				},
				Scalar: func() { y.StoreF32(0, x.F32(0).Add(r.F32(0))) },
			})
		})
}

// peak compares bits: those of a number's magnitude are in its order, NaN's last.
func peak(file *asm.File) {
	file.Func("func peak(src *float32, count int) (bits int)",
		"peak is the bits of the largest |x|; kernel.go has the loop.",
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
