package bridge

import "github.com/normwasm/normwasm/nn/graph"

// readModel parses an ONNX file; the graph's weights alias it.
func readModel(file []byte) (*graph.Graph, error) {
	return nil, graph.Load("onnx: not yet")
}
