package microscope

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"math"
	"os"
	"slices"

	"lucigo/internal/atomicfile"
	"lucigo/internal/parallel"
	"lucigo/interp/exemplar"
	"lucigo/interp/receptive"
	"lucigo/notebooks/internal/number"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// link is a place to go to.
type link struct {
	Href, Text string
	Thumbnail  string // "" is none
}

// crop is a part of an image of the data set, which pages share.
type crop struct {
	Src, Caption, Note string
	Box, Inside        template.CSS
}

// share is a number with a name, drawn as a bar.
type share struct {
	Name, Text string
	Against    bool
	Width      float64 // of the bar, in percent
}

// unitPage is what a unit's page says.
type unitPage struct {
	Title, Network, Layer     string
	Previous, Next            *link
	Up, Down, Raised, Lowered string
	Best, Spectrum            []crop
	For                       []share
	OfBest                    []share
	Detects                   []share
	Images, Labelled          int
	Sees                      string
}

// layerPage is what a layer's page says.
type layerPage struct {
	Title, Network, Shape string
	Href                  string // from the first page
	Previous, Next        *link
	Units                 []link
}

// frontPage is what the site's first page says.
type frontPage struct {
	Network, Data string
	Images, Units int
	Layers        []layerPage
}

// across is how many units of a layer the first page shows.
const across = 16

// pages writes what is looked at. The first page is the last that is written: when it is there, all is.
func (w *work) pages(ctx context.Context, found *exemplar.Index, s *said, detects []detected, scores []scored) error {
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		return err
	}
	if err := w.publish(style, "style.css"); err != nil {
		return err
	}
	all, done := 0, 0
	for _, l := range w.layers {
		all += l.Units
	}
	need := map[int]uint64{} // images that pages show, with their keys
	front := frontPage{Network: w.Network, Data: w.Data, Images: w.Images, Units: all}
	for k, l := range w.layers {
		field, err := receptive.FieldOf(ctx, w.m, l.Name)
		if err != nil {
			return err
		}
		page := layerPage{Title: l.Name, Network: w.Network, Shape: fmt.Sprintf("%d units", l.Units)}
		if l.Spatial {
			page.Shape = fmt.Sprintf("%d units at each of %d×%d places", l.Units, l.Row, l.Col)
		}
		page.Previous, page.Next = w.layerLink(k-1), w.layerLink(k+1)
		for u := range l.Units {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.tell("pages", done, all)
			p, err := w.unit(k, u, field, found, s, need)
			if err != nil {
				return err
			}
			p.Raised, p.Lowered = number.Text(scores[k].Raised[u], 3), number.Text(scores[k].Lowered[u], 3)
			if detects[k].IoU != nil {
				p.Detects = best(detects[k].Labels, detects[k].IoU[u])
			}
			if err := w.render("unit.html", p, l.Folder, l.file(u)+".html"); err != nil {
				return err
			}
			page.Units = append(page.Units, link{l.file(u) + ".html", w.short(k, u), l.file(u) + upEnding})
			done++
		}
		if err := w.render("layer.html", page, l.Folder, "index.html"); err != nil {
			return err
		}
		var some []link
		for i := range min(across, l.Units) { // at even distances
			v := page.Units[i*l.Units/min(across, l.Units)]
			some = append(some, link{l.Folder + "/" + v.Href, v.Text, l.Folder + "/" + v.Thumbnail})
		}
		front.Layers = append(front.Layers, layerPage{Title: l.Name, Shape: page.Shape, Href: l.Folder + "/index.html", Units: some})
	}
	w.tell("pages", all, all)
	if err := w.images(ctx, need); err != nil {
		return err
	}
	return w.render("front.html", front, "index.html")
}

// unit is the page of a unit, except for what was optimised and what it detects. What it shows of the data set is added to need.
func (w *work) unit(k, u int, field receptive.Field, found *exemplar.Index, s *said, need map[int]uint64) (*unitPage, error) {
	l := w.layers[k]
	top, err := found.Top(l.Name, u)
	if err != nil {
		return nil, err
	}
	lowest, err := found.Lowest(l.Name, u)
	if err != nil {
		return nil, err
	}
	percents := []float64{25, 50, 75, 95}
	middle, err := found.Percentiles(l.Name, u, percents...)
	if err != nil {
		return nil, err
	}
	p := &unitPage{Title: l.Name + " " + w.short(k, u), Network: w.Network, Layer: l.Name, Up: l.file(u) + upEnding, Down: l.file(u) + downEnding,
		Previous: w.unitLink(k, u-1), Next: w.unitLink(k, u+1), Images: w.Images, Labelled: w.about.Shown,
		Sees: fmt.Sprintf("%d×%d", field.Size[0], field.Size[1])}
	of := map[int]int{}
	for _, e := range top {
		p.Best = append(p.Best, w.crop(e, field, s, "", need))
		of[s.Class[e.Image]]++
	}
	for _, c := range slices.Sorted(maps.Keys(of)) {
		if c >= 0 {
			p.OfBest = append(p.OfBest, share{Name: w.m.ClassName(c), Text: fmt.Sprintf("%d of %d", of[c], len(top)), Width: 100 * float64(of[c]) / float64(len(top))})
		}
	}
	slices.SortStableFunc(p.OfBest, func(a, b share) int { return cmp.Compare(b.Width, a.Width) })
	if len(lowest) > 0 {
		p.Spectrum = append(p.Spectrum, w.crop(lowest[0], field, s, "lowest", need))
	}
	for i, e := range middle {
		p.Spectrum = append(p.Spectrum, w.crop(e, field, s, fmt.Sprintf("%g %%", percents[i]), need))
	}
	if len(top) > 0 {
		p.Spectrum = append(p.Spectrum, w.crop(top[0], field, s, "highest", need))
	}
	p.For = w.speaksFor(s, k, u)
	return p, nil
}

// speaksFor is the classes to whose logits a unit contributes most in images of the class, and those to which it contributes least if
// that is below 0.
func (w *work) speaksFor(s *said, k, u int) (out []share) {
	type mean struct {
		class int
		of    float64
	}
	var all []mean
	most := 0.
	for c, n := range s.Count {
		if n > 0 {
			v := s.mean(k, w.layers[k].Units, u, c)
			all, most = append(all, mean{c, v}), max(most, math.Abs(v))
		}
	}
	slices.SortStableFunc(all, func(a, b mean) int { return cmp.Compare(b.of, a.of) })
	for i, v := range all {
		if v.of > 0 && i < 5 || v.of < 0 && i >= len(all)-3 {
			out = append(out, share{Name: w.m.ClassName(v.class), Text: number.Text(v.of, 3), Against: v.of < 0, Width: 100 * math.Abs(v.of) / most})
		}
	}
	return out
}

// best is the three labels that a unit agrees with most.
func best(labels []string, iou []float64) (out []share) {
	order := make([]int, len(labels))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(iou[b], iou[a]) })
	for _, k := range order[:min(3, len(order))] {
		if iou[k] > 0 {
			out = append(out, share{Name: labels[k], Text: number.Text(iou[k], 2), Width: 100 * min(1, iou[k])})
		}
	}
	return out
}

// crop is what a unit saw of an image, with grey outside the image. Along an axis where it sees more than the image, it is the image.
func (w *work) crop(e exemplar.Example, field receptive.Field, s *said, caption string, need map[int]uint64) crop {
	const side = 96 // of the longer side on the page
	need[e.Image] = e.Key
	h, wd, _ := w.m.Input()
	seen := field.Rect(e.Row, e.Column)
	if seen.Dx() > wd {
		seen.Min.X, seen.Max.X = 0, wd
	}
	if seen.Dy() > h {
		seen.Min.Y, seen.Max.Y = 0, h
	}
	scale := side / float64(max(seen.Dx(), seen.Dy()))
	css := func(format string, v ...int) template.CSS {
		var pixels []any
		for _, p := range v {
			pixels = append(pixels, float64(p)*scale)
		}
		return template.CSS(fmt.Sprintf(format, pixels...))
	}
	value := number.Text(e.Value, 3)
	note := e.Name
	if c := s.Class[e.Image]; c >= 0 {
		note = w.m.ClassName(c)
	}
	if caption != "" {
		caption += ": "
	}
	return crop{
		Src: "../" + imagesFolder + "/" + w.image(e.Image), Caption: caption + value, Note: note + ", response " + value,
		Box:    css("width:%.1fpx;height:%.1fpx", seen.Dx(), seen.Dy()),
		Inside: css("width:%.1fpx;height:%.1fpx;left:%.1fpx;top:%.1fpx", wd, h, -seen.Min.X, -seen.Min.Y),
	}
}

// image is the file of an image of the data set: without loss where it is small.
func (w *work) image(i int) string {
	h, wd, _ := w.m.Input()
	ending := ".png"
	if max(h, wd) > 96 {
		ending = ".jpg"
	}
	return fmt.Sprintf("%06d%s", i, ending)
}

// images writes the images that pages show and that are not there.
func (w *work) images(ctx context.Context, need map[int]uint64) error {
	numbers := slices.Sorted(maps.Keys(need))
	const part = 64
	for first := 0; first < len(numbers); first += part {
		w.tell("images of the data set", first, len(numbers))
		some := numbers[first:min(first+part, len(numbers))]
		err := parallel.Each(ctx, len(some), func(k int) error {
			i := some[k]
			path := w.path(imagesFolder, w.image(i))
			if _, err := os.Stat(path); err == nil {
				return nil
			}
			x, err := w.src.Image(ctx, i)
			if err != nil {
				return err
			}
			if x.Keyed().Key[0] != need[i] {
				return fmt.Errorf("image %d of %s, %s, is not the image that was scanned: write another site", i, w.src, w.src.Name(i))
			}
			return write(path, x, 0)
		})
		if err != nil {
			return err
		}
	}
	w.tell("images of the data set", len(numbers), len(numbers))
	return nil
}

// short is the number of a unit, and the class that it is of.
func (w *work) short(k, u int) string {
	l := w.layers[k]
	if k == len(w.layers)-1 && !l.Spatial && l.Units == len(w.m.Classes()) {
		return fmt.Sprintf("%d, %s", u, w.m.ClassName(u))
	}
	return fmt.Sprint(u)
}

// unitLink is to unit u of layer k, or to the unit before or after it in the order of the site; nil beyond its ends.
func (w *work) unitLink(k, u int) *link {
	switch {
	case u < 0 && k == 0, u == w.layers[k].Units && k == len(w.layers)-1:
		return nil
	case u < 0:
		k--
		u = w.layers[k].Units - 1
	case u == w.layers[k].Units:
		k, u = k+1, 0
	}
	l := w.layers[k]
	return &link{Href: "../" + l.Folder + "/" + l.file(u) + ".html", Text: l.Name + " " + w.short(k, u)}
}

// layerLink is to layer k, or nil.
func (w *work) layerLink(k int) *link {
	if k < 0 || k >= len(w.layers) {
		return nil
	}
	return &link{Href: "../" + w.layers[k].Folder + "/index.html", Text: w.layers[k].Name}
}

func (w *work) render(name string, page any, path ...string) error {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, page); err != nil {
		return err
	}
	return w.publish(b.Bytes(), path...)
}

// publish writes a file, unless it is there.
func (w *work) publish(b []byte, path ...string) error {
	if old, err := os.ReadFile(w.path(path...)); err == nil && bytes.Equal(old, b) {
		return nil
	}
	return atomicfile.WriteFile(w.path(path...), b, 0o666)
}
