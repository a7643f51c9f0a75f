package sanity

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"

	"lucigo/internal/journal"
	"lucigo/interp"
)

// file keeps the results of a check: what was asked, and then a record for each method and variant. A nil one keeps nothing.
type file struct {
	journal *journal.Journal
	found   map[[2]int]result
}

// result is what is kept of a method and a variant.
type result struct {
	Method, Variant int
	Values          []float64 // of all similarities, image by image
	Map             []float32 // of the first image
	Channels        int
}

// open opens the file of a check, and makes it where there is none. One of another check is an error.
func open(path string, m *interp.Model, variants []Variant, c Check, x interp.Images) (*file, error) {
	if path == "" {
		return nil, nil
	}
	question, err := ask(m, variants, c, x)
	if err != nil {
		return nil, err
	}
	f, first := &file{found: map[[2]int]result{}}, true
	f.journal, err = journal.Open(path, "sanity check", func(record []byte) error {
		if first {
			if first = false; string(record) != question {
				return errors.New("it is of another check, of other images, methods, networks or variants: name another file, or delete it")
			}
			return nil
		}
		var r result
		if err := gob.NewDecoder(bytes.NewReader(record)).Decode(&r); err != nil {
			return err
		}
		if err := r.check(c, variants, x); err != nil {
			return err
		}
		f.found[[2]int{r.Method, r.Variant}] = r
		return nil
	})
	if err == nil && first {
		err = f.journal.Append([]byte(question))
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("sanity: %w", err)
	}
	return f, nil
}

// check returns an error unless the result is one of the check.
func (r result) check(c Check, variants []Variant, x interp.Images) error {
	switch {
	case r.Method < 0 || r.Method >= len(c.Methods) || r.Variant < 0 || r.Variant > len(variants):
		return fmt.Errorf("it is of method %d and variant %d, and there are %d and %d", r.Method, r.Variant, len(c.Methods), len(variants))
	case len(r.Values) != int(similarities)*x.N:
		return fmt.Errorf("it has %d values, must have %d of each of %d images", len(r.Values), similarities, x.N)
	case r.Channels < 1 || len(r.Map) != x.H*x.W*r.Channels:
		return fmt.Errorf("its map has %d numbers, must have %d channels of %d×%d", len(r.Map), r.Channels, x.H, x.W)
	}
	return nil
}

// ask describes all that the results depend on.
func ask(m *interp.Model, variants []Variant, c Check, x interp.Images) (string, error) {
	h := sha256.New()
	for _, v := range append([]Variant{{Model: m}}, variants...) {
		print, err := v.Model.Fingerprint()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %s\n", v.Name, print)
	}
	for _, k := range c.Methods {
		fmt.Fprintf(h, "%q\n", k.String())
	}
	fmt.Fprintf(h, "%q %d %d %d %d %v %v\n", c.Objective, x.N, x.H, x.W, x.C, x.Class, x.Key)
	for _, v := range x.Pix {
		fmt.Fprintf(h, "%x ", v)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func (f *file) entry(method, variant int) (result, bool) {
	if f == nil {
		return result{}, false
	}
	r, ok := f.found[[2]int{method, variant}]
	return r, ok
}

func (f *file) add(method, variant int, r result) error {
	if f == nil {
		return nil
	}
	r.Method, r.Variant = method, variant
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(r); err != nil {
		return err
	}
	return f.journal.Append(b.Bytes())
}

func (f *file) close() {
	if f != nil && f.journal != nil {
		_ = f.journal.Close() // each record was written when it was added
	}
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
