package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"lucigo/interp"
)

// Folder is a folder's photographs as a data set: read one by one, when they are asked for. Its methods are
// safe for concurrent use.
type Folder struct {
	in    Input
	dir   string
	names []string
	print [8]byte // of names and sizes
}

// extensions are those of the files that are read.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp"}

// Folder lists the photographs of a folder: JPEG, PNG, GIF (the first frame) and WebP files, by their extension, in the
// folder and all below it, in the order of their paths. Other files are passed over; links to folders are not followed
// below dir. An empty folder is an error, and a file that cannot be read is one only when it is asked for.
func (in Input) Folder(dir string) (*Folder, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("dataset: there is no folder of photographs: %w", err)
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("dataset: %s is a file: name the folder that it is in", dir)
	}
	f := &Folder{in: in, dir: dir}
	h := sha256.New()
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(extensions, strings.ToLower(path.Ext(name))) {
			return err
		}
		f.names = append(f.names, name)
		size := int64(-1) // of a link to nothing, which is an image that cannot be read
		if info, err := os.Stat(f.path(len(f.names) - 1)); err == nil {
			size = info.Size()
		}
		_, err = fmt.Fprintf(h, "%q %d\n", name, size)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", dir, err)
	}
	if len(f.names) == 0 {
		return nil, fmt.Errorf("dataset: %s has no photographs: no file below it ends in %s", dir, strings.Join(extensions, ", "))
	}
	copy(f.print[:], h.Sum(nil))
	return f, nil
}

// String describes the photographs by their number, a hash of their names and sizes, and how they are cut.
// It does not depend on where the folder is.
func (f *Folder) String() string {
	return fmt.Sprintf("%d photographs (%x), %s", len(f.names), f.print, f.in)
}

// Len returns how many photographs there are.
func (f *Folder) Len() int { return len(f.names) }

// Name returns the path of photograph i, from the folder.
func (f *Folder) Name(i int) string { return f.names[i] }

func (f *Folder) path(i int) string { return filepath.Join(f.dir, filepath.FromSlash(f.names[i])) }

// Image reads photograph i. Like its name, errors do not depend on where the folder is.
func (f *Folder) Image(ctx context.Context, i int) (interp.Images, error) {
	if i < 0 || i >= len(f.names) {
		return interp.Images{}, fmt.Errorf("dataset: the photograph is number %d, must be from 0 to %d", i, len(f.names)-1)
	}
	if err := ctx.Err(); err != nil {
		return interp.Images{}, err
	}
	return f.in.read(f.path(i), f.names[i])
}

// read reads a photograph, which errors call name.
func (in Input) read(path, name string) (interp.Images, error) {
	m, key, err := readPhotograph(path, name)
	if err != nil {
		return interp.Images{}, err
	}
	x := in.cut(m)
	x.Key = key
	if in.Class != nil {
		if class, err := in.Class(path); err == nil {
			x.Class = []int{class}
		}
	}
	return x, nil
}
