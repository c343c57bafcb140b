// Package op has one row for each operator, with all that is known of it: name,
// domain, opsets, the types of its operands and results, its attributes with their
// defaults, how the rank of its result follows, and the function that plans it.
// Checking a model, inferring ranks and types, the page of operators in docs and the
// tests against another runtime range over the rows.
//
// Adding an operator is one file: its row, its plan function, its step.
package op
