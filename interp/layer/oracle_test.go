package layer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp/interptest/shared"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"google.golang.org/protobuf/encoding/protowire"
)

// onnxTensor is a TensorProto. Numbers of any type are float64 here.
type onnxTensor struct {
	name string
	array
	integers bool
}

// onnxNode is a NodeProto.
type onnxNode struct {
	op      string
	in      []string
	ints    map[string][]int
	numbers map[string]float64
	strings map[string]string
}

func (n onnxNode) int(name string, or int) int {
	if v := n.ints[name]; len(v) > 0 {
		return v[0]
	}
	return or
}

func (n onnxNode) number(name string, or float64) float64 {
	if v, ok := n.numbers[name]; ok {
		return v
	}
	return or
}

// onnxFields calls f for each field of a message: bytes for fields that have a length, else the number.
func onnxFields(b []byte, f func(field protowire.Number, bytes []byte, number uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var bytes []byte
		var number uint64
		switch typ {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			number = uint64(v)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("field %d has wire type %d", num, typ)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(num, bytes, number); err != nil {
			return err
		}
	}
	return nil
}

// varints appends the numbers of a repeated integer field, packed or not.
func varints(to []int, bytes []byte, number uint64) []int {
	if bytes == nil {
		return append(to, int(int64(number)))
	}
	for len(bytes) > 0 {
		v, n := protowire.ConsumeVarint(bytes)
		if n < 0 {
			break
		}
		to, bytes = append(to, int(int64(v))), bytes[n:]
	}
	return to
}

func readTensor(b []byte) (t onnxTensor, err error) {
	const float, int64s = 1, 7
	var raw, floats []byte
	var ints []int
	kind, size := 0, 1
	err = onnxFields(b, func(field protowire.Number, bytes []byte, number uint64) error {
		switch field {
		case 1:
			t.dims = varints(t.dims, bytes, number)
		case 2:
			kind = int(number)
		case 4:
			if bytes == nil {
				bytes = binary.LittleEndian.AppendUint32(nil, uint32(number))
			}
			floats = append(floats, bytes...)
		case 7:
			ints = varints(ints, bytes, number)
		case 8:
			t.name = string(bytes)
		case 9:
			raw = bytes
		}
		return nil
	})
	for _, d := range t.dims {
		if d < 0 || d > 1<<24 || size*d > 1<<24 {
			return t, fmt.Errorf("a tensor of %v", t.dims)
		}
		size *= d
	}
	switch kind {
	case float:
		if raw == nil {
			raw = floats
		}
		for ; len(raw) >= 4; raw = raw[4:] {
			t.v = append(t.v, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	case int64s:
		t.integers = true
		for ; len(raw) >= 8; raw = raw[8:] {
			t.v = append(t.v, float64(int64(binary.LittleEndian.Uint64(raw))))
		}
		for _, v := range ints {
			t.v = append(t.v, float64(v))
		}
	default:
		return t, errNumbers
	}
	if err == nil && len(t.v) != size {
		err = fmt.Errorf("a tensor of %v has %d values", t.dims, len(t.v))
	}
	return t, err
}

var errNumbers = errors.New("neither float32 nor int64")

func readNode(b []byte) (n onnxNode, err error) {
	n.ints, n.numbers, n.strings = map[string][]int{}, map[string]float64{}, map[string]string{}
	err = onnxFields(b, func(field protowire.Number, bytes []byte, _ uint64) error {
		switch field {
		case 1:
			n.in = append(n.in, string(bytes))
		case 4:
			n.op = string(bytes)
		case 5:
			var name string
			return onnxFields(bytes, func(field protowire.Number, bytes []byte, number uint64) error {
				switch field {
				case 1:
					name = string(bytes)
				case 2:
					n.numbers[name] = float64(math.Float32frombits(uint32(number)))
				case 3, 8:
					n.ints[name] = varints(n.ints[name], bytes, number)
				case 4:
					n.strings[name] = string(bytes)
				}
				return nil
			})
		}
		return nil
	})
	return n, err
}

// onnxCase is a model of one node, its inputs and what must come out first.
type onnxCase struct {
	node onnxNode
	in   map[string]onnxTensor
	want onnxTensor
}

var errNodes = errors.New("more than one operator")

func readCase(dir string) (c onnxCase, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return c, err
	}
	c.in = map[string]onnxTensor{}
	var inputs []string
	nodes := 0
	err = onnxFields(b, func(field protowire.Number, bytes []byte, _ uint64) error {
		if field != 7 {
			return nil
		}
		return onnxFields(bytes, func(field protowire.Number, bytes []byte, _ uint64) (err error) {
			switch field {
			case 1:
				nodes++
				c.node, err = readNode(bytes)
			case 5:
				var t onnxTensor
				t, err = readTensor(bytes)
				c.in[t.name] = t
			case 11:
				err = onnxFields(bytes, func(field protowire.Number, bytes []byte, _ uint64) error {
					if field == 1 {
						inputs = append(inputs, string(bytes))
					}
					return nil
				})
			}
			return err
		})
	})
	if err != nil {
		return c, err
	}
	if nodes != 1 {
		return c, errNodes
	}
	for i, name := range inputs {
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
		if errors.Is(err, os.ErrNotExist) {
			break // the rest has its value in the model
		}
		if err != nil {
			return c, err
		}
		if c.in[name], err = readTensor(b); err != nil {
			return c, err
		}
	}
	b, err = os.ReadFile(filepath.Join(dir, "test_data_set_0", "output_0.pb"))
	if err != nil {
		return c, err
	}
	c.want, err = readTensor(b)
	return c, err
}

// window is the geometry of a Conv or a pool over an image [N, H, W, C].
func (n onnxNode) window(size []int, x *Node) Window {
	w := Window{Size: [2]int{size[0], size[1]}, Ceil: n.int("ceil_mode", 0) == 1}
	if s := n.ints["strides"]; s != nil {
		w.Stride = [2]int(s)
	}
	if d := n.ints["dilations"]; d != nil {
		w.Dilation = [2]int(d)
	}
	if p := n.ints["pads"]; p != nil {
		w.Pad = [2][2]int{{p[0], p[2]}, {p[1], p[3]}}
	}
	if auto := n.strings["auto_pad"]; strings.HasPrefix(auto, "SAME") {
		for axis := range 2 {
			w.Pad[axis] = Same(w.Size[axis], max(w.Stride[axis], 1), x).Pad[axis]
			if auto == "SAME_LOWER" {
				slices.Reverse(w.Pad[axis][:])
			}
		}
	}
	return w
}

// layer returns the layer that a node is, over inputs in ONNX's layout, or why there is none.
func (c onnxCase) layer() (build func(in []*Node) *Node, missing string) {
	n := c.node
	rank := len(c.in[n.in[0]].dims)
	image := func(f func(x *Node, in []*Node) *Node) (func(in []*Node) *Node, string) {
		if rank != 4 {
			return nil, "no image"
		}
		return func(in []*Node) *Node {
			return graph.TransposeAllAxes(f(graph.TransposeAllAxes(in[0], 0, 2, 3, 1), in), 0, 3, 1, 2)
		}, ""
	}
	each := func(f func(x *Node) *Node) (func(in []*Node) *Node, string) {
		return func(in []*Node) *Node { return f(in[0]) }, ""
	}
	switch n.op {
	case "Relu":
		return each(ReLU)
	case "LeakyRelu":
		return each(func(x *Node) *Node { return LeakyReLU(x, n.number("alpha", 0.01)) })
	case "Sigmoid":
		return each(Sigmoid)
	case "Tanh":
		return each(Tanh)
	case "Softmax":
		if axis := n.int("axis", -1); axis != -1 && axis != rank-1 {
			return nil, "Softmax along another axis than the last"
		}
		return each(Softmax)
	case "Flatten":
		if axis := n.int("axis", 1); axis != 1 && axis != 1-rank {
			return nil, "Flatten from another axis than the second"
		}
		return each(Flatten)
	case "Gemm":
		if len(n.in) == 3 && len(c.in[n.in[2]].dims) != 1 {
			return nil, "Gemm whose bias is no vector"
		}
		return func(in []*Node) *Node {
			x, w := in[0], graph.MulScalar(in[1], n.number("alpha", 1))
			if n.int("transA", 0) == 1 {
				x = graph.TransposeAllAxes(x, 1, 0)
			}
			if n.int("transB", 0) == 1 {
				w = graph.TransposeAllAxes(w, 1, 0)
			}
			if len(in) < 3 {
				return Affine(x, w, nil)
			}
			bias := graph.MulScalar(in[2], n.number("beta", 1))
			return Affine(x, w, graph.BroadcastToDims(bias, w.Shape().Dim(1)))
		}, ""
	case "Concat":
		if n.int("axis", 1) != rank-1 && n.int("axis", 1) != -1 {
			return nil, "Concat along another axis than the last"
		}
		return func(in []*Node) *Node { return Concat(in...) }, ""
	case "Conv":
		return image(func(x *Node, in []*Node) *Node {
			w := graph.TransposeAllAxes(in[1], 2, 3, 1, 0)
			var bias *Node
			if len(in) > 2 {
				bias = in[2]
			}
			return Convolve(x, w, bias, n.window(w.Shape().Dimensions, x), n.int("group", 1))
		})
	case "MaxPool", "AveragePool":
		if len(n.ints["kernel_shape"]) != 2 {
			return nil, "no image"
		}
		return image(func(x *Node, in []*Node) *Node {
			w := n.window(n.ints["kernel_shape"], x)
			if n.op == "MaxPool" {
				return MaxPool(x, w)
			}
			return MeanPool(x, w, n.int("count_include_pad", 0) == 1)
		})
	case "GlobalAveragePool":
		return image(func(x *Node, _ []*Node) *Node { return graph.ExpandAxes(GlobalMean(x), 1, 2) })
	case "LRN":
		return image(func(x *Node, _ []*Node) *Node {
			return LRN(x, n.int("size", 0), n.number("alpha", 1e-4), n.number("beta", 0.75), n.number("bias", 1))
		})
	case "BatchNormalization":
		return image(func(x *Node, in []*Node) *Node {
			return Normalize(x, in[3], in[4], in[1], in[2], n.number("epsilon", 1e-5))
		})
	case "Pad":
		if mode := n.strings["mode"]; mode != "constant" && mode != "" {
			return nil, "Pad with the image's own values"
		}
		pads := n.ints["pads"]
		value := n.number("value", 0)
		if len(n.in) > 1 {
			for _, p := range c.in[n.in[1]].v {
				pads = append(pads, int(p))
			}
		}
		if len(n.in) > 2 {
			value = c.in[n.in[2]].v[0]
		}
		if len(pads) != 8 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0 || slices.Min(pads) < 0 {
			return nil, "Pad of other axes than an image's"
		}
		return image(func(x *Node, _ []*Node) *Node {
			return Pad(x, [2][2]int{{pads[2], pads[6]}, {pads[3], pads[7]}}, value)
		})
	case "Resize", "Upsample":
		mode, where := n.strings["mode"], n.strings["coordinate_transformation_mode"]
		nearest := n.strings["nearest_mode"]
		var method Interpolation
		switch {
		case mode == "nearest" && (where == "" || where == "half_pixel") && (nearest == "" || nearest == "round_prefer_floor"):
			method = Nearest
		case mode == "linear" && (where == "" || where == "half_pixel"):
			method = Bilinear
		case mode == "linear" && where == "align_corners":
			method = BilinearCorners
		default:
			return nil, "another interpolation"
		}
		h, w := c.want.dims[2], c.want.dims[3]
		// Scales that are no ratio of whole numbers of pixels place pixels otherwise than sizes do.
		for _, name := range n.in[1:] {
			scales := c.in[name]
			if !scales.integers && len(scales.v) == 4 {
				x := c.in[n.in[0]].dims
				if scales.v[2]*float64(x[2]) != float64(h) || scales.v[3]*float64(x[3]) != float64(w) {
					return nil, "a scale that does not give a whole number of pixels"
				}
			}
		}
		return image(func(x *Node, _ []*Node) *Node { return Resize(x, h, w, method) })
	}
	return nil, "no such layer"
}

// The operator cases of ONNX's backend tests that are layers of this package: each within 1e-5 of the
// output that comes with it.
func TestOracleOperators(t *testing.T) {
	root := shared.Path(t, "oracles", "onnx_backend")
	dirs, err := filepath.Glob(filepath.Join(root, "*", "test_*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no operator cases at %s: %v", root, err)
	}
	left := map[string]int{}
	ran := map[string]int{}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		clear(left)
		clear(ran)
		for _, dir := range dirs {
			c, err := readCase(dir)
			if errors.Is(err, errNodes) || errors.Is(err, errNumbers) {
				left[err.Error()]++
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
			build, missing := c.layer()
			if missing == "no such layer" {
				missing += ": " + c.node.op
			}
			if build == nil {
				left[missing]++
				continue
			}
			t.Run(filepath.Base(dir), func(t *testing.T) {
				var in []array
				for _, name := range c.node.in {
					if t := c.in[name]; name != "" && !t.integers && len(t.v) > 0 {
						in = append(in, t.array)
					}
				}
				got := run[float32](t, b, in, func(x []*Node) []*Node { return []*Node{build(x)} })
				same(t, c.node.op, got[0], c.want.array, 1e-5)
			})
			ran[c.node.op]++
		}
		total := 0
		for _, n := range ran {
			total += n
		}
		t.Logf("%d of %d cases: %v", total, len(dirs), ran)
		if total < 60 {
			t.Errorf("%d cases ran; there were 60 and more", total)
		}
	})
	for _, why := range slices.Sorted(maps.Keys(left)) {
		t.Logf("left out: %d, %s", left[why], why)
	}
}
