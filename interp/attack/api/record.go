package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"lucigo/internal/journal"
)

// record is what a client has asked and was answered, in a file that only grows. What is asked is written before it is sent, and answers
// before they are used: a client that is killed at any time knows afterwards what it may have been charged for.
type record struct {
	file    *journal.Journal // nil: only what was spent is kept, in memory
	spent   int
	answers map[digest]Answers  // of one image each
	open    map[string][]digest // requests by key that have no answer
	what    Description
}

// logged is a record of the file: first the server's description, then a request or its answer.
type logged struct {
	Server  *Description `json:"server,omitempty"`
	Ask     string       `json:"ask,omitempty"` // a request's key
	Images  []byte       `json:"images,omitempty"`
	Answer  string       `json:"answer,omitempty"` // a request's key
	Answers Answers      `json:"answers"`
}

// contents identifies an image.
func contents(pix []float64) digest {
	b := make([]byte, 0, 8*len(pix))
	for _, v := range pix {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return sha256.Sum256(b)
}

func openRecord(path string, d Description) (*record, error) {
	r := &record{answers: map[digest]Answers{}, open: map[string][]digest{}, what: d}
	if path == "" {
		return r, nil
	}
	first := true
	file, err := journal.Open(path, "questions and answers", func(b []byte) error {
		var l logged
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		was := first
		first = false
		return r.read(l, was)
	})
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	r.file = file
	if first {
		if err := r.write(logged{Server: &d}); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return r, nil
}

// read takes a record of the file.
func (r *record) read(l logged, first bool) error {
	switch {
	case first && l.Server == nil:
		return errors.New("it does not say which server was asked: name another file")
	case first:
		if !same(*l.Server, r.what) {
			return fmt.Errorf("it has the answers of another server, of %.100q: name another file", l.Server.Name)
		}
	case l.Ask != "":
		if len(l.Images) == 0 || len(l.Images)%len(digest{}) != 0 {
			return fmt.Errorf("a request of %d bytes of images", len(l.Images))
		}
		var of []digest
		for b := l.Images; len(b) > 0; b = b[len(digest{}):] {
			of = append(of, digest(b))
		}
		r.asked(l.Ask, of)
	case l.Answer != "":
		of := r.open[l.Answer]
		if err := l.Answers.check(r.what, len(of)); err != nil || of == nil {
			return fmt.Errorf("an answer to no request, or none to it: %w", cmp.Or(err, errors.New("the request is not there")))
		}
		r.answered(l.Answer, of, l.Answers)
	default:
		return errors.New("it is no request and no answer")
	}
	return nil
}

// same reports whether answers of one server are those of the other.
func same(a, b Description) bool {
	a.Images, a.Once, b.Images, b.Once = 0, false, 0, false
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (r *record) asked(key string, of []digest) {
	r.spent += len(of)
	r.open[key] = of
}

func (r *record) answered(key string, of []digest, a Answers) {
	delete(r.open, key)
	for i, id := range of {
		r.answers[id] = a.slice(i, i+1)
	}
}

func (r *record) write(l logged) error {
	if r.file == nil {
		return nil
	}
	b, err := json.Marshal(l)
	return cmp.Or(err, r.file.Append(b))
}

// ask notes that images are about to be sent.
func (r *record) ask(key string, of []digest) error {
	var images []byte
	for _, id := range of {
		images = append(images, id[:]...)
	}
	if err := r.write(logged{Ask: key, Images: images}); err != nil {
		return err
	}
	r.asked(key, of)
	return nil
}

// answer notes the answers to a request.
func (r *record) answer(key string, of []digest, a Answers) error {
	err := r.write(logged{Answer: key, Answers: a})
	if r.file == nil {
		delete(r.open, key)
		return nil
	}
	r.answered(key, of, a)
	return err
}

// pending returns a request that has no answer and was for the first of the listed images; "" if there is none.
func (r *record) pending(ids []digest, listed []int) (key string, of []digest) {
	for key, of := range r.open {
		if len(of) > len(listed) {
			continue
		}
		equal := true
		for k, id := range of {
			equal = equal && id == ids[listed[k]]
		}
		if equal {
			return key, of
		}
	}
	return "", nil
}

func (r *record) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
