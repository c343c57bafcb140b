//go:build !js

// Command wasm is the module that the npm package loads. It is built for the
// browser only:
//
//	GOOS=js GOARCH=wasm go build -o normwasm.simd.wasm ./wasm
package main

import "os"

func main() {
	os.Stderr.WriteString("normwasm's module runs in a JavaScript engine; build it with\n\n" +
		"\tGOOS=js GOARCH=wasm go build -trimpath -ldflags='-s -w' -o normwasm.simd.wasm ./wasm\n\n" +
		"(with -tags purego for the scalar variant), or all variants by `make build`\n")
	os.Exit(2)
}
