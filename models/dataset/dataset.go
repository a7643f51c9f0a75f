// Package dataset reads photographs from files into batches of images.
package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"lucigo/interp"
	"lucigo/models/internal/regular"
)

// MaxPixels and MaxBytes are the most that is decoded of one file: larger ones are errors.
const (
	MaxPixels = 1 << 26
	MaxBytes  = 1 << 28
)

// Folder is a directory of photographs: JPEG, PNG, GIF (the first frame) and WebP files, by their
// extension, in the directory and all below it, in the order of their paths. Other files are passed over;
// links to directories are not followed below Dir.
type Folder struct {
	Dir string

	// Height and Width are those of the images.
	Height, Width int

	// Short is the length to which the shorter side of a photograph is brought before the image is cut
	// from its middle; 0 is the least that covers the image. Networks trained on ImageNet are commonly
	// tested with Width 224 and Short 256.
	Short int

	// Class gives the class of a file by its path, as imagenet.ClassOf does; nil leaves images without.
	Class func(path string) (int, error)
}

// Photos is a batch of photographs, and the files they come from.
type Photos struct {
	interp.Images
	Files []string
}

// Load reads the whole folder: 1.2 MB for each image of 224×224 pixels; see Batches. Keys are hashes of
// the files' contents.
func (f Folder) Load(ctx context.Context) (Photos, error) {
	files, err := f.files()
	if err != nil {
		return Photos{}, err
	}
	return f.read(ctx, files, files)
}

// Batches reads the folder n photographs at a time; the last batch may be smaller. It ends behind the
// first error, which names the file.
func (f Folder) Batches(ctx context.Context, n int) iter.Seq2[Photos, error] {
	return func(yield func(Photos, error) bool) {
		if n < 1 {
			yield(Photos{}, fmt.Errorf("batches of %d photographs", n))
			return
		}
		files, err := f.files()
		if err != nil {
			yield(Photos{}, err)
			return
		}
		for part := range slices.Chunk(files, n) {
			p, err := f.read(ctx, part, part)
			if err != nil {
				yield(Photos{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// extensions are those of the files that are read.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp"}

// files lists the folder's photographs.
func (f Folder) files() (files []string, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(f.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder of photographs: %w", err)
	case err == nil && !info.IsDir():
		err = fmt.Errorf("%s is a file: name the folder that it is in", f.Dir)
	}
	if err != nil {
		return nil, err
	}
	dir := f.Dir + string(filepath.Separator) // that a link is followed
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains(extensions, strings.ToLower(filepath.Ext(path))) {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no photographs: no file below it ends in %s", f.Dir, strings.Join(extensions, ", "))
	}
	return files, err
}

// check returns an error if no images are of the folder's size.
func (f Folder) check() error {
	if f.Height < 1 || f.Width < 1 || f.Height > MaxPixels/f.Width || f.Short < 0 || f.Short > MaxPixels {
		return fmt.Errorf("no images of %d×%d, cut from photographs of %d: Height and Width are at least 1", f.Height, f.Width, f.Short)
	}
	return nil
}

// read reads files on all cores. Errors call them by their names.
func (f Folder) read(ctx context.Context, files, names []string) (Photos, error) {
	p := Photos{Files: files, Images: interp.Images{N: len(files), H: f.Height, W: f.Width, C: 3, Key: make([]uint64, len(files))}}
	if err := f.check(); err != nil {
		return p, err
	}
	p.Pix = make([]float64, p.N*p.Size())
	if f.Class != nil {
		p.Class = make([]int, p.N)
	}
	errs := make([]error, len(files))
	next := make(chan int, len(files))
	for i := range files {
		next <- i
	}
	close(next)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				if errs[i] = ctx.Err(); errs[i] == nil {
					errs[i] = f.readOne(files[i], names[i], p.Slice(i, i+1))
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// readOne reads a file into x, a batch of one image.
func (f Folder) readOne(path, name string, x interp.Images) error {
	b, err := readFile(path, name)
	if err != nil {
		return err
	}
	m, err := Decode(name, b)
	if err != nil {
		return err
	}
	cut(x.Pix, Fit(m, f.Height, f.Width, f.Short))
	sum := sha256.Sum256(b)
	x.Key[0] = binary.LittleEndian.Uint64(sum[:])
	if f.Class != nil {
		x.Class[0], err = f.Class(path)
	}
	return err
}

// Open reads one photograph as a batch of one image, as a Folder of that file alone would.
func Open(path string, height, width, short int) (interp.Images, error) {
	p, err := Folder{Height: height, Width: width, Short: short}.read(context.Background(), []string{path}, []string{path})
	return p.Images, err
}

// readFile reads a file, which errors call name.
func readFile(path, name string) (b []byte, err error) {
	f, _, err := regular.Open(path)
	if err == nil {
		defer f.Close()
		b, err = io.ReadAll(io.LimitReader(f, MaxBytes+1))
	}
	if err == nil && len(b) > MaxBytes {
		err = fmt.Errorf("it has more than %d bytes, the most that is read", MaxBytes)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// Decode decodes a photograph and turns it upright, as its EXIF orientation says. Errors call it name.
func Decode(name string, b []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: not a photograph, or a damaged one: %w", name, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPixels/c.Height {
		return nil, fmt.Errorf("%s: %d×%d pixels, and at most %d are read: make it smaller", name, c.Width, c.Height, MaxPixels)
	}
	m, format, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: damaged: %w", name, err)
	}
	if m.Bounds().Empty() {
		return nil, fmt.Errorf("%s: no pixels", name)
	}
	if format == "jpeg" {
		m = upright(m, orientation(b))
	}
	return m, nil
}

// Fit scales m so that its shorter side is short (0: so that it just covers the image), and cuts height
// rows and width columns from its middle. Reduction averages: each pixel is the mean of what it covers,
// weighted by a triangle twice as wide as it. Where m is transparent, black shines through.
func Fit(m image.Image, height, width, short int) *image.RGBA {
	b := m.Bounds()
	scale := max(float64(height)/float64(b.Dy()), float64(width)/float64(b.Dx()))
	if short > 0 {
		scale = max(scale, float64(short)/float64(min(b.Dx(), b.Dy())))
	}
	w, h := max(width, round(scale*float64(b.Dx()))), max(height, round(scale*float64(b.Dy())))
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	x, y := (w-width)/2, (h-height)/2
	if w == b.Dx() && h == b.Dy() { // nothing to scale, which would take as long as decoding
		draw.Draw(out, out.Bounds(), m, b.Min.Add(image.Pt(x, y)), draw.Over)
		return out
	}
	draw.BiLinear.Scale(out, image.Rect(-x, -y, w-x, h-y), m, b, draw.Over, nil)
	return out
}

func round(v float64) int { return int(v + .5) }

// fraction are the values of a byte in [0, 1]: to look them up is faster than to divide.
var fraction = func() (v [256]float64) {
	for i := range v {
		v[i] = float64(i) / 255
	}
	return v
}()

// cut writes the pixels of m, in [0, 1].
func cut(pix []float64, m *image.RGBA) {
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:4*m.Rect.Dx()]
		for len(row) >= 4 && len(pix) >= 3 {
			pix[0], pix[1], pix[2] = fraction[row[0]], fraction[row[1]], fraction[row[2]]
			row, pix = row[4:], pix[3:]
		}
	}
}
