package exemplar_test

import (
	"slices"
	"testing"

	"lucigo/interp"
	_ "lucigo/interp/engine/install"
	"lucigo/interp/exemplar"
	"lucigo/interp/interptest/shared"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
)

// photographs is GoogLeNet and the photographs that are shared beside the repository.
func photographs(t testing.TB) (*interp.Model, *dataset.Folder) {
	t.Helper()
	m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	src, err := in.Folder(shared.Path(t, "images", "imagenet_samples_256_940"))
	if err != nil {
		t.Fatal(err)
	}
	return m, src
}

// some is the first n images of a data set.
type some struct {
	interp.Source
	n int
}

func (s some) Len() int { return s.n }

// The photographs that the class units of GoogLeNet respond to most are those whose logits, one by one, are
// the largest; and most are of the class: the files say which.
func TestOracleTopOfClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: GoogLeNet on 240 photographs, twice; run without -short")
	}
	const k, batch = 5, 20
	m, all := photographs(t)
	src := some{all, 240}
	ix, err := exemplar.Scan{Layers: []string{"loss3/classifier"}, K: k}.Run(t.Context(), m, src)
	if err != nil {
		t.Fatal(err)
	}
	var logits [][]float64 // of each photograph
	for i := 0; i < src.Len(); i += batch {
		var images []interp.Images
		for j := i; j < min(i+batch, src.Len()); j++ {
			x, err := src.Image(t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			images = append(images, x)
		}
		x, err := interp.Join(images...)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.N {
			logits = append(logits, p.Logits.Of(i))
		}
	}
	const rounding = 1e-3 // of logits of some tens, between batches of different sizes
	right := 0
	for i := range src.Len() {
		class, err := imagenet.ClassOf(src.Name(i))
		if err != nil {
			t.Fatal(err)
		}
		larger, asLarge := 0, 0
		for _, row := range logits {
			if row[class] > logits[i][class]+rounding {
				larger++
			}
			if row[class] > logits[i][class]-rounding {
				asLarge++
			}
		}
		best, err := ix.Top("loss3/classifier", class)
		if err != nil {
			t.Fatal(err)
		}
		among := slices.ContainsFunc(best, func(e exemplar.Example) bool { return e.Image == i })
		if among && larger >= k || !among && asLarge <= k {
			t.Errorf("%s: among the best of its class: %v; %d photographs have a larger logit", src.Name(i), among, larger)
		}
		if among {
			right++
		}
	}
	t.Logf("%d of %d photographs are among the %d best of their class", right, src.Len(), k)
	if n, skipped := ix.Unreadable(); n != 0 {
		t.Errorf("%d unreadable: %v", n, skipped)
	}
}
