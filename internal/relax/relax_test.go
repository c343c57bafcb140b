package relax

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Instructions as Go's assembler writes them: a stray nop follows two-byte
// opcodes.
var (
	mul    = []byte{0xfd, 0xe6, 0x01, 0x01}
	add    = []byte{0xfd, 0xe4, 0x01, 0x01}
	madd   = []byte{0xfd, 0x85, 0x02, 0x01}
	mul64  = []byte{0xfd, 0xf2, 0x01, 0x01}
	add64  = []byte{0xfd, 0xf0, 0x01, 0x01}
	madd64 = []byte{0xfd, 0x87, 0x02, 0x01}
	q15    = []byte{0xfd, 0x82, 0x01, 0x01}
	sum    = []byte{0xfd, 0xae, 0x01, 0x01}
	dot    = []byte{0xfd, 0x93, 0x02, 0x01}
	nops   = []byte{1, 1, 1, 1}
	get    = []byte{0x20, 0x02}
	tee    = []byte{0x22, 0x02}
	set    = []byte{0x21, 0x02}
	drop   = []byte{0x1a}
	end    = []byte{0x0b}
	block  = []byte{0x02, 0x40}
	loop   = []byte{0x03, 0x40}
)

func seq(parts ...[]byte) []byte { return slices.Concat(parts...) }

// module wraps function bodies (without locals and end) into a module with a
// custom section in front and a data section behind.
func module(bodies ...[]byte) []byte {
	section := func(id byte, content []byte) []byte {
		return seq([]byte{id}, binary.AppendUvarint(nil, uint64(len(content))), content)
	}
	code := binary.AppendUvarint(nil, uint64(len(bodies)))
	for _, b := range bodies {
		f := seq([]byte{0x01, 0x03, 0x7b}, b, end) // three v128 locals
		code = seq(code, binary.AppendUvarint(nil, uint64(len(f))), f)
	}
	// The other sections hold the pattern's bytes, which must stay.
	pattern := seq(mul, get, add)
	return seq([]byte("\x00asm\x01\x00\x00\x00"), section(0, seq([]byte{0}, pattern)), section(10, code), section(11, pattern))
}

func TestContract(t *testing.T) {
	long := []byte{0x20, 0x80, 0x01} // local 128
	bare := func(b []byte) []byte { return b[:3] }
	tests := []struct {
		name     string
		in, want []byte
		n        int
	}{
		{"multiply-add", seq(get, get, mul, get, add, drop), seq(get, get, nops, get, madd, drop), 1},
		{"without stray nops", seq(get, get, bare(mul), get, bare(add), drop), seq(get, get, nops[:3], get, bare(madd), drop), 1},
		{"long local index", seq(get, get, mul, long, add, set), seq(get, get, nops, long, madd, set), 1},
		{"two", seq(mul, get, add, mul, get, add), seq(nops, get, madd, nops, get, madd), 2},
		{"second product starts over", seq(mul, mul, get, add), seq(mul, nops, get, madd), 1},
		{"first operand of a later product", seq(mul, get, mul, get, add), seq(mul, get, nops, get, madd), 1},
		{"f64x2", seq(mul64, get, add64), seq(nops, get, madd64), 1},
		{"f32x4 behind f64x2", seq(mul64, mul, get, add), seq(mul64, nops, get, madd), 1},
		{"f64x2 behind f32x4", seq(mul, get, mul64, get, add64), seq(mul, get, nops, get, madd64), 1},
		{"dot of bytes", seq(get, get, q15, get, sum, drop), seq(get, get, nops, get, dot, drop), 1},
		{"dot of bytes behind a product", seq(mul, q15, get, sum), seq(mul, nops, get, dot), 1},
		{"inside a block", seq(block, mul, get, add, drop, end), seq(block, nops, get, madd, drop, end), 1},
		{name: "accumulator first", in: seq(get, get, get, mul, add)},
		{name: "product kept by tee", in: seq(mul, tee, get, add)},
		{name: "product stored", in: seq(mul, set, get, get, add)},
		{name: "product dropped", in: seq(mul, drop, get, get, add)},
		{name: "two operands between", in: seq(mul, get, get, add)},
		{name: "block closes between", in: seq(block, mul, end, get, add)},
		{name: "block closes before the sum", in: seq(block, mul, get, end, add)},
		{name: "loop opens between", in: seq(mul, loop, get, add, end)},
		{name: "tee in place of get", in: seq(mul, tee, add)},
		{name: "global in place of local", in: seq(mul, []byte{0x23, 0x00}, add)},
		{name: "subtraction", in: seq(mul, get, []byte{0xfd, 0xe5, 0x01, 0x01})},
		{name: "dot of bytes, f32x4 sum", in: seq(q15, get, add)},
		{name: "f32x4 product, sum of int32", in: seq(mul, get, sum)},
		{name: "f32x4 product, f64x2 sum", in: seq(mul, get, add64)},
		{name: "f64x2 product, f32x4 sum", in: seq(mul64, get, add)},
		{name: "padded opcode", in: seq(mul, get, []byte{0xfd, 0xe4, 0x81, 0x00})},
		{name: "bytes of a constant", in: seq([]byte{0xfd, 0x0c}, mul, get, add, make([]byte, 6), drop)},
		{name: "bytes of a shuffle", in: seq([]byte{0xfd, 0x0d}, mul, get, add, make([]byte, 6), drop)},
		{name: "tail of an i64 constant", in: seq([]byte{0x42, 0xfd, 0xe6, 0x01}, get, add)},
		{name: "offset of a load", in: seq([]byte{0xfd, 0x00, 0x04, 0xfd, 0xe6, 0x01}, get, add)},
		{name: "bytes of an f64 constant", in: seq([]byte{0x44, 0, 0, 0, 0}, mul, get, add)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				tt.want = tt.in
			}
			m := module(drop, tt.in, drop)
			n, err := Contract(m)
			require.NoError(t, err)
			assert.Equal(t, tt.n, n)
			assert.Equal(t, module(drop, tt.want, drop), m)

			again, err := Contract(m)
			require.NoError(t, err)
			assert.Zero(t, again, "a second pass finds nothing")
			assert.Equal(t, module(drop, tt.want, drop), m)
		})
	}
}

// Each instruction is followed by a multiply-add, which is found only when the
// decoder skipped exactly the instruction's immediates; the operands are chosen
// so that a decoder out of step meets an unknown opcode or the pattern's middle.
func TestImmediates(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
	}{
		{"br_table", []byte{0x0e, 0x02, 0x00, 0x81, 0x00, 0x00}},
		{"call_indirect", []byte{0x11, 0xfd, 0x01, 0x00}},
		{"select types", []byte{0x1c, 0x01, 0x7b}},
		{"global.get", []byte{0x23, 0xfd, 0x7f}},
		{"i64.load", []byte{0x29, 0x03, 0xfd, 0xff, 0x03}},
		{"load from another memory", []byte{0x29, 0x43, 0x01, 0xfd, 0x01}},
		{"memory.grow", []byte{0x40, 0x00}},
		{"i32.const", []byte{0x41, 0xff, 0xff, 0xff, 0xff, 0x7f}},
		{"i64.const", []byte{0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}},
		{"f32.const", []byte{0x43, 0xff, 0xff, 0xff, 0xff}},
		{"f64.const", []byte{0x44, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"i64.extend32_s", []byte{0xc4}},
		{"ref.null", []byte{0xd0, 0x70}},
		{"ref.func", []byte{0xd2, 0xfd, 0x01}},
		{"i64.trunc_sat_f64_u", []byte{0xfc, 0x07}},
		{"memory.init", []byte{0xfc, 0x08, 0xfd, 0x01, 0x00}},
		{"data.drop", []byte{0xfc, 0x09, 0xfd, 0x01}},
		{"memory.copy", []byte{0xfc, 0x0a, 0x00, 0x00}},
		{"memory.fill", []byte{0xfc, 0x0b, 0x00}},
		{"table.copy", []byte{0xfc, 0x0e, 0x00, 0x00}},
		{"v128.load", []byte{0xfd, 0x00, 0x04, 0xfd, 0x01}},
		{"v128.const", append([]byte{0xfd, 0x0c}, bytes.Repeat([]byte{0xff}, 16)...)},
		{"i8x16.shuffle", append([]byte{0xfd, 0x0d}, bytes.Repeat([]byte{0x1f}, 16)...)},
		{"i8x16.swizzle", []byte{0xfd, 0x0e}},
		{"f32x4.extract_lane", []byte{0xfd, 0x1f, 0x03}},
		{"f64x2.replace_lane", []byte{0xfd, 0x22, 0x01}},
		{"i8x16.eq", []byte{0xfd, 0x23}},
		{"v128.any_true", []byte{0xfd, 0x53}},
		{"v128.load8_lane", []byte{0xfd, 0x54, 0x00, 0xfd, 0x01, 0x0f}},
		{"v128.store64_lane", []byte{0xfd, 0x5b, 0x03, 0xfd, 0x01, 0x01}},
		{"v128.load64_zero", []byte{0xfd, 0x5d, 0x03, 0xfd, 0x01}},
		{"f32x4.demote_f64x2_zero", []byte{0xfd, 0x5e}},
		{"f64x2.convert_low_i32x4_u", []byte{0xfd, 0xff, 0x01}},
		{"i8x16.relaxed_swizzle", []byte{0xfd, 0x80, 0x02}},
		{"i32x4.relaxed_dot", []byte{0xfd, 0x93, 0x02}},
		{"memory.atomic.notify", []byte{0xfe, 0x00, 0x02, 0xfd, 0x01}},
		{"atomic.fence", []byte{0xfe, 0x03, 0x00}},
		{"i32.atomic.load", []byte{0xfe, 0x10, 0x02, 0xfd, 0x01}},
		{"i64.atomic.rmw32.cmpxchg_u", []byte{0xfe, 0x4e, 0x02, 0xfd, 0x01}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := module(seq(tt.in, mul, get, add, drop))
			n, err := Contract(m)
			require.NoError(t, err)
			assert.Equal(t, 1, n)
			assert.Equal(t, module(seq(tt.in, nops, get, madd, drop)), m)
		})
	}
}

func TestContractErrors(t *testing.T) {
	good := module(seq(mul, get, add))
	tests := []struct {
		name, want string
		in         []byte
	}{
		{"empty", "not a WebAssembly 1 module", nil},
		{"HTML", "not a WebAssembly 1 module", []byte("<!doctype html>")},
		{"component", "not a WebAssembly 1 module", []byte("\x00asm\x0d\x00\x01\x00")},
		{"truncated", "module ends early", good[:len(good)-20]},
		{"unknown opcode", "offset 0x1c: unknown opcode 0x27", module([]byte{0x27})},
		{"hole in SIMD", "unknown opcode 0xfd 0x9a", module([]byte{0xfd, 0x9a, 0x01})},
		{"behind relaxed SIMD", "unknown opcode 0xfd 0x114", module([]byte{0xfd, 0x94, 0x02})},
		{"unknown bulk opcode", "unknown opcode 0xfc 0x12", module([]byte{0xfc, 0x12})},
		{"hole in atomics", "unknown opcode 0xfe 0x4", module([]byte{0xfe, 0x04})},
		{"behind atomics", "unknown opcode 0xfe 0x4f", module([]byte{0xfe, 0x4f})},
		{"missing end", "function has no end", module(block)},
		{"early end", "function ends before its size says", module(seq(end, drop))},
		{"endless number", "more than 32 bits", module([]byte{0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := bytes.Clone(tt.in)
			n, err := Contract(m)
			require.ErrorContains(t, err, tt.want)
			assert.Zero(t, n)
			assert.Equal(t, tt.in, m, "left as it was")
		})
	}
}

func FuzzContract(f *testing.F) {
	f.Add(module(seq(mul, get, add), seq(block, mul, tee, end)))
	f.Add(module())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0a\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := bytes.Clone(in)
		n, err := Contract(m)
		changed := 0
		for i := range in {
			if in[i] != m[i] {
				changed++
			}
		}
		if err != nil {
			require.Zero(t, changed)
			return
		}
		// Per contraction two bytes become nops (the third was one) and two of the addition change.
		require.Equal(t, 4*n, changed)
		again, err := Contract(m)
		require.NoError(t, err)
		require.Zero(t, again)
	})
}
