package microscope

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/concept"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// nasty is a class that pages must escape.
const nasty = `<script>alert("1")</script> & 'a' </b>`

// small is a network with a layer whose name is no address, one of more units than a batch, and one without positions.
func small() *interp.Model {
	forward := func(s *model.Scope, x *Node) *Node {
		x = layer.At("conv/1:a", layer.ReLU(layer.Conv(s.At("conv1"), x, 5, layer.Square(3, 1, 1))))
		x = layer.At("conv2", layer.ReLU(layer.Conv(s.At("conv2"), x, together+3, layer.Square(3, 2, 1))))
		return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(x), 3))
	}
	weights := interptest.Model("small", forward, [3]int{16, 16, 3}, 3, 1).Weights()
	return must(interp.New(interp.Spec{Name: nasty, Forward: forward, Input: [3]int{16, 16, 3}, Classes: []string{nasty, "b", "c"}, Weights: weights}))
}

// drawn is images of which some cannot be decoded, with labels.
type drawn struct {
	interp.Images
	seed uint64
}

func data(n int, seed uint64) drawn { return drawn{interptest.ImagesOf(n, 16, 16, 3, seed), seed} }

func (d drawn) String() string    { return fmt.Sprintf("%s of seed %d", nasty, d.seed) }
func (d drawn) Len() int          { return d.N }
func (d drawn) Name(i int) string { return fmt.Sprint(nasty, i) }
func (d drawn) Image(_ context.Context, i int) (interp.Images, error) {
	if i == 70 {
		return interp.Images{}, interp.Undecodable{Err: errors.New("damaged")}
	}
	x := d.Slice(i, i+1)
	x.Class = []int{i % 2}
	return x, nil
}
func (d drawn) Labels() []string { return []string{nasty, "right"} }
func (d drawn) Masks(i int) [][]bool {
	left, right := make([]bool, 256), make([]bool, 256)
	for p := range left {
		left[p], right[p] = p%16 < 8, p%16 >= 8
	}
	return [][]bool{left, right}
}

func site(dir string) Site { return Site{Dir: dir, Steps: 4, Shown: 32} }

// contents are the files of a site, except for its lock.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".lock" {
			return err
		}
		b, err := os.ReadFile(file)
		all[filepath.ToSlash(must(filepath.Rel(dir, file)))] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMain is also a process that kills itself where it has been told so many times how far it is.
func TestMain(m *testing.M) {
	if at, err := strconv.Atoi(os.Getenv("MICROSCOPE_TEST_KILL")); err == nil {
		s := site(os.Getenv("MICROSCOPE_TEST_DIR"))
		s.Progress = func(string, int, int) {
			if at--; at == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
		if err := s.Build(ctx, small(), data(130, 1)); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// read returns the links and the text of a page, which must be well-formed.
func read(t *testing.T, name, page string) (links []string, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return links, text
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch token := token.(type) {
		case xml.CharData:
			text += string(token)
		case xml.StartElement:
			if token.Name.Local == "script" {
				t.Errorf("%s has a script", name)
			}
			for _, a := range token.Attr {
				if a.Name.Local == "href" || a.Name.Local == "src" {
					links = append(links, a.Value)
				}
			}
		}
	}
}

// Every page is well-formed, every link of it leads to a file, and the way from unit to unit passes all of them.
func TestSite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a site")
	m, src := small(), data(130, 1)
	var told []string
	s := site(dir)
	s.Progress = func(what string, done, of int) {
		if done < 0 || done > of {
			t.Errorf("%s: %d of %d", what, done, of)
		}
		if len(told) == 0 || told[len(told)-1] != what {
			told = append(told, what)
		}
	}
	if err := s.Build(ctx, m, src); err != nil {
		t.Fatal(err)
	}
	all := contents(t, dir)
	pages, used := 0, map[string]bool{"site.json": true, "index.html": true}
	for name, page := range all {
		if path.Ext(name) != ".html" {
			continue
		}
		pages++
		links, text := read(t, name, page)
		if !strings.Contains(text, nasty) {
			t.Errorf("%s does not name the network", name)
		}
		for _, l := range links {
			u, err := url.Parse(l)
			if err != nil || u.Scheme != "" || u.Host != "" {
				t.Errorf("%s: link %q: %v", name, l, err)
				continue
			}
			to := path.Join(path.Dir(name), u.Path)
			if _, ok := all[to]; !ok {
				t.Errorf("%s: link %q leads nowhere", name, l)
			}
			used[to] = true
		}
	}
	units := 5 + together + 3 + 3
	if want := units + 3 + 1; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}
	for name := range all {
		if !used[name] && !strings.HasPrefix(name, dataFolder+"/") {
			t.Errorf("nothing leads to %s", name)
		}
	}
	at, passed := "conv-1-a/000.html", 1
	for {
		_, after, ok := strings.Cut(all[at], `rel="next" href="`)
		if !ok {
			break
		}
		href, _, _ := strings.Cut(after, `"`)
		at = path.Join(path.Dir(at), href)
		passed++
	}
	if at != "logits/002.html" || passed != units {
		t.Errorf("the way from unit to unit ends at %s after %d units, want logits/002.html after %d", at, passed, units)
	}
	if _, text := read(t, "a unit", all["logits/000.html"]); !strings.Contains(text, "logits 0, "+nasty) || !strings.Contains(text, "Speaks for") {
		t.Errorf("the first class's page says %q", text)
	}
	if _, text := read(t, "a unit", all["conv2/001.html"]); !strings.Contains(text, "Detects") || !strings.Contains(text, "right") || !strings.Contains(text, "25 %") {
		t.Errorf("the page of conv2 1 says %q", text)
	}
	if len(told) < 6 {
		t.Errorf("it told of %q", told)
	}
	before := stamps(t, dir)
	if err := s.Build(ctx, m, src); err != nil {
		t.Fatal(err)
	}
	if after := stamps(t, dir); !maps.Equal(before, after) {
		t.Error("what is there was written again")
	}
}

// stamps are the times at which files were written.
func stamps(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	all := map[string]time.Time{}
	for name := range contents(t, dir) {
		all[name] = must(os.Stat(filepath.Join(dir, name))).ModTime()
	}
	return all
}

// Killed or stopped wherever it is, a site goes on from there, keeps what it has, and ends with the same bytes.
func TestLawResumes(t *testing.T) {
	m, src := small(), data(130, 1)
	whole := filepath.Join(t.TempDir(), "whole")
	times := 0
	s := site(whole)
	s.Progress = func(string, int, int) { times++ }
	if err := s.Build(ctx, m, src); err != nil {
		t.Fatal(err)
	}
	want := contents(t, whole)
	same := func(how, dir string) {
		t.Helper()
		before := stamps(t, dir)
		if err := site(dir).Build(ctx, m, src); err != nil {
			t.Errorf("%s: %v", how, err)
			return
		}
		got := contents(t, dir)
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s: %s is not the same", how, name)
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("%s: %s is left", how, name)
			}
		}
		for name, at := range before {
			if path.Ext(name) == ".png" && !must(os.Stat(filepath.Join(dir, name))).ModTime().Equal(at) {
				t.Errorf("%s: %s was made again", how, name)
			}
		}
	}
	self := must(os.Executable())
	for _, at := range []int{1, 4, times / 4, times / 2, times * 3 / 4, times - 1} {
		dir := filepath.Join(t.TempDir(), "killed")
		c := exec.Command(self)
		c.Env = append(os.Environ(), fmt.Sprint("MICROSCOPE_TEST_KILL=", at), "MICROSCOPE_TEST_DIR="+dir)
		if out, err := c.CombinedOutput(); c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("killed at %d of %d: %v %s", at, times, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "index.html")); err == nil && at < times-1 {
			t.Errorf("killed at %d of %d there is a first page", at, times)
		}
		same(fmt.Sprintf("killed at %d of %d", at, times), dir)
	}
	for at := 2; at < times; at += times/7&^1 + 1 {
		dir := filepath.Join(t.TempDir(), "stopped")
		stopping, stop := context.WithCancel(ctx)
		s, left := site(dir), at
		s.Progress = func(string, int, int) {
			if left--; left == 0 {
				stop()
			}
		}
		if err := s.Build(stopping, m, src); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at %d: %v", at, err)
		}
		for name, of := range map[string]string{"conv2/.005-up.png.12.part": "half", "data/classes.json": []string{`{"Next":`, `{"Next":1}`}[at%2]} { // as power failures leave them
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(of), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		same(fmt.Sprintf("stopped at %d of %d", at, times), dir)
	}
}

// The mean contributions by class are those of all images of it, and what units detect is what a dissection of these images says.
func TestLawNumbers(t *testing.T) {
	m, src := small(), data(130, 1)
	w := must(site(t.TempDir()).work(m, src))
	lock := must(w.claim())
	defer lock.Unlock()
	got := must(w.classes(ctx))
	var good []int
	for i := range src.N {
		if i != 70 {
			good = append(good, i)
		}
	}
	x := src.Pick(good...)
	for _, i := range good {
		x.Class = append(x.Class, i%2)
	}
	for l, c := range must(channel.Attribution{}.At(ctx, m, objective.Logit, x, w.about.Layers...)) {
		for u := range c.Shape[0] {
			var sum, n [3]float64
			for i := range x.N {
				sum[x.Class[i]] += c.Of(i)[u]
				n[x.Class[i]]++
			}
			for class := range 2 {
				if v, want := got.mean(l, c.Shape[0], u, class), sum[class]/n[class]; !(math.Abs(v-want) <= 1e-5*max(1, math.Abs(want))) {
					t.Errorf("%s %d contributes %g to class %d, want %g", c.Layer, u, v, class, want)
				}
			}
			if v := got.mean(l, c.Shape[0], u, 2); !math.IsNaN(v) {
				t.Errorf("%s %d contributes %g to a class without images", c.Layer, u, v)
			}
		}
	}
	if got.Class[70] != -1 || got.Class[69] != 1 || got.Count[0]+got.Count[1] != 129 {
		t.Errorf("classes %d, %d of each", got.Class, got.Count)
	}
	detects := must(w.dissect(ctx))
	first := src
	first.Images = src.Slice(0, 32)
	want := must(concept.Dissection{}.Run(ctx, m, first, "conv2"))
	for u, iou := range want.IoU {
		for k, v := range iou {
			if got := detects[1].IoU[u][k]; got != v && !(math.IsNaN(v) && got == 0) {
				t.Errorf("conv2 %d detects label %d with %g, want %g", u, k, got, v)
			}
		}
	}
	if detects[2].IoU != nil {
		t.Error("logits, which have no places, detect something")
	}
}

// Data without labels and without classes: units speak for what the network says, and detect nothing.
func TestUnlabelled(t *testing.T) {
	dir := t.TempDir()
	s := site(dir)
	s.Layers = []string{"logits", "conv2"}
	if err := s.Build(ctx, small(), bare{data(9, 1)}); err != nil {
		t.Fatal(err)
	}
	all := contents(t, dir)
	if _, text := read(t, "a unit", all["conv2/000.html"]); strings.Contains(text, "Detects") || !strings.Contains(text, "Speaks for") {
		t.Errorf("the page says %q", text)
	}
	if !strings.Contains(all["conv2/066.html"], `href="../logits/000.html"`) {
		t.Error("layers are not in the order of the network")
	}
}

// bare hides the labels and classes of a data set.
type bare struct{ d drawn }

func (b bare) String() string    { return "bare" }
func (b bare) Len() int          { return b.d.N }
func (b bare) Name(i int) string { return fmt.Sprint(i) }
func (b bare) Image(ctx context.Context, i int) (interp.Images, error) {
	x, err := b.d.Image(ctx, i)
	x.Class = nil
	return x, err
}

func TestFolders(t *testing.T) {
	var taken []string
	for _, c := range [][2]string{{"mixed4a", "mixed4a"}, {"inception_4a/output", "inception_4a-output"}, {"shared:2", "shared-2"}, {"Mixed4A", "Mixed4A-2"},
		{"../..", "layer-..-.."}, {"", "layer-"}, {"shared/2", "shared-2-2"}, {"data", "data"}, {"Ω", "-"}} {
		got := folder(c[0], taken)
		if got != c[1] {
			t.Errorf("layer %q is in %q, want %q", c[0], got, c[1])
		}
		taken = append(taken, got)
	}
	if got := folder("Data", []string{dataFolder, imagesFolder}); got != "Data-2" {
		t.Errorf("layer Data is in %q", got)
	}
}

func TestErrors(t *testing.T) {
	m, src := small(), data(9, 1)
	dir := t.TempDir()
	s := site(dir)
	s.Layers = []string{"logits"}
	if err := s.Build(ctx, m, src); err != nil {
		t.Fatal(err)
	}
	other := must(m.With(interp.Weights{"/logits/biases": must(interp.NewWeight([]float64{1, 2, 3}, 3))}))
	full, foreign, file := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "file")
	for name, b := range map[string]string{filepath.Join(full, "thesis.txt"): "", filepath.Join(foreign, "site.json"): `{"format": "jekyll"}`, file: ""} {
		if err := os.WriteFile(name, []byte(b), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	change := func(change func(s *Site)) Site { s := s; change(&s); return s }
	for _, c := range []struct {
		want string
		s    Site
		m    *interp.Model
		src  interp.Source
	}{
		{"Site.Dir is empty", Site{}, m, src},
		{"must not be negative", change(func(s *Site) { s.Steps = -1 }), m, src},
		{"has no images", s, m, data(0, 1)},
		{"has no images", s, m, nil},
		{"holds something that is not a site", change(func(s *Site) { s.Dir = full }), m, src},
		{"site.json of something else", change(func(s *Site) { s.Dir = foreign }), m, src},
		{"not a directory", change(func(s *Site) { s.Dir = file }), m, src},
		{`no layer "logit"; near it: logits`, change(func(s *Site) { s.Layers = []string{"logit"} }), m, src},
		{`Layers has "logits" twice`, change(func(s *Site) { s.Layers = []string{"logits", "logits"} }), m, src},
		{"there are no layers", change(func(s *Site) { s.Layers = []string{} }), m, src},
		{"site of other layers, [logits], not [conv2 logits]", change(func(s *Site) { s.Layers = []string{"logits", "conv2"} }), m, src},
		{"site of other steps, 4, not 5", change(func(s *Site) { s.Steps = 5 }), m, src},
		{"site of other size, 16, not 20", change(func(s *Site) { s.Size = 20 }), m, src},
		{"site of other weights", s, other, src},
		{"site of other data", s, m, data(9, 2)},
		{"site of other images, 9, not 8", s, m, data(8, 1)},
		{"channels, must take 1 or 3", s, interptest.Model("two", func(s *model.Scope, x *Node) *Node { return layer.Dense(s.At("logits"), layer.Flatten(x), 2) }, [3]int{4, 4, 2}, 2, 1), src},
	} {
		if err := c.s.Build(ctx, c.m, c.src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	w := must(s.work(m, src))
	lock := must(w.claim())
	if err := s.Build(ctx, m, src); err == nil || !strings.Contains(err.Error(), "written by another process") {
		t.Errorf("while another writes it: %v", err)
	}
	lock.Unlock()
	if entries := must(os.ReadDir(full)); len(entries) != 1 {
		t.Errorf("a folder that is not ours holds %v now", entries)
	}
	var old about
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "site.json"))), &old); err != nil || !bytes.Contains([]byte(old.Data), []byte(nasty)) {
		t.Errorf("site.json says %+v, %v", old, err)
	}
}
