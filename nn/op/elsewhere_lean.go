//go:build lean

package op

import (
	"strings"

	"github.com/normwasm/normwasm/nn/ir"
)

// Lean says that this is the edition without the operators whose files begin with
// "//go:build !lean": rare ones, and bulky ones.
const Lean = true

// Elsewhere says whether an operator is missing that the full edition has.
func Elsewhere(key string) bool {
	return key != "" && !strings.Contains(key, " ") && strings.Contains(elsewhere, " "+key+" ")
}

// Modernize is the full edition's: models of opsets before LeanOpset are for that one.
func Modernize(*ir.Graph) {}

// speller is the full edition's, and so is what is spelled out.
type speller struct{}

// SpellOut has nothing to do: the operators that it replaces are the full edition's.
func SpellOut(*ir.Graph) {}
