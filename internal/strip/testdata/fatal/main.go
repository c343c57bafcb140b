// A program that ends by a panic which nothing recovers, with other goroutines
// waiting.
package main

type reason struct{ n int }

func (r reason) Error() string { return "the reason" }

func main() {
	for range 3 {
		go func() { select {} }()
	}
	defer println("deferred")
	panic(reason{1})
}
