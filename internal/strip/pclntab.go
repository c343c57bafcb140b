package strip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// magic starts runtime.pcHeader: abi.Go120PCLnTabMagic, two zeros, the quantum
// of a pc (1) and the size of a pointer (8).
const magic = "\xf1\xff\xff\xff\x00\x00\x01\x08"

// Where the fields of runtime.pcHeader are, in bytes.
const (
	headerFuncs = 8  // nfunc
	headerNames = 32 // funcnameOffset
	headerUnits = 40 // cuOffset
	headerPctab = 56 // pctabOffset
	headerPcln  = 64 // pclnOffset
	headerSize  = 72
)

// packFunctions clears, in a module's memory, each function's tables of files and
// lines, inlined calls, arguments to print and points where no signal may stop
// it (wasm has no signals), the names of files, and those of functions. What the
// garbage collector and the unwinder read stays: stack depths, pointer maps,
// open-coded defers.
//
// What stays is written anew in its place, so that it compresses: the tables and data without gaps, the functions at equal
// distances.
func packFunctions(memory []byte) (header int, m module, err error) {
	at, err := findHeader(memory)
	if err != nil {
		return 0, m, err
	}
	field := func(off int) int { return int(binary.LittleEndian.Uint64(memory[at+off:])) }
	names := memory[at+field(headerNames) : at+field(headerUnits)]
	pctab := memory[at+field(headerPctab) : at+field(headerPcln)]
	pcln := memory[at+field(headerPcln):]
	list, end, err := readFunctions(pcln, field(headerFuncs))
	if err != nil {
		return 0, m, err
	}
	if m, err = findModule(memory, at, len(list)); err != nil {
		return 0, m, err
	}
	if err := dropNames(list, names); err != nil {
		return 0, m, err
	}
	if err := packTables(list, pctab); err != nil {
		return 0, m, err
	}
	if err := packData(list, memory[m.data:m.buckets]); err != nil {
		return 0, m, err
	}
	clear(memory[at+field(headerUnits) : at+field(headerPctab)]) // units of compilation, then files
	return at, m, writeFunctions(list, pcln, end)
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
		return 0, errors.New("strip: the module has no function table as Go 1.27 writes it")
	}
	return found, nil
}

// anyRuntime is the name of all the runtime's functions: it knows its own
// goroutines by the package.
const anyRuntime = "runtime.?"

// dropNames clears all names but those that the runtime reads to decide
// something: what panicwrap takes apart when a wrapper is called through a nil
// pointer, and the two stubs of reflect whose frames are laid out by hand.
func dropNames(list []function, names []byte) error {
	kept := []byte{0} // offset 0 is no name
	offsets := map[string]int{}
	for i := range list {
		f := &list[i]
		s := nameAt(names, f.field(funcName))
		switch {
		case f.head[funcID] == wrapperID && strings.Contains(s, ")"):
		case s == "reflect.makeFuncStub" || s == "reflect.methodValueCall":
		case strings.HasPrefix(s, "runtime."):
			s = anyRuntime
		default:
			s = ""
		}
		if s != "" && offsets[s] == 0 {
			offsets[s] = len(kept)
			kept = append(append(kept, s...), 0)
		}
		binary.LittleEndian.PutUint32(f.head[funcName:], uint32(offsets[s]))
	}
	if len(kept) > len(names) {
		return fmt.Errorf("strip: %d bytes of names do not fit into %d", len(kept), len(names))
	}
	clear(names[copy(names, kept):])
	return nil
}

func nameAt(names []byte, offset uint32) string {
	name := names[min(uint64(offset), uint64(len(names))):]
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return string(name)
}

// packTables writes the tables that the functions refer to one behind the other,
// each once, in the order of the functions.
func packTables(list []function, pctab []byte) error {
	packed := []byte{0} // offset 0 means that there is no table
	offsets := map[string]int{}
	move := func(b []byte) error {
		table, err := tableAt(pctab, binary.LittleEndian.Uint32(b))
		if err != nil || len(table) == 0 {
			return err
		}
		table = toTheEnd(table)
		at, ok := offsets[string(table)]
		if !ok {
			at = len(packed)
			offsets[string(table)] = at
			packed = append(packed, table...)
		}
		binary.LittleEndian.PutUint32(b, uint32(at))
		return nil
	}
	for i := range list {
		if err := move(list[i].head[funcPcsp:]); err != nil {
			return err
		}
		for k := range list[i].pcdata {
			if err := move(list[i].pcdata[k][:]); err != nil {
				return err
			}
		}
	}
	if len(packed) > len(pctab) {
		return fmt.Errorf("strip: %d bytes of tables do not fit into %d", len(packed), len(pctab))
	}
	clear(pctab[copy(pctab, packed):])
	return nil
}

// tableAt is the table at offset: pairs of varints, a change of value and a
// change of pc, up to a change of value that is 0 and not the first.
func tableAt(pctab []byte, offset uint32) ([]byte, error) {
	if offset == 0 {
		return nil, nil
	}
	at := int(offset)
	for first := true; ; first = false {
		if at >= len(pctab) {
			return nil, fmt.Errorf("strip: the table at %d has no end", offset)
		}
		value, n := binary.Uvarint(pctab[at:])
		if n <= 0 {
			return nil, fmt.Errorf("strip: the table at %d is malformed", offset)
		}
		at += n
		if value == 0 && !first {
			return pctab[offset:at], nil
		}
		_, n = binary.Uvarint(pctab[at:])
		if n <= 0 {
			return nil, fmt.Errorf("strip: the table at %d is malformed", offset)
		}
		at += n
	}
}

// toTheEnd is table with a length of its last run that does not tell how long the function is, which nothing reads: so that many
// tables are the same.
func toTheEnd(table []byte) []byte {
	last, rest := 0, table[:len(table)-1] // without the end
	var pcs uint64
	for at := 0; at < len(rest); {
		_, n := binary.Uvarint(rest[at:])
		at += n
		last = at
		pcs, n = binary.Uvarint(rest[at:])
		at += n
	}
	long := uint64(lastRun)
	for long < pcs {
		long = long<<7 | lastRun
	}
	return append(binary.AppendUvarint(append([]byte(nil), rest[:last]...), long), 0)
}

const lastRun = 1<<7 - 1 // the longest that takes a byte
