//go:build !train

package bridge

import (
	"encoding/binary"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// Strings cross by slabs: the lengths of all of them in bytes, as uint32, and then their
// bytes one after another, in UTF-8.

// readStrings fills list with the strings of b.
func readStrings(list []string, b []byte, in *graph.Info) error {
	at, end := 4*len(list), len(b)
	if at > end {
		return &Error{BadShape, text.Join("bridge: input ", text.Quote(in.Name), " has ", end, " bytes, too few for ", len(list), " strings")}
	}
	all := string(b) // one allocation for all of them
	for i := range list {
		n := int(binary.LittleEndian.Uint32(b[4*i:]))
		if n > end-at {
			return &Error{BadShape, text.Join("bridge: string ", i, " of input ", text.Quote(in.Name), " has ", n, " bytes, and ", end-at, " are there")}
		}
		list[i] = all[at : at+n]
		at += n
	}
	return nil
}

// readAll fills the inputs that are strings; fed has the slabs' bytes by input.
func (s *session) readAll(list []*ir.Tensor, fed [][]byte) error {
	for i, t := range list {
		if t.Type != ir.String {
			continue
		}
		if err := readStrings(t.Strings, fed[i], &s.inputs[s.slots[i]]); err != nil {
			return err
		}
	}
	return nil
}

// writeStrings puts strings into a slab, which is the caller's.
func (b *Bridge) writeStrings(list []string) ([]byte, Handle, error) {
	n := 4 * len(list)
	for _, s := range list {
		n += len(s)
	}
	h, err := b.Alloc(n)
	if err != nil {
		return nil, 0, err
	}
	bytes, err := b.Bytes(h)
	if err != nil {
		return nil, 0, err
	}
	at := 4 * len(list)
	for i, s := range list {
		binary.LittleEndian.PutUint32(bytes[4*i:], uint32(len(s)))
		at += copy(bytes[at:], s)
	}
	return bytes, h, nil
}
