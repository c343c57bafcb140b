//go:build !js

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is committed is what the generator writes.
func TestCommittedFilesAreCurrent(t *testing.T) {
	root, err := moduleRoot()
	require.NoError(t, err)
	assert.NoError(t, run(root, true))
}

// emptyRoot has the folders of the generated files and nothing else.
func emptyRoot(t *testing.T) string {
	root := t.TempDir()
	for name := range files() {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
	}
	return root
}

func TestCheckFindsWhatDiffers(t *testing.T) {
	root := emptyRoot(t)
	assert.ErrorContains(t, run(root, true), "7 files are stale")
	_, err := os.Stat(filepath.Join(root, "internal", "kernel", "kernel_wasm.s"))
	assert.ErrorIs(t, err, os.ErrNotExist, "-check writes nothing")

	require.NoError(t, run(root, false))
	require.NoError(t, run(root, true))

	name := filepath.Join(root, "internal", "kernel", "kernel_wasm.s")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, append(text, '\n'), 0o644))
	assert.ErrorContains(t, run(root, true), "1 files are stale")
}

// The relaxed opcodes, the shuffle and the loads without their argument are
// assembled wrongly; none of them may reach a kernel, unless spelled out.
func TestKernelsAvoidBrokenInstructions(t *testing.T) {
	spelled := regexp.MustCompile(`^V128Load(8x8|16x4|32x2|(8|16|32|64)Splat|(32|64)Zero)`)
	for base, assembly := range files() {
		if !strings.HasSuffix(base, ".s") {
			continue
		}
		text := string(assembly)
		for _, op := range []string{"Relaxed", "Shuffle", "Load8Lane", "Load16Lane", "Load32Lane", "Load64Lane", "Store8Lane", "Store16Lane", "Store32Lane", "Store64Lane"} {
			assert.NotContains(t, text, op, base)
		}
		before := ""
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if spelled.MatchString(before) { // its argument, an alignment of 0 first
				assert.Equal(t, "Unreachable", line, base)
			}
			before = line
			if op, operand, _ := strings.Cut(line, " "); op == "V128Store" {
				assert.True(t, strings.HasPrefix(operand, "$0, $"), "%s: %s", base, line)
			}
		}
	}
}

// Each multiply-add of the kernels is one that the relaxed build may contract.
func TestMultiplyAddsAreThere(t *testing.T) {
	assert.Positive(t, kernels().MulAdds())
}
