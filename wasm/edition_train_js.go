//go:build train

package main

// edition is what this module has beside the normalizations.
const edition = "train"
