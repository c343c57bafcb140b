package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge"
)

// functions writes js/src/norm.js.
func functions(string, []byte) ([]byte, error) {
	b := bytes.NewBufferString(header + `// The normalizations as functions. A call whose operands and result are all in the module's memory is written on the
// frame as it is read (direct.js); class Call handles every other, and all mistakes (frames.js).
import { defaultEpsilon, none, words } from './bridge.js';
import { Call } from './call.js';
import * as direct from './direct.js';
import { NormError } from './errors.js';
import * as frames from './frames.js';
import { check, known } from './options.js';
`)
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		if !o.Function {
			continue
		}
		x := o.Operands[1].Name
		needed := needs(o)
		optional, otherwise := "[options]", " = {}"
		if len(needed) > 0 {
			optional, otherwise = "options", ""
		}
		p("")
		p("const optionsOf%s = known.%s;\n", strings.ToUpper(o.Name[:1])+o.Name[1:], o.Name)
		b.WriteString(comment(o.Doc, "@param {any} "+x, "@param {any} "+optional))
		p("export function %s(%s, options%s) {", o.Name, x, otherwise)
		if len(needed) > 0 {
			are := "is"
			if len(needed) > 1 {
				are = "are"
			}
			p("  if (options === undefined || options === null) throw new NormError('%s: options are missing; %s %s needed');", o.Name, strings.Join(needed, " and "), are)
		}
		p("  check('%s', optionsOf%s, options, arguments.length - 2);", o.Name, strings.ToUpper(o.Name[:1])+o.Name[1:])
		p("  const core = direct.coreOf(%s, options);", x)
		axes := ""
		if o.Axes {
			axes = " && options.axes === undefined"
		}
		p("  if (core !== undefined%s) {", axes)
		p("    let at = direct.operand(core, core.frame, options.out);")
		p("    at = direct.operand(core, at, %s);", x)
		for _, r := range rest(o) {
			method := "operand"
			if r.Mark&bridge.Needed != 0 {
				method = "needed"
			}
			p("    at = direct.%s(core, at, options.%s);", method, r.Name)
		}
		p("    at = direct.shape(core, at, %s.dims);", x)
		for _, option := range o.Options {
			p("    at = direct.%s(core, at, options.%s%s);", method(option.Kind), option.Name, arguments(option))
		}
		p("    if (direct.ran(core, at, %d)) return options.out;", i)
		p("  }")
		name := ""
		if x != "x" {
			name = ", '" + x + "'"
		}
		p("  return frames.%s(new Call('%s', %s, options%s), options);", o.Name, o.Name, x, name)
		p("}")
	}
	return b.Bytes(), nil
}
