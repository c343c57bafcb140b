package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Many small buffers, beyond those that are placed with care, still get distinct
// memory, and quickly.
func TestLayoutOfManyBuffers(t *testing.T) {
	var list []*buffer
	for i := range 3 * greedy {
		list = append(list, &buffer{size: 64 + i%3, first: i, last: i + 5})
	}
	end := layout(list, true)
	for i, b := range list {
		assert.LessOrEqual(t, b.offset+b.size, end)
		for _, c := range list[i+1 : min(i+6, len(list))] {
			require.False(t, b.offset < c.offset+c.size && c.offset < b.offset+b.size, "buffer %d", i)
		}
	}
}
