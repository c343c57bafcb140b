//go:build !train && !lean

package main

// edition is what this module has beside the normalizations.
const edition = "full"
