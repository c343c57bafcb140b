// Package norm normalizes tensors: LayerNorm and BatchNorm in float32, with
// statistics that hold on hard data and kernels in WebAssembly SIMD.
//
// # Two normalizations, one formula
//
// Both bring numbers to mean 0 and variance 1, then let the network choose another
// scale and shift for them:
//
//	y = (x - μ)/√(σ² + ε) · γ + β
//
// They differ in which numbers share a mean μ and a variance σ², and in which
// share a scale γ and a shift β. Take activations of 3 examples with 4 features;
// equal letters share statistics:
//
//	            LayerNorm                      BatchNorm
//	         f₀  f₁  f₂  f₃                 f₀  f₁  f₂  f₃
//	x₀     [ a   a   a   a ]  μ₀ σ₀  x₀   [ a   b   c   d ]
//	x₁     [ b   b   b   b ]  μ₁ σ₁  x₁   [ a   b   c   d ]
//	x₂     [ c   c   c   c ]  μ₂ σ₂  x₂   [ a   b   c   d ]
//	         γ₀  γ₁  γ₂  γ₃                 μ₀  μ₁  μ₂  μ₃
//	         β₀  β₁  β₂  β₃                 γ₀  γ₁  γ₂  γ₃  …
//
// LayerNorm looks along an example: it compares an example's features with each
// other. BatchNorm looks down a feature: it compares one feature between examples.
// γ and β belong to the features in both. Images add the axes of space. One mean
// runs over the axes marked ●; there is one for every index along those marked ○:
//
//	N C H W
//	○ ● ● ●   LayerNorm over [1 2 3]: one mean an example
//	○ ● ○ ○   LayerNorm over [1]: one mean a pixel (ConvNeXt)
//	● ○ ● ●   BatchNorm, channel axis 1 (NCHW): one mean a channel
//
//	N H W C
//	○ ○ ○ ●   LayerNorm over [3]: one mean a pixel
//	● ● ● ○   BatchNorm, channel axis 3 (NHWC): one mean a channel
//
// Side by side:
//
//	                     LayerNorm                   BatchNorm
//	statistics from      the data, each time         the batch in training, then frozen:
//	                                                 inference only reads them
//	an example's result  depends on it alone         in training, on the rest of the batch
//	batch of one         like any other              fine in inference, noisy in training
//	in inference         two passes over a row       one multiply-add an element; it can be
//	                                                 folded into the convolution before it
//	sequences            any length                  padding and length disturb it
//	where it lives       transformers, recurrent     convolutional networks
//	                     nets, ConvNeXt
//
// Choose LayerNorm when examples must not see each other, when lengths vary or
// batches are small; BatchNorm in a convolutional network trained with batches of
// about 16 or more, where inference then gets it nearly for nothing.
//
// # What to call
//
//	LayerNormRows    contiguous rows: the bare, allocation-free call
//	NewLayerNorm     any axes of a shape, prepared once, then Forward without allocation
//	LayerNormAxes    the same in one call
//	NewBatchNorm     a shape and its channel axis, optional ReLU or ReLU6; Prepare takes
//	                 the statistics, Apply the data, Forward both
//	BatchNormScale,  the two steps on bare slices
//	BatchNormApply
//
// Arguments come in this order: outputs, cached statistics, inputs, parameters,
// sizes, epsilon. nil leaves out what is optional. Everything is row-major. A
// mistake of the caller's is a [*ShapeError] or a [*ValueError] that gives the
// numbers; nothing has been written then. Dimensions of 0 are legal.
//
// # Numerics
//
// The textbook shortcut E[x²] - E[x]² loses all digits when the mean is large
// against the deviation: in float32, [40000 40001 40002 40003] comes out with a
// variance of 0 or worse. Here
//
//   - Σx is summed in float64. The mean is applied as two float32 numbers, high and
//     low part, so that its rounding does not show (at 1e7 ± 50 it would cost 0.02);
//   - the variance is that of x - K for a K near the mean, taken from sixteen
//     samples, and corrected by (μ - K)²; where the samples misled, a second sweep
//     starts from the mean itself;
//   - rows whose squares overflow or underflow float32 (3e38, denormals) are
//     recognised and taken in float64. A row of equal values gives exactly β;
//   - NaN and ±Inf spoil their own row (LayerNorm) or element (BatchNorm) only.
//
// Measured against exact statistics, the worst over the tests' rows:
//
//	LayerNorm, rows of 2 to 65,536, well-conditioned   3.9 ULP of max(|y|, |γ·x̂|, |β|)
//	LayerNorm, hard rows and random conditioning       4.6e-7 of max(1, |y|)
//	1/√(σ² + ε), all of them                           3.9e-7 relative
//	BatchNorm                                          2.2 ULP of max(|y|, |γ·x̂|, |β|)
//
// The same bits come out natively, in WebAssembly with SIMD and without, whatever
// rows are computed together, wherever they lie in memory and in whichever order
// axes are named: elements are added in one fixed order and products are never
// contracted with sums. (The module's relaxed variant does contract them, and stays
// within the same bounds.)
//
// # Sources
//
// Ba, Kiros, Hinton: Layer Normalization, arXiv:1607.06450. Ioffe, Szegedy: Batch
// Normalization, arXiv:1502.03167. Chan, Golub, LeVeque: Algorithms for Computing
// the Sample Variance, The American Statistician 37 (1983), for the shifted and
// corrected forms.
package norm
