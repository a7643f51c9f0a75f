package googlenet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/imagenet"
	"lucigo/models/layout"
	"lucigo/models/safetensors"
	"lucigo/models/weights"
)

// Model returns the network with its trained weights, which are found on this machine or downloaded once:
// see package lucigo/models/weights.
func Model(ctx context.Context) (*interp.Model, error) {
	path, err := weights.Find(ctx, File())
	if err != nil {
		return nil, fmt.Errorf("googlenet: %w", err)
	}
	return Open(path)
}

// Open returns the network with the weights of a safetensors file: one that has, for every convolution
// and the classifier, a tensor NAME.weight, [out, in, h, w] or [out, in], and a tensor NAME.bias, [out],
// where NAME is Caffe's. Another tensor, a missing one or one of another shape is an error.
func Open(path string) (*interp.Model, error) {
	w, err := read(path)
	if err != nil {
		return nil, err
	}
	return newModel(w)
}

func newModel(w interp.Weights) (*interp.Model, error) {
	return interp.New(interp.Spec{
		Name:    "GoogLeNet",
		Forward: Forward,
		Input:   [3]int{Size, Size, 3},
		Classes: imagenet.Names(),
		Weights: w,
	})
}

// parameter is a tensor of the weight file: a convolution's or the classifier's.
type parameter struct {
	layer string // Caffe's name
	bias  bool
	dims  []int // [out, in, h, w], [out, in] or [out]
}

// name is the tensor's name in the file.
func (p parameter) name() string {
	if p.bias {
		return p.layer + ".bias"
	}
	return p.layer + ".weight"
}

// path is that of the variable that Forward makes.
func (p parameter) path() string {
	if p.bias {
		return "/" + p.layer + "/biases"
	}
	return "/" + p.layer + "/weights"
}

// parameters are all tensors, in the order of the network.
func parameters() (all []parameter) {
	add := func(name string, dims ...int) {
		all = append(all, parameter{name, false, dims}, parameter{name, true, dims[:1]})
	}
	add("conv1/7x7_s2", 64, 3, 7, 7)
	add("conv2/3x3_reduce", 64, 64, 1, 1)
	add("conv2/3x3", 192, 64, 3, 3)
	in := 192
	for _, b := range blocks {
		name := "inception_" + b.name + "/"
		add(name+"1x1", b.one, in, 1, 1)
		add(name+"3x3_reduce", b.reduce3, in, 1, 1)
		add(name+"3x3", b.three, b.reduce3, 3, 3)
		add(name+"5x5_reduce", b.reduce5, in, 1, 1)
		add(name+"5x5", b.five, b.reduce5, 5, 5)
		add(name+"pool_proj", b.pool, in, 1, 1)
		in = b.out()
	}
	add("loss3/classifier", Classes, in)
	return all
}

// read reads the weights and turns them into the layouts of the network, on all cores.
func read(path string) (interp.Weights, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := parameters()
	if err := check(path, f, all); err != nil {
		return nil, err
	}
	out := make([]*interp.Weight, len(all))
	err = parallel.Each(context.Background(), len(all), func(i int) (err error) {
		out[i], err = all[i].read(f)
		return err
	})
	if err != nil {
		return nil, err
	}
	w := interp.Weights{}
	for i, p := range all {
		w[p.path()] = out[i]
	}
	return w, nil
}

// check compares the names and shapes in a file with those that the network needs.
func check(path string, f *safetensors.File, all []parameter) error {
	extra := f.Names()
	for _, p := range all {
		info, ok := f.Info(p.name())
		if !ok {
			return fmt.Errorf("%s: %w, and GoogLeNet needs it, shaped %v", path, near.Error("tensor", p.name(), f.Names()), p.dims)
		}
		if !slices.Equal(info.Shape, p.dims) {
			return fmt.Errorf("%s: tensor %q is shaped %v, and GoogLeNet needs %v", path, p.name(), info.Shape, p.dims)
		}
		extra = slices.DeleteFunc(extra, func(name string) bool { return name == p.name() })
	}
	if len(extra) > 0 {
		return fmt.Errorf("%s: GoogLeNet has no tensors %.300s: this is the file of another network", path, strings.Join(extra, ", "))
	}
	return nil
}

func (p parameter) read(f *safetensors.File) (*interp.Weight, error) {
	data, err := f.Float32(p.name())
	if err != nil {
		return nil, err
	}
	return p.weight(data)
}

// weight turns the numbers of a tensor into the layout of the network.
func (p parameter) weight(data []float32) (*interp.Weight, error) {
	switch len(p.dims) {
	case 4:
		o, i, h, w := p.dims[0], p.dims[1], p.dims[2], p.dims[3]
		return interp.NewWeight(layout.HWIO(data, o, i, h, w), h, w, i, o)
	case 2:
		return interp.NewWeight(layout.HWIO(data, p.dims[0], p.dims[1], 1, 1), p.dims[1], p.dims[0])
	}
	return interp.NewWeight(data, p.dims...)
}
