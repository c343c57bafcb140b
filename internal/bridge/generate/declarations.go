package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/nn"
	"github.com/normwasm/normwasm/norm"
)

// classOf are the operations that classes compute, whose defaults are theirs.
var classOf = map[string]string{
	"LayerNorm": "layerNorm", "RMSNorm": "rmsNorm", "GroupNorm": "groupNorm", "InstanceNorm": "instanceNorm",
	"AdaptiveLayerNorm": "adaptiveLayerNorm", "LpNorm": "lpNorm", "LocalResponseNorm": "localResponseNorm",
}

// declarations are js/index.d.ts with what it states of the tables: a sentence "Defaults: …."
// in the comment of each function and class, the words of options, and some numbers.
func declarations(_ string, old []byte) ([]byte, error) {
	text := string(old)
	for i := range bridge.Operations {
		o := &bridge.Operations[i]
		sentence := defaults(o)
		if sentence == "" {
			continue
		}
		var names []string
		if o.Function || o.Name == "foldBatchNorm" {
			names = append(names, "function "+o.Name)
		}
		for class, operation := range classOf {
			if operation == o.Name {
				names = append(names, "class "+class)
			}
		}
		for _, name := range names {
			var err error
			if text, err = state(text, name, sentence); err != nil {
				return nil, err
			}
		}
	}

	for _, o := range allWords() {
		words := "'" + strings.Join(o.Meant(), "' | '") + "'"
		pattern := regexp.MustCompile(`((?:\b` + o.Name + `\?: |type (?:Activation|ImageChannels) = ))'` + o.Meant()[0] + `'(?: \| '\w+')*`)
		if !pattern.MatchString(text) {
			return nil, fmt.Errorf("no type has the words of %s", o.Name)
		}
		text = pattern.ReplaceAllString(text, "${1}"+words)
	}

	image := operation("imageRows")
	momentum := func(f norm.Framework) string { m, _ := f.Defaults(); return decimal(m) }
	epsilon := func(f norm.Framework) string { _, e := f.Defaults(); return decimal(e) }
	statements := []struct{ pattern, value string }{
		{"`(\\w+)` \\(default\\) takes the mean", word(image, "resize")},
		{`/\*\* (\w+) \(default\): when shrinking`, fmt.Sprint(option(image, "antialias").Default != 0)},
		{`Default '(\w+)'\. \*/\s+channels\?`, word(image, "channels")},
		{`'(\w+)' \(default\): \[1 C H W\]`, word(image, "layout")},
		{`Default: (\w+)\. \*/\s+preset\?`, word(operation("batchNormForward"), "preset")},
		{"`steps` \\(default (\\d+);", decimal(option(operation("spectralNorm"), "steps").Default)},
		{`at most (\d+)\) of power iteration`, fmt.Sprint(bridge.MaxSteps)},
		{`Widths and heights are at most (\d+)`, fmt.Sprint(nn.MaxImageSize)},
		{`One tensor or model has at most (\d+) GiB`, fmt.Sprint(bridge.MaxBytes >> 30)},
		{`nested more than (\d+) deep`, fmt.Sprint(bridge.MaxRank)},
	}
	adam := optimizerOptions("adamw").numbers
	for _, name := range []string{"beta1", "beta2"} {
		statements = append(statements, struct{ pattern, value string }{`AdamW \(.*?` + name + ` ([\d.]+)`, decimal(adam[name])})
	}
	for i, preset := range wordsOf("preset").Words {
		line := `\n +\* +` + preset + ` +r ← .*`
		statements = append(statements, []struct{ pattern, value string }{
			{line + ` m = ([\d.]+)`, momentum(norm.Framework(i))}, {line + ` ε = ([\d.e-]+)`, epsilon(norm.Framework(i))},
		}...)
	}
	for _, s := range statements {
		at := regexp.MustCompile(s.pattern).FindStringSubmatchIndex(text)
		if at == nil {
			return nil, fmt.Errorf("nothing is like %s", s.pattern)
		}
		text = text[:at[2]] + s.value + text[at[3]:]
	}

	for _, c := range bridge.Classes {
		if !strings.Contains(text, "`"+c.Code+"`") && c.Code != "" {
			return nil, fmt.Errorf("the code %s is not explained", c.Code)
		}
	}
	return []byte(text), nil
}

// defaults are the sentence that says them; "" for an operation without.
func defaults(o *bridge.Operation) string {
	var list []string
	for _, p := range o.Options {
		name := p.Name
		if name == "epsilon" {
			name = "ε"
		}
		switch {
		case p.Needed || p.Default == bridge.None:
		case p.Kind == bridge.Word:
			if word := p.Words[int(p.Default)]; word != "" {
				list = append(list, name+" = '"+word+"'")
			}
		default:
			list = append(list, name+" = "+decimal(p.Default))
		}
	}
	switch len(list) {
	case 0:
		return ""
	case 1:
		return "Default: " + list[0] + "."
	}
	return "Defaults: " + strings.Join(list, ", ") + "."
}

var stated = regexp.MustCompile(`Defaults?: [^\n]*?\.(\s)`)

// state puts a sentence about defaults in the place of the one that a declaration's comment has.
func state(text, declaration, sentence string) (string, error) {
	end := regexp.MustCompile(`\*/\nexport ` + declaration + `\b`).FindStringIndex(text)
	if end == nil {
		return "", fmt.Errorf("there is no %s with a comment", declaration)
	}
	start := strings.LastIndex(text[:end[0]], "/**")
	comment := text[start:end[0]]
	if n := len(stated.FindAllString(comment, -1)); n != 1 {
		return "", fmt.Errorf("the comment of %s has %d sentences that begin with Defaults:, want one, as in %q", declaration, n, sentence)
	}
	return text[:start] + stated.ReplaceAllString(comment, sentence+"$1") + text[end[0]:], nil
}

func operation(name string) *bridge.Operation {
	for i := range bridge.Operations {
		if o := &bridge.Operations[i]; o.Name == name {
			return o
		}
	}
	panic("there is no operation " + name)
}

func option(o *bridge.Operation, name string) bridge.Option {
	for _, p := range o.Options {
		if p.Name == name {
			return p
		}
	}
	panic(o.Name + " has no option " + name)
}

// word is the default of an option that is a word.
func word(o *bridge.Operation, name string) string {
	p := option(o, name)
	return p.Words[int(p.Default)]
}
