package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/internal/hostile"
)

func open(t testing.TB, path string) (*Journal, []string, error) {
	t.Helper()
	var all []string
	j, err := Open(path, "test", func(record []byte) error {
		all = append(all, string(record))
		return nil
	})
	return j, all, err
}

func write(t testing.TB, path string, records ...string) {
	t.Helper()
	j, _, err := open(t, path)
	for _, r := range records {
		err = errors.Join(err, j.Append([]byte(r)))
	}
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
}

var records = []string{"first", "", "third", strings.Repeat("x", 100)}

// Cut anywhere, a file has the records that were whole, and goes on from there.
func TestLawCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, records[:2]...)
	write(t, path, records[2:]...)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, got, err := open(t, path)
		if err != nil || !slices.Equal(got, records[:len(got)]) {
			t.Fatalf("cut at %d: %q, %v", n, got, err)
		}
		seen[len(got)] = true
		for _, r := range records[len(got):] {
			err = errors.Join(err, j.Append([]byte(r)))
		}
		if err = errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(path); !bytes.Equal(again, whole) {
			t.Fatalf("cut at %d and gone on, it is another file", n)
		}
	}
	if len(seen) != len(records)+1 {
		t.Errorf("cuts left %v records", seen)
	}
}

// A byte that is changed is an error, or the last record is dropped: it never changes what is read.
func TestLawDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, records...)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, got, err := open(t, path)
		if err == nil {
			if !slices.Equal(got, records[:3]) || j.Dropped == 0 {
				t.Errorf("with byte %d changed: %d records", i, len(got))
			}
			err = j.Close()
		} else if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "it") {
			t.Error(err)
		} else {
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, append(whole, make([]byte, 1000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	j, got, err := open(t, path)
	if err != nil || len(got) != len(records) || j.Dropped != 1000 {
		t.Errorf("zeros after it: %d records, %v", len(got), err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	j, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, path); !errors.Is(err, ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := errors.Join(j.Append([]byte("a")), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "test", func([]byte) error { return errors.New("no number") }); err == nil ||
		!strings.Contains(err.Error(), "no number") {
		t.Error(err)
	}
	if _, err := Open(path, "other", nil); err == nil || !strings.Contains(err.Error(), "another kind") {
		t.Error(err)
	}
	if _, _, err := open(t, dir); err == nil || !strings.Contains(err.Error(), "name a file") {
		t.Error(err)
	}
	if _, _, err := open(t, filepath.Join(dir, "no", "such")); err == nil {
		t.Error("a file in no folder")
	}
	j, got, err := open(t, path)
	if err != nil || fmt.Sprint(got) != "[a]" {
		t.Fatalf("after errors: %q, %v", got, err)
	}
	if err := j.Append(make([]byte, MaxRecord+1)); err == nil {
		t.Error("a record that cannot be read again")
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestLongJournal: of a file of more than 4 GB, here of nearly nothing but zeros, what is whole is read, in little memory.
func TestLongJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, records...)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const long = 1<<32 + 2
	file := io.LimitReader(io.MultiReader(bytes.NewReader(whole), zeros{}), long)
	n, size := 0, int64(0)
	took := hostile.Allocated(func() {
		_, size, err = scan(file, long, format+"test\n", func([]byte) error { n++; return nil })
	})
	if err != nil || n != len(records) || size != int64(len(whole)) {
		t.Errorf("%d records, %d bytes: %v", n, size, err)
	}
	if took > 1<<20 {
		t.Errorf("it allocates %d bytes", took)
	}
}

// zeros is a reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Damage a megabyte after the records is damage, not a file that was not finished.
func TestZerosAreNotAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, records...)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, 1<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, _, err := open(t, path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

func FuzzScan(f *testing.F) {
	path := filepath.Join(f.TempDir(), "journal")
	write(f, path, records...)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte{})
	line := format + "test\n"
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			n := 0
			_, size, err := scan(bytes.NewReader(b), int64(len(b)), line, func(r []byte) error { n += head + len(r) + sum; return nil })
			if err == nil && size != int64(len(line)+n) || size > int64(len(b)) {
				t.Errorf("%d bytes are whole of %d, and records have %d", size, len(b), n)
			}
		})
	})
}
