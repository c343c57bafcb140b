package trim

// settings are the fields of the runtime's variable debug that nothing sets but GODEBUG, which is not read: with the values
// that they have then.
var settings = map[string]string{
	"adaptivestackstart":       "1",
	"asyncpreemptoff":          "0",
	"cgocheck":                 "1",
	"checkfinalizers":          "0",
	"clobberfree":              "0",
	"dontfreezetheworld":       "0",
	"efence":                   "0",
	"gccheckmark":              "0",
	"gcpacertrace":             "0",
	"gcshrinkstackoff":         "0",
	"gcstoptheworld":           "0",
	"gctrace":                  "0",
	"inittrace":                "0",
	"invalidptr":               "1",
	"malloc":                   "false",
	"profstackdepth":           "128",
	"sbrk":                     "0",
	"scavtrace":                "0",
	"scheddetail":              "0",
	"schedtrace":               "0",
	"traceadvanceperiod":       "0",
	"traceCheckStackOwnership": "0",
	"tracebackancestors":       "0",
	"tracefpunwindoff":         "0",
	"updatemaxprocs":           "0",
}

const nothing = "{}"

var changes = []change{
	// GODEBUG.
	{"runtime/runtime1.go", "parseRuntimeDebugVars", "d73564021618", nothing},
	{"runtime/runtime1.go", "reparsedebugvars", "7c0c1e0476e4", nothing},
	{"runtime/runtime1.go", "parsegodebug", "a9bf5b76d8ee", nothing},
	{"runtime/runtime1.go", "var dbgvars", "883275c9928f", "[]*dbgVar(nil)"},
	{"internal/cpu/cpu.go", "processOptions", "dcbdaaee4fd9", nothing},

	// The tracer, which nothing that is linked starts.
	{"runtime/traceruntime.go", "traceEnabled", "396410eac0ec", "{ return false }"},
	{"runtime/traceruntime.go", "traceAllocFreeEnabled", "b91d1f48bb01", "{ return false }"},
	{"runtime/traceruntime.go", "traceShuttingDown", "92d2c8df45e6", "{ return false }"},
	{"runtime/traceruntime.go", "traceAcquire", "75cb758204db", "{ return traceLocker{} }"},
	{"runtime/traceruntime.go", "traceLocker.ok", "2a5311786c84", "{ return false }"},
	{"runtime/traceruntime.go", "traceLockInit", "19dca659da30", nothing},
	{"runtime/traceruntime.go", "traceExitingSyscall", "5a99243d3dd7", nothing},
	{"runtime/traceruntime.go", "traceExitedSyscall", "417260585503", nothing},
	{"runtime/traceruntime.go", "traceThreadDestroy", "cbd8f155d7d0", nothing},
	{"runtime/trace.go", "traceReader", "1103c4b9a2e9", "{ return nil }"},
	{"runtime/trace.go", "traceReaderAvailable", "e7c145395c0c", "{ return nil }"},
	{"runtime/trace.go", "traceAdvance", "13a1cecfad58", nothing},
	{"runtime/traceallocfree.go", "traceLocker.SpanFree", "056962ba53d1", nothing},
	{"runtime/trace.go", "StartTrace", "33c928bf666c", `{ return errorString("no tracer") }`},

	// Profiles, which nothing that is linked reads.
	{"runtime/mprof.go", "mutexevent", "5373ca69b2d1", nothing},
	{"runtime/mprof.go", "blockevent", "015fd9fa33bb", nothing},
	{"runtime/mprof.go", "mProf_Malloc", "0603de940359", nothing},
	{"runtime/mprof.go", "mProf_Free", "426b1bea66bf", nothing},
	{"runtime/mprof.go", "mProf_NextCycle", "3b95aed333b0", nothing},
	{"runtime/mprof.go", "mProf_Flush", "cb9faa24c156", nothing},
	{"runtime/mprof.go", "mProf_PostSweep", "2f6845f3abd6", nothing},
	{"runtime/mprof.go", "tryRecordGoroutineProfile", "1509788240b7", nothing},
	{"runtime/mprof.go", "doRecordGoroutineProfile", "8e161f614b4f", nothing},
	{"runtime/malloc.go", "profilealloc", "ad099ca12180", nothing},
	{"runtime/malloc.go", "nextSample", "8e1de15b506e", "{ return math.MaxInt64 }"},
	{"runtime/proc.go", "mProfStackInit", "0067272805a3", nothing},
	{"runtime/mgc.go", "findGoroutineLeaks", "7036c1d026d7", "{ return true }"},
	{"runtime/mgc.go", "gcRestoreSyncObjects", "c7171e82f225", nothing},
	{"runtime/mgc.go", "setSyncObjectsUntraceable", "a865e4fda50c", nothing},
	{"runtime/mgcmark.go", "allGsSnapshotSortedForGC", "7176e1519b39", `{ throw("no profile of leaked goroutines"); return nil, 0 }`},
	{"runtime/mcheckmark.go", "setCheckmark", "25e5f7fa91bb", "{ return false }"},

	// Plugins and shared libraries.
	{"runtime/symtab.go", "moduledataverify1", "13fcaee71e6f", nothing},
	{"runtime/type.go", "typelinksinit", "d904d2a83a7e", nothing},

	// Threads: newosproc fails.
	{"runtime/proc.go", "stealWork", "adc68915faee", "{ return nil, false, now, 0, false }"},
	{"runtime/proc.go", "newm", "008900203d9b", `{ throw("newosproc: not implemented") }`},
	{"runtime/proc.go", "startm", "7d813b00ffba", `{ throw("newosproc: not implemented") }`},
	{"runtime/proc.go", "handoffp", "a5cf61326445", `{ throw("newosproc: not implemented") }`},
	{"runtime/proc.go", "stoplockedm", "d1084b3ddf75", `{ throw("newosproc: not implemented") }`},
	{"runtime/proc.go", "startlockedm", "95317796b83b", `{ throw("newosproc: not implemented") }`},
	{"runtime/proc.go", "mexit", "efa0dd4bcbe0", `{ throw("the only thread ends") }`},
	{"runtime/proc.go", "newextram", "32f193fd0116", nothing},
	{"runtime/cgocall.go", "cgocall", "5fbd2da17a48", `{ throw("cgocall unavailable"); return 0 }`},
	{"runtime/traceback.go", "cgoContextPCs", "24a0052ba2e5", nothing},
	{"runtime/traceback.go", "(*unwinder).cgoCallers", "3f80e10db57e", "{ return 0 }"},
	{"runtime/traceback.go", "printOneCgoTraceback", "0b2f9891eaeb", "{ return false }"},
	{"runtime/symtab.go", "expandCgoFrames", "0bec84964a7f", "{ return nil }"},
	{"runtime/arena.go", "(*mspan).setUserArenaChunkToFault", "e196c6b32ca9", nothing},

	// The operating system gets no memory back.
	{"runtime/mgcscavenge.go", "bgscavenge", "8bcc4cbeea61", "{ c <- 1 }"},
	{"runtime/mgcscavenge.go", "(*pageAlloc).scavenge", "9b71abf225b4", "{ return 0 }"},
	{"runtime/mgcscavenge.go", "(*scavengerState).wake", "3740831d4764", nothing},
	{"runtime/mgcscavenge.go", "(*scavengeIndex).alloc", "2475f5df717b", nothing},
	{"runtime/mgcscavenge.go", "(*scavengeIndex).free", "7356de8c8c01", nothing},
	{"runtime/mgcscavenge.go", "(*scavengeIndex).nextGen", "b20aae03edbb", nothing},
	{"runtime/mgcscavenge.go", "gcPaceScavenger", "8902ed6d5345", nothing},
	{"runtime/malloc.go", "(*mheap).enableMetadataHugePages", "a2cb2856ddf7", nothing},

	// What is printed when the runtime fails: the reason is enough, for tracebacks name nothing.
	{"runtime/traceback.go", "traceback1", "488fe507ca5e", nothing},
	{"runtime/traceback.go", "tracebackothers", "ad8f581f5e42", nothing},
	{"runtime/traceback.go", "tracebacksomeothers", "6f41d6d5ebea", nothing},
	{"runtime/traceback.go", "tracebackHexdump", "8f8aeda75d18", nothing},
	{"runtime/traceback.go", "goroutineheader", "b7ef7225ce58", nothing},
	{"runtime/traceback.go", "printcreatedby", "771b685d91b8", nothing},
	{"runtime/hexdump.go", "hexdumpWords", "df1fc5d6cecc", nothing},
	{"runtime/mgcmark.go", "gcDumpObject", "bbe6e8468b32", nothing},
	{"runtime/mgcsweep.go", "(*mspan).reportZombies", "206e52008a27", `{ throw("found pointer to free object") }`},
	{"runtime/error.go", "printanycustomtype", "ebb66cbdcc31", `{ print("(", toRType(efaceOf(&i)._type).string(), ") ", efaceOf(&i).data) }`},
	{"runtime/mbitmap.go", "badPointer", "d23ad7f00fc2", `{ throw("found bad pointer in Go heap (incorrect use of unsafe or cgo?)") }`},
	{"runtime/proc.go", "dumpgstatus", "2d0dba6b661a", nothing},

	// The runtime's check of its compiler.
	{"runtime/runtime1.go", "check", "52fcc29da7ec", nothing},

	// Tests of goroutines in bubbles, which only testing/synctest makes.
	{"runtime/synctest.go", "(*synctestBubble).changegstatus", "08cdf8cc33b8", nothing},
	{"runtime/synctest.go", "(*synctestBubble).incActive", "f55950603edf", nothing},
	{"runtime/synctest.go", "(*synctestBubble).decActive", "f05b5d56b384", nothing},

	// There is one module, and no reflection makes types: what a type refers to lies beside it.
	{"runtime/type.go", "resolveNameOff", "ae0a176ff763", `{
	if off == 0 {
		return name{}
	}
	if md := &firstmoduledata; uintptr(ptrInModule) >= md.types && uintptr(ptrInModule) < md.etypes {
		return name{Bytes: (*byte)(unsafe.Pointer(md.types + uintptr(off)))}
	}
	throw("runtime: name offset base pointer out of range")
	return name{}
}`},
	{"runtime/type.go", "resolveTypeOff", "87e7ac4b4dd7", `{
	if off == 0 || off == -1 {
		return nil
	}
	if md := &firstmoduledata; uintptr(ptrInModule) >= md.types && uintptr(ptrInModule) < md.etypes {
		return (*_type)(unsafe.Pointer(md.types + uintptr(off)))
	}
	throw("runtime: type offset base pointer out of range")
	return nil
}`},
	{"runtime/type.go", "rtype.textOff", "2a6409e22b1c", `{
	if off == -1 {
		return unsafe.Pointer(abi.FuncPCABIInternal(unreachableMethod))
	}
	if md := &firstmoduledata; uintptr(unsafe.Pointer(t.Type)) >= md.types && uintptr(unsafe.Pointer(t.Type)) < md.etypes {
		return unsafe.Pointer(md.textAddr(uint32(off)))
	}
	throw("runtime: text offset base pointer out of range")
	return nil
}`},

	// Start-up as it is without prints.
	{"runtime/proc.go", "doInit1", "f59831fec45d", `{
	switch t.state {
	case 2:
		return
	case 1:
		throw("recursive call during initialization - linker skew")
	}
	t.state = 1
	if t.nfns == 0 {
		throw("inittask with no functions")
	}
	for i := uint32(0); i < t.nfns; i++ {
		p := add(add(unsafe.Pointer(t), 8), uintptr(i)*goarch.PtrSize)
		f := *(*func())(unsafe.Pointer(&p))
		f()
	}
	t.state = 2
}`},

	// Formats of numbers that are not printed.
	{"internal/strconv/ftoa.go", "fmtB", "d8b236a86914", `{ panic("strconv: format b is left out") }`},
	{"internal/strconv/ftoa.go", "fmtX", "06322cfdcd99", `{ panic("strconv: format x is left out") }`},
}
