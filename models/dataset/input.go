package dataset

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lucigo/interp"
)

// Input is what a network takes, and how pictures become that: each is scaled, up too where it is smaller,
// and the middle is cut out.
type Input struct {
	// Height and Width are those of the images. Channels is 3, of red, green and blue, or 1, in which colours
	// become grey by their luma, as in Pillow's mode L; 0 is 3.
	Height, Width, Channels int

	// Short is the length to which the shorter side of a picture is brought before the image is cut
	// from its middle; 0 is the least that covers the image: then nothing is cut from a picture of the image's
	// proportions. Networks trained on ImageNet are commonly tested with Width 224 and Short 256.
	Short int

	// Class gives the class of a photograph by its file's path, as imagenet.ClassOf does. A photograph for which
	// it returns an error has none; nil is none for all.
	Class func(path string) (int, error)

	// Labels says that the labels in the files of MNIST and CIFAR are the network's classes. Otherwise images
	// from there have none.
	Labels bool
}

// Open opens the pictures that are at a path. They are the photographs of a folder, as by Folder; images
// of MNIST's format in a file such as t10k-images-idx3-ubyte.gz, whose labels are looked for beside it, in
// t10k-labels-idx1-ubyte.gz; or those of CIFAR's binary files: the folder that has them, or one of them, of
// which train.bin and test.bin are CIFAR-100's and all others CIFAR-10's.
func (in Input) Open(path string) (interp.Source, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: there are no pictures: %w", err)
	}
	bin, err := fs.Glob(os.DirFS(path), "[^.]*.bin")
	if err != nil {
		return nil, err
	}
	switch {
	case !info.IsDir():
		bin = []string{path}
	case len(bin) == 0:
		return in.Folder(path)
	default:
		for i, name := range bin {
			bin[i] = filepath.Join(path, name)
		}
	}
	var t *table
	switch name := filepath.Base(bin[0]); {
	case name == "train.bin", name == "test.bin":
		t, err = openCIFAR(100, bin...)
	case filepath.Ext(name) == ".bin":
		t, err = openCIFAR(10, bin...)
	case strings.Contains(name, "idx"):
		t, err = openIDX(path, labels(path))
	default:
		return nil, fmt.Errorf("dataset: %s is a file, and none of MNIST's (…idx3-ubyte, or that with .gz) or CIFAR's (….bin): name the folder that it is in", path)
	}
	if err != nil {
		return nil, err
	}
	return Fitted{t, in}, nil
}

// labels returns the file of labels that belongs to one of images, "" if it is not there.
func labels(images string) string {
	name := strings.NewReplacer("images", "labels", "idx3", "idx1", "idx4", "idx1").Replace(filepath.Base(images))
	path := filepath.Join(filepath.Dir(images), name)
	if _, err := os.Stat(path); err != nil || name == filepath.Base(images) {
		return ""
	}
	return path
}

// check returns an error if no images are of the size.
func (in Input) check() error {
	switch {
	case in.Height < 1 || in.Width < 1 || in.Height > MaxPixels/in.Width:
		return fmt.Errorf("dataset: Height and Width are %d and %d, must be at least 1 and their product at most %d", in.Height, in.Width, MaxPixels)
	case in.Short < 0 || in.Short > MaxPixels:
		return fmt.Errorf("dataset: Short is %d, must be from 0 to %d", in.Short, MaxPixels)
	case in.Channels != 0 && in.Channels != 1 && in.Channels != 3:
		return fmt.Errorf("dataset: Channels is %d, must be 1 or 3", in.Channels)
	}
	return nil
}

// String describes the images.
func (in Input) String() string {
	s := fmt.Sprintf("%d×%d", in.Height, in.Width)
	if in.Channels == 1 {
		s += " in grey"
	}
	s += " from the middle"
	if in.Short > 0 {
		s += fmt.Sprintf(" of %d", in.Short)
	}
	return s
}

// cut returns an image of m.
func (in Input) cut(m image.Image) interp.Images {
	x := interp.Images{N: 1, H: in.Height, W: in.Width, C: cmp.Or(in.Channels, 3)}
	x.Pix = make([]float64, x.Size())
	pixels(x.Pix, Fit(m, in.Height, in.Width, in.Short))
	return x
}

// Fitted is a data set whose images, of one channel or three, become what a network takes. They are rounded to 8 bits.
type Fitted struct {
	interp.Source
	Input
}

// String says of what it is.
func (f Fitted) String() string { return fmt.Sprintf("%s, %s", f.Source, f.Input) }

// Image returns image i, with its key, and with its class if Labels says so.
func (f Fitted) Image(ctx context.Context, i int) (interp.Images, error) {
	if err := f.check(); err != nil {
		return interp.Images{}, err
	}
	x, err := f.Source.Image(ctx, i)
	if err != nil {
		return x, err
	}
	m, err := x.Image(0)
	if err != nil {
		return x, err
	}
	y := f.cut(m)
	y.Key = x.Keyed().Key
	if f.Labels {
		y.Class = x.Class
	}
	return y, nil
}
