package googlenet_test

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/models/googlenet"
)

// picture is one image or one layer's value, [h, w, c].
type picture struct {
	h, w, c int
	v       []float64
}

func blank(h, w, c int) picture { return picture{h, w, c, make([]float64, h*w*c)} }

// slow is the network by its description (table 1 of arXiv:1409.4842 and BVLC's deploy.prototxt) in plain
// loops. It shares nothing with Forward but the weights, and keeps every layer by Caffe's name.
type slow struct {
	weights interp.Weights
	layers  map[string]picture
}

func (s slow) keep(name string, p picture) picture {
	s.layers[name] = p
	return p
}

// conv is a square convolution and its ReLU.
func (s slow) conv(name string, x picture, stride, pad int) picture {
	kernel, bias := s.weights["/"+name+"/weights"], s.weights["/"+name+"/biases"].Values()
	k, out, w := kernel.Dims()[0], kernel.Dims()[3], kernel.Values()
	y := blank((x.h+2*pad-k)/stride+1, (x.w+2*pad-k)/stride+1, out)
	for i := range y.h * y.w {
		sum := y.v[i*out : (i+1)*out]
		copy(sum, bias)
		for tap := range k * k {
			r, c := i/y.w*stride+tap/k-pad, i%y.w*stride+tap%k-pad
			if r < 0 || c < 0 || r >= x.h || c >= x.w {
				continue
			}
			for in, v := range x.v[(r*x.w+c)*x.c : (r*x.w+c+1)*x.c] {
				for o, w := range w[(tap*x.c+in)*out : (tap*x.c+in+1)*out] {
					sum[o] += v * w
				}
			}
		}
		for o := range sum {
			sum[o] = math.Max(0, sum[o])
		}
	}
	return s.keep(name, y)
}

// pool is the maximum over windows of 3×3; a last, partial window counts.
func (s slow) pool(name string, x picture, stride, pad int) picture {
	out := func(n int) int { return int(math.Ceil(float64(n+2*pad-3)/float64(stride))) + 1 }
	y := blank(out(x.h), out(x.w), x.c)
	for i := range y.v {
		y.v[i] = math.Inf(-1)
		for r := i/x.c/y.w*stride - pad; r < i/x.c/y.w*stride-pad+3; r++ {
			for c := i/x.c%y.w*stride - pad; c < i/x.c%y.w*stride-pad+3; c++ {
				if r >= 0 && c >= 0 && r < x.h && c < x.w {
					y.v[i] = math.Max(y.v[i], x.v[(r*x.w+c)*x.c+i%x.c])
				}
			}
		}
	}
	return s.keep(name, y)
}

// norm divides by (1 + 0.0001/5 · the sum of the squares of 5 channels around)^0.75.
func (s slow) norm(name string, x picture) picture {
	y := blank(x.h, x.w, x.c)
	for i, v := range x.v {
		sum := 0.0
		for c := max(0, i%x.c-2); c <= min(x.c-1, i%x.c+2); c++ {
			sum += x.v[i-i%x.c+c] * x.v[i-i%x.c+c] * 1e-4 / 5
		}
		y.v[i] = v / math.Pow(1+sum, .75)
	}
	return s.keep(name, y)
}

func (s slow) block(name string, x picture) picture {
	name = "inception_" + name + "/"
	branches := []picture{
		s.conv(name+"1x1", x, 1, 0),
		s.conv(name+"3x3", s.conv(name+"3x3_reduce", x, 1, 0), 1, 1),
		s.conv(name+"5x5", s.conv(name+"5x5_reduce", x, 1, 0), 1, 2),
		s.conv(name+"pool_proj", s.pool(name+"pool", x, 1, 1), 1, 0),
	}
	y := picture{h: x.h, w: x.w}
	for i := range x.h * x.w {
		for _, b := range branches {
			y.v = append(y.v, b.v[i*b.c:(i+1)*b.c]...)
		}
	}
	y.c = len(y.v) / (x.h * x.w)
	return s.keep(name+"output", y)
}

func (s slow) body(rgb picture) {
	x := blank(rgb.h, rgb.w, 3)
	for i := 0; i < len(x.v); i += 3 {
		x.v[i], x.v[i+1], x.v[i+2] = 255*rgb.v[i+2]-104, 255*rgb.v[i+1]-117, 255*rgb.v[i]-123
	}
	x = s.conv("conv1/7x7_s2", x, 2, 3)
	x = s.norm("pool1/norm1", s.pool("pool1/3x3_s2", x, 2, 0))
	x = s.conv("conv2/3x3", s.conv("conv2/3x3_reduce", x, 1, 0), 1, 1)
	x = s.pool("pool2/3x3_s2", s.norm("conv2/norm2", x), 2, 0)
	x = s.pool("pool3/3x3_s2", s.block("3b", s.block("3a", x)), 2, 0)
	x = s.block("4e", s.block("4d", s.block("4c", s.block("4b", s.block("4a", x)))))
	s.block("5b", s.block("5a", s.pool("pool4/3x3_s2", x, 2, 0)))
}

// Every layer is what plain loops make of the same weights; the head is the mean and a linear map.
func TestLawGoogLeNetBySlowDefinition(t *testing.T) {
	m := interptest.Model("GoogLeNet", googlenet.Forward, [3]int{googlenet.Size, googlenet.Size, 3}, googlenet.Classes, 1).Float64()
	x := interptest.ImagesOf(1, 45, 36, 3, 2)
	want := slow{m.Weights(), map[string]picture{}}
	want.body(picture{x.H, x.W, x.C, x.Pix})
	const last = "inception_5b/output"
	top := interptest.ImagesOf(1, 7, 7, want.layers[last].c, 3)
	matrix, logits := m.Weights()["/loss3/classifier/weights"].Values(), m.Weights()["/loss3/classifier/biases"].Values()
	for i, v := range top.Pix {
		for class := range logits {
			logits[class] += v / 49 * matrix[i%top.C*len(logits)+class]
		}
	}
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := m.On(e.Backend)
		var names []string
		for name := range want.layers {
			names = append(names, name)
		}
		acts, err := m.Activations(t.Context(), x, names...)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range acts {
			if d := interptest.Distance(a.Data, want.layers[a.Layer].v); !(d <= 1e-12) {
				t.Errorf("%s is off by %g", a.Layer, d)
			}
		}
		head := interp.StepOf(func(net *interp.Net, a []*Node) []*Node {
			return []*Node{net.Pass(a[0], map[string]*Node{last: a[1]}).Logits()}
		})
		l, err := m.Loop(1, 1, nil, interp.Each(make([]float64, 224*224*3), 224, 224, 3), interp.Each(top.Pix, 7, 7, top.C))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out, err := l.Look(t.Context(), head, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(out[0].Data, logits); !(d <= 1e-12) {
			t.Errorf("the logits are off by %g", d)
		}
	})
}
