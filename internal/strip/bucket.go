package strip

import (
	"encoding/binary"
	"errors"
)

// Where the fields of runtime.moduledata are, in bytes.
const (
	moduleHeader  = 0   // pcHeader
	moduleNames   = 8   // funcnametab, a slice
	moduleFuncs   = 128 // ftab, a slice
	moduleBuckets = 152 // findfunctab
	moduleFirst   = 160 // minpc
	moduleLast    = 168 // maxpc
	moduleSize    = 176
)

const (
	bucketBytes = 20       // of a runtime.findfuncbucket: an index, then 16 bytes to add to it
	bucketPCs   = 4096     // abi.FuncTabBucketSize
	maxPCs      = 64 << 32 // a function has 65536, however few it needs
)

// findBuckets returns where the table is by which the runtime finds the function of a
// pc, and how many pcs it is for.
func findBuckets(memory []byte, header, funcs int) (table, pcs int, err error) {
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(memory[at:]) }
	pcln := uint64(header) + word(header+headerPcln)
	for at := 0; at+moduleSize <= len(memory); at += 8 {
		if word(at+moduleHeader) != uint64(header) || word(at+moduleNames) != uint64(header)+word(header+headerNames) ||
			word(at+moduleFuncs) != pcln || word(at+moduleFuncs+8) != uint64(funcs)+1 {
			continue
		}
		table, pcs := word(at+moduleBuckets), word(at+moduleLast)-word(at+moduleFirst)
		if table <= pcln || table >= uint64(len(memory)) || pcs > maxPCs || pcs/bucketPCs > (uint64(len(memory))-table)/bucketBytes {
			return 0, 0, errors.New("strip: the table of function indices is not where Go 1.27 has it")
		}
		return int(table), int(pcs), nil
	}
	return 0, 0, errors.New("strip: the module has no runtime.moduledata as Go 1.27 lays it out")
}
