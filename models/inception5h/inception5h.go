// Package inception5h is the InceptionV1 that Google trained with TensorFlow on ImageNet, and that
// feature visualisation and DeepDream are told of: the network of Szegedy et al., "Going deeper with
// convolutions", arXiv:1409.4842, with other weights and a few other channels than BVLC's.
//
// Its input is a photograph in red, green and blue, in [0, 1], of 224×224 pixels, which the network takes as
// x·255 − 117. Layers have the names of the graph's nodes: conv2d0, mixed3a … mixed5b, the branches of a block such as
// mixed4a_3x3_bottleneck and mixed4a_pool_reduce, the same before their ReLU with _pre_relu after the name, and
// softmax2_pre_activation, the logits. Up to mixed5b they take images of any size.
package inception5h

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"lucigo/interp"
	"lucigo/models/internal/regular"
	"lucigo/models/tensorflow"
	"lucigo/models/weights"
)

// Size is the height and width of the images that the whole network takes.
const Size = 224

// Short is the shorter side of a photograph from whose middle the image is cut.
const Short = 256

// The files in the archive, and how long they may be: the real ones have 53,884,595 bytes and some 11,000.
const (
	graphFile  = "tensorflow_inception_graph.pb"
	labelsFile = "imagenet_comp_graph_label_strings.txt"
	maxGraph   = 64 << 20
	maxLabels  = 1 << 20
)

// File is the archive with the trained network and the names of its classes, as TensorFlow publishes it:
// address and SHA-256 are in the file WORKSPACE of tensorflow/tensorflow, from version 0.9 to 1.2.
func File() weights.File {
	const size = 49937555
	return weights.File{
		Model:  "inception5h",
		Name:   "inception5h.zip",
		Size:   size,
		SHA256: "d13569f6a98159de37e92e9c8ec4dae8f674fbf475f69fe6199b514f756d4364",
		Origin: "InceptionV1, © 2015 The TensorFlow Authors, Apache License 2.0, from download.tensorflow.org",
		Parts:  []weights.Part{{URL: "https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip", Size: size}},
	}
}

// Model returns the network, whose file is found on this machine or downloaded once: see package lucigo/models/weights.
func Model(ctx context.Context) (*interp.Model, error) {
	path, err := weights.Find(ctx, File())
	if err != nil {
		return nil, fmt.Errorf("inception5h: %w", err)
	}
	return Open(path)
}

// Open returns the network of inception5h.zip, or of the tensorflow_inception_graph.pb that was in it. The names of the
// classes are taken from imagenet_comp_graph_label_strings.txt beside the graph; a class that has no name there, as the
// last ones have none, is "class 1001", and one that has the name of an earlier class has its number after it.
func Open(path string) (*interp.Model, error) {
	files, name := beside(path), filepath.Base(path)
	if strings.EqualFold(filepath.Ext(path), ".zip") {
		archive, err := zip.OpenReader(path)
		switch {
		case errors.Is(err, zip.ErrFormat):
			return nil, fmt.Errorf("%s: %w: it is damaged or another file; remove it", path, err)
		case err != nil:
			return nil, fmt.Errorf("inception5h: %w", err) // names the file already
		}
		defer archive.Close()
		files, name = within(archive), graphFile
	}
	b, err := files.read(name, maxGraph)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m, err := tensorflow.Parse(path, b, options)
	if err != nil {
		return nil, fmt.Errorf("%w; it must be inception5h's graph: this one is damaged, or another network's, which tensorflow.Open reads", err)
	}
	labels, err := files.read(labelsFile, maxLabels)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	o := options
	if err == nil {
		o.Classes, err = names(string(labels), len(m.Classes()))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensorflow.Parse(path, b, o)
}

// options is what the graph does not say of itself.
var options = tensorflow.Options{
	Name:   "InceptionV1",
	Input:  "input",
	Output: "softmax2_pre_activation",
	Size:   [3]int{Size, Size, 3},
	Range:  [2]float64{-117, 255 - 117},
}

// opener opens a file by its name.
type opener func(name string) (io.ReadCloser, error)

// beside opens the files in the folder of path.
func beside(path string) opener {
	return func(name string) (io.ReadCloser, error) {
		f, _, err := regular.Open(filepath.Join(filepath.Dir(path), name))
		return f, err
	}
}

// within opens the files of an archive, by the whole of their names. The archive's own Open would take
// ../name for name, and first list every folder that the names imply, which a few long names make slow.
func within(archive *zip.ReadCloser) opener {
	return func(name string) (io.ReadCloser, error) {
		for _, f := range archive.File {
			if f.Name == name {
				return f.Open()
			}
		}
		return nil, fmt.Errorf("the archive has no %s, so it is another one: %w", name, fs.ErrNotExist)
	}
}

// read returns the content of a file of at most a number of bytes.
func (open opener) read(name string, most int64) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("it has more than %d bytes: this is another file", most)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// names returns n names of classes, no two alike, from a text with one a line.
func names(text string, n int) ([]string, error) {
	var all []string
	used := map[string]bool{}
	for line := range strings.Lines(text) {
		name := strings.TrimSpace(line)
		if name == "" || used[name] {
			name = strings.TrimSpace(fmt.Sprintf("%s (%d)", name, len(all)))
		}
		used[name] = true
		all = append(all, name)
	}
	if len(all) > n {
		return nil, fmt.Errorf("%s: %d names, and the network has %d classes", labelsFile, len(all), n)
	}
	for len(all) < n {
		all = append(all, fmt.Sprint("class ", len(all)))
	}
	return all, nil
}
