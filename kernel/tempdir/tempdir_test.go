//go:build unix

package tempdir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSweep: what nobody uses goes, and nothing else; a pipe in the place of a lock is not waited for.
func TestSweep(t *testing.T) {
	base := t.TempDir()
	used, err := Make(base, "p-")
	if err != nil {
		t.Fatal(err)
	}
	left, err := Make(base, "p-")
	if err != nil {
		t.Fatal(err)
	}
	left.lock.Close() // As when its process is killed.
	if err := errors.Join(os.WriteFile(filepath.Join(left.Path, "file"), nil, 0o666), os.Mkdir(filepath.Join(base, "other"), 0o777),
		os.WriteFile(filepath.Join(base, "p-file"), nil, 0o666), os.Mkdir(filepath.Join(base, "p-new"), 0o777),
		os.Mkdir(filepath.Join(base, "p-pipe"), 0o777), syscall.Mkfifo(filepath.Join(base, "p-pipe", "lock"), 0o666),
		os.Symlink(used.Path, filepath.Join(base, "p-link"))); err != nil {
		t.Fatal(err)
	}
	var ended []string
	Sweep(base, "p-", func(dir string) { ended = append(ended, dir) })
	if len(ended) != 2 || ended[0] != left.Path && ended[1] != left.Path {
		t.Errorf("ended %v, want %s and the pipe's", ended, left.Path)
	}
	for name, want := range map[string]bool{filepath.Base(used.Path): true, filepath.Base(left.Path): false, "other": true,
		"p-file": true, "p-new": true, "p-pipe": false, "p-link": true} {
		if _, err := os.Lstat(filepath.Join(base, name)); (err == nil) != want {
			t.Errorf("%s: it is there is %v, want %v", name, err == nil, want)
		}
	}
	if err := used.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(used.Path); err == nil {
		t.Error("what is removed is there")
	}
	Sweep(filepath.Join(base, "none"), "p-", nil)
	if _, err := Make(filepath.Join(base, "none"), "p-"); err == nil {
		t.Error("a directory in none")
	}
}
