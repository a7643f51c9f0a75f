// Package regular opens regular files only. To open or to read a pipe may never end, and a device may have no end.
package regular

import (
	"errors"
	"io/fs"
	"os"
)

// Open opens a file for reading and tells its size. A folder, a pipe or a device is an error, an *fs.PathError.
func Open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path) // before it is opened, which may wait for a pipe's other end
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("a folder, a pipe or a device, and no file")}
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	return f, info.Size(), err
}
