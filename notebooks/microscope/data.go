package microscope

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/concept"
	"lucigo/interp/exemplar"
	"lucigo/interp/objective"
)

// scan finds the images that each unit responds to.
func (w *work) scan(ctx context.Context) (*exemplar.Index, error) {
	what := "images that units respond to"
	w.tell(what, 0, w.Images)
	return exemplar.Scan{Layers: w.about.Layers, Path: w.path(dataFolder, "responses.index"),
		Progress: func(p exemplar.Progress) { w.tell(what, p.Done, p.Total) }}.Run(ctx, w.m, w.src)
}

// said is what units contribute to the logits of classes.
type said struct {
	Next  int   // the first image that is not counted yet
	Class []int // what each image shows, or what the network says it does; −1 where it cannot be decoded
	Count []int // images of each class

	// Sum is what the units of a layer contribute to the logit of the class of an image, added up over the images of each class:
	// Sum[layer][class·units + unit].
	Sum [][]float64
}

// mean is the mean contribution of a unit to the logit of a class, over images of that class; NaN where there are none.
func (s *said) mean(layer, units, unit, class int) float64 {
	return s.Sum[layer][class*units+unit] / float64(s.Count[class])
}

// whole reports whether what was read is of this site, and finite.
func (s *said) whole(w *work) bool {
	good := len(s.Class) == s.Next && s.Next <= w.Images && len(s.Count) == len(w.m.Classes()) && len(s.Sum) == len(w.layers)
	for l := range s.Sum {
		good = good && len(s.Sum[l]) == len(s.Count)*w.layers[l].Units
	}
	return good
}

// batch is how many images go through the network between two looks at the clock.
const batch = 64

// classes asks which classes units speak for. What was added up is kept every few seconds.
func (w *work) classes(ctx context.Context) (*said, error) {
	path, what := w.path(dataFolder, "classes.json"), "classes that units speak for"
	s := &said{}
	if ok, err := w.load(path, s); err != nil {
		return nil, err
	} else if !ok || !s.whole(w) {
		s = &said{Count: make([]int, len(w.m.Classes()))}
		for _, l := range w.layers {
			s.Sum = append(s.Sum, make([]float64, len(s.Count)*l.Units))
		}
	}
	saved, begun := time.Now(), s.Next
	for s.Next < w.Images {
		w.tell(what, s.Next, w.Images)
		if err := w.count(ctx, s); err != nil {
			if s.Next > begun {
				err = errors.Join(err, w.save(path, s))
			}
			return nil, err
		}
		if time.Since(saved) > 10*time.Second || s.Next == w.Images {
			if err := w.save(path, s); err != nil {
				return nil, err
			}
			saved, begun = time.Now(), s.Next
		}
	}
	w.tell(what, w.Images, w.Images)
	return s, nil
}

// count adds the next batch, or nothing.
func (w *work) count(ctx context.Context, s *said) error {
	end := min(s.Next+batch, w.Images)
	class := make([]int, end-s.Next)
	images := make([]interp.Images, len(class))
	err := parallel.Each(ctx, len(class), func(i int) error {
		var err error
		images[i], err = w.src.Image(ctx, s.Next+i)
		if _, undecodable := errors.AsType[interp.Undecodable](err); undecodable {
			images[i], err = interp.Images{}, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var good []interp.Images
	for i, x := range images {
		if class[i] = -1; x.N > 0 {
			good = append(good, x)
		}
	}
	var x interp.Images
	if len(good) > 0 {
		if x, err = interp.Join(good...); err != nil {
			return err
		}
		if x, err = w.m.Resolve(ctx, objective.Logit, x); err != nil {
			return err
		}
		shares, err := channel.Attribution{}.At(ctx, w.m, objective.Logit, x, w.about.Layers...)
		if err != nil {
			return err
		}
		for l, c := range shares {
			for i, of := range x.Class {
				for u, v := range c.Of(i) {
					s.Sum[l][of*len(c.Of(i))+u] += v
				}
			}
		}
	}
	k := 0
	for i := range class {
		if images[i].N > 0 {
			class[i] = x.Class[k]
			s.Count[x.Class[k]]++
			k++
		}
	}
	s.Class, s.Next = append(s.Class, class...), end
	return nil
}

// detected is what the units of a layer detect: IoU[unit][label], 0 where it is undefined.
type detected struct {
	Labels []string
	IoU    [][]float64
}

// dissect asks of layers with positions what their units detect, where the data has labels; of others there is none.
func (w *work) dissect(ctx context.Context) ([]detected, error) {
	out := make([]detected, len(w.layers))
	labelled, ok := w.src.(concept.Labelled)
	if !ok {
		return out, nil
	}
	data := remembered{labelled, w.about.Shown, make([]func() (interp.Images, error), w.about.Shown), make([]func() [][]bool, w.about.Shown)}
	for i := range data.images {
		data.images[i] = sync.OnceValues(func() (interp.Images, error) { return labelled.Image(ctx, i) })
		data.masks[i] = sync.OnceValue(func() [][]bool { return labelled.Masks(i) })
	}
	for l, layer := range w.layers {
		if !layer.Spatial {
			continue
		}
		path, d := w.path(dataFolder, layer.Folder+".detects.json"), &out[l]
		if ok, err := w.load(path, d); err != nil {
			return nil, err
		} else if ok && len(d.IoU) == layer.Units {
			continue
		}
		what := "what units of " + layer.Name + " detect"
		found, err := concept.Dissection{Progress: func(done, of int) { w.tell(what, done, of) }}.Run(ctx, w.m, data, layer.Name)
		if err != nil {
			return nil, err
		}
		*d = detected{found.Labels, found.IoU}
		for _, of := range d.IoU {
			for k, v := range of {
				if math.IsNaN(v) { // JSON has none
					of[k] = 0
				}
			}
		}
		if err := w.save(path, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// remembered is the first images of a data set, each drawn once for all layers.
type remembered struct {
	concept.Labelled
	n      int
	images []func() (interp.Images, error)
	masks  []func() [][]bool
}

func (r remembered) Len() int { return r.n }

func (r remembered) Image(_ context.Context, i int) (interp.Images, error) { return r.images[i]() }

func (r remembered) Masks(i int) [][]bool { return r.masks[i]() }

// String says how much of the data set it is.
func (r remembered) String() string { return fmt.Sprintf("the first %d of %s", r.n, r.Labelled) }
