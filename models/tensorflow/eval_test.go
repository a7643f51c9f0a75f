package tensorflow

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// eval returns the value of a node when the node input has the value x, from the definitions of the operators, in plain
// loops. It shares nothing with what it is compared with, and panics where the graph is wrong.
func eval(g *written, name, input string, x array) array {
	nodes := map[string]node{}
	for _, n := range g.Nodes {
		nodes[n.Name] = n
	}
	known := map[string]array{input: x}
	var value func(name string) array
	value = func(name string) array {
		v, ok := known[name]
		if !ok {
			n := nodes[name]
			var in []array
			for _, i := range n.Inputs {
				if !strings.HasPrefix(i, "^") {
					in = append(in, value(strings.TrimSuffix(i, ":0")))
				}
			}
			v = n.eval(in)
			known[name] = v
		}
		return v
	}
	return value(name)
}

func (n node) eval(in []array) array {
	switch n.Op {
	case "Const":
		return *n.Value
	case "Identity", "CheckNumerics":
		return in[0]
	case "Relu":
		return each(in[0], func(v float64) float64 { return math.Max(v, 0) })
	case "BiasAdd", "Add", "AddV2":
		return elementwise(in[0], in[1], func(a, b float64) float64 { return a + b })
	case "Sub":
		return elementwise(in[0], in[1], func(a, b float64) float64 { return a - b })
	case "Mul":
		return elementwise(in[0], in[1], func(a, b float64) float64 { return a * b })
	case "RealDiv":
		return elementwise(in[0], in[1], func(a, b float64) float64 { return a / b })
	case "Conv2D":
		return n.conv2D(in[0], in[1])
	case "MaxPool":
		return n.pool(in[0], func(seen []float64) float64 { return slices.Max(seen) })
	case "AvgPool":
		return n.pool(in[0], func(seen []float64) float64 {
			sum := 0.0
			for _, v := range seen {
				sum += v
			}
			return sum / float64(len(seen))
		})
	case "LRN":
		return n.lrn(in[0])
	case "Concat":
		return concatenated(in[1:])
	case "ConcatV2":
		return concatenated(in[:len(in)-1])
	case "Reshape":
		return reshaped(in[0], in[1].Data)
	case "MatMul":
		return n.matMul(in[0], in[1])
	case "Softmax":
		return softmax(in[0])
	}
	panic("no operator " + n.Op)
}

// zeros is an array of zeros.
func zeros(dims ...int) array {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return array{Dims: dims, Data: make([]float64, n)}
}

// at is the place of an element.
func at(a array, index ...int) int {
	k := 0
	for axis, i := range index {
		k = k*a.Dims[axis] + i
	}
	return k
}

func each(x array, f func(float64) float64) array {
	y := zeros(x.Dims...)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}

// elementwise is f of a and b, broadcast as NumPy does.
func elementwise(a, b array, f func(a, b float64) float64) array {
	rank := max(len(a.Dims), len(b.Dims))
	padded := func(x array) []int { return append(slices.Repeat([]int{1}, rank-len(x.Dims)), x.Dims...) }
	da, db := padded(a), padded(b)
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = max(da[i], db[i])
		if da[i] != dims[i] && da[i] != 1 || db[i] != dims[i] && db[i] != 1 {
			panic(fmt.Sprintf("%v and %v do not fit", a.Dims, b.Dims))
		}
	}
	y := zeros(dims...)
	for k := range y.Data {
		rest, ka, kb, sa, sb := k, 0, 0, 1, 1
		for i := rank - 1; i >= 0; i-- {
			at := rest % dims[i]
			rest /= dims[i]
			ka += at % da[i] * sa
			kb += at % db[i] * sb
			sa *= da[i]
			sb *= db[i]
		}
		y.Data[k] = f(a.Data[ka], b.Data[kb])
	}
	return y
}

// axis returns, along a spatial axis (1 or 2) of x, how many places a window has, and how much padding
// is before x: the definition is TensorFlow's, at https://www.tensorflow.org/api_docs/python/tf/nn.
func (n node) axis(x array, axis, size int) (places, before, stride, dilation int) {
	stride, dilation = n.Attrs["strides"].([]int)[axis], 1
	if d, ok := n.Attrs["dilations"]; ok {
		dilation = d.([]int)[axis]
	}
	length, extent := x.Dims[axis], (size-1)*dilation+1
	if n.Attrs["padding"] == "VALID" {
		return (length - extent + stride) / stride, 0, stride, dilation
	}
	places = (length + stride - 1) / stride
	padding := extent - stride
	if length%stride != 0 {
		padding = extent - length%stride
	}
	return places, max(padding, 0) / 2, stride, dilation
}

// slide calls f for every place (i, j) of the window over x and every tap (a, b) of it that sees row r and
// column c of x.
func (n node) slide(x array, height, width int, f func(i, j, a, b, r, c int)) (h, w int) {
	h, top, sh, dh := n.axis(x, 1, height)
	w, left, sw, dw := n.axis(x, 2, width)
	for i := range h {
		for j := range w {
			for a := range height {
				for b := range width {
					r, c := i*sh+a*dh-top, j*sw+b*dw-left
					if 0 <= r && r < x.Dims[1] && 0 <= c && c < x.Dims[2] {
						f(i, j, a, b, r, c)
					}
				}
			}
		}
	}
	return h, w
}

func (n node) conv2D(x, w array) array {
	height, width, in, out := w.Dims[0], w.Dims[1], w.Dims[2], w.Dims[3]
	if in != x.Dims[3] {
		panic(fmt.Sprintf("%s: %v and %v do not fit", n.Name, x.Dims, w.Dims))
	}
	h, wd := n.slide(x, height, width, func(i, j, a, b, r, c int) {})
	y := zeros(x.Dims[0], h, wd, out)
	for image := range x.Dims[0] {
		n.slide(x, height, width, func(i, j, a, b, r, c int) {
			from, to, taps := at(x, image, r, c, 0), at(y, image, i, j, 0), at(w, a, b, 0, 0)
			for k := range in {
				for o := range out {
					y.Data[to+o] += x.Data[from+k] * w.Data[taps+k*out+o]
				}
			}
		})
	}
	return y
}

func (n node) pool(x array, of func(seen []float64) float64) array {
	size := n.Attrs["ksize"].([]int)
	h, w := n.slide(x, size[1], size[2], func(i, j, a, b, r, c int) {})
	y := zeros(x.Dims[0], h, w, x.Dims[3])
	seen := make([][]float64, len(y.Data))
	for image := range x.Dims[0] {
		n.slide(x, size[1], size[2], func(i, j, a, b, r, c int) {
			for k := range x.Dims[3] {
				to := at(y, image, i, j, k)
				seen[to] = append(seen[to], x.Data[at(x, image, r, c, k)])
			}
		})
	}
	for i, s := range seen {
		y.Data[i] = of(s)
	}
	return y
}

func (n node) lrn(x array) array {
	radius, bias, alpha, beta := 5, 1.0, 1.0, 0.5
	for name, v := range n.Attrs {
		switch name {
		case "depth_radius":
			radius = v.(int)
		case "bias":
			bias = float64(v.(float32))
		case "alpha":
			alpha = float64(v.(float32))
		case "beta":
			beta = float64(v.(float32))
		}
	}
	y, channels := zeros(x.Dims...), x.Dims[len(x.Dims)-1]
	for i, v := range x.Data {
		c, sum := i%channels, 0.0
		for d := max(0, c-radius); d <= min(channels-1, c+radius); d++ {
			sum += x.Data[i-c+d] * x.Data[i-c+d]
		}
		y.Data[i] = v / math.Pow(bias+alpha*sum, beta)
	}
	return y
}

// concatenated lays arrays one after the other along the last axis.
func concatenated(in []array) array {
	last := len(in[0].Dims) - 1
	dims := slices.Clone(in[0].Dims)
	for _, a := range in[1:] {
		dims[last] += a.Dims[last]
	}
	y := array{Dims: dims}
	for row := range len(in[0].Data) / in[0].Dims[last] {
		for _, a := range in {
			y.Data = append(y.Data, a.Data[row*a.Dims[last]:][:a.Dims[last]]...)
		}
	}
	return y
}

func reshaped(x array, shape []float64) array {
	rest := len(x.Data)
	for _, d := range shape {
		if d > 0 {
			rest /= int(d)
		}
	}
	y := array{Data: x.Data}
	for _, d := range shape {
		if d < 0 {
			d = float64(rest)
		}
		y.Dims = append(y.Dims, int(d))
	}
	return y
}

func (n node) matMul(x, w array) array {
	in, out := w.Dims[0], w.Dims[1]
	turned, _ := n.Attrs["transpose_b"].(bool)
	if turned {
		in, out = out, in
	}
	if in != x.Dims[1] {
		panic(fmt.Sprintf("%s: %v and %v do not fit", n.Name, x.Dims, w.Dims))
	}
	y := zeros(x.Dims[0], out)
	for i := range x.Dims[0] {
		for o := range out {
			for k := range in {
				at := k*out + o
				if turned {
					at = o*in + k
				}
				y.Data[i*out+o] += x.Data[i*in+k] * w.Data[at]
			}
		}
	}
	return y
}

func softmax(x array) array {
	y, last := zeros(x.Dims...), x.Dims[len(x.Dims)-1]
	for i := 0; i < len(x.Data); i += last {
		sum := 0.0
		for _, v := range x.Data[i : i+last] {
			sum += math.Exp(v)
		}
		for k, v := range x.Data[i : i+last] {
			y.Data[i+k] = math.Exp(v) / sum
		}
	}
	return y
}
