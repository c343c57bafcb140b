package testkit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// DataDir returns a folder of the shared test data, and skips the test, saying so,
// where there is none: NORMWASM_DATA, or ../shared/data beside the repository.
func DataDir(t testing.TB, folder ...string) string {
	t.Helper()
	root := os.Getenv("NORMWASM_DATA")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Skipf("skipped: no files can be read here (%v)", err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(dir) == dir {
				t.Skipf("skipped: no files can be read here (%s/%s)", runtime.GOOS, runtime.GOARCH)
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared", "data")
	}
	path := filepath.Join(append([]string{root}, folder...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the test data are absent (%v); NORMWASM_DATA names their folder", err)
	}
	return path
}

// A Tensor is an ONNX TensorProto of one of the types that the cases have.
type Tensor struct {
	Name  string
	Dims  []int
	Float []float32 // of FLOAT
	Int   []int64   // of INT64
}

// A Node is the operator of a case, with its attributes.
type Node struct {
	Op              string
	Inputs, Outputs []string // "" for one that is left out
	Float           map[string]float32
	Int             map[string]int64
	Ints            map[string][]int64
}

// A Case is one conformance case: a model of one node, its inputs and what must
// come out, within Atol + Rtol·|expected|.
type Case struct {
	Name       string
	Opset      int
	Node       Node
	Inputs     map[string]Tensor
	Outputs    []Tensor // in the order of the graph's outputs
	Rtol, Atol []float64
}

// OnnxNormCases reads the conformance cases of one operator.
func OnnxNormCases(t testing.TB, op string) []Case {
	t.Helper()
	dir := DataDir(t, "conformance", "onnx-norm")
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		File       string
		Rtol, Atol float64
	}
	var manifest struct {
		Cases []struct {
			Name            string
			Ops             []string
			Opset           int
			Model           string
			Inputs, Outputs []file
		}
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for _, m := range manifest.Cases {
		if len(m.Ops) != 1 || m.Ops[0] != op {
			continue
		}
		c := Case{Name: m.Name, Opset: m.Opset, Inputs: map[string]Tensor{}}
		c.Node, err = readModel(filepath.Join(dir, m.Model))
		if err != nil {
			t.Fatalf("%s: %v", m.Model, err)
		}
		var present []string
		for _, name := range c.Node.Inputs {
			if name != "" {
				present = append(present, name)
			}
		}
		for i, f := range m.Inputs {
			tensor, err := readTensor(filepath.Join(dir, f.File))
			if err != nil {
				t.Fatalf("%s: %v", f.File, err)
			}
			c.Inputs[present[i]] = tensor
		}
		for _, f := range m.Outputs {
			tensor, err := readTensor(filepath.Join(dir, f.File))
			if err != nil {
				t.Fatalf("%s: %v", f.File, err)
			}
			c.Outputs = append(c.Outputs, tensor)
			c.Rtol, c.Atol = append(c.Rtol, f.Rtol), append(c.Atol, f.Atol)
		}
		cases = append(cases, c)
	}
	return cases
}

// nodeTests is where Debian's package libonnx-testdata puts the ONNX project's tests.
const nodeTests = "/usr/share/libonnx-testdata/data"

// NodeModels lists the model files of the ONNX project's own tests in these groups:
// "node" has models of a single operator, and each operator that is a function once
// more, expanded into others; the other groups have small models that were exported.
// The test is skipped, saying so, where the package is not installed, and fails where
// it is but has none. It is skipped by -short in wasm too: a browser takes a tenth of a
// second to read a file, and Node has run the same code.
func NodeModels(t testing.TB, groups ...string) []string {
	t.Helper()
	if testing.Short() && runtime.GOARCH == "wasm" {
		t.Skip("skipped: a thousand files are too many for a browser; Node reads them without -short")
	}
	if _, err := os.Stat(nodeTests); err != nil {
		t.Skipf("skipped: ONNX's node tests are not installed (make testdata; Debian: libonnx-testdata)")
	}
	var models []string
	for _, group := range groups {
		list, _ := filepath.Glob(filepath.Join(nodeTests, group, "test_*", "model.onnx"))
		if len(list) == 0 {
			t.Fatalf("%s is there, but has no tests in %s", nodeTests, group)
		}
		models = append(models, list...)
	}
	return models
}

// normalization matches the names of the node tests whose models NodeCases reads.
var normalization = regexp.MustCompile("norm|lrn|mvn")

// NodeCases reads the ONNX project's own tests of one operator, see NodeModels. They
// are held to that project's tolerance.
func NodeCases(t testing.TB, op string) []Case {
	t.Helper()
	models := NodeModels(t, "node")
	var cases []Case
	for _, model := range models {
		if !normalization.MatchString(filepath.Base(filepath.Dir(model))) {
			continue
		}
		node, err := readModel(model)
		if err != nil || node.Op != op {
			continue // of several nodes, or another operator's
		}
		c := Case{Name: filepath.Base(filepath.Dir(model)), Node: node, Inputs: map[string]Tensor{}}
		read := func(kind string, i int) Tensor {
			tensor, err := readTensor(filepath.Join(filepath.Dir(model), "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			return tensor
		}
		for i, name := range node.Inputs {
			c.Inputs[name] = read("input", i)
		}
		for i := range node.Outputs {
			c.Outputs = append(c.Outputs, read("output", i))
			c.Rtol, c.Atol = append(c.Rtol, 1e-3), append(c.Atol, 1e-7)
		}
		cases = append(cases, c)
	}
	return cases
}

// fields calls visit for each field of a protobuf message: v for varints and
// fixed numbers, b for what has a length.
func fields(message []byte, visit func(field protowire.Number, v uint64, b []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var v uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var w uint32
			w, n = protowire.ConsumeFixed32(message)
			v = uint64(w)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(message)
		default:
			return fmt.Errorf("field %d has wire type %d", field, kind)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := visit(field, v, b); err != nil {
			return err
		}
	}
	return nil
}

// readModel returns the only node of a ModelProto.
func readModel(path string) (Node, error) {
	node := Node{Float: map[string]float32{}, Int: map[string]int64{}, Ints: map[string][]int64{}}
	model, err := os.ReadFile(path)
	if err != nil {
		return node, err
	}
	nodes := 0
	return node, fields(model, func(field protowire.Number, _ uint64, graph []byte) error {
		if field != 7 { // ModelProto.graph
			return nil
		}
		return fields(graph, func(field protowire.Number, _ uint64, b []byte) error {
			if field != 1 { // GraphProto.node
				return nil
			}
			if nodes++; nodes > 1 {
				return fmt.Errorf("more than one node")
			}
			return fields(b, func(field protowire.Number, _ uint64, b []byte) error {
				switch field { // NodeProto
				case 1:
					node.Inputs = append(node.Inputs, string(b))
				case 2:
					node.Outputs = append(node.Outputs, string(b))
				case 4:
					node.Op = string(b)
				case 5:
					return readAttribute(&node, b)
				}
				return nil
			})
		})
	})
}

func readAttribute(node *Node, message []byte) error {
	var name string
	var f *float32
	var i *int64
	var ints []int64
	err := fields(message, func(field protowire.Number, v uint64, b []byte) error {
		switch field { // AttributeProto
		case 1:
			name = string(b)
		case 2:
			value := math.Float32frombits(uint32(v))
			f = &value
		case 3:
			value := int64(v)
			i = &value
		case 8:
			ints = appendInts(ints, v, b)
		}
		return nil
	})
	if f != nil {
		node.Float[name] = *f
	}
	if i != nil {
		node.Int[name] = *i
	}
	if ints != nil {
		node.Ints[name] = ints
	}
	return err
}

// appendInts takes one element of a repeated int64, or a packed run of them.
func appendInts(ints []int64, v uint64, packed []byte) []int64 {
	if packed == nil {
		return append(ints, int64(v))
	}
	for len(packed) > 0 {
		w, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return ints
		}
		ints, packed = append(ints, int64(w)), packed[n:]
	}
	return ints
}

func readTensor(path string) (Tensor, error) {
	var tensor Tensor
	message, err := os.ReadFile(path)
	if err != nil {
		return tensor, err
	}
	var kind uint64
	var raw []byte
	var dims []int64
	err = fields(message, func(field protowire.Number, v uint64, b []byte) error {
		switch field { // TensorProto
		case 1:
			dims = appendInts(dims, v, b)
		case 2:
			kind = v
		case 4: // float_data, packed or not
			if b == nil {
				tensor.Float = append(tensor.Float, math.Float32frombits(uint32(v)))
			}
			for ; len(b) >= 4; b = b[4:] {
				tensor.Float = append(tensor.Float, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case 7: // int64_data
			tensor.Int = appendInts(tensor.Int, v, b)
		case 8:
			tensor.Name = string(b)
		case 9:
			raw = b
		}
		return nil
	})
	for _, d := range dims {
		tensor.Dims = append(tensor.Dims, int(d))
	}
	switch kind {
	case 1: // FLOAT
		for ; len(raw) >= 4; raw = raw[4:] {
			tensor.Float = append(tensor.Float, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
	case 7: // INT64
		for ; len(raw) >= 8; raw = raw[8:] {
			tensor.Int = append(tensor.Int, int64(binary.LittleEndian.Uint64(raw)))
		}
	default:
		return tensor, fmt.Errorf("tensor %s has the element type %d, which no case needed so far", tensor.Name, kind)
	}
	return tensor, err
}
