// Package kept computes what several cells of a notebook need once, and keeps it on disk.
package kept

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"lucigo/internal/project"
	"lucigo/interp"
	"lucigo/interp/exemplar"
	"lucigo/notebooks/show"
)

// Index returns which images of a data set excite each unit of some layers most. The data set is scanned
// once, under a line that says how far it is; the index is kept in the folder exemplar of LUCIGO_CACHE, and
// later calls read it from there, or scan on where one was broken off. An interrupt, as by Ctrl-C or a
// notebook's stop button, ends the scan; what it has is kept.
func Index(ctx context.Context, m *interp.Model, src interp.Source, layers ...string) (*exemplar.Index, error) {
	print, err := m.Fingerprint()
	if err != nil {
		return nil, err
	}
	of := sha256.Sum256(fmt.Appendf(nil, "%s%s %s %d %q", exemplar.Format, print, src, src.Len(), layers))
	path, err := project.Cache("exemplar", fmt.Sprintf("%x.index", of[:16]))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("kept: there is no place for the index: %w; set LUCIGO_CACHE to a directory of your own", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	line := show.Progress{Title: fmt.Sprintf("what %s responds to", m.Name()), Total: src.Len()}
	done := 0
	if kept, err := exemplar.Open(path, m); err == nil {
		done, _ = kept.Scanned()
	}
	var shown error
	if done < src.Len() { // at once: before the first images are done the network is compiled
		shown = line.Set(done, "")
	}
	ix, err := exemplar.Scan{Layers: layers, Path: path, Progress: func(p exemplar.Progress) {
		shown = errors.Join(shown, line.Set(p.Done, note(p)))
	}}.Run(ctx, m, src)
	if ctx.Err() != nil {
		err = fmt.Errorf("%w; run this again: it goes on from there", cmp.Or(err, ctx.Err()))
	}
	return ix, errors.Join(err, shown, line.Close())
}

func note(p exemplar.Progress) string {
	s := fmt.Sprintf("%.0f a second, %v left", p.Rate, p.Left.Round(time.Second))
	if p.Unreadable > 0 {
		s += fmt.Sprintf(", %d unreadable", p.Unreadable)
	}
	return s
}
