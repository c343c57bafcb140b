//go:build wasm && purego

package threads

// Without SIMD there are no helpers.

const least = 8000

// Test does nothing here.
func Test(int) {}

// Count is how many threads there are.
func Count() int { return 1 }

// Start does nothing.
func Start(int) uintptr { return 0 }

func among() int { return Count() }

func most() int { return 1 }

// For calls f with the parts 0 to parts−1.
func For(parts int, f func(part int)) {
	for part := range parts {
		f(part)
	}
}
