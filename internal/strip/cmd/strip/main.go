// Command strip makes a Go WebAssembly module smaller.
//
//	strip FILE.wasm    # in place
package main

import (
	"fmt"
	"os"

	"github.com/normwasm/normwasm/internal/strip"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: strip FILE.wasm")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	module, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := strip.Module(module)
	if err != nil {
		return err
	}
	// A new file under the old name: a build that is interrupted leaves the old one.
	if err := os.WriteFile(file+".tmp", out, 0o644); err != nil {
		return err
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		return err
	}
	fmt.Printf("strip: %s %d → %d bytes\n", file, len(module), len(out))
	return nil
}
