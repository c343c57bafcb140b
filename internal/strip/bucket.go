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
	moduleData    = 344 // gofunc
	moduleSize    = 352
)

const (
	bucketBytes = 20       // of a runtime.findfuncbucket: an index, then 16 bytes to add to it
	bucketPCs   = 4096     // abi.FuncTabBucketSize
	maxPCs      = 64 << 32 // a function has 65536, however few it needs
)

// module is what runtime.moduledata says of tables: where that is by which the runtime finds the function of a pc, how many pcs
// it is for, and where the data are that functions refer to.
type module struct{ buckets, pcs, data int }

// findModule reads the runtime.moduledata of the runtime.pcHeader at header, of so many functions.
func findModule(memory []byte, header, funcs int) (module, error) {
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(memory[at:]) }
	pcln := uint64(header) + word(header+headerPcln)
	for at := 0; at+moduleSize <= len(memory); at += 8 {
		if word(at+moduleHeader) != uint64(header) || word(at+moduleNames) != uint64(header)+word(header+headerNames) ||
			word(at+moduleFuncs) != pcln || word(at+moduleFuncs+8) != uint64(funcs)+1 {
			continue
		}
		table, data, pcs := word(at+moduleBuckets), word(at+moduleData), word(at+moduleLast)-word(at+moduleFirst)
		switch {
		case table <= pcln || table >= uint64(len(memory)) || pcs > maxPCs || pcs/bucketPCs > (uint64(len(memory))-table)/bucketBytes:
			return module{}, errors.New("strip: the table of function indices is not where Go 1.27 has it")
		case data <= pcln || data > table:
			return module{}, errors.New("strip: the functions' data are not where Go 1.27 has them")
		}
		return module{int(table), int(pcs), int(data)}, nil
	}
	return module{}, errors.New("strip: the module has no runtime.moduledata as Go 1.27 lays it out")
}
