// Command threads divides a sum among threads, of which there is one.
package main

import "github.com/normwasm/normwasm/internal/threads"

func main() {
	threads.Start(2)
	sums := make([]int, 8)
	threads.For(len(sums), func(part int) {
		from, to := threads.Range(1000, len(sums), part)
		for i := from; i < to; i++ {
			sums[part] += i
		}
	})
	sum := 0
	for _, s := range sums {
		sum += s
	}
	println("sum", sum, "threads", threads.Count())
}
