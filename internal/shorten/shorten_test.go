package shorten

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// Instructions as Go's compiler writes them.
var (
	end      = []byte{0x0b}
	block    = []byte{0x02, 0x40}
	loop     = []byte{0x03, 0x40}
	when     = []byte{0x04, 0x40}
	ret      = []byte{0x0f}
	eqz      = []byte{0x45}
	trap     = []byte{0x00}
	getBlock = []byte{0x20, 0}
	setBlock = []byte{0x21, 0}
	getSP    = []byte{0x20, 1}
	getX     = []byte{0x20, 2}
	setX     = []byte{0x21, 2}
	call     = []byte{0x41, 0, 0x10, 0x07, 0x23, 0, 0x21, 1}
	lower    = []byte{0x20, 1, 0x41, 8, 0x6b, 0x22, 1, 0x24, 0}
	prologue = []byte{0x23, 0, 0x21, 1}
	load     = []byte{0x29, 3, 0}
	store    = []byte{0x37, 3, 0}
)

func seq(parts ...[]byte) []byte { return slices.Concat(parts...) }

func number(n byte) []byte   { return []byte{0x41, n} } // i32.const
func branch(d byte) []byte   { return []byte{0x0c, d} }
func branchIf(d byte) []byte { return []byte{0x0d, d} }

// jump is a jump to a block of the given number, with the loop at depth.
func jump(number_, depth byte) []byte { return seq(number(number_), setBlock, branch(depth)) }

// jumpIf jumps when there is no zero on the stack.
func jumpIf(number_, depth byte) []byte { return seq(when, jump(number_, depth+1), end) }

// inFrame is the address n above the stack pointer, as the compiler computes it.
func inFrame(n ...byte) []byte { return seq(getSP, []byte{0xad, 0x42}, n, []byte{0x7c, 0xa7}) }

// raise raises the stack pointer by n.
func raise(n ...byte) []byte {
	return seq(getSP, []byte{0x41}, n, []byte{0x6a, 0x22, 1, 0x24, 0})
}

// shortRaise is what is left of it before a return.
func shortRaise(n ...byte) []byte { return seq(getSP, []byte{0x41}, n, []byte{0x6a, 0x24, 0}) }

func section(id byte, content []byte) []byte {
	return seq([]byte{id}, binary.AppendUvarint(nil, uint64(len(content))), content)
}

// module has one function of Go's calling convention, with the local for the stack pointer
// and an i64.
func module(body []byte) []byte { return custom(goFunction, []byte{2, 1, 0x7f, 1, 0x7e}, body) }

func custom(of, locals, body []byte) []byte {
	f := seq(locals, body, end)
	f = append(binary.AppendUvarint(nil, uint64(len(f))), f...)
	return seq([]byte("\x00asm\x01\x00\x00\x00"), section(0, []byte("\x01x")), section(1, seq([]byte{1}, of)),
		section(3, []byte{1, 0}), section(10, seq([]byte{1}, f)), section(11, []byte{0}))
}

// blocks is a function of three blocks, behind each of which goes code; unless leave is set, without
// the block around them that ends in a return of 1. Its blocks are number 0, 1 and 2, which all larger ones lead to.
func blocks(leave bool, behind ...[]byte) []byte {
	start := seq(loop, block, block, block, getBlock, []byte{0x0e, 2, 0, 1, 2}, end)
	body := seq(start, behind[0], end, behind[1], end, behind[2], end, trap)
	if leave {
		return seq(prologue, block, body, end, number(1))
	}
	return seq(prologue, body)
}

func TestRewrites(t *testing.T) {
	out := seq(when, number(1), ret, end) // a return where the function is left
	for name, c := range map[string]struct{ in, want []byte }{
		"load from the frame":      {seq(inFrame(0x18), load, setX), seq(getSP, []byte{0x29, 3, 0x18}, setX)},
		"store to the frame":       {seq(inFrame(0xc0, 3), getX, []byte{0x37, 3, 8}), seq(getSP, getX, []byte{0x37, 3, 0xc8, 3})},
		"one in the other":         {seq(inFrame(8), inFrame(16), load, store), seq(getSP, getSP, []byte{0x29, 3, 16, 0x37, 3, 8})},
		"a byte, of the sum":       {seq(inFrame(8), getX, getX, []byte{0x7c, 0x3c, 0, 1}), seq(getSP, getX, getX, []byte{0x7c, 0x3c, 0, 9})},
		"no offset":                {seq(getSP, []byte{0xad, 0xa7}, getX, store), seq(getSP, getX, store)},
		"address computed with":    {seq(inFrame(8), number(4), []byte{0x6a}, getX, store), seq(getSP, number(8), []byte{0x6a}, number(4), []byte{0x6a}, getX, store)},
		"address kept":             {seq(inFrame(8), []byte{0x22, 1}, load, setX), seq(getSP, number(8), []byte{0x6a, 0x22, 1}, load, setX)},
		"address is what's stored": {seq(getSP, inFrame(8), []byte{0x36, 2, 0}), seq(getSP, getSP, number(8), []byte{0x6a, 0x36, 2, 0})},
		"used behind a call":       {seq(inFrame(8), []byte{0x41, 0, 0x10, 7, 0xad}, store), seq(getSP, number(8), []byte{0x6a, 0x41, 0, 0x10, 7, 0xad}, store)},
		"SIMD load":                {seq(inFrame(8), []byte{0xfd, 0, 4, 0, 0x1a}), seq(getSP, number(8), []byte{0x6a, 0xfd, 0, 4, 0, 0x1a})},
		"atomic load":              {seq(inFrame(8), load, []byte{0xa7, 0xfe, 0x10, 2, 4, 0x1a}), seq(getSP, []byte{0x29, 3, 8, 0xa7, 0xfe, 0x10, 2, 4, 0x1a})},
		"atomic in the frame":      {seq(inFrame(8), []byte{0xfe, 0x10, 2, 0, 0x1a}), seq(getSP, number(8), []byte{0x6a, 0xfe, 0x10, 2, 0, 0x1a})},
		"below the frame":          {in: seq(inFrame(0x78), load, setX)},
		"another local":            {in: seq(getX, []byte{0xa7, 0xad, 0x42, 8, 0x7c, 0xa7}, load, setX)},
		"address not wrapped":      {in: seq(getSP, []byte{0xad, 0x42, 8, 0x7c}, setX)},

		"return":                 {seq(raise(8), number(0), ret), seq(shortRaise(8), number(0), ret)},
		"return from a frame":    {seq(raise(0xc0, 0), raise(8), number(0), ret), seq(shortRaise(0xc8, 0), number(0), ret)},
		"return that unwinds":    {seq(raise(8), number(1), ret), seq(shortRaise(8), number(1), ret)},
		"frame freed, no return": {in: seq(raise(8), getX, setX)},
		"call at the end":        {in: seq(raise(8), []byte{0x41, 0, 0x10, 7}, ret)},
		"nop":                    {seq(getX, []byte{1}, setX), seq(getX, setX)},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want = c.in
			}
			check(t, seq(prologue, c.in), seq(prologue, c.want))
		})
	}
	for name, c := range map[string]struct{ in, want []byte }{
		"forward":                  {blocks(false, jump(3, 2), nil, nil), blocks(false, branch(1), nil, nil)},
		"to the next":              {blocks(false, jump(1, 2), nil, nil), blocks(false, branch(0), nil, nil)},
		"same block, other number": {blocks(false, jump(2, 2), nil, nil), blocks(false, branch(1), nil, nil)},
		"number not in the table":  {blocks(false, jump(9, 2), nil, nil), blocks(false, branch(1), nil, nil)},
		"condition":                {blocks(false, seq(getX, []byte{0x50}, jumpIf(3, 2)), nil, nil), blocks(false, seq(getX, []byte{0x50}, branchIf(1)), nil, nil)},
		"two conditions":           {blocks(false, seq(getX, []byte{0x50}, eqz, jumpIf(1, 2), getX, []byte{0x50}, jumpIf(3, 2)), nil, nil), blocks(false, seq(getX, []byte{0x50}, eqz, branchIf(0), getX, []byte{0x50}, branchIf(1)), nil, nil)},
		"more than the jump":       {blocks(false, seq(getX, []byte{0x50}, when, getX, setX, jump(3, 3), end), nil, nil), blocks(false, seq(getX, []byte{0x50}, when, getX, setX, branch(2), end), nil, nil)},
		"inside a block":           {blocks(false, seq(block, jump(3, 3), end), nil, nil), blocks(false, seq(block, branch(2), end), nil, nil)},
		"backward":                 {in: blocks(false, nil, jump(0, 1), nil)},
		"backward, when":           {in: blocks(false, nil, nil, seq(getX, []byte{0x50}, jumpIf(1, 0)))},
		"to itself":                {in: blocks(false, nil, jump(1, 1), nil)},
		"indirect call":            {blocks(false, seq(setBlock, number(0), getBlock, []byte{0x11, 0, 0}, jumpIf(3, 2)), nil, nil), blocks(false, seq(setBlock, number(0), getBlock, []byte{0x11, 0, 0}, branchIf(1)), nil, nil)},

		"left behind a call":    {blocks(true, seq(call, branchIf(3)), nil, nil), blocks(true, seq(call, out), nil, nil)},
		"in a later block":      {blocks(true, nil, nil, seq(call, branchIf(1))), blocks(true, nil, nil, seq(call, out))},
		"branch elsewhere":      {in: blocks(true, seq(call, branchIf(1)), nil, nil)},
		"nothing else returned": {in: seq(prologue, block, getX, []byte{0xa7}, branchIf(0), end, number(2))},
		"only the last block": {
			seq(prologue, block, getX, []byte{0xa7}, branchIf(0), end, block, getX, []byte{0xa7}, branchIf(0), end, number(1)),
			seq(prologue, block, getX, []byte{0xa7}, branchIf(0), end, block, getX, []byte{0xa7}, out, end, number(1)),
		},

		// The number of the block is read elsewhere, so it has to be right.
		"number read":           {in: blocks(false, jump(3, 2), seq(getBlock, []byte{0xad}, setX), nil)},
		"number kept":           {in: blocks(false, jump(3, 2), seq(number(1), []byte{0x22, 0, 0xad}, setX), nil)},
		"loop without a number": {in: blocks(false, jump(3, 2), branch(1), nil)},
		"loop when":             {in: blocks(false, jump(3, 2), seq(getX, []byte{0xa7}, branchIf(1)), nil)},
		"loop by table":         {in: blocks(false, jump(3, 2), seq(getX, []byte{0xa7, 0x0e, 1, 0, 1}), nil)},
		"table to the loop":     {in: seq(prologue, loop, block, getBlock, []byte{0x0e, 1, 0, 1}, end, number(0), setBlock, branch(0), end, trap)},
	} {
		t.Run("jump "+name, func(t *testing.T) {
			if c.want == nil {
				c.want = c.in
			}
			check(t, c.in, c.want)
		})
	}
}

func TestTablesCountUp(t *testing.T) {
	when := seq(getX, []byte{0x50})
	dispatch := func(blocks int, table ...byte) []byte {
		return seq(loop, bytes.Repeat(block, blocks), getBlock, []byte{0x0e}, table)
	}
	for name, c := range map[string]struct{ in, want []byte }{
		"two of the second": {
			seq(dispatch(3, 3, 0, 1, 1, 2), getX, end, setX, end, getX, setX, end, trap, end),
			seq(dispatch(4, 3, 0, 1, 2, 3), getX, end, setX, end, end, getX, setX, end, trap, end)},
		"three of the first, two of the last": {
			seq(dispatch(3, 6, 0, 0, 0, 1, 2, 2, 2), getX, end, setX, end, getX, setX, end, trap, end),
			seq(dispatch(6, 6, 0, 1, 2, 3, 4, 5, 5), getX, end, end, end, setX, end, getX, setX, end, end, trap, end)},
		"branches": { // to the second block, to the third one, to the loop and out of it; then without what has ended
			seq(block, dispatch(3, 3, 0, 1, 1, 2), end, when, branchIf(0), when, branchIf(1), jump(0, 2), when, branchIf(3), when, branchIf(4), end, when, branchIf(0), jump(1, 1), when, branchIf(2), end, trap, end, end),
			seq(block, dispatch(4, 3, 0, 1, 2, 3), end, when, branchIf(1), when, branchIf(2), jump(0, 3), when, branchIf(4), when, branchIf(5), end, end, when, branchIf(0), jump(1, 1), when, branchIf(2), end, trap, end, end)},
		"branches from a block": { // to its end, and further
			seq(dispatch(3, 3, 0, 1, 1, 2), end, block, when, branchIf(0), when, branchIf(1), end, end, end, trap, end),
			seq(dispatch(4, 3, 0, 1, 2, 3), end, block, when, branchIf(0), when, branchIf(2), end, end, end, end, trap, end)},
		"not from the innermost one on": {in: seq(dispatch(3, 3, 1, 1, 2, 2), end, end, end, trap, end)},
		"one left out":                  {in: seq(dispatch(3, 3, 0, 0, 2, 2), end, end, end, trap, end)},
		"back":                          {in: seq(dispatch(3, 4, 0, 1, 1, 0, 2), end, end, end, trap, end)},
		"another table":                 {in: seq(dispatch(3, 3, 0, 1, 1, 2), block, getX, []byte{0xa7, 0x0e, 1, 0, 1}, end, end, end, end, trap, end)},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want = c.in
			}
			check(t, seq(prologue, c.in), seq(prologue, c.want))
		})
	}
}

// push leaves the return address of a call in function 3.
func push(block byte) []byte {
	return seq(lower, getSP, []byte{0x42, 0x80 | block, 0x80, 0x0c}, []byte{0x37, 3, 0, 0x41, 0, 0x10, 7})
}

// shortPush is the same with the function's number in local 2.
func shortPush(block byte) []byte {
	return seq(lower, getSP, []byte{0x20, 2, 0x42, block, 0x84}, []byte{0x37, 3, 0, 0x41, 0, 0x10, 7})
}

func TestReturnAddresses(t *testing.T) {
	number := []byte{0x42, 0x80, 0x80, 0x0c, 0x21, 2} // 3<<16, set to local 2
	far := []byte{0x42, 0xff, 0xff, 0x0f}             // block 65535
	drop := []byte{0x1a}
	for name, c := range map[string]struct{ locals, in, wantLocals, want []byte }{
		"one":                 {[]byte{1, 1, 0x7f}, seq(push(5), drop), []byte{2, 1, 0x7f, 1, 0x7e}, seq(number, shortPush(5), drop)},
		"two":                 {[]byte{1, 1, 0x7f}, seq(push(5), drop, push(6), drop), []byte{2, 1, 0x7f, 1, 0x7e}, seq(number, shortPush(5), drop, shortPush(6), drop)},
		"other locals":        {[]byte{2, 1, 0x7f, 1, 0x7e}, seq(getX, setX, push(5), drop, getX, []byte{0x22, 2}, setX, getSP, drop), []byte{2, 1, 0x7f, 2, 0x7e}, seq(number, []byte{0x20, 3, 0x21, 3}, shortPush(5), drop, []byte{0x20, 3, 0x22, 3, 0x21, 3}, getSP, drop)},
		"of other types":      {[]byte{3, 1, 0x7f, 1, 0x7d, 2, 0x7c}, seq(getX, setX, push(5), drop, []byte{0x20, 4, 0x21, 3}), []byte{4, 1, 0x7f, 1, 0x7e, 1, 0x7d, 2, 0x7c}, seq(number, []byte{0x20, 3, 0x21, 3}, shortPush(5), drop, []byte{0x20, 5, 0x21, 4})},
		"last block":          {[]byte{1, 1, 0x7f}, seq(lower, getSP, far, store), []byte{2, 1, 0x7f, 1, 0x7e}, seq(number, lower, getSP, []byte{0x20, 2, 0x42, 0xff, 0xff, 3, 0x84}, store)},
		"of two functions":    {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, []byte{0x42, 0x80, 0x80, 0x10}, store, push(5), drop)},
		"a small number":      {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, []byte{0x42, 5}, store)},
		"a negative number":   {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, []byte{0x42, 0x80, 0x80, 0x40}, store)},
		"a number of 33 bits": {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, []byte{0x42, 0x80, 0x80, 0x80, 0x80, 0x10}, store)},
		"stored elsewhere":    {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, far, []byte{0x37, 3, 8})},
		"another address":     {locals: []byte{2, 1, 0x7f, 1, 0x7f}, in: seq(lower, getX, far, store)},
		"computed with":       {locals: []byte{1, 1, 0x7f}, in: seq(lower, getSP, far, far, []byte{0x7c}, store)},
		"an argument":         {locals: []byte{1, 1, 0x7f}, in: seq(getSP, far, store)},
		"lowered by a frame":  {locals: []byte{1, 1, 0x7f}, in: seq([]byte{0x20, 1, 0x41, 16, 0x6b, 0x22, 1, 0x24, 0}, getSP, far, store)},
		"argument and call":   {[]byte{1, 1, 0x7f}, seq(getSP, []byte{0x42, 0x80, 0x80, 0x10}, store, push(5), drop), []byte{2, 1, 0x7f, 1, 0x7e}, seq(number, getSP, []byte{0x42, 0x80, 0x80, 0x10}, store, shortPush(5), drop)},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want, c.wantLocals = c.in, c.locals
			}
			got, err := Module(custom(goFunction, c.locals, seq(prologue, c.in)))
			require.NoError(t, err)
			want := custom(goFunction, c.wantLocals, seq(prologue, c.want))
			assert.Equal(t, want, got)
			again, err := Module(got)
			require.NoError(t, err)
			assert.Equal(t, want, again, "nothing is left to do")
		})
	}
}

func check(t *testing.T, in, want []byte) {
	t.Helper()
	m := module(in)
	before := bytes.Clone(m)
	got, err := Module(m)
	require.NoError(t, err)
	assert.Equal(t, module(want), got)
	assert.Equal(t, before, m)
	again, err := Module(got)
	require.NoError(t, err)
	assert.Equal(t, got, again, "nothing is left to do")
}

func TestOtherFunctionsStay(t *testing.T) {
	body := seq(prologue, inFrame(8), load, setX, raise(8), number(0), ret)
	locals := []byte{2, 1, 0x7f, 1, 0x7e}
	short, err := Module(module(body))
	require.NoError(t, err)
	require.Less(t, len(short), len(module(body)))
	for name, m := range map[string][]byte{
		"no parameter":                 custom([]byte{0x60, 0, 1, 0x7f}, locals, body),
		"of an i64":                    custom([]byte{0x60, 1, 0x7e, 1, 0x7f}, locals, body),
		"no result":                    custom([]byte{0x60, 1, 0x7f, 0}, locals, body),
		"no locals":                    custom(goFunction, []byte{0}, body),
		"first local is wider":         custom(goFunction, []byte{2, 1, 0x7e, 1, 0x7f}, body),
		"two of the first":             custom(goFunction, []byte{1, 2, 0x7f}, body),
		"no copy of the stack pointer": module(body[2:]),
		"of another global":            module(seq([]byte{0x23, 1}, body[2:])),
		"to another local":             module(seq([]byte{0x23, 0, 0x21, 2}, body[4:])),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Module(m)
			require.NoError(t, err)
			assert.Equal(t, m, got)
		})
	}
}

func TestMalformedModulesAreErrors(t *testing.T) {
	good := module(prologue)
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"empty":          {nil, "not a WebAssembly 1 module"},
		"HTML":           {[]byte("<!doctype html>"), "not a WebAssembly 1 module"},
		"truncated":      {good[:len(good)-8], "ends early"},
		"unknown opcode": {module(seq(prologue, []byte{0x27})), "function 0: offset 0x9: unknown opcode 0x27"},
		"missing end":    {module(seq(prologue, block)), "function 0: offset 0xc: function has no end"},
		"early end":      {module(seq(prologue, end)), "function ends before its size says"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Module(c.module)
			require.ErrorContains(t, err, "shorten: ")
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// What leans most on how functions are entered, left and unwound: deep stacks that grow, recovery, other
// goroutines, collections while frames are walked. Names and lines in tracebacks stay too.
func TestShortenedProgramBehaves(t *testing.T) {
	m := testkit.Module(t, "../strip/testdata/program/main.go", "-gcflags=all=-l") // as this module is built
	short, err := Module(m)
	require.NoError(t, err)
	// Some of what is written anew is longer, but compresses.
	assert.Less(t, len(short), len(m)*24/25)
	assert.Less(t, deflated(t, short), deflated(t, m)*9/10)
	again, err := Module(short)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(short, again), "nothing is left to do")
	want, code := testkit.RunModule(t, m)
	require.Zero(t, code, want)
	got, code := testkit.RunModule(t, short, "GOGC=1") // a collection at every few allocations reads all stacks
	require.Zero(t, code, got)
	assert.Equal(t, want, got)

	m = testkit.Module(t, "../strip/testdata/fatal/main.go")
	short, err = Module(m)
	require.NoError(t, err)
	want, code = testkit.RunModule(t, m)
	require.Equal(t, 2, code)
	got, code = testkit.RunModule(t, short)
	assert.Equal(t, 2, code)
	frames := func(traceback string) (list []string) { // addresses differ from run to run
		for line := range strings.Lines(traceback) {
			if line, _, _ = strings.Cut(line, " +0x"); !strings.Contains(line, "0x") {
				list = append(list, line)
			}
		}
		return list
	}
	assert.Contains(t, got, "main.main()")
	assert.Equal(t, frames(want), frames(got))
}

// deflated is how many bytes m is compressed.
func deflated(t *testing.T, m []byte) int {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(m)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Len()
}

func FuzzModule(f *testing.F) {
	f.Add(module(blocks(true, seq(getX, []byte{0x50}, jumpIf(3, 2)), seq(call, branchIf(2)), seq(inFrame(8), load, setX, raise(16), raise(8), number(0), ret))))
	f.Add(module(seq(prologue, inFrame(8), inFrame(16), load, store)))
	f.Add(custom([]byte{0x60, 0, 0}, []byte{0}, nil))
	f.Fuzz(func(t *testing.T, m []byte) {
		before := bytes.Clone(m)
		_, _ = Module(m) // errors are fine, panics are not
		require.Equal(t, before, m)
	})
}
