// Package train trains small networks: layers with forward and backward passes, losses
// and optimizers, on the kernels of nn and the normalizations of norm.
//
//	t, err := train.New(train.Options{
//		Input: []int{1, 28, 28},
//		Model: []train.Spec{
//			{Type: "conv2d", Filters: 16, Kernel: 3}, {Type: "batchNorm"}, {Type: "relu"}, {Type: "maxPool2d", Size: 2},
//			{Type: "flatten"}, {Type: "linear", Units: 10},
//		},
//		Loss:      "crossEntropy",
//		Optimizer: train.Optimizer{Type: "sgd", LearningRate: 0.05, Momentum: 0.9},
//		Seed:      1,
//	})
//	r, err := t.Step(train.Batch{N: 64, X: pixels, Labels: digits})
//	…
//	file, err := t.ONNX(false) // for any runtime of ONNX, nn/graph among them
//
// Products are the matrix products and convolutions of nn; what goes forward and back
// between them are nn's element-wise kernels and norm's normalizations. Everything
// random comes of the seed, every sum has a fixed order and no product is contracted
// with a sum, so that the same options and batches give the same bits everywhere. Once
// a batch size has been seen, a step allocates nothing.
//
// Images are [N C H W], sequences [N T D], everything else [N D].
package train
