package kept_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lucigo/notebooks/kept"
	"lucigo/notebooks/subject"
)

// Two data sets in files of one name and one shape, as MNIST and Fashion-MNIST are, have an index each.
func TestDataSetsOfOneName(t *testing.T) {
	net, err := subject.Open(t.Context(), "scenes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Subject(t.Context(), "", 1); err != nil { // the backend, from where it is
		t.Fatal(err)
	}
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	var best []float64
	for shade := range 2 {
		path := filepath.Join(t.TempDir(), "t10k-images-idx3-ubyte")
		head := []byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8}
		if err := os.WriteFile(path, append(head, bytes.Repeat([]byte{byte(200 * shade)}, 128)...), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := net.Data(path, 2)
		if err != nil {
			t.Fatal(err)
		}
		ix, err := kept.Index(t.Context(), net.Model, src, "logits")
		if err != nil {
			t.Fatal(err)
		}
		all, err := ix.Top("logits", 0)
		if err != nil {
			t.Fatal(err)
		}
		best = append(best, all[0].Value)
	}
	if best[0] == best[1] {
		t.Errorf("black images and grey ones excite the unit alike: %g", best)
	}
}

// What was scanned once is read again; another data set has an index of its own.
func TestIndexIsKept(t *testing.T) {
	ctx := context.Background()
	net, err := subject.Open(ctx, "scenes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Subject(ctx, "", 1); err != nil { // the backend, from where it is
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("LUCIGO_CACHE", cache)
	index := func(n int) string {
		src, err := net.Data("", n)
		if err != nil {
			t.Fatal(err)
		}
		ix, err := kept.Index(ctx, net.Model, src, "logits")
		if err != nil {
			t.Fatal(err)
		}
		best, err := ix.Top("logits", 0)
		if err != nil {
			t.Fatal(err)
		}
		if done, total := ix.Scanned(); done != n || total != n {
			t.Errorf("%d of %d images, of %d", done, total, n)
		}
		return best[0].Name
	}
	files := func() map[string]time.Time {
		all := map[string]time.Time{}
		paths, err := filepath.Glob(filepath.Join(cache, "exemplar", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = info.ModTime()
		}
		return all
	}
	first, kept := index(40), files()
	if again := index(40); first != again || !maps.Equal(files(), kept) || len(kept) != 1 {
		t.Errorf("first %s, %v, and then %s, %v", first, kept, again, files())
	}
	if index(64); len(files()) != 2 {
		t.Errorf("indexes %v of two data sets", files())
	}
}
