package relax

// Opcodes that the walk needs by name; the rest is told by range below.
// Numbers: WebAssembly Core Specification 3.0, appendix "Index of Instructions".
const (
	opNop      = 0x01
	opBlock    = 0x02
	opLoop     = 0x03
	opIf       = 0x04
	opEnd      = 0x0b
	opBrTable  = 0x0e
	opLocalGet = 0x20

	prefixMisc = 0xfc
	prefixSIMD = 0xfd
)

// immediates skips what follows the opcode of in.
func (d *decoder) immediates(in instruction) {
	switch in.prefix {
	case prefixMisc:
		d.misc(in)
	case prefixSIMD:
		d.simd(in)
	default:
		d.plain(in)
	}
}

func (d *decoder) unknown(in instruction) {
	if in.prefix != 0 {
		d.fail(in.start, "unknown opcode %#x %#x", in.prefix, in.op)
		return
	}
	d.fail(in.start, "unknown opcode %#x", in.op)
}

func (d *decoder) plain(in instruction) {
	switch op := in.op; {
	case op == opBlock, op == opLoop, op == opIf:
		d.sleb(33) // 0x40, a value type or a type index
	case op <= opNop, op == 0x05, op == opEnd, op == 0x0f: // unreachable, nop, else, end, return
	case op == 0x0c, op == 0x0d, op == 0x10: // br, br_if, call
		d.u32()
	case op == opBrTable:
		for n := d.u32(); n > 0 && d.err == nil; n-- {
			d.u32()
		}
		d.u32()
	case op == 0x11: // call_indirect type, table
		d.u32()
		d.u32()
	case op == 0x1a, op == 0x1b: // drop, select
	case op == 0x1c: // select with types
		for n := d.u32(); n > 0 && d.err == nil; n-- {
			d.byte()
		}
	case op >= opLocalGet && op <= 0x26: // locals, globals, tables
		d.u32()
	case op >= 0x28 && op <= 0x3e: // loads and stores
		d.memarg()
	case op == 0x3f, op == 0x40: // memory.size, memory.grow
		d.u32()
	case op == 0x41:
		d.sleb(32)
	case op == 0x42:
		d.sleb(64)
	case op == 0x43:
		d.skip(4)
	case op == 0x44:
		d.skip(8)
	case op >= 0x45 && op <= 0xc4: // comparison, arithmetic, conversion, sign extension
	case op == 0xd0: // ref.null heap type
		d.sleb(33)
	case op == 0xd1: // ref.is_null
	case op == 0xd2: // ref.func
		d.u32()
	default:
		d.unknown(in)
	}
}

func (d *decoder) misc(in instruction) {
	switch op := in.op; {
	case op <= 7: // saturating truncations
	case op == 8, op == 10, op == 12, op == 14: // memory.init, memory.copy, table.init, table.copy
		d.u32()
		d.u32()
	case op <= 17: // data.drop, memory.fill, elem.drop, table.grow, table.size, table.fill
		d.u32()
	default:
		d.unknown(in)
	}
}

func (d *decoder) simd(in instruction) {
	switch op := in.op; {
	case op <= 11, op == 92, op == 93: // whole loads and stores, v128.load32_zero, v128.load64_zero
		d.memarg()
	case op == 12, op == 13: // v128.const, i8x16.shuffle
		d.skip(16)
	case op >= 21 && op <= 34: // extract_lane, replace_lane
		d.byte()
	case op >= 84 && op <= 91: // loads and stores of one lane
		d.memarg()
		d.byte()
	case reserved[op]:
		d.unknown(in)
	case op <= 0x113: // the rest of SIMD and, from 0x100 on, of relaxed SIMD
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

// memarg skips alignment, memory index where bit 6 announces one, and offset.
func (d *decoder) memarg() {
	if align := d.u32(); align&0x40 != 0 {
		d.u32()
	}
	d.uleb(64)
}
