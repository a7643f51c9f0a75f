package tensorflow

import (
	"math"
	"math/rand/v2"
)

// inceptionV1 returns a graph of the form in which TensorFlow ships that network: its nodes, with their
// names and operators, its two side heads, and random weights drawn from a seed. The network has as many
// channels, divided by thin, and takes images of size × size, a multiple of 32; the real one has thin 1,
// size 224 and 1008 classes. Its Placeholder, input, takes values from −117 to 138.
func inceptionV1(thin, size, classes int, seed uint64) *written {
	b := &builder{rng: rand.New(rand.NewPCG(seed, 5)), thin: thin}
	b.Add("input", "Placeholder", attrs{"shape": axes{}})
	x := b.conv("conv2d0", "input", 3, b.of(64), 7, 2)
	x = b.lrn("localresponsenorm0", b.max("maxpool0", x, 2))
	x = b.conv("conv2d1", x, b.of(64), b.of(64), 1, 1)
	x = b.lrn("localresponsenorm1", b.conv("conv2d2", x, b.of(64), b.of(192), 3, 1))
	x = b.max("maxpool1", x, 2)
	in := b.of(192)
	for _, m := range []struct {
		name                                     string
		one, reduce3, three, reduce5, five, pool int
		shrink                                   string
	}{
		{"3a", 64, 96, 128, 16, 32, 32, ""},
		{"3b", 128, 128, 192, 32, 96, 64, "maxpool4"},
		{"4a", 192, 96, 204, 16, 48, 64, ""},
		{"4b", 160, 112, 224, 24, 64, 64, ""},
		{"4c", 128, 128, 256, 24, 64, 64, ""},
		{"4d", 112, 144, 288, 32, 64, 64, ""},
		{"4e", 256, 160, 320, 32, 128, 128, "maxpool10"},
		{"5a", 256, 160, 320, 48, 128, 128, ""},
		{"5b", 384, 192, 384, 48, 128, 128, ""},
	} {
		name := "mixed" + m.name
		one := b.conv(name+"_1x1", x, in, b.of(m.one), 1, 1)
		three := b.conv(name+"_3x3_bottleneck", x, in, b.of(m.reduce3), 1, 1)
		three = b.conv(name+"_3x3", three, b.of(m.reduce3), b.of(m.three), 3, 1)
		five := b.conv(name+"_5x5_bottleneck", x, in, b.of(m.reduce5), 1, 1)
		five = b.conv(name+"_5x5", five, b.of(m.reduce5), b.of(m.five), 5, 1)
		pool := b.conv(name+"_pool_reduce", b.max(name+"_pool", x, 1), in, b.of(m.pool), 1, 1)
		axis := b.Ints(name+"/concat_dim", true, 3)
		x = b.Add(name, "Concat", attrs{"N": 4}, axis, one, three, five, pool)
		in = b.of(m.one) + b.of(m.three) + b.of(m.five) + b.of(m.pool)
		if m.shrink != "" {
			x = b.max(m.shrink, x, 2)
		}
	}
	b.head("0", "mixed4a", b.of(192)+b.of(204)+b.of(48)+b.of(64), size/16, classes)
	b.head("1", "mixed4d", b.of(112)+b.of(288)+b.of(64)+b.of(64), size/16, classes)
	x = b.mean("avgpool0", x, size/32, 1)
	x = b.reshape("avgpool0/reshape", x, in)
	b.Add("output2", "Identity", nil, b.softmax("2", x, in, classes))
	return &b.written
}

type builder struct {
	written
	rng  *rand.Rand
	thin int
}

func (b *builder) of(channels int) int { return max(1, channels/b.thin) }

// head is one of the classifiers at the side.
func (b *builder) head(number, from string, in, side, classes int) {
	size := min(5, side)
	places := (side-size)/3 + 1
	name := "head" + number + "_bottleneck"
	x := b.mean("head"+number+"_pool", from, size, 3)
	x = b.conv(name, x, in, b.of(128), 1, 1)
	width := places * places * b.of(128)
	x = b.reshape(name+"/reshape", x, width)
	nn := "nn" + number
	x = b.Add(nn, "Relu", nil, b.dense(nn, nn+"_pre_relu", x, width, b.of(1024)))
	x = b.reshape(nn+"/reshape", x, b.of(1024))
	b.softmax(number, x, b.of(1024), classes)
}

func (b *builder) softmax(number, x string, in, classes int) string {
	name := "softmax" + number
	return b.Add(name, "Softmax", nil, b.dense(name, name+"_pre_activation", x, in, classes))
}

func (b *builder) normals(n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = scale * b.rng.NormFloat64()
	}
	return v
}

// conv is a convolution, its biases and its ReLU.
func (b *builder) conv(name, x string, in, out, size, stride int) string {
	scale := math.Sqrt(2 / float64(size*size*in))
	if x == "input" {
		scale /= 75 // the spread of its values
	}
	w := b.Const(name+"_w", b.normals(size*size*in*out, scale), size, size, in, out)
	bias := b.Const(name+"_b", b.normals(out, 0.1), out)
	y := b.Add(name+"_pre_relu/conv", "Conv2D", attrs{"strides": []int{1, stride, stride, 1}, "padding": "SAME"}, x, w)
	y = b.Add(name+"_pre_relu", "BiasAdd", nil, y, bias)
	return b.Add(name, "Relu", nil, y)
}

func (b *builder) dense(weights, name, x string, in, out int) string {
	w := b.Const(weights+"_w", b.normals(in*out, math.Sqrt(1/float64(in))), in, out)
	bias := b.Const(weights+"_b", b.normals(out, 0.1), out)
	return b.Add(name, "BiasAdd", nil, b.Add(name+"/matmul", "MatMul", attrs{"transpose_a": false}, x, w), bias)
}

func (b *builder) max(name, x string, stride int) string {
	return b.Add(name, "MaxPool", attrs{"ksize": []int{1, 3, 3, 1}, "strides": []int{1, stride, stride, 1}, "padding": "SAME"}, x)
}

func (b *builder) mean(name, x string, size, stride int) string {
	return b.Add(name, "AvgPool", attrs{"ksize": []int{1, size, size, 1}, "strides": []int{1, stride, stride, 1}, "padding": "VALID"}, x)
}

// lrn has another alpha than the real one, so that it matters.
func (b *builder) lrn(name, x string) string {
	return b.Add(name, "LRN", attrs{"depth_radius": 5, "bias": float32(1), "alpha": float32(0.05), "beta": float32(0.5)}, x)
}

func (b *builder) reshape(name, x string, width int) string {
	return b.Add(name, "Reshape", nil, x, b.Ints(name+"/shape", false, -1, width))
}
