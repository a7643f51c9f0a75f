package concept

import (
	"flag"
	"fmt"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
)

var long = flag.Bool("long", false, "also what takes minutes")

// Kim et al.'s example: stripes matter to the answer zebra, in all layers from 4c on.
func TestOracleZebra(t *testing.T) {
	if !*long {
		t.Skip("skipped: minutes; -long runs it")
	}
	interptest.Unchecked()
	m := must(googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")))
	read := func(from, to int, path ...string) interp.Images {
		in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
		x := must(interp.Read(ctx, must(in.Folder(shared.Path(t, path...))), from, to))
		x.Class = nil
		return x
	}
	concepts := []Set{{Name: "striped", Images: read(0, 45, "images", "tcav", "striped")}, {Name: "other photographs", Images: read(0, 45, "images", "imagenet_samples_dev")}}
	var random []Set
	others := read(0, 900, "images", "imagenet_samples_256_940") // in the order of their classes
	for k := range 20 {
		var of []interp.Images
		for i := k; i < others.N; i += 20 {
			of = append(of, others.Slice(i, i+1))
		}
		random = append(random, Set{Name: fmt.Sprint("random ", k), Images: must(interp.Join(of...))})
	}
	zebra := must(m.Class("zebra"))
	layers := []string{"inception_4c/output", "inception_4d/output", "inception_4e/output", "inception_5a/output", "inception_5b/output"}
	for _, c := range []Classifier{Logistic{}, Hinge{}, MeanDifference{}} {
		r := must(Study{Layers: layers, Classifier: c}.Run(ctx, m, objective.LogitOf(zebra), concepts, random, read(0, 60, "images", "tcav", "zebra")))
		for _, l := range r.Layers {
			for k, v := range l.Results {
				t.Logf("%s, %s, %s: score %.3f, rise %.1e, P corrected %.1e (published test %.0e), accuracy %.2f (found %t), stability %.2f", r.Classifier, l.Name,
					r.Concepts[k], v.Score.Mean, v.Rise.Mean, v.Corrected, v.PublishedP, v.Accuracy.Mean, v.Found, v.Stability)
			}
			if v := l.Results[0]; !(v.Score.Mean >= .95) || !(v.Corrected < .05) || !v.Found {
				t.Errorf("%s, %s: stripes have score %.3f, P %.2g, found %t", c, l.Name, v.Score.Mean, v.Corrected, v.Found)
			}
			if l.Results[1].Found {
				t.Errorf("%s, %s: other photographs are found", c, l.Name)
			}
		}
	}
}
