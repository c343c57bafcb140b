// Package nn has what a small network needs beside the normalizations:
// convolution, matrix product, pooling, activations, softmax, reductions and
// rearrangement of float32 tensors, and the pixels of images as input.
//
// Everything works on contiguous row-major slices with explicit sizes, and checks
// them before it touches memory: what does not fit is a *ShapeError or a
// *ValueError that names the operation, the argument, what it was and what it must
// be. Nothing panics on a wrong length. Functions that need working memory take it
// as scratch and have a companion that says how many float32 they want; none
// allocates as much as its operands.
//
// Results are bit-identical on every platform and in both the scalar and the
// SIMD build: each kernel's contract (internal/kernel) fixes the order of
// additions, and no product is contracted with a sum.
package nn
