package graph

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/normwasm/normwasm/nn/ir"
)

// columns is the input of the next graphs: any number of rows.
func columns(s *sketch, n int) *ir.Value {
	x := s.input(1, n)
	x.Dims[0] = ir.Dim{Size: -1}
	return x
}

// images is an input of any number of images of any size.
func images(s *sketch, channels int) *ir.Value {
	x := s.input(1, channels, 1, 1)
	for _, i := range []int{0, 2, 3} {
		x.Dims[i] = ir.Dim{Size: -1}
	}
	return x
}

// weighty are graphs whose weights are laid out for kernels, and how many bytes of them
// have to be held beside the weights, at most, when these may be overwritten.
var weighty = []struct {
	name   string
	build  func(s *sketch) *ir.Graph
	beside int
}{
	{"MatMul", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 40), s.weights(40, 64)))
	}, 0},
	{"MatMul with columns beyond the last panel", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 40), s.weights(40, 67)))
	}, 4 * 8 * 40},
	{"MatMul by few columns", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 40), s.weights(40, 3)))
	}, 4 * 8 * 40},
	{"MatMul by a vector", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 40), s.weights(40)))
	}, 4 * 8 * 40},
	{"MatMul by blocks", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 1100), s.weights(1100, 1030)))
	}, 4 * 8 * 1100},
	{"MatMul by one matrix of a batch", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 24), s.weights(1, 24, 16)))
	}, 0},
	{"MatMul by a batch", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 24), s.weights(3, 24, 16)))
	}, 0},
	{"MatMul with bias and ReLU", func(s *sketch) *ir.Graph {
		return s.output(s.node("Relu", nil, s.node("Add", nil, s.node("MatMul", nil, columns(s, 24), s.weights(24, 16)), s.weights(16))))
	}, 0},
	{"Gemm", func(s *sketch) *ir.Graph {
		return s.output(s.node("Gemm", map[string]*ir.Attr{"alpha": floatAttr(0.5), "beta": floatAttr(2)}, columns(s, 24), s.weights(24, 16), s.weights(16)))
	}, 0},
	{"Gemm, transposed", func(s *sketch) *ir.Graph {
		return s.output(s.node("Gemm", map[string]*ir.Attr{"transB": intAttr(1)}, columns(s, 24), s.weights(18, 24), s.weights(18)))
	}, 4 * 8 * 24},
	{"Gemm without a product", func(s *sketch) *ir.Graph {
		return s.output(s.node("Gemm", map[string]*ir.Attr{"alpha": floatAttr(0)}, columns(s, 24), s.weights(24, 16), s.weights(16)))
	}, 0},
	{"MatMul by a matrix of ones and zeros", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 8), s.weights(8, 8)))
	}, 0},
	{"MatMul by the transposed", func(s *sketch) *ir.Graph {
		return s.output(s.node("MatMul", nil, columns(s, 256), s.node("Transpose", nil, s.weights(512, 256))))
	}, 4 * 512 * 256}, // without folding it is computed by each run, and packed by it
	{"MatMul by a view", func(s *sketch) *ir.Graph {
		shape := &ir.Value{Const: &ir.Tensor{Type: ir.Int64, Dims: []int{2}, Data: slab.Bytes([]int64{24, 16})}}
		return s.output(s.node("MatMul", nil, columns(s, 24), s.node("Reshape", nil, s.weights(16, 24), shape)))
	}, 4 * 24 * 16},
	{"Conv", func(s *sketch) *ir.Graph {
		return s.output(s.node("Conv", map[string]*ir.Attr{"pads": intsAttr(1, 1, 1, 1)}, images(s, 6), s.weights(8, 6, 3, 3), s.weights(8)))
	}, 4 * 8},
	{"Conv of points, with padding", func(s *sketch) *ir.Graph {
		return s.output(s.node("Conv", nil, images(s, 6), s.weights(10, 6, 1, 1)))
	}, 4 * (12*6 + 10)},
	{"Conv in groups", func(s *sketch) *ir.Graph {
		return s.output(s.node("Conv", map[string]*ir.Attr{"group": intAttr(2)}, images(s, 6), s.weights(8, 3, 1, 1)))
	}, 4 * 8},
	{"Conv by planes", func(s *sketch) *ir.Graph {
		return s.output(s.node("Conv", map[string]*ir.Attr{"group": intAttr(6), "pads": intsAttr(1, 1, 1, 1)}, images(s, 6), s.weights(6, 1, 3, 3)))
	}, 4 * 6},
	{"Conv of sequences", func(s *sketch) *ir.Graph {
		x := s.input(1, 6, 9)
		return s.output(s.node("Conv", nil, x, s.weights(8, 6, 3)))
	}, 4 * 8},
	{"Conv and BatchNormalization", func(s *sketch) *ir.Graph {
		y := s.node("Conv", nil, images(s, 6), s.weights(8, 6, 1, 1))
		y = s.node("BatchNormalization", nil, y, s.weights(8), s.weights(8), s.weights(8), s.weights(8))
		return s.output(s.node("Mul", nil, y, number(0.5)))
	}, 1000},
	{"ConvTranspose", func(s *sketch) *ir.Graph {
		return s.output(s.node("ConvTranspose", map[string]*ir.Attr{"dilations": intsAttr(2, 2)}, images(s, 6), s.weights(6, 4, 2, 2), s.weights(4)))
	}, 4 * 4},
	{"ConvTranspose in the blocked layout", func(s *sketch) *ir.Graph {
		return s.output(s.node("ConvTranspose", map[string]*ir.Attr{"strides": intsAttr(2, 2)}, images(s, 8), s.weights(8, 16, 2, 2), s.weights(16)))
	}, 4 * 4 * (16 + 8)}, // a bias of each phase
	{"ConvTranspose to planes", func(s *sketch) *ir.Graph {
		return s.output(s.node("ConvTranspose", map[string]*ir.Attr{"strides": intsAttr(2, 2)}, images(s, 6), s.weights(6, 4, 2, 2), s.weights(4)))
	}, 4 * (8*16 + 16 + 8)}, // blocks of inputs are filled up
	{"ConvTranspose in groups, with padding", func(s *sketch) *ir.Graph {
		return s.output(s.node("ConvTranspose", map[string]*ir.Attr{"group": intAttr(2)}, images(s, 6), s.weights(6, 1, 3, 3)))
	}, 4 * (2*12*3 + 2)},

	{"weights that another node reads", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		return s.output(s.node("Add", nil, s.node("MatMul", nil, s.input(16, 16), w), w))
	}, 4 * 16 * 16},
	{"weights of two nodes", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		return s.output(s.node("MatMul", nil, s.node("MatMul", nil, columns(s, 16), w), w))
	}, 2 * 4 * 16 * 16},
	{"weights that are multiplied by themselves", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		return s.output(s.node("MatMul", nil, columns(s, 16), s.node("MatMul", nil, w, w)))
	}, 2 * 4 * 16 * 16},
	{"weights of which there is a view", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		flat := s.node("Flatten", map[string]*ir.Attr{"axis": intAttr(0)}, w)
		return s.output(s.node("MatMul", nil, columns(s, 16), w), s.node("Relu", nil, flat))
	}, 4 * 16 * 16},
	{"weights that are an output", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		return s.output(s.node("MatMul", nil, columns(s, 16), w), w)
	}, 4 * 16 * 16},
	{"weights behind a Mul that does nothing", func(s *sketch) *ir.Graph {
		w := s.weights(16, 16)
		one := s.node("Mul", nil, w, number(1))
		return s.output(s.node("MatMul", nil, columns(s, 16), one), s.node("MatMul", nil, columns(s, 16), one))
	}, 2 * 4 * 16 * 16},
	{"transposed weights whose original is read", func(s *sketch) *ir.Graph {
		w := s.weights(512, 256)
		y := s.node("MatMul", nil, columns(s, 256), s.node("Transpose", nil, w))
		return s.output(s.node("MatMul", nil, y, w))
	}, 2 * 4 * 512 * 256},
	{"a Conv's weights that another Conv has", func(s *sketch) *ir.Graph {
		w, x := s.weights(8, 8, 1, 1), images(s, 8)
		y := s.node("Conv", nil, x, w)
		y = s.node("BatchNormalization", nil, y, s.weights(8), s.weights(8), s.weights(8), s.weights(8))
		return s.output(s.node("Conv", nil, y, w))
	}, 3000},
	{"weights of a branch", func(s *sketch) *ir.Graph {
		x, w, u := columns(s, 16), s.weights(16, 16), s.weights(16, 16)
		branch := func(w *ir.Value) *ir.Attr {
			v := &ir.Value{Name: "v"}
			return &ir.Attr{Kind: ir.AttrGraph, G: &ir.Graph{Nodes: []*ir.Node{{Op: "MatMul", Version: 17, Inputs: []*ir.Value{x, w}, Outputs: []*ir.Value{v}}}, Outputs: []*ir.Value{v}}}
		}
		sum := s.node("ReduceSum", map[string]*ir.Attr{"keepdims": intAttr(0)}, x)
		negative := s.node("Less", nil, sum, number(0))
		negative.Type = ir.Bool
		return s.output(s.node("If", map[string]*ir.Attr{"then_branch": branch(w), "else_branch": branch(u)}, negative), s.node("MatMul", nil, x, u))
	}, 2 * 4 * 16 * 16},
	{"weights times what is known now and then", func(s *sketch) *ir.Graph {
		// The left operand is computed while planning as long as it is small.
		length := s.node("Shape", nil, s.input(1))
		s.g.Inputs[0].Dims[0] = ir.Dim{Size: -1}
		lines := s.node("Concat", map[string]*ir.Attr{"axis": intAttr(0)}, length, &ir.Value{Const: &ir.Tensor{Type: ir.Int64, Dims: []int{1}, Data: slab.Bytes([]int64{16})}})
		length.Type, lines.Type = ir.Int64, ir.Int64
		ones := s.node("ConstantOfShape", map[string]*ir.Attr{"value": {Kind: ir.AttrTensor, T: ir.NewTensor(ir.Float32, 1)}}, lines)
		return s.output(s.node("MatMul", nil, s.node("Exp", nil, ones), s.weights(16, 16)))
	}, 0},
}

// Whether weights are overwritten by what kernels want, or that is kept beside them, makes
// no difference to any bit, for one shape after the other.
func TestWeightsInPlace(t *testing.T) {
	for _, c := range weighty {
		for _, level := range []string{"all", "none"} {
			t.Run(c.name+", "+level, func(t *testing.T) {
				g := c.build(newSketch())
				constants := constantsOf(g)
				var before []*ir.Tensor
				for _, x := range constants {
					before = append(before, x.Clone())
				}
				beside, err := NewSession(g, Options{Optimize: level})
				require.NoError(t, err)
				place, err := NewSession(c.build(newSketch()), Options{Optimize: level, Own: true})
				require.NoError(t, err)
				for _, free := range []int{1, 3, 5, 1, 9, 6000, 2} {
					if free < 10 || len(place.Inputs()[0].Dims) == 1 {
						testkit.SameBits(t, results(t, beside, free), results(t, place, free), "with %d", free)
					}
				}
				for i, x := range constants {
					assert.True(t, before[i].Equal(x), "constants that are not the session's are left alone")
				}
				_, packed := place.plan.Held()
				assert.LessOrEqual(t, packed, c.beside, "bytes beside the weights")
				_, twice := beside.plan.Held()
				assert.GreaterOrEqual(t, twice, packed)
				place.Release()
				beside.Release()
			})
		}
	}
}

// constantsOf are the tensors of g.
func constantsOf(g *ir.Graph) (list []*ir.Tensor) {
	eachRead(g, func(v *ir.Value) {
		if v.Const != nil {
			list = append(list, v.Const)
		}
	}, func(x *ir.Tensor) { list = append(list, x) })
	return list
}

// results runs s with inputs whose free dimensions are all free, and joins the outputs.
func results(t *testing.T, s *Session, free int) (all []float32) {
	t.Helper()
	var dims [][]int
	for _, in := range s.Inputs() {
		var d []int
		for _, dim := range in.Dims {
			if dim.Size < 0 {
				dim.Size = free
			}
			d = append(d, dim.Size)
		}
		dims = append(dims, d)
	}
	r, err := s.Prepare(dims)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, uint64(free)))
	for k := range dims {
		for i := range r.In(k).Float32s() {
			r.In(k).Float32s()[i] = rng.Float32() - 0.5
		}
	}
	require.NoError(t, r.Exec())
	for k := range s.Outputs() {
		all = append(all, r.Out(k).Float32s()...)
	}
	return all
}

// What was computed of constants lies where they were, and what was taken for it is given
// back.
func TestFoldedWeightsAreHeldOnce(t *testing.T) {
	t.Cleanup(slab.Apart())
	s := newSketch()
	x := columns(s, 300)
	w := s.weights(512, 300)
	file := w.Const.Data
	y := s.node("MatMul", nil, x, s.node("Transpose", nil, s.node("Mul", nil, w, number(2))))
	session, err := NewSession(s.output(y), Options{Own: true})
	require.NoError(t, err)
	assert.Zero(t, session.Weights(file), "beside the file")
	assert.Equal(t, len(file), session.Weights(nil))
	assert.Zero(t, slab.Usage().InUse, "given back")
	session.Release()

	s = newSketch()
	w = s.weights(512, 300)
	y = s.node("MatMul", nil, columns(s, 300), s.node("Transpose", nil, s.node("Mul", nil, w, number(2))))
	session, err = NewSession(s.output(y, w), Options{Own: true})
	require.NoError(t, err)
	assert.Equal(t, 4*512*300, session.Weights(w.Const.Data), "the original is an output")
	assert.GreaterOrEqual(t, slab.Usage().InUse, 4*512*300)
	session.Release()
	assert.Zero(t, slab.Usage().InUse)
}

// narrow is a constant of a type of fewer bits than float32.
func (s *sketch) narrow(kind ir.DType, dims ...int) *ir.Value {
	x := ir.NewTensor(kind, dims...)
	for i := range x.Data {
		x.Data[i] = byte(s.rng.Uint32())
		if i%2 == 1 && kind != ir.Int8 { // of ordinary size
			x.Data[i] = x.Data[i]&0x83 | 0x3c
		}
	}
	v := &ir.Value{Name: "w", Type: kind, Known: true, Const: x}
	for _, d := range dims {
		v.Dims = append(v.Dims, ir.Dim{Size: d})
	}
	return v
}

func (s *sketch) cast(v *ir.Value) *ir.Value {
	return s.node("Cast", map[string]*ir.Attr{"to": intAttr(int64(ir.Float32))}, v)
}

func (s *sketch) turned(v *ir.Value) *ir.Value {
	y := s.node("Transpose", map[string]*ir.Attr{"perm": intsAttr(1, 0)}, v)
	y.Type = v.Type
	return y
}

// largest is the place of each row's largest element.
func (s *sketch) largest(x *ir.Value) *ir.Value {
	y := s.node("ArgMax", map[string]*ir.Attr{"axis": intAttr(1), "keepdims": intAttr(0)}, x)
	y.Type = ir.Int64
	return y
}

func (s *sketch) indices() *ir.Value {
	return &ir.Value{Name: "i", Type: ir.Int64, Const: &ir.Tensor{Type: ir.Int64, Dims: []int{3}, Data: slab.Bytes([]int64{7, 0, -1})}}
}

// Weights of float16, bfloat16 and int8 stay that, in their own memory, and products of
// them have the bits that those of their float32 have.
func TestWeightsStayAsTheyAreStored(t *testing.T) {
	const k, n = 400, 180 // panels of 176 columns, and 4
	const tail = 4 * 8 * k
	plain := map[string]*ir.Attr{}
	for _, c := range []struct {
		name  string
		build func(s *sketch, kind ir.DType) *ir.Graph
		ops   map[string]int
		kept  int
	}{
		{"MatMul", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, k), s.cast(s.narrow(kind, k, n))))
		}, map[string]int{"normwasm.MatMul": 1}, tail},
		{"MatMul by the transposed, then widened", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, k), s.cast(s.turned(s.narrow(kind, n, k)))))
		}, map[string]int{"normwasm.MatMul": 1}, tail},
		{"MatMul by the widened, then transposed twice and once more", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, k), s.turned(s.turned(s.turned(s.cast(s.narrow(kind, n, k)))))))
		}, map[string]int{"normwasm.MatMul": 1}, tail},
		{"MatMul with a bias and ReLU", func(s *sketch, kind ir.DType) *ir.Graph {
			y := s.node("MatMul", nil, columns(s, k), s.turned(s.cast(s.narrow(kind, n, k))))
			return s.output(s.node("Relu", nil, s.node("Add", nil, y, s.weights(n))))
		}, map[string]int{"normwasm.MatMul": 1}, tail},
		{"Gemm", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("Gemm", map[string]*ir.Attr{"alpha": floatAttr(0.5), "transB": intAttr(1)}, columns(s, k), s.cast(s.narrow(kind, n, k)), s.weights(n)))
		}, map[string]int{"normwasm.Gemm": 1}, tail},
		{"Gemm by the transposed, which is widened at once", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("Gemm", map[string]*ir.Attr{"transB": intAttr(1)}, columns(s, k), s.turned(s.cast(s.narrow(kind, k, n)))))
		}, map[string]int{"Gemm": 1}, tail},
		{"Gather", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("Gather", nil, s.cast(s.narrow(kind, n, k)), s.largest(columns(s, n))))
		}, map[string]int{"ArgMax": 1, "Gather": 1, "Cast": 1}, 0},
		{"Gather of constant rows", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("Add", nil, s.node("Gather", nil, s.cast(s.narrow(kind, n, k)), s.indices()), s.input(3, k)))
		}, map[string]int{"Add": 1}, 0},
		{"Gather and MatMul", func(s *sketch, kind ir.DType) *ir.Graph {
			w := s.cast(s.narrow(kind, n, k))
			return s.output(s.node("MatMul", nil, s.node("Gather", nil, w, s.largest(columns(s, n))), s.turned(w)))
		}, map[string]int{"ArgMax": 1, "Gather": 1, "Cast": 1, "normwasm.MatMul": 1}, -1},
		{"one that is an output too", func(s *sketch, kind ir.DType) *ir.Graph {
			w := s.cast(s.narrow(kind, k, n))
			return s.output(s.node("MatMul", nil, columns(s, k), w), w)
		}, map[string]int{"normwasm.MatMul": 1}, -1}, // the output is computed at once
		{"a batch of matrices", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, k), s.cast(s.narrow(kind, 4, k, n))))
		}, map[string]int{"MatMul": 1, "Cast": 1}, 0},
		{"few weights, which are widened at once", func(s *sketch, kind ir.DType) *ir.Graph {
			return s.output(s.node("MatMul", plain, columns(s, 16), s.cast(s.narrow(kind, 16, 8))))
		}, map[string]int{"MatMul": 1}, 4 * 16 * 8},
	} {
		for _, kind := range []ir.DType{ir.Float16, ir.BFloat16, ir.Int8} {
			t.Run(c.name+", "+kind.String(), func(t *testing.T) {
				written, err := NewSession(c.build(newSketch(), kind), Options{Optimize: "none"})
				require.NoError(t, err)
				beside, err := NewSession(c.build(newSketch(), kind), Options{})
				require.NoError(t, err)
				place, err := NewSession(c.build(newSketch(), kind), Options{Own: true})
				require.NoError(t, err)
				assert.Equal(t, c.ops, census(place.graph))
				for _, free := range []int{1, 5, 2} {
					want := results(t, beside, free)
					for i, w := range results(t, written, free) {
						if c.ops["normwasm.MatMul"] == 0 { // which adds in another order
							require.Equal(t, math.Float32bits(w), math.Float32bits(want[i]))
						}
						require.InEpsilon(t, 1+math.Abs(float64(w)), 1+math.Abs(float64(want[i])), 1e-4)
					}
					testkit.SameBits(t, want, results(t, place, free), "in place, with %d", free)
				}
				if _, kept := place.plan.Held(); c.kept >= 0 {
					assert.LessOrEqual(t, kept, c.kept)
				}
			})
		}
	}
}

// What of a Cast and a Transpose the optimizer has to leave.
func TestSinkCastsNearMisses(t *testing.T) {
	for name, build := range map[string]func(s *sketch) *ir.Graph{
		"another type": func(s *sketch) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, 300), s.cast(s.narrow(ir.Uint8, 300, 300))))
		},
		"the left operand": func(s *sketch) *ir.Graph {
			return s.output(s.node("MatMul", nil, s.cast(s.narrow(ir.Int8, 300, 300)), s.input(300, 1)))
		},
		"a computed matrix": func(s *sketch) *ir.Graph {
			return s.output(s.node("MatMul", nil, columns(s, 8), s.turned(s.input(8, 8))))
		},
		"another permutation": func(s *sketch) *ir.Graph {
			y := s.node("Transpose", map[string]*ir.Attr{"perm": intsAttr(0, 1)}, s.cast(s.narrow(ir.Int8, 300, 300)))
			return s.output(s.node("MatMul", nil, columns(s, 300), y))
		},
		"casts by way of another type": func(s *sketch) *ir.Graph {
			y := s.node("Cast", map[string]*ir.Attr{"to": intAttr(int64(ir.Float64))}, s.narrow(ir.Int8, 400, 300))
			y.Type = ir.Float64
			return s.output(s.node("MatMul", nil, columns(s, 400), s.cast(y)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := census(build(newSketch()))
			s, err := NewSession(build(newSketch()), Options{Own: true})
			require.NoError(t, err)
			after := census(s.graph)
			for op := range before {
				if op != "Cast" && op != "Transpose" {
					assert.Equal(t, before[op], after[op], "%s: %v", op, after)
				}
			}
			assert.Zero(t, after["normwasm.MatMul"])
			plain, err := NewSession(build(newSketch()), Options{Optimize: "none"})
			require.NoError(t, err)
			testkit.SameBits(t, results(t, plain, 3), results(t, s, 3), "%s", name)
		})
	}
}
