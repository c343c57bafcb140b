// Package text joins the parts of an error message. It stands in for fmt, which
// would add about 100 KB to the compressed wasm module.
package text

import "strconv"

// maxList is how many elements of a list a message shows.
const maxList = 64

// Join concatenates parts: strings as they are, integers in decimal, []int as
// "[2 3 4]", []string as "[a b]", floats in their shortest form, errors by
// their message. Anything else shows as "?". Of a long list it shows the
// first elements, and how many more there are.
func Join(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b = append(b, v...)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case int32:
			b = strconv.AppendInt(b, int64(v), 10)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case uint32:
			b = strconv.AppendUint(b, uint64(v), 10)
		case uint64:
			b = strconv.AppendUint(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case float32:
			b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
		case float64:
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		case []int:
			b = append(b, '[')
			for i, n := range v[:min(len(v), maxList)] {
				if i > 0 {
					b = append(b, ' ')
				}
				b = strconv.AppendInt(b, int64(n), 10)
			}
			b = closed(b, len(v))
		case []string:
			b = append(b, '[')
			for i, s := range v[:min(len(v), maxList)] {
				if i > 0 {
					b = append(b, ' ')
				}
				b = append(b, s...)
			}
			b = closed(b, len(v))
		case error:
			b = append(b, v.Error()...)
		default:
			b = append(b, '?')
		}
	}
	return string(b)
}

// closed ends a list of n elements.
func closed(b []byte, n int) []byte {
	if n > maxList {
		b = append(b, " … and "...)
		b = strconv.AppendInt(b, int64(n-maxList), 10)
		b = append(b, " more"...)
	}
	return append(b, ']')
}
