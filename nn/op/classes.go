//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// What the classifiers and regressors of ai.onnx.ml share: labels, and what becomes of
// scores. The numbers are onnxruntime's, in float32.

var (
	transforms = []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}
	transform  = Attr{Name: "post_transform", Kind: ir.AttrString, S: "NONE", Words: transforms}
	classesOut = []Out{{Name: "Y", Choose: labelType}, {Name: "Z", Type: ir.Float32}}
)

// labels are those of classes, which are either numbers or strings.
type labels struct {
	ints  []int64
	words []string
}

// labelsOf reads them; ints is what the operator calls those that are numbers.
func labelsOf(n *ir.Node, ints string) labels {
	return labels{listOf(n, ints), stringsOf(n, "classlabels_strings")}
}

func (l *labels) count() int {
	if len(l.words) > 0 {
		return len(l.words)
	}
	return len(l.ints)
}

func (l *labels) dtype() ir.DType {
	if len(l.words) > 0 {
		return ir.String
	}
	return ir.Int64
}

// put writes the label of a class as element i.
func (l *labels) put(y *ir.Tensor, i, class int) {
	if len(l.words) > 0 {
		y.Strings[i] = l.words[class]
	} else {
		y.Int64s()[i] = l.ints[class]
	}
}

// putSign writes a label of two classes; where there are no two labels these are 1 and 0.
func (l *labels) putSign(y *ir.Tensor, i int, positive bool) {
	class := int(truth[uint8](positive))
	switch {
	case l.count() == 2:
		l.put(y, i, class)
	case len(l.words) > 0:
		y.Strings[i] = [...]string{"0", "1"}[class]
	default:
		y.Int64s()[i] = int64(class)
	}
}

func labelType(n *ir.Node) ir.DType {
	if len(stringsOf(n, "classlabels_strings")) > 0 {
		return ir.String
	}
	return ir.Int64
}

// Which second score a row of one score gets, for two classes.
const (
	noSecond   = iota
	complement // 1 − s and s
	opposite   // −s and s
)

// finishScores turns the scores of a row into what is given out. Where there is one score and
// a second one is wanted, the list has room for both.
func finishScores(scores []float32, n int, how string, second int) {
	if n == 1 {
		s := scores[0]
		switch {
		case how == "PROBIT":
			scores[0] = probit(s)
		case second != noSecond && how == "LOGISTIC":
			scores[0], scores[1] = logistic(-s), logistic(s)
		case second == complement:
			scores[0], scores[1] = 1-s, s
		case second == opposite:
			scores[0], scores[1] = -s, s
		}
		return
	}
	scores = scores[:n]
	switch how {
	case "PROBIT":
		for i, s := range scores {
			scores[i] = probit(s)
		}
	case "LOGISTIC":
		for i, s := range scores {
			scores[i] = logistic(s)
		}
	case "SOFTMAX", "SOFTMAX_ZERO":
		softmaxScores(scores, how == "SOFTMAX_ZERO")
	}
}

// softmaxScores is a softmax; with zeros those that are 0 stay as they are but for a factor,
// and do not count.
func softmaxScores(scores []float32, zeros bool) {
	most, sum := float32(-math.MaxFloat32), float32(0)
	for _, s := range scores {
		most = max(most, s)
	}
	for i, s := range scores {
		if zeros && s <= 1e-7 && s >= -1e-7 {
			scores[i] = s * expFloat(-most)
			continue
		}
		scores[i] = expFloat(s - most)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}

func expFloat(v float32) float32 { return float32(math.Exp(float64(v))) }

func logistic(v float32) float32 {
	y := 1 / (1 + expFloat(-float32(math.Abs(float64(v)))))
	if v < 0 {
		return 1 - y
	}
	return y
}

// probit is the inverse of the normal distribution, by an approximation of the inverse error
// function (Winitzki's, with a = 0.147).
func probit(v float32) float32 {
	const a = float32(0.147)
	x := float32(2*v) - 1
	log := float32(math.Log(float64(float32(1-x) * float32(1+x))))
	half := 2/(math.Pi*a) + float32(0.5*log)
	root := float32(math.Sqrt(float64(float32(half*half) - log/a)))
	y := float32(math.Sqrt(float64(root - half)))
	if x < 0 {
		y = -y
	}
	return float32(math.Sqrt2) * y
}
