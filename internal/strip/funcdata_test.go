package strip

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLastRunsAreAlike(t *testing.T) {
	for name, c := range map[string]struct{ in, want []byte }{
		"one run":            {[]byte{2, 5, 0}, []byte{2, 127, 0}},
		"a value of 0 first": {[]byte{0, 1, 0}, []byte{0, 127, 0}},
		"two runs":           {[]byte{2, 1, 32, 90, 0}, []byte{2, 1, 32, 127, 0}},
		"as long as it may":  {[]byte{2, 127, 0}, []byte{2, 127, 0}},
		"longer":             {[]byte{2, 0x80, 1, 0}, []byte{2, 0xff, 0x7f, 0}},
		"longer before":      {[]byte{2, 0x80, 1, 4, 3, 0}, []byte{2, 0x80, 1, 4, 127, 0}},
		"the longest":        {[]byte{2, 0x80, 0x80, 4, 0}, []byte{2, 0xff, 0xff, 0x7f, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, toTheEnd(c.in))
		})
	}
}

func TestFunctionDataIsPacked(t *testing.T) {
	word := func(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
	long := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	maps := join(word(2), word(9), []byte{1, 2, 3, 4})                               // two maps of nine bits
	objects := join(long(1), word(8), word(16), word(8), word(99))                   // one object
	inline, defers, wrapped := []byte("inlined calls"), []byte{0x80, 1, 9}, word(77) // two numbers; a function
	region := join(inline, maps, inline, objects, defers, inline, wrapped, maps)
	at := map[string]int{"maps": 13, "objects": 38, "defers": 62, "wrapped": 78, "again": 82}
	of := func(offsets ...int) function {
		f := function{}
		for _, at := range offsets {
			f.data = append(f.data, [4]byte(word(uint32(int32(at)))))
		}
		return f
	}
	list := []function{
		of(-1, at["maps"], at["objects"]),
		of(at["again"], at["maps"], -1, -1, at["defers"], -1, -1, at["wrapped"]),
	}
	size := len(region)
	require.NoError(t, packData(list, region))
	assert.Equal(t, join(maps, word(0), objects, defers, []byte{0}, wrapped), region[:48], "objects lie at multiples of 8")
	assert.Equal(t, make([]byte, size-48), region[48:])
	assert.Equal(t, []function{of(-1, 0, 16), of(0, 0, -1, -1, 40, -1, -1, 44)}, list)
}

func TestMalformedFunctionDataAreErrors(t *testing.T) {
	zeros := make([]byte, 20)
	for name, c := range map[string]struct {
		region   []byte
		at, kind int
		want     string
	}{
		"behind the end":        {zeros, 20, argsPointerMaps, "lie at 20 of 20"},
		"no room for a head":    {zeros, 13, localsPointerMaps, "end behind 20"},
		"maps beyond the end":   {[]byte{9, 0, 0, 0, 9, 0, 0, 0, 1}, 0, argsPointerMaps, "end behind 9"},
		"as many as there are":  {[]byte{255, 255, 255, 255, 255, 255, 255, 255, 1}, 0, argsPointerMaps, "end behind 9"},
		"objects beyond":        {append([]byte{2}, zeros...), 0, stackObjects, "end behind 21"},
		"objects without end":   {[]byte{255, 255, 255, 255, 255, 255, 255, 255, 1}, 0, stackObjects, "end behind 9"},
		"defers without end":    {[]byte{1, 0x80}, 0, openCodedDefers, "malformed"},
		"half a wrapped number": {zeros, 18, wrapInfo, "end behind 20"},
		"another kind":          {zeros, 0, 3, "kind 3 are not known"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := dataAt(c.region, uint32(c.at), c.kind)
			require.ErrorContains(t, err, c.want)
		})
	}
}
