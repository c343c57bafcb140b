// Package strip makes a linked Go WebAssembly module smaller. It takes out the
// tables that map code to source lines and to the names of functions, which only
// tracebacks read, lays out what is left of them so that it compresses, and writes
// the data section in fewer, larger segments. Tables that only count up are written by a
// start function, which it adds; no instruction that was there changes.
//
// Compressed, this is a fifth of a module, and Go's linker has no flag to leave
// it out: -s and -w drop symbols and DWARF alone. A stripped program that fails
// says why, with a traceback that names nothing.
//
// The layout read here is that of runtime.pcHeader, runtime._func and
// runtime.moduledata in Go 1.27. A module that another release has linked, a
// header that is not as expected and a table that cannot be are errors, never
// guesses.
package strip

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// section is a part of a module.
type section struct {
	id      byte
	content []byte
}

// Module returns module stripped. module stays as it is.
func Module(module []byte) ([]byte, error) {
	sections, err := split(module)
	if err != nil {
		return nil, err
	}
	if err := checkRelease(sections); err != nil {
		return nil, err
	}
	var data *section
	for i := range sections {
		switch sections[i].id {
		case sectionData:
			data = &sections[i]
		case sectionDataCount:
			return nil, errors.New("strip: the module counts its data segments, which Go's linker does not do")
		}
	}
	if data == nil {
		return nil, errors.New("strip: the module has no data section")
	}
	memory, err := readData(data.content)
	if err != nil {
		return nil, err
	}
	header, m, err := packFunctions(memory)
	if err != nil {
		return nil, err
	}
	tables, err := clearSeries(memory, header, m)
	if err != nil {
		return nil, err
	}
	data.content = writeData(memory)
	if sections, err = addStart(sections, tables.body()); err != nil {
		return nil, err
	}
	out := append([]byte(nil), module[:8]...)
	for _, s := range sections {
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(s.content)))
		out = append(out, s.content...)
	}
	return out, nil
}

// split takes a module apart.
func split(module []byte) (sections []section, err error) {
	if len(module) < 8 || string(module[:4]) != "\x00asm" {
		return nil, errors.New("strip: not a WebAssembly module")
	}
	for at := 8; at < len(module); {
		id := module[at]
		size, n := binary.Uvarint(module[at+1:])
		body := at + 1 + n
		if n <= 0 || size > uint64(len(module)-body) {
			return nil, fmt.Errorf("strip: offset %#x: section %d ends beyond the module", at, id)
		}
		at = body + int(size)
		sections = append(sections, section{id, module[body:at]})
	}
	return sections, nil
}
