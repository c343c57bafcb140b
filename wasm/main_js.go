// Package main is normwasm's WebAssembly module. It translates between
// JavaScript and internal/bridge and computes nothing itself.
//
// Start-up leaves no global variable behind: the host puts a function named
// normwasm on the global object and runs the module; main takes the function off
// again and calls it with the API object (api_js.go) before go.run returns. Beside
// that object the instance's exports are the fast lane for hot calls
// (export_js.go). A plain script needs no more than Go's wasm_exec.js:
//
//	const go = new Go();
//	globalThis.normwasm = (api) => { … };
//	const { instance } = await WebAssembly.instantiateStreaming(fetch('normwasm.simd.wasm'), go.importObject);
//	go.run(instance);
//
// The name is fixed: reading it from go.argv would take package os, 22 KB of the
// compressed module, and the function is gone before anything else can run.
package main

import (
	"syscall/js"

	"github.com/normwasm/normwasm/internal/bridge"
)

// state is what the API object and the exports work on.
var state = bridge.New()

// quit ends main and with it the module.
var quit = make(chan struct{}, 1)

func main() {
	const name = "normwasm"
	receive := js.Global().Get(name)
	if receive.Type() != js.TypeFunction {
		println("normwasm: the host put no function named", name, "on the global object")
		return
	}
	js.Global().Delete(name)
	receive.Invoke(newAPI())
	<-quit
}
