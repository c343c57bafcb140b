//go:build !purego

package main

// simd says whether the kernels are those in SIMD assembly.
const simd = true
