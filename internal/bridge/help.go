package bridge

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
)

// Input is the operand whose kind the result is of; -1 for an operation without a result.
func (o *Operation) Input() int {
	if o.Operands[0].Name == "out" {
		return 1
	}
	return -1
}

// Rest are the operands that are options for a caller: all but the result and its input.
func (o *Operation) Rest() []Operand { return o.Operands[o.Input()+1:] }

// Needs are the names of the options that cannot be left out.
func (o *Operation) Needs() (names []string) {
	for _, p := range o.Rest() {
		if p.Mark&Needed != 0 {
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

// Help says how to call the operation's function of the API object, and what it does.
func (o *Operation) Help() string {
	name, result := "", "undefined"
	if i := o.Input(); i > 0 {
		name = o.Operands[i].Name + ", "
		result = "Float32Array or tensor, as " + o.Operands[i].Name + " is"
	}
	optional := "?"
	if len(o.Needs()) > 0 {
		optional = ""
	}
	s := text.Join(o.Name, "(", name, "options", optional, "): ", result, "\n", o.Doc, "\noptions: shape")
	if o.Axes {
		s += ", axes"
	}
	for _, p := range o.Rest() {
		s += ", " + p.Name + p.note()
	}
	for _, p := range o.Options {
		s += ", " + p.Name + p.note()
	}
	if result != "undefined" {
		s += ", out"
	}
	return s + "."
}

// note is what help says of an operand.
func (o Operand) note() string {
	kind := ""
	if o.Mark&Double != 0 {
		kind = "Float64Array"
	}
	switch {
	case o.Mark&Written != 0:
		kind = "output " + kind
	case o.Mark&Learnt != 0:
		kind = "updated"
	case o.Mark&Needed != 0:
		kind = "needed " + kind
	}
	return bracketed(kind)
}

func (o Option) note() string {
	switch {
	case o.Needed:
		return bracketed("needed")
	case o.Kind == Word:
		list := ""
		for i, word := range o.Meant() {
			if i > 0 {
				list += " | "
			}
			list += "'" + word + "'"
		}
		if o.Default >= 0 && o.Words[int(o.Default)] != "" {
			list += "; '" + o.Words[int(o.Default)] + "'"
		}
		return bracketed(list)
	case o.Default == None:
		return ""
	case o.Kind == Flag:
		return bracketed(text.Join(o.Default != 0))
	}
	return bracketed(Decimal(o.Default))
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(s, " ") + ")"
}

// Decimal is a number as JavaScript writes it: 1e-5 and not 1e-05.
func Decimal(v float64) string { return strings.Replace(text.Join(v), "e-0", "e-", 1) }
