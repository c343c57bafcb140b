//go:build !js

package norm

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// On most processors but amd64 the compiler may contract a product with a sum, across
// statements too, unless a conversion stands between: then results would have other
// bits there. Its listing for arm64 shows where.
func TestNothingIsContracted(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil || testing.Short() {
		t.Skip("skipped: it takes the go tool and its time")
	}
	build := exec.Command(tool, "build", "-gcflags=-S", ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0")
	listing, err := build.CombinedOutput()
	require.NoError(t, err, "%.1000s", listing)
	require.Regexp(t, `FMULD`, string(listing), "this is no listing")
	found := regexp.MustCompile(`\([^()]*\.go:\d+\)\s+FN?M(ADD|SUB)[SD]`).FindAll(listing, -1)
	for _, line := range found {
		assert.Fail(t, "contracted", "%s: write float64(a*b) + c", line)
	}
}
