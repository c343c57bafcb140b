//go:build !lean

package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
)

func init() { Register(functionRows(trigonometry)) }

// trigonometry is the functions of angles that networks hardly have: the sine and the cosine
// are with the other functions.
var trigonometry = []function{
	{"Tan", inputFloats, 7, []int{22}, compute.Tan, math.Tan, true},
	{"Asin", inputFloats, 7, []int{22}, compute.Asin, math.Asin, true},
	{"Acos", inputFloats, 7, []int{22}, compute.Acos, math.Acos, true},
	{"Atan", inputFloats, 7, []int{22}, compute.Atan, math.Atan, true},
	{"Sinh", inputFloats, 9, []int{22}, compute.Sinh, math.Sinh, true},
	{"Cosh", inputFloats, 9, []int{22}, compute.Cosh, math.Cosh, true},
	{"Asinh", inputFloats, 9, []int{22}, compute.Asinh, math.Asinh, true},
	{"Acosh", inputFloats, 9, []int{22}, compute.Acosh, math.Acosh, true},
	{"Atanh", inputFloats, 9, []int{22}, compute.Atanh, math.Atanh, true},
}
