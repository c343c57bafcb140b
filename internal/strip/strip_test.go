package strip

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// packed is how many bytes the module takes on the wire, deflated.
func packed(t *testing.T, module []byte) int {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(module)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Len()
}

func TestStrippedProgramBehaves(t *testing.T) {
	for name, flags := range map[string][]string{
		"as a rule":         nil,
		"as this module is": {"-gcflags=all=-l"},
	} {
		t.Run(name, func(t *testing.T) {
			module := testkit.Module(t, "testdata/program/main.go", flags...)
			stripped, err := Module(module)
			require.NoError(t, err)
			assert.Less(t, packed(t, stripped), packed(t, module)*7/8)
			assertCodeIsSame(t, module, stripped)

			want, code := testkit.RunModule(t, module)
			require.Zero(t, code, want)
			require.Contains(t, want, "name main.main line true")
			require.Contains(t, want, "value method main.pair.String called using nil *pair pointer")
			named := strings.NewReplacer("name main.main line true", "name  line false")
			// A collection at every few allocations reads the pointer maps of all stacks; the heap's check
			// walks it twice, and freed memory is overwritten, so that a pointer that was missed shows.
			for _, env := range [][]string{nil, {"GOGC=1"}, {"GODEBUG=gccheckmark=1,clobberfree=1"}} {
				got, code := testkit.RunModule(t, stripped, env...)
				require.Zero(t, code, got)
				assert.Equal(t, named.Replace(want), got, env)
			}

			_, err = Module(stripped)
			require.ErrorContains(t, err, "strip: ")
		})
	}
}

// assertCodeIsSame checks that all sections but the data are the same bytes, and that
// the data differ nowhere but in the function tables.
func assertCodeIsSame(t *testing.T, module, stripped []byte) {
	t.Helper()
	before, err := split(module)
	require.NoError(t, err)
	after, err := split(stripped)
	require.NoError(t, err)
	require.Len(t, after, len(before)+1)
	start := slices.IndexFunc(after, func(s section) bool { return s.id == sectionStart })
	require.Positive(t, start)
	after = slices.Delete(after, start, start+1)
	for i := range before {
		require.Equal(t, before[i].id, after[i].id)
		switch before[i].id {
		case sectionType, sectionFunction, sectionCode: // one more at the end
			n, skip := binary.Uvarint(before[i].content)
			m, skipped := binary.Uvarint(after[i].content)
			assert.Equal(t, n+1, m)
			assert.True(t, bytes.HasPrefix(after[i].content[skipped:], before[i].content[skip:]), "section %d", before[i].id)
			continue
		case sectionData:
		default:
			assert.True(t, bytes.Equal(before[i].content, after[i].content), "section %d", before[i].id)
			continue
		}
		was, err := readData(before[i].content)
		require.NoError(t, err)
		is, err := readData(after[i].content)
		require.NoError(t, err)
		is = append(is, make([]byte, len(was)-len(is))...) // zeros at the end need no segment
		header, err := findHeader(was)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(was[:header+headerSize], is[:header+headerSize]), "what is before the tables")
		word := func(at int) int { return int(binary.LittleEndian.Uint64(was[at:])) }
		pcln := header + word(header+headerPcln)
		_, end, err := readFunctions(was[pcln:], word(header+headerFuncs))
		require.NoError(t, err)
		m, err := findModule(was, header, word(header+headerFuncs))
		require.NoError(t, err)
		for i := pcln + end; i < len(was); i++ {
			if i == m.data {
				i = m.buckets + m.pcs/bucketPCs*bucketBytes
			}
			if was[i] != is[i] {
				require.Failf(t, "changed", "at %d", i)
			}
		}
	}
}

func TestModuleOfAnotherReleaseIsRefused(t *testing.T) {
	module := testkit.Module(t, "testdata/fatal/main.go")
	version := strings.Fields(runtime.Version())[0] // without what experiments are on
	require.True(t, strings.HasPrefix(version, release), version)
	require.Contains(t, string(module), "producers")
	for _, other := range []string{"go1.28" + version[len(release):], "go1.26" + version[len(release):]} {
		_, err := Module(bytes.ReplaceAll(module, []byte(version), []byte(other)))
		require.Error(t, err)
		assert.Contains(t, err.Error(), "linked by "+other)
		assert.Contains(t, err.Error(), release)
	}
	_, err := Module(bytes.ReplaceAll(module, []byte("producers"), []byte("producerz")))
	require.ErrorContains(t, err, "does not say which Go release")
}

func TestReleases(t *testing.T) {
	for version, want := range map[string]bool{
		"go1.27": true, "go1.27.4": true, "go1.27.12": true, "go1.27rc1": true, "go1.27.4 X:nogreenteagc": true,
		"go1.2": false, "go1.270": false, "go1.28.4": false, "devel go1.28-abc": false, "": false,
	} {
		err := checkRelease([]section{{sectionCustom, []byte(producers("Go", version))}})
		assert.Equal(t, want, err == nil, "%q: %v", version, err)
	}
	require.Error(t, checkRelease([]section{{sectionCustom, []byte(producers("Rust", "go1.27.4"))}}))
	require.ErrorContains(t, checkRelease([]section{{sectionCustom, []byte(producers("Go", "go1.27.4")[:20])}}), "malformed")
}

// producers is the content of a producers section of one language.
func producers(language, version string) string {
	text := func(s string) string { return string(rune(len(s))) + s }
	return text("producers") + "\x01" + text("language") + "\x01" + text(language) + text(version)
}

func TestStrippedProgramSaysWhyItFails(t *testing.T) {
	module := testkit.Module(t, "testdata/fatal/main.go")
	stripped, err := Module(module)
	require.NoError(t, err)
	out, code := testkit.RunModule(t, module)
	assert.Equal(t, 2, code)
	require.Contains(t, out, "goroutine 1 [running]")
	want, _, _ := strings.Cut(out, "goroutine 1")
	require.Contains(t, want, "the reason")
	// The traceback goes through all frames, of which it no longer knows the names.
	for level, goroutines := range map[string]int{"single": 1, "all": 4, "system": 5} {
		out, code = testkit.RunModule(t, stripped, "GOTRACEBACK="+level)
		assert.Equal(t, 2, code)
		assert.True(t, strings.HasPrefix(out, want+"goroutine 1 "), out)
		assert.GreaterOrEqual(t, strings.Count(out, "\ngoroutine "), goroutines, out)
		assert.NotContains(t, out, "main.")
		assert.NotContains(t, out, "fatal error")
	}
}

func TestDataSectionSurvives(t *testing.T) {
	memory := make([]byte, 10_000)
	for i := range memory {
		if i%97 == 5 || i > 4000 && i < 4500 || i == len(memory)-1 {
			memory[i] = byte(i%255 + 1)
		}
	}
	copy(memory[200:900], make([]byte, 700))
	got, err := readData(writeData(memory))
	require.NoError(t, err)
	assert.Equal(t, memory, got)
}

func TestOtherModulesAreErrors(t *testing.T) {
	custom := producers("Go", release+".4")
	header := "\x00asm\x01\x00\x00\x00\x00" + string(rune(len(custom))) + custom
	segment := "\x00\x41\x08\x0b\x02hi"
	for name, c := range map[string]struct{ module, want string }{
		"nothing":           {"", "not a WebAssembly module"},
		"text":              {"<!doctype html>", "not a WebAssembly module"},
		"no release":        {header[:8], "does not say which Go release"},
		"no data":           {header, "no data section"},
		"section too long":  {header + "\x0b\x7f", "ends beyond"},
		"data count":        {header + "\x0c\x01\x00", "counts its data segments"},
		"no function table": {header + "\x0b\x08\x01" + segment, "no function table"},
		"passive segment":   {header + "\x0b\x04\x01\x01\x01a", "want 0x0"},
		"truncated segment": {header + "\x0b\x06\x01\x00\x41\x08\x0b\x09", "ends early"},
		"trailing bytes":    {header + "\x0b\x09\x01" + segment + "\x00", "behind the last"},
		"far address":       {header + "\x0b\x0a\x01\x00\x41\xff\xff\xff\xff\x03\x0b\x00", "outside the first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Module([]byte(c.module))
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func FuzzModule(f *testing.F) {
	custom := producers("Go", release)
	start := "\x00asm\x01\x00\x00\x00\x00" + string(rune(len(custom))) + custom
	f.Add([]byte(start + "\x0b\x09\x01\x00\x41\x08\x0b\x02hi"))
	header := append([]byte(start+"\x0b\x60\x01\x00\x41\x00\x0b\x58"), magic...)
	f.Add(append(header, make([]byte, 80)...))
	f.Fuzz(func(t *testing.T, module []byte) {
		_, _ = Module(module) // errors are fine, panics are not
	})
}
