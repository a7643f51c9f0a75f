package featvis_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp"
	"lucigo/interp/featvis"
	"lucigo/interp/objective"
	"lucigo/models/scenes"
)

// A caption that names every parameter which changes the images.
func ExampleRender() {
	fmt.Println(featvis.Render{})
	fmt.Println(featvis.Render{Image: featvis.MaCo{}, Views: featvis.None, Steps: 256, WarmUp: -1, Seed: 7})
	// Output:
	// Fourier(decay=1, σ=0.01), jitter 8, scale 0.9–1.1, rotate ±10°, jitter 4, Adam 0.05, 2048 steps, warm-up 16
	// MaCo(magnitude of 1/f), no transformations, Adam 0.05, 256 steps, seed 7
}

// Two units of a layer, an image each, as they are at the start and after eight steps.
func ExampleRender_Frames() {
	m, err := scenes.Robust()
	if err != nil {
		log.Fatal(err)
	}
	r := featvis.Render{Steps: 8, At: []int{0}}
	var before []float64
	for f, err := range r.Frames(context.Background(), m, objective.Channels("conv2", 3, 40)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("step %d: %d images of %d×%d\n", f.Step, f.Images.N, f.Images.H, f.Images.W)
		for i, s := range before {
			fmt.Println("the score rises:", f.Score[i] > s)
		}
		before = f.Score
	}
	// Output:
	// step 0: 2 images of 64×64
	// step 8: 2 images of 64×64
	// the score rises: true
	// the score rises: true
}

// The magnitudes of a data set's spectra, and an image that keeps them.
func ExampleMaCo() {
	ctx := context.Background()
	m, err := scenes.Robust()
	if err != nil {
		log.Fatal(err)
	}
	s, err := featvis.SpectrumOf(ctx, pictures(8), featvis.Colours{})
	if err != nil {
		log.Fatal(err)
	}
	s.Name = "8 scenes"
	r := featvis.Render{Image: featvis.MaCo{Magnitude: s}, Steps: 8, Views: featvis.None}
	f, err := r.Final(ctx, m, objective.Channel("conv2", 3))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r)
	fmt.Printf("%d×%d\n", f.Images.H, f.Images.W)
	// Output:
	// MaCo(magnitude of 8 scenes), no transformations, Adam 0.05, 8 steps, warm-up 16
	// 64×64
}

// MaCo's images as its authors show them to the network: many noisy windows at every step.
func ExampleCrop() {
	fmt.Println(featvis.Render{
		Image:  featvis.MaCo{},
		Height: 512, Width: 512, Window: [2]int{224, 224},
		Views: []featvis.Transformation{featvis.Crop{}}, Looks: 32, Noise: .04,
		Steps: 256, Rate: .2,
	})
	// Output:
	// MaCo(magnitude of 1/f), crops of 0.5–0.05 ± 0.05 at ±0.15, Adam 0.2, 256 steps, warm-up 16, 512×512, window 224×224, 32 looks a step, noise 0.04
}

// Four images that excite one unit in different ways.
func ExampleDiversity() {
	fmt.Println(featvis.Render{N: 4, Steps: 256, Diversity: featvis.Diversity{Layer: "mixed4a"}})
	// Output:
	// Fourier(decay=1, σ=0.01), jitter 8, scale 0.9–1.1, rotate ±10°, jitter 4, Adam 0.05, 256 steps, warm-up 16, diversity(mixed4a, 1)
}

// From one unit to another, in five images.
func ExampleBlend() {
	o := featvis.Blend(objective.Channel("conv2", 3), objective.Channel("conv2", 40), 5)
	fmt.Println(o)
	fmt.Println(o.Images(), "images")
	// Output:
	// (((1−t) × conv2 channel 3) + (t × conv2 channel 40))
	// 5 images
}

// Colours as they vary in a data set, for images that should look like it.
func ExampleColoursOf() {
	c, err := featvis.ColoursOf(pictures(20))
	if err != nil {
		log.Fatal(err)
	}
	var brightness [3]float64
	for i := range brightness {
		brightness[i] = c.Root[i][0]
	}
	fmt.Printf("what varies most is brightness: %t\n", min(brightness[0], brightness[1], brightness[2]) > .3)
	fmt.Println(featvis.Render{Image: featvis.Fourier{Colours: featvis.RGB}, Views: featvis.None, Steps: 64})
	// Output:
	// what varies most is brightness: true
	// Fourier(decay=1, σ=0.01, RGB), no transformations, Adam 0.05, 64 steps, warm-up 16
}

// pictures returns n scenes.
func pictures(n int) interp.Images {
	x := interp.Images{N: n, H: 64, W: 64, C: 3}
	for _, p := range (scenes.Task{}).Pictures(1, n, 64) {
		for _, v := range p.RGB {
			x.Pix = append(x.Pix, float64(v)/255)
		}
	}
	return x
}
