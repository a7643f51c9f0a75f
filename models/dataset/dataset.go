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
	"slices"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
	_ "golang.org/x/image/webp"

	"lucigo/interp"
	"lucigo/models/internal/regular"
)

// MaxPixels is the most that is decoded of one file, and maxBytes the most that is read: larger ones are errors.
const (
	MaxPixels = 1 << 26
	maxBytes  = 1 << 28
)

// readPhotograph reads a photograph, which errors call name. Its key is a hash of the file. What was read and cannot be
// decoded is an interp.Undecodable.
func readPhotograph(path, name string) (image.Image, []uint64, error) {
	b, err := func() ([]byte, error) {
		f, _, err := regular.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxBytes+1))
	}()
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	m, err := decode(b)
	if err != nil {
		return nil, nil, interp.Undecodable{Err: fmt.Errorf("dataset: %s: %w", name, err)}
	}
	sum := sha256.Sum256(b)
	return m, []uint64{binary.LittleEndian.Uint64(sum[:])}, nil
}

// decode decodes a photograph, the first image of an animation in the size of its canvas, and turns it upright, as
// its EXIF or XMP orientation says.
func decode(b []byte) (image.Image, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("it has more than %d bytes, the most that is read", maxBytes)
	}
	file := contain(b)
	c, format, err := image.DecodeConfig(bytes.NewReader(file.still))
	if err != nil {
		return nil, fmt.Errorf("not a photograph, or a damaged one: %w", err)
	}
	size := image.Rect(0, 0, c.Width, c.Height)
	if format == "gif" {
		file.canvas = size
	}
	for _, r := range []image.Rectangle{size, file.canvas} {
		if r != (image.Rectangle{}) && (r.Dx() < 1 || r.Dy() < 1 || r.Dx() > MaxPixels/r.Dy()) {
			return nil, fmt.Errorf("it has %d×%d pixels, must have at most %d: make it smaller", r.Dx(), r.Dy(), MaxPixels)
		}
	}
	m, _, err := image.Decode(bytes.NewReader(file.still))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if m.Bounds().Empty() {
		return nil, errors.New("it has no pixels")
	}
	if format == "webp" {
		stretch(m)
	}
	if !file.canvas.Empty() && file.canvas != m.Bounds() {
		m = placed(m, file.canvas)
	}
	return upright(m, file.orientation()), nil
}

// stretch brings the colours of lossy WebP to the range of JPEG's, in which the image says that they are: VP8 has black
// at 16 and white at 235 (RFC 6386, section 9.2), and chroma from 16 to 240.
func stretch(m image.Image) {
	var planes *image.YCbCr
	switch m := m.(type) {
	case *image.YCbCr:
		planes = m
	case *image.NYCbCrA:
		planes = &m.YCbCr
	default:
		return
	}
	var luma, chroma [256]byte
	for i := range 256 {
		luma[i] = byte(round(min(max(0, float64(i-16)*255/219), 255)))
		chroma[i] = byte(round(min(max(0, 128+float64(i-128)*255/224), 255)))
	}
	for i, v := range planes.Y {
		planes.Y[i] = luma[v]
	}
	for i := range planes.Cb {
		planes.Cb[i], planes.Cr[i] = chroma[planes.Cb[i]], chroma[planes.Cr[i]]
	}
}

// placed is a frame of an animation in its canvas. Around it, the canvas is transparent or, where the frame has colours
// by numbers and none of them is, of the first.
func placed(m image.Image, canvas image.Rectangle) image.Image {
	out := image.NewRGBA(canvas)
	if p, ok := m.(*image.Paletted); ok && len(p.Palette) > 0 && !slices.ContainsFunc(p.Palette, transparent) {
		draw.Draw(out, canvas, image.NewUniform(p.Palette[0]), image.Point{}, draw.Src)
	}
	draw.Draw(out, m.Bounds(), m, m.Bounds().Min, draw.Over)
	return out
}

func transparent(c color.Color) bool {
	_, _, _, a := c.RGBA()
	return a == 0
}

// Fit scales m so that its shorter side is short (0: so that it just covers the image), and cuts height
// rows and width columns from its middle. Only those are computed. Reduction averages: each pixel is the mean of what it
// covers, weighted by a triangle twice as wide as it. Where m is transparent, white shines through, as on a page: that is
// what drawings in dark ink are made for.
func Fit(m image.Image, height, width, short int) *image.RGBA {
	b := m.Bounds()
	scale := max(float64(height)/float64(b.Dy()), float64(width)/float64(b.Dx()))
	if short > 0 {
		scale = max(scale, float64(short)/float64(min(b.Dx(), b.Dy())))
	}
	w, h := max(width, round(scale*float64(b.Dx()))), max(height, round(scale*float64(b.Dy())))
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	x, y := (w-width)/2, (h-height)/2
	if w == b.Dx() && h == b.Dy() { // nothing to scale, which would take as long as decoding
		draw.Draw(out, out.Bounds(), m, b.Min.Add(image.Pt(x, y)), draw.Over)
		return out
	}
	if w <= 4*width && h <= 4*height { // rows, then columns: faster, and takes memory for what is not seen too
		draw.BiLinear.Scale(out, image.Rect(-x, -y, w-x, h-y), m, b, draw.Over, nil)
		return out
	}
	sx, sy := float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy())
	to := f64.Aff3{sx, 0, -float64(x) - sx*float64(b.Min.X), 0, sy, -float64(y) - sy*float64(b.Min.Y)}
	draw.BiLinear.Transform(out, to, m, b, draw.Over, nil)
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
