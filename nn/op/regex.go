//go:build !lean

package op

import (
	"regexp"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// wholeRegex is a pattern that has to fit the whole string, in the syntax of RE2.
func wholeRegex(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil { // which could close the group around it
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

func verifyRegex(n *ir.Node) error {
	pattern := n.Str("pattern", "")
	if len(pattern) > 1<<16 {
		return wrong(n, "the pattern has ", len(pattern), " bytes; the limit is ", 1<<16)
	}
	if _, err := wholeRegex(pattern); err != nil {
		return wrong(n, "the pattern ", text.Quote(pattern), " is none: ", err)
	}
	return nil
}

func planRegex(c *Call) error {
	c.Out(0, ir.Bool, c.In(0).Dims...)
	s := Into[regexMatch](c)
	s.pattern = Prepared(c, Key{}, 0, 0, func(bool) *regexp.Regexp {
		p, err := wholeRegex(c.Str("pattern"))
		if err != nil {
			c.Err = c.Fail("the pattern is none: ", err)
		}
		return p
	})
	return nil
}

type regexMatch struct{ pattern *regexp.Regexp }

func (s *regexMatch) Run(a *Args) {
	y := a.Out[0].Data
	for i, text := range a.In[0].Strings {
		y[i] = truth[uint8](s.pattern.MatchString(text))
	}
}
