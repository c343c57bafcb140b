package train

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
)

// crossEntropy is the mean of −log softmax(y)[label] over the rows of y [rows, classes],
// and how many rows are largest at their label. dy receives its gradient, y's softmax
// less the label's 1, over the rows.
func crossEntropy(dy, y []float32, labels []int32, classes int, scratch *buffer) (loss float64, right int) {
	rows := len(labels)
	compute.LogSoftmax(dy, y, rows, classes, 1, scratch.of(compute.SoftmaxScratch(classes, 1)))
	for r, label := range labels {
		row := dy[r*classes:][:classes]
		loss -= float64(row[label])
		best := 0
		for i, v := range y[r*classes:][:classes] {
			if v > y[r*classes+best] {
				best = i
			}
		}
		if best == int(label) {
			right++
		}
	}
	compute.Exp(dy, dy)
	for r, label := range labels {
		dy[r*classes+int(label)]--
	}
	scale(dy, dy, 1/float32(rows))
	return loss / float64(rows), right
}

// meanSquaredError is the mean of (y − target)², and dy its gradient.
func meanSquaredError(dy, y, target []float32) float64 {
	compute.Sub(dy, y, 0, 1, target, 0, 1, 1, len(y))
	loss := compute.Dot(dy, dy) / float64(len(y))
	scale(dy, dy, 2/float32(len(y)))
	return loss
}

// finite says whether no number of x is NaN or infinite.
func finite(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
