package tensorflow

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"lucigo/internal/hostile"
	"lucigo/models/internal/plan"
)

func message(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func varint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// tensorOf writes a TensorProto of a type and shape; rest holds its numbers.
func tensorOf(kind uint64, rest []byte, dims ...uint64) []byte {
	var s []byte
	for _, d := range dims {
		s = message(s, 2, varint(nil, 1, d))
	}
	return append(message(varint(nil, 1, kind), 2, s), rest...)
}

func float32s(v ...float32) (b []byte) {
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// Every way to write numbers, and every way to leave some out.
func TestTensors(t *testing.T) {
	var doubles []byte
	for _, v := range []float64{0.1, 2} {
		doubles = binary.LittleEndian.AppendUint64(doubles, math.Float64bits(v))
	}
	single := protowire.AppendFixed32(protowire.AppendTag(nil, 5, protowire.Fixed32Type), math.Float32bits(3))
	for what, c := range map[string]struct {
		b    []byte
		want plan.Constant
	}{
		"content":            {tensorOf(typeFloat, message(nil, 4, float32s(1, 2)), 2), plan.Constant{Dims: []int{2}, F32: []float32{1, 2}}},
		"a list":             {tensorOf(typeFloat, message(nil, 5, float32s(1, 2)), 1, 2), plan.Constant{Dims: []int{1, 2}, F32: []float32{1, 2}}},
		"a number":           {tensorOf(typeFloat, single), plan.Constant{F32: []float32{3}}},
		"repetition":         {tensorOf(typeFloat, message(nil, 5, float32s(1, 2)), 2, 2), plan.Constant{Dims: []int{2, 2}, F32: []float32{1, 2, 2, 2}}},
		"nothing":            {tensorOf(typeFloat, nil, 2), plan.Constant{Dims: []int{2}, F32: []float32{0, 0}}},
		"doubles":            {tensorOf(typeDouble, message(nil, 4, doubles), 2), plan.Constant{Dims: []int{2}, F64: []float64{0.1, 2}}},
		"a list of doubles":  {tensorOf(typeDouble, message(nil, 6, doubles), 2), plan.Constant{Dims: []int{2}, F64: []float64{0.1, 2}}},
		"integers":           {tensorOf(typeInt32, message(nil, 4, []byte{255, 255, 255, 255, 7, 0, 0, 0}), 2), plan.Constant{Dims: []int{2}, Ints: []int64{-1, 7}}},
		"a list of integers": {tensorOf(typeInt32, varint(varint(nil, 7, 1<<64-1), 7, 5), 2), plan.Constant{Dims: []int{2}, Ints: []int64{-1, 5}}},
		"long integers":      {tensorOf(typeInt64, message(nil, 4, []byte{254, 255, 255, 255, 255, 255, 255, 255})), plan.Constant{Ints: []int64{-2}}},
		"a list of long":     {tensorOf(typeInt64, message(nil, 10, []byte{3, 4}), 2), plan.Constant{Dims: []int{2}, Ints: []int64{3, 4}}},
	} {
		left := maxFill
		got, err := parseTensor(c.b, &left)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if !slices.Equal(got.Dims, c.want.Dims) || !slices.Equal(got.F32, c.want.F32) || !slices.Equal(got.F64, c.want.F64) || !slices.Equal(got.Ints, c.want.Ints) {
			t.Errorf("%s: %+v, want %+v", what, *got, c.want)
		}
	}
	for what, c := range map[string]struct {
		b    []byte
		want string
	}{
		"too little content":  {tensorOf(typeFloat, message(nil, 4, float32s(1, 2)), 3), "8 bytes, must have 3 numbers"},
		"too long a list":     {tensorOf(typeFloat, message(nil, 5, float32s(1, 2)), 1), "2 numbers, must have 1"},
		"a huge repetition":   {tensorOf(typeDouble, nil, 1<<10, 1<<10+1), "left out"}, // few bytes that ask for megabytes
		"an overflow":         {tensorOf(typeFloat, message(nil, 5, float32s(1)), 1<<32, 1<<32), "shaped"},
		"an open axis":        {tensorOf(typeFloat, nil, 1<<64-1), "shaped [-1]"},
		"many integers":       {tensorOf(typeInt32, nil, 1000), "1000 integers"},
		"more integers":       {tensorOf(typeInt32, message(nil, 7, make([]byte, 1000)), 2), "more than 64"},
		"strings":             {tensorOf(7, nil, 2), "number 7"},
		"many axes":           {tensorOf(typeFloat, nil, slices.Repeat([]uint64{1}, 9)...), "more than 8 axes"},
		"half a number":       {tensorOf(typeFloat, message(nil, 5, []byte{1, 2}), 1), "32-bit"},
		"a shape of integers": {varint(nil, 2, 1), "not a string or message"},
	} {
		left := maxFill
		if got, err := parseTensor(c.b, &left); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, error %v, want one with %q", what, got, err, c.want)
		}
	}
	left := fill(5)
	for _, ok := range []bool{true, false} {
		if _, err := parseTensor(tensorOf(typeFloat, nil, 3), &left); (err == nil) != ok {
			t.Errorf("with %d numbers left: error %v", left, err)
		}
	}
}

// bad is a graph from input to probabilities of which build writes the node logits.
func bad(build func(g *written)) []byte {
	var g written
	g.Add("input", "Placeholder", attrs{"shape": axes{-1, 4, 4, 3}})
	build(&g)
	g.Add("probabilities", "Softmax", nil, "logits")
	return g.Encode()
}

func window(name string, v any, more ...any) attrs {
	a := attrs{"strides": []int{1, 1, 1, 1}, "ksize": []int{1, 2, 2, 1}, "padding": "SAME", name: v}
	for i := 0; i < len(more); i += 2 {
		a[more[i].(string)] = more[i+1]
	}
	return a
}

// Graphs that cannot be read, found when they are opened.
func TestRejectsGraphs(t *testing.T) {
	one := func(op string, attrs attrs, inputs ...string) []byte {
		return bad(func(g *written) {
			g.Const("w", make([]float64, 12), 2, 2, 3, 1)
			g.Const("b", make([]float64, 3), 3)
			g.Const("s", []float64{1})
			g.Ints("i", false, 1)
			g.Ints("two", false, 2, 24)
			g.Ints("open", false, -1, -1)
			g.Ints("any", false, 1, -1)
			g.Ints("huge", false, -1, 1<<30, 1<<30, 1<<30)
			g.Const("long", make([]float64, 300*300*3), 300, 300, 3, 1)
			g.Const("no//name", make([]float64, 3), 3)
			g.Add("other", "Relu", nil, "input")
			g.Add("folded", "Add", nil, "b", "s")
			g.Add("endless", "Reshape", nil, "input", "any")
			g.Add("logits", op, attrs, inputs...)
		})
	}
	node := func(fields ...string) (b []byte) {
		for i, f := range fields {
			b = message(b, protowire.Number(i+1), []byte(f))
		}
		return message(nil, 1, b)
	}
	in := "input"
	for what, c := range map[string]struct {
		b    []byte
		want string
	}{
		"an unknown operator":   {one("Softplus", nil, in), `test.pb: node "logits" (Softplus): this operator is not supported; supported are: Add, AddV2, AvgPool`},
		"too few inputs":        {one("BiasAdd", nil, in), "1 inputs, and the operator takes 2"},
		"too many inputs":       {one("Relu", nil, in, in), "2 inputs, and the operator takes 1"},
		"a missing node":        {one("Relu", nil, "inputt"), `takes "inputt", and there is no such node`},
		"a second output":       {one("Relu", nil, "input:1"), "another output than a node's first"},
		"a loop":                {one("Relu", nil, "logits"), "loops are not supported"},
		"channels first":        {one("MaxPool", window("data_format", "NCHW"), in), `data_format "NCHW"`},
		"other padding":         {one("Conv2D", window("padding", "EXPLICIT"), in, "w"), `padding "EXPLICIT"`},
		"no padding":            {one("Conv2D", attrs{"strides": []int{1, 1, 1, 1}}, in, "w"), `padding ""`},
		"no strides":            {one("Conv2D", attrs{"padding": "SAME"}, in, "w"), "strides [] are not supported"},
		"strides over images":   {one("Conv2D", window("strides", []int{2, 1, 1, 1}), in, "w"), "strides [2 1 1 1]"},
		"strides over channels": {one("MaxPool", window("strides", []int{1, 1, 1, 2}), in), "strides [1 1 1 2]"},
		"a window of nothing":   {one("MaxPool", window("ksize", []int{1, 0, 1, 1}), in), "sizes [0 1]"},
		"an endless window":     {one("MaxPool", window("ksize", []int{1, 1 << 40, 1, 1}), in), "sizes [1099511627776 1]"},
		"a long window":         {one("AvgPool", window("ksize", []int{1, 10_000, 10_000, 1}), in), "windows of more than"},
		"a wide convolution":    {one("Conv2D", window("padding", "SAME"), in, "long"), "windows of more than"},
		"a list of lists":       {one("MaxPool", window("ksize", slices.Repeat([]int{1}, 9)), in), "more than 8"},
		"a negative radius":     {one("LRN", attrs{"depth_radius": -1}, in), "sizes [-1 1]"},
		"a long radius":         {one("LRN", attrs{"depth_radius": 1 << 40}, in), "sizes [2199023255553 1]"},
		"no bias at all":        {one("LRN", attrs{"bias": float32(math.NaN())}, in), `attribute "bias": it is NaN`},
		"an endless alpha":      {one("LRN", attrs{"alpha": float32(math.Inf(1))}, in), `attribute "alpha": it is +Inf`},
		"a text as bias":        {one("LRN", attrs{"bias": "one"}, in), `attribute "bias" is of another type`},
		"weights that are none": {one("Conv2D", window("padding", "SAME"), in, "other"), `input "other" is not a constant`},
		"integers as weights":   {one("BiasAdd", nil, in, "i"), "not of floating-point numbers"},
		"weights of two axes":   {one("MatMul", nil, in, "w"), "shaped [2 2 3 1], must have 2 axes"},
		"an empty scope":        {one("BiasAdd", nil, in, "no//name"), "cannot be the name of a weight"},
		"a constant image":      {one("ConcatV2", nil, in, "b", "i"), `input "b" is a constant`},
		"constants alone":       {one("Sub", nil, in, "folded"), `node "folded" (Add): its input "s" is a constant`},
		"a turned product":      {one("MatMul", attrs{"transpose_a": true}, in, "b"), "transpose_a"},
		"a square":              {one("Mul", nil, in, "other"), "product of two values"},
		"a ratio":               {one("RealDiv", nil, in, "other"), "division by what depends"},
		"an inverse":            {one("RealDiv", nil, "s", in), "division by what depends"},
		"factors everywhere":    {one("Mul", nil, in, "w"), "factor shaped [2 2 3 1]"},
		"an axis that depends":  {one("ConcatV2", nil, in, in, "other"), "is not a constant"},
		"an axis of floats":     {one("ConcatV2", nil, in, in, "b"), "not of integers"},
		"nothing to lay":        {one("ConcatV2", nil, in), "1 inputs, and the operator takes an axis"},
		"images as channels":    {one("Reshape", nil, in, "two"), "images along the first axis"},
		"two open axes":         {one("Reshape", nil, in, "open"), "there is no shape"},
		"a huge shape":          {one("Reshape", nil, in, "huge"), "there is no shape"},
		"no classes":            {one("Reshape", nil, in, "any"), "does not tell how many classes"},
		"no classes but 3":      {one("ConcatV2", nil, in, "endless", "i"), "does not tell how many classes"},
		"no nodes":              {nil, "no GraphDef"},
		"text":                  {[]byte("node {\n  name: \"x\"\n}\n"), "another format"},
		"a SavedModel":          {varint(nil, 1, 1), "SavedModel"},
		"a cut file":            {one("Relu", nil, in)[:100], "truncated"},
		"a node without name":   {node("", "Relu"), `named ""`},
		"a node named <b>":      {node("<b>", "Relu"), "cannot be named"},
		"an escape":             {node("a", "\x1b[2J"), "that cannot be printed"},
		"a long name":           {node(strings.Repeat("a", maxName+1), "Relu"), "a name of 1025 bytes"},
		"a node twice":          {slices.Concat(node("a", "Relu"), node("a", "Relu")), `"a" appears twice`},
		"no Softmax":            {node("a", "Placeholder"), "no Softmax"},
		"a Softmax of nothing":  {node("a", "Softmax"), "0 inputs"},
		"a Const of nothing":    {slices.Concat(node("a", "Placeholder"), node("w", "Const"), node("x", "BiasAdd", "a"), node("p", "Softmax", "x")), "1 inputs"},
		"no Placeholder":        {slices.Concat(node("w", "Const"), node("p", "Softmax", "w")), "needs no Placeholder"},
		"a Softmax too many": {bad(func(g *written) {
			g.Add("a", "Relu", nil, in)
			g.Add("pa", "Softmax", nil, "a")
			g.Add("logits", "Relu", nil, in)
		}), "several Softmax nodes"},
		"65 of them": {bad(func(g *written) {
			for i := range 65 {
				g.Add(fmt.Sprint("p", i), "Softmax", nil, in)
			}
			g.Add("logits", "Relu", nil, in)
		}), "Softmax nodes, and of at most 64 one is chosen"},
		"two Placeholders": {bad(func(g *written) {
			g.Add("second", "Placeholder", nil)
			g.Add("logits", "Add", nil, in, "second")
		}), `two Placeholder nodes, "input" and "second"`},
		"channels without end": {bad(func(g *written) {
			g.Ints("axis", true, 3)
			x := in
			for i := range 80 {
				x = g.Add(fmt.Sprint("double", i), "Concat", nil, "axis", x, x)
			}
			g.Add("logits", "Relu", nil, x)
		}), "channels"},
		"steps without end": {bad(func(g *written) {
			x := in
			for i := range 20_000 {
				x = g.Add(fmt.Sprint("same", i), "Relu", nil, x)
			}
			g.Add("logits", "Relu", nil, x)
		}), "at most 20000 are supported"},
		"inputs without end": {message(nil, 1, append(message(message(nil, 1, []byte("a")), 2, []byte("Add")),
			slices.Repeat(message(nil, 3, []byte("b")), maxInputs+1)...)), "more than 1048576 inputs"},
		"nodes without end": {slices.Concat(func() (all [][]byte) {
			for i := range maxNodes + 1 {
				all = append(all, node(fmt.Sprint(i), "NoOp"))
			}
			return all
		}()...), "more than 131072 nodes"},
	} {
		m, err := Parse("test.pb", c.b, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "tensorflow: test.pb: ") {
			t.Errorf("%s: %v, error %v, want one with %q", what, m, err, c.want)
		}
	}
}

// Graphs whose shapes do not fit, found when they are built; the error names the node.
func TestRejectsShapes(t *testing.T) {
	in := "input"
	for what, c := range map[string]struct {
		op     string
		attrs  attrs
		inputs []string
		want   string
	}{
		"images as logits":       {"Relu", nil, []string{in}, "must give the logits of 1 images and 3 classes"},
		"biases of others":       {"BiasAdd", nil, []string{in, "four"}, "has not 4 channels"},
		"one bias for all":       {"BiasAdd", nil, []string{in, "one"}, "has not 1 channels"},
		"rows after another":     {"ConcatV2", nil, []string{in, in, "axis"}, "axis 1 of"},
		"another size":           {"Reshape", nil, []string{in, "shape"}, "give images of the size"},
		"a product of images":    {"MatMul", nil, []string{in, "w2"}, "layer: Affine: "},
		"weights of others":      {"Conv2D", window("padding", "SAME"), []string{in, "w4"}, "must fit weights"},
		"a larger window":        {"MaxPool", window("padding", "VALID", "ksize", []int{1, 5, 1, 1}), []string{in}, "give a larger image"},
		"a constant for each":    {"Sub", nil, []string{in, "each"}, "does not fit images"},
		"a constant of all":      {"Add", nil, []string{in, "deep"}, "does not fit images"},
		"factors of others":      {"Mul", nil, []string{in, "four"}, "4 factors do not fit"},
		"divisors of others":     {"RealDiv", nil, []string{in, "four"}, "4 factors do not fit"},
		"a sum of two sizes":     {"Add", nil, []string{in, "smaller"}, "logits"},
		"a difference of images": {"Sub", nil, []string{"smaller", in}, "logits"},
	} {
		b := bad(func(g *written) {
			g.Const("one", []float64{1}, 1)
			g.Const("four", make([]float64, 4), 4)
			g.Const("w2", make([]float64, 9), 3, 3)
			g.Const("w4", make([]float64, 16), 2, 2, 4, 1)
			g.Const("each", make([]float64, 2), 2, 1, 1, 1)
			g.Const("deep", make([]float64, 3), 1, 1, 1, 1, 3)
			g.Ints("axis", true, 1)
			g.Ints("shape", false, -1, 47)
			g.Add("smaller", "AvgPool", window("padding", "VALID"), in)
			g.Add("logits", c.op, c.attrs, c.inputs...)
		})
		m, err := Parse("test.pb", b, Options{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		_, err = onGo(t, m).Layers()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `node "logits" (`+c.op+")") ||
			!strings.Contains(err.Error(), "guessed: ") {
			t.Errorf("%s: error %v, want one with the node and %q", what, err, c.want)
		}
	}
}

func TestRejectsImagesTooLarge(t *testing.T) {
	b := bad(func(g *written) {
		g.Ints("axis", true, 3)
		g.Add("logits", "Concat", nil, "axis", "input", "input")
	})
	m, err := Parse("test.pb", b, Options{Size: [3]int{1 << 14, 1 << 14, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onGo(t, m).Layers(); err == nil || !strings.Contains(err.Error(), "536870912 numbers an image") {
		t.Errorf("error %v", err)
	}
}

func TestRejectsOptions(t *testing.T) {
	b := bad(func(g *written) {
		g.Const("w", make([]float64, 144), 48, 3)
		g.Ints("shape", false, -1, 48)
		g.Add("flat", "Reshape", nil, "input", "shape")
		g.Add("logits", "MatMul", nil, "flat", "w")
	})
	for what, c := range map[string]struct {
		o    Options
		want string
	}{
		"an unknown output":  {Options{Output: "logit"}, `Options.Output: no node "logit"; near it: logits`},
		"an unknown input":   {Options{Input: "inputs"}, `Options.Input: no node "inputs"; near it: input`},
		"a later input":      {Options{Input: "probabilities"}, `a second Placeholder`},
		"a constant output":  {Options{Output: "w", Input: "input"}, `"w" does not depend on the images`},
		"names too few":      {Options{Classes: []string{"a"}}, `Options.Classes has 1 names, and node "logits" gives 3 logits`},
		"no range":           {Options{Range: [2]float64{1, 1}}, "Options.Range is [1 1], must be two finite numbers"},
		"not a number":       {Options{Range: [2]float64{0, math.NaN()}}, "Options.Range"},
		"an infinite range":  {Options{Range: [2]float64{math.Inf(-1), 1}}, "Options.Range"},
		"images of nothing":  {Options{Size: [3]int{-1, 4, 3}}, "images of [-1 4 3]"},
		"images of all":      {Options{Size: [3]int{1 << 20, 1 << 20, 3}}, "images of [1048576 1048576 3]"},
		"a size of overflow": {Options{Size: [3]int{1 << 62, 1 << 62, 1 << 62}}, "are not supported"},
	} {
		if m, err := Parse("test.pb", b, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, error %v, want one with %q", what, m, err, c.want)
		}
	}
	var g written
	g.Add("input", "Placeholder", attrs{"shape": axes{-1, 48}})
	g.Add("p", "Softmax", nil, "input")
	if _, err := Parse("test.pb", g.Encode(), Options{}); err == nil || !strings.Contains(err.Error(), "shaped [-1 48], must be shaped as images") {
		t.Errorf("rows of numbers as images: error %v", err)
	}
}

// Whatever a file holds, reading it ends, in an error or a network of as many weights as it has room for.
func FuzzParse(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			m, err := Parse("x.pb", b, Options{})
			if err != nil {
				return
			}
			numbers := 0
			for _, w := range m.Weights() {
				size := 1
				for _, d := range w.Dims() {
					size *= d
				}
				numbers += size
			}
			if most := len(b) + int(maxFill); numbers > most {
				t.Errorf("%d numbers from %d bytes", numbers, len(b))
			}
		})
	})
}

// Whatever network a file holds, building its graph ends, in an error or layers.
func FuzzForward(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			m, err := Parse("x.pb", b, Options{Size: [3]int{4, 4, 3}})
			if err != nil {
				return
			}
			layers, err := onGo(t, m).Layers()
			if err == nil && len(layers) == 0 {
				t.Error("a network without layers")
			}
			if err != nil && strings.Contains(err.Error(), "runtime error") {
				t.Error(err)
			}
		})
	})
}

// seeds are small graphs with every operator that reads attributes.
func seeds() [][]byte {
	return [][]byte{
		bad(func(g *written) {
			g.Ints("axis", true, 3)
			g.Add("a", "Concat", nil, "axis", "input", "input")
			g.Add("b", "MaxPool", window("padding", "SAME"), "a")
			g.Add("c", "Conv2D", window("padding", "SAME"), "b", g.Const("w", make([]float64, 24), 2, 2, 6, 1))
			g.Add("d", "Reshape", nil, "c", g.Ints("shape", false, 1, -1))
			g.Add("logits", "MatMul", nil, "d", g.Const("v", make([]float64, 32), 16, 2))
		}),
		bad(func(g *written) {
			g.Add("a", "AvgPool", window("padding", "VALID"), "input")
			g.Add("b", "LRN", attrs{"depth_radius": 1, "beta": float32(0.75)}, "a")
			g.Add("c", "Sub", nil, g.Const("s", []float64{2}), "b")
			g.Add("d", "BiasAdd", attrs{"data_format": "NHWC"}, "c", g.Const("bias", make([]float64, 3), 3))
			g.Add("logits", "Reshape", nil, "d", g.Ints("shape", false, -1, 27))
		}),
	}
}

// A graph of many nodes in few bytes is read in a time that grows with them: of 30,000 nodes in a chain and 60 Softmax nodes
// along it, what leads to each is counted without looking a name up again.
func TestManyNodes(t *testing.T) {
	b := bad(func(g *written) {
		before := "input"
		for i := range 30_000 {
			before = g.Add(strconv.Itoa(i), "Relu", nil, before)
			if i >= 29_940 {
				g.Add("s"+before, "Softmax", nil, before)
			}
		}
		g.Add("logits", "Identity", nil, before)
	})
	if len(b) > 1<<20 {
		t.Fatalf("%d bytes", len(b))
	}
	hostile.Bounded(t, func() {
		if _, err := Parse("x.pb", b, Options{}); err == nil || !strings.Contains(err.Error(), "at most 20000 are supported") {
			t.Error(err)
		}
	})
}
