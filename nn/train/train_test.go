package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var sgd = Optimizer{Type: "sgd", LearningRate: 0.1, Momentum: 0.9, WeightDecay: 0.01}

func small(o Options) Options {
	if o.Input == nil {
		o.Input = []int{2, 6, 6}
		o.Model = []Spec{{Type: "conv2d", Filters: 4, Kernel: 3}, {Type: "batchNorm"}, {Type: "relu"}, {Type: "maxPool2d", Size: 2},
			{Type: "dropout", Rate: 0.25}, {Type: "flatten"}, {Type: "linear", Units: 3}}
	}
	if o.Loss == "" {
		o.Loss = "crossEntropy"
	}
	if o.Optimizer.Type == "" {
		o.Optimizer = sgd
	}
	return o
}

func made(t testing.TB, o Options) *Trainer {
	t.Helper()
	tr, err := New(small(o))
	require.NoError(t, err)
	return tr
}

func values(t *Trainer) (all [][]float32) {
	for _, p := range t.params {
		all = append(all, append([]float32(nil), p.Value...), append([]float32(nil), p.m...), append([]float32(nil), p.v...))
	}
	for _, l := range t.norms {
		all = append(all, append([]float32(nil), l.layer.RunningMean...), append([]float32(nil), l.layer.RunningVar...), []float32{float32(l.layer.Batches)})
	}
	return all
}

func TestSeeds(t *testing.T) {
	run := func(seed uint64) [][]float32 {
		tr := made(t, Options{Seed: seed})
		for i := range 5 {
			_, err := tr.Step(batchFor(tr, 4, uint64(i)))
			require.NoError(t, err)
		}
		return values(tr)
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
}

// Each network learns a batch by heart.
func TestLearns(t *testing.T) {
	for name, o := range networks {
		for _, optimizer := range []Optimizer{{Type: "sgd", LearningRate: 0.05, Momentum: 0.9}, {Type: "adamw", LearningRate: 0.01}} {
			if testing.Short() && optimizer.Type == "sgd" {
				continue
			}
			t.Run(name+", "+optimizer.Type, func(t *testing.T) {
				o.Optimizer, o.Loss, o.Clip = optimizer, "crossEntropy", 5
				tr, err := New(o)
				require.NoError(t, err)
				b := batchFor(tr, 6, 11)
				first, err := tr.Step(b)
				require.NoError(t, err)
				var last Result
				for range 150 {
					last, err = tr.Step(b)
					require.NoError(t, err)
				}
				require.Less(t, last.Loss, 0.6*first.Loss)
			})
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for name, o := range networks {
		for _, optimizer := range []string{"sgd", "adamw"} {
			o.Optimizer, o.Loss = Optimizer{Type: optimizer, LearningRate: 0.001, Momentum: 0.5}, "crossEntropy"
			tr, err := New(o)
			require.NoError(t, err)
			b := batchFor(tr, 4, 3)
			step := func() {
				if _, err := tr.Step(b); err != nil {
					t.Fatal(err)
				}
			}
			step()
			if a := testing.AllocsPerRun(5, step); a > 0 {
				t.Errorf("%s: %v allocations", name, a)
			}
		}
	}
}

// The optimizers by their formulas, in float64.
func TestOptimizers(t *testing.T) {
	for _, o := range []Optimizer{{Type: "sgd", LearningRate: 0.1}, {Type: "sgd", LearningRate: 0.1, WeightDecay: 0.1}, sgd,
		{Type: "adamw", LearningRate: 0.01, WeightDecay: 0.1}, {Type: "adamw", LearningRate: 0.01, Beta1: 0.5, Beta2: 0.9}} {
		tr := made(t, Options{Input: []int{3}, Model: []Spec{{Type: "linear", Units: 4}}, Loss: "meanSquaredError", Optimizer: o, Clip: 0.5})
		o = tr.options.Optimizer // with its defaults
		w, m, v := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		for _, p := range tr.params {
			w[p.Name] = newReference(tr).params[p.Name]
			m[p.Name], v[p.Name] = make([]float64, len(p.Value)), make([]float64, len(p.Value))
		}
		for step := range 8 {
			r, err := tr.Step(batchFor(tr, 5, uint64(step)))
			require.NoError(t, err)
			by := math.Min(1, 0.5/r.GradientNorm)
			for _, p := range tr.params {
				decay := o.WeightDecay
				if p.Name == "0.bias" {
					decay = 0
				}
				w, m, v := w[p.Name], m[p.Name], v[p.Name]
				for i := range w {
					g := float64(p.Grad[i]) * by
					if o.Type == "sgd" {
						m[i] = o.Momentum*m[i] + g + decay*w[i]
						w[i] -= o.LearningRate * m[i]
						continue
					}
					m[i] = o.Beta1*m[i] + (1-o.Beta1)*g
					v[i] = o.Beta2*v[i] + (1-o.Beta2)*g*g
					mhat, vhat := m[i]/(1-math.Pow(o.Beta1, float64(step+1))), v[i]/(1-math.Pow(o.Beta2, float64(step+1)))
					w[i] -= o.LearningRate * (mhat/(math.Sqrt(vhat)+1e-8) + decay*w[i])
				}
				for i := range w {
					require.InDelta(t, w[i], p.Value[i], 1e-6, "%s after step %d with %s", p.Name, step, o.Type)
				}
			}
		}
	}
}

func TestSchedule(t *testing.T) {
	s := Schedule{Warmup: 4, Decay: "cosine", Steps: 104}
	for step, want := range map[int]float64{0: 0.25, 3: 1, 4: 1, 29: 0.5 + math.Sqrt2/4, 54: 0.5, 79: 0.5 - math.Sqrt2/4, 104: 0, 1000: 0} {
		require.InDelta(t, want, s.factor(step), 1e-12, step)
	}
	for i := range 101 {
		require.InDelta(t, math.Cos(math.Pi*float64(i)/100), cosine(float64(i)/100), 1e-12, i)
	}
}

func TestEvaluate(t *testing.T) {
	tr := made(t, Options{})
	b := batchFor(tr, 8, 1)
	for range 20 {
		_, err := tr.Step(b)
		require.NoError(t, err)
	}
	before := values(tr)
	running, err := tr.Evaluate(b, false)
	require.NoError(t, err)
	whole := append([]float32(nil), running.Outputs...)
	batch, err := tr.Evaluate(b, true)
	require.NoError(t, err)
	require.NotEqual(t, whole, batch.Outputs, "batch statistics are others")
	require.Equal(t, before, values(tr), "nothing was learnt")
	// With running statistics an example does not depend on its neighbours.
	one, err := tr.Evaluate(Batch{N: 1, X: b.X[:72], Labels: b.Labels[:1]}, false)
	require.NoError(t, err)
	require.Equal(t, whole[:3], one.Outputs)
}

func TestDropoutAndNoise(t *testing.T) {
	p := &pass{n: 1, train: true, rand: &random{state: 1}}
	x := make([]float32, 1<<16)
	for i := range x {
		x[i] = 1
	}
	drop := &dropout{rate: 0.25}
	y, _ := drop.forward(p, x)
	zeros, sum := 0, 0.0
	for _, v := range y {
		if v == 0 {
			zeros++
		} else {
			require.Equal(t, float32(4.0/3), v)
		}
		sum += float64(v)
	}
	require.InDelta(t, 0.25, float64(zeros)/float64(len(x)), 0.01)
	require.InDelta(t, 1, sum/float64(len(x)), 0.01)
	dx, _ := drop.backward(p, append([]float32(nil), x...))
	require.Equal(t, y, dx, "the same elements")

	y, _ = (&noise{mean: 2, std: 3}).forward(p, x)
	mu, square := 0.0, 0.0
	for _, v := range y {
		mu += float64(v) / float64(len(y))
	}
	for _, v := range y {
		square += (float64(v) - mu) * (float64(v) - mu) / float64(len(y))
	}
	require.InDelta(t, 3, mu, 0.05)
	require.InDelta(t, 3, math.Sqrt(square), 0.05)
	p.train = false
	y, _ = drop.forward(p, x)
	require.Equal(t, x, y)
}

func TestMistakes(t *testing.T) {
	image, row := []int{1, 8, 8}, []int{4}
	wrong := -1.0
	for name, c := range map[string]struct {
		o    Options
		text string
	}{
		"unknown type":         {Options{Input: row, Model: []Spec{{Type: "conv3d"}}}, `train: layer 0: there is no type "conv3d"`},
		"linear of an image":   {Options{Input: image, Model: []Spec{{Type: "relu"}, {Type: "linear", Units: 3}}}, "train: layer 1 (linear): input is [1 8 8], want [D] or [T D]; flatten or globalAveragePool comes before"},
		"conv of a row":        {Options{Input: row, Model: []Spec{{Type: "conv2d", Filters: 3, Kernel: 3}}}, "train: layer 0 (conv2d): input is [4], want [C H W]"},
		"no filters":           {Options{Input: image, Model: []Spec{{Type: "conv2d", Kernel: 3}}}, "train: layer 0 (conv2d): filters is 0, want at least 1"},
		"groups":               {Options{Input: image, Model: []Spec{{Type: "conv2d", Filters: 3, Kernel: 3, Groups: 2}}}, "train: layer 0 (conv2d): groups is 2, which does not divide 1 channels and 3 filters"},
		"large kernel":         {Options{Input: image, Model: []Spec{{Type: "conv2d", Filters: 3, Kernel: 9, Padding: "valid"}}}, "train: layer 0 (conv2d): its kernel of 9 is larger than the input [1 8 8]"},
		"padding":              {Options{Input: image, Model: []Spec{{Type: "conv2d", Filters: 3, Kernel: 3, Padding: "full"}}}, `train: layer 0 (conv2d): padding is "full", want "same" or "valid"`},
		"large window":         {Options{Input: image, Model: []Spec{{Type: "maxPool2d", Size: 9}}}, "train: layer 0 (maxPool2d): its windows of 9 are larger than the input [1 8 8]"},
		"heads":                {Options{Input: []int{3, 8}, Model: []Spec{{Type: "attention", Heads: 3}}}, "train: layer 0 (attention): heads is 3, which does not divide a width of 8"},
		"groups of channels":   {Options{Input: image, Model: []Spec{{Type: "groupNorm", Groups: 3}}}, "train: layer 0 (groupNorm): groups is 3, which does not divide 1 channels"},
		"instanceNorm of rows": {Options{Input: row, Model: []Spec{{Type: "instanceNorm"}}}, "train: layer 0 (instanceNorm): input is [4], want [C H W] or [T D]: a channel of one number has no variance"},
		"residual":             {Options{Input: row, Model: []Spec{{Type: "relu"}, {Type: "residual", Body: []Spec{{Type: "linear", Units: 5}}}}}, "train: layer 1 (residual): its body makes [5] of [4], and the two are added"},
		"in a residual":        {Options{Input: row, Model: []Spec{{Type: "residual", Body: []Spec{{Type: "tanh"}, {Type: "linear"}}}}}, "train: layer 0.1 (linear): units is 0, want at least 1"},
		"embedding":            {Options{Input: row, Model: []Spec{{Type: "relu"}, {Type: "embedding"}}}, "train: layer 1 (embedding): it reads tokens, and must be the first layer"},
		"preset":               {Options{Input: row, Model: []Spec{{Type: "batchNorm", Preset: "torch"}}}, `train: layer 0 (batchNorm): preset is "torch", want "pytorch", "onnx" or "keras"`},
		"epsilon":              {Options{Input: row, Model: []Spec{{Type: "layerNorm", Epsilon: &wrong}}}, "train: layer 0 (layerNorm): epsilon is -1, want a finite number of at least 0"},
		"rate":                 {Options{Input: row, Model: []Spec{{Type: "dropout", Rate: 1}}}, "train: layer 0 (dropout): rate is 1, want at least 0 and below 1"},
		"no layers":            {Options{Input: row}, "train: the model has no layers"},
		"input":                {Options{Input: []int{1, 2, 3, 4}, Model: []Spec{{Type: "relu"}}}, "train: input is [1 2 3 4], want [D], [T D] or [C H W], without the batch"},
		"loss":                 {Options{Input: row, Model: []Spec{{Type: "relu"}}, Loss: "hinge"}, `train: loss is "hinge", want "crossEntropy" or "meanSquaredError"`},
		"classes of an image":  {Options{Input: image, Model: []Spec{{Type: "relu"}}}, "train: the model's output is [1 8 8], and crossEntropy wants [classes] or [T classes]"},
		"optimizer":            {Options{Input: row, Model: []Spec{{Type: "relu"}}, Optimizer: Optimizer{Type: "adam"}}, `train: optimizer is "adam", want "sgd" or "adamw"`},
		"learning rate":        {Options{Input: row, Model: []Spec{{Type: "relu"}}, Optimizer: Optimizer{Type: "sgd", LearningRate: -1}}, "train: learningRate is -1, want at least 0 and below +Inf"},
		"schedule":             {Options{Input: row, Model: []Spec{{Type: "relu"}}, Schedule: Schedule{Decay: "cosine"}}, "train: schedule: a cosine ends at steps, which is 0 and must be more than warmup, 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.o.Loss == "" {
				c.o.Loss = "crossEntropy"
			}
			if c.o.Optimizer.Type == "" {
				c.o.Optimizer = sgd
			}
			_, err := New(c.o)
			require.EqualError(t, err, c.text)
		})
	}
}

func TestWrongBatches(t *testing.T) {
	tr := made(t, Options{})
	text := made(t, Options{Input: []int{5}, Model: []Spec{{Type: "embedding", Vocabulary: 4, Width: 3}, {Type: "linear", Units: 3}}})
	squares := made(t, Options{Input: []int{2}, Model: []Spec{{Type: "linear", Units: 3}}, Loss: "meanSquaredError"})
	alone := made(t, Options{Input: []int{2}, Model: []Spec{{Type: "batchNorm"}, {Type: "linear", Units: 3}}})
	good := batchFor(tr, 2, 1)
	before := values(tr)
	for _, c := range []struct {
		t    *Trainer
		b    Batch
		text string
	}{
		{tr, Batch{}, "train: the batch has 0 examples, want at least 1"},
		{tr, Batch{N: 2, X: good.X[:100], Labels: good.Labels}, "train: the batch's x has 100 elements, want [2 2 6 6]"},
		{tr, Batch{N: 2, X: good.X, Labels: good.Labels[:1]}, "train: the batch has 1 labels, want [2]"},
		{tr, Batch{N: 2, X: good.X, Labels: []int32{0, 3}}, "train: label 1 is 3, and there are the classes 0 to 2"},
		{tr, Batch{N: 2, X: good.X, Labels: []int32{-1, 0}}, "train: label 0 is -1, and there are the classes 0 to 2"},
		{text, Batch{N: 1, Tokens: make([]int32, 4)}, "train: the batch has 4 tokens, want [1 5]"},
		{text, Batch{N: 1, Tokens: []int32{0, 0, 0, 4, 0}, Labels: make([]int32, 5)}, "train: token 3 of example 0 is 4, and the vocabulary has 0 to 3"},
		{text, Batch{N: 1, Tokens: make([]int32, 5), Labels: make([]int32, 1)}, "train: the batch has 1 labels, want [1 5]"},
		{squares, Batch{N: 1, X: make([]float32, 2), Targets: make([]float32, 2)}, "train: the batch's y has 2 elements, want [1 3]"},
	} {
		_, err := c.t.Step(c.b)
		require.EqualError(t, err, c.text)
		_, err = c.t.Evaluate(c.b, false)
		require.EqualError(t, err, c.text)
	}
	// One value a channel has no variance that PyTorch would take.
	_, err := alone.Step(Batch{N: 1, X: make([]float32, 2), Labels: make([]int32, 1)})
	require.ErrorContains(t, err, "train: layer 0 batchNorm: ")
	require.Equal(t, before, values(tr))
	require.Zero(t, tr.Steps())
}

func TestNotFinite(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		damage      func(tr *Trainer, b *Batch)
		what, layer string
	}{
		"in the batch":     {func(_ *Trainer, b *Batch) { b.X[7] = nan }, "x", "input"},
		"infinite":         {func(_ *Trainer, b *Batch) { b.X[7] = float32(math.Inf(1)) }, "x", "input"},
		"in a convolution": {func(tr *Trainer, _ *Batch) { tr.params[0].Value[3] = nan }, "loss", "0 conv2d"},
		"in a norm":        {func(tr *Trainer, _ *Batch) { tr.params[2].Value[1] = nan }, "loss", "1 batchNorm"},
		"overflow":         {func(tr *Trainer, _ *Batch) { tr.params[len(tr.params)-1].Value[0] = float32(math.Inf(1)) }, "loss", "6 linear"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := made(t, Options{Optimizer: Optimizer{Type: "adamw", LearningRate: 0.01}})
			b := batchFor(tr, 4, 1)
			_, err := tr.Step(b)
			require.NoError(t, err)
			c.damage(tr, &b)
			before, random := values(tr), tr.rand
			_, err = tr.Step(b)
			var e *NonFiniteError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.layer, e.Layer, err)
			require.Equal(t, c.what, e.What)
			require.Equal(t, random, tr.rand)
			require.Equal(t, 1, tr.Steps())
			for i, list := range values(tr) { // NaN is not equal to itself
				for j, v := range list {
					require.Equal(t, math.Float32bits(before[i][j]), math.Float32bits(v))
				}
			}
		})
	}
}

// A loss may be finite, being computed in float64, when a gradient is not.
func TestGradientNotFinite(t *testing.T) {
	tr := made(t, Options{Input: []int{1}, Model: []Spec{{Type: "linear", Units: 2}, {Type: "linear", Units: 1}}, Loss: "meanSquaredError"})
	before := values(tr)
	_, err := tr.Step(Batch{N: 1, X: []float32{1e20}, Targets: []float32{0}})
	var e *NonFiniteError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "gradient", e.What)
	require.Contains(t, []string{"0 linear", "1 linear"}, e.Layer)
	require.ErrorContains(t, err, "train: the gradient is not finite any more: it began in layer ")
	require.Equal(t, before, values(tr))
	require.Zero(t, tr.Steps())
}

// Every build gives the same bits: natively, as WebAssembly with SIMD, and without.
func TestSameBits(t *testing.T) {
	digest := uint64(14695981039346656037) // FNV-1a
	for _, name := range []string{"conv2d", "conv2d, strides", "conv2d, groups", "activations", "pools", "batchNorm of images", "layerNorm", "groupNorm", "residual", "transformer", "gru", "dynamicTanh"} {
		for _, optimizer := range []string{"sgd", "adamw"} {
			o := networks[name]
			o.Optimizer, o.Loss = Optimizer{Type: optimizer, LearningRate: 0.01, Momentum: 0.9, WeightDecay: 0.01}, "crossEntropy"
			o.Schedule, o.Clip = Schedule{Warmup: 2, Decay: "cosine", Steps: 12}, 1
			tr, err := New(o)
			require.NoError(t, err)
			for i := range 10 {
				_, err := tr.Step(batchFor(tr, 3, uint64(i)))
				require.NoError(t, err)
			}
			for _, list := range values(tr) {
				for _, v := range list {
					digest = (digest ^ uint64(math.Float32bits(v))) * 1099511628211
				}
			}
		}
	}
	require.Equal(t, uint64(0x61dd41d51dbacdb6), digest)
}
