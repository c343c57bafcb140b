package kernel

// Convolutions of 3×3 at stride 1 with 16 products in place of 36, after Winograd: F(2×2, 3×3),
// in the blocked layout. A tile is 4×4 pixels, of which 2×2 come, and the next one begins two
// pixels further on.

// WinogradIn transforms a row of n tiles of 8 channels, whose four rows of pixels lie pitch
// apart: v = Bᵀ·x·B, each of its 16 elements vs behind the one before, the tiles together.
//
//	for j := 0; j < n; j++ {
//		for l := 0; l < 8; l++ {
//			var t [4][4]float32
//			for c := 0; c < 4; c++ {
//				d := func(r int) float32 { return x[r*pitch+(2*j+c)*8+l] }
//				t[0][c], t[1][c], t[2][c], t[3][c] = d(0)-d(2), d(1)+d(2), d(2)-d(1), d(1)-d(3)
//			}
//			for r := 0; r < 4; r++ {
//				o := v[4*r*vs+j*8+l:]
//				o[0], o[vs], o[2*vs], o[3*vs] = t[r][0]-t[r][2], t[r][1]+t[r][2], t[r][2]-t[r][1], t[r][1]-t[r][3]
//			}
//		}
//	}
func winogradInScalar(v *float32, vs int, x *float32, pitch int, n int) {
	if n <= 0 {
		return
	}
	xs, vv := slice(x, 3*pitch+(2*n+2)*Lanes), slice(v, 15*vs+n*Lanes)
	for i := range n * Lanes {
		d := xs[i/Lanes*2*Lanes+i%Lanes:]
		var t [4][4]float32
		for c := range 4 {
			d0, d1, d2, d3 := d[c*Lanes], d[pitch+c*Lanes], d[2*pitch+c*Lanes], d[3*pitch+c*Lanes]
			t[0][c], t[1][c], t[2][c], t[3][c] = d0-d2, d1+d2, d2-d1, d1-d3
		}
		for r, u := range t {
			o := vv[4*r*vs+i:]
			o[0], o[vs], o[2*vs], o[3*vs] = u[0]-u[2], u[1]+u[2], u[2]-u[1], u[1]-u[3]
		}
	}
}

// WinogradOut computes cols pixels of 8 channels, the upper row of their tiles, or, where odd
// is not 0, the lower one: Aᵀ·m·A. m has the products of the tiles as WinogradIn its results.
// from is nil, or is added with the bias before the sums, and may be y.
//
//	for j := 0; j < cols; j++ {
//		for l := 0; l < 8; l++ {
//			s := func(c int) float32 {
//				e := func(r int) float32 { return m[(4*r+c)*ms+j/2*8+l] }
//				return (e(0)+e(1))+e(2) | (e(1)-e(2))-e(3)  // by odd
//			}
//			sum := (s(0)+s(1))+s(2) | (s(1)-s(2))-s(3)  // for even j, for odd j
//			start := bias[l] | float32(from[j*8+l] + bias[l])  // without from, with it
//			y[j*8+l] = min(max(start+sum, lo), hi)
//		}
//	}
func winogradOutScalar(y, m *float32, ms int, odd, cols int, from, bias *float32, lo, hi float32) {
	if cols <= 0 {
		return
	}
	ys, fs, mm := slice(y, cols*Lanes), slice(from, cols*Lanes), slice(m, 15*ms+(cols+1)/2*Lanes)
	for j := range cols {
		start := blockedStart(fs, bias, j)
		for l, v := range start {
			e := mm[j/2*Lanes+l:]
			var s [4]float32
			for c := range s {
				if odd == 0 {
					s[c] = e[c*ms] + e[(4+c)*ms] + e[(8+c)*ms]
				} else {
					s[c] = e[(4+c)*ms] - e[(8+c)*ms] - e[(12+c)*ms]
				}
			}
			sum := s[0] + s[1] + s[2]
			if j%2 == 1 {
				sum = s[1] - s[2] - s[3]
			}
			ys[j*Lanes+l] = clampOf(v+sum, lo, hi)
		}
	}
}
