//go:build !js

package asm_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/asm"
)

// body assembles one function and returns its lines, unindented and without
// comments, between TEXT and the end.
func body(t *testing.T, signature string, build func(*asm.Func)) []string {
	t.Helper()
	file := asm.NewFile("p", "wasm", "test", "doc")
	file.Func(signature, "doc", build)
	_, text, found := strings.Cut(string(file.Assembly()), "TEXT ")
	require.True(t, found)
	var lines []string
	for _, l := range strings.Split(text, "\n")[1:] {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "//") {
			lines = append(lines, l)
		}
	}
	return lines
}

func TestWorkarounds(t *testing.T) {
	tests := []struct {
		name      string
		build     func(f *asm.Func, p asm.Ptr)
		want      []string
		forbidden string
	}{
		{"vector store has its offset second", func(f *asm.Func, p asm.Ptr) { p.StoreV(32, f.ZeroV()) },
			[]string{"Get R0", "I32WrapI64", "V128Const $0, $0", "V128Store $0, $32"}, "V128Store $32"},
		{"vector load has its offset first", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.V(32)) },
			[]string{"Get R0", "I32WrapI64", "V128Load $32", "Set V0"}, "V128Load $0, $32"},
		{"lane second", func(f *asm.Func, p asm.Ptr) { f.NewF32("e").Set(p.V(0).Lane(2)) },
			[]string{"F32x4ExtractLane $0, $2"}, "F32x4ExtractLane $2"},
		{"splat with its argument spelled out", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.Splat(12)) },
			[]string{"V128Load32Splat", "Unreachable", "F32Neg", "Unreachable", "Set V0"}, "V128Load32Splat $12"},
		{"splat of a load", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.Splat(68)) },
			[]string{"F32Load $68", "F32x4Splat"}, "V128Load32Splat"},
		{"far splat of a load", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.Splat(256)) },
			[]string{"F32Load $256", "F32x4Splat"}, "V128Load32Splat"},
		{"extending load with its argument spelled out", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.ExtendI8(136)) },
			[]string{"V128Load8x8S", "Unreachable", "I64ShrU", "Nop", "Set V0"}, "V128Load8x8S $136"},
		{"extending load in two", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.ExtendU16(3)) },
			[]string{"F64Load $3", "F64x2Splat", "I32x4ExtendLowI16x8U", "Set V0"}, "V128Load16x4U"},
		{"constant in brackets", func(f *asm.Func, _ asm.Ptr) { f.NewF32("e").Set(f.ConstF32(1)) },
			[]string{"F32Const $(1.0)", "Set F0"}, "F32Const $1"},
		{"lanes permuted by a swizzle", func(f *asm.Func, p asm.Ptr) { f.NewV("v").Set(p.V(0).PromoteHigh()) },
			[]string{"I8x16Swizzle", "F64x2PromoteLowF32x4"}, "I8x16Shuffle"},
		{"multiply-add in the order of the relaxed build", func(f *asm.Func, p asm.Ptr) {
			v := f.NewVs("v", 3)
			v[2].Set(v[0].MulAdd(v[1], v[2]))
		}, []string{"Get V0", "Get V1", "F32x4Mul", "Get V2", "F32x4Add", "Set V2"}, "Relaxed"},
		{"multiply-add of float64", func(f *asm.Func, p asm.Ptr) {
			v := f.NewVs("v", 3)
			v[2].Set(v[0].MulAddF64(v[1], v[2]))
		}, []string{"Get V0", "Get V1", "F64x2Mul", "Get V2", "F64x2Add", "Set V2"}, "Relaxed"},
		{"multiply-add in the other order", func(f *asm.Func, p asm.Ptr) {
			v := f.NewVs("v", 3)
			v[2].Set(v[0].MulAddApart(v[1], v[2]))
		}, []string{"Get V2", "Get V0", "Get V1", "F32x4Mul", "F32x4Add", "Set V2"}, "Relaxed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := body(t, "func f(src *float32)", func(f *asm.Func) { tt.build(f, f.Ptr("src")) })
			text := strings.Join(lines, "\n")
			assert.Contains(t, text+"\n", strings.Join(tt.want, "\n")+"\n")
			assert.NotContains(t, text+"\n", tt.forbidden+"\n")
		})
	}
}

func TestFrameFollowsABI0(t *testing.T) {
	lines := body(t, "func f(flag bool, small int32, gamma float32, list []float32, delta float64) (n int)", func(f *asm.Func) {
		f.Int("flag")
		f.Int("small")
		f.F32("gamma")
		f.Ptr("list_base")
		f.Int("list_len")
		f.F64("delta")
		f.Return(f.ConstInt(1))
	})
	assert.Equal(t, []string{
		"I64Load8U flag+0(FP)", "Set R0", "I64Load32S small+4(FP)", "Set R1", "F32Load gamma+8(FP)", "Set F0",
		"I64Load list_base+16(FP)", "Set R2", "I64Load list_len+24(FP)", "Set R3", "F64Load delta+40(FP)", "Set F16",
		"Get SP", "I64Const $1", "I64Store n+48(FP)", "RET",
	}, lines)
}

func TestMisuseStopsTheGenerator(t *testing.T) {
	tests := map[string]struct {
		signature string
		build     func(*asm.Func)
	}{
		"argument named like a register":   {"func f(g *float32)", func(*asm.Func) {}},
		"argument named like a register 2": {"func f(b, c int)", func(*asm.Func) {}},
		"unknown argument":                 {"func f(src *float32)", func(f *asm.Func) { f.Ptr("dst") }},
		"argument of another type":         {"func f(src *float32)", func(f *asm.Func) { f.F32("src") }},
		"negative offset":                  {"func f(src *float32)", func(f *asm.Func) { f.NewV("v").Set(f.Ptr("src").V(-16)) }},
		"accumulator that is no register":  {"func f(src *float32)", func(f *asm.Func) { v := f.NewV("v"); v.Set(v.MulAdd(v, v.Add(v))) }},
		"half at an odd offset":            {"func f(src *float32)", func(f *asm.Func) { f.NewV("v").Set(f.Ptr("src").Half(6)) }},
		"half too far away":                {"func f(src *float32)", func(f *asm.Func) { f.NewV("v").Set(f.Ptr("src").Half(68)) }},
		"float64 accumulator that is none": {"func f(src *float32)", func(f *asm.Func) { v := f.NewV("v"); v.Set(v.MulAddF64(v, v.Add(v))) }},
		"assignment to an expression":      {"func f(n int)", func(f *asm.Func) { f.Int("n").AddConst(1).Set(f.ConstInt(0)) }},
		"seventeenth vector":               {"func f()", func(f *asm.Func) { f.NewVs("v", 17) }},
		"no result":                        {"func f() int", func(f *asm.Func) { f.NewInt("i").Set(f.ConstInt(0)) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Panics(t, func() { asm.NewFile("p", "wasm", "test", "doc").Func(tt.signature, "doc", tt.build) })
		})
	}
}

func TestScopeGivesRegistersBack(t *testing.T) {
	body(t, "func f()", func(f *asm.Func) {
		for range 3 {
			f.Scope(func() { f.NewVs("v", 16); f.NewF32("e"); f.NewF64("d"); f.NewInt("i") })
		}
	})
}

// The relaxed build rewrites bytes. Here the assembler's own output is searched
// for them: each MulAdd must be there, and nothing else may look like one.
func TestMultiplyAddBytes(t *testing.T) {
	file := asm.NewFile("p", "wasm", "test", "doc")
	file.Func("func f(dst *float32)", "doc", func(f *asm.Func) {
		y, v := f.Ptr("dst"), f.NewVs("v", 3)
		v[0].Set(v[1].MulAdd(v[2], v[0]))
		v[0].Set(y.V(0).MulAdd(y.Splat(4), v[0]))
		y.StoreV(0, v[1].MulAdd(v[1], v[2]))
		v[0].Set(v[1].MulAddApart(v[2], v[0]))
		y.StoreV(16, v[0].Add(v[1]).Mul(v[2]))
	})
	require.Equal(t, 3, file.MulAdds())
	assert.Equal(t, 3, contractible(assemble(t, file)))
}

func TestSplatBytes(t *testing.T) {
	loads := []struct {
		opcode byte
		load   func(p asm.Ptr, offset int64) asm.V
	}{
		{0x01, asm.Ptr.ExtendI8}, {0x02, asm.Ptr.ExtendU8}, {0x03, asm.Ptr.ExtendI16}, {0x04, asm.Ptr.ExtendU16},
		{0x09, asm.Ptr.Splat}, {0x0a, asm.Ptr.Splat64}, {0x5d, asm.Ptr.Half},
	}
	var offsets []int64
	file := asm.NewFile("p", "wasm", "test", "doc")
	for _, from := range []int64{0, 128} {
		for offset := from; offset <= from+64; offset += 4 {
			offsets = append(offsets, offset)
		}
	}
	for _, l := range loads {
		for _, offset := range offsets {
			file.Func(fmt.Sprintf("func f%d_%d(dst *float32)", l.opcode, offset), "doc", func(f *asm.Func) {
				f.NewV("v").Set(l.load(f.Ptr("dst"), offset))
			})
		}
	}
	code := assemble(t, file)
	for _, l := range loads {
		for _, offset := range offsets {
			// wrap, the load, alignment 0, the offset, local.set
			want := []byte{0xa7, 0xfd, l.opcode, 0x00, 0x80 | byte(offset&127), byte(offset >> 7), 0x21}
			assert.True(t, bytes.Contains(code, want), "load %#x at offset %d", l.opcode, offset)
		}
	}
}

func contractible(code []byte) int {
	n := 0
	for i := 0; i+10 <= len(code); i++ {
		if bytes.Equal(code[i:i+5], []byte{0xfd, 0xe6, 0x01, 0x01, 0x20}) && bytes.Equal(code[i+6:i+10], []byte{0xfd, 0xe4, 0x01, 0x01}) {
			n++
		}
	}
	return n
}

// assemble returns the object file that the Go assembler makes of file.
func assemble(t *testing.T, file *asm.File) []byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("skipped: no go command here to assemble with")
	}
	dir := t.TempDir()
	source, object := filepath.Join(dir, "p.s"), filepath.Join(dir, "p.o")
	require.NoError(t, os.WriteFile(source, file.Assembly(), 0o644))
	include := filepath.Join(strings.TrimSpace(string(root)), "pkg", "include")
	cmd := exec.Command("go", "tool", "asm", "-p", "p", "-I", include, "-o", object, source)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	code, err := os.ReadFile(object)
	require.NoError(t, err)
	return code
}
