package ir

// Ordered returns 0 … n−1 so that less, which compares two of them, holds from one
// to the next; those that are equal stay as they are. (Package slices would make
// its sorting functions anew for each type.)
func Ordered(n int, less func(a, b int) bool) []int {
	list, next := make([]int, n), make([]int, n)
	for i := range list {
		list[i] = i
	}
	for width := 1; width < n; width *= 2 {
		for from := 0; from < n; from += 2 * width {
			i, mid, to := from, min(from+width, n), min(from+2*width, n)
			j := mid
			for k := from; k < to; k++ {
				if i < mid && (j == to || !less(list[j], list[i])) {
					next[k] = list[i]
					i++
				} else {
					next[k] = list[j]
					j++
				}
			}
		}
		list, next = next, list
	}
	return list
}
