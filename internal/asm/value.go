package asm

import (
	"fmt"
	"math"
	"strings"
)

// Value is a register or an expression of any type.
type Value interface{ stack() []string }

type expr struct {
	f    *Func
	code []string
	reg  string // the register's name when the expression is one
}

func (e expr) stack() []string { return e.code }

func (e expr) set(v expr) {
	if e.reg == "" {
		panic("asm: Set on an expression")
	}
	e.f.lines(v.code)
	e.f.line("Set " + e.reg)
}

// then is e's code followed by others' and one more instruction.
func (e expr) then(op string, others ...expr) expr {
	code := append([]string(nil), e.code...)
	f := e.f
	for _, o := range others {
		code = append(code, o.code...)
		if f == nil {
			f = o.f
		}
	}
	return expr{f: f, code: append(code, op)}
}

func (f *Func) reg(c class, name string) expr {
	r := f.register(c, name)
	return expr{f: f, code: []string{"Get " + r}, reg: r}
}

func (f *Func) immediate(code ...string) expr { return expr{f: f, code: code} }

type (
	// Int is a 64-bit integer.
	Int struct{ expr }
	// Ptr is an address. Go keeps it in 64 bits; each access wraps it to the 32
	// of the memory, one register move a pointer and loop trip in V8.
	Ptr struct{ expr }
	// Bool is an i32 that is 0 or not: what comparisons give and If takes.
	Bool struct{ expr }
	// F32 is a float32.
	F32 struct{ expr }
	// F64 is a float64.
	F64 struct{ expr }
)

// NewInt takes a register.
func (f *Func) NewInt(name string) Int { return Int{f.reg(classInt, name)} }

// NewPtr takes a register.
func (f *Func) NewPtr(name string) Ptr { return Ptr{f.reg(classInt, name)} }

// NewPtrs is NewPtr for several.
func (f *Func) NewPtrs(name string, n int) []Ptr {
	list := make([]Ptr, n)
	for i := range list {
		list[i] = f.NewPtr(name)
	}
	return list
}

// NewF32 takes a register.
func (f *Func) NewF32(name string) F32 { return F32{f.reg(classF32, name)} }

// NewF64 takes a register.
func (f *Func) NewF64(name string) F64 { return F64{f.reg(classF64, name)} }

// Int loads an argument into a register of its own.
func (f *Func) Int(name string) Int {
	r := f.NewInt(name)
	r.Set(f.ArgInt(name))
	return r
}

// Ptr loads an argument into a register of its own.
func (f *Func) Ptr(name string) Ptr {
	r := f.NewPtr(name)
	r.Set(f.ArgPtr(name))
	return r
}

// F32 loads an argument into a register of its own.
func (f *Func) F32(name string) F32 {
	r := f.NewF32(name)
	r.Set(f.ArgF32(name))
	return r
}

// F64 loads an argument into a register of its own.
func (f *Func) F64(name string) F64 {
	r := f.NewF64(name)
	r.Set(f.ArgF64(name))
	return r
}

// ArgInt is an argument, loaded from the frame at each use.
func (f *Func) ArgInt(name string) Int { return Int{f.immediate(f.param(name, classInt)...)} }

// ArgPtr is an argument, loaded from the frame at each use.
func (f *Func) ArgPtr(name string) Ptr { return Ptr{f.immediate(f.param(name, classInt)...)} }

// ArgF32 is an argument, loaded from the frame at each use.
func (f *Func) ArgF32(name string) F32 { return F32{f.immediate(f.param(name, classF32)...)} }

// ArgF64 is an argument, loaded from the frame at each use.
func (f *Func) ArgF64(name string) F64 { return F64{f.immediate(f.param(name, classF64)...)} }

// ConstInt is a constant.
func (f *Func) ConstInt(n int64) Int { return Int{f.immediate(fmt.Sprintf("I64Const $%d", n))} }

// ConstF32 is a constant, any bits that are not a NaN's.
func (f *Func) ConstF32(x float32) F32 { return F32{f.immediate(constF32(x)...)} }

// fault: F32Const takes only the form $(1.0), and no infinity; those go by
// their bits, and so does -0, whose sign the parser drops.
func constF32(x float32) []string {
	if s, ok := literal(float64(x), 32); ok {
		return []string{"F32Const $(" + s + ")"}
	}
	return []string{fmt.Sprintf("I32Const $%d", int32(math.Float32bits(x))), "F32ReinterpretI32"}
}

// ConstF64 is a constant, any bits that are not a NaN's.
func (f *Func) ConstF64(x float64) F64 {
	if s, ok := literal(x, 64); ok {
		return F64{f.immediate("F64Const $(" + s + ")")}
	}
	return F64{f.immediate(fmt.Sprintf("I64Const $%d", int64(math.Float64bits(x))), "F64ReinterpretI64")}
}

// Set assigns.
func (x Int) Set(v Int) { x.set(v.expr) }

// Add is x + y.
func (x Int) Add(y Int) Int { return Int{x.then("I64Add", y.expr)} }

// Sub is x - y.
func (x Int) Sub(y Int) Int { return Int{x.then("I64Sub", y.expr)} }

// Mul is x * y.
func (x Int) Mul(y Int) Int { return Int{x.then("I64Mul", y.expr)} }

// AddConst is x + n.
func (x Int) AddConst(n int64) Int { return x.Add(x.f.ConstInt(n)) }

// MulConst is x * n.
func (x Int) MulConst(n int64) Int { return x.Mul(x.f.ConstInt(n)) }

// Shl is x << n.
func (x Int) Shl(n int64) Int { return Int{x.then("I64Shl", x.f.ConstInt(n).expr)} }

// Shr is x >> n for x not negative.
func (x Int) Shr(n int64) Int { return Int{x.then("I64ShrU", x.f.ConstInt(n).expr)} }

// And is x & n.
func (x Int) And(n int64) Int { return Int{x.then("I64And", x.f.ConstInt(n).expr)} }

// Lt is x < y.
func (x Int) Lt(y Int) Bool { return Bool{x.then("I64LtS", y.expr)} }

// Le is x <= y.
func (x Int) Le(y Int) Bool { return Bool{x.then("I64LeS", y.expr)} }

// Ge is x >= y.
func (x Int) Ge(y Int) Bool { return Bool{x.then("I64GeS", y.expr)} }

// Eq is x == y.
func (x Int) Eq(y Int) Bool { return Bool{x.then("I64Eq", y.expr)} }

// GeConst is x >= n.
func (x Int) GeConst(n int64) Bool { return x.Ge(x.f.ConstInt(n)) }

// GtConst is x > n.
func (x Int) GtConst(n int64) Bool { return Bool{x.then("I64GtS", x.f.ConstInt(n).expr)} }

// EqConst is x == n.
func (x Int) EqConst(n int64) Bool { return x.Eq(x.f.ConstInt(n)) }

// Zero is x == 0.
func (x Int) Zero() Bool { return Bool{x.then("I64Eqz")} }

// NotZero is x != 0.
func (x Int) NotZero() Bool { return x.Zero().Not() }

// Min is the smaller of x and y.
func (x Int) Min(y Int) Int { return Int{x.then("Select", y.expr, x.expr.then("I64LtS", y.expr))} }

// If is x where cond holds and y where it does not; both are evaluated.
func (x Int) If(cond Bool, y Int) Int { return Int{x.then("Select", y.expr, cond.expr)} }

// F32 is x as a float32.
func (x Int) F32() F32 { return F32{x.then("F32ConvertI64S")} }

// F64 is x as a float64.
func (x Int) F64() F64 { return F64{x.then("F64ConvertI64S")} }

// Set assigns.
func (p Ptr) Set(v Ptr) { p.set(v.expr) }

// Add is p plus n bytes.
func (p Ptr) Add(n Int) Ptr { return Ptr{p.then("I64Add", n.expr)} }

// AddConst is p plus n bytes.
func (p Ptr) AddConst(n int64) Ptr { return p.Add(p.f.ConstInt(n)) }

// Minus is p - q in bytes.
func (p Ptr) Minus(q Ptr) Int { return Int{p.then("I64Sub", q.expr)} }

// Advance moves p by n bytes.
func (p Ptr) Advance(n int64) { p.Set(p.AddConst(n)) }

// NotNil is p != nil.
func (p Ptr) NotNil() Bool { return Bool{p.then("I64Eqz")}.Not() }

// Nil is p == nil.
func (p Ptr) Nil() Bool { return Bool{p.then("I64Eqz")} }

// Below is p < q.
func (p Ptr) Below(q Ptr) Bool { return Bool{p.then("I64LtU", q.expr)} }

func (p Ptr) load(op string, offset int64) expr {
	if offset < 0 {
		panic("asm: negative offset: move the pointer")
	}
	return p.then("I32WrapI64").then(fmt.Sprintf("%s $%d", op, offset))
}

func (p Ptr) store(op string, offset int64, v expr) {
	if offset < 0 {
		panic("asm: negative offset: move the pointer")
	}
	p.f.lines(p.then("I32WrapI64").code)
	p.f.lines(v.code)
	// fault: V128Store $n drops its offset in silence, the assembler looks for
	// it in the second operand. Given so, the other stores take it there as well.
	p.f.line(fmt.Sprintf("%s $0, $%d", op, offset))
}

// V loads 16 bytes from p + offset.
func (p Ptr) V(offset int64) V { return V{p.load("V128Load", offset)} }

// F32 loads a float32 from p + offset.
func (p Ptr) F32(offset int64) F32 { return F32{p.load("F32Load", offset)} }

// F64 loads a float64 from p + offset.
func (p Ptr) F64(offset int64) F64 { return F64{p.load("F64Load", offset)} }

// Int32 loads an int32 from p + offset.
func (p Ptr) Int32(offset int64) Int { return Int{p.load("I64Load32S", offset)} }

// Int loads an int64 (Go's int) from p + offset.
func (p Ptr) Int(offset int64) Int { return Int{p.load("I64Load", offset)} }

// Splat loads 4 bytes from p + offset, a float32 as a rule, into all four lanes.
//
// fault: V128Load32Splat, and the zero, lane and extending loads with it, come
// out without their memory argument, an invalid module. Here the argument is
// spelled by instructions whose opcodes are its bytes: 0 for the alignment, then
// the offset in two bytes of LEB128. F32Load and F32x4Splat, which do the same,
// cost the matrix product a fifth of its speed in V8, where they are a load and
// a shuffle; they stay for the offsets that cannot be spelled. Should an
// assembler come that writes the argument, TestSplatBytes fails.
func (p Ptr) Splat(offset int64) V {
	if argument(offset) == nil {
		return p.F32(offset).Splat()
	}
	return p.spelled("V128Load32Splat", offset)
}

// Half loads 8 bytes from p + offset and zeros above. The offset is a multiple of 4 from 0
// to 64 or from 128 to 192. V8 makes one instruction of it and PromoteLow. The argument is
// spelled as in Splat.
func (p Ptr) Half(offset int64) V {
	if argument(offset) == nil {
		panic("asm: offset that cannot be spelled")
	}
	return p.spelled("V128Load64Zero", offset)
}

func (p Ptr) spelled(op string, offset int64) V {
	load := p.then("I32WrapI64").then(op)
	for _, op := range argument(offset) {
		load = load.then(op)
	}
	return V{load}
}

// argument spells the memory argument of an offset; it is nil for those that cannot be.
// The offset has two bytes: its lower seven bits and 80, then 0 or 1 for 128.
func argument(offset int64) []string {
	low, high := offset&127, "Unreachable" // 00
	if offset&^127 == 128 {
		high = "Nop" // 01
	} else if offset&^127 != 0 {
		return nil
	}
	if low%4 != 0 || int(low/4) >= len(offsetBytes) {
		return nil
	}
	return []string{"Unreachable", offsetBytes[low/4], high}
}

// offsetBytes are instructions without operands whose opcodes are 80, 84 … c0.
var offsetBytes = []string{
	"I64DivU", "I64Or", "I64ShrU", "F32Neg", "F32Nearest", "F32Mul", "F32Copysign", "F64Floor", "F64Add", "F64Min",
	"I32TruncF32S", "I64ExtendI32S", "I64TruncF64S", "F32ConvertI64S", "F64ConvertI32U", "I32ReinterpretF32", "I32Extend8S",
}

// StoreV stores 16 bytes at p + offset.
func (p Ptr) StoreV(offset int64, v V) { p.store("V128Store", offset, v.expr) }

// StoreF32 stores a float32 at p + offset.
func (p Ptr) StoreF32(offset int64, v F32) { p.store("F32Store", offset, v.expr) }

// StoreF64 stores a float64 at p + offset.
func (p Ptr) StoreF64(offset int64, v F64) { p.store("F64Store", offset, v.expr) }

// Not is !x.
func (x Bool) Not() Bool { return Bool{x.then("I32Eqz")} }

// And is x && y for two comparisons; both are evaluated.
func (x Bool) And(y Bool) Bool { return Bool{x.then("I32And", y.expr)} }

// Or is x || y for two comparisons; both are evaluated.
func (x Bool) Or(y Bool) Bool { return Bool{x.then("I32Or", y.expr)} }

// literal is x in decimal if the assembler reads it back unchanged.
func literal(x float64, bits int) (string, bool) {
	if math.IsNaN(x) {
		panic("asm: NaN constant")
	}
	if math.IsInf(x, 0) || x == 0 && math.Signbit(x) {
		return "", false
	}
	// 17 digits name any float64, and the float32 inside of it, exactly.
	s := fmt.Sprintf("%.17g", x)
	if bits == 32 {
		s = fmt.Sprintf("%.9g", x)
	}
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	if strings.Contains(s, "e") && !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s, true
}
