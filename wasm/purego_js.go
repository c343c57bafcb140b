//go:build purego

package main

const simd = false
