// Command relax writes the relaxed SIMD variant of a WebAssembly module.
//
//	go run ./internal/relax/cmd/relax in.wasm out.wasm
package main

import (
	"fmt"
	"os"

	"github.com/normwasm/normwasm/internal/relax"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: relax in.wasm out.wasm")
	}
	module, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	n, err := relax.Contract(module)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := os.WriteFile(args[1], module, 0o644); err != nil {
		return err
	}
	fmt.Printf("relax: %d multiply-adds contracted in %s\n", n, args[1])
	return nil
}
