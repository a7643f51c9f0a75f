package exemplar_test

import (
	"context"
	"os"
	"path/filepath"
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

// The photographs that the class units of GoogLeNet respond to most are mostly of that class: the files say
// which.
func TestOracleTopOfClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: 940 photographs; run without -short")
	}
	m, src := photographs(t)
	ix, err := exemplar.Scan{Layers: []string{"loss3/classifier"}, K: 5}.Run(t.Context(), m, src)
	if err != nil {
		t.Fatal(err)
	}
	right, asked := 0, 0
	for i := range src.Len() {
		class, err := imagenet.ClassOf(src.Name(i))
		if err != nil {
			t.Fatal(err)
		}
		best, err := ix.Top("loss3/classifier", class)
		if err != nil {
			t.Fatal(err)
		}
		asked++
		for _, e := range best {
			if e.Image == i {
				right++
			}
		}
	}
	if share := float64(right) / float64(asked); share < .9 {
		t.Errorf("%.3f of the photographs are among the five best of their class", share)
	} else {
		t.Logf("%.3f of %d photographs are among the five best of their class", share, asked)
	}
	if n, skipped := ix.Unreadable(); n != 0 {
		t.Errorf("%d unreadable: %v", n, skipped)
	}
}
