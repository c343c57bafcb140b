package main

import "github.com/normwasm/normwasm/internal/asm"

// normKernels is norm's assembly; norm/kernel.go is its contract.
func normKernels() *asm.File {
	file := asm.NewFile("norm", "wasm && !purego", command,
		"Normalization kernels in SIMD128; kernel.go is their contract.")
	layerNormRows(file)
	addRows(file)
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
