package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge"
)

// comment is a JSDoc comment: what an operation computes, and tags.
func comment(doc string, tags ...string) string {
	lines := append(strings.Split(doc, "\n"), tags...)
	return "/**\n * " + strings.Join(lines, "\n * ") + "\n */\n"
}

// frames writes js/src/frames.js.
func frames(string, []byte) ([]byte, error) {
	b := bytes.NewBufferString(header + `// Calls of the operations: operands and options in the order in which the module takes them.
import { defaultEpsilon, none, words } from './bridge.js';

/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./core.js').Core} Core */
/** An operand that the caller has placed. @typedef {{ handle: number, offset: number, count: number }} Place */
`)
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		if o.Places {
			placed(p, i, o)
			continue
		}
		var fields []string
		if o.Axes {
			fields = append(fields, "axes?: readonly number[]")
		}
		begin := "beginWithout()"
		operands := rest(o)
		if input(o) > 0 {
			begin = "begin()"
			if o.Axes {
				begin = "begin(call.axes(given.axes))"
			}
		} else {
			operands = operands[1:] // the call's own
		}
		for _, r := range operands {
			optional := "?"
			if r.Mark&bridge.Needed != 0 {
				optional = ""
			}
			fields = append(fields, r.Name+optional+": any")
		}
		for _, option := range o.Options {
			optional := "?"
			if option.Needed {
				optional = ""
			}
			fields = append(fields, option.Name+optional+": "+typeOf(option))
		}
		p("")
		unused := ""
		if len(fields) == 0 {
			unused = "_"
		}
		b.WriteString(comment(o.Doc, "@param {Call} call", fmt.Sprintf("@param {{ %s }} %sgiven", strings.Join(fields, ", "), unused)))
		p("export function %s(call, %sgiven) {", o.Name, unused)
		for _, r := range operands {
			method, more := "operand", ""
			switch {
			case r.Mark&bridge.Double != 0:
				method = "doubles"
				if r.Mark&bridge.Written != 0 {
					more = ", true"
				}
			case r.Mark&bridge.Learnt != 0:
				method, more = "learnt", ", given.updateStats"
			case r.Mark&bridge.Written != 0:
				method = "output"
			case r.Mark&bridge.Needed != 0:
				method = "needed"
			}
			p("  call.%s('%s', given.%s%s);", method, r.Name, r.Name, more)
		}
		var puts string
		for _, option := range o.Options {
			p("  const %s = call.%s('%s', given.%s%s);", option.Name, method(option.Kind), option.Name, option.Name, arguments(option))
			puts += ".put(" + option.Name + ")"
		}
		p("  return call.%s%s.run(%d);", begin, puts, i)
		p("}")
	}
	return b.Bytes(), nil
}

// method is the one of Call, and of direct.js, that takes options of a kind.
func method(k bridge.Kind) string {
	return [...]string{bridge.Number: "number", bridge.Whole: "whole", bridge.Flag: "flag", bridge.Word: "word", bridge.ID: "whole"}[k]
}

func typeOf(o bridge.Option) string {
	return [...]string{bridge.Number: "number", bridge.Whole: "number", bridge.Flag: "boolean", bridge.Word: "string", bridge.ID: "number"}[o.Kind]
}

// arguments are the words of an option and its default, each with a comma before it.
func arguments(o bridge.Option) (s string) {
	if o.Kind == bridge.Word {
		s = ", words." + o.Name
	}
	if o.Needed {
		return s
	}
	return s + ", " + defaultOf(o)
}

func defaultOf(o bridge.Option) string {
	switch {
	case o.Default == bridge.None:
		return "none"
	case o.Name == "epsilon" && o.Default != 0:
		return "defaultEpsilon"
	}
	return decimal(o.Default)
}

// placed writes the call of an operation whose operands JavaScript places itself.
func placed(p func(string, ...any), i int, o *bridge.Operation) {
	var operands, options, defaults []string
	for _, r := range o.Operands {
		operands = append(operands, r.Name)
	}
	for _, option := range o.Options {
		options = append(options, option.Name)
		value := defaultOf(option)
		if option.Kind == bridge.Flag {
			value = fmt.Sprint(option.Default != 0)
		}
		defaults = append(defaults, option.Name+": "+value)
	}
	p("\n/** The defaults of %s. */\nexport const %sDefaults = { %s };\n", o.Name, o.Name, strings.Join(defaults, ", "))
	p(strings.TrimSuffix(comment(o.Doc, "@param {Core} core", "@param {readonly number[]} shape",
		"@param {{ "+strings.Join(operands, ": Place, ")+": Place }} operands",
		"@param {typeof "+o.Name+"Defaults} options"), "\n"))
	p("export function %s(core, shape, { %s }, { %s }) {", o.Name, strings.Join(operands, ", "), strings.Join(options, ", "))
	p("  let at = core.frame;")
	p("  for (const place of [%s]) at = core.writePlace(at, place.handle, place.offset, place.count);", strings.Join(operands, ", "))
	p("  at = core.writeList(at, shape);")
	p("  at = core.writeNoAxes(at);")
	p("  for (const value of [%s]) at = core.writeNumber(at, Number(value));", strings.Join(options, ", "))
	p("  core.norm(%d);", i)
	p("}")
}
