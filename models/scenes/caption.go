package scenes

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"lucigo/internal/typeface"
	"lucigo/interp"
	"lucigo/interp/random"
)

// Caption is a word in images that may name their class, white on a black strip near the lower edge: the experiment with captions of
// Kim et al., arXiv:1711.11279, section 4.3. The classes are those of CaptionTask. With probability Noise the word is the name of
// a class drawn from all four, and otherwise of the image's; so at 0 it is always true, and at 1 it says nothing. Nets that were
// trained on such images ([Captioned]) know the picture, the word or both, and how much of each can be measured ([Caption.Truth]):
// so what a picture or a score says of them can be checked.
//
// Words and places are drawn by the images' keys; an image without a key is given one, which its copy with a caption keeps.
type Caption struct {
	Noise float64 // from 0 to 1
	Seed  uint64  // another seed, other places, and other words where they are drawn
}

// CaptionTask is the task whose classes captions name: cube, cone, torus, cylinder, each of the four default surfaces.
func CaptionTask() Task { return Task{Label: ByShape} }

// Words draws which word each image has, as a class of CaptionTask.
func (c Caption) Words(x interp.Images) ([]int, error) {
	if !(c.Noise >= 0 && c.Noise <= 1) {
		return nil, fmt.Errorf("scenes: Noise is %g, must be from 0 to 1", c.Noise)
	}
	return c.draw(x, func(s random.Stream, class, classes int) int {
		if s.Uniform(0) < c.Noise {
			return s.Intn(1, classes)
		}
		return class
	})
}

// Wrong draws a word for each image that names a class which is not the image's.
func (c Caption) Wrong(x interp.Images) ([]int, error) {
	return c.draw(x, func(s random.Stream, class, classes int) int { return (class + 1 + s.Intn(1, classes-1)) % classes })
}

func (c Caption) draw(x interp.Images, word func(s random.Stream, class, classes int) int) ([]int, error) {
	if len(x.Class) != x.N {
		return nil, fmt.Errorf("scenes: %d images have %d classes, and a caption names a class", x.N, len(x.Class))
	}
	words, classes := slices.Clone(x.Class), len(CaptionTask().Classes())
	for i, key := range x.Keyed().Key {
		if err := named(x.Class[i], "class", i); err != nil {
			return nil, err
		}
		words[i] = word(random.New(c.Seed, key, captionSample), x.Class[i], classes)
	}
	return words, nil
}

func named(word int, what string, image int) error {
	if classes := len(CaptionTask().Classes()); word < 0 || word >= classes {
		return fmt.Errorf("scenes: %s %d of image %d, must be from 0 to %d, a class of CaptionTask", what, word, image, classes-1)
	}
	return nil
}

const (
	captionSample = 0x63_61_70 // apart from other numbers that are drawn for an image
	captionSize   = 12         // of the letters, in pixels
	captionSway   = 4          // a strip is up to so many pixels above the lower edge
)

// Write returns a copy of the images with the given words, classes of CaptionTask.
func (c Caption) Write(x interp.Images, words []int) (interp.Images, error) {
	if len(words) != x.N {
		return x, fmt.Errorf("scenes: %d images have %d words, must have one each", x.N, len(words))
	}
	x = x.Keyed()
	x.Pix = slices.Clone(x.Pix)
	strips := strips()
	for i, word := range words {
		if err := named(word, "word", i); err != nil {
			return x, err
		}
		place, err := c.place(x, i)
		if err != nil {
			return x, err
		}
		for row := range place.Dy() {
			for column := range place.Dx() {
				for channel := range x.C {
					x.Pixel(i, place.Min.Y+row, place.Min.X+column)[channel] = float64(strips[word].GrayAt(column, row).Y) / 255
				}
			}
		}
	}
	return x, nil
}

// Masks returns the mask of each image's caption: 1 where its strip is, 0 elsewhere, row by row.
func (c Caption) Masks(x interp.Images) ([][]float64, error) {
	x = x.Keyed()
	masks := make([][]float64, x.N)
	for i := range masks {
		place, err := c.place(x, i)
		if err != nil {
			return nil, err
		}
		masks[i] = make([]float64, x.H*x.W)
		for row := place.Min.Y; row < place.Max.Y; row++ {
			for column := place.Min.X; column < place.Max.X; column++ {
				masks[i][row*x.W+column] = 1
			}
		}
	}
	return masks, nil
}

// place is where the strip of an image that has a key is.
func (c Caption) place(x interp.Images, i int) (image.Rectangle, error) {
	strip := strips()[0].Rect
	right, up := x.W-strip.Dx(), min(captionSway, x.H-strip.Dy())
	if min(right, up) < 0 {
		return strip, fmt.Errorf("scenes: the images are %d×%d, must have room for a caption of %d×%d", x.H, x.W, strip.Dy(), strip.Dx())
	}
	s := random.New(c.Seed, x.Key[i], captionSample)
	return strip.Add(image.Pt(s.Intn(2, right+1), x.H-strip.Dy()-s.Intn(3, up+1))), nil
}

// strips are the words, each in the middle of a strip; all are of the longest word's size.
var strips = sync.OnceValue(func() (all []*image.Gray) {
	face := typeface.Go(captionSize, font.HintingFull)
	words, wide := CaptionTask().Classes(), 0
	for _, word := range words {
		wide = max(wide, font.MeasureString(face, word).Ceil()+4)
	}
	metrics := face.Metrics()
	for _, word := range words {
		strip := image.NewGray(image.Rect(0, 0, wide, (metrics.Ascent + metrics.Descent).Ceil()))
		left := (fixed.I(wide) - font.MeasureString(face, word)) / 2
		d := font.Drawer{Dst: strip, Src: image.NewUniform(color.White), Face: face, Dot: fixed.Point26_6{X: fixed.I(left.Round()), Y: metrics.Ascent}}
		d.DrawString(word)
		all = append(all, strip)
	}
	return all
})

var (
	caption0   = sync.OnceValues(func() (*interp.Model, error) { return loadFor(CaptionTask(), "caption0", Tiny(ConvReLU, 4)) })
	caption30  = sync.OnceValues(func() (*interp.Model, error) { return loadFor(CaptionTask(), "caption30", Tiny(ConvReLU, 4)) })
	caption100 = sync.OnceValues(func() (*interp.Model, error) { return loadFor(CaptionTask(), "caption100", Tiny(ConvReLU, 4)) })
)

// Captioned returns [Tiny] trained on images of [CaptionTask] with a [Caption] of the given noise: 0, .3 or 1.
func Captioned(noise float64) (*interp.Model, error) {
	switch noise {
	case 0:
		return caption0()
	case .3:
		return caption30()
	case 1:
		return caption100()
	}
	return nil, fmt.Errorf("scenes: no net was trained on images with captions of noise %g: there are those of 0, .3 and 1", noise)
}

// Truth is what a net goes by, the picture or the word.
type Truth struct {
	Accuracy      float64 // the share of images without captions that it gets right; Kim et al.'s measure
	Picture, Word float64 // the shares of its answers that follow the picture, and that follow the word, where the word is wrong
}

// Truth measures a net whose classes are those of CaptionTask on images without captions.
func (c Caption) Truth(ctx context.Context, m *interp.Model, x interp.Images) (Truth, error) {
	var t Truth
	if x.N == 0 {
		return t, fmt.Errorf("scenes: there are no images to measure the net on, must be at least one")
	}
	words, err := c.Wrong(x)
	if err != nil {
		return t, err
	}
	lying, err := c.Write(x, words)
	if err != nil {
		return t, err
	}
	for _, p := range []struct {
		of    interp.Images
		class []int
		share *float64
	}{{x, x.Class, &t.Accuracy}, {lying, x.Class, &t.Picture}, {lying, words, &t.Word}} {
		answers, err := m.Predict(ctx, p.of)
		if err != nil {
			return t, err
		}
		for i, class := range answers.Top1() {
			if class == p.class[i] {
				*p.share += 1 / float64(x.N)
			}
		}
	}
	return t, nil
}
