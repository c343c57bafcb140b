package code

// Opcodes by name; the walk tells the rest by range below.
// Numbers: WebAssembly Core Specification 3.0, appendix "Index of Instructions".
const (
	Nop          = 0x01
	Block        = 0x02
	Loop         = 0x03
	If           = 0x04
	End          = 0x0b
	Br           = 0x0c
	BrIf         = 0x0d
	BrTable      = 0x0e
	Return       = 0x0f
	Call         = 0x10
	CallIndirect = 0x11
	LocalGet     = 0x20
	LocalSet     = 0x21
	LocalTee     = 0x22
	GlobalGet    = 0x23
	GlobalSet    = 0x24
	I64Store     = 0x37
	I32Const     = 0x41
	I64Const     = 0x42
	I32Add       = 0x6a
	I32Sub       = 0x6b
	I64Add       = 0x7c
	I64Or        = 0x84
	I32WrapI64   = 0xa7
	I64ExtendU   = 0xad

	firstLoad, firstStore, lastStore = 0x28, 0x36, 0x3e

	prefixMisc   = 0xfc
	prefixSIMD   = 0xfd
	prefixAtomic = 0xfe
)

// immediates reads what follows the opcode of in.
func (d *Decoder) immediates(in *Instruction) {
	switch in.Prefix {
	case prefixMisc:
		d.misc(in)
	case prefixSIMD:
		d.simd(in)
	case prefixAtomic:
		d.atomic(in)
	default:
		d.plain(in)
	}
}

func (d *Decoder) unknown(in *Instruction) {
	if in.Prefix != 0 {
		d.fail(in.Start, "unknown opcode %#x %#x", in.Prefix, in.Op)
		return
	}
	d.fail(in.Start, "unknown opcode %#x", in.Op)
}

func (d *Decoder) plain(in *Instruction) {
	switch op := in.Op; {
	case op == Block, op == Loop, op == If:
		in.Value = d.sleb(33) // 0x40, a value type or a type index
	case op <= Nop, op == 0x05, op == End, op == Return: // and unreachable, nop, else, end
	case op == Br, op == BrIf, op == Call, op == 0x12: // and return_call
		in.Value = int64(d.U32())
	case op == BrTable:
		for n := d.U32(); n > 0 && d.Err == nil; n-- {
			in.Labels = append(in.Labels, d.U32())
		}
		in.Labels = append(in.Labels, d.U32())
	case op == CallIndirect, op == 0x13: // type, table; and the call in place of a return
		d.U32()
		d.U32()
	case op == 0x1a, op == 0x1b: // drop, select
	case op == 0x1c: // select with types
		for n := d.U32(); n > 0 && d.Err == nil; n-- {
			d.Byte()
		}
	case op >= LocalGet && op <= 0x26: // locals, globals, tables
		in.Value = int64(d.U32())
	case op >= firstLoad && op <= lastStore:
		d.memarg(in)
	case op == 0x3f, op == 0x40: // memory.size, memory.grow
		d.U32()
	case op == I32Const:
		in.Value = d.sleb(32)
	case op == I64Const:
		in.Value = d.sleb(64)
	case op == 0x43:
		d.Skip(4)
	case op == 0x44:
		d.Skip(8)
	case op >= 0x45 && op <= 0xc4: // comparison, arithmetic, conversion, sign extension
	case op == 0xd0: // ref.null heap type
		d.sleb(33)
	case op == 0xd1: // ref.is_null
	case op == 0xd2: // ref.func
		d.U32()
	default:
		d.unknown(in)
	}
}

func (d *Decoder) misc(in *Instruction) {
	switch op := in.Op; {
	case op <= 7: // saturating truncations
	case op == 8, op == 10, op == 12, op == 14: // memory.init, memory.copy, table.init, table.copy
		d.U32()
		d.U32()
	case op <= 17: // data.drop, memory.fill, elem.drop, table.grow, table.size, table.fill
		d.U32()
	default:
		d.unknown(in)
	}
}

func (d *Decoder) simd(in *Instruction) {
	switch op := in.Op; {
	case op <= 11, op == 92, op == 93: // whole loads and stores, v128.load32_zero, v128.load64_zero
		d.memarg(in)
	case op == 12, op == 13: // v128.const, i8x16.shuffle
		d.Skip(16)
	case op >= 21 && op <= 34: // extract_lane, replace_lane
		d.Byte()
	case op >= 84 && op <= 91: // loads and stores of one lane
		d.memarg(in)
		d.Byte()
	case reserved[op]:
		d.unknown(in)
	case op <= 0x113: // the rest of SIMD and, from 0x100 on, of relaxed SIMD
	default:
		d.unknown(in)
	}
}

func (d *Decoder) atomic(in *Instruction) {
	switch op := in.Op; {
	case op <= 2, op >= 0x10 && op <= 0x4e: // notify and wait; loads, stores, read-modify-write
		d.memarg(in)
	case op == 3: // fence
		d.Byte()
	default:
		d.unknown(in)
	}
}

// reserved are the holes in the SIMD numbering.
var reserved = map[uint32]bool{
	0x9a: true, 0xa2: true, 0xa5: true, 0xa6: true, 0xaf: true, 0xb0: true, 0xb2: true, 0xb3: true,
	0xb4: true, 0xbb: true, 0xc2: true, 0xc5: true, 0xc6: true, 0xcf: true, 0xd0: true, 0xd2: true,
	0xd3: true, 0xd4: true, 0xe2: true, 0xee: true,
}

// memarg reads alignment, memory index where bit 6 announces one, and offset.
func (d *Decoder) memarg(in *Instruction) {
	align := d.U32()
	if align&0x40 != 0 {
		d.U32()
	}
	in.Value, in.Offset = int64(align), d.uleb(64)
}

// Effect is how many values in takes from the stack, and how many it leaves there. It is
// known for numbers, locals, globals and memory; not for what branches or calls, and for SIMD.
func (in Instruction) Effect() (takes, leaves int, known bool) {
	op := in.Op
	if in.Prefix == prefixMisc {
		return 1, 1, op <= 7 // saturating truncations
	}
	between := func(first, last uint32) bool { return op >= first && op <= last }
	switch {
	case in.Prefix != 0:
		return 0, 0, false
	case op == LocalGet, op == GlobalGet, between(I32Const, 0x44): // constants
		return 0, 1, true
	case op == LocalSet, op == GlobalSet, op == 0x1a: // drop
		return 1, 0, true
	case op == 0x1b: // select
		return 3, 1, true
	case in.Stores():
		return 2, 0, true
	case op == LocalTee, in.Loads(), op == 0x45, op == 0x50, // eqz
		between(0x67, 0x69), between(0x79, 0x7b), between(0x8b, 0x91), between(0x99, 0x9f), // of one operand: i32, i64, f32, f64
		between(I32WrapI64, 0xc4): // conversions
		return 1, 1, true
	case between(0x46, 0xa6): // comparisons and arithmetic of two
		return 2, 1, true
	}
	return 0, 0, false
}

// Loads reports whether in loads a number from memory.
func (in Instruction) Loads() bool { return in.Prefix == 0 && in.Op >= firstLoad && in.Op < firstStore }

// Stores reports whether in stores a number in memory.
func (in Instruction) Stores() bool {
	return in.Prefix == 0 && in.Op >= firstStore && in.Op <= lastStore
}
