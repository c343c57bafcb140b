package lift

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/code"
	"github.com/normwasm/normwasm/internal/testkit"
)

// plainAtomics are the functions as they are linked.
func plainAtomics() (list [][]byte) {
	for _, s := range shapes {
		list = append(list, join(s.head, s.plain, s.tail))
	}
	return list
}

// What the toolchain makes of internal/threads is what is looked for.
func TestAtomicsOfALinkedProgram(t *testing.T) {
	_, err := os.ReadDir("../threads") // so that the go command does not take an older result when a file there has changed
	require.NoError(t, err)
	module := testkit.Module(t, "testdata/threads/main.go")
	want, exit := testkit.RunModule(t, module)
	require.Zero(t, exit, want)
	atomic := bytes.Clone(module)
	missing, err := Atomics(atomic)
	require.NoError(t, err)
	require.Empty(t, missing)
	got, exit := testkit.RunModule(t, atomic)
	require.Zero(t, exit, got)
	assert.Equal(t, want, got)

	count := map[uint32]int{}
	require.NoError(t, code.Functions(atomic, func(d *code.Decoder, end int) error {
		return d.Body(end, func(in code.Instruction) {
			if in.Prefix == prefixAtomic {
				count[in.Op]++
			}
		})
	}))
	assert.Equal(t, map[uint32]int{notify: 1, load32U: 1, addU: 1, cmpxchgU: 1}, count)
	missing, err = Atomics(atomic)
	require.NoError(t, err)
	assert.Equal(t, []string{"load", "add", "swap", "wake"}, missing, "a second time there is nothing left")
}

// Each does what its plain form does.
func TestAtomicsComputeTheSame(t *testing.T) {
	module := program(plainAtomics()...)
	atomic := bytes.Clone(module)
	missing, err := Atomics(atomic)
	require.NoError(t, err)
	require.Empty(t, missing)
	for _, m := range [][]byte{callable(module), callable(atomic)} {
		assert.JSONEq(t, `[[41, 43, 0, 8], [4294967295, 1, 0, 8], [7, 9, 0, 8], [7, 7, 0, 8], [0, 3, 0, 8], [4294967294, -2]]`, inNode(t, m, `
			const { exports: { mem, sp, f1, f2, f3, f4 } } = new WebAssembly.Instance(module);
			const long = new BigInt64Array(mem.buffer), word = new Int32Array(mem.buffer), bare = new Uint32Array(mem.buffer);
			const call = (f, value, a, b) => {
				word[20] = value;
				sp.value = 128;
				long[17] = 80n;
				word[36] = a;
				word[37] = b;
				word[38] = 0;
				const result = f(0);
				return [bare[38], word[20], result, sp.value - 128];
			};
			const loaded = (value) => {
				call(f1, value);
				return [bare[36], word[20]]; // its result lies where others have their second argument
			};
			return [call(f2, 41, 2), call(f2, -1, 2), call(f3, 7, 7, 9), call(f3, 7, 8, 9), call(f4, 3), loaded(-2)];`))
	}
}

// callable adds exports to a program: its memory, its stack pointer, its functions.
func callable(module []byte) []byte {
	var exports buffer
	exports.number(6).text("mem").bytes(2, 0).text("sp").bytes(3, 0).text("f1").bytes(0, 1).text("f2").bytes(0, 2).text("f3").bytes(0, 3).text("f4").bytes(0, 4)
	var section buffer
	section.section(sectionExport, exports)
	at := bytes.Index(module, []byte{sectionGlobal, 11, 2, i32})
	at += 2 + int(module[at+1])
	return join(module[:at], section, module[at:])
}

func TestAtomicsFit(t *testing.T) {
	for _, s := range shapes {
		assert.LessOrEqual(t, len(s.atomic), len(s.plain), s.name)
	}
}

func TestAtomicsErrors(t *testing.T) {
	list := plainAtomics()
	module := program(add, list[0], list[1], list[0])
	before := bytes.Clone(module)
	_, err := Atomics(module)
	require.ErrorContains(t, err, "lift: function 4: another one is the same as load")
	assert.Equal(t, before, module)

	missing, err := Atomics(program(list[0], other))
	require.NoError(t, err)
	assert.Equal(t, []string{"add", "swap", "wake"}, missing, "a program that only counts threads")
	list[2][len(list[2])-5] ^= 1
	module = program(list...)
	before = bytes.Clone(module)
	_, err = Atomics(module)
	require.ErrorContains(t, err, "has 3 functions of internal/threads that are to be atomic, and none like swap:")
	assert.Equal(t, before, module)
	_, err = Atomics(program(list[3]))
	require.ErrorContains(t, err, "has 1 functions of internal/threads that are to be atomic, and none like load, add, swap:")

	_, err = Atomics([]byte("<!doctype html>"))
	require.ErrorContains(t, err, "lift: not a WebAssembly 1 module")
}

func FuzzAtomics(f *testing.F) {
	f.Add(program(plainAtomics()...))
	f.Add(program(add, plainAtomics()[0]))
	f.Fuzz(func(t *testing.T, module []byte) {
		before := bytes.Clone(module)
		missing, err := Atomics(module)
		require.Len(t, module, len(before))
		if err != nil || len(missing) == len(shapes) {
			require.Equal(t, before, module)
		}
	})
}
