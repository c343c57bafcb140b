// A program that leans on what the runtime reads beside code: it unwinds,
// recovers, grows stacks, collects garbage and switches goroutines.
package main

import (
	"errors"
	"iter"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"
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

// nested defers in a loop, which are not open-coded, panics anew while it unwinds, and
// recovers from the last.
func nested(n int) (what string) {
	defer func() {
		r := recover()
		what += "|" + r.(string)
	}()
	for i := range n {
		defer func() {
			if i%2 == 0 {
				panic(strings.Repeat("x", i) + recover().(string))
			}
			what += string(rune('a' + i))
		}()
	}
	panic("first")
}

// leave ends a goroutine in the middle of its frames: each deferred call runs.
func leave(n int, done *sync.WaitGroup, count *int) {
	defer done.Done()
	defer func() { *count += n }()
	if n == 0 {
		runtime.Goexit()
	}
	done.Add(1)
	leave(n-1, done, count)
	println("not reached")
}

// pairs ranges over a function, which a panic in the loop's body unwinds through.
func pairs(n int) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for i := range n {
			if !yield(&node{data: [64]byte{byte(i)}}) {
				return
			}
		}
	}
}

func rangeOver() (sum int, what string) {
	defer func() { what = recover().(error).Error() }()
	var list []int
	for n := range pairs(100) {
		sum += int(n.data[0])
		if n.data[0] == 50 {
			sum += list[sum]
		}
	}
	return
}

// reflected calls through the two stubs of reflect whose frames the runtime knows by their
// names, with pointers in them while the collector runs.
func reflected() string {
	swap := reflect.MakeFunc(reflect.TypeFor[func(*string, []string) (string, *string)](), func(args []reflect.Value) []reflect.Value {
		runtime.GC()
		deep(2000)
		joined := strings.Join(args[1].Interface().([]string), "+")
		return []reflect.Value{reflect.ValueOf(joined), args[0]}
	}).Interface().(func(*string, []string) (string, *string))
	word := strings.Repeat("w", 3)
	joined, back := swap(&word, []string{strings.Repeat("l", 2), strings.Repeat("r", 2)})
	method := reflect.ValueOf(pair{strings.Repeat("p", 2), strings.Repeat("q", 2)}).Method(0).Interface().(func() string)
	return joined + *back + method()
}

// collected says how many finalizers and cleanups of dropped values run.
func collected() int {
	ran := make(chan int, 20)
	for i := range 10 {
		n := &node{data: [64]byte{byte(i)}}
		runtime.SetFinalizer(n, func(n *node) { ran <- int(n.data[0]) })
		m := &node{}
		runtime.AddCleanup(m, func(i int) { ran <- i }, i)
	}
	sum := 0
	for i := 0; i < 20; {
		runtime.GC()
		select {
		case n := <-ran:
			sum, i = sum+n, i+1
		case <-time.After(time.Millisecond):
		}
	}
	return sum
}

func main() {
	println("nested", nested(5))
	var done sync.WaitGroup
	left := 0
	done.Add(1)
	go leave(40, &done, &left)
	done.Wait()
	println("left", left)
	println(rangeOver())
	println("reflected", reflected())
	println("collected", collected())
	var missing *node
	println("joined", errors.Join(errors.New("one"), errors.New("two")).Error(), func() (e error) {
		defer func() { e = recover().(error) }()
		missing.next.next = nil
		return
	}().Error())
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
