package kernel

// The scalar twins of the kernels of gradients that cancel.

// SlotParams are the parameters of a row or a column, as the kernels have them.
type SlotParams struct{ Mean, Scale, M1, Slope, Shift, Tilt, Rstd float64 }

// SlotSums are a row's or a column's sums.
type SlotSums struct{ E, ET float64 }

// add takes in one value, of which e is left.
func (s *SlotSums) add(e, t float64) {
	s.E += e
	s.ET += float64(e * t)
}

// plus is lanewise.
func (s SlotSums) plus(r SlotSums) SlotSums { return SlotSums{s.E + r.E, s.ET + r.ET} }

// rest is what is left of dy, and x - mean. scales is gamma, or nil.
func (p *SlotParams) rest(dy, x float32, scales []float32, i int) (e, t float64) {
	scale := p.Scale
	if scales != nil {
		scale = float64(scales[i])
	}
	t = float64(x) - p.Mean
	return (float64(float64(dy)*scale) - p.M1) - float64(t*p.Slope), t
}

func (p *SlotParams) gradient(dy, x float32, scales []float32, i int) float32 {
	e, t := p.rest(dy, x, scales, i)
	return float32((e + (float64(t*p.Tilt) + p.Shift)) * p.Rstd)
}

// RowProductsExact and ColumnProductsExact add to each row's or column's sums what is left of g, in f64. With its parameters
//
//	g = f64(dy) * scale                                      // f64(gamma) in its place where there is one
//	t = f64(x) - mean;  e = (g - m1) - t*slope               // shift, tilt and rstd are not read
//
// rows have gamma (cols elements) or nil, and four lanes a sum; element i goes to i%4:
//
//	a_i = a_i + e;  b_i = b_i + e*t
//	E = (a0 + a2) + (a1 + a3);  ET = the same of b
//	for each of the last n%4 elements { E = E + e;  ET = ET + e*t }
//	sums.e += E;  sums.ET += ET
//
// Columns are cols adjacent ones of a matrix whose rows are stride apart; each is added
// up from 0 in blocks of 16 rows, and the blocks' sums to sums.
func rowProductsExactScalar(sums *SlotSums, dy, src, gamma *float32, params *SlotParams, rows, cols int) {
	g, x, scales, ps := slice(dy, rows*cols), slice(src, rows*cols), slice(gamma, cols), slice(params, rows)
	out := slice(sums, rows)
	for row := range out {
		p, from := &ps[row], row*cols
		var lanes [4]SlotSums
		whole := cols &^ 3
		for i := range whole {
			lanes[i&3].add(p.rest(g[from+i], x[from+i], scales, i))
		}
		sum := lanes[0].plus(lanes[2]).plus(lanes[1].plus(lanes[3]))
		for i := whole; i < cols; i++ {
			sum.add(p.rest(g[from+i], x[from+i], scales, i))
		}
		out[row] = out[row].plus(sum)
	}
}

// GradPlanesExact and GradRowsExact are the application to planes, and to columns as ColumnProductsExact has them:
//
//	dst = f32((e + (t*tilt + shift)) * rstd)
func gradPlanesExactScalar(dst, dy, src, gamma *float32, params *SlotParams, planes, inner int) {
	n := planes * inner
	d, g, x, scales, ps := slice(dst, n), slice(dy, n), slice(src, n), slice(gamma, inner), slice(params, planes)
	for i := range d {
		d[i] = ps[i/inner].gradient(g[i], x[i], scales, i%inner)
	}
}

// ColumnProductsExact: see RowProductsExact.
func columnProductsExactScalar(sums *SlotSums, dy, src *float32, params *SlotParams, rows, cols, stride int) {
	extent := (rows-1)*stride + cols
	g, x, ps, out := slice(dy, extent), slice(src, extent), slice(params, cols), slice(sums, cols)
	for row := 0; row < rows; row += 16 {
		for j := range out {
			var block SlotSums
			for r := row; r < min(row+16, rows); r++ {
				block.add(ps[j].rest(g[r*stride+j], x[r*stride+j], nil, 0))
			}
			out[j] = out[j].plus(block)
		}
	}
}

// GradRowsExact: see GradPlanesExact.
func gradRowsExactScalar(dst, dy, src *float32, params *SlotParams, rows, cols, stride int) {
	extent := (rows-1)*stride + cols
	d, g, x, ps := slice(dst, extent), slice(dy, extent), slice(src, extent), slice(params, cols)
	for row := range rows {
		for j := range ps {
			at := row*stride + j
			d[at] = ps[j].gradient(g[at], x[at], nil, 0)
		}
	}
}
