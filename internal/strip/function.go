package strip

import (
	"encoding/binary"
	"fmt"
)

// Where the fields of runtime._func are, in bytes. In front of them is entryOff; behind
// them are npcdata offsets of tables, then nfuncdata offsets of data (^0: none).
const (
	funcName      = 4
	funcPcsp      = 16
	funcPcfile    = 20
	funcPcln      = 24
	funcNpcdata   = 28
	funcUnit      = 32
	funcStartLine = 36
	funcID        = 40 // a byte
	funcNfuncdata = 43 // a byte
	funcHead      = 44
)

const (
	wrapperID = 23 // abi.FuncIDWrapper: a method called through a pointer or an interface

	stackMapIndex = 1 // abi.PCDATA_StackMapIndex
	panicBounds   = 4 // abi.PCDATA_PanicBounds

	localData = 3 // arguments' and locals' pointer maps, and stack objects, which most functions have
	noData    = ^uint32(0)

	// stride holds a function with the usual tables.
	stride = 64
)

// dropped are the funcdata that only tracebacks read: abi.FUNCDATA_InlTree,
// ArgInfo and ArgLiveInfo.
var dropped = map[int]bool{3: true, 5: true, 6: true}

// function is a runtime._func.
type function struct {
	head   [funcHead]byte
	pcdata [][4]byte
	data   [][4]byte
}

func (f *function) field(off int) uint32 { return binary.LittleEndian.Uint32(f.head[off:]) }

// readFunctions reads the functions of a table, without what is dropped, and
// says where the last one ends.
func readFunctions(pcln []byte, count int) (list []function, end int, err error) {
	list, end = make([]function, count), 8*count+4
	for i := range list {
		f := &list[i]
		at := int(binary.LittleEndian.Uint32(pcln[8*i+4:])) // functab: pc, offset
		if at < 8*count+4 || at > len(pcln)-funcHead {
			return nil, 0, fmt.Errorf("strip: function %d is at %d of %d bytes", i, at, len(pcln))
		}
		rest := pcln[at+copy(f.head[:], pcln[at:]):]
		tables, data := int(f.field(funcNpcdata)), int(f.head[funcNfuncdata])
		if tables > len(rest)/4 || tables+data > len(rest)/4 {
			return nil, 0, fmt.Errorf("strip: function %d has %d tables", i, tables)
		}
		end = max(end, at+funcHead+4*(tables+data))
		f.pcdata = make([][4]byte, stackMapIndex+1)
		for k := range tables {
			switch {
			case k == stackMapIndex:
				copy(f.pcdata[k][:], rest[4*k:])
			case k >= panicBounds:
				return nil, 0, fmt.Errorf("strip: function %d has a table of kind %d", i, k)
			}
		}
		for k := range max(data, localData) {
			var d [4]byte
			binary.LittleEndian.PutUint32(d[:], noData)
			if k < data && !dropped[k] {
				copy(d[:], rest[4*(tables+k):])
			}
			f.data = append(f.data, d)
		}
		for n := len(f.data); n > localData && binary.LittleEndian.Uint32(f.data[n-1][:]) == noData; n-- {
			f.data = f.data[:n-1]
		}
		for _, off := range []int{funcPcfile, funcPcln, funcUnit, funcStartLine} {
			clear(f.head[off : off+4])
		}
		binary.LittleEndian.PutUint32(f.head[funcNpcdata:], uint32(len(f.pcdata)))
		f.head[funcNfuncdata] = byte(len(f.data))
	}
	return list, end, nil
}

// writeFunctions puts the functions at equal distances where they were, between the
// table of their offsets and end; the few that need more room lie behind all others.
func writeFunctions(list []function, pcln []byte, end int) error {
	first := (functabEntry*len(list) + 4 + stride - 1) / stride * stride // functab, and the pc behind the last function
	at := make([]int, len(list))
	next := first + stride*len(list)
	for i := range list {
		at[i] = first + stride*i
		if size := list[i].size(); size > stride {
			at[i] = next
			next += size
		}
	}
	if next > end {
		return fmt.Errorf("strip: %d functions do not fit into %d bytes", len(list), end)
	}
	clear(pcln[functabEntry*len(list)+4 : end])
	for i := range list {
		f := &list[i]
		binary.LittleEndian.PutUint32(pcln[functabEntry*i+4:], uint32(at[i]))
		b := append(pcln[:at[i]], f.head[:]...)
		for _, w := range f.pcdata {
			b = append(b, w[:]...)
		}
		for _, w := range f.data {
			b = append(b, w[:]...)
		}
	}
	return nil
}

func (f *function) size() int { return funcHead + 4*(len(f.pcdata)+len(f.data)) }
