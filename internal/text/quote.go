package text

import (
	"strconv"
	"unicode/utf8"
)

// Quote returns s in double quotes with control and non-ASCII characters escaped
// as in Go, so that a name read from a hostile file cannot garble a message. Names
// longer than 80 bytes are cut. (strconv.Quote would bring tables of what Unicode
// can print.)
func Quote(s string) string {
	end := `"`
	if len(s) > 80 {
		s, end = s[:80], `…"`
	}
	b := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && n == 1, r < utf8.RuneSelf:
			b = escape(b, 'x', 2, int64(s[0]))
		case r < 0x10000:
			b = escape(b, 'u', 4, int64(r))
		default:
			b = escape(b, 'U', 8, int64(r))
		}
		s = s[n:]
	}
	return string(b) + end
}

// escape appends v in so many hexadecimal digits.
func escape(b []byte, kind byte, digits int, v int64) []byte {
	hex := strconv.FormatInt(v, 16)
	b = append(b, '\\', kind)
	for range digits - len(hex) {
		b = append(b, '0')
	}
	return append(b, hex...)
}
