// Package main is normwasm's WebAssembly module. It translates between
// JavaScript and internal/bridge and computes nothing itself.
//
// Start-up leaves no global variable behind: the host puts a function on the
// global object, under the name that it passes as the second argument (go.argv[1])
// or "normwasm", and runs the module; main takes the function off again and calls
// it with the API object (api_js.go). Beside that object the instance's exports
// are the fast lane for hot calls (export_js.go). A plain script needs no more
// than Go's wasm_exec.js:
//
//	const go = new Go();
//	globalThis.normwasm = (api) => { … };
//	const { instance } = await WebAssembly.instantiateStreaming(fetch('normwasm.simd.wasm'), go.importObject);
//	go.run(instance);
package main

import (
	"os"
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
)

// state is what both lanes work on.
var state = bridge.New()

// quit ends main and with it the module.
var quit = make(chan struct{}, 1)

func main() {
	name := "normwasm"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	receive := js.Global().Get(name)
	if receive.Type() != js.TypeFunction {
		os.Stderr.WriteString("normwasm: the host put no function named " + name + " on the global object\n")
		os.Exit(1)
	}
	js.Global().Delete(name)
	receive.Invoke(newAPI())
	<-quit
}
