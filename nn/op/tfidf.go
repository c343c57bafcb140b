//go:build !lean

package op

import (
	"strings"

	"github.com/normwasm/normwasm/nn/ir"
)

// ngrams are sequences of words that TfIdfVectorizer counts: where each of them is, a tree by
// one word after the other.
type ngrams struct {
	ids     map[string]int // of strings
	next    map[[2]int64]int64
	columns map[int64]int // by place in the tree: the column that counts it
	weights []float32     // by column, nil for none
	width   int
	lengths [2]int // shortest and longest
	skips   int
	strings bool
	binary  bool // counts do not matter
	weighs  bool
}

func verifyTfIdf(n *ir.Node) error {
	_, err := readNgrams(n)
	return err
}

// readNgrams reads the pool of sequences. Its words are numbered; numbers are their own.
func readNgrams(n *ir.Node) (*ngrams, error) {
	counts, indexes, ints, words := listOf(n, "ngram_counts"), listOf(n, "ngram_indexes"), listOf(n, "pool_int64s"), stringsOf(n, "pool_strings")
	g := &ngrams{ids: map[string]int{}, next: map[[2]int64]int64{}, columns: map[int64]int{}, strings: words != nil}
	low, high, skips := n.Int("min_gram_length", 0), n.Int("max_gram_length", 0), n.Int("max_skip_count", 0)
	total := len(ints)
	if g.strings {
		total = len(words)
	}
	switch {
	case (words != nil) == (ints != nil):
		return nil, wrong(n, "either pool_strings or pool_int64s has to be given")
	case low < 1 || high < low || high > int64(len(counts)):
		return nil, wrong(n, "lengths of sequences from ", low, " to ", high, " with ngram_counts of ", len(counts))
	case skips < 0 || skips > 1<<20:
		return nil, wrong(n, "max_skip_count is ", skips)
	case len(indexes) == 0:
		return nil, wrong(n, "ngram_indexes is empty")
	}
	g.lengths, g.skips = [2]int{int(low), int(high)}, int(skips)
	for i, v := range indexes {
		if v < 0 || v >= dimLimit {
			return nil, wrong(n, "ngram_indexes[", i, "] is ", v)
		}
		g.width = max(g.width, int(v)+1)
	}
	if g.width > 1<<26 {
		return nil, wrong(n, "ngram_indexes want ", g.width, " columns; the limit is ", 1<<26)
	}
	mode := n.Str("mode", "")
	g.binary, g.weighs = mode == "IDF", mode != "TF"
	if list := floatsOf(n, "weights"); list != nil {
		if len(list) != len(indexes) {
			return nil, wrong(n, "there are ", len(list), " weights and ", len(indexes), " ngram_indexes")
		}
		g.weights = make([]float32, g.width)
		for i, w := range list {
			g.weights[indexes[i]] = w
		}
	}
	which := 0
	for i, from := range counts {
		to, length := int64(total), int64(i)+1
		if i+1 < len(counts) {
			to = counts[i+1]
		}
		if from < 0 || to < from || to > int64(total) || (to-from)%length != 0 {
			return nil, wrong(n, "ngram_counts[", i, "] is ", from, ": sequences of ", length, " words up to ", to, " of ", total)
		}
		for at := from; at < to; at += length {
			if which == len(indexes) {
				return nil, wrong(n, "the pool has more sequences than there are ngram_indexes, ", len(indexes))
			}
			place := int64(0)
			for k := at; k < at+length; k++ {
				var word int64
				if g.strings {
					id, ok := g.ids[words[k]]
					if !ok {
						id = len(g.ids)
						g.ids[strings.Clone(words[k])] = id
					}
					word = int64(id)
				} else {
					word = ints[k]
				}
				step := [2]int64{place, word}
				if g.next[step] == 0 {
					g.next[step] = int64(len(g.next)) + 1
				}
				place = g.next[step]
			}
			if length >= low && length <= high {
				g.columns[place] = int(indexes[which])
			}
			which++
		}
	}
	return g, nil
}

func planTfIdf(c *Call) error {
	g := Prepared(c, Key{}, 0, 0, func(bool) *ngrams {
		g, err := readNgrams(c.Node)
		if err != nil {
			c.Err = err
		}
		return g
	})
	if c.Err != nil {
		return c.Err
	}
	x := c.In(0)
	if len(x.Dims) < 1 || len(x.Dims) > 2 {
		return c.fail("the input has dimensions @, want a list or rows", x.Dims)
	}
	if g.strings != (x.Type == ir.String) {
		return c.Fail("the input is ", x.Type.String(), ", and the pool has others")
	}
	s := Into[tfIdf](c)
	s.g, s.rows, s.cols, s.load = g, 1, x.Dims[len(x.Dims)-1], nil
	if len(x.Dims) == 2 {
		s.rows = x.Dims[0]
		c.Out(0, ir.Float32, s.rows, g.width)
	} else {
		c.Out(0, ir.Float32, g.width)
	}
	if x.Type != ir.String {
		s.load = loadInts(x.Type)
	}
	c.Scratch(8 * s.cols)
	return nil
}

type tfIdf struct {
	g          *ngrams
	rows, cols int
	load       func(dst []int64, src []byte)
}

func (s *tfIdf) Run(a *Args) {
	g, y := s.g, a.Out[0].Float32s()
	clear(y)
	words := scratchInts(a, s.cols)
	for r := range s.rows {
		row := y[r*g.width:][:g.width]
		if s.load == nil {
			for i, text := range a.In[0].Strings[r*s.cols:][:s.cols] {
				id, ok := g.ids[text]
				if words[i] = int64(id); !ok {
					words[i] = -1
				}
			}
		} else if s.cols > 0 {
			size := a.In[0].Type.Size()
			s.load(words, a.In[0].Data[r*s.cols*size:][:s.cols*size])
		}
		for skip := 0; skip <= g.skips && skip < s.cols; skip++ {
			s.count(row, words, skip)
		}
		for i, v := range row {
			if g.binary && v > 0 {
				row[i] = 1
			}
			if g.weighs && g.weights != nil {
				row[i] *= g.weights[i]
			}
		}
	}
}

// count adds the sequences whose words are so far apart.
func (s *tfIdf) count(row []float32, words []int64, skip int) {
	g := s.g
	for start := range words {
		place, length := int64(0), 0
		for at := start; at < len(words) && length < g.lengths[1]; at += skip + 1 {
			if place = g.next[[2]int64{place, words[at]}]; place == 0 {
				break
			}
			length++
			if column, ok := g.columns[place]; ok && length >= g.lengths[0] && (length > 1 || skip == 0) {
				row[column]++
			}
		}
	}
}
