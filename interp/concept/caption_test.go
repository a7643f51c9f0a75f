package concept

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lucigo/interp"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/interptest"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/models/safetensors"
	"lucigo/models/scenes"
	"lucigo/models/scenes/train"
)

var captioned = flag.String("nets", "", "a `directory` that keeps the nets that TestCaptionsOfFiveSeeds trains, so that it can go on; empty: one that is removed")

// noises are of the captions that the nets were trained on.
var noises = []float64{0, .3, 1}

// picture and word are the concepts of a class in images with captions.
const picture, word = 0, 1

// verdict is what is said of picture and word, for each class: how much the answer depends on them.
type verdict [4][2]float64

func (v verdict) mean() (m [2]float64) {
	for _, of := range v {
		m[picture], m[word] = m[picture]+of[picture]/4, m[word]+of[word]/4
	}
	return m
}

// agrees returns in how many classes two verdicts find the same of picture and word the stronger.
func (v verdict) agrees(with verdict) (n int) {
	for k := range v {
		if first(v[k]) == first(with[k]) {
			n++
		}
	}
	return n
}

// first is 1 where the word is stronger, −1 where the picture is, and 0 where they differ only by the order of a sum.
func first(of [2]float64) int {
	if math.Abs(of[word]-of[picture]) < 1e-9 {
		return 0
	}
	return cmp.Compare(of[word], of[picture])
}

// truthOf measures by images whose picture and word contradict each other in what share of those that show a class the net answers with it,
// and of those with its word.
func truthOf(m *interp.Model, n int) (v verdict) {
	x, c := scenes.CaptionTask().Images(20002, n, 64), scenes.Caption{}
	words := must(c.Wrong(x))
	of := [2][]int{picture: x.Class, word: words}
	var all verdict
	for i, answer := range must(m.Predict(ctx, must(c.Write(x, words)))).Top1() {
		for j := range of {
			if class := of[j][i]; class == answer {
				v[class][j]++
			}
			all[of[j][i]][j]++
		}
	}
	for k := range v {
		for j := range v[k] {
			v[k][j] /= all[k][j]
		}
	}
	return v
}

// captions is what TCAV says at a layer. All its sets, which are of a draw, have captions at random, so that each concept differs from the
// counterparts in one thing: the picture of a class, or its word. The images asked about show a class and its word.
type captions struct {
	score, rise verdict
	significant [2]int // in how many classes P is below .05, corrected for two concepts
}

func captionsOf(m *interp.Model, draw uint64, layers ...string) []captions {
	const n, counterparts = 48, 12
	task, c := scenes.CaptionTask(), scenes.Caption{Noise: 1}
	drawn := func(x interp.Images) interp.Images { return must(c.Write(x, must(c.Words(x)))) }
	var random []Set
	for k := range counterparts {
		random = append(random, Set{fmt.Sprint("random ", k), drawn(task.Images(draw+uint64(100+k), n, 64))})
	}
	all := make([]captions, len(layers))
	for k, shape := range []scenes.Shape{scenes.Cube, scenes.Cone, scenes.Torus, scenes.Cylinder} {
		of := scenes.Task{Shapes: []scenes.Shape{shape}, Label: scenes.ByShape}
		concepts := []Set{picture: {"picture", drawn(of.Images(draw+3, n, 64))}, word: {"word", must(c.Write(task.Images(draw+4, n, 64), slices.Repeat([]int{k}, n)))}}
		x := of.Images(draw+5, 60, 64)
		x = must(c.Write(x, slices.Repeat([]int{k}, x.N)))
		r := must(Study{Layers: layers}.Run(ctx, m, objective.LogitOf(k), concepts, random, x))
		for i, l := range r.Layers {
			for j, v := range l.Results {
				all[i].score[k][j], all[i].rise[k][j] = v.Score.Mean, v.Rise.Mean
				if 2*v.P < .05 {
					all[i].significant[j]++
				}
			}
		}
	}
	return all
}

// hold holds what TCAV says of a net at conv3 against the truth. Of a concept that the net does not go by the score is anything, often far
// above ½, but not significant; that of the other is higher in each class, and so is the rise. Where a net goes by both, both scores are near 1
// and significant: in the mean of the classes the stronger one is found, but class by class it is not.
func (c captions) hold(t *testing.T, truth verdict) {
	t.Helper()
	shares := truth.mean()
	for j, n := range c.significant {
		if used := shares[j] > .2; used != (n >= 2) { // of a wrong answer out of three, one is the word's by chance
			t.Errorf("concept %d is significant in %d of four classes, and %.3f of the answers follow it", j, n, shares[j])
		}
	}
	if want := first(shares); first(c.score.mean()) != want || first(c.rise.mean()) != want {
		t.Errorf("score %.3f, rise %.4f, truth %.3f", c.score.mean(), c.rise.mean(), shares)
	}
	if min(shares[picture], shares[word]) > .2 {
		if low := c.score.mean(); !(min(low[picture], low[word]) > .9) {
			t.Errorf("the net goes by both, and the scores are %.3f", low)
		}
	} else if s, r := c.score.agrees(truth), c.rise.agrees(truth); s != 4 || r != 4 {
		t.Errorf("in %d of four classes the score agrees with the truth, in %d the rise: score %.3f, rise %.4f, truth %.3f", s, r, c.score, c.rise, truth)
	}
}

// Which of picture and word a net goes by is known, since they can contradict each other, and TCAV says it.
func TestCaptions(t *testing.T) {
	for _, noise := range noises {
		t.Run(fmt.Sprint(noise), func(t *testing.T) {
			m := must(scenes.Captioned(noise))
			truth, c := truthOf(m, 320), captionsOf(m, 0, "conv3")[0]
			t.Logf("truth %.3f, score %.3f, rise %.4f, significant %d", truth.mean(), c.score.mean(), c.rise.mean(), c.significant)
			c.hold(t, truth)
		})
	}
}

// The same of nets of five seeds, and beside it what maps say: the share of a map inside of the caption, where image and caption agree. The
// noisier the captions were, the less of the word has the truth, and so has the score.
func TestCaptionsOfFiveSeeds(t *testing.T) {
	if !*long {
		t.Skip("skipped: trains for many minutes; -long runs it")
	}
	interptest.Unchecked()
	dir := *captioned
	if dir == "" {
		dir = t.TempDir()
	}
	x := scenes.CaptionTask().Images(20002, 64, 64)
	x = must(scenes.Caption{}.Write(x, x.Class))
	masks := must(scenes.Caption{}.Masks(x))
	t.Logf("captions cover %.3f of the images", measure.Estimated(slices.Concat(masks...)).Mean)
	methods := []saliency.Method{saliency.Gradient{}, saliency.Guided, saliency.IntegratedGradients{}, saliency.SmoothGrad{}}
	for seed := uint64(1); seed <= 5; seed++ {
		var before [2]float64 // how far the word is before the picture, in truth and by score
		for i, noise := range noises {
			m := captionedOf(t, dir, noise, seed)
			truth := truthOf(m, 800)
			var shares []float64
			for _, method := range methods {
				maps := must(method.Maps(ctx, m, objective.Logit, x))
				var inside []float64
				for i := range maps.N {
					inside = append(inside, must(measure.Mass(maps.Magnitude(i), masks[i])))
				}
				shares = append(shares, measure.Estimated(inside).Mean)
			}
			t.Logf("noise %g, seed %d: truth %.3f; maps %v %.3f", noise, seed, truth.mean(), methods, shares)
			all := captionsOf(m, 0, "conv3", "conv4")
			for k, c := range all {
				t.Logf("noise %g, seed %d, conv%d: score %.3f, rise %.4f, significant %d; score agrees in %d classes, rise in %d", noise, seed, 3+k,
					c.score.mean(), c.rise.mean(), c.significant, c.score.agrees(truth), c.rise.agrees(truth))
			}
			all[0].hold(t, truth)
			a, b := truth.mean(), all[0].score.mean()
			now := [2]float64{a[word] - a[picture], b[word] - b[picture]}
			if i > 0 && !(now[0] < before[0] && now[1] < before[1]) {
				t.Errorf("noise %g, seed %d: the word is before the picture by %.3f in truth and %.3f by score; by %.3f with less noise", noise, seed, now[0], now[1], before)
			}
			before = now
		}
	}
}

// captionedOf returns the embedded net, or trains one of another seed where the directory has none.
func captionedOf(t *testing.T, dir string, noise float64, seed uint64) *interp.Model {
	t.Helper()
	if seed == 1 {
		return must(scenes.Captioned(noise))
	}
	dir = filepath.Join(dir, fmt.Sprint("seed", seed))
	net := fmt.Sprintf("caption%.0f", 100*noise)
	file := filepath.Join(dir, net+".safetensors")
	if _, err := os.Stat(filepath.Join(dir, net+".json")); err != nil { // it is written last
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := (train.Training{Net: net, Seed: seed, Dir: dir, Images: 400, Attacked: 1}).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	f := must(safetensors.Open(file))
	defer f.Close()
	task := scenes.CaptionTask()
	return must(interp.New(interp.Spec{Name: fmt.Sprint(net, " seed ", seed), Forward: scenes.Tiny(scenes.ConvReLU, 4), Input: [3]int{64, 64, 3}, Classes: task.Classes(), Weights: must(f.Weights())}))
}
