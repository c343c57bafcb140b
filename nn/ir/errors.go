package ir

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
)

// LoadError reports a model that cannot be read: truncated, malformed, or
// asking for more than the limits allow.
type LoadError struct{ msg string }

func (e *LoadError) Error() string { return e.msg }

// Load makes a LoadError of the parts that text.Join takes.
func Load(parts ...any) error { return &LoadError{text.Join(parts...)} }

// UnsupportedError lists the operators, attributes and types of a model that are
// not implemented: the first of them, and how many more there are.
type UnsupportedError struct {
	Missing []string // such as "NonMaxSuppression (opset 11)"
}

func (e *UnsupportedError) Error() string {
	return "graph: the model needs what is not implemented: " + strings.Join(e.Missing, ", ")
}

// ShapeError reports a feed or a node whose operands do not fit each other.
type ShapeError struct{ msg string }

func (e *ShapeError) Error() string { return e.msg }

// Shape makes a ShapeError of the parts that text.Join takes.
func Shape(parts ...any) error { return &ShapeError{text.Join(parts...)} }

// ReleasedError reports the use of a session after Release, or of a run whose
// memory another run has taken.
type ReleasedError struct{ msg string }

func (e *ReleasedError) Error() string { return e.msg }

// A model can lack as many things as it has nodes: a message names the first of them. Those
// beyond are told apart only as long as there are few, so that a list costs no more than the
// file.
const (
	maxMissing = 32
	maxKinds   = 4096
	maxLength  = 240 // of one of them: a file may give anything a long name
)

// Missing collects what of a model is not implemented, each thing once.
type Missing struct {
	list    []string
	seen    map[string]bool // what is in list, and up to maxKinds more
	more    int             // in seen, but not in list
	endless bool            // there are more than seen has
}

// Add notes one thing.
func (m *Missing) Add(what string) { m.AddAs(what, func() string { return what }) }

// AddAs notes one thing by a name for it, and describes it only where it will be listed.
func (m *Missing) AddAs(name string, describe func() string) {
	name = shortened(name)
	switch {
	case m.seen[name]:
		return
	case len(m.seen) == maxKinds:
		m.endless = true
		return
	case m.seen == nil:
		m.seen = map[string]bool{}
	}
	m.seen[name] = true
	if len(m.list) < maxMissing {
		m.list = append(m.list, shortened(describe()))
	} else {
		m.more++
	}
}

func shortened(s string) string {
	if len(s) > maxLength {
		return strings.ToValidUTF8(s[:maxLength], "") + "…"
	}
	return s
}

// Any says whether anything was added.
func (m *Missing) Any() bool { return len(m.list) > 0 }

// Endless says that so much is missing that further things are no longer told apart.
func (m *Missing) Endless() bool { return m.endless }

// Err is the UnsupportedError of what was collected, or nil.
func (m *Missing) Err() error {
	list := m.list
	switch {
	case len(list) == 0:
		return nil
	case m.endless:
		list = append(list[:len(list):len(list)], text.Join("and more than ", m.more, " more"))
	case m.more > 0:
		list = append(list[:len(list):len(list)], text.Join("and ", m.more, " more"))
	}
	return &UnsupportedError{Missing: list}
}

// Released makes a ReleasedError of the parts that text.Join takes.
func Released(parts ...any) error { return &ReleasedError{text.Join(parts...)} }
