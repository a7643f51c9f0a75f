// Package subject opens what a notebook looks at: a network and images for it, chosen by the notebook's parameters.
package subject

import (
	"context"
	"fmt"

	"lucigo/interp"
	"lucigo/models"
	"lucigo/models/dataset"
)

// Network is an open network, and what is known of it. A notebook can look at any network: nothing needs to be
// known of Network{Model: m}.
type Network struct {
	*interp.Model
	Known models.Network
}

// Open opens a network by its name, or by a file of its weights: see models.Find.
func Open(ctx context.Context, name string) (Network, error) {
	known, err := models.Find(name)
	if err != nil {
		return Network{}, err
	}
	m, err := known.Open(ctx)
	return Network{m, known}, err
}

// input is how pictures become the network's images.
func (n Network) input() dataset.Input {
	h, w, c := n.Input()
	p := n.Known.Pictures
	return dataset.Input{Height: h, Width: w, Channels: c, Short: p.Short, Class: p.Class, Labels: p.Labels}
}

// Data returns the pictures at a path, as dataset.Input.Open opens them, for the network; or, if path is empty, count
// of those that need no files and that the network was not trained on.
func (n Network) Data(path string, count int) (interp.Source, error) {
	draw := n.Known.Pictures.Draw
	switch {
	case count < 1:
		return nil, fmt.Errorf("subject: count is %d, must be at least 1", count)
	case path != "":
		return n.input().Open(path)
	case draw == nil:
		return nil, fmt.Errorf("subject: no images are drawn for %s: give a folder of photographs, or a file of MNIST's or CIFAR's format, as in -p images=FOLDER", n)
	}
	return draw(count), nil
}

// Subject is a network and images to ask it about.
type Subject struct {
	Model  *interp.Model
	Images interp.Images

	// Rows are headings for the images: what each shows, if that is known, and what the network says of
	// it, with its probability.
	Rows []string

	// Masks are the pixels of each image that belong to the object, from 0 to 1; nil where the objects are not
	// known, as in photographs.
	Masks [][]float64
}

// masked is a data set that knows which pixels of an image belong to its object.
type masked interface{ Mask(i int) []float64 }

// Subject returns the first images of the network's Data, at most count. They are asked about what they show, where
// that is known: of scenes always, of photographs by file names such as n02391049_zebra.jpg if the network's classes
// are ImageNet's, of MNIST's and CIFAR's files by their labels if those are the network's classes; and otherwise about
// what the network says of them.
func (n Network) Subject(ctx context.Context, path string, count int) (Subject, error) {
	s := Subject{Model: n.Model}
	src, err := n.Data(path, count)
	if err != nil {
		return s, err
	}
	if s.Images, err = interp.Read(ctx, src, 0, min(count, src.Len())); err != nil {
		return s, err
	}
	for i, class := range s.Images.Class {
		if classes := len(n.Classes()); class < 0 || class >= classes {
			return s, fmt.Errorf("subject: %s is of class %d, and %s has classes 0 to %d", src.Name(i), class, n, classes-1)
		}
	}
	s.Images.Key = nil // so that their noise depends on what they show, not on where they come from
	if src, ok := src.(masked); ok {
		for i := range s.Images.N {
			s.Masks = append(s.Masks, src.Mask(i))
		}
	}
	p, err := n.Predict(ctx, s.Images)
	if err != nil {
		return s, err
	}
	known := s.Images.Class != nil
	if !known {
		s.Images.Class = p.Top1()
	}
	for i, said := range p.Top1() {
		row := fmt.Sprintf("%s, p = %.2f", n.ClassName(said), p.Prob(i, said))
		if class := s.Images.Class[i]; known && said != class {
			row = fmt.Sprintf("%s, p = %.2f\nnot %s, p = %.2f", n.ClassName(class), p.Prob(i, class), n.ClassName(said), p.Prob(i, said))
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}
