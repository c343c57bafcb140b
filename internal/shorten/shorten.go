// Package shorten writes the code of a linked Go WebAssembly module anew: less to
// download, and less to do.
//
// Go's compiler writes WebAssembly as it would write for a processor, and in one pass.
// Six of its habits cost much and tell nothing:
//
//   - An address in the stack's frame is computed (extend the stack pointer, add, wrap),
//     also where the load or store could add the offset itself.
//   - A jump sets a local to the number of the block to go on with and goes back to a loop
//     around the whole function, where a br_table goes on to that block. Where the block
//     is further down, a branch can go there itself.
//   - A return frees the frame and the return address in two steps.
//   - Behind each call, a branch leaves the function if the goroutine is to be switched. Its
//     depth is another one in each block; to return there is longer, but the same bytes
//     everywhere, which compress.
//   - The return address that a call leaves in the stack begins with the function's number, so
//     that calls in one function have few bytes in common with those in others. A local
//     keeps that number.
//   - Several numbers in a row lead to one block, others in each function, so that no two br_tables are
//     alike. With a block for each number all of them count up, longer but the same bytes everywhere.
//
// What a function does is the same afterwards, instruction by instruction, and so is how
// the runtime enters and unwinds it: return addresses, frames and where each number leads stay. Only
// functions that follow the calling convention of Go are touched; nothing is told by a
// function's name.
package shorten

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/normwasm/normwasm/internal/code"
)

const (
	sectionType     = 1
	sectionFunction = 3
	sectionCode     = 10

	i32, i64 = 0x7f, 0x7e
)

// goFunction is the type of functions that follow Go's calling convention: from the number
// of the block to begin with to whether the stack is being unwound.
var goFunction = []byte{0x60, 1, i32, 1, i32}

// Module returns module with shorter code. module stays as it is.
func Module(module []byte) ([]byte, error) {
	out, err := rewrite(module)
	if err != nil {
		return nil, fmt.Errorf("shorten: %w", err)
	}
	return out, nil
}

func rewrite(module []byte) ([]byte, error) {
	const header = "\x00asm\x01\x00\x00\x00"
	if !bytes.HasPrefix(module, []byte(header)) {
		return nil, errors.New("not a WebAssembly 1 module")
	}
	out := []byte(header)
	var plain map[uint32]bool // the types that are goFunction
	var types []uint32        // of each function
	d := &code.Decoder{Bytes: module, Pos: len(header)}
	for d.Err == nil && d.Pos < len(module) {
		id := d.Byte()
		size := int(d.U32())
		at := d.Pos
		d.Skip(size)
		if d.Err != nil {
			break
		}
		content := module[at:d.Pos]
		var err error
		switch id {
		case sectionType:
			plain, err = readTypes(content)
		case sectionFunction:
			types, err = readNumbers(content)
		case sectionCode:
			content, err = rewriteCode(content, func(i int) bool { return i < len(types) && plain[types[i]] })
		}
		if err != nil {
			return nil, err
		}
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(content)))
		out = append(out, content...)
	}
	return out, d.Err
}

// readTypes returns which types are goFunction.
func readTypes(content []byte) (map[uint32]bool, error) {
	d := &code.Decoder{Bytes: content}
	plain := map[uint32]bool{}
	for i, n := uint32(0), d.U32(); i < n && d.Err == nil; i++ {
		at := d.Pos
		d.Byte()
		d.Skip(int(d.U32())) // Go's linker writes types of numbers, a byte each
		d.Skip(int(d.U32()))
		plain[i] = bytes.Equal(content[at:d.Pos], goFunction)
	}
	return plain, d.Err
}

func readNumbers(content []byte) (list []uint32, err error) {
	d := &code.Decoder{Bytes: content}
	for n := d.U32(); n > 0 && d.Err == nil; n-- {
		list = append(list, d.U32())
	}
	return list, d.Err
}

func rewriteCode(content []byte, follows func(function int) bool) ([]byte, error) {
	d := &code.Decoder{Bytes: content}
	count := d.U32()
	out := binary.AppendUvarint(nil, uint64(count))
	for i := 0; i < int(count) && d.Err == nil; i++ {
		size := int(d.U32())
		at := d.Pos
		d.Skip(size)
		if d.Err != nil {
			break
		}
		body := content[at:d.Pos]
		if follows(i) {
			var err error
			if body, err = rewriteFunction(body); err != nil {
				return nil, fmt.Errorf("function %d: %w", i, err)
			}
		}
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out, d.Err
}

// rewriteFunction returns the shorter body of a function, of its locals and instructions.
func rewriteFunction(body []byte) ([]byte, error) {
	d := &code.Decoder{Bytes: body}
	var l locals
	for groups := d.U32(); groups > 0 && d.Err == nil; groups-- {
		l = append(l, group{d.U32(), d.Byte()})
	}
	var f function
	if err := d.Body(len(body), func(in code.Instruction) {
		f = append(f, instruction{Instruction: in, bytes: body[in.Start:in.End]})
	}); err != nil {
		return nil, err
	}
	if len(l) == 0 || l[0] != (group{1, i32}) || len(f) < 3 || !f[0].is(code.GlobalGet, stackPointer) || !f[1].is(code.LocalSet, localSP) {
		return body, nil
	}
	f, l = f.jumps().returns().oneToOne().frame().calls(l)
	out := l.bytes()
	for _, in := range f {
		out = append(out, in.bytes...)
	}
	return out, nil
}
