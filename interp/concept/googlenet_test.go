package concept

import (
	"flag"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
)

var (
	long    = flag.Bool("long", false, "also what takes minutes")
	authors = flag.String("authors", "", "an interpreter with tensorflow/tcav, PyTorch and safetensors, to compare with")
)

// read returns photographs of a folder, in the order of their names.
func read(t *testing.T, from, to int, path ...string) interp.Images {
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	x := must(interp.Read(ctx, must(in.Folder(shared.Path(t, path...))), from, to))
	x.Class = nil
	return x
}

// photographs returns GoogLeNet, stripes, 20 random sets of as many images and zebras.
func photographs(t *testing.T) (m *interp.Model, striped Set, random []Set, zebras interp.Images) {
	const images, sets = 45, 20
	interptest.Unchecked()
	m = must(googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")))
	striped = Set{Name: "striped", Images: read(t, 0, images, "images", "tcav", "striped")}
	others := read(t, 0, images*sets, "images", "imagenet_samples_256_940") // in the order of their classes
	for k := range sets {
		var of []interp.Images
		for i := k; i < others.N; i += sets {
			of = append(of, others.Slice(i, i+1))
		}
		random = append(random, Set{Name: fmt.Sprint("random ", k), Images: must(interp.Join(of...))})
	}
	return m, striped, random, read(t, 0, 60, "images", "tcav", "zebra")
}

// Kim et al.'s example: stripes matter to the answer zebra, in all layers from 4c on, and a random set does not. (Photographs of another
// source would: a classifier tells 55 of 100 from the others, and at 5b the logit rises along that.)
func TestOracleZebra(t *testing.T) {
	if !*long {
		t.Skip("skipped: minutes; -long runs it")
	}
	m, striped, random, zebras := photographs(t)
	zebra := must(m.Class("zebra"))
	layers := []string{"inception_4c/output", "inception_4d/output", "inception_4e/output", "inception_5a/output", "inception_5b/output"}
	for _, c := range []Classifier{Logistic{}, Hinge{}, MeanDifference{}} {
		r := must(Study{Layers: layers, Classifier: c}.Run(ctx, m, objective.LogitOf(zebra), []Set{striped}, random, zebras))
		for _, l := range r.Layers {
			for k, v := range l.Results {
				t.Logf("%s, %s, %s: score %.3f, rise %.1e, P corrected %.1e (published test %.0e), accuracy %.2f (found %t), stability %.2f", r.Classifier, l.Name,
					r.Concepts[k], v.Score.Mean, v.Rise.Mean, v.Corrected, v.PublishedP, v.Accuracy.Mean, v.Found, v.Stability)
			}
			if v := l.Results[0]; !(v.Score.Mean >= .95) || !(v.Corrected < .05) || !v.Found {
				t.Errorf("%s, %s: stripes have score %.3f, P %.2g, found %t", c, l.Name, v.Score.Mean, v.Corrected, v.Found)
			}
		}
	}
	for _, l := range must(Study{Layers: layers}.Run(ctx, m, objective.LogitOf(zebra), random[:1], random[1:], zebras)).Layers {
		if v := l.Results[0]; !(v.Corrected >= .05) {
			t.Errorf("%s: a random set has score %.3f, P %.2g", l.Name, v.Score.Mean, v.Corrected)
		}
	}
}

// captum's TCAV with scikit-learn's logistic regression has the same scores, and the same vector within a hundredth of a degree. How long each takes,
// from photographs to activations and from there to scores, is printed: captum's fastest setting and its authors' own library beside this one before and after.
//
//	go test ./interp/concept -run PeersStudy -long -peers PYTHON -v -timeout 60m
func TestPeersStudy(t *testing.T) {
	if *python == "" || !*long {
		t.Skip("skipped: compares with captum for minutes; run with -long -peers PYTHON")
	}
	m, striped, random, zebras := photographs(t)
	const layer = "inception_4d/output"
	zebra := must(m.Class("zebra"))
	s := Study{Layers: []string{layer}}
	ours := func() Result {
		begin, half := time.Now(), time.Now()
		s.Progress = func(string, int, int) { half = time.Now() } // the last part begins when all activations are there
		r := must(s.Run(ctx, m, objective.LogitOf(zebra), []Set{striped}, random, zebras))
		t.Logf("this: %.2f + %.2f", half.Sub(begin).Seconds(), time.Since(half).Seconds())
		return r.Layers[0].Results[0]
	}
	ours() // compiles
	r := ours()

	dir := t.TempDir()
	var pix []float32
	for _, set := range append(append([]Set{striped}, random...), Set{Images: zebras}) {
		for _, v := range set.Images.Pix {
			pix = append(pix, float32(v))
		}
	}
	interptest.WriteArray(t, filepath.Join(dir, "images.f32"), pix)
	train, _ := s.rows([]int{striped.Images.N}, 0)
	var rows []int32
	for _, i := range train {
		rows = append(rows, int32(i))
	}
	interptest.WriteArray(t, filepath.Join(dir, "train.i32"), rows)
	ask := func(python, library string) {
		out, err := exec.CommandContext(t.Context(), python, "../../testdata/peers/concepts.py", library, shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"),
			dir, "4d", fmt.Sprint(zebra), fmt.Sprint(striped.Images.N), fmt.Sprint(1+len(random))).CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Errorf("%s: %v", library, err)
		}
	}
	ask(*python, "captum")
	if *authors != "" {
		ask(*authors, "authors")
	}
	ours()

	floats := func(name string, n int) []float64 {
		v := interptest.ReadArray[float64](t, filepath.Join(dir, name))
		if len(v) != n {
			t.Fatalf("%s has %d numbers, want %d", name, len(v), n)
		}
		return v
	}
	theirs := floats("scores.f64", 20)
	for k, v := range r.Scores {
		if math.Abs(v-theirs[k]) > 1e-6 {
			t.Errorf("random set %d: score %.4f, captum's %.4f", k, v, theirs[k])
		}
	}
	cav := floats("cav.f64", len(r.CAV.Vector))
	degrees := apart(cav, r.CAV.Vector)
	t.Logf("scores %v, theirs %v; vectors %.2g degrees apart, lengths %.6f and %.6f", r.Scores, theirs, degrees, math.Sqrt(dot(r.CAV.Vector, r.CAV.Vector)), math.Sqrt(dot(cav, cav)))
	if !(degrees <= .01) {
		t.Errorf("the vectors are %g degrees apart", degrees)
	}
}
