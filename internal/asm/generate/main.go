// Command generate writes the kernels of internal/kernel: kernel_wasm.s with the code,
// kernel_wasm.go with its declarations and kernel_other.go, which forwards to the twins,
// and the pair that tests the assembler package itself. With -check it writes nothing and
// fails, naming the files that differ.
package main

//go:generate go run .

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"

	"github.com/normwasm/normwasm/internal/asm"
)

const command = "internal/asm/generate"

// files are all generated files, by their names from the module's root.
func files() map[string][]byte {
	kernels, tests := kernels(), testKernels()
	return map[string][]byte{
		"internal/kernel/kernel_wasm.s":       kernels.Assembly(),
		"internal/kernel/kernel_wasm.go":      kernels.Stubs(),
		"internal/kernel/kernel_other.go":     kernels.Forwards(),
		"internal/asm/asmtest/kernel_wasm.s":  tests.Assembly(),
		"internal/asm/asmtest/kernel_wasm.go": tests.Stubs(),
	}
}

// kernels is the assembly of internal/kernel, where each has a twin with its contract.
func kernels() *asm.File {
	file := asm.NewFile("kernel", "wasm && !purego", command,
		"The kernels in SIMD128; the comments of their twins are their contract.")
	file.Record("tape")
	normalizations(file)
	layers(file)
	trainingKernels(file)
	return file
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
	for path, text := range files() {
		if strings.HasSuffix(path, ".go") {
			var err error
			if text, err = format.Source(text); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		name := filepath.Join(root, filepath.FromSlash(path))
		old, err := os.ReadFile(name)
		if err == nil && bytes.Equal(old, text) {
			continue
		}
		if check {
			fmt.Println(path + " differs from what its generator writes")
			stale++
			continue
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
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
