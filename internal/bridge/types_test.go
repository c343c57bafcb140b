//go:build !train

package bridge

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/nn/ir"
)

// The types' names are the engine's.
func TestDataTypes(t *testing.T) {
	for number, d := range DataTypes {
		if d.Name != "" {
			assert.Equal(t, ir.DType(number).String(), d.Name)
		}
	}
	assert.Equal(t, "float32", DataTypes[ir.Float32].Name)
	assert.Len(t, DataTypes, int(ir.Uint64)+1)
}
