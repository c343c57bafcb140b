// Package trim makes copies of some files of Go's runtime with less in them, for `go build -overlay`: what nothing
// in a web page can start (the tracer, the profilers, plugins, threads, what GODEBUG switches on) and tables that only
// a programmer reads after a crash.
//
// Each change replaces the body of one function, which is told by its file, its name and the hash of its source. A release
// in which the function is another one is an error that says what to compare, never a guess; and what a change takes
// away from others the compiler checks.
package trim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// change is the new body of a function, or where name begins with "var ", the new value of a variable.
type change struct {
	file, name string
	sum        string // of the declaration as it was
	body       string
}

// Overlay writes the changed files to dir, and overlay.json, which tells the go command to take them in place of those
// of goroot.
func Overlay(goroot, dir string) error {
	src := filepath.Join(goroot, "src")
	edits, err := collect(os.DirFS(src), changes, settings)
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	replace := map[string]string{}
	for file, text := range edits {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := write(to, text); err != nil {
			return err
		}
		replace[filepath.Join(src, filepath.FromSlash(file))] = to
	}
	list, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, "overlay.json"), list)
}

// write leaves a file as it is that has these bytes, for another build may be reading it.
func write(file string, text []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name())
	if _, err = next.Write(text); err == nil {
		err = next.Chmod(0o666)
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), file)
}

// collect returns the files of src that the changes and settings change.
func collect(src fs.FS, changes []change, settings map[string]string) (map[string][]byte, error) {
	byFile := map[string][]change{}
	for _, c := range changes {
		byFile[c.file] = append(byFile[c.file], c)
	}
	files, err := fs.Glob(src, "runtime/*.go")
	if err != nil {
		return nil, err
	}
	for file := range byFile {
		if path.Dir(file) != "runtime" {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	edits, used, failures := map[string][]byte{}, map[string]bool{}, []error(nil)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(src, file)
		if err != nil {
			return nil, err
		}
		changed, err := edit(file, text, byFile[file], settings, used)
		delete(byFile, file)
		switch {
		case err != nil:
			failures = append(failures, err)
		case changed != nil:
			edits[file] = changed
		}
	}
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		failures = append(failures, fmt.Errorf("no file %s", file))
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !used[name] {
			failures = append(failures, fmt.Errorf("nothing reads debug.%s", name))
		}
	}
	return edits, errors.Join(failures...)
}

// cut is a piece of a file that gets another text.
type cut struct {
	from, to int
	text     string
}

// edit returns text with the changes made, nil where there are none, and notes which settings it has read.
func edit(file string, text []byte, list []change, settings map[string]string, used map[string]bool) ([]byte, error) {
	if len(list) == 0 && (!bytes.Contains(text, []byte("debug.")) || !builds(file, text)) {
		return nil, nil
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	var cuts []cut
	var failures []error
	for _, c := range list {
		from, to, ok := declared(tree, c.name)
		if !ok {
			failures = append(failures, fmt.Errorf("%s has no %s", file, c.name))
			continue
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(text[at(from[0]):at(to)]))[:12]; sum != c.sum {
			failures = append(failures, fmt.Errorf("%s: %s is another one than the one known here (sum %s): see whether the change still fits", file, c.name, sum))
		}
		cuts = append(cuts, cut{at(from[1]), at(to), c.body})
	}
	inside := func(n ast.Node) bool {
		for _, c := range cuts {
			if at(n.Pos()) >= c.from && at(n.End()) <= c.to {
				return true
			}
		}
		return false
	}
	if strings.HasPrefix(file, "runtime/") {
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || inside(s) {
				return true
			}
			if x, ok := s.X.(*ast.Ident); !ok || x.Name != "debug" {
				return true
			}
			if value, ok := settings[s.Sel.Name]; ok {
				used[s.Sel.Name] = true
				cuts = append(cuts, cut{at(s.Pos()), at(s.End()), value})
			}
			return true
		})
	}
	if len(failures) > 0 || len(cuts) == 0 {
		return nil, errors.Join(failures...)
	}
	cuts = append(cuts, unused(tree, at, inside)...)
	slices.SortFunc(cuts, func(a, b cut) int { return a.from - b.from })
	var out []byte
	end := 0
	for _, c := range cuts {
		out = append(append(out, text[end:c.from]...), c.text...)
		end = c.to
	}
	return append(out, text[end:]...), nil
}

// builds reports whether the file is compiled for the module.
func builds(file string, text []byte) bool {
	words := strings.Split(strings.TrimSuffix(path.Base(file), ".go"), "_")
	for _, w := range words[1:] {
		if known[w] {
			return false
		}
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("package ")) {
			break
		}
		if expr, err := constraint.Parse(strings.TrimSpace(string(line))); err == nil {
			return expr.Eval(func(tag string) bool {
				return tag == "js" || tag == "wasm" || strings.HasPrefix(tag, "go1.")
			})
		}
	}
	return true
}

// known are the systems and processors that names of files of the runtime end with, other than this one.
var known = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("aix android darwin dragonfly freebsd illumos ios linux netbsd openbsd plan9 solaris wasip1 windows unix " +
		"386 amd64 arm arm64 loong64 mips mipsle mips64 mips64x mipsx ppc64 ppc64le ppc64x riscv64 s390x") {
		m[w] = true
	}
	return m
}()

// declared returns where the declaration of name begins, where what is replaced of it begins, and where both end.
func declared(tree *ast.File, name string) (from [2]token.Pos, to token.Pos, ok bool) {
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil && functionName(d) == name {
				return [2]token.Pos{d.Pos(), d.Body.Pos()}, d.End(), true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, is := s.(*ast.ValueSpec); is && len(v.Names) == 1 && len(v.Values) == 1 && "var "+v.Names[0].Name == name {
					return [2]token.Pos{v.Pos(), v.Values[0].Pos()}, v.End(), true
				}
			}
		}
	}
	return from, to, false
}

// functionName is f, T.f or (*T).f.
func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	switch t := d.Recv.List[0].Type.(type) {
	case *ast.Ident:
		return t.Name + "." + d.Name.Name
	case *ast.StarExpr:
		if x, ok := t.X.(*ast.Ident); ok {
			return "(*" + x.Name + ")." + d.Name.Name
		}
	}
	return ""
}

// unused names the imports blank that only what is cut out uses.
func unused(tree *ast.File, at func(token.Pos) int, inside func(ast.Node) bool) (cuts []cut) {
	names := map[string]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && !inside(s) {
			if x, ok := s.X.(*ast.Ident); ok {
				names[x.Name] = true
			}
		}
		return true
	})
	for _, s := range tree.Imports {
		file, err := strconv.Unquote(s.Path.Value)
		if err != nil || s.Name != nil && s.Name.Name == "_" {
			continue
		}
		name := path.Base(file)
		if s.Name != nil {
			name = s.Name.Name
		}
		if !names[name] {
			cuts = append(cuts, cut{at(s.Pos()), at(s.End()), "_ " + s.Path.Value})
		}
	}
	return cuts
}
