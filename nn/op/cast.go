package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// castTypes are the types that numbers are converted from and to.
const castTypes = numberTypes | boolOnly | halfTypes | smallInts | smallFloats

func init() { Register(castRows) }

var castRows = []Row{{
	Name: "Cast", Since: 1, Changes: []int{6, 9, 13, 19, 21, 23, 24, 25},
	In:     []In{{Name: "input", Types: castTypes}},
	Out:    []Out{{Name: "output", From: "to"}},
	Attrs:  []Attr{{Name: "to", Kind: ir.AttrInt}, {Name: "saturate", Kind: ir.AttrInt, I: 1, Since: 19}, castRounding},
	Rank:   sameRank,
	Check:  checkCast,
	Limits: "numbers only",
	Plan:   planCast,
}, {
	Name: "CastLike", Since: 15, Changes: []int{19, 21, 23, 24, 25},
	In:    []In{{Name: "input", Types: castTypes}, {Name: "target_type", Types: castTypes, Var: 'T'}},
	Out:   []Out{{Name: "output", Var: 'T'}},
	Attrs: []Attr{{Name: "saturate", Kind: ir.AttrInt, I: 1, Since: 19}, castRounding},
	Rank:  sameRank,
	Plan:  planCastLike,
}, {
	Name: "BitCast", Since: 26,
	In:    []In{{Name: "input", Types: castTypes}},
	Out:   []Out{{Name: "output", From: "to"}},
	Attrs: []Attr{{Name: "to", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Check: checkCast,
	Plan:  planBitCast,
}}

// castRounding is how a number is rounded to a power of two.
var castRounding = Attr{Name: "round_mode", Kind: ir.AttrString, S: "up", Words: []string{"up", "down", "nearest"}, Since: 24}

func checkCast(n *ir.Node) string {
	if to := n.Int("to", 0); !castable(to) {
		return text.Join("to=", to)
	}
	return ""
}

// castable says whether the attribute to is one of castTypes.
func castable(to int64) bool {
	return to > 0 && to < 32 && castTypes.Has(ir.DType(to))
}

func planCast(c *Call) error {
	to := c.Int("to")
	if !castable(to) {
		return unsupported(c, "to=", to)
	}
	return castTo(c, ir.DType(to))
}

func planCastLike(c *Call) error { return castTo(c, c.In(1).Type) }

// planBitCast looks at the same bits as another type of as many.
func planBitCast(c *Call) error {
	in, to := c.In(0), ir.DType(c.Int("to"))
	if !castable(c.Int("to")) || to.Bits() != in.Type.Bits() {
		return c.Fail("the input is ", in.Type.String(), " of ", in.Type.Bits(), " bits, to is ", to.String(), " of ", to.Bits(), " bits")
	}
	c.Out(0, to, in.Dims...)
	c.Alias(0, 0)
	return nil
}

// castTo plans the conversion of input 0. ONNX leaves open what becomes of a float beyond
// the integers' range: here it is cut off to int64, where it saturates, and keeps the low
// bits (−20 is 236 as uint8, 300 is 44; onnxruntime-web has 0 and 44); NaN becomes 0. A
// bool is false for 0 only.
func castTo(c *Call, to ir.DType) error {
	in := c.In(0)
	from := in.Type
	if from == to {
		return view(c, in.Dims)
	}
	c.Out(0, to, in.Dims...)
	first, second := conversion(from, to)
	switch {
	case first != noConversion:
		s := Into[convert](c)
		s.first, s.second = first, second
		s.load, s.store, s.from, s.to, s.n = loadFloats(from), storeFloats(to), from, to, in.Len()
		c.Scratch((8 + 4) * castBlock)
	case to == ir.Float32 && halfTypes.Has(from):
		*Into[widenHalves](c) = widenHalves{from, in.Len()}
	case from == ir.Float32 && to == ir.Float16:
		*Into[narrowFloats](c) = narrowFloats{in.Len()}
	case to != ir.Bool && !floatLike(to) && !floatLike(from):
		s := Into[cast[int64]](c)
		s.load, s.store, s.from, s.to, s.n = loadInts(from), storeInts(to), from, to, in.Len()
		c.Scratch(8 * castBlock)
	default:
		s := Into[cast[float64]](c)
		s.load, s.store, s.from, s.to, s.n = loadFloats(from), storeFloats(to), from, to, in.Len()
		if smallFloats.Has(to) {
			s.store = storeSmallFloats(to, c.Int("saturate") != 0, c.Str("round_mode"))
		}
		if s.load == nil || s.store == nil {
			return unsupported(c, "from ", from.String(), " to ", to.String())
		}
		c.Scratch(8 * castBlock)
	}
	return nil
}

// castBlock is how many elements are converted at a time: whole bytes of any type.
const castBlock = blockLen

const (
	noConversion = -1
	toTruth      = 100 // 1 for what is not 0
)

// conversion gives one or two kernel.Converts that convert between two types, or toTruth and
// how zeros are found.
func conversion(from, to ir.DType) (first, second int) {
	words, bytes := to == ir.Int32 || to == ir.Uint32, to == ir.Int8 || to == ir.Uint8
	longs := to == ir.Int64 || to == ir.Uint64
	first, second = noConversion, noConversion
	switch from {
	case ir.Float32:
		switch first = kernel.ConvertTrunc; {
		case longs:
			second = kernel.ConvertLong
		case bytes:
			second = kernel.ConvertByte
		case to == ir.Float64:
			first = kernel.ConvertDouble
		case to == ir.Bool:
			return toTruth, kernel.CompareFloat32
		case !words:
			first = noConversion
		}
	case ir.Float64:
		if to == ir.Float32 {
			first = kernel.ConvertSingle
		}
	case ir.Int32, ir.Uint8, ir.Int8, ir.Bool:
		var next int
		switch {
		case to == ir.Bool && from == ir.Int32:
			return toTruth, kernel.CompareInt32
		case to == ir.Bool:
			return toTruth, kernel.CompareXor
		case words:
			next = noConversion
		case longs:
			next = kernel.ConvertLong
		case to == ir.Float32:
			next = kernel.ConvertFloat
		case bytes && from == ir.Int32:
			next = kernel.ConvertByte
		default:
			return noConversion, noConversion
		}
		switch from {
		case ir.Int32:
			return next, noConversion
		case ir.Int8:
			return kernel.ConvertInt8, next
		}
		return kernel.ConvertUint8, next
	case ir.Int64:
		switch {
		case to == ir.Bool:
			return toTruth, kernel.CompareInt64
		case words:
			first = kernel.ConvertShort
		case bytes:
			first, second = kernel.ConvertShort, kernel.ConvertByte
		case to == ir.Float32: // by way of float64 it would round twice
			first = kernel.ConvertWhole
		}
	}
	return first, second
}

// convert converts by kernels; blocks with numbers that they leave, as cast does.
type convert struct {
	cast[float64]
	first, second int
}

func (s *convert) Run(a *Args) {
	dst, src := a.Out[0].Data, a.In[0].Data
	middle := a.Scratch[8*castBlock:][:4*castBlock]
	for left := s.n; left > 0; left -= castBlock {
		n := min(castBlock, left)
		x, y := src[:s.from.Bytes(n)], dst[:s.to.Bytes(n)]
		src, dst = src[len(x):], dst[len(y):]
		switch {
		case s.first == toTruth:
			kernel.ComparePairs(&y[0], &x[0], &blockOfZeros[0], n, s.second)
			if s.second != kernel.CompareXor {
				kernel.ComparePairs(&y[0], &y[0], &blockOfZeros[0], n, kernel.CompareSame)
			}
			continue
		case s.second == noConversion:
			if kernel.Convert(&y[0], &x[0], n, s.first) == n {
				continue
			}
		default:
			if kernel.Convert(&middle[0], &x[0], n, s.first) == n {
				kernel.Convert(&y[0], &middle[0], n, s.second)
				continue
			}
		}
		part := slab.View[float64](a.Scratch[:8*n])
		s.load(part, x)
		s.store(y, part)
	}
}

// cast converts by way of int64 or float64, block by block in scratch memory.
type cast[T wideElem] struct {
	load     func(dst []T, src []byte)
	store    func(dst []byte, src []T)
	from, to ir.DType
	n        int
}

func (s *cast[T]) Run(a *Args) {
	dst, src, part := a.Out[0].Data, a.In[0].Data, slab.View[T](a.Scratch[:8*castBlock])
	if s.to.Bits() < 8 && len(dst) > 0 {
		dst[len(dst)-1] = 0 // there may be bits behind the last element
	}
	for left := s.n; left > 0; left -= castBlock {
		part = part[:min(castBlock, left)]
		from, to := s.from.Bytes(len(part)), s.to.Bytes(len(part))
		s.load(part, src[:from])
		s.store(dst[:to], part)
		src, dst = src[from:], dst[to:]
	}
}

// widenHalves converts float16 or bfloat16 to float32.
type widenHalves struct {
	from ir.DType
	n    int
}

func (s *widenHalves) Rows() int { return chunks(s.n) }
func (s *widenHalves) Time() int { return s.n / 4 }

func (s *widenHalves) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *widenHalves) RunRows(a *Args, from, to int) {
	lo, hi := chunk(s.n, from, to)
	compute.Widen(a.Out[0].Float32s()[lo:hi], a.In[0].Data[2*lo:2*hi], elemOf(s.from))
}

// Widened is a tensor of float16 or bfloat16 as float32.
func Widened(t *ir.Tensor) *ir.Tensor {
	y := ir.NewTensor(ir.Float32, append([]int(nil), t.Dims...)...)
	compute.Widen(y.Float32s(), t.Data, elemOf(t.Type))
	return y
}

// narrowFloats converts float32 to float16.
type narrowFloats struct{ n int }

func (s *narrowFloats) Rows() int { return chunks(s.n) }

func (s *narrowFloats) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *narrowFloats) RunRows(a *Args, from, to int) {
	lo, hi := chunk(s.n, from, to)
	compute.Narrow(a.Out[0].Data[2*lo:2*hi], a.In[0].Float32s()[lo:hi])
}

func floatLike(t ir.DType) bool { return (floatTypes | halfTypes | smallFloats).Has(t) }

func loadInts(t ir.DType) func(dst []int64, src []byte) {
	switch t {
	case ir.Int8:
		return load[int64, int8]
	case ir.Int16:
		return load[int64, int16]
	case ir.Int32:
		return load[int64, int32]
	case ir.Uint16:
		return load[int64, uint16]
	case ir.Uint32:
		return load[int64, uint32]
	case ir.Uint8, ir.Bool:
		return load[int64, uint8]
	case ir.Int4, ir.Uint4, ir.Int2, ir.Uint2:
		return func(dst []int64, src []byte) {
			for i := range dst {
				dst[i] = ir.Small(t, src, i)
			}
		}
	}
	return load[int64, int64] // uint64 as well: the same bits
}

func loadFloats(t ir.DType) func(dst []float64, src []byte) {
	switch t {
	case ir.Float16:
		return func(dst []float64, src []byte) {
			for i, v := range slab.View[uint16](src) {
				dst[i] = float64(halfToFloat(v))
			}
		}
	case ir.BFloat16:
		return func(dst []float64, src []byte) {
			for i, v := range slab.View[uint16](src) {
				dst[i] = float64(math.Float32frombits(uint32(v) << 16))
			}
		}
	case ir.Float32:
		return load[float64, float32]
	case ir.Float64:
		return load[float64, float64]
	case ir.Int8:
		return load[float64, int8]
	case ir.Int16:
		return load[float64, int16]
	case ir.Int32:
		return load[float64, int32]
	case ir.Int64:
		return load[float64, int64]
	case ir.Uint16:
		return load[float64, uint16]
	case ir.Uint32:
		return load[float64, uint32]
	case ir.Uint64:
		return load[float64, uint64]
	case ir.Int4, ir.Uint4, ir.Int2, ir.Uint2:
		return func(dst []float64, src []byte) {
			for i := range dst {
				dst[i] = float64(ir.Small(t, src, i))
			}
		}
	case ir.Uint8, ir.Bool:
		return load[float64, uint8]
	}
	return loadSmallFloats(t)
}

func load[D int64 | float64, S slab.Elem](dst []D, src []byte) {
	for i, v := range slab.View[S](src) {
		dst[i] = D(v)
	}
}

func storeInts(t ir.DType) func(dst []byte, src []int64) {
	switch t {
	case ir.Int8, ir.Uint8, ir.Bool:
		return store[uint8]
	case ir.Int16, ir.Uint16:
		return store[uint16]
	case ir.Int32, ir.Uint32:
		return store[uint32]
	case ir.Int4, ir.Uint4, ir.Int2, ir.Uint2:
		return func(dst []byte, src []int64) {
			for i, v := range src {
				ir.SetSmall(t, dst, i, v)
			}
		}
	}
	return store[int64]
}

func store[D slab.Elem](dst []byte, src []int64) {
	d := slab.View[D](dst)
	for i, v := range src {
		d[i] = D(v)
	}
}

func storeFloats(t ir.DType) func(dst []byte, src []float64) {
	switch t {
	case ir.Float16, ir.BFloat16:
		narrow := floatToHalf
		if t == ir.BFloat16 {
			narrow = floatToBrain
		}
		return func(dst []byte, src []float64) {
			d := slab.View[uint16](dst)
			for i, v := range src {
				d[i] = narrow(v)
			}
		}
	case ir.Float32:
		return func(dst []byte, src []float64) {
			d := slab.View[float32](dst)
			for i, v := range src {
				d[i] = float32(v)
			}
		}
	case ir.Float64:
		return func(dst []byte, src []float64) { copy(slab.View[float64](dst), src) }
	case ir.Bool:
		return func(dst []byte, src []float64) {
			for i, v := range src {
				dst[i] = 0
				if v != 0 {
					dst[i] = 1
				}
			}
		}
	case ir.Uint64:
		return func(dst []byte, src []float64) {
			d := slab.View[uint64](dst)
			for i, v := range src {
				switch {
				case v >= 1<<64:
					d[i] = math.MaxUint64
				case v >= 1<<63:
					d[i] = uint64(v)
				default:
					d[i] = uint64(toInt64(v))
				}
			}
		}
	case ir.Int8, ir.Uint8:
		return truncate[uint8]
	case ir.Int4, ir.Uint4, ir.Int2, ir.Uint2:
		return func(dst []byte, src []float64) {
			for i, v := range src {
				ir.SetSmall(t, dst, i, toInt64(v))
			}
		}
	case ir.Int16, ir.Uint16:
		return truncate[uint16]
	case ir.Int32, ir.Uint32:
		return truncate[uint32]
	}
	return truncate[int64]
}

func truncate[D slab.Elem](dst []byte, src []float64) {
	d := slab.View[D](dst)
	for i, v := range src {
		d[i] = D(toInt64(v))
	}
}

// toInt64 truncates as WebAssembly's i64.trunc_sat_f64_s does, which Go leaves
// to the platform for values out of range.
func toInt64(v float64) int64 {
	switch {
	case v != v:
		return 0
	case v >= 1<<63:
		return math.MaxInt64
	case v <= -1<<63:
		return math.MinInt64
	}
	return int64(v)
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 24)) // exact
		return math.Float32frombits(math.Float32bits(v) | sign)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// floatToHalf rounds to the nearest binary16, ties to even.
func floatToHalf(v float64) uint16 {
	bits := math.Float64bits(v)
	sign := uint16(bits >> 48 & 0x8000)
	a := math.Abs(v)
	switch {
	case v != v:
		return sign | 0x7e00
	case a >= 65520: // half a step above the largest, 65504
		return sign | 0x7c00
	case a < 1.0/(1<<14): // denormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(a*(1<<24)))
	}
	exp := int(bits>>52&0x7ff) - 1023
	// frac/1024 in [1, 2); a carry to 2048 moves the exponent up by itself.
	frac := uint16(math.RoundToEven(math.Ldexp(a, 10-exp)))
	return sign | (uint16(exp+14)<<10 + frac)
}

// floatToBrain rounds to the nearest bfloat16, the upper half of a float32, ties to even.
func floatToBrain(v float64) uint16 {
	f := float32(v)
	bits := math.Float32bits(f)
	if v != v {
		return uint16(bits>>16) | 0x40
	}
	up := bits >> 16 & 1
	if bits&0xffff == 0x8000 && float64(f) != v { // no tie, but for what float32 rounded away
		up = 0
		if math.Abs(v) > math.Abs(float64(f)) {
			up = 1
		}
	}
	return uint16((bits + 0x7fff + up) >> 16)
}
