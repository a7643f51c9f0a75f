//go:build unix

// Package tempdir makes temporary directories that go with the process that made them: in the end it removes them, and
// where it was killed, the next one does.
package tempdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Dir is a directory that is in use. A lock in it says so for as long as this process lives.
type Dir struct {
	Path string
	lock *os.File
}

// Make makes a directory in base whose name begins with prefix.
func Make(base, prefix string) (Dir, error) {
	path, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return Dir{}, err
	}
	d := Dir{Path: path}
	if d.lock, err = os.Create(filepath.Join(path, "lock.new")); err == nil {
		if err = syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			err = os.Rename(d.lock.Name(), filepath.Join(path, "lock")) // So it is locked from its first moment.
		}
	}
	if err != nil {
		return Dir{}, errors.Join(fmt.Errorf("tempdir: %w", err), d.Remove())
	}
	return d, nil
}

// Remove removes the directory.
func (d Dir) Remove() error {
	err := os.RemoveAll(d.Path)
	if d.lock != nil {
		d.lock.Close() // It is of no more use, whatever comes of it.
	}
	return err
}

// Sweep removes the directories in base whose names begin with prefix and that no process uses, after it has handed
// each to end; nil: to nobody. It looks at none of another user's.
func Sweep(base, prefix string, end func(dir string)) {
	entries, _ := os.ReadDir(base) // A directory that cannot be read is not swept.
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		var info syscall.Stat_t
		if syscall.Lstat(dir, &info) != nil || info.Mode&syscall.S_IFMT != syscall.S_IFDIR || int(info.Uid) != os.Getuid() {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDONLY|syscall.O_NONBLOCK, 0) // It may be a pipe.
		if err != nil {                                                                         // It is just being made.
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if end != nil {
				end(dir)
			}
			os.RemoveAll(dir) // What cannot be removed only takes room.
		}
		lock.Close()
	}
}
