package featvis

import (
	"flag"
	"math"
	"path/filepath"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
)

var steps = flag.Int("steps", 0, "steps of TestOracleExceedsPhotographs, which is skipped at 0")

// Pictures optimised for units of GoogLeNet's mixed4a excite them more than any of 67 + 940 photographs
// does: in the mean over all positions, which is climbed, and at the best position. The units are ten at
// equal distances, from the first on. The article's number of steps takes ten units half an hour of two
// cores:
//
//	go test ./interp/featvis -run TestOracleExceedsPhotographs -v -timeout 2h -args -steps 2048
func TestOracleExceedsPhotographs(t *testing.T) {
	if *steps == 0 {
		t.Skip("it takes long: ask for it by -args -steps 2048")
	}
	m := openGoogLeNet(t)
	const layer = "mixed4a"
	units := []int{}
	for i := range 10 {
		units = append(units, i*51)
	}
	// of returns the mean and the largest activation of each unit, in each image: [2][unit][image].
	of := func(x interp.Images) (v [2][10][]float64) {
		a, err := m.Activations(ctx, x, layer)
		if err != nil {
			t.Fatal(err)
		}
		each := len(a[0].Data) / x.N
		channels := a[0].Shape[2]
		for k, u := range units {
			for i := range x.N {
				mean, most := 0.0, math.Inf(-1)
				for p := i*each + u; p < (i+1)*each; p += channels {
					mean += a[0].Data[p] / float64(each/channels)
					most = max(most, a[0].Data[p])
				}
				v[0][k], v[1][k] = append(v[0][k], mean), append(v[1][k], most)
			}
		}
		return v
	}

	var best [2][10]float64 // of 0 or more, as activations are
	var file [2][10]string
	photographs := 0
	for _, folder := range []string{"imagenet_samples_dev", "imagenet_samples_256_940"} {
		src, err := dataset.Input{Height: 224, Width: 224, Short: 256}.Folder(shared.Path(t, "images", folder))
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < src.Len(); from += 16 {
			x, err := interp.Read(ctx, src, from, min(from+16, src.Len()))
			if err != nil {
				t.Fatal(err)
			}
			photographs += x.N
			for kind, unit := range of(x) {
				for k, values := range unit {
					for i, v := range values {
						if v > best[kind][k] {
							best[kind][k], file[kind][k] = v, filepath.Base(src.Name(from+i))
						}
					}
				}
			}
		}
	}
	if photographs != 67+940 {
		t.Errorf("%d photographs", photographs)
	}

	start := time.Now()
	r := Render{Steps: *steps, Progress: func(done, of int) {
		if done%128 == 0 {
			t.Logf("step %d of %d after %.0f s", done, of, time.Since(start).Seconds())
		}
	}}
	f, err := r.Final(ctx, m, objective.Channels(layer, units...))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.0f ms a step of ten units", r, time.Since(start).Seconds()*1000/float64(*steps))
	made := of(f.Images)
	for kind, name := range []string{"mean over all positions", "best position"} {
		exceeded, least := 0, math.Inf(1)
		for k, u := range units {
			v, b := made[kind][k][k], best[kind][k]
			t.Logf("%s, unit %d: optimised %.4g, best photograph %.4g (%s), ratio %.2f", name, u, v, b, file[kind][k], v/b)
			if v > b {
				exceeded++
			}
			least = min(least, v/b)
		}
		t.Logf("%s: %d of 10 units exceed %d photographs, the least ratio is %.2f", name, exceeded, photographs, least)
		if exceeded < 9 {
			t.Errorf("%s: %d of 10 units exceed the photographs, want 9", name, exceeded)
		}
	}
}

// openGoogLeNet opens GoogLeNet with the weights beside the repository.
func openGoogLeNet(t testing.TB) *interp.Model {
	t.Setenv("LUCIGO_MODELS", shared.Path(t, "models", "googlenet_bvlc"))
	m, err := googlenet.Model(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
