package compute

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// attended is Attention by its definition, in float64: the result and the scores kept.
func attended(a *Attention, h *Head) (y, scores []float64) {
	scores = make([]float64, h.Queries*h.All)
	y = make([]float64, h.Queries*a.Width)
	for i := range h.Queries {
		p := make([]float64, max(h.Keys, h.All))
		keep := func(stage Stage) {
			if a.Keep == stage {
				copy(scores[i*h.All:][:h.All], p)
			}
		}
		for k := range p {
			for d := range a.Depth {
				p[k] += float64(h.Q[i*a.LDQ+d]) * float64(h.K[k*a.LDK+d])
			}
			p[k] *= float64(a.Scale)
		}
		keep(KeepScores)
		if c := float64(a.Softcap); c != 0 {
			for k := range p {
				p[k] = c * math.Tanh(p[k]/c)
			}
		}
		keep(KeepCapped)
		for k := range p {
			for _, b := range []*Plane[float32]{&h.Bias, &h.Bias2} {
				switch {
				case b.Data == nil:
				case b.Spread:
					p[k] += float64(b.Data[i*b.Row])
				case k < b.Cols:
					p[k] += float64(b.Data[i*b.Row+k])
				default:
					p[k] = math.Inf(-1)
				}
			}
			hidden := k >= h.Keys
			if m := &h.Mask; m.Data != nil {
				hidden = hidden || k >= m.Cols || m.Data[i*m.Row+k] == 0
			}
			if h.Causal {
				hidden = hidden || k > h.Past+i
			}
			if h.Window > 0 {
				last := h.Keys - 1
				if h.Causal {
					last = min(last, h.Past+i)
				}
				hidden = hidden || k <= last-h.Window
			}
			if hidden {
				p[k] = math.Inf(-1)
			}
		}
		keep(KeepMasked)
		m, sum := math.Inf(-1), 0.0
		for _, v := range p {
			m = max(m, v)
		}
		if h.HasSink {
			m = max(m, float64(h.Sink))
			sum = math.Exp(float64(h.Sink) - m)
		}
		for k, v := range p {
			p[k] = 0
			if v > math.Inf(-1) {
				p[k] = math.Exp(v - m)
			}
			sum += p[k]
		}
		for k := range p {
			if sum > 0 || a.Strict {
				p[k] /= sum
			}
			for d := 0; k < h.Keys && d < a.Width; d++ {
				y[i*a.Width+d] += p[k] * float64(h.V[k*a.LDV+d])
			}
		}
		keep(KeepSoftmax)
	}
	return y, scores
}

func TestAttention(t *testing.T) {
	r := testkit.Rand(7)
	for round := range 150 {
		a := Attention{Depth: 1 + r.IntN(20), Width: 1 + r.IntN(20), Scale: 0.4}
		if r.IntN(8) == 0 {
			a.Depth, a.Scale = 64, 1
		}
		keys := 1 + r.IntN(40)
		if r.IntN(4) == 0 {
			keys = 505 + r.IntN(1000)
		}
		h := Head{Queries: 1 + r.IntN(8), Keys: keys, All: keys}
		if r.IntN(4) == 0 {
			h.Queries = 32
		}
		if r.IntN(2) == 0 {
			a.Softcap = 1.5
		}
		a.Keep = Stage(r.IntN(int(KeepSoftmax) + 1))
		if a.Keep != KeepNone && r.IntN(2) == 0 {
			h.Keys = r.IntN(keys + 1)
		}
		if h.Causal = r.IntN(2) == 0; h.Causal {
			h.Past = r.IntN(keys+4) - 4
		}
		if r.IntN(3) == 0 {
			h.Window = 1 + r.IntN(keys)
		}
		for _, b := range []*Plane[float32]{&h.Bias, &h.Bias2} {
			if r.IntN(3) == 0 {
				b.Cols = max(1, keys-r.IntN(2)*r.IntN(keys))
				b.Row = b.Cols * r.IntN(2)
				b.Data = testkit.Normal(r, h.Queries*b.Cols, 0, 1)
				for i := range b.Data {
					if r.IntN(5) == 0 {
						b.Data[i] = -inf
					}
				}
			}
		}
		if r.IntN(3) == 0 {
			h.Mask = Plane[byte]{Data: make([]byte, h.Queries*keys), Row: keys * r.IntN(2), Cols: keys}
			for i := range h.Mask.Data {
				h.Mask.Data[i] = byte(r.IntN(2))
			}
		}
		if r.IntN(6) == 0 {
			h.Bias = Plane[float32]{Data: testkit.Normal(r, h.Queries, 0, 1), Row: r.IntN(2), Cols: 1, Spread: true}
		}
		a.Strict = a.Keep != KeepSoftmax && h.Keys > 0 && !h.Causal && r.IntN(2) == 0
		if h.HasSink = r.IntN(4) == 0; h.HasSink {
			h.Sink = float32(r.NormFloat64())
		}
		a.LDQ, a.LDK, a.LDV, a.LDY = a.Depth+r.IntN(2)*3, a.Depth+r.IntN(2)*3, a.Width+r.IntN(2)*3, a.Width+r.IntN(2)*3
		h.Q, h.K, h.V = testkit.Normal(r, h.Queries*a.LDQ, 0, 1), testkit.Normal(r, keys*a.LDK, 0, 1), testkit.Normal(r, keys*a.LDV, 0.2, 1)
		h.Y, h.Scores = testkit.Normal(r, h.Queries*a.LDY, 0, 1), make([]float32, h.Queries*h.All)
		before := append([]float32(nil), h.Y...)
		a.Run(&h, make([]float32, a.ScratchLen(h.Queries, keys)))
		y, scores := attended(&a, &h)
		at := fmt.Sprintf("round %d: %+v, %d queries, %d of %d keys", round, a, h.Queries, h.Keys, keys)
		for i, got := range h.Y {
			if d := i % a.LDY; d >= a.Width {
				require.Equal(t, before[i], got, at)
			} else {
				want := y[i/a.LDY*a.Width+d]
				if math.IsNaN(want) {
					require.True(t, math.IsNaN(float64(got)), at)
				} else {
					require.InDelta(t, want, float64(got), 2e-5, at)
				}
			}
		}
		for i, got := range h.Scores {
			if want := scores[i]; want != float64(got) {
				require.InDelta(t, want, float64(got), 2e-5, at)
			}
		}
	}
}

func TestAttentionInPanels(t *testing.T) {
	r := testkit.Rand(9)
	for round := range 150 {
		a := Attention{Depth: 1 + r.IntN(20), Width: 1 + r.IntN(20), Scale: 0.4}
		if r.IntN(8) == 0 {
			a.Depth, a.Width, a.Scale = 64, 64, 1
		}
		keys := 1 + r.IntN(40)
		if r.IntN(4) == 0 {
			keys = panelKeys - 3 + r.IntN(2*panelKeys)
		}
		h := Head{Queries: 1 + r.IntN(40), Keys: keys}
		if r.IntN(4) == 0 {
			h.Keys = r.IntN(keys + 1)
		}
		if h.Causal = r.IntN(3) == 0; h.Causal {
			h.Past = r.IntN(keys+4) - 4
		}
		hidden := []float32{-inf, -math.MaxFloat32, Hides, -3}[r.IntN(4)]
		for _, b := range []*Plane[float32]{&h.Bias, &h.Bias2} {
			if r.IntN(2) == 0 {
				continue
			}
			b.Cols = max(1, keys-r.IntN(2)*r.IntN(keys))
			b.Row = b.Cols * r.IntN(2)
			b.Data = testkit.Normal(r, h.Queries*b.Cols, 0, 1)
			from := r.IntN(b.Cols + 1)
			for i := range b.Data {
				if j := i % b.Cols; r.IntN(5) == 0 || j >= from && j > i/b.Cols {
					b.Data[i] = hidden
				}
			}
		}
		if r.IntN(6) == 0 {
			h.Bias = Plane[float32]{Data: testkit.Normal(r, h.Queries, 0, 1), Row: r.IntN(2), Cols: 1, Spread: true}
		}
		if r.IntN(4) == 0 {
			h.Mask = Plane[byte]{Data: make([]byte, h.Queries*keys), Row: keys * r.IntN(2), Cols: max(1, keys-r.IntN(3))}
			for i := range h.Mask.Data {
				h.Mask.Data[i] = byte(r.IntN(2))
			}
		}
		a.Strict = h.Keys > 0 && !h.Causal && r.IntN(2) == 0
		a.LDQ, a.LDK, a.LDV, a.LDY = a.Depth+r.IntN(2)*3, a.Depth+r.IntN(2)*3, a.Width+r.IntN(2)*3, a.Width+r.IntN(2)*3
		h.Q, h.K, h.V = testkit.Normal(r, h.Queries*a.LDQ, 0, 1), testkit.Normal(r, keys*a.LDK, 0, 1), testkit.Normal(r, keys*a.LDV, 0.2, 1)
		h.Y = testkit.Normal(r, h.Queries*a.LDY, 0, 1)
		before := append([]float32(nil), h.Y...)
		var ends []int32
		if h.Bias.Data != nil && r.IntN(2) == 0 {
			ends = make([]int32, (h.Queries+7)/8)
			MaskEnds(ends, &h.Bias, h.Queries, keys)
		}
		require.True(t, a.InPanels())
		laid := a.LayOut(h.K, h.V, h.Keys, make([]float32, a.PanelLen(h.Keys)))
		scratch := make([]float32, a.PanelScratch())
		fill(scratch, float32(math.NaN()))
		a.RunPanels(&h, laid, ends, scratch, nil)
		y, _ := attended(&a, &h)
		at := fmt.Sprintf("round %d: %+v, %d queries, %d of %d keys, causal %v past %d, ends %v", round, a, h.Queries, h.Keys, keys, h.Causal, h.Past, ends)
		for i, got := range h.Y {
			if d := i % a.LDY; d >= a.Width {
				require.Equal(t, before[i], got, at)
			} else if want := y[i/a.LDY*a.Width+d]; math.IsNaN(want) {
				require.True(t, math.IsNaN(float64(got)), at)
			} else {
				require.InDelta(t, want, float64(got), 2e-5, at)
			}
		}
	}
}

func TestFewQueriesOfManyHeads(t *testing.T) {
	r := testkit.Rand(8)
	for round := range 80 {
		a := Attention{Depth: 1 + r.IntN(20), Width: 1 + r.IntN(20), Scale: 0.4}
		heads, keys := 1+r.IntN(5), 1+r.IntN(40)
		switch round % 8 {
		case 0:
			heads, keys = 1+r.IntN(9), fewScores/4 // some of the rows at a time
		case 1:
			keys = fewScores + 3
		case 2:
			a.Width, a.Depth = 64, 64
		}
		h := Few{Share: 1 + r.IntN(3), Keys: keys, First: r.IntN(3)}
		h.Rows = heads * h.Share
		a.LDQ, a.LDK, a.LDV = a.Depth+r.IntN(2)*3, a.Depth+r.IntN(2)*3, a.Width+r.IntN(2)*3
		if r.IntN(3) == 0 {
			a.LDQ = 0 // one query for all
		}
		h.GapK, h.GapV = keys*a.LDK+r.IntN(5), keys*a.LDV+r.IntN(5)
		h.Y, h.Q = make([]float32, h.Rows*a.Width), testkit.Normal(r, (h.Rows-1)*a.LDQ+a.Depth, 0, 1)
		h.K, h.V = testkit.Normal(r, heads*h.GapK, 0, 1), testkit.Normal(r, heads*h.GapV, 0.2, 1)
		for i := range h.Bias {
			if p := &h.Bias[i]; r.IntN(2) == 0 {
				p.Cols = max(1, keys+h.First-r.IntN(2)*r.IntN(keys))
				p.Row = p.Cols * r.IntN(2)
				p.Data = testkit.Normal(r, h.Rows*p.Cols, 0, 1)
				for i := range p.Data {
					if r.IntN(5) == 0 {
						p.Data[i] = -inf
					}
				}
			}
		}
		a.Strict = r.IntN(2) == 0
		scratch := make([]float32, a.FewScratch(h.Rows, keys))
		a.RunFew(&h, scratch)
		for row := range h.Rows {
			one := Head{Q: h.Q[row*a.LDQ:], K: h.K[row/h.Share*h.GapK:], V: h.V[row/h.Share*h.GapV:], Queries: 1, Keys: keys}
			for i, to := range [...]*Plane[float32]{&one.Bias, &one.Bias2} {
				if p := h.Bias[i]; p.Data != nil {
					*to = Plane[float32]{Data: p.Data[row*p.Row+h.First:], Cols: p.Cols - h.First}
				}
			}
			y, _ := attended(&a, &one)
			for d, want := range y {
				got := float64(h.Y[row*a.Width+d])
				if math.IsNaN(want) {
					require.True(t, math.IsNaN(got), "round %d, row %d", round, row)
					continue
				}
				require.InDelta(t, want, got, 2e-5, "round %d: %+v, row %d of %d, %d keys", round, a, row, h.Rows, keys)
			}
		}
	}
}
