package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// einsumOracle sums over all indices of all labels, in float64. An ellipsis has been written out.
func einsumOracle(terms []string, out string, size map[byte]int, in []*ir.Tensor) (dims []int, y []float64) {
	var labels []byte
	for l := range size {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	for i := range len(out) {
		dims = append(dims, size[out[i]])
	}
	y = make([]float64, ir.Elements(dims))
	var all []int
	for _, l := range labels {
		all = append(all, size[l])
	}
	each(all, func(index []int, _ int) {
		at := map[byte]int{}
		for i, l := range labels {
			at[l] = index[i]
		}
		v := 1.0
		for k, term := range terms {
			place := make([]int, len(term))
			for j := range place {
				place[j] = min(at[term[j]], in[k].Dims[j]-1) // one element is repeated
			}
			v *= elementOf(in[k], offset(in[k].Dims, place...))
		}
		to := make([]int, len(out))
		for i := range to {
			to[i] = at[out[i]]
		}
		y[offset(dims, to...)] += v
	})
	return dims, y
}

func elementOf(x *ir.Tensor, i int) float64 {
	switch x.Type {
	case ir.Float32:
		return float64(x.Float32s()[i])
	case ir.Float64:
		return x.Float64s()[i]
	}
	return float64(x.Ints()[i])
}

func TestEinsum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	fill := func(kind ir.DType, dims ...int) *ir.Tensor {
		x := ir.NewTensor(kind, dims...)
		for i := range x.Len() {
			switch v := r.IntN(9) - 4; kind {
			case ir.Float32:
				x.Float32s()[i] = float32(v) / 4
			case ir.Float64:
				x.Float64s()[i] = float64(v) / 4
			case ir.Int32:
				x.Int32s()[i] = int32(v)
			default:
				x.Int64s()[i] = int64(v)
			}
		}
		return x
	}
	check := func(equation, written string, size map[byte]int, ones string, kind ir.DType) {
		left, out, _ := strings.Cut(written, "->")
		terms := strings.Split(left, ",")
		var in []*ir.Tensor
		for k, term := range terms {
			var dims []int
			for j := range len(term) {
				n := size[term[j]]
				if k > 0 && strings.IndexByte(ones, term[j]) >= 0 && strings.IndexByte(terms[0], term[j]) >= 0 {
					n = 1
				}
				dims = append(dims, n)
			}
			in = append(in, fill(kind, dims...))
		}
		dims, want := einsumOracle(terms, out, size, in)
		y := node{op: "Einsum", attrs: attrs("equation", text(equation)), in: in}.run(t)[0]
		require.Equal(t, append([]int{}, dims...), append([]int{}, y.Dims...), equation)
		for i, w := range want {
			require.InDelta(t, w, elementOf(y, i), 1e-4, "%s %s %v: element %d", equation, kind, size, i)
		}
	}
	kinds := []ir.DType{ir.Float32, ir.Float64, ir.Int32, ir.Int64}
	sizes := map[byte]int{'b': 2, 'h': 3, 'i': 5, 'j': 4, 'k': 6, 'd': 7, 'q': 3, 'X': 2, 'Y': 3}
	for equation, written := range map[string]string{
		"ij,jk->ik": "", "ij,kj->ik": "", "ji,jk->ik": "", "ij,jk->ki": "", "bij,bjk->bik": "", "bij,jk->bik": "", "bqhd,bkhd->bhqk": "", "bhqk,bkhd->bqhd": "",
		"ij->ji": "", "ii->i": "", "ii->": "", "ij->": "", "bii->b": "", "i,i->": "", "i,j->ij": "", "ij,ij->ij": "", "bh,b->bh": "", "b,bh,bhd->hb": "", "ij,jk,kd->id": "",
		"bid,bjd,bkd->bijk": "", "iji,ji->j": "", ",i->i": "", ",->": "", "i->i": "", " i j , j k -> i k ": "ij,jk->ik",
		"ij,jk": "ij,jk->ik", "kj,ij": "kj,ij->ik", "ba": "ba->ab", "ii": "ii->", "Ab": "Ab->Ab", "bA": "bA->Ab",
		"...ij,...jk->...ik": "XYij,Yjk->XYik", "i...->...i": "iXY->XYi", "...i->...": "XYi->XY", "...,...": "XYh,h->XYh", "i...j,...j": "iXYj,Yj->XYi",
		"bqhd,bkhd,bkhX->bqhX": "",
	} {
		if written == "" {
			written = equation
		}
		size := map[byte]int{}
		for i := range len(written) {
			if l := written[i]; l >= 'A' {
				size[l] = max(sizes[l], 2)
			}
		}
		for _, kind := range kinds {
			check(equation, written, size, "", kind)
			check(equation, written, size, "bjY", kind)
		}
	}
	for range 150 {
		letters := "abcdef"
		size, used := map[byte]int{}, ""
		var terms []string
		for range 1 + r.IntN(3) {
			term := ""
			for range r.IntN(5) {
				l := letters[r.IntN(len(letters))]
				term += string(l)
				if size[l] == 0 {
					size[l], used = 1+r.IntN(5), used+string(l)
				}
			}
			terms = append(terms, term)
		}
		out := ""
		for _, i := range r.Perm(len(used)) {
			if r.IntN(3) > 0 {
				out += used[i : i+1]
			}
		}
		equation := strings.Join(terms, ",") + "->" + out
		check(equation, equation, size, "", kinds[r.IntN(4)])
	}
	y := node{op: "Einsum", attrs: attrs("equation", text("ij,jk->ik")), in: []*ir.Tensor{f32([]int{2, 0}), f32([]int{0, 3})}}.run(t)[0]
	require.Equal(t, make([]float32, 6), y.Float32s())
	y = node{op: "Einsum", attrs: attrs("equation", text("ij->j")), in: []*ir.Tensor{f32([]int{0, 3})}}.run(t)[0]
	require.Equal(t, []int{3}, y.Dims)
	x := f32([]int{2, 3})
	for equation, want := range map[string]string{
		"ij->ik": "in its result, twice or in no operand", "ij->ii": "twice", "i1->i": "no term of letters", "..i->i": "no term", "i......->i": "no term",
		"ij,j->i": "has 2 terms for 1 inputs", "i->i": "dimensions [2 3]", "ijk->i": "dimensions [2 3]", "ii->i": "wants two of them alike", "...->": "an ellipsis that its result lacks", "ij->...": "ellipsis in its result only",
	} {
		_, err := node{op: "Einsum", attrs: attrs("equation", text(equation)), in: []*ir.Tensor{x}}.try()
		require.ErrorContains(t, err, want, equation)
	}
	_, err := node{op: "Einsum", attrs: attrs("equation", text("ij,jk->ik")), in: []*ir.Tensor{x, x}}.try()
	require.ErrorContains(t, err, "input 1 has dimensions [2 3], and an earlier one 3 in place of 2")
	big := ir.NewTensor(ir.Float32, 1<<20)
	_, err = node{op: "Einsum", attrs: attrs("equation", text("i,j,k->")), in: []*ir.Tensor{big, big, big}}.try()
	require.NoError(t, err)
	_, err = node{op: "Einsum", attrs: attrs("equation", text("i,j,k->ijk")), in: []*ir.Tensor{big, big, big}}.try()
	require.ErrorContains(t, err, fmt.Sprint("more than ", 1<<31-1, " elements"))
}
