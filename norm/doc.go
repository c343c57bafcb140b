// Package norm normalizes tensors, forward and backward, in float32, with statistics
// that hold on hard data and kernels in WebAssembly SIMD.
//
// # One formula
//
// Nearly all normalizations bring numbers to mean 0 and variance 1, then let the
// network choose another scale and shift for them:
//
//	x̂ = (x - μ)/√(σ² + ε),  y = x̂·γ + β
//
// They differ in which numbers share a mean μ and a variance σ², and in which share a
// scale γ and a shift β. Take activations of 3 examples with 4 features; equal letters
// share statistics:
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
// runs over the axes marked ●; there is one for every index along those marked ○;
// ◐ is an axis in groups of neighbours:
//
//	N C H W
//	● ○ ● ●   BatchNorm: one mean a channel
//	○ ○ ● ●   InstanceNorm: one mean a channel of an example
//	○ ◐ ● ●   GroupNorm: one mean a group of channels of an example
//	○ ● ● ●   LayerNorm over [1 2 3], GroupNorm with one group: one mean an example
//	○ ● ○ ○   LayerNorm over [1]: one mean a pixel (ConvNeXt)
//
//	N H W C
//	● ● ● ○   BatchNorm
//	○ ● ● ○   InstanceNorm
//	○ ● ● ◐   GroupNorm
//	○ ○ ○ ●   LayerNorm over [3]
//
// Of one example with 4 channels of 4 pixels, equal letters share statistics:
//
//	      BatchNorm    InstanceNorm   GroupNorm(2)   LayerNorm
//	c₀    a a a a …    a a a a        a a a a        a a a a
//	c₁    b b b b …    b b b b        a a a a        a a a a
//	c₂    c c c c …    c c c c        b b b b        a a a a
//	c₃    d d d d …    d d d d        b b b b        a a a a
//	      and all other examples      this example only
//
// # The family
//
// With n numbers that share statistics:
//
//	BatchNorm          μ = Σx/n,  σ² = Σ(x-μ)²/n      over the batch and space, by channel
//	LayerNorm          the same                       over chosen axes of an example
//	InstanceNorm       the same                       over space, by example and channel
//	GroupNorm          the same                       over space and a group of channels
//	MeanVarianceNorm   the same, no γ and β           over chosen axes
//	AdaptiveLayerNorm  LayerNorm with γ = 1 + scale and β = shift of each example
//	RMSNorm            y = x/√(Σx²/n + ε)·γ           as LayerNorm, without a mean
//	LpNorm             y = x/max(‖x‖ₚ, ε)             along an axis, p = 1 or 2
//	LocalResponseNorm  y = x/(k + α/s·Σx²)^β          over s neighbouring channels
//	WeightNorm         w = g·v/‖v‖₂                   each row of a weight matrix
//	SpectralNorm       w/σ₁(w)                        a weight matrix, σ₁ its largest
//	                                                  singular value
//
// What each keeps, and what it costs a value, in multiply-adds and in sweeps over memory:
//
//	                   cached for backward     forward           backward
//	BatchNorm          mean, rstd: C           5, 2 reads ²      9, 4 reads ²
//	  inference        –                       1, 1 read         1 (frozen)
//	LayerNorm          mean, rstd: rows        5, 1 read ¹       12, 2 reads ¹
//	GroupNorm          mean, rstd: N·groups    5, 2 reads ²      9, 4 reads ²
//	InstanceNorm       mean, rstd: N·C         5, 2 reads ²      9, 4 reads ²
//	RMSNorm            rstd: rows              3, 1 read ¹       10, 2 reads ¹
//	LpNorm             –                       2, 1 read ¹       6, 2 reads ¹
//	LocalResponseNorm  –                       s + 2 roots       3·s + 2 roots
//	¹ while a row or a block of rows fits the cache; x itself is needed by all of them
//	² half of them in the layout NCHW, while the planes of a group fit the cache
//
// Backward reads x and dy for the sums over a group and again to apply them; of x̂
// nothing is kept, since x, a mean and an rstd give it again.
//
// # When to choose which
//
//	BatchNorm          convolutional networks trained in batches of about 16 or more. In
//	                   inference it is a multiply-add, and FoldBatchNorm makes that
//	                   nothing. Not for sequences of varying length, nor for small batches:
//	                   there, GroupNorm, or BatchNorm synchronised over workers.
//	LayerNorm          transformers and recurrent networks: examples do not see each other,
//	                   any length, a batch of one is like any other.
//	RMSNorm            the same places, with half the statistics; most newer language models.
//	GroupNorm          images in batches of few examples: detection, segmentation,
//	                   diffusion. 32 groups, or 16 channels a group, are usual.
//	InstanceNorm       style transfer and image translation: it takes contrast and
//	                   brightness out of each image.
//	AdaptiveLayerNorm  a transformer that something else steers: time, class, style.
//	LpNorm             embeddings that are compared by their angle.
//	LocalResponseNorm  networks of 2012 to 2014 that have it.
//	WeightNorm         where the data must not be touched, as in reinforcement learning
//	                   and generative models of sound.
//	SpectralNorm       a bound on how much a layer can stretch: discriminators.
//
// # What to call
//
//	LayerNormRows, RMSNormRows    contiguous rows: the bare, allocation-free call
//	NewLayerNorm, NewRMSNorm      any axes of a shape, prepared once: Forward, ForwardSum
//	                              (with the sum of a residual), Backward
//	LayerNormAxes                 the same in one call
//	NewBatchNorm                  inference: a shape and its channel axis, optional activation;
//	                              Prepare takes the statistics, Apply the data
//	BatchNormScale,               the two steps on bare slices
//	BatchNormApply
//	NewBatchNormLayer             training: parameters, running statistics, Forward, Backward
//	NewInstanceNormLayer          InstanceNorm with running statistics
//	NewGroupNorm, NewInstanceNorm a shape and its layout: Forward, Backward
//	NewAdaptiveLayerNorm, NewLpNorm, NewLocalResponseNorm, NewMeanVarianceNorm
//	MergeMoments                  statistics of parts to those of the whole
//	FoldBatchNorm, WeightNorm, NewSpectralNorm   for weights
//
// Arguments come in this order: outputs, cached statistics, inputs, parameters,
// sizes, epsilon. nil leaves out what is optional. Everything is row-major. A
// mistake of the caller's is a [*ShapeError] or a [*ValueError] that gives the
// numbers; nothing has been written then, and no running statistic half updated.
// Dimensions of 0 are legal. The prepared types own their scratch memory, one goroutine
// at a time; none allocates once it has run for a shape.
//
// # Gradients
//
// For everything with x̂, and g = dy·γ:
//
//	dβ = Σ dy,  dγ = Σ dy·x̂                            over what shares γ and β
//	dx = (g - mean(g) - x̂·mean(g·x̂))/√(σ² + ε)        means over what shares statistics
//
// mean(g) is the gradient through μ: a shift of the group changes nothing, so that dx has
// the mean 0. mean(g·x̂) is the one through σ: nor does a scaling, so that dx is
// orthogonal to x̂. RMSNorm and LpNorm have no mean and leave out the first. Statistics
// that do not come from x (running ones) leave out both.
//
// # The frameworks
//
// The names agree, the meanings do not quite:
//
//	                 PyTorch            ONNX               Keras              WebNN
//	BatchNorm
//	  running r      (1-m)·r + m·b      m·r + (1-m)·b      m·r + (1-m)·b      inference only
//	  m, ε           0.1, 1e-5          0.9, 1e-5          0.99, 1e-3         –, 1e-5
//	  running σ²     unbiased           biased             biased             –
//	  m = none       plain average      –                  –                  –
//	  one value      an error           y = β              y = β              –
//	  channel axis   1                  1                  -1, any            1, any
//	LayerNorm
//	  axes           the last ones      axis to the last   -1, any            any, in any order
//	  ε              1e-5               1e-5               1e-3               1e-5
//	GroupNorm
//	  γ and β        by channel         by channel ³       by channel         –
//	  groups, ε      –, 1e-5            –, 1e-5            32, 1e-3           –
//	InstanceNorm
//	  γ and β        none by default    required           GroupNorm with     optional
//	  running stats  optional           –                  groups = -1        –
//	  layout, ε      NC…, 1e-5          NC…, 1e-5          any, 1e-3          NCHW or NHWC, 1e-5
//	RMSNorm
//	  axes, ε        last, 2⁻²³ ⁴       axis to last, 1e-5 -1, 1e-6           –
//	LRN
//	  inside         k + α/s·Σx²        k + α/s·Σx²        k + α·Σx² ⁵        –
//	Lp
//	  denominator    max(‖x‖, 1e-12)    ‖x‖, 0 gives 0     √max(‖x‖², 1e-12)  –
//	³ since opset 21; by group in opset 18   ⁴ the type's machine epsilon   ⁵ tf.nn
//
// [Framework] chooses the meaning for [BatchNormLayer]; the batch itself is normalized
// with its biased variance everywhere.
//
// # Numerics
//
// The textbook shortcut E[x²] - E[x]² loses all digits when the mean is large
// against the deviation: in float32, [40000 40001 40002 40003] comes out with a
// variance of 0 or worse. Here
//
//   - Σx and Σx² are summed in float64, where the square of a float32 is exact. The
//     variance is their difference as long as the mean is not 64 deviations away; beyond
//     that a second sweep sums x - K and (x - K)² for a K next to the mean;
//   - what the mean lacks in float32 goes with the shift, so that its rounding does not
//     show (at 1e7 ± 50 it would cost 0.02). A backward pass whose cache holds the rounded
//     mean finds the rest in the data: it is what the mean of x̂ lacks to 0;
//   - statistics of parts (planes of a channel, columns of a group, batches of workers)
//     are float64 and merged by Chan's formula, which subtracts nothing large;
//   - rows and channels whose deviations or parameters float32 does not carry (3e38,
//     denormals) are recognised and taken in float64, forward and backward. Equal
//     values give exactly β;
//   - dx is what g has beside multiples of 1 and x̂. Where that is less than a
//     hundredth of them, as in the gradients of Σy² and Σy, the group is taken in float64;
//   - NaN and ±Inf affect only the elements that share statistics with them, and in
//     inference only themselves.
//
// Measured against exact statistics, the worst over the tests' rows of 2 to 65,536
// elements (well-conditioned: y in ULP of max(|y|, |γ·x̂|, |β|)) and hard rows (y in
// max(1, |y|); 1e7 ± 50, 1e4 ± 0.5, denormals, ±3e38, mixtures):
//
//	                      y, well-conditioned   y, hard rows   1/√(σ² + ε)   dx ⁶
//	LayerNorm             3.9 ULP ⁷             2.6e-7         6.4e-8        2.5e-7
//	RMSNorm               2.6 ULP               1.1e-7         9.5e-8        2.5e-7
//	BatchNorm, training   2.3 ULP               1.8e-7         6.4e-8        6.4e-7
//	BatchNorm, inference  2.2 ULP               –              –             –
//	GroupNorm             2.3 ULP               1.8e-7         6.4e-8        6.4e-7
//	InstanceNorm          3.9 ULP ⁷             1.8e-7         6.4e-8        6.4e-7
//	LocalResponseNorm     0.5 ULP               0.5 ULP        –             –
//	LpNorm                1.7 ULP               1.2 ULP        –             –
//	⁶ relative to its largest term, hard rows included. Relative to the largest |dx| of a
//	  group the promise is 1e-4, whatever cancels (3e-5 over the tests' rows); central
//	  differences of the float64 formula agree to 1.1e-5 in every mode
//	⁷ in the middle of a ramp, where y is 2e-10 and float64's mean shows; 3.2 elsewhere.
//	  Of 5·10⁷ drawn values, with parameters, one was off by 4.05
//
// The same bits come out natively, in WebAssembly with SIMD and without, whatever
// rows are computed together, wherever they lie in memory and in whichever order
// axes are named: elements are added in one fixed order and products are never
// contracted with sums. (The module's relaxed variant does contract them, and stays
// within the same bounds.) The one exception is LocalResponseNorm with another β than
// 0.5, 0.75 and 1, whose last bit is math.Pow's.
//
// # Sources
//
// Ba, Kiros, Hinton: Layer Normalization, arXiv:1607.06450. Ioffe, Szegedy: Batch
// Normalization, arXiv:1502.03167. Wu, He: Group Normalization, arXiv:1803.08494.
// Ulyanov, Vedaldi, Lempitsky: Instance Normalization, arXiv:1607.08022. Zhang,
// Sennrich: Root Mean Square Layer Normalization, arXiv:1910.07467. Wu, Johnson:
// Rethinking "Batch" in BatchNorm, arXiv:2105.07576. Chan, Golub, LeVeque: Algorithms
// for Computing the Sample Variance, The American Statistician 37 (1983), for the
// shifted, corrected and merged forms. The others are named where they are used.
package norm
