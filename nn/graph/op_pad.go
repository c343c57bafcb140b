package graph

import "github.com/normwasm/normwasm/internal/slab"

func init() { enter(pads) }

var pads = []entry{{"Pad", 2, "mode pads value", checkPad, planPad}}

func checkPad(n *Node) string {
	switch m := n.Str("mode", "constant"); m {
	case "constant", "reflect", "edge", "wrap":
		return ""
	default:
		return "mode=" + m
	}
}

// planPad: pads and value are attributes up to opset 10, inputs from 11 on; from
// 18 on axes may say which dimensions pads are for. Negative pads crop.
func planPad(c *Call) error {
	dims, t := c.In(0).Dims, c.In(0).Type
	pads, given, err := listArg(c, "pads", 1, 11)
	if err != nil {
		return err
	}
	axes := make([]int64, len(dims))
	for i := range axes {
		axes[i] = int64(i)
	}
	if c.Node.Version >= 18 {
		if list, ok, err := hostInts(c, 3); err != nil {
			return err
		} else if ok {
			axes = list
		}
	}
	if !given || len(pads) != 2*len(axes) {
		return c.Fail("there are ", len(pads), " pads for ", len(axes), " dimensions")
	}
	if _, err := axesOf(c, axes, len(dims)); err != nil {
		return err
	}
	out, before := cloneDims(dims), make([]int, len(dims))
	for i, a := range axes {
		axis, _ := axisOf(c, a, len(dims))
		b, e := pads[i], pads[i+len(axes)]
		if b < -dimLimit || b > dimLimit || e < -dimLimit || e > dimLimit {
			return c.Fail("pads are ", intsOf(pads))
		}
		before[axis] = int(b)
		out[axis] += int(b + e)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	mode := c.Node.Str("mode", "constant")
	c.Out(0, t, out...)
	if c.err != nil || Elements(out) == 0 {
		c.Run(nothing)
		return nil
	}
	if mode == "constant" {
		return padConstant(c, dims, out, before)
	}
	// Every output element has a source along each axis, kept as an offset.
	steps, sources := rowMajor(dims), make([][]int, len(dims))
	for axis, n := range out {
		if dims[axis] == 0 {
			return c.Fail("dimension ", axis, " of ", dims, " is empty: there is nothing to repeat")
		}
		for i := range n {
			sources[axis] = append(sources[axis], mirrored(i-before[axis], dims[axis], mode)*steps[axis])
		}
	}
	return stepSources(c, sources)
}

// mirrored brings an index outside [0, n) back into it.
func mirrored(i, n int, mode string) int {
	switch mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return ((i % n) + n) % n
	}
	period := max(2*n-2, 1) // reflect: the border itself is not repeated
	i = ((i % period) + period) % period
	if i >= n {
		i = period - i
	}
	return i
}

// stepSources sets the step that takes each output element from the sum of its
// axes' offsets.
func stepSources(c *Call, sources [][]int) error {
	size := c.In(0).Type.Size()
	c.Run(func(a *Args) { copySources(a.Out[0].Data, a.In[0].Data, sources, 0, size) })
	return nil
}

func copySources(y, x []byte, sources [][]int, base, size int) int {
	if len(sources) == 0 {
		return copy(y, x[base*size:(base+1)*size])
	}
	list := sources[0]
	if len(sources) == 1 && size == 4 {
		from, to := slab.View[uint32](x)[base:], slab.View[uint32](y[:4*len(list)])
		for i, s := range list {
			to[i] = from[s]
		}
		return 4 * len(list)
	}
	done, last := 0, 0
	for i, s := range list {
		if i > 0 && s == list[i-1] { // the same again
			done += copy(y[done:], y[done-last:done])
			continue
		}
		last = copySources(y[done:], x, sources[1:], base+s, size)
		done += last
	}
	return done
}

func padConstant(c *Call, dims, out, before []int) error {
	t := c.In(0).Type
	value := slab.New(t.Size())
	if c.Node.Version < 11 {
		if v := c.Node.Float("value", 0); v != 0 {
			if !floatTypes.has(t) {
				return unsupported(c, "type ", t.String())
			}
			put := make([]float64, 1)
			put[0] = float64(v)
			storeFloats(t)(value, put)
		}
	} else if v := c.In(2); v != nil && (v.Type != t || v.Len() != 1) {
		return c.Fail("the value is ", v.Type.String(), " with dimensions ", v.Dims, ", want one ", t.String())
	}
	// What of the input stays, and where it comes to lie.
	walk, src, dst := make([]int, len(dims)), rowMajor(dims), rowMajor(out)
	from, to := 0, 0
	for i, n := range dims {
		lo, hi := max(0, -before[i]), min(n, out[i]-before[i])
		walk[i] = max(hi-lo, 0)
		from += min(lo, n) * src[i]
		to += max(lo+before[i], 0) * dst[i]
	}
	p := newStrided(t.Size(), walk, src, dst)
	p.srcAt, p.dstAt = from, to
	whole := sameDims(walk, out)
	c.Run(func(a *Args) {
		v := value
		if len(a.In) > 2 && a.In[2] != nil && c.Node.Version >= 11 {
			v = a.In[2].Data
		}
		if !whole {
			fillTensor(a.Out[0].Data, v)
		}
		p.run(a.Out[0].Data, a.In[0].Data)
	})
	return nil
}
