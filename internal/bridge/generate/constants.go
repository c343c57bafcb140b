package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/nn"
	"github.com/normwasm/normwasm/norm"
)

// constants writes js/src/bridge.js.
func constants(root string, _ []byte) ([]byte, error) {
	b := bytes.NewBufferString(header + "// What the package and the module must agree on; frames.js has how calls are written.\n")
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

	exports, err := exported(root)
	if err != nil {
		return nil, err
	}
	p("\n/**\n * The module's exports.\n * @typedef {object} Exports\n * @property {WebAssembly.Memory} mem")
	for _, e := range exports {
		p(" * @property {%s} %s", e.signature, e.name)
	}
	p(" */")

	p("\n/** Of the package and of its modules, which must be the same. */\nexport const version = '%s';", bridge.Version)
	p("\n/** The number of int32 in the frame. */\nexport const frameSize = %d;", bridge.FrameSize)
	p("\n/** The most dimensions, and axes. */\nexport const maxRank = %d;", bridge.MaxRank)
	p("\n/** The most bytes at once. */\nexport const maxBytes = %d;", bridge.MaxBytes)
	p("\n/** The largest whole number that is an option. */\nexport const maxWhole = %d;", bridge.MaxWhole)
	p("\n/** The largest width and height of a picture. */\nexport const maxImageSize = %d;", nn.MaxImageSize)
	p("\n/** An option that is left out and has no default. */\nexport const none = %d;", bridge.None)
	p("\n/** The epsilon of a normalization that is given none. */\nexport const defaultEpsilon = %s;", decimal(norm.DefaultEpsilon))

	p("\n/** The errors' classes and codes, by status. @type {readonly (readonly ['NormError' | 'ShapeError' | 'LoadError' | 'UnsupportedError' | 'DisposedError', string] | undefined)[]} */")
	p("export const statuses = [")
	for _, c := range bridge.Classes {
		if c.Name == "" {
			p("  undefined,")
		} else {
			p("  ['%s', '%s'],", c.Name, c.Code)
		}
	}
	p("];\nexport const outOfMemory = %d;\nexport const internal = %d;", bridge.NoMemory, bridge.Internal)

	p("\n/** The types of tensors' elements: their arrays' classes, and their numbers in ONNX. @type {Record<Exclude<import('../index.js').DataType, 'string'>, { array: any, number: number }>} */\nexport const types = {")
	for number, t := range bridge.DataTypes {
		if t.Name != "" {
			p("  %s: { array: %s, number: %d },", t.Name, t.Array, number)
		}
	}
	p("};")

	p("\n/** The words of options, by their numbers; undefined is for an option that is left out. */\nexport const words = {")
	for _, o := range allWords() {
		p("  %s: %s,", o.Name, list(o.Words, "undefined"))
	}
	p("};")

	p("\n/** How many channels those of pictures are. */\nexport const channelCounts = [%s];", joined(wordsOf("channels").Words, func(i int, _ string) string {
		return fmt.Sprint(nn.ImageChannels(i).Count())
	}))

	p("\n/** The names of the functions' options. */\nexport const functionOptions = {")
	for i := range bridge.Operations {
		if o := &bridge.Operations[i]; o.Function {
			p("  %s: '%s',", o.Name, strings.Join(optionNames(o), " "))
		}
	}
	p("};")
	networks(p)
	return b.Bytes(), nil
}

// optionNames are the names of the options of an operation's function as errors and the
// documentation list them.
func optionNames(o *bridge.Operation) []string {
	names := []string{"shape"}
	for _, p := range o.Options {
		if p.Name == "epsilon" {
			names = append(names, p.Name)
		}
	}
	names = append(names, "out")
	written := []string{}
	for _, p := range rest(o) {
		if p.Mark&bridge.Written != 0 {
			written = append(written, p.Name)
		} else {
			names = append(names, p.Name)
		}
	}
	if o.Axes {
		names = append(names, "axes")
	}
	for _, p := range o.Options {
		if p.Name != "epsilon" {
			names = append(names, p.Name)
		}
	}
	return append(names, written...)
}

// allWords are the options that are words, each name once.
func allWords() (list []bridge.Option) {
	seen := map[string][]string{}
	for _, o := range bridge.Operations {
		for _, p := range o.Options {
			if p.Kind != bridge.Word {
				continue
			}
			if words, ok := seen[p.Name]; !ok {
				list = append(list, p)
			} else if fmt.Sprint(words) != fmt.Sprint(p.Words) {
				panic(o.Name + ": " + p.Name + " has other words elsewhere")
			}
			seen[p.Name] = p.Words
		}
	}
	return list
}

func wordsOf(name string) bridge.Option {
	for _, o := range allWords() {
		if o.Name == name {
			return o
		}
	}
	panic("no option has the name " + name)
}

func list(words []string, empty string) string {
	return "[" + joined(words, func(_ int, w string) string {
		if w == "" {
			return empty
		}
		return "'" + w + "'"
	}) + "]"
}

func joined[T any](items []T, text func(int, T) string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = text(i, item)
	}
	return strings.Join(parts, ", ")
}

type export struct{ name, signature string }

// exported are the exports of package wasm with their types in JavaScript.
func exported(root string) (list []export, err error) {
	names, err := filepath.Glob(filepath.Join(root, "wasm", "*_js.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Doc == nil {
				continue
			}
			for _, c := range f.Doc.List {
				if name, ok := strings.CutPrefix(c.Text, "//go:wasmexport "); ok {
					var params []string
					for _, field := range f.Type.Params.List {
						for _, p := range field.Names {
							params = append(params, p.Name+": number")
						}
					}
					list = append(list, export{name, "(" + strings.Join(params, ", ") + ") => number"})
				}
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no file of wasm has an export")
	}
	return list, nil
}
