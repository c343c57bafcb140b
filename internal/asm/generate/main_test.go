//go:build !js

package main

import (
	"os"
	"path/filepath"
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
	assert.ErrorContains(t, run(root, true), "5 files are stale")
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
	for base, assembly := range files() {
		if !strings.HasSuffix(base, ".s") {
			continue
		}
		text := string(assembly)
		for _, op := range []string{"Relaxed", "Shuffle", "V128Load8", "V128Load16", "V128Load32x2", "V128Load64Splat", "V128Load32Zero", "Load64Lane", "Load32Lane", "Store32Lane"} {
			assert.NotContains(t, text, op, base)
		}
		before := ""
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasSuffix(before, "V128Load64Zero") { // its argument, spelled out
				assert.Equal(t, "Unreachable", strings.TrimSpace(line), base)
			}
			before = line
			if op, operand, _ := strings.Cut(strings.TrimSpace(line), " "); op == "V128Store" {
				assert.True(t, strings.HasPrefix(operand, "$0, $"), "%s: %s", base, line)
			}
		}
	}
}

// Each multiply-add of the kernels is one that the relaxed build may contract.
func TestMultiplyAddsAreThere(t *testing.T) {
	assert.Positive(t, kernels().MulAdds())
}
