package strip

import (
	"bytes"
	"compress/flate"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program builds a program of testdata for wasm.
func program(t *testing.T, name string) []byte {
	t.Helper()
	if runtime.GOOS == "js" {
		t.Skip("a browser cannot run the Go toolchain")
	}
	file := filepath.Join(t.TempDir(), "program.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "testdata/"+name+"/main.go")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	module, err := os.ReadFile(file)
	require.NoError(t, err)
	return module
}

// run executes a module in Node and returns what it prints, and its exit code.
func run(t *testing.T, module []byte) (string, int) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipped: node is not installed")
	}
	file := filepath.Join(t.TempDir(), "run.wasm")
	require.NoError(t, os.WriteFile(file, module, 0o644))
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	cmd := exec.Command("node", filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec_node.js"), file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); !exited {
		require.NoError(t, err, string(out))
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// packed is how many bytes the module takes on the wire, deflated.
func packed(t *testing.T, module []byte) int {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(module)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Len()
}

func TestStrippedProgramBehaves(t *testing.T) {
	module := program(t, "program")
	stripped, err := Module(module)
	require.NoError(t, err)
	assert.Less(t, packed(t, stripped), packed(t, module)*5/6)

	want, code := run(t, module)
	require.Zero(t, code, want)
	require.Contains(t, want, "name main.main line true")
	require.Contains(t, want, "value method main.pair.String called using nil *pair pointer")
	got, code := run(t, stripped)
	require.Zero(t, code, got)
	assert.Equal(t, strings.Replace(want, "name main.main line true", "name  line false", 1), got)

	again, err := Module(stripped)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(stripped, again), "a second time changes nothing")
}

func TestStrippedProgramSaysWhyItFails(t *testing.T) {
	module := program(t, "fatal")
	stripped, err := Module(module)
	require.NoError(t, err)
	out, code := run(t, module)
	assert.Equal(t, 2, code)
	require.Contains(t, out, "goroutine 1 [running]")
	want, _, _ := strings.Cut(out, "goroutine 1")
	require.Contains(t, want, "the reason")
	out, code = run(t, stripped)
	assert.Equal(t, 2, code)
	assert.Equal(t, strings.TrimSpace(want), strings.TrimSpace(out))
}

func TestOnlyNamedFunctionsAreEmptied(t *testing.T) {
	for name, want := range map[string][]byte{
		"runtime.traceLocker.GoStart":                    trap,
		"runtime.traceLocker.ok":                         nil,
		"runtime.(*traceBuf).byte":                       trap,
		"runtime.traceStack":                             trap,
		"runtime.traceAdvance.func1.1":                   trap,
		"runtime.traceback1":                             nothing,
		"runtime.traceback1.func1":                       trap,
		"runtime.traceback":                              nil,
		"runtime.tracebackPCs":                           nil,
		"runtime.traceThreadDestroy":                     nil,
		"runtime.schedtrace":                             nothing,
		"runtime.schedule":                               nil,
		"github.com/normwasm/normwasm/norm.NewLayerNorm": nil,
		"": nil,
	} {
		assert.Equal(t, want, bodyInstead(name), name)
	}
}

// Three functions after 66 imported ones: the first calls the third, number 68, in one
// byte or, signed, in two.
func TestOrphansAreEmptied(t *testing.T) {
	end := []byte{0, 0x0b}
	for _, call := range [][]byte{{0, 0x10, 68, 0x0b}, {0, 0x10, 0xc4, 0x00, 0x0b}, {0, 0x41, 68, 0x1a, 0x0b}} {
		code := []byte{3}
		for _, body := range [][]byte{call, end, end} {
			code = append(append(code, byte(len(body))), body...)
		}
		instead := map[int][]byte{}
		require.NoError(t, addOrphans(code, 66, []int{1, 2}, instead))
		want := map[int][]byte{1: trap}
		if call[1] == 0x41 {
			want[2] = trap
		}
		assert.Equal(t, want, instead)
		instead = map[int][]byte{0: trap} // whose call is gone with it
		require.NoError(t, addOrphans(code, 66, []int{1, 2}, instead))
		assert.Len(t, instead, 3)
		require.Error(t, addOrphans(code[:5], 66, []int{1}, map[int][]byte{}))
	}
	n, err := imported([]byte{2, 1, 'a', 1, 'f', 0, 0, 1, 'a', 1, 'g', 0, 1})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	_, err = imported([]byte{1, 1, 'a', 1, 'm', 2, 0, 1})
	require.Error(t, err)
	_, err = imported([]byte{2, 1, 'a'})
	require.Error(t, err)
}

func TestDataSectionSurvives(t *testing.T) {
	memory := make([]byte, 10_000)
	for i := range memory {
		if i%97 == 5 || i > 4000 && i < 4500 || i == len(memory)-1 {
			memory[i] = byte(i%255 + 1)
		}
	}
	copy(memory[200:900], make([]byte, 700))
	got, err := readData(writeData(memory))
	require.NoError(t, err)
	assert.Equal(t, memory, got)
}

func TestOtherModulesAreErrors(t *testing.T) {
	header := "\x00asm\x01\x00\x00\x00"
	segment := "\x00\x41\x08\x0b\x02hi"
	for name, c := range map[string]struct{ module, want string }{
		"nothing":           {"", "not a WebAssembly module"},
		"text":              {"<!doctype html>", "not a WebAssembly module"},
		"no data":           {header, "no data section"},
		"section too long":  {header + "\x0b\x7f", "ends beyond"},
		"data count":        {header + "\x0c\x01\x00", "counts its data segments"},
		"no function table": {header + "\x0b\x08\x01" + segment, "no function table"},
		"passive segment":   {header + "\x0b\x04\x01\x01\x01a", "want 0x0"},
		"truncated segment": {header + "\x0b\x06\x01\x00\x41\x08\x0b\x09", "ends early"},
		"trailing bytes":    {header + "\x0b\x09\x01" + segment + "\x00", "behind the last"},
		"far address":       {header + "\x0b\x0a\x01\x00\x41\xff\xff\xff\xff\x03\x0b\x00", "outside the first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Module([]byte(c.module))
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func FuzzModule(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0b\x09\x01\x00\x41\x08\x0b\x02hi"))
	header := append([]byte("\x00asm\x01\x00\x00\x00\x0b\x60\x01\x00\x41\x00\x0b\x58"), magic...)
	f.Add(append(header, make([]byte, 80)...))
	f.Fuzz(func(t *testing.T, module []byte) {
		_, _ = Module(module) // errors are fine, panics are not
	})
}
