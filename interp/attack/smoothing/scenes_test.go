package smoothing_test

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack/smoothing"
	"lucigo/interp/interptest"
	"lucigo/models/scenes"
)

var long = flag.Bool("long", false, "also what takes minutes")

const fresh = 20002 // the seed of scenes that no net was trained on

// TestScenes prints the certified accuracy of the net that was trained with noise and of one that was not, beside the published one.
func TestScenes(t *testing.T) {
	if !*long {
		t.Skip("skipped: takes ten minutes; run with -long")
	}
	interptest.Unchecked()
	t.Log("published, CIFAR-10, σ .25, 500 images: .77 at radius 0, .60 at .25, .42 at .5, .24 at .75")
	for _, row := range []struct {
		open       func() (*interp.Model, error)
		images     int
		few, often int // copies
	}{{scenes.Noisy, 80, 1000, 10_000}, {scenes.Standard, 40, 300, 300}} {
		m, err := row.open()
		if err != nil {
			t.Fatal(err)
		}
		x := scenes.Task{}.Images(fresh, row.images, 64)
		certificates := certify(t, m, x, row.few, row.often)
		why := map[smoothing.Reason]int{}
		guesses := map[int]int{}
		for _, c := range certificates {
			why[c.Why]++
			guesses[c.Guess]++
		}
		t.Logf("%s, %d scenes: %d without an answer; the most frequent guess is that of %d", m, x.N, why[smoothing.NoMajority], slices.Max(slices.Collect(maps.Values(guesses))))
		for _, radius := range []float64{0, .25, .5, .75} {
			s, err := smoothing.Accuracy(certificates, x.Class, radius)
			if err != nil {
				t.Fatal(err)
			}
			low, high := s.Interval()
			t.Logf("certified accuracy at %.2f: %.3f (%.3f to %.3f)", radius, s.Value(), low, high)
		}
	}
}

// certify asks about images by few copies, and often about those whose radius may be large: those of which 99 of 100 copies with other
// noise agree. As the certificate's own noise has no part in the choice, its confidence stays.
func certify(t *testing.T, m *interp.Model, x interp.Images, few, often int) []smoothing.Certificate {
	t.Helper()
	sure, err := smoothing.Gaussian{N: 100, Seed: 1}.Predict(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]smoothing.Certificate, x.N)
	for _, n := range []int{few, often} {
		var rows []int
		for i, a := range sure {
			if (a.Hits >= 99) == (n == often) || few == often {
				rows = append(rows, i)
			}
		}
		some, err := smoothing.Gaussian{N: n}.Certify(t.Context(), m, x.Pick(rows...))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d scenes by %d copies", len(rows), n)
		for k, i := range rows {
			all[i] = some[k]
		}
		if few == often {
			break
		}
	}
	return all
}

// TestNoContradictionOnScenes: the same on scenes that scenes.Noisy is certified for. Attacks that ask a hundred times for labels or scores,
// and those that change few pixels, are no better than noise here, where an image has 12,288 numbers.
func TestNoContradictionOnScenes(t *testing.T) {
	if !*long {
		t.Skip("skipped: takes minutes; run with -long")
	}
	interptest.Unchecked()
	m, err := scenes.Noisy()
	if err != nil {
		t.Fatal(err)
	}
	h := hunt{forward: scenes.Tiny(scenes.ConvReLU, len(m.Classes())), base: m, noises: 2, rows: 3, queries: 150}
	h.both(t, scenes.Task{}.Images(fresh, 30, 64), 2000)
}
