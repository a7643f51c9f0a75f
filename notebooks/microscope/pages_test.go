package microscope

import (
	"cmp"
	"fmt"
	"html"
	"image"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/concept"
	"lucigo/interp/objective"
	"lucigo/notebooks/internal/number"
)

// patch is what a page shows of an image of the data, which is known by its pixels.
type patch struct {
	image, left, top, width int // −1 is no image of the data; pixels
	caption, note           string
}

var (
	sections  = regexp.MustCompile(`(?s)<section><h2>(.*?)</h2>(.*?)</section>`)
	crops     = regexp.MustCompile(`<div class="crop" style="width:(.*?)px;.*?" title="(.*?)"><img src="(.*?)".*? style="width:(.*?)px;height:.*?px;left:(.*?)px;top:(.*?)px".*?<figcaption>(.*?)</figcaption>`)
	optimised = regexp.MustCompile(`<img class="optimised" src="(.*?)" alt="(.*?)"/><figcaption>(.*?): (.*?)</figcaption>`)
	lines     = regexp.MustCompile(`<tr><th>(.*?)</th>.*?</td><td>(.*?)</td></tr>`)
	thumbs    = regexp.MustCompile(`<a class="unit" href="(.*?)"><img src="(.*?)"`)
)

// shows reads an image of a page.
func shows(t *testing.T, all map[string]string, page, src string) interp.Images {
	t.Helper()
	m, _, err := image.Decode(strings.NewReader(all[path.Join(path.Dir(page), src)]))
	if err != nil {
		t.Fatalf("%s shows %s: %v", page, src, err)
	}
	return interp.FromImage(m)
}

// parsed is a number that is written for people.
func parsed(t *testing.T, text string) float64 {
	t.Helper()
	return must(strconv.ParseFloat(strings.ReplaceAll(text, "−", "-"), 64))
}

// patches reads the patches of a part of a page.
func patches(t *testing.T, all map[string]string, page, part string, x interp.Images) (out []patch) {
	t.Helper()
	for _, f := range crops.FindAllStringSubmatch(part, -1) {
		p := patch{image: -1, caption: f[7], note: html.UnescapeString(f[2])}
		seen := shows(t, all, page, f[3])
		for i := range x.N {
			if !slices.EqualFunc(x.Of(i), seen.Pix, func(a, b float64) bool { return math.Abs(a-b) <= 1./255 }) {
				continue
			}
			p.image = i
		}
		scale := parsed(t, f[4]) / float64(x.W)
		for to, text := range map[*int]string{&p.width: f[1], &p.left: f[5], &p.top: f[6]} {
			*to = int(math.Round(parsed(t, text) / scale))
		}
		p.left, p.top = -p.left, -p.top
		out = append(out, p)
	}
	return out
}

// What a page says of a unit is that unit's: its patches are where it responds most in all images, by a pass of them; the optimised images
// score what is written; and its contributions, and what it detects, are those of packages channel and concept.
func TestLawPages(t *testing.T) {
	dir := t.TempDir()
	m, src := small(), data(60, 1) // no more images than the sample has of which percentiles are
	if err := site(dir).Build(ctx, m, src); err != nil {
		t.Fatal(err)
	}
	all := contents(t, dir)
	x := src.Images
	for i := range x.N {
		x.Class = append(x.Class, i%2)
	}
	some := src
	some.Images = src.Slice(0, site(dir).Shown)
	near := func(a, b, share float64) bool { return math.Abs(a-b) <= share*math.Abs(b)+1e-5 }
	const digits = .006 // how far a number of three digits is off
	front := thumbs.FindAllStringSubmatch(all["index.html"], -1)
	for _, l := range []struct {
		name, folder                string
		units, stride, sees, before int // pixels that a place sees, and how many of them are before it
	}{{"conv/1:a", "conv-1-a", 5, 1, 3, 1}, {"conv2", "conv2", together + 3, 2, 5, 2}, {"logits", "logits", 3, 1, 16, 0}} {
		values, shares := must(m.Activations(ctx, x, l.name))[0], must(channel.Attribution{}.At(ctx, m, objective.Logit, x, l.name))[0]
		columns := int(math.Sqrt(float64(len(values.Of(0)) / l.units)))
		var detects concept.Detectors
		if l.folder != "logits" {
			detects = must(concept.Dissection{}.Run(ctx, m, some, l.name))
		}
		for k := range min(l.units, 16) {
			unit := fmt.Sprintf("%s/%03d", l.folder, k*l.units/min(l.units, 16))
			if !slices.Equal(front[k][1:], []string{unit + ".html", unit + "-up.png"}) {
				t.Errorf("%s: unit %d on the first page is %q, want %s", l.name, k, front[k][1:], unit)
			}
		}
		front = front[min(l.units, 16):]
		links := thumbs.FindAllStringSubmatch(all[l.folder+"/index.html"], -1)
		for u := range l.units {
			page := fmt.Sprintf("%s/%03d.html", l.folder, u)
			if !slices.Equal(links[u][1:], []string{path.Base(page), fmt.Sprintf("%03d-up.png", u)}) {
				t.Errorf("%s: its layer's page has %q", page, links[u][1:])
			}
			response := func(image, place int) float64 { return values.Of(image)[place*l.units+u] }
			most := make([]float64, x.N)
			for i := range most {
				most[i] = response(i, 0)
				for place := range columns * columns {
					most[i] = max(most[i], response(i, place))
				}
			}
			sorted := slices.Sorted(slices.Values(most))
			check := func(p patch, want float64, caption string) {
				t.Helper()
				if p.image < 0 {
					t.Fatalf("%s: %q is no image of the data", page, p.caption)
				}
				text, ok := strings.CutPrefix(p.caption, caption)
				if !ok || !near(most[p.image], want, 1e-5) || !near(parsed(t, text), want, digits) || p.note != m.ClassName(p.image%2)+", response "+text {
					t.Errorf("%s: image %d, of response %g, is called %q and %q, want %s%g", page, p.image, most[p.image], p.caption, p.note, caption, want)
				}
				row, column := (p.top+l.before)/l.stride, (p.left+l.before)/l.stride
				if p.width != l.sees || row*l.stride != p.top+l.before || column*l.stride != p.left+l.before || !near(response(p.image, row*columns+column), want, 1e-5) {
					t.Errorf("%s: of image %d are shown %d pixels from %d, %d on, want where the response is %g", page, p.image, p.width, p.left, p.top, want)
				}
			}
			part := map[string]string{}
			for _, s := range sections.FindAllStringSubmatch(all[page], -1) {
				part[s[1]] = s[2]
			}
			var count [2]int
			for k, p := range patches(t, all, page, part["Best patches"], x) {
				check(p, sorted[x.N-1-k], "")
				count[p.image%2]++
			}
			if count[0]+count[1] != 9 {
				t.Errorf("%s: %d best patches of class 0 and %d of class 1", page, count[0], count[1])
			}
			captions := []string{"lowest: ", "25 %: ", "50 %: ", "75 %: ", "95 %: ", "highest: "}
			spectrum := patches(t, all, page, part["From lowest to highest"], x)
			for k, rank := range []int{0, 15, 30, 44, 56, 59} {
				check(spectrum[k], sorted[rank], captions[k])
			}
			for k, image := range optimised.FindAllStringSubmatch(part["Optimised"], -1) {
				score := must(m.Score(ctx, objective.Channel(l.name, u), shows(t, all, page, image[1])))[0]
				if want := []string{"raises the unit, raised", "lowers the unit, lowered"}[k]; image[2]+", "+image[3] != want || !near(score, parsed(t, image[4]), .02) {
					t.Errorf("%s: %q scores %g, want %s", page, image[1:], score, want)
				}
			}

			table := func(name string) (out [][2]string) {
				for _, r := range lines.FindAllStringSubmatch(part[name], -1) {
					out = append(out, [2]string{html.UnescapeString(r[1]), r[2]})
				}
				return out
			}
			order := func(of []float64) (places []int) { // of those above 0 or below it, the largest first
				for k, v := range of {
					if v != 0 && v == v {
						places = append(places, k)
					}
				}
				slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(of[b], of[a]) })
				return places
			}
			var mean [2]float64
			for i := range x.N {
				mean[i%2] += shares.Of(i)[u] / 30
			}
			speaks := table("Speaks for")
			for k, class := range order(mean[:]) {
				if got := speaks[k]; got[0] != m.ClassName(class) || !near(parsed(t, got[1]), mean[class], digits) {
					t.Errorf("%s speaks for %q, want %s, %g", page, got, m.ClassName(class), mean[class])
				}
			}
			of := table("Its best images are")
			for k, class := range order([]float64{float64(count[0]), float64(count[1])}) {
				if want := [2]string{m.ClassName(class), fmt.Sprintf("%d of 9", count[class])}; of[k] != want {
					t.Errorf("%s: its best images are %q, want %q", page, of[k], want)
				}
			}
			found := table("Detects")
			if detects.IoU == nil {
				continue
			}
			for k, label := range order(detects.IoU[u]) {
				if want := [2]string{detects.Labels[label], number.Text(detects.IoU[u][label], 2)}; found[k] != want {
					t.Errorf("%s detects %q, want %q", page, found[k], want)
				}
			}
		}
	}
}
