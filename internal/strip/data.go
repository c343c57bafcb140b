package strip

import (
	"encoding/binary"
	"fmt"
)

const (
	sectionData      = 11
	sectionDataCount = 12

	maxMemory = 64 << 20 // of initialized data: far above what a module here has

	// minGap is the shortest run of zeros that ends a segment. Go's linker ends
	// one at 8 zeros, which makes tens of thousands of segments: less to store,
	// but a tenth more to download, for their headers compress badly.
	minGap = 64
)

// readData lays the segments of a data section out as the memory they set up.
func readData(b []byte) ([]byte, error) {
	r := reader{b: b}
	count := r.uleb()
	var memory []byte
	for i := uint64(0); i < count && r.err == nil; i++ {
		// Mode 0: memory 0, at the address that i32.const (0x41) … end (0x0b) gives.
		r.want(0)
		r.want(0x41)
		at := r.sleb()
		r.want(0x0b)
		data := r.take(r.uleb())
		if r.err != nil {
			break
		}
		end := at + int64(len(data))
		if at < 0 || end > maxMemory {
			return nil, fmt.Errorf("strip: data segment %d at %d has %d bytes: outside the first %d", i, at, len(data), maxMemory)
		}
		if end > int64(len(memory)) {
			memory = append(memory, make([]byte, int(end)-len(memory))...)
		}
		copy(memory[at:], data)
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("strip: %d bytes behind the last data segment", len(r.b))
	}
	return memory, r.err
}

// writeData is the data section that sets memory up.
func writeData(memory []byte) []byte {
	var body []byte
	count := 0
	for at := 0; at < len(memory); {
		if memory[at] == 0 {
			at++
			continue
		}
		end, zeros := at, 0
		for i := at; i < len(memory) && zeros < minGap; i++ {
			if memory[i] == 0 {
				zeros++
			} else {
				zeros, end = 0, i+1
			}
		}
		body = append(body, 0, 0x41)
		body = appendSleb(body, int64(at))
		body = append(body, 0x0b)
		body = binary.AppendUvarint(body, uint64(end-at))
		body = append(body, memory[at:end]...)
		count++
		at = end
	}
	return append(binary.AppendUvarint(nil, uint64(count)), body...)
}

// appendSleb appends v as signed LEB128.
func appendSleb(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// reader takes a data section apart. The first failure sticks in err.
type reader struct {
	b   []byte
	err error
}

func (r *reader) uleb() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) sleb() (v int64) {
	for shift := 0; shift < 63; shift += 7 {
		c := r.take(1)
		if r.err != nil {
			return 0
		}
		v |= int64(c[0]&0x7f) << shift
		if c[0]&0x80 == 0 {
			if c[0]&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.fail()
	return 0
}

func (r *reader) want(c byte) {
	if got := r.take(1); r.err == nil && got[0] != c {
		r.err = fmt.Errorf("strip: data segment has %#x, want %#x: not what Go's linker writes", got[0], c)
	}
}

func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("strip: the data section ends early, %d bytes are left", len(r.b))
	}
	r.b = nil
}
