package onnx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// Damaged and whole messages are walked as protowire walks them.
func TestMessageAgreesWithProtowire(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	whole, broken := 0, 0
	for range 20000 {
		var b []byte
		for range rnd.IntN(5) {
			num := protowire.Number(1 + rnd.IntN(40))
			switch rnd.IntN(4) {
			case 0:
				b = protowire.AppendTag(b, num, protowire.VarintType)
				b = protowire.AppendVarint(b, rnd.Uint64()>>rnd.IntN(64))
			case 1:
				b = protowire.AppendTag(b, num, protowire.Fixed32Type)
				b = protowire.AppendFixed32(b, rnd.Uint32())
			case 2:
				b = protowire.AppendTag(b, num, protowire.Fixed64Type)
				b = protowire.AppendFixed64(b, rnd.Uint64())
			case 3:
				b = protowire.AppendTag(b, num, protowire.BytesType)
				b = protowire.AppendBytes(b, make([]byte, rnd.IntN(200)))
			}
		}
		if len(b) > 0 && rnd.IntN(2) == 0 {
			b[rnd.IntN(len(b))] = byte(rnd.Uint32())
			b = b[:len(b)-rnd.IntN(2)]
		}
		m := open(b, "thing")
		for {
			rest := m.rest
			if !m.next() {
				break
			}
			num, typ, n := protowire.ConsumeTag(rest)
			require.Positive(t, n)
			require.Equal(t, int(num), m.num)
			require.Equal(t, int(typ), int(m.kind))
			size := protowire.ConsumeFieldValue(num, typ, rest[n:])
			require.Equal(t, len(m.rest), len(rest)-n-size)
			switch typ {
			case protowire.VarintType:
				v, _ := protowire.ConsumeVarint(rest[n:])
				require.Equal(t, v, m.bits)
			case protowire.Fixed32Type:
				v, _ := protowire.ConsumeFixed32(rest[n:])
				require.Equal(t, uint64(v), m.bits)
			case protowire.Fixed64Type:
				v, _ := protowire.ConsumeFixed64(rest[n:])
				require.Equal(t, v, m.bits)
			case protowire.BytesType:
				v, _ := protowire.ConsumeBytes(rest[n:])
				require.Equal(t, append([]byte{}, v...), append([]byte{}, m.data...))
			}
		}
		if m.err == nil {
			require.Empty(t, m.rest)
			whole++
			continue
		}
		broken++
	}
	assert.Greater(t, whole, 5000)
	assert.Greater(t, broken, 500)
}

func TestVarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 300, 1<<35 - 1, math.MaxInt64, math.MaxUint64} {
		b := protowire.AppendVarint(nil, v)
		got, n := uvarint(append(b, 0xff))
		assert.Equal(t, v, got)
		assert.Equal(t, len(b), n)
		for i := range b {
			_, n := uvarint(b[:i])
			assert.Zero(t, n, "truncated")
		}
	}
	_, n := uvarint([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 2})
	assert.Zero(t, n, "more than 64 bits")
	_, n = uvarint([]byte{128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0})
	assert.Zero(t, n, "more than ten bytes")
}

func TestRepeatedNumbers(t *testing.T) {
	var packed, single []byte
	for _, v := range []int64{1, -1, 1 << 40} {
		packed = protowire.AppendVarint(packed, uint64(v))
		single = protowire.AppendTag(single, 1, protowire.VarintType)
		single = protowire.AppendVarint(single, uint64(v))
	}
	both := protowire.AppendTag(single, 1, protowire.BytesType)
	both = protowire.AppendBytes(both, packed)
	var got []int64
	m := open(both, "thing")
	for m.next() {
		got = m.numbers(got)
	}
	require.NoError(t, m.err)
	assert.Equal(t, []int64{1, -1, 1 << 40, 1, -1, 1 << 40}, got)
}
