//go:build !unix

package onnx

import "time"

var started = time.Now()

func clock() time.Duration { return time.Since(started) }
