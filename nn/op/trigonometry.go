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
	{"Tan", inputFloats, 7, []int{22}, compute.Tan, math.Tan},
	{"Asin", inputFloats, 7, []int{22}, compute.Asin, math.Asin},
	{"Acos", inputFloats, 7, []int{22}, compute.Acos, math.Acos},
	{"Atan", inputFloats, 7, []int{22}, compute.Atan, math.Atan},
	{"Sinh", inputFloats, 9, []int{22}, compute.Sinh, math.Sinh},
	{"Cosh", inputFloats, 9, []int{22}, compute.Cosh, math.Cosh},
	{"Asinh", inputFloats, 9, []int{22}, compute.Asinh, math.Asinh},
	{"Acosh", inputFloats, 9, []int{22}, compute.Acosh, math.Acosh},
	{"Atanh", inputFloats, 9, []int{22}, compute.Atanh, math.Atanh},
}
