package subject

import (
	"fmt"

	"lucigo/interp"
	"lucigo/models/dataset"
	"lucigo/models/scenes"
)

// Picture opens a picture for what takes images of any size, such as a dream: the photograph in a file, of
// its own size or, where its longer side has more than size pixels, reduced to that; or, if path is empty,
// a drawn evening sky, size pixels wide and two thirds as high. It has the network's channels.
func (n Network) Picture(path string, size int) (interp.Images, error) {
	x, err := picture(path, size)
	if err != nil {
		return x, err
	}
	return n.Channels(x)
}

// Channels returns images in the channels that the network takes: colours become grey where it takes one.
func (n Network) Channels(x interp.Images) (interp.Images, error) {
	if _, _, c := n.Input(); c == 1 && x.C == 3 {
		return dataset.Grey(x)
	}
	return x, nil
}

func picture(path string, size int) (interp.Images, error) {
	if path != "" {
		return dataset.Whole(path, size)
	}
	if size < 2 || size > dataset.MaxPixels/size {
		return interp.Images{}, fmt.Errorf("subject: size is %d pixels, must be at least 2, and a square of it at most %d", size, dataset.MaxPixels)
	}
	sky := scenes.Scene{Seed: 5, Background: scenes.Background{
		Kind: scenes.Clouds, Frequency: 5, Offset: [3]float64{5, 2, 3}, Mottled: true,
		Colours: [3]scenes.RGB{{.25, .3, .6}, {.98, .75, .5}},
	}}
	square := scenes.Task{}.Batch([]*scenes.Picture{sky.Draw(size)})
	x := interp.Images{N: 1, H: size * 2 / 3, W: size, C: square.C, Key: square.Key}
	above := (size - x.H) / 2 * size * x.C
	x.Pix = square.Pix[above:][:x.Size()]
	return x, nil
}
