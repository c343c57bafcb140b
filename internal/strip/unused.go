package strip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionCode     = 10
)

// Go's linker keeps these functions of the runtime, because calls of them are
// linked, but nothing makes the calls: each needs a feature that has to be
// started by a package (runtime/trace, runtime/pprof, plugin, testing/synctest)
// whose entry points the linker has found unused. A call would end the module.
var unused = []string{
	// The execution tracer: what runs behind traceEnabled() or a locker that is ok.
	"runtime.traceAdvance", "runtime.traceLocker.", "runtime.traceWriter.", "runtime.traceEventWriter.",
	"runtime.(*traceMap).", "runtime.(*traceRegionAlloc).", "runtime.(*traceStackTable).",
	"runtime.(*traceStringTable).", "runtime.(*traceTypeTable).", "runtime.(*traceBuf).",
	"runtime.traceStack", "runtime.traceReadCPU", "runtime.traceStopReadCPU", "runtime.traceSyncBatch",
	"runtime.traceRegisterLabelsAndReasons", "runtime.makeTraceFrame", "runtime.dumpStacksRec",
	"runtime.dumpTypesRec", "runtime.fpunwindExpand", "runtime.startPCForTrace", "runtime.goStatusToTraceGoStatus",
	// Reading a CPU profile, and stacks for a profile of blocking.
	"runtime.(*profBuf).", "runtime.fpTracebackPartialExpand",
	// Profiles: of memory, which the linker turns off where nothing reads it (but for the
	// first allocations, see silent), and of waiting.
	"runtime.mProf_Free", "runtime.setprofilebucket", "runtime.stkbucket", "runtime.newBucket",
	"runtime.blockevent", "runtime.mutexevent", "runtime.saveblockevent", "runtime.saveBlockEventStack",
	// Floats in hexadecimal and in binary, formats that nothing asks for.
	"internal/strconv.fmtX", "internal/strconv.fmtB",
	// Types of several modules, which only plugins are.
	"runtime.typesEqual",
	// Goroutines in a test's bubble.
	"runtime.(*synctestBubble).",
	// What the silent functions call, and nothing else.
	"runtime.traceback2", "runtime.printArgs", "runtime.printAncestorTracebackFuncInfo",
	"runtime.printOneCgoTraceback", "runtime.(*hexdumper).",
	"runtime.makeTraceFrames", "runtime.printcreatedby", "runtime.printcreatedby1", "runtime.printquoted",
	"runtime.tracebackStringNeedsQuoting", "runtime.printFuncName", "runtime.showframe", "runtime.showfuncinfo",
	"runtime.isExportedRuntime",
}

// usedAll are functions that have a prefix of unused and are called all the same.
var usedAll = []string{"runtime.traceLocker.ok"}

// silent functions return nothing and only print or check: goroutines and their stacks
// when the program ends, which without names and lines say nothing, what GODEBUG asks
// for, a panic's value where its type is one of the program's without an Error or String
// method, and, when the program starts, a sample of memory for the profile, whether the
// linker wrote its tables well and in which modules types are that only plugins have.
// They return at once.
var silent = map[string]bool{
	"runtime.traceback1": true, "runtime.tracebacksomeothers": true, "runtime.tracebackHexdump": true,
	"runtime.printAncestorTraceback": true, "runtime.printCgoTraceback": true, "runtime.goroutineheader": true,
	"runtime.schedtrace": true, "runtime.printScavTrace": true, "runtime.dumpgstatus": true,
	"runtime.hexdumpWords": true, "runtime.gcDumpObject": true, "runtime.checkFinalizersAndCleanups": true,
	"runtime.printanycustomtype": true, "runtime.moduledataverify1": true, "runtime.typelinksinit": true,
	"runtime.parsegodebug": true, "runtime.mProf_Malloc": true,
}

// orphaned functions are called by name only, and in many modules by none but functions
// that are emptied: there they are emptied too.
var orphaned = []string{
	"runtime.(*Frames).Next", "runtime.expandCgoFrames", "runtime.funcline", "runtime.funcline1", "runtime.funcfile",
	"runtime.(*inlineUnwinder).fileLine", "runtime.notetsleepg", "runtime.moduleTypelinks",
	// Maps whose keys are neither strings nor pointers.
	"runtime.mapassign", "runtime.mapaccess1", "runtime.mapaccess2", "runtime.mapassign_fast64",
	"internal/runtime/maps.(*Map).putSlotSmall", "internal/runtime/maps.(*Map).getWithKey",
	"internal/runtime/maps.(*Map).getWithKeySmall", "internal/runtime/maps.(*table).getWithKey",
	"internal/runtime/maps.(*table).uncheckedPutSlotForAssign", "internal/runtime/maps.(*Map).putSlotSmallFast64",
	"internal/runtime/maps.(*table).uncheckedPutSlotForAssignFast64",
	"internal/runtime/maps.mapKeyError", "internal/runtime/maps.mapKeyError2",
	// Complex numbers.
	"runtime.printcomplex64", "runtime.printcomplex128", "internal/strconv.AppendComplex",
}

// Bodies without locals. A Go function returns by taking its return address off
// the stack (global 0 is the stack pointer) and giving 0: it was not interrupted.
var (
	trap    = []byte{0, 0x00, 0x0b}                                                 // unreachable
	nothing = []byte{0, 0x23, 0x00, 0x41, 0x08, 0x6a, 0x24, 0x00, 0x41, 0x00, 0x0b} // sp += 8; 0
)

// bodyInstead is what the function of this name becomes, nil when it stays.
func bodyInstead(name string) []byte {
	outer, _, _ := strings.Cut(name, ".func") // closures go with their function
	if silent[name] {
		return nothing
	}
	if silent[outer] {
		return trap
	}
	for _, s := range usedAll {
		if name == s {
			return nil
		}
	}
	for _, s := range unused {
		if strings.HasSuffix(s, ".") && strings.HasPrefix(name, s) || outer == s {
			return trap
		}
	}
	return nil
}

// addOrphans empties those of some functions, by their position, that no function calls
// which is not emptied: a call is an opcode, 0x10, and the function's number. Bytes that
// only look like one keep it.
func addOrphans(code []byte, imports int, some []int, instead map[int][]byte) error {
	r := reader{b: code}
	var bodies [][]byte
	for count := r.uleb(); count > 0 && r.err == nil; count-- {
		bodies = append(bodies, r.take(r.uleb()))
	}
	if r.err != nil {
		return fmt.Errorf("strip: the code section is malformed: %w", r.err)
	}
	for again := true; again; {
		again = false
		for _, f := range some {
			if instead[f] != nil {
				continue
			}
			called := false
			for i, body := range bodies {
				called = called || i != f && instead[i] == nil && calls(body, imports+f)
			}
			if !called {
				instead[f], again = trap, true
			}
		}
	}
	return nil
}

// calls says whether a body may call a function. Go's linker writes its number as a signed
// one, which may take a byte more.
func calls(body []byte, function int) bool {
	call := binary.AppendUvarint([]byte{0x10}, uint64(function))
	last := len(call) - 1
	if call[last]&0x40 != 0 {
		signed := append(append([]byte(nil), call...), 0)
		signed[last] |= 0x80
		return bytes.Contains(body, call) || bytes.Contains(body, signed)
	}
	return bytes.Contains(body, call)
}

// imported is how many functions an import section has.
func imported(section []byte) (n int, err error) {
	r := reader{b: section}
	for count := r.uleb(); count > 0 && r.err == nil; count-- {
		r.take(r.uleb())
		r.take(r.uleb())
		if kind := r.take(1); r.err == nil && kind[0] != 0 {
			return 0, errors.New("strip: the module imports more than functions")
		}
		r.uleb()
		n++
	}
	return n, r.err
}

// replaceBodies gives the functions of the code section that instead holds, by
// their position in it, the bodies there.
func replaceBodies(code []byte, instead map[int][]byte) ([]byte, error) {
	r := reader{b: code}
	count := r.uleb()
	out := binary.AppendUvarint(nil, count)
	for i := 0; uint64(i) < count && r.err == nil; i++ {
		body := r.take(r.uleb())
		if b, ok := instead[i]; ok {
			body = b
		}
		out = append(binary.AppendUvarint(out, uint64(len(body))), body...)
	}
	if r.err != nil {
		return nil, fmt.Errorf("strip: the code section is malformed: %w", r.err)
	}
	return out, nil
}

// isGo checks that the functions which get other bodies have the type of all
// compiled Go functions: one i32 to one i32, the first type there is.
func isGo(types, functions []byte, instead map[int][]byte) error {
	r := reader{b: types}
	r.uleb()
	if string(r.take(5)) != "\x60\x01\x7f\x01\x7f" {
		return errors.New("strip: the module's first type is not that of Go's functions")
	}
	r = reader{b: functions}
	count := r.uleb()
	for i := 0; uint64(i) < count && r.err == nil; i++ {
		if typ := r.uleb(); typ != 0 && instead[i] != nil {
			return fmt.Errorf("strip: function %d has type %d: not one of Go's", i, typ)
		}
	}
	for i := range instead {
		if i < 0 || uint64(i) >= count {
			return fmt.Errorf("strip: function %d of %d", i, count)
		}
	}
	return r.err
}
