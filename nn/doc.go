// Package nn has what a small network needs beside the normalizations:
// convolution, matrix product, pooling, activations, softmax, reductions and
// rearrangement of float32 tensors.
//
// Everything works on contiguous row-major slices with explicit sizes. The
// caller (package graph, or a Go program) has checked shapes; the functions
// here index the slices they are given, so a wrong length is a programmer's
// error and panics like any index out of range. Functions that need working
// memory take it as scratch and have a companion that says how many float32
// they want; none allocates in steady state.
//
// Results are bit-identical on every platform and in both the scalar and the
// SIMD build: each kernel's contract (internal/kernel) fixes the order of
// additions, and no product is contracted with a sum.
package nn
