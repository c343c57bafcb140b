// Command strip makes a Go WebAssembly module smaller.
//
//	strip FROM.wasm TO.wasm
package main

import (
	"fmt"
	"os"

	"github.com/normwasm/normwasm/internal/strip"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: strip FROM.wasm TO.wasm")
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
	out, err := strip.Module(module)
	if err != nil {
		return err
	}
	// A new file under the old name: a build that is interrupted leaves the old one.
	if err := os.WriteFile(to+".tmp", out, 0o644); err != nil {
		return err
	}
	if err := os.Rename(to+".tmp", to); err != nil {
		return err
	}
	fmt.Printf("strip: %s %d → %d bytes\n", to, len(module), len(out))
	return nil
}
