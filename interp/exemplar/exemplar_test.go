package exemplar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/hostile"
	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/receptive"
)

var ctx = context.Background()

// numbered is a data set in memory.
type numbered struct {
	interp.Images
	name   string
	broken map[int]bool
	wait   time.Duration // of each image
	reads  *atomic.Int64
}

func data(m *interp.Model, n int) numbered {
	x := interptest.Images(m, n, 77)
	if n > 20 { // some are equal
		copy(x.Pix[17*x.Size():18*x.Size()], x.Pix[3*x.Size():])
		copy(x.Pix[11*x.Size():12*x.Size()], x.Pix[3*x.Size():])
	}
	return numbered{Images: x, name: "noise", reads: new(atomic.Int64)}
}

func (d numbered) String() string    { return d.name }
func (d numbered) Len() int          { return d.N }
func (d numbered) Name(i int) string { return fmt.Sprintf("%s/%d.png", d.name, i) }

func (d numbered) Image(ctx context.Context, i int) (interp.Images, error) {
	d.reads.Add(1)
	if d.wait > 0 {
		select {
		case <-time.After(d.wait):
		case <-ctx.Done():
			return interp.Images{}, ctx.Err()
		}
	}
	if d.broken[i] {
		return interp.Images{}, fmt.Errorf("image: %w", interp.Undecodable{Err: fmt.Errorf("%s: bad header", d.Name(i))})
	}
	return d.Slice(i, i+1), nil
}

var layers = []string{"conv1", "mixed", "shared:2", "head"}

func scan(t *testing.T, s Scan, m *interp.Model, src interp.Source) *Index {
	t.Helper()
	if s.Layers == nil {
		s.Layers = layers
	}
	ix, err := s.Run(ctx, m, src)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

func file(t *testing.T, ix *Index) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ix.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// slow is the definition: all responses of a unit, sorted.
func slow(a interp.Activations, unit int, readable func(i int) bool, before func(a, b Example) bool) (all []Example) {
	size, channels := len(a.Data)/a.N, a.Shape[len(a.Shape)-1]
	columns := 1
	if len(a.Shape) == 3 {
		columns = a.Shape[1]
	}
	for i := range a.N {
		if !readable(i) {
			continue
		}
		e := Example{Image: i, Value: math.Inf(-1)}
		for p := range size / channels {
			if v := a.Data[i*size+p*channels+unit]; v > e.Value {
				e.Value, e.Row, e.Column = v, p/columns, p%columns
			}
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b Example) int { // stable: of equal ones the first comes first
		switch {
		case before(a, b):
			return -1
		case before(b, a):
			return 1
		}
		return 0
	})
	return all
}

// once keeps the first of equal images.
func once(all []Example, src numbered) []Example {
	keys, seen := src.Keyed().Key, map[uint64]bool{}
	return slices.DeleteFunc(slices.Clone(all), func(e Example) bool {
		was := seen[keys[e.Image]]
		seen[keys[e.Image]] = true
		return was
	})
}

func same(t *testing.T, what string, got, want []Example, src interp.Source) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d examples, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Image != w.Image || g.Row != w.Row || g.Column != w.Column || !(math.Abs(g.Value-w.Value) <= 1e-5*max(1, math.Abs(w.Value))) || g.Name != src.Name(g.Image) {
			t.Fatalf("%s %d: %+v, want %+v", what, i, g, w)
		}
	}
}

func TestLawExemplarsBySorting(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, m := range []*interp.Model{interptest.Branchy().On(e.Backend), interptest.Branchy().On(e.Backend).Float64()} {
			src := data(m, 45)
			src.broken = map[int]bool{3: true, 40: true, 44: true}
			const k, sample = 6, 10
			ix := scan(t, Scan{K: k, Sample: sample, Batch: 8, Seed: 5}, m, src)
			if n, skipped := ix.Unreadable(); n != 3 || len(skipped) != 3 || skipped[1].Image != 40 || !strings.Contains(skipped[1].Cause, "noise/40.png: bad header") {
				t.Errorf("%d unreadable: %v", n, skipped)
			}
			readable := func(i int) bool { return !src.broken[i] }
			drawn := drawn(5, src.N, sample, readable)
			acts, err := m.Activations(ctx, src.Images, layers...)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range acts {
				for unit := range a.Shape[len(a.Shape)-1] {
					what := fmt.Sprintf("%s unit %d", a.Layer, unit)
					top, err := ix.Top(a.Layer, unit)
					if err != nil {
						t.Fatal(err)
					}
					same(t, what+" top", top, once(slow(a, unit, readable, func(a, b Example) bool { return a.Value > b.Value }), src)[:k], src)
					low, err := ix.Lowest(a.Layer, unit)
					if err != nil {
						t.Fatal(err)
					}
					rising := slow(a, unit, readable, func(a, b Example) bool { return a.Value < b.Value })
					same(t, what+" lowest", low, once(rising, src)[:k], src)

					var random, chosen []Example
					for _, e := range rising {
						if slices.Contains(drawn, e.Image) {
							chosen = append(chosen, e)
						}
					}
					for _, i := range drawn {
						random = append(random, chosen[slices.IndexFunc(chosen, func(e Example) bool { return e.Image == i })])
					}
					got, err := ix.Random(a.Layer, unit)
					if err != nil {
						t.Fatal(err)
					}
					same(t, what+" random", got, random, src)
					got, err = ix.Percentiles(a.Layer, unit, 0, 20, 50, 100)
					if err != nil {
						t.Fatal(err)
					}
					same(t, what+" percentiles", got, []Example{chosen[0], chosen[2], chosen[5], chosen[9]}, src)
				}
			}
		}
	})
}

// drawn is the definition of the random sample: the images of the least hashes.
func drawn(seed uint64, n, sample int, readable func(i int) bool) (images []int) {
	for i := range n {
		if readable(i) {
			images = append(images, i)
		}
	}
	slices.SortFunc(images, func(a, b int) int {
		if random.Hash(seed, uint64(a)) < random.Hash(seed, uint64(b)) {
			return -1
		}
		return 1
	})
	return images[:sample]
}

// Every image is as likely to be drawn: over many seeds the counts are within 5 standard deviations.
func TestRandomSampleIsFair(t *testing.T) {
	const n, sample, seeds = 40, 10, 2000
	var count [n]int
	for seed := range uint64(seeds) {
		for _, i := range drawn(seed, n, sample, func(int) bool { return true }) {
			count[i]++
		}
	}
	p := float64(sample) / n
	for i, c := range count {
		if d := math.Abs(float64(c) - seeds*p); d > 5*math.Sqrt(seeds*p*(1-p)) {
			t.Errorf("image %d drawn %d times of %d", i, c, seeds)
		}
	}
}

func TestLawShardsMergeToTheSameBytes(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 61)
	src.broken = map[int]bool{0: true, 13: true, 60: true}
	plan := Scan{K: 4, Sample: 7, Batch: 4}
	want := file(t, scan(t, plan, m, src))
	for _, shards := range []int{1, 2, 3, 7, 40} {
		var parts []*Index
		for i := range shards {
			plan.Shard, plan.Shards = i, shards
			ix := scan(t, plan, m, src)
			back, err := parse(file(t, ix))
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, back)
		}
		for trial := range 3 {
			order := random.New(9, uint64(shards), uint64(trial))
			for i := range parts {
				j := i + order.Intn(i, len(parts)-i)
				parts[i], parts[j] = parts[j], parts[i]
			}
			left, err := Merge(parts[:len(parts)/2+1]...)
			if err != nil {
				t.Fatal(err)
			}
			all, err := Merge(append(parts[len(parts)/2+1:], left)...)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(file(t, all), want) {
				t.Fatalf("%d shards, order %d: another file", shards, trial)
			}
		}
	}
}

// Where what a network says of an image depends on the whole batch, as its rounding may, shards still find
// what one scan finds: none cuts a batch.
func TestLawShardsKeepBatches(t *testing.T) {
	m := interptest.Model("crowd", func(s *model.Scope, x *Node) *Node {
		x = Sub(x, ReduceAndKeep(x, ReduceMean, 0))
		return layer.Dense(s.In("logits"), layer.Flatten(layer.At("less the others", x)), 2)
	}, [3]int{3, 2, 3}, 2, 1)
	src := data(m, 50)
	plan := Scan{K: 4, Sample: 7, Batch: 8, Layers: []string{"less the others"}}
	want := file(t, scan(t, plan, m, src))
	for _, shards := range []int{2, 3, 4, 6, 9} {
		var parts []*Index
		for i := range shards {
			plan.Shard, plan.Shards = i, shards
			parts = append(parts, scan(t, plan, m, src))
		}
		all, err := Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file(t, all), want) {
			t.Errorf("%d shards make another file", shards)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	m := interptest.Branchy()
	a := scan(t, Scan{K: 2, Batch: 4, Shards: 2}, m, data(m, 16))
	for what, s := range map[string]Scan{
		"another K: 2, not 3":  {K: 3, Batch: 4, Shard: 1, Shards: 2},
		"another Batch":        {K: 2, Batch: 2, Shard: 1, Shards: 2},
		"another layers":       {K: 2, Batch: 4, Shard: 1, Shards: 2, Layers: layers[:2]},
		"images 0 to 7 are in": {K: 2, Batch: 4, Shard: 0, Shards: 2},
	} {
		if _, err := Merge(a, scan(t, s, m, data(m, 16))); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing merges")
	}
}

// The order of the images changes nothing but their numbers.
func TestLawOrderOfImages(t *testing.T) {
	m := interptest.Branchy().Float64()
	src := numbered{Images: interptest.Images(m, 30, 3), name: "noise", reads: new(atomic.Int64)}
	turned := src
	turned.Pix = nil
	for i := range src.N {
		turned.Pix = append(turned.Pix, src.Slice(src.N-1-i, src.N-i).Pix...)
	}
	plan := Scan{K: 5, Batch: 4}
	a, b := scan(t, plan, m, src), scan(t, plan, m, turned)
	for unit := range 7 {
		x, err := a.Top("mixed", unit)
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.Top("mixed", unit)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if x[i].Value == 0 {
				break // many are
			}
			if x[i].Image != src.N-1-y[i].Image || x[i].Row != y[i].Row || x[i].Column != y[i].Column {
				t.Errorf("unit %d: %+v, turned round %+v", unit, x[i], y[i])
			}
		}
	}
}

func TestLawResume(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 50)
	src.broken = map[int]bool{9: true}
	plan := Scan{K: 3, Batch: 4, Layers: layers}
	want := file(t, scan(t, plan, m, src))

	plan.Path = filepath.Join(t.TempDir(), "index")
	plan.Every = time.Nanosecond
	broken, stop := context.WithCancel(ctx)
	plan.Progress = func(p Progress) {
		if p.Done >= 20 {
			stop()
		}
	}
	src.wait = time.Millisecond
	ix, err := plan.Run(broken, m, src)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if done, total := ix.Scanned(); done < 20 || done > 28 || total != 50 {
		t.Errorf("broken off at %d of %d", done, total)
	}
	src.reads.Store(0)
	plan.Progress = nil
	all := scan(t, plan, m, src)
	if done, _ := ix.Scanned(); int(src.reads.Load()) != 50-done {
		t.Errorf("%d images read again, of which %d were done", src.reads.Load(), done)
	}
	onDisk, err := os.ReadFile(plan.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file(t, all), want) || !bytes.Equal(onDisk, want) {
		t.Error("another index")
	}

	src.reads.Store(0)
	scan(t, plan, m, src)
	if n := src.reads.Load(); n != 0 {
		t.Errorf("%d images read, of a whole index", n)
	}
	if _, err := Open(plan.Path, m); err != nil {
		t.Error(err)
	}
}

// away is a data set that some of the time cannot be read.
type away struct {
	numbered
	from int // the images that are away
	err  error
}

func (d away) Image(ctx context.Context, i int) (interp.Images, error) {
	if i >= d.from {
		return interp.Images{}, d.err
	}
	return d.numbered.Image(ctx, i)
}

// What cannot be read now is not taken for what can never be: the scan stops, keeps what it has, and goes on from there
// when the images are back, to the same index.
func TestOutage(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 50)
	src.broken = map[int]bool{9: true}
	plan := Scan{K: 3, Batch: 4, Layers: layers}
	want := file(t, scan(t, plan, m, src))
	plan.Path = filepath.Join(t.TempDir(), "index")
	// In this order: what an earlier scan has read, a later one does not read again.
	for _, outage := range []away{
		{src, 33, &fs.PathError{Op: "open", Path: "noise/33.png", Err: fs.ErrNotExist}},
		{src, 41, fmt.Errorf("dataset: noise/41.png: %w", syscall.EIO)},
		{src, 0, errors.New("the share is away")},
	} {
		from, err := outage.from, outage.err
		_, got := plan.Run(ctx, m, outage)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), "cannot be read") {
			t.Errorf("%v: %v", err, got)
		}
		if n := scannedOf(plan.Path); from > 0 && n > from || got != nil && !strings.Contains(got.Error(), fmt.Sprintf("%d of 50 images", n)) {
			t.Errorf("%v: %d images are in the file: %v", err, n, got)
		}
	}
	scan(t, plan, m, src)
	if got, err := os.ReadFile(plan.Path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("another index, %v", err)
	}
}

// Equal images fill one place of a unit, those of the first of them, in whatever order they come and however they are cut.
func TestLawEqualImagesOnce(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 32)
	for i := range 24 { // four photographs, of which there are six each
		copy(src.Pix[i*src.Size():(i+1)*src.Size()], src.Of(24+i%4))
	}
	plan := Scan{Layers: layers, Batch: 4}
	ix := scan(t, plan, m, src)
	for unit := range 7 {
		for what, ask := range map[string]func(string, int) ([]Example, error){"top": ix.Top, "lowest": ix.Lowest} {
			best, err := ask("mixed", unit)
			if err != nil {
				t.Fatal(err)
			}
			var images []int
			for _, e := range best {
				images = append(images, e.Image)
			}
			slices.Sort(images)
			if !slices.Equal(images, []int{0, 1, 2, 3, 28, 29, 30, 31}) {
				t.Errorf("unit %d, %s: images %v", unit, what, images)
			}
		}
	}
	want := file(t, ix)
	var parts []*Index
	for _, shard := range []int{3, 0, 2, 1} {
		plan.Shard, plan.Shards = shard, 4
		parts = append(parts, scan(t, plan, m, src))
	}
	if all, err := Merge(parts...); err != nil || !bytes.Equal(file(t, all), want) {
		t.Errorf("of shards it is another, %v", err)
	}
}

// scannedOf returns how far the index in a file has come: 0 where there is none.
func scannedOf(path string) int {
	ix, err := read(path)
	if err != nil {
		return 0
	}
	done, _ := ix.Scanned()
	return done
}

// stalled is a data set whose images from a number on never come, whatever becomes of ctx unless it heeds that.
type stalled struct {
	numbered
	from  int
	heeds bool
}

func (d stalled) Image(ctx context.Context, i int) (interp.Images, error) {
	if i >= d.from && d.heeds {
		<-ctx.Done()
		return interp.Images{}, ctx.Err()
	}
	if i >= d.from {
		select {}
	}
	return d.numbered.Image(ctx, i)
}

// A scan ends with its context, though the images that it waits for never come, and what it has is kept.
func TestCancel(t *testing.T) {
	m := interptest.Branchy()
	broken, stop := context.WithCancel(ctx)
	defer stop()
	plan := Scan{Layers: layers, Batch: 4, Path: filepath.Join(t.TempDir(), "index"), Progress: func(p Progress) {
		if p.Done == 8 {
			stop()
		}
	}}
	_, err := plan.Run(broken, m, stalled{numbered: data(m, 40), from: 8})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "8 of 40 images") || scannedOf(plan.Path) != 8 {
		t.Errorf("%v, with %d images in the file", err, scannedOf(plan.Path))
	}
}

// Whoever notices first that the context has ended, who reads or who computes, it is what the scan says.
func TestCancelledWhileItReads(t *testing.T) {
	m := interptest.Branchy()
	for range 60 {
		broken, stop := context.WithCancel(ctx)
		plan := Scan{Layers: layers, Batch: 4, Progress: func(Progress) { stop(); time.Sleep(time.Millisecond) }}
		if _, err := plan.Run(broken, m, stalled{data(m, 40), 4, true}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 8)
	other := interptest.Model("smaller", func(s *model.Scope, x *Node) *Node {
		return layer.GlobalMean(layer.At("conv1", layer.Conv(s, x, 3, layer.Square(3, 1, 1))))
	}, [3]int{10, 12, 3}, 3, 1)
	all := map[int]bool{}
	for i := range 8 {
		all[i] = true
	}
	broken := src
	broken.broken = all
	empty := src
	empty.N = 0
	for what, run := range map[string]func() error{
		"noise has 0 images":                       func() error { _, err := Scan{}.Run(ctx, m, empty); return err },
		"near it: mixed":                           func() error { _, err := Scan{Layers: []string{"mixd"}}.Run(ctx, m, src); return err },
		"Layers is empty":                          func() error { _, err := Scan{Layers: []string{}}.Run(ctx, m, src); return err },
		"Shard is 2, must":                         func() error { _, err := Scan{Shard: 2, Shards: 2}.Run(ctx, m, src); return err },
		"K is -1, must not be negative":            func() error { _, err := Scan{K: -1}.Run(ctx, m, src); return err },
		"K is 1099511627776, must":                 func() error { _, err := Scan{K: 1 << 40}.Run(ctx, m, src); return err },
		"Sample is 1099511627776, must":            func() error { _, err := Scan{Sample: 1 << 40}.Run(ctx, m, src); return err },
		"Batch is 1099511627776, must":             func() error { _, err := Scan{Batch: 1 << 40}.Run(ctx, m, src); return err },
		`Layers has "mixed" twice`:                 func() error { _, err := Scan{Layers: []string{"mixed", "mixed"}}.Run(ctx, m, src); return err },
		"smaller takes 10×12×3":                    func() error { _, err := Scan{}.Run(ctx, other, src); return err },
		"none of 8 images of noise can be decoded": func() error { _, err := Scan{Layers: layers}.Run(ctx, m, broken); return err },
		"index before they are": func() error {
			_, err := Scan{Layers: layers, Path: filepath.Join(t.TempDir(), "index")}.Run(ctx, m, broken)
			return err
		},
		"no such file":         func() error { _, err := Scan{Layers: layers, Path: "nowhere/index"}.Run(ctx, m, src); return err },
		"a folder or a device": func() error { _, err := Scan{Layers: layers, Path: t.TempDir()}.Run(ctx, m, src); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	ix := scan(t, Scan{}, m, src)
	for what, ask := range map[string]func() ([]Example, error){
		"near it: mixed":                 func() ([]Example, error) { return ix.Top("mixe", 0) },
		"unit is 7, must be from 0 to 6": func() ([]Example, error) { return ix.Lowest("mixed", 7) },
		"unit is -1, must":               func() ([]Example, error) { return ix.Random("mixed", -1) },
		"percentile is 101, must":        func() ([]Example, error) { return ix.Percentiles("mixed", 1, 101) },
	} {
		if _, err := ask(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A response that is not a number is an error, which names the unit, on every backend.
func TestNaN(t *testing.T) {
	m := interptest.Branchy()
	weights := m.Weights()["/conv1/biases"].Values()
	weights[2] = math.NaN()
	bad, err := interp.NewWeight(weights, len(weights))
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.With(interp.Weights{"/conv1/biases": bad}); err != nil {
		t.Fatal(err)
	}
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		path := filepath.Join(t.TempDir(), "index")
		_, err := Scan{Layers: layers, Path: path}.Run(ctx, m.On(e.Backend), data(m, 8))
		if err == nil || !strings.Contains(err.Error(), `unit 2 of layer "conv1" is not finite at image noise/0.png`) {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an index of nothing: %v", err)
		}
	})
}

// Of equal maxima the first position counts, whatever the number of positions, and a single NaN is not
// passed over.
func TestLawLargest(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, size := range [][2]int{{1, 1}, {1, 2}, {3, 5}, {4, 4}, {1, 17}, {7, 7}, {11, 13}, {1, 97}} {
			const n, c = 3, 5
			positions := size[0] * size[1]
			x := make([]float32, n*positions*c)
			for i := range x {
				x[i] = float32(random.New(7, uint64(positions), 0).Intn(i, 4) - 2) // many are equal
			}
			nan := map[[2]int]int{} // images and channels, and where they are not numbers
			if positions == 97 {
				nan = map[[2]int]int{{0, 1}: 2, {1, 2}: 50, {2, 3}: 96}
			}
			for at, p := range nan {
				x[(at[0]*positions+p)*c+at[1]] = float32(math.NaN())
			}
			out := MustExecOnceN(e.Backend, func(x *Node) []*Node {
				value, at := largest(x)
				return []*Node{value, at}
			}, tensors.FromFlatDataAndDimensions(x, n, size[0], size[1], c))
			value, err := tensors.CopyFlatData[float32](out[0])
			if err != nil {
				t.Fatal(err)
			}
			at, err := tensors.CopyFlatData[int32](out[1])
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				for k := range c {
					want, place := float32(math.Inf(-1)), 0
					for p := range positions {
						if v := x[(i*positions+p)*c+k]; v > want {
							want, place = v, p
						}
					}
					if p, ok := nan[[2]int{i, k}]; ok {
						want, place = float32(math.Inf(1)), p
					}
					if value[i*c+k] != want || int(at[i*c+k]) != place {
						t.Errorf("%v image %d, channel %d: %g at %d, want %g at %d", size, i, k, value[i*c+k], at[i*c+k], want, place)
					}
				}
			}
		}
	})
}

// What is in the file already: an index of something else is refused and left, and so is a damaged one.
func TestRunMeetsAnotherIndex(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 12)
	path := filepath.Join(t.TempDir(), "index")
	plan := Scan{Layers: layers, Path: path, Batch: 4}
	scan(t, plan, m, src)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := m.Weights()["/a/weights"].Values()
	w[0] += .5
	changed, err := interp.NewWeight(w, m.Weights()["/a/weights"].Dims()...)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := m.With(interp.Weights{"/a/weights": changed})
	if err != nil {
		t.Fatal(err)
	}
	renamed, larger := src, data(m, 13)
	renamed.name = "photographs"
	for what, run := range map[string]func() error{
		"another weights":          func() error { _, err := plan.Run(ctx, trained, src); return err },
		"another model":            func() error { _, err := plan.Run(ctx, m.Float64(), src); return err },
		"another data set":         func() error { _, err := plan.Run(ctx, m, renamed); return err },
		"another number of images": func() error { _, err := plan.Run(ctx, m, larger); return err },
		"another Seed":             func() error { p := plan; p.Seed = 1; _, err := p.Run(ctx, m, src); return err },
		"of another model":         func() error { _, err := Open(path, trained); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the index has changed, %v", err)
	}
	for what, b := range map[string][]byte{
		"checksum":                         append(bytes.Clone(before[:len(before)-1]), before[len(before)-1]^1),
		"no index":                         []byte("hello"),
		`of another version: "version 9"`:  bytes.Replace(before, []byte("version 2"), []byte("version 9"), 1),
		`of another version: "version 10"`: bytes.Replace(before, []byte("version 2"), []byte("version 10"), 1),
		"name another file":                nil,
		"remove the file and":              before[:len(before)/2],
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Run(ctx, m, src); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), m); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "makes it") {
		t.Errorf("no file: %v", err)
	}
}

// A file of another kind is not read whole, which would take more memory than there is.
func TestOpenLargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film")
	if err := errors.Join(os.WriteFile(path, []byte("RIFF"), 0o600), os.Truncate(path, 1<<40)); err != nil {
		t.Skipf("skipped: this disk has no large files: %v", err)
	}
	if _, err := Open(path, interptest.Branchy()); !errors.Is(err, errForeign) {
		t.Error(err)
	}
}

// What other scans write to the same file meanwhile is not lost.
func TestScansAtTheSameTime(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 32)
	whole, often := Scan{Layers: layers, Batch: 4}, Scan{Layers: layers, Batch: 4, Every: time.Nanosecond}
	second := Scan{Layers: layers, Batch: 4, Shard: 1, Shards: 2}
	for what, c := range map[string]struct{ first, other Scan }{
		"":                 {often, whole},
		"Merge joins":      {Scan{Layers: layers, Batch: 4, Shards: 2}, second},
		"now an index of ": {whole, Scan{Layers: layers, Batch: 4, Seed: 1}},
	} {
		path := filepath.Join(t.TempDir(), "index")
		c.first.Path, c.other.Path = path, path
		want := file(t, scan(t, c.other, m, src))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		c.first.Progress = func(p Progress) {
			if p.Done == 8 {
				scan(t, c.other, m, src)
			}
		}
		_, err := c.first.Run(ctx, m, src)
		if what == "" && err != nil || what != "" && (!errors.Is(err, errNotSaved) || !strings.Contains(err.Error(), what) || strings.Count(err.Error(), path) != 1) {
			t.Errorf("%q: %v", what, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: the file is not the other scan's, %v", what, err)
		}
	}
}

// What a scan that was killed has left beside its index is removed, once nobody can be writing it any more.
func TestSweeps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	left := func(path string, old time.Duration) string {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d.part", filepath.Base(path), old))
		then := time.Now().Add(-old)
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, then, then)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	stale, fresh, other := left(path, 2*time.Hour), left(path, 0), left(filepath.Join(dir, "other"), 2*time.Hour)
	m := interptest.Branchy()
	scan(t, Scan{Layers: layers, Path: path}, m, data(m, 4))
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{fresh, other, path}
	all = append(all, hidden...)
	slices.Sort(all)
	slices.Sort(want)
	if all = slices.Compact(all); !slices.Equal(all, want) {
		t.Errorf("left of %s: %v, want %v", stale, all, want)
	}
}

// Of more unreadable images than are named, a merged index counts all, and names what one scan would.
func TestMergeOfManyUnreadable(t *testing.T) {
	h := head{Model: "m", Images: 3 * maxSkipped, K: 1, Sample: 1, Batch: 1, Layers: []Layer{{"l", 1, 1, 1}}}
	part := func(ranges ...Range) *Index {
		ix := newIndex(h)
		ix.head.Scanned = ranges
		for _, r := range ranges {
			for i := r.First; i < r.End; i++ {
				ix.skip(Skipped{Image: i})
			}
		}
		return ix
	}
	const from, to = maxSkipped / 2, 2 * maxSkipped
	all, err := Merge(part(Range{from, to}), part(Range{0, from}, Range{to, h.Images}))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file(t, all), file(t, part(Range{0, h.Images}))) {
		t.Error("another file than of one scan")
	}
}

// wordy is a data set of few images and many long errors.
type wordy struct{ numbered }

func (d wordy) Image(ctx context.Context, i int) (interp.Images, error) {
	if i >= 3 {
		return interp.Images{}, interp.Undecodable{Err: errors.New(strings.Repeat("<", 12_000))}
	}
	return d.numbered.Image(ctx, i)
}

// However long errors are, what is written can be read.
func TestLongErrors(t *testing.T) {
	m := interptest.Branchy()
	path := filepath.Join(t.TempDir(), "index")
	scan(t, Scan{Layers: layers, Path: path}, m, wordy{data(m, maxSkipped+40)})
	ix, err := Open(path, m)
	if err != nil {
		t.Fatal(err)
	}
	if n, named := ix.Unreadable(); n != maxSkipped+37 || len(named) != maxSkipped || named[9].Cause != strings.Repeat("<", maxName) {
		t.Errorf("%d unreadable, %d named", n, len(named))
	}
}

// Whatever bit of a file is another, and wherever it ends, it is refused.
func TestLawDamage(t *testing.T) {
	b := file(t, made(2, 3, 8, Layer{"a", 2, 3, 2}, Layer{"b", 1, 1, 3}))
	if _, err := parse(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if _, err := parse(b[:i]); err == nil {
			t.Errorf("cut off at byte %d of %d, it is read", i, len(b))
		}
		b[i] ^= 1 << (i % 8)
		if _, err := parse(b); err == nil {
			t.Errorf("with another bit in byte %d, it is read", i)
		}
		b[i] ^= 1 << (i % 8)
	}
}

// Memory does not grow with the images: an index of many names no more than its rankings hold.
func TestIndexForgets(t *testing.T) {
	m := interptest.Branchy()
	h, err := Scan{K: 1, Sample: 2, Layers: []string{"conv1"}}.head(m, data(m, 8))
	if err != nil {
		t.Fatal(err)
	}
	ix := newIndex(h)
	values, at := make([]float64, ix.units), make([]int32, ix.units)
	for i := range 100_000 {
		for u := range values {
			values[u] = float64(i) // each beats all before
		}
		ix.put(int64(i), ident{fmt.Sprint(i), uint64(i)}, random.Hash(0, uint64(i)), values, at)
		if len(ix.images) > ix.largest {
			t.Fatalf("%d names after %d images", len(ix.images), i)
		}
	}
	if best, err := ix.Top("conv1", 3); err != nil || best[0].Name != "99999" {
		t.Errorf("%v, %v", best, err)
	}
}

// wide is a network whose units see 15×15 pixels, of images of 12×12.
func wide() *interp.Model {
	return interptest.Model("wide", func(s *model.Scope, x *Node) *Node {
		x = layer.ReLU(layer.Conv(s.In("first"), x, 3, layer.Square(9, 1, 4)))
		x = layer.At("conv1", layer.ReLU(layer.Conv(s.In("conv1"), x, 3, layer.Square(7, 2, 3))))
		return layer.At("head", layer.GlobalMean(x))
	}, [3]int{12, 12, 3}, 3, 1)
}

func TestLawPatches(t *testing.T) {
	testPatches(t, interptest.Branchy().Float64(), layers)
	testPatches(t, wide().Float64(), []string{"conv1", "head"})
}

func testPatches(t *testing.T, m *interp.Model, layers []string) {
	src := data(m, 25)
	ix := scan(t, Scan{K: 6, Batch: 8, Layers: layers}, m, src)
	for _, name := range layers {
		const unit = 1
		best, err := ix.Top(name, unit)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Cut(ctx, m, src, name, unit, best)
		if err != nil {
			t.Fatal(err)
		}
		x := p.Images()
		if err := x.Check(); err != nil || x.N != 6 {
			t.Fatal(err)
		}
		for _, rule := range []layer.Rule{layer.Deconv, layer.Guided, nil} {
			maps, err := p.Project(ctx, m, rule)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range best {
				o := objective.Channel(name, unit)
				if name != "head" {
					o = objective.Neuron(name, e.Row, e.Column, unit)
				}
				whole, err := m.Gradient(ctx, o, rule, p.Whole.Slice(i, i+1))
				if err != nil {
					t.Fatal(err)
				}
				if !(math.Abs(maps.Score[i]-e.Value) <= 1e-12*math.Abs(e.Value)) {
					t.Errorf("%s: response %g was %g", name, maps.Score[i], e.Value)
				}
				field := p.Field.Rect(e.Row, e.Column)
				size := image.Pt(min(field.Dx(), 12), min(field.Dy(), 12))
				if x.W != size.X || x.H != size.Y || maps.W != x.W || maps.H != x.H {
					t.Fatalf("%s: patches of %d×%d, want %v", name, x.H, x.W, size)
				}
				var sum, cut float64
				for _, v := range whole.Pix {
					sum += math.Abs(v)
				}
				for _, v := range maps.Of(i) {
					cut += math.Abs(v)
				}
				if !(math.Abs(sum-cut) <= 1e-12*sum) { // nothing of the gradient lies outside the patch
					t.Errorf("%s: the patch has %g of %g of the gradient's mass", name, cut, sum)
				}
				for row := range x.H {
					for column := range x.W {
						at := field.Min.Add(image.Pt(column, row))
						if field.Dx() > 12 {
							at.X = column
						}
						if field.Dy() > 12 {
							at.Y = row
						}
						wantPixel, wantMap := .5, 0.
						if at.In(field) && at.In(image.Rect(0, 0, 12, 12)) {
							j := (at.Y*12 + at.X) * 3
							wantPixel, wantMap = p.Whole.Slice(i, i+1).Pix[j], whole.Pix[j]
						}
						j := (row*x.W + column) * 3
						if got := x.Slice(i, i+1).Pix[j]; got != wantPixel {
							t.Fatalf("%s example %d (%d, %d): pixel %g, want %g", name, i, row, column, got, wantPixel)
						}
						if got := maps.Of(i)[j]; !(math.Abs(got-wantMap) <= 1e-12*(1+math.Abs(wantMap))) {
							t.Fatalf("%s example %d (%d, %d): gradient %g, want %g", name, i, row, column, got, wantMap)
						}
					}
				}
			}
		}
	}
}

// A unit of a narrow branch sees less than its layer does.
func TestPatchesOfBranches(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 8)
	ix := scan(t, Scan{}, m, src)
	before, err := receptive.FieldOf(ctx, m, "pool1")
	if err != nil {
		t.Fatal(err)
	}
	for unit, wider := range []bool{false, false, false, true, true, true, true} {
		best, err := ix.Top("mixed", unit)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Cut(ctx, m, src, "mixed", unit, best)
		if err != nil {
			t.Fatal(err)
		}
		want := before.Size
		if wider { // by a window of 3×3
			want[0], want[1] = want[0]+2*before.Jump[0], want[1]+2*before.Jump[1]
		}
		if p.Field.Size != want {
			t.Errorf("unit %d: %s, want %v", unit, p.Field, want)
		}
	}
}

func TestCutRefuses(t *testing.T) {
	m := interptest.Branchy()
	src := data(m, 8)
	best, err := scan(t, Scan{}, m, src).Top("mixed", 0)
	if err != nil {
		t.Fatal(err)
	}
	changed := src
	changed.Pix = slices.Clone(src.Pix)
	changed.Pix[best[0].Image*src.Size()] /= 2
	broken := src
	broken.broken = map[int]bool{best[0].Image: true}
	for what, cut := range map[string]func() (Patches, error){
		"not the image that was scanned":   func() (Patches, error) { return Cut(ctx, m, changed, "mixed", 0, best) },
		"could be read when":               func() (Patches, error) { return Cut(ctx, m, broken, "mixed", 0, best) },
		"unit is 7, must be from 0 to 6":   func() (Patches, error) { return Cut(ctx, m, src, "mixed", 7, best) },
		"unit is 5, must be from 0 to 4":   func() (Patches, error) { return Cut(ctx, m, src, "head", 5, best) },
		"near it: mixed":                   func() (Patches, error) { return Cut(ctx, m, src, "mixd", 0, best) },
		"there are no examples of mixed 0": func() (Patches, error) { return Cut(ctx, m, src, "mixed", 0, nil) },
		"is it of another layer?":          func() (Patches, error) { return Cut(ctx, m, src, "head", 0, []Example{{Row: 1}}) },
		"Image is 8, must be from 0 to 7":  func() (Patches, error) { return Cut(ctx, m, src, "mixed", 0, []Example{{Image: 8}}) },
	} {
		if _, err := cut(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// made is an index without a network: of random responses, many of them equal.
func made(k, sample, images int, layers ...Layer) *Index {
	h := head{Model: "made", Fingerprint: "0", Data: "noise", Images: images + 4, K: k, Sample: sample, Seed: 3, Batch: 2, Layers: layers}
	ix := newIndex(h)
	for i := range images {
		if i%5 == 2 {
			ix.skip(Skipped{i, fmt.Sprint(i), "<broken>"})
			continue
		}
		r := random.New(1, uint64(i), 0)
		values, at, u := make([]float64, ix.units), make([]int32, ix.units), 0
		for _, l := range layers {
			for range l.Units {
				values[u], at[u] = float64(r.Intn(u, 4)), int32(r.Intn(u, l.Rows*l.Columns))
				u++
			}
		}
		ix.put(int64(i), ident{fmt.Sprintf("%d.png", i), uint64(i)}, random.Hash(3, uint64(i)), values, at)
	}
	ix.head.Scanned = []Range{{0, images}}
	return ix
}

// FuzzDecode feeds what comes after the Format and before the checksum.
func FuzzDecode(f *testing.F) {
	for _, ix := range []*Index{
		made(1, 1, 1, Layer{"a", 1, 1, 1}),
		made(3, 4, 12, Layer{"a", 2, 3, 2}, Layer{"b", 1, 1, 3}),
		made(5, 40, 20, Layer{"a", 1, 9, 1}),
	} {
		ix.prune()
		var b bytes.Buffer
		if err := ix.encode(&b); err != nil {
			f.Fatal(err)
		}
		if _, err := decode(b.Bytes()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			ix, err := decode(b)
			if err != nil {
				return
			}
			ix.prune()
			var again bytes.Buffer
			if err := ix.encode(&again); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.Bytes(), b) {
				t.Error("read and written, it is another")
			}
			for _, l := range ix.Layers() {
				for _, ask := range []func(string, int) ([]Example, error){ix.Top, ix.Lowest, ix.Random} {
					if _, err := ask(l.Name, 0); err != nil {
						t.Error(err)
					}
				}
			}
			if _, err := Merge(ix); err != nil {
				t.Error(err)
			}
		})
	})
}

// Selectivity is in standard deviations of the sample, whatever a unit's scale; a unit that responds alike to
// all images is left out, and of equal ones the first comes first.
func TestLawSelective(t *testing.T) {
	const images, k = 40, 2
	ix := newIndex(head{Model: "m", Images: images, K: k, Sample: images, Layers: []Layer{{"l", 1, 1, 6}}})
	for i := range images {
		unit := func(is bool) float64 {
			if is {
				return 1
			}
			return 0
		}
		v := []float64{
			unit(i%2 == 0),     // half of them: (1 − ½)/½ = 1
			5,                  // all alike
			unit(i%10 == 3),    // a tenth: (1 − .1)/.3 = 3
			-7 * unit(i%2 > 0), // half of them, less than the others
			unit(i%10 == 4) * 1e4,
			unit(i == 0) - .3*unit(i%2 > 0), // the mean of its two best is ½, (½ + .125)/.233 = 2.7
		}
		ix.put(int64(i), ident{key: uint64(i)}, random.Hash(uint64(i)), v, make([]int32, len(v)))
	}
	for n, want := range [][]int{nil, {2}, {2, 4}, {2, 4, 5}, {2, 4, 5, 0}, {2, 4, 5, 0, 3}} {
		got, err := ix.Selective("l", n)
		if n == 0 {
			if err == nil {
				t.Errorf("no units: %v", got)
			}
			continue
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d units: %v, %v, not %v", n, got, err, want)
		}
	}
	for _, layer := range []string{"l", "k"} {
		if got, err := ix.Selective(layer, 6); err == nil {
			t.Errorf("six units of %s: %v", layer, got)
		}
	}
}
