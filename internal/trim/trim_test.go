package trim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

func sum(declaration string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(declaration)))[:12]
}

const (
	stop  = "func (s *server) stop(n int) int {\n\treturn bits.Len(uint(n))\n}"
	start = "func start() {\n\tif debug.trace > 0 {\n\t\tprint(debug.level)\n\t}\n}"
	list  = "list = []string{\"a\", \"b\"}"
)

func runtimeOf(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestBodiesVariablesAndSettings(t *testing.T) {
	src := runtimeOf(map[string]string{
		"runtime/a.go":       "package runtime\n\nimport (\n\t\"math/bits\"\n\tgoos \"internal/goos\"\n)\n\n// stop stops.\n" + stop + "\n\nvar (\n\t" + list + "\n\tother = goos.GOOS\n)\n",
		"runtime/b.go":       "//go:build js || linux\n\npackage runtime\n\n" + start + "\n",
		"runtime/c_linux.go": "package runtime\n\n" + start + "\n",
		"runtime/d.go":       "//go:build !js\n\npackage runtime\n\n" + start + "\n",
		"runtime/e_test.go":  "package runtime\n\n" + start + "\n",
		"runtime/f.go":       "package runtime\n",
		"time/g.go":          "package time\n\nfunc g() int { return debug.trace }\n",
	})
	got, err := collect(src, []change{
		{"runtime/a.go", "(*server).stop", sum(stop), "{ return 0 }"},
		{"runtime/a.go", "var list", sum(list), "[]string(nil)"},
		{"time/g.go", "g", sum("func g() int { return debug.trace }"), "{ return 1 }"},
	}, map[string]string{"trace": "0"})
	require.NoError(t, err)
	want := map[string]string{
		"runtime/a.go": "package runtime\n\nimport (\n\t_ \"math/bits\"\n\tgoos \"internal/goos\"\n)\n\n// stop stops.\nfunc (s *server) stop(n int) int { return 0 }\n\nvar (\n\tlist = []string(nil)\n\tother = goos.GOOS\n)\n",
		"runtime/b.go": "//go:build js || linux\n\npackage runtime\n\nfunc start() {\n\tif 0 > 0 {\n\t\tprint(debug.level)\n\t}\n}\n",
		"time/g.go":    "package time\n\nfunc g() int { return 1 }\n",
	}
	assert.Len(t, got, len(want))
	for file, text := range want {
		assert.Equal(t, text, string(got[file]), file)
	}
}

func TestWhatIsNotKnownIsAnError(t *testing.T) {
	src := runtimeOf(map[string]string{"runtime/a.go": "package runtime\n\nimport \"math/bits\"\n\n" + stop + "\n\n" + start + "\n", "runtime/b.go": "not Go: debug.trace"})
	for name, c := range map[string]struct {
		change change
		set    string
		want   string
	}{
		"another body":     {change{"runtime/a.go", "start", sum(stop), "{}"}, "trace", "runtime/a.go: start is another one than the one known here (sum " + sum(start)},
		"no such function": {change{"runtime/a.go", "stop", sum(stop), "{}"}, "trace", "runtime/a.go has no stop"},
		"no such variable": {change{"runtime/a.go", "var start", sum(stop), "{}"}, "trace", "runtime/a.go has no var start"},
		"no such file":     {change{"runtime/z.go", "stop", sum(stop), "{}"}, "trace", "no file runtime/z.go"},
		"not in a package": {change{"other/z.go", "stop", sum(stop), "{}"}, "trace", "other/z.go"},
		"no such setting":  {change{"runtime/a.go", "start", sum(start), "{}"}, "nothing", "nothing reads debug.nothing"},
		"not Go":           {change{"runtime/b.go", "start", sum(start), "{}"}, "trace", "runtime/b.go"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := collect(src, []change{c.change}, map[string]string{c.set: "0"})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// overlay writes the overlay of the toolchain that runs the test, and returns its file.
func overlay(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "js" {
		t.Skip("a browser cannot run the Go toolchain")
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, Overlay(strings.TrimSpace(string(root)), dir))
	return filepath.Join(dir, "overlay.json")
}

func TestOverlayIsOfThisToolchain(t *testing.T) {
	text, err := os.ReadFile(overlay(t))
	require.NoError(t, err)
	var list struct{ Replace map[string]string }
	require.NoError(t, json.Unmarshal(text, &list))
	require.NotEmpty(t, list.Replace)
	for from, to := range list.Replace {
		was, err := os.ReadFile(from)
		require.NoError(t, err)
		is, err := os.ReadFile(to)
		require.NoError(t, err)
		assert.NotEqual(t, was, is, from)
		_, err = parser.ParseFile(token.NewFileSet(), to, is, parser.SkipObjectResolution)
		assert.NoError(t, err)
	}
}

// Stacks that grow, recovery, goroutines, timers, finalizers and collections are as they were; and a program that fails
// says why.
func TestTrimmedProgramBehaves(t *testing.T) {
	flags := []string{"-overlay", overlay(t)}
	program := testkit.Module(t, "../strip/testdata/program/main.go")
	fatal := testkit.Module(t, "../strip/testdata/fatal/main.go")
	t.Setenv("GOMODCACHE", t.TempDir()) // where the toolchain may be, whose files the go command does not replace
	t.Setenv("GOTOOLCHAIN", "local")
	trimmed := testkit.Module(t, "../strip/testdata/program/main.go", flags...)
	assert.Less(t, len(trimmed), len(program)*24/25)
	want, code := testkit.RunModule(t, program)
	require.Zero(t, code, want)
	for _, env := range []string{"GOGC=1", "GOGC=off", "GOMEMLIMIT=8MiB", "GODEBUG=gctrace=1,schedtrace=1,inittrace=1"} {
		got, code := testkit.RunModule(t, trimmed, env)
		require.Zero(t, code, got)
		assert.Equal(t, want, got, env)
	}

	want, code = testkit.RunModule(t, fatal)
	require.Equal(t, 2, code)
	want, _, _ = strings.Cut(want, "goroutine 1")
	require.Contains(t, want, "the reason")
	for _, level := range []string{"single", "system"} {
		got, code := testkit.RunModule(t, testkit.Module(t, "../strip/testdata/fatal/main.go", flags...), "GOTRACEBACK="+level)
		assert.Equal(t, 2, code)
		assert.Equal(t, strings.TrimSpace(want), strings.TrimSpace(got))
	}
}
