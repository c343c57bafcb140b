package main

import "github.com/normwasm/normwasm/internal/asm"

// integers writes a function an integer instruction, and a small kernel made of them.
func integers(file *asm.File) {
	for _, op := range []struct {
		name string
		of   func(v, w asm.V) asm.V
	}{
		{"dotI16", asm.V.DotI16},
		{"mulLowI8", asm.V.MulLowI8}, {"mulHighI8", asm.V.MulHighI8}, {"mulLowU8", asm.V.MulLowU8}, {"mulHighU8", asm.V.MulHighU8},
		{"mulLowI16", asm.V.MulLowI16}, {"mulHighI16", asm.V.MulHighI16}, {"mulLowU16", asm.V.MulLowU16}, {"mulHighU16", asm.V.MulHighU16},
		{"narrowI32", asm.V.NarrowI32}, {"narrowU32", asm.V.NarrowU32}, {"narrowI16", asm.V.NarrowI16}, {"narrowU16", asm.V.NarrowU16},
		{"addI8", asm.V.AddI8}, {"subI8", asm.V.SubI8},
		{"addI16", asm.V.AddI16}, {"subI16", asm.V.SubI16}, {"mulI16", asm.V.MulI16}, {"minI16", asm.V.MinI16}, {"maxI16", asm.V.MaxI16},
		{"addI32", asm.V.AddI32}, {"subI32", asm.V.SubI32}, {"mulI32", asm.V.MulI32}, {"minI32", asm.V.MinI32}, {"maxI32", asm.V.MaxI32},
		{"eqI32", asm.V.EqI32}, {"gtI32", asm.V.GtI32}, {"ltI32", asm.V.LtI32},
	} {
		file.Func("func "+op.name+"(dst, left, right *byte)", op.name+" is one instruction, of 16 bytes each.", func(f *asm.Func) {
			f.Ptr("dst").StoreV(0, op.of(f.Ptr("left").V(0), f.Ptr("right").V(0)))
		})
	}
	for _, op := range []struct {
		name string
		of   func(v asm.V) asm.V
	}{
		{"extendLowI8", asm.V.ExtendLowI8}, {"extendHighI8", asm.V.ExtendHighI8}, {"extendLowU8", asm.V.ExtendLowU8}, {"extendHighU8", asm.V.ExtendHighU8},
		{"extendLowI16", asm.V.ExtendLowI16}, {"extendHighI16", asm.V.ExtendHighI16}, {"extendLowU16", asm.V.ExtendLowU16}, {"extendHighU16", asm.V.ExtendHighU16},
		{"pairsI8", asm.V.PairsI8}, {"pairsU8", asm.V.PairsU8}, {"pairsI16", asm.V.PairsI16}, {"pairsU16", asm.V.PairsU16},
		{"absI32", asm.V.AbsI32}, {"negI32", asm.V.NegI32},
		{"shlI16", func(v asm.V) asm.V { return v.ShlI16(3) }}, {"shrI16", func(v asm.V) asm.V { return v.ShrI16(3) }}, {"shrU16", func(v asm.V) asm.V { return v.ShrU16(3) }},
		{"shlI32", func(v asm.V) asm.V { return v.ShlI32(5) }}, {"shrI32", func(v asm.V) asm.V { return v.ShrI32(5) }}, {"shrU32", func(v asm.V) asm.V { return v.ShrU32(5) }},
		{"convertI32", asm.V.ConvertI32}, {"convertU32", asm.V.ConvertU32}, {"truncI32", asm.V.TruncI32}, {"truncU32", asm.V.TruncU32},
	} {
		file.Func("func "+op.name+"(dst, src *byte)", op.name+" is one instruction, of 16 bytes.", func(f *asm.Func) {
			f.Ptr("dst").StoreV(0, op.of(f.Ptr("src").V(0)))
		})
	}
	for _, load := range []struct {
		name string
		of   func(p asm.Ptr, offset int64) asm.V
	}{
		{"loadsI8", asm.Ptr.ExtendI8}, {"loadsU8", asm.Ptr.ExtendU8}, {"loadsI16", asm.Ptr.ExtendI16}, {"loadsU16", asm.Ptr.ExtendU16}, {"loads64", asm.Ptr.Splat64},
	} {
		file.Func("func "+load.name+"(dst, src *byte)", load.name+" is an extending load at each offset up to 259, 16 bytes of dst each.", func(f *asm.Func) {
			y, x := f.Ptr("dst"), f.Ptr("src")
			for offset := range int64(260) {
				y.StoreV(16*offset, load.of(x, offset))
			}
		})
	}
	file.Func("func integerScalars(dst, src *byte, number int)",
		"integerScalars is loads, splats, lanes and stores of single integers.",
		func(f *asm.Func) {
			y, x, n, v := f.Ptr("dst"), f.Ptr("src"), f.Int("number"), f.NewV("v")
			y.StoreV(0, n.SplatI8())
			y.StoreV(16, n.SplatI16())
			y.StoreV(32, n.SplatI32())
			y.StoreV(48, f.ConstI8(-3))
			y.StoreV(64, f.ConstI16(-300))
			y.StoreInt32(80, x.Int8(1))
			y.StoreInt32(84, x.Uint8(1))
			y.StoreInt32(88, x.Int16(2))
			y.StoreInt32(92, x.Uint16(2))
			v.Set(x.V(0))
			y.StoreInt8(96, n)
			y.StoreInt16(98, n)
			y.StoreInt32(100, v.LaneI8(5))
			y.StoreInt32(104, v.LaneI16(3))
			y.StoreInt32(108, v.Sum4I32())
			y.StoreHalf(112, v)
		})
	dotRows(file)
}

// dotRows takes sixteen products of a row at a time into two accumulators, then eight,
// then one.
func dotRows(file *asm.File) {
	file.Func("func dotRows(dst *int32, left, right *int8, rows, depth int)",
		"dotRows is dst[r] = the sum of left[r*depth+t] * right[t], as int32; dotRowsScalar is its twin.",
		func(f *asm.Func) {
			y, a, rows := f.Ptr("dst"), f.Ptr("left"), f.Int("rows")
			b, left, total := f.NewPtr("b"), f.NewInt("left"), f.NewInt("total")
			sum := f.NewVs("sum", 2)
			eight := func(u int) {
				o := int64(8 * u)
				sum[u].Set(sum[u].AddI32(a.ExtendI8(o).DotI16(b.ExtendI8(o))))
			}
			advance := func(n int64) {
				a.Advance(n)
				b.Advance(n)
			}
			f.Take(rows, 1, func() {
				b.Set(f.ArgPtr("right"))
				left.Set(f.ArgInt("depth"))
				for _, s := range sum {
					s.Set(f.ZeroV())
				}
				f.Take(left, 16, func() {
					eight(0)
					eight(1)
					advance(16)
				})
				f.Take(left, 8, func() {
					eight(0)
					advance(8)
				})
				sum[0].Set(sum[0].AddI32(sum[1]))
				total.Set(sum[0].Sum4I32())
				f.Take(left, 1, func() {
					total.Set(total.Add(a.Int8(0).Mul(b.Int8(0))))
					advance(1)
				})
				y.StoreInt32(0, total)
				y.Advance(4)
			})
		})
}
