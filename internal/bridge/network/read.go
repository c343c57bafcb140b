package network

import "github.com/normwasm/normwasm/nn/train"

// Reader reads the options of an object of JavaScript's. The first failure sticks. A method
// returns otherwise for an option that is left out, and after a failure.
//
// The functions below read every option that there is, and no other: with a Reader that takes
// notes, internal/bridge/generate has their names from them.
type Reader interface {
	// Number is from from to to; otherwise below from says that the option must be there.
	Number(name string, otherwise, from, to float64) float64
	// Size is a whole number of at least least; a smaller otherwise says that it must be there.
	Size(name string, otherwise, least int) int
	Word(name, otherwise string) string
	Flag(name string, otherwise bool) bool
	// Has says whether the option is there, Null whether it is null.
	Has(name string) bool
	Null(name string) bool
	// Layers are layers in order.
	Layers(name string) []train.Spec
}

// most bounds numbers that may be of any size.
const most = 1e308

// ReadLayer reads the options of a layer of this type.
func ReadLayer(r Reader, kind string) train.Spec {
	s := train.Spec{Type: kind}
	switch kind {
	case "conv2d":
		s.Filters, s.Kernel, s.Stride = r.Size("filters", 0, 1), r.Size("kernel", 0, 1), r.Size("stride", 1, 1)
		s.Padding, s.Groups, s.NoBias = r.Word("padding", ""), r.Size("groups", 1, 1), !r.Flag("bias", true)
	case "linear":
		s.Units, s.NoBias = r.Size("units", 0, 1), !r.Flag("bias", true)
	case "gru":
		s.Units = r.Size("units", 0, 1)
	case "embedding":
		s.Vocabulary, s.Width = r.Size("vocabulary", 0, 1), r.Size("width", 0, 1)
		if r.Has("positions") {
			s.Positions = r.Size("positions", 0, 1)
		}
	case "attention":
		s.Heads, s.Causal = r.Size("heads", 0, 1), r.Flag("causal", false)
	case "batchNorm":
		if s.Cumulative = r.Null("momentum"); !s.Cumulative {
			s.Momentum = number(r, "momentum", 0, 1)
		}
		normalization(r, &s)
		s.Preset = r.Word("preset", "")
	case "layerNorm", "rmsNorm", "instanceNorm":
		normalization(r, &s)
	case "groupNorm":
		s.Groups = r.Size("groups", 0, 1)
		normalization(r, &s)
	case "dynamicTanh":
		s.Alpha, s.NoAffine = number(r, "alpha", -most, most), !r.Flag("affine", true)
	case "noise":
		s.Mean, s.Std = r.Number("mean", 0, -most, most), r.Number("std", -1, 0, most)
	case "dropout":
		s.Rate = r.Number("rate", -1, 0, 1)
	case "maxPool2d", "averagePool2d":
		s.Size = r.Size("size", 0, 1)
		s.Stride = r.Size("stride", max(s.Size, 1), 1)
	case "residual":
		s.Body = r.Layers("body")
	}
	return s
}

func normalization(r Reader, s *train.Spec) {
	s.Epsilon, s.NoAffine = number(r, "epsilon", 0, most), !r.Flag("affine", true)
}

// number is one that may be left out: then it is nil.
func number(r Reader, name string, from, to float64) *float64 {
	if !r.Has(name) {
		return nil
	}
	v := r.Number(name, 0, from, to)
	return &v
}

// Optimizers are the types of optimizers.
var Optimizers = []string{"sgd", "adamw"}

// ReadOptimizer reads the options of an optimizer of this type.
func ReadOptimizer(r Reader, kind string) train.Optimizer {
	o := train.Optimizer{Type: kind, LearningRate: r.Number("learningRate", -1, 0, most)}
	if kind == "adamw" {
		o.Beta1, o.Beta2 = r.Number("beta1", 0.9, 0, 1), r.Number("beta2", 0.999, 0, 1)
	} else {
		o.Momentum = r.Number("momentum", 0, 0, 1)
	}
	o.WeightDecay = r.Number("weightDecay", 0, 0, most)
	return o
}

// ReadSchedule reads the options of a schedule.
func ReadSchedule(r Reader) train.Schedule {
	return train.Schedule{Warmup: r.Size("warmup", 0, 0), Decay: r.Word("decay", "none"), Steps: r.Size("steps", 0, 0)}
}
