package build

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// patches are what is changed in GoNB, in the order of their names: one file for each fault, which begins with the
// reason.
//
//go:embed patches
var patches embed.FS

// patched copies GoNB's module from dir into to, and applies the patches of the directory patches. A patch that does
// not fit exactly is an error that names it.
func patched(dir, to string, patches fs.FS) error {
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		return fmt.Errorf("build: copying GoNB: %w", err)
	}
	names, err := fs.Glob(patches, "patches/*.patch")
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := fs.ReadFile(patches, name)
		if err != nil {
			return err
		}
		files, _, err := gitdiff.Parse(bytes.NewReader(b))
		if err == nil && len(files) == 0 {
			err = errors.New("it changes no file")
		}
		for _, f := range files {
			if err == nil {
				err = change(to, f)
			}
		}
		if err != nil {
			return fmt.Errorf("build: %s does not apply to this version of GoNB: %w", name, err)
		}
	}
	return nil
}

// change changes or makes one file below dir.
func change(dir string, f *gitdiff.File) error {
	name := filepath.Join(dir, filepath.FromSlash(f.NewName))
	var old []byte
	if !f.IsNew {
		var err error
		if old, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	var changed bytes.Buffer
	if err := gitdiff.Apply(&changed, bytes.NewReader(old), f); err != nil {
		return fmt.Errorf("%s: %w", f.NewName, err)
	}
	return os.WriteFile(name, changed.Bytes(), 0o666)
}
