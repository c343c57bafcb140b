package lift

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/code"
)

// Where Go keeps the stack pointer: in a global, and in each function a copy of it in a local.
const (
	stackPointer = 0
	localSP      = 1
)

// function is the body of a function: the bytes of its locals and instructions, and the instructions without nops,
// which Go's assembler leaves behind opcodes of two bytes.
type function struct {
	bytes []byte
	list  []code.Instruction
}

// readFunction decodes a body, as far as it can.
func readFunction(body []byte) (function, error) {
	f := function{bytes: body}
	d := &code.Decoder{Bytes: body}
	for groups := d.U32(); groups > 0 && d.Err == nil; groups-- {
		d.U32()
		d.Byte()
	}
	if d.Err != nil {
		return f, d.Err
	}
	err := d.Body(len(body), func(in code.Instruction) {
		if !in.Is(code.Nop) {
			f.list = append(f.list, in)
		}
	})
	return f, err
}

// alone checks that the instructions from number first on need nothing but the memory, the stack pointer
// and the function's own locals.
func (f function) alone(first int) error {
	for _, in := range f.list[first:] {
		if why := reaches(in); why != "" {
			return fmt.Errorf("%s, at byte %d of its body", why, in.Start)
		}
	}
	return nil
}

// reaches says what an instruction has to do with that a function in another module does not have; "": nothing.
func reaches(in code.Instruction) string {
	switch op := in.Op; in.Prefix {
	case prefixMisc:
		switch {
		case op == memoryInit, op == dataDrop:
			return "it takes a data segment"
		case op >= firstTable:
			return "it takes a table"
		}
	case 0:
		switch {
		case op == code.Call, op == code.CallIndirect, op == returnCall, op == returnCallIndirect:
			return "it calls a function"
		case (op == code.GlobalGet || op == code.GlobalSet) && in.Value != stackPointer:
			return fmt.Sprintf("it takes global %d", in.Value)
		case op == tableGet, op == tableSet, op >= firstReference:
			return "it takes a table or a reference"
		case op == memoryGrow:
			return "it grows the memory"
		case (op == code.Block || op == code.Loop || op == code.If) && in.Value >= 0:
			return "it has a block whose type is one of the module's"
		}
	}
	return ""
}

const (
	prefixMisc = 0xfc

	returnCall         = 0x12
	returnCallIndirect = 0x13
	tableGet           = 0x25
	tableSet           = 0x26
	memoryGrow         = 0x40
	firstReference     = 0xd0

	memoryInit = 8
	dataDrop   = 9
	firstTable = 12
)

// without is the body without the instructions in front of number first but those that fetch the stack pointer.
func (f function) without(first int) []byte {
	kept := f.list[1].End
	return append(f.bytes[:kept:kept], f.bytes[f.list[first].Start:]...)
}
