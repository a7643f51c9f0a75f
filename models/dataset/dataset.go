// Package dataset makes of pictures in files what networks take: of photographs, and of data sets in the files
// of MNIST and CIFAR. Each is an interp.Source; an [Input] says how its pictures become a network's images.
package dataset

import (
	"bytes"
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

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"lucigo/interp"
	"lucigo/models/internal/regular"
)

// MaxPixels is the most that is decoded of one file, and maxBytes the most that is read: larger ones are errors.
const (
	MaxPixels = 1 << 26
	maxBytes  = 1 << 28
)

// readPhotograph reads a photograph, which errors call name. Its key is a hash of the file.
func readPhotograph(path, name string) (image.Image, []uint64, error) {
	b, err := func() ([]byte, error) {
		f, _, err := regular.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
		if err == nil && len(b) > maxBytes {
			err = fmt.Errorf("it has more than %d bytes, the most that is read", maxBytes)
		}
		return b, err
	}()
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	m, err := decode(name, b)
	sum := sha256.Sum256(b)
	return m, []uint64{binary.LittleEndian.Uint64(sum[:])}, err
}

// decode decodes a photograph and turns it upright, as its EXIF orientation says. Errors call it name.
func decode(name string, b []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: not a photograph, or a damaged one: %w", name, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPixels/c.Height {
		return nil, fmt.Errorf("dataset: %s: it has %d×%d pixels, must have at most %d: make it smaller", name, c.Width, c.Height, MaxPixels)
	}
	m, format, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: it is damaged: %w", name, err)
	}
	if m.Bounds().Empty() {
		return nil, fmt.Errorf("dataset: %s: it has no pixels", name)
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

// pixels writes the pixels of m, in [0, 1]: red, green and blue, or, where pix has one channel, their luma.
func pixels(pix []float64, m *image.RGBA) {
	grey := len(pix) == m.Rect.Dx()*m.Rect.Dy()
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:4*m.Rect.Dx()]
		for ; len(row) >= 4; row = row[4:] {
			if grey {
				pix[0], pix = fraction[luma(row[0], row[1], row[2])], pix[1:]
				continue
			}
			pix[0], pix[1], pix[2] = fraction[row[0]], fraction[row[1]], fraction[row[2]]
			pix = pix[3:]
		}
	}
}

// Grey returns images of three channels in one: their luma, in 8 bits, as in Pillow's mode L.
func Grey(x interp.Images) (interp.Images, error) {
	y := x
	y.C, y.Pix = 1, nil
	for i := range x.N {
		m, err := x.Image(i)
		if err != nil {
			return y, err
		}
		y.Pix = append(y.Pix, Input{Height: x.H, Width: x.W, Channels: 1}.cut(m).Pix...)
	}
	return y, nil
}

// luma is .299 R + .587 G + .114 B, of ITU-R BT.601, rounded as Pillow rounds it for its mode L.
func luma(r, g, b byte) byte {
	return byte((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// Whole reads one photograph uncut, as a batch of one image of the photograph's own size or, where its
// longer side has more pixels than longest, reduced to that, as [Fit] does. Its key is a hash of the file.
func Whole(path string, longest int) (interp.Images, error) {
	if longest < 1 || longest > MaxPixels/longest {
		return interp.Images{}, fmt.Errorf("dataset: %s: longest is %d, must be at least 1 and its square at most %d", path, longest, MaxPixels)
	}
	m, key, err := readPhotograph(path, path)
	if err != nil {
		return interp.Images{}, err
	}
	h, w := m.Bounds().Dy(), m.Bounds().Dx()
	if long := max(h, w); long > longest {
		shrink := float64(longest) / float64(long)
		h, w = max(1, round(shrink*float64(h))), max(1, round(shrink*float64(w)))
	}
	x := Input{Height: h, Width: w}.cut(m)
	x.Key = key
	return x, nil
}
