// Package kernel has the loops that everything else is made of: unchecked, allocation-free
// functions over whole blocks of rows. Each exists
//
//   - in Go, compiled everywhere, as xxxScalar: its twin;
//   - in wasm SIMD128 (kernel_wasm.s, generated; kernel_wasm.go declares them);
//   - under its exported name on every target: the assembly in wasm, a forward to the
//     twin elsewhere and under the tag purego (kernel_other.go, generated as well).
//
// The comment above a twin is the kernel's contract, under its exported name: what the
// loop computes, addition by addition, and what it promises. Both give the same bits: an
// element goes to the same lane, lanes are folded in the same tree, and every product is
// rounded before it is added. Only NaNs may differ, in sign and payload. In the loops
// "lanewise" is one vector operation, sums are written with all their parentheses, f32
// and f64 say in which type an operation rounds, and max and min are those of f32x4.max
// and f32x4.min: NaN wins, -0 < +0.
//
// What holds for all of them, unless the contract says otherwise:
//
//   - Pointers need the alignment of their elements only, 4 bytes for float32.
//   - Offsets, steps and leading dimensions count elements.
//   - A size is never negative. One of 0 does nothing where the kernel comes from a
//     network's layers (product.go, elementwise.go, rows.go, image.go, training.go); the
//     kernels of the normalizations are given sizes of at least 1.
//   - A result may be exactly an operand of the same shape in the kernels of the
//     normalizations and in elementwise.go, and overlaps none otherwise.
//   - What becomes of an element depends on its own row, never on its neighbours, its
//     position in the call or its address.
//
// Nothing here checks anything: norm and nn do, before they call.
package kernel

import "unsafe"

// slice is n elements from p on, and nil for nil. Its code in each twin would be a hundredth
// of the scalar module.
//
//go:noinline
func slice[T any](p *T, n int) []T {
	if p == nil {
		return nil
	}
	return unsafe.Slice(p, max(n, 0))
}

// Ptr is the address that a kernel takes for s.
func Ptr[T any](s []T) *T { return unsafe.SliceData(s) }

// Span is the number of elements that rows of n elements touch, ld apart.
func Span(rows, ld, n int) int {
	if rows <= 0 || n <= 0 {
		return 0
	}
	return (rows-1)*ld + n
}

// RoundUp is the least multiple of to that is not below n.
func RoundUp(n, to int) int { return (n + to - 1) / to * to }
