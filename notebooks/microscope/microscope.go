// Package microscope writes a site about a network: a page for each unit of each layer, with the images that raise and lower it, what it
// responds to in a data set, the classes it speaks for, and what it detects. The site opens from disk, without a server and without scripts,
// and its addresses stay: channel 11 of layer mixed4a is at mixed4a/011.html.
//
//	err := microscope.Site{Dir: "site"}.Build(ctx, m, scenes.Stream{Seed: 1, N: 1024})
//
// It is in the manner of OpenAI's Microscope, and of Olah et al., "The building blocks of interpretability", Distill 2018.
package microscope

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/near"
)

// Site says which site to write. The zero value of all fields but Dir is of all layers with channels, those of preprocessing left out.
type Site struct {
	// Dir is the site's folder: a new or an empty one, or one in which a site of the same network, data and parameters was begun.
	Dir string

	Layers []string // nil is all; in whatever order, the site has that of the network
	Steps  int      // of the images that raise units; those that lower them take a quarter, for the bottom is near. 0 is 48
	Size   int      // height and width of these in pixels; 0 is the network's input, at most 128
	Shown  int      // images with labels in which units are asked what they detect, the first of the data; 0 is 512

	// Progress, if it is not nil, is told what is done, and how much of it.
	Progress func(what string, done, of int)
}

// format is how a site says what it is. Another version's is not gone on with.
const format = "lucigo microscope, version 1"

// about is all that a site's content depends on: the file site.json.
type about struct {
	Format, Network, Fingerprint, Data string
	Images, Steps, Size, Shown         int
	Layers                             []string
}

// The folders beside those of layers.
const (
	dataFolder   = "data"   // what pages are made of
	imagesFolder = "images" // of the data set
)

// layerOf is a layer of the site.
type layerOf struct {
	Name     string
	Folder   string // its own, by the name
	Units    int
	Spatial  bool // it has rows and columns
	Row, Col int  // how many
}

// work is a site that is being written.
type work struct {
	Site
	about
	m      *interp.Model
	src    interp.Source
	layers []layerOf
}

// Build writes the site, or goes on with it: what is there is not computed again, however the last run ended, and the result is the same.
// It needs a data set of at least one image. A folder that holds something else, or a site of something else, is an error.
func (s Site) Build(ctx context.Context, m *interp.Model, src interp.Source) error {
	w, err := s.work(m, src)
	if err != nil {
		return err
	}
	lock, err := w.claim()
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := w.build(ctx); err != nil {
		return fmt.Errorf("microscope: %w", err)
	}
	return nil
}

func (w *work) build(ctx context.Context) error {
	found, err := w.scan(ctx)
	if err != nil {
		return err
	}
	said, err := w.classes(ctx)
	if err != nil {
		return err
	}
	detects, err := w.dissect(ctx)
	if err != nil {
		return err
	}
	scores, err := w.pictures(ctx)
	if err != nil {
		return err
	}
	return w.pages(ctx, found, said, detects, scores)
}

func (s Site) work(m *interp.Model, src interp.Source) (*work, error) {
	h, wd, c := m.Input()
	switch {
	case s.Dir == "":
		return nil, errors.New("microscope: Site.Dir is empty, must name a folder")
	case s.Steps < 0 || s.Size < 0 || s.Shown < 0:
		return nil, fmt.Errorf("microscope: Steps, Size and Shown are %d, %d and %d, must not be negative", s.Steps, s.Size, s.Shown)
	case c != 1 && c != 3:
		return nil, fmt.Errorf("microscope: %s takes images of %d channels, must take 1 or 3 to be shown", m, c)
	case src == nil || src.Len() < 1:
		return nil, errors.New("microscope: the data has no images, must have at least one")
	}
	print, err := m.Fingerprint()
	if err != nil {
		return nil, err
	}
	w := &work{Site: s, m: m, src: src, about: about{
		Format: format, Network: m.String(), Fingerprint: print, Data: src.String(), Images: src.Len(),
		Steps: cmp.Or(s.Steps, 48), Size: cmp.Or(s.Size, min(128, max(h, wd))), Shown: min(cmp.Or(s.Shown, 512), src.Len()),
	}}
	if w.layers, err = layersOf(m, s.Layers); err != nil {
		return nil, err
	}
	for _, l := range w.layers {
		w.about.Layers = append(w.about.Layers, l.Name)
	}
	return w, nil
}

// layersOf returns the named layers, or all that are not as large as the image.
func layersOf(m *interp.Model, names []string) ([]layerOf, error) {
	all, err := m.Layers()
	if err != nil {
		return nil, err
	}
	h, w, c := m.Input()
	var have []string
	shapes := map[string][]int{}
	for _, l := range all {
		if len(l.Shape) > 0 {
			have, shapes[l.Name] = append(have, l.Name), l.Shape
		}
	}
	if names == nil {
		names = slices.DeleteFunc(slices.Clone(have), func(name string) bool { return slices.Equal(shapes[name], []int{h, w, c}) })
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("microscope: there are no layers to look at: %s names none with channels, or Layers is empty", m)
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(slices.Index(have, a), slices.Index(have, b)) })
	var out []layerOf
	taken := []string{dataFolder, imagesFolder}
	for _, name := range names {
		shape, ok := shapes[name]
		if !ok {
			return nil, fmt.Errorf("microscope: %s: %w", m, near.Error("layer", name, have))
		}
		if slices.ContainsFunc(out, func(l layerOf) bool { return l.Name == name }) {
			return nil, fmt.Errorf("microscope: Layers has %q twice, must have each layer once", name)
		}
		l := layerOf{Name: name, Folder: folder(name, taken), Units: shape[len(shape)-1], Spatial: len(shape) == 3, Row: 1, Col: 1}
		if l.Spatial {
			l.Row, l.Col = shape[0], shape[1]
		}
		out, taken = append(out, l), append(taken, l.Folder)
	}
	return out, nil
}

// folder is a layer's name as a file name that needs no escape in an address and is none of those taken, whatever their case.
func folder(name string, taken []string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 128 && (r == '_' || r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	if strings.HasPrefix(safe, ".") || safe == "" {
		safe = "layer-" + safe
	}
	for n, base := 2, safe; slices.ContainsFunc(taken, func(t string) bool { return strings.EqualFold(t, safe) }); n++ {
		safe = fmt.Sprintf("%s-%d", base, n)
	}
	return safe
}

// file is the name of a unit's files without their ending.
func (l layerOf) file(unit int) string {
	return fmt.Sprintf("%0*d", max(3, len(fmt.Sprint(l.Units-1))), unit)
}

func (w *work) path(parts ...string) string {
	return filepath.Join(append([]string{w.Dir}, parts...)...)
}

// claim makes the folder the site's, or checks that it is, and keeps others out of it.
func (w *work) claim() (*flock.Flock, error) {
	begun, err := os.ReadFile(w.path("site.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("microscope: %w", err)
	}
	if err != nil {
		entries, err := os.ReadDir(w.Dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("microscope: %w", err)
		}
		ours := func(e fs.DirEntry) bool { // of a run that was killed before it had said so
			return e.Name() == ".lock" || strings.HasPrefix(e.Name(), ".site.json.")
		}
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !ours(e) }) {
			return nil, fmt.Errorf("microscope: %s holds something that is not a site: name a new or an empty folder", w.Dir)
		}
	} else if err := w.same(begun); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("microscope: %w", err)
	}
	lock := flock.New(w.path(".lock"))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("microscope: %w", err)
	case !ok:
		return nil, fmt.Errorf("microscope: %s is being written by another process: wait for it, or name another folder", w.Dir)
	}
	err = w.prepare(begun == nil)
	if err != nil {
		_ = lock.Unlock() // the error says what is wrong
		return nil, fmt.Errorf("microscope: %w", err)
	}
	return lock, nil
}

// prepare makes the site's folders, says whose they are, and removes what a killed run left half written.
func (w *work) prepare(first bool) error {
	if first {
		b, err := json.MarshalIndent(w.about, "", "\t")
		if err != nil {
			return err
		}
		if err := atomicfile.WriteFile(w.path("site.json"), b, 0o666); err != nil {
			return err
		}
	}
	folders := []string{"", dataFolder, imagesFolder}
	for _, l := range w.layers {
		folders = append(folders, l.Folder)
	}
	for _, f := range folders {
		if err := os.MkdirAll(w.path(f), 0o777); err != nil {
			return err
		}
		atomicfile.Sweep(w.path(f, "*"), 0) // nobody else writes here now
	}
	return nil
}

// same returns an error that says what differs, unless the site that was begun is this one.
func (w *work) same(begun []byte) error {
	var old about
	if err := json.Unmarshal(begun, &old); err != nil || !strings.HasPrefix(old.Format, "lucigo microscope") {
		return fmt.Errorf("microscope: %s holds a site.json of something else: name a new or an empty folder", w.Dir)
	}
	for _, f := range []struct {
		what     string
		old, new any
	}{
		{"format", old.Format, w.Format}, {"network", old.Network, w.Network}, {"weights, as the fingerprint", old.Fingerprint, w.Fingerprint}, {"data", old.Data, w.Data},
		{"images", old.Images, w.Images}, {"layers", old.Layers, w.about.Layers}, {"steps", old.Steps, w.about.Steps}, {"size", old.Size, w.about.Size},
		{"images with labels", old.Shown, w.about.Shown},
	} {
		if fmt.Sprintf("%#v", f.old) != fmt.Sprintf("%#v", f.new) {
			return fmt.Errorf("microscope: %s is a site of other %s, %v, not %v: name another folder, or remove it", w.Dir, f.what, f.old, f.new)
		}
	}
	return nil
}

func (w *work) tell(what string, done, of int) {
	if w.Progress != nil {
		w.Progress(what, done, of)
	}
}

// save writes a value as JSON.
func (w *work) save(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, b, 0o666)
}

// load reads a value that save has written; false where there is none. A damaged file is as none.
func (w *work) load(path string, v any) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(b, v) == nil, nil
}
