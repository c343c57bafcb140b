package norm

// The scalar twins of the kernels of gradients that cancel; kernel.go has each loop.

// slotParams are the parameters of a row or a column, as the kernels have them.
type slotParams struct{ mean, scale, m1, slope, shift, tilt, rstd float64 }

// slotSums are a row's or a column's sums.
type slotSums struct{ e, et float64 }

// add takes in one value, of which e is left.
func (s *slotSums) add(e, t float64) {
	s.e += e
	s.et += float64(e * t)
}

// plus is lanewise.
func (s slotSums) plus(r slotSums) slotSums { return slotSums{s.e + r.e, s.et + r.et} }

// rest is what is left of dy, and x - mean. scales is gamma, or nil.
func (p *slotParams) rest(dy, x float32, scales []float32, i int) (e, t float64) {
	scale := p.scale
	if scales != nil {
		scale = float64(scales[i])
	}
	t = float64(x) - p.mean
	return (float64(float64(dy)*scale) - p.m1) - float64(t*p.slope), t
}

func (p *slotParams) gradient(dy, x float32, scales []float32, i int) float32 {
	e, t := p.rest(dy, x, scales, i)
	return float32((e + (float64(t*p.tilt) + p.shift)) * p.rstd)
}

// rowProductsExactScalar is rowProductsExact; the comment in kernel.go is its loop.
func rowProductsExactScalar(sums *slotSums, dy, src, gamma *float32, params *slotParams, rows, cols int) {
	g, x, scales, ps := slice(dy, rows*cols), slice(src, rows*cols), slice(gamma, cols), slice(params, rows)
	out := slice(sums, rows)
	for row := range out {
		p, from := &ps[row], row*cols
		var lanes [4]slotSums
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

// gradPlanesExactScalar is gradPlanesExact; the comment in kernel.go is its loop.
func gradPlanesExactScalar(dst, dy, src, gamma *float32, params *slotParams, planes, inner int) {
	n := planes * inner
	d, g, x, scales, ps := slice(dst, n), slice(dy, n), slice(src, n), slice(gamma, inner), slice(params, planes)
	for i := range d {
		d[i] = ps[i/inner].gradient(g[i], x[i], scales, i%inner)
	}
}

// columnProductsExactScalar is columnProductsExact; the comment in kernel.go is its loop.
func columnProductsExactScalar(sums *slotSums, dy, src *float32, params *slotParams, rows, cols, stride int) {
	extent := (rows-1)*stride + cols
	g, x, ps, out := slice(dy, extent), slice(src, extent), slice(params, cols), slice(sums, cols)
	for row := 0; row < rows; row += 16 {
		for j := range out {
			var block slotSums
			for r := row; r < min(row+16, rows); r++ {
				block.add(ps[j].rest(g[r*stride+j], x[r*stride+j], nil, 0))
			}
			out[j] = out[j].plus(block)
		}
	}
}

// gradRowsExactScalar is gradRowsExact; the comment in kernel.go is its loop.
func gradRowsExactScalar(dst, dy, src *float32, params *slotParams, rows, cols, stride int) {
	extent := (rows-1)*stride + cols
	d, g, x, ps := slice(dst, extent), slice(dy, extent), slice(src, extent), slice(params, cols)
	for row := range rows {
		for j := range ps {
			at := row*stride + j
			d[at] = ps[j].gradient(g[at], x[at], nil, 0)
		}
	}
}
