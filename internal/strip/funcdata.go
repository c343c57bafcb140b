package strip

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The funcdata that are kept, of internal/abi.
const (
	argsPointerMaps   = 0
	localsPointerMaps = 1
	stackObjects      = 2
	openCodedDefers   = 4
	wrapInfo          = 7

	stackObjectBytes = 16 // of a runtime.stackObjectRecord
)

// packData writes the data that the functions refer to, such as pointer maps, one behind the other at the beginning of
// region, each once, in the order of the functions. The rest of it, trees of inlined calls above all, it clears.
func packData(list []function, region []byte) error {
	var packed []byte
	offsets := map[string]uint32{}
	for i := range list {
		for kind, d := range list[i].data {
			at := binary.LittleEndian.Uint32(d[:])
			if at == noData {
				continue
			}
			data, align, err := dataAt(region, at, kind)
			if err != nil {
				return fmt.Errorf("strip: function %d: %w", i, err)
			}
			key := string(rune(align)) + string(data)
			to, ok := offsets[key]
			if !ok {
				for len(packed)%align != 0 {
					packed = append(packed, 0)
				}
				to = uint32(len(packed))
				offsets[key] = to
				packed = append(packed, data...)
			}
			binary.LittleEndian.PutUint32(list[i].data[kind][:], to)
		}
	}
	if len(packed) > len(region) {
		return fmt.Errorf("strip: %d bytes of function data do not fit into %d", len(packed), len(region))
	}
	clear(region[copy(region, packed):])
	return nil
}

// dataAt is the function data of a kind that begins there, and how it is aligned.
func dataAt(region []byte, at uint32, kind int) (data []byte, align int, err error) {
	if uint64(at) >= uint64(len(region)) {
		return nil, 0, fmt.Errorf("data of kind %d lie at %d of %d bytes", kind, at, len(region))
	}
	b := region[at:]
	size := uint64(0)
	switch kind {
	case argsPointerMaps, localsPointerMaps: // a runtime.stackmap: how many, of how many bits, the bits of each in whole bytes
		align = 4
		if len(b) >= 8 {
			n, bits := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
			size = 8 + uint64(n)*((uint64(bits)+7)/8)
		}
	case stackObjects: // how many, the records
		align = 8
		if len(b) >= 8 && binary.LittleEndian.Uint64(b) < uint64(len(b)) {
			size = 8 + stackObjectBytes*binary.LittleEndian.Uint64(b)
		}
	case openCodedDefers: // two offsets in the frame
		align = 1
		for range 2 {
			_, n := binary.Uvarint(b[size:])
			if n <= 0 {
				return nil, 0, errors.New("open-coded defers are malformed")
			}
			size += uint64(n)
		}
	case wrapInfo: // a function's number
		align, size = 4, 4
	default:
		return nil, 0, fmt.Errorf("data of kind %d are not known", kind)
	}
	if size == 0 || size > uint64(len(b)) {
		return nil, 0, fmt.Errorf("data of kind %d at %d end behind %d bytes", kind, at, len(region))
	}
	return b[:size], align, nil
}
