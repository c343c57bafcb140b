package json

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plain is a value as encoding/json gives it.
func plain(v any) any {
	switch v := v.(type) {
	case *Object:
		m := map[string]any{}
		for i, name := range v.Names {
			m[name] = plain(v.Values[i])
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, plain(e))
		}
		return list
	}
	return v
}

var texts = []string{
	`null`, `true`, ` false `, `0`, `-0`, `12`, `-1.5e-3`, `1E+5`, `""`, `"a\"\\\/\b\f\n\r\t\u0041\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`,
	`[]`, `[1, [2, {}], "x"]`, `{}`, `{"a": 1, "b": {"c": [null]}, "": true}`, "\"é😀\"", "\t{ \"a\" : 1 }\n",
}

func TestParseAgreesWithGo(t *testing.T) {
	for _, s := range texts {
		var want any
		require.NoError(t, json.Unmarshal([]byte(s), &want), s)
		got, err := Parse([]byte(s))
		require.NoError(t, err, s)
		assert.Equal(t, want, plain(got), s)
	}
}

func TestWrongTexts(t *testing.T) {
	for _, s := range []string{
		``, ` `, `tru`, `nul`, `+1`, `.5`, `1.`, `1.e5`, `-.5`, `01`, `-01.5`, `-`, `1e`, `--1`, `0x1`, `"`, `"a`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\`, "\"\n\"", `[`, `[1`, `[1,]`, `[,1]`, `[1 2]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`,
		`{a:1}`, `{"a" 1}`, `1 2`, `{}]`, `Infinity`, `NaN`, "\"\xff\"", `'a'`, strings.Repeat("[", 70) + strings.Repeat("]", 70),
	} {
		_, err := Parse([]byte(s))
		assert.Error(t, err, s)
	}
	_, err := Parse([]byte(`{"a":1,"b":2,"a":3}`))
	assert.ErrorContains(t, err, `the name "a" comes twice`)
	_, err = Parse([]byte(`[1, x]`))
	assert.ErrorContains(t, err, "byte 4")
}

func FuzzParse(f *testing.F) {
	for _, s := range texts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse(b)
		if err != nil {
			return
		}
		var want any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("read, although encoding/json says: %v", err)
		}
		assert.Equal(t, want, plain(v))
	})
}
