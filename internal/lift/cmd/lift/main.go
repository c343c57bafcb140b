// Command lift takes the kernels out of WebAssembly modules, which are editions of one program, for helpers.
//
//	lift TO.wasm FROM.wasm…
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/normwasm/normwasm/internal/lift"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: lift TO.wasm FROM.wasm…")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(to string, from []string) error {
	var modules [][]byte
	for _, name := range from {
		module, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		modules = append(modules, module)
	}
	out, missing, err := lift.Kernels(modules...)
	if err != nil {
		return fmt.Errorf("%w (module 1 is %s)", err, from[0])
	}
	// A new file under the old name: a build that is interrupted leaves the old one.
	if err := os.WriteFile(to+".tmp", out, 0o644); err != nil {
		return err
	}
	if err := os.Rename(to+".tmp", to); err != nil {
		return err
	}
	fmt.Printf("lift: %s %d bytes", to, len(out))
	if len(missing) > 0 {
		fmt.Printf(", without %s, which nothing calls", strings.Join(missing, ", "))
	}
	fmt.Println()
	return nil
}
