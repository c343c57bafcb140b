package strip

import (
	"errors"
	"fmt"
	"strings"
)

// release is the only Go release whose tables this package knows. Before it is
// raised, compare the constants of this package with runtime.pcHeader, _func and
// moduledata (runtime/symtab.go, runtime2.go), with the FUNCDATA, PCDATA and FuncID
// of internal/abi, and with the places where the runtime calls funcname in order to decide something.
const release = "go1.27"

const sectionCustom = 0

// checkRelease reads which release linked the module from its producers section,
// which Go's linker always writes: language Go, with the version.
func checkRelease(sections []section) error {
	for _, s := range sections {
		if s.id != sectionCustom {
			continue
		}
		r := reader{b: s.content}
		if string(r.take(r.uleb())) != "producers" {
			continue
		}
		for fields := r.uleb(); fields > 0 && r.err == nil; fields-- {
			field := string(r.take(r.uleb()))
			for values := r.uleb(); values > 0 && r.err == nil; values-- {
				name, version := string(r.take(r.uleb())), string(r.take(r.uleb()))
				if field != "language" || name != "Go" || r.err != nil {
					continue
				}
				// go1.27, go1.27.4, go1.27rc1, and behind a blank what experiments are on.
				if rest, ok := strings.CutPrefix(version, release); ok && (rest == "" || rest[0] < '0' || rest[0] > '9') {
					return nil
				}
				return fmt.Errorf("strip: the module was linked by %s, and the tables known here are those of %s: "+
					"build it with that release, or see internal/strip/release.go for what to compare first", version, release)
			}
		}
		if r.err != nil {
			return errors.New("strip: the module's producers section is malformed")
		}
	}
	return errors.New("strip: the module does not say which Go release linked it")
}
