package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// msg is a protobuf message being written, for tests.
type msg []byte

func (m msg) num(field int, v int64) msg {
	return protowire.AppendVarint(protowire.AppendTag(m, protowire.Number(field), protowire.VarintType), uint64(v))
}

func (m msg) bytes(field int, v []byte) msg {
	return protowire.AppendBytes(protowire.AppendTag(m, protowire.Number(field), protowire.BytesType), v)
}

func (m msg) str(field int, v string) msg { return m.bytes(field, []byte(v)) }

func (m msg) float(field int, v float32) msg {
	return protowire.AppendFixed32(protowire.AppendTag(m, protowire.Number(field), protowire.Fixed32Type), math.Float32bits(v))
}

func (m msg) double(field int, v float64) msg {
	return protowire.AppendFixed64(protowire.AppendTag(m, protowire.Number(field), protowire.Fixed64Type), math.Float64bits(v))
}

// all appends the messages as one repeated field.
func (m msg) all(field int, parts ...msg) msg {
	for _, p := range parts {
		m = m.bytes(field, p)
	}
	return m
}

func model(graph msg) msg {
	return msg{}.num(1, 8).bytes(7, graph).bytes(8, msg{}.str(1, "").num(2, 13))
}

func graphOf(nodes ...msg) msg { return msg{}.all(1, nodes...) }

func nodeOf(op string, in, out []string, attrs ...msg) msg {
	m := msg{}
	for _, s := range in {
		m = m.str(1, s)
	}
	for _, s := range out {
		m = m.str(2, s)
	}
	return m.str(3, "the "+op).str(4, op).all(5, attrs...)
}

// value is a ValueInfoProto; dims are int or string.
func value(name string, typ int, dims ...any) msg {
	shape := msg{}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape = shape.bytes(1, msg{}.num(1, int64(d)))
		case string:
			shape = shape.bytes(1, msg{}.str(2, d))
		}
	}
	return msg{}.str(1, name).bytes(2, msg{}.bytes(1, msg{}.num(1, int64(typ)).bytes(2, shape)))
}

func tensorOf(name string, typ int, dims ...int) msg {
	m := msg{}
	for _, d := range dims {
		m = m.num(1, int64(d))
	}
	return m.num(2, int64(typ)).str(8, name)
}

func rawFloats(v ...float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func rawInts(v ...int64) []byte {
	var b []byte
	for _, n := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func attrInt(name string, v int64) msg { return msg{}.str(1, name).num(20, 2).num(3, v) }
func attrInts(name string, v ...int64) msg {
	m := msg{}.str(1, name).num(20, 7)
	for _, n := range v {
		m = m.num(8, n)
	}
	return m
}
func attrGraph(name string, g msg) msg { return msg{}.str(1, name).num(20, 5).bytes(6, g) }

// small is a whole model: y = Relu(x + w).
func small() msg {
	return model(graphOf(
		nodeOf("Add", []string{"x", "w"}, []string{"s"}),
		nodeOf("Relu", []string{"s"}, []string{"y"}),
	).bytes(5, tensorOf("w", 1, 2).bytes(9, rawFloats(1, -5))).
		bytes(11, value("x", 1, "n", 2)).
		bytes(12, value("y", 1, "n", 2)))
}
