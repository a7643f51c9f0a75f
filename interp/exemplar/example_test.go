package exemplar_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lucigo/interp/exemplar"
	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

// The generated scenes that a trained network takes most for a striped cube.
func Example() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		fmt.Println(err)
		return
	}
	class, err := m.Class("striped cube")
	if err != nil {
		fmt.Println(err)
		return
	}
	ix, err := exemplar.Scan{Layers: []string{"logits"}, K: 3}.Run(ctx, m, scenes.Stream{Seed: 2, N: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := ix.Top("logits", class)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range best {
		name, _, _ := strings.Cut(e.Name, " #") // after it the scene's number
		fmt.Println(name)
	}
	// Output:
	// striped cube
	// striped cube
	// striped cube
}

// A figure of Zeiler and Fergus: what the most selective unit of a layer saw in the images that it responds to
// most, and what of that it responded to.
func ExampleCut() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		fmt.Println(err)
		return
	}
	src := scenes.Stream{Seed: 2, N: 64}
	ix, err := exemplar.Scan{Layers: []string{"conv2"}, K: 4}.Run(ctx, m, src)
	if err != nil {
		fmt.Println(err)
		return
	}
	units, err := ix.Selective("conv2", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := ix.Top("conv2", units[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	patches, err := exemplar.Cut(ctx, m, src, "conv2", units[0], best)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := patches.Images()
	fmt.Printf("%d patches of %d×%d, out of images of %d×%d\n", x.N, x.H, x.W, patches.Whole.H, patches.Whole.W)

	maps, err := patches.Project(ctx, m, layer.Deconv)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d projections of %d×%d\n", maps.N, maps.H, maps.W)
	fmt.Println("the first is of the largest response:", maps.Score[0] > maps.Score[3])
	// Output:
	// 4 patches of 19×19, out of images of 64×64
	// 4 projections of 19×19
	// the first is of the largest response: true
}

// Two processes look at half of the images each, and their indexes are joined.
func ExampleMerge() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		fmt.Println(err)
		return
	}
	src := scenes.Stream{Seed: 2, N: 64}
	var halves []*exemplar.Index
	for i := range 2 {
		half, err := exemplar.Scan{Layers: []string{"logits"}, Batch: 16, Shard: i, Shards: 2}.Run(ctx, m, src)
		if err != nil {
			fmt.Println(err)
			return
		}
		done, total := half.Scanned()
		fmt.Printf("half %d: %d of %d images\n", i, done, total)
		halves = append(halves, half)
	}
	all, err := exemplar.Merge(halves...)
	if err != nil {
		fmt.Println(err)
		return
	}
	done, total := all.Scanned()
	fmt.Printf("both: %d of %d images\n", done, total)
	// Output:
	// half 0: 32 of 64 images
	// half 1: 32 of 64 images
	// both: 64 of 64 images
}

// A scan that is broken off, or killed, goes on from its file.
func ExampleScan_Run() {
	m, err := scenes.Standard()
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, interrupt := context.WithCancel(context.Background())
	scan := exemplar.Scan{
		Layers:   []string{"logits"},
		Batch:    16,
		Path:     filepath.Join(dir, "scenes.index"),
		Progress: func(exemplar.Progress) { interrupt() }, // after the first batch
	}
	src := scenes.Stream{Seed: 2, N: 64}
	_, err = scan.Run(ctx, m, src)
	fmt.Println(errors.Is(err, context.Canceled))

	scan.Progress = nil
	ix, err := scan.Run(context.Background(), m, src)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ix.Scanned())
	// Output:
	// true
	// 64 64
}
