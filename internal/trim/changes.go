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

	// Plugins and shared libraries.
	{"runtime/symtab.go", "moduledataverify1", "13fcaee71e6f", nothing},
	{"runtime/type.go", "typelinksinit", "d904d2a83a7e", nothing},

	// Threads: newosproc fails.
	{"runtime/proc.go", "stealWork", "adc68915faee", "{ return nil, false, now, 0, false }"},
	{"runtime/proc.go", "newm", "008900203d9b", `{ throw("newosproc: not implemented") }`},
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

	// The runtime's check of its compiler.
	{"runtime/runtime1.go", "check", "52fcc29da7ec", nothing},
}
