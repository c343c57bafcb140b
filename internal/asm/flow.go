package asm

import "fmt"

func (f *Func) open(op string) {
	f.line(op)
	f.depth++
	f.blocks++
}

func (f *Func) end() {
	f.depth--
	f.blocks--
	f.line("End")
}

// If runs then when cond holds.
func (f *Func) If(cond Bool, then func()) {
	f.lines(cond.code)
	f.open("If")
	then()
	f.end()
}

// IfElse runs one of the two.
func (f *Func) IfElse(cond Bool, then, other func()) {
	f.lines(cond.code)
	f.open("If")
	then()
	f.depth--
	f.line("Else")
	f.depth++
	other()
	f.end()
}

// Do runs body, and again as long as cond holds after it.
func (f *Func) Do(body func(), cond func() Bool) {
	f.open("Loop")
	body()
	f.lines(cond().code)
	f.line("BrIf $0")
	f.end()
}

// While runs body as long as cond holds before it.
func (f *Func) While(cond func() Bool, body func()) {
	f.If(cond(), func() { f.Do(body, cond) })
}

// Exit is a way out of a Block.
type Exit struct {
	f     *Func
	level int
}

// Block runs body, which may leave it early by the exit.
func (f *Func) Block(body func(exit Exit)) {
	f.open("Block")
	body(Exit{f, f.blocks})
	f.end()
}

// If leaves the block when cond holds.
func (e Exit) If(cond Bool) {
	e.f.lines(cond.code)
	e.f.line(fmt.Sprintf("BrIf $%d", e.f.blocks-e.level))
}

// Leave leaves the block.
func (e Exit) Leave() { e.f.line(fmt.Sprintf("Br $%d", e.f.blocks-e.level)) }

// Take runs body as long as left, a register, is at least n, and subtracts n
// from it after each run.
func (f *Func) Take(left Int, n int64, body func()) {
	f.While(func() Bool { return left.GeConst(n) }, func() {
		body()
		left.Set(left.AddConst(-n))
	})
}

// Sweep is a loop over elements of 4 bytes: trips of Unroll vectors while there
// are that many, then single vectors, then single elements.
type Sweep struct {
	Left     Int         // elements; a register, 0 afterwards (or the rest, without Scalar)
	Pointers []Ptr       // registers, advanced by 4 bytes an element
	Unroll   int         // vectors a trip
	Vector   func(u int) // vector u of a trip, 16*u bytes from the pointers
	Trip     func()      // in place of Unroll times Vector, where order matters
	Scalar   func()      // one element at the pointers; nil leaves the rest
}

// Sweep writes the loop.
func (f *Func) Sweep(s Sweep) {
	advance := func(bytes int64) {
		for _, p := range s.Pointers {
			p.Advance(bytes)
		}
	}
	if s.Unroll > 1 {
		f.Take(s.Left, 4*int64(s.Unroll), func() {
			if s.Trip != nil {
				s.Trip()
			} else {
				for u := range s.Unroll {
					s.Vector(u)
				}
			}
			advance(16 * int64(s.Unroll))
		})
	}
	f.Take(s.Left, 4, func() { s.Vector(0); advance(16) })
	if s.Scalar != nil {
		f.Take(s.Left, 1, func() { s.Scalar(); advance(4) })
	}
}
