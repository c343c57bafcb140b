package graph

import "strings"

// The words that make the name of an input that of a state, and those of the output which
// it is at the next run, in the order in which they are looked for. "^" stands for the
// beginning of a name and "$" for its end.
const (
	inputWords  = "past_key_values past prev_ previous_ old_ ^initial_ _in$ ^in_ _in_ _input$ ^input_ _input_ _0$ 0$ hx$ cx$ i$ "
	outputWords = "present_key_values present new_ next_ ^updated_ ^final_ ^Y_ _new$ _next$ _out$ ^out_ _out_ _output$ ^output_ _output_ _n$ n$ N$ hy$ cy$ o$ "
)

// signals are words for what goes through a model, and not back.
const signals = " x input data audio wav wave signal samples speech pcm image img frame video src spec mag mel features mask text tokens ids "

// Paired finds the outputs of a model that are to be its inputs at the next run, by their
// names:
//
//	past_key_values.0.key, past_0, past_k       present.0.key, present_0, present_k
//	h0, c_0, hx, h, state                       hn, c_n, hy, hn, stateN
//	hidden_in, in_cache_1, r1i, cache           hidden_out, out_cache_1, r1o, cache_out
//	cache, prev_cache, old_cache, initial_h     new_cache, next_cache, new_cache, Y_h
//
// Without the word that says which of the two it is both have the same name; an input may
// do without. Both have the same type, number of dimensions and, as far as they are known,
// sizes. Each input and each output is of one pair. What a signal is called is none (image and
// image_out), and there are none at all where no input or no output would be left.
func Paired(inputs, outputs []Info) []State {
	pairs := make([]State, 0, len(outputs))
	taken := make([]bool, len(inputs))
	for o := range outputs {
		out := &outputs[o]
		name := without(out.Name, outputWords)
		if name == out.Name || strings.Contains(signals, " "+name+" ") {
			continue
		}
		for i := range inputs {
			in := &inputs[i]
			if !taken[i] && (in.Name == name || without(in.Name, inputWords) == name) && unlike(in, out) == "" {
				taken[i] = true
				pairs = append(pairs, State{in.Name, out.Name})
				break
			}
		}
	}
	if len(pairs) == len(inputs) || len(pairs) == len(outputs) {
		return nil
	}
	return pairs
}

// without is a name without the first of the words that it has.
func without(name, words string) string {
	word := ""
	for words != "" {
		word, words, _ = strings.Cut(words, " ")
		if before, after, found := strings.Cut("^"+name+"$", word); found {
			return strings.TrimPrefix(before, "^") + strings.TrimSuffix(after, "$")
		}
	}
	return name
}
