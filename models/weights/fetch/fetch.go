// Package fetch downloads files of weights into the cache.
//
// It carries an HTTP client and a progress bar along. Notebook cells do not link it; package weights runs it as a
// process of its own.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"

	"lucigo/internal/atomicfile"
	"lucigo/internal/download"
	"lucigo/models/weights"
)

// File puts f into the cache and returns its path. If it is on this machine and right already, that is all. What has
// arrived when it fails, or ctx ends, stays beside it as NAME.part, and the next call goes on there. Of two processes
// one waits for the other.
func File(ctx context.Context, f weights.File) (path string, err error) {
	cached, err := f.Cached()
	if err != nil {
		return "", err
	}
	err = download.Alone(ctx, cached, func() error {
		if path, err = f.Here(ctx); path != "" || err != nil {
			return err
		}
		if err := assemble(ctx, f, cached); err != nil {
			return err
		}
		if path, err = f.Here(ctx); err == nil && path == "" {
			err = errors.New("what was downloaded makes another file")
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.Name, err)
	}
	return path, nil
}

// assemble downloads the parts of f and makes the file of them.
func assemble(ctx context.Context, f weights.File, path string) error {
	if len(f.Parts) == 0 {
		return errors.New("it is published nowhere")
	}
	var parts []download.Part
	for _, p := range f.Parts {
		parts = append(parts, download.Part(p))
	}
	part, sum := path+".part", f.SHA256
	if f.Join != nil {
		sum = f.PartsSHA256
	}
	if err := (download.Client{Progress: download.Bar(f.Name)}).Get(ctx, part, sum, parts...); err != nil {
		return err
	}
	if f.Join == nil {
		return os.Rename(part, path)
	}
	whole, err := os.ReadFile(part)
	if err == nil {
		whole, err = f.Join(whole)
	}
	if err != nil {
		return err
	}
	err = atomicfile.Write(path, 0o600, func(tmp *os.File) error {
		if _, err := tmp.Write(whole); err != nil {
			return err
		}
		return tmp.Sync()
	})
	if err != nil {
		return err
	}
	return os.Remove(part)
}
