// Package json reads JSON into plain values. The module cannot afford encoding/json, which
// brings reflection along.
package json

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/normwasm/normwasm/internal/text"
)

// Object is an object: its members in the order of the text, each name once.
type Object struct {
	Names  []string
	Values []any
	places map[string]int
}

// Get is the member of that name, nil where there is none (and for null).
func (o *Object) Get(name string) any {
	if o == nil {
		return nil
	}
	if i, ok := o.places[name]; ok {
		return o.Values[i]
	}
	return nil
}

// maxDepth is how deeply arrays and objects may be nested.
const maxDepth = 64

// Parse reads one value: nil, bool, float64, string, []any or *Object.
func Parse(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, &Error{"the text is not UTF-8"}
	}
	p := &parser{text: b}
	v := p.value(0)
	p.space()
	if p.err == nil && p.at < len(b) {
		p.fail("more follows the value")
	}
	if p.err != nil {
		return nil, p.err
	}
	return v, nil
}

// Error says what is wrong, and where.
type Error struct{ msg string }

func (e *Error) Error() string { return e.msg }

type parser struct {
	text []byte
	at   int
	err  error
}

func (p *parser) fail(what string) any {
	if p.err == nil {
		p.err = &Error{text.Join("byte ", p.at, ": ", what)}
	}
	p.at = len(p.text)
	return nil
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next is the byte after white space, 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) value(depth int) any {
	if depth > maxDepth {
		return p.fail("nested too deeply")
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		list := []any{}
		for p.at++; p.next() != ']'; {
			if len(list) > 0 && !p.skip(',') {
				return nil
			}
			if list = append(list, p.value(depth+1)); p.err != nil {
				return nil
			}
		}
		p.at++
		return list
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 0:
		return p.fail("the text ends where a value is wanted")
	}
	for i, word := range [...]string{"null", "false", "true"} {
		if end := p.at + len(word); end <= len(p.text) && string(p.text[p.at:end]) == word {
			p.at = end
			if i == 0 {
				return nil
			}
			return i == 2
		}
	}
	return p.fail("no value begins so")
}

// skip passes a byte that has to come.
func (p *parser) skip(c byte) bool {
	if p.next() != c {
		p.fail("want " + string(rune(c)))
		return false
	}
	p.at++
	return true
}

func (p *parser) object(depth int) any {
	o := &Object{places: map[string]int{}}
	for p.at++; p.next() != '}'; {
		if len(o.Names) > 0 && !p.skip(',') {
			return nil
		}
		if p.next() != '"' {
			return p.fail("want a name")
		}
		name := p.string()
		if !p.skip(':') {
			return nil
		}
		v := p.value(depth + 1)
		if p.err != nil {
			return nil
		}
		if _, ok := o.places[name]; ok {
			return p.fail("the name " + text.Quote(name) + " comes twice")
		}
		o.places[name] = len(o.Names)
		o.Names, o.Values = append(o.Names, name), append(o.Values, v)
	}
	p.at++
	return o
}

func (p *parser) number() any {
	from := p.at
	for p.at < len(p.text) && strings.IndexByte("0123456789+-.eE", p.text[p.at]) >= 0 {
		p.at++
	}
	word := string(p.text[from:p.at])
	digits := word
	if digits[0] == '-' {
		digits = digits[1:]
	}
	isDigit := func(i int) bool { return i < len(digits) && digits[i] >= '0' && digits[i] <= '9' }
	v, err := strconv.ParseFloat(word, 64)
	if point := strings.IndexByte(digits, '.'); err != nil || !isDigit(0) || digits[0] == '0' && isDigit(1) || point >= 0 && !isDigit(point+1) {
		p.at = from
		return p.fail("no number")
	}
	return v
}

func (p *parser) string() string {
	p.at++
	from := p.at
	var out []byte // once there was an escape
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			s := p.text[from:p.at]
			p.at++
			if out == nil {
				return string(s)
			}
			return string(append(out, s...))
		case c < ' ':
			p.fail("a control character in a string")
			return ""
		case c != '\\':
			p.at++
		default:
			out = append(out, p.text[from:p.at]...)
			if out == nil {
				out = []byte{}
			}
			out = p.escape(out)
			from = p.at
		}
	}
	p.fail("the text ends in a string")
	return ""
}

func (p *parser) escape(out []byte) []byte {
	if p.at += 2; p.at > len(p.text) {
		p.fail("the text ends in a string")
		return out
	}
	switch c := p.text[p.at-1]; c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		r := p.hex()
		if utf16.IsSurrogate(r) && p.at+1 < len(p.text) && p.text[p.at] == '\\' && p.text[p.at+1] == 'u' {
			before := p.at
			p.at += 2
			if both := utf16.DecodeRune(r, p.hex()); both != utf8.RuneError {
				return utf8.AppendRune(out, both)
			}
			p.at = before
		}
		return utf8.AppendRune(out, r) // half a pair becomes U+FFFD
	}
	p.fail("no such escape")
	return out
}

func (p *parser) hex() rune {
	if p.at+4 > len(p.text) {
		p.fail("the text ends in an escape")
		return 0
	}
	v, err := strconv.ParseUint(string(p.text[p.at:p.at+4]), 16, 32)
	if err != nil {
		p.fail("want four hexadecimal digits")
	}
	p.at = min(p.at+4, len(p.text))
	return rune(v)
}
