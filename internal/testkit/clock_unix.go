//go:build unix

package testkit

import (
	"syscall"
	"time"
)

// CPUTime is how long this process has computed: on a busy machine others' work does not
// count. Two readings give what lies between, collections of garbage included.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
