package main

import (
	"bytes"
	"fmt"
	"go/format"
	"math"
	"strconv"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge"
)

// input is the operand whose kind the result is of; -1 for an operation without a result.
func input(o *bridge.Operation) int {
	if o.Operands[0].Name == "out" {
		return 1
	}
	return -1
}

// rest are the operands that are options for a caller: all but the result and its input.
func rest(o *bridge.Operation) []bridge.Operand { return o.Operands[input(o)+1:] }

// needs are the names of the options that cannot be left out.
func needs(o *bridge.Operation) (names []string) {
	for _, p := range rest(o) {
		if p.Mark&bridge.Needed != 0 {
			names = append(names, p.Name)
		}
	}
	for _, p := range o.Options {
		if p.Needed {
			names = append(names, p.Name)
		}
	}
	return names
}

// usage writes wasm/usage_js.go.
func usage(string, []byte) ([]byte, error) {
	b := bytes.NewBufferString(header + `
package main

// usage says how each operation's function of the API object is called, and what its options are.
var usage = [...]struct{ call, options string }{
`)
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		name, result := "", "undefined"
		if i := input(o); i > 0 {
			name = o.Operands[i].Name + ", "
			result = "Float32Array or tensor, as " + o.Operands[i].Name + " is"
		}
		optional := "?"
		if len(needs(o)) > 0 {
			optional = ""
		}
		var options []string // beside shape and out, which are explained for all
		if o.Axes {
			options = append(options, "axes")
		}
		for _, p := range rest(o) {
			options = append(options, p.Name+operandNote(p))
		}
		for _, p := range o.Options {
			options = append(options, p.Name+optionNote(p))
		}
		fmt.Fprintf(b, "\t{%q, %q},\n", o.Name+"("+name+"options"+optional+"): "+result, strings.Join(options, ", "))
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

// operandNote is what help says of an operand.
func operandNote(o bridge.Operand) string {
	var notes []string
	for _, n := range []struct {
		mark bridge.Mark
		text string
	}{{bridge.Needed, "needed"}, {bridge.Written, "output"}, {bridge.Learnt, "updated"}, {bridge.Double, "Float64Array"}} {
		if o.Mark&n.mark != 0 && (n.mark != bridge.Written || o.Mark&bridge.Learnt == 0) {
			notes = append(notes, n.text)
		}
	}
	return bracketed(strings.Join(notes, " "))
}

func optionNote(o bridge.Option) string {
	switch {
	case o.Needed:
		return bracketed("needed")
	case o.Kind == bridge.Word:
		words := "'" + strings.Join(o.Meant(), "', '") + "'"
		if o.Default > 0 {
			words += "; default '" + o.Words[int(o.Default)] + "'"
		}
		return bracketed(words)
	case o.Default == bridge.None:
		return ""
	case o.Kind == bridge.Flag:
		return bracketed(fmt.Sprint(o.Default != 0))
	}
	return bracketed(decimal(o.Default))
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// decimal is a number as one writes it in JavaScript: 1e-4, and not 0.0001 or 1e-04.
func decimal(v float64) string {
	format := byte('f')
	if v != 0 && math.Abs(v) <= 1e-3 {
		format = 'e'
	}
	return strings.Replace(strconv.FormatFloat(v, format, -1, 64), "e-0", "e-", 1)
}
