package lift

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/code"
	"github.com/normwasm/normwasm/internal/relax"
	"github.com/normwasm/normwasm/internal/shorten"
)

// The tests of internal/kernel, which compare each kernel with its twin, bit by bit, with the kernels
// taken out of their program: what they call there is the lifted module, on the same memory.
func TestLiftedKernelsAreTheirTwins(t *testing.T) {
	program := testProgram(t)
	lifted, missing, err := Kernels(program)
	require.NoError(t, err)
	require.Empty(t, missing)

	relaxed, fused := bytes.Clone(program), bytes.Clone(lifted)
	_, err = relax.Contract(relaxed)
	require.NoError(t, err)
	n, err := relax.Contract(fused)
	require.NoError(t, err)
	assert.Positive(t, n)
	other, _, err := Kernels(relaxed)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(other, fused), "lifted and relaxed in either order")

	folder := t.TempDir()
	file := func(name string, module []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, module, 0o644))
		return path
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	cmd := exec.Command("node", "testdata/elsewhere.cjs", filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec.js"),
		file("program.wasm", elsewhere(t, program)), file("kernels.wasm", unshared(t, lifted)), "-test.run=^TestKernels$", "-test.short")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	begin := bytes.IndexByte(out, '[')
	require.GreaterOrEqual(t, begin, 0, string(out))
	var calls []int
	require.NoError(t, json.Unmarshal(out[begin:], &calls), string(out))
	for i, name := range names {
		assert.Positive(t, calls[i], "calls of %s", name)
	}
}

// testProgram is the linked test of internal/kernel with the code that the package's modules have.
func testProgram(t *testing.T) []byte {
	if runtime.GOOS == "js" {
		t.Skip("a browser cannot run the Go toolchain")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipped: node is not installed")
	}
	_, err := os.ReadDir("../kernel") // so that the go command does not take an older result when a file there has changed
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "test.wasm")
	build := exec.Command("go", "test", "-c", "-o", file, "../kernel")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	module, err := os.ReadFile(file)
	require.NoError(t, err)
	module, err = shorten.Module(module)
	require.NoError(t, err)
	return module
}

// unshared makes a module of kernels import a memory that is not shared, and has no maximum.
func unshared(t *testing.T, module []byte) []byte {
	limits := func(b ...byte) []byte {
		var imports, section buffer
		imports.number(1).text("env").text("memory").bytes(2).bytes(b...)
		section.section(sectionImport, imports)
		return section
	}
	before := limits(shared, 1, 0x80, 0x80, 4)
	require.Equal(t, 1, bytes.Count(module, before))
	return bytes.Replace(module, before, limits(0, 1), 1)
}

// Where the functions that stand for kernels put a record, and count calls: below what Go's linker uses.
const (
	beatAt   = 248
	recordAt = 256
	countAt  = 1024 // as in testdata/elsewhere.cjs
	slot     = 1    // of the table, where run is
)

// elsewhere replaces the bodies of a program's kernels: each makes a record of its frame and has run call it.
// The table is exported, so that run can be put into it.
func elsewhere(t *testing.T, program []byte) []byte {
	out := buffer(header)
	d := &code.Decoder{Bytes: program, Pos: len(header)}
	runType := 0
	for d.Pos < len(program) {
		id := d.Byte()
		size := int(d.U32())
		section := &code.Decoder{Bytes: program[d.Pos : d.Pos+size]}
		d.Skip(size)
		require.NoError(t, d.Err)
		var b buffer
		switch id {
		case sectionType:
			runType = int(section.U32())
			b.number(runType+1).bytes(section.Bytes[section.Pos:]...).bytes(0x60, 3, i32, i32, i32, 0)
		case sectionExport:
			b.number(int(section.U32())+1).bytes(section.Bytes[section.Pos:]...).text("table").bytes(1, 0)
		case sectionCode:
			n := section.U32()
			b.number(int(n))
			for range n {
				size := int(section.U32())
				body := section.Bytes[section.Pos : section.Pos+size]
				section.Skip(size)
				f, err := readFunction(body)
				require.NoError(t, err)
				p, _, err := f.prologue()
				require.NoError(t, err)
				if p != nil {
					body = standIn(p, runType)
				}
				b.number(len(body)).bytes(body...)
			}
		default:
			b = section.Bytes
		}
		require.NoError(t, section.Err)
		out.section(id, b)
	}
	return out
}

func standIn(p *prologue, runType int) []byte {
	size, counter := int(p.frame), constant(countAt+4*p.index)
	inFrame := []byte{code.GlobalGet, stackPointer, code.I32Const, recordFrame, code.I32Add}
	store, copies := []byte{0x36, 2, 0}, []byte{prefixMisc, memoryCopy, 0, 0}
	return seq([]byte{0},
		counter, counter, []byte{i32Load, 2, 0, code.I32Const, 1, code.I32Add}, store,
		constant(recordAt+recordIndex), constant(p.index), store,
		constant(recordAt+recordSize), constant(size), store,
		constant(recordAt+recordFrame), inFrame, constant(size), copies,
		constant(recordAt), constant(recordAt+recordFrame+size), constant(beatAt), constant(slot), []byte{code.CallIndirect}, number(runType), []byte{0},
		inFrame, constant(recordAt+recordFrame), constant(size), copies, // with the result
		inFrame, []byte{code.GlobalSet, stackPointer, code.I32Const, 0}, end)
}

func number(v int) []byte {
	var b buffer
	b.number(v)
	return b
}
