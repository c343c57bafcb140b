// Package testkit is what the tests of the kernels share: oracles written straight
// from the formulas, seeded data with the hard rows by name, guard bands,
// measures of error, the reader of ONNX's conformance cases, and modules that Go compiles.
//
// The oracles know nothing of the code under test: statistics are exact rationals
// rounded at the end (math/big), the rest is float64. Only tests import this
// package; it may be slow.
package testkit
