// Package compute has the operations of networks on slices with explicit sizes:
// convolution, matrix product, pooling, activations, softmax, reductions and
// rearrangement of float32 tensors, made of the kernels.
//
// Nothing is checked here. Who calls (the engine, training, or package nn, which is the
// checked face of it) has checked shapes; a wrong length panics like any index out of
// range, or reads what it should not. Functions that need working memory take it as
// scratch and have a companion that says how many float32 they want; none allocates in
// steady state.
//
// Results are bit-identical on every platform and in both the scalar and the SIMD build:
// each kernel's contract (internal/kernel) fixes the order of additions, and no product is
// contracted with a sum.
package compute
