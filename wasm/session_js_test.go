//go:build !train

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSessionFailures(t *testing.T) {
	api := newAPI()
	require.Equal(t, "full", api.Get("edition").String())
	for name, want := range map[string]string{"open": "INVALID_MODEL", "run": "DISPOSED", "describe": "DISPOSED", "release": "DISPOSED"} {
		argument := any(5)
		if name == "open" {
			argument = jsBytes.New(5)
		}
		got := api.Call(name, argument)
		if assert.True(t, isError(got), name) {
			assert.Equal(t, want, got.Get("code").String(), name)
		}
	}
}
