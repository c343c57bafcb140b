package compute

import "math"

// Fourier computes discrete Fourier transforms of one length, Σ x[t]·e^(−2πi·k·t/n), in
// float64. Lengths with small prime factors go through them; others are a convolution of a
// longer length that has (Bluestein). Real data of even length is a complex transform of half
// of it.
//
// Complex numbers are pairs in a list.
type Fourier struct {
	n       int // of the complex transform
	factors []int
	roots   []float64 // e^(−2πi·k/n)
	halves  []float64 // e^(−2πi·k/2n) for k up to n, where real data is looked at as complex
	long    *Fourier  // Bluestein's
	chirp   []float64 // e^(−πi·k²/n)
	filter  []float64 // the transform of its conjugate, as the longer length has it, over that length
}

// primes are factors that a transform goes through; larger ones take it too long.
const largestPrime = 31

// NewFourier prepares for a length of at least 1, of real or complex data.
func NewFourier(length int, real bool) *Fourier {
	f := &Fourier{n: length}
	if real && length%2 == 0 {
		f.n = length / 2
		f.halves = circle(length, f.n+1)
	}
	rest := f.n
	for _, p := range [...]int{4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, largestPrime} {
		for rest%p == 0 {
			f.factors = append(f.factors, p)
			rest /= p
		}
	}
	if rest == 1 {
		f.roots = circle(f.n, f.n)
		return f
	}
	f.factors = nil
	m := 1
	for m < 2*f.n-1 {
		m *= 2
	}
	f.long = NewFourier(m, false)
	turns := circle(2*f.n, 2*f.n)
	f.chirp, f.filter = make([]float64, 2*f.n), make([]float64, 2*m)
	for k := range f.n {
		at := k * k % (2 * f.n)
		re, im := turns[2*at], turns[2*at+1]
		f.chirp[2*k], f.chirp[2*k+1] = re, im
		for _, i := range [...]int{k, (m - k) % m} {
			f.filter[2*i], f.filter[2*i+1] = re, -im
		}
	}
	f.long.complex(f.filter, make([]float64, f.long.room()))
	for i := range f.filter {
		f.filter[i] /= float64(m)
	}
	return f
}

// circle is e^(−2πi·k/n) for k < count.
func circle(n, count int) []float64 {
	list := make([]float64, 2*count)
	for k := range count {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		list[2*k], list[2*k+1] = cos, -sin
	}
	return list
}

// Room is how many elements of scratch Run wants.
func (f *Fourier) Room() int { return f.room() }

func (f *Fourier) room() int {
	if f.long != nil {
		return 2*f.long.n + f.long.room()
	}
	return 2 * f.n
}

// Run computes the transform of x, which has the length's real or complex elements and room
// for one pair more, in its place. Of real data there are the first length/2 + 1 results, whose
// conjugates are the others.
func (f *Fourier) Run(x, scratch []float64) {
	f.complex(x[:2*f.n], scratch)
	if f.halves == nil {
		return
	}
	// Even elements have been the real parts and odd ones the imaginary parts.
	x = x[:2*f.n+2]
	x[2*f.n], x[2*f.n+1] = x[0], x[1]
	for k := 0; k <= f.n/2; k++ {
		j := f.n - k
		ar, ai, br, bi := x[2*k], x[2*k+1], x[2*j], x[2*j+1]
		er, ei, or, oi := (ar+br)/2, (ai-bi)/2, (ai+bi)/2, (br-ar)/2
		wr, wi := f.halves[2*k], f.halves[2*k+1]
		tr, ti := float64(or*wr)-float64(oi*wi), float64(or*wi)+float64(oi*wr)
		x[2*k], x[2*k+1] = er+tr, ei+ti
		x[2*j], x[2*j+1] = er-tr, ti-ei
	}
}

func (f *Fourier) complex(x, scratch []float64) {
	if f.long != nil {
		f.bluestein(x, scratch)
		return
	}
	from, to := x, scratch[:2*f.n]
	m, s := f.n, 1
	for _, r := range f.factors {
		m /= r
		switch r {
		case 2:
			f.pass2(to, from, m, s)
		case 3:
			f.pass3(to, from, m, s)
		case 4:
			f.pass4(to, from, m, s)
		case 5:
			f.pass5(to, from, m, s)
		default:
			f.pass(to, from, r, m, s)
		}
		s *= r
		from, to = to, from
	}
	if len(f.factors)%2 == 1 {
		copy(x, from)
	}
}

// A pass takes r parts of the data, m·s apart, and puts their transforms s apart: of the m·r
// transforms of s elements that are left to combine, m stay.

func (f *Fourier) pass2(y, x []float64, m, s int) {
	for p := range m {
		wr, wi := f.roots[2*p*s], f.roots[2*p*s+1]
		a, b := x[2*p*s:][:2*s], x[2*(p+m)*s:][:2*s]
		c, d := y[4*p*s:][:2*s], y[(4*p+2)*s:][:2*s]
		for q := 0; q < 2*s; q += 2 {
			ar, ai, br, bi := a[q], a[q+1], b[q], b[q+1]
			c[q], c[q+1] = ar+br, ai+bi
			put(d, q, ar-br, ai-bi, wr, wi)
		}
	}
}

// put stores a·w.
func put(y []float64, at int, ar, ai, wr, wi float64) {
	y[at], y[at+1] = float64(ar*wr)-float64(ai*wi), float64(ar*wi)+float64(ai*wr)
}

func (f *Fourier) pass3(y, x []float64, m, s int) {
	const sin = 0.866025403784438646763723170752936183
	for p := range m {
		w1r, w1i := f.roots[2*p*s], f.roots[2*p*s+1]
		w2r, w2i := f.roots[4*p*s], f.roots[4*p*s+1]
		x0, x1, x2 := x[2*p*s:][:2*s], x[2*(p+m)*s:][:2*s], x[2*(p+2*m)*s:][:2*s]
		out := y[6*p*s:][:6*s]
		for q := 0; q < 2*s; q += 2 {
			sr, si := x1[q]+x2[q], x1[q+1]+x2[q+1]
			dr, di := float64(sin*(x1[q]-x2[q])), float64(sin*(x1[q+1]-x2[q+1]))
			ar, ai := x0[q]-float64(0.5*sr), x0[q+1]-float64(0.5*si)
			out[q], out[q+1] = x0[q]+sr, x0[q+1]+si
			put(out, 2*s+q, ar+di, ai-dr, w1r, w1i)
			put(out, 4*s+q, ar-di, ai+dr, w2r, w2i)
		}
	}
}

func (f *Fourier) pass4(y, x []float64, m, s int) {
	for p := range m {
		w1r, w1i := f.roots[2*p*s], f.roots[2*p*s+1]
		w2r, w2i := f.roots[4*p*s], f.roots[4*p*s+1]
		w3r, w3i := f.roots[6*p*s], f.roots[6*p*s+1]
		x0, x1 := x[2*p*s:][:2*s], x[2*(p+m)*s:][:2*s]
		x2, x3 := x[2*(p+2*m)*s:][:2*s], x[2*(p+3*m)*s:][:2*s]
		out := y[8*p*s:][:8*s]
		for q := 0; q < 2*s; q += 2 {
			ar, ai, br, bi := x0[q]+x2[q], x0[q+1]+x2[q+1], x0[q]-x2[q], x0[q+1]-x2[q+1]
			cr, ci, dr, di := x1[q]+x3[q], x1[q+1]+x3[q+1], x1[q]-x3[q], x1[q+1]-x3[q+1]
			out[q], out[q+1] = ar+cr, ai+ci
			put(out, 2*s+q, br+di, bi-dr, w1r, w1i)
			put(out, 4*s+q, ar-cr, ai-ci, w2r, w2i)
			put(out, 6*s+q, br-di, bi+dr, w3r, w3i)
		}
	}
}

func (f *Fourier) pass5(y, x []float64, m, s int) {
	const (
		c1 = 0.309016994374947424102293417182819059
		c2 = -0.809016994374947424102293417182819059
		s1 = 0.951056516295153572116439333379382143
		s2 = 0.587785252292473129168705954639072769
	)
	for p := range m {
		w := func(k int) (float64, float64) { return f.roots[2*k*p*s], f.roots[2*k*p*s+1] }
		w1r, w1i := w(1)
		w2r, w2i := w(2)
		w3r, w3i := w(3)
		w4r, w4i := w(4)
		x0, x1, x2 := x[2*p*s:][:2*s], x[2*(p+m)*s:][:2*s], x[2*(p+2*m)*s:][:2*s]
		x3, x4 := x[2*(p+3*m)*s:][:2*s], x[2*(p+4*m)*s:][:2*s]
		out := y[10*p*s:][:10*s]
		for q := 0; q < 2*s; q += 2 {
			ar, ai, br, bi := x1[q]+x4[q], x1[q+1]+x4[q+1], x2[q]+x3[q], x2[q+1]+x3[q+1]
			dr, di, er, ei := x1[q]-x4[q], x1[q+1]-x4[q+1], x2[q]-x3[q], x2[q+1]-x3[q+1]
			out[q], out[q+1] = x0[q]+ar+br, x0[q+1]+ai+bi
			mr, mi := x0[q]+float64(c1*ar)+float64(c2*br), x0[q+1]+float64(c1*ai)+float64(c2*bi)
			nr, ni := x0[q]+float64(c2*ar)+float64(c1*br), x0[q+1]+float64(c2*ai)+float64(c1*bi)
			ur, ui := float64(s1*dr)+float64(s2*er), float64(s1*di)+float64(s2*ei)
			vr, vi := float64(s2*dr)-float64(s1*er), float64(s2*di)-float64(s1*ei)
			put(out, 2*s+q, mr+ui, mi-ur, w1r, w1i)
			put(out, 4*s+q, nr+vi, ni-vr, w2r, w2i)
			put(out, 6*s+q, nr-vi, ni+vr, w3r, w3i)
			put(out, 8*s+q, mr-ui, mi+ur, w4r, w4i)
		}
	}
}

// pass is for any factor, by the definition.
func (f *Fourier) pass(y, x []float64, r, m, s int) {
	for p := range m {
		for k := range r {
			wr, wi := f.roots[2*p*k*s], f.roots[2*p*k*s+1]
			for q := range s {
				var re, im float64
				for i := range r {
					at := 2 * (i * k % r) * (f.n / r)
					c, d := f.roots[at], f.roots[at+1]
					a, b := x[2*(q+s*(p+m*i))], x[2*(q+s*(p+m*i))+1]
					re += float64(a*c) - float64(b*d)
					im += float64(a*d) + float64(b*c)
				}
				put(y, 2*(q+s*(r*p+k)), re, im, wr, wi)
			}
		}
	}
}

// bluestein: k·t = (k² + t² − (k−t)²)/2, so that the transform is a convolution by the chirp.
func (f *Fourier) bluestein(x, scratch []float64) {
	m := f.long.n
	z, rest := scratch[:2*m], scratch[2*m:]
	clear(z)
	for k := range f.n {
		put(z, 2*k, x[2*k], x[2*k+1], f.chirp[2*k], f.chirp[2*k+1])
	}
	f.long.complex(z, rest)
	for k := range m {
		// The inverse transform is the forward one of the conjugates, conjugated.
		re, im, c, d := z[2*k], z[2*k+1], f.filter[2*k], f.filter[2*k+1]
		z[2*k], z[2*k+1] = float64(re*c)-float64(im*d), -(float64(re*d) + float64(im*c))
	}
	f.long.complex(z, rest)
	for k := range f.n {
		put(x, 2*k, z[2*k], -z[2*k+1], f.chirp[2*k], f.chirp[2*k+1])
	}
}
