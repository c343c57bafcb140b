package onnx

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/opt"
)

// Mutations: files are changed in ways that leave many of them valid, and run as they are
// written and optimized. Nothing may crash, hang or take memory without bound, and both
// have to give the same. js/test/mutants/run.mjs has onnxruntime-web run them as well.

var update = flag.Bool("update", false, "write the seeds in testdata/corpus anew")

const corpus = "testdata/corpus"

// maxKept is how many mutants are written for another runtime.
const maxKept = 1200

// tensorText is a tensor in a file beside a model.
type tensorText struct {
	Name, Type string
	Dims       []int
	Data       string    // base64
	Error      []float64 `json:",omitempty"` // by how much each element may differ, for floats
}

func textOf(name string, t *ir.Tensor) tensorText {
	return tensorText{Name: name, Type: t.Type.String(), Dims: append([]int{}, t.Dims...), Data: base64.StdEncoding.EncodeToString(t.Data)}
}

// play is a model's run: what it was fed and what it gave.
type play struct {
	File   string   `json:",omitempty"`
	What   string   // how it was made
	Source string   `json:",omitempty"` // of the results; "" is this engine
	Ops    []string `json:",omitempty"`
	// Of inputs and outputs that may be no tensors, how many tensors they are: see graph.Session.PrepareLists.
	Ins, Outputs map[string]int `json:",omitempty"`
	Feeds        []tensorText
	Outs         []tensorText
}

// countsOf are how many tensors the inputs of a model are fed, by their names: sequences have up to two, of the optional ones
// some are not there. It is nil where all inputs are one tensor.
func countsOf(inputs []graph.Info) []int {
	var counts []int
	lists := false
	for _, in := range inputs {
		n := graph.One
		switch {
		case in.Form == ir.Optional && len(in.Name)%2 == 0, in.Form == ir.OptionalSequence && len(in.Name)%4 == 0:
			n = graph.Nothing
		case in.Form.Lists():
			n = len(in.Name) % 3
		}
		counts, lists = append(counts, n), lists || in.Form.List()
	}
	if !lists {
		return nil
	}
	return counts
}

// lengths says of those that may be no tensors how many tensors they are.
func lengths(list []graph.Info, counts []int) map[string]int {
	n := map[string]int{}
	for i, v := range list {
		if v.Form.List() {
			n[v.Name] = counts[i]
		}
	}
	return n
}

// eachTensor repeats what describes an input or output for each of the tensors that it is.
func eachTensor(list []graph.Info, counts []int) []graph.Info {
	if counts == nil {
		return list
	}
	var all []graph.Info
	for i, v := range list {
		n := counts[i]
		if n == graph.One {
			n = 1
		}
		for range max(n, 0) {
			all = append(all, v)
		}
	}
	return all
}

// fed makes inputs for a session: small sizes, ordinary numbers.
func fed(rnd *rand.Rand, inputs []graph.Info) []*ir.Tensor {
	sizes := map[string]int{}
	list := []*ir.Tensor{}
	for _, in := range eachTensor(inputs, countsOf(inputs)) {
		var dims []int
		for _, d := range in.Dims {
			size := d.Size
			if size < 0 {
				if sizes[d.Symbol] == 0 {
					sizes[d.Symbol] = 1 + rnd.IntN(4)
				}
				size = sizes[d.Symbol]
			}
			dims = append(dims, size)
		}
		if !in.Known {
			dims = []int{2, 3}
		}
		total := 1
		for _, d := range dims {
			if total *= max(d, 1); total > 1<<16 {
				return nil
			}
		}
		x := ir.NewTensor(in.Type, dims...)
		if in.Type == ir.String {
			x.Strings = make([]string, x.Len())
		}
		for k := range x.Len() {
			switch in.Type {
			case ir.Float32:
				x.Float32s()[k] = float32(rnd.NormFloat64())
			case ir.Float64:
				x.Float64s()[k] = rnd.NormFloat64()
			case ir.String:
				x.Strings[k] = string(rune('a' + rnd.IntN(26)))
			case ir.Float16: // 1 to 2
				slab.View[uint16](x.Data)[k] = 0x3c00 | uint16(rnd.Uint32()&0x3ff)
			case ir.Int64:
				x.Int64s()[k] = rnd.Int64N(4)
			case ir.Int32:
				x.Int32s()[k] = rnd.Int32N(7) - 2
			default:
				if size := in.Type.Size(); size > 0 {
					x.Data[k*size] = byte(rnd.IntN(2))
				}
			}
		}
		list = append(list, x)
	}
	return list
}

// session prepares a file; the error is the engine's.
func session(file []byte, level string) (*graph.Session, error) {
	return sessionOf(file, graph.Options{Optimize: level, MaxBytes: maxBytes, MaxTrips: maxTrips, Own: true})
}

func sessionOf(file []byte, o graph.Options) (*graph.Session, error) {
	g, err := ReadWith(owned(file), Options{Files: beside()})
	if err != nil {
		return nil, err
	}
	return graph.NewSession(g, o)
}

// maxBytes and maxTrips keep mutants from asking for much work.
const (
	maxBytes = 1 << 20
	maxTrips = 2000
)

// outcome runs a session and copies what it gave.
func outcome(s *graph.Session, feeds []*ir.Tensor) (out []*ir.Tensor, err error) {
	out, _, err = outcomeOf(s, feeds)
	return out, err
}

// outcomeOf is outcome that says of each output how many tensors it is.
func outcomeOf(s *graph.Session, feeds []*ir.Tensor) (out []*ir.Tensor, counts []int, err error) {
	var dims [][]int
	for _, f := range feeds {
		dims = append(dims, f.Dims)
	}
	r, err := s.PrepareLists(countsOf(s.Inputs()), dims, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range feeds {
		copy(r.In(i).Data, f.Data)
		copy(r.In(i).Strings, f.Strings)
	}
	if err := r.Exec(); err != nil {
		return nil, nil, err
	}
	counts = slices.Clone(r.Counts())
	out = []*ir.Tensor{}
	for i := range eachTensor(s.Outputs(), counts) {
		y := r.Out(i)
		out = append(out, &ir.Tensor{Type: y.Type, Dims: slices.Clone(y.Dims), Data: append(slab.New(0), y.Data...), Strings: slices.Clone(y.Strings)})
	}
	return out, counts, nil
}

// numbers are a tensor's elements.
func numbersOf(t *ir.Tensor) []float64 {
	list := make([]float64, t.Len())
	data := owned(t.Data)
	for k := range list {
		switch t.Type {
		case ir.Float32:
			list[k] = float64(slab.View[float32](data)[k])
		case ir.Float64:
			list[k] = slab.View[float64](data)[k]
		case ir.Float16:
			list[k] = half(slab.View[uint16](data)[k])
		case ir.Int64, ir.Uint64:
			list[k] = float64(slab.View[int64](data)[k])
		case ir.Int32, ir.Uint32:
			list[k] = float64(slab.View[int32](data)[k])
		case ir.Int16, ir.Uint16:
			list[k] = float64(slab.View[int16](data)[k])
		case ir.BFloat16:
			list[k] = float64(math.Float32frombits(uint32(slab.View[uint16](data)[k]) << 16))
		case ir.Int4, ir.Uint4, ir.Float4E2M1:
			list[k] = float64(data[k/2] >> (k % 2 * 4) & 15)
		case ir.Int2, ir.Uint2:
			list[k] = float64(data[k/4] >> (k % 4 * 2) & 3)
		case ir.String:
		default:
			list[k] = float64(data[k])
		}
	}
	return list
}

func half(h uint16) float64 {
	sign, exp, frac := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac > 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// doubt is by how much each element of the outputs may differ for rounding alone: what
// changes of the inputs, and of the values between, in their last digits bring about, many
// times over, and a little of the output's magnitude. It is infinite where such a change makes another shape, and
// where something overflows on the way: 1/x is as large as can be, up or down, by the sign
// of a zero. coarse is what other runtimes may be off by besides, relatively (see between).
func doubt(file []byte, s *graph.Session, feeds []*ir.Tensor, out []*ir.Tensor) (list [][]float64, coarse float64) {
	list = make([][]float64, len(out))
	base := make([][]float64, len(out))
	for i, y := range out {
		base[i] = numbersOf(y)
		scale := 0.0
		for _, v := range base[i] {
			if a := math.Abs(v); a <= math.MaxFloat32 {
				scale = max(scale, a)
			}
		}
		list[i] = make([]float64, len(base[i]))
		if floating(y.Type) {
			for k := range list[i] {
				list[i][k] = 1e-5 * scale
			}
		}
	}
	floats, coarse, tame := between(file, feeds)
	if !tame {
		for _, errors := range list {
			for k := range errors {
				errors[k] = math.Inf(1)
			}
		}
		return list, coarse
	}
	for round := range 8 {
		rnd := rand.New(rand.NewPCG(uint64(round), 5))
		var moved []*ir.Tensor
		for _, f := range feeds {
			x := &ir.Tensor{Type: f.Type, Dims: f.Dims, Data: owned(f.Data), Strings: f.Strings}
			if f.Type == ir.Float32 {
				for k, v := range x.Float32s() {
					step := float32(rnd.IntN(3) - 1)
					if round < 2 { // all up, and all down: what a long sum of either sign is off by
						step = float32(1-2*round) * float32(math.Copysign(1, float64(v)))
					}
					x.Float32s()[k] = v * (1 + step*2e-6)
				}
			}
			moved = append(moved, x)
		}
		from, times := s, 30.0
		if round >= 4 { // values between, in place of inputs
			moved, times = feeds, 10
			if changed, err := session(jittered(rnd, file, floats), "none"); err == nil {
				from = changed
			}
		}
		got, err := outcome(from, moved)
		for i, y := range out {
			if err != nil || len(got) != len(out) || !slices.Equal(y.Dims, got[i].Dims) {
				for k := range list[i] {
					list[i][k] = math.Inf(1)
				}
				continue
			}
			for k, v := range numbersOf(got[i]) {
				if d := times * math.Abs(v-base[i][k]); d > list[i][k] || math.IsNaN(d) && !(math.IsNaN(v) && math.IsNaN(base[i][k])) {
					list[i][k] = d
					if math.IsNaN(d) {
						list[i][k] = math.Inf(1)
					}
				}
			}
		}
	}
	return list, coarse
}

// between runs a file, as it is written, and names the floats among the values between its
// inputs and outputs, with their last dimensions. It is not tame where one of them is infinite, NaN or very large, or is
// cast to integers that do not have it, of which ONNX says nothing; nor where a sigmoid and
// its like come so close to 0 that other runtimes have 0, nor where a power of integers may have overflown.
// coarse is what a value of 16 bits or a quantized one among them is off by, relatively, or 0.
func between(file []byte, feeds []*ir.Tensor) (floats map[string]int, coarse float64, tame bool) {
	all, err := session(exposed(file), "none")
	if err != nil {
		return nil, 0, true
	}
	out, counts, err := outcomeOf(all, feeds)
	outputs := eachTensor(all.Outputs(), counts)
	floats = map[string]int{}
	ranges := castTo(file)
	vanishing, powers := map[string]bool{}, map[string]bool{}
	for _, n := range takeApart(file, "model").all("node") {
		switch op := n.str(4); {
		case op == "Pow":
			powers[n.str(2)] = true
		case strings.HasPrefix(op, "Dequantize"):
		case strings.Contains(op, "Quantize"), strings.HasPrefix(op, "QLinear"): // the last digit may round to the next integer
			coarse = 1e-4
		}
		if slices.Contains([]string{"Sigmoid", "Softmax", "Exp", "Softplus", "Mish"}, n.str(4)) {
			vanishing[n.str(2)] = true
		}
	}
	for i, in := range eachTensor(all.Inputs(), countsOf(all.Inputs())) {
		if limits, ok := ranges[in.Name]; ok && floating(in.Type) {
			for _, v := range numbersOf(feeds[i]) {
				if v <= limits[0]-1 || v >= limits[1]+1 {
					return nil, 0, false
				}
			}
		}
	}
	for i, y := range out {
		name := outputs[i].Name
		if !floating(y.Type) {
			large := func(v float64) bool { return math.Abs(v) >= 1<<24 }
			if powers[name] && slices.ContainsFunc(numbersOf(y), large) {
				return nil, 0, false
			}
			continue
		}
		switch y.Type {
		case ir.Float16:
			coarse = max(coarse, 1.0/(1<<10))
		case ir.BFloat16:
			coarse = max(coarse, 1.0/(1<<7))
		}
		if y.Type == ir.Float32 && !outputs[i].Form.List() {
			floats[name] = -1 // a scalar
			if len(y.Dims) > 0 {
				floats[name] = y.Dims[len(y.Dims)-1]
			}
		}
		for _, v := range numbersOf(y) {
			limits, ok := ranges[name]
			if !(math.Abs(v) < 1e30) || ok && (v <= limits[0]-1 || v >= limits[1]+1) ||
				v != 0 && math.Abs(v) < 1e-7 && vanishing[name] {
				return nil, 0, false
			}
		}
	}
	return floats, coarse, err == nil
}

// castTo gives the least and the greatest number of the integer type that a value is cast to, by its name.
func castTo(file []byte) map[string][2]float64 {
	ranges := map[string][2]float64{}
	for _, n := range takeApart(file, "model").all("node") {
		if op := n.str(4); op != "Cast" {
			continue
		}
		for _, a := range n.all("attribute") {
			to := a.first(3)
			if a.str(1) != "to" || to == nil {
				continue
			}
			limits, ok := map[uint64][2]float64{2: {0, 255}, 3: {-128, 127}, 4: {0, 65535}, 5: {-32768, 32767}, 6: {math.MinInt32, math.MaxInt32},
				7: {-1 << 62, 1 << 62}, 12: {0, math.MaxUint32}, 13: {0, 1 << 62},
				21: {1, 0}, 22: {1, 0}}[to.bits] // of 4 bits: onnxruntime rounds, ONNX cuts off
			name := n.str(1)
			if have, twice := ranges[name]; ok && twice {
				limits = [2]float64{max(limits[0], have[0]), min(limits[1], have[1])}
			}
			if ok {
				ranges[name] = limits
			}
		}
	}
	return ranges
}

func floating(t ir.DType) bool {
	return t == ir.Float32 || t == ir.Float64 || t == ir.Float16 || t == ir.BFloat16
}

// unlike says where two results differ by more than their doubt, "" for nowhere.
func unlike(want, got []*ir.Tensor, doubt [][]float64) string {
	if len(want) != len(got) {
		return fmt.Sprint("there are ", len(got), " tensors, not ", len(want))
	}
	for i, w := range want {
		g := got[i]
		if w.Type != g.Type {
			return fmt.Sprint("output ", i, " is ", g.Type, ", not ", w.Type)
		}
		if !slices.Equal(w.Dims, g.Dims) {
			if len(doubt[i]) > 0 && math.IsInf(doubt[i][0], 1) {
				continue
			}
			return fmt.Sprint("output ", i, " has dimensions ", g.Dims, ", not ", w.Dims)
		}
		if !slices.Equal(w.Strings, g.Strings) {
			return fmt.Sprint("output ", i, " has other strings")
		}
		if bytes.Equal(w.Data, g.Data) {
			continue
		}
		a, b := numbersOf(w), numbersOf(g)
		for k := range a {
			if a[k] == b[k] || math.IsNaN(a[k]) && math.IsNaN(b[k]) || math.Abs(a[k]-b[k]) <= doubt[i][k] {
				continue
			}
			// What overflowed somewhere may be infinite, NaN or very large, as it comes.
			if floating(w.Type) && (!(math.Abs(a[k]) < 1e30) || math.IsInf(doubt[i][k], 1)) {
				continue
			}
			return fmt.Sprintf("output %d, element %d is %v, not %v (a difference of %.3g would be rounding)", i, k, b[k], a[k], doubt[i][k])
		}
	}
	return ""
}

// verdict is what became of one file.
type verdict struct {
	fault string // what is wrong with the engine, "" for nothing
	feeds []*ir.Tensor
	out   []*ir.Tensor // nil where it was refused
	count []int        // of the outputs: how many tensors each is
	doubt [][]float64
	// coarse is what the outputs of another runtime may be off by besides, relatively to the largest element: onnxruntime leaves out casts to
	// 16 bits and back, and the last digit before a quantization may round to the next integer.
	coarse float64
	draws  bool // numbers at random
}

var allocated = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}

// judge runs a file as it is written and optimized.
func judge(file []byte, seed uint64) (v verdict) {
	metrics.Read(allocated)
	before, begin := allocated[0].Value.Uint64(), time.Now()
	defer func() {
		if p := recover(); p != nil {
			v.fault = fmt.Sprint("panic: ", p)
		}
		metrics.Read(allocated)
		bytes, took := allocated[0].Value.Uint64()-before, time.Since(begin)
		switch {
		case v.fault != "":
		case bytes > 512<<20+64*uint64(len(file)):
			v.fault = fmt.Sprint("it allocates ", bytes>>20, " MiB")
		case took > 30*time.Second:
			v.fault = fmt.Sprint("it takes ", took)
		}
	}()
	plain, err := session(file, "none")
	if err != nil {
		v.fault = unwanted(err)
		return v
	}
	if v.feeds = fed(rand.New(rand.NewPCG(seed, 3)), plain.Inputs()); v.feeds == nil {
		return v
	}
	out, count, err := outcomeOf(plain, v.feeds)
	if err != nil {
		v.fault = unwanted(err)
		return v
	}
	full, err := session(file, "all")
	var got []*ir.Tensor
	if err == nil {
		got, err = outcome(full, v.feeds)
	}
	if err != nil {
		if v.fault = unwanted(err); v.fault == "" && !strings.Contains(err.Error(), "limit") {
			v.fault = "optimized it fails: " + err.Error()
		}
		return v
	}
	v.out, v.count = out, count
	v.doubt, v.coarse = doubt(file, plain, v.feeds, out)
	if how := unlike(out, got, v.doubt); how != "" {
		v.fault = "optimized, " + how
		return v
	}
	if v.draws = draws(file, plain); v.draws {
		return v // whose later runs go on with other numbers
	}
	resident, err := sessionOf(file, graph.Options{Resident: true, MaxBytes: maxBytes, MaxTrips: maxTrips})
	if err != nil {
		v.fault = "resident: " + err.Error()
		return v
	}
	for _, c := range []struct {
		name, level string
		s           *graph.Session
		run         func(*graph.Session, []*ir.Tensor) ([]*ir.Tensor, error)
	}{{"optimized", "all", full, outcome}, {"as written", "none", plain, outcome}, {"resident", "all", resident, taken}} {
		if how := inTurn(file, c.level, c.s, c.run, v.feeds, seed); how != "" {
			v.fault = c.name + ", " + how
			return v
		}
	}
	return v
}

// draws says that a model has operators that draw numbers: each run goes on where the one
// before has stopped.
func draws(file []byte, s *graph.Session) bool {
	for _, n := range takeApart(file, "model").all("node") {
		if n.str(4) == "Dropout" && len(n.fields(1)) > 2 { // with a training_mode
			return true
		}
	}
	for _, o := range s.Ops() {
		if strings.HasPrefix(o.Op, "Random") || o.Op == "Bernoulli" || o.Op == "Multinomial" {
			return true
		}
	}
	return false
}

// taken is outcome for a session whose inputs and results are in memory of the caller's, which takes the results
// over. Inputs must not change.
func taken(s *graph.Session, feeds []*ir.Tensor) (out []*ir.Tensor, err error) {
	var dims [][]int
	var memory [][]byte
	for _, f := range feeds {
		dims, memory = append(dims, f.Dims), append(memory, nil)
		if f.Type != ir.String {
			memory[len(memory)-1] = owned(f.Data)
		}
	}
	r, err := s.PrepareLists(countsOf(s.Inputs()), dims, memory)
	if err != nil {
		return nil, err
	}
	for i, f := range feeds {
		copy(r.In(i).Strings, f.Strings)
	}
	if err := r.Exec(); err != nil {
		return nil, err
	}
	for i, f := range feeds {
		if !bytes.Equal(memory[i], f.Data) {
			return nil, fmt.Errorf("input %d was overwritten", i)
		}
	}
	out = []*ir.Tensor{}
	for i := range eachTensor(s.Outputs(), r.Counts()) {
		y := *r.Out(i)
		y.Dims, y.Strings = slices.Clone(y.Dims), slices.Clone(y.Strings)
		if b := r.Take(i); b != nil {
			y.Data = b
		} else {
			y.Data = owned(y.Data)
		}
		out = append(out, &y)
	}
	r.Forget()
	return out, nil
}

// inTurn feeds a session that has run inputs of other sizes, and the first ones again:
// each time it has to give what a new session does, to the bit. It says what is not so.
func inTurn(file []byte, level string, s *graph.Session, run func(*graph.Session, []*ir.Tensor) ([]*ir.Tensor, error), feeds []*ir.Tensor, seed uint64) string {
	for turn := range uint64(3) {
		other := feeds
		if turn != 1 {
			if other = fed(rand.New(rand.NewPCG(seed, 100+turn)), s.Inputs()); other == nil {
				continue
			}
		}
		fresh, err := session(file, level)
		if err != nil {
			return fmt.Sprintf("a second session fails: %v", err)
		}
		want, errWant := outcome(fresh, other)
		got, errGot := run(s, other)
		if fmt.Sprint(errWant) != fmt.Sprint(errGot) {
			if strings.Contains(fmt.Sprint(errWant, errGot), "limit") { // what is kept of other sizes counts
				continue
			}
			return fmt.Sprintf("turn %d: %v, a new session: %v", turn, errGot, errWant)
		}
		if len(want) != len(got) {
			return fmt.Sprintf("turn %d: there are %d tensors, of a new session %d", turn, len(got), len(want))
		}
		for i := range got {
			if !slices.Equal(want[i].Dims, got[i].Dims) || !bytes.Equal(want[i].Data, got[i].Data) || !slices.Equal(want[i].Strings, got[i].Strings) {
				return fmt.Sprintf("turn %d: output %d is %v %v, of a new session %v %v", turn, i, got[i].Dims, first(numbersOf(got[i])), want[i].Dims, first(numbersOf(want[i])))
			}
		}
	}
	return ""
}

func first(list []float64) []float64 { return list[:min(len(list), 6)] }

// unwanted is an error that is not of our making, "" for those that are.
func unwanted(err error) string {
	var load *ir.LoadError
	var missing *ir.UnsupportedError
	var shape *ir.ShapeError
	var full *slab.NoMemoryError
	if !errors.As(err, &load) && !errors.As(err, &missing) && !errors.As(err, &shape) && !errors.As(err, &full) {
		return fmt.Sprintf("an error of an unknown kind: %v", err)
	}
	if strings.Contains(err.Error(), " failed: ") || strings.HasSuffix(err.Error(), " failed") {
		return "a caught panic: " + err.Error()
	}
	if len(err.Error()) > maxMessage {
		return fmt.Sprintf("a message of %d bytes", len(err.Error()))
	}
	return ""
}

// maxMessage bounds an error's text, whatever a file holds. SECURITY.md says so.
const maxMessage = 8 << 10

// found keeps a file that shows a fault, and says how it becomes a test.
func found(t *testing.T, file []byte, p play) {
	t.Helper()
	h := fnv.New64a()
	h.Write(file)
	name := filepath.Join(corpus, fmt.Sprintf("found-%016x", h.Sum64()))
	require.NoError(t, os.MkdirAll(corpus, 0o755))
	require.NoError(t, os.WriteFile(name+".onnx", file, 0o644))
	t.Errorf("%s\nkept as nn/onnx/%s.onnx: add it to the repository, under a name that says what it shows, and TestCorpus runs it from then on\n", p.What, name)
}

// seedFiles are what mutations start from: our own, the corpus and single nodes, and small
// models of the shared test data, where they are.
func seedFiles(t testing.TB) (own, others [][]byte) {
	paths, err := filepath.Glob(filepath.Join(corpus, "*.onnx"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), len(networks()))
	data := os.Getenv("NORMWASM_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	for _, pattern := range []string{"conformance/onnx-node/node/*/model.onnx", "reports/*.onnx"} {
		more, err := filepath.Glob(filepath.Join(data, pattern))
		require.NoError(t, err)
		paths = append(paths, more...)
	}
	list := &own
	for _, path := range paths {
		if !strings.HasPrefix(path, corpus) {
			list = &others
		}
		if strings.Contains(path, "found-") { // until somebody has looked at it
			continue
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		if len(b) < 20<<10 && takeApart(b, "model") != nil {
			if s, err := session(b, "none"); err == nil && s != nil {
				*list = append(*list, b)
			}
		}
	}
	for _, m := range seeds() {
		own = append(own, m)
	}
	return own, others
}

// number reads an environment variable.
func number(t *testing.T, name string, def int) int {
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// A few hundred mutants each time; NORMWASM_MUTANTS is a number of seconds for more, NORMWASM_SEED starts
// another series, and NORMWASM_MUTANTS_TO is a folder for files that run, with what they gave.
func TestMutants(t *testing.T) {
	seconds, seed, folder := number(t, "NORMWASM_MUTANTS", 0), uint64(number(t, "NORMWASM_SEED", 1)), os.Getenv("NORMWASM_MUTANTS_TO")
	own, others := seedFiles(t)
	defer func(was int) { opt.Blocks = was }(opt.Blocks)
	opt.Blocks = opt.BlocksAll // convolutions of small networks too
	networks := len(own) - len(seeds())
	count, ran, refusedOnes, kept, faults := 0, 0, 0, 0, 0
	ops, kinds := map[string]int{}, map[string][2]int{} // of kinds how many there were, and ran
	var current *os.File                                // what a mutant that ends the process was
	if folder != "" {
		var err error
		current, err = os.Create(filepath.Join(folder, "current"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "beside"), beside()[besideName], 0o644))
		defer current.Close()
	}
	for begin := time.Now(); count < 400 || time.Since(begin) < time.Duration(seconds)*time.Second; count++ {
		rnd := rand.New(rand.NewPCG(seed, uint64(count)))
		from := own[rnd.IntN(len(own))]
		switch kind := rnd.IntN(3); {
		case kind == 0 && len(others) > 0:
			from = others[rnd.IntN(len(others))]
		case kind == 1: // what consists of more than one node
			from = own[rnd.IntN(networks)]
		}
		file, done := mutated(rnd, from)
		seeded := folder != "" && count < len(own)
		if seeded { // first the seeds themselves, for the other runtime
			file, done = own[count], []string{"a seed"}
		}
		p := play{What: fmt.Sprintf("mutant %d of seed %d: %s", count, seed, strings.Join(done, "; "))}
		if current != nil {
			_, err := current.WriteAt(file, 0)
			require.NoError(t, err)
			require.NoError(t, current.Truncate(int64(len(file))))
		}
		v := judge(file, uint64(count))
		if v.fault != "" {
			p.What += ": " + v.fault
			found(t, file, p)
			if faults++; faults == 20 {
				break
			}
			continue
		}
		kind := kindOf(file)
		n := kinds[kind]
		n[0]++
		if v.out == nil {
			kinds[kind] = n
			refusedOnes++
			continue
		}
		ran++
		n[1]++
		kinds[kind] = n
		for _, n := range takeApart(file, "model").all("node") {
			ops[n.str(4)]++
			p.Ops = append(p.Ops, n.str(4))
		}
		// onnxruntime-web runs about ten in a second: some of all the time are kept.
		if folder == "" || len(v.out) == 0 || v.draws || !seeded && float64(kept) > maxKept*time.Since(begin).Seconds()/float64(max(seconds, 1)) {
			continue
		}
		p.File = fmt.Sprintf("%d.onnx", kept)
		file = presentable(file)
		s, err := session(file, "none")
		require.NoError(t, err)
		// Where a file's declarations were what said a result's dimensions, there is nothing to compare: they are gone.
		again, _, err := outcomeOf(s, v.feeds)
		sameDims := func(a, b *ir.Tensor) bool { return slices.Equal(a.Dims, b.Dims) }
		if err != nil || !slices.EqualFunc(again, v.out, sameDims) {
			continue
		}
		outputs := s.Outputs()
		crosses := true // what is declared as a tensor, and is none, does not
		for i, o := range outputs {
			crosses = crosses && (o.Form.List() || v.count[i] == graph.One)
		}
		if !crosses {
			continue
		}
		p.Ins, p.Outputs = lengths(s.Inputs(), countsOf(s.Inputs())), lengths(outputs, v.count)
		for i, in := range eachTensor(s.Inputs(), countsOf(s.Inputs())) {
			p.Feeds = append(p.Feeds, textOf(in.Name, v.feeds[i]))
		}
		for i, o := range eachTensor(outputs, v.count) {
			text := textOf(o.Name, v.out[i])
			if floating(v.out[i].Type) {
				scale := 0.0
				for _, y := range numbersOf(v.out[i]) {
					if a := math.Abs(y); a <= math.MaxFloat32 {
						scale = max(scale, a)
					}
				}
				for _, d := range v.doubt[i] {
					text.Error = append(text.Error, min(max(d, v.coarse*scale), math.MaxFloat64)) // JSON has no infinity
				}
			} else if slices.Max(append(v.doubt[i], 0)) > 0 {
				text.Error = []float64{math.MaxFloat64}
			}
			p.Outs = append(p.Outs, text)
		}
		b, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, p.File), file, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.json", kept)), b, 0o644))
		kept++
	}
	t.Logf("seed %d: %d mutants of %d files, %d ran as written and optimized, %d were refused; %d operators; of each kind, and those that ran: %v", seed, count, len(own)+len(others), ran, refusedOnes, len(ops), kinds)
	require.Greater(t, ran, count/8, "most mutants should say something about the engine")
}

// kindOf says what is most special in a file.
func kindOf(file []byte) string {
	t := takeApart(file, "model")
	if t == nil {
		return "damaged"
	}
	for _, x := range t.all("tensor") {
		if len(x.fields(13)) > 0 {
			return "external data"
		}
	}
	kind := "other"
	for _, n := range t.all("node") {
		switch op := n.str(4); {
		case strings.Contains(op, "Sequence") || strings.HasPrefix(op, "Optional"):
			return "sequences"
		case op == "Loop" || op == "Scan":
			kind = "loops"
		case kind == "other" && (strings.Contains(op, "Quant") || strings.Contains(op, "Integer") || strings.HasPrefix(op, "QLinear") || strings.HasSuffix(op, "NBits")):
			kind = "quantized"
		}
	}
	return kind
}

// The seeds are what their code makes: go test ./nn/onnx -run TestCorpusSeeds -update writes them.
func TestCorpusSeeds(t *testing.T) {
	for name, m := range networks() {
		path := filepath.Join(corpus, "seed-"+name+".onnx")
		if *update {
			require.NoError(t, os.MkdirAll(corpus, 0o755))
			require.NoError(t, os.WriteFile(path, m, 0o644))
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(m, b), "%s is not what network_test.go makes: run go test ./nn/onnx -run TestCorpusSeeds -update", path)
	}
}

// All files of the corpus: seeds, and mutants that showed a fault once. Those with a .json beside them have to give
// what it says, which another runtime has computed.
func TestCorpus(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus, "*.onnx"))
	require.NoError(t, err)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".onnx"), func(t *testing.T) {
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			for seed := range uint64(4) {
				v := judge(file, seed)
				require.Empty(t, v.fault)
				if strings.Contains(path, "seed-") {
					require.NotNil(t, v.out, "it runs")
				}
			}
			b, err := os.ReadFile(strings.TrimSuffix(path, ".onnx") + ".json")
			if err != nil {
				return
			}
			var p play
			require.NoError(t, json.Unmarshal(b, &p))
			for _, level := range []string{"none", "all"} {
				p.check(t, file, level)
			}
		})
	}
}

// check holds a model to results from elsewhere.
func (p *play) check(t *testing.T, file []byte, level string) {
	s, err := session(file, level)
	require.NoError(t, err)
	feeds := make([]*ir.Tensor, len(s.Inputs()))
	for i, in := range s.Inputs() {
		for _, f := range p.Feeds {
			if f.Name == in.Name {
				feeds[i] = f.tensor(t)
			}
		}
	}
	got, err := outcome(s, feeds)
	require.NoError(t, err)
	for i, o := range s.Outputs() {
		for _, w := range p.Outs {
			if w.Name != o.Name {
				continue
			}
			want := w.tensor(t)
			require.Equal(t, want.Dims, append([]int{}, got[i].Dims...), o.Name)
			a, b := numbersOf(want), numbersOf(got[i])
			for k := range a {
				tolerance := 0.0
				if len(w.Error) > k {
					tolerance = w.Error[k]
				}
				require.True(t, a[k] == b[k] || math.IsNaN(a[k]) && math.IsNaN(b[k]) || math.Abs(a[k]-b[k]) <= tolerance,
					"%s, %s: element %d is %v, want %v", level, o.Name, k, b[k], a[k])
			}
		}
	}
}

// tensor is the tensor that was written down.
func (f *tensorText) tensor(t *testing.T) *ir.Tensor {
	b, err := base64.StdEncoding.DecodeString(f.Data)
	require.NoError(t, err)
	types := map[string]ir.DType{}
	for d := ir.Float32; d <= ir.Int2; d++ {
		types[d.String()] = d
	}
	require.Contains(t, slices.Collect(maps.Keys(types)), f.Type)
	x := ir.NewTensor(types[f.Type], f.Dims...)
	require.Equal(t, len(x.Data), len(b))
	copy(x.Data, b)
	return x
}
