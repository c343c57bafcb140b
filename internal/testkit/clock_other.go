//go:build !unix

package testkit

import "time"

var started = time.Now()

// CPUTime is the time since some moment, where nothing tells how long this process has
// computed.
func CPUTime() time.Duration { return time.Since(started) }
