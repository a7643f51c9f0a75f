package exemplar_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp"
	_ "lucigo/interp/engine/install"
	"lucigo/interp/exemplar"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
)

// photographs is GoogLeNet and the photographs that are shared beside the repository.
func photographs(t testing.TB) (*interp.Model, *dataset.Numbered) {
	t.Helper()
	root, err := filepath.Abs("../../../shared/data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("skipped: the data for it is not beside the repository: %v", err)
	}
	m, err := googlenet.Open(filepath.Join(root, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	folder := dataset.Folder{Dir: filepath.Join(root, "images", "imagenet_samples_256_940"), Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	src, err := folder.Numbered()
	if err != nil {
		t.Fatal(err)
	}
	return m, src
}

var zeiler = []string{"conv1/7x7_s2", "conv2/3x3", "mixed3b", "mixed4c", "mixed5b"}

// some is the first n images of a data set.
type some struct {
	exemplar.Source
	n int
}

func (s some) Len() int { return s.n }

// BenchmarkScan compares a scan of photographs on disk with a bare forward run of the same ones in memory,
// batch by batch in turn. Photographs are 224×224 of 256, the batch 16.
func BenchmarkScan(b *testing.B) {
	ctx := context.Background()
	m, all := photographs(b)
	const batch, batches = 16, 10
	src := some{all, batch * batches}
	var inputs []*tensors.Tensor
	for i := range batches {
		var images []interp.Images
		for j := range batch {
			x, err := src.Image(ctx, i*batch+j)
			if err != nil {
				b.Fatal(err)
			}
			images = append(images, x)
		}
		x, err := interp.Join(images...)
		if err != nil {
			b.Fatal(err)
		}
		inputs = append(inputs, m.Tensor(x))
	}
	forward := interp.Step{Key: "bare forward", Build: func(net *interp.Net, a []*Node) []*Node {
		return []*Node{net.Pass(a[0], nil).Logits()}
	}}
	bare := func() {
		for _, x := range inputs {
			out, err := m.Run(ctx, forward, x)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tensors.CopyFlatData[float32](out[0]); err != nil {
				b.Fatal(err)
			}
			out[0].FinalizeAll()
		}
	}
	scan := func() {
		if _, err := (exemplar.Scan{Layers: zeiler, Batch: batch}).Run(ctx, m, src); err != nil {
			b.Fatal(err)
		}
	}
	bare()
	scan()
	var spent [2]time.Duration
	rounds := 0
	for b.Loop() {
		for i, f := range []func(){bare, scan} {
			start := time.Now()
			f()
			spent[i] += time.Since(start)
		}
		rounds++
	}
	images := float64(rounds * src.n)
	b.ReportMetric(images/spent[0].Seconds(), "bare-images/s")
	b.ReportMetric(images/spent[1].Seconds(), "scan-images/s")
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "of-bare")
}

// BenchmarkScanParts tells what a photograph costs besides the network: reading it, on one core.
func BenchmarkScanParts(b *testing.B) {
	_, src := photographs(b)
	i := 0
	for b.Loop() {
		if _, err := src.Image(context.Background(), i%src.Len()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// The photographs that the class units of GoogLeNet respond to most are those whose logits, one by one, are
// the largest; and most are of the class: the files say which.
func TestOracleTopOfClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: 940 photographs; run without -short")
	}
	const k, batch = 5, 20
	m, src := photographs(t)
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
		for row := range slices.Chunk(p.Logits, p.Classes) {
			logits = append(logits, row)
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
