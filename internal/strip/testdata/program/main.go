// A program that leans on what the runtime reads beside code: it unwinds,
// recovers, grows stacks, collects garbage and switches goroutines.
package main

import (
	"runtime"
	"strings"
)

type node struct {
	next *node
	data [64]byte
}

func deep(n int) int {
	var pad [32]int
	pad[n%32] = n
	if n == 0 {
		return 0
	}
	return deep(n-1) + pad[n%32] - n + 1
}

func fall(list []int, i int) (what string) {
	defer func() {
		what = recover().(error).Error()
	}()
	return string(rune(list[i]))
}

type fmtStringer interface{ String() string }

type pair struct{ a, b string }

func (p pair) String() string { return p.a + p.b }

// nilCall calls a value's method through a nil pointer: the runtime words its
// panic by the method's name.
func nilCall(s fmtStringer) (what string) {
	defer func() {
		what = recover().(error).Error()
	}()
	return s.String()
}

func main() {
	println("deep", deep(5000))
	println("recovered", fall([]int{1, 2}, 7))
	var keep *node
	for i := range 20000 {
		n := &node{data: [64]byte{byte(i)}}
		if i%10 == 0 {
			n.next, keep = keep, n
		}
	}
	runtime.GC()
	count := 0
	for n := keep; n != nil; n = n.next {
		count++
	}
	println("kept", count)
	ch := make(chan int)
	for i := range 10 {
		go func() { ch <- deep(i * 100) }()
	}
	sum := 0
	for range 10 {
		sum += <-ch
		runtime.GC()
	}
	println("sum", sum)
	var none *pair
	var s fmtStringer = none
	println("recovered", nilCall(s))
	counts, names := map[pair]int{}, map[int]string{}
	for i := range 100 {
		counts[pair{"a", strings.Repeat("b", i%3)}]++
		names[i] = "n"
	}
	println("maps", len(counts), counts[pair{"a", "bb"}], len(names), names[7], complex(1, 2))
	pc, _, line, _ := runtime.Caller(0)
	println("name", strings.TrimPrefix(runtime.FuncForPC(pc).Name(), "command-line-arguments."), "line", line > 0)
}
