// Command shorten writes the code of a Go WebAssembly module shorter.
//
//	shorten FROM.wasm TO.wasm
package main

import (
	"fmt"
	"os"

	"github.com/normwasm/normwasm/internal/shorten"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: shorten FROM.wasm TO.wasm")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	module, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	out, err := shorten.Module(module)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, out, 0o644)
}
