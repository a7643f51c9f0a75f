package googlenet

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest/shared"
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
	photos, err := dataset.Read(t.Context(), src, 0, src.Len())
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

// The other framework's input, which came of another resampling, is nearly what package dataset makes.
func TestOracleGoogLeNetPreparesPhotographs(t *testing.T) {
	for _, r := range references(t) {
		file := filepath.Join(shared.Path(t, "images", "imagenet_samples_dev"), filepath.Base(r.dir)+".JPEG")
		x, err := dataset.Input{Height: Size, Width: Size, Short: Short}.Photograph(file)
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
