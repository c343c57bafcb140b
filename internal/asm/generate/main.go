// Command generate writes the wasm kernels: kernel_wasm.s and kernel_wasm.go of
// norm and nn, and the pair that tests the assembler package itself. With
// -check it writes nothing and fails, naming the files that differ.
package main

//go:generate go run .

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"

	"github.com/normwasm/normwasm/internal/asm"
)

const command = "internal/asm/generate"

// pairs are all generated files, each without its extension.
var pairs = map[string]func() *asm.File{
	"norm/kernel_wasm":                 normKernels,
	"nn/kernel_wasm":                   nnKernels,
	"internal/asm/asmtest/kernel_wasm": testKernels,
}

func main() {
	check := flag.Bool("check", false, "write nothing, exit with 1 if a file differs")
	root := flag.String("root", "", "the module's root; found from the working directory when empty")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	if root == "" {
		var err error
		if root, err = moduleRoot(); err != nil {
			return err
		}
	}
	stale := 0
	for base, build := range pairs {
		file := build()
		stubs, err := format.Source(file.Stubs())
		if err != nil {
			return fmt.Errorf("%s.go: %w", base, err)
		}
		for ext, text := range map[string][]byte{".s": file.Assembly(), ".go": stubs} {
			name := filepath.Join(root, filepath.FromSlash(base)+ext)
			old, err := os.ReadFile(name)
			if err == nil && bytes.Equal(old, text) {
				continue
			}
			if check {
				fmt.Println(base + ext + " differs from what its generator writes")
				stale++
				continue
			}
			if err := os.WriteFile(name, text, 0o644); err != nil {
				return err
			}
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d files are stale; run go run ./%s", stale, command)
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = up
	}
}
