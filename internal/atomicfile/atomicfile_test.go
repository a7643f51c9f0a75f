package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// wantDir fails unless dir holds exactly the files named, with their contents.
func wantDir(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if text, ok := want[f.Name()]; !ok || err != nil || string(got) != text {
			t.Errorf("%s holds %q (%v), want %q", f.Name(), got, err, text)
		}
	}
	if len(files) != len(want) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
}

func TestReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "[ab")                         // characters of patterns are ordinary ones in a name
	for _, perm := range []fs.FileMode{0o600, 0o644, 0o666} { // the last is more than the umask allows
		if err := WriteFile(path, []byte(perm.String()), perm); err != nil {
			t.Fatal(err)
		}
		wantDir(t, dir, map[string]string{filepath.Base(path): perm.String()})
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != perm {
			t.Errorf("%v, %v, want %v", info.Mode(), err, perm)
		}
	}
}

// While the new content is written, and where it fails at any step, the old one is there and nothing else is.
func TestFailureLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	why := errors.New("no room")
	err := Write(path, 0o644, func(f *os.File) error {
		if _, err := f.WriteString("new"); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(path); string(b) != "old" || err != nil {
			t.Errorf("a reader meets %q, %v", b, err)
		}
		return why
	})
	if !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
	wantDir(t, dir, map[string]string{"file": "old"})

	if err := Write(path, 0o644, (*os.File).Close); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that cannot be finished gives %v", err)
	}
	wantDir(t, dir, map[string]string{"file": "old"})

	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(full, nil, 0o644); err == nil {
		t.Error("a directory was replaced")
	}
	if files, err := os.ReadDir(dir); len(files) != 2 || err != nil {
		t.Errorf("%v, %v", files, err)
	}
	if err := WriteFile(filepath.Join(path, "below"), nil, 0o644); err == nil {
		t.Error("a file was written below a file")
	}
}

func TestPossible(t *testing.T) {
	dir := t.TempDir()
	if err := Possible(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
	if err := Possible(filepath.Join(dir, "none", "file")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	wantDir(t, dir, nil)
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	left := func(name string, age time.Duration) string {
		f, err := os.CreateTemp(dir, temporary(name))
		if err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := errors.Join(f.Close(), os.Chtimes(f.Name(), then, then)); err != nil {
			t.Fatal(err)
		}
		return filepath.Base(f.Name())
	}
	left("a.x", 2*time.Hour)
	fresh, other, ours := left("a.x", 0), left("b.x", 2*time.Hour), left("c.y", 2*time.Hour)
	Sweep(filepath.Join(dir, "a.x"), time.Hour)
	wantDir(t, dir, map[string]string{fresh: "", other: "", ours: ""})
	Sweep(filepath.Join(dir, "*.x"), time.Hour)
	wantDir(t, dir, map[string]string{fresh: "", ours: ""})
	Sweep(filepath.Join(dir, "a.x"), 0)
	wantDir(t, dir, map[string]string{ours: ""})
	left("c.y", -2*time.Hour) // by a wrong clock
	near := left("c.y", -time.Minute)
	Sweep(filepath.Join(dir, "c.y"), 3*time.Hour)
	Sweep(filepath.Join(dir, "c.y"), time.Hour)
	wantDir(t, dir, map[string]string{near: ""})
	Sweep(filepath.Join(dir, "c.y"), 0)
	wantDir(t, dir, nil)
	ours = left("c.y", 0)
	Sweep(filepath.Join(dir, "none", "a.x"), 0)
	Sweep(filepath.Join(dir, "["), 0)
	wantDir(t, dir, map[string]string{ours: ""})
}
