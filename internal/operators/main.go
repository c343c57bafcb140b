// Command operators writes docs/operators.md, the page of operators, from the rows of
// nn/op; with -check it only says whether the page is up to date, with -json it prints the
// rows for tests that are not in Go.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

const path = "docs/operators.md"

func main() {
	check := flag.Bool("check", false, "compare, do not write")
	asJSON := flag.Bool("json", false, "print the rows as JSON")
	flag.Parse()
	if *asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(table()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	text := page()
	if *check {
		have, err := os.ReadFile(path)
		if err != nil || string(have) != text {
			fmt.Fprintln(os.Stderr, path+" is not what the rows of nn/op say; make generate writes it")
			os.Exit(1)
		}
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// page is the document.
func page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Operators

What a model may consist of: operators of the ONNX domain, opsets %d to %d. The table is
written by `+"`make generate`"+` from the rows in nn/op, by which the engine itself checks models.

*Opsets* are the first version whose meaning is implemented and the later ones that changed
it; a model of any opset in between has the meaning of the one before. *Types* are by operand
(before the arrow) and result; operands that share a letter have the same type. An attribute
is followed by its default. What an operator's row does not have is reported when the model
is loaded, before anything runs.

| operator | opsets | operands → results | attributes | limits |
|---|---|---|---|---|
`, op.MinOpset, op.MaxOpset)
	rows := slices.Clone(op.All())
	slices.SortFunc(rows, func(a, b *op.Row) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range rows {
		if r.Domain == "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Name, opsets(r), operands(r), attributes(r), r.Limits)
		}
	}
	b.WriteString("\n## Types\n\n")
	for _, s := range sets {
		fmt.Fprintf(&b, "- *%s*: %s\n", s.name, types(s.types))
	}
	return b.String()
}

type (
	tableText struct {
		MinOpset, MaxOpset int
		Rows               []rowText
	}
	rowText struct {
		Name    string
		Since   int
		Changes []int `json:",omitempty"`
		Limits  string
		In      []inText
		Out     []outText
		Attrs   []attrText
	}
	inText struct {
		Name, Var string
		Types     []string
		Opt, Many bool
		Since     int
	}
	outText struct {
		Name, Var, Type, From string
		Opt, Many             bool
	}
	attrText struct {
		Name, Kind, S string
		I             int64
		F             string // as text: JSON has no infinity
		Words         []string
		Since, Till   int
	}
)

var kinds = map[ir.AttrKind]string{
	ir.AttrFloat: "float", ir.AttrInt: "int", ir.AttrString: "string", ir.AttrTensor: "tensor", ir.AttrGraph: "graph",
	ir.AttrFloats: "floats", ir.AttrInts: "ints", ir.AttrStrings: "strings",
}

// table is all that the rows say of models, without what only the optimizer makes.
func table() tableText {
	t := tableText{MinOpset: op.MinOpset, MaxOpset: op.MaxOpset}
	for _, r := range op.All() {
		if r.Domain != "" {
			continue
		}
		row := rowText{Name: r.Name, Since: r.Since, Changes: r.Changes, Limits: r.Limits, In: []inText{}, Attrs: []attrText{}}
		for _, v := range r.In {
			in := inText{Name: v.Name, Var: letter(v.Var), Opt: v.Opt, Many: v.Many, Since: v.Since}
			for _, e := range v.Types.List() {
				in.Types = append(in.Types, e.String())
			}
			row.In = append(row.In, in)
		}
		for _, v := range r.Out {
			out := outText{Name: v.Name, Var: letter(v.Var), From: v.From, Opt: v.Opt, Many: v.Many}
			if v.Type != ir.Undefined {
				out.Type = v.Type.String()
			}
			row.Out = append(row.Out, out)
		}
		for _, a := range r.Attrs {
			row.Attrs = append(row.Attrs, attrText{a.Name, kinds[a.Kind], a.S, a.I, fmt.Sprint(a.F), a.Words, int(a.Since), int(a.Till)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// letter is a Var as text.
func letter(v byte) string {
	if v == 0 {
		return ""
	}
	return string(v)
}

func opsets(r *op.Row) string {
	list := []string{fmt.Sprint(r.Since)}
	for _, v := range r.Changes {
		list = append(list, fmt.Sprint(v))
	}
	return strings.Join(list, ", ")
}

// sets are type sets that have a name in the table, collected as they are met.
var sets []struct {
	name  string
	types op.Types
}

var names = map[op.Types]string{
	op.Of(ir.Float32, ir.Float64): "floats",
	op.Of(ir.Int32, ir.Int64):     "indices",
	op.Of(ir.Uint8, ir.Uint16, ir.Uint32, ir.Uint64, ir.Int8, ir.Int16, ir.Int32, ir.Int64):                         "integers",
	op.Of(ir.Uint8, ir.Uint16, ir.Uint32, ir.Uint64, ir.Int8, ir.Int16, ir.Int32, ir.Int64, ir.Float32, ir.Float64): "numbers",
}

func set(t op.Types) string {
	name, ok := names[t]
	if !ok {
		list := types(t)
		if strings.Count(list, ",") < 4 {
			return list
		}
		name = fmt.Sprintf("set %c", 'A'+len(sets)-known())
		names[t] = name
	}
	for _, s := range sets {
		if s.types == t {
			return name
		}
	}
	sets = append(sets, struct {
		name  string
		types op.Types
	}{name, t})
	return name
}

// known is how many of the sets met so far have a name of their own.
func known() (n int) {
	for _, s := range sets {
		if !strings.HasPrefix(s.name, "set ") {
			n++
		}
	}
	return n
}

func types(t op.Types) string {
	var list []string
	for _, e := range t.List() {
		list = append(list, e.String())
	}
	return strings.Join(list, ", ")
}

func operands(r *op.Row) string {
	var in, out []string
	seen := map[byte]op.Types{}
	for _, v := range r.In {
		text := v.Name
		if v.Many {
			text += "…"
		}
		if v.Opt {
			text += "?"
		}
		if v.Since > 0 {
			text += fmt.Sprintf(" (from %d)", v.Since)
		}
		text += ": "
		switch t, again := seen[v.Var]; {
		case v.Var == 0:
			text += set(v.Types)
		case again && t == v.Types:
			text += string(v.Var)
		default:
			text += string(v.Var) + " = " + set(v.Types)
			seen[v.Var] = v.Types
		}
		in = append(in, text)
	}
	for _, v := range r.Out {
		text := v.Name
		if v.Many {
			text += "…"
		}
		if v.Opt {
			text += "?"
		}
		switch {
		case v.Var != 0:
			text += ": " + string(v.Var)
		case v.From != "":
			text += ": by " + v.From
		case v.Type != ir.Undefined:
			text += ": " + v.Type.String()
		}
		out = append(out, text)
	}
	return strings.Join(in, "; ") + " → " + strings.Join(out, "; ")
}

func attributes(r *op.Row) string {
	var list []string
	for _, a := range r.Attrs {
		text := a.Name
		switch {
		case len(a.Words) > 0:
			text += " (" + strings.Join(a.Words, ", ") + ")"
			if a.S != "" {
				text += " = " + a.S
			}
		case a.Kind == ir.AttrInt:
			text += fmt.Sprintf(" = %d", a.I)
		case a.Kind == ir.AttrFloat:
			text += fmt.Sprintf(" = %g", a.F)
		}
		if a.Since > 0 {
			text += fmt.Sprintf(" (from %d)", a.Since)
		}
		if a.Till > 0 {
			text += fmt.Sprintf(", to %d", a.Till)
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}
