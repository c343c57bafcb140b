//go:build unix

package onnx

import (
	"syscall"
	"time"
)

// clock is the time that this process has computed for: on a busy machine others' work does not count.
func clock() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
