## normwasm: the targets
##
##   make demo         build the demo and serve it on this computer; PORT=8081 make demo for another port
##   make test         all tests but the long ones, a few minutes; says where its time went
##   make test-all     the long ones too: fuzzing, long rows, bundlers, every variant everywhere, the lab's pages
##   make test-fixtures  the packed package with bundlers, in Node, React, TypeScript and transformers.js; part of make test-all
##   make test-mutants  mutated model files, as they are written and optimized, beside onnxruntime-web; part of make test-all
##   make test-rows  all types and opsets of all operators, drawn from their rows, beside onnxruntime-web; part of make test-all
##   make test-browsers  the tests in Chromium, Firefox and WebKitGTK; part of make test-all for root
##   make check        format, vet, staticcheck, tidy modules, generated files, who imports what
##   make size         what a page downloads, against its budget
##   make build        the npm package, in js/dist
##   make site         the demo as a static site for a web server, in demo/dist
##   make experiment   one of the lab's experiments: N=3, N=all; SEEDS=5; DATA=fashion for other pictures
##   make weights      the networks that the site ships, anew
##   make bench        the benchmark beside onnxruntime-web and TensorFlow.js
##   make generate     write the generated files anew: SIMD kernels, what JavaScript knows of the module, the page of operators
##   make clean        delete what was built
##
## Each step of the tests is a target as well: make test-go, test-browser, test-js, test-demo, …

export GOTOOLCHAIN := go1.27.4
SHELL  := /bin/bash
.DELETE_ON_ERROR:
BIN    := $(CURDIR)/bin
DIST   := js/dist
WASM   := GOOS=js GOARCH=wasm
STEP   := @.ci/step
TOOLS  := internal/tools/go.mod
# Runs Go's wasm tests in Node, and in Chromium.
IN_NODE    := -exec="$(CURDIR)/.ci/lean node"
IN_BROWSER := -exec="$(CURDIR)/.ci/lean $(BIN)/wasmbrowsertest"
# The tests look for /usr/bin/chromium, or where CHROMIUM says.
FOUND := $(firstword $(foreach b,chromium chromium-browser google-chrome,$(shell command -v $b 2>/dev/null)))
ifneq ($(FOUND),)
export CHROMIUM ?= $(FOUND)
endif
# The packages whose tests run inside a browser as well.
BROWSER_PKGS := ./internal/asm/asmtest ./internal/slab ./internal/kernel ./internal/threads ./internal/compute ./norm ./nn ./nn/graph ./nn/train ./wasm
GO_SRC := $(shell find norm nn internal wasm -name '*.go' -o -name '*.s' 2>/dev/null) go.mod go.sum
FUZZTIME ?= 3s

# Two steps at a time, all of them even when one fails. One that starts a browser waits long enough
# for a busy machine.
JOBS     ?= 2
SIDE_BY_SIDE = $(MAKE) --no-print-directory --keep-going $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

# The steps of make test, and what make test-all adds to them. Those that take long come first.
TEST_STEPS := test-js test-demo test-browser test-lab check-quick test-go test-norm test-types test-ci size
# Who is not root is not asked to install two more browsers.
LONG_STEPS := $(if $(filter 0,$(shell id -u)),test-browsers) test-fixtures test-browser-long test-lab-long test-wasm test-replay test-purego test-norm-long test-mutants test-rows test-conformance test-bench test-js-long fuzz size-long check-long

.PHONY: help need check demo site experiment weights test test-all test-browsers bench build generate clean browser testdata $(TEST_STEPS) $(LONG_STEPS)

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# Says in one line what is missing or too old.
need:
	@.ci/need

# make test notes which files it has passed with: make test-all does not repeat it with the same.
test: | need
	+@.ci/steps 'make test' --passed $(SIDE_BY_SIDE) $(TEST_STEPS)

test-all: | need
	+@.ci/steps --has-passed 'make test' || $(MAKE) --no-print-directory test
	+@.ci/steps 'make test-all' $(SIDE_BY_SIDE) $(LONG_STEPS)

# ---- The package ----

# Three variants of three editions: the one that runs models, the one that trains, which only Trainer fetches, and the full
# one, which runs models too and is fetched when one needs a rarer operator. Nothing that make test runs takes the full one
# without SIMD.
BUILT := $(filter-out %.full.scalar.wasm,$(foreach e,normwasm normwasm.train normwasm.full,$(foreach v,scalar simd relaxed,$(DIST)/$e.$v.wasm))) \
  $(DIST)/normwasm.kernels.simd.wasm $(DIST)/normwasm.kernels.relaxed.wasm $(DIST)/normwasm.js

WHOLE := $(BUILT) $(DIST)/normwasm.full.scalar.wasm

build: $(WHOLE)

# Small rather than fast where it does not count: what is inlined is there twice. The inner loops of compute, of
# nn and of the kernels call small functions and keep their inlining; norm has none of its own. So do Go's runtime and what
# it is made of: it takes 6 KB, and models are there up to a third sooner, for a browser also has fewer functions to compile.
# Slices of a length that is not known get no second variant of their code, for the stack: those of the inner loops may.
# The allocator's specialized variants and the newer garbage collector serve larger heaps.
MODULE  := github.com/normwasm/normwasm
INLINED := $(MODULE)/nn $(MODULE)/internal/compute $(MODULE)/internal/kernel runtime internal/... sync/atomic unicode/utf8 math/bits slices
COMPACT := -trimpath -ldflags='-s -w' -gcflags='all=-l -d=variablemakethreshold=0' $(INLINED:%=-gcflags=%=)

# The go command does not replace files of its module cache, where the release of GOTOOLCHAIN is: so it is called by
# its path, and with another cache, which stays empty, for the module is built of no others. ./... leaves out folders
# that begin with a dot.
TRIMMED := GOTOOLCHAIN=local GOMODCACHE=$(BIN)/modules $$(go env GOROOT)/bin/go build -overlay $(BIN)/.runtime/overlay.json

# strip writes a new file, so that an interrupted build leaves nothing that looks finished.
$(DIST)/normwasm.%.wasm: $(GO_SRC) Makefile | need
	@mkdir -p $(DIST) $(BIN)
	$(STEP) build-$* bash -c "go run ./internal/trim/cmd/trim $(BIN)/.runtime && $(WASM) GOEXPERIMENT=nosizespecializedmalloc,nogreenteagc \
	  $(TRIMMED) $(COMPACT) -tags '$(if $(filter train.%,$*),train,$(if $(filter full.%,$*),,lean)) $(if $(filter %scalar,$*),purego)' -o $(BIN)/$*.wasm ./wasm && \
	  $(if $(filter %scalar,$*),,go run ./internal/lift/cmd/atomics $(BIN)/$*.wasm $(BIN)/$*.wasm &&) \
	  go run ./internal/shorten/cmd/shorten $(BIN)/$*.wasm $(BIN)/$*.wasm && \
	  go run ./internal/strip/cmd/strip $(BIN)/$*.wasm $@ && rm $(BIN)/$*.wasm"

# One after the other: at the same time they would compile all that they share.
$(DIST)/normwasm.scalar.wasm: | $(DIST)/normwasm.simd.wasm
$(DIST)/normwasm.train.simd.wasm: | $(DIST)/normwasm.simd.wasm
$(DIST)/normwasm.train.scalar.wasm: | $(DIST)/normwasm.scalar.wasm
$(DIST)/normwasm.full.simd.wasm: | $(DIST)/normwasm.simd.wasm
$(DIST)/normwasm.full.scalar.wasm: | $(DIST)/normwasm.scalar.wasm

# The kernels alone, which threads run: those of all editions.
$(DIST)/normwasm.kernels.simd.wasm: $(foreach e,normwasm normwasm.full normwasm.train,$(DIST)/$e.simd.wasm)
	$(STEP) build-kernels go run ./internal/lift/cmd/lift $@ $^

$(foreach e,normwasm normwasm.train normwasm.full normwasm.kernels,$(DIST)/$e.relaxed.wasm): %.relaxed.wasm: %.simd.wasm
	$(STEP) build-$(@F:normwasm.%.wasm=%) go run ./internal/relax/cmd/relax $< $@

# The JavaScript of the package: one ES module, the same for require(), the script of workers.
$(DIST)/normwasm.js: js/build.mjs js/package.json $(wildcard js/src/*.js js/*.d.ts) js/node_modules/.installed | need
	$(STEP) build-js node js/build.mjs

size: $(BUILT)
	$(STEP) size node .ci/size.mjs

size-long: $(WHOLE)
	$(STEP) size-long node .ci/size.mjs --all

# ---- The demo ----

# First whether the port is free: who has to choose another one wants to know before the build.
demo: | need
	@node demo/serve.mjs --port
	@echo 'demo: builds the engine, the npm package and the page. The first time, Go compiles for about half a minute.'
	+@.ci/steps 'make demo' $(SIDE_BY_SIDE) demo/dist/.built
	@node demo/serve.mjs

# Compressed as far as it goes, which takes minutes the first time.
site: $(WHOLE) demo/node_modules/.installed js/node_modules/.installed
	node demo/build.mjs

# Seconds to minutes each, in one thread; writes demo/src/lab/results/ and docs/experiments.md.
experiment: $(BUILT) demo/node_modules/.installed
	@cd demo && node experiment.mjs $(N) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(DATA),--data $(DATA))

# The same bytes each time; a test compares what they can do, not how they were made.
weights: $(BUILT) demo/node_modules/.installed
	@cd demo && node weights.mjs

# The pages of the API are made with the TypeScript of js/.
demo/dist/.built: $(BUILT) demo/node_modules/.installed js/node_modules/.installed $(wildcard demo/*.mjs demo/src/* demo/src/*/* demo/src/*/*/* js/*.d.ts)
	$(STEP) build-demo node demo/build.mjs --quick
	@touch $@

# ---- Tests ----

# Which Go tests run where. All code runs natively: there only the scalar kernels exist, so that -tags
# purego would be the same code again. In Chromium run the packages that a page loads, built with SIMD:
# their tests compare each SIMD kernel with its scalar twin, bit by bit. The long tests add what -short
# leaves out (the sampling of long rows, wide matrices, all kinds of groups in all layouts), and the same
# in Node, with SIMD and without. How the three variants of the module compare, test-js looks at.
test-go: testdata demo/node_modules/.installed
	$(STEP) test-go go test $$(go list ./... | grep -v /norm$$)

test-norm: testdata
	$(STEP) test-norm go test -short ./norm

test-norm-long: testdata
	$(STEP) test-norm-long go test ./norm

# One package after another: a busy machine starts Chromium slowly.
test-browser: browser $(BIN)/wasmbrowsertest
	$(STEP) test-browser bash -c '$(WASM) go test -short -p 1 -timeout 30m $(IN_BROWSER) $(BROWSER_PKGS)'

test-browser-long: browser $(BIN)/wasmbrowsertest
	$(STEP) test-browser-long bash -c '$(WASM) go test -p 1 -timeout 60m $(IN_BROWSER) $(BROWSER_PKGS)'

test-wasm: testdata
	$(STEP) test-wasm bash -c '$(WASM) go test $(IN_NODE) $(BROWSER_PKGS) && $(WASM) go test -tags train $(IN_NODE) ./wasm'

# What is divided among threads: recorded and repeated in a random order, and with the race detector.
test-replay: testdata
	$(STEP) test-replay bash -c '$(WASM) go test -tags replay $(IN_NODE) ./internal/threads ./internal/compute ./norm ./nn/graph && go test -race -run Threads ./internal/threads ./internal/compute ./nn/graph'

test-purego: testdata
	$(STEP) test-purego bash -c '$(WASM) go test -tags purego $(IN_NODE) ./internal/kernel ./internal/compute ./norm ./nn ./nn/graph ./nn/train'

$(BIN)/wasmbrowsertest: $(TOOLS) | need
	$(STEP) build-wasmbrowsertest go build -modfile=$(TOOLS) -o $@ github.com/agnivade/wasmbrowsertest

test-js: $(BUILT) browser js/node_modules/.installed demo/node_modules/.installed
	$(STEP) test-js bash -c 'cd js && npm test --silent'

# Memory that is full, with models of 900 MB: needs 5 GB. Decoders in all types of weights.
test-js-long: $(BUILT) js/node_modules/.installed
	$(STEP) test-js-long bash -c 'cd js && NORMWASM_LONG=1 node --expose-gc --test test/limit.test.mjs test/decoders.test.mjs'

# The types, and what is published.
test-types: $(BUILT) js/node_modules/.installed
	$(STEP) test-types bash -c 'cd js && npm run --silent check'

test-demo: demo/dist/.built browser
	$(STEP) test-demo bash -c 'cd demo && npm run --silent test:read'

# The lab: its data, charts, weights and one of its pages; the others, the experiments in a shortened form and what
# holds for every page of the site, and the page Write are part of make test-all.
test-lab: demo/dist/.built browser
	$(STEP) test-lab bash -c 'cd demo && npm run --silent test:lab'

test-lab-long: demo/dist/.built browser js/node_modules/.installed
	$(STEP) test-lab-long bash -c 'cd demo && npm run --silent test:lab-long'

test-browsers: demo/dist/.built js/node_modules/.installed
	@.ci/browsers
	$(STEP) test-browsers node js/test/browsers/run.mjs

# Installs bundlers and frameworks from npm, each in a project of its own.
test-fixtures: $(WHOLE) browser js/node_modules/.installed
	$(STEP) test-fixtures bash -c 'cd js && node --test fixtures/*.test.mjs'

# NORMWASM_SEED=7 starts another series, NORMWASM_MUTANTS=300 mutates for so many seconds, and compares for twice as many.
test-mutants: $(BUILT) js/node_modules/.installed
	$(STEP) test-mutants node js/test/mutants/run.mjs

# Every type of every operator at every opset, beside onnxruntime-web; NORMWASM_SEED=7 draws other cases.
test-rows: $(BUILT) js/node_modules/.installed
	$(STEP) test-rows bash -c 'cd js && NORMWASM_ROWS=all node --test test/rows.test.mjs'

# Other people's tests of operators, beside onnxruntime-web.
test-conformance: $(BUILT) js/node_modules/.installed
	$(STEP) test-conformance bash -c 'cd js && node --test test/conformance/*.test.mjs'

# Of each new group of the benchmark a case, in Chromium, to see that it measures and compares.
test-bench: $(BUILT) browser bench/node_modules/.installed
	$(STEP) test-bench bash -c 'cd bench && npm test --silent'

fuzz: | need
	$(STEP) fuzz env FUZZTIME=$(FUZZTIME) .ci/fuzz

check: js/node_modules/.installed
	$(STEP) check .ci/check

# As part of make test; make test-all has the rest, staticcheck above all.
check-quick: js/node_modules/.installed
	$(STEP) check-quick .ci/check --quick

# What runs the tests is tested too.
test-ci: | need
	$(STEP) test-ci node --test .ci/test/

check-long: | need
	$(STEP) check-long .ci/check --long

bench: $(BUILT) browser bench/node_modules/.installed demo/node_modules/.installed
	node bench/run.mjs

generate: | need
	go run ./internal/asm/generate
	go run ./internal/operators
	go run ./internal/bridge/generate

# ---- What the steps need ----

# npm ci deletes and writes the folder; only when it has ended well is the mark there.
%/node_modules/.installed: %/package-lock.json %/package.json | need
	@rm -f $@
	$(STEP) npm-$* bash -c 'cd $* && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error'
	@touch $@

browser:
	$(STEP) browser .ci/browser

testdata:
	$(STEP) testdata .ci/testdata

clean:
	rm -rf bin $(DIST) demo/dist bench/dist
