package jupyter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dirPrefix begins the names of kernels' directories.
const dirPrefix = "lucigo-kernel-"

// makeDir makes a kernel's directory, and a lock in it that is held for as long as this process lives and the file is
// open.
func makeDir(base string) (dir string, lock *os.File, err error) {
	if dir, err = os.MkdirTemp(base, dirPrefix); err != nil {
		return "", nil, err
	}
	if lock, err = os.Create(filepath.Join(dir, "lock.new")); err == nil {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			err = os.Rename(lock.Name(), filepath.Join(dir, "lock")) // So it is locked from its first moment.
		}
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("a directory for a kernel: %w", err), lock.Close(), os.RemoveAll(dir))
	}
	return dir, lock, nil
}

// sweep removes the directories of kernels whose runners were killed, and could not do it.
func sweep(base string) {
	entries, _ := os.ReadDir(base) // A directory that cannot be read is not swept.
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), dirPrefix) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDONLY|syscall.O_NONBLOCK, 0) // Another user's may be a pipe.
		if err != nil {                                                                         // It is another user's, or is just being made.
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(dir) // What cannot be removed only takes room.
		}
		lock.Close()
	}
}
