//go:build !js

package onnx

import (
	"io"
	"os"
	"path/filepath"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// ReadFile reads a model from a file, and the files beside it that its tensors are in. These
// must be in the model's folder or below it, symbolic links included.
func ReadFile(name string) (*ir.Graph, error) {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	model, err := loadFile(root, filepath.Base(name))
	if err != nil {
		return nil, err
	}
	list, err := Files(model)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range list {
		if files[f.Path], err = loadFile(root, filepath.FromSlash(f.Path)); err != nil {
			return nil, ir.Load("onnx: tensor ", text.Quote(f.Named), " is in the file ", text.Quote(f.Path), ", of which the model needs ", f.Bytes, " bytes: ", err)
		}
	}
	return ReadWith(model, Options{Files: files})
}

// loadFile reads a whole file into aligned memory.
func loadFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ir.Load("onnx: ", text.Quote(name), " is no regular file")
	}
	b := slab.New(int(info.Size()))
	_, err = io.ReadFull(f, b)
	return b, err
}
