//go:build !js

package onnx

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	at := func(location string) error {
		put("models/m.onnx", weighted(outside("w", 1, location, "0", "16", 2, 2), tensorOf("b", 1, 2).bytes(9, rawFloats(0, 0))))
		_, err := ReadFile(filepath.Join(dir, "models/m.onnx"))
		return err
	}
	put("models/below/w.bin", rawFloats(1, 2, 3, 4))
	put("secret.bin", rawFloats(1, 2, 3, 4))
	put("models/short.bin", rawFloats(1))
	require.NoError(t, os.Symlink("below/w.bin", filepath.Join(dir, "models/inside.bin")))
	require.NoError(t, os.Symlink("../secret.bin", filepath.Join(dir, "models/outside.bin")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "models/folder")))
	assert.NoError(t, at("below/w.bin"))
	assert.NoError(t, at("inside.bin"))
	for location, want := range map[string]string{
		"outside.bin": "escapes", "folder/secret.bin": "escapes", "../secret.bin": "want one in the model's folder",
		"none.bin":  `onnx: tensor "w" is in the file "none.bin", of which the model needs 16 bytes: `,
		"short.bin": `needs 16 bytes from 0 on; the file has 4`, "below": "is no regular file",
	} {
		assert.ErrorContains(t, at(location), want, location)
	}
}
