// Package atomicfile replaces a file whole or not at all: it writes a temporary file in the same directory and renames
// it, so that no reader ever sees a part, and a failure leaves what was there.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// temporary is the pattern of the temporary files for path.
func temporary(path string) string { return "." + filepath.Base(path) + ".*.part" }

// Write replaces the file at path by what write writes, with the permissions perm whatever the umask is. If write or
// anything else fails, the error is returned and the temporary file is removed. A write that ends in f.Sync() makes a
// file that survives a crash of the machine.
func Write(path string, perm fs.FileMode, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path))
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Chmod(perm)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what stays is for Sweep
	}
	return err
}

// WriteFile replaces the file at path by b, with the permissions perm.
func WriteFile(path string, b []byte, perm fs.FileMode) error {
	return Write(path, perm, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
}

// Possible returns an error if no temporary file for path can be made.
func Possible(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path))
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Sweep removes the temporary files for path that are at least as old as age: killed processes leave them. A wrong
// clock may have dated one in the future: it is as old as it is far from now. The last element of path may be a pattern,
// as filepath.Match takes it.
func Sweep(path string, age time.Duration) {
	files, _ := os.ReadDir(filepath.Dir(path)) // a directory that cannot be read is not swept
	for _, f := range files {
		ours, _ := filepath.Match(temporary(path), f.Name()) // a malformed pattern matches nothing
		if !ours {
			continue
		}
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()).Abs() >= age {
			_ = os.Remove(filepath.Join(filepath.Dir(path), f.Name())) // what cannot be removed only takes room
		}
	}
}
