package googlenet

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/imagenet"
)

// The photographs as package dataset reads them are recognised: so the order of the classes, the colours'
// order and range and the cut are those of the training.
func TestOracleGoogLeNetRecognisesPhotographs(t *testing.T) {
	m := open(t)
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() == engine.Go && testing.Short() {
		t.Skip("skipped: slow on the Go backend; run without -short")
	}
	in := dataset.Input{Height: Size, Width: Size, Short: Short, Class: imagenet.ClassOf}
	src, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	photos, err := interp.Read(t.Context(), src, 0, src.Len())
	if err != nil || photos.Class == nil {
		t.Fatalf("classes %v, %v", photos.Class, err)
	}
	p, err := m.Predict(t.Context(), photos)
	if err != nil {
		t.Fatal(err)
	}
	top1, top5 := 0, 0
	for i, class := range photos.Class {
		top := p.Top(i, 5)
		if top[0] == class {
			top1++
		}
		if slices.Contains(top, class) {
			top5++
		} else {
			t.Logf("%s is taken for %s", src.Name(i), m.ClassName(top[0]))
		}
	}
	t.Logf("of %d photographs %d are right, %d among the five likeliest", photos.N, top1, top5)
	if 100*top1 < 70*photos.N || 100*top5 < 88*photos.N {
		t.Errorf("want at least 70 %% right and 88 %% among five")
	}
}

// Guided backpropagation in float32 errs by rounding, as other values do, except where rounding switches a
// ReLU or a pooling window: then by what passes through that unit, in any framework. It does so in about
// one photograph of three.
func TestGuidedInFloat32(t *testing.T) {
	m := open(t)
	if e, err := engine.Default(); err != nil || e.Kind() == engine.Go {
		t.Skipf("skipped: the Go backend takes minutes in float64 (%v)", err)
	}
	in := dataset.Input{Height: Size, Width: Size, Short: Short, Class: imagenet.ClassOf}
	src, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	var errs []float64
	for len(errs) < 12 {
		photos, err := interp.Read(t.Context(), src, len(errs), len(errs)+4)
		if err != nil {
			t.Fatal(err)
		}
		single, err := m.Gradient(t.Context(), objective.Logit, layer.Guided, photos)
		if err != nil {
			t.Fatal(err)
		}
		double, err := m.Float64().Gradient(t.Context(), objective.Logit, layer.Guided, photos)
		if err != nil {
			t.Fatal(err)
		}
		for i := range photos.N {
			errs = append(errs, interptest.Distance(single.Of(i), double.Of(i)))
		}
	}
	slices.Sort(errs)
	t.Logf("relative L2 errors %.1e", errs)
	if !(errs[5] <= 1e-6 && errs[11] <= 5e-3) {
		t.Errorf("of %d photographs half err by up to %.1e, all by up to %.1e", len(errs), errs[5], errs[11])
	}
}

// The other framework's input, which came of another resampling, is nearly what package dataset makes.
func TestOracleGoogLeNetPreparesPhotographs(t *testing.T) {
	folder, err := dataset.Input{Height: Size, Width: Size, Short: Short}.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for i := range folder.Len() {
		files = append(files, folder.Name(i))
	}
	for _, r := range references(t) {
		file := filepath.Base(r.dir) + ".JPEG"
		x, err := folder.Image(t.Context(), slices.Index(files, file))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: mean difference %.2f of 255", filepath.Base(file), 255*difference(x, r.image))
		if d := 255 * difference(x, r.image); d > 1 {
			t.Errorf("%s: the pixels differ by %.1f of 255 on average", file, d)
		}
	}
}

func difference(a, b interp.Images) float64 {
	var d float64
	for i := range a.Pix {
		d += math.Abs(a.Pix[i] - b.Pix[i])
	}
	return d / float64(len(a.Pix))
}
