package cause

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"fmt"

	"lucigo/internal/journal"
	"lucigo/interp"
	"lucigo/interp/internal/key"
)

// file keeps answers, by what was asked about what. A nil one keeps nothing.
type file struct {
	journal   *journal.Journal
	questions [][sha256.Size]byte // their keys
	columns   []int               // how many each has
	found     map[[sha256.Size]byte][][]float64
}

// version changes with what any method or measure computes: answers of another version are not taken.
const version = "1"

// answer is a record of the file.
type answer struct {
	Key    [sha256.Size]byte
	Values [][]float64
}

// open opens the file of a comparison, and makes it where there is none.
func open(path string, questions []Question) (*file, error) {
	if path == "" {
		return nil, nil
	}
	f := &file{found: map[[sha256.Size]byte][][]float64{}}
	for _, q := range questions { // now, for some remember what they find out
		k, err := key.Lasting(fingerprint, q)
		if err != nil {
			return nil, fmt.Errorf("cause: Path is %s, but answers cannot be kept: question %s: %w", path, q.Columns()[0], err)
		}
		f.questions, f.columns = append(f.questions, sha256.Sum256([]byte(k))), append(f.columns, len(q.Columns()))
	}
	var err error
	f.journal, err = journal.Open(path, "true causes "+version, func(record []byte) error {
		var a answer
		if err := gob.NewDecoder(bytes.NewReader(record)).Decode(&a); err != nil {
			return err
		}
		f.found[a.Key] = a.Values
		return nil
	})
	if err != nil {
		f.close()
		return nil, fmt.Errorf("cause: %w", err)
	}
	return f, nil
}

// fingerprint is that of a network.
func fingerprint(pointer any) (text string, ok bool, err error) {
	m, ok := pointer.(*interp.Model)
	if ok && m != nil {
		text, err = m.Fingerprint()
	}
	return text, ok && m != nil, err
}

// answer returns what is kept, or asks and keeps it.
func (f *file) answer(e Entry, question int, ask func() ([][]float64, error)) ([][]float64, error) {
	if f == nil {
		return ask()
	}
	e.Control = false // the answers are the same
	k, err := key.Lasting(fingerprint, e)
	if err != nil {
		return nil, fmt.Errorf("its answers cannot be kept: %w", err)
	}
	sum := sha256.Sum256(append(f.questions[question][:], k...))
	if values, ok := f.found[sum]; ok {
		if len(values) != f.columns[question] {
			return nil, fmt.Errorf("the file that keeps its answers has %d columns of a question, must have %d: delete it", len(values), f.columns[question])
		}
		return values, nil
	}
	values, err := ask()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(answer{sum, values}); err != nil {
		return nil, err
	}
	return values, f.journal.Append(b.Bytes())
}

func (f *file) close() {
	if f != nil && f.journal != nil {
		_ = f.journal.Close() // each record was written when it was added
	}
}
