package text

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJoin(t *testing.T) {
	got := Join("norm: ", 512, " ", int64(-3), " ", uint32(7), " ", []int{2, 3}, []int{}, []string{"a", "b"}, " ", 0.1, " ", float32(0.1), " ",
		true, " ", errors.New("why"), " ", struct{}{})
	assert.Equal(t, "norm: 512 -3 7 [2 3][][a b] 0.1 0.1 true why ?", got)
}

// A model can make any list long.
func TestJoinShortensLists(t *testing.T) {
	long, words := make([]int, 1<<20), make([]string, 65)
	assert.Equal(t, "x is ["+strings.Repeat("0 ", 63)+"0 … and 1048512 more], want 1", Join("x is ", long, ", want ", 1))
	assert.Equal(t, "["+strings.Repeat(" ", 63)+" … and 1 more]", Join(words))
	assert.NotContains(t, Join(long[:64]), "more")
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "conv1/weight:0", `a"b\c`, "line\nand\ttab\r\x00\x7f", "größe 入力 🙂", "\xff\xc3", "\u202e", "�"} {
		q := Quote(s)
		back, err := strconv.Unquote(q)
		require.NoError(t, err, q)
		assert.Equal(t, s, back, q)
		for _, c := range []byte(q) {
			assert.True(t, c >= ' ' && c <= '~', q)
		}
	}
	assert.Equal(t, `"gr\u00f6\u00dfe\n"`, Quote("größe\n"))
	assert.Equal(t, `"`+strings.Repeat("a", 80)+`…"`, Quote(strings.Repeat("a", 81)))
}
