package physical_test

import (
	"flag"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack/physical"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/signs"
)

var long = flag.Bool("long", false, "run the tests that take minutes")

// coarse is a camera all of whose photographs are JPEG of quality 50.
type coarse struct{ physical.Camera }

func (c coarse) Shot(seed uint64, i int) (*physical.Shot, error) {
	s, err := c.Camera.Shot(seed, i)
	if err == nil {
		s.Lens.Quality = 50
	}
	return s, err
}

const heldOut = 77 // a seed that Paint does not use

// A printed picture is read as the target in at least 9 of 10 photographs that no step has seen: to 45 degrees, from three
// distances, with blur, noise and JPEG of quality 50.
func TestPrinted(t *testing.T) {
	n := 1
	if *long {
		n = 5
	}
	for i := range n {
		m, x, target := subject(t, i)
		class := x.Class[0]
		clean, err := physical.Look(t.Context(), m, x, coarse{}, heldOut, 200)
		if err != nil {
			t.Fatal(err)
		}
		steps := 60
		if *long {
			steps = 200
		}
		paint, err := physical.Paint{Steps: steps}.Fit(t.Context(), m, objective.LogProbOf(target), x, coarse{})
		if err != nil {
			t.Fatal(err)
		}
		after, err := physical.Look(t.Context(), m, paint, coarse{}, heldOut, 200)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("scene %d: as it is %.2f right and %.2f the target; painted %.2f right and %.2f the target", i, clean.Share(class), clean.Share(target), after.Share(class), after.Share(target))
		if after.Share(target) < .9 || clean.Share(target) > .1 {
			t.Errorf("scene %d: %.2f are read as the target, must be at least .9; %.2f as it is", i, after.Share(target), clean.Share(target))
		}
	}
}

// Stickers is where a stop sign of size×size pixels is painted: a strip above the word and one below.
func stickers(size int) []float64 {
	mask := make([]float64, size*size)
	for i := range mask {
		x, y := (float64(i%size)+.5)/float64(size), (float64(i/size)+.5)/float64(size)
		if (y > .15 && y < .27 || y > .73 && y < .85) && x > .27 && x < .73 {
			mask[i] = 1
		}
	}
	return mask
}

// A stop sign with two painted strips is read as another sign in at least 9 of 10 views that no step has seen, to 45 degrees and
// from three distances; as it is, it is read as a stop sign in most.
func TestStopSign(t *testing.T) {
	if !*long {
		t.Skip("skipped: takes minutes; run with -long")
	}
	m, err := signs.Open(shared.Path(t, "models", "adversarialjs", "gtsrb_cnn.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	x := signs.StopSign(96)
	street := physical.Camera{Outline: signs.Octagon(), Roll: 10, Crop: true, Sizes: []float64{.8, .4, .25}}
	clean, err := physical.Look(t.Context(), m, x, street, heldOut, 500)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]physical.Paint{
		"any colours": {Mask: stickers(96)},
		"printable":   {Mask: stickers(96), Low: .1, High: .95, Inks: physical.Printer(), Printing: 1e6},
	} {
		const target = 3 // limit 60
		paint, err := p.Fit(t.Context(), m, objective.LogProbOf(target), x, street)
		if err != nil {
			t.Fatal(err)
		}
		after, err := physical.Look(t.Context(), m, paint, street, heldOut, 500)
		if err != nil {
			t.Fatal(err)
		}
		right, fooled := 0, 0
		for i, top := range clean.Prediction.Top1() {
			if top == signs.Stop {
				right++
				if after.Prediction.Top(i, 1)[0] != signs.Stop {
					fooled++
				}
			}
		}
		t.Logf("%s: of 500 views %d are a stop sign as it is, and %d of these another when painted; %.3f of all %s; non-printability %.3g, unpainted %.3g", name, right, fooled,
			after.Share(target), signs.Names()[target], physical.Printer().Score(paint), physical.Printer().Score(x))
		if float64(fooled) < .9*float64(right) || right < 250 {
			t.Errorf("%s: %d of %d views are read as another sign, must be at least .9 of them", name, fooled, right)
		}
	}
}

// A patch of a tenth of the image's area, made on some photographs, makes GoogLeNet read at least 9 of 10 others as the target,
// wherever it is stuck (Brown et al., arXiv:1712.09665, figure 3: a toaster).
func TestPatch(t *testing.T) {
	if !*long {
		t.Skip("skipped: takes minutes; run with -long")
	}
	m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}.Folder(shared.Path(t, "images", "imagenet_samples_256_940"))
	if err != nil {
		t.Fatal(err)
	}
	some := func(first, n int) interp.Images {
		var all []interp.Images
		for i := range n {
			k := 4*i + first // every fourth, so that all classes occur
			x, err := interp.Read(t.Context(), src, k, k+1)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, x)
		}
		x, err := interp.Join(all...)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	stuck := func(x interp.Images) physical.Camera {
		return physical.Camera{H: googlenet.Size, W: googlenet.Size, Backgrounds: x, Sizes: []float64{.3162}, Tilt: -1, Roll: 20, Steady: physical.Lens{Gain: [3]float64{1, 1, 1}}}
	}
	grey := interp.Images{N: 1, H: 72, W: 72, C: 3, Pix: make([]float64, 72*72*3)}
	for i := range grey.Pix {
		grey.Pix[i] = .5
	}
	const toaster = 859
	p := physical.Paint{Steps: 150, Shots: 8, Rate: .1, Progress: func(step, of int, score float64) {
		if step%25 == 0 {
			t.Logf("step %d of %d: log p of the target %.2f", step, of, score)
		}
	}}
	paint, err := p.Fit(t.Context(), m, objective.LogProbOf(toaster), grey, stuck(some(0, 200)))
	if err != nil {
		t.Fatal(err)
	}
	others := stuck(some(2, 200))
	before, err := physical.Look(t.Context(), m, grey, others, heldOut, 200)
	if err != nil {
		t.Fatal(err)
	}
	after, err := physical.Look(t.Context(), m, paint, others, heldOut, 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("target %s: %.3f with a grey patch, %.3f with the painted one", m.ClassName(toaster), before.Share(toaster), after.Share(toaster))
	if after.Share(toaster) < .9 {
		t.Errorf("target %s: %.3f, must be at least .9", m.ClassName(toaster), after.Share(toaster))
	}
}

// BenchmarkShot is what a step of Paint does about a photograph of 224×224 pixels besides asking the network: it is taken, and the
// derivative goes back to the paint.
func BenchmarkShot(b *testing.B) {
	picture, by := noise(1, googlenet.Size, googlenet.Size), noise(2, googlenet.Size, googlenet.Size).Pix
	camera, into := physical.Camera{H: googlenet.Size, W: googlenet.Size}, make([]float64, len(by))
	for i := 0; b.Loop(); i++ {
		s, err := camera.Shot(1, i)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Through(picture, by, into); err != nil {
			b.Fatal(err)
		}
	}
}
