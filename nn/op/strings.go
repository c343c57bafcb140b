//go:build !lean

package op

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators on strings. A run makes the strings that it gives.

func init() { Register(stringRows) }

const stringOnly Types = 1 << ir.String

var (
	xString = []In{{Name: "X", Types: stringOnly, Var: 'T'}}
)

var stringRows = []Row{{
	Name: "StringConcat", Since: 20,
	In:   []In{{Name: "X", Types: stringOnly, Var: 'T'}, {Name: "Y", Types: stringOnly, Var: 'T'}},
	Out:  []Out{{Name: "Z", Var: 'T'}},
	Rank: widestRank,
	Plan: planStringConcat,
}, {
	Name: "StringSplit", Since: 20,
	In:    xString,
	Out:   []Out{{Name: "Y", Var: 'T'}, {Name: "Z", Type: ir.Int64}},
	Attrs: []Attr{{Name: "delimiter", Kind: ir.AttrString}, {Name: "maxsplit", Kind: ir.AttrInt, I: -1}},
	Rank:  func(_ *ir.Node, rank func(i int) int) int { return max(rank(0), -2) + 1 },
	Plan:  planStringSplit,
}, {
	Name: "StringNormalizer", Since: 10,
	In:  xString,
	Out: yOut,
	Attrs: []Attr{{Name: "case_change_action", Kind: ir.AttrString, S: "NONE", Words: []string{"NONE", "LOWER", "UPPER"}},
		{Name: "is_case_sensitive", Kind: ir.AttrInt}, {Name: "locale", Kind: ir.AttrString}, {Name: "stopwords", Kind: ir.AttrStrings}},
	Rank:   sameRank,
	Limits: "letters change case as Unicode says, whatever the locale",
	Plan:   planStringNormalizer,
}, {
	Name: "RegexFullMatch", Since: 20,
	In:     xString,
	Out:    []Out{{Name: "Y", Type: ir.Bool}},
	Attrs:  []Attr{{Name: "pattern", Kind: ir.AttrString}},
	Rank:   sameRank,
	Verify: verifyRegex,
	Plan:   planRegex,
}, {
	Name: "TfIdfVectorizer", Since: 9,
	In:  []In{{Name: "X", Types: stringOnly | indexTypes}},
	Out: []Out{{Name: "Y", Type: ir.Float32}},
	Attrs: []Attr{{Name: "max_gram_length", Kind: ir.AttrInt}, {Name: "max_skip_count", Kind: ir.AttrInt}, {Name: "min_gram_length", Kind: ir.AttrInt},
		{Name: "mode", Kind: ir.AttrString, Words: []string{"TF", "IDF", "TFIDF"}}, {Name: "ngram_counts", Kind: ir.AttrInts},
		{Name: "ngram_indexes", Kind: ir.AttrInts}, {Name: "pool_int64s", Kind: ir.AttrInts}, {Name: "pool_strings", Kind: ir.AttrStrings},
		{Name: "weights", Kind: ir.AttrFloats}},
	Rank:   sameRank,
	Verify: verifyTfIdf,
	Plan:   planTfIdf,
}}

// planStringConcat appends Y's strings to X's.
func planStringConcat(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, ir.String, out...)
	s := Into[stringConcat](c)
	s.dims = append(s.dims[:0], out...)
	s.x = append(s.x[:0], broadcastSteps(c, out, c.In(0).Dims)...)
	s.y = append(s.y[:0], broadcastSteps(c, out, c.In(1).Dims)...)
	return nil
}

type stringConcat struct{ dims, x, y []int }

func (s *stringConcat) Run(a *Args) {
	z := a.Out[0].Strings
	for k := range z {
		z[k] = a.In[0].Strings[offsetOf(k, s.dims, s.x)] + a.In[1].Strings[offsetOf(k, s.dims, s.y)]
	}
}

// planStringSplit: how many parts there are depends on the strings, so that all is done here.
func planStringSplit(c *Call) error {
	x, err := c.Host(0)
	if err != nil {
		return err
	}
	delimiter, most := c.Str("delimiter"), c.Int("maxsplit")
	parts := make([][]string, len(x.Strings))
	counts := ir.NewTensor(ir.Int64, append([]int(nil), x.Dims...)...)
	longest := 0
	for i, s := range x.Strings {
		parts[i] = cut(s, delimiter, most)
		counts.Int64s()[i] = int64(len(parts[i]))
		longest = max(longest, len(parts[i]))
	}
	dims := append(append([]int(nil), x.Dims...), longest)
	if !Sane(dims, ir.String, c.maxBytes) {
		return c.fail("output 0 would have dimensions @, more than the session's limit of % bytes", dims, c.maxBytes)
	}
	y := ir.NewTensor(ir.String, dims...)
	for i, list := range parts {
		copy(y.Strings[i*longest:], list)
	}
	c.OutHost(0, y)
	c.OutHost(1, counts)
	return nil
}

// cut cuts s at a delimiter at most so many times, or any number of times where most is
// negative. Without a delimiter it cuts at stretches of spaces, and those at the ends do not
// count.
func cut(s, delimiter string, most int64) []string {
	if delimiter == "" {
		s = strings.Trim(s, " ")
	}
	if s == "" {
		return nil
	}
	var parts []string
	for ; most != 0; most-- {
		by := delimiter
		if by == "" {
			by = " "
		}
		before, after, found := strings.Cut(s, by)
		if !found {
			break
		}
		if delimiter == "" {
			after = strings.TrimLeft(after, " ")
		}
		parts, s = append(parts, before), after
	}
	return append(parts, s)
}

// planStringNormalizer leaves words out and changes letters' case. One empty string is what
// is left of nothing.
func planStringNormalizer(c *Call) error {
	x, err := c.Host(0)
	if err != nil {
		return err
	}
	n := len(x.Dims)
	if n < 1 || n > 2 || x.Len() == 0 || n == 2 && x.Dims[0] != 1 {
		return c.fail("the input has dimensions @, want a list of at least one string, or one row", x.Dims)
	}
	change := func(s string) string { return s }
	switch c.Str("case_change_action") {
	case "LOWER":
		change = strings.ToLower
	case "UPPER":
		change = strings.ToUpper
	}
	compared := strings.ToLower
	if c.Int("is_case_sensitive") != 0 {
		compared = func(s string) string { return s }
	}
	left := map[string]bool{}
	for _, word := range stringsOf(c.Node, "stopwords") {
		left[compared(word)] = true
	}
	var kept []string
	for _, s := range x.Strings {
		if !left[compared(s)] {
			kept = append(kept, change(s))
		}
	}
	if len(kept) == 0 {
		kept = []string{""}
	}
	dims := append([]int(nil), x.Dims...)
	dims[n-1] = len(kept)
	c.OutHost(0, &ir.Tensor{Type: ir.String, Dims: dims, Strings: kept})
	return nil
}

// Lists of a node's attributes, nil for those that it does not give.

func stringsOf(n *ir.Node, name string) []string {
	if a := n.Attrs[name]; a != nil && a.Kind == ir.AttrStrings {
		return a.Strings
	}
	return nil
}

func floatsOf(n *ir.Node, name string) []float32 {
	if a := n.Attrs[name]; a != nil && a.Kind == ir.AttrFloats {
		return a.Floats
	}
	return nil
}

func listOf(n *ir.Node, name string) []int64 {
	list, _ := n.Ints(name)
	return list
}

// wrong is the error of a node whose attributes contradict each other.
func wrong(n *ir.Node, parts ...any) error {
	return ir.Load("graph: ", ir.Plain(n.Key()), " ", text.Quote(n.Name), ": ", text.Join(parts...))
}
