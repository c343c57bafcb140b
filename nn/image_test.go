package nn

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// randomPixels has noise, of which a share is transparent to some degree.
func randomPixels(r *rand.Rand, n int, transparent float64) []int32 {
	s := make([]int32, n)
	for i := range s {
		p := r.Uint32() | 0xff000000
		if r.Float64() < transparent {
			p = p&0xffffff | uint32(r.IntN(256))<<24
		}
		s[i] = int32(p)
	}
	return s
}

// imageOracle computes the result of one element straight from the description, in
// float64: every pixel of the source is looked at.
func imageOracle(m *Image, pixels []int32, channel, y, x int) float64 {
	axis := func(i, size, scaled int) (weight func(p int) float64) {
		scale := float64(size) / float64(scaled)
		centre := (float64(i) + 0.5) * scale
		width := 1.0
		if m.Antialias && scale > 1 {
			width = scale
		}
		raw := func(p int) float64 {
			d := math.Abs((float64(p) + 0.5 - centre) / width)
			switch {
			case m.Filter == Nearest:
				if float64(p) <= centre && centre < float64(p+1) {
					return 1
				}
			case m.Filter == Bilinear && d < 1:
				return 1 - d
			case m.Filter == Bicubic && d < 1:
				return 1.5*d*d*d - 2.5*d*d + 1
			case m.Filter == Bicubic && d < 2:
				return -0.5*d*d*d + 2.5*d*d - 4*d + 2
			}
			return 0
		}
		sum := 0.0
		for p := range size {
			sum += raw(p)
		}
		return func(p int) float64 { return raw(p) / sum }
	}
	var rgba [4]float64
	if sy, sx := y-m.Top, x-m.Left; sy >= 0 && sx >= 0 && sy < m.ScaledHeight && sx < m.ScaledWidth {
		wy, wx := axis(sy, m.Height, m.ScaledHeight), axis(sx, m.Width, m.ScaledWidth)
		for py := range m.Height {
			for px := range m.Width {
				p := uint32(pixels[py*m.Width+px])
				w, a := wy(py)*wx(px), float64(p>>24)
				rgba[0] += w * float64(p&255) * a / 255
				rgba[1] += w * float64(p>>8&255) * a / 255
				rgba[2] += w * float64(p>>16&255) * a / 255
				rgba[3] += w * a
			}
		}
		for c := range 3 {
			if m.Channels == RGBA && rgba[3] > 0 {
				rgba[c] *= 255 / rgba[3]
			} else if m.Channels != RGBA {
				rgba[c] += (1 - rgba[3]/255) * m.Background[c]
			}
		}
	} else {
		rgba = [4]float64{m.Pad[0], m.Pad[1], m.Pad[2], 255}
	}
	for c := range rgba {
		rgba[c] = min(max(rgba[c], 0), 255)
	}
	v := rgba[channel]
	switch m.Channels {
	case BGR:
		v = rgba[2-channel]
	case Gray:
		v = 0.299*rgba[0] + 0.587*rgba[1] + 0.114*rgba[2]
	}
	return (v*m.White/255 - m.Mean[channel]) / m.Std[channel]
}

func index(m *Image, channel, y, x int) int {
	if m.NHWC {
		return (y*m.OutWidth+x)*m.Channels.Count() + channel
	}
	return (channel*m.OutHeight+y)*m.OutWidth + x
}

// readBands reads a picture in bands of rows, as a caller does that has not all of it.
func readBands(t *testing.T, m *Image, pixels []int32, step int) []float32 {
	t.Helper()
	dst := make([]float32, m.Channels.Count()*m.OutWidth*m.OutHeight)
	for i := range dst {
		dst[i] = float32(math.NaN())
	}
	for from := 0; from < m.OutHeight; from += step {
		to := min(from+step, m.OutHeight)
		first, last := m.Rows(from, to)
		require.NoError(t, m.Read(dst, nil, pixels[first*m.Width:last*m.Width], first, from, to))
	}
	return dst
}

func randomImage(r *rand.Rand) *Image {
	m := &Image{
		Width: 1 + r.IntN(30), Height: 1 + r.IntN(30), ScaledWidth: 1 + r.IntN(30), ScaledHeight: 1 + r.IntN(30),
		Filter: ImageFilter(r.IntN(3)), Antialias: r.IntN(3) > 0, Channels: ImageChannels(r.IntN(4)), NHWC: r.IntN(2) > 0,
		White: []float64{1, 255}[r.IntN(2)], Mean: [4]float64{0.4, 0.5, 0.1, 0}, Std: [4]float64{0.25, 0.5, 1, 2},
	}
	if r.IntN(4) == 0 {
		m.ScaledWidth, m.ScaledHeight = m.Width, m.Height
	}
	m.OutWidth, m.OutHeight = m.ScaledWidth, m.ScaledHeight
	if r.IntN(2) == 0 {
		m.OutWidth, m.OutHeight = 1+r.IntN(30), 1+r.IntN(30)
		m.Left, m.Top = r.IntN(40)-20, r.IntN(40)-20
	}
	if r.IntN(2) == 0 {
		m.Background, m.Pad = [3]float64{255, 200, 10}, [3]float64{114, 0, 30.5}
	}
	return m
}

func TestImageAgainstItsDescription(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	r := rand.New(rand.NewPCG(7, 1))
	for round := range rounds {
		m := randomImage(r)
		pixels := randomPixels(r, m.Width*m.Height, []float64{0, 0, 0.5, 1}[r.IntN(4)])
		got := readBands(t, m, pixels, m.OutHeight)
		for y := range m.OutHeight {
			for x := range m.OutWidth {
				for c := range m.Channels.Count() {
					want := imageOracle(m, pixels, c, y, x)
					tolerance := 2e-6 * m.White / m.Std[c]
					if m.Channels == RGBA && m.Filter == Bicubic {
						continue // divided by an alpha that may be next to nothing
					}
					if m.Channels == RGBA {
						tolerance *= 200 // the same, as far as bilinear goes
					}
					require.InDelta(t, want, got[index(m, c, y, x)], tolerance, "round %d: %+v at %d %d %d", round, m, c, y, x)
				}
			}
		}
		// However the picture is handed over, the bits are the same.
		for _, step := range []int{1, 2, 5} {
			require.Equal(t, got, readBands(t, m, pixels, step), "round %d: bands of %d", round, step)
		}
	}
}

// An opaque picture takes a path of its own, of the same bits.
func TestImageOpaqueBits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2))
	for range 60 {
		m := randomImage(r)
		m.Left, m.Top, m.OutWidth, m.OutHeight = 0, 0, m.ScaledWidth, m.ScaledHeight
		pixels := randomPixels(r, m.Width*m.Height, 0)
		want := readBands(t, m, pixels, m.OutHeight)
		got := make([]float32, len(want))
		x := m.newResizer(pixels, 0)
		x.opaque, x.floats = false, make([]float32, len(x.sum))
		w := m.newWriter(got, nil)
		for y := range m.OutHeight {
			w.write(y, x.line(y), x.begin)
		}
		require.Equal(t, want, got, "%+v", m)
	}
}

func TestImageUnchanged(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	const width, height = 9, 7
	pixels := randomPixels(r, width*height, 0)
	for _, white := range []float64{1, 255} {
		m := &Image{Width: width, Height: height, ScaledWidth: width, ScaledHeight: height, OutWidth: width, OutHeight: height,
			Filter: Bilinear, Antialias: true, NHWC: true, White: white, Std: [4]float64{1, 1, 1, 1}}
		for i, v := range readBands(t, m, pixels, 3) {
			b := float64(uint32(pixels[i/3]) >> (8 * (i % 3)) & 255)
			require.Equal(t, float32(b*white/255), v)
		}
		bytes := make([]uint8, width*height*3)
		m.White = 255
		require.NoError(t, m.Read(nil, bytes, pixels, 0, 0, height))
		for i, v := range bytes {
			require.Equal(t, uint8(uint32(pixels[i/3])>>(8*(i%3))), v)
		}
	}
}

func TestImageBytesRound(t *testing.T) {
	m := &Image{Width: 2, Height: 1, ScaledWidth: 1, ScaledHeight: 1, OutWidth: 1, OutHeight: 1,
		Filter: Bilinear, Antialias: true, White: 255, Std: [4]float64{1, 1, 1, 1}}
	at := func(v uint32) int32 { return int32(v | 0xff000000) }
	for _, c := range []struct{ a, b, want uint32 }{{0, 1, 1}, {1, 2, 2}, {254, 255, 255}, {7, 7, 7}, {255, 255, 255}} {
		bytes := make([]uint8, 3)
		require.NoError(t, m.Read(nil, bytes, []int32{at(c.a), at(c.b)}, 0, 0, 1))
		assert.Equal(t, []uint8{uint8(c.want), 0, 0}, bytes, "%v", c)
	}
}

func TestImageRefuses(t *testing.T) {
	good := Image{Width: 3, Height: 4, ScaledWidth: 2, ScaledHeight: 2, OutWidth: 2, OutHeight: 2, Filter: Bilinear, White: 1, Std: [4]float64{1, 1, 1, 1}}
	require.NoError(t, good.Check())
	for name, change := range map[string]func(m *Image){
		"the width is 0":                              func(m *Image) { m.Width = 0 },
		"the resized height is 1048577":               func(m *Image) { m.ScaledHeight = MaxImageSize + 1 },
		"the width of the result is -1":               func(m *Image) { m.OutWidth = -1 },
		"the offset is 0, 1048577":                    func(m *Image) { m.Top = MaxImageSize + 1 },
		"the offset is -9223372036854775808, ":        func(m *Image) { m.Left = math.MinInt },
		"there is no filter 3":                        func(m *Image) { m.Filter = 3 },
		"white is 0":                                  func(m *Image) { m.White = 0 },
		"white is NaN":                                func(m *Image) { m.White = math.NaN() },
		"mean and std of channel 2":                   func(m *Image) { m.Std[2] = 0 },
		"mean and std of channel 0":                   func(m *Image) { m.Mean[0] = math.Inf(1) },
		"the colours behind and around are 256 and 0": func(m *Image) { m.Background[0] = 256 },
	} {
		m := good
		change(&m)
		require.ErrorContains(t, m.Check(), name)
		require.Error(t, m.Read(make([]float32, 12), nil, make([]int32, 12), 0, 0, 2))
	}
	dst, pixels := make([]float32, 12), make([]int32, 12)
	require.ErrorContains(t, good.Read(dst[:11], nil, pixels, 0, 0, 2), "the result has 11 elements, want 12")
	require.ErrorContains(t, good.Read(dst, nil, pixels, 0, 0, 3), "rows 0 to 3 of a result of 2")
	require.ErrorContains(t, good.Read(dst, nil, pixels, 0, 2, 1), "rows 2 to 1")
	require.ErrorContains(t, good.Read(dst, nil, pixels[:8], 0, 0, 2), "rows 0 to 2 of the source are given, want 0 to 4")
	require.ErrorContains(t, good.Read(dst, nil, pixels, 1, 0, 2), "rows 1 to 5 of the source are given")
	require.ErrorContains(t, good.Read(dst, nil, pixels, -1, 0, 2), "rows -1")
}

// Whatever the sizes are, Read says no or writes each element of its rows, none else.
func FuzzImage(f *testing.F) {
	f.Add(3, 4, 5, 6, 7, 8, 0, 0, uint8(1), uint8(0), true, int64(1))
	f.Add(30, 1, 1, 30, 5, 5, -3, 2, uint8(2), uint8(3), false, int64(2))
	f.Add(1, 1, 40, 40, 40, 40, 0, 0, uint8(0), uint8(2), true, int64(3))
	f.Fuzz(func(t *testing.T, w, h, sw, sh, ow, oh, left, top int, kind, channels uint8, flag bool, seed int64) {
		m := &Image{Width: w, Height: h, ScaledWidth: sw, ScaledHeight: sh, OutWidth: ow, OutHeight: oh, Left: left, Top: top,
			Filter: ImageFilter(kind), Antialias: flag, Channels: ImageChannels(channels), NHWC: !flag, White: 255, Std: [4]float64{1, 1, 1, 1}}
		const most = 300
		if m.Check() != nil || max(w, h, sw, sh, ow, oh) > most {
			return
		}
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		pixels := randomPixels(r, w*h, []float64{0, 0.5}[seed&1])
		from := r.IntN(oh)
		to := from + r.IntN(oh-from+1)
		first, last := m.Rows(from, to)
		require.True(t, 0 <= first && first <= last && last <= h, "%d to %d of %d", first, last, h)
		const mark = -1
		dst := make([]float32, m.Channels.Count()*ow*oh)
		for i := range dst {
			dst[i] = mark
		}
		require.NoError(t, m.Read(dst, nil, pixels[first*w:last*w], first, from, to))
		for y := range oh {
			for x := range ow {
				for c := range m.Channels.Count() {
					v := dst[index(m, c, y, x)]
					if y < from || y >= to {
						require.Equal(t, float32(mark), v)
					} else {
						require.True(t, v >= 0 && v <= 255, "%v", v)
					}
				}
			}
		}
	})
}

// The resized picture of a ramp is the ramp: half-pixel centres move nothing.
func TestImageKeepsARampInPlace(t *testing.T) {
	const width = 64
	pixels := make([]int32, width)
	for i := range pixels {
		pixels[i] = int32(uint32(0xff000000) | uint32(2*i))
	}
	for _, scaled := range []int{16, 32, 128, 100} {
		m := &Image{Width: width, Height: 1, ScaledWidth: scaled, ScaledHeight: 1, OutWidth: scaled, OutHeight: 1, Filter: Bilinear, Antialias: true,
			Channels: RGB, White: 255, Std: [4]float64{1, 1, 1, 1}}
		got := readBands(t, m, pixels, 1)[:scaled]
		scale := float64(width) / float64(scaled)
		for i, v := range got {
			centre := (float64(i) + 0.5) * scale
			if centre < 2*scale+1 || centre > width-2*scale-1 {
				continue // at the edges the weights are not symmetric
			}
			tolerance := 0.5 // a tent over unlike many pixels on both sides
			if scale < 1 {
				tolerance = 1e-4
			}
			require.InDelta(t, 2*(centre-0.5), v, tolerance, "%d of %d", i, scaled)
		}
	}
}

func ExampleImage() {
	picture := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	for i := range 8 {
		picture.SetNRGBA(i%4, i/4, color.NRGBA{R: uint8(30 * i), G: 100, B: 255, A: 255})
	}
	pixels := make([]int32, 8)
	for i := range pixels {
		p := picture.Pix[4*i:]
		pixels[i] = int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
	}
	m := Image{
		Width: 4, Height: 2, ScaledWidth: 2, ScaledHeight: 1, OutWidth: 2, OutHeight: 1,
		Filter: Bilinear, Antialias: true, White: 1, Mean: [4]float64{0.5, 0.5, 0.5}, Std: [4]float64{0.5, 0.5, 0.5},
	}
	tensor := make([]float32, 3*2) // [1 3 1 2]
	if err := m.Read(tensor, nil, pixels, 0, 0, 1); err != nil {
		panic(err)
	}
	fmt.Println(tensor)
	// Output: [-0.36134446 0.008403464 -0.21568628 -0.21568628 1 1]
}
