//go:build !train && !lean

package main

import (
	"encoding/binary"
	"syscall/js"
	"time"

	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/text"
)

func init() {
	entries = append(entries, entry{"writer", `writer(model: tensor, options?): writer
Reads a decoder that writes text, from a tensor that holds the file's bytes (safetensors,
llama2.c's or ONNX) from its address on and that the writer takes over. options: bytes (the
file's length; default: all of it), config (the text of its config.json),
graphOptimizationLevel. release ends it.`, newWriter},
		entry{"writerInfo", `writerInfo(w: writer): { context, vocabulary, begin, end, ops }
The most positions; the number of tokens, 0 if it is not known yet; the token that texts
begin with, or -1; those that end one; the operators.`, writerInfo},
		entry{"writerStart", `writerStart(w: writer, tokens: Int32Array, sampling?): undefined
Begins a text. sampling: temperature (default 0: the likeliest token), topK (0: all),
topP (1: all), seed.`, writerStart},
		entry{"writerNext", `writerNext(w: writer, most: number, ms: number): Int32Array
The next tokens of the text, until there are so many or so many milliseconds have gone by, at
least one; none at the end of the context.`, writerNext})
}

func newWriter(args []js.Value) (any, error) {
	h, err := handle(arg(args, 0))
	if err != nil {
		return nil, err
	}
	options := arg(args, 1)
	o, n := text.Options{}, -1
	o.Graph, err = sessionOptions(options)
	if given := option(options, "bytes"); err == nil && !isNone(given) {
		n, err = integer(given, "bytes")
	}
	if config := option(options, "config"); !isNone(config) {
		o.Config = []byte(config.String())
	}
	if err != nil {
		state.Free(h)
		return nil, err
	}
	w, err := state.OpenWriter(h, n, o)
	if err != nil {
		return nil, err
	}
	return uint32(w), nil
}

func writerOf(args []js.Value) (*bridge.Writer, error) {
	h, err := integer(arg(args, 0), "writer")
	if err != nil {
		return nil, err
	}
	return state.Writer(bridge.Handle(h))
}

func writerInfo(args []js.Value) (any, error) {
	w, err := writerOf(args)
	if err != nil {
		return nil, err
	}
	info := w.Info()
	o := jsObject.New()
	o.Set("context", info.Context)
	o.Set("vocabulary", info.Vocabulary)
	o.Set("begin", info.Begin)
	o.Set("end", array(info.End, same))
	o.Set("ops", array(info.Ops, func(c graph.OpCount) any {
		v := jsObject.New()
		v.Set("op", c.Op)
		v.Set("count", c.N)
		return v
	}))
	return o, nil
}

func writerStart(args []js.Value) (any, error) {
	w, err := writerOf(args)
	if err != nil {
		return nil, err
	}
	list := arg(args, 1)
	if list.Type() != js.TypeObject || !list.InstanceOf(js.Global().Get("Int32Array")) {
		return nil, invalid("wasm: tokens is no Int32Array")
	}
	tokens := make([]int32, list.Length())
	for i := range tokens {
		tokens[i] = int32(list.Index(i).Int())
	}
	var s text.Sampling
	seed, topK := 0.0, 0.0
	for _, p := range [...]struct {
		name string
		to   *float64
	}{{"temperature", &s.Temperature}, {"topK", &topK}, {"topP", &s.TopP}, {"seed", &seed}} {
		if v := option(arg(args, 2), p.name); v.Type() == js.TypeNumber {
			*p.to = v.Float()
		}
	}
	s.TopK, s.Seed = int(topK), uint64(int64(seed))
	return nil, w.Start(tokens, s)
}

func writerNext(args []js.Value) (any, error) {
	w, err := writerOf(args)
	if err != nil {
		return nil, err
	}
	most, err := integer(arg(args, 1), "most")
	if err != nil {
		return nil, err
	}
	var list []byte
	start, ms := time.Now(), arg(args, 2).Float()
	for n := 0; n < most && (n == 0 || !(ms > 0) || float64(time.Since(start))/1e6 < ms); n++ {
		token, ok, err := w.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		list = binary.LittleEndian.AppendUint32(list, uint32(token))
	}
	// All at once: a call to JavaScript takes as long as some layers do.
	b := js.Global().Get("Uint8Array").New(len(list))
	js.CopyBytesToJS(b, list)
	return js.Global().Get("Int32Array").New(b.Get("buffer")), nil
}
