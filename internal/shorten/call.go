package shorten

import (
	"encoding/binary"

	"github.com/normwasm/normwasm/internal/code"
)

// group is some locals of one type, locals are all that a function declares.
type group struct {
	count uint32
	of    byte
}

type locals []group

func (l locals) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(l)))
	for _, g := range l {
		b = append(binary.AppendUvarint(b, uint64(g.count)), g.of)
	}
	return b
}

// localFunction is the local that keeps the function's number where return addresses have
// it, behind that for the stack pointer, so that it is the same in all functions.
const localFunction = 2

const blockBits = 16 // of a return address; the rest is the function's number

// calls takes the function's number, in the return addresses that f leaves in the stack,
// from a local.
func (f function) calls(l locals) (function, locals) {
	number, found := int64(0), 0
	for i := range f {
		if !f.pushes(i) {
			continue
		}
		n := f[i+1].Value >> blockBits << blockBits
		if found > 0 && n != number {
			return f, l // the runtime also prepares frames of other functions
		}
		number = n
		found++
	}
	if found == 0 {
		return f, l
	}
	out := append(make(function, 0, len(f)+2*found+2), f[0], f[1], long(number), indexed(code.LocalSet, localFunction))
	for i := 2; i < len(f); i++ {
		in := f[i]
		switch {
		case f.pushes(i):
			out = append(out, in, indexed(code.LocalGet, localFunction), long(f[i+1].Value-number), plain(code.I64Or))
			i++
		case (in.Is(code.LocalGet) || in.Is(code.LocalSet) || in.Is(code.LocalTee)) && in.Value >= localFunction:
			out = append(out, indexed(in.Op, int(in.Value)+1))
		default:
			out = append(out, in)
		}
	}
	if len(l) > 1 && l[1].of == i64 {
		return out, append(locals{l[0], {l[1].count + 1, i64}}, l[2:]...)
	}
	return out, append(locals{l[0], {1, i64}}, l[1:]...)
}

// pushes reports whether from i on a return address is stored where the stack pointer points, which was
// lowered for it. (Without that it is a call's first argument.)
func (f function) pushes(i int) bool {
	return i >= 5 && f.match(i-5, code.LocalGet, code.I32Const, code.I32Sub, code.LocalTee, code.GlobalSet, code.LocalGet, code.I64Const, code.I64Store) &&
		f[i-5].Value == localSP && f[i-4].Value == 8 && f[i-2].Value == localSP && f[i-1].Value == stackPointer && f[i].Value == localSP &&
		f[i+1].Value>>blockBits > 0 && f[i+1].Value>>32 == 0 && f[i+2].Offset == 0
}
