// Package threads divides a step of a network among threads: the one that Go runs on and
// helpers, which are workers with the kernels of internal/kernel on the same memory and
// without Go's runtime.
//
// For calls a function for each part of a step. Of a part that is meant for a helper, the
// calls of kernels are recorded, not computed; the helper repeats them from the record. So
// what the function does with a part must hold either way:
//
//   - Parts write to memory of their own, scratch too, and read nothing that another writes.
//   - What Go reads and writes of memory that the part's kernels touch is read before For and
//     written before all of the part's kernels; they are what works on data, one after another.
//   - It may be called twice for a part, once recorded and once not, and does the same both times.
//   - Kernels are given addresses of the heap, never of a variable on Go's stack, and give
//     their results in memory: what a recorded call returns is undefined.
//   - It allocates nothing, does not panic on purpose. A For in it is not divided again.
//
// Where results depend on a sum's order, parts must not cut the sum: the bits are the same
// whatever the number of threads.
package threads

// Range is what falls to a part of n units that are divided as evenly as they can be.
func Range(n, parts, part int) (from, to int) {
	return n * part / parts, n * (part + 1) / parts
}

// perThread is how many parts a thread gets, so that one which is slower, or begins later, does
// fewer. With more of them, each reads what all parts need once more.
const perThread = 2

// Parts is into how many parts to divide n units of work that take so many nanoseconds
// together; 1 where there are no helpers now or it does not pay. Units are not divided further.
func Parts(n, ns int) int {
	count := among()
	if count == 1 || n < 2 || ns < 2*least {
		return 1
	}
	parts := min(n, count*perThread, ns/least)
	if parts > count && parts < n {
		parts -= parts % count // of three parts, one of two threads would compute two
	}
	return parts
}

// Shares is Parts with one part a thread at most: for steps whose parts have so much memory of their
// own that a core's cache has no room for that of two.
func Shares(n, ns int) int { return min(Parts(n, ns), Count()) }

// MostParts is what Parts gives at most for n units while the number of threads is what it was
// asked to be: so much scratch is to be planned where each part has its own.
func MostParts(n int) int {
	if most() == 1 {
		return 1
	}
	return max(min(n, most()*perThread), 1)
}

// MostShares is for Shares what MostParts is for Parts.
func MostShares(n int) int { return min(MostParts(n), most()) }

// used is how many threads a For was divided among since Used was called, at most.
var used = 1

// Used is how many threads the calls of For since the latest Used were divided among at most.
func Used() int {
	n := used
	used = 1
	return n
}

// LostError says that a helper disappeared in the midst of its work.
type LostError struct{}

func (*LostError) Error() string {
	return "a thread that computed a part of this run has disappeared; what the run has computed is incomplete, and later runs are computed in one thread"
}

var results [(64 + 1) * perThread]int

// Result is memory for a number that a part's kernel gives, until the next For.
func Result(part int) *int { return &results[part] }
