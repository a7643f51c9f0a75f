package interp

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"lucigo/interp/random"
)

// Images is a batch of images of one size. Channel c of pixel (y, x) of image n is
// Pix[((n*H+y)*W+x)*C+c], in [0, 1]; three channels are red, green, blue.
type Images struct {
	N, H, W, C int
	Pix        []float64

	// Class is the class each image is asked about; nil asks about the class that the model gives it.
	Class []int

	// Key tells each image's random numbers from another's. It travels with the image through slices
	// and perturbations; nil derives it from the pixels.
	Key []uint64

	free bool // values may be far outside [0, 1]
}

// Free returns the same images, of which values far outside [0, 1] are allowed: copies that noise or
// climbing has moved. Images that come from outside stay as they are: values of 0 to 255, or in units of
// standard deviations, are an error wherever they enter.
func (x Images) Free() Images {
	x.free = true
	return x
}

// Size is the number of numbers of one image.
func (x Images) Size() int { return x.H * x.W * x.C }

// Of returns the numbers of image i, which x shares.
func (x Images) Of(i int) []float64 {
	size := x.Size()
	return x.Pix[i*size : (i+1)*size : (i+1)*size]
}

// Pixel returns the channels of a pixel of image i, which x shares.
func (x Images) Pixel(i, row, column int) []float64 {
	at := ((i*x.H+row)*x.W + column) * x.C
	return x.Pix[at : at+x.C : at+x.C]
}

// Slice returns images i to j-1. It shares their pixels.
func (x Images) Slice(i, j int) Images {
	size := x.Size()
	x.N, x.Pix = j-i, x.Pix[i*size:j*size]
	if x.Class != nil {
		x.Class = x.Class[i:j]
	}
	if x.Key != nil {
		x.Key = x.Key[i:j]
	}
	return x
}

// Pick returns a copy of the given images of x, in that order, with their classes and keys.
func (x Images) Pick(images ...int) Images {
	y := x
	y.N, y.Pix, y.Class, y.Key = len(images), make([]float64, 0, len(images)*x.Size()), nil, nil
	for _, i := range images {
		y.Pix = append(y.Pix, x.Of(i)...)
		if x.Class != nil {
			y.Class = append(y.Class, x.Class[i])
		}
		if x.Key != nil {
			y.Key = append(y.Key, x.Key[i])
		}
	}
	return y
}

// Asked returns the same images, asked about the given classes: one for all, or one each.
func (x Images) Asked(class ...int) Images {
	x.Class = class
	if len(class) == 1 {
		x.Class = slices.Repeat(class, x.N)
	}
	return x
}

// Keyed returns the same images with every Key filled in.
func (x Images) Keyed() Images {
	if x.Key == nil {
		x.Key = make([]uint64, x.N)
		for i := range x.N {
			h := random.Hash(uint64(x.H), uint64(x.W), uint64(x.C))
			for _, v := range x.Of(i) {
				h = (h ^ math.Float64bits(v)) * 0x100000001b3 // FNV-1a, by words
			}
			x.Key[i] = random.Hash(h)
		}
	}
	return x
}

// Check returns an error if x is not a whole batch of finite pixels in [0, 1].
func (x Images) Check() error {
	switch {
	case x.N < 1 || x.H < 1 || x.W < 1 || x.C < 1:
		return fmt.Errorf("no images: N=%d, H=%d, W=%d, C=%d", x.N, x.H, x.W, x.C)
	case len(x.Pix) != x.N*x.Size():
		return fmt.Errorf("%d images of %d×%d×%d need %d numbers, and Pix has %d", x.N, x.H, x.W, x.C, x.N*x.Size(), len(x.Pix))
	case x.Class != nil && len(x.Class) != x.N:
		return fmt.Errorf("%d images have %d classes", x.N, len(x.Class))
	case x.Key != nil && len(x.Key) != x.N:
		return fmt.Errorf("%d images have %d keys", x.N, len(x.Key))
	}
	const slack = .5 // noise and climbing may step a little over
	for i, v := range x.Pix {
		if v >= -slack && v <= 1+slack {
			continue
		}
		n, row, column, c := x.place(i)
		at := fmt.Sprintf("image %d is %g at row %d, column %d, channel %d", n, v, row, column, c)
		switch {
		case NotFinite(v):
			return errors.New(at)
		case !x.free:
			return fmt.Errorf("%s, must be in [0, 1]: divide values of 8 bits by 255, and leave it to the network to subtract means", at)
		}
	}
	return nil
}

// NotFinite reports whether v is NaN or infinite.
func NotFinite(v float64) bool { return math.IsNaN(v - v) }

func (x Images) place(i int) (n, row, column, channel int) {
	return i / x.Size(), i / (x.W * x.C) % x.H, i / x.C % x.W, i % x.C
}

// Join returns the images of all batches in one. Classes and keys survive where every batch has them.
func Join(batches ...Images) (Images, error) {
	if len(batches) == 0 {
		return Images{}, errors.New("interp: there are no images to join")
	}
	all := Images{H: batches[0].H, W: batches[0].W, C: batches[0].C}
	for i, b := range batches {
		if err := b.Check(); err != nil {
			return Images{}, fmt.Errorf("interp: batch %d: %w", i, err)
		}
		if b.H != all.H || b.W != all.W || b.C != all.C {
			return Images{}, fmt.Errorf("interp: batch %d is of %d×%d×%d images, and batch 0 of %d×%d×%d", i, b.H, b.W, b.C, all.H, all.W, all.C)
		}
		all.N += b.N
		all.Pix, all.Class, all.Key = append(all.Pix, b.Pix...), append(all.Class, b.Class...), append(all.Key, b.Key...)
	}
	if len(all.Class) < all.N {
		all.Class = nil
	}
	if len(all.Key) < all.N {
		all.Key = nil
	}
	return all, nil
}

// FromImage returns a batch of one image, in red, green and blue, of m's own size. Transparency is laid
// over black.
func FromImage(m image.Image) Images {
	b := m.Bounds()
	x := Images{N: 1, H: b.Dy(), W: b.Dx(), C: 3}
	x.Pix = make([]float64, 0, x.Size())
	for row := b.Min.Y; row < b.Max.Y; row++ {
		for column := b.Min.X; column < b.Max.X; column++ {
			r, g, bl, _ := m.At(column, row).RGBA()
			x.Pix = append(x.Pix, float64(r)/65535, float64(g)/65535, float64(bl)/65535)
		}
	}
	return x
}

// Image returns image n for display, clipped to [0, 1] and rounded to 8 bits. It has 1 or 3 channels.
func (x Images) Image(n int) (image.Image, error) {
	if n < 0 || n >= x.N || len(x.Pix) < (n+1)*x.Size() {
		return nil, fmt.Errorf("interp: no image %d among %d", n, x.N)
	}
	if x.C != 1 && x.C != 3 {
		return nil, fmt.Errorf("interp: an image of %d channels has no colours: show its channels one by one", x.C)
	}
	m := image.NewNRGBA(image.Rect(0, 0, x.W, x.H))
	for i := range x.H * x.W {
		pixel := x.Pixel(n, i/x.W, i%x.W)
		eight := func(c int) uint8 { return uint8(min(max(pixel[c%x.C], 0), 1)*255 + .5) }
		m.SetNRGBA(i%x.W, i/x.W, color.NRGBA{eight(0), eight(1), eight(2), 255})
	}
	return m, nil
}

// Maps holds a number for every number of a batch of images: a gradient, or another saliency map; or, with C = 1,
// one for every pixel. Pix is signed and of any size, and Class nil where the objective asks about no class.
type Maps struct {
	Images
	Score []float64 // the objective's value at each image
}

// Like returns maps of zeros for the images x.
func (x Images) Like() Maps {
	x.Pix = make([]float64, x.N*x.Size())
	return Maps{x.Free(), make([]float64, x.N)}
}

// Magnitude returns, for each pixel of image or map n, row by row, the largest |·| over channels: Simonyan
// et al., arXiv:1312.6034, section 3.1.
func (x Images) Magnitude(n int) []float64 {
	return x.reduce(n, func(most, v float64) float64 { return math.Max(most, math.Abs(v)) }) // keeps NaN
}

// Mean returns, for each pixel of image or map n, row by row, the mean over channels, with its sign.
func (x Images) Mean(n int) []float64 {
	return x.reduce(n, func(sum, v float64) float64 { return sum + v/float64(x.C) })
}

func (x Images) reduce(n int, add func(sum, v float64) float64) []float64 {
	out := make([]float64, x.H*x.W)
	for i, v := range x.Of(n) {
		out[i/x.C] = add(out[i/x.C], v)
	}
	return out
}
