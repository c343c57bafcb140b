package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/op"
)

// Elsewhere names an operator of the model in b that this edition of the module lacks and
// the full one has, or the opset where the full one alone knows its operators; or gives "". It only reads b, which Read may not have had: the caller
// can hand the file on to the other edition. What is damaged is Read's to report.
func Elsewhere(b []byte) string {
	if !op.Lean {
		return ""
	}
	m := open(b, "model")
	for m.next() {
		if m.kind != kindBytes {
			continue
		}
		found := ""
		switch m.num {
		case 8: // an operator set: what opsets 1 to 6 wrote in another way is written anew there
			found = old(m.data)
		case 7: // the graph
			found = elsewhereOf(m.data, 1, 0)
		case 25: // a function, with operator sets of its own
			for f := open(m.data, "function"); f.next() && found == ""; {
				if f.num == 9 && f.kind == kindBytes {
					found = old(f.data)
				}
			}
			if found == "" {
				found = elsewhereOf(m.data, 7, 0)
			}
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// old says of an OperatorSetIdProto whether it is of ONNX before op.LeanOpset.
func old(b []byte) string {
	domain, version := "", int64(0)
	for m := open(b, "opset import"); m.next(); {
		switch {
		case m.num == 1 && m.kind == kindBytes:
			domain = domainName(string(m.data))
		case m.num == 2 && m.kind == kindVarint:
			version = int64(m.bits)
		}
	}
	if domain != "" || version < op.MinOpset || version >= op.LeanOpset {
		return ""
	}
	return text.Join("those of opset ", version)
}

// declaredList says of a ValueInfoProto whether it is a sequence or optional.
func declaredList(of *message) (is bool) {
	if of.kind != kindBytes {
		return false
	}
	for v := open(of.data, "value"); v.next(); {
		if v.num != 2 || v.kind != kindBytes {
			continue
		}
		for t := open(v.data, "type"); t.next(); {
			is = is || t.num == 4 || t.num == 9
		}
	}
	return is
}

// elsewhereOf looks through the nodes of a graph or function, which are its fields of a number, and what they contain.
func elsewhereOf(b []byte, nodes, depth int) string {
	if depth > maxDepth {
		return ""
	}
	m := open(b, "graph")
	for m.next() {
		if m.num == 11 && nodes == 1 && depth == 0 && declaredList(m) {
			return "those on sequences and optional values"
		}
		if m.num != nodes || m.kind != kindBytes {
			continue
		}
		name, domain := "", ""
		for n := open(m.data, "node"); n.next(); {
			switch {
			case n.kind != kindBytes:
			case n.num == 4:
				name = string(n.data)
			case n.num == 7:
				domain = domainName(string(n.data))
			case n.num == 5: // an attribute, with a graph or several
				for a := open(n.data, "attribute"); a.next(); {
					if a.kind == kindBytes && (a.num == 6 || a.num == 11) {
						if found := elsewhereOf(a.data, 1, depth+1); found != "" {
							return found
						}
					}
				}
			}
		}
		if domain != "" {
			name = domain + "." + name
		}
		if op.Elsewhere(name) {
			return name
		}
	}
	return ""
}
