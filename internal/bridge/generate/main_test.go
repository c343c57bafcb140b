//go:build !js

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/bridge"
)

const root = "../../.."

// What is committed is what the generator writes.
func TestCommittedFilesAreCurrent(t *testing.T) {
	assert.NoError(t, run(root, true))
}

// copied is a folder with the files that the generator reads and writes.
func copied(t *testing.T) string {
	to := t.TempDir()
	exports, err := filepath.Glob(filepath.Join(root, "wasm", "*_js.go"))
	require.NoError(t, err)
	for i, name := range exports {
		exports[i], err = filepath.Rel(root, name)
		require.NoError(t, err)
	}
	for name := range files {
		exports = append(exports, name)
	}
	for _, name := range exports {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(to, name), text, 0o644))
	}
	return to
}

// A change by hand, of whatever file, is found, and taken back.
func TestCheckFindsWhatDiffers(t *testing.T) {
	to := copied(t)
	for name, change := range map[string][2]string{
		"js/src/bridge.js": {"maxRank = 32", "maxRank = 33"},
		"js/src/frames.js": {"call.output('mean', given.mean);\n  call.output('invStdDev', given.invStdDev);", "call.output('invStdDev', given.invStdDev);\n  call.output('mean', given.mean);"},
		"js/src/norm.js":   {"defaultEpsilon", "1e-6"},
		"js/index.d.ts":    {"ε = 1e-5", "ε = 1e-6"},
		"wasm/usage_js.go": {"(1e-5)", "(1e-6)"},

		"wasm/usage_train_js.go": {"beta1, beta2", "beta2, beta1"},
	} {
		path := filepath.Join(to, name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		wrong := strings.Replace(string(text), change[0], change[1], 1)
		require.NotEqual(t, string(text), wrong, name)
		require.NoError(t, os.WriteFile(path, []byte(wrong), 0o644))
		assert.ErrorContains(t, run(to, true), "1 files are stale", name)
		require.NoError(t, run(to, false))
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.True(t, string(text) == string(after), name)
	}
}

// A row is as the generated code takes it to be.
func TestRows(t *testing.T) {
	names := map[string]bool{}
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		assert.False(t, names[o.Name], "%s is there twice", o.Name)
		names[o.Name] = true
		assert.NotEmpty(t, o.Doc, o.Name)
		own := map[string]bool{"shape": true, "axes": true}
		for _, p := range o.Operands {
			assert.False(t, own[p.Name], "%s: %s is there twice", o.Name, p.Name)
			own[p.Name] = true
		}
		for _, p := range o.Options {
			assert.False(t, own[p.Name], "%s: %s is there twice", o.Name, p.Name)
			own[p.Name] = true
			assert.Equal(t, p.Kind == bridge.Word, p.Words != nil, "%s: %s", o.Name, p.Name)
		}
		if o.Function {
			assert.Positive(t, input(o), o.Name)
		}
	}
}
