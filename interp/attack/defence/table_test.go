package defence

import (
	"cmp"
	"flag"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/train"
	"lucigo/models/dataset"
	"lucigo/models/digits"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
	"lucigo/models/scenes"
	"lucigo/models/strangers"
)

var long = flag.Bool("long", false, "also the tables of defences, which take minutes each: -long -v prints them")

func table(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("skipped: it takes minutes; run with -long -v")
	}
	interptest.Unchecked()
}

// measured is a row of a table: how much is left at most, and a flag that must be raised; −1 is none.
type measured struct {
	d    Defence
	m    *interp.Model
	x    interp.Images
	most float64
	kind card.Kind
}

func measure(t *testing.T, s Study, rows []measured) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.d.String(), func(t *testing.T) {
			start := time.Now()
			r, err := s.Of(t.Context(), c.d, c.m, c.x)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, %s: clean %s, claimed %s (%s), left %s; flags: %s; published: %s; %.0f s", r.Model, r.Ball, r.Clean, r.Claimed, r.Naive, r.Left,
				cmp.Or(r.Words(), "none"), cmp.Or(r.Published, "nothing"), time.Since(start).Seconds())
			raised := c.kind == none && len(r.Flags) == 0
			for _, f := range r.Flags {
				raised = raised || f.Kind == c.kind
			}
			if !raised {
				t.Errorf("flags %q, want %q", r.Words(), c.kind)
			}
			if left := r.Left.Value(); left > c.most {
				t.Errorf("%.0f %% are left, want at most %.0f %%", 100*left, 100*c.most)
			}
		})
	}
}

const none = card.Kind(-1)

// TestScenesTable is the table of all defences on the scenes. No number is published for them: a tenth at most is to be left of what is broken.
func TestScenesTable(t *testing.T) {
	table(t)
	m, robust := must[*interp.Model](t)(scenes.Planted(0)), must[*interp.Model](t)(scenes.Robust())
	x := scenes.Task{}.Images(20002, 32, 64)
	squeezing, err := Squeezing{}.Fit(t.Context(), m, scenes.Task{}.Images(20003, 100, 64), .05)
	if err != nil {
		t.Fatal(err)
	}
	coded, distilled := trained(t, m, "/conv1/weights", "/logits", train.Training{Epochs: 2, Batch: 32, Rate: .0005}, scenes.Task{}.Images(20004, 320, 64))
	measure(t, Study{Ball: attack.Linf(8. / 255), Votes: 5}, []measured{
		{BitDepth{}, m, x, .1, card.NoGradient},
		{JPEG{}, m, x, .1, card.NoGradient},
		{TotalVariation{}, m, x, .1, card.Optimises},
		{ResizePad{}, m, x, .1, card.Randomised},
		{Pruning{}, m, x, .1, card.Randomised},
		{Thermometer{}, coded, x, .1, card.NoGradient},
		{Distillation{}, distilled, x, .1, card.Softmax},
		{squeezing, m, x, .1, card.Refuses},
		{AsIs{"adversarial training"}, robust, x, .8, none},
	})
}

// trained returns networks like m that are trained further on images, under a thermometer code and by distillation. They begin as m: each level
// of the code has a sixteenth of the weights that the number has at first, and the logits at the end are as many times larger as the temperature says.
func trained(t *testing.T, m *interp.Model, first, end string, how train.Training, seen interp.Images) (coded, distilled *interp.Model) {
	t.Helper()
	start := time.Now()
	coded = must[*interp.Model](t)(Thermometer{}.Begin(m, first))
	fitted := must[*interp.Model](t)(how.Fit(t.Context(), must[*interp.Model](t)(Thermometer{}.Of(coded)), train.Examples{Images: seen}))
	coded = must[*interp.Model](t)(coded.With(fitted.Weights()))
	hot := must[*interp.Model](t)(Distillation{}.Begin(m, end+"/weights", end+"/biases"))
	distilled, err := Distillation{}.Fit(t.Context(), hot, how, train.Examples{Images: seen})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("trained in %.1f s", time.Since(start).Seconds())
	return coded, distilled
}

// TestCIFARTable: on a network that others trained for CIFAR-10, at the papers' 8/255, nothing is left of activation pruning, of a thermometer code and of
// distillation, of which 0 % is published, nor of what was published for other images. What is trained further sees the pictures that are not asked about.
func TestCIFARTable(t *testing.T) {
	table(t)
	const asked = 40
	m, x, src := strangers.ResNet20(t), strangers.CIFARImages(t, asked), strangers.CIFARFolder(t)
	all := must[interp.Images](t)(interp.Read(t.Context(), src, 0, src.Len()))
	var others []int
	for i := range all.N {
		if i%(src.Len()/asked) != 0 {
			others = append(others, i)
		}
	}
	seen := all.Pick(others...)
	coded, distilled := trained(t, m, "/conv1/weights", "/linear", train.Training{Epochs: 2, Batch: 32, Rate: .0005}, seen)
	squeezing, err := Squeezing{}.Fit(t.Context(), m, seen.Slice(0, 400), .05)
	if err != nil {
		t.Fatal(err)
	}
	measure(t, Study{Ball: attack.Linf(8. / 255), Steps: 20, Votes: 5, Look: 16}, []measured{
		{Thermometer{}, coded, x, .05, card.NoGradient},
		{Distillation{}, distilled, x, .05, card.Softmax},
		{squeezing, m, x, .05, card.Refuses},
		{Pruning{}, m, x, .05, card.Randomised},
		{BitDepth{}, m, x, .05, card.NoGradient},
		{JPEG{}, m, x, .05, card.NoGradient},
		{ResizePad{}, m, x, .05, card.Randomised},
	})
	// Of total variation 8 % are left after 20 steps: its draws hide half of the numbers, and it takes more of them.
	measure(t, Study{Ball: attack.Linf(8. / 255), Steps: 80, Votes: 5, Look: 16}, []measured{{TotalVariation{}, m, x, .05, card.Optimises}})
}

// TestDigitsTable: on MNIST, distillation is broken without a bound (0 % published), and a thermometer code within .3.
func TestDigitsTable(t *testing.T) {
	table(t)
	src, err := dataset.Input{Height: 28, Width: 28, Channels: 1, Labels: true}.Open(shared.Path(t, "datasets", "mnist", "t10k-images-idx3-ubyte.gz"))
	if err != nil {
		t.Fatal(err)
	}
	x, seen := must[interp.Images](t)(interp.Read(ctx, src, 0, 60)), must[interp.Images](t)(interp.Read(ctx, src, 1000, 7000))
	how := train.Training{Epochs: 8, Rate: .004}
	spec := digits.Spec("distilled", digits.Strided)
	distilled, err := Distillation{}.Fit(t.Context(), must[*interp.Model](t)(train.New(spec, 1)), how, train.Examples{Images: seen})
	if err != nil {
		t.Fatal(err)
	}
	spec = digits.Spec("coded", digits.Strided)
	spec.Input[2] = 16
	coded := must[*interp.Model](t)(train.New(spec, 1))
	fitted := must[*interp.Model](t)(how.Fit(t.Context(), must[*interp.Model](t)(Thermometer{}.Of(coded)), train.Examples{Images: seen}))
	coded = must[*interp.Model](t)(coded.With(fitted.Weights()))
	measure(t, Study{Ball: attack.Linf(.3)}, []measured{
		{Distillation{}, distilled, x, .05, card.Softmax},
		{Thermometer{}, coded, x, .05, card.NoGradient},
	})
	of, known := must[*interp.Model](t)(Distillation{}.Of(distilled)), must[*interp.Model](t)(Distillation{}.Known(distilled))
	a := attack.Through{Attack: attack.CarliniWagner{Searches: 3, Steps: 1000, Weight: .1}, Model: known}
	r, err := attack.Judge{Ball: attack.Anywhere(attack.Norm2)}.Try(ctx, of, a, x.Slice(0, 20))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: clean %.2f, left %.2f, mean L2 distance %.2f (published: 0 %% left)", a, r.Clean(), r.Left(), r.Mean(func(v attack.Verdict) float64 { return v.L2 }))
	if r.Left() > .05 {
		t.Errorf("%g are left", r.Left())
	}
}

// TestImageNetTable: on GoogLeNet and photographs, at the papers' radii, nothing is left (0 % published).
func TestImageNetTable(t *testing.T) {
	table(t)
	m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: 256, Class: imagenet.ClassOf}
	x := must[interp.Images](t)(interp.Read(t.Context(), must[*dataset.Folder](t)(in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))), 0, 8))
	quick := card.Card{Radii: []float64{8. / 255}, Attacks: []attack.Attack{attack.FGSM{}}}
	measure(t, Study{Ball: attack.Linf(8. / 255), Steps: 20, Votes: 5, Card: quick, Look: 2}, []measured{
		{BitDepth{}, m, x, .05, card.NoGradient},
		{JPEG{}, m, x, .05, card.NoGradient},
		{ResizePad{Shrink: true}, m, x, .05, card.Randomised},
	})
}
