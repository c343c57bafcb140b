// Command atomics makes a linked WebAssembly module fit for threads: functions that are to be atomic get the instructions for it.
//
//	atomics FROM.wasm TO.wasm
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/normwasm/normwasm/internal/lift"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: atomics FROM.wasm TO.wasm")
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
	missing, err := lift.Atomics(module)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if len(missing) > 0 {
		fmt.Printf("atomics: %s has no %s\n", from, strings.Join(missing, ", "))
	}
	return os.WriteFile(to, module, 0o644)
}
