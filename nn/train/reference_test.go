package train

import "math"

// reference computes a network in float64, by the definitions of its layers: the oracle
// of the gradients, which are differences of its loss.
type reference struct {
	options Options
	params  map[string][]float64
}

// tensor64 is one example or a batch of them: [n shape…].
type tensor64 struct {
	n     int
	shape []int
	data  []float64
}

func (t tensor64) each() int { return len(t.data) / t.n }

func newReference(t *Trainer) *reference {
	r := &reference{options: t.options, params: map[string][]float64{}}
	for _, p := range t.params {
		v := make([]float64, len(p.Value))
		for i, x := range p.Value {
			v[i] = float64(x)
		}
		r.params[p.Name] = v
	}
	return r
}

func (r *reference) loss(b Batch) float64 {
	x := tensor64{n: b.N, shape: r.options.Input}
	for _, v := range b.X {
		x.data = append(x.data, float64(v))
	}
	for _, v := range b.Tokens {
		x.data = append(x.data, float64(v))
	}
	y := r.stack(r.options.Model, "", x)
	if r.options.Loss == "meanSquaredError" {
		sum := 0.0
		for i, v := range y.data {
			d := v - float64(b.Targets[i])
			sum += d * d
		}
		return sum / float64(len(y.data))
	}
	classes, sum := y.shape[len(y.shape)-1], 0.0
	for i, label := range b.Labels {
		row := y.data[i*classes:][:classes]
		total := 0.0
		for _, v := range row {
			total += math.Exp(v)
		}
		sum += math.Log(total) - row[label]
	}
	return sum / float64(len(b.Labels))
}

func (r *reference) stack(specs []Spec, prefix string, x tensor64) tensor64 {
	for i := range specs {
		x = r.layer(&specs[i], prefix+string(rune('0'+i)), x)
	}
	return x
}

// parameter returns a parameter, or all ones or zeros where a layer has none.
func (r *reference) parameter(name string, otherwise float64) func(i int) float64 {
	p := r.params[name]
	return func(i int) float64 {
		if p == nil {
			return otherwise
		}
		return p[i]
	}
}

func (r *reference) layer(s *Spec, path string, x tensor64) tensor64 {
	weight, bias := r.parameter(path+".weight", 1), r.parameter(path+".bias", 0)
	y := tensor64{n: x.n, shape: x.shape}
	switch s.Type {
	case "linear":
		y.shape = append(append([]int{}, x.shape[:len(x.shape)-1]...), s.Units)
		y.data = product(x.data, x.shape[len(x.shape)-1], s.Units, weight, bias)
	case "conv2d":
		return r.conv(s, weight, bias, x)
	case "relu":
		y.data = mapped(x.data, func(v float64) float64 { return math.Max(v, 0) })
	case "tanh":
		y.data = mapped(x.data, math.Tanh)
	case "sigmoid":
		y.data = mapped(x.data, sigmoid)
	case "silu":
		y.data = mapped(x.data, func(v float64) float64 { return v * sigmoid(v) })
	case "gelu":
		y.data = mapped(x.data, func(v float64) float64 { return v * 0.5 * math.Erfc(-v/math.Sqrt2) })
	case "flatten":
		return tensor64{x.n, []int{x.each()}, x.data}
	case "noise":
		return x
	case "dropout":
		return x
	case "globalAveragePool":
		if len(x.shape) == 2 {
			y.shape = x.shape[1:]
			for i := range x.n {
				for d := range x.shape[1] {
					sum := 0.0
					for t := range x.shape[0] {
						sum += x.data[(i*x.shape[0]+t)*x.shape[1]+d]
					}
					y.data = append(y.data, sum/float64(x.shape[0]))
				}
			}
			return y
		}
		y.shape = x.shape[:1]
		inner := x.shape[1] * x.shape[2]
		for i := 0; i < len(x.data); i += inner {
			y.data = append(y.data, mean(x.data[i:i+inner]))
		}
	case "maxPool2d", "averagePool2d":
		return pooled(s, x)
	case "batchNorm", "layerNorm", "rmsNorm", "groupNorm", "instanceNorm":
		return normalized(s, x, weight, bias)
	case "dynamicTanh":
		alpha := r.params[path+".alpha"][0]
		y.data = make([]float64, len(x.data))
		for i, v := range x.data {
			f := featureOf(x, i)
			y.data[i] = weight(f)*math.Tanh(alpha*v) + bias(f)
		}
	case "residual":
		f := r.stack(s.Body, path+".", x)
		y.data = make([]float64, len(x.data))
		for i, v := range x.data {
			y.data[i] = v + f.data[i]
		}
	case "embedding":
		positions := r.parameter(path+".positions", 0)
		y.shape = []int{x.shape[0], s.Width}
		for i, token := range x.data {
			for d := range s.Width {
				y.data = append(y.data, weight(int(token)*s.Width+d)+positions(i%x.shape[0]*s.Width+d))
			}
		}
	case "attention":
		return r.attention(s, path, x)
	case "gru":
		return r.gru(s, path, x)
	default:
		panic(s.Type)
	}
	return y
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

func mapped(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func product(x []float64, in, units int, weight, bias func(int) float64) (y []float64) {
	for i := 0; i < len(x); i += in {
		for u := range units {
			sum := bias(u)
			for d := range in {
				sum += x[i+d] * weight(u*in+d)
			}
			y = append(y, sum)
		}
	}
	return y
}

// featureOf is the channel of an element: axis 0 of an image, the last of everything else.
func featureOf(x tensor64, i int) int {
	i %= x.each()
	if len(x.shape) == 3 {
		return i / (x.shape[1] * x.shape[2])
	}
	return i % x.shape[len(x.shape)-1]
}

func (r *reference) conv(s *Spec, weight, bias func(int) float64, x tensor64) tensor64 {
	stride, groups := max(s.Stride, 1), max(s.Groups, 1)
	c, h, w := x.shape[0], x.shape[1], x.shape[2]
	oh, ow, top, left := (h-s.Kernel)/stride+1, (w-s.Kernel)/stride+1, 0, 0
	if s.Padding != "valid" {
		oh, ow = (h+stride-1)/stride, (w+stride-1)/stride
		top, left = max((oh-1)*stride+s.Kernel-h, 0)/2, max((ow-1)*stride+s.Kernel-w, 0)/2
	}
	y := tensor64{x.n, []int{s.Filters, oh, ow}, nil}
	each := c / groups
	for n := range x.n {
		for o := range s.Filters {
			g := o / (s.Filters / groups)
			for oy := range oh {
				for ox := range ow {
					sum := bias(o)
					for ch := range each {
						for ky := range s.Kernel {
							for kx := range s.Kernel {
								iy, ix := oy*stride+ky-top, ox*stride+kx-left
								if iy >= 0 && iy < h && ix >= 0 && ix < w {
									sum += x.data[((n*c+g*each+ch)*h+iy)*w+ix] * weight(((o*each+ch)*s.Kernel+ky)*s.Kernel+kx)
								}
							}
						}
					}
					y.data = append(y.data, sum)
				}
			}
		}
	}
	return y
}

func pooled(s *Spec, x tensor64) tensor64 {
	stride := s.Stride
	if stride == 0 {
		stride = s.Size
	}
	h, w := x.shape[1], x.shape[2]
	oh, ow := (h-s.Size)/stride+1, (w-s.Size)/stride+1
	y := tensor64{x.n, []int{x.shape[0], oh, ow}, nil}
	for i := 0; i < len(x.data); i += h * w {
		for oy := range oh {
			for ox := range ow {
				best, sum := math.Inf(-1), 0.0
				for ky := range s.Size {
					for kx := range s.Size {
						v := x.data[i+(oy*stride+ky)*w+ox*stride+kx]
						best, sum = math.Max(best, v), sum+v
					}
				}
				if s.Type == "averagePool2d" {
					best = sum / float64(s.Size*s.Size)
				}
				y.data = append(y.data, best)
			}
		}
	}
	return y
}

// normalized gathers the elements that share statistics, by the definition of each norm.
func normalized(s *Spec, x tensor64, weight, bias func(int) float64) tensor64 {
	epsilon := 1e-5
	if s.Preset == "keras" {
		epsilon = 1e-3
	}
	if s.Epsilon != nil {
		epsilon = *s.Epsilon
	}
	channels := x.shape[0]
	if len(x.shape) == 2 {
		channels = x.shape[1]
	}
	groups := map[[2]int][]int{}
	for i := range x.data {
		example, feature := i/x.each(), featureOf(x, i)
		var key [2]int
		switch s.Type {
		case "batchNorm":
			key = [2]int{0, feature}
		case "groupNorm":
			key = [2]int{example, feature / (channels / s.Groups)}
		case "instanceNorm":
			key = [2]int{example, feature}
		default:
			key = [2]int{example, 0}
			if len(x.shape) == 2 {
				key[1] = i / x.shape[1]
			}
		}
		groups[key] = append(groups[key], i)
	}
	y := tensor64{x.n, x.shape, make([]float64, len(x.data))}
	for _, members := range groups {
		mu, square := 0.0, 0.0
		if s.Type != "rmsNorm" {
			for _, i := range members {
				mu += x.data[i] / float64(len(members))
			}
		}
		for _, i := range members {
			square += (x.data[i] - mu) * (x.data[i] - mu) / float64(len(members))
		}
		for _, i := range members {
			f := featureOf(x, i)
			if (s.Type == "layerNorm" || s.Type == "rmsNorm") && len(x.shape) != 2 {
				f = i % x.each()
			}
			y.data[i] = (x.data[i]-mu)/math.Sqrt(square+epsilon)*weight(f) + bias(f)
		}
	}
	return y
}

func (r *reference) attention(s *Spec, path string, x tensor64) tensor64 {
	t, d := x.shape[0], x.shape[1]
	each := d / s.Heads
	qkv := product(x.data, d, 3*d, r.parameter(path+".in.weight", 0), r.parameter(path+".in.bias", 0))
	mixed := make([]float64, len(x.data))
	for n := range x.n {
		for h := range s.Heads {
			at := func(part, time, i int) float64 { return qkv[(n*t+time)*3*d+part*d+h*each+i] }
			for q := range t {
				last := t
				if s.Causal {
					last = q + 1
				}
				e, total := make([]float64, last), 0.0
				for k := range last {
					dot := 0.0
					for i := range each {
						dot += at(0, q, i) * at(1, k, i)
					}
					e[k] = math.Exp(dot / math.Sqrt(float64(each)))
					total += e[k]
				}
				for i := range each {
					for k := range last {
						mixed[(n*t+q)*d+h*each+i] += e[k] / total * at(2, k, i)
					}
				}
			}
		}
	}
	return tensor64{x.n, x.shape, product(mixed, d, d, r.parameter(path+".out.weight", 0), r.parameter(path+".out.bias", 0))}
}

func (r *reference) gru(s *Spec, path string, x tensor64) tensor64 {
	t, d, u := x.shape[0], x.shape[1], s.Units
	y := tensor64{x.n, []int{t, u}, nil}
	for n := range x.n {
		h := make([]float64, u)
		for step := range t {
			w := product(x.data[(n*t+step)*d:][:d], d, 3*u, r.parameter(path+".input.weight", 0), r.parameter(path+".input.bias", 0))
			v := product(h, u, 3*u, r.parameter(path+".hidden.weight", 0), r.parameter(path+".hidden.bias", 0))
			next := make([]float64, u)
			for i := range u {
				reset, update := sigmoid(w[i]+v[i]), sigmoid(w[u+i]+v[u+i])
				candidate := math.Tanh(w[2*u+i] + reset*v[2*u+i])
				next[i] = (1-update)*candidate + update*h[i]
			}
			h = next
			y.data = append(y.data, h...)
		}
	}
	return y
}
