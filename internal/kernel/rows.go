package kernel

import "math"

// sumBlock is how many float32 elements are added before the sum moves on to
// float64.
const sumBlock = 1024

// SumRows adds each row of cols contiguous elements and scales the sum.
// Rows are taken in blocks of 1024 elements (the last may be shorter):
//
//	for r := 0; r < rows; r++ {
//		total := float64(0)
//		for each block of row r, m elements, starting at x {
//			var lane [16]float32            // four vectors
//			for i := 0; i < m&^3; i++ {
//				lane[i%16] += x[i]
//			}
//			total += float64(fold(lane, x[m&^3:m]))
//		}
//		y[r] = float32(total * factor)
//	}
//
// fold: v = (lane[0:4] + lane[4:8]) + (lane[8:12] + lane[12:16]) lanewise,
// s = (v[0] + v[1]) + (v[2] + v[3]), then s += x[i] for the m%4 elements left
// (all in float32).
func sumRowsScalar(y, x *float32, rows, cols int, factor float64) {
	ys, xs := slice(y, rows), slice(x, rows*cols)
	for r := range ys {
		ys[r] = float32(total(xs[r*cols:][:cols]) * factor)
	}
}

// SquareRows is SumRows of float32(x[i]*x[i]), in the tail as well.
func squareRowsScalar(y, x *float32, rows, cols int, factor float64) {
	ys, xs := slice(y, rows), slice(x, rows*cols)
	for r := range ys {
		row := xs[r*cols:][:cols]
		sum := 0.0
		for len(row) > 0 {
			m := min(len(row), sumBlock)
			var lane [16]float32
			for i, v := range row[:m&^3] {
				lane[i&15] += float32(v * v)
			}
			s := foldLanes(&lane)
			for _, v := range row[m&^3 : m] {
				s += float32(v * v)
			}
			sum += float64(s)
			row = row[m:]
		}
		ys[r] = float32(sum * factor)
	}
}

// total is the sum of one row in the lane order of SumRows.
func total(row []float32) float64 {
	sum := 0.0
	for len(row) > 0 {
		m := min(len(row), sumBlock)
		var lane [16]float32
		for i, v := range row[:m&^3] {
			lane[i&15] += v
		}
		s := foldLanes(&lane)
		for _, v := range row[m&^3 : m] {
			s += v
		}
		sum += float64(s)
		row = row[m:]
	}
	return sum
}

func foldLanes(lane *[16]float32) float32 {
	var v [4]float32
	for l := range v {
		v[l] = (lane[l] + lane[4+l]) + (lane[8+l] + lane[12+l])
	}
	return (v[0] + v[1]) + (v[2] + v[3])
}

// RowMax: y[r] = the maximum of row r, -Inf when cols is 0
func rowMaxScalar(y, x *float32, rows, cols int) {
	ys, xs := slice(y, rows), slice(x, rows*cols)
	for r := range ys {
		ys[r] = maxOf(xs[r*cols:][:cols])
	}
}

func maxOf(row []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range row {
		m = larger(m, v)
	}
	return m
}

// RowMin: y[r] = the minimum of row r, +Inf when cols is 0
func rowMinScalar(y, x *float32, rows, cols int) {
	ys, xs := slice(y, rows), slice(x, rows*cols)
	for r := range ys {
		m := float32(math.Inf(1))
		for _, v := range xs[r*cols:][:cols] {
			m = smaller(m, v)
		}
		ys[r] = m
	}
}

// SoftmaxRows normalizes each row of cols contiguous elements; y may be x.
//
//	for r := 0; r < rows; r++ {
//		m := maximum of the row
//		y[i] = ExpOf(x[i] - m)
//		total := sum of y in SumRows' order, as float64
//		f := float32(1 / total)
//		y[i] *= f
//	}
func softmaxRowsScalar(y, x *float32, rows, cols int) {
	ys, xs := slice(y, rows*cols), slice(x, rows*cols)
	for r := range rows {
		in, out := xs[r*cols:][:cols], ys[r*cols:][:cols]
		m := maxOf(in)
		for i, v := range in {
			out[i] = ExpOf(v - m)
		}
		f := float32(1 / total(out))
		for i := range out {
			out[i] *= f
		}
	}
}

// ExpRows is the first half of a softmax whose rows are met in parts: best[r] holds the
// maximum of what came before, -Inf for nothing. y may be x. A NaN is no maximum, but its
// own power is NaN, and so is the row's total.
//
//	for r := 0; r < rows; r++ {
//		m := best[r]
//		for each x[i] of row r { if m < x[i] { m = x[i] } }
//		best[r] = m + 0                             // -0 becomes +0
//		s := best[r], or 0 where that is -Inf
//		y[i] = ExpOf(x[i] - s)
//		total[r] = float32(sum of y in SumRows' order, as float64)
//	}
func expRowsScalar(y, best, sums, x *float32, rows, cols int) {
	ys, xs, bs, ts := slice(y, rows*cols), slice(x, rows*cols), slice(best, rows), slice(sums, rows)
	for r := range rows {
		in, out := xs[r*cols:][:cols], ys[r*cols:][:cols]
		m := bs[r]
		for _, v := range in {
			if m < v {
				m = v
			}
		}
		m += 0
		bs[r] = m
		if m < -math.MaxFloat32 {
			m = 0
		}
		for i, v := range in {
			out[i] = ExpOf(v - m)
		}
		ts[r] = float32(total(out))
	}
}

// ExpPanel is ExpRows for eight rows that lie side by side, x[8i+l] being element i of row
// l, as the product of keys and queries leaves them. Each row is summed in order.
//
//	for l := 0; l < 8; l++ {
//		m := best[l]
//		for i := 0; i < n; i++ { if m < x[8*i+l] { m = x[8*i+l] } }
//		best[l] = m + 0                             // -0 becomes +0
//		s := best[l], or 0 where that is -Inf
//		sums[l] = 0
//		for i := 0; i < n; i++ {
//			x[8*i+l] = ExpOf(x[8*i+l] - s)
//			sums[l] += x[8*i+l]
//		}
//	}
func expPanelScalar(x, best, sums *float32, n int) {
	xs, bs, ts := slice(x, n*NR), slice(best, NR), slice(sums, NR)
	for l := range NR {
		m := bs[l]
		for i := l; i < len(xs); i += NR {
			if v := xs[i]; m < v {
				m = v
			}
		}
		m += 0
		bs[l] = m
		if m < -math.MaxFloat32 {
			m = 0
		}
		sum := float32(0)
		for i := l; i < len(xs); i += NR {
			e := ExpOf(xs[i] - m)
			xs[i] = e
			sum += e
		}
		ts[l] = sum
	}
}

// DotRows multiplies rows of a matrix, ld apart, by one vector: y[r] = Σ x[i]·row r[i].
//
//	for r := 0; r < rows; r++ {
//		var lane [4]float32
//		for i := 0; i < depth&^3; i++ {
//			lane[i%4] += float32(x[i] * matrix[r*ld+i])
//		}
//		y[r] = (lane[0] + lane[1]) + (lane[2] + lane[3])
//		for i := depth&^3; i < depth; i++ {
//			y[r] += float32(x[i] * matrix[r*ld+i])
//		}
//	}
func dotRowsScalar(y, x, matrix *float32, ld int, depth, rows int) {
	ys, xs, ms := slice(y, rows), slice(x, depth), slice(matrix, Span(rows, ld, depth))
	for r := range ys {
		row := ms[min(r*ld, len(ms)):][:depth]
		var lane [4]float32
		for i, v := range xs[:depth&^3] {
			lane[i&3] += float32(v * row[i])
		}
		s := (lane[0] + lane[1]) + (lane[2] + lane[3])
		for i := depth &^ 3; i < depth; i++ {
			s += float32(xs[i] * row[i])
		}
		ys[r] = s
	}
}
