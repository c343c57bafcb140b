// Package asmtest holds what the assembler package writes for each of its
// constructs and workarounds, so that a test can run them. Nothing imports it.
package asmtest
