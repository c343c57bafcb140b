package strip

import (
	"encoding/binary"
	"errors"
)

const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionStart    = 8
	sectionCode     = 10

	functabEntry = 8 // bytes of runtime.functab: the function's number, its offset

	// A function has 65536 pcs, however few it needs.
	functionBuckets = 1 << functionShift
	functionShift   = 4
)

// series are the tables that follow from how many functions there are: the number of
// each, where it lies, and by which pc the runtime finds it. They are cleared, and
// written when the module starts: that takes no time and less to download, for bytes
// that count up do not compress.
type series struct {
	table, count int      // runtime.functab, and its functions
	first, at    int      // the first function's number, and its offset in the table
	buckets      int      // runtime.findfunctab
	indices      int      // and its length
	apart        [][2]int // functions that lie elsewhere: where the table has their offset, and the offset
}

// clearSeries clears the tables in memory, of which header is the runtime.pcHeader.
func clearSeries(memory []byte, header int, m module) (series, error) {
	word := func(at int) int { return int(binary.LittleEndian.Uint64(memory[at:])) }
	half := func(at int) int { return int(binary.LittleEndian.Uint32(memory[at:])) }
	s := series{table: header + word(header+headerPcln), count: word(header + headerFuncs)}
	s.first, s.at = half(s.table), (functabEntry*s.count+4+stride-1)/stride*stride
	s.buckets = m.buckets
	for i := range s.count {
		entry := s.table + functabEntry*i
		at := half(entry + 4)
		if half(entry) != s.first+i || half(s.table+at) != half(entry) {
			return s, errors.New("strip: the functions are not numbered one after the other")
		}
		if at != s.at+stride*i {
			s.apart = append(s.apart, [2]int{entry + 4, at})
		}
	}
	s.indices = m.pcs / bucketPCs // the last one, which is cut off, stays
	for i := range s.indices {
		b := s.buckets + bucketBytes*i
		if half(b) != i/functionBuckets || word(b+4) != 0 || word(b+12) != 0 {
			return s, errors.New("strip: the table of function indices does not count up")
		}
	}
	for i := range s.count {
		clear(memory[s.table+s.at+stride*i:][:4]) // where it lies apart, nothing is there
	}
	clear(memory[s.table:][:functabEntry*s.count])
	clear(memory[s.buckets:][:bucketBytes*s.indices])
	return s, nil
}

// body is the function, of no arguments, that writes the tables.
func (s *series) body() []byte {
	const (
		blockVoid = 0x40
		at, n, f  = 0, 1, 2 // locals: in the table, and what is written there
	)
	var b []byte
	op := func(bytes ...byte) { b = append(b, bytes...) }
	constant := func(v int) { op(0x41); b = appendSleb(b, int64(int32(v))) }
	store := func(offset int) { op(0x36, 2); b = binary.AppendUvarint(b, uint64(offset)) }
	set := func(local byte, v int) { constant(v); op(0x21, local) }
	add := func(local byte, v int) { op(0x20, local); constant(v); op(0x6a, 0x21, local) }
	again := func(local byte, end int) { op(0x20, local); constant(end); op(0x47, 0x0d, 0, 0x0b) } // while it is not end

	op(1, 3, 0x7f) // three locals of type i32
	set(at, s.table)
	set(n, s.first)
	set(f, s.at)
	op(0x03, blockVoid)
	op(0x20, at, 0x20, n)
	store(0)
	op(0x20, at, 0x20, f)
	store(4)
	op(0x20, f, 0x20, n)
	store(s.table)
	add(at, functabEntry)
	add(n, 1)
	add(f, stride)
	again(at, s.table+functabEntry*s.count)
	for _, f := range s.apart {
		constant(f[0])
		constant(f[1])
		store(0)
	}

	set(at, s.buckets)
	set(f, 0)
	op(0x03, blockVoid)
	op(0x20, at, 0x20, f)
	constant(functionShift)
	op(0x76) // i32.shr_u
	store(0)
	add(at, bucketBytes)
	add(f, 1)
	again(f, s.indices)
	op(0x0b)
	return b
}

// addStart adds a function to a module that is called when it is instantiated.
func addStart(sections []section, body []byte) ([]section, error) {
	var imports, functions, types uint64
	var out []section
	started := false
	for _, s := range sections {
		r := reader{b: s.content}
		switch s.id {
		case sectionStart:
			return nil, errors.New("strip: the module has a start function")
		case sectionType:
			types = r.uleb()
			s.content = append(append(binary.AppendUvarint(nil, types+1), r.b...), 0x60, 0, 0) // no arguments, no results
		case sectionImport:
			for n := r.uleb(); n > 0 && r.err == nil; n-- {
				r.take(r.uleb())
				r.take(r.uleb())
				r.want(0) // Go's linker imports functions only
				r.uleb()
				imports++
			}
		case sectionFunction:
			functions = r.uleb()
			s.content = append(binary.AppendUvarint(nil, functions+1), r.b...)
			s.content = binary.AppendUvarint(s.content, types)
		case sectionCode:
			if r.uleb() != functions {
				return nil, errors.New("strip: not all functions have code")
			}
			s.content = append(binary.AppendUvarint(nil, functions+1), r.b...)
			s.content = append(binary.AppendUvarint(s.content, uint64(len(body))), body...)
		}
		if r.err != nil {
			return nil, r.err
		}
		if s.id > sectionStart && !started { // it goes before the elements
			out = append(out, section{sectionStart, binary.AppendUvarint(nil, imports+functions)})
			started = true
		}
		out = append(out, s)
	}
	return out, nil
}
