package show_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/interp/attack"
	"lucigo/interp/interptest/shared"
	"lucigo/notebooks/show"
	"lucigo/notebooks/subject"
)

var pages = flag.String("pages", "", "a folder to which the ostriches' page is written")

// TestOstriches: real photographs become ostriches, and the figure tells it. The photographs are not part of the project.
func TestOstriches(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	weights := shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")
	photographs := shared.Path(t, "images", "imagenet_samples_dev")
	ctx := context.Background()
	n, err := subject.Open(ctx, weights)
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Subject(ctx, photographs, 2)
	if err != nil {
		t.Fatal(err)
	}
	ostrich, err := n.Class("ostrich")
	if err != nil {
		t.Fatal(err)
	}
	s.Images.Class = nil // what the network says of them
	j := attack.Judge{Ball: attack.Anywhere(attack.Norm2), Goal: attack.To(ostrich)}
	r, err := j.Try(ctx, s.Model, attack.LBFGS{Searches: 2, Steps: 15, Weight: .5}, s.Images)
	if err != nil {
		t.Fatal(err)
	}
	f, err := show.Perturbation{Title: "Everything is an ostrich", Result: r, Classes: n.Classes()}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	page, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if *pages != "" {
		if err := os.WriteFile(filepath.Join(*pages, "ostriches.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range f.Cells {
		if !strings.Contains(row[2].Caption, "ostrich") || strings.Contains(row[2].Caption, "not fooled") {
			t.Errorf("photograph %d is %q after the attack", i, row[2].Caption)
		}
	}
	t.Logf("mean L2 %.3f\n%s", r.Mean(func(v attack.Verdict) float64 { return v.L2 }), f)
}
