// Package strip makes a linked Go WebAssembly module smaller without touching
// its code: it takes out the tables that map code to source lines and to the
// names of functions, which only tracebacks read, lays out what is left of them
// so that it compresses, and writes the data section in fewer, larger segments.
//
// Compressed, these tables are a fifth of a module, and Go's linker has no flag
// to leave them out: -s and -w drop symbols and DWARF alone. A stripped program's
// tracebacks have neither names nor lines.
//
// The layout read here is that of runtime.pcHeader, runtime._func and
// runtime.moduledata in Go 1.27. A header that is not as expected and a table that
// cannot be are errors, never guesses.
package strip

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Lines returns module without its line tables. module stays as it is.
func Lines(module []byte) ([]byte, error) {
	if len(module) < 8 || string(module[:4]) != "\x00asm" {
		return nil, errors.New("strip: not a WebAssembly module")
	}
	out := append([]byte(nil), module[:8]...)
	found := false
	for at := 8; at < len(module); {
		id := module[at]
		size, n := binary.Uvarint(module[at+1:])
		body := at + 1 + n
		if n <= 0 || size > uint64(len(module)-body) {
			return nil, fmt.Errorf("strip: offset %#x: section %d ends beyond the module", at, id)
		}
		next := body + int(size)
		content := module[body:next]
		switch id {
		case sectionData:
			memory, err := readData(content)
			if err != nil {
				return nil, err
			}
			if err := dropLines(memory); err != nil {
				return nil, err
			}
			content = writeData(memory)
			found = true
		case sectionDataCount:
			return nil, errors.New("strip: the module counts its data segments, which Go's linker does not do")
		}
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(content)))
		out = append(out, content...)
		at = next
	}
	if !found {
		return nil, errors.New("strip: the module has no data section")
	}
	return out, nil
}
