// Package lift takes the kernels out of linked WebAssembly modules of Go programs: what helpers
// run, workers that compute on the same memory as Go does.
//
// A kernel is a function of internal/kernel. It takes its arguments from Go's stack, computes, and takes its return
// address off the stack: it touches nothing of Go's runtime but the stack pointer. At its start it looks whether calls are
// recorded, and if so copies its arguments to a tape in memory, with its index, and returns.
// By these instructions, which nothing else has, a kernel is known: a linked module has no names.
//
// Kernels writes a module that has the kernels without them, a table with each at its index, and a
// function that calls them as the tape says. What would not be the same there, a call, another
// global, a table, is an error that names the kernel.
package lift

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Kernels returns a module of all kernels that some of the modules have, which are editions of
// one program, and the names of those that none has.
func Kernels(modules ...[]byte) (module []byte, missing []string, err error) {
	return lift(names, modules)
}

func lift(names []string, modules [][]byte) (module []byte, missing []string, err error) {
	found := make([]*kernel, len(names))
	for i, m := range modules {
		list, err := kernelsOf(names, m)
		if err != nil {
			return nil, nil, fmt.Errorf("lift: module %d: %w", i+1, err)
		}
		for _, k := range list {
			switch has := found[k.index]; {
			case has == nil:
				found[k.index] = &k
			case !bytes.Equal(has.body, k.body):
				// What else differs between editions is where the linker puts data.
				return nil, nil, fmt.Errorf("lift: module %d: kernel %s is not the same as in another module: does it contain an address?", i+1, names[k.index])
			}
		}
	}
	var list []kernel
	for i, k := range found {
		if k == nil {
			missing = append(missing, names[i])
			continue
		}
		list = append(list, *k)
	}
	if len(list) == 0 {
		return nil, nil, errors.New("lift: no function begins as a kernel that records its calls does")
	}
	return write(list), missing, nil
}

// kernel is a function that was lifted: locals and instructions, without what records a call.
type kernel struct {
	index int
	body  []byte
}

// kernelsOf returns the kernels of one module.
func kernelsOf(names []string, module []byte) ([]kernel, error) {
	m, err := read(module)
	if err != nil {
		return nil, err
	}
	var list []kernel
	var failed []error
	var first *prologue
	for i, body := range m.bodies {
		if !m.follows(i) {
			continue
		}
		f, err := readFunction(body)
		p, rest, errPrologue := f.prologue()
		switch {
		case errPrologue != nil:
			failed = append(failed, fmt.Errorf("function %d: %w", i, errPrologue))
			continue
		case p == nil && err != nil:
			failed = append(failed, fmt.Errorf("function %d: %w", i, err))
			continue
		case p == nil:
			continue
		case p.index >= len(names):
			failed = append(failed, fmt.Errorf("function %d: kernel %d, there are names for %d", i, p.index, len(names)))
			continue
		}
		if err == nil {
			err = f.alone(rest)
		}
		if err == nil && first != nil && p.tape != first.tape {
			err = fmt.Errorf("it records at %#x, others at %#x", p.tape, first.tape)
		}
		if err == nil && slices.ContainsFunc(list, func(k kernel) bool { return k.index == p.index }) {
			err = errors.New("another function has the same index")
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("kernel %s: %w", names[p.index], err))
			continue
		}
		if first == nil {
			first = p
		}
		list = append(list, kernel{p.index, f.without(rest)})
	}
	return list, errors.Join(failed...)
}
