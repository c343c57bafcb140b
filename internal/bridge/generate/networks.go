package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"

	"github.com/normwasm/normwasm/internal/bridge/network"
	"github.com/normwasm/normwasm/nn/train"
)

// notes is a network.Reader that takes down the options that are read.
type notes struct {
	names   []string
	numbers map[string]float64 // the defaults
}

func (n *notes) note(name string) {
	if !slices.Contains(n.names, name) {
		n.names = append(n.names, name)
	}
}

func (n *notes) Number(name string, otherwise, from, to float64) float64 {
	n.note(name)
	n.numbers[name] = otherwise
	return otherwise
}

func (n *notes) Size(name string, otherwise, least int) int {
	n.note(name)
	return otherwise
}

func (n *notes) Word(name, otherwise string) string { n.note(name); return otherwise }

func (n *notes) Flag(name string, otherwise bool) bool { n.note(name); return otherwise }

func (n *notes) Has(name string) bool { n.note(name); return true }

func (n *notes) Null(name string) bool { n.note(name); return false }

func (n *notes) Layers(name string) []train.Spec { n.note(name); return nil }

// taken are the options that a function of package network reads.
func taken(read func(network.Reader)) *notes {
	n := &notes{numbers: map[string]float64{}}
	read(n)
	return n
}

func optimizerOptions(kind string) *notes {
	return taken(func(r network.Reader) { network.ReadOptimizer(r, kind) })
}

// networks writes the names of the options of networks in training.
func networks(p func(string, ...any)) {
	row := func(name string, n *notes) { p("  %s: '%s',", name, strings.Join(n.names, " ")) }
	p("\n/** The options of a network's layers, by type. */\nexport const layerOptions = {")
	for _, kind := range train.Types() {
		row(kind, taken(func(r network.Reader) { network.ReadLayer(r, kind) }))
	}
	p("};\n\n/** Those of its optimizers. */\nexport const optimizerOptions = {")
	for _, kind := range network.Optimizers {
		row(kind, optimizerOptions(kind))
	}
	p("};\n\n/** Those of its schedule. */\nexport const scheduleOptions = '%s';", strings.Join(scheduleOptions().names, " "))
}

// networkUsage writes wasm/usage_train_js.go.
func networkUsage(string, []byte) ([]byte, error) {
	b := bytes.NewBufferString(header + `
//go:build train

package main

// networkUsage is what help says of the options of networks.
const networkUsage = ` + "`" + `Layers:
`)
	object := func(kind string, n *notes) string {
		return "{ " + strings.Join(append([]string{"type: '" + kind + "'"}, n.names...), ", ") + " }"
	}
	for _, kind := range train.Types() {
		fmt.Fprintf(b, "  %s\n", object(kind, taken(func(r network.Reader) { network.ReadLayer(r, kind) })))
	}
	b.WriteString("Optimizers:\n")
	for _, kind := range network.Optimizers {
		fmt.Fprintf(b, "  %s\n", object(kind, optimizerOptions(kind)))
	}
	fmt.Fprintf(b, "A schedule: { %s }.`\n", strings.Join(scheduleOptions().names, ", "))
	return format.Source(b.Bytes())
}

func scheduleOptions() *notes { return taken(func(r network.Reader) { network.ReadSchedule(r) }) }
