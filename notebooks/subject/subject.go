// Package subject opens what a notebook looks at: a network and images for it, chosen by the notebook's
// parameters.
package subject

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
	"lucigo/models/inception5h"
	"lucigo/models/scenes"
)

// Subject is a network and images to ask it about.
type Subject struct {
	Model  *interp.Model
	Images interp.Images

	// Rows are headings for the images: what each shows, if that is known, and what the network says of
	// it, with its probability.
	Rows []string

	// Masks are the pixels of each image that belong to the object, from 0 to 1; nil for photographs,
	// whose objects are not known.
	Masks [][]float64
}

// pictures is what a network was trained on.
type pictures int

const (
	photographs pictures = iota // logits in an order of their own
	imageNet                    // photographs, logits in the order of package imagenet
	drawn                       // scenes
)

// network is one that a notebook can look at.
type network struct {
	open    func(ctx context.Context) (*interp.Model, error)
	trained pictures
}

var networks = map[string]network{
	"scenes":         {func(context.Context) (*interp.Model, error) { return scenes.Standard() }, drawn},
	"scenes-robust":  {func(context.Context) (*interp.Model, error) { return scenes.Robust() }, drawn},
	"scenes-allconv": {func(context.Context) (*interp.Model, error) { return scenes.AllConv() }, drawn},
	"scenes-dense":   {func(context.Context) (*interp.Model, error) { return scenes.Dense() }, drawn},
	"googlenet":      {googlenet.Model, imageNet},
	"inception5h":    {inception5h.Model, photographs},
}

// files are networks in files, by the ends of their names.
var files = map[string]struct {
	open    func(path string) (*interp.Model, error)
	trained pictures
}{
	".safetensors": {googlenet.Open, imageNet},
	".caffemodel":  {googlenet.OpenCaffe, imageNet},
	".pb":          {inception5h.Open, photographs},
	".zip":         {inception5h.Open, photographs},
}

// Networks returns the names that Network takes.
func Networks() []string { return slices.Sorted(maps.Keys(networks)) }

// Network opens a network by its name, or by a file of its weights: .safetensors and .caffemodel are BVLC
// GoogLeNet's, .pb and .zip are inception5h's.
func Network(ctx context.Context, name string) (*interp.Model, error) {
	n, err := find(name)
	if err != nil {
		return nil, err
	}
	return n.open(ctx)
}

func find(name string) (network, error) {
	if f, ok := files[filepath.Ext(name)]; ok {
		return network{func(context.Context) (*interp.Model, error) { return f.open(name) }, f.trained}, nil
	}
	n, ok := networks[name]
	if !ok {
		return n, near.Error("network", name, Networks())
	}
	return n, nil
}

// Open opens a network by its name or file, and n images: the first photographs of a folder, or, if folder is
// empty, scenes that no network was trained on. The images are asked about what they show, where that is
// known: of scenes always, of photographs by file names such as n02391049_zebra.jpg, and otherwise about
// what the network says of them.
func Open(ctx context.Context, name, folder string, n int) (Subject, error) {
	net, err := find(name)
	if err != nil {
		return Subject{}, err
	}
	m, err := net.open(ctx)
	if err != nil {
		return Subject{}, err
	}
	s := Subject{Model: m}
	switch {
	case n < 1:
		return s, fmt.Errorf("%d images: give one or more", n)
	case folder != "":
		err = s.read(ctx, folder, n, net.trained == imageNet)
	case net.trained == drawn:
		err = s.draw(n)
	default:
		err = noFolder(name)
	}
	if err != nil {
		return s, err
	}
	p, err := m.Predict(ctx, s.Images)
	if err != nil {
		return s, err
	}
	known := s.Images.Class != nil
	if !known {
		s.Images.Class = p.Top1()
	}
	for i, said := range p.Top1() {
		row := fmt.Sprintf("%s, p = %.2f", m.ClassName(said), p.Prob(i, said))
		if known && said != s.Images.Class[i] {
			row = fmt.Sprintf("%s, p = %.2f\nnot %s, p = %.2f", m.ClassName(s.Images.Class[i]), p.Prob(i, s.Images.Class[i]), m.ClassName(said), p.Prob(i, said))
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}

func noFolder(name string) error {
	return fmt.Errorf("%s looks at photographs: give a folder of them, as in -p images=FOLDER", name)
}

// short is the shorter side of photographs of which an image of size×size is cut: 256 for 224.
func short(size int) int { return size * 8 / 7 }

// read takes the first n photographs of a folder. Named is whether file names may tell their classes.
func (s *Subject) read(ctx context.Context, folder string, n int, named bool) error {
	h, w, _ := s.Model.Input()
	in := dataset.Input{Height: h, Width: w, Short: short(h)}
	if named {
		in.Class = imagenet.ClassOf
	}
	src, err := in.Folder(folder)
	if err != nil {
		return err
	}
	s.Images, err = dataset.Read(ctx, src, 0, min(n, src.Len()))
	return err
}

// unseen is the seed of the scenes that notebooks draw; training draws others.
const unseen = 2016

// draw draws n scenes.
func (s *Subject) draw(n int) error {
	h, w, _ := s.Model.Input()
	if h != w {
		return fmt.Errorf("scenes are square, and %s takes images of %d×%d", s.Model, h, w)
	}
	var task scenes.Task
	s.Images = interp.Images{N: n, H: h, W: w, C: 3, Class: make([]int, n)}
	for i, p := range task.Pictures(unseen, n, h) {
		s.Images.Class[i] = task.Class(p.Scene)
		for _, v := range p.RGB {
			s.Images.Pix = append(s.Images.Pix, float64(v)/255)
		}
		mask := make([]float64, len(p.Mask))
		for j, v := range p.Mask {
			mask[j] = float64(v)
		}
		s.Masks = append(s.Masks, mask)
	}
	return nil
}
