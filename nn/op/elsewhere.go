//go:build !lean

package op

// Lean says that this is the edition without the operators whose files begin with
// "//go:build !lean": rare ones, and bulky ones.
const Lean = false

// Elsewhere says whether an operator is missing that the full edition has.
func Elsewhere(string) bool { return false }
