// Package named gives a network the weights of a file in which tensors have another framework's names and layouts.
//
// The network itself says which weights it needs: they are the variables that its Forward makes. So opening
// a network takes its Spec, and no list of tensors:
//
//	m, err := named.Reader{}.Open("resnet20.safetensors", interp.Spec{Name: "ResNet-20", Forward: forward, …})
package named

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/layout"
	"lucigo/models/safetensors"
)

// Reader reads the weights of networks that were trained with PyTorch or Caffe: convolutions are
// [out, in, h, w], dense layers [out, in]. The zero Reader takes PyTorch's names.
type Reader struct {
	// Name returns the name of the tensor that is the value of a variable, such as "/conv1/weights"; nil is Dotted.
	Name func(variable string) string

	// Flat has, by the path of a dense layer's weights, the channels, rows and columns that the layer sees
	// flattened: other frameworks flatten images [C, H, W], layer.Flatten [H, W, C]. A layer that sees several of
	// both must have it, and so must each variable of a batch norm before it; {in, 1, 1} takes the file's order.
	Flat map[string][3]int
}

// Source is a file of tensors.
type Source interface {
	// Names are the names of the tensors, and Shape the dimensions of one; false if there is none of that name.
	Names() []string
	Shape(name string) ([]int, bool)

	// Float32 returns the numbers of a tensor, row-major.
	Float32(name string) ([]float32, error)
}

// floats are the tensors of a file that are not of integers: those are counters of steps, and no weights.
type floats struct{ *safetensors.File }

func (f floats) Names() []string {
	return slices.DeleteFunc(f.File.Names(), func(name string) bool {
		info, _ := f.Info(name)
		return strings.HasPrefix(info.Type, "I") || strings.HasPrefix(info.Type, "U")
	})
}

func (f floats) Shape(name string) ([]int, bool) {
	info, ok := f.Info(name)
	return info.Shape, ok
}

// roles are what PyTorch calls the variables of package layer.
var roles = map[string]string{
	"weights": "weight", "biases": "bias",
	"scale": "weight", "offset": "bias", "mean": "running_mean", "variance": "running_var",
}

// Dotted is PyTorch's name of a variable: /layer1/0/conv1/weights is layer1.0.conv1.weight.
func Dotted(variable string) string { return strings.ReplaceAll(Slashed(variable), "/", ".") }

// Slashed is the name of a variable where layers have Caffe's names: /conv1/7x7_s2/weights is conv1/7x7_s2.weight.
func Slashed(variable string) string {
	i := strings.LastIndex(variable, "/")
	layer, name := strings.TrimPrefix(variable[:i], "/"), variable[i+1:]
	if role := roles[name]; role != "" {
		name = role
	}
	if layer == "" {
		return name
	}
	return layer + "." + name
}

// Open returns the model of spec with the weights of a safetensors file. The error lists every tensor that
// is missing, is shaped otherwise than the network needs it, or is not needed. Tensors of integers, which
// count steps of training, are left out.
func (r Reader) Open(path string, spec interp.Spec) (*interp.Model, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := r.read(floats{f}, spec)
	if err != nil {
		return nil, fmt.Errorf("named: %s: %w", path, err)
	}
	return m, nil
}

// Read is Open for another source.
func (r Reader) Read(src Source, spec interp.Spec) (*interp.Model, error) {
	m, err := r.read(src, spec)
	if err != nil {
		return nil, fmt.Errorf("named: %w", err)
	}
	return m, nil
}

func (r Reader) read(src Source, spec interp.Spec) (*interp.Model, error) {
	sketch, forward := spec, spec.Forward
	var flat []flattened
	if forward != nil {
		sketch.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
			logits := forward(s, x)
			flat = flattens(x)
			return logits
		}
	}
	m, err := interp.New(sketch)
	if err != nil {
		return nil, err
	}
	variables, err := m.Variables()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, v := range variables {
		paths = append(paths, v.Path)
	}
	for path := range r.Flat {
		if !slices.Contains(paths, path) {
			return nil, fmt.Errorf("%s: Flat: %w", spec.Name, near.Error("variable", path, paths))
		}
	}
	tensors := make([]tensor, len(variables))
	for i, v := range variables {
		if tensors[i], err = r.tensor(v); err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Name, err)
		}
	}
	if err := check(src, tensors); err != nil {
		return nil, fmt.Errorf("this is the file of another network than %s: %w", spec.Name, err)
	}
	for _, f := range flat {
		if _, ok := r.Flat[f.path]; !ok {
			return nil, fmt.Errorf("%s: Flat has nothing for variable %q, which sees images flattened: it must have their channels, rows and columns, %v",
				spec.Name, f.path, f.chw)
		}
	}
	weights := make([]*interp.Weight, len(tensors))
	err = parallel.Each(context.Background(), len(tensors), func(i int) error {
		data, err := src.Float32(tensors[i].name)
		if err == nil {
			weights[i], err = interp.NewWeight(tensors[i].turn(data), tensors[i].Dims...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	spec.Weights = interp.Weights{}
	for i, v := range variables {
		spec.Weights[v.Path] = weights[i]
	}
	return interp.New(spec)
}

// flattened is a variable of a layer that sees images flattened, and their channels, rows and columns.
type flattened struct {
	path string
	chw  [3]int
}

// flattens finds the variables for which the order of a flatten of images matters: the weights of dense layers
// after it, with only functions of single numbers between them, and those with one number for each, as of a
// batch norm. A network that turns its images itself is left alone.
func flattens(images *graph.Node) (all []flattened) {
	from := map[*graph.Node]*[3]int{}             // what flattened images are computed from
	depends := map[*graph.Node]bool{images: true} // on the images
	made := map[*graph.Node][]*graph.Node{}       // of which variables with one axis others are made
	needs := func(v *graph.Node, chw *[3]int) {
		if f := (flattened{v.GetParameterName(), *chw}); !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	for _, n := range images.Graph().Nodes() {
		in := n.Inputs()
		if n.Type() == graph.NodeTypeParameter && n.Rank() == 1 {
			made[n] = []*graph.Node{n}
		}
		if len(in) == 0 || n.NumOutputs() != 1 {
			continue
		}
		if !slices.ContainsFunc(in, func(x *graph.Node) bool { return depends[x] }) {
			for _, x := range in {
				made[n] = append(made[n], made[x]...)
			}
			continue
		}
		depends[n] = true
		switch x := in[0]; n.Type() {
		case graph.NodeTypeReshape:
			if x.Rank() != 4 || n.Rank() != 2 || n.Shape().Dim(0) != x.Shape().Dim(0) || x.Type() == graph.NodeTypeTranspose {
				continue
			}
			if d := x.Shape().Dimensions; d[1]*d[2] > 1 && d[3] > 1 {
				from[n] = &[3]int{d[3], d[1], d[2]}
			}
		case graph.NodeTypeDotGeneral:
			if chw := from[x]; chw != nil && in[1].Type() == graph.NodeTypeParameter {
				needs(in[1], chw)
			}
		default:
			for _, x := range in {
				if from[x] != nil && slices.Equal(x.Shape().Dimensions, n.Shape().Dimensions) {
					from[n] = from[x]
				}
			}
			if chw := from[n]; chw != nil {
				for _, x := range in {
					for _, v := range made[x] {
						if v.Shape().Size() == chw[0]*chw[1]*chw[2] {
							needs(v, chw)
						}
					}
				}
			}
		}
	}
	return all
}

// tensor is a variable's value in the other framework's layout.
type tensor struct {
	interp.Variable
	name string
	dims []int
	turn func(data []float32) []float32 // into the network's layout
}

func (r Reader) tensor(v interp.Variable) (tensor, error) {
	name := r.Name
	if name == nil {
		name = Dotted
	}
	t := tensor{Variable: v, name: name(v.Path), dims: v.Dims, turn: func(data []float32) []float32 { return data }}
	flat, ok := r.Flat[v.Path]
	if ok && (len(v.Dims) != 1 && len(v.Dims) != 2 || flat[0]*flat[1]*flat[2] != v.Dims[0]) {
		return t, fmt.Errorf("variable %q is shaped %v, and Flat has %v for it: it must be a dense layer's and have as many numbers as that sees", v.Path, v.Dims, flat)
	}
	if ok && len(v.Dims) == 1 {
		t.turn = func(data []float32) []float32 { return layout.HWIO(data, 1, flat[0], flat[1], flat[2]) }
	}
	if n := len(v.Dims); n == 2 || n == 4 {
		in, out := v.Dims[n-2], v.Dims[n-1]
		t.dims = append([]int{out, in}, v.Dims[:n-2]...)
		channels := in
		if ok {
			channels = flat[0]
		}
		t.turn = func(data []float32) []float32 { return layout.HWIO(data, out, channels, 1, len(data)/(out*channels)) }
	}
	return t, nil
}

// check compares a file's tensors with those that a network needs.
func check(src Source, tensors []tensor) error {
	needed := map[string]bool{}
	for _, t := range tensors {
		needed[t.name] = true
	}
	spare := slices.DeleteFunc(slices.Clone(src.Names()), func(name string) bool { return needed[name] })
	var wrong []error
	for _, t := range tensors {
		switch dims, ok := src.Shape(t.name); {
		case !ok:
			wrong = append(wrong, fmt.Errorf("variable %q, shaped %v, needs a tensor shaped %v: %w", t.Path, t.Dims, t.dims, near.Error("tensor", t.name, spare)))
		case !slices.Equal(significant(dims), significant(t.dims)):
			wrong = append(wrong, fmt.Errorf("tensor %q is shaped %v, and variable %q, shaped %v, needs %v", t.name, dims, t.Path, t.Dims, t.dims))
		}
	}
	for _, name := range spare {
		wrong = append(wrong, fmt.Errorf("no variable needs tensor %.200q", name))
	}
	if n := len(wrong); n > most {
		wrong = append(wrong[:most], fmt.Errorf("and %d more", n-most))
	}
	return errors.Join(wrong...)
}

// most is how many differences of a file an error lists.
const most = 20

// significant is dims without the axes of length 1 in front, which say nothing: Caffe wrote four axes once.
func significant(dims []int) []int {
	for len(dims) > 0 && dims[0] == 1 {
		dims = dims[1:]
	}
	return dims
}
