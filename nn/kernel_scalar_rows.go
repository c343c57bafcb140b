package nn

import "math"

// sumBlock is how many float32 elements are added before the sum moves on to
// float64.
const sumBlock = 1024

func sumRowsScalar(y, x *float32, rows, cols int, factor float64) {
	ys, xs := vec(y, rows), vec(x, rows*cols)
	for r := range ys {
		ys[r] = float32(total(xs[r*cols:][:cols]) * factor)
	}
}

func squareRowsScalar(y, x *float32, rows, cols int, factor float64) {
	ys, xs := vec(y, rows), vec(x, rows*cols)
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

// total is the sum of one row in the lane order of sumRows.
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

func rowMaxScalar(y, x *float32, rows, cols int) {
	ys, xs := vec(y, rows), vec(x, rows*cols)
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

func rowMinScalar(y, x *float32, rows, cols int) {
	ys, xs := vec(y, rows), vec(x, rows*cols)
	for r := range ys {
		m := float32(math.Inf(1))
		for _, v := range xs[r*cols:][:cols] {
			m = smaller(m, v)
		}
		ys[r] = m
	}
}

func softmaxRowsScalar(y, x *float32, rows, cols int) {
	ys, xs := vec(y, rows*cols), vec(x, rows*cols)
	for r := range rows {
		in, out := xs[r*cols:][:cols], ys[r*cols:][:cols]
		m := maxOf(in)
		for i, v := range in {
			out[i] = expOf(v - m)
		}
		f := float32(1 / total(out))
		for i := range out {
			out[i] *= f
		}
	}
}
