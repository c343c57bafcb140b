package lift

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Instructions as Go's assembler writes them: a stray nop follows two-byte opcodes.
var (
	end     = []byte{0x0b}
	getSP   = []byte{0x20, 1}
	fetchSP = []byte{0x23, 0, 0x21, 1}
	ret     = []byte{0x20, 1, 0x41, 8, 0x6a, 0x22, 1, 0x24, 0, 0x41, 0, 0x0f}
	nop     = []byte{1}
)

func seq(parts ...[]byte) []byte { return slices.Concat(parts...) }

// constant is an i32.const.
func constant(v int) []byte { return signed(0x41, int64(v)) }

func signed(op byte, v int64) []byte {
	b := []byte{op}
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// recorded is what a kernel begins with, as it comes from the assembler.
func recorded(index, frame, tape int) []byte {
	at := []byte{0x20, 2, 0xa7} // where to record
	return seq(fetchSP, constant(tape), []byte{0x29, 3, 0, 0x22, 2, 0xa7, 0x04, 0x40},
		at, signed(0x42, int64(frame)<<32|int64(index)), []byte{0x37, 3, 0},
		at, []byte{0x41, 8, 0x6a}, getSP, []byte{0x41, 8, 0x6a}, constant(frame), []byte{0xfc, 10, 0, 0}, nop,
		constant(tape), []byte{0x20, 2}, signed(0x42, int64(frame+8)), []byte{0x7c, 0x22, 2},
		constant(tape), []byte{0x29, 3, 8, 0x20, 2}, constant(tape), []byte{0x29, 3, 8, 0x54, 0x1b, 0x37, 3, 0},
		ret, end)
}

const tapeAt = 70000

// body is a function with a local for the stack pointer, four registers, and code.
func body(code ...[]byte) []byte {
	return seq([]byte{2, 1, 0x7f, 4, 0x7e}, seq(code...), end)
}

// kernelBody is a kernel that does what code does.
func kernelBody(index, frame int, code ...[]byte) []byte {
	return body(recorded(index, frame, tapeAt), seq(code...), ret)
}

// program is a module as Go's linker writes it, with functions of Go's calling convention.
func program(functions ...[]byte) []byte {
	var types, declared, codes buffer
	types.number(2).bytes(0x60, 0, 0).bytes(goFunction...)
	declared.number(len(functions) + 1).number(0)
	codes.number(len(functions)+1).bytes(2, 0, 0x0b)
	for _, f := range functions {
		declared.number(1)
		codes.number(len(f)).bytes(f...)
	}
	out := buffer(header)
	out.section(0, []byte("\x01x")).section(sectionType, types).section(sectionFunction, declared).section(5, []byte{1, 0, 1}).
		section(sectionGlobal, []byte{2, i32, 1, 0x41, 0, 0x0b, 0x7e, 1, 0x42, 0, 0x0b})
	out.section(sectionCode, codes).section(11, []byte{0})
	return out
}

var threeNames = []string{"Add", "Middle", "Twice"}

// Two kernels: one adds an argument to what another points to; one doubles it, with a result.
var (
	argument = func(offset byte) []byte { return []byte{0x20, 1, 0x29, 3, offset} } // i64.load
	add      = kernelBody(0, 16, argument(8), []byte{0xa7}, argument(8), []byte{0xa7, 0x29, 3, 0}, argument(16), []byte{0x7c, 0x37, 3, 0})
	twice    = kernelBody(2, 24, argument(8), []byte{0xa7}, argument(8), []byte{0xa7, 0x29, 3, 0, 0x42, 2, 0x7e, 0x37, 3, 0},
		getSP, argument(16), []byte{0x37, 3, 24})
	other = body(fetchSP, []byte{0x41, 0, 0x10, 0, 0x23, 1, 0x21, 2}, ret) // calls, and takes a global
)

func TestKernelsAreLifted(t *testing.T) {
	want, missing, err := lift(threeNames, [][]byte{program(other, add, twice)})
	require.NoError(t, err)
	assert.Equal(t, []string{"Middle"}, missing)
	m, err := read(want)
	require.NoError(t, err)
	require.Len(t, m.bodies, 3)
	for i, whole := range [][]byte{add, twice} {
		locals, prologue := 5, len(recorded(2*i, 16, tapeAt))
		assert.Equal(t, seq(whole[:locals], fetchSP, whole[locals+prologue:]), m.bodies[i])
	}

	for name, modules := range map[string][][]byte{
		"the other way round": {program(twice, other, add)},
		"of two modules":      {program(add, other), program(twice, other)},
		"of both":             {program(add, other), program(add, twice)},
	} {
		got, _, err := lift(threeNames, modules)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
}

func TestRunCallsWhatTheTapeSays(t *testing.T) {
	module, _, err := lift(threeNames, [][]byte{program(add, twice)})
	require.NoError(t, err)
	got := inNode(t, module, `
		const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
		const { exports: { run } } = new WebAssembly.Instance(module, { env: { memory } });
		const long = new BigInt64Array(memory.buffer), word = new Int32Array(memory.buffer);
		const record = (at, index, ...frame) => {
			word[at / 4] = index;
			word[at / 4 + 1] = 8 * frame.length;
			frame.forEach((v, i) => { long[at / 8 + 1 + i] = BigInt(v); });
			return at + 8 + 8 * frame.length;
		};
		const out = {};
		long[10] = 5n;
		const second = record(1024, 0, 80, 7), third = record(second, 2, 80, 42, 0), end = record(third, 0, 80, 1);
		run(1024, 1024, 512);
		out.nothing = [Number(long[10]), word[128]];
		run(1024, end, 512);
		out.all = [Number(long[10]), Number(long[third / 8 - 1]), word[128] - 1024];
		run(third, end, 516);
		out.last = [Number(long[10]), word[129] - 1024];
		const fails = (index) => { try { run(1024, record(1024, index), 512); return 'nothing'; } catch (e) { return e.constructor.name + word[128]; } };
		out.traps = [fails(1), fails(3), fails(-1)];
		const fits = (o) => { try { new WebAssembly.Instance(module, { env: { memory: new WebAssembly.Memory(o) } }); return true; } catch { return false; } };
		out.fits = [fits({ initial: 100, maximum: 65536, shared: true }), fits({ initial: 1, maximum: 16 })];
		return out;`)
	assert.JSONEq(t, `{"nothing": [5, 0], "all": [25, 42, 56], "last": [26, 56],
		"traps": ["RuntimeError1024", "RuntimeError1024", "RuntimeError1024"], "fits": [true, false]}`, got)
}

// inNode runs a script with module, and returns what the script returns, as JSON.
func inNode(t *testing.T, module []byte, script string) string {
	t.Helper()
	if runtime.GOOS == "js" {
		t.Skip("a browser cannot run Node")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipped: node is not installed")
	}
	file := filepath.Join(t.TempDir(), "module.wasm")
	require.NoError(t, os.WriteFile(file, module, 0o644))
	name, err := json.Marshal(file)
	require.NoError(t, err)
	cmd := exec.Command("node", "-e", fmt.Sprintf(`const module = new WebAssembly.Module(require('fs').readFileSync(%s));
		console.log(JSON.stringify((() => { %s })()));`, name, script))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestWhatCannotBeLiftedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"call":            {[]byte{0x41, 0, 0x10, 1, 0x1a}, "it calls a function, at byte "},
		"indirect call":   {[]byte{0x41, 0, 0x41, 0, 0x11, 1, 0, 0x1a}, "it calls a function"},
		"tail call":       {[]byte{0x41, 0, 0x12, 1}, "it calls a function"},
		"tail call of":    {[]byte{0x41, 0, 0x41, 0, 0x13, 1, 0}, "it calls a function"},
		"global":          {[]byte{0x23, 1, 0x21, 2}, "it takes global 1"},
		"global set":      {[]byte{0x42, 0, 0x24, 1}, "it takes global 1"},
		"table":           {[]byte{0x41, 0, 0x25, 0, 0x1a}, "it takes a table"},
		"table's size":    {[]byte{0xfc, 16, 0, 0x1a}, "it takes a table"},
		"reference":       {[]byte{0xd2, 0, 0x1a}, "it takes a table or a reference"},
		"memory.grow":     {[]byte{0x41, 1, 0x40, 0, 0x1a}, "it grows the memory"},
		"data":            {[]byte{0xfc, 9, 0}, "it takes a data segment"},
		"block of a type": {[]byte{0x02, 0, 0x0b}, "it has a block whose type"},
		"unknown opcode":  {[]byte{0x27}, "unknown opcode 0x27"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := lift(threeNames, [][]byte{program(add, other, kernelBody(2, 24, []byte{0x02, 0x40}, c.code, end))})
			require.ErrorContains(t, err, "lift: module 1: kernel Twice: ")
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "Add")
		})
	}
	_, _, err := lift(threeNames, [][]byte{program(kernelBody(0, 8, []byte{0x23, 1, 0x1a}), kernelBody(1, 8, []byte{0x23, 2, 0x1a}))})
	require.ErrorContains(t, err, "kernel Add: it takes global 1")
	require.ErrorContains(t, err, "kernel Middle: it takes global 2")
}

func TestWhatIsNoKernelIsRefused(t *testing.T) {
	changed := func(at int, to byte) []byte {
		f := slices.Clone(add)
		f[len(body())-1+at] = to
		return f
	}
	prologue := recorded(0, 16, tapeAt)
	for name, c := range map[string]struct {
		modules [][]byte
		want    string
	}{
		"none at all":            {[][]byte{program(other)}, "lift: no function begins as a kernel"},
		"no module":              {nil, "lift: no function begins as a kernel"},
		"HTML":                   {[][]byte{program(add), []byte("<!doctype html>")}, "lift: module 2: not a WebAssembly 1 module"},
		"cut off":                {[][]byte{program(add)[:60]}, "module ends early"},
		"an index without name":  {[][]byte{program(kernelBody(3, 8))}, "function 1: kernel 3, there are names for 3"},
		"one index twice":        {[][]byte{program(add, kernelBody(0, 8))}, "kernel Add: another function has the same index"},
		"another tape":           {[][]byte{program(add, body(recorded(1, 8, tapeAt+16), ret))}, "kernel Middle: it records at 0x11180, others at 0x11170"},
		"not the same":           {[][]byte{program(add, twice), program(kernelBody(0, 16, nop, ret))}, "module 2: kernel Add is not the same as in another module"},
		"another instruction":    {[][]byte{program(twice, changed(len(prologue)-2, 0))}, "function 2: it begins as a kernel that records its calls, and goes on otherwise at instruction "},
		"another register":       {[][]byte{program(twice, changed(len(fetchSP)+5+8+1, 3))}, "function 2: it begins as a kernel"},
		"another frame's size":   {[][]byte{program(body(replaced(prologue, constant(16), constant(24)), ret))}, "function 1: it begins as a kernel"},
		"a size that is uneven":  {[][]byte{program(kernelBody(0, 12))}, "function 1: it begins as a kernel"},
		"nothing behind":         {[][]byte{program(body(prologue[:len(prologue)-1]))}, "function 1: it ends where a kernel would begin"},
		"broken, and no kernel":  {[][]byte{program(add, body([]byte{0x27}))}, "function 2: offset 0x5: unknown opcode 0x27"},
		"a function without end": {[][]byte{program(add[:len(add)-1])}, "kernel Add: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := lift(threeNames, c.modules)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func replaced(b, old, by []byte) []byte {
	for i := range b {
		if slices.Equal(b[i:min(i+len(old), len(b))], old) {
			return seq(b[:i], by, b[i+len(old):])
		}
	}
	panic("not there")
}

func FuzzKernels(f *testing.F) {
	f.Add(program(add, other, twice))
	f.Add(program())
	f.Add([]byte(header + "\x0a\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, module []byte) {
		out, _, err := lift(threeNames, [][]byte{module, module})
		if err != nil {
			return
		}
		m, err := read(out)
		require.NoError(t, err)
		require.NotEmpty(t, m.bodies)
	})
}
