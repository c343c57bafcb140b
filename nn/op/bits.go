//go:build !lean

package op

import "github.com/normwasm/normwasm/nn/ir"

// Operators on the bits of integers.

func init() { Register(bitRows) }

const unsignedTypes Types = 1<<ir.Uint8 | 1<<ir.Uint16 | 1<<ir.Uint32 | 1<<ir.Uint64

var (
	twoInts = []In{{Name: "A", Types: intTypes, Var: 'T'}, {Name: "B", Types: intTypes, Var: 'T'}}
	bitsOut = []Out{{Name: "C", Var: 'T'}}
)

var bitRows = []Row{
	{Name: "BitwiseAnd", Since: 18, In: twoInts, Out: bitsOut, Rank: widestRank, Plan: planBits},
	{Name: "BitwiseOr", Since: 18, In: twoInts, Out: bitsOut, Rank: widestRank, Plan: planBits},
	{Name: "BitwiseXor", Since: 18, In: twoInts, Out: bitsOut, Rank: widestRank, Plan: planBits},
	{Name: "BitwiseNot", Since: 18, In: []In{{Name: "X", Types: intTypes, Var: 'T'}}, Out: yOut, Rank: sameRank, Plan: planBitwiseNot},
	{
		Name: "BitShift", Since: 11,
		In:    []In{{Name: "X", Types: unsignedTypes, Var: 'T'}, {Name: "Y", Types: unsignedTypes, Var: 'T'}},
		Out:   []Out{{Name: "Z", Var: 'T'}},
		Attrs: []Attr{{Name: "direction", Kind: ir.AttrString, Words: []string{"LEFT", "RIGHT"}}},
		Rank:  widestRank, Plan: planBits,
	},
}

func planBits(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	var f func(a, b int64) int64
	switch c.Node.Op {
	case "BitwiseAnd":
		f = func(a, b int64) int64 { return a & b }
	case "BitwiseOr":
		f = func(a, b int64) int64 { return a | b }
	case "BitwiseXor":
		f = func(a, b int64) int64 { return a ^ b }
	default: // a shift by as many bits as there are gives 0
		f = func(a, b int64) int64 { return int64(uint64(a) >> uint64(b)) }
		if c.Str("direction") == "LEFT" {
			f = func(a, b int64) int64 { return a << uint64(b) }
		}
	}
	stepPairs(c, out, t, f)
	return nil
}

func planBitwiseNot(c *Call) error {
	sameOut(c)
	stepEach(c, func(v int64) int64 { return ^v })
	return nil
}
