package strip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// magic starts runtime.pcHeader: abi.Go120PCLnTabMagic, two zeros, the quantum
// of a pc (1) and the size of a pointer (8).
const magic = "\xf1\xff\xff\xff\x00\x00\x01\x08"

// Where the fields of runtime.pcHeader are, in bytes.
const (
	headerFuncs   = 8  // nfunc
	headerNames   = 32 // funcnameOffset
	headerUnits   = 40 // cuOffset
	headerPctab   = 56 // pctabOffset
	headerPcln    = 64 // pclnOffset
	headerSize    = 72
	funcName      = 4 // of runtime._func
	funcPcsp      = 16
	funcPcfile    = 20
	funcPcln      = 24
	funcNpcdata   = 28
	funcUnit      = 32
	funcStartLine = 36
	funcNfuncdata = 43 // a byte
	funcPcdata    = 44
)

// dropLines clears, in a module's memory, each function's tables of files and
// lines, inlined calls, arguments to print and points where no signal may stop
// it (wasm has no signals), the names of files, and those of functions. What the
// garbage collector and the unwinder read stays: stack depths, pointer maps,
// open-coded defers. So do the names of the runtime's own functions, by which it
// knows its goroutines, and those of methods, which it takes apart when one is
// called through a nil pointer.
func dropLines(memory []byte) error {
	at, err := findHeader(memory)
	if err != nil {
		return err
	}
	field := func(off int) int { return int(binary.LittleEndian.Uint64(memory[at+off:])) }
	names := memory[at+field(headerNames) : at+field(headerUnits)]
	clear(memory[at+field(headerUnits) : at+field(headerPctab)]) // units of compilation, then files
	pctab := memory[at+field(headerPctab) : at+field(headerPcln)]
	pcln := memory[at+field(headerPcln):]
	kept := make([]bool, len(pctab))
	if len(kept) > 0 {
		kept[0] = true // offset 0 means that there is no table
	}
	for i := range field(headerFuncs) {
		entry := int(binary.LittleEndian.Uint32(pcln[8*i+4:])) // functab: pc, offset
		if entry > len(pcln)-funcPcdata {
			return fmt.Errorf("strip: function %d is at %d of %d bytes", i, entry, len(pcln))
		}
		f := pcln[entry:]
		tables := int(binary.LittleEndian.Uint32(f[funcNpcdata:]))
		if tables > (len(f)-funcPcdata)/4 {
			return fmt.Errorf("strip: function %d has %d tables", i, tables)
		}
		name := names[min(uint64(binary.LittleEndian.Uint32(f[funcName:])), uint64(len(names))):]
		if end := bytes.IndexByte(name, 0); end >= 0 && !bytes.ContainsRune(name[:end], ')') && !bytes.HasPrefix(name, []byte("runtime.")) {
			clear(name[:end])
			clear(f[funcName : funcName+4])
		}
		clear(f[funcUnit : funcUnit+4])
		clear(f[funcPcfile : funcPcln+4])
		clear(f[funcStartLine : funcStartLine+4])
		if err := keep(kept, pctab, binary.LittleEndian.Uint32(f[funcPcsp:])); err != nil {
			return err
		}
		for _, k := range []int{0, 2, 3} { // abi.PCDATA_UnsafePoint, InlTreeIndex, ArgLiveIndex
			if k < tables {
				clear(f[funcPcdata+4*k : funcPcdata+4*k+4])
			}
		}
		for _, k := range []int{3, 5, 6} { // abi.FUNCDATA_InlTree, ArgInfo, ArgLiveInfo
			if at := funcPcdata + 4*(tables+k); k < int(f[funcNfuncdata]) && at+4 <= len(f) {
				binary.LittleEndian.PutUint32(f[at:], ^uint32(0)) // there is none
			}
		}
		for k := range tables {
			if err := keep(kept, pctab, binary.LittleEndian.Uint32(f[funcPcdata+4*k:])); err != nil {
				return err
			}
		}
	}
	for i := range pctab {
		if !kept[i] {
			pctab[i] = 0
		}
	}
	return nil
}

// findHeader returns where the one runtime.pcHeader is.
func findHeader(memory []byte) (int, error) {
	found := -1
	for at := 0; at+headerSize <= len(memory); at += 8 {
		if string(memory[at:at+len(magic)]) != magic {
			continue
		}
		offset := func(off int) uint64 { return binary.LittleEndian.Uint64(memory[at+off:]) }
		left := uint64(len(memory) - at)
		ordered := offset(headerNames) == headerSize &&
			offset(headerNames) <= offset(headerUnits) && offset(headerUnits) <= offset(headerPctab) && offset(headerPctab) <= offset(headerPcln) && offset(headerPcln) <= left
		if !ordered || offset(headerFuncs) > (left-offset(headerPcln))/8 {
			continue
		}
		if found >= 0 {
			return 0, errors.New("strip: the module seems to have two function tables")
		}
		found = at
	}
	if found < 0 {
		return 0, errors.New("strip: no function table of Go 1.20 or later: was the module linked by another toolchain?")
	}
	return found, nil
}

// keep marks the table at offset: pairs of varints, a change of value and a
// change of pc, up to a change of value that is 0 and not the first.
func keep(kept []bool, pctab []byte, offset uint32) error {
	if offset == 0 {
		return nil
	}
	at := int(offset)
	for first := true; ; first = false {
		if at >= len(pctab) {
			return fmt.Errorf("strip: the table at %d has no end", offset)
		}
		value, n := binary.Uvarint(pctab[at:])
		if n <= 0 {
			return fmt.Errorf("strip: the table at %d is malformed", offset)
		}
		mark(kept, at, n)
		at += n
		if value == 0 && !first {
			return nil
		}
		_, n = binary.Uvarint(pctab[at:])
		if n <= 0 {
			return fmt.Errorf("strip: the table at %d is malformed", offset)
		}
		mark(kept, at, n)
		at += n
	}
}

func mark(kept []bool, at, n int) {
	for i := at; i < at+n; i++ {
		kept[i] = true
	}
}
