package onnx

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Tensors whose elements are in files beside the model: exporters write them so when a model
// is large. The graph's weights stay where the files are in memory, as those of the model's
// own file do.

// Options are a reader's choices.
type Options struct {
	// Files are the files that tensors of the model are in, by their paths as Files lists them. What is
	// read of them stays in use, and must not change. Without any such tensors are not
	// implemented.
	Files map[string][]byte
}

// File is a file that a model refers to: relative to the model's, with slashes.
type File struct {
	Path  string
	Bytes int64  // that it has at least, as far as the model says it
	Named string // the first tensor that is in it
}

// placement is a tensor whose elements are in a file.
type placement struct {
	tensor         *ir.Tensor
	name, path     string
	offset, length int64 // length is -1 where the model does not say it
	want           int
}

func (p *placement) end() int64 { return p.offset + int64(p.want) }

// CleanPath is the path of a file beside the model that a tensor names, without "." in it.
// Whatever may lead out of the model's folder is refused: absolute paths, "..", URLs, drives,
// backslashes.
func CleanPath(location string) (path string, ok bool) {
	if location == "" || len(location) > 4096 || location[0] == '/' {
		return "", false
	}
	for i := range len(location) {
		if c := location[i]; c < ' ' || c == 0x7f || c == '\\' || c == ':' {
			return "", false
		}
	}
	from := 0
	for i := 0; i <= len(location); i++ {
		if i < len(location) && location[i] != '/' {
			continue
		}
		switch name := location[from:i]; name {
		case "", ".":
		case "..":
			return "", false
		default:
			if path != "" {
				path += "/"
			}
			path += name
		}
		from = i + 1
	}
	return path, path != ""
}

// entry reads a StringStringEntryProto of a tensor's external_data.
func (p *tensorProto) entry(b []byte) error {
	key, value := "", ""
	m := open(b, "external data")
	for m.next() {
		switch m.num {
		case 1:
			key = m.str()
		case 2:
			value = m.str()
		}
	}
	switch key {
	case "location":
		p.location = value
	case "offset":
		p.offset = value
	case "length":
		p.length = value
	}
	return m.err
}

// size reads a number of bytes, otherwise for none.
func size(s string, otherwise int64) (n int64, ok bool) {
	if s == "" {
		return otherwise, true
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > 1<<52 {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, true
}

// place says where the elements of a tensor are, which need want bytes.
func (p *tensorProto) place(want int) (*placement, error) {
	path, ok := CleanPath(p.location)
	if !ok {
		return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " is in the file ", text.Quote(p.location), ", want one in the model's folder, or below it")
	}
	at := &placement{name: p.name, path: path, want: want}
	if at.offset, ok = size(p.offset, 0); !ok {
		return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " is at offset ", text.Quote(p.offset), " of the file ", text.Quote(path))
	}
	if at.length, ok = size(p.length, -1); !ok || at.length >= 0 && at.length != int64(want) {
		return nil, ir.Load("onnx: tensor ", text.Quote(p.name), " has ", text.Quote(p.length), " bytes in the file ", text.Quote(path), ", want ", want)
	}
	return at, nil
}

// fill gives the tensors that are in files their elements. Where they are aligned, and no
// other tensor has a part of them, they stay in the file's memory; else they are copied, within the reader's budget.
func (r *reader) fill() error {
	list := r.placed
	order := ir.Ordered(len(list), func(a, b int) bool {
		x, y := list[a], list[b]
		if x.path != y.path {
			return x.path < y.path
		}
		return x.offset < y.offset || x.offset == y.offset && x.want < y.want
	})
	var last *placement // the latest that has its elements in the file's memory
	for _, i := range order {
		p := list[i]
		file, ok := r.files[p.path]
		switch {
		case !ok:
			return ir.Load("onnx: tensor ", text.Quote(p.name), " is in the file ", text.Quote(p.path), ", of which it needs ", p.want, " bytes from ", p.offset, " on; there is no such file")
		case p.end() > int64(len(file)):
			return ir.Load("onnx: tensor ", text.Quote(p.name), " is in the file ", text.Quote(p.path), ", of which it needs ", p.want, " bytes from ", p.offset, " on; the file has ", len(file))
		case p.want == 0:
			continue
		}
		data := file[p.offset:p.end():p.end()]
		overlaps := last != nil && last.path == p.path && p.offset < last.end() && (p.offset != last.offset || p.want != last.want || p.tensor.Type != last.tensor.Type)
		if !overlaps && p.tensor.Type != ir.Bool && slab.Addr(data)%uintptr(max(p.tensor.Type.Size(), 1)) == 0 {
			p.tensor.Data, last = data, p
			continue
		}
		if r.budget -= p.want; r.budget < 0 {
			return ir.Load("onnx: tensor ", text.Quote(p.name), " overlaps with others in the file ", text.Quote(p.path), ", or is not aligned, and the copies make far more of the model than its files have")
		}
		p.tensor.Data = slab.New(p.want)
		copy(p.tensor.Data, data)
		if p.tensor.Type == ir.Bool {
			for j, v := range p.tensor.Data { // operators compare them as bytes
				p.tensor.Data[j] = min(v, 1)
			}
		}
	}
	return nil
}

// Files lists the files that a model's tensors are in, in order of their first mention, without
// reading or changing anything else of it.
func Files(b []byte) ([]File, error) {
	l := &lister{seen: map[string]int{}}
	m := open(b, "model")
	for m.next() {
		switch m.num {
		case 7:
			l.walk(m, graphPiece, 0)
		case 25:
			l.walk(m, functionPiece, 0)
		}
	}
	if m.err != nil {
		return nil, nil // the reader says what is wrong
	}
	return l.list, l.err
}

type lister struct {
	list []File
	seen map[string]int
	err  error
}

// piece is a kind of message in which tensors may be.
type piece uint8

const (
	graphPiece piece = iota + 1
	nodePiece
	attributePiece
	sparsePiece
	functionPiece
	tensorPiece
)

// within says what a field of a piece is.
func (p piece) within(num int) piece {
	switch {
	case p == graphPiece && num == 1, p == functionPiece && num == 7:
		return nodePiece
	case p == graphPiece && num == 5, p == attributePiece && (num == 5 || num == 10), p == sparsePiece && (num == 1 || num == 2):
		return tensorPiece
	case p == graphPiece && num == 15, p == attributePiece && (num == 22 || num == 23):
		return sparsePiece
	case p == nodePiece && num == 5, p == functionPiece && num == 11:
		return attributePiece
	case p == attributePiece && (num == 6 || num == 11):
		return graphPiece
	}
	return 0
}

// walk goes through a field of a message, which is of a kind.
func (l *lister) walk(of *message, kind piece, depth int) {
	if depth > 5*maxDepth || l.err != nil || !of.want(kindBytes) {
		return
	}
	if kind == tensorPiece {
		l.tensor(of.data)
		return
	}
	m := open(of.data, "piece")
	for m.next() {
		if inner := kind.within(m.num); inner != 0 {
			l.walk(m, inner, depth+1)
		}
	}
}

// tensor notes the file that a tensor is in.
func (l *lister) tensor(b []byte) {
	var p tensorProto
	m := open(b, "tensor")
	for m.next() {
		switch {
		case m.num == 8:
			p.name = m.str()
		case m.num == 13 && m.want(kindBytes):
			p.external = true
			if m.err = p.entry(m.data); m.err != nil {
				return
			}
		case m.num == 14:
			p.external = p.external || m.num64() != 0
		}
	}
	if !p.external || m.err != nil {
		return
	}
	length, _ := size(p.length, 0)
	at, err := p.place(int(length))
	if err != nil {
		l.err = err
		return
	}
	i, ok := l.seen[at.path]
	if !ok {
		i = len(l.list)
		l.seen[at.path] = i
		l.list = append(l.list, File{Path: at.path, Named: at.name})
	}
	l.list[i].Bytes = max(l.list[i].Bytes, at.end())
}
