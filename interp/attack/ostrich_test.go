package attack_test

import (
	"math"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
)

// TestOracleOstrich: GoogLeNet takes each photograph for an ostrich, as Szegedy et al. show in figure 5 for another
// network, at a mean distortion √(Σr²/n) that is far below what is seen: 3 of them, or as many as -images says.
func TestOracleOstrich(t *testing.T) {
	interptest.Unchecked()
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() == engine.Go || testing.Short() {
		t.Skip("skipped: takes minutes; run without -short, on XLA")
	}
	m := openGoogLeNet(t)
	n := 3
	if *images > 0 {
		n = *images
	}
	x := photographs(t, n)
	x.Class = nil // what the network says of them
	ostrich, err := m.Class("ostrich")
	if err != nil {
		t.Fatal(err)
	}
	j := attack.Judge{Ball: attack.Anywhere(attack.Norm2), Goal: attack.To(ostrich)}
	r := try(t, j, m, attack.LBFGS{Searches: 2, Steps: 15, Weight: .5}, x)
	honest(t, "ostrich", m, j.Ball, r)
	root := math.Sqrt(float64(x.Size()))
	for _, v := range r.Verdicts {
		t.Logf("%-22s p %.2f → %s p %.2f, mean distortion %.4f, largest %.3f, %d gradients",
			m.ClassName(v.Before.Class), v.Before.Prob, m.ClassName(v.After.Class), v.After.Prob, v.L2/root, v.Linf, v.Backward)
	}
	mean := r.Mean(func(v attack.Verdict) float64 { return v.L2 }) / root
	t.Logf("%d of %d are ostriches, at a mean distortion of %.4f", int(math.Round(r.Fooled()*float64(x.N))), x.N, mean)
	if r.Fooled() != 1 || !(mean <= .01) {
		t.Errorf("%.2f are ostriches, at %.4f", r.Fooled(), mean)
	}
}

// photographs are n of the photographs of ImageNet's classes.
func photographs(t testing.TB, n int) interp.Images {
	t.Helper()
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: 256, Class: imagenet.ClassOf}
	folder, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := interp.Read(ctx, folder, 20, 20+n)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
