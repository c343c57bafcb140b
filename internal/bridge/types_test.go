//go:build !train

package bridge

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/nn/graph"
)

// The types' names are the engine's.
func TestDataTypes(t *testing.T) {
	for number, d := range DataTypes {
		if d.Name != "" {
			assert.Equal(t, graph.DType(number).String(), d.Name)
		}
	}
	assert.Equal(t, "float32", DataTypes[graph.Float32].Name)
	assert.Len(t, DataTypes, int(graph.Uint64)+1)
}
