package asm

// Set assigns.
func (x F32) Set(v F32) { x.set(v.expr) }

// Add is x + y.
func (x F32) Add(y F32) F32 { return F32{x.then("F32Add", y.expr)} }

// Sub is x - y.
func (x F32) Sub(y F32) F32 { return F32{x.then("F32Sub", y.expr)} }

// Mul is x * y.
func (x F32) Mul(y F32) F32 { return F32{x.then("F32Mul", y.expr)} }

// Div is x / y.
func (x F32) Div(y F32) F32 { return F32{x.then("F32Div", y.expr)} }

// Min is the smaller of x and y, NaN if either is; -0 < 0.
func (x F32) Min(y F32) F32 { return F32{x.then("F32Min", y.expr)} }

// Max is the larger of x and y, NaN if either is; -0 < 0.
func (x F32) Max(y F32) F32 { return F32{x.then("F32Max", y.expr)} }

// Sqrt is the square root of x.
func (x F32) Sqrt() F32 { return F32{x.then("F32Sqrt")} }

// Abs is x without its sign.
func (x F32) Abs() F32 { return F32{x.then("F32Abs")} }

// Neg is -x.
func (x F32) Neg() F32 { return F32{x.then("F32Neg")} }

// Nearest is x rounded to an integer, ties to even.
func (x F32) Nearest() F32 { return F32{x.then("F32Nearest")} }

// Floor is x rounded down.
func (x F32) Floor() F32 { return F32{x.then("F32Floor")} }

// Lt is x < y.
func (x F32) Lt(y F32) Bool { return Bool{x.then("F32Lt", y.expr)} }

// Gt is x > y.
func (x F32) Gt(y F32) Bool { return Bool{x.then("F32Gt", y.expr)} }

// Le is x <= y.
func (x F32) Le(y F32) Bool { return Bool{x.then("F32Le", y.expr)} }

// Ge is x >= y.
func (x F32) Ge(y F32) Bool { return Bool{x.then("F32Ge", y.expr)} }

// Eq is x == y.
func (x F32) Eq(y F32) Bool { return Bool{x.then("F32Eq", y.expr)} }

// Ne is x != y.
func (x F32) Ne(y F32) Bool { return Bool{x.then("F32Ne", y.expr)} }

// If is x where cond holds and y where it does not; both are evaluated.
func (x F32) If(cond Bool, y F32) F32 { return F32{x.then("Select", y.expr, cond.expr)} }

// Set assigns.
func (x F64) Set(v F64) { x.set(v.expr) }

// Add is x + y.
func (x F64) Add(y F64) F64 { return F64{x.then("F64Add", y.expr)} }

// Sub is x - y.
func (x F64) Sub(y F64) F64 { return F64{x.then("F64Sub", y.expr)} }

// Mul is x * y.
func (x F64) Mul(y F64) F64 { return F64{x.then("F64Mul", y.expr)} }

// Div is x / y.
func (x F64) Div(y F64) F64 { return F64{x.then("F64Div", y.expr)} }

// Min is the smaller of x and y, NaN if either is; -0 < 0.
func (x F64) Min(y F64) F64 { return F64{x.then("F64Min", y.expr)} }

// Max is the larger of x and y, NaN if either is; -0 < 0.
func (x F64) Max(y F64) F64 { return F64{x.then("F64Max", y.expr)} }

// Sqrt is the square root of x.
func (x F64) Sqrt() F64 { return F64{x.then("F64Sqrt")} }

// Abs is x without its sign.
func (x F64) Abs() F64 { return F64{x.then("F64Abs")} }

// Neg is -x.
func (x F64) Neg() F64 { return F64{x.then("F64Neg")} }

// Nearest is x rounded to an integer, ties to even.
func (x F64) Nearest() F64 { return F64{x.then("F64Nearest")} }

// Floor is x rounded down.
func (x F64) Floor() F64 { return F64{x.then("F64Floor")} }

// Lt is x < y.
func (x F64) Lt(y F64) Bool { return Bool{x.then("F64Lt", y.expr)} }

// Gt is x > y.
func (x F64) Gt(y F64) Bool { return Bool{x.then("F64Gt", y.expr)} }

// Le is x <= y.
func (x F64) Le(y F64) Bool { return Bool{x.then("F64Le", y.expr)} }

// Ge is x >= y.
func (x F64) Ge(y F64) Bool { return Bool{x.then("F64Ge", y.expr)} }

// Eq is x == y.
func (x F64) Eq(y F64) Bool { return Bool{x.then("F64Eq", y.expr)} }

// Ne is x != y.
func (x F64) Ne(y F64) Bool { return Bool{x.then("F64Ne", y.expr)} }

// If is x where cond holds and y where it does not; both are evaluated.
func (x F64) If(cond Bool, y F64) F64 { return F64{x.then("Select", y.expr, cond.expr)} }

// F64 is x as a float64.
func (x F32) F64() F64 { return F64{x.then("F64PromoteF32")} }

// F32 is x rounded to a float32.
func (x F64) F32() F32 { return F32{x.then("F32DemoteF64")} }

// Splat is x in all four lanes.
func (x F32) Splat() V { return V{x.then("F32x4Splat")} }

// Splat is x in both lanes.
func (x F64) Splat() V { return V{x.then("F64x2Splat")} }
