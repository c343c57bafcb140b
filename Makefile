# make demo   build everything and serve the page on http://127.0.0.1:8080
# make test   install what the tests need and run them all
# The other targets are steps of these two, or for working on normwasm.

export GOTOOLCHAIN := go1.27.4
SHELL  := /bin/bash
BIN    := $(CURDIR)/bin
DIST   := js/dist
WASM   := GOOS=js GOARCH=wasm
# Go's start-up code takes at most 8 KB of arguments and environment together.
LEAN   := env -i PATH="$$PATH" HOME="$$HOME" GOTOOLCHAIN=$(GOTOOLCHAIN) $(WASM)
# The packages whose tests run inside a browser as well.
BROWSER_PKGS := ./internal/asm/asmtest ./norm ./nn ./nn/graph ./wasm
GO_SRC := $(shell find norm nn internal wasm -name '*.go' -o -name '*.s' 2>/dev/null) go.mod go.sum
FUZZTIME ?= 3s

.PHONY: demo site test bench check build size generate clean fuzz browser testdata \
        test-go test-wasm test-purego test-browser test-js test-demo

build: $(DIST)/normwasm.scalar.wasm $(DIST)/normwasm.simd.wasm $(DIST)/normwasm.relaxed.wasm $(DIST)/go-runtime.js

# Small rather than fast where it does not count: what is inlined is there twice.
# nn's inner loops call small functions and keep their inlining; norm's do not. The allocator's
# specialized variants and the newer garbage collector serve larger heaps. go build
# would leave a module that is up to date, but stripped already, as it is: hence rm.
MODULE  := github.com/normwasm/normwasm
COMPACT := -trimpath -ldflags='-s -w' -gcflags=all=-l -gcflags=$(MODULE)/nn=

$(DIST)/normwasm.scalar.wasm: $(GO_SRC) Makefile
	rm -f $@
	$(WASM) GOEXPERIMENT=nosizespecializedmalloc,nogreenteagc go build $(COMPACT) -tags purego -o $@ ./wasm
	go run ./internal/strip/cmd/strip $@

$(DIST)/normwasm.simd.wasm: $(GO_SRC) Makefile
	rm -f $@
	$(WASM) GOEXPERIMENT=nosizespecializedmalloc,nogreenteagc go build $(COMPACT) -o $@ ./wasm
	go run ./internal/strip/cmd/strip $@

$(DIST)/normwasm.relaxed.wasm: $(DIST)/normwasm.simd.wasm
	go run ./internal/relax/cmd/relax $< $@

$(DIST)/go-runtime.js: js/build.mjs go.mod
	node js/build.mjs

demo: site
	node demo/serve.mjs

# The demo as a static site, in demo/dist.
site: build demo/node_modules/.package-lock.json js/node_modules/.package-lock.json
	node demo/build.mjs

test: check build size test-go test-purego test-wasm test-browser test-js test-demo fuzz

test-go: testdata demo/node_modules/.package-lock.json
	go test ./...

# The scalar twins, natively and in wasm, with the tag that leaves SIMD out.
test-purego: testdata
	go test -tags purego ./norm/... ./nn/...

# In Node: quick. Both kernel paths run in the SIMD build.
test-wasm: testdata
	$(LEAN) go test -exec="$$(go env GOROOT)/lib/wasm/go_js_wasm_exec" $(BROWSER_PKGS)
	$(LEAN) go test -short -tags purego -exec="$$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./norm/... ./nn

# One package after another: a busy machine starts Chromium slowly. What -short
# leaves out, the sampling of long rows, is the same code in Node.
test-browser: browser
	go build -o $(BIN)/wasmbrowsertest github.com/agnivade/wasmbrowsertest
	$(LEAN) go test -short -p 1 -exec="$(BIN)/wasmbrowsertest" $(BROWSER_PKGS)

test-js: build browser js/node_modules/.package-lock.json demo/node_modules/.package-lock.json
	cd js && npm run --silent check && npm test --silent

test-demo: build browser js/node_modules/.package-lock.json demo/node_modules/.package-lock.json
	node demo/build.mjs
	cd demo && npm test --silent

fuzz:
	FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: build browser bench/node_modules/.package-lock.json demo/node_modules/.package-lock.json
	node bench/run.mjs

check: js/node_modules/.package-lock.json
	.ci/check

generate:
	go run ./internal/asm/generate

size: build
	node .ci/size.mjs

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	touch $@

browser:
	.ci/browser

testdata:
	.ci/testdata

clean:
	rm -rf bin $(DIST) demo/dist bench/dist
