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

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/models/internal/label"
)

// Folder is a folder's photographs as a data set: read one by one, when they are asked for. Its methods are
// safe for concurrent use.
type Folder struct {
	in    Input
	dir   string
	names []string
	print string // of names and files
}

// extensions are those of the files that are read.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp"}

// photographBlocks are the blocks of 4 KiB by which a photograph is told from another of its length.
const photographBlocks = 3

// Folder lists the photographs of a folder: JPEG, PNG, GIF and WebP files, by their extension, in the folder and all below
// it, in the order of their paths. Of an animation the first frame is taken, in the size of its canvas. Files and folders
// whose names begin with a dot are passed over, and so are other files. A link to a folder is followed, unless what it
// leads to is listed already. An empty folder is an error, and a file that cannot be read is one only when it is asked for.
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
	if f.names, err = list(dir); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", dir, err)
	}
	if len(f.names) == 0 {
		return nil, fmt.Errorf("dataset: %s has no photographs: no file below it ends in %s", dir, strings.Join(extensions, ", "))
	}
	prints := make([]string, len(f.names))
	parallel.For(len(f.names), func(i int) {
		print, err := fingerprint(photographBlocks, f.path(i))
		if err != nil {
			print = "cannot be read"
		}
		prints[i] = fmt.Sprintf("%q %s", f.names[i], print)
	})
	f.print = short(sha256.Sum256([]byte(strings.Join(prints, "\n"))))
	return f, nil
}

// list returns the photographs below a folder, by their paths from there.
func list(dir string) (names []string, err error) {
	listed := map[string]bool{} // folders, by their paths without links
	var links []string          // to folders, which are followed after what is no link
	var walk func(folder string) error
	walk = func(folder string) error {
		real, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(folder)))
		if err != nil || listed[real] {
			return err
		}
		listed[real] = true
		entries, err := os.ReadDir(real)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name, mode := path.Join(folder, e.Name()), e.Type()
			if strings.HasPrefix(e.Name(), ".") {
				continue
			}
			link := mode&fs.ModeSymlink != 0
			if link { // to nothing, it counts as a file, which cannot be read
				mode = 0
				if info, err := os.Stat(filepath.Join(real, e.Name())); err == nil {
					mode = info.Mode()
				}
			}
			switch {
			case mode.IsDir() && link:
				links = append(links, name)
			case mode.IsDir():
				if err := walk(name); err != nil {
					return err
				}
			case mode.IsRegular() && slices.Contains(extensions, strings.ToLower(path.Ext(name))):
				names = append(names, name)
			}
		}
		return nil
	}
	for err = walk("."); err == nil && len(links) > 0; {
		next := links[0]
		links = links[1:]
		err = walk(next)
	}
	slices.SortFunc(names, func(a, b string) int { // what is in a folder comes together
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	return names, err
}

// String describes the photographs by their number, a hash of their names and files, and how they are cut. It does not
// depend on where the folder is. Of a file that is longer than three blocks of 4 KiB, those count at its beginning, in its
// middle and at its end, and its length.
func (f *Folder) String() string {
	return fmt.Sprintf("%d photographs (%s), %s", len(f.names), f.print, f.in)
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
	return f.in.read(f.path(i), label.Text(f.names[i]))
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
